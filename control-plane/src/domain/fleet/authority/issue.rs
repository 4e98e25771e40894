//! Makes certificates. Of a certificate request only the public key is taken: what a certificate says is HQ's
//! word alone. Dates begin early, because a box that was off for a while may have a slow clock.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use protocol::enroll::{HQ_SERVER_NAME, NodeUrn, fingerprint};
use protocol::id::{ShopId, TenantId};
use protocol::timestamp::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData as _, SanType,
    SerialNumber,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Authority, AuthorityError, SealedShopCa};
use crate::clock::utc;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// How far before now a certificate begins.
const SLACK_DAYS: i64 = 7;
/// Nodes renew from half life; three months bound what a stolen disk is worth.
const NODE_DAYS: i64 = 90;
/// HQ makes itself a new one from half life, in memory.
pub(super) const HQ_DAYS: i64 = 90;
/// The longest that browsers accept (825 days) less a margin: a till must not stop because a date passed.
const TERMINAL_DAYS: i64 = 820;
/// CAs outlive the boxes.
const CA_DAYS: i64 = 30 * 365;

/// A request for a node's certificate, whose signature was checked: the sender holds the key.
#[derive(Debug)]
pub struct DeviceCsr(CertificateSigningRequestParams);

/// A request for the certificate of a terminal door, checked likewise.
#[derive(Debug)]
pub struct TerminalCsr(CertificateSigningRequestParams);

/// A node's certificate.
#[derive(Clone, Debug)]
pub struct IssuedNode {
    /// PEM, the device CA behind it.
    pub chain: String,
    /// BLAKE3 of its DER.
    pub fingerprint: [u8; 32],
    /// Its serial number.
    pub serial: Vec<u8>,
    /// First and last moment of its validity.
    pub validity: (Timestamp, Timestamp),
}

fn read_csr(pem: &str) -> Result<CertificateSigningRequestParams, AuthorityError> {
    if pem.len() > protocol::limits::CSR_BYTES {
        return Err(AuthorityError::Csr("the certificate request is larger than 4 KiB"));
    }
    CertificateSigningRequestParams::from_pem(pem)
        .map_err(|_| AuthorityError::Csr("the certificate request is no PKCS#10 in PEM with a good signature"))
}

impl DeviceCsr {
    /// Reads and checks a request in PEM.
    ///
    /// # Errors
    /// [`AuthorityError::Csr`] unless it is signed by the Ed25519 key it names.
    pub fn parse(pem: &str) -> Result<Self, AuthorityError> {
        let csr = read_csr(pem)?;
        if csr.public_key.algorithm() != &PKCS_ED25519 {
            return Err(AuthorityError::Csr("the device key must be an Ed25519 key: it signs checkpoints"));
        }
        Ok(Self(csr))
    }

    /// The raw public key (32 bytes).
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key.der_bytes()
    }
}

impl TerminalCsr {
    /// Reads and checks a request in PEM.
    ///
    /// # Errors
    /// [`AuthorityError::Csr`] unless it is signed by the key it names.
    pub fn parse(pem: &str) -> Result<Self, AuthorityError> {
        read_csr(pem).map(Self)
    }
}

fn params(common_name: &str, now: Timestamp, days: i64) -> (CertificateParams, (Timestamp, Timestamp)) {
    // Certificates tell seconds; what is recorded must be what they say.
    let second = Timestamp(now.0.div_euclid(1_000).saturating_mul(1_000));
    let validity = (second.plus_millis(-SLACK_DAYS * DAY_MILLIS), second.plus_millis(days.saturating_mul(DAY_MILLIS)));
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name.chars().take(64).collect::<String>());
    params.not_before = utc(validity.0);
    params.not_after = utc(validity.1);
    let mut serial = crate::rng::bytes::<16>();
    // Positive and of full length in DER.
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.use_authority_key_identifier_extension = true;
    (params, validity)
}

fn ca_params(common_name: &str, now: Timestamp) -> CertificateParams {
    let (mut params, _) = params(common_name, now, CA_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(
    common_name: &str,
    usage: ExtendedKeyUsagePurpose,
    now: Timestamp,
    days: i64,
) -> (CertificateParams, (Timestamp, Timestamp)) {
    let (mut params, validity) = params(common_name, now, days);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    (params, validity)
}

pub(super) fn new_device_ca(now: Timestamp) -> Result<(KeyPair, String), AuthorityError> {
    let key = KeyPair::generate()?;
    // A name of its own: two head offices must never look like one to a chain builder.
    let name = format!("Tillway device CA {}", crate::rng::hex(&crate::rng::bytes::<4>()));
    let certificate = ca_params(&name, now).self_signed(&key)?;
    Ok((key, certificate.pem()))
}

pub(super) fn certificate_from_pem(pem: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

/// Whether a certificate is for this key.
pub(super) fn belongs(certificate: &CertificateDer<'_>, key: &KeyPair) -> bool {
    X509Certificate::from_der(certificate)
        .is_ok_and(|(_, parsed)| parsed.public_key().subject_public_key.data.as_ref() == key.public_key_raw())
}

impl Authority {
    /// A node's certificate: for client authentication, with its name as the only alternative name.
    ///
    /// # Errors
    /// [`AuthorityError::Issue`] when signing fails.
    pub fn issue_node(&self, csr: &DeviceCsr, urn: &NodeUrn, now: Timestamp) -> Result<IssuedNode, AuthorityError> {
        let name = format!("node {}", urn.node);
        let (mut params, validity) = leaf_params(&name, ExtendedKeyUsagePurpose::ClientAuth, now, NODE_DAYS);
        params.subject_alt_names = vec![SanType::URI(urn.to_string().try_into()?)];
        let serial = params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
        let certificate = params.signed_by(&csr.0.public_key, &self.issuer)?;
        let chain = format!("{}{}", certificate.pem(), self.pem);
        Ok(IssuedNode { chain, fingerprint: fingerprint(certificate.der()), serial, validity })
    }

    /// A certificate for HQ's own doors, with a new key: (chain, key, end of validity).
    pub(super) fn issue_hq(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, Timestamp), AuthorityError> {
        let key = KeyPair::generate()?;
        let (mut params, validity) = leaf_params(HQ_SERVER_NAME, ExtendedKeyUsagePurpose::ServerAuth, now, HQ_DAYS);
        params.subject_alt_names =
            alternative_names([HQ_SERVER_NAME].into_iter().chain(names.iter().map(String::as_str)), &[])?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        Ok((chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into(), validity.1))
    }

    /// A new CA for a shop, its key sealed.
    ///
    /// # Errors
    /// [`AuthorityError::Issue`] when it cannot be made.
    pub fn new_shop_ca(
        &self,
        tenant: TenantId,
        shop: ShopId,
        name: &str,
        now: Timestamp,
    ) -> Result<SealedShopCa, AuthorityError> {
        let key = KeyPair::generate()?;
        let tag = shop.to_string();
        let tag = tag.get(..8).unwrap_or_default();
        let name: String = name.chars().filter(|c| !c.is_control()).take(36).collect();
        let certificate = ca_params(&format!("{name} (Tillway {tag})"), now).self_signed(&key)?;
        Ok(SealedShopCa { certificate: certificate.pem(), sealed_key: self.seal(tenant, shop, &key)? })
    }

    /// The certificate of a node's terminal door, the shop's CA behind it, good for loopback, the host name and
    /// the addresses that the node reported.
    ///
    /// # Errors
    /// [`AuthorityError::Sealed`] when the shop's CA belongs to another device CA.
    pub fn issue_terminal(
        &self,
        (tenant, shop): (TenantId, ShopId),
        ca: &SealedShopCa,
        csr: &TerminalCsr,
        (hostname, addresses): (Option<&str>, &[IpAddr]),
        now: Timestamp,
    ) -> Result<String, AuthorityError> {
        let key = self.unseal(tenant, shop, &ca.sealed_key)?;
        let issuer = Issuer::from_ca_cert_pem(&ca.certificate, key)?;
        let common_name = hostname.unwrap_or("tillway node");
        let (mut params, _) = leaf_params(common_name, ExtendedKeyUsagePurpose::ServerAuth, now, TERMINAL_DAYS);
        // `host` alone is what DHCP knows the box by, `host.local` what multicast DNS does.
        let local = hostname.filter(|name| !name.contains('.')).map(|name| format!("{name}.local"));
        params.subject_alt_names = alternative_names(hostname.into_iter().chain(local.as_deref()), addresses)?;
        let certificate = params.signed_by(&csr.0.public_key, &issuer)?;
        Ok(format!("{}{}", certificate.pem(), ca.certificate))
    }
}

fn alternative_names<'n>(
    names: impl Iterator<Item = &'n str>,
    addresses: &[IpAddr],
) -> Result<Vec<SanType>, AuthorityError> {
    let mut found = Vec::new();
    let mut addresses = addresses.to_vec();
    addresses.extend([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    for name in names.chain(["localhost"]) {
        match name.parse::<IpAddr>() {
            Ok(address) => addresses.push(address),
            Err(_) => found.push(SanType::DnsName(name.to_ascii_lowercase().try_into()?)),
        }
    }
    found.extend(addresses.into_iter().map(SanType::IpAddress));
    let mut unique = Vec::with_capacity(found.len());
    for name in found {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    Ok(unique)
}
