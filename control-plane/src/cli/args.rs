//! The arguments, as DESIGN fixes their names.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use uuid::Uuid;

/// Tillway head office.
#[derive(Debug, Parser)]
#[command(name = "control-plane", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What is logged, such as `info,sqlx=warn` (JSON lines on standard error).
    #[arg(long, global = true, env = "TILLWAY_LOG")]
    pub log: Option<String>,
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
    /// Tenants.
    #[command(subcommand)]
    Tenant(Tenant),
    /// Shops.
    #[command(subcommand)]
    Shop(Shop),
    /// Claim codes, with which nodes enrol.
    #[command(subcommand)]
    Claim(Claim),
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
    /// QUIC, for nodes.
    #[arg(long, default_value = "0.0.0.0:8443")]
    pub quic: SocketAddr,
    /// TLS over TCP: nodes without UDP, HTTPS, remote enrolment.
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
    /// The name or address by which nodes reach this machine.
    #[arg(long)]
    pub public_host: Option<String>,
    /// Believe X-Forwarded-For; only behind a proxy that sets it.
    #[arg(long)]
    pub trust_forwarded: bool,
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
}

/// `tenant ...`.
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Make a tenant with its first owner. Prints {"id":...}.
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
        /// The owner's password.
        #[arg(long, env = "TILLWAY_OWNER_PASSWORD", hide_env_values = true)]
        owner_password: String,
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
        /// The tenant's id.
        #[arg(long)]
        tenant: Uuid,
        /// Its name, as on the receipt.
        #[arg(long)]
        name: String,
        /// IANA time zone, such as Europe/London.
        #[arg(long)]
        timezone: String,
        /// ISO 4217, such as GBP.
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
}

/// `claim ...`.
#[derive(Debug, Subcommand)]
pub enum Claim {
    /// Make a claim code for a node of a shop. Prints {"code":...,"expires_at":...}.
    Create {
        /// Where the database is.
        #[command(flatten)]
        place: Where,
        /// The tenant's id.
        #[arg(long)]
        tenant: Uuid,
        /// The shop's id.
        #[arg(long)]
        shop: Uuid,
    },
}
