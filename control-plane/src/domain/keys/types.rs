//! Keys as the API shows them and as they are asked for.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::rules::USUAL_DAYS;
use crate::auth::policy::Permission;

/// A key to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is for, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "Bookkeeping import")]
    pub name: String,
    /// What it may, by name: nothing sensitive, and nothing that its maker may not.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 64)]
    pub permissions: Vec<Permission>,
    /// The shops it is good for; without, the whole company.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 500)]
    pub shop_ids: Option<Vec<Uuid>>,
    /// Days until it ends, 1 to 365; 90 without.
    #[serde(default = "usual")]
    #[schema(minimum = 1, maximum = 365)]
    pub days: u16,
}

const fn usual() -> u16 {
    USUAL_DAYS
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Key {
    /// Names it.
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// Who made it: it acts for them and ends with their membership.
    pub made_by: Uuid,
    /// What it may, as far as its maker still may.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<Permission>,
    /// The shops it is good for; none: the whole company.
    pub shop_ids: Option<Vec<Uuid>>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub made_at: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
    /// When it was last used, give or take five minutes.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<OffsetDateTime>,
    /// Whether its time is over.
    pub expired: bool,
}

/// A key that was just made, with its secret, this once.
#[derive(Clone, Serialize, ToSchema)]
pub struct KeyMade {
    /// The key.
    #[serde(flatten)]
    pub key: Key,
    /// Send it as `Authorization: Bearer ...`. It is shown this once: a repetition of the request does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl std::fmt::Debug for KeyMade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyMade").field("key", &self.key).finish_non_exhaustive()
    }
}
