//! The claim code: `TW1-` and eight groups of six characters that a person reads from a page and types at a box.
//! It holds a one-time secret, a fingerprint of the device CA and a checksum, so that a typo is told from a wrong
//! code before anything is sent, and a stranger's HQ is recognised before anything is trusted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

const PREFIX: &str = "TW1";
const SECRET_BYTES: usize = 12;
const FINGERPRINT_BYTES: usize = 14;
const CRC_BYTES: usize = 4;
/// 30 bytes are 48 characters of five bits each, with none left over: every code has exactly one spelling.
const CODE_BYTES: usize = SECRET_BYTES + FINGERPRINT_BYTES + CRC_BYTES;
const SYMBOLS: usize = CODE_BYTES * 8 / 5;
const GROUP: usize = 6;
/// Crockford's alphabet: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// BLAKE3 of a certificate (DER). The claim code carries its first 14 bytes: 112 bits against a second preimage.
pub fn fingerprint(certificate_der: &[u8]) -> [u8; 32] {
    *blake3::hash(certificate_der).as_bytes()
}

/// The one-time secret of a claim: 96 random bits. HQ stores only [`Self::hash`]. Shown by no `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClaimSecret([u8; SECRET_BYTES]);

impl ClaimSecret {
    /// Takes bytes from a random source.
    pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// What HQ keeps and looks up: of a random secret this long a plain hash gives nothing away.
    pub fn hash(&self) -> [u8; 32] {
        blake3::derive_key("tillway claim secret v1", &self.0)
    }
}

impl fmt::Debug for ClaimSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimSecret(..)")
    }
}

/// Hexadecimal, for the body of the request. Not for logs.
impl fmt::Display for ClaimSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ClaimSecret {
    type Err = ClaimCodeError;
    fn from_str(text: &str) -> Result<Self, ClaimCodeError> {
        if text.len() != SECRET_BYTES * 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ClaimCodeError::Secret);
        }
        let mut bytes = [0; SECRET_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| ClaimCodeError::Secret)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ClaimCodeError::Secret)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ClaimSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClaimSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a claim code says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClaimCode {
    /// The one-time secret.
    pub secret: ClaimSecret,
    ca: [u8; FINGERPRINT_BYTES],
}

/// Why a text is not a claim code. Each names what a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimCodeError {
    /// It does not begin with `TW1-`.
    #[error("a claim code begins with TW1-; this text does not")]
    Prefix,
    /// A character that no claim code contains.
    #[error("'{character}' in place {place} is in no claim code (digits and letters without I, L, O, U)")]
    Character {
        /// The character.
        character: char,
        /// Its place in the text, from 1.
        place: usize,
    },
    /// Too short or too long.
    #[error("a claim code has {SYMBOLS} characters after TW1-; this one has {found}: is a part missing or doubled?")]
    Length {
        /// How many it has.
        found: usize,
    },
    /// All characters are possible, but they do not belong together.
    #[error("there is a typing error in the claim code: its checksum does not match")]
    Checksum,
    /// The secret of a request is not 24 hexadecimal digits.
    #[error("the secret is not {} hexadecimal digits", SECRET_BYTES * 2)]
    Secret,
}

impl ClaimCode {
    /// The code for a secret under the device CA with this certificate (DER).
    pub fn new(secret: ClaimSecret, device_ca_der: &[u8]) -> Self {
        let mut ca = [0; FINGERPRINT_BYTES];
        for (short, long) in ca.iter_mut().zip(fingerprint(device_ca_der)) {
            *short = long;
        }
        Self { secret, ca }
    }

    /// Whether this certificate (DER) is the device CA that the code was made under.
    pub fn names_ca(&self, certificate_der: &[u8]) -> bool {
        fingerprint(certificate_der).starts_with(&self.ca)
    }

    fn checksum(body: &[u8]) -> [u8; CRC_BYTES] {
        crc32c::crc32c_append(crc32c::crc32c(PREFIX.as_bytes()), body).to_be_bytes()
    }
}

impl fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimCode(..)")
    }
}

impl fmt::Display for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(CODE_BYTES);
        bytes.extend_from_slice(&self.secret.0);
        bytes.extend_from_slice(&self.ca);
        bytes.extend_from_slice(&Self::checksum(&bytes));
        f.write_str(PREFIX)?;
        for (place, symbol) in symbols(&bytes).into_iter().enumerate() {
            if place % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(symbol))?;
        }
        Ok(())
    }
}

impl FromStr for ClaimCode {
    type Err = ClaimCodeError;

    /// Forgiving where nothing can be mistaken: case, spaces, hyphens, O for 0, I and L for 1.
    fn from_str(text: &str) -> Result<Self, ClaimCodeError> {
        if text.len() > limits::CLAIM_CODE_BYTES {
            return Err(ClaimCodeError::Length { found: text.chars().count() });
        }
        let mut digits = Vec::with_capacity(SYMBOLS);
        let mut head = PREFIX.chars();
        for (place, character) in text.char_indices() {
            if character == '-' || character.is_whitespace() {
                continue;
            }
            if let Some(expected) = head.next() {
                if !character.eq_ignore_ascii_case(&expected) {
                    return Err(ClaimCodeError::Prefix);
                }
                continue;
            }
            let place = text.get(..place).map_or(0, |before| before.chars().count()).saturating_add(1);
            digits.push(digit(character).ok_or(ClaimCodeError::Character { character, place })?);
        }
        if head.next().is_some() {
            return Err(ClaimCodeError::Prefix);
        }
        if digits.len() != SYMBOLS {
            return Err(ClaimCodeError::Length { found: digits.len() });
        }
        let bytes = unpack(&digits);
        let (body, crc) = bytes.split_at(CODE_BYTES - CRC_BYTES);
        if crc != Self::checksum(body) {
            return Err(ClaimCodeError::Checksum);
        }
        let (secret, ca) = body.split_at(SECRET_BYTES);
        Ok(Self {
            secret: ClaimSecret(secret.try_into().map_err(|_| ClaimCodeError::Checksum)?),
            ca: ca.try_into().map_err(|_| ClaimCodeError::Checksum)?,
        })
    }
}

fn digit(character: char) -> Option<u8> {
    let upper = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|&symbol| char::from(symbol) == upper).and_then(|place| u8::try_from(place).ok())
}

/// Five bits a character, first bits first.
fn symbols(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(SYMBOLS);
    for block in bytes.chunks(5) {
        let value = block.iter().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        for place in (0..8).rev() {
            let index = usize::try_from(value >> (place * 5) & 31).unwrap_or(0);
            out.push(ALPHABET.get(index).copied().unwrap_or(b'0'));
        }
    }
    out
}

fn unpack(digits: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(CODE_BYTES);
    for block in digits.chunks(8) {
        let value = block.iter().fold(0_u64, |value, &digit| value << 5 | u64::from(digit));
        out.extend_from_slice(value.to_be_bytes().get(3..).unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(secret: [u8; 12], ca: &[u8]) -> ClaimCode {
        ClaimCode::new(ClaimSecret::from_bytes(secret), ca)
    }

    #[test]
    fn the_text_is_frozen() {
        assert_eq!(
            code(*b"twelve bytes", b"a certificate").to_string(),
            "TW1-EHVPAV-3PCMG6-4YBMCN-SY0Q0E-QTRX4Z-702QGC-YY14HG-S35JFR"
        );
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let code = code([0; 12], b"ca");
        let text = code.to_string();
        assert_eq!(text.len(), "TW1".len() + 8 * 7);
        for spelling in [
            text.to_lowercase(),
            text.replace('-', " "),
            text.replace('-', ""),
            format!("  {text}\n"),
            text.replace('0', "o"),
            text.replace('1', "l"),
        ] {
            let spelling = if spelling.starts_with("TWl") { spelling.replacen("TWl", "TW1", 1) } else { spelling };
            assert_eq!(spelling.parse::<ClaimCode>().unwrap(), code, "{spelling}");
        }
        assert!(code.names_ca(b"ca") && !code.names_ca(b"cb"));
    }

    #[test]
    fn every_refusal_says_what_to_look_at() {
        assert_eq!("hello".parse::<ClaimCode>(), Err(ClaimCodeError::Prefix));
        assert_eq!("".parse::<ClaimCode>(), Err(ClaimCodeError::Prefix));
        assert_eq!("TW1-ABC".parse::<ClaimCode>(), Err(ClaimCodeError::Length { found: 3 }));
        assert_eq!("TW1-AU".parse::<ClaimCode>(), Err(ClaimCodeError::Character { character: 'U', place: 6 }));
        assert!(matches!("T".repeat(100_000).parse::<ClaimCode>(), Err(ClaimCodeError::Length { .. })));
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let code = code([0xAB; 12], b"ca");
        assert!(!format!("{code:?} {:?}", code.secret).to_lowercase().contains("ab"));
    }

    proptest! {
        #[test]
        fn any_code_reads_back(secret: [u8; 12], ca: [u8; 32]) {
            let code = code(secret, &ca);
            prop_assert_eq!(code.to_string().parse::<ClaimCode>(), Ok(code));
            prop_assert_eq!(code.secret.to_string().parse::<ClaimSecret>(), Ok(code.secret));
        }

        #[test]
        fn any_single_wrong_character_is_noticed(secret: [u8; 12], ca: [u8; 32], place in 0_usize..59, to: char) {
            let code = code(secret, &ca);
            let mut text: Vec<char> = code.to_string().chars().collect();
            let from = text[place];
            text[place] = to;
            let typo: String = text.into_iter().collect();
            // The forgiven spellings are the same code; everything else must be refused, none may be another code.
            match typo.parse::<ClaimCode>() {
                Ok(read) => {
                    prop_assert_eq!(read, code);
                    prop_assert!(from == '-' || digit(from) == digit(to) || from.eq_ignore_ascii_case(&to));
                }
                Err(_) => prop_assert_ne!(from, to),
            }
        }

        #[test]
        fn any_single_wrong_letter_of_the_alphabet_is_noticed(secret: [u8; 12], place in 0_usize..48, step in 1_usize..32) {
            let text = code(secret, b"ca").to_string().replace('-', "");
            let mut bytes = text.into_bytes();
            let at = place + 3;
            let from = ALPHABET.iter().position(|&s| s == bytes[at]).unwrap();
            bytes[at] = ALPHABET[(from + step) % 32];
            prop_assert_eq!(String::from_utf8(bytes).unwrap().parse::<ClaimCode>(), Err(ClaimCodeError::Checksum));
        }

        #[test]
        fn a_lost_doubled_or_swapped_character_is_noticed(secret: [u8; 12], place in 3_usize..50) {
            let right = code(secret, b"ca");
            let text = right.to_string().replace('-', "");
            let mut lost = text.clone();
            lost.remove(place);
            prop_assert!(lost.parse::<ClaimCode>().is_err());
            let mut doubled = text.clone();
            doubled.insert(place, text.as_bytes()[place].into());
            prop_assert!(doubled.parse::<ClaimCode>().is_err());
            let mut swapped = text.clone().into_bytes();
            swapped.swap(place, place - usize::from(place > 3));
            let swapped = String::from_utf8(swapped).unwrap();
            prop_assert_eq!(swapped.parse::<ClaimCode>().is_ok(), swapped == text);
        }

        #[test]
        fn noise_is_an_error_and_never_a_panic(text: String) {
            prop_assert!(text.parse::<ClaimCode>().is_err());
        }
    }
}
