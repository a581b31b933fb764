mod asked;
mod auction;
mod connections;
mod settings;
mod written;

use leadyard_types::{FieldValue, PingId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

/// The marks of the person by which everything that is kept is searched.
pub(super) const CONTACTS: [(&str, &str); 4] = [
    ("phone", "+4915123456789"),
    ("email", "annegret.mueller@example.org"),
    ("last_name", "Müller-Lüdenscheid"),
    ("first_name", "Annegret"),
];

/// A ping about a person with marked values.
pub(super) fn package() -> PingPackage {
    let fields = [
        ("postal_code", FieldValue::text("01067")),
        ("state", FieldValue::text("SN")),
        ("homeowner", FieldValue::Boolean(true)),
        ("roof_m2", FieldValue::Integer(80)),
        ("roof", FieldValue::text("flat & <sunny>")),
    ];
    PingPackage {
        id: PingId::from(Uuid::from_u128(0x0019_1dea)),
        vertical: "solar".to_owned(),
        campaign: "Solar DE".to_owned(),
        country: "DE".to_owned(),
        currency: Currency::EUR,
        fields: fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        contacts: CONTACTS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        places: 3,
        test: false,
    }
}

pub(super) fn config(value: Value) -> PingConfig {
    serde_json::from_value(value).unwrap()
}

/// A destination's settings, made ready.
pub(super) fn endpoint(config: &str) -> PingEndpoint {
    PingEndpoint::new(config, Vec::new())
}

/// Whether a text holds a contact's value, in any writing a payload or an answer may have.
pub(super) fn personal_in(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    ["4915123456789", "15123456789", "annegret", "mueller@", "ller-l", "denscheid", "m%c3%bc"]
        .into_iter()
        .find(|mark| lower.contains(mark))
}

/// Printed by accident, a ping says nothing about the person, and its settings nothing about keys.
#[test]
fn debug_forms_are_discreet() {
    assert_eq!(personal_in(&format!("{:?}", package())), None);
    let config = config(json!({
        "url": "https://bids.example.com/?token=hunter2",
        "headers": [["authorization", "Bearer hunter2"]],
        "mapping": [{ "name": "key", "value": "hunter2" }],
    }));
    assert!(!format!("{config:?}").contains("hunter2"));
}
