//! A shop that keeps its people, without internet for a day: the cashier sells, the manager's PIN lets money go back,
//! the node restarts, and head office reads later who sold and who approved. Who has left is out within a second.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, SystemTime};

use hyper::Method;
use serde_json::{Value, json};
use tillway_tests::browser::{Browser, Screen};
use tillway_tests::cloud::Cloud;
use tillway_tests::hq::Hq;
use tillway_tests::lane::{Lane, LaneError};
use tillway_tests::town::SignIn;
use tillway_tests::world::{World, until};

use crate::pages::look;
use crate::street::{CATALOGUE, sell};

async fn hq(hq: &Hq, method: Method, path: &str, body: Value) -> Value {
    hq.call(method, path, Some(("application/json", body.to_string()))).await.unwrap()
}

async fn add(office: &Hq, new: Value, pin: &str) -> String {
    let made = hq(office, Method::POST, "/v1/staff", new).await;
    let id = made["id"].as_str().unwrap().to_owned();
    hq(office, Method::PUT, &format!("/v1/staff/{id}/pin"), json!({ "pin": pin })).await;
    id
}

async fn people_at(world: &World, count: usize) {
    until("the people of the shop", || async {
        let staff = world.stores[0].agent()?.snapshots.staff();
        Ok(staff.is_some_and(|staff| {
            staff.policy.cashier_required && staff.people.iter().filter(|member| member.pin.is_some()).count() == count
        }))
    })
    .await
    .unwrap();
}

async fn sign_in(lane: &mut Lane, key: &str, id: &str, pin: &str) -> Result<Value, LaneError> {
    lane.write(Method::POST, "/v1/staff/sign-in", key, &json!({ "staff_id": id, "pin": pin })).await
}

/// The verifier that the node has for somebody.
fn pin_at(world: &World, id: &str) -> Option<[u8; 32]> {
    let staff = world.stores[0].agent().unwrap().snapshots.staff()?;
    staff.people.iter().find(|member| member.id.to_string() == id)?.pin.map(|pin| pin.hash)
}

/// Signs in at head office and arrives at a page.
async fn enter(browser: &Browser, url: &str, owner: &SignIn, path: &str) {
    browser.open(&format!("{url}{path}")).await.unwrap();
    browser.fill("#email", &owner.email).await.unwrap();
    browser.fill("#password", &owner.password).await.unwrap();
    browser.click("form button[type=submit]").await.unwrap();
    let there = async || browser.driver.current_url().await.ok()?.path().eq(path).then_some(());
    browser.wait(path, there).await.unwrap();
}

fn reason(error: LaneError) -> String {
    match error {
        LaneError::Refused(refusal) => refusal.message,
        other @ (LaneError::Away { .. } | LaneError::Nonsense(_)) => panic!("refused expected, {other:?} came"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_approves_offline_and_head_office_reads_it_later() {
    let mut world = World::open("staff", 1, CATALOGUE).await.unwrap();
    let shop = world.stores[0].shop.clone();
    let nora = add(&world.hq, json!({ "name": "Nora Manager", "role": "manager", "all_shops": true }), "4711").await;
    let ben = add(&world.hq, json!({ "name": "Ben Cashier", "shop_ids": [shop] }), "9052").await;
    let rules = json!({ "cashier_required": true, "idle_minutes": 0, "refund_above_minor": 0, "no_sale": true });
    hq(&world.hq, Method::PUT, &format!("/v1/shops/{shop}/staff-rules"), rules).await;
    people_at(&world, 2).await;

    world.stores[0].uplink.cut();
    let mut lane = world.stores[0].lane("Till 1").await.unwrap();
    let refused = lane.open("o", "sale", None, None).await.map(|ticket| ticket.id).unwrap_err();
    assert!(reason(refused).contains("signed in"), "a lane alone sells nothing");
    sign_in(&mut lane, "in", &ben, "9052").await.unwrap();
    let sold = sell(&mut lane, "a", "MUG", 2).await;
    world.advance(Duration::from_secs(24 * 3_600));

    let back = lane.open("r", "return", None, None).await.unwrap();
    let original = json!({ "original": { "term": sold.term, "seq": sold.seq, "line_no": 1 }, "quantity": "1" });
    let rung = lane.ring("r1", &back.id, &original).await.unwrap();
    let mut close = json!({ "tenders": [{ "kind": "cash", "amount_minor": rung.totals.total_minor }] });
    let path = format!("/v1/tickets/{}/close", back.id);
    let refused = lane.write::<Value>(Method::POST, &path, "rc1", &close).await.unwrap_err();
    assert!(reason(refused).contains("PIN"), "Ben may not give money back");
    close["approval"] = json!({ "staff_id": nora, "pin": "4711", "reason": "handle broken" });
    let given: Value = lane.write(Method::POST, &path, "rc2", &close).await.unwrap();
    let (node, term, seq) = {
        let receipt = &given["receipt"];
        (receipt["node_id"].as_str().unwrap().to_owned(), receipt["term"].clone(), receipt["seq"].clone())
    };
    world.stores[0].stop().await;
    world.stores[0].start().await.unwrap();
    // Ben is still at the lane.
    sell(&mut lane, "b", "MUG", 1).await;
    let read: Value = lane.get(&format!("/v1/receipts/{term}/{seq}")).await.unwrap();
    assert_eq!(read["receipt"]["approvals"][0]["approver"]["name"], "Nora", "{read}");

    world.stores[0].uplink.restore();
    world.settle().await.unwrap();
    let ticket: Value =
        world.hq.call(Method::GET, &format!("/v1/sales/tickets/{node}/{term}/{seq}"), None).await.unwrap();
    assert_eq!(ticket["cashier"], "Ben", "{ticket}");
    let approval = &ticket["approvals"][0];
    assert_eq!((approval["action"].as_str(), approval["approver"].as_str()), (Some("refund"), Some("Nora")));
    assert_eq!((approval["reason"].as_str(), approval["cashier"].as_str()), (Some("handle broken"), Some("Ben")));

    let browser = Browser::start(Screen::Desktop).await.unwrap();
    enter(&browser, world.cloud.url(), &world.owner, &format!("/receipts/{node}/{term}/{seq}")).await;
    browser.reads("Nora for Ben: handle broken").await.unwrap();
    look(&browser, "receipt-approved").await;
    browser.quit().await.unwrap();

    // Nora's PIN was seen: the new one is in force at the connected node, and the old one no more.
    let seen = pin_at(&world, &nora).unwrap();
    hq(&world.hq, Method::PUT, &format!("/v1/staff/{nora}/pin"), json!({ "pin": "8306" })).await;
    until("the new PIN", || async { Ok(pin_at(&world, &nora).is_some_and(|now| now != seen)) }).await.unwrap();
    let mut second = world.stores[0].lane("Till 2").await.unwrap();
    sign_in(&mut second, "old", &nora, "4711").await.unwrap_err();
    sign_in(&mut second, "new", &nora, "8306").await.unwrap();

    // Ben leaves: the node hears of it at once, and he is out.
    hq(&world.hq, Method::POST, &format!("/v1/staff/{ben}/end"), json!({})).await;
    people_at(&world, 1).await;
    let refused = lane.open("x", "sale", None, None).await.map(|ticket| ticket.id).unwrap_err();
    assert!(reason(refused).contains("signed in"));
    sign_in(&mut lane, "again", &ben, "9052").await.unwrap_err();
    world.close().await.unwrap();
}

async fn submit(browser: &Browser, action: &str) {
    browser.click(&format!("form[action='{action}'] button[type=submit]")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn head_office_adds_somebody_gives_a_pin_and_sets_the_rules_of_a_shop() {
    let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let mut cloud = Cloud::start(Arc::new(AtomicI64::new(i64::try_from(millis).unwrap()))).await.unwrap();
    let (office, owner) = cloud.tenant("lanes").await.unwrap();
    let shop = cloud.shop(&office, "High Street").await.unwrap();
    cloud.shop(&office, "Market Place").await.unwrap();
    let url = cloud.url().to_owned();

    let browser = Browser::start(Screen::Desktop).await.unwrap();
    enter(&browser, &url, &owner, "/staff").await;
    browser.reads("Nobody yet").await.unwrap();
    browser.see("nav a[href='/staff'][aria-current]").await.unwrap();
    look(&browser, "staff-empty").await;
    browser.click("a[href='/staff/new']").await.unwrap();
    browser.fill("#name", "Nora Whitfield").await.unwrap();
    browser.fill("#percent", "200").await.unwrap();
    browser.click("details summary").await.unwrap();
    submit(&browser, "/staff").await;
    let wrong = browser.see(".field.bad [role=alert]").await.unwrap().text().await.unwrap();
    assert!(wrong.starts_with("a percentage"), "people read words, no names of fields: {wrong}");
    look(&browser, "staff-new-refused").await;
    browser.fill("#percent", "12.5").await.unwrap();
    browser.click("input[name=all_shops]").await.unwrap();
    submit(&browser, "/staff").await;
    browser.reads("Give them a PIN").await.unwrap();
    let path = browser.driver.current_url().await.unwrap().path().to_owned();
    browser.fill("#pin", "1234").await.unwrap();
    submit(&browser, &format!("{path}/pin")).await;
    browser.see(".field.bad [role=alert]").await.unwrap();
    look(&browser, "staff-pin-refused").await;
    browser.fill("#pin", "4711").await.unwrap();
    submit(&browser, &format!("{path}/pin")).await;
    browser.reads("PIN set").await.unwrap();
    look(&browser, "staff-one").await;

    let rules = format!("/staff/rules/{shop}");
    browser.open(&format!("{url}{rules}")).await.unwrap();
    browser.fill("#refund", "much").await.unwrap();
    submit(&browser, &rules).await;
    browser.see(".field.bad [role=alert]").await.unwrap();
    look(&browser, "staff-rules-refused").await;
    browser.fill("#refund", "20.00").await.unwrap();
    submit(&browser, &rules).await;
    browser.reads("are saved").await.unwrap();
    add(&office, json!({ "name": "Ben Oyelaran-Featherstonehaugh", "shop_ids": [shop] }), "9052").await;
    let gone = add(&office, json!({ "name": "Ida Marsh", "role": "supervisor", "shop_ids": [shop] }), "6158").await;
    hq(&office, Method::POST, &format!("/v1/staff/{gone}/end"), json!({})).await;
    let gone = format!("/staff/{gone}");
    let pages = [
        ("staff", "/staff"),
        ("staff-former", "/staff?ended=yes"),
        ("staff-new", "/staff/new"),
        ("staff-one", &path),
        ("staff-gone", &gone),
        ("staff-rules", &rules),
    ];
    for (name, path) in pages {
        browser.open(&format!("{url}{path}")).await.unwrap();
        look(&browser, name).await;
    }
    browser.quit().await.unwrap();

    let phone = Browser::start(Screen::Phone).await.unwrap();
    enter(&phone, &url, &owner, "/staff").await;
    for (name, path) in pages {
        phone.open(&format!("{url}{path}")).await.unwrap();
        look(&phone, name).await;
    }
    phone.quit().await.unwrap();
    cloud.stop().await;
}
