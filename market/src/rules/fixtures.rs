//! Leads for the tests of this folder.

use leadyard_types::{FieldValue, SourceId, Timestamp};
use uuid::Uuid;

use super::facts::LeadFacts;

/// A lead of Germany with these fields, received on Monday 2026-07-06 at noon UTC.
pub(crate) fn facts(given: &[(&str, FieldValue)]) -> LeadFacts {
    LeadFacts {
        fields: given.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        country: "DE".to_owned(),
        postal_code: None,
        state: None,
        centre: None,
        consent: None,
        score: None,
        source_id: SourceId(Uuid::from_u128(1)),
        subid: None,
        received_at: Timestamp::from_timestamp(1_783_339_200, 0).unwrap(),
        test: false,
    }
}
