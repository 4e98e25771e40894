//! What operators ask and see.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::modules::types::Switches;
use crate::domain::tenants::registrations::types::Stage;
use crate::domain::tenants::types::{Census, State};

/// A company as an operator sees it: how it stands, and counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TenantSeen {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// How its account stands.
    pub state: State,
    /// Why it is suspended.
    pub suspended_reason: Option<String>,
    /// When it will be closed.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closes_at: Option<OffsetDateTime>,
    /// Since when it is here.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// What it has, in figures.
    pub counts: Census,
}

/// One company, with what was switched for it and who visited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TenantDetail {
    /// The company.
    #[serde(flatten)]
    pub tenant: TenantSeen,
    /// Modules and features.
    pub switches: Switches,
    /// Visits of operators, newest first.
    pub visits: Vec<Visit>,
    /// What operators did to it, newest first.
    pub done: Vec<Deed>,
}

/// Something that was done to a company by an operator, or by the platform itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Deed {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    /// Which operator; none when head office did it by itself.
    pub actor: Option<Uuid>,
    /// What, such as `company.suspended`.
    pub action: String,
    /// With what.
    #[schema(value_type = Object)]
    pub diff: serde_json::Value,
}

/// Which companies.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct TenantsAsked {
    /// Whose name contains this, or whose id it is.
    #[param(max_length = 200, required = false)]
    pub q: String,
    /// In this state.
    #[param(inline, required = false)]
    pub state: Option<State>,
}

/// Which registrations.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct RegistrationsAsked {
    /// That have come so far.
    #[param(inline, required = false)]
    pub state: Option<Stage>,
}

/// Why.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In a sentence that the company will read.
    #[schema(max_length = 500)]
    pub reason: String,
}

/// Switches a module of one company.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchModule {
    /// Which module.
    #[schema(example = "analytics")]
    pub module: String,
    /// Whether the company has it; none: as everybody.
    pub enabled: Option<bool>,
}

/// Switches a feature of one company.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchFeature {
    /// Which feature.
    pub feature: String,
    /// Whether the company has it; none: as everybody.
    pub enabled: Option<bool>,
}

/// A module of the registry, for everybody.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetModule {
    /// Which module.
    #[schema(example = "analytics")]
    pub module: String,
    /// Whether it is to be had at all.
    pub available: bool,
    /// Whether a company has it unless it was switched for that company.
    pub by_default: bool,
}

/// A feature of the registry, made or changed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetFeature {
    /// Its name, such as `analytics.forecast`.
    #[schema(example = "analytics.forecast")]
    pub feature: String,
    /// The module that it is a part of.
    pub module: String,
    /// What it is.
    #[schema(max_length = 500)]
    pub description: String,
    /// Whether a company has it unless it was switched for that company.
    pub by_default: bool,
}

/// How a visit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VisitState {
    /// The company has not answered.
    Asked,
    /// The company said no.
    Refused,
    /// The company did not answer within a day.
    Lapsed,
    /// The operator may look in.
    Open,
    /// It is over.
    Ended,
}

impl VisitState {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Refused => "refused",
            Self::Lapsed => "lapsed",
            Self::Open => "open",
            Self::Ended => "ended",
        }
    }
}

/// An operator's visit of a company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Visit {
    /// Its id.
    pub id: Uuid,
    /// Who asked.
    pub operator_email: String,
    /// Why.
    pub reason: String,
    /// Whether they may also change things.
    pub writes: bool,
    /// For how long, once it is allowed.
    pub minutes: i16,
    /// How it stands.
    pub state: VisitState,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub asked_at: OffsetDateTime,
    /// When it ends by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<OffsetDateTime>,
    /// Who asked, by id.
    #[serde(skip)]
    pub operator: Uuid,
}

/// Asks to look into a company.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVisit {
    /// Why, in a sentence that the company will read.
    #[schema(max_length = 500)]
    pub reason: String,
    /// For how many minutes, 5 to 60.
    #[schema(minimum = 5, maximum = 60)]
    pub minutes: i16,
    /// Whether also to change things; read-only otherwise.
    #[serde(default)]
    pub writes: bool,
}

/// Which jobs.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct JobsAsked {
    /// In this state.
    #[param(inline, required = false)]
    pub state: Option<crate::jobs::State>,
    /// Of this kind.
    #[param(max_length = 64, required = false)]
    pub kind: String,
    /// Of this company.
    #[param(required = false)]
    pub tenant: Option<Uuid>,
}

/// Whose job.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobOf {
    /// The company; none: the platform's own.
    #[serde(default)]
    pub tenant_id: Option<Uuid>,
}

/// What came of a word about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobTold {
    /// Which.
    pub id: Uuid,
}

/// A mail that was kept instead of sent, without what is in it: links are as good as passwords.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeptMail {
    /// Its id, as its file is called.
    pub id: Uuid,
    /// The host it goes to; who there is left out.
    pub to_host: String,
    /// Which kind of mail.
    pub subject: String,
}
