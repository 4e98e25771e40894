//! The queue as the work log tells it: what was carried, what happened since. Receipts that were not begun stand in
//! no log; they are derived again from their fiscal records, and find here what is known of them.

use std::collections::BTreeMap;

use protocol::id::Seq;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::job::{Job, JobKey, State, Why};
use super::queue::{Fact, PrintQueue};

/// Everything the queue knows at one point of the work log. Disk format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Up to here the fiscal log has been looked through for receipts.
    pub followed: Seq,
    /// The jobs, finished ones first.
    pub jobs: Vec<Job>,
    /// What is known of receipts that were not derived again yet.
    pub facts: Vec<Fact>,
}

/// Follows the work log from the last carrying on.
#[derive(Debug, Default)]
pub struct Recovery {
    followed: Option<Seq>,
    jobs: Vec<Job>,
    facts: BTreeMap<JobKey, Fact>,
}

impl Recovery {
    /// A carrying replaces everything before it.
    pub fn carried(&mut self, carried: Carried) {
        let facts = carried.facts.into_iter().map(|fact| (fact.key, fact)).collect();
        *self = Self { followed: Some(carried.followed), jobs: carried.jobs, facts };
    }

    /// A copy was asked for.
    pub fn asked(&mut self, job: Job) {
        self.jobs.push(job);
    }

    /// What became of a job.
    pub fn fact(&mut self, fact: Fact) {
        self.facts.insert(fact.key, fact);
    }

    /// Copies that were asked for, so that a repeated request finds its answer.
    pub fn copies(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.is_copy())
    }

    /// The queue, and up to where the fiscal log was looked through; `None` on a node that has never printed. What was
    /// under way when the node ended is unproven.
    pub fn into_queue(self, printers: impl IntoIterator<Item = String>, now: Timestamp) -> (PrintQueue, Option<Seq>) {
        let mut queue = PrintQueue::new(printers);
        queue.seen = self.facts;
        for job in self.jobs {
            let job = match job.state {
                // Carried while it was under way; a later fact, if there is one, knows better.
                State::Sending if !queue.seen.contains_key(&job.key) => {
                    Job { state: State::Unproven, why: Some(Why::NodeEnded), changed_at: now, ..job }
                }
                State::Queued
                | State::Sending
                | State::Sent
                | State::Proven
                | State::Unproven
                | State::Expired
                | State::Dropped => job,
            };
            queue.add(now, job);
        }
        // Only receipts that are yet to be derived again will ask.
        let followed = self.followed;
        queue.seen.retain(|key, _| match key {
            JobKey::Receipt { seq, .. } => followed.is_none_or(|followed| *seq > followed),
            JobKey::Copy(_) => false,
        });
        (queue, followed)
    }
}

impl PrintQueue {
    /// Everything there is, to be written into the work log.
    pub fn carry(&self, followed: Seq) -> Carried {
        Carried { followed, jobs: self.in_order().collect(), facts: self.seen.values().cloned().collect() }
    }

    /// The fiscal log was looked through to its end: what is known of receipts that are gone is of no use any more.
    pub fn caught_up(&mut self) {
        self.seen.clear();
    }
}
