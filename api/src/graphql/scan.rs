//! The first pass: a scan over the bytes of a document, before anything parses it.
//!
//! The engine's parser calls itself for every bracket, and a 4 KB document of nothing but brackets would end the whole
//! process. So brackets and tokens are counted first, in one pass that neither allocates nor recurses. The same pass finds
//! U+0000 in its texts, and another one in what its variables hold: PostgreSQL stores no such text, SQLite would.

use serde_json::{Map, Value};

/// How deep brackets may nest: far deeper than any screen needs, far too shallow to exhaust a stack.
const DEPTH_MAX: u32 = 48;
/// How many tokens a document may have.
const TOKENS_MAX: u32 = 10_000;

/// Why a document is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Brackets nest too deep.
    Depth,
    /// There are too many tokens.
    Tokens,
    /// A text holds the character U+0000.
    Nul,
}

/// Counts brackets and tokens; what stands in strings and comments does not count. Answers how many tokens there are.
pub(crate) fn scan(document: &str) -> Result<u32, Unfit> {
    let bytes = document.as_bytes();
    let (mut at, mut depth, mut tokens) = (0, 0_u32, 0_u32);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => at = until(bytes, at, |byte| matches!(byte, b'\n' | b'\r')),
            b'"' => {
                tokens += 1;
                let end = after_string(bytes, at);
                if has_nul(bytes.get(at..end).unwrap_or_default()) {
                    return Err(Unfit::Nul);
                }
                at = end;
                continue;
            }
            b'{' | b'[' | b'(' => {
                tokens += 1;
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(Unfit::Depth);
                }
            }
            b'}' | b']' | b')' => {
                tokens += 1;
                depth = depth.saturating_sub(1);
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => {
                tokens += 1;
                at = until(
                    bytes,
                    at,
                    |byte| !matches!(byte, b'_' | b'.' | b'-' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'),
                );
                if tokens > TOKENS_MAX {
                    return Err(Unfit::Tokens);
                }
                continue;
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {}
            _ => tokens += 1,
        }
        if tokens > TOKENS_MAX {
            return Err(Unfit::Tokens);
        }
        at += 1;
    }
    Ok(tokens)
}

/// The first place from `at` on where the byte fits, or the end.
fn until(bytes: &[u8], at: usize, fits: impl Fn(u8) -> bool) -> usize {
    bytes.iter().skip(at).position(|byte| fits(*byte)).map_or(bytes.len(), |found| at + found)
}

/// The place behind a string or block string that begins at `at`.
fn after_string(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.starts_with(b"\"\"\"") {
        let mut end = at + 3;
        while let Some(rest) = bytes.get(end..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with(b"\\\"\"\"") {
                end += 4;
            } else if rest.starts_with(b"\"\"\"") {
                return end + 3;
            } else {
                end += 1;
            }
        }
        return end;
    }
    let mut end = at + 1;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'\\' => end += 2,
            // A string ends at its quote, or, broken, at the end of its line.
            b'"' | b'\n' | b'\r' => return end + 1,
            _ => end += 1,
        }
    }
    bytes.len()
}

/// Whether a string or block string of a document holds U+0000, written as itself or, in a string, as `\u0000`.
fn has_nul(literal: &[u8]) -> bool {
    if literal.contains(&0) {
        return true;
    }
    if literal.starts_with(b"\"\"\"") {
        return false;
    }
    let mut at = 0;
    while let Some(rest) = literal.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(b"\\u0000") {
            return true;
        }
        // What stands behind a backslash begins no escape of its own.
        at += if rest.starts_with(b"\\") { 2 } else { 1 };
    }
    false
}

/// Whether what was sent for variables holds U+0000, as a text or as a key. What was sent nests no deeper than JSON may.
pub(crate) fn nul_in(variables: &Map<String, Value>) -> bool {
    fn holds(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(holds),
            Value::Object(map) => nul_in(map),
            _ => false,
        }
    }
    variables.iter().any(|(key, value)| key.contains('\0') || holds(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Documents that exhaust the parser are refused by their brackets alone; what a person writes passes.
    #[test]
    fn brackets_and_tokens_are_bounded() {
        let nested =
            |open: &str, close: &str, times| format!("{{a(x:{}1{})}}", open.repeat(times), close.repeat(times));
        assert_eq!(scan(&nested("[", "]", 2_000)), Err(Unfit::Depth));
        assert_eq!(scan(&nested("{a:", "}", 2_000)), Err(Unfit::Depth));
        assert_eq!(scan(&"{a".repeat(60)), Err(Unfit::Depth));
        assert!(scan(&nested("[", "]", 40)).is_ok());
        assert_eq!(scan(&"a ".repeat(10_001)), Err(Unfit::Tokens));
        assert_eq!(scan(&"@".repeat(10_001)), Err(Unfit::Tokens));
        assert_eq!(scan("query { leads(first: 10) { nodes { id } } }"), Ok(15));
    }

    /// Brackets in strings and comments are text, however the string ends.
    #[test]
    fn strings_and_comments_are_text() {
        let brackets = "[".repeat(500);
        for document in [
            format!("{{a(x:\"{brackets}\\\"{brackets}\")}}"),
            format!("{{a(x:\"\"\"{brackets}\\\"\"\"{brackets}\"\"\")}} # {brackets}"),
            format!("# {brackets}\n{{a}}"),
            format!("{{a(x:\"{brackets}"),
            format!("{{a(x:\"\"\"{brackets}"),
            "\\".to_owned(),
            "{a(x:\"\\".to_owned(),
        ] {
            assert!(scan(&document).is_ok(), "{document}");
        }
        // A broken string ends with its line: what follows counts.
        assert_eq!(scan(&format!("{{a(x:\"\n{brackets}")), Err(Unfit::Depth));
    }

    /// U+0000 is found in every text, however it is written, and nowhere else.
    #[test]
    fn a_nul_in_a_text_is_found() {
        for document in [
            "{a(x:\"\0\")}",
            "{a(x:\"b\\u0000\")}",
            "{a(x:\"\\\\\\u0000\")}",
            "{a(x:\"\"\"b\0\"\"\")}",
            "{a(x:[\"\", {y:\"\\u0000\"}])}",
            "query($v: String = \"\\u0000\") {a(x: $v)}",
            "{a(x:\"\0",
        ] {
            assert_eq!(scan(document), Err(Unfit::Nul), "{document:?}");
        }
        for document in
            ["{a(x:\"\\\\u0000\")}", "{a(x:\"\"\"\\u0000\"\"\")}", "{a(x:\"u0000\\u0001\")}", "{a} # \\u0000 \0"]
        {
            assert!(scan(document).is_ok(), "{document:?}");
        }
        let sent = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        for text in [
            r#"{"a":"\u0000"}"#,
            r#"{"a":"b\u0000c"}"#,
            r#"{"a\u0000":1}"#,
            r#"{"a":[1,{"b":["\u0000"]}]}"#,
            r#"{"a":{"\u0000":1}}"#,
        ] {
            assert!(nul_in(&sent(text)), "{text}");
        }
        assert!(!nul_in(&sent(r#"{"a":"\\u0000","b":[null,1,true,"\u0001"]}"#)));
    }
}
