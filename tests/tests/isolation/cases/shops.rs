//! Shops and their settings.

use control_plane::auth::policy::Permission as P;
use serde_json::json;

use super::{Case, get, patch, post};

pub fn cases() -> Vec<Case> {
    vec![
        get("/v1/shops").can(P::ShopsRead),
        post("/v1/shops")
            .can(P::ShopsCreate)
            .json(json!({"name": "mine", "timezone": "Europe/London", "currency": "GBP"})),
        get("/v1/shops/{id}").can(P::ShopsRead).names("shop"),
        patch("/v1/shops/{id}").can(P::ShopsWrite).names("shop").json(json!({"name": "taken over"})),
        get("/shops").can(P::ShopsRead),
        get("/shops/new").can(P::ShopsCreate),
        post("/shops").can(P::ShopsCreate).form(&[
            ("name", "mine too"),
            ("timezone", "Europe/London"),
            ("currency", "GBP"),
        ]),
        get("/shops/{id}").can(P::ShopsRead).names("shop"),
    ]
}
