//! The private PostgreSQL: made, found again, crashed, left behind, refused.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{ConnectOptions, Connection, Executor};

use super::account::{Account, command};
use super::binaries::Binaries;
use super::*;
use crate::db::{Db, DbError, Limits};

/// A state directory that PostgreSQL's user can reach.
fn state() -> tempfile::TempDir {
    folder(0o755)
}

fn folder(mode: u32) -> tempfile::TempDir {
    let mode = std::fs::Permissions::from_mode(mode);
    tempfile::Builder::new().prefix("tw-state-").permissions(mode).tempdir().unwrap()
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn it_is_made_stopped_and_started_on_the_same_data() {
    let state = state();
    let first = Embedded::start(state.path()).await.unwrap();
    let pid = first.pid().unwrap();
    let record = Record::of_running(state.path()).unwrap().unwrap();
    assert_eq!(&record, first.record());
    let db = Db::open(&record.urls(), Limits::default());
    db.preflight().await.unwrap();
    let mut admin = record.superuser("tillway").connect().await.unwrap();
    admin.execute("CREATE TABLE public.kept AS SELECT 42 AS answer").await.unwrap();
    let listening: String = sqlx::query_scalar("SHOW listen_addresses").fetch_one(&mut admin).await.unwrap();
    assert_eq!(listening, "");
    admin.close().await.unwrap();
    db.close().await;
    // A second head office on the same state is told so.
    assert!(matches!(Embedded::start(state.path()).await, Err(EmbeddedError::Locked { .. })));
    first.stop().await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(Record::of_running(state.path()).unwrap(), None);
    let control = Binaries::find(&record.data).unwrap().path("pg_controldata");
    let said = std::process::Command::new(control).arg(&record.data).output().unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).contains("shut down\n"), "not a clean shutdown");

    let second = Embedded::start(state.path()).await.unwrap();
    let mut admin = second.record().superuser("tillway").connect().await.unwrap();
    let answer: i32 = sqlx::query_scalar("SELECT answer FROM public.kept").fetch_one(&mut admin).await.unwrap();
    assert_eq!(answer, 42);
    admin.close().await.unwrap();
    refuses_unsafe_roles(&second).await;
    second.stop().await;
}

/// Here, because roles belong to the cluster and this one is nobody else's.
async fn refuses_unsafe_roles(embedded: &Embedded) {
    let record = embedded.record();
    let db = Db::open(&record.urls(), Limits::default());
    let mut admin = record.superuser("tillway").connect().await.unwrap();
    let cases = [
        ("ALTER ROLE tw_app SUPERUSER", "ALTER ROLE tw_app NOSUPERUSER", "a superuser"),
        ("ALTER ROLE tw_app BYPASSRLS", "ALTER ROLE tw_app NOBYPASSRLS", "bypasses row-level security"),
        ("ALTER TABLE app.shops OWNER TO tw_app", "ALTER TABLE app.shops OWNER TO tw_owner", "owns tables"),
        ("ALTER TABLE app.shops NO FORCE ROW LEVEL SECURITY", "ALTER TABLE app.shops FORCE ROW LEVEL SECURITY", "rls"),
    ];
    for (plant, repair, said) in cases {
        admin.execute(plant).await.unwrap();
        let error = db.preflight().await.unwrap_err().to_string();
        assert!(error.contains(said), "{plant}: {error}");
        admin.execute(repair).await.unwrap();
    }
    // Giving the table to tw_app granted nothing that stayed.
    db.preflight().await.unwrap();
    db.close().await;
    admin.close().await.unwrap();
}

#[tokio::test]
async fn a_crash_is_survived_while_serving() {
    let state = state();
    let embedded = Embedded::start(state.path()).await.unwrap();
    let db = Db::open(&embedded.record().urls(), Limits::default());
    db.ping().await.unwrap();
    kill(embedded.pid().unwrap(), Signal::KILL);
    until("the restart", async || embedded.starts() == 2).await;
    until("an answer", async || match db.ping().await {
        Ok(()) => true,
        Err(DbError::Unavailable(_)) => false,
        Err(other) => panic!("not told apart from a fault of ours: {other:?}"),
    })
    .await;
    db.close().await;
    embedded.stop().await;
}

#[tokio::test]
async fn a_postmaster_that_was_left_running_is_stopped_and_a_stale_pid_file_is_no_obstacle() {
    let state = state();
    let embedded = Embedded::start(state.path()).await.unwrap();
    let record = embedded.record().clone();
    embedded.stop().await;

    // As after kill -9 of a head office whose PostgreSQL went on.
    let account = Account::to_drop_to();
    let mut orphan = command(&Binaries::find(&record.data).unwrap().path("postgres"), account.as_ref())
        .arg("-D")
        .arg(&record.data)
        .args(["-c", "listen_addresses=", "-c"])
        .arg(format!("unix_socket_directories={}", record.socket_dir.display()))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the orphan", async || record.superuser("tillway").connect().await.is_ok()).await;
    let embedded = Embedded::start(state.path()).await.unwrap();
    assert!(orphan.wait().unwrap().success(), "the orphan ended in order");
    embedded.stop().await;

    // As after a power cut, when the number has passed to a living stranger: this test.
    let pid_file = record.data.join("postmaster.pid");
    let stranger = format!("{}\n{}\n1\n5432\n\n\n0 0\nready\n", std::process::id(), record.data.display());
    std::fs::write(&pid_file, stranger).unwrap();
    let embedded = Embedded::start(state.path()).await.unwrap();
    embedded.stop().await;
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_one() {
    let top = state();
    let deep = top.path().join("x".repeat(60)).join("y".repeat(60));
    std::fs::create_dir_all(&deep).unwrap();
    let embedded = Embedded::start(&deep).await.unwrap();
    let folder = embedded.record().socket_dir.clone();
    assert!(folder.starts_with("/tmp"), "{folder:?}");
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    embedded.stop().await;
    assert!(!folder.exists(), "the short folder goes with the stop");
}

#[tokio::test]
async fn the_folder_that_stands_in_the_way_is_named() {
    if Account::to_drop_to().is_none() {
        return; // only root drops to another user
    }
    let top = folder(0o700);
    let error = Embedded::start(&top.path().join("state")).await.unwrap_err();
    assert!(matches!(&error, EmbeddedError::Stopped { folder, .. } if folder == top.path()), "{error}");
    assert!(error.to_string().contains("chmod o+x"), "{error}");
    // The state directory itself is ours: it is opened for passing, not for reading.
    let own = folder(0o700);
    let embedded = Embedded::start(own.path()).await.unwrap();
    let mode = std::fs::metadata(own.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0o001);
    embedded.stop().await;
}

#[tokio::test]
async fn data_of_somebody_else_is_left_alone() {
    let state = state();
    let data: PathBuf = state.path().join("postgres");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("letters.txt"), "dear").unwrap();
    let error = Embedded::start(state.path()).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::File { .. }), "{error}");
    assert!(data.join("letters.txt").exists());
}
