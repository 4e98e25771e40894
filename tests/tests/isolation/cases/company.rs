//! The company itself: how it comes to be, its settings, its end, and letting an operator look in.

use control_plane::auth::policy::Permission as P;
use serde_json::json;

use super::{Case, get, patch, post};

const WANTS: &str = "whoever wants a company here";
const LINK: &str = "its link is the credential";
const SAME: &str = "the answer is the same for everybody";

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        post("/v1/registrations").everybody(WANTS).json(json!({"company": ""})),
        post("/v1/registrations/confirm").everybody(LINK).json(json!({"token": "0", "password": "0"})),
        post("/v1/registrations/resend").everybody(SAME).json(json!({"email": "x@y.example"})),
        post("/v1/me/companies").own("a company to come").json(json!({"company": "", "accept_terms": true})),
        get("/v1/company").can(P::CompanyRead),
        patch("/v1/company").can(P::CompanyWrite).json(json!({"locale": "en-GB"})),
        post("/v1/company/close").can(P::CompanyClose).json(json!({"name": "not the name"})),
        post("/v1/company/keep").can(P::CompanyClose).json(json!({})),
        get("/v1/company/getting-started").can(P::CompanyRead),
        get("/v1/company/support").can(P::CompanyRead),
        post("/v1/company/support/{visit_id}/allow").can(P::SupportAllow).missing().json(json!({})),
        post("/v1/company/support/{visit_id}/refuse").can(P::CompanyWrite).missing().json(json!({})),
        post("/v1/company/support/{visit_id}/end").can(P::CompanyRead).and_more().missing().json(json!({})),
    ];
    cases.extend(pages());
    cases
}

fn pages() -> Vec<Case> {
    vec![
        get("/register").everybody(WANTS),
        post("/register").everybody(WANTS).form(&[("company", "")]),
        post("/register/another").own("a company to come").form(&[("company", "")]),
        get("/register/confirm").everybody(LINK),
        post("/register/confirm").everybody(LINK).form(&[("token", "0"), ("password", "0")]),
        get("/register/resend").everybody(SAME),
        post("/register/resend").everybody(SAME).form(&[("email", "x@y.example")]),
        get("/terms").everybody("the same words for all"),
        get("/start").can(P::CompanyRead),
        get("/settings").can(P::CompanyRead),
        post("/settings").can(P::CompanyWrite).form(&[("name", "mine"), ("locale", "en-GB"), ("seen", "0")]),
        post("/settings/logo").can(P::CompanyWrite).file("no picture"),
        post("/settings/logo/remove").can(P::CompanyWrite).form(&[]),
        get("/settings/close").can(P::CompanyClose),
        post("/settings/close").can(P::CompanyClose).form(&[("name", "not the name")]),
        post("/settings/keep").can(P::CompanyClose).form(&[]),
        get("/company/logo").own("the picture above one's pages").not_tried("there is none on this ground"),
        get("/company/brand.css").own("the colour of one's pages").not_tried("nobody chose one on this ground"),
        get("/settings/support").can(P::CompanyRead),
        post("/settings/support/{visit_id}/allow").can(P::SupportAllow).missing().form(&[]),
        post("/settings/support/{visit_id}/refuse").can(P::CompanyWrite).missing().form(&[]),
        post("/settings/support/{visit_id}/end").can(P::CompanyRead).and_more().missing().form(&[]),
        post("/visit/leave").own("a guest's visit").form(&[]).not_tried("it names nothing, and there is no guest here"),
    ]
}
