//! What can go wrong while a box becomes a node, sorted by who can do something about it.

use std::path::PathBuf;

use protocol::enroll::ClaimCodeError;

/// What the process tells a script. 0 is success; 1 is a fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 2: the command line: a typing error in the claim, a URL that cannot be used.
    Usage = 2,
    /// 3: head office refused: the claim is unknown, used or expired.
    Refused = 3,
    /// 4: head office cannot be reached, or is not the one that made the claim. Trying again may help.
    Unreachable = 4,
    /// 5: this box: there is an identity already, or files cannot be written.
    Local = 5,
}

/// Why the box did not become a node. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The claim code has a typing error, or is none.
    #[error("--claim: {0}")]
    Claim(#[from] ClaimCodeError),
    /// The URL cannot be used.
    #[error("--hq {url}: {reason}")]
    Url {
        /// As given.
        url: String,
        /// What would be right.
        reason: &'static str,
    },
    /// Another argument cannot be used.
    #[error("{flag}: {reason}")]
    Argument {
        /// Which.
        flag: &'static str,
        /// What would be right.
        reason: String,
    },
    /// There is a node in the folder.
    #[error("{} is the folder of a node already ({node}); choose another --dir, or use --force to set the old node \
             aside and enrol a new one in its place", dir.display())]
    Exists {
        /// The folder.
        dir: PathBuf,
        /// Which node.
        node: String,
    },
    /// Another `provision` works in the folder.
    #[error("another `provision` is at work in {}; let it finish", .0.display())]
    Busy(PathBuf),
    /// The node of the folder is running.
    #[error("the node in {} is running; stop it first", .0.display())]
    Running(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Head office cannot be reached.
    #[error(
        "{url} cannot be reached: {reason}; check the address, the network and that head office runs, then run \
             the same command again"
    )]
    Unreachable {
        /// The URL.
        url: String,
        /// What happened.
        reason: String,
    },
    /// Whoever answers is not the head office that made the claim.
    #[error("{url} is not the head office that made this claim code: {reason}")]
    NotOurs {
        /// The URL.
        url: String,
        /// What does not fit.
        reason: String,
    },
    /// Head office refused.
    #[error("head office refused: {message}")]
    Refused {
        /// The reason for programs, such as `claim_used`.
        reason: String,
        /// For people.
        message: String,
    },
    /// Head office is not able to answer now.
    #[error("head office cannot answer now: {message}; run the same command again{}",
            after.map(|seconds| format!(" in {seconds} seconds")).unwrap_or_default())]
    NotNow {
        /// What it said.
        message: String,
        /// When to come back.
        after: Option<u64>,
    },
    /// The answer is not what an enrolment answers.
    #[error(
        "the answer of head office cannot be used: {0}; nothing was written. Do this box and head office run \
             versions that go together?"
    )]
    Answer(String),
    /// Keys could not be made.
    #[error("a key could not be made: {0}")]
    Key(#[from] rcgen::Error),
}

impl EnrollError {
    /// What the process tells a script.
    pub const fn exit(&self) -> Option<Exit> {
        match self {
            Self::Claim(_) | Self::Url { .. } | Self::Argument { .. } => Some(Exit::Usage),
            Self::Refused { .. } => Some(Exit::Refused),
            Self::Unreachable { .. } | Self::NotOurs { .. } | Self::NotNow { .. } | Self::Answer(_) => {
                Some(Exit::Unreachable)
            }
            Self::Exists { .. } | Self::Busy(_) | Self::Running(_) | Self::File { .. } => Some(Exit::Local),
            Self::Key(_) => None,
        }
    }
}
