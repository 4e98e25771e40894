//! The rules of the house over sources: each takes all files and returns what breaks it, as `file:line: why`.
//! Says nothing about the crate graph (see `graph`).

use crate::source::Source;

/// A rule: its name and what it does.
pub type Rule = fn(&[Source]) -> Vec<String>;

/// Longest file, in lines.
const LONGEST: usize = 600;
/// Nine files of ten are shorter.
const USUAL: usize = 350;
/// The composition starts in `main`, it does not happen there.
const EDGE_MAIN: usize = 60;

/// Rooms of the agent that talk to the outside; they meet in `agent.rs` and nowhere else.
const SHELLS: &[&str] = &["terminal", "web", "mqtt", "lane", "uplink", "peripheral", "bridge", "update", "health"];
/// What is never pure.
const IMPURE: &[&str] = &["tokio", "axum", "axum_server", "quinn", "sled", "sqlx", "reqwest", "rumqttc", "rumqttd"];
/// Clocks and doors of the standard library, closed to pure rooms.
const IMPURE_STD: &[&str] = &["fs", "process", "thread", "env"];
/// What opens a connection; an address is only a number.
const IMPURE_NET: &[&str] = &["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs"];
/// Protocol's modules in the order of the house: a module imports only from modules of a lower rank.
const RANKS: &[(&str, u8)] = &[
    ("id", 0),
    ("limits", 0),
    ("money", 1),
    ("quantity", 1),
    ("tax", 2),
    ("price", 2),
    ("promotion", 2),
    ("ticket", 3),
    ("event", 4),
    ("command", 4),
    ("frame", 5),
    ("session", 6),
];

fn says(source: &Source, line: usize, why: &str) -> String {
    format!("{}:{line}: {why}", source.path)
}

/// The part of a path below a crate's `src`, as words: `control-plane/src/domain/sales/store.rs` under
/// `control-plane` is `domain`, `sales`, `store`.
fn rooms<'a>(source: &'a Source, krate: &str) -> Option<Vec<&'a str>> {
    let inside = source.path.strip_prefix(krate)?.strip_prefix("/src/")?.strip_suffix(".rs")?;
    Some(inside.split('/').collect())
}

fn first(path: &[String]) -> &str {
    path.first().map_or("", String::as_str)
}

fn second(path: &[String]) -> &str {
    path.get(1).map_or("", String::as_str)
}

fn impure(path: &[String]) -> bool {
    IMPURE.contains(&first(path))
        || (first(path) == "std" && IMPURE_STD.contains(&second(path)))
        || (first(path) == "std" && path.iter().any(|word| IMPURE_NET.contains(&word.as_str())))
        || (["SystemTime", "Instant"].contains(&second(path))
            && ["time", "SystemTime", "Instant"].contains(&first(path)))
        || (first(path) == "std" && second(path) == "time" && path.iter().any(|p| p == "SystemTime" || p == "Instant"))
        || (["SystemTime", "Instant"].contains(&first(path)) && second(path) == "now")
}

/// Every file says in its first lines what it owns: one to six lines of `//!`.
pub fn opens_with_purpose(sources: &[Source]) -> Vec<String> {
    let opening = |source: &&Source| {
        let lines = source.text.lines().skip_while(|line| line.starts_with("#!")).take_while(|l| l.starts_with("//!"));
        !(1..=6).contains(&lines.filter(|line| line.trim() != "//!").count())
    };
    sources.iter().filter(opening).map(|s| says(s, 1, "opens with one to six lines of //! (what it owns)")).collect()
}

/// No file over 600 lines, nine of ten under 350.
pub fn length_budget(sources: &[Source]) -> Vec<String> {
    let length = |source: &Source| source.text.lines().count();
    let mut out: Vec<String> = sources
        .iter()
        .filter(|source| length(source) > LONGEST)
        .map(|source| says(source, length(source), "is over 600 lines: which second noun lives here?"))
        .collect();
    let mut long: Vec<&Source> = sources.iter().filter(|source| length(source) >= USUAL).collect();
    if long.len() * 10 > sources.len() {
        long.sort_by_key(|source| std::cmp::Reverse(length(source)));
        let names: Vec<String> = long.iter().map(|s| format!("{} ({})", s.path, length(s))).collect();
        out.push(format!("{} of {} files have 350 lines or more: {}", long.len(), sources.len(), names.join(", ")));
    }
    out
}

/// The agent's `main` only starts it.
pub fn short_edge_main(sources: &[Source]) -> Vec<String> {
    let long = |s: &&Source| s.path == "edge-agent/src/main.rs" && s.text.lines().count() >= EDGE_MAIN;
    sources.iter().filter(long).map(|s| says(s, EDGE_MAIN, "main stays under 60 lines; wire in agent.rs")).collect()
}

/// Pure rooms (protocol, firmware-config, the agent's core and receipts) know no runtime, no files, no network, no clock.
/// firmware-config may name paths, never open one.
pub fn pure_rooms(sources: &[Source]) -> Vec<String> {
    let pure = |s: &&Source| {
        !s.is_test()
            && (s.path.starts_with("protocol/src/")
                || s.path.starts_with("firmware-config/src/")
                || s.path.starts_with("edge-agent/src/core")
                || s.path.starts_with("edge-agent/src/receipt"))
    };
    let mut out = Vec::new();
    for source in sources.iter().filter(pure) {
        for (line, path) in source.names.iter().filter(|(_, path)| impure(path)) {
            out.push(says(source, *line, &format!("{} has no place in a pure room", path.join("::"))));
        }
    }
    out
}

/// The agent's `core` imports nothing of the agent but itself; `receipt`, as pure, itself and `core`.
pub fn core_alone(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for source in sources.iter().filter(|s| !s.is_test()) {
        let allowed: &[&str] = match rooms(source, "edge-agent").and_then(|rooms| rooms.first().copied()) {
            Some("core") => &["core"],
            Some("receipt") => &["core", "receipt"],
            Some(_) | None => continue,
        };
        for (line, path) in &source.names {
            if first(path) == "crate" && !allowed.contains(&second(path)) {
                let (what, only) = (path.join("::"), allowed.join(" and "));
                out.push(says(source, *line, &format!("imports {what}, where only {only} may be imported")));
            }
        }
    }
    out
}

/// The agent's shells never import each other.
pub fn shells_apart(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for source in sources.iter().filter(|s| !s.is_test()) {
        let Some(own) = rooms(source, "edge-agent").and_then(|rooms| rooms.first().copied()) else { continue };
        if !SHELLS.contains(&own) {
            continue;
        }
        for (line, path) in &source.names {
            let other = second(path);
            if first(path) == "crate" && other != own && (SHELLS.contains(&other) || other == "agent") {
                out.push(says(source, *line, &format!("{own} imports {other}: agent.rs wires them with channels")));
            }
        }
    }
    out
}

/// Protocol's modules import one way.
pub fn protocol_one_way(sources: &[Source]) -> Vec<String> {
    let rank = |name: &str| RANKS.iter().find(|(known, _)| *known == name).map(|(_, rank)| *rank);
    let mut out = Vec::new();
    for source in sources.iter().filter(|s| !s.is_test()) {
        let Some(own) = rooms(source, "protocol").and_then(|rooms| rooms.first().copied()) else { continue };
        let Some(own_rank) = rank(own) else { continue };
        for (line, path) in source.names.iter().filter(|(_, path)| first(path) == "crate" && second(path) != own) {
            if rank(second(path)).is_some_and(|other| other > own_rank) {
                out.push(says(source, *line, &format!("{own} imports {}, against the order", second(path))));
            }
        }
    }
    out
}

/// HQ's decisions know no database, no HTTP, no runtime.
pub fn decisions_pure(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for source in sources.iter().filter(|s| !s.is_test()) {
        let Some(rooms) = rooms(source, "control-plane") else { continue };
        if rooms.first() != Some(&"domain") || !rooms.iter().skip(2).any(|room| ["rules", "types"].contains(room)) {
            continue;
        }
        for (line, path) in &source.names {
            if ["sqlx", "axum", "tokio"].contains(&first(path)) {
                out.push(says(source, *line, &format!("rules and types know no {}", first(path))));
            }
        }
    }
    out
}

fn may_hold_sql(rooms: &[&str]) -> bool {
    rooms.first() == Some(&"db")
        || rooms.contains(&"store")
        || rooms == ["jobs", "queue"]
        || rooms.first() == Some(&"migrations")
}

fn looks_like_sql(literal: &str) -> bool {
    const VERBS: &[&str] = &[
        "SELECT ",
        "INSERT INTO ",
        "UPDATE ",
        "DELETE FROM ",
        "CREATE ",
        "ALTER ",
        "DROP ",
        "GRANT ",
        "REVOKE ",
        "WITH ",
        "TRUNCATE ",
        "LOCK ",
        "SET ",
        "REFRESH ",
        "COPY ",
        "NOTIFY ",
        "LISTEN ",
    ];
    let text = literal.trim_start();
    VERBS.iter().any(|verb| text.starts_with(verb)) && text.len() > 8
}

/// SQL stands in `db/`, `*/store`, `jobs/queue.rs` and the migrations, nowhere else.
pub fn sql_in_stores(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for source in sources.iter().filter(|s| !s.is_test()) {
        let Some(rooms) = rooms(source, "control-plane") else { continue };
        if may_hold_sql(&rooms) {
            continue;
        }
        for (line, literal) in source.literals.iter().filter(|(_, literal)| looks_like_sql(literal)) {
            let start: String = literal.trim_start().chars().take(30).collect();
            out.push(says(source, *line, &format!("SQL outside a store: {start:?}")));
        }
        for (line, path) in &source.names {
            let asks = path.iter().any(|word| word.starts_with("query") || word == "raw_sql" || word == "QueryBuilder");
            if first(path) == "sqlx" && asks {
                out.push(says(source, *line, &format!("{} outside a store", path.join("::"))));
            }
        }
    }
    out
}

/// A noun is reached through its `service` (and its vocabulary), never through its tables or its shells.
pub fn nouns_by_service(sources: &[Source]) -> Vec<String> {
    const PRIVATE: &[&str] = &["store", "routes", "pages", "ingest", "jobs", "rules", "views"];
    let mut out = Vec::new();
    for source in sources.iter().filter(|s| !s.is_test()) {
        let Some(rooms) = rooms(source, "control-plane") else { continue };
        let own = if rooms.first() == Some(&"domain") { rooms.get(1).copied().unwrap_or("mod") } else { "" };
        if own == "mod" {
            continue;
        }
        for (line, path) in &source.names {
            let words: Vec<&str> = path.iter().map(String::as_str).collect();
            let reached = match words.as_slice() {
                ["crate", "domain", noun, room, ..] | ["super", "super", noun, room, ..] => Some((*noun, *room)),
                _ => None,
            };
            if let Some((noun, room)) = reached.filter(|(noun, room)| *noun != own && PRIVATE.contains(room)) {
                out.push(says(source, *line, &format!("reaches {noun}::{room}; ask {noun}::service")));
            }
        }
    }
    out
}

/// Nothing is unbounded: no channel without a limit.
pub fn bounded(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for source in sources.iter().filter(|s| !s.is_test() && !s.path.starts_with("tests/")) {
        for (line, path) in &source.names {
            let last = path.last().map_or("", String::as_str);
            let std_channel = last == "channel" && first(path) == "std";
            if last.contains("unbounded") || last.contains("Unbounded") || std_channel {
                out.push(says(source, *line, &format!("{} has no limit", path.join("::"))));
            }
        }
    }
    out
}

/// Every limit says why it is what it is.
pub fn limits_have_reasons(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    for source in sources.iter().filter(|s| s.file_name() == "limits.rs") {
        let mut said = false;
        for (index, line) in source.text.lines().enumerate() {
            let line = line.trim();
            if line.starts_with("pub const") && !said {
                out.push(says(source, index + 1, "a limit without a word about it"));
            }
            said = line.starts_with("///") || (said && line.starts_with("#["));
        }
    }
    out
}

/// Everything above, by name.
pub const RULES: &[(&str, Rule)] = &[
    ("opens_with_purpose", opens_with_purpose),
    ("length_budget", length_budget),
    ("short_edge_main", short_edge_main),
    ("pure_rooms", pure_rooms),
    ("core_alone", core_alone),
    ("shells_apart", shells_apart),
    ("protocol_one_way", protocol_one_way),
    ("decisions_pure", decisions_pure),
    ("sql_in_stores", sql_in_stores),
    ("nouns_by_service", nouns_by_service),
    ("bounded", bounded),
    ("limits_have_reasons", limits_have_reasons),
];
