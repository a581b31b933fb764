//! What stands beside a lead's fields (check 2): the supplier's marks, the moment of the enquiry, the consent. Whatever
//! the door, what cannot be kept is taken out and named, so that a lead that is refused for it can still be stored.

use chrono::{DateTime, Datelike};
use leadyard_types::{Consent, FieldProblem, LeadDraft, Timestamp};

use super::value::YEAR_MAX;

/// The longest mark, version or address of a page.
pub const MARK_CHARS_MAX: usize = 200;
/// The longest consent text: a page of small print.
pub const CONSENT_TEXT_CHARS_MAX: usize = 20_000;
/// The longest of a consent's other texts; longer addresses break in browsers.
pub const CONSENT_CHARS_MAX: usize = 2_048;
/// The most purposes, recipients or certificates of a consent.
pub const CONSENT_LIST_MAX: usize = 200;
/// The most problems that are named: who sends more has sent something else altogether.
pub const PROBLEMS_MAX: usize = 100;

/// 2000-01-01T00:00:00Z, seconds since 1970: nobody trades an enquiry from before.
const EARLIEST_SECOND: i64 = 946_684_800;

/// Takes out what cannot be kept and names it among the draft's problems. Doing it again changes nothing.
pub fn tidy(draft: &mut LeadDraft, now: Timestamp) {
    let mut found = Vec::new();
    mark("subid", &mut draft.subid, &mut found);
    mark("external_id", &mut draft.external_id, &mut found);
    if let Some(moment) = draft.enquired_at {
        let problem = if moment > now {
            Some(("IN_FUTURE", "a moment in the past is expected"))
        } else {
            (!is_plausible(moment)).then_some(("OUT_OF_RANGE", "a moment since the year 2000 is expected"))
        };
        if let Some((code, message)) = problem {
            draft.enquired_at = None;
            found.push(FieldProblem::new("enquired_at", code, message));
        }
    }
    if let Some(consent) = &mut draft.consent {
        tidy_consent(consent, &mut found);
    }
    draft.problems.extend(found);
    draft.problems.truncate(PROBLEMS_MAX);
}

fn tidy_consent(consent: &mut Consent, found: &mut Vec<FieldProblem>) {
    if consent.given_at.is_some_and(|moment| !is_plausible(moment)) {
        consent.given_at = None;
        let message = "a moment since the year 2000 is expected";
        found.push(FieldProblem::new("consent.given_at", "OUT_OF_RANGE", message));
    }
    if let Some(text) = consent.text.take() {
        consent.text = kept("consent.text", text, CONSENT_TEXT_CHARS_MAX, found);
    }
    for (path, value) in [
        ("consent.text_version", &mut consent.text_version),
        ("consent.page_url", &mut consent.page_url),
        ("consent.ip", &mut consent.ip),
        ("consent.basis", &mut consent.basis),
    ] {
        if let Some(text) = value.take() {
            *value = kept(path, text, CONSENT_CHARS_MAX, found);
        }
    }
    for (path, list) in [
        ("consent.purposes", &mut consent.purposes),
        ("consent.recipients", &mut consent.recipients),
        ("consent.certificate_urls", &mut consent.certificate_urls),
    ] {
        if list.len() > CONSENT_LIST_MAX {
            list.clear();
            let message = format!("at most {CONSENT_LIST_MAX} are expected");
            found.push(FieldProblem::new(path, "TOO_MANY", message));
        }
        *list =
            std::mem::take(list).into_iter().filter_map(|text| kept(path, text, CONSENT_CHARS_MAX, found)).collect();
    }
}

fn mark(path: &str, value: &mut Option<String>, found: &mut Vec<FieldProblem>) {
    if let Some(text) = value.take() {
        *value = kept(path, text, MARK_CHARS_MAX, found);
    }
}

/// A text as it is, if it can be kept: with line breaks, as cells of files have them. PostgreSQL takes no NUL; other
/// control characters break terminals.
fn kept(path: &str, text: String, chars_max: usize, found: &mut Vec<FieldProblem>) -> Option<String> {
    if text.chars().count() > chars_max {
        found.push(FieldProblem::new(path, "TOO_LONG", format!("at most {chars_max} characters are expected")));
        return None;
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        found.push(FieldProblem::new(path, "CONTROL_CHARACTER", "send plain text without control characters"));
        return None;
    }
    Some(text)
}

/// Both databases can hold it, and a person can have meant it.
fn is_plausible(moment: Timestamp) -> bool {
    DateTime::from_timestamp(EARLIEST_SECOND, 0).is_some_and(|earliest| moment >= earliest) && moment.year() <= YEAR_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadyard_types::{Door, SourceId};

    fn draft(subid: &str, consent: Consent) -> LeadDraft {
        LeadDraft {
            source_id: SourceId(uuid::Uuid::nil()),
            door: Door::Rest,
            fields: serde_json::Map::new(),
            consent: Some(consent),
            problems: Vec::new(),
            subid: Some(subid.to_owned()),
            external_id: None,
            idempotency_key: None,
            enquired_at: None,
        }
    }

    fn tidied(mut draft: LeadDraft) -> (LeadDraft, Vec<String>) {
        let now = "2026-07-06T12:00:00Z".parse().unwrap();
        tidy(&mut draft, now);
        let named = |draft: &LeadDraft| -> Vec<String> {
            draft.problems.iter().map(|problem| format!("{} {}", problem.field, problem.code)).collect()
        };
        let once = named(&draft);
        tidy(&mut draft, now);
        assert_eq!(once, named(&draft), "a second time it finds nothing more");
        (draft, once)
    }

    /// What is right stays as it was sent, line breaks too.
    #[test]
    fn what_is_right_stays() {
        let consent = Consent {
            text: Some("I agree.\r\n\tReally.".into()),
            text_version: Some("v1".into()),
            given_at: "2026-07-06T11:00:00Z".parse().ok(),
            purposes: vec!["call".into()],
            ..Consent::default()
        };
        let (kept, problems) = tidied(draft(" Müller\n7 ", consent.clone()));
        assert_eq!((kept.subid.as_deref(), kept.consent), (Some(" Müller\n7 "), Some(consent)));
        assert_eq!(problems, Vec::<String>::new());
    }

    /// What a database would refuse, or nobody can have meant, is taken out and named.
    #[test]
    fn what_cannot_be_kept_is_named() {
        let consent = Consent {
            text: Some("I\0agree".into()),
            text_version: Some("1\u{1b}2".into()),
            given_at: "0001-01-01T00:00:00Z".parse().ok(),
            page_url: Some("x".repeat(CONSENT_CHARS_MAX + 1)),
            purposes: vec!["call".into(), "ma\u{7}il".into()],
            recipients: vec!["x".into(); CONSENT_LIST_MAX + 1],
            basis: Some("\u{0}".into()),
            ..Consent::default()
        };
        let mut sent = draft("a\0b", consent);
        sent.external_id = Some("x".repeat(MARK_CHARS_MAX + 1));
        sent.enquired_at = "2027-01-01T00:00:00Z".parse().ok();
        let (kept, problems) = tidied(sent);
        let wanted = [
            "subid CONTROL_CHARACTER",
            "external_id TOO_LONG",
            "enquired_at IN_FUTURE",
            "consent.given_at OUT_OF_RANGE",
            "consent.text CONTROL_CHARACTER",
            "consent.text_version CONTROL_CHARACTER",
            "consent.page_url TOO_LONG",
            "consent.basis CONTROL_CHARACTER",
            "consent.purposes CONTROL_CHARACTER",
            "consent.recipients TOO_MANY",
        ];
        assert_eq!(problems, wanted);
        let consent = kept.consent.unwrap();
        assert_eq!((kept.subid, kept.external_id, kept.enquired_at), (None, None, None));
        assert_eq!((consent.purposes, consent.recipients.len(), consent.text), (vec!["call".to_owned()], 0, None));
    }

    /// Moments that a database could not hold are out of range at both ends.
    #[test]
    fn moments_have_bounds() {
        for (moment, is_right) in [
            ("1999-12-31T23:59:59Z", false),
            ("2000-01-01T00:00:00Z", true),
            ("2100-12-31T23:59:59Z", true),
            ("2101-01-01T00:00:00Z", false),
            ("-0044-03-15T00:00:00Z", false),
            ("+262142-12-31T23:59:59Z", false),
        ] {
            assert_eq!(is_plausible(moment.parse().unwrap()), is_right, "{moment}");
        }
    }

    /// However much is wrong, the answer stays short.
    #[test]
    fn problems_are_bounded() {
        let mut sent = draft("x", Consent::default());
        sent.problems = vec![FieldProblem::new("a", "REPEATED", "once"); 5_000];
        let (kept, _) = tidied(sent);
        assert_eq!(kept.problems.len(), PROBLEMS_MAX);
    }
}
