//! Head office fails: its process and its PostgreSQL are killed while a shop sells, and the shop does not notice.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::street::{SOON, Street, sell};

/// The postmaster of the private database, by the file it keeps.
fn postmaster(folder: &Path) -> Option<Pid> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.file_name().is_some_and(|name| name == "postmaster.pid") {
                let text = std::fs::read_to_string(path).ok()?;
                return Pid::from_raw(text.lines().next()?.trim().parse().ok()?);
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_while_the_shop_sells_on() {
    let mut street = Street::open("hq").await;
    let mut lane = street.lane("Till 1").await;
    let mut slowest = Duration::ZERO;
    let mut sold = 0_u32;
    let mut sales = async |lane: &mut _, count: u32| {
        for _ in 0..count {
            let began = Instant::now();
            sell(lane, &format!("s{sold}"), "MUG", 1).await;
            slowest = slowest.max(began.elapsed());
            sold += 1;
        }
    };

    sales(&mut lane, 20).await;
    street.town.kill_hq().unwrap();
    sales(&mut lane, 40).await;
    street.town.start_hq().await.unwrap();
    sales(&mut lane, 20).await;

    // PostgreSQL alone: HQ starts it again or is started again itself; either way it comes back.
    let database = postmaster(Path::new(street.town.state())).expect("a postmaster under HQ's state");
    kill_process(database, Signal::KILL).unwrap();
    sales(&mut lane, 40).await;
    back_again(&mut street).await;
    sales(&mut lane, 10).await;

    assert!(slowest < Duration::from_secs(2), "a sale took {slowest:?} while HQ was down");
    sign_in_again(&mut street).await;
    let figures = street.settle(i64::from(sold), i64::from(sold) * 255).await;
    assert_eq!((figures.sales, figures.returns, figures.lines), (i64::from(sold), 0, i64::from(sold)));
    street.close().await;
}

/// Waits until HQ answers from its database again.
async fn back_again(street: &mut Street) {
    let began = Instant::now();
    loop {
        if street.town.still_runs().is_err() {
            street.town.start_hq().await.unwrap();
        }
        if street.hq.overview(Some(&street.node.shop), "2010-01-01", "2010-01-01").await.is_ok() {
            return;
        }
        assert!(began.elapsed() < SOON, "HQ has not come back after its database was killed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Signs in anew, as a person does whom a 503 has told to try again in a moment: backends of a killed database may
/// still have answered a moment ago.
async fn sign_in_again(street: &mut Street) {
    let began = Instant::now();
    loop {
        match street.town.sign_in(&street.owner).await {
            Ok(hq) => {
                street.hq = hq;
                return;
            }
            Err(error) => {
                assert!(began.elapsed() < SOON, "nobody can sign in after the database was killed: {error:#}")
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
