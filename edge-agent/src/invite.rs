//! What a till needs to find and trust this node: address, code, fingerprint. The command line prints it, the node's
//! page draws it. Makes no code and knows no lanes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use serde::Serialize;

/// An invitation, in the shape of `pairing create --json`; the QR code carries the first three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invitation {
    /// Where the till finds the node.
    pub url: String,
    /// The code.
    pub code: String,
    /// By what the till trusts the node's certificate; none before the node is enrolled.
    pub ca_fingerprint: Option<String>,
}

impl Invitation {
    /// What the QR code says: one JSON object.
    pub fn qr_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An address that terminals can reach: for "all interfaces" the one that leads out, else loopback.
pub fn lan(bound: SocketAddr) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    // Connecting a UDP socket sends nothing; it only asks the system which way it would go.
    let way_out = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let ip = way_out().filter(|ip| !ip.is_unspecified()).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    SocketAddr::new(ip, bound.port())
}

/// Where tills find the node: its LAN door, or this box alone while that is shut.
pub fn url(lan_door: Option<SocketAddr>, loopback: SocketAddr) -> String {
    lan_door.map_or_else(|| format!("http://{loopback}"), |https| format!("https://{}", lan(https)))
}
