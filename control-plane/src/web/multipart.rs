//! A form with a file in it, as browsers send it (multipart/form-data). Pure: the whole body in, its fields out. The
//! body was limited before it came here, so nothing is copied but what is asked for.

use bytes::Bytes;

/// Fields beyond this are not ours.
const FIELDS: usize = 16;
/// Longest file name that is kept, in characters; it is shown and nothing else.
const NAME_CHARS: usize = 60;

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The file's name, where it is one.
    pub file_name: Option<String>,
    /// Its content.
    pub content: Bytes,
}

/// The boundary that a `Content-Type` of multipart/form-data names.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = rest.split(';').map(str::trim).find_map(|item| {
        let (name, value) = item.split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    let value = value.trim_matches('"');
    (!value.is_empty() && value.len() <= 70).then_some(value)
}

/// The fields of a body, in their order. A body that breaks off gives the fields before the break.
pub fn parts(body: &Bytes, boundary: &str) -> Vec<Part> {
    let opening = format!("--{boundary}").into_bytes();
    let closing = format!("\r\n--{boundary}").into_bytes();
    let mut found = Vec::new();
    let Some(mut at) = find(body, &opening, 0).map(|at| at + opening.len()) else { return found };
    while found.len() < FIELDS {
        // After the boundary: "--" ends the body, a line break begins a field.
        if body.get(at..at + 2) != Some(b"\r\n".as_slice()) {
            break;
        }
        let begin = at + 2;
        let Some(blank) = find(body, b"\r\n\r\n", at) else { break };
        let head = body.get(begin.min(blank)..blank).unwrap_or_default();
        let content = blank + 4;
        let Some(end) = find(body, &closing, content.saturating_sub(2)) else { break };
        if let Some((name, file_name)) = disposition(head) {
            // An empty field's closing boundary shares its line break with the blank line.
            found.push(Part { name, file_name, content: body.slice(content.min(end.max(content))..end.max(content)) });
        }
        at = end + closing.len();
    }
    found
}

fn find(body: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let first = *needle.first()?;
    let mut at = from;
    while let Some(step) = body.get(at..)?.iter().position(|byte| *byte == first) {
        at += step;
        if body.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Name and file name out of the head of a field.
fn disposition(head: &[u8]) -> Option<(String, Option<String>)> {
    let text = String::from_utf8_lossy(head);
    let line = text.split("\r\n").find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let value = |key: &str| {
        let start = line.find(&format!("; {key}=\""))? + key.len() + 4;
        let rest = line.get(start..)?;
        rest.split('"').next().map(str::to_owned)
    };
    let file_name = value("filename").map(|name| shown(&name));
    value("name").map(|name| (name, file_name))
}

/// A file name that can be shown: its last part, without control characters.
pub fn shown(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[test]
    fn a_browsers_form_is_read() {
        let kind = "multipart/form-data; boundary=----WebKitFormBoundaryX";
        let boundary = boundary(kind).unwrap();
        let text = body(
            "------WebKitFormBoundaryX\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nt0k\r\n\
             ------WebKitFormBoundaryX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\a.csv\"\r\n\
             Content-Type: text/csv\r\n\r\ncode,description\r\nA,--x\r\n\r\n\
             ------WebKitFormBoundaryX\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n\r\n\
             ------WebKitFormBoundaryX--\r\n",
        );
        let found = parts(&text, boundary);
        let told: Vec<_> = found.iter().map(|part| (part.name.as_str(), part.content.as_ref())).collect();
        let file: &[u8] = b"code,description\r\nA,--x\r\n";
        assert_eq!(told, [("csrf", b"t0k".as_slice()), ("file", file), ("text", b"".as_slice())]);
        assert_eq!(found[1].file_name.as_deref(), Some("a.csv"));
        assert!(super::boundary("text/csv").is_none() && super::boundary("multipart/form-data; boundary=").is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            cut in 0_usize..200,
        ) {
            let mut whole = b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n".to_vec();
            whole.extend(&bytes);
            whole.extend(b"\r\n--b--");
            let read = parts(&Bytes::from(whole.clone()), "b");
            if !bytes.windows(3).any(|window| window == b"--b") {
                proptest::prop_assert_eq!(read[0].content.as_ref(), bytes.as_slice());
            }
            whole.truncate(cut);
            parts(&Bytes::from(whole), "b");
            parts(&Bytes::from(bytes), "b");
        }
    }
}
