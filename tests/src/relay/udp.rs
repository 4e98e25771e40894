//! Datagrams: one upstream socket per sender, each packet on its own way through the weather.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Counters, Pace, Shared, flip_bit};

/// Senders at one time; a relay is for a handful of nodes.
const FLOWS: usize = 64;
/// Packets that may be on their way at one time; a full link loses the next, as links do.
const ON_THE_WAY: usize = 4_096;
/// Largest datagram there is.
const DATAGRAM: usize = 65_536;

/// Carries until dropped.
pub(super) async fn run(socket: UdpSocket, to: SocketAddr, shared: Arc<Shared>) {
    let socket = Arc::new(socket);
    let mut flows: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut tasks = JoinSet::new();
    let room = Arc::new(Semaphore::new(ON_THE_WAY));
    let (mut buffer, mut pace) = (vec![0; DATAGRAM], Pace::new());
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        if !flows.contains_key(&from) {
            if flows.len() >= FLOWS {
                // A restarted node comes from a new port; the old ones are not missed.
                flows.clear();
                tasks.abort_all();
            }
            let Ok(upstream) = UdpSocket::bind(("127.0.0.1", 0)).await else { continue };
            if upstream.connect(to).await.is_err() {
                continue;
            }
            let upstream = Arc::new(upstream);
            flows.insert(from, Arc::clone(&upstream));
            tasks.spawn(back(upstream, Arc::clone(&socket), from, Arc::clone(&shared), Arc::clone(&room)));
        }
        if let Some(upstream) = flows.get(&from) {
            let packet = buffer.get(..length).unwrap_or_default().to_vec();
            send(packet, Arc::clone(upstream), None, &shared, &room, &mut pace).await;
        }
    }
}

/// What comes back to one sender.
async fn back(from: Arc<UdpSocket>, to: Arc<UdpSocket>, client: SocketAddr, shared: Arc<Shared>, room: Arc<Semaphore>) {
    let (mut buffer, mut pace) = (vec![0; DATAGRAM], Pace::new());
    loop {
        // An error here is the other side's port being closed; it may open again.
        let Ok(length) = from.recv(&mut buffer).await else {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            continue;
        };
        let packet = buffer.get(..length).unwrap_or_default().to_vec();
        send(packet, Arc::clone(&to), Some(client), &shared, &room, &mut pace).await;
    }
}

/// One packet through the weather; what has to wait does so on a task of its own, so that others overtake.
async fn send(
    mut packet: Vec<u8>,
    socket: Arc<UdpSocket>,
    client: Option<SocketAddr>,
    shared: &Arc<Shared>,
    room: &Arc<Semaphore>,
    pace: &mut Pace,
) {
    let fate = shared.fate(packet.len());
    let rate = shared.weather.borrow().rate;
    flip_bit(&mut packet, fate.flip);
    for _ in 0..fate.copies {
        let wait = fate.wait + pace.wait(rate, packet.len());
        if wait.is_zero() {
            deliver(&socket, &packet, client, shared).await;
            continue;
        }
        let Ok(permit) = Arc::clone(room).try_acquire_owned() else {
            Counters::count(&shared.counters.lost);
            continue;
        };
        let (packet, socket, shared) = (packet.clone(), Arc::clone(&socket), Arc::clone(shared));
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            deliver(&socket, &packet, client, &shared).await;
            drop(permit);
        });
    }
}

async fn deliver(socket: &UdpSocket, packet: &[u8], client: Option<SocketAddr>, shared: &Shared) {
    let sent = match client {
        Some(client) => socket.send_to(packet, client).await,
        None => socket.send(packet).await,
    };
    Counters::count(if sent.is_ok() { &shared.counters.passed } else { &shared.counters.lost });
}
