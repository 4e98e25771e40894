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
