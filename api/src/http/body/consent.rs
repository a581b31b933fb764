//! The consent as it is sent: each part by name, and what is wrong with it by path.

use leadyard_types::{Consent, FieldProblem, Timestamp};
use serde_json::{Map, Value};

/// The parts of a consent.
const PARTS: [&str; 9] =
    ["text", "text_version", "given_at", "page_url", "ip", "purposes", "recipients", "certificate_urls", "basis"];

/// Reads a consent; what cannot be read is left out and named.
pub(super) fn read(value: Value, problems: &mut Vec<FieldProblem>) -> Option<Consent> {
    let mut map = match value {
        Value::Null => return None,
        Value::Object(map) => map,
        _ => {
            let message = format!("an object with {} is expected", PARTS.join(", "));
            problems.push(FieldProblem::new("consent", "WRONG_SHAPE", message));
            return None;
        }
    };
    let mut reader = Reader { map: &mut map, problems };
    let consent = Consent {
        text: reader.text("text"),
        text_version: reader.text("text_version"),
        given_at: reader.moment("given_at"),
        page_url: reader.text("page_url"),
        ip: reader.text("ip"),
        purposes: reader.list("purposes"),
        recipients: reader.list("recipients"),
        certificate_urls: reader.list("certificate_urls"),
        basis: reader.text("basis"),
    };
    for key in map.keys() {
        let message = format!("leave it out; the parts of a consent are: {}", PARTS.join(", "));
        problems.push(FieldProblem::new(format!("consent.{}", super::shown(key)), "UNKNOWN_KEY", message));
    }
    Some(consent)
}

struct Reader<'a> {
    map: &'a mut Map<String, Value>,
    problems: &'a mut Vec<FieldProblem>,
}

impl Reader<'_> {
    fn wrong(&mut self, key: &str, code: &str, message: &str) {
        self.problems.push(FieldProblem::new(format!("consent.{key}"), code, message));
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.map.remove(key)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            _ => {
                self.wrong(key, "WRONG_TYPE", "a text is expected");
                None
            }
        }
    }

    fn moment(&mut self, key: &str) -> Option<Timestamp> {
        let value = self.map.remove(key).filter(|value| !value.is_null())?;
        let moment = value.as_str().and_then(super::moment);
        if moment.is_none() {
            self.wrong(key, "INVALID_TIME", super::MOMENT_EXPECTED);
        }
        moment
    }

    fn list(&mut self, key: &str) -> Vec<String> {
        let texts = match self.map.remove(key) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Some(text),
                    _ => None,
                })
                .collect::<Option<Vec<String>>>(),
            Some(_) => None,
        };
        texts.unwrap_or_else(|| {
            self.wrong(key, "WRONG_TYPE", "a list of texts is expected");
            Vec::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Every part is read, and every part that cannot be is named by its path.
    #[test]
    fn every_part_is_read_or_named() {
        let mut problems = Vec::new();
        let sent =
            json!({ "text": "I agree", "given_at": "2026-07-01T10:00:00+02:00", "purposes": ["call"], "ip": null });
        let consent = read(sent, &mut problems).unwrap();
        assert_eq!((consent.purposes.as_slice(), problems.len()), (["call".to_owned()].as_slice(), 0));
        assert_eq!(consent.given_at, "2026-07-01T08:00:00Z".parse().ok());
        let sent = json!({ "text": 1, "given_at": "yesterday", "purposes": "call", "recipients": [1], "givenAt": "x" });
        read(sent, &mut problems).unwrap();
        let named: Vec<String> = problems.iter().map(|problem| format!("{} {}", problem.field, problem.code)).collect();
        assert_eq!(
            named,
            [
                "consent.text WRONG_TYPE",
                "consent.given_at INVALID_TIME",
                "consent.purposes WRONG_TYPE",
                "consent.recipients WRONG_TYPE",
                "consent.givenAt UNKNOWN_KEY",
            ]
        );
        for other in [json!("yes"), json!([]), json!(true)] {
            let mut problems = Vec::new();
            assert!(read(other, &mut problems).is_none() && problems[0].code == "WRONG_SHAPE");
        }
    }
}
