//! Foreign clients follow lanes: both protocols, both doors, presence and last will, refused filters.

use crate::raw::{connect, packet};
use crate::shop::{Shop, Way};

const WAYS: [Way; 2] = [Way::Plain, Way::Tls];

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_and_paho_follow_lanes_with_both_protocols_over_both_doors() {
    let shop = Shop::open("mqtt-follow").await;
    let (till, screen) = (shop.lane("Till 1").await, shop.lane("Screen").await);
    let (state, user) = (shop.topic(&till, "state"), till.id.to_string());
    let every = format!("tw/{}/lane/+/state", shop.id);
    for way in WAYS {
        for (mosquitto, paho) in [("mqttv311", "3.1.1"), ("mqttv5", "5")] {
            let mut one = shop.mosquitto(way, mosquitto, &screen, &every).await;
            let mut two = shop.paho(way, paho, &screen, "p", &[&every]);
            assert_eq!(two.until("ready").await, "1");
            let word = format!("{{\"by\":\"{mosquitto}\"}}");
            let (content, said) =
                shop.publish(way, mosquitto, (&user, &till.token), &["-t", &state, "-m", &word]).await;
            assert!(content, "{way:?} {mosquitto}: {said}");
            let expected = format!("{state} {word}");
            assert_eq!((one.until("got").await, two.until("got").await), (expected.clone(), expected));

            let mut speaker = shop.paho(way, paho, &till, "s", &[&every, "--say", &state, "again"]);
            speaker.until("said").await;
            let expected = format!("{state} again");
            assert_eq!((one.until("got").await, two.until("got").await), (expected.clone(), expected));
            for follower in [one, two, speaker] {
                follower.end().await;
            }
        }
    }
    let metrics = shop.metrics().await;
    assert!(metrics.contains("tillway_mqtt_connects_total{version=\"3.1.1\"}"), "{metrics}");
    assert!(metrics.contains("tillway_mqtt_messages_total{direction=\"down\"}"));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_loses_its_power_is_said_to_be_gone_and_one_that_says_goodbye_is_not() {
    let shop = Shop::open("mqtt-will").await;
    let (till, screen) = (shop.lane("Till 1").await, shop.lane("Screen").await);
    let (presence, user) = (shop.topic(&till, "presence"), till.id.to_string());
    let mut watcher =
        shop.mosquitto(Way::Tls, "mqttv5", &screen, &format!("tw/{}/lane/{user}/presence", shop.id)).await;
    for version in ["mqttv311", "mqttv5"] {
        let will = ["-t", &presence, "-r", "-m", "online", "--will-topic", &presence, "--will-payload", "gone"];
        let (content, said) =
            shop.publish(Way::Plain, version, (&user, &till.token), &[&will[..], &["--will-retain"]].concat()).await;
        assert!(content, "{said}");
        assert_eq!(watcher.until("got").await, format!("{presence} online"), "and no will behind it");
    }
    // A connection with a will that ends without a word.
    let mut body = connect(4, 30, &format!("{user}.w"), &user, &till.token)[2..].to_vec();
    if body[0] != 0 {
        body.remove(0);
    }
    body[7] |= 0b0010_0100;
    let at = 12 + user.len() + 2;
    let mut will = u16::try_from(presence.len()).unwrap().to_be_bytes().to_vec();
    will.extend_from_slice(presence.as_bytes());
    will.extend_from_slice(&[0, 4, b'g', b'o', b'n', b'e']);
    body.splice(at..at, will);
    let mut raw = shop.knock().await;
    raw.send(&packet(0x10, &body)).await;
    assert_eq!(raw.read(4).await, [0x20, 2, 0, 0]);
    drop(raw);
    assert_eq!(watcher.until("got").await, format!("{presence} gone"));
    // It was retained: whoever comes later hears it too.
    let mut late = shop.mosquitto(Way::Plain, "mqttv311", &screen, &presence).await;
    assert_eq!(late.until("got").await, format!("{presence} gone"));
    for follower in [watcher, late] {
        follower.end().await;
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_filter_is_answered_and_the_others_are_served() {
    let shop = Shop::open("mqtt-filters").await;
    let (till, screen) = (shop.lane("Till 1").await, shop.lane("Screen").await);
    let (reply, state) = (shop.topic(&till, "reply"), shop.topic(&till, "state"));
    for (version, codes) in [("3.1.1", "128 1 128"), ("5", "135 1 158")] {
        let mut follower = shop.paho(Way::Plain, version, &screen, "f", &[&reply, &state, "$share/g/tw/#"]);
        assert_eq!(follower.until("ready").await, codes, "MQTT {version}");
        let user = till.id.to_string();
        let (content, said) =
            shop.publish(Way::Plain, "mqttv5", (&user, &till.token), &["-t", &state, "-m", "x"]).await;
        assert!(content, "{said}");
        assert_eq!(follower.until("got").await, format!("{state} x"));
        follower.end().await;
    }
    shop.close().await;
}
