//! Why a single sign-on did not come to its end: a name for the records, a sentence for the person, and never what the
//! provider or our own checks said inside. Knows no HTTP of ours and no tables.

use crate::db::DbError;
use crate::http::ApiError;
use crate::outbound::OutboundError;

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its address does not lead to a public server, or is no https.
    Address,
    /// No answer, or not in time.
    Down,
    /// An answer that nobody should read to its end.
    TooLarge,
    /// It sends our own requests elsewhere.
    Redirected,
    /// What it says of itself does not fit.
    Metadata,
    /// It says that it is another issuer.
    OtherIssuer,
    /// The person, or the provider, said no.
    Denied,
    /// It sent an error.
    Told,
    /// The state is unknown, used or too old.
    Stale,
    /// Another browser began this sign-in.
    OtherBrowser,
    /// The answer names another issuer than the one that was asked (RFC 9207), or none where it must.
    MixUp,
    /// It did not exchange the code.
    Code,
    /// It sent no identity token, or none that can be read.
    NoToken,
    /// The token's algorithm is not one that is accepted.
    Algorithm,
    /// The token's signature does not verify.
    Signature,
    /// The token is of another issuer.
    Issuer,
    /// The token is for somebody else.
    Audience,
    /// The token is of another sign-in.
    Nonce,
    /// The token's time is over, or not yet come.
    Expired,
    /// Nobody here is linked to this account.
    Unknown,
    /// The provider does not vouch for an e-mail of a domain that newcomers may come from.
    Email,
    /// Their membership has ended.
    Ended,
    /// The account is linked to somebody else.
    Taken,
    /// The session in which the linking began is not this one.
    OtherSession,
    /// There is no such provider, or it is switched off.
    Off,
    /// Too many failures in a row; seconds until the next try.
    Blocked(u32),
    /// Our own.
    Ours(ApiError),
}

impl From<OutboundError> for Fault {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::Scheme | OutboundError::Private => Self::Address,
            OutboundError::Unreachable | OutboundError::Slow => Self::Down,
            OutboundError::TooLarge => Self::TooLarge,
            OutboundError::Redirected => Self::Redirected,
        }
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self::Ours(error)
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        Self::Ours(error.into())
    }
}

impl Fault {
    /// Its name in records and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Down => "provider_down",
            Self::TooLarge => "too_large",
            Self::Redirected => "redirected",
            Self::Metadata => "metadata",
            Self::OtherIssuer => "other_issuer",
            Self::Denied => "denied",
            Self::Told => "provider_error",
            Self::Stale => "stale_state",
            Self::OtherBrowser => "other_browser",
            Self::MixUp => "mix_up",
            Self::Code => "code_refused",
            Self::NoToken => "no_token",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Nonce => "nonce",
            Self::Expired => "expired",
            Self::Unknown => "not_linked",
            Self::Email => "email_not_accepted",
            Self::Ended => "membership_ended",
            Self::Taken => "linked_to_another",
            Self::OtherSession => "other_session",
            Self::Off => "switched_off",
            Self::Blocked(_) => "blocked",
            Self::Ours(_) => "internal",
        }
    }

    /// What the person is told.
    pub fn said(&self) -> String {
        let said = match self {
            Self::Address | Self::Metadata | Self::OtherIssuer | Self::Redirected | Self::TooLarge => {
                "The sign-in service of your company is not set up rightly, so nobody was signed in. Tell whoever looks \
                 after Tillway in your company."
            }
            Self::Down => {
                "The sign-in service of your company does not answer right now. Nobody was signed in; try again in a \
                 few minutes."
            }
            Self::Denied => "The sign-in was cancelled, or your company's service did not allow it.",
            Self::Told => "The sign-in service of your company could not sign you in. Try again from the beginning.",
            Self::Stale => "This sign-in is over or was used already. Begin again.",
            Self::OtherBrowser => "This sign-in was begun in another browser. Begin again in this one.",
            Self::MixUp | Self::Issuer => {
                "The answer came from another service than the one that was asked, so nobody was signed in."
            }
            Self::Code
            | Self::NoToken
            | Self::Algorithm
            | Self::Signature
            | Self::Audience
            | Self::Nonce
            | Self::Expired => {
                "The answer of your company's sign-in service could not be trusted, so nobody was signed in. Begin \
                 again; if it happens twice, tell whoever looks after Tillway in your company."
            }
            Self::Unknown => {
                "Nobody here is linked to this account. Ask for an invitation; or, if you have a password here, sign in \
                 with it and link the account under Security."
            }
            Self::Email => {
                "Your company's sign-in service does not confirm an e-mail of your company for you. Ask for an invitation."
            }
            Self::Ended => "You no longer belong to this company.",
            Self::Taken => "This account is linked to somebody else here.",
            Self::OtherSession => "You are signed in as somebody else now. Begin the linking again.",
            Self::Off => "This way of signing in is not there any more.",
            Self::Blocked(seconds) => {
                let minutes = seconds.div_ceil(60);
                return format!(
                    "Three tries in a row went wrong, so this way in is shut for {minutes} min. Nothing else is."
                );
            }
            Self::Ours(error) => return error.message.clone(),
        };
        said.to_owned()
    }

    /// What whoever sets a provider up is told.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Address => "The issuer, or an address that it names, does not lead to a public server over https.",
            Self::Down => "The provider does not answer, or not in time. Is the issuer spelt rightly?",
            Self::TooLarge => "The provider's answer is far too large for a discovery document.",
            Self::Redirected => {
                "The provider answers with a redirect. Give the issuer as the provider itself spells it."
            }
            Self::OtherIssuer => "The discovery document is of another issuer. Both must be the same to the letter.",
            Self::Algorithm => {
                "The provider signs with none of the algorithms that are accepted, such as RS256 or ES256."
            }
            Self::Metadata
            | Self::Denied
            | Self::Told
            | Self::Stale
            | Self::OtherBrowser
            | Self::MixUp
            | Self::Code
            | Self::NoToken
            | Self::Signature
            | Self::Issuer
            | Self::Audience
            | Self::Nonce
            | Self::Expired
            | Self::Unknown
            | Self::Email
            | Self::Ended
            | Self::Taken
            | Self::OtherSession
            | Self::Off
            | Self::Blocked(_)
            | Self::Ours(_) => "What the provider answers is no discovery document of OpenID Connect.",
        }
    }

    /// Whether it counts against the browser and its address. What the person decided, or what we did wrong, does not.
    pub const fn counts(&self) -> bool {
        !matches!(self, Self::Denied | Self::Off | Self::Blocked(_) | Self::Ours(_) | Self::Stale | Self::OtherBrowser)
    }
}
