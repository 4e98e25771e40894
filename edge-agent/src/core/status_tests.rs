//! The sentence on top in every state, and the small arithmetic of the page.

use super::*;

/// 20 November 2026, 14:07 in London.
const NOW: Timestamp = Timestamp(1_795_183_620_000);

fn node() -> NodeStatus {
    let mut status = NodeStatus { at: NOW, ready: true, ..NodeStatus::default() };
    status.node.since = NOW.plus_millis(-DAY_MILLIS);
    status.node.zone = Some("Europe/London".to_owned());
    status.uplink.link = Link::Connected;
    status
}

fn says(status: NodeStatus) -> (Level, String) {
    let status = status.judged();
    (status.level, status.headline)
}

#[test]
fn the_headline_says_in_one_sentence_how_it_stands() {
    assert_eq!(says(node()), (Level::Good, "Selling. Head office is up to date.".to_owned()));

    let mut busy = node();
    (busy.uplink.waiting, busy.uplink.waiting_since) = (3, Some(NOW.plus_millis(-2_000)));
    assert_eq!(says(busy.clone()).1, "Selling. Head office is up to date.", "a sale on its way is not held up");
    busy.uplink.waiting_since = Some(NOW.plus_millis(-60_000));
    assert_eq!(says(busy), (Level::Attention, "Selling. 3 sales on the way to head office.".to_owned()));

    let mut cut = node();
    cut.uplink.link = Link::Resting;
    assert_eq!(says(cut.clone()).1, "Selling. No line to head office; nothing waits.");
    (cut.uplink.waiting, cut.uplink.waiting_since) = (12, Some(NOW.plus_millis(-120_000)));
    assert_eq!(says(cut.clone()), (Level::Attention, "Selling. 12 sales wait for head office since 14:05.".to_owned()));
    (cut.uplink.waiting, cut.uplink.waiting_since) = (1, Some(NOW.plus_millis(-DAY_MILLIS)));
    assert_eq!(says(cut.clone()).1, "Selling. 1 sale waits for head office since 19 Nov 2026 14:07.");
    cut.problems = vec!["no shop settings yet".to_owned()];
    assert_eq!(says(cut), (Level::Bad, "Not ready: no shop settings yet.".to_owned()));

    let mut young = node();
    (young.uplink.link, young.node.since) = (Link::Trying, NOW);
    assert_eq!(says(young), (Level::Good, "Selling. Calling head office.".to_owned()));

    let mut off = node();
    off.uplink.link = Link::Off;
    assert_eq!(says(off), (Level::Attention, "Selling. There is no way to head office.".to_owned()));

    let mut dumb = node();
    let (name, kind, state) = ("counter".to_owned(), "receipt printer".to_owned(), "the paper is out".to_owned());
    dumb.devices.push(Device { name, kind, state, level: Level::Bad });
    assert_eq!(says(dumb).0, Level::Attention, "it sells, and somebody should bring paper");

    let mut warned = node();
    warned.warnings = vec!["only 400 MiB are free".to_owned()];
    assert_eq!(says(warned), (Level::Attention, "Selling. Head office is up to date.".to_owned()));
}

#[test]
fn a_certificate_warns_from_half_life_on() {
    let certificate = Certificate {
        what: "head office".into(),
        from: NOW.plus_millis(-44 * DAY_MILLIS),
        ends: NOW.plus_millis(46 * DAY_MILLIS),
    };
    assert_eq!((certificate.age(NOW), certificate.warning(NOW)), (Age::Fresh, None));
    let later = NOW.plus_millis(DAY_MILLIS);
    assert_eq!((certificate.age(later), certificate.days_left(later)), (Age::Half, 45));
    assert!(certificate.warning(later).unwrap().contains("5 January 2027, in 45 days"), "{certificate:?}");
    assert_eq!((certificate.age(certificate.ends), certificate.days_left(certificate.ends)), (Age::Ended, 0));
    assert!(certificate.warning(certificate.ends).unwrap().contains("the shop sells on"));
}

#[test]
fn free_disk_is_told_in_days_of_selling() {
    let last = NOW.plus_millis(9 * DAY_MILLIS);
    assert_eq!(days_of_selling(1_000, 100, NOW, last), Some(100), "ten days took a hundred bytes");
    assert_eq!(days_of_selling(1_000, 100, NOW, NOW), Some(10), "the first day counts whole");
    assert_eq!(days_of_selling(1_000, 0, NOW, last), None);
    assert_eq!((bytes(5 << 20), bytes(700 << 30)), ("5 MiB".to_owned(), "700 GiB".to_owned()));
}

#[test]
fn json_reads_back() {
    let mut status = node();
    status.uplink.last_contact = Some(NOW);
    status.remarks.push(Remark { at: NOW, level: Level::Bad, text: "no".into(), times: 2 });
    let text = serde_json::to_string(&status).unwrap();
    assert!(text.contains("\"last_contact\":\"2026-11-20T14:07:00.000Z\""), "{text}");
    assert_eq!(serde_json::from_str::<NodeStatus>(&text).unwrap(), status);
}
