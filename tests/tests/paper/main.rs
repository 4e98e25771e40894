//! Receipts on paper, judged by others: a decoder of ESC/POS and a reader of QR codes that nobody here wrote, and the
//! code pages of Python. And the simulated printer, as a driver meets it on its socket.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a helper that finds nothing ends the test")]

mod foreign;
mod printer;
mod sample;

use edge_agent::receipt::escpos::{EscposProfile, encode};
use edge_agent::receipt::{Paper, Receipt, Row, lay_out};
use firmware_config::peripheral::CodePage;
use tillway_tests::printer::{PrinterSim, SimOptions, pages};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use foreign::{characters_of_python, codes_in, decode};

const PAGES: [CodePage; 3] = [CodePage::Cp437, CodePage::Cp858, CodePage::Wpc1252];

/// The lines of a receipt as they should be read.
fn lines(receipt: &Receipt) -> Vec<String> {
    let texts = receipt.rows.iter().filter_map(|row| match row {
        Row::Text(text) => Some(text.text.trim_end().to_owned()),
        Row::Qr(_) | Row::Feed(_) => None,
    });
    texts.collect()
}

#[test]
fn a_foreign_decoder_reads_what_was_laid_out() {
    for (columns, code_page) in
        [48, 42, 32].into_iter().flat_map(|c| [CodePage::Cp858, CodePage::Cp437].map(|p| (c, p)))
    {
        let content = sample::content(true);
        let receipt = lay_out(&content, &Paper { columns, code_page });
        let decoded = decode(&encode(&receipt, &EscposProfile::default()));
        assert_eq!(decoded.lines, lines(&receipt), "{columns} columns, {code_page}");
        assert!(decoded.lines.iter().any(|line| line.starts_with("Crème brûlée")), "{:?}", decoded.lines);
        assert_eq!(decoded.codes, [content.position.to_string()]);
        assert_eq!((decoded.cuts, decoded.pulses), (1, 0));
        // The choice of the American set is the one command it does not know.
        assert_eq!(decoded.unknown, ["1b5200"]);
        assert!(decoded.widest <= usize::from(columns), "a line of {} columns", decoded.widest);
    }
}

#[test]
fn a_foreign_decoder_finds_no_command_in_a_hostile_name() {
    let mut content = sample::content(false);
    let hostile = "Jam\u{1b}@\u{1d}V\0\u{1b}p\0\u{19}\u{fa}\u{10}\u{14}\u{1}\0\u{8}\r\n\u{9b}end";
    hostile.clone_into(&mut content.shop);
    hostile.clone_into(&mut content.lane);
    content.reference = Some(hostile.to_owned());
    for line in &mut content.lines {
        hostile.clone_into(&mut line.description);
    }
    for tender in &mut content.tenders {
        tender.reference = Some(hostile.to_owned());
    }
    let receipt = lay_out(&content, &Paper { columns: 48, code_page: CodePage::Cp858 });
    let decoded = decode(&encode(&receipt, &EscposProfile::default()));
    assert_eq!((decoded.cuts, decoded.pulses), (1, 0));
    assert_eq!(decoded.unknown, ["1b5200"]);
    assert_eq!(decoded.lines, lines(&receipt));
    assert!(receipt.unprintable > 0);
}

#[tokio::test]
async fn a_foreign_reader_finds_the_place_in_the_ledger_on_the_picture() {
    for columns in [48_u8, 42, 32] {
        let folder = tempfile::tempdir().unwrap();
        let out = Some(folder.path().to_owned());
        let options = SimOptions { columns: columns.into(), out, ..SimOptions::default() };
        let printer = PrinterSim::start(options).await.unwrap();
        let content = sample::content(false);
        let receipt = lay_out(&content, &Paper { columns, code_page: CodePage::Cp858 });
        let mut client = TcpStream::connect(printer.address).await.unwrap();
        client.write_all(&encode(&receipt, &EscposProfile::default())).await.unwrap();
        let printed = printer.wait_for(1, printer::PATIENCE).await.unwrap();
        let printed = printed.last().unwrap();
        assert!(printed.unknown.is_empty(), "{:x?}", printed.unknown);
        assert!(printed.lines().all(|line| !line.overflowed), "{}", printed.text());
        assert_eq!(printed.lines().map(|line| line.text.clone()).collect::<Vec<String>>(), lines(&receipt));
        let text = std::fs::read_to_string(folder.path().join("0001.txt")).unwrap();
        assert_eq!(text.trim_end(), printed.text());
        let codes = codes_in(&folder.path().join("0001.png"));
        assert_eq!(codes.len(), 1, "{columns} columns: {codes:?}");
        assert_eq!(codes[0].parse(), Ok(content.position));
    }
}

#[test]
fn the_code_pages_of_agent_and_printer_are_those_of_python() {
    let python = characters_of_python();
    assert_eq!(python.len(), PAGES.len());
    for (page, (name, characters)) in PAGES.into_iter().zip(python) {
        let number = match page {
            CodePage::Cp437 => 0,
            CodePage::Cp858 => 19,
            CodePage::Wpc1252 => 16,
        };
        for (byte, expected) in (0x80..=0xff).zip(characters) {
            let shown = pages::character(number, byte);
            assert_eq!(shown, expected.unwrap_or(char::REPLACEMENT_CHARACTER), "{name} {byte:#x} on the printer");
            // A space and a hyphen for breaking lines are used up by layout.
            let Some(expected) = expected.filter(|c| !matches!(c, '\u{a0}' | '\u{ad}')) else { continue };
            let mut content = sample::content(false);
            content.shop = format!("<{expected}>");
            let bytes = encode(&lay_out(&content, &Paper { columns: 48, code_page: page }), &EscposProfile::default());
            assert!(bytes.windows(3).any(|w| w == [b'<', byte, b'>']), "{name} {byte:#x} {expected} from the agent");
        }
    }
}

/// The picture in the documentation is what this build prints. `PAPER_PICTURE=1` writes it anew; look at it then.
#[test]
fn the_picture_in_the_documentation_is_what_is_printed() {
    let receipt = lay_out(&sample::content(false), &Paper { columns: 48, code_page: CodePage::Cp858 });
    let printed = printer::print(&encode(&receipt, &EscposProfile::default()));
    let path = foreign::root().join("docs/receipt.png");
    if std::env::var_os("PAPER_PICTURE").is_some() {
        std::fs::write(&path, printed.picture.png().unwrap()).unwrap();
    }
    let shown = std::fs::read(&path).unwrap();
    assert!(
        printer::pixels(&shown) == printer::pixels(&printed.picture.png().unwrap()),
        "docs/receipt.png is out of date: run this test with PAPER_PICTURE=1 and look at what it drew"
    );
}
