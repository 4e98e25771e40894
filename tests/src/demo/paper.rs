//! The receipt printer of a shop of the demo: a simulated one on a real port, whose receipts become pictures in a folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::printer::{PrinterSim, SimOptions};
use crate::town::Node;

/// A printer and where its pictures are.
pub struct Paper {
    printer: PrinterSim,
    /// One PNG and one text per receipt.
    pub folder: PathBuf,
}

impl Paper {
    /// Plugs a printer in and tells the node, which is not started yet, about it.
    ///
    /// # Errors
    /// When no port is free or the node's configuration cannot be written.
    pub async fn plug_in(node: &Node) -> anyhow::Result<Self> {
        let folder = node.dir().join("receipts");
        let printer = PrinterSim::start(SimOptions { out: Some(folder.clone()), ..SimOptions::default() }).await?;
        add(&node.dir().join("node.toml"), printer.address)?;
        Ok(Self { printer, folder })
    }

    /// Pulls the plug and waits for the last picture.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn unplug(self) -> anyhow::Result<()> {
        self.printer.unplug().await
    }

    /// Receipts that were cut.
    pub fn count(&self) -> u64 {
        self.printer.count()
    }
}

fn add(config: &Path, address: std::net::SocketAddr) -> anyhow::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).open(config)?;
    let lines = format!(
        "\n[[printer]]\nname = \"counter\"\ndriver = \"escpos-tcp\"\naddress = \"{address}\"\nwidth = 48\nlanes = [\"*\"]\n"
    );
    Ok(file.write_all(lines.as_bytes())?)
}
