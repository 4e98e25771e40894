//! Where a node's files stand. One place says it; the agent, `provision` and the tests ask here.
//! Makes no folder and opens no file.

use std::path::{Path, PathBuf};

use protocol::collection::{Collection, Version};
use protocol::id::Stream;

use crate::config::NodeConfig;

/// Name of the configuration file in the node's folder.
pub const CONFIG_FILE: &str = "node.toml";

/// The folder of one node: `node.toml`, `identity/` and, unless configured elsewhere, `data/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    data: PathBuf,
}

impl Layout {
    /// The layout of the node whose configuration file stands in `root`.
    pub fn new(root: &Path, config: &NodeConfig) -> Self {
        Self { root: root.to_owned(), data: root.join(&config.storage.data_dir) }
    }

    /// The layout with the data folder in its usual place, before there is a configuration.
    pub fn initial(root: &Path) -> Self {
        Self { root: root.to_owned(), data: root.join("data") }
    }

    /// The node's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `node.toml`.
    pub fn config(&self) -> PathBuf {
        self.root.join(CONFIG_FILE)
    }

    /// `identity/`: keys and certificates. Mode 0700.
    pub fn identity(&self) -> PathBuf {
        self.root.join("identity")
    }

    /// The device key: Ed25519, PKCS#8, PEM, mode 0600. It never leaves the box.
    pub fn device_key(&self) -> PathBuf {
        self.identity().join("device.key")
    }

    /// The node's certificate, the device CA behind it.
    pub fn device_certificate(&self) -> PathBuf {
        self.identity().join("device.crt")
    }

    /// The device CA: what the node trusts HQ by.
    pub fn device_ca(&self) -> PathBuf {
        self.identity().join("ca.crt")
    }

    /// The shop's CA: what terminals trust the node by.
    pub fn shop_ca(&self) -> PathBuf {
        self.identity().join("shop-ca.crt")
    }

    /// The key of the terminal door, mode 0600.
    pub fn terminal_key(&self) -> PathBuf {
        self.identity().join("terminal.key")
    }

    /// The certificate of the terminal door, the shop's CA behind it.
    pub fn terminal_certificate(&self) -> PathBuf {
        self.identity().join("terminal.crt")
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// `logs/`: the append-only logs, a folder per stream.
    pub fn logs(&self) -> PathBuf {
        self.data.join("logs")
    }

    /// The folder of one log.
    pub fn log(&self, stream: Stream) -> PathBuf {
        self.logs().join(stream.name())
    }

    /// `snapshots/`: what HQ sent, a folder per collection.
    pub fn snapshots(&self) -> PathBuf {
        self.data.join("snapshots")
    }

    /// The folder of one collection.
    pub fn collection(&self, collection: Collection) -> PathBuf {
        self.snapshots().join(collection.name())
    }

    /// The snapshot file of one collection at one version.
    pub fn snapshot(&self, collection: Collection, version: Version) -> PathBuf {
        self.collection(collection).join(format!("{:020}.snap", version.0))
    }

    /// The key that PIN verifiers are mixed with, mode 0600. It never leaves the box, and lies in no snapshot.
    pub fn pin_key(&self) -> PathBuf {
        self.data.join("pin.key")
    }

    /// `index/`: the local store, which can be rebuilt from the rest.
    pub fn index(&self) -> PathBuf {
        self.data.join("index")
    }

    /// The addresses the running agent took.
    pub fn addresses(&self) -> PathBuf {
        self.data.join("addresses.json")
    }

    /// The socket through which tools on the box talk to the running agent.
    pub fn control_socket(&self) -> PathBuf {
        self.data.join("control.sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fixed() {
        let layout = Layout::initial(Path::new("/n"));
        for (path, name) in [
            (layout.config(), "/n/node.toml"),
            (layout.device_key(), "/n/identity/device.key"),
            (layout.device_certificate(), "/n/identity/device.crt"),
            (layout.device_ca(), "/n/identity/ca.crt"),
            (layout.shop_ca(), "/n/identity/shop-ca.crt"),
            (layout.terminal_key(), "/n/identity/terminal.key"),
            (layout.terminal_certificate(), "/n/identity/terminal.crt"),
            (layout.log(Stream::Fiscal), "/n/data/logs/fiscal"),
            (layout.snapshot(Collection::Shop, Version(7)), "/n/data/snapshots/shop/00000000000000000007.snap"),
            (layout.addresses(), "/n/data/addresses.json"),
            (layout.control_socket(), "/n/data/control.sock"),
        ] {
            assert_eq!(path, PathBuf::from(name));
        }
    }
}
