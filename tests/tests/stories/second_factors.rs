//! A person and their second factors in a real browser: the app's secret is read off the screen like a telephone does it,
//! a passkey of a device (Chromium's virtual one) is added, signs in alone and proves again who one is; a device that does
//! not verify its owner gets nowhere. `TILLWAY_PICTURES` names a folder for a picture of each page.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tillway_tests::browser::{Browser, Screen};
use tillway_tests::cloud::Cloud;
use totp_rs::{Builder, Secret};

use crate::pages::look;
use crate::status::codes_in;

struct Ground {
    cloud: Cloud,
    now: Arc<AtomicI64>,
    email: String,
    password: String,
}

impl Ground {
    async fn lay() -> Self {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let now = Arc::new(AtomicI64::new(i64::try_from(millis).unwrap()));
        let cloud = Cloud::start(Arc::clone(&now)).await.unwrap();
        let (_, who) = cloud.tenant("Bakers").await.unwrap();
        Self { cloud, now, email: who.email, password: who.password }
    }

    /// By its name: browsers make no passkeys for an address of numbers.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.cloud.url().replace("127.0.0.1", "localhost"))
    }

    fn code(&self, secret: &str) -> String {
        let secret = Secret::try_from_base32(secret).unwrap();
        let totp = Builder::new().with_secret(secret).with_account_name("a").build().unwrap();
        totp.generate(u64::try_from(self.now.load(Ordering::SeqCst) / 1_000).unwrap()).to_string()
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    async fn sign_in(&self, browser: &Browser, path: &str) {
        browser.open(&self.url(path)).await.unwrap();
        browser.fill("#email", &self.email).await.unwrap();
        browser.fill("#password", &self.password).await.unwrap();
        browser.click("form[action='/sign-in'] button[type=submit]").await.unwrap();
    }
}

async fn arrives(browser: &Browser, path: &str) {
    let there = async || browser.driver.current_url().await.ok()?.path().eq(path).then_some(());
    browser.wait(&format!("the page {path}"), there).await.unwrap();
}

/// The app's secret off the screen: out of the picture, as a camera reads it, and the same as the one to type.
async fn secret_on_screen(browser: &Browser) -> String {
    browser.see("svg.qr").await.unwrap();
    look(browser, "second-totp").await;
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("totp.png");
    browser.picture(&picture).await.unwrap();
    let read = codes_in(&picture);
    assert_eq!(read.len(), 1, "{read:?}");
    let secret = read[0].split("secret=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    browser.click("details summary:not(.btn)").await.unwrap();
    let typed: String = browser.see("code.secret").await.unwrap().text().await.unwrap().split_whitespace().collect();
    assert_eq!(typed, secret);
    secret
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_adds_an_app_and_a_passkey_and_signs_in_with_either() {
    let mut ground = Ground::lay().await;
    let browser = Browser::start(Screen::Desktop).await.unwrap();
    ground.sign_in(&browser, "/me/security").await;
    arrives(&browser, "/me/security").await;
    look(&browser, "second-none").await;
    browser.click("form[action='/me/security/totp'] button").await.unwrap();
    let secret = secret_on_screen(&browser).await;
    browser.fill("#code", &ground.code(&secret)).await.unwrap();
    browser.click("form[action='/me/security/totp/confirm'] button").await.unwrap();
    browser.reads("Put these codes away").await.unwrap();
    look(&browser, "second-codes").await;
    browser.click("main a.btn.primary").await.unwrap();

    // A passkey of this device.
    let device = browser.authenticator(true).await.unwrap();
    browser.fill("#passkey-name", "Office laptop").await.unwrap();
    browser.click("form[data-passkey=create] button").await.unwrap();
    browser.see("input[value='Office laptop']").await.unwrap();
    look(&browser, "second-both").await;

    // Signing in: first with the app's code, then with the passkey as the second step, then with the passkey alone.
    ground.pass(60);
    browser.driver.delete_all_cookies().await.unwrap();
    ground.sign_in(&browser, "/me/security").await;
    arrives(&browser, "/sign-in/second").await;
    look(&browser, "second-step").await;
    browser.fill("#code", "000000").await.unwrap();
    browser.click("form[action='/sign-in/second'] button").await.unwrap();
    browser.see("[role=alert]#why").await.unwrap();
    look(&browser, "second-refused").await;
    browser.fill("#code", &ground.code(&secret)).await.unwrap();
    browser.click("form[action='/sign-in/second'] button").await.unwrap();
    arrives(&browser, "/me/security").await;
    browser.driver.delete_all_cookies().await.unwrap();
    ground.sign_in(&browser, "/me/security").await;
    arrives(&browser, "/sign-in/second").await;
    browser.click("form[data-passkey=get] button").await.unwrap();
    arrives(&browser, "/me/security").await;
    browser.driver.delete_all_cookies().await.unwrap();
    browser.open(&ground.url("/sign-in?next=/me/security")).await.unwrap();
    browser.click("form[data-passkey=get] button").await.unwrap();
    arrives(&browser, "/me/security").await;

    // Later, what is sensitive asks again; the passkey answers, and the app goes.
    ground.pass(11 * 60);
    browser.open(&ground.url("/me/security")).await.unwrap();
    browser.click("form[action='/me/security/totp/remove'] button").await.unwrap();
    arrives(&browser, "/me/confirm").await;
    look(&browser, "second-confirm").await;
    browser.click("form[data-passkey=get] button").await.unwrap();
    arrives(&browser, "/me/security").await;
    browser.click("form[action='/me/security/totp/remove'] button").await.unwrap();
    browser.reads("The authenticator app is removed.").await.unwrap();

    // A device that does not verify who holds it is no second factor, and one that is unknown is nobody's.
    browser.remove_authenticator(&device).await.unwrap();
    browser.authenticator(false).await.unwrap();
    browser.driver.delete_all_cookies().await.unwrap();
    browser.open(&ground.url("/sign-in")).await.unwrap();
    browser.click("form[data-passkey=get] button").await.unwrap();
    browser.see("[data-passkey-error] span").await.unwrap();
    arrives(&browser, "/sign-in").await;
    browser.quit().await.unwrap();
    ground.cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_second_factors_fit_a_telephone() {
    let mut ground = Ground::lay().await;
    let browser = Browser::start(Screen::Phone).await.unwrap();
    ground.sign_in(&browser, "/me/security").await;
    arrives(&browser, "/me/security").await;
    browser.authenticator(true).await.unwrap();
    browser.fill("#passkey-name", "My telephone").await.unwrap();
    browser.click("form[data-passkey=create] button").await.unwrap();
    browser.reads("Put these codes away").await.unwrap();
    look(&browser, "second-codes").await;
    browser.open(&ground.url("/me/security")).await.unwrap();
    look(&browser, "second-both").await;
    // By the keyboard: where the driver scrolls to, the bar of rooms lies over the button.
    let button = browser.see("form[action='/me/security/totp'] button").await.unwrap();
    button.send_keys(thirtyfour::Key::Enter).await.unwrap();
    browser.see("svg.qr").await.unwrap();
    look(&browser, "second-totp").await;
    browser.open(&ground.url("/me/confirm?next=/me/security")).await.unwrap();
    look(&browser, "second-confirm").await;
    browser.driver.delete_all_cookies().await.unwrap();
    ground.sign_in(&browser, "/me/security").await;
    arrives(&browser, "/sign-in/second").await;
    look(&browser, "second-step").await;
    browser.quit().await.unwrap();
    ground.cloud.stop().await;
}
