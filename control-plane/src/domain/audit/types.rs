//! An entry of the record.

use protocol::id::PersonId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::guard::{Caller, Via};

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The person; none when the platform did it by itself.
    pub person: Option<PersonId>,
    /// As what: session, key, guest, command, job, door.
    pub via: &'static str,
    /// By which permission to look in.
    pub impersonation: Option<Uuid>,
    /// The request.
    pub request: Option<Uuid>,
}

impl Actor {
    /// A command of somebody at head office's own machine.
    pub const COMMAND: Self = Self { person: None, via: "command", impersonation: None, request: None };
    /// A job of head office.
    pub const JOB: Self = Self { person: None, via: "job", impersonation: None, request: None };

    /// Somebody at an open door, such as a sign-in or an invitation.
    pub const fn door(person: Option<PersonId>, request: Uuid) -> Self {
        Self { person, via: "door", impersonation: None, request: Some(request) }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        let impersonation = match caller.via {
            Via::Guest { impersonation, .. } => Some(impersonation),
            Via::Session | Via::Key => None,
        };
        let request = (!caller.request.is_nil()).then_some(caller.request);
        Self { person: Some(caller.person), via: caller.via.name(), impersonation, request }
    }
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// A noun and a verb in the past, such as `people.invited`.
    pub action: &'static str,
    /// The kind of thing it was done to, such as `person`.
    pub object_kind: &'static str,
    /// Which.
    pub object_id: String,
    /// What changed: never a secret, never a whole record of a person.
    pub diff: Value,
}

impl Entry {
    /// Something that was done to a thing.
    pub fn new(action: &'static str, object_kind: &'static str, object_id: impl std::fmt::Display) -> Self {
        Self { action, object_kind, object_id: object_id.to_string(), diff: json!({}) }
    }

    /// With what changed.
    #[must_use]
    pub fn diff(mut self, diff: Value) -> Self {
        self.diff = diff;
        self
    }
}

/// Something that was done, as it is read.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Done {
    /// Names the entry.
    pub id: Uuid,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The person; none when head office did it by itself.
    pub actor: Option<Uuid>,
    /// As what: `session`, `key`, `guest`, `command`, `job` or `door` (a sign-in, an invitation).
    pub via: String,
    /// By which permission an operator looked in.
    pub impersonation_id: Option<Uuid>,
    /// A noun and a verb, such as `people.invited`.
    pub action: String,
    /// The kind of thing it was done to.
    pub object_kind: String,
    /// Which.
    pub object_id: String,
    /// What changed.
    #[schema(value_type = Object)]
    pub diff: Value,
    /// The request, as in its answer's `x-request-id`.
    pub request_id: Option<Uuid>,
}

/// Which entries.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
pub struct Asked {
    /// Only actions that begin with this, such as `people.`.
    #[serde(default)]
    #[param(max_length = 100, required = false)]
    pub action: String,
    /// Only of this person.
    pub actor: Option<Uuid>,
    /// Only about the thing with this id.
    #[serde(default)]
    #[param(max_length = 200, required = false)]
    pub object: String,
}
