//! Where printing and the layout of receipts meet: a record of the fiscal log becomes the bytes of a printer. Wires;
//! decides nothing. A printer stops no sale.

use std::sync::Arc;

use firmware_config::peripheral::PrinterDriver;
use protocol::id::NodeId;
use tokio::task::JoinHandle;

use crate::peripheral::{self, Parts, Render, Sheet};
use crate::receipt::escpos::{EscposProfile, encode};
use crate::receipt::{Paper, ReceiptContent, lay_out};
use crate::snapshot::Snapshots;
use crate::spool::Spool;

/// Printing as it runs, or as it does not.
pub(super) struct Printing {
    pub(super) spool: Spool,
    pub(super) task: Option<JoinHandle<()>>,
}

/// Starts to print, if there is a printer.
pub(super) async fn start(parts: Parts) -> Printing {
    let none = Printing { spool: Spool::none(), task: None };
    if parts.printers.is_empty() {
        return none;
    }
    match peripheral::start(parts).await {
        Ok(running) => Printing { spool: running.spool, task: Some(running.task) },
        Err(error) => {
            tracing::error!(%error, "nothing is printed until the next start: its state cannot be restored");
            metrics::counter!("tillway_print_start_failures_total").increment(1);
            none
        }
    }
}

/// Lays receipts out with the shop's settings of the moment.
pub(super) fn render(node: NodeId, snapshots: Snapshots) -> Render {
    Arc::new(move |sheet: &Sheet<'_>| {
        let shop = snapshots.shop().ok_or("the node has no shop settings yet")?;
        let name = (node, sheet.term, sheet.record.seq);
        let content = ReceiptContent::of_record(name, &sheet.record.event, &shop.settings, sheet.lane, sheet.copy);
        let content = content.map_err(|error| error.to_string())?;
        let PrinterDriver::EscposTcp(escpos) = &sheet.printer.driver;
        let receipt = lay_out(&content, &Paper { columns: escpos.width, code_page: escpos.code_page });
        if receipt.unprintable > 0 {
            tracing::warn!(
                printer = sheet.printer.name,
                characters = receipt.unprintable,
                "characters that the printer does not have were replaced on a receipt"
            );
        }
        Ok(encode(&receipt, &EscposProfile::from(escpos)))
    })
}
