//! The door to other people's servers: HTTPS to addresses that a tenant names. Such an address may be hostile, so names
//! are resolved here, only public addresses are spoken to, redirects are not followed, and time and size have limits.
//! Knows nothing of what is asked or answered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{Request, Response, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use tokio::sync::Semaphore;
use url::{Host, Url};

/// A connection stands within this.
const CONNECT: Duration = Duration::from_secs(4);
/// A whole answer is there within this.
const ANSWER: Duration = Duration::from_secs(8);
/// Requests under way at once; more wait, within their time.
const AT_ONCE: usize = 32;

/// Why there was no answer to believe. Says nothing of addresses: what is told to a tenant must not map our network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// Not an address of the web, or without encryption.
    #[error("the address is not one that begins with https://")]
    Scheme,
    /// It leads to a private network.
    #[error("the address does not lead to a public server")]
    Private,
    /// No connection, or it broke.
    #[error("the server could not be reached")]
    Unreachable,
    /// Too slow.
    #[error("the server did not answer in time")]
    Slow,
    /// More than is read.
    #[error("the answer was too large")]
    TooLarge,
    /// It sends us elsewhere.
    #[error("the server sent a redirect, which is not followed")]
    Redirected,
}

/// The door. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    private: bool,
    client: Arc<OnceLock<Option<reqwest::Client>>>,
    at_once: Arc<Semaphore>,
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Outbound {
    /// A door to public servers. `private` lets it also reach private addresses, and without encryption: for an
    /// operator whose provider stands in the house, and for tests.
    pub fn new(private: bool) -> Self {
        Self { private, client: Arc::default(), at_once: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Whether an address may be asked at all, as far as it can be told without asking.
    ///
    /// # Errors
    /// [`OutboundError::Scheme`] or [`OutboundError::Private`].
    pub fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let plain = url.scheme() == "http" && self.private;
        if (url.scheme() != "https" && !plain) || !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::Scheme);
        }
        // A name is resolved later; an address in the place of a name never is.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err(OutboundError::Scheme),
        };
        if literal.is_some_and(|address| !allowed(address, self.private)) {
            return Err(OutboundError::Private);
        }
        Ok(())
    }

    /// Asks, and reads an answer of at most `limit` bytes.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn ask(&self, request: Request<Vec<u8>>, limit: usize) -> Result<Response<Vec<u8>>, OutboundError> {
        let url = Url::parse(&request.uri().to_string()).map_err(|_| OutboundError::Scheme)?;
        self.check(&url)?;
        let client = self.client().ok_or(OutboundError::Unreachable)?;
        let request = reqwest::Request::try_from(request).map_err(|_| OutboundError::Scheme)?;
        let asking = async {
            let _place = self.at_once.acquire().await.map_err(|_| OutboundError::Unreachable)?;
            let answer = client.execute(request).await.map_err(|error| told(&error))?;
            if answer.status().is_redirection() {
                return Err(OutboundError::Redirected);
            }
            read(answer, limit).await
        };
        tokio::time::timeout(ANSWER, asking).await.unwrap_or(Err(OutboundError::Slow))
    }

    /// Made when it is first needed: by then the provider of TLS is installed.
    fn client(&self) -> Option<&reqwest::Client> {
        let made = self.client.get_or_init(|| {
            let builder = reqwest::Client::builder()
                .redirect(Policy::none())
                // A proxy would resolve names for us, without our rules.
                .no_proxy()
                .https_only(!self.private)
                .connect_timeout(CONNECT)
                .timeout(ANSWER)
                .pool_max_idle_per_host(0)
                .user_agent(concat!("Tillway/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(Arc::new(Checked { private: self.private }));
            builder.build().inspect_err(|error| tracing::error!(%error, "no client for other people's servers")).ok()
        });
        made.as_ref()
    }
}

async fn read(mut answer: reqwest::Response, limit: usize) -> Result<Response<Vec<u8>>, OutboundError> {
    let declared = answer.content_length().and_then(|length| usize::try_from(length).ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(OutboundError::TooLarge);
    }
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| told(&error))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(OutboundError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    Ok(response)
}

fn told(error: &reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(ours) = inner.downcast_ref::<OutboundError>() {
            return *ours;
        }
        cause = inner.source();
    }
    tracing::info!(error = %error, "a server of somebody else did not answer");
    if error.is_timeout() { OutboundError::Slow } else { OutboundError::Unreachable }
}

/// Resolves names and lets none through that leads inside. The connection is made to exactly these addresses, so a name
/// that changes its mind in between gains nothing.
struct Checked {
    private: bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| OutboundError::Unreachable)?;
            let found: Vec<SocketAddr> = found.take(16).collect();
            // One that leads inside spoils them all: nobody honest mixes the two.
            if found.is_empty() || found.iter().any(|address| !allowed(address.ip(), private)) {
                return Err(OutboundError::Private.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

fn allowed(address: IpAddr, private: bool) -> bool {
    let address = address.to_canonical();
    // Never the link itself: clouds keep the keys of a machine there.
    let link = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
    };
    (!link && private) || is_public(address)
}

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && b & 0xc0 == 64)
        || (a == 169 && b == 254)
        || (a == 172 && b & 0xf0 == 16)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 192 && b == 168)
        || (a == 198 && b & 0xfe == 18)
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224)
}

/// Global unicast, less what only wraps or documents: Teredo, 6to4 and their like would carry an inner address past us.
const fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    a & 0xe000 == 0x2000 && !(a == 0x2001 && (b < 0x200 || b == 0xdb8)) && a != 0x2002 && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(door: &Outbound, url: &str) -> Result<(), OutboundError> {
        door.check(&Url::parse(url).unwrap())
    }

    #[test]
    fn only_the_public_internet_is_public() {
        let inside = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.5",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in inside {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_address_in_any_spelling_is_the_same_address() {
        let door = Outbound::new(false);
        for url in
            ["https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://[::1]/", "https://[fd00::1]/"]
        {
            assert_eq!(asked(&door, url), Err(OutboundError::Private), "{url}");
        }
        for url in ["http://id.example/", "ftp://id.example/", "https://me@id.example/", "file:///etc/passwd"] {
            assert_eq!(asked(&door, url), Err(OutboundError::Scheme), "{url}");
        }
        assert_eq!(asked(&door, "https://id.example/"), Ok(()));
        let inside = Outbound::new(true);
        assert_eq!(asked(&inside, "http://127.0.0.1:1/"), Ok(()));
        assert_eq!(asked(&inside, "http://169.254.169.254/"), Err(OutboundError::Private), "never, whoever allows it");
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_when_it_is_resolved() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let request = Request::get("https://localhost:1/").body(Vec::new()).unwrap();
        assert_eq!(Outbound::new(false).ask(request, 10).await.unwrap_err(), OutboundError::Private);
    }
}
