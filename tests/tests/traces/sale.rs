//! The trace of the sale: one, through both programs, every step once, in order and under its parent.

use std::collections::HashMap;

use protocol::id::{Seq, Stream, Term};
use protocol::trace::{Caller, EventName, Step, span_id, trace_id};

use crate::collector::Seen;
use crate::story::{TERMINAL, Told};

pub fn holds(told: &Told) {
    let name = EventName {
        tenant: told.tenant.parse().unwrap(),
        node: told.node_id.parse().unwrap(),
        term: Term(1),
        stream: Stream::Fiscal,
        seq: Seq(told.seq),
    };
    let trace = trace_id(&name);
    let spans: Vec<&Seen> = told.spans.iter().filter(|span| span.trace == trace).collect();
    let by_name: HashMap<&str, &Seen> = spans.iter().map(|span| (span.name.as_str(), *span)).collect();
    assert_eq!(spans.len(), Step::ALL.len(), "each step is one span: {spans:#?}");
    for step in Step::ALL {
        let span = by_name.get(step.name()).unwrap_or_else(|| panic!("no {} in {spans:#?}", step.name()));
        assert_eq!(span.id, span_id(&trace, step), "{}", step.name());
        let parent = step.parent().map(|parent| span_id(&trace, parent).to_vec()).unwrap_or_default();
        assert_eq!(span.parent, parent, "{} stands under its parent", step.name());
        let at_hq = matches!(step, Step::Batch | Step::Ingest | Step::Commit);
        assert_eq!(span.service, if at_hq { "control-plane" } else { "edge-agent" }, "{}", step.name());
        assert!(span.from <= span.to, "{}", step.name());
    }
    // One machine, one clock: what follows begins later.
    let order = ["sale", "lane.decide", "ledger.append", "lane.answer"];
    for pair in order.windows(2) {
        assert!(by_name[pair[0]].from <= by_name[pair[1]].from, "{pair:?} {spans:#?}");
    }
    let (root, append) = (by_name["sale"], by_name["ledger.append"]);
    assert!(append.to <= by_name["lane.answer"].from && by_name["lane.answer"].to <= root.to, "{spans:#?}");
    assert!(by_name["uplink.batch"].from >= append.from, "nothing travels before it is written: {spans:#?}");
    for (inner, outer) in [
        ("gateway.batch", "uplink.batch"),
        ("ingest.transaction", "gateway.batch"),
        ("ingest.commit", "ingest.transaction"),
    ] {
        let (inner, outer) = (by_name[inner], by_name[outer]);
        assert!(outer.from <= inner.from && inner.to <= outer.to, "{} lies in {}", inner.name, outer.name);
    }
    let terminal = Caller::parse(TERMINAL).unwrap();
    assert_eq!(root.links, [terminal.trace], "the terminal's own trace is linked");
    assert_eq!((root.told("http.route"), root.told("tillway.seq")), ("/v1/tickets/{id}/close", "1"));
    assert_eq!(by_name["gateway.batch"].told("tillway.tenant"), told.tenant);
}
