//! Reads the published receipts (gzip CSV) into sales, returns and stock write-offs.
//! Knows what the file says, not how any of it is sold.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use protocol::money::{Amount, Currency};
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use serde::Deserialize;

/// Codes of the file that are services, charges and corrections: they stand in no catalogue and are rung as
/// open-price lines. Vouchers (`gift_...`) are money to come, not goods. `DCGS...` are party bags and toys.
const NO_GOODS: &[&str] = &["POST", "DOT", "M", "m", "D", "S", "C2", "BANK CHARGES", "AMAZONFEE"];

/// What a receipt of the file is to a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goods went out, money came in.
    Sale,
    /// `C...`: goods came back without their receipt.
    Return,
    /// Stock that left without a sale: every quantity negative, every price 0.
    WriteOff,
}

/// One line as it was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Stock code, case-sensitive.
    pub code: String,
    /// Its description, the code where the file has none.
    pub description: String,
    /// How many, always positive: the kind of the receipt says which way they went.
    pub quantity: Quantity,
    /// The price of one.
    pub price: UnitPrice,
}

impl Row {
    /// Whether the code names goods that a catalogue can hold.
    pub fn is_goods(&self) -> bool {
        is_goods(&self.code)
    }
}

/// Whether a stock code of the file names goods.
pub fn is_goods(code: &str) -> bool {
    !NO_GOODS.contains(&code) && !code.starts_with("gift_")
}

/// One receipt, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its printed number.
    pub number: String,
    /// Local wall time of its first line, `YYYY-MM-DDTHH:MM`.
    pub at: String,
    /// What it is.
    pub kind: Kind,
    /// Its lines in printed order.
    pub rows: Vec<Row>,
}

impl Receipt {
    /// The calendar day it was printed on, `YYYY-MM-DD`.
    pub fn day(&self) -> &str {
        self.at.get(..10).unwrap_or(&self.at)
    }

    /// What it came to: each line rounded once; negative on a return, nothing on a write-off.
    ///
    /// # Errors
    /// When an amount is beyond what Tillway counts.
    pub fn total(&self) -> anyhow::Result<Amount> {
        let lines = self.rows.iter().map(|row| row.price.extend(row.quantity, Currency::GBP));
        let sum = Amount::sum(lines.collect::<Result<Vec<_>, _>>()?)?;
        Ok(match self.kind {
            Kind::Sale => sum,
            Kind::Return => sum.negated(),
            Kind::WriteOff => Amount::ZERO,
        })
    }
}

#[derive(Deserialize)]
struct Published {
    #[serde(rename = "InvoiceNo")]
    number: String,
    #[serde(rename = "StockCode")]
    code: String,
    #[serde(rename = "Description")]
    description: String,
    #[serde(rename = "Quantity")]
    quantity: Quantity,
    #[serde(rename = "InvoiceDate")]
    at: String,
    #[serde(rename = "UnitPrice")]
    price: String,
}

/// Reads every receipt of a `.csv.gz`, in the order of the file.
///
/// # Errors
/// When the file is missing, damaged, or holds a line that is none.
pub fn read(path: &Path) -> anyhow::Result<Vec<Receipt>> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    from_csv(flate2::read::MultiGzDecoder::new(std::io::BufReader::new(file)))
        .with_context(|| format!("in {}", path.display()))
}

/// Reads every receipt of a CSV with the published columns.
///
/// # Errors
/// With the line's number when one cannot be read.
pub fn from_csv(reader: impl Read) -> anyhow::Result<Vec<Receipt>> {
    let mut receipts: Vec<(Receipt, Vec<Quantity>)> = Vec::new();
    let mut by_number: BTreeMap<String, usize> = BTreeMap::new();
    for (index, line) in csv::Reader::from_reader(reader).deserialize::<Published>().enumerate() {
        let line = line.with_context(|| format!("line {}", index + 2))?;
        let price = line.price.parse::<UnitPrice>().with_context(|| format!("line {}: UnitPrice", index + 2))?;
        let description = match line.description.trim() {
            "" => line.code.clone(),
            text => text.to_owned(),
        };
        let at = *by_number.entry(line.number.clone()).or_insert_with(|| {
            receipts
                .push((Receipt { number: line.number, at: line.at, kind: Kind::Sale, rows: Vec::new() }, Vec::new()));
            receipts.len() - 1
        });
        if let Some((receipt, signed)) = receipts.get_mut(at) {
            let size = Quantity::from_milli(line.quantity.milli().abs())?;
            receipt.rows.push(Row { code: line.code, description, quantity: size, price });
            signed.push(line.quantity);
        }
    }
    receipts.into_iter().map(|(receipt, signed)| with_kind(receipt, &signed)).collect()
}

/// Tells what a receipt is from its number and the signs of its lines.
fn with_kind(mut receipt: Receipt, signed: &[Quantity]) -> anyhow::Result<Receipt> {
    let negative = signed.iter().filter(|quantity| quantity.milli() < 0).count();
    let free = receipt.rows.iter().all(|row| row.price == UnitPrice::ZERO);
    receipt.kind = match (receipt.number.starts_with('C'), negative) {
        (true, n) if n == signed.len() => Kind::Return,
        (false, 0) => Kind::Sale,
        (false, n) if n == signed.len() && free => Kind::WriteOff,
        _ => anyhow::bail!("receipt {} has lines of both directions", receipt.number),
    };
    Ok(receipt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &str) -> anyhow::Result<Vec<Receipt>> {
        let head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
        from_csv(format!("{head}{lines}").as_bytes())
    }

    #[test]
    fn kinds_come_from_number_sign_and_price() {
        let read = parse(
            "1,a,A,2,2010-12-01T08:26,1.25,,UK\nC2,a,A,-1,2010-12-01T09:00,1.25,,UK\n\
             3,b,,-4,2010-12-01T09:00,0.0,,UK\n1,POST,POSTAGE,1,2010-12-01T08:26,0.001,,UK\n",
        )
        .unwrap();
        let kinds: Vec<Kind> = read.iter().map(|receipt| receipt.kind).collect();
        assert_eq!(kinds, [Kind::Sale, Kind::Return, Kind::WriteOff]);
        assert_eq!(read[0].rows.len(), 2, "lines of one number belong together wherever they stand");
        assert_eq!(read[2].rows[0].description, "b", "a blank description falls back to the code");
        let totals: Vec<i64> = read.iter().map(|receipt| receipt.total().unwrap().minor()).collect();
        assert_eq!(totals, [250, -125, 0]);
    }

    #[test]
    fn what_is_no_receipt_is_refused_with_its_line() {
        let error = parse("1,a,A,x,2010-12-01T08:26,1.25,,UK\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error:?}");
        assert!(parse("1,a,A,1,2010-12-01T08:26,1.25,,UK\n1,a,A,-1,2010-12-01T08:26,1.25,,UK\n").is_err());
        assert!(parse("1,a,A,-1,2010-12-01T08:26,1.25,,UK\n").is_err(), "a priced write-off is none");
    }

    #[test]
    fn goods_are_case_sensitive_and_vouchers_are_none() {
        for code in ["POST", "M", "m", "gift_0001_20", "BANK CHARGES", "C2"] {
            assert!(!is_goods(code), "{code}");
        }
        for code in ["85123A", "85123a", "DCGS0003", "DCGSSGIRL", "post"] {
            assert!(is_goods(code), "{code}");
        }
    }

    #[test]
    fn the_committed_fortnight_is_what_it_is_said_to_be() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/online-retail-2010-12-01_14.csv.gz");
        let read = read(&path).unwrap();
        let day =
            |day: &str| -> i64 { read.iter().filter(|r| r.day() == day).map(|r| r.total().unwrap().minor()).sum() };
        assert_eq!((day("2010-12-01"), day("2010-12-02")), (5_863_556, 4_620_728));
        assert_eq!(read.iter().map(|receipt| receipt.rows.len()).sum::<usize>(), 31_102);
        assert!(read.iter().all(|receipt| ("2010-12-01"..="2010-12-14").contains(&receipt.day())));
    }
}
