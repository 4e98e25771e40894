//! A transaction of one tenant: the tenant is set in the same round trip that begins it, and row-level security
//! does the rest. Dropping it rolls back; only [`TenantTx::save`] keeps what was done.

use std::fmt::Write as _;

use protocol::id::{ShopId, TenantId};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction};

use super::{Db, DbError};

/// What of a tenant a transaction may see and do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds<'b> {
    /// Only these shops, and what is no shop's; none: all there are.
    pub shops: Option<&'b [ShopId]>,
    /// Whether PostgreSQL refuses every write.
    pub read_only: bool,
}

/// A transaction in which only one tenant's rows exist.
#[derive(Debug)]
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    tenant: TenantId,
}

impl TenantTx {
    /// Begins a transaction of `tenant`.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection is to be had in time.
    pub async fn begin(db: &Db, tenant: TenantId) -> Result<Self, DbError> {
        Self::begin_within(db, tenant, &Bounds::default()).await
    }

    /// Begins a transaction of `tenant` that sees no more than `bounds`: row-level security by shop does that part.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection is to be had in time.
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    pub async fn begin_within(db: &Db, tenant: TenantId, bounds: &Bounds<'_>) -> Result<Self, DbError> {
        // One round trip. A UUID prints as hex and hyphens only, so nothing can be injected.
        let read_only = if bounds.read_only { " READ ONLY" } else { "" };
        let mut begin = format!("BEGIN{read_only}; SET LOCAL app.tenant_id = '{tenant}'");
        if let Some(shops) = bounds.shops {
            begin.push_str("; SET LOCAL app.shop_ids = '{");
            for (at, shop) in shops.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                // Writing to a String cannot fail.
                let written = write!(begin, "{comma}{shop}");
                debug_assert!(written.is_ok());
            }
            begin.push_str("}'");
        }
        let tx = db.app().begin_with(AssertSqlSafe(begin)).await?;
        Ok(Self { tx, tenant })
    }

    /// The connection, for the statements of a `store`.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Whose transaction it is.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Commits. An error means that it is unknown whether the commit happened only when it is
    /// [`DbError::Unavailable`]; otherwise nothing was kept.
    ///
    /// # Errors
    /// Whatever the commit met.
    pub async fn save(self) -> Result<(), DbError> {
        Ok(self.tx.commit().await?)
    }
}
