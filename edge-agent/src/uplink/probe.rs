//! Knocks at head office with this node's certificate and hangs up: for tools that ask whether it would work. Says no
//! hello, so that a session that stands is not disturbed.

use std::time::{Duration, Instant};

use quinn::VarInt;

use super::Options;
use super::endpoint::{Dialled, client_tls, closed, dial};

/// A client believes a TLS 1.3 handshake is done before the server has looked at its certificate: so long it may still
/// refuse.
const SECOND_THOUGHTS: Duration = Duration::from_millis(750);

/// Why a knock failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Nobody answered.
    #[error("{0}")]
    Unanswered(String),
    /// Head office answered and does not want this node, or is not whom this node trusts.
    #[error("{0}")]
    Refused(String),
}

/// Resolves, dials, shows the certificate and hangs up; how long the handshake took.
///
/// # Errors
/// [`ProbeError`].
pub async fn probe(options: &Options) -> Result<Duration, ProbeError> {
    let tls = client_tls(options).map_err(|error| ProbeError::Refused(error.to_string()))?;
    let began = Instant::now();
    let Dialled { endpoint, connection } =
        dial(&options.hq, &options.server_name, &tls).await.map_err(|why| match why.code {
            protocol::session::CloseCode::TIMEOUT => ProbeError::Unanswered(why.reason),
            _ => ProbeError::Refused(why.reason),
        })?;
    let took = began.elapsed();
    if let Ok(ended) = tokio::time::timeout(SECOND_THOUGHTS, connection.closed()).await {
        return Err(ProbeError::Refused(closed(&ended).reason));
    }
    connection.close(VarInt::from_u32(0), b"only asking");
    drop(tokio::time::timeout(SECOND_THOUGHTS, endpoint.wait_idle()).await);
    Ok(took)
}
