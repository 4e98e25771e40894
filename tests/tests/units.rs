//! The systemd units are read by systemd itself, where it is installed: no unknown word, every user known to
//! sysusers, and hardened at least as far as today. Where it is not installed this says so and checks the rest.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a helper that finds nothing ends the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Unit, and how exposed it may be by `systemd-analyze security` (0 best, 100 worst). Raise it with a reason only.
const UNITS: &[(&str, u32)] = &[("tillway-node.service", 15), ("tillway-hq.service", 18)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("systemd")
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// Runs a tool of systemd; `None` when it is not on this machine.
fn tool(name: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(name).args(arguments).env("LC_ALL", "C").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("{name} is not installed: unchecked");
            None
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn systemd_understands_every_line() {
    let scratch = tempfile::tempdir().unwrap();
    for (unit, _) in UNITS {
        // The programs need not be installed here: only the way to them is put aside.
        let known: String = text(unit)
            .lines()
            .map(|line| match line.strip_prefix("ExecStart=") {
                Some(command) => format!("ExecStart=/bin/true {}\n", command.split_once(' ').unwrap().1),
                None => format!("{line}\n"),
            })
            .collect();
        let path = scratch.path().join(unit);
        fs::write(&path, known).unwrap();
        let Some(output) = tool("systemd-analyze", &["verify", "--man=no", path.to_str().unwrap()]) else { return };
        let complaints: String =
            said(&output).lines().filter(|line| line.contains(unit)).map(|line| format!("{line}\n")).collect();
        assert!(complaints.is_empty(), "{complaints}");
    }
}

#[test]
fn the_units_stay_as_hardened_as_they_are() {
    for (unit, exposed) in UNITS {
        let path = folder().join(unit);
        let threshold = format!("--threshold={exposed}");
        let arguments = ["security", "--offline=true", "--no-pager", &threshold, path.to_str().unwrap()];
        let Some(output) = tool("systemd-analyze", &arguments) else { return };
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn every_user_of_a_unit_is_made() {
    let users = text("tillway.sysusers.conf");
    for (unit, _) in UNITS {
        let unit_text = text(unit);
        let user =
            unit_text.lines().find_map(|line| line.strip_prefix("User=")).expect("a unit without a user is root");
        let made = users.lines().any(|line| line.split_whitespace().take(2).eq(["u", user]));
        assert!(made, "{unit} runs as {user}, whom nobody makes");
    }
    let path = folder().join("tillway.sysusers.conf");
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let arguments = ["--root", root.path().to_str().unwrap(), path.to_str().unwrap()];
    if let Some(output) = tool("systemd-sysusers", &arguments) {
        assert!(output.status.success(), "{}", said(&output));
        let passwd = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
        assert!(passwd.contains("tillway:") && passwd.contains("tillway-hq:"), "{passwd}");
    }
}

#[test]
fn what_the_service_manager_waits_for_is_said_by_the_programs() {
    for (unit, source) in
        [("tillway-node.service", "edge-agent/src/cli/run.rs"), ("tillway-hq.service", "control-plane/src/cli/run.rs")]
    {
        let unit_text = text(unit);
        let says = |key: &str| unit_text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
        assert_eq!(says("Type="), "notify", "{unit}");
        // A start that waits for head office, or for a large database, must not be ended half way.
        assert!(["infinity", "30min"].contains(&says("TimeoutStartSec=").as_str()), "{unit}");
        let watchdog: u32 = says("WatchdogSec=").parse().unwrap();
        assert!((30..=120).contains(&watchdog), "{unit}: shorter than a stalled card, or longer than a queue waits");
        assert_eq!((says("Restart=").as_str(), says("StartLimitIntervalSec=").as_str()), ("always", "0"), "{unit}");
        let program = fs::read_to_string(folder().parent().unwrap().join(source)).unwrap();
        assert!(program.contains("Notifier::from_environment()"), "{source} says nothing to the service manager");
    }
}

#[test]
fn a_node_may_open_its_doors_and_call_its_printers() {
    let unit = text("tillway-node.service");
    assert!(unit.contains("RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"), "HTTPS, MQTT, printers, control socket");
    for never in ["IPAddressDeny", "PrivateNetwork=yes", "SocketBindDeny", "ProtectProc=ptraceable", "ProcSubset=pid"] {
        assert!(!unit.contains(never), "{never} would shut tills, printers or head office out, or hide the memory");
    }
    // No capability is needed for them: every door that a new node has is above 1023.
    let defaults = firmware_config::Terminal::default();
    assert!(defaults.http.port() > 1023 && defaults.https.port() > 1023);
    assert!(unit.contains("\nCapabilityBoundingSet=\n") && unit.contains("\nAmbientCapabilities=\n"));
}

#[test]
fn systemd_makes_the_folders_as_the_file_says() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    fs::write(root.path().join("etc/group"), "root:x:0:\n").unwrap();
    let path = folder().join("tillway.tmpfiles.conf");
    let arguments = ["--create", "--root", root.path().to_str().unwrap(), path.to_str().unwrap()];
    let Some(output) = tool("systemd-tmpfiles", &arguments) else { return };
    let told = said(&output);
    // Only root may give a folder to root; elsewhere that systemd could read every line is what can be shown.
    assert!(output.status.success() || told.contains("Operation not permitted"), "{told}");
    assert!(!told.contains("Unknown") && !told.contains("Failed to parse"), "{told}");
    assert!(root.path().join("etc/tillway").is_dir(), "{told}");
}

#[test]
fn the_commands_of_the_units_are_commands_of_the_programs() {
    for (unit, program, options) in [
        ("tillway-node.service", "/usr/bin/edge-agent run", &["--config"][..]),
        ("tillway-hq.service", "/usr/bin/control-plane serve", &["--state", "--http", "--quic", "--tcp"][..]),
    ] {
        let unit_text = text(unit);
        let command = unit_text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        assert!(command.starts_with(program), "{command}");
        for option in command.split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(options.contains(&option), "{command}");
        }
    }
}
