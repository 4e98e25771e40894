//! What a printer is asked about itself in ESC/POS, and what it answers: requests as bytes, and a reader that tells
//! the three kinds of answers apart in one stream. Knows no sockets and no time; who asks, waits.

/// A question that a printer answers at once, even while it is offline or has much to print (`DLE EOT n`). Must not be
/// sent within the bytes of another command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// The printer itself: answered by [`PrinterStatus`].
    Printer,
    /// Why it is offline: answered by [`OfflineCause`].
    Offline,
    /// What went wrong: answered by [`ErrorCause`].
    Error,
    /// The paper: answered by [`PaperStatus`].
    Paper,
}

impl Ask {
    /// All questions.
    pub const ALL: [Self; 4] = [Self::Printer, Self::Offline, Self::Error, Self::Paper];

    /// The request. One byte comes back ([`Reply::RealTime`]), in the order of the requests; it does not say which
    /// request it belongs to.
    pub const fn request(self) -> [u8; 3] {
        let n = match self {
            Self::Printer => 1,
            Self::Offline => 2,
            Self::Error => 3,
            Self::Paper => 4,
        };
        [0x10, 0x04, n]
    }
}

/// Asks for the paper in the order of the print data (`GS r 1`). The answer ([`Reply::Buffered`],
/// [`PaperStatus::of_buffered`]) comes when everything before it was processed: it is the proof of printing.
pub const fn ask_paper_in_order() -> [u8; 3] {
    [0x1d, 0x72, 1]
}

/// Asks for the drawer's switch in the order of the print data (`GS r 2`); the answer ([`Reply::Buffered`],
/// [`drawer_switch_of_buffered`]) is as much a proof as that of the paper.
pub const fn ask_drawer_in_order() -> [u8; 3] {
    [0x1d, 0x72, 2]
}

/// What a printer reports by itself, in four bytes at each change (`GS a n`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutoStatus {
    /// The drawer's switch.
    pub drawer: bool,
    /// Online and offline.
    pub online: bool,
    /// Errors.
    pub error: bool,
    /// The paper sensors.
    pub paper: bool,
}

impl AutoStatus {
    /// Everything.
    pub const ALL: Self = Self { drawer: true, online: true, error: true, paper: true };
    /// Nothing: switches it off.
    pub const NONE: Self = Self { drawer: false, online: false, error: false, paper: false };

    /// The request. Four bytes come back at once ([`Reply::Auto`]) and again at each change.
    pub const fn request(self) -> [u8; 3] {
        let n = self.drawer as u8 | (self.online as u8) << 1 | (self.error as u8) << 2 | (self.paper as u8) << 3;
        [0x1d, 0x61, n]
    }
}

const fn bit(byte: u8, n: u8) -> bool {
    byte & (1 << n) != 0
}

/// `DLE EOT 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrinterStatus {
    /// Level of the drawer's switch. Which level means "open" depends on the drawer and is learned.
    pub drawer_switch: bool,
    /// It does not print now; [`OfflineCause`] says why.
    pub offline: bool,
    /// It waits to be told to go on after an error.
    pub waits_for_recovery: bool,
    /// Somebody presses the feed button.
    pub feed_button: bool,
}

impl PrinterStatus {
    /// Reads an answer; none when it is not one.
    pub const fn of(byte: u8) -> Option<Self> {
        if !is_real_time(byte) {
            return None;
        }
        Some(Self {
            drawer_switch: bit(byte, 2),
            offline: bit(byte, 3),
            waits_for_recovery: bit(byte, 5),
            feed_button: bit(byte, 6),
        })
    }
}

/// `DLE EOT 2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfflineCause {
    /// The cover is open.
    pub cover_open: bool,
    /// Paper is fed by the button.
    pub feeding: bool,
    /// Printing stopped because the paper ended.
    pub paper_stop: bool,
    /// An error; [`ErrorCause`] says which.
    pub error: bool,
}

impl OfflineCause {
    /// Reads an answer; none when it is not one.
    pub const fn of(byte: u8) -> Option<Self> {
        if !is_real_time(byte) {
            return None;
        }
        Some(Self { cover_open: bit(byte, 2), feeding: bit(byte, 3), paper_stop: bit(byte, 5), error: bit(byte, 6) })
    }
}

/// `DLE EOT 3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCause {
    /// One that can be recovered from by command.
    pub recoverable: bool,
    /// The cutter is stuck.
    pub cutter: bool,
    /// One that needs service.
    pub unrecoverable: bool,
    /// One that passes by itself: the head is hot.
    pub passing: bool,
}

impl ErrorCause {
    /// Reads an answer; none when it is not one.
    pub const fn of(byte: u8) -> Option<Self> {
        if !is_real_time(byte) {
            return None;
        }
        Some(Self {
            recoverable: bit(byte, 2),
            cutter: bit(byte, 3),
            unrecoverable: bit(byte, 5),
            passing: bit(byte, 6),
        })
    }
}

/// `DLE EOT 4` and `GS r 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaperStatus {
    /// The roll will soon be at its end.
    pub near_end: bool,
    /// There is no paper.
    pub end: bool,
}

impl PaperStatus {
    /// Reads an answer to `DLE EOT 4`; none when it is not one.
    pub const fn of(byte: u8) -> Option<Self> {
        if !is_real_time(byte) {
            return None;
        }
        Some(Self { near_end: byte & 0x0c != 0, end: byte & 0x60 != 0 })
    }

    /// Reads an answer to `GS r 1`; none when it is not one.
    pub const fn of_buffered(byte: u8) -> Option<Self> {
        if !is_buffered(byte) {
            return None;
        }
        Some(Self { near_end: byte & 0x03 != 0, end: byte & 0x0c != 0 })
    }
}

/// Reads an answer to `GS r 2`: the level of the drawer's switch; none when it is not one.
pub const fn drawer_switch_of_buffered(byte: u8) -> Option<bool> {
    if is_buffered(byte) { Some(bit(byte, 0)) } else { None }
}

/// The four bytes of an automatic status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auto {
    /// Level of the drawer's switch.
    pub drawer_switch: bool,
    /// It does not print now.
    pub offline: bool,
    /// The cover is open.
    pub cover_open: bool,
    /// Paper is fed by the button.
    pub feeding: bool,
    /// It waits to be told to go on after an error.
    pub waits_for_recovery: bool,
    /// What went wrong.
    pub error: ErrorCause,
    /// The paper.
    pub paper: PaperStatus,
}

impl Auto {
    /// Reads the four bytes; none when they are not an automatic status.
    pub const fn of([first, errors, paper, reserved]: [u8; 4]) -> Option<Self> {
        if !is_auto_first(first) || !is_auto_next(errors) || !is_auto_next(paper) || !is_auto_next(reserved) {
            return None;
        }
        Some(Self {
            drawer_switch: bit(first, 2),
            offline: bit(first, 3),
            cover_open: bit(first, 5),
            feeding: bit(first, 6),
            waits_for_recovery: bit(errors, 0),
            error: ErrorCause {
                recoverable: bit(errors, 2),
                cutter: bit(errors, 3),
                unrecoverable: bit(errors, 5),
                passing: bit(errors, 6),
            },
            paper: PaperStatus { near_end: paper & 0x03 != 0, end: paper & 0x0c != 0 },
        })
    }
}

const fn is_real_time(byte: u8) -> bool {
    byte & 0x93 == 0x12
}

const fn is_buffered(byte: u8) -> bool {
    byte & 0x90 == 0
}

const fn is_auto_first(byte: u8) -> bool {
    byte & 0x93 == 0x10
}

const fn is_auto_next(byte: u8) -> bool {
    byte & 0x90 == 0
}

/// Something a printer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer to an [`Ask`]; its `of` reads the byte.
    RealTime(u8),
    /// An answer to [`ask_paper_in_order`] or [`ask_drawer_in_order`].
    Buffered(u8),
    /// An automatic status.
    Auto(Auto),
}

/// Reads the stream of a printer. Bytes that are no answer (XON, XOFF, a model's name) are counted and passed over; a
/// broken automatic status gives way to whatever comes next.
#[derive(Clone, Debug, Default)]
pub struct Replies {
    auto: [u8; 4],
    held: usize,
    ignored: u64,
}

impl Replies {
    /// Takes the next byte; gives an answer when one is complete.
    pub fn push(&mut self, byte: u8) -> Option<Reply> {
        if is_real_time(byte) {
            return Some(Reply::RealTime(byte));
        }
        if is_auto_first(byte) {
            self.ignored = self.ignored.saturating_add(self.held as u64);
            self.auto = [byte, 0, 0, 0];
            self.held = 1;
            return None;
        }
        if !is_buffered(byte) {
            self.ignored = self.ignored.saturating_add(1);
            return None;
        }
        if self.held == 0 {
            return Some(Reply::Buffered(byte));
        }
        if let Some(slot) = self.auto.get_mut(self.held) {
            *slot = byte;
        }
        self.held += 1;
        if self.held < self.auto.len() {
            return None;
        }
        self.held = 0;
        Auto::of(self.auto).map(Reply::Auto)
    }

    /// How many bytes were no answer.
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_answers_of_the_manuals_are_understood() {
        let idle = PrinterStatus::of(0x12).unwrap();
        assert!(!idle.offline && !idle.drawer_switch && !idle.waits_for_recovery && !idle.feed_button);
        assert!(PrinterStatus::of(0x1a).unwrap().offline);
        assert!(PrinterStatus::of(0x16).unwrap().drawer_switch);
        assert!(OfflineCause::of(0x16).unwrap().cover_open);
        assert!(OfflineCause::of(0x32).unwrap().paper_stop);
        assert!(ErrorCause::of(0x1a).unwrap().cutter);
        assert_eq!(PaperStatus::of(0x7e), Some(PaperStatus { near_end: true, end: true }));
        assert_eq!(PaperStatus::of(0x1e), Some(PaperStatus { near_end: true, end: false }));
        assert_eq!(PaperStatus::of_buffered(0x03), Some(PaperStatus { near_end: true, end: false }));
        assert_eq!(PaperStatus::of_buffered(0x0f), Some(PaperStatus { near_end: true, end: true }));
        assert_eq!((drawer_switch_of_buffered(1), drawer_switch_of_buffered(0)), (Some(true), Some(false)));
        assert_eq!(AutoStatus::ALL.request(), [0x1d, 0x61, 0x0f]);
        assert_eq!(Ask::ALL.map(Ask::request).concat(), b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04");
        let open = Auto::of([0x38, 0, 0x0f, 0]).unwrap();
        assert!(open.offline && open.cover_open && open.paper.end && !open.error.cutter);
    }

    #[test]
    fn three_kinds_of_answers_are_told_apart_in_one_stream() {
        let mut replies = Replies::default();
        let stream = [0x12, 0x13, 0x00, 0x10, 0x00, 0x12, 0x0c, 0x0f, 0x03, 0x10, 0x00, 0x18, 0x20, 0x00, 0x00];
        let found: Vec<Reply> = stream.into_iter().filter_map(|byte| replies.push(byte)).collect();
        let quiet = Auto::of([0x10, 0, 0x0c, 0x0f]).unwrap();
        let offline = Auto::of([0x18, 0x20, 0, 0]).unwrap();
        let expected = [
            Reply::RealTime(0x12),
            Reply::Buffered(0),
            Reply::RealTime(0x12),
            Reply::Auto(quiet),
            Reply::Buffered(3),
            Reply::Auto(offline),
        ];
        assert_eq!(found, expected);
        assert_eq!(replies.ignored(), 3, "XOFF, and two bytes of a status that was cut off");
    }

    proptest! {
        #[test]
        fn any_stream_is_read_and_a_status_after_it_still_counts(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut replies = Replies::default();
            for byte in bytes {
                let _answer = replies.push(byte);
            }
            let found: Vec<Reply> = [0x10, 0, 0, 0].into_iter().filter_map(|byte| replies.push(byte)).collect();
            prop_assert_eq!(found, [Reply::Auto(Auto::of([0x10, 0, 0, 0]).unwrap())]);
            prop_assert_eq!(replies.push(0x12), Some(Reply::RealTime(0x12)));
        }
    }
}
