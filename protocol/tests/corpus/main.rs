//! The made corpus: 20,000 tickets counted by this crate and by an independent calculator in Python's decimal type
//! (`calculator.py`), every figure compared. A mismatch prints the ticket and both figures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test that stops at the first surprise and reports its figures"
)]

mod generator;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use generator::{Made, make};
use protocol::money::Amount;
use protocol::tax::{TaxBasis, TaxMode};
use protocol::ticket::{Discount, TenderKind, TicketKind};
use serde_json::{Value, json};

const SEED: u64 = 0x7111_A711_2026;
const TICKETS: usize = 20_000;

type Figures = BTreeMap<String, String>;

/// What the calculator is told: the ticket as a person would write it down, no figure of ours.
fn told(made: &Made) -> Value {
    let money = |amount: Amount| amount.display(made.terms.currency);
    let discount = |discount: Option<Discount>| match discount {
        None => Value::Null,
        Some(Discount::Percent(percent)) => json!({ "percent": percent.to_string() }),
        Some(Discount::Amount(off)) => json!({ "amount": money(off) }),
    };
    let lines: Vec<Value> = made
        .lines
        .iter()
        .zip(&made.gives_back)
        .map(|(line, back)| {
            json!({
                "no": line.line_no,
                "quantity": line.quantity.to_string(),
                "unit_price": line.unit_price.to_string(),
                "tax_percent": line.tax_rate.percent(),
                "discount": discount(line.discount),
                "gives_back": back.map(|(ticket, line)| json!({ "ticket": ticket, "line": line })),
            })
        })
        .collect();
    let kind = |kind| if kind == TenderKind::Cash { "cash" } else { "card" };
    let tenders: Vec<Value> =
        made.tenders.iter().map(|t| json!({ "kind": kind(t.kind), "amount": money(t.amount) })).collect();
    json!({
        "id": made.id,
        "minor_digits": made.terms.currency.exponent(),
        "tax_mode": if made.terms.tax_mode == TaxMode::Inclusive { "inclusive" } else { "exclusive" },
        "tax_basis": if made.terms.tax_basis == TaxBasis::PerLine { "per_line" } else { "per_receipt" },
        "cash_step": made.terms.cash_step,
        "lines": lines,
        "discount": discount(made.discount),
        "tenders": tenders,
    })
}

/// Every figure this crate came to, by name.
fn ours(made: &Made) -> Figures {
    let money = |amount: Amount| amount.display(made.terms.currency);
    let (totals, settled) = (&made.totals, &made.settlement);
    let mut figures = Figures::new();
    let mut put = |name: String, amount| assert!(figures.insert(name, money(amount)).is_none());
    for (name, amount) in [
        ("gross", totals.gross),
        ("discounts", totals.discounts),
        ("net", totals.net),
        ("tax", totals.tax),
        ("total", totals.total),
        ("rounding", settled.rounding),
        ("paid", settled.paid),
        ("change", settled.change),
    ] {
        put(name.to_owned(), amount);
    }
    for line in &totals.lines {
        for (name, amount) in [
            ("gross", line.gross),
            ("discount", line.discount),
            ("share", line.ticket_discount),
            ("net", line.net),
            ("tax", line.tax),
        ] {
            put(format!("line {} {name}", line.line_no), amount);
        }
    }
    for rate in &totals.taxes {
        put(format!("rate {} base", rate.rate.percent()), rate.base);
        put(format!("rate {} tax", rate.rate.percent()), rate.tax);
    }
    figures
}

/// Runs the calculator over the tickets.
fn theirs(made: &[Made], file: &str) -> Vec<Figures> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{file}-{}.jsonl", std::process::id()));
    let mut text = String::new();
    for ticket in made {
        writeln!(text, "{}", told(ticket)).unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/calculator.py");
    let output = Command::new("python3").arg(script).arg(&path).output().unwrap_or_else(|error| {
        panic!("cannot run python3 ({error}): the corpus is checked by a calculator in Python; apt-get install python3")
    });
    assert!(output.status.success(), "the calculator failed: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(&path).unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<Figures> = answers
        .lines()
        .zip(made)
        .map(|(line, ticket)| {
            let mut answer: Value = serde_json::from_str(line).unwrap();
            assert_eq!(answer["id"], ticket.id, "the calculator lost its place");
            serde_json::from_value(answer["figures"].take()).unwrap()
        })
        .collect();
    assert_eq!(figures.len(), made.len(), "the calculator answered for too few tickets");
    figures
}

/// The names of the figures that differ, or that only one side has.
fn differences(ours: &Figures, theirs: &Figures) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    names
        .into_iter()
        .filter(|name| ours.get(*name) != theirs.get(*name))
        .map(|name| format!("{name}: the crate says {:?}, the calculator {:?}", ours.get(name), theirs.get(name)))
        .collect()
}

#[test]
fn twenty_thousand_tickets_agree_with_an_independent_calculator() {
    let start = Instant::now();
    let made = make(SEED, TICKETS);
    let generated = start.elapsed();
    let answers = theirs(&made, "corpus");
    let (mut figures, mut wrong) = (0, 0);
    for (ticket, answer) in made.iter().zip(&answers) {
        let found = ours(ticket);
        figures += found.len();
        let differences = differences(&found, answer);
        if !differences.is_empty() {
            wrong += 1;
            if wrong <= 5 {
                println!("{}\n  {}", told(ticket), differences.join("\n  "));
            }
        }
    }
    println!("{} tickets, {figures} figures, made in {generated:.1?}, all in {:.1?}", made.len(), start.elapsed());
    assert_eq!(wrong, 0, "{wrong} tickets differ; the first of them stand above");
}

#[test]
fn the_corpus_holds_what_it_claims_to() {
    type Claim = (&'static str, fn(&Made) -> bool, usize);
    let made = make(SEED, TICKETS);
    let claims: &[Claim] = &[
        ("inclusive", |m| m.terms.tax_mode == TaxMode::Inclusive, 5_000),
        ("exclusive", |m| m.terms.tax_mode == TaxMode::Exclusive, 5_000),
        ("per receipt", |m| m.terms.tax_basis == TaxBasis::PerReceipt, 5_000),
        ("per line", |m| m.terms.tax_basis == TaxBasis::PerLine, 5_000),
        ("several rates", |m| m.totals.taxes.len() > 1, 5_000),
        ("line discounts", |m| m.lines.iter().any(|l| l.discount.is_some()), 5_000),
        ("ticket discounts", |m| m.discount.is_some(), 2_000),
        ("weights", |m| m.lines.iter().any(|l| l.quantity.milli() % 1_000 != 0), 5_000),
        ("four-decimal prices", |m| m.lines.iter().any(|l| l.unit_price.e4() % 100 != 0), 5_000),
        ("split tenders", |m| m.tenders.len() > 1, 2_000),
        ("change", |m| m.settlement.change != Amount::ZERO, 2_000),
        ("cash rounding", |m| m.settlement.rounding != Amount::ZERO, 1_000),
        ("rounded to nothing", |m| m.tenders.iter().any(|t| t.amount == Amount::ZERO), 10),
        ("nothing to pay", |m| m.totals.total == Amount::ZERO, 50),
        ("blind returns", |m| m.kind == TicketKind::Return && m.gives_back.iter().all(Option::is_none), 2_000),
        ("returns of a receipt", |m| m.gives_back.iter().any(Option::is_some), 2_000),
        ("exchanges", |m| m.kind == TicketKind::Sale && m.gives_back.iter().any(Option::is_some), 500),
        ("in parts", |m| m.lines.iter().any(|l| l.original.is_some_and(|o| o.returned_quantity.milli() > 0)), 1_000),
        ("over 600 lines", |m| m.lines.len() > 600, 5),
    ];
    for (what, holds, least) in claims {
        let count = made.iter().filter(|made| holds(made)).count();
        println!("{what}: {count}");
        assert!(count >= *least, "only {count} tickets with {what}, {least} wanted");
    }
}

#[test]
fn one_altered_figure_is_found() {
    let made = make(SEED, 300);
    let answers = theirs(&made, "altered");
    let ticket = made.iter().position(|made| made.lines.len() > 3 && made.discount.is_some()).unwrap();
    let honest = ours(&made[ticket]);
    assert_eq!(differences(&honest, &answers[ticket]), Vec::<String>::new());
    for name in honest.keys() {
        let mut altered = honest.clone();
        let figure = altered.get_mut(name).unwrap();
        let last = figure.pop().unwrap();
        figure.push(if last == '7' { '8' } else { '7' });
        let found = differences(&altered, &answers[ticket]);
        assert_eq!(found.len(), 1, "an altered {name} was not found");
        assert!(found[0].starts_with(name.as_str()));
        altered.remove(name);
        assert_eq!(differences(&altered, &answers[ticket]).len(), 1, "a missing {name} was not found");
    }
}
