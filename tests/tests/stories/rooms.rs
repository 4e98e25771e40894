//! Every page of head office, opened as a person would, on a desk and on a telephone: none has a serious fault, none is
//! wider than its window, no script complains, each says what it is. The list is the router's own: a new page is opened by
//! itself, and one with an id in its address fails until it stands in `addresses`.
//! `TILLWAY_PICTURES` names a folder for a picture of each page.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use control_plane::domain::operators;
use control_plane::web::{Door, page_routes};
use reqwest::Method;
use serde_json::{Value, json};
use tillway_tests::browser::{Browser, Screen};
use tillway_tests::cloud::Cloud;
use tillway_tests::hq::Hq;
use tillway_tests::process::passing_folder;
use tillway_tests::store::Store;
use tillway_tests::town::SignIn;

use crate::pages::wrong;
use crate::street::{SOON, price_becomes, sell};

/// Addresses that are no page of their own, or are looked at elsewhere.
const NOT_OPENED: [(&str, &str); 11] = [
    ("/assets/{hash}/{*name}", "styles and scripts"),
    ("/company/brand.css", "a style"),
    ("/company/logo", "a picture"),
    ("/sales/live/events", "a stream"),
    ("/products/import/template.csv", "a file"),
    ("/products/imports/{id}/report.csv", "a file"),
    ("/me/security/totp", "stands behind a form: second_factors looks at it"),
    ("/sign-in/second", "stands behind a form: second_factors looks at it"),
    ("/sign-in/sso/start", "leads to a provider: tests/sso goes there"),
    ("/sign-in/sso/callback", "comes from a provider: tests/sso goes there"),
    ("/email/{door}/{token}", "its links are looked at below, each door of them"),
];

const PASSWORD: &str = "a long enough password";

struct Ground {
    cloud: Cloud,
    owner: SignIn,
    operator: SignIn,
    /// What fills the addresses that name something.
    addresses: BTreeMap<&'static str, String>,
    /// More pages for whoever is not signed in.
    links: Vec<String>,
    _store: Store,
    _folder: tempfile::TempDir,
}

async fn post(hq: &Hq, path: &str, body: Value) -> Value {
    hq.call(Method::POST, path, Some(("application/json", body.to_string()))).await.unwrap()
}

fn id(made: &Value) -> String {
    made["id"].as_str().unwrap_or_else(|| panic!("no id in {made}")).to_owned()
}

/// The path of the link in the newest mail to an address that leads to `door`.
async fn mailed(cloud: &Cloud, to: &str, door: &str) -> String {
    let began = Instant::now();
    loop {
        let mails = cloud.app.outbox.captured();
        let found = mails.iter().rev().filter(|mail| mail.to == to).find_map(|mail| {
            let word = mail.text.split_whitespace().find(|word| word.contains(&format!("/{door}")))?;
            Some(format!("/{}", word.splitn(4, '/').nth(3)?))
        });
        match found {
            Some(path) => return path,
            None => assert!(began.elapsed() < SOON, "no mail to {to} with a link to {door}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Ground {
    async fn lay() -> Self {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let now = Arc::new(AtomicI64::new(i64::try_from(millis).unwrap()));
        let folder = passing_folder("tillway-rooms-").unwrap();
        let cloud = Cloud::start(Arc::clone(&now)).await.unwrap();
        let (hq, owner) = cloud.tenant("Marlow Bakers").await.unwrap();
        let csv = "code,description,unit_price\nMUG,A mug,2.55\nBAG,A bag,1.10\nSCONE,A scone,1.20\n";
        hq.import(csv.to_owned()).await.unwrap();
        let store =
            Store::open(&cloud, &hq, "High Street", &folder.path().join("node"), Arc::clone(&now)).await.unwrap();
        let mut lane = store.lane("Till 1").await.unwrap();
        price_becomes(&mut lane, "MUG", "2.55").await;
        sell(&mut lane, "a", "MUG", 2).await;
        let mut ground = Self {
            cloud,
            owner,
            operator: SignIn { email: "op@tillway.example".to_owned(), password: PASSWORD.to_owned() },
            addresses: BTreeMap::new(),
            links: Vec::new(),
            _store: store,
            _folder: folder,
        };
        ground.sold(&hq).await;
        ground.people(&hq).await;
        ground.company(&hq).await;
        ground.platform().await;
        ground
    }

    /// A sale that has arrived, its shop and its node.
    async fn sold(&mut self, hq: &Hq) {
        let shop = self._store.shop.clone();
        let began = Instant::now();
        let node = loop {
            let nodes = hq.completeness(&shop).await.unwrap();
            if let Some(node) = nodes.iter().find(|node| node.received == 1) {
                break node.node_id.clone();
            }
            assert!(began.elapsed() < SOON, "the sale has not arrived: {nodes:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        self.addresses.extend([
            ("/receipts/{node}/{term}/{seq}", format!("/receipts/{node}/1/1")),
            ("/nodes/{id}", format!("/nodes/{node}")),
            ("/shops/{id}", format!("/shops/{shop}")),
            ("/staff/rules/{shop}", format!("/staff/rules/{shop}")),
            ("/products/item", "/products/item?code=MUG".to_owned()),
        ]);
    }

    /// A role of the company's own, somebody who holds it, somebody who is invited, a cashier, links by mail.
    async fn people(&mut self, hq: &Hq) {
        let may = json!(["sales.read", "shops.read", "catalog.read", "staff.read", "analytics.read"]);
        let role = json!({"name": "Night manager", "description": "Closes the shop", "permissions": may});
        let role = id(&post(hq, "/v1/rbac/roles", role).await);
        let maria = "maria@marlow-bakers.example";
        post(hq, "/v1/invitations", json!({"email": maria, "roles": [{"role": role}]})).await;
        let link = mailed(&self.cloud, maria, "invitations/").await;
        let token = link.rsplit('/').next().unwrap();
        let accepted = json!({"token": token, "password": PASSWORD, "name": "Maria Lopez"});
        post(hq, "/v1/invitations/accept", accepted).await;
        let people: Vec<Value> = hq.call(Method::GET, "/v1/people", None).await.unwrap();
        let person = id(people.iter().find(|person| person["email"] == maria).unwrap());
        let jonas = "jonas@marlow-bakers.example";
        post(hq, "/v1/invitations", json!({"email": jonas, "roles": [{"role": "accountant"}]})).await;
        let cashier = id(&post(hq, "/v1/staff", json!({"name": "Ann Baker", "all_shops": true})).await);
        post(hq, "/v1/auth/forgot", json!({"email": maria})).await;
        let moved = "owner@elsewhere.example";
        post(hq, "/v1/me/email", json!({"email": moved, "password": self.owner.password})).await;
        self.links.push(mailed(&self.cloud, moved, "email/").await);
        self.links.push(mailed(&self.cloud, &self.owner.email, "email/").await);
        self.addresses.extend([
            ("/roles/{id}", format!("/roles/{role}")),
            ("/people/{id}", format!("/people/{person}")),
            ("/people/{id}/roles", format!("/people/{person}/roles")),
            ("/staff/{id}", format!("/staff/{cashier}")),
            ("/invitations/{token}", mailed(&self.cloud, jonas, "invitations/").await),
            ("/reset/{token}", mailed(&self.cloud, maria, "reset/").await),
        ]);
    }

    /// A region, a key, a provider, and a company that would like to come.
    async fn company(&mut self, hq: &Hq) {
        let region = json!({"name": "North", "shop_ids": [self._store.shop]});
        let region = id(&post(hq, "/v1/regions", region).await);
        post(hq, "/v1/keys", json!({"name": "Bookkeeping", "permissions": ["sales.read", "shops.read"]})).await;
        let provider = json!({"label": "Bakers' account", "issuer": "https://id.marlow-bakers.example",
            "client_id": "tillway", "client_secret": "x"});
        let provider = id(&post(hq, "/v1/sso/providers", provider).await);
        let ann = "ann@corner.example";
        let wish = json!({"company": "Corner Shop", "email": ann, "name": "Ann Corner", "password": PASSWORD,
            "accept_terms": true});
        post(hq, "/v1/registrations", wish).await;
        let another = json!({"company": "Marlow Catering", "accept_terms": true, "country": "GB"});
        post(hq, "/v1/me/companies", another).await;
        self.addresses.extend([
            ("/regions/{id}", format!("/regions/{region}")),
            ("/settings/sso/{id}", format!("/settings/sso/{provider}")),
            ("/register/confirm", mailed(&self.cloud, ann, "register/confirm").await),
        ]);
    }

    async fn platform(&mut self) {
        let made = operators::service::create(&self.cloud.app, &self.operator.email, PASSWORD, "platform_admin").await;
        made.map_err(|refused| refused.message).unwrap();
        let tenant: String = sqlx::query_scalar("SELECT tenant_id::text FROM app.tenants WHERE name = 'Marlow Bakers'")
            .fetch_one(&mut self.cloud.superuser().await)
            .await
            .unwrap();
        self.addresses.insert("/operator/tenants/{tenant_id}", format!("/operator/tenants/{tenant}"));
    }

    /// The pages behind a door.
    fn behind(&self, wanted: impl Fn(&str, Door) -> bool) -> Vec<String> {
        let routes = page_routes().into_iter().filter(|route| route.method == "GET" && wanted(&route.path, route.door));
        let opened = routes.filter(|route| !NOT_OPENED.iter().any(|(path, _)| *path == route.path));
        let address = |path: String| match self.addresses.get(path.as_str()) {
            Some(filled) => filled.clone(),
            None => {
                assert!(!path.contains('{'), "{path} is new: say in `addresses` what it is filled with, or why not");
                path
            }
        };
        opened.map(|route| address(route.path)).collect()
    }

    async fn go(&self, browser: &Browser, path: &str) {
        browser.open(&format!("{}{path}", self.cloud.url())).await.unwrap();
    }

    async fn sign_in(&self, browser: &Browser, who: &SignIn) {
        browser.driver.delete_all_cookies().await.unwrap();
        self.go(browser, "/sign-in").await;
        browser.fill("#email", &who.email).await.unwrap();
        browser.fill("#password", &who.password).await.unwrap();
        browser.click("form[action='/sign-in'] button[type=submit]").await.unwrap();
        browser.see(".shell").await.unwrap();
    }

    /// Opens each and looks at it; what is wrong with any.
    async fn walk(&self, browser: &Browser, who: &str, paths: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for path in paths {
            self.go(browser, path).await;
            let (there, status) = (browser.driver.current_url().await.unwrap(), browser.status().await.unwrap());
            if there.path() != path.split('?').next().unwrap() || status != 200 {
                found.push(format!("{who} at {path}: {status} at {there}"));
            }
            let headings = browser.headings().await.unwrap();
            if headings.len() != 1 || headings[0].trim().is_empty() {
                found.push(format!("{who} at {path}: its heading is {headings:?}"));
            }
            let known = self.addresses.iter().find(|(_, filled)| *filled == path);
            let known = known.map_or(path.as_str(), |(name, _)| name);
            let name: String =
                known.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
            let wrong = wrong(browser, &format!("rooms-{who}{name}")).await;
            found.extend(wrong.iter().map(|wrong| format!("{who} at {path}: {wrong}")));
        }
        found
    }

    async fn tour(&self, screen: Screen, opened: &Opened) -> Vec<String> {
        let browser = Browser::start(screen).await.unwrap();
        let mut found = self.walk(&browser, "stranger", &opened.strangers).await;
        self.sign_in(&browser, &self.owner).await;
        found.extend(self.walk(&browser, "owner", &opened.owners).await);
        self.sign_in(&browser, &self.operator).await;
        // As if they had shown a second factor: second_factors does it in earnest.
        let proved = "UPDATE app.sessions SET mfa_at = created_at, stepped_up_at = created_at
            WHERE tenant_id = '00000000-0000-7000-8000-000000000001'";
        sqlx::query(proved).execute(&mut self.cloud.superuser().await).await.unwrap();
        found.extend(self.walk(&browser, "operator", &opened.operators).await);
        browser.quit().await.unwrap();
        found
    }
}

struct Opened {
    strangers: Vec<String>,
    owners: Vec<String>,
    operators: Vec<String>,
}

/// The import's report, made as a person makes one.
async fn import(ground: &Ground) -> String {
    let browser = Browser::start(Screen::Desktop).await.unwrap();
    ground.sign_in(&browser, &ground.owner).await;
    ground.go(&browser, "/products/import").await;
    browser.click("details summary:not(.btn)").await.unwrap();
    browser.fill("#text", "code,description,unit_price\nCAKE,A cake,3.40\nBAD,Five decimals,1.23456").await.unwrap();
    browser.click("form[enctype] button[type=submit]").await.unwrap();
    browser.reads("was not taken").await.unwrap();
    let there = browser.driver.current_url().await.unwrap().path().to_owned();
    browser.quit().await.unwrap();
    there
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_fit_to_be_seen() {
    let mut ground = Ground::lay().await;
    let report = import(&ground).await;
    ground.addresses.insert("/products/imports/{id}", report);
    let operators = |path: &str| path.starts_with("/operator");
    let mut opened = Opened {
        strangers: ground.behind(|_, door| door == Door::Open),
        owners: ground.behind(|path, door| door == Door::SignedIn && !operators(path)),
        operators: ground.behind(|path, _| operators(path)),
    };
    opened.strangers.extend(ground.links.iter().cloned());
    assert!(opened.owners.len() > 25 && opened.operators.len() > 3, "the router lists its pages");
    let (desk, phone) = tokio::join!(ground.tour(Screen::Desktop, &opened), ground.tour(Screen::Phone, &opened));
    assert!(desk.is_empty() && phone.is_empty(), "on a desk: {desk:#?}\non a telephone: {phone:#?}");
    ground.cloud.stop().await;
}
