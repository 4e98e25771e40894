//! Connections to the guard without a library and without manners, and the few packets that they send.

use edge_agent::desk::NewLane;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::shop::PATIENCE;

/// A CONNECT of either protocol.
pub fn connect(level: u8, keep_alive: u8, client_id: &str, user: &str, password: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, 0b1100_0010, 0, keep_alive];
    if level == 5 {
        body.push(0);
    }
    for text in [client_id, user, password] {
        body.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    packet(0x10, &body)
}

/// A PUBLISH of QoS 0 in 3.1.1.
pub fn message(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    body.extend_from_slice(payload);
    packet(0x30, &body)
}

/// First byte, length, body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut out, mut length) = (vec![first], body.len());
    loop {
        let low = u8::try_from(length % 128).unwrap();
        length /= 128;
        out.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

/// A connection without manners.
pub struct Raw(pub TcpStream);

impl Raw {
    /// Sends; the other side may be gone already.
    pub async fn send(&mut self, bytes: &[u8]) {
        drop(self.0.write_all(bytes).await);
    }

    /// Signs in with 3.1.1.
    pub async fn sign_in(&mut self, lane: &NewLane, name: &str) {
        self.send(&connect(4, 30, &format!("{}.{name}", lane.id), &lane.id.to_string(), &lane.token)).await;
        assert_eq!(self.read(4).await, [0x20, 2, 0, 0], "let in");
    }

    /// Reads so many bytes.
    pub async fn read(&mut self, bytes: usize) -> Vec<u8> {
        let mut found = vec![0; bytes];
        timeout(PATIENCE, self.0.read_exact(&mut found)).await.unwrap().unwrap();
        found
    }

    /// So many bytes, or what came of them until the guard closed.
    pub async fn rest_or(&mut self, bytes: usize) -> Vec<u8> {
        let mut found = Vec::new();
        let mut some = (&mut self.0).take(u64::try_from(bytes).unwrap());
        // A reset is an end too.
        drop(timeout(PATIENCE, some.read_to_end(&mut found)).await.expect("the guard answers or closes"));
        found
    }

    /// What still comes until the guard has closed.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut found = Vec::new();
        // A reset is an end too.
        drop(timeout(PATIENCE, self.0.read_to_end(&mut found)).await.expect("the guard closes"));
        found
    }
}
