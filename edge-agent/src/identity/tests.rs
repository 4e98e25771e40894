//! Tests of the identity: a good one works against a server of its CA, a bad one names its file and its cure.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use protocol::enroll::HQ_SERVER_NAME;
use protocol::id::{NodeId, Seq, ShopId, Stream, TenantId, Term};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PKCS_ED25519, SanType,
    date_time_ymd,
};
use ring::signature::{ED25519, KeyPair as _, UnparsedPublicKey};
use uuid::Uuid;

use super::*;

struct Box {
    dir: tempfile::TempDir,
    layout: Layout,
    node: Node,
    ca: (CertificateParams, KeyPair),
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.not_before = date_time_ymd(2020, 1, 1);
    params
}

impl Box {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::initial(dir.path());
        let node = Node {
            tenant_id: TenantId::from_uuid(Uuid::from_u128(1)),
            shop_id: ShopId::from_uuid(Uuid::from_u128(2)),
            node_id: NodeId::from_uuid(Uuid::from_u128(3)),
            term: Term(1),
            name: "till".to_owned(),
        };
        let ca = (ca_params(), KeyPair::generate().unwrap());
        fs::create_dir(layout.identity()).unwrap();
        let made = Self { dir, layout, node, ca };
        made.write();
        made
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.ca.0, &self.ca.1)
    }

    fn ca_pem(&self) -> String {
        self.ca.0.self_signed(&self.ca.1).unwrap().pem()
    }

    fn urn(&self) -> NodeUrn {
        let node = &self.node;
        NodeUrn { tenant: node.tenant_id, shop: node.shop_id, node: node.node_id, term: node.term }
    }

    fn write(&self) {
        let layout = &self.layout;
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(self.urn().to_string().try_into().unwrap())];
        let certificate = params.signed_by(&key, &self.issuer()).unwrap();
        self.put(layout.device_key(), &key.serialize_pem());
        self.put(layout.device_certificate(), &format!("{}{}", certificate.pem(), self.ca_pem()));
        self.put(layout.device_ca(), &self.ca_pem());
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &self.issuer()).unwrap();
        self.put(layout.terminal_key(), &key.serialize_pem());
        self.put(layout.terminal_certificate(), &certificate.pem());
        self.put(layout.shop_ca(), &self.ca_pem());
    }

    fn put(&self, path: PathBuf, text: &str) {
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn load(&self) -> Result<Identity, IdentityError> {
        Identity::load(&self.layout, &self.node)
    }

    /// HQ's door, with a certificate of these years.
    fn hq(&self, years: (i32, i32), name: &str) -> rustls::ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer()).unwrap();
        let key = rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        config.alpn_protocols = vec![protocol::enroll::ALPN.to_vec()];
        config
    }
}

fn handshake(identity: &Identity, clock: &Clock, server: rustls::ServerConfig) -> Result<(), rustls::Error> {
    let config = Arc::new(identity.uplink_tls(clock).unwrap());
    let mut client = rustls::ClientConnection::new(config, HQ_SERVER_NAME.try_into().unwrap())?;
    let mut server = rustls::ServerConnection::new(Arc::new(server))?;
    for _ in 0..10 {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut up).unwrap();
        }
        server.read_tls(&mut up.as_slice()).unwrap();
        server.process_new_packets()?;
        while server.wants_write() {
            server.write_tls(&mut down).unwrap();
        }
        client.read_tls(&mut down.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    assert!(!client.is_handshaking());
    Ok(())
}

fn year(year: i64) -> Clock {
    Clock::manual(Timestamp((year - 1970) * 31_556_952_000))
}

#[test]
fn a_good_identity_connects_and_signs() {
    let node = Box::new();
    let identity = node.load().unwrap();
    assert_eq!(*identity.urn(), node.urn());
    assert!(handshake(&identity, &year(2026), node.hq((2026, 2027), HQ_SERVER_NAME)).is_ok());
    let checkpoint =
        CheckpointV1 { stream: Stream::Fiscal, term: Term(1), seq: Seq(7), head_hash: [1; 32], at: Timestamp(9) };
    let signed = identity.sign(checkpoint).unwrap();
    let key = UnparsedPublicKey::new(&ED25519, identity.signer.public_key().as_ref().to_vec());
    key.verify(&checkpoint.signing_input(node.node.node_id), &signed.signature.to_bytes()).unwrap();
    assert!(!format!("{identity:?}").contains("PRIVATE"));
}

#[test]
fn a_clock_that_is_behind_finds_its_way_and_an_ended_certificate_does_not() {
    let node = Box::new();
    let identity = node.load().unwrap();
    for behind in [1970, 2010, 2025] {
        assert!(handshake(&identity, &year(behind), node.hq((2026, 2027), HQ_SERVER_NAME)).is_ok(), "{behind}");
    }
    assert!(handshake(&identity, &year(2028), node.hq((2026, 2027), HQ_SERVER_NAME)).is_err());
}

#[test]
fn nobody_else_is_hq() {
    let (node, stranger) = (Box::new(), Box::new());
    let identity = node.load().unwrap();
    for clock in [year(2010), year(2026)] {
        assert!(handshake(&identity, &clock, stranger.hq((2026, 2027), HQ_SERVER_NAME)).is_err());
        assert!(handshake(&identity, &clock, node.hq((2026, 2027), "elsewhere.example")).is_err());
    }
}

#[test]
fn a_bad_identity_names_its_file_and_the_cure() {
    let said = |change: &dyn Fn(&Box)| {
        let node = Box::new();
        change(&node);
        let error = node.load().unwrap_err().to_string();
        assert!(error.contains("provision enroll") || error.contains("chown"), "{error}");
        error.replace(&node.dir.path().display().to_string(), "")
    };
    let text = said(&|node| fs::remove_file(node.layout.device_key()).unwrap());
    assert!(text.starts_with("/identity/device.key: No such file"), "{text}");
    let text = said(&|node| node.put(node.layout.device_certificate(), "garbage"));
    assert!(text.starts_with("/identity/device.crt: there is no certificate"), "{text}");
    let text = said(&|node| node.put(node.layout.device_certificate(), &node.ca_pem()));
    assert!(text.contains("no certificate of a Tillway node"), "{text}");
    let p256 = KeyPair::generate().unwrap().serialize_pem();
    assert!(said(&|node| node.put(node.layout.device_key(), &p256)).contains("no Ed25519 key"));
    let other = KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem();
    assert!(said(&|node| node.put(node.layout.device_key(), &other)).contains("do not belong together"));
}

#[test]
fn the_certificate_must_be_of_the_enrolment_that_node_toml_tells() {
    let mut node = Box::new();
    node.node.term = Term(2);
    let error = node.load().unwrap_err();
    assert!(matches!(error, IdentityError::OtherNode { .. }));
    assert!(error.to_string().contains(":term:1") && error.to_string().contains(":term:2"));
}

#[test]
fn the_terminal_door_is_checked_by_itself() {
    let node = Box::new();
    fs::remove_file(node.layout.device_key()).unwrap();
    let terminal = TerminalIdentity::load(&node.layout).unwrap();
    assert_eq!(terminal.ca_fingerprint().len(), 64);
    assert_eq!(terminal.tls().alpn_protocols, [b"http/1.1".to_vec()]);
    let other = KeyPair::generate().unwrap().serialize_pem();
    node.put(node.layout.terminal_key(), &other);
    assert!(matches!(TerminalIdentity::load(&node.layout), Err(IdentityError::NotAPair { .. })));
    fs::remove_file(node.layout.shop_ca()).unwrap();
    node.write();
    fs::write(node.layout.shop_ca(), "").unwrap();
    let error = TerminalIdentity::load(&node.layout).unwrap_err();
    assert!(error.to_string().contains("shop-ca.crt"), "{error}");
}
