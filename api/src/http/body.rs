//! Reading what suppliers send: bounded, strict about shape, and never in panic.

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use leadyard_types::{Consent, FieldProblem, Timestamp};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::problem::Problem;

/// The longest body taken: far more than any lead needs.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// Keys of a flat body that are not fields.
const RESERVED: [&str; 4] = ["consent", "subid", "external_id", "enquired_at"];

/// A lead as it was sent, before anything is known about its source.
#[derive(Debug, Default)]
pub(super) struct SentLead {
    pub(super) fields: Map<String, Value>,
    pub(super) consent: Option<Consent>,
    pub(super) subid: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) enquired_at: Option<Timestamp>,
    pub(super) problems: Vec<FieldProblem>,
}

/// Reads a body, up to the limit.
pub(super) async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    to_bytes(body, BODY_BYTES_MAX).await.map(|bytes| bytes.to_vec()).map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BODY_TOO_LARGE",
            "a body of at most 64 KiB is expected, sent whole",
        )
    })
}

/// An object that remembers keys sent twice.
struct Object {
    map: Map<String, Value>,
    repeated: Vec<String>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Object;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let mut object = Object { map: Map::new(), repeated: Vec::new() };
                while let Some(key) = access.next_key::<String>()? {
                    let value = if key == "fields" {
                        let inner: FieldsOrValue = access.next_value()?;
                        object.repeated.extend(inner.repeated);
                        inner.value
                    } else {
                        access.next_value()?
                    };
                    if object.map.insert(key.clone(), value).is_some() {
                        object.repeated.push(key);
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The value of `fields`: an object whose repeated keys are remembered, or whatever else was sent.
struct FieldsOrValue {
    value: Value,
    repeated: Vec<String>,
}

impl<'de> Deserialize<'de> for FieldsOrValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = FieldsOrValue;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object of fields")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<FieldsOrValue, A::Error> {
                let (mut map, mut repeated) = (Map::new(), Vec::new());
                while let Some((key, value)) = access.next_entry::<String, Value>()? {
                    if map.insert(key.clone(), value).is_some() {
                        repeated.push(key);
                    }
                }
                Ok(FieldsOrValue { value: Value::Object(map), repeated })
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Reads a JSON body: `{"fields": {…}, "consent": {…}, …}`, or the fields themselves beside the reserved keys.
pub(super) fn from_json(bytes: &[u8]) -> Result<SentLead, Problem> {
    let malformed = |error: serde_json::Error| {
        let detail =
            format!("a JSON object is expected; line {}, column {} is not as expected", error.line(), error.column());
        Problem::new(StatusCode::BAD_REQUEST, "MALFORMED_JSON", detail)
    };
    if std::str::from_utf8(bytes).is_err() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "INVALID_UTF8", "the body must be UTF-8"));
    }
    let Object { map, repeated } = serde_json::from_slice(bytes).map_err(malformed)?;
    let mut sent = from_map(map);
    sent.problems
        .extend(repeated.into_iter().map(|key| FieldProblem::new(key, "REPEATED", "each key is expected once")));
    Ok(sent)
}

/// Reads a form body: every pair is a field, but for the reserved keys and `consent_…`.
pub(super) fn from_form(bytes: &[u8]) -> Result<SentLead, Problem> {
    let (mut map, mut consent, mut repeated) = (Map::new(), Map::new(), Vec::new());
    let pairs: Vec<(String, String)> = serde_urlencoded(bytes);
    for (key, value) in pairs {
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
    let mut sent = from_map(map);
    sent.problems
        .extend(repeated.into_iter().map(|key| FieldProblem::new(key, "REPEATED", "each key is expected once")));
    Ok(sent)
}

/// Lists of a consent come comma-separated in a form.
fn consent_value(part: &str, value: &str) -> Value {
    if matches!(part, "purposes" | "recipients" | "certificate_urls") {
        return value.split(',').map(|item| Value::from(item.trim())).collect();
    }
    Value::from(value)
}

/// `application/x-www-form-urlencoded`, as the URL standard decodes it: it never fails.
fn serde_urlencoded(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(bytes);
    let decode = |part: &str| {
        let part = part.replace('+', " ");
        let mut decoded = Vec::with_capacity(part.len());
        let mut bytes = part.bytes();
        while let Some(byte) = bytes.next() {
            let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
            let ahead = bytes.clone();
            if byte == b'%' {
                let mut pair = ahead;
                if let (Some(high), Some(low)) = (hex(pair.next()), hex(pair.next())) {
                    decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                    bytes = pair;
                    continue;
                }
            }
            decoded.push(byte);
        }
        String::from_utf8_lossy(&decoded).into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

fn from_map(mut map: Map<String, Value>) -> SentLead {
    let mut sent = SentLead::default();
    sent.subid = text(&mut map, "subid", &mut sent.problems);
    sent.external_id = text(&mut map, "external_id", &mut sent.problems);
    sent.enquired_at = moment(&mut map, &mut sent.problems);
    sent.consent = consent(map.remove("consent"), &mut sent.problems);
    match map.remove("fields") {
        Some(Value::Object(fields)) => {
            for key in map.keys() {
                let message = format!("beside `fields` only {} are expected", RESERVED.join(", "));
                sent.problems.push(FieldProblem::new(key.clone(), "UNKNOWN_KEY", message));
            }
            sent.fields = fields;
        }
        Some(_) => sent.problems.push(FieldProblem::new("fields", "WRONG_TYPE", "an object of fields is expected")),
        None => sent.fields = map,
    }
    sent
}

/// The supplier's marks are short texts.
fn text(map: &mut Map<String, Value>, key: &str, problems: &mut Vec<FieldProblem>) -> Option<String> {
    const MARK_CHARS: usize = 200;
    let value = match map.remove(key)? {
        Value::Null => return None,
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => {
            problems.push(FieldProblem::new(key, "WRONG_TYPE", "a text is expected"));
            return None;
        }
    };
    if value.chars().count() > MARK_CHARS {
        problems.push(FieldProblem::new(key, "TOO_LONG", "at most 200 characters are expected"));
        return None;
    }
    Some(value)
}

fn moment(map: &mut Map<String, Value>, problems: &mut Vec<FieldProblem>) -> Option<Timestamp> {
    let value = map.remove("enquired_at").filter(|value| !value.is_null())?;
    let parsed = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    if parsed.is_none() {
        let message = "a moment as RFC 3339 is expected, for example 2026-11-21T10:00:00Z";
        problems.push(FieldProblem::new("enquired_at", "INVALID_TIME", message));
    }
    parsed
}

fn consent(value: Option<Value>, problems: &mut Vec<FieldProblem>) -> Option<Consent> {
    let value = value.filter(|value| !value.is_null())?;
    match serde_json::from_value(value) {
        Ok(consent) => Some(consent),
        Err(_) => {
            let message = "an object with text, text_version, given_at (RFC 3339), page_url, ip, purposes, recipients, certificate_urls or basis is expected";
            problems.push(FieldProblem::new("consent", "WRONG_SHAPE", message));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both shapes are understood, and nothing malformed gets through or panics.
    #[test]
    fn both_shapes_are_understood() {
        let nested =
            from_json(br#"{"fields":{"email":"a@b.de"},"subid":"x","consent":{"purposes":["call"]}}"#).unwrap();
        let flat = from_json(br#"{"email":"a@b.de","subid":"x"}"#).unwrap();
        assert_eq!(nested.fields, flat.fields);
        assert_eq!(nested.consent.unwrap().purposes, ["call"]);
        let form = from_form(b"email=a%40b.de&name=J%C3%BCrgen+M&consent_purposes=call,mail&bad=%zz").unwrap();
        assert_eq!(form.fields["email"], "a@b.de");
        assert_eq!(form.fields["name"], "Jürgen M");
        assert_eq!(form.fields["bad"], "%zz");
        assert_eq!(form.consent.unwrap().purposes, ["call", "mail"]);
        for bad in [&b"{"[..], b"[]", b"\xff\xfe", b"{\"a\":1", b"nul", b""] {
            assert!(from_json(bad).is_err());
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
        assert!(from_json(deep.as_bytes()).is_err());
    }

    /// A key sent twice is named, wherever it stands.
    #[test]
    fn repeated_keys_are_named() {
        let sent = from_json(br#"{"fields":{"a":1,"a":2},"subid":"x","subid":"y"}"#).unwrap();
        let named: Vec<&str> = sent.problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(named, ["a", "subid"]);
    }
}
