//! Starts the foreign provider that `.ci/foreign` installed, on a free port of this machine, and ends it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tillway_tests::process::free_port;

pub const CLIENT: &str = "tillway";
pub const SECRET: &str = "secret-between-the-two";
pub const LOGIN: &str = "alice";
pub const PASSWORD: &str = "the baker's daughter";
/// A busy machine starts Python slowly.
const READY_WITHIN: Duration = Duration::from_secs(60);

pub struct Provider {
    pub url: String,
    process: Child,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

impl Provider {
    /// One with one person, and one client that may send people back to `redirect`.
    pub async fn start(redirect: &str) -> Self {
        let python = root().join("target/foreign/openid/bin/python");
        assert!(python.exists(), "{} is missing: run .ci/foreign once (make test does)", python.display());
        let port = free_port().unwrap().port();
        let log = std::env::temp_dir().join(format!("tillway-openid-{port}.log"));
        let mut process = Command::new(python)
            .arg(root().join("tests/foreign/openid.py"))
            .args([&port.to_string(), CLIENT, SECRET, redirect, LOGIN, "alice@bakers.example", PASSWORD])
            // It ends with its standard input, however we end.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (said, hears) = mpsc::channel();
        let out = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        let ready = tokio::task::spawn_blocking(move || hears.recv_timeout(READY_WITHIN)).await.unwrap();
        let why = || std::fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(ready.as_deref().ok(), Some("ready"), "the provider does not start: {}", why());
        drop(std::fs::remove_file(&log));
        Self { url: format!("http://127.0.0.1:{port}"), process }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
