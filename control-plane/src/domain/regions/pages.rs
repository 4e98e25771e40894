//! The page of regions: which there are, and which shops are in which.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use uuid::Uuid;

use super::service;
use super::types::{Region, RegionBody};
use crate::app::App;
use crate::auth::policy::{Permission, Right, right};
use crate::domain::shops::{self, types::Shop};
use crate::http::{ApiError, IfMatch, Path};
use crate::web::{Flash, Form, Nav, PageCan, PageResult, Pages, Shell};

/// The pages of regions.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/regions", list)
        .route(Method::POST, "/regions", create)
        .route(Method::GET, "/regions/{id}", one)
        .route(Method::POST, "/regions/{id}", save)
        .route(Method::POST, "/regions/{id}/remove", remove)
}

/// A form with one box per shop.
type Fields = BTreeMap<String, String>;

#[derive(Template)]
#[template(path = "domain/regions/templates/list.html")]
struct List {
    shell: Shell,
    regions: Vec<Region>,
    name: String,
    error: Option<String>,
}

async fn list(State(app): State<App>, can: PageCan<right::CompanyRead>) -> PageResult {
    let mut tx = can.begin(&app).await?;
    let regions = service::list(&mut tx).await?;
    let shell = Shell::new(&can, Nav::Regions, "Regions");
    can.page(&List { shell, regions, name: String::new(), error: None })
}

fn by_person(error: &ApiError) -> bool {
    [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED, StatusCode::FORBIDDEN]
        .contains(&error.status)
}

fn typed(fields: &Fields) -> RegionBody {
    let shops = fields.keys().filter_map(|key| key.strip_prefix("s.")?.parse().ok());
    RegionBody { name: fields.get("name").cloned().unwrap_or_default(), shop_ids: shops.collect() }
}

async fn create(State(app): State<App>, can: PageCan<right::CompanyWrite>, Form(fields): Form<Fields>) -> PageResult {
    let body = typed(&fields);
    let mut tx = can.begin(&app).await?;
    match service::create(&mut tx, &can.caller, &can.policy, &body, app.clock.now()).await {
        Ok(region) => {
            tx.save().await?;
            let flash = Flash::done(format!("{} is there; choose its shops now.", region.name));
            can.see_other(&format!("/regions/{}", region.id), flash)
        }
        Err(error) if by_person(&error) => {
            drop(tx);
            let mut tx = can.begin(&app).await?;
            let regions = service::list(&mut tx).await?;
            let shell = Shell::new(&can, Nav::Regions, "Regions");
            can.page_with(error.status, &List { shell, regions, name: body.name, error: Some(error.message) })
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "domain/regions/templates/one.html")]
struct One {
    shell: Shell,
    region: Region,
    /// Each shop with whether it is chosen, and the other region that it is in.
    shops: Vec<(Shop, bool, Option<String>)>,
    error: Option<String>,
}

async fn page_of<R: Right>(
    app: &App,
    can: &PageCan<R>,
    id: Uuid,
    typed: Option<RegionBody>,
    error: Option<String>,
) -> Result<One, ApiError> {
    let mut tx = can.begin(app).await?;
    let mut region = service::one(&mut tx, id).await?;
    let all = service::list(&mut tx).await?;
    let shops = shops::service::list(&mut tx).await?;
    if let Some(RegionBody { name, shop_ids }) = typed {
        region = Region { name, shop_ids, ..region };
    }
    let chosen: BTreeSet<Uuid> = region.shop_ids.iter().copied().collect();
    let other = |shop: Uuid| all.iter().find(|other| other.id != id && other.shop_ids.contains(&shop));
    let rows = shops.into_iter().map(|shop| {
        let id = shop.id.as_uuid();
        (shop, chosen.contains(&id), other(id).map(|region| region.name.clone()))
    });
    let shell = Shell::new(can, Nav::Regions, region.name.clone());
    Ok(One { shell, shops: rows.collect(), region, error })
}

async fn one(State(app): State<App>, can: PageCan<right::CompanyRead>, Path(id): Path<Uuid>) -> PageResult {
    let page = page_of(&app, &can, id, None, None).await?;
    can.page(&page)
}

async fn save(
    State(app): State<App>,
    can: PageCan<right::CompanyWrite>,
    Path(id): Path<Uuid>,
    Form(fields): Form<Fields>,
) -> PageResult {
    let body = typed(&fields);
    let seen = IfMatch::version(fields.get("seen").and_then(|seen| seen.parse().ok()).unwrap_or(0_i64));
    let mut tx = can.begin(&app).await?;
    match service::update(&mut tx, &can.caller, &can.policy, id, &seen, &body, app.clock.now()).await {
        Ok(region) => {
            tx.save().await?;
            can.see_other("/regions", Flash::done(format!("{} is saved.", region.name)))
        }
        Err(error) if by_person(&error) => {
            drop(tx);
            let page = page_of(&app, &can, id, Some(body), Some(error.message)).await?;
            can.page_with(error.status, &page)
        }
        Err(error) => Err(error.into()),
    }
}

async fn remove(
    State(app): State<App>,
    can: PageCan<right::CompanyWrite>,
    Path(id): Path<Uuid>,
    Form(_): Form<Fields>,
) -> PageResult {
    let mut tx = can.begin(&app).await?;
    match service::remove(&mut tx, &can.caller, id, &IfMatch::any(), app.clock.now()).await {
        Ok(()) => {
            tx.save().await?;
            can.see_other("/regions", Flash::done("The region is gone; its shops stay."))
        }
        Err(error) if by_person(&error) => can.see_other(&format!("/regions/{id}"), Flash::failed(error.message)),
        Err(error) => Err(error.into()),
    }
}
