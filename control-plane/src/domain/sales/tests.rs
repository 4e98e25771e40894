//! Ingest against a real PostgreSQL: any order, any repetition, any lie, and the figures that come of it.

use protocol::event::{FiscalEvent, kind};
use protocol::id::Seq;
use protocol::ledger::{self, Record};
use protocol::money::Amount;

use super::testing::{DAY, Made, Rig, Seat, raw, record, write_off};
use super::types::{IngestError, LogCompleteness};
use super::*;
use crate::domain::analytics::rules::Range;
use crate::domain::analytics::types::Overview;
use crate::domain::analytics::{self};

fn tickets(seqs: impl IntoIterator<Item = u64>) -> Vec<Record> {
    let made = |seq: u64| Made::sale(u128::from(seq), &[("A", 2_000, 25_500), ("b", 500, 9_999)]).record(seq);
    seqs.into_iter().map(made).collect()
}

async fn completeness(rig: &Rig, seat: &Seat) -> LogCompleteness {
    let mut tx = rig.tx(seat.tenant).await;
    let mut logs = service::completeness(&mut tx, seat.shop).await.unwrap();
    assert_eq!(logs.len(), 1);
    logs.remove(0)
}

async fn overview(rig: &Rig, seat: &Seat) -> Overview {
    let mut tx = rig.tx(seat.tenant).await;
    let range = Range::new(Some(seat.shop.as_uuid()), None, None).unwrap();
    analytics::service::overview(&mut tx, &range).await.unwrap()
}

/// The hash a node has after these records.
fn edge_head(seat: &Seat, records: &[Record]) -> ledger::Hash {
    let genesis = ledger::genesis(seat.who.node, seat.who.term, protocol::id::Stream::Fiscal);
    ledger::link_run(genesis, Seq(0), records).unwrap().1
}

#[tokio::test]
async fn any_order_and_repetition_count_once() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let all = tickets(1..=40);
    let mut live: Vec<Record> = all[30..].to_vec();
    live.reverse();
    let report = rig.ingest(&seat, live).await.unwrap();
    assert_eq!((report.stored, report.duplicates), (10, 0));
    let now = completeness(&rig, &seat).await;
    assert_eq!((now.received, now.gaps, now.head_seq), (10, 30, Seq(0)));
    assert_eq!(now.gap_ranges, [(1, 30)]);

    rig.ingest(&seat, all[..20].to_vec()).await.unwrap();
    assert_eq!(completeness(&rig, &seat).await.head_seq, Seq(20));
    // The rest, with much that is known, and one event twice in the batch itself.
    let mut rest = all[10..].to_vec();
    rest.push(all[25].clone());
    let report = rig.ingest(&seat, rest).await.unwrap();
    assert_eq!((report.stored, report.duplicates, report.forks), (10, 21, 0));
    assert_eq!(report.acked.ranges(), [(11, 40)]);

    let now = completeness(&rig, &seat).await;
    assert_eq!((now.received, now.gaps, now.resent, now.duplicates, now.forks), (40, 0, 21, 0, 0));
    assert_eq!((now.head_seq, now.head_hash), (Seq(40), edge_head(&seat, &all)));
    let overview = overview(&rig, &seat).await;
    assert_eq!((overview.figures.sales, overview.figures.lines), (40, 80));
    // 2 x 2.55 and 0.5 x 0.9999, rounded once: 5.10 + 0.50.
    assert_eq!(overview.figures.gross_sales_minor, 40 * 560);
    let cursor = service::cursor(&rig.app, &seat.who, protocol::id::Stream::Fiscal).await.unwrap();
    assert_eq!(cursor.ranges(), [(1, 40)]);
    assert_eq!(service::rebuild(&rig.app, seat.tenant).await.unwrap().differences, 0);
}

#[tokio::test]
async fn a_fork_is_kept_apart_and_counts_nowhere() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    rig.ingest(&seat, tickets(1..=3)).await.unwrap();
    let before = overview(&rig, &seat).await;
    let forged = Made::sale(900, &[("A", 1_000, 1_000_000)]).record(2);
    let report = rig.ingest(&seat, vec![forged.clone(), forged]).await.unwrap();
    assert_eq!((report.stored, report.duplicates, report.forks), (0, 0, 2));
    assert_eq!(report.acked.ranges(), [(2, 2)], "kept, so the node need not send it again");
    assert_eq!(overview(&rig, &seat).await, before);
    let now = completeness(&rig, &seat).await;
    assert_eq!((now.forks, now.received, now.duplicates), (2, 3, 0));
    assert_eq!(now.head_hash, edge_head(&seat, &tickets(1..=3)), "the chain is that of what came first");
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM app.event_forks")
        .fetch_one(&mut rig.test.superuser().await)
        .await
        .unwrap();
    assert_eq!(kept, 1, "the same fork twice is kept once");
}

#[tokio::test]
async fn a_forger_fills_no_disk() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    rig.ingest(&seat, vec![raw(1, 9, 1, b"honest")]).await.unwrap();
    let many = u64::try_from(protocol::limits::FORKS_KEPT).unwrap() + 100;
    for first in (0..many).step_by(400) {
        let forged = (first..many.min(first + 400)).map(|number| raw(1, 9, 1, &number.to_le_bytes())).collect();
        rig.ingest(&seat, forged).await.unwrap();
    }
    assert_eq!(completeness(&rig, &seat).await.forks, many, "all are counted");
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM app.event_forks")
        .fetch_one(&mut rig.test.superuser().await)
        .await
        .unwrap();
    assert_eq!(kept, protocol::limits::FORKS_KEPT);
}

#[tokio::test]
async fn the_chain_shows_a_changed_body_and_knows_every_position() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let honest = tickets(1..=6);
    let mut sent = honest.clone();
    sent[3] = Made::sale(4, &[("A", 2_000, 25_500)]).record(4);
    rig.ingest(&seat, sent).await.unwrap();
    let now = completeness(&rig, &seat).await;
    assert_eq!(now.head_seq, Seq(6));
    assert_ne!(now.head_hash, edge_head(&seat, &honest));
    let mut tx = rig.tx(seat.tenant).await;
    for (seq, equal) in [(0, true), (3, true), (4, false), (6, false)] {
        let (node, term, fiscal) = (seat.who.node, seat.who.term, protocol::id::Stream::Fiscal);
        let at = service::hash_at(&mut tx, node, term, fiscal, Seq(seq)).await.unwrap().unwrap();
        let count = usize::try_from(seq).unwrap();
        assert_eq!(at == edge_head(&seat, &honest[..count]), equal, "at {seq}");
    }
    let fiscal = protocol::id::Stream::Fiscal;
    assert_eq!(service::hash_at(&mut tx, seat.who.node, seat.who.term, fiscal, Seq(7)).await.unwrap(), None);
}

#[tokio::test]
async fn nothing_that_is_sent_blocks_the_log() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let good = tickets([1]).remove(0);
    let mut twisted = Made::sale(5, &[("A", 1_000, 10_000), ("B", 1_000, 10_000)]).body();
    twisted.lines[1].line_no = 1;
    let mut huge = Made::sale(6, &[("A", 1_000, 10_000)]).body();
    huge.totals.total = Amount::from_minor(protocol::limits::AMOUNT_MINOR).unwrap();
    let mut long = Made::sale(7, &[("A", 1_000, 10_000)]).body();
    long.lines[0].code = Some("x".repeat(5_000));
    let mut ancient = Made::sale(8, &[("A", 1_000, 10_000)]).body();
    ancient.occurred.at = protocol::timestamp::Timestamp(i64::MIN);
    let mut odd = Made::sale(9, &[("A", 1_000, 10_000)]).body();
    odd.lines[0].description = "nul \0 inside".to_owned();
    odd.reference = Some("\0".to_owned());
    odd.occurred.zone = "Mars/Olympus".to_owned();
    let closed = |body| FiscalEvent::closed(body);
    let records = vec![
        good,
        raw(2, 77, 9, b"a kind of the future"),
        raw(3, kind::TICKET_CLOSED, 200, b"a version of the future"),
        raw(4, kind::TICKET_CLOSED, 1, b"no ticket"),
        record(5, closed(twisted)),
        record(6, closed(huge)),
        record(7, closed(long)),
        record(8, closed(ancient)),
        record(9, closed(odd)),
        raw(10, kind::STOCK_WRITTEN_OFF, 1, &[]),
    ];
    let report = rig.ingest(&seat, records.clone()).await.unwrap();
    assert_eq!((report.stored, report.flawed), (10, 6));
    assert_eq!(report.acked.ranges(), [(1, 10)]);
    let now = completeness(&rig, &seat).await;
    assert_eq!((now.received, now.gaps, now.flawed, now.head_seq), (10, 0, 6, Seq(10)));
    assert_eq!(now.head_hash, edge_head(&seat, &records));
    assert_eq!(overview(&rig, &seat).await.figures.sales, 2, "the good one and the odd one");
    let flaws: Vec<(i64, String)> =
        sqlx::query_as("SELECT seq, flaw FROM app.events WHERE flaw IS NOT NULL ORDER BY seq")
            .fetch_all(&mut rig.test.superuser().await)
            .await
            .unwrap();
    let seqs: Vec<i64> = flaws.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [4, 5, 6, 7, 8, 10], "{flaws:?}");
}

#[tokio::test]
async fn what_no_node_sends_is_refused_whole() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let refused = rig.ingest(&seat, tickets([1, 0])).await;
    assert!(matches!(refused, Err(IngestError::BadSeq(0))));
    let refused = rig.ingest(&seat, vec![raw(u64::MAX, 1, 1, b"")]).await;
    assert!(matches!(refused, Err(IngestError::BadSeq(u64::MAX))));
    let many = u64::try_from(protocol::limits::BATCH_EVENTS).unwrap() + 1;
    let refused = rig.ingest(&seat, (1..=many).map(|seq| raw(seq, 9, 1, b"")).collect()).await;
    assert!(matches!(refused, Err(IngestError::TooLarge { .. })));
    let large = vec![0; protocol::limits::EVENT_BYTES + 1];
    let refused = rig.ingest(&seat, vec![raw(1, 9, 1, &large)]).await;
    assert!(matches!(refused, Err(IngestError::EventTooLarge { seq: 1, .. })));
    assert!(service::completeness(&mut rig.tx(seat.tenant).await, seat.shop).await.unwrap().is_empty());
}

#[tokio::test]
async fn gaps_beyond_the_cursor_wait_and_are_not_lost() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let odd = |count: u64| (0..count).map(|index| raw(index * 2 + 1, 9, 1, b"x"));
    let ranges = u64::try_from(protocol::limits::CURSOR_RANGES).unwrap();
    let mut all: Vec<Record> = odd(ranges + 5).collect();
    let mut deferred = 0;
    for batch in all.chunks(protocol::limits::BATCH_EVENTS) {
        deferred += rig.ingest(&seat, batch.to_vec()).await.unwrap().deferred;
    }
    assert_eq!(deferred, 5);
    assert_eq!(completeness(&rig, &seat).await.received, ranges);
    // The first gaps close; what waited comes again and is taken.
    let fill: Vec<Record> = (1..=10).map(|index| raw(index * 2, 9, 1, b"y")).collect();
    rig.ingest(&seat, fill).await.unwrap();
    let report = rig.ingest(&seat, all.split_off(all.len() - 5)).await.unwrap();
    assert_eq!((report.stored, report.deferred), (5, 0));
}

#[tokio::test]
async fn a_cursor_that_lies_is_set_right_and_counts_nothing_twice() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    rig.ingest(&seat, tickets(1..=5)).await.unwrap();
    let mut admin = rig.test.superuser().await;
    for lie in ["'{}'", "'{9,2}'", "'{1}'", "'{1,3}'"] {
        let sql = format!("UPDATE app.event_cursors SET ranges = {lie}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
        let told = rig.ingest(&seat, tickets(4..=7)).await;
        assert!(matches!(told, Err(IngestError::CursorRepaired)), "{lie}: {told:?}");
        assert_eq!(completeness(&rig, &seat).await.received, 5);
    }
    let report = rig.ingest(&seat, tickets(4..=7)).await.unwrap();
    assert_eq!((report.stored, report.duplicates), (2, 2));
    assert_eq!(overview(&rig, &seat).await.figures.sales, 7);
}

#[tokio::test]
async fn a_late_event_restates_the_right_day() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let sale = |number| Made::sale(number, &[("A", 1_000, 100_000)]);
    rig.ingest(&seat, vec![sale(1).record(1)]).await.unwrap();
    assert!(!overview(&rig, &seat).await.restated);
    // Two days later: today's sale, and one of the first day rung from paper.
    rig.app.clock.advance_millis(2 * DAY);
    let late = Made { late: true, ..sale(3) };
    rig.ingest(&seat, vec![sale(2).days(2).record(2), late.record(3)]).await.unwrap();
    let mut tx = rig.tx(seat.tenant).await;
    let range = Range::new(Some(seat.shop.as_uuid()), None, None).unwrap();
    let days = analytics::service::by_day(&mut tx, &range).await.unwrap().rows;
    let told: Vec<_> = days.iter().map(|d| (d.business_date.as_str(), d.figures.sales, d.restated)).collect();
    assert_eq!(told, [("2011-01-12", 1, false), ("2011-01-10", 2, true)]);
    drop(tx);
    let whole = overview(&rig, &seat).await;
    assert_eq!((whole.restated, whole.restated_days, whole.late_entries), (true, 1, 1));
}

#[tokio::test]
async fn a_mismatch_keeps_the_lanes_figure_and_flags_the_day() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let mut wrong = Made::sale(1, &[("A", 1_000, 100_000)]).body();
    wrong.totals.total = Amount::from_minor(1_234).unwrap();
    let mut unknown = Made::sale(2, &[("A", 1_000, 100_000)]).body();
    unknown.terms.arithmetic = 99;
    let closed = |body| FiscalEvent::closed(body);
    rig.ingest(&seat, vec![record(1, closed(wrong)), record(2, closed(unknown))]).await.unwrap();
    let overview = overview(&rig, &seat).await;
    assert_eq!((overview.figures.gross_sales_minor, overview.mismatched), (1_234 + 1_000, 2));
    let mut tx = rig.tx(seat.tenant).await;
    let detail = tickets::service::one(&mut tx, seat.who.node.as_uuid(), 1, 1).await.unwrap().unwrap();
    assert_eq!((detail.row.check, detail.row.total_minor, detail.row.hq_total_minor), ("differs", 1_234, Some(1_000)));
    let detail = tickets::service::one(&mut tx, seat.who.node.as_uuid(), 1, 2).await.unwrap().unwrap();
    assert_eq!((detail.row.check, detail.row.hq_total_minor), ("impossible", None));
}

#[tokio::test]
async fn what_is_counted_twice_is_told() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let sale = Made::sale(1, &[("A", 1_000, 10_000)]);
    rig.ingest(&seat, vec![sale.record(1), sale.record(2), write_off(3, "k", "A"), write_off(4, "k", "A")])
        .await
        .unwrap();
    assert_eq!(completeness(&rig, &seat).await.duplicates, 2, "one basket and one request under two events each");
    let mut admin = rig.test.superuser().await;
    sqlx::raw_sql("UPDATE app.sales_days SET sales = sales + 1").execute(&mut admin).await.unwrap();
    assert_eq!(completeness(&rig, &seat).await.duplicates, 3, "and a roll-up that counts more than stands");
    let report = service::rebuild(&rig.app, seat.tenant).await.unwrap();
    assert_eq!((report.events, report.differences), (4, 1));
    assert_eq!((report.told[0].table, report.told[0].figure, report.told[0].stored), ("sales_days", "sales", 3));
}

#[tokio::test]
async fn two_tenants_with_the_same_events_see_only_their_own() {
    let mut rig = Rig::new().await;
    let (one, mut two) = (rig.seat().await, rig.seat().await);
    // The same node id and the same events under both.
    two.who.node = one.who.node;
    rig.ingest(&one, tickets(1..=4)).await.unwrap();
    rig.ingest(&two, tickets(1..=2)).await.unwrap();
    assert_eq!(overview(&rig, &one).await.figures.sales, 4);
    assert_eq!(overview(&rig, &two).await.figures.sales, 2);
    assert_eq!(completeness(&rig, &two).await.received, 2);
    let (first, second) = (rig.sign_in(&one).await, rig.sign_in(&two).await);
    for (token, sales) in [(&first, 4), (&second, 2)] {
        let (_, reply) = rig.get("/v1/sales/tickets", token).await;
        assert_eq!(reply["data"].as_array().unwrap().len(), sales);
        let (_, reply) = rig.get("/v1/analytics/overview?shop_id=&from=&to=", token).await;
        assert_eq!(reply["data"]["sales"], sales);
    }
    let node = one.who.node;
    assert_eq!(rig.get(&format!("/v1/sales/tickets/{node}/1/3"), &first).await.0, 200);
    assert_eq!(rig.get(&format!("/v1/sales/tickets/{node}/1/3"), &second).await.0, 404);
    let foreign = one.shop;
    for path in ["analytics/overview", "analytics/by-day", "analytics/by-hour", "analytics/products", "sales/tickets"] {
        let (status, reply) = rig.get(&format!("/v1/{path}?shop_id={foreign}"), &second).await;
        assert_eq!((status.as_u16(), reply["error"]["code"].as_str()), (404, Some("NOT_FOUND")), "{path}");
        assert_eq!(rig.get(&format!("/v1/{path}?shop_id={foreign}"), &first).await.0, 200, "{path}");
        assert_eq!(rig.get(&format!("/v1/{path}"), "").await.0, 401, "{path}");
    }
    assert!(service::completeness(&mut rig.tx(two.tenant).await, one.shop).await.unwrap().is_empty());
}

#[tokio::test]
async fn tickets_are_listed_page_by_page_and_shown_whole() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let mut records = tickets(1..=7);
    records.push(Made::sale(8, &[("A", 1_000, 25_500)]).back().days(-1).record(8));
    rig.ingest(&seat, records).await.unwrap();
    let token = rig.sign_in(&seat).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, reply) = rig.get(&format!("/v1/sales/tickets?limit=3&cursor={cursor}"), &token).await;
        assert_eq!(status, 200, "{reply}");
        seen.extend(reply["data"].as_array().unwrap().iter().map(|ticket| ticket["seq"].as_i64().unwrap()));
        match reply["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1, 8]);
    let count = async |query: &str| {
        let (status, reply) = rig.get(&format!("/v1/sales/tickets?{query}"), &token).await;
        (status.as_u16(), reply["data"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(count("kind=return").await, (200, 1));
    assert_eq!(count("date=2011-01-10").await, (200, 7));
    assert_eq!(count("from=2011-01-09&to=2011-01-09").await, (200, 1));
    assert_eq!(count("lane_id=00000000-0000-0000-0000-000000000002").await, (200, 1));
    assert_eq!(count("kind=gift").await.0, 400);
    assert_eq!(count("date=yesterday").await.0, 400);
    assert_eq!(count("cursor=1~2").await.0, 400);
    let (_, reply) = rig.get(&format!("/v1/sales/tickets/{}/1/8", seat.who.node), &token).await;
    let ticket = &reply["data"];
    assert_eq!((ticket["kind"].as_str(), ticket["total_minor"].as_i64()), (Some("return"), Some(-255)));
    assert_eq!(ticket["items"][0]["quantity"], "-1");
    assert_eq!(ticket["taxes"][0]["rate_ppm"], 200_000);
    assert_eq!(ticket["chain_hash"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn every_statement_is_one_that_postgresql_takes() {
    use sqlx::{Executor, SqlSafeStr};
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let mut tx = rig.tx(seat.tenant).await;
    let all = [
        store::STATEMENTS,
        projections::store::STATEMENTS,
        tickets::store::STATEMENTS,
        live::store::STATEMENTS,
        completeness::store::STATEMENTS,
        analytics::store::STATEMENTS,
        crate::domain::catalog::store::STATEMENTS,
        crate::domain::pricing::store::STATEMENTS,
        years::store::STATEMENTS,
        &check::store::statements(),
    ];
    let mut count = 0;
    for sql in all.concat() {
        let prepared = tx.conn().prepare(sql.into_sql_str()).await;
        assert!(prepared.is_ok(), "{sql}\n{:?}", prepared.err());
        count += 1;
    }
    assert!(count > 50, "{count}");
}
