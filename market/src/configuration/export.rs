//! What stands as a document that says all of it: applied anywhere, it brings this very configuration back.

use std::collections::{BTreeMap, BTreeSet};

use leadyard_types::{CampaignId, DestinationKind};
use serde_json::{Value, json};
use uuid::Uuid;

use super::document::{Document, Entry, Fields, Noun};
use super::merge::absent;
use super::names::{Names, references};
use super::secrets::withheld;
use super::shape::{Absent, head_text};
use super::standing::{Standing, Things};

/// Writes what stands as a document, by noun and name; only what one campaign needs, where one is named.
#[must_use]
pub fn export(standing: &Standing, only: Option<CampaignId>) -> Document {
    let names = Names::of(&standing.things);
    let wanted = only.map(|campaign| needed(&standing.things, campaign.0));
    let mut entries = Vec::new();
    for (noun, things) in &standing.things {
        for (id, fields) in things {
            if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&(*noun, *id))) {
                continue;
            }
            let order = order(*noun, &names, fields);
            entries.push(((*noun, order, *id), entry(*noun, *id, &names, fields)));
        }
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Document { entries: entries.into_iter().map(|(_, entry)| entry).collect() }
}

/// Things stand by name, those of one campaign or buyer together.
fn order(noun: Noun, names: &Names<'_>, fields: &Fields) -> [String; 2] {
    let within = match noun {
        Noun::Source | Noun::Contract => names.parent(Noun::Campaign, fields, "campaign"),
        Noun::Destination => names.parent(Noun::Buyer, fields, "buyer"),
        _ => String::new(),
    };
    [within, head_text(fields, noun.naming()).to_owned()]
}

fn entry(noun: Noun, id: Uuid, names: &Names<'_>, fields: &Fields) -> Entry {
    let mut said = names.named(noun, fields);
    if noun == Noun::Destination
        && let (Ok(kind), Some(config)) = (head_text(fields, "kind").parse::<DestinationKind>(), fields.get("config"))
    {
        said.insert("config".to_owned(), withheld(kind, config));
    }
    let mut none: Vec<&str> = Vec::new();
    for (field, how) in absent(noun, fields) {
        match how {
            Absent::List => {
                said.insert(field.to_owned(), json!([]));
            }
            Absent::Table => {
                said.insert(field.to_owned(), json!({}));
            }
            Absent::False => {
                said.insert(field.to_owned(), json!(false));
            }
            Absent::None => none.push(field),
            Absent::Unsaid => {}
        }
    }
    if !none.is_empty() {
        said.insert("none".to_owned(), json!(none));
    }
    said.insert("id".to_owned(), Value::String(id.to_string()));
    Entry { noun, line: 0, fields: said, lines: BTreeMap::new() }
}

/// A campaign with everything it refers to, and whatever takes part in it.
fn needed(things: &Things, campaign: Uuid) -> BTreeSet<(Noun, Uuid)> {
    let mut wanted = BTreeSet::from([(Noun::Campaign, campaign)]);
    let all = |noun: Noun| things.get(&noun).into_iter().flatten();
    for noun in [Noun::Source, Noun::Contract] {
        let own = all(noun).filter(|(_, fields)| head_text(fields, "campaign") == campaign.to_string());
        wanted.extend(own.map(|(id, _)| (noun, *id)));
    }
    // What things refer to comes before them, so one walk backwards finds all of it.
    for noun in Noun::ALL.iter().rev() {
        let found: Vec<&Fields> =
            all(*noun).filter(|(id, _)| wanted.contains(&(*noun, **id))).map(|(_, fields)| fields).collect();
        for fields in found {
            for reference in references(*noun) {
                let named = match fields.get(reference.field) {
                    Some(Value::Array(items)) => items.iter().collect(),
                    Some(item) => vec![item],
                    None => Vec::new(),
                };
                let ids = named.into_iter().filter_map(|item| item.as_str()?.parse::<Uuid>().ok());
                wanted.extend(ids.map(|id| (reference.noun, id)));
            }
        }
    }
    wanted
}
