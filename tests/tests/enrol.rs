//! A box becomes a node: the real `provision` against a real head office over both doors, and every way in which it
//! must not work. What it wrote is read by the agent's own code.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a helper that finds nothing ends the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use control_plane::app::{Running, start};
use control_plane::clock::Clock;
use control_plane::config::ServeConfig;
use control_plane::db::TenantTx;
use control_plane::db::testing::TestDb;
use control_plane::domain::{fleet, shops, tenants};
use edge_agent::identity::{Identity, TerminalIdentity};
use edge_agent::snapshot::Snapshots;
use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use protocol::id::{ShopId, TenantId};
use provisioning::{EnrollError, Enrolled, Exit, Options, enroll};
use tempfile::TempDir;

/// A head office that listens, with a shop.
struct Hq {
    running: Running,
    tenant: TenantId,
    shop: ShopId,
    test: TestDb,
    _state: TempDir,
}

impl Hq {
    async fn new() -> Self {
        // Somebody installed it before us: the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let test = TestDb::new().await;
        let state = tempfile::tempdir().unwrap();
        let config = ServeConfig::for_tests(test.db.clone(), state.path().to_owned());
        let running = start(config, Clock::System).await.unwrap();
        let app = &running.app;
        let made = tenants::service::create(app, "one", "owner@example.org", "correct horse battery").await.unwrap();
        let mut tx = TenantTx::begin(&app.db, made.tenant).await.unwrap();
        let new = shops::types::NewShop::plain("Corner shop", "Europe/London", "GBP");
        let shop = shops::service::create(&mut tx, control_plane::domain::audit::Actor::COMMAND, &new, app.clock.now())
            .await
            .unwrap()
            .id;
        tx.save().await.unwrap();
        Self { running, tenant: made.tenant, shop, test, _state: state }
    }

    async fn claim(&self) -> String {
        let app = &self.running.app;
        let mut tx = TenantTx::begin(&app.db, self.tenant).await.unwrap();
        let new = fleet::NewClaim::default();
        let made = fleet::service::create_claim(&app.db, &mut tx, self.shop, new, app.clock.now()).await.unwrap();
        tx.save().await.unwrap();
        made.code
    }

    fn plain(&self) -> String {
        format!("http://{}", self.running.http)
    }

    fn tls(&self) -> String {
        format!("https://{}", self.running.tcp.unwrap())
    }

    async fn nodes(&self) -> usize {
        let mut tx = TenantTx::begin(&self.test.db, self.tenant).await.unwrap();
        fleet::service::list(&mut tx, None, None, 100).await.unwrap().0.len()
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn read(dir: &Path) -> (NodeConfig, Layout) {
    let config = NodeConfig::parse(&fs::read_to_string(dir.join("node.toml")).unwrap()).unwrap();
    let layout = Layout::new(dir, &config);
    (config, layout)
}

async fn run(hq: &str, claim: &str, dir: &Path) -> Result<Enrolled, EnrollError> {
    enroll(Options::new(hq, claim, dir)).await
}

#[tokio::test]
async fn a_box_becomes_a_node_through_both_doors() {
    let hq = Hq::new().await;
    for url in [hq.plain(), hq.tls()] {
        let dir = folder();
        let node = dir.path().join("new/node");
        let done = run(&url, &hq.claim().await.to_lowercase().replace('-', " "), &node).await.unwrap();
        let (config, layout) = read(&node);
        assert_eq!(config.node.node_id.to_string(), done.node_id);
        assert_eq!(config.hq.quic.to_string(), hq.running.quic.to_string());
        assert_eq!(config.hq.tcp.as_ref().unwrap().to_string(), hq.running.tcp.unwrap().to_string());
        assert_eq!(config.hq.http.as_deref(), Some(url.as_str()));
        // What the agent will do with it.
        let identity = Identity::load(&layout, &config.node).unwrap();
        assert_eq!((identity.urn().tenant, identity.urn().shop), (hq.tenant, hq.shop));
        assert_eq!(TerminalIdentity::load(&layout).unwrap().ca_fingerprint().len(), 64);
        let snapshots = Snapshots::open(&layout, tokio::sync::broadcast::Sender::new(8)).unwrap();
        assert!(snapshots.shop().is_some());
        for (path, mode) in [
            (layout.device_key(), 0o600),
            (layout.terminal_key(), 0o600),
            (layout.identity(), 0o700),
            (layout.config(), 0o640),
        ] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
        let mut left: Vec<_> = fs::read_dir(&node).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".provision.lock", "data", "identity", "node.toml"]);
    }
    assert_eq!(hq.nodes().await, 2);
    hq.running.stop().await;
}

#[tokio::test]
async fn mistakes_are_told_apart_and_touch_nothing() {
    let hq = Hq::new().await;
    let dir = folder();
    let claim = hq.claim().await;
    let mut typo = claim.clone();
    let last = typo.pop().unwrap();
    typo.push(if last == '7' { '8' } else { '7' });
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = format!("https://{nobody}");
    for (url, claim, exit) in [
        (hq.plain(), typo, Exit::Usage),
        (hq.plain(), "hello".to_owned(), Exit::Usage),
        ("http://192.0.2.1:8080".to_owned(), claim.clone(), Exit::Usage),
        ("ftp://hq".to_owned(), claim.clone(), Exit::Usage),
        (silent, claim.clone(), Exit::Unreachable),
        (format!("http://{}", hq.running.tcp.unwrap()), claim.clone(), Exit::Unreachable),
    ] {
        let error = run(&url, &claim, dir.path()).await.unwrap_err();
        assert_eq!(error.exit(), Some(exit), "{error}");
        assert!(!dir.path().join("node.toml").exists() && !dir.path().join("identity").exists());
    }
    // None of it used the claim up.
    run(&hq.plain(), &claim, dir.path()).await.unwrap();
    let used = run(&hq.tls(), &claim, folder().path()).await.unwrap_err();
    assert!(matches!(&used, EnrollError::Refused { reason, .. } if reason == "claim_used"), "{used}");
    assert_eq!(used.exit(), Some(Exit::Refused));
    hq.running.stop().await;
}

#[tokio::test]
async fn a_claim_is_shown_to_the_head_office_that_made_it_and_to_no_other() {
    let (hq, other) = (Hq::new().await, Hq::new().await);
    let claim = hq.claim().await;
    let dir = folder();
    let error = run(&other.tls(), &claim, dir.path()).await.unwrap_err();
    assert!(matches!(error, EnrollError::NotOurs { .. }), "{error}");
    // Plainly, on this machine, the other one hears of it, does not know it, and says so.
    let error = run(&other.plain(), &claim, dir.path()).await.unwrap_err();
    assert!(matches!(&error, EnrollError::Refused { reason, .. } if reason == "claim_unknown"), "{error}");
    run(&hq.tls(), &claim, dir.path()).await.unwrap();
    hq.running.stop().await;
    other.running.stop().await;
}

#[tokio::test]
async fn a_run_that_was_cut_off_goes_on_as_the_same_node() {
    let hq = Hq::new().await;
    let dir = folder();
    let claim = hq.claim().await;
    let first = run(&hq.plain(), &claim, dir.path()).await.unwrap();
    // Cut off before the last step.
    fs::remove_file(dir.path().join("node.toml")).unwrap();
    let second = run(&hq.plain(), &claim, dir.path()).await.unwrap();
    assert_eq!(second.node_id, first.node_id);
    // Cut off before the certificates were in place.
    fs::remove_file(dir.path().join("node.toml")).unwrap();
    fs::rename(dir.path().join("identity"), dir.path().join("identity.pending")).unwrap();
    fs::remove_file(dir.path().join("identity.pending/device.crt")).unwrap();
    let third = run(&hq.plain(), &claim, dir.path()).await.unwrap();
    assert_eq!(third.node_id, first.node_id);
    let (config, layout) = read(dir.path());
    Identity::load(&layout, &config.node).unwrap();
    assert_eq!(hq.nodes().await, 1);
    hq.running.stop().await;
}

#[tokio::test]
async fn a_node_is_never_overwritten_and_force_sets_it_aside() {
    let hq = Hq::new().await;
    let dir = folder();
    let first = run(&hq.plain(), &hq.claim().await, dir.path()).await.unwrap();
    let key = fs::read(dir.path().join("identity/device.key")).unwrap();
    fs::write(dir.path().join("data/sale"), "not yet sent").unwrap();
    let claim = hq.claim().await;
    let error = run(&hq.plain(), &claim, dir.path()).await.unwrap_err();
    assert!(matches!(error, EnrollError::Exists { .. }) && error.to_string().contains(&first.node_id), "{error}");
    assert_eq!(fs::read(dir.path().join("identity/device.key")).unwrap(), key);
    let force = || Options { force: true, ..Options::new(&hq.plain(), &claim, dir.path()) };
    // A refusal leaves the old node as it was.
    let wrong = Options { claim: hq.claim().await, hq: "http://127.0.0.1:9".to_owned(), ..force() };
    assert!(enroll(wrong).await.is_err());
    assert_eq!(read(dir.path()).0.node.node_id.to_string(), first.node_id);
    // A running node is not touched.
    let socket = std::os::unix::net::UnixListener::bind(dir.path().join("data/control.sock")).unwrap();
    assert!(matches!(enroll(force()).await, Err(EnrollError::Running(_))));
    drop(socket);
    let second = enroll(force()).await.unwrap();
    assert_ne!(second.node_id, first.node_id);
    let aside = second.set_aside.unwrap();
    assert_eq!(fs::read(aside.join("identity/device.key")).unwrap(), key);
    assert_eq!(fs::read_to_string(aside.join("data/sale")).unwrap(), "not yet sent");
    assert!(!dir.path().join("data/sale").exists());
    assert_ne!(fs::read(dir.path().join("identity/device.key")).unwrap(), key);
    hq.running.stop().await;
}

#[tokio::test]
async fn two_that_work_in_one_folder_do_not_meet() {
    let hq = Hq::new().await;
    let dir = folder();
    let (first, second) = (hq.claim().await, hq.claim().await);
    let url = hq.plain();
    let (first, second) = tokio::join!(run(&url, &first, dir.path()), run(&url, &second, dir.path()));
    let errors: Vec<_> = [first, second].into_iter().filter_map(Result::err).collect();
    assert!(matches!(errors.as_slice(), [EnrollError::Busy(_)]), "{errors:?}");
    hq.running.stop().await;
}
