//! The decisions of the coordination under virtual time.

use protocol::lane_message::{Activity, DeviceCondition, DeviceKind};
use serde_json::{Value, json};

use super::*;

const AT: Timestamp = Timestamp(1_700_000_000_000);

fn lane(n: u128) -> LaneId {
    LaneId::from_uuid(Uuid::from_u128(n))
}

fn coordinator() -> Coordinator {
    let mut coordinator = Coordinator::new(Me {
        shop: ShopId::from_uuid(Uuid::from_u128(5)),
        node: NodeId::from_uuid(Uuid::from_u128(7)),
        name: "High Street".into(),
        software: "0.1.0".into(),
        boot: Uuid::from_u128(9),
    });
    coordinator.connected(AT);
    coordinator
}

fn drain(coordinator: &mut Coordinator) -> Vec<(Topic, bool, Value)> {
    let mut out = Vec::new();
    while let Some(message) = coordinator.head().cloned() {
        coordinator.sent();
        out.push((message.topic, message.retain, serde_json::from_slice(&message.body).unwrap()));
    }
    out
}

fn changed(n: u128, state: &'static str, revision: u32) -> Change {
    Change::Ticket { ticket_id: TicketId::from_uuid(Uuid::from_u128(n)), state, lane_id: lane(1), revision }
}

fn ticket_now(n: u128) -> TicketNow {
    TicketNow {
        ticket_id: TicketId::from_uuid(Uuid::from_u128(n)),
        state: TicketStanding::Parked,
        lane_id: lane(1),
        revision: 2,
        lines: 1,
        total_minor: 250,
        due_minor: 250,
        currency: protocol::money::Currency::GBP,
        opened_at: Moment(AT),
        note: Some("n".repeat(100)),
    }
}

fn topic_of(coordinator: &Coordinator, place: Place) -> String {
    Topic::new(coordinator.me.shop, place).to_string()
}

fn ask(coordinator: &mut Coordinator, of: LaneId, body: &Value, secs: u64) -> Heard {
    let topic = topic_of(coordinator, Place::LaneAsk(of));
    coordinator.heard(&topic, body.to_string().as_bytes(), AT, Duration::from_secs(secs))
}

#[test]
fn a_node_says_who_it_is_first_and_its_will_is_the_same_topic() {
    let mut node = coordinator();
    node.changed(&changed(1, "open", 1), AT);
    let said = drain(&mut node);
    assert_eq!(said[0].0.place, Place::NodePresence(node.me.node));
    assert!(said[0].1, "presence is retained");
    assert_eq!((&said[0].2["state"], &said[0].2["change"]), (&json!("online"), &json!(1)));
    assert_eq!((&said[1].2["state"], &said[1].2["change"]), (&json!("open"), &json!(1)));
    assert!(!said[1].1, "a change is not retained");
    let will = node.me.will(AT);
    assert_eq!((&will.topic, will.retain), (&said[0].0, true));
    assert_eq!(serde_json::from_slice::<Value>(&will.body).unwrap()["state"], "offline");
    for filter in node.me.filters() {
        let who = protocol::topic::Principal::Node(node.me.node);
        protocol::topic::may_subscribe(who, node.me.shop, &filter).unwrap();
    }
}

#[test]
fn without_a_connection_nothing_waits_but_numbers_go_on() {
    let mut node = coordinator();
    drain(&mut node);
    node.disconnected();
    for revision in 1..=10 {
        node.changed(&changed(1, "open", revision), AT);
    }
    assert!(node.head().is_none());
    assert!(node.farewell(AT).is_none(), "nobody to say it to");
    node.connected(AT);
    node.tell_all(&Facts {
        at: AT,
        tickets: vec![ticket_now(1)],
        collections: vec![(Collection::Catalogue, Version(4)), (Collection::Shop, Version(0))],
        ..Facts::default()
    });
    let said = drain(&mut node);
    let places: Vec<&Place> = said.iter().map(|(topic, ..)| &topic.place).collect();
    let ticket = TicketId::from_uuid(Uuid::from_u128(1));
    let wanted =
        [Place::NodePresence(node.me.node), Place::PriceChanged(Collection::Catalogue), Place::TicketChanged(ticket)];
    assert_eq!(places, wanted.iter().collect::<Vec<_>>(), "a collection that never came is not announced");
    assert_eq!(said[2].2["change"], 11);
    assert_eq!(node.dropped(), 0);
}

#[test]
fn a_full_queue_drops_the_oldest_counts_it_and_owns_up() {
    let mut node = coordinator();
    drain(&mut node);
    let most = limits::LANE_MESSAGES_WAITING;
    for n in 0..most + 3 {
        node.changed(&changed(1, "open", u32::try_from(n).unwrap()), AT);
    }
    assert_eq!(node.dropped(), 3);
    let said = drain(&mut node);
    assert_eq!(said.len(), most + 1);
    assert_eq!(said[0].0.place, Place::NodePresence(node.me.node));
    assert_eq!(said[0].2["change"], most + 3, "who listens learns that there is more than it saw");
    assert_eq!(said[1].2["change"], 4);
    node.missed(5);
    node.changed(&changed(1, "closed", 9), AT);
    assert_eq!(drain(&mut node).last().unwrap().2["change"], most + 3 + 5 + 1);
}

#[test]
fn lanes_come_and_go_and_a_new_connection_forgets_them() {
    let mut node = coordinator();
    let say = |node: &mut Coordinator, of: u128, place: fn(LaneId) -> Place, body: Value| {
        let topic = topic_of(node, place(lane(of)));
        node.heard(&topic, body.to_string().as_bytes(), AT, Duration::ZERO)
    };
    let presence = |state: &str| json!({"v": 1, "state": state, "name": "Till", "since": "2026-03-01T09:30:00Z"});
    let doing = |state: &str| json!({"v": 1, "state": state});
    assert_eq!(say(&mut node, 1, Place::LaneState, doing("idle")), Heard::Nothing, "not online");
    assert_eq!(say(&mut node, 1, Place::LanePresence, presence("online")), Heard::Board);
    assert_eq!(say(&mut node, 1, Place::LanePresence, presence("online")), Heard::Nothing, "nothing new");
    assert_eq!(say(&mut node, 1, Place::LaneState, doing("ringing")), Heard::Board);
    assert_eq!(node.board().seen(lane(1)).unwrap().doing, Some(Activity::Ringing));
    assert_eq!(say(&mut node, 2, Place::LanePresence, presence("online")), Heard::Board);
    assert_eq!(node.board().online(), [lane(1), lane(2)]);
    assert_eq!(say(&mut node, 1, Place::LanePresence, presence("offline")), Heard::Board);
    assert_eq!(node.board().seen(lane(1)).unwrap().doing, None);
    assert_eq!(node.board().online(), [lane(2)]);
    assert_eq!(say(&mut node, 2, Place::LanePresence, json!({"v": 2})), Heard::Nothing);
    node.connected(AT);
    assert!(node.board().online().is_empty());
    // More lanes than can be paired: those who left make room, nobody else does.
    for n in 0..200 {
        say(&mut node, n, Place::LanePresence, presence("offline"));
    }
    for n in 200..400 {
        say(&mut node, n, Place::LanePresence, presence("online"));
    }
    assert_eq!(node.board().online().len(), limits::LANES);
}

#[test]
fn a_lane_that_asks_gets_the_whole_picture_in_parts() {
    let mut node = coordinator();
    node.changed(&changed(1, "open", 1), AT);
    drain(&mut node);
    let body = json!({"v": 1, "what": "all", "request_id": "r1"});
    let Heard::Wanted(wanted) = ask(&mut node, lane(1), &body, 0) else { panic!("no answer") };
    let device = Device {
        v: V1,
        device: "counter".into(),
        kind: DeviceKind::Printer,
        state: DeviceCondition::Ready,
        since: Moment(AT),
        detail: None,
    };
    let facts = Facts {
        at: AT,
        tickets: (0..1_000).map(ticket_now).collect(),
        collections: vec![(Collection::Catalogue, Version(4)), (Collection::Shop, Version(1))],
        devices: vec![device],
        paired: vec![(lane(1), "Till 1".into()), (lane(2), "Till 2".into())],
    };
    node.answer(wanted, &facts);
    let said = drain(&mut node);
    let parts = said.len();
    assert!(parts > 10, "{parts}");
    let mut tickets = 0;
    for ((topic, retain, body), part) in said.iter().zip(1..) {
        assert_eq!((&topic.place, *retain), (&Place::LaneReply(lane(1)), false));
        assert_eq!((&body["part"], &body["parts"], &body["request_id"]), (&json!(part), &json!(parts), &json!("r1")));
        tickets += body["content"]["tickets"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(tickets, 1_000);
    assert_eq!(said[0].2["content"]["change"], 1);
    let whats: Vec<&str> =
        said[parts - 4..].iter().map(|(.., body)| body["content"]["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["tickets", "prices", "devices", "lanes"]);
    assert_eq!(
        said[parts - 1].2["content"]["lanes"][1],
        json!({"lane_id": lane(2), "name": "Till 2", "online": false})
    );
}

#[test]
fn a_lane_that_asks_without_end_is_told_once_and_others_are_not_held_up() {
    let mut node = coordinator();
    drain(&mut node);
    let body = json!({"v": 1, "what": "tickets", "request_id": "r"});
    let answered = (0..100).filter(|_| matches!(ask(&mut node, lane(1), &body, 0), Heard::Wanted(_))).count();
    assert_eq!(answered, limits::LANE_ASKS_BURST as usize);
    let said = drain(&mut node);
    assert_eq!(said.len(), 1, "one refusal, then silence");
    assert_eq!(said[0].2["content"]["what"], "refused");
    assert_eq!(said[0].2["content"]["retry_after_ms"], limits::LANE_ASK_EVERY_MS);
    assert!(matches!(ask(&mut node, lane(2), &body, 0), Heard::Wanted(_)));
    assert!(matches!(ask(&mut node, lane(1), &body, 2), Heard::Wanted(_)));
    assert_eq!(ask(&mut node, lane(1), &body, 3), Heard::Nothing);
    let again = (0..100).filter(|_| matches!(ask(&mut node, lane(1), &body, 3_600), Heard::Wanted(_))).count();
    assert_eq!(again, limits::LANE_ASKS_BURST as usize, "a long silence earns the burst back and no more");
    // What was never an ask is answered with its fault, and paced the same.
    drain(&mut node);
    assert_eq!(ask(&mut node, lane(3), &json!({"v": 9}), 3_600), Heard::Nothing);
    let fault = drain(&mut node)[0].2["content"]["message"].to_string();
    assert!(fault.contains("cannot be read"), "{fault}");
}
