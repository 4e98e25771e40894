//! The fleet's decisions. Pure: the time, the rows and the request come in as arguments.

use std::net::{IpAddr, SocketAddr};

use firmware_config::network::{HostPort, is_dns_name, is_host};
use protocol::enroll::EnrollRequest;
use protocol::id::NodeId;
use protocol::ledger::Hash;
use protocol::limits;
use protocol::timestamp::Timestamp;

use super::error::{AdmitError, ClaimRefusal, FleetError};

/// How long a claim code works.
pub(super) const CLAIM_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// Why a claim that could not be consumed was not open.
pub(super) const fn refusal(used: bool) -> ClaimRefusal {
    // Asked only when the claim is not open: one that was not used has expired.
    if used { ClaimRefusal::Used } else { ClaimRefusal::Expired }
}

/// Whether a request may enrol: through TLS, or plainly from this very machine and not through a proxy.
pub(super) fn may_enrol(through_tls: bool, peer: Option<IpAddr>, forwarded: bool) -> bool {
    through_tls || (!forwarded && peer.is_some_and(|peer| peer.to_canonical().is_loopback()))
}

/// What a request says of the box, after everything that cannot stand in a certificate was refused or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BoxFacts {
    pub(super) name: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) agent_version: String,
}

/// Checks the words of a request.
///
/// # Errors
/// [`FleetError::Field`] names the field.
pub(super) fn box_facts(request: &EnrollRequest) -> Result<BoxFacts, FleetError> {
    let field = |field, message| FleetError::Field { field, message };
    let name = request.name.as_deref().map(str::trim);
    if name.is_some_and(|name| name.is_empty() || name.len() > limits::NODE_NAME_BYTES) {
        return Err(field("name", "1 to 64 bytes"));
    }
    if name.is_some_and(|name| name.chars().any(char::is_control)) {
        return Err(field("name", "no control characters"));
    }
    if request.addresses.len() > limits::NODE_ADDRESSES {
        return Err(field("addresses", "at most 16 addresses"));
    }
    let version = request.agent_version.trim();
    if version.is_empty() || version.len() > limits::NODE_NAME_BYTES || version.chars().any(char::is_control) {
        return Err(field("agent_version", "1 to 64 bytes"));
    }
    // A box cannot help its host name: one that no certificate can carry is left out, not refused.
    let hostname = request.hostname.as_deref().filter(|name| is_dns_name(name) && name.len() <= 64);
    let useful = |address: &IpAddr| !address.is_unspecified() && !address.is_multicast() && !address.is_loopback();
    Ok(BoxFacts {
        name: name.map(str::to_owned),
        hostname: hostname.map(str::to_owned),
        addresses: request.addresses.iter().map(IpAddr::to_canonical).filter(useful).collect(),
        agent_version: version.to_owned(),
    })
}

/// What a node is called: as asked, by its host name, or by its id.
pub(super) fn node_name(facts: &BoxFacts, node: NodeId) -> String {
    let text = node.to_string();
    // The end of a UUID v7 is random; its beginning is the time, which neighbours share.
    let tag = text.rsplit('-').next().unwrap_or_default().get(..6).unwrap_or_default();
    facts.name.clone().or_else(|| facts.hostname.clone()).unwrap_or_else(|| format!("node-{tag}"))
}

/// The address of a door as a node is told it: as HQ gives it, unless that is no address for others (all addresses,
/// or loopback for a box that came from elsewhere); then with the host by which the box reached HQ just now.
pub(super) fn address_for_node(door: &str, host_header: Option<&str>) -> String {
    let Ok(bound) = door.parse::<SocketAddr>() else { return door.to_owned() };
    let named = host_header.and_then(|header| match header.parse::<HostPort>() {
        Ok(both) => Some(both.host().to_owned()),
        Err(_) => Some(header.trim_matches(['[', ']']).to_owned()).filter(|host| is_host(host)),
    });
    let here = |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match named {
        Some(host) if bound.ip().is_unspecified() || (bound.ip().is_loopback() && !here(&host)) => {
            if host.contains(':') { format!("[{host}]:{}", bound.port()) } else { format!("{host}:{}", bound.port()) }
        }
        None if bound.ip().is_unspecified() => format!("localhost:{}", bound.port()),
        Some(_) | None => door.to_owned(),
    }
}

/// What HQ has on record about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CertificateRecord {
    pub(super) certificate_term: u32,
    pub(super) node_term: u32,
    pub(super) revoked: bool,
    pub(super) retired: bool,
    /// Whether the company's account is closed.
    pub(super) closed: bool,
}

/// Whether the holder of a certificate of `term` is let in.
///
/// # Errors
/// The reason it is not.
pub(super) const fn admit(record: Option<CertificateRecord>, term: u32) -> Result<(), AdmitError> {
    let Some(record) = record else { return Err(AdmitError::Unknown) };
    if record.certificate_term != term {
        return Err(AdmitError::Unknown);
    }
    if record.closed {
        return Err(AdmitError::Closed);
    }
    if record.revoked {
        return Err(AdmitError::Revoked);
    }
    if record.retired {
        return Err(AdmitError::Retired);
    }
    if record.certificate_term != record.node_term {
        return Err(AdmitError::OldTerm { of: term, current: record.node_term });
    }
    Ok(())
}

/// Whether HQ's chain agrees with a checkpoint. `at_seq` is the hash of the event at the checkpoint's position,
/// asked for only when HQ is further; behind the checkpoint HQ cannot agree yet.
pub(super) fn head_hash_equal(sworn: (u64, Hash), head: (u64, Hash), at_seq: Option<Hash>) -> bool {
    match head.0.cmp(&sworn.0) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => head.1 == sworn.1,
        std::cmp::Ordering::Greater => at_seq == Some(sworn.1),
    }
}

/// The end of a claim that is made now.
pub(super) const fn claim_ends(now: Timestamp) -> Timestamp {
    now.plus_millis(CLAIM_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::enroll::ClaimSecret;

    fn request() -> EnrollRequest {
        EnrollRequest {
            secret: ClaimSecret::from_bytes([0; 12]),
            csr: String::new(),
            terminal_csr: None,
            name: None,
            hostname: Some("till-1".to_owned()),
            addresses: vec!["192.168.1.9".parse().unwrap(), "127.0.0.1".parse().unwrap(), "0.0.0.0".parse().unwrap()],
            agent_version: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn plain_doors_enrol_this_machine_only() {
        let at = |text: &str| Some(text.parse().unwrap());
        assert!(may_enrol(false, at("127.0.0.1"), false));
        assert!(may_enrol(false, at("::1"), false));
        assert!(may_enrol(false, at("::ffff:127.0.0.1"), false));
        assert!(!may_enrol(false, at("127.0.0.1"), true));
        assert!(!may_enrol(false, at("192.168.1.9"), false));
        assert!(!may_enrol(false, None, false));
        assert!(may_enrol(true, at("192.168.1.9"), true));
    }

    #[test]
    fn what_a_box_says_is_checked() {
        let facts = box_facts(&request()).unwrap();
        assert_eq!(facts.addresses, ["192.168.1.9".parse::<IpAddr>().unwrap()]);
        assert_eq!(facts.hostname.as_deref(), Some("till-1"));
        for (change, field) in [
            (EnrollRequest { name: Some(" ".into()), ..request() }, "name"),
            (EnrollRequest { name: Some("x".repeat(65)), ..request() }, "name"),
            (EnrollRequest { name: Some("a\nb".into()), ..request() }, "name"),
            (EnrollRequest { addresses: vec![[1, 2, 3, 4].into(); 17], ..request() }, "addresses"),
            (EnrollRequest { agent_version: String::new(), ..request() }, "agent_version"),
        ] {
            assert!(matches!(box_facts(&change), Err(FleetError::Field { field: found, .. }) if found == field));
        }
        let odd = EnrollRequest { hostname: Some("no such host!".into()), ..request() };
        assert_eq!(box_facts(&odd).unwrap().hostname, None);
    }

    #[test]
    fn a_node_is_told_addresses_it_can_reach() {
        for (door, header, told) in [
            ("0.0.0.0:4433", Some("hq.example.org:8000"), "hq.example.org:4433"),
            ("0.0.0.0:4433", Some("hq.example.org"), "hq.example.org:4433"),
            ("[::]:4433", Some("[2001:db8::1]:8000"), "[2001:db8::1]:4433"),
            ("[::]:4433", Some("[2001:db8::1]"), "[2001:db8::1]:4433"),
            ("127.0.0.1:4433", Some("localhost:8000"), "127.0.0.1:4433"),
            ("127.0.0.1:4433", Some("hq.example.org"), "hq.example.org:4433"),
            ("192.0.2.1:4433", Some("hq.example.org"), "192.0.2.1:4433"),
            ("hq.test:4433", Some("localhost"), "hq.test:4433"),
            ("0.0.0.0:4433", Some("evil/../x"), "localhost:4433"),
            ("0.0.0.0:4433", None, "localhost:4433"),
        ] {
            assert_eq!(address_for_node(door, header), told);
        }
    }

    #[test]
    fn only_the_term_in_force_is_admitted() {
        let record =
            CertificateRecord { certificate_term: 2, node_term: 2, revoked: false, retired: false, closed: false };
        assert!(admit(Some(record), 2).is_ok());
        assert!(matches!(admit(None, 2), Err(AdmitError::Unknown)));
        assert!(matches!(admit(Some(record), 3), Err(AdmitError::Unknown)));
        let newer = CertificateRecord { node_term: 3, ..record };
        assert!(matches!(admit(Some(newer), 2), Err(AdmitError::OldTerm { of: 2, current: 3 })));
        assert!(matches!(admit(Some(CertificateRecord { revoked: true, ..newer }), 2), Err(AdmitError::Revoked)));
        assert!(matches!(admit(Some(CertificateRecord { closed: true, ..record }), 2), Err(AdmitError::Closed)));
        assert!(matches!(admit(Some(CertificateRecord { retired: true, ..record }), 2), Err(AdmitError::Retired)));
    }

    #[test]
    fn the_chain_is_compared_where_the_checkpoint_stands() {
        let (sworn, other) = ([1; 32], [2; 32]);
        assert!(head_hash_equal((5, sworn), (5, sworn), None));
        assert!(!head_hash_equal((5, sworn), (5, other), Some(sworn)));
        assert!(!head_hash_equal((5, sworn), (4, sworn), Some(sworn)));
        assert!(head_hash_equal((5, sworn), (9, other), Some(sworn)));
        assert!(!head_hash_equal((5, sworn), (9, sworn), Some(other)));
        assert!(!head_hash_equal((5, sworn), (9, sworn), None));
    }
}
