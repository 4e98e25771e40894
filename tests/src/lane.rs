//! A terminal as the shop has it: paired once, a key on every write, and the patience to ask again when the
//! node restarts. Knows the terminal API's shapes; decides nothing about tickets.

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use rand::RngExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::wire::{Reply, Target, Wire, WireError};

/// What the node said no to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} ({status}): {message}")]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The code of the error, such as `CONFLICT`.
    pub code: String,
    /// The words.
    pub message: String,
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The node answered no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The node was away for longer than the lane waits; the effect of the last write is unknown.
    #[error("the node did not answer for {waited:?}: {last}")]
    Away {
        /// How long it was asked.
        waited: Duration,
        /// What went wrong last.
        last: String,
    },
    /// An answer that is none of the API's.
    #[error("the node answered nonsense: {0}")]
    Nonsense(String),
}

impl LaneError {
    /// The refusal, if it was one with this code.
    pub fn refused(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code == wanted)
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Failed {
    error: Failure,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    message: String,
}

/// What pairing gives a terminal.
#[derive(Clone, Debug, Deserialize)]
struct Paired {
    lane_id: String,
    token: String,
}

/// The totals of a ticket, as far as a terminal needs them.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Totals {
    /// What is to be paid, tax included; negative on a return.
    pub total_minor: i64,
    /// What of it is tax.
    #[serde(default)]
    pub tax_minor: i64,
}

/// What a change of a ticket answers.
#[derive(Clone, Debug, Deserialize)]
pub struct Changed {
    /// What it comes to now.
    pub totals: Totals,
    /// How many changes it went through.
    pub revision: u32,
}

/// A line as it stands on a ticket.
#[derive(Clone, Debug, Deserialize)]
pub struct TicketLine {
    /// Its number.
    pub line_no: u16,
    /// Its code, none on an open-price line.
    #[serde(default)]
    pub code: Option<String>,
    /// What it is.
    pub description: String,
    /// How many; negative on a return.
    pub quantity: protocol::quantity::Quantity,
    /// The price of one.
    pub unit_price: protocol::price::UnitPrice,
    /// Taken back.
    #[serde(default)]
    pub voided: bool,
}

/// An open ticket.
#[derive(Clone, Debug, Deserialize)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// `open` or `parked`.
    pub state: String,
    /// Its lines.
    pub lines: Vec<TicketLine>,
    /// What it comes to.
    pub totals: Totals,
    /// How many changes it went through.
    pub revision: u32,
}

/// A closed ticket.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Receipt {
    /// The node that holds it.
    pub node_id: String,
    /// The term it was written under.
    pub term: u32,
    /// Its position in the fiscal log.
    pub seq: u64,
    /// The trading day it counts on.
    pub business_date: String,
    /// What it came to.
    pub totals: Totals,
}

#[derive(Deserialize)]
struct Closed {
    receipt: Receipt,
}

/// A product as the node knows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Product {
    /// Its code.
    pub code: String,
    /// Its price.
    pub unit_price: protocol::price::UnitPrice,
}

/// A paired terminal.
pub struct Lane {
    wire: Wire,
    /// How long a call is tried again before it gives up.
    pub patience: Duration,
    /// The id HQ and the node know it by.
    pub id: String,
    token: String,
}

impl Lane {
    /// Pairs a new terminal.
    ///
    /// # Errors
    /// When the code is wrong, used up or expired, or the node is away.
    pub async fn pair(target: Target, code: &str, name: &str) -> Result<Self, LaneError> {
        let mut lane = Self::with_token(target, String::new());
        let key = format!("pair:{}", uuid::Uuid::new_v4());
        let body = serde_json::json!({"code": code, "name": name});
        let paired: Paired = lane.write(Method::POST, "/v1/pair", &key, &body).await?;
        (lane.id, lane.token) = (paired.lane_id, paired.token);
        Ok(lane)
    }

    /// A terminal that was paired earlier, or one with whatever token a test wants to try.
    pub fn with_token(target: Target, token: String) -> Self {
        Self { wire: Wire::new(target), patience: Duration::from_secs(120), id: String::new(), token }
    }

    /// Its bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Reads.
    ///
    /// # Errors
    /// See [`LaneError`].
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, LaneError> {
        self.call(Method::GET, path, None, Bytes::new()).await
    }

    /// Writes under an idempotency key: however often it is sent, it counts once.
    ///
    /// # Errors
    /// See [`LaneError`].
    pub async fn write<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        key: &str,
        body: &impl Serialize,
    ) -> Result<T, LaneError> {
        let body = serde_json::to_vec(body).map_err(|error| LaneError::Nonsense(error.to_string()))?;
        self.call(method, path, Some(key), Bytes::from(body)).await
    }

    /// Opens a ticket; `at` (local wall time) makes it a late entry.
    ///
    /// # Errors
    /// See [`LaneError`].
    pub async fn open(
        &mut self,
        key: &str,
        kind: &str,
        reference: Option<&str>,
        at: Option<&str>,
    ) -> Result<Ticket, LaneError> {
        let body = serde_json::json!({"kind": kind, "reference": reference, "at": at});
        self.write(Method::POST, "/v1/tickets", key, &body).await
    }

    /// Rings a line; `line` is one of the API's three shapes.
    ///
    /// # Errors
    /// See [`LaneError`].
    pub async fn ring(&mut self, key: &str, ticket: &str, line: &impl Serialize) -> Result<Changed, LaneError> {
        self.write(Method::POST, &format!("/v1/tickets/{ticket}/lines"), key, line).await
    }

    /// The ticket as it stands.
    ///
    /// # Errors
    /// See [`LaneError`].
    pub async fn ticket(&mut self, ticket: &str) -> Result<Ticket, LaneError> {
        self.get(&format!("/v1/tickets/{ticket}")).await
    }

    /// Closes a ticket as the lane has seen it (`revision`), paid exactly by one tender, by none at zero.
    ///
    /// # Errors
    /// `CONFLICT` when the ticket is not at that revision; see [`LaneError`].
    pub async fn close(
        &mut self,
        key: &str,
        ticket: &str,
        tender: &str,
        total_minor: i64,
        revision: u32,
    ) -> Result<Receipt, LaneError> {
        let mut tenders = Vec::new();
        if total_minor != 0 {
            tenders.push(serde_json::json!({"kind": tender, "amount_minor": total_minor}));
        }
        let body = serde_json::json!({"tenders": tenders, "revision": revision});
        let closed: Closed = self.write(Method::POST, &format!("/v1/tickets/{ticket}/close"), key, &body).await?;
        Ok(closed.receipt)
    }

    /// A product by its code.
    ///
    /// # Errors
    /// `NOT_FOUND` when the node does not have it.
    pub async fn product(&mut self, code: &str) -> Result<Product, LaneError> {
        self.get(&format!("/v1/products/{}", path_segment(code))).await
    }

    async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Bytes,
    ) -> Result<T, LaneError> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            let last = match self.once(&method, path, key, &body).await {
                Ok(reply) if may_pass(reply.status) => match reply.retry_after {
                    Some(seconds) => {
                        pause = pause.max(Duration::from_secs(seconds.min(5)));
                        format!("status {}", reply.status)
                    }
                    None => format!("status {}", reply.status),
                },
                Ok(reply) => return decode(&reply),
                Err(error) => format!("{error:#}"),
            };
            if began.elapsed() + pause > self.patience {
                return Err(LaneError::Away { waited: began.elapsed(), last });
            }
            let jitter = rand::rng().random_range(0..=pause.as_millis().min(1_000));
            tokio::time::sleep(Duration::from_millis(u64::try_from(jitter).unwrap_or(100))).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Sends once, on a connection that is up.
    async fn once(&mut self, method: &Method, path: &str, key: Option<&str>, body: &Bytes) -> anyhow::Result<Reply> {
        self.wire.connect().await?;
        let mut request = Request::builder().method(method).uri(path).header("host", self.wire.authority());
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if *method != Method::GET {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(body.clone())).context("the request")?;
        match self.wire.send(request).await {
            Ok(reply) => Ok(reply),
            Err(error @ (WireError::NotSent | WireError::Unknown(_))) => Err(error.into()),
        }
    }
}

/// Statuses that a restart or a busy moment explains; everything else is an answer.
fn may_pass(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

fn decode<T: DeserializeOwned>(reply: &Reply) -> Result<T, LaneError> {
    let nonsense = |error: serde_json::Error| {
        let start: String = String::from_utf8_lossy(&reply.body).chars().take(200).collect();
        LaneError::Nonsense(format!("status {}, {error}: {start}", reply.status))
    };
    if (200..300).contains(&reply.status) {
        return serde_json::from_slice::<Envelope<T>>(&reply.body).map(|envelope| envelope.data).map_err(nonsense);
    }
    let failed: Failed = serde_json::from_slice(&reply.body).map_err(nonsense)?;
    Err(Refusal { status: reply.status, code: failed.error.code, message: failed.error.message }.into())
}

/// A code as one segment of a path: everything but letters, digits and `-._` percent-encoded.
pub fn path_segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
