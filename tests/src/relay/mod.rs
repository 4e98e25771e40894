//! A piece of network that misbehaves on command: between a node and HQ, or a lane and its node. Each relay
//! takes one port; what it does to what passes is its `Weather`, changed while it runs.
//! Carries bytes; knows no protocol above UDP and TCP.

mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What happens to what passes. Chances are in parts of a million. Loss, duplicates and reordering are for
/// datagrams; a TCP stream can be delayed, limited, mangled and cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Every packet waits so long.
    pub delay: Duration,
    /// And up to so much longer, by chance.
    pub jitter: Duration,
    /// Chance to be lost.
    pub lose: u32,
    /// Chance to arrive twice.
    pub duplicate: u32,
    /// Chance to be overtaken: it waits for what follows (20 ms and more).
    pub reorder: u32,
    /// Chance that one bit is flipped.
    pub mangle: u32,
    /// Bytes a second in each direction; 0 is no limit.
    pub rate: u32,
    /// Nothing passes. TCP connections are reset, datagrams vanish.
    pub cut: bool,
}

/// How much went through and what became of it.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets or chunks passed on.
    pub passed: AtomicU64,
    /// Lost by chance, by the cut, or because the queue of a slow link was full.
    pub lost: AtomicU64,
    /// Sent twice.
    pub duplicated: AtomicU64,
    /// With a flipped bit.
    pub mangled: AtomicU64,
}

impl Counters {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the two directions of all flows share.
struct Shared {
    weather: watch::Sender<Weather>,
    counters: Counters,
    chance: Mutex<StdRng>,
}

/// What is to be done with one packet.
struct Fate {
    copies: u8,
    wait: Duration,
    flip: Option<usize>,
}

impl Shared {
    /// Decides by the weather and the seed.
    fn fate(&self, length: usize) -> Fate {
        let weather = *self.weather.borrow();
        let Ok(mut chance) = self.chance.lock() else { return Fate { copies: 0, wait: Duration::ZERO, flip: None } };
        let mut happens = |ppm: u32| ppm > 0 && chance.random_range(0..1_000_000_u32) < ppm;
        let (lost, doubled) = (weather.cut || happens(weather.lose), happens(weather.duplicate));
        let (overtaken, mangled) = (happens(weather.reorder), happens(weather.mangle) && length > 0);
        let flip = mangled.then(|| chance.random_range(0..length * 8));
        let most = u64::try_from(weather.jitter.as_micros()).unwrap_or(u64::MAX);
        let mut wait = weather.delay + Duration::from_micros(if most == 0 { 0 } else { chance.random_range(0..=most) });
        if overtaken {
            wait += Duration::from_millis(chance.random_range(20..=60));
        }
        drop(chance);
        if lost {
            Counters::count(&self.counters.lost);
        }
        if flip.is_some() && !lost {
            Counters::count(&self.counters.mangled);
        }
        if doubled && !lost {
            Counters::count(&self.counters.duplicated);
        }
        Fate { copies: u8::from(!lost) + u8::from(doubled && !lost), wait, flip }
    }
}

fn flip_bit(bytes: &mut [u8], bit: Option<usize>) {
    if let Some(bit) = bit
        && let Some(byte) = bytes.get_mut(bit / 8)
    {
        *byte ^= 1 << (bit % 8);
    }
}

/// When a link of limited rate has sent everything it was given.
struct Pace {
    free_at: Instant,
}

impl Pace {
    /// A link forgets how long it has been idle.
    fn new() -> Self {
        Self { free_at: Instant::now() }
    }

    /// How long these bytes wait for their turn and their own sending.
    fn wait(&mut self, rate: u32, bytes: usize) -> Duration {
        if rate == 0 {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let micros = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000) / u64::from(rate);
        self.free_at = self.free_at.max(now) + Duration::from_micros(micros);
        self.free_at - now
    }
}

/// A relay at work. It ends when dropped.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Carries datagrams between whoever sends to it and `to`. The same seed decides the same chances.
    ///
    /// # Errors
    /// When no port can be taken.
    pub async fn udp(to: SocketAddr, seed: u64) -> std::io::Result<Self> {
        let socket = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await?;
        let (address, shared) = (socket.local_addr()?, Self::shared(seed));
        let task = tokio::spawn(udp::run(socket, to, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    /// Carries connections to `to`.
    ///
    /// # Errors
    /// When no port can be taken.
    pub async fn tcp(to: SocketAddr, seed: u64) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, shared) = (listener.local_addr()?, Self::shared(seed));
        let task = tokio::spawn(tcp::run(listener, to, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    fn shared(seed: u64) -> Arc<Shared> {
        let (weather, _) = watch::channel(Weather::default());
        Arc::new(Shared { weather, counters: Counters::default(), chance: Mutex::new(StdRng::seed_from_u64(seed)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what happens from now on.
    pub fn set(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// What happens now.
    pub fn weather(&self) -> Weather {
        *self.shared.weather.borrow()
    }

    /// Nothing passes any more.
    pub fn cut(&self) {
        self.shared.weather.send_modify(|weather| weather.cut = true);
    }

    /// Everything passes again as before the cut.
    pub fn restore(&self) {
        self.shared.weather.send_modify(|weather| weather.cut = false);
    }

    /// What passed and what did not.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
