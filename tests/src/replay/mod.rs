//! Sells a file of receipts as a shop would: its catalogue through HQ's import, its receipts through the
//! terminal API on several lanes at once, as late entries at their own time.

mod plan;
mod report;
mod sell;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::catalogue::Catalogue;
use crate::cli::{Progress, tell};
use crate::hq::Hq;
use crate::lane::Lane;
use crate::receipts::{self, Receipt};
use crate::wire::Target;

pub use plan::{CURRENCY, Planned, plan};
pub use report::{Rejected, Report};
pub use sell::sell;

/// How long the node may take to hold the catalogue that HQ has taken in.
const CATALOGUE_WITHIN: Duration = Duration::from_secs(120);
/// Products looked up to see that it does, spread over the whole.
const SAMPLES: usize = 40;

/// What to replay, where.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Receipts, gzip CSV with the columns of the "Online Retail" data set.
    #[arg(long, value_name = "FILE.csv.gz")]
    pub receipts: PathBuf,
    /// Head office.
    #[arg(long, value_name = "URL")]
    pub hq: String,
    /// Who signs in at head office.
    #[arg(long)]
    pub email: String,
    /// With which password.
    #[arg(long, env = "TILLWAY_PASSWORD", hide_env_values = true)]
    pub password: String,
    /// The node's terminal address.
    #[arg(long, value_name = "URL")]
    pub node: String,
    /// A pairing code that is good for that many lanes (`edge-agent pairing create`).
    #[arg(long, value_name = "CODE")]
    pub pairing: String,
    /// The fingerprint that `pairing create --json` prints; needed beyond loopback.
    #[arg(long, value_name = "HEX")]
    pub ca_fingerprint: Option<String>,
    /// Lanes that sell at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub lanes: u16,
    /// First day, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub from: Option<String>,
    /// Last day, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub to: Option<String>,
    /// At most so many receipts.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

fn day(text: &str) -> Result<String, String> {
    text.parse::<jiff::civil::Date>().map(|date| date.to_string()).map_err(|error| error.to_string())
}

impl Options {
    fn wants(&self, receipt: &Receipt) -> bool {
        self.from.as_deref().is_none_or(|from| receipt.day() >= from)
            && self.to.as_deref().is_none_or(|to| receipt.day() <= to)
    }
}

/// How far a replay is, for whoever watches from outside.
pub type Done = Arc<AtomicUsize>;

#[derive(Deserialize)]
struct Shop {
    shop_id: String,
    term: u32,
}

/// Replays.
///
/// # Errors
/// When the file, HQ or the node cannot be used at all. A receipt that is refused does not end it; it stands in
/// the report.
pub async fn replay(options: &Options, done: &Done) -> anyhow::Result<Report> {
    let all = receipts::read(&options.receipts)?;
    let catalogue = Arc::new(Catalogue::of(&all));
    let wanted: Vec<Receipt> =
        all.into_iter().filter(|r| options.wants(r)).take(options.limit.unwrap_or(usize::MAX)).collect();
    let target = Target::parse(&options.node, options.ca_fingerprint.as_deref())?;
    let hq = Hq::sign_in(&options.hq, &options.email, &options.password).await?;

    let imported = hq.import(catalogue.to_csv()?).await?;
    tell(&format!(
        "catalogue: {} lines accepted, {} changed, {} rejected",
        imported.accepted, imported.changed, imported.rejected
    ));
    let mut lanes = Vec::new();
    for number in 1..=options.lanes {
        let lane = Lane::pair(target.clone(), &options.pairing, &format!("Replay {number}")).await;
        lanes.push(lane.with_context(|| format!("pairing lane {number} of {}", options.lanes))?);
    }
    let first = lanes.first_mut().context("no lane")?;
    wait_for_catalogue(first, &catalogue).await?;
    let known = booked(first, &hq).await?;
    if !known.is_empty() {
        tell(&format!(
            "{} receipts of this shop are booked; those of the file among them are not sold again",
            known.len()
        ));
    }

    let plans: Vec<Planned> = wanted.iter().map(|receipt| plan(receipt, &catalogue)).collect::<Result<_, _>>()?;
    run_lanes(lanes, plans, known, done).await
}

/// Waits until the node answers with the catalogue's prices.
///
/// # Errors
/// Which product has not come in time, or why the node cannot be asked.
pub async fn wait_for_catalogue(lane: &mut Lane, catalogue: &Catalogue) -> anyhow::Result<()> {
    let began = Instant::now();
    let step = (catalogue.0.len() / SAMPLES).max(1);
    let samples = catalogue.0.iter().rev().step_by(step);
    for (code, product) in samples {
        loop {
            let found = match lane.product(code).await {
                Ok(found) => Some(found.unit_price),
                Err(error) if error.refused("NOT_FOUND") => None,
                Err(error) => return Err(error.into()),
            };
            if found == Some(product.price) {
                break;
            }
            let late = began.elapsed() < CATALOGUE_WITHIN;
            anyhow::ensure!(
                late,
                "after {CATALOGUE_WITHIN:?} the node does not have {code} at {} ({found:?})",
                product.price
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// The paper numbers that are booked already. A lane of an earlier run is another lane with keys of its own, so
/// what is there must be asked for: at the node, which also has what HQ has not heard of yet, and at HQ, which
/// also has what the node has retired.
async fn booked(lane: &mut Lane, hq: &Hq) -> anyhow::Result<BTreeSet<String>> {
    let shop: Shop = lane.get("/v1/shop").await?;
    let mut known = hq.references(&shop.shop_id).await.context("which receipts HQ has")?;
    for seq in 1_u64.. {
        let record: serde_json::Value = match lane.get(&format!("/v1/receipts/{}/{seq}", shop.term)).await {
            Ok(record) => record,
            Err(error) if error.refused("NOT_FOUND") => break,
            Err(error) => return Err(error).context("which receipts the node has"),
        };
        let inner = record.get("receipt").unwrap_or(&record);
        known.extend(inner["reference"].as_str().map(str::to_owned));
    }
    Ok(known)
}

/// Shares the receipts out: each lane takes the next when it is done with its last.
async fn run_lanes(
    lanes: Vec<Lane>,
    plans: Vec<Planned>,
    known: BTreeSet<String>,
    done: &Done,
) -> anyhow::Result<Report> {
    let progress = Arc::new(Progress::new("receipts", plans.len()));
    let (plans, next) = (Arc::new(plans), Arc::new(AtomicUsize::new(0)));
    let (known, report) = (Arc::new(known), Arc::new(Mutex::new(Report::default())));
    let mut tasks = JoinSet::new();
    for mut lane in lanes {
        let (plans, next, progress) = (Arc::clone(&plans), Arc::clone(&next), Arc::clone(&progress));
        let (known, report, done) = (Arc::clone(&known), Arc::clone(&report), Arc::clone(done));
        tasks.spawn(async move {
            while let Some(planned) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = if known.contains(&planned.number) {
                    Ok(planned.expected_minor)
                } else {
                    sell(&mut lane, planned, "replay").await
                };
                report.lock().await.add(planned, outcome, known.contains(&planned.number));
                progress.at(done.fetch_add(1, Ordering::Relaxed) + 1);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a lane broke down")?;
    }
    let report = Arc::into_inner(report).context("a lane still holds the report")?.into_inner();
    progress.done(&report.in_words());
    Ok(report)
}
