//! Who somebody is: signing in and out, and one's own account; and the addresses that are nobody's.

use serde_json::json;

use super::{Case, get, post};

const ENDS: &str = "it names nothing and ends the session that tries";

pub fn cases() -> Vec<Case> {
    vec![
        get("/healthz").everybody("a load balancer asks"),
        get("/readyz").everybody("a load balancer asks"),
        post("/v1/auth/login")
            .everybody("its body is the credential")
            .json(json!({"email": "x@y.example", "password": "no such person"})),
        post("/v1/auth/refresh").everybody("its body is the credential").json(json!({"refresh_token": "0"})),
        post("/v1/auth/logout").own("one's session").json(json!({})).not_tried(ENDS),
        get("/v1/auth/me").own("who one is"),
        get("/assets/{hash}/{*name}").everybody("styles and scripts, the same for all"),
        get("/sign-in").everybody("whoever is not signed in"),
        post("/sign-in")
            .everybody("its body is the credential")
            .form(&[("email", "x@y.example"), ("password", "no such person")]),
        post("/sign-in/company")
            .everybody("a ticket of the sign-in is the credential")
            .form(&[("ticket", "0"), ("tenant", "0")]),
        post("/sign-out").own("one's session").form(&[]).not_tried(ENDS),
    ]
}
