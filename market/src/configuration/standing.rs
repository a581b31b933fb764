//! The configuration that stands, in the form documents are compared with.

use std::collections::BTreeMap;

use leadyard_entity::configuration::{Head, WholeConfiguration};
use leadyard_entity::{Read, StoreError, StoreResult};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{BuyerTerms, CampaignId, CampaignTerms, ContractTerms, SourceTerms};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::document::{Fields, Noun};
use super::names::Names;

/// Everything there is, by noun and id. References are ids; the fields are those of documents.
pub(super) type Things = BTreeMap<Noun, BTreeMap<Uuid, Fields>>;

/// The configuration as of one version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// Which version; an apply is refused if there is a newer one.
    pub version: i64,
    pub(super) things: Things,
}

impl Standing {
    /// Reads what stands, on behalf of somebody who runs the market; for others nothing stands.
    pub async fn read(read: &Read) -> StoreResult<Self> {
        Self::of(read.whole_configuration().await?)
    }

    /// From the rows.
    pub fn of(whole: WholeConfiguration) -> StoreResult<Self> {
        let mut things = Things::new();
        let mut add = |noun: Noun, id: Uuid, fields: Fields| {
            things.entry(noun).or_default().insert(id, fields);
        };
        for head in whole.heads.verticals {
            let own = [("key", json!(head.key)), ("name", json!(head.name))];
            add(Noun::Vertical, head.id, agreed::<VerticalTerms, _>(&head, own)?);
        }
        for row in whole.suppliers {
            let own = [("name", json!(row.name)), ("email", json!(row.email)), ("status", json!(row.status))];
            add(Noun::Supplier, row.id, with(Fields::new(), own));
        }
        for head in whole.heads.campaigns {
            let own = [
                ("vertical", json!(head.parent_id)),
                ("name", json!(head.name)),
                ("country", json!(head.key)),
                ("currency", json!(head.currency)),
            ];
            add(Noun::Campaign, head.id, agreed::<CampaignTerms, _>(&head, own)?);
        }
        for head in whole.heads.sources {
            let own =
                [("supplier", json!(head.owner_id)), ("campaign", json!(head.parent_id)), ("name", json!(head.name))];
            add(Noun::Source, head.id, agreed::<SourceTerms, _>(&head, own)?);
        }
        for row in whole.buyer_groups {
            add(Noun::BuyerGroup, row.id, with(Fields::new(), [("name", json!(row.name))]));
        }
        let mut emails: BTreeMap<Uuid, Option<String>> =
            whole.buyers.into_iter().map(|row| (row.id, row.email)).collect();
        for head in whole.heads.buyers {
            let own = [("name", json!(head.name)), ("email", json!(emails.remove(&head.id).flatten()))];
            add(Noun::Buyer, head.id, agreed::<BuyerTerms, _>(&head, own)?);
        }
        for row in whole.destinations {
            let config: Value = serde_json::from_str(&row.config).map_err(StoreError::corrupt)?;
            let own = [
                ("buyer", json!(row.buyer_id)),
                ("name", json!(row.name)),
                ("kind", json!(row.kind)),
                ("status", json!(row.status)),
                ("config", config),
            ];
            add(Noun::Destination, row.id, with(Fields::new(), own));
        }
        for head in whole.heads.contracts {
            let own =
                [("campaign", json!(head.parent_id)), ("buyer", json!(head.owner_id)), ("name", json!(head.name))];
            add(Noun::Contract, head.id, agreed::<ContractTerms, _>(&head, own)?);
        }
        Ok(Self { version: whole.version, things })
    }

    /// The campaign of a name or id, or what would be right.
    pub fn campaign(&self, named: &str) -> Result<CampaignId, String> {
        Names::of(&self.things).find(Noun::Campaign, None, named).map(CampaignId).map_err(|(_, message)| message)
    }

    /// How many things stand.
    #[must_use]
    pub fn count(&self) -> usize {
        self.things.values().map(BTreeMap::len).sum()
    }
}

fn with<const N: usize>(mut fields: Fields, own: [(&str, Value); N]) -> Fields {
    let given = own.into_iter().filter(|(_, value)| !value.is_null());
    fields.extend(given.map(|(name, value)| (name.to_owned(), value)));
    fields
}

/// Terms as this version writes them, whatever version wrote them down, with what stands beside them.
fn agreed<T: Serialize + DeserializeOwned, const N: usize>(
    head: &Head,
    own: [(&str, Value); N],
) -> StoreResult<Fields> {
    let corrupt = |error: serde_json::Error| StoreError::corrupt(format!("terms of {}: {error}", head.id));
    let terms: T = serde_json::from_str(&head.terms).map_err(corrupt)?;
    match serde_json::to_value(&terms).map_err(corrupt)? {
        Value::Object(fields) => Ok(with(fields, own)),
        _ => Err(StoreError::corrupt(format!("terms of {} are no table", head.id))),
    }
}
