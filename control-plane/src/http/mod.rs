//! What all HTTP of head office has in common: the shape of yes and no, bodies, limits, logs, idempotency,
//! documentation. Knows no noun.

pub mod body;
pub mod context;
pub mod cors;
pub mod docs;
pub mod envelope;
pub mod error;
pub mod etag;
pub mod idempotency;
pub mod layers;
pub mod openapi;
pub mod page;
pub mod rate;
pub mod server;
mod store;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_all;
pub mod tls;

pub use body::{Json, Path, Query};
pub use envelope::{Created, Data, Pagination};
pub use error::{ApiError, ApiResult};
pub use etag::{IfMatch, Precondition, Tagged};
pub use idempotency::Once;
pub use page::Paging;
