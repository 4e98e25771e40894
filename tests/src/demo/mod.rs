//! Two shops that sell real receipts, and head office beside them: what `make demo` runs. Wires the pieces of
//! this crate; prints figures of both sides until it is told to end.

mod cut;
mod paper;
mod presence;
mod work;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::tz::TimeZone;
use protocol::money::decimal_text;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::catalogue::Catalogue;
use crate::cli::{say, tell};
use crate::hq::{Hq, Overview};
use crate::lane::Lane;
use crate::receipts;
use crate::replay::{CURRENCY, Planned, plan, wait_for_catalogue};
use crate::town::{Node, SignIn, Town};
use crate::wire::Target;
use cut::Cuts;
use paper::Paper;
use presence::Till;
use work::{Sold, Stack};

/// The committed receipts.
const RECEIPTS: &str = "data/online-retail-2010-12-01_14.csv.gz";
/// All trading days there may be.
const DAYS: (&str, &str) = ("2010-01-01", "2099-12-31");
/// Shops of the tenant.
const SHOPS: [(&str, &str); 2] = [("camden", "Camden Passage"), ("leeds", "Leeds Corn Exchange")];
/// Where they are.
const ZONE: &str = "Europe/London";
/// Lanes of each.
const LANES: u16 = 2;
/// How long HQ may take to have the last sale once the lanes rest.
const SETTLE_WITHIN: Duration = Duration::from_secs(15);

struct Shop {
    name: &'static str,
    node: Node,
    paper: Paper,
    sold: Arc<Sold>,
}

/// Runs until `end` says so; nothing of it is left afterwards.
///
/// # Errors
/// When a part does not start, breaks down, or does not end.
pub async fn demo(end: watch::Receiver<bool>) -> anyhow::Result<()> {
    let folder = crate::process::passing_folder("tillway-demo-")?;
    tell("starting head office with a database of its own");
    let mut town = Town::start(folder.path()).await?;
    let owner = SignIn { email: "owner@demo.example".to_owned(), password: "demo-demo-demo".to_owned() };
    let mut shops = open_shops(&town, &owner).await?;
    let hq = town.sign_in(&owner).await?;
    introduce(&town, &owner, &shops, folder.path());

    let (plans, catalogue) = prepare(&hq).await?;
    let mut lanes = JoinSet::new();
    let (mut cuts, news) = Cuts::new();
    for (number, shop) in shops.iter().enumerate() {
        open_lanes(&mut lanes, &mut cuts, shop, number, (&plans, &catalogue), &end).await.context(shop.name)?;
    }
    let cables = tokio::spawn(cuts.come_and_go(end.clone()));
    watch_figures(&hq, &mut town, &mut shops, &news, end).await?;
    tell("ending: lanes finish their receipts, head office gets the last of them");
    while let Some(ended) = lanes.join_next().await {
        ended.context("a lane broke down")?;
    }
    drop(cables.await);
    settle(&hq, &shops).await?;
    for mut shop in shops {
        shop.node.stop()?;
        shop.paper.unplug().await?;
    }
    town.stop()?;
    folder.close().context("removing what the demo made")
}

async fn open_shops(town: &Town, owner: &SignIn) -> anyhow::Result<Vec<Shop>> {
    let tenant = town.tenant("Gifts & Co", owner)?;
    let mut shops = Vec::new();
    for (folder, name) in SHOPS {
        let shop = town.shop(&tenant, name)?;
        let mut node = town.enrol(&tenant, &shop, folder)?;
        let paper = Paper::plug_in(&node).await?;
        node.start().await?;
        shops.push(Shop { name, node, paper, sold: Arc::default() });
    }
    Ok(shops)
}

fn introduce(town: &Town, owner: &SignIn, shops: &[Shop], folder: &std::path::Path) {
    say(&format!("head office   {url}/   (API {url}/docs)", url = town.url()));
    say(&format!("sign in       {} / {}", owner.email, owner.password));
    for shop in shops {
        say(&format!("{:<22}{url}/   (its status; API {url}/v1/openapi.json)", shop.name, url = shop.node.url()));
        say(&format!("{:<22}{} (pictures, as they are printed)", "  receipts", shop.paper.folder.display()));
    }
    say(&format!("files         {} (removed at the end)", folder.display()));
    say("Ctrl-C ends it.");
}

fn target(door: SocketAddr) -> anyhow::Result<Target> {
    Target::parse(&format!("http://{door}"), None)
}

/// The catalogue at HQ and the receipts as lanes ring them.
async fn prepare(hq: &Hq) -> anyhow::Result<(Vec<Planned>, Catalogue)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(RECEIPTS);
    let receipts = receipts::read(&path)?;
    let catalogue = Catalogue::of(&receipts);
    let imported = hq.import(catalogue.to_csv()?).await?;
    tell(&format!("{} products imported, on their way to the shops", imported.accepted));
    let plans: Vec<Planned> = receipts.iter().map(|receipt| plan(receipt, &catalogue)).collect::<Result<_, _>>()?;
    Ok((plans, catalogue))
}

/// Pairs the tills of a shop and lets them sell; the last till of the last shop is behind a cable that is pulled now and
/// then. One more lane books the paper of the past fortnight.
async fn open_lanes(
    lanes: &mut JoinSet<()>,
    cuts: &mut Cuts,
    shop: &Shop,
    number: usize,
    (plans, catalogue): (&[Planned], &Catalogue),
    end: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let stack = Stack::of_today(plans);
    let pairing = shop.node.pairing(LANES + 1)?;
    let (http, mqtt) = (shop.node.http(), shop.node.mqtt()?);
    let mut office = Lane::pair(target(http)?, &pairing.code, "Office").await?;
    wait_for_catalogue(&mut office, catalogue).await?;
    for till in 1..=LANES {
        let name = format!("Till {till}");
        let (mut http, mut mqtt) = (http, mqtt);
        if number + 1 == SHOPS.len() && till == LANES {
            let whose = format!("{name} of {}", shop.name);
            (http, mqtt) = (cuts.cable(&whose, http).await?, cuts.cable(&whose, mqtt).await?);
        }
        let lane = Lane::pair(target(http)?, &pairing.code, &name).await?;
        lanes.spawn(Till::new(&lane, &name, &shop.node.shop, mqtt)?.stay(end.clone()));
        lanes.spawn(work::today(lane, Arc::clone(&stack), Arc::clone(&shop.sold), end.clone()));
    }
    let today = jiff::Timestamp::now().to_zoned(TimeZone::get(ZONE)?).date();
    let past = Stack::of_the_fortnight(plans, today, number)?;
    lanes.spawn(work::the_fortnight(office, past, Arc::clone(&shop.sold), end.clone()));
    Ok(())
}

async fn watch_figures(
    hq: &Hq,
    town: &mut Town,
    shops: &mut [Shop],
    news: &watch::Receiver<String>,
    mut end: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let live = std::io::stdout().is_terminal();
    let mut drawn = false;
    while !*end.borrow() {
        town.still_runs()?;
        let mut lines = Vec::new();
        for shop in shops.iter_mut() {
            shop.node.still_runs()?;
            lines.push(line(shop, &at_hq(hq, shop).await?));
        }
        lines.push(news.borrow().clone());
        if live && drawn {
            say(&format!("\x1b[{}A\x1b[J{}", lines.len(), lines.join("\n")));
        } else {
            say(&lines.join("\n"));
        }
        drawn = true;
        let pause = Duration::from_secs(if live { 1 } else { 2 });
        drop(tokio::time::timeout(pause, end.wait_for(|ended| *ended)).await);
    }
    Ok(())
}

async fn at_hq(hq: &Hq, shop: &Shop) -> anyhow::Result<Overview> {
    hq.overview(Some(&shop.node.shop), DAYS.0, DAYS.1).await
}

fn line(shop: &Shop, hq: &Overview) -> String {
    let money = |minor: i64| decimal_text(minor, CURRENCY.exponent());
    let refused = match shop.sold.refused.load(Ordering::Relaxed) {
        0 => String::new(),
        n => format!("   {n} REFUSED"),
    };
    format!(
        "{:<22} till {:>6} tickets {:>12} {CURRENCY}   head office {:>6} tickets {:>12} {CURRENCY}   printed {:>5}{refused}",
        shop.name,
        shop.sold.tickets.load(Ordering::Relaxed),
        money(shop.sold.net_minor.load(Ordering::Relaxed)),
        hq.sales + hq.returns,
        money(hq.net_sales_minor),
        shop.paper.count(),
    )
}

/// Waits until both sides say the same, and says whether they do.
async fn settle(hq: &Hq, shops: &[Shop]) -> anyhow::Result<()> {
    let deadline = Instant::now() + SETTLE_WITHIN;
    for shop in shops {
        loop {
            let there = at_hq(hq, shop).await?;
            let tickets = i64::try_from(shop.sold.tickets.load(Ordering::Relaxed))?;
            let equal = there.sales + there.returns == tickets
                && there.net_sales_minor == shop.sold.net_minor.load(Ordering::Relaxed);
            if equal || Instant::now() > deadline {
                say(&format!("{}   {}", line(shop, &there), if equal { "equal" } else { "NOT EQUAL" }));
                anyhow::ensure!(equal, "{}: till and head office differ", shop.name);
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}
