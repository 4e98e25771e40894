//! A node in a temporary folder and lanes that talk to it. Restarting, killing and losing the index are one
//! call each.

use edge_agent::agent::{self, AgentOptions, Running};
use edge_agent::clock::Clock;
use edge_agent::snapshot::Snapshots;
use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use protocol::collection::{Catalogue, Delivery, Product, ShopSettings, Unit, Version};
use protocol::id::ShopId;
use protocol::money::Currency;
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use protocol::timestamp::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// 20 November 2026, 10:00 in London.
pub const NOW: Timestamp = Timestamp(1_795_168_800_000);

pub struct Node {
    pub dir: tempfile::TempDir,
    pub clock: Clock,
    pub running: Option<Running>,
    config: NodeConfig,
}

#[derive(Clone)]
pub struct Lane {
    pub base: String,
    pub id: String,
    pub token: String,
    pub http: reqwest::Client,
}

pub struct Answer {
    pub status: StatusCode,
    pub bytes: Vec<u8>,
}

pub fn settings() -> ShopSettings {
    ShopSettings {
        version: Version(1),
        shop: ShopId::from_uuid(uuid::Uuid::from_u128(2)),
        name: "High Street".into(),
        zone: "Europe/London".into(),
        day_starts_minutes: 240,
        currency: Currency::GBP,
        tax_mode: TaxMode::Inclusive,
        tax_basis: TaxBasis::PerReceipt,
        cash_step: 1,
        late_entry: true,
        open_line_tax_rate: TaxRate::from_ppm(200_000).unwrap(),
    }
}

pub fn product(code: &str, description: &str, price: &str) -> Product {
    Product {
        code: code.into(),
        description: description.into(),
        unit_price: price.parse().unwrap(),
        tax_rate: TaxRate::from_ppm(200_000).unwrap(),
        unit: Unit::Piece,
        barcodes: vec![format!("50{code}")],
    }
}

pub fn catalogue(version: u64) -> Catalogue {
    let products = [
        product("85123A", "WHITE HANGING HEART T-LIGHT HOLDER", "2.55"),
        product("71053", "WHITE METAL LANTERN", "3.39"),
        product("22423", "REGENCY CAKESTAND 3 TIER", "12.75"),
        product("FREE", "PRINTED CARRIER BAG", "0"),
        product("THIRD", "A THIRD OF A POUND", "0.3333"),
    ];
    let products = products.into_iter().map(|p| (p.code.clone(), p)).collect();
    Catalogue { version: Version(version), products }
}

const CONFIG: &str = r#"
        [node]
        tenant_id = "00000000-0000-0000-0000-000000000001"
        shop_id = "00000000-0000-0000-0000-000000000002"
        node_id = "00000000-0000-0000-0000-000000000003"
        term = 1
        name = "node under test"
        [hq]
        quic = "127.0.0.1:1"
        server_name = "hq.invalid"
        [terminal]
        https = "127.0.0.1:0"
        http = "127.0.0.1:0"
        [metrics]
        listen = "127.0.0.1:0"
"#;

impl Node {
    pub async fn start() -> Self {
        Self::with(settings(), Some(catalogue(1))).await
    }

    pub async fn with(settings: ShopSettings, catalogue: Option<Catalogue>) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let dir = tempfile::tempdir().unwrap();
        let config = NodeConfig::parse(CONFIG).unwrap();
        let layout = Layout::new(dir.path(), &config);
        let snapshots = Snapshots::open(&layout, tokio::sync::broadcast::channel(1).0).unwrap();
        snapshots.apply(Delivery::Shop(settings).to_bytes().unwrap()).unwrap();
        if let Some(catalogue) = catalogue {
            snapshots.apply(Delivery::Catalogue(catalogue).to_bytes().unwrap()).unwrap();
        }
        let mut node = Self { dir, clock: Clock::manual(NOW), running: None, config };
        node.go().await;
        node
    }

    /// Starts the agent on what is on the disk.
    pub async fn go(&mut self) {
        let options =
            AgentOptions { config: self.config.clone(), dir: self.dir.path().to_owned(), clock: self.clock.clone() };
        self.running = Some(agent::start(options).await.unwrap());
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.running().addresses.terminal_http)
    }

    pub fn layout(&self) -> Layout {
        Layout::new(self.dir.path(), &self.config)
    }

    /// What the node is told to be at its next start.
    pub fn config_mut(&mut self) -> &mut NodeConfig {
        &mut self.config
    }

    /// Writes `node.toml` as enrolment does, for tools that want the file.
    pub fn write_config(&self) -> std::path::PathBuf {
        let path = self.layout().config();
        std::fs::write(&path, CONFIG).unwrap();
        path
    }

    pub async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        self.go().await;
    }

    /// Stops, deletes the index and starts again.
    pub async fn lose_index(&mut self) {
        self.stop().await;
        std::fs::remove_dir_all(self.layout().index()).unwrap();
        self.go().await;
    }

    pub async fn lane(&self, name: &str) -> Lane {
        let http = reqwest::Client::new();
        let code = self.running().desk.make_code(1).await.unwrap().code;
        let body = json!({ "code": code, "name": name });
        let answer: Value =
            http.post(format!("{}/v1/pair", self.base())).json(&body).send().await.unwrap().json().await.unwrap();
        let text = |field: &str| answer["data"][field].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        Lane { base: self.base(), id: text("lane_id"), token: text("token"), http }
    }

    /// The same lane, at the address of the agent that runs now.
    pub fn again(&self, lane: &Lane) -> Lane {
        Lane { base: self.base(), ..lane.clone() }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&self.bytes)))
    }

    /// The data of a success.
    #[track_caller]
    pub fn data(&self) -> Value {
        let body = self.json();
        assert!(self.status.is_success(), "{} {body}", self.status);
        body["data"].clone()
    }

    /// Checks the shape of an error and gives its message.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str) -> String {
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["error"]["code"].as_str()), (status, Some(code)), "{body}");
        let message = body["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.len() > 10, "{body}");
        message
    }
}

impl Lane {
    pub async fn ask(&self, method: Method, path: &str, key: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        Answer { status, bytes: response.bytes().await.unwrap().to_vec() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None, None).await
    }

    /// A write under a fresh key.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.keyed(&uuid::Uuid::new_v4().to_string(), path, body).await
    }

    pub async fn keyed(&self, key: &str, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(key), Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, Some(&uuid::Uuid::new_v4().to_string()), Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PATCH, path, Some(&uuid::Uuid::new_v4().to_string()), Some(body)).await
    }

    /// Opens a ticket and gives its path.
    pub async fn open(&self, body: Value) -> String {
        let ticket = self.post("/v1/tickets", body).await.data();
        format!("/v1/tickets/{}", ticket["id"].as_str().unwrap())
    }

    pub async fn sale(&self) -> String {
        self.open(json!({ "kind": "sale" })).await
    }

    pub async fn line(&self, ticket: &str, body: Value) -> Value {
        self.post(&format!("{ticket}/lines"), body).await.data()
    }

    /// Closes with cash of so many minor units (none for nothing).
    pub async fn close(&self, ticket: &str, cash_minor: i64) -> Value {
        let tenders = if cash_minor == 0 { json!([]) } else { json!([{ "kind": "cash", "amount_minor": cash_minor }]) };
        self.post(&format!("{ticket}/close"), json!({ "tenders": tenders })).await.data()["receipt"].clone()
    }

    /// Sells lines of (code, quantity) for exact cash.
    pub async fn sell(&self, lines: &[(&str, &str)], total_minor: i64) -> Value {
        let ticket = self.sale().await;
        for (code, quantity) in lines {
            self.line(&ticket, json!({ "code": code, "quantity": quantity })).await;
        }
        self.close(&ticket, total_minor).await
    }
}
