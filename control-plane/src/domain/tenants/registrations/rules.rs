//! Decisions about registrations: what may follow what, what a link looks like. Pure.

use super::types::Stage;
use crate::rng::{hex, unhex};

/// How long a link is good, in milliseconds.
pub const LINK_MILLIS: i64 = 24 * 3_600 * 1_000;
/// The same in minutes, for the mail.
pub const LINK_MINUTES: u32 = 24 * 60;
/// Wrong passwords at one link.
pub const TRIES: i16 = 10;
/// Registrations that wait for their mail to be answered, of everybody. Beyond it new ones are refused for a while.
pub const OPEN: i64 = 5_000;
/// How long one is kept whose mail nobody answered, in milliseconds.
pub const UNCONFIRMED_MILLIS: i64 = 7 * 24 * 3_600 * 1_000;
/// How long a refused one is kept, in milliseconds.
pub const REFUSED_MILLIS: i64 = 90 * 24 * 3_600 * 1_000;
/// Registrations of one network in fifteen minutes.
pub const OF_NETWORK: i32 = 20;

/// What may happen to a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The mail goes once more, with another link.
    Resend,
    /// The address was proved.
    Confirm,
    /// An operator takes the company in.
    Approve,
    /// An operator does not.
    Refuse,
}

/// Where a step leads.
///
/// # Errors
/// Why it leads nowhere, in words.
pub const fn after(stage: Stage, step: Step) -> Result<Stage, &'static str> {
    match (stage, step) {
        (Stage::Unconfirmed, Step::Resend) => Ok(Stage::Unconfirmed),
        (Stage::Unconfirmed, Step::Confirm) => Ok(Stage::Waiting),
        (Stage::Waiting, Step::Approve) => Ok(Stage::Approved),
        (Stage::Waiting, Step::Refuse) => Ok(Stage::Refused),
        (Stage::Unconfirmed, Step::Approve | Step::Refuse) => {
            Err("whoever registered has not answered the mail yet; nothing can be decided before")
        }
        (Stage::Waiting, Step::Resend | Step::Confirm) => Err("the address is confirmed already"),
        (Stage::Approved, Step::Resend | Step::Confirm | Step::Approve | Step::Refuse) => {
            Err("the registration was approved already")
        }
        (Stage::Refused, Step::Resend | Step::Confirm | Step::Approve | Step::Refuse) => {
            Err("the registration was refused already; ask them to register again")
        }
    }
}

/// The text of a link's secret.
pub fn token_text(secret: &[u8; 32]) -> String {
    hex(secret)
}

/// What is kept of a link's secret; none for what is no secret of ours.
pub fn token_hash(text: &str) -> Option<[u8; 32]> {
    unhex::<32>(text).map(|secret| blake3::derive_key("tillway head office 2026 link of a registration", &secret))
}

/// A country.
///
/// # Errors
/// How one looks.
pub fn country(text: Option<&str>) -> Result<Option<String>, &'static str> {
    let text = text.unwrap_or_default().trim().to_ascii_uppercase();
    if text.is_empty() {
        return Ok(None);
    }
    let two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if two { Ok(Some(text)) } else { Err("a country is two letters, such as GB") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_is_taken_twice_and_none_out_of_turn() {
        use Stage::{Approved, Refused, Unconfirmed, Waiting};
        let good: Vec<(Stage, Step, Stage)> = [Unconfirmed, Waiting, Approved, Refused]
            .into_iter()
            .flat_map(|stage| [Step::Resend, Step::Confirm, Step::Approve, Step::Refuse].map(|step| (stage, step)))
            .filter_map(|(stage, step)| after(stage, step).ok().map(|next| (stage, step, next)))
            .collect();
        assert_eq!(
            good,
            [
                (Unconfirmed, Step::Resend, Unconfirmed),
                (Unconfirmed, Step::Confirm, Waiting),
                (Waiting, Step::Approve, Approved),
                (Waiting, Step::Refuse, Refused),
            ]
        );
    }

    #[test]
    fn a_link_is_read_back_by_its_hash_alone() {
        let text = token_text(&[7; 32]);
        assert!(token_hash(&text).is_some_and(|hash| hash != [7; 32]));
        for bad in ["", "07", &text[1..], &"zz".repeat(32), &format!("{text}00")] {
            assert_eq!(token_hash(bad), None, "{bad}");
        }
        assert_eq!(country(Some(" gb ")), Ok(Some("GB".to_owned())));
        assert_eq!(country(Some("")), Ok(None));
        assert!(country(Some("GBR")).is_err() && country(Some("1A")).is_err());
    }
}
