//! Roles and who holds them, as the API shows them and as they are asked for.

use protocol::id::{PersonId, ShopId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::policy::{BuiltIn, Permission};

/// Which role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One that every tenant has.
    BuiltIn(BuiltIn),
    /// One of the tenant's own.
    Own(Uuid),
}

impl Role {
    /// Reads the id of a role: the name of a built-in one, or the UUID of the tenant's own.
    pub fn of_id(id: &str) -> Option<Self> {
        BuiltIn::of_name(id).map(Self::BuiltIn).or_else(|| id.parse().ok().map(Self::Own))
    }
}

/// Where a role is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// In the whole company.
    Tenant,
    /// In a region.
    Region(Uuid),
    /// In one shop.
    Shop(ShopId),
}

/// A role for somebody, somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Who.
    pub person: PersonId,
    /// Which.
    pub role: Role,
    /// Where.
    pub at: At,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RoleView {
    /// The name of a built-in role, or the id of one of the company's own.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether every company has it and nobody can change it.
    pub built_in: bool,
    /// Whether who holds it must have a second factor.
    pub wants_mfa: bool,
    /// Whether it may be given for some shops only.
    pub by_shop: bool,
    /// What it allows, by name.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<Permission>,
    /// How many people hold it.
    pub holders: i64,
    /// Rises with every change; the ETag.
    pub version: i64,
}

/// A role of the company's own, as it should be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleBody {
    /// Its name, 1 to 100 characters, unlike any other.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it is for, up to 500 characters.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub description: String,
    /// Whether who holds it must have a second factor.
    #[serde(default)]
    pub wants_mfa: bool,
    /// What it allows, by name: see `/v1/module-registry`.
    #[schema(value_type = Vec<String>, max_items = 64)]
    pub permissions: Vec<Permission>,
}

/// A role for somebody, as it is asked for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAssignment {
    /// Who: a member of the company.
    pub person_id: Uuid,
    /// Which role and where.
    #[serde(flatten)]
    pub wanted: Wanted,
}

/// Which role, and where it should be good: for the whole company unless a region or a shop is named.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
pub struct Wanted {
    /// The name of a built-in role, or the id of one of the company's own.
    #[schema(min_length = 1, max_length = 100)]
    pub role: String,
    /// Only in this region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_id: Option<Uuid>,
    /// Only in this shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shop_id: Option<Uuid>,
}

/// A role that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AssignmentView {
    /// Names the assignment.
    pub id: Uuid,
    /// Who.
    pub person_id: Uuid,
    /// The name of a built-in role, or the id of one of the company's own.
    pub role: String,
    /// Its name for people.
    pub role_name: String,
    /// Only in this region.
    pub region_id: Option<Uuid>,
    /// The region's name.
    pub region_name: Option<String>,
    /// Only in this shop.
    pub shop_id: Option<Uuid>,
    /// The shop's name.
    pub shop_name: Option<String>,
    /// When it was given.
    #[serde(with = "time::serde::rfc3339")]
    pub given_at: OffsetDateTime,
}

/// A grant that bears on a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Because {
    /// The role's name.
    pub role: String,
    /// `tenant`, `region` or `shop`.
    pub reach: &'static str,
    /// The region or shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach_id: Option<Uuid>,
}

/// How a decision comes about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Explained {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The permission.
    #[schema(value_type = String)]
    pub permission: Permission,
    /// What it allows.
    pub describes: &'static str,
    /// The roles that allow it, or would if nothing else stood in the way.
    pub because: Vec<Because>,
    /// `no_role`, `only_for_shops`, `other_shops` or `module_off`, if it is not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lack: Option<&'static str>,
    /// In words.
    pub says: String,
}

/// A permission that somebody holds, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Held {
    /// The permission.
    #[schema(value_type = String)]
    pub permission: Permission,
    /// The shops it is good for; none: everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Uuid>>)]
    pub shops: Option<Vec<ShopId>>,
}

/// Whose roles.
#[derive(Debug, Deserialize, IntoParams)]
pub struct HeldQuery {
    /// Only this person's.
    pub person_id: Option<Uuid>,
}

/// What is to be explained.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ExplainQuery {
    /// Who.
    pub person_id: Uuid,
    /// May they do this? A name such as `shops.write`.
    #[param(max_length = 100)]
    pub permission: String,
    /// In this shop; anywhere if it is left out.
    pub shop_id: Option<Uuid>,
}
