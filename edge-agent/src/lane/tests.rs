//! What a lane lives through when the disk refuses: nothing is recorded, nothing counts twice.

use std::sync::Arc;

use firmware_config::layout::Layout;
use protocol::collection::{Delivery, ShopSettings, Version};
use protocol::id::{LaneId, NodeId, ShopId, Term, TicketId};
use protocol::money::{Amount, Currency};
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use protocol::ticket::{Tender, TenderKind, TicketKind};
use protocol::timestamp::Timestamp;
use rustix::io::Errno;
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use super::{Parts, Running, start};
use crate::clock::Clock;
use crate::core::lane::{Answer, Command, Edit, Lookups, Request};
use crate::core::refusal::Refusal;
use crate::ledger::{Disk, Logs, Operation, Options};
use crate::snapshot::Snapshots;
use crate::store::index::Index;

struct Shop {
    running: Running,
    disk: Disk,
    lane: LaneId,
    _stop: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

async fn open_shop() -> Shop {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let options = Options { disk: disk.clone(), spares: false, ..Options::default() };
    let node = NodeId::from_uuid(Uuid::from_u128(7));
    let (logs, _) = Logs::open(&dir.path().join("logs"), node, Term(1), options).unwrap();
    let (changes, _) = broadcast::channel(16);
    let layout = Layout::initial(dir.path());
    let snapshots = Snapshots::open(&layout, changes.clone()).unwrap();
    let settings = ShopSettings {
        version: Version(1),
        shop: ShopId::from_uuid(Uuid::from_u128(2)),
        name: "High Street".into(),
        zone: "Europe/London".into(),
        day_starts_minutes: 240,
        currency: Currency::GBP,
        tax_mode: TaxMode::Inclusive,
        tax_basis: TaxBasis::PerReceipt,
        cash_step: 1,
        late_entry: true,
        open_line_tax_rate: TaxRate::ZERO,
    };
    snapshots.apply(Delivery::Shop(settings).to_bytes().unwrap()).unwrap();
    let db = crate::store::open(&dir.path().join("index")).unwrap().db;
    let (stop, stopping) = watch::channel(false);
    let parts = Parts {
        logs,
        index: Arc::new(Index::open(&db).unwrap()),
        snapshots,
        clock: Clock::manual(Timestamp(1_291_200_000_000)),
        changes,
        stopping,
    };
    let running = start(parts).await.unwrap();
    let code = running.desk.make_code(1).await.unwrap().code;
    let lane = running.desk.pair(code, "Till 1".into()).await.unwrap().id;
    Shop { running, disk, lane, _stop: stop, _dir: dir }
}

impl Shop {
    async fn write(&self, key: &str, command: Command) -> Result<Answer, Refusal> {
        let request = Request {
            lane: self.lane,
            key: key.into(),
            request_hash: *blake3::hash(key.as_bytes()).as_bytes(),
            command,
            approver: None,
            lookups: Lookups::default(),
        };
        self.running.desk.write(request).await
    }

    async fn ticket(&self, id: TicketId) -> Value {
        serde_json::from_slice::<Value>(&self.running.desk.ticket(id).await.unwrap()).unwrap()["data"].take()
    }

    async fn open_ticket(&self) -> TicketId {
        let command = Command::Open { kind: TicketKind::Sale, reference: None, at: None };
        let opened = self.write("open", command).await.unwrap();
        let opened: Value = serde_json::from_slice(&opened.body).unwrap();
        let ticket = opened["data"]["id"].as_str().unwrap().parse().unwrap();
        let edit = Edit::AddOpenPrice {
            description: "CARRIAGE".into(),
            unit_price: "15.00".parse().unwrap(),
            tax_rate: None,
            quantity: "1".parse().unwrap(),
            discount: None,
        };
        self.write("line", Command::Edit { ticket, edit }).await.unwrap();
        ticket
    }
}

#[tokio::test]
async fn a_card_payment_the_disk_refused_counts_once_when_the_lane_repeats_it() {
    let shop = open_shop().await;
    let ticket = shop.open_ticket().await;
    let amount = Amount::from_minor(1_500).unwrap();
    let tender = Tender { kind: TenderKind::CardRecorded, amount, reference: Some("slip 17".into()) };
    let pay = Command::Edit { ticket, edit: Edit::AddTender(tender) };

    shop.disk.fail(Operation::Sync, Errno::IO, u64::MAX);
    shop.write("card", pay.clone()).await.unwrap_err();
    assert_eq!(shop.ticket(ticket).await["tenders"].as_array().unwrap().len(), 0, "nothing was recorded");

    shop.disk.heal();
    shop.write("card", pay.clone()).await.unwrap();
    shop.write("card", pay).await.unwrap();
    assert_eq!(shop.ticket(ticket).await["tenders"].as_array().unwrap().len(), 1, "paid once");
}

#[tokio::test]
async fn a_ticket_whose_parking_the_disk_refused_stays_on_its_lane() {
    let shop = open_shop().await;
    let ticket = shop.open_ticket().await;
    shop.disk.fail(Operation::Sync, Errno::NOSPC, u64::MAX);
    shop.write("park", Command::Edit { ticket, edit: Edit::Park(None) }).await.unwrap_err();
    assert_eq!(shop.ticket(ticket).await["state"], "open");
    shop.disk.heal();
    shop.write("park", Command::Edit { ticket, edit: Edit::Park(None) }).await.unwrap();
    assert_eq!(shop.ticket(ticket).await["state"], "parked");
}
