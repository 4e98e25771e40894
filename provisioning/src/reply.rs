//! Believes an answer only as far as it can be checked: the CA is the one of the claim code, the certificates come
//! from their CAs, are for our keys, and say what the answer says.

use std::sync::Arc;
use std::time::Duration;

use protocol::enroll::{ClaimCode, EnrollReply, NodeUrn};
use rcgen::KeyPair;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::error::EnrollError;

/// The keys that the answer must be about.
pub(crate) struct Keys {
    pub(crate) device: KeyPair,
    pub(crate) terminal: KeyPair,
}

fn bad(what: &str) -> EnrollError {
    EnrollError::Answer(what.to_owned())
}

fn chain(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, EnrollError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| bad(&format!("{what} cannot be read")))
}

fn pair(chain: &[CertificateDer<'static>], key: &KeyPair, what: &str) -> Result<(), EnrollError> {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|error| bad(&error.to_string()))?;
    let matched = rustls::sign::CertifiedKey::new(chain.to_vec(), key).keys_match();
    matched.map_err(|_| bad(&format!("{what} is for another key")))
}

/// Checks an answer.
///
/// # Errors
/// [`EnrollError::Answer`] says what does not fit; [`EnrollError::NotOurs`] when the CA is not the claim's.
pub(crate) fn check(url: &str, code: ClaimCode, keys: &Keys, reply: &EnrollReply) -> Result<(), EnrollError> {
    let ca = chain(&reply.device_ca, "the device CA")?;
    let [ca] = ca.as_slice() else { return Err(bad("the device CA is not one certificate")) };
    if !code.names_ca(ca) {
        let reason = "its device CA is not the one of the claim code; nothing of its answer was kept".to_owned();
        return Err(EnrollError::NotOurs { url: url.to_owned(), reason });
    }
    // HQ's time, not ours: a new box may not know the time, and the CA vouches for it now.
    let millis = u64::try_from(reply.hq_time.0).map_err(|_| bad("its time"))?;
    let now = UnixTime::since_unix_epoch(Duration::from_millis(millis));
    let device = chain(&reply.certificate_chain, "the node's certificate")?;
    pair(&device, &keys.device, "the node's certificate")?;
    let (leaf, rest) = device.split_first().ok_or_else(|| bad("the node's certificate is missing"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(ca)?, Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|error| bad(&error.to_string()))?;
    verifier.verify_client_cert(leaf, rest, now).map_err(|error| bad(&format!("the node's certificate: {error}")))?;
    named(leaf, reply)?;

    let shop_ca = chain(&reply.shop_ca, "the shop's CA")?;
    let [shop_ca] = shop_ca.as_slice() else { return Err(bad("the shop's CA is not one certificate")) };
    let terminal = reply.terminal_chain.as_deref().ok_or_else(|| bad("the terminal certificate is missing"))?;
    let terminal = chain(terminal, "the terminal certificate")?;
    pair(&terminal, &keys.terminal, "the terminal certificate")?;
    let (leaf, rest) = terminal.split_first().ok_or_else(|| bad("the terminal certificate is missing"))?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(shop_ca)?, provider).build();
    let verifier = verifier.map_err(|error| bad(&error.to_string()))?;
    let localhost = ServerName::try_from("localhost").map_err(|error| bad(&error.to_string()))?;
    let verified = verifier.verify_server_cert(leaf, rest, &localhost, &[], now);
    verified.map_err(|error| bad(&format!("the terminal certificate: {error}")))?;
    if reply.shop.shop != reply.shop_id {
        return Err(bad("the settings are another shop's"));
    }
    Ok(())
}

fn roots(ca: &CertificateDer<'static>) -> Result<Arc<RootCertStore>, EnrollError> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).map_err(|error| bad(&format!("a CA: {error}")))?;
    Ok(Arc::new(roots))
}

/// The certificate must name the node that the answer names.
fn named(leaf: &CertificateDer<'_>, reply: &EnrollReply) -> Result<(), EnrollError> {
    let expected =
        NodeUrn { tenant: reply.tenant_id, shop: reply.shop_id, node: reply.node_id, term: reply.term }.to_string();
    let parsed = X509Certificate::from_der(leaf).map_err(|_| bad("the node's certificate cannot be read"))?.1;
    let names = parsed.subject_alternative_name().ok().flatten();
    match names.map(|names| names.value.general_names.as_slice()) {
        Some([GeneralName::URI(uri)]) if *uri == expected => Ok(()),
        Some(_) | None => Err(bad("the node's certificate names another node")),
    }
}
