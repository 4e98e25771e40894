//! A mail server that is not ours (aiosmtpd, installed by `.ci/foreign`): what it takes, puts off and refuses, and what
//! becomes of the job each time. Time is moved by hand.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use serde_json::Value;

use super::{LINK, ground, invitation, mail};
use crate::app::App;
use crate::db::{SystemReason, SystemTx, TenantTx};
use crate::domain::notifications::service;
use crate::domain::notifications::types::To;
use crate::jobs::{self, State};
use crate::mail::{MailConfig, Outbox};

const HOUR: i64 = 3_600 * 1_000;

/// The server; ends with the value.
struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let python = root.join("target/foreign/venv/bin/python");
        assert!(python.exists(), "run .ci/foreign once: it installs the mail server of this test");
        let mut child = Command::new(python)
            .arg(root.join("tests/foreign/smtp_server.py"))
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let port = serde_json::from_str::<Value>(&first).unwrap()["port"].as_u64().unwrap();
        Self { child, lines, port: u16::try_from(port).unwrap() }
    }

    /// The next mail that it took.
    fn taken(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Ends it. Answers what it took and nobody asked for.
    fn end(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
        std::mem::replace(&mut self.lines, BufReader::new(empty())).lines().map(Result::unwrap).collect()
    }
}

/// The output of a program that says nothing.
fn empty() -> ChildStdout {
    let mut child = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    child.wait().unwrap();
    child.stdout.take().unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let killed = self.child.kill();
        drop(killed);
        let ended = self.child.wait();
        drop(ended);
    }
}

/// A certificate for localhost with its key, as files.
fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

/// The same head office, sending to a server.
fn sending(app: &App, config: MailConfig) -> App {
    let config = MailConfig { from: Some("Tillway <hq@tillway.example>".to_owned()), ..config };
    App { outbox: Arc::new(Outbox::open(&config, Path::new("/nowhere")).unwrap()), ..app.clone() }
}

fn plain(app: &App, port: u16) -> App {
    sending(app, MailConfig { smtp_url: Some(format!("smtp://127.0.0.1:{port}")), ..MailConfig::default() })
}

async fn only_job(app: &App) -> jobs::service::Seen {
    let mut tx = SystemTx::begin(&app.db, SystemReason::Jobs).await.unwrap();
    let filter = jobs::service::Filter { kind: Some("mail_send".to_owned()), limit: 10, ..Default::default() };
    let (mut jobs, _) = jobs::service::list(&mut tx, &filter).await.unwrap();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

#[tokio::test]
async fn a_mail_goes_encrypted_to_a_server_that_knows_us() {
    let (_test, app, tenant, _) = ground().await;
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path(), "right");
    let (other, _) = certificate(folder.path(), "other");
    let files = [cert.to_str().unwrap(), key.to_str().unwrap()];
    let mut server =
        Server::start(&["--cert", files[0], "--key", files[1], "--user", "hq@tillway", "--password", "päss"]);
    let (right, wrong) = (folder.path().join("password"), folder.path().join("wrong"));
    std::fs::write(&right, "päss\n").unwrap();
    std::fs::write(&wrong, "guess\n").unwrap();
    let with = |ca: &Path, password: &Path| {
        let smtp_url = Some(format!("smtp://hq%40tillway@localhost:{}", server.port));
        let (ca_file, password_file) = (Some(ca.to_owned()), Some(password.to_owned()));
        sending(&app, MailConfig { smtp_url, ca_file, password_file, from: None })
    };
    let (stranger, unknown, known) = (with(&other, &right), with(&cert, &wrong), with(&cert, &right));
    mail(&app, tenant, &To::address("ann@example.com"), &invitation()).await;

    // A server that cannot show the certificate gets nothing; one that does not know us is asked again: both are for
    // somebody to put right, not the mail's fault.
    for (who, said) in [(&stranger, "certificate"), (&unknown, "535")] {
        jobs::drain(who).await.unwrap();
        let job = only_job(&app).await;
        assert_eq!(job.state, State::Waiting);
        assert!(job.error.as_deref().unwrap().to_lowercase().contains(said), "{:?}", job.error);
        app.clock.advance_millis(HOUR);
    }
    jobs::drain(&known).await.unwrap();
    let job = only_job(&app).await;
    assert_eq!((job.state, job.attempts, job.error), (State::Done, 3, None));
    let taken = server.taken();
    assert_eq!(
        (&taken["tls"], &taken["user"], &taken["from"]),
        (&true.into(), &"hq@tillway".into(), &"hq@tillway.example".into())
    );
    assert_eq!(taken["to"], serde_json::json!(["ann@example.com"]));
    let data = taken["data"].as_str().unwrap();
    assert!(data.contains(&format!("Message-ID: <{}@tillway.example>", job.id)), "{data}");
    assert!(data.contains("multipart/alternative") && data.contains(LINK.rsplit('/').next().unwrap()), "{data}");
    assert_eq!(server.end(), [""; 0], "once");
}

#[tokio::test]
async fn a_server_that_wants_to_see_us_again_does() {
    let (_test, app, tenant, _) = ground().await;
    let mut server = Server::start(&[]);
    let app = plain(&app, server.port);
    mail(&app, tenant, &To::address("grey-2@example.com"), &invitation()).await;
    for attempt in 1..=2 {
        assert_eq!(jobs::drain(&app).await.unwrap(), 1);
        let job = only_job(&app).await;
        assert_eq!((job.state, job.attempts), (State::Waiting, attempt));
        assert!(job.error.as_deref().unwrap().contains("greylisted"), "{:?}", job.error);
        assert_eq!(jobs::drain(&app).await.unwrap(), 0, "not before a while");
        app.clock.advance_millis(HOUR);
    }
    jobs::drain(&app).await.unwrap();
    assert_eq!(only_job(&app).await.state, State::Done);
    assert_eq!(server.taken()["to"][0], "grey-2@example.com");
    assert_eq!(server.end(), [""; 0], "once");
}

#[tokio::test]
async fn what_a_server_will_never_take_is_dead_and_told_to_who_asked_for_it() {
    let (_test, app, tenant, olga) = ground().await;
    let server = Server::start(&[]);
    let app = plain(&app, server.port);
    mail(&app, tenant, &To::address("unknown@example.com").or_tell(olga), &invitation()).await;
    assert_eq!(jobs::drain(&app).await.unwrap(), 1);
    let job = only_job(&app).await;
    assert_eq!((job.state, job.attempts), (State::Dead, 1));
    assert!(job.error.as_deref().unwrap().contains("no such mailbox here"), "{:?}", job.error);
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    let told = service::list(&mut tx, olga, None, 10).await.unwrap().notices;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].title, "A mail to unknown@example.com could not be delivered");
    assert!(told[0].body.starts_with("It was an invitation to join your company. The mail server said:"), "{told:?}");
    assert!(!told[0].body.contains(LINK), "{told:?}");

    // Refused after the whole mail was read: the same.
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    jobs::enqueue(
        &mut tx,
        crate::domain::notifications::jobs::letter(&app, &To::address("late@example.com"), &invitation()),
    )
    .await
    .unwrap();
    tx.save().await.unwrap();
    jobs::drain(&app).await.unwrap();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Jobs).await.unwrap();
    let dead = jobs::service::Filter { state: Some(State::Dead), limit: 10, ..Default::default() };
    let dead = jobs::service::list(&mut tx, &dead).await.unwrap().0;
    assert!(
        dead.len() == 2 && dead.iter().any(|dead| dead.error.as_deref().unwrap().contains("do not want")),
        "{dead:?}"
    );
    assert_eq!(server.end(), [""; 0], "nothing was taken");
}

#[tokio::test]
async fn a_server_that_is_gone_is_waited_for() {
    let (_test, app, tenant, olga) = ground().await;
    let server = Server::start(&[]);
    let port = server.port;
    let app = plain(&app, port);
    mail(&app, tenant, &To::address("first@example.com"), &invitation()).await;
    jobs::drain(&app).await.unwrap();
    assert_eq!(only_job(&app).await.state, State::Done);
    // Gone, with our connection to it still in the pool.
    assert_eq!(server.end().len(), 1);
    mail(&app, tenant, &To::address("ann@example.com").or_tell(olga), &invitation()).await;
    for _ in 0..3 {
        assert_eq!(jobs::drain(&app).await.unwrap(), 1);
        app.clock.advance_millis(HOUR);
    }
    let mut server = Server::start(&["--port", &port.to_string()]);
    assert_eq!(jobs::drain(&app).await.unwrap(), 1);
    assert_eq!(server.taken()["to"][0], "ann@example.com");
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    assert_eq!(service::unread(&mut tx, olga).await.unwrap(), 0, "nobody is told of a delay");
}

#[tokio::test]
async fn a_mail_that_was_tried_for_a_day_is_given_up_and_told() {
    let (_test, app, tenant, olga) = ground().await;
    // Nobody listens on the port of a server that has ended.
    let server = Server::start(&[]);
    let app = plain(&app, server.port);
    server.end();
    mail(&app, tenant, &To::person(olga), &invitation()).await;
    let (began, mut tries) = (app.clock.now(), 0);
    while only_job(&app).await.state == State::Waiting {
        tries += jobs::drain(&app).await.unwrap();
        app.clock.advance_millis(HOUR / 6);
    }
    let hours = app.clock.now().millis_since(began) / HOUR;
    assert_eq!(tries, 16);
    assert!((20..=40).contains(&hours), "{hours} hours");
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    let told = service::list(&mut tx, olga, None, 10).await.unwrap().notices;
    assert_eq!((told.len(), told[0].title.as_str()), (1, "A mail to your address could not be delivered"));
}
