//! Explaining: why a lead went where it went. What a decision saw of the moment is stored with it; which contracts' terms
//! did not fit is derived again from the revisions that held then.

use std::collections::HashMap;

use leadyard_entity::model::decision;
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{
    BuyerId, CampaignId, ContractVerdict, LeadId, LeadState, Principal, RevisionId, SourceId, SystemTask, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::eligibility;
use crate::market::Market;
use crate::rules::facts::{Centre, LeadFacts, Origin, derive};
use crate::rules::routing::{RULES_VERSION, RoutingInput, route};
use crate::snapshot::{self, Buyer};

/// What a decision stored.
#[derive(Debug, Deserialize)]
struct Stored {
    input: RoutingInput,
    country: String,
    state: Option<String>,
    centre: Option<[f64; 2]>,
}

/// A contract and what was found about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractExplained {
    /// The contract's name.
    pub contract: String,
    /// The buyer's name.
    pub buyer: String,
    /// What was found.
    #[serde(flatten)]
    pub verdict: ContractVerdict,
}

/// One routing run, every contract considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionExplained {
    /// Its place among all decisions.
    pub no: i64,
    /// Its place among this lead's decisions.
    pub number: i64,
    /// `SOLD`, `OFFERED` or `UNSOLD`.
    pub outcome: String,
    /// When.
    pub decided_at: Timestamp,
    /// Every contract of the campaign, winners first, then by rank, then by name.
    pub contracts: Vec<ContractExplained>,
    /// Why the contracts cannot be shown: the person was erased, or another version of the rules decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A step of the lead's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What happened.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// The particulars: ids and figures.
    pub detail: serde_json::Value,
}

/// A lead's whole way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The lead.
    pub lead_id: LeadId,
    /// Where it stands.
    pub state: LeadState,
    /// The check that rejected it, or why it is unsold.
    pub reason: Option<String>,
    /// Its timeline.
    pub steps: Vec<Step>,
    /// Its decisions.
    pub decisions: Vec<DecisionExplained>,
}

impl Market {
    /// Explains a lead; `None` if there is none.
    pub async fn explain(&self, id: LeadId) -> StoreResult<Option<Explanation>> {
        let read = self.store.read(Principal::System(SystemTask::Place));
        let Some(lead) = read.unsealed_lead(id).await? else { return Ok(None) };
        let mut decisions = Vec::new();
        for decision in read.decisions_of(id).await? {
            decisions.push(self.explain_decision(&lead, decision).await?);
        }
        let steps = read.events_of(id).await?.into_iter().map(|event| {
            let detail = serde_json::from_str(&event.detail).map_err(StoreError::corrupt)?;
            Ok(Step { kind: event.kind, at: event.at, detail })
        });
        Ok(Some(Explanation {
            lead_id: id,
            state: lead.row.state.parse().map_err(StoreError::corrupt)?,
            reason: lead.row.reason.clone(),
            steps: steps.collect::<StoreResult<_>>()?,
            decisions,
        }))
    }

    async fn explain_decision(
        &self,
        lead: &leadyard_entity::placement::UnsealedLead,
        decision: decision::Model,
    ) -> StoreResult<DecisionExplained> {
        let mut explained = DecisionExplained {
            no: decision.no,
            number: decision.number,
            outcome: decision.outcome.clone(),
            decided_at: decision.decided_at,
            contracts: Vec::new(),
            note: None,
        };
        if decision.rules_version != RULES_VERSION {
            explained.note = Some(format!("decided by version {} of the rules", decision.rules_version));
            return Ok(explained);
        }
        let stored: Stored = serde_json::from_str(&decision.data).map_err(StoreError::corrupt)?;
        let routing = route(&stored.input);
        let mut verdicts: HashMap<_, ContractVerdict> =
            routing.verdicts.into_iter().map(|verdict| (verdict.contract_id, verdict)).collect();
        if lead.erased {
            explained.note = Some("the person was erased: what depends on their data cannot be shown".to_owned());
        }
        let facts = self.facts_of(lead, &stored)?;
        let campaign = CampaignId(lead.row.campaign_id);
        let read = self.store.read(Principal::System(SystemTask::Place));
        let (contracts, buyers) = read.terms_before(campaign, decision.no).await?;
        let buyers: HashMap<BuyerId, Buyer> = buyers
            .into_iter()
            .map(|head| {
                let terms = serde_json::from_str(&head.terms).map_err(StoreError::corrupt)?;
                Ok((BuyerId(head.id), Buyer { id: BuyerId(head.id), name: head.name, terms }))
            })
            .collect::<StoreResult<_>>()?;
        let (country, postal) = (stored.country.as_str(), self.snapshot().postal.clone());
        for head in contracts {
            let contract = snapshot::contract(&head, country, &postal)?;
            let Some(buyer) = buyers.get(&contract.buyer_id) else { continue };
            let verdict = verdicts.remove(&contract.id).unwrap_or_else(|| {
                let (price_minor, rule) = contract.prices.price(&facts);
                ContractVerdict {
                    contract_id: contract.id,
                    buyer_id: buyer.id,
                    revision_id: RevisionId(head.revision_id),
                    stage: contract.terms.stage.clone(),
                    price_minor,
                    price_rule: rule.map(str::to_owned),
                    rank: None,
                    refusal: eligibility::refusal(&contract, buyer, &facts, decision.decided_at),
                }
            });
            explained.contracts.push(ContractExplained { contract: contract.name, buyer: buyer.name.clone(), verdict });
        }
        explained.contracts.sort_by_key(|entry| {
            (entry.verdict.refusal.is_some(), entry.verdict.rank.unwrap_or(u32::MAX), entry.contract.clone())
        });
        Ok(explained)
    }

    /// The facts as the decision saw them: places as stored, not as the postal codes stand today.
    fn facts_of(&self, lead: &leadyard_entity::placement::UnsealedLead, stored: &Stored) -> StoreResult<LeadFacts> {
        let snapshot = self.snapshot();
        let campaign = snapshot.campaigns.get(&CampaignId(lead.row.campaign_id));
        let vertical = campaign.and_then(|campaign| snapshot.verticals.get(&campaign.vertical_id));
        let vertical = vertical.ok_or_else(|| StoreError::corrupt("the lead's vertical is unknown"))?;
        let origin = Origin {
            consent: lead.consent.clone(),
            score: lead.row.score,
            source_id: SourceId(lead.row.source_id),
            subid: lead.row.subid.clone(),
            received_at: lead.row.received_at,
        };
        let mut facts = derive(lead.fields.clone(), &vertical.terms, &stored.country, snapshot.postal.as_ref(), origin);
        facts.state.clone_from(&stored.state);
        facts.centre = stored.centre.map(|[latitude, longitude]| Centre { latitude, longitude });
        Ok(facts)
    }
}
