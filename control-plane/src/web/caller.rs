//! The guard of the pages: a handler that names [`PageCaller`] runs only for a browser whose session stands. The
//! cookie holds an opaque key; what it means is asked of the database every time, so that an ended session is over
//! at once.

use std::ops::Deref;
use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use protocol::id::PersonId;

use super::cookie::{self, Way};
use super::respond::{self, encoded, own_path};
use super::{Flash, PageError, PageResult, nav};
use crate::app::App;
use crate::auth::guard::{self, Acts, Caller, Can, Refusal, Via};
use crate::auth::policy::{Policy, Right};
use crate::db::{Bounds, TenantTx};
use crate::domain::tenants::types::Face;
use crate::domain::{identity, notifications, operators, tenants};
use crate::http::{ApiError, ApiResult};

/// The cookie of a message, whatever the way: it says nothing that is worth stealing.
const FLASH: &str = "tillway-note";
/// Seconds that a message waits for its page.
const FLASH_SECONDS: i64 = 60;

/// Who looks at a page.
#[derive(Clone, Debug)]
pub struct PageCaller {
    /// Tenant, person, session.
    pub caller: Caller,
    /// What they may.
    pub policy: Arc<Policy>,
    /// The tenant's name.
    pub tenant_name: String,
    /// The person's e-mail.
    pub email: Arc<str>,
    /// Notices that they have not read, up to a hundred.
    pub(super) unread: i64,
    /// What stands around the company's pages.
    pub(super) face: Arc<Face>,
    /// The key of the session as the cookie has it.
    pub(super) key: String,
    pub(super) csrf: String,
    pub(super) flash: Option<Flash>,
    pub(super) way: Way,
    /// Whether a proxy in front of us is believed.
    pub(super) proxied: bool,
}

impl PageCaller {
    /// The page, rendered. A message that it shows is not shown again.
    ///
    /// # Errors
    /// INTERNAL if the template fails.
    pub fn page(&self, template: &impl Template) -> PageResult {
        self.page_with(StatusCode::OK, template)
    }

    /// The page with another status: a form with errors is 422.
    ///
    /// # Errors
    /// INTERNAL if the template fails.
    pub fn page_with(&self, status: StatusCode, template: &impl Template) -> PageResult {
        let mut response = respond::html(status, template)?;
        if self.flash.is_some() {
            response.headers_mut().append(header::SET_COOKIE, cookie::write(self.way, FLASH, "", 0));
        }
        Ok(response)
    }

    /// Goes on to another page of ours, which shows the message.
    ///
    /// # Errors
    /// None; a handler ends with it.
    pub fn see_other(&self, path: &str, flash: Flash) -> PageResult {
        Ok(with_flash(self.way, path, &flash))
    }

    /// A transaction about what is the caller's own. A guest owns nothing here, and changes nothing by it.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn begin(&self, app: &App) -> ApiResult<TenantTx> {
        match self.caller.via {
            Via::Session | Via::Key => self.caller.begin(app).await,
            Via::Guest { .. } => {
                let bounds = Bounds { shops: None, read_only: true };
                Ok(TenantTx::begin_within(&app.db, self.caller.tenant, &bounds).await?)
            }
        }
    }

    /// The hidden field that a form outside the shell carries.
    pub fn csrf_field(&self) -> String {
        format!(r#"<input type="hidden" name="csrf" value="{}">"#, self.csrf)
    }

    /// How the browser reached us: which cookies it keeps.
    pub const fn way(&self) -> Way {
        self.way
    }
}

/// The e-mail of a person, remembered in the process.
///
/// # Errors
/// NOT_FOUND for a person who is gone, or whatever the database met.
pub async fn email_of(app: &App, person: PersonId) -> ApiResult<Arc<str>> {
    if let Some(email) = app.web.email(person) {
        return Ok(email);
    }
    let email: Arc<str> = identity::service::email(app, person).await?.into();
    app.web.keep_email(person, &email);
    Ok(email)
}

/// The session that a request is asked in, and whether it is a guest's. Who looks in somewhere keeps their own session for
/// what is theirs: the platform's pages, their account, the way in and out.
fn key_of(parts: &Parts, way: Way) -> Option<(String, bool)> {
    const OWN: [&str; 5] = ["/operator", "/me", "/notifications", "/sign-", "/register"];
    let path = parts.uri.path();
    let read = |name: &str| cookie::read(&parts.headers, name).map(str::to_owned);
    let guest = read(way.guest_name()).filter(|_| !OWN.iter().any(|own| path.starts_with(own)));
    guest.map(|key| (key, true)).or_else(|| read(way.session_name()).map(|key| (key, false)))
}

/// The company, an operator or the clock ended the visit: back to where the operator came from.
fn visit_over(way: Way) -> Response {
    let mut response = with_flash(way, "/operator", &Flash::done("The visit is over."));
    response.headers_mut().append(header::SET_COOKIE, cookie::write(way, way.guest_name(), "", 0));
    response
}

/// What the bell counts.
async fn unread(app: &App, caller: &Caller) -> ApiResult<i64> {
    let mut tx = caller.begin(app).await?;
    Ok(notifications::service::unread(&mut tx, caller.person).await?)
}

/// Goes on to a page of ours, which shows the message.
pub(crate) fn with_flash(way: Way, path: &str, flash: &Flash) -> Response {
    let mut response = respond::see_other(path);
    let note = cookie::write(way, FLASH, &flash.to_cookie(), FLASH_SECONDS);
    response.headers_mut().append(header::SET_COOKIE, note);
    response
}

/// The message that a request brings along.
pub(crate) fn flash_of(parts: &Parts) -> Option<Flash> {
    cookie::read(&parts.headers, FLASH).and_then(Flash::of_cookie)
}

/// Rooms about the person, whom a guest's session is not about: what is done there reaches into all their companies.
fn own_room(path: &str) -> bool {
    ["/me", "/notifications", "/register"]
        .iter()
        .any(|room| path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Sends a browser to the sign-in, and from there back to where it wanted to go.
fn to_sign_in(parts: &Parts) -> Response {
    let wanted = parts.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    let next = own_path(wanted).filter(|next| parts.method == Method::GET && *next != "/");
    respond::see_other(&next.map_or_else(|| "/sign-in".to_owned(), |next| format!("/sign-in?next={}", encoded(next))))
}

impl FromRequestParts<App> for PageCaller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let refused = |error: PageError| error.into_response();
        let way = Way::of(parts, app);
        let Some((key, guest)) = key_of(parts, way) else { return Err(to_sign_in(parts)) };
        // A live page left open looks on by itself for ever: its stream is nobody's use of the session.
        let stream = parts.headers.get(header::ACCEPT).is_some_and(|value| value.as_bytes() == b"text/event-stream");
        let found = identity::service::page_caller(app, &key, !stream).await.map_err(|error| refused(error.into()))?;
        let Some(found) = found else { return Err(if guest { visit_over(way) } else { to_sign_in(parts) }) };
        let mut standing = found.standing;
        guard::admit(parts, app, &mut standing).map_err(|error| refused(error.into()))?;
        let policy = standing.policy(app).await.map_err(|error| refused(error.into()))?;
        let caller = standing.caller;
        if matches!(caller.via, Via::Guest { .. }) && own_room(parts.uri.path()) {
            let leave = "You look in as a guest; your own account is not in this company. Leave the visit first.";
            return Err(refused(ApiError::authz(leave).into()));
        }
        let face = tenants::service::face(app, caller.tenant, standing.version).await;
        let face = face.map_err(|error| refused(error.into()))?;
        let email = email_of(app, caller.person).await.map_err(|error| refused(error.into()))?;
        // Only a page that is shown has a bell.
        let shown = !stream && parts.method == Method::GET;
        if shown && let Via::Guest { .. } = caller.via {
            let looked = operators::looked(app, &caller, parts.uri.path()).await;
            looked.map_err(|error| refused(error.into()))?;
        }
        let unread = if shown { unread(app, &caller).await.map_err(|error| refused(error.into()))? } else { 0 };
        let flash = flash_of(parts);
        let (tenant_name, csrf) = (found.tenant_name, found.csrf);
        let proxied = app.trust_forwarded;
        let caller = Self { caller, policy, tenant_name, email, unread, face, key, csrf, flash, way, proxied };
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

/// Somebody who looks at a page and holds the permission `R`.
#[derive(Debug)]
pub struct PageCan<R> {
    page: PageCaller,
    can: Can<R>,
}

impl<R> Deref for PageCan<R> {
    type Target = PageCaller;

    fn deref(&self) -> &PageCaller {
        &self.page
    }
}

impl<R: Right> PageCan<R> {
    /// The right itself: scope, policy, bounds.
    pub const fn right(&self) -> &Can<R> {
        &self.can
    }

    /// A transaction that sees no more than the permission's scope.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn begin(&self, app: &App) -> ApiResult<TenantTx> {
        self.can.begin(app).await
    }
}

impl<R: Right> PageCan<R> {
    /// Whether the session still stands and may still do this, for the same shops: what a long stream asks from time to time.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn still_may(&self, app: &App) -> Result<bool, PageError> {
        let Some(found) = identity::service::page_caller(app, &self.page.key, false).await? else { return Ok(false) };
        let policy = found.standing.policy(app).await?;
        let now = Can::<R>::decide(found.standing.caller, &policy, app.clock.now());
        Ok(now.is_ok_and(|can| can.scope() == self.can.scope()))
    }
}

impl<R: Right> Acts for PageCan<R> {
    fn caller(&self) -> &Caller {
        &self.page.caller
    }

    fn bounds(&self) -> Bounds<'_> {
        self.can.bounds()
    }
}

impl<R: Right> FromRequestParts<App> for PageCan<R> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let page = PageCaller::from_request_parts(parts, app).await?;
        let decided = Can::decide(page.caller, &page.policy, app.clock.now());
        match decided {
            Ok(can) => Ok(Self { page, can }),
            Err(Refusal::MfaRequired) => Err(aside(parts, "/me/security")),
            Err(Refusal::StepUpRequired) => Err(aside(parts, "/me/confirm")),
            // The front door is whichever room is theirs.
            Err(Refusal::Permission) if parts.method == Method::GET && parts.uri.path() == "/" => {
                Err(respond::see_other(nav::first_room(&page.policy)))
            }
            Err(refusal @ (Refusal::Permission | Refusal::Suspended | Refusal::ReadOnly)) => {
                let refused = refusal.told_to(page.caller.tenant, R::PERMISSION);
                Err(PageError::from(refused).into_response())
            }
        }
    }
}

/// Sends a browser to prove something first, and from there back: to the page it wanted, or, after a form, to the page that
/// the form stood on.
fn aside(parts: &Parts, to: &str) -> Response {
    let wanted = if parts.method == Method::GET {
        parts.uri.path_and_query().map(|path| path.as_str().to_owned())
    } else {
        let referer = parts.headers.get(header::REFERER).and_then(|value| value.to_str().ok());
        referer.and_then(|text| text.parse::<Uri>().ok()).and_then(|uri| uri.path_and_query().map(ToString::to_string))
    };
    let next = wanted.as_deref().and_then(own_path).unwrap_or("/").to_owned();
    respond::see_other(&format!("{to}?next={}", encoded(&next)))
}
