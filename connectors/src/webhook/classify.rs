//! What a webhook's answer means when no verdict is awaited.
//!
//! Standard Webhooks: only 2xx is success; everything else is tried again on the schedule, because receivers answer 400
//! and 404 while they are being mended; 410 ends it. A refused authorisation (401, 403) is tried again like that, too, and
//! ends dead where nobody mends it. Sending again is always safe: the id of the message is the same.

use std::time::Duration;

use leadyard_types::{DeliveryOutcome, Timestamp};

use crate::http::{OutboundAnswer, SendFailure};
use crate::schedule::RETRY_AFTER_MAX;

/// Statuses with which a receiver asks for patience (settled question 31); their `Retry-After` is honoured.
const THROTTLES: [u16; 4] = [429, 502, 503, 504];

/// Words by which a conflict says that the lead is known already.
const DUPLICATE_WORDS: [&str; 4] = ["duplicate", "already", "exists", "processed"];

/// The outcome of an answer, and what to tell the operator about it.
pub(super) fn outcome(answer: &OutboundAnswer) -> (DeliveryOutcome, Option<&'static str>) {
    match answer.status {
        200..=299 => (DeliveryOutcome::Accepted, None),
        300..=399 => (DeliveryOutcome::Retry, Some("the destination redirects; redirects are not followed")),
        401 | 403 => (DeliveryOutcome::Retry, Some("the destination refused our authorisation")),
        409 if hints_at_duplicate(&answer.body) => (DeliveryOutcome::Duplicate, None),
        410 => (DeliveryOutcome::Gone, Some("the destination says that it is gone for good")),
        429 => (DeliveryOutcome::Retry, Some("the destination asks for fewer requests")),
        400..=499 => (DeliveryOutcome::Retry, Some("the destination did not take the request")),
        _ => (DeliveryOutcome::Retry, Some("the destination failed")),
    }
}

/// What a failure without an answer means.
pub(super) fn failed(failure: SendFailure) -> DeliveryOutcome {
    match failure {
        SendFailure::Forbidden(_) => DeliveryOutcome::Misconfigured,
        SendFailure::NotSent(_) | SendFailure::AnswerLost(_) => DeliveryOutcome::Retry,
    }
}

fn hints_at_duplicate(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    DUPLICATE_WORDS.iter().any(|word| text.contains(word))
}

/// How long the receiver asks us to wait, in seconds or until an HTTP date, at most [`RETRY_AFTER_MAX`].
pub(super) fn retry_after(answer: &OutboundAnswer, now: Timestamp) -> Option<Duration> {
    if !THROTTLES.contains(&answer.status) {
        return None;
    }
    parse_retry_after(answer.header("retry-after")?.trim(), now)
}

fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still only "very long".
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)).min(RETRY_AFTER_MAX));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    let wait = date.with_timezone(&chrono::Utc).signed_duration_since(now);
    Some(wait.to_std().unwrap_or_default().min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, body: &str) -> OutboundAnswer {
        OutboundAnswer { status, headers: Vec::new(), body: body.into(), truncated: false, duration: Duration::ZERO }
    }

    #[test]
    fn statuses_mean_what_the_standard_says() {
        use DeliveryOutcome::{Accepted, Duplicate, Gone, Retry};
        for (status, body, expected) in [
            (200, "", Accepted),
            (204, "", Accepted),
            (299, "{\"status\":\"rejected\"}", Accepted),
            (301, "", Retry),
            (307, "", Retry),
            (400, "", Retry),
            (401, "", Retry),
            (403, "", Retry),
            (404, "", Retry),
            (409, "", Retry),
            (409, "{\"error\":\"DUPLICATE lead\"}", Duplicate),
            (409, "lead already exists", Duplicate),
            (410, "", Gone),
            (422, "duplicate", Retry),
            (429, "", Retry),
            (500, "", Retry),
            (503, "", Retry),
            (999, "", Retry),
            (100, "", Retry),
        ] {
            assert_eq!(outcome(&answer(status, body)).0, expected, "{status} {body}");
        }
    }

    #[test]
    fn patience_is_asked_for_in_two_ways() {
        let now = chrono::DateTime::from_timestamp(784_111_777, 0).unwrap();
        for (value, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("999999999999999999999999", Some(RETRY_AFTER_MAX.as_secs())),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Sat, 06 Nov 2094 08:00:00 GMT", Some(RETRY_AFTER_MAX.as_secs())),
            ("-5", None),
            ("", None),
            ("soon", None),
            ("1.5", None),
        ] {
            assert_eq!(parse_retry_after(value, now).map(|wait| wait.as_secs()), expected, "{value}");
        }
        let mut throttled = answer(503, "");
        throttled.headers.push(("retry-after".into(), "7".into()));
        assert_eq!(retry_after(&throttled, now), Some(Duration::from_secs(7)));
        throttled.status = 500;
        assert_eq!(retry_after(&throttled, now), None);
    }

    proptest! {
        /// No header value panics, and no wait is longer than allowed.
        #[test]
        fn any_retry_after_is_survived(value in ".{0,40}", seconds in -1_000_000_000_i64..10_000_000_000) {
            let now = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert!(parse_retry_after(&value, now).unwrap_or_default() <= RETRY_AFTER_MAX);
        }
    }
}
