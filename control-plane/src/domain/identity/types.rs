//! What sign-in is asked and what it answers.

use protocol::id::{PersonId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::mfa::Second;

/// A sign-in.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The person's e-mail.
    #[schema(example = "owner@example.com")]
    pub email: String,
    /// Their password.
    pub password: String,
    /// Which tenant, where a person belongs to several.
    #[serde(default)]
    pub tenant: Option<Uuid>,
}

impl std::fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginRequest").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// A tenant that a person belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TenantRef {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub id: TenantId,
    /// Its name.
    pub name: String,
}

/// What a sign-in or a refresh gives.
#[derive(Clone, Serialize, ToSchema)]
pub struct Tokens {
    /// Send it as `Authorization: Bearer ...`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds that the access token lives.
    pub expires_in: i64,
    /// Gives the next pair, once. Keep it secret.
    pub refresh_token: String,
    /// The tenant that both are for.
    #[schema(value_type = Uuid)]
    pub tenant_id: TenantId,
    /// The person.
    #[schema(value_type = Uuid)]
    pub person_id: PersonId,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("tenant_id", &self.tenant_id).finish_non_exhaustive()
    }
}

/// What somebody showed to get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The password (or a link of a mail that stands for it): whoever has a second factor is asked for it.
    Password,
    /// The password and a second factor.
    PasswordAndFactor,
    /// A passkey that verified the person.
    Passkey,
}

impl Proof {
    /// How the session began, in its row.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Password | Self::PasswordAndFactor => "password",
            Self::Passkey => "passkey",
        }
    }

    /// Whether the session begins with a second factor.
    pub const fn mfa(self) -> bool {
        match self {
            Self::Password => false,
            Self::PasswordAndFactor | Self::Passkey => true,
        }
    }
}

/// The password was right; the person has a second factor, which goes to `POST /v1/auth/mfa`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NeedSecond {
    /// What is asked for.
    pub mfa: Second,
}

/// The person belongs to several tenants: sign in again and say which.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChooseTenant {
    /// Those there are.
    pub tenants: Vec<TenantRef>,
}

/// What a sign-in answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LoginReply {
    /// Signed in.
    Tokens(Tokens),
    /// The second factor?
    Second(NeedSecond),
    /// Which tenant?
    Choose(ChooseTenant),
}

/// A refresh.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The refresh token of the last answer.
    pub refresh_token: String,
}

/// Who is signed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Me {
    /// The person.
    #[schema(value_type = Uuid)]
    pub person_id: PersonId,
    /// Their e-mail.
    pub email: String,
    /// The tenant of the token.
    pub tenant: TenantRef,
    /// The session.
    pub session_id: Uuid,
}
