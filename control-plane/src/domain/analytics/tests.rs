//! Figures against a small independent sum, over a real PostgreSQL.

use std::collections::BTreeMap;

use protocol::ledger::Record;

use super::rules::Range;
use super::service;
use super::types::Looks;
use crate::domain::sales::testing::{Made, Rig, write_off};

/// Plain integers, no fold: price in pence x whole pieces, 20 % in the price, rounded half up on the ticket.
#[derive(Default)]
struct Sum {
    sales: i64,
    returns: i64,
    lines: i64,
    gross: i64,
    returned: i64,
    tax: i64,
    by_day: BTreeMap<String, i64>,
    by_code: BTreeMap<String, i64>,
}

fn fortnight() -> (Vec<Record>, Sum) {
    let mut sum = Sum::default();
    let mut records = Vec::new();
    for seq in 1_u64..=120 {
        let day = i32::try_from(seq % 14).unwrap() - 13;
        let parts: Vec<(String, i64, i64)> = (0..=seq % 5)
            .map(|index| {
                (
                    format!("C{}", (seq * 7 + index) % 11),
                    i64::try_from(1 + (seq + index) % 4).unwrap(),
                    i64::try_from(37 + seq * 13 % 900).unwrap(),
                )
            })
            .collect();
        let lines: Vec<(&str, i64, i64)> =
            parts.iter().map(|(code, pieces, pence)| (code.as_str(), pieces * 1_000, pence * 100)).collect();
        let made = Made::sale(u128::from(seq), &lines).days(day);
        let back = seq % 6 == 0;
        let made = if back { made.back() } else { made };
        let total: i64 = parts.iter().map(|(_, pieces, pence)| pieces * pence).sum();
        let tax = (total * 2 + 6) / 12;
        let sign = if back { -1 } else { 1 };
        sum.lines += i64::try_from(parts.len()).unwrap();
        sum.tax += sign * tax;
        *sum.by_day.entry(made.date.to_string()).or_default() += sign * total;
        for (code, pieces, pence) in &parts {
            *sum.by_code.entry(code.clone()).or_default() += sign * pieces * pence;
        }
        if back {
            sum.returns += 1;
            sum.returned += total;
        } else {
            sum.sales += 1;
            sum.gross += total;
        }
        records.push(made.record(seq));
    }
    records.push(write_off(121, "w", "C1"));
    (records, sum)
}

#[tokio::test]
async fn the_overview_and_its_series_agree_with_a_plain_sum() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let (mut records, sum) = fortnight();
    // In two batches and out of order, as a backlog beside live events comes.
    let later = records.split_off(70);
    rig.ingest(&seat, later).await.unwrap();
    rig.ingest(&seat, records).await.unwrap();
    let mut tx = rig.tx(seat.tenant).await;
    let all = Range::default();
    let overview = service::overview(&mut tx, &all).await.unwrap();
    let figures = &overview.figures;
    assert_eq!((figures.sales, figures.returns, figures.lines), (sum.sales, sum.returns, sum.lines));
    assert_eq!((figures.gross_sales_minor, figures.returns_minor), (sum.gross, sum.returned));
    assert_eq!((figures.net_sales_minor, figures.tax_minor), (sum.gross - sum.returned, sum.tax));
    assert_eq!((overview.write_offs, overview.write_off_lines, overview.mismatched), (1, 1, 0));
    assert_eq!(overview.currency.as_deref(), Some("GBP"));

    let days = service::by_day(&mut tx, &all).await.unwrap().rows;
    let told: BTreeMap<String, i64> =
        days.into_iter().map(|day| (day.business_date, day.figures.net_sales_minor)).collect();
    assert_eq!(told, sum.by_day);
    let hours = service::by_hour(&mut tx, &all).await.unwrap().rows;
    assert_eq!(hours.len(), 24);
    assert_eq!(hours[12].figures.net_sales_minor, sum.gross - sum.returned, "all were rung at noon in London");
    let products = service::products(&mut tx, &all, false, 500).await.unwrap().rows;
    assert!(products.windows(2).all(|pair| pair[0].net_minor >= pair[1].net_minor));
    let told: BTreeMap<String, i64> = products.into_iter().map(|product| (product.code, product.net_minor)).collect();
    assert_eq!(told, sum.by_code);
}

#[tokio::test]
async fn days_are_inclusive_at_both_ends_and_the_reply_is_as_agreed() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let sale = |number, day| Made::sale(number, &[("A", 1_000, 120_000)]).days(day);
    let records = (1_u64..=4).map(|seq| sale(u128::from(seq), 1 - i32::try_from(seq).unwrap()).record(seq)).collect();
    rig.ingest(&seat, records).await.unwrap();
    let token = rig.sign_in(&seat).await;
    let path = format!("/v1/analytics/overview?shop_id={}&from=2011-01-08&to=2011-01-09", seat.shop);
    let (status, reply) = rig.get(&path, &token).await;
    assert_eq!(status, 200);
    let data = &reply["data"];
    let expected = [
        ("sales", 2),
        ("returns", 0),
        ("lines", 2),
        ("gross_sales_minor", 2_400),
        ("returns_minor", 0),
        ("net_sales_minor", 2_400),
        ("tax_minor", 400),
        ("write_offs", 0),
        ("mismatched", 0),
    ];
    for (field, value) in expected {
        assert_eq!(data[field], value, "{field}");
    }
    assert_eq!((&data["currency"], &data["restated"]), (&serde_json::json!("GBP"), &serde_json::json!(true)));
    let (_, empty) = rig.get("/v1/analytics/overview?from=2020-01-01&to=2020-01-31", &token).await;
    assert_eq!(
        (&empty["data"]["sales"], &empty["data"]["currency"]),
        (&serde_json::json!(0), &serde_json::json!("GBP"))
    );
    let (status, reply) = rig.get("/v1/analytics/overview?from=2011-02-01&to=2011-01-01", &token).await;
    assert_eq!((status.as_u16(), reply["error"]["code"].as_str()), (422, Some("VALIDATION")));
    assert_eq!(rig.get("/v1/analytics/overview?from=2011-02-30", &token).await.0, 400);
    assert_eq!(rig.get("/v1/analytics/overview?shop_id=7", &token).await.0, 400);
}

#[tokio::test]
async fn the_report_of_a_shop_adds_up_and_compares_weekdays() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let sale = |number: u64, day, pence: i64| {
        Made::sale(u128::from(number), &[("A", 1_000, pence * 100), ("B", 2_000, 5_000)]).days(day).record(number)
    };
    rig.ingest(&seat, vec![sale(1, 0, 300), sale(2, -7, 100), sale(3, -1, 200), sale(4, -8, 50)]).await.unwrap();
    let mut tx = rig.tx(seat.tenant).await;
    let today = time::macros::date!(2011 - 01 - 10);
    let day = service::shop_report(&mut tx, seat.shop, today, today).await.unwrap();
    assert_eq!((day.overview.figures.net_sales_minor, day.before.net_sales_minor), (400, 200));
    assert_eq!((day.steps.len(), day.steps[12].label.as_str()), (24, "12:00"));
    assert_eq!((day.steps[12].now.net_sales_minor, day.steps[12].before.net_sales_minor), (400, 200));
    let top: Vec<_> = day.top.iter().map(|p| (p.code.as_str(), p.description.as_str(), p.net_minor)).collect();
    assert_eq!(top, [("A", "PRODUCT A", 300), ("B", "PRODUCT B", 100)]);
    let range = service::shop_report(&mut tx, seat.shop, today.previous_day().unwrap(), today).await.unwrap();
    let steps: Vec<_> = range.steps.iter().map(|s| (s.now.net_sales_minor, s.before.net_sales_minor)).collect();
    assert_eq!(steps, [(300, 150), (400, 200)]);
    assert_eq!((range.overview.figures.net_sales_minor, range.before.net_sales_minor), (700, 350));
    assert_eq!(service::last_day(&mut tx, seat.shop).await.unwrap(), Some(today));
    let days = service::shop_days(&mut tx, today, today).await.unwrap();
    assert_eq!((days.len(), days[0].figures.net_sales_minor, days[0].currency.as_str()), (1, 400, "GBP"));
    let other = rig.seat().await;
    let mut tx = rig.tx(other.tenant).await;
    assert!(service::shop_days(&mut tx, today, today).await.unwrap().is_empty());
    assert_eq!(service::last_day(&mut tx, seat.shop).await.unwrap(), None);
    assert_eq!(service::shop_report(&mut tx, seat.shop, today, today).await.unwrap().overview.figures.sales, 0);
}

#[tokio::test]
async fn what_comes_late_is_told_only_to_those_who_saw_other_figures() {
    use crate::domain::sales::testing::{DAY, PASSWORD};
    use crate::web::testing::Browser;
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let sale = |number: u64, day| Made::sale(u128::from(number), &[("A", 1_000, 120_000)]).days(day).record(number);
    let mut browser = Browser::signed_in(&rig.app, &seat.email, PASSWORD).await;
    let told = "changed after somebody had looked";
    let page = format!("/shops/{}?from=2011-01-07&to=2011-01-07", seat.shop);
    // A backlog of days that have passed: nobody had seen them.
    rig.ingest(&seat, vec![sale(1, -3), sale(2, -3), sale(3, 0)]).await.unwrap();
    rig.app.clock.advance_millis(1_000);
    rig.ingest(&seat, vec![sale(4, -3)]).await.unwrap();
    rig.app.clock.advance_millis(1_000);
    let shown = browser.get(&page).await.text;
    assert!(shown.contains("£36.00") && !shown.contains(told), "{shown}");
    // What comes now changes what was seen.
    rig.app.clock.advance_millis(1_000);
    rig.ingest(&seat, vec![sale(5, -3)]).await.unwrap();
    let shown = browser.get(&page).await.text;
    assert!(shown.contains("£48.00") && shown.contains("The figures of this day changed"), "{shown}");
    let week = browser.get(&format!("/shops/{}?from=2011-01-04&to=2011-01-10", seat.shop)).await.text;
    assert!(week.contains("The figures of one of these days changed"), "{week}");
    // Of the day that runs everybody expects more; the overview counts as seen once it has passed.
    rig.ingest(&seat, vec![sale(6, 0)]).await.unwrap();
    let today = format!("/shops/{}?from=2011-01-10&to=2011-01-10", seat.shop);
    assert!(!browser.get(&today).await.text.contains(told));
    rig.app.clock.advance_millis(DAY);
    let mut browser = Browser::signed_in(&rig.app, &seat.email, PASSWORD).await;
    assert!(browser.get("/overview").await.text.contains("£24"));
    rig.app.clock.advance_millis(1_000);
    rig.ingest(&seat, vec![sale(7, 0)]).await.unwrap();
    assert!(browser.get(&today).await.text.contains(told));
    // What another company looked at is nobody's business.
    let other = rig.seat().await;
    let mut tx = rig.tx(other.tenant).await;
    let day = time::macros::date!(2011 - 01 - 10);
    assert_eq!(service::looks(&mut tx, Some(seat.shop), (day, day), time::Date::MAX).await.unwrap(), Looks::default());
}
