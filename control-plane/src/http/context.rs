//! What is known about a request while it runs: its id, where it comes from, and, once the guard has looked, who
//! asks. The access log reads it at the end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use uuid::Uuid;

use super::ApiError;
use crate::auth::guard::Caller;

/// Longest user agent that is kept, in bytes.
const AGENT_BYTES: usize = 256;

/// What is known about a request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: Uuid,
    address: IpAddr,
    agent: String,
    caller: OnceLock<Caller>,
}

impl Context {
    /// Reads it from a request. `trust_forwarded` believes the proxy in front of us about the client.
    pub fn of(request: &Request, id: Uuid, trust_forwarded: bool) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
        let forwarded = if trust_forwarded { last_forwarded(request.headers()) } else { None };
        let agent = request.headers().get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let agent = agent.chars().take(AGENT_BYTES).collect();
        let inner = Inner { id, address: forwarded.unwrap_or(peer), agent, caller: OnceLock::new() };
        Self { inner: Arc::new(inner) }
    }

    /// The request's id, which the answer carries too.
    pub fn id(&self) -> Uuid {
        self.inner.id
    }

    /// The client's address.
    pub fn address(&self) -> IpAddr {
        self.inner.address
    }

    /// What the client calls itself.
    pub fn agent(&self) -> &str {
        &self.inner.agent
    }

    /// Who asks, once known.
    pub fn caller(&self) -> Option<Caller> {
        self.inner.caller.get().copied()
    }

    /// Notes who asks. The first word counts.
    pub fn set_caller(&self, caller: Caller) {
        self.inner.caller.get_or_init(|| caller);
    }
}

/// The address that the nearest proxy saw: the last one in the list. Earlier ones are the client's own words.
fn last_forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next()?.trim().parse().ok()
}

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("the request has no context"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_nearest_proxy_is_believed() {
        let request = |trust| {
            let request = Request::builder().header("x-forwarded-for", "6.6.6.6, 10.0.0.7");
            let request = request.body(axum::body::Body::empty()).unwrap();
            Context::of(&request, Uuid::nil(), trust).address()
        };
        assert_eq!(request(true), "10.0.0.7".parse::<IpAddr>().unwrap());
        assert_eq!(request(false), "0.0.0.0".parse::<IpAddr>().unwrap());
    }
}
