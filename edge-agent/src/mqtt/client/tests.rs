//! The client against brokers that misbehave: one that vanishes, and one that never says a word.

use std::net::Ipv4Addr;

use firmware_config::layout::Layout;
use protocol::id::{LaneId, NodeId, ShopId, TicketId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use uuid::Uuid;

use super::*;

/// Longer than anything takes on a busy machine.
const SOON: Duration = Duration::from_secs(30);

struct Scene {
    broker: TcpListener,
    changes: broadcast::Sender<Change>,
    stop: watch::Sender<bool>,
    client: JoinHandle<()>,
    _dir: tempfile::TempDir,
    /// Nobody sits at the desk: what is asked there is never answered.
    _asks: mpsc::Receiver<crate::desk::Ask>,
}

async fn scene() -> Scene {
    let broker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (changes, _) = broadcast::channel(limits::CHANGES_WAITING);
    let (stop, stopping) = watch::channel(false);
    let (desk, asks) = Desk::new(4);
    let client = start(Parts {
        address: broker.local_addr().unwrap(),
        username: "node".into(),
        password: "secret".into(),
        me: Me {
            shop: ShopId::from_uuid(Uuid::from_u128(5)),
            node: NodeId::from_uuid(Uuid::from_u128(7)),
            name: "High Street".into(),
            software: "0.1.0".into(),
            boot: Uuid::from_u128(9),
        },
        desk,
        snapshots: Snapshots::open(&Layout::initial(dir.path()), changes.clone()).unwrap(),
        devices: Devices::default(),
        changes: changes.clone(),
        clock: Clock::System,
        lanes: Lanes::default(),
        stopping,
    });
    Scene { broker, changes, stop, client, _dir: dir, _asks: asks }
}

/// Reads until the words have come.
async fn hears(socket: &mut TcpStream, words: &str) {
    let mut heard = Vec::new();
    let read = timeout(SOON, async {
        while !heard.windows(words.len()).any(|part| part == words.as_bytes()) {
            assert!(socket.read_buf(&mut heard).await.unwrap() > 0, "{words}: {}", String::from_utf8_lossy(&heard));
        }
    });
    read.await.unwrap_or_else(|_| panic!("{words}: not heard"));
}

/// Takes a connection as a broker that knows the client.
async fn takes(broker: &TcpListener) -> TcpStream {
    let (mut socket, _) = timeout(SOON, broker.accept()).await.unwrap().unwrap();
    // The will stands in CONNECT.
    hears(&mut socket, r#""state":"offline""#).await;
    socket.write_all(&[0x20, 0x02, 0x00, 0x00]).await.unwrap();
    socket
}

fn sold(revision: u32) -> Change {
    let (ticket_id, lane_id) = (TicketId::from_uuid(Uuid::from_u128(1)), LaneId::from_uuid(Uuid::from_u128(2)));
    Change::Ticket { ticket_id, state: "closed", lane_id, revision }
}

#[tokio::test]
async fn a_broker_that_vanishes_is_found_again_and_told_again() {
    let scene = scene().await;
    for _ in 0..3 {
        let mut socket = takes(&scene.broker).await;
        hears(&mut socket, r#""state":"online""#).await;
        scene.changes.send(sold(1)).unwrap();
        hears(&mut socket, r#""state":"closed""#).await;
    }
    // In order at the end: the good-bye, then DISCONNECT.
    let mut socket = takes(&scene.broker).await;
    hears(&mut socket, r#""state":"online""#).await;
    scene.stop.send_replace(true);
    hears(&mut socket, r#""state":"offline""#).await;
    timeout(SOON, scene.client).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_broker_that_never_answers_holds_up_neither_a_sale_nor_the_end() {
    let scene = scene().await;
    let mut socket = takes(&scene.broker).await;
    hears(&mut socket, r#""state":"online""#).await;
    // Nothing is read or acknowledged from here on, and nobody at the desk answers either.
    for revision in 0..20_000 {
        scene.changes.send(sold(revision)).unwrap();
    }
    scene.stop.send_replace(true);
    timeout(SOON, scene.client).await.unwrap().unwrap();
    drop(socket);
}
