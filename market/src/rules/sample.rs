//! Made-up values for every field of a vertical: what a destination is tried out with. They are nobody's: names say TEST,
//! addresses and numbers are of ranges that are set aside for examples.

use leadyard_types::{FieldDefinition, FieldKind, FieldValue, Fields};

/// What texts say.
const TEXT: &str = "TEST";

/// A value for every field, as the vertical's rules would leave it; patterns of the operator's own are not followed.
#[must_use]
pub fn sample(fields: &[FieldDefinition], country: &str) -> Fields {
    fields.iter().map(|field| (field.key.clone(), value(field, country))).collect()
}

fn value(field: &FieldDefinition, country: &str) -> FieldValue {
    if let Some(first) = field.allowed.first() {
        return match field.kind {
            FieldKind::Integer => first.parse().map_or_else(|_| FieldValue::text(first), FieldValue::Integer),
            _ => FieldValue::text(first),
        };
    }
    let within = |number: i64| number.min(field.max.unwrap_or(i64::MAX)).max(field.min.unwrap_or(i64::MIN));
    match field.kind {
        FieldKind::Boolean => FieldValue::Boolean(true),
        FieldKind::Integer => FieldValue::Integer(within(1)),
        FieldKind::Decimal => FieldValue::Text(within(1).to_string()),
        FieldKind::Text | FieldKind::State => FieldValue::Text(TEXT.chars().take(longest(field)).collect()),
        FieldKind::Date => FieldValue::text("1990-01-01"),
        FieldKind::Email => FieldValue::text("test@example.com"),
        FieldKind::Phone => FieldValue::text("+12025550100"),
        FieldKind::PostalCode => FieldValue::text(postal_code(country)),
        FieldKind::Country => FieldValue::text(country),
        FieldKind::Url => FieldValue::text("https://example.com/test"),
        FieldKind::Ip => FieldValue::text("192.0.2.1"),
    }
}

fn longest(field: &FieldDefinition) -> usize {
    field.max_length_chars.and_then(|chars| usize::try_from(chars).ok()).unwrap_or(usize::MAX)
}

/// A postal code that looks like the country's.
fn postal_code(country: &str) -> &'static str {
    match country {
        "AT" | "CH" => "1010",
        "GB" => "SW1A 1AA",
        "NL" => "1012 AB",
        "US" => "10001",
        _ => "10115",
    }
}

#[cfg(test)]
mod tests {
    use leadyard_types::Required;

    use super::*;

    /// Every kind of field has a value within its bounds, and what is allowed comes first.
    #[test]
    fn every_field_has_a_value() {
        let field = |kind: FieldKind| FieldDefinition::new(kind.as_str(), kind, Required::Post, true);
        let all: Vec<FieldDefinition> = FieldKind::ALL.iter().map(|kind| field(*kind)).collect();
        let made = sample(&all, "DE");
        assert_eq!(made.len(), FieldKind::ALL.len());
        assert!(made.values().all(|value| !value.to_text().is_empty()));
        let one = |field: FieldDefinition| value(&field, "DE");
        let bounded = |min, max| FieldDefinition { min: Some(min), max: Some(max), ..field(FieldKind::Integer) };
        assert_eq!((one(bounded(18, 99)), one(bounded(0, 0))), (FieldValue::Integer(18), FieldValue::Integer(0)));
        let words = |kind| FieldDefinition { allowed: vec!["7".into(), "8".into()], ..field(kind) };
        assert_eq!(one(words(FieldKind::Integer)), FieldValue::Integer(7));
        assert_eq!(one(words(FieldKind::Text)), FieldValue::text("7"));
        let short = FieldDefinition { max_length_chars: Some(2), ..field(FieldKind::Text) };
        assert_eq!(one(short), FieldValue::text("TE"));
    }
}
