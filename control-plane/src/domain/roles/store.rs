//! The SQL of roles.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::types::{Assignment, At, Role};
use crate::clock::utc;
use crate::db::{DbError, TenantTx};

pub(super) async fn insert(
    tx: &mut TenantTx,
    id: Uuid,
    new: &Assignment,
    by: Option<PersonId>,
    now: Timestamp,
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let (built_in, role) = match new.role {
        Role::BuiltIn(role) => (Some(role.name()), None),
        Role::Own(id) => (None, Some(id)),
    };
    let (reach, region, shop) = match new.at {
        At::Tenant => ("tenant", None, None),
        At::Region(region) => ("region", Some(region), None),
        At::Shop(shop) => ("shop", None, Some(shop)),
    };
    sqlx::query(
        "INSERT INTO app.assignments
             (tenant_id, assignment_id, person_id, built_in, role_id, reach, at_region, at_shop, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(tenant)
    .bind(id)
    .bind(new.person.as_uuid())
    .bind(built_in)
    .bind(role)
    .bind(reach)
    .bind(region)
    .bind(shop.map(|shop| shop.as_uuid()))
    .bind(utc(now))
    .bind(by.map(|person| person.as_uuid()))
    .execute(tx.conn())
    .await?;
    Ok(())
}
