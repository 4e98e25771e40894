//! Mail by SMTP, over TLS unless the server is on this machine. Sorts what the server says into "later" and "never".

use std::net::IpAddr;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::Url;

use super::{MailConfig, MailError, MailSetupError};
use crate::jobs::rules::reason;

/// How long one step of the conversation may take; a job's lease is longer than all of them, and is renewed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections at the same time: as many as there may be jobs of two tenants.
const CONNECTIONS: u32 = 8;

/// A server that takes our mail.
#[derive(Debug)]
pub(super) struct Smtp {
    /// None only while it is dropped.
    transport: Option<AsyncSmtpTransport<Tokio1Executor>>,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        // The library says goodbye to pooled connections in a task, and panics where no runtime is left for one. The
        // process ends then, and its connections with it.
        if tokio::runtime::Handle::try_current().is_err() {
            #[allow(clippy::mem_forget, reason = "the process ends: dropping it would panic")]
            std::mem::forget(self.transport.take());
        }
    }
}

impl Smtp {
    /// By its address. Connects when the first mail goes.
    pub(super) fn open(url: &str, config: &MailConfig) -> Result<Self, MailSetupError> {
        let wrong = |why: &str| MailSetupError::Url(format!("{why}; write it like smtp://user@mail.example.com:587"));
        let url = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        if url.password().is_some() {
            return Err(wrong(
                "must not hold the password: put it into a file and name that with --smtp-password-file",
            ));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
        let own =
            host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let asked = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
        let (tls, port) = match (url.scheme(), asked.as_deref()) {
            ("smtps", None) => (Tls::Wrapper(parameters(host, config)?), 465),
            ("smtp", None | Some("required")) if !own || asked.is_some() || config.ca_file.is_some() => {
                (Tls::Required(parameters(host, config)?), 587)
            }
            ("smtp", None) => (Tls::None, 25),
            ("smtp", Some("none")) if own => (Tls::None, 25),
            ("smtp", Some("none")) => return Err(wrong("tls=none is for a server on this machine alone")),
            _ => return Err(wrong("begins with smtp:// (STARTTLS) or smtps://")),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.trim_matches(['[', ']']))
            .port(url.port().unwrap_or(port))
            .tls(tls)
            .timeout(Some(PATIENCE))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS));
        match (url.username(), &config.password_file) {
            ("", None) => {}
            ("", Some(_)) => return Err(wrong("names no user for the password of --smtp-password-file")),
            (_, None) => return Err(wrong("names a user: give the password with --smtp-password-file")),
            (user, Some(path)) => {
                let password = std::fs::read_to_string(path).map_err(|e| MailSetupError::File(path.clone(), e))?;
                let user = decoded(user).ok_or_else(|| wrong("has a user that cannot be read"))?;
                let password = password.trim_end_matches(['\r', '\n']).to_owned();
                builder = builder.credentials(Credentials::new(user, password));
            }
        }
        Ok(Self { transport: Some(builder.build()) })
    }

    pub(super) async fn send(&self, message: Message) -> Result<(), MailError> {
        let Some(transport) = &self.transport else { return Err(MailError::Later("head office closes".to_owned())) };
        transport.send(message).await.map(drop).map_err(|error| sorted(&error))
    }
}

/// The user of an address: `%40` is an `@`.
fn decoded(user: &str) -> Option<String> {
    let pair = format!("u={}", user.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
}

fn parameters(host: &str, config: &MailConfig) -> Result<TlsParameters, MailSetupError> {
    let mut builder = TlsParameters::builder(host.trim_matches(['[', ']']).to_owned());
    if let Some(path) = &config.ca_file {
        let pem = std::fs::read(path).map_err(|error| MailSetupError::File(path.clone(), error))?;
        let certificate = Certificate::from_pem(&pem).map_err(|_| MailSetupError::Certificate(path.clone()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| MailSetupError::Tls(error.to_string()))
}

/// A server that does not know us (530, 534, 535, 538) says nothing about the mail: somebody will put the password right.
const ABOUT_US: [u16; 4] = [530, 534, 535, 538];

fn sorted(error: &Error) -> MailError {
    let mut said = error.to_string();
    let mut inner = std::error::Error::source(error);
    while let Some(cause) = inner {
        let text = cause.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        inner = cause.source();
    }
    let said = reason(&said);
    let code = error.status().map(u16::from);
    if error.is_permanent() && !code.is_some_and(|code| ABOUT_US.contains(&code)) {
        MailError::Never(said)
    } else {
        MailError::Later(said)
    }
}
