//! The doors of the node, and the way to head office: by name, by QUIC with this node's certificate, by TCP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use firmware_config::HostPort;
use tokio::net::{TcpListener, TcpStream};

use super::Patient;
use super::finding::Finding;
use crate::agent::Addresses;
use crate::clock::Clock;
use crate::core::status::Link;
use crate::identity::Identity;
use crate::uplink;

/// How long an answer of this box or of another may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// What to do about a name that nobody knows: head office tells it to a box that enrols.
const UNKNOWN_NAME: &str = "is the internet up, and is this the name by which head office was started (--public-host)? The \
                            shop sells on; it tries again by itself";
/// What to do about a door of head office that does not open.
const SHUT_OUT: &str = "is head office up, does the firewall let TCP out to that port?";

/// Whether each door is open, or could be opened.
pub(super) async fn ports(patient: &Patient) -> Vec<Finding> {
    let config = &patient.config;
    let took = std::fs::read(patient.layout.addresses()).ok().filter(|_| patient.status.is_some());
    let took = took.and_then(|bytes| serde_json::from_slice::<Addresses>(&bytes).ok());
    let mut findings = Vec::new();
    let doors = [
        ("terminal.http", Some(config.terminal.http), took.as_ref().map(|took| took.terminal_http)),
        ("terminal.https", Some(config.terminal.https), took.as_ref().and_then(|took| took.terminal_https)),
        ("metrics.listen", config.metrics.map(|m| m.listen), took.as_ref().and_then(|took| took.metrics)),
    ];
    for (name, wanted, open) in doors {
        let Some(wanted) = wanted else { continue };
        findings.push(match (&patient.status, open) {
            (Some(_), Some(open)) => answers(name, open).await,
            (Some(_), None) => {
                let says = format!("{name} is shut while the node runs");
                Finding::fail("ports", says, "its log says why: journalctl -u tillway-node | grep door")
            }
            (None, _) => free(name, wanted, TcpListener::bind(wanted).await.map(drop)),
        });
    }
    findings
}

/// Whether the node's own door takes a connection.
pub(super) async fn answers(name: &str, open: SocketAddr) -> Finding {
    let here =
        if open.ip().is_unspecified() { SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), open.port()) } else { open };
    match tokio::time::timeout(PATIENCE, TcpStream::connect(here)).await {
        Ok(Ok(_)) => Finding::ok("ports", format!("{name} answers on {open}")),
        Ok(Err(error)) => Finding::fail("ports", format!("{name} on {open}: {error}"), "restart the node"),
        Err(_) => Finding::fail("ports", format!("{name} on {open} takes no connection"), "restart the node"),
    }
}

/// What it means that a port can or cannot be had.
pub(super) fn free(name: &str, wanted: SocketAddr, bound: io::Result<()>) -> Finding {
    match bound {
        Ok(()) if wanted.port() == 0 => Finding::ok("ports", format!("{name} takes any free port")),
        Ok(()) => Finding::ok("ports", format!("{name} {wanted} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let cure =
                format!("end what is there (ss -ltnp 'sport = :{}'), or change {name} in node.toml", wanted.port());
            let says = format!("{name} {wanted} is taken by another program");
            // Nobody watching is no reason not to sell.
            if name.starts_with("metrics") {
                Finding::warn("ports", says, cure)
            } else {
                Finding::fail("ports", says, cure)
            }
        }
        Err(error) => {
            Finding::fail("ports", format!("{name} {wanted}: {error}"), format!("correct {name} in node.toml"))
        }
    }
}

/// The way to head office.
pub(super) async fn head_office(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(status) = &patient.status
        && status.uplink.link == Link::Connected
    {
        let heard = status.uplink.last_contact.map_or_else(String::new, |at| format!(", heard {}", status.ago(at)));
        findings.push(Finding::ok("head office", format!("connected to {} by QUIC{heard}", status.uplink.address)));
    } else {
        findings.extend(quic(patient).await);
    }
    let hq = &patient.config.hq;
    if let Some(tcp) = &hq.tcp {
        findings.push(tcp_door("hq.tcp", tcp).await);
    }
    if let Some(http) = hq.http.as_deref().and_then(authority) {
        findings.push(tcp_door("hq.http", &http).await);
    }
    if let Some(status) =
        patient.status.as_ref().filter(|status| status.uplink.waiting > 0 && status.uplink.link != Link::Connected)
    {
        let says = status.headline.clone();
        findings.push(Finding::warn("head office", says, "they go up by themselves when the line is back"));
    }
    findings
}

async fn quic(patient: &Patient) -> Vec<Finding> {
    let hq = &patient.config.hq.quic;
    let found = match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((hq.host(), hq.port()))).await {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(error)) => {
            return vec![Finding::warn(
                "head office",
                format!("the name {} is not known: {error}", hq.host()),
                UNKNOWN_NAME,
            )];
        }
        Err(_) => {
            return vec![Finding::warn(
                "head office",
                format!("the name {} was not resolved", hq.host()),
                UNKNOWN_NAME,
            )];
        }
    };
    let mut findings = Vec::new();
    if hq.host().parse::<IpAddr>().is_err() {
        let list = found.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
        findings.push(Finding::ok("head office", format!("{} is {list}", hq.host())));
    }
    let identity = match Identity::load(&patient.layout, &patient.config.node) {
        Ok(identity) => identity,
        Err(_) => {
            findings.push(Finding::skip("head office", "QUIC: without its identity this node cannot even knock"));
            return findings;
        }
    };
    let options = uplink::Options::new(&patient.config, identity, Vec::new(), Clock::System);
    let asked = tokio::time::timeout(PATIENCE, uplink::probe(&options)).await;
    let silent = || Err(uplink::ProbeError::Unanswered(format!("{hq} said nothing for {} s", PATIENCE.as_secs())));
    findings.push(match asked.unwrap_or_else(|_| silent()) {
        Ok(took) => {
            Finding::ok("head office", format!("{hq} took this node's certificate by QUIC in {} ms", took.as_millis()))
        }
        Err(uplink::ProbeError::Unanswered(why)) => {
            let cure = "is the internet up, does the firewall let UDP out to that port? The shop sells on meanwhile";
            Finding::warn("head office", format!("no answer by QUIC: {why}"), cure)
        }
        Err(uplink::ProbeError::Refused(why)) => {
            let cure = "was this node revoked or enrolled anew? Ask head office (GET /v1/nodes); enrol it again if so";
            Finding::fail("head office", format!("{hq} refused this node: {why}"), cure)
        }
    });
    findings
}

async fn tcp_door(name: &str, to: &HostPort) -> Finding {
    let connected = tokio::time::timeout(PATIENCE, async {
        let found: Vec<SocketAddr> =
            tokio::net::lookup_host((to.host(), to.port())).await.map_err(|error| (error, UNKNOWN_NAME))?.collect();
        TcpStream::connect(found.as_slice()).await.map_err(|error| (error, SHUT_OUT))
    });
    let (why, cure) = match connected.await {
        Ok(Ok(_)) => return Finding::ok("head office", format!("{name} {to} answers by TCP")),
        Ok(Err((error, cure))) => (error.to_string(), cure),
        Err(_) => ("no answer".to_owned(), SHUT_OUT),
    };
    Finding::warn("head office", format!("{name} {to} by TCP: {why}"), cure)
}

/// Host and port of a base URL.
pub(super) fn authority(url: &str) -> Option<HostPort> {
    let (default, rest) = match url.strip_prefix("https://") {
        Some(rest) => (443, rest),
        None => (80, url.strip_prefix("http://")?),
    };
    let rest = rest.trim_end_matches('/');
    rest.parse().or_else(|_| format!("{rest}:{default}").parse()).ok()
}
