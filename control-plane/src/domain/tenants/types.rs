//! A company as it is asked for and answered.

use protocol::id::{PersonId, TenantId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A tenant that was just made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTenant {
    /// The tenant.
    pub tenant: TenantId,
    /// Its owner.
    pub owner: PersonId,
}

/// How a company's account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CompanyState)]
pub enum State {
    /// As it should.
    Active,
    /// People look and change nothing; shops go on selling.
    Suspended,
    /// It will be closed at a stated time, unless somebody undoes it.
    Closing,
    /// Nobody gets in any more; boxes neither.
    Closed,
}

impl State {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    /// By its name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Closing, Self::Closed].into_iter().find(|state| state.name() == name)
    }
}

/// The account behind a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The company's name.
    pub name: String,
    /// Since when it is here.
    pub created_at: OffsetDateTime,
    /// Since when it is suspended.
    pub suspended_at: Option<OffsetDateTime>,
    /// Why.
    pub suspended_reason: Option<String>,
    /// When it will be closed.
    pub closes_at: Option<OffsetDateTime>,
    /// Since when it is closed.
    pub closed_at: Option<OffsetDateTime>,
}

impl Account {
    /// The state that weighs most.
    pub const fn state(&self) -> State {
        match (self.closed_at, self.closes_at, self.suspended_at) {
            (Some(_), _, _) => State::Closed,
            (None, _, Some(_)) => State::Suspended,
            (None, Some(_), None) => State::Closing,
            (None, None, None) => State::Active,
        }
    }
}

/// The company, as its people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Company {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// What stands above its pages; its name if it says nothing.
    pub display_name: Option<String>,
    /// The colour of its mark, such as `#0f766e`.
    pub accent: Option<String>,
    /// How dates and figures are written, such as `en-GB`.
    pub locale: String,
    /// Whether it has a logo.
    pub logo: bool,
    /// How its account stands.
    pub state: State,
    /// Why it is suspended.
    pub suspended_reason: Option<String>,
    /// When it will be closed.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closes_at: Option<OffsetDateTime>,
    /// Rises with every change of the settings.
    pub version: i64,
}

/// What may change about a company; what is absent stays, and an empty text takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompanyPatch {
    /// Its name.
    #[schema(max_length = 200)]
    pub name: Option<String>,
    /// What stands above its pages.
    #[schema(max_length = 60)]
    pub display_name: Option<String>,
    /// The colour of its mark.
    #[schema(example = "#0f766e")]
    pub accent: Option<String>,
    /// How dates and figures are written.
    #[schema(example = "en-GB")]
    pub locale: Option<String>,
}

/// Closing the account: wants the name typed, so that nobody closes the wrong one.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseCompany {
    /// The company's name as it stands in its settings.
    pub name: String,
}

/// What stands around the company's pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Face {
    /// What stands above the pages, where it is not the name.
    pub display_name: Option<String>,
    /// Whether there is a style sheet of the company's own.
    pub branded: bool,
    /// Whether there is a logo.
    pub logo: bool,
    /// That the account is suspended or will be closed, and whom to ask.
    pub note: Option<String>,
}

/// What a company has so far: counts and times, nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Census {
    /// Shops.
    pub shops: i64,
    /// Boxes that are in.
    pub nodes: i64,
    /// People.
    pub people: i64,
    /// Products, up to ten thousand.
    pub products: i64,
    /// Claims that wait for a box.
    pub claims: i64,
    /// When a box or a person was last heard of.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_active_at: Option<OffsetDateTime>,
}

/// A step towards the first sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = GettingStarted)]
pub struct Step {
    /// Which: `shop`, `box`, `products`, `people`.
    pub name: &'static str,
    /// What to do.
    pub title: &'static str,
    /// What it is good for.
    pub why: &'static str,
    /// Where.
    pub href: &'static str,
    /// Whether it is done, by what is there.
    pub done: bool,
}
