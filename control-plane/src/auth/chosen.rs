//! Which passwords may be chosen (ASVS 5.0, 6.2): long enough, none that everybody tries first, none that is only the
//! company's, the person's or our own name. Any characters, no composition rules, no expiry. Pure.

/// Shortest password, in characters.
pub const SHORTEST: usize = 8;
/// What we advise, in characters.
pub const ADVISED: usize = 15;
/// Longest password, in bytes: hashing must not become a way to keep us busy. 128 characters of any script fit.
pub const LONGEST: usize = 512;
/// A name this short says little: a password may contain it by chance.
const NAME_CHARS: usize = 3;
/// What must be left of a password beside names, in characters.
const BESIDE_NAMES: usize = 6;

/// Why a password may not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too few characters.
    #[error(
        "choose {SHORTEST} characters or more; {ADVISED} are better, and a few words in a row are easy to keep in mind"
    )]
    TooShort,
    /// More than is hashed.
    #[error("this is too long: at most {LONGEST} bytes (128 characters of any script always fit)")]
    TooLong,
    /// On the list.
    #[error("this password is on the list of those that are tried first; choose another, such as a few words in a row")]
    Common,
    /// Made of names that anybody can guess.
    #[error("this is little more than a name (yours, the company's or Tillway); choose one that nobody can guess")]
    Names,
}

/// Whether a password may be chosen. `about` are words that somebody would guess first: the e-mail, the company.
///
/// # Errors
/// [`Refused`], in words for the person who chose.
pub fn check(password: &str, about: &[&str]) -> Result<(), Refused> {
    // Bytes first: a password of a megabyte is not even read.
    if password.len() > LONGEST {
        return Err(Refused::TooLong);
    }
    if password.chars().count() < SHORTEST {
        return Err(Refused::TooShort);
    }
    let lower = password.to_lowercase();
    let common = passwords::analyzer::is_common_password;
    if common(password) || common(&lower) || one_character(&lower) {
        return Err(Refused::Common);
    }
    let plain = letters(&lower);
    let mut left = plain.clone();
    for name in names(about) {
        left = left.replace(&name, "");
    }
    if left.len() < plain.len() && left.chars().count() < BESIDE_NAMES {
        return Err(Refused::Names);
    }
    Ok(())
}

fn one_character(text: &str) -> bool {
    let mut all = text.chars();
    all.next().is_some_and(|first| all.all(|next| next == first))
}

/// Letters and digits alone: what stands between them hides nothing.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The words to look for, longest first, so that a whole name goes before its parts.
fn names(about: &[&str]) -> Vec<String> {
    let mut found = vec!["tillway".to_owned()];
    for text in about {
        let text = text.to_lowercase();
        // Of an e-mail what stands before the @ and the domain's own name, each as a whole and in its parts.
        for part in text.split('@') {
            found.push(letters(part));
            found.extend(part.split(|c: char| !c.is_alphanumeric()).map(letters));
        }
    }
    found.retain(|name| name.chars().count() > NAME_CHARS);
    found.sort_by_key(|name| std::cmp::Reverse(name.len()));
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_and_is_bounded_in_bytes() {
        assert_eq!(check("sieben7", &[]), Err(Refused::TooShort));
        assert_eq!(check("ßäöü ßäöü", &[]), Ok(()));
        // 64 characters and more, of any script, with spaces; no composition rules.
        assert_eq!(check(&"läßt 😀 ".repeat(18), &[]), Ok(()));
        assert_eq!(check("all lower case letters", &[]), Ok(()));
        assert_eq!(check(&"x".repeat(1_000_000), &[]), Err(Refused::TooLong));
    }

    #[test]
    fn what_everybody_tries_first_is_refused_in_any_case() {
        for common in ["password1", "PASSWORD1", "12345678", "qwertyuiop", "iloveyou1", "zzzzzzzzzzzzzzz"] {
            assert_eq!(check(common, &[]), Err(Refused::Common), "{common}");
        }
    }

    #[test]
    fn a_name_with_a_few_digits_is_no_password_but_a_name_among_words_is_fine() {
        let about = ["maria.lopez@example.com", "Corner Bakers"];
        for guess in ["Tillway2026!", "maria-lopez", "Lopez.1987", "CornerBakers1", "bakers-tillway-1", "example.com99"]
        {
            assert_eq!(check(guess, &about), Err(Refused::Names), "{guess}");
        }
        for fine in ["tillway correct horse", "the bakers dozen is 13", "correct horse"] {
            assert_eq!(check(fine, &about), Ok(()), "{fine}");
        }
        // Short words say nothing: `al` or `Ltd` stand in many good passwords.
        assert_eq!(check("altitude", &["al@x.io", "Ltd"]), Ok(()));
    }
}
