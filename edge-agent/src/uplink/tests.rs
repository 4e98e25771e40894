use std::path::Path;

use firmware_config::layout::Layout;
use protocol::id::{NodeId, Term};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::ledger;

fn credentials() -> Credentials {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["node".to_owned()]).unwrap().self_signed(&key).unwrap();
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Credentials::new(vec![certificate.der().clone()], der, vec![certificate.der().clone()]).unwrap()
}

fn logs(dir: &Path) -> Logs {
    let node = NodeId::from_uuid(uuid::Uuid::from_u128(3));
    Logs::open(dir, node, Term(1), ledger::Options::default()).unwrap().0
}

#[test]
fn a_missing_identity_says_which_file_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let text = Credentials::load(&Layout::initial(dir.path())).unwrap_err().to_string();
    assert!(text.contains("device.crt") && text.contains("provision enroll"), "{text}");
    let garbage = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(vec![1, 2, 3]));
    assert!(matches!(Credentials::new(vec![], garbage, vec![]), Err(CredentialsError::Unusable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_hq_is_reported_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        hq: "uplink.invalid:4433".parse().unwrap(),
        server_name: "hq".to_owned(),
        credentials: credentials(),
        collections: Vec::new(),
        clock: Clock::System,
        agent_version: "test".to_owned(),
    };
    let (uplink, _inbox) = start(options, logs(dir.path()));
    let mut status = uplink.status();
    let failed = status.wait_for(|status| status.failures >= 2 && status.last_error.is_some());
    let seen = tokio::time::timeout(Duration::from_secs(60), failed).await.unwrap().unwrap().clone();
    assert!(!seen.is_connected() && seen.last_contact.is_none());
    assert!(seen.last_error.unwrap().contains("uplink.invalid"));
    uplink.stop().await;
}
