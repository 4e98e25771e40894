//! A provider of single sign-on as it is asked for and answered. The client secret goes in and never comes out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A text that must not be shown.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

/// A provider to be added.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProvider {
    /// What its button says.
    #[schema(example = "Bakers' account", max_length = 60)]
    pub label: String,
    /// The issuer, exactly as its discovery document spells it. It cannot be changed later: add another provider.
    #[schema(example = "https://login.bakers.example", max_length = 512)]
    pub issuer: String,
    /// Our name at the provider.
    #[schema(example = "tillway", max_length = 255)]
    pub client_id: String,
    /// Our secret there. Kept sealed; never answered.
    #[schema(value_type = String, max_length = 1024)]
    pub client_secret: Hidden,
    /// The e-mail domains of its people: whoever gives such an e-mail is offered this provider, and newcomers must have
    /// one.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub domains: Vec<String>,
    /// The built-in role of somebody who comes for the first time; without it nobody comes in unasked.
    #[serde(default)]
    #[schema(example = "cashier")]
    pub newcomer_role: Option<String>,
    /// Whether it can be used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether members sign in here only. Owners with a second factor can still use their password.
    #[serde(default)]
    pub enforced: bool,
}

const fn yes() -> bool {
    true
}

/// What changes about a provider; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderPatch {
    /// What its button says.
    #[serde(default)]
    #[schema(max_length = 60)]
    pub label: Option<String>,
    /// Our name at the provider.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub client_id: Option<String>,
    /// Our secret there.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    pub client_secret: Option<Hidden>,
    /// Its e-mail domains.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub domains: Option<Vec<String>>,
    /// The role of newcomers; the empty text: nobody comes in unasked.
    #[serde(default)]
    pub newcomer_role: Option<String>,
    /// Whether it can be used.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Whether members sign in here only.
    #[serde(default)]
    pub enforced: Option<bool>,
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Provider {
    /// Its id.
    pub id: Uuid,
    /// What its button says.
    pub label: String,
    /// The issuer.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Its e-mail domains.
    pub domains: Vec<String>,
    /// The role of newcomers, if any come in.
    pub newcomer_role: Option<String>,
    /// Whether it can be used.
    pub enabled: bool,
    /// Whether members sign in here only.
    pub enforced: bool,
    /// People who are linked to it.
    pub people: i64,
    /// Rises with every change; send it as `If-Match`.
    pub version: u64,
}

/// What came of asking a provider for its discovery document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tested {
    /// Whether it can be used for a sign-in.
    pub ok: bool,
    /// What was found, or what is wrong, in words.
    pub message: String,
    /// Where people sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// What it must be told: where it sends people back to.
    pub redirect_uri: String,
    /// What it signs with, of what is accepted here.
    pub algorithms: Vec<String>,
}

/// A provider as somebody sees it who is not signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Whose people it is for.
    pub tenant: Uuid,
    /// The tenant's name.
    pub tenant_name: String,
    /// The provider.
    pub provider: Uuid,
    /// What its button says.
    pub label: String,
    /// The host that the browser will be sent to.
    pub host: String,
}

/// A provider of the company, and whether somebody is linked to an account there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The provider.
    pub id: Uuid,
    /// What its button says.
    pub label: String,
    /// The host that the browser will be sent to.
    pub host: String,
    /// Whether they are linked.
    pub linked: bool,
}
