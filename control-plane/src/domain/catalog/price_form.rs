//! The change of one price from the page of its product: what the form says, and what is answered. The price itself
//! is `pricing`'s; the page around it is this noun's.

use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::Deserialize;

use super::pages::{Told, address, told};
use super::rules;
use super::service::{self, By, Edit};
use super::types::Wanted;
use crate::app::App;
use crate::auth::policy::right;
use crate::domain::pricing::types::Source;
use crate::http::ApiError;
use crate::web::{Flash, Form, PageCan, PageResult, Pages};

/// The page that takes a new price.
pub(super) fn pages() -> Pages {
    Pages::new().route(Method::POST, "/products/item/price", change)
}

#[derive(Clone, Debug, Default, Deserialize)]
struct PriceForm {
    #[serde(default)]
    code: String,
    #[serde(default)]
    seen: u64,
    #[serde(default)]
    unit_price: String,
}

/// What is said of a product that was removed while it was looked at.
pub(super) fn gone(code: &str) -> String {
    format!("{code} was taken out of sale meanwhile, so nothing was changed. Add it again if it is to be sold.")
}

async fn change(
    State(app): State<App>,
    caller: PageCan<right::PricesWrite>,
    Form(form): Form<PriceForm>,
) -> PageResult {
    if !service::could_be_code(&form.code) {
        return Err(ApiError::not_found("product").into());
    }
    let price = match rules::read_price(&form.unit_price) {
        Ok(price) => price,
        Err(fault) => {
            let said = Told { fault: Some(("price", fault.message)), price: Some(form.unit_price), moved: false };
            return told(&app, &caller, &form.code, StatusCode::UNPROCESSABLE_ENTITY, said).await;
        }
    };
    let by = By::of(&caller.caller, Source::Price, app.clock.now());
    let wanted = Wanted {
        code: form.code.clone(),
        description: None,
        unit_price_e4: Some(price.e4()),
        tax_rate_ppm: None,
        unit: None,
        barcodes: None,
    };
    let done = service::edit(&app, caller.caller.tenant, by, wanted, Some(form.seen)).await.map_err(ApiError::from)?;
    match done {
        Edit::Done(version, true) => {
            let text = format!("The price is {price} from now on (version {version}); open tickets keep theirs.");
            caller.see_other(&address(&form.code), Flash::done(text))
        }
        Edit::Done(_, false) => caller.see_other(&address(&form.code), Flash::done("That was the price already.")),
        Edit::Moved(_) => {
            let said = Told { moved: true, price: Some(form.unit_price), fault: None };
            told(&app, &caller, &form.code, StatusCode::CONFLICT, said).await
        }
        Edit::Gone | Edit::Taken(_) => Err(ApiError::not_found("product").into()),
    }
}
