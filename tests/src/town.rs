//! A whole Tillway of real binaries on this machine: head office, and nodes enrolled by claim code as a
//! technician would. Knows command lines and files that DESIGN fixes; nothing of what is inside.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use crate::hq::Hq;
use crate::lane::Lane;
use crate::process::{Running, ask, free_port, run, wait_ready};
use crate::wire::Target;

/// The first start makes a database; on a busy machine that takes a while.
const HQ_READY_WITHIN: Duration = Duration::from_secs(90);
/// A node that starts with a long history on a busy machine.
const NODE_READY_WITHIN: Duration = Duration::from_secs(30);
/// An end is a goodbye to every lane and one last sync.
const END_WITHIN: Duration = Duration::from_secs(30);

/// A person of the made tenant.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// E-mail.
    pub email: String,
    /// Password.
    pub password: String,
}

/// Head office with a database of its own.
pub struct Town {
    dir: PathBuf,
    state: String,
    process: Option<Running>,
    http: SocketAddr,
    quic: SocketAddr,
    /// What `serve` is told beyond its addresses.
    told: Vec<String>,
}

/// A node of a shop.
pub struct Node {
    dir: PathBuf,
    config: String,
    log: PathBuf,
    process: Option<Running>,
    http: SocketAddr,
    metrics: SocketAddr,
    /// The shop's id.
    pub shop: String,
    /// What people call it.
    pub name: String,
}

/// What `edge-agent pairing create --json` prints.
#[derive(Clone, Debug, Deserialize)]
pub struct Pairing {
    /// The address for terminals on the LAN.
    pub url: String,
    /// The code.
    pub code: String,
    /// The shop CA's fingerprint.
    pub ca_fingerprint: String,
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl Town {
    /// Starts head office in `dir` (logs and state below it) and waits until it is ready.
    ///
    /// # Errors
    /// With HQ's last words when it does not come up.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        Self::start_with(dir, &[]).await
    }

    /// The same with more arguments for `serve`.
    ///
    /// # Errors
    /// With HQ's last words when it does not come up.
    pub async fn start_with(dir: &Path, told: &[&str]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let (http, quic) = (free_port()?, free_port()?);
        let (state, told) = (text(&dir.join("hq")), told.iter().map(ToString::to_string).collect());
        let mut town = Self { dir: dir.to_owned(), state, process: None, http, quic, told };
        town.start_hq().await?;
        Ok(town)
    }

    /// Starts HQ on the addresses and the state it had.
    ///
    /// # Errors
    /// With HQ's last words when it does not come up.
    pub async fn start_hq(&mut self) -> anyhow::Result<()> {
        let (http, quic) = (self.http.to_string(), self.quic.to_string());
        let mut arguments = vec!["serve", "--state", &self.state, "--http", &http, "--quic", &quic];
        arguments.extend(self.told.iter().map(String::as_str));
        let mut process = Running::start("control-plane", &arguments, &self.dir.join("hq.log"))?;
        let ready = format!("{}/readyz", self.url());
        wait_ready(&mut process, &ready, HQ_READY_WITHIN).await?;
        self.process = Some(process);
        Ok(())
    }

    /// `kill -9` for HQ.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_hq(&mut self) -> anyhow::Result<()> {
        self.process.take().context("HQ does not run")?.kill()
    }

    /// HQ's address.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Where nodes connect.
    pub fn quic(&self) -> SocketAddr {
        self.quic
    }

    /// HQ's metrics, as Prometheus reads them.
    ///
    /// # Errors
    /// When HQ does not say where they are, or does not answer.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let text = std::fs::read_to_string(Path::new(&self.state).join("addresses.json"))?;
        let addresses: serde_json::Value = serde_json::from_str(&text)?;
        let address = addresses["metrics"].as_str().context("addresses.json names no metrics")?;
        Ok(reqwest::get(format!("http://{address}/metrics")).await?.error_for_status()?.text().await?)
    }

    /// What HQ has logged so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.dir.join("hq.log"))?)
    }

    /// HQ's state directory.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// A tenant with an owner; its id.
    ///
    /// # Errors
    /// What the command said.
    pub fn tenant(&self, name: &str, owner: &SignIn) -> anyhow::Result<String> {
        let arguments = [
            "tenant",
            "create",
            "--name",
            name,
            "--owner-email",
            &owner.email,
            "--owner-password",
            &owner.password,
            "--state",
            &self.state,
        ];
        id(ask("control-plane", &arguments)?)
    }

    /// A shop in London that counts pounds; its id.
    ///
    /// # Errors
    /// What the command said.
    pub fn shop(&self, tenant: &str, name: &str) -> anyhow::Result<String> {
        let place = ["--timezone", "Europe/London", "--currency", "GBP", "--state", &self.state];
        id(ask("control-plane", &[&["shop", "create", "--tenant", tenant, "--name", name], &place[..]].concat())?)
    }

    /// A node for a shop, enrolled and not yet started. Its terminal addresses are fixed now, so that lanes find
    /// it again after a restart.
    ///
    /// # Errors
    /// What the commands said.
    pub fn enrol(&self, tenant: &str, shop: &str, name: &str) -> anyhow::Result<Node> {
        self.enrol_by(&self.claim(tenant, shop)?, shop, name)
    }

    /// A claim code for a node of a shop.
    ///
    /// # Errors
    /// What the command said.
    pub fn claim(&self, tenant: &str, shop: &str) -> anyhow::Result<String> {
        let arguments = ["claim", "create", "--tenant", tenant, "--shop", shop, "--state", &self.state];
        let claim = ask("control-plane", &arguments)?;
        Ok(claim["code"].as_str().context("a claim without a code")?.to_owned())
    }

    /// As [`Self::enrol`], by a claim code of that shop.
    ///
    /// # Errors
    /// What the command said.
    pub fn enrol_by(&self, code: &str, shop: &str, name: &str) -> anyhow::Result<Node> {
        let dir = self.dir.join(name);
        run("provision", &["enroll", "--hq", &self.url(), "--claim", code, "--dir", &text(&dir), "--name", name])?;
        let http = free_port()?;
        let (path, https, metrics) = (dir.join("node.toml"), free_port()?, free_port()?);
        set(&path, "terminal", "http", &http.to_string())?;
        set(&path, "terminal", "https", &https.to_string())?;
        set(&path, "mqtt", "tls", &free_port()?.to_string())?;
        set(&path, "mqtt", "plain", &free_port()?.to_string())?;
        set(&path, "metrics", "listen", &metrics.to_string())?;
        Ok(Node {
            config: text(&path),
            log: self.dir.join(format!("{name}.log")),
            dir,
            process: None,
            http,
            metrics,
            shop: shop.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Signs in.
    ///
    /// # Errors
    /// What HQ said.
    pub async fn sign_in(&self, who: &SignIn) -> anyhow::Result<Hq> {
        Hq::sign_in(&self.url(), &who.email, &who.password).await
    }

    /// Fails when HQ has ended by itself.
    ///
    /// # Errors
    /// With its last words.
    pub fn still_runs(&mut self) -> anyhow::Result<()> {
        self.process.as_mut().context("HQ does not run")?.still_runs()
    }

    /// Ends HQ and its database.
    ///
    /// # Errors
    /// When it does not end cleanly.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.process.take().map_or(Ok(()), |process| process.stop(END_WITHIN))
    }
}

fn id(answer: serde_json::Value) -> anyhow::Result<String> {
    Ok(answer["id"].as_str().context("an answer without an id")?.to_owned())
}

/// The sum of a counter over its labels in a text of metrics; 0 when it never counted.
pub fn counted(metrics: &str, name: &str, label: &str) -> u64 {
    let lines = metrics.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(label)
    });
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Changes one text value of a TOML file.
pub(crate) fn set(path: &Path, section: &str, key: &str, value: &str) -> anyhow::Result<()> {
    let mut document: toml::Table = std::fs::read_to_string(path)?.parse()?;
    let entry = document.entry(section.to_owned()).or_insert_with(|| toml::Table::new().into());
    let table = entry.as_table_mut().with_context(|| format!("[{section}] is no table"))?;
    table.insert(key.to_owned(), toml::Value::String(value.to_owned()));
    Ok(std::fs::write(path, toml::to_string(&document)?)?)
}

impl Node {
    /// Starts it and waits until lanes can talk to it.
    ///
    /// # Errors
    /// With its last words when it does not come up.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let mut process = Running::start("edge-agent", &["run", "--config", &self.config], &self.log)?;
        wait_ready(&mut process, &format!("{}/healthz", self.url()), NODE_READY_WITHIN).await?;
        self.process = Some(process);
        Ok(())
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the node does not run")?.kill()
    }

    /// Ends it as systemd does.
    ///
    /// # Errors
    /// When it does not end cleanly.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.process.take().map_or(Ok(()), |process| process.stop(END_WITHIN))
    }

    /// Fails when it has ended by itself.
    ///
    /// # Errors
    /// With its last words.
    pub fn still_runs(&mut self) -> anyhow::Result<()> {
        self.process.as_mut().context("the node does not run")?.still_runs()
    }

    /// The terminal API on loopback.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The terminal API's plain door.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// The plain MQTT door of the running node.
    ///
    /// # Errors
    /// When it has none.
    pub fn mqtt(&self) -> anyhow::Result<SocketAddr> {
        let text = std::fs::read_to_string(self.data().join("addresses.json"))?;
        let addresses: serde_json::Value = serde_json::from_str(&text)?;
        let address = addresses["mqtt_plain"].as_str().context("addresses.json names no plain MQTT door")?;
        Ok(address.parse()?)
    }

    /// Its metrics, as Prometheus reads them.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        Ok(reqwest::get(format!("http://{}/metrics", self.metrics)).await?.error_for_status()?.text().await?)
    }

    /// What it has logged so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// Its folder: configuration, identity, data.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where it keeps its logs and index.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Sends its uplink over another address than HQ's own, by QUIC alone. Takes effect at the next start.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub fn uplink_over(&self, quic: SocketAddr) -> anyhow::Result<()> {
        set(Path::new(&self.config), "hq", "quic", &quic.to_string())
    }

    /// Changes one value of its configuration. Takes effect at the next start.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub fn configure(&self, section: &str, key: &str, value: &str) -> anyhow::Result<()> {
        set(Path::new(&self.config), section, key, value)
    }

    /// A pairing code for so many lanes.
    ///
    /// # Errors
    /// What the command said.
    pub fn pairing(&self, lanes: u16) -> anyhow::Result<Pairing> {
        let lanes = lanes.to_string();
        let arguments = ["pairing", "create", "--config", &self.config, "--lanes", &lanes, "--json"];
        Ok(serde_json::from_value(ask("edge-agent", &arguments)?)?)
    }

    /// A paired lane on loopback.
    ///
    /// # Errors
    /// What the node said.
    pub async fn lane(&self, name: &str) -> anyhow::Result<Lane> {
        let pairing = self.pairing(1)?;
        Ok(Lane::pair(Target::parse(&self.url(), None)?, &pairing.code, name).await?)
    }

    /// `journal verify`: what it says when all is well.
    ///
    /// # Errors
    /// What it found.
    pub fn verify_journal(&self) -> anyhow::Result<String> {
        run("edge-agent", &["journal", "verify", "--config", &self.config])
    }
}
