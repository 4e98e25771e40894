//! ESC/POS: the bytes for a receipt, for the drawer, and (in [`status`]) for asking a printer how it is. A pure codec:
//! rows in, bytes out. What stands on a receipt reaches the printer as characters only, whatever it contains.

pub mod status;

use firmware_config::peripheral::{CodePage, EscposTcp};

use super::rows::{Align, QrRow, Receipt, Row, Style, TextRow};
use super::text::byte_of;

const ESC: u8 = 0x1b;
const GS: u8 = 0x1d;
const LF: u8 = 0x0a;
/// Lines that lift the last one above the tear bar of a printer without a cutter.
const TEAR_OFF_LINES: u8 = 5;

/// What a model of printer wants otherwise than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EscposProfile {
    /// Whether it has a cutter; without one the paper is fed to the tear bar.
    pub cut: bool,
    /// Dots of one module of a QR code, 1 to 16.
    pub qr_dots: u8,
}

impl Default for EscposProfile {
    /// A usual printer: it cuts, and a code of 33 modules is 20 mm wide.
    fn default() -> Self {
        Self { cut: true, qr_dots: 5 }
    }
}

impl From<&EscposTcp> for EscposProfile {
    fn from(printer: &EscposTcp) -> Self {
        Self { cut: printer.cut, ..Self::default() }
    }
}

/// The connector's pin that a drawer hangs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrawerPin {
    /// Pin 2: the first drawer.
    #[default]
    Two,
    /// Pin 5: the second.
    Five,
}

impl DrawerPin {
    const fn number(self) -> u8 {
        match self {
            Self::Two => 0,
            Self::Five => 1,
        }
    }
}

/// Opens a drawer in the order of the print data: 50 ms on, 500 ms off, what stubborn ones need.
pub const fn drawer_pulse(pin: DrawerPin) -> [u8; 5] {
    [ESC, b'p', pin.number(), 25, 250]
}

/// Opens a drawer at once, also while the printer is offline: 200 ms. Must not be sent within another command.
pub const fn drawer_pulse_now(pin: DrawerPin) -> [u8; 5] {
    [0x10, 0x14, 1, pin.number(), 2]
}

/// Sets a printer back to its defaults. It does not end what a printer is receiving (see the driver).
pub const fn init() -> [u8; 2] {
    [ESC, b'@']
}

/// The bytes of a receipt: settings, rows, and the cut. What came before leaves no trace on it.
pub fn encode(receipt: &Receipt, profile: &EscposProfile) -> Vec<u8> {
    let mut out = Encoder { page: receipt.paper.code_page, bytes: init().to_vec(), ..Encoder::default() };
    // The American set: a printer set to another country would print other signs for some of ASCII.
    out.bytes.extend([ESC, b'R', 0]);
    out.bytes.extend([ESC, b't', table(receipt.paper.code_page)]);
    for row in &receipt.rows {
        match row {
            Row::Text(text) => out.text(text),
            Row::Qr(qr) => out.qr(qr, profile.qr_dots),
            Row::Feed(lines) => out.feed(*lines),
        }
    }
    out.look(Style::default(), Align::Left);
    if profile.cut {
        // Feeds to the cutter, and leaves a bridge so that the receipt does not fall.
        out.bytes.extend([GS, b'V', 66, 0]);
    } else {
        out.feed(TEAR_OFF_LINES);
    }
    out.bytes
}

/// The number of a code page in `ESC t`, as most makers count them.
const fn table(page: CodePage) -> u8 {
    match page {
        CodePage::Cp437 => 0,
        CodePage::Wpc1252 => 16,
        CodePage::Cp858 => 19,
    }
}

#[derive(Default)]
struct Encoder {
    bytes: Vec<u8>,
    page: CodePage,
    style: Style,
    align: Align,
}

impl Encoder {
    fn look(&mut self, style: Style, align: Align) {
        if align != self.align {
            self.bytes.extend([ESC, b'a', u8::from(align == Align::Centre)]);
        }
        if style.bold != self.style.bold {
            self.bytes.extend([ESC, b'E', u8::from(style.bold)]);
        }
        if (style.tall, style.wide) != (self.style.tall, self.style.wide) {
            self.bytes.extend([GS, b'!', u8::from(style.wide) << 4 | u8::from(style.tall)]);
        }
        (self.style, self.align) = (style, align);
    }

    fn text(&mut self, row: &TextRow) {
        self.look(row.style, row.align);
        // Layout has left only characters of the page; `?` is for a row from elsewhere.
        let bytes = row.text.chars().map(|character| byte_of(self.page, character).unwrap_or(b'?'));
        self.bytes.extend(bytes);
        self.bytes.push(LF);
    }

    fn feed(&mut self, lines: u8) {
        self.bytes.extend([ESC, b'd', lines]);
    }

    /// Model 2, module size, 15 % correction, data, print.
    fn qr(&mut self, row: &QrRow, dots: u8) {
        let data: Vec<u8> = row.text.bytes().filter(|byte| (b' '..=b'~').contains(byte)).collect();
        // A receipt's code is far shorter than the 7,089 digits that any code can hold.
        let Ok(length) = u16::try_from(data.len() + 3) else { return };
        self.look(Style::default(), Align::Centre);
        self.bytes.extend([GS, b'(', b'k', 4, 0, 49, 65, 50, 0]);
        self.bytes.extend([GS, b'(', b'k', 3, 0, 49, 67, dots.clamp(1, 16)]);
        self.bytes.extend([GS, b'(', b'k', 3, 0, 49, 69, 49]);
        self.bytes.extend([GS, b'(', b'k']);
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend([49, 80, 48]);
        self.bytes.extend(data);
        self.bytes.extend([GS, b'(', b'k', 3, 0, 49, 81, 48]);
    }
}
