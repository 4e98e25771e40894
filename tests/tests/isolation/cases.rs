//! The cases: for every route of head office what fits it and who may use it. A person adds a new route here, with
//! what somebody of another tenant must hear.

use serde_json::{Value, json};

use crate::ground::Side;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody, for the reason given.
    Everybody(&'static str),
    /// Whoever is signed in.
    SignedIn,
}

/// What somebody of another tenant hears who names what is not theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// 404: it does not exist.
    Missing,
    /// The route names nothing: it answers about the caller's own, and nothing of others is in it.
    Own,
    /// 404: it is the platform's, and does not exist for a company, whoever asks.
    Platform,
    /// Not tried: it would end the very session that tries. Reason given.
    NotTried(&'static str),
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Body {
    None,
    Json(Value),
    Csv(&'static str),
    /// A posted form; its proof of origin is added.
    Form(&'static [(&'static str, &'static str)]),
    /// A file, sent by a script of a page.
    File(&'static str),
}

/// One route with what fits it.
pub struct Case {
    pub method: &'static str,
    pub path: &'static str,
    pub who: Who,
    pub foreign: Foreign,
    /// Behind the path; `{...}` is filled as in the path.
    pub query: &'static str,
    pub body: Body,
}

const fn case(method: &'static str, path: &'static str, foreign: Foreign, query: &'static str, body: Body) -> Case {
    Case { method, path, who: Who::SignedIn, foreign, query, body }
}

const fn open(method: &'static str, path: &'static str, why: &'static str, body: Body) -> Case {
    Case { method, path, who: Who::Everybody(why), foreign: Foreign::Own, query: "", body }
}

const DAYS: &str = "?shop_id={shop}&from=2026-01-01&to=2026-01-31";
const CSV: &str = "code,description,unit_price\nNEW-1,another,1.00\n";

/// The JSON routes.
pub fn api() -> Vec<Case> {
    use Body::{Csv, Json, None};
    use Foreign::{Missing, NotTried, Own, Platform};
    vec![
        open("GET", "/healthz", "a load balancer asks", None),
        open("GET", "/readyz", "a load balancer asks", None),
        open(
            "POST",
            "/v1/auth/login",
            "its body is the credential",
            Json(json!({"email": "x@y.example", "password": "no such person"})),
        ),
        open("POST", "/v1/auth/refresh", "its body is the credential", Json(json!({"refresh_token": "0"}))),
        open("POST", "/v1/enroll", "a claim code is the credential", Json(json!({}))),
        case(
            "POST",
            "/v1/auth/logout",
            NotTried("it names nothing and ends the session that tries"),
            "",
            Json(json!({})),
        ),
        case("GET", "/v1/auth/me", Own, "", None),
        open("POST", "/v1/auth/mfa", "its body is the credential", Json(json!({"token": "0", "totp": "123456"}))),
        open("POST", "/v1/auth/mfa/passkey", "its body is the credential", Json(json!({"token": "0"}))),
        open("POST", "/v1/auth/passkey", "whoever signs in asks for a challenge", Json(json!({}))),
        open(
            "POST",
            "/v1/auth/passkey/finish",
            "its body is the credential",
            Json(json!({"passkey": {"ceremony": "0", "credential": {}}})),
        ),
        case("POST", "/v1/auth/step-up", Own, "", Json(json!({"password": "no such password"}))),
        case("POST", "/v1/auth/step-up/passkey", Own, "", Json(json!({}))),
        case("GET", "/v1/me/mfa", Own, "", None),
        case("POST", "/v1/me/mfa/totp", Own, "", Json(json!({}))),
        case("POST", "/v1/me/mfa/totp/confirm", Own, "", Json(json!({"code": "000000"}))),
        case("DELETE", "/v1/me/mfa/totp", Own, "", None),
        case("POST", "/v1/me/mfa/passkeys", Own, "", Json(json!({}))),
        case(
            "POST",
            "/v1/me/mfa/passkeys/confirm",
            Own,
            "",
            Json(json!({"name": "mine", "ceremony": "0", "credential": {}})),
        ),
        case("PATCH", "/v1/me/mfa/passkeys/{id}", Missing, "", Json(json!({"name": "taken over"}))),
        case("DELETE", "/v1/me/mfa/passkeys/{id}", Missing, "", None),
        case("POST", "/v1/me/mfa/recovery-codes", Own, "", Json(json!({}))),
        case("DELETE", "/v1/people/{id}/mfa", Missing, "", None),
        case("DELETE", "/v1/platform/people/{id}/mfa", NotTried("an operator's: an owner is refused unseen"), "", None),
        open("POST", "/v1/auth/forgot", "whoever forgot the password", Json(json!({"email": "nobody@x.example"}))),
        open(
            "POST",
            "/v1/auth/reset",
            "a link is the credential",
            Json(json!({"token": "0", "password": "a new one"})),
        ),
        open("POST", "/v1/auth/email/confirm", "a link is the credential", Json(json!({"token": "0"}))),
        open("POST", "/v1/auth/email/stop", "a link is the credential", Json(json!({"token": "0"}))),
        case("GET", "/v1/people", Own, "", None),
        case("GET", "/v1/people/{id}", Missing, "", None),
        case("DELETE", "/v1/people/{id}", Missing, "", None),
        case("GET", "/v1/people/{id}/sessions", Missing, "", None),
        case("DELETE", "/v1/people/{id}/sessions", Missing, "", None),
        case("DELETE", "/v1/people/{id}/sessions/{session_id}", Missing, "", None),
        case("GET", "/v1/invitations", Own, "", None),
        case(
            "POST",
            "/v1/invitations",
            Own,
            "",
            Json(json!({"email": "invited@x.example", "roles": [{"role": "accountant"}]})),
        ),
        case("DELETE", "/v1/invitations/{id}", Missing, "", None),
        case("POST", "/v1/invitations/{id}/resend", Missing, "", None),
        open(
            "POST",
            "/v1/invitations/accept",
            "a link is the credential",
            Json(json!({"token": "0", "password": "a new one"})),
        ),
        case("POST", "/v1/me/invitations/accept", Own, "", Json(json!({"token": "0"}))),
        case("GET", "/v1/keys", Own, "", None),
        case("POST", "/v1/keys", Own, "", Json(json!({"name": "mine", "permissions": ["sales.read"]}))),
        case("DELETE", "/v1/keys/{id}", Missing, "", None),
        case("GET", "/v1/me", Own, "", None),
        case("PATCH", "/v1/me", Own, "", Json(json!({"name": "Somebody"}))),
        case("POST", "/v1/me/password", Own, "", Json(json!({"current": "not this one", "new": "a new one for me"}))),
        case("POST", "/v1/me/email", Own, "", Json(json!({"email": "new@x.example", "password": "not this one"}))),
        case("GET", "/v1/me/sessions", Own, "", None),
        case("DELETE", "/v1/me/sessions/{id}", Missing, "", None),
        case(
            "POST",
            "/v1/me/sessions/end-others",
            NotTried("it names nothing and ends the sessions that the others try with"),
            "",
            None,
        ),
        open("POST", "/v1/registrations", "whoever wants a company here", Json(json!({"company": ""}))),
        open(
            "POST",
            "/v1/registrations/confirm",
            "its link is the credential",
            Json(json!({"token": "0", "password": "0"})),
        ),
        open(
            "POST",
            "/v1/registrations/resend",
            "the answer is the same for everybody",
            Json(json!({"email": "x@y.example"})),
        ),
        case("POST", "/v1/me/companies", Own, "", Json(json!({"company": "", "accept_terms": true}))),
        case("GET", "/v1/company", Own, "", None),
        case("PATCH", "/v1/company", Own, "", Json(json!({"locale": "en-GB"}))),
        case("POST", "/v1/company/close", Own, "", Json(json!({"name": "not the name"}))),
        case("POST", "/v1/company/keep", Own, "", Json(json!({}))),
        case("GET", "/v1/company/getting-started", Own, "", None),
        case("GET", "/v1/company/support", Own, "", None),
        case("POST", "/v1/company/support/{visit_id}/allow", Missing, "", Json(json!({}))),
        case("POST", "/v1/company/support/{visit_id}/refuse", Missing, "", Json(json!({}))),
        case("POST", "/v1/company/support/{visit_id}/end", Missing, "", Json(json!({}))),
        case("GET", "/v1/superadmin/registrations", Platform, "", None),
        case("POST", "/v1/superadmin/registrations/{id}/approve", Platform, "", Json(json!({}))),
        case("POST", "/v1/superadmin/registrations/{id}/refuse", Platform, "", Json(json!({"reason": "no"}))),
        case("GET", "/v1/superadmin/tenants", Platform, "", None),
        case("GET", "/v1/superadmin/tenants/{id}", Platform, "", None),
        case("POST", "/v1/superadmin/tenants/{id}/suspend", Platform, "", Json(json!({"reason": "no"}))),
        case("POST", "/v1/superadmin/tenants/{id}/resume", Platform, "", Json(json!({}))),
        case("POST", "/v1/superadmin/tenants/{id}/close", Platform, "", Json(json!({}))),
        case("POST", "/v1/superadmin/tenants/{id}/keep", Platform, "", Json(json!({}))),
        case(
            "POST",
            "/v1/superadmin/tenants/{id}/modules",
            Platform,
            "",
            Json(json!({"module": "staff", "enabled": false})),
        ),
        case(
            "POST",
            "/v1/superadmin/tenants/{id}/features",
            Platform,
            "",
            Json(json!({"feature": "a.b", "enabled": true})),
        ),
        case("POST", "/v1/superadmin/tenants/{id}/visits", Platform, "", Json(json!({"reason": "mine", "minutes": 5}))),
        case("POST", "/v1/superadmin/tenants/{tenant_id}/visits/{visit_id}/end", Platform, "", Json(json!({}))),
        case("GET", "/v1/superadmin/modules", Platform, "", None),
        case(
            "POST",
            "/v1/superadmin/modules",
            Platform,
            "",
            Json(json!({"module": "staff", "available": false, "by_default": false})),
        ),
        case(
            "POST",
            "/v1/superadmin/features",
            Platform,
            "",
            Json(json!({"feature": "a.b", "module": "staff", "description": "", "by_default": true})),
        ),
        case("GET", "/v1/superadmin/jobs", Platform, "", None),
        case("POST", "/v1/superadmin/jobs/{id}/retry", Platform, "", Json(json!({}))),
        case("POST", "/v1/superadmin/jobs/{id}/cancel", Platform, "", Json(json!({}))),
        case("GET", "/v1/superadmin/mails", Platform, "", None),
        case("GET", "/v1/shops", Own, "", None),
        case(
            "POST",
            "/v1/shops",
            Own,
            "",
            Json(json!({"name": "mine", "timezone": "Europe/London", "currency": "GBP"})),
        ),
        case("GET", "/v1/shops/{id}", Missing, "", None),
        case("PATCH", "/v1/shops/{id}", Missing, "", Json(json!({"name": "taken over"}))),
        case("POST", "/v1/shops/{id}/claims", Missing, "", Json(json!({}))),
        case("GET", "/v1/shops/{id}/completeness", Missing, "", None),
        case("GET", "/v1/staff", Own, "", None),
        // The shop of the body is another tenant's: refused as no shop of theirs.
        case("POST", "/v1/staff", Own, "", Json(json!({"name": "mine", "all_shops": true}))),
        case("GET", "/v1/staff/{id}", Missing, "", None),
        case("PATCH", "/v1/staff/{id}", Missing, "", Json(json!({"name": "taken over"}))),
        case("PUT", "/v1/staff/{id}/pin", Missing, "", Json(json!({"pin": "4711"}))),
        case("POST", "/v1/staff/{id}/end", Missing, "", Json(json!({}))),
        case("GET", "/v1/shops/{id}/staff-rules", Missing, "", None),
        case(
            "PUT",
            "/v1/shops/{id}/staff-rules",
            Missing,
            "",
            Json(json!({"cashier_required": true, "idle_minutes": 0, "no_sale": false})),
        ),
        case("GET", "/v1/nodes", Own, "", None),
        case("GET", "/v1/sso/providers", Own, "", None),
        case(
            "POST",
            "/v1/sso/providers",
            Own,
            "",
            Json(json!({"label": "mine", "issuer": "https://id.mine.example", "client_id": "x", "client_secret": "x"})),
        ),
        case("GET", "/v1/sso/providers/{id}", Missing, "", None),
        case("PATCH", "/v1/sso/providers/{id}", Missing, "", Json(json!({"enabled": false}))),
        case("DELETE", "/v1/sso/providers/{id}", Missing, "", None),
        case("POST", "/v1/sso/providers/{id}/test", Missing, "", Json(json!({}))),
        case("GET", "/v1/catalog/products", Own, "", None),
        case("GET", "/v1/catalog/products/{code}", Missing, "", None),
        // A code is a word of one's own catalogue: writing it makes or changes one's own product.
        case("PUT", "/v1/catalog/products/{code}", Own, "", Json(json!({"description": "mine", "unit_price": "0.01"}))),
        case("DELETE", "/v1/catalog/products/{code}", Own, "", None),
        case("POST", "/v1/catalog/imports", Own, "", Csv(CSV)),
        case("GET", "/v1/pricing/prices/{code}", Own, "", None),
        case("PUT", "/v1/pricing/prices/{code}", Own, "", Json(json!({"unit_price": "0.01"}))),
        case("GET", "/v1/sales/tickets", Own, "?shop_id={shop}", None),
        case("GET", "/v1/sales/tickets/{node_id}/{term}/{seq}", Missing, "", None),
        case("GET", "/v1/notifications", Own, "", None),
        case("GET", "/v1/notifications/unread", Own, "", None),
        case("POST", "/v1/notifications/read", Own, "", None),
        case("POST", "/v1/notifications/{notice_id}/read", Missing, "", None),
        case("GET", "/v1/notifications/preferences", Own, "", None),
        case("PUT", "/v1/notifications/preferences", Own, "", Json(json!({"people": true}))),
        case("GET", "/v1/analytics/overview", Missing, DAYS, None),
        case("GET", "/v1/analytics/by-day", Missing, DAYS, None),
        case(
            "GET",
            "/v1/analytics/by-hour",
            Missing,
            "?shop_id={shop}&date=2026-01-31&from=2026-01-01&to=2026-01-31",
            None,
        ),
        case("GET", "/v1/analytics/products", Missing, DAYS, None),
    ]
}

/// The pages.
pub fn pages() -> Vec<Case> {
    use Body::{File, Form, None};
    use Foreign::{Missing, NotTried, Own, Platform};
    vec![
        open("GET", "/assets/{hash}/{*name}", "styles and scripts, the same for all", None),
        open("GET", "/sign-in", "whoever is not signed in", None),
        open(
            "POST",
            "/sign-in",
            "its body is the credential",
            Form(&[("email", "x@y.example"), ("password", "no such person")]),
        ),
        open(
            "POST",
            "/sign-in/company",
            "a ticket of the sign-in is the credential",
            Form(&[("ticket", "0"), ("tenant", "0")]),
        ),
        open("GET", "/sign-in/second", "a cookie of the sign-in is the credential", None),
        open("POST", "/sign-in/second", "a cookie of the sign-in is the credential", Form(&[("code", "123456")])),
        open("POST", "/sign-in/second/passkey/begin", "a cookie of the sign-in is the credential", Form(&[])),
        open(
            "POST",
            "/sign-in/second/passkey",
            "a cookie of the sign-in is the credential",
            Form(&[("ceremony", "0"), ("credential", "{}")]),
        ),
        open("POST", "/sign-in/passkey/begin", "whoever signs in asks for a challenge", Form(&[])),
        open(
            "POST",
            "/sign-in/passkey",
            "its body is the credential",
            Form(&[("ceremony", "0"), ("credential", "{}")]),
        ),
        case("GET", "/me/security", Own, "", None),
        case("POST", "/me/security/totp", Own, "", Form(&[])),
        case("GET", "/me/security/totp", Own, "", None),
        case("POST", "/me/security/totp/confirm", Own, "", Form(&[("code", "000000")])),
        case("POST", "/me/security/totp/remove", Own, "", Form(&[])),
        case("POST", "/me/security/passkeys/begin", Own, "", Form(&[])),
        case(
            "POST",
            "/me/security/passkeys",
            Own,
            "",
            Form(&[("ceremony", "0"), ("credential", "{}"), ("name", "mine")]),
        ),
        case("POST", "/me/security/passkeys/{id}/rename", Missing, "", Form(&[("name", "taken over")])),
        case("POST", "/me/security/passkeys/{id}/remove", Missing, "", Form(&[])),
        case("POST", "/me/security/recovery-codes", Own, "", Form(&[])),
        case("GET", "/me/confirm", Own, "", None),
        case("POST", "/me/confirm", Own, "", Form(&[("password", "no such password")])),
        case("POST", "/me/confirm/passkey/begin", Own, "", Form(&[])),
        case("POST", "/me/confirm/passkey", Own, "", Form(&[("ceremony", "0"), ("credential", "{}")])),
        open("GET", "/forgot", "whoever forgot the password", None),
        open("POST", "/forgot", "whoever forgot the password", Form(&[("email", "nobody@x.example")])),
        open("GET", "/reset/{token}", "a link is the credential", None),
        open("POST", "/reset/{token}", "a link is the credential", Form(&[("password", "a new one")])),
        open("GET", "/email/{door}/{token}", "a link is the credential", None),
        open("POST", "/email/{door}/{token}", "a link is the credential", Form(&[])),
        case("GET", "/people", Own, "", None),
        case("GET", "/people/{id}", Missing, "", None),
        case("POST", "/people/{id}/end", Missing, "", Form(&[])),
        case("POST", "/people/{id}/sessions/end", Missing, "", Form(&[])),
        case("POST", "/people/{id}/sessions/{session_id}/end", Missing, "", Form(&[])),
        case("GET", "/people/invite", Own, "", None),
        case("POST", "/people/invite", Own, "", Form(&[("email", "other@x.example"), ("role", "accountant")])),
        case("POST", "/people/invitations/{id}/resend", Missing, "", Form(&[])),
        case("POST", "/people/invitations/{id}/revoke", Missing, "", Form(&[])),
        open("GET", "/invitations/{token}", "a link is the credential", None),
        open("POST", "/invitations/{token}", "a link is the credential", Form(&[("password", "a new one")])),
        case("GET", "/settings/keys", Own, "", None),
        case("GET", "/settings/keys/new", Own, "", None),
        case("POST", "/settings/keys", Own, "", Form(&[("name", "mine"), ("may", "sales.read"), ("days", "30")])),
        case("POST", "/settings/keys/{id}/revoke", Missing, "", Form(&[])),
        case("GET", "/me", Own, "", None),
        case("POST", "/me/name", Own, "", Form(&[("name", "Somebody")])),
        case("POST", "/me/password", Own, "", Form(&[("current", "not this one"), ("new", "a new one for me")])),
        case("POST", "/me/email", Own, "", Form(&[("email", "new@x.example"), ("password", "not this one")])),
        case("POST", "/me/sessions/{id}/end", Missing, "", Form(&[])),
        case(
            "POST",
            "/me/sessions/end-others",
            NotTried("it names nothing and ends the sessions that the others try with"),
            "",
            Form(&[]),
        ),
        open("GET", "/register", "whoever wants a company here", None),
        open("POST", "/register", "whoever wants a company here", Form(&[("company", "")])),
        case("POST", "/register/another", Own, "", Form(&[("company", "")])),
        open("GET", "/register/confirm", "its link is the credential", None),
        open("POST", "/register/confirm", "its link is the credential", Form(&[("token", "0"), ("password", "0")])),
        open("GET", "/register/resend", "the answer is the same for everybody", None),
        open("POST", "/register/resend", "the answer is the same for everybody", Form(&[("email", "x@y.example")])),
        open("GET", "/terms", "the same words for all", None),
        case("GET", "/start", Own, "", None),
        case("GET", "/settings", Own, "", None),
        case("POST", "/settings", Own, "", Form(&[("name", "mine"), ("locale", "en-GB"), ("seen", "0")])),
        case("POST", "/settings/logo", Own, "", File("no picture")),
        case("POST", "/settings/logo/remove", Own, "", Form(&[])),
        case("GET", "/settings/close", Own, "", None),
        case("POST", "/settings/close", Own, "", Form(&[("name", "not the name")])),
        case("POST", "/settings/keep", Own, "", Form(&[])),
        case("GET", "/company/logo", Own, "", None),
        case("GET", "/company/brand.css", Own, "", None),
        case("GET", "/settings/support", Own, "", None),
        case("POST", "/settings/support/{visit_id}/allow", Missing, "", Form(&[])),
        case("POST", "/settings/support/{visit_id}/refuse", Missing, "", Form(&[])),
        case("POST", "/settings/support/{visit_id}/end", Missing, "", Form(&[])),
        case("POST", "/visit/leave", NotTried("it names nothing, and there is no guest here"), "", Form(&[])),
        case("GET", "/operator", Platform, "", None),
        case("POST", "/operator/registrations/{id}/approve", Platform, "", Form(&[])),
        case("POST", "/operator/registrations/{id}/refuse", Platform, "", Form(&[("reason", "no")])),
        case("GET", "/operator/tenants/{tenant_id}", Platform, "", None),
        case(
            "POST",
            "/operator/tenants/{tenant_id}/standing",
            Platform,
            "",
            Form(&[("to", "suspend"), ("reason", "no")]),
        ),
        case("POST", "/operator/tenants/{tenant_id}/switch", Platform, "", Form(&[("module", "staff"), ("to", "off")])),
        case(
            "POST",
            "/operator/tenants/{tenant_id}/visits",
            Platform,
            "",
            Form(&[("reason", "mine"), ("minutes", "5")]),
        ),
        case("POST", "/operator/tenants/{tenant_id}/visits/{visit_id}/open", Platform, "", Form(&[])),
        case("POST", "/operator/tenants/{tenant_id}/visits/{visit_id}/end", Platform, "", Form(&[])),
        case("GET", "/operator/modules", Platform, "", None),
        case("POST", "/operator/modules", Platform, "", Form(&[("module", "staff")])),
        case("POST", "/operator/features", Platform, "", Form(&[("feature", "a.b"), ("module", "staff")])),
        case("GET", "/operator/jobs", Platform, "", None),
        case("POST", "/operator/jobs/{job_id}", Platform, "", Form(&[("word", "retry")])),
        case("GET", "/operator/mails", Platform, "", None),
        case("GET", "/", Own, "", None),
        case(
            "GET",
            "/sales/live/events",
            NotTried("it never ends; it names nothing and tells of the caller's own tenant"),
            "",
            None,
        ),
        case("GET", "/receipts", Own, "", None),
        case("GET", "/receipts/{node}/{term}/{seq}", Missing, "", None),
        case("GET", "/overview", Own, "", None),
        case("GET", "/shops", Own, "", None),
        case("GET", "/shops/new", Own, "", None),
        case(
            "POST",
            "/shops",
            Own,
            "",
            Form(&[("name", "mine too"), ("timezone", "Europe/London"), ("currency", "GBP")]),
        ),
        case("GET", "/shops/{id}", Missing, "", None),
        case("POST", "/shops/{id}/claims", Missing, "", Form(&[])),
        case("GET", "/staff", Own, "", None),
        case("POST", "/staff", Own, "", Form(&[("name", "mine too"), ("all_shops", "yes")])),
        case("GET", "/staff/new", Own, "", None),
        case("GET", "/staff/{id}", Missing, "", None),
        case("POST", "/staff/{id}", Missing, "", Form(&[("name", "taken over"), ("all_shops", "yes"), ("seen", "1")])),
        case("POST", "/staff/{id}/pin", Missing, "", Form(&[("pin", "4711")])),
        case("POST", "/staff/{id}/end", Missing, "", Form(&[])),
        case("GET", "/staff/rules/{shop}", Missing, "", None),
        case("POST", "/staff/rules/{shop}", Missing, "", Form(&[("seen", "0")])),
        case("GET", "/nodes", Own, "", None),
        case("GET", "/nodes/{id}", Missing, "", None),
        case("GET", "/products", Own, "", None),
        case("GET", "/products/new", Own, "", None),
        case("POST", "/products", Own, "", Form(&[("code", "NEW-2"), ("description", "mine"), ("unit_price", "1.00")])),
        case("GET", "/products/item", Missing, "?code={code}", None),
        case(
            "POST",
            "/products/item",
            Own,
            "",
            Form(&[("code", "{code}"), ("seen", "1"), ("description", "taken over"), ("unit_price", "0.01")]),
        ),
        case("POST", "/products/item/remove", Own, "", Form(&[("code", "{code}"), ("seen", "1")])),
        case(
            "POST",
            "/products/item/price",
            Own,
            "",
            Form(&[("code", "{code}"), ("seen", "1"), ("unit_price", "0.01")]),
        ),
        case("GET", "/products/import", Own, "", None),
        case("GET", "/products/import/template.csv", Own, "", None),
        case("POST", "/products/import", Own, "", File(CSV)),
        case("GET", "/products/imports/{id}", Missing, "", None),
        case("GET", "/products/imports/{id}/report.csv", Missing, "", None),
        open("GET", "/sign-in/sso", "whoever is not signed in", None),
        open("POST", "/sign-in/sso", "it names no more than who has a provider", Form(&[("email", "x@y.example")])),
        open("GET", "/sign-in/sso/start", "the way to a provider, which asks who it is", None),
        open("GET", "/sign-in/sso/callback", "what the provider signed is the credential", None),
        case("GET", "/settings/sso", Own, "", None),
        case(
            "POST",
            "/settings/sso",
            Own,
            "",
            Form(&[
                ("label", "mine"),
                ("issuer", "https://id.ours.example"),
                ("client_id", "x"),
                ("client_secret", "x"),
            ]),
        ),
        case("GET", "/settings/sso/new", Own, "", None),
        case("GET", "/settings/sso/{id}", Missing, "", None),
        case("POST", "/settings/sso/{id}", Missing, "", Form(&[("seen", "1"), ("label", "x"), ("client_id", "x")])),
        case("POST", "/settings/sso/{id}/test", Missing, "", Form(&[])),
        case("POST", "/settings/sso/{id}/remove", Missing, "", Form(&[("seen", "1")])),
        case("GET", "/me/sso", Own, "", None),
        case("POST", "/me/sso/{id}/link", Missing, "", Form(&[])),
        case("POST", "/me/sso/{id}/unlink", Missing, "", Form(&[])),
        case("GET", "/notifications", Own, "", None),
        case("POST", "/notifications/read", Own, "", Form(&[])),
        case("POST", "/notifications/{notice_id}/read", Missing, "", Form(&[])),
        case("POST", "/notifications/preferences", Own, "", Form(&[("people", "on")])),
        case("POST", "/sign-out", NotTried("it names nothing and ends the session that tries"), "", Form(&[])),
    ]
}

/// The message for a route that has no case.
pub fn missing(kind: &str, method: &str, path: &str) -> String {
    format!(
        "{method} {path} has no case of isolation: add it to `{kind}()` in tests/tests/isolation/cases.rs, with a body \
         that the route takes, and `Missing` when it names a thing of a tenant (by path or query), `Own` when not"
    )
}

/// The path (and query) with the names of a side's things in it.
pub fn filled(case: &Case, side: &Side) -> String {
    let filled = fill(&format!("{}{}", case.path, case.query), case.path, side);
    assert!(!filled.contains('{'), "{filled} has a parameter that cases.rs does not know: add it to `fill`");
    filled
}

/// A text with the names of a side's things in it, for a route of that path.
pub fn fill(text: &str, path: &str, side: &Side) -> String {
    let id = match path.split('/').find(|word| !word.is_empty()) {
        _ if path.contains("/sso/") => &side.provider,
        _ if path.contains("/staff/") => &side.staff,
        Some("nodes") => &side.node,
        Some("products") => &side.import,
        _ => &side.shop,
    };
    let names = [
        ("{id}", id),
        ("{shop}", &side.shop),
        ("{shop_id}", &side.shop),
        ("{notice_id}", &side.notice),
        ("{node}", &side.node),
        ("{node_id}", &side.node),
        ("{term}", &"1".to_owned()),
        ("{seq}", &"1".to_owned()),
        ("{code}", &side.code),
        ("{token}", &"0".to_owned()),
        ("{session_id}", &side.shop),
        ("{visit_id}", &side.shop),
        ("{job_id}", &side.shop),
        ("{tenant_id}", &side.tenant.to_string()),
        ("{door}", &"confirm".to_owned()),
        ("{hash}", &"0".to_owned()),
        ("{*name}", &"style.css".to_owned()),
    ];
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}
