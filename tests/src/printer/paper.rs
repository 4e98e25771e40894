//! What commands do to paper: a line is gathered and printed, codes and pictures are drawn, a cut ends a receipt. Keeps
//! the text as it was decoded beside the dots. Knows no connection.

use qrcode::{Color, EcLevel, QrCode};

use super::language::Command;
use super::picture::{CELL, Look, Picture};

/// Dots from one line to the next, as printers come.
const LINE_SPACING: usize = 30;
/// From the head to the cutter.
const CUTTER: usize = 24;

/// A receipt as it came out of the slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// From the top.
    pub items: Vec<Item>,
    /// Commands that no printer understands, as bytes; a good job has none.
    pub unknown: Vec<Vec<u8>>,
    /// Its dots.
    pub picture: Picture,
}

/// Something on a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A line of text.
    Line(Line),
    /// A QR code, as its data.
    Qr(String),
    /// A picture of so many dots.
    Picture(usize, usize),
}

/// A line of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// What it says, without the spaces at its end.
    pub text: String,
    /// Any of it is bold.
    pub bold: bool,
    /// Any of it is wider than usual.
    pub wide: bool,
    /// Any of it is higher than usual.
    pub tall: bool,
    /// 0 left, 1 middle, 2 right.
    pub align: u8,
    /// It was longer than the paper is wide and goes on in the next: nobody meant that.
    pub overflowed: bool,
}

impl Printed {
    /// Its lines of text, one below the other.
    pub fn text(&self) -> String {
        self.lines().map(|line| line.text.as_str()).collect::<Vec<&str>>().join("\n")
    }

    /// Its lines of text.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.items.iter().filter_map(|item| match item {
            Item::Line(line) => Some(line),
            Item::Qr(_) | Item::Picture(..) => None,
        })
    }

    /// What its QR codes say.
    pub fn codes(&self) -> Vec<&str> {
        let codes = self.items.iter().filter_map(|item| match item {
            Item::Qr(text) => Some(text.as_str()),
            Item::Line(_) | Item::Picture(..) => None,
        });
        codes.collect()
    }
}

/// The paper in the printer and how the next character will look.
#[derive(Debug)]
pub struct Paper {
    columns: usize,
    printed: Printed,
    line: Vec<(char, Look)>,
    page: u8,
    align: u8,
    look: Look,
    spacing: usize,
    qr: (usize, EcLevel, Vec<u8>),
}

impl Paper {
    /// Paper for lines of so many characters.
    pub fn new(columns: usize) -> Self {
        Self {
            columns,
            printed: blank(columns),
            line: Vec::new(),
            page: 0,
            align: 0,
            look: Look { wide: 1, tall: 1, ..Look::default() },
            spacing: LINE_SPACING,
            qr: (3, EcLevel::L, Vec::new()),
        }
    }

    /// What stands on it since the last cut.
    pub fn since_cut(&self) -> &Printed {
        &self.printed
    }

    /// What the power takes with it: the unfinished line and every setting. Gives what stands on the paper already,
    /// which is torn off.
    pub fn power_off(&mut self) -> Printed {
        let fresh = Self::new(self.columns);
        std::mem::replace(self, fresh).printed
    }

    /// Does what a command says; gives the receipt that a cut ends.
    pub fn execute(&mut self, command: Command) -> Option<Printed> {
        match command {
            Command::Character(byte) => self.character(super::pages::character(self.page, byte)),
            Command::LineFeed => self.print_line(false),
            Command::Tab => (0..8 - self.line.len() % 8).for_each(|_| self.character(' ')),
            Command::Init => {
                let kept = (std::mem::replace(&mut self.printed, blank(self.columns)), self.columns);
                *self = Self { printed: kept.0, ..Self::new(kept.1) };
            }
            Command::CodePage(n) => self.page = n,
            Command::Align(n) => self.align = n,
            Command::Bold(on) => self.look.bold = on,
            Command::Underline(on) => self.look.underline = on,
            Command::Reverse(on) => self.look.reverse = on,
            Command::Size(wide, tall) => (self.look.wide, self.look.tall) = (usize::from(wide), usize::from(tall)),
            Command::Mode(n) => {
                self.look.bold = n & 8 != 0;
                self.look.tall = if n & 16 != 0 { 2 } else { 1 };
                self.look.wide = if n & 32 != 0 { 2 } else { 1 };
                self.look.underline = n & 128 != 0;
            }
            Command::FeedLines(n) => {
                self.print_rest();
                self.printed.picture.feed(usize::from(n) * self.spacing);
            }
            Command::FeedDots(n) => {
                self.print_rest();
                self.printed.picture.feed(usize::from(n));
            }
            Command::LineSpacing(dots) => self.spacing = dots.map_or(LINE_SPACING, usize::from),
            Command::Raster(width, rows, data) => self.raster(width, rows, &data),
            Command::QrSize(dots) => self.qr.0 = usize::from(dots),
            Command::QrCorrection(level) => {
                self.qr.1 = match level {
                    49 => EcLevel::M,
                    50 => EcLevel::Q,
                    51 => EcLevel::H,
                    _ => EcLevel::L,
                }
            }
            Command::QrStore(data) => self.qr.2 = data,
            Command::QrPrint => self.print_qr(),
            Command::Cut => return Some(self.cut()),
            Command::Unknown(bytes) => self.printed.unknown.push(bytes),
            // Another set than the American would show other signs: our receipts ask for 0.
            Command::NationalSet(0) | Command::CarriageReturn | Command::Ignored => {}
            Command::NationalSet(n) => self.printed.unknown.push(vec![0x1b, b'R', n]),
            Command::Pulse(_) | Command::PulseNow(_) | Command::AskInOrder(_) | Command::AskNow(_) => {}
            Command::AutoStatus(_) => {}
        }
        None
    }

    fn character(&mut self, character: char) {
        let taken: usize = self.line.iter().map(|(_, look)| look.wide).sum();
        if taken + self.look.wide > self.columns {
            self.print_line(true);
        }
        self.line.push((character, self.look));
    }

    fn print_rest(&mut self) {
        if !self.line.is_empty() {
            self.print_line(false);
        }
    }

    fn start(&self, width: usize) -> usize {
        let free = self.printed.picture.width().saturating_sub(width);
        match self.align {
            1 => free / 2,
            2 => free,
            _ => 0,
        }
    }

    fn print_line(&mut self, overflowed: bool) {
        let line = std::mem::take(&mut self.line);
        let tall = line.iter().map(|(_, look)| look.tall).max().unwrap_or(1);
        let top = self.printed.picture.height();
        self.printed.picture.feed((tall * CELL.1).max(self.spacing));
        let mut x = self.start(line.iter().map(|(_, look)| look.wide * CELL.0).sum());
        for (character, look) in &line {
            // Characters of different heights stand on one line.
            self.printed.picture.character(x, top + (tall - look.tall) * CELL.1, *character, *look);
            x += look.wide * CELL.0;
        }
        let text: String = line.iter().map(|(character, _)| *character).collect();
        let any = |what: fn(&Look) -> bool| line.iter().any(|(_, look)| what(look));
        self.printed.items.push(Item::Line(Line {
            text: text.trim_end().to_owned(),
            bold: any(|look| look.bold),
            wide: any(|look| look.wide > 1),
            tall: tall > 1,
            align: self.align,
            overflowed,
        }));
    }

    fn raster(&mut self, width: usize, rows: usize, data: &[u8]) {
        self.print_rest();
        let (left, top) = (self.start(width * 8), self.printed.picture.height());
        self.printed.picture.feed(rows);
        for (at, byte) in data.iter().enumerate() {
            for bit in (0..8).filter(|bit| byte >> (7 - bit) & 1 == 1) {
                self.printed.picture.burn(left + at % width * 8 + bit, top + at / width, (1, 1));
            }
        }
        self.printed.items.push(Item::Picture(width * 8, rows));
    }

    fn print_qr(&mut self) {
        self.print_rest();
        let (dots, level, data) = &self.qr;
        let Ok(code) = QrCode::with_error_correction_level(data, *level) else {
            return self.printed.unknown.push(b"a QR code that holds too much".to_vec());
        };
        let (dots, modules) = (*dots, code.width());
        let (left, top) = (self.start(modules * dots), self.printed.picture.height());
        let text = String::from_utf8_lossy(data).into_owned();
        self.printed.picture.feed(modules * dots);
        for (at, _) in code.to_colors().iter().enumerate().filter(|(_, color)| **color == Color::Dark) {
            self.printed.picture.burn(left + at % modules * dots, top + at / modules * dots, (dots, dots));
        }
        self.printed.items.push(Item::Qr(text));
    }

    fn cut(&mut self) -> Printed {
        self.print_rest();
        self.printed.picture.feed(CUTTER);
        std::mem::replace(&mut self.printed, blank(self.columns))
    }
}

fn blank(columns: usize) -> Printed {
    Printed { items: Vec::new(), unknown: Vec::new(), picture: Picture::new(columns * CELL.0) }
}
