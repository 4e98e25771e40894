//! A real browser: Debian's Chromium behind its driver, without a window, in a profile of its own that is gone afterwards.
//! Knows how to look, click, type and judge a page; knows none of our pages.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;
use std::os::unix::process::CommandExt;
use tempfile::TempDir;
use thirtyfour::prelude::*;

use crate::process::free_port;

/// A busy machine starts a browser slowly.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a page may take to show what is waited for.
const SHOWS_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// The judge of accessibility, as its makers deliver it.
const AXE: &str = include_str!("../vendor/axe-core/axe.min.js");

/// The size of a window.
#[derive(Clone, Copy, Debug)]
pub enum Screen {
    /// 1280 x 800.
    Desktop,
    /// 390 x 844 at the pixel density of a phone.
    Phone,
}

/// What is wrong on a page, as axe sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    /// The rule.
    pub id: String,
    /// `minor`, `moderate`, `serious` or `critical`.
    pub impact: Option<String>,
    /// What it is about.
    pub help: String,
    /// Where.
    pub nodes: Vec<String>,
}

/// A browser with one window.
pub struct Browser {
    /// The driver's handle, for what is not here.
    pub driver: WebDriver,
    /// Where the driver listens.
    door: String,
    _process: Process,
    _profile: TempDir,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // The driver and every process of the browser, which are of its group.
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw)
            && let Err(error) = rustix::process::kill_process_group(group, rustix::process::Signal::KILL)
        {
            tracing::debug!(%error, "the browser was gone");
        }
        drop(self.0.wait());
    }
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    /// With what to install when Chromium or its driver is not there.
    pub async fn start(screen: Screen) -> anyhow::Result<Self> {
        let profile = tempfile::tempdir()?;
        let port = free_port()?.port();
        let process = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("chromedriver does not start: apt-get install chromium chromium-driver")?;
        let process = Process(process);
        let driver = connect(port, profile.path(), screen).await?;
        Ok(Self { driver, door: format!("http://127.0.0.1:{port}"), _process: process, _profile: profile })
    }

    /// Plugs in a device that makes passkeys, of the browser's own (WebDriver's virtual authenticator); its id. One that is
    /// not `verified` does not know who holds it.
    ///
    /// # Errors
    /// When the driver knows no such thing.
    pub async fn authenticator(&self, verified: bool) -> anyhow::Result<String> {
        let device = serde_json::json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": verified,
        });
        let path = format!("{}/session/{}/webauthn/authenticator", self.door, self.driver.session_id());
        let answer = reqwest::Client::new().post(path).json(&device).send().await?.error_for_status()?;
        let answer: serde_json::Value = answer.json().await?;
        Ok(answer["value"].as_str().context("a device without an id")?.to_owned())
    }

    /// Unplugs such a device; its passkeys are gone.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn remove_authenticator(&self, id: &str) -> anyhow::Result<()> {
        let path = format!("{}/session/{}/webauthn/authenticator/{id}", self.door, self.driver.session_id());
        reqwest::Client::new().delete(path).send().await?.error_for_status()?;
        Ok(())
    }

    /// Goes to an address.
    ///
    /// # Errors
    /// When the browser cannot.
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.driver.goto(url).await.with_context(|| format!("cannot open {url}"))
    }

    /// The first visible element of a CSS selector, as soon as there is one.
    ///
    /// # Errors
    /// When it does not come; tells what the page says instead.
    pub async fn see(&self, css: &str) -> anyhow::Result<WebElement> {
        self.wait(&format!("an element {css}"), async || {
            for element in self.driver.find_all(By::Css(css)).await.ok()? {
                if element.is_displayed().await.unwrap_or(false) {
                    return Some(element);
                }
            }
            None
        })
        .await
    }

    /// Waits until the page's text contains this.
    ///
    /// # Errors
    /// When it never does; tells what the page says instead.
    pub async fn reads(&self, text: &str) -> anyhow::Result<()> {
        self.wait(&format!("the words {text:?}"), async || self.text().await.ok()?.contains(text).then_some(())).await
    }

    /// Writes into a field in place of what is there.
    ///
    /// # Errors
    /// When there is no such field.
    pub async fn fill(&self, css: &str, text: &str) -> anyhow::Result<()> {
        let field = self.see(css).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// Clicks.
    ///
    /// # Errors
    /// When there is nothing to click.
    pub async fn click(&self, css: &str) -> anyhow::Result<()> {
        Ok(self.see(css).await?.click().await?)
    }

    /// What a person reads on the page.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn text(&self) -> anyhow::Result<String> {
        Ok(self.driver.find(By::Tag("body")).await?.text().await?)
    }

    /// Waits for anything.
    ///
    /// # Errors
    /// When it does not happen; tells what the page says instead.
    pub async fn wait<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
        let began = Instant::now();
        loop {
            if let Some(found) = look().await {
                return Ok(found);
            }
            if began.elapsed() > SHOWS_WITHIN {
                let url = self.driver.current_url().await.map(|url| url.to_string()).unwrap_or_default();
                let text = self.text().await.unwrap_or_default();
                bail!("{what}: not on {url} within {SHOWS_WITHIN:?}. The page says:\n{text}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether the page is wider than its window, so that a person has to scroll sideways.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn scrolls_sideways(&self) -> anyhow::Result<bool> {
        let script = "return document.documentElement.scrollWidth > window.innerWidth + 1";
        Ok(self.driver.execute(script, vec![]).await?.convert()?)
    }

    /// The faults of the page that axe calls serious or worse.
    ///
    /// # Errors
    /// When axe cannot run.
    pub async fn serious_faults(&self) -> anyhow::Result<Vec<Fault>> {
        self.driver.execute(AXE, vec![]).await.context("axe does not load")?;
        let script = "const done = arguments[arguments.length - 1]; \
            axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations.map(v => \
            ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map(n => n.html.slice(0, 200))}))), \
            e => done([{id: 'axe', impact: 'critical', help: String(e), nodes: []}]))";
        let faults: Vec<Fault> = self.driver.execute_async(script, vec![]).await?.convert()?;
        let serious = |fault: &Fault| matches!(fault.impact.as_deref(), Some("serious" | "critical"));
        Ok(faults.into_iter().filter(serious).collect())
    }

    /// What the page's scripts complained of since the last call.
    ///
    /// # Errors
    /// When the driver keeps no log.
    pub async fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let log = self.driver.get_log("browser").await?;
        Ok(log.into_iter().filter(|entry| entry.level == "SEVERE").map(|entry| entry.message).collect())
    }

    /// A picture of the window.
    ///
    /// # Errors
    /// When it cannot be taken or written.
    pub async fn picture(&self, path: &Path) -> anyhow::Result<()> {
        Ok(self.driver.screenshot(path).await?)
    }

    /// The headings of the first order that a person sees.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn headings(&self) -> anyhow::Result<Vec<String>> {
        let script =
            "return [...document.querySelectorAll('main h1')].filter(h => h.checkVisibility()).map(h => h.innerText)";
        Ok(self.driver.execute(script, vec![]).await?.convert()?)
    }

    /// The status that the page came with.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn status(&self) -> anyhow::Result<u16> {
        let script = "return performance.getEntriesByType('navigation')[0].responseStatus";
        Ok(self.driver.execute(script, vec![]).await?.convert()?)
    }

    /// Ends the browser.
    ///
    /// # Errors
    /// When it does not say goodbye; it is gone all the same.
    pub async fn quit(self) -> anyhow::Result<()> {
        Ok(self.driver.quit().await?)
    }
}

async fn connect(port: u16, profile: &Path, screen: Screen) -> anyhow::Result<WebDriver> {
    let mut wanted = DesiredCapabilities::chrome();
    // As root there is no sandbox; a small /dev/shm ends tabs.
    let profile = format!("--user-data-dir={}", profile.display());
    let (window, mobile) = match screen {
        Screen::Desktop => ("--window-size=1280,800", None),
        Screen::Phone => {
            ("--window-size=390,844", Some(serde_json::json!({ "width": 390, "height": 844, "pixelRatio": 2.0 })))
        }
    };
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-first-run",
        window,
        &profile,
    ] {
        wanted.add_arg(argument)?;
    }
    if let Some(metrics) = mobile {
        wanted.add_experimental_option("mobileEmulation", serde_json::json!({ "deviceMetrics": metrics }))?;
    }
    wanted.set("goog:loggingPrefs", serde_json::json!({ "browser": "ALL" }))?;
    let began = Instant::now();
    loop {
        match WebDriver::new(format!("http://127.0.0.1:{port}"), wanted.clone()).await {
            Ok(driver) => {
                driver.set_script_timeout(Duration::from_secs(60)).await?;
                return Ok(driver);
            }
            Err(error) if began.elapsed() > READY_WITHIN => return Err(error).context("the browser does not start"),
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}
