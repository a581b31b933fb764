//! Verifying decisions: each is made again from what it stored and from the terms that held then, and must come out the
//! same to the last figure.
//!
//! Compared are: the input as it was stored, the contracts whose terms fitted with their revisions and prices, the
//! outcome, and every sale that was made with its contract, price and place.

use std::collections::{HashMap, HashSet};

use leadyard_entity::model::{decision, sale};
use leadyard_entity::placement::UnsealedLead;
use leadyard_entity::{Read, StoreError, StoreResult};
use leadyard_types::{CampaignId, Check, LeadId, Principal, SystemTask};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::eligibility;
use crate::explain::{History, Stored};
use crate::market::Market;
use crate::placement::outcome_word;
use crate::rules::routing::{RULES_VERSION, route};

/// How many decisions are read at once.
const PAGE: u64 = 500;
/// How many differences are told; the rest are counted.
const TOLD: usize = 20;

/// What verifying came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Decisions made again.
    pub checked: u64,
    /// Those of them that came out differently.
    pub differing: u64,
    /// Decisions about people who were erased: only what does not need their data was compared.
    pub erased: u64,
    /// Decisions under other postal codes than today's: their contracts were not derived again.
    pub other_postal_codes: u64,
    /// Decisions of other versions of the rules, not made again.
    pub other_rules: u64,
    /// The first differences.
    pub differences: Vec<Difference>,
}

/// A decision that came out differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The lead.
    pub lead_id: LeadId,
    /// The decision's place among all decisions.
    pub no: i64,
    /// What differs.
    pub what: String,
}

impl Market {
    /// Verifies a lead's decisions; `None` if there is no such lead.
    pub async fn verify_lead(&self, id: LeadId) -> StoreResult<Option<Verified>> {
        let read = self.store.read(Principal::System(SystemTask::Place));
        if read.unsealed_lead(id).await?.is_none() {
            return Ok(None);
        }
        let mut verified = Verified::default();
        self.verify_page(&read, read.decisions_of(id).await?, &mut verified).await?;
        Ok(Some(verified))
    }

    /// Verifies every decision; `progress` is told how many more are done. Memory does not grow with their number.
    pub async fn verify_all(&self, mut progress: impl FnMut(u64)) -> StoreResult<Verified> {
        let read = self.store.read(Principal::System(SystemTask::Place));
        let (mut verified, mut after) = (Verified::default(), i64::MIN);
        loop {
            let page = read.decisions_after(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(verified) };
            after = last.no;
            let count = u64::try_from(page.len()).unwrap_or(PAGE);
            self.verify_page(&read, page, &mut verified).await?;
            progress(count);
        }
    }

    async fn verify_page(&self, read: &Read, page: Vec<decision::Model>, verified: &mut Verified) -> StoreResult<()> {
        let leads: HashSet<Uuid> = page.iter().map(|decision| decision.lead_id).collect();
        let leads: Vec<Uuid> = leads.into_iter().collect();
        let mut sales: HashMap<Uuid, Vec<sale::Model>> = HashMap::new();
        for sale in read.sales_of_leads(&leads).await?.into_values().flatten() {
            sales.entry(sale.decision_id).or_default().push(sale);
        }
        let leads: HashMap<Uuid, UnsealedLead> =
            read.open_leads(&leads).await?.into_iter().map(|lead| (lead.row.id, lead)).collect();
        let campaigns: HashSet<CampaignId> = leads.values().map(|lead| CampaignId(lead.row.campaign_id)).collect();
        let campaigns: Vec<CampaignId> = campaigns.into_iter().collect();
        let before = page.iter().map(|decision| decision.no).max().unwrap_or_default();
        self.know(&campaigns).await?;
        let mut history = History::new(read.terms_history(&campaigns, before).await?);
        for decision in page {
            if decision.rules_version != RULES_VERSION {
                verified.other_rules += 1;
                continue;
            }
            let lead = leads.get(&decision.lead_id).ok_or_else(|| StoreError::corrupt("the lead of a decision"))?;
            verified.checked += 1;
            let made = sales.remove(&decision.id).unwrap_or_default();
            if let Some(what) = self.difference(&decision, lead, made, &mut history, verified)? {
                verified.differing += 1;
                if verified.differences.len() < TOLD {
                    let lead_id = LeadId(decision.lead_id);
                    verified.differences.push(Difference { lead_id, no: decision.no, what });
                }
            }
        }
        Ok(())
    }

    /// The first thing in which a decision differs when it is made again.
    fn difference(
        &self,
        decision: &decision::Model,
        lead: &UnsealedLead,
        sales: Vec<sale::Model>,
        history: &mut History,
        verified: &mut Verified,
    ) -> StoreResult<Option<String>> {
        let Ok(stored) = serde_json::from_str::<Stored>(&decision.data) else {
            return Ok(Some("what it stored cannot be read".to_owned()));
        };
        let kept: Value = serde_json::from_str(&decision.data).map_err(StoreError::corrupt)?;
        if kept.get("input") != serde_json::to_value(&stored.input).ok().as_ref() {
            return Ok(Some("what it stored says something else when it is read".to_owned()));
        }
        if let Some(what) = outcome_differs(decision, &stored, sales, lead.row.test) {
            return Ok(Some(what));
        }
        if lead.erased {
            verified.erased += 1;
            return Ok(None);
        }
        if decision.postal_version != self.snapshot().version.postal {
            verified.other_postal_codes += 1;
            return Ok(None);
        }
        self.contracts_differ(decision, &stored, lead, history)
    }

    /// Whether other contracts fitted, or at other prices, by the terms that held then.
    fn contracts_differ(
        &self,
        decision: &decision::Model,
        stored: &Stored,
        lead: &UnsealedLead,
        history: &mut History,
    ) -> StoreResult<Option<String>> {
        let facts = self.facts_of(lead, stored)?;
        let campaign = CampaignId(lead.row.campaign_id);
        let postal = self.snapshot().postal.clone();
        let mut candidates: HashMap<_, _> =
            stored.input.candidates.iter().map(|candidate| (candidate.contract_id, candidate)).collect();
        let aged = stored.input.aged;
        let mut waiting: HashMap<_, _> =
            stored.input.waiting.iter().map(|waiting| (waiting.candidate.contract_id, waiting)).collect();
        for (contract, buyer) in history.before(campaign, decision.no, &stored.country, &postal)? {
            let refusal = eligibility::refusal_of(&contract, &buyer, &facts, decision.decided_at, aged.is_some());
            if let Some(waiting) = waiting.remove(&contract.id) {
                let opens_at = eligibility::opens_at(&contract, &buyer, decision.decided_at);
                let by_hours = refusal.as_ref().is_some_and(|refusal| refusal.check == Check::Hours);
                if !by_hours || opens_at != Some(waiting.opens_at) {
                    return Ok(Some(format!("{} was waited for until another moment", contract.name)));
                }
            }
            match (candidates.remove(&contract.id), refusal) {
                (None, None) => return Ok(Some(format!("the terms of {} fit, and it was left out", contract.name))),
                (Some(_), Some(refusal)) => {
                    return Ok(Some(format!("the terms of {} do not fit: {}", contract.name, refusal.message)));
                }
                (None, Some(_)) => {}
                (Some(candidate), None) => {
                    let (price_minor, _) = contract.price(&facts, aged);
                    let terms = &contract.terms;
                    let same = candidate.revision_id == contract.revision_id
                        && candidate.stage == terms.stage
                        && (candidate.priority, candidate.weight) == (terms.priority, terms.weight)
                        && (candidate.asks || candidate.price.amount_minor == price_minor);
                    if !same {
                        return Ok(Some(format!("{} had other terms or another price", contract.name)));
                    }
                }
            }
        }
        Ok(candidates.keys().next().map(|contract| format!("the contract {contract} was not there")))
    }
}

/// Whether another outcome or other sales follow from what was stored.
fn outcome_differs(
    decision: &decision::Model,
    stored: &Stored,
    mut sales: Vec<sale::Model>,
    test: bool,
) -> Option<String> {
    let routing = route(&stored.input);
    let outcome = outcome_word(&stored.input, &routing);
    if outcome != decision.outcome {
        return Some(format!("the outcome is {outcome}, and was {}", decision.outcome));
    }
    sales.sort_by_key(|sale| sale.leg);
    let made: Vec<(Uuid, i64, bool)> =
        sales.iter().map(|sale| (sale.contract_id, sale.price_minor, sale.exclusive)).collect();
    let again: Vec<(Uuid, i64, bool)> = routing
        .winners
        .iter()
        .filter_map(|winner| {
            let candidate = stored.input.candidates.get(winner.position)?;
            // A test is not billed.
            Some((candidate.contract_id.0, if test { 0 } else { winner.price_minor }, winner.exclusive))
        })
        .collect();
    (made != again).then(|| format!("the sales are {again:?}, and were {made:?}"))
}
