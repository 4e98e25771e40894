//! The worker: takes due jobs tenant by tenant in turn, one each, and does a few at the same time. Holds no row lock and
//! no transaction while a job is done; says regularly that it lives; gives back what it has when it closes.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::queue::{self, HomeTx};
use super::rules::{self, LEASE_MILLIS, SLOTS, TENANT_SLOTS, TURN};
use super::types::{Handler, Home, JobError, Work};
use crate::app::App;
use crate::db::{DbError, SystemReason, SystemTx};
use crate::{rng, telemetry};

/// How often an idle worker asks. One step of an index each time.
const IDLE: Duration = Duration::from_millis(500);
/// How long a database that does not answer is left alone.
const TROUBLE: Duration = Duration::from_secs(5);
/// Three times within a lease.
const BEAT: Duration = Duration::from_secs(20);
/// The longest that one try may take; what takes longer is cut into jobs.
const LONGEST: Duration = Duration::from_secs(600);
/// How long running jobs may take to end when head office closes.
const CLOSING: Duration = Duration::from_secs(10);

/// A worker.
#[derive(Debug)]
pub struct Runner {
    app: App,
    handlers: Arc<[Handler]>,
    kinds: Vec<String>,
    /// Who is still to be asked in this turn.
    turn: VecDeque<Home>,
    /// The last tenant that was put into a turn.
    last: Uuid,
}

impl Runner {
    /// A worker of these handlers.
    pub fn new(app: App, handlers: Vec<Handler>) -> Self {
        let kinds = handlers.iter().map(|handler| handler.kind.to_owned()).collect();
        Self { app, handlers: handlers.into(), kinds, turn: VecDeque::new(), last: Uuid::nil() }
    }

    /// Works until `ending` turns true.
    pub async fn run(mut self, mut ending: watch::Receiver<bool>) {
        // The one record of why this worker reaches across tenants; its rounds say nothing more.
        while let Err(error) = self.begin().await {
            tracing::warn!(%error, "the worker waits for the database");
            if tokio::time::timeout(TROUBLE, ending.wait_for(|ending| *ending)).await.is_ok() {
                return;
            }
        }
        let (mut busy, stop) = (JoinSet::new(), watch::Sender::new(false));
        loop {
            let pause = self.fill(&mut busy, &stop).await;
            tokio::select! {
                () = turned(&mut ending) => break,
                Some(_) = busy.join_next(), if !busy.is_empty() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        let settle = async { while busy.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSING, settle).await.is_err() {
            stop.send_replace(true);
            while busy.join_next().await.is_some() {}
        }
    }

    async fn begin(&self) -> Result<(), DbError> {
        SystemTx::begin(&self.app.db, SystemReason::Jobs).await?.save().await
    }

    /// Takes jobs while there is room. Answers how long to wait for more.
    async fn fill(&mut self, busy: &mut JoinSet<()>, stop: &watch::Sender<bool>) -> Duration {
        while busy.len() < SLOTS {
            match self.next().await {
                Ok(Some((handler, work))) => {
                    let (app, stop) = (self.app.clone(), stop.subscribe());
                    busy.spawn(async move { attend(&app, &handler, work, stop).await });
                }
                Ok(None) => return IDLE,
                Err(error) => {
                    tracing::warn!(%error, "the worker cannot take jobs");
                    return TROUBLE;
                }
            }
        }
        IDLE
    }

    /// The next job, of whoever's turn it is; none when nobody has one that may be done now.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn next(&mut self) -> Result<Option<(Handler, Work)>, DbError> {
        let mut rounds = 0;
        loop {
            while let Some(home) = self.turn.pop_front() {
                if let Some(found) = self.claim(home).await? {
                    return Ok(Some(found));
                }
            }
            // Whoever was asked before this call may have got something in the meantime: one whole round, not less.
            if self.last.is_nil() {
                rounds += 1;
            }
            if rounds > 1 {
                return Ok(None);
            }
            self.refill().await?;
        }
    }

    /// The next tenants in the order of their ids; after the last of them the platform, and the first again.
    async fn refill(&mut self) -> Result<(), DbError> {
        let now = self.app.clock.now();
        let tenants = queue::tenants_with_work(&self.app.db, &self.kinds, now, self.last, TURN).await?;
        let whole = i64::try_from(tenants.len()).unwrap_or(TURN) >= TURN;
        self.last = tenants.last().filter(|_| whole).map_or(Uuid::nil(), |tenant| tenant.as_uuid());
        self.turn.extend(tenants.into_iter().map(Home::Tenant));
        if !whole {
            self.turn.push_back(Home::Platform);
        }
        Ok(())
    }

    async fn claim(&self, home: Home) -> Result<Option<(Handler, Work)>, DbError> {
        let now = self.app.clock.now();
        let mut tx = HomeTx::begin(&self.app.db, home).await?;
        let mut hold = tx.hold();
        if hold.running(now).await?.is_none_or(|running| running >= TENANT_SLOTS) {
            return Ok(None);
        }
        let lease = rng::id(now);
        let Some((work, alive)) = hold.claim(&self.kinds, lease, now, now.plus_millis(LEASE_MILLIS)).await? else {
            return Ok(None);
        };
        tx.save().await?;
        if !alive {
            dead(&work, "its worker ended in the middle of the last try");
            // The next one of this tenant, when it is its turn again.
            return Ok(None);
        }
        let handler = self.handlers.iter().find(|handler| handler.kind == work.kind).cloned();
        metrics::counter!("tillway_jobs_claimed_total", "job" => handler.as_ref().map_or("", |found| found.kind))
            .increment(1);
        Ok(handler.map(|handler| (handler, work)))
    }

    /// Does everything that is due, one after the other, as a worker would: for tests and commands. Answers how many
    /// tries were made.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn drain(&mut self) -> Result<usize, DbError> {
        let (mut tries, never) = (0, watch::Sender::new(false));
        while let Some((handler, work)) = self.next().await? {
            attend(&self.app, &handler, work, never.subscribe()).await;
            tries += 1;
        }
        Ok(tries)
    }
}

async fn turned(on: &mut watch::Receiver<bool>) {
    // An error means that nobody is left who could turn it: as good as turned.
    drop(on.wait_for(|on| *on).await);
}

/// Does one job, to whatever end.
pub(super) async fn attend(app: &App, handler: &Handler, work: Work, mut stop: watch::Receiver<bool>) {
    let doing = AssertUnwindSafe((handler.run)(app.clone(), work.clone())).catch_unwind();
    let doing = async {
        let done = tokio::time::timeout(LONGEST, doing).await;
        let done = done.unwrap_or_else(|_| Ok(Err(JobError::Again("it took longer than ten minutes".to_owned()))));
        done.unwrap_or_else(|_| Err(JobError::Again("the handler panicked".to_owned())))
    };
    let ended = tokio::select! {
        done = telemetry::job(handler.kind, doing) => Some(done),
        () = lost(app, &work) => Some(Err(JobError::Lost)),
        () = turned(&mut stop) => None,
    };
    let noted = match ended {
        Some(done) => end(app, handler, &work, done).await,
        None => hand_back(app, &work).await,
    };
    if let Err(error) = noted {
        // Its lease ends, and it is done again.
        tracing::warn!(%error, job_id = %work.job, job = work.kind, "how a job ended could not be written down");
    }
}

/// Says regularly that the job is in hand; ends when it no longer is.
async fn lost(app: &App, work: &Work) {
    loop {
        tokio::time::sleep(BEAT).await;
        let beaten = async {
            let mut tx = HomeTx::begin(&app.db, work.home).await?;
            let ours = tx.hold().beat(work, app.clock.now().plus_millis(LEASE_MILLIS)).await?;
            tx.save().await?;
            Ok::<bool, DbError>(ours)
        };
        match beaten.await {
            Ok(true) => {}
            // Done in its own transaction a moment ago, or taken over: either way the row is no longer ours.
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, job_id = %work.job, "a worker could not say that it lives"),
        }
    }
}

async fn end(app: &App, handler: &Handler, work: &Work, done: Result<(), JobError>) -> Result<(), DbError> {
    let now = app.clock.now();
    let mut tx = HomeTx::begin(&app.db, work.home).await?;
    let mut hold = tx.hold();
    let ours = match &done {
        Ok(()) => hold.done(work, now).await?,
        Err(JobError::Lost) => false,
        Err(JobError::Never(why)) => {
            dead(work, why);
            hold.failed(work, &rules::reason(why), now, None).await?
        }
        Err(JobError::Again(why)) if work.is_last() => {
            dead(work, why);
            hold.failed(work, &rules::reason(why), now, None).await?
        }
        Err(JobError::Again(why)) => {
            let draw = u32::from_be_bytes(rng::bytes());
            let wait = rules::wait_millis(handler.first_wait, handler.most_wait, work.attempt, draw);
            hold.failed(work, &rules::reason(why), now, Some(now.plus_millis(wait))).await?
        }
    };
    tx.save().await?;
    if !ours && done.is_err() {
        metrics::counter!("tillway_jobs_lost_total", "job" => handler.kind).increment(1);
        tracing::warn!(job_id = %work.job, job = work.kind, "another worker has the job");
    }
    Ok(())
}

async fn hand_back(app: &App, work: &Work) -> Result<(), DbError> {
    let mut tx = HomeTx::begin(&app.db, work.home).await?;
    let back = tx.hold().hand_back(work, app.clock.now()).await?;
    tx.save().await?;
    tracing::info!(job_id = %work.job, job = work.kind, back, "head office closes; the job is given back");
    Ok(())
}

fn dead(work: &Work, why: &str) {
    metrics::counter!("tillway_jobs_dead_total").increment(1);
    let tenant = work.home.tenant().map(tracing::field::display);
    tracing::error!(job_id = %work.job, job = work.kind, tenant, why = rules::reason(why), "a job is given up");
}
