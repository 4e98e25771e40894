//! Jobs: claimed, lost, tried again, given up; fair, and once. Time is moved by hand; workers are killed by dropping
//! what they hold.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use protocol::id::TenantId;
use protocol::timestamp::Timestamp;
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

use super::queue::{Hold, HomeTx};
use super::rules::{LEASE_MILLIS, TENANT_SLOTS};
use super::runner::attend;
use super::service::{self, Filter, Seen};
use super::{Handler, Home, Job, JobError, Runner, State, Work, enqueue, enqueue_platform, finish};
use crate::app::App;
use crate::clock::Clock;
use crate::db::testing::TestDb;
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::tenants;

const START: Timestamp = Timestamp(1_790_000_000_000);

async fn ground() -> (TestDb, App) {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(START)).await;
    (test, app)
}

async fn tenant(app: &App, name: &str) -> TenantId {
    let email = format!("owner@{name}.example");
    tenants::service::create(app, name, &email, "a quiet horse battery").await.unwrap().tenant
}

async fn ask(app: &App, tenant: TenantId, job: Job) -> Option<Uuid> {
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    let made = enqueue(&mut tx, job).await.unwrap();
    tx.save().await.unwrap();
    made
}

async fn jobs(app: &App, filter: Filter) -> Vec<Seen> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::Jobs).await.unwrap();
    service::list(&mut tx, &Filter { limit: 500, ..filter }).await.unwrap().0
}

async fn of_kind(app: &App, kind: &str) -> Vec<Seen> {
    jobs(app, Filter { kind: Some(kind.to_owned()), ..Filter::default() }).await
}

fn job(app: &App, kind: &'static str) -> Job {
    Job::new(kind, json!({ "what": "it is about" }), app.clock.now())
}

/// The effect of a handler under test: a row of the tenant, which nobody handles.
async fn effect(tx: &mut TenantTx, now: Timestamp) -> Result<(), DbError> {
    enqueue(tx, Job::new("test.effect", json!({}), now)).await.map(drop)
}

/// Has its effect and ends the job in one transaction.
async fn once(app: App, work: Work) -> Result<(), JobError> {
    let Home::Tenant(tenant) = work.home else { return Err(JobError::Never("no tenant".to_owned())) };
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    effect(&mut tx, app.clock.now()).await?;
    finish(&mut tx, &work, app.clock.now()).await?;
    Ok(tx.save().await?)
}

fn runner(app: &App) -> Runner {
    let never = |_, _| async { Err(JobError::Never("550 no such mailbox\r\n".to_owned())) };
    let again = |_, _| async { Err(JobError::Again("451 come back".to_owned())) };
    let panics = |_, _| async { panic!("a fault of ours") };
    let handlers = vec![
        Handler::new("test.once", once),
        Handler::new("test.never", never),
        Handler::new("test.again", again).waits(Duration::from_secs(60), Duration::from_secs(240)),
        Handler::new("test.panics", panics),
    ];
    Runner::new(app.clone(), handlers)
}

#[tokio::test]
async fn a_job_is_there_if_its_transaction_is_and_is_done_once() {
    let (_test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    let mut undone = TenantTx::begin(&app.db, ours).await.unwrap();
    assert!(enqueue(&mut undone, job(&app, "test.once")).await.unwrap().is_some());
    drop(undone);
    assert_eq!(runner(&app).drain().await.unwrap(), 0, "what was rolled back was never asked for");

    let made = ask(&app, ours, job(&app, "test.once")).await.unwrap();
    assert_eq!(runner(&app).drain().await.unwrap(), 1);
    assert_eq!(runner(&app).drain().await.unwrap(), 0);
    let seen = of_kind(&app, "test.once").await;
    assert_eq!((seen.len(), seen[0].id, seen[0].state, seen[0].attempts), (1, made, State::Done, 1));
    assert_eq!(of_kind(&app, "test.effect").await.len(), 1);
}

#[tokio::test]
async fn a_key_is_taken_while_its_job_is_alive_and_for_one_tenant_only() {
    let (_test, app) = ground().await;
    let (ours, theirs) = (tenant(&app, "bakers").await, tenant(&app, "brewers").await);
    let keyed = || job(&app, "test.once").key("report of monday");
    assert!(ask(&app, ours, keyed()).await.is_some());
    assert!(ask(&app, ours, keyed()).await.is_none(), "one waits");
    assert!(ask(&app, theirs, keyed()).await.is_some(), "another tenant's key is another key");
    let mut system = SystemTx::begin(&app.db, SystemReason::Jobs).await.unwrap();
    assert!(enqueue_platform(&mut system, keyed()).await.unwrap().is_some());
    assert!(enqueue_platform(&mut system, keyed()).await.unwrap().is_none());
    drop(system);
    let held = runner(&app).next().await.unwrap().unwrap();
    assert!(ask(&app, held.1.home.tenant().unwrap(), keyed()).await.is_none(), "one runs");
    app.clock.advance_millis(LEASE_MILLIS);
    runner(&app).drain().await.unwrap();
    assert!(ask(&app, ours, keyed()).await.is_some(), "the one before is over");
}

#[tokio::test]
async fn a_payload_has_a_limit_and_is_forgotten_when_done() {
    let (test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    let mut tx = TenantTx::begin(&app.db, ours).await.unwrap();
    let large = Job::new("test.once", json!("x".repeat(17_000)), START);
    assert!(matches!(enqueue(&mut tx, large).await, Err(DbError::Refused { .. })));
    drop(tx);
    ask(&app, ours, job(&app, "test.once")).await.unwrap();
    runner(&app).drain().await.unwrap();
    let mut admin = test.superuser().await;
    let sql = "SELECT count(*) FROM app.jobs WHERE state = 'done' AND payload = '{}'";
    let empty: i64 = sqlx::query_scalar(sql).fetch_one(&mut admin).await.unwrap();
    assert_eq!(empty, 1);
}

#[tokio::test]
async fn a_failure_waits_longer_each_time_then_is_dead_until_an_operator_says() {
    let (_test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    ask(&app, ours, job(&app, "test.again").attempts(4)).await.unwrap();
    let mut waits = Vec::new();
    for attempt in 1..=4 {
        assert_eq!(runner(&app).drain().await.unwrap(), 1, "try {attempt}");
        assert_eq!(runner(&app).drain().await.unwrap(), 0, "not at once");
        let seen = of_kind(&app, "test.again").await.remove(0);
        assert_eq!((seen.attempts, seen.error.as_deref()), (attempt, Some("451 come back")));
        if attempt < 4 {
            let wait = crate::clock::timestamp(seen.due_at).millis_since(app.clock.now());
            waits.push(wait);
            app.clock.advance_millis(wait - 1);
            assert_eq!(runner(&app).drain().await.unwrap(), 0, "not before its time");
            app.clock.advance_millis(1);
        } else {
            assert_eq!(seen.state, State::Dead);
        }
    }
    for (wait, most) in waits.iter().zip([60_000, 120_000, 240_000]) {
        assert!((most / 2..=most).contains(wait), "{waits:?}");
    }
    app.clock.advance_millis(100 * LEASE_MILLIS);
    assert_eq!(runner(&app).drain().await.unwrap(), 0, "dead is dead");

    let dead = jobs(&app, Filter { state: Some(State::Dead), ..Filter::default() }).await;
    let mut tx = TenantTx::begin(&app.db, ours).await.unwrap();
    assert!(service::retry(&mut tx, dead[0].id, app.clock.now()).await.unwrap());
    assert!(!service::retry(&mut tx, dead[0].id, app.clock.now()).await.unwrap(), "it waits already");
    tx.save().await.unwrap();
    assert_eq!(runner(&app).drain().await.unwrap(), 1, "all its tries again");
    let mut tx = TenantTx::begin(&app.db, ours).await.unwrap();
    assert!(service::cancel(&mut tx, dead[0].id, app.clock.now()).await.unwrap());
    tx.save().await.unwrap();
    app.clock.advance_millis(100 * LEASE_MILLIS);
    assert_eq!(runner(&app).drain().await.unwrap(), 0, "called off");
}

#[tokio::test]
async fn what_can_never_work_is_dead_at_once_and_a_panic_is_only_a_failure() {
    let (_test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    ask(&app, ours, job(&app, "test.never")).await.unwrap();
    ask(&app, ours, job(&app, "test.panics")).await.unwrap();
    assert_eq!(runner(&app).drain().await.unwrap(), 2);
    let never = of_kind(&app, "test.never").await.remove(0);
    assert_eq!((never.state, never.attempts, never.error.as_deref()), (State::Dead, 1, Some("550 no such mailbox")));
    let panicked = of_kind(&app, "test.panics").await.remove(0);
    assert_eq!((panicked.state, panicked.error.as_deref()), (State::Waiting, Some("the handler panicked")));
}

#[tokio::test]
async fn a_job_of_a_killed_worker_runs_again_and_its_effect_is_there_once() {
    let (_test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    ask(&app, ours, job(&app, "test.once")).await.unwrap();
    // Killed in the middle: its transaction is gone, nobody ended the job.
    let (_, first) = runner(&app).next().await.unwrap().unwrap();
    let mut middle = TenantTx::begin(&app.db, ours).await.unwrap();
    effect(&mut middle, app.clock.now()).await.unwrap();
    drop(middle);
    app.clock.advance_millis(LEASE_MILLIS - 1);
    assert!(runner(&app).next().await.unwrap().is_none(), "it may still live");
    app.clock.advance_millis(1);
    let (handler, second) = runner(&app).next().await.unwrap().unwrap();
    assert_eq!((second.job, second.attempt), (first.job, 2));
    // The first one was not dead but slow, and comes back now: nothing of it stays.
    let mut late = TenantTx::begin(&app.db, ours).await.unwrap();
    effect(&mut late, app.clock.now()).await.unwrap();
    assert_eq!(finish(&mut late, &first, app.clock.now()).await, Err(JobError::Lost));
    drop(late);
    let (_stop, going) = watch::channel(false);
    attend(&app, &handler, second, going).await;
    assert_eq!(of_kind(&app, "test.effect").await.len(), 1, "once");
    assert_eq!(of_kind(&app, "test.once").await[0].state, State::Done);
}

#[tokio::test]
async fn a_worker_that_says_it_lives_keeps_its_job() {
    let (_test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    ask(&app, ours, job(&app, "test.once")).await.unwrap();
    let (_, work) = runner(&app).next().await.unwrap().unwrap();
    for _ in 0..5 {
        app.clock.advance_millis(LEASE_MILLIS - 1);
        let mut tx = HomeTx::begin(&app.db, work.home).await.unwrap();
        assert!(tx.hold().beat(&work, app.clock.now().plus_millis(LEASE_MILLIS)).await.unwrap());
        tx.save().await.unwrap();
        assert!(runner(&app).next().await.unwrap().is_none(), "it is in hand");
    }
    app.clock.advance_millis(LEASE_MILLIS);
    let (_, next) = runner(&app).next().await.unwrap().unwrap();
    assert_eq!(next.job, work.job);
    let mut tx = TenantTx::begin(&app.db, ours).await.unwrap();
    assert!(!Hold::tenant(&mut tx).beat(&work, app.clock.now()).await.unwrap(), "too late: it is another's");
}

#[tokio::test]
async fn a_job_that_kills_its_worker_each_time_is_given_up() {
    let (_test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    ask(&app, ours, job(&app, "test.once").attempts(3)).await.unwrap();
    for attempt in 1..=3 {
        assert_eq!(runner(&app).next().await.unwrap().unwrap().1.attempt, attempt);
        app.clock.advance_millis(LEASE_MILLIS);
    }
    assert!(runner(&app).next().await.unwrap().is_none());
    let seen = of_kind(&app, "test.once").await.remove(0);
    assert_eq!((seen.state, seen.attempts), (State::Dead, 3));
    assert_eq!(seen.error.as_deref(), Some("its worker ended in the middle of the last try"));
}

#[tokio::test]
async fn a_head_office_that_closes_gives_its_jobs_back_untried() {
    let (_test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    ask(&app, ours, job(&app, "test.endless")).await.unwrap();
    let endless = Handler::new("test.endless", |_, _| std::future::pending::<Result<(), JobError>>());
    let (handler, work) = Runner::new(app.clone(), vec![endless]).next().await.unwrap().unwrap();
    let (stop, going) = watch::channel(false);
    tokio::join!(attend(&app, &handler, work, going), async { stop.send_replace(true) });
    let seen = of_kind(&app, "test.endless").await.remove(0);
    assert_eq!((seen.state, seen.attempts), (State::Waiting, 0));
}

#[tokio::test]
async fn a_worker_of_serve_does_what_comes_and_ends_when_told() {
    let (_test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    let (ending, ended) = watch::channel(false);
    let working = tokio::spawn(runner(&app).run(ended));
    for _ in 0..20 {
        ask(&app, ours, job(&app, "test.once")).await.unwrap();
    }
    let all_done = async {
        while of_kind(&app, "test.effect").await.len() < 20 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_done).await.expect("a worker does its jobs");
    ending.send_replace(true);
    tokio::time::timeout(Duration::from_secs(30), working).await.expect("a worker ends").unwrap();
    assert!(of_kind(&app, "test.once").await.iter().all(|seen| seen.state == State::Done && seen.attempts == 1));
}

#[tokio::test]
async fn a_kind_that_nobody_knows_waits_and_holds_up_nobody() {
    let (_test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    for _ in 0..5 {
        ask(&app, ours, job(&app, "test.of_tomorrow")).await.unwrap();
    }
    ask(&app, ours, job(&app, "test.once")).await.unwrap();
    assert_eq!(runner(&app).drain().await.unwrap(), 1);
    let seen = of_kind(&app, "test.of_tomorrow").await;
    assert!(seen.iter().all(|seen| seen.state == State::Waiting && seen.attempts == 0), "{seen:?}");
    let mut tx = SystemTx::begin(&app.db, SystemReason::Jobs).await.unwrap();
    assert!(service::census(&mut tx).await.unwrap().contains(&("test.of_tomorrow".to_owned(), State::Waiting, 5)));
}

#[tokio::test]
async fn ten_thousand_jobs_of_one_tenant_hold_up_no_other() {
    let (test, app) = ground().await;
    let noisy = tenant(&app, "noisy").await;
    let mut admin = test.superuser().await;
    let flood = "INSERT INTO app.jobs (tenant_id, job_id, kind, payload, state, due_at, max_attempts, made_at)
        SELECT $1, gen_random_uuid(), 'test.once', '{}', 'waiting', to_timestamp($2), 3, to_timestamp($2)
        FROM generate_series(1, 10000)";
    let long_ago = 1_789_000_000_f64;
    sqlx::query(flood).bind(noisy.as_uuid()).bind(long_ago).execute(&mut admin).await.unwrap();
    let (quiet, third) = (tenant(&app, "quiet").await, tenant(&app, "third").await);
    for _ in 0..3 {
        ask(&app, quiet, job(&app, "test.once")).await.unwrap();
    }
    ask(&app, third, job(&app, "test.once")).await.unwrap();
    let mut system = SystemTx::begin(&app.db, SystemReason::Jobs).await.unwrap();
    enqueue_platform(&mut system, job(&app, "test.never")).await.unwrap();
    system.save().await.unwrap();

    // Nobody ends what is taken: what counts is who is next.
    let (mut worker, mut taken) = (runner(&app), Vec::new());
    while let Some((_, work)) = worker.next().await.unwrap() {
        taken.push(work.home);
    }
    let place = |home: Home, nth: usize| {
        taken.iter().enumerate().filter(|(_, taken)| **taken == home).nth(nth).map(|(place, _)| place + 1)
    };
    assert!(place(Home::Tenant(quiet), 0) <= Some(3), "{taken:?}");
    assert!(place(Home::Tenant(third), 0) <= Some(3), "{taken:?}");
    assert!(place(Home::Platform, 0) <= Some(4), "{taken:?}");
    assert!(place(Home::Tenant(quiet), 2).is_some_and(|place| place <= 10), "{taken:?}");
    let in_flight = taken.iter().filter(|home| **home == Home::Tenant(noisy)).count();
    assert_eq!(in_flight, usize::try_from(TENANT_SLOTS).unwrap(), "a cap, over all workers");
    assert!(runner(&app).next().await.unwrap().is_none(), "another worker keeps to it too");
}

#[tokio::test]
async fn four_workers_share_two_hundred_jobs_and_do_each_once() {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    let (_test, app) = ground().await;
    for name in ["bakers", "brewers"] {
        let ours = tenant(&app, name).await;
        let mut tx = TenantTx::begin(&app.db, ours).await.unwrap();
        for _ in 0..100 {
            enqueue(&mut tx, job(&app, "test.once")).await.unwrap();
        }
        tx.save().await.unwrap();
    }
    let work = || async {
        let mut worker = runner(&app);
        while DONE.load(Ordering::SeqCst) < 200 {
            let tries = worker.drain().await.unwrap();
            DONE.fetch_add(tries, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    };
    let all = Box::pin(async { tokio::join!(work(), work(), work(), work()) });
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("they get through");
    assert_eq!(of_kind(&app, "test.effect").await.len(), 200);
    assert!(of_kind(&app, "test.once").await.iter().all(|seen| seen.state == State::Done && seen.attempts == 1));
}

#[tokio::test]
async fn an_operator_sees_all_jobs_page_by_page_but_not_what_is_in_them() {
    let (test, app) = ground().await;
    let (ours, theirs) = (tenant(&app, "bakers").await, tenant(&app, "brewers").await);
    for _ in 0..3 {
        ask(&app, ours, job(&app, "test.once")).await.unwrap();
        ask(&app, theirs, job(&app, "test.never")).await.unwrap();
        app.clock.advance_millis(1);
    }
    let mut tx = SystemTx::begin(&app.db, SystemReason::Jobs).await.unwrap();
    let (mut filter, mut seen) = (Filter { limit: 4, ..Filter::default() }, Vec::new());
    loop {
        let (page, next) = service::list(&mut tx, &filter).await.unwrap();
        assert!(page.len() <= 4);
        seen.extend(page);
        filter.before = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.is_sorted_by(|a, b| a.id > b.id), "newest first, none twice");
    let one = Filter { tenant: Some(ours), limit: 10, ..Filter::default() };
    let of_one = service::list(&mut tx, &one).await.unwrap().0;
    assert!(of_one.len() == 3 && of_one.iter().all(|seen| seen.tenant_id == Some(ours.as_uuid())));
    drop(tx);
    let mut platform = <sqlx::PgConnection as sqlx::Connection>::connect(&test.url("tw_platform")).await.unwrap();
    for hidden in ["payload", "key", "lease"] {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {hidden} FROM app.jobs"));
        assert!(sqlx::query(sql).execute(&mut platform).await.is_err(), "{hidden}");
    }
}

#[tokio::test]
async fn what_is_over_goes_when_its_time_is_over() {
    let (_test, app) = ground().await;
    let ours = tenant(&app, "bakers").await;
    ask(&app, ours, job(&app, "test.once")).await.unwrap();
    ask(&app, ours, job(&app, "test.never")).await.unwrap();
    runner(&app).drain().await.unwrap();
    let prune = async || {
        let mut tx = TenantTx::begin(&app.db, ours).await.unwrap();
        let gone = service::prune(&mut tx, app.clock.now()).await.unwrap();
        tx.save().await.unwrap();
        gone
    };
    const DAY: i64 = 24 * 3_600 * 1_000;
    app.clock.advance_millis(6 * DAY);
    assert_eq!(prune().await, 0);
    app.clock.advance_millis(2 * DAY);
    assert_eq!(prune().await, 1, "the done one");
    app.clock.advance_millis(83 * DAY);
    assert_eq!(prune().await, 1, "the dead one");
    assert_eq!(of_kind(&app, "test.effect").await.len(), 1, "what waits stays");
}
