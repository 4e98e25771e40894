//! The pools: one per role, with limits on everything that can wait. A connection that sat idle is tried before
//! it is handed out, so that a restarted PostgreSQL costs no request.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{DbError, system_tx};

/// How to reach the database under each role.
#[derive(Clone, Debug)]
pub struct Urls {
    /// As tw_app.
    pub app: PgConnectOptions,
    /// As tw_platform.
    pub platform: PgConnectOptions,
}

impl Urls {
    /// From two addresses such as `postgres://tw_app:secret@db.example/tillway`.
    ///
    /// # Errors
    /// The part of the address that cannot be read.
    pub fn parse(app: &str, platform: &str) -> Result<Self, DbError> {
        Ok(Self { app: options(app)?, platform: options(platform)? })
    }

    /// From one address whose role may become both (the owner's): for commands, never for serving.
    ///
    /// # Errors
    /// The part of the address that cannot be read.
    pub fn assume(owner: &str) -> Result<Self, DbError> {
        let owner = options(owner)?;
        Ok(Self {
            app: owner.clone().options([("role", "tw_app")]),
            platform: owner.options([("role", "tw_platform")]),
        })
    }
}

/// Reads the address of a database.
///
/// # Errors
/// [`DbError::Unfit`] naming what is wrong; the password is not repeated.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, DbError> {
    PgConnectOptions::from_str(url).map_err(|error| {
        DbError::Unfit(format!("the database address is not like postgres://user@host/database: {error}"))
    })
}

/// The limits of the pools.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections that serve tenants.
    pub app: u32,
    /// Connections of the platform.
    pub platform: u32,
    /// How long a request waits for a connection.
    pub acquire: Duration,
    /// How long one statement may run.
    pub statement: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // Two cores serve 20 busy connections; more only queue inside PostgreSQL. A request that waited five
        // seconds for a connection is better told to come back.
        Self { app: 20, platform: 6, acquire: Duration::from_secs(5), statement: Duration::from_secs(30) }
    }
}

/// The database, as the rest of head office sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Arc<Pools>,
}

#[derive(Debug)]
struct Pools {
    app: PgPool,
    platform: PgPool,
}

impl Db {
    /// Opens the pools. Connects lazily; [`Db::preflight`](super::Db::preflight) is the first to ask.
    pub fn open(urls: &Urls, limits: Limits) -> Self {
        let pool = |options: &PgConnectOptions, path: &str, size: u32| {
            let set = [
                ("search_path", path.to_owned()),
                ("statement_timeout", limits.statement.as_millis().to_string()),
                ("lock_timeout", "10000".to_owned()),
                ("idle_in_transaction_session_timeout", "60000".to_owned()),
                ("timezone", "UTC".to_owned()),
            ];
            let options = options.clone().application_name("tillway-hq").options(set);
            PgPoolOptions::new()
                .max_connections(size)
                .acquire_timeout(limits.acquire)
                .idle_timeout(Duration::from_secs(300))
                .max_lifetime(Duration::from_secs(3_600))
                .test_before_acquire(false)
                .before_acquire(|connection, meta| {
                    Box::pin(async move {
                        if meta.idle_for > Duration::from_secs(1) {
                            system_tx::ping(connection).await?;
                        }
                        Ok(true)
                    })
                })
                .connect_lazy_with(options)
        };
        let app = pool(&urls.app, "app", limits.app);
        let platform = pool(&urls.platform, "platform,app", limits.platform);
        Self { pools: Arc::new(Pools { app, platform }) }
    }

    /// The pool that serves tenants. Private to this folder: see [`super::TenantTx`].
    pub(super) fn app(&self) -> &PgPool {
        &self.pools.app
    }

    /// The pool of the platform. Private to this folder: see [`super::SystemTx`].
    pub(super) fn platform(&self) -> &PgPool {
        &self.pools.platform
    }

    /// Whether the database answers right now.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), DbError> {
        sqlx::query("SELECT 1").execute(self.app()).await?;
        Ok(())
    }

    /// Gauges of the pools: (in use, open, limit) of the pool that serves tenants.
    pub fn gauges(&self) -> (u32, u32, u32) {
        let pool = self.app();
        let open = pool.size();
        let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        (open.saturating_sub(idle), open, pool.options().get_max_connections())
    }

    /// Closes all connections; whoever still holds one keeps it until done.
    pub async fn close(&self) {
        tokio::join!(self.app().close(), self.platform().close());
    }
}
