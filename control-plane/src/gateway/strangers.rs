//! The UDP socket of the gateway, watched: QUIC drops what is no QUIC without a word, and head office is to say that
//! somebody knocks. Counts every such datagram, logs them at a bounded rate, and hands all of them on unchanged, so
//! that QUIC answers as its rules say. Knows nothing of connections but the marks on their ids.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, ConnectionId, ConnectionIdGenerator, UdpPoller};

use crate::rng;

/// The only version of QUIC that is spoken here (RFC 9000).
pub(super) const QUIC_V1: u32 = 1;
/// Longest connection id of QUIC version 1.
const LONGEST_ID: usize = 20;
const NONCE: usize = 4;
const ID: usize = 8;
/// One line for so long, however many datagrams come: a flood must not become a flood of lines.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Makes connection ids that carry a mark only this process can make, and knows them again.
#[derive(Clone, Copy)]
pub(super) struct Ids {
    key: [u8; 32],
}

impl Ids {
    pub(super) fn new() -> Self {
        Self { key: rng::bytes() }
    }

    fn mark(&self, nonce: &[u8]) -> [u8; ID - NONCE] {
        let [a, b, c, d, ..] = *blake3::keyed_hash(&self.key, nonce).as_bytes();
        [a, b, c, d]
    }

    fn knows(&self, id: &[u8]) -> bool {
        id.len() == ID && id.split_at_checked(NONCE).is_some_and(|(nonce, mark)| self.mark(nonce) == mark)
    }
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let nonce: [u8; NONCE] = rng::bytes();
        let mut id = [0; ID];
        let (front, back) = id.split_at_mut(NONCE);
        front.copy_from_slice(&nonce);
        back.copy_from_slice(&self.mark(&nonce));
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Why a datagram is none of a node's; `None` if it may be.
fn strange(ids: &Ids, datagram: &[u8]) -> Option<&'static str> {
    let Some((first, rest)) = datagram.split_first() else { return Some("empty") };
    if first & 0x80 == 0 {
        // Short header: of a connection that this process made, or of nobody. (A node that outlived a restart of
        // head office is counted here too, until it notices.)
        return rest.get(..ID).is_none_or(|id| !ids.knows(id)).then_some("connection");
    }
    let version = rest.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
    if version != Some(QUIC_V1) {
        return Some("version");
    }
    let fits = rest.get(4).is_some_and(|length| {
        usize::from(*length) <= LONGEST_ID && rest.len() > usize::from(*length).saturating_add(5)
    });
    (!fits).then_some("header")
}

#[derive(Debug)]
struct Said {
    at: Option<Instant>,
    since: u64,
}

/// A socket that counts strangers.
pub(super) struct Watched {
    inner: Arc<dyn AsyncUdpSocket>,
    ids: Ids,
    count: AtomicU64,
    said: Mutex<Said>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Watched {
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, ids: Ids) -> Self {
        Self { inner, ids, count: AtomicU64::new(0), said: Mutex::new(Said { at: None, since: 0 }) }
    }

    /// Datagrams so far that were none of a node's.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn look(&self, buffer: &[u8], meta: &RecvMeta) {
        let received = buffer.get(..meta.len).unwrap_or_default();
        if received.is_empty() {
            return self.note(meta.addr, 0, "empty");
        }
        for datagram in received.chunks(meta.stride.max(1)) {
            if let Some(reason) = strange(&self.ids, datagram) {
                self.note(meta.addr, datagram.len(), reason);
            }
        }
    }

    fn note(&self, from: SocketAddr, bytes: usize, reason: &'static str) {
        self.count.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("tillway_gateway_strange_datagrams_total", "reason" => reason).increment(1);
        if let Some(datagrams) = self.due(Instant::now()) {
            tracing::warn!(%from, bytes, reason, datagrams, "not from a node: datagrams that are no QUIC of this house");
        }
    }

    /// Whether it is time for a line, and how many datagrams it stands for.
    fn due(&self, now: Instant) -> Option<u64> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.since = said.since.saturating_add(1);
        if said.at.is_some_and(|at| now.saturating_duration_since(at) < SAY_EVERY) {
            return None;
        }
        said.at = Some(now);
        Some(std::mem::take(&mut said.since))
    }
}

impl AsyncUdpSocket for Watched {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let polled = self.inner.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(filled)) = &polled {
            for (buffer, meta) in bufs.iter().zip(meta.iter()).take(*filled) {
                self.look(buffer, meta);
            }
        }
        polled
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_connections_and_handshakes_are_no_strangers() {
        let mut ids = Ids::new();
        let id = ids.generate_cid();
        let short = [&[0x43][..], &id[..], &[9; 30]].concat();
        assert_eq!(strange(&ids, &short), None);
        assert_eq!(strange(&Ids::new(), &short), Some("connection"), "another process made it");
        let initial = [&[0xC3, 0, 0, 0, 1, 8][..], &[7; 1_200]].concat();
        assert_eq!(strange(&ids, &initial), None);
    }

    #[test]
    fn what_is_no_quic_is_told() {
        let ids = Ids::new();
        for (datagram, reason) in [
            (&b""[..], "empty"),
            (b"\x00", "connection"),
            (b"GET / HTTP/1.1\r\n\r\n", "connection"),
            (&[0xFF; 1_200], "version"),
            (&[0x80], "version"),
            (&[0xC0, 0, 0, 0, 1], "header"),
            (&[0xC0, 0, 0, 0, 1, 21, 0, 0], "header"),
            (&[0xC0, 0, 0, 0, 1, 8, 0, 0], "header"),
        ] {
            assert_eq!(strange(&ids, datagram), Some(reason), "{datagram:?}");
        }
    }
}
