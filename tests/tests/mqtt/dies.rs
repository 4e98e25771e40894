//! What the shop sees when its broker dies, when its printer runs out of paper, and when a door cannot be opened.

use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use tillway_tests::printer::{Fault, PrinterSim, SimOptions};
use tillway_tests::process::{beside, free_port};

use crate::shop::{PATIENCE, Shop, Way};

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_under_its_clients_is_replaced_and_everything_is_there_again() {
    let printer = PrinterSim::start(SimOptions::default()).await.unwrap();
    let shop = Shop::with_printer("mqtt-dies", &printer).await;
    let (till, screen) = (shop.lane("Till 1").await, shop.lane("Screen").await);
    let (nodes, devices) = (format!("tw/{}/node/+/presence", shop.id), format!("tw/{}/device/+/state", shop.id));
    let (state, user) = (shop.topic(&till, "state"), till.id.to_string());
    let filters = [nodes.as_str(), &devices, &state];
    // mosquitto_sub comes back by itself when it loses its connection, and ends when it is refused.
    let mut followers = Vec::new();
    for (way, version) in [(Way::Plain, "mqttv311"), (Way::Tls, "mqttv5")] {
        let mut follower = shop.mosquitto_with(way, version, &screen, &filters, &["-k", "10"]).await;
        follower.hears("/presence", "\"online\"").await;
        follower.hears("/device/counter/state", "\"ready\"").await;
        followers.push(follower);
    }
    for number in 2..4 {
        shop.crash_broker();
        let began = Instant::now();
        // Whoever comes meanwhile waits for the next one.
        let word = format!("after {number}");
        let (content, said) =
            shop.publish(Way::Plain, "mqttv311", (&user, &till.token), &["-t", &state, "-m", "meanwhile"]).await;
        assert!(content, "{said}");
        shop.has_broker(number).await;
        for follower in &mut followers {
            follower.until("Subscribed").await;
            // Both are said again, before or after the client is back: they are retained.
            follower.hears("/presence", "\"online\"").await;
            follower.hears("/device/counter/state", "\"ready\"").await;
        }
        assert!(began.elapsed() < PATIENCE);
        let (content, said) =
            shop.publish(Way::Tls, "mqttv5", (&user, &till.token), &["-t", &state, "-m", &word]).await;
        assert!(content, "{said}");
        for follower in &mut followers {
            follower.hears("/state", &word).await;
        }
        // Retained, that is: for one who was never there before, too.
        let mut late = shop.mosquitto_with(Way::Plain, "mqttv5", &till, &filters, &[]).await;
        late.hears("/presence", "\"online\"").await;
        late.hears("/device/counter/state", "\"ready\"").await;
        late.end().await;
    }
    for follower in followers {
        follower.end().await;
    }
    let died =
        tillway_tests::town::counted(&shop.metrics().await, "tillway_mqtt_broker_restarts_total", "reason=\"died\"");
    assert!(died >= 2, "{died}");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printer_without_paper_is_heard_by_every_lane_and_so_is_the_new_roll() {
    let printer = PrinterSim::start(SimOptions::default()).await.unwrap();
    let shop = Shop::with_printer("mqtt-printer", &printer).await;
    let screen = shop.lane("Screen").await;
    let devices = format!("tw/{}/device/+/state", shop.id);
    let mut one = shop.mosquitto(Way::Tls, "mqttv5", &screen, &devices).await;
    let mut two = shop.mosquitto(Way::Plain, "mqttv311", &screen, &devices).await;
    for follower in [&mut one, &mut two] {
        follower.hears("/device/counter/state", "\"ready\"").await;
    }
    // Found with the next receipt; a printer that has nothing to do is asked once a minute.
    printer.fault(Fault::PaperOut);
    shop.sell().await;
    for follower in [&mut one, &mut two] {
        let said = follower.hears("/device/counter/state", "\"attention\"").await;
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((said["kind"].as_str(), said["device"].as_str()), (Some("printer"), Some("counter")), "{said}");
        assert!(said["detail"].as_str().unwrap().contains("paper"), "{said}");
    }
    // It is retained: a lane that starts now knows before it sells.
    let mut late = shop.mosquitto(Way::Plain, "mqttv5", &screen, &devices).await;
    late.hears("/device/counter/state", "\"attention\"").await;
    printer.mend(Fault::PaperOut);
    for mut follower in [one, two, late] {
        follower.hears("/device/counter/state", "\"ready\"").await;
        follower.end().await;
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_another_program_has_is_named_and_stops_no_sale() {
    let port = free_port().unwrap();
    let taken = std::net::TcpListener::bind(port).unwrap();
    let shop = Shop::with("mqtt-door", |config| {
        let mut config: toml::Table = config.parse().unwrap();
        let mqtt = config.get_mut("mqtt").and_then(toml::Value::as_table_mut).unwrap();
        mqtt.insert("plain".to_owned(), port.to_string().into());
        config.to_string()
    })
    .await;
    let named = format!("mqtt.plain {port}");
    let says = |body: &Value| body["data"]["warnings"].to_string();
    let is_said = || async { Ok(says(&shop.ask("/readyz").await.1).contains(&named)) };
    tillway_tests::world::until("the shut door is named", is_said).await.unwrap();
    let (status, body) = shop.ask("/readyz").await;
    assert_eq!((status, &body["data"]["problems"]), (200, &serde_json::json!([])), "it sells: {body}");
    let (_, body) = shop.ask("/v1/status").await;
    assert!(says(&body).contains(&named) && body["data"]["mqtt"]["shut"].to_string().contains(&named), "{body}");
    assert_eq!(body["data"]["mqtt"]["down"], false, "the broker behind it is there: {body}");

    let config = shop.dir().join("node.toml");
    let mut doctor = Command::new(beside("edge-agent").unwrap());
    doctor.args(["doctor", "--json", "--config"]).arg(config);
    let output = tokio::task::spawn_blocking(move || doctor.output()).await.unwrap().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mqtt: Vec<&Value> = report["checks"].as_array().unwrap().iter().filter(|one| one["check"] == "mqtt").collect();
    let found = |outcome: &str, words: &str| {
        mqtt.iter().any(|one| one["outcome"] == outcome && one["says"].as_str().unwrap().contains(words))
    };
    assert!(found("warn", &named), "{report:#}");
    assert!(!found("ok", "mqtt.plain"), "what answers there is another program: {report:#}");
    drop(taken);
    shop.close().await;
}
