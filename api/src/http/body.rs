//! Reading what suppliers send: strict about shape, and never in panic.

mod consent;
mod tree;

use axum::http::StatusCode;
use leadyard_types::{Consent, FieldProblem, Timestamp};
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::problem::Problem;

/// Keys that are not fields; the first only in a post.
const RESERVED: [&str; 5] = ["ping_id", "consent", "subid", "external_id", "enquired_at"];

/// The most problems that are named here; who sends more has sent something else altogether.
const PROBLEMS_MAX: usize = 100;

/// What is expected of a moment.
const MOMENT_EXPECTED: &str = "a moment as RFC 3339 is expected, for example 2026-11-21T10:00:00Z";

/// What a body is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// A lead, or what is known of one.
    Lead,
    /// A lead that was offered by a ping: its id stands beside the fields.
    Post,
}

impl Expected {
    /// Keys of a flat body that are not fields.
    fn reserved(self) -> &'static [&'static str] {
        match self {
            Self::Lead => &RESERVED[1..],
            Self::Post => &RESERVED,
        }
    }
}

/// A lead as it was sent, before anything is known about its source.
#[derive(Debug, Default)]
pub(super) struct SentLead {
    pub(super) fields: Map<String, Value>,
    pub(super) consent: Option<Consent>,
    pub(super) subid: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) enquired_at: Option<Timestamp>,
    pub(super) ping_id: Option<String>,
    pub(super) problems: Vec<FieldProblem>,
}

/// Reads a JSON body: `{"fields": {…}, "consent": {…}, …}`, or the fields themselves beside the reserved keys.
pub(super) fn from_json(bytes: &[u8], expected: Expected) -> Result<SentLead, Problem> {
    let (map, repeated) = object(bytes, "one JSON object, one lead, is expected")?;
    Ok(from_map(map, repeated, expected))
}

/// Reads a JSON object, and which keys came more than once.
pub(super) fn object(bytes: &[u8], expected: &'static str) -> Result<(Map<String, Value>, Vec<String>), Problem> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(invalid_utf8());
    }
    let (value, repeated) = tree::parse(bytes).map_err(|error| {
        let detail = format!(
            "a JSON object is expected; line {}, column {} is not as expected (nothing nests deeper than 127, and no number is beyond 1e308)",
            error.line(),
            error.column()
        );
        Problem::new(StatusCode::BAD_REQUEST, "MALFORMED_JSON", detail)
    })?;
    match value {
        Value::Object(map) => Ok((map, repeated)),
        _ => Err(Problem::new(StatusCode::BAD_REQUEST, "NOT_AN_OBJECT", expected)),
    }
}

/// Reads a form body: every pair is a field, but for the reserved keys and `consent_…`.
pub(super) fn from_form(bytes: &[u8], expected: Expected) -> Result<SentLead, Problem> {
    let (mut map, mut consent, mut repeated, mut broken) = (Map::new(), Map::new(), Vec::new(), Vec::new());
    for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len()));
        let key = decoded(key).map_err(|_| invalid_utf8())?;
        let value = decoded(value.get(1..).unwrap_or_default()).unwrap_or_else(|lossy| {
            broken.push(key.clone());
            lossy
        });
        let target = match key.strip_prefix("consent_") {
            Some(part) => consent.insert(part.to_owned(), consent_value(part, &value)),
            None => map.insert(key.clone(), Value::String(value)),
        };
        if target.is_some() {
            repeated.push(key);
        }
    }
    if !consent.is_empty() {
        map.insert("consent".to_owned(), Value::Object(consent));
    }
    let mut sent = from_map(map, repeated, expected);
    let message = "the value must be UTF-8, percent-encoded";
    sent.problems.extend(broken.iter().map(|key| FieldProblem::new(shown(key), "INVALID_UTF8", message)));
    Ok(sent)
}

fn invalid_utf8() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "INVALID_UTF8", "the body must be UTF-8")
}

/// Lists of a consent come comma-separated in a form.
fn consent_value(part: &str, value: &str) -> Value {
    if matches!(part, "purposes" | "recipients" | "certificate_urls") {
        return value.split(',').map(|item| Value::from(item.trim())).collect();
    }
    Value::from(value)
}

/// One half of a pair of `application/x-www-form-urlencoded`; with what could be read of it, where it is not UTF-8.
fn decoded(part: &[u8]) -> Result<String, String> {
    let spaced: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let bytes: Vec<u8> = percent_decode(&spaced).collect();
    String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn from_map(mut map: Map<String, Value>, repeated: Vec<String>, expected: Expected) -> SentLead {
    let mut sent = SentLead::default();
    let problems = &mut sent.problems;
    problems.extend(
        repeated
            .iter()
            .take(PROBLEMS_MAX)
            .map(|key| FieldProblem::new(shown(key), "REPEATED", "each key is expected once")),
    );
    if expected == Expected::Post {
        sent.ping_id = mark(&mut map, "ping_id", problems);
    }
    sent.subid = mark(&mut map, "subid", problems);
    sent.external_id = mark(&mut map, "external_id", problems);
    sent.enquired_at = enquired_at(&mut map, problems);
    sent.consent = map.remove("consent").and_then(|value| consent::read(value, problems));
    match map.remove("fields") {
        Some(Value::Object(fields)) => {
            for key in map.keys().take(PROBLEMS_MAX) {
                let message = format!("beside `fields` only {} are expected", expected.reserved().join(", "));
                problems.push(FieldProblem::new(shown(key), "UNKNOWN_KEY", message));
            }
            sent.fields = fields;
        }
        Some(_) => problems.push(FieldProblem::new("fields", "WRONG_TYPE", "an object of fields is expected")),
        None => sent.fields = map,
    }
    sent
}

/// A key as it is named in a problem: whatever was sent, made fit for a sentence.
fn shown(key: &str) -> String {
    const KEY_CHARS: usize = 64;
    key.chars().filter(|c| !c.is_control()).take(KEY_CHARS).collect()
}

/// The supplier's marks are short texts, or whole numbers.
fn mark(map: &mut Map<String, Value>, key: &str, problems: &mut Vec<FieldProblem>) -> Option<String> {
    match map.remove(key)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        Value::Number(_) => {
            let message = "a text is expected: a number this long loses digits on the way";
            problems.push(FieldProblem::new(key, "WRONG_TYPE", message));
            None
        }
        _ => {
            problems.push(FieldProblem::new(key, "WRONG_TYPE", "a text is expected"));
            None
        }
    }
}

fn enquired_at(map: &mut Map<String, Value>, problems: &mut Vec<FieldProblem>) -> Option<Timestamp> {
    let value = map.remove("enquired_at").filter(|value| !value.is_null())?;
    let parsed = value.as_str().and_then(moment);
    if parsed.is_none() {
        problems.push(FieldProblem::new("enquired_at", "INVALID_TIME", MOMENT_EXPECTED));
    }
    parsed
}

fn moment(text: &str) -> Option<Timestamp> {
    chrono::DateTime::parse_from_rfc3339(text.trim()).ok().map(|moment| moment.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(sent: &SentLead) -> Vec<String> {
        sent.problems.iter().map(|problem| format!("{} {}", problem.field, problem.code)).collect()
    }

    /// Both shapes are understood, and nothing malformed gets through or panics.
    #[test]
    fn both_shapes_are_understood() {
        let nested =
            from_json(br#"{"fields":{"email":"a@b.de"},"subid":"x","consent":{"purposes":["call"]}}"#, Expected::Lead)
                .unwrap();
        let flat = from_json(br#"{"email":"a@b.de","subid":"x"}"#, Expected::Lead).unwrap();
        assert_eq!(nested.fields, flat.fields);
        assert_eq!(nested.consent.unwrap().purposes, ["call"]);
        let form =
            from_form(b"email=a%40b.de&name=J%C3%BCrgen+M&consent_purposes=call,mail&bad=%zz&&alone", Expected::Lead)
                .unwrap();
        assert_eq!(form.fields["email"], "a@b.de");
        assert_eq!(form.fields["name"], "Jürgen M");
        assert_eq!((&form.fields["bad"], &form.fields["alone"]), (&Value::from("%zz"), &Value::from("")));
        assert_eq!(form.consent.as_ref().unwrap().purposes, ["call", "mail"]);
        assert_eq!(named(&form), Vec::<String>::new());
        for bad in [&b"{"[..], b"[]", b"\xff\xfe", b"{\"a\":1", b"nul", b"", b"5", b"\"x\""] {
            assert!(from_json(bad, Expected::Lead).is_err());
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
        assert!(from_json(deep.as_bytes(), Expected::Lead).is_err());
    }

    /// A key sent twice is named, wherever it stands; endless repetition gives a short answer.
    #[test]
    fn repeated_keys_are_named() {
        let sent = from_json(br#"{"fields":{"a":1,"a":2},"subid":"x","subid":"y"}"#, Expected::Lead).unwrap();
        assert_eq!(named(&sent), ["a REPEATED", "subid REPEATED"]);
        let sent = from_form(b"a=1&a=2&consent_ip=1&consent_ip=2", Expected::Lead).unwrap();
        assert_eq!(named(&sent), ["a REPEATED", "consent_ip REPEATED"]);
        let sent = from_form("a=1&".repeat(10_000).as_bytes(), Expected::Lead).unwrap();
        assert_eq!(sent.problems.len(), PROBLEMS_MAX);
    }

    /// What stands beside the fields has its types, and each that is wrong is named.
    #[test]
    fn marks_have_their_types() {
        let sent = from_json(
            br#"{"fields":5,"subid":[1],"external_id":12345678901234567890123,"enquired_at":"now"}"#,
            Expected::Lead,
        );
        let wanted = ["subid WRONG_TYPE", "external_id WRONG_TYPE", "enquired_at INVALID_TIME", "fields WRONG_TYPE"];
        assert_eq!(named(&sent.unwrap()), wanted);
        let sent = from_json(br#"{"external_id":12345678901234567890,"subid":-7,"a":1}"#, Expected::Lead).unwrap();
        assert_eq!((sent.external_id.as_deref(), sent.subid.as_deref()), (Some("12345678901234567890"), Some("-7")));
        let sent = from_json(br#"{"fields":{},"what\u0000":1}"#, Expected::Lead).unwrap();
        assert_eq!(named(&sent), ["what UNKNOWN_KEY"]);
    }

    /// A form in another encoding is named by its field, and a key that cannot be read ends it.
    #[test]
    fn forms_are_utf8() {
        let sent = from_form(b"name=M%FCller&other=ok", Expected::Lead).unwrap();
        assert_eq!(named(&sent), ["name INVALID_UTF8"]);
        assert!(from_form(b"n%FCme=x", Expected::Lead).is_err());
    }
}
