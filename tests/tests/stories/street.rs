//! The usual scene: head office, a tenant, a shop with a node, a small catalogue, and a network between them
//! that can be cut.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tillway_tests::hq::{Hq, NodeCompleteness, Overview};
use tillway_tests::lane::{Lane, Receipt};
use tillway_tests::process::passing_folder;
use tillway_tests::relay::Relay;
use tillway_tests::town::{Node, SignIn, Town};

/// Any trading day lies between these.
const FIRST_DAY: &str = "2010-01-01";
const LAST_DAY: &str = "2040-12-31";
/// The catalogue of the scene.
pub const CATALOGUE: &str = "code,description,unit_price\nMUG,A mug,2.55\nBAG,A bag,1.10\nPENNY,A penny sweet,0.001\n";
/// Longer than anything takes on a busy machine; a condition that has not come true by then will not.
pub const SOON: Duration = Duration::from_secs(60);

pub struct Street {
    pub town: Town,
    pub node: Node,
    pub hq: Hq,
    pub owner: SignIn,
    pub tenant: String,
    /// Between the node and HQ.
    pub uplink: Relay,
    folder: TempDir,
}

impl Street {
    /// Opens it: HQ runs, the node runs and has the catalogue.
    pub async fn open(name: &str) -> Self {
        tillway_tests::trust::install();
        let folder = passing_folder(&format!("tillway-{name}-")).unwrap();
        let town = Town::start(folder.path()).await.unwrap();
        let owner = SignIn { email: format!("owner@{name}.example"), password: "a long enough password".to_owned() };
        let tenant = town.tenant(name, &owner).unwrap();
        let shop = town.shop(&tenant, &format!("{name} street")).unwrap();
        let mut node = town.enrol(&tenant, &shop, "node").unwrap();
        let uplink = Relay::udp(town.quic(), 1).await.unwrap();
        node.uplink_over(uplink.address()).unwrap();
        node.start().await.unwrap();
        let hq = town.sign_in(&owner).await.unwrap();
        assert_eq!(hq.import(CATALOGUE.to_owned()).await.unwrap().rejected, 0);
        let street = Self { town, node, hq, owner, tenant, uplink, folder };
        let mut lane = street.lane("Probe").await;
        price_becomes(&mut lane, "PENNY", "0.001").await;
        street
    }

    pub async fn lane(&self, name: &str) -> Lane {
        self.node.lane(name).await.unwrap()
    }

    pub async fn overview(&self) -> Overview {
        self.hq.overview(Some(&self.node.shop), FIRST_DAY, LAST_DAY).await.unwrap()
    }

    /// Waits until HQ has all that the node has, and that it is `tickets` for `net_minor` together.
    pub async fn settle(&mut self, tickets: i64, net_minor: i64) -> Overview {
        let began = Instant::now();
        loop {
            // A head office whose database has just come back says 503 and means it.
            let found = self.hq.overview(Some(&self.node.shop), FIRST_DAY, LAST_DAY).await;
            let nodes = self.hq.completeness(&self.node.shop).await;
            if let (Ok(found), Ok(nodes)) = (&found, &nodes) {
                let exact = !nodes.is_empty() && nodes.iter().all(NodeCompleteness::is_exact);
                if exact && (found.sales + found.returns, found.net_sales_minor) == (tickets, net_minor) {
                    return found.clone();
                }
            }
            self.town.still_runs().unwrap();
            assert!(began.elapsed() < SOON, "{tickets} tickets, {net_minor} expected; HQ has {found:?}, {nodes:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends it all and checks what must hold after any story.
    pub async fn close(mut self) {
        self.node.stop().unwrap();
        self.node.verify_journal().unwrap();
        self.town.stop().unwrap();
        drop(self.hq);
        self.folder.close().unwrap();
    }
}

/// Waits until the node sells `code` at `price`.
pub async fn price_becomes(lane: &mut Lane, code: &str, price: &str) {
    let began = Instant::now();
    loop {
        let found = lane.product(code).await;
        if found.as_ref().is_ok_and(|product| product.unit_price.to_string() == price) {
            return;
        }
        assert!(began.elapsed() < SOON, "{code} at {price} has not come: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sells so many of a product; paid exactly.
pub async fn sell(lane: &mut Lane, key: &str, code: &str, quantity: u32) -> Receipt {
    let ticket = lane.open(&format!("{key}:open"), "sale", None, None).await.unwrap();
    let line = json!({"code": code, "quantity": quantity.to_string()});
    let changed = lane.ring(&format!("{key}:1"), &ticket.id, &line).await.unwrap();
    let total = changed.totals.total_minor;
    lane.close(&format!("{key}:close"), &ticket.id, "cash", total, changed.revision).await.unwrap()
}
