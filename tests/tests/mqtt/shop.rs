//! A shop with its MQTT doors, the foreign clients of the tests and raw connections to the guard. Knows the command
//! lines of mosquitto's clients and the first bytes of the protocol.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use edge_agent::desk::NewLane;
use tillway_tests::world::World;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

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
        let world = World::open(name, 1, CATALOGUE).await.unwrap();
        let store = &world.stores[0];
        let running = store.agent().unwrap();
        let (tls, plain) = (running.addresses.mqtt_tls.unwrap(), running.addresses.mqtt_plain.unwrap());
        let code = running.desk.make_code(32).await.unwrap().code;
        let (id, ca) = (store.shop.clone(), store.dir().join("identity/shop-ca.crt"));
        let mut broker = running.mqtt.as_ref().unwrap().broker.clone();
        timeout(PATIENCE, broker.wait_for(Option::is_some)).await.unwrap().unwrap();
        Self { world, tls, plain, id, ca, code }
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
        // Its lines are wanted as they come, not by the page.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "mosquitto_sub"]).args(self.arguments(way, version, &lane.id.to_string(), &lane.token));
        command.args(["-d", "-q", "1", "-F", "got %t %p", "-t", filter]);
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
        raw.send(&connect(4, 30, &format!("{}.{name}", lane.id), &lane.id.to_string(), &lane.token)).await;
        assert_eq!(raw.read(4).await, [0x20, 2, 0, 0], "let in");
        raw
    }
}

/// A CONNECT of either protocol.
pub fn connect(level: u8, keep_alive: u8, client_id: &str, user: &str, password: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, 0b1100_0010, 0, keep_alive];
    if level == 5 {
        body.push(0);
    }
    for text in [client_id, user, password] {
        body.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    packet(0x10, &body)
}

/// A PUBLISH of QoS 0 in 3.1.1.
pub fn message(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    body.extend_from_slice(payload);
    packet(0x30, &body)
}

/// First byte, length, body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut out, mut length) = (vec![first], body.len());
    loop {
        let low = u8::try_from(length % 128).unwrap();
        length /= 128;
        out.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

/// A connection without manners.
pub struct Raw(pub TcpStream);

impl Raw {
    /// Sends; the other side may be gone already.
    pub async fn send(&mut self, bytes: &[u8]) {
        drop(self.0.write_all(bytes).await);
    }

    /// Reads so many bytes.
    pub async fn read(&mut self, bytes: usize) -> Vec<u8> {
        let mut found = vec![0; bytes];
        timeout(PATIENCE, self.0.read_exact(&mut found)).await.unwrap().unwrap();
        found
    }

    /// What still comes until the guard has closed.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut found = Vec::new();
        // A reset is an end too.
        drop(timeout(PATIENCE, self.0.read_to_end(&mut found)).await.expect("the guard closes"));
        found
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

    /// Ends it.
    pub async fn end(mut self) {
        drop(self.child.stdin.take());
        self.child.kill().await.unwrap();
    }
}
