//! Two tenants in one head office with the same codes and the same receipts: neither sees, changes or infers the
//! other, at any route that the router has and in any table that the database has.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};
use tillway_tests::catalogue::Catalogue;
use tillway_tests::hq::Hq;
use tillway_tests::lane::Lane;
use tillway_tests::process::passing_folder;
use tillway_tests::receipts::{self, Kind};
use tillway_tests::replay::{plan, sell};
use tillway_tests::town::{Node, SignIn, Town};

use crate::street::SOON;

/// Routes that serve people who are nobody yet; a new one has to be put here, by a person, with a reason.
const PUBLIC: &[(&str, &str)] = &[
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/v1/auth/login"), // its body is the credential; the same for the rest of the sign-in
    ("POST", "/v1/auth/refresh"),
    ("POST", "/v1/auth/mfa"),
    ("POST", "/v1/auth/mfa/passkey"),
    ("POST", "/v1/auth/passkey"),
    ("POST", "/v1/auth/passkey/finish"),
    ("POST", "/v1/auth/forgot"),
    ("POST", "/v1/auth/reset"),
    ("POST", "/v1/auth/email/confirm"),
    ("POST", "/v1/auth/email/stop"),
    ("POST", "/v1/enroll"),                // a claim code is the credential
    ("POST", "/v1/invitations/accept"),    // its link is the credential
    ("POST", "/v1/registrations"),         // whoever wants a company here
    ("POST", "/v1/registrations/confirm"), // its link is the credential
    ("POST", "/v1/registrations/resend"),  // the answer is the same for everybody
];

/// One tenant with its shop, and the words that are its alone.
struct Side {
    hq: Hq,
    tenant: String,
    node: Node,
    node_id: String,
    marker: &'static str,
}

impl Side {
    async fn open(town: &Town, marker: &'static str, receipts: &[receipts::Receipt]) -> Self {
        let owner = SignIn { email: format!("owner@{marker}.example"), password: "a long enough password".to_owned() };
        let tenant = town.tenant(&format!("{marker} Ltd"), &owner).unwrap();
        let shop = town.shop(&tenant, &format!("{marker} street")).unwrap();
        let mut node = town.enrol(&tenant, &shop, marker).unwrap();
        node.start().await.unwrap();
        let hq = town.sign_in(&owner).await.unwrap();
        let mut catalogue = Catalogue::of(receipts);
        for product in catalogue.0.values_mut() {
            product.description = format!("{} {marker}", product.description);
        }
        let only = format!("code,description,unit_price\nONLY-{marker},secret of {marker},9.99\n");
        hq.import(catalogue.to_csv().unwrap()).await.unwrap();
        hq.import(only).await.unwrap();
        let mut lane = node.lane(&format!("Till of {marker}")).await.unwrap();
        crate::street::price_becomes(&mut lane, &format!("ONLY-{marker}"), "9.99").await;
        for receipt in receipts {
            sell(&mut lane, &plan(receipt, &catalogue).unwrap(), "two").await.unwrap();
        }
        let mut side = Self { hq, tenant, node, node_id: String::new(), marker };
        side.settle(receipts).await;
        side
    }

    async fn settle(&mut self, receipts: &[receipts::Receipt]) {
        let wanted: i64 = receipts.iter().map(|receipt| receipt.total().unwrap().minor()).sum();
        let began = Instant::now();
        loop {
            let found = self.hq.overview(Some(&self.node.shop), "2010-12-01", "2010-12-31").await.unwrap();
            let nodes = self.hq.completeness(&self.node.shop).await.unwrap();
            if found.net_sales_minor == wanted && nodes.iter().all(|node| node.is_exact()) && !nodes.is_empty() {
                self.node_id = nodes[0].node_id.clone();
                return;
            }
            assert!(began.elapsed() < SOON, "{wanted} expected, HQ has {found:?} {nodes:?}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// What nobody else may ever read.
    fn secrets(&self) -> Vec<String> {
        let marker = self.marker.to_owned();
        vec![marker, self.tenant.clone(), self.node.shop.clone(), self.node_id.clone()]
    }
}

/// Every (method, path) of the router's own document.
async fn routes(town: &Town) -> BTreeSet<(String, String)> {
    let document: Value = reqwest::get(format!("{}/v1/openapi.json", town.url())).await.unwrap().json().await.unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            if item.get(method).is_some() {
                found.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    assert!(found.len() >= 20, "the document lists only {found:?}");
    found
}

/// The path with the other side's names in it.
fn with_names_of(path: &str, side: &Side) -> String {
    let names = [
        ("{id}", side.node.shop.as_str()),
        ("{shop_id}", side.node.shop.as_str()),
        ("{tenant_id}", side.tenant.as_str()),
        ("{node_id}", side.node_id.as_str()),
        ("{term}", "1"),
        ("{seq}", "1"),
        ("{code}", "ONLY-beta"),
        ("{visit_id}", side.node.shop.as_str()),
        ("{notice_id}", side.node.shop.as_str()),
        ("{session_id}", side.node.shop.as_str()),
    ];
    let filled = names.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
    assert!(!filled.contains('{'), "{path} has a parameter that this test does not know: add it");
    filled
}

/// A body that the route takes, so that what refuses it is the name in the path.
fn body_for(path: &str) -> String {
    let body = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "v1", "shops", _, "claims"] => json!({}),
        ["", "v1", "shops", _] => json!({"name": "taken over"}),
        ["", "v1", "pricing", "prices", _] => json!({"unit_price": "0.01"}),
        ["", "v1", "catalog", "products", _] => json!({"description": "taken over", "unit_price": "0.01"}),
        _ => json!({}),
    };
    body.to_string()
}

struct Answer {
    status: StatusCode,
    text: String,
}

async fn ask(base: &str, token: Option<&str>, method: &str, path: &str) -> Answer {
    let http = reqwest::Client::new();
    let mut request = http.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{base}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if method != "GET" {
        request = request
            .header("content-type", "application/json")
            .header("idempotency-key", format!("{method}:{path}"))
            .body(body_for(path));
    }
    let answer = request.send().await.unwrap();
    Answer { status: answer.status(), text: answer.text().await.unwrap() }
}

/// Everything a side can read, as one text: to see that nothing of it was changed.
async fn all_it_reads(base: &str, side: &Side, routes: &BTreeSet<(String, String)>) -> String {
    let mut all = String::new();
    for (_, path) in routes.iter().filter(|(method, path)| method == "GET" && !path.contains("completeness")) {
        let answer = ask(base, Some(&side.hq.token()), "GET", &with_names_of(path, side)).await;
        all.push_str(&format!("{path} {} {}\n", answer.status, without_times(&answer.text)));
    }
    all
}

/// A node is seen again and again; when is no matter here.
fn without_times(text: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !name.ends_with("_at") && !name.contains("seen"));
                fields.values_mut().for_each(strip);
            }
            Value::Array(rows) => rows.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    strip(&mut value);
    value.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_sees_the_other() {
    tillway_tests::trust::install();
    let folder = passing_folder("tillway-two-").unwrap();
    let town = Town::start(folder.path()).await.unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/online-retail-2010-12-01_14.csv.gz");
    let receipts: Vec<_> = receipts::read(&path).unwrap().into_iter().take(30).collect();
    assert!(receipts.iter().any(|receipt| receipt.kind == Kind::Return), "the sample has a return");
    let mut alpha = Side::open(&town, "alpha", &receipts).await;
    let mut beta = Side::open(&town, "beta", &receipts).await;
    let routes = routes(&town).await;

    strangers_are_nobody(&town, &routes, &beta).await;
    let before = all_it_reads(&town.url(), &beta, &routes).await;
    assert!(before.contains("beta") && before.contains("536365"), "the comparison would be empty: {before}");
    foreign_names_do_not_exist(&town, &routes, &alpha, &beta).await;
    assert_eq!(all_it_reads(&town.url(), &beta, &routes).await, before, "alpha changed something of beta's");
    lanes_stay_in_their_shop(&alpha, &beta).await;
    tables_are_apart(&town, &alpha, &beta).await;

    for side in [&mut alpha, &mut beta] {
        side.node.stop().unwrap();
        side.node.verify_journal().unwrap();
    }
    town.stop().unwrap();
    folder.close().unwrap();
}

/// Without a token every route but the listed ones says 401, and tells nothing.
async fn strangers_are_nobody(town: &Town, routes: &BTreeSet<(String, String)>, side: &Side) {
    for (method, path) in routes {
        let public = PUBLIC.contains(&(method.as_str(), path.as_str()));
        let answer = ask(&town.url(), None, method, &with_names_of(path, side)).await;
        let said = format!("{method} {path}: {} {}", answer.status, answer.text);
        assert!(public || answer.status == StatusCode::UNAUTHORIZED, "{said}");
        assert!(!answer.text.contains(side.marker), "{method} {path}: {}", answer.text);
    }
}

/// As alpha, with beta's names: 404 where the name is in the path, nothing of beta's anywhere.
async fn foreign_names_do_not_exist(town: &Town, routes: &BTreeSet<(String, String)>, alpha: &Side, beta: &Side) {
    for (method, path) in routes {
        if method != "GET" && !path.contains('{') {
            // What it does it does to alpha, and that is not this story: `tests/isolation` has every route.
            continue;
        }
        let filled = with_names_of(path, beta);
        let answer = ask(&town.url(), Some(&alpha.hq.token()), method, &filled).await;
        assert!(!answer.status.is_server_error(), "{method} {filled}: {} {}", answer.status, answer.text);
        // A code names a product of one's own catalogue, so writing it makes one's own.
        let own_name = filled == *path || (path.contains("{code}") && method != "GET" && method != "DELETE");
        if !own_name {
            let hidden = matches!(answer.status.as_u16(), 400 | 404 | 415 | 422 | 428);
            let empty = method == "GET" && path.contains("prices") && answer.text.contains("\"data\":[]");
            assert!(hidden || empty, "{method} {filled}: {} {}", answer.status, answer.text);
        }
        let shown = answer.text.replace(&format!("ONLY-{}", beta.marker), "");
        for secret in beta.secrets() {
            assert!(!shown.contains(&secret), "{method} {filled} shows {secret}: {}", answer.text);
        }
        let query =
            format!("{filled}?shop_id={}&node_id={}&from=2010-12-01&to=2010-12-31", beta.node.shop, beta.node_id);
        if method == "GET" {
            let answer = ask(&town.url(), Some(&alpha.hq.token()), method, &query).await;
            assert!(!answer.status.is_server_error(), "{query}: {}", answer.status);
            let shown = answer.text.replace(&format!("ONLY-{}", beta.marker), "");
            assert!(!beta.secrets().iter().any(|secret| shown.contains(secret)), "GET {query}: {}", answer.text);
        }
    }
}

/// A lane's credential is good at its own node only.
async fn lanes_stay_in_their_shop(alpha: &Side, beta: &Side) {
    let lane = alpha.node.lane("Wanderer").await.unwrap();
    let target = tillway_tests::wire::Target::parse(&beta.node.url(), None).unwrap();
    let mut elsewhere = Lane::with_token(target, lane.token().to_owned());
    let refused = elsewhere.product("ONLY-beta").await.unwrap_err();
    assert!(refused.refused("AUTHN"), "{refused}");
}

/// As the serving role: with a tenant set, its rows and no others in every table; with none, no rows at all.
async fn tables_are_apart(town: &Town, alpha: &Side, beta: &Side) {
    let record = control_plane::db::embedded::Record::of_running(Path::new(town.state())).unwrap().unwrap();
    let mut app: PgConnection = record.urls().app.connect().await.unwrap();
    let tables: Vec<String> = sqlx::query(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' \
         WHERE n.nspname = 'app' AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
         AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1",
    )
    .fetch_all(&mut app)
    .await
    .unwrap()
    .iter()
    .map(|row| row.get(0))
    .collect();
    assert!(tables.len() >= 8, "{tables:?}");
    let mut filled = BTreeSet::new();
    for table in &tables {
        assert_eq!(rows(&mut app, None, table, "true").await, 0, "{table} shows rows without a tenant");
        for side in [alpha, beta] {
            let foreign = rows(&mut app, Some(&side.tenant), table, &format!("tenant_id <> '{}'", side.tenant)).await;
            assert_eq!(foreign, 0, "{} sees foreign rows of {table}", side.marker);
            if rows(&mut app, Some(&side.tenant), table, "true").await > 0 {
                filled.insert((side.marker, table.clone()));
            }
        }
    }
    for side in ["alpha", "beta"] {
        let count = filled.iter().filter(|(marker, _)| *marker == side).count();
        assert!(count >= 6, "only {count} tables have rows of {side}: {filled:?}");
    }
    app.close().await.unwrap();
}

async fn rows(app: &mut PgConnection, tenant: Option<&str>, table: &str, which: &str) -> i64 {
    let mut tx = app.begin().await.unwrap();
    if let Some(tenant) = tenant {
        sqlx::query("SELECT set_config('app.tenant_id', $1, true)").bind(tenant).execute(&mut *tx).await.unwrap();
    }
    let count = format!("SELECT count(*) FROM app.\"{table}\" WHERE {which}");
    let found: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut *tx).await.unwrap();
    tx.rollback().await.unwrap();
    found
}
