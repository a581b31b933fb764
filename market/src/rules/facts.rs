//! What is known of a lead when it is routed: its fields, and what follows from them.

use leadyard_types::field::{FieldKind, FieldValue, Fields};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{Consent, SourceId, Timestamp};

use super::region;

pub use super::postal::PostalTable;

/// A point on the globe, in degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Centre {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// What postal data says about a code.
#[derive(Debug, Clone, PartialEq)]
pub struct PostalPlace {
    /// The middle of its area.
    pub centre: Centre,
    /// The state's code as the data has it; may be empty.
    pub state_code: String,
    /// The state's name; may be empty.
    pub state: String,
}

/// Where postal codes lie.
pub trait PostalCentres: Send + Sync {
    /// The place of a country's postal code, if it is known.
    fn lookup(&self, country: &str, code: &str) -> Option<PostalPlace>;
}

/// No postal data: no radius matches, and states are known only where they are given.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPostalCentres;

impl PostalCentres for NoPostalCentres {
    fn lookup(&self, _country: &str, _code: &str) -> Option<PostalPlace> {
        None
    }
}

/// Everything that filters, prices and checks may look at.
#[derive(Debug, Clone, PartialEq)]
pub struct LeadFacts {
    /// The normalised fields.
    pub fields: Fields,
    /// The lead's country, ISO 3166: its own field, else the campaign's.
    pub country: String,
    /// The postal code in its country's spelling.
    pub postal_code: Option<String>,
    /// The state as it is compared ([`region::canonical`]): given, else known from the postal code.
    pub state: Option<String>,
    /// The centre of the postal code, if it is known.
    pub centre: Option<Centre>,
    /// The consent as sent.
    pub consent: Option<Consent>,
    /// The score, once something gives one.
    pub score: Option<i64>,
    /// The source it came from.
    pub source_id: SourceId,
    /// The supplier's own mark.
    pub subid: Option<String>,
    /// When it came in.
    pub received_at: Timestamp,
    /// Whether it is a test.
    pub test: bool,
}

impl LeadFacts {
    /// A field's value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&FieldValue> {
        self.fields.get(key)
    }
}

/// What is known of a lead beside its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The consent as sent.
    pub consent: Option<Consent>,
    /// The score, if one was given.
    pub score: Option<i64>,
    /// The source it came from.
    pub source_id: SourceId,
    /// The supplier's own mark.
    pub subid: Option<String>,
    /// When it came in.
    pub received_at: Timestamp,
    /// Whether it is a test.
    pub test: bool,
}

/// The facts of a lead: postal code, state and country are the first field of that kind that was given; the state
/// falls back to the one of the postal code, the country to the campaign's.
#[must_use]
pub fn derive(
    fields: Fields,
    vertical: &VerticalTerms,
    country: &str,
    postal: &dyn PostalCentres,
    origin: Origin,
) -> LeadFacts {
    let of_kind = |kind: FieldKind| {
        let given = vertical.fields.iter().filter(|field| field.kind == kind).find_map(|field| fields.get(&field.key));
        given.map(|value| value.to_text().into_owned())
    };
    let country = of_kind(FieldKind::Country).unwrap_or_else(|| country.to_owned());
    let postal_code = of_kind(FieldKind::PostalCode);
    let place = postal_code.as_deref().and_then(|code| postal.lookup(&country, code));
    let state = of_kind(FieldKind::State)
        .map(|given| region::canonical(&country, &given))
        .or_else(|| place.as_ref().and_then(|place| state_of(&country, place)));
    let Origin { consent, score, source_id, subid, received_at, test } = origin;
    let centre = place.map(|place| place.centre);
    LeadFacts { fields, country, postal_code, state, centre, consent, score, source_id, subid, received_at, test }
}

/// The state of a place: by its code, else by its name.
pub(super) fn state_of(country: &str, place: &PostalPlace) -> Option<String> {
    let written = [&place.state_code, &place.state].into_iter().find(|written| !written.trim().is_empty())?;
    let known = [&place.state_code, &place.state].into_iter().find_map(|written| region::code(country, written));
    Some(known.map_or_else(|| region::canonical(country, written), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadyard_types::field::{FieldDefinition, Required, UnknownFields};

    fn vertical() -> VerticalTerms {
        let field = |key, kind| FieldDefinition::new(key, kind, Required::Never, false);
        VerticalTerms {
            fields: vec![
                field("zip", FieldKind::PostalCode),
                field("land", FieldKind::State),
                field("nation", FieldKind::Country),
            ],
            unknown_fields: UnknownFields::Keep,
        }
    }

    fn table() -> PostalTable {
        let mut table = PostalTable::default();
        let centre = Centre { latitude: 51.05, longitude: 13.73 };
        let place = |code: &str, state: &str| PostalPlace { centre, state_code: code.into(), state: state.into() };
        assert!(table.insert("DE", "01067", &place("13", "Saxony")));
        assert!(table.insert("DE", "01069", &place("SN", "Sachsen")));
        assert!(table.insert("DE", "01099", &place("", "Sachsen")));
        assert!(table.insert("FR", "75001", &place("", "")));
        table
    }

    fn facts(given: &[(&str, &str)]) -> LeadFacts {
        let fields = given.iter().map(|(key, value)| ((*key).to_owned(), FieldValue::text(value))).collect();
        let source_id = SourceId(uuid::Uuid::nil());
        let origin = Origin {
            consent: None,
            score: None,
            source_id,
            subid: None,
            received_at: Timestamp::UNIX_EPOCH,
            test: false,
        };
        derive(fields, &vertical(), "DE", &table(), origin)
    }

    /// Fields are found by their kind, whatever their key; the country falls back to the campaign's.
    #[test]
    fn facts_are_found_by_kind() {
        let facts = facts(&[("zip", "01067"), ("nation", "DE"), ("state", "ignored")]);
        assert_eq!(facts.country, "DE");
        assert_eq!(facts.postal_code.as_deref(), Some("01067"));
        assert_eq!(facts.centre, Some(Centre { latitude: 51.05, longitude: 13.73 }));
        assert_eq!(facts.get("state"), Some(&FieldValue::text("ignored")));
    }

    /// A state that was not given is the postal code's, under one code however the data names it.
    #[test]
    fn the_state_falls_back_to_the_postal_codes() {
        for code in ["01067", "01069", "01099"] {
            assert_eq!(facts(&[("zip", code)]).state.as_deref(), Some("SN"), "{code}");
        }
        assert_eq!(facts(&[("zip", "01067"), ("land", "Berlin")]).state.as_deref(), Some("BE"));
        assert_eq!(facts(&[("zip", "75001"), ("nation", "FR")]).state, None);
    }

    /// An unknown postal code has no centre and no state: it matches no radius, and nothing is guessed.
    #[test]
    fn an_unknown_code_has_no_centre() {
        let facts = facts(&[("zip", "99999")]);
        assert_eq!((facts.centre, facts.state), (None, None));
    }
}
