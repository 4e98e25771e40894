//! What each command does: open, call the noun's service, answer.

use anyhow::{Context, Result, anyhow};
use protocol::id::{ShopId, TenantId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use super::args::{Claim, Command, Keys, Operator, Serve, Shop, Tenant, Where};
use super::place::Place;
use crate::app::App;
use crate::auth::seal::Sealer;
use crate::clock::Clock;
use crate::config::{Database, ServeConfig};
use crate::db::{TenantTx, Urls, migrate};
use crate::domain::audit::Actor;
use crate::domain::fleet::{ClaimMade, Fleet, FleetError, NewClaim};
use crate::domain::{fleet, operators, shops, tenants};
use crate::http::ApiError;
use crate::mail::MailConfig;
use crate::notify::{self, Notifier};
use crate::telemetry::spans;
use crate::{serve, telemetry};

/// Runs a command; what it answers is printed as one line of JSON.
pub(super) async fn run(command: Command) -> Result<Option<Value>> {
    match command {
        Command::Serve(args) => serve_until_told(args).await.map(|()| None),
        Command::Migrate { database_url } => {
            let version = migrate(&database_url).await.context("the database was not brought up to date")?;
            Ok(Some(json!({ "version": version })))
        }
        Command::Tenant(Tenant::Create { place, name, owner_email, owner_password, allow_duplicate }) => {
            with_app(&place, async |app| {
                let double = tenants::service::owned_with_name(&app, &name, &owner_email).await?;
                if let Some(id) = double.filter(|_| !allow_duplicate) {
                    let said =
                        format!("{owner_email} owns the tenant {name} already ({id}); --allow-duplicate makes another");
                    return Err(ApiError::conflict(said));
                }
                let made = tenants::service::create(&app, &name, &owner_email, &owner_password).await?;
                Ok(json!({ "id": made.tenant, "owner_id": made.owner }))
            })
            .await
        }
        Command::Tenant(Tenant::List { place, search, json: _ }) => {
            must_be_there(&place)?;
            with_app(&place, async |app| tenants_of(&app, &search).await).await
        }
        Command::Operator(Operator::Create { place, email, role, password }) => {
            must_be_there(&place)?;
            let password = match password {
                Some(password) => password,
                None => {
                    one_line().context("no password: set TILLWAY_OPERATOR_PASSWORD or write it to standard input")?
                }
            };
            with_app(&place, async |app| {
                let id = operators::service::create(&app, &email, &password, &role).await?;
                Ok(json!({ "id": id }))
            })
            .await
        }
        Command::Shop(Shop::List { place, tenant, json: _ }) => {
            must_be_there(&place)?;
            with_app(&place, async |app| {
                let mut tx = TenantTx::begin(&app.db, TenantId::from_uuid(tenant)).await?;
                if tenants::service::name(&mut tx).await?.is_none() {
                    return Err(ApiError::not_found("tenant"));
                }
                let shops = shops::service::list(&mut tx).await?;
                let line = |shop: shops::types::Shop| {
                    json!({ "id": shop.id, "name": shop.name, "timezone": shop.timezone, "currency": shop.currency })
                };
                Ok(Value::Array(shops.into_iter().map(line).collect()))
            })
            .await
        }
        Command::Shop(Shop::Create {
            place,
            tenant,
            name,
            timezone,
            currency,
            day_starts,
            tax_mode,
            tax_basis,
            cash_step,
        }) => {
            must_be_there(&place)?;
            let new = shops::types::NewShop {
                day_starts,
                cash_step,
                tax_mode: word("--tax-mode", &tax_mode, "inclusive or exclusive")?,
                tax_basis: word("--tax-basis", &tax_basis, "per_receipt or per_line")?,
                ..shops::types::NewShop::plain(&name, &timezone, &currency)
            };
            with_app(&place, async |app| {
                let mut tx = TenantTx::begin(&app.db, TenantId::from_uuid(tenant)).await?;
                let shop = shops::service::create(&mut tx, Actor::COMMAND, &new, app.clock.now()).await?;
                tx.save().await?;
                Ok(json!({ "id": shop.id }))
            })
            .await
        }
        Command::Claim(Claim::Create { place, tenant, shop }) => claim(&place, tenant, shop).await,
        Command::Keys(Keys::Rotate { place, at_once }) => {
            must_be_there(&place)?;
            with_app(&place, async |app| {
                let retired = app.keys.rotate(&app.db, at_once, app.clock.now()).await?;
                Ok(json!({ "retired": retired }))
            })
            .await
        }
        Command::Completion { .. } => Ok(None),
    }
}

/// Every tenant, page by page.
async fn tenants_of(app: &App, search: &str) -> Result<Value, ApiError> {
    const PAGE: i64 = 200;
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let page = operators::service::list(app, search, None, after.as_ref(), PAGE).await?;
        after = page.last().map(|last| (last.name.clone(), last.id));
        let whole = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        lines.extend(page.into_iter().map(|row| {
            let (shops, nodes, people) = (row.counts.shops, row.counts.nodes, row.counts.people);
            json!({ "id": row.id, "name": row.name, "state": row.state, "shops": shops, "nodes": nodes, "people": people })
        }));
        if whole || after.is_none() {
            return Ok(Value::Array(lines));
        }
    }
}

/// One line of standard input, without its end.
fn one_line() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let line = line.trim_end_matches(['\r', '\n']).to_owned();
    anyhow::ensure!(!line.is_empty(), "standard input is empty");
    Ok(line)
}

/// A claim needs the device CA's certificate. A head office that never served has none yet: it is made now.
async fn claim(at: &Where, tenant: Uuid, shop: Uuid) -> Result<Option<Value>> {
    must_be_there(at)?;
    let (tenant, shop) = (TenantId::from_uuid(tenant), ShopId::from_uuid(shop));
    let private = at.database_url.is_none();
    with_app(at, async |app| {
        let mut made = try_claim(&app, tenant, shop).await;
        if private && matches!(made, Err(FleetError::NoCa)) {
            Fleet::open(&at.state.join("ca"), &app.db, &app.clock, Vec::new()).await?;
            made = try_claim(&app, tenant, shop).await;
        }
        let claim = made?;
        let ends = crate::clock::utc(claim.expires_at);
        let expires_at = ends.format(&Rfc3339).map_err(ApiError::internal)?;
        Ok(json!({ "id": claim.claim_id, "code": claim.code, "expires_at": expires_at }))
    })
    .await
}

async fn try_claim(app: &App, tenant: TenantId, shop: ShopId) -> Result<ClaimMade, FleetError> {
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    let claim = fleet::service::create_claim(&app.db, &mut tx, shop, NewClaim::default(), app.clock.now()).await?;
    tx.save().await?;
    Ok(claim)
}

/// A word of an enum, as JSON spells it.
fn word<T: DeserializeOwned>(flag: &str, text: &str, choices: &str) -> Result<T> {
    serde_json::from_value(Value::from(text)).map_err(|_| anyhow!("{flag} {text:?}: say {choices}"))
}

/// A mistyped --state must not make an empty head office, in which then nothing is found.
fn must_be_there(at: &Where) -> Result<()> {
    let there = at.database_url.is_some() || at.state.join("postgres").is_dir();
    anyhow::ensure!(
        there,
        "there is no head office in {}: give the --state that it serves from, as a user who may read it",
        at.state.display()
    );
    Ok(())
}

/// Opens the database, does `work`, closes it again whatever came out.
async fn with_app(at: &Where, work: impl AsyncFnOnce(App) -> Result<Value, ApiError>) -> Result<Option<Value>> {
    let sealer = match &at.secrets_key {
        Some(path) => Sealer::of_file(path)?,
        None if at.database_url.is_none() => Sealer::of_state(&at.state)?,
        // On another machine's database, without its keys: commands that seal nothing work all the same.
        None => Sealer::throwaway(),
    };
    let place = Place::open(at).await?;
    let done = match App::new(place.db.clone(), Clock::System).await {
        Ok(app) => work(App { sealer, ..app }).await.map_err(|refused| anyhow!(refused.message)),
        Err(error) => Err(error.into()),
    };
    place.close().await;
    done.map(Some)
}

async fn serve_until_told(args: Serve) -> Result<()> {
    if telemetry::metrics().is_none() {
        tracing::warn!("metrics are recorded by somebody else");
    }
    log_panics();
    if let Some(otlp) = args.otlp.filter(|otlp| !otlp.is_empty()) {
        let options = spans::Options { otlp, share: args.trace_share, service: "control-plane", about: Vec::new() };
        spans::start(options).map_err(|error| anyhow!("--otlp {error}"))?;
    }
    // Before anything is started, so that an early Ctrl-C is not lost.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let database = match (&args.database_url, &args.platform_url) {
        (Some(app), Some(platform)) => Database::External(Box::new(Urls::parse(app, platform)?)),
        _ => Database::Embedded,
    };
    let config = ServeConfig {
        state: args.state,
        http: args.http,
        quic: args.quic,
        tcp: args.tcp,
        drain_per_second: args.drain_per_second,
        metrics: Some(args.metrics),
        database,
        public_host: args.public_host,
        public_url: args.public_url,
        mail: MailConfig {
            smtp_url: args.smtp_url,
            password_file: args.smtp_password_file,
            ca_file: args.smtp_ca,
            from: args.mail_from,
        },
        secrets_key: args.secrets_key,
        private_providers: args.private_providers,
        trust_forwarded: args.trust_forwarded,
        cors_origins: args.cors_origins,
    };
    let running = serve::start(config, Clock::System).await?;
    let told = notify::attend(Notifier::from_environment(), running.http, running.app.db.clone(), running.ended());
    tokio::spawn(told);
    let name = tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    };
    tracing::info!(signal = name, "closing; a second signal ends at once");
    tokio::select! {
        () = async { running.stop().await; spans::flush().await } => Ok(()),
        _ = interrupt.recv() => Err(anyhow!("ended at once by a second signal")),
        _ = terminate.recv() => Err(anyhow!("ended at once by a second signal")),
    }
}

/// A panic is a line of the log like any other.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let said = info.payload_as_str().unwrap_or_default();
        tracing::error!(place, said, "panic");
    }));
}
