//! Access tokens: short-lived JWTs for one tenant, signed with a key that all replicas share through the
//! database. The algorithm is fixed; what a token says is not believed before its signature.

use std::sync::{PoisonError, RwLock};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store;
use crate::db::{Db, DbError};
use crate::rng;

/// Life of an access token, in seconds.
pub const ACCESS_SECONDS: i64 = 15 * 60;
/// An unknown key id sends us to the database at most this often, in milliseconds: anybody can invent one.
const RELOAD_MILLIS: i64 = 5_000;
const ISSUER: &str = "tillway-hq";

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

    /// Signs a token that lives [`ACCESS_SECONDS`].
    ///
    /// # Errors
    /// [`TokenError::Invalid`] if there is no key, which loading rules out.
    pub fn sign(&self, access: Access, now: Timestamp) -> Result<String, TokenError> {
        let iat = now.0.div_euclid(1_000);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: access.person,
            tid: access.tenant,
            sid: access.session,
            iat,
            exp: iat + ACCESS_SECONDS,
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let key = known.keys.first().ok_or(TokenError::Invalid)?;
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &EncodingKey::from_secret(&key.secret)).map_err(|_| TokenError::Invalid)
    }

    /// Believes a token or not. A key id that is new here is looked up: another replica may have made it.
    ///
    /// # Errors
    /// [`TokenError`]; a database that cannot be asked makes the token invalid for now.
    pub async fn verify(&self, db: &Db, token: &str, now: Timestamp) -> Result<Access, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let id = header.kid.filter(|_| header.alg == Algorithm::HS256).ok_or(TokenError::Invalid)?;
        if !self.knows(&id) {
            self.reload(db, now).await;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let key = known.keys.iter().find(|key| key.id == id).ok_or(TokenError::Invalid)?;
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        rules.validate_exp = false; // by our own clock, below
        let claims = decode::<Claims>(token, &DecodingKey::from_secret(&key.secret), &rules)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        if claims.exp <= now.0.div_euclid(1_000) {
            return Err(TokenError::Expired);
        }
        Ok(Access { tenant: claims.tid, person: claims.sub, session: claims.sid })
    }

    fn knows(&self, id: &str) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).keys.iter().any(|key| key.id == id)
    }

    async fn reload(&self, db: &Db, now: Timestamp) {
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            if now.millis_since(known.loaded) < RELOAD_MILLIS {
                return;
            }
            known.loaded = now;
        }
        match store::signing_keys(db).await {
            Ok(keys) => self.known.write().unwrap_or_else(PoisonError::into_inner).keys = keys,
            Err(error) => tracing::warn!(%error, "cannot reload the signing keys"),
        }
    }
}
