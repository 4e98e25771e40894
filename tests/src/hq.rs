//! Head office as a person's tools see it: signing in, importing a catalogue, reading figures.
//! Knows its HTTP shapes only; the rows behind them are looked at by the stories that own a database.

use std::collections::BTreeSet;

use anyhow::Context;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

/// The figures of a shop or a tenant over some days.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Overview {
    /// Tickets that are sales.
    pub sales: i64,
    /// Tickets that are returns.
    pub returns: i64,
    /// Lines of both.
    pub lines: i64,
    /// Sales, tax included.
    pub gross_sales_minor: i64,
    /// Returns, positive.
    pub returns_minor: i64,
    /// Gross less returns.
    pub net_sales_minor: i64,
    /// The tax of both.
    pub tax_minor: i64,
}

/// Whether HQ has everything that a node has.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct NodeCompleteness {
    /// The node.
    pub node_id: String,
    /// The term.
    pub term: u32,
    /// Events on the node's disk by its last signed checkpoint; none before the first.
    pub stored: Option<u64>,
    /// Events HQ has.
    pub received: u64,
    /// Events HQ misses.
    pub gaps: u64,
    /// Came again and was ignored.
    pub resent: u64,
    /// Counted more than once: must be none.
    pub duplicates: u64,
    /// HQ's contiguous head is the node's.
    pub head_hash_equal: bool,
    /// Checkpoints that contradicted each other: must be none.
    #[serde(default)]
    pub contradictions: u64,
}

impl NodeCompleteness {
    /// Everything there, once, in the node's own order. A node that never ran has nothing to compare.
    pub fn is_exact(&self) -> bool {
        let never_ran = self.stored.is_none() && self.received == 0;
        let whole = self.stored == Some(self.received) && self.gaps == 0 && self.head_hash_equal;
        (never_ran || whole) && self.duplicates == 0 && self.contradictions == 0
    }
}

/// What a catalogue import came to.
#[derive(Clone, Debug, Deserialize)]
pub struct Imported {
    /// Lines taken.
    pub accepted: u64,
    /// Products that are new or differ now.
    pub changed: u64,
    /// Lines refused.
    pub rejected: u64,
}

#[derive(Deserialize)]
struct Completeness {
    nodes: Vec<NodeCompleteness>,
}

#[derive(Deserialize)]
struct SignedIn {
    access_token: String,
}

/// A person signed in at HQ.
#[derive(Clone)]
pub struct Hq {
    http: reqwest::Client,
    base: String,
    email: String,
    password: String,
    token: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Hq {
    /// Signs in.
    ///
    /// # Errors
    /// When HQ is away or does not know the person.
    pub async fn sign_in(base: &str, email: &str, password: &str) -> anyhow::Result<Self> {
        crate::trust::install();
        let http = reqwest::Client::builder().timeout(std::time::Duration::from_secs(120)).build()?;
        let base = base.trim_end_matches('/').to_owned();
        let hq = Self { http, base, email: email.to_owned(), password: password.to_owned(), token: Default::default() };
        hq.renew().await?;
        Ok(hq)
    }

    /// A new access token: they are short-lived and replays are long.
    async fn renew(&self) -> anyhow::Result<()> {
        let body = serde_json::json!({"email": self.email, "password": self.password});
        let request = self.http.post(format!("{}/v1/auth/login", self.base)).json(&body);
        let answer = request.send().await.with_context(|| format!("HQ at {} does not answer", self.base))?;
        let signed: SignedIn = data(answer).await.context("signing in")?;
        if let Ok(mut token) = self.token.lock() {
            *token = signed.access_token;
        }
        Ok(())
    }

    /// The access token it uses now.
    pub fn token(&self) -> String {
        self.token.lock().map(|token| token.clone()).unwrap_or_default()
    }

    /// Where HQ is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends one request and reads its `data`; signs in again once when the token has expired.
    ///
    /// # Errors
    /// What HQ refused, in its words.
    pub async fn call<T: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
    ) -> anyhow::Result<T> {
        let key = uuid::Uuid::new_v4().to_string();
        for attempt in 0..2 {
            let url = format!("{}{path}", self.base);
            let mut request = self.http.request(method.clone(), url).bearer_auth(self.token());
            if [Method::PUT, Method::PATCH].contains(&method) {
                request = request.header("if-match", "*");
            }
            if let Some((kind, text)) = &body {
                request = request.header("content-type", *kind).header("idempotency-key", &key).body(text.clone());
            }
            let answer = request.send().await.with_context(|| format!("{method} {path}"))?;
            if answer.status() == 401 && attempt == 0 {
                self.renew().await?;
                continue;
            }
            return data(answer).await.with_context(|| format!("{method} {path}"));
        }
        anyhow::bail!("{method} {path}: HQ refuses a token that it has just given")
    }

    /// Imports a catalogue (CSV).
    ///
    /// # Errors
    /// When HQ refuses it as a whole.
    pub async fn import(&self, csv: String) -> anyhow::Result<Imported> {
        self.call(Method::POST, "/v1/catalog/imports", Some(("text/csv", csv))).await
    }

    /// The figures of one shop, or of all, over business dates (inclusive).
    ///
    /// # Errors
    /// What HQ refused.
    pub async fn overview(&self, shop: Option<&str>, from: &str, to: &str) -> anyhow::Result<Overview> {
        let shop = shop.map(|id| format!("shop_id={id}&")).unwrap_or_default();
        self.call(Method::GET, &format!("/v1/analytics/overview?{shop}from={from}&to={to}"), None).await
    }

    /// Whether HQ has everything of a shop.
    ///
    /// # Errors
    /// What HQ refused.
    pub async fn completeness(&self, shop: &str) -> anyhow::Result<Vec<NodeCompleteness>> {
        let found: Completeness = self.call(Method::GET, &format!("/v1/shops/{shop}/completeness"), None).await?;
        Ok(found.nodes)
    }

    /// The references (paper receipt numbers) of all tickets of a shop that HQ has.
    ///
    /// # Errors
    /// What HQ refused.
    pub async fn references(&self, shop: &str) -> anyhow::Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/sales/tickets?shop_id={shop}&limit=200{cursor}");
            let page: Value = self.page(&path).await?;
            let rows = page["data"].as_array().map_or(&[][..], Vec::as_slice);
            found.extend(rows.iter().filter_map(|row| row["reference"].as_str().map(str::to_owned)));
            match page["pagination"]["next_cursor"].as_str() {
                Some(next) if !rows.is_empty() => cursor = format!("&cursor={next}"),
                _ => return Ok(found),
            }
        }
    }

    async fn page(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(self.token());
        let answer = request.send().await?;
        anyhow::ensure!(answer.status().is_success(), "GET {path}: {}", answer.text().await?);
        Ok(answer.json().await?)
    }
}

async fn data<T: for<'de> Deserialize<'de>>(answer: reqwest::Response) -> anyhow::Result<T> {
    let status = answer.status();
    let text = answer.text().await?;
    let mut value: Value = serde_json::from_str(&text).with_context(|| format!("status {status}: {text}"))?;
    if !status.is_success() {
        let (code, message) = (&value["error"]["code"], &value["error"]["message"]);
        anyhow::bail!("{} ({status}): {}", code.as_str().unwrap_or("?"), message.as_str().unwrap_or(&text));
    }
    serde_json::from_value(value["data"].take()).with_context(|| format!("status {status}: {text}"))
}
