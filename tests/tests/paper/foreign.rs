//! Calls the foreign parts that `.ci/foreign` built, and puts what they say into words of the tests.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn part(inside: &str) -> PathBuf {
    let path = root().join("target/foreign").join(inside);
    assert!(path.exists(), "{} is missing: run .ci/foreign once (make test does)", path.display());
    path
}

fn run(command: &mut Command, input: &[u8]) -> String {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn python(script: &str) -> Command {
    let mut command = Command::new(part("venv/bin/python"));
    command.arg(root().join("tests/foreign").join(script));
    command
}

/// What a foreign decoder of ESC/POS makes of bytes.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Lines of text, without the spaces at their ends.
    pub lines: Vec<String>,
    /// Columns of the widest line, by the sizes it was told.
    pub widest: usize,
    /// The data of QR codes that were printed.
    pub codes: Vec<String>,
    /// How often the paper is cut.
    pub cuts: usize,
    /// How often a drawer opens.
    pub pulses: usize,
    /// What it does not know, in hexadecimal.
    pub unknown: Vec<String>,
}

/// Decodes ESC/POS with hardless-escpos.
pub fn decode(bytes: &[u8]) -> Decoded {
    let said = run(&mut Command::new(part("escpos/debug/escpos-decode")), bytes);
    let nodes: Vec<Value> = serde_json::from_str(&said).unwrap();
    let (mut out, mut line, mut columns, mut width, mut stored) = (Decoded::default(), String::new(), 0, 1, None);
    for node in nodes {
        match node["type"].as_str().unwrap() {
            "text" => {
                let text = node["text"].as_str().unwrap();
                line.push_str(text);
                columns += usize::try_from(width).unwrap() * text.chars().count();
            }
            "line-feed" => {
                out.lines.push(std::mem::take(&mut line).trim_end().to_owned());
                out.widest = out.widest.max(std::mem::take(&mut columns));
            }
            "size" => width = node["width"].as_u64().unwrap(),
            "qr-store" => stored = node["text"].as_str().map(str::to_owned),
            "qr-print" => out.codes.extend(stored.clone()),
            "cut" => out.cuts += 1,
            "pulse" => out.pulses += 1,
            "unknown" => out.unknown.push(node["bytesHex"].as_str().unwrap().to_owned()),
            "init"
            | "code-page"
            | "align"
            | "bold"
            | "feed"
            | "qr-model"
            | "qr-module-size"
            | "qr-error-correction" => {}
            other => panic!("a receipt has no {other}: {node}"),
        }
    }
    assert!(line.is_empty(), "text without an end: {line}");
    out
}

/// What zxing-cpp reads in a picture.
pub fn codes_in(picture: &Path) -> Vec<String> {
    let found: Vec<Value> = serde_json::from_str(&run(python("read_codes.py").arg(picture), &[])).unwrap();
    found.iter().map(|code| code["text"].as_str().unwrap().to_owned()).collect()
}

/// What Python knows of cp437, cp858 and cp1252: the characters from 0x80.
pub fn characters_of_python() -> Vec<(String, Vec<Option<char>>)> {
    let said = run(&mut python("code_pages.py"), &[]);
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
