//! What every handler and worker is given: the database, the clock, the keys, the hints. Starting and stopping a
//! head office is `serve`'s business.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use protocol::collection::Collection;
use protocol::id::{ShopId, TenantId};
use tokio::sync::broadcast;

use crate::auth::password::Hasher;
use crate::auth::policy::cache::Policies;
use crate::auth::seal::Sealer;
use crate::auth::token::Keys;
use crate::clock::Clock;
use crate::db::{Db, DbError};
use crate::domain::fleet::FleetSlot;
use crate::domain::sso;
use crate::http::cors::Origin;
use crate::http::rate::Gates;
use crate::mail::Outbox;
use crate::outbound::Outbound;
use crate::web::Memory;

pub use crate::config::ServeConfig;
pub use crate::serve::{Running, StartError, start};

/// Hints that wait for a slow listener; one that falls further behind looks at the tables instead.
const HINTS: usize = 1_024;

/// A collection of a tenant has a new version: offer it to its nodes at once. Only a hint, the rows are the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub collection: Collection,
}

/// Something of a shop was taken in: let its pages look. Only a hint, the rows are the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sold {
    /// Whose.
    pub tenant: TenantId,
    /// Where.
    pub shop: ShopId,
}

/// What nodes and browsers are told about where head office is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// `host:port` of QUIC.
    pub quic: Option<String>,
    /// `host:port` of TLS over TCP.
    pub tcp: Option<String>,
    /// `http://host:port` of the plain door.
    pub http: Option<String>,
    /// Where people open the pages, such as `https://hq.example.com`.
    pub public: Option<String>,
}

/// Head office as its parts see it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Hints to the gateway.
    pub hints: broadcast::Sender<Hint>,
    /// Hints to live pages.
    pub sold: broadcast::Sender<Sold>,
    /// Keys that sign access tokens.
    pub keys: Arc<Keys>,
    /// What people may do, compiled.
    pub policies: Arc<Policies>,
    /// Hashes passwords, a few at a time.
    pub hasher: Hasher,
    /// Seals secrets for the database. A throwaway until head office serves from a state directory.
    pub sealer: Sealer,
    /// Where mail goes out; kept in memory until head office serves.
    pub outbox: Arc<Outbox>,
    /// Rate limits.
    pub gates: Arc<Gates>,
    /// The device CA and HQ's own certificate; in place once head office serves.
    pub fleet: FleetSlot,
    /// The state directory, where there is one.
    pub state: Option<PathBuf>,
    /// The door to other people's servers.
    pub outbound: Outbound,
    /// What is remembered of the providers of single sign-on.
    pub sso: Arc<sso::Known>,
    /// What pages keep in the process.
    pub web: Arc<Memory>,
    /// Where head office can be reached; set once the doors are open.
    pub places: Arc<OnceLock<Places>>,
    /// Whether `X-Forwarded-For` names the client (behind a proxy that sets it).
    pub trust_forwarded: bool,
    /// Pages of others that browsers may let read the API.
    pub cors_origins: Arc<[Origin]>,
}

/// The state of the routers: the same thing.
pub type AppState = App;

impl App {
    /// A head office over a database that is up to date.
    ///
    /// # Errors
    /// Whatever loading the signing keys met.
    pub async fn new(db: Db, clock: Clock) -> Result<Self, DbError> {
        let keys = Arc::new(Keys::load(&db, clock.now()).await?);
        Ok(Self {
            db,
            clock,
            hints: broadcast::Sender::new(HINTS),
            sold: broadcast::Sender::new(HINTS),
            keys,
            policies: Arc::default(),
            hasher: Hasher::new(),
            sealer: Sealer::throwaway(),
            outbox: Arc::new(Outbox::in_memory()),
            gates: Arc::default(),
            fleet: FleetSlot::default(),
            state: None,
            outbound: Outbound::default(),
            sso: Arc::default(),
            web: Arc::default(),
            places: Arc::default(),
            trust_forwarded: false,
            cors_origins: Arc::default(),
        })
    }

    /// Tells whoever listens that a collection changed. Call it after the commit.
    pub fn hint(&self, tenant: TenantId, collection: Collection) {
        // Nobody listening is fine: nodes ask when they connect.
        let heard = self.hints.send(Hint { tenant, collection });
        tracing::trace!(%tenant, collection = collection.name(), listeners = heard.unwrap_or(0), "hint");
    }

    /// Tells live pages that something was taken in. Call it after the commit.
    pub fn sold(&self, tenant: TenantId, shop: ShopId) {
        // Nobody looking is fine.
        let heard = self.sold.send(Sold { tenant, shop });
        tracing::trace!(%tenant, %shop, pages = heard.unwrap_or(0), "sold");
    }

    /// Where people open the pages, without a slash at the end: what links in mails begin with.
    pub fn public_url(&self) -> String {
        let Places { public, http, .. } = self.places();
        public.or(http).unwrap_or_else(|| "http://127.0.0.1:8080".to_owned())
    }

    /// Where head office can be reached, as far as it is known.
    pub fn places(&self) -> Places {
        self.places.get().cloned().unwrap_or_default()
    }
}
