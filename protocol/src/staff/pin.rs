//! PINs: which may be chosen, and what one is checked against. A PIN is four to eight digits, so a hash alone hides
//! nothing for long: it is slow (Argon2id), and a node keeps it mixed with a key of its own.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

use crate::limits;

/// Argon2id version 1.3, [`limits::PIN_HASH_KIB`] of memory, three passes, one lane.
const SCHEME_1: u8 = 1;
const PASSES: u32 = 3;

/// What a PIN is checked against. As head office sends it, and on a node mixed with the key of that node.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinVerifier {
    /// How it is computed.
    pub scheme: u8,
    /// Of this verifier alone.
    pub salt: [u8; 16],
    /// The outcome.
    pub hash: [u8; 32],
}

/// Says nothing: it would be worth a guess.
impl fmt::Debug for PinVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinVerifier").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl PinVerifier {
    /// Of a PIN, under a fresh salt. Takes some milliseconds and [`limits::PIN_HASH_KIB`] of memory; `None` when
    /// there is no memory.
    pub fn of(pin: &str, salt: [u8; 16]) -> Option<Self> {
        Some(Self { scheme: SCHEME_1, salt, hash: hash(pin, &salt)? })
    }

    /// Mixed with the key of a node: useless without it.
    #[must_use]
    pub fn peppered(&self, key: &[u8; 32]) -> Self {
        Self { hash: pepper(&self.hash, &self.salt, key), ..*self }
    }

    /// Whether a PIN is the right one, for a verifier as head office makes it (`key`: none) or one that was mixed
    /// with the key of a node. Takes as long either way.
    pub fn fits(&self, pin: &str, key: Option<&[u8; 32]>) -> bool {
        let Some(hash) = hash(pin, &self.salt) else { return false };
        let hash = key.map_or(hash, |key| pepper(&hash, &self.salt, key));
        // The comparison of BLAKE3 hashes takes the same time for all.
        let same = blake3::Hash::from_bytes(hash) == blake3::Hash::from_bytes(self.hash);
        same && self.scheme == SCHEME_1
    }

    /// What nobody's PIN fits, for ids that nobody has: it costs the same.
    pub const NOBODY: Self = Self { scheme: 0, salt: [0x5a; 16], hash: [0; 32] };
}

fn hash(pin: &str, salt: &[u8; 16]) -> Option<[u8; 32]> {
    let params = Params::new(limits::PIN_HASH_KIB, PASSES, 1, Some(32)).ok()?;
    let mut out = [0; 32];
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into(pin.as_bytes(), salt, &mut out).ok()?;
    Some(out)
}

fn pepper(hash: &[u8; 32], salt: &[u8; 16], key: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(b"tillway 2026 pin v1");
    hasher.update(salt);
    hasher.update(hash);
    *hasher.finalize().as_bytes()
}

/// Why a PIN may not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinFault {
    /// Not four to eight digits.
    #[error("a PIN has {} to {} digits and nothing else", limits::PIN_SHORTEST, limits::PIN_LONGEST)]
    Shape,
    /// A run like 1234 or 9876.
    #[error("digits in a row such as 1234 are the first that anybody tries; choose others")]
    Run,
    /// A pattern like 1111, 1212 or 123123.
    #[error("a pattern that repeats, such as 1111 or 1212, is soon guessed; choose another PIN")]
    Repeated,
}

/// Whether a PIN may be chosen.
///
/// # Errors
/// Why not.
pub fn check_pin(pin: &str) -> Result<(), PinFault> {
    let digits = pin.as_bytes();
    let long = (limits::PIN_SHORTEST..=limits::PIN_LONGEST).contains(&digits.len());
    if !long || !digits.iter().all(u8::is_ascii_digit) {
        return Err(PinFault::Shape);
    }
    let step = |by: u8| {
        let pairs = digits.iter().zip(digits.iter().skip(1));
        pairs.into_iter().all(|(one, next)| (next.wrapping_sub(b'0')) == (one.wrapping_sub(b'0') + by) % 10)
    };
    // Up, or down (nine up, in a circle of ten).
    if step(1) || step(9) {
        return Err(PinFault::Run);
    }
    let repeats = |period: usize| digits.iter().zip(digits.iter().skip(period)).all(|(one, again)| one == again);
    if (1..=digits.len() / 2).any(|period| digits.len().is_multiple_of(period) && repeats(period)) {
        return Err(PinFault::Repeated);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_fits_its_own_verifier_and_no_other() {
        let made = PinVerifier::of("4711", [7; 16]).unwrap();
        assert!(made.fits("4711", None) && !made.fits("4712", None) && !made.fits("", None));
        assert!(!PinVerifier::of("4711", [8; 16]).unwrap().eq(&made), "the salt counts");
        assert!(!PinVerifier::NOBODY.fits("4711", None));
        assert!(!format!("{made:?}").contains(&made.hash[0].to_string()), "{made:?}");
    }

    #[test]
    fn a_verifier_of_one_node_is_useless_on_another() {
        let mixed = PinVerifier::of("4711", [7; 16]).unwrap().peppered(&[1; 32]);
        assert!(mixed.fits("4711", Some(&[1; 32])));
        assert!(!mixed.fits("4711", Some(&[2; 32])), "another node");
        assert!(!mixed.fits("4711", None), "no key at all");
    }

    #[test]
    fn what_anybody_tries_first_may_not_be_chosen() {
        for (pin, fault) in [
            ("123", PinFault::Shape),
            ("123456789", PinFault::Shape),
            ("12a4", PinFault::Shape),
            ("\u{0661}\u{0662}", PinFault::Shape),
            ("1234", PinFault::Run),
            ("67890", PinFault::Run),
            ("4321", PinFault::Run),
            ("0000", PinFault::Repeated),
            ("1212", PinFault::Repeated),
            ("472472", PinFault::Repeated),
            ("47114711", PinFault::Repeated),
        ] {
            assert_eq!(check_pin(pin), Err(fault), "{pin}");
        }
        for pin in ["4711", "90210", "12435687"] {
            assert_eq!(check_pin(pin), Ok(()), "{pin}");
        }
    }

    /// The limit of the node: 4 MiB.
    #[test]
    fn a_check_stays_within_its_memory() {
        let blocks = Params::new(limits::PIN_HASH_KIB, PASSES, 1, Some(32)).unwrap().block_count();
        assert!(blocks * 1_024 + 64 * 1_024 <= 4 << 20, "{blocks} KiB");
    }
}
