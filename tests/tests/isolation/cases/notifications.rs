//! What a person is told.

use serde_json::json;

use super::{Case, get, post, put};

const NOTICES: &str = "one's own notices";

pub fn cases() -> Vec<Case> {
    vec![
        get("/v1/notifications").own(NOTICES),
        get("/v1/notifications/unread").own(NOTICES),
        post("/v1/notifications/read").own(NOTICES),
        post("/v1/notifications/{notice_id}/read").own(NOTICES).missing(),
        get("/v1/notifications/preferences").own(NOTICES),
        put("/v1/notifications/preferences").own(NOTICES).json(json!({"people": true})),
        get("/notifications").own(NOTICES),
        post("/notifications/read").own(NOTICES).form(&[]),
        post("/notifications/{notice_id}/read").own(NOTICES).form(&[]).missing(),
        post("/notifications/preferences").own(NOTICES).form(&[("people", "on")]),
    ]
}
