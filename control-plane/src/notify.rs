//! Tells the service manager how head office does, over the socket that `NOTIFY_SOCKET` names: ready once the doors are
//! open, alive as long as its own HTTP door answers, and one sentence for `systemctl status`. A database that is away
//! is said and is no reason to be started again: that would not bring it back.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::db::Db;

/// How often without a watchdog: only the sentence is kept fresh then.
const EVERY: Duration = Duration::from_secs(10);

/// The line to the service manager; says nothing when nobody listens.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<(UnixDatagram, UnixAddress)>,
    watchdog: Option<Duration>,
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
            [b'@', name @ ..] => UnixAddress::from_abstract_name(name),
            _ => UnixAddress::from_pathname(path),
        };
        let opened = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok((socket, address?))
        });
        match opened {
            Ok(socket) => Self { socket: Some(socket), watchdog },
            Err(error) => {
                tracing::warn!(%error, "the service manager cannot be told how head office does");
                Self::default()
            }
        }
    }

    fn say(&self, message: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::debug!(%error, message, "the service manager did not hear");
        }
    }
}

/// Says how head office does until it is told to stop. It is called once everything is open.
pub async fn attend(notifier: Notifier, http: SocketAddr, db: Db, mut ended: watch::Receiver<bool>) {
    if notifier.socket.is_none() {
        return;
    }
    notifier.say("READY=1");
    let every = notifier.watchdog.map_or(EVERY, |watchdog| watchdog / 4).max(Duration::from_millis(10));
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = ended.wait_for(|ended| *ended) => break,
        }
        // Half of what is granted: a proof that comes later would come too late.
        if !answers(http, every * 2).await {
            metrics::counter!("tillway_watchdog_silent_total", "what" => "http").increment(1);
            tracing::error!("no sign of life: the HTTP door does not answer");
            notifier.say("STATUS=The HTTP door does not answer.");
            continue;
        }
        notifier.say("WATCHDOG=1");
        let reached = tokio::time::timeout(every, db.ping()).await;
        notifier.say(match reached {
            Ok(Ok(())) => "STATUS=Open.",
            Ok(Err(_)) | Err(_) => "STATUS=Waiting for its database; the shops sell on.",
        });
    }
    notifier.say("STOPPING=1\nSTATUS=Closing.");
}

/// Whether the own HTTP door takes a request and answers it, whatever it says: one that turns others away because too
/// many came at once lives, and to end it would be the attacker's work.
async fn answers(http: SocketAddr, within: Duration) -> bool {
    let ip = match http.ip() {
        ip if !ip.is_unspecified() => ip,
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let asked = async {
        let mut stream = TcpStream::connect((ip, http.port())).await?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        std::io::Result::Ok(head == *b"HTTP/1.1 ")
    };
    matches!(tokio::time::timeout(within, asked).await, Ok(Ok(true)))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn hear(socket: &UnixDatagram) -> io::Result<String> {
        let mut bytes = [0; 512];
        let length = socket.recv(&mut bytes)?;
        Ok(String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned())
    }

    #[tokio::test]
    async fn a_door_that_does_not_answer_is_no_sign_of_life() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // It listens, and nobody accepts.
        assert!(!answers(address, Duration::from_millis(50)).await);
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                drop(stream.write_all(b"HTTP/1.1 429 Too Many Requests\r\n\r\n").await);
            }
        });
        assert!(answers(address, Duration::from_secs(30)).await, "a flood of requests is no reason to end");
        serving.abort();
    }

    #[test]
    fn what_is_said_arrives_by_path_and_by_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Notifier::to(&path, None).say("READY=1");
        assert_eq!(hear(&socket).unwrap(), "READY=1");
        let name = format!("tillway-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&UnixAddress::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::to(Path::new(&format!("@{name}")), None).say("STATUS=Open.");
        assert_eq!(hear(&socket).unwrap(), "STATUS=Open.");
        // Nobody there: said into the wind.
        Notifier::to(&dir.path().join("nobody"), None).say("READY=1");
        Notifier::default().say("READY=1");
    }
}
