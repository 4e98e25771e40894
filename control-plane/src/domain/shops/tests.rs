//! Shops on a real database: made, changed, found, and nobody else's.

use axum::http::{Method, StatusCode};
use protocol::collection::{Collection, Version};
use protocol::id::ShopId;
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};

use super::service;
use crate::app::Hint;
use crate::clock::Clock;
use crate::db::TenantTx;
use crate::db::testing::TestDb;
use crate::http::docs;
use crate::http::testing::{ask, call, signed_in};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

#[tokio::test]
async fn a_shop_is_made_changed_and_delivered() {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(NOW)).await;
    let router = docs::router(app.clone());
    let (tenant, token, _) = signed_in(&app, &router, "one").await;
    let (_, foreign, _) = signed_in(&app, &router, "two").await;
    let new = json!({ "name": " High Street ", "timezone": "Europe/London", "currency": "GBP", "day_starts": "04:00",
                      "tax_mode": "exclusive", "tax_basis": "per_line", "cash_step": 5 });
    let made = call(&router, Method::POST, "/v1/shops", Some(&token), &new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!(made.body["data"]["name"], "High Street");
    assert_eq!(made.body["data"]["version"], 1);
    let path = format!("/v1/shops/{}", made.body["data"]["id"].as_str().unwrap());
    let got = call(&router, Method::GET, &path, Some(&token), &Value::Null).await;
    assert_eq!(got.body, made.body);

    // Another tenant's: not there, by any verb, and not in the list.
    for (method, body) in [(Method::GET, Value::Null), (Method::PATCH, json!({ "name": "Mine now" }))] {
        let answer = call(&router, method, &path, Some(&foreign), &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "NOT_FOUND"));
    }
    let list = call(&router, Method::GET, "/v1/shops", Some(&foreign), &Value::Null).await;
    assert_eq!(list.body, json!({ "data": [], "pagination": { "limit": 50 } }));

    let mut hints = app.hints.subscribe();
    let patch = json!({ "day_starts": "05:30", "late_entry": false });
    let changed = call(&router, Method::PATCH, &path, Some(&token), &patch).await;
    assert_eq!(changed.body["data"]["version"], 2, "{changed:?}");
    assert_eq!(hints.try_recv().unwrap(), Hint { tenant, collection: Collection::Shop });
    let bad = call(&router, Method::PATCH, &path, Some(&token), &json!({ "timezone": "Nowhere" })).await;
    assert_eq!((bad.status.as_u16(), bad.body["error"]["details"]["field"].as_str()), (422, Some("timezone")));

    let shop: ShopId = made.body["data"]["id"].as_str().unwrap().parse().unwrap();
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    let settings = service::settings(&mut tx, shop).await.unwrap().unwrap();
    assert_eq!((settings.version, settings.day_starts_minutes, settings.late_entry), (Version(2), 330, false));
    assert_eq!(
        (settings.zone.as_str(), settings.cash_step, settings.name.as_str()),
        ("Europe/London", 5, "High Street")
    );
    assert!(service::settings(&mut tx, ShopId::from_uuid(uuid::Uuid::nil())).await.unwrap().is_none());
}

#[tokio::test]
async fn of_two_who_saw_the_same_shop_one_changes_it() {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(NOW)).await;
    let router = docs::router(app.clone());
    let (_, token, _) = signed_in(&app, &router, "one").await;
    let bearer = format!("Bearer {token}");
    let send = async |method: Method, path: &str, more: &[(&str, &str)], body: Value| {
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        headers.extend(more);
        let answer = ask(&router, method, path, &headers, body.to_string().into()).await;
        let tag = answer.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned()).unwrap_or_default();
        (answer.status.as_u16(), tag, answer.body)
    };
    let new = json!({ "name": "High Street", "timezone": "Europe/London", "currency": "GBP" });
    let (_, tag, made) = send(Method::POST, "/v1/shops", &[("idempotency-key", "a")], new.clone()).await;
    let again = send(Method::POST, "/v1/shops", &[("idempotency-key", "a")], new).await;
    assert_eq!((again.1.as_str(), &again.2), (tag.as_str(), &made), "the answer of the first time, tag and all");
    let path = format!("/v1/shops/{}", made["data"]["id"].as_str().unwrap());
    assert_eq!(send(Method::GET, &path, &[], Value::Null).await.1, tag);
    let rename = |name: &str| json!({ "name": name });
    assert_eq!(send(Method::PATCH, &path, &[], rename("A")).await.0, 428);
    let (status, next, _) =
        send(Method::PATCH, &path, &[("if-match", &tag), ("idempotency-key", "b")], rename("A")).await;
    assert!(status == 200 && next != tag, "{status} {next}");
    let (status, _, said) = send(Method::PATCH, &path, &[("if-match", &tag)], rename("B")).await;
    assert_eq!((status, &said["error"]["code"]), (412, &"CONFLICT".into()));
    // The same request once more is no second change, though the tag is old by now.
    let (status, same, _) =
        send(Method::PATCH, &path, &[("if-match", &tag), ("idempotency-key", "b")], rename("A")).await;
    assert_eq!((status, same), (200, next));
    assert_eq!(send(Method::GET, &path, &[], Value::Null).await.2["data"]["name"], "A");
}

#[tokio::test]
async fn shops_are_listed_page_by_page() {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(NOW)).await;
    let router = docs::router(app.clone());
    let (_, token, _) = signed_in(&app, &router, "one").await;
    for name in ["C", "A", "B", "A", "A"] {
        let new = json!({ "name": name, "timezone": "Europe/London", "currency": "GBP" });
        call(&router, Method::POST, "/v1/shops", Some(&token), &new).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    while seen.len() < 9 {
        let path = format!("/v1/shops?limit=2&cursor={cursor}");
        let page = call(&router, Method::GET, &path, Some(&token), &Value::Null).await.body;
        let name = |shop: &Value| shop["name"].as_str().unwrap().to_owned();
        seen.extend(page["data"].as_array().unwrap().iter().map(name));
        let Some(next) = page["pagination"]["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(seen, ["A", "A", "A", "B", "C"]);
    let other = call(&router, Method::GET, &format!("/v1/nodes?cursor={cursor}"), Some(&token), &Value::Null).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST, "a cursor is of one list");
}

#[tokio::test]
async fn the_page_of_a_shop_says_what_it_sold_and_what_is_missing() {
    use crate::domain::sales::testing::{Made, PASSWORD, Rig};
    use crate::web::testing::Browser;
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let mut browser = Browser::signed_in(&rig.app, &seat.email, PASSWORD).await;
    let path = format!("/shops/{}", seat.shop);
    let empty = browser.get(&path).await;
    assert!(empty.status == 200 && empty.text.contains("No box yet") && empty.text.contains("Nothing was sold"));
    assert!(empty.text.contains("No box has joined this shop yet"), "{}", empty.text);

    let sale = |number: u64, day, pence: i64| {
        Made::sale(u128::from(number), &[("A", 1_000, pence * 100)]).days(day).record(number)
    };
    rig.ingest(&seat, vec![sale(1, 0, 300_000), sale(2, -7, 250_000), sale(5, -1, 700)]).await.unwrap();
    let day = browser.get(&path).await;
    let text = &day.text;
    assert!(
        text.contains("£3,000.00") && text.contains("+20\u{a0}%") && text.contains("£2,500.00 on Mon 3 Jan 2011"),
        "{text}"
    );
    assert!(text.contains("data-labels=\"[&#34;12:00&#34;]\"") && text.contains("data-before=\"[250000]\""), "{text}");
    assert!(text.contains("PRODUCT A") && text.contains("2 records are still in the shop"), "{text}");
    let week = browser.get(&format!("{path}?from=2011-01-04&to=2011-01-10")).await;
    assert!(week.text.contains("£3,007.00") && week.text.contains("Sales by day"), "{}", week.text);
    let list = browser.get("/shops").await;
    assert!(list.text.contains("High Street") && list.text.contains("£3,000.00") && list.text.contains("on the way"));
    let overview = browser.get("/overview").await;
    assert!(overview.text.contains(">£3,007<") && overview.text.contains("title=\"£7.00\""), "{}", overview.text);
    assert!(browser.get("/overview?to=2010-12-20").await.text.contains(">£0<"));
    rig.app.clock.advance_millis(2 * crate::domain::sales::testing::DAY);
    let mut browser = Browser::signed_in(&rig.app, &seat.email, PASSWORD).await;
    assert!(browser.get(&path).await.text.contains("the last day with sales"));
    for odd in ["?from=x", "?from=2011-02-30&to=1", "?to=9999-12-31", "?from=0001-01-01&to=9999-12-31"] {
        assert_eq!(browser.get(&format!("{path}{odd}")).await.status, 200, "{odd}");
    }

    let other = rig.seat().await;
    let mut foreign = Browser::signed_in(&rig.app, &other.email, PASSWORD).await;
    assert_eq!(foreign.get(&path).await.status, 404);
    let csrf = foreign.get("/shops").await.hidden("csrf");
    assert_eq!(foreign.post(&format!("{path}/claims"), &[("csrf", &csrf)]).await.status, 404);
    assert!(!foreign.get("/shops").await.text.contains("£3,000.00"));
    assert!(!foreign.get("/overview").await.text.contains("£3,007"));
}

#[tokio::test]
async fn a_shop_is_made_and_its_name_is_only_text() {
    use crate::domain::sales::testing::{PASSWORD, Rig};
    use crate::web::testing::Browser;
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let mut browser = Browser::signed_in(&rig.app, &seat.email, PASSWORD).await;
    let csrf = browser.get("/shops/new").await.hidden("csrf");
    let name = "<img src=x onerror=alert(1)>";
    let form = |zone: &'static str| [("name", name), ("timezone", zone), ("currency", "EUR"), ("day_starts", "04:00")];
    assert_eq!(browser.post("/shops", &form("Europe/Paris")).await.status, 403, "no token");
    let mut fields = form("Mars/Base").to_vec();
    fields.push(("csrf", &csrf));
    let refused = browser.post("/shops", &fields).await;
    assert!(
        refused.status == 422 && refused.text.contains("timezone: ") && refused.text.contains("Mars/Base"),
        "{} {}",
        refused.status,
        refused.text
    );
    fields[1].1 = "Europe/Paris";
    let made = browser.post("/shops", &fields).await;
    assert_eq!(made.status, 303, "{}", made.text);
    for page in ["/shops", "/overview", made.location(), "/nodes"] {
        let text = browser.get(page).await.text;
        assert!(!text.contains("<img src=x"), "{page}: {text}");
        assert!(page == "/nodes" || text.contains("onerror=alert"), "{page}: {text}");
    }
}
