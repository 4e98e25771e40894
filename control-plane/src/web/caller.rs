//! The guard of the pages: a handler that names [`PageCaller`] runs only for a browser whose session stands. The
//! cookie holds an opaque key; what it means is asked of the database every time, so that an ended session is over
//! at once.

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::id::PersonId;

use super::cookie::{self, Way};
use super::respond::{self, encoded, own_path};
use super::{Flash, PageError, PageResult};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::domain::identity;
use crate::http::ApiResult;
use crate::http::context::Context;

/// The cookie of a message, whatever the way: it says nothing that is worth stealing.
const FLASH: &str = "tillway-note";
/// Seconds that a message waits for its page.
const FLASH_SECONDS: i64 = 60;

/// Who looks at a page.
#[derive(Clone, Debug)]
pub struct PageCaller {
    /// Tenant, person, session.
    pub caller: Caller,
    /// The tenant's name.
    pub tenant_name: String,
    /// The person's e-mail.
    pub email: Arc<str>,
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

    /// Whether the session still stands: what a long stream asks from time to time.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn still_stands(&self, app: &App) -> Result<bool, PageError> {
        Ok(identity::service::page_caller(app, &self.key, false).await?.is_some())
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
        let Some(key) = cookie::read(&parts.headers, way.session_name()).map(str::to_owned) else {
            return Err(to_sign_in(parts));
        };
        // A live page left open looks on by itself for ever: its stream is nobody's use of the session.
        let stream = parts.headers.get(header::ACCEPT).is_some_and(|value| value.as_bytes() == b"text/event-stream");
        let found = identity::service::page_caller(app, &key, !stream).await.map_err(|error| refused(error.into()))?;
        let Some(found) = found else { return Err(to_sign_in(parts)) };
        if let Some(context) = parts.extensions.get::<Context>() {
            context.set_caller(found.caller);
        }
        app.gates.tenant(found.caller.tenant).map_err(|error| refused(error.into()))?;
        let email = email_of(app, found.caller.person).await.map_err(|error| refused(error.into()))?;
        let flash = flash_of(parts);
        let (caller, tenant_name, csrf) = (found.caller, found.tenant_name, found.csrf);
        let proxied = app.trust_forwarded;
        let caller = Self { caller, tenant_name, email, key, csrf, flash, way, proxied };
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}
