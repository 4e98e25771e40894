//! Tenants: the customer organisations. Owns `app.tenants`. Made by the command line today; registration and
//! approval come later. Knows nothing of shops.

pub mod service;
mod store;
