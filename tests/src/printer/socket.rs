//! The printer's plug: one client at a time on a TCP port; others wait in line until it is gone. Moves bytes between
//! the socket and the device, and hands receipts over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::fault::Fault;
use super::paper::Printed;
use super::{Device, Shared};

/// A slow printer takes its bytes in portions of this time.
const PORTION: Duration = Duration::from_millis(20);
const PORTIONS_PER_SECOND: usize = 50;
/// Bytes read at once.
const PIECE: usize = 1_024;

/// Runs until it is dropped.
pub async fn run(shared: Arc<Shared>, address: SocketAddr, listener: TcpListener) {
    let mut listener = Some(listener);
    let mut changed = shared.changed.subscribe();
    loop {
        if shared.with(|device| device.has(Fault::PowerOff) || device.has(Fault::Refuses)) {
            listener = None;
            if changed.changed().await.is_err() {
                return;
            }
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            // The port was its own a moment ago and comes back as soon as the last connection is out of the way.
            None => match TcpListener::bind(address).await {
                Ok(open) => open,
                Err(_) => {
                    tokio::time::sleep(PORTION).await;
                    continue;
                }
            },
        };
        tokio::select! {
            accepted = open.accept() => if let Ok((stream, _)) = accepted {
                // While a client is in, refusing shuts the door behind it.
                let mut door = Some(open);
                serve(&shared, stream, &mut door).await;
                listener = door;
                continue;
            },
            _ = changed.changed() => {}
        }
        listener = Some(open);
    }
}

/// Serves one client until it or the power goes.
async fn serve(shared: &Shared, mut stream: TcpStream, door: &mut Option<TcpListener>) {
    let mut changed = shared.changed.subscribe();
    shared.with(Device::connected);
    let mut piece = [0; PIECE];
    loop {
        let (answers, cut) = shared.with(Device::work);
        keep(shared, cut);
        if !answers.is_empty() && stream.write_all(&answers).await.is_err() {
            return;
        }
        let (room, pace, off, refuses) = shared
            .with(|device| (device.room(), device.pace(), device.has(Fault::PowerOff), device.has(Fault::Refuses)));
        if refuses || off {
            *door = None;
        }
        if off {
            return;
        }
        let portion =
            pace.map_or(PIECE, |bytes| (usize::try_from(bytes).unwrap_or(PIECE) / PORTIONS_PER_SECOND).max(1));
        let size = room.min(portion).min(PIECE);
        tokio::select! {
            read = stream.read(&mut piece[..size]), if size > 0 => match read {
                Ok(0) | Err(_) => {
                    // What was received before the client went is still printed.
                    let (_, cut) = shared.with(Device::work);
                    return keep(shared, cut);
                }
                Ok(length) => {
                    if pace.is_some() {
                        tokio::time::sleep(PORTION).await;
                    }
                    let answers = shared.with(|device| device.take(&piece[..length]));
                    if !answers.is_empty() && stream.write_all(&answers).await.is_err() {
                        return;
                    }
                }
            },
            _ = changed.changed() => {}
        }
    }
}

/// Hands receipts over to be kept.
fn keep(shared: &Shared, cut: Vec<Printed>) {
    if !cut.is_empty() {
        let ever = shared.with(|device| device.receipts().1);
        shared.keeper.take(ever + 1 - cut.len() as u64, cut);
    }
}
