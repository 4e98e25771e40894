//! The use cases of people: members, invitations, and joining by one.

mod accept;
mod invitations;
mod members;

pub use accept::{Door, accept, accept_signed_in, look};
pub use invitations::{invite, list as invitations, resend, revoke};
pub use members::{covers, end, list, one, sessions, sessions_end};

/// Life of an invitation, in milliseconds.
pub use super::rules::INVITATION_MILLIS;
