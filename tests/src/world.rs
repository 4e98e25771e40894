//! A head office, its shops and the network between them in one process, under one clock that a story moves.
//! Conditions are awaited, never slept for; a world that is dropped without `close` has not been looked over.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::cloud::Cloud;
use crate::hq::{Hq, NodeCompleteness};
use crate::process::passing_folder;
use crate::store::Store;
use crate::town::SignIn;

/// Longer than anything takes on a busy machine; what has not come true by then will not.
const SETTLE_WITHIN: Duration = Duration::from_secs(90);

/// One tenant's world.
pub struct World {
    /// Head office.
    pub cloud: Cloud,
    /// The owner, signed in.
    pub hq: Hq,
    /// How she signs in.
    pub owner: SignIn,
    /// The shops, in the order they were opened.
    pub stores: Vec<Store>,
    now: Arc<AtomicI64>,
    folder: tempfile::TempDir,
    closed: bool,
}

impl World {
    /// A head office with a tenant and so many shops, and a catalogue that all of them have.
    ///
    /// # Errors
    /// What did not start.
    pub async fn open(name: &str, shops: usize, catalogue: &str) -> anyhow::Result<Self> {
        let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let now = Arc::new(AtomicI64::new(i64::try_from(millis)?));
        let folder = passing_folder("tillway-world-")?;
        let cloud = Cloud::start(Arc::clone(&now)).await?;
        let (hq, owner) = cloud.tenant(name).await?;
        let imported = hq.import(catalogue.to_owned()).await?;
        anyhow::ensure!(imported.rejected == 0, "the catalogue has {} bad lines", imported.rejected);
        let mut stores = Vec::new();
        for number in 1..=shops {
            let (shop, dir) = (format!("{name} {number}"), folder.path().join(format!("n{number}")));
            stores.push(Store::open(&cloud, &hq, &shop, &dir, Arc::clone(&now)).await?);
        }
        let world = Self { cloud, hq, owner, stores, now, folder, closed: false };
        for store in &world.stores {
            let agent = store.agent()?;
            let lines = catalogue.lines().count() - 1;
            until("the catalogue", || async { Ok(agent.snapshots.book().len() >= lines) }).await?;
        }
        Ok(world)
    }

    /// Moves everybody's clock.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// The time, in milliseconds since 1970.
    pub fn now_millis(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    /// Waits until HQ has, once and in order, everything that every node has.
    ///
    /// # Errors
    /// With the figures when that does not come true.
    pub async fn settle(&self) -> anyhow::Result<()> {
        for store in &self.stores {
            let head = store.agent()?.logs.head(protocol::id::Stream::Fiscal).durable.0;
            let began = Instant::now();
            loop {
                let nodes = self.hq.completeness(&store.shop).await?;
                let there = nodes.iter().map(|node| node.received).max().unwrap_or(0);
                if there >= head && !nodes.is_empty() && nodes.iter().all(NodeCompleteness::is_exact) {
                    break;
                }
                anyhow::ensure!(began.elapsed() < SETTLE_WITHIN, "the node has {head} events, HQ says {nodes:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Ends the world and checks that nothing is left over: no event that HQ lacks, no open ticket, no damage in a
    /// journal.
    ///
    /// # Errors
    /// What is left over.
    pub async fn close(mut self) -> anyhow::Result<()> {
        self.closed = true;
        self.settle().await?;
        for store in &mut self.stores {
            let mut lane = store.lane("Last look").await?;
            let open: Vec<Value> = lane.get("/v1/tickets?state=open").await?;
            anyhow::ensure!(open.is_empty(), "tickets are still open: {open:?}");
            store.stop().await;
            store.verify_journal()?;
        }
        self.cloud.stop().await;
        Ok(())
    }
}

impl Drop for World {
    #[allow(clippy::panic, reason = "a story that forgot to look its world over must not pass")]
    fn drop(&mut self) {
        if !self.closed && !std::thread::panicking() {
            panic!("the world in {} was dropped without close()", self.folder.path().display());
        }
    }
}

/// Waits until a condition is true.
///
/// # Errors
/// When it has not come true in time, or cannot be told.
pub async fn until<F: Future<Output = anyhow::Result<bool>>>(
    what: &str,
    mut is: impl FnMut() -> F,
) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is().await? {
        anyhow::ensure!(began.elapsed() < SETTLE_WITHIN, "{what}: not after {SETTLE_WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
