//! The box itself: its clock, its disk, its memory. Judgements are functions of figures, so that a full disk needs no
//! full disk to be tried.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::Patient;
use super::finding::Finding;
use crate::core::health::{LOW_DISK_BYTES, NO_DISK_BYTES};
use crate::core::status::bytes;
use crate::health::sources;

/// Clocks that differ by less do no harm: certificates and reports do not go by seconds.
const SKEW_MILLIS: u64 = 60_000;
/// Syncs that are timed.
const SYNCS: usize = 9;
/// A sync that takes longer is felt at the till.
const SLOW: Duration = Duration::from_millis(50);
/// A sync that takes longer than this makes people wait.
const TOO_SLOW: Duration = Duration::from_millis(500);
/// Free memory below which the node may be ended by the system, in KiB.
const LOW_MEMORY_KIB: u64 = 64 << 10;

/// The time of day, against what is known of it.
pub(super) async fn clock(patient: &Patient) -> Vec<Finding> {
    let cure = "set the clock: timedatectl set-ntp true, and let UDP port 123 out (or a time server in the shop)";
    let last_sale = patient.status.as_ref().and_then(|status| status.ledger.last_at);
    let certificates = sources::certificates(&patient.layout);
    let floor = certificates.iter().map(|certificate| certificate.from).chain(last_sale).max();
    if let Some(floor) = floor.filter(|floor| patient.now.plus_millis(SKEW_MILLIS as i64) < *floor) {
        let says = format!("it says {}, but something here was made at {floor}", patient.now);
        return vec![Finding::fail("clock", says, cure)];
    }
    if let Some(skew) = patient.status.as_ref().and_then(|status| status.uplink.clock_skew_millis)
        && skew.unsigned_abs() > SKEW_MILLIS
    {
        let way = if skew > 0 { "ahead of" } else { "behind" };
        let says = format!("it is {} s {way} head office's", skew.unsigned_abs() / 1_000);
        return vec![Finding::warn("clock", says, cure)];
    }
    vec![match synchronised().await {
        Some(true) => Finding::ok("clock", format!("{}, kept right by NTP", patient.now)),
        Some(false) => Finding::warn("clock", format!("{}, but no time server keeps it right", patient.now), cure),
        None => Finding::ok("clock", format!("{}; whether a time server keeps it right cannot be told", patient.now)),
    }]
}

async fn synchronised() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    let mut ask = tokio::process::Command::new("timedatectl");
    let answer = ask.args(["show", "--property=NTPSynchronized", "--value"]).kill_on_drop(true).output();
    let answer = tokio::time::timeout(Duration::from_secs(3), answer).await.ok()?.ok()?;
    match answer.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// Room, speed and kind of the disk that holds the records.
pub(super) fn disk(patient: &Patient) -> Vec<Finding> {
    let data = patient.layout.data();
    let there = if data.is_dir() { data } else { patient.layout.root() };
    let mut findings = vec![room(sources::free_bytes(there), free_days(patient))];
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let real = fs::canonicalize(there).unwrap_or_else(|_| there.to_owned());
    if let Some(mount) = mount_of(&mounts, &real.to_string_lossy()) {
        findings.push(kind(&mount));
    }
    findings.push(speed(probe(there), there));
    findings
}

fn free_days(patient: &Patient) -> Option<u32> {
    patient.status.as_ref().and_then(|status| status.ledger.free_days)
}

/// What free space means.
pub(super) fn room(free: Option<u64>, days: Option<u32>) -> Finding {
    let cure = "remove what is not Tillway's; never anything in data/logs";
    let Some(free) = free else {
        return Finding::warn("disk", "how much of it is free cannot be told", "look at the disk: dmesg, df");
    };
    let enough = days.map_or_else(String::new, |days| format!(", {} of selling", day_words(days)));
    let says = format!("{} free{enough}", bytes(free));
    match free {
        ..NO_DISK_BYTES => Finding::fail("disk", format!("full: {says}; sales are refused"), cure),
        NO_DISK_BYTES..LOW_DISK_BYTES => Finding::warn("disk", says, cure),
        LOW_DISK_BYTES.. => Finding::ok("disk", says),
    }
}

fn day_words(days: u32) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "a day".to_owned(),
        2..=365 => format!("{days} days"),
        _ => "more than a year".to_owned(),
    }
}

/// Where a path is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub point: String,
    pub kind: String,
    pub read_only: bool,
}

/// Finds the mount of a path in the text of `/proc/self/mountinfo`.
pub(super) fn mount_of(text: &str, path: &str) -> Option<Mount> {
    let parse = |line: &str| {
        let (head, tail) = line.split_once(" - ")?;
        let mut fields = head.split(' ').skip(4);
        let (point, options) = (fields.next()?.replace("\\040", " "), fields.next()?);
        let mut tail = tail.split(' ');
        let (kind, of_disk) = (tail.next()?.to_owned(), tail.nth(1).unwrap_or_default());
        let read_only = [options, of_disk].iter().any(|options| options.split(',').any(|option| option == "ro"));
        Some(Mount { point, kind, read_only })
    };
    let holds = |mount: &Mount| {
        path.strip_prefix(mount.point.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // The longest one holds it; of two at one place the later one.
    text.lines().filter_map(parse).filter(holds).max_by_key(|mount| mount.point.len())
}

/// What the kind of file system means for records that must outlive a power cut.
pub(super) fn kind(mount: &Mount) -> Finding {
    let Mount { point, kind, read_only } = mount;
    if *read_only {
        let cure = "after errors of the medium the system does this: look at dmesg; replace the disk";
        return Finding::fail("disk", format!("{point} ({kind}) is read-only"), cure);
    }
    match kind.as_str() {
        "tmpfs" | "ramfs" => Finding::fail(
            "disk",
            format!("{point} is memory ({kind}): every sale is gone with the power"),
            "put storage.data_dir of node.toml on a disk",
        ),
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "fuse.sshfs" => Finding::warn(
            "disk",
            format!("{point} is on the network ({kind}): the shop stops with that network"),
            "put storage.data_dir of node.toml on a disk of this box",
        ),
        "vfat" | "exfat" | "ntfs" | "ntfs3" => Finding::warn(
            "disk",
            format!("{point} is {kind}: it has no journal and no rights"),
            "use ext4 or xfs for storage.data_dir of node.toml",
        ),
        _ => Finding::ok("disk", format!("{point} is {kind}")),
    }
}

/// Writes and syncs a small file a few times: what a sale costs here. The middle and the longest.
fn probe(dir: &Path) -> io::Result<(Duration, Duration)> {
    let path = dir.join(".doctor-probe");
    let measured = (|| {
        let mut file = fs::File::create(&path)?;
        let mut took = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            file.write_all(&[0x5A; 4096])?;
            let began = Instant::now();
            file.sync_data()?;
            took.push(began.elapsed());
        }
        took.sort_unstable();
        Ok((took.get(SYNCS / 2).copied().unwrap_or_default(), took.last().copied().unwrap_or_default()))
    })();
    drop(fs::remove_file(&path));
    measured
}

/// What the time of a sync means.
pub(super) fn speed(measured: io::Result<(Duration, Duration)>, dir: &Path) -> Finding {
    let (usual, longest) = match measured {
        Ok(measured) => measured,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let says = format!("this user may not write in {}", dir.display());
            let cure = "run doctor as the user that runs the node; if you did, chown the folder to that user";
            return Finding::fail("disk", says, cure);
        }
        Err(error) => {
            let says = format!("nothing can be written in {}: {error}", dir.display());
            return Finding::fail("disk", says, "free space; if there is some, look at dmesg and replace the disk");
        }
    };
    let says = format!("a sync takes {} ms, at worst {} ms", millis(usual), millis(longest));
    if usual > TOO_SLOW {
        Finding::fail("disk", format!("{says}: tills wait"), "replace it: a card that slows down is at its end")
    } else if usual > SLOW || longest > TOO_SLOW {
        Finding::warn("disk", says, "see what else writes (iotop); a card that slows down is near its end")
    } else {
        Finding::ok("disk", says)
    }
}

fn millis(took: Duration) -> String {
    let micros = took.as_micros();
    format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
}

/// Memory of the box and of the node.
pub(super) fn memory(patient: &Patient) -> Vec<Finding> {
    let node = patient.status.as_ref().and_then(|status| status.node.memory_kib);
    vec![memory_means(sources::memory_kib("/proc/meminfo", "MemAvailable:"), node)]
}

/// What free memory means.
pub(super) fn memory_means(available_kib: Option<u64>, node_kib: Option<u64>) -> Finding {
    let Some(available) = available_kib else {
        return Finding::skip("memory", "the system does not say how much is free");
    };
    let node = node_kib.map_or_else(String::new, |kib| format!(", the node takes {}", bytes(kib << 10)));
    let says = format!("{} available{node}", bytes(available << 10));
    if available < LOW_MEMORY_KIB {
        Finding::warn("memory", says, "end what is not needed on this box; see what takes most: top -o %MEM")
    } else {
        Finding::ok("memory", says)
    }
}
