//! Telling people: by mail that is kept, in the app, and by a real mail server that is not ours.

mod app;
mod smtp;

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;

use super::letters;
use super::service;
use super::types::{Notice, Template, To};
use crate::app::App;
use crate::clock::Clock;
use crate::db::testing::TestDb;
use crate::db::{SystemReason, SystemTx, TenantTx};
use crate::domain::tenants;
use crate::jobs;

const START: Timestamp = Timestamp(1_790_000_000_000);
const LINK: &str = "http://127.0.0.1:8080/invitations/a-secret-of-the-link";

async fn ground() -> (TestDb, App, TenantId, PersonId) {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(START)).await;
    let (tenant, owner) = owner(&app, "bakers").await;
    (test, app, tenant, owner)
}

async fn owner(app: &App, name: &str) -> (TenantId, PersonId) {
    let made = tenants::service::create(app, name, &format!("owner@{name}.example"), "a quiet horse battery").await;
    made.map(|made| (made.tenant, made.owner)).unwrap()
}

fn invitation() -> Template {
    Template::Invitation {
        tenant: "Bakers & <b>Sons</b>".to_owned(),
        invited_by: "Olga\r\nBcc: eve@example.com".to_owned(),
        role: "manager".to_owned(),
        link: LINK.to_owned(),
        good_for_minutes: 3 * 1_440,
    }
}

async fn mail(app: &App, tenant: TenantId, to: &To, template: &Template) {
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    service::mail(app, &mut tx, to, template).await.unwrap();
    tx.save().await.unwrap();
}

async fn tell(app: &App, tenant: TenantId, person: PersonId, notice: &Notice) {
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    service::tell(&mut tx, person, notice, app.clock.now()).await.unwrap();
    tx.save().await.unwrap();
}

#[tokio::test]
async fn a_mail_goes_when_its_transaction_is_saved_and_only_then() {
    let (_test, app, tenant, _) = ground().await;
    let to = To::address("ann@example.com");
    let mut undone = TenantTx::begin(&app.db, tenant).await.unwrap();
    service::mail(&app, &mut undone, &to, &invitation()).await.unwrap();
    drop(undone);
    mail(&app, tenant, &to, &invitation()).await;
    assert_eq!(app.outbox.captured(), [], "nothing goes from within a request");
    jobs::drain(&app).await.unwrap();
    let sent = app.outbox.captured();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].to.as_str(), sent[0].text.matches(LINK).count()), ("ann@example.com", 1));
    assert_eq!(sent[0].subject, "Olga Bcc: eve@example.com invites you to Bakers & <b>Sons</b>", "one line");
    assert!(
        sent[0].html.contains("Bakers &#38; &#60;b&#62;Sons") && !sent[0].html.contains("<b>Sons"),
        "{}",
        sent[0].html
    );
    assert!(sent[0].text.contains("The link is good for 3 days and works once."), "{}", sent[0].text);
}

#[tokio::test]
async fn a_mail_of_no_tenant_goes_too() {
    let (_test, app, ..) = ground().await;
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await.unwrap();
    let template = Template::ConfirmEmail { link: LINK.to_owned(), good_for_minutes: 60 };
    service::mail_platform(&app, &mut tx, &To::address("new@example.com"), &template).await.unwrap();
    tx.save().await.unwrap();
    jobs::drain(&app).await.unwrap();
    let sent = app.outbox.captured();
    assert_eq!((sent.len(), sent[0].to.as_str()), (1, "new@example.com"));
}

#[tokio::test]
async fn a_link_that_waits_in_the_database_is_sealed() {
    let (test, app, tenant, _) = ground().await;
    mail(&app, tenant, &To::address("ann@example.com"), &invitation()).await;
    let mut admin = test.superuser().await;
    let row: String = sqlx::query_scalar("SELECT j::text FROM app.jobs j").fetch_one(&mut admin).await.unwrap();
    for secret in ["a-secret-of-the-link", "ann@example.com", "Olga"] {
        assert!(!row.contains(secret), "{secret} stands in {row}");
    }
    // Another mail's seal does not fit this one.
    mail(&app, tenant, &To::address("bob@example.com"), &invitation()).await;
    let swap = "UPDATE app.jobs a SET payload = b.payload FROM app.jobs b WHERE a.job_id <> b.job_id";
    sqlx::query(swap).execute(&mut admin).await.unwrap();
    jobs::drain(&app).await.unwrap();
    assert_eq!(app.outbox.captured(), []);
}

#[tokio::test]
async fn a_person_is_written_to_at_the_address_they_have_then() {
    let (test, app, tenant, olga) = ground().await;
    let template = Template::PasswordChanged { address: "192.0.2.7".to_owned(), link: LINK.to_owned() };
    mail(&app, tenant, &To::person(olga), &template).await;
    let mut admin = test.superuser().await;
    sqlx::query("UPDATE platform.people SET email = 'olga@new.example'").execute(&mut admin).await.unwrap();
    jobs::drain(&app).await.unwrap();
    assert_eq!(app.outbox.captured()[0].to, "olga@new.example");
}

#[test]
fn every_mail_says_what_it_is_about_in_both_shapes() {
    let (tenant, reason, link) = ("Bakers".to_owned(), "because".to_owned(), LINK.to_owned());
    let (by, operator) = ("Olga".to_owned(), "Oscar".to_owned());
    let all = [
        Template::ConfirmEmail { link: link.clone(), good_for_minutes: 1 },
        invitation(),
        Template::PasswordReset { link: link.clone(), good_for_minutes: 30 },
        Template::PasswordChanged { address: "192.0.2.7".to_owned(), link: link.clone() },
        Template::SignInMethod { what: "A passkey".to_owned(), address: "192.0.2.7".to_owned(), link: link.clone() },
        Template::TenantApproved { tenant: tenant.clone(), link: link.clone() },
        Template::TenantRefused { tenant: tenant.clone(), reason: reason.clone() },
        Template::TenantSuspended { tenant: tenant.clone(), reason: reason.clone() },
        Template::TenantResumed { tenant: tenant.clone(), link: link.clone() },
        Template::ImpersonationAsked { tenant: tenant.clone(), operator, reason, minutes: 30, link: link.clone() },
        Template::MfaReset { tenant: tenant.clone(), by, link: link.clone() },
        Template::Notice { tenant, title: "A title".to_owned(), body: "A body.".to_owned(), link },
    ];
    let mut subjects = std::collections::BTreeSet::new();
    for template in &all {
        let mail = letters::render(template, "https://hq.example").unwrap();
        assert!(mail.subject.len() > 8 && !mail.subject.contains(['\r', '\n']), "{}", mail.subject);
        for shape in [&mail.text, &mail.html] {
            assert!(shape.len() > 60 && shape.contains("https://hq.example") && !shape.contains("{{"), "{shape}");
        }
        let says_no_link = matches!(template, Template::TenantRefused { .. } | Template::TenantSuspended { .. });
        assert_eq!(mail.text.contains(LINK), !says_no_link, "{}", mail.text);
        assert!(!letters::about(template).is_empty());
        subjects.insert(mail.subject);
    }
    assert_eq!(subjects.len(), all.len(), "each has a subject of its own");
}
