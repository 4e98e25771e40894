//! The registry as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::policy::{Breadth, Level, Permission, Weight};

/// A permission, described.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PermissionView {
    /// Its name, which roles keep.
    #[schema(value_type = String)]
    pub name: Permission,
    /// What it allows.
    pub describes: &'static str,
    /// Looking or changing.
    pub level: Level,
    /// What it costs in the wrong hands.
    pub weight: Weight,
    /// What it means for somebody who holds it for some shops only.
    pub breadth: Breadth,
}

/// A feature: a switch within a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FeatureView {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whether a company has it unless it was switched for that company.
    pub by_default: bool,
}

/// A module with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModuleView {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Whether every company has it.
    pub core: bool,
    /// Whether it is to be had at all.
    pub available: bool,
    /// Whether a company has it unless it was switched for that company.
    pub by_default: bool,
    /// Its features.
    pub features: Vec<FeatureView>,
    /// Its permissions.
    pub permissions: Vec<PermissionView>,
}

/// A module or feature, and whether the company has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Switch {
    /// Its name.
    pub name: String,
    /// Whether the company has it.
    pub enabled: bool,
    /// Whether that was decided for this company, or is what everybody has.
    pub chosen: bool,
}

/// What the company has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Switches {
    /// Modules.
    pub modules: Vec<Switch>,
    /// Features.
    pub features: Vec<Switch>,
}

/// What is switched for a company.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A module, by its name.
    Module(&'a str),
    /// A feature, by its name.
    Feature(&'a str),
}

/// A feature as it is made or changed for everybody.
#[derive(Clone, Copy, Debug)]
pub struct NewFeature<'a> {
    /// Its name.
    pub name: &'a str,
    /// The module that it is a part of.
    pub module: &'a str,
    /// What it is.
    pub description: &'a str,
    /// Whether a company has it unless it was switched for that company.
    pub by_default: bool,
}
