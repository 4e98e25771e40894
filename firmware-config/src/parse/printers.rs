//! Reads the `[[printer]]` sections. Says what is wrong with each by its number, from 0.

use std::borrow::Cow;
use std::str::FromStr;

use toml::de::DeValue;

use super::{Reader, Section, entries, kind, line_of};
use crate::network::HostPort;
use crate::peripheral::{EscposTcp, Lanes, Printer, PrinterDriver};

/// The printers of a configuration. What cannot be read is reported, and then there is no configuration.
pub(super) fn read(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Vec<Printer> {
    let Some((line, value)) = root.take(reader, "printer") else { return Vec::new() };
    let DeValue::Array(list) = value else {
        reader.report(Some(line), "printer".to_owned(), format!("write [[printer]]; this is {}", kind(&value)));
        return Vec::new();
    };
    let mut printers = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        let (name, line) = (format!("printer[{index}]"), line_of(reader.text, value.span().start));
        let value = value.into_inner();
        if let DeValue::Table(table) = value {
            let mut section = Section { name: Cow::Owned(name), line: Some(line), entries: entries(table) };
            printers.extend(section.printer(reader));
            section.finish(reader);
        } else {
            reader.report(Some(line), name, format!("write [[printer]]; this is {}", kind(&value)));
        }
    }
    printers
}

impl Section<'_> {
    fn printer(&mut self, reader: &mut Reader<'_>) -> Option<Printer> {
        let name = self.need::<String>(reader, "name");
        let driver = self.need::<Driver>(reader, "driver");
        let address = self.need::<HostPort>(reader, "address");
        let width = self.small_number(reader, "width");
        let code_page = self.may(reader, "code_page");
        let lanes = self.words(reader, "lanes");
        let cut = self.flag(reader, "cut");
        let proof = self.may(reader, "proof");
        let driver = match driver? {
            Driver::EscposTcp => PrinterDriver::EscposTcp(EscposTcp {
                address: address?,
                width: width.unwrap_or(48),
                code_page: code_page.unwrap_or_default(),
                cut: cut.unwrap_or(true),
                proof: proof.unwrap_or_default(),
            }),
        };
        Some(Printer { name: name?, driver, lanes: lanes.map_or(Lanes::All, Lanes::from) })
    }

    fn small_number(&mut self, reader: &mut Reader<'_>, key: &str) -> Option<u8> {
        let (line, value) = self.take(reader, key)?;
        let integer = value.as_integer();
        let number = integer.and_then(|integer| u8::from_str_radix(integer.as_str(), integer.radix()).ok());
        if number.is_none() {
            reader.report(Some(line), self.key(key), "a whole number from 0 to 255 is expected".to_owned());
        }
        number
    }

    fn flag(&mut self, reader: &mut Reader<'_>, key: &str) -> Option<bool> {
        let (line, value) = self.take(reader, key)?;
        let flag = value.as_bool();
        if flag.is_none() {
            let message = format!("true or false is expected; this is {}", kind(&value));
            reader.report(Some(line), self.key(key), message);
        }
        flag
    }

    fn words(&mut self, reader: &mut Reader<'_>, key: &str) -> Option<Vec<String>> {
        let (line, value) = self.take(reader, key)?;
        let words: Option<Vec<String>> = match &value {
            DeValue::Array(list) => list.iter().map(|word| word.get_ref().as_str().map(str::to_owned)).collect(),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => None,
        };
        if words.is_none() {
            let message = "a list of texts is expected, such as [\"*\"] or [\"Till 1\"]".to_owned();
            reader.report(Some(line), self.key(key), message);
        }
        words
    }
}

/// The word of a driver.
enum Driver {
    EscposTcp,
}

impl FromStr for Driver {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "escpos-tcp" => Ok(Self::EscposTcp),
            _ => Err("there is no such driver; write \"escpos-tcp\""),
        }
    }
}
