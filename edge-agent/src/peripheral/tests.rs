//! The print shell against printers that behave badly, and against a node that stops at the wrong moment.

use std::time::{Duration, Instant};

use firmware_config::peripheral::{CodePage, EscposTcp, Lanes, Printer, PrinterDriver, Proof};
use protocol::event::FiscalEvent;
use protocol::id::{LaneId, NodeId, Seq, Stream, Term};
use protocol::timestamp::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};

use super::printer::escpos::{Printed, Session};
use super::supervisor::{self, Order, Outlets, Report, What};
use super::*;
use crate::core::pairing::{Lane, token_hash};
use crate::core::print_queue::{JobKey, State, Why};
use crate::desk::Ask;
use crate::ledger::Options;

fn printer(address: std::net::SocketAddr, proof: Proof, lanes: Lanes) -> Printer {
    let (width, code_page, cut) = (48, CodePage::Cp858, true);
    let driver = PrinterDriver::EscposTcp(EscposTcp { address: address.into(), width, code_page, cut, proof });
    Printer { name: "counter".into(), driver, lanes }
}

/// Ends a connection without a good-bye.
async fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

async fn said(reports: &mut mpsc::Receiver<Report>) -> What {
    loop {
        let report = tokio::time::timeout(Duration::from_secs(30), reports.recv()).await.unwrap().unwrap();
        if !matches!(report.what, What::Hindered(_)) {
            return report.what;
        }
    }
}

#[tokio::test]
async fn a_printer_that_throws_everybody_out_is_not_stormed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let counter = printer(listener.local_addr().unwrap(), Proof::None, Lanes::All);
    let (sender, mut reports) = mpsc::channel(16);
    let outlets = Outlets { reports: sender, devices: Devices::default(), clock: Clock::default() };
    let (orders, task) = supervisor::start(&counter, outlets, 7);
    let task = tokio::spawn(task);
    let key = JobKey::Receipt { term: Term(1), seq: Seq(1) };
    let began = Instant::now();
    for _ in 0..3 {
        orders.send(Order::Offer(key)).await.unwrap();
        assert_eq!(said(&mut reports).await, What::Ready);
        reset(listener.accept().await.unwrap().0).await;
        orders.send(Order::Go { key, bytes: b"receipt".to_vec(), after_break: false }).await.unwrap();
        assert_eq!(said(&mut reports).await, What::NothingSent(Why::Unreachable));
    }
    // Each of these was a mark on the disk that the sales use.
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    drop(orders);
    task.await.unwrap();
}

#[tokio::test]
async fn a_printer_that_breaks_off_while_it_takes_in_has_not_got_the_receipt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let session = Session::open(&listener.local_addr().unwrap().into()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let printing = tokio::spawn(session.print_blind(b"a receipt of some length"));
    stream.read_exact(&mut [0; 3]).await.unwrap();
    reset(stream).await;
    let unproven = Printed::Ended(State::Unproven, Some(Why::ConnectionLost));
    assert_eq!(printing.await.unwrap(), unproven);
}

#[tokio::test]
async fn an_answer_that_is_still_on_its_way_is_known_to_be() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut session = Session::open(&listener.local_addr().unwrap().into()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(session.is_settled());
    let slow = tokio::spawn(async move {
        // The job with its question, and after a while in vain the four questions about its health.
        let (mut heard, mut bytes) = (Vec::new(), [0; 256]);
        while !heard.ends_with(&[0x10, 0x04, 0x04]) {
            let count = stream.read(&mut bytes).await.unwrap();
            heard.extend_from_slice(&bytes[..count]);
        }
        // The proof, and the first two of the four answers.
        stream.write_all(&[0x00, 0x12, 0x12]).await.unwrap();
        stream
    });
    assert_eq!(session.print(b"a receipt", |_| {}).await, Printed::Ended(State::Proven, None));
    assert!(!session.is_settled(), "two answers are still to come, and would be taken for those of the next job");
    drop(slow.await.unwrap());
}

/// A node's printing over a folder. The lanes answer, or nobody sits at their desk.
async fn start_over(logs: &Logs, index: &Arc<Index>, named: Option<LaneId>) -> (Running, watch::Sender<bool>) {
    let (desk, mut asks) = Desk::new(4);
    if let Some(id) = named {
        tokio::spawn(async move {
            while let Some(ask) = asks.recv().await {
                if let Ask::Lanes(reply) = ask {
                    let (token, paired_at) = (token_hash("secret"), Timestamp(0));
                    drop(reply.send(Ok(vec![Lane { id, name: "Till 1".into(), token, paired_at }])));
                }
            }
        });
    }
    let (stop, stopping) = watch::channel(false);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let running = start(Parts {
        printers: vec![printer(address, Proof::Status, Lanes::Named(vec!["Till 1".into()]))],
        logs: logs.clone(),
        index: Arc::clone(index),
        clock: Clock::manual(crate::receipt::samples::sale().occurred.recorded_at),
        changes: broadcast::channel(16).0,
        devices: Devices::default(),
        desk,
        render: Arc::new(|_| Ok(Vec::new())),
        stopping,
    });
    (running.await.unwrap(), stop)
}

#[tokio::test]
async fn a_sale_whose_lane_nobody_can_name_any_more_waits_for_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let node = NodeId::from_uuid(uuid::Uuid::from_u128(3));
    let (logs, _) = Logs::open(&dir.path().join("logs"), node, Term(1), Options::default()).unwrap();
    let db = sled::open(dir.path().join("index")).unwrap();
    let index = Arc::new(Index::open(&db).unwrap());
    let sale = crate::receipt::samples::sale();
    let lane = sale.lane;

    let (running, stop) = start_over(&logs, &index, None).await;
    let event = FiscalEvent::closed(sale).encode().unwrap();
    let seq = logs.append(Stream::Fiscal, event).await.unwrap().seq;
    assert_eq!(running.spool.jobs(None).await.unwrap(), [], "nobody knows whose printer it is");
    stop.send(true).unwrap();
    running.task.await.unwrap();

    let (running, stop) = start_over(&logs, &index, Some(lane)).await;
    let jobs = running.spool.jobs(None).await.unwrap();
    let names: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(names, [JobKey::Receipt { term: Term(1), seq }.to_string()]);
    stop.send(true).unwrap();
    running.task.await.unwrap();
}
