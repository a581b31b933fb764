//! What may be kept of a remote system's words: short, printable, and nothing about the person.
//!
//! An answer often repeats what it was sent. Which fields are personal is not known here, so every value of the lead
//! counts as personal. On top of it whatever looks like an e-mail address, a telephone number or an encoded blob is
//! masked, because answers also know things we did not send.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::package::DeliveryPackage;

/// The most characters kept of an answer: enough for an error's name and sentence.
pub const EXCERPT_CHARS_MAX: usize = 200;

/// The most characters of an answer looked at, before masking shortens it.
const LOOKED_AT_CHARS: usize = 2_000;

/// What stands in for a masked value.
const MASK: &str = "***";

/// Digits in a row (with the separators of telephone numbers) from which on they may be a number to call.
const PHONE_DIGITS: usize = 6;

/// Unbroken tokens from this length on may be encoded data or a secret.
const TOKEN_CHARS: usize = 25;

/// Up to this length a value is a name or an address, and each of its words says who it is. In a longer text only long
/// words are looked for one by one, or every "and" of an answer would be masked.
const NAME_CHARS: usize = 80;

/// Words of a long text that are looked for.
const WORDS_PER_VALUE: usize = 100;

/// The values of one lead, ready to be found in an answer.
pub struct Redactor {
    /// Lower-cased values and their words, the longest first.
    needles: Vec<Vec<char>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("needles", &self.needles.len()).finish()
    }
}

impl Redactor {
    /// Looks for the values of this package's fields, of its mark of the source, and of what its consent says about the
    /// person (its text is the same for everybody).
    #[must_use]
    pub fn of(package: &DeliveryPackage) -> Self {
        let mut needles = BTreeSet::new();
        package.fields.values().for_each(|value| collect(value, &mut needles));
        if let Some(consent) = &package.consent {
            let parts = [&consent.page_url, &consent.ip];
            parts.into_iter().flatten().for_each(|text| add(text, &mut needles));
            consent.certificate_urls.iter().for_each(|text| add(text, &mut needles));
        }
        if let Some(subid) = &package.source_subid {
            add(subid, &mut needles);
        }
        let mut needles: Vec<Vec<char>> = needles.into_iter().map(|needle| needle.chars().collect()).collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        Self { needles }
    }

    /// An excerpt of an answer's body; `None` if there is nothing to see.
    #[must_use]
    pub fn excerpt(&self, body: &[u8]) -> Option<String> {
        let text: String = String::from_utf8_lossy(body).chars().take(LOOKED_AT_CHARS).collect();
        let kept = self.text(&text);
        if kept.is_empty() { None } else { Some(kept) }
    }

    /// A text without the person, printable, in one line, and short.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let plain: Vec<char> = decode(text);
        let mut masked = vec![false; plain.len()];
        self.mask_values(&plain, &mut masked);
        mask_emails(&plain, &mut masked);
        mask_phones(&plain, &mut masked);
        mask_tokens(&plain, &mut masked);
        shorten(&plain, &masked)
    }

    /// Whether a text holds a value of the lead.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        let plain = decode(text);
        let mut masked = vec![false; plain.len()];
        self.mask_values(&plain, &mut masked);
        masked.contains(&true)
    }

    fn mask_values(&self, plain: &[char], masked: &mut [bool]) {
        let lower: Vec<char> = plain.iter().map(|c| lower(*c)).collect();
        for needle in &self.needles {
            let short = needle.len() < 3;
            for start in 0..lower.len().saturating_sub(needle.len() - 1) {
                let end = start + needle.len();
                if lower[start..end] != needle[..] {
                    continue;
                }
                // One or two letters occur inside any word; they only count when they stand alone.
                let alone = !lower.get(start.wrapping_sub(1)).is_some_and(|c| c.is_alphanumeric())
                    && !lower.get(end).is_some_and(|c| c.is_alphanumeric());
                if !short || alone {
                    masked[start..end].fill(true);
                }
            }
        }
    }
}

fn collect(value: &Value, needles: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => add(text, needles),
        Value::Number(number) => add(&number.to_string(), needles),
        Value::Array(items) => items.iter().for_each(|item| collect(item, needles)),
        Value::Object(items) => items.values().for_each(|item| collect(item, needles)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Adds a value and its words.
fn add(text: &str, needles: &mut BTreeSet<String>) {
    let lowered: String = text.trim().chars().take(LOOKED_AT_CHARS).map(lower).collect();
    if lowered.is_empty() {
        return;
    }
    let word_chars = if lowered.chars().count() <= NAME_CHARS { 3 } else { 6 };
    let words = lowered.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= word_chars);
    needles.extend(words.take(WORDS_PER_VALUE).map(str::to_owned));
    needles.insert(lowered);
}

/// One character for one character, so that positions stay the same.
fn lower(c: char) -> char {
    let mut lowered = c.to_lowercase();
    match (lowered.next(), lowered.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

/// Undoes the escapes in which a value could hide (JSON's `\u00fc` and `\/`, percent encoding, HTML references) until
/// nothing changes any more or three layers are gone.
fn decode(text: &str) -> Vec<char> {
    let mut current: Vec<char> = text.chars().take(LOOKED_AT_CHARS).collect();
    for _ in 0..3 {
        let next = decode_once(&current);
        if next == current {
            break;
        }
        current = next;
    }
    current
}

fn decode_once(text: &[char]) -> Vec<char> {
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    let put = |c: char, bytes: &mut Vec<u8>| bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    let mut at = 0;
    while let Some(&c) = text.get(at) {
        let rest = &text[at + 1..];
        let (taken, decoded) = match c {
            '\\' => json_escape(rest),
            '&' => html_reference(rest),
            '%' => match rest.get(..2).and_then(hexadecimal).and_then(|byte| u8::try_from(byte).ok()) {
                Some(byte) => {
                    bytes.push(byte);
                    at += 3;
                    continue;
                }
                None => (0, None),
            },
            _ => (0, None),
        };
        put(decoded.unwrap_or(c), &mut bytes);
        at += 1 + taken;
    }
    String::from_utf8_lossy(&bytes).chars().collect()
}

/// What follows a backslash: how many characters, and what they mean.
fn json_escape(rest: &[char]) -> (usize, Option<char>) {
    match rest.first() {
        Some('u') => {
            let Some(first) = rest.get(1..5).and_then(hexadecimal) else { return (0, None) };
            if let Some(c) = char::from_u32(first) {
                return (5, Some(c));
            }
            let second = rest.get(7..11).filter(|_| rest.get(5..7) == Some(&['\\', 'u'])).and_then(hexadecimal);
            match second {
                Some(low @ 0xdc00..=0xdfff) if (0xd800..=0xdbff).contains(&first) => {
                    (11, char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00)))
                }
                _ => (5, Some('\u{fffd}')),
            }
        }
        Some(&c @ ('"' | '\\' | '/')) => (1, Some(c)),
        Some('n' | 'r' | 't' | 'b' | 'f') => (1, Some(' ')),
        _ => (0, None),
    }
}

/// What follows an ampersand, if it is a numeric character reference.
fn html_reference(rest: &[char]) -> (usize, Option<char>) {
    let Some(end) = rest.iter().take(10).position(|c| *c == ';') else { return (0, None) };
    let body = &rest[..end];
    let number = match body {
        ['#', 'x' | 'X', digits @ ..] => hexadecimal(digits),
        ['#', digits @ ..] => digits.iter().collect::<String>().parse().ok(),
        ['a', 'm', 'p'] => Some(u32::from('&')),
        _ => None,
    };
    match number.and_then(char::from_u32) {
        Some(c) => (end + 1, Some(c)),
        None => (0, None),
    }
}

fn hexadecimal(digits: &[char]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 6 {
        return None;
    }
    digits.iter().try_fold(0, |value, c| Some(value * 16 + c.to_digit(16)?))
}

/// Masks every run without white space around an at sign.
fn mask_emails(plain: &[char], masked: &mut [bool]) {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ',' | ';' | '(' | ')' | '{' | '}');
    for at in (0..plain.len()).filter(|at| plain[*at] == '@') {
        let start = plain[..at].iter().rposition(|c| ends(*c)).map_or(0, |before| before + 1);
        let end = plain[at..].iter().position(|c| ends(*c)).map_or(plain.len(), |after| at + after);
        masked[start..end].fill(true);
    }
}

/// Masks digits that may be a telephone number, with the separators between them.
fn mask_phones(plain: &[char], masked: &mut [bool]) {
    let separator = |c: char| matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '+' | '\u{a0}');
    let mut start = 0;
    while start < plain.len() {
        if !plain[start].is_numeric() {
            start += 1;
            continue;
        }
        let (mut end, mut last, mut digits) = (start, start, 0);
        while end < plain.len() && (plain[end].is_numeric() || (separator(plain[end]) && end - last <= 3)) {
            if plain[end].is_numeric() {
                digits += 1;
                last = end;
            }
            end += 1;
        }
        if digits >= PHONE_DIGITS {
            masked[start..=last].fill(true);
        }
        start = last + 1;
    }
}

/// Masks long unbroken tokens: base64, hexadecimal, keys.
fn mask_tokens(plain: &[char], masked: &mut [bool]) {
    let token = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-');
    let mut start = 0;
    for piece in plain.split_inclusive(|c| !token(c)) {
        let length = piece.iter().filter(|c| token(c)).count();
        if length >= TOKEN_CHARS {
            masked[start..start + length].fill(true);
        }
        start += piece.len();
    }
}

/// Joins what is left into one short printable line.
fn shorten(plain: &[char], masked: &[bool]) -> String {
    let mut kept = String::new();
    let mut chars = 0;
    let mut hidden = false;
    for (c, masked) in plain.iter().zip(masked) {
        let piece = match (masked, hidden) {
            (true, true) => continue,
            (true, false) => MASK.to_owned(),
            _ if c.is_whitespace() || c.is_control() || is_invisible(*c) => {
                if kept.is_empty() || kept.ends_with(' ') {
                    hidden = false;
                    continue;
                }
                " ".to_owned()
            }
            _ => c.to_string(),
        };
        hidden = *masked;
        chars += piece.chars().count();
        if chars > EXCERPT_CHARS_MAX {
            break;
        }
        kept.push_str(&piece);
    }
    kept.trim_end().to_owned()
}

/// Marks that change how a text reads without being seen (direction overrides, zero width).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffd}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::package::sample;

    fn redact(text: &str) -> String {
        Redactor::of(&sample()).text(text)
    }

    #[test]
    fn what_says_nothing_about_the_person_stays() {
        let text = r#"{"error":"quota exceeded","code":"E42","limit":50}"#;
        assert_eq!(redact(text), text);
        assert_eq!(
            redact("<html>\r\n\t<b>502</b>   Bad Gateway\u{202e}</html>"),
            "<html> <b>502</b> Bad Gateway </html>"
        );
    }

    #[test]
    fn values_are_masked_in_every_writing() {
        for text in [
            "no such person: Annegret",
            "ANNEGRET is known",
            "M\u{fc}ller-L\u{fc}denscheid",
            r#"{"name":"M\u00fcller-L\u00FCdenscheid"}"#,
            r#"{"name":"M\\u00fcller"}"#,
            "name=M%C3%BCller",
            "name=M%25C3%25BCller",
            "M&#252;ller and M&#xfc;ller",
            "mueller@example.org exists",
            "annegret.mueller%40example.org",
            "somebody.else@example.net",
            "call +4915123456789",
            "call 0151 / 234 567-89",
            "call (0151) 2345.6789",
            "zip 01067",
            "age 41",
            "from 93.184.216.34",
            "subid ad-7",
            "bWFyaWEubXVlbGxlckBleGFtcGxlLm9yZw==",
            "6d617269612e6d75656c6c6572406578616d706c65",
        ] {
            let kept = redact(text);
            assert!(kept.contains(MASK), "{text} -> {kept}");
            for value in [
                "nnegret",
                "NNEGRET",
                "denscheid",
                "ller",
                "mueller",
                "else@",
                "2345",
                "567",
                "01067",
                "41",
                "184",
                "ad-7",
                "bWFy",
                "6d61",
            ] {
                assert!(!kept.contains(value), "{text} -> {kept}");
            }
        }
    }

    #[test]
    fn an_excerpt_is_short_and_printable() {
        let redactor = Redactor::of(&sample());
        assert_eq!(redactor.excerpt(b""), None);
        assert_eq!(redactor.excerpt(b" \r\n\0"), None);
        let long = redactor.excerpt("a b\n".repeat(100_000).as_bytes()).unwrap();
        assert!(long.chars().count() <= EXCERPT_CHARS_MAX);
        assert!(!redactor.excerpt(&[0xff, 0xfe, 0x00, b'a', 0x1b, b'[']).unwrap().chars().any(char::is_control));
    }

    #[test]
    fn short_values_only_count_alone() {
        let mut package = sample();
        package.fields = json!({ "state": "CA", "empty": "", "none": null }).as_object().unwrap().clone();
        let redactor = Redactor::of(&package);
        assert_eq!(redactor.text("cannot locate in CA, sorry"), "cannot locate in ***, sorry");
    }

    proptest! {
        /// Whatever a field holds and however the answer wraps it, the value is not in the excerpt.
        #[test]
        fn no_value_survives(value in "[\\p{L}\\p{N}][\\p{L}\\p{N} @.'-]{2,40}", before in ".{0,60}", after in ".{0,60}", how in 0_u8..4) {
            let mut package = sample();
            package.fields.clear();
            package.fields.insert("x".into(), value.clone().into());
            package.consent = None;
            package.source_subid = None;
            let written = match how {
                0 => value.clone(),
                1 => json!(value).to_string(),
                2 => value.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect() }).collect(),
                _ => url::form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>().replace('+', "%20"),
            };
            let kept = Redactor::of(&package).text(&format!("{before} {written} {after}"));
            let trimmed: String = value.trim().chars().map(lower).collect();
            let alone = format!("{before} {after}").chars().map(lower).collect::<String>().contains(&trimmed);
            let lowered: String = kept.chars().map(lower).collect();
            prop_assert!(alone || MASK.contains(&trimmed) || !lowered.contains(&trimmed), "{kept}");
        }

        /// Any bytes give a short printable line.
        #[test]
        fn any_answer_is_made_printable(body in proptest::collection::vec(any::<u8>(), 0..3_000)) {
            let kept = Redactor::of(&sample()).excerpt(&body).unwrap_or_default();
            prop_assert!(kept.chars().count() <= EXCERPT_CHARS_MAX && !kept.chars().any(char::is_control));
        }
    }
}
