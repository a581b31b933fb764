//! The same adapter, asked another question: not what a buyer bids, but what became of a lead that it was posted.
//!
//! Nothing is guessed: an answer says something only by the tests that were set up, a status that does not fit a test is
//! no answer to it, and two that disagree are none.

use leadyard_types::FieldProblem;
use serde::{Deserialize, Serialize};

use super::adapter::{Maker, Spot, Test, Tested};
use crate::http::OutboundAnswer;
use crate::ping::config::{AnswerTest, OneOrMore, Place};
use crate::ping::document::{AnswerFormat, Document, DocumentProblem, decoded};

/// The most statuses of one test.
const STATUSES_MAX: usize = 20;

/// Statuses that are about the request, never about the lead.
const SAY_NOTHING: [u16; 5] = [401, 403, 407, 408, 429];

/// When an answer says one thing: by its status, by a value in it, or by both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerdictTest {
    /// Statuses with which it can be said; empty = every 2xx.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// Of which value; absent = the whole answer as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether it is one of these, without regard to case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<OneOrMore>,
    /// Whether a regular expression is found in it, case-insensitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// How a buyer's answer to a status query is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusAnswer {
    /// In which format; absent = AUTO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<AnswerFormat>,
    /// Whether the buyer took the lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<VerdictTest>,
    /// Whether it refused the lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<VerdictTest>,
    /// Whether it had the lead already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<VerdictTest>,
    /// Whether it knows of no such lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent: Option<VerdictTest>,
    /// The buyer's own mark of the lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Place>,
    /// Why it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Place>,
}

/// What an answer says of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Accepted,
    Rejected,
    Duplicate,
    Absent,
    /// Nothing, and why not: a text that repeats nothing of the answer.
    Nothing(&'static str),
}

/// What was told; nothing in it is redacted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusTold {
    pub(crate) told: Told,
    pub(crate) reference: Option<String>,
    pub(crate) reason: Option<String>,
}

impl StatusTold {
    fn nothing(why: &'static str) -> Self {
        Self { told: Told::Nothing(why), reference: None, reason: None }
    }
}

/// A test made ready.
struct Ready {
    statuses: Vec<u16>,
    value: Option<Test>,
}

impl Ready {
    fn fits(&self, status: u16) -> bool {
        if self.statuses.is_empty() { (200..300).contains(&status) } else { self.statuses.contains(&status) }
    }
}

/// How a buyer's answers to status queries are read, made ready.
pub(crate) struct StatusAdapter {
    format: AnswerFormat,
    tests: [(Told, Option<Ready>); 4],
    reference: Option<Spot>,
    reason: Option<Spot>,
}

impl StatusAdapter {
    /// Makes the settings ready, or names everything that is wrong with them.
    pub(crate) fn of(config: &StatusAnswer) -> Result<Self, Vec<FieldProblem>> {
        let mut maker = Maker { problems: Vec::new() };
        let named = [
            ("accepted", Told::Accepted, &config.accepted),
            ("rejected", Told::Rejected, &config.rejected),
            ("duplicate", Told::Duplicate, &config.duplicate),
            ("absent", Told::Absent, &config.absent),
        ];
        if named.iter().all(|(_, _, test)| test.is_none()) {
            maker.problem("accepted", "REQUIRED", "at least one of accepted, rejected, duplicate and absent is needed");
        }
        let adapter = Self {
            format: config.format.unwrap_or(AnswerFormat::Auto),
            tests: named.map(|(name, told, test)| (told, test.as_ref().map(|test| ready(&mut maker, name, test)))),
            reference: maker.spot("reference", config.reference.as_ref()),
            reason: maker.spot("reason", config.reason.as_ref()),
        };
        if maker.problems.is_empty() { Ok(adapter) } else { Err(maker.problems) }
    }

    /// Reads an answer.
    pub(crate) fn read(&self, answer: &OutboundAnswer) -> StatusTold {
        if answer.truncated {
            return StatusTold::nothing("the buyer's answer did not arrive in full");
        }
        if answer.header("content-encoding").is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
            return StatusTold::nothing("the buyer's answer is compressed, which was not asked for");
        }
        let text = decoded(&answer.body);
        let document =
            text.and_then(|text| Ok((text, Document::parse(text, self.format, answer.header("content-type"))?)));
        let told = match self.told(answer.status, &document) {
            Ok(told) => told,
            Err(_) => return StatusTold::nothing("the buyer's answer cannot be read"),
        };
        let found = |spot: &Option<Spot>| {
            let (text, document) = document.as_ref().ok()?;
            // What cannot be read beside a verdict changes nothing about it.
            spot.as_ref()?.find(document, text).ok().flatten().map(|found| found.text).filter(|text| !text.is_empty())
        };
        StatusTold { told, reference: found(&self.reference), reason: found(&self.reason) }
    }

    fn told(
        &self,
        status: u16,
        document: &Result<(&str, Document<'_>), DocumentProblem>,
    ) -> Result<Told, DocumentProblem> {
        let mut said = Vec::new();
        for (told, test) in &self.tests {
            let Some(test) = test.as_ref().filter(|test| test.fits(status)) else { continue };
            let holds = match (&test.value, document) {
                (None, _) => true,
                (Some(value), Ok((text, document))) => value.ask(document, text)? == Tested::Yes,
                (Some(_), Err(problem)) => return Err(*problem),
            };
            if holds {
                said.push(*told);
            }
        }
        Ok(match said.as_slice() {
            [] => Told::Nothing("the buyer's answer names no verdict"),
            [told] => *told,
            // A refusal because it was there already is a duplicate.
            [Told::Rejected, Told::Duplicate] => Told::Duplicate,
            _ => Told::Nothing("the buyer's answer contradicts itself"),
        })
    }
}

fn ready(maker: &mut Maker, name: &str, test: &VerdictTest) -> Ready {
    let speaks = |status: &u16| matches!(status, 200..=299 | 400..=499) && !SAY_NOTHING.contains(status);
    if test.statuses.len() > STATUSES_MAX || !test.statuses.iter().all(speaks) {
        let message = "at most 20 statuses of 2xx and 4xx; 401, 403, 407, 408 and 429 say nothing about a lead";
        maker.problem(&format!("{name}.statuses"), "OUT_OF_RANGE", message);
    }
    let of_value = test.path.is_some() || test.equals.is_some() || test.pattern.is_some();
    if !of_value && test.statuses.is_empty() {
        maker.problem(name, "REQUIRED", "a test needs `statuses`, `equals` or a `pattern`");
    }
    let value = AnswerTest { path: test.path.clone(), equals: test.equals.clone(), pattern: test.pattern.clone() };
    let value = if of_value { maker.test(name, Some(&value)) } else { None };
    Ready { statuses: test.statuses.clone(), value }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: impl Into<Vec<u8>>) -> OutboundAnswer {
        OutboundAnswer { status, headers: Vec::new(), body: body.into(), truncated: false, duration: Duration::ZERO }
    }

    fn adapter() -> StatusAdapter {
        let config = json!({
            "accepted": { "path": "lead.state", "equals": ["sold", "taken"] },
            "rejected": { "path": "lead.state", "equals": "refused", "statuses": [200, 422] },
            "duplicate": { "path": "lead.why", "pattern": "known" },
            "absent": { "statuses": [404] },
            "reference": "lead.id",
            "reason": "lead.why",
        });
        StatusAdapter::of(&serde_json::from_value(config).unwrap()).ok().unwrap()
    }

    /// Only what was set up as a verdict is one; contradictions, errors and other statuses are none.
    #[test]
    fn only_what_was_set_up_is_a_verdict() {
        let adapter = adapter();
        for (status, body, expected) in [
            (200, r#"{"lead":{"state":"SOLD","id":"A-1"}}"#, Some(Told::Accepted)),
            (200, r#"{"lead":{"state":"refused","why":"too far"}}"#, Some(Told::Rejected)),
            (422, r#"{"lead":{"state":"refused"}}"#, Some(Told::Rejected)),
            (200, r#"{"lead":{"state":"refused","why":"known to us"}}"#, Some(Told::Duplicate)),
            (404, "<html>nothing here", Some(Told::Absent)),
            (404, "", Some(Told::Absent)),
            (200, r#"{"lead":{"state":"sold","why":"known"}}"#, None),
            (422, r#"{"lead":{"state":"sold"}}"#, None),
            (500, r#"{"lead":{"state":"sold"}}"#, None),
            (302, r#"{"lead":{"state":"sold"}}"#, None),
            (200, r#"{"lead":{"state":"sold"},"lead":{"state":"refused"}}"#, None),
            (200, r#"{"lead":{"state":"queued"}}"#, None),
            (200, "{", None),
            (200, "", None),
        ] {
            let told = adapter.read(&answer(status, body)).told;
            assert_eq!(Some(told).filter(|told| !matches!(told, Told::Nothing(_))), expected, "{status} {body}");
        }
        let told = adapter.read(&answer(200, r#"{"lead":{"state":"refused","why":"too far","id":7}}"#));
        assert_eq!((told.reason.as_deref(), told.reference.as_deref()), (Some("too far"), Some("7")));
        let mut cut = answer(200, r#"{"lead":{"state":"sold"}}"#);
        cut.truncated = true;
        assert!(matches!(adapter.read(&cut).told, Told::Nothing(_)));
    }

    /// Every problem of the settings is named with its field.
    #[test]
    fn wrong_settings_are_named() {
        let problems = |config: serde_json::Value| {
            let adapter = StatusAdapter::of(&serde_json::from_value(config).unwrap());
            let named = adapter.err().unwrap_or_default();
            named.into_iter().map(|problem| (problem.field, problem.code)).collect::<Vec<_>>()
        };
        let named = |field: &str, code: &str| (format!("answer.{field}"), code.to_owned());
        assert_eq!(problems(json!({})), [named("accepted", "REQUIRED")]);
        assert_eq!(problems(json!({ "absent": {} })), [named("absent", "REQUIRED")]);
        assert_eq!(
            problems(json!({ "absent": { "statuses": [404, 429] }, "accepted": { "path": "a..b", "equals": 1 } })),
            [named("accepted.path", "INVALID_PATH"), named("absent.statuses", "OUT_OF_RANGE")]
        );
        assert_eq!(
            problems(json!({ "rejected": { "path": "a" }, "reason": { "pattern": "(" } })),
            [named("rejected", "REQUIRED"), named("reason.pattern", "INVALID_PATTERN")]
        );
    }

    proptest! {
        /// No bytes panic, and none accept that do not say so.
        #[test]
        fn any_bytes_are_survived(status in 100_u16..600, body: Vec<u8>) {
            prop_assert_ne!(adapter().read(&answer(status, body)).told, Told::Accepted);
        }
    }
}
