//! What a node is sent, against a real PostgreSQL, applied as a node applies it.

use bytes::Bytes;
use protocol::collection::{Catalogue, Collection, Delivery, Version};

use super::service;
use crate::auth::guard::Caller;
use crate::domain::catalog::service as catalog;
use crate::domain::sales::testing::{Rig, Seat};
use crate::http::IfMatch;

fn owner(seat: &Seat) -> Caller {
    Caller::member(seat.tenant, seat.owner, uuid::Uuid::nil())
}

async fn import(rig: &Rig, seat: &Seat, file: &'static str) {
    catalog::import(&rig.app, &owner(seat), Bytes::from_static(file.as_bytes())).await.unwrap();
}

async fn sent(rig: &Rig, seat: &Seat, have: u64) -> Option<Delivery> {
    service::downlink(&rig.app, &seat.who, Collection::Catalogue, Version(have)).await.unwrap()
}

async fn price(rig: &Rig, seat: &Seat, code: &str, price: &str) -> Option<u64> {
    let any = IfMatch::any();
    let set = service::set_price(&rig.app, &owner(seat), code, &any, price.parse().unwrap()).await.unwrap();
    set.map(|(set, _)| set.version)
}

const FILE: &str = "code,description,unit_price\nA,a,1\nB,b,2\nC,c,3\nD,d,4\n";

#[tokio::test]
async fn a_price_change_travels_as_a_delta_and_a_gap_as_the_whole() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    assert_eq!(sent(&rig, &seat, 0).await, None, "no catalogue yet");
    assert_eq!(sent(&rig, &seat, 7).await, None, "a head office without a catalogue empties no shop");
    let mut hints = rig.app.hints.subscribe();
    import(&rig, &seat, FILE).await;
    let hint = hints.try_recv().unwrap();
    assert_eq!((hint.tenant, hint.collection), (seat.tenant, Collection::Catalogue));
    let Some(Delivery::Catalogue(mut node)) = sent(&rig, &seat, 0).await else { panic!("a snapshot") };
    assert_eq!((node.version, node.products.len()), (Version(1), 4));

    assert_eq!(price(&rig, &seat, "A", "1.2345").await, Some(2));
    assert_eq!(price(&rig, &seat, "A", "1.2345").await, Some(2), "the same price is no revision");
    assert_eq!(price(&rig, &seat, "a", "9").await, None, "codes are case-sensitive");
    let old = node.clone();
    let Some(Delivery::CatalogueDelta(delta)) = sent(&rig, &seat, 1).await else { panic!("a delta") };
    assert_eq!((delta.upserts.len(), delta.removals.len()), (1, 0));
    node.apply(delta).unwrap();
    assert_eq!(node.products["A"].unit_price.to_string(), "1.2345");
    assert_eq!(sent(&rig, &seat, 2).await, None);

    // A removal and a second change: a node that missed a version gets both steps in one.
    let by = catalog::By::of(&owner(&seat), super::types::Source::Removal, rig.app.clock.now());
    let mut tx = rig.tx(seat.tenant).await;
    assert_eq!(catalog::remove(&mut tx, by, "D").await.unwrap(), Some(3));
    tx.save().await.unwrap();
    let mut missed = old;
    let Some(Delivery::CatalogueDelta(delta)) = sent(&rig, &seat, 1).await else { panic!("a delta") };
    assert_eq!(delta.removals, ["D"]);
    missed.apply(delta).unwrap();
    let whole = sent(&rig, &seat, 0).await;
    assert_eq!(whole, Some(Delivery::Catalogue(missed)), "by either way a node stands at the same");
    assert!(matches!(sent(&rig, &seat, 99).await, Some(Delivery::Catalogue(Catalogue { version: Version(3), .. }))));
    // More changes than products: the whole is smaller.
    import(&rig, &seat, "code,description,unit_price\nA,a,5\nB,b,5\nC,c,5\n").await;
    assert!(matches!(sent(&rig, &seat, 2).await, Some(Delivery::Catalogue(_))));
}

#[tokio::test]
async fn the_history_of_a_price_says_what_who_and_when() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    import(&rig, &seat, FILE).await;
    price(&rig, &seat, "B", "2.50").await;
    let token = rig.sign_in(&seat).await;
    let (status, reply) = rig.get("/v1/pricing/prices/B", &token).await;
    assert_eq!(status, 200, "{reply}");
    let told: Vec<_> = reply["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["old_price"].clone(), c["new_price"].clone(), c["source"].clone()))
        .collect();
    assert_eq!(
        told,
        [("2.00".into(), "2.50".into(), "price".into()), (serde_json::Value::Null, "2.00".into(), "import".into())]
    );
    assert_eq!(reply["data"][0]["person_id"], seat.owner.to_string());
    let body = |price: &str| format!(r#"{{"unit_price":"{price}"}}"#);
    let put = async |code: &str, price: &str| {
        let path = format!("/v1/pricing/prices/{code}");
        rig.call("PUT", &path, &token, "application/json", body(price)).await.0.as_u16()
    };
    assert_eq!(put("B", "2.6").await, 200);
    assert_eq!(put("B", "2.60001").await, 422);
    assert_eq!(put("nothing", "2.6").await, 404);
    assert_eq!(rig.get("/v1/pricing/prices/nothing", &token).await.0, 404);
}

#[tokio::test]
async fn a_node_gets_its_shop_and_only_when_it_changed() {
    let mut rig = Rig::new().await;
    let (seat, other) = (rig.seat().await, rig.seat().await);
    let Some(Delivery::Shop(settings)) =
        service::downlink(&rig.app, &seat.who, Collection::Shop, Version(0)).await.unwrap()
    else {
        panic!("the shop")
    };
    assert_eq!((settings.shop, settings.zone.as_str()), (seat.shop, "Europe/London"));
    assert_eq!(service::downlink(&rig.app, &seat.who, Collection::Shop, settings.version).await.unwrap(), None);
    let mut stray = seat.who;
    stray.shop = other.shop;
    assert_eq!(service::downlink(&rig.app, &stray, Collection::Shop, Version(0)).await.unwrap(), None);
}
