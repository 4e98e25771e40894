//! Talks to the service manager over the socket it names in `NOTIFY_SOCKET`: ready, alive, stopping, and one sentence
//! for `systemctl status`. Says nothing when nobody listens; a failure to talk stops nothing.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

/// The line to the service manager.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How long the service manager waits between two signs of life before it starts the program again.
    pub watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment of this process says.
    pub fn from_environment() -> Self {
        let micros = || std::env::var("WATCHDOG_USEC").ok()?.parse::<u64>().ok();
        // A watchdog that is another process's is none of ours.
        let ours = std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
        let watchdog = micros().filter(|micros| ours && *micros > 0).map(Duration::from_micros);
        match std::env::var_os("NOTIFY_SOCKET") {
            Some(path) if !path.is_empty() => Self::to(Path::new(&path), watchdog),
            _ => Self::default(),
        }
    }

    /// To a socket; a name that begins with `@` is one of Linux's abstract ones.
    pub fn to(path: &Path, watchdog: Option<Duration>) -> Self {
        let address = match path.as_os_str().as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(path),
        };
        match UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok((socket, address?))
        }) {
            Ok(socket) => Self { socket: Some(socket), watchdog },
            Err(error) => {
                tracing::warn!(%error, "the service manager cannot be told how the node does");
                Self::default()
            }
        }
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// Lanes can sell.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// A sign of life.
    pub fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=Closing.");
    }

    /// The sentence of `systemctl status`.
    pub fn status(&self, sentence: &str) {
        self.say(&format!("STATUS={}", sentence.replace(['\n', '\r'], " ")));
    }

    fn say(&self, message: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::debug!(%error, message, "the service manager did not hear");
        }
    }
}
