//! The pages of sales: what happens now, and one receipt whole. No SQL, no decisions.

use axum::http::Method;

use crate::web::Pages;

mod live;
mod receipts;
mod stream;
#[cfg(test)]
mod tests;

/// The pages of sales.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/", live::page)
        .route(Method::GET, "/sales/live/events", stream::events)
        .route(Method::GET, "/receipts", receipts::search)
        .route(Method::GET, "/receipts/{node}/{term}/{seq}", receipts::one)
}
