//! Reading a catalogue file: bytes in, checked products and a report per line out. Pure; what the database makes
//! of the good lines is the service's business.

use std::collections::HashMap;

use protocol::limits;

use super::rules::{self, Fault};
use super::types::{LineReport, Outcome, Wanted};

/// A file as read: good lines with their line numbers, and the report on the bad ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Line number and what it wants, in the order of the file; each code once.
    pub good: Vec<(u64, Wanted)>,
    /// The lines not taken.
    pub bad: Vec<LineReport>,
}

/// Why a file as a whole cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// No header line.
    #[error("the file is empty; its first line must name the columns: code,description,unit_price")]
    Empty,
    /// A header that does not name what is needed.
    #[error("the first line must name the columns code, description and unit_price; {0:?} is missing")]
    MissingColumn(&'static str),
    /// A column of an unknown name.
    #[error("column {0:?} is not known; there are code, description, unit_price, tax_rate_percent, unit and barcodes")]
    UnknownColumn(String),
    /// One column twice.
    #[error("column {0:?} stands there twice; remove one")]
    ColumnTwice(&'static str),
    /// More lines than one import may have.
    #[error("more than {} lines; split the file", limits::IMPORT_LINES)]
    TooManyLines,
    /// Not text.
    #[error("the file is not text in UTF-8; save it as \"CSV UTF-8\"")]
    NotUtf8,
}

#[derive(Clone, Copy)]
struct Columns {
    code: usize,
    description: usize,
    unit_price: usize,
    tax_rate_percent: Option<usize>,
    unit: Option<usize>,
    barcodes: Option<usize>,
}

const COLUMNS: [&str; 6] = ["code", "description", "unit_price", "tax_rate_percent", "unit", "barcodes"];

/// Reads a file. Blank lines are skipped; a byte order mark, quotes and `;` or tab between the columns are taken.
///
/// # Errors
/// [`FileError`] when nothing of the file can be read.
pub fn parse(bytes: &[u8]) -> Result<Parsed, FileError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter(bytes)).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    // Reading from memory never fails once the header is flexible and bytes are not decoded.
    if !reader.read_byte_record(&mut record).unwrap_or(false) {
        return Err(FileError::Empty);
    }
    let columns = read_header(&record)?;
    let width = record.len();
    let mut parsed = Parsed::default();
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut lines = 0_usize;
    let mut place = Place { bytes, at: 0, line: 1 };
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        lines += 1;
        if lines > limits::IMPORT_LINES {
            return Err(FileError::TooManyLines);
        }
        let line = place.line_at(record.position().map_or(0, csv::Position::byte));
        match read_line(&record, width, &columns).and_then(|wanted| first_time(wanted, line, &mut seen)) {
            Ok(wanted) => parsed.good.push((line, wanted)),
            Err((code, fault)) => parsed.bad.push(rejected(line, code, fault)),
        }
    }
    Ok(parsed)
}

/// Where in the file a record stands, as a person counts lines. (The reader's own count is one short after a
/// line that ends in CR LF.)
struct Place<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Place<'_> {
    /// The line on which the record that was read from `start` on begins; starts only rise.
    fn line_at(&mut self, start: u64) -> u64 {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let ends = |byte: u8| byte == b'\n' || byte == b'\r';
        // Ends of earlier lines, skipped blank lines among them, stand before the record's first byte.
        while let Some(byte) = self.bytes.get(self.at).copied().filter(|byte| self.at < start || ends(*byte)) {
            self.at += 1;
            // LF ends a line, and so does a CR that no LF follows.
            if byte == b'\n' || (byte == b'\r' && self.bytes.get(self.at) != Some(&b'\n')) {
                self.line += 1;
            }
        }
        self.line
    }
}

/// The separator that the header uses: a comma unless there is none.
fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    [b',', b';', b'\t'].into_iter().find(|separator| header.contains(separator)).unwrap_or(b',')
}

fn read_header(record: &csv::ByteRecord) -> Result<Columns, FileError> {
    let mut found: [Option<usize>; COLUMNS.len()] = [None; COLUMNS.len()];
    for (position, cell) in record.iter().enumerate() {
        let text = std::str::from_utf8(cell).map_err(|_| FileError::NotUtf8)?;
        let name = text.trim().to_ascii_lowercase();
        let which = COLUMNS.iter().position(|column| *column == name);
        let which = which.ok_or_else(|| FileError::UnknownColumn(text.trim().chars().take(64).collect()))?;
        match found.get_mut(which) {
            Some(slot @ None) => *slot = Some(position),
            Some(Some(_)) | None => return Err(FileError::ColumnTwice(COLUMNS.get(which).copied().unwrap_or(""))),
        }
    }
    let [code, description, unit_price, tax_rate_percent, unit, barcodes] = found;
    Ok(Columns {
        code: code.ok_or(FileError::MissingColumn("code"))?,
        description: description.ok_or(FileError::MissingColumn("description"))?,
        unit_price: unit_price.ok_or(FileError::MissingColumn("unit_price"))?,
        tax_rate_percent,
        unit,
        barcodes,
    })
}

fn read_line(record: &csv::ByteRecord, width: usize, columns: &Columns) -> Result<Wanted, (String, Fault)> {
    let cell = |position: usize| record.get(position).map(std::str::from_utf8);
    let code = match cell(columns.code) {
        Some(Ok(code)) => code.trim().to_owned(),
        Some(Err(_)) | None => String::new(),
    };
    let with_code = |fault: Fault| (code.chars().take(limits::CODE_BYTES).collect::<String>(), fault);
    if record.len() != width {
        let message = format!(
            "the line has {} fields, the header {width}; put text that contains the separator in quotes",
            record.len()
        );
        return Err(with_code(Fault { field: "line", message }));
    }
    let text = |position: usize, field: &'static str| match cell(position) {
        Some(Ok(text)) => Ok(text),
        Some(Err(_)) => {
            Err(with_code(Fault { field, message: "the text is not UTF-8; save the file as \"CSV UTF-8\"".to_owned() }))
        }
        None => Ok(""),
    };
    text(columns.code, "code")?;
    rules::check_code(&code).map_err(with_code)?;
    let description = text(columns.description, "description")?.trim();
    rules::check_description(description).map_err(with_code)?;
    let price = rules::read_price(text(columns.unit_price, "unit_price")?).map_err(with_code)?;
    let optional = |position: Option<usize>, field| position.map_or(Ok(""), |position| text(position, field));
    let rate = rules::read_tax_percent(optional(columns.tax_rate_percent, "tax_rate_percent")?).map_err(with_code)?;
    let unit = rules::read_unit(optional(columns.unit, "unit")?).map_err(with_code)?;
    let barcodes = match columns.barcodes {
        Some(position) => Some(rules::read_barcodes(text(position, "barcodes")?).map_err(with_code)?),
        None => None,
    };
    Ok(Wanted {
        description: (!description.is_empty()).then(|| description.to_owned()),
        unit_price_e4: Some(price.e4()),
        tax_rate_ppm: rate,
        unit,
        barcodes,
        code,
    })
}

/// The first line of a code counts; a later one is reported.
fn first_time(wanted: Wanted, line: u64, seen: &mut HashMap<String, u64>) -> Result<Wanted, (String, Fault)> {
    if let Some(first) = seen.get(&wanted.code) {
        let message = format!("the code stands on line {first} already, which counts; remove one of the two");
        return Err((wanted.code, Fault { field: "code", message }));
    }
    seen.insert(wanted.code.clone(), line);
    Ok(wanted)
}

fn rejected(line: u64, code: String, fault: Fault) -> LineReport {
    LineReport { line, code, outcome: Outcome::Rejected, field: Some(fault.field), message: fault.message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(parsed: &Parsed) -> Vec<(u64, &str)> {
        parsed.good.iter().map(|(line, wanted)| (*line, wanted.code.as_str())).collect()
    }

    #[test]
    fn a_spreadsheets_file_is_taken_as_it_comes() {
        let file = "\u{feff}\"Code\",Unit_Price,description\r\nA1,2.55,\"RED, \"\"BIG\"\" BOX\"\r\n\r\na1,3,\r\n";
        let parsed = parse(file.as_bytes()).unwrap();
        assert_eq!(codes(&parsed), [(2, "A1"), (4, "a1")]);
        assert_eq!(parsed.good[0].1.description.as_deref(), Some("RED, \"BIG\" BOX"));
        assert_eq!(parsed.good[1].1.description, None);
        assert!(parsed.bad.is_empty());
    }

    #[test]
    fn lines_are_counted_as_a_person_counts_them() {
        for end in ["\n", "\r\n", "\r"] {
            let file =
                format!("code,description,unit_price{end}A,\"two{end}lines\",1{end}{end}B,x,1{end}C,x,no{end}D,x,1");
            let parsed = parse(file.as_bytes()).unwrap();
            assert_eq!(codes(&parsed), [(5, "B"), (7, "D")], "{end:?}");
            let bad: Vec<u64> = parsed.bad.iter().map(|line| line.line).collect();
            assert_eq!(bad, [2, 6], "{end:?}");
        }
    }

    #[test]
    fn semicolons_and_all_columns() {
        let file = "code;description;unit_price;tax_rate_percent;unit;barcodes\nA;x;1.5;20;kg;50123|50124\n";
        let parsed = parse(file.as_bytes()).unwrap();
        let wanted = &parsed.good[0].1;
        assert_eq!((wanted.tax_rate_ppm, wanted.unit), (Some(200_000), Some(1)));
        assert_eq!(wanted.barcodes.as_deref().unwrap(), ["50123", "50124"]);
    }

    #[test]
    fn bad_lines_name_line_field_and_remedy() {
        let file = b"code,description,unit_price\nA,ok,1\nB,bad,1.23456\n,none,1\nA,again,2\nC,d\nD,\xff,1\nE,neg,-1\n";
        let parsed = parse(file).unwrap();
        assert_eq!(codes(&parsed), [(2, "A")]);
        let told: Vec<_> = parsed.bad.iter().map(|line| (line.line, line.field.unwrap())).collect();
        assert_eq!(
            told,
            [(3, "unit_price"), (4, "code"), (5, "code"), (6, "line"), (7, "description"), (8, "unit_price")]
        );
        assert!(parsed.bad.iter().all(|line| line.message.contains(';')), "each says what to do");
        assert!(parsed.bad[2].message.contains("line 2"));
    }

    #[test]
    fn a_wrong_header_is_named() {
        assert_eq!(parse(b""), Err(FileError::Empty));
        assert_eq!(parse(b"code,unit_price\n"), Err(FileError::MissingColumn("description")));
        assert!(matches!(parse(b"code,description,unit_price,colour\n"), Err(FileError::UnknownColumn(_))));
        assert!(matches!(parse(b"code,code,description,unit_price\n"), Err(FileError::ColumnTwice("code"))));
        assert_eq!(parse(b"c\xffde\n"), Err(FileError::NotUtf8));
    }

    #[test]
    fn the_number_of_lines_is_bounded() {
        let mut file = String::from("code,description,unit_price\n");
        for number in 0..=limits::IMPORT_LINES {
            file.push_str(&format!("{number},x,1\n"));
        }
        assert_eq!(parse(file.as_bytes()), Err(FileError::TooManyLines));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let mut file = b"code,description,unit_price\n".to_vec();
            file.extend(&bytes);
            let parsed = parse(&file).unwrap();
            let lines = parsed.good.len() + parsed.bad.len();
            proptest::prop_assert!(lines <= bytes.len());
            proptest::prop_assert!(parse(&bytes).map_or(true, |parsed| parsed.good.len() <= bytes.len()));
        }
    }
}
