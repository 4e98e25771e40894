//! Both sides of the session one step at a time: hello, batches, acknowledgements, refusals, timers.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it expects and fails on the rest")]

use super::ack::RangeSet;
use super::cloud::{Cloud, CloudEvent, Greeting, Parcel};
use super::edge::{Edge, EdgeConfig, EdgeEvent, LogHead, Phase, ReadRequest};
use super::*;
use crate::collection::{Collection, Version};
use crate::event::RawEvent;
use crate::frame::v1::{AckV1, AppliedV1, HeldV1, HelloV1, PaceV1, PingV1, WelcomeV1};
use crate::frame::{Body, Channel, Frame, pack};
use crate::id::{Seq, Stream, Term};
use crate::ledger::Record;

fn record(seq: u64, bytes: usize) -> Record {
    Record { seq: Seq(seq), event: RawEvent { kind: 1, version: 1, body: vec![seq as u8; bytes] } }
}

fn edge(durable: u64) -> Edge {
    let streams = vec![(Stream::Fiscal, LogHead { first_kept: 1, durable })];
    let collections = vec![(Collection::Catalogue, Version(0))];
    Edge::new(
        Tick(0),
        EdgeConfig { term: Term(1), boot_nonce: [1; 16], agent_version: "t".into(), seed: 3, streams, collections },
    )
}

fn frames(edge: &mut Edge) -> Vec<Frame> {
    std::iter::from_fn(|| edge.poll_transmit()).collect()
}

fn events(edge: &mut Edge) -> Vec<EdgeEvent> {
    std::iter::from_fn(|| edge.poll_event()).collect()
}

fn reads(edge: &mut Edge) -> Vec<ReadRequest> {
    let read = |event| if let EdgeEvent::Read(read) = event { Some(read) } else { None };
    events(edge).into_iter().filter_map(read).collect()
}

fn welcome(ranges: &[(u64, u64)], drain_per_second: u32) -> Frame {
    let cursors = vec![crate::frame::v1::CursorV1 { stream: 1, ranges: ranges.to_vec() }];
    let (time_signature, collections) = (Vec::new(), Vec::new());
    Frame::control(Body::Welcome(WelcomeV1 {
        version: 1,
        hq_time_ms: 5,
        time_signature,
        drain_per_second,
        cursors,
        collections,
    }))
}

fn ack(ranges: &[(u64, u64)], contiguous: u64, durable: bool) -> Frame {
    Frame::control(Body::Ack(AckV1 { stream: 1, ranges: ranges.to_vec(), contiguous, durable }))
}

fn up(durable: u64, hq: &[(u64, u64)]) -> Edge {
    let mut edge = edge(durable);
    edge.handle_timeout(Tick(0));
    assert_eq!(events(&mut edge), [EdgeEvent::Connect]);
    edge.connected(Tick(0), 1, 1);
    assert!(matches!(frames(&mut edge)[..], [Frame { body: Body::Hello(_), .. }]));
    edge.handle_frame(Tick(0), welcome(hq, 0));
    edge
}

fn answer(edge: &mut Edge, now: Tick, read: ReadRequest, bytes: usize) {
    edge.supply(now, read.id, (read.from.0..=read.to.0).map(|seq| record(seq, bytes)).collect(), None);
}

#[test]
fn a_failed_dial_backs_off_and_a_changed_network_tries_at_once() {
    let mut edge = edge(0);
    for _ in 0..12 {
        let Phase::Waiting(until) = edge.status().phase else { panic!("waiting") };
        edge.handle_timeout(until);
        assert_eq!(events(&mut edge), [EdgeEvent::Connect]);
        edge.disconnected(until, &Closed::new(CloseCode::TIMEOUT, "no route"));
    }
    assert_eq!(edge.status().failures, 12);
    edge.network_changed(Tick(9));
    assert_eq!(edge.status().phase, Phase::Waiting(Tick(9)));
}

#[test]
fn accepted_and_thrown_out_is_a_failure_and_only_a_useful_hour_forgives() {
    let mut edge = up(3, &[]);
    let busy = Closed { code: CloseCode::UNAVAILABLE, reason: "later".into(), retry_after_ms: 30_000 };
    edge.handle_frame(Tick(10), Frame::control(Body::Close(busy.to_wire())));
    assert_eq!(edge.status().failures, 1);
    let Phase::Waiting(until) = edge.status().phase else { panic!("waiting") };
    assert!(until >= Tick(30_010) && until <= Tick(31_010));
    assert!(events(&mut edge).contains(&EdgeEvent::Disconnect(busy)));
    // Up again, but nothing acknowledged: a minute alone forgives nothing.
    edge.handle_timeout(until);
    edge.connected(until, 1, 1);
    edge.handle_frame(until, welcome(&[], 0));
    let later = until.after(limits::STABLE_MS - 1);
    edge.handle_frame(later, ack(&[], 0, true));
    edge.handle_timeout(until.after(limits::STABLE_MS));
    assert_eq!(edge.status().failures, 1);
    let read = reads(&mut edge)[0];
    answer(&mut edge, later, read, 9);
    edge.handle_frame(later, ack(&[(1, 3)], 3, true));
    edge.handle_timeout(until.after(limits::STABLE_MS));
    assert_eq!(edge.status().failures, 0);
}

#[test]
fn live_goes_first_and_what_hq_has_is_not_sent_again() {
    let mut edge = up(2_000, &[(1, 100), (301, 400)]);
    let first = reads(&mut edge);
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].from, first[0].to), (Seq(101), Seq(300)), "the first gap, no further");
    edge.log_moved(Tick(1), Stream::Fiscal, LogHead { first_kept: 1, durable: 2_001 });
    let live = reads(&mut edge)[0];
    assert_eq!((live.from, live.to), (Seq(2_001), Seq(2_001)));
    answer(&mut edge, Tick(1), first[0], 10);
    answer(&mut edge, Tick(1), live, 10);
    let sent: Vec<Channel> = frames(&mut edge).iter().map(|frame| frame.channel).collect();
    assert_eq!(sent, [Channel::Live(Stream::Fiscal), Channel::Backlog(Stream::Fiscal)], "the live one overtakes");
}

#[test]
fn no_more_than_the_allowed_batches_are_in_flight() {
    let mut edge = up(100_000, &[]);
    let mut sent = 0;
    loop {
        let wanted = reads(&mut edge);
        if wanted.is_empty() {
            break;
        }
        wanted.into_iter().for_each(|read| answer(&mut edge, Tick(1), read, 10));
        sent += frames(&mut edge).iter().filter(|frame| matches!(frame.body, Body::Batch(_))).count();
    }
    assert_eq!(sent, limits::BATCHES_IN_FLIGHT - limits::LIVE_SLOTS, "the backlog leaves room for the living");
    for durable in 100_001..=100_010 {
        edge.log_moved(Tick(2), Stream::Fiscal, LogHead { first_kept: 1, durable });
        reads(&mut edge).into_iter().for_each(|read| answer(&mut edge, Tick(2), read, 10));
    }
    assert_eq!(edge.status().streams[0].2, limits::BATCHES_IN_FLIGHT);
}

#[test]
fn only_a_durable_acknowledgement_lets_the_log_forget() {
    let mut edge = up(5, &[]);
    let read = reads(&mut edge)[0];
    answer(&mut edge, Tick(1), read, 10);
    edge.handle_frame(Tick(2), ack(&[(1, 5)], 5, false));
    assert_eq!(edge.status().streams, [(Stream::Fiscal, 5, 1)]);
    edge.handle_frame(Tick(2), ack(&[(2, 5)], 0, true));
    assert!(!events(&mut edge).iter().any(|event| matches!(event, EdgeEvent::Settled { .. })), "1 is missing");
    edge.handle_frame(Tick(2), ack(&[(1, 1)], 5, true));
    assert!(events(&mut edge).contains(&EdgeEvent::Settled { stream: Stream::Fiscal, upto: Seq(5) }));
    assert_eq!(edge.status().streams, [(Stream::Fiscal, 0, 0)]);
}

#[test]
fn a_hole_in_the_log_is_passed_over_only_on_proof() {
    let mut edge = up(10, &[]);
    let read = reads(&mut edge)[0];
    edge.supply(Tick(1), read.id, Vec::new(), None);
    assert_eq!(edge.status().streams[0].1, 10, "no answer proves nothing");
    edge.handle_timeout(Tick(6_000));
    let read = reads(&mut edge)[0];
    edge.supply(Tick(6_000), read.id, [1, 2, 5, 10].map(|seq| record(seq, 3)).to_vec(), None);
    assert_eq!(edge.status().streams[0].1, 4);
    edge.handle_frame(Tick(6_001), ack(&[(1, 2), (5, 5), (10, 10)], 2, true));
    assert!(events(&mut edge).contains(&EdgeEvent::Settled { stream: Stream::Fiscal, upto: Seq(10) }));
}

#[test]
fn hq_ahead_of_the_log_is_an_alarm_and_new_records_are_sent_all_the_same() {
    let mut edge = up(10, &[(1, 50)]);
    let alarm = EdgeEvent::AheadOfLog { stream: Stream::Fiscal, hq: Seq(50), log: Seq(10) };
    assert!(events(&mut edge).contains(&alarm));
    edge.log_moved(Tick(1), Stream::Fiscal, LogHead { first_kept: 1, durable: 11 });
    assert_eq!(reads(&mut edge)[0].from, Seq(11), "so that HQ sees the fork");
}

#[test]
fn the_drain_rate_holds_the_backlog_back_and_nothing_else() {
    let mut edge = up(100_000, &[]);
    edge.handle_frame(Tick(0), Frame::control(Body::Pace(PaceV1 { drain_per_second: 100 })));
    let (mut now, mut sent) = (Tick(0), 0);
    while now < Tick(60_000) {
        for read in reads(&mut edge) {
            sent += read.to.0 - read.from.0 + 1;
            answer(&mut edge, now, read, 4);
            edge.handle_frame(now, ack(&[(read.from.0, read.to.0)], 0, true));
        }
        now = edge.poll_timeout().unwrap().max(now.after(1));
        edge.handle_frame(now, Frame::control(Body::Pong(crate::frame::v1::PongV1 { nonce: 0 })));
        edge.handle_timeout(now);
    }
    assert!((5_000..8_500).contains(&sent), "about 100 a second for a minute, sent {sent}");
    reads(&mut edge);
    edge.log_moved(now, Stream::Fiscal, LogHead { first_kept: 1, durable: 100_001 });
    assert_eq!(reads(&mut edge)[0].from, Seq(100_001));
}

#[test]
fn silence_is_asked_about_and_then_ends_the_connection() {
    let mut edge = up(0, &[]);
    let mut asked = 0;
    while let Phase::Up(_) = edge.status().phase {
        let next = edge.poll_timeout().unwrap();
        edge.handle_timeout(next);
        asked += frames(&mut edge).iter().filter(|frame| matches!(frame.body, Body::Ping(_))).count();
        assert!(next <= Tick(limits::SILENCE_MS));
    }
    assert_eq!(asked, 2);
    let mut cloud = Cloud::new(Tick(0));
    cloud.handle_timeout(Tick(limits::HELLO_TIMEOUT_MS));
    assert!(cloud.is_closed());
}

fn hello() -> HelloV1 {
    let mut edge = edge(0);
    edge.handle_timeout(Tick(0));
    edge.connected(Tick(0), 1, 1);
    match frames(&mut edge).remove(0).body {
        Body::Hello(hello) => hello,
        other => panic!("{}", other.name()),
    }
}

fn cloud_up() -> Cloud {
    let mut cloud = Cloud::new(Tick(0));
    cloud.handle_frame(Tick(0), Frame::control(Body::Hello(hello())));
    assert!(matches!(cloud.poll_event(), Some(CloudEvent::Hello(_))));
    cloud.welcome(Greeting { cursors: vec![(Stream::Fiscal, RangeSet::new())], ..Greeting::default() });
    cloud.poll_transmit().unwrap();
    assert!(matches!(cloud.poll_event(), Some(CloudEvent::Holds { .. })));
    cloud
}

fn batch(channel: fn(Stream) -> Channel, seqs: std::ops::RangeInclusive<u64>) -> Frame {
    let records: Vec<Record> = seqs.map(|seq| record(seq, 5)).collect();
    Frame { channel: channel(Stream::Fiscal), body: Body::Batch(pack(Stream::Fiscal, &records, None).unwrap()) }
}

fn ingest(cloud: &mut Cloud) -> Option<(u64, u64)> {
    match cloud.poll_event()? {
        CloudEvent::Ingest { id, records, .. } => Some((id, records[0].seq.0)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn hq_commits_one_batch_at_a_time_live_first_and_acknowledges_after_it() {
    let mut cloud = cloud_up();
    for first in [1, 11, 21] {
        cloud.handle_frame(Tick(1), batch(Channel::Backlog, first..=first + 9));
    }
    cloud.handle_frame(Tick(1), batch(Channel::Live, 100..=101));
    cloud.handle_frame(Tick(1), batch(Channel::Live, 100..=101));
    let (id, first) = ingest(&mut cloud).unwrap();
    assert_eq!(
        (first, ingest(&mut cloud), cloud.poll_transmit()),
        (1, None, None),
        "no second commit, no early answer"
    );
    let done = RangeSet::try_from(vec![(1, 10)]).unwrap();
    cloud.committed(id, &done);
    let Some(Frame { body: Body::Ack(said), .. }) = cloud.poll_transmit() else { panic!("an acknowledgement") };
    assert_eq!(said, AckV1 { stream: 1, ranges: vec![(1, 10)], contiguous: 10, durable: true });
    let (id, first) = ingest(&mut cloud).unwrap();
    assert_eq!(first, 100, "live overtakes at HQ too");
    cloud.failed(id, 700);
    let back: Vec<Body> = std::iter::from_fn(|| cloud.poll_transmit()).map(|frame| frame.body).collect();
    assert_eq!(back.len(), 3, "what failed and what waited behind it, the doubled one once: {back:?}");
    assert!(back.iter().all(|body| matches!(body, Body::Nack(nack) if nack.retry_after_ms == 700)));
}

#[test]
fn hq_bounds_what_waits() {
    let mut cloud = cloud_up();
    for first in 0..100 {
        cloud.handle_frame(Tick(1), batch(Channel::Live, first * 10 + 1..=first * 10 + 9));
    }
    assert_eq!(cloud.waiting(), limits::BATCHES_WAITING + 1);
    assert!(!cloud.is_closed());
}

#[test]
fn frames_out_of_place_end_the_connection_with_a_reason() {
    let closes = |frames: Vec<Frame>| {
        let mut cloud = Cloud::new(Tick(0));
        frames.into_iter().for_each(|frame| cloud.handle_frame(Tick(0), frame));
        std::iter::from_fn(|| cloud.poll_event())
            .find_map(|event| if let CloudEvent::Disconnect(closed) = event { Some(closed.code) } else { None })
    };
    assert_eq!(closes(vec![batch(Channel::Live, 1..=2)]), Some(CloseCode::PROTOCOL));
    assert_eq!(closes(vec![welcome(&[], 0)]), Some(CloseCode::PROTOCOL));
    let future = HelloV1 { versions: vec![9], ..hello() };
    assert_eq!(closes(vec![Frame::control(Body::Hello(future))]), Some(CloseCode::VERSION));
    let crowd = HelloV1 { versions: vec![1; 17], ..hello() };
    assert_eq!(closes(vec![Frame::control(Body::Hello(crowd))]), Some(CloseCode::VERSION));
    assert_eq!(
        closes(vec![Frame::control(Body::Ping(PingV1 { nonce: 1 })), Frame::control(Body::Hello(hello()))]),
        None
    );
    let mut edge = up(1, &[]);
    edge.handle_frame(Tick(1), batch(Channel::Live, 1..=2));
    assert!(
        events(&mut edge)
            .iter()
            .any(|event| matches!(event, EdgeEvent::Disconnect(closed) if closed.code == CloseCode::PROTOCOL))
    );
    let mut edge = up(1, &[]);
    edge.handle_frame(Tick(1), ack(&[(3, 2)], 0, true));
    assert!(matches!(edge.status().phase, Phase::Waiting(_)));
}

#[test]
fn a_transfer_goes_on_where_the_last_connection_left_it() {
    let bytes: Vec<u8> = (0..400_000_u64).flat_map(|at| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()).collect();
    let parcel = Parcel::from_bytes(Collection::Catalogue, Version(0), Version(4), &bytes).unwrap();
    let (mut edge, mut carried, mut lives) = (edge(0), 0, 0);
    let delivered = 'done: loop {
        lives += 1;
        let Phase::Waiting(now) = edge.status().phase else { panic!("waiting") };
        edge.handle_timeout(now);
        events(&mut edge);
        let mut cloud = Cloud::new(now);
        edge.connected(now, 1, 1);
        let mut budget = 60;
        loop {
            while let Some(frame) = edge.poll_transmit() {
                cloud.handle_frame(now, frame);
            }
            while let Some(event) = cloud.poll_event() {
                match event {
                    CloudEvent::Hello(_) => cloud.welcome(Greeting::default()),
                    CloudEvent::Holds { .. } => cloud.offer(now, parcel.clone()),
                    other => panic!("{other:?}"),
                }
            }
            let Some(frame) = cloud.poll_transmit() else { panic!("stalled") };
            carried += usize::from(matches!(frame.body, Body::Transfer(_)));
            edge.handle_frame(now, frame);
            let whole = events(&mut edge)
                .into_iter()
                .find_map(|event| if let EdgeEvent::Delivered(whole) = event { Some(whole) } else { None });
            if let Some(whole) = whole {
                break 'done whole;
            }
            budget -= 1;
            if budget == 0 {
                break;
            }
        }
        edge.disconnected(now, &Closed::new(CloseCode::TIMEOUT, "cut"));
    };
    assert!(lives > 2);
    assert_eq!((delivered.to, delivered.bytes), (Version(4), bytes));
    assert_eq!(carried, parcel.wire_bytes().div_ceil(limits::TRANSFER_CHUNK_BYTES), "no chunk came twice");
    edge.applied(Collection::Catalogue, Version(4), false);
}

#[test]
fn what_a_node_declines_is_not_offered_again_at_once() {
    let declined = |held: u64, from: u64, answer: AppliedV1| {
        let mut cloud = Cloud::new(Tick(0));
        let holds = HeldV1 { collection: Collection::Catalogue as u8, version: held };
        cloud.handle_frame(Tick(0), Frame::control(Body::Hello(HelloV1 { collections: vec![holds], ..hello() })));
        cloud.welcome(Greeting::default());
        while cloud.poll_event().is_some() {}
        let parcel = Parcel::from_bytes(Collection::Catalogue, Version(from), Version(7), b"seven").unwrap();
        cloud.offer(Tick(1), parcel);
        cloud.handle_frame(Tick(2), Frame::control(Body::Applied(answer)));
        assert!(!cloud.is_offering(Collection::Catalogue));
        let again = cloud.poll_event().is_some();
        cloud.handle_frame(Tick(3), Frame::control(Body::Applied(answer)));
        assert!(cloud.poll_event().is_none(), "saying it twice is not news");
        again
    };
    let at = |version| AppliedV1 { collection: Collection::Catalogue as u8, version, wants_snapshot: false };
    let whole = |version| AppliedV1 { wants_snapshot: true, ..at(version) };
    assert!(declined(5, 5, at(7)), "taken: is there more?");
    assert!(declined(4, 4, at(6)), "it had moved on meanwhile: from there");
    assert!(declined(5, 5, whole(5)), "a gap: the whole");
    assert!(declined(5, 0, whole(5)), "the whole once more");
    assert!(!declined(5, 5, at(5)), "its disk is full");
    assert!(!declined(0, 0, whole(0)), "nor could it take the whole");
    assert!(!declined(9, 0, at(9)), "HQ was restored and is behind the node");
}

#[test]
fn a_head_is_signed_once_still_and_at_times_while_busy() {
    let mut edge = up(0, &[]);
    let (mut signed, mut now) = (Vec::new(), Tick(0));
    for step in 0..100_u64 {
        now = Tick(step * 1_000);
        edge.handle_timeout(now);
        edge.handle_frame(now, Frame::control(Body::Pong(crate::frame::v1::PongV1 { nonce: 0 })));
        signed.extend(
            events(&mut edge).into_iter().filter(|event| matches!(event, EdgeEvent::SignCheckpoint(_))).map(|_| step),
        );
        if step < 70 {
            edge.log_moved(now, Stream::Fiscal, LogHead { first_kept: 1, durable: step + 1 });
        }
    }
    assert_eq!(signed.len(), 4, "at the start, twice while it grew for 70 s, once when it was still: {signed:?}");
    assert_eq!((signed[0], signed[3]), (0, 71));
    assert!(now > Tick(90_000));
}

#[test]
fn what_hq_deferred_comes_back() {
    let mut cloud = cloud_up();
    cloud.handle_frame(Tick(1), batch(Channel::Backlog, 1..=10));
    let (id, _) = ingest(&mut cloud).unwrap();
    cloud.committed(id, &RangeSet::try_from(vec![(1, 6)]).unwrap());
    let said: Vec<Body> = std::iter::from_fn(|| cloud.poll_transmit()).map(|frame| frame.body).collect();
    assert!(
        matches!(&said[..], [Body::Ack(ack), Body::Nack(nack)] if ack.contiguous == 6 && nack.last == 10),
        "{said:?}"
    );
}

#[test]
fn a_batch_that_came_back_is_sent_again_when_hq_said_and_no_later() {
    let mut edge = up(5, &[]);
    let read = reads(&mut edge)[0];
    answer(&mut edge, Tick(10), read, 10);
    let nack = crate::frame::v1::NackV1 { stream: 1, first: 1, last: 5, retry_after_ms: 700 };
    edge.handle_frame(Tick(20), Frame::control(Body::Nack(nack)));
    edge.handle_timeout(Tick(20));
    assert!(reads(&mut edge).is_empty());
    assert_eq!(edge.poll_timeout(), Some(Tick(720)));
    // A shell that looks only once the time has passed must still see it.
    assert_eq!(edge.poll_timeout(), Some(Tick(720)));
    edge.handle_timeout(Tick(725));
    assert_eq!(reads(&mut edge)[0].from, Seq(1));
}
