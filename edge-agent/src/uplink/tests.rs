//! What the shell does without an HQ. With one it is tried in the tests crate, against the real gateway.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use firmware_config::Node;
use firmware_config::layout::Layout;
use protocol::enroll::NodeUrn;
use protocol::id::{NodeId, ShopId, TenantId, Term};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ED25519, SanType};
use uuid::Uuid;

use super::*;
use crate::ledger;

fn identity(layout: &Layout) -> Identity {
    let tenant_id = TenantId::from_uuid(Uuid::from_u128(1));
    let shop_id = ShopId::from_uuid(Uuid::from_u128(2));
    let node_id = NodeId::from_uuid(Uuid::from_u128(3));
    let node = Node { tenant_id, shop_id, node_id, term: Term(1), name: "till".to_owned() };
    let urn = NodeUrn { tenant: tenant_id, shop: shop_id, node: node_id, term: Term(1) };
    let (mut ca, ca_key) = (CertificateParams::default(), KeyPair::generate().unwrap());
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(urn.to_string().try_into().unwrap())];
    let certificate = params.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap();
    fs::create_dir(layout.identity()).unwrap();
    fs::write(layout.device_key(), key.serialize_pem()).unwrap();
    fs::set_permissions(layout.device_key(), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(layout.device_certificate(), certificate.pem()).unwrap();
    fs::write(layout.device_ca(), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    Identity::load(layout, &node).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_hq_is_reported_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::initial(dir.path());
    let options = Options {
        hq: "uplink.invalid:4433".parse().unwrap(),
        server_name: "hq".to_owned(),
        identity: identity(&layout),
        collections: Vec::new(),
        clock: Clock::System,
        agent_version: "test".to_owned(),
    };
    let node = NodeId::from_uuid(Uuid::from_u128(3));
    let (logs, _) = Logs::open(&layout.logs(), node, Term(1), ledger::Options::default()).unwrap();
    let (uplink, _inbox) = start(options, logs).unwrap();
    let mut status = uplink.status();
    let failed = status.wait_for(|status| status.failures >= 2 && status.last_error.is_some());
    let seen = tokio::time::timeout(Duration::from_secs(60), failed).await.unwrap().unwrap().clone();
    assert!(!seen.is_connected() && seen.last_contact.is_none());
    assert!(seen.last_error.unwrap().contains("uplink.invalid"));
    uplink.stop().await;
}
