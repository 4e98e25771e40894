//! analytics: what the sales come to. Reads the roll-ups that sales keeps (app.sales_days, app.sales_hours,
//! app.product_days, app.product_years, app.stock_days), owns app.days_seen; must not read tickets or events.

pub mod pages;
pub mod parts;
pub mod routes;
pub mod rules;
pub mod service;
pub mod store;
pub mod types;

#[cfg(test)]
mod tests;

pub use routes::routes;
