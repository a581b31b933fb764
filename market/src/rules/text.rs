//! Comparing texts without regard to case, without allocating.

/// The characters of a text, lower-cased one by one (no locale, no context: the same everywhere).
fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

/// The text as it is compared: lower-cased.
pub(crate) fn fold(text: &str) -> String {
    let mut room = String::with_capacity(text.len());
    fold_into(text, &mut room);
    room
}

/// Adds the text as it is compared to `room`.
pub(crate) fn fold_into(text: &str, room: &mut String) {
    if text.is_ascii() {
        let start = room.len();
        room.push_str(text);
        room[start..].make_ascii_lowercase();
    } else {
        room.extend(folded(text));
    }
}

/// Whether two texts are the same but for case.
pub(crate) fn same(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(b) } else { folded(a).eq(folded(b)) }
}

/// A list for a sentence: `a, b, c`, cut after a dozen.
pub(crate) fn listed<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    /// More would not be read.
    const SHOWN: usize = 12;
    let mut items = items.into_iter();
    let mut text = items.by_ref().take(SHOWN).map(|item| item.to_string()).collect::<Vec<_>>().join(", ");
    let rest = items.count();
    if rest > 0 {
        text.push_str(&format!(" and {rest} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Filters and allowed values compare without regard to case, beyond ASCII too.
    #[test]
    fn case_is_ignored_beyond_ascii() {
        assert!(same("München", "MÜNCHEN"));
        assert!(same("solar", "SOLAR"));
        assert!(!same("solar", "sonar"));
        assert_eq!(fold("ÄRGER"), "ärger");
        assert_eq!(listed(0..14), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more");
    }
}
