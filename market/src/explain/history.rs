//! The terms that held before a decision, picked from all their revisions.

use std::collections::HashMap;
use std::sync::Arc;

use leadyard_entity::configuration::Head;
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{BuyerId, CampaignId, RevisionId};
use uuid::Uuid;

use crate::rules::postal::PostalTable;
use crate::snapshot::{self, Buyer, Contract};

/// Every revision of some campaigns' contracts and of the buyers, compiled once, when it is first needed.
pub(crate) struct History {
    contracts: HashMap<Uuid, Vec<Head>>,
    buyers: HashMap<Uuid, Vec<Head>>,
    compiled: HashMap<RevisionId, Arc<Contract>>,
    read: HashMap<RevisionId, Arc<Buyer>>,
}

impl History {
    pub(crate) fn new((contracts, buyers): (Vec<Head>, Vec<Head>)) -> Self {
        Self { contracts: by_id(contracts), buyers: by_id(buyers), compiled: HashMap::new(), read: HashMap::new() }
    }

    /// A campaign's contracts and their buyers as they stood just before a decision.
    pub(crate) fn before(
        &mut self,
        campaign: CampaignId,
        no: i64,
        country: &str,
        postal: &PostalTable,
    ) -> StoreResult<Vec<(Arc<Contract>, Arc<Buyer>)>> {
        let mut standing = Vec::new();
        for heads in self.contracts.values() {
            let Some(head) = last_before(heads, no).filter(|head| head.parent_id == Some(campaign.0)) else { continue };
            let contract = match self.compiled.get(&RevisionId(head.revision_id)) {
                Some(contract) => Arc::clone(contract),
                None => {
                    let contract = Arc::new(snapshot::contract(head, country, postal)?);
                    self.compiled.insert(RevisionId(head.revision_id), Arc::clone(&contract));
                    contract
                }
            };
            let Some(head) = self.buyers.get(&contract.buyer_id.0).and_then(|heads| last_before(heads, no)) else {
                continue;
            };
            let buyer = match self.read.get(&RevisionId(head.revision_id)) {
                Some(buyer) => Arc::clone(buyer),
                None => {
                    let terms = serde_json::from_str(&head.terms).map_err(StoreError::corrupt)?;
                    let buyer = Arc::new(Buyer { id: BuyerId(head.id), name: head.name.clone(), terms });
                    self.read.insert(RevisionId(head.revision_id), Arc::clone(&buyer));
                    buyer
                }
            };
            standing.push((contract, buyer));
        }
        Ok(standing)
    }
}

/// Revisions by whose they are, oldest first as they came.
fn by_id(heads: Vec<Head>) -> HashMap<Uuid, Vec<Head>> {
    let mut lists: HashMap<Uuid, Vec<Head>> = HashMap::new();
    for head in heads {
        lists.entry(head.id).or_default().push(head);
    }
    lists
}

/// The revision that held just before a decision number.
fn last_before(heads: &[Head], no: i64) -> Option<&Head> {
    let older = heads.partition_point(|head| head.no < no);
    heads.get(older.checked_sub(1)?)
}
