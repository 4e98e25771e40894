//! The live page while head office is away: it says so, stays as it is, and goes on by itself with what was sold meanwhile.

use std::time::{Duration, Instant};

use tillway_tests::browser::{Browser, Screen};

use crate::street::{SOON, Street, sell};

const LOST: &str = "[data-live-lost]";

/// Waits until an element is shown or hidden. A browser that comes again waits longer from try to try.
async fn becomes(browser: &Browser, css: &str, shown: bool) {
    let began = Instant::now();
    loop {
        let script = format!("return document.querySelector({css:?})?.checkVisibility() ?? false");
        let is: bool = browser.driver.execute(&script, vec![]).await.unwrap().convert().unwrap();
        if is == shown {
            return;
        }
        assert!(began.elapsed() < SOON, "{css} is shown: {is}. The page says:\n{}", browser.text().await.unwrap());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_page_outlives_head_office() {
    let mut street = Street::open("live").await;
    let mut lane = street.lane("Till 1").await;
    sell(&mut lane, "a", "MUG", 1).await;
    street.settle(1, 255).await;

    let browser = Browser::start(Screen::Desktop).await.unwrap();
    browser.open(&format!("{}/sign-in", street.town.url())).await.unwrap();
    browser.fill("#email", &street.owner.email).await.unwrap();
    browser.fill("#password", &street.owner.password).await.unwrap();
    browser.click("form button[type=submit]").await.unwrap();
    browser.see("[data-live-state][data-state=live]").await.unwrap();
    becomes(&browser, LOST, false).await;
    let mark = "window.stayed = true";
    browser.driver.execute(mark, vec![]).await.unwrap();

    street.town.kill_hq().unwrap();
    becomes(&browser, LOST, true).await;
    assert!(browser.text().await.unwrap().contains("No connection to head office"));
    browser.see("[data-live-state][data-state=lost]").await.unwrap();
    let meanwhile = sell(&mut lane, "b", "BAG", 3).await;
    let row = format!("tr[data-key$='/{}/{}']", meanwhile.term, meanwhile.seq);
    becomes(&browser, &row, false).await;
    assert!(browser.text().await.unwrap().contains("2.55"), "what was there stays");

    street.town.start_hq().await.unwrap();
    becomes(&browser, LOST, false).await;
    becomes(&browser, &row, true).await;
    browser.see("[data-live-state][data-state=live]").await.unwrap();
    browser.reads("5.85").await.unwrap();
    let stayed = browser.driver.execute("return window.stayed === true", vec![]).await.unwrap();
    assert_eq!(stayed.json().as_bool(), Some(true), "nobody reloaded the page");
    browser.quit().await.unwrap();
    street.settle(2, 255 + 330).await;
    street.close().await;
}
