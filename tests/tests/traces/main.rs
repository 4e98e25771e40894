//! What the two programs say of themselves while they sell: every line of the log fits the schema and holds no secret,
//! every figure is written down, and one trace goes through a sale from lane to row. One story with the real binaries.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a helper that finds nothing ends the test")]

mod alerts;
mod collector;
mod copies;
mod logs;
mod metrics;
mod sale;
mod story;

use std::path::{Path, PathBuf};

/// A file of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_told_in_lines_figures_and_spans() {
    let told = story::run().await;
    let (spans, node, hq) = (&told.spans, &told.node_metrics, &told.hq_metrics);
    sale::holds(&told);
    assert!(spans.iter().any(|span| span.name == "http.request"), "requests of head office have spans");
    assert!(spans.iter().any(|span| span.name == "job"), "jobs have spans");
    logs::hold("head office", &told.hq_log, &told.secrets);
    logs::hold("the node", &told.node_log, &told.secrets);
    logs::tell_a_request(&told.hq_log);
    logs::tell_an_ingest_and_a_job(&told.hq_log);
    logs::tell_a_sale(&told.node_log, &told.ticket);
    metrics::are_written_down("Node", node);
    metrics::are_written_down("Head office", hq);
}
