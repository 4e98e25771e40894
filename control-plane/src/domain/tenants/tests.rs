//! A company comes, stands and goes: registered by a stranger, taken in by an operator, suspended, closed. What is said twice,
//! forged, over-posted or said by the wrong one changes nothing.

use axum::Router;
use axum::http::{Method, StatusCode};
use protocol::id::TenantId;
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::policy::PLATFORM_TENANT;
use crate::clock::Clock;
use crate::db::TenantTx;
use crate::db::testing::TestDb;
use crate::domain::operators;
use crate::http::docs;
use crate::http::testing::{Answer, call, signed_in};
use crate::web::testing::Browser;

pub(crate) const PASSWORD: &str = "four words in a row";
const DAY: i64 = 24 * 3_600 * 1_000;

pub(crate) struct Ground {
    pub(crate) test: TestDb,
    pub(crate) app: App,
    pub(crate) router: Router,
}

impl Ground {
    pub(crate) async fn lay() -> Self {
        let test = TestDb::new().await;
        let app = test.app(Clock::manual(Timestamp(1_800_000_000_000))).await;
        let router = docs::router(app.clone());
        Self { test, app, router }
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        call(&self.router, Method::POST, path, token, &body).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        call(&self.router, Method::GET, path, Some(token), &Value::Null).await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/v1/auth/login", None, json!({ "email": email, "password": password })).await
    }

    /// An operator who is signed in with a second factor, and just now.
    pub(crate) async fn operator(&self) -> String {
        operators::service::create(&self.app, "op@tillway.example", PASSWORD, "platform_admin").await.unwrap();
        let answer = self.login("op@tillway.example", PASSWORD).await;
        let token = answer.body["data"]["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        let refused = self.get("/v1/superadmin/tenants", &token).await;
        assert_eq!(
            (refused.status, refused.body["error"]["details"]["reason"].as_str()),
            (StatusCode::FORBIDDEN, Some("mfa_required"))
        );
        self.proved().await;
        token
    }

    /// Every session of an operator counts as proved by a second factor, now.
    pub(crate) async fn proved(&self) {
        sqlx::query("UPDATE app.sessions SET mfa_at = $2, stepped_up_at = $2 WHERE tenant_id = $1")
            .bind(PLATFORM_TENANT.as_uuid())
            .bind(self.app.clock.utc())
            .execute(&mut self.test.superuser().await)
            .await
            .unwrap();
    }

    /// Does the work that waits; the texts of all mails so far.
    pub(crate) async fn mails(&self) -> Vec<(String, String, String)> {
        crate::jobs::drain(&self.app).await.unwrap();
        self.app.outbox.captured().into_iter().map(|mail| (mail.to, mail.subject, mail.text)).collect()
    }

    /// The secret of the newest link to confirm an address.
    async fn token(&self, to: &str) -> String {
        let mails = self.mails().await;
        let (.., text) = mails.iter().rev().find(|(whom, _, text)| whom == to && text.contains("token=")).unwrap();
        text.split("token=").nth(1).unwrap().chars().take_while(char::is_ascii_hexdigit).collect()
    }

    async fn actions(&self, tenant: TenantId) -> Vec<String> {
        let mut tx = TenantTx::begin(&self.app.db, tenant).await.unwrap();
        // The clock of a test stands: what is done at one moment has no order.
        sqlx::query_scalar("SELECT action FROM app.audit ORDER BY at, action").fetch_all(tx.conn()).await.unwrap()
    }
}

fn registration(company: &str, email: &str) -> Value {
    json!({
        "company": company, "email": email, "name": "Ada", "password": PASSWORD, "country": "gb", "accept_terms": true,
        "shop": { "name": "High Street", "timezone": "Europe/London", "currency": "GBP" },
    })
}

#[tokio::test]
async fn a_stranger_registers_and_sells_nothing_before_an_operator_says_so() {
    let ground = Ground::lay().await;
    let (_, owner, _) = signed_in(&ground.app, &ground.router, "known").await;
    let new = ground.post("/v1/registrations", None, registration("Bakers", "ada@bakers.example")).await;
    let known = ground.post("/v1/registrations", None, registration("Bakers", "owner@known.example")).await;
    assert_eq!((new.status, &new.body), (StatusCode::ACCEPTED, &known.body), "whether an address is known is not told");
    let mails = ground.mails().await;
    let subject = |to: &str| mails.iter().find(|(whom, ..)| whom == to).map(|(_, subject, _)| subject.as_str());
    assert_eq!(subject("owner@known.example"), Some("You have a sign-in already"));
    assert_eq!(subject("ada@bakers.example"), Some("Confirm your e-mail address"));

    // Nobody signs in with it, and no operator's word is good before the address is proved.
    assert_eq!(ground.login("ada@bakers.example", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let operator = ground.operator().await;
    let list = ground.get("/v1/superadmin/registrations", &operator).await;
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1, "{list:?}");
    let id = list.body["data"][0]["id"].as_str().unwrap().to_owned();
    let approve = format!("/v1/superadmin/registrations/{id}/approve");
    assert_eq!(ground.post(&approve, Some(&operator), json!({})).await.status, StatusCode::CONFLICT);
    assert_eq!(ground.post(&approve, Some(&owner), json!({})).await.status, StatusCode::NOT_FOUND, "no operator");

    let token = ground.token("ada@bakers.example").await;
    let confirm = async |token: &str, password: &str| {
        ground.post("/v1/registrations/confirm", None, json!({ "token": token, "password": password })).await
    };
    for (token, password) in
        [("0".repeat(64), PASSWORD), (token.clone(), "somebody else's words"), (String::new(), PASSWORD)]
    {
        assert_eq!(confirm(&token, password).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let done = confirm(&token, PASSWORD).await;
    assert_eq!((done.status, done.body["data"]["state"].as_str()), (StatusCode::OK, Some("waiting")), "{done:?}");
    assert_eq!(confirm(&token, PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY, "a link works once");
    assert_eq!(
        ground.login("ada@bakers.example", PASSWORD).await.status,
        StatusCode::UNAUTHORIZED,
        "not before approval"
    );

    let done = ground.post(&approve, Some(&operator), json!({})).await;
    assert_eq!((done.status, done.body["data"]["state"].as_str()), (StatusCode::OK, Some("approved")), "{done:?}");
    assert_eq!(ground.post(&approve, Some(&operator), json!({})).await.status, StatusCode::CONFLICT, "twice");
    let refuse = ground.post(&approve.replace("approve", "refuse"), Some(&operator), json!({ "reason": "no" })).await;
    assert_eq!(refuse.status, StatusCode::CONFLICT, "after an approval");

    let tenant: TenantId = done.body["data"]["tenant_id"].as_str().unwrap().parse().unwrap();
    let ada = ground.login("ada@bakers.example", PASSWORD).await;
    let ada = ada.body["data"]["access_token"].as_str().unwrap();
    let shops = ground.get("/v1/shops", ada).await;
    assert_eq!(shops.body["data"][0]["name"], "High Street", "{shops:?}");
    let steps = ground.get("/v1/company/getting-started", ada).await;
    let done: Vec<bool> =
        steps.body["data"].as_array().unwrap().iter().map(|step| step["done"].as_bool().unwrap()).collect();
    assert_eq!(done, [true, false, false, false]);
    assert!(ground.mails().await.iter().any(|(to, subject, text)| {
        to == "ada@bakers.example" && subject == "Bakers is approved" && text.contains("/sign-in?next=/start")
    }));
    assert_eq!(ground.actions(tenant).await, ["company.made", "shops.created"]);
    assert!(ground.actions(PLATFORM_TENANT).await.contains(&"company.approved".to_owned()));
}

#[tokio::test]
async fn a_person_who_is_known_registers_another_company_and_a_refusal_says_why() {
    let ground = Ground::lay().await;
    let (_, owner, _) = signed_in(&ground.app, &ground.router, "known").await;
    let operator = ground.operator().await;
    for (company, status) in [("Second", 201), ("Third", 201), ("Second", 409)] {
        let asked = json!({ "company": company, "accept_terms": true });
        assert_eq!(ground.post("/v1/me/companies", Some(&owner), asked).await.status.as_u16(), status, "{company}");
    }
    let list = ground.get("/v1/superadmin/registrations?state=waiting", &operator).await;
    let rows = list.body["data"].as_array().unwrap();
    let id = |name: &str| rows.iter().find(|row| row["company"] == name).unwrap()["id"].as_str().unwrap().to_owned();
    let approved = ground
        .post(&format!("/v1/superadmin/registrations/{}/approve", id("Second")), Some(&operator), json!({}))
        .await;
    assert_eq!(approved.status, StatusCode::OK, "{approved:?}");
    let refuse = format!("/v1/superadmin/registrations/{}/refuse", id("Third"));
    for bad in [
        json!({}),
        json!({ "reason": " " }),
        json!({ "reason": "x".repeat(501) }),
        json!({ "reason": "no", "state": "approved" }),
    ] {
        assert!(ground.post(&refuse, Some(&operator), bad).await.status.is_client_error());
    }
    let refused = ground.post(&refuse, Some(&operator), json!({ "reason": "We serve bakers only" })).await;
    assert_eq!((refused.status, refused.body["data"]["state"].as_str()), (StatusCode::OK, Some("refused")));
    let again = ground.post(&refuse.replace("refuse", "approve"), Some(&operator), json!({})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let mails = ground.mails().await;
    assert!(mails.iter().any(|(_, subject, text)| subject == "Third was not approved" && text.contains("bakers only")));
    let choose = ground.login("owner@known.example", "correct horse").await;
    let names: Vec<&str> =
        choose.body["data"]["tenants"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Second", "known"]);
}

#[tokio::test]
async fn ten_thousand_registrations_cost_a_handful() {
    let ground = Ground::lay().await;
    let before = ground.app.hasher.made();
    let mut taken = 0;
    for number in 0..10_000 {
        let answer =
            ground.post("/v1/registrations", None, registration("Flood", &format!("a{number}@flood.example"))).await;
        match answer.status {
            StatusCode::ACCEPTED => taken += 1,
            StatusCode::TOO_MANY_REQUESTS => assert!(answer.headers.contains_key("retry-after")),
            other => panic!("{other}: {answer:?}"),
        }
    }
    let hashed = ground.app.hasher.made() - before;
    assert!((1..=20).contains(&taken) && hashed <= 20, "{taken} taken, {hashed} hashed");
    // The owner of one address is not mailed again and again, and whoever asks hears nothing of it.
    ground.app.clock.advance_millis(DAY);
    ground.app.gates.forget();
    for _ in 0..6 {
        let answer = ground.post("/v1/registrations", None, registration("Flood", "one@flood.example")).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    let sent = ground.mails().await.into_iter().filter(|(to, ..)| to == "one@flood.example").count();
    assert_eq!(sent, 3);
}

#[tokio::test]
async fn what_is_wrong_with_a_registration_is_named_and_kept_nowhere() {
    let ground = Ground::lay().await;
    let with = |field: &str, value: Value| {
        let mut body = registration("Bakers", "ada@bakers.example");
        body[field] = value;
        body
    };
    for (field, value) in [
        ("company", json!("")),
        ("company", json!("a\nb")),
        ("email", json!("no address")),
        ("password", json!("short")),
        ("password", json!("x".repeat(1 << 20))),
        ("country", json!("Britain")),
        ("accept_terms", json!(false)),
        ("shop", json!({ "name": "A", "timezone": "Mars/Base", "currency": "GBP" })),
        ("tenant_id", json!("00000000-0000-7000-8000-000000000001")),
        ("state", json!("approved")),
    ] {
        let answer = ground.post("/v1/registrations", None, with(field, value)).await;
        assert!(answer.status.is_client_error() && answer.code() == "VALIDATION", "{field}: {answer:?}");
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM platform.registrations")
        .fetch_one(&mut ground.test.superuser().await)
        .await
        .unwrap();
    assert_eq!(kept, 0);
    // Another link ends the one before.
    ground.post("/v1/registrations", None, registration("Bakers", "ada@bakers.example")).await;
    let first = ground.token("ada@bakers.example").await;
    let resent = ground.post("/v1/registrations/resend", None, json!({ "email": "ada@bakers.example" })).await;
    let nobody = ground.post("/v1/registrations/resend", None, json!({ "email": "nobody@bakers.example" })).await;
    assert_eq!((resent.status, &resent.body), (StatusCode::ACCEPTED, &nobody.body));
    let second = ground.token("ada@bakers.example").await;
    assert_ne!(first, second);
    ground.app.clock.advance_millis(DAY - 1_000);
    let confirm = async |token: &str| {
        ground.post("/v1/registrations/confirm", None, json!({ "token": token, "password": PASSWORD })).await.status
    };
    assert_eq!(confirm(&first).await, StatusCode::UNPROCESSABLE_ENTITY);
    ground.app.clock.advance_millis(2_000);
    assert_eq!(confirm(&second).await, StatusCode::UNPROCESSABLE_ENTITY, "after a day");
}

#[tokio::test]
async fn a_suspended_company_looks_and_changes_nothing_and_is_told_why() {
    let ground = Ground::lay().await;
    let (tenant, owner, _) = signed_in(&ground.app, &ground.router, "bakers").await;
    let mut browser = Browser::signed_in(&ground.app, "owner@bakers.example", "correct horse").await;
    let operator = ground.operator().await;
    let to = |what: &str| format!("/v1/superadmin/tenants/{tenant}/{what}");
    assert_eq!(ground.post(&to("resume"), Some(&operator), json!({})).await.status, StatusCode::CONFLICT);
    let done = ground.post(&to("suspend"), Some(&operator), json!({ "reason": "The bill of May is open" })).await;
    assert_eq!((done.status, done.body["data"]["state"].as_str()), (StatusCode::OK, Some("suspended")), "{done:?}");
    assert_eq!(
        ground.post(&to("suspend"), Some(&operator), json!({ "reason": "again" })).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(ground.get("/v1/shops", &owner).await.status, StatusCode::OK);
    let shop = json!({ "name": "A", "timezone": "Europe/London", "currency": "GBP" });
    let refused = ground.post("/v1/shops", Some(&owner), shop.clone()).await;
    assert_eq!(refused.body["error"]["details"]["reason"], "suspended", "{refused:?}");
    let page = browser.get("/settings").await;
    assert!(
        page.text.contains("The bill of May is open") && page.text.contains("This account is suspended"),
        "{}",
        page.text
    );
    assert!(
        ground
            .mails()
            .await
            .iter()
            .any(|(_, subject, text)| subject == "bakers is suspended" && text.contains("bill of May"))
    );
    assert_eq!(ground.post(&to("resume"), Some(&operator), json!({})).await.status, StatusCode::OK);
    assert_eq!(ground.post("/v1/shops", Some(&owner), shop).await.status, StatusCode::CREATED);
    assert!(!browser.get("/settings").await.text.contains("suspended"));
    let actions = ground.actions(tenant).await;
    assert_eq!(actions.iter().filter(|action| action.starts_with("company.")).count(), 3, "{actions:?}");
    let platform = ground.actions(PLATFORM_TENANT).await;
    assert!(platform.contains(&"company.suspended".to_owned()) && platform.contains(&"company.resumed".to_owned()));
    let own = format!("/v1/superadmin/tenants/{PLATFORM_TENANT}/suspend");
    assert_eq!(ground.post(&own, Some(&operator), json!({ "reason": "x" })).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_company_is_closed_after_thirty_days_in_which_that_can_be_undone() {
    let ground = Ground::lay().await;
    let (tenant, owner, _) = signed_in(&ground.app, &ground.router, "bakers").await;
    let close = async |name: &str| ground.post("/v1/company/close", Some(&owner), json!({ "name": name })).await;
    assert_eq!(close("Bakers").await.status, StatusCode::UNPROCESSABLE_ENTITY, "the name as it stands");
    let closing = close("bakers").await;
    assert_eq!(
        (closing.status, closing.body["data"]["state"].as_str()),
        (StatusCode::OK, Some("closing")),
        "{closing:?}"
    );
    assert_eq!(close("bakers").await.status, StatusCode::CONFLICT);
    let kept = ground.post("/v1/company/keep", Some(&owner), json!({})).await;
    assert_eq!((kept.status, kept.body["data"]["state"].as_str()), (StatusCode::OK, Some("active")));
    assert_eq!(ground.post("/v1/company/keep", Some(&owner), json!({})).await.status, StatusCode::CONFLICT);
    ground.app.clock.advance_millis(60_000);
    assert_eq!(close("bakers").await.status, StatusCode::OK);
    // The job of the first time comes first and finds nothing to do.
    ground.app.clock.advance_millis(30 * DAY - 30_000);
    ground.mails().await;
    let owned = async || ground.login("owner@bakers.example", "correct horse").await.status;
    assert_eq!(owned().await, StatusCode::OK);
    ground.app.clock.advance_millis(60_000);
    ground.mails().await;
    assert_eq!(owned().await, StatusCode::UNAUTHORIZED, "nobody gets in any more");
    let standing: i64 =
        sqlx::query_scalar("SELECT count(*) FROM app.sessions WHERE tenant_id = $1 AND ended_at IS NULL")
            .bind(tenant.as_uuid())
            .fetch_one(&mut ground.test.superuser().await)
            .await
            .unwrap();
    assert_eq!(standing, 0);
    let operator = ground.operator().await;
    let seen = ground.get(&format!("/v1/superadmin/tenants/{tenant}"), &operator).await;
    assert_eq!(seen.body["data"]["state"], "closed", "{seen:?}");
    for what in ["suspend", "resume", "close", "keep"] {
        let answer = ground
            .post(&format!("/v1/superadmin/tenants/{tenant}/{what}"), Some(&operator), json!({ "reason": "x" }))
            .await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{what}");
    }
    assert_eq!(ground.actions(tenant).await.last().map(String::as_str), Some("company.closed"));
}

#[tokio::test]
async fn what_a_company_says_of_itself_stands_around_its_pages() {
    let ground = Ground::lay().await;
    let (_, owner, _) = signed_in(&ground.app, &ground.router, "bakers").await;
    let patch = async |seen: &str, body: Value| {
        let bearer = format!("Bearer {owner}");
        let headers = [("content-type", "application/json"), ("if-match", seen), ("authorization", bearer.as_str())];
        crate::http::testing::ask(&ground.router, Method::PATCH, "/v1/company", &headers, body.to_string().into()).await
    };
    let read = ground.get("/v1/company", &owner).await;
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let changed = patch(&tag, json!({ "display_name": "Bakers & Sons", "accent": "#AA3300", "locale": "de-de" })).await;
    assert_eq!((changed.status, &changed.body["data"]["accent"]), (StatusCode::OK, &json!("#aa3300")), "{changed:?}");
    assert_eq!(patch(&tag, json!({ "name": "Late" })).await.status, StatusCode::PRECONDITION_FAILED);
    for bad in [
        json!({ "accent": "red;}" }),
        json!({ "locale": "xx" }),
        json!({ "name": "" }),
        json!({ "suspended_at": null }),
    ] {
        assert!(patch("*", bad).await.status.is_client_error());
    }
    let mut browser = Browser::signed_in(&ground.app, "owner@bakers.example", "correct horse").await;
    let page = browser.get("/settings").await;
    assert!(page.text.contains("Bakers &#38; Sons") && page.text.contains("/company/brand.css"), "{}", page.text);
    assert_eq!(browser.get("/company/brand.css").await.text, ":root{--brand:#aa3300}\n");
    assert_eq!(browser.get("/company/logo").await.status, StatusCode::NOT_FOUND);
    assert!(browser.get("/start").await.text.contains("Import products"));
}
