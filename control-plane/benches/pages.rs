//! The pages of a shop that has sold for a year, through the whole router: session, rights, queries, template. The
//! database is the one that HQ runs for itself. `BENCH_DAYS` (365), `BENCH_SALES` a day (150), `BENCH_ROUNDS` (200).
//! Figures go to `target/bench/pages.json`; the page of the shop has a limit, the others are told.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a bench talks to a person")]
#![allow(clippy::float_arithmetic, reason = "milliseconds, no money")]
#![allow(missing_docs, reason = "not an interface")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use control_plane::app::App;
use control_plane::clock::Clock;
use control_plane::db::embedded::Embedded;
use control_plane::db::{Db, Limits};
use control_plane::domain::sales::service;
use control_plane::domain::sales::testing::{Made, NOON, PASSWORD, Seat, seat};
use control_plane::http::docs;
use protocol::id::Stream;
use protocol::ledger::Record;
use serde_json::{Value, json};
use tower::ServiceExt;

/// p95 of the page of a shop with a year of sales, in milliseconds.
const LIMIT_MS: f64 = 50.0;
/// Requests that warm plans and caches; they are not counted.
const WARM_UP: usize = 20;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The sales of one day: 1 to 15 lines of 4,000 products over the opening hours, one return in twenty.
fn day(back: i32, first: u64, sales: u64) -> Vec<Record> {
    let made = |seq: u64| {
        let mixed = seq.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let codes: Vec<String> = (0..=mixed % 15).map(|line| format!("C{}", (mixed + line * 37) % 4_000)).collect();
        let pieces = 1_000 * (1 + i64::try_from(mixed % 5).unwrap());
        let lines: Vec<(&str, i64, i64)> = codes.iter().map(|code| (code.as_str(), pieces, 12_345)).collect();
        let mut sale = Made::sale(u128::from(seq), &lines).days(-back);
        sale.at = sale.at.plus_millis((i64::try_from(mixed % 10).unwrap() - 4) * 3_600_000);
        if seq.is_multiple_of(20) { sale.back() } else { sale }.record(seq)
    };
    (first..first + sales).map(made).collect()
}

async fn sell(app: &App, seat: &Seat, days: u64, sales: u64) {
    let mut next = 1;
    for back in (0..days).rev() {
        let records = day(i32::try_from(back).unwrap(), next, sales);
        next += sales;
        for batch in records.chunks(protocol::limits::BATCH_EVENTS) {
            let taken = service::ingest(app, &seat.who, Stream::Fiscal, batch.to_vec()).await.expect("ingest");
            assert_eq!((taken.forks, taken.flawed), (0, 0));
        }
    }
}

async fn sign_in(router: &Router, seat: &Seat) -> String {
    let form = format!("email={}&password={}", seat.email, PASSWORD.replace(' ', "+"));
    let request = Request::post("/sign-in").header("content-type", "application/x-www-form-urlencoded");
    let request = request.header("sec-fetch-site", "same-origin").body(Body::from(form)).unwrap();
    let reply = router.clone().oneshot(request).await.unwrap();
    assert_eq!(reply.status(), StatusCode::SEE_OTHER);
    let cookie = reply.headers()[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn open(router: &Router, cookie: &str, path: &str) -> (Duration, usize) {
    let request = Request::get(path).header(header::COOKIE, cookie).header(header::ACCEPT, "text/html");
    let request = request.body(Body::empty()).unwrap();
    let begun = Instant::now();
    let reply = router.clone().oneshot(request).await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK, "{path}");
    let bytes = axum::body::to_bytes(reply.into_body(), 16 << 20).await.unwrap();
    (begun.elapsed(), bytes.len())
}

async fn measure(router: &Router, cookie: &str, path: &str, rounds: usize) -> (f64, f64, usize) {
    let mut times = Vec::with_capacity(rounds);
    let mut size = 0;
    for round in 0..WARM_UP.min(rounds) + rounds {
        let (took, bytes) = open(router, cookie, path).await;
        size = bytes;
        if round >= WARM_UP.min(rounds) {
            times.push(took.as_secs_f64() * 1_000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 95 / 100], size)
}

async fn run(folder: &Path) -> Value {
    let (days, sales) = (setting("BENCH_DAYS", 365), setting("BENCH_SALES", 150));
    let rounds = usize::try_from(setting("BENCH_ROUNDS", 200)).unwrap().max(20);
    let embedded = Embedded::start(folder).await.expect("PostgreSQL");
    let app = App::new(Db::open(&embedded.record().urls(), Limits::default()), Clock::manual(NOON)).await.expect("HQ");
    let seat = seat(&app, 1).await;
    let begun = Instant::now();
    sell(&app, &seat, days, sales).await;
    println!("      {} sales of {days} days taken in within {:.1?}", days * sales, begun.elapsed());
    let begun = Instant::now();
    let months = service::roll_years(&app, seat.tenant).await.expect("upkeep");
    println!("      {months} months summed by upkeep within {:.1?}", begun.elapsed());
    let router = docs::router(app);
    let cookie = sign_in(&router, &seat).await;
    let shop = format!("/shops/{}", seat.shop);
    let pages = [
        ("shop, a day", shop.clone(), true),
        ("shop, 7 days", format!("{shop}?from=2011-01-04&to=2011-01-10"), true),
        ("shop, 28 days", format!("{shop}?from=2010-12-14&to=2011-01-10"), true),
        ("shop, a year", format!("{shop}?from=2010-01-11&to=2011-01-10"), true),
        // Both ends lie in the middle of a month: what is furthest from any sum.
        ("shop, 304 days", format!("{shop}?from=2010-02-15&to=2010-12-15"), true),
        ("shops", "/shops".to_owned(), false),
        ("overview", "/overview".to_owned(), false),
        ("nodes", "/nodes".to_owned(), false),
        ("products", "/products".to_owned(), false),
    ];
    let mut told = Vec::new();
    for (name, path, limited) in pages {
        let (median, p95, size) = measure(&router, &cookie, &path, rounds).await;
        let word = if !limited {
            "    "
        } else if p95 <= LIMIT_MS {
            "PASS"
        } else {
            "MISS"
        };
        println!("{word}  {name}: p50 {median:.1} ms, p95 {p95:.1} ms, {size} bytes");
        told.push(json!({ "page": name, "p50_ms": median, "p95_ms": p95, "bytes": size,
            "limit_ms": limited.then_some(LIMIT_MS), "pass": !limited || p95 <= LIMIT_MS }));
    }
    embedded.stop().await;
    json!({ "bench": "pages", "days": days, "sales_per_day": sales, "rounds": rounds, "pages": told })
}

fn main() {
    let folder = tempfile::Builder::new().prefix("tillway-bench-").tempdir().unwrap();
    // The database's own user passes through.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let figures = runtime.block_on(run(&folder.path().join("state")));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&out).unwrap();
    std::fs::write(out.join("pages.json"), serde_json::to_vec_pretty(&figures).unwrap()).unwrap();
}
