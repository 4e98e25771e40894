//! What second factors are asked and what they answer. Codes and secrets are never printed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// How a second factor may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A code of an authenticator app.
    Totp,
    /// A passkey.
    Passkey,
    /// A recovery code.
    Recovery,
}

/// The password was right; the second factor is still to come.
#[derive(Clone, Serialize, ToSchema)]
pub struct Second {
    /// Goes back with the second factor to `POST /v1/auth/mfa`.
    pub token: String,
    /// What the person has.
    pub methods: Vec<Method>,
    /// Seconds until the token ends.
    pub expires_in: i64,
}

impl std::fmt::Debug for Second {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Second").field("methods", &self.methods).finish_non_exhaustive()
    }
}

/// A passkey's answer to a challenge.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyAnswer {
    /// As the begin of the ceremony gave it.
    pub ceremony: String,
    /// What the browser's `navigator.credentials` answered, as JSON (`PublicKeyCredential.toJSON`).
    #[schema(value_type = Object)]
    pub credential: Value,
}

/// A second factor; exactly one of the three.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondRequest {
    /// As the sign-in gave it.
    pub token: String,
    /// A code of an authenticator app.
    #[serde(default)]
    pub totp: Option<String>,
    /// A recovery code.
    #[serde(default)]
    pub recovery: Option<String>,
    /// A passkey's answer.
    #[serde(default)]
    pub passkey: Option<PasskeyAnswer>,
}

/// The token of a sign-in that waits for its second factor.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondToken {
    /// As the sign-in gave it.
    pub token: String,
}

/// A sign-in with a passkey alone.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyLogin {
    /// The passkey's answer.
    pub passkey: PasskeyAnswer,
    /// Which tenant, where a person belongs to several.
    #[serde(default)]
    pub tenant: Option<Uuid>,
}

/// A challenge for a passkey.
#[derive(Clone, Serialize, ToSchema)]
pub struct Challenge {
    /// Goes back with the answer.
    pub ceremony: String,
    /// For `navigator.credentials`: `create` to add a passkey, else `get`. Binary values are base64url.
    #[schema(value_type = Object)]
    pub options: Value,
}

/// Proving again who one is; exactly one of the three.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUpRequest {
    /// The password.
    #[serde(default)]
    pub password: Option<String>,
    /// A code of an authenticator app.
    #[serde(default)]
    pub totp: Option<String>,
    /// A passkey's answer.
    #[serde(default)]
    pub passkey: Option<PasskeyAnswer>,
}

/// Until when what is sensitive may be done.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct SteppedUp {
    /// Seconds from now.
    pub expires_in: i64,
}

/// A passkey as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Passkey {
    /// Its id.
    pub id: Uuid,
    /// The name that its owner gave it.
    pub name: String,
    /// When it was added (RFC 3339).
    pub created_at: String,
    /// When it was used last.
    pub used_at: Option<String>,
}

/// What a person has beside the password.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Standing {
    /// Whether an authenticator app is set up.
    pub totp: bool,
    /// The passkeys, oldest first.
    pub passkeys: Vec<Passkey>,
    /// Recovery codes that still work.
    pub recovery_codes_left: i64,
    /// Whether this session was begun, or went on, with a second factor.
    pub session_has_mfa: bool,
}

/// A new secret for an authenticator app; it counts once it is confirmed with a code.
#[derive(Clone, Serialize, ToSchema)]
pub struct TotpBegun {
    /// The secret, for typing (base32).
    pub secret: String,
    /// The address that the QR code holds.
    pub address: String,
    /// The QR code as SVG.
    pub qr_svg: String,
}

/// A code that proves an authenticator app.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpCode {
    /// Six digits.
    pub code: String,
}

/// Recovery codes, shown this once.
#[derive(Clone, Serialize, ToSchema)]
pub struct Codes {
    /// Each works once. None when the ones that were shown before go on working.
    pub recovery_codes: Option<Vec<String>>,
}

/// A new passkey.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasskey {
    /// A name to know it by.
    pub name: String,
    /// As the begin gave it.
    pub ceremony: String,
    /// What `navigator.credentials.create` answered, as JSON.
    #[schema(value_type = Object)]
    pub credential: Value,
}

/// Another name for a passkey.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyName {
    /// 1 to 60 characters.
    pub name: String,
}

macro_rules! silent {
    ($($secret:ident)+) => {
        $(impl std::fmt::Debug for $secret {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($secret), "(..)"))
            }
        })+
    };
}
silent!(PasskeyAnswer SecondRequest SecondToken PasskeyLogin Challenge StepUpRequest TotpBegun TotpCode Codes NewPasskey);
