//! What HQ says to the node. A frame that does not belong ends the connection with a reason.

use super::{Edge, EdgeEvent, Phase};
use crate::frame::v1::{AckV1, NackV1, WelcomeV1};
use crate::frame::{Body, Frame};
use crate::id::{Seq, Stream};
use crate::session::ack::RangeSet;
use crate::session::{CloseCode, Closed, Tick};
use crate::{limits, version};

impl Edge {
    /// A frame from HQ.
    pub fn handle_frame(&mut self, now: Tick, frame: Frame) {
        match self.phase {
            Phase::Greeting(_) | Phase::Up(_) => self.last_heard = Some(now),
            Phase::Waiting(_) | Phase::Connecting | Phase::Stopped => return,
        }
        self.next_ping = now.after(limits::PING_AFTER_MS);
        let up = matches!(self.phase, Phase::Up(_));
        match frame.body {
            Body::Welcome(welcome) if !up => self.welcomed(now, welcome),
            Body::Close(close) => {
                let closed = Closed::from_wire(close);
                self.fail(now, closed.retry_after_ms);
                self.events.push_back(EdgeEvent::Disconnect(closed));
            }
            Body::Welcome(_) | Body::Pong(_) | Body::Optional { .. } => {}
            Body::Ack(ack) if up => self.acknowledged(now, &ack),
            Body::Nack(nack) if up => self.sent_back(now, nack),
            Body::Pace(pace) if up => self.drain.set(now, pace.drain_per_second),
            Body::Offer(offer) if up => {
                let found = self.downlinks.iter_mut().find(|downlink| downlink.is(offer.collection));
                let answer = found.and_then(|downlink| downlink.offered(now, offer));
                answer.into_iter().for_each(|frame| self.send(frame));
            }
            Body::Transfer(part) if up => {
                let found = self.downlinks.iter_mut().find(|downlink| downlink.is(part.collection));
                let (answer, whole) = found.map_or((None, None), |downlink| downlink.received(now, &part));
                answer.into_iter().for_each(|frame| self.send(frame));
                self.events.extend(whole.map(EdgeEvent::Delivered));
            }
            other @ (Body::Hello(_)
            | Body::Ping(_)
            | Body::Pace(_)
            | Body::Batch(_)
            | Body::Ack(_)
            | Body::Nack(_)
            | Body::Checkpoint(_)
            | Body::Offer(_)
            | Body::Fetch(_)
            | Body::Transfer(_)
            | Body::Applied(_)) => {
                self.close(now, Closed::new(CloseCode::PROTOCOL, format!("{} does not belong here", other.name())));
            }
        }
        self.pump(now);
    }

    fn welcomed(&mut self, now: Tick, welcome: WelcomeV1) {
        if !version::SUPPORTED.contains(&welcome.version) {
            let reason = format!("HQ chose version {}, which was not offered", welcome.version);
            return self.close(now, Closed::new(CloseCode::VERSION, reason));
        }
        let mut cursors = Vec::new();
        for cursor in welcome.cursors {
            match RangeSet::try_from(cursor.ranges) {
                Ok(ranges) => cursors.push((cursor.stream, ranges)),
                Err(error) => return self.close(now, Closed::new(CloseCode::PROTOCOL, format!("cursor: {error}"))),
            }
        }
        self.phase = Phase::Up(now);
        self.drain.set(now, welcome.drain_per_second);
        let nothing = RangeSet::new();
        for lane in &mut self.lanes {
            let known = cursors.iter().find(|(stream, _)| *stream == lane.stream as u8);
            let ahead = lane.welcomed(known.map_or(&nothing, |(_, ranges)| ranges));
            let (stream, log) = (lane.stream, Seq(lane.head.durable));
            self.events.extend(ahead.map(|hq| EdgeEvent::AheadOfLog { stream, hq: Seq(hq), log }));
            if stream == Stream::Fiscal {
                self.checkpoint.connected(now, log.0);
            }
        }
        let (hq_time_ms, time_signature) = (welcome.hq_time_ms, welcome.time_signature);
        self.events.push_back(EdgeEvent::Welcomed { hq_time_ms, time_signature });
    }

    fn acknowledged(&mut self, now: Tick, ack: &AckV1) {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.stream as u8 == ack.stream) else { return };
        match lane.acknowledged(ack) {
            Ok(landed) => self.acked_batch |= landed,
            Err(error) => self.close(now, Closed::new(CloseCode::PROTOCOL, format!("acknowledgement: {error}"))),
        }
    }

    fn sent_back(&mut self, now: Tick, nack: NackV1) {
        let rest = u64::from(nack.retry_after_ms).min(limits::BACKOFF_CAP_MS);
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.stream as u8 == nack.stream) {
            lane.sent_back(nack.first, nack.last, now.after(rest));
        }
    }
}
