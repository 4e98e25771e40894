//! The price book: the catalogue in the bytes it came in, with two small indices over them. A hundred thousand
//! products take what their file takes and little more. Knows nothing of files or transfers.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use protocol::collection::{CatalogueDelta, CollectionError, Product, Unit, Version};
use protocol::limits;
use protocol::price::UnitPrice;
use protocol::tax::TaxRate;
use serde::{Deserialize, Serialize};

/// Format byte and variant of a whole catalogue in [`protocol::collection::Delivery`] bytes.
const HEAD: [u8; 2] = [1, 0];

/// Everything the shop sells, at one version.
#[derive(Debug)]
pub struct Book {
    version: Version,
    bytes: Vec<u8>,
    /// Where each product's entry begins, in the order of codes.
    entries: Vec<u32>,
    /// Hash of a barcode and the entry it belongs to, sorted.
    barcodes: Vec<(u64, u32)>,
}

/// A product, borrowed from the book's bytes. Field for field [`Product`].
#[derive(Serialize, Deserialize)]
struct Borrowed<'a> {
    code: &'a str,
    description: &'a str,
    unit_price: UnitPrice,
    tax_rate: TaxRate,
    unit: Unit,
    #[serde(borrow)]
    barcodes: Vec<&'a str>,
}

impl Borrowed<'_> {
    fn to_product(&self) -> Product {
        Product {
            code: self.code.to_owned(),
            description: self.description.to_owned(),
            unit_price: self.unit_price,
            tax_rate: self.tax_rate,
            unit: self.unit,
            barcodes: self.barcodes.iter().map(|code| (*code).to_owned()).collect(),
        }
    }
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), CollectionError> {
    postcard::take_from_bytes(bytes).map_err(|_| CollectionError::Malformed)
}

fn hash_of(barcode: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    barcode.hash(&mut hasher);
    hasher.finish()
}

impl Default for Book {
    /// An empty book at version 0.
    fn default() -> Self {
        let bytes = [HEAD.as_slice(), &[0, 0]].concat();
        Self { version: Version(0), bytes, entries: Vec::new(), barcodes: Vec::new() }
    }
}

impl Book {
    /// Reads the bytes of a `Delivery::Catalogue`; they become the book.
    ///
    /// # Errors
    /// [`CollectionError::Malformed`] for anything else, [`CollectionError::TooMany`] beyond the limit.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, CollectionError> {
        let rest = bytes.strip_prefix(&HEAD).ok_or(CollectionError::Malformed)?;
        let (version, rest) = take::<Version>(rest)?;
        let (count, mut rest) = take::<u64>(rest)?;
        if count > limits::PRODUCTS as u64 {
            return Err(CollectionError::TooMany);
        }
        let mut entries = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(rest.len()));
        let mut barcodes = Vec::new();
        let mut last: Option<&str> = None;
        for index in 0..count {
            let at = bytes.len() - rest.len();
            let (key, after) = take::<&str>(rest)?;
            let (product, after) = take::<Borrowed<'_>>(after)?;
            if product.code != key || last.is_some_and(|last| last >= key) {
                return Err(CollectionError::Malformed);
            }
            last = Some(key);
            entries.push(u32::try_from(at).map_err(|_| CollectionError::TooMany)?);
            let index = u32::try_from(index).map_err(|_| CollectionError::TooMany)?;
            barcodes.extend(product.barcodes.iter().map(|code| (hash_of(code), index)));
            rest = after;
        }
        if !rest.is_empty() {
            return Err(CollectionError::Malformed);
        }
        barcodes.sort_unstable();
        barcodes.shrink_to_fit();
        Ok(Self { version, bytes, entries, barcodes })
    }

    /// Its version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// How many products it has.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of the `Delivery::Catalogue` it is: what a snapshot file holds.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The product of a code, or else of a barcode.
    pub fn find(&self, code: &str) -> Option<Product> {
        self.by_code(code).or_else(|| self.by_barcode(code)).map(|product| product.to_product())
    }

    /// Products whose code or description contains every word of `text`, without regard to case; those whose
    /// code begins with it come first.
    pub fn search(&self, text: &str, most: usize) -> Vec<Product> {
        let text = text.trim().to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let (mut first, mut then) = (Vec::new(), Vec::new());
        for index in 0..self.entries.len() {
            let Some(product) = self.product(index) else { continue };
            let (code, description) = (product.code.to_lowercase(), product.description.to_lowercase());
            if !words.iter().all(|word| code.contains(word) || description.contains(word)) {
                continue;
            }
            if code.starts_with(&text) {
                first.push(product.to_product());
            } else if then.len() < most {
                then.push(product.to_product());
            }
            if first.len() >= most {
                break;
            }
        }
        first.extend(then);
        first.truncate(most);
        first
    }

    /// The book after a delta. This one stays as it is, for those who still read it.
    ///
    /// # Errors
    /// As [`protocol::collection::Catalogue::apply`]; a gap asks for a snapshot.
    pub fn apply(&self, delta: &CatalogueDelta) -> Result<Self, CollectionError> {
        if delta.from != self.version {
            return Err(CollectionError::Gap { have: self.version.0, from: delta.from.0 });
        }
        if delta.to <= delta.from {
            return Err(CollectionError::NotForward { from: delta.from.0, to: delta.to.0 });
        }
        let removed: BTreeSet<&str> = delta.removals.iter().map(String::as_str).collect();
        let mut fresh: BTreeMap<&str, &Product> = BTreeMap::new();
        for product in &delta.upserts {
            fresh.insert(&product.code, product);
        }
        let mut body = Vec::with_capacity(self.bytes.len());
        let mut count = 0_u64;
        let mut upserts = fresh.iter().peekable();
        for index in 0..self.entries.len() {
            let (Some(code), Some(entry)) = (self.code(index), self.entry(index)) else { continue };
            while let Some((_, product)) = upserts.next_if(|(fresh, _)| **fresh < code) {
                count += 1;
                body = append(body, product)?;
            }
            if removed.contains(code) || fresh.contains_key(code) {
                continue;
            }
            count += 1;
            body.extend_from_slice(entry);
        }
        for (_, product) in upserts {
            count += 1;
            body = append(body, product)?;
        }
        let head = HEAD.to_vec();
        let head = postcard::to_extend(&delta.to, head).map_err(|_| CollectionError::Malformed)?;
        let mut bytes = postcard::to_extend(&count, head).map_err(|_| CollectionError::Malformed)?;
        bytes.append(&mut body);
        bytes.shrink_to_fit();
        Self::parse(bytes)
    }

    fn by_code(&self, code: &str) -> Option<Borrowed<'_>> {
        let index = self
            .entries
            .binary_search_by(|at| self.code_at(*at).map_or(std::cmp::Ordering::Less, |found| found.cmp(code)))
            .ok()?;
        self.product(index)
    }

    fn by_barcode(&self, barcode: &str) -> Option<Borrowed<'_>> {
        let wanted = hash_of(barcode);
        let from = self.barcodes.partition_point(|(hash, _)| *hash < wanted);
        self.barcodes
            .iter()
            .skip(from)
            .take_while(|(hash, _)| *hash == wanted)
            .filter_map(|(_, index)| self.product(*index as usize))
            .find(|product| product.barcodes.contains(&barcode))
    }

    fn code_at(&self, at: u32) -> Option<&str> {
        take::<&str>(self.bytes.get(at as usize..)?).ok().map(|(code, _)| code)
    }

    fn code(&self, index: usize) -> Option<&str> {
        self.code_at(*self.entries.get(index)?)
    }

    fn entry(&self, index: usize) -> Option<&[u8]> {
        let from = *self.entries.get(index)? as usize;
        let to = self.entries.get(index + 1).map_or(self.bytes.len(), |next| *next as usize);
        self.bytes.get(from..to)
    }

    fn product(&self, index: usize) -> Option<Borrowed<'_>> {
        let (_, rest) = take::<&str>(self.entry(index)?).ok()?;
        take::<Borrowed<'_>>(rest).ok().map(|(product, _)| product)
    }
}

fn append(body: Vec<u8>, product: &Product) -> Result<Vec<u8>, CollectionError> {
    postcard::to_extend(&(&product.code, product), body).map_err(|_| CollectionError::Malformed)
}

#[cfg(test)]
mod tests {
    use protocol::collection::{Catalogue, Delivery};

    use super::*;

    fn product(code: &str, description: &str, price: &str) -> Product {
        Product {
            code: code.into(),
            description: description.into(),
            unit_price: price.parse().unwrap(),
            tax_rate: TaxRate::from_ppm(200_000).unwrap(),
            unit: Unit::Piece,
            barcodes: vec![format!("50{code}")],
        }
    }

    fn catalogue(version: u64, products: &[Product]) -> Catalogue {
        let products = products.iter().map(|p| (p.code.clone(), p.clone())).collect();
        Catalogue { version: Version(version), products }
    }

    #[test]
    fn a_book_finds_by_exact_code_by_barcode_and_by_text() {
        let all = [
            product("85123A", "WHITE HANGING HEART", "2.55"),
            product("85123a", "other", "1"),
            product("71053", "White metal lantern", "3.39"),
        ];
        let book = Book::parse(Delivery::Catalogue(catalogue(7, &all)).to_bytes().unwrap()).unwrap();
        assert_eq!((book.version(), book.len()), (Version(7), 3));
        assert_eq!(book.find("85123A").unwrap(), all[0]);
        assert_eq!(book.find("85123a").unwrap(), all[1]);
        assert_eq!(book.find("5071053").unwrap(), all[2]);
        assert!(book.find("85123").is_none());
        let codes = |text: &str| book.search(text, 10).into_iter().map(|p| p.code).collect::<Vec<_>>();
        assert_eq!(codes("white"), ["71053", "85123A"]);
        assert_eq!(codes("white lantern"), ["71053"]);
        assert_eq!(codes("85123"), ["85123A", "85123a"]);
        assert_eq!(book.search("", 2).len(), 2);
    }

    #[test]
    fn deltas_give_the_very_bytes_that_the_shared_catalogue_gives() {
        let mut model = catalogue(1, &[product("A", "a", "1"), product("C", "c", "3"), product("E", "e", "5")]);
        let mut book = Book::parse(Delivery::Catalogue(model.clone()).to_bytes().unwrap()).unwrap();
        let steps = [
            (vec![product("B", "b", "2"), product("C", "c", "3.3333")], vec!["A".to_owned()]),
            (vec![product("Z", "z", "9")], vec!["nobody".to_owned(), "E".to_owned()]),
            (vec![], vec!["B".to_owned(), "C".to_owned(), "Z".to_owned()]),
            (vec![product("A", "again", "1")], vec!["A".to_owned()]),
        ];
        for (step, (upserts, removals)) in steps.into_iter().enumerate() {
            let from = Version(step as u64 + 1);
            let delta = CatalogueDelta { from, to: Version(from.0 + 1), upserts, removals };
            book = book.apply(&delta).unwrap();
            model.apply(delta).unwrap();
            assert_eq!(book.as_bytes(), Delivery::Catalogue(model.clone()).to_bytes().unwrap());
        }
    }

    #[test]
    fn a_gap_a_step_back_and_garbage_are_refused() {
        let book = Book::default();
        assert_eq!(Book::parse(book.as_bytes().to_vec()).unwrap().version(), Version(0));
        let delta =
            |from, to| CatalogueDelta { from: Version(from), to: Version(to), upserts: vec![], removals: vec![] };
        assert!(matches!(book.apply(&delta(3, 4)), Err(CollectionError::Gap { have: 0, from: 3 })));
        assert!(matches!(book.apply(&delta(0, 0)), Err(CollectionError::NotForward { .. })));
        let good = Delivery::Catalogue(catalogue(1, &[product("A", "a", "1")])).to_bytes().unwrap();
        for cut in 0..good.len() {
            assert!(Book::parse(good[..cut].to_vec()).is_err(), "cut at {cut}");
        }
        assert!(Book::parse([good.as_slice(), &[0]].concat()).is_err());
        assert!(Book::parse(vec![1, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 127]).is_err());
    }

    #[test]
    fn a_hundred_thousand_products_stay_small() {
        let all: Vec<Product> = (0..100_000)
            .map(|n| product(&format!("C{n:06}"), "A DESCRIPTION OF ORDINARY LENGTH 30", "12.34"))
            .collect();
        let book = Book::parse(Delivery::Catalogue(catalogue(1, &all)).to_bytes().unwrap()).unwrap();
        let held = book.bytes.capacity() + book.entries.capacity() * 4 + book.barcodes.capacity() * 16;
        assert!(held < 16 << 20, "{held} bytes");
        assert_eq!(book.find("50C099999").unwrap().code, "C099999");
    }
}
