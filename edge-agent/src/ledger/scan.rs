//! Reads the records of one segment in order through a small window, steps over damage to the next whole record, and
//! says what it stepped over. Decides nothing: whether a hole is a torn write or a loss is told in `audit`.

use std::fs::File;
use std::io;

use protocol::id::Seq;
use protocol::ledger::{Codec, Found, MIN_RECORD_BYTES, PREFIX_BYTES, peek_len, peek_seq};

use super::disk::Disk;

const FIRST_READ: usize = 16 << 10;
const LARGEST_READ: usize = 256 << 10;
const BLOCK: u64 = 4096;

/// What comes next in a segment.
#[derive(Debug)]
pub enum Step<'a> {
    /// A whole record.
    Record(u64, Found<'a>),
    /// Bytes that are no record; a whole record follows.
    Hole(Hole),
    /// No record follows.
    End(Tail),
}

/// A stretch between two whole records where others should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Where it begins.
    pub from: u64,
    /// Where the next record begins.
    pub to: u64,
    /// The first seq that is not there.
    pub missing: Seq,
    /// The seq of the next record.
    pub next: Seq,
    /// The disk could not read part of it.
    pub unreadable: bool,
}

/// The end of what a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Where the last whole record ends.
    pub at: u64,
    /// Where the last byte that is not zero ends; `at` for a clean end.
    pub dirty_to: u64,
    /// The disk could not read part of it.
    pub unreadable: bool,
}

/// Reads forward through one segment.
pub struct Scanner<'a> {
    disk: &'a Disk,
    file: &'a File,
    codec: &'a Codec,
    window: Vec<u8>,
    start: usize,
    at: u64,
    limit: u64,
    eof: bool,
    read_size: usize,
    expect: Seq,
    unreadable: bool,
}

impl<'a> Scanner<'a> {
    /// A scanner that begins at `at`, where the record `expect` should be, and does not look beyond `limit`.
    pub fn new(disk: &'a Disk, file: &'a File, codec: &'a Codec, at: u64, limit: u64, expect: Seq) -> Self {
        Self {
            disk,
            file,
            codec,
            window: Vec::new(),
            start: 0,
            at,
            limit,
            eof: false,
            read_size: FIRST_READ,
            expect,
            unreadable: false,
        }
    }

    /// The seq that comes next.
    pub const fn expect(&self) -> Seq {
        self.expect
    }

    /// The next record, hole or end.
    ///
    /// # Errors
    /// Only what the disk says when not even a single block can be told from the rest.
    pub fn step(&mut self) -> io::Result<Step<'_>> {
        let from = self.at;
        let missing = self.expect;
        let mut len = self.look()?;
        if len.is_none() {
            let mut dirty_to = from;
            len = self.search(&mut dirty_to)?;
            if len.is_none() {
                return Ok(Step::End(Tail { at: from, dirty_to, unreadable: self.unreadable }));
            }
        }
        let next = peek_seq(self.bytes()).unwrap_or(missing);
        if from != self.at || next != missing {
            self.expect = next;
            let unreadable = std::mem::take(&mut self.unreadable);
            return Ok(Step::Hole(Hole { from, to: self.at, missing, next, unreadable }));
        }
        let at = self.at;
        let begin = self.start;
        self.expect = next.next();
        self.advance(len.unwrap_or_default());
        let bytes = self.window.get(begin..).unwrap_or_default();
        match self.codec.decode(bytes) {
            Ok(found) => Ok(Step::Record(at, found)),
            Err(_) => Err(io::Error::other("a record changed while it was read")),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.window.get(self.start..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        let bytes = bytes.min(self.window.len() - self.start);
        self.start += bytes;
        self.at += bytes as u64;
    }

    fn seek(&mut self, at: u64) {
        self.window.clear();
        self.start = 0;
        self.at = at;
        self.eof = false;
    }

    /// The length of the whole record that stands here, if one does whose seq can follow.
    fn look(&mut self) -> io::Result<Option<usize>> {
        if self.fill(PREFIX_BYTES)? < PREFIX_BYTES {
            return Ok(None);
        }
        let Ok(len) = peek_len(self.bytes()) else { return Ok(None) };
        let reach = (self.limit - self.at) / MIN_RECORD_BYTES as u64 + 1;
        let most = self.expect.0.saturating_add(reach);
        if !peek_seq(self.bytes()).is_some_and(|seq| (self.expect.0..=most).contains(&seq.0)) {
            return Ok(None);
        }
        if self.fill(len)? < len {
            return Ok(None);
        }
        Ok(self.codec.decode(self.bytes()).is_ok().then_some(len))
    }

    /// Goes to the next whole record. First to where the damaged one says it ends, then byte by byte.
    fn search(&mut self, dirty_to: &mut u64) -> io::Result<Option<usize>> {
        let begin = self.at;
        if self.fill(PREFIX_BYTES)? >= 4
            && let Ok(len) = peek_len(self.bytes())
            && begin + (len as u64) < self.limit
        {
            self.seek(begin + len as u64);
            if let Some(found) = self.look()? {
                return Ok(Some(found));
            }
            self.seek(begin);
        }
        loop {
            let have = self.fill(LARGEST_READ / 4)?;
            if have == 0 {
                return Ok(None);
            }
            // A length may begin with up to three zero bytes, so a step over zeros stops that much earlier.
            match self.bytes().iter().position(|byte| *byte != 0) {
                None => self.advance(if self.eof { have } else { have - 3 }),
                Some(zeros) => {
                    *dirty_to = self.at + zeros as u64 + 1;
                    self.advance(zeros.saturating_sub(3));
                    if self.at > begin
                        && let Some(found) = self.look()?
                    {
                        return Ok(Some(found));
                    }
                    self.advance(1);
                }
            }
        }
    }

    /// Makes at least `want` bytes ready, as far as there are any, and says how many are.
    fn fill(&mut self, want: usize) -> io::Result<usize> {
        while self.window.len() - self.start < want && !self.eof {
            self.window.drain(..self.start);
            self.start = 0;
            let have = self.window.len();
            let from = self.at + have as u64;
            let room = usize::try_from(self.limit.saturating_sub(from)).unwrap_or(usize::MAX);
            let size = self.read_size.max(want - have).min(room);
            self.window.resize(have + size, 0);
            let place = self.window.get_mut(have..).unwrap_or_default();
            let got = match self.disk.read_at(self.file, place, from) {
                Ok(got) => got,
                Err(e) if e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                    self.unreadable = true;
                    read_around(self.disk, self.file, place, from)
                }
                Err(e) => return Err(e),
            };
            self.window.truncate(have + got);
            self.eof = got == 0 || got < size;
            self.read_size = (self.read_size * 2).min(LARGEST_READ);
        }
        Ok(self.window.len() - self.start)
    }
}

/// Reads block by block, with zeros for the blocks the disk cannot give.
fn read_around(disk: &Disk, file: &File, place: &mut [u8], from: u64) -> usize {
    let mut done = 0;
    while done < place.len() {
        let at = from + done as u64;
        let block = usize::try_from(BLOCK - at % BLOCK).unwrap_or(1).min(place.len() - done);
        let Some(part) = place.get_mut(done..done + block) else { break };
        match disk.read_at(file, part, at) {
            Ok(got) if got < block => return done + got,
            Ok(_) => {}
            Err(_) => part.fill(0),
        }
        done += block;
    }
    done
}
