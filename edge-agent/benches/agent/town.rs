//! The agent's process, and a head office of its own for it, both by their command lines.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::support::{Wire, free_port, text};

const EMAIL: &str = "owner@bench.example";
/// Only for a database that is thrown away.
pub const PASSWORD: &str = "a long enough password";
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that ends with its owner.
pub struct Process {
    child: Child,
}

impl Process {
    pub fn start(program: &Path, arguments: &[&str], log: &Path) -> anyhow::Result<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self { child: command.spawn().with_context(|| format!("cannot start {}", program.display()))? })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as systemd does.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.ask()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it as a power cut does.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn ask(&self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, Signal::TERM).context("kill")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && self.ask().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// A program beside the agent, or its unoptimised twin: only the agent is measured.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let release = Path::new(env!("CARGO_BIN_EXE_edge-agent")).with_file_name(name);
    let debug = release.ancestors().nth(2).context("no target folder")?.join("debug").join(name);
    let found = [release, debug].into_iter().find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built: cargo build --workspace --bins"))
}

/// Runs a command to its end; the JSON object on its last line.
pub fn ask(program: &Path, arguments: &[&str]) -> anyhow::Result<Value> {
    let output = Command::new(program).args(arguments).env("TILLWAY_PASSWORD", PASSWORD).output()?;
    let said = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.status.success(), "{} {arguments:?}: {}{}", program.display(), said.0, said.1);
    let line = said.0.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Ok(serde_json::from_str(line).unwrap_or_default())
}

/// The agent that is measured: the one built with this bench, or the one that `TILLWAY_BENCH_AGENT` names.
pub fn agent() -> &'static Path {
    static AGENT: OnceLock<PathBuf> = OnceLock::new();
    AGENT.get_or_init(|| {
        std::env::var_os("TILLWAY_BENCH_AGENT").map_or_else(|| env!("CARGO_BIN_EXE_edge-agent").into(), PathBuf::from)
    })
}

/// Starts the agent and waits until it answers.
pub fn start_agent(dir: &Path, http: SocketAddr) -> anyhow::Result<Process> {
    let config = dir.join("node.toml").display().to_string();
    let process = Process::start(agent(), &["run", "--config", &config], &dir.join("agent.log"))?;
    wait_for(http, "/healthz")?;
    Ok(process)
}

/// A pairing code of a running agent.
pub fn pairing(dir: &Path, lanes: usize) -> anyhow::Result<String> {
    let (config, lanes) = (dir.join("node.toml").display().to_string(), lanes.to_string());
    text(&ask(agent(), &["pairing", "create", "--config", &config, "--lanes", &lanes, "--json"])?, "code")
}

fn wait_for(address: SocketAddr, path: &str) -> anyhow::Result<()> {
    until(&format!("{address}{path}"), || {
        let answer = Wire::connect(address, "none").and_then(|mut wire| wire.call("GET", path, "text/plain", b""));
        Ok(answer.is_ok_and(|(status, _)| status == 200))
    })
}

/// Waits for a condition.
pub fn until(what: &str, mut is: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is()? {
        anyhow::ensure!(began.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Head office with a tenant.
pub struct Town {
    folder: tempfile::TempDir,
    http: SocketAddr,
    tenant: String,
    _process: Process,
}

impl Town {
    pub fn start() -> anyhow::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::Builder::new().prefix("tillway-bench-").tempdir()?;
        // The database's own user passes through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        let (http, quic) = (free_port()?, free_port()?);
        let state = folder.path().join("hq").display().to_string();
        let arguments = ["serve", "--state", &state, "--http", &http.to_string(), "--quic", &quic.to_string()];
        let process = Process::start(&program("control-plane")?, &arguments, &folder.path().join("hq.log"))?;
        wait_for(http, "/readyz")?;
        let made = ask(
            &program("control-plane")?,
            &[
                "tenant",
                "create",
                "--name",
                "Bench",
                "--owner-email",
                EMAIL,
                "--owner-password",
                PASSWORD,
                "--state",
                &state,
            ],
        )?;
        Ok(Self { folder, http, tenant: text(&made, "id")?, _process: process })
    }

    /// Takes products `P000000` onwards into the catalogue.
    pub fn import(&self, products: u32) -> anyhow::Result<()> {
        let mut wire = Wire::connect(self.http, "none")?;
        let signed = wire.post("/v1/auth/login", &json!({ "email": EMAIL, "password": PASSWORD }))?;
        wire.token = text(&signed, "access_token")?;
        let mut csv = "code,description,unit_price\n".to_owned();
        for number in 0..products {
            csv += &format!("P{number:06},{} {number},2.55\n", super::support::DESCRIPTION);
        }
        let report = wire.data("POST", "/v1/catalog/imports", "text/csv", csv.as_bytes())?;
        anyhow::ensure!(report["rejected"] == 0, "{report}");
        Ok(())
    }

    /// A shop with an enrolled node that is not started; its folder and where it will listen.
    pub fn enrol(&self, name: &str) -> anyhow::Result<(PathBuf, SocketAddr)> {
        let (hq, state) = (program("control-plane")?, self.folder.path().join("hq").display().to_string());
        let place = ["--timezone", "Europe/London", "--currency", "GBP", "--state", &state];
        let shop = ask(&hq, &[&["shop", "create", "--tenant", &self.tenant, "--name", name], &place[..]].concat())?;
        let shop = text(&shop, "id")?;
        let claim = ask(&hq, &["claim", "create", "--tenant", &self.tenant, "--shop", &shop, "--state", &state])?;
        let dir = self.folder.path().join(name);
        let (url, folder) = (self.url(), dir.display().to_string());
        ask(&program("provision")?, &["enroll", "--hq", &url, "--claim", &text(&claim, "code")?, "--dir", &folder])?;
        let http = free_port()?;
        listen(&dir.join("node.toml"), http)?;
        Ok((dir, http))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    pub fn address(&self) -> SocketAddr {
        self.http
    }

    pub fn email(&self) -> &'static str {
        EMAIL
    }
}

/// Gives a written configuration addresses on loopback.
fn listen(path: &Path, http: SocketAddr) -> anyhow::Result<()> {
    let mut section = String::new();
    let mut out = String::new();
    for line in std::fs::read_to_string(path)?.lines() {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        match (section.as_str(), key) {
            ("[terminal]", "http") => out += &format!("http = \"{http}\"\n"),
            ("[terminal]", "https") => out += "https = \"127.0.0.1:0\"\n",
            ("[metrics]", "listen") => out += "listen = \"127.0.0.1:0\"\n",
            ("[mqtt]", "tls" | "plain") => out += &format!("{key} = \"127.0.0.1:0\"\n"),
            _ => out += &format!("{line}\n"),
        }
    }
    std::fs::write(path, out)?;
    Ok(())
}
