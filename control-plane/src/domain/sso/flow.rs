//! A single sign-on from the button to the session: away to the provider, and back with an answer that is believed only
//! as far as it was checked. What goes wrong is counted, written down and named to the person, and changes nothing else.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::fault::Fault;
use super::oidc::{self, Client, Proved, Secrets};
use super::rules::{
    self, ADDRESS_FAILURES, BROWSER_FAILURES, Browser, FLOW_MILLIS, FLOWS, FLOWS_OF_NETWORK, State, WINDOW_MILLIS,
};
use super::service::{self, SECRET, bound_to};
use super::store::{self, FlowRow, NewFlow, ProviderRow};
use crate::app::App;
use crate::auth::guard::{Caller, STEP_UP_MILLIS};
use crate::clock::timestamp;
use crate::db::TenantTx;
use crate::domain::audit::Actor;
use crate::domain::audit::service::record;
use crate::domain::identity::by_provider::Proof;
use crate::domain::roles::types::{Assignment, At, Role};
use crate::domain::{identity, roles, tenants};
use crate::http::ApiError;
use crate::http::context::Context;
use crate::http::rate::network;
use crate::rng;

/// What a browser brings back, in the names of the standard.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Back {
    /// Ours.
    #[serde(default)]
    pub state: String,
    /// The provider's.
    #[serde(default)]
    pub code: String,
    /// Or why not.
    #[serde(default)]
    pub error: String,
    /// Who answers (RFC 9207).
    #[serde(default)]
    pub iss: Option<String>,
}

/// What somebody goes away for.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// To link the account to this caller, instead of signing in.
    pub link: Option<&'a Caller>,
    /// To prove themselves again, even if the provider knows them still.
    pub anew: bool,
    /// Where to go on afterwards: a path of ours.
    pub next: &'a str,
}

/// How it ended well.
#[derive(Debug)]
pub enum Done {
    /// Signed in: the text of the session's cookie, and where to go on.
    In {
        /// The cookie.
        key: String,
        /// A path of ours.
        next: String,
    },
    /// The account is linked.
    Linked {
        /// To which provider.
        label: String,
    },
}

/// How it ended badly.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub fault: Fault,
    /// The company, as far as it is known, so that the person can begin again.
    pub tenant: Option<TenantId>,
}

/// A codes's longest length that is looked at, in bytes.
const CODE_BYTES: usize = 4_096;

/// Who fails, in the rows of failures: the browser, and the address that several browsers share.
fn sources(browser: &Browser, context: &Context) -> [(String, i32); 2] {
    [(browser.name(), BROWSER_FAILURES), (format!("address {}", network(context.address())), ADDRESS_FAILURES)]
}

/// One provider of one tenant and who asks, for what all steps share.
struct Trip<'a> {
    app: &'a App,
    context: &'a Context,
    tenant: TenantId,
    provider: Uuid,
    browser: Browser,
    now: Timestamp,
}

impl Trip<'_> {
    /// Refuses while there were too many failures.
    async fn admit(&self, tx: &mut TenantTx) -> Result<(), Fault> {
        for (source, allowed) in sources(&self.browser, self.context) {
            let Some((failures, last)) = store::failures(tx, self.provider, &source).await? else { continue };
            if let Some(left) = rules::wait(failures, allowed, timestamp(last).0, self.now.0) {
                return Err(Fault::Blocked(u32::try_from(left.saturating_add(999) / 1_000).unwrap_or(u32::MAX)));
            }
        }
        Ok(())
    }

    /// Counts a failure and writes it down. What does not count is not written: there would be no end to it.
    async fn failed(&self, fault: &Fault) -> Result<(), Fault> {
        metrics::counter!("tillway_sso_total", "outcome" => fault.name()).increment(1);
        if !fault.counts() {
            tracing::debug!(tenant = %self.tenant, why = fault.name(), "a single sign-on came to nothing");
            return Ok(());
        }
        let mut tx = TenantTx::begin(&self.app.db, self.tenant).await?;
        let mut shut = false;
        let window = self.now.plus_millis(-WINDOW_MILLIS);
        for (source, allowed) in sources(&self.browser, self.context) {
            shut |= store::count_failure(&mut tx, self.provider, &source, self.now, window).await? >= allowed;
        }
        let address = network(self.context.address()).to_string();
        let diff = json!({ "why": fault.name(), "address": address });
        self.note(&mut tx, if shut { "sso.shut" } else { "sso.refused" }, None, diff).await?;
        tx.save().await?;
        Ok(())
    }

    async fn note(
        &self,
        tx: &mut TenantTx,
        action: &'static str,
        who: Option<PersonId>,
        diff: serde_json::Value,
    ) -> Result<(), Fault> {
        let entry = service::entry(action, self.provider).diff(diff);
        record(tx, Actor::door(who, self.context.id()), &entry, self.now).await?;
        Ok(())
    }

    fn secrets(&self, state: &State) -> Secrets {
        Secrets { state: state.text(), nonce: self.browser.nonce(state), verifier: self.browser.verifier(state) }
    }
}

/// Sends somebody away to a provider.
///
/// # Errors
/// [`Fault`]; it is counted and written down.
pub async fn begin(
    app: &App,
    context: &Context,
    (tenant, provider): (TenantId, Uuid),
    browser: Browser,
    Wish { link, anew, next }: Wish<'_>,
) -> Result<Url, Fault> {
    let now = app.clock.now();
    let trip = Trip { app, context, tenant, provider, browser, now };
    let state = State::new(tenant, rng::bytes());
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    let row = store::get(&mut tx, provider).await?.filter(|row| row.enabled).ok_or(Fault::Off)?;
    trip.admit(&mut tx).await?;
    let from = network(context.address()).to_string();
    let (of_network, of_all) = store::prune(&mut tx, &from, now, now.plus_millis(-WINDOW_MILLIS)).await?;
    if of_network >= FLOWS_OF_NETWORK || of_all >= FLOWS {
        return Err(Fault::Ours(ApiError::rate_limit("too many sign-ins of this company are under way", 60)));
    }
    let flow = NewFlow {
        state: state.hash(),
        browser: browser.hash(),
        provider,
        link: link.map(|caller| (caller.person, caller.session)),
        next,
        network: &from,
        now,
        expires: now.plus_millis(FLOW_MILLIS),
    };
    store::insert_flow(&mut tx, &flow).await?;
    tx.save().await?;
    let redirect = service::redirect_uri(app);
    let client = Client { issuer: &row.issuer, id: &row.client_id, secret: "", redirect: &redirect };
    let asked = oidc::Provider::new(&app.outbound, &app.sso, now).authorize(client, trip.secrets(&state), anew).await;
    if let Err(fault) = &asked {
        trip.failed(fault).await?;
    }
    asked
}

/// Somebody comes back. `session` is the page session of this browser, if one stands.
///
/// # Errors
/// [`Failed`]; it is counted and written down where it is known whose it is.
pub async fn finish(
    app: &App,
    context: &Context,
    browser: Option<Browser>,
    session: Option<Caller>,
    back: Back,
) -> Result<Done, Failed> {
    let nowhere = |fault| Failed { fault, tenant: None };
    let state = State::read(&back.state).ok_or_else(|| nowhere(Fault::Stale))?;
    let failed = |fault| Failed { fault, tenant: Some(state.tenant) };
    let now = app.clock.now();
    let mut tx = TenantTx::begin(&app.db, state.tenant).await.map_err(|error| failed(error.into()))?;
    let found = store::lock_flow(&mut tx, &state.hash()).await.map_err(|error| failed(error.into()))?;
    let flow = found.ok_or_else(|| nowhere(Fault::Stale))?;
    let unknown = Browser::new([0; 32]);
    let (tenant, provider) = (state.tenant, flow.provider_id);
    let trip = Trip { app, context, tenant, provider, browser: browser.unwrap_or(unknown), now };
    let ended = trip.arrive(tx, &state, &flow, browser.is_some(), session, back).await;
    match ended {
        Ok(done) => Ok(done),
        Err(fault) => {
            trip.failed(&fault).await.map_err(failed)?;
            Err(failed(fault))
        }
    }
}

impl Trip<'_> {
    async fn arrive(
        &self,
        mut tx: TenantTx,
        state: &State,
        flow: &FlowRow,
        known: bool,
        session: Option<Caller>,
        back: Back,
    ) -> Result<Done, Fault> {
        if flow.used_at.is_some() || timestamp(flow.expires_at) <= self.now {
            return Err(Fault::Stale);
        }
        if !known || flow.browser_hash.as_slice() != self.browser.hash().as_slice() {
            // Not used up: whoever began it may still come.
            return Err(Fault::OtherBrowser);
        }
        // Used from here on, whatever comes of it.
        if !store::use_flow(&mut tx, &state.hash(), self.now).await? {
            return Err(Fault::Stale);
        }
        let row = store::get(&mut tx, self.provider).await?.filter(|row| row.enabled).ok_or(Fault::Off)?;
        let admitted = self.admit(&mut tx).await;
        tx.save().await?;
        admitted?;
        let link = flow.person_id.zip(flow.session_id);
        if link.is_some() && link != session.map(|caller| (caller.person.as_uuid(), caller.session)) {
            return Err(Fault::OtherSession);
        }
        let proved = self.prove(&row, state, back).await?;
        let mut tx = TenantTx::begin(&self.app.db, self.tenant).await?;
        // It may have been changed while the provider was asked.
        let row = store::get(&mut tx, self.provider).await?.filter(|row| row.enabled).ok_or(Fault::Off)?;
        let sources = sources(&self.browser, self.context).map(|(source, _)| source);
        store::forget_failures(&mut tx, self.provider, &sources).await?;
        match link {
            Some((person, _)) => self.link(tx, row, PersonId::from_uuid(person), &proved).await,
            None => self.sign_in(tx, row, &proved, &flow.next).await,
        }
    }

    async fn prove(&self, row: &ProviderRow, state: &State, back: Back) -> Result<Proved, Fault> {
        if !back.error.is_empty() {
            // An answer of another issuer is none, whatever it says.
            let other = back.iss.as_deref().is_some_and(|iss| iss != row.issuer);
            let denied = back.error == "access_denied";
            return Err(if other {
                Fault::MixUp
            } else if denied {
                Fault::Denied
            } else {
                Fault::Told
            });
        }
        if back.code.is_empty() || back.code.len() > CODE_BYTES {
            return Err(Fault::Told);
        }
        let bound = bound_to(self.tenant, self.provider);
        let opened = self.app.sealer.open(SECRET, &bound, &row.client_secret);
        let opened =
            opened.ok_or_else(|| ApiError::internal("a client secret cannot be opened: was the key changed?"))?;
        let secret = std::str::from_utf8(&opened).map_err(ApiError::internal)?;
        let redirect = service::redirect_uri(self.app);
        let client = Client { issuer: &row.issuer, id: &row.client_id, secret, redirect: &redirect };
        let provider = oidc::Provider::new(&self.app.outbound, &self.app.sso, self.now);
        provider.prove(client, self.secrets(state), back.code, back.iss.as_deref()).await
    }

    async fn link(&self, mut tx: TenantTx, row: ProviderRow, person: PersonId, proved: &Proved) -> Result<Done, Fault> {
        match store::person_of(&mut tx, &row.issuer, &proved.subject).await? {
            Some((known, _)) if known == person.as_uuid() => {}
            Some(_) => return Err(Fault::Taken),
            None => {
                takes_in(&mut tx).await?;
                store::link(&mut tx, self.provider, (&row.issuer, &proved.subject), person, self.now).await?;
                self.note(&mut tx, "sso.linked", Some(person), json!({})).await?;
            }
        }
        tx.save().await?;
        Ok(Done::Linked { label: row.label })
    }

    async fn sign_in(&self, mut tx: TenantTx, row: ProviderRow, proved: &Proved, next: &str) -> Result<Done, Fault> {
        let person = match store::person_of(&mut tx, &row.issuer, &proved.subject).await? {
            Some((person, true)) => PersonId::from_uuid(person),
            Some((_, false)) => return Err(Fault::Ended),
            None => self.newcomer(&mut tx, &row, proved).await?,
        };
        store::used(&mut tx, &row.issuer, &proved.subject, self.now).await?;
        let mfa = rules::second_factor(&proved.amr);
        metrics::counter!("tillway_sso_total", "outcome" => "signed_in").increment(1);
        // Signed in at the provider a moment ago, or days ago: only the first is as good as a password given now.
        let fresh = proved.at.is_some_and(|at| self.now.millis_since(at) < STEP_UP_MILLIS);
        let diff = json!({ "amr": proved.amr, "acr": proved.acr, "mfa": mfa, "fresh": fresh });
        self.note(&mut tx, "sso.signed_in", Some(person), diff).await?;
        tx.save().await?;
        let proof = Proof { mfa, fresh };
        let key = identity::by_provider::begin(self.app, self.tenant, person, self.context, proof).await?;
        Ok(Done::In { key, next: next.to_owned() })
    }

    /// Somebody whom nobody here is linked to: a newcomer, if the provider brings any and vouches for an e-mail of its
    /// domains that is nobody's yet. Somebody with that e-mail is never taken for the one who comes, and that there is one is not told.
    async fn newcomer(&self, tx: &mut TenantTx, row: &ProviderRow, proved: &Proved) -> Result<PersonId, Fault> {
        let role = row.newcomer_role.as_deref().and_then(service::newcomer_role).ok_or(Fault::Unknown)?;
        takes_in(tx).await?;
        let email = proved.email.as_deref().ok_or(Fault::Email)?;
        let domain = rules::email_domain(email).ok_or(Fault::Email)?;
        if !row.domains.contains(&domain) {
            return Err(Fault::Email);
        }
        let person = identity::by_provider::newcomer(self.app, tx, email, self.now).await?.ok_or(Fault::Unknown)?;
        let given = Assignment { person, role: Role::BuiltIn(role), at: At::Tenant };
        roles::service::assign(tx, &given, None, self.now).await?;
        store::link(tx, self.provider, (&row.issuer, &proved.subject), person, self.now).await?;
        self.note(tx, "sso.newcomer", Some(person), json!({ "role": role.name() })).await?;
        Ok(person)
    }
}

/// Nobody new comes in, and no account is linked, where the company is suspended or closed.
async fn takes_in(tx: &mut TenantTx) -> Result<(), Fault> {
    let account = tenants::service::account(tx).await?;
    if account.suspended_at.is_none() && account.closed_at.is_none() {
        return Ok(());
    }
    Err(Fault::Ours(ApiError::authz("the company's account is suspended or closed: nobody new is let in")))
}
