//! Decides how a receipt is rung: goods by code, with an override where the printed price is not the book's;
//! what is no goods as open-price lines; a write-off as its own event. Pure.

use protocol::money::Currency;
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use serde_json::{Value, json};

use crate::catalogue::Catalogue;
use crate::lane::TicketLine;
use crate::receipts::{Kind, Receipt, Row};

/// One line as it goes to the node, and how to recognise it there.
#[derive(Clone, Debug)]
pub struct PlannedLine {
    /// Body of the request.
    pub body: Value,
    code: Option<String>,
    description: String,
    quantity: Quantity,
    price: UnitPrice,
    /// It goes against the price book.
    pub is_override: bool,
}

impl PlannedLine {
    /// Whether a line of a ticket is this one.
    pub fn is(&self, line: &TicketLine) -> bool {
        let named = match &self.code {
            Some(code) => line.code.as_ref() == Some(code),
            None => line.code.is_none() && line.description == self.description,
        };
        named && line.quantity.milli().abs() == self.quantity.milli() && line.unit_price == self.price
    }

    /// Whether it is rung without a code.
    pub fn is_open_price(&self) -> bool {
        self.code.is_none()
    }
}

/// One receipt, ready to be rung.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its printed number: the reference on the ticket and the root of its idempotency keys.
    pub number: String,
    /// Local wall time of a paper receipt that is rung later; none for a sale of this moment.
    pub at: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Its lines.
    pub lines: Vec<PlannedLine>,
    /// What it must come to.
    pub expected_minor: i64,
    /// How it is paid.
    pub tender: &'static str,
}

/// Plans one receipt.
///
/// # Errors
/// When its amounts are beyond what Tillway counts.
pub fn plan(receipt: &Receipt, catalogue: &Catalogue) -> anyhow::Result<Planned> {
    let lines = receipt.rows.iter().map(|row| line(row, receipt.kind, catalogue)).collect();
    // The file does not say how it was paid: three receipts of ten by card.
    let by_card = receipt.number.bytes().last().is_some_and(|digit| matches!(digit, b'1' | b'4' | b'7'));
    Ok(Planned {
        number: receipt.number.clone(),
        at: Some(receipt.at.clone()),
        kind: receipt.kind,
        lines,
        expected_minor: receipt.total()?.minor(),
        tender: if by_card { "card_recorded" } else { "cash" },
    })
}

fn line(row: &Row, kind: Kind, catalogue: &Catalogue) -> PlannedLine {
    let quantity = row.quantity.to_string();
    let book = if row.is_goods() { catalogue.0.get(&row.code).map(|product| product.price) } else { None };
    let is_override = kind != Kind::WriteOff && book.is_some_and(|price| price != row.price);
    let body = match (kind, book) {
        (Kind::WriteOff, _) => json!({"code": row.code, "description": row.description, "quantity": quantity}),
        (_, Some(_)) if is_override => json!({"code": row.code, "quantity": quantity,
            "unit_price": row.price.to_string(), "override_reason": "price on the paper receipt"}),
        (_, Some(_)) => json!({"code": row.code, "quantity": quantity}),
        (_, None) => {
            json!({"open": {"description": row.description, "unit_price": row.price.to_string()}, "quantity": quantity})
        }
    };
    PlannedLine {
        body,
        code: book.map(|_| row.code.clone()),
        description: row.description.clone(),
        quantity: row.quantity,
        price: row.price,
        is_override,
    }
}

/// The currency of the reference receipts.
pub const CURRENCY: Currency = Currency::GBP;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipts::from_csv;

    #[test]
    fn each_line_is_rung_as_what_it_is() {
        let lines = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
            536365,a,THE A,6,2010-12-01T08:26,2.55,,\n536366,a,THE A,1,2010-12-01T08:26,2.55,,\n\
            C536367,a,THE A,-2,2010-12-01T08:30,2.1,,\nC536367,POST,,-1,2010-12-01T08:30,18,,\n\
            536368,a,,-3,2010-12-01T08:30,0,,\n";
        let receipts = from_csv(lines.as_bytes()).unwrap();
        let catalogue = Catalogue::of(&receipts);
        let planned: Vec<Planned> = receipts.iter().map(|receipt| plan(receipt, &catalogue).unwrap()).collect();
        assert_eq!(planned[0].lines[0].body, json!({"code": "a", "quantity": "6"}));
        assert_eq!(planned[0].expected_minor, 1_530);
        assert_eq!(planned[2].lines[0].body["unit_price"], "2.10");
        assert!(planned[2].lines[0].is_override && !planned[2].lines[0].is_open_price());
        let open = json!({"open": {"description": "POST", "unit_price": "18.00"}, "quantity": "1"});
        assert_eq!(planned[2].lines[1].body, open, "no goods, and its blank description is its code");
        assert!(planned[2].lines[1].is_open_price() && !planned[2].lines[1].is_override);
        assert_eq!((planned[2].expected_minor, planned[2].tender), (-2_220, "card_recorded"));
        assert_eq!(planned[3].lines[0].body, json!({"code": "a", "description": "a", "quantity": "3"}));
        assert!(!planned[3].lines[0].is_override, "a write-off has no price to override");
    }
}
