//! Copying forward what is alive, so that a start reads little and old segments of the work log can go.

use protocol::event::RawEvent;
use protocol::id::{Seq, Stream};
use protocol::limits;

use super::actor::Actor;
use super::work::{ApprovalsCarriedV1, WorkEvent};

impl Actor {
    /// Waits for what is on its way (a moment), then carries. Lanes wait for one sync every
    /// [`limits::WORK_CARRY_EVENTS`] changes.
    pub(super) async fn carry_when_quiet(&mut self) {
        while let Some(done) = self.jobs.join_next().await {
            self.came_back(done);
        }
        self.carry().await;
    }

    /// Writes everything that is alive into the work log, and lets go of what lies far behind.
    pub(super) async fn carry(&mut self) {
        if self.since_carry == 0 {
            return;
        }
        match self.write_carrying().await {
            Ok(begin) => {
                self.since_carry = 0;
                self.marks.push_back(begin);
                // Answers older than the mark are in the index; it must have them before it says so.
                if let Err(error) = self.index.flush() {
                    tracing::warn!(%error, "the index was not written out");
                    return;
                }
                self.index.reached(Stream::Work, self.logs.term(), begin);
                self.let_go().await;
            }
            Err(error) => {
                tracing::error!(%error, "what is open could not be copied forward in the work log");
                // Not at once again: the log only grows until then.
                self.since_carry = limits::WORK_CARRY_EVENTS / 2;
            }
        }
    }

    async fn write_carrying(&self) -> anyhow::Result<Seq> {
        let mut batch = vec![WorkEvent::CarryBegin.encode()?];
        let mut begin = None;
        let mut bytes = 0;
        let pairings = WorkEvent::PairingsCarried(self.floor.pairings.clone()).encode();
        let tickets =
            self.floor.tickets.values().map(|ticket| WorkEvent::TicketCarried(Box::new(ticket.clone())).encode());
        let attendance = WorkEvent::AttendanceCarried(self.floor.attendance.clone()).encode();
        let approvals = self.floor.approvals.iter().map(|(ticket, approvals)| {
            let carried = ApprovalsCarriedV1 { ticket: *ticket, approvals: approvals.clone() };
            WorkEvent::ApprovalsCarried(Box::new(carried)).encode()
        });
        let people = std::iter::once(attendance).chain(approvals);
        for event in
            std::iter::once(pairings).chain(people).chain(tickets).chain(std::iter::once(WorkEvent::CarryEnd.encode()))
        {
            let event = event?;
            bytes += event.body.len();
            batch.push(event);
            if bytes > limits::LEDGER_QUEUE_BYTES / 4 {
                bytes = 0;
                begin = begin.or(self.append(std::mem::take(&mut batch)).await?);
            }
        }
        let first = self.append(batch).await?;
        begin.or(first).ok_or_else(|| anyhow::anyhow!("nothing was written"))
    }

    async fn append(&self, batch: Vec<RawEvent>) -> anyhow::Result<Option<Seq>> {
        let items = batch.into_iter().map(|event| (Stream::Work, event)).collect();
        let appended = self.logs.append_all(items).await?;
        Ok(appended.first().map(|appended| appended.seq))
    }

    /// Lets go of the work log before the oldest carrying that keeps it within its limit.
    async fn let_go(&mut self) {
        let head = self.logs.head(Stream::Work);
        if head.durable.0.saturating_sub(head.first_kept.0) <= limits::WORK_LOG_EVENTS {
            return;
        }
        while let Some(oldest) = self.marks.front().copied() {
            let within = head.durable.0.saturating_sub(oldest.0) <= limits::WORK_LOG_EVENTS;
            if within || self.marks.len() == 1 {
                let logs = self.logs.clone();
                let upto = Seq(oldest.0.saturating_sub(1));
                let retired = tokio::task::spawn_blocking(move || logs.retire(Stream::Work, upto)).await;
                match retired {
                    Ok(Ok(retired)) => tracing::info!(
                        segments = retired.segments,
                        records = retired.records,
                        copied = retired.copied,
                        first_kept = retired.first_kept.0,
                        "old segments of the work log are gone"
                    ),
                    Ok(Err(error)) => tracing::warn!(%error, "old segments of the work log could not be removed"),
                    Err(error) => tracing::error!(%error, "retiring the work log died"),
                }
                return;
            }
            self.marks.pop_front();
        }
    }
}
