//! Bringing the schema up to date, and refusing to serve on one that is not safe. Roles belong to the cluster
//! and are made here; everything else is in `migrations/`.

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::pool::options;
use super::{Db, DbError, catalogue};

static MIGRATIONS: Migrator = sqlx::migrate!("src/migrations");

/// The roles and what they may. Idempotent.
const ROLES: &str = "
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tw_owner') THEN
        CREATE ROLE tw_owner LOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tw_app') THEN
        CREATE ROLE tw_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tw_report') THEN
        CREATE ROLE tw_report LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
        ALTER ROLE tw_report SET statement_timeout = '5s';
        ALTER ROLE tw_report SET default_transaction_read_only = on;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tw_platform') THEN
        CREATE ROLE tw_platform LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT (pg_has_role('tw_owner', 'tw_app', 'MEMBER') AND pg_has_role('tw_owner', 'tw_platform', 'MEMBER')) THEN
        GRANT tw_app, tw_platform TO tw_owner;
    END IF;
END $$";

/// Makes the roles on a cluster. `admin` may create roles.
///
/// # Errors
/// Whatever PostgreSQL refuses, such as a missing CREATEROLE.
pub async fn prepare_cluster(admin: &mut PgConnection) -> Result<(), DbError> {
    sqlx::raw_sql(ROLES).execute(admin).await?;
    Ok(())
}

/// `control-plane migrate`: makes missing roles, then brings the schema up to date as tw_owner. The address may
/// be the owner's own or an administrator's who may become the owner. Answers the version reached.
///
/// # Errors
/// What PostgreSQL refused; nothing of the failed migration is kept.
pub async fn migrate(url: &str) -> Result<i64, DbError> {
    let options = options(url)?;
    let mut admin = options.connect().await?;
    prepare_cluster(&mut admin).await?;
    let (user, database, member): (String, String, bool) = sqlx::query_as(
        "SELECT current_user::text, current_database()::text, pg_has_role(current_user, 'tw_owner', 'MEMBER')",
    )
    .fetch_one(&mut admin)
    .await?;
    if !member {
        let grant = format!("GRANT tw_owner TO {}", quoted(&user));
        sqlx::raw_sql(AssertSqlSafe(grant)).execute(&mut admin).await?;
    }
    if user != "tw_owner" {
        let grant = format!("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO tw_owner", quoted(&database));
        sqlx::raw_sql(AssertSqlSafe(grant)).execute(&mut admin).await?;
    }
    admin.close().await?;
    migrate_owner(&options.options([("role", "tw_owner")])).await
}

/// Brings the schema up to date over a connection that already acts as tw_owner. Answers the version reached.
///
/// # Errors
/// [`DbError::Migrate`] naming the migration.
pub async fn migrate_owner(owner: &PgConnectOptions) -> Result<i64, DbError> {
    // The list of migrations stands in a schema of its own; migrations name their schemas in full.
    let options = owner.clone().application_name("tillway-migrate").options([("search_path", "migrations")]);
    let mut connection = options.connect().await?;
    sqlx::raw_sql("CREATE SCHEMA IF NOT EXISTS migrations AUTHORIZATION tw_owner").execute(&mut connection).await?;
    MIGRATIONS.run(&mut connection).await?;
    connection.close().await?;
    Ok(newest())
}

/// The version that this program wants.
fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What the serving role must not be. `session_user` counts too: a superuser that became tw_app could go back.
const STANDING: &str = "
SELECT r.rolname::text, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname IN ('app', 'platform') AND c.relkind IN ('r', 'p') AND c.relowner = r.oid)
FROM pg_roles r
WHERE r.rolname IN (current_user, session_user)
   OR (NOT r.rolsuper AND pg_has_role(session_user, r.oid, 'MEMBER'))";

impl Db {
    /// Refuses a database that is not safe to serve from: a role that could bypass row-level security or owns
    /// tables, a table without it, a schema that is behind.
    ///
    /// # Errors
    /// [`DbError::Unfit`] with every reason found.
    #[allow(clippy::disallowed_methods, reason = "reads the catalogue, no tenant's rows")]
    pub async fn preflight(&self) -> Result<(), DbError> {
        let mut wrong = Vec::new();
        for (pool, wanted) in [(self.app(), "tw_app"), (self.platform(), "tw_platform")] {
            let current: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(pool).await?;
            if current != wanted {
                wrong.push(format!("connected as {current} where {wanted} belongs; give the address of {wanted}"));
            }
            let roles: Vec<(String, bool, bool, bool)> = sqlx::query_as(STANDING).fetch_all(pool).await?;
            for (role, superuser, bypass, owns) in roles {
                if superuser {
                    wrong.push(format!("{wanted} acts with {role}, a superuser: ALTER ROLE {role} NOSUPERUSER"));
                }
                if bypass {
                    wrong.push(format!("{role} bypasses row-level security: ALTER ROLE {role} NOBYPASSRLS"));
                }
                if owns {
                    wrong.push(format!("{role} owns tables; they belong to tw_owner, which {wanted} must not be"));
                }
            }
        }
        wrong.extend(self.behind().await?);
        if wrong.is_empty() {
            let mut connection = self.app().acquire().await?;
            wrong.extend(catalogue::violations(&mut connection).await?.iter().map(ToString::to_string));
        }
        if wrong.is_empty() { Ok(()) } else { Err(DbError::Unfit(wrong.join("; "))) }
    }

    /// Says so if migrations are missing.
    async fn behind(&self) -> Result<Option<String>, DbError> {
        let list: Option<String> =
            sqlx::query_scalar("SELECT to_regclass('migrations._sqlx_migrations')::text").fetch_one(self.app()).await?;
        let missing = "the schema is missing or behind: run `control-plane migrate --database-url` as the owner";
        if list.is_none() {
            return Ok(Some(missing.to_owned()));
        }
        let reached: Vec<i64> = sqlx::query_scalar("SELECT version FROM migrations._sqlx_migrations WHERE success")
            .fetch_all(self.app())
            .await?;
        let lacks = MIGRATIONS.iter().filter(|m| !reached.contains(&m.version)).count();
        Ok((lacks > 0).then(|| format!("{missing} ({lacks} migrations)")))
    }
}
