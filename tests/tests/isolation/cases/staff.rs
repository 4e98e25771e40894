//! Who works at the lanes, and the rules of a shop for them.

use control_plane::auth::policy::Permission as P;
use serde_json::json;

use super::{Case, get, patch, post, put};

pub fn cases() -> Vec<Case> {
    vec![
        get("/v1/staff").can(P::StaffRead),
        post("/v1/staff").can(P::StaffWrite).json(json!({"name": "mine", "shop_ids": ["{shop}"]})).refused(422),
        get("/v1/staff/{id}").can(P::StaffRead).names("staff"),
        patch("/v1/staff/{id}").can(P::StaffWrite).names("staff").json(json!({"name": "taken over"})),
        put("/v1/staff/{id}/pin").can(P::StaffWrite).names("staff").json(json!({"pin": "4711"})),
        post("/v1/staff/{id}/end").can(P::StaffWrite).names("staff").json(json!({})),
        get("/v1/shops/{id}/staff-rules").can(P::StaffRead).names("shop"),
        put("/v1/shops/{id}/staff-rules")
            .can(P::StaffWrite)
            .names("shop")
            .json(json!({"cashier_required": true, "idle_minutes": 0, "no_sale": false})),
        get("/staff").can(P::StaffRead),
        post("/staff").can(P::StaffWrite).form(&[("name", "mine too")]),
        get("/staff/new").can(P::StaffWrite),
        get("/staff/{id}").can(P::StaffRead).names("staff"),
        post("/staff/{id}").can(P::StaffWrite).names("staff").form(&[("name", "taken over"), ("seen", "1")]),
        post("/staff/{id}/pin").can(P::StaffWrite).names("staff").form(&[("pin", "4711")]),
        post("/staff/{id}/end").can(P::StaffWrite).names("staff").form(&[]),
        get("/staff/rules/{shop}").can(P::StaffRead).missing(),
        post("/staff/rules/{shop}").can(P::StaffWrite).missing().form(&[("seen", "0")]),
    ]
}
