//! Opens everything that stands on the disk of a node, and says what was found damaged or had to be made anew.

use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use tokio::sync::broadcast;

use crate::core::change::Change;
use crate::ledger::{Logs, Loss, Options};
use crate::snapshot::Snapshots;
use crate::{store, telemetry};

/// Everything that stands on the disk, opened on a thread that may block.
pub(super) async fn open_disk(
    config: &NodeConfig,
    layout: &Layout,
    changes: broadcast::Sender<Change>,
) -> anyhow::Result<(Logs, store::Opened, Snapshots)> {
    let (node, term, layout) = (config.node.node_id, config.node.term, layout.clone());
    tokio::task::spawn_blocking(move || {
        let (logs, report) = Logs::open(&layout.logs(), node, term, Options::default())?;
        for loss in report.losses() {
            let Loss { damage, set_aside, new } = loss;
            tracing::error!(
                stream = %damage.stream, term = damage.term.0, first = damage.first.0, last = damage.last.0,
                segment = damage.segment.0, offset = damage.offset, bytes = damage.bytes, new,
                copy = set_aside.as_ref().map(|copy| tracing::field::display(copy.display())),
                "a part of a log is damaged: its bytes are copied aside, all other records are read; \
                 see `edge-agent journal verify`"
            );
        }
        let opened = store::open(&layout.index())?;
        let snapshots = Snapshots::open(&layout, changes)?;
        anyhow::Ok((logs, opened, snapshots))
    })
    .await?
}

/// Says in the telemetry log that the index had to be made anew, so that HQ can show it.
pub(super) fn report_rebuilt(logs: &Logs, rebuilt: &store::Rebuilt, records: u64) {
    match rebuilt {
        store::Rebuilt::Missing if records == 0 => tracing::info!("a new index was made: there are no records yet"),
        store::Rebuilt::Missing => tracing::warn!(records, "there was no index: it was rebuilt from the logs"),
        store::Rebuilt::SetAside { reason, to } => tracing::warn!(
            records, reason, set_aside = %to.display(), "the index would not open: it was rebuilt from the logs"
        ),
    }
    metrics::counter!("tillway_index_rebuilds_total").increment(1);
    let reason = match rebuilt {
        store::Rebuilt::Missing => "missing".to_owned(),
        store::Rebuilt::SetAside { reason, .. } => reason.clone(),
    };
    let event = telemetry::IndexRebuiltV1 { reason, records };
    let noted = event
        .encode()
        .map_err(anyhow::Error::from)
        .and_then(|raw| logs.append_unsynced(protocol::id::Stream::Telemetry, raw).map_err(anyhow::Error::from));
    if let Err(error) = noted {
        tracing::warn!(%error, "the rebuilding was not noted in the telemetry log");
    }
}
