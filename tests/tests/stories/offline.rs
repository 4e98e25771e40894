//! A week without internet, told in virtual time: the shop sells every day, its node restarts in the middle, and
//! when the line is back head office has each day to the penny.

use std::time::Duration;

use serde_json::json;
use tillway_tests::lane::Lane;
use tillway_tests::process::run;
use tillway_tests::world::World;

use crate::street::{CATALOGUE, sell};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test(flavor = "multi_thread")]
async fn a_week_offline_then_exact() {
    let mut world = World::open("week", 2, CATALOGUE).await.unwrap();
    let mut lanes = Vec::new();
    for store in &world.stores {
        lanes.push(store.lane("Till 1").await.unwrap());
    }
    // Both sell on the first day; then the first shop loses the internet, the second does not.
    let mut days: Vec<(String, i64, i64)> = Vec::new();
    for day in 0..8_u32 {
        if day == 1 {
            world.settle().await.unwrap();
            world.stores[0].uplink.cut();
        }
        if day == 4 {
            world.stores[0].stop().await;
            world.stores[0].start().await.unwrap();
        }
        let sold = a_day(&mut lanes[0], day, 3 + day).await;
        a_day(&mut lanes[1], day, 2).await;
        days.push(sold);
        world.advance(DAY);
    }
    let behind = world.hq.overview(Some(&world.stores[0].shop), "2000-01-01", "2100-01-01").await.unwrap();
    assert_eq!(behind.sales + behind.returns, days[0].2, "the cut was no cut");

    world.stores[0].uplink.restore();
    world.settle().await.unwrap();
    let shop = world.stores[0].shop.clone();
    for (date, net, tickets) in &days {
        let there = world.hq.overview(Some(&shop), date, date).await.unwrap();
        assert_eq!((there.net_sales_minor, there.sales + there.returns), (*net, *tickets), "{date}");
    }
    let dates: std::collections::BTreeSet<&String> = days.iter().map(|(date, ..)| date).collect();
    assert_eq!(dates.len(), 8, "eight trading days: {days:?}");
    let all = world.hq.overview(Some(&shop), "2000-01-01", "2100-01-01").await.unwrap();
    assert_eq!(all.net_sales_minor, days.iter().map(|(_, net, _)| net).sum::<i64>());
    world.close().await.unwrap();
}

/// Some sales, a return of the last, a write-off; the trading day, its net and its tickets.
async fn a_day(lane: &mut Lane, day: u32, sales: u32) -> (String, i64, i64) {
    let mut net = 0;
    let mut last = None;
    for number in 0..sales {
        let receipt = sell(lane, &format!("d{day}:{number}"), "MUG", number + 1).await;
        net += receipt.totals.total_minor;
        last = Some(receipt);
    }
    let last = last.unwrap();
    let back = lane.open(&format!("d{day}:r"), "return", None, None).await.unwrap();
    let original = json!({"original": {"term": last.term, "seq": last.seq, "line_no": 1}, "quantity": "1"});
    let changed = lane.ring(&format!("d{day}:r1"), &back.id, &original).await.unwrap();
    assert_eq!(changed.totals.total_minor, -255);
    let key = format!("d{day}:rc");
    lane.close(&key, &back.id, "cash", changed.totals.total_minor, changed.revision).await.unwrap();
    let broken = json!({"reason": "broken", "lines": [{"code": "BAG", "quantity": "1"}]});
    let key = format!("d{day}:w");
    lane.write::<serde_json::Value>(hyper::Method::POST, "/v1/write-offs", &key, &broken).await.unwrap();
    (last.business_date, net - 255, i64::from(sales) + 1)
}

/// What is good for a time is refused after it: a claim after a day, an access token, a pairing code after ten
/// minutes. A token that is used in time goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_refused() {
    let world = World::open("expiry", 1, CATALOGUE).await.unwrap();
    let claim = world.cloud.claim(&world.hq, &world.stores[0].shop).await.unwrap();
    let token = world.hq.token();
    let code = world.stores[0].pairing().await.unwrap().code;
    let shops = || reqwest::Client::new().get(format!("{}/v1/shops", world.cloud.url())).bearer_auth(&token);
    assert_eq!(shops().send().await.unwrap().status(), 200);

    world.advance(Duration::from_secs(11 * 60));
    let late = Lane::pair(world.stores[0].target().unwrap(), &code, "Too late").await.map(|lane| lane.id);
    assert!(late.as_ref().is_err_and(|error| error.refused("AUTHN")), "{late:?}");

    world.advance(DAY);
    let answer = shops().send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(answer.text().await.unwrap().contains("AUTHN"));

    let folder = tempfile::tempdir().unwrap();
    let (url, dir) = (world.cloud.url().to_owned(), folder.path().join("node").to_string_lossy().into_owned());
    let enrol = move || run("provision", &["enroll", "--hq", &url, "--claim", &claim, "--dir", &dir]);
    let said = format!("{:#}", tokio::task::spawn_blocking(enrol).await.unwrap().unwrap_err());
    assert!(said.contains("expired") || said.contains("claim"), "{said}");
    world.close().await.unwrap();
}
