//! Decisions of second factors: which code is right, what a recovery code looks like, how long things live. Pure.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use qrcode::{Color, EcLevel, QrCode};
use totp_rs::{Algorithm, Builder, Totp};
use uuid::Uuid;

use crate::rng::{hex, unhex};

/// How long a sign-in waits for its second factor, in milliseconds.
pub const STEP_MILLIS: i64 = 10 * 60 * 1_000;
/// How long a challenge waits for a passkey, in milliseconds.
pub const CEREMONY_MILLIS: i64 = 5 * 60 * 1_000;
/// Recovery codes that are made at once.
pub const CODES: usize = 10;
/// Passkeys of one person.
pub const PASSKEYS: usize = 20;
/// Longest name of a passkey, in characters.
pub const NAME_CHARS: usize = 60;
/// Bytes of a shared secret: as many as the hash has, as RFC 4226 advises.
pub const SECRET_LEN: usize = 20;
/// Bytes of a recovery code: 120 bits, too many to guess even from a stolen hash.
pub const CODE_LEN: usize = 15;
const STEP_SECONDS: u64 = 30;
/// What codes are written with: no letter that is read as a digit.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TOKEN_PREFIX: &str = "tws_";
const ISSUER: &str = "Tillway";

/// The generator of a shared secret, for the account that an authenticator shows. None for a secret that is too short.
pub fn totp(secret: &[u8], account: &str) -> Option<Totp> {
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(1);
    let builder = builder.with_step_duration(STEP_SECONDS).with_secret(secret.to_vec());
    // A colon ends the issuer in the address of a secret.
    builder.with_account_name(account.replace(':', " ")).with_issuer(Some(ISSUER)).build().ok()
}

/// The step whose code this is, if it is one of now, of the step before or of the step after.
pub fn step_of(totp: &Totp, code: &str, now: Timestamp) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let plain = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = u64::try_from(now.0.div_euclid(1_000)).ok().filter(|_| plain)?;
    i64::try_from(totp.check(&code, seconds)?).ok()
}

/// The picture of a secret's address, for the camera of a telephone. Dark on white whatever the colours of the page.
pub fn qr(address: &str) -> Option<String> {
    const QUIET: usize = 4;
    let code = QrCode::with_error_correction_level(address, EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (at, colour) in code.to_colors().into_iter().enumerate() {
        if colour == Color::Dark {
            let (x, y) = (at % width + QUIET, at / width + QUIET);
            path.push_str(&format!("M{x} {y}h1v1h-1z"));
        }
    }
    let side = width + 2 * QUIET;
    Some(format!(
        "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"QR code of the secret\" \
         shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
         <path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

/// A secret as people type it: groups of four.
pub fn grouped(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// A recovery code as it is shown: four groups of six letters.
pub fn code_text(bytes: &[u8; CODE_LEN]) -> String {
    let mut letters = Vec::with_capacity(CODE_LEN * 8 / 5);
    for group in bytes.chunks(5) {
        let bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let five = |place: u32| usize::try_from(bits >> (5 * place) & 31).ok().and_then(|at| LETTERS.get(at));
        letters.extend((0..8).rev().filter_map(five).map(|letter| char::from(*letter)));
    }
    letters.chunks(6).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// A recovery code as we keep it; however it was typed. None for what cannot be one.
pub fn code_hash(person: PersonId, typed: &str) -> Option<[u8; 32]> {
    let mut plain = [0; CODE_LEN * 8 / 5];
    let mut length = 0;
    for c in typed.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let letter = match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        };
        let byte = u8::try_from(letter).ok().filter(|byte| LETTERS.contains(byte))?;
        *plain.get_mut(length)? = byte;
        length += 1;
    }
    if length != plain.len() {
        return None;
    }
    let mut hasher = blake3::Hasher::new_derive_key("tillway head office 2026 recovery code of a person");
    hasher.update(person.as_uuid().as_bytes());
    hasher.update(&plain);
    Some(*hasher.finalize().as_bytes())
}

/// The token of a step or a ceremony, as the browser keeps it.
pub fn token_text(secret: &[u8; 32]) -> String {
    format!("{TOKEN_PREFIX}{}", hex(secret))
}

/// The token as we keep it; none for what we did not write.
pub fn token_hash(text: &str) -> Option<[u8; 32]> {
    let secret = unhex::<32>(text.strip_prefix(TOKEN_PREFIX)?)?;
    Some(*blake3::hash(&secret).as_bytes())
}

/// A name that a person gave a passkey.
pub fn name(typed: &str) -> Option<String> {
    let name = typed.trim();
    let plain = !name.is_empty() && name.chars().count() <= NAME_CHARS && !name.chars().any(char::is_control);
    plain.then(|| name.to_owned())
}

/// What the tries of a person's second factors are counted under.
pub fn tries_key(person: PersonId) -> String {
    format!("second factor of {}", person.as_uuid())
}

/// What the tries of a password in a step-up are counted under: a right password must not make good for wrong codes.
pub fn password_tries_key(person: PersonId) -> String {
    format!("step-up password of {}", person.as_uuid())
}

/// What a passkey's ceremony in a session is bound to.
pub fn session_key(session: Uuid) -> String {
    format!("session {session}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The secret of RFC 6238, appendix B, and its SHA-1 rows, cut to the six digits that we ask for.
    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        let totp = totp(b"12345678901234567890", "owner@example.com").unwrap();
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let at = |seconds: i64| Timestamp(seconds * 1_000);
            assert_eq!(totp.generate(seconds).to_string(), code, "at {seconds}");
            let step = i64::try_from(seconds / 30).unwrap();
            let now = i64::try_from(seconds).unwrap();
            assert_eq!(step_of(&totp, code, at(now)), Some(step));
            let spaced = format!(" {} {}", &code[..3], &code[3..]);
            assert_eq!(step_of(&totp, &spaced, at(now)), Some(step), "as authenticators show it");
            // One step early and one step late, and no further.
            assert_eq!(step_of(&totp, code, at((step - 1) * 30)), Some(step));
            assert_eq!(step_of(&totp, code, at((step + 2) * 30 - 1)), Some(step));
            assert_eq!(step_of(&totp, code, at((step + 2) * 30)), None);
            assert_eq!(step_of(&totp, code, at((step - 1) * 30 - 1)), None);
        }
        for bad in ["", "28708", "2870820", "28708a", "٢٨٧٠٨٢", "287 08", "-87082"] {
            assert_eq!(step_of(&totp, bad, Timestamp(59_000)), None, "{bad:?}");
        }
        assert!(super::totp(b"too short", "a").is_none());
        assert!(!format!("{totp:?} {totp}").contains("3132"), "a secret is never printed");
    }

    #[test]
    fn a_recovery_code_is_read_however_it_was_typed_and_is_one_person_s() {
        let me = PersonId::from_uuid(Uuid::from_u128(1));
        let text = code_text(&[0, 1, 2, 3, 4, 250, 251, 252, 253, 254, 255, 7, 8, 9, 10]);
        assert_eq!((text.len(), text.split('-').map(str::len).collect::<Vec<_>>()), (27, vec![6; 4]), "{text}");
        let hash = code_hash(me, &text).unwrap();
        for typed in [
            text.to_uppercase(),
            text.replace('-', " "),
            format!(" {} ", text.replace('-', "")),
            text.replace('0', "O"),
        ] {
            assert_eq!(code_hash(me, &typed), Some(hash), "{typed}");
        }
        assert_ne!(code_hash(PersonId::from_uuid(Uuid::from_u128(2)), &text), Some(hash));
        let long = "0".repeat(9_999);
        for bad in ["", "123456", &text[1..], &format!("{text}0"), &text.replace('-', "!"), &long] {
            assert_eq!(code_hash(me, bad), None, "{bad}");
        }
        let many: BTreeSet<String> = (0..200_u8).map(|at| code_text(&[at; CODE_LEN])).collect();
        assert_eq!(many.len(), 200);
    }

    #[test]
    fn a_token_is_read_back_as_its_hash_and_nothing_else_is() {
        let text = token_text(&[7; 32]);
        assert_eq!(token_hash(&text), Some(*blake3::hash(&[7; 32]).as_bytes()));
        for bad in ["", "tws_", &text[1..], &format!("{text}0"), &text.replace("tws", "twp")] {
            assert_eq!(token_hash(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_is_shown_as_a_picture_and_in_groups() {
        let totp = totp(&[9; SECRET_LEN], "o:w@example.com").unwrap();
        let address = totp.to_url().unwrap();
        assert!(address.starts_with("otpauth://totp/Tillway:o%20w"), "{address}");
        assert!(qr(&address).unwrap().starts_with("<svg"));
        assert_eq!(grouped("ABCDEFGHIJ"), "ABCD EFGH IJ");
        assert_eq!(name("  My key "), Some("My key".to_owned()));
        assert!(name("").is_none() && name("a\nb").is_none() && name(&"x".repeat(61)).is_none());
    }
}
