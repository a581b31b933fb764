//! Finding a person's leads by a way to reach them, without reading any: by the keyed hashes that duplicates are found by.

use std::collections::BTreeSet;

use leadyard_entity::IndexHash;
use leadyard_types::{FieldKind, Fields};
use serde_json::Value;

use crate::market::Market;
use crate::rules::duplicate::fingerprint_fields;
use crate::rules::value;

impl Market {
    /// The keyed hashes under which the leads of whoever has this e-mail address or phone number lie: those of every
    /// campaign that looks for duplicates by such a field, normalised as the campaign does it. A text that is neither
    /// has none.
    #[must_use]
    pub fn contact_fingerprints(&self, contact: &str) -> BTreeSet<IndexHash> {
        let kind = if contact.contains('@') { FieldKind::Email } else { FieldKind::Phone };
        let (snapshot, keyring) = (self.snapshot(), self.store().keyring());
        let sent = Value::from(contact);
        let Ok(Some(text)) = value::as_text(kind, &sent) else { return BTreeSet::new() };
        let mut hashes = BTreeSet::new();
        for campaign in snapshot.campaigns.values() {
            let Some(vertical) = snapshot.verticals.get(&campaign.vertical_id) else { continue };
            let Ok(normal) = value::typed(kind, &campaign.country, &sent, &text) else { continue };
            let keys = vertical.terms.fields.iter().filter(|field| field.kind == kind).map(|field| field.key.clone());
            let fields: Fields = keys.map(|key| (key, normal.clone())).collect();
            let pairs = fingerprint_fields(&campaign.terms.duplicates, &fields);
            hashes.extend(pairs.iter().map(|(field, value)| keyring.index_hash(field, value)));
        }
        hashes
    }
}
