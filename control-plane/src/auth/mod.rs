//! Who asks and what they may: passwords, access tokens, policies, and the guard in front of a handler. Knows no route.

pub mod chosen;
pub mod guard;
pub mod keys;
pub mod password;
pub mod policy;
pub mod seal;
mod store;
pub mod tenant_secret;
pub mod throttle;
pub mod token;
