//! Decisions of single sign-on: what a provider may be, what stands in a state, how many failures are too many, what a
//! provider's word about a second factor is worth. Pure.

use protocol::id::TenantId;
use url::Url;
use uuid::Uuid;

use super::types::NewProvider;
use crate::rng::{hex, unhex};

/// Providers of one tenant.
pub const PROVIDERS: usize = 10;
/// Domains of one provider.
pub const DOMAINS: usize = 20;
/// Sign-ins of one tenant that are under way at once.
pub const FLOWS: i64 = 5_000;
/// The same of one network: an office of many who begin their day at once.
pub const FLOWS_OF_NETWORK: i64 = 300;
/// How long somebody may be away at the provider, in milliseconds.
pub const FLOW_MILLIS: i64 = 10 * 60 * 1_000;
/// Failures are counted within this, in milliseconds, and after too many of them it is as long until the next try.
pub const WINDOW_MILLIS: i64 = 15 * 60 * 1_000;
/// Failures in a row of one browser.
pub const BROWSER_FAILURES: i32 = 3;
/// Failures in a row of one address: an office behind one address has several browsers, and one that forgets its cookies
/// to begin again is stopped here.
pub const ADDRESS_FAILURES: i32 = 9;
/// How far the clocks of a provider and of head office may be apart, in milliseconds.
pub const SKEW_MILLIS: i64 = 60 * 1_000;
/// How long ago somebody may have signed in at the provider, in milliseconds: as long as a page session lasts unused. The
/// provider is asked for it, and what it answers is checked.
pub const SIGNED_IN_MILLIS: i64 = 12 * 3_600 * 1_000;
/// Oldest identity token that is taken, by its time of issue: it was asked for a moment ago.
pub const TOKEN_MILLIS: i64 = 10 * 60 * 1_000;

/// A setting that will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSetting {
    /// Which.
    pub field: &'static str,
    /// Why.
    pub why: String,
}

fn bad(field: &'static str, why: impl Into<String>) -> BadSetting {
    BadSetting { field, why: why.into() }
}

fn line(field: &'static str, text: &str, longest: usize) -> Result<(), BadSetting> {
    let fits = (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(bad(field, format!("takes 1 to {longest} characters on one line"))) }
}

/// Puts the settings into their normal form, or says what is wrong with them.
///
/// # Errors
/// The first setting that will not do.
pub fn checked(mut new: NewProvider) -> Result<NewProvider, BadSetting> {
    new.label = new.label.trim().to_owned();
    new.issuer = new.issuer.trim().to_owned();
    new.client_id = new.client_id.trim().to_owned();
    line("label", &new.label, 60)?;
    line("client_id", &new.client_id, 255)?;
    line("client_secret", &new.client_secret.0, 1_024)?;
    line("issuer", &new.issuer, 512)?;
    let url =
        Url::parse(&new.issuer).map_err(|_| bad("issuer", "is not an address such as https://login.example.com"))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !["https", "http"].contains(&url.scheme()) || url.host().is_none() || !plain {
        return Err(bad("issuer", "is an https address without a question mark, a name or a # in it"));
    }
    let domains: Option<Vec<String>> = new.domains.iter().map(|domain| domain_of(domain)).collect();
    let mut domains =
        domains.ok_or_else(|| bad("domains", "each is the part of an e-mail after the @, such as example.com"))?;
    domains.sort();
    domains.dedup();
    if domains.len() > DOMAINS {
        return Err(bad("domains", format!("at most {DOMAINS}")));
    }
    new.domains = domains;
    new.newcomer_role = new.newcomer_role.map(|role| role.trim().to_owned()).filter(|role| !role.is_empty());
    if let Some(role) = &new.newcomer_role {
        line("newcomer_role", role, 60)?;
        if new.domains.is_empty() {
            return Err(bad("domains", "name the e-mail domains that newcomers may come from"));
        }
    }
    if new.enforced && !new.enabled {
        return Err(bad("enforced", "a provider that is switched off cannot be the only way in"));
    }
    Ok(new)
}

/// A domain of e-mails in its normal form.
pub fn domain_of(text: &str) -> Option<String> {
    let domain = text.trim().trim_start_matches('@').to_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label)).then_some(domain)
}

/// The domain of an e-mail.
pub fn email_domain(email: &str) -> Option<String> {
    email.rsplit_once('@').and_then(|(_, domain)| domain_of(domain))
}

/// What a provider sends back to us: which tenant's, and a secret that is good once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The tenant, so that the row can be found under its row-level security.
    pub tenant: TenantId,
    secret: [u8; 32],
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl State {
    /// A state of `tenant`.
    pub const fn new(tenant: TenantId, secret: [u8; 32]) -> Self {
        Self { tenant, secret }
    }

    /// Reads what [`State::text`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let (tenant, secret) = text.strip_prefix("tws_")?.split_once('_')?;
        let tenant = TenantId::from_uuid(Uuid::from_bytes(unhex::<16>(tenant)?));
        Some(Self { tenant, secret: unhex::<32>(secret)? })
    }

    /// As it travels.
    pub fn text(&self) -> String {
        format!("tws_{}_{}", hex(self.tenant.as_uuid().as_bytes()), hex(&self.secret))
    }

    /// As we keep it.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.secret).as_bytes()
    }
}

/// What a browser holds while it is away: nobody who only saw the addresses of a sign-in can finish it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Browser([u8; 32]);

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Browser(..)")
    }
}

impl Browser {
    /// A browser with this secret.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Reads a cookie.
    pub fn read(text: &str) -> Option<Self> {
        unhex::<32>(text).map(Self)
    }

    /// As its cookie has it.
    pub fn text(&self) -> String {
        hex(&self.0)
    }

    /// As we keep it.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.0).as_bytes()
    }

    /// What a row of failures calls it.
    pub fn name(&self) -> String {
        format!("browser {}", hex(&self.hash()[..12]))
    }

    /// The nonce of one sign-in.
    pub fn nonce(&self, state: &State) -> String {
        hex(&self.derived("tillway head office 2026 sso nonce", state))
    }

    /// The verifier of PKCE of one sign-in: 64 characters, from a secret that stands in no database and no address.
    pub fn verifier(&self, state: &State) -> String {
        hex(&self.derived("tillway head office 2026 sso pkce verifier", state))
    }

    fn derived(&self, what: &'static str, state: &State) -> [u8; 32] {
        blake3::derive_key(what, &[self.0, state.secret].concat())
    }
}

/// Whether a provider says that a second factor was asked (RFC 8176): `mfa`, or a factor that is one beside a password.
/// A provider that says nothing has asked nothing.
pub fn second_factor(amr: &[String]) -> bool {
    amr.iter().any(|method| ["mfa", "otp", "hwk", "swk", "sc"].contains(&method.as_str()))
}

/// Milliseconds until the next try, when there were too many failures.
pub fn wait(failures: i32, allowed: i32, last: i64, now: i64) -> Option<i64> {
    let left = last.saturating_add(WINDOW_MILLIS).saturating_sub(now);
    (failures >= allowed && left > 0).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sso::types::Hidden;

    fn plain() -> NewProvider {
        NewProvider {
            label: " Bakers ".to_owned(),
            issuer: "https://id.bakers.example/realm ".to_owned(),
            client_id: "tillway".to_owned(),
            client_secret: Hidden("s3cret".to_owned()),
            domains: vec!["@Bakers.Example".to_owned(), "bakers.example".to_owned()],
            newcomer_role: Some(" ".to_owned()),
            enabled: true,
            enforced: false,
        }
    }

    fn field(change: impl FnOnce(&mut NewProvider)) -> Option<&'static str> {
        let mut new = plain();
        change(&mut new);
        checked(new).err().map(|bad| bad.field)
    }

    #[test]
    fn settings_have_a_normal_form_and_the_rest_is_named() {
        let good = checked(plain()).unwrap();
        assert_eq!((good.label.as_str(), good.issuer.as_str()), ("Bakers", "https://id.bakers.example/realm"));
        assert_eq!((good.domains, good.newcomer_role), (vec!["bakers.example".to_owned()], None));
        assert!(!format!("{:?}", plain()).contains("s3cret"));
        assert_eq!(field(|new| new.label = String::new()), Some("label"));
        assert_eq!(field(|new| new.label = "a\nb".to_owned()), Some("label"));
        for issuer in
            ["", "bakers", "ftp://x.example", "https://x.example/?a", "https://x.example/#a", "https://me@x.example"]
        {
            assert_eq!(field(|new| new.issuer = issuer.to_owned()), Some("issuer"), "{issuer}");
        }
        for domain in ["", "localhost", "a b.example", "-a.example", "exämple.com", "a..b"] {
            assert_eq!(field(|new| new.domains = vec![domain.to_owned()]), Some("domains"), "{domain}");
        }
        assert_eq!(field(|new| new.client_secret = Hidden(String::new())), Some("client_secret"));
        assert_eq!(field(|new| new.newcomer_role = Some("cashier".to_owned())), None);
        let anybody = |new: &mut NewProvider| {
            new.newcomer_role = Some("cashier".to_owned());
            new.domains.clear();
        };
        assert_eq!(field(anybody), Some("domains"));
        let locked_out = |new: &mut NewProvider| {
            new.enforced = true;
            new.enabled = false;
        };
        assert_eq!(field(locked_out), Some("enforced"));
    }

    #[test]
    fn a_state_is_read_back_and_every_sign_in_has_its_own_nonce_and_verifier() {
        let tenant = TenantId::from_uuid(Uuid::from_u128(7));
        let (one, two) = (State::new(tenant, [1; 32]), State::new(tenant, [2; 32]));
        assert_eq!(State::read(&one.text()), Some(one));
        for text in ["", "tws_", "tws_00_00", &one.text()[1..], &format!("{}0", one.text())] {
            assert_eq!(State::read(text), None, "{text}");
        }
        let (mine, other) = (Browser::new([3; 32]), Browser::new([4; 32]));
        assert_eq!(Browser::read(&mine.text()), Some(mine));
        let all = [mine.nonce(&one), mine.nonce(&two), other.nonce(&one), mine.verifier(&one), other.verifier(&one)];
        let different: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert!(all.iter().all(|text| text.len() == 64));
        assert!(!format!("{mine:?}{one:?}").contains("0101") && !format!("{mine:?}").contains("0303"));
    }

    #[test]
    fn only_what_is_a_second_factor_counts_as_one() {
        let said = |amr: &[&str]| second_factor(&amr.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert!(said(&["pwd", "mfa"]) && said(&["hwk"]) && said(&["pwd", "otp"]));
        assert!(!said(&[]) && !said(&["pwd"]) && !said(&["MFA "]) && !said(&["sms"]) && !said(&["user"]));
    }

    #[test]
    fn the_third_failure_shuts_the_door_for_a_quarter_of_an_hour() {
        assert_eq!(wait(2, BROWSER_FAILURES, 0, 1), None);
        assert_eq!(wait(3, BROWSER_FAILURES, 0, 1), Some(WINDOW_MILLIS - 1));
        assert_eq!(wait(9, BROWSER_FAILURES, 0, WINDOW_MILLIS), None);
    }
}
