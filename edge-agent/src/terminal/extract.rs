//! Reading requests: who asks, under which key, with which body. Each rejection is an [`ApiError`].

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use protocol::id::LaneId;
use protocol::limits;
use serde::de::DeserializeOwned;

use super::Till;
use super::body::ApprovalBody;
use super::error::ApiError;
use crate::core::approval::Approver;
use crate::core::lane::{Answer, Command, Lookups};
use crate::core::refusal::{Refusal, Why};

/// How long a body may take to arrive: a slow radio link, not a slow attack.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// The address a connection came from; the accept loop puts it on every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(Self(IpAddr::V4(Ipv4Addr::LOCALHOST))))
    }
}

/// The lane whose token the request carries.
#[derive(Clone, Copy, Debug)]
pub struct Caller(pub LaneId);

impl FromRequestParts<Till> for Caller {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, till: &Till) -> Result<Self, ApiError> {
        let token =
            bearer(&parts.headers).ok_or_else(|| nobody("send the lane's token as `Authorization: Bearer ...`"))?;
        let lane =
            till.roster.lane_of(token).ok_or_else(|| nobody("the token is not that of a paired lane; pair again"))?;
        Ok(Self(lane))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Nobody knows who asks.
pub fn nobody(message: &str) -> ApiError {
    Refusal::new(Why::Unauthenticated, message).into()
}

/// A part of the path.
#[derive(Debug)]
pub struct At<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(value) = Path::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::malformed(format!("the path: {}", error.body_text())))?;
        Ok(Self(value))
    }
}

/// The query string.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(value) = Query::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::malformed(format!("the query: {}", error.body_text())))?;
        Ok(Self(value))
    }
}

/// A JSON body. An empty one stands for `{}`.
#[derive(Debug)]
pub struct Body<T> {
    /// What it says.
    pub value: T,
    /// BLAKE3 over method, path and body as they came, but for the PIN of an approval: the hash is kept, and four
    /// digits would soon be found in it.
    pub hash: [u8; 32],
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(request.method().as_str().as_bytes());
        hasher.update(b"\0");
        hasher.update(request.uri().path().as_bytes());
        hasher.update(b"\0");
        let is_json = is_json(request.headers());
        // Who announces too much is told so before the first byte of it is read.
        if announced(request.headers()).is_some_and(|bytes| bytes > limits::HTTP_BODY_BYTES as u64) {
            return Err(too_large());
        }
        let bytes = match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await {
            Ok(read) => read.map_err(|rejection| not_read(&rejection))?,
            Err(_) => return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "VALIDATION", "the body did not arrive")),
        };
        match without_pin(&bytes) {
            Some(rest) => hasher.update(&rest),
            None => hasher.update(&bytes),
        };
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        if !bytes.is_empty() && !is_json {
            let message = "send the body as JSON with `Content-Type: application/json`";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "VALIDATION", message));
        }
        let value = serde_json::from_slice(text).map_err(|error| ApiError::malformed(format!("the body: {error}")))?;
        Ok(Self { value, hash: *hasher.finalize().as_bytes() })
    }
}

/// The body without the PIN of its approval; none when there cannot be one.
fn without_pin(bytes: &[u8]) -> Option<Vec<u8>> {
    const NAME: &[u8] = b"approval";
    // A name may be written in escapes.
    if !bytes.contains(&b'\\') && !bytes.windows(NAME.len()).any(|window| window == NAME) {
        return None;
    }
    let mut body: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    body.get_mut("approval")?.as_object_mut()?.remove("pin")?;
    serde_json::to_vec(&body).ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return false };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large() -> ApiError {
    Refusal::new(Why::TooLarge, format!("the body is larger than {} bytes", limits::HTTP_BODY_BYTES)).into()
}

fn not_read(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    ApiError::malformed(format!("the body could not be read: {}", rejection.body_text()))
}

/// A write: who, under which key, and what.
#[derive(Debug)]
pub struct Write<T> {
    lane: LaneId,
    key: String,
    hash: [u8; 32],
    body: T,
}

impl<T: DeserializeOwned> FromRequest<Till> for Write<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, till: &Till) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let Caller(lane) = Caller::from_request_parts(&mut parts, till).await?;
        let key = idempotency_key(&parts.headers)?;
        let body = Body::<T>::from_request(Request::from_parts(parts, body), till).await?;
        Ok(Self { lane, key, hash: body.hash, body: body.value })
    }
}

impl<T> Write<T> {
    /// The body, and the envelope that what it asks for is sent in.
    pub fn split(self) -> (T, Envelope) {
        (self.body, Envelope { lane: self.lane, key: self.key, hash: self.hash, approver: None })
    }
}

/// Who asks, and under which key.
#[derive(Debug)]
pub struct Envelope {
    lane: LaneId,
    key: String,
    hash: [u8; 32],
    approver: Option<Approver>,
}

impl Envelope {
    /// Checks the PIN of whoever approves, if somebody does.
    ///
    /// # Errors
    /// No reason, a wrong PIN, or too many of them.
    pub async fn approved(mut self, till: &Till, approval: Option<ApprovalBody>) -> Result<Self, ApiError> {
        if let Some(ApprovalBody { staff_id, pin, reason }) = approval {
            if reason.trim().is_empty() || reason.len() > limits::NOTE_BYTES {
                let most = limits::NOTE_BYTES;
                return Err(ApiError::malformed(format!("approval.reason: say why, in at most {most} bytes")));
            }
            let member = till.pins.check(self.lane, staff_id, pin.take()?).await?;
            self.approver = Some(Approver { staff: member.id, reason });
        }
        Ok(self)
    }

    /// Who asks, the key, and the hash of the request: for what is not a command to the lanes.
    pub fn opened(self) -> (LaneId, String, [u8; 32]) {
        (self.lane, self.key, self.hash)
    }

    /// Asks the lanes to carry a command out.
    ///
    /// # Errors
    /// Why it was not carried out.
    pub async fn send(self, till: &Till, command: Command) -> Result<Answer, ApiError> {
        let Self { lane, key, hash, approver } = self;
        let lookups = Lookups::default();
        let request = crate::core::lane::Request { lane, key, request_hash: hash, command, approver, lookups };
        Ok(till.desk.write(request).await?)
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let most = limits::IDEMPOTENCY_KEY_BYTES;
    let key = headers.get("idempotency-key").ok_or_else(|| {
        ApiError::malformed("every write needs an Idempotency-Key header: a fresh one per intent, the same for a retry")
    })?;
    let key = key.to_str().map_err(|_| ApiError::malformed("Idempotency-Key: printable ASCII only"))?.trim();
    if key.is_empty() || key.len() > most {
        return Err(ApiError::malformed(format!("Idempotency-Key: between 1 and {most} characters")));
    }
    Ok(key.to_owned())
}
