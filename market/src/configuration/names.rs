//! How things refer to each other: by name where that is unique, by id otherwise.

use std::collections::HashMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::document::{Fields, Noun};
use super::shape::head_text;
use super::standing::Things;

/// How many names an error lists.
const LISTED_MAX: usize = 12;

/// The names of all things, within the thing that they are called by name in: a source's campaign, a destination's buyer.
pub(super) struct Names<'a> {
    things: &'a Things,
    by_name: HashMap<(Noun, Option<Uuid>, &'a str), Vec<Uuid>>,
}

/// The thing in which a name is unique.
pub(super) fn scope(noun: Noun, fields: &Fields) -> Option<Uuid> {
    let within = match noun {
        Noun::Source => "campaign",
        Noun::Destination => "buyer",
        _ => return None,
    };
    head_text(fields, within).parse().ok()
}

/// A field that refers to something: its value names one thing, or a list does.
pub(super) struct Reference {
    pub(super) field: &'static str,
    pub(super) noun: Noun,
    /// The field that names the scope.
    pub(super) within: Option<&'static str>,
}

const fn reference(field: &'static str, noun: Noun, within: Option<&'static str>) -> Reference {
    Reference { field, noun, within }
}

/// What the fields of a noun refer to; the scopes come before what is named in them.
pub(super) const fn references(noun: Noun) -> &'static [Reference] {
    match noun {
        Noun::Campaign => const { &[reference("vertical", Noun::Vertical, None)] },
        Noun::Source => {
            const { &[reference("supplier", Noun::Supplier, None), reference("campaign", Noun::Campaign, None)] }
        }
        Noun::Buyer => const { &[reference("group", Noun::BuyerGroup, None)] },
        Noun::Destination => const { &[reference("buyer", Noun::Buyer, None)] },
        Noun::Contract => {
            const {
                &[
                    reference("campaign", Noun::Campaign, None),
                    reference("buyer", Noun::Buyer, None),
                    reference("ping", Noun::Destination, Some("buyer")),
                    reference("destinations", Noun::Destination, Some("buyer")),
                    reference("sources_allowed", Noun::Source, Some("campaign")),
                    reference("sources_denied", Noun::Source, Some("campaign")),
                ]
            }
        }
        Noun::Vertical | Noun::Supplier | Noun::BuyerGroup => &[],
    }
}

/// The fields below which filters stand; these name sources of the campaign.
pub(super) const FILTERED: [&str; 5] = ["filter", "price_rules", "payout_rules", "buyer_bounds", "buyer_settings"];

impl<'a> Names<'a> {
    pub(super) fn of(things: &'a Things) -> Self {
        let mut by_name: HashMap<_, Vec<Uuid>> = HashMap::new();
        for (noun, things) in things {
            for (id, fields) in things {
                by_name.entry((*noun, scope(*noun, fields), head_text(fields, noun.naming()))).or_default().push(*id);
            }
        }
        Self { things, by_name }
    }

    /// How a document refers to a thing.
    pub(super) fn label(&self, noun: Noun, id: Uuid) -> String {
        let Some(fields) = self.things.get(&noun).and_then(|things| things.get(&id)) else { return id.to_string() };
        let name = head_text(fields, noun.naming());
        let alone = self.by_name.get(&(noun, scope(noun, fields), name)).is_some_and(|ids| ids.len() == 1);
        if alone && name.parse::<Uuid>().is_err() { name.to_owned() } else { id.to_string() }
    }

    /// The name of what a field refers to.
    pub(super) fn parent(&self, noun: Noun, fields: &Fields, field: &str) -> String {
        head_text(fields, field).parse().map(|id| self.label(noun, id)).unwrap_or_default()
    }

    /// The thing that a text refers to, or what would be right.
    pub(super) fn find(&self, noun: Noun, within: Option<Uuid>, text: &str) -> Result<Uuid, (&'static str, String)> {
        let things = self.things.get(&noun);
        if let Ok(id) = text.parse::<Uuid>() {
            let there = things.and_then(|things| things.get(&id));
            let inside = there.filter(|fields| within.is_none() || scope(noun, fields) == within);
            return inside.map(|_| id).ok_or_else(|| ("NOT_FOUND", format!("there is no {noun} of this id here")));
        }
        match self.by_name.get(&(noun, within, text)).map(Vec::as_slice) {
            Some([id]) => Ok(*id),
            Some(_) => Err(("AMBIGUOUS", format!("several are called `{text}`: name the {noun} by its id"))),
            None => {
                let mut there: Vec<&str> = things
                    .into_iter()
                    .flatten()
                    .filter(|(_, fields)| scope(noun, fields) == within)
                    .map(|(_, fields)| head_text(fields, noun.naming()))
                    .collect();
                there.sort_unstable();
                let more = if there.len() > LISTED_MAX { ", …" } else { "" };
                there.truncate(LISTED_MAX);
                let there = if there.is_empty() { "none at all".to_owned() } else { there.join(", ") };
                Err(("NOT_FOUND", format!("there is no {noun} `{text}`; there is: {there}{more}")))
            }
        }
    }

    /// Fields with names instead of ids.
    pub(super) fn named(&self, noun: Noun, fields: &Fields) -> Fields {
        let mut named = fields.clone();
        let label = |noun: Noun, value: &Value| match value.as_str().and_then(|id| id.parse().ok()) {
            Some(id) => json!(self.label(noun, id)),
            None => value.clone(),
        };
        for reference in references(noun) {
            match named.get_mut(reference.field) {
                Some(Value::Array(items)) => items.iter_mut().for_each(|item| *item = label(reference.noun, item)),
                Some(value) => *value = label(reference.noun, value),
                None => {}
            }
        }
        for field in FILTERED {
            if let Some(value) = named.get_mut(field) {
                sources_in(value, "", &mut |item, _| *item = label(Noun::Source, item));
            }
        }
        named
    }
}

/// Every mention of a source in filters, with its path.
pub(super) fn sources_in(value: &mut Value, path: &str, each: &mut dyn FnMut(&mut Value, &str)) {
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                sources_in(item, &format!("{path}.{at}"), each);
            }
        }
        Value::Object(fields) => {
            let sources = fields.get("op").and_then(Value::as_str) == Some("sources");
            for (name, value) in fields.iter_mut() {
                let path = format!("{path}.{name}");
                match value {
                    Value::Array(items) if sources && name == "sources" => {
                        for (at, item) in items.iter_mut().enumerate() {
                            each(item, &format!("{path}.{at}"));
                        }
                    }
                    value => sources_in(value, &path, each),
                }
            }
        }
        _ => {}
    }
}
