//! What may be kept of a remote system's words: short, printable, and nothing about the person.
//!
//! An answer often repeats what it was sent. Which fields are personal is not known here, so every value of the lead
//! counts as personal. On top of it whatever looks like an e-mail address, a telephone number or an encoded blob is
//! masked, because answers also know things we did not send.

mod decode;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use decode::decode;
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
        Self::looking_for(needles)
    }

    /// Looks for these personal values and their words, and for these secrets as they are.
    pub(crate) fn of_values<'text>(
        personal: impl Iterator<Item = &'text str>,
        secret: impl Iterator<Item = &'text str>,
    ) -> Self {
        let mut needles = BTreeSet::new();
        personal.for_each(|text| add(text, &mut needles));
        needles.extend(secret.map(lowered).filter(|secret| !secret.is_empty()));
        Self::looking_for(needles)
    }

    fn looking_for(needles: BTreeSet<String>) -> Self {
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
        self.text_up_to(text, EXCERPT_CHARS_MAX)
    }

    /// The same, of so many characters at most.
    pub(crate) fn text_up_to(&self, text: &str, chars_max: usize) -> String {
        let plain: Vec<char> = decode(text);
        let mut masked = vec![false; plain.len()];
        self.mask_values(&plain, &mut masked);
        mask_emails(&plain, &mut masked);
        mask_phones(&plain, &mut masked);
        mask_tokens(&plain, &mut masked);
        shorten(&plain, &masked, chars_max)
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
    let lowered = lowered(text);
    if lowered.is_empty() {
        return;
    }
    let word_chars = if lowered.chars().count() <= NAME_CHARS { 3 } else { 6 };
    let words = lowered.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= word_chars);
    needles.extend(words.take(WORDS_PER_VALUE).map(str::to_owned));
    needles.insert(lowered);
}

fn lowered(text: &str) -> String {
    text.trim().chars().take(LOOKED_AT_CHARS).map(lower).collect()
}

/// One character for one character, so that positions stay the same.
fn lower(c: char) -> char {
    let mut lowered = c.to_lowercase();
    match (lowered.next(), lowered.next()) {
        (Some(single), None) => single,
        _ => c,
    }
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
fn shorten(plain: &[char], masked: &[bool], chars_max: usize) -> String {
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
        if chars > chars_max {
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
