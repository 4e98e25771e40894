//! A second company comes to head office, in real browsers: a stranger registers and answers the mail, an operator (password
//! and code) takes it in, its owner gets going and sees the first sale; the operator asks to look in, is let in, and is put
//! out; the account is suspended and works again. `TILLWAY_PICTURES` names a folder for a picture of each page.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use control_plane::domain::operators;
use tillway_tests::browser::{Browser, Screen};
use tillway_tests::cloud::Cloud;
use tillway_tests::hq::Hq;
use tillway_tests::process::passing_folder;
use tillway_tests::store::Store;
use totp_rs::{Builder, Secret};

use crate::pages::look;
use crate::street::{CATALOGUE, SOON, price_becomes, sell};

const PASSWORD: &str = "four words in a row";
const OWNER: &str = "ada@second.example";
const OPERATOR: &str = "op@tillway.example";

struct Ground {
    cloud: Cloud,
    now: Arc<AtomicI64>,
}

impl Ground {
    async fn lay() -> Self {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let now = Arc::new(AtomicI64::new(i64::try_from(millis).unwrap()));
        let cloud = Cloud::start(Arc::clone(&now)).await.unwrap();
        cloud.tenant("First").await.unwrap();
        operators::service::create(&cloud.app, OPERATOR, PASSWORD, "platform_admin").await.unwrap();
        Self { cloud, now }
    }

    async fn go(&self, browser: &Browser, path: &str) {
        browser.open(&format!("{}{path}", self.cloud.url())).await.unwrap();
    }

    /// Waits for a mail to somebody with these words; the path of its link.
    async fn link(&self, to: &str, words: &str) -> String {
        let began = Instant::now();
        loop {
            let mails = self.cloud.app.outbox.captured();
            if let Some(mail) = mails.iter().find(|mail| mail.to == to && mail.text.contains(words)) {
                let base = self.cloud.app.public_url();
                let rest = mail.text.split(&base).find(|rest| rest.starts_with('/')).unwrap();
                return rest.split_whitespace().next().unwrap().to_owned();
            }
            assert!(began.elapsed() < SOON, "no mail to {to} says {words:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn code(&self, secret: &str) -> String {
        let secret = Secret::try_from_base32(secret).unwrap();
        let totp = Builder::new().with_secret(secret).with_account_name("a").build().unwrap();
        totp.generate(u64::try_from(self.now.load(Ordering::SeqCst) / 1_000).unwrap()).to_string()
    }

    async fn sign_in(&self, browser: &Browser, path: &str, email: &str) {
        self.go(browser, path).await;
        browser.fill("#email", email).await.unwrap();
        browser.fill("#password", PASSWORD).await.unwrap();
        browser.click("form[action='/sign-in'] button[type=submit]").await.unwrap();
    }
}

async fn arrives(browser: &Browser, path: &str) {
    let there = async || browser.driver.current_url().await.ok()?.path().eq(path).then_some(());
    browser.wait(&format!("the page {path}"), there).await.unwrap();
}

/// A stranger registers, and answers the mail.
async fn register(ground: &Ground, browser: &Browser) {
    ground.go(browser, "/terms").await;
    look(browser, "terms").await;
    ground.go(browser, "/register").await;
    look(browser, "register").await;
    browser.fill("#company", "Second Bakers").await.unwrap();
    browser.fill("#email", OWNER).await.unwrap();
    browser.fill("#name", "Ada").await.unwrap();
    browser.fill("#password", "password").await.unwrap();
    browser.click("#accept_terms").await.unwrap();
    browser.click("form[action='/register'] button[type=submit]").await.unwrap();
    browser.see("[role=alert]").await.unwrap();
    look(browser, "register-refused").await;
    browser.fill("#password", PASSWORD).await.unwrap();
    browser.click("form[action='/register'] button[type=submit]").await.unwrap();
    browser.reads("Look into your mail").await.unwrap();
    look(browser, "register-sent").await;
    ground.go(browser, "/register/resend").await;
    look(browser, "register-resend").await;
    ground.go(browser, "/register/confirm?token=00").await;
    browser.reads("This link is not good").await.unwrap();
    look(browser, "register-stale").await;
    let link = ground.link(OWNER, "Confirm").await;
    ground.go(browser, &link).await;
    look(browser, "register-confirm").await;
    browser.fill("#password", PASSWORD).await.unwrap();
    browser.click("form[action='/register/confirm'] button").await.unwrap();
    browser.reads("Thank you").await.unwrap();
    look(browser, "register-waits").await;
}

/// An operator signs in, must have a second factor, and makes one. The app's secret.
async fn operator_arrives(ground: &Ground, browser: &Browser) -> String {
    ground.sign_in(browser, "/sign-in", OPERATOR).await;
    arrives(browser, "/me/security").await;
    browser.click("form[action='/me/security/totp'] button").await.unwrap();
    browser.see("svg.qr").await.unwrap();
    browser.click("details summary:not(.btn)").await.unwrap();
    let secret: String = browser.see("code.secret").await.unwrap().text().await.unwrap().split_whitespace().collect();
    browser.fill("#code", &ground.code(&secret)).await.unwrap();
    browser.click("form[action='/me/security/totp/confirm'] button").await.unwrap();
    browser.reads("Put these codes away").await.unwrap();
    secret
}

/// The operator takes the company in. Where its page is.
async fn approve(ground: &Ground, browser: &Browser) -> String {
    ground.go(browser, "/operator").await;
    browser.reads("Second Bakers").await.unwrap();
    look(browser, "operator-waiting").await;
    browser.click("form[action$='/approve'] button").await.unwrap();
    browser.reads("The company is in").await.unwrap();
    browser.reads("Nobody waits").await.unwrap();
    look(browser, "operator").await;
    let row = browser.wait("the company in the list", async || {
        for link in browser.driver.find_all(thirtyfour::By::Css("a.cover")).await.ok()? {
            if link.text().await.ok()? == "Second Bakers" {
                return link.attr("href").await.ok()?;
            }
        }
        None
    });
    row.await.unwrap()
}

/// The owner gets going: the list, a box that joins, and the first sale of the company on the page.
async fn first_sale(ground: &Ground, owner: &Browser, folder: &std::path::Path) -> Store {
    let link = ground.link(OWNER, "is approved").await;
    ground.sign_in(owner, &link, OWNER).await;
    arrives(owner, "/start").await;
    look(owner, "start").await;
    let hq = Hq::sign_in(ground.cloud.url(), OWNER, PASSWORD).await.unwrap();
    let store = Store::open(&ground.cloud, &hq, "High Street", &folder.join("node"), Arc::clone(&ground.now)).await;
    let store = store.unwrap();
    assert_eq!(hq.import(CATALOGUE.to_owned()).await.unwrap().rejected, 0);
    let mut lane = store.lane("Till 1").await.unwrap();
    price_becomes(&mut lane, "MUG", "2.55").await;
    ground.go(owner, "/").await;
    sell(&mut lane, "a", "MUG", 2).await;
    owner.reads("5.10").await.unwrap();
    ground.go(owner, "/start").await;
    look(owner, "start-nearly").await;
    store
}

/// The operator asks, is let in, can change nothing, and is put out.
async fn visit(ground: &Ground, operator: &Browser, owner: &Browser, page: &str) {
    ground.go(owner, "/settings/support").await;
    look(owner, "support-none").await;
    ground.go(operator, page).await;
    look(operator, "operator-company").await;
    operator.fill("#visit-reason", "The receipt of yesterday has no tax").await.unwrap();
    operator.click("form[action$='/visits'] button").await.unwrap();
    operator.reads("Asked.").await.unwrap();
    let link = ground.link(OWNER, "has no tax").await;
    assert_eq!(link, "/settings/support");
    ground.go(owner, &link).await;
    owner.reads("has no tax").await.unwrap();
    look(owner, "support-asked").await;
    owner.click("form[action$='/allow'] button").await.unwrap();
    owner.reads("They may look in now").await.unwrap();
    look(owner, "support-open").await;
    ground.go(operator, page).await;
    operator.click("form[action$='/open'] button").await.unwrap();
    operator.reads("You are a guest of this company").await.unwrap();
    look(operator, "guest").await;
    ground.go(operator, "/settings").await;
    operator.reads("You are a guest of this company").await.unwrap();
    assert!(operator.driver.find(thirtyfour::By::Css("form[action='/settings']")).await.is_err(), "nothing to change");
    look(operator, "guest-settings").await;
    owner.click("form[action$='/end'] button").await.unwrap();
    owner.reads("The visit is over").await.unwrap();
    ground.go(operator, "/receipts").await;
    arrives(operator, "/operator").await;
    operator.reads("The visit is over").await.unwrap();
    ground.go(owner, "/audit?action=support.").await;
    owner.reads("support looked").await.unwrap();
}

/// Suspended, told why, and working again.
async fn suspend(ground: &Ground, operator: &Browser, owner: &Browser, page: &str) {
    ground.go(operator, page).await;
    operator.fill("#reason", "The bill of May is open").await.unwrap();
    operator.click("form[action$='/standing'] button.danger").await.unwrap();
    operator.reads("The company is suspended").await.unwrap();
    look(operator, "operator-suspended").await;
    ground.go(owner, "/shops").await;
    owner.reads("The bill of May is open").await.unwrap();
    look(owner, "suspended").await;
    operator.click("form[action$='/standing'] button.primary").await.unwrap();
    operator.reads("The company can work again").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_company_comes_gets_going_and_is_looked_into_only_when_it_says_so() {
    let mut ground = Ground::lay().await;
    let folder = passing_folder("tillway-second-").unwrap();
    let (owner, operator) =
        (Browser::start(Screen::Desktop).await.unwrap(), Browser::start(Screen::Desktop).await.unwrap());
    register(&ground, &owner).await;
    let secret = operator_arrives(&ground, &operator).await;
    let page = approve(&ground, &operator).await;
    let mut store = first_sale(&ground, &owner, folder.path()).await;
    visit(&ground, &operator, &owner, &page).await;
    suspend(&ground, &operator, &owner, &page).await;

    for (path, name) in
        [("/settings", "settings"), ("/settings/close", "settings-close"), ("/register", "register-another")]
    {
        ground.go(&owner, path).await;
        look(&owner, name).await;
    }
    ground.go(&owner, "/settings").await;
    owner.fill("#display_name", "Second").await.unwrap();
    owner.fill("#accent", "#b45309").await.unwrap();
    owner.click("form[action='/settings'] button[type=submit]").await.unwrap();
    owner.reads("Saved.").await.unwrap();
    look(&owner, "settings-branded").await;
    for (path, name) in [
        ("/operator/modules", "operator-modules"),
        ("/operator/jobs", "operator-jobs"),
        ("/operator/mails", "operator-mails"),
    ] {
        ground.go(&operator, path).await;
        look(&operator, name).await;
    }
    owner.quit().await.unwrap();
    operator.quit().await.unwrap();
    on_a_phone(&ground, &secret, &page).await;
    store.stop().await;
    ground.cloud.stop().await;
    folder.close().unwrap();
}

async fn on_a_phone(ground: &Ground, secret: &str, page: &str) {
    let browser = Browser::start(Screen::Phone).await.unwrap();
    ground.go(&browser, "/register").await;
    look(&browser, "register").await;
    ground.sign_in(&browser, "/sign-in?next=/start", OWNER).await;
    arrives(&browser, "/start").await;
    for (path, name) in [
        ("/start", "start"),
        ("/settings", "settings"),
        ("/settings/support", "support"),
        ("/settings/close", "settings-close"),
    ] {
        ground.go(&browser, path).await;
        look(&browser, name).await;
    }
    browser.driver.delete_all_cookies().await.unwrap();
    ground.now.fetch_add(60_000, Ordering::SeqCst);
    ground.sign_in(&browser, "/sign-in?next=/operator", OPERATOR).await;
    arrives(&browser, "/sign-in/second").await;
    browser.fill("#code", &ground.code(secret)).await.unwrap();
    browser.click("form[action='/sign-in/second'] button").await.unwrap();
    arrives(&browser, "/operator").await;
    for (path, name) in [
        ("/operator", "operator"),
        (page, "operator-company"),
        ("/operator/modules", "operator-modules"),
        ("/operator/jobs", "operator-jobs"),
        ("/operator/mails", "operator-mails"),
    ] {
        ground.go(&browser, path).await;
        look(&browser, name).await;
    }
    browser.quit().await.unwrap();
}
