//! Rights of topics: examples a person can read, and properties against a matcher that knows no rights.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn shop(n: u128) -> ShopId {
    ShopId::from_uuid(Uuid::from_u128(n))
}
fn lane(n: u128) -> LaneId {
    LaneId::from_uuid(Uuid::from_u128(n))
}
fn node(n: u128) -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(n))
}
const SHOP: u128 = 0x5;
const LANE: u128 = 0xa;

fn me() -> Principal {
    Principal::Lane(lane(LANE))
}

fn every_place(n: u128) -> Vec<Place> {
    let mut places = vec![
        Place::LanePresence(lane(n)),
        Place::LaneState(lane(n)),
        Place::LaneAsk(lane(n)),
        Place::LaneReply(lane(n)),
        Place::TicketChanged(TicketId::from_uuid(Uuid::from_u128(n))),
        Place::DeviceState("counter".parse().unwrap()),
        Place::NodePresence(node(n)),
    ];
    places.extend(Collection::ALL.map(Place::PriceChanged));
    places
}

/// Topics of two shops and three ids each: the world the filters are tried on.
fn world() -> Vec<Topic> {
    let all = |s| (0xa..0xd).flat_map(every_place).map(move |place| Topic::new(shop(s), place));
    all(SHOP).chain(all(0x6)).collect()
}

#[test]
fn every_topic_reads_back_and_stands_in_the_list_of_rooms() {
    for topic in world() {
        let text = topic.to_string();
        assert!(text.len() <= limits::TOPIC_BYTES);
        assert_eq!(text.parse::<Topic>(), Ok(topic));
        let levels: Vec<&str> = text.split('/').collect();
        assert!(ROOMS.iter().any(|(room, channels)| *room == levels[2] && channels.contains(&levels[4])), "{text}");
    }
    // And the list names nothing that does not exist.
    for (room, channels) in ROOMS {
        for channel in channels {
            let is_there = world().iter().any(|topic| {
                let (of, _, on) = topic.place.levels();
                of == room && on == *channel
            });
            assert!(is_there, "{room}/{channel}");
        }
    }
}

#[test]
fn text_that_is_no_topic_is_refused_by_its_fault() {
    let (s, l) = (shop(SHOP), lane(LANE));
    let cases = [
        (String::new(), TopicError::Length),
        (format!("tw/{s}/device/{}/state", "x".repeat(limits::TOPIC_BYTES)), TopicError::Length),
        (format!("tw/{s}/lane/{l}/\u{0}"), TopicError::Character),
        (format!("tw/{s}/device/kasse\u{e4}/state"), TopicError::Character),
        ("$SYS/broker".into(), TopicError::Dollar),
        (format!("$share/g/tw/{s}/lane/{l}/state"), TopicError::Dollar),
        (format!("tw/{s}/lane/+/state"), TopicError::Wildcard),
        (format!("tw/{s}/lane/{l}"), TopicError::Depth),
        (format!("tw/{s}/lane/{l}/state/"), TopicError::Depth),
        (format!("tx/{s}/lane/{l}/state"), TopicError::Unknown),
        (format!("tw/{s}/lane/{l}/stat"), TopicError::Unknown),
        (format!("tw/{s}/lane/{}/state", l.to_string().to_uppercase()), TopicError::Id),
        (format!("tw/{s}/lane/{}/state", l.as_uuid().simple()), TopicError::Id),
        (format!("tw/{s}/price/unknown/changed"), TopicError::Id),
        (format!("tw/{s}/device/a b/state"), TopicError::Id),
    ];
    for (text, fault) in cases {
        assert_eq!(text.parse::<Topic>(), Err(fault), "{text:?}");
    }
}

#[test]
fn a_lane_speaks_for_itself_only_and_the_node_never_for_a_lane() {
    let own = |channel: &str| format!("tw/{}/lane/{}/{channel}", shop(SHOP), lane(LANE));
    for channel in ["presence", "state", "ask"] {
        assert!(may_publish(me(), shop(SHOP), &own(channel)).is_ok());
    }
    assert_eq!(may_publish(me(), shop(SHOP), &own("reply")), Err(TopicError::Right));
    assert_eq!(may_publish(me(), shop(0x6), &own("state")), Err(TopicError::Shop));
    for topic in world().into_iter().filter(|topic| topic.shop == shop(SHOP)) {
        let text = topic.to_string();
        let by_lane = may_publish(me(), shop(SHOP), &text).is_ok();
        let by_node = may_publish(Principal::Node(node(LANE)), shop(SHOP), &text).is_ok();
        assert!(!(by_lane && by_node), "two may speak on {text}");
        let others =
            matches!(topic.place, Place::LanePresence(l) | Place::LaneState(l) | Place::LaneAsk(l) if l != lane(LANE));
        assert!(!(others && by_lane), "{text}");
    }
    let foreign = Topic::new(shop(SHOP), Place::NodePresence(node(0xb))).to_string();
    assert_eq!(may_publish(Principal::Node(node(LANE)), shop(SHOP), &foreign), Err(TopicError::Right));
}

#[test]
fn filters_a_lane_uses_and_filters_it_is_refused() {
    let (s, l) = (shop(SHOP), lane(LANE));
    let good = [
        format!("tw/{s}/lane/+/presence"),
        format!("tw/{s}/lane/+/state"),
        format!("tw/{s}/+/+/state"),
        format!("tw/{s}/+/+/changed"),
        format!("tw/{s}/lane/{l}/#"),
        format!("tw/{s}/lane/{l}/reply/#"),
        format!("tw/{s}/+/{l}/#"),
        format!("tw/{s}/ticket/#"),
        format!("tw/{s}/ticket/+/+"),
        format!("tw/{s}/device/+/state"),
    ];
    for filter in good {
        assert_eq!(may_subscribe(me(), s, &filter), Ok(()), "{filter}");
    }
    let bad = [
        ("#".into(), TopicError::Shop),
        ("+/+/ticket/+/changed".into(), TopicError::Shop),
        ("tw/#".into(), TopicError::Shop),
        ("tw/+/ticket/+/changed".into(), TopicError::Shop),
        (format!("tw/{}/ticket/#", shop(6)), TopicError::Shop),
        (format!("tw/{s}"), TopicError::Depth),
        (format!("tw/{s}/ticket/+"), TopicError::Depth),
        (format!("tw/{s}/ticket/+/changed/x/#"), TopicError::Depth),
        (format!("tw/{s}/ticket/+/changed/x"), TopicError::Depth),
        (format!("tw/{s}/#"), TopicError::Right),
        (format!("tw/{s}/lane/#"), TopicError::Right),
        (format!("tw/{s}/lane/+/+"), TopicError::Right),
        (format!("tw/{s}/lane/+/reply"), TopicError::Right),
        (format!("tw/{s}/+/+/reply"), TopicError::Right),
        (format!("tw/{s}/lane/{}/reply", lane(0xb)), TopicError::Right),
        (format!("tw/{s}/lane/{}/#", lane(0xb)), TopicError::Right),
        (format!("tw/{s}/+/{}/+", lane(0xb)), TopicError::Right),
        (format!("tw/{s}/till/#"), TopicError::Unknown),
        (format!("tw/{s}/lane/{l}/re#"), TopicError::Wildcard),
        (format!("tw/{s}/#/state"), TopicError::Wildcard),
        (format!("tw/{s}/lane/{l}+/state"), TopicError::Wildcard),
        (format!("$share/g/tw/{s}/ticket/#"), TopicError::Dollar),
        ("$SYS/#".into(), TopicError::Dollar),
    ];
    for (filter, fault) in bad {
        assert_eq!(may_subscribe(me(), s, &filter), Err(fault), "{filter}");
    }
    assert_eq!(may_subscribe(Principal::Node(node(1)), s, &format!("tw/{s}/#")), Ok(()));
}

#[test]
fn only_what_has_a_last_word_is_retained_and_the_will_is_presence() {
    for topic in world() {
        let last_word = matches!(topic.place, Place::LanePresence(_) | Place::NodePresence(_) | Place::DeviceState(_));
        assert_eq!(may_retain(&topic), last_word, "{topic}");
    }
    assert_eq!(me().presence(shop(SHOP)).place, Place::LanePresence(lane(LANE)));
    assert!(may_publish(me(), shop(SHOP), &me().presence(shop(SHOP)).to_string()).is_ok());
}

fn level() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("+".to_owned()),
        2 => Just("#".to_owned()),
        2 => prop::sample::select(vec!["lane", "ticket", "price", "device", "node"]).prop_map(str::to_owned),
        3 => prop::sample::select(vec!["presence", "state", "ask", "reply", "changed"]).prop_map(str::to_owned),
        3 => (0xau128..0xd).prop_map(|n| Uuid::from_u128(n).to_string()),
        1 => prop::sample::select(vec!["", "counter", "catalog", "$share", "tw", "+x", "\u{0}"]).prop_map(str::to_owned),
    ]
}

fn filter_text() -> impl Strategy<Value = String> {
    let head = prop_oneof![
        8 => Just(format!("tw/{}", shop(SHOP))),
        1 => Just(format!("tw/{}", shop(0x6))),
        1 => Just("tw/+".to_owned()),
        1 => Just("+/+".to_owned()),
        1 => Just("$share/g".to_owned()),
    ];
    (head, prop::collection::vec(level(), 0..6))
        .prop_map(|(head, rest)| rest.into_iter().fold(head, |text, level| text + "/" + &level))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// What is allowed never matches a topic the client may not read; and a refusal for want of right is never
    /// mere caution: such a filter does match one.
    #[test]
    fn a_filter_that_is_allowed_reaches_only_what_is_readable(text in filter_text(), as_node in any::<bool>()) {
        let who = if as_node { Principal::Node(node(LANE)) } else { me() };
        let answer = may_subscribe(who, shop(SHOP), &text);
        let forbidden = world().into_iter().find(|topic| {
            matches(&text, &topic.to_string()) && !may_read(who, shop(SHOP), topic)
        });
        match answer {
            Ok(()) => prop_assert_eq!(forbidden, None, "{} reaches it", text),
            Err(TopicError::Right) => prop_assert!(forbidden.is_some(), "{} was refused for nothing", text),
            Err(_) => {}
        }
    }

    /// Any bytes of a client: an answer, never a panic, and what is read is written the same.
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        if let Ok(topic) = text.parse::<Topic>() {
            prop_assert_eq!(topic.to_string(), text.clone());
        }
        drop(may_publish(me(), shop(SHOP), &text));
        if may_subscribe(me(), shop(SHOP), &text).is_ok() {
            prop_assert!(!text.starts_with('$'));
        }
    }

    #[test]
    fn near_topics_are_read_exactly_or_refused(levels in prop::collection::vec(level(), 3)) {
        let text = format!("tw/{}/{}", shop(SHOP), levels.join("/"));
        if let Ok(topic) = text.parse::<Topic>() {
            prop_assert_eq!(topic.to_string(), text);
        }
    }
}
