//! Frames out of a byte stream that is cut anywhere. Holds at most one unfinished frame, whose header has been
//! checked before the first byte of its body was kept. Knows no socket.

use super::{Frame, FrameError, HEADER_BYTES, Header};

/// The incremental reader of one byte stream. After an error it stays in error: the stream is lost.
#[derive(Debug, Default)]
pub struct FrameReader {
    partial: Vec<u8>,
    header: Option<Header>,
    failed: Option<FrameError>,
}

impl FrameReader {
    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes off `input` up to the end of the next frame. `None` means that all input is used and the frame
    /// goes on; call again with more.
    ///
    /// # Errors
    /// Any [`FrameError`], and the same one ever after.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let outcome = self.step(input);
        if let Err(error) = &outcome {
            self.failed = Some(error.clone());
            self.partial = Vec::new();
        }
        outcome
    }

    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        let header = match self.header {
            Some(header) => header,
            None => {
                if !self.fill(input, HEADER_BYTES) {
                    return Ok(None);
                }
                let header = Header::read(&self.partial)?;
                self.partial.clear();
                *self.header.insert(header)
            }
        };
        if !self.fill(input, header.length) {
            return Ok(None);
        }
        let frame = header.body(&self.partial)?;
        self.partial = Vec::new();
        self.header = None;
        Ok(Some(frame))
    }

    /// Moves bytes from `input` until `partial` holds `want`. Memory grows with what arrives, not with what is announced.
    fn fill(&mut self, input: &mut &[u8], want: usize) -> bool {
        let missing = want.saturating_sub(self.partial.len());
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.partial.extend_from_slice(taken);
        *input = rest;
        self.partial.len() >= want
    }

    /// To be called at the end of the stream.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] when the stream ended inside a frame, or the error it had before.
    pub fn finish(self) -> Result<(), FrameError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.partial.is_empty() && self.header.is_none() => Ok(()),
            None => Err(FrameError::Truncated),
        }
    }
}
