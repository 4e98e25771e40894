//! Lanes' ears and mouths: `mosquitto_sub` and `mosquitto_pub` under a lane's credential. Must not know what is said.

use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;
use tillway_tests::lane::Lane;
use tillway_tests::town::Node;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::street::SOON;

/// Who a client is.
#[derive(Clone)]
pub struct Login {
    pub lane: String,
    token: String,
    /// The shop whose topics are heard.
    pub shop: String,
    port: String,
}

impl Login {
    pub fn of(node: &Node, lane: &Lane) -> Self {
        let config: toml::Table = std::fs::read_to_string(node.dir().join("node.toml")).unwrap().parse().unwrap();
        let plain = config["mqtt"]["plain"].as_str().unwrap();
        let port = plain.rsplit(':').next().unwrap().to_owned();
        Self { lane: lane.id.clone(), token: lane.token().to_owned(), shop: node.shop.clone(), port }
    }

    /// A topic of the shop.
    pub fn topic(&self, below: &str) -> String {
        format!("tw/{}/{below}", self.shop)
    }

    fn command(&self, program: &str, client: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.port, "-u", &self.lane, "-P", &self.token]);
        command.args(["-i", &format!("{}.{client}", self.lane), "-q", "1"]).kill_on_drop(true);
        command
    }

    /// Says something; fails when it is not taken.
    pub async fn say(&self, below: &str, body: &Value, retain: bool) {
        let mut command = self.command("mosquitto_pub", "mouth");
        command.args(["-t", &self.topic(below), "-m", &body.to_string()]);
        if retain {
            command.arg("-r");
        }
        let said = command.output().await.unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }

    /// Listens; returns once the subscriptions stand, shown by the node's presence, which is retained.
    pub async fn listen(&self, version: &str, below: &[&str], more: &[&str]) -> Ears {
        let mut command = self.command("mosquitto_sub", "ears");
        command.args(["-V", version, "-F", "%J", "-t", &self.topic("node/+/presence")]).args(more);
        for filter in below {
            command.args(["-t", &self.topic(filter)]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut ears = Ears { child, lines, heard: Vec::new() };
        ears.until("the node's presence", |topic, body| topic.contains("/node/") && body["state"] == "online").await;
        ears
    }
}

/// A client that listens.
pub struct Ears {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// All it has heard, topic and body.
    pub heard: Vec<(String, Value)>,
}

impl Ears {
    /// Listens until such a message comes; gives it.
    pub async fn until(&mut self, what: &str, is: impl Fn(&str, &Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let left = SOON.saturating_sub(began.elapsed());
            let line = match tokio::time::timeout(left, self.lines.next_line()).await {
                Ok(line) => line.unwrap().unwrap_or_else(|| panic!("{what}: the client ended; {:?}", self.heard)),
                Err(_) => panic!("{what}: not heard; {:#?}", self.heard),
            };
            let message: Value = serde_json::from_str(&line).unwrap();
            let (topic, body) = (message["topic"].as_str().unwrap().to_owned(), message["payload"].clone());
            let found = is(&topic, &body);
            self.heard.push((topic, body.clone()));
            if found {
                return body;
            }
        }
    }

    /// Takes its power away: no good-bye.
    pub async fn dies(mut self) -> Vec<(String, Value)> {
        self.child.kill().await.unwrap();
        self.heard
    }
}
