//! A transaction without a tenant, under the role tw_platform: sign-in, workers, operators. Each one has a named
//! reason, which is recorded in the database even if the transaction itself is rolled back.

use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::{Db, DbError};

/// Why somebody reaches beyond one tenant. Adding a reason is a decision; using one leaves a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemReason {
    /// A person signs in: who they are and where they belong.
    SignIn,
    /// A person's own second factor: looked at, added, taken away.
    SecondFactor,
    /// A person's own account: name, password, e-mail; who the members of a tenant are.
    Account,
    /// Somebody registers a company, or answers the mail that proves their address.
    Register,
    /// An operator of the platform looks at tenants, registrations, modules, jobs.
    Operators,
    /// A tenant is made with its first owner.
    CreateTenant,
    /// A claim code or certificate is matched to its tenant.
    Enrolment,
    /// The keys of head office itself: access tokens, device CA.
    Keys,
    /// Regular upkeep: expired rows, lists of tenants for jobs.
    Housekeeping,
    /// The worker asks which tenants have jobs, and does those of nobody.
    Jobs,
}

impl SystemReason {
    /// The name that is recorded.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SecondFactor => "second_factor",
            Self::Account => "account",
            Self::Register => "register",
            Self::Operators => "operators",
            Self::CreateTenant => "create_tenant",
            Self::Enrolment => "enrolment",
            Self::Keys => "keys",
            Self::Housekeeping => "housekeeping",
            Self::Jobs => "jobs",
        }
    }
}

/// A transaction of the platform.
#[derive(Debug)]
pub struct SystemTx {
    tx: Transaction<'static, Postgres>,
}

const RECORD: &str = "INSERT INTO platform.system_access (reason) VALUES ($1)";

impl SystemTx {
    /// Records the reason, then begins.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection is to be had in time; without the record there is no
    /// transaction.
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    pub async fn begin(db: &Db, reason: SystemReason) -> Result<Self, DbError> {
        let platform = db.platform();
        sqlx::query(RECORD).bind(reason.name()).execute(platform).await?;
        metrics::counter!("tillway_system_access_total", "reason" => reason.name()).increment(1);
        tracing::debug!(reason = reason.name(), "system access");
        Ok(Self { tx: platform.begin().await? })
    }

    /// The next round of a worker that recorded its reason when it began: the same line twice a second would bury all
    /// others.
    ///
    /// # Errors
    /// As [`SystemTx::begin`].
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    pub(crate) async fn round(db: &Db, reason: SystemReason) -> Result<Self, DbError> {
        metrics::counter!("tillway_system_access_total", "reason" => reason.name()).increment(1);
        Ok(Self { tx: db.platform().begin().await? })
    }

    /// The connection, for the statements of a `store`.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Commits; dropping rolls back.
    ///
    /// # Errors
    /// Whatever the commit met.
    pub async fn save(self) -> Result<(), DbError> {
        Ok(self.tx.commit().await?)
    }
}

/// Answers whether PostgreSQL answers.
pub(super) async fn ping(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.ping().await
}
