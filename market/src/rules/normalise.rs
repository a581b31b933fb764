//! Check 2: fields known, typed, required, normalised; **all** problems of a lead at once, none repeating a value.

use std::collections::HashMap;

use leadyard_types::field::{FieldDefinition, MAX_LENGTH_CHARS, UnknownFields};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{FieldKind, FieldProblem, FieldValue, Fields, Required};
use regex::Regex;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::text::{listed, same};
use super::value::{self, Fault};
use super::vertical::{FIELDS_MAX, KEY_CHARS_MAX, compile_pattern};

pub use super::vertical::{check_vertical, is_personal};

/// Checks and normalises what was sent, compiling the vertical first. Where many leads are checked, keep a
/// [`FieldRules`] instead.
///
/// `step` is [`Required::Ping`] when a lead is only offered, [`Required::Post`] when it is sent in full, and
/// [`Required::Never`] when nothing is asked for.
#[must_use]
pub fn check_fields(
    vertical: &VerticalTerms,
    country: &str,
    raw: &Map<String, Value>,
    step: Required,
) -> (Fields, Vec<FieldProblem>) {
    FieldRules::compile(vertical).check(country, raw, step)
}

/// A vertical's field set, ready to check leads: patterns are compiled once.
#[derive(Debug, Clone)]
pub struct FieldRules {
    fields: Vec<(FieldDefinition, Option<Regex>)>,
    by_key: HashMap<String, usize>,
    unknown_fields: UnknownFields,
}

impl FieldRules {
    /// Compiles a field set. A pattern that does not compile ([`check_vertical`] refuses it) is left out.
    #[must_use]
    pub fn compile(vertical: &VerticalTerms) -> Self {
        let compiled = |field: &FieldDefinition| {
            let pattern = field.pattern.as_deref().and_then(|pattern| compile_pattern(pattern, true).ok());
            (field.clone(), pattern)
        };
        let keys = vertical.fields.iter().enumerate().map(|(position, field)| (field.key.clone(), position));
        Self {
            fields: vertical.fields.iter().map(compiled).collect(),
            by_key: keys.collect(),
            unknown_fields: vertical.unknown_fields,
        }
    }

    /// Checks and normalises what was sent: the fields that are right, and every problem, in the vertical's order and
    /// then in that of the unknown keys.
    #[must_use]
    pub fn check(&self, country: &str, raw: &Map<String, Value>, step: Required) -> (Fields, Vec<FieldProblem>) {
        let (mut fields, mut problems) = (Fields::new(), Vec::new());
        if raw.len() > FIELDS_MAX {
            let message = format!("send at most {FIELDS_MAX} fields");
            return (fields, vec![FieldProblem::new("fields", "TOO_MANY_FIELDS", message)]);
        }
        for (definition, pattern) in &self.fields {
            match raw.get(&definition.key).map_or(Ok(None), |sent| known(definition, pattern.as_ref(), country, sent)) {
                Ok(Some(value)) => {
                    fields.insert(definition.key.clone(), value);
                }
                Ok(None) if is_required(definition.required, step) => problems.push(missing(definition)),
                Ok(None) => {}
                Err(fault) => problems.push(FieldProblem::new(&definition.key, fault.code, fault.message)),
            }
        }
        for (key, sent) in raw.iter().filter(|(key, _)| !self.by_key.contains_key(*key)) {
            match self.unknown(key, sent) {
                Ok(Some(value)) => {
                    fields.insert(key.clone(), value);
                }
                Ok(None) => {}
                Err(fault) => problems.push(FieldProblem::new(shown_key(key), fault.code, fault.message)),
            }
        }
        (fields, problems)
    }

    /// A field the vertical does not define: kept as text, or refused, as the vertical says.
    fn unknown(&self, key: &str, sent: &Value) -> Result<Option<FieldValue>, Fault> {
        if self.unknown_fields == UnknownFields::Refuse {
            let known = listed(self.fields.iter().map(|(field, _)| &field.key));
            return Err(Fault { code: "UNKNOWN_FIELD", message: format!("leave it out; the fields are: {known}") });
        }
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX || key.chars().any(char::is_control) {
            let message = format!("a key has 1 to {KEY_CHARS_MAX} characters, without control characters");
            return Err(Fault { code: "INVALID_KEY", message });
        }
        let Some(text) = value::as_text(FieldKind::Text, sent)? else { return Ok(None) };
        check_length(&text, MAX_LENGTH_CHARS)?;
        Ok(Some(FieldValue::Text(text)))
    }
}

/// A key as it is named in a problem: whatever was sent, made fit for a sentence.
fn shown_key(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).take(KEY_CHARS_MAX).collect()
}

fn is_required(required: Required, step: Required) -> bool {
    match step {
        Required::Never => false,
        Required::Ping => required == Required::Ping,
        Required::Post => required != Required::Never,
    }
}

fn missing(definition: &FieldDefinition) -> FieldProblem {
    let message = if definition.allowed.is_empty() {
        format!("send {} ({})", definition.label, definition.kind)
    } else {
        format!("send {}: one of {}", definition.label, listed(&definition.allowed))
    };
    FieldProblem::new(&definition.key, "REQUIRED", message)
}

/// A defined field: typed, then held against its own rules.
fn known(
    definition: &FieldDefinition,
    pattern: Option<&Regex>,
    country: &str,
    sent: &Value,
) -> Result<Option<FieldValue>, Fault> {
    let length_max = definition.max_length_chars.unwrap_or(MAX_LENGTH_CHARS);
    let Some(text) = value::as_text(definition.kind, sent)? else { return Ok(None) };
    // Before anything reads it, so that a megabyte of digits costs nothing; numbers may be written with blanks.
    check_length(&text, length_max.max(MAX_LENGTH_CHARS))?;
    let value = value::typed(definition.kind, country, sent, &text)?;
    let value = allowed(definition, value)?;
    check_length(&value.to_text(), length_max)?;
    check_bounds(definition, &value)?;
    if pattern.is_some_and(|pattern| !pattern.is_match(&value.to_text())) {
        let wanted = definition.pattern.as_deref().unwrap_or_default();
        return Err(Fault { code: "PATTERN", message: format!("the whole value must match {wanted}") });
    }
    Ok(Some(value))
}

fn check_length(text: &str, length_max_chars: u32) -> Result<(), Fault> {
    let length_max = usize::try_from(length_max_chars).unwrap_or(usize::MAX);
    // Bytes bound characters, so most texts need not be counted.
    if text.len() > length_max && text.chars().count() > length_max {
        return Err(Fault { code: "TOO_LONG", message: format!("send at most {length_max} characters") });
    }
    Ok(())
}

/// The value in the spelling the vertical lists, if it lists any.
fn allowed(definition: &FieldDefinition, value: FieldValue) -> Result<FieldValue, Fault> {
    if definition.allowed.is_empty() {
        return Ok(value);
    }
    let text = value.to_text();
    match (definition.allowed.iter().find(|allowed| same(allowed, &text)), &value) {
        (Some(canonical), FieldValue::Text(_)) => Ok(FieldValue::text(canonical)),
        (Some(_), _) => Ok(value),
        (None, _) => {
            let message = format!("send one of: {}", listed(&definition.allowed));
            Err(Fault { code: "NOT_ALLOWED", message })
        }
    }
}

fn check_bounds(definition: &FieldDefinition, value: &FieldValue) -> Result<(), Fault> {
    if !matches!(definition.kind, FieldKind::Integer | FieldKind::Decimal) {
        return Ok(());
    }
    let number = match value {
        FieldValue::Integer(number) => Decimal::from(*number),
        other => other.to_text().parse().unwrap_or_default(),
    };
    let below = definition.min.is_some_and(|min| number < Decimal::from(min));
    let above = definition.max.is_some_and(|max| number > Decimal::from(max));
    if !below && !above {
        return Ok(());
    }
    let message = match (definition.min, definition.max) {
        (Some(min), Some(max)) => format!("send a number from {min} to {max}"),
        (Some(min), None) => format!("send a number of at least {min}"),
        (_, max) => format!("send a number of at most {}", max.unwrap_or_default()),
    };
    Err(Fault { code: "OUT_OF_RANGE", message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn vertical(unknown_fields: UnknownFields) -> VerticalTerms {
        let field = |key, kind, required| FieldDefinition::new(key, kind, required, false);
        let fields = vec![
            field("postal_code", FieldKind::PostalCode, Required::Ping),
            field("email", FieldKind::Email, Required::Post),
            FieldDefinition {
                allowed: vec!["Pitched".into(), "Flat".into()],
                ..field("roof", FieldKind::Text, Required::Post)
            },
            FieldDefinition { min: Some(1), max: Some(100), ..field("kwp", FieldKind::Decimal, Required::Never) },
            FieldDefinition { min: Some(18), ..field("age", FieldKind::Integer, Required::Never) },
            FieldDefinition {
                pattern: Some("[A-Z]{2}[0-9]+".into()),
                ..field("code", FieldKind::Text, Required::Never)
            },
            FieldDefinition { max_length_chars: Some(5), ..field("name", FieldKind::Text, Required::Never) },
            FieldDefinition { allowed: vec!["true".into()], ..field("terms", FieldKind::Boolean, Required::Never) },
        ];
        VerticalTerms { fields, unknown_fields }
    }

    fn check(unknown: UnknownFields, sent: Value, step: Required) -> (Fields, Vec<String>) {
        let (fields, problems) = check_fields(&vertical(unknown), "DE", sent.as_object().unwrap(), step);
        (fields, problems.into_iter().map(|problem| format!("{} {}", problem.field, problem.code)).collect())
    }

    /// What is right is normalised and kept: canonical spellings, numbers, absent fields left out.
    #[test]
    fn right_fields_are_normalised() {
        let sent = json!({"postal_code": 10115, "email": " A@B.de ", "roof": "FLAT", "kwp": "12,50", "age": "42", "name": null, "terms": "ja"});
        let (fields, problems) = check(UnknownFields::Refuse, sent, Required::Post);
        assert_eq!(problems, Vec::<String>::new());
        let kept: Vec<_> = fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(kept, ["age=42", "email=a@b.de", "kwp=12.5", "postal_code=10115", "roof=Flat", "terms=true"]);
        assert_eq!(fields["age"], FieldValue::Integer(42));
    }

    /// All problems at once, in the vertical's order (check 2).
    #[test]
    fn all_problems_come_at_once() {
        let sent = json!({"postal_code": "123", "roof": "round", "kwp": 0.5, "age": 17, "code": "AB12x", "name": "abcdef", "terms": false, "what": 1});
        let (fields, problems) = check(UnknownFields::Refuse, sent, Required::Post);
        assert!(fields.is_empty());
        assert_eq!(
            problems,
            [
                "postal_code INVALID_POSTAL_CODE",
                "email REQUIRED",
                "roof NOT_ALLOWED",
                "kwp OUT_OF_RANGE",
                "age OUT_OF_RANGE",
                "code PATTERN",
                "name TOO_LONG",
                "terms NOT_ALLOWED",
                "what UNKNOWN_FIELD",
            ]
        );
    }

    /// What is required depends on the step.
    #[test]
    fn the_step_decides_what_is_required() {
        let missing = |step| check(UnknownFields::Keep, json!({"email": "  "}), step).1;
        assert_eq!(missing(Required::Never), Vec::<String>::new());
        assert_eq!(missing(Required::Ping), ["postal_code REQUIRED"]);
        assert_eq!(missing(Required::Post), ["postal_code REQUIRED", "email REQUIRED", "roof REQUIRED"]);
    }

    /// Unknown fields are kept as text where the vertical says so; nested values, endless texts and odd keys are not.
    #[test]
    fn unknown_fields_are_kept_as_text() {
        let sent =
            json!({"a": 1.5, "b": true, "c": " x ", "d": null, "e": [1], "f": "x".repeat(4001), "": 1, "g\n": 1});
        let (fields, problems) = check(UnknownFields::Keep, sent, Required::Never);
        let kept: Vec<_> = fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(kept, ["a=1.5", "b=true", "c=x"]);
        assert_eq!(problems, [" INVALID_KEY", "e WRONG_TYPE", "f TOO_LONG", "g INVALID_KEY"]);
        let many: Map<String, Value> = (0..=FIELDS_MAX).map(|number| (number.to_string(), json!(1))).collect();
        let (fields, problems) = check_fields(&vertical(UnknownFields::Keep), "DE", &many, Required::Post);
        assert_eq!((fields.len(), problems.len(), problems[0].code.as_str()), (0, 1, "TOO_MANY_FIELDS"));
    }

    /// A value that is refused is never repeated: answers are logged by senders.
    #[test]
    fn problems_never_repeat_the_value() {
        let secret = "Zaphod-4711";
        let kinds = FieldKind::ALL.iter().map(|kind| FieldDefinition {
            max_length_chars: Some(3),
            ..FieldDefinition::new(&format!("f_{}", kind.as_str().to_lowercase()), *kind, Required::Never, true)
        });
        let vertical = VerticalTerms { fields: kinds.collect(), unknown_fields: UnknownFields::Refuse };
        let sent = vertical
            .fields
            .iter()
            .map(|field| (field.key.clone(), json!(secret)))
            .chain([("other".into(), json!(secret))]);
        let (_, problems) = check_fields(&vertical, "DE", &sent.collect(), Required::Post);
        assert_eq!(problems.len(), FieldKind::ALL.len() + 1);
        for problem in problems {
            assert!(!problem.message.contains("4711") && !problem.message.is_empty(), "{problem:?}");
        }
    }

    fn any_scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,30}".prop_map(Value::from),
            "[0-9 .,/+()'-]{0,20}".prop_map(Value::from),
        ]
    }

    proptest! {
        /// Whatever is sent, no kind panics, and what was normalised once stays as it is (stored = compared = shown).
        #[test]
        fn normalising_twice_changes_nothing(kind in 0..FieldKind::ALL.len(), country in 0usize..4, sent in any_scalar()) {
            let field = FieldDefinition::new("it", FieldKind::ALL[kind], Required::Never, false);
            let vertical = VerticalTerms { fields: vec![field], unknown_fields: UnknownFields::Refuse };
            let country = ["DE", "AT", "US", "GB"][country];
            let once = |value: Value| {
                let raw = [("it".to_owned(), value)].into_iter().collect();
                check_fields(&vertical, country, &raw, Required::Never).0.remove("it")
            };
            if let Some(value) = once(sent) {
                let again = once(serde_json::to_value(&value).unwrap());
                prop_assert_eq!(again, Some(value));
            }
        }
    }
}
