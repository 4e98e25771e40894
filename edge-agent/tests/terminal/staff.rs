//! People at the lanes: who signs in, what a second person has to approve, what the record says of it, and what
//! becomes of those who guess PINs.

use protocol::collection::{Delivery, Version};
use protocol::event::{Approved, FiscalEvent, StaffMark};
use protocol::id::{Seq, StaffId, Stream};
use protocol::money::Amount;
use protocol::staff::{DiscountLimit, PinVerifier, Right, Rights, Staff, StaffMember, StaffPolicy};
use serde_json::{Value, json};

use crate::fixture::{Answer, Lane, Node};
use crate::power::Process;

const NORA: u128 = 0x70;
const BEN: u128 = 0xb0;

fn id(number: u128) -> String {
    uuid::Uuid::from_u128(number).to_string()
}

fn amount(minor: i64) -> Option<Amount> {
    Some(Amount::from_minor(minor).unwrap())
}

fn member(number: u128, name: &str, rights: Rights, pin: &str) -> StaffMember {
    StaffMember {
        id: StaffId::from_uuid(uuid::Uuid::from_u128(number)),
        name: format!("{name} Example"),
        short_name: name.into(),
        rights,
        discount: DiscountLimit { ppm: (number == BEN).then_some(100_000), amount: None },
        pin: PinVerifier::of(pin, [u8::try_from(number).unwrap(); 16]),
    }
}

/// Nora manages, Ben sells; somebody has to be signed in.
fn staff(version: u64) -> Staff {
    let policy = StaffPolicy {
        cashier_required: true,
        idle_minutes: 30,
        void_line_above: amount(500),
        void_ticket_above: amount(500),
        refund_above: amount(0),
        no_sale: true,
        discount_above: DiscountLimit { ppm: Some(500_000), amount: None },
    };
    let cashier = [Right::Sell, Right::Void, Right::Discount].into_iter().collect();
    let people =
        vec![member(NORA, "Nora", Right::ALL.into_iter().collect(), "4711"), member(BEN, "Ben", cashier, "9052")];
    Staff { version: Version(version), people, policy }
}

async fn with_staff() -> Node {
    let node = Node::start().await;
    apply(&node, staff(1));
    node
}

fn apply(node: &Node, staff: Staff) {
    node.running().snapshots.apply(Delivery::Staff(staff).to_bytes().unwrap()).unwrap();
}

async fn sign_in(lane: &Lane, number: u128, pin: &str) -> Answer {
    lane.post("/v1/staff/sign-in", json!({ "staff_id": id(number), "pin": pin })).await
}

fn nora(pin: &str) -> Value {
    json!({ "staff_id": id(NORA), "pin": pin, "reason": "damaged box" })
}

fn reason(answer: &Answer) -> String {
    answer.json()["error"]["details"]["reason"].as_str().unwrap_or_default().to_owned()
}

/// Every fiscal record of the node.
fn records(node: &Node) -> Vec<FiscalEvent> {
    let mut events = Vec::new();
    node.running()
        .logs
        .replay(Stream::Fiscal, Seq(1), &mut |record| {
            events.push(FiscalEvent::decode(&record.event).unwrap().unwrap());
            Ok(())
        })
        .unwrap();
    events
}

fn name(mark: Option<&StaffMark>) -> &str {
    mark.map_or("nobody", |mark| mark.name.as_str())
}

#[tokio::test]
async fn without_people_a_lane_sells_as_ever_and_its_records_are_of_the_old_version() {
    let node = Node::start().await;
    let lane = node.lane("Till 1").await;
    lane.sell(&[("85123A", "1")], 255).await;
    let opened = lane.post("/v1/no-sales", json!({ "reason": "change" })).await.data();
    assert_eq!(opened["reason"], "change");
    let head = node.running().logs.read_one(Stream::Fiscal, Seq(1)).unwrap().unwrap();
    assert_eq!((head.event.kind, head.event.version), (1, 1));
    let listed = lane.get("/v1/staff").await.data();
    assert_eq!(listed["people"], json!([]));
}

#[tokio::test]
async fn a_manager_approves_what_a_cashier_may_not_do_alone_and_stands_in_the_record() {
    let mut node = with_staff().await;
    let lane = node.lane("Till 1").await;
    let refused = lane.post("/v1/tickets", json!({ "kind": "sale" })).await;
    refused.error(403, "AUTHZ");
    assert_eq!(reason(&refused), "cashier_required", "a lane alone does nothing");
    let signed = sign_in(&lane, BEN, "9052").await.data();
    assert_eq!(signed["rights"], json!(["sell", "void", "discount"]));

    let ticket = lane.sale().await;
    lane.line(&ticket, json!({ "code": "22423", "quantity": "1" })).await;
    lane.line(&ticket, json!({ "code": "71053", "quantity": "2" })).await;
    let path = format!("{ticket}/lines/1/void");
    let refused = lane.post(&path, json!({ "reason": "wrong" })).await;
    refused.error(403, "AUTHZ");
    let details = refused.json()["error"]["details"].clone();
    assert_eq!((details["action"].as_str(), details["why"].as_str()), (Some("void_line"), Some("shop_limit")));
    assert_eq!(details["approvers"], json!([{ "staff_id": id(NORA), "name": "Nora" }]), "who may");
    // Ben cannot approve for himself.
    let himself =
        json!({ "reason": "wrong", "approval": { "staff_id": id(BEN), "pin": "9052", "reason": "I say so" } });
    lane.post(&path, himself).await.error(403, "AUTHZ");
    lane.post(&path, json!({ "reason": "wrong", "approval": nora("4711") })).await.data();
    // Making a line smaller is taking part of it back, and a price of pennies is a discount.
    let less = lane.patch(&format!("{ticket}/lines/2"), json!({ "quantity": "1" })).await;
    less.data();
    let cheap = lane.patch(&format!("{ticket}/lines/2"), json!({ "unit_price": "0.01" })).await;
    cheap.error(403, "AUTHZ");
    assert_eq!(reason(&cheap), "approval_required");
    let ten = lane.put(&format!("{ticket}/discount"), json!({ "discount": { "percent": "10" } })).await;
    ten.data();
    lane.put(&format!("{ticket}/discount"), json!({ "discount": { "percent": "11" } })).await.error(403, "AUTHZ");
    let receipt = lane.close(&ticket, 305).await;
    assert_eq!(receipt["cashier"]["name"], "Ben");
    assert_eq!(receipt["approvals"][0]["approver"]["name"], "Nora");

    // Goods come back after a restart: Ben is still at the lane, and has no right to give money back.
    node.restart().await;
    let lane = node.again(&lane);
    let back = lane.open(json!({ "kind": "return" })).await;
    lane.line(&back, json!({ "code": "71053", "quantity": "1" })).await;
    let close = json!({ "tenders": [{ "kind": "cash", "amount_minor": -339 }] });
    let refused = lane.post(&format!("{back}/close"), close.clone()).await;
    assert_eq!(refused.json()["error"]["details"]["why"], "no_right", "{}", refused.json());
    let mut approved = close;
    approved["approval"] = nora("4711");
    let first = lane.keyed("refund", &format!("{back}/close"), approved.clone()).await;
    let again = lane.keyed("refund", &format!("{back}/close"), approved).await;
    assert_eq!(first.bytes, again.bytes, "a repetition gets the same answer");

    let drawer = json!({ "reason": "bus driver", "approval": nora("4711") });
    lane.post("/v1/no-sales", json!({ "reason": "bus driver" })).await.error(403, "AUTHZ");
    assert_eq!(lane.post("/v1/no-sales", drawer).await.data()["approval"]["approver"]["name"], "Nora");

    let given_up = lane.sale().await;
    lane.line(&given_up, json!({ "code": "22423", "quantity": "1" })).await;
    lane.post(&format!("{given_up}/void"), json!({ "reason": "no money" })).await.error(403, "AUTHZ");
    let body = json!({ "reason": "no money", "approval": nora("4711") });
    let void = lane.keyed("void", &format!("{given_up}/void"), body.clone()).await;
    assert_eq!(void.data()["state"], "voided");
    node.lose_index().await;
    let lane = node.again(&lane);
    let again = lane.keyed("void", &format!("{given_up}/void"), body).await;
    assert_eq!(again.bytes, void.bytes, "from the record alone");

    let events = records(&node);
    let [
        FiscalEvent::TicketClosed(sale),
        FiscalEvent::TicketClosed(refund),
        FiscalEvent::NoSale(drawer),
        FiscalEvent::TicketVoided(void),
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    for (approvals, what) in
        [(&sale.approvals, "void_line"), (&refund.approvals, "refund"), (&void.approvals, "void_ticket")]
    {
        let given = approvals.first().unwrap();
        assert_eq!((given.what.action().name(), given.approver.name.as_str()), (what, "Nora"));
        assert_eq!((given.reason.as_str(), name(given.cashier.as_ref())), ("damaged box", "Ben"));
    }
    assert!(matches!(sale.approvals[0].what, Approved::VoidLine { line_no: 1, .. }), "and the line itself");
    assert_eq!(sale.voided[0].line.code.as_deref(), Some("22423"));
    assert_eq!((name(drawer.cashier.as_ref()), drawer.reason.as_str()), ("Ben", "bus driver"));
    assert_eq!(name(void.cashier.as_ref()), "Ben");
}

#[tokio::test]
async fn nothing_on_the_disk_of_the_node_can_be_tried_against_a_pin() {
    let mut node = with_staff().await;
    let lane = node.lane("Till 1").await;
    sign_in(&lane, BEN, "9052").await.data();
    let body = json!({ "reason": "bus driver", "approval": nora("4711") });
    lane.keyed("drawer", "/v1/no-sales", body).await.data();
    let FiscalEvent::NoSale(event) = records(&node).pop().unwrap() else { panic!("no drawer") };
    for pin in 0..10_000 {
        let guess = json!({ "reason": "bus driver", "approval": nora(&format!("{pin:04}")) });
        let bytes = [b"POST\0/v1/no-sales\0".as_slice(), &serde_json::to_vec(&guess).unwrap()].concat();
        assert_ne!(
            *blake3::hash(&bytes).as_bytes(),
            event.request_hash,
            "{pin:04} is found in the hash of the request"
        );
    }
    node.stop().await;
    let mut folders = vec![node.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                assert!(!bytes.windows(6).any(|window| window == b"\"4711\""), "{}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn wrong_pins_are_stopped_for_the_person_and_the_lane_and_a_restart_forgives_nothing() {
    let mut node = with_staff().await;
    let (lane, other, third) = (node.lane("Till 1").await, node.lane("Till 2").await, node.lane("Till 3").await);
    for _ in 0..3 {
        let wrong = sign_in(&lane, NORA, "0815").await;
        wrong.error(403, "AUTHZ");
        assert_eq!(reason(&wrong), "wrong_pin");
    }
    // Somebody nobody knows is told the same.
    let nobody = sign_in(&lane, 0xdead, "0815").await;
    assert_eq!((nobody.status.as_u16(), reason(&nobody).as_str()), (403, "wrong_pin"));
    sign_in(&lane, NORA, "123").await.error(400, "VALIDATION");
    node.restart().await;
    let (lane, other, third) = (node.again(&lane), node.again(&other), node.again(&third));
    sign_in(&lane, NORA, "0816").await.error(403, "AUTHZ");
    let stopped = sign_in(&lane, NORA, "4711").await;
    stopped.error(429, "RATE_LIMIT");
    assert_eq!(reason(&stopped), "pin_throttled", "the right one helps no more");
    sign_in(&lane, BEN, "9052").await.error(429, "RATE_LIMIT");
    sign_in(&other, NORA, "0817").await.error(403, "AUTHZ");
    sign_in(&third, NORA, "4711").await.error(429, "RATE_LIMIT");
    sign_in(&other, BEN, "9052").await.data();
    node.clock.advance_millis(15 * 60 * 1_000);
    sign_in(&lane, NORA, "4711").await.data();
    let stopped = node.running().logs.head(Stream::Telemetry).durable;
    assert!(stopped.0 >= 1, "head office hears of it");
}

#[tokio::test]
async fn who_has_left_or_stays_away_rings_nothing_more() {
    let node = with_staff().await;
    let lane = node.lane("Till 1").await;
    sign_in(&lane, BEN, "9052").await.data();
    let ticket = lane.sale().await;
    lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    node.clock.advance_millis(31 * 60 * 1_000);
    lane.post(&format!("{ticket}/lines"), json!({ "code": "85123A", "quantity": "1" })).await.error(403, "AUTHZ");
    sign_in(&lane, BEN, "9052").await.data();
    lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    let mut fewer = staff(2);
    fewer.people.retain(|member| member.short_name != "Ben");
    apply(&node, fewer);
    lane.post(&format!("{ticket}/close"), json!({ "tenders": [] })).await.error(403, "AUTHZ");
    assert_eq!(lane.get("/v1/staff").await.data()["cashier"], Value::Null);
    sign_in(&lane, BEN, "9052").await.error(403, "AUTHZ");
    sign_in(&lane, NORA, "4711").await.data();
    let receipt = lane.close(&ticket, 510).await;
    assert_eq!(receipt["cashier"]["name"], "Nora");
    lane.post("/v1/staff/sign-out", json!({})).await.data();
    lane.post("/v1/tickets", json!({ "kind": "sale" })).await.error(403, "AUTHZ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_pins_at_one_lane_does_not_stop_another_from_selling() {
    let node = with_staff().await;
    let (seller, attacker) = (node.lane("Till 1").await, node.lane("Till 2").await);
    sign_in(&seller, BEN, "9052").await.data();
    let mut flood = tokio::task::JoinSet::new();
    for number in 0..200_u128 {
        let attacker = attacker.clone();
        flood.spawn(async move { sign_in(&attacker, number, "0815").await.status.as_u16() });
    }
    for _ in 0..20 {
        seller.sell(&[("85123A", "1")], 255).await;
    }
    let answers = flood.join_all().await;
    let tried = answers.iter().filter(|status| **status == 403).count();
    assert_eq!(tried, 5, "five were checked");
    assert!(answers.iter().all(|status| [403, 429].contains(status)), "{answers:?}");
    assert_eq!(records(&node).len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_minus_nine_forgives_no_wrong_pin_and_signs_nobody_out() {
    let mut node = with_staff().await;
    let (lane, other) = (node.lane("Till 1").await, node.lane("Till 2").await);
    let (config, addresses) = (node.write_config(), node.layout().addresses());
    node.stop().await;
    let mut process = Process::start(&config, &addresses);
    let mut at = Process::base(&addresses).await;
    let till = |lane: &Lane, base: &str| Lane { base: base.to_owned(), ..lane.clone() };
    sign_in(&till(&other, &at), BEN, "9052").await.data();
    for tries in [2, 3] {
        for _ in 0..tries {
            sign_in(&till(&lane, &at), NORA, "0815").await.error(403, "AUTHZ");
        }
        process = {
            drop(process);
            Process::start(&config, &addresses)
        };
        at = Process::base(&addresses).await;
    }
    sign_in(&till(&lane, &at), NORA, "4711").await.error(429, "RATE_LIMIT");
    let receipt = till(&other, &at).sell(&[("85123A", "1")], 255).await;
    assert_eq!(receipt["cashier"]["name"], "Ben");
    drop(process);
}
