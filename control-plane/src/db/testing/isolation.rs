//! The isolation probe: plants one row of a tenant in every table of schema app, then tries to read, write and
//! take it as somebody else. Made from the catalogue, so that a table of tomorrow is probed too.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::TestDb;

/// Whose row it is.
const OURS: &str = "aaaaaaaa-0000-4000-8000-000000000001";
/// Who tries.
const FOREIGN: &str = "bbbbbbbb-0000-4000-8000-000000000002";

/// What the probe did and found.
#[derive(Debug, Default)]
pub struct Probe {
    /// Tables that were probed.
    pub tables: Vec<String>,
    /// Tries that were made.
    pub tries: usize,
    /// Tries that came through, or planting that failed; empty when all is well.
    pub breaches: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct Column {
    name: String,
    kind: String,
    nullable: bool,
    enum_label: Option<String>,
}

const TABLES: &str = "SELECT c.relname::text FROM pg_class c
    WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1";
const PARTITIONS: &str = "SELECT c.relname::text FROM pg_class c
    WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') AND c.relispartition ORDER BY 1";
const COLUMNS: &str = "SELECT a.attname::text AS name, format_type(t.oid, NULL) AS kind, NOT a.attnotnull AS nullable,
           (SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder LIMIT 1) AS enum_label
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = format('app.%I', $1)::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attgenerated = '' AND a.attidentity <> 'a' ORDER BY a.attnum";
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
    let mut admin = test.superuser().await;
    admin.execute(LOOSEN).await?;
    let mut probe = Probe::default();
    let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut admin).await?;
    let mut app = connect(test, "tw_app").await?;
    let mut report = connect(test, "tw_report").await?;
    // Rights are probed, not the setting that would forbid writing first.
    report.execute("SET default_transaction_read_only = off").await?;
    let mut platform = connect(test, "tw_platform").await?;
    for table in tables {
        let columns: Vec<Column> = sqlx::query_as(COLUMNS).bind(&table).fetch_all(&mut admin).await?;
        let ours = insert(&table, &columns, OURS);
        if let Err(error) = admin.execute(AssertSqlSafe(ours.clone())).await {
            probe.breaches.push(format!("{table}: cannot plant a row: {error} ({ours})"));
            continue;
        }
        as_app(&mut probe, &mut app, &table, &columns).await?;
        as_others(&mut probe, &mut report, &mut platform, &table).await?;
        probe.tables.push(table);
    }
    for partition in sqlx::query_scalar::<_, String>(PARTITIONS).fetch_all(&mut admin).await? {
        for connection in [&mut app, &mut report] {
            let sql = format!("SELECT 1 FROM app.{partition} LIMIT 1");
            probe.refused(&partition, "select of a partition by name", attempt(connection, Some(OURS), &sql).await);
        }
    }
    Ok(probe)
}

async fn connect(test: &TestDb, role: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect(&test.url(role)).await
}

async fn as_app(probe: &mut Probe, app: &mut PgConnection, table: &str, columns: &[Column]) -> Result<(), sqlx::Error> {
    let select = format!("SELECT 1 FROM app.{table}");
    let update = format!("UPDATE app.{table} SET tenant_id = tenant_id");
    let delete = format!("DELETE FROM app.{table}");
    // The owner of the row sees it: otherwise the tries below would prove nothing.
    let seen = attempt(app, Some(OURS), &select).await;
    if seen.as_ref().ok() != Some(&1) {
        probe.breaches.push(format!("{table}: its own tenant does not see the row: {seen:?}"));
    }
    for tenant in [Some(FOREIGN), None] {
        let who = tenant.map_or("no tenant", |_| "a foreign tenant");
        for (verb, sql) in [("select", &select), ("update", &update), ("delete", &delete)] {
            probe.untouched(table, &format!("{verb} as {who}"), attempt(app, tenant, sql).await);
        }
        let sql = insert(table, columns, OURS);
        probe.refused(table, &format!("insert for another as {who}"), attempt(app, tenant, &sql).await);
    }
    // A key that collides must not tell that the other row is there.
    let own = insert(table, columns, FOREIGN);
    let gift = format!("WITH own AS ({own} RETURNING 1) SELECT 1 FROM own");
    let inserted = attempt(app, Some(FOREIGN), &gift).await;
    probe.tries += 1;
    if inserted.as_ref().ok() != Some(&1) {
        probe.breaches.push(format!("{table}: the same key for another tenant is refused: {inserted:?}"));
    }
    let moved = format!("{own}; UPDATE app.{table} SET tenant_id = '{OURS}'");
    probe.refused(table, "giving a row to another tenant", attempt_raw(app, Some(FOREIGN), &moved).await);
    let merge = format!("{} ON CONFLICT DO NOTHING", insert(table, columns, OURS));
    probe.refused(table, "upsert for another", attempt(app, Some(FOREIGN), &merge).await);
    let truncate = format!("TRUNCATE app.{table}");
    probe.refused(table, "truncate", attempt(app, Some(FOREIGN), &truncate).await);
    Ok(())
}

async fn as_others(
    probe: &mut Probe,
    report: &mut PgConnection,
    platform: &mut PgConnection,
    table: &str,
) -> Result<(), sqlx::Error> {
    let select = format!("SELECT 1 FROM app.{table}");
    let delete = format!("DELETE FROM app.{table}");
    probe.untouched(table, "select as a foreign report", attempt(report, Some(FOREIGN), &select).await);
    probe.refused(table, "delete as report", attempt(report, Some(OURS), &delete).await);
    probe.refused(table, "delete as platform", attempt(platform, Some(OURS), &delete).await);
    if !crate::db::PLATFORM_READS.iter().any(|(name, _)| *name == table) {
        probe.refused(table, "select as platform", attempt(platform, Some(OURS), &select).await);
    }
    Ok(())
}

impl Probe {
    /// The statement must touch nothing: allowed, or not even allowed (what is only ever written).
    fn untouched(&mut self, table: &str, what: &str, outcome: Result<u64, sqlx::Error>) {
        self.tries += 1;
        let forbidden = |error: &sqlx::Error| {
            error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "42501")
        };
        if !matches!(outcome, Ok(0)) && !outcome.as_ref().is_err_and(forbidden) {
            self.breaches.push(format!("{table}: {what}: {outcome:?}"));
        }
    }

    /// The statement must be refused for want of a right.
    fn refused(&mut self, table: &str, what: &str, outcome: Result<u64, sqlx::Error>) {
        self.tries += 1;
        let code = outcome.as_ref().err().and_then(sqlx::Error::as_database_error).and_then(|e| e.code());
        if code.as_deref() != Some("42501") {
            self.breaches.push(format!("{table}: {what}: {outcome:?}"));
        }
    }
}

/// Runs one statement as `tenant` and takes it back. Answers the rows it touched.
async fn attempt(connection: &mut PgConnection, tenant: Option<&str>, sql: &str) -> Result<u64, sqlx::Error> {
    let mut tx = begin(connection, tenant).await?;
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.map(|done| done.rows_affected())
}

/// The same for several statements.
async fn attempt_raw(connection: &mut PgConnection, tenant: Option<&str>, sql: &str) -> Result<u64, sqlx::Error> {
    let mut tx = begin(connection, tenant).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.map(|done| done.rows_affected())
}

async fn begin<'c>(
    connection: &'c mut PgConnection,
    tenant: Option<&str>,
) -> Result<sqlx::Transaction<'c, sqlx::Postgres>, sqlx::Error> {
    let mut tx = connection.begin().await?;
    if let Some(tenant) = tenant {
        sqlx::query("SELECT set_config('app.tenant_id', $1, true)").bind(tenant).execute(&mut *tx).await?;
    }
    Ok(tx)
}

fn insert(table: &str, columns: &[Column], tenant: &str) -> String {
    let names: Vec<String> = columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    let values: Vec<String> = columns.iter().map(|column| value(column, tenant)).collect();
    format!("INSERT INTO app.{table} ({}) VALUES ({})", names.join(", "), values.join(", "))
}

/// A value of a column's type.
fn value(column: &Column, tenant: &str) -> String {
    if column.name == "tenant_id" {
        return format!("'{tenant}'");
    }
    if let Some(label) = &column.enum_label {
        return format!("'{label}'");
    }
    let text = match column.kind.as_str() {
        "uuid" => "'cccccccc-0000-4000-8000-000000000003'",
        "text" | "character varying" | "character" => "'x'",
        "bigint" | "integer" | "smallint" | "numeric" | "real" | "double precision" => "1",
        "boolean" => "false",
        "bytea" => "decode(repeat('00', 32), 'hex')",
        "timestamp with time zone" | "timestamp without time zone" => "'2026-11-20 12:00:00+00'",
        "date" => "'2026-11-20'",
        "time without time zone" => "'12:00'",
        "interval" => "'1 day'",
        "json" | "jsonb" => "'{}'",
        "inet" | "cidr" => "'127.0.0.1'",
        kind if kind.ends_with("[]") => "'{}'",
        _ if column.nullable => "NULL",
        kind => return format!("NULL /* the probe knows no value of {kind} */"),
    };
    text.to_owned()
}
