//! What others ask of the fleet: claims for people, enrolment for boxes, admission and notes for the gateway, lists
//! and completeness for pages.

mod claims;
mod enrol;
mod nodes;
mod standing;

pub use super::types::NodeIdentity;
pub use super::words;
pub use claims::{create_claim, end_claims, enrol_address};
pub use enrol::{Caller, enrol};
pub use nodes::{admit, completeness, fallen, list, record_checkpoint, seen};
pub use standing::{detail, holds, standing, standing_page};
