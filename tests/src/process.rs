//! The real binaries as child processes: started, waited for, killed as a power cut kills, ended as systemd
//! ends, and never left behind. Knows their command lines, nothing of what they do inside.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

/// A child that ends with its owner.
pub struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

/// Whether children get process groups of their own.
static SHIELDED: AtomicBool = AtomicBool::new(false);

fn own_group() -> i32 {
    rustix::process::getpgrp().as_raw_nonzero().get()
}

/// From now on Ctrl-C reaches this process alone and not its children: for tools that end them in order. A test
/// that is interrupted wants the opposite.
pub fn shield_children() {
    SHIELDED.store(true, Ordering::Relaxed);
}

/// Waits until somebody asks this process to end: Ctrl-C, `kill`, or a terminal that is closed.
///
/// # Errors
/// When the system does not let it listen.
pub async fn asked_to_end() -> std::io::Result<()> {
    let (mut interrupt, mut terminate, mut hang_up) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

/// The program `name` beside this one (a test's own folder is one deeper).
///
/// # Errors
/// With what to build when it is not there.
pub fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built beside {}: cargo build --workspace --bins", own.display()))
}

/// A port of loopback that nobody holds now, for TCP and UDP both.
///
/// # Errors
/// When the machine has none.
pub fn free_port() -> anyhow::Result<SocketAddr> {
    for _ in 0..50 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = tcp.local_addr()?;
        if UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    anyhow::bail!("no port is free for both TCP and UDP")
}

impl Running {
    /// Starts `program` with its output in `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &str, arguments: &[&str], log: &Path) -> anyhow::Result<Self> {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let child = Command::new(beside(program)?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(if SHIELDED.load(Ordering::Relaxed) { 0 } else { own_group() })
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        Ok(Self { name: program.to_owned(), child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the end of its log when it has ended by itself.
    ///
    /// # Errors
    /// When it has.
    pub fn still_runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} ended ({status}):\n{}", self.name, self.last_words()),
        }
    }

    /// The last lines of its log.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }

    /// `kill -9`: no goodbye, nothing flushed.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// When it has not ended in time (it is killed then) or not cleanly.
    pub fn stop(mut self, within: Duration) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "{} ended with {status}:\n{}", self.name, self.last_words());
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill()?;
        anyhow::bail!("{} did not end within {within:?} and was killed:\n{}", self.name, self.last_words())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        rustix::process::kill_process(id, signal).context("kill")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // HQ has a database of its own to put away: it is asked first.
            if self.signal(Signal::TERM).is_ok() {
                for _ in 0..100 {
                    if !matches!(self.child.try_wait(), Ok(None)) {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
            drop(self.kill());
        }
    }
}

/// Runs a command of one of the binaries to its end and reads the JSON object on its last line.
///
/// # Errors
/// With what it said when it fails.
pub fn ask(program: &str, arguments: &[&str]) -> anyhow::Result<Value> {
    let text = run(program, arguments)?;
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{program} {}: {text}", arguments.join(" ")))
}

/// Runs a command of one of the binaries to its end; its output.
///
/// # Errors
/// With what it said when it fails.
pub fn run(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(beside(program)?).args(arguments).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{program} {}: {}\n{text}{said}", arguments.join(" "), output.status);
    Ok(text)
}

/// Waits until `url` answers 200, failing early when the process behind it ends.
///
/// # Errors
/// With the process's last words when it ended or stayed silent.
pub async fn wait_ready(process: &mut Running, url: &str, within: Duration) -> anyhow::Result<()> {
    crate::trust::install();
    let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
    let deadline = Instant::now() + within;
    loop {
        process.still_runs()?;
        if http.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "{url} is not ready after {within:?}:\n{}", process.last_words());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A folder that is removed with its owner. Others may enter it: HQ started by root gives its database to an
/// unprivileged user.
///
/// # Errors
/// When it cannot be made.
pub fn passing_folder(prefix: &str) -> anyhow::Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix(prefix).permissions(open).tempdir().context("a folder for what is made here")
}
