//! One thread that starts the postmaster, waits for its end, and starts it again unless it was meant to end.
//! The thread lives as long as the child, because the kernel ties a child's death signal to the thread that made
//! it, not to the process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::EmbeddedError;

/// Longest pause before a postmaster that keeps ending is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A postmaster that is kept running.
#[derive(Debug)]
pub(super) struct Supervisor {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    starts: AtomicU64,
    /// The child while it may be signalled; None once it was reaped.
    child: Mutex<Option<Pid>>,
    ended: Mutex<bool>,
    bell: Condvar,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Supervisor {
    /// Starts the postmaster that `command` makes, and keeps it running.
    ///
    /// # Errors
    /// [`EmbeddedError::Spawn`] if the first start fails.
    pub(super) fn start(command: impl Fn() -> Command + Send + 'static) -> Result<Self, EmbeddedError> {
        let shared = Arc::new(Shared::default());
        let (told, first) = std::sync::mpsc::sync_channel(1);
        let inner = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("postgres-keeper".to_owned())
            .spawn(move || {
                keep(&inner, &command, &told);
                *locked(&inner.ended) = true;
                inner.bell.notify_all();
            })
            .map_err(EmbeddedError::Spawn)?;
        match first.recv() {
            Ok(Ok(())) => Ok(Self { shared }),
            Ok(Err(error)) => Err(EmbeddedError::Spawn(error)),
            Err(_) => Err(EmbeddedError::Spawn(std::io::Error::other("the keeper thread ended"))),
        }
    }

    /// How often the postmaster was started.
    pub(super) fn starts(&self) -> u64 {
        self.shared.starts.load(Ordering::SeqCst)
    }

    /// Process id of the postmaster while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        locked(&self.shared.child).and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok())
    }

    /// Fast shutdown; after `patience` an immediate one; after that the end. Blocks until it is over.
    pub(super) fn stop(&self, patience: Duration) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.bell.notify_all();
        for (signal, wait) in
            [(Signal::INT, patience), (Signal::QUIT, Duration::from_secs(5)), (Signal::KILL, Duration::from_secs(5))]
        {
            self.signal(signal);
            if self.wait_ended(wait) {
                return;
            }
            tracing::warn!(signal = signal.as_raw(), "the private PostgreSQL does not end; asking harder");
        }
    }

    fn signal(&self, signal: Signal) {
        let child = locked(&self.shared.child);
        if let Some(pid) = *child
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::warn!(%error, "cannot signal the private PostgreSQL");
        }
    }

    fn wait_ended(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut ended = locked(&self.shared.ended);
        while !*ended {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            ended = self.shared.bell.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

type Told = std::sync::mpsc::SyncSender<std::io::Result<()>>;

fn keep(shared: &Shared, command: &dyn Fn() -> Command, told: &Told) {
    let mut pause = Duration::from_millis(100);
    loop {
        let begun = Instant::now();
        match run_once(shared, command, told) {
            Ok(status) if shared.stopping.load(Ordering::SeqCst) => {
                tracing::info!(%status, "the private PostgreSQL has stopped");
                return;
            }
            Ok(status) => tracing::error!(%status, "the private PostgreSQL ended by itself; starting it again"),
            Err(error) => tracing::error!(%error, "the private PostgreSQL cannot be started; trying again"),
        }
        metrics::counter!("tillway_postgres_restarts_total").increment(1);
        if begun.elapsed() > Duration::from_secs(60) {
            pause = Duration::from_millis(100);
        }
        let until = Instant::now() + pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
        let mut ended = locked(&shared.ended);
        while !shared.stopping.load(Ordering::SeqCst) {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            ended = shared.bell.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(ended);
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
    }
}

/// Starts the child and waits for its end. It is waited for before it is reaped, so that nobody signals a
/// process id that has passed to somebody else.
fn run_once(shared: &Shared, command: &dyn Fn() -> Command, told: &Told) -> std::io::Result<std::process::ExitStatus> {
    let mut command = command();
    let spawned = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            let copy = std::io::Error::new(error.kind(), error.to_string());
            if told.send(Err(error)).is_ok() {
                shared.stopping.store(true, Ordering::SeqCst);
            }
            return Err(copy);
        }
    };
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    *locked(&shared.child) = pid;
    shared.starts.fetch_add(1, Ordering::SeqCst);
    let heard = told.send(Ok(()));
    tracing::debug!(pid = child.id(), first = heard.is_ok(), "postmaster started");
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || relay_log(BufReader::new(stderr)));
    }
    if let Some(pid) = pid {
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {
        }
    }
    *locked(&shared.child) = None;
    child.wait()
}

/// PostgreSQL's own log lines become ours, so that one place holds what happened.
fn relay_log(reader: impl BufRead) {
    for line in reader.lines().map_while(Result::ok) {
        // Every start and every stop turns connections away; that is how PostgreSQL says "not yet" and "no more".
        let ordinary = ["the database system is starting up", "terminating connection due to administrator command"];
        let grave = line.contains("FATAL:") || line.contains("PANIC:");
        if grave && !ordinary.iter().any(|words| line.ends_with(words)) {
            tracing::warn!(target: "postgres", "{line}");
        } else {
            tracing::debug!(target: "postgres", "{line}");
        }
    }
}
