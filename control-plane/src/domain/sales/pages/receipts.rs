//! One receipt whole, as head office counts it, and the way to it: the code on the paper, or node, term and position.

use askama::Template;
use axum::extract::State;
use protocol::id::NodeId;
use protocol::receipt::{Fingerprint, ReceiptRef};
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::auth::policy::right;
use crate::domain::fleet;
use crate::domain::sales::live::rules::LiveShop;
use crate::domain::sales::live::service as live;
use crate::domain::sales::query::read_date;
use crate::domain::sales::tickets::rules::{Filter, Place};
use crate::domain::sales::tickets::service;
use crate::domain::sales::types::{TicketDetail, TicketPage};
use crate::http::{ApiError, Path, Query};
use crate::web::respond::{encoded, see_other};
use crate::web::{Nav, PageCan, PageResult, Shell, format};

/// Receipts on one page of the list.
const ROWS: u32 = 50;

/// What to look for, or which to list.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct SearchQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    shop: String,
    #[serde(default)]
    date: String,
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "domain/sales/templates/receipts.html")]
struct Search<'a> {
    shell: Shell,
    query: &'a SearchQuery,
    wrong: Option<String>,
    shops: &'a [LiveShop],
    page: TicketPage,
    narrowed: bool,
    next: Option<String>,
}

impl Search<'_> {
    fn shop_name(&self, id: &Uuid) -> &str {
        self.shops.iter().find(|shop| shop.id == *id).map_or("A former shop", |shop| &shop.name)
    }

    fn zone(&self, id: &Uuid) -> &str {
        self.shops.iter().find(|shop| shop.id == *id).map_or("UTC", |shop| &shop.zone)
    }
}

/// Where a search leads: the code of the paper, or `node/term/seq` in any of the ways people copy it.
fn place_of(text: &str) -> Result<String, String> {
    let text = text.trim();
    let tail = text.rsplit_once("/receipts/").map_or(text, |(_, tail)| tail);
    let tail = tail.split(['?', '#']).next().unwrap_or(tail);
    let parts: Vec<&str> = tail.split('/').map(str::trim).filter(|part| !part.is_empty()).collect();
    if let [node, term, seq] = parts.as_slice()
        && let (Ok(node), Ok(term), Ok(seq)) = (Uuid::parse_str(node), term.parse::<u32>(), seq.parse::<u64>())
    {
        return Ok(format!("/receipts/{node}/{term}/{seq}"));
    }
    match text.parse::<ReceiptRef>() {
        Ok(found) => Ok(format!("/receipts/{}/{}/{}?code={}", found.node, found.term, found.seq, found.hash)),
        Err(error) => Err(format!("{error}. Scan the square code on the paper, or type the line below it.")),
    }
}

/// `GET /receipts`
pub(super) async fn search(
    State(app): State<App>,
    caller: PageCan<right::SalesRead>,
    Query(query): Query<SearchQuery>,
) -> PageResult {
    let mut wrong = None;
    if !query.q.trim().is_empty() {
        match place_of(&query.q) {
            Ok(place) => return Ok(see_other(&place)),
            Err(why) => wrong = Some(capital(&why)),
        }
    }
    let mut tx = caller.begin(&app).await?;
    let shops = live::shops(&mut tx, app.clock.now()).await?;
    let shop = super::live::chosen(&shops, &query.shop)?;
    let day = match read_date("date", &query.date) {
        Ok(day) => day,
        Err(error) => {
            wrong.get_or_insert(capital(&error.message));
            None
        }
    };
    let after = if query.after.is_empty() { None } else { Place::parse(&query.after) };
    let filter = Filter { shop, from: day, to: day, kind: None, lane: None, after, limit: ROWS };
    let page = service::list(&mut tx, &filter).await?;
    drop(tx);
    let next = page.next.as_ref().map(|next| {
        format!("/receipts?shop={}&date={}&after={}", encoded(&query.shop), encoded(&query.date), encoded(next))
    });
    let narrowed = shop.is_some() || day.is_some();
    let shell = Shell::new(&caller, Nav::Receipts, "Receipts");
    caller.page(&Search { shell, query: &query, wrong, shops: &shops, page, narrowed, next })
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The fingerprint of the paper in hand.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct CodeQuery {
    #[serde(default)]
    code: String,
}

#[derive(Template)]
#[template(path = "domain/sales/templates/receipt.html")]
struct Receipt<'a> {
    shell: Shell,
    ticket: &'a TicketDetail,
    shop: &'a str,
    /// What its box is called, while head office has it.
    node: Option<&'a str>,
    zone: &'a str,
    code: String,
    /// Whether the paper's fingerprint is the record's; none without a paper.
    paper: Option<bool>,
}

impl Receipt<'_> {
    fn name(&self) -> String {
        let row = &self.ticket.row;
        row.reference.clone().unwrap_or_else(|| format!("Receipt {}·{}", row.term, row.seq))
    }

    fn money(&self, minor: &i64) -> String {
        format::money(*minor, &self.ticket.row.currency)
    }

    fn price(&self, text: &str) -> String {
        format::price(text, &self.ticket.row.currency)
    }

    /// What was paid, cash rounding included.
    fn paid(&self) -> i64 {
        self.ticket.row.total_minor.saturating_add(self.ticket.rounding_minor)
    }
}

/// `GET /receipts/{node}/{term}/{seq}`
pub(super) async fn one(
    State(app): State<App>,
    caller: PageCan<right::SalesRead>,
    Path((node, term, seq)): Path<(Uuid, i64, i64)>,
    Query(query): Query<CodeQuery>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let found = service::with_paper(&mut tx, node, term, seq).await?;
    let (ticket, paper) = found.ok_or_else(|| ApiError::not_found("receipt"))?;
    let shops = live::shops(&mut tx, app.clock.now()).await?;
    let box_of = fleet::service::detail(&mut tx, NodeId::from_uuid(node)).await?;
    drop(tx);
    let shop = shops.iter().find(|shop| shop.id == ticket.row.shop_id);
    let page = Receipt {
        shell: Shell::new(&caller, Nav::Receipts, "Receipt"),
        shop: shop.map_or("A former shop", |shop| &shop.name),
        node: box_of.as_ref().map(|found| found.standing.row.name.as_str()),
        zone: shop.map_or("UTC", |shop| &shop.zone),
        code: paper.to_string(),
        paper: query.code.parse::<Fingerprint>().ok().map(|hash| hash == paper.hash),
        ticket: &ticket,
    };
    caller.page(&page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_copy_a_receipt_s_place_in_many_ways() {
        let node = "0198a0f0-0000-7000-8000-000000000001";
        let place = format!("/receipts/{node}/1/42");
        for typed in
            [format!("{node}/1/42"), format!(" {node} / 1 / 42 "), format!("https://hq.example:8443{place}?x=1")]
        {
            assert_eq!(place_of(&typed), Ok(place.clone()), "{typed}");
        }
        let event = protocol::event::RawEvent { kind: 1, version: 1, body: vec![1, 2, 3] };
        let (term, seq) = (protocol::id::Term(1), protocol::id::Seq(42));
        let paper = ReceiptRef::of(NodeId::from_uuid(Uuid::parse_str(node).unwrap()), term, seq, &event);
        assert_eq!(place_of(&paper.to_string().to_lowercase()), Ok(format!("{place}?code={}", paper.hash)));
        for wrong in ["42", "a/b/c", "TWR1:x", "<script>", &"9".repeat(9_999)] {
            assert!(place_of(wrong).is_err(), "{wrong}");
        }
    }
}
