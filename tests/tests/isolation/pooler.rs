//! The same doors through PgBouncer in transaction mode, where one connection of the server serves many tenants in turn: what
//! a transaction sets for itself must be gone with it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use control_plane::db::testing::TestDb;
use control_plane::db::{Bounds, Db, Limits, TenantTx, Urls};
use protocol::id::{ShopId, TenantId};
use sqlx::{Connection, PgConnection, Row};
use tillway_tests::process::passing_folder;
use uuid::Uuid;

use crate::tally;

struct Pooler {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        drop(ended);
    }
}

impl Pooler {
    /// Two connections to the server, however many clients there are.
    fn start(test: &TestDb) -> Self {
        let folder = passing_folder("tillway-pooler-").unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).unwrap();
        // postgres://tw_app@%2Ffolder:port/name
        let url = test.url("tw_app").replace("%2F", "/");
        let (server, name) = url.split_once('@').unwrap().1.rsplit_once('/').unwrap();
        let (host, port) = server.rsplit_once(':').unwrap();
        let here = folder.path().display();
        let config = format!(
            "[databases]\n\
             app = host={host} port={port} dbname={name} user=tw_app connect_query='SET search_path = app'\n\
             platform = host={host} port={port} dbname={name} user=tw_platform connect_query='SET search_path = platform, app'\n\
             [pgbouncer]\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\nauth_type = any\n\
             listen_port = 6432\nunix_socket_dir = {here}\nlogfile = {here}/log\n\
             ignore_startup_parameters = extra_float_digits, options\n"
        );
        let ini = folder.path().join("pgbouncer.ini");
        std::fs::write(&ini, config).unwrap();
        let mut command = Command::new("pgbouncer");
        if rustix::process::getuid().is_root() {
            command.args(["-u", "postgres"]);
        }
        let child = command.arg("-q").arg(&ini).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let pooler = Self { child: child.expect("pgbouncer; .ci/need installs it"), folder };
        let began = Instant::now();
        while !pooler.folder.path().join(".s.PGSQL.6432").exists() {
            let said = || std::fs::read_to_string(pooler.folder.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(20), "pgbouncer does not open: {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        pooler
    }

    fn url(&self, database: &str) -> String {
        let folder: &Path = self.folder.path();
        let folder = folder.display().to_string().replace('/', "%2F");
        format!("postgres://anybody@{folder}:6432/{database}?statement-cache-capacity=0")
    }
}

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(0xa000 + number))
}

fn shop(tenant: u128, number: u128) -> ShopId {
    ShopId::from_uuid(Uuid::from_u128(0xb000 + tenant * 16 + number))
}

const TENANTS: u128 = 8;

/// Three shops each.
async fn plant(test: &TestDb) {
    for number in 0..TENANTS {
        let mut tx = TenantTx::begin(&test.db, tenant(number)).await.unwrap();
        let made = "INSERT INTO app.tenants (tenant_id, name, created_at) VALUES ($1, 'x', now())";
        sqlx::query(made).bind(tenant(number).as_uuid()).execute(tx.conn()).await.unwrap();
        let shops: Vec<Uuid> = (0..3).map(|at| shop(number, at).as_uuid()).collect();
        let made = "INSERT INTO app.shops (tenant_id, shop_id, name, time_zone, day_starts_minutes, currency, tax_mode, tax_basis,
                        cash_step, late_entry, open_line_tax_rate_ppm, version, created_at, updated_at)
                    SELECT $1, s, 'x', 'Europe/London', 0, 'GBP', 'inclusive', 'per_line', 1, false, 0, 1, now(), now()
                    FROM unnest($2::uuid[]) s";
        sqlx::query(made).bind(tenant(number).as_uuid()).bind(shops).execute(tx.conn()).await.unwrap();
        tx.save().await.unwrap();
    }
}

/// One look of a tenant, of all its shops or of one; every third is dropped, and its connection goes back with a rollback.
async fn look(db: &Db, round: u128) -> (String, bool) {
    let number = round % TENANTS;
    let one = [shop(number, round % 3)];
    let shops = (round / TENANTS).is_multiple_of(2).then_some(&one[..]);
    let mut tx = TenantTx::begin_within(db, tenant(number), &Bounds { shops, read_only: round.is_multiple_of(5) })
        .await
        .unwrap();
    // By the simple protocol: sqlx names its statements, and this PgBouncer knows no names (1.21 and later do).
    let sql = "SELECT s.tenant_id, s.shop_id FROM app.shops s WHERE pg_sleep(0.001) IS NOT NULL";
    let rows = sqlx::raw_sql(sql).fetch_all(tx.conn()).await.unwrap();
    let seen: Vec<(Uuid, Uuid)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    if !round.is_multiple_of(3) {
        tx.save().await.unwrap();
    }
    let own =
        seen.iter().all(|(of, at)| *of == tenant(number).as_uuid() && (shops.is_none() || *at == one[0].as_uuid()));
    let right = own && seen.len() == if shops.is_some() { 1 } else { 3 };
    (format!("round {round}: {seen:?}"), right)
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_that_share_two_connections_leave_no_trace_for_each_other() {
    let test = TestDb::new().await;
    plant(&test).await;
    let pooler = Pooler::start(&test);
    let urls = Urls::parse(&pooler.url("app"), &pooler.url("platform")).unwrap();
    let db = Db::open(&urls, Limits { app: 24, ..Limits::default() });
    let mut looks = tokio::task::JoinSet::new();
    for task in 0..24 {
        let db = db.clone();
        looks.spawn(async move {
            let mut wrong = Vec::new();
            for round in 0..20 {
                let (told, right) = look(&db, task * 20 + round).await;
                if !right {
                    wrong.push(told);
                }
            }
            wrong
        });
    }
    let wrong: Vec<String> = looks.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Nobody's statement, on the connections that all of them had: nothing is set, nothing is seen.
    let mut bare = PgConnection::connect(&pooler.url("app")).await.unwrap();
    for _ in 0..8 {
        let rows = sqlx::raw_sql("SELECT 1 FROM app.shops").fetch_all(&mut bare).await.unwrap();
        assert_eq!(rows.len(), 0);
    }
    let sql = "SELECT count(DISTINCT pid), count(*) FROM pg_stat_activity
               WHERE usename = 'tw_app' AND datname = current_database() AND application_name NOT LIKE 'x%'";
    let mut admin = test.superuser().await;
    let (servers, _): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut admin).await.unwrap();
    assert!(servers <= 2 + 8, "{servers} connections: the pooler did not pool");
    db.close().await;
    tally::count("pooler", 24 * 20 + 8);
}
