//! Telling people: by mail, in the app, and in the app with a copy by mail for those who want it. All of it in the
//! transaction of what it is about: what is rolled back is never told.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::jobs;
use super::store::{self, NoticeRow};
use super::types::{Choice, Chosen, Kind, Notice, Template, To, Told};
use crate::app::App;
use crate::auth::guard::{Caller, Via};
use crate::db::{DbError, SystemTx, TenantTx};
use crate::http::{ApiError, ApiResult};
use crate::{jobs as work, rng};

/// Unread notices are counted up to this; the bell says "99+" then.
pub const UNREAD_MOST: i64 = 100;
const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;
/// What was read is kept for a quarter of a year.
const READ_MILLIS: i64 = 90 * DAY_MILLIS;
/// What was never read, for a year and a bit.
const UNREAD_MILLIS: i64 = 400 * DAY_MILLIS;

/// Sends a mail of the transaction's tenant, once the transaction is saved.
///
/// # Errors
/// Whatever the statement met.
pub async fn mail(app: &App, tx: &mut TenantTx, to: &To, template: &Template) -> Result<(), DbError> {
    work::enqueue(tx, jobs::letter(app, to, template)).await.map(drop)
}

/// Sends a mail that belongs to no tenant: to somebody who registers, or about a sign-in.
///
/// # Errors
/// Whatever the statement met.
pub async fn mail_platform(app: &App, tx: &mut SystemTx, to: &To, template: &Template) -> Result<(), DbError> {
    work::enqueue_platform(tx, jobs::letter(app, to, template)).await.map(drop)
}

/// Tells a member of the transaction's tenant in the app alone: where a mail of its own says it, too.
///
/// # Errors
/// [`DbError::Refused`] for somebody who was never a member, or whatever the statement met.
pub async fn tell_here(tx: &mut TenantTx, person: PersonId, notice: &Notice, now: Timestamp) -> Result<(), DbError> {
    store::insert(tx, rng::id(now), person, &cut(notice), now).await
}

/// Tells a member of the transaction's tenant in the app, and by mail if they want that kind by mail.
///
/// # Errors
/// [`DbError::Refused`] for somebody who was never a member, or whatever the statement met.
pub async fn tell(tx: &mut TenantTx, person: PersonId, notice: &Notice, now: Timestamp) -> Result<(), DbError> {
    let id = rng::id(now);
    store::insert(tx, id, person, &cut(notice), now).await?;
    if wants_mail(tx, person, notice.kind).await? {
        work::enqueue(tx, jobs::copy(id, now)).await?;
    }
    Ok(())
}

async fn wants_mail(tx: &mut TenantTx, person: PersonId, kind: Kind) -> Result<bool, DbError> {
    let chosen = choices(tx, person).await?;
    Ok(chosen.iter().any(|choice| choice.kind == kind && choice.by_mail))
}

/// Within the table's bounds: a notice about a long name must not undo what it tells of.
fn cut(notice: &Notice) -> Notice {
    let cut = |text: &str, chars: usize| text.chars().filter(|c| !c.is_control()).take(chars).collect::<String>();
    let title = cut(&notice.title, 100);
    let href = notice.href.clone().filter(|href| href.starts_with('/') && !href.starts_with("//") && href.len() <= 500);
    Notice {
        kind: notice.kind,
        title: if title.is_empty() { notice.kind.label().to_owned() } else { title },
        body: cut(&notice.body, 1_000),
        href,
    }
}

/// A page of a person's notices, newest first, and the cursor of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The notices.
    pub notices: Vec<Told>,
    /// The last one's id, if there are more.
    pub next: Option<Uuid>,
}

/// A person's notices, newest first, older than `before`.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(tx: &mut TenantTx, person: PersonId, before: Option<Uuid>, limit: u32) -> Result<Page, DbError> {
    let mut rows = store::list(tx, person, before, i64::from(limit) + 1).await?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().map(|last| last.notice_id).filter(|_| more);
    Ok(Page { notices: rows.into_iter().filter_map(told).collect(), next })
}

pub(super) fn told(row: NoticeRow) -> Option<Told> {
    let NoticeRow { notice_id, kind, title, body, href, made_at, read_at, .. } = row;
    // A kind of a newer head office is not shown by an older one.
    Some(Told { id: notice_id, kind: Kind::of(&kind)?, title, body, href, made_at, read_at })
}

/// How many are unread, at most [`UNREAD_MOST`].
///
/// # Errors
/// Whatever the statement met.
pub async fn unread(tx: &mut TenantTx, person: PersonId) -> Result<i64, DbError> {
    store::unread(tx, person, UNREAD_MOST).await
}

/// Notes that a person read one of theirs. Answers where it leads.
///
/// # Errors
/// NOT_FOUND, also for another person's.
pub async fn read(tx: &mut TenantTx, person: PersonId, notice: Uuid, now: Timestamp) -> ApiResult<Option<String>> {
    store::read(tx, person, notice, now).await?.ok_or_else(|| ApiError::not_found("notification"))
}

/// Notes that a person read all of theirs. Answers how many were unread.
///
/// # Errors
/// Whatever the statement met.
pub async fn read_all(tx: &mut TenantTx, person: PersonId, now: Timestamp) -> Result<u64, DbError> {
    store::read_all(tx, person, now).await
}

/// Refuses somebody who looks in as a guest: what they could choose here would be nobody's.
///
/// # Errors
/// AUTHZ.
pub fn own(caller: &Caller) -> ApiResult<()> {
    match caller.via {
        Via::Session | Via::Key => Ok(()),
        Via::Guest { .. } => Err(ApiError::authz("you look in as a guest: notifications are the members' own")
            .with(serde_json::json!({ "reason": "read_only" }))),
    }
}

/// For every kind whether it comes by mail too.
///
/// # Errors
/// Whatever the statement met.
pub async fn choices(tx: &mut TenantTx, person: PersonId) -> Result<Vec<Choice>, DbError> {
    let chosen = store::choices(tx, person).await?;
    let choice = |kind: Kind| {
        let said = chosen.iter().find(|(name, _)| name == kind.name()).map(|(_, by_mail)| *by_mail);
        let may_choose = kind.may_choose();
        let by_mail = said.filter(|_| may_choose).unwrap_or(kind.mailed_by_default());
        Choice { kind, by_mail, may_choose }
    };
    Ok(Kind::ALL.into_iter().map(choice).collect())
}

/// Keeps what a person chose.
///
/// # Errors
/// Whatever the statement met.
pub async fn choose(tx: &mut TenantTx, person: PersonId, chosen: Chosen) -> Result<Vec<Choice>, DbError> {
    for (kind, by_mail) in chosen.all() {
        store::choose(tx, person, kind, by_mail).await?;
    }
    choices(tx, person).await
}

/// Removes notices whose time is over.
///
/// # Errors
/// Whatever the statement met.
pub async fn prune(tx: &mut TenantTx, now: Timestamp) -> Result<u64, DbError> {
    store::prune(tx, now.plus_millis(-READ_MILLIS), now.plus_millis(-UNREAD_MILLIS)).await
}
