//! "Why does this buyer get no leads?" – one view: status, hours, caps, balance, destinations, and what came of the last
//! leads for each of a buyer's contracts.
//!
//! Of the past it takes what decisions stored and the revisions that held then. The statements are a constant number,
//! and the leads looked at are bounded.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use leadyard_entity::model::{decision, destination, sale};
use leadyard_entity::placement::{CapOwner, CounterKey, Counters, UnsealedLead};
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{
    BuyerId, CampaignId, Cap, CapPeriod, Check, ContractId, ContractVerdict, Currency, Money, Principal, SaleState,
    Status, SystemTask, Timestamp,
};
use serde::Serialize;
use uuid::Uuid;

use crate::eligibility;
use crate::explain::{History, Stored};
use crate::market::Market;
use crate::rules::cap::{Bucket, CapUse, bucket_of, fits};
use crate::rules::facts::LeadFacts;
use crate::rules::routing::{RULES_VERSION, route};
use crate::rules::schedule::{is_open, next_opening};
use crate::rules::standing::{CapSeen, Now, Outcome, Tally, verdict};
use crate::snapshot::{Buyer, Campaign, Contract, Snapshot};

/// The most leads that are looked at for one campaign.
pub const LEADS_MAX: u32 = 5_000;
/// The most leads that are looked at for all of a buyer's campaigns.
const LEADS_TOGETHER_MAX: u32 = 20_000;
/// How many conditions are named.
const CONDITIONS: usize = 5;

/// Whose caps are the operator's own.
const CAMPAIGN: &str = "campaign";
/// What a buyer is told of those.
const CAMPAIGN_CAP: &str = "The campaign takes no more sales at the moment. Wait, or ask the operator.";

/// A cap and what is used of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CapStanding {
    /// `contract`, `buyer` or `campaign`.
    pub owner: String,
    /// The period.
    pub period: CapPeriod,
    /// Sales in this period.
    pub count: i64,
    /// The most there may be.
    pub count_max: Option<u32>,
    /// Money in this period, minor units.
    pub amount_minor: i64,
    /// The most there may be, minor units.
    pub amount_max_minor: Option<i64>,
    /// When the next period begins; absent for a cap without end.
    pub resets_at: Option<Timestamp>,
    /// Whether one more sale does not fit.
    pub full: bool,
}

/// A destination and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DestinationStanding {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// `ACTIVE`, or `PAUSED` where it was set aside.
    pub status: String,
    /// Since when it fails.
    pub failing_since: Option<Timestamp>,
    /// What its owner was told.
    pub notice: Option<String>,
}

/// A condition that leads missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissedCondition {
    /// In words.
    pub condition: String,
    /// How many leads.
    pub leads: u32,
}

/// A check that refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedBy {
    /// Which.
    pub check: Check,
    /// In words.
    pub message: String,
    /// How many leads.
    pub leads: u32,
}

/// What came of the last leads of the campaign. `leads` are matched or missed by a condition; matched ones were sold,
/// lost, refused, seen under other terms, or cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastLeads {
    /// How many were looked at.
    pub leads: u32,
    /// How many the contract's terms of today want.
    pub matched: u32,
    /// Which conditions the others missed, the most frequent first.
    pub missed: Vec<MissedCondition>,
    /// Bought by the contract.
    pub sold: u32,
    /// Gone to others.
    pub lost: u32,
    /// Auctions lost with a price that would have won.
    pub auctions_lost: u32,
    /// By how much those were lost, at the median, minor units.
    pub lost_by_minor: Option<i64>,
    /// Which checks refused, the most frequent first.
    pub refused: Vec<RefusedBy>,
    /// Decided before the contract had its terms of today.
    pub other_terms: u32,
    /// Of which it cannot be told.
    pub unknown: u32,
}

/// How one contract stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractStanding {
    /// Which.
    pub contract_id: ContractId,
    /// Its name.
    pub contract: String,
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// The campaign's name.
    pub campaign: String,
    /// Whether it buys.
    pub status: Status,
    /// Whether the campaign takes leads.
    pub campaign_status: Status,
    /// The stage it takes part in.
    pub stage: String,
    /// Whether the campaign has that stage.
    pub stage_exists: bool,
    /// Whether its hours are open now.
    pub open_now: bool,
    /// When they open next: now, where they are open; absent = never.
    pub opens_at: Option<Timestamp>,
    /// Its own caps, its buyer's and the campaign's.
    pub caps: Vec<CapStanding>,
    /// What its buyer may still spend in the campaign's currency.
    pub available: Money,
    /// Its price without rules; absent where its buyer is asked for bids.
    pub price: Option<Money>,
    /// Where its leads go.
    pub destinations: Vec<DestinationStanding>,
    /// What came of the last leads.
    pub last: LastLeads,
    /// What stands in its way most, for programs.
    pub obstacle: String,
    /// What stands in its way most and what to do, for people.
    pub verdict: String,
}

/// How a buyer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Who.
    pub buyer_id: BuyerId,
    /// Its name.
    pub buyer: String,
    /// Whether it buys.
    pub status: Status,
    /// Its contracts that have not ended, by name.
    pub contracts: Vec<ContractStanding>,
    /// What stands in its way most and what to do.
    pub verdict: String,
}

impl Standing {
    /// The same without what is the operator's own: figures of the campaigns' caps, and by how much rivals bid more.
    #[must_use]
    pub fn for_buyer(mut self) -> Self {
        for contract in &mut self.contracts {
            let full = contract.caps.iter().find(|cap| cap.full);
            if contract.obstacle == Check::Caps.as_str() && full.is_some_and(|cap| cap.owner == CAMPAIGN) {
                CAMPAIGN_CAP.clone_into(&mut contract.verdict);
            }
            contract.caps.retain(|cap| cap.owner != CAMPAIGN);
            (contract.last.auctions_lost, contract.last.lost_by_minor) = (0, None);
        }
        self.verdict = overall(&self.contracts);
        self
    }
}

/// A lead with what was decided about it last.
struct Seen {
    decision: decision::Model,
    facts: Option<LeadFacts>,
    /// What routing found about the candidates, where it can be made again.
    verdicts: Option<Vec<ContractVerdict>>,
}

/// What was loaded about a buyer.
struct Loaded {
    snapshot: Arc<Snapshot>,
    now: Timestamp,
    buyer: Arc<Buyer>,
    contracts: Vec<Arc<Contract>>,
    counters: Counters,
    available: HashMap<String, i64>,
    destinations: HashMap<Uuid, destination::Model>,
    /// The last leads of each campaign.
    seen: HashMap<CampaignId, Vec<Seen>>,
    /// Where the buyer's sales of those leads stand.
    sales: HashMap<(Uuid, Uuid), SaleState>,
    history: History,
}

impl Market {
    /// How a buyer stands, from the last so many leads of each of its campaigns (at most [`LEADS_MAX`]); `None` if there
    /// is no such buyer.
    pub async fn standing(&self, buyer: BuyerId, leads: u32) -> StoreResult<Option<Standing>> {
        let snapshot = self.refresh().await?;
        let Some(known) = snapshot.buyers.get(&buyer).cloned() else { return Ok(None) };
        let read = self.store.read(Principal::System(SystemTask::Place));
        let now = self.clock().now();
        let (contract_heads, buyer_heads) = read.buyer_history(buyer).await?;
        let campaigns: BTreeSet<Uuid> = contract_heads.iter().filter_map(|head| head.parent_id).collect();
        let campaigns: Vec<CampaignId> = campaigns.into_iter().map(CampaignId).collect();
        let mut history = History::new((contract_heads, buyer_heads));
        let mut contracts = Vec::new();
        for campaign in campaigns.iter().filter_map(|id| snapshot.campaigns.get(id)) {
            let standing = history.before(campaign.id, i64::MAX, &campaign.country, &snapshot.postal)?;
            contracts.extend(standing.into_iter().map(|(contract, _)| contract));
        }
        contracts.retain(|contract| contract.terms.status != Status::Archived);
        contracts.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let campaigns: BTreeSet<CampaignId> = contracts.iter().map(|contract| contract.campaign_id).collect();
        let campaigns: Vec<CampaignId> = campaigns.into_iter().collect();
        let share = LEADS_TOGETHER_MAX / u32::try_from(campaigns.len()).unwrap_or(u32::MAX).max(1);
        let leads = read.last_accepted_leads(&campaigns, leads.min(LEADS_MAX).min(share.max(1))).await?;
        let decisions = read.last_decisions_of(&leads).await?;
        let opened: HashMap<Uuid, UnsealedLead> =
            read.open_leads(&leads).await?.into_iter().map(|lead| (lead.row.id, lead)).collect();
        let sales = read.sales_of_leads(&leads).await?.into_values().flatten().filter(|sale| sale.buyer_id == buyer.0);
        let accounts = read.accounts_of(&[buyer.0]).await?.remove(&buyer.0).unwrap_or_default();
        let destinations = read.destinations_of_buyers(&[buyer.0]).await?.remove(&buyer.0).unwrap_or_default();
        let keys = counter_keys(&snapshot, &known, &contracts, now);
        let wallet = leadyard_types::AccountKind::BuyerWallet.as_str();
        let spendable = |account: &leadyard_entity::model::ledger_account::Model| {
            account.balance_minor - account.held_minor + account.credit_limit_minor
        };
        let mut loaded = Loaded {
            counters: read.cap_uses(&keys).await?,
            available: accounts
                .iter()
                .filter(|account| account.kind == wallet)
                .map(|account| (account.currency.clone(), spendable(account)))
                .collect(),
            destinations: destinations.into_iter().map(|row| (row.id, row)).collect(),
            sales: sale_states(sales)?,
            seen: self.seen(decisions, &opened)?,
            snapshot,
            now,
            buyer: known,
            contracts,
            history,
        };
        loaded.standing().map(Some)
    }

    /// What was decided, by campaign.
    fn seen(
        &self,
        decisions: Vec<decision::Model>,
        leads: &HashMap<Uuid, UnsealedLead>,
    ) -> StoreResult<HashMap<CampaignId, Vec<Seen>>> {
        let mut seen: HashMap<CampaignId, Vec<Seen>> = HashMap::new();
        for decision in decisions {
            let Some(lead) = leads.get(&decision.lead_id) else { continue };
            let stored: Stored = serde_json::from_str(&decision.data).map_err(StoreError::corrupt)?;
            let facts = if lead.erased { None } else { Some(self.facts_of(lead, &stored)?) };
            let verdicts = (decision.rules_version == RULES_VERSION).then(|| route(&stored.input).verdicts);
            let list = seen.entry(CampaignId(lead.row.campaign_id)).or_default();
            list.push(Seen { decision, facts, verdicts });
        }
        Ok(seen)
    }
}

fn sale_states(sales: impl Iterator<Item = sale::Model>) -> StoreResult<HashMap<(Uuid, Uuid), SaleState>> {
    let state =
        |sale: sale::Model| Ok(((sale.lead_id, sale.contract_id), sale.state.parse().map_err(StoreError::corrupt)?));
    sales.map(state).collect()
}

/// Every cap that concerns a buyer's contracts.
fn caps<'a>(
    campaign: &'a Campaign,
    buyer: &'a Buyer,
    contract: &'a Contract,
    now: Timestamp,
) -> impl Iterator<Item = (&'static str, CapOwner, &'a Cap, Bucket)> {
    let (own, campaigns) = (buyer.terms.time_zone, campaign.terms.time_zone);
    [
        ("contract", CapOwner::Contract(contract.id.0), &contract.terms.caps, own),
        ("buyer", CapOwner::Buyer(buyer.id.0), &buyer.terms.caps, own),
        (CAMPAIGN, CapOwner::Campaign(campaign.id.0), &campaign.terms.caps, campaigns),
    ]
    .into_iter()
    .flat_map(move |(name, owner, caps, zone)| {
        caps.iter().map(move |cap| (name, owner, cap, bucket_of(cap.period, now, zone)))
    })
}

fn counter_key(owner: CapOwner, bucket: Bucket) -> CounterKey {
    CounterKey { owner, period: bucket.period, starts_at: bucket.starts_at, ends_at: bucket.ends_at }
}

fn counter_keys(snapshot: &Snapshot, buyer: &Buyer, contracts: &[Arc<Contract>], now: Timestamp) -> Vec<CounterKey> {
    let mut keys = BTreeSet::new();
    for contract in contracts {
        let Some(campaign) = snapshot.campaigns.get(&contract.campaign_id) else { continue };
        keys.extend(caps(campaign, buyer, contract, now).map(|(_, owner, _, bucket)| counter_key(owner, bucket)));
    }
    keys.into_iter().collect()
}

impl Loaded {
    fn standing(&mut self) -> StoreResult<Standing> {
        let contracts = std::mem::take(&mut self.contracts);
        let mut tallies = self.tallies(&contracts)?;
        let mut standings = Vec::with_capacity(contracts.len());
        for contract in &contracts {
            let Some(campaign) = self.snapshot.campaigns.get(&contract.campaign_id).cloned() else { continue };
            let tally = tallies.remove(&contract.id).unwrap_or_default();
            standings.push(self.contract(&campaign, contract, &tally)?);
        }
        Ok(Standing {
            buyer_id: self.buyer.id,
            buyer: self.buyer.name.clone(),
            status: self.buyer.terms.status,
            verdict: overall(&standings),
            contracts: standings,
        })
    }

    /// What came of the last leads for each contract.
    fn tallies(&mut self, contracts: &[Arc<Contract>]) -> StoreResult<HashMap<ContractId, Tally>> {
        let mut tallies: HashMap<ContractId, Tally> = HashMap::new();
        for (campaign_id, seen) in std::mem::take(&mut self.seen) {
            let Some(campaign) = self.snapshot.campaigns.get(&campaign_id).cloned() else { continue };
            for lead in &seen {
                let then =
                    self.history.before(campaign_id, lead.decision.no, &campaign.country, &self.snapshot.postal)?;
                for contract in contracts.iter().filter(|contract| contract.campaign_id == campaign_id) {
                    let tally = tallies.entry(contract.id).or_default();
                    let Some(facts) = &lead.facts else {
                        tally.matched(Outcome::Unknown);
                        continue;
                    };
                    if let Some(condition) = unfit(contract, facts) {
                        tally.miss(&condition);
                        continue;
                    }
                    let then = then.iter().find(|(then, _)| then.id == contract.id);
                    let sale = self.sales.get(&(lead.decision.lead_id, contract.id.0));
                    tally.matched(outcome(lead, facts, then, sale.copied(), contract.id));
                }
            }
        }
        Ok(tallies)
    }

    fn contract(&self, campaign: &Campaign, contract: &Contract, tally: &Tally) -> StoreResult<ContractStanding> {
        let terms = &contract.terms;
        let open_now = terms.schedule.as_ref().is_none_or(|hours| is_open(hours, self.now));
        let opens_at = match &terms.schedule {
            Some(hours) => next_opening(hours, self.now),
            None => Some(self.now),
        };
        let currency: Currency = campaign.currency;
        let available = Money::new(self.available.get(currency.as_str()).copied().unwrap_or(0), currency);
        let price = terms.ping.is_none().then(|| Money::new(terms.price_minor, currency));
        // A buyer who bids needs the floor at least.
        let least = price.unwrap_or_else(|| Money::new(campaign.terms.floor_minor.max(1), currency));
        let (caps, seen): (Vec<CapStanding>, Vec<CapSeen>) =
            caps(campaign, &self.buyer, contract, self.now).map(|found| self.cap(found, least.amount_minor)).unzip();
        let destinations: Vec<DestinationStanding> =
            terms.destinations.iter().filter_map(|id| self.destinations.get(&id.0)).map(destination_standing).collect();
        let stage_exists = campaign.terms.stages.iter().any(|stage| stage.key == terms.stage);
        let parked = destinations.iter().filter(|found| found.status != Status::Active.as_str());
        let now = Now {
            campaign: campaign.terms.status,
            contract: terms.status,
            buyer: self.buyer.terms.status,
            missing_stage: (!stage_exists).then(|| terms.stage.clone()),
            opens_at,
            caps: seen,
            short: (available.amount_minor < least.amount_minor).then(|| (available.to_string(), least.to_string())),
            parked: parked.map(|found| (found.name.clone(), found.notice.clone())).collect(),
        };
        let found = verdict(&now, tally);
        Ok(ContractStanding {
            contract_id: contract.id,
            contract: contract.name.clone(),
            campaign_id: campaign.id,
            campaign: campaign.name.clone(),
            status: terms.status,
            campaign_status: campaign.terms.status,
            stage: terms.stage.clone(),
            stage_exists,
            open_now,
            opens_at,
            caps,
            available,
            price,
            destinations,
            last: last_leads(tally),
            obstacle: found.code,
            verdict: found.message,
        })
    }

    fn cap(
        &self,
        (name, owner, cap, bucket): (&'static str, CapOwner, &Cap, Bucket),
        price_minor: i64,
    ) -> (CapStanding, CapSeen) {
        let used = self.counters.get(&counter_key(owner, bucket)).copied().unwrap_or_default();
        let CapUse { count, amount_minor, .. } =
            CapUse { cap: *cap, bucket, count: used.count, amount_minor: used.amount_minor };
        let full = fits(&CapUse { cap: *cap, bucket, count, amount_minor }, price_minor).map(|seen| seen.value);
        let resets_at = (cap.period != CapPeriod::Total).then_some(bucket.ends_at);
        let standing = CapStanding {
            owner: name.to_owned(),
            period: cap.period,
            count,
            count_max: cap.count,
            amount_minor,
            amount_max_minor: cap.amount_minor,
            resets_at,
            full: full.is_some(),
        };
        (standing, CapSeen { owner: name, period: cap.period, resets_at, full })
    }
}

/// Why a lead does not fit a contract's terms of today: filter and source lists.
fn unfit(contract: &Contract, facts: &LeadFacts) -> Option<String> {
    let refusal = contract.filter.as_ref().and_then(|filter| filter.refusal(facts));
    refusal.or_else(|| eligibility::source_refusal(contract, facts)).map(|refusal| refusal.message)
}

/// What became of a lead that fits.
fn outcome(
    lead: &Seen,
    facts: &LeadFacts,
    then: Option<&(Arc<Contract>, Arc<Buyer>)>,
    sale: Option<SaleState>,
    contract: ContractId,
) -> Outcome {
    match sale {
        Some(SaleState::Rejected) => {
            return Outcome::Refused(Check::BuyerRefused, "the buyer refused the lead".to_owned());
        }
        Some(_) => return Outcome::Sold,
        None => {}
    }
    let Some(verdicts) = &lead.verdicts else { return Outcome::Unknown };
    let refusal = match verdicts.iter().find(|verdict| verdict.contract_id == contract) {
        Some(verdict) => match &verdict.refusal {
            Some(refusal) if refusal.check == Check::NotChosen => {
                let gap = verdict.would_win_at_minor.map(|wins| wins - verdict.price_minor);
                return Outcome::Lost(gap.filter(|gap| *gap > 0));
            }
            Some(refusal) => refusal.clone(),
            None => return Outcome::Unknown,
        },
        None => {
            let Some((then, buyer)) = then else { return Outcome::OtherTerms };
            match eligibility::refusal(then, buyer, facts, lead.decision.decided_at) {
                Some(refusal) if matches!(refusal.check, Check::Filters | Check::SourceList) => {
                    return Outcome::OtherTerms;
                }
                Some(refusal) => refusal,
                None => return Outcome::Unknown,
            }
        }
    };
    Outcome::Refused(refusal.check, refusal.message)
}

fn last_leads(tally: &Tally) -> LastLeads {
    let missed = tally.misses().into_iter().take(CONDITIONS);
    let refused = tally.refused().into_iter();
    LastLeads {
        leads: tally.leads,
        matched: tally.matched,
        missed: missed.map(|(condition, leads)| MissedCondition { condition, leads }).collect(),
        sold: tally.sold,
        lost: tally.lost,
        auctions_lost: tally.auctions_lost(),
        lost_by_minor: tally.lost_by_minor(),
        refused: refused
            .map(|found| RefusedBy { check: found.check, message: found.message, leads: found.leads })
            .collect(),
        other_terms: tally.other_terms,
        unknown: tally.unknown,
    }
}

fn destination_standing(row: &destination::Model) -> DestinationStanding {
    DestinationStanding {
        name: row.name.clone(),
        kind: row.kind.clone(),
        status: row.status.clone(),
        failing_since: row.failing_since,
        notice: row.notice.clone(),
    }
}

/// The buyer's verdict: that of the contract through which most leads could come.
fn overall(contracts: &[ContractStanding]) -> String {
    let widest = contracts.iter().max_by_key(|contract| (contract.last.sold, contract.last.matched));
    match widest {
        None => "It has no contract. Make one for it to buy.".to_owned(),
        Some(widest) if contracts.len() == 1 => widest.verdict.clone(),
        Some(widest) => format!("{}: {}", widest.contract, widest.verdict),
    }
}
