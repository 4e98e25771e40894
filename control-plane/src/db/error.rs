//! What can go wrong on the way to PostgreSQL, sorted by what the caller can do about it. Keeps the source.

use sqlx::error::{DatabaseError, ErrorKind};

/// An error of the database, by what it means to the caller.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A row that had to be there is not (`fetch_one` found none).
    #[error("no such row")]
    NotFound,
    /// A unique key is taken; the constraint is named.
    #[error("the key {constraint} is taken")]
    Taken {
        /// The constraint's name.
        constraint: String,
    },
    /// A foreign key or a check refused the row; the constraint is named.
    #[error("the rule {constraint} refused the row")]
    Refused {
        /// The constraint's name.
        constraint: String,
        /// What PostgreSQL said.
        #[source]
        source: sqlx::Error,
    },
    /// The statement lost against another one (deadlock, serialisation, lock or statement time-out). Try again.
    #[error("the database was too busy for the statement")]
    Busy(#[source] sqlx::Error),
    /// PostgreSQL cannot be reached, is starting or stopping, or has no free connection. Try again shortly.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),
    /// Anything else: a fault in our SQL or in the schema.
    #[error("the database refused the statement")]
    Other(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the migration failed")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database is not fit to serve; each line says what is wrong and what to do.
    #[error("the database is not fit to serve: {0}")]
    Unfit(String),
}

impl DbError {
    /// Whether trying again in a moment may help.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable(_))
    }

    /// Whether the database refused what was to be written (a number out of range, a rule of a table), and would
    /// refuse the same again. A full disk or a fault in our SQL is not that.
    pub fn is_about_data(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Taken { .. } => true,
            Self::Other(source) => {
                let code = source.as_database_error().and_then(DatabaseError::code);
                code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
            }
            Self::NotFound | Self::Busy(_) | Self::Unavailable(_) | Self::Migrate(_) | Self::Unfit(_) => false,
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::RowNotFound) {
            return Self::NotFound;
        }
        if is_connection(&error) {
            return Self::Unavailable(error);
        }
        let Some(database) = error.as_database_error() else {
            return Self::Other(error);
        };
        if let Some(advice) = wrong_address(database) {
            return Self::Unfit(format!("{}: {advice}", database.message()));
        }
        if let Some(found) = by_code(database) {
            return match found {
                Class::Busy => Self::Busy(error),
                Class::Unavailable => Self::Unavailable(error),
            };
        }
        let constraint = database.constraint().unwrap_or_default().to_owned();
        if matches!(database.kind(), ErrorKind::UniqueViolation) {
            return Self::Taken { constraint };
        }
        if matches!(database.kind(), ErrorKind::ForeignKeyViolation | ErrorKind::CheckViolation) {
            return Self::Refused { constraint, source: error };
        }
        Self::Other(error)
    }
}

enum Class {
    Busy,
    Unavailable,
}

fn is_connection(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
            | sqlx::Error::Protocol(_)
    )
}

/// By SQLSTATE: what only says "not now".
fn by_code(error: &dyn DatabaseError) -> Option<Class> {
    let code = error.code()?;
    match code.as_ref() {
        // serialization_failure, deadlock_detected, lock_not_available, query_canceled (time-out)
        "40001" | "40P01" | "55P03" | "57014" => Some(Class::Busy),
        // admin_shutdown, crash_shutdown, cannot_connect_now, idle session ended, idle in transaction ended,
        // read_only_sql_transaction (a standby before it takes over)
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006" => Some(Class::Unavailable),
        // connection exceptions; insufficient resources: connections, memory, a full disk
        other if other.starts_with("08") || other.starts_with("53") => Some(Class::Unavailable),
        _ => None,
    }
}

/// By SQLSTATE: the address leads to the wrong place, or comes too early.
fn wrong_address(error: &dyn DatabaseError) -> Option<&'static str> {
    match error.code()?.as_ref() {
        // invalid_authorization_specification, invalid_catalog_name
        "28000" | "3D000" => Some("check the address; `control-plane migrate --database-url` makes roles and schema"),
        "28P01" => Some("check the password in the address"),
        "42501" if error.message().contains("set role") => {
            Some("give the address of tw_owner, or the addresses of tw_app and tw_platform (--platform-url)")
        }
        _ => None,
    }
}
