//! Who asks: passwords, access tokens, and the guard in front of a handler. Knows no route.

pub mod chosen;
pub mod guard;
pub mod password;
pub mod seal;
mod store;
pub mod throttle;
pub mod token;
