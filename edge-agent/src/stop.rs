//! The word that the node stops, as every task hears it.

use tokio::sync::watch;

/// Resolves when the node stops, or when whoever could say so is gone.
pub async fn asked(stopping: &mut watch::Receiver<bool>) {
    // The guard in the answer must not live over an await of the caller.
    drop(stopping.wait_for(|stop| *stop).await);
}
