//! Members, invitations, and the keys of programs.

use control_plane::auth::policy::Permission as P;
use serde_json::json;

use super::{Case, delete, get, post};

const LINK: &str = "a link is the credential";

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        get("/v1/people").can(P::PeopleRead),
        get("/v1/people/{id}").can(P::PeopleRead).names("person"),
        delete("/v1/people/{id}").can(P::PeopleWrite).names("person"),
        get("/v1/people/{id}/sessions").can(P::PeopleWrite).names("person"),
        delete("/v1/people/{id}/sessions").can(P::PeopleWrite).names("person"),
        delete("/v1/people/{id}/sessions/{session_id}").can(P::PeopleWrite).names("person"),
        get("/v1/invitations").can(P::PeopleRead),
        post("/v1/invitations")
            .can(P::PeopleWrite)
            .json(json!({"email": "invited@x.example", "roles": [{"role": "accountant"}]})),
        delete("/v1/invitations/{id}").can(P::PeopleWrite).names("invitation"),
        post("/v1/invitations/{id}/resend").can(P::PeopleWrite).names("invitation"),
        post("/v1/invitations/accept").everybody(LINK).json(json!({"token": "0", "password": "a new one"})),
        post("/v1/me/invitations/accept").own("what one was invited to").json(json!({"token": "0"})),
        get("/v1/keys").can(P::KeysRead),
        post("/v1/keys").can(P::KeysWrite).json(json!({"name": "mine", "permissions": ["sales.read"]})),
        delete("/v1/keys/{id}").can(P::KeysWrite).names("key"),
    ];
    cases.extend(pages());
    cases
}

fn pages() -> Vec<Case> {
    vec![
        get("/people").can(P::PeopleRead),
        get("/people/{id}").can(P::PeopleRead).names("person"),
        post("/people/{id}/end").can(P::PeopleWrite).names("person").form(&[]),
        post("/people/{id}/sessions/end").can(P::PeopleWrite).names("person").form(&[]),
        post("/people/{id}/sessions/{session_id}/end").can(P::PeopleWrite).names("person").form(&[]),
        get("/people/invite").can(P::PeopleWrite),
        post("/people/invite")
            .can(P::PeopleWrite)
            .and_more()
            .form(&[("email", "other@x.example"), ("role", "accountant")]),
        post("/people/invitations/{id}/resend").can(P::PeopleWrite).names("invitation").form(&[]),
        post("/people/invitations/{id}/revoke").can(P::PeopleWrite).names("invitation").form(&[]),
        get("/invitations/{token}").everybody(LINK),
        post("/invitations/{token}").everybody(LINK).form(&[("password", "a new one")]),
        get("/settings/keys").can(P::KeysRead),
        get("/settings/keys/new").can(P::KeysWrite),
        post("/settings/keys").can(P::KeysWrite).form(&[("name", "mine"), ("may", "sales.read"), ("days", "30")]),
        post("/settings/keys/{id}/revoke").can(P::KeysWrite).names("key").form(&[]),
    ]
}
