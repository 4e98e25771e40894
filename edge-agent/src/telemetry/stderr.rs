//! Standard error that nobody waits for. Whoever reads it (a pager, a full journal, a terminal that was stopped) may
//! stop reading; a sale must not stand still with it. Lines wait in bounded room for one thread that writes them; what
//! finds no room is dropped and counted. Head office and the node have the same text of this file (a test compares
//! them). Knows nothing of what is said.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use protocol::limits;
use tracing_subscriber::fmt::MakeWriter;

/// How long an end waits for the last lines to be read.
const FLUSH: Duration = Duration::from_secs(1);

static PROCESS: OnceLock<Stderr> = OnceLock::new();

/// Where lines are left. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stderr(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    writing: bool,
}

impl Stderr {
    /// Standard error of this process; its thread starts with the first call.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn of_process() -> io::Result<Self> {
        if let Some(known) = PROCESS.get() {
            return Ok(known.clone());
        }
        let fresh = Self::default();
        if PROCESS.set(fresh.clone()).is_ok() {
            fresh.write_to(io::stderr())?;
        }
        Ok(PROCESS.get().cloned().unwrap_or(fresh))
    }

    fn write_to(&self, mut out: impl Write + Send + 'static) -> io::Result<()> {
        let mine = self.clone();
        let writing = move || {
            loop {
                let line = mine.next();
                // Nobody is left who could be told.
                drop(out.write_all(&line).and_then(|()| out.flush()));
            }
        };
        std::thread::Builder::new().name("log".to_owned()).spawn(writing).map(drop)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next line, for the thread that writes; what it had before is written by now.
    fn next(&self) -> Vec<u8> {
        let mut waiting = self.waiting();
        waiting.writing = false;
        self.0.changed.notify_all();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                waiting.bytes = waiting.bytes.saturating_sub(line.len());
                waiting.writing = true;
                return line;
            }
            waiting = self.0.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Leaves a line. Never waits for whoever reads.
    fn leave(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        let bytes = waiting.bytes.saturating_add(line.len());
        if bytes > limits::LOG_BYTES_WAITING {
            drop(waiting);
            return metrics::counter!("tillway_log_lines_dropped_total").increment(1);
        }
        waiting.bytes = bytes;
        waiting.lines.push_back(line.to_vec());
        drop(waiting);
        self.0.changed.notify_all();
    }

    /// Waits a moment until everything is written. Whether it is.
    fn flushed(&self, within: Duration) -> bool {
        let busy = |waiting: &mut Waiting| waiting.writing || !waiting.lines.is_empty();
        let waited = self.0.changed.wait_timeout_while(self.waiting(), within, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

/// Waits, but not for long, until what was said so far is written. For the end of a process.
pub fn flush() {
    if let Some(process) = PROCESS.get() {
        process.flushed(FLUSH);
    }
}

impl<'w> MakeWriter<'w> for Stderr {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.leave(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Somebody who reads one line for each word he is given, and nothing more once nobody gives any.
    struct Reader(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>);

    impl Write for Reader {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_who_stopped() {
        let ((go, words), (told, heard)) = (mpsc::channel(), mpsc::channel());
        let stderr = Stderr::default();
        stderr.write_to(Reader(words, told)).unwrap();
        let said = stderr.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(said).finish();
        tracing::subscriber::with_default(subscriber, || {
            // With a writer that waits this would never come to its end.
            for number in 0..limits::LOG_BYTES_WAITING / 40 {
                tracing::error!(number, "a line that has a length of more than forty bytes");
            }
        });
        assert!(stderr.waiting().bytes <= limits::LOG_BYTES_WAITING);
        assert!(!stderr.flushed(Duration::from_millis(10)), "he has not read anything");
        go.send(()).unwrap();
        let first = String::from_utf8(heard.recv().unwrap()).unwrap();
        assert!(first.contains("number=0"), "{first}");
        // He is gone: what he would have read goes nowhere, and the end does not wait for it.
        drop(go);
        assert!(stderr.flushed(Duration::from_secs(60)));
    }
}
