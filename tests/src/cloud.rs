//! Head office in this process: the real router and gateway over a real PostgreSQL, a database of its own, and a
//! clock that can be moved. For stories that need time or a look inside; the others start the real binary.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use anyhow::Context;
use control_plane::app::{App, Running, ServeConfig, start};
use control_plane::clock::Clock;
use control_plane::db::testing::TestDb;
use control_plane::domain::tenants;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hq::Hq;
use crate::town::SignIn;

/// A running head office.
pub struct Cloud {
    running: Option<Running>,
    address: String,
    /// Its parts.
    pub app: App,
    // Removed with the value; the database is dropped when the last pool is gone.
    _state: tempfile::TempDir,
    database: TestDb,
}

impl Cloud {
    /// Starts one whose clock is `now` (milliseconds since 1970), moved by whoever holds it.
    ///
    /// # Errors
    /// Why it did not start.
    pub async fn start(now: Arc<AtomicI64>) -> anyhow::Result<Self> {
        Self::start_with(now, |config| config).await
    }

    /// The same with other settings than the usual ones.
    ///
    /// # Errors
    /// Why it did not start.
    pub async fn start_with(
        now: Arc<AtomicI64>,
        change: impl FnOnce(ServeConfig) -> ServeConfig,
    ) -> anyhow::Result<Self> {
        crate::trust::install();
        let (database, state) = (TestDb::new().await, tempfile::tempdir()?);
        let config = change(ServeConfig::for_tests(database.db.clone(), state.path().to_owned()));
        let running = start(config, Clock::Manual(now)).await?;
        let (address, app) = (format!("http://{}", running.http), running.app.clone());
        Ok(Self { running: Some(running), address, app, _state: state, database })
    }

    /// Its database.
    pub fn database(&self) -> &TestDb {
        &self.database
    }

    /// Its plain HTTP address.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// Where nodes connect by QUIC.
    ///
    /// # Errors
    /// When the gateway is not open.
    pub fn quic(&self) -> anyhow::Result<std::net::SocketAddr> {
        let place = self.app.places().quic.context("the gateway is not open")?;
        place.parse().with_context(|| format!("{place} is no address"))
    }

    /// A tenant and its owner, signed in.
    ///
    /// # Errors
    /// What HQ said.
    pub async fn tenant(&self, name: &str) -> anyhow::Result<(Hq, SignIn)> {
        let email = format!("owner@{}.example", name.to_lowercase().replace(' ', "-"));
        let who = SignIn { email, password: "a long enough password".to_owned() };
        let made = tenants::service::create(&self.app, name, &who.email, &who.password).await;
        made.map_err(|refused| anyhow::anyhow!(refused.message))?;
        Ok((Hq::sign_in(self.url(), &who.email, &who.password).await?, who))
    }

    /// Its database as nobody in service sees it: for what a story may not do as a person.
    pub async fn superuser(&self) -> sqlx::PgConnection {
        self.database.superuser().await
    }

    /// A shop in London that counts pounds; its id.
    ///
    /// # Errors
    /// What HQ said.
    pub async fn shop(&self, hq: &Hq, name: &str) -> anyhow::Result<String> {
        let body = json!({"name": name, "timezone": "Europe/London", "currency": "GBP"});
        let made: Value = hq.call(Method::POST, "/v1/shops", Some(("application/json", body.to_string()))).await?;
        Ok(made["id"].as_str().context("a shop without an id")?.to_owned())
    }

    /// A claim code for a node of a shop.
    ///
    /// # Errors
    /// What HQ said.
    pub async fn claim(&self, hq: &Hq, shop: &str) -> anyhow::Result<String> {
        let path = format!("/v1/shops/{shop}/claims");
        let made: Value = hq.call(Method::POST, &path, Some(("application/json", "{}".to_owned()))).await?;
        Ok(made["code"].as_str().context("a claim without a code")?.to_owned())
    }

    /// Ends it.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }
}
