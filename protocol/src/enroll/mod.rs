//! How a box becomes a node: the claim code a person carries, the request and answer of `POST /v1/enroll`, the
//! name inside a node's certificate, and the checkpoints a node signs with its device key.
//! Knows no keys, no files and no network; whoever holds a key signs the bytes this module spells out.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::collection::ShopSettings;
use crate::id::{NodeId, ShopId, TenantId, Term};
use crate::timestamp::Timestamp;

mod checkpoint;
mod claim;

pub use checkpoint::{CheckpointV1, Signature, SignedCheckpoint};
pub use claim::{ClaimCode, ClaimCodeError, ClaimSecret, fingerprint};

/// What both ends of the uplink say in the TLS handshake (ALPN); the number rises when the framing changes.
pub const ALPN: &[u8] = b"tillway/1";

/// The name HQ's QUIC and TCP doors answer to, whatever address they are reached at. It lives only in the
/// certificate that the device CA issued to HQ; no DNS knows it.
pub const HQ_SERVER_NAME: &str = "hq.tillway.internal";

/// Body of `POST /v1/enroll`. Unknown fields are ignored: a newer `provision` may talk to an older HQ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollRequest {
    /// The one-time secret of the claim code.
    pub secret: ClaimSecret,
    /// Certificate request (PKCS#10, PEM) for the device key. Only its public key is used; HQ names the node.
    pub csr: String,
    /// Certificate request (PEM) for the key that the terminal's HTTPS door uses, if it has one.
    #[serde(default)]
    pub terminal_csr: Option<String>,
    /// What people call the node; HQ chooses a name when there is none.
    #[serde(default)]
    pub name: Option<String>,
    /// The box's host name, so that the terminal certificate is good for it.
    #[serde(default)]
    pub hostname: Option<String>,
    /// The box's LAN addresses, for the same reason.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Version of the software that enrols.
    pub agent_version: String,
}

/// Answer of `POST /v1/enroll`: everything a node needs to open its shop without asking again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollReply {
    /// The tenant the node belongs to.
    pub tenant_id: TenantId,
    /// Its shop.
    pub shop_id: ShopId,
    /// The node.
    pub node_id: NodeId,
    /// The term granted to this box.
    pub term: Term,
    /// What people call the node.
    pub name: String,
    /// The node's certificate (PEM), the device CA behind it.
    pub certificate_chain: String,
    /// The device CA (PEM): what the node trusts HQ by.
    pub device_ca: String,
    /// The shop's CA (PEM): what terminals trust the node by.
    pub shop_ca: String,
    /// The terminal door's certificate (PEM) with the shop CA behind it, if `terminal_csr` was sent.
    pub terminal_chain: Option<String>,
    /// When the node's certificate ends.
    pub certificate_expires_at: Timestamp,
    /// `host:port` of HQ's QUIC door.
    pub quic: String,
    /// `host:port` of HQ's TLS door, if it has one.
    pub tcp: Option<String>,
    /// The name to ask HQ's certificate for.
    pub server_name: String,
    /// The shop, so that the node can sell before its first connection.
    pub shop: ShopSettings,
    /// HQ's clock when it answered.
    pub hq_time: Timestamp,
}

/// Who a certificate says its holder is. Written as a URI in the certificate's alternative names, and read
/// from nowhere else: `urn:tillway:tenant:{uuid}:shop:{uuid}:node:{uuid}:term:{n}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeUrn {
    /// The tenant.
    pub tenant: TenantId,
    /// The shop.
    pub shop: ShopId,
    /// The node.
    pub node: NodeId,
    /// The term the certificate was granted for.
    pub term: Term,
}

/// A text that does not name a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the name of a node (urn:tillway:tenant:..:shop:..:node:..:term:..)")]
pub struct NotANodeUrn;

impl fmt::Display for NodeUrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, shop, node, term } = self;
        write!(f, "urn:tillway:tenant:{tenant}:shop:{shop}:node:{node}:term:{term}")
    }
}

impl FromStr for NodeUrn {
    type Err = NotANodeUrn;

    fn from_str(text: &str) -> Result<Self, NotANodeUrn> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["urn", "tillway", "tenant", tenant, "shop", shop, "node", node, "term", term] = parts.as_slice() else {
            return Err(NotANodeUrn);
        };
        let urn = Self {
            tenant: tenant.parse().map_err(|_| NotANodeUrn)?,
            shop: shop.parse().map_err(|_| NotANodeUrn)?,
            node: node.parse().map_err(|_| NotANodeUrn)?,
            term: Term(term.parse().map_err(|_| NotANodeUrn)?),
        };
        // One spelling only: an identity that can be written twice can be compared wrongly once.
        if urn.to_string() == text { Ok(urn) } else { Err(NotANodeUrn) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn urn() -> NodeUrn {
        NodeUrn {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            shop: ShopId::from_uuid(Uuid::from_u128(2)),
            node: NodeId::from_uuid(Uuid::from_u128(3)),
            term: Term(4),
        }
    }

    #[test]
    fn the_urn_reads_back_and_has_one_spelling() {
        let text = urn().to_string();
        assert_eq!(text.parse::<NodeUrn>(), Ok(urn()));
        for wrong in [
            text.to_uppercase(),
            text.replace(":term:4", ":term:04"),
            text.replace(":term:4", ":term:+4"),
            text.replace(":term:4", ""),
            format!("{text}:x"),
            text.replace('-', ""),
            String::new(),
        ] {
            assert_eq!(wrong.parse::<NodeUrn>(), Err(NotANodeUrn), "{wrong}");
        }
    }

    #[test]
    fn a_request_of_a_newer_provision_is_read() {
        let json = format!(
            r#"{{"secret":"{}","csr":"x","agent_version":"9","something_new":[1]}}"#,
            ClaimSecret::from_bytes([7; 12])
        );
        let request: EnrollRequest = serde_json::from_str(&json).unwrap();
        assert_eq!(request.secret, ClaimSecret::from_bytes([7; 12]));
        assert!(request.addresses.is_empty() && request.terminal_csr.is_none());
    }
}
