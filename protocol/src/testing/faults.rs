//! What may go wrong in a run, and how likely it is.

/// A fault planted into the model of HQ, to prove that the checks would find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// HQ acknowledges before it commits.
    AckBeforeCommit,
    /// HQ applies what it has already applied.
    NoDedupe,
    /// HQ acknowledges one record more than it committed.
    AckOneTooMany,
    /// HQ commits, then reports a failure, and does not know the records again afterwards.
    ForgetsCursor,
}

/// Likelihoods in thousandths, times in milliseconds (least and most).
#[derive(Clone, Debug)]
pub struct Faults {
    /// Channels keep their order and lose nothing while the connection lives, as QUIC and TCP promise. Otherwise
    /// every frame is on its own.
    pub ordered: bool,
    /// A frame is lost (only if not `ordered`).
    pub loss: u64,
    /// A frame comes twice (only if not `ordered`).
    pub twice: u64,
    /// A bit of a frame flips.
    pub flip: u64,
    /// Time on the way.
    pub delay_ms: (u64, u64),
    /// Time of a commit.
    pub commit_ms: (u64, u64),
    /// A commit fails.
    pub commit_fails: u64,
    /// A delivery is refused by its receiver, which asks for the whole.
    pub refuses: u64,
    /// A log record is damaged and was set aside.
    pub damaged: u64,
    /// A planted fault.
    pub bug: Option<Bug>,
}

impl Faults {
    /// Nothing goes wrong.
    pub const fn none() -> Self {
        Self {
            ordered: true,
            loss: 0,
            twice: 0,
            flip: 0,
            delay_ms: (5, 40),
            commit_ms: (2, 20),
            commit_fails: 0,
            refuses: 0,
            damaged: 0,
            bug: None,
        }
    }

    /// A bad connection of a kind that real transports give.
    pub const fn rough() -> Self {
        Self { delay_ms: (5, 900), commit_ms: (2, 4_000), commit_fails: 150, refuses: 200, damaged: 20, ..Self::none() }
    }

    /// Worse than any transport: every frame may be lost, late, doubled or damaged.
    pub const fn hostile() -> Self {
        Self { ordered: false, loss: 100, twice: 100, flip: 5, delay_ms: (1, 3_000), ..Self::rough() }
    }
}
