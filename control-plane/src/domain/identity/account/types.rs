//! What a person is told about their own account, and what they send.

use protocol::id::{PersonId, TenantId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::identity::types::TenantRef;

/// Who is signed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Account {
    /// The person.
    #[schema(value_type = Uuid)]
    pub person_id: PersonId,
    /// Their e-mail.
    pub email: String,
    /// The name that others see; none yet.
    pub name: Option<String>,
    /// The tenant of the token.
    pub tenant: TenantRef,
    /// The session.
    pub session_id: Uuid,
}

/// Changes of one's own account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountPatch {
    /// The name that others see, 1 to 120 characters; null takes it away.
    pub name: Option<String>,
}

/// A new password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password so far.
    pub current: String,
    /// The next: 8 characters or more, up to 512 bytes.
    pub new: String,
    /// Whether all other sessions end; they do unless this says false.
    #[serde(default = "yes")]
    pub end_others: bool,
}

const fn yes() -> bool {
    true
}

/// Somebody forgot their password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgot {
    /// Their e-mail.
    #[schema(example = "owner@example.com")]
    pub email: String,
}

/// A new password by a link.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// What the link ends with.
    pub token: String,
    /// The new password.
    pub password: String,
}

/// Another e-mail.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailChange {
    /// The new one.
    pub email: String,
    /// The password.
    pub password: String,
}

/// The answer to a link about a new e-mail.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkUse {
    /// What the link ends with.
    pub token: String,
}

/// What was asked for is on its way, if there is somebody for it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct OnItsWay {
    /// Always true: whether the e-mail is known is not told.
    pub accepted: bool,
}

/// What came of a link about a new e-mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EmailNow {
    /// The e-mail that signs in from now on.
    pub email: String,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// Whether it is the one that asks.
    pub this: bool,
    /// `browser` or `api`.
    pub kind: &'static str,
    /// How it began: `password`, `passkey`, `sso`, `invitation`, `guest`.
    pub method: String,
    /// The address it began from.
    pub address: String,
    /// What the client calls itself.
    pub agent: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub began_at: OffsetDateTime,
    /// When it was last used, give or take five minutes.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub used_at: OffsetDateTime,
    /// When it ends at the latest.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
}

/// How many sessions ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ended {
    /// So many.
    pub ended: u64,
}

macro_rules! says_nothing {
    ($($name:ident),+) => {
        $(/// Secrets and e-mails stay out of logs.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        })+
    };
}
says_nothing!(PasswordChange, Forgot, Reset, EmailChange, LinkUse);

impl Account {
    /// The account of a person as one of their sessions sees it.
    pub(super) fn new(
        person_id: PersonId,
        (email, name): (String, Option<String>),
        (id, tenant): (TenantId, String),
        session_id: Uuid,
    ) -> Self {
        Self { person_id, email, name, tenant: TenantRef { id, name: tenant }, session_id }
    }
}
