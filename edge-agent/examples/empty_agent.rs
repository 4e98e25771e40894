//! The agent with all its crates but empty: what the fixed packages cost before a line of ours runs.
//! Opens sled, starts the broker, binds QUIC and HTTP, builds an MQTT and a Modbus client, then prints its
//! own memory as JSON. `make bench` records its size and memory in BENCHMARKS.md. Knows nothing of shops.
#![allow(clippy::print_stdout, reason = "a measuring tool prints its figure")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let started = Instant::now();
    let _already = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(started))
}

async fn run(started: Instant) -> anyhow::Result<()> {
    let dir = std::env::temp_dir().join(format!("tillway-empty-{}", std::process::id()));
    let store = sled::Config::new().path(&dir).cache_capacity(16 << 20).open()?;
    store.insert("key", "value")?;

    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let quic = quinn::Endpoint::client(loopback)?;
    let http = tokio::net::TcpListener::bind(loopback).await?;
    let address = http.local_addr()?;
    let router = axum::Router::new().route("/healthz", axum::routing::get(|| async { "ok" }));
    let server = tokio::spawn(async move { axum::serve(http, router).await });

    let mut broker = rumqttd::Broker::new(broker_config()?);
    let broker_thread = std::thread::spawn(move || broker.start().map_err(|error| error.to_string()));
    let mut options = rumqttc::v5::MqttOptions::new("empty", "127.0.0.1", 18_831);
    options.set_keep_alive(Duration::from_secs(5));
    let (_client, mut events) = rumqttc::v5::AsyncClient::new(options, 10);
    let connected = tokio::time::timeout(Duration::from_secs(5), async {
        while events.poll().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    connected.await.context("the broker did not answer within five seconds")?;
    let modbus = tokio_modbus::client::tcp::connect(address).await.is_ok();

    let status = std::fs::read_to_string("/proc/self/status")?;
    let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or("unknown").trim();
    let body = serde_json::json!({
        "rss_anon": anonymous,
        "ready_ms": u64::try_from(started.elapsed().as_millis())?,
        "quic": quic.local_addr()?.to_string(),
        "http": address.to_string(),
        "modbus_client": modbus,
        "broker_alive": !broker_thread.is_finished(),
    });
    println!("{body}");
    server.abort();
    drop(store);
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

/// One plain MQTT 5 listener on the loopback, with segments small enough for an appliance.
fn broker_config() -> anyhow::Result<rumqttd::Config> {
    let connections = rumqttd::ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: 65_536,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = rumqttd::ServerSettings {
        name: "empty".to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 18_831)),
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = rumqttd::RouterConfig {
        max_connections: 100,
        max_outgoing_packet_count: 200,
        max_segment_size: 262_144,
        max_segment_count: 4,
        custom_segment: None,
        initialized_filters: None,
        shared_subscriptions_strategy: rumqttd::Strategy::RoundRobin,
    };
    Ok(rumqttd::Config {
        id: 0,
        router,
        v5: Some(HashMap::from([("empty".to_owned(), server)])),
        ..rumqttd::Config::default()
    })
}
