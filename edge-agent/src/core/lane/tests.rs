//! Decisions of a till, without a disk or a clock.

use proptest::prelude::*;
use protocol::collection::{Product, ShopSettings, Unit, Version};
use protocol::id::{LaneId, ShopId, TicketId};
use protocol::money::{Amount, Currency};
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use protocol::ticket::{GivenBack, Pricing, Tender, TenderKind, TicketKind};
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::close::{Asked, close};
use super::receipt::{RecordName, answer_of};
use super::view::LineView;
use super::*;
use crate::core::refusal::{Refusal, Why};
use crate::core::shop::Shop;
use protocol::event::FiscalEvent;
use protocol::id::{NodeId, Seq, Term};

const NOON: Timestamp = Timestamp(1_795_176_000_000);

fn lane(n: u128) -> LaneId {
    LaneId::from_uuid(Uuid::from_u128(n))
}

fn shop() -> Shop {
    Shop::new(ShopSettings {
        version: Version(1),
        shop: ShopId::from_uuid(Uuid::from_u128(1)),
        name: "High Street".into(),
        zone: "Europe/London".into(),
        day_starts_minutes: 240,
        currency: Currency::GBP,
        tax_mode: TaxMode::Inclusive,
        tax_basis: TaxBasis::PerReceipt,
        cash_step: 1,
        late_entry: true,
        open_line_tax_rate: TaxRate::ZERO,
    })
    .unwrap()
}

fn product(price: &str) -> Product {
    Product {
        code: "A".into(),
        description: "a thing".into(),
        unit_price: price.parse().unwrap(),
        tax_rate: TaxRate::from_ppm(200_000).unwrap(),
        unit: Unit::Piece,
        barcodes: vec![],
    }
}

/// Asks as `who` with what was looked up.
fn with<T>(who: LaneId, lookups: &Lookups, ask: impl FnOnce(&Context<'_>) -> T) -> T {
    let shop = shop();
    ask(&Context {
        now: NOON,
        lane: who,
        shop: &shop,
        lookups,
        given: &|_| Ok(GivenBack::default()),
        is_paired: &|lane| lane != self::lane(9),
        people: crate::core::approval::People::default(),
    })
}

fn ticket(kind: TicketKind) -> OpenTicket {
    with(lane(1), &Lookups::default(), |ctx| {
        open(ctx, TicketId::from_uuid(Uuid::from_u128(5)), kind, None, None).unwrap()
    })
}

fn edit(ticket: &mut OpenTicket, who: LaneId, edit: &Edit) -> Result<Op, Refusal> {
    let lookups = Lookups { product: Some(product("2.55")), ..Lookups::default() };
    let op = with(who, &lookups, |ctx| decide(ticket, edit, ctx))?;
    ticket.apply(&op);
    Ok(op)
}

fn goods(quantity: &str, unit_price: Option<&str>) -> Edit {
    Edit::AddGoods {
        code: "A".into(),
        quantity: quantity.parse().unwrap(),
        unit_price: unit_price.map(|price| price.parse().unwrap()),
        reason: None,
        discount: None,
    }
}

#[test]
fn an_override_remembers_the_book_and_going_back_to_it_is_none() {
    let mut sale = ticket(TicketKind::Sale);
    edit(&mut sale, lane(1), &goods("1", Some("2.00"))).unwrap();
    assert_eq!(sale.lines[0].pricing, Pricing::Override { book: "2.55".parse().unwrap() });
    let change = |price: &str| Edit::ChangeLine {
        line_no: 1,
        quantity: None,
        unit_price: Some(price.parse().unwrap()),
        reason: None,
        discount: None,
    };
    edit(&mut sale, lane(1), &change("1.99")).unwrap();
    assert_eq!(sale.lines[0].pricing, Pricing::Override { book: "2.55".parse().unwrap() });
    edit(&mut sale, lane(1), &change("2.55")).unwrap();
    assert_eq!(sale.lines[0].pricing, Pricing::Book);
}

#[test]
fn line_numbers_are_never_used_again() {
    let mut sale = ticket(TicketKind::Sale);
    for _ in 0..2 {
        edit(&mut sale, lane(1), &goods("1", None)).unwrap();
    }
    edit(&mut sale, lane(1), &Edit::VoidLine { line_no: 2, reason: None }).unwrap();
    edit(&mut sale, lane(1), &goods("1", None)).unwrap();
    assert_eq!(sale.lines.iter().map(|line| line.line_no).collect::<Vec<_>>(), [1, 3]);
    let again = edit(&mut sale, lane(1), &Edit::VoidLine { line_no: 2, reason: None });
    assert_eq!(again.unwrap_err().why, Why::Conflict);
    assert!(LineView::new(&sale.voided[0].line, None).voided);
}

#[test]
fn a_ticket_belongs_to_one_lane_until_it_is_parked() {
    let mut sale = ticket(TicketKind::Sale);
    assert_eq!(edit(&mut sale, lane(2), &goods("1", None)).unwrap_err().why, Why::Conflict);
    assert_eq!(edit(&mut sale, lane(2), &Edit::Recall).unwrap_err().why, Why::Conflict);
    edit(&mut sale, lane(1), &Edit::Park(Some("soon".into()))).unwrap();
    assert_eq!(edit(&mut sale, lane(1), &goods("1", None)).unwrap_err().why, Why::Conflict);
    edit(&mut sale, lane(2), &Edit::Recall).unwrap();
    assert_eq!(sale.lane, lane(2));
    sale.lane = lane(9);
    edit(&mut sale, lane(2), &Edit::Recall).unwrap();
}

#[test]
fn a_full_ticket_takes_no_more_lines() {
    let mut sale = ticket(TicketKind::Sale);
    let long = Edit::AddOpenPrice {
        description: "x".repeat(512),
        unit_price: "1".parse().unwrap(),
        tax_rate: None,
        quantity: "1".parse().unwrap(),
        discount: None,
    };
    let full = loop {
        if let Err(refusal) = edit(&mut sale, lane(1), &long) {
            break refusal;
        }
    };
    assert_eq!(full.why, Why::Invalid);
    assert!(sale.lines.len() > 1_000, "{}", sale.lines.len());
    // What it holds closes in one record.
    let total = sale.totals().unwrap().total;
    let cash = Tender { kind: TenderKind::Cash, amount: total, reference: None };
    let asked = Asked { key: &"k".repeat(128), request_hash: [0; 32] };
    let event = with(lane(1), &Lookups::default(), |ctx| close(&sale, &[cash], None, ctx, asked)).unwrap();
    FiscalEvent::closed(event).encode().unwrap();
    let mut small = ticket(TicketKind::Sale);
    for _ in 0..protocol::limits::TICKET_LINES {
        edit(&mut small, lane(1), &goods("1", None)).unwrap();
    }
    assert!(edit(&mut small, lane(1), &goods("1", None)).is_err());
}

#[test]
fn a_ticket_that_can_no_longer_be_counted_cannot_come_about() {
    let mut sale = ticket(TicketKind::Sale);
    edit(&mut sale, lane(1), &goods("1", None)).unwrap();
    edit(
        &mut sale,
        lane(1),
        &Edit::SetDiscount(Some(protocol::ticket::Discount::Amount(Amount::from_minor(200).unwrap()))),
    )
    .unwrap();
    edit(&mut sale, lane(1), &Edit::VoidLine { line_no: 1, reason: None }).unwrap();
    // The shell counts before it writes; this is what makes it refuse.
    assert!(sale.totals().is_err());
}

#[test]
fn the_answer_of_a_close_can_be_told_from_the_record_alone() {
    let mut sale = ticket(TicketKind::Sale);
    edit(&mut sale, lane(1), &goods("3", None)).unwrap();
    let cash = Tender { kind: TenderKind::Cash, amount: Amount::from_minor(1_000).unwrap(), reference: None };
    let asked = Asked { key: "k", request_hash: [7; 32] };
    let event = with(lane(1), &Lookups::default(), |ctx| close(&sale, &[cash], None, ctx, asked)).unwrap();
    assert_eq!(event.settlement.change.minor(), 235);
    assert_eq!(event.recount().unwrap(), (event.totals.clone(), event.settlement));
    let event = FiscalEvent::closed(event);
    let raw = event.encode().unwrap();
    let node = NodeId::from_uuid(Uuid::from_u128(3));
    let told = answer_of(RecordName::new(node, Term(1), Seq(7), &raw), &event);
    let (again, retold) = receipt::answer(node, Term(1), Seq(7), &raw).unwrap();
    assert_eq!((again, retold), (event, told));
}

/// One wish of a cashier, good or bad.
fn wishes() -> impl Strategy<Value = Edit> {
    let quantity = (-3_000_i64..3_000).prop_map(|milli| protocol::quantity::Quantity::from_milli(milli).unwrap());
    let price = prop::option::of((0_i64..100_000).prop_map(|e4| protocol::price::UnitPrice::from_e4(e4).unwrap()));
    let discount = prop::option::of(
        (0_i64..500).prop_map(|off| protocol::ticket::Discount::Amount(Amount::from_minor(off).unwrap())),
    );
    prop_oneof![
        (quantity.clone(), price.clone(), discount.clone()).prop_map(|(quantity, unit_price, discount)| {
            Edit::AddGoods { code: "A".into(), quantity, unit_price, reason: None, discount }
        }),
        (1_u16..6, prop::option::of(quantity), price, prop::option::of(discount.clone())).prop_map(
            |(line_no, quantity, unit_price, discount)| Edit::ChangeLine {
                line_no,
                quantity,
                unit_price,
                reason: None,
                discount
            }
        ),
        (1_u16..6).prop_map(|line_no| Edit::VoidLine { line_no, reason: None }),
        discount.prop_map(Edit::SetDiscount),
        (-500_i64..500).prop_map(|minor| Edit::AddTender(Tender {
            kind: TenderKind::CardRecorded,
            amount: Amount::from_minor(minor).unwrap(),
            reference: None
        })),
        (1_u16..4).prop_map(Edit::RemoveTender),
        Just(Edit::Park(None)),
        Just(Edit::Recall),
    ]
}

proptest! {
    #[test]
    fn whatever_is_asked_a_replay_of_the_log_gives_the_same_ticket(
        back in any::<bool>(),
        wishes in prop::collection::vec(wishes(), 1..40),
    ) {
        let mut live = ticket(if back { TicketKind::Return } else { TicketKind::Sale });
        let mut log = vec![Op::Open(Box::new(live.clone()))];
        for wish in &wishes {
            let mut tried = live.clone();
            let Ok(op) = edit(&mut tried, lane(1), wish) else { continue };
            if tried.totals().is_err() {
                continue;
            }
            live = tried;
            log.push(op);
        }
        let bytes = postcard::to_stdvec(&log).unwrap();
        let log: Vec<Op> = postcard::from_bytes(&bytes).unwrap();
        let Op::Open(first) = &log[0] else { unreachable!() };
        let mut replayed = first.as_ref().clone();
        for op in &log[1..] {
            replayed.apply(op);
        }
        prop_assert_eq!(&replayed, &live);
        prop_assert_eq!(u32::try_from(log.len()).unwrap(), live.revision);
        prop_assert!(live.lines.windows(2).all(|pair| pair[0].line_no < pair[1].line_no));
        // Every ticket that came about can be shown.
        view::TicketView::new(&live, "open").unwrap();
    }
}
