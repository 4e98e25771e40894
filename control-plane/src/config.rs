//! What `serve` is told. Parsing is the command line's business; here are the types and what they mean.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::db::{Db, Urls};
use crate::http::cors::Origin;
use crate::mail::MailConfig;

/// Which database.
#[derive(Clone, Debug)]
pub enum Database {
    /// A private PostgreSQL under the state directory.
    Embedded,
    /// One that somebody else runs.
    External(Box<Urls>),
    /// Pools that are open already (tests).
    Given(Db),
}

/// What a head office is told when it starts.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The state directory: private database, addresses.
    pub state: PathBuf,
    /// Plain HTTP, for loopback or a proxy. Port 0 takes any.
    pub http: SocketAddr,
    /// QUIC, for nodes.
    pub quic: SocketAddr,
    /// TLS over TCP: `tillway/1` and HTTPS, told apart by ALPN.
    pub tcp: Option<SocketAddr>,
    /// Backlog events per second that one node may send; 0: no limit.
    pub drain_per_second: u32,
    /// Prometheus. Private by default.
    pub metrics: Option<SocketAddr>,
    /// Which database.
    pub database: Database,
    /// The name or address that nodes reach us by; by default the address we listen on.
    pub public_host: Option<String>,
    /// Where people open the pages; links in mails begin with it. By default made of the doors.
    pub public_url: Option<String>,
    /// Mail.
    pub mail: MailConfig,
    /// The file of the keys that seal secrets; by default one under the state directory, made at the first start. Every
    /// head office on the same database needs the same.
    pub secrets_key: Option<PathBuf>,
    /// Let providers of single sign-on stand at private addresses, and without TLS.
    pub private_providers: bool,
    /// Believe `X-Forwarded-For` (only behind a proxy that sets it).
    pub trust_forwarded: bool,
    /// Pages of others that browsers may let read the API.
    pub cors_origins: Vec<Origin>,
}

impl ServeConfig {
    /// Loopback, any port, over pools that are open already: what tests start.
    pub fn for_tests(db: Db, state: PathBuf) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            state,
            http: any,
            quic: any,
            tcp: Some(any),
            drain_per_second: 0,
            metrics: None,
            database: Database::Given(db),
            public_host: None,
            public_url: None,
            mail: MailConfig::default(),
            secrets_key: None,
            private_providers: false,
            trust_forwarded: false,
            cors_origins: Vec::new(),
        }
    }
}
