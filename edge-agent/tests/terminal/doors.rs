//! The doors themselves: TLS on the LAN, the WebSocket, the control socket, connection limits.

use std::time::Duration;

use firmware_config::layout::Layout;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::{Lane, Node};

/// Reads text frames of an unmasked, unfragmented server; that is all ours sends.
struct Listener(TcpStream);

impl Listener {
    async fn open(lane: &Lane, header: &str) -> (Self, String) {
        let address = lane.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let hello = format!(
            "GET /v1/ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{header}\r\n\r\n"
        );
        stream.write_all(hello.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        (Self(stream), String::from_utf8(head).unwrap())
    }

    async fn next(&mut self) -> Value {
        let read = async {
            loop {
                let kind = self.0.read_u8().await.unwrap() & 0x0f;
                let length = match self.0.read_u8().await.unwrap() {
                    126 => usize::from(self.0.read_u16().await.unwrap()),
                    short => usize::from(short),
                };
                let mut body = vec![0; length];
                self.0.read_exact(&mut body).await.unwrap();
                if kind == 1 {
                    return serde_json::from_slice(&body).unwrap();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), read).await.unwrap()
    }
}

#[tokio::test]
async fn lanes_are_told_what_changes() {
    let node = Node::start().await;
    let (one, two) = (node.lane("till 1").await, node.lane("till 2").await);
    let (mut listener, head) = Listener::open(&two, &format!("authorization: Bearer {}", two.token)).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert_eq!(listener.next().await, json!({ "type": "catalogue", "version": 1 }));
    assert_eq!(listener.next().await, json!({ "type": "shop", "version": 1 }));
    let ticket = one.sale().await;
    let opened = listener.next().await;
    assert_eq!(
        (&opened["type"], &opened["state"], &opened["lane_id"]),
        (&json!("ticket"), &json!("open"), &json!(one.id))
    );
    one.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    assert_eq!(listener.next().await["revision"], 2);
    one.close(&ticket, 255).await;
    assert_eq!(listener.next().await["state"], "closed");
    // A browser cannot set headers; it offers the token as a subprotocol.
    let offered = format!("sec-websocket-protocol: tillway.bearer.{}", one.token);
    let (_, head) = Listener::open(&one, &offered).await;
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("tillway.bearer."), "{head}");
}

#[tokio::test]
async fn the_lan_door_speaks_tls_with_the_shops_own_ca() {
    let mut node = Node::start().await;
    assert_eq!(node.running().addresses.terminal_https, None, "there is no certificate yet, and it still sells");
    node.stop().await;
    let ca = shop_ca(&node.layout());
    node.go().await;
    let https = node.running().addresses.terminal_https.unwrap();
    let trusting = reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(ca.as_bytes()).unwrap()]);
    let response = trusting.build().unwrap().get(format!("https://{https}/healthz")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let stranger = reqwest::Client::new().get(format!("https://{https}/healthz")).send().await;
    assert!(stranger.is_err());
    // Plain HTTP on the TLS door makes no sense and is survived.
    let mut stream = TcpStream::connect(https).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap());
    assert!(!answer.starts_with(b"HTTP"));
}

/// Writes a shop CA and a leaf of it for loopback, as enrolment does; gives the CA.
pub fn shop_ca(layout: &Layout) -> String {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    std::fs::create_dir_all(layout.identity()).unwrap();
    std::fs::write(layout.shop_ca(), &ca_certificate).unwrap();
    std::fs::write(layout.terminal_certificate(), leaf.pem()).unwrap();
    std::fs::write(layout.terminal_key(), key.serialize_pem()).unwrap();
    // Keys are for their owner alone, or they are refused.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(layout.terminal_key(), std::fs::Permissions::from_mode(0o600)).unwrap();
    ca_certificate
}

#[tokio::test]
async fn the_command_line_makes_lists_and_revokes_pairings_of_the_running_node() {
    let node = Node::start().await;
    let config = node.write_config();
    let agent = async |words: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_edge-agent"));
        let output = command.arg("pairing").args(words).arg("--config").arg(&config).output().await.unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (fine, out, err) = agent(&["create", "--lanes", "2", "--json"]).await;
    assert!(fine, "{err}");
    let made: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(made["loopback_url"], json!(node.base()));
    for name in ["till 1", "till 2", "till 3"] {
        let body = json!({ "code": made["code"], "name": name });
        let response =
            reqwest::Client::new().post(format!("{}/v1/pair", node.base())).json(&body).send().await.unwrap();
        let expected = if name == "till 3" { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
        assert_eq!(response.status(), expected, "{name}");
    }
    let (_, listed, _) = agent(&["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["lanes"].as_array().unwrap().len(), 2);
    let lane = listed["lanes"][0]["lane_id"].as_str().unwrap();
    assert!(agent(&["revoke", "--lane", lane]).await.0);
    let (fine, _, err) = agent(&["revoke", "--lane", lane]).await;
    assert!(!fine && err.contains("no such lane"), "{err}");
    let (fine, _, err) = agent(&["create", "--lanes", "65"]).await;
    assert!(!fine && err.contains("between 1 and 64"), "{err}");
}

#[tokio::test]
async fn a_node_that_stops_answers_what_is_under_way_and_lets_go_of_its_files() {
    let mut node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    let pay = json!({ "tenders": [{ "kind": "cash", "amount_minor": 255 }] });
    let closing = tokio::spawn({
        let (lane, path, pay) = (lane.clone(), format!("{ticket}/close"), pay.clone());
        async move {
            let request = lane.http.post(format!("{}{path}", lane.base)).bearer_auth(&lane.token);
            request.header("Idempotency-Key", "close").json(&pay).send().await.map(|response| response.status())
        }
    });
    node.restart().await;
    // Whether the request came in time or not, its key has one answer.
    let before = closing.await.unwrap();
    let lane = node.again(&lane);
    let answer = lane.keyed("close", &format!("{ticket}/close"), pay).await;
    assert_eq!(answer.data()["receipt"]["seq"], 1, "{before:?}");
    assert_eq!(node.running().logs.head(protocol::id::Stream::Fiscal).durable, protocol::id::Seq(1));
}
