//! What the service manager hears of the real program: ready when lanes can sell and not before, signs of life, one
//! sentence, and the end.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::Node;

struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    /// Listens until something is said.
    fn wait_for(&mut self, what: &str) {
        let began = Instant::now();
        while !self.heard.iter().any(|line| line.contains(what)) {
            assert!(began.elapsed() < Duration::from_secs(60), "{what} was never said: {:?}", self.heard);
            let mut bytes = [0; 1024];
            if let Ok(length) = self.socket.recv(&mut bytes) {
                self.heard.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_alive_and_stopping_are_said_in_that_order() {
    let mut node = Node::start().await;
    node.stop().await;
    let config = node.write_config();
    let shop = node.layout().snapshots();
    let aside = node.dir.path().join("aside");
    std::fs::rename(&shop, &aside).unwrap();
    for sells in [false, true] {
        if sells {
            std::fs::remove_dir_all(&shop).unwrap();
            std::fs::rename(&aside, &shop).unwrap();
        }
        let path = node.dir.path().join(format!("notify-{sells}"));
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut manager = Manager { socket, heard: Vec::new() };
        let mut agent = std::process::Command::new(env!("CARGO_BIN_EXE_edge-agent"))
            .args(["run", "--config"])
            .arg(&config)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "400000")
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        manager.wait_for("WATCHDOG=1");
        if sells {
            manager.wait_for("READY=1");
            manager.wait_for("STATUS=Selling.");
        } else {
            // It lives and waits for its shop: alive, not ready, and it says what it waits for.
            manager.wait_for("STATUS=Not ready: no shop settings yet");
            assert!(!manager.heard.iter().any(|line| line.contains("READY=1")), "{:?}", manager.heard);
        }
        kill_process(Pid::from_child(&agent), Signal::TERM).unwrap();
        assert!(agent.wait().unwrap().success());
        manager.wait_for("STOPPING=1");
    }
}
