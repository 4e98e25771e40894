//! The SQL of jobs. Both tables are alike but for the tenant: a statement is written once and told which table it is
//! for. A tenant's jobs are only ever changed in a transaction of that tenant, under row-level security.

use protocol::id::TenantId;
use protocol::timestamp::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use super::service::{Filter, Seen};
use super::types::{Home, Job, State, Work};
use crate::clock::{timestamp, utc};
use crate::db::{Db, DbError, SystemReason, SystemTx, TenantTx};

/// A transaction of whoever the job belongs to.
#[derive(Debug)]
pub(super) enum HomeTx {
    Tenant(TenantTx),
    Platform(SystemTx),
}

impl HomeTx {
    pub(super) async fn begin(db: &Db, home: Home) -> Result<Self, DbError> {
        match home {
            Home::Tenant(tenant) => Ok(Self::Tenant(TenantTx::begin(db, tenant).await?)),
            Home::Platform => Ok(Self::Platform(SystemTx::round(db, SystemReason::Jobs).await?)),
        }
    }

    pub(super) fn hold(&mut self) -> Hold<'_> {
        match self {
            Self::Tenant(tx) => Hold::tenant(tx),
            Self::Platform(tx) => Hold::platform(tx),
        }
    }

    pub(super) async fn save(self) -> Result<(), DbError> {
        match self {
            Self::Tenant(tx) => tx.save().await,
            Self::Platform(tx) => tx.save().await,
        }
    }
}

/// A connection, and whose jobs are meant.
pub(super) struct Hold<'a> {
    home: Home,
    conn: &'a mut PgConnection,
}

impl<'a> Hold<'a> {
    pub(super) fn tenant(tx: &'a mut TenantTx) -> Self {
        Self { home: Home::Tenant(tx.tenant()), conn: tx.conn() }
    }

    pub(super) fn platform(tx: &'a mut SystemTx) -> Self {
        Self { home: Home::Platform, conn: tx.conn() }
    }

    /// The statement for this table: `{jobs}` its name, `{mine}` the condition on $1, the tenant.
    fn sql(&self, sql: &str) -> AssertSqlSafe<String> {
        let (table, mine) = match self.home {
            Home::Tenant(_) => ("app.jobs", "tenant_id = $1"),
            Home::Platform => ("platform.jobs", "$1::uuid IS NULL"),
        };
        AssertSqlSafe(sql.replace("{jobs}", table).replace("{mine}", mine))
    }

    fn owner(&self) -> Option<Uuid> {
        self.home.tenant().map(|tenant| tenant.as_uuid())
    }

    /// Takes a job in; none when one of its key is alive.
    pub(super) async fn insert(self, job: &Job) -> Result<Option<Uuid>, DbError> {
        let (column, value) = match self.home {
            Home::Tenant(_) => ("tenant_id, ", "$1, "),
            Home::Platform => ("", ""),
        };
        // The condition makes $1 a parameter of both statements.
        let sql = format!(
            "INSERT INTO {{jobs}} ({column}job_id, kind, key, payload, state, due_at, max_attempts, made_at)
             SELECT {value}$2, $3, $4, $5, 'waiting', $6, $7, $8 WHERE $1::uuid IS NOT DISTINCT FROM $1
             ON CONFLICT ({column}kind, key) WHERE state IN ('waiting', 'running') DO NOTHING RETURNING job_id"
        );
        let taken = sqlx::query_scalar(self.sql(&sql))
            .bind(self.owner())
            .bind(job.id)
            .bind(job.kind)
            .bind(job.key.as_deref())
            .bind(&job.payload)
            .bind(utc(job.run_at))
            .bind(i16::try_from(job.max_attempts).unwrap_or(i16::MAX))
            .bind(utc(job.made_at))
            .fetch_optional(self.conn)
            .await?;
        Ok(taken)
    }

    /// How many are in a worker's hands. Holds off other workers of the same tenant until the transaction ends; none
    /// when another one was first.
    pub(super) async fn running(&mut self, now: Timestamp) -> Result<Option<i64>, DbError> {
        let sql = "SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended('jobs', 0) # hashtextextended(coalesce($1::text, ''), 0))
            THEN (SELECT count(*) FROM {jobs} WHERE {mine} AND state IN ('waiting', 'running') AND state = 'running'
                  AND due_at > $2) END";
        let sql = self.sql(sql);
        let running = sqlx::query_scalar(sql).bind(self.owner()).bind(utc(now)).fetch_one(&mut *self.conn).await?;
        Ok(running)
    }

    /// The next job, for the worker with this lease. One that used up its tries without an answer is dead instead.
    pub(super) async fn claim(
        &mut self,
        kinds: &[String],
        lease: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<(Work, bool)>, DbError> {
        let sql = self.sql(
            "UPDATE {jobs} SET
                 state = CASE WHEN attempts >= max_attempts THEN 'dead' ELSE 'running' END,
                 lease = CASE WHEN attempts >= max_attempts THEN NULL ELSE $3 END,
                 ended_at = CASE WHEN attempts >= max_attempts THEN $4 END,
                 error = CASE WHEN attempts >= max_attempts THEN 'its worker ended in the middle of the last try'
                              ELSE error END,
                 attempts = least(attempts + 1, max_attempts),
                 due_at = $5
             WHERE {mine} AND job_id = (
                 SELECT job_id FROM {jobs}
                 WHERE {mine} AND state IN ('waiting', 'running') AND due_at <= $4 AND kind = ANY ($2)
                 ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING job_id, kind, payload, attempts, max_attempts, made_at, state",
        );
        let row: Option<(Uuid, String, serde_json::Value, i16, i16, OffsetDateTime, String)> = sqlx::query_as(sql)
            .bind(self.owner())
            .bind(kinds)
            .bind(lease)
            .bind(utc(now))
            .bind(utc(until))
            .fetch_optional(&mut *self.conn)
            .await?;
        Ok(row.map(|(job, kind, payload, attempt, most, made_at, state)| {
            let count = |number: i16| u16::try_from(number).unwrap_or(0);
            let (attempt, max_attempts) = (count(attempt), count(most));
            let made_at = timestamp(made_at);
            let work = Work { home: self.home, job, lease, kind, payload, attempt, max_attempts, made_at };
            (work, state == State::Running.name())
        }))
    }

    /// Holds on to a job; false when it is no longer ours.
    pub(super) async fn beat(&mut self, work: &Work, until: Timestamp) -> Result<bool, DbError> {
        let sql = self.sql("UPDATE {jobs} SET due_at = $4 WHERE {mine} AND job_id = $2 AND lease = $3");
        let query = sqlx::query(sql).bind(self.owner()).bind(work.job).bind(work.lease).bind(utc(until));
        Ok(query.execute(&mut *self.conn).await?.rows_affected() == 1)
    }

    /// Ends a job as done; what it was about is forgotten. False when it is no longer ours.
    pub(super) async fn done(&mut self, work: &Work, now: Timestamp) -> Result<bool, DbError> {
        let sql = self.sql(
            "UPDATE {jobs} SET state = 'done', lease = NULL, ended_at = $4, error = NULL, payload = '{}'
             WHERE {mine} AND job_id = $2 AND lease = $3",
        );
        let query = sqlx::query(sql).bind(self.owner()).bind(work.job).bind(work.lease).bind(utc(now));
        Ok(query.execute(&mut *self.conn).await?.rows_affected() == 1)
    }

    /// Gives a job back until `again`, with why; none: it is dead.
    pub(super) async fn failed(
        &mut self,
        work: &Work,
        why: &str,
        now: Timestamp,
        again: Option<Timestamp>,
    ) -> Result<bool, DbError> {
        let sql = self.sql(
            "UPDATE {jobs} SET lease = NULL, error = $4, state = CASE WHEN $6 THEN 'waiting' ELSE 'dead' END,
                 due_at = $5, ended_at = CASE WHEN $6 THEN NULL ELSE $5 END
             WHERE {mine} AND job_id = $2 AND lease = $3",
        );
        let query = sqlx::query(sql).bind(self.owner()).bind(work.job).bind(work.lease).bind(why);
        let query = query.bind(utc(again.unwrap_or(now))).bind(again.is_some());
        Ok(query.execute(&mut *self.conn).await?.rows_affected() == 1)
    }

    /// Gives a job back as if it had not been taken: the worker closes.
    pub(super) async fn hand_back(&mut self, work: &Work, now: Timestamp) -> Result<bool, DbError> {
        let sql = self.sql(
            "UPDATE {jobs} SET lease = NULL, state = 'waiting', due_at = $4, attempts = greatest(attempts - 1, 0)
             WHERE {mine} AND job_id = $2 AND lease = $3",
        );
        let query = sqlx::query(sql).bind(self.owner()).bind(work.job).bind(work.lease).bind(utc(now));
        Ok(query.execute(&mut *self.conn).await?.rows_affected() == 1)
    }

    /// An operator wants a dead or cancelled job tried again. `Taken` when one of its key is alive.
    pub(super) async fn retry(&mut self, job: Uuid, now: Timestamp) -> Result<bool, DbError> {
        let sql = self.sql(
            "UPDATE {jobs} SET state = 'waiting', due_at = $3, ended_at = NULL, attempts = 0
             WHERE {mine} AND job_id = $2 AND state IN ('dead', 'cancelled')",
        );
        let query = sqlx::query(sql).bind(self.owner()).bind(job).bind(utc(now));
        Ok(query.execute(&mut *self.conn).await?.rows_affected() == 1)
    }

    /// An operator calls a waiting job off.
    pub(super) async fn cancel(&mut self, job: Uuid, now: Timestamp) -> Result<bool, DbError> {
        let sql = self.sql(
            "UPDATE {jobs} SET state = 'cancelled', ended_at = $3
             WHERE {mine} AND job_id = $2 AND state = 'waiting'",
        );
        let query = sqlx::query(sql).bind(self.owner()).bind(job).bind(utc(now));
        Ok(query.execute(&mut *self.conn).await?.rows_affected() == 1)
    }

    /// Removes what ended before: done and called off before `done`, dead before `dead`.
    pub(super) async fn prune(&mut self, done: Timestamp, dead: Timestamp) -> Result<u64, DbError> {
        let sql = self.sql(
            "DELETE FROM {jobs} WHERE {mine} AND ended_at IS NOT NULL
                 AND (ended_at < $2 AND state IN ('done', 'cancelled') OR ended_at < $3 AND state = 'dead')",
        );
        let query = sqlx::query(sql).bind(self.owner()).bind(utc(done)).bind(utc(dead));
        Ok(query.execute(&mut *self.conn).await?.rows_affected())
    }
}

/// Tenants that have work to do now, after `after` in the order of their ids: one step of the index for each, however
/// much one of them has.
pub(super) async fn tenants_with_work(
    db: &Db,
    kinds: &[String],
    now: Timestamp,
    after: Uuid,
    most: i64,
) -> Result<Vec<TenantId>, DbError> {
    let sql = "WITH RECURSIVE next AS (
            (SELECT tenant_id FROM app.jobs WHERE state IN ('waiting', 'running') AND due_at <= $1 AND kind = ANY ($2)
                AND tenant_id > $3 ORDER BY tenant_id LIMIT 1)
            UNION ALL
            SELECT (SELECT j.tenant_id FROM app.jobs j WHERE j.state IN ('waiting', 'running') AND j.due_at <= $1
                        AND j.kind = ANY ($2) AND j.tenant_id > next.tenant_id ORDER BY j.tenant_id LIMIT 1)
            FROM next WHERE next.tenant_id IS NOT NULL)
        SELECT tenant_id FROM next WHERE tenant_id IS NOT NULL LIMIT $4";
    let mut tx = SystemTx::round(db, SystemReason::Jobs).await?;
    let query = sqlx::query_scalar(sql).bind(utc(now)).bind(kinds).bind(after).bind(most);
    let tenants: Vec<Uuid> = query.fetch_all(tx.conn()).await?;
    Ok(tenants.into_iter().map(TenantId::from_uuid).collect())
}

#[derive(sqlx::FromRow)]
struct SeenRow {
    job_id: Uuid,
    tenant_id: Option<Uuid>,
    kind: String,
    state: String,
    due_at: OffsetDateTime,
    attempts: i16,
    max_attempts: i16,
    made_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
    error: Option<String>,
}

/// Jobs of all, newest first, one more than asked for.
pub(super) async fn list(tx: &mut SystemTx, filter: &Filter) -> Result<Vec<Seen>, DbError> {
    const SEEN: &str = "job_id, kind, state, due_at, attempts, max_attempts, made_at, ended_at, error";
    let wanted = "($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR kind = $2) AND job_id < $4
         ORDER BY job_id DESC LIMIT $5";
    let sql = format!(
        "SELECT * FROM (
            (SELECT tenant_id, {SEEN} FROM app.jobs WHERE ($3::uuid IS NULL OR tenant_id = $3) AND {wanted})
            UNION ALL
            (SELECT NULL, {SEEN} FROM platform.jobs WHERE $3::uuid IS NULL AND {wanted})
         ) AS all_jobs ORDER BY job_id DESC LIMIT $5"
    );
    let rows: Vec<SeenRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(filter.state.map(State::name))
        .bind(filter.kind.as_deref())
        .bind(filter.tenant.map(|tenant| tenant.as_uuid()))
        .bind(filter.before.unwrap_or(Uuid::max()))
        .bind(i64::from(filter.limit) + 1)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().filter_map(seen).collect())
}

fn seen(row: SeenRow) -> Option<Seen> {
    let SeenRow { job_id, tenant_id, kind, state, due_at, attempts, max_attempts, made_at, ended_at, error } = row;
    let state = State::of(&state)?;
    Some(Seen { id: job_id, tenant_id, kind, state, due_at, attempts, max_attempts, made_at, ended_at, error })
}

/// How many stand how, of those that are not over.
pub(super) async fn census(tx: &mut SystemTx) -> Result<Vec<(String, State, i64)>, DbError> {
    let sql = "SELECT kind, state, sum(jobs)::bigint FROM (
            SELECT kind, state, count(*) AS jobs FROM app.jobs WHERE state IN ('waiting', 'running', 'dead') GROUP BY 1, 2
            UNION ALL
            SELECT kind, state, count(*) FROM platform.jobs WHERE state IN ('waiting', 'running', 'dead') GROUP BY 1, 2
        ) AS both_tables GROUP BY 1, 2 ORDER BY 1, 2";
    let rows: Vec<(String, String, i64)> = sqlx::query_as(sql).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().filter_map(|(kind, state, jobs)| Some((kind, State::of(&state)?, jobs))).collect())
}
