//! Compiled policies, kept per principal under the tenant's policy version. The version comes with every look at a session, so
//! an old policy is never asked: a revocation acts with its commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::id::{PersonId, TenantId};
use uuid::Uuid;

use super::{Grant, Permissions, Policy, Reach, RoleRef, Source, load_sources};
use crate::db::{Db, DbError, TenantTx};

/// Policies kept; beyond it all are forgotten and compiled anew, which costs a statement each.
const KEPT: usize = 20_000;

/// Whose policy it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A member of the tenant.
    Person(PersonId),
    /// An operator who was let in, perhaps to change things.
    Guest {
        /// Whether they may write.
        writes: bool,
    },
    /// A key of a program, with what was given to it; never more than its maker has.
    Key {
        /// The key.
        key: Uuid,
        /// Who made it.
        maker: PersonId,
    },
}

type Kept = HashMap<(TenantId, Principal), Arc<Policy>>;

/// The policies of this process.
#[derive(Debug, Default)]
pub struct Policies {
    kept: Mutex<Kept>,
    #[cfg(debug_assertions)]
    weakened: Mutex<Option<super::Permission>>,
}

impl Policies {
    /// The policy of a principal at a version, compiled if need be.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn of(&self, db: &Db, tenant: TenantId, who: Principal, version: i64) -> Result<Arc<Policy>, DbError> {
        let known = self.kept().get(&(tenant, who)).map(Arc::clone);
        if let Some(known) = known.filter(|known| known.version() == version) {
            return Ok(known);
        }
        let mut tx = TenantTx::begin(db, tenant).await?;
        let source = source(&mut tx, who).await?;
        drop(tx);
        metrics::counter!("tillway_policies_compiled_total").increment(1);
        let policy = Arc::new(self.finished(Policy::compile(tenant, source)));
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert((tenant, who), Arc::clone(&policy));
        Ok(policy)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(not(debug_assertions))]
    #[allow(clippy::unused_self, reason = "the debug build looks at itself")]
    fn finished(&self, policy: Policy) -> Policy {
        policy
    }

    #[cfg(debug_assertions)]
    fn finished(&self, policy: Policy) -> Policy {
        let weakened = *self.weakened.lock().unwrap_or_else(PoisonError::into_inner);
        weakened.map_or(policy.clone(), |permission| policy.weakened(permission))
    }

    /// From now on everybody has this permission, as if its check were missing: so that a test can show that the suite would
    /// notice. No release build has it.
    #[cfg(debug_assertions)]
    pub fn weaken(&self, permission: Option<super::Permission>) {
        *self.weakened.lock().unwrap_or_else(PoisonError::into_inner) = permission;
        self.kept().clear();
    }
}

async fn source(tx: &mut TenantTx, who: Principal) -> Result<Source, DbError> {
    match who {
        Principal::Person(person) => load_sources(tx, person).await,
        Principal::Guest { writes } => {
            let mut source = load_sources(tx, PersonId::from_uuid(Uuid::nil())).await?;
            let all = Permissions::everything_of_a_tenant();
            // Even a guest who may write has no power over others: what is sensitive wants a member.
            let bits = if writes { all.without(super::sensitive()) } else { Permissions::to_look_at() };
            source.grants = vec![Grant { role: RoleRef::Guest, bits, reach: Reach::Tenant, wants_mfa: false }];
            Ok(source)
        }
        Principal::Key { key, maker } => {
            let mut source = load_sources(tx, maker).await?;
            let maker = Policy::compile(tx.tenant(), source.clone());
            let given = crate::auth::keys::given(tx, key).await?;
            source.grants = given.into_iter().filter_map(|grant| narrowed(&maker, grant)).collect();
            Ok(source)
        }
    }
}

/// What of a grant to a key its maker still has.
fn narrowed(maker: &Policy, mut grant: Grant) -> Option<Grant> {
    grant.bits = grant.bits.without(super::sensitive()).without(maker.beyond(grant.bits, &grant.reach));
    (!grant.bits.is_empty()).then_some(grant)
}
