//! Access tokens: short-lived JWTs for one tenant, signed with a key that all replicas share through the
//! database. The algorithm is fixed; what a token says is not believed before its signature.

use std::sync::{PoisonError, RwLock};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store;
use crate::db::{Db, DbError, SystemReason, SystemTx};
use crate::rng;

/// Life of an access token, in seconds.
pub const ACCESS_SECONDS: i64 = 15 * 60;
/// An unknown key id sends us to the database at most this often, in milliseconds: anybody can invent one.
const RELOAD_MILLIS: i64 = 5_000;
/// Keys are read again at least so often, in milliseconds: one that was retired elsewhere verifies no longer than this.
const FRESH_MILLIS: i64 = 60_000;
/// A signing key is replaced after so long, in milliseconds.
pub const KEY_MILLIS: i64 = 90 * 24 * 3_600 * 1_000;
/// A key that was replaced verifies for so long, in milliseconds: longer than any token it signed.
const OVERLAP_MILLIS: i64 = 24 * 3_600 * 1_000;
const ISSUER: &str = "tillway-hq";
/// For whom an access token is.
const AUDIENCE: &str = "tillway-hq/api";
/// What an access token calls itself (RFC 9068).
const TYPE: &str = "at+jwt";
/// What a ticket calls itself.
const TICKET_TYPE: &str = "ticket+jwt";

/// What an access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The tenant it is for.
    pub tenant: TenantId,
    /// Who carries it.
    pub person: PersonId,
    /// The session it belongs to.
    pub session: Uuid,
}

/// Why a token was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not one of ours, or damaged.
    #[error("the access token is not valid")]
    Invalid,
    /// It was one of ours.
    #[error("the access token has expired: refresh it or sign in again")]
    Expired,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: PersonId,
    tid: TenantId,
    sid: Uuid,
    iat: i64,
    exp: i64,
}

/// A key as it stands in the database.
pub(super) struct StoredKey {
    pub(super) id: String,
    pub(super) secret: Vec<u8>,
}

/// The signing keys, newest first.
pub struct Keys {
    known: RwLock<Known>,
}

struct Known {
    keys: Vec<StoredKey>,
    loaded: Timestamp,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl Keys {
    /// Loads the keys; makes the first one.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn load(db: &Db, now: Timestamp) -> Result<Self, DbError> {
        let mut keys = store::signing_keys(db).await?;
        if keys.is_empty() {
            store::add_signing_key(db, &rng::id(now).to_string(), &rng::bytes::<32>(), now).await?;
            keys = store::signing_keys(db).await?;
        }
        Ok(Self { known: RwLock::new(Known { keys, loaded: now }) })
    }

    /// Signs an access token that lives [`ACCESS_SECONDS`].
    ///
    /// # Errors
    /// [`TokenError::Invalid`] if there is no key, which loading rules out.
    pub fn sign(&self, access: Access, now: Timestamp) -> Result<String, TokenError> {
        self.make(TYPE, AUDIENCE.to_owned(), access, now)
    }

    /// Signs a ticket: the proof of one step that leads to the next, such as `choose` (a company) or `second` (factor). It
    /// lives as long as an access token and is none: it is for another audience, and of another type.
    ///
    /// # Errors
    /// As [`Keys::sign`].
    pub fn sign_ticket(&self, step: &'static str, access: Access, now: Timestamp) -> Result<String, TokenError> {
        self.make(TICKET_TYPE, ticket_audience(step), access, now)
    }

    fn make(&self, kind: &str, aud: String, access: Access, now: Timestamp) -> Result<String, TokenError> {
        let iat = now.0.div_euclid(1_000);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud,
            sub: access.person,
            tid: access.tenant,
            sid: access.session,
            iat,
            exp: iat + ACCESS_SECONDS,
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let key = known.keys.first().ok_or(TokenError::Invalid)?;
        let header = Header { kid: Some(key.id.clone()), typ: Some(kind.to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &EncodingKey::from_secret(&key.secret)).map_err(|_| TokenError::Invalid)
    }

    /// Believes an access token or not. A key id that is new here is looked up: another replica may have made it.
    ///
    /// # Errors
    /// [`TokenError`]; a database that cannot be asked makes the token invalid for now.
    pub async fn verify(&self, db: &Db, token: &str, now: Timestamp) -> Result<Access, TokenError> {
        self.read(db, token, TYPE, AUDIENCE, now).await
    }

    /// Believes a ticket of this step or not.
    ///
    /// # Errors
    /// As [`Keys::verify`].
    pub async fn verify_ticket(
        &self,
        db: &Db,
        step: &'static str,
        ticket: &str,
        now: Timestamp,
    ) -> Result<Access, TokenError> {
        self.read(db, ticket, TICKET_TYPE, &ticket_audience(step), now).await
    }

    async fn read(&self, db: &Db, token: &str, kind: &str, aud: &str, now: Timestamp) -> Result<Access, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let right = header.alg == Algorithm::HS256 && header.typ.as_deref() == Some(kind);
        let id = header.kid.filter(|_| right).ok_or(TokenError::Invalid)?;
        self.freshen(db, &id, now).await;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let key = known.keys.iter().find(|key| key.id == id).ok_or(TokenError::Invalid)?;
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[aud]);
        rules.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        rules.validate_exp = false; // by our own clock, below
        let claims = decode::<Claims>(token, &DecodingKey::from_secret(&key.secret), &rules)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        if claims.exp <= now.0.div_euclid(1_000) {
            return Err(TokenError::Expired);
        }
        Ok(Access { tenant: claims.tid, person: claims.sub, session: claims.sid })
    }

    /// Replaces a key that has signed for [`KEY_MILLIS`], and retires those that were replaced a day ago. Upkeep calls it.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn tend(&self, db: &Db, now: Timestamp) -> Result<(), DbError> {
        let mut tx = SystemTx::begin(db, SystemReason::Keys).await?;
        let newest = store::newest_signing_key(&mut tx).await?;
        let retired = store::retire_signing_keys(&mut tx, now.plus_millis(-OVERLAP_MILLIS), now).await?;
        tx.save().await?;
        if newest.is_none_or(|made| now.millis_since(made) >= KEY_MILLIS) {
            store::add_signing_key(db, &rng::id(now).to_string(), &rng::bytes::<32>(), now).await?;
            tracing::info!(target: "audit", "a new key signs access tokens");
        }
        if retired > 0 {
            tracing::info!(target: "audit", retired, "keys of access tokens retired");
        }
        self.load_again(db, now).await;
        Ok(())
    }

    /// Makes a new key that signs from now on. The others verify for a day, or, `at_once`, no longer: then whoever is signed
    /// in refreshes or signs in again.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn rotate(&self, db: &Db, at_once: bool, now: Timestamp) -> Result<u64, DbError> {
        store::add_signing_key(db, &rng::id(now).to_string(), &rng::bytes::<32>(), now).await?;
        let mut retired = 0;
        if at_once {
            let mut tx = SystemTx::begin(db, SystemReason::Keys).await?;
            retired = store::retire_signing_keys(&mut tx, now, now).await?;
            tx.save().await?;
        }
        self.load_again(db, now).await;
        Ok(retired)
    }

    /// Reads the keys again when they were not read for a minute, or when one is named that is not known here.
    async fn freshen(&self, db: &Db, id: &str, now: Timestamp) {
        let (known, age) = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            (known.keys.iter().any(|key| key.id == id), now.millis_since(known.loaded))
        };
        if age >= FRESH_MILLIS || (!known && age >= RELOAD_MILLIS) {
            self.load_again(db, now).await;
        }
    }

    async fn load_again(&self, db: &Db, now: Timestamp) {
        // First the mark, so that of many who come at once one asks.
        self.known.write().unwrap_or_else(PoisonError::into_inner).loaded = now;
        match store::signing_keys(db).await {
            Ok(keys) if keys.is_empty() => tracing::warn!("there is no signing key"),
            Ok(keys) => self.known.write().unwrap_or_else(PoisonError::into_inner).keys = keys,
            Err(error) => tracing::warn!(%error, "cannot read the signing keys again"),
        }
    }
}

fn ticket_audience(step: &str) -> String {
    format!("tillway-hq/sign-in/{step}")
}
