//! The nouns: mails by what they are about, notices by their kind.

use protocol::id::PersonId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a mail is about, with what its words need. Links are whole, made from `app.public_url()`. A link is a secret:
/// it is sealed while the mail waits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are what they are called")]
pub enum Template {
    /// Somebody registered: is the address theirs?
    ConfirmEmail { link: String, good_for_minutes: u32 },
    /// Somebody registered with an address that has a sign-in already.
    AlreadyKnown { link: String },
    /// Somebody is asked to join a tenant.
    Invitation { tenant: String, invited_by: String, role: String, link: String, good_for_minutes: u32 },
    /// Somebody forgot their password.
    PasswordReset { link: String, good_for_minutes: u32 },
    /// A password was changed. `address`: from where.
    PasswordChanged { address: String, link: String },
    /// A way to sign in was added or removed, such as "The passkey “Laptop” was added".
    SignInMethod { what: String, address: String, link: String },
    /// Somebody wants this address to be their e-mail from now on: is it theirs?
    NewEmail { link: String, good_for_minutes: u32 },
    /// To the old address: the e-mail is about to be another one. The link stops it.
    EmailChanging { to: String, address: String, link: String, good_for_minutes: u32 },
    /// To the old address and the new one: the e-mail is another one now.
    EmailChanged { to: String, address: String, link: String },
    /// The platform took a tenant in.
    TenantApproved { tenant: String, link: String },
    /// The platform did not.
    TenantRefused { tenant: String, reason: String },
    /// A tenant is suspended: people read, shops go on selling.
    TenantSuspended { tenant: String, reason: String },
    /// It is no longer.
    TenantResumed { tenant: String, link: String },
    /// Somebody of the platform asks to look at a tenant's pages.
    ImpersonationAsked { tenant: String, operator: String, reason: String, minutes: u32, link: String },
    /// The second factor of a person was reset by somebody else.
    MfaReset { tenant: String, by: String, link: String },
    /// A notice, for those who want its kind by mail.
    Notice { tenant: String, title: String, body: String, link: String },
}

/// Names only which: what is in it is a secret.
impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Template")
    }
}

/// To whom a mail goes, and who is told in the app if it cannot be delivered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct To {
    pub(super) whom: Whom,
    pub(super) told: Option<PersonId>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Whom {
    Address(String),
    Person(PersonId),
}

impl To {
    /// An address: somebody who is not yet a person here, or an address that is about to change.
    pub fn address(address: impl Into<String>) -> Self {
        Self { whom: Whom::Address(address.into()), told: None }
    }

    /// A person, at the address they have when the mail goes. A failure is told to them in the app.
    pub const fn person(person: PersonId) -> Self {
        Self { whom: Whom::Person(person), told: Some(person) }
    }

    /// A failure is told to this member of the tenant, such as the one who invited.
    #[must_use]
    pub const fn or_tell(mut self, person: PersonId) -> Self {
        self.told = Some(person);
        self
    }
}

impl std::fmt::Debug for To {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("To")
    }
}

/// What a notice is about; a person chooses for each kind whether it comes by mail too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NoticeKind)]
pub enum Kind {
    /// Their own sign-in: always by mail too.
    Security,
    /// Members, roles, invitations.
    People,
    /// How the tenant stands with the platform; somebody of the platform wants to look in.
    Tenant,
    /// Mail that could not be delivered.
    Delivery,
    /// The shops: nodes, records, prices.
    Shops,
}

impl Kind {
    /// All, in the order of the page.
    pub const ALL: [Self; 5] = [Self::Security, Self::Tenant, Self::People, Self::Shops, Self::Delivery];

    /// Its name, as the database and the API have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::People => "people",
            Self::Tenant => "tenant",
            Self::Delivery => "delivery",
            Self::Shops => "shops",
        }
    }

    /// By its name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As a person reads it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Security => "Your sign-in",
            Self::People => "People and roles",
            Self::Tenant => "Your company and Tillway",
            Self::Delivery => "Mail that could not be delivered",
            Self::Shops => "Shops and boxes",
        }
    }

    /// Whether it comes by mail while nothing was chosen.
    pub const fn mailed_by_default(self) -> bool {
        match self {
            Self::Security | Self::Tenant => true,
            Self::People | Self::Delivery | Self::Shops => false,
        }
    }

    /// Whether the person may choose: what protects their account is not theirs to silence, since a thief would.
    pub const fn may_choose(self) -> bool {
        match self {
            Self::Security => false,
            Self::People | Self::Tenant | Self::Delivery | Self::Shops => true,
        }
    }
}

/// Something to tell a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub kind: Kind,
    /// In a few words.
    pub title: String,
    /// In a sentence or two.
    pub body: String,
    /// Where to look: a path of our pages, such as `/people`.
    pub href: Option<String>,
}

impl Notice {
    /// A notice that leads nowhere.
    pub fn new(kind: Kind, title: impl Into<String>, body: impl Into<String>) -> Self {
        Self { kind, title: title.into(), body: body.into(), href: None }
    }

    /// Where to look.
    #[must_use]
    pub fn at(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }
}

/// A notice as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Told {
    /// Its id.
    pub id: Uuid,
    /// What it is about.
    pub kind: Kind,
    /// In a few words.
    pub title: String,
    /// In a sentence or two.
    pub body: String,
    /// Where to look: a path of head office's pages.
    pub href: Option<String>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub made_at: OffsetDateTime,
    /// When it was read, if it was.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub read_at: Option<OffsetDateTime>,
}

/// Whether a kind comes by mail too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Choice {
    /// Which.
    pub kind: Kind,
    /// Whether it does.
    pub by_mail: bool,
    /// Whether that can be changed.
    pub may_choose: bool,
}

/// Which kinds shall come by mail too; what is not named stays as it is. What protects a sign-in always comes by mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NotificationPreferences)]
pub struct Chosen {
    /// Members, roles, invitations.
    pub people: Option<bool>,
    /// How the tenant stands with the platform; somebody of the platform wants to look in.
    pub tenant: Option<bool>,
    /// Mail that could not be delivered.
    pub delivery: Option<bool>,
    /// The shops: nodes, records, prices.
    pub shops: Option<bool>,
}

impl Chosen {
    /// Kind by kind.
    pub fn all(&self) -> impl Iterator<Item = (Kind, bool)> {
        let Self { people, tenant, delivery, shops } = *self;
        let all = [(Kind::People, people), (Kind::Tenant, tenant), (Kind::Delivery, delivery), (Kind::Shops, shops)];
        all.into_iter().filter_map(|(kind, by_mail)| by_mail.map(|by_mail| (kind, by_mail)))
    }
}
