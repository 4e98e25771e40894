//! The ground: one head office, two tenants with the same words in their catalogues, each with a shop, a node, a sale
//! and an import; for each a session that stands and one that has ended, for the API and for the pages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use control_plane::db::TenantTx;
use control_plane::domain::notifications::{self, Kind, Notice};
use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tillway_tests::cloud::Cloud;
use tillway_tests::hq::Hq;
use tillway_tests::lane::{Lane, path_segment};
use tillway_tests::process::passing_folder;
use tillway_tests::store::Store;
use tillway_tests::town::SignIn;

use crate::colleague::Colleague;

const SOON: Duration = Duration::from_secs(60);

/// One tenant with its things.
pub struct Side {
    pub marker: &'static str,
    pub tenant: TenantId,
    pub hq: Hq,
    pub who: SignIn,
    pub shop: String,
    pub node: String,
    pub code: String,
    pub import: String,
    pub provider: String,
    pub notice: String,
    /// Somebody of its staff.
    pub staff: String,
    /// A person, a role, an assignment, a region, a session.
    more: BTreeMap<&'static str, String>,
    pub store: Store,
    pub lane: Lane,
    /// An access token whose session has ended.
    pub ended_token: String,
    /// The cookie of a session of the pages, and its proof for forms.
    pub cookie: String,
    pub csrf: String,
    /// The cookie of one that has ended.
    pub ended_cookie: String,
}

pub struct Ground {
    pub cloud: Cloud,
    pub alpha: Side,
    pub beta: Side,
    /// Somebody else of alpha, who holds what a test gives them.
    pub colleague: Colleague,
    /// Keeps its connections over all requests of the matrix.
    pub client: Client,
    _folder: tempfile::TempDir,
}

/// What came back.
pub struct Heard {
    pub status: StatusCode,
    pub text: String,
    pub location: String,
}

pub fn client() -> Client {
    Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(30)).build().unwrap()
}

impl Ground {
    pub async fn lay() -> Self {
        tillway_tests::trust::install();
        let millis = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let now = Arc::new(AtomicI64::new(i64::try_from(millis).unwrap()));
        let folder = passing_folder("tillway-apart-").unwrap();
        let cloud = Cloud::start(Arc::clone(&now)).await.unwrap();
        let alpha = Side::open(&cloud, "alphamark", folder.path(), &now).await;
        let beta = Side::open(&cloud, "betamark", folder.path(), &now).await;
        let colleague = Colleague::join(&cloud, &alpha).await;
        Self { cloud, alpha, beta, colleague, client: client(), _folder: folder }
    }

    /// The rows of a tenant, table by table: how many, and a hash over all of them. What every request moves (sessions
    /// seen, idempotency of the tenant itself) does not belong to what others could change, and is looked at too.
    pub async fn rows_of(&self, side: &Side) -> BTreeMap<String, (i64, String)> {
        let mut tx = TenantTx::begin(&self.cloud.app.db, side.tenant).await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'app'::regnamespace
             AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1",
        )
        .fetch_all(tx.conn())
        .await
        .unwrap();
        let mut found = BTreeMap::new();
        for table in tables {
            let sql = format!(
                "SELECT count(*), coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM app.\"{table}\" t"
            );
            let rows: (i64, String) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(tx.conn()).await.unwrap();
            found.insert(table, rows);
        }
        found
    }
}

impl Side {
    async fn open(cloud: &Cloud, marker: &'static str, folder: &std::path::Path, now: &Arc<AtomicI64>) -> Self {
        let (hq, who) = cloud.tenant(&format!("{marker} Ltd")).await.unwrap();
        let me: Value = hq.call(Method::GET, "/v1/auth/me", None).await.unwrap();
        let tenant = find_tenant(&me).unwrap_or_else(|| panic!("no tenant in {me}"));
        let code = format!("ONLY-{marker}");
        let csv = format!("code,description,unit_price\n{code},secret of {marker},9.99\nTEA,tea of {marker},2.50\n");
        let imported: Value = hq.call(Method::POST, "/v1/catalog/imports", Some(("text/csv", csv))).await.unwrap();
        assert_eq!(imported["accepted"], 2, "{imported}");
        let provider = json!({"label": format!("account of {marker}"), "issuer": format!("https://id.{marker}.example"),
            "client_id": marker, "client_secret": "x"});
        let provider = Some(("application/json", provider.to_string()));
        let provider: Value = hq.call(Method::POST, "/v1/sso/providers", provider).await.unwrap();
        let provider = provider["id"].as_str().unwrap_or_else(|| panic!("no id in {provider}")).to_owned();
        let store =
            Store::open(cloud, &hq, &format!("{marker} street"), &folder.join(marker), Arc::clone(now)).await.unwrap();
        let staff = Some((
            "application/json",
            json!({"name": format!("{marker} cashier"), "shop_ids": [store.shop]}).to_string(),
        ));
        let staff: Value = hq.call(Method::POST, "/v1/staff", staff).await.unwrap();
        let staff = staff["id"].as_str().unwrap_or_else(|| panic!("no id in {staff}")).to_owned();
        let mut lane = store.lane(&format!("till of {marker}")).await.unwrap();
        sell(&mut lane, &code).await;
        let node = arrived(&hq, &store.shop).await;
        let ended = Hq::sign_in(cloud.url(), &who.email, &who.password).await.unwrap();
        let _: Value = ended
            .call(Method::POST, "/v1/auth/logout", Some(("application/json", "{}".to_owned())))
            .await
            .unwrap_or_default();
        let (cookie, csrf) = page_session(cloud.url(), &who).await;
        let import = page_import(cloud, tenant, &cookie, &csrf).await;
        let notice = told(cloud, tenant, marker, now).await;
        let more = more(cloud, &hq, tenant).await;
        let (ended_cookie, ended_csrf) = page_session(cloud.url(), &who).await;
        let out = client()
            .post(format!("{}/sign-out", cloud.url()))
            .header(COOKIE, &ended_cookie)
            .header(ORIGIN, cloud.url());
        let out = form(out, &[("csrf", &ended_csrf)]).send().await.unwrap();
        assert_eq!(out.status(), StatusCode::SEE_OTHER, "signing out of the pages");
        let (shop, ended_token) = (store.shop.clone(), ended.token());
        Self {
            marker,
            notice,
            tenant,
            hq,
            who,
            shop,
            node,
            code,
            import,
            provider,
            staff,
            more,
            store,
            lane,
            ended_token,
            cookie,
            csrf,
            ended_cookie,
        }
    }

    /// What placeholders of the cases stand for, besides `{id}`, which a case gives one of these meanings.
    pub const THINGS: &[&str] = &[
        "shop",
        "shop_id",
        "node",
        "node_id",
        "code",
        "import",
        "provider",
        "notice_id",
        "staff",
        "person",
        "role",
        "assignment",
        "region",
        "session",
        "passkey",
        "session_id",
        "invitation",
        "key",
        "visit_id",
        "tenant_id",
        "registration",
        "job_id",
    ];

    /// One of them.
    pub fn thing(&self, name: &str) -> String {
        match name {
            "shop" | "shop_id" => self.shop.clone(),
            "node" | "node_id" => self.node.clone(),
            "code" => self.code.clone(),
            "import" => self.import.clone(),
            "provider" => self.provider.clone(),
            "notice_id" => self.notice.clone(),
            "staff" => self.staff.clone(),
            // What nobody has on this ground: missing for everybody.
            "tenant_id" => self.tenant.to_string(),
            "visit_id" => self.more["visit"].clone(),
            "passkey" | "registration" | "job_id" => uuid::Uuid::from_u128(7).to_string(),
            "session_id" => self.more["session"].clone(),
            "person" | "role" | "assignment" | "region" | "session" | "invitation" | "key" => self.more[name].clone(),
            _ => panic!("a case names {name}: add it to Side::THINGS and Side::thing in ground.rs"),
        }
    }

    /// What nobody else may ever read.
    pub fn secrets(&self) -> Vec<String> {
        vec![
            self.marker.to_owned(),
            self.tenant.to_string(),
            self.shop.clone(),
            self.node.clone(),
            self.provider.clone(),
            self.staff.clone(),
            self.who.email.clone(),
        ]
    }
}

fn find_tenant(me: &Value) -> Option<TenantId> {
    let text = [&me["tenant_id"], &me["tenant"]["id"], &me["tenant"]].into_iter().find_map(Value::as_str)?;
    text.parse().ok()
}

async fn sell(lane: &mut Lane, code: &str) {
    let began = Instant::now();
    while lane.product(code).await.is_err() {
        assert!(began.elapsed() < SOON, "the catalogue has not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ticket = lane.open("o", "sale", Some("paper 1"), None).await.unwrap();
    let rung = lane.ring("r", &ticket.id, &json!({"code": code, "quantity": "1"})).await.unwrap();
    lane.close("c", &ticket.id, "cash", rung.totals.total_minor, rung.revision).await.unwrap();
}

/// Waits for the sale; the node's id.
async fn arrived(hq: &Hq, shop: &str) -> String {
    let began = Instant::now();
    loop {
        let nodes = hq.completeness(shop).await.unwrap();
        if let Some(node) = nodes.iter().find(|node| node.received == 1) {
            return node.node_id.clone();
        }
        assert!(began.elapsed() < SOON, "the sale has not arrived: {nodes:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Signs in at the pages; the cookie and the proof that a form needs.
pub async fn page_session(base: &str, who: &SignIn) -> (String, String) {
    let enter = client().post(format!("{base}/sign-in")).header(ORIGIN, base);
    let entered = form(enter, &[("email", &who.email), ("password", &who.password)]).send().await.unwrap();
    assert_eq!(entered.status(), StatusCode::SEE_OTHER, "signing in at the pages");
    let cookies = entered.headers().get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookie = cookies.filter_map(|line| line.split(';').next()).find(|pair| pair.starts_with("tillway=")).unwrap();
    let cookie = cookie.to_owned();
    let page =
        client().get(format!("{base}/shops")).header(COOKIE, &cookie).send().await.unwrap().text().await.unwrap();
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    assert!(csrf.len() > 10, "the page carries the proof for forms: {page}");
    (cookie, csrf.to_owned())
}

/// A file that is posted by the page of imports; the id of its report.
async fn page_import(cloud: &Cloud, tenant: TenantId, cookie: &str, csrf: &str) -> String {
    let base = cloud.url();
    let request = client().post(format!("{base}/products/import")).header(COOKIE, cookie).header(ORIGIN, base);
    let answer = heard(file(request, csrf, "code,description,unit_price\nFILED,filed,1.00\n")).await;
    assert!(!answer.status.is_client_error() && !answer.status.is_server_error(), "{} {}", answer.status, answer.text);
    let mut tx = TenantTx::begin(&cloud.app.db, tenant).await.unwrap();
    let newest = "SELECT import_id::text FROM app.catalogue_imports ORDER BY made_at DESC LIMIT 1";
    sqlx::query_scalar(newest).fetch_one(tx.conn()).await.unwrap()
}

/// What roles and people are about: the owner, a role, who holds what, a region, and a session of the owner's.
async fn more(cloud: &Cloud, hq: &Hq, tenant: TenantId) -> BTreeMap<&'static str, String> {
    let made = async |path: &str, body: Value| {
        let made: Value = hq.call(Method::POST, path, Some(("application/json", body.to_string()))).await.unwrap();
        made["id"].as_str().unwrap_or_else(|| panic!("no id in {made}")).to_owned()
    };
    let role = made("/v1/rbac/roles", json!({"name": "helper", "permissions": ["shops.read"]})).await;
    let region = made("/v1/regions", json!({"name": "everywhere"})).await;
    let invited = json!({"email": format!("guest@{tenant}.example"), "roles": [{"role": "accountant"}]});
    let invitation = made("/v1/invitations", invited).await;
    let key = made("/v1/keys", json!({"name": "bookkeeping", "permissions": ["sales.read"]})).await;
    let mut tx = TenantTx::begin(&cloud.app.db, tenant).await.unwrap();
    let found = "SELECT a.person_id::text, a.assignment_id::text,
                        (SELECT s.session_id::text FROM app.sessions s WHERE s.ended_at IS NULL LIMIT 1)
                 FROM app.assignments a LIMIT 1";
    let (person, assignment, session): (String, String, String) =
        sqlx::query_as(found).fetch_one(tx.conn()).await.unwrap();
    // An operator asks to look in.
    let visit = uuid::Uuid::now_v7();
    let asked = "INSERT INTO app.impersonations (tenant_id, impersonation_id, operator, operator_email, reason, writes, minutes,
                     asked_at, ask_ends_at)
                 VALUES ($1, $2, $2, 'operator@x.example', 'to help', false, 30, now(), now() + interval '1 hour')";
    sqlx::query(asked).bind(tenant.as_uuid()).bind(visit).execute(tx.conn()).await.unwrap();
    tx.save().await.unwrap();
    BTreeMap::from([
        ("visit", visit.to_string()),
        ("role", role),
        ("region", region),
        ("person", person),
        ("assignment", assignment),
        ("session", session),
        ("invitation", invitation),
        ("key", key),
    ])
}

/// Tells the owner something; the id of the notice.
async fn told(cloud: &Cloud, tenant: TenantId, marker: &str, now: &Arc<AtomicI64>) -> String {
    let mut tx = TenantTx::begin(&cloud.app.db, tenant).await.unwrap();
    let owner: uuid::Uuid =
        sqlx::query_scalar("SELECT person_id FROM app.memberships LIMIT 1").fetch_one(tx.conn()).await.unwrap();
    let notice = Notice::new(Kind::Shops, format!("news of {marker}"), "for its owner");
    let now = Timestamp(now.load(Ordering::SeqCst));
    notifications::service::tell(&mut tx, PersonId::from_uuid(owner), &notice, now).await.unwrap();
    let id = "SELECT notice_id::text FROM app.notices LIMIT 1";
    let id = sqlx::query_scalar(id).fetch_one(tx.conn()).await.unwrap();
    tx.save().await.unwrap();
    id
}

/// A file in a form, as a browser sends it.
pub fn file(request: reqwest::RequestBuilder, csrf: &str, csv: &str) -> reqwest::RequestBuilder {
    let edge = "tillwayisolationboundary";
    let body = format!(
        "--{edge}\r\ncontent-disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--{edge}\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"new.csv\"\r\ncontent-type: text/csv\r\n\r\n{csv}\r\n--{edge}--\r\n"
    );
    request.header("content-type", format!("multipart/form-data; boundary={edge}")).body(body)
}

/// A posted form.
pub fn form(request: reqwest::RequestBuilder, pairs: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", path_segment(value))).collect();
    request.header("content-type", "application/x-www-form-urlencoded").body(pairs.join("&"))
}

pub async fn heard(request: reqwest::RequestBuilder) -> Heard {
    let answer = request.send().await.unwrap();
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    Heard { status: answer.status(), location, text: answer.text().await.unwrap() }
}
