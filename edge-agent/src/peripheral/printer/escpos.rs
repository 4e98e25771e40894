//! A conversation with an ESC/POS printer over one connection: is it well, print this, did you print it. Holds no
//! queue and tries nothing twice.

use std::time::Duration;

use firmware_config::HostPort;
use tokio::time::Instant;

use super::status::{Health, judge, questions};
use crate::core::print_queue::{State, Why};
use crate::peripheral::transport::tcp::{SendError, Tcp};
use crate::receipt::escpos::status::{Replies, Reply, ask_paper_in_order};

/// How long a printer may take for an answer that needs no paper to move.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a job may print, beyond a second for each KiB: feeding, cutting, and what was before it.
const PRINTING: Duration = Duration::from_secs(20);
/// How often a printer that prints is asked whether it is hindered.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Questions in a row that a printing printer may leave unanswered.
const UNANSWERED: u32 = 5;
/// How long a job that has been sent waits for somebody to bring paper. Then nobody knows what is on the paper.
const HINDERED: Duration = Duration::from_secs(600);

/// A connection to a printer.
#[derive(Debug)]
pub(in crate::peripheral) struct Session {
    tcp: Tcp,
    replies: Replies,
    /// Answers to status questions, until there are four.
    answers: Vec<u8>,
    /// Rounds of questions whose answers are still to come.
    owed: u32,
}

/// What was heard at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Heard {
    /// Nothing in time.
    silence: bool,
    /// The printer worked through everything before the question.
    proof: bool,
    /// All four answers are there.
    health: Option<Health>,
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peripheral) enum Printed {
    /// Not a byte of it reached the network.
    Nothing(Why),
    /// Its end.
    Ended(State, Option<Why>),
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// [`Why::Unreachable`].
    pub(in crate::peripheral) async fn open(address: &HostPort) -> Result<Self, Why> {
        match Tcp::connect(address).await {
            Ok(tcp) => Ok(Self { tcp, replies: Replies::default(), answers: Vec::new(), owed: 0 }),
            Err(error) => {
                tracing::debug!(%error, %address, "a printer is not reached");
                Err(Why::Unreachable)
            }
        }
    }

    /// Asks how the printer is.
    ///
    /// # Errors
    /// [`Why::Silent`] when it does not answer, [`Why::Unreachable`] when the connection is dead. Either way the
    /// connection is of no more use.
    pub(in crate::peripheral) async fn health(&mut self) -> Result<Health, Why> {
        self.ask().await.map_err(|_| Why::Unreachable)?;
        let until = Instant::now() + ANSWER;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.hear(left).await {
                Ok(Heard { health: Some(health), .. }) => return Ok(health),
                // One that says a lot, and none of it an answer, is no better than a silent one.
                Ok(heard) if heard.silence || Instant::now() >= until => return Err(Why::Silent),
                Ok(_) => {}
                Err(_) => return Err(Why::Unreachable),
            }
        }
    }

    async fn ask(&mut self) -> Result<(), SendError> {
        self.answers.clear();
        self.owed = self.owed.saturating_add(1);
        self.tcp.send(&questions()).await
    }

    /// Whether no answer is on its way any more. One that comes late would be taken for that of the next question.
    pub(in crate::peripheral) const fn is_settled(&self) -> bool {
        self.owed == 0
    }

    async fn hear(&mut self, within: Duration) -> std::io::Result<Heard> {
        let bytes = self.tcp.hear(within).await?;
        let mut heard = Heard { silence: bytes.is_empty(), ..Heard::default() };
        for byte in bytes {
            match self.replies.push(byte) {
                Some(Reply::RealTime(answer)) => self.answers.push(answer),
                Some(Reply::Buffered(_)) => heard.proof = true,
                // Nobody asked for those; another client may have switched them on.
                Some(Reply::Auto(_)) | None => {}
            }
        }
        if let Some(four) = self.answers.first_chunk::<4>() {
            heard.health = judge(*four);
            self.owed = self.owed.saturating_sub(1);
            self.answers.clear();
        }
        Ok(heard)
    }

    /// Sends a job and waits for the proof that the printer worked through it. Tells on the way what hinders it.
    pub(in crate::peripheral) async fn print(&mut self, job: &[u8], mut told: impl FnMut(Option<Why>)) -> Printed {
        // One send, so that the question cannot be lost between the job and its proof.
        let bytes = [job, &ask_paper_in_order()].concat();
        if let Err(error) = self.tcp.send(&bytes).await {
            return not_sent(&error);
        }
        let patience = PRINTING + Duration::from_secs((job.len() >> 10) as u64);
        let began = Instant::now();
        let (mut well_since, mut unanswered, mut hindered) = (began, 0, None);
        loop {
            let heard = match self.hear(ASK_AGAIN).await {
                Ok(heard) => heard,
                Err(error) => {
                    tracing::warn!(%error, "the connection broke before the printer confirmed");
                    return Printed::Ended(State::Unproven, Some(Why::ConnectionLost));
                }
            };
            if heard.proof {
                return Printed::Ended(State::Proven, None);
            }
            let now = Instant::now();
            if heard.silence {
                unanswered += 1;
                if unanswered > UNANSWERED || self.ask().await.is_err() {
                    return Printed::Ended(State::Unproven, Some(Why::NotProven));
                }
            }
            if let Some(health) = heard.health {
                unanswered = 0;
                if health.hindered != hindered {
                    hindered = health.hindered;
                    told(hindered);
                }
                if hindered.is_some() {
                    well_since = now;
                }
            }
            let over = now.duration_since(well_since) > patience || now.duration_since(began) > HINDERED + patience;
            if over {
                return Printed::Ended(State::Unproven, Some(hindered.unwrap_or(Why::NotProven)));
            }
        }
    }

    /// Sends a job to a printer that never answers anything, and closes: that it took everything in is all there is to
    /// know.
    pub(in crate::peripheral) async fn print_blind(mut self, job: &[u8]) -> Printed {
        if let Err(error) = self.tcp.send(job).await {
            return not_sent(&error);
        }
        match self.tcp.close().await {
            Ok(_) => Printed::Ended(State::Sent, None),
            Err(error) => {
                tracing::warn!(%error, "the connection broke before the printer had taken everything in");
                Printed::Ended(State::Unproven, Some(Why::ConnectionLost))
            }
        }
    }

    /// Closes in order, so that the next one to connect is not refused.
    pub(in crate::peripheral) async fn close(self) {
        if !matches!(self.tcp.close().await, Ok(true)) {
            tracing::debug!("a printer did not close its side in time");
        }
    }
}

fn not_sent(error: &SendError) -> Printed {
    tracing::warn!(%error, "a job could not be sent whole");
    if error.handed_over == 0 {
        Printed::Nothing(Why::Unreachable)
    } else {
        Printed::Ended(State::Unproven, Some(Why::ConnectionLost))
    }
}
