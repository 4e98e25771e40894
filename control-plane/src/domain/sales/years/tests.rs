//! What upkeep sums is what the days say, over any range; what came late is never missed by a sum made before.

use time::{Date, Duration};

use crate::domain::analytics::service as analytics;
use crate::domain::analytics::types::ProductFigures;
use crate::domain::sales::testing::{Made, Rig, Seat};
use crate::domain::sales::{check, service};

/// 400 sales over two years up to 2011-01-10, with returns, of eleven products; later ones have other names.
async fn sell(rig: &mut Rig, seat: &Seat, seqs: std::ops::RangeInclusive<u64>, late: i32) {
    let made = |seq: u64| {
        let number = i64::try_from(seq).unwrap();
        let code = format!("C{}", seq * 7 % 11);
        let other = format!("C{}", seq % 5);
        let lines = [(code.as_str(), 1_000 * (1 + number % 4), 100 * (37 + number * 13 % 900)), (&other, 2_000, 5_000)];
        let sale = Made::sale(u128::from(seq), &lines).days(-i32::try_from(seq * 37 % 700).unwrap() - late);
        if seq.is_multiple_of(6) { sale.back().record(seq) } else { sale.record(seq) }
    };
    rig.ingest(seat, seqs.map(made).collect()).await.unwrap();
}

async fn top(rig: &mut Rig, seat: &Seat, from: Date, to: Date) -> Vec<ProductFigures> {
    let mut tx = rig.tx(seat.tenant).await;
    analytics::one_moment(&mut tx).await.unwrap();
    analytics::shop_report(&mut tx, seat.shop, from, to).await.unwrap().top
}

async fn sums(rig: &mut Rig, seat: &Seat) -> usize {
    let mut tx = rig.tx(seat.tenant).await;
    let all = (time::macros::date!(2000 - 01 - 01), time::macros::date!(2020 - 01 - 01));
    service::sums_so_far(&mut tx, seat.shop, all.0, all.1).await.unwrap().len()
}

fn ranges() -> Vec<(Date, Date)> {
    let today = time::macros::date!(2011 - 01 - 10);
    let back = |days: i64| today - Duration::days(days);
    let mut ranges = vec![(back(364), today), (back(365), back(1)), (back(40), today), (back(700), back(341))];
    ranges.extend((0..12).map(|step| (back(500 - step * 17), back(100 + step * 7))));
    ranges
}

#[tokio::test]
async fn a_long_range_out_of_sums_is_the_range_out_of_days() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    sell(&mut rig, &seat, 1..=400, 0).await;
    let mut plain = Vec::new();
    for (from, to) in ranges() {
        plain.push(top(&mut rig, &seat, from, to).await);
    }
    assert!(plain.iter().all(|top| top.len() >= 9), "{plain:?}");
    let made = service::roll_years(&rig.app, seat.tenant).await.unwrap();
    assert!(made >= 23, "{made} months of two years");
    assert_eq!(service::roll_years(&rig.app, seat.tenant).await.unwrap(), 0, "nothing came since");
    for ((from, to), plain) in ranges().into_iter().zip(plain) {
        assert_eq!(top(&mut rig, &seat, from, to).await, plain, "{from} to {to}");
    }
    let report = check::rebuild(&rig.app.db, seat.tenant, rig.app.clock.now()).await.unwrap();
    assert_eq!((report.differences, report.events), (0, 400), "{:?}", report.told);
}

#[tokio::test]
async fn what_comes_late_is_in_the_figures_before_and_after_upkeep() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    sell(&mut rig, &seat, 1..=300, 0).await;
    service::roll_years(&rig.app, seat.tenant).await.unwrap();
    let all = sums(&mut rig, &seat).await;
    // One sale of a day a year ago: every sum of that year is stale at once, and says so.
    let day = time::macros::date!(2010 - 02 - 01);
    let late = Made::sale(900, &[("LATE", 1_000, 99_000_000)]);
    let back = i32::try_from((time::macros::date!(2011 - 01 - 10) - day).whole_days()).unwrap();
    rig.ingest(&seat, vec![late.days(-back).record(301)]).await.unwrap();
    assert!(sums(&mut rig, &seat).await < all);
    for (from, to) in [(day, time::macros::date!(2010 - 12 - 31)), (time::macros::date!(2009 - 12 - 20), day)] {
        let before = top(&mut rig, &seat, from, to).await;
        assert_eq!((before[0].code.as_str(), before[0].net_minor), ("LATE", 990_000));
        service::roll_years(&rig.app, seat.tenant).await.unwrap();
        assert_eq!(top(&mut rig, &seat, from, to).await, before);
    }
    assert_eq!(sums(&mut rig, &seat).await, all);
    // A sum that does not say what the events say is found.
    let mut tx = rig.tx(seat.tenant).await;
    let spoilt = "UPDATE app.product_years SET net_minor = net_minor + 1 WHERE through = '2010-06-30' AND code = 'C1'";
    sqlx::raw_sql(spoilt).execute(tx.conn()).await.unwrap();
    tx.save().await.unwrap();
    let report = check::rebuild(&rig.app.db, seat.tenant, rig.app.clock.now()).await.unwrap();
    let told: Vec<_> = report.told.iter().map(|d| (d.table, d.business_date.as_str(), d.figure)).collect();
    assert_eq!(told, [("product_years", "2010-06-01", "net_minor")]);
    // Nobody else's.
    let other = rig.seat().await;
    let mut tx = rig.tx(other.tenant).await;
    assert!(service::sums_so_far(&mut tx, seat.shop, day, day + Duration::days(400)).await.unwrap().is_empty());
}
