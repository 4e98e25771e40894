//! What a security review asked for: whoever has only the password, or only a part of the rights, takes no second factor
//! off, and nothing here starves the rest of head office.

use std::time::Duration;

use protocol::id::{PersonId, TenantId};

use super::*;
use crate::auth::policy::{BuiltIn, PLATFORM_TENANT};
use crate::db::{Db, Limits, TenantTx};
use crate::domain::{identity, operators};

impl Ground {
    async fn ask(&self, method: Method, path: &str, token: &str) -> Answer {
        call(&self.router, method, path, Some(token), &json!({})).await
    }

    /// Signs in to one company, with the password alone.
    async fn enter(&self, email: &str, tenant: TenantId) -> String {
        let login = json!({ "email": email, "password": PASSWORD, "tenant": tenant });
        text(&self.post("/v1/auth/login", None, login).await, "access_token")
    }

    /// Whether a session stands.
    async fn stands(&self, token: &str) -> bool {
        self.ask(Method::GET, "/v1/me/mfa", token).await.status == StatusCode::OK
    }

    async fn tenant(&self, token: &str) -> TenantId {
        self.app.keys.verify(&self.app.db, token, self.app.clock.now()).await.unwrap().tenant
    }

    /// A member who was made for a test.
    async fn member(&self, tenant: TenantId, email: &str, role: BuiltIn) -> PersonId {
        let person = identity::service::ensure_person(&self.app, email, PASSWORD).await.unwrap();
        let mut tx = TenantTx::begin(&self.app.db, tenant).await.unwrap();
        identity::service::add_with_role(&mut tx, person, role, self.app.clock.now()).await.unwrap();
        tx.save().await.unwrap();
        person
    }

    /// Gives a person a role of its own, with these permissions.
    async fn allow(&self, by: &str, person: PersonId, permissions: &[&str]) {
        let role = json!({ "name": "Desk", "permissions": permissions });
        let made = self.post("/v1/rbac/roles", Some(by), role).await;
        let given = json!({ "person_id": person.to_string(), "role": text(&made, "id") });
        let given = self.post("/v1/rbac/assignments", Some(by), given).await;
        assert_eq!(given.status, StatusCode::CREATED, "{given:?}");
    }

    /// Every session of a tenant counts as proved by a second factor, now.
    async fn proved(&self, tenant: TenantId) {
        sqlx::query("UPDATE app.sessions SET mfa_at = $2, stepped_up_at = $2 WHERE tenant_id = $1")
            .bind(tenant.as_uuid())
            .bind(self.app.clock.utc())
            .execute(&mut self.test.superuser().await)
            .await
            .unwrap();
    }

    /// What was written down of resets in a tenant.
    async fn resets(&self, tenant: TenantId) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM app.audit WHERE tenant_id = $1 AND action = 'mfa.reset'")
            .bind(tenant.as_uuid())
            .fetch_one(&mut self.test.superuser().await)
            .await
            .unwrap()
    }
}

fn reason(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status.as_u16(), answer.body["error"]["details"]["reason"].as_str())
}

#[tokio::test]
async fn a_passkey_is_asked_for_with_one_connection() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    let limits = Limits { platform: 1, acquire: Duration::from_secs(3), ..Limits::default() };
    let narrow = docs::router(App { db: Db::open(&ground.test.urls(), limits), ..ground.app.clone() });
    let begun = call(&narrow, Method::POST, "/v1/me/mfa/passkeys", Some(&token), &json!({})).await;
    assert_eq!(begun.status, StatusCode::OK, "a second transaction beside the first waits for itself: {begun:?}");
}

#[tokio::test]
async fn who_holds_less_takes_no_factor_off_an_owner() {
    let ground = Ground::lay().await;
    let owner = ground.token().await;
    let tenant = ground.tenant(&owner).await;
    ground.enrol(&owner).await;
    let desk = ground.member(tenant, "desk@bakers.example", BuiltIn::Cashier).await;
    ground.allow(&owner, desk, &["roles.read", "roles.write"]).await;
    let desk = ground.enter("desk@bakers.example", tenant).await;
    let refused = ground.ask(Method::DELETE, &format!("/v1/people/{}/mfa", ground.person), &desk).await;
    assert_eq!(reason(&refused), (403, Some("beyond")), "{refused:?}");
    assert!(ground.stands(&owner).await);
}

#[tokio::test]
async fn an_operator_who_holds_less_takes_no_factor_off_another_and_others_hear_of_it() {
    let ground = Ground::lay().await;
    let (admin, email) = ("admin@tillway.example", "op@tillway.example");
    let boss = operators::service::create(&ground.app, admin, PASSWORD, "platform_admin").await.unwrap();
    ground.enter(admin, PLATFORM_TENANT).await;
    ground.proved(PLATFORM_TENANT).await;
    let boss_token = ground.enter(admin, PLATFORM_TENANT).await;
    ground.enrol(&boss_token).await;
    ground.proved(PLATFORM_TENANT).await;
    let helper = operators::service::create(&ground.app, email, PASSWORD, "support").await.unwrap();
    ground.allow(&boss_token, helper, &["platform.tenants.write"]).await;
    let token = ground.enter(email, PLATFORM_TENANT).await;
    ground.proved(PLATFORM_TENANT).await;
    let refused = ground.ask(Method::DELETE, &format!("/v1/platform/people/{boss}/mfa"), &token).await;
    assert_eq!(reason(&refused), (403, Some("beyond")), "{refused:?}");

    // Somebody of a company: the company's record has the line, too.
    let owner = ground.token().await;
    let tenant = ground.tenant(&owner).await;
    ground.enrol(&owner).await;
    let done = ground.ask(Method::DELETE, &format!("/v1/platform/people/{}/mfa", ground.person), &token).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{done:?}");
    assert!(!ground.stands(&owner).await);
    assert_eq!((ground.resets(tenant).await, ground.resets(PLATFORM_TENANT).await), (1, 1));
}

#[tokio::test]
async fn the_password_alone_changes_no_factor_of_somebody_who_has_one() {
    let ground = Ground::lay().await;
    let thief = ground.token().await;
    let token = ground.token().await;
    let (secret, _) = ground.enrol(&token).await;
    assert!(ground.stands(&token).await && !ground.stands(&thief).await, "the first factor ends what was without");

    // A session without one that stands all the same, such as of a company's own sign-in, and the password.
    let mut admin = ground.test.superuser().await;
    sqlx::query("UPDATE app.sessions SET mfa_at = NULL").execute(&mut admin).await.unwrap();
    let word = json!({ "password": PASSWORD });
    assert_eq!(ground.post("/v1/auth/step-up", Some(&token), word).await.status, StatusCode::OK);
    let id = uuid::Uuid::from_u128(7);
    for (method, path) in [
        (Method::DELETE, "/v1/me/mfa/totp".to_owned()),
        (Method::POST, "/v1/me/mfa/totp".to_owned()),
        (Method::POST, "/v1/me/mfa/passkeys".to_owned()),
        (Method::DELETE, format!("/v1/me/mfa/passkeys/{id}")),
        (Method::POST, "/v1/me/mfa/recovery-codes".to_owned()),
    ] {
        let refused = ground.ask(method, &path, &token).await;
        assert_eq!(reason(&refused), (403, Some("step_up_required")), "{path} {refused:?}");
        assert_eq!(refused.body["error"]["details"]["factor"], json!(true), "{path}");
    }
    let name = json!({ "name": "Mine", "ceremony": "x", "credential": {} });
    let refused = ground.post("/v1/me/mfa/passkeys/confirm", Some(&token), name).await;
    assert_eq!(reason(&refused), (403, Some("step_up_required")), "{refused:?}");

    // With the factor itself it is done.
    let word = json!({ "totp": ground.code(&secret) });
    assert_eq!(ground.post("/v1/auth/step-up", Some(&token), word).await.status, StatusCode::OK);
    let gone = ground.ask(Method::DELETE, "/v1/me/mfa/totp", &token).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{gone:?}");
}

#[tokio::test]
async fn a_right_password_forgets_no_tries_of_codes() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    let (secret, _) = ground.enrol(&token).await;
    for _ in 0..5 {
        let wrong = ground.post("/v1/auth/step-up", Some(&token), json!({ "totp": "123456" })).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}");
        let right = ground.post("/v1/auth/step-up", Some(&token), json!({ "password": PASSWORD })).await;
        assert_eq!(right.status, StatusCode::OK, "{right:?}");
    }
    let more = ground.post("/v1/auth/step-up", Some(&token), json!({ "totp": ground.code(&secret) })).await;
    assert_eq!(more.status, StatusCode::TOO_MANY_REQUESTS, "{more:?}");
}

#[tokio::test]
async fn what_changes_a_factor_is_felt_in_every_company() {
    let ground = Ground::lay().await;
    let token = ground.token().await;
    let tenant = ground.tenant(&token).await;
    let made = tenants::service::create(&ground.app, "Elsewhere", "x@elsewhere.example", PASSWORD).await.unwrap();
    ground.member(made.tenant, &ground.email, BuiltIn::Owner).await;
    let elsewhere = ground.enter(&ground.email, made.tenant).await;
    let (secret, _) = ground.enrol(&token).await;
    assert!(!ground.stands(&elsewhere).await, "a session without a factor ends in the other company, too");

    // One with a factor, in the other company: it stands until the factor is removed.
    let login = json!({ "email": ground.email, "password": PASSWORD, "tenant": made.tenant });
    let login = ground.post("/v1/auth/login", None, login).await;
    let waiting = login.body["data"]["mfa"]["token"].as_str().unwrap().to_owned();
    let entered = ground.show(&ground.router, &waiting, "totp", &ground.code(&secret)).await;
    let elsewhere = text(&entered, "access_token");
    assert!(ground.stands(&elsewhere).await && ground.tenant(&elsewhere).await != tenant);
    let gone = ground.ask(Method::DELETE, "/v1/me/mfa/totp", &token).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{gone:?}");
    assert!(ground.stands(&token).await && !ground.stands(&elsewhere).await);
}
