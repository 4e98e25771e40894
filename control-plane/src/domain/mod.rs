//! The nouns of head office, one folder each; this file is the list of them.

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::jobs::Handler;
use crate::web::Pages;

pub mod analytics;
pub mod audit;
pub mod catalog;
pub mod fleet;
pub mod identity;
pub mod keys;
pub mod mfa;
pub mod modules;
pub mod notifications;
pub mod operators;
pub mod people;
pub mod pricing;
pub mod regions;
pub mod roles;
pub mod sales;
pub mod shops;
pub mod sso;
pub mod staff;
pub mod tenants;

/// Every route of every noun.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(analytics::routes())
        .merge(audit::routes())
        .merge(catalog::routes())
        .merge(fleet::routes())
        .merge(identity::routes())
        .merge(keys::routes())
        .merge(mfa::routes())
        .merge(modules::routes())
        .merge(notifications::routes())
        .merge(operators::routes())
        .merge(people::routes())
        .merge(pricing::routes())
        .merge(regions::routes())
        .merge(roles::routes())
        .merge(sales::routes())
        .merge(shops::routes())
        .merge(sso::routes())
        .merge(staff::routes())
        .merge(tenants::routes())
}

/// Who does which jobs, of every noun.
pub fn handlers() -> Vec<Handler> {
    let mut all = notifications::handlers();
    all.extend(identity::account::handlers());
    all.extend(tenants::handlers());
    all
}

/// Every page of every noun.
pub fn pages() -> Pages {
    Pages::new()
        .merge(analytics::pages::pages())
        .merge(audit::pages::pages())
        .merge(catalog::pages::pages())
        .merge(fleet::pages::pages())
        .merge(identity::pages::pages())
        .merge(keys::pages::pages())
        .merge(people::pages::pages())
        .merge(mfa::pages::pages())
        .merge(regions::pages::pages())
        .merge(roles::pages::pages())
        .merge(notifications::pages::pages())
        .merge(operators::pages())
        .merge(sales::pages::pages())
        .merge(shops::pages::pages())
        .merge(sso::pages::pages())
        .merge(staff::pages::pages())
        .merge(tenants::pages::pages())
}
