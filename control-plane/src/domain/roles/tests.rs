//! Roles on a real database: an owner makes one, gives it for one shop, and takes it away.

use axum::Router;
use axum::http::{Method, StatusCode};
use protocol::id::TenantId;
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::app::App;
use crate::clock::Clock;
use crate::db::TenantTx;
use crate::db::testing::TestDb;
use crate::domain::identity;
use crate::http::docs;
use crate::http::testing::{Answer, call, signed_in};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A company with two shops, its owner, and somebody without a role.
struct Company {
    app: App,
    tenant: TenantId,
    router: Router,
    owner: String,
    shops: [String; 2],
    person: String,
    token: String,
}

async fn sign_in(router: &Router, email: &str, tenant: TenantId) -> String {
    let login = json!({ "email": email, "password": "correct horse", "tenant": tenant });
    let answer = call(router, Method::POST, "/v1/auth/login", None, &login).await;
    answer.body["data"]["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn company(test: &TestDb) -> Company {
    let app = test.app(Clock::manual(NOW)).await;
    let router = docs::router(app.clone());
    let (tenant, owner, _) = signed_in(&app, &router, "one").await;
    let mut shops = Vec::new();
    for name in ["High Street", "Harbour"] {
        let new = json!({ "name": name, "timezone": "Europe/London", "currency": "GBP" });
        let made = call(&router, Method::POST, "/v1/shops", Some(&owner), &new).await;
        shops.push(made.body["data"]["id"].as_str().unwrap().to_owned());
    }
    let person = identity::service::ensure_person(&app, "sam@one.example", "correct horse").await.unwrap();
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    identity::service::add_member(&mut tx, person, NOW).await.unwrap();
    tx.save().await.unwrap();
    let token = sign_in(&router, "sam@one.example", tenant).await;
    Company { app, tenant, router, owner, shops: shops.try_into().unwrap(), person: person.to_string(), token }
}

impl Company {
    async fn owner(&self, method: Method, path: &str, body: Value) -> Answer {
        call(&self.router, method, path, Some(&self.owner), &body).await
    }

    async fn sam(&self, method: Method, path: &str, body: Value) -> Answer {
        call(&self.router, method, path, Some(&self.token), &body).await
    }

    async fn gives(&self, role: &str, place: Value) -> Answer {
        let mut body = json!({ "person_id": self.person, "role": role });
        body.as_object_mut().unwrap().extend(place.as_object().unwrap().clone());
        self.owner(Method::POST, "/v1/rbac/assignments", body).await
    }
}

#[tokio::test]
async fn a_manager_of_one_shop_sees_and_changes_that_shop_until_the_role_is_taken_away() {
    let test = TestDb::new().await;
    let company = company(&test).await;
    let [high, harbour] = &company.shops;
    let refused = company.sam(Method::GET, "/v1/shops", Value::Null).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "AUTHZ"), "{refused:?}");
    assert_eq!(refused.body["error"]["details"]["permission"], "shops.read");

    let given = company.gives("manager", json!({ "shop_id": high })).await;
    assert_eq!(given.status, StatusCode::CREATED, "{given:?}");
    let change = json!({ "day_starts": "05:00" });
    let mine = company.sam(Method::PATCH, &format!("/v1/shops/{high}"), change.clone()).await;
    assert_eq!(mine.status, StatusCode::OK, "{mine:?}");
    let says = format!("/v1/rbac/explain?person_id={}&permission=shops.write&shop_id={harbour}", company.person);
    let why = company.owner(Method::GET, &says, Value::Null).await;
    assert_eq!(
        (why.body["data"]["allowed"].as_bool(), why.body["data"]["lack"].as_str()),
        (Some(false), Some("other_shops"))
    );
    let prices = json!({ "unit_price": "1.00" });
    let company_wide = company.sam(Method::PUT, "/v1/pricing/prices/TEA", prices).await;
    assert_eq!(company_wide.status, StatusCode::FORBIDDEN, "prices are the company's: {company_wide:?}");

    let id = given.body["data"]["id"].as_str().unwrap();
    let taken = company.owner(Method::DELETE, &format!("/v1/rbac/assignments/{id}"), Value::Null).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT, "{taken:?}");
    let after = company.sam(Method::PATCH, &format!("/v1/shops/{high}"), change).await;
    assert_eq!(after.status, StatusCode::FORBIDDEN, "at once");
    let record = company.owner(Method::GET, "/v1/audit?action=roles.", Value::Null).await;
    let mut actions: Vec<&str> =
        record.body["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    // The clock stands still here, so their order says nothing.
    actions.sort_unstable();
    assert_eq!(actions, ["roles.given", "roles.taken"]);
}

#[tokio::test]
async fn nobody_gives_more_than_they_have_and_a_company_keeps_an_owner() {
    let test = TestDb::new().await;
    let company = company(&test).await;
    let [high, _] = &company.shops;
    let role = json!({ "name": "Roster", "permissions": ["roles.read", "roles.write", "people.read", "shops.read"] });
    let made = company.owner(Method::POST, "/v1/rbac/roles", role).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let id = made.body["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(company.gives(&id, json!({})).await.status, StatusCode::CREATED);

    // Sam may give roles, and holds little: not the owner's, not for themselves, not by a role of their own making.
    let own = |role: &str| json!({ "person_id": company.person, "role": role });
    let owner = company.sam(Method::POST, "/v1/rbac/assignments", own("owner")).await;
    assert_eq!((owner.status.as_u16(), owner.body["error"]["details"]["reason"].as_str()), (403, Some("beyond")));
    let bigger = json!({ "name": "Big", "permissions": ["shops.read", "staff.write"] });
    assert_eq!(company.sam(Method::POST, "/v1/rbac/roles", bigger.clone()).await.status, StatusCode::FORBIDDEN);
    let grown = company.sam(Method::PUT, &format!("/v1/rbac/roles/{id}"), bigger).await;
    assert_eq!(grown.status, StatusCode::FORBIDDEN, "nor by growing the one they hold: {grown:?}");
    let platform = json!({ "name": "Op", "permissions": ["platform.tenants.read"] });
    assert_eq!(company.owner(Method::POST, "/v1/rbac/roles", platform).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(company.gives("platform_admin", json!({})).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(company.gives("owner", json!({ "shop_id": high })).await.status, StatusCode::UNPROCESSABLE_ENTITY);

    // Nor by leaving a bigger role as it is without the second factor that it asks for.
    let money = json!({ "name": "Finance", "wants_mfa": true, "permissions": ["staff.write"] });
    let finance = company.owner(Method::POST, "/v1/rbac/roles", money).await;
    let path = format!("/v1/rbac/roles/{}", finance.body["data"]["id"].as_str().unwrap());
    let weaker = json!({ "name": "Finance", "wants_mfa": false, "permissions": ["staff.write"] });
    assert_eq!(company.sam(Method::PUT, &path, weaker).await.status, StatusCode::FORBIDDEN);

    let held = company.owner(Method::GET, "/v1/rbac/assignments", Value::Null).await;
    let owners = held.body["data"].as_array().unwrap().iter().find(|row| row["role"] == "owner").unwrap();
    let path = format!("/v1/rbac/assignments/{}", owners["id"].as_str().unwrap());
    assert_eq!(company.sam(Method::DELETE, &path, Value::Null).await.status, StatusCode::FORBIDDEN);
    let last = company.owner(Method::DELETE, &path, Value::Null).await;
    assert_eq!((last.status.as_u16(), last.code()), (409, "CONFLICT"), "{last:?}");
    assert!(company.app.db.ping().await.is_ok());
}

#[tokio::test]
async fn a_role_for_a_region_follows_its_shops() {
    let test = TestDb::new().await;
    let company = company(&test).await;
    let [high, harbour] = &company.shops;
    let body = json!({ "name": "North", "shop_ids": [high] });
    let region = company.owner(Method::POST, "/v1/regions", body).await;
    let id = region.body["data"]["id"].as_str().unwrap_or_else(|| panic!("{region:?}")).to_owned();
    assert_eq!(company.gives("manager", json!({ "region_id": id })).await.status, StatusCode::CREATED);
    let change = json!({ "day_starts": "05:00" });
    assert_eq!(company.sam(Method::PATCH, &format!("/v1/shops/{high}"), change.clone()).await.status, StatusCode::OK);
    let moved = json!({ "name": "North", "shop_ids": [harbour] });
    let path = format!("/v1/regions/{id}");
    assert_eq!(company.owner(Method::PUT, &path, moved).await.status, StatusCode::OK);
    let there = company.sam(Method::PATCH, &format!("/v1/shops/{harbour}"), change).await;
    assert_eq!(there.status, StatusCode::OK, "the new shop: {there:?}");
    let says =
        |shop: &str| format!("/v1/rbac/explain?person_id={}&permission=shops.write&shop_id={shop}", company.person);
    let old = company.owner(Method::GET, &says(high), Value::Null).await;
    assert_eq!(old.body["data"]["allowed"], false, "and no more the old one");
    // Who may shape the company and holds no such role moves no shop out of a region by making another.
    let shaper = json!({ "name": "Shaper", "permissions": ["company.read", "company.write"] });
    let role =
        company.owner(Method::POST, "/v1/rbac/roles", shaper).await.body["data"]["id"].as_str().unwrap().to_owned();
    let app = &company.app;
    let ann = identity::service::ensure_person(app, "ann@one.example", "correct horse").await.unwrap();
    let tenant = company.tenant;
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    identity::service::add_member(&mut tx, ann, NOW).await.unwrap();
    tx.save().await.unwrap();
    let given = json!({ "person_id": ann, "role": role });
    assert_eq!(company.owner(Method::POST, "/v1/rbac/assignments", given).await.status, StatusCode::CREATED);
    let token = sign_in(&company.router, "ann@one.example", tenant).await;
    let steal = json!({ "name": "South", "shop_ids": [harbour] });
    let stolen = call(&company.router, Method::POST, "/v1/regions", Some(&token), &steal).await;
    assert_eq!((stolen.status, stolen.code()), (StatusCode::FORBIDDEN, "AUTHZ"), "{stolen:?}");
    let empty = json!({ "name": "South", "shop_ids": [] });
    assert_eq!(
        call(&company.router, Method::POST, "/v1/regions", Some(&token), &empty).await.status,
        StatusCode::CREATED
    );

    let foreign = json!({ "name": "North", "shop_ids": [uuid::Uuid::nil()] });
    assert_eq!(company.owner(Method::PUT, &path, foreign).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let removed = company.owner(Method::DELETE, &path, Value::Null).await;
    assert_eq!(removed.status, StatusCode::PRECONDITION_REQUIRED, "who removes says what they saw: {removed:?}");
}
