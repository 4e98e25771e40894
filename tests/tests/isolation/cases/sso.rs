//! The company's own identity providers.

use control_plane::auth::policy::Permission as P;
use serde_json::json;

use super::{Case, delete, get, patch, post};

const LINKS: &str = "one's own accounts at the company's providers";

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        get("/v1/sso/providers").can(P::SsoRead),
        post("/v1/sso/providers").can(P::SsoWrite).json(
            json!({"label": "mine", "issuer": "https://id.mine.example", "client_id": "x", "client_secret": "x"}),
        ),
        get("/v1/sso/providers/{id}").can(P::SsoRead).names("provider"),
        patch("/v1/sso/providers/{id}").can(P::SsoWrite).names("provider").json(json!({"enabled": false})),
        delete("/v1/sso/providers/{id}").can(P::SsoWrite).names("provider"),
        post("/v1/sso/providers/{id}/test").can(P::SsoWrite).names("provider").json(json!({})),
    ];
    cases.extend(pages());
    cases
}

fn pages() -> Vec<Case> {
    vec![
        get("/sign-in/sso").everybody("whoever is not signed in"),
        post("/sign-in/sso").everybody("it names no more than who has a provider").form(&[("email", "x@y.example")]),
        get("/sign-in/sso/start").everybody("the way to a provider, which asks who it is"),
        get("/sign-in/sso/callback").everybody("what the provider signed is the credential"),
        get("/settings/sso").can(P::SsoRead),
        post("/settings/sso").can(P::SsoWrite).form(&[
            ("label", "mine"),
            ("issuer", "https://id.ours.example"),
            ("client_id", "x"),
            ("client_secret", "x"),
        ]),
        get("/settings/sso/new").can(P::SsoWrite),
        get("/settings/sso/{id}").can(P::SsoRead).names("provider"),
        post("/settings/sso/{id}").can(P::SsoWrite).names("provider").form(&[
            ("seen", "1"),
            ("label", "x"),
            ("client_id", "x"),
        ]),
        post("/settings/sso/{id}/test").can(P::SsoWrite).names("provider").form(&[]),
        post("/settings/sso/{id}/remove").can(P::SsoWrite).names("provider").form(&[("seen", "1")]),
        get("/me/sso").own(LINKS),
        post("/me/sso/{id}/link").own(LINKS).names("provider").of_the_company().form(&[]),
        post("/me/sso/{id}/unlink").own(LINKS).names("provider").of_the_company().form(&[]),
    ]
}
