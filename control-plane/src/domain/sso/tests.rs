//! Stories of single sign-on: a company's own provider, and one that lies. The liar is a small issuer of this test; the
//! true provider, which nobody here wrote, is asked in the workspace's stories.

mod bounds;
mod company;
mod issuer;
mod lies;

use axum::http::StatusCode;
use protocol::id::TenantId;
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};

use self::issuer::Issuer;
use crate::app::App;
use crate::auth::policy::BuiltIn;
use crate::clock::Clock;
use crate::db::TenantTx;
use crate::db::testing::TestDb;
use crate::domain::{identity, tenants};
use crate::outbound::Outbound;
use crate::web::testing::{Browser, Page};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const PASSWORD: &str = "correct horse battery";

/// A head office with one company, its owner, and an issuer.
struct Rig {
    test: TestDb,
    app: App,
    issuer: Issuer,
    tenant: TenantId,
    owner: String,
}

impl Rig {
    async fn new() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let test = TestDb::new().await;
        let mut app = test.app(Clock::manual(NOW)).await;
        app.outbound = Outbound::new(true);
        let issuer = Issuer::start(NOW).await;
        let owner = "owner@bakers.example".to_owned();
        let made = tenants::service::create(&app, "Bakers", &owner, PASSWORD).await.unwrap();
        Self { test, app, issuer, tenant: made.tenant, owner }
    }

    /// The owner adds the issuer as a provider, on the page.
    async fn provider(&self, more: &[(&str, &str)]) -> String {
        let mut browser = self.owner().await;
        let csrf = browser.get("/settings/sso/new").await.hidden("csrf");
        let mut fields = vec![
            ("csrf", csrf.as_str()),
            ("label", "Bakers' account"),
            ("issuer", &self.issuer.url),
            ("client_id", issuer::CLIENT),
            ("client_secret", issuer::SECRET),
            ("domains", "bakers.example"),
            ("enabled", "1"),
        ];
        fields.extend_from_slice(more);
        let added = browser.post("/settings/sso", &fields).await;
        assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.text);
        added.location().rsplit('/').next().unwrap().to_owned()
    }

    async fn owner(&self) -> Browser {
        Browser::signed_in(&self.app, &self.owner, PASSWORD).await
    }

    fn start(&self, provider: &str) -> String {
        format!("/sign-in/sso/start?tenant={}&provider={provider}&next=/shops", self.tenant)
    }

    /// Away and back: what the browser sees in the end.
    async fn visit(&self, browser: &mut Browser, provider: &str) -> Page {
        let away = browser.get(&self.start(provider)).await;
        assert_eq!(away.status, StatusCode::SEE_OTHER, "{}", away.text);
        let back = self.issuer.visit(away.location());
        browser.get(&back).await
    }

    /// The owner links the account that the issuer vouches for now.
    async fn link(&self, provider: &str) {
        let mut browser = self.owner().await;
        let csrf = browser.get("/me/sso").await.hidden("csrf");
        let onward = browser.post(&format!("/me/sso/{provider}/link"), &[("csrf", &csrf)]).await;
        assert_eq!(onward.status, StatusCode::OK, "{}", onward.text);
        let url = onward.text.split("0;url=").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
        let linked = browser.get(&self.issuer.visit(&url)).await;
        assert_eq!((linked.status, linked.location()), (StatusCode::SEE_OTHER, "/me/sso"), "{}", linked.text);
    }

    /// Another owner, who has an authenticator app.
    async fn second_owner_with_a_factor(&self) {
        let person = identity::service::ensure_person(&self.app, "partner@bakers.example", PASSWORD).await.unwrap();
        let mut tx = TenantTx::begin(&self.app.db, self.tenant).await.unwrap();
        identity::service::add_with_role(&mut tx, person, BuiltIn::Owner, self.app.clock.now()).await.unwrap();
        tx.save().await.unwrap();
        self.app_of("partner@bakers.example").await;
    }

    /// As if somebody had set up an authenticator app.
    async fn app_of(&self, email: &str) {
        sqlx::query(
            "INSERT INTO platform.totp (person_id, sealed, created_at, confirmed_at)
             SELECT person_id, decode(repeat('00', 60), 'hex'), now(), now() FROM platform.people WHERE email_key = $1",
        )
        .bind(email)
        .execute(&mut self.test.superuser().await)
        .await
        .unwrap();
    }

    /// Everything that a sign-in may change, to be compared.
    async fn rows(&self) -> Value {
        let mut admin = self.test.superuser().await;
        let count = "SELECT json_build_object('people', (SELECT count(*) FROM platform.people),
            'memberships', (SELECT count(*) FROM app.memberships), 'sessions', (SELECT count(*) FROM app.sessions),
            'identities', (SELECT count(*) FROM app.sso_identities),
            'providers', (SELECT json_agg(p) FROM app.sso_providers p))";
        let text: sqlx::types::Json<Value> = sqlx::query_scalar(count).fetch_one(&mut admin).await.unwrap();
        text.0
    }
}

/// Whether a browser is signed in.
async fn is_in(browser: &mut Browser) -> bool {
    browser.get("/shops").await.status == StatusCode::OK
}
