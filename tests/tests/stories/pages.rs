//! An owner's day at head office, in a real browser: she signs in, sees a sale arrive, opens the shop, takes in a price
//! list with two bad lines, changes a price and the till sells at it. Then the same pages on a phone.
//! `TILLWAY_PICTURES` names a folder for a picture of each page.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::Value;
use tillway_tests::browser::{Browser, Screen};

use crate::street::{Street, price_becomes, sell};

const LIST: &str = "code,description,unit_price\nSCONE,A scone,1.20\nBAD,A price with five decimals,1.23456\n\
    ,Nothing to sell it by,1.00\nCAKE,A cake,3.40";

/// Signs in, and sees that a stranger is shown nothing else.
async fn sign_in(browser: &Browser, street: &Street) {
    browser.open(&format!("{}/shops", street.town.url())).await.unwrap();
    browser.reads("Sign in to head office").await.unwrap();
    look(browser, "sign-in").await;
    browser.fill("#email", &street.owner.email).await.unwrap();
    browser.fill("#password", "not this one").await.unwrap();
    browser.click("form button[type=submit]").await.unwrap();
    browser.see("[role=alert]").await.unwrap();
    look(browser, "sign-in-refused").await;
    browser.fill("#password", &street.owner.password).await.unwrap();
    browser.click("form button[type=submit]").await.unwrap();
    browser
        .wait("the page that was asked for", async || {
            browser.driver.current_url().await.ok()?.path().eq("/shops").then_some(())
        })
        .await
        .unwrap();
}

/// What holds of every page: no serious fault, nothing wider than the window, no script that complains.
pub async fn look(browser: &Browser, name: &str) {
    let wrong = wrong(browser, name).await;
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}

/// What is wrong with a page; a picture of it besides.
pub async fn wrong(browser: &Browser, name: &str) -> Vec<String> {
    let mut wrong: Vec<String> =
        browser.serious_faults().await.unwrap().iter().map(|fault| format!("{fault:?}")).collect();
    if browser.scrolls_sideways().await.unwrap() {
        wrong.push("it is wider than the window".to_owned());
    }
    // That the page itself answers no is what it says; anything it needs and does not get is a fault.
    let own = browser.driver.current_url().await.unwrap();
    let mut complaints = browser.complaints().await.unwrap();
    complaints.retain(|text| !text.starts_with(&format!("{} - Failed to load resource", own.as_str())));
    wrong.extend(complaints);
    if let Some(folder) = std::env::var_os("TILLWAY_PICTURES").map(PathBuf::from) {
        let width = browser.driver.get_window_rect().await.unwrap().width;
        browser.picture(&folder.join(format!("{name}-{width}.png"))).await.unwrap();
    }
    wrong
}

async fn go(browser: &Browser, street: &Street, path: &str) {
    browser.open(&format!("{}{path}", street.town.url())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_sees_a_sale_arrive_imports_a_list_and_changes_a_price() {
    let mut street = Street::open("pages").await;
    let mut lane = street.lane("Till 1").await;
    let browser = Browser::start(Screen::Desktop).await.unwrap();
    sign_in(&browser, &street).await;

    go(&browser, &street, "/").await;
    look(&browser, "live-empty").await;
    let first = sell(&mut lane, "a", "MUG", 2).await;
    browser.reads("5.10").await.unwrap();
    let row = format!("tr[data-key$='/{}/{}']", first.term, first.seq);
    browser.see(&row).await.unwrap();
    sell(&mut lane, "b", "BAG", 1).await;
    browser.reads("6.20").await.unwrap();
    look(&browser, "live").await;
    browser.click(&format!("{row} a")).await.unwrap();
    browser.reads("A mug").await.unwrap();
    look(&browser, "receipt").await;

    go(&browser, &street, &format!("/shops/{}", street.node.shop)).await;
    browser.reads("6.20").await.unwrap();
    look(&browser, "shop").await;
    go(&browser, &street, "/nodes").await;
    look(&browser, "nodes").await;

    go(&browser, &street, "/products/import").await;
    look(&browser, "import").await;
    browser.click("details summary").await.unwrap();
    browser.fill("#text", LIST).await.unwrap();
    browser.click("form[enctype] button[type=submit]").await.unwrap();
    browser.reads("2 lines were not taken").await.unwrap();
    let text = browser.text().await.unwrap();
    assert!(text.contains("1.23456") || text.contains("decimals"), "{text}");
    look(&browser, "import-report").await;
    price_becomes(&mut lane, "CAKE", "3.40").await;

    go(&browser, &street, "/products?q=mug").await;
    look(&browser, "products").await;
    go(&browser, &street, "/products/item?code=MUG").await;
    browser.fill("#price", "2.5555").await.unwrap();
    browser.click("form[action$=price] button[type=submit]").await.unwrap();
    price_becomes(&mut lane, "MUG", "2.5555").await;
    browser.fill("#price", "9.123456").await.unwrap();
    browser.click("form[action$=price] button[type=submit]").await.unwrap();
    browser.see(".field.bad [role=alert]").await.unwrap();
    look(&browser, "product").await;
    assert_eq!(sell(&mut lane, "c", "MUG", 2).await.totals.total_minor, 511);
    browser.quit().await.unwrap();
    street.settle(3, 510 + 110 + 511).await;

    on_a_phone(&street).await;
    street.close().await;
}

async fn on_a_phone(street: &Street) {
    let browser = Browser::start(Screen::Phone).await.unwrap();
    sign_in(&browser, street).await;
    look(&browser, "shops").await;
    let nodes: Value = street.hq.call(Method::GET, "/v1/nodes", None).await.unwrap();
    let node = nodes[0]["id"].as_str().or(nodes[0]["node_id"].as_str()).unwrap();
    let shop = format!("/shops/{}", street.node.shop);
    let pages = [
        ("live", "/"),
        ("shop", shop.as_str()),
        ("nodes", "/nodes"),
        ("node", &format!("/nodes/{node}")),
        ("overview", "/overview"),
        ("products", "/products"),
        ("product", "/products/item?code=MUG"),
        ("import", "/products/import"),
        ("nothing", "/no/such/page"),
    ];
    for (name, path) in pages {
        go(&browser, street, path).await;
        browser.see("main").await.unwrap();
        look(&browser, name).await;
    }
    // With the keyboard alone: the first stop leads past the navigation.
    go(&browser, street, "/").await;
    let first = browser
        .driver
        .execute("document.activeElement.blur(); return document.querySelector('a').getAttribute('href')", vec![])
        .await
        .unwrap();
    assert_eq!(first.json().as_str(), Some("#content"));
    browser.quit().await.unwrap();
}
