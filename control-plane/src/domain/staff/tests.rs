//! Staff on a real database: added, given a PIN, sent to the nodes of their shops and nobody else's, ended.

use axum::Router;
use axum::http::{Method, StatusCode};
use protocol::collection::{Collection, Version};
use protocol::id::{ShopId, TenantId};
use protocol::money::Amount;
use protocol::staff::{Right, Staff};
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};

use super::service;
use crate::app::{App, Hint};
use crate::clock::Clock;
use crate::db::TenantTx;
use crate::db::testing::TestDb;
use crate::http::docs;
use crate::http::testing::{Answer, call, signed_in};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

struct Hq {
    test: TestDb,
    app: App,
    router: Router,
    tenant: TenantId,
    token: String,
}

impl Hq {
    async fn new() -> Self {
        let test = TestDb::new().await;
        let app = test.app(Clock::manual(NOW)).await;
        let router = docs::router(app.clone());
        let (tenant, token, _) = signed_in(&app, &router, "one").await;
        Self { test, app, router, tenant, token }
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        call(&self.router, method, path, Some(&self.token), &body).await
    }

    /// The data of a success.
    #[track_caller]
    fn data(answer: &Answer) -> Value {
        assert!(answer.status.is_success(), "{answer:?}");
        answer.body["data"].clone()
    }

    async fn shop(&self, name: &str) -> String {
        let new = json!({ "name": name, "timezone": "Europe/London", "currency": "GBP" });
        Self::data(&self.ask(Method::POST, "/v1/shops", new).await)["id"].as_str().unwrap().to_owned()
    }

    async fn add(&self, new: Value) -> String {
        Self::data(&self.ask(Method::POST, "/v1/staff", new).await)["id"].as_str().unwrap().to_owned()
    }

    async fn pin(&self, id: &str, pin: &str) -> Answer {
        self.ask(Method::PUT, &format!("/v1/staff/{id}/pin"), json!({ "pin": pin })).await
    }

    /// What a node of the shop that stands at `have` is sent.
    async fn sent(&self, shop: &str, have: u64) -> Option<Staff> {
        let mut tx = TenantTx::begin(&self.app.db, self.tenant).await.unwrap();
        let shop: ShopId = shop.parse().unwrap();
        service::collection(&mut tx, &self.app.sealer, shop, Version(have)).await.unwrap()
    }
}

fn field(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["error"]["details"]["field"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn somebody_with_a_pin_reaches_the_nodes_of_their_shop_and_leaves_them() {
    let hq = Hq::new().await;
    let (high, low) = (hq.shop("High Street").await, hq.shop("Low Street").await);
    assert_eq!(hq.sent(&high, 0).await, None, "a shop without people stays as it is");
    let mut hints = hq.app.hints.subscribe();
    let new = json!({ "name": "Nora Example", "role": "supervisor", "rights_added": ["approve"],
                      "rights_removed": ["no_sale"], "discount_ppm": 100_000, "shop_ids": [high] });
    let nora = hq.add(new).await;
    assert_eq!(hints.try_recv().unwrap(), Hint { tenant: hq.tenant, collection: Collection::Staff });
    let bad = hq.pin(&nora, "1234").await;
    assert_eq!(field(&bad), (422, "pin"), "{bad:?}");
    let set = Hq::data(&hq.pin(&nora, "4711").await);
    assert_eq!((set["has_pin"].as_bool(), set["version"].as_u64()), (Some(true), Some(2)));
    assert!(!set.to_string().contains("4711"));

    let staff = hq.sent(&high, 0).await.unwrap();
    let member = staff.people.first().unwrap();
    assert_eq!((member.short_name.as_str(), member.discount.ppm), ("Nora", Some(100_000)));
    assert!(member.rights.has(Right::Approve) && member.rights.has(Right::Refund) && !member.rights.has(Right::NoSale));
    assert!(member.pin.unwrap().fits("4711", None) && !member.pin.unwrap().fits("4712", None));
    assert_eq!(hq.sent(&high, staff.version.0).await, None, "the node has it");
    assert_eq!(hq.sent(&low, 0).await, None, "the other shop hears nothing");

    // Moved: both shops have a new version, one of them with nobody.
    let path = format!("/v1/staff/{nora}");
    let moved = hq.ask(Method::PATCH, &path, json!({ "shop_ids": [low], "discount_ppm": null })).await;
    assert_eq!(Hq::data(&moved)["discount_ppm"], Value::Null);
    let emptied = hq.sent(&high, staff.version.0).await.unwrap();
    assert!(emptied.people.is_empty() && emptied.version > staff.version);
    assert_eq!(hq.sent(&low, 0).await.unwrap().people.len(), 1);

    let ended = Hq::data(&hq.ask(Method::POST, &format!("{path}/end"), json!({})).await);
    assert_eq!((ended["ended"].as_bool(), ended["has_pin"].as_bool()), (Some(true), Some(false)));
    assert!(hq.sent(&low, 0).await.unwrap().people.is_empty());
    let again = hq.ask(Method::POST, &format!("{path}/end"), json!({})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let listed = Hq::data(&hq.ask(Method::GET, "/v1/staff", Value::Null).await);
    assert_eq!(listed, json!([]));
    let all = Hq::data(&hq.ask(Method::GET, "/v1/staff?ended=true", Value::Null).await);
    assert_eq!(all.as_array().unwrap().len(), 1);

    // Every step is on record, none with the PIN; and the database alone opens nothing.
    let told: Vec<(String, Value)> =
        sqlx::query_as("SELECT action, diff FROM app.audit WHERE action LIKE 'staff.%' ORDER BY at, action")
            .fetch_all(&mut hq.test.superuser().await)
            .await
            .unwrap();
    let actions: Vec<&str> = told.iter().map(|(action, _)| action.as_str()).collect();
    for expected in ["staff.added", "staff.pin_set", "staff.changed", "staff.ended"] {
        assert!(actions.contains(&expected), "{actions:?}");
    }
    assert!(told.iter().all(|(_, diff)| !diff.to_string().contains("4711")));
}

#[tokio::test]
async fn a_pin_is_one_person_s_in_a_shop_and_sealed_in_the_database() {
    let hq = Hq::new().await;
    let (high, low) = (hq.shop("High Street").await, hq.shop("Low Street").await);
    let of = |name: &str, shop: &str| json!({ "name": name, "shop_ids": [shop] });
    let (ben, nora) = (hq.add(of("Ben", &high)).await, hq.add(of("Nora", &high)).await);
    let (elsewhere, boss) =
        (hq.add(of("Ida", &low)).await, hq.add(json!({ "name": "Max", "role": "manager", "all_shops": true })).await);
    Hq::data(&hq.pin(&ben, "4711").await);
    assert_eq!(field(&hq.pin(&nora, "4711").await), (422, "pin"), "they stand at the same lanes");
    assert_eq!(field(&hq.pin(&boss, "4711").await), (422, "pin"), "who works everywhere stands there too");
    Hq::data(&hq.pin(&elsewhere, "4711").await);
    Hq::data(&hq.pin(&ben, "4711").await);
    let rows: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT pin_salt, pin_sealed FROM app.staff WHERE pin_salt IS NOT NULL")
            .fetch_all(&mut hq.test.superuser().await)
            .await
            .unwrap();
    assert_eq!(rows.len(), 2);
    for (salt, sealed) in rows {
        let clear = protocol::staff::PinVerifier::of("4711", salt.try_into().unwrap()).unwrap();
        assert!(!sealed.windows(32).any(|window| window == clear.hash), "what a PIN can be tried against is sealed");
    }
}

#[tokio::test]
async fn the_rules_of_a_shop_travel_and_name_what_was_seen() {
    let hq = Hq::new().await;
    let shop = hq.shop("High Street").await;
    let path = format!("/v1/shops/{shop}/staff-rules");
    let none = hq.ask(Method::GET, &path, Value::Null).await;
    assert_eq!(Hq::data(&none)["version"], 0);
    let rules = json!({ "cashier_required": true, "idle_minutes": 15, "void_line_above_minor": 0,
                        "void_ticket_above_minor": null, "refund_above_minor": 2_000, "no_sale": true,
                        "discount_above_ppm": 200_000, "discount_above_minor": null });
    let set = Hq::data(&hq.ask(Method::PUT, &path, rules.clone()).await);
    assert_eq!((set["refund_above_minor"].as_i64(), set["cashier_required"].as_bool()), (Some(2_000), Some(true)));
    let staff = hq.sent(&shop, 0).await.unwrap();
    assert!(staff.policy.cashier_required && staff.policy.no_sale);
    assert_eq!(staff.policy.refund_above, Some(Amount::from_minor(2_000).unwrap()));
    assert_eq!(staff.policy.void_ticket_above, None);
    let mut bad = rules.clone();
    bad["discount_above_ppm"] = json!(1_000_001);
    assert_eq!(field(&hq.ask(Method::PUT, &path, bad).await), (422, "discount_above_ppm"));
    let old = [("authorization", format!("Bearer {}", hq.token)), ("if-match", "\"99\"".to_owned())];
    let headers: Vec<(&str, &str)> =
        old.iter().map(|(name, value)| (*name, value.as_str())).chain([("content-type", "application/json")]).collect();
    let body = axum::body::Body::from(rules.to_string());
    let stale = crate::http::testing::ask(&hq.router, Method::PUT, &path, &headers, body).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{stale:?}");
}

#[tokio::test]
async fn a_shop_made_later_gets_those_who_work_everywhere() {
    let hq = Hq::new().await;
    let boss = hq.add(json!({ "name": "Max", "role": "manager", "all_shops": true })).await;
    let shop = hq.shop("Later Street").await;
    let staff = hq.sent(&shop, 0).await.unwrap();
    assert_eq!(staff.people.len(), 1);
    Hq::data(&hq.pin(&boss, "4711").await);
    let newer = hq.sent(&shop, staff.version.0).await.unwrap();
    assert!(newer.version > staff.version && newer.people[0].pin.is_some());
}

#[tokio::test]
async fn nonsense_is_refused_with_its_field_and_strangers_see_nobody() {
    let hq = Hq::new().await;
    let shop = hq.shop("High Street").await;
    let (_, foreign, _) = signed_in(&hq.app, &hq.router, "two").await;
    for (body, wrong) in [
        (json!({ "name": " ", "shop_ids": [shop] }), "name"),
        (json!({ "name": "a\u{0}b", "shop_ids": [shop] }), "name"),
        (json!({ "name": "Ben" }), "shop_ids"),
        (json!({ "name": "Ben", "shop_ids": [uuid::Uuid::from_u128(9)] }), "shop_ids"),
        (json!({ "name": "Ben", "shop_ids": [shop], "discount_ppm": 1_000_001 }), "discount_ppm"),
        (json!({ "name": "Ben", "shop_ids": [shop], "discount_minor": -1 }), "discount_minor"),
        (json!({ "name": "Ben", "shop_ids": [shop], "person_id": uuid::Uuid::from_u128(9) }), "person_id"),
    ] {
        let answer = hq.ask(Method::POST, "/v1/staff", body.clone()).await;
        assert_eq!(field(&answer), (422, wrong), "{body} {answer:?}");
    }
    let ben = hq.add(json!({ "name": "Ben", "shop_ids": [shop] })).await;
    for (method, path, body) in [
        (Method::GET, format!("/v1/staff/{ben}"), Value::Null),
        (Method::PATCH, format!("/v1/staff/{ben}"), json!({ "name": "Mine" })),
        (Method::PUT, format!("/v1/staff/{ben}/pin"), json!({ "pin": "4711" })),
        (Method::POST, format!("/v1/staff/{ben}/end"), json!({})),
        (Method::GET, format!("/v1/shops/{shop}/staff-rules"), Value::Null),
    ] {
        let answer = call(&hq.router, method, &path, Some(&foreign), &body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} {answer:?}");
    }
    let listed = call(&hq.router, Method::GET, "/v1/staff", Some(&foreign), &Value::Null).await;
    assert_eq!(listed.body["data"], json!([]));
}

#[tokio::test]
async fn who_looks_for_a_pin_that_somebody_has_is_stopped_and_on_record() {
    let hq = Hq::new().await;
    let shop = hq.shop("High Street").await;
    let of = |name: &str| json!({ "name": name, "shop_ids": [shop] });
    let (ben, nora) = (hq.add(of("Ben")).await, hq.add(of("Nora")).await);
    Hq::data(&hq.pin(&ben, "4711").await);
    for _ in 0..9 {
        assert_eq!(field(&hq.pin(&nora, "4711").await), (422, "pin"));
    }
    let stopped = hq.pin(&nora, "4711").await;
    assert_eq!((stopped.status, stopped.code()), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT"), "{stopped:?}");
    let other = hq.shop("Low Street").await;
    let ida = hq.add(json!({ "name": "Ida", "shop_ids": [other] })).await;
    Hq::data(&hq.pin(&ida, "4711").await);
    let told: i64 =
        sqlx::query_scalar("SELECT count(*) FROM app.audit WHERE action = 'staff.pin_taken' AND object_id = $1")
            .bind(&nora)
            .fetch_one(&mut hq.test.superuser().await)
            .await
            .unwrap();
    assert_eq!(told, 9);
}
