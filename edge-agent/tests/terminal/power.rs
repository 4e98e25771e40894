//! kill -9 under load, again and again: what a lane was answered is there, once, with the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use edge_agent::ledger::{Logs, Options};
use protocol::event::FiscalEvent;
use protocol::id::{Seq, Stream, Term};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::Node;

const KILLS: usize = 5;
const LANES: usize = 4;

/// The agent as its own process, on the folder of a node.
pub struct Process {
    child: Child,
}

impl Process {
    pub fn start(config: &Path, addresses: &Path) -> Self {
        drop(std::fs::remove_file(addresses));
        let mut command = Command::new(env!("CARGO_BIN_EXE_edge-agent"));
        command.arg("run").arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().unwrap() }
    }

    /// Its address, once it has one.
    pub async fn base(addresses: &Path) -> String {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        let found = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                tick.tick().await;
                let Ok(bytes) = std::fs::read(addresses) else { continue };
                let Ok(told) = serde_json::from_slice::<Value>(&bytes) else { continue };
                return format!("http://{}", told["terminal_http"].as_str().unwrap());
            }
        });
        found.await.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A till that sells until it is told to stop and repeats what was not answered, as terminals do.
struct Till {
    http: reqwest::Client,
    addresses: PathBuf,
    token: String,
    keys: u64,
    receipts: BTreeMap<String, Vec<u8>>,
}

impl Till {
    async fn pair(addresses: &Path, code: &str, name: &str) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let base = Process::base(addresses).await;
        let body = json!({ "code": code, "name": name });
        let paired: Value =
            http.post(format!("{base}/v1/pair")).json(&body).send().await.unwrap().json().await.unwrap();
        let token = paired["data"]["token"].as_str().unwrap().to_owned();
        Self { http, addresses: addresses.to_owned(), token, keys: 0, receipts: BTreeMap::new() }
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        format!("{}-{}", &self.token[..8], self.keys)
    }

    /// Asks until there is an answer, under one key, through as many restarts as it takes.
    async fn ask(&mut self, key: &str, path: &str, body: &Value) -> (StatusCode, Vec<u8>) {
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        loop {
            pause.tick().await;
            let base = Process::base(&self.addresses).await;
            let request = self.http.post(format!("{base}{path}")).bearer_auth(&self.token);
            let Ok(response) = request.header("Idempotency-Key", key).json(body).send().await else { continue };
            let status = response.status();
            if let (Ok(bytes), false) = (response.bytes().await, status.is_server_error()) {
                return (status, bytes.to_vec());
            }
        }
    }

    /// One sale. A basket whose last changes died with the power is rung anew; a close is repeated to its end.
    async fn sell(&mut self) {
        loop {
            let key = self.key();
            let (status, opened) = self.ask(&key, "/v1/tickets", &json!({ "kind": "sale" })).await;
            assert_eq!(status, StatusCode::CREATED);
            let opened: Value = serde_json::from_slice(&opened).unwrap();
            let ticket = format!("/v1/tickets/{}", opened["data"]["id"].as_str().unwrap());
            let (key, line) = (self.key(), json!({ "code": "85123A", "quantity": "1" }));
            if self.ask(&key, &format!("{ticket}/lines"), &line).await.0 != StatusCode::CREATED {
                continue;
            }
            let (key, close) = (self.key(), format!("{ticket}/close"));
            // The revision says what was seen: a lost line refuses the close.
            let pay = json!({ "tenders": [{ "kind": "cash", "amount_minor": 255 }], "revision": 2 });
            let (status, receipt) = self.ask(&key, &close, &pay).await;
            if status == StatusCode::OK {
                let again = self.ask(&key, &close, &pay).await;
                assert_eq!((again.0, &again.1), (StatusCode::OK, &receipt));
                self.receipts.insert(key, receipt);
                return;
            }
            assert!([StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&status), "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_under_load_loses_and_repeats_nothing() {
    let mut node = Node::start().await;
    let (config, addresses) = (node.write_config(), node.layout().addresses());
    node.stop().await;
    let mut process = Process::start(&config, &addresses);
    let code = pairing_code(&config, &addresses).await;
    let mut tills = Vec::new();
    for n in 0..LANES {
        tills.push(Till::pair(&addresses, &code, &format!("till {n}")).await);
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (count, mut sold) = tokio::sync::watch::channel(0);
    let mut tasks = tokio::task::JoinSet::new();
    for mut till in tills {
        let (stopped, count) = (stopped.clone(), count.clone());
        tasks.spawn(async move {
            while !*stopped.borrow() {
                till.sell().await;
                count.send_modify(|sold| *sold += 1);
            }
            till
        });
    }
    for kill in 1..=KILLS {
        // Load, not time, decides when the power goes.
        let enough = kill * LANES * 4;
        let busy = sold.wait_for(|sold| *sold >= enough);
        drop(tokio::time::timeout(Duration::from_secs(60), busy).await.unwrap().unwrap());
        process = {
            drop(process);
            Process::start(&config, &addresses)
        };
    }
    stop.send(true).unwrap();
    let tills = tokio::time::timeout(Duration::from_secs(60), tasks.join_all()).await.unwrap();
    drop(process);

    let (logs, _) = Logs::open(&node.layout().logs(), node_id(), Term(1), Options::default()).unwrap();
    let mut keys = BTreeMap::new();
    logs.replay(Stream::Fiscal, Seq(1), &mut |record| {
        let event = FiscalEvent::decode(&record.event).unwrap().unwrap();
        let FiscalEvent::TicketClosed(closed) = event else { panic!("{event:?}") };
        assert!(keys.insert(closed.idempotency_key.clone(), record.seq).is_none(), "sold twice: {closed:?}");
        assert_eq!(closed.totals.total.minor(), 255);
        Ok(())
    })
    .unwrap();
    let mut answered = 0;
    for till in &tills {
        for (key, receipt) in &till.receipts {
            let receipt: Value = serde_json::from_slice(receipt).unwrap();
            assert_eq!(receipt["data"]["receipt"]["seq"].as_u64(), keys.get(key).map(|seq| seq.0), "{key}");
            answered += 1;
        }
    }
    assert_eq!(answered, keys.len(), "every record was answered in the end");
    assert!(answered > KILLS * LANES, "{answered} sales are no load");
}

/// Asks the running agent for a code, as a person does.
async fn pairing_code(config: &Path, addresses: &Path) -> String {
    Process::base(addresses).await;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_edge-agent"));
    command.args(["pairing", "create", "--json", "--lanes", &LANES.to_string(), "--config"]).arg(config);
    let made: Value = serde_json::from_slice(&command.output().await.unwrap().stdout).unwrap();
    made["code"].as_str().unwrap().to_owned()
}

fn node_id() -> protocol::id::NodeId {
    protocol::id::NodeId::from_uuid(uuid::Uuid::from_u128(3))
}
