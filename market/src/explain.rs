//! Explaining: why a lead went where it went. What a decision saw of the moment is stored with it; which contracts' terms
//! did not fit is derived again from the revisions that held then.

mod history;

use std::collections::{HashMap, HashSet};

use leadyard_entity::model::decision;
use leadyard_entity::placement::UnsealedLead;
use leadyard_entity::{Read, StoreError, StoreResult};
use leadyard_types::{
    CampaignId, Check, ContractId, ContractVerdict, DecisionId, Fields, LeadId, LeadState, PlanSeen, Principal,
    Refusal, SourceId, SystemTask, Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::eligibility;
use crate::market::Market;
use crate::rules::facts::{Centre, LeadFacts, Origin, derive};
use crate::rules::routing::{RULES_VERSION, RoutingInput, RunnerUp, Waits, add_counterfactuals, route};
use crate::snapshot::Snapshot;
pub(crate) use history::History;

/// What a decision stored.
#[derive(Debug, Deserialize)]
pub(crate) struct Stored {
    pub(crate) input: RoutingInput,
    pub(crate) country: String,
    state: Option<String>,
    centre: Option<[f64; 2]>,
    #[serde(default)]
    age_minutes: i64,
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
    /// What would have been done without the sale that was made, where exclusive and shared were weighed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_up: Option<RunnerUp>,
    /// The plan that was followed, where an experiment divides the campaign's leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSeen>,
    /// What the lead waits for, where nobody bought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
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
    /// Whether it is a test.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
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
        let rows = read.decisions_of(id).await?;
        let order: Vec<DecisionId> = rows.iter().map(|row| DecisionId(row.id)).collect();
        let mut explained = self.explain_decisions(&read, rows).await?;
        let decisions = order.into_iter().filter_map(|id| explained.remove(&id)).collect();
        let steps = read.events_of(id).await?.into_iter().map(|event| {
            let detail = serde_json::from_str(&event.detail).map_err(StoreError::corrupt)?;
            Ok(Step { kind: event.kind, at: event.at, detail })
        });
        Ok(Some(Explanation {
            lead_id: id,
            test: lead.row.test,
            state: lead.row.state.parse().map_err(StoreError::corrupt)?,
            reason: lead.row.reason.clone(),
            steps: steps.collect::<StoreResult<_>>()?,
            decisions,
        }))
    }

    /// Explains decisions that the reader's principal has read, all together: a constant number of statements however
    /// many there are. What depends on a person's data is masked for those who do not see it.
    pub async fn explain_decisions(
        &self,
        read: &Read,
        decisions: Vec<decision::Model>,
    ) -> StoreResult<HashMap<DecisionId, DecisionExplained>> {
        let leads: HashSet<Uuid> = decisions.iter().map(|decision| decision.lead_id).collect();
        let leads: Vec<Uuid> = leads.into_iter().collect();
        let leads: HashMap<Uuid, UnsealedLead> =
            read.open_leads(&leads).await?.into_iter().map(|lead| (lead.row.id, lead)).collect();
        let campaigns: HashSet<CampaignId> = leads.values().map(|lead| CampaignId(lead.row.campaign_id)).collect();
        let campaigns: Vec<CampaignId> = campaigns.into_iter().collect();
        self.know(&campaigns).await?;
        let before = decisions.iter().map(|decision| decision.no).max().unwrap_or_default();
        let system = self.store.read(Principal::System(SystemTask::Place));
        let mut history = History::new(system.terms_history(&campaigns, before).await?);
        let masked = !read.principal().sees_personal_data();
        let mut explained = HashMap::new();
        for decision in decisions {
            let Some(lead) = leads.get(&decision.lead_id) else { continue };
            let id = DecisionId(decision.id);
            let mut one = self.explain_decision(lead, decision, &mut history)?;
            if masked {
                mask(&mut one, lead)?;
            }
            explained.insert(id, one);
        }
        Ok(explained)
    }

    fn explain_decision(
        &self,
        lead: &UnsealedLead,
        decision: decision::Model,
        history: &mut History,
    ) -> StoreResult<DecisionExplained> {
        let mut explained = DecisionExplained {
            no: decision.no,
            number: decision.number,
            outcome: decision.outcome.clone(),
            decided_at: decision.decided_at,
            contracts: Vec::new(),
            runner_up: None,
            plan: None,
            waits: None,
            note: None,
        };
        if decision.rules_version != RULES_VERSION {
            explained.note = Some(format!("decided by version {} of the rules", decision.rules_version));
            return Ok(explained);
        }
        let stored: Stored = serde_json::from_str(&decision.data).map_err(StoreError::corrupt)?;
        let mut routing = route(&stored.input);
        add_counterfactuals(&stored.input, &mut routing.verdicts);
        explained.runner_up = routing.runner_up;
        explained.waits = routing.waits;
        explained.plan.clone_from(&stored.input.plan);
        let mut verdicts: HashMap<_, ContractVerdict> =
            routing.verdicts.into_iter().map(|verdict| (verdict.contract_id, verdict)).collect();
        if lead.erased {
            explained.note = Some("the person was erased: what depends on their data cannot be shown".to_owned());
        }
        let facts = self.facts_of(lead, &stored)?;
        let campaign = CampaignId(lead.row.campaign_id);
        let postal = self.snapshot().postal.clone();
        let aged = stored.input.aged;
        for (contract, buyer) in history.before(campaign, decision.no, &stored.country, &postal)? {
            let verdict = verdicts.remove(&contract.id).unwrap_or_else(|| {
                let (price_minor, rule) = contract.price(&facts, aged);
                ContractVerdict {
                    contract_id: contract.id,
                    buyer_id: buyer.id,
                    revision_id: contract.revision_id,
                    stage: contract.terms.stage.clone(),
                    price_minor,
                    price_rule: rule,
                    rank: None,
                    bid: None,
                    decided_by: None,
                    would_win_at_minor: None,
                    refusal: eligibility::refusal_of(&contract, &buyer, &facts, decision.decided_at, aged.is_some())
                        .map(|refusal| opening(&stored.input, contract.id, refusal)),
                }
            });
            explained.contracts.push(ContractExplained {
                contract: contract.name.clone(),
                buyer: buyer.name.clone(),
                verdict,
            });
        }
        explained.contracts.sort_by_key(|entry| {
            (entry.verdict.refusal.is_some(), entry.verdict.rank.unwrap_or(u32::MAX), entry.contract.clone())
        });
        Ok(explained)
    }

    /// Brings the snapshot up to date where it does not know one of these campaigns: a process that places nothing hears of
    /// no edit.
    pub(crate) async fn know(&self, campaigns: &[CampaignId]) -> StoreResult<()> {
        let snapshot = self.snapshot();
        if !campaigns.iter().all(|campaign| snapshot.campaigns.contains_key(campaign)) {
            self.refresh().await?;
        }
        Ok(())
    }

    /// The facts as the decision saw them.
    pub(crate) fn facts_of(&self, lead: &UnsealedLead, stored: &Stored) -> StoreResult<LeadFacts> {
        facts_then(&self.snapshot(), lead, stored)
    }
}

/// Adds to a refusal by the hours when the contract opens, where the lead would wait for it.
fn opening(input: &RoutingInput, contract: ContractId, refusal: Refusal) -> Refusal {
    match input.waiting.iter().find(|waiting| waiting.candidate.contract_id == contract) {
        Some(waiting) => refusal.seeing("opens at", waiting.opens_at.to_rfc3339()),
        None => refusal,
    }
}

/// The facts as a decision saw them: places as stored, not as the postal codes stand today.
pub(crate) fn facts_then(snapshot: &Snapshot, lead: &UnsealedLead, stored: &Stored) -> StoreResult<LeadFacts> {
    let campaign = snapshot.campaigns.get(&CampaignId(lead.row.campaign_id));
    let vertical = campaign.and_then(|campaign| snapshot.verticals.get(&campaign.vertical_id));
    let vertical = vertical.ok_or_else(|| StoreError::corrupt("the lead's vertical is unknown"))?;
    let origin = Origin {
        consent: lead.consent.clone(),
        score: lead.row.score,
        source_id: SourceId(lead.row.source_id),
        subid: lead.row.subid.clone(),
        received_at: lead.row.received_at,
        test: lead.row.test,
    };
    let mut facts = derive(lead.fields.clone(), &vertical.terms, &stored.country, snapshot.postal.as_ref(), origin);
    facts.age_minutes = stored.age_minutes;
    facts.state.clone_from(&stored.state);
    facts.centre = stored.centre.map(|[latitude, longitude]| Centre { latitude, longitude });
    Ok(facts)
}

/// Takes out of an explanation what filters saw of the person: for readers who do not see personal data.
fn mask(explained: &mut DecisionExplained, lead: &UnsealedLead) -> StoreResult<()> {
    // What is stored in the clear is what the vertical does not call personal.
    let open: Fields = serde_json::from_str(&lead.row.fields).map_err(StoreError::corrupt)?;
    let refusals = explained.contracts.iter_mut().filter_map(|entry| entry.verdict.refusal.as_mut());
    for refusal in refusals.filter(|refusal| refusal.check == Check::Filters) {
        for seen in &mut refusal.seen {
            if lead.fields.contains_key(&seen.name) && !open.contains_key(&seen.name) {
                MASK.clone_into(&mut seen.value);
            }
        }
    }
    Ok(())
}

/// What stands for a value that the reader may not see.
pub const MASK: &str = "•••";
