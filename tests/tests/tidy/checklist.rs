//! The checklist of ASVS: every requirement is there once, and all that it calls evidence exists.

use std::collections::BTreeSet;
use std::path::Path;

/// Requirements of levels 1 and 2 in each chapter of ASVS 5.0.
const CHAPTERS: [usize; 17] = [27, 11, 19, 10, 9, 35, 18, 7, 7, 29, 14, 9, 13, 9, 13, 16, 7];

/// The rows as (number, what stands in backticks).
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    let numbered = |line: &&str| line.starts_with("| ") && line.as_bytes().get(2).is_some_and(u8::is_ascii_digit);
    let row = |line: &str| {
        let number = line.split('|').nth(1).unwrap_or_default().trim().to_owned();
        (number, line.split('`').skip(1).step_by(2).map(str::to_owned).collect())
    };
    text.lines().filter(numbered).map(row).collect()
}

/// What is named and not there: a file, a folder, or a test in a file.
fn missing(root: &Path, named: &str) -> bool {
    let (path, test) = named.split_once("::").unwrap_or((named, ""));
    if !path.contains(['/', '.']) {
        return false; // a word, not a place
    }
    let place = root.join(path);
    if test.is_empty() {
        return !place.exists();
    }
    !std::fs::read_to_string(place).is_ok_and(|text| text.contains(&format!("fn {test}(")))
}

/// All that is wrong with a checklist.
pub fn broken(root: &Path, text: &str) -> Vec<String> {
    let rows = rows(text);
    let numbers: BTreeSet<&str> = rows.iter().map(|(number, _)| number.as_str()).collect();
    let mut broken = Vec::new();
    if numbers.len() != rows.len() {
        broken.push("a number stands there twice".to_owned());
    }
    for (index, wanted) in CHAPTERS.into_iter().enumerate() {
        let chapter = format!("{}.", index + 1);
        let there = numbers.iter().filter(|number| number.starts_with(&chapter)).count();
        if there != wanted {
            broken.push(format!("chapter {chapter} has {there} requirements, the standard {wanted}"));
        }
    }
    for (number, named) in &rows {
        let gone = named.iter().filter(|named| missing(root, named));
        broken.extend(gone.map(|named| format!("{number}: {named} is not there")));
    }
    broken
}
