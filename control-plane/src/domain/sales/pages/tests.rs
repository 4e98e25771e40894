//! Pages of sales against the real database: what they show, to whom, and that a sale comes by itself.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures_util::StreamExt as _;
use protocol::event::FiscalEvent;

use crate::domain::sales::testing::{Made, PASSWORD, Rig, Seat, record};
use crate::web::testing::Browser;

async fn browser(rig: &Rig, seat: &Seat) -> Browser {
    Browser::signed_in(&rig.app, &seat.email, PASSWORD).await
}

fn sale(number: u128, minor: i64) -> Made {
    Made::sale(number, &[("85123A", 1_000, minor * 100)])
}

/// Reads a stream until an event is whole; panics when none comes in time.
async fn event(stream: &mut (impl futures_util::Stream<Item = Result<bytes::Bytes, axum::Error>> + Unpin)) -> String {
    let mut text = String::new();
    let read = async {
        while let Some(chunk) = stream.next().await {
            text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
            if text.contains("event: change") && text.ends_with("\n\n") {
                return;
            }
        }
        panic!("the stream ended: {text}");
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("an event in time");
    text
}

#[tokio::test]
async fn the_live_page_shows_the_day_and_its_receipts() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let mut browser = browser(&rig, &seat).await;
    let page = browser.get("/").await;
    assert!(page.status == StatusCode::OK && page.text.contains("No sale yet"), "{}", page.text);
    let back = Made::sale(3, &[("85123A", 1_000, 50_000)]).back();
    let records = vec![sale(1, 1_050).record(1), sale(2, 199_950).record(2), back.record(3)];
    rig.ingest(&seat, records).await.unwrap();
    let page = browser.get("/").await.text;
    for shown in [
        "£2,005.00",
        "£2,010.00 sold",
        "£1,005.00",
        "Receipt 1·2",
        "High Street",
        "Today, Mon 10 Jan 2011",
        "Return",
        "12:00",
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
    // Tomorrow nothing was sold yet: the last day is shown, and named.
    rig.app.clock.advance_millis(86_400_000);
    let mut browser = self::browser(&rig, &seat).await;
    let page = browser.get("/").await.text;
    assert!(page.contains("No sale yet today. The last trading day was Mon 10 Jan 2011."), "{page}");
}

#[tokio::test]
async fn what_belongs_to_others_is_not_here() {
    let mut rig = Rig::new().await;
    let (mine, theirs) = (rig.seat().await, rig.seat().await);
    rig.ingest(&theirs, vec![sale(1, 1_050).record(1)]).await.unwrap();
    let receipt = format!("/receipts/{}/1/1", theirs.who.node);
    let mut owner = browser(&rig, &theirs).await;
    assert_eq!(owner.get(&receipt).await.status, StatusCode::OK);
    let mut stranger = browser(&rig, &mine).await;
    for path in [
        receipt.as_str(),
        "/receipts/00000000-0000-4000-8000-000000000000/1/1",
        "/receipts/x/1/1",
        "/receipts/00000000-0000-4000-8000-000000000000/-1/9223372036854775807",
        &format!("/?shop={}", theirs.shop),
        "/?shop=nonsense",
        &format!("/receipts?shop={}", theirs.shop),
        &format!("/sales/live/events?shop={}", theirs.shop),
    ] {
        let page = stranger.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.text.contains("This page is not here"), "{path}: {}", page.text);
    }
    for path in ["/", "/receipts"] {
        let page = stranger.get(path).await.text;
        assert!(!page.contains("10.50") && !page.contains(&theirs.shop.to_string()), "{path}: {page}");
    }
}

#[tokio::test]
async fn a_receipt_is_shown_whole_and_nothing_in_it_is_believed_to_be_html() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let mut body = Made::sale(1, &[("<script>alert(1)</script>", 2_000, 25_500)]).body();
    body.reference = Some("<img src=x onerror=alert(1)>".to_owned());
    body.lines[0].description = "\"><svg onload=alert(1)>".to_owned();
    rig.ingest(&seat, vec![record(1, FiscalEvent::closed(body))]).await.unwrap();
    let mut browser = browser(&rig, &seat).await;
    let page = browser.get(&format!("/receipts/{}/1/1", seat.who.node)).await;
    assert_eq!(page.status, StatusCode::OK);
    for shown in
        ["2 × £2.55", "£5.10", "Tax 20\u{a0}% in £5.10", "£0.85", "Cash", "Counted the same", "Chain unbroken", "TWR1:"]
    {
        assert!(page.text.contains(shown), "{shown} is not in {}", page.text);
    }
    for path in [format!("/receipts/{}/1/1", seat.who.node), "/".to_owned(), "/receipts".to_owned()] {
        let text = browser.get(&path).await.text;
        for hostile in ["<script>alert", "<img src=x", "<svg onload"] {
            assert!(!text.contains(hostile), "{path}: {hostile}");
        }
    }
}

#[tokio::test]
async fn the_code_on_the_paper_leads_to_its_receipt_and_a_forged_one_is_told() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    rig.ingest(&seat, vec![sale(1, 1_050).record(1)]).await.unwrap();
    let mut browser = browser(&rig, &seat).await;
    let place = format!("/receipts/{}/1/1", seat.who.node);
    let page = browser.get(&place).await.text;
    let code = page.split("TWR1:").nth(1).unwrap().split('<').next().unwrap();
    let found = browser.get(&format!("/receipts?q=twr1:{}", code.to_lowercase())).await;
    assert!(found.location().starts_with(&format!("{place}?code=")), "{}", found.location());
    let genuine = browser.get(found.location()).await.text;
    assert!(genuine.contains("The paper is genuine."));
    let forged = browser.get(&format!("{place}?code=00000000deadbeef")).await.text;
    assert!(forged.contains("does not belong to this record"));
    let typed = browser.get(&format!("/receipts?q={}/1/1", seat.who.node)).await;
    assert_eq!(typed.location(), place);
    let wrong = browser.get("/receipts?q=%3Cb%3E536365").await.text;
    assert!(wrong.contains("role=\"alert\"") && wrong.contains("&#60;b&#62;536365"), "{wrong}");
}

#[tokio::test]
async fn the_list_goes_on_page_by_page() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let records = (1..=60).map(|number| sale(number, 100).record(u64::try_from(number).unwrap())).collect();
    rig.ingest(&seat, records).await.unwrap();
    let mut browser = browser(&rig, &seat).await;
    let first = browser.get("/receipts").await.text;
    assert_eq!(first.matches("<tr class=\"link\">").count(), 50);
    let next = first.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let second = browser.get(&next).await.text;
    assert_eq!(second.matches("<tr class=\"link\">").count(), 10);
    assert!(!second.contains("rel=\"next\"") && second.contains("Newest"));
    let none = browser.get("/receipts?date=2011-01-09").await.text;
    assert!(none.contains("No receipt here"));
}

#[tokio::test]
async fn a_sale_comes_by_itself_once_and_again_after_a_break() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    rig.ingest(&seat, vec![sale(1, 1_050).record(1)]).await.unwrap();
    let mut browser = browser(&rig, &seat).await;
    let page = browser.get("/").await.text;
    let seen = page.split("data-id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let ask = |last: &str| {
        Request::builder().uri(format!("/sales/live/events?shop=&last={last}")).body(Body::empty()).unwrap()
    };
    let response = browser.ask(ask(&seen)).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    rig.ingest(&seat, vec![sale(2, 2_000).record(2)]).await.unwrap();
    let change = event(&mut stream).await;
    assert!(change.contains("New sale: £20.00, High Street"), "{change}");
    assert!(change.contains("£30.50"), "{change}");
    // The row that the page has already does not come again.
    assert!(!change.contains("Receipt 1·1") || change.matches("<tr").count() == 2, "{change}");
    let id = change.split("id: ").nth(1).unwrap().split('\n').next().unwrap().to_owned();
    drop(stream);
    rig.ingest(&seat, vec![sale(3, 500).record(3)]).await.unwrap();
    let mut request = ask(&seen);
    request.headers_mut().insert("last-event-id", id.parse().unwrap());
    let mut stream = browser.ask(request).await.into_body().into_data_stream();
    let change = event(&mut stream).await;
    assert!(change.contains("£35.50") && change.contains("Receipt 1·3"), "{change}");
    // Another replica's sale gives no hint here; the slow look finds it.
    let replica = crate::app::App::new(rig.test.another(), rig.app.clock.clone()).await.unwrap();
    let stream_kind = protocol::id::Stream::Fiscal;
    let far = crate::domain::sales::service::ingest(&replica, &seat.who, stream_kind, vec![sale(4, 500).record(4)]);
    far.await.unwrap();
    assert!(event(&mut stream).await.contains("£40.50"));
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_with_head_office() {
    let mut rig = Rig::new().await;
    let seat = rig.seat().await;
    let mut browser = browser(&rig, &seat).await;
    let ask = || Request::builder().uri("/sales/live/events?shop=").body(Body::empty()).unwrap();
    let mut leaving = browser.clone();
    let mut stream = browser.ask(ask()).await.into_body().into_data_stream();
    event(&mut stream).await;
    let mut other = browser.ask(ask()).await.into_body().into_data_stream();
    event(&mut other).await;
    rig.app.web.close();
    let end = tokio::time::timeout(Duration::from_secs(10), async { while other.next().await.is_some() {} }).await;
    end.expect("head office closes");
    drop(stream);
    // Head office is open again, in a new process.
    let replica = crate::app::App::new(rig.test.another(), rig.app.clock.clone()).await.unwrap();
    let mut again = Browser { cookies: leaving.cookies.clone(), ..Browser::new(&replica) };
    let mut stream = again.ask(ask()).await.into_body().into_data_stream();
    event(&mut stream).await;
    let token = leaving.get("/receipts").await.hidden("csrf");
    leaving.post("/sign-out", &[("csrf", &token)]).await;
    let end = tokio::time::timeout(Duration::from_secs(10), async { while stream.next().await.is_some() {} }).await;
    end.expect("the session has ended");
}
