//! The words of jobs: what is asked for, what a worker is handed, how it can end. Knows no database.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use protocol::id::TenantId;
use protocol::timestamp::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::rng;

/// Work that is to be done after the transaction that asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id, which a sealed payload can be bound to.
    pub id: Uuid,
    /// Which handler, in small letters: `mail_send`. One that nobody handles waits.
    pub kind: &'static str,
    /// While a job of this kind and key waits or runs, another one is not taken.
    pub key: Option<String>,
    /// What the handler needs to know, 16 KiB at most; secrets sealed. Emptied when the job is done.
    pub payload: Value,
    /// Not before.
    pub run_at: Timestamp,
    /// After so many tries it is dead; 1 to 100.
    pub max_attempts: u16,
    /// When it was asked for.
    pub made_at: Timestamp,
}

/// Tries of a job that says nothing else.
const ATTEMPTS: u16 = 10;

impl Job {
    /// A job for now, with ten tries.
    pub fn new(kind: &'static str, payload: Value, now: Timestamp) -> Self {
        Self { id: rng::id(now), kind, key: None, payload, run_at: now, max_attempts: ATTEMPTS, made_at: now }
    }

    /// Not taken while another one of this kind and key waits or runs.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Not before `at`.
    #[must_use]
    pub const fn at(mut self, at: Timestamp) -> Self {
        self.run_at = at;
        self
    }

    /// With so many tries.
    #[must_use]
    pub const fn attempts(mut self, most: u16) -> Self {
        self.max_attempts = most;
        self
    }
}

/// Whose job it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Home {
    /// A tenant's.
    Tenant(TenantId),
    /// Nobody's in particular.
    Platform,
}

impl Home {
    /// The tenant, if it is one's.
    pub const fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Tenant(tenant) => Some(tenant),
            Self::Platform => None,
        }
    }
}

/// A job in a worker's hands.
#[derive(Clone, PartialEq)]
pub struct Work {
    /// Whose it is. A handler reaches no other tenant.
    pub home: Home,
    /// The job.
    pub job: Uuid,
    /// This worker's hold on it.
    pub lease: Uuid,
    /// What is to be done.
    pub kind: String,
    /// With what.
    pub payload: Value,
    /// Which try this is, from 1.
    pub attempt: u16,
    /// How many there may be.
    pub max_attempts: u16,
    /// When it was asked for.
    pub made_at: Timestamp,
}

impl Work {
    /// Whether a failure now is the end of it.
    pub const fn is_last(&self) -> bool {
        self.attempt >= self.max_attempts
    }
}

/// Without the payload: it may name people and addresses.
impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { home, job, kind, attempt, max_attempts, .. } = self;
        write!(f, "Work({kind} {job} of {home:?}, try {attempt} of {max_attempts})")
    }
}

/// Why a try failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// It may work later.
    #[error("{0}")]
    Again(String),
    /// It will never work: the job is dead at once, with this reason.
    #[error("{0}")]
    Never(String),
    /// Another worker has taken the job over: whatever this one did in its transaction must not stay.
    #[error("another worker has the job")]
    Lost,
}

impl From<crate::db::DbError> for JobError {
    fn from(error: crate::db::DbError) -> Self {
        Self::Again(error.to_string())
    }
}

/// What a handler answers.
pub type Doing = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// Who does the jobs of one kind.
#[derive(Clone)]
pub struct Handler {
    /// The kind.
    pub kind: &'static str,
    /// How long the first failure waits; each further one twice as long.
    pub first_wait: Duration,
    /// The longest wait.
    pub most_wait: Duration,
    pub(super) run: Arc<dyn Fn(App, Work) -> Doing + Send + Sync>,
}

impl Handler {
    /// A handler whose failures wait 5 seconds, then twice as long each time, up to an hour.
    pub fn new<F, D>(kind: &'static str, run: F) -> Self
    where
        F: Fn(App, Work) -> D + Send + Sync + 'static,
        D: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        Self {
            kind,
            first_wait: Duration::from_secs(5),
            most_wait: Duration::from_secs(3_600),
            run: Arc::new(move |app, work| Box::pin(run(app, work))),
        }
    }

    /// With other waits.
    #[must_use]
    pub const fn waits(mut self, first: Duration, most: Duration) -> Self {
        self.first_wait = first;
        self.most_wait = most;
        self
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobState)]
pub enum State {
    /// Nobody has it.
    Waiting,
    /// A worker has it, or had it and was killed.
    Running,
    /// Done.
    Done,
    /// Given up; kept to be looked at and tried again.
    Dead,
    /// Called off by an operator.
    Cancelled,
}

impl State {
    /// Its name, as the database has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// By its name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Running, Self::Done, Self::Dead, Self::Cancelled].into_iter().find(|s| s.name() == name)
    }
}
