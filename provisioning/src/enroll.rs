//! The way of a box to a node, step by step. Nothing that a running node needs is touched before head office has
//! answered and the answer was checked; `node.toml` comes last and means "done". A run that was cut off anywhere is
//! taken up by running the same command again: the keys wait in `identity.pending`, and head office knows them.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use firmware_config::layout::Layout;
use firmware_config::{Hq, Log, Metrics, Mqtt, Node, NodeConfig, Storage, Terminal};
use protocol::collection::{Collection, Delivery};
use protocol::enroll::{ClaimCode, EnrollReply, EnrollRequest};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm};
use serde::Serialize;

use crate::error::EnrollError;
use crate::facts;
use crate::files;
use crate::reply::{self, Keys};
use crate::request::{self, HqUrl};

/// What a box is told to enrol.
#[derive(Clone, Debug)]
pub struct Options {
    /// Base URL of head office: `https://host[:port]`, or plain HTTP on loopback.
    pub hq: String,
    /// The claim code, as typed.
    pub claim: String,
    /// The node's folder; made if need be.
    pub dir: PathBuf,
    /// What people will call the node.
    pub name: Option<String>,
    /// The doors for terminals.
    pub terminal: Terminal,
    /// The doors of the shop's MQTT.
    pub mqtt: Option<Mqtt>,
    /// The door for monitoring.
    pub metrics: Option<SocketAddr>,
    /// Set a node that is in the folder aside.
    pub force: bool,
}

impl Options {
    /// The usual doors, no name, no force.
    pub fn new(hq: &str, claim: &str, dir: &Path) -> Self {
        Self {
            hq: hq.to_owned(),
            claim: claim.to_owned(),
            dir: dir.to_owned(),
            name: None,
            terminal: Terminal::default(),
            mqtt: Some(Mqtt::default()),
            metrics: Some(crate::doors::METRICS),
            force: false,
        }
    }
}

/// A node that is ready to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Enrolled {
    /// The node.
    pub node_id: String,
    /// Its tenant.
    pub tenant_id: String,
    /// Its shop.
    pub shop_id: String,
    /// What the shop is called.
    pub shop: String,
    /// The term it was granted.
    pub term: u32,
    /// What people call it.
    pub name: String,
    /// The configuration, for `edge-agent run --config`.
    pub config: PathBuf,
    /// HQ's QUIC door.
    pub quic: String,
    /// HQ's TLS door.
    pub tcp: Option<String>,
    /// The terminals' door on the LAN.
    pub terminal_https: SocketAddr,
    /// The terminals' door on this box.
    pub terminal_http: SocketAddr,
    /// When its certificate ends (RFC 3339).
    pub certificate_expires_at: String,
    /// Where a node that was there before was put.
    pub set_aside: Option<PathBuf>,
}

/// Makes the box a node.
///
/// # Errors
/// [`EnrollError`] says what to do. Whatever happened, running it again goes on from there.
pub async fn enroll(options: Options) -> Result<Enrolled, EnrollError> {
    // Everything a person may have typed wrong is found before anything is touched or sent.
    let code: ClaimCode = options.claim.parse()?;
    let hq = HqUrl::parse(&options.hq)?;
    if !options.terminal.http.ip().is_loopback() {
        let reason = "plain HTTP is for this machine only: 127.0.0.1:PORT or [::1]:PORT".to_owned();
        return Err(EnrollError::Argument { flag: "--terminal-http", reason });
    }
    if options.mqtt.is_some_and(|mqtt| !mqtt.plain.ip().is_loopback()) {
        let reason = "plain MQTT is for this machine only: 127.0.0.1:PORT or [::1]:PORT".to_owned();
        return Err(EnrollError::Argument { flag: "--mqtt-plain", reason });
    }
    let layout = Layout::initial(&options.dir);
    files::folder(&options.dir, 0o750)?;
    let _lock = files::lock(&options.dir)?;
    let old = files::read(&layout.config())?;
    if let Some(text) = old.as_ref().filter(|_| !options.force) {
        return Err(EnrollError::Exists { dir: options.dir, node: described(text) });
    }

    if UnixStream::connect(layout.control_socket()).is_ok() {
        return Err(EnrollError::Running(options.dir));
    }

    let pending = options.dir.join("identity.pending");
    let keys = prepare_keys(&layout, &pending, old.is_some())?;
    let request = ask(&options, code, &keys)?;
    let answer = request::send(&hq, code, &request).await?;
    reply::check(hq.base(), code, &keys, &answer)?;
    let config = configuration(&options, &hq, &answer)?;

    let set_aside = if old.is_some() { Some(set_aside(&options.dir, &layout, answer.hq_time.0)?) } else { None };
    let snapshot = snapshot(&answer)?;
    files::folder(&layout.collection(Collection::Shop), 0o750)?;
    files::write(&layout.snapshot(Collection::Shop, answer.shop.version), &snapshot, 0o640)?;
    files::sync(&layout.snapshots())?;
    files::sync(layout.data())?;
    write_certificates(&pending, &layout, &answer)?;
    files::rename(&pending, &layout.identity())?;
    files::write(&layout.config(), config.to_toml().as_bytes(), 0o640)?;
    Ok(Enrolled {
        node_id: answer.node_id.to_string(),
        tenant_id: answer.tenant_id.to_string(),
        shop_id: answer.shop_id.to_string(),
        shop: answer.shop.name.clone(),
        term: answer.term.0,
        name: answer.name.clone(),
        config: layout.config(),
        quic: answer.quic.clone(),
        tcp: answer.tcp.clone(),
        terminal_https: options.terminal.https,
        terminal_http: options.terminal.http,
        certificate_expires_at: answer.certificate_expires_at.to_string(),
        set_aside,
    })
}

/// Names the node of a configuration, for the message that there is one.
fn described(text: &str) -> String {
    match NodeConfig::parse(text) {
        Ok(config) => format!("\"{}\", {}", config.node.name, config.node.node_id),
        Err(_) => "its node.toml cannot be read".to_owned(),
    }
}

/// The keys that wait for an answer, or new ones, on disk before anybody hears of them.
fn prepare_keys(layout: &Layout, pending: &Path, replacing: bool) -> Result<Keys, EnrollError> {
    let identity = layout.identity();
    // Cut off between the last two steps of an enrolment: the identity stands, its node.toml does not.
    if !replacing && identity.is_dir() && !pending.exists() {
        files::rename(&identity, pending)?;
    }
    files::folder(pending, 0o700)?;
    Ok(Keys {
        device: key(&pending.join("device.key"), &PKCS_ED25519)?,
        terminal: key(&pending.join("terminal.key"), &PKCS_ECDSA_P256_SHA256)?,
    })
}

fn key(path: &Path, algorithm: &'static SignatureAlgorithm) -> Result<KeyPair, EnrollError> {
    if let Some(text) = files::read(path)?
        && let Ok(key) = KeyPair::from_pem(&text)
        && key.is_compatible(algorithm)
    {
        return Ok(key);
    }
    let key = KeyPair::generate_for(algorithm)?;
    files::write(path, key.serialize_pem().as_bytes(), 0o600)?;
    Ok(key)
}

fn ask(options: &Options, code: ClaimCode, keys: &Keys) -> Result<EnrollRequest, EnrollError> {
    let request = |key: &KeyPair| CertificateParams::default().serialize_request(key)?.pem();
    Ok(EnrollRequest {
        secret: code.secret,
        csr: request(&keys.device)?,
        terminal_csr: Some(request(&keys.terminal)?),
        name: options.name.clone(),
        hostname: facts::hostname(),
        addresses: facts::addresses(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn configuration(options: &Options, hq: &HqUrl, answer: &EnrollReply) -> Result<NodeConfig, EnrollError> {
    let address = |text: &str, what: &str| {
        text.parse().map_err(|error| EnrollError::Answer(format!("the {what} address {text}: {error}")))
    };
    let config = NodeConfig {
        node: Node {
            tenant_id: answer.tenant_id,
            shop_id: answer.shop_id,
            node_id: answer.node_id,
            term: answer.term,
            name: answer.name.clone(),
        },
        hq: Hq {
            http: Some(hq.base().to_owned()),
            quic: address(&answer.quic, "QUIC")?,
            tcp: answer.tcp.as_deref().map(|tcp| address(tcp, "TCP")).transpose()?,
            server_name: answer.server_name.clone(),
        },
        storage: Storage::default(),
        terminal: options.terminal,
        mqtt: options.mqtt,
        metrics: options.metrics.map(|listen| Metrics { listen }),
        log: Log::default(),
        trace: None,
        printers: Vec::new(),
    };
    // What is written must be what the agent will take.
    match NodeConfig::parse(&config.to_toml()) {
        Ok(read) if read == config => Ok(config),
        Ok(_) => Err(EnrollError::Answer("the configuration does not read back".to_owned())),
        Err(error) => Err(EnrollError::Answer(error.to_string().replace('\n', "; "))),
    }
}

fn snapshot(answer: &EnrollReply) -> Result<Vec<u8>, EnrollError> {
    let bytes = Delivery::Shop(answer.shop.clone()).to_bytes();
    let mut bytes = bytes.map_err(|error| EnrollError::Answer(error.to_string()))?;
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(hash.as_bytes());
    Ok(bytes)
}

fn write_certificates(pending: &Path, layout: &Layout, answer: &EnrollReply) -> Result<(), EnrollError> {
    let terminal = answer.terminal_chain.as_deref().unwrap_or_default();
    for (place, text) in [
        (layout.device_certificate(), answer.certificate_chain.as_str()),
        (layout.device_ca(), answer.device_ca.as_str()),
        (layout.shop_ca(), answer.shop_ca.as_str()),
        (layout.terminal_certificate(), terminal),
    ] {
        files::write(&pending.join(place.file_name().unwrap_or_default()), text.as_bytes(), 0o644)?;
    }
    Ok(())
}

/// Puts the old node aside, whole: its logs may hold sales that head office does not have yet. `node.toml` goes
/// last, so that a run that is cut off here still finds a node and the same command goes on.
fn set_aside(dir: &Path, layout: &Layout, millis: i64) -> Result<PathBuf, EnrollError> {
    let aside = dir.join(format!("replaced-{}", millis / 1_000));
    files::folder(&aside, 0o700)?;
    for place in [layout.data().to_owned(), layout.identity(), layout.config()] {
        if fs::symlink_metadata(&place).is_ok() {
            files::rename(&place, &aside.join(place.file_name().unwrap_or_default()))?;
        }
    }
    Ok(aside)
}
