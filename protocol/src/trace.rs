//! The trace of a sale from lane to row. Both sides derive its ids from the event's name, so that they meet in one
//! trace without a byte on the wire. Knows no exporter and no clock.

use std::str::FromStr;

use crate::id::{NodeId, Seq, Stream, TenantId, Term};

/// Domain of trace ids; another one would part the two sides of every trace.
const TRACE: &str = "tillway trace id v1";
/// Domain of span ids.
const SPAN: &str = "tillway span id v1";

/// Names one trace, as W3C and OTLP have it.
pub type TraceId = [u8; 16];
/// Names one span of a trace.
pub type SpanId = [u8; 8];

/// What an event is called for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventName {
    /// Whose.
    pub tenant: TenantId,
    /// Which node wrote it.
    pub node: NodeId,
    /// Under which term.
    pub term: Term,
    /// Into which log.
    pub stream: Stream,
    /// Where.
    pub seq: Seq,
}

/// The trace of an event.
pub fn trace_id(event: &EventName) -> TraceId {
    let mut hasher = blake3::Hasher::new_derive_key(TRACE);
    hasher.update(event.tenant.as_uuid().as_bytes());
    hasher.update(event.node.as_uuid().as_bytes());
    hasher.update(&event.term.0.to_le_bytes());
    hasher.update(&[event.stream as u8]);
    hasher.update(&event.seq.0.to_le_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}

/// The steps of a sale that are spans, from the terminal to the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The terminal's request, from its head to the answer. The root.
    Sale,
    /// The lane decides, and the record is laid out.
    Decide,
    /// The record goes into the ledger and is synced.
    Append,
    /// The record is indexed, and the waiting lane told.
    Answer,
    /// From the first hand-over to the uplink until head office has acknowledged it.
    Uplink,
    /// Head office has the batch in hand.
    Batch,
    /// The transaction that takes it in.
    Ingest,
    /// Its commit.
    Commit,
}

impl Step {
    /// Every step, in the order in which they begin.
    pub const ALL: [Self; 8] =
        [Self::Sale, Self::Decide, Self::Append, Self::Answer, Self::Uplink, Self::Batch, Self::Ingest, Self::Commit];

    /// The span's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Decide => "lane.decide",
            Self::Append => "ledger.append",
            Self::Answer => "lane.answer",
            Self::Uplink => "uplink.batch",
            Self::Batch => "gateway.batch",
            Self::Ingest => "ingest.transaction",
            Self::Commit => "ingest.commit",
        }
    }

    /// The step it belongs under; none for the root.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Sale => None,
            Self::Decide | Self::Append | Self::Answer | Self::Uplink => Some(Self::Sale),
            Self::Batch => Some(Self::Uplink),
            Self::Ingest => Some(Self::Batch),
            Self::Commit => Some(Self::Ingest),
        }
    }
}

/// The span of a step in a trace. Each side knows the ids of the other's spans.
pub fn span_id(trace: &TraceId, step: Step) -> SpanId {
    let mut hasher = blake3::Hasher::new_derive_key(SPAN);
    hasher.update(trace);
    hasher.update(step.name().as_bytes());
    let mut id = [0; 8];
    hasher.finalize_xof().fill(&mut id);
    id
}

/// Which share of traces is kept, in millionths. The trace's id decides, so that both sides keep the same ones when
/// they are told the same share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

/// The whole, in millionths.
const WHOLE: u32 = 1_000_000;

impl Share {
    /// Every trace.
    pub const ALL: Self = Self(WHOLE);

    /// Whether a trace is kept. Its last eight bytes decide: the first ones of a request's id are a time.
    pub fn keeps(self, trace: &TraceId) -> bool {
        let lot = trace.iter().skip(8).fold(0_u64, |lot, byte| (lot << 8) | u64::from(*byte));
        (u128::from(lot) * u128::from(WHOLE)) >> 64 < u128::from(self.0)
    }
}

impl FromStr for Share {
    type Err = &'static str;

    /// Reads `0` to `1` with up to six decimals, such as `0.05`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a share from 0 to 1 is expected, such as \"0.05\"";
        let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 6 || whole.len() > 6 {
            return Err(WRONG);
        }
        let millionths = format!("{part:0<6}").parse::<u32>().map_err(|_| WRONG)?;
        let whole = whole.parse::<u32>().map_err(|_| WRONG)?;
        let share = whole.checked_mul(WHOLE).and_then(|whole| whole.checked_add(millionths)).ok_or(WRONG)?;
        if share > WHOLE { Err(WRONG) } else { Ok(Self(share)) }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / WHOLE, self.0 % WHOLE)
    }
}

/// The span of somebody else that a request belongs to, from its `traceparent` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Their trace.
    pub trace: TraceId,
    /// Their span.
    pub span: SpanId,
    /// Whether they keep it.
    pub sampled: bool,
}

impl Caller {
    /// Reads a W3C `traceparent`. What is not one is as good as none.
    pub fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        if header.len() > 128 || !header.is_ascii() {
            return None;
        }
        let mut parts = header.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let [version] = unhex::<1>(version)?;
        // Version 0 has these four parts and no more; 255 is forbidden; later ones may go on.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        let (trace, span, [flags]) = (unhex::<16>(trace)?, unhex::<8>(span)?, unhex::<1>(flags)?);
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return None;
    }
    let mut out = [0; N];
    for (byte, at) in out.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn event(seq: u64) -> EventName {
        EventName {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            node: NodeId::from_uuid(Uuid::from_u128(2)),
            term: Term(3),
            stream: Stream::Fiscal,
            seq: Seq(seq),
        }
    }

    #[test]
    fn ids_are_those_of_every_release() {
        // A node of last year and a head office of today meet in one trace.
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let trace = trace_id(&event(4));
        assert_eq!(hex(&trace), "4c81f79c547470cdfafed8bec0e07b38");
        assert_eq!(hex(&span_id(&trace, Step::Uplink)), "230df8073660d9f7");
    }

    #[test]
    fn every_part_of_the_name_counts_and_every_step_has_its_own_span() {
        let base = trace_id(&event(4));
        let other = |change: fn(&mut EventName)| {
            let mut name = event(4);
            change(&mut name);
            trace_id(&name)
        };
        assert_ne!(other(|name| name.tenant = TenantId::from_uuid(Uuid::from_u128(9))), base);
        assert_ne!(other(|name| name.node = NodeId::from_uuid(Uuid::from_u128(9))), base);
        assert_ne!(other(|name| name.term = Term(9)), base);
        assert_ne!(other(|name| name.stream = Stream::Work), base);
        assert_ne!(other(|name| name.seq = Seq(9)), base);
        let spans: std::collections::HashSet<SpanId> = Step::ALL.iter().map(|step| span_id(&base, *step)).collect();
        assert_eq!(spans.len(), Step::ALL.len());
        assert_eq!(Step::ALL.iter().filter(|step| step.parent().is_none()).count(), 1);
    }

    #[test]
    fn a_share_is_kept_as_told() {
        let kept = |share: &str| {
            let share: Share = share.parse().unwrap();
            (0..4_000).filter(|seq| share.keeps(&trace_id(&event(*seq)))).count()
        };
        assert_eq!((kept("0"), kept("1"), kept("1.0")), (0, 4_000, 4_000));
        assert!((800..1_200).contains(&kept("0.25")), "{}", kept("0.25"));
        for wrong in ["", "-1", "1.1", "2", ".5", "0.1234567", "NaN", "1e-3", "99999999999999999999"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_traceparent_is_read_as_w3c_has_it() {
        let read = Caller::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!((read.trace[0], read.span[7], read.sampled), (0x4b, 0xb7, true));
        for wrong in [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f35-00f067aa0ba902b7-01",
            "",
        ] {
            assert_eq!(Caller::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_strange(text in "\\PC{0,200}") {
            prop_assert!(Caller::parse(&text).is_none_or(|caller| caller.trace != [0; 16]));
        }

        #[test]
        fn a_share_reads_back(millionths in 0_u32..=1_000_000) {
            let share = Share(millionths);
            prop_assert_eq!(share.to_string().parse::<Share>(), Ok(share));
        }
    }
}
