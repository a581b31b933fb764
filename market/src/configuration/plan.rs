//! The plan: what a document would change, thing by thing, in the words of the terms.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use leadyard_connectors::OutboundPolicy;
use leadyard_types::{BuyerId, CampaignId, ContractId, Currency, DestinationKind, Ids, SourceId};
use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use super::check::check;
use super::diff::{Difference, differences};
use super::document::{Document, Fields, Noun, Problem, Problems, Secret, Secrets};
use super::merge::merge;
use super::names::Names;
use super::secrets::{hidden, of_entry};
use super::shape::{self, head_text, typed};
use super::standing::Standing;
use crate::draft::{Draft, DraftContract};

/// What would change of one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it is.
    pub noun: Noun,
    /// Its id; of something new whose entry gives none, another one each time a plan is made.
    pub id: Uuid,
    /// What it is called, before a change of its name.
    pub name: String,
    /// Whether it does not exist yet.
    pub new: bool,
    /// What differs, in the order of the terms.
    pub fields: Vec<Difference>,
    /// Where the signing secret of a new destination is taken from; made anew where nothing is said.
    pub secret: Option<Secret>,
    pub(crate) before: Option<Fields>,
    pub(crate) after: Fields,
}

impl Change {
    /// Whether the same would change, whatever id something new would get.
    fn same(&self, other: &Self) -> bool {
        let about = |change: &Self| (change.noun, change.name.clone(), change.new, change.secret.clone());
        about(self) == about(other) && self.fields == other.fields && (self.new || self.id == other.id)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.new { '+' } else { '~' };
        let thing = format!("{} {:?}", self.noun, self.name);
        match self.fields.as_slice() {
            [only] if !self.new => write!(f, "{sign} {thing} {only}"),
            fields => {
                write!(f, "{sign} {thing}")?;
                for field in fields {
                    write!(f, "\n    {field}")?;
                }
                if let Some(secret) = &self.secret {
                    write!(f, "\n    secret from {secret}")?;
                }
                Ok(())
            }
        }
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut change = serializer.serialize_struct("Change", 5)?;
        change.serialize_field("action", if self.new { "CREATE" } else { "CHANGE" })?;
        change.serialize_field("noun", &self.noun)?;
        change.serialize_field("id", &self.id)?;
        change.serialize_field("name", &self.name)?;
        change.serialize_field("fields", &self.fields)?;
        change.end()
    }
}

/// Everything a document would change.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Plan {
    /// The version of the configuration it was compared with.
    pub version: i64,
    /// The changes, in an order in which each refers to earlier ones only.
    pub changes: Vec<Change>,
    #[serde(skip)]
    pub(crate) standing_after: Standing,
}

impl Plan {
    /// The configuration as it would stand afterwards.
    #[must_use]
    pub fn after(&self) -> &Standing {
        &self.standing_after
    }

    /// Whether two plans would do the same.
    #[must_use]
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.changes.len() == other.changes.len() && self.changes.iter().zip(&other.changes).all(|(a, b)| a.same(b))
    }

    /// The wallets that buyers of new contracts need: buyer and currency.
    pub(crate) fn wallets(&self) -> BTreeSet<(Uuid, Currency)> {
        let wallet = |change: &Change| {
            let campaign: Uuid = head_text(&change.after, "campaign").parse().ok()?;
            let campaign = self.standing_after.things.get(&Noun::Campaign)?.get(&campaign)?;
            let currency = head_text(campaign, "currency").parse().ok()?;
            Some((head_text(&change.after, "buyer").parse().ok()?, currency))
        };
        self.changes.iter().filter(|change| change.new && change.noun == Noun::Contract).filter_map(wallet).collect()
    }

    /// How many things would be new, and how many would change.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let new = self.changes.iter().filter(|change| change.new).count();
        (new, self.changes.len() - new)
    }
}

/// Compares a document with what stands. Either all of it may be agreed, or every problem is named.
pub fn plan(
    document: &Document,
    standing: &Standing,
    secrets: &Secrets,
    ids: &dyn Ids,
    policy: &OutboundPolicy,
) -> Result<Plan, Problems> {
    let mut problems: Vec<Problem> = Vec::new();
    let merged = merge(document, standing, ids, secrets, &mut problems);
    if problems.is_empty() {
        problems = check(document, standing, &merged, policy);
    }
    Problems(problems).refuse()?;
    let names = Names::of(&merged.things);
    let mut changes = Vec::new();
    for placed in merged.placed {
        let before = standing.things.get(&placed.noun).and_then(|things| things.get(&placed.id));
        let Some(after) = merged.things.get(&placed.noun).and_then(|things| things.get(&placed.id)) else { continue };
        if before == Some(after) {
            continue;
        }
        let called = before.unwrap_or(after);
        changes.push(Change {
            noun: placed.noun,
            id: placed.id,
            name: head_text(called, placed.noun.naming()).to_owned(),
            new: placed.new,
            fields: shown(placed.noun, &names, before, after),
            secret: placed.secret,
            before: before.cloned(),
            after: after.clone(),
        });
    }
    let standing_after = Standing { version: standing.version, things: merged.things };
    Ok(Plan { version: standing.version, changes, standing_after })
}

/// What differs, with names instead of ids, without what may be a secret, in the order of the terms.
fn shown(noun: Noun, names: &Names<'_>, before: Option<&Fields>, after: &Fields) -> Vec<Difference> {
    let named = |fields: &Fields| names.named(noun, fields);
    let none = Fields::new();
    let (mut one, mut other) = (before.map_or_else(|| none.clone(), named), named(after));
    let settings = (noun == Noun::Destination).then(|| (one.remove("config"), other.remove("config")));
    let mut found = differences(&one, &other);
    if let Some((before, after)) = settings {
        found.extend(settings_shown(head_text(&other, "kind"), before.as_ref(), after.as_ref()));
    }
    let shape = shape::of(noun);
    let place = |found: &Difference| {
        let field = found.path.split('.').next().unwrap_or_default();
        let mut order = shape.head.iter().chain(shape.terms);
        order.position(|known| *known == field).unwrap_or(usize::MAX)
    };
    found.sort_by_key(place);
    found
}

/// Settings are shown one by one; a value that may be a secret is only said to be another.
fn settings_shown(kind: &str, before: Option<&Value>, after: Option<&Value>) -> Vec<Difference> {
    const NOT_SHOWN: &str = "(another value, not shown)";
    let Ok(kind) = kind.parse::<DestinationKind>() else { return Vec::new() };
    let none = Value::Object(Fields::new());
    let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let (hidden_before, hidden_after) = (hidden(kind, before), hidden(kind, after));
    let names: BTreeSet<&String> =
        [before, after].into_iter().filter_map(Value::as_object).flat_map(|settings| settings.keys()).collect();
    let mut found = Vec::new();
    for name in names.into_iter().filter(|name| before.get(*name) != after.get(*name)) {
        let (was, is) = (hidden_before.get(name).cloned(), hidden_after.get(name).cloned());
        let path = format!("config.{name}");
        if was == is {
            let changed = Some(Value::from(NOT_SHOWN));
            found.push(Difference { path, before: was, after: changed });
        } else {
            found.push(Difference { path, before: was, after: is });
        }
    }
    found
}

/// The terms that a document would change or add, for whoever wants to see what would come of them. Secrets are not
/// looked for, and nothing is written.
pub fn draft(
    document: &Document,
    current: &Standing,
    ids: &dyn Ids,
    policy: &OutboundPolicy,
) -> Result<Draft, Problems> {
    let secrets = unread(document);
    let plan = plan(document, current, &secrets, ids, policy)?;
    let mut draft = Draft::default();
    for change in &plan.changes {
        let terms_before = change.before.as_ref().map(|before| shape::terms_of(change.noun, before));
        if terms_before.as_ref() == Some(&shape::terms_of(change.noun, &change.after)) {
            continue;
        }
        match change.noun {
            Noun::Campaign => add(&mut draft.campaigns, CampaignId(change.id), change)?,
            Noun::Source => add(&mut draft.sources, SourceId(change.id), change)?,
            Noun::Buyer => add(&mut draft.buyers, BuyerId(change.id), change)?,
            Noun::Contract => {
                let id = |field: &str| head_text(&change.after, field).parse::<Uuid>().unwrap_or_default();
                let contract = DraftContract {
                    name: head_text(&change.after, "name").to_owned(),
                    campaign_id: CampaignId(id("campaign")),
                    buyer_id: BuyerId(id("buyer")),
                    terms: terms(change)?,
                };
                draft.contracts.insert(ContractId(change.id), contract);
            }
            Noun::Vertical | Noun::Supplier | Noun::BuyerGroup | Noun::Destination => {}
        }
    }
    Ok(draft)
}

/// Stand-ins for the secrets of a document, where it is only looked at.
fn unread(document: &Document) -> Secrets {
    const SIGNING: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const SETTING: &str = "https://not-read.example/";
    let signing: Vec<Secret> = document.entries.iter().filter_map(|entry| of_entry(&entry.fields)).collect();
    let stand_in = |secret: &Secret| if signing.contains(secret) { SIGNING } else { SETTING };
    let secrets = document.secrets().into_iter();
    secrets.map(|secret| (secret.clone(), Ok(stand_in(&secret).to_owned().into()))).collect()
}

fn add<K: Ord, T: DeserializeOwned>(into: &mut BTreeMap<K, T>, id: K, change: &Change) -> Result<(), Problems> {
    into.insert(id, terms(change)?);
    Ok(())
}

fn terms<T: DeserializeOwned>(change: &Change) -> Result<T, Problems> {
    typed(change.noun, &change.after).map_err(|message| {
        let at = format!("{} \"{}\"", change.noun, change.name);
        Problems(vec![Problem { line: None, at, field: String::new(), code: "INVALID".to_owned(), message }])
    })
}
