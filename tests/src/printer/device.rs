//! The inside of the printer: its buffer, its faults and what it answers. Bytes go in, answers come out; no sockets
//! and no time.

use std::collections::{BTreeSet, VecDeque};

use super::fault::Fault;
use super::language::{Command, Reader};
use super::paper::{Paper, Printed};

/// Receipts that are kept in memory; the oldest go (their files stay).
const KEPT: usize = 100;

/// A printer without its plug.
#[derive(Debug)]
pub struct Device {
    /// Bytes it holds before it takes no more.
    buffer: usize,
    faults: BTreeSet<Fault>,
    /// After so many more bytes are worked through, something happens.
    later: Option<(u64, Fault)>,
    reader: Reader,
    waiting: VecDeque<(Command, usize)>,
    waiting_bytes: usize,
    paper: Paper,
    receipts: VecDeque<Printed>,
    receipts_ever: u64,
    torn: Vec<Printed>,
    pulses: u64,
    drawer_open: bool,
    /// Automatic status, for the client that asked for it.
    auto: u8,
    auto_told: [u8; 4],
}

impl Device {
    /// A printer with paper for lines of so many characters and a buffer of so many bytes.
    pub fn new(columns: usize, buffer: usize) -> Self {
        Self {
            buffer: buffer.max(64),
            faults: BTreeSet::new(),
            later: None,
            reader: Reader::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            paper: Paper::new(columns),
            receipts: VecDeque::new(),
            receipts_ever: 0,
            torn: Vec::new(),
            pulses: 0,
            drawer_open: false,
            auto: 0,
            auto_told: [0; 4],
        }
    }

    /// Whether something is wrong with it now.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// Bytes it takes in a second, when it is slow.
    pub fn pace(&self) -> Option<u32> {
        self.faults.iter().find_map(|fault| if let Fault::Slow(bytes) = fault { Some(*bytes) } else { None })
    }

    /// Something goes wrong.
    pub fn fault(&mut self, fault: Fault) {
        if fault == Fault::PowerOff && !self.has(fault) {
            let torn = self.paper.power_off();
            if !torn.items.is_empty() {
                self.torn.push(torn);
            }
            self.waiting.clear();
            self.waiting_bytes = 0;
        }
        self.faults.insert(fault);
    }

    /// Something goes wrong once so many more bytes have been worked through.
    pub fn fault_after(&mut self, bytes: u64, fault: Fault) {
        self.later = Some((bytes, fault));
    }

    /// Something is put right.
    pub fn mend(&mut self, fault: Fault) {
        self.faults.remove(&fault);
    }

    /// Everything is put right.
    pub fn mend_all(&mut self) {
        self.faults.clear();
        self.later = None;
    }

    /// Somebody pushes the drawer shut.
    pub fn shut_drawer(&mut self) {
        self.drawer_open = false;
    }

    /// Whether the drawer is open, and how often it was told to.
    pub fn drawer(&self) -> (bool, u64) {
        (self.drawer_open, self.pulses)
    }

    /// Receipts, oldest first, and how many there ever were.
    pub fn receipts(&self) -> (Vec<Printed>, u64) {
        (self.receipts.iter().cloned().collect(), self.receipts_ever)
    }

    /// What stood on the paper when the power went.
    pub fn torn(&self) -> Vec<Printed> {
        self.torn.clone()
    }

    /// What stands on the paper since the last cut.
    pub fn since_cut(&self) -> Printed {
        self.paper.since_cut().clone()
    }

    /// Bytes it can take now.
    pub fn room(&self) -> usize {
        if self.has(Fault::StopsReading) || self.has(Fault::PowerOff) {
            return 0;
        }
        // A command larger than the buffer (a picture) is worked through as it comes.
        let held = if self.waiting.is_empty() { 0 } else { self.reader.held() };
        self.buffer.saturating_sub(self.waiting_bytes + held)
    }

    /// A client came: what the last one left half said is forgotten, and so is what it wanted to be told.
    pub fn connected(&mut self) {
        self.reader = Reader::default();
        self.auto = 0;
    }

    /// Takes bytes into the buffer; questions that are answered at once are answered.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        for byte in bytes {
            match self.reader.push(*byte) {
                Some((Command::AskNow(n), _)) => answers.push(self.status_now(n)),
                Some((Command::PulseNow(_), _)) => self.pulse(),
                Some((command, length)) => {
                    self.waiting_bytes += length;
                    self.waiting.push_back((command, length));
                }
                None => {}
            }
        }
        self.say(answers)
    }

    /// Works through what waits, as far as nothing stands in the way. Gives what it answers and the receipts that were
    /// cut.
    pub fn work(&mut self) -> (Vec<u8>, Vec<Printed>) {
        let (mut answers, mut cut) = (Vec::new(), Vec::new());
        while !self.stands_still() {
            let Some((command, length)) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= length;
            if let Command::AskInOrder(n) = command {
                answers.push(self.status_in_order(n));
            } else if let Command::AutoStatus(n) = command {
                (self.auto, self.auto_told) = (n, [0; 4]);
            } else if let Command::Pulse(_) = command {
                self.pulse();
            } else {
                cut.extend(self.paper.execute(command));
            }
            self.count_down(length as u64);
        }
        answers.extend(self.auto_status().into_iter().flatten());
        for receipt in &cut {
            self.receipts.push_back(receipt.clone());
            self.receipts_ever += 1;
        }
        while self.receipts.len() > KEPT {
            self.receipts.pop_front();
        }
        (self.say(answers), cut)
    }

    fn count_down(&mut self, bytes: u64) {
        let Some((left, fault)) = self.later else { return };
        self.later = left.checked_sub(bytes).filter(|left| *left > 0).map(|left| (left, fault));
        if self.later.is_none() {
            self.fault(fault);
        }
    }

    fn say(&self, answers: Vec<u8>) -> Vec<u8> {
        if self.has(Fault::Silent) || self.has(Fault::PowerOff) { Vec::new() } else { answers }
    }

    fn pulse(&mut self) {
        self.pulses += 1;
        self.drawer_open = true;
    }

    fn stands_still(&self) -> bool {
        [Fault::PaperOut, Fault::CoverOpen, Fault::Offline, Fault::PowerOff].into_iter().any(|fault| self.has(fault))
    }

    fn bits(&self, fault: Fault, bits: u8) -> u8 {
        if self.has(fault) { bits } else { 0 }
    }

    fn paper_bits(&self) -> u8 {
        self.bits(Fault::NearEnd, 0x03) | self.bits(Fault::PaperOut, 0x0f)
    }

    /// The switch of this drawer is high while it is open.
    fn drawer_bit(&self) -> u8 {
        u8::from(self.drawer_open) << 2
    }

    fn status_now(&self, n: u8) -> u8 {
        let offline = u8::from(self.stands_still()) << 3;
        0x12 | match n {
            1 => self.drawer_bit() | offline,
            2 => self.bits(Fault::CoverOpen, 0x04) | self.bits(Fault::PaperOut, 0x20),
            4 => self.bits(Fault::NearEnd, 0x0c) | self.bits(Fault::PaperOut, 0x6c),
            _ => 0,
        }
    }

    fn status_in_order(&self, n: u8) -> u8 {
        if n == 2 { u8::from(self.drawer_open) } else { self.paper_bits() }
    }

    fn auto_status(&mut self) -> Option<[u8; 4]> {
        let offline = u8::from(self.stands_still()) << 3;
        let first = 0x10 | self.drawer_bit() | offline | self.bits(Fault::CoverOpen, 0x20);
        let now = [first, 0, self.paper_bits(), 0];
        if self.auto == 0 || now == self.auto_told {
            return None;
        }
        self.auto_told = now;
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_paper_it_waits_and_answers_then_prints_in_order() {
        let mut printer = Device::new(48, 4_096);
        printer.fault(Fault::PaperOut);
        assert_eq!(printer.take(b"\x1b@one\n\x1dr\x01\x10\x04\x04\x10\x04\x01\x1dV\0"), [0x7e, 0x1a]);
        assert_eq!(printer.work(), (Vec::new(), Vec::new()), "the answer in order waits with the print");
        printer.mend(Fault::PaperOut);
        let (answers, cut) = printer.work();
        assert_eq!((answers, cut.len(), cut[0].text()), (vec![0], 1, "one".into()));
    }

    #[test]
    fn power_that_goes_in_the_middle_takes_what_was_accepted() {
        let mut printer = Device::new(48, 4_096);
        printer.fault_after(8, Fault::PowerOff);
        assert!(printer.take(b"first\nsecond\n\x1dV\0\x1dr\x01").is_empty());
        assert_eq!(printer.work(), (Vec::new(), Vec::new()));
        assert_eq!(printer.torn()[0].text(), "first");
        printer.mend_all();
        assert_eq!(printer.work(), (Vec::new(), Vec::new()), "nothing comes back with the power");
        assert_eq!(printer.receipts().1, 0);
    }

    #[test]
    fn automatic_status_tells_each_change_once() {
        let mut printer = Device::new(48, 4_096);
        printer.take(b"\x1da\x0f");
        assert_eq!(printer.work().0, [0x10, 0, 0, 0]);
        assert!(printer.work().0.is_empty());
        printer.fault(Fault::CoverOpen);
        assert_eq!(printer.work().0, [0x38, 0, 0, 0]);
        printer.mend(Fault::CoverOpen);
        printer.take(b"\x1bp\0\x19\xfa");
        assert_eq!((printer.work().0, printer.drawer()), (vec![0x14, 0, 0, 0], (true, 1)));
    }

    #[test]
    fn a_full_buffer_takes_no_more() {
        let mut printer = Device::new(48, 64);
        printer.fault(Fault::CoverOpen);
        printer.take(&[b'x'; 60]);
        assert_eq!(printer.room(), 4);
        printer.mend(Fault::CoverOpen);
        printer.work();
        assert_eq!(printer.room(), 64);
    }
}
