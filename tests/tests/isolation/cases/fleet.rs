//! Boxes in the shops, and the claims that bring them in.

use control_plane::auth::policy::Permission as P;
use serde_json::json;

use super::{Case, get, post};

pub fn cases() -> Vec<Case> {
    vec![
        post("/v1/enroll").everybody("a claim code is the credential").json(json!({})),
        post("/v1/shops/{id}/claims").can(P::FleetWrite).names("shop").json(json!({})),
        get("/v1/shops/{id}/completeness").can(P::SalesRead).names("shop"),
        get("/v1/nodes").can(P::FleetRead),
        post("/shops/{id}/claims").can(P::FleetWrite).names("shop").form(&[]),
        get("/nodes").can(P::FleetRead),
        get("/nodes/{id}").can(P::FleetRead).names("node"),
    ]
}
