//! catalog: what a tenant sells. Owns app.catalogues, app.products and app.catalogue_imports; the versions it makes are written down by
//! `pricing`. Must not know how a node gets them.

mod edits;
pub mod import;
pub mod imports;
mod imports_pages;
pub mod pages;
mod price_form;
pub mod routes;
pub mod rules;
pub mod service;
pub mod store;
pub mod types;
pub mod upload;

#[cfg(test)]
mod pages_tests;
#[cfg(test)]
mod tests;

pub use routes::routes;
