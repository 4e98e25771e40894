//! The real uplink of a node against the real gateway over QUIC on the loopback, with a head office in memory: what
//! the sessions promise must survive sockets, TLS, reconnects and strangers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a helper that finds nothing ends the test")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use control_plane::app::Hint;
use control_plane::gateway::memory::MemoryHq;
use control_plane::gateway::{Gateway, GatewayConfig};
use edge_agent::clock::Clock;
use edge_agent::identity::Identity;
use edge_agent::ledger::{self, Logs};
use edge_agent::uplink::{self, Applied, Inbox, Uplink};
use firmware_config::Node;
use firmware_config::layout::Layout;
use protocol::collection::{Catalogue, Collection, Delivery, Product, Unit, Version};
use protocol::enroll::{ALPN, HQ_SERVER_NAME, NodeUrn};
use protocol::event::RawEvent;
use protocol::id::{NodeId, ShopId, Stream, TenantId, Term};
use protocol::price::UnitPrice;
use protocol::session::CloseCode;
use protocol::tax::TaxRate;
use quinn::crypto::rustls::QuicClientConfig;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ED25519, SanType};
use ring::signature::KeyPair as _;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(60);

struct Ca {
    params: CertificateParams,
    key: KeyPair,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Self { params, key: KeyPair::generate().unwrap() }
    }

    fn certificate(&self) -> rcgen::Certificate {
        self.params.self_signed(&self.key).unwrap()
    }

    fn sign(&self, params: &CertificateParams, key: &KeyPair) -> rcgen::Certificate {
        params.signed_by(key, &Issuer::from_params(&self.params, &self.key)).unwrap()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate().der().clone()).unwrap();
        roots
    }

    fn server_tls(&self) -> rustls::ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), Arc::clone(&provider)).build().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = self.sign(&CertificateParams::new(vec![HQ_SERVER_NAME.to_owned()]).unwrap(), &key);
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.der().clone()], der(&key))
            .unwrap();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        tls
    }
}

fn der(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

/// A box with its identity and logs.
struct Box {
    dir: TempDir,
    node: Node,
    public_key: Vec<u8>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Box {
    fn new(ca: &Ca, number: u128) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::initial(dir.path());
        let node = Node {
            tenant_id: tenant(),
            shop_id: ShopId::from_uuid(Uuid::from_u128(2)),
            node_id: NodeId::from_uuid(Uuid::from_u128(number)),
            term: Term(1),
            name: "till".to_owned(),
        };
        let urn = NodeUrn { tenant: node.tenant_id, shop: node.shop_id, node: node.node_id, term: node.term };
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(urn.to_string().try_into().unwrap())];
        let certificate = ca.sign(&params, &key);
        fs::create_dir(layout.identity()).unwrap();
        fs::write(layout.device_key(), key.serialize_pem()).unwrap();
        fs::set_permissions(layout.device_key(), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(layout.device_certificate(), certificate.pem()).unwrap();
        fs::write(layout.device_ca(), ca.certificate().pem()).unwrap();
        let public_key = ring::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key.serialize_der());
        let public_key = public_key.unwrap().public_key().as_ref().to_vec();
        Self { dir, node, public_key, chain: vec![certificate.der().clone()], key: der(&key) }
    }

    fn layout(&self) -> Layout {
        Layout::initial(self.dir.path())
    }

    fn open_logs(&self) -> Logs {
        let (node, term) = (self.node.node_id, self.node.term);
        Logs::open(&self.layout().logs(), node, term, ledger::Options::default()).unwrap().0
    }

    fn start(&self, hq: SocketAddr, logs: &Logs, trust: Option<&Ca>) -> (Uplink, Inbox) {
        if let Some(ca) = trust {
            fs::write(self.layout().device_ca(), ca.certificate().pem()).unwrap();
        }
        let options = uplink::Options {
            hq: hq.into(),
            server_name: HQ_SERVER_NAME.to_owned(),
            identity: Identity::load(&self.layout(), &self.node).unwrap(),
            collections: Collection::ALL.into_iter().map(|collection| (collection, Version(0))).collect(),
            clock: Clock::System,
            agent_version: "test".to_owned(),
        };
        uplink::start(options, logs.clone()).unwrap()
    }
}

async fn sell(logs: &Logs, count: u64) {
    let event = || RawEvent { kind: 1, version: 1, body: vec![7; 300] };
    let events = (0..count).map(|_| (Stream::Fiscal, event())).collect();
    logs.append_all(events).await.unwrap();
}

/// Waits until the head office is as it should be.
async fn eventually(hq: &MemoryHq, what: &str, check: impl Fn(&MemoryHq) -> bool) {
    let mut changes = hq.changes();
    let wait = async {
        while !check(hq) {
            changes.changed().await.unwrap();
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
}

async fn open(hq: &MemoryHq, ca: &Ca, at: Option<SocketAddr>) -> Gateway {
    let mut config = GatewayConfig::loopback(ca.server_tls());
    config.listen = at.unwrap_or(config.listen);
    hq.start(config).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_take_effect_once_across_restarts_of_both_sides_and_failed_commits() {
    let (ca, hq) = (Ca::new(), MemoryHq::default());
    let till = Box::new(&ca, 3);
    let node = till.node.node_id;
    let gateway = open(&hq, &ca, None).await;
    let address = gateway.local_addr();
    let logs = till.open_logs();
    sell(&logs, 3_000).await;
    let (uplink, inbox) = till.start(address, &logs, None);
    eventually(&hq, "the backlog", |hq| hq.effects(node).len() == 3_000).await;
    sell(&logs, 1).await;
    eventually(&hq, "a live record", |hq| hq.effects(node).contains_key(&3_001)).await;

    hq.fail_commits(2);
    sell(&logs, 50).await;
    eventually(&hq, "records whose commit failed at first", |hq| hq.effects(node).len() == 3_051).await;

    gateway.stop().await;
    sell(&logs, 700).await;
    let mut status = uplink.status();
    tokio::time::timeout(PATIENCE, status.wait_for(|status| !status.is_connected())).await.unwrap().unwrap();
    let gateway = open(&hq, &ca, Some(address)).await;
    uplink.network_changed();
    eventually(&hq, "what was sold without an HQ", |hq| hq.effects(node).len() == 3_751).await;
    let settled = |settled: &uplink::Settled| settled.upto(Stream::Fiscal).0 == 3_751;
    let mut marks = inbox.settled.clone();
    tokio::time::timeout(PATIENCE, marks.wait_for(settled)).await.unwrap().unwrap();

    // The agent is restarted: it knows nothing any more, and HQ's cursor says what is left.
    uplink.stop().await;
    drop((logs, inbox));
    let logs = till.open_logs();
    sell(&logs, 10).await;
    let (uplink, _inbox) = till.start(address, &logs, None);
    eventually(&hq, "the rest", |hq| hq.effects(node).len() == 3_761).await;
    let mut status = uplink.status();
    let calm =
        tokio::time::timeout(PATIENCE, status.wait_for(|status| status.pending == 0)).await.unwrap().unwrap().clone();
    assert!(calm.is_connected() && calm.last_contact.is_some());

    assert!(hq.effects(node).values().all(|times| *times == 1));
    eventually(&hq, "a checkpoint of the head", |hq| {
        hq.checkpoints().iter().any(|(_, signed)| signed.checkpoint.seq.0 == 3_761)
    })
    .await;
    let head = logs.head(Stream::Fiscal);
    for (from, signed) in hq.checkpoints() {
        let message = signed.checkpoint.signing_input(from);
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, &till.public_key);
        key.verify(&message, &signed.signature.to_bytes()).unwrap();
        assert!(signed.checkpoint.seq < head.durable || signed.checkpoint.head_hash == head.hash);
    }
    uplink.stop().await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_reconnects_lose_and_double_nothing() {
    let (ca, hq) = (Ca::new(), MemoryHq::default());
    let till = Box::new(&ca, 3);
    let node = till.node.node_id;
    let gateway = open(&hq, &ca, None).await;
    let logs = till.open_logs();
    sell(&logs, 5_000).await;
    for round in 0..40_u64 {
        let (uplink, _inbox) = till.start(gateway.local_addr(), &logs, None);
        sell(&logs, 3).await;
        eventually(&hq, "one more session", |hq| hq.sessions() > round).await;
        if round % 2 == 0 { drop(uplink) } else { uplink.stop().await }
    }
    let (uplink, _inbox) = till.start(gateway.local_addr(), &logs, None);
    eventually(&hq, "everything", |hq| hq.effects(node).len() == 5_120).await;
    assert!(hq.effects(node).values().all(|times| *times == 1));
    uplink.stop().await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_on_both_sides_and_revoked_nodes_are_told_so() {
    let (ca, other, hq) = (Ca::new(), Ca::new(), MemoryHq::default());
    let gateway = open(&hq, &ca, None).await;
    let refused = async |till: &Box, trust: Option<&Ca>| {
        let logs = till.open_logs();
        let (uplink, _inbox) = till.start(gateway.local_addr(), &logs, trust);
        let mut status = uplink.status();
        let ended = status.wait_for(|status| status.last_error.is_some());
        let seen = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap().clone();
        uplink.stop().await;
        seen.last_error.unwrap()
    };
    let stranger = Box::new(&other, 8);
    let why = refused(&stranger, Some(&ca)).await;
    assert!(why.contains("certificate") || why.contains("CA"), "a node of another CA: {why}");
    let fooled = Box::new(&ca, 9);
    let why = refused(&fooled, Some(&other)).await;
    assert!(why.contains("certificate"), "an HQ of another CA: {why}");
    let revoked = Box::new(&ca, 10);
    hq.revoke(revoked.node.node_id);
    let why = refused(&revoked, None).await;
    assert!(why.contains("revoked"), "{why}");
    assert_eq!(hq.sessions(), 0);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_protocol_get_a_code_and_a_reason_and_harm_nobody() {
    let (ca, hq) = (Ca::new(), MemoryHq::default());
    let gateway = open(&hq, &ca, None).await;
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for length in [1, 20, 1_200, 1_400] {
        socket.send_to(&vec![0xC5; length], gateway.local_addr()).await.unwrap();
    }
    let till = Box::new(&ca, 3);
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(ca.roots())
        .with_client_auth_cert(till.chain.clone(), till.key.clone_key())
        .unwrap();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let connecting = endpoint.connect_with(config, gateway.local_addr(), HQ_SERVER_NAME).unwrap();
    let connection = connecting.await.unwrap();
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    send.write_all(&[0xFF; 5_000]).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, connection.closed()).await.unwrap();
    let quinn::ConnectionError::ApplicationClosed(close) = ended else { panic!("{ended:?}") };
    assert_eq!(close.error_code.into_inner(), u64::from(CloseCode::PROTOCOL.0));
    assert!(String::from_utf8_lossy(&close.reason).contains("not a frame"), "{close:?}");

    let logs = till.open_logs();
    sell(&logs, 5).await;
    let (uplink, _inbox) = till.start(gateway.local_addr(), &logs, None);
    eventually(&hq, "an honest node is served all the same", |hq| hq.effects(till.node.node_id).len() == 5).await;
    uplink.stop().await;
    gateway.stop().await;
}

fn catalogue(version: u64, products: u32) -> Delivery {
    let product = |number: u32| Product {
        code: format!("C{number:06}"),
        description: format!("thing {}", number.wrapping_mul(2_654_435_761)),
        unit_price: UnitPrice::from_e4(i64::from(number) + 1).unwrap(),
        tax_rate: TaxRate::from_ppm(200_000).unwrap(),
        unit: Unit::Piece,
        barcodes: Vec::new(),
    };
    let products = (0..products).map(product).map(|product| (product.code.clone(), product)).collect();
    Delivery::Catalogue(Catalogue { version: Version(version), products })
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_come_down_at_once_and_only_when_newer() {
    let (ca, hq) = (Ca::new(), MemoryHq::default());
    let gateway = open(&hq, &ca, None).await;
    let hint = Hint { tenant: tenant(), collection: Collection::Catalogue };
    let first = catalogue(1, 30_000);
    hq.publish(hint, first.clone());
    let till = Box::new(&ca, 3);
    let logs = till.open_logs();
    let (uplink, mut inbox) = till.start(gateway.local_addr(), &logs, None);
    let come = tokio::time::timeout(PATIENCE, inbox.deliveries.recv()).await.unwrap().unwrap();
    assert_eq!((come.from, come.to), (Version(0), Version(1)));
    assert!(Delivery::from_bytes(&come.bytes).unwrap() == first);
    // Two newer versions while the first is being taken: only the newest comes.
    hq.publish(hint, catalogue(2, 10));
    hq.publish(hint, catalogue(3, 10));
    let applied = Applied { collection: Collection::Catalogue, version: Version(1), wants_snapshot: false };
    uplink.applied().send(applied).await.unwrap();
    let come = tokio::time::timeout(PATIENCE, inbox.deliveries.recv()).await.unwrap().unwrap();
    assert_eq!(come.to, Version(3));
    uplink.applied().send(Applied { version: Version(3), ..applied }).await.unwrap();
    hq.publish(hint, catalogue(4, 10));
    let come = tokio::time::timeout(PATIENCE, inbox.deliveries.recv()).await.unwrap().unwrap();
    assert_eq!(come.to, Version(4), "and nothing came twice");
    // A delta that did not fit: the whole is sent again.
    uplink.applied().send(Applied { version: Version(4), wants_snapshot: true, ..applied }).await.unwrap();
    let come = tokio::time::timeout(PATIENCE, inbox.deliveries.recv()).await.unwrap().unwrap();
    assert_eq!((come.from, come.to), (Version(0), Version(4)));
    uplink.stop().await;
    gateway.stop().await;
}
