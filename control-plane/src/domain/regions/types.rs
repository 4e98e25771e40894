//! Regions as the API shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Shops that one region may have.
pub const SHOPS: usize = 10_000;

/// A region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Region {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its shops.
    pub shop_ids: Vec<Uuid>,
    /// Rises with every change; the ETag.
    pub version: i64,
}

/// A region as it should be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionBody {
    /// Its name, 1 to 200 characters, unlike any other region's.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// All its shops. A shop is in one region at most: one that is in another moves here.
    #[serde(default)]
    #[schema(max_items = 10000)]
    pub shop_ids: Vec<Uuid>,
}
