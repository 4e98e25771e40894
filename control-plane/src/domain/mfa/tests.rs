//! Second factors from the outside: a person sets one up, signs in with it, and everybody who tries it twice, too often or
//! too late is turned away, at one head office and at two.

mod thieves;

use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use totp_rs::Secret;

use super::rules;
use crate::app::App;
use crate::auth::seal::Sealer;
use crate::clock::Clock;
use crate::db::testing::TestDb;
use crate::domain::tenants;
use crate::http::docs;
use crate::http::testing::{Answer, call};
use crate::web::testing::Browser;
use protocol::timestamp::Timestamp;

const PASSWORD: &str = "correct horse";
const STEP: i64 = 30_000;

/// A head office with one owner, and what they hold.
struct Ground {
    test: TestDb,
    app: App,
    router: Router,
    email: String,
    person: String,
}

impl Ground {
    async fn lay() -> Self {
        let test = TestDb::new().await;
        let app = test.app(Clock::manual(Timestamp(1_800_000_000_000))).await;
        let router = docs::router(app.clone());
        let email = "owner@bakers.example".to_owned();
        let made = tenants::service::create(&app, "Bakers", &email, PASSWORD).await.unwrap();
        Self { test, app, router, email, person: made.owner.to_string() }
    }

    async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        call(&self.router, Method::POST, path, token, &body).await
    }

    async fn login(&self) -> Answer {
        self.post("/v1/auth/login", None, json!({ "email": self.email, "password": PASSWORD })).await
    }

    /// Signs in with the password alone, as it is before there is a second factor.
    async fn token(&self) -> String {
        text(&self.login().await, "access_token")
    }

    /// A sign-in that waits for its second factor.
    async fn waiting(&self) -> String {
        let login = self.login().await;
        assert_eq!(login.status, StatusCode::OK, "{login:?}");
        login.body["data"]["mfa"]["token"].as_str().unwrap_or_else(|| panic!("{login:?}")).to_owned()
    }

    fn code(&self, secret: &str) -> String {
        let secret = Secret::try_from_base32(secret).unwrap();
        let totp = rules::totp(secret.as_ref(), "").unwrap();
        totp.generate(u64::try_from(self.app.clock.now().0 / 1_000).unwrap()).to_string()
    }

    /// Sets up an app; its secret and the recovery codes. The code's step is used, so time goes on.
    async fn enrol(&self, token: &str) -> (String, Vec<String>) {
        let begun = self.post("/v1/me/mfa/totp", Some(token), json!({})).await;
        let secret = text(&begun, "secret");
        assert!(text(&begun, "qr_svg").starts_with("<svg") && text(&begun, "address").contains(&secret), "{begun:?}");
        let done = self.post("/v1/me/mfa/totp/confirm", Some(token), json!({ "code": self.code(&secret) })).await;
        assert_eq!(done.status, StatusCode::OK, "{done:?}");
        let codes = done.body["data"]["recovery_codes"].as_array().unwrap();
        let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        self.app.clock.advance_millis(STEP);
        (secret, codes)
    }

    async fn show(&self, router: &Router, waiting: &str, kind: &str, code: &str) -> Answer {
        call(router, Method::POST, "/v1/auth/mfa", None, &json!({ "token": waiting, kind: code })).await
    }
}

fn text(answer: &Answer, field: &str) -> String {
    answer.body["data"][field].as_str().unwrap_or_else(|| panic!("no {field} in {answer:?}")).to_owned()
}

#[tokio::test]
async fn a_person_sets_up_an_app_and_signs_in_with_its_codes_each_once() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    let (secret, codes) = ground.enrol(&token).await;
    assert_eq!(codes.len(), rules::CODES);
    let standing = call(&ground.router, Method::GET, "/v1/me/mfa", Some(&token), &json!({})).await;
    let data = &standing.body["data"];
    assert_eq!((&data["totp"], &data["recovery_codes_left"]), (&json!(true), &json!(10)), "{standing:?}");
    assert_eq!(data["session_has_mfa"], json!(true), "whoever sets it up has shown it");

    let login = ground.login().await;
    assert_eq!(login.body["data"]["mfa"]["methods"], json!(["totp", "recovery"]), "{login:?}");
    assert!(login.body["data"]["access_token"].is_null());
    let waiting = ground.waiting().await;
    let refused = ground.show(&ground.router, &waiting, "totp", "000000").await;
    assert_eq!((refused.status, refused.code()), (StatusCode::UNAUTHORIZED, "AUTHN"));
    let code = ground.code(&secret);
    let entered = ground.show(&ground.router, &waiting, "totp", &code).await;
    assert_eq!(entered.status, StatusCode::OK, "{entered:?}");
    let mine = call(&ground.router, Method::GET, "/v1/me/mfa", Some(&text(&entered, "access_token")), &json!({})).await;
    assert_eq!(mine.body["data"]["session_has_mfa"], json!(true));

    // Neither the token nor the code works again, also not the code of the step before.
    assert_eq!(ground.show(&ground.router, &waiting, "totp", &code).await.status, StatusCode::UNAUTHORIZED);
    let waiting = ground.waiting().await;
    assert_eq!(ground.show(&ground.router, &waiting, "totp", &code).await.status, StatusCode::UNAUTHORIZED);
    ground.app.clock.advance_millis(2 * STEP);
    let next = ground.code(&secret);
    ground.app.clock.advance_millis(-STEP);
    assert_eq!(ground.show(&ground.router, &waiting, "totp", &next).await.status, StatusCode::OK, "one step early");
    let waiting = ground.waiting().await;
    let between = ground.code(&secret);
    assert_eq!(ground.show(&ground.router, &waiting, "totp", &between).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn of_two_who_bring_the_same_code_at_once_to_two_head_offices_one_comes_in() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    let (secret, codes) = ground.enrol(&token).await;
    let other = App { db: ground.test.another(), ..ground.app.clone() };
    let other = docs::router(other);
    for kind in ["totp", "recovery"] {
        let (first, second) = (ground.waiting().await, ground.waiting().await);
        let code = if kind == "totp" { ground.code(&secret) } else { codes[0].clone() };
        let (a, b) =
            tokio::join!(ground.show(&ground.router, &first, kind, &code), ground.show(&other, &second, kind, &code));
        let mut came = [a.status.as_u16(), b.status.as_u16()];
        came.sort_unstable();
        assert_eq!(came, [200, 401], "{kind}: {a:?} {b:?}");
    }
    // And one sign-in that waits is ended once, though two bring codes that are both good.
    let waiting = ground.waiting().await;
    let (a, b) = tokio::join!(
        ground.show(&ground.router, &waiting, "recovery", &codes[1]),
        ground.show(&other, &waiting, "recovery", &codes[2])
    );
    let mut came = [a.status.as_u16(), b.status.as_u16()];
    came.sort_unstable();
    assert_eq!(came, [200, 401], "{a:?} {b:?}");
}

#[tokio::test]
async fn a_recovery_code_works_once_and_new_ones_end_the_old() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    let (_, codes) = ground.enrol(&token).await;
    let typed = codes[3].to_uppercase().replace('-', " ");
    let entered = ground.show(&ground.router, &ground.waiting().await, "recovery", &typed).await;
    assert_eq!(entered.status, StatusCode::OK, "{entered:?}");
    let again = ground.show(&ground.router, &ground.waiting().await, "recovery", &codes[3]).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    let renewed = ground.post("/v1/me/mfa/recovery-codes", Some(&token), json!({})).await;
    let new = renewed.body["data"]["recovery_codes"][0].as_str().unwrap().to_owned();
    let old = ground.show(&ground.router, &ground.waiting().await, "recovery", &codes[4]).await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ground.show(&ground.router, &ground.waiting().await, "recovery", &new).await.status, StatusCode::OK);
}

#[tokio::test]
async fn six_tries_are_one_too_many_whichever_sign_in_they_belong_to() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    let (secret, _) = ground.enrol(&token).await;
    for _ in 0..5 {
        let refused = ground.show(&ground.router, &ground.waiting().await, "totp", "123456").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }
    let waiting = ground.waiting().await;
    let refused = ground.show(&ground.router, &waiting, "totp", &ground.code(&secret)).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT"), "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    ground.app.clock.advance_millis(15 * 60_000 + 1_000);
    let late = ground.show(&ground.router, &waiting, "totp", &ground.code(&secret)).await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED, "the sign-in waited too long");
    let entered = ground.show(&ground.router, &ground.waiting().await, "totp", &ground.code(&secret)).await;
    assert_eq!(entered.status, StatusCode::OK, "{entered:?}");
}

#[tokio::test]
async fn what_changes_a_factor_wants_a_fresh_word_of_its_owner() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    ground.app.clock.advance_millis(10 * 60_000);
    let refused = ground.post("/v1/me/mfa/totp", Some(&token), json!({})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.body["error"]["details"]["reason"], "step_up_required", "{refused:?}");
    for body in [json!({}), json!({ "password": "wrong one" }), json!({ "password": "a", "totp": "b" })] {
        assert_eq!(ground.post("/v1/auth/step-up", Some(&token), body).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let word = json!({ "password": PASSWORD });
    assert_eq!(ground.post("/v1/auth/step-up", Some(&token), word.clone()).await.status, StatusCode::OK);
    let (secret, _) = ground.enrol(&token).await;
    // A code proves it too, and makes another session one with a second factor.
    let entered = ground.show(&ground.router, &ground.waiting().await, "totp", &ground.code(&secret)).await;
    let second = text(&entered, "access_token");
    ground.app.clock.advance_millis(11 * 60_000);
    let word = json!({ "totp": ground.code(&secret) });
    assert_eq!(ground.post("/v1/auth/step-up", Some(&second), word.clone()).await.status, StatusCode::OK);
    assert_eq!(ground.post("/v1/auth/step-up", Some(&second), word).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Removing it ends the other session, and the next sign-in asks for the password alone.
    let gone = call(&ground.router, Method::DELETE, "/v1/me/mfa/totp", Some(&second), &json!({})).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{gone:?}");
    let ended = call(&ground.router, Method::GET, "/v1/me/mfa", Some(&token), &json!({})).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    let mine = call(&ground.router, Method::GET, "/v1/me/mfa", Some(&second), &json!({})).await;
    assert_eq!(mine.body["data"]["recovery_codes_left"], json!(0));
    assert_eq!(mine.body["data"]["session_has_mfa"], json!(false));
    assert!(!ground.token().await.is_empty());
}

#[tokio::test]
async fn a_secret_is_sealed_at_rest_and_opens_for_its_own_head_office_alone() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    let (secret, codes) = ground.enrol(&token).await;
    let plain = Secret::try_from_base32(&secret).unwrap();
    let mut admin = ground.test.superuser().await;
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed FROM platform.totp").fetch_one(&mut admin).await.unwrap();
    assert!(!sealed.windows(plain.len()).any(|window| window == AsRef::<[u8]>::as_ref(&plain)));
    let kept: String = sqlx::query_scalar("SELECT string_agg(t::text, ' ') FROM platform.recovery_codes t")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert!(codes.iter().all(|code| !kept.contains(code.as_str())));
    let stranger = docs::router(App { sealer: Sealer::throwaway(), ..ground.app.clone() });
    let answer = ground.show(&stranger, &ground.waiting().await, "totp", &ground.code(&secret)).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.body.to_string().contains("seal"), "{answer:?}");
    // Who did it, and what, stands in the record; nothing secret does.
    let record: String =
        sqlx::query_scalar("SELECT string_agg(a::text, ' ') FROM app.audit a").fetch_one(&mut admin).await.unwrap();
    assert!(
        record.contains("mfa.totp_added") && record.contains(&ground.person) && !record.contains(&secret),
        "{record}"
    );
}

#[tokio::test]
async fn at_the_pages_a_code_comes_after_the_password() {
    let ground = Ground::lay().await;
    let mut browser = Browser::signed_in(&ground.app, &ground.email, PASSWORD).await;
    let page = browser.get("/me/security?next=/shops").await;
    assert!(page.status == StatusCode::OK && page.text.contains("Set up an authenticator app"), "{}", page.text);
    let csrf = page.hidden("csrf");
    let began = browser.post("/me/security/totp", &[("csrf", &csrf), ("next", "/shops")]).await;
    assert_eq!(began.location(), "/me/security/totp?next=/shops");
    let page = browser.get("/me/security/totp?next=/shops").await;
    let secret = page.text.split("class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
    let wrong = browser.post("/me/security/totp/confirm", &[("csrf", &csrf), ("code", "000000")]).await;
    assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.text.contains("not the code"), "{}", wrong.text);
    let fields = [("csrf", csrf.as_str()), ("code", &ground.code(&secret)), ("next", "/shops")];
    let codes = browser.post("/me/security/totp/confirm", &fields).await;
    assert!(codes.text.contains("Put these codes away") && codes.text.contains("href=\"/shops\""), "{}", codes.text);
    ground.app.clock.advance_millis(STEP);

    let mut browser = Browser::new(&ground.app);
    let asked = browser.post("/sign-in", &[("email", &ground.email), ("password", PASSWORD), ("next", "/shops")]).await;
    assert_eq!(asked.location(), "/sign-in/second?next=/shops", "{asked:?}");
    assert_eq!(browser.get("/shops").await.status, StatusCode::SEE_OTHER, "not in yet");
    let page = browser.get("/sign-in/second?next=/shops").await;
    assert!(page.text.contains("One more step") && page.text.contains("recovery code"), "{}", page.text);
    let wrong = browser.post("/sign-in/second", &[("code", "000000"), ("next", "/shops")]).await;
    assert!(wrong.status == StatusCode::UNAUTHORIZED && wrong.text.contains("wrong"), "{wrong:?}");
    let entered = browser.post("/sign-in/second", &[("code", &ground.code(&secret)), ("next", "/shops")]).await;
    assert_eq!((entered.status, entered.location()), (StatusCode::SEE_OTHER, "/shops"), "{entered:?}");
    assert!(!browser.cookies.contains_key("tillway-step"));
    assert_eq!(browser.get("/shops").await.status, StatusCode::OK);
    // Without a sign-in that waits there is no second step.
    assert_eq!(Browser::new(&ground.app).get("/sign-in/second").await.location(), "/sign-in");

    // Later what is sensitive asks again who it is, and comes back.
    ground.app.clock.advance_millis(11 * 60_000);
    let page = browser.get("/me/security").await;
    let csrf = page.hidden("csrf");
    let aside = browser.post("/me/security/totp/remove", &[("csrf", &csrf)]).await;
    assert_eq!(aside.location(), "/me/confirm?next=/me/security");
    let wrong = browser.post("/me/confirm", &[("csrf", &csrf), ("password", "nope"), ("next", "/me/security")]).await;
    assert!(wrong.text.contains("This is not your password."), "{wrong:?}");
    let done = browser.post("/me/confirm", &[("csrf", &csrf), ("password", PASSWORD), ("next", "/me/security")]).await;
    assert_eq!(done.location(), "/me/security", "{done:?}");
    let gone = browser.post("/me/security/totp/remove", &[("csrf", &csrf)]).await;
    assert_eq!(gone.location(), "/me/security");
    assert!(browser.get("/me/security").await.text.contains("The authenticator app is removed."));
}

#[tokio::test]
async fn an_owner_takes_a_lost_factor_off_a_member_but_not_off_somebody_of_another_company() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    ground.enrol(&token).await;
    // Another company's owner knows nobody here; nobody takes off their own this way.
    let (_, other, _) = crate::http::testing::signed_in(&ground.app, &ground.router, "other").await;
    let path = format!("/v1/people/{}/mfa", ground.person);
    let delete =
        async |token: &str, path: &str| call(&ground.router, Method::DELETE, path, Some(token), &json!({})).await;
    assert_eq!(delete(&other, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(delete(&token, &path).await.status, StatusCode::CONFLICT);
    // What is the platform's does not exist for a company.
    assert_eq!(delete(&other, &format!("/v1/platform{}", &path[3..])).await.status, StatusCode::NOT_FOUND);

    // A second owner may, and the factor's owner hears of it and signs in with the password alone.
    let made = tenants::service::create(&ground.app, "Elsewhere", "second@bakers.example", PASSWORD).await.unwrap();
    let tenant = ground.app.keys.verify(&ground.app.db, &token, ground.app.clock.now()).await.unwrap().tenant;
    let mut tx = crate::db::TenantTx::begin(&ground.app.db, tenant).await.unwrap();
    crate::domain::identity::service::add_owner(&mut tx, made.owner, ground.app.clock.now()).await.unwrap();
    tx.save().await.unwrap();
    let login = json!({ "email": "second@bakers.example", "password": PASSWORD, "tenant": tenant });
    let second = text(&ground.post("/v1/auth/login", None, login).await, "access_token");
    let done = delete(&second, &path).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{done:?}");
    let ended = call(&ground.router, Method::GET, "/v1/me/mfa", Some(&token), &json!({})).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED, "their sessions ended");
    assert_eq!(delete(&second, &path).await.status, StatusCode::CONFLICT, "nothing is left to take off");
    let token = ground.token().await;
    // The second owner belongs to two companies: this one alone cannot weaken the sign-in to the other.
    let path = format!("/v1/people/{}/mfa", made.owner);
    let refused = delete(&token, &path).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("other companies"), "{refused:?}");
}
