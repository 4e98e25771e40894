//! Joining a company and leaving it.

use axum::Router;
use axum::http::{Method, StatusCode};
use protocol::id::TenantId;
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};

use super::rules::INVITATION_MILLIS;
use crate::app::App;
use crate::clock::Clock;
use crate::db::testing::TestDb;
use crate::http::docs;
use crate::http::testing::{Answer, call, signed_in};
use crate::jobs;
use crate::web::testing::Browser;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

struct Hq {
    _test: TestDb,
    app: App,
    router: Router,
    tenant: TenantId,
    owner: String,
}

impl Hq {
    async fn new() -> Self {
        let test = TestDb::new().await;
        let app = test.app(Clock::manual(NOW)).await;
        let router = docs::router(app.clone());
        let (tenant, owner, _) = signed_in(&app, &router, "one").await;
        Self { _test: test, app, router, tenant, owner }
    }

    async fn ask(&self, method: Method, path: &str, token: Option<&str>, body: Value) -> Answer {
        call(&self.router, method, path, token, &body).await
    }

    async fn invite(&self, by: &str, email: &str, role: &str) -> Answer {
        let body = json!({ "email": email, "roles": [{ "role": role }] });
        self.ask(Method::POST, "/v1/invitations", Some(by), body).await
    }

    /// The end of the link in the last mail to an address.
    async fn link_to(&self, address: &str) -> String {
        jobs::drain(&self.app).await.unwrap();
        let mails = self.app.outbox.captured();
        let mail = mails.into_iter().rev().find(|mail| mail.to == address).unwrap();
        let rest = mail.text.split("/invitations/").nth(1).unwrap().to_owned();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    async fn accept(&self, token: &str, password: &str) -> Answer {
        let body = json!({ "token": token, "password": password, "name": "Maria" });
        self.ask(Method::POST, "/v1/invitations/accept", None, body).await
    }

    async fn login(&self, email: &str, password: &str) -> String {
        let body = json!({ "email": email, "password": password, "tenant": self.tenant });
        let answer = self.ask(Method::POST, "/v1/auth/login", None, body).await;
        answer.body["data"]["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }

    /// Somebody who was invited and joined: their token and id.
    async fn joined(&self, email: &str, role: &str) -> (String, String) {
        assert_eq!(self.invite(&self.owner, email, role).await.status, StatusCode::CREATED);
        let link = self.link_to(email).await;
        let joined = self.accept(&link, "battery staple").await;
        assert_eq!(joined.status, StatusCode::OK, "{joined:?}");
        let token = self.login(email, "battery staple").await;
        let me = self.ask(Method::GET, "/v1/me", Some(&token), Value::Null).await;
        (token, me.body["data"]["person_id"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn somebody_new_is_invited_joins_and_leaves_with_everything_of_theirs() {
    let hq = Hq::new().await;
    let (token, person) = hq.joined("maria@x.example", "accountant").await;
    let list = hq.ask(Method::GET, "/v1/people", Some(&hq.owner), Value::Null).await;
    let names: Vec<&Value> = list.body["data"].as_array().unwrap().iter().map(|member| &member["name"]).collect();
    assert!(names.contains(&&json!("Maria")) && names.len() == 2, "{list:?}");
    let seen = hq.ask(Method::GET, "/v1/shops", Some(&token), Value::Null).await;
    assert_eq!(seen.status, StatusCode::OK, "{seen:?}");
    let ended = hq.ask(Method::DELETE, &format!("/v1/people/{person}"), Some(&token), Value::Null).await;
    assert_eq!(ended.status, StatusCode::FORBIDDEN, "an accountant ends nobody: {ended:?}");
    let ended = hq.ask(Method::DELETE, &format!("/v1/people/{person}"), Some(&hq.owner), Value::Null).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{ended:?}");
    let after = hq.ask(Method::GET, "/v1/shops", Some(&token), Value::Null).await;
    assert_eq!(after.status, StatusCode::UNAUTHORIZED, "at once");
    // Invited again, the roles of before are not theirs any more.
    hq.app.clock.advance_millis(16 * 60_000);
    let owner = hq.login("owner@one.example", "correct horse").await;
    assert_eq!(hq.invite(&owner, "maria@x.example", "technician").await.status, StatusCode::CREATED);
    let link = hq.link_to("maria@x.example").await;
    assert_eq!(hq.accept(&link, "wrong staple").await.status, StatusCode::UNAUTHORIZED, "known: their own password");
    assert_eq!(hq.accept(&link, "battery staple").await.status, StatusCode::OK);
    let one = hq.ask(Method::GET, &format!("/v1/people/{person}"), Some(&owner), Value::Null).await;
    let roles: Vec<&Value> = one.body["data"]["roles"].as_array().unwrap().iter().map(|role| &role["role"]).collect();
    assert_eq!(roles, [&json!("technician")], "{one:?}");
}

#[tokio::test]
async fn a_link_works_once_for_a_week_until_it_is_revoked_or_sent_again() {
    let hq = Hq::new().await;
    let made = hq.invite(&hq.owner, "maria@x.example", "accountant").await;
    let id = made.body["data"]["id"].as_str().unwrap().to_owned();
    let first = hq.link_to("maria@x.example").await;
    assert_eq!(hq.invite(&hq.owner, " MARIA@x.example", "manager").await.status, StatusCode::CONFLICT, "one at a time");
    let again = hq.ask(Method::POST, &format!("/v1/invitations/{id}/resend"), Some(&hq.owner), Value::Null).await;
    assert_eq!(again.status, StatusCode::OK, "{again:?}");
    let second = hq.link_to("maria@x.example").await;
    assert_eq!(hq.accept(&first, "battery staple").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(hq.accept(&second, "password1").await.body["error"]["details"]["field"], "password");
    assert_eq!(hq.accept(&second, "battery staple").await.status, StatusCode::OK);
    assert_eq!(hq.accept(&second, "battery staple").await.status, StatusCode::UNPROCESSABLE_ENTITY, "once");
    let member = hq.invite(&hq.owner, "maria@x.example", "manager").await;
    assert_eq!((member.status.as_u16(), member.code()), (409, "CONFLICT"), "a member is given a role instead");
    // Revoked, and expired.
    let made = hq.invite(&hq.owner, "pedro@x.example", "accountant").await;
    let path = format!("/v1/invitations/{}", made.body["data"]["id"].as_str().unwrap());
    let link = hq.link_to("pedro@x.example").await;
    assert_eq!(hq.ask(Method::DELETE, &path, Some(&hq.owner), Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(hq.accept(&link, "battery staple").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    hq.invite(&hq.owner, "pedro@x.example", "accountant").await;
    let link = hq.link_to("pedro@x.example").await;
    hq.app.clock.advance_millis(INVITATION_MILLIS);
    assert_eq!(hq.accept(&link, "battery staple").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn nobody_gives_or_ends_more_than_they_have_and_an_owner_stays() {
    let hq = Hq::new().await;
    let role = json!({ "name": "Helper", "permissions": ["people.read", "people.write", "shops.read"] });
    let role = hq.ask(Method::POST, "/v1/rbac/roles", Some(&hq.owner), role).await;
    let role = role.body["data"]["id"].as_str().unwrap_or_else(|| panic!("{role:?}")).to_owned();
    let (helper, _) = hq.joined("helper@x.example", &role).await;
    let beyond = hq.invite(&helper, "friend@x.example", "owner").await;
    assert_eq!((beyond.status.as_u16(), beyond.body["error"]["details"]["reason"].as_str()), (403, Some("beyond")));
    assert_eq!(hq.invite(&helper, "friend@x.example", &role).await.status, StatusCode::CREATED, "as much is fine");
    let me = hq.ask(Method::GET, "/v1/me", Some(&hq.owner), Value::Null).await;
    let owner = format!("/v1/people/{}", me.body["data"]["person_id"].as_str().unwrap());
    assert_eq!(hq.ask(Method::DELETE, &owner, Some(&helper), Value::Null).await.status, StatusCode::FORBIDDEN);
    let sessions = format!("{owner}/sessions");
    assert_eq!(hq.ask(Method::DELETE, &sessions, Some(&helper), Value::Null).await.status, StatusCode::FORBIDDEN);
    let last = hq.ask(Method::DELETE, &owner, Some(&hq.owner), Value::Null).await;
    assert_eq!((last.status.as_u16(), last.code()), (409, "CONFLICT"), "{last:?}");
    // What the inviter may not give any more is not given: the invitation ends with their membership.
    let link = hq.link_to("friend@x.example").await;
    let helper_id = hq.ask(Method::GET, "/v1/me", Some(&helper), Value::Null).await;
    let path = format!("/v1/people/{}", helper_id.body["data"]["person_id"].as_str().unwrap());
    assert_eq!(hq.ask(Method::DELETE, &path, Some(&hq.owner), Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(hq.accept(&link, "battery staple").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn whether_an_email_is_somebodys_elsewhere_is_not_told() {
    let hq = Hq::new().await;
    signed_in(&hq.app, &hq.router, "two").await;
    let known = hq.invite(&hq.owner, "owner@two.example", "accountant").await;
    let unknown = hq.invite(&hq.owner, "nobody@two.example", "accountant").await;
    let shape = |answer: &Answer| {
        let mut data = answer.body["data"].clone();
        for own in ["id", "email"] {
            data[own] = Value::Null;
        }
        (answer.status, data)
    };
    assert_eq!(shape(&known), shape(&unknown));
    let foreign = hq.ask(Method::GET, "/v1/people", Some(&hq.owner), Value::Null).await;
    assert!(!foreign.body.to_string().contains("two.example"), "{foreign:?}");
}

#[tokio::test]
async fn the_pages_of_people_lead_from_the_invitation_to_the_end() {
    let hq = Hq::new().await;
    let mut owner = Browser::signed_in(&hq.app, "owner@one.example", "correct horse").await;
    let csrf = owner.get("/people/invite").await.hidden("csrf");
    let form = [("csrf", csrf.as_str()), ("email", "maria@x.example"), ("role", "accountant"), ("place", "")];
    let page = owner.post("/people/invite", &form).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/people"), "{page:?}");
    let page = owner.get("/people").await;
    assert!(page.text.contains("maria@x.example") && page.text.contains("good for a week"), "{}", page.text);
    let path = format!("/invitations/{}", hq.link_to("maria@x.example").await);
    let mut maria = Browser::new(&hq.app);
    assert!(maria.get(&path).await.text.contains("Choose a password"));
    let page = maria.post(&path, &[("name", "<b>Maria</b>"), ("password", "battery staple")]).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/sign-in"), "{page:?}");
    assert!(maria.get(&path).await.text.contains("no longer good"));
    let list = owner.get("/people").await;
    assert!(list.text.contains("&#60;b&#62;Maria") && !list.text.contains("<b>Maria"), "{}", list.text);
    let id = list
        .text
        .split("href=\"/people/")
        .filter_map(|rest| rest.split('"').next())
        .find(|id| id.len() == 36 && list.text.split(id).nth(1).is_some_and(|rest| rest.contains("Maria")));
    let id = id.unwrap().to_owned();
    let page = owner.post(&format!("/people/{id}/end"), &[("csrf", csrf.as_str())]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
}
