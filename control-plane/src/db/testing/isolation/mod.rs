//! The isolation probe: plants one row of a tenant in every table of schema app, then tries to read, write and take it as
//! somebody else: a foreign tenant, nobody, and a foreign shop of the same tenant. Made from the catalogue, so that a table
//! of tomorrow is probed too.

mod mutants;
mod rows;

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::TestDb;
use crate::db::{APPEND_ONLY, PLATFORM_READS};
pub use mutants::{Mutant, mutants};
use rows::{Belongs, SHOP, Table};

/// Whose row it is.
const OURS: &str = "aaaaaaaa-0000-4000-8000-000000000001";
/// Who tries.
const FOREIGN: &str = "bbbbbbbb-0000-4000-8000-000000000002";
/// A shop that is not the row's.
const OTHER_SHOP: &str = "dddddddd-0000-4000-8000-000000000004";

/// What the probe did and found.
#[derive(Debug, Default)]
pub struct Probe {
    /// Tables that were probed.
    pub tables: Vec<String>,
    /// Tries that were made, each one once: table, what, as whom.
    pub cases: BTreeSet<String>,
    /// Tries that came through, or planting that failed; empty when all is well.
    pub breaches: Vec<String>,
}

/// A database with a row of ours in every table, and connections of every role to try from. Every try is taken back.
#[derive(Debug)]
pub struct Planted {
    admin: PgConnection,
    app: PgConnection,
    report: PgConnection,
    platform: PgConnection,
    tables: Vec<Table>,
    partitions: Vec<String>,
    unplanted: Vec<String>,
}

const PARTITIONS: &str = "SELECT c.relname::text FROM pg_class c
    WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') AND c.relispartition ORDER BY 1";
/// Checks and foreign keys say nothing about isolation, and a made-up row would not satisfy them.
const LOOSEN: &str = "DO $$ DECLARE k record; BEGIN
    FOR k IN SELECT conrelid::regclass AS t, conname FROM pg_constraint
             WHERE connamespace = 'app'::regnamespace AND contype IN ('c', 'f') AND coninhcount = 0
    LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', k.t, k.conname); END LOOP; END $$";

/// Runs the probe. The database is unfit for anything else afterwards: its checks and foreign keys are gone.
///
/// # Errors
/// Whatever reading the catalogue met.
pub async fn probe(test: &TestDb) -> Result<Probe, sqlx::Error> {
    Planted::plant(test).await?.probe(None).await
}

/// In what bounds a statement is tried.
#[derive(Clone, Copy, Debug)]
struct Within<'w> {
    tenant: Option<&'w str>,
    shops: Option<&'w str>,
}

impl<'w> Within<'w> {
    const fn of(tenant: &'w str) -> Self {
        Self { tenant: Some(tenant), shops: None }
    }

    const fn shops(shops: &'w str) -> Self {
        Self { tenant: Some(OURS), shops: Some(shops) }
    }
}

const NOBODY: Within<'static> = Within { tenant: None, shops: None };

impl Planted {
    /// Plants.
    ///
    /// # Errors
    /// Whatever reading the catalogue met.
    pub async fn plant(test: &TestDb) -> Result<Self, sqlx::Error> {
        let mut admin = test.superuser().await;
        admin.execute(LOOSEN).await?;
        let tables = Table::all(&mut admin).await?;
        let partitions = sqlx::query_scalar(PARTITIONS).fetch_all(&mut admin).await?;
        let mut unplanted = Vec::new();
        for table in &tables {
            let ours = table.insert(OURS);
            if let Err(error) = admin.execute(AssertSqlSafe(ours.clone())).await {
                unplanted.push(format!("{}: cannot plant a row: {error} ({ours})", table.name));
            }
        }
        let connect = async |role| PgConnection::connect(&test.url(role)).await;
        let (app, mut report, platform) =
            (connect("tw_app").await?, connect("tw_report").await?, connect("tw_platform").await?);
        // Rights are probed, not the setting that would forbid writing first.
        report.execute("SET default_transaction_read_only = off").await?;
        Ok(Self { admin, app, report, platform, tables, partitions, unplanted })
    }

    /// Tries everything on every table, or on one.
    ///
    /// # Errors
    /// Whatever reading the catalogue met.
    pub async fn probe(&mut self, only: Option<&str>) -> Result<Probe, sqlx::Error> {
        let mut probe = Probe { breaches: self.unplanted.clone(), ..Probe::default() };
        for table in self.tables.clone() {
            if only.is_some_and(|only| only != table.name) {
                continue;
            }
            self.as_foreign_tenant(&mut probe, &table).await;
            self.as_foreign_shop(&mut probe, &table).await;
            self.as_other_roles(&mut probe, &table).await;
            probe.tables.push(table.name);
        }
        if only.is_none() {
            for partition in self.partitions.clone() {
                for connection in [&mut self.app, &mut self.report] {
                    let sql = format!("SELECT 1 FROM app.{partition} LIMIT 1");
                    let outcome = attempt(connection, Within::of(OURS), &sql).await;
                    probe.refused(&partition, "select of a partition by name", &outcome);
                }
            }
        }
        Ok(probe)
    }

    async fn as_foreign_tenant(&mut self, probe: &mut Probe, table: &Table) {
        let name = &table.name;
        let app = &mut self.app;
        let (select, update, delete) = verbs(name);
        // The owner of the row sees it: otherwise the tries below would prove nothing.
        probe.reached(name, "select as its own tenant", &attempt(app, Within::of(OURS), &select).await);
        for (within, who) in [(Within::of(FOREIGN), "a foreign tenant"), (NOBODY, "no tenant")] {
            for (verb, sql) in [("select", &select), ("update", &update), ("delete", &delete)] {
                probe.untouched(name, &format!("{verb} as {who}"), &attempt(app, within, sql).await);
            }
            let sql = table.insert(OURS);
            probe.refused(name, &format!("insert for another as {who}"), &attempt(app, within, &sql).await);
        }
        // A key that collides must not tell that the other row is there.
        let own = table.insert(FOREIGN);
        let inserted = attempt(app, Within::of(FOREIGN), &own).await;
        probe.reached(name, "the same key for another tenant", &inserted);
        let moved = format!("{own}; UPDATE app.{name} SET tenant_id = '{OURS}'");
        probe.refused(name, "giving a row to another tenant", &attempt(app, Within::of(FOREIGN), &moved).await);
        let merge = format!("{} ON CONFLICT DO NOTHING", table.insert(OURS));
        probe.refused(name, "upsert for another", &attempt(app, Within::of(FOREIGN), &merge).await);
        let truncate = format!("TRUNCATE app.{name}");
        probe.refused(name, "truncate", &attempt(app, Within::of(FOREIGN), &truncate).await);
        if APPEND_ONLY.iter().any(|(known, _)| known == name) {
            for (verb, sql) in [("update", &update), ("delete", &delete)] {
                let outcome = attempt(app, Within::of(OURS), sql).await;
                probe.refused(name, &format!("{verb} of what is only ever written"), &outcome);
            }
        }
    }

    async fn as_foreign_shop(&mut self, probe: &mut Probe, table: &Table) {
        let name = &table.name;
        let key = match table.belongs() {
            Belongs::Shop => "shop_id",
            Belongs::Node => "node_id",
            // What is the company's is the same for all who may look at it at all.
            Belongs::Company => return,
        };
        let (select, update, delete) = verbs(name);
        let (ours, other) = (format!("{{{SHOP}}}"), format!("{{{OTHER_SHOP}}}"));
        let both = format!("{{{OTHER_SHOP},{SHOP}}}");
        for (who, shops) in [("its own shop", &ours), ("its own and another shop", &both)] {
            let seen = attempt(&mut self.app, Within::shops(shops), &select).await;
            probe.reached(name, &format!("select as {who}"), &seen);
        }
        // Empty is what a setting becomes that was set before: it narrows nothing.
        probe.reached(name, "select unnarrowed", &attempt(&mut self.app, Within::shops(""), &select).await);
        for (within, who) in [(Within::shops(&other), "another shop"), (Within::shops("{}"), "no shop")] {
            for (verb, sql) in [("select", &select), ("update", &update), ("delete", &delete)] {
                probe.untouched(name, &format!("{verb} as {who}"), &attempt(&mut self.app, within, sql).await);
            }
            // A tenant that has not the row yet, so that nothing but the shop is in the way.
            let sql = table.insert(OURS);
            probe.refused(name, &format!("insert as {who}"), &attempt(&mut self.app, within, &sql).await);
            let seen = attempt(&mut self.report, within, &select).await;
            probe.untouched(name, &format!("select as report of {who}"), &seen);
        }
        let give = format!("UPDATE app.{name} SET {key} = '{OTHER_SHOP}'");
        let given = attempt(&mut self.app, Within::shops(&ours), &give).await;
        probe.refused(name, "giving a row to another shop", &given);
        let foreign = Within { tenant: Some(FOREIGN), shops: Some(&ours) };
        let seen = attempt(&mut self.app, foreign, &select).await;
        probe.untouched(name, "select as its shop in a foreign tenant", &seen);
    }

    async fn as_other_roles(&mut self, probe: &mut Probe, table: &Table) {
        let name = &table.name;
        let (report, platform) = (&mut self.report, &mut self.platform);
        let (select, update, delete) = verbs(name);
        probe.untouched(name, "select as a foreign report", &attempt(report, Within::of(FOREIGN), &select).await);
        probe.untouched(name, "select as a report of nobody", &attempt(report, NOBODY, &select).await);
        let insert = table.insert(OURS);
        for (verb, sql) in [("insert", &insert), ("update", &update), ("delete", &delete)] {
            probe.refused(name, &format!("{verb} as report"), &attempt(report, Within::of(OURS), sql).await);
            probe.refused(name, &format!("{verb} as platform"), &attempt(platform, Within::of(OURS), sql).await);
        }
        let seen = attempt(platform, Within::of(OURS), &select).await;
        if PLATFORM_READS.iter().any(|(known, _)| known == name) {
            probe.reached(name, "select as platform", &seen);
        } else {
            probe.refused(name, "select as platform", &seen);
        }
    }
}

fn verbs(table: &str) -> (String, String, String) {
    (
        format!("SELECT 1 FROM app.{table}"),
        format!("UPDATE app.{table} SET tenant_id = tenant_id"),
        format!("DELETE FROM app.{table}"),
    )
}

impl Probe {
    fn note(&mut self, table: &str, what: &str, breach: bool, outcome: &Result<u64, sqlx::Error>) {
        let new = self.cases.insert(format!("{table}: {what}"));
        debug_assert!(new, "{table}: {what} is tried twice");
        if breach {
            self.breaches.push(format!("{table}: {what}: {outcome:?}"));
        }
    }

    /// The statement must find the row: whoever owns it is not locked out.
    fn reached(&mut self, table: &str, what: &str, outcome: &Result<u64, sqlx::Error>) {
        self.note(table, what, !matches!(outcome, Ok(1..)), outcome);
    }

    /// The statement must touch nothing: allowed, or not even allowed (what is only ever written).
    fn untouched(&mut self, table: &str, what: &str, outcome: &Result<u64, sqlx::Error>) {
        let nothing = matches!(outcome, Ok(0)) || forbidden(outcome);
        self.note(table, what, !nothing, outcome);
    }

    /// The statement must be refused for want of a right.
    fn refused(&mut self, table: &str, what: &str, outcome: &Result<u64, sqlx::Error>) {
        self.note(table, what, !forbidden(outcome), outcome);
    }
}

fn forbidden(outcome: &Result<u64, sqlx::Error>) -> bool {
    let code = outcome.as_ref().err().and_then(sqlx::Error::as_database_error).and_then(|error| error.code());
    code.as_deref() == Some("42501")
}

/// Runs statements within bounds and takes them back: one round trip and a rollback. Answers the rows touched.
async fn attempt(connection: &mut PgConnection, within: Within<'_>, sql: &str) -> Result<u64, sqlx::Error> {
    let mut begin = "BEGIN".to_owned();
    for (setting, value) in [("app.tenant_id", within.tenant), ("app.shop_ids", within.shops)] {
        if let Some(value) = value {
            begin.extend(["; SET LOCAL ", setting, " = '", value, "'"]);
        }
    }
    let mut tx = connection.begin_with(AssertSqlSafe(begin)).await?;
    let outcome = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.map(|done| done.rows_affected());
    // At once: a transaction that is only dropped holds its locks until its connection is used again.
    tx.rollback().await?;
    outcome
}
