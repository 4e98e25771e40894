//! What of isolation could go astray in production: the catalogue, as at start-up, and the rows themselves, tenant by tenant.
//! Only reads.

use protocol::id::PersonId;
use uuid::Uuid;

use super::{Db, DbError, TenantTx, catalogue};

/// What must not be there in a tenant, each with the statement that counts it.
const ASTRAY: &[(&str, &str)] = &[
    (
        "sessions that stand without a membership or a permission to look in",
        "SELECT count(*) FROM app.sessions s
         LEFT JOIN app.memberships m ON m.tenant_id = s.tenant_id AND m.person_id = s.person_id AND m.ended_at IS NULL
         LEFT JOIN app.impersonations i ON i.tenant_id = s.tenant_id AND i.impersonation_id = s.impersonation_id
         WHERE s.tenant_id = $1 AND s.ended_at IS NULL AND s.expires_at > now()
           AND CASE WHEN s.impersonation_id IS NULL THEN m.person_id ELSE i.operator END IS NULL",
    ),
    (
        "streams of events of a shop or node that is not the tenant's",
        "SELECT count(*) FROM app.event_cursors c WHERE c.tenant_id = $1 AND NOT EXISTS (
             SELECT FROM app.nodes n WHERE n.tenant_id = c.tenant_id AND n.node_id = c.node_id AND n.shop_id = c.shop_id)",
    ),
    (
        "days of a shop that is not the tenant's",
        "SELECT count(*) FROM app.sales_days d WHERE d.tenant_id = $1 AND NOT EXISTS (
             SELECT FROM app.shops s WHERE s.tenant_id = d.tenant_id AND s.shop_id = d.shop_id)",
    ),
    (
        "roles of somebody who was never a member",
        "SELECT count(*) FROM app.assignments a WHERE a.tenant_id = $1 AND NOT EXISTS (
             SELECT FROM app.memberships m WHERE m.tenant_id = a.tenant_id AND m.person_id = a.person_id)",
    ),
    (
        "rows without their tenant",
        "SELECT count(*) FROM (SELECT $1::uuid AS tenant_id) t
         WHERE NOT EXISTS (SELECT FROM app.tenants x WHERE x.tenant_id = t.tenant_id)",
    ),
];

impl Db {
    /// What breaks a rule of isolation in the catalogue.
    ///
    /// # Errors
    /// Whatever reading it met.
    #[allow(clippy::disallowed_methods, reason = "reads the catalogue, no tenant's rows")]
    pub async fn breaches(&self) -> Result<Vec<String>, DbError> {
        let mut connection = self.app().acquire().await?;
        Ok(catalogue::violations(&mut connection).await?.iter().map(ToString::to_string).collect())
    }
}

/// What of a tenant's rows is astray: in words, with how many.
///
/// # Errors
/// Whatever the statements met.
pub async fn astray(tx: &mut TenantTx) -> Result<Vec<(&'static str, i64)>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let mut found = Vec::new();
    for (what, sql) in ASTRAY {
        let rows: i64 = sqlx::query_scalar(*sql).bind(tenant).fetch_one(tx.conn()).await?;
        if rows > 0 {
            found.push((*what, rows));
        }
    }
    Ok(found)
}

/// Who belongs to the transaction's tenant: whom the operators' notice goes to.
///
/// # Errors
/// Whatever the statement met.
pub async fn members(tx: &mut TenantTx) -> Result<Vec<PersonId>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let members: Vec<Uuid> =
        sqlx::query_scalar("SELECT person_id FROM app.memberships WHERE tenant_id = $1 AND ended_at IS NULL")
            .bind(tenant)
            .fetch_all(tx.conn())
            .await?;
    Ok(members.into_iter().map(PersonId::from_uuid).collect())
}
