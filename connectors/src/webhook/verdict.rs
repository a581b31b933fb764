//! What a webhook's answer means when the buyer's verdict is awaited.
//!
//! Only an explicit answer settles anything: a 2xx whose JSON accepts, rejects or calls the lead a duplicate, or a 4xx
//! whose JSON rejects it. Whatever is unclear is *unknown*: money stays held and nobody else gets the lead, because the
//! buyer may have it.

use leadyard_types::DeliveryOutcome;
use serde_json::{Map, Value};

use crate::http::{OutboundAnswer, SendFailure};

/// The longest reference kept.
const REFERENCE_CHARS_MAX: usize = 100;

/// A buyer's answer to a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: DeliveryOutcome,
    pub(super) reference: Option<String>,
    /// Not yet redacted.
    pub(super) reason: Option<String>,
    pub(super) error: Option<&'static str>,
}

impl Verdict {
    fn unclear(error: &'static str) -> Self {
        Self { outcome: DeliveryOutcome::Unknown, reference: None, reason: None, error: Some(error) }
    }
}

/// Reads the verdict out of an answer.
pub(super) fn read(answer: &OutboundAnswer) -> Verdict {
    use DeliveryOutcome::{Accepted, Duplicate, Rejected, Retry};
    // "Too many requests" is said before a request is looked at: nothing was taken, and the id makes a second try safe.
    if answer.status == 429 {
        let mut verdict = Verdict::unclear("the buyer asks for fewer requests");
        verdict.outcome = Retry;
        return verdict;
    }
    if answer.truncated {
        return Verdict::unclear("the buyer's answer did not arrive in full");
    }
    let parsed: Option<Map<String, Value>> = serde_json::from_slice(&answer.body).ok();
    let Some(body) = parsed else {
        return Verdict::unclear("the buyer's answer is not a JSON object");
    };
    let Some(said) = said(&body) else {
        return Verdict::unclear("the buyer's answer names no verdict");
    };
    match (answer.status, said) {
        (200..=299, Accepted | Duplicate | Rejected) | (400..=499, Duplicate | Rejected) => Verdict {
            outcome: said,
            reference: reference(&body),
            reason: text_of(&body, &["reason", "message", "error"]),
            error: None,
        },
        _ => Verdict::unclear("the buyer's status and verdict do not fit"),
    }
}

/// What it means that there is no answer.
pub(super) fn without_answer(failure: SendFailure) -> DeliveryOutcome {
    match failure {
        SendFailure::Forbidden(_) => DeliveryOutcome::Misconfigured,
        SendFailure::NotSent(_) => DeliveryOutcome::Retry,
        SendFailure::AnswerLost(_) => DeliveryOutcome::Unknown,
    }
}

/// The verdict a body names: by its status word, or by `accepted` or `success`. Two that disagree are none.
fn said(body: &Map<String, Value>) -> Option<DeliveryOutcome> {
    let mut verdicts = Vec::new();
    for (key, value) in body {
        let verdict = match key.to_ascii_lowercase().as_str() {
            "status" => status_word(value)?,
            "accepted" | "success" => match flag(value)? {
                true => DeliveryOutcome::Accepted,
                false => DeliveryOutcome::Rejected,
            },
            _ => continue,
        };
        verdicts.push(verdict);
    }
    match verdicts.as_slice() {
        [] => None,
        [first, rest @ ..] if rest.iter().all(|other| other == first) => Some(*first),
        // {"accepted": false, "status": "duplicate"} is a duplicate.
        all if all.contains(&DeliveryOutcome::Duplicate) && !all.contains(&DeliveryOutcome::Accepted) => {
            Some(DeliveryOutcome::Duplicate)
        }
        _ => None,
    }
}

fn status_word(value: &Value) -> Option<DeliveryOutcome> {
    match value.as_str()?.trim().to_ascii_lowercase().as_str() {
        "accepted" => Some(DeliveryOutcome::Accepted),
        "rejected" => Some(DeliveryOutcome::Rejected),
        "duplicate" => Some(DeliveryOutcome::Duplicate),
        _ => None,
    }
}

fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The buyer's own mark of the lead: a number or a word of ordinary characters, or it is not kept.
fn reference(body: &Map<String, Value>) -> Option<String> {
    let found = find(body, "reference")?;
    let text = match found {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    is_reference(&text).then_some(text)
}

/// Whether a text can be a buyer's mark of a lead: a word of ordinary characters.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    let ordinary = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '#');
    !text.is_empty() && text.len() <= REFERENCE_CHARS_MAX && text.chars().all(ordinary)
}

fn text_of(body: &Map<String, Value>, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| find(body, key)?.as_str().map(str::to_owned))
}

fn find<'body>(body: &'body Map<String, Value>, key: &str) -> Option<&'body Value> {
    body.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, body: impl Into<Vec<u8>>) -> OutboundAnswer {
        OutboundAnswer { status, headers: Vec::new(), body: body.into(), truncated: false, duration: Duration::ZERO }
    }

    #[test]
    fn only_explicit_answers_settle() {
        use DeliveryOutcome::{Accepted, Duplicate, Rejected, Retry, Unknown};
        for (status, body, expected) in [
            (200, r#"{"status":"accepted"}"#, Accepted),
            (201, r#"{"Status":" ACCEPTED "}"#, Accepted),
            (200, r#"{"status":"rejected","reason":"filtered"}"#, Rejected),
            (200, r#"{"status":"Duplicate"}"#, Duplicate),
            (200, r#"{"accepted":true}"#, Accepted),
            (200, r#"{"Success":"true"}"#, Accepted),
            (200, r#"{"success":false}"#, Rejected),
            (200, r#"{"accepted":false,"status":"duplicate"}"#, Duplicate),
            (422, r#"{"status":"rejected"}"#, Rejected),
            (409, r#"{"status":"duplicate"}"#, Duplicate),
            (400, r#"{"accepted":false}"#, Rejected),
            (429, "", Retry),
            (429, r#"{"accepted":true}"#, Retry),
            (200, "", Unknown),
            (200, "OK", Unknown),
            (200, "true", Unknown),
            (200, "[]", Unknown),
            (200, "{}", Unknown),
            (200, r#"{"status":"ok"}"#, Unknown),
            (200, r#"{"status":1}"#, Unknown),
            (200, r#"{"accepted":1}"#, Unknown),
            (200, r#"{"accepted":null}"#, Unknown),
            (200, r#"{"accepted":true,"status":"rejected"}"#, Unknown),
            (200, r#"{"accepted":true,"status":"pending"}"#, Unknown),
            (200, r#"{"accepted":true,"status":"duplicate"}"#, Unknown),
            (200, r#"{"data":{"accepted":true}}"#, Unknown),
            (302, r#"{"accepted":true}"#, Unknown),
            (400, r#"{"accepted":true}"#, Unknown),
            (404, "not found", Unknown),
            (401, "", Unknown),
            (410, "", Unknown),
            (500, r#"{"status":"rejected"}"#, Unknown),
            (503, "", Unknown),
        ] {
            assert_eq!(read(&answer(status, body)).outcome, expected, "{status} {body}");
        }
        let mut cut = answer(200, r#"{"status":"accepted"}"#);
        cut.truncated = true;
        assert_eq!(read(&cut).outcome, Unknown);
    }

    #[test]
    fn deep_nesting_is_unclear_and_no_danger() {
        for open in ["[", "{\"a\":", "{\"status\":["] {
            assert_eq!(read(&answer(200, open.repeat(10_000))).outcome, DeliveryOutcome::Unknown);
        }
        let closed = format!("{{\"accepted\":true,\"x\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(read(&answer(200, closed)).outcome, DeliveryOutcome::Unknown);
    }

    #[test]
    fn references_are_ordinary_words() {
        let kept = |body: &str| read(&answer(200, body)).reference;
        assert_eq!(kept(r#"{"accepted":true,"Reference":"A-17"}"#).as_deref(), Some("A-17"));
        assert_eq!(kept(r#"{"accepted":true,"reference":17}"#).as_deref(), Some("17"));
        assert_eq!(kept(r#"{"accepted":true,"reference":"a@b.c"}"#), None);
        assert_eq!(kept(r#"{"accepted":true,"reference":["x"]}"#), None);
        let long = format!("{{\"accepted\":true,\"reference\":\"{}\"}}", "x".repeat(101));
        assert_eq!(kept(&long), None);
    }

    proptest! {
        /// No bytes panic, and nothing but the exact words accepts.
        #[test]
        fn any_bytes_are_survived(status in 100_u16..600, body: Vec<u8>) {
            prop_assert_ne!(read(&answer(status, body)).outcome, DeliveryOutcome::Accepted);
        }

        /// Prices, numbers and other keys beside a verdict never change it.
        #[test]
        fn other_keys_do_not_matter(keys in proptest::collection::btree_map("[a-r]{1,5}_", -1e12_f64..1e12, 0..6)) {
            let mut body: Map<String, Value> = keys.into_iter().map(|(key, number)| (key, number.into())).collect();
            prop_assert_eq!(said(&body), None);
            body.insert("Status".into(), "accepted".into());
            prop_assert_eq!(said(&body), Some(DeliveryOutcome::Accepted));
        }
    }
}
