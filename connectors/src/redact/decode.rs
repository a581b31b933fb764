//! Undoing the escapes in which a value could hide.

use super::LOOKED_AT_CHARS;

/// Undoes the escapes in which a value could hide (JSON's `\u00fc` and `\/`, percent encoding, HTML references) until
/// nothing changes any more or three layers are gone.
pub(super) fn decode(text: &str) -> Vec<char> {
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
