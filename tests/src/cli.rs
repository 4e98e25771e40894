//! How the tools of this crate speak: results on stdout, progress on stderr, as a bar on a terminal and as
//! plain lines otherwise. Nothing else in the crate prints.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Prints a line of the result.
#[allow(clippy::print_stdout, reason = "the one place where a tool writes its result")]
pub fn say(line: &str) {
    println!("{line}");
}

/// Tells a person what goes on.
#[allow(clippy::print_stderr, reason = "the one place where a tool tells what it does")]
pub fn tell(line: &str) {
    eprintln!("{line}");
}

/// How far a long command has come.
pub struct Progress {
    bar: Option<ProgressBar>,
    last: Mutex<Instant>,
    what: String,
    total: u64,
}

impl Progress {
    /// Between two plain lines.
    const EVERY: Duration = Duration::from_secs(5);

    /// `what` counts up to `total`.
    pub fn new(what: &str, total: usize) -> Self {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}");
            let bar = ProgressBar::new(total).with_message(what.to_owned());
            style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
        });
        Self { bar, last: Mutex::new(Instant::now()), what: what.to_owned(), total }
    }

    /// `done` of them are done.
    pub fn at(&self, done: usize) {
        let done = u64::try_from(done).unwrap_or(u64::MAX);
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        let Ok(mut last) = self.last.lock() else { return };
        if last.elapsed() >= Self::EVERY {
            *last = Instant::now();
            tell(&format!("{}: {done} of {}", self.what, self.total));
        }
    }

    /// The end, with a last word.
    pub fn done(&self, word: &str) {
        match &self.bar {
            Some(bar) => bar.finish_with_message(word.to_owned()),
            None => tell(&format!("{}: {word}", self.what)),
        }
    }
}
