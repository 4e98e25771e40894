//! Head office's API under a steady load, as its clients feel it: requests are sent at their times whether or not the
//! ones before are answered, and each time counts from when the request was meant to be sent.
//! `API_RATE` (500 a second), `API_SECONDS` (60), `API_TICKETS` (1,000,000; five lines each), `API_SHOPS` (200).
//! Figures go to `target/bench/api.json`. Sign-ins are measured apart: a password costs a hash.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a bench talks to a person")]
#![allow(clippy::float_arithmetic, reason = "milliseconds, no money")]
#![allow(missing_docs, reason = "not an interface")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control_plane::app::{App, ServeConfig, start};
use control_plane::clock::Clock;
use control_plane::db::embedded::Embedded;
use control_plane::db::{Db, Limits, TenantTx};
use control_plane::domain::tenants;
use protocol::id::TenantId;
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// p95 of reads and of writes, in milliseconds.
const LIMITS_MS: (f64, f64) = (10.0, 20.0);
/// Seconds at the start that warm plans and caches; they are not counted.
const WARM_UP: u64 = 5;
const EMAIL: &str = "owner@load.example";
const PASSWORD: &str = "a long enough password";
const PRODUCTS: u64 = 2_000;

const SHOPS: &str =
    "INSERT INTO app.shops (tenant_id, shop_id, name, time_zone, day_starts_minutes, currency, tax_mode,
        tax_basis, cash_step, late_entry, open_line_tax_rate_ppm, version, created_at, updated_at)
    SELECT $1, ('10000000-0000-7000-8000-' || lpad(to_hex(s), 12, '0'))::uuid, 'Shop ' || lpad(s::text, 4, '0'),
        'Europe/London', 0, 'GBP', 'inclusive', 'per_receipt', 0, true, 0, 1, now(), now()
    FROM generate_series(0, $2 - 1) s";
const TICKETS: &str = "INSERT INTO app.tickets (tenant_id, node_id, term, seq, shop_id, ticket_id, lane_id, kind,
        business_date, hour, occurred_at, recorded_at, late_entry, reference, currency, arithmetic, line_count,
        voided_count, gross_minor, discounts_minor, net_minor, tax_minor, total_minor, rounding_minor, check_result)
    SELECT $1, ('20000000-0000-7000-8000-' || lpad(to_hex(s), 12, '0'))::uuid, 1, n,
        ('10000000-0000-7000-8000-' || lpad(to_hex(s), 12, '0'))::uuid,
        ('30000000-0000-7000-' || lpad(to_hex(8000 + s), 4, '0') || '-' || lpad(to_hex(n), 12, '0'))::uuid,
        ('40000000-0000-7000-8000-' || lpad(to_hex(n % 4), 12, '0'))::uuid, CASE WHEN n % 20 = 0 THEN 2 ELSE 1 END,
        date '2026-01-01' + (n % 90)::int, (9 + n % 10)::smallint,
        timestamptz '2026-01-01 09:00Z' + (n % 90) * interval '1 day' + (n % 36000) * interval '1 second',
        timestamptz '2026-01-01 09:00Z' + (n % 90) * interval '1 day' + (n % 36000) * interval '1 second',
        false, 'R' || s || '-' || n, 'GBP', 1, 5, 0, 1200, 0, 1000, 200, 1200, 0, 0
    FROM generate_series($2::bigint, $3::bigint) s, generate_series(1, $4::bigint) n";
const LINES: &str = "INSERT INTO app.ticket_lines (tenant_id, node_id, term, seq, line_no, shop_id, business_date, code,
        description, quantity_milli, unit_price_e4, pricing, gross_minor, discount_minor, net_minor, tax_minor, tax_rate_ppm)
    SELECT t.tenant_id, t.node_id, t.term, t.seq, l, t.shop_id, t.business_date, 'C' || (t.seq * 7 + l) % 2000,
        'Product', 1000, 24000, 0, 240, 0, 200, 40, 200000
    FROM app.tickets t, generate_series(1, 5) l
    WHERE t.tenant_id = $1 AND t.node_id >= ('20000000-0000-7000-8000-' || lpad(to_hex($2::bigint), 12, '0'))::uuid
        AND t.node_id <= ('20000000-0000-7000-8000-' || lpad(to_hex($3::bigint), 12, '0'))::uuid";
const DAYS: &str = "INSERT INTO app.sales_days (tenant_id, shop_id, business_date, currency, sales, returns, lines,
        gross_sales_minor, returns_minor, tax_minor, discounts_minor, rounding_minor, mismatched, late_entries, updated_at)
    SELECT tenant_id, shop_id, business_date, currency, count(*) FILTER (WHERE kind = 1),
        count(*) FILTER (WHERE kind = 2), sum(line_count), coalesce(sum(total_minor) FILTER (WHERE kind = 1), 0),
        coalesce(sum(total_minor) FILTER (WHERE kind = 2), 0), sum(tax_minor), 0, 0, 0, 0, now()
    FROM app.tickets WHERE tenant_id = $1 GROUP BY 1, 2, 3, 4";

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn shop(number: u64) -> String {
    format!("10000000-0000-7000-8000-{number:012x}")
}

/// The shops and what they sold, made by the database itself; some shops a transaction.
async fn fill(db: &Db, tenant: TenantId, shops: u64, tickets: u64) {
    let begun = Instant::now();
    let run = async |sql: &'static str, numbers: &[u64]| {
        let mut tx = TenantTx::begin(db, tenant).await.unwrap();
        // Far more than a request may take.
        sqlx::query("SET LOCAL statement_timeout = 0").execute(tx.conn()).await.unwrap();
        let mut query = sqlx::query(sql).bind(tenant.as_uuid());
        for number in numbers {
            query = query.bind(i64::try_from(*number).unwrap());
        }
        let made = query.execute(tx.conn()).await.unwrap().rows_affected();
        tx.save().await.unwrap();
        made
    };
    run(SHOPS, &[shops]).await;
    let (mut made, mut lines) = (0, 0);
    for first in (0..shops).step_by(10) {
        let last = (first + 9).min(shops - 1);
        made += run(TICKETS, &[first, last, (tickets / shops).max(1)]).await;
        lines += run(LINES, &[first, last]).await;
    }
    run(DAYS, &[]).await;
    println!("      {shops} shops, {made} tickets, {lines} lines made within {:.1?}", begun.elapsed());
}

/// One request: whether it writes, and how it looks.
fn request(client: &Client, base: &str, token: &str, number: u64, shops: u64) -> (bool, reqwest::RequestBuilder) {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
    let one = shop(mixed % shops);
    let day = 1 + mixed % 28;
    // 70 reads to 30 writes, spread evenly.
    let (method, path, body) = match number % 10 {
        0 | 7 => (Method::GET, format!("/v1/sales/tickets?shop_id={one}&date=2026-02-{day:02}&limit=50"), None),
        1 | 8 => {
            (Method::GET, format!("/v1/analytics/overview?shop_id={one}&from=2026-01-01&to=2026-02-{day:02}"), None)
        }
        2 => (Method::GET, format!("/v1/catalog/products/C{}", mixed % PRODUCTS), None),
        4 => (Method::GET, "/v1/shops?limit=50".to_owned(), None),
        5 => (Method::GET, format!("/v1/shops/{one}"), None),
        3 | 9 => {
            let price = format!("{}.{:02}", 1 + mixed % 9, mixed % 100);
            let path = format!("/v1/pricing/prices/C{}", mixed % PRODUCTS);
            (Method::PUT, path, Some(json!({ "unit_price": price })))
        }
        _ => (Method::PATCH, format!("/v1/shops/{one}"), Some(json!({ "cash_step": mixed % 10 }))),
    };
    let mut request = client.request(method, format!("{base}{path}")).bearer_auth(token);
    let writes = body.is_some();
    if let Some(body) = body {
        let key = format!("load-{number}");
        request = request.header("if-match", "*").header("idempotency-key", key).json(&body);
    }
    (writes, request)
}

async fn sign_in(client: &Client, base: &str) -> (String, f64) {
    let begun = Instant::now();
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let reply = client.post(format!("{base}/v1/auth/login")).json(&body).send().await.unwrap();
    let reply: Value = reply.json().await.unwrap();
    let token = reply["data"]["access_token"].as_str().unwrap_or_else(|| unsigned(&reply)).to_owned();
    (token, begun.elapsed().as_secs_f64() * 1_000.0)
}

fn unsigned(reply: &Value) -> ! {
    println!("nobody was signed in: {reply}");
    std::process::exit(1)
}

fn spread(times: &mut [f64]) -> [f64; 3] {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(f64::NAN);
    [at(50), at(95), at(99)]
}

/// Sends at the rate; (writes, milliseconds since it was meant to be sent, whether it was well) of each.
async fn load(client: &Client, base: &str, token: &str, seconds: u64, rate: u64, shops: u64) -> Vec<(bool, f64, bool)> {
    let begun = Instant::now() + Duration::from_millis(50);
    let done = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut open = tokio::task::JoinSet::new();
    for number in 0..seconds * rate {
        let meant = begun + Duration::from_micros(number * 1_000_000 / rate);
        tokio::time::sleep_until(meant.into()).await;
        let (writes, request) = request(client, base, token, number, shops);
        let done = Arc::clone(&done);
        open.spawn(async move {
            let well = match request.send().await {
                Ok(reply) => reply.status().is_success() && reply.bytes().await.is_ok(),
                Err(_) => false,
            };
            let took = meant.elapsed().as_secs_f64() * 1_000.0;
            if number >= WARM_UP.min(seconds / 2) * rate {
                done.lock().unwrap().push((writes, took, well));
            }
        });
        while open.try_join_next().is_some() {}
    }
    while open.join_next().await.is_some() {}
    done.lock().unwrap().clone()
}

async fn run(folder: &Path) -> Value {
    let (rate, seconds) = (setting("API_RATE", 500), setting("API_SECONDS", 60).max(4));
    let (shops, tickets) = (setting("API_SHOPS", 200).max(1), setting("API_TICKETS", 1_000_000));
    let embedded = Embedded::start(folder).await.expect("PostgreSQL");
    let db = Db::open(&embedded.record().urls(), Limits::default());
    let app = App::new(db.clone(), Clock::System).await.expect("HQ");
    let made = tenants::service::create(&app, "Load", EMAIL, PASSWORD).await.expect("tenant");
    fill(&db, made.tenant, shops, tickets).await;
    let state = folder.join("serve");
    std::fs::create_dir_all(&state).unwrap();
    let running = start(ServeConfig::for_tests(db, state), Clock::System).await.expect("serve");
    let base = format!("http://{}", running.http);
    let client = Client::builder().pool_max_idle_per_host(512).timeout(Duration::from_secs(30)).build().unwrap();
    let (token, _) = sign_in(&client, &base).await;
    let csv: String = (0..PRODUCTS).map(|code| format!("C{code},Product {code},2.40\n")).collect();
    let import = client.post(format!("{base}/v1/catalog/imports?report=problems")).bearer_auth(&token);
    let import = import.header("content-type", "text/csv").body(format!("code,description,unit_price\n{csv}"));
    assert!(import.send().await.unwrap().status().is_success());
    let mut sign_ins = Vec::new();
    for _ in 0..20 {
        sign_ins.push(sign_in(&client, &base).await.1);
    }
    let [sign_in_p50, sign_in_p95, _] = spread(&mut sign_ins);
    let all = load(&client, &base, &token, seconds, rate, shops).await;
    let errors = all.iter().filter(|(_, _, well)| !well).count();
    let of = |writes: bool| -> Vec<f64> {
        all.iter().filter(|(wrote, _, _)| *wrote == writes).map(|(_, took, _)| *took).collect()
    };
    let mut told = Vec::new();
    for (name, mut times, limit) in [("reads", of(false), LIMITS_MS.0), ("writes", of(true), LIMITS_MS.1)] {
        let [p50, p95, p99] = spread(&mut times);
        let pass = p95 <= limit && errors == 0;
        let word = if pass { "PASS" } else { "MISS" };
        println!("{word}  {name}: {} answers, p50 {p50:.1} ms, p95 {p95:.1} ms, p99 {p99:.1} ms", times.len());
        told.push(json!({ "what": name, "answers": times.len(), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99,
            "limit_ms": limit, "pass": pass }));
    }
    println!("      {errors} errors; sign-in: p50 {sign_in_p50:.0} ms, p95 {sign_in_p95:.0} ms");
    running.stop().await;
    embedded.stop().await;
    json!({ "bench": "api", "rate": rate, "seconds": seconds, "shops": shops, "tickets": tickets, "errors": errors,
        "sign_in_p50_ms": sign_in_p50, "sign_in_p95_ms": sign_in_p95, "load": told })
}

fn main() {
    // A second one would be an error of the caller; there is none here.
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::Builder::new().prefix("tillway-bench-").tempdir().unwrap();
    // The database's own user passes through.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let figures = runtime.block_on(run(&folder.path().join("state")));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&out).unwrap();
    std::fs::write(out.join("api.json"), serde_json::to_vec_pretty(&figures).unwrap()).unwrap();
}
