//! The fleet on a real database: the life of a claim, who is admitted, what is sworn, and what the routes say.

mod doors;
mod pages;

use std::sync::Arc;

use protocol::enroll::{CheckpointV1, ClaimCode, ClaimSecret, EnrollReply, EnrollRequest, Signature, SignedCheckpoint};
use protocol::id::{NodeId, Seq, ShopId, Stream, TenantId, Term};
use protocol::timestamp::Timestamp;
use ring::signature::Ed25519KeyPair;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sqlx::Executor as _;

use super::error::ClaimRefusal;
use super::*;
use crate::app::{App, Places};
use crate::clock::Clock;
use crate::db::testing::TestDb;
use crate::db::{SystemReason, SystemTx, TenantTx};
use crate::domain::{sales, shops, tenants};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY_MILLIS: i64 = 86_400_000;

/// A head office with one tenant and one shop.
struct Hq {
    app: App,
    tenant: TenantId,
    shop: ShopId,
    test: TestDb,
    ca: tempfile::TempDir,
}

impl Hq {
    async fn new() -> Self {
        let test = TestDb::new().await;
        let ca = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW);
        let app = App::new(test.db.clone(), clock.clone()).await.unwrap();
        app.fleet.set(Fleet::open(ca.path(), &test.db, &clock, Vec::new()).await.unwrap());
        let places =
            Places { quic: Some("0.0.0.0:4433".into()), tcp: Some("127.0.0.1:443".into()), http: None, public: None };
        app.places.set(places).unwrap();
        let (tenant, shop) = tenant(&app, "one").await;
        Self { app, tenant, shop, test, ca }
    }

    async fn claim(&self) -> ClaimCode {
        claim(&self.app, self.tenant, self.shop).await.unwrap()
    }

    async fn enrol(&self, request: &EnrollRequest) -> Result<EnrollReply, FleetError> {
        service::enrol(&self.app, &service::Caller { host: Some("hq.example.org:8000".into()) }, request).await
    }

    async fn node(&self) -> (Device, EnrollReply, NodeIdentity) {
        let device = Device::new();
        let reply = self.enrol(&device.request(self.claim().await)).await.unwrap();
        let identity = service::admit(&self.app, &leaf(&reply)).await.unwrap();
        (device, reply, identity)
    }

    async fn sql(&self, sql: &'static str) {
        let mut connection = self.test.superuser().await;
        connection.execute(sql).await.unwrap();
    }
}

async fn tenant(app: &App, name: &str) -> (TenantId, ShopId) {
    let made =
        tenants::service::create(app, name, &format!("{name}@example.org"), "correct horse battery").await.unwrap();
    let mut tx = TenantTx::begin(&app.db, made.tenant).await.unwrap();
    let new = shops::types::NewShop::plain("Corner shop", "Europe/London", "GBP");
    let shop =
        shops::service::create(&mut tx, crate::domain::audit::Actor::COMMAND, &new, app.clock.now()).await.unwrap();
    tx.save().await.unwrap();
    (made.tenant, shop.id)
}

async fn claim(app: &App, tenant: TenantId, shop: ShopId) -> Result<ClaimCode, FleetError> {
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    let made = service::create_claim(&app.db, &mut tx, shop, NewClaim::default(), app.clock.now()).await?;
    tx.save().await?;
    Ok(made.code.parse().unwrap())
}

fn leaf(reply: &EnrollReply) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(reply.certificate_chain.as_bytes()).unwrap()
}

struct Device(rcgen::KeyPair);

impl Device {
    fn new() -> Self {
        Self(rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap())
    }

    fn request(&self, code: ClaimCode) -> EnrollRequest {
        let csr = rcgen::CertificateParams::default().serialize_request(&self.0).unwrap().pem().unwrap();
        EnrollRequest {
            secret: code.secret,
            terminal_csr: Some(csr.clone()),
            csr,
            name: None,
            hostname: Some("till-1".into()),
            addresses: vec!["192.168.1.9".parse().unwrap()],
            agent_version: "0.1.0".into(),
        }
    }

    fn swear(&self, node: NodeId, checkpoint: CheckpointV1) -> SignedCheckpoint {
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&self.0.serialize_der()).unwrap();
        let signature = key.sign(&checkpoint.signing_input(node));
        checkpoint.signed(Signature::from_slice(signature.as_ref()).unwrap())
    }
}

fn refusal(result: Result<EnrollReply, FleetError>) -> Option<ClaimRefusal> {
    match result {
        Err(FleetError::Claim(refusal)) => Some(refusal),
        _ => None,
    }
}

#[tokio::test]
async fn a_claim_makes_a_node_once() {
    let hq = Hq::new().await;
    let code = hq.claim().await;
    assert!(code.names_ca(hq.app.fleet.get().unwrap().authority().certificate()));
    let device = Device::new();
    let reply = hq.enrol(&device.request(code)).await.unwrap();
    assert_eq!((reply.tenant_id, reply.shop_id, reply.term), (hq.tenant, hq.shop, Term(1)));
    assert_eq!((reply.name.as_str(), reply.quic.as_str()), ("till-1", "hq.example.org:4433"));
    assert_eq!((reply.shop.zone.as_str(), reply.hq_time), ("Europe/London", NOW));
    assert!(reply.terminal_chain.unwrap().ends_with(&reply.shop_ca));
    // Another box with the same code is refused; the same box, whose answer was lost, stays the same node.
    assert_eq!(refusal(hq.enrol(&Device::new().request(code)).await), Some(ClaimRefusal::Used));
    hq.app.clock.advance_millis(60_000);
    let again = hq.enrol(&device.request(code)).await.unwrap();
    assert_eq!((again.node_id, again.term), (reply.node_id, Term(1)));
    assert!(service::admit(&hq.app, &leaf(&again)).await.is_ok());
    hq.app.clock.advance_millis(DAY_MILLIS);
    assert_eq!(refusal(hq.enrol(&device.request(code)).await), Some(ClaimRefusal::Used));
}

#[tokio::test]
async fn wrong_and_expired_claims_are_told_apart_and_leave_nothing() {
    let hq = Hq::new().await;
    let code = hq.claim().await;
    let device = Device::new();
    let wrong = EnrollRequest { secret: ClaimSecret::from_bytes([1; 12]), ..device.request(code) };
    assert_eq!(refusal(hq.enrol(&wrong).await), Some(ClaimRefusal::Unknown));
    hq.app.clock.advance_millis(DAY_MILLIS);
    assert_eq!(refusal(hq.enrol(&device.request(code)).await), Some(ClaimRefusal::Expired));
    for csr in ["", "garbage", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"] {
        let bad = EnrollRequest { csr: csr.into(), ..device.request(hq.claim().await) };
        assert!(matches!(hq.enrol(&bad).await, Err(FleetError::Authority(_))));
        let bad = EnrollRequest { terminal_csr: Some(csr.into()), ..device.request(hq.claim().await) };
        assert!(matches!(hq.enrol(&bad).await, Err(FleetError::Authority(_))));
    }
    let mut tx = TenantTx::begin(&hq.app.db, hq.tenant).await.unwrap();
    assert_eq!(service::list(&mut tx, None, None, 10).await.unwrap(), (Vec::new(), None));
}

#[tokio::test]
async fn of_many_boxes_with_one_code_one_becomes_a_node() {
    let hq = Arc::new(Hq::new().await);
    let code = hq.claim().await;
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let hq = Arc::clone(&hq);
            tokio::spawn(async move { hq.enrol(&Device::new().request(code)).await })
        })
        .collect();
    let mut enrolled = 0;
    for tried in tries {
        match tried.await.unwrap() {
            Ok(_) => enrolled += 1,
            Err(error) => assert!(matches!(error, FleetError::Claim(ClaimRefusal::Used)), "{error}"),
        }
    }
    assert_eq!(enrolled, 1);
    let mut tx = TenantTx::begin(&hq.app.db, hq.tenant).await.unwrap();
    assert_eq!(service::list(&mut tx, None, None, 10).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn nodes_that_enrol_at_once_share_their_shops_ca() {
    let hq = Hq::new().await;
    let (first, second) = (Device::new().request(hq.claim().await), Device::new().request(hq.claim().await));
    let (first, second) = tokio::join!(hq.enrol(&first), hq.enrol(&second));
    assert_eq!(first.unwrap().shop_ca, second.unwrap().shop_ca);
}

#[tokio::test]
async fn claims_are_for_shops_of_the_tenant_and_bounded() {
    let hq = Hq::new().await;
    let (other, shop) = tenant(&hq.app, "two").await;
    assert!(matches!(claim(&hq.app, hq.tenant, shop).await, Err(FleetError::NoShop)));
    assert!(claim(&hq.app, other, shop).await.is_ok());
    for _ in 0..protocol::limits::OPEN_CLAIMS {
        hq.claim().await;
    }
    assert!(matches!(claim(&hq.app, hq.tenant, hq.shop).await, Err(FleetError::TooManyClaims)));
    hq.app.clock.advance_millis(DAY_MILLIS);
    hq.claim().await;
}

#[tokio::test]
async fn only_certificates_in_force_are_admitted() {
    let hq = Hq::new().await;
    let (_, reply, identity) = hq.node().await;
    assert_eq!((identity.tenant, identity.shop, identity.node), (hq.tenant, hq.shop, reply.node_id));
    let cert = leaf(&reply);
    assert!(matches!(service::admit(&hq.app, b"noise").await, Err(AdmitError::NotANode)));
    let ca = hq.app.fleet.get().unwrap().authority().certificate().clone();
    assert!(matches!(service::admit(&hq.app, &ca).await, Err(AdmitError::NotANode)));
    let reason = |result: Result<NodeIdentity, AdmitError>| result.map_err(|error| error.name());
    hq.sql("UPDATE app.nodes SET term = 2").await;
    assert_eq!(reason(service::admit(&hq.app, &cert).await), Err("old_term"));
    hq.sql("UPDATE app.nodes SET retired_at = now()").await;
    assert_eq!(reason(service::admit(&hq.app, &cert).await), Err("retired"));
    hq.sql("UPDATE app.node_certificates SET revoked_at = now(), revoked_reason = 'stolen'").await;
    assert_eq!(reason(service::admit(&hq.app, &cert).await), Err("revoked"));
    hq.sql("DELETE FROM app.node_certificates").await;
    assert_eq!(reason(service::admit(&hq.app, &cert).await), Err("unknown_certificate"));
}

#[tokio::test]
async fn checkpoints_are_verified_and_the_newest_stands() {
    let hq = Hq::new().await;
    let (device, _, who) = hq.node().await;
    let at = |seq, byte| CheckpointV1 {
        stream: Stream::Fiscal,
        term: Term(1),
        seq: Seq(seq),
        head_hash: [byte; 32],
        at: NOW,
    };
    let record = async |signed| service::record_checkpoint(&hq.app, &who, signed).await;
    assert!(matches!(record(device.swear(who.node, at(5, 1))).await, Ok(Recorded::Newest)));
    assert!(matches!(record(device.swear(who.node, at(5, 1))).await, Ok(Recorded::Newest)));
    assert!(matches!(record(device.swear(who.node, at(4, 9))).await, Ok(Recorded::Older)));
    assert!(matches!(record(device.swear(who.node, at(5, 2))).await, Ok(Recorded::Contradiction)));
    let forged = Device::new().swear(who.node, at(6, 1));
    assert!(matches!(record(forged).await, Err(CheckpointError::Signature)));
    let moved = device.swear(NodeId::from_uuid(uuid::Uuid::from_u128(1)), at(6, 1));
    assert!(matches!(record(moved).await, Err(CheckpointError::Signature)));
    let other_term = device.swear(who.node, CheckpointV1 { term: Term(2), ..at(6, 1) });
    assert!(matches!(record(other_term).await, Err(CheckpointError::Term)));
    assert!(matches!(record(device.swear(who.node, at(u64::MAX, 1))).await, Err(CheckpointError::Position)));
    let mut tx = TenantTx::begin(&hq.app.db, hq.tenant).await.unwrap();
    let shown = service::completeness(&mut tx, hq.shop).await.unwrap().nodes;
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].stored, shown[0].received, shown[0].contradictions), (Some(5), 0, 1));
    assert!(!shown[0].head_hash_equal);
}

#[tokio::test]
async fn a_node_that_never_wrote_is_complete_and_says_whether_it_swore() {
    let hq = Hq::new().await;
    let (device, _, who) = hq.node().await;
    let show = async || {
        let mut tx = TenantTx::begin(&hq.app.db, hq.tenant).await.unwrap();
        service::completeness(&mut tx, hq.shop).await.unwrap().nodes.remove(0)
    };
    let silent = show().await;
    assert_eq!((silent.stored, silent.received, silent.head_hash_equal), (Some(0), 0, true));
    assert_eq!(silent.checkpoint_at, None, "nobody swore it");
    let head_hash = protocol::ledger::genesis(who.node, who.term, Stream::Fiscal);
    let empty = CheckpointV1 { stream: Stream::Fiscal, term: who.term, seq: Seq(0), head_hash, at: NOW };
    service::record_checkpoint(&hq.app, &who, device.swear(who.node, empty)).await.unwrap();
    let empty = show().await;
    assert_eq!((empty.stored, empty.received, empty.head_hash_equal), (Some(0), 0, true));
    assert!(empty.checkpoint_at.is_some());
}

#[tokio::test]
async fn certificates_that_fall_are_found_among_those_that_stand() {
    let hq = Hq::new().await;
    let (one, two) = (leaf(&hq.node().await.1), leaf(&hq.node().await.1));
    let both: Vec<Arc<[u8]>> = vec![one.as_ref().into(), two.as_ref().into()];
    let fallen = async || service::fallen(&hq.app, hq.tenant, &both).await.unwrap();
    assert_eq!(fallen().await, [false, false]);
    hq.sql(
        "UPDATE app.node_certificates SET revoked_at = now(), revoked_reason = 'stolen'
        WHERE fingerprint = (SELECT fingerprint FROM app.node_certificates ORDER BY fingerprint LIMIT 1)",
    )
    .await;
    assert_eq!(fallen().await.iter().filter(|fallen| **fallen).count(), 1);
    hq.sql("UPDATE app.nodes SET term = 2").await;
    assert_eq!(fallen().await, [true, true]);
    let (other, _) = tenant(&hq.app, "Other").await;
    let theirs = service::fallen(&hq.app, other, &both).await.unwrap();
    assert_eq!(theirs, [true, true], "another tenant's eyes see none of them");
}

#[tokio::test]
async fn a_contact_is_noted_and_listed() {
    let hq = Hq::new().await;
    let (_, _, who) = hq.node().await;
    let report = |connected| NodeReport {
        agent_version: "0.1.0\n".repeat(100),
        clock: NOW.plus_millis(1_500),
        boot_nonce: vec![7; 1_000],
        carrier: Carrier::Quic,
        address: "192.0.2.1:5".into(),
        connected,
    };
    service::seen(&hq.app, &who, report(true)).await.unwrap();
    hq.app.clock.advance_millis(1_000);
    service::seen(&hq.app, &who, report(false)).await.unwrap();
    hq.node().await;
    let mut tx = TenantTx::begin(&hq.app.db, hq.tenant).await.unwrap();
    let (page, next) = service::list(&mut tx, Some(hq.shop), None, 1).await.unwrap();
    assert_eq!(page[0].clock_skew_millis, Some(500));
    assert_eq!(page[0].last_seen_at.map(crate::clock::timestamp), Some(NOW.plus_millis(1_000)));
    let (rest, end) = service::list(&mut tx, None, next, 1).await.unwrap();
    assert_eq!((rest.len(), end), (1, None));
    assert_eq!((rest[0].last_seen_at, rest[0].agent_version.as_deref()), (None, None));
}

#[tokio::test]
async fn another_ca_on_the_same_database_is_refused() {
    let hq = Hq::new().await;
    assert!(Fleet::open(hq.ca.path(), &hq.test.db, &hq.app.clock, Vec::new()).await.is_ok());
    let other = tempfile::tempdir().unwrap();
    let opened = Fleet::open(other.path(), &hq.test.db, &hq.app.clock, Vec::new()).await;
    assert!(matches!(opened, Err(FleetError::OtherCa { .. })));
}

#[tokio::test]
async fn every_statement_is_understood_by_postgresql() {
    let hq = Hq::new().await;
    let mut app = TenantTx::begin(&hq.app.db, hq.tenant).await.unwrap();
    let mut platform = SystemTx::begin(&hq.app.db, SystemReason::Enrolment).await.unwrap();
    for (role, sql) in store::ALL {
        let connection = if *role == "app" { app.conn() } else { platform.conn() };
        let prepared = (&mut *connection).prepare(sqlx::SqlStr::from_static(sql)).await;
        assert!(prepared.is_ok(), "{sql}: {prepared:?}");
    }
}

#[tokio::test]
async fn the_tables_keep_tenants_apart() {
    let hq = Hq::new().await;
    let (_, reply, who) = hq.node().await;
    let (other, _) = tenant(&hq.app, "two").await;
    let mut tx = TenantTx::begin(&hq.app.db, other).await.unwrap();
    assert!(service::list(&mut tx, None, None, 10).await.unwrap().0.is_empty());
    assert!(matches!(service::completeness(&mut tx, hq.shop).await, Err(FleetError::NoShop)));
    let fingerprint = protocol::enroll::fingerprint(&leaf(&reply));
    assert!(store::certificate(&mut tx, &fingerprint, (who.shop, who.node)).await.unwrap().is_none());
    assert!(store::shop_ca(&mut tx, hq.shop).await.unwrap().is_none());
    let mut superuser = hq.test.superuser().await;
    assert_eq!(crate::db::violations(&mut superuser).await.unwrap(), []);
}

#[tokio::test]
async fn a_fleet_stands_as_its_cursors_and_oaths_say() {
    use crate::domain::sales::testing::Made;
    use protocol::collection::{Collection, Version};
    let hq = Hq::new().await;
    let (device, _, who) = hq.node().await;
    let sale = |seq: u64| Made::sale(u128::from(seq), &[("A", 1_000, 10_000)]).record(seq);
    let ingest = |records| sales::service::ingest(&hq.app, &who, Stream::Fiscal, records);
    ingest(vec![sale(1), sale(2), sale(5)]).await.unwrap();
    let checkpoint = CheckpointV1 { term: who.term, stream: Stream::Fiscal, seq: Seq(7), head_hash: [9; 32], at: NOW };
    service::record_checkpoint(&hq.app, &who, device.swear(who.node, checkpoint)).await.unwrap();
    let mut tx = TenantTx::begin(&hq.app.db, hq.tenant).await.unwrap();
    let standing = service::standing(&mut tx, Some(hq.shop)).await.unwrap();
    let log = &standing.nodes[0].logs[0];
    assert_eq!((log.stored, log.received, log.gaps, log.waiting()), (Some(7), 3, 2, 4));
    assert!(log.reigns && !log.contradicts && standing.nodes[0].catalogue.is_none());
    for (version, news) in [(3, true), (3, false), (4, true)] {
        let mut tx = TenantTx::begin(&hq.app.db, hq.tenant).await.unwrap();
        let said = service::holds(&mut tx, who.node, Collection::Catalogue, Version(version), NOW).await.unwrap();
        assert_eq!(said, news);
        tx.save().await.unwrap();
    }
    let detail = service::detail(&mut tx, who.node).await.unwrap().unwrap();
    assert_eq!(detail.standing.catalogue.map(|held| held.version), Some(4));
    assert_eq!((detail.standing.row.logs.len(), detail.standing.row.logs[0].seq), (1, 7));
    // All of it comes in, and the chain is another than the one that was sworn to.
    ingest(vec![sale(3), sale(4), sale(6), sale(7)]).await.unwrap();
    let standing = service::standing(&mut tx, None).await.unwrap();
    assert!(standing.nodes[0].logs[0].contradicts, "{standing:?}");
    let (other, _) = tenant(&hq.app, "two").await;
    let mut foreign = TenantTx::begin(&hq.app.db, other).await.unwrap();
    assert_eq!(service::standing(&mut foreign, None).await.unwrap(), Standing::default());
    assert_eq!(service::detail(&mut foreign, who.node).await.unwrap(), None);
}
