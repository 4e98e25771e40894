//! What the fleet refuses, and how that is said to whom.

use axum::http::StatusCode;
use serde_json::json;

use super::authority::AuthorityError;
use crate::db::DbError;
use crate::http::ApiError;
use crate::http::error::Code;

/// Why a claim code does not open the door. Says nothing of tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRefusal {
    /// No claim has this secret.
    #[error("head office knows no such claim code; check that it belongs to this head office, or ask for a new one")]
    Unknown,
    /// It was used.
    #[error("this claim code was used already; each code enrols one box, ask for a new one")]
    Used,
    /// It is older than a day.
    #[error("this claim code has expired; codes work for 24 hours, ask for a new one")]
    Expired,
}

impl ClaimRefusal {
    /// The name for programs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "claim_unknown",
            Self::Used => "claim_used",
            Self::Expired => "claim_expired",
        }
    }
}

/// What the fleet refuses or cannot do.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The claim does not open the door.
    #[error(transparent)]
    Claim(#[from] ClaimRefusal),
    /// A field of the request breaks a rule.
    #[error("{field}: {message}")]
    Field {
        /// Which.
        field: &'static str,
        /// What would be right.
        message: &'static str,
    },
    /// There is no such shop in this tenant.
    #[error("there is no such shop")]
    NoShop,
    /// The shop has as many unused claims as it may.
    #[error("the shop has {} unused claims; use them or let them expire", protocol::limits::OPEN_CLAIMS)]
    TooManyClaims,
    /// No device CA is registered yet.
    #[error("this head office has no device CA yet; it is made at the first start of `control-plane serve`")]
    NoCa,
    /// The folder holds another CA than the database names.
    #[error(
        "the device CA in {folder} is not the one this database was started with (fingerprint {registered}): \
             copy the CA folder of the first replica, or restore it from the backup"
    )]
    OtherCa {
        /// The CA's folder.
        folder: String,
        /// Fingerprint of the registered one.
        registered: String,
    },
    /// Where the doors are is not known yet: HQ is starting.
    #[error("head office is starting")]
    Starting,
    /// Keys and certificates.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<FleetError> for ApiError {
    fn from(error: FleetError) -> Self {
        let text = error.to_string();
        match error {
            FleetError::Claim(refusal) => {
                let refused = match refusal {
                    ClaimRefusal::Unknown | ClaimRefusal::Expired => Self::authn(text),
                    ClaimRefusal::Used => Self::conflict(text),
                };
                refused.with(json!({ "reason": refusal.name() }))
            }
            FleetError::Field { field, message } => Self::field(field, message),
            FleetError::Authority(AuthorityError::Csr(message)) => {
                Self::malformed(message).with(json!({ "reason": "csr" }))
            }
            FleetError::NoShop => Self::not_found("shop"),
            FleetError::TooManyClaims => Self::conflict(text),
            FleetError::Starting | FleetError::NoCa => Self::unavailable(text),
            FleetError::OtherCa { .. } | FleetError::Authority(_) => Self::internal(text),
            FleetError::Db(error) => error.into(),
        }
    }
}

/// Why a node is not let in, or a plain door does not enrol.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// The certificate does not name a node.
    #[error("the certificate names no node")]
    NotANode,
    /// HQ has no record of this certificate.
    #[error("the certificate is not on record")]
    Unknown,
    /// It was revoked.
    #[error("the certificate was revoked")]
    Revoked,
    /// The node was retired.
    #[error("the node was retired")]
    Retired,
    /// The company's account is closed.
    #[error("the company's account is closed")]
    Closed,
    /// Another box reigns under this name.
    #[error("the certificate is for term {of}; term {current} is in force")]
    OldTerm {
        /// The certificate's.
        of: u32,
        /// The one in force.
        current: u32,
    },
    /// The database; says nothing about the node.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl AdmitError {
    /// The name for close reasons and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotANode => "not_a_node",
            Self::Unknown => "unknown_certificate",
            Self::Revoked => "revoked",
            Self::Retired => "retired",
            Self::Closed => "company_closed",
            Self::OldTerm { .. } => "old_term",
            Self::Db(_) => "database",
        }
    }

    /// Whether the same node may be let in if it tries again later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Db(_))
    }
}

/// Why a checkpoint is not recorded.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It speaks of another term than the session's.
    #[error("the checkpoint is of another term")]
    Term,
    /// The signature is not by the key of the node's certificate.
    #[error("the checkpoint's signature does not match the node's certificate")]
    Signature,
    /// A position that no log has.
    #[error("the checkpoint names a position that no log has")]
    Position,
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The refusal of a door that does not enrol.
pub(super) fn wrong_door() -> ApiError {
    let message = "enrolment over plain HTTP is for this machine only; use the TLS door of head office (https://)";
    ApiError::new(StatusCode::FORBIDDEN, Code::Authz, message).with(json!({ "reason": "plain_door" }))
}
