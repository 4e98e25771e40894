//! The pages of nodes: all of them with what people must know about each, and one with everything HQ knows of it.

use askama::Template;
use axum::extract::State;
use axum::http::Method;
use protocol::id::{NodeId, ShopId};
use protocol::timestamp::Timestamp;
use serde::Deserialize;
use std::collections::HashMap;
use time::OffsetDateTime;
use uuid::Uuid;

use super::service;
use super::types::{LogState, NodeDetail, NodeStanding};
use super::words::{self, Said};
use crate::app::App;
use crate::auth::policy::right;
use crate::clock::{timestamp, utc};
use crate::domain::shops::types::Shop;
use crate::domain::{catalog, shops};
use crate::http::{ApiError, Path, Query};
use crate::web::{Nav, PageCan, PageResult, Pages, Shell, format};

/// Nodes of one page.
const PAGE: u32 = 50;

/// The pages of nodes.
pub fn pages() -> Pages {
    Pages::new().route(Method::GET, "/nodes", list).route(Method::GET, "/nodes/{id}", one)
}

/// Which part of the list.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Asked {
    cursor: Option<Uuid>,
    shop: Option<Uuid>,
}

/// A node as its row shows it.
struct Row {
    node: NodeStanding,
    shop_name: String,
    contact: Said,
    certificate: Said,
    ledger: Ledger,
}

/// Where the fiscal log of a node stands, in the shop and here.
struct Ledger {
    stored: Option<u64>,
    received: u64,
    waiting: u64,
    contradicts: bool,
}

impl Ledger {
    fn of(node: &NodeStanding) -> Self {
        let sum = |of: fn(&LogState) -> u64| node.logs.iter().map(of).sum::<u64>();
        Self {
            stored: node.logs.iter().find(|log| log.reigns).and_then(|log| log.stored),
            received: node.logs.iter().find(|log| log.reigns).map_or(0, |log| log.received),
            waiting: sum(LogState::waiting),
            contradicts: node.logs.iter().any(|log| log.contradicts),
        }
    }
}

fn row(node: NodeStanding, shops: &HashMap<Uuid, Shop>, now: Timestamp) -> Row {
    Row {
        shop_name: shops.get(&node.row.shop_id).map(|shop| shop.name.clone()).unwrap_or_default(),
        contact: words::contact(node.row.last_seen_at.map(timestamp), now),
        certificate: words::certificate(node.row.certificate_expires_at.map(timestamp), now),
        ledger: Ledger::of(&node),
        node,
    }
}

#[derive(Template)]
#[template(path = "domain/fleet/templates/list.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
    next: Option<NodeId>,
    paged: bool,
    /// The shop that is looked at, if only one is.
    shop: Option<Shop>,
    /// Shops there are, for the way on when no box is there.
    shops: Vec<Shop>,
    /// The catalogue's version.
    version: u64,
    now: OffsetDateTime,
}

async fn list(State(app): State<App>, caller: PageCan<right::FleetRead>, Query(asked): Query<Asked>) -> PageResult {
    let now = app.clock.now();
    let mut tx = caller.begin(&app).await?;
    let shops = shops::service::list(&mut tx).await?;
    let by_id: HashMap<Uuid, Shop> = shops.iter().map(|shop| (shop.id.as_uuid(), shop.clone())).collect();
    let shop = match asked.shop {
        Some(shop) => Some(by_id.get(&shop).cloned().ok_or_else(|| ApiError::not_found("shop"))?),
        None => None,
    };
    let of = shop.as_ref().map(|shop| ShopId::from_uuid(shop.id.as_uuid()));
    let (nodes, next) = service::standing_page(&mut tx, of, asked.cursor.map(NodeId::from_uuid), PAGE).await?;
    let (version, _) = catalog::service::head(&mut tx).await?;
    caller.page(&List {
        shell: Shell::new(&caller, Nav::Nodes, "Nodes"),
        rows: nodes.into_iter().map(|node| row(node, &by_id, now)).collect(),
        next,
        paged: asked.cursor.is_some(),
        shop,
        shops,
        version,
        now: utc(now),
    })
}

#[derive(Template)]
#[template(path = "domain/fleet/templates/one.html")]
struct One {
    shell: Shell,
    row: Row,
    shop: Shop,
    address: Option<String>,
    connected_at: Option<OffsetDateTime>,
    version: u64,
    now: OffsetDateTime,
}

async fn one(State(app): State<App>, caller: PageCan<right::FleetRead>, Path(id): Path<Uuid>) -> PageResult {
    let now = app.clock.now();
    let mut tx = caller.begin(&app).await?;
    let found = service::detail(&mut tx, NodeId::from_uuid(id)).await?;
    let NodeDetail { standing, address, connected_at } = found.ok_or_else(|| ApiError::not_found("node"))?;
    let shop = shops::service::get(&mut tx, ShopId::from_uuid(standing.row.shop_id)).await?;
    let (version, _) = catalog::service::head(&mut tx).await?;
    let shops = HashMap::from([(shop.id.as_uuid(), shop.clone())]);
    caller.page(&One {
        shell: Shell::new(&caller, Nav::Nodes, &standing.row.name),
        row: row(standing, &shops, now),
        shop,
        address,
        connected_at,
        version,
        now: utc(now),
    })
}
