//! Two shops that sell real receipts, and head office beside them: what `make demo` runs. Wires the pieces of
//! this crate; prints figures of both sides until it is told to end.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use protocol::money::decimal_text;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::catalogue::Catalogue;
use crate::cli::{say, tell};
use crate::hq::{Hq, Overview};
use crate::lane::Lane;
use crate::receipts;
use crate::replay::{CURRENCY, Planned, plan, sell, wait_for_catalogue};
use crate::town::{Node, SignIn, Town};
use crate::wire::Target;

/// The committed receipts and the days they are of.
const RECEIPTS: &str = "data/online-retail-2010-12-01_14.csv.gz";
const DAYS: (&str, &str) = ("2010-12-01", "2010-12-14");
/// Shops of the tenant.
const SHOPS: [(&str, &str); 2] = [("camden", "Camden Passage"), ("leeds", "Leeds Corn Exchange")];
/// Lanes of each.
const LANES: u16 = 2;
/// A cashier's pause between two receipts: the figures move, a laptop stays cool.
const PAUSE: Duration = Duration::from_millis(350);
/// How long HQ may take to have the last sale once the lanes rest.
const SETTLE_WITHIN: Duration = Duration::from_secs(15);

/// What a shop's lanes were told is done.
#[derive(Default)]
struct Sold {
    tickets: AtomicU64,
    net_minor: AtomicI64,
    refused: AtomicU64,
}

struct Shop {
    name: &'static str,
    node: Node,
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

    let mut lanes = JoinSet::new();
    let (plans, catalogue) = prepare(&hq).await?;
    for shop in &shops {
        let next = Arc::new(AtomicUsize::new(0));
        let pairing = shop.node.pairing(LANES)?;
        for number in 1..=LANES {
            let target = Target::parse(&shop.node.url(), None)?;
            let mut lane = Lane::pair(target, &pairing.code, &format!("Till {number}")).await?;
            if number == 1 {
                wait_for_catalogue(&mut lane, &catalogue).await.context(shop.name)?;
            }
            let (plans, next, sold) = (Arc::clone(&plans), Arc::clone(&next), Arc::clone(&shop.sold));
            lanes.spawn(work(lane, plans, next, sold, end.clone()));
        }
    }
    watch_figures(&hq, &mut town, &mut shops, end).await?;
    tell("ending: lanes finish their receipts, head office gets the last of them");
    while let Some(ended) = lanes.join_next().await {
        ended.context("a lane broke down")?;
    }
    settle(&hq, &shops).await?;
    for shop in &mut shops {
        shop.node.stop()?;
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
        node.start().await?;
        shops.push(Shop { name, node, sold: Arc::default() });
    }
    Ok(shops)
}

fn introduce(town: &Town, owner: &SignIn, shops: &[Shop], folder: &std::path::Path) {
    say(&format!("head office   {url}   (API {url}/docs)", url = town.url()));
    say(&format!("sign in       {} / {}", owner.email, owner.password));
    for shop in shops {
        say(&format!("{:<22}{url}   (API {url}/v1/openapi.json)", shop.name, url = shop.node.url()));
    }
    say(&format!("files         {} (removed at the end)", folder.display()));
    say("Ctrl-C ends it.");
}

/// The catalogue at HQ and the receipts as lanes ring them.
async fn prepare(hq: &Hq) -> anyhow::Result<(Arc<Vec<Planned>>, Catalogue)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(RECEIPTS);
    let receipts = receipts::read(&path)?;
    let catalogue = Catalogue::of(&receipts);
    let imported = hq.import(catalogue.to_csv()?).await?;
    tell(&format!("{} products imported, on their way to the shops", imported.accepted));
    let plans: Vec<Planned> = receipts.iter().map(|receipt| plan(receipt, &catalogue)).collect::<Result<_, _>>()?;
    Ok((Arc::new(plans), catalogue))
}

/// One lane: the next receipt of its shop, a pause, again; after the last the fortnight begins anew.
async fn work(
    mut lane: Lane,
    plans: Arc<Vec<Planned>>,
    next: Arc<AtomicUsize>,
    sold: Arc<Sold>,
    mut end: watch::Receiver<bool>,
) {
    while !*end.borrow() {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(planned) = plans.get(at % plans.len().max(1)) else { return };
        match sell(&mut lane, planned, &format!("demo:{}", at / plans.len().max(1))).await {
            Ok(net) => {
                sold.tickets.fetch_add(u64::from(planned.kind != receipts::Kind::WriteOff), Ordering::Relaxed);
                sold.net_minor.fetch_add(net, Ordering::Relaxed);
            }
            Err(_) => drop(sold.refused.fetch_add(1, Ordering::Relaxed)),
        }
        // Either the pause is over or the end has come.
        drop(tokio::time::timeout(PAUSE, end.wait_for(|ended| *ended)).await);
    }
}

async fn watch_figures(
    hq: &Hq,
    town: &mut Town,
    shops: &mut [Shop],
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
        "{:<22} till {:>6} tickets {:>12} {CURRENCY}   head office {:>6} tickets {:>12} {CURRENCY}{refused}",
        shop.name,
        shop.sold.tickets.load(Ordering::Relaxed),
        money(shop.sold.net_minor.load(Ordering::Relaxed)),
        hq.sales + hq.returns,
        money(hq.net_sales_minor),
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
