//! Snapshots over restarts, damage and gaps.

use std::path::Path;

use protocol::collection::{Catalogue, CatalogueDelta, Product, ShopSettings, Unit};
use protocol::id::ShopId;
use protocol::money::Currency;
use protocol::tax::{TaxBasis, TaxMode, TaxRate};

use super::*;

fn open(root: &Path) -> Snapshots {
    Snapshots::open(&Layout::initial(root), broadcast::channel(8).0).unwrap()
}

fn product(code: &str, price: &str) -> Product {
    Product {
        code: code.into(),
        description: code.to_lowercase(),
        unit_price: price.parse().unwrap(),
        tax_rate: TaxRate::ZERO,
        unit: Unit::Piece,
        barcodes: Vec::new(),
    }
}

fn whole(version: u64, price: &str) -> Vec<u8> {
    let products = [("A".to_owned(), product("A", price))].into();
    Delivery::Catalogue(Catalogue { version: Version(version), products }).to_bytes().unwrap()
}

fn step(from: u64, to: u64, price: &str) -> Vec<u8> {
    let (from, to) = (Version(from), Version(to));
    let delta = CatalogueDelta { from, to, upserts: vec![product("A", price)], removals: vec![] };
    Delivery::CatalogueDelta(delta).to_bytes().unwrap()
}

fn settings(version: u64, name: &str) -> Vec<u8> {
    let settings = ShopSettings {
        version: Version(version),
        shop: ShopId::from_uuid(uuid::Uuid::from_u128(1)),
        name: name.into(),
        zone: "Europe/London".into(),
        day_starts_minutes: 240,
        currency: Currency::GBP,
        tax_mode: TaxMode::Inclusive,
        tax_basis: TaxBasis::PerReceipt,
        cash_step: 1,
        late_entry: true,
        open_line_tax_rate: TaxRate::ZERO,
    };
    Delivery::Shop(settings).to_bytes().unwrap()
}

fn price(snapshots: &Snapshots) -> String {
    snapshots.book().find("A").map_or("none".into(), |product| product.unit_price.to_string())
}

#[test]
fn what_was_taken_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = open(dir.path());
    assert!(snapshots.shop().is_none());
    snapshots.apply(settings(3, "High Street")).unwrap();
    snapshots.apply(whole(5, "1")).unwrap();
    let applied = snapshots.apply(step(5, 6, "2.5")).unwrap();
    assert_eq!(applied, Applied { collection: Collection::Catalogue, version: Version(6) });
    let again = open(dir.path());
    assert_eq!(price(&again), "2.50");
    assert_eq!(again.shop().unwrap().settings.name, "High Street");
    assert_eq!((again.have(Collection::Catalogue), again.have(Collection::Shop)), (Version(6), Version(3)));
}

#[test]
fn a_gap_asks_for_a_snapshot_and_old_news_is_taken_as_done() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = open(dir.path());
    snapshots.apply(whole(5, "1")).unwrap();
    assert!(matches!(snapshots.apply(step(7, 8, "9")), Err(ApplyError::Gap { have: 5, .. })));
    assert!(matches!(snapshots.apply(b"garbage".to_vec()), Err(ApplyError::Refused(_))));
    snapshots.apply(whole(4, "0.10")).unwrap();
    snapshots.apply(step(4, 5, "0.20")).unwrap();
    assert_eq!(price(&snapshots), "1.00");
}

#[test]
fn a_damaged_newest_generation_falls_back_and_deltas_bring_it_forward() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = open(dir.path());
    snapshots.apply(whole(1, "1")).unwrap();
    for from in 1..=40 {
        snapshots.apply(step(from, from + 1, &format!("{}", from + 1))).unwrap();
    }
    drop(snapshots);
    let folder = Layout::initial(dir.path()).collection(Collection::Catalogue);
    let mut snaps: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    snaps.retain(|path| path.extension().is_some_and(|end| end == "snap"));
    snaps.sort();
    assert_eq!(snaps.len(), 2, "{snaps:?}");
    let mut bytes = std::fs::read(&snaps[1]).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&snaps[1], bytes).unwrap();
    let again = open(dir.path());
    assert_eq!(price(&again), "41.00");
    assert!(folder.join("damaged-snapshot").exists());
}

#[test]
fn a_large_delta_is_not_laid_out_again_at_every_start() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = open(dir.path());
    snapshots.apply(whole(1, "1")).unwrap();
    let upserts: Vec<Product> = (0..20_000).map(|number| product(&format!("B{number:05}"), "2")).collect();
    let delta = CatalogueDelta { from: Version(1), to: Version(2), upserts, removals: vec![] };
    snapshots.apply(Delivery::CatalogueDelta(delta).to_bytes().unwrap()).unwrap();
    drop(snapshots);
    let folder = Layout::initial(dir.path()).collection(Collection::Catalogue);
    assert!(folder.join(Piece::Whole(Version(2)).file_name()).exists());
    let again = open(dir.path());
    assert_eq!((again.have(Collection::Catalogue), again.book().len()), (Version(2), 20_001));
}

#[test]
fn a_half_written_file_is_swept_away() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).apply(whole(1, "1")).unwrap();
    let folder = Layout::initial(dir.path()).collection(Collection::Catalogue);
    std::fs::write(folder.join("00000000000000000002.tmp"), b"half").unwrap();
    std::fs::write(folder.join("00000000000000000003.snap"), b"short").unwrap();
    let again = open(dir.path());
    assert_eq!(price(&again), "1.00");
    assert!(!folder.join("00000000000000000002.tmp").exists());
}
