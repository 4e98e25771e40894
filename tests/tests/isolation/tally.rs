//! Counts distinct cases and leaves the number under target/, from where `make test` prints the sum.

use std::collections::BTreeSet;

/// What a part of the suite did and found.
#[derive(Debug, Default)]
pub struct Tally {
    cases: BTreeSet<String>,
    pub breaches: Vec<String>,
}

impl Tally {
    /// One case, and what is wrong with it, if anything.
    pub fn note(&mut self, case: String, wrong: Option<String>) {
        if let Some(wrong) = wrong {
            self.breaches.push(format!("{case}: {wrong}"));
        }
        self.cases.insert(case);
    }

    pub fn add(&mut self, other: Self) {
        self.cases.extend(other.cases);
        self.breaches.extend(other.breaches);
    }

    /// Nothing was wrong; the number of cases is written down.
    pub fn close(self, part: &str, at_least: usize) {
        assert!(self.breaches.is_empty(), "{} breaches:\n{}", self.breaches.len(), self.breaches.join("\n"));
        assert!(self.cases.len() >= at_least, "only {} cases of {part}", self.cases.len());
        count(part, self.cases.len());
    }
}

/// Writes down how many distinct cases a part has.
pub fn count(part: &str, cases: usize) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("isolation");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(part), format!("{cases}\n")).unwrap();
}

/// How many mutants of each kind: all by command, three otherwise.
pub fn mutants() -> Option<usize> {
    if std::env::var_os("TILLWAY_ALL_MUTANTS").is_some() { None } else { Some(3) }
}
