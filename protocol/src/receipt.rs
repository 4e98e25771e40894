//! What a receipt says about its record: which node wrote it, under which term, at which place, and a fingerprint
//! of what it says. As text it fits a QR code in its alphanumeric mode and can be typed; a till, a head office and
//! a customer's telephone read the same. Knows nothing of paper.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::event::RawEvent;
use crate::id::{NodeId, Seq, Term};
use crate::limits;

const PREFIX: &str = "TWR1";
/// Crockford's alphabet: no I, L, O, U. All of it stands in the alphanumeric set of a QR code.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 26 symbols of five bits hold the 128 of a node's id.
const NODE_SYMBOLS: u32 = 26;
/// Seven symbols hold a CRC-32C: one wrong character, or two that changed places, are always noticed.
const CHECK_SYMBOLS: u32 = 7;

/// The first eight bytes of a BLAKE3 over a record's name and its body: paper and record belong together when
/// theirs are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// The fingerprint of a record. Frozen: paper keeps it for longer than any program.
    pub fn of(node: NodeId, term: Term, seq: Seq, event: &RawEvent) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("tillway 2026 receipt fingerprint v1");
        hasher.update(node.as_uuid().as_bytes());
        hasher.update(&term.0.to_le_bytes());
        hasher.update(&seq.0.to_le_bytes());
        hasher.update(&event.kind.to_le_bytes());
        hasher.update(&[event.version]);
        hasher.update(&event.body);
        let mut short = [0; 8];
        for (to, from) in short.iter_mut().zip(hasher.finalize().as_bytes()) {
            *to = *from;
        }
        Self(short)
    }

    /// Takes bytes that are already known to be one.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }
}

/// Sixteen lower-case hexadecimal digits, as in the JSON of a receipt.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl FromStr for Fingerprint {
    type Err = ReceiptRefError;

    fn from_str(text: &str) -> Result<Self, ReceiptRefError> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ReceiptRefError::Fingerprint);
        }
        let number = u64::from_str_radix(text, 16).map_err(|_| ReceiptRefError::Fingerprint)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// The place of a receipt in the ledger: `TWR1:<node>.<term>.<seq>.<fingerprint>.<check>`, 63 characters for a
/// young node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReceiptRef {
    /// The node that wrote the record.
    pub node: NodeId,
    /// The term it was written under.
    pub term: Term,
    /// Its position in the fiscal log.
    pub seq: Seq,
    /// What it says, in short.
    pub hash: Fingerprint,
}

/// Why a text names no receipt. Each says what a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptRefError {
    /// It does not begin with `TWR1:`.
    #[error("the code of a receipt begins with {PREFIX}: ; this text does not")]
    Prefix,
    /// It has not the five parts.
    #[error("the code of a receipt has five parts with points between them; is one missing?")]
    Parts,
    /// The part that names the node.
    #[error("the first part after {PREFIX}: has {NODE_SYMBOLS} digits and letters (no U)")]
    Node,
    /// The term or the position.
    #[error("the second and third part are whole numbers without leading zeros")]
    Number,
    /// The fingerprint.
    #[error("the fingerprint has 16 digits from 0 to 9 and A to F")]
    Fingerprint,
    /// Every part is possible, but they do not belong together.
    #[error("there is a typing error in the code of the receipt: its check does not match")]
    Check,
    /// Longer than any such code.
    #[error("the code of a receipt is shorter than {} characters", limits::RECEIPT_REF_BYTES)]
    TooLong,
}

impl ReceiptRef {
    /// Names a record and takes its fingerprint.
    pub fn of(node: NodeId, term: Term, seq: Seq, event: &RawEvent) -> Self {
        Self { node, term, seq, hash: Fingerprint::of(node, term, seq, event) }
    }

    fn unchecked(&self) -> String {
        let node = symbols(self.node.as_uuid().as_u128(), NODE_SYMBOLS);
        format!("{PREFIX}:{node}.{}.{}.{:016X}", self.term, self.seq, u64::from_be_bytes(self.hash.0))
    }
}

impl fmt::Display for ReceiptRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.unchecked();
        write!(f, "{text}.{}", symbols(check(&text), CHECK_SYMBOLS))
    }
}

impl FromStr for ReceiptRef {
    type Err = ReceiptRefError;

    /// Forgiving where nothing can be mistaken: case, spaces around and within, O for 0, I and L for 1.
    fn from_str(text: &str) -> Result<Self, ReceiptRefError> {
        if text.len() > limits::RECEIPT_REF_BYTES {
            return Err(ReceiptRefError::TooLong);
        }
        let text: String = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
        let (prefix, rest) = text.split_once(':').ok_or(ReceiptRefError::Prefix)?;
        if prefix != PREFIX {
            return Err(ReceiptRefError::Prefix);
        }
        let parts: Vec<&str> = rest.split('.').collect();
        let [node, term, seq, hash, told] = parts.as_slice() else { return Err(ReceiptRefError::Parts) };
        let node = number(node, NODE_SYMBOLS).ok_or(ReceiptRefError::Node)?;
        let found = Self {
            node: NodeId::from_uuid(Uuid::from_u128(node)),
            term: Term(plain(term).ok_or(ReceiptRefError::Number)?),
            seq: Seq(plain(seq).ok_or(ReceiptRefError::Number)?),
            hash: hash.parse()?,
        };
        let told = number(told, CHECK_SYMBOLS).ok_or(ReceiptRefError::Check)?;
        if told != check(&found.unchecked()) {
            return Err(ReceiptRefError::Check);
        }
        Ok(found)
    }
}

fn check(text: &str) -> u128 {
    u128::from(crc32c::crc32c(text.as_bytes()))
}

/// A whole number as [`fmt::Display`] writes it, and in no other way.
fn plain<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    let number: T = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn symbols(value: u128, count: u32) -> String {
    let places = (0..count).rev();
    places.filter_map(|place| ALPHABET.get(((value >> (5 * place)) & 31) as usize)).map(|s| char::from(*s)).collect()
}

fn number(text: &str, count: u32) -> Option<u128> {
    if text.len() != count as usize {
        return None;
    }
    let mut value: u128 = 0;
    for byte in text.bytes() {
        let byte = match byte {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        let digit = ALPHABET.iter().position(|symbol| *symbol == byte)?;
        // The first symbol of a node has two bits too many.
        value = value.checked_mul(32)?.checked_add(digit as u128)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_ref() -> impl Strategy<Value = ReceiptRef> {
        (any::<u128>(), any::<u32>(), any::<u64>(), any::<[u8; 8]>()).prop_map(|(node, term, seq, hash)| ReceiptRef {
            node: NodeId::from_uuid(Uuid::from_u128(node)),
            term: Term(term),
            seq: Seq(seq),
            hash: Fingerprint(hash),
        })
    }

    /// Paper lives longer than programs: this text must be read for ever.
    #[test]
    fn the_text_of_a_receipt_stays_as_it_is() {
        let event = RawEvent { kind: 1, version: 1, body: b"a ticket".to_vec() };
        let node = NodeId::from_uuid(Uuid::from_u128(0x0192_f0c4_1234_7abc_8def_0123_4567_89ab));
        let found = ReceiptRef::of(node, Term(1), Seq(1_234), &event);
        let text = "TWR1:01JBRC84HMFAY8VVR14D2PF2DB.1.1234.74B7198053FAA67A.2ZE2526";
        assert_eq!(found.to_string(), text);
        assert_eq!(text.parse(), Ok(found));
        assert_eq!(found.hash.to_string().parse(), Ok(found.hash));
    }

    #[test]
    fn each_mistake_is_told_apart() {
        let good = ReceiptRef {
            node: NodeId::from_uuid(Uuid::nil()),
            term: Term(3),
            seq: Seq(77),
            hash: Fingerprint([0xab; 8]),
        };
        let text = good.to_string();
        let typed = text.to_lowercase().replacen('0', "o", 3);
        assert_eq!(format!(" {} {} ", &typed[..20], &typed[20..]).parse(), Ok(good), "as a person types it");
        let fails = |text: &str| text.parse::<ReceiptRef>().unwrap_err();
        assert_eq!(fails("TW1-ABC"), ReceiptRefError::Prefix);
        assert_eq!(fails("TWR2:1.2.3.4.5"), ReceiptRefError::Prefix);
        assert_eq!(fails("TWR1:1.2.3.4"), ReceiptRefError::Parts);
        assert_eq!(fails(&text.replacen("0.3", "U.3", 1)), ReceiptRefError::Node);
        assert_eq!(fails(&text.replacen(":0", ":Z", 1)), ReceiptRefError::Node, "more than 128 bits");
        assert_eq!(fails(&text.replacen(".77.", ".077.", 1)), ReceiptRefError::Number);
        assert_eq!(fails(&text.replacen(".77.", ".+77.", 1)), ReceiptRefError::Number);
        assert_eq!(fails(&text.replacen("ABAB", "ABAG", 1)), ReceiptRefError::Fingerprint);
        assert_eq!(fails(&text.replacen(".77.", ".78.", 1)), ReceiptRefError::Check);
        assert_eq!(fails(&"1".repeat(500)), ReceiptRefError::TooLong);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in any_ref()) {
            let text = name.to_string();
            let alphanumeric = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b':' || b == b'.';
            prop_assert!(text.bytes().all(alphanumeric), "{text}");
            prop_assert!(text.len() < limits::RECEIPT_REF_BYTES);
            prop_assert_eq!(text.parse::<ReceiptRef>(), Ok(name));
        }

        #[test]
        fn one_wrong_character_or_two_swapped_are_noticed(name in any_ref(), place in 0_usize..90, to in 0_usize..32) {
            let text = name.to_string();
            let place = place % (text.len() - 1);
            let mut wrong = text.clone().into_bytes();
            wrong[place] = ALPHABET[to];
            let mut swapped = text.clone().into_bytes();
            swapped.swap(place, place + 1);
            for other in [wrong, swapped] {
                let other = String::from_utf8(other).unwrap();
                prop_assert!(other == text || other.parse::<ReceiptRef>().is_err(), "{text} {other}");
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            if let Ok(name) = text.parse::<ReceiptRef>() {
                prop_assert_eq!(name.to_string().parse(), Ok(name));
            }
        }

        #[test]
        fn a_fingerprint_tells_records_apart(body in prop::collection::vec(any::<u8>(), 0..64), at in any::<u64>()) {
            let event = |body: &[u8]| RawEvent { kind: 1, version: 1, body: body.to_vec() };
            let node = NodeId::from_uuid(Uuid::nil());
            let one = Fingerprint::of(node, Term(1), Seq(at), &event(&body));
            let longer = [body.as_slice(), &[0]].concat();
            prop_assert_ne!(one, Fingerprint::of(node, Term(1), Seq(at), &event(&longer)));
            prop_assert_ne!(one, Fingerprint::of(node, Term(1), Seq(at ^ 1), &event(&body)));
            prop_assert_ne!(one, Fingerprint::of(node, Term(2), Seq(at), &event(&body)));
        }
    }
}
