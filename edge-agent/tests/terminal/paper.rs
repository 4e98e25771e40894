//! The least of a printer on a socket: it takes bytes, answers status as it is told to, and keeps what came out on
//! paper. Knows of ESC/POS no more than where a status is asked and where a job ends.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the printer behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// It is on.
    pub on: bool,
    /// It has paper.
    pub paper: bool,
    /// It answers DLE EOT.
    pub status: bool,
    /// It answers GS r.
    pub proof: bool,
    /// The power goes once so many bytes of a job have come.
    pub dies_after: Option<usize>,
}

/// A printer.
pub struct Printer {
    pub address: SocketAddr,
    behaviour: watch::Sender<Behaviour>,
    paper: Arc<Mutex<Vec<Vec<u8>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Printer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let well = Behaviour { on: true, paper: true, status: true, proof: true, dies_after: None };
        let (behaviour, watched) = watch::channel(well);
        let paper = Arc::new(Mutex::new(Vec::new()));
        let (rolls, hands) = (Arc::clone(&paper), behaviour.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                // One client at a time, as most printers.
                let (watched, paper) = (watched.clone(), Arc::clone(&rolls));
                let one = One { stream, watched, paper, buffer: Vec::new(), held: Vec::new() };
                if one.serve().await == End::Died {
                    hands.send_modify(|behaviour| behaviour.dies_after = None);
                }
            }
        });
        Self { address, behaviour, paper, task }
    }

    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        self.behaviour.send_modify(change);
    }

    /// Everything that came out of it, as text.
    pub fn sheets(&self) -> Vec<String> {
        self.paper.lock().unwrap().iter().map(|sheet| String::from_utf8_lossy(sheet).into_owned()).collect()
    }
}

#[derive(PartialEq, Eq)]
enum End {
    Closed,
    Died,
}

struct One {
    stream: TcpStream,
    watched: watch::Receiver<Behaviour>,
    paper: Arc<Mutex<Vec<Vec<u8>>>>,
    buffer: Vec<u8>,
    /// Finished jobs that wait for paper.
    held: Vec<Vec<u8>>,
}

impl One {
    async fn serve(mut self) -> End {
        let end = self.until_the_end().await;
        // What was half on paper is on paper; what was only in memory is gone.
        if !self.buffer.is_empty() {
            self.paper.lock().unwrap().push(self.buffer);
        }
        end
    }

    async fn until_the_end(&mut self) -> End {
        loop {
            let now = self.watched.borrow_and_update().clone();
            if now.dies_after.is_some_and(|bytes| self.buffer.len() >= bytes) {
                return End::Died;
            }
            if !now.on {
                return End::Closed;
            }
            if now.paper {
                for job in std::mem::take(&mut self.held) {
                    self.paper.lock().unwrap().push(job);
                    if now.proof && self.stream.write_all(&[0x00]).await.is_err() {
                        return End::Closed;
                    }
                }
            }
            let mut heard = [0; 4096];
            tokio::select! {
                read = self.stream.read(&mut heard) => match read {
                    Ok(0) | Err(_) => return End::Closed,
                    Ok(count) => self.take(&heard[..count], &now).await,
                },
                _ = self.watched.changed() => {}
            }
        }
    }

    async fn take(&mut self, bytes: &[u8], now: &Behaviour) {
        for byte in bytes {
            if now.dies_after.is_some_and(|bytes| self.buffer.len() >= bytes) {
                return;
            }
            self.buffer.push(*byte);
            let end = self.buffer.len();
            if end >= 3 && self.buffer[end - 3..end - 1] == [0x10, 0x04] && (1..=4).contains(byte) {
                self.buffer.truncate(end - 3);
                if now.status {
                    let answer = match (byte, now.paper) {
                        (1, false) => 0x1A,
                        (2, false) => 0x32,
                        (4, false) => 0x7E,
                        _ => 0x12,
                    };
                    drop(self.stream.write_all(&[answer]).await);
                }
            } else if end >= 3 && self.buffer[end - 3..end - 1] == [0x1D, 0x72] {
                self.buffer.truncate(end - 3);
                self.held.push(std::mem::take(&mut self.buffer));
            }
        }
    }
}

/// Waits until something is true; a printer takes its time.
pub async fn until(what: &'static str, mut is: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let came = tokio::time::timeout(Duration::from_secs(40), async {
        while !is() {
            tick.tick().await;
        }
    });
    assert!(came.await.is_ok(), "{what}: not in time");
}
