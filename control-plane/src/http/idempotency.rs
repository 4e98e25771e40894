//! Idempotent writes: a request with an `Idempotency-Key` gets, when it comes again, the answer of the first
//! time and has no second effect. The answer is written in the transaction of the effect.

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::limits;
use protocol::timestamp::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::body::Json;
use super::etag::ETag;
use super::{ApiError, ApiResult, Data, body, page, store};
use crate::app::App;
use crate::auth::guard::{Acts, Caller, Via};
use crate::auth::seal::Sealer;
use crate::db::TenantTx;
use crate::rng;

/// The header that names a write.
pub const HEADER: &str = "idempotency-key";
/// What sealed answers are for.
const PURPOSE: &str = "answer of an idempotent write";
/// The header that marks an answer as one given before.
pub const REPLAYED: &str = "idempotency-replayed";

/// The key of a write and the hash of what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    key: String,
    request: [u8; 32],
}

/// A JSON body with the key it came under, if any.
#[derive(Clone, Debug)]
pub struct Write<T> {
    /// The body.
    pub body: T,
    /// Its key.
    pub key: Option<Key>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Write<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> ApiResult<Self> {
        let (parts, sent) = request.into_parts();
        let bytes = body::read(sent, limits::HTTP_BODY_BYTES).await?;
        let key = Key::of(&parts.headers, parts.method.as_str(), parts.uri.path(), &bytes)?;
        let request = Request::from_parts(parts, axum::body::Body::from(bytes));
        let Json(body) = Json::from_request(request, state).await?;
        Ok(Self { body, key })
    }
}

impl Key {
    /// Reads the key of a request and binds it to method, path and body. For handlers that read their body
    /// themselves; others use [`Write`].
    ///
    /// # Errors
    /// 400 for a key that is empty, too long, not printable or has a space in it.
    pub fn of(headers: &HeaderMap, method: &str, path: &str, body: &[u8]) -> ApiResult<Option<Self>> {
        let Some(value) = headers.get(HEADER) else { return Ok(None) };
        let key = value.to_str().unwrap_or_default();
        let fits =
            (1..=limits::IDEMPOTENCY_KEY_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        if !fits {
            let longest = limits::IDEMPOTENCY_KEY_BYTES;
            return Err(ApiError::malformed(format!(
                "Idempotency-Key takes 1 to {longest} printable characters without spaces"
            )));
        }
        let mut hasher = blake3::Hasher::new();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part);
        }
        Ok(Some(Self { key: key.to_owned(), request: *hasher.finalize().as_bytes() }))
    }
}

/// A write that happens once: a transaction, and the place where its answer will stand.
///
/// ```ignore
/// let mut once = Once::begin(&app, &caller, &write).await?;      // `write: Write<NewShop>` is the extractor
/// if let Some(reply) = once.replay() { return Ok(reply) }
/// let shop = service::create(once.tx(), ...).await?;
/// once.save(StatusCode::CREATED, shop).await                     // commits effect and answer together
/// ```
#[derive(Debug)]
pub struct Once {
    tx: TenantTx,
    slot: Option<Slot>,
    replay: Option<Response>,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    principal: Uuid,
    sealer: Sealer,
    now: Timestamp,
}

/// Whose keys these are: a person's, or a program's own and not those of whoever made it.
fn principal(caller: &Caller) -> Uuid {
    match caller.via {
        Via::Key => caller.session,
        Via::Session | Via::Guest { .. } => caller.person.as_uuid(),
    }
}

/// What a kept answer is sealed to: it opens for the same tenant, principal and key alone.
fn bound(tx: &TenantTx, principal: Uuid, key: &str) -> Vec<u8> {
    [tx.tenant().as_uuid().as_bytes().as_slice(), principal.as_bytes(), key.as_bytes()].concat()
}

/// Answers may hold what is shown once (a code, a key): what is kept of them is sealed.
fn sealed(sealer: &Sealer, bound: &[u8], answer: &Value) -> Value {
    Value::String(rng::hex(&sealer.seal(PURPOSE, bound, answer.to_string().as_bytes())))
}

fn opened(sealer: &Sealer, bound: &[u8], kept: &Value) -> Option<Value> {
    let bytes = page::unhex(kept.as_str()?)?;
    serde_json::from_slice(&sealer.open(PURPOSE, bound, &bytes)?).ok()
}

impl Once {
    /// Begins the transaction and looks whether the write was done before. A request with the same key that is
    /// still running is waited for.
    ///
    /// # Errors
    /// CONFLICT when the key stood for another request.
    pub async fn begin(app: &App, who: &impl Acts, key: Option<&Key>) -> ApiResult<Self> {
        let caller = who.caller();
        let mut tx = TenantTx::begin_within(&app.db, caller.tenant, &who.bounds()).await?;
        let Some(key) = key else { return Ok(Self { tx, slot: None, replay: None }) };
        let now = app.clock.now();
        let principal = principal(caller);
        if store::claim(&mut tx, principal, &key.key, &key.request, now).await? {
            let slot = Slot { key: key.clone(), principal, sealer: app.sealer.clone(), now };
            return Ok(Self { tx, slot: Some(slot), replay: None });
        }
        let kept = store::reply(&mut tx, principal, &key.key).await?;
        let kept = kept.ok_or_else(|| ApiError::unavailable("the same request is being worked on"))?;
        if kept.request_hash != key.request {
            return Err(ApiError::conflict("this Idempotency-Key was used for another request; choose a new one"));
        }
        let status = u16::try_from(kept.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.unwrap_or(StatusCode::OK);
        let mut response = match kept.reply {
            Some(kept) => {
                let data = opened(&app.sealer, &bound(&tx, principal, &key.key), &kept);
                let gone =
                    || ApiError::conflict("it was done under this Idempotency-Key; its answer can no longer be read");
                (status, Data::new(data.ok_or_else(gone)?)).into_response()
            }
            None => status.into_response(),
        };
        if let Some(tag) = kept.etag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(Self { tx, slot: None, replay: Some(response) })
    }

    /// The answer of the first time, if there was one: send it and do nothing.
    pub const fn replay(&mut self) -> Option<Response> {
        self.replay.take()
    }

    /// The transaction to work in.
    pub const fn tx(&mut self) -> &mut TenantTx {
        &mut self.tx
    }

    /// Commits the effect and its answer together, and answers.
    ///
    /// # Errors
    /// Whatever the commit met; then nothing was kept.
    pub async fn save<T: Serialize>(self, status: StatusCode, data: T) -> ApiResult<Response> {
        self.finish(status, data, None).await
    }

    /// The same for something that people edit: the answer, and every repetition of it, carries its `ETag`.
    ///
    /// # Errors
    /// Whatever the commit met; then nothing was kept.
    pub async fn save_tagged<T: Serialize>(
        self,
        status: StatusCode,
        version: impl Into<i128>,
        data: T,
    ) -> ApiResult<Response> {
        self.finish(status, data, Some(ETag::of(version))).await
    }

    async fn finish<T: Serialize>(mut self, status: StatusCode, data: T, tag: Option<ETag>) -> ApiResult<Response> {
        let value = serde_json::to_value(&data).map_err(ApiError::internal)?;
        if let Some(slot) = &self.slot {
            let (principal, key) = (slot.principal, &slot.key.key);
            let reply = sealed(&slot.sealer, &bound(&self.tx, principal, key), &value);
            let answer = (status.as_u16(), &reply, tag.as_ref().map(ETag::as_str));
            store::keep(&mut self.tx, principal, key, answer, slot.now).await?;
        }
        self.tx.save().await?;
        let mut response = (status, Data::new(value)).into_response();
        if let Some(tag) = tag {
            tag.put_on(response.headers_mut());
        }
        Ok(response)
    }
}
