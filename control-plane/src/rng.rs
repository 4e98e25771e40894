//! The one door to randomness. Everything here comes from the operating system's generator.

use protocol::timestamp::Timestamp;
use uuid::Uuid;

/// `N` random bytes, fit for keys and secrets.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    rand::fill(&mut out[..]);
    out
}

/// An id that sorts by the time it was made (UUID version 7).
pub fn id(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes::<10>()).into_uuid()
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

/// Reads lower- or upper-case hex of exactly `N` bytes.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_both_ways_and_refuses_the_rest() {
        let made = bytes::<16>();
        assert_eq!(unhex::<16>(&hex(&made)), Some(made));
        assert_eq!(unhex::<2>("zz00"), None);
        assert_eq!(unhex::<2>("00"), None);
        assert_eq!(unhex::<1>("é"), None);
    }

    #[test]
    fn ids_sort_by_time() {
        assert!(id(Timestamp(1_000)) < id(Timestamp(2_000)));
        assert_ne!(id(Timestamp(1_000)), id(Timestamp(1_000)));
    }
}
