//! One connection from its CONNECT to its end: who it is, its seat, its way to the broker, and what is said when it
//! goes. Decisions are `judge`'s; bytes are moved by `pump`.

use std::str::FromStr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use protocol::id::LaneId;
use protocol::limits;
use protocol::topic::Principal;
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::book::{Guest, Seated};
use super::connect::{Connect, Welcome, version};
use super::judge::{Judge, judge_will};
use super::packet::{Fault, Kind, Version, head};
use super::pump::{End, Pumps};
use super::reason::Reason;
use super::{Guard, upstream};
use crate::core::pairing::{SecretHash, token_hash};

/// How long a client that is shut out has to take the reason.
const FAREWELL_WITHIN: Duration = Duration::from_millis(500);
/// How long a client waits for its way to a broker that is being replaced: most do not come again when they are refused.
const ATTACHED_WITHIN: Duration = Duration::from_secs(4);
/// Bytes of a first packet: a will and a handful of properties.
const CONNECT_BYTES: usize = 2 * limits::MQTT_WILL_BYTES + (4 << 10);

/// Serves one connection whose CONNECT is due by `by`. `plain` is the door of this machine.
pub(super) async fn serve<S>(guard: &Guard, mut stream: S, mut guest: Guest, by: Instant, plain: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut buffer = BytesMut::new();
    let peer = guest.peer();
    let frame = match timeout_at(by, first_packet(&mut stream, &mut buffer)).await {
        Ok(Ok(Some(frame))) => frame,
        // Gone again without a word: a probe of the port.
        Ok(Ok(None)) => return,
        Ok(Err(reason)) => return guard.note(reason, peer, ""),
        Err(_) => return guard.note(Reason::Silent, peer, ""),
    };
    let refuse = async |stream: &mut S, version, reason: Reason, client: &str| {
        guard.note(reason, peer, client);
        if let Some(refusal) = reason.refusal(version) {
            last_words(stream, &refusal).await;
        }
    };
    let spoken = match version(&frame) {
        Ok(version) => version,
        // 3.1 and its like understand the answer of 3.1.1.
        Err(reason) => return refuse(&mut stream, Version::V4, reason, "").await,
    };
    let connect = match Connect::read(&frame) {
        Ok(connect) => connect,
        Err(reason) => return refuse(&mut stream, spoken, reason, "").await,
    };
    let welcomed = welcome(guard, &connect, plain, &mut guest).await;
    let (client, mut seat) = match welcomed {
        Ok(welcomed) => welcomed,
        Err(reason) => return refuse(&mut stream, spoken, reason, connect.client_id).await,
    };
    let will = connect.will.as_ref().map(|will| will.publish(spoken, 1));
    let attached = tokio::select! {
        attached = attach(guard, &connect, &client, &mut stream) => attached,
        reason = shut_out(guard, &mut seat) => Err(reason),
    };
    match attached {
        Ok((broker, name)) => {
            run(guard, stream, buffer, &connect, client, seat, broker, name, will.as_deref(), peer).await;
        }
        Err(reason) => {
            drop(seat);
            refuse(&mut stream, spoken, reason, connect.client_id).await;
        }
    }
}

/// A client that is known.
struct Client {
    who: Principal,
    id: String,
    keep_alive: u16,
}

/// Reads the first packet, which must be a CONNECT; its body. None when the client went before it said anything.
async fn first_packet<S>(stream: &mut S, buffer: &mut BytesMut) -> Result<Option<BytesMut>, Reason>
where
    S: AsyncRead + Unpin,
{
    loop {
        // What the first byte already tells is not waited for.
        if let Some(first) = buffer.first()
            && *first != 0x10
        {
            return Err(Fault::Malformed("the first packet is not a CONNECT").into());
        }
        if let Some(head) = head(buffer, CONNECT_BYTES)?
            && head.kind == Kind::Connect
            && buffer.len() >= head.total()
        {
            let mut frame = buffer.split_to(head.total());
            frame.advance(head.bytes);
            return Ok(Some(frame));
        }
        buffer.reserve(1_024);
        match stream.read_buf(buffer).await {
            Ok(0) | Err(_) if buffer.is_empty() => return Ok(None),
            Ok(0) | Err(_) => return Err(Fault::Malformed("it ends within its CONNECT").into()),
            Ok(_) => {}
        }
    }
}

/// Who this is, whether it may come in, and its seat.
async fn welcome(
    guard: &Guard,
    connect: &Connect<'_>,
    plain: bool,
    guest: &mut Guest,
) -> Result<(Client, Seated), Reason> {
    if connect.auth_method {
        return Err(Reason::AuthMethod);
    }
    let (who, token) = login(guard, connect, plain).ok_or(Reason::Login)?;
    guest.known();
    let own = match who {
        Principal::Lane(lane) => lane.to_string(),
        Principal::Node(node) => node.to_string(),
    };
    let id = match connect.client_id {
        "" if connect.version == Version::V4 && !connect.clean => return Err(Reason::ClientId),
        // Names that nobody else has: a client without one does not push another out.
        "" => format!("{own}.{:08x}", rand::random::<u32>()),
        id => match id.strip_prefix(own.as_str()) {
            Some(rest) if (rest.is_empty() || rest.starts_with('.')) && id.len() <= limits::MQTT_CLIENT_ID_BYTES => {
                id.to_owned()
            }
            Some(_) | None => return Err(Reason::ClientId),
        },
    };
    if let Some(will) = &connect.will {
        judge_will(who, guard.shop, will)?;
    }
    let seat = timeout(Duration::from_millis(limits::MQTT_CONNECT_MS), guard.book.seat(who, &id, token));
    let seat = seat.await.unwrap_or(Err(Reason::Quota("the client that had this client id does not end")))?;
    let keep_alive = match connect.version {
        Version::V4 => connect.keep_alive,
        Version::V5 if connect.keep_alive == 0 => limits::MQTT_KEEP_ALIVE_SECONDS,
        Version::V5 => connect.keep_alive.min(limits::MQTT_KEEP_ALIVE_SECONDS),
    };
    Ok((Client { who, id, keep_alive }, seat))
}

/// Whose login this is. Tokens are found by their hash, and the node's secret is compared in constant time.
fn login(guard: &Guard, connect: &Connect<'_>, plain: bool) -> Option<(Principal, Option<SecretHash>)> {
    let (user, password) = (connect.username?, connect.password?);
    if plain && user == guard.own.username {
        let same = bool::from(password.ct_eq(guard.own.password.as_bytes()));
        return same.then_some((Principal::Node(guard.node), None));
    }
    let token = std::str::from_utf8(password).ok()?;
    let lane = guard.roster.lane_of(token)?;
    (LaneId::from_str(user).ok()? == lane).then(|| (Principal::Lane(lane), Some(token_hash(token))))
}

/// Resolves when a client has to go that did nothing wrong.
async fn shut_out(guard: &Guard, seat: &mut Seated) -> Reason {
    let mut stopping = guard.stopping.clone();
    tokio::select! {
        cut = seat.cut.wait_for(Option::is_some) => cut.ok().and_then(|reason| *reason).unwrap_or(Reason::Stopping),
        () = crate::stop::asked(&mut stopping) => Reason::Stopping,
    }
}

/// A connection at the broker of the moment, or at the next one when that one is no more.
async fn reach(guard: &Guard, version: Version) -> Result<(tokio::net::TcpStream, crate::mqtt::broker::Name), Reason> {
    let (mut brokers, mut failed) = (guard.broker.clone(), 0);
    loop {
        // Their numbers rise.
        let next = brokers.wait_for(|broker| broker.as_ref().is_some_and(|broker| broker.number > failed)).await;
        let current = next.ok().and_then(|broker| broker.clone()).ok_or(Reason::Unavailable)?;
        let name = current.name().ok_or(Reason::Unavailable)?;
        match upstream::open(&current, version, &name).await {
            Ok(broker) => return Ok((broker, name)),
            Err(error) => {
                tracing::warn!(%error, "the MQTT broker does not answer");
                failed = current.number;
                if guard.sick.try_send(current.number).is_err() {
                    tracing::debug!("enough have complained");
                }
            }
        }
    }
}

/// The way to the broker, and the word to the client that it is in.
async fn attach<S>(
    guard: &Guard,
    connect: &Connect<'_>,
    client: &Client,
    stream: &mut S,
) -> Result<(tokio::net::TcpStream, crate::mqtt::broker::Name), Reason>
where
    S: AsyncWrite + Unpin,
{
    let reached = timeout(ATTACHED_WITHIN, reach(guard, connect.version)).await;
    let (broker, name) = reached.unwrap_or(Err(Reason::Unavailable))?;
    let welcome = Welcome {
        version: connect.version,
        assigned: connect.client_id.is_empty().then_some(client.id.as_str()),
        keep_alive: (client.keep_alive != connect.keep_alive).then_some(client.keep_alive),
        wanted_session: connect.session_expiry > 0,
    };
    match timeout(Duration::from_millis(limits::MQTT_WRITE_MS), stream.write_all(&welcome.packet())).await {
        Ok(Ok(())) => Ok((broker, name)),
        Ok(Err(_)) | Err(_) => {
            upstream::close(broker, name, None).await;
            Err(Reason::Slow)
        }
    }
}

/// Serves a client that is in until it goes, and says its will if it went without a word.
#[expect(clippy::too_many_arguments, reason = "all of a connection comes together here, once")]
async fn run<S>(
    guard: &Guard,
    stream: S,
    buffer: BytesMut,
    connect: &Connect<'_>,
    client: Client,
    mut seat: Seated,
    broker: tokio::net::TcpStream,
    name: crate::mqtt::broker::Name,
    will: Option<&[u8]>,
    peer: std::net::IpAddr,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let version = connect.version;
    metrics::counter!("tillway_mqtt_connects_total", "version" => version.name()).increment(1);
    tracing::debug!(%peer, client = client.id, version = version.name(), "an MQTT client is in");
    let judge = Judge::new(std::time::Instant::now(), client.who, guard.shop, connect);
    let mut pumps = Pumps::new(guard, stream, buffer, broker, judge, client.keep_alive);
    let end = tokio::select! {
        end = pumps.run(&name) => end,
        reason = shut_out(guard, &mut seat) => End::Shut(reason),
    };
    let (mut stream, broker) = pumps.into_streams();
    let will = match end {
        End::Goodbye { will: false } => None,
        End::Goodbye { will: true } | End::Gone | End::Shut(_) => will,
    };
    // The will first: it must not wait for a client that takes nothing.
    upstream::close(broker, name, will).await;
    drop(seat);
    match end {
        End::Goodbye { .. } | End::Gone => tracing::debug!(%peer, client = client.id, ?end, "an MQTT client went"),
        End::Shut(reason) => {
            guard.note(reason, peer, &client.id);
            // Without a word, too, it ends in order: over TLS a client must see that nobody cut it.
            last_words(&mut stream, &reason.farewell(version).unwrap_or_default()).await;
        }
    }
}

/// Writes what there is to say and ends the stream in order, so that it is read on the other side.
async fn last_words<S>(stream: &mut S, words: &[u8])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let say = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        // Closing over unread bytes would reset the connection and take the words along.
        let mut waste = [0; 1_024];
        while stream.read(&mut waste).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Nobody listens: nobody is answered.
    drop(timeout(FAREWELL_WITHIN, say).await);
}
