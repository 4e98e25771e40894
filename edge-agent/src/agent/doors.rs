//! Opens the doors of a node: loopback, LAN, control socket, metrics. Knows addresses and certificates; what is asked at
//! a door is none of its business.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context;
use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::Addresses;
use crate::health::page;
use crate::health::sources::Sources;
use crate::identity::TerminalIdentity;
use crate::telemetry;
use crate::terminal::serve::{Connections, bind, serve_tcp, serve_unix};
use crate::terminal::{self, Till, control};

/// What serves at a door that is already bound: callers wait in line until it is spawned.
pub(super) type Door = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Binds the doors: loopback, LAN, control socket, metrics. `doors` serve once they are spawned: whoever is answered at
/// one of them finds all of them open, and `addresses.json` written.
pub(super) async fn open_doors(
    doors: &mut Vec<Door>,
    config: &NodeConfig,
    layout: &Layout,
    till: &Till,
    sources: &Arc<Sources>,
    recorder: &metrics_exporter_prometheus::PrometheusHandle,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<Addresses> {
    let router = terminal::router(till.clone());
    let connections = Arc::new(Connections::default());

    let http = config.terminal.http;
    anyhow::ensure!(http.ip().is_loopback(), "terminal.http {http} is not loopback: it carries tokens in clear");
    let listener = bind(http).await.with_context(|| format!("cannot listen on terminal.http {http}: is another program there? change it in node.toml, or end that program"))?;
    let terminal_http = listener.local_addr()?;
    // The node's page is for this box alone: the LAN door has none of it.
    let with_page = router.clone().merge(page::router(Arc::clone(sources)));
    doors.push(Box::pin(serve_tcp(listener, None, with_page, Arc::clone(&connections), stopping.clone())));

    let https = config.terminal.https;
    let terminal_https = match TerminalIdentity::load(layout) {
        Ok(identity) => {
            let acceptor = TlsAcceptor::from(identity.tls());
            let listener = bind(https).await.with_context(|| format!("cannot listen on terminal.https {https}: is another program there? change it in node.toml, or end that program"))?;
            let address = listener.local_addr()?;
            doors.push(Box::pin(serve_tcp(listener, Some(acceptor), router, connections, stopping.clone())));
            Some(address)
        }
        // A certificate stops no sale: lanes on this box go on.
        Err(error) => {
            tracing::error!(%error, "the door on the shop's LAN stays shut");
            None
        }
    };

    let metrics = match &config.metrics {
        Some(metrics) => {
            let address = metrics.listen;
            match bind(address).await {
                Ok(listener) => {
                    let address = listener.local_addr()?;
                    let router = telemetry::router(recorder.clone());
                    doors.push(Box::pin(serve_tcp(listener, None, router, Arc::default(), stopping.clone())));
                    Some(address)
                }
                // Nobody watching is no reason not to sell.
                Err(error) => {
                    tracing::error!(%error, %address, "the door for monitoring stays shut: is another program at \
                        metrics.listen? change it in node.toml, or end that program");
                    None
                }
            }
        }
        None => None,
    };

    let socket = bind_control(layout)?;
    let router = control::router(till.clone()).merge(page::twin(Arc::clone(sources)));
    doors.push(Box::pin(serve_unix(socket, router, stopping.clone())));
    Ok(Addresses { terminal_http, terminal_https, mqtt_tls: None, mqtt_plain: None, metrics })
}

/// The control socket, for its owner alone. A socket left by an agent that was killed makes room: the lock of
/// the logs says that no other one runs.
fn bind_control(layout: &Layout) -> anyhow::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let path = layout.control_socket();
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot remove the old {}", path.display())),
    }
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot make {} (a path of at most 100 bytes?)", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

pub(super) fn write_addresses(layout: &Layout, addresses: &Addresses) -> anyhow::Result<()> {
    let (path, temporary) = (layout.addresses(), layout.addresses().with_extension("tmp"));
    std::fs::write(&temporary, serde_json::to_vec(addresses)?)?;
    std::fs::rename(&temporary, &path).with_context(|| format!("cannot write {}", path.display()))
}
