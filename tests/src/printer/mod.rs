//! A receipt printer on a real TCP port: it reads ESC/POS with a reader of its own, has faults at will, serves one
//! client at a time as real ones do, and keeps what it printed as text and as a picture.

mod device;
mod fault;
mod keeper;
mod language;
pub mod pages;
mod paper;
mod picture;
mod socket;

pub use fault::{FAULTS, Fault};
pub use language::{Command, Reader};
pub use paper::{Item, Line, Paper, Printed};
pub use picture::Picture;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use device::Device;
use keeper::Keeper;

/// What a printer is like.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// Where it listens; port 0 for any that is free.
    pub listen: SocketAddr,
    /// Characters of a line: 32, 42 or 48.
    pub columns: usize,
    /// Bytes it holds before it takes no more.
    pub buffer: usize,
    /// Where each receipt is written on its cut, as `0001.png` and `0001.txt`; none to keep them in memory only.
    pub out: Option<PathBuf>,
    /// What is wrong with it from the start.
    pub faults: Vec<Fault>,
}

impl Default for SimOptions {
    /// 80 mm paper on a free port of loopback, with the buffer of a usual printer, and nothing wrong.
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, columns: 48, buffer: 4_096, out: None, faults: Vec::new() }
    }
}

/// A printer that runs. Gone when dropped.
#[derive(Debug)]
pub struct PrinterSim {
    /// Where it listens, also while it refuses.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// The printer and its socket, which work on it in turn.
#[derive(Debug)]
struct Shared {
    device: Mutex<Device>,
    /// Rises with everything that happens.
    changed: watch::Sender<u64>,
    keeper: Keeper,
}

impl Shared {
    fn with<T>(&self, f: impl FnOnce(&mut Device) -> T) -> T {
        f(&mut self.device.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same for what others may wait for.
    fn change<T>(&self, f: impl FnOnce(&mut Device) -> T) -> T {
        let result = self.with(f);
        self.changed.send_modify(|count| *count += 1);
        result
    }
}

impl PrinterSim {
    /// Plugs a printer in.
    ///
    /// # Errors
    /// When the address is taken, or the folder for receipts cannot be made.
    pub async fn start(options: SimOptions) -> anyhow::Result<Self> {
        let mut device = Device::new(options.columns, options.buffer);
        options.faults.into_iter().for_each(|fault| device.fault(fault));
        let changed = watch::Sender::new(0);
        let keeper = Keeper::start(options.out, changed.clone())?;
        let shared = Shared { device: Mutex::new(device), changed, keeper };
        let shared = Arc::new(shared);
        let listener = tokio::net::TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(socket::run(shared.clone(), address, listener));
        Ok(Self { address, shared, task })
    }

    /// Something goes wrong now, until it is mended.
    pub fn fault(&self, fault: Fault) {
        self.shared.change(|device| device.fault(fault));
    }

    /// Something goes wrong once so many more bytes have been printed.
    pub fn fault_after(&self, bytes: u64, fault: Fault) {
        self.shared.change(|device| device.fault_after(bytes, fault));
    }

    /// Something is put right: paper is put in, the cover shut, the power on.
    pub fn mend(&self, fault: Fault) {
        self.shared.change(|device| device.mend(fault));
    }

    /// Everything is put right.
    pub fn mend_all(&self) {
        self.shared.change(Device::mend_all);
    }

    /// Somebody pushes the drawer shut.
    pub fn shut_drawer(&self) {
        self.shared.change(Device::shut_drawer);
    }

    /// Whether the drawer is open, and how often it was told to open.
    pub fn drawer(&self) -> (bool, u64) {
        self.shared.with(|device| device.drawer())
    }

    /// The receipts that were cut, oldest first; at most the last hundred.
    pub fn receipts(&self) -> Vec<Printed> {
        self.shared.with(|device| device.receipts().0)
    }

    /// Pulls the plug for good and waits until every receipt that was cut is in its folder.
    ///
    /// # Errors
    /// When the files could not be finished.
    pub async fn unplug(self) -> anyhow::Result<()> {
        self.task.abort();
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.keeper.finish()).await?
    }

    /// How many receipts were ever cut.
    pub fn count(&self) -> u64 {
        self.shared.with(|device| device.receipts().1)
    }

    /// What stood on the paper, uncut, each time the power went.
    pub fn torn(&self) -> Vec<Printed> {
        self.shared.with(|device| device.torn())
    }

    /// What stands on the paper since the last cut.
    pub fn since_cut(&self) -> Printed {
        self.shared.with(|device| device.since_cut())
    }

    /// Waits until so many receipts were ever cut and gives those that are kept.
    ///
    /// # Errors
    /// When they do not come in time; says how many did.
    pub async fn wait_for(&self, receipts: u64, patience: Duration) -> anyhow::Result<Vec<Printed>> {
        let mut changed = self.shared.changed.subscribe();
        let enough = changed.wait_for(|_| self.shared.keeper.kept() >= receipts);
        match tokio::time::timeout(patience, enough).await {
            Ok(_) => Ok(self.receipts()),
            Err(_) => anyhow::bail!("{} of {receipts} receipts were printed in {patience:?}", self.count()),
        }
    }
}

impl Drop for PrinterSim {
    fn drop(&mut self) {
        self.task.abort();
    }
}
