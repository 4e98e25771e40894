//! Reads Rust source as far as the rules need it: which paths a file names (grouped `use` written out), which
//! text literals it holds, with test modules and comments left out. No full parser: tokens are enough.

use std::iter::Peekable;
use std::str::Chars;

/// One file as the rules see it.
pub struct Source {
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Every path of two or more segments outside test modules, with its line.
    pub names: Vec<(usize, Vec<String>)>,
    /// Every text literal outside test modules, with its line.
    pub literals: Vec<(usize, String)>,
    /// Where its `#[cfg(test)] mod name;` may stand: paths without `.rs`.
    pub test_children: Vec<String>,
    test: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

type Placed = (usize, Token);

impl Source {
    /// Reads `text` as the file at `path`.
    pub fn new(path: &str, text: &str) -> Self {
        let all = tokens(text);
        let tokens = without_test_modules(&all);
        let literals = tokens
            .iter()
            .filter_map(|(line, token)| match token {
                Token::Text(literal) => Some((*line, literal.clone())),
                Token::Word(_) | Token::Sign(_) => None,
            })
            .collect();
        let test = in_test_folder(path);
        let test_children = test_children(path, &all);
        Self { path: path.to_owned(), text: text.to_owned(), names: names(&tokens), literals, test_children, test }
    }

    /// Marks the files that others take in for tests only.
    pub fn mark_tests(sources: &mut [Self]) {
        let children: Vec<String> = sources.iter().flat_map(|source| source.test_children.clone()).collect();
        let of = |path: &str, child: &String| {
            let inside = path.strip_prefix(child.as_str());
            inside.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        for source in sources {
            source.test |= children.iter().any(|child| of(&source.path, child));
        }
    }

    /// Its name without folders.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether all of it is test code.
    pub fn is_test(&self) -> bool {
        self.test
    }
}

fn in_test_folder(path: &str) -> bool {
    let named = |part: &str| ["tests", "tests.rs", "benches"].contains(&part);
    let help = |part: &str| ["testing", "testing.rs"].contains(&part) && !path.starts_with("protocol/");
    path.ends_with("_tests.rs") || path.split('/').any(|part| named(part) || help(part))
}

/// Where the modules stand that a file declares under `#[cfg(test)]` and keeps in files of their own.
fn test_children(path: &str, tokens: &[Placed]) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let folder = ["/mod", "/lib", "/main"].iter().find_map(|end| stem.strip_suffix(end)).unwrap_or(stem);
    let marked = tokens.windows(10).filter(|window| is_test_mark(window) && is_word(window.get(7), "mod"));
    let named = marked.filter_map(|window| match (window.get(8), window.get(9)) {
        (Some((_, Token::Word(name))), Some((_, Token::Sign(';')))) => Some(format!("{folder}/{name}")),
        _ => None,
    });
    named.collect()
}

/// `#[cfg(test)]`.
fn is_test_mark(tokens: &[Placed]) -> bool {
    is_sign(tokens.first(), '#')
        && is_sign(tokens.get(1), '[')
        && is_word(tokens.get(2), "cfg")
        && is_sign(tokens.get(3), '(')
        && is_word(tokens.get(4), "test")
        && is_sign(tokens.get(5), ')')
}

struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
}

impl Lexer<'_> {
    fn bump(&mut self) -> Option<char> {
        let next = self.chars.next();
        if next == Some('\n') {
            self.line += 1;
        }
        next
    }

    fn quoted(&mut self) -> String {
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                '"' => break,
                '\\' => drop(self.bump()),
                other => text.push(other),
            }
        }
        text
    }

    /// After `r` and `hashes` times `#` and a quote.
    fn raw(&mut self, hashes: usize) -> String {
        let end = format!("\"{}", "#".repeat(hashes));
        let mut text = String::new();
        while !text.ends_with(&end) {
            match self.bump() {
                Some(c) => text.push(c),
                None => return text,
            }
        }
        text.truncate(text.len() - end.len());
        text
    }

    fn skip_block_comment(&mut self) {
        let (mut depth, mut previous) = (1, ' ');
        while depth > 0 {
            let Some(c) = self.bump() else { return };
            match (previous, c) {
                ('/', '*') => (depth, previous) = (depth + 1, ' '),
                ('*', '/') => (depth, previous) = (depth - 1, ' '),
                _ => previous = c,
            }
        }
    }

    /// After `'`: a lifetime is left to be read as a word, a character literal is skipped.
    fn skip_character(&mut self) {
        let mut ahead = self.chars.clone();
        let (first, second) = (ahead.next(), ahead.next());
        if first == Some('\\') {
            self.bump();
            self.bump();
            while self.bump().is_some_and(|c| c != '\'') {}
        } else if second == Some('\'') {
            self.bump();
            self.bump();
        }
    }
}

fn tokens(text: &str) -> Vec<Placed> {
    let mut lexer = Lexer { chars: text.chars().peekable(), line: 1 };
    let mut out = Vec::new();
    while let Some(c) = lexer.bump() {
        let line = lexer.line;
        match c {
            '/' if lexer.chars.peek() == Some(&'/') => while lexer.bump().is_some_and(|c| c != '\n') {},
            '/' if lexer.chars.peek() == Some(&'*') => {
                lexer.bump();
                lexer.skip_block_comment();
            }
            '"' => out.push((line, Token::Text(lexer.quoted()))),
            '\'' => lexer.skip_character(),
            c if c.is_alphabetic() || c == '_' => {
                let mut word = String::from(c);
                while let Some(next) = lexer.chars.peek().copied().filter(|n| n.is_alphanumeric() || *n == '_') {
                    word.push(next);
                    lexer.bump();
                }
                push_word(&mut lexer, line, word, &mut out);
            }
            c if c.is_whitespace() || c.is_ascii_digit() => {}
            c => out.push((line, Token::Sign(c))),
        }
    }
    out
}

/// A word, or the raw text that `r"` or `r#"` opens.
fn push_word(lexer: &mut Lexer<'_>, line: usize, word: String, out: &mut Vec<Placed>) {
    if word == "r" || word == "br" {
        let ahead: String = lexer.chars.clone().take(8).collect();
        let hashes = ahead.chars().take_while(|c| *c == '#').count();
        if ahead.chars().nth(hashes) == Some('"') {
            for _ in 0..=hashes {
                lexer.bump();
            }
            out.push((line, Token::Text(lexer.raw(hashes))));
            return;
        }
    }
    out.push((line, Token::Word(word)));
}

fn is_sign(token: Option<&Placed>, sign: char) -> bool {
    matches!(token, Some((_, Token::Sign(found))) if *found == sign)
}

fn is_word(token: Option<&Placed>, word: &str) -> bool {
    matches!(token, Some((_, Token::Word(found))) if found == word)
}

/// Leaves out what stands under `#[cfg(test)]`: the item up to its closing brace or semicolon.
fn without_test_modules(tokens: &[Placed]) -> Vec<Placed> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = is_test_mark(tokens.get(at..).unwrap_or_default());
        if !marked {
            out.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0_usize;
        at += 7;
        while at < tokens.len() {
            let (opens, closes) = (is_sign(tokens.get(at), '{'), is_sign(tokens.get(at), '}'));
            let ends = depth == 0 && is_sign(tokens.get(at), ';');
            depth = depth + usize::from(opens) - usize::from(closes && depth > 0);
            at += 1;
            if ends || (closes && depth == 0) {
                break;
            }
        }
    }
    out
}

/// Every path that the tokens name; `use a::{b, c::d}` gives `a::b` and `a::c::d`.
fn names(tokens: &[Placed]) -> Vec<(usize, Vec<String>)> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_word(tokens.get(at), "use") {
            at = use_tree(tokens, at + 1, &[], &mut out);
        } else if let Some((line, Token::Word(word))) = tokens.get(at) {
            let mut path = vec![word.clone()];
            at += 1;
            while let Some(next) = segment_after(tokens, at) {
                path.push(next);
                at += 3;
            }
            if path.len() > 1 {
                out.push((*line, path));
            }
        } else {
            at += 1;
        }
    }
    out
}

fn segment_after(tokens: &[Placed], at: usize) -> Option<String> {
    if !is_sign(tokens.get(at), ':') || !is_sign(tokens.get(at + 1), ':') {
        return None;
    }
    match tokens.get(at + 2) {
        Some((_, Token::Word(word))) => Some(word.clone()),
        _ => None,
    }
}

/// Reads one tree of a `use` from `at`; returns where it ends (on `,`, `}` or `;`).
fn use_tree(tokens: &[Placed], mut at: usize, before: &[String], out: &mut Vec<(usize, Vec<String>)>) -> usize {
    let mut path = before.to_vec();
    let mut line = 0;
    while let Some((here, token)) = tokens.get(at) {
        match token {
            Token::Word(word) if word == "as" => at += 2,
            Token::Word(word) => {
                line = *here;
                path.push(word.clone());
                at += 1;
            }
            Token::Sign(':') => at += 1,
            Token::Sign('{') => {
                at += 1;
                while !is_sign(tokens.get(at), '}') && at < tokens.len() {
                    at = use_tree(tokens, at, &path, out);
                    at += usize::from(is_sign(tokens.get(at), ','));
                }
                return at + 1;
            }
            Token::Sign('*') => at += 1,
            Token::Sign(_) | Token::Text(_) => break,
        }
    }
    if path.len() > before.len() {
        out.push((line, path));
        return at;
    }
    // Nothing was read: step over what stands here so that the reader always gets on.
    at + 1
}
