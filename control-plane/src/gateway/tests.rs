//! The gateway against nodes that do not behave, over real sockets, with a head office in memory.

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use protocol::enroll::{ALPN, CheckpointV1, HQ_SERVER_NAME, NodeUrn, Signature};
use protocol::frame::v1::{CheckpointV1 as WireCheckpoint, HeldV1, HelloV1};
use protocol::frame::{Body, Channel, Frame, FrameReader, pack};
use protocol::id::{NodeId, Seq, ShopId, Stream, TenantId, Term};
use protocol::ledger::Record;
use protocol::session::CloseCode;
use protocol::timestamp::Timestamp;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ED25519, SanType};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use uuid::Uuid;

use super::memory::MemoryHq;
use super::{Gateway, GatewayConfig};

const PATIENCE: Duration = Duration::from_secs(20);

fn node() -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(3))
}

fn key_of(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

/// A gateway and the way to it.
struct House {
    hq: MemoryHq,
    gateway: Gateway,
    client: Endpoint,
}

impl House {
    fn open() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let (mut ca, ca_key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let root: CertificateDer<'static> = ca.self_signed(&ca_key).unwrap().der().clone();
        let issuer = Issuer::from_params(&ca, &ca_key);
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let roots = Arc::new(roots);
        let hq_key = KeyPair::generate().unwrap();
        let hq_leaf = CertificateParams::new(vec![HQ_SERVER_NAME.to_owned()]).unwrap().signed_by(&hq_key, &issuer);
        let verifier = WebPkiClientVerifier::builder(Arc::clone(&roots)).build().unwrap();
        let mut server = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![hq_leaf.unwrap().der().clone()], key_of(&hq_key))
            .unwrap();
        server.alpn_protocols = vec![ALPN.to_vec()];
        let urn = NodeUrn {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            shop: ShopId::from_uuid(Uuid::from_u128(2)),
            node: node(),
            term: Term(1),
        };
        let node_key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(urn.to_string().try_into().unwrap())];
        let leaf = params.signed_by(&node_key, &issuer).unwrap().der().clone();
        let mut client = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![leaf], key_of(&node_key))
            .unwrap();
        client.alpn_protocols = vec![ALPN.to_vec()];
        let hq = MemoryHq::default();
        let gateway = hq.start(GatewayConfig::loopback(server)).unwrap();
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let crypto = QuicClientConfig::try_from(client).unwrap();
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
        Self { hq, gateway, client: endpoint }
    }

    async fn greeted(&self) -> Rogue {
        let dialled = self.client.connect(self.gateway.local_addr(), HQ_SERVER_NAME).unwrap();
        let quic = dialled.await.unwrap();
        let (send, recv) = quic.open_bi().await.unwrap();
        let mut rogue = Rogue { quic, send, recv, reader: FrameReader::new(), left: Vec::new() };
        let hello = HelloV1 {
            versions: vec![1],
            term: 1,
            boot_nonce: [7; 16],
            clock_ms: 0,
            uptime_ms: 0,
            agent_version: "rogue".to_owned(),
            streams: Vec::new(),
            collections: vec![HeldV1 { collection: 1, version: 0 }],
        };
        rogue.say(Body::Hello(hello)).await;
        rogue.until(|body| matches!(body, Body::Welcome(_))).await;
        rogue
    }

    async fn eventually(&self, what: &str, check: impl Fn(&MemoryHq) -> bool) {
        let mut changes = self.hq.changes();
        let seen = async {
            while !check(&self.hq) {
                changes.changed().await.unwrap();
            }
        };
        assert!(tokio::time::timeout(PATIENCE, seen).await.is_ok(), "{what}");
    }
}

/// A node with a certificate and no manners.
struct Rogue {
    quic: Connection,
    send: SendStream,
    recv: RecvStream,
    reader: FrameReader,
    left: Vec<u8>,
}

impl Rogue {
    async fn say(&mut self, body: Body) {
        self.send.write_all(&Frame::control(body).encode().unwrap()).await.unwrap();
    }

    async fn until(&mut self, wanted: impl Fn(&Body) -> bool) -> Body {
        let heard = async {
            loop {
                let bytes = std::mem::take(&mut self.left);
                let mut input = bytes.as_slice();
                while let Some(frame) = self.reader.read(&mut input).unwrap() {
                    if wanted(&frame.body) {
                        self.left = input.to_vec();
                        return frame.body;
                    }
                }
                let chunk = self.recv.read_chunk(64 << 10, true).await.unwrap().expect("the stream goes on");
                self.left = chunk.bytes.to_vec();
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("an answer in time")
    }

    async fn closed(&self) -> u16 {
        let closed = tokio::time::timeout(PATIENCE, self.quic.closed()).await.expect("closed in time");
        let ConnectionError::ApplicationClosed(close) = closed else { panic!("{closed:?}") };
        u16::try_from(close.error_code.into_inner()).unwrap()
    }
}

fn batch(seq: u64) -> Frame {
    let event = protocol::event::RawEvent { kind: 9, version: 1, body: vec![1, 2, 3] };
    let packed = pack(Stream::Fiscal, &[Record { seq: Seq(seq), event }], None).unwrap();
    Frame { channel: Channel::Live(Stream::Fiscal), body: Body::Batch(packed) }
}

#[tokio::test]
async fn random_bytes_are_counted_and_nodes_still_come_in() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let house = House::open();
    let stranger = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for datagram in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xFF; 1_200], &[0x41; 40], b"\x00"] {
        stranger.send_to(datagram, house.gateway.local_addr()).await.unwrap();
    }
    let rogue = house.greeted().await;
    let counted = async {
        while house.gateway.strange_datagrams() < 4 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("four strangers");
    assert_eq!(house.gateway.strange_datagrams(), 4, "nothing of a node's own is counted");
    let told = metrics.render();
    assert!(told.contains("tillway_gateway_strange_datagrams_total{reason=\"version\"} 1"), "{told}");
    assert!(told.contains("tillway_gateway_strange_datagrams_total{reason=\"connection\"} 3"), "{told}");
    drop(rogue);
}

#[tokio::test]
async fn a_commit_that_dies_does_not_hold_its_stream_for_ever() {
    let house = House::open();
    let mut rogue = house.greeted().await;
    house.hq.die_at_commit();
    let mut live = rogue.quic.open_uni().await.unwrap();
    live.write_all(&batch(1).encode().unwrap()).await.unwrap();
    rogue.until(|body| matches!(body, Body::Close(close) if close.code == CloseCode::UNAVAILABLE.0)).await;
    drop(rogue);
    // The same box comes back, and its record is taken.
    let mut rogue = house.greeted().await;
    let mut live = rogue.quic.open_uni().await.unwrap();
    live.write_all(&batch(1).encode().unwrap()).await.unwrap();
    rogue.until(|body| matches!(body, Body::Ack(ack) if ack.contiguous == 1)).await;
    assert_eq!(house.hq.effects(node()).get(&1), Some(&1));
}

#[tokio::test]
async fn streams_that_are_opened_and_ended_without_end_cost_the_connection() {
    let house = House::open();
    let rogue = house.greeted().await;
    let flood = async {
        while let Ok(mut stream) = rogue.quic.open_uni().await {
            if stream.write_all(&[]).await.is_err() {
                break;
            }
            stream.finish().ok();
        }
    };
    tokio::select! {
        () = flood => {}
        code = rogue.closed() => assert_eq!(code, CloseCode::PROTOCOL.0),
    }
    assert_eq!(rogue.closed().await, CloseCode::PROTOCOL.0);
}

#[tokio::test]
async fn a_flood_of_checkpoints_is_kept_one_at_a_time() {
    let house = House::open();
    let mut rogue = house.greeted().await;
    house.hq.hold_checkpoints(true);
    let swear = |seq| {
        let (head_hash, at) = ([0; 32], Timestamp(0));
        let CheckpointV1 { stream, term, .. } =
            CheckpointV1 { stream: Stream::Fiscal, term: Term(1), seq: Seq(seq), head_hash, at };
        let signature = Signature::from_slice(&[0; 64]).unwrap().to_bytes().to_vec();
        Body::Checkpoint(WireCheckpoint { stream: stream as u8, term: term.0, seq, head_hash, at_ms: 0, signature })
    };
    for seq in 1..=500 {
        rogue.say(swear(seq)).await;
    }
    // A batch behind them shows that all of them have been read.
    let mut live = rogue.quic.open_uni().await.unwrap();
    live.write_all(&batch(1).encode().unwrap()).await.unwrap();
    rogue.until(|body| matches!(body, Body::Ack(_))).await;
    rogue.say(Body::Ping(protocol::frame::v1::PingV1 { nonce: 5 })).await;
    rogue.until(|body| matches!(body, Body::Pong(pong) if pong.nonce == 5)).await;
    assert_eq!(house.hq.checkpoints_at_work(), 1);
    house.hq.hold_checkpoints(false);
    house
        .eventually("the newest is kept", |hq| {
            hq.checkpoints().last().is_some_and(|(_, signed)| signed.checkpoint.seq == Seq(500))
        })
        .await;
    assert!(house.hq.checkpoints().len() <= 2, "those in between were overtaken");
}

#[tokio::test]
async fn a_node_that_is_revoked_is_cut_within_a_second() {
    let house = House::open();
    let rogue = house.greeted().await;
    let revoked = std::time::Instant::now();
    house.hq.revoke(node());
    let heard = rogue.closed().await;
    assert_eq!(heard, CloseCode::REFUSED.0);
    // The close frame goes out at once; the connection itself may stay for the node to hang up.
    assert!(revoked.elapsed() < Duration::from_secs(4), "{:?}", revoked.elapsed());
}
