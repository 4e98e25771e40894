//! Databases for tests: one private cluster per test process, one migrated template, one copy of it per test.
//! The cluster ends with the process, however it ends, and leaves nothing behind.
//!
//! ```ignore
//! let test = TestDb::new().await;
//! let mut tx = TenantTx::begin(&test.db, tenant).await?;
//! ```

pub mod isolation;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::embedded::{self, EmbeddedError, Record, Scratch};
use super::{Db, Limits, Urls, migrate_owner, prepare_cluster};
use crate::app::App;
use crate::clock::Clock;

/// A database of its own for one test, migrated and empty. Dropped with the value.
#[derive(Debug)]
pub struct TestDb {
    /// The pools, as production has them.
    pub db: Db,
    name: String,
    record: Record,
    dropper: SyncSender<String>,
}

struct Cluster {
    scratch: Scratch,
    /// Copies of the template are made one at a time: PostgreSQL allows no second reader.
    copying: tokio::sync::Mutex<()>,
    dropper: SyncSender<String>,
}

static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
static NEXT: AtomicU64 = AtomicU64::new(1);
/// Databases that wait to be dropped; beyond it they go with the cluster.
const QUEUE: usize = 256;
const TEMPLATE: &str = "tillway_template";

impl TestDb {
    /// A fresh database. The first call of a process makes the cluster (about a second).
    ///
    /// # Panics
    /// If the cluster cannot be made: a test has no other way on.
    #[allow(clippy::panic, reason = "only tests call this; without a database there is nothing to go on with")]
    pub async fn new() -> Self {
        match Self::try_new().await {
            Ok(test) => test,
            Err(error) => panic!("no database for the test: {error}"),
        }
    }

    async fn try_new() -> Result<Self, String> {
        let made = tokio::task::spawn_blocking(|| CLUSTER.get_or_init(Cluster::make)).await;
        let cluster = made.map_err(text)?.as_ref().map_err(Clone::clone)?;
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::SeqCst));
        {
            let _one_at_a_time = cluster.copying.lock().await;
            let mut admin = cluster.scratch.record.superuser("postgres").connect().await.map_err(text)?;
            let create = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER tw_owner");
            sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.map_err(text)?;
            admin.close().await.map_err(text)?;
        }
        let record = Record { database: name.clone(), ..cluster.scratch.record.clone() };
        let db = Db::open(&record.urls(), Self::limits());
        Ok(Self { db, name, record, dropper: cluster.dropper.clone() })
    }

    /// Pools small enough that fifty tests at once fit the cluster.
    fn limits() -> Limits {
        Limits { app: 8, platform: 3, acquire: Duration::from_secs(20), ..Limits::default() }
    }

    /// A head office over this database, without doors: for routers and services under test.
    ///
    /// # Panics
    /// If it cannot be made.
    #[allow(clippy::panic, reason = "only tests call this")]
    pub async fn app(&self, clock: Clock) -> App {
        match App::new(self.db.clone(), clock).await {
            Ok(app) => app,
            Err(error) => panic!("no head office for the test: {error:?}"),
        }
    }

    /// Name of the database within the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Further pools on the same database, as a second replica would have.
    pub fn another(&self) -> Db {
        Db::open(&self.urls(), Self::limits())
    }

    /// How the roles reach it.
    pub fn urls(&self) -> Urls {
        self.record.urls()
    }

    /// How a role reaches it, as `--database-url` would say it.
    pub fn url(&self, role: &str) -> String {
        let folder = self.record.socket_dir.display().to_string().replace('/', "%2F");
        format!("postgres://{role}@{folder}:{}/{}", self.record.port, self.name)
    }

    /// How the owner reaches it.
    pub fn owner_options(&self) -> PgConnectOptions {
        self.record.owner(&self.name)
    }

    /// A connection that bypasses everything, to plant and to inspect.
    ///
    /// # Panics
    /// If it cannot be made.
    #[allow(clippy::panic, reason = "only tests call this")]
    pub async fn superuser(&self) -> PgConnection {
        match self.record.superuser(&self.name).connect().await {
            Ok(connection) => connection,
            Err(error) => panic!("no superuser connection: {error}"),
        }
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        // The thread may be gone at the very end of the process; then the cluster goes as a whole.
        let sent = self.dropper.try_send(self.name.clone());
        drop(sent);
    }
}

impl Cluster {
    /// Made outside any test's runtime, because it outlives the test that happens to be first.
    fn make() -> Result<Self, String> {
        let scratch = embedded::scratch().map_err(text)?;
        let record = scratch.record.clone();
        let prepared = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
            runtime.block_on(prepare(record)).map_err(text)
        });
        prepared.join().map_err(|_| "the thread that prepares the template ended".to_owned())??;
        let dropper = dropper(scratch.record.clone());
        Ok(Self { scratch, copying: tokio::sync::Mutex::new(()), dropper })
    }
}

async fn prepare(record: Record) -> Result<(), EmbeddedError> {
    embedded::wait_ready(&record, embedded::START_PATIENCE).await?;
    let mut admin = record.superuser("postgres").connect().await?;
    prepare_cluster(&mut admin).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {TEMPLATE} OWNER tw_owner"))).execute(&mut admin).await?;
    admin.close().await?;
    migrate_owner(&record.owner(TEMPLATE)).await?;
    Ok(())
}

/// Databases of finished tests are dropped by one thread, so that a long run does not fill the disk.
fn dropper(record: Record) -> SyncSender<String> {
    let (sender, names) = sync_channel::<String>(QUEUE);
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        for name in names {
            let dropped: Result<(), sqlx::Error> = runtime.block_on(async {
                let mut admin = record.superuser("postgres").connect().await?;
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await?;
                admin.close().await
            });
            if let Err(error) = dropped {
                tracing::debug!(%error, name, "a test database stays until the cluster goes");
            }
        }
    });
    sender
}

fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
