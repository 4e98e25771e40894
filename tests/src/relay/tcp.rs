//! Connections: each byte in order, later, slower or wrong, until a cut resets them all.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Counters, Pace, Shared, flip_bit};

/// Bytes moved at once.
const CHUNK: usize = 16 << 10;
/// Chunks on their way through a slow link before the sender is held back.
const ON_THE_WAY: usize = 256;

/// Carries until dropped.
pub(super) async fn run(listener: TcpListener, to: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        let Ok((client, _)) = accepted else { continue };
        if shared.weather.borrow().cut {
            Counters::count(&shared.counters.lost);
            continue;
        }
        connections.spawn(carry(client, to, Arc::clone(&shared)));
    }
}

async fn carry(client: TcpStream, to: SocketAddr, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(to).await else { return };
    let (mut cut, _) = (shared.weather.subscribe(), (client.set_nodelay(true), server.set_nodelay(true)));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let there = direction(from_client, to_server, Arc::clone(&shared));
    let back = direction(from_server, to_client, Arc::clone(&shared));
    tokio::select! {
        _ = async { tokio::join!(there, back) } => {}
        _ = cut.wait_for(|weather| weather.cut) => {}
    }
}

/// One direction: a reader that says when each chunk is due, a writer that waits for it. Order is kept.
async fn direction(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: Arc<Shared>) {
    let (due, mut waiting) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let reader = async {
        let (mut buffer, mut pace) = (vec![0; CHUNK], Pace::new());
        while let Ok(length) = from.read(&mut buffer).await {
            if length == 0 {
                break;
            }
            let mut chunk = buffer.get(..length).unwrap_or_default().to_vec();
            let (fate, rate) = (shared.fate(length), shared.weather.borrow().rate);
            flip_bit(&mut chunk, fate.flip);
            let at = Instant::now() + fate.wait + pace.wait(rate, length);
            if due.send((at, chunk)).await.is_err() {
                break;
            }
        }
        drop(due);
    };
    let writer = async {
        while let Some((at, chunk)) = waiting.recv().await {
            tokio::time::sleep_until(at).await;
            if to.write_all(&chunk).await.is_err() {
                break;
            }
            Counters::count(&shared.counters.passed);
        }
        drop(to.shutdown().await);
        waiting.close();
    };
    tokio::join!(reader, writer);
}
