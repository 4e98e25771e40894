//! The pages of products: the list with its search, one product with its price and details, and changes of them. A
//! change says which state it was made from, so that two people never undo each other unseen.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use protocol::collection::Unit;
use protocol::id::PersonId;
use protocol::limits;
use serde::Deserialize;

use super::rules::{self, Fault};
use super::service::{self, By, Edit};
use super::types::{ProductView, Wanted};
use super::{imports_pages as files, price_form as form};
use crate::app::App;
use crate::auth::policy::right;
use crate::db::TenantTx;
use crate::domain::pricing::service::Reach;
use crate::domain::pricing::types::{PriceChange, Source};
use crate::domain::{pricing, shops};
use crate::http::{ApiError, Query};
use crate::web::caller::email_of;
use crate::web::respond::encoded;
use crate::web::{Flash, Form, Nav, PageCaller, PageCan, PageError, PageResult, Pages, Shell, format};

/// Products of one page.
const PAGE: u32 = 50;
/// Price changes that the page of a product shows.
const HISTORY: u32 = 20;

/// The pages of the catalogue.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/products", list)
        .route(Method::POST, "/products", create)
        .route(Method::GET, "/products/new", new)
        .route(Method::GET, "/products/item", one)
        .route(Method::POST, "/products/item", save)
        .route(Method::POST, "/products/item/remove", remove)
        .merge(files::pages())
}

/// Where the page of a product is. A query, because a code may hold anything that a path may not.
pub fn address(code: &str) -> String {
    format!("/products/item?code={}", encoded(code).replace('/', "%2f"))
}

/// The one currency of all shops; blank when there are several, or none yet: prices are decimals in any of them.
async fn currency(tx: &mut TenantTx) -> Result<String, PageError> {
    Ok(common(shops::service::list(tx).await?.iter().map(|shop| shop.currency.code())).unwrap_or_default().to_owned())
}

/// What all have in common, if they do.
fn common<'a>(mut all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// What to list.
#[derive(Clone, Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    cursor: String,
}

#[derive(Template)]
#[template(path = "domain/catalog/templates/list.html")]
struct List {
    shell: Shell,
    products: Vec<ProductView>,
    q: String,
    next: Option<String>,
    paged: bool,
    live: u64,
    currency: String,
    reach: Reach,
}

async fn list(
    State(app): State<App>,
    caller: PageCan<right::CatalogRead>,
    Query(mut asked): Query<Asked>,
) -> PageResult {
    // What no product can be is simply not found.
    let sane = |text: &str, most: usize| text.len() <= most && !text.contains('\0');
    let mut tx = caller.begin(&app).await?;
    let (version, live) = service::head(&mut tx).await?;
    asked.q = asked.q.trim().to_owned();
    let page = if sane(&asked.q, limits::DESCRIPTION_BYTES) && sane(&asked.cursor, limits::CODE_BYTES) {
        service::list(&mut tx, &asked.q, &asked.cursor, PAGE).await?
    } else {
        super::types::ProductPage { products: Vec::new(), next: None }
    };
    let query = if asked.q.is_empty() { String::new() } else { format!("q={}&", encoded(&asked.q)) };
    caller.page(&List {
        shell: Shell::new(&caller, Nav::Products, "Products"),
        next: page.next.map(|next| format!("/products?{query}cursor={}", encoded(&next).replace('/', "%2f"))),
        products: page.products,
        paged: !asked.cursor.is_empty(),
        currency: currency(&mut tx).await?,
        reach: pricing::service::reach(&mut tx, version).await?,
        q: asked.q,
        live,
    })
}

/// Which product.
#[derive(Clone, Debug, Default, Deserialize)]
struct Code {
    #[serde(default)]
    code: String,
}

/// A product as a form has it, with the version it was made from (0: none, a new product).
#[derive(Clone, Debug, Default, Deserialize)]
struct ProductForm {
    #[serde(default)]
    code: String,
    #[serde(default)]
    seen: u64,
    #[serde(default)]
    description: String,
    #[serde(default)]
    unit_price: String,
    #[serde(default)]
    tax_rate_percent: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    barcodes: String,
}

impl ProductForm {
    fn of(product: &ProductView) -> Self {
        Self {
            code: product.code.clone(),
            seen: product.version,
            description: product.description.clone(),
            unit_price: product.unit_price.to_string(),
            tax_rate_percent: format::decimal(protocol::money::decimal_text(i64::from(product.tax_rate_ppm), 4)),
            unit: unit_name(&product.unit).to_owned(),
            barcodes: product.barcodes.join(" "),
        }
    }

    fn wanted(&self) -> Result<Wanted, Fault> {
        let (code, description) = (self.code.trim(), self.description.trim());
        rules::check_code(code)?;
        rules::check_description(description)?;
        Ok(Wanted {
            code: code.to_owned(),
            description: Some(description.to_owned()),
            unit_price_e4: Some(rules::read_price(&self.unit_price)?.e4()),
            tax_rate_ppm: Some(rules::read_tax_percent(&self.tax_rate_percent)?.unwrap_or(0)),
            unit: Some(rules::read_unit(&self.unit)?.unwrap_or(0)),
            barcodes: Some(rules::read_barcodes(&self.barcodes)?),
        })
    }
}

/// What a unit is called.
pub const fn unit_name(unit: &Unit) -> &'static str {
    match unit {
        Unit::Piece => "piece",
        Unit::Kilogram => "kilogram",
        Unit::Metre => "metre",
        Unit::Litre => "litre",
    }
}

#[derive(Template)]
#[template(path = "domain/catalog/templates/new.html")]
struct New {
    shell: Shell,
    form: ProductForm,
    currency: String,
    fault: Option<Fault>,
}

async fn new(State(app): State<App>, caller: PageCan<right::CatalogWrite>, Query(asked): Query<Code>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let form = ProductForm { code: asked.code, unit: "piece".to_owned(), ..ProductForm::default() };
    let currency = currency(&mut tx).await?;
    caller.page(&New { shell: Shell::new(&caller, Nav::Products, "A new product"), form, currency, fault: None })
}

async fn create(
    State(app): State<App>,
    caller: PageCan<right::CatalogWrite>,
    Form(form): Form<ProductForm>,
) -> PageResult {
    let made = match form.wanted() {
        Ok(wanted) => {
            let by = By::of(&caller.caller, Source::Product, app.clock.now());
            service::edit(&app, caller.caller.tenant, by, wanted, None).await.map_err(ApiError::from)?
        }
        Err(fault) => return bad_new(&app, &caller, form, StatusCode::UNPROCESSABLE_ENTITY, fault).await,
    };
    match made {
        Edit::Done(version, _) => {
            let text = format!("{} is sold from now on (version {version}).", form.code.trim());
            caller.see_other(&address(form.code.trim()), Flash::done(text))
        }
        Edit::Taken(_) | Edit::Moved(_) | Edit::Gone => {
            let fault = Fault {
                field: "code",
                message: "this code is sold already; open that product, or take another code".to_owned(),
            };
            bad_new(&app, &caller, form, StatusCode::CONFLICT, fault).await
        }
    }
}

async fn bad_new(app: &App, caller: &PageCaller, form: ProductForm, status: StatusCode, fault: Fault) -> PageResult {
    let mut tx = caller.begin(app).await?;
    let currency = currency(&mut tx).await?;
    let shell = Shell::new(caller, Nav::Products, "A new product");
    caller.page_with(status, &New { shell, form, currency, fault: Some(fault) })
}

/// What is said above a product's forms after one that was not taken.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Somebody was faster.
    pub moved: bool,
    /// The field at fault and the remedy.
    pub fault: Option<(&'static str, String)>,
    /// The price as it was typed.
    pub price: Option<String>,
}

#[derive(Template)]
#[template(path = "domain/catalog/templates/one.html")]
struct One {
    shell: Shell,
    product: ProductView,
    form: ProductForm,
    price: String,
    told: Told,
    history: Vec<Past>,
    /// Whether there may be older ones.
    more: bool,
    /// In which the times are told: that of all shops, or UTC.
    zone: String,
    currency: String,
    reach: Reach,
}

/// A price change, with who made it.
struct Past {
    change: PriceChange,
    who: String,
}

/// Who made each change, by e-mail.
async fn named(app: &App, me: uuid::Uuid, history: Vec<PriceChange>) -> Result<Vec<Past>, PageError> {
    let mut past = Vec::with_capacity(history.len());
    for change in history {
        let who = match change.person_id {
            Some(person) if person == me => "you".to_owned(),
            Some(person) => match email_of(app, PersonId::from_uuid(person)).await {
                Ok(email) => email.to_string(),
                Err(gone) if gone.status == StatusCode::NOT_FOUND => "a former colleague".to_owned(),
                Err(error) => return Err(error.into()),
            },
            None => "head office".to_owned(),
        };
        past.push(Past { change, who });
    }
    Ok(past)
}

async fn one(State(app): State<App>, caller: PageCan<right::CatalogRead>, Query(asked): Query<Code>) -> PageResult {
    shown(&app, &caller, &asked.code, None, (StatusCode::OK, Told::default())).await
}

/// The page of a product, for this noun and for `pricing`, with what was said to a form that was not taken.
///
/// # Errors
/// NOT_FOUND for a code that is not sold.
pub async fn told(app: &App, caller: &PageCaller, code: &str, status: StatusCode, told: Told) -> PageResult {
    shown(app, caller, code, None, (status, told)).await
}

async fn shown(
    app: &App,
    caller: &PageCaller,
    code: &str,
    kept: Option<ProductForm>,
    (status, told): (StatusCode, Told),
) -> PageResult {
    let mut tx = caller.begin(app).await?;
    let found = if service::could_be_code(code) { service::one(&mut tx, code).await? } else { None };
    let product = found.ok_or_else(|| ApiError::not_found("product"))?;
    let history = pricing::service::history(&mut tx, code, 0, HISTORY).await?;
    let shops = shops::service::list(&mut tx).await?;
    let reach = pricing::service::reach(&mut tx, product.version).await?;
    drop(tx);
    let history = named(app, caller.caller.person.as_uuid(), history).await?;
    let title = if product.description.is_empty() { product.code.clone() } else { product.description.clone() };
    // What was typed stays; what it is compared with is the present, so that sending again is a decision.
    let form = kept.map_or_else(|| ProductForm::of(&product), |kept| ProductForm { seen: product.version, ..kept });
    caller.page_with(
        status,
        &One {
            shell: Shell::new(caller, Nav::Products, title),
            price: told.price.clone().unwrap_or_else(|| product.unit_price.to_string()),
            reach,
            currency: common(shops.iter().map(|shop| shop.currency.code())).unwrap_or_default().to_owned(),
            zone: common(shops.iter().map(|shop| shop.timezone.as_str())).unwrap_or("UTC").to_owned(),
            more: u32::try_from(history.len()).is_ok_and(|shown| shown >= HISTORY),
            history,
            form,
            told,
            product,
        },
    )
}

async fn save(
    State(app): State<App>,
    caller: PageCan<right::CatalogWrite>,
    Form(form): Form<ProductForm>,
) -> PageResult {
    let code = form.code.clone();
    let wanted = match form.wanted() {
        Ok(wanted) => wanted,
        Err(fault) => {
            let told = Told { fault: Some((fault.field, fault.message)), ..Told::default() };
            return shown(&app, &caller, &code, Some(form), (StatusCode::UNPROCESSABLE_ENTITY, told)).await;
        }
    };
    let by = By::of(&caller.caller, Source::Product, app.clock.now());
    let done = service::edit(&app, caller.caller.tenant, by, wanted, Some(form.seen)).await.map_err(ApiError::from)?;
    match done {
        Edit::Done(version, true) => {
            caller.see_other(&address(&code), Flash::done(format!("Saved as version {version}; the shops get it now.")))
        }
        Edit::Done(_, false) => caller.see_other(&address(&code), Flash::done("Nothing was different.")),
        Edit::Moved(_) => {
            let told = Told { moved: true, ..Told::default() };
            shown(&app, &caller, &code, Some(form), (StatusCode::CONFLICT, told)).await
        }
        Edit::Gone | Edit::Taken(_) => caller.see_other("/products", Flash::failed(form::gone(&code))),
    }
}

/// What is taken out of sale.
#[derive(Clone, Debug, Default, Deserialize)]
struct Removal {
    #[serde(default)]
    code: String,
    #[serde(default)]
    seen: u64,
}

async fn remove(State(app): State<App>, caller: PageCan<right::CatalogWrite>, Form(form): Form<Removal>) -> PageResult {
    if !service::could_be_code(&form.code) {
        return Err(ApiError::not_found("product").into());
    }
    let by = By::of(&caller.caller, Source::Removal, app.clock.now());
    match service::withdraw(&app, caller.caller.tenant, by, &form.code, form.seen).await.map_err(ApiError::from)? {
        Edit::Done(version, _) => {
            let text = format!("{} is sold no more (version {version}). Its past stays.", form.code);
            caller.see_other("/products", Flash::done(text))
        }
        Edit::Moved(_) => {
            let told = Told { moved: true, ..Told::default() };
            shown(&app, &caller, &form.code, None, (StatusCode::CONFLICT, told)).await
        }
        Edit::Gone | Edit::Taken(_) => Err(ApiError::not_found("product").into()),
    }
}
