//! Sells a file of receipts while the network and the power fail, then asks head office for every figure.
//! Used by the `proof` tool on the whole file and by the stories on a part of it.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::{say, tell};
use crate::hq::{Hq, NodeCompleteness, Overview};
use crate::receipts::{self, Kind, Receipt};
use crate::relay::Relay;
use crate::replay::{Done, Options, Report, replay};
use crate::town::{Node, SignIn, Town};

/// How long HQ may take to hold everything once the last receipt is rung.
const SETTLE_WITHIN: Duration = Duration::from_secs(600);

/// What is to be endured.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Receipts, gzip CSV.
    pub receipts: std::path::PathBuf,
    /// Lanes that sell at once.
    pub lanes: u16,
    /// How often the node is killed (-9).
    pub kills: usize,
    /// At most so many receipts.
    pub limit: Option<usize>,
}

/// What the paper says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    sales: i64,
    returns: i64,
    lines: i64,
    net_minor: i64,
    first_day: String,
    first_day_minor: i64,
    last_day: String,
}

fn wanted(receipts: &[Receipt]) -> anyhow::Result<Wanted> {
    let first_day = receipts.first().context("no receipts")?.day().to_owned();
    let mut wanted = Wanted { first_day: first_day.clone(), last_day: first_day, ..Wanted::default() };
    for receipt in receipts {
        let total = receipt.total()?.minor();
        wanted.sales += i64::from(receipt.kind == Kind::Sale);
        wanted.returns += i64::from(receipt.kind == Kind::Return);
        if receipt.kind != Kind::WriteOff {
            wanted.lines += i64::try_from(receipt.rows.len())?;
        }
        wanted.net_minor += total;
        if receipt.day() == wanted.first_day {
            wanted.first_day_minor += total;
        }
        wanted.last_day = wanted.last_day.max(receipt.day().to_owned());
    }
    Ok(wanted)
}

/// Runs the trial in `folder`; what is wrong at the end, nothing when every receipt is at head office once.
///
/// # Errors
/// When a part cannot be started or breaks down.
pub async fn prove(arguments: &Trial, folder: &Path) -> anyhow::Result<Vec<String>> {
    let all = receipts::read(&arguments.receipts)?;
    let count = arguments.limit.unwrap_or(usize::MAX).min(all.len());
    let paper = wanted(all.get(..count).unwrap_or_default())?;

    let mut town = Town::start(folder).await?;
    let owner = SignIn { email: "owner@proof.example".to_owned(), password: "a proof needs no secret".to_owned() };
    let tenant = town.tenant("Proof", &owner)?;
    let shop = town.shop(&tenant, "Proof Street")?;
    let mut node = town.enrol(&tenant, &shop, "node")?;
    let relay = Relay::udp(town.quic(), 1).await?;
    node.uplink_over(relay.address())?;
    node.start().await?;

    let options = Options {
        receipts: arguments.receipts.clone(),
        hq: town.url(),
        email: owner.email.clone(),
        password: owner.password.clone(),
        node: node.url(),
        pairing: node.pairing(arguments.lanes)?.code,
        ca_fingerprint: None,
        lanes: arguments.lanes,
        from: None,
        to: None,
        limit: arguments.limit,
    };
    let began = Instant::now();
    let (report, deepest) = disturbed(arguments, options, &relay, &mut node, count).await?;
    let sold_in = began.elapsed();
    say(&serde_json::to_string(&report)?);

    let hq = town.sign_in(&owner).await?;
    let figures = settled(&hq, &shop, &paper, &mut town, &mut node).await?;
    let settled_in = began.elapsed().saturating_sub(sold_in);
    say(&format!(
        "{count} receipts, {} lanes, {} kills, uplink cut from {} to {} receipts: sold in {:.1} s, \
         settled {:.1} s later",
        arguments.lanes,
        arguments.kills,
        deepest.0,
        deepest.1,
        sold_in.as_secs_f64(),
        settled_in.as_secs_f64()
    ));
    let mut faults = judge(&paper, &report, &figures);
    node.stop()?;
    match node.verify_journal() {
        Ok(text) => say(text.trim_end()),
        Err(error) => faults.push(format!("journal verify: {error:#}")),
    }
    town.stop()?;
    Ok(faults)
}

/// Replays while the uplink is cut for the middle third and the node is killed at even distances.
async fn disturbed(
    arguments: &Trial,
    options: Options,
    relay: &Relay,
    node: &mut Node,
    count: usize,
) -> anyhow::Result<(Report, (usize, usize))> {
    let done = Done::default();
    let selling = tokio::spawn({
        let done = Done::clone(&done);
        async move { replay(&options, &done).await }
    });
    let (mut killed, mut cut) = (0, (0, 0));
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while !selling.is_finished() {
        tick.tick().await;
        if let Err(error) = node.still_runs() {
            selling.abort();
            return Err(error);
        }
        let at = done.load(Ordering::Relaxed);
        if cut.0 == 0 && at * 3 >= count {
            relay.cut();
            cut.0 = at.max(1);
            tell(&format!("uplink cut at {at}"));
        }
        if cut.0 != 0 && cut.1 == 0 && at * 3 >= count * 2 {
            relay.restore();
            cut.1 = at;
            tell(&format!("uplink restored at {at}"));
        }
        if killed < arguments.kills && at * (arguments.kills + 1) >= count * (killed + 1) {
            killed += 1;
            node.kill()?;
            node.start().await?;
            tell(&format!("node killed and started, {killed} of {}, at {at}", arguments.kills));
        }
    }
    relay.restore();
    let report = selling.await.context("the replay broke down")??;
    anyhow::ensure!(killed == arguments.kills, "only {killed} of {} kills happened: too few receipts", arguments.kills);
    Ok((report, cut))
}

struct Figures {
    all: Overview,
    first_day: Overview,
    nodes: Vec<NodeCompleteness>,
}

/// Waits until HQ has what the node has, then reads everything once.
async fn settled(hq: &Hq, shop: &str, paper: &Wanted, town: &mut Town, node: &mut Node) -> anyhow::Result<Figures> {
    let deadline = Instant::now() + SETTLE_WITHIN;
    loop {
        town.still_runs()?;
        node.still_runs()?;
        let all = hq.overview(Some(shop), &paper.first_day, &paper.last_day).await?;
        let nodes = hq.completeness(shop).await?;
        let exact = !nodes.is_empty() && nodes.iter().all(NodeCompleteness::is_exact);
        let complete = exact && all.sales + all.returns >= paper.sales + paper.returns;
        if complete || Instant::now() > deadline {
            let first_day = hq.overview(Some(shop), &paper.first_day, &paper.first_day).await?;
            return Ok(Figures { all, first_day, nodes });
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn judge(paper: &Wanted, report: &Report, figures: &Figures) -> Vec<String> {
    let mut faults = Vec::new();
    let mut same = |what: &str, found: i64, wanted: i64| {
        say(&format!("{what}: {found}{}", if found == wanted { "" } else { "  <- WRONG" }));
        if found != wanted {
            faults.push(format!("{what} is {found}, the paper says {wanted}"));
        }
    };
    same("HQ sales", figures.all.sales, paper.sales);
    same("HQ returns", figures.all.returns, paper.returns);
    same("HQ lines", figures.all.lines, paper.lines);
    same("HQ net, minor units", figures.all.net_sales_minor, paper.net_minor);
    same(&format!("HQ net on {}", paper.first_day), figures.first_day.net_sales_minor, paper.first_day_minor);
    same("replay net, minor units", report.net_minor, paper.net_minor);
    same("receipts rejected", i64::try_from(report.rejected.len()).unwrap_or(i64::MAX), 0);
    for node in &figures.nodes {
        say(&format!("completeness: {node:?}"));
        if !node.is_exact() {
            faults.push(format!("completeness of node {} is not exact", node.node_id));
        }
    }
    if figures.nodes.is_empty() {
        faults.push("HQ knows no node of the shop".to_owned());
    }
    faults
}
