//! What the doctor says of one thing.

use serde::Serialize;

/// How it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// Well.
    #[default]
    Ok,
    /// Could not be looked at.
    Skip,
    /// It works, or may mend itself.
    Warn,
    /// Broken, and will not mend itself.
    Fail,
}

impl Outcome {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    pub(super) const fn colour(self) -> &'static str {
        match self {
            Self::Ok => "\x1b[32m",
            Self::Skip => "\x1b[2m",
            Self::Warn => "\x1b[33m",
            Self::Fail => "\x1b[31m",
        }
    }
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it is.
    pub outcome: Outcome,
    /// In words.
    pub says: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Ok, says: says.into(), cure: None }
    }

    pub(super) fn skip(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Skip, says: says.into(), cure: None }
    }

    pub(super) fn warn(check: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Warn, says: says.into(), cure: Some(cure.into()) }
    }

    pub(super) fn fail(check: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Fail, says: says.into(), cure: Some(cure.into()) }
    }
}
