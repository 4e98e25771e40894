//! What comes down from head office: a delta moves the catalogue forward or is refused whole; bytes that are not a
//! delivery are refused.
#![allow(clippy::unwrap_used, reason = "a test that stops at the first surprise")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::collection::{Catalogue, CatalogueDelta, Collection, CollectionError, Delivery, Product, Unit, Version};
use protocol::limits;
use protocol::tax::TaxRate;

fn product(code: &str, price: &str) -> Product {
    Product {
        code: code.into(),
        description: format!("{code} AND MORE"),
        unit_price: price.parse().unwrap(),
        tax_rate: TaxRate::from_ppm(200_000).unwrap(),
        unit: Unit::Piece,
        barcodes: vec![format!("50{code}")],
    }
}

fn delta(from: u64, to: u64, upserts: Vec<Product>, removals: &[&str]) -> CatalogueDelta {
    let removals = removals.iter().map(|code| (*code).to_owned()).collect();
    CatalogueDelta { from: Version(from), to: Version(to), upserts, removals }
}

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    catalogue.apply(delta(0, 1, vec![product("a", "1"), product("A", "2"), product("b", "3")], &[])).unwrap();
    catalogue
}

#[test]
fn deltas_move_forward_step_by_step() {
    let mut stands = catalogue();
    assert_eq!(stands.products.keys().collect::<Vec<_>>(), ["A", "a", "b"], "codes are case-sensitive");
    stands.apply(delta(1, 5, vec![product("a", "1.10"), product("c", "4")], &["b", "never there"])).unwrap();
    assert_eq!(stands.version, Version(5));
    assert_eq!(stands.products.keys().collect::<Vec<_>>(), ["A", "a", "c"]);
    assert_eq!(stands.products.get("a").unwrap().unit_price.to_string(), "1.10");
    stands.apply(delta(5, 6, vec![product("a", "9")], &["a"])).unwrap();
    assert_eq!(stands.products.get("a").unwrap().unit_price.to_string(), "9.00", "removed and given again is given");
}

#[test]
fn a_gap_or_a_step_back_changes_nothing() {
    let before = catalogue();
    for (from, to) in [(0, 2), (2, 3), (0, 1), (u64::MAX, u64::MAX)] {
        let mut stands = before.clone();
        let refused = stands.apply(delta(from, to, vec![product("z", "1")], &["a"]));
        assert_eq!(refused, Err(CollectionError::Gap { have: 1, from }));
        assert_eq!(stands, before);
    }
    for to in [1, 0] {
        let mut stands = before.clone();
        let refused = stands.apply(delta(1, to, vec![product("z", "1")], &["a"]));
        assert_eq!(refused, Err(CollectionError::NotForward { from: 1, to }));
        assert_eq!(stands, before);
    }
}

#[test]
fn a_catalogue_stops_exactly_at_its_limit() {
    let many: BTreeMap<String, Product> =
        (0..limits::PRODUCTS).map(|n| (n.to_string(), product(&n.to_string(), "1"))).collect();
    let mut full = Catalogue { version: Version(1), products: many };
    assert_eq!(full.apply(delta(1, 2, vec![product("new", "1")], &[])), Err(CollectionError::TooMany));
    // Removing what is not there, or what comes back at once, makes no room.
    assert_eq!(full.apply(delta(1, 2, vec![product("new", "1")], &["nowhere"])), Err(CollectionError::TooMany));
    let twice = vec![product("new", "1"), product("7", "1")];
    assert_eq!(full.apply(delta(1, 2, twice, &["7", "7"])), Err(CollectionError::TooMany));
    assert_eq!(full.version, Version(1));
    full.apply(delta(1, 2, vec![product("new", "1"), product("new", "2"), product("8", "5")], &["7"])).unwrap();
    assert_eq!(full.products.len(), limits::PRODUCTS);
    full.products.insert("one more".into(), product("one more", "1"));
    let bytes = Delivery::Catalogue(full).to_bytes().unwrap();
    assert_eq!(Delivery::from_bytes(&bytes), Err(CollectionError::TooMany));
}

#[test]
fn bytes_that_are_no_delivery_are_refused() {
    let whole = Delivery::Catalogue(catalogue());
    let bytes = whole.to_bytes().unwrap();
    assert_eq!(Delivery::from_bytes(&bytes), Ok(whole.clone()));
    assert_eq!((whole.collection(), whole.version()), (Collection::Catalogue, Version(1)));
    for cut in 0..bytes.len() {
        assert_eq!(Delivery::from_bytes(bytes.get(..cut).unwrap()), Err(CollectionError::Malformed), "cut at {cut}");
    }
    let trailing = [bytes.as_slice(), &[0]].concat();
    assert_eq!(Delivery::from_bytes(&trailing), Err(CollectionError::Malformed));
    for format in [0, 2, 255] {
        let mut other = bytes.clone();
        *other.first_mut().unwrap() = format;
        assert_eq!(Delivery::from_bytes(&other), Err(CollectionError::Malformed));
    }
    let mut misfiled = catalogue();
    let moved = misfiled.products.remove("a").unwrap();
    misfiled.products.insert("elsewhere".into(), moved);
    let bytes = Delivery::Catalogue(misfiled).to_bytes().unwrap();
    assert_eq!(Delivery::from_bytes(&bytes), Err(CollectionError::Malformed));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0..4_u8) {
        let _outcome = Delivery::from_bytes(&bytes);
        bytes.splice(0..0, [1, kind]);
        if let Ok(delivery) = Delivery::from_bytes(&bytes) {
            let again = Delivery::from_bytes(&delivery.to_bytes().unwrap());
            prop_assert_eq!(again, Ok(delivery));
        }
    }

    /// However a change is cut into deltas, the node ends where a snapshot would put it.
    #[test]
    fn deltas_lead_where_the_snapshot_stands(
        steps in prop::collection::vec((prop::collection::btree_map("[a-f]", 0..1_000_i64, 0..4), prop::collection::btree_set("[a-f]", 0..3)), 0..20),
    ) {
        let (mut node, mut expected) = (Catalogue::default(), BTreeMap::new());
        for (version, (upserts, removals)) in (0_u64..).zip(steps) {
            for code in &removals {
                expected.remove(code);
            }
            let upserts: Vec<Product> = upserts.iter().map(|(code, price)| product(code, &price.to_string())).collect();
            expected.extend(upserts.iter().map(|product| (product.code.clone(), product.clone())));
            let removals: Vec<&str> = removals.iter().map(String::as_str).collect();
            let step = Delivery::CatalogueDelta(delta(version, version + 1, upserts, &removals));
            let Ok(Delivery::CatalogueDelta(step)) = Delivery::from_bytes(&step.to_bytes().unwrap()) else { panic!() };
            node.apply(step).unwrap();
        }
        prop_assert_eq!(node.products, expected);
    }
}
