//! A cable of the demo that somebody pulls and plugs in again while you watch: the till behind it waits, everybody else
//! sells on, and nothing of it is lost or counted twice.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;

use crate::relay::Relay;

/// How long a cable stays in.
const IN: Duration = Duration::from_secs(20);
/// How long it is out.
const OUT: Duration = Duration::from_secs(6);

/// The cables that come and go.
pub struct Cuts {
    cables: Vec<(String, Relay)>,
    news: watch::Sender<String>,
}

impl Cuts {
    /// No cables yet; and where it is told what becomes of them.
    pub fn new() -> (Self, watch::Receiver<String>) {
        let (news, told) = watch::channel(String::new());
        (Self { cables: Vec::new(), news }, told)
    }

    /// A way to `door` for the till of this name, over a cable of its own.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn cable(&mut self, till: &str, door: SocketAddr) -> anyhow::Result<SocketAddr> {
        let relay = Relay::tcp(door, 1).await?;
        let address = relay.address();
        self.cables.push((till.to_owned(), relay));
        Ok(address)
    }

    /// Pulls and plugs in all of them, again and again until the end; then they stay in for as long as this lives.
    pub async fn come_and_go(self, mut end: watch::Receiver<bool>) -> Self {
        let mut last = false;
        while !last && !ended_within(&mut end, IN).await {
            self.tell("is cut off from its node; the other tills sell on");
            self.cables.iter().for_each(|(_, relay)| relay.cut());
            last = ended_within(&mut end, OUT).await;
            self.cables.iter().for_each(|(_, relay)| relay.restore());
            self.tell("is back and goes on where it was");
        }
        self
    }

    fn tell(&self, what: &str) {
        let mut names: Vec<&str> = self.cables.iter().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        self.news.send_replace(format!("{} {what}", names.join(", ")));
    }
}

async fn ended_within(end: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::time::timeout(time, end.wait_for(|ended| *ended)).await.is_ok()
}
