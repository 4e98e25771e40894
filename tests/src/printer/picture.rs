//! The paper as dots: what a thermal head burns, row by row, and the picture of it as a file. Knows characters and
//! dots; no commands.

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::{Baseline, Text};
use profont::PROFONT_18_POINT;

/// Dots of one character's cell.
pub const CELL: (usize, usize) = (12, 24);
/// Longest paper that is drawn: some two and a half metres. What is longer is still kept as text.
const LONGEST: usize = 20_000;
/// White around the print, and the shadow around the paper, in dots.
const MARGIN: usize = 36;
const SHADOW: usize = 6;
/// Not quite black and not quite white, as thermal paper is.
const INK: u8 = 0x22;
const PAPER: u8 = 0xfd;

/// Dots on paper of a certain width; it grows as it is fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    dots: Vec<bool>,
}

/// How a character is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Burnt twice, one dot apart.
    pub bold: bool,
    /// With a line below.
    pub underline: bool,
    /// White on black.
    pub reverse: bool,
    /// Times the width.
    pub wide: usize,
    /// Times the height.
    pub tall: usize,
}

impl Picture {
    /// Empty paper of so many dots.
    pub fn new(width: usize) -> Self {
        Self { width, dots: Vec::new() }
    }

    /// Rows so far.
    pub fn height(&self) -> usize {
        self.dots.len() / self.width.max(1)
    }

    /// Dots from edge to edge.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Feeds so many rows.
    pub fn feed(&mut self, rows: usize) {
        let rows = rows.min(LONGEST.saturating_sub(self.height()));
        self.dots.resize(self.dots.len() + rows * self.width, false);
    }

    /// Blackens a square of `size` dots at `x`, `y`, as far as there is paper.
    pub fn burn(&mut self, x: usize, y: usize, size: (usize, usize)) {
        for row in y..y + size.1 {
            for column in (x..x + size.0).take_while(|column| *column < self.width) {
                if let Some(dot) = self.dots.get_mut(row * self.width + column) {
                    *dot = true;
                }
            }
        }
    }

    /// Draws a character with its cell's upper left corner at `x`, `y`.
    pub fn character(&mut self, x: usize, y: usize, character: char, look: Look) {
        let cell = Cell::of(character, look);
        for (at, set) in cell.dots.iter().enumerate() {
            if *set != look.reverse {
                let (column, row) = (at % CELL.0 * look.wide, at / CELL.0 * look.tall);
                self.burn(x + column, y + row, (look.wide, look.tall));
            }
        }
    }

    /// The picture as PNG, grey with transparency: the paper with its margins and a soft shadow.
    ///
    /// # Errors
    /// Only when memory ends.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        let (width, height) = (self.width + 2 * (MARGIN + SHADOW), self.height() + 2 * (MARGIN + SHADOW));
        let mut pixels = Vec::with_capacity(width * height * 2);
        for y in 0..height {
            for x in 0..width {
                pixels.extend(self.pixel(x, y, (width, height)));
            }
        }
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, u32::try_from(width)?, u32::try_from(height)?);
        encoder.set_color(png::ColorType::GrayscaleAlpha);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&pixels)?;
        Ok(out)
    }

    fn pixel(&self, x: usize, y: usize, (width, height): (usize, usize)) -> [u8; 2] {
        let edge = x.min(y).min(width - 1 - x).min(height - 1 - y);
        if edge < SHADOW {
            return [0x60, u8::try_from(edge * edge * 2).unwrap_or(u8::MAX)];
        }
        let inside = x.checked_sub(MARGIN + SHADOW).zip(y.checked_sub(MARGIN + SHADOW));
        let dot = inside.filter(|(x, _)| *x < self.width).and_then(|(x, y)| self.dots.get(y * self.width + x));
        [if dot == Some(&true) { INK } else { PAPER }, u8::MAX]
    }
}

/// One character as dots.
struct Cell {
    dots: [bool; CELL.0 * CELL.1],
    shift: usize,
}

impl Cell {
    fn of(character: char, look: Look) -> Self {
        let mut cell = Self { dots: [false; CELL.0 * CELL.1], shift: 0 };
        // The font ends with Latin 1; a euro is a C with two bars.
        let known = if character == '€' { 'C' } else { character };
        cell.write(known);
        if look.bold {
            cell.shift = 1;
            cell.write(known);
        }
        if character == '€' {
            cell.bar(10, 8);
            cell.bar(13, 8);
        }
        if look.underline {
            cell.bar(22, CELL.0);
        }
        cell
    }

    fn write(&mut self, character: char) {
        let mut bytes = [0; 4];
        let style = MonoTextStyle::new(&PROFONT_18_POINT, BinaryColor::On);
        // Drawing into memory cannot fail.
        let Ok(_) =
            Text::with_baseline(character.encode_utf8(&mut bytes), Point::new(0, 1), style, Baseline::Top).draw(self);
    }

    fn bar(&mut self, row: usize, length: usize) {
        for dot in self.dots.iter_mut().skip(row * CELL.0).take(length) {
            *dot = true;
        }
    }
}

impl OriginDimensions for Cell {
    fn size(&self) -> Size {
        Size::new(12, 24)
    }
}

impl DrawTarget for Cell {
    type Color = BinaryColor;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, color) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(at.x), usize::try_from(at.y)) else { continue };
            let x = x + self.shift;
            if color.is_on() && x < CELL.0 && y < CELL.1 {
                self.dots[y * CELL.0 + x] = true;
            }
        }
        Ok(())
    }
}
