//! A vertical's field set: what makes it a sound one.

use std::collections::HashSet;

use leadyard_types::field::{FieldDefinition, FieldKind, MAX_LENGTH_CHARS};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{FieldProblem, FieldValue};
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::text::fold;
use super::value;

/// The most fields a vertical defines, and a lead carries.
pub const FIELDS_MAX: usize = 200;
/// The longest key of a field.
pub const KEY_CHARS_MAX: usize = 64;
/// The longest label of a field.
const LABEL_CHARS_MAX: usize = 200;
/// The most values a field lists as allowed.
const ALLOWED_MAX: usize = 1_000;
/// The longest regular expression taken, from operators and buyers alike.
const PATTERN_CHARS_MAX: usize = 1_000;
/// The memory a compiled regular expression may take: enough for any honest one, too little for `\w{1000}{1000}`.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A regular expression of an operator's or buyer's, compiled within limits. `whole` anchors it to the whole text.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn compile_pattern(pattern: &str, whole: bool) -> Result<Regex, String> {
    if pattern.chars().count() > PATTERN_CHARS_MAX {
        return Err(format!("a pattern has at most {PATTERN_CHARS_MAX} characters"));
    }
    let build = |text: &str| {
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX).build().map_err(|_| {
            "send a regular expression (Rust regex syntax: no look-around, no back-references) of moderate size"
                .to_owned()
        })
    };
    // Alone first: a pattern such as `a)(b` must not become one by being wrapped.
    let alone = build(pattern)?;
    if whole { build(&format!(r"\A(?:{pattern})\z")) } else { Ok(alone) }
}

/// Whether a field says who the person is. A field nobody defined counts as personal, since nobody knows what it holds.
#[must_use]
pub fn is_personal(vertical: &VerticalTerms, key: &str) -> bool {
    vertical.fields.iter().find(|field| field.key == key).is_none_or(|field| field.personal)
}

/// What is wrong with a field set, each problem with the path of its field. Empty: it can be used.
#[must_use]
pub fn check_vertical(vertical: &VerticalTerms) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if vertical.fields.len() > FIELDS_MAX {
        problems.push(FieldProblem::new(
            "fields",
            "TOO_MANY_FIELDS",
            format!("a vertical has at most {FIELDS_MAX} fields"),
        ));
    }
    let mut keys = HashSet::new();
    for (position, field) in vertical.fields.iter().enumerate().take(FIELDS_MAX) {
        let path = format!("fields.{position}");
        if !keys.insert(field.key.as_str()) {
            problems.push(FieldProblem::new(format!("{path}.key"), "DUPLICATE", "every field needs a key of its own"));
        }
        check_field(field, &path, &mut problems);
    }
    problems
}

/// Lower-case letters, digits and underscores, a letter first.
fn is_key(key: &str) -> bool {
    key.len() <= KEY_CHARS_MAX
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn check_field(field: &FieldDefinition, path: &str, problems: &mut Vec<FieldProblem>) {
    let mut problem = |name: &str, code: &str, message: String| {
        problems.push(FieldProblem::new(format!("{path}.{name}"), code, message));
    };
    if !is_key(&field.key) {
        let message = format!(
            "a key is a letter, then letters, digits and underscores, lower-case, at most {KEY_CHARS_MAX}, for example postal_code"
        );
        problem("key", "INVALID_KEY", message);
    }
    if field.label.trim().is_empty() || field.label.chars().count() > LABEL_CHARS_MAX {
        problem("label", "INVALID_LABEL", format!("a label has 1 to {LABEL_CHARS_MAX} characters"));
    }
    let is_number = matches!(field.kind, FieldKind::Integer | FieldKind::Decimal);
    if (field.min.is_some() || field.max.is_some()) && !is_number {
        problem("min", "NOT_A_NUMBER", "bounds are for INTEGER and DECIMAL fields".to_owned());
    }
    if let (Some(min), Some(max)) = (field.min, field.max)
        && min > max
    {
        problem("min", "OUT_OF_RANGE", "min must not be greater than max".to_owned());
    }
    if field.max_length_chars.is_some_and(|length| length == 0 || length > MAX_LENGTH_CHARS) {
        problem("max_length_chars", "OUT_OF_RANGE", format!("a length is 1 to {MAX_LENGTH_CHARS} characters"));
    }
    if let Some(Err(message)) = field.pattern.as_deref().map(|pattern| compile_pattern(pattern, true)) {
        problem("pattern", "INVALID_PATTERN", message);
    }
    check_allowed(field, &mut problem);
}

/// The allowed values must be values of the field's kind, distinct, and not excluded by its other rules.
fn check_allowed(field: &FieldDefinition, problem: &mut impl FnMut(&str, &str, String)) {
    if field.allowed.len() > ALLOWED_MAX {
        problem("allowed", "TOO_MANY", format!("a field lists at most {ALLOWED_MAX} allowed values"));
        return;
    }
    let pattern = field.pattern.as_deref().and_then(|pattern| compile_pattern(pattern, true).ok());
    let mut seen = HashSet::new();
    for (position, allowed) in field.allowed.iter().enumerate() {
        let name = format!("allowed.{position}");
        if !seen.insert(fold(allowed)) {
            problem(&name, "DUPLICATE", "every allowed value is listed once; case does not matter".to_owned());
        }
        let sent = Value::String(allowed.clone());
        let kept = value::as_text(field.kind, &sent).map_err(|fault| fault.message);
        match kept {
            Ok(Some(text)) if text == *allowed => {
                if pattern.as_ref().is_some_and(|pattern| !pattern.is_match(allowed)) {
                    problem(&name, "PATTERN", "the field's own pattern does not match this value".to_owned());
                }
            }
            Ok(_) => problem(&name, "INVALID_VALUE", "an allowed value is a text without blanks around it".to_owned()),
            Err(message) => problem(&name, "INVALID_VALUE", message),
        }
        if kind_is_own(field.kind) && !is_of_kind(field.kind, &sent, allowed) {
            problem(&name, "INVALID_VALUE", format!("this is no canonical value of a {} field", field.kind));
        }
    }
}

/// Kinds whose canonical text does not depend on the country of a campaign, so that a vertical can be checked alone.
fn kind_is_own(kind: FieldKind) -> bool {
    !matches!(kind, FieldKind::Phone | FieldKind::PostalCode | FieldKind::State | FieldKind::Text)
}

fn is_of_kind(kind: FieldKind, sent: &Value, text: &str) -> bool {
    let typed = value::typed(kind, "", sent, text);
    typed.is_ok_and(|value: FieldValue| value.to_text() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadyard_types::field::{Required, UnknownFields};

    fn field(key: &str, kind: FieldKind) -> FieldDefinition {
        FieldDefinition::new(key, kind, Required::Never, false)
    }

    fn codes(fields: Vec<FieldDefinition>) -> Vec<String> {
        let vertical = VerticalTerms { fields, unknown_fields: UnknownFields::Refuse };
        check_vertical(&vertical).into_iter().map(|problem| format!("{} {}", problem.field, problem.code)).collect()
    }

    /// A sound field set has no problems.
    #[test]
    fn a_sound_set_passes() {
        let roof = FieldDefinition {
            allowed: vec!["Pitched".into(), "flat".into()],
            pattern: Some("[A-Za-z]+".into()),
            ..field("roof", FieldKind::Text)
        };
        let power = FieldDefinition {
            min: Some(1),
            max: Some(100),
            allowed: vec!["7.5".into()],
            ..field("kwp", FieldKind::Decimal)
        };
        assert_eq!(codes(vec![roof, power]), Vec::<String>::new());
    }

    /// Every defect of a field set is named with its path, all at once.
    #[test]
    fn every_defect_is_named() {
        let bad = FieldDefinition {
            label: " ".into(),
            min: Some(5),
            max: Some(1),
            pattern: Some("a)(b".into()),
            max_length_chars: Some(0),
            allowed: vec!["1".into(), "x".into(), "1".into(), " 2".into()],
            ..field("Größe", FieldKind::Integer)
        };
        assert_eq!(
            codes(vec![bad, field("a", FieldKind::Text), field("a", FieldKind::Text)]),
            [
                "fields.0.key INVALID_KEY",
                "fields.0.label INVALID_LABEL",
                "fields.0.min OUT_OF_RANGE",
                "fields.0.max_length_chars OUT_OF_RANGE",
                "fields.0.pattern INVALID_PATTERN",
                "fields.0.allowed.1 INVALID_VALUE",
                "fields.0.allowed.2 DUPLICATE",
                "fields.0.allowed.3 INVALID_VALUE",
                "fields.0.allowed.3 INVALID_VALUE",
                "fields.2.key DUPLICATE",
            ]
        );
        let bounds = FieldDefinition { min: Some(1), ..field("name", FieldKind::Text) };
        assert_eq!(codes(vec![bounds]), ["fields.0.min NOT_A_NUMBER"]);
        let own =
            FieldDefinition { allowed: vec!["b".into()], pattern: Some("a".into()), ..field("x", FieldKind::Text) };
        assert_eq!(codes(vec![own]), ["fields.0.allowed.0 PATTERN"]);
        let many = (0..=FIELDS_MAX).map(|number| field(&format!("f{number}"), FieldKind::Text)).collect();
        assert_eq!(codes(many), ["fields TOO_MANY_FIELDS"]);
    }

    /// Patterns are bounded: no expression takes the process down.
    #[test]
    fn patterns_are_bounded() {
        assert!(compile_pattern(r"\w{1000}{1000}", false).is_err());
        assert!(compile_pattern(&"a".repeat(2_000), false).is_err());
        assert!(compile_pattern(r"(?=a)", false).is_err());
        let whole = compile_pattern("a|b", true).unwrap();
        assert!(whole.is_match("a") && !whole.is_match("ab"));
    }

    /// Fields nobody defined are personal.
    #[test]
    fn unknown_fields_are_personal() {
        let fields = vec![
            field("kwp", FieldKind::Decimal),
            FieldDefinition { personal: true, ..field("email", FieldKind::Email) },
        ];
        let vertical = VerticalTerms { fields, unknown_fields: UnknownFields::Keep };
        assert!(!is_personal(&vertical, "kwp"));
        assert!(is_personal(&vertical, "email"));
        assert!(is_personal(&vertical, "anything_else"));
    }
}
