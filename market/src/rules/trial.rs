//! Tests: what a supplier in test mode is answered, whatever the market looks like. The last digit of the postal code
//! says it, so that every answer can be had on purpose.
//!
//! | ends in | the lead is | the ping is |
//! |---|---|---|
//! | 1 | rejected, `DUPLICATE` | offered |
//! | 2 | rejected, `SUPPRESSION` | offered |
//! | 3 | rejected, `CONSENT` | offered |
//! | 4 | unsold, `NO_BUYER` | refused, `NO_BUYER` |
//! | 6 | sold; after a ping unsold, `PROMISE_LAPSED` | offered |
//! | anything else, or nothing | sold | offered |

use leadyard_types::Check;

/// What a test is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestAnswer {
    /// Sold.
    Sold,
    /// Nobody buys.
    NoBuyer,
    /// Sold, unless a price was promised before.
    Lapses,
    /// A check refuses it.
    Rejected(Check),
}

/// The answer to a postal code.
#[must_use]
pub fn test_answer(postal_code: Option<&str>) -> TestAnswer {
    match last_digit(postal_code) {
        Some('1') => TestAnswer::Rejected(Check::Duplicate),
        Some('2') => TestAnswer::Rejected(Check::Suppression),
        Some('3') => TestAnswer::Rejected(Check::Consent),
        Some('4') => TestAnswer::NoBuyer,
        Some('6') => TestAnswer::Lapses,
        _ => TestAnswer::Sold,
    }
}

/// The price at which a test is said to sell, minor units: the campaign's floor and one whole unit more per last digit,
/// so that different leads have different prices.
#[must_use]
pub fn test_price_minor(postal_code: Option<&str>, floor_minor: i64) -> i64 {
    let digit = last_digit(postal_code).and_then(|digit| digit.to_digit(10)).unwrap_or_default();
    floor_minor.saturating_add(100 * i64::from(digit + 1))
}

fn last_digit(postal_code: Option<&str>) -> Option<char> {
    postal_code?.chars().rev().find(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every answer can be had on purpose, also where postal codes end in letters.
    #[test]
    fn the_postal_code_says_it() {
        let answers = ["10115", "10111", "10112", "10113", "10114", "10116", "SW1A 1AA", "none"];
        let found = answers.map(|code| test_answer(Some(code)));
        use TestAnswer::{Lapses, NoBuyer, Rejected, Sold};
        assert_eq!(
            found[..4],
            [Sold, Rejected(Check::Duplicate), Rejected(Check::Suppression), Rejected(Check::Consent)]
        );
        assert_eq!(found[4..], [NoBuyer, Lapses, Rejected(Check::Duplicate), Sold]);
        assert_eq!(test_answer(None), Sold);
        assert_eq!((test_price_minor(Some("10115"), 300), test_price_minor(None, 300)), (900, 400));
    }
}
