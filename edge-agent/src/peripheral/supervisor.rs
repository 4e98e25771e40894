//! One task per printer, its only owner: gets it ready for a job, prints, closes when there is nothing to do, looks
//! now and then how it is, and says so. Decides nothing about jobs.

use std::future::Future;
use std::time::Duration;

use firmware_config::HostPort;
use firmware_config::peripheral::{Printer, PrinterDriver, Proof};
use protocol::limits;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::printer::escpos::{Printed, Session};
use crate::clock::Clock;
use crate::core::backoff::Pace;
use crate::core::print_queue::{JobKey, State, Why};
use crate::device::{Condition, DeviceKind, DeviceState, Devices};

/// An idle connection is closed after this: many printers serve one client, and others may want it.
const IDLE: Duration = Duration::from_secs(5);
/// How often a printer without work is asked how it is.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How often a printer that waits for a person is asked.
const HINDERED_EVERY: Duration = Duration::from_millis(500);
/// A status older than this is asked for again before a job is sent.
const FRESH: Duration = Duration::from_secs(2);
/// Before the first job after one that broke off: fills up what a half command still waits for, so that it does not
/// swallow the beginning of the next receipt. More than the data of any command a receipt has; elsewhere a printer
/// passes over these bytes.
const FILL: [u8; 256] = [0; 256];
/// Orders that may wait for a printer's task: it reads them at once but while it prints, and then there are none.
const ORDERS: usize = 16;

/// What a printer is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Get ready for a job, and say so.
    Offer(JobKey),
    /// Print it.
    Go {
        key: JobKey,
        bytes: Vec<u8>,
        /// The one before it may have broken off in the middle of a command.
        after_break: bool,
    },
    /// The offer is off.
    Withdraw,
}

/// What a printer says.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) printer: String,
    pub(super) key: JobKey,
    pub(super) what: What,
}

/// What a printer says of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Connected and well.
    Ready,
    /// It cannot go on now.
    Hindered(Why),
    /// It was begun, and nothing of it was sent.
    NothingSent(Why),
    /// It came to an end.
    Ended(State, Option<Why>),
}

/// Where a printer's task reports.
pub(super) struct Outlets {
    pub(super) reports: mpsc::Sender<Report>,
    pub(super) devices: Devices,
    pub(super) clock: Clock,
}

/// The task of a printer, and where it takes orders. It ends when nobody can give any.
pub(super) fn start(
    printer: &Printer,
    outlets: Outlets,
    seed: u64,
) -> (mpsc::Sender<Order>, impl Future<Output = ()> + use<>) {
    let (sender, orders) = mpsc::channel(ORDERS);
    let PrinterDriver::EscposTcp(escpos) = &printer.driver;
    let driver = Driver {
        name: printer.name.clone(),
        address: escpos.address.clone(),
        proof: escpos.proof,
        outlets,
        pace: Pace::new(limits::PRINTER_BACKOFF_BASE_MS, limits::PRINTER_BACKOFF_CAP_MS, seed),
        session: None,
        told: None,
        balked: false,
    };
    driver.say(Condition::Unknown, None);
    (sender, run(driver, orders))
}

async fn run(mut driver: Driver, mut orders: mpsc::Receiver<Order>) {
    let mut next = None;
    let mut look = Duration::ZERO;
    loop {
        let order = match next.take() {
            Some(order) => order,
            None => match driver.idle(&mut orders, look).await {
                Some(order) => order,
                None => return driver.hang_up().await,
            },
        };
        look = LOOK_EVERY;
        match order {
            Order::Offer(key) => {
                let taken = tokio::select! {
                    order = orders.recv() => order,
                    () = driver.make_ready(key) => {
                        driver.report(key, What::Ready).await;
                        orders.recv().await
                    }
                };
                match taken {
                    Some(order) => next = Some(order),
                    None => return driver.hang_up().await,
                }
            }
            Order::Go { key, bytes, after_break } => {
                let fill: &[u8] = if after_break { &FILL } else { &[] };
                driver.print(key, &[fill, &bytes].concat()).await;
            }
            Order::Withdraw => {}
        }
    }
}

/// A connection that was found well, and when.
struct Open {
    session: Session,
    checked: Instant,
}

/// A printer, with its connection if there is one.
struct Driver {
    name: String,
    address: HostPort,
    proof: Proof,
    outlets: Outlets,
    pace: Pace,
    session: Option<Open>,
    /// The last hindrance that was reported for the job at hand.
    told: Option<Why>,
    /// It let itself be connected, and took nothing of the last job: the next try waits its turn, so that a printer
    /// that ends every connection at once costs no mark on the disk for each.
    balked: bool,
}

impl Driver {
    /// Waits for an order; meanwhile closes an idle connection and looks after the printer now and then.
    async fn idle(&mut self, orders: &mut mpsc::Receiver<Order>, mut look: Duration) -> Option<Order> {
        if self.session.is_some() {
            match timeout(IDLE, orders.recv()).await {
                Ok(order) => return order,
                Err(_) => self.hang_up().await,
            }
        }
        loop {
            match timeout(look, orders.recv()).await {
                Ok(order) => return order,
                Err(_) => look = LOOK_EVERY,
            }
            if self.proof == Proof::None {
                continue;
            }
            tokio::select! {
                order = orders.recv() => return order,
                () = self.look() => {}
            }
        }
    }

    /// Asks a printer without work how it is.
    async fn look(&mut self) {
        if let Ok((session, _)) = self.check(None).await {
            session.close().await;
        }
    }

    /// Returns once the printer is connected and well; tries for as long as it takes.
    async fn make_ready(&mut self, key: JobKey) {
        self.told = None;
        if self.balked {
            sleep(self.pace.failed()).await;
        }
        loop {
            // Taken out, so that a cancelled try leaves no half-heard conversation behind.
            let open = self.session.take().map(|open| open.session);
            let kept = open.is_some();
            match self.check(open).await {
                Ok((session, None)) => {
                    if !self.balked {
                        self.pace.forgive();
                    }
                    self.session = Some(Open { session, checked: Instant::now() });
                    return;
                }
                Ok((session, Some(why))) => {
                    self.hinder(key, why).await;
                    sleep(HINDERED_EVERY).await;
                    self.session = Some(Open { session, checked: Instant::now() });
                }
                // A connection that was kept may have died of itself: once more at once, on a fresh one.
                Err(_) if kept => {}
                Err(why) => {
                    self.hinder(key, why).await;
                    sleep(self.pace.failed()).await;
                }
            }
        }
    }

    /// Connects, if need be, and asks how the printer is. Answers the connection and what keeps it from printing.
    async fn check(&self, session: Option<Session>) -> Result<(Session, Option<Why>), Why> {
        let fresh = session.is_none();
        let session = match session {
            Some(session) => Ok(session),
            None => Session::open(&self.address).await,
        };
        let checked = match (session, self.proof) {
            (Ok(session), Proof::None) => Ok((session, None)),
            (Ok(mut session), Proof::Status) => session.health().await.map(|health| (session, Some(health))),
            (Err(why), _) => Err(why),
        };
        match checked {
            Ok((session, health)) => {
                let health = health.unwrap_or_default();
                match health.hindered {
                    Some(why) => self.say(Condition::Attention, Some(why.words())),
                    None if health.nearly_out => self.say(Condition::Warning, Some("the paper is nearly out")),
                    None => self.say(Condition::Ready, None),
                }
                Ok((session, health.hindered))
            }
            Err(why) => {
                if fresh {
                    self.say(Condition::Offline, Some(why.words()));
                }
                Err(why)
            }
        }
    }

    async fn print(&mut self, key: JobKey, bytes: &[u8]) {
        let Some(open) = self.session.take() else {
            return self.report(key, What::NothingSent(Why::Unreachable)).await;
        };
        let mut session = open.session;
        // The disk may have kept the mark waiting.
        if open.checked.elapsed() > FRESH && self.proof == Proof::Status {
            match self.check(Some(session)).await {
                Ok((checked, None)) => session = checked,
                Ok((_, Some(why))) | Err(why) => return self.report(key, What::NothingSent(why)).await,
            }
        }
        let printed = match self.proof {
            Proof::None => session.print_blind(bytes).await,
            Proof::Status => {
                let (name, outlets) = (&self.name, &self.outlets);
                let told = |hindered: Option<Why>| {
                    let condition = if hindered.is_some() { Condition::Attention } else { Condition::Ready };
                    say(outlets, name, condition, hindered.map(Why::words));
                    if let Some(why) = hindered {
                        // Whoever reads reports is slow only when it has worse to do; this one is a courtesy.
                        let report = Report { printer: name.clone(), key, what: What::Hindered(why) };
                        drop(outlets.reports.try_send(report));
                    }
                };
                let printed = session.print(bytes, told).await;
                if matches!(printed, Printed::Ended(State::Proven, _)) && session.is_settled() {
                    self.session = Some(Open { session, checked: Instant::now() });
                }
                printed
            }
        };
        self.balked = matches!(printed, Printed::Nothing(_));
        let what = match printed {
            Printed::Nothing(why) => What::NothingSent(why),
            Printed::Ended(state, why) => What::Ended(state, why),
        };
        self.report(key, what).await;
    }

    async fn hinder(&mut self, key: JobKey, why: Why) {
        if self.told != Some(why) {
            self.told = Some(why);
            self.report(key, What::Hindered(why)).await;
        }
    }

    async fn report(&self, key: JobKey, what: What) {
        let report = Report { printer: self.name.clone(), key, what };
        if self.outlets.reports.send(report).await.is_err() {
            tracing::debug!(printer = self.name, "nobody reads the reports of a printer any more");
        }
    }

    fn say(&self, state: Condition, detail: Option<&str>) {
        say(&self.outlets, &self.name, state, detail);
    }

    async fn hang_up(&mut self) {
        if let Some(open) = self.session.take() {
            open.session.close().await;
        }
    }
}

fn say(outlets: &Outlets, name: &str, state: Condition, detail: Option<&str>) {
    let (name, detail) = (name.to_owned(), detail.map(str::to_owned));
    outlets.devices.set(DeviceState { name, kind: DeviceKind::Printer, state, since: outlets.clock.now(), detail });
}
