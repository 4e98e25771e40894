//! People and invitations as the API shows them and as they are asked for.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::roles::types::{AssignmentView, Wanted};

/// Somebody who belongs to the company.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Member {
    /// The person.
    pub id: Uuid,
    /// Their e-mail.
    pub email: String,
    /// Their name, if they gave one.
    pub name: Option<String>,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub joined_at: OffsetDateTime,
    /// The roles they hold.
    pub roles: Vec<AssignmentView>,
}

impl Member {
    /// The name, or the e-mail where there is none.
    pub fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.email)
    }
}

/// Somebody is asked to join.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// To which e-mail the link goes; whoever reads it there joins.
    #[schema(example = "maria@example.com", max_length = 254)]
    pub email: String,
    /// The roles they will hold: none beyond what the inviter holds.
    #[schema(min_items = 1, max_items = 20)]
    pub roles: Vec<Wanted>,
}

/// An invitation that is open.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// Names it.
    pub id: Uuid,
    /// To whom.
    pub email: String,
    /// With which roles.
    pub roles: Vec<Wanted>,
    /// By whom.
    pub invited_by: Uuid,
    /// When the last mail was sent.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub sent_at: OffsetDateTime,
    /// Until when its link is good.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
    /// Whether that is over: send it again, or revoke it.
    pub expired: bool,
}

/// An invitation is accepted by whoever holds its link.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// What the link ends with.
    pub token: String,
    /// The password: chosen now by somebody new, the present one of somebody who signs in with this e-mail already.
    pub password: String,
    /// The name that others see, for somebody new.
    #[serde(default)]
    pub name: Option<String>,
}

/// The same by somebody who is signed in.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptSignedIn {
    /// What the link ends with.
    pub token: String,
}

macro_rules! says_nothing {
    ($($name:ident),+) => {
        $(/// Secrets stay out of logs.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        })+
    };
}
says_nothing!(Accept, AcceptSignedIn);

/// Somebody joined. They sign in as always, second factor and all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Joined {
    /// The company.
    pub tenant_id: Uuid,
    /// Its name.
    pub tenant: String,
    /// The e-mail to sign in with.
    pub email: String,
}
