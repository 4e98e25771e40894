//! The jobs of notifications: a mail goes out; a notice is repeated by mail. A mail that will never arrive is told in
//! the app to whoever should know.

use std::time::Duration;

use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::types::{Kind, Notice, Template, To, Whom};
use super::{letters, service, store};
use crate::app::App;
use crate::db::TenantTx;
use crate::domain::{identity, tenants};
use crate::http::ApiError;
use crate::http::error::Code;
use crate::jobs::{Handler, Home, Job, JobError, Work};
use crate::mail::{MailError, Outgoing};
use crate::rng;

const SEND: &str = "mail_send";
const COPY: &str = "notice_mail";
const PURPOSE: &str = "mail";
/// With the waits below a server may be gone for a day and a half.
const ATTEMPTS: u16 = 16;
/// A server that wants to see us again (greylisting) says so for some minutes.
const FIRST_WAIT: Duration = Duration::from_secs(60);
const MOST_WAIT: Duration = Duration::from_secs(4 * 3_600);

/// Who does the jobs of this noun.
pub fn handlers() -> Vec<Handler> {
    vec![Handler::new(SEND, send).waits(FIRST_WAIT, MOST_WAIT), Handler::new(COPY, repeat).waits(FIRST_WAIT, MOST_WAIT)]
}

#[derive(Serialize, Deserialize)]
struct Letter {
    to: To,
    template: Template,
}

#[derive(Serialize, Deserialize)]
struct Copy {
    notice: Uuid,
}

/// The job that sends a mail. What is in it is sealed for this job: links are as good as passwords.
pub(super) fn letter(app: &App, to: &To, template: &Template) -> Job {
    let mut job = Job::new(SEND, Value::Null, app.clock.now()).attempts(ATTEMPTS);
    let letter = Letter { to: to.clone(), template: template.clone() };
    let plain = serde_json::to_vec(&letter).unwrap_or_default();
    job.payload = json!({ "sealed": rng::hex(&app.sealer.seal(PURPOSE, job.id.as_bytes(), &plain)) });
    job
}

/// The job that repeats a notice by mail.
pub(super) fn copy(notice: Uuid, now: Timestamp) -> Job {
    Job::new(COPY, json!({ "notice": notice }), now).attempts(ATTEMPTS)
}

fn open(app: &App, work: &Work) -> Option<Letter> {
    let sealed = work.payload.get("sealed")?.as_str()?;
    let pairs = sealed.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let sealed = pairs.collect::<Option<Vec<u8>>>()?;
    let plain = app.sealer.open(PURPOSE, work.job.as_bytes(), &sealed)?;
    serde_json::from_slice(&plain).ok()
}

async fn send(app: App, work: Work) -> Result<(), JobError> {
    let unreadable = || JobError::Again("sealed with keys that this head office does not have (--secrets-key)".into());
    let letter = open(&app, &work).ok_or_else(unreadable)?;
    let sent = deliver(&app, &work, &letter.to.whom, &letter.template).await;
    if let Err(why) = &sent
        && (work.is_last() || matches!(why, JobError::Never(_)))
    {
        undelivered(&app, &work, &letter, why).await?;
    }
    sent
}

/// Renders a mail and hands it over.
async fn deliver(app: &App, work: &Work, whom: &Whom, template: &Template) -> Result<(), JobError> {
    let to = match whom {
        Whom::Address(address) => address.clone(),
        Whom::Person(person) => identity::service::email(app, *person).await.map_err(of_api)?,
    };
    let letters::Rendered { subject, text, html } =
        letters::render(template, &app.public_url()).map_err(|error| JobError::Never(error.to_string()))?;
    let mail = Outgoing { id: work.job, to, subject, text, html };
    app.outbox.send(&mail, app.clock.now()).await.map_err(|error| match error {
        MailError::Later(why) => JobError::Again(why),
        MailError::Never(why) => JobError::Never(why),
    })
}

fn of_api(error: ApiError) -> JobError {
    if error.code == Code::NotFound { JobError::Never(error.message) } else { JobError::Again(error.message) }
}

/// The way back into the app: whoever should know hears that a mail will not arrive, and of which kind it was.
async fn undelivered(app: &App, work: &Work, letter: &Letter, why: &JobError) -> Result<(), JobError> {
    let (Home::Tenant(tenant), Some(person)) = (work.home, letter.to.told) else { return Ok(()) };
    let whom = match &letter.to.whom {
        Whom::Address(address) => address.as_str(),
        Whom::Person(_) => "your address",
    };
    let title = format!("A mail to {whom} could not be delivered");
    let body = format!("{}. The mail server said: {why}", letters::about(&letter.template));
    let notice = Notice::new(Kind::Delivery, title, body);
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    service::tell(&mut tx, person, &notice, app.clock.now()).await?;
    Ok(tx.save().await?)
}

/// Repeats a notice by mail, unless it was read in the meantime.
async fn repeat(app: App, work: Work) -> Result<(), JobError> {
    let copy: Copy = serde_json::from_value(work.payload.clone()).map_err(|e| JobError::Never(e.to_string()))?;
    let Home::Tenant(tenant) = work.home else { return Err(JobError::Never("a notice has a tenant".to_owned())) };
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    let (row, name) = (store::get(&mut tx, copy.notice).await?, tenants::service::name(&mut tx).await?);
    drop(tx);
    let Some(row) = row.filter(|row| row.read_at.is_none()) else { return Ok(()) };
    let base = app.public_url();
    let link = format!("{base}{}", row.href.as_deref().unwrap_or("/notifications"));
    let template = Template::Notice { tenant: name.unwrap_or_default(), title: row.title, body: row.body, link };
    let person = protocol::id::PersonId::from_uuid(row.person_id);
    deliver(&app, &work, &Whom::Person(person), &template).await
}
