//! The nouns of head office, one folder each; this file is the list of them.

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub mod identity;
pub mod shops;
pub mod tenants;

/// Every route of every noun.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(identity::routes())
        .merge(shops::routes())
}
