//! What can be wrong with a printer, by name. Says nothing about what follows from it.

use std::fmt;
use std::str::FromStr;

/// Something that is wrong, until it is put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The roll has ended: nothing is printed, what was received waits.
    PaperOut,
    /// The roll will soon end: it prints, and says so.
    NearEnd,
    /// The cover is open: nothing is printed, what was received waits.
    CoverOpen,
    /// Taken offline: nothing is printed, what was received waits.
    Offline,
    /// The power is off: connections end, new ones are refused, what was received and not printed is lost.
    PowerOff,
    /// It takes and prints only so many bytes in a second.
    Slow(u32),
    /// It prints and never answers a question.
    Silent,
    /// It lets nobody in; who is in, stays.
    Refuses,
    /// It takes no more bytes from its connection, as with a full buffer.
    StopsReading,
}

/// Every fault with its name and what it does, for the help of the program.
pub const FAULTS: &[(&str, &str)] = &[
    ("paper-out", "no paper: what is received waits, status says so"),
    ("near-end", "the roll is nearly at its end: prints, status says so"),
    ("cover-open", "the cover is open: what is received waits, status says so"),
    ("offline", "taken offline: what is received waits, status says so"),
    ("power-off", "the plug is pulled: connections end, what was received and not printed is lost"),
    ("slow=N", "takes N bytes in a second"),
    ("silent", "prints, but answers no question"),
    ("refuses", "lets no new connection in"),
    ("stops-reading", "reads no more bytes, as with a full buffer"),
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PaperOut => "paper-out",
            Self::NearEnd => "near-end",
            Self::CoverOpen => "cover-open",
            Self::Offline => "offline",
            Self::PowerOff => "power-off",
            Self::Slow(bytes) => return write!(f, "slow={bytes}"),
            Self::Silent => "silent",
            Self::Refuses => "refuses",
            Self::StopsReading => "stops-reading",
        })
    }
}

impl FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if let Some(bytes) = text.strip_prefix("slow=") {
            return Ok(Self::Slow(bytes.parse()?));
        }
        let plain = [
            Self::PaperOut,
            Self::NearEnd,
            Self::CoverOpen,
            Self::Offline,
            Self::PowerOff,
            Self::Silent,
            Self::Refuses,
            Self::StopsReading,
        ];
        let names: Vec<&str> = FAULTS.iter().map(|(name, _)| *name).collect();
        let found = plain.into_iter().find(|fault| fault.to_string() == text);
        found.ok_or_else(|| anyhow::anyhow!("no fault is called {text:?}; there are {}", names.join(", ")))
    }
}
