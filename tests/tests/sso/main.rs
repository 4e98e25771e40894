//! Single sign-on at a provider that nobody here wrote: Canaille, from the Python package index, with its own sign-in form
//! in a real browser. What a provider that lies gets is told in `control-plane/src/domain/sso/tests`.
//! `TILLWAY_PICTURES` names a folder for a picture of each page.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a story that finds nothing ends the story")]

mod provider;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{SystemTime, UNIX_EPOCH};

use tillway_tests::browser::{Browser, Screen};
use tillway_tests::cloud::Cloud;

use crate::provider::{CLIENT, LOGIN, PASSWORD, Provider, SECRET};

async fn office() -> Cloud {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = Arc::new(AtomicI64::new(i64::try_from(now).unwrap()));
    Cloud::start_with(now, |mut config| {
        config.private_providers = true;
        config
    })
    .await
    .unwrap()
}

/// What holds of every page of ours: no serious fault, nothing wider than the window.
async fn look(browser: &Browser, name: &str) {
    let faults = browser.serious_faults().await.unwrap();
    assert!(faults.is_empty(), "{name}: {faults:#?}");
    assert!(!browser.scrolls_sideways().await.unwrap(), "{name} is wider than the window");
    if let Some(folder) = std::env::var_os("TILLWAY_PICTURES").map(PathBuf::from) {
        let width = browser.driver.get_window_rect().await.unwrap().width;
        browser.picture(&folder.join(format!("sso-{name}-{width}.png"))).await.unwrap();
    }
}

async fn at(browser: &Browser, place: &str) {
    let there = async || browser.driver.current_url().await.ok()?.as_str().starts_with(place).then_some(());
    browser.wait(&format!("the address {place}"), there).await.unwrap();
}

async fn password(browser: &Browser, hq: &str, email: &str) {
    browser.open(&format!("{hq}/sign-in")).await.unwrap();
    browser.fill("#email", email).await.unwrap();
    browser.fill("#password", "a long enough password").await.unwrap();
    browser.click("form[action='/sign-in'] button[type=submit]").await.unwrap();
    browser.see(".side, .topbar").await.unwrap();
}

/// The provider's own forms: name, then password.
async fn at_the_provider(browser: &Browser, provider: &Provider) {
    at(browser, &provider.url).await;
    browser.fill("[name=login]", LOGIN).await.unwrap();
    browser.click("[name=answer]").await.unwrap();
    browser.fill("[name=password]", PASSWORD).await.unwrap();
    browser.click("[name=answer], button[type=submit]").await.unwrap();
}

async fn add(browser: &Browser, hq: &str, provider: &Provider) {
    browser.open(&format!("{hq}/settings/sso")).await.unwrap();
    browser.reads("No provider yet").await.unwrap();
    look(browser, "none").await;
    browser.click("a[href='/settings/sso/new']").await.unwrap();
    for (field, text) in [
        ("#label", "Bakers' account"),
        ("#issuer", provider.url.as_str()),
        ("#client_id", CLIENT),
        ("#client_secret", SECRET),
        ("#domains", "not a domain"),
    ] {
        browser.fill(field, text).await.unwrap();
    }
    browser.click("form[action='/settings/sso'] button[type=submit]").await.unwrap();
    browser.see(".field.bad [role=alert]").await.unwrap();
    look(browser, "refused").await;
    browser.fill("#domains", "bakers.example").await.unwrap();
    browser.fill("#client_secret", SECRET).await.unwrap();
    browser.click("form[action='/settings/sso'] button[type=submit]").await.unwrap();
    browser.reads("Test it now").await.unwrap();
    // The message that it was saved lies over the button until somebody closes it.
    browser.click("[data-dismiss]").await.unwrap();
    browser.click("form[action$='/test'] button").await.unwrap();
    browser.reads("The provider answered and can be used").await.unwrap();
    browser.reads("RS256").await.unwrap();
    look(browser, "tested").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_links_her_account_and_comes_in_by_it() {
    let mut cloud = office().await;
    let hq = cloud.url().to_owned();
    let provider = Provider::start(&format!("{hq}/sign-in/sso/callback")).await;
    let (_, who) = cloud.tenant("Bakers").await.unwrap();
    let browser = Browser::start(Screen::Desktop).await.unwrap();
    password(&browser, &hq, &who.email).await;
    add(&browser, &hq, &provider).await;

    browser.open(&format!("{hq}/me/sso")).await.unwrap();
    look(&browser, "mine").await;
    browser.click("form[action$='/link'] button").await.unwrap();
    at_the_provider(&browser, &provider).await;
    at(&browser, &format!("{hq}/me/sso")).await;
    browser.reads("Linked. From now on").await.unwrap();
    browser.open(&format!("{hq}/settings/sso")).await.unwrap();
    look(&browser, "list").await;
    browser.quit().await.unwrap();

    // Another day, another browser, a telephone.
    let browser = Browser::start(Screen::Phone).await.unwrap();
    browser.open(&format!("{hq}/sign-in?next=/shops")).await.unwrap();
    browser.click("a[href^='/sign-in/sso']").await.unwrap();
    look(&browser, "by-email").await;
    browser.fill("#email", &who.email).await.unwrap();
    browser.click("form button[type=submit]").await.unwrap();
    browser.reads("Bakers' account").await.unwrap();
    look(&browser, "choose").await;
    browser.click(".choices a").await.unwrap();
    at_the_provider(&browser, &provider).await;
    at(&browser, &format!("{hq}/shops")).await;
    browser.open(&format!("{hq}/me/sso")).await.unwrap();
    browser.reads("Take the link away").await.unwrap();
    look(&browser, "mine").await;
    browser.open(&format!("{hq}/settings/sso")).await.unwrap();
    look(&browser, "list").await;
    browser.quit().await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_whom_nobody_linked_is_told_so() {
    let mut cloud = office().await;
    let hq = cloud.url().to_owned();
    let provider = Provider::start(&format!("{hq}/sign-in/sso/callback")).await;
    let (_, who) = cloud.tenant("Bakers").await.unwrap();
    let owner = Browser::start(Screen::Desktop).await.unwrap();
    password(&owner, &hq, &who.email).await;
    add(&owner, &hq, &provider).await;
    owner.quit().await.unwrap();

    let browser = Browser::start(Screen::Phone).await.unwrap();
    browser.open(&format!("{hq}/sign-in/sso")).await.unwrap();
    browser.fill("#email", "alice@bakers.example").await.unwrap();
    browser.click("form button[type=submit]").await.unwrap();
    browser.click(".choices a").await.unwrap();
    at_the_provider(&browser, &provider).await;
    browser.reads("Nobody here is linked to this account").await.unwrap();
    look(&browser, "not-linked").await;
    browser.open(&format!("{hq}/shops")).await.unwrap();
    browser.reads("Sign in to head office").await.unwrap();
    // The provider is gone: a clear page.
    drop(provider);
    browser.quit().await.unwrap();
    cloud.stop().await;
}
