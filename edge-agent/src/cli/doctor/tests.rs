//! What each figure means: a full disk, a slow one, one that is memory, a port that is taken, a printer without paper.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::finding::Outcome;
use super::{devices, identity, machine, network};

#[test]
fn a_full_disk_fails_and_a_filling_one_warns() {
    let full = machine::room(Some(3 << 20), Some(0));
    assert_eq!((full.outcome, full.says.contains("sales are refused")), (Outcome::Fail, true), "{full:?}");
    assert!(full.cure.unwrap().contains("never anything in data/logs"));
    assert_eq!(machine::room(Some(400 << 20), Some(12)).says, "400 MiB free, 12 days of selling");
    assert_eq!(machine::room(Some(400 << 20), None).outcome, Outcome::Warn);
    assert_eq!(machine::room(Some(40 << 30), Some(4_000)).outcome, Outcome::Ok);
    assert_eq!(machine::room(None, None).outcome, Outcome::Warn);
}

#[test]
fn the_mount_of_a_folder_is_the_longest_one_that_holds_it() {
    let mounts = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 22 8:2 / /var/lib rw,noatime shared:2 - xfs /dev/sda2 rw
31 22 0:40 / /var/lib/till rw - tmpfs tmpfs rw,size=1g
32 22 8:3 / /mnt/my\\040card rw - vfat /dev/sdb1 ro,errors=remount-ro
torn line";
    let kind = |path| machine::mount_of(mounts, path).map(|mount| mount.kind).unwrap();
    assert_eq!(kind("/var/lib/tillway/node/data"), "xfs", "a name that only begins alike is another one");
    assert_eq!((kind("/var/lib/till/x"), kind("/home")), ("tmpfs".into(), "ext4".into()));
    let card = machine::mount_of(mounts, "/mnt/my card/data").unwrap();
    assert!(card.read_only);
    assert_eq!(machine::kind(&card).outcome, Outcome::Fail);
    let memory = machine::mount_of(mounts, "/var/lib/till/x").unwrap();
    assert!(machine::kind(&memory).says.contains("gone with the power"));
    assert!(machine::mount_of("", "/x").is_none());
}

#[test]
fn a_slow_disk_is_told_from_a_dead_one() {
    let dir = Path::new("/n/data");
    let took = |usual, longest| {
        machine::speed(Ok((Duration::from_millis(usual), Duration::from_millis(longest))), dir).outcome
    };
    assert_eq!(
        (took(2, 40), took(80, 90), took(20, 900), took(600, 900)),
        (Outcome::Ok, Outcome::Warn, Outcome::Warn, Outcome::Fail)
    );
    let denied = machine::speed(Err(io::ErrorKind::PermissionDenied.into()), dir);
    assert!(denied.outcome == Outcome::Fail && denied.cure.unwrap().contains("as the user that runs the node"));
    let full = machine::speed(Err(io::ErrorKind::StorageFull.into()), dir);
    assert!(full.outcome == Outcome::Fail && full.cure.unwrap().contains("free space"));
    assert_eq!(machine::memory_means(Some(20 << 10), Some(90 << 10)).outcome, Outcome::Warn);
    assert_eq!(machine::memory_means(Some(900 << 10), Some(90 << 10)).says, "900 MiB available, the node takes 90 MiB");
    assert_eq!(machine::memory_means(None, None).outcome, Outcome::Skip);
}

#[test]
fn a_port_that_is_taken_names_the_way_to_find_who_has_it() {
    let at = "127.0.0.1:8080".parse().unwrap();
    let taken = network::free("terminal.http", at, Err(io::ErrorKind::AddrInUse.into()));
    assert!(taken.outcome == Outcome::Fail && taken.cure.unwrap().contains("sport = :8080"));
    let metrics = network::free("metrics.listen", at, Err(io::ErrorKind::AddrInUse.into()));
    assert_eq!(metrics.outcome, Outcome::Warn, "nobody watching is no reason not to sell");
    assert_eq!(network::free("terminal.http", at, Ok(())).outcome, Outcome::Ok);
    assert_eq!(network::authority("https://hq.example.org/").unwrap().to_string(), "hq.example.org:443");
    assert_eq!(network::authority("http://127.0.0.1:8000").unwrap().to_string(), "127.0.0.1:8000");
}

#[test]
fn a_printer_says_what_it_lacks() {
    for (state, says) in [
        ([0x12, 0x12, 0x12], None),
        ([0x16, 0x12, 0x12], None),
        ([0x1A, 0x12, 0x12], Some("off line")),
        ([0x1A, 0x16, 0x12], Some("cover")),
        ([0x1A, 0x32, 0x72], Some("paper is out")),
        ([0x12, 0x12, 0x1E], Some("near its end")),
        ([0x1A, 0x52, 0x12], Some("error")),
        ([0x48, 0x54, 0x54], Some("no ESC/POS printer")),
    ] {
        let trouble = devices::trouble(state);
        assert_eq!(trouble.is_some(), says.is_some(), "{state:02x?}: {trouble:?}");
        assert!(trouble.unwrap_or_default().contains(says.unwrap_or_default()), "{state:02x?}: {trouble:?}");
    }
}

#[test]
fn a_key_that_others_may_read_is_named_with_its_cure() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("device.key");
    std::fs::write(&key, "x").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let found = identity::rights(&key, 0o600).unwrap();
    assert_eq!(found.outcome, Outcome::Fail);
    assert_eq!(found.cure.unwrap(), format!("chmod 600 {}", key.display()));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(identity::rights(&key, 0o600), None);
}

#[test]
fn a_broker_that_is_down_and_a_door_that_is_shut_are_named_with_their_cure() {
    use crate::core::health::Mqtt;
    assert_eq!(devices::stands_badly(&Mqtt::default()), []);
    let shut = vec!["mqtt.plain 127.0.0.1:1883 (Address already in use)".to_owned()];
    let found = devices::stands_badly(&Mqtt { down: true, shut });
    assert!(found.iter().all(|finding| finding.outcome == Outcome::Warn && finding.cure.is_some()), "{found:?}");
    assert!(found[0].says.contains("broker is down") && found[1].says.contains("127.0.0.1:1883"), "{found:?}");
}
