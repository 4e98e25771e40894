//! Too many at once: of one name, of one lane, of one address. Each limit stops those it is for and nobody else.

use edge_agent::desk::NewLane;
use protocol::limits;
use tillway_tests::world::until;

use crate::raw::{Raw, connect, message};
use crate::shop::{Shop, Way};

/// Another address of this machine.
const ELSEWHERE: [u8; 4] = [127, 0, 0, 2];
const NOTHING: [u8; 0] = [];

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_under_the_same_name_takes_the_place() {
    let shop = Shop::open("mqtt-takeover").await;
    let (till, screen) = (shop.lane("Till 1").await, shop.lane("Screen").await);
    let (state, user) = (shop.topic(&till, "state"), till.id.to_string());
    let name = format!("{}.t", screen.id);
    for (way, version) in [(Way::Plain, "mqttv311"), (Way::Tls, "mqttv5")] {
        // With 3.1.1 and with 5, by mosquitto, by paho and by nobody's library.
        let mut first = shop.signed_in(&screen, "t").await;
        let mut second = shop.paho(way, "5", &screen, "t", &[&state]);
        second.until("ready").await;
        assert_eq!(first.rest().await, NOTHING, "3.1.1 is closed without a word");
        let mut third = shop.mosquitto_with(way, version, &screen, &[&state], &["-i", &name]).await;
        assert_eq!(second.until("gone").await, "142", "session taken over");
        let (content, said) = shop.publish(way, version, (&user, &till.token), &["-t", &state, "-m", "x"]).await;
        assert!(content, "{said}");
        assert_eq!(third.until("got").await, format!("{state} x"), "the last one has the place");
        for follower in [second, third] {
            follower.end().await;
        }
    }
    shop.close().await;
}

/// Signs so many connections of these lanes in, four of a lane.
async fn crowd(shop: &Shop, lanes: &[NewLane], count: usize) -> Vec<Raw> {
    let mut all = Vec::new();
    for number in 0..count {
        let lane = &lanes[number / limits::MQTT_LANE_CONNECTIONS];
        all.push(shop.signed_in(lane, &number.to_string()).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_takes_its_share_of_connections_and_no_more() {
    let shop = Shop::open("mqtt-crowd").await;
    let watcher = shop.lane("Watcher").await;
    let mut lanes = Vec::new();
    for number in 1..32 {
        lanes.push(shop.lane(&format!("Till {number}")).await);
    }
    // The node's own client is in, and a follower; both come from here too.
    let nodes = format!("tw/{}/node/+/presence", shop.id);
    let state = shop.topic(&lanes[0], "state");
    let mut follower = shop.mosquitto_with(Way::Plain, "mqttv5", &watcher, &[&nodes, &state], &[]).await;
    follower.hears("/presence", "\"online\"").await;

    // Those who say nothing have a small share of their own.
    let mut silent = Vec::new();
    for _ in 0..limits::MQTT_PEER_STRANGERS {
        silent.push(shop.knock().await);
    }
    assert_eq!(shop.knock().await.rest().await, NOTHING, "one more who says nothing");
    let mut other = shop.knock_from(ELSEWHERE).await;
    other.sign_in(&lanes[0], "elsewhere").await;
    drop((silent, other));
    let let_in = || async {
        let mut raw = shop.knock().await;
        raw.send(&connect(4, 30, &lanes[0].id.to_string(), &lanes[0].id.to_string(), &lanes[0].token)).await;
        Ok(raw.rest_or(4).await == [0x20, 2, 0, 0])
    };
    until("there is room again", let_in).await.unwrap();

    // Those who are known, together with the node and the follower, fill the address.
    let room = limits::MQTT_PEER_CONNECTIONS - 2;
    let (own, rest) = (limits::MQTT_LANE_CONNECTIONS - 1, room - (limits::MQTT_LANE_CONNECTIONS - 1));
    let mut here = Vec::new();
    for number in 0..own {
        here.push(shop.signed_in(&watcher, &number.to_string()).await);
    }
    here.extend(crowd(&shop, &lanes, rest).await);
    assert_eq!(shop.knock().await.rest().await, NOTHING, "the address is full");
    let (full, last) = (&lanes[0], &lanes[rest / limits::MQTT_LANE_CONNECTIONS]);
    let mut other = shop.knock_from(ELSEWHERE).await;
    other.sign_in(last, "elsewhere").await;
    // A lane that has its four gets no fifth, wherever it comes from, and is told so.
    let mut fifth = shop.knock_from(ELSEWHERE).await;
    fifth.send(&connect(5, 30, &format!("{}.fifth", full.id), &full.id.to_string(), &full.token)).await;
    assert_eq!(fifth.rest().await.get(3), Some(&0x97), "quota exceeded");
    // Nobody who was in has noticed, and a place that is left is free.
    here.pop();
    until("the place is free", || async {
        let mut raw = shop.knock().await;
        raw.send(&connect(4, 30, &format!("{}.again", last.id), &last.id.to_string(), &last.token)).await;
        Ok(raw.rest_or(4).await == [0x20, 2, 0, 0])
    })
    .await
    .unwrap();
    here[own].send(&message(&state, b"still here")).await;
    follower.hears("/state", "still here").await;
    follower.end().await;
    shop.close().await;
}
