//! A person's own account: who they are, their password, their e-mail, their sessions. What concerns the person is the
//! platform's: one transaction, which also asks for the job that ends sessions. What concerns sessions is each tenant's: one
//! transaction each, with its line in the record, at once; the job does it again should the process end in between.

mod agent;
pub mod doors;
pub mod email;
pub mod pages;
pub mod password;
pub mod profile;
pub mod routes;
pub mod sessions;
pub(super) mod store;
pub mod types;

pub use agent::agent_name;
pub(super) use store::prune_links;

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::store::Which;
use crate::app::App;
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::audit::{self, Actor, Entry};
use crate::domain::sso;
use crate::http::context::Context;
use crate::http::{ApiError, ApiResult};
use crate::jobs::{self, Handler, Job, JobError, Work};

const END: &str = "account.end_sessions";

/// Who does the jobs of accounts.
pub fn handlers() -> Vec<Handler> {
    vec![Handler::new(END, end_again), Handler::new(password::FORGOT, password::answer_forgot)]
}

/// Why sessions end wherever the person belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Why {
    /// The password is another one.
    #[default]
    Password,
    /// A second factor is gone.
    FactorGone,
    /// There is a second factor now: those go that were begun without.
    FirstFactor,
}

/// Sessions to be ended wherever the person belongs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Ending {
    person: PersonId,
    #[serde(default)]
    why: Why,
    /// The one that stays.
    but: Option<Uuid>,
    /// Those that began later stay: somebody signed in with what is good now.
    before: Timestamp,
    /// Whether the person begins anew: links to providers go too, also where they belonged once.
    #[serde(default)]
    anew: bool,
}

impl Ending {
    /// After a password became another one; `anew`: the first.
    const fn of_password(person: PersonId, but: Option<Uuid>, before: Timestamp, anew: bool) -> Self {
        Self { person, why: Why::Password, but, before, anew }
    }

    /// After a second factor was taken away.
    pub const fn of_factor_gone(person: PersonId, but: Option<Uuid>, before: Timestamp) -> Self {
        Self { person, why: Why::FactorGone, but, before, anew: false }
    }

    /// After the first second factor was confirmed: sessions that were proved by none end.
    pub const fn of_first_factor(person: PersonId, but: Option<Uuid>, before: Timestamp) -> Self {
        Self { person, why: Why::FirstFactor, but, before, anew: false }
    }

    /// Asks for the job, in the transaction of the change.
    ///
    /// # Errors
    /// Whatever the statement met.
    pub async fn ask(&self, tx: &mut SystemTx) -> ApiResult<()> {
        let job = self.job(self.before).map_err(ApiError::internal)?;
        jobs::enqueue_platform(tx, job).await?;
        Ok(())
    }

    /// The job that sees to it whatever happens.
    fn job(&self, now: Timestamp) -> Result<Job, serde_json::Error> {
        Ok(Job::new(END, serde_json::to_value(self)?, now))
    }

    /// Ends them, tenant by tenant. Each tenant that is concerned has a line in its record; `always` also without a session
    /// that ended.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn carry_out(&self, app: &App, actor: Actor, action: &'static str, always: bool) -> Result<(), DbError> {
        let tenants = {
            let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
            store::tenants_of(&mut tx, self.person, self.anew).await?
        };
        for tenant in tenants {
            let mut tx = TenantTx::begin(&app.db, TenantId::from_uuid(tenant)).await?;
            if self.anew {
                sso::service::begin_anew(&mut tx, self.person, self.before).await?;
            }
            let which = self.but.map_or(Which::All, Which::Others);
            let ended = match self.why {
                Why::Password => store::end(&mut tx, self.person, which, "password_changed", self.before).await?,
                Why::FactorGone => store::end(&mut tx, self.person, which, "factor_changed", self.before).await?,
                Why::FirstFactor => store::end_unproved(&mut tx, self.person, self.but, self.before).await?,
            };
            if always || ended > 0 {
                let entry =
                    Entry::new(action, "person", self.person).diff(serde_json::json!({ "sessions_ended": ended }));
                audit::service::record(&mut tx, actor, &entry, app.clock.now()).await?;
            }
            tx.save().await?;
        }
        Ok(())
    }
}

async fn end_again(app: App, work: Work) -> Result<(), JobError> {
    let ending: Ending = serde_json::from_value(work.payload).map_err(|error| JobError::Never(error.to_string()))?;
    Ok(ending.carry_out(&app, Actor::JOB, "account.sessions_ended", false).await?)
}

/// The name of somebody who was just made.
pub(super) async fn name_newcomer(tx: &mut SystemTx, person: PersonId, name: Option<&str>) -> Result<(), DbError> {
    store::rename(tx, person, name).await.map(drop)
}

/// A line in the record of every tenant that a person belongs to, about what they did at an open door.
pub(super) async fn note_everywhere(
    app: &App,
    person: PersonId,
    context: &Context,
    action: &'static str,
) -> ApiResult<()> {
    let tenants = {
        let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
        store::tenants_of(&mut tx, person, false).await?
    };
    for tenant in tenants {
        let mut tx = TenantTx::begin(&app.db, TenantId::from_uuid(tenant)).await?;
        let actor = Actor::door(Some(person), context.id());
        audit::service::record(&mut tx, actor, &Entry::new(action, "person", person), app.clock.now()).await?;
        tx.save().await?;
    }
    Ok(())
}
