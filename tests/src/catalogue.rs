//! The catalogue that a file of receipts implies: one product per code of goods, at its most frequent price.
//! Knows nothing of how HQ takes it in beyond the columns of its import.

use std::collections::BTreeMap;

use protocol::price::UnitPrice;

use crate::receipts::Receipt;

/// One product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// The description most of its lines carry, ties to the first in order.
    pub description: String,
    /// The unit price most of its lines carry, ties to the lowest.
    pub price: UnitPrice,
}

/// Products by code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue(pub BTreeMap<String, Product>);

#[derive(Default)]
struct Seen {
    prices: BTreeMap<UnitPrice, usize>,
    descriptions: BTreeMap<String, usize>,
}

/// The key with the largest count, ties to the lowest key.
fn most_frequent<K: Clone + Ord>(counts: &BTreeMap<K, usize>) -> Option<K> {
    counts.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0))).map(|(key, _)| key.clone())
}

impl Catalogue {
    /// What all lines of all receipts, write-offs included, say about each code of goods.
    pub fn of(receipts: &[Receipt]) -> Self {
        let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
        for row in receipts.iter().flat_map(|receipt| &receipt.rows).filter(|row| row.is_goods()) {
            let entry = seen.entry(&row.code).or_default();
            *entry.prices.entry(row.price).or_default() += 1;
            if row.description != row.code {
                *entry.descriptions.entry(row.description.clone()).or_default() += 1;
            }
        }
        let product = |(code, seen): (&str, Seen)| {
            let description = most_frequent(&seen.descriptions).unwrap_or_else(|| code.to_owned());
            let price = most_frequent(&seen.prices).unwrap_or(UnitPrice::ZERO);
            (code.to_owned(), Product { description, price })
        };
        Self(seen.into_iter().map(product).collect())
    }

    /// The text of HQ's catalogue import.
    ///
    /// # Errors
    /// When memory gives out; the writer has no other reason.
    pub fn to_csv(&self) -> anyhow::Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["code", "description", "unit_price"])?;
        for (code, product) in &self.0 {
            writer.write_record([code, &product.description, &product.price.to_string()])?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipts::from_csv;

    #[test]
    fn the_most_frequent_price_counts_and_ties_go_to_the_lowest() {
        let lines = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
            1,a,THE A,1,2010-12-01T08:26,2.5,,\n2,a,THE A,1,2010-12-01T08:26,2.1,,\n3,a,\"AN \"\"A\"\"\",1,2010-12-01T08:26,2.1,,\n\
            4,A,x,1,2010-12-01T08:26,3,,\n5,A,x,1,2010-12-01T08:26,2.99,,\n6,b,,1,2010-12-01T08:26,0.001,,\n7,POST,p,1,2010-12-01T08:26,18,,\n";
        let catalogue = Catalogue::of(&from_csv(lines.as_bytes()).unwrap());
        let csv = catalogue.to_csv().unwrap();
        assert_eq!(csv, "code,description,unit_price\nA,x,2.99\na,THE A,2.10\nb,b,0.001\n");
    }
}
