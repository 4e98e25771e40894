//! ESC/POS as a printer reads it: bytes into commands, one after the other, whatever the pieces they come in. Written
//! apart from the agent's codec, so that the two can contradict each other. Draws nothing and answers nothing.

/// More data than any picture or code of a receipt has; a command that announces more is not believed.
const LARGEST_PAYLOAD: usize = 1 << 20;

const DLE: u8 = 0x10;
const ESC: u8 = 0x1b;
const FS: u8 = 0x1c;
const GS: u8 = 0x1d;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A character, in the code page in force.
    Character(u8),
    /// Prints the line.
    LineFeed,
    /// Does nothing on its own.
    CarriageReturn,
    /// Moves on to the next multiple of eight columns.
    Tab,
    /// Back to the defaults.
    Init,
    /// Chooses a code page by its number.
    CodePage(u8),
    /// Chooses a national set by its number.
    NationalSet(u8),
    /// 0 left, 1 middle, 2 right.
    Align(u8),
    /// Bold on or off.
    Bold(bool),
    /// Underline on or off.
    Underline(bool),
    /// White on black on or off.
    Reverse(bool),
    /// Times the width and height of a character.
    Size(u8, u8),
    /// Several at once: bold, height, width, underline.
    Mode(u8),
    /// Feeds lines.
    FeedLines(u8),
    /// Feeds dots.
    FeedDots(u8),
    /// Dots from line to line; none for the default.
    LineSpacing(Option<u8>),
    /// Cuts.
    Cut,
    /// Opens a drawer: pin 0 or 1.
    Pulse(u8),
    /// A picture: bytes of a row, rows, data.
    Raster(usize, usize, Vec<u8>),
    /// A QR code's module size in dots.
    QrSize(u8),
    /// A QR code's correction: 48 to 51.
    QrCorrection(u8),
    /// A QR code's data.
    QrStore(Vec<u8>),
    /// Prints the stored QR code.
    QrPrint,
    /// Status in order (`GS r`).
    AskInOrder(u8),
    /// Automatic status on or off (`GS a`).
    AutoStatus(u8),
    /// Status at once (`DLE EOT`).
    AskNow(u8),
    /// Opens a drawer at once.
    PulseNow(u8),
    /// Understood and without consequence here.
    Ignored,
    /// Not understood.
    Unknown(Vec<u8>),
}

/// Reads commands out of a stream.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    held: Vec<u8>,
}

impl Reader {
    /// Takes the next byte. Gives the command that it completes with its length in bytes.
    pub fn push(&mut self, byte: u8) -> Option<(Command, usize)> {
        self.held.push(byte);
        let command = read(&self.held)?;
        let length = self.held.len();
        self.held.clear();
        Some((command, length))
    }

    /// Bytes of a command that is not complete.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

/// None while the command is not complete.
fn read(bytes: &[u8]) -> Option<Command> {
    Some(match bytes {
        [DLE | ESC | FS | GS] => return None,
        [DLE, rest @ ..] => return at_once(rest),
        [ESC, rest @ ..] => return after_esc(rest),
        [FS, rest @ ..] => return after_fs(rest),
        [GS, rest @ ..] => return after_gs(rest),
        [0x0a] => Command::LineFeed,
        [0x0d] => Command::CarriageReturn,
        [0x09] => Command::Tab,
        [byte @ (0x20..=0x7e | 0x80..)] => Command::Character(*byte),
        other => Command::Unknown(other.to_vec()),
    })
}

fn unknown(prefix: u8, rest: &[u8]) -> Command {
    Command::Unknown([&[prefix], rest].concat())
}

fn at_once(rest: &[u8]) -> Option<Command> {
    Some(match rest {
        [4] | [5] | [0x14] | [0x14, 1] | [0x14, 1, _] => return None,
        [4, n @ 1..=4] => Command::AskNow(*n),
        [5, _] => Command::Ignored,
        [0x14, 1, pin @ 0..=1, _] => Command::PulseNow(*pin),
        other => unknown(DLE, other),
    })
}

fn after_esc(rest: &[u8]) -> Option<Command> {
    Some(match rest {
        [b'@'] => Command::Init,
        [b'2'] => Command::LineSpacing(None),
        [b'i' | b'm'] => Command::Cut,
        [b'!' | b'-' | b'3' | b'=' | b'E' | b'G' | b'J' | b'M' | b'R' | b'a' | b'd' | b't' | b'{' | b' '] => {
            return None;
        }
        [b'p'] | [b'p', _] | [b'p', _, _] => return None,
        [b'!', n] => Command::Mode(*n),
        [b'-', n] => Command::Underline(n & 3 != 0),
        [b'3', n] => Command::LineSpacing(Some(*n)),
        [b'E' | b'G', n] => Command::Bold(n & 1 == 1),
        [b'J', n] => Command::FeedDots(*n),
        [b'R', n] => Command::NationalSet(*n),
        [b'a', n] => Command::Align(n % 48),
        [b'd', n] => Command::FeedLines(*n),
        [b't', n] => Command::CodePage(*n),
        [b'=' | b'M' | b'{' | b' ', _] => Command::Ignored,
        [b'p', pin, _, _] => Command::Pulse(pin % 48),
        other => unknown(ESC, other),
    })
}

fn after_fs(rest: &[u8]) -> Option<Command> {
    Some(match rest {
        [b'.' | b'&'] => Command::Ignored,
        other => unknown(FS, other),
    })
}

fn after_gs(rest: &[u8]) -> Option<Command> {
    Some(match rest {
        [b'!' | b'B' | b'H' | b'I' | b'V' | b'a' | b'f' | b'h' | b'r' | b'w' | b'L' | b'W' | b'(' | b'v'] => {
            return None;
        }
        [b'L' | b'W', _] | [b'V', 65 | 66] => return None,
        [b'!', n] => Command::Size((n >> 4 & 7) + 1, (n & 7) + 1),
        [b'B', n] => Command::Reverse(n & 1 == 1),
        [b'V', 0 | 1 | 48 | 49] | [b'V', 65 | 66, _] => Command::Cut,
        [b'a', n] => Command::AutoStatus(*n),
        [b'r', n] => Command::AskInOrder(n % 48),
        [b'H' | b'I' | b'f' | b'h' | b'w', _] | [b'L' | b'W', _, _] => Command::Ignored,
        [b'(', ..] => return parenthesis(rest),
        [b'v', ..] => return raster(rest),
        other => unknown(GS, other),
    })
}

/// `GS ( x pL pH data`: only the QR codes of `GS ( k` mean something here.
fn parenthesis(rest: &[u8]) -> Option<Command> {
    let [_, function, low, high, data @ ..] = rest else { return None };
    if data.len() < usize::from(u16::from_le_bytes([*low, *high])) {
        return None;
    }
    Some(match (function, data) {
        (b'k', [49, 65, ..]) => Command::Ignored,
        (b'k', [49, 67, dots]) => Command::QrSize(*dots),
        (b'k', [49, 69, level]) => Command::QrCorrection(*level),
        (b'k', [49, 80, 48, code @ ..]) => Command::QrStore(code.to_vec()),
        (b'k', [49, 81, _]) => Command::QrPrint,
        _ => unknown(GS, rest),
    })
}

/// `GS v 0 m xL xH yL yH data`.
fn raster(rest: &[u8]) -> Option<Command> {
    let [_, zero, _, xl, xh, yl, yh, data @ ..] = rest else { return None };
    let (width, rows) = (usize::from(u16::from_le_bytes([*xl, *xh])), usize::from(u16::from_le_bytes([*yl, *yh])));
    let size = width * rows;
    if *zero % 48 != 0 || size > LARGEST_PAYLOAD {
        return Some(unknown(GS, rest));
    }
    (data.len() >= size).then(|| Command::Raster(width, rows, data.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Command> {
        let mut reader = Reader::default();
        bytes.iter().filter_map(|byte| reader.push(*byte)).map(|(command, _)| command).collect()
    }

    #[test]
    fn commands_are_told_from_text_and_data() {
        let expected = [
            Command::Init,
            Command::CodePage(19),
            Command::Character(b'A'),
            Command::Character(0xd5),
            Command::LineFeed,
            Command::Cut,
        ];
        assert_eq!(all(b"\x1b@\x1bt\x13A\xd5\n\x1dVB\0"), expected);
        assert_eq!(all(b"\x1d(k\x06\x001P0\x1b@x"), [Command::QrStore(b"\x1b@x".to_vec())], "data is no command");
        assert_eq!(all(b"\x1dv0\0\x01\0\x02\0\xff\x0a"), [Command::Raster(1, 2, vec![0xff, 0x0a])]);
        assert_eq!(all(b"\x10\x04\x01\x1dr\x01"), [Command::AskNow(1), Command::AskInOrder(1)]);
        assert_eq!(all(b"\x1b\x07"), [Command::Unknown(b"\x1b\x07".to_vec())]);
    }
}
