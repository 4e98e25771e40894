//! The power fails: under load again and again, and with the index gone while the internet is away.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tillway_tests::process::passing_folder;
use tillway_tests::proof::{Trial, prove};

use crate::street::{Street, sell};

/// Kill -9 twenty times while four lanes sell, the uplink cut for the middle third: every receipt of the paper is
/// at head office once.
#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_under_load() {
    tillway_tests::trust::install();
    let receipts = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/online-retail-2010-12-01_14.csv.gz");
    let folder = passing_folder("tillway-twenty-").unwrap();
    let trial = Trial { receipts, lanes: 4, kills: 20, limit: Some(260) };
    let faults = prove(&trial, folder.path()).await.unwrap();
    assert_eq!(faults, Vec::<String>::new());
}

/// Offline, killed, and the index deleted: the node starts, knows the catalogue, sells within five seconds, gives
/// the same answer to a close that is asked again, and HQ has everything later.
#[tokio::test(flavor = "multi_thread")]
async fn index_lost_while_offline() {
    let mut street = Street::open("index").await;
    let mut lane = street.lane("Till 1").await;
    let first = sell(&mut lane, "a", "MUG", 2).await;
    street.settle(1, 510).await;
    street.uplink.cut();
    let second = sell(&mut lane, "b", "BAG", 3).await;
    let open = lane.open("c:open", "sale", Some("half rung"), None).await.unwrap();
    lane.ring("c:1", &open.id, &json!({"code": "MUG", "quantity": "1"})).await.unwrap();
    // An acknowledged sale makes what came before it durable.
    let third = sell(&mut lane, "d", "MUG", 1).await;

    street.node.kill().unwrap();
    let index = street.node.data().join("index");
    assert!(index.is_dir(), "{} is where the index should be", index.display());
    std::fs::remove_dir_all(&index).unwrap();
    let began = Instant::now();
    street.node.start().await.unwrap();
    let fourth = sell(&mut lane, "e", "BAG", 1).await;
    assert!(began.elapsed() < Duration::from_secs(5), "the first sale took {:?}", began.elapsed());
    assert_eq!(fourth.seq, third.seq + 1);

    for (key, sold) in [("a", &first), ("b", &second), ("d", &third)] {
        let again = sell_again(&mut lane, key, sold.totals.total_minor).await;
        assert_eq!(&again, sold, "the same key gets the same receipt, index or not");
    }
    let half = lane.ticket(&open.id).await.unwrap();
    assert_eq!((half.lines.len(), half.totals.total_minor), (1, 255), "the open basket is still there");
    lane.close("c:close", &open.id, "cash", 255, half.revision).await.unwrap();

    street.uplink.restore();
    street.settle(5, 510 + 330 + 255 + 110 + 255).await;
    street.close().await;
}

/// The whole sale again under the keys it had, as a terminal does that never heard the answers.
async fn sell_again(lane: &mut tillway_tests::lane::Lane, key: &str, total: i64) -> tillway_tests::lane::Receipt {
    let ticket = lane.open(&format!("{key}:open"), "sale", None, None).await.unwrap();
    let revision = ticket.revision + 1;
    lane.close(&format!("{key}:close"), &ticket.id, "cash", total, revision).await.unwrap()
}

/// Asked to end in the middle of everything, as systemd does: the node ends by itself, soon and cleanly, every time;
/// the lanes ride it out and nothing is lost or doubled.
#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_under_load() {
    let mut street = Street::open("end").await;
    let mut lanes = Vec::new();
    for number in 0..6_u32 {
        let mut lane = street.lane(&format!("Till {number}")).await;
        lanes.push(tokio::spawn(async move {
            for sale in 0..40_u32 {
                sell(&mut lane, &format!("{number}:{sale}"), "BAG", 1).await;
            }
        }));
    }
    for _ in 0..6 {
        let (before, began) = (street.overview().await.sales, Instant::now());
        while street.overview().await.sales < before + 5 && began.elapsed() < Duration::from_secs(5) {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        street.node.stop().unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "the end took {:?}", began.elapsed());
        street.node.start().await.unwrap();
    }
    for lane in lanes {
        lane.await.unwrap();
    }
    street.settle(240, 240 * 110).await;
    street.close().await;
}
