//! A registration as it is asked for and answered.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// How far a registration has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RegistrationState)]
pub enum Stage {
    /// The mail was not answered yet.
    Unconfirmed,
    /// An operator has to look.
    Waiting,
    /// The company is there.
    Approved,
    /// It will not be.
    Refused,
}

impl Stage {
    /// Its name, as the database has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Refused => "refused",
        }
    }

    /// By its name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Unconfirmed, Self::Waiting, Self::Approved, Self::Refused].into_iter().find(|stage| stage.name() == name)
    }
}

/// The first shop, where somebody knows it already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstShop {
    /// Its name, as on the receipt.
    #[schema(example = "High Street")]
    pub name: String,
    /// IANA time zone.
    #[schema(example = "Europe/London")]
    pub timezone: String,
    /// ISO 4217.
    #[schema(example = "GBP")]
    pub currency: String,
}

/// A company that somebody wants, by a stranger.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRegistration {
    /// The company's name.
    #[schema(max_length = 200)]
    pub company: String,
    /// Where the mail goes that proves the address.
    #[schema(example = "owner@example.com")]
    pub email: String,
    /// The person's name.
    #[serde(default)]
    #[schema(max_length = 120)]
    pub name: String,
    /// The password to sign in with, once approved.
    pub password: String,
    /// ISO 3166, two capitals.
    #[schema(example = "GB")]
    pub country: Option<String>,
    /// The first shop.
    pub shop: Option<FirstShop>,
    /// That the terms were read and are accepted.
    pub accept_terms: bool,
}

impl std::fmt::Debug for NewRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewRegistration").field("company", &self.company).finish_non_exhaustive()
    }
}

/// Another company of somebody who is signed in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnotherCompany {
    /// The company's name.
    #[schema(max_length = 200)]
    pub company: String,
    /// ISO 3166, two capitals.
    pub country: Option<String>,
    /// The first shop.
    pub shop: Option<FirstShop>,
    /// That the terms were read and are accepted.
    pub accept_terms: bool,
}

/// What everybody hears who registers: whether the address is known is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LookIntoMail {
    /// What to do now.
    pub message: &'static str,
}

/// The link of the mail, and the password that was chosen: whoever only has the mail did not register.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// What stands in the link behind `token=`.
    pub token: String,
    /// The password that was chosen.
    pub password: String,
}

impl std::fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Confirmation")
    }
}

/// Asks for another link.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resend {
    /// The address that was registered with.
    pub email: String,
}

/// A registration as whoever made it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Mine {
    /// Its id.
    pub id: Uuid,
    /// The company.
    pub company: String,
    /// How far it has come.
    pub state: Stage,
}

/// A registration as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RegistrationSeen)]
pub struct Registration {
    /// Its id.
    pub id: Uuid,
    /// How far it has come.
    pub state: Stage,
    /// The company.
    pub company: String,
    /// Who asks.
    pub email: String,
    /// Their name.
    pub person_name: String,
    /// Whether they were signed in when they asked: a person who has a company here already.
    pub known: bool,
    /// ISO 3166.
    pub country: Option<String>,
    /// The first shop.
    pub shop: Option<FirstShop>,
    /// When it was asked.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub made_at: OffsetDateTime,
    /// When the address was proved.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub confirmed_at: Option<OffsetDateTime>,
    /// When it was decided.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<OffsetDateTime>,
    /// Why it was refused.
    pub reason: Option<String>,
    /// The tenant that came of it.
    pub tenant_id: Option<Uuid>,
}
