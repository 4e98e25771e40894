//! A shop with its MQTT doors, and the foreign clients of the tests. Knows the command lines of mosquitto's clients.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use edge_agent::desk::NewLane;
use edge_agent::mqtt::broker::Upstream;
use serde_json::Value;
use tillway_tests::printer::PrinterSim;
use tillway_tests::world::World;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::raw::Raw;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
const CATALOGUE: &str =
    "code,description,unit_price,tax_rate_percent,unit,barcodes\nMUG,Mug,4.50,20,piece,5012345678900\n";

/// One shop of one node.
pub struct Shop {
    world: World,
    /// TLS on the LAN.
    pub tls: SocketAddr,
    /// Plain on loopback.
    pub plain: SocketAddr,
    /// The shop's id, as it stands in topics.
    pub id: String,
    /// The file of the shop's CA.
    pub ca: PathBuf,
    code: String,
}

/// A door, as a foreign client is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// TLS with the shop's CA.
    Tls,
    /// Plain loopback.
    Plain,
}

impl Shop {
    /// Opens it.
    pub async fn open(name: &str) -> Self {
        let shop = Self::of(World::open(name, 1, CATALOGUE).await.unwrap()).await;
        shop.has_broker(1).await;
        shop
    }

    /// Opens it with a receipt printer `counter`.
    pub async fn with_printer(name: &str, printer: &PrinterSim) -> Self {
        let printer = format!(
            "[[printer]]\nname = \"counter\"\ndriver = \"escpos-tcp\"\naddress = \"{}\"\nwidth = 48\nlanes = [\"*\"]\n",
            printer.address
        );
        let shop = Self::with(name, |config| format!("{config}\n{printer}")).await;
        shop.has_broker(1).await;
        shop
    }

    /// Opens it with its `node.toml` as `change` makes it.
    pub async fn with(name: &str, change: impl FnOnce(String) -> String) -> Self {
        let mut world = World::open(name, 1, CATALOGUE).await.unwrap();
        let store = &mut world.stores[0];
        store.stop().await;
        let path = store.dir().join("node.toml");
        std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
        store.start().await.unwrap();
        Self::of(world).await
    }

    async fn of(world: World) -> Self {
        let store = &world.stores[0];
        let running = store.agent().unwrap();
        // A door that is shut has no address; nobody gets anywhere at this one.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let (tls, plain) = (running.addresses.mqtt_tls, running.addresses.mqtt_plain);
        let (tls, plain) = (tls.unwrap_or(nowhere), plain.unwrap_or(nowhere));
        let code = running.desk.make_code(32).await.unwrap().code;
        let (id, ca) = (store.shop.clone(), store.dir().join("identity/shop-ca.crt"));
        Self { world, tls, plain, id, ca, code }
    }

    /// Waits until the broker has this number: how many there were since the node started.
    pub async fn has_broker(&self, number: u64) {
        let mut broker = self.world.stores[0].agent().unwrap().mqtt.as_ref().unwrap().broker.clone();
        let is = |broker: &Option<_>| broker.as_ref().is_some_and(|broker: &Arc<Upstream>| broker.number >= number);
        timeout(PATIENCE, broker.wait_for(is)).await.unwrap().unwrap();
    }

    /// The broker dies as it would of a fault of its own.
    pub fn crash_broker(&self) {
        let broker = self.world.stores[0].agent().unwrap().mqtt.as_ref().unwrap().broker.borrow().clone();
        broker.unwrap().crash();
    }

    /// What the terminal API answers: status and body.
    pub async fn ask(&self, path: &str) -> (u16, Value) {
        let address = self.world.stores[0].agent().unwrap().addresses.terminal_http;
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Sells a mug at a till of its own.
    pub async fn sell(&self) {
        let mut lane = self.world.stores[0].lane("Counter").await.unwrap();
        let ticket = lane.open("a:open", "sale", None, None).await.unwrap();
        let line = serde_json::json!({"code": "MUG", "quantity": "1"});
        let rung = lane.ring("a:1", &ticket.id, &line).await.unwrap();
        lane.close("a:close", &ticket.id, "cash", rung.totals.total_minor, rung.revision).await.unwrap();
    }

    /// The node's folder.
    pub fn dir(&self) -> &Path {
        self.world.stores[0].dir()
    }

    /// A paired lane.
    pub async fn lane(&self, name: &str) -> NewLane {
        self.world.stores[0].agent().unwrap().desk.pair(self.code.clone(), name.to_owned()).await.unwrap()
    }

    /// Takes a lane's token away.
    pub async fn revoke(&self, lane: &NewLane) {
        self.world.stores[0].agent().unwrap().desk.revoke(lane.id).await.unwrap();
    }

    /// Where the broker inside listens.
    pub fn broker(&self) -> [SocketAddr; 2] {
        self.world.stores[0].agent().unwrap().mqtt.as_ref().unwrap().broker.borrow().as_ref().unwrap().addresses()
    }

    /// The metrics of this process.
    pub async fn metrics(&self) -> String {
        let address = self.world.stores[0].agent().unwrap().addresses.metrics.unwrap();
        reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap()
    }

    /// A lane's topic.
    pub fn topic(&self, lane: &NewLane, channel: &str) -> String {
        format!("tw/{}/lane/{}/{channel}", self.id, lane.id)
    }

    /// Ends it.
    pub async fn close(self) {
        self.world.close().await.unwrap();
    }

    fn arguments(&self, way: Way, version: &str, user: &str, token: &str) -> Vec<String> {
        let (port, mut more) = match way {
            Way::Tls => (self.tls.port(), vec!["--cafile".to_owned(), self.ca.display().to_string()]),
            Way::Plain => (self.plain.port(), Vec::new()),
        };
        let fixed = ["-h", "localhost", "-V", version, "-u", user, "-P", token, "-p", &port.to_string()];
        more.extend(fixed.map(str::to_owned));
        more
    }

    /// `mosquitto_sub`, subscribed.
    pub async fn mosquitto(&self, way: Way, version: &str, lane: &NewLane, filter: &str) -> Follower {
        self.mosquitto_with(way, version, lane, &[filter], &[]).await
    }

    /// `mosquitto_sub` with more filters and more arguments, subscribed.
    pub async fn mosquitto_with(
        &self,
        way: Way,
        version: &str,
        lane: &NewLane,
        filters: &[&str],
        more: &[&str],
    ) -> Follower {
        // Its lines are wanted as they come, not by the page.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "mosquitto_sub"]).args(self.arguments(way, version, &lane.id.to_string(), &lane.token));
        command.args(["-d", "-q", "1", "-F", "got %t %p"]).args(more);
        for filter in filters {
            command.args(["-t", filter]);
        }
        let mut follower = Follower::spawn(command);
        follower.until("Subscribed").await;
        follower
    }

    /// `mosquitto_pub` to its end: whether it was content, and what it said.
    pub async fn publish(&self, way: Way, version: &str, (user, token): (&str, &str), more: &[&str]) -> (bool, String) {
        let mut command = Command::new("mosquitto_pub");
        command.args(self.arguments(way, version, user, token)).args(["-d", "-q", "1"]).args(more);
        let output = timeout(PATIENCE, command.kill_on_drop(true).output()).await.unwrap().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), said)
    }

    /// paho, with whatever filters and words; it has connected.
    pub fn paho(&self, way: Way, version: &str, lane: &NewLane, name: &str, more: &[&str]) -> Follower {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mqtt/follow.py"));
        let (port, ca) = match way {
            Way::Tls => (self.tls.port(), self.ca.display().to_string()),
            Way::Plain => (self.plain.port(), "-".to_owned()),
        };
        let client = format!("{}.{name}", lane.id);
        command.args(["localhost", &port.to_string(), version, &ca, &lane.id.to_string(), &lane.token, &client]);
        Follower::spawn({
            command.args(more);
            command
        })
    }

    /// A raw connection to the plain door.
    pub async fn knock(&self) -> Raw {
        Raw(TcpStream::connect(self.plain).await.unwrap())
    }

    /// A raw connection that has signed in with 3.1.1.
    pub async fn signed_in(&self, lane: &NewLane, name: &str) -> Raw {
        let mut raw = self.knock().await;
        raw.sign_in(lane, name).await;
        raw
    }

    /// The same from another address of this machine: all of 127/8 is its own.
    pub async fn knock_from(&self, from: [u8; 4]) -> Raw {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        Raw(socket.connect(self.plain).await.unwrap())
    }
}

/// A foreign client that prints what it hears.
pub struct Follower {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follower {
    fn spawn(mut command: Command) -> Self {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = pipes.kill_on_drop(true).spawn().expect("the foreign client is installed (.ci/need)");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line that begins so; lines before it are passed over. What follows the word.
    pub async fn until(&mut self, word: &str) -> String {
        let look = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if let Some(rest) = line.strip_prefix(word) {
                    return rest.trim().to_owned();
                }
            }
            panic!("it ended before it said {word:?}");
        };
        timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("it never said {word:?}"))
    }

    /// The next message on a topic that ends so with these words in it; others are passed over.
    pub async fn hears(&mut self, topic: &str, words: &str) -> String {
        loop {
            let got = self.until("got").await;
            let (at, said) = got.split_once(' ').unwrap_or((&got, ""));
            if at.ends_with(topic) && said.contains(words) {
                return said.to_owned();
            }
        }
    }

    /// Ends it.
    pub async fn end(mut self) {
        drop(self.child.stdin.take());
        self.child.kill().await.unwrap();
    }
}
