//! Tests of reading, validating and writing `node.toml`.

use super::*;

const EXAMPLE: &str = r#"# A node.
[node]
tenant_id = "00000000-0000-0000-0000-000000000001"
shop_id = "00000000-0000-0000-0000-000000000002"
node_id = "00000000-0000-0000-0000-000000000003"
term = 1
name = "Till room"

[hq]
http = "http://127.0.0.1:8000"
quic = "hq.example.org:4433"
tcp = "hq.example.org:443"
server_name = "hq.tillway.internal"

[storage]
data_dir = "data"

[terminal]
https = "0.0.0.0:8443"
http = "127.0.0.1:8080"

[metrics]
listen = "127.0.0.1:9108"

[log]
filter = "info"
"#;

pub(crate) fn example() -> NodeConfig {
    NodeConfig::parse(EXAMPLE).unwrap()
}

#[test]
fn traces_and_the_look_of_the_log_are_told_in_words() {
    let text = format!("{EXAMPLE}format = \"text\"\n\n[trace]\notlp = \"http://127.0.0.1:4318\"\nshare = \"0.05\"\n");
    let config = NodeConfig::parse(&text).unwrap();
    assert_eq!(config.log.format, Some(crate::config::LogFormat::Text));
    let trace = config.trace.clone().unwrap();
    assert_eq!((trace.otlp.as_str(), trace.share), ("http://127.0.0.1:4318", "0.05".parse().unwrap()));
    assert_eq!(NodeConfig::parse(&config.to_toml()).unwrap(), config);
    let whole = NodeConfig::parse(&text.replace("share = \"0.05\"", "")).unwrap();
    assert_eq!(whole.trace.unwrap().share, Share::ALL);
    for (from, to, key) in [
        ("\"text\"", "\"xml\"", "log.format"),
        ("\"0.05\"", "\"5%\"", "trace.share"),
        ("otlp = \"http://", "otlp = \"https://", "trace.otlp"),
        ("otlp = \"http://127.0.0.1:4318\"", "", "trace.otlp"),
    ] {
        let found = problems(&text.replace(from, to));
        assert!(found.iter().any(|(_, named)| named == key), "{to:?}: {found:?}");
    }
}

fn problems(text: &str) -> Vec<(Option<usize>, String)> {
    NodeConfig::parse(text).unwrap_err().problems.into_iter().map(|p| (p.line, p.key)).collect()
}

fn at(line: usize, key: &str) -> (Option<usize>, String) {
    (Some(line), key.to_owned())
}

#[test]
fn it_reads_what_it_writes() {
    let mut config = example();
    assert_eq!(NodeConfig::parse(&config.to_toml()).unwrap(), config);
    config.node.name = "\"quoted\" \\ 'name' \u{1f3ea} #".to_owned();
    config.hq.http = None;
    config.hq.tcp = None;
    config.metrics = None;
    assert_eq!(NodeConfig::parse(&config.to_toml()).unwrap(), config);
}

#[test]
fn what_may_be_left_out_has_a_default() {
    let config = NodeConfig::parse(EXAMPLE.split("[storage]").next().unwrap()).unwrap();
    assert_eq!(config.storage.data_dir.to_str(), Some("data"));
    assert_eq!(config.terminal, Terminal::default());
    assert_eq!((config.metrics, config.log.filter.as_str()), (None, "info"));
}

#[test]
fn all_problems_are_reported_with_their_lines() {
    let text = EXAMPLE
        .replace("00000000-0000-0000-0000-000000000002", "the shop")
        .replace("term = 1", "term = \"1\"")
        .replace("name = \"Till room\"\n", "")
        .replace("quic = \"hq.example.org:4433\"", "quic = \"hq.example.org\"")
        .replace("data_dir", "data_dri")
        .replace("[log]", "[logs]");
    assert_eq!(
        problems(&text),
        [
            at(2, "node.name"),
            at(4, "node.shop_id"),
            at(6, "node.term"),
            at(10, "hq.quic"),
            at(15, "storage.data_dri"),
            at(24, "logs"),
        ]
    );
}

#[test]
fn values_that_cannot_work_are_all_reported() {
    let text = EXAMPLE
        .replace("term = 1", "term = 0")
        .replace("Till room", " ")
        .replace("http://127.0.0.1:8000", "127.0.0.1:8000")
        .replace("hq.tillway.internal", "no name")
        .replace("127.0.0.1:8080", "192.168.1.9:8443")
        .replace("127.0.0.1:9108", "127.0.0.1:8443")
        .replace("\"info\"", "\"\"");
    assert_eq!(
        problems(&text),
        [
            at(6, "node.term"),
            at(7, "node.name"),
            at(10, "hq.http"),
            at(13, "hq.server_name"),
            at(20, "terminal.http"),
            at(20, "terminal.http"),
            at(23, "metrics.listen"),
            at(26, "log.filter"),
        ]
    );
}

#[test]
fn mqtt_is_off_without_its_section_and_its_plain_door_is_for_this_machine() {
    assert_eq!(example().mqtt, None);
    let with = |section: &str| EXAMPLE.replace("[metrics]", &format!("{section}\n[metrics]"));
    let mut usual = NodeConfig::parse(&with("[mqtt]")).unwrap();
    assert_eq!(usual.mqtt, Some(Mqtt::default()));
    assert_eq!(NodeConfig::parse(&usual.to_toml()).unwrap(), usual);
    let found = problems(&with("[mqtt]\ntls = \"0.0.0.0:8443\"\nplain = \"0.0.0.0:1883\""));
    assert_eq!(found, [at(23, "mqtt.tls"), at(24, "mqtt.plain")]);
    usual.mqtt = None;
    let keys: Vec<_> =
        crate::diff::changes(&NodeConfig::parse(&with("[mqtt]")).unwrap(), &usual).into_iter().map(|c| c.key).collect();
    assert_eq!(keys, ["mqtt.tls", "mqtt.plain"]);
}

#[test]
fn several_free_ports_are_no_conflict() {
    let text = EXAMPLE.replace(":8443", ":0").replace(":8080", ":0").replace(":9108", ":0");
    assert!(NodeConfig::parse(&text).is_ok());
}

#[test]
fn what_is_no_toml_is_said_with_its_line() {
    assert_eq!(problems("[node]\nterm = = 1\n")[0].0, Some(2));
    assert_eq!(problems("[node]\nterm = 1\nterm = 2\n")[0].0, Some(3));
    assert!(problems(&"#".repeat(1 << 20))[0].1.is_empty());
}

#[test]
fn an_empty_text_names_the_missing_sections() {
    let error = NodeConfig::parse("").unwrap_err();
    assert_eq!(error.to_string(), "hq: the section [hq] is missing\nnode: the section [node] is missing");
    assert_eq!(problems("node = 3")[1], at(1, "node"));
}

#[test]
fn a_problem_says_what_would_be_right() {
    let error = NodeConfig::parse(&EXAMPLE.replace("hq.example.org:4433", "hq.example.org")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 11: hq.quic: \"hq.example.org\": the port is missing; write host:port, e.g. hq.example.org:4433"
    );
}

const PRINTERS: &str = r#"
[[printer]]
name = "counter"
driver = "escpos-tcp"
address = "192.168.1.50:9100"

[[printer]]
name = "back-room"
driver = "escpos-tcp"
address = "printer.shop.lan:9100"
width = 42
code_page = "wpc1252"
lanes = ["Till 2", "Till 3"]
cut = false
proof = "none"
"#;

#[test]
fn printers_are_read_written_and_found_by_lane() {
    use crate::peripheral::{CodePage, Lanes, PrinterDriver, Proof, printer_of};
    let config = NodeConfig::parse(&format!("{EXAMPLE}{PRINTERS}")).unwrap();
    assert_eq!(NodeConfig::parse(&config.to_toml()).unwrap(), config);
    let [counter, back] = config.printers.as_slice() else { panic!("{config:?}") };
    let PrinterDriver::EscposTcp(of_counter) = &counter.driver;
    assert_eq!((of_counter.width, of_counter.code_page, of_counter.cut), (48, CodePage::Cp858, true));
    assert_eq!((of_counter.proof, &counter.lanes), (Proof::Status, &Lanes::All));
    let PrinterDriver::EscposTcp(of_back) = &back.driver;
    assert_eq!((of_back.proof, of_back.address.port()), (Proof::None, 9100));
    assert_eq!(printer_of(&config.printers, "Till 3"), Some(back));
    assert_eq!(printer_of(&config.printers, "Till 1"), Some(counter));
    assert_eq!(printer_of(&config.printers[1..], "Till 1"), None);
}

#[test]
fn what_is_wrong_with_a_printer_is_said_with_its_line() {
    let text = format!("{EXAMPLE}{PRINTERS}")
        .replace("width = 42", "width = \"42\"")
        .replace("\"cp858\"", "\"cp999\"")
        .replace("cut = false", "cut = 0")
        .replace("[\"Till 2\", \"Till 3\"]", "\"Till 2\"")
        .replace("proof = \"none\"", "prof = \"none\"")
        .replace("name = \"counter\"\ndriver = \"escpos-tcp\"", "name = \"counter\"\ndriver = \"star\"");
    let first = EXAMPLE.lines().count() + 2;
    assert_eq!(
        problems(&text),
        [
            at(first + 2, "printer[0].driver"),
            at(first + 9, "printer[1].width"),
            at(first + 11, "printer[1].lanes"),
            at(first + 12, "printer[1].cut"),
            at(first + 13, "printer[1].prof"),
        ]
    );
    let text = format!("{EXAMPLE}{PRINTERS}")
        .replace("name = \"back-room\"", "name = \"the counter/2\"")
        .replace("printer.shop.lan:9100", "192.168.1.50:9100")
        .replace("width = 42", "width = 80")
        .replace("[\"Till 2\", \"Till 3\"]", "[]");
    assert_eq!(
        problems(&text),
        [
            at(first + 6, "printer[1].name"),
            at(first + 8, "printer[1].address"),
            at(first + 9, "printer[1].width"),
            at(first + 11, "printer[1].lanes"),
        ]
    );
    assert_eq!(problems(&format!("printer = 3\n{EXAMPLE}"))[0], at(1, "printer"));
}
