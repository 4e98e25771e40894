//! The WebSocket of changes. A lane that is too slow is told to ask again; a token that was revoked closes it.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};

use super::Till;
use super::error::{ApiResult, ErrorEnvelope};
use super::extract::nobody;
use crate::core::change::Change;
use crate::core::refusal::Refusal;
use crate::desk::Roster;
use crate::snapshot::Snapshots;

/// How often a quiet connection is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long a listener may take to take a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// What a browser, which cannot set headers, offers as subprotocol before its token.
const SUBPROTOCOL: &str = "tillway.bearer.";
/// Largest message a lane may send here: it has nothing to say.
const MESSAGE_BYTES: usize = 4 << 10;

/// Changes as they happen. The token comes as a bearer header or as subprotocol `tillway.bearer.TOKEN`.
#[utoipa::path(get, path = "/v1/ws", tag = "changes",
    responses((status = 101, description = "JSON messages", body = Change), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn changes(
    State(till): State<Till>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> ApiResult<Response> {
    let (token, protocol) = token(&headers).ok_or_else(|| nobody("send the lane's token"))?;
    if till.roster.lane_of(&token).is_none() {
        return Err(nobody("the token is not that of a paired lane; pair again"));
    }
    let permit = std::sync::Arc::clone(&till.sockets).try_acquire_owned();
    let permit = permit.map_err(|_| Refusal::unavailable("too many listeners; close some"))?;
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES).max_frame_size(MESSAGE_BYTES).protocols(protocol);
    // Not the whole till: a listener that lingers must not hold the logs of a node that stopped.
    let Till { roster, snapshots, changes, stopping, .. } = till;
    let listener = Listener { token, roster, snapshots, changes: changes.subscribe(), stopping, _permit: permit };
    Ok(upgrade.on_upgrade(move |socket| listener.listen(socket)))
}

fn token(headers: &HeaderMap) -> Option<(String, Option<String>)> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| (token.trim().to_owned(), None));
    }
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let protocol = offered.split(',').map(str::trim).find(|offer| offer.starts_with(SUBPROTOCOL))?;
    Some((protocol.strip_prefix(SUBPROTOCOL)?.to_owned(), Some(protocol.to_owned())))
}

/// One lane that listens.
struct Listener {
    token: String,
    roster: Roster,
    snapshots: Snapshots,
    changes: broadcast::Receiver<Change>,
    stopping: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    async fn listen(mut self, mut socket: WebSocket) {
        let mut ping = tokio::time::interval(PING_EVERY);
        let catalogue = Change::Catalogue { version: self.snapshots.book().version().0, codes: None };
        let shop = self.snapshots.shop().map_or(0, |shop| shop.settings.version.0);
        for change in [catalogue, Change::Shop { version: shop }] {
            if !tell(&mut socket, &change).await {
                return;
            }
        }
        loop {
            let goes_on = tokio::select! {
                change = self.changes.recv() => match change {
                    Ok(change) => tell(&mut socket, &change).await,
                    Err(RecvError::Lagged(missed)) => tell(&mut socket, &Change::Resync { missed }).await,
                    Err(RecvError::Closed) => false,
                },
                said = socket.recv() => matches!(said, Some(Ok(message)) if !matches!(message, Message::Close(_))),
                _ = ping.tick() => {
                    self.roster.lane_of(&self.token).is_some()
                        && send(&mut socket, Message::Ping(Vec::new().into())).await
                }
                () = crate::stop::asked(&mut self.stopping) => false,
            };
            if !goes_on {
                break;
            }
        }
        send(&mut socket, Message::Close(None)).await;
    }
}

async fn tell(socket: &mut WebSocket, change: &Change) -> bool {
    match serde_json::to_string(change) {
        Ok(text) => send(socket, Message::Text(text.into())).await,
        Err(_) => false,
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_TIMEOUT, socket.send(message)).await, Ok(Ok(())))
}
