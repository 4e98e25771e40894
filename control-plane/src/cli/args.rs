//! The arguments, as DESIGN fixes their names.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use firmware_config::LogFormat;
use protocol::trace::Share;
use uuid::Uuid;

use crate::http::cors::Origin;

/// What stands under the help.
const EXAMPLES: &str = "\
Examples:
  Head office on this machine, with a PostgreSQL of its own (the package postgresql must be installed):
    control-plane serve --state /var/lib/tillway-hq --tcp 0.0.0.0:8443 --public-host hq.example.com
  A tenant, a shop of it, and a code for the box in that shop, while head office runs:
    control-plane tenant create --state /var/lib/tillway-hq --name Bakers --owner-email you@example.com
    control-plane shop create --state /var/lib/tillway-hq --tenant ID --name 'High Street' \\
      --timezone Europe/London --currency GBP
    control-plane claim create --state /var/lib/tillway-hq --tenant ID --shop ID
  Somebody who runs the platform: takes registered companies in, suspends, switches modules (asked for a second factor):
    TILLWAY_OPERATOR_PASSWORD=... control-plane operator create --state /var/lib/tillway-hq --email you@example.com
  The password of the owner comes from --owner-password or TILLWAY_OWNER_PASSWORD, and has 8 characters or more.

Each command but serve prints one JSON object on the last line of standard output (a list: one object a line); what went wrong is one line on
standard error. Run them as the user that runs head office.

Exit codes:
  0 done   1 it failed, and says why   2 the command line";

/// Tillway head office.
#[derive(Debug, Parser)]
#[command(name = "control-plane", version, about, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What is logged, such as `info,sqlx=warn` (on standard error).
    #[arg(long, global = true, env = "TILLWAY_LOG")]
    pub log: Option<String>,
    /// How a line looks: json or text. By default json, unless standard error is a terminal.
    #[arg(long, global = true, env = "TILLWAY_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run head office until Ctrl-C.
    Serve(Serve),
    /// Bring a database up to date; takes the address of tw_owner or of an administrator.
    Migrate {
        /// `postgres://user@host/database`
        #[arg(long, env = "TILLWAY_OWNER_URL", hide_env_values = true)]
        database_url: String,
    },
    /// Tenants: a franchise, its owner, its shops.
    #[command(subcommand)]
    Tenant(Tenant),
    /// Shops of a tenant.
    #[command(subcommand)]
    Shop(Shop),
    /// Operators: the people who run the platform.
    #[command(subcommand)]
    Operator(Operator),
    /// Claim codes, with which nodes enrol.
    #[command(subcommand)]
    Claim(Claim),
    /// Keys that sign access tokens.
    #[command(subcommand)]
    Keys(Keys),
    /// Print the completion script of a shell.
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where head office keeps its own things: private database, device CA, addresses.
    #[arg(long, env = "TILLWAY_STATE", default_value = "tillway-state")]
    pub state: PathBuf,
    /// Plain HTTP, for loopback or a proxy. Port 0 takes any.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,
    /// QUIC (UDP), for nodes.
    #[arg(long, default_value = "0.0.0.0:8443")]
    pub quic: SocketAddr,
    /// HTTPS with a certificate of the device CA: enrolment from other machines, and the API.
    #[arg(long)]
    pub tcp: Option<SocketAddr>,
    /// Backlog events per second that one node may send; 0: no limit.
    #[arg(long, default_value_t = 0)]
    pub drain_per_second: u32,
    /// Prometheus metrics, private by default. The port taken stands in addresses.json.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub metrics: SocketAddr,
    /// Use this PostgreSQL, as tw_app. Without it head office runs a private one under --state.
    #[arg(long, env = "TILLWAY_DATABASE_URL", hide_env_values = true, requires = "platform_url")]
    pub database_url: Option<String>,
    /// The same database as tw_platform.
    #[arg(long, env = "TILLWAY_PLATFORM_URL", hide_env_values = true, requires = "database_url")]
    pub platform_url: Option<String>,
    /// The name or address by which nodes reach this machine; claims and certificates carry it. Needed unless every
    /// node is on this machine.
    #[arg(long)]
    pub public_host: Option<String>,
    /// Where people open the pages, such as https://hq.example.com: links in mails begin with it. By default made of
    /// --public-host and the doors.
    #[arg(long, env = "TILLWAY_PUBLIC_URL", value_parser = public_url)]
    pub public_url: Option<String>,
    /// The server that takes mail: smtp://user@host:587 (STARTTLS) or smtps://host:465; on this machine smtp://localhost:25.
    /// Without it mail is kept in the folder mail under --state.
    #[arg(long, env = "TILLWAY_SMTP_URL", requires = "mail_from")]
    pub smtp_url: Option<String>,
    /// The file with the password of the user in --smtp-url.
    #[arg(long, env = "TILLWAY_SMTP_PASSWORD_FILE", requires = "smtp_url")]
    pub smtp_password_file: Option<PathBuf>,
    /// A certificate in PEM that the mail server's is signed with, where the system does not know it.
    #[arg(long, env = "TILLWAY_SMTP_CA", requires = "smtp_url")]
    pub smtp_ca: Option<PathBuf>,
    /// Who mail is from, such as 'Tillway <hq@example.com>'.
    #[arg(long, env = "TILLWAY_MAIL_FROM")]
    pub mail_from: Option<String>,
    /// The file of the keys that seal secrets. By default secrets.key under --state, made at the first start; a second head
    /// office on the same database needs a copy of the first one's.
    #[arg(long, env = "TILLWAY_SECRETS_KEY")]
    pub secrets_key: Option<PathBuf>,
    /// Send traces by OTLP over HTTP to this collector, such as http://127.0.0.1:4318. Off without it.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp: Option<String>,
    /// The share of traces that is kept, 0 to 1. The same as on the nodes, or traces end half way.
    #[arg(long, env = "TILLWAY_TRACE_SHARE", default_value = "1")]
    pub trace_share: Share,
    /// Let providers of single sign-on stand at private addresses and without TLS: for one in your own house. Without it
    /// only public addresses over https are asked, as whoever administers a tenant names them.
    #[arg(long)]
    pub private_providers: bool,
    /// Believe X-Forwarded-For; only behind a proxy that sets it.
    #[arg(long)]
    pub trust_forwarded: bool,
    /// A page of another origin that browsers may let read the API, such as https://app.example.com; may be given
    /// several times. None by default, and never with cookies.
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    pub cors_origins: Vec<Origin>,
}

/// Where a command finds the database.
#[derive(Clone, Debug, Args)]
pub struct Where {
    /// The state directory of a head office with a private database; it may be serving.
    #[arg(long, env = "TILLWAY_STATE", default_value = "tillway-state")]
    pub state: PathBuf,
    /// The database, as its owner; or as tw_app together with --platform-url.
    #[arg(long, env = "TILLWAY_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The same database as tw_platform.
    #[arg(long, env = "TILLWAY_PLATFORM_URL", hide_env_values = true, requires = "database_url")]
    pub platform_url: Option<String>,
    /// The file of the keys that seal secrets; by default secrets.key under --state.
    #[arg(long, env = "TILLWAY_SECRETS_KEY")]
    pub secrets_key: Option<PathBuf>,
}

/// `tenant ...`.
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Make a tenant with its first owner. Prints {"id":...,"owner_id":...}.
    ///
    /// An owner who exists already, with the same password, owns both tenants then. A second tenant of the same name and owner
    /// is refused, since it is mostly the same command run twice.
    Create {
        /// Where the database is.
        #[command(flatten)]
        place: Where,
        /// Its name.
        #[arg(long)]
        name: String,
        /// The owner's e-mail.
        #[arg(long)]
        owner_email: String,
        /// The owner's password, 8 characters or more. The environment keeps it out of the list of processes.
        #[arg(long, env = "TILLWAY_OWNER_PASSWORD", hide_env_values = true)]
        owner_password: String,
        /// Make it even if the owner has a tenant of that name.
        #[arg(long)]
        allow_duplicate: bool,
    },
    /// List the tenants, one JSON object a line: {"id":...,"name":...,"state":...,"shops":...,"nodes":...,"people":...}.
    List {
        /// Where the database is.
        #[command(flatten)]
        place: Where,
        /// Only those whose name contains this, or the one with this id.
        #[arg(long, default_value = "")]
        search: String,
        /// JSON lines; there is no other shape yet.
        #[arg(long)]
        json: bool,
    },
}

/// `operator ...`.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// Make an operator of the platform. Prints {"id":...}.
    ///
    /// At the first sign-in head office asks for a second factor; without one an operator can do nothing.
    Create {
        /// Where the database is.
        #[command(flatten)]
        place: Where,
        /// Their e-mail. Somebody who is known already keeps their one sign-in, and their password is wanted.
        #[arg(long)]
        email: String,
        /// platform_admin runs the platform, support helps tenants that allow it.
        #[arg(long, default_value = "platform_admin")]
        role: String,
        /// Their password, 8 characters or more. Without it one line is read from standard input.
        #[arg(long, env = "TILLWAY_OPERATOR_PASSWORD", hide_env_values = true)]
        password: Option<String>,
    },
}

/// `keys ...`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a new key for access tokens; head office does it by itself every 90 days. Prints {"retired":...}.
    ///
    /// What older keys signed is believed for another day. Head offices that are running take the new key within a minute.
    Rotate {
        /// Where the database is.
        #[command(flatten)]
        place: Where,
        /// Believe older keys no longer: for a key that somebody may have seen. Who is signed in refreshes or signs in again.
        #[arg(long)]
        at_once: bool,
    },
}

/// `shop ...`.
#[derive(Debug, Subcommand)]
pub enum Shop {
    /// Make a shop. Prints {"id":...}.
    Create {
        /// Where the database is.
        #[command(flatten)]
        place: Where,
        /// The tenant's id, as `tenant create` printed it.
        #[arg(long, value_parser = id)]
        tenant: Uuid,
        /// Its name, as on the receipt.
        #[arg(long)]
        name: String,
        /// IANA time zone, such as Europe/London.
        #[arg(long)]
        timezone: String,
        /// ISO 4217 in capitals, such as GBP.
        #[arg(long)]
        currency: String,
        /// When a trading day begins, HH:MM before noon.
        #[arg(long, default_value = "00:00")]
        day_starts: String,
        /// Whether prices contain the tax: inclusive or exclusive.
        #[arg(long, default_value = "inclusive")]
        tax_mode: String,
        /// Where tax is rounded: per_receipt or per_line.
        #[arg(long, default_value = "per_receipt")]
        tax_basis: String,
        /// Cash rounding step in minor units; 0: none.
        #[arg(long, default_value_t = 0)]
        cash_step: u16,
    },
    /// List the shops of a tenant, one JSON object a line: {"id":...,"name":...,"timezone":...,"currency":...}.
    List {
        /// Where the database is.
        #[command(flatten)]
        place: Where,
        /// The tenant's id, as `tenant list` prints it.
        #[arg(long, value_parser = id)]
        tenant: Uuid,
        /// JSON lines; there is no other shape yet.
        #[arg(long)]
        json: bool,
    },
}

/// `claim ...`.
#[derive(Debug, Subcommand)]
pub enum Claim {
    /// Make a claim code, good for one box and 24 hours. Prints {"code":...,"expires_at":...,"id":...}.
    Create {
        /// Where the database is.
        #[command(flatten)]
        place: Where,
        /// The tenant's id, as `tenant create` printed it.
        #[arg(long, value_parser = id)]
        tenant: Uuid,
        /// The shop's id, as `shop create` printed it.
        #[arg(long, value_parser = id)]
        shop: Uuid,
    },
}

/// The beginning of a link: a scheme, a host, no slash at the end.
fn public_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    let url = url.filter(|url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty());
    let text = url.map(|url| url.as_str().trim_end_matches('/').to_owned());
    text.ok_or_else(|| "write it like https://hq.example.com".to_owned())
}

fn id(text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| "an id looks like 01a1fb7a-5508-774e-90a4-c8adc8badf6e; `create` printed it".to_owned())
}
