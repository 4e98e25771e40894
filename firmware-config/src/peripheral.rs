//! What stands around a node: one variant per driver, and that is the list of drivers there are. Knows how a
//! peripheral is named and reached; not how it is driven.

use std::fmt;
use std::str::FromStr;

use protocol::limits;

use crate::network::HostPort;
use crate::parse::Problem;

/// Characters of a line that receipt printers have, by paper and font.
pub const WIDTHS: [u8; 3] = [32, 42, 48];

/// `[[printer]]`: a printer and the lanes it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printer {
    /// What people and topics call it: letters, digits, hyphens and underscores.
    pub name: String,
    /// How it is reached and spoken to.
    pub driver: PrinterDriver,
    /// Whose receipts it prints.
    pub lanes: Lanes,
}

/// How a printer is driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrinterDriver {
    /// `escpos-tcp`: ESC/POS over a plain TCP connection, usually to port 9100.
    EscposTcp(EscposTcp),
}

/// An ESC/POS printer on the shop's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscposTcp {
    /// Where it listens.
    pub address: HostPort,
    /// Characters of a line, one of [`WIDTHS`].
    pub width: u8,
    /// The characters it knows.
    pub code_page: CodePage,
    /// Whether it has a cutter.
    pub cut: bool,
    /// How it shows that it printed.
    pub proof: Proof,
}

/// The table of characters a printer is switched to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodePage {
    /// `cp858`: western European with the euro.
    #[default]
    Cp858,
    /// `cp437`: what every printer has.
    Cp437,
    /// `wpc1252`: Windows western European.
    Wpc1252,
}

/// How a printer shows that it has worked through what it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// `status`: it answers status queries, and in order.
    #[default]
    Status,
    /// `none`: it never answers. That its receipts were sent is all that will ever be known.
    None,
}

/// Whose receipts a printer prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// `["*"]`: every lane's that no other printer names.
    All,
    /// Those of the lanes of these names.
    Named(Vec<String>),
}

/// Why a text is not one of the words a key takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write one of: {}", .0.join(", "))]
pub struct NoSuchWord(&'static [&'static str]);

impl CodePage {
    const WORDS: &[&str] = &["cp858", "cp437", "wpc1252"];
}

impl fmt::Display for CodePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cp858 => "cp858",
            Self::Cp437 => "cp437",
            Self::Wpc1252 => "wpc1252",
        })
    }
}

impl FromStr for CodePage {
    type Err = NoSuchWord;

    fn from_str(text: &str) -> Result<Self, NoSuchWord> {
        Ok(match text {
            "cp858" => Self::Cp858,
            "cp437" => Self::Cp437,
            "wpc1252" => Self::Wpc1252,
            _ => return Err(NoSuchWord(Self::WORDS)),
        })
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "status",
            Self::None => "none",
        })
    }
}

impl FromStr for Proof {
    type Err = NoSuchWord;

    fn from_str(text: &str) -> Result<Self, NoSuchWord> {
        Ok(match text {
            "status" => Self::Status,
            "none" => Self::None,
            _ => return Err(NoSuchWord(&["status", "none"])),
        })
    }
}

impl Lanes {
    /// As it stands in the file.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::All => vec!["*".to_owned()],
            Self::Named(names) => names.clone(),
        }
    }
}

impl From<Vec<String>> for Lanes {
    fn from(words: Vec<String>) -> Self {
        if words.iter().any(|word| word == "*") { Self::All } else { Self::Named(words) }
    }
}

/// The printer that prints the receipts of a lane of this name: one that names it, else the first for all.
pub fn printer_of<'p>(printers: &'p [Printer], lane: &str) -> Option<&'p Printer> {
    let names = |printer: &&Printer| match &printer.lanes {
        Lanes::All => false,
        Lanes::Named(names) => names.iter().any(|name| name == lane),
    };
    printers.iter().find(names).or_else(|| printers.iter().find(|printer| printer.lanes == Lanes::All))
}

/// What is wrong with a list of printers.
pub(crate) fn problems(printers: &[Printer]) -> Vec<Problem> {
    let mut found = Vec::new();
    if printers.len() > limits::PRINTERS {
        found.push(Problem::at("printer", &format!("a node drives at most {} printers", limits::PRINTERS)));
    }
    for (index, printer) in printers.iter().enumerate() {
        let earlier = printers.get(..index).unwrap_or_default();
        let mut check = |holds: bool, key: &str, message: &str| {
            if !holds {
                found.push(Problem::at(&format!("printer[{index}].{key}"), message));
            }
        };
        let Printer { name, driver: PrinterDriver::EscposTcp(escpos), lanes } = printer;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        check(
            (1..=limits::DEVICE_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain),
            "name",
            "use 1 to 64 letters, digits, hyphens and underscores: the name stands in topics and addresses",
        );
        check(earlier.iter().all(|other| other.name != *name), "name", "another printer has this name");
        let address = |other: &Printer| match &other.driver {
            PrinterDriver::EscposTcp(other) => other.address == escpos.address,
        };
        check(!earlier.iter().any(address), "address", "another printer has this address; one printer, one section");
        check(WIDTHS.contains(&escpos.width), "width", "a line has 32, 42 or 48 characters");
        check(!lanes.words().is_empty(), "lanes", "name at least one lane, or write [\"*\"] for all");
    }
    found
}
