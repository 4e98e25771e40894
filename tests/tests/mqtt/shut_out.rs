//! Who misbehaves is shut out, each in his own way, while a message every few milliseconds reaches a client that keeps
//! to the rules: it must not miss one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edge_agent::desk::NewLane;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use crate::raw::{Raw, connect, message, packet};
use crate::shop::{Follower, PATIENCE, Shop, Way};

/// 3.1.1 is closed without a word.
const NOTHING: [u8; 0] = [];

/// A lane that says its number every ten milliseconds, and a screen that hears it.
struct Steady {
    stop: Arc<AtomicBool>,
    feeder: JoinHandle<u64>,
    screen: Follower,
}

impl Steady {
    async fn start(shop: &Shop) -> Self {
        let (feeder, screen) = (shop.lane("Feeder").await, shop.lane("Screen").await);
        let topic = shop.topic(&feeder, "state");
        let screen = shop.mosquitto(Way::Tls, "mqttv5", &screen, &topic).await;
        let mut raw = shop.signed_in(&feeder, "steady").await;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let feeder = tokio::spawn(async move {
            let (mut tick, mut number) = (tokio::time::interval(Duration::from_millis(15)), 0);
            while !told.load(Ordering::Relaxed) {
                tick.tick().await;
                number += 1;
                raw.0.write_all(&message(&topic, number.to_string().as_bytes())).await.expect("the feeder stays in");
            }
            number
        });
        Self { stop, feeder, screen }
    }

    /// Every number came, in order, none twice.
    async fn end(self) {
        let Self { stop, feeder, mut screen } = self;
        stop.store(true, Ordering::Relaxed);
        let last = feeder.await.unwrap();
        assert!(last > 100, "{last} messages are no test");
        for number in 1..=last {
            let got = screen.until("got").await;
            assert_eq!(got.rsplit(' ').next(), Some(number.to_string().as_str()), "a gap");
        }
        screen.end().await;
    }
}

async fn refused(shop: &Shop, reason: &str) -> u64 {
    tillway_tests::town::counted(&shop.metrics().await, "tillway_mqtt_refused_total", &format!("reason=\"{reason}\""))
}

/// The guard's CONNACK to a wrong login, in both protocols.
async fn wrong_logins(shop: &Shop, lane: &NewLane) {
    let (id, other) = (lane.id.to_string(), shop.lane("Other").await);
    for (level, login, name) in [(4, 4, 2), (5, 0x86, 0x85)] {
        let (long, zero) = ("x".repeat(5_000), "0".repeat(64));
        for (user, password) in
            [(id.as_str(), "wrong"), (&id, &other.token), ("nobody", &lane.token), (&id, &long), ("", &zero)]
        {
            let mut raw = shop.knock().await;
            raw.send(&connect(level, 30, &id, user, password)).await;
            assert_eq!(raw.rest().await.get(3), Some(&login), "{user}");
        }
        let mut raw = shop.knock().await;
        raw.send(&connect(level, 30, &other.id.to_string(), &id, &lane.token)).await;
        assert_eq!(raw.rest().await.get(3), Some(&name), "another lane's client id");
    }
    for version in ["mqttv311", "mqttv5"] {
        let words = ["-t", "tw/x", "-m", "x"];
        let (content, said) = shop.publish(Way::Tls, version, (&id, "wrong"), &words).await;
        assert!(!content && said.contains("CONNACK"), "{said}");
    }
}

/// Bytes that are no packets, each on a connection that had signed in, and such that never do.
async fn garbage(shop: &Shop, lane: &NewLane) {
    let after: [&[u8]; 8] = [
        &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        &[0x30, 0xFF, 0xFF, 0xFF, 0x7F],
        &[0x00, 0x00],
        &[0x80, 0x02, 0x00, 0x01],
        &[0x30, 0x05, 0x00, 0x03, 0xFF, 0xFE, 0xFD],
        &[0x30, 0x05, 0x00, 0x03, b't', 0x00, b't'],
        &[0x30, 0x03, 0x00, 0x20, b't'],
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    ];
    for bytes in after {
        let mut raw = shop.signed_in(lane, "garbage").await;
        raw.send(bytes).await;
        assert_eq!(raw.rest().await, NOTHING, "3.1.1 is closed without a word: {bytes:x?}");
    }
    let five = async |bytes: &[u8]| {
        let mut raw = shop.knock().await;
        raw.send(&connect(5, 30, &format!("{}.five", lane.id), &lane.id.to_string(), &lane.token)).await;
        let length = usize::from(raw.read(2).await[1]);
        raw.read(length).await;
        raw.send(bytes).await;
        raw.rest().await
    };
    assert_eq!(five(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]).await[..1], [0xE0]);
    assert_eq!(five(&[0x00, 0x00]).await.get(2), Some(&0x81), "malformed");
    assert_eq!(five(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]).await.get(2), Some(&0x95), "too large");
    assert_eq!(five(&packet(0x34, &[0, 1, b't', 0, 1, 0])).await.get(2), Some(&0x9B), "QoS 2");
    assert_eq!(five(&packet(0x30, &[0, 1, b't', 0])).await.get(2), Some(&0x90), "no topic of ours");
    for bytes in [&b"\x16\x03\x01\x00\xa5"[..], &[0x10, 0xFF, 0xFF, 0xFF, 0x7F], &[0xC0, 0], &[0x10, 2, 0, 9]] {
        let mut raw = shop.knock().await;
        raw.send(bytes).await;
        assert_eq!(raw.rest().await, NOTHING, "{bytes:x?}");
    }
}

/// Both protocols end it; 5 says why.
async fn no_right(shop: &Shop, lane: &NewLane) {
    let other = shop.lane("Not theirs").await;
    let topic = shop.topic(&other, "state");
    let mut raw = shop.signed_in(lane, "rights").await;
    raw.send(&message(&topic, b"x")).await;
    assert_eq!(raw.rest().await, NOTHING);
    let (content, said) =
        shop.publish(Way::Tls, "mqttv5", (&lane.id.to_string(), &lane.token), &["-t", &topic, "-m", "x"]).await;
    assert!(!content, "{said}");
}

async fn flood(shop: &Shop, lane: &NewLane) {
    let topic = shop.topic(lane, "state");
    let mut raw = shop.signed_in(lane, "flood").await;
    let many: Vec<u8> = (0..5_000).flat_map(|_| message(&topic, b"flood")).collect();
    raw.send(&many).await;
    assert_eq!(raw.rest().await, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_misbehaves_is_shut_out_and_nobody_else_notices() {
    let shop = Shop::open("mqtt-shut-out").await;
    let rude = shop.lane("Rude").await;
    let before: u64 = refused(&shop, "silent").await;
    let steady = Steady::start(&shop).await;
    // They say nothing: neither to the plain door nor to TLS; and one begins and does not go on.
    let mut silent = Vec::new();
    for address in [shop.plain, shop.tls] {
        silent.push(Raw(tokio::net::TcpStream::connect(address).await.unwrap()));
    }
    let mut begun = shop.knock().await;
    begun.send(&[0x10, 60, 0, 4, b'M']).await;
    silent.push(begun);
    let began = Instant::now();

    wrong_logins(&shop, &rude).await;
    garbage(&shop, &rude).await;
    no_right(&shop, &rude).await;
    flood(&shop, &rude).await;

    for raw in &mut silent {
        assert_eq!(raw.rest().await, NOTHING);
    }
    assert!(began.elapsed() < PATIENCE);
    for (reason, least) in [("login", 12), ("client_id", 2), ("malformed", 8), ("rights", 3), ("flood", 1), ("qos", 1)]
    {
        assert!(refused(&shop, reason).await >= least, "{reason}: {}", refused(&shop, reason).await);
    }
    assert_eq!(refused(&shop, "silent").await - before, 3);
    steady.end().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_whose_token_is_taken_away_is_cut_within_a_second() {
    let shop = Shop::open("mqtt-revoked").await;
    let lane = shop.lane("Till 1").await;
    let mut raw = shop.signed_in(&lane, "r").await;
    let mut five = shop.paho(Way::Tls, "5", &lane, "p", &[&shop.topic(&lane, "#")]);
    five.until("ready").await;
    shop.revoke(&lane).await;
    let began = Instant::now();
    assert_eq!(raw.rest().await, NOTHING);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(five.until("gone").await, "135", "not authorized");
    let mut again = shop.knock().await;
    again.send(&connect(4, 30, &lane.id.to_string(), &lane.id.to_string(), &lane.token)).await;
    assert_eq!(again.rest().await, [0x20, 2, 0, 4]);
    five.end().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_and_who_does_not_ping_is_shut_out() {
    let shop = Shop::open("mqtt-slow").await;
    let (slow, rude) = (shop.lane("Slow").await, shop.lane("Mute").await);
    let steady = Steady::start(&shop).await;
    // A subscriber that never reads, and lanes that say more than the system keeps for it.
    let mut deaf = shop.signed_in(&slow, "deaf").await;
    let filter = format!("tw/{}/lane/+/state", shop.id);
    let mut body = vec![0, 1];
    body.extend_from_slice(&u16::try_from(filter.len()).unwrap().to_be_bytes());
    body.extend_from_slice(filter.as_bytes());
    body.push(0);
    deaf.send(&packet(0x82, &body)).await;
    assert_eq!(deaf.read(5).await, [0x90, 3, 0, 1, 0]);
    let mut mute = shop.knock().await;
    mute.send(&connect(4, 1, &format!("{}.mute", rude.id), &rude.id.to_string(), &rude.token)).await;
    assert_eq!(mute.read(4).await, [0x20, 2, 0, 0]);
    let began = Instant::now();
    assert_eq!(mute.rest().await, NOTHING);
    assert!(began.elapsed() >= Duration::from_millis(1_400), "one and a half times its keep-alive");
    let payload = vec![b'x'; 32 << 10];
    for name in ["a", "b", "c"] {
        let loud = shop.lane(&format!("Loud {name}")).await;
        let (topic, mut raw) = (shop.topic(&loud, "state"), shop.signed_in(&loud, name).await);
        for _ in 0..28 {
            raw.send(&message(&topic, &payload)).await;
        }
    }
    let is_out = || async { Ok(refused(&shop, "slow").await > 0) };
    tillway_tests::world::until("a client that does not read is shut out", is_out).await.unwrap();
    assert!(refused(&shop, "keep_alive").await >= 1);
    steady.end().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_program_that_finds_the_broker_gets_nowhere() {
    let shop = Shop::open("mqtt-inside").await;
    let lane = shop.lane("Till 1").await;
    for address in shop.broker() {
        for (user, password) in [("", ""), ("admin", "admin"), (lane.id.to_string().as_str(), lane.token.as_str())] {
            for level in [4, 5] {
                let mut raw = Raw(tokio::net::TcpStream::connect(address).await.unwrap());
                raw.send(&connect(level, 30, "guard.1", user, password)).await;
                assert_eq!(raw.rest().await, NOTHING, "no CONNACK for a stranger");
            }
        }
    }
    shop.close().await;
}
