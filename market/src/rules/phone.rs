//! Telephone numbers: whatever people type becomes E.164, by Google's rules, or is refused.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

/// Longer than any number with all its brackets and blanks.
const WRITTEN_CHARS_MAX: usize = 40;

/// The number in E.164 (`+4930123456`), if it is a valid one. Numbers without a country code are read as the country's
/// own; national habits are fine: `030 / 123 456`, `(0)30`, `0049…`, `+49 (0) 30`.
#[must_use]
pub fn e164(country: &str, written: &str) -> Option<String> {
    let written = written.trim();
    let written = written.strip_prefix("tel:").unwrap_or(written);
    // Google's rules skip words around a number and read letters as keys; a field that holds words is a mistake.
    if written.chars().count() > WRITTEN_CHARS_MAX || written.chars().any(char::is_alphabetic) {
        return None;
    }
    let number = PHONE_NUMBER_UTIL.parse(written, Region::from_code(country).ok()).ok()?;
    number.is_valid().then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
}

/// Reads the rules of all countries, which the first number would wait for.
pub fn prepare() {
    // Any number: only that the rules are read matters.
    let _ = e164("DE", "+49 30 123456");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check 2: phone numbers become E.164, whatever national habit they are written in.
    #[test]
    fn national_habits_become_one_number() {
        for written in [
            "030 / 123 456",
            "(0)30 123456",
            "(030) 123-456",
            "0049 30 123456",
            "004930123456",
            "+49 (0) 30 123456",
            "+49(0)30/123456",
            "+49 30 123456",
            "tel:+49-30-123456",
            "030.123.456",
            " 030 123456 ",
        ] {
            assert_eq!(e164("DE", written).as_deref(), Some("+4930123456"), "{written}");
        }
        assert_eq!(e164("US", "(212) 555-2368").as_deref(), Some("+12125552368"));
        assert_eq!(e164("AT", "01 51444").as_deref(), Some("+43151444"));
        assert_eq!(e164("CH", "044 668 18 00").as_deref(), Some("+41446681800"));
        assert_eq!(e164("DE", "+41 44 668 18 00").as_deref(), Some("+41446681800"));
    }

    /// What is no number is refused, not guessed.
    #[test]
    fn what_is_no_number_is_refused() {
        for written in
            ["", "123", "0000000", "abc", "call 030 123456", "+", "+999 123456", "030 123456 ext 5", "1-800-FLOWERS"]
        {
            assert_eq!(e164("DE", written), None, "{written}");
        }
        assert_eq!(e164("US", "555-2368"), None);
        assert_eq!(e164("DE", &"1".repeat(10_000)), None);
    }

    /// What was normalised once stays as it is.
    #[test]
    fn a_normalised_number_stays() {
        assert_eq!(e164("US", "+4930123456").as_deref(), Some("+4930123456"));
    }
}
