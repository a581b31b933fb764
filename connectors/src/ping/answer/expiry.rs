//! How long a bid holds.

use std::time::Duration;

use chrono::DateTime;

/// The longest time a bid is believed to hold; what holds longer is taken for this.
pub(super) const HOLDS_FOR_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Why an expiry cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpiryProblem {
    #[error("the bid's expiry is neither seconds nor a time of RFC 3339")]
    Unreadable,
    #[error("the bid's expiry is a time, and the answer has no date to compare it with")]
    NoDate,
    #[error("the bid has expired already")]
    Expired,
}

/// Reads an expiry; an empty one is none. A time is compared with the `Date` of the same answer: both are of the buyer's
/// clock, so that it does not matter whether ours agrees.
pub(super) fn holds_for(text: &str, date: Option<&str>) -> Result<Option<Duration>, ExpiryProblem> {
    if text.is_empty() {
        return Ok(None);
    }
    let holds_for = match seconds(text) {
        Some(duration) => duration,
        None => {
            let until = DateTime::parse_from_rfc3339(text).map_err(|_| ExpiryProblem::Unreadable)?;
            let date = date.and_then(|date| DateTime::parse_from_rfc2822(date.trim()).ok());
            let date = date.ok_or(ExpiryProblem::NoDate)?;
            until.signed_duration_since(date).to_std().map_err(|_| ExpiryProblem::Expired)?
        }
    };
    if holds_for.is_zero() { Err(ExpiryProblem::Expired) } else { Ok(Some(holds_for.min(HOLDS_FOR_MAX))) }
}

/// Whole seconds and milliseconds; more digits than fit are still only "very long".
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = whole.parse().unwrap_or(u64::MAX).min(HOLDS_FOR_MAX.as_secs());
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(Duration::from_secs(whole) + Duration::from_millis(millis.parse().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DATE: &str = "Sat, 21 Nov 2026 08:00:00 GMT";

    #[test]
    fn seconds_and_times_are_read() {
        let ms = |millis| Ok(Some(Duration::from_millis(millis)));
        for (text, expected) in [
            ("60", ms(60_000)),
            ("0.5", ms(500)),
            ("1.2345", ms(1_234)),
            ("", Ok(None)),
            ("99999999999999999999999", Ok(Some(HOLDS_FOR_MAX))),
            ("2026-11-21T08:00:30Z", ms(30_000)),
            ("2026-11-21T09:00:30.250+01:00", ms(30_250)),
            ("2027-11-21T08:00:00Z", Ok(Some(HOLDS_FOR_MAX))),
            ("0", Err(ExpiryProblem::Expired)),
            ("0.0001", Err(ExpiryProblem::Expired)),
            ("2026-11-21T08:00:00Z", Err(ExpiryProblem::Expired)),
            ("2026-11-21T07:00:00Z", Err(ExpiryProblem::Expired)),
            ("-5", Err(ExpiryProblem::Unreadable)),
            ("1e3", Err(ExpiryProblem::Unreadable)),
            ("NaN", Err(ExpiryProblem::Unreadable)),
            ("2026-11-21", Err(ExpiryProblem::Unreadable)),
            ("soon", Err(ExpiryProblem::Unreadable)),
        ] {
            assert_eq!(holds_for(text, Some(DATE)), expected, "{text}");
        }
        assert_eq!(holds_for("2026-11-21T08:00:30Z", None), Err(ExpiryProblem::NoDate));
        assert_eq!(holds_for("2026-11-21T08:00:30Z", Some("today")), Err(ExpiryProblem::NoDate));
    }

    proptest! {
        /// No text panics, and nothing holds for ever.
        #[test]
        fn any_expiry_is_survived(text in "\\PC{0,40}", near in "[0-9.TZ:+-]{0,30}", date in "\\PC{0,40}") {
            for text in [text, near] {
                for date in [None, Some(date.as_str()), Some(DATE)] {
                    if let Ok(Some(holds_for)) = holds_for(&text, date) {
                        prop_assert!(holds_for <= HOLDS_FOR_MAX);
                    }
                }
            }
        }
    }
}
