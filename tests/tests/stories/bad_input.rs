//! What must never happen, tried at both sides: each gets a clear error in the shape its protocol has, counts and
//! changes nothing, and the process lives.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::{Method, StatusCode};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tillway_tests::lane::{Lane, LaneError};
use tillway_tests::process::{ask, run};
use tillway_tests::town::counted;
use tillway_tests::wire::Target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::street::{Street, sell};

fn refused<T: std::fmt::Debug>(outcome: Result<T, LaneError>, status: u16, code: &str) {
    match outcome {
        Err(LaneError::Refused(refusal)) => {
            assert_eq!((refusal.status, refusal.code.as_str()), (status, code), "{}", refusal.message);
            assert!(refusal.message.len() > 8, "a message says what to do: {:?}", refusal.message);
        }
        other => panic!("{code} expected, {other:?} came"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_refuses_what_is_wrong_and_lives() {
    let mut street = Street::open("bad-lane").await;
    let mut lane = street.lane("Till 1").await;
    let sold = sell(&mut lane, "a", "MUG", 1).await;

    let target = || Target::parse(&street.node.url(), None).unwrap();
    refused(Lane::pair(target(), "WRONG-CODE", "Thief").await.map(|lane| lane.id), 401, "AUTHN");
    let mut stranger = Lane::with_token(target(), "no-such-token".to_owned());
    refused(stranger.product("MUG").await, 401, "AUTHN");

    let open = lane.open("b:open", "sale", None, None).await.unwrap();
    refused(lane.ring("b:1", &open.id, &json!({"code": "NO SUCH", "quantity": "1"})).await, 404, "NOT_FOUND");
    for line in [
        json!({"open": {"description": "x", "unit_price": "1.00001"}, "quantity": "1"}),
        json!({"open": {"description": "x", "unit_price": "-1"}, "quantity": "1"}),
        json!({"code": "MUG", "quantity": "1.0001"}),
        json!({"code": "MUG", "quantity": "99999999999"}),
        json!({"code": "MUG", "quantity": 1.5}),
        json!({"quantity": "1"}),
    ] {
        match lane.ring("b:2", &open.id, &line).await {
            Err(LaneError::Refused(refusal)) => {
                assert!([400, 422].contains(&refusal.status) && refusal.code == "VALIDATION", "{line}: {refusal:?}");
            }
            other => panic!("{line} was not refused: {other:?}"),
        }
    }
    let ticket = lane.ticket(&open.id).await.unwrap();
    assert_eq!(ticket.lines.len(), 0, "what was refused left nothing behind");

    // Closed twice: the same key is the same answer, another key is a conflict.
    let again = lane.open("a:open", "sale", None, None).await.unwrap();
    let revision = again.revision + 1;
    assert_eq!(lane.close("a:close", &again.id, "cash", 255, revision).await.unwrap(), sold);
    refused(lane.close("a:other", &again.id, "cash", 255, revision).await, 409, "CONFLICT");
    refused(lane.open("a:open", "return", None, None).await, 409, "CONFLICT");
    refused(lane.ticket("00000000-0000-0000-0000-000000000000").await, 404, "NOT_FOUND");

    let base = street.node.url();
    huge_body(&base, "/v1/tickets", lane.token()).await;
    garbage_over_tcp(&base).await;
    street.node.still_runs().unwrap();
    let metrics = street.node.metrics().await.unwrap();
    for (name, label, at_least) in [
        ("tillway_pairing_codes_refused_total", "", 1),
        ("tillway_terminal_errors_total", "VALIDATION", 6),
        ("tillway_terminal_errors_total", "AUTHN", 2),
        ("tillway_terminal_errors_total", "CONFLICT", 2),
        ("tillway_terminal_bad_connections_total", "", 1),
    ] {
        let found = counted(&metrics, name, label);
        assert!(found >= at_least, "{name} {label}: {found}");
    }
    let log = street.node.log().unwrap();
    assert!(log.contains("pairing code was refused") && log.contains("a request was refused"), "{log}");
    sell(&mut lane, "c", "BAG", 1).await;
    street.settle(2, 365).await;
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_office_refuses_what_is_wrong_and_lives() {
    let mut street = Street::open("bad-hq").await;
    let base = street.town.url();
    let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();

    let wrong = json!({"email": street.owner.email, "password": "not this one"});
    let answer = http.post(format!("{base}/v1/auth/login")).json(&wrong).send().await.unwrap();
    error_of(answer, StatusCode::UNAUTHORIZED, "AUTHN").await;
    for token in ["", "nonsense", EXPIRED] {
        let answer = http.get(format!("{base}/v1/shops")).bearer_auth(token).send().await.unwrap();
        error_of(answer, StatusCode::UNAUTHORIZED, "AUTHN").await;
    }
    claims_are_used_once(&street);

    let price = json!({"unit_price": "1.00001"}).to_string();
    let five: anyhow::Result<Value> =
        street.hq.call(Method::PUT, "/v1/pricing/prices/MUG", Some(("application/json", price))).await;
    assert!(format!("{:#}", five.unwrap_err()).contains("VALIDATION"));
    let report = street.hq.import("code,description,unit_price\nX,x,1.00001\nY,y,2\n".to_owned()).await.unwrap();
    assert_eq!((report.accepted, report.rejected), (1, 1), "one bad line does not stop the others");

    huge_body(&base, "/v1/catalog/imports", &street.hq.token()).await;
    garbage_over_tcp(&base).await;
    garbage_over_udp(street.town.quic()).await;
    strangers_over_quic(&mut street).await;
    street.town.still_runs().unwrap();
    let metrics = street.town.metrics().await.unwrap();
    for (name, label, at_least) in [
        ("tillway_enrolments_refused_total", "", 1),
        ("tillway_http_requests_total", "401", 4),
        ("tillway_http_requests_total", "413", 1),
        ("tillway_gateway_refused_total", "", 1),
        ("tillway_gateway_closed_total", "", 1),
    ] {
        let found = counted(&metrics, name, label);
        assert!(found >= at_least, "{name} {label}: {found}\n{metrics}");
    }
    let log = street.town.log().unwrap();
    for said in ["\"level\":\"WARN\"", "\"status\":401", "\"status\":413"] {
        assert!(log.contains(said), "nothing in the log says {said}:\n{log}");
    }
    let mut lane = street.lane("Till 1").await;
    sell(&mut lane, "a", "MUG", 1).await;
    street.settle(1, 255).await;
    street.close().await;
}

/// A well-formed token whose time is over (and whose key nobody has).
const EXPIRED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIwIiwiZXhwIjoxMDAwMDAwMDAwfQ.\
    c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlc2lnbmE";

/// A claim enrols one box; used, wrong or mistyped it enrols none and says why.
fn claims_are_used_once(street: &Street) {
    let (state, shop) = (street.town.state(), street.node.shop.as_str());
    let claim =
        ask("control-plane", &["claim", "create", "--tenant", &street.tenant, "--shop", shop, "--state", state]);
    let claim = claim.unwrap();
    let code = claim["code"].as_str().unwrap();
    let enrol = |code: &str, name: &str| {
        let dir = street.node.dir().parent().unwrap().join(name);
        run("provision", &["enroll", "--hq", &street.town.url(), "--claim", code, "--dir", dir.to_str().unwrap()])
    };
    enrol(code, "second").unwrap();
    let used = format!("{:#}", enrol(code, "third").unwrap_err());
    assert!(used.to_lowercase().contains("claim"), "{used}");
    let last = if code.ends_with('0') { '1' } else { '0' };
    let mistyped = format!("{}{last}", &code[..code.len() - 1]);
    for wrong in [mistyped.as_str(), "TW1-AAAAAA", ""] {
        enrol(wrong, "fourth").unwrap_err();
    }
}

async fn error_of(answer: reqwest::Response, status: StatusCode, code: &str) {
    let (found, text) = (answer.status(), answer.text().await.unwrap());
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{found}: not JSON: {text}"));
    assert_eq!((found, body["error"]["code"].as_str()), (status, Some(code)), "{text}");
    assert!(body["error"]["message"].is_string(), "{text}");
}

/// 100 MB: refused by its announced length before it is read, or cut off while it is.
async fn huge_body(base: &str, path: &str, token: &str) {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
    let request = http.post(format!("{base}{path}")).bearer_auth(token).header("idempotency-key", "huge");
    let sent = request.header("content-type", "application/json").body(vec![b' '; 100 << 20]).send().await;
    // A server may hang up while the client still sends; if it answers, then in the usual shape.
    if let Ok(answer) = sent {
        error_of(answer, StatusCode::PAYLOAD_TOO_LARGE, "VALIDATION").await;
    }
}

async fn garbage_over_tcp(base: &str) {
    let mut chance = StdRng::seed_from_u64(3);
    let address = base.trim_start_matches("http://");
    for length in [1_usize, 100, 10_000] {
        let noise: Vec<u8> = (0..length).map(|_| chance.random()).collect();
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The other side may close before all is written or read.
        drop(stream.write_all(&noise).await);
        drop(stream.shutdown().await);
        let mut answer = Vec::new();
        drop(tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap());
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{:?}", String::from_utf8_lossy(&answer));
    }
}

async fn garbage_over_udp(address: std::net::SocketAddr) {
    let mut chance = StdRng::seed_from_u64(4);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for length in [0_usize, 1, 20, 1_200, 1_400, 60_000] {
        for first in [0x00_u8, 0x40, 0xc0, 0xff] {
            let mut noise: Vec<u8> = (0..length).map(|_| chance.random()).collect();
            if let Some(byte) = noise.first_mut() {
                *byte = first;
            }
            socket.send_to(&noise, address).await.unwrap();
        }
    }
}

/// A certificate of somebody else's CA that names the real node, then the real node's own with nonsense after it:
/// both are closed with a reason, and the node is let in again afterwards.
async fn strangers_over_quic(street: &mut Street) {
    let certificate = |file: &str| -> Vec<CertificateDer<'static>> {
        let path = street.node.dir().join("identity").join(file);
        CertificateDer::pem_file_iter(path).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let own = certificate("device.crt");
    let key = PrivateKeyDer::from_pem_file(street.node.dir().join("identity/device.key")).unwrap();
    let reason = close_reason(street, forged(&own[0])).await;
    assert!(reason.contains("certificate") || reason.contains("CA"), "a foreign certificate: {reason}");

    street.node.stop().unwrap();
    let reason = close_reason(street, (own, key)).await;
    assert!(!reason.is_empty() && !reason.contains("timed out"), "nonsense from a known node: {reason}");
    street.node.start().await.unwrap();
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The node's names under a CA that nobody knows.
fn forged(real: &CertificateDer<'static>) -> Identity {
    let (ca_key, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let text = String::from_utf8_lossy(real).into_owned();
    let start = text.find("urn:tillway:").unwrap();
    let urn: String = text[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || ":-".contains(*c)).collect();
    let mut leaf = rcgen::CertificateParams::new(Vec::new()).unwrap();
    leaf.subject_alt_names = vec![rcgen::SanType::URI(urn.try_into().unwrap())];
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let signed = leaf.signed_by(&key, &issuer).unwrap();
    (vec![signed.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}

/// Connects as that node, sends nonsense, and says with what words HQ ends it.
async fn close_reason(street: &Street, (chain, key): Identity) -> String {
    let config = tillway_tests::trust::quic_client(chain, key).unwrap();
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(config, street.town.quic(), "hq.tillway.internal").unwrap();
    let connection = match connecting.await {
        Ok(connection) => connection,
        Err(error) => return error.to_string(),
    };
    if let Ok((mut to, _from)) = connection.open_bi().await {
        // It may be closed before all is written.
        drop(to.write_all(&[0x5a; 70_000]).await);
    }
    let closed = tokio::time::timeout(Duration::from_secs(20), connection.closed()).await;
    closed.map_or_else(|_| panic!("HQ keeps a connection that talks nonsense"), |reason| reason.to_string())
}
