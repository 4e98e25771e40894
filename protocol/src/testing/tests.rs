//! Lives of a shop by seed, told through `Pair`, and planted faults that the checker must find.

use super::*;
use crate::id::Stream;
use crate::session::Tick;

/// One life of a shop: sales, cuts, kills, prices, by the seed; then peace.
fn live(seed: u64, faults: Faults) -> Result<Pair, Violation> {
    let mut script = crate::session::backoff::Jitter::new(seed ^ 0xA5A5);
    let backlog = script.up_to(40) * script.up_to(40);
    let mut pair = Pair::new(seed, faults, ModelLog::new(Stream::Fiscal, backlog));
    for _ in 0..4 + script.up_to(12) {
        match script.up_to(9) {
            0..=4 => pair.append(1 + script.up_to(5)),
            5 => pair.publish(),
            6 => pair.cut(script.up_to(90_000)),
            7 => pair.restart_edge(),
            8 => pair.restart_cloud(),
            _ => pair.append(600),
        }
        let pause = [5, 300, 3_000, 40_000][usize::try_from(script.up_to(3)).unwrap()];
        pair.run_until(Tick(pair.now.0 + script.up_to(pause)))?;
    }
    pair.settle(3 * 3_600_000)?;
    Ok(pair)
}

fn seeds() -> u64 {
    std::env::var("TILLWAY_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(400)
}

#[test]
fn every_record_takes_effect_once_over_a_rough_transport() {
    let (mut resent, mut checkpoints) = (0, 0);
    for seed in 0..seeds() {
        let pair = live(seed, Faults::rough()).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        resent += pair.hq.resent;
        checkpoints += pair.checkpoints;
    }
    assert!(resent > 0, "the runs must have made the node send again, or they prove nothing");
    assert!(checkpoints > 0);
}

#[test]
fn every_record_takes_effect_once_over_a_hostile_transport() {
    for seed in 0..seeds() {
        live(seed, Faults::hostile()).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
    }
}

/// The checks must find what they are there for.
#[test]
fn planted_faults_are_found() {
    for bug in [Bug::AckBeforeCommit, Bug::NoDedupe, Bug::AckOneTooMany, Bug::ForgetsCursor] {
        let faults = Faults { bug: Some(bug), ..Faults::rough() };
        let found = (0..60).filter(|seed| live(*seed, faults.clone()).is_err()).count();
        assert!(found > 0, "{bug:?} was not found in 60 runs");
    }
}

#[test]
fn a_live_record_overtakes_a_backlog_of_two_hundred_thousand() {
    let faults = Faults { delay_ms: (20, 60), commit_ms: (40, 80), ..Faults::none() };
    let mut pair = Pair::new(11, faults, ModelLog::new(Stream::Fiscal, 200_000));
    pair.run_until(Tick(5_000)).unwrap();
    assert!(pair.is_up());
    let mut worst = 0;
    for _ in 0..20 {
        pair.append(1);
        let (seq, start) = (pair.log.head().durable, pair.now);
        while pair.hq.applied(Stream::Fiscal, seq) == 0 {
            pair.run_until(Tick(pair.now.0 + 5)).unwrap();
            assert!(pair.now.since(start) < 10_000, "record {seq} never came");
        }
        worst = worst.max(pair.now.since(start));
        assert!(pair.pending() > 100_000, "the backlog must still be there: {}", pair.pending());
    }
    assert!(worst < 1_000, "a live record took {worst} ms past the backlog");
    pair.settle(600_000).unwrap();
    assert_eq!(pair.hq.count(), 200_021);
}

#[test]
fn a_week_offline_is_made_good() {
    let mut pair = Pair::new(5, Faults::rough(), ModelLog::new(Stream::Fiscal, 0));
    pair.append(10);
    pair.run_until(Tick(20_000)).unwrap();
    let week = 7 * 24 * 3_600_000;
    pair.cut(week);
    for _ in 0..7 * 24 {
        pair.append(20);
        pair.run_until(Tick(pair.now.0 + 3_600_000)).unwrap();
    }
    assert!(pair.pending() >= 3_000);
    pair.settle(3_600_000).unwrap();
}

#[test]
fn the_same_seed_is_the_same_run() {
    let runs: Vec<_> =
        (0..2).map(|_| live(77, Faults::rough()).unwrap()).map(|pair| (pair.now, pair.hq.resent)).collect();
    assert_eq!(runs[0], runs[1]);
}
