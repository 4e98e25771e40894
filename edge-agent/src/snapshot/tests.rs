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

fn people(version: u64, pin: &str) -> Vec<u8> {
    use protocol::staff::{DiscountLimit, PinVerifier, Right, StaffMember, StaffPolicy};
    let nora = StaffMember {
        id: nora(),
        name: "NORA EXAMPLE".into(),
        short_name: "Nora".into(),
        rights: Right::ALL.into_iter().collect(),
        discount: DiscountLimit::default(),
        pin: PinVerifier::of(pin, [7; 16]),
    };
    let policy = StaffPolicy { no_sale: true, ..StaffPolicy::default() };
    Delivery::Staff(Staff { version: Version(version), people: vec![nora], policy }).to_bytes().unwrap()
}

fn nora() -> StaffId {
    StaffId::from_uuid(uuid::Uuid::from_u128(7))
}

#[test]
fn people_come_and_go_and_are_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = open(dir.path());
    assert!(snapshots.staff().is_none() && !snapshots.pin_fits(nora(), "4711"));
    snapshots.apply(people(3, "4711")).unwrap();
    let again = open(dir.path());
    assert_eq!(again.have(Collection::Staff), Version(3));
    assert!(again.pin_fits(nora(), "4711") && !again.pin_fits(nora(), "4712"));
    again.apply(people(2, "9090")).unwrap();
    assert!(again.pin_fits(nora(), "4711"), "what is older changes nothing");
    again.apply(Delivery::Staff(Staff { version: Version(4), ..Staff::default() }).to_bytes().unwrap()).unwrap();
    assert!(!again.pin_fits(nora(), "4711"), "gone with the next version");
    let folder = Layout::initial(dir.path()).collection(Collection::Staff);
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2, "two generations");
}

#[test]
fn a_copied_snapshot_of_people_says_nothing_on_another_node() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open(one.path()).apply(people(3, "4711")).unwrap();
    let file = |root: &Path| Layout::initial(root).snapshot(Collection::Staff, Version(3));
    let bytes = std::fs::read(file(one.path())).unwrap();
    let clear = protocol::staff::PinVerifier::of("4711", [7; 16]).unwrap().hash;
    assert!(!bytes.windows(32).any(|window| window == clear), "what head office sent is on no disk");
    drop(open(other.path()));
    std::fs::copy(file(one.path()), file(other.path())).unwrap();
    let thief = open(other.path());
    assert_eq!(thief.have(Collection::Staff), Version(0), "head office is asked for them");
    assert!(!thief.pin_fits(nora(), "4711"));
    // Not even with the check rewritten: the verifiers are of the other key.
    let own = tempfile::tempdir().unwrap();
    open(own.path()).apply(people(3, "9090")).unwrap();
    let mut forged = std::fs::read(file(own.path())).unwrap()[..16].to_vec();
    forged.extend(&bytes[16..bytes.len() - 32]);
    let sealed = [forged.clone(), blake3::hash(&forged).as_bytes().to_vec()].concat();
    std::fs::write(file(own.path()), sealed).unwrap();
    let forger = open(own.path());
    assert_eq!(forger.have(Collection::Staff), Version(3), "it reads");
    assert!(!forger.pin_fits(nora(), "4711"), "and fits nothing");
    let key = std::fs::metadata(Layout::initial(one.path()).pin_key()).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
}
