//! A shop's node in this process: the real agent on the real disk, with a clock that can be moved, enrolled by
//! the real `provision`, its uplink through a relay that can be cut.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use anyhow::Context;
use edge_agent::agent::{AgentOptions, Running, start};
use edge_agent::clock::Clock;
use firmware_config::NodeConfig;

use crate::cloud::Cloud;
use crate::hq::Hq;
use crate::lane::Lane;
use crate::process::{free_port, run};
use crate::relay::Relay;
use crate::town::{Pairing, set};
use crate::wire::Target;

/// A node and its shop.
pub struct Store {
    /// The shop's id.
    pub shop: String,
    /// Between the node and HQ.
    pub uplink: Relay,
    dir: PathBuf,
    now: Arc<AtomicI64>,
    running: Option<Running>,
    url: String,
}

impl Store {
    /// Opens a shop at HQ, enrols a node for it in `dir` and starts it.
    ///
    /// # Errors
    /// What HQ, `provision` or the agent said.
    pub async fn open(cloud: &Cloud, hq: &Hq, name: &str, dir: &Path, now: Arc<AtomicI64>) -> anyhow::Result<Self> {
        let shop = cloud.shop(hq, name).await?;
        let claim = cloud.claim(hq, &shop).await?;
        let (url, folder) = (cloud.url().to_owned(), dir.to_string_lossy().into_owned());
        let enrol = move || run("provision", &["enroll", "--hq", &url, "--claim", &claim, "--dir", &folder]);
        tokio::task::spawn_blocking(enrol).await??;
        let (uplink, config) = (Relay::udp(cloud.quic()?, 1).await?, dir.join("node.toml"));
        // A port of its own for good: lanes find it again after a restart.
        let http = free_port()?.to_string();
        for (section, key, value) in [
            ("hq", "quic", uplink.address().to_string()),
            ("terminal", "http", http.clone()),
            ("terminal", "https", "127.0.0.1:0".to_owned()),
            ("mqtt", "tls", "127.0.0.1:0".to_owned()),
            ("mqtt", "plain", "127.0.0.1:0".to_owned()),
            ("metrics", "listen", "127.0.0.1:0".to_owned()),
        ] {
            set(&config, section, key, &value)?;
        }
        let url = format!("http://{http}");
        let mut store = Self { shop, uplink, dir: dir.to_owned(), now, running: None, url };
        store.start().await?;
        Ok(store)
    }

    /// Starts the agent.
    ///
    /// # Errors
    /// What it said.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(self.dir.join("node.toml"))?;
        let options = AgentOptions {
            config: NodeConfig::parse(&text)?,
            dir: self.dir.clone(),
            clock: Clock::Manual(Arc::clone(&self.now)),
        };
        self.running = Some(start(options).await?);
        Ok(())
    }

    /// Ends the agent in order; its files stay.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// The running agent's parts.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn agent(&self) -> anyhow::Result<&Running> {
        self.running.as_ref().context("the node is stopped")
    }

    /// The node's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A pairing code for one lane.
    ///
    /// # Errors
    /// What the node said.
    pub async fn pairing(&self) -> anyhow::Result<Pairing> {
        let config = self.dir.join("node.toml").to_string_lossy().into_owned();
        let ask = move || crate::process::ask("edge-agent", &["pairing", "create", "--config", &config, "--json"]);
        Ok(serde_json::from_value(tokio::task::spawn_blocking(ask).await??)?)
    }

    /// Its terminal API on loopback.
    ///
    /// # Errors
    /// Never in practice: the address was made here.
    pub fn target(&self) -> anyhow::Result<Target> {
        Target::parse(&self.url, None)
    }

    /// A paired lane.
    ///
    /// # Errors
    /// What the node said.
    pub async fn lane(&self, name: &str) -> anyhow::Result<Lane> {
        let code = self.pairing().await?.code;
        Ok(Lane::pair(self.target()?, &code, name).await?)
    }

    /// `journal verify` over its files; the agent must be stopped or idle.
    ///
    /// # Errors
    /// What it found.
    pub fn verify_journal(&self) -> anyhow::Result<String> {
        run("edge-agent", &["journal", "verify", "--config", &self.dir.join("node.toml").to_string_lossy()])
    }
}
