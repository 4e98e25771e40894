//! What it costs to ask whether somebody may, and what the door to a tenant's rows costs over a bare query.
//! `BENCH_CHECKS` (20,000,000), `BENCH_ROUNDS` (5,000). Figures go to `target/bench/rights.json`.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a bench talks to a person")]
#![allow(clippy::float_arithmetic, reason = "times, no money")]
#![allow(clippy::cast_precision_loss, clippy::disallowed_methods, reason = "a bench measures what nobody else may do")]
#![allow(missing_docs, reason = "not an interface")]

use std::hint::black_box;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use control_plane::app::App;
use control_plane::auth::policy::{BuiltIn, Grant, Module, Permission, Policy, Reach, RoleRef, Source};
use control_plane::clock::Clock;
use control_plane::db::embedded::Embedded;
use control_plane::db::{Db, Limits, TenantTx};
use control_plane::domain::sales::testing::{NOON, Seat, seat};
use protocol::id::{ShopId, TenantId};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// Nanoseconds of one check.
const LIMIT_NANOS: f64 = 1_000.0;
const QUERY: &str = "SELECT name FROM app.shops WHERE tenant_id = $1 AND shop_id = $2";

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn shop(number: u64) -> ShopId {
    ShopId::from_uuid(Uuid::from_u128(u128::from(number) + 1))
}

/// A regional manager of 200 shops: the check that has to look for the shop.
fn check() -> Value {
    let checks = setting("BENCH_CHECKS", 20_000_000);
    let reach = Reach::Region { id: Uuid::from_u128(1), shops: (0..200).map(shop).collect() };
    let role = BuiltIn::Manager;
    let grant = Grant { role: RoleRef::BuiltIn(role), bits: role.permissions(), reach, wants_mfa: false };
    let source = Source { version: 1, grants: vec![grant], modules: Module::ALL.to_vec() };
    let policy = Policy::compile(TenantId::from_uuid(Uuid::from_u128(7)), source);
    let shops: Vec<ShopId> = (0..400).map(shop).collect();
    let begun = Instant::now();
    let mut allowed = 0_u64;
    for number in 0..checks {
        let asked = shops[usize::try_from(number % 400).unwrap()];
        allowed += u64::from(black_box(&policy).allows_in(black_box(Permission::ShopsWrite), black_box(asked)));
    }
    let nanos = begun.elapsed().as_nanos() as f64 / checks as f64;
    assert_eq!(allowed, checks / 400 * 200 + (checks % 400).min(200), "half of the shops are theirs");
    let pass = nanos < LIMIT_NANOS;
    println!("{}  permission check: {nanos:.1} ns over {checks} checks", if pass { "PASS" } else { "MISS" });
    json!({ "checks": checks, "nanos": nanos, "limit_nanos": LIMIT_NANOS, "pass": pass })
}

fn spread(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 95 / 100])
}

async fn doors(folder: &Path) -> Value {
    let rounds = setting("BENCH_ROUNDS", 5_000).max(20);
    let embedded = Embedded::start(folder).await.expect("PostgreSQL");
    let urls = embedded.record().urls();
    let app = App::new(Db::open(&urls, Limits::default()), Clock::manual(NOON)).await.expect("HQ");
    let Seat { tenant, shop, .. } = seat(&app, 1).await;
    let mut bare = PgConnection::connect_with(&urls.app).await.expect("connection");
    let set = format!("SET app.tenant_id = '{tenant}'");
    sqlx::query(sqlx::AssertSqlSafe(set)).execute(&mut bare).await.unwrap();
    let (mut plain, mut through) = (Vec::new(), Vec::new());
    // In turns, so that whatever else the machine does falls on both.
    for _ in 0..rounds {
        let begun = Instant::now();
        let name: String =
            sqlx::query_scalar(QUERY).bind(tenant.as_uuid()).bind(shop.as_uuid()).fetch_one(&mut bare).await.unwrap();
        plain.push(begun.elapsed().as_secs_f64() * 1e6);
        let begun = Instant::now();
        let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
        let query = sqlx::query_scalar(QUERY).bind(tenant.as_uuid()).bind(shop.as_uuid());
        let same: String = query.fetch_one(tx.conn()).await.unwrap();
        tx.save().await.unwrap();
        through.push(begun.elapsed().as_secs_f64() * 1e6);
        assert_eq!(name, same);
    }
    let ((bare_p50, bare_p95), (tx_p50, tx_p95)) = (spread(plain), spread(through));
    let ratio = tx_p50 / bare_p50;
    println!("      bare query: p50 {bare_p50:.0} us, p95 {bare_p95:.0} us");
    println!("      through TenantTx: p50 {tx_p50:.0} us, p95 {tx_p95:.0} us, {ratio:.2} times as long");
    drop(bare);
    embedded.stop().await;
    json!({ "rounds": rounds, "bare_p50_us": bare_p50, "bare_p95_us": bare_p95, "tx_p50_us": tx_p50,
        "tx_p95_us": tx_p95, "ratio": ratio })
}

fn main() {
    let folder = tempfile::Builder::new().prefix("tillway-bench-").tempdir().unwrap();
    // The database's own user passes through.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let checked = check();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let doors = runtime.block_on(doors(&folder.path().join("state")));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&out).unwrap();
    let figures = json!({ "bench": "rights", "check": checked, "tenant_tx": doors });
    std::fs::write(out.join("rights.json"), serde_json::to_vec_pretty(&figures).unwrap()).unwrap();
}
