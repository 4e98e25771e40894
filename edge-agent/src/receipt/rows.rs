//! A receipt laid out: rows of characters that fit the paper, and a code. Between layout and the language of a
//! printer; knows neither tickets nor bytes.

use firmware_config::peripheral::CodePage;

/// What a receipt is laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Characters of a line: 32 (58 mm), 42 or 48 (80 mm).
    pub columns: u8,
    /// The characters the printer has; what it lacks is written in others before lines are broken.
    pub code_page: CodePage,
}

/// A receipt, ready for any printer of this paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What it was laid out for.
    pub paper: Paper,
    /// From the top.
    pub rows: Vec<Row>,
    /// Characters that the paper cannot show and that stand as `?`.
    pub unprintable: u32,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A line of characters.
    Text(TextRow),
    /// A QR code, in the middle.
    Qr(QrRow),
    /// Empty lines.
    Feed(u8),
}

/// A line of characters. Its columns (characters, twice as many when wide) never exceed the paper's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRow {
    /// Characters that the paper's code page has; no control characters.
    pub text: String,
    /// Where it stands.
    pub align: Align,
    /// How it looks.
    pub style: Style,
}

impl TextRow {
    /// How many columns it takes.
    pub fn columns(&self) -> usize {
        self.text.chars().count() * if self.style.wide { 2 } else { 1 }
    }
}

/// A QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QrRow {
    /// What it says: printable ASCII.
    pub text: String,
}

/// Where a line stands on the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// At the left edge.
    #[default]
    Left,
    /// In the middle.
    Centre,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Bold.
    pub bold: bool,
    /// Each character twice as high.
    pub tall: bool,
    /// Each character twice as wide.
    pub wide: bool,
}
