//! Roles and who holds them, regions, modules, the record of what was done.

use control_plane::auth::policy::Permission as P;
use serde_json::json;

use super::{Case, delete, get, post, put};

pub fn cases() -> Vec<Case> {
    let role = || json!({"name": "mine", "permissions": ["shops.read"]});
    let give = || json!({"person_id": "{person}", "role": "{role}"});
    let mut cases = vec![
        get("/v1/rbac/roles").can(P::RolesRead),
        post("/v1/rbac/roles").can(P::RolesWrite).json(role()),
        get("/v1/rbac/roles/{id}").can(P::RolesRead).names("role"),
        put("/v1/rbac/roles/{id}").can(P::RolesWrite).names("role").json(role()),
        delete("/v1/rbac/roles/{id}").can(P::RolesWrite).names("role"),
        get("/v1/rbac/assignments").can(P::RolesRead).query("?person_id={person}"),
        post("/v1/rbac/assignments").can(P::RolesWrite).json(give()).refused(422),
        delete("/v1/rbac/assignments/{id}").can(P::RolesWrite).names("assignment"),
        get("/v1/rbac/explain").can(P::RolesRead).query("?person_id={person}&permission=shops.read").missing(),
        get("/v1/regions").can(P::CompanyRead),
        post("/v1/regions").can(P::CompanyWrite).json(json!({"name": "north"})),
        get("/v1/regions/{id}").can(P::CompanyRead).names("region"),
        put("/v1/regions/{id}").can(P::CompanyWrite).names("region").json(json!({"name": "taken over"})),
        delete("/v1/regions/{id}").can(P::CompanyWrite).names("region"),
        get("/v1/module-registry").can(P::CompanyRead),
        get("/v1/company/modules").can(P::CompanyRead),
        get("/v1/audit").can(P::AuditRead).query("?actor={person}"),
    ];
    cases.extend(pages());
    cases
}

fn pages() -> Vec<Case> {
    vec![
        get("/roles").can(P::RolesRead),
        post("/roles").can(P::RolesWrite).form(&[("name", "mine too"), ("p.shops.read", "on")]),
        get("/roles/new").can(P::RolesWrite),
        get("/roles/{id}").can(P::RolesRead).names("role"),
        post("/roles/{id}").can(P::RolesWrite).names("role").form(&[("name", "taken over"), ("seen", "1")]),
        post("/roles/{id}/remove").can(P::RolesWrite).names("role").form(&[("seen", "1")]),
        get("/people/{id}/roles").can(P::RolesRead).names("person"),
        post("/people/{id}/roles").can(P::RolesWrite).names("person").form(&[("role", "analyst")]),
        post("/people/{id}/roles/take").can(P::RolesWrite).names("person").form(&[("assignment", "{assignment}")]),
        get("/regions").can(P::CompanyRead),
        post("/regions").can(P::CompanyWrite).form(&[("name", "south")]),
        get("/regions/{id}").can(P::CompanyRead).names("region"),
        post("/regions/{id}").can(P::CompanyWrite).names("region").form(&[("name", "taken over"), ("seen", "1")]),
        post("/regions/{id}/remove").can(P::CompanyWrite).names("region").form(&[("seen", "1")]),
        get("/audit").can(P::AuditRead).query("?actor={person}"),
    ]
}
