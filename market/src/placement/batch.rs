//! Loading what a batch of placements needs, in a fixed number of statements.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use leadyard_entity::ledger::{AccountKey, OPERATOR, WalletBalance};
use leadyard_entity::model::person;
use leadyard_entity::placement::{
    CapOwner, CounterKey, Counters, FingerprintHit, PriorSale, StoredAnswer, UnsealedLead,
};
use leadyard_entity::{IndexHash, Keyring, StoreError, StoreResult, Write};
use leadyard_types::terms::DuplicateScope;
use leadyard_types::{
    AccountId, AccountKind, BidSeen, BuyerId, CampaignId, Cap, ContractId, Currency, Ids, LeadAnswer, LeadId,
    LeadState, Percent, Plan, Timestamp,
};
use uuid::Uuid;

use super::{Ground, Work};
use crate::market::{ComplaintRates, Market};
use crate::rules::aged;
use crate::rules::cap::{Bucket, Buckets};
use crate::rules::facts::{LeadFacts, Origin, derive};
use crate::rules::index::Scratch;
use crate::rules::method::StageState;
use crate::rules::routing::RULES_VERSION;
use crate::snapshot::{Campaign, Fit, Snapshot, Source};

/// A wallet as the batch sees it; it changes as the batch sells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wallet {
    pub(crate) account: AccountId,
    pub(crate) available_minor: i64,
}

/// A stored lead that is offered again.
pub(super) struct Again {
    pub(super) lead: UnsealedLead,
    pub(super) facts: LeadFacts,
    pub(super) campaign: Arc<Campaign>,
    pub(super) source: Arc<Source>,
    pub(super) fingerprints: Vec<IndexHash>,
    pub(super) bids: HashMap<ContractId, BidSeen>,
    /// What its supplier was promised, where it pinged.
    pub(super) promise_minor: Option<i64>,
}

impl Again {
    /// What an aged lead costs of the ordinary prices; `None` where it is not aged.
    pub(super) fn aged(&self) -> Option<Percent> {
        let is_aged = self.lead.row.state == LeadState::Aged.as_str();
        let policy = self.campaign.terms.aged.as_ref();
        is_aged.then(|| policy.map_or(Percent(100.into()), |policy| aged::percent(policy, self.facts.age_minutes)))
    }

    /// Leaves of the contracts only those that buy aged leads, if this is one; none once the campaign sells none.
    pub(super) fn keep_those_for_aged(&self, fits: &mut Vec<Fit>) {
        if self.aged().is_some() {
            let sells = self.campaign.terms.aged.is_some();
            fits.retain(|(contract, _)| sells && contract.terms.buys_aged);
        }
    }

    /// The plan that the lead followed before, and of which experiment.
    pub(super) fn plan_before(&self) -> Option<(&str, Plan)> {
        let row = &self.lead.row;
        Some((row.split.as_deref()?, row.plan.as_deref()?.parse().ok()?))
    }
}

/// Everything a batch's decisions depend on.
pub(crate) struct Batch<'a> {
    pub(super) work: &'a [Work],
    pub(super) snapshot: &'a Snapshot,
    pub(super) keyring: &'a Keyring,
    pub(super) ids: &'a dyn Ids,
    pub(super) now: Timestamp,
    pub(super) again: HashMap<LeadId, Again>,
    /// What became of stored leads in this batch so far.
    pub(super) decided: HashMap<LeadId, LeadAnswer>,
    /// What the last decisions about leads that wait stored.
    pub(super) last: HashMap<LeadId, String>,
    pub(super) fits: Vec<Vec<Fit>>,
    /// Contracts outside their hours for which each lead would wait, and when they open.
    pub(super) opening: Vec<Vec<(Fit, Timestamp)>>,
    pub(super) answers: HashMap<(String, IndexHash), StoredAnswer>,
    pub(super) suppressed: HashSet<(IndexHash, Option<CampaignId>)>,
    pub(super) hits: HashMap<IndexHash, Vec<FingerprintHit>>,
    pub(super) sales: HashMap<LeadId, Vec<PriorSale>>,
    pub(super) people: HashMap<IndexHash, person::Model>,
    pub(super) rotations: HashMap<(CampaignId, String), StageState>,
    /// The rotations that a sale of this batch turned.
    pub(super) turned: BTreeSet<(CampaignId, String)>,
    pub(super) counters: Counters,
    pub(super) buckets: Buckets,
    pub(super) wallets: HashMap<(BuyerId, Currency), Wallet>,
    pub(super) accounts: HashMap<AccountKey, AccountId>,
    pub(super) complaint_rates: Arc<ComplaintRates>,
}

impl<'a> Batch<'a> {
    /// Locks in the published order (campaigns, wallets, leads) and loads.
    pub(crate) async fn load(market: &'a Market, ground: &'a Ground, work: &'a [Work]) -> StoreResult<Self> {
        let Ground { transaction, snapshot, rates } = ground;
        let snapshot = snapshot.as_ref();
        let now = market.clock().now();
        let again = load_again(transaction, snapshot, work, now).await?;
        lock(transaction, work, &again).await?;
        let mut scratch = Scratch::default();
        let fits: Vec<Vec<Fit>> = work.iter().map(|work| fits(snapshot, work, &again, now, &mut scratch)).collect();
        let opening: Vec<Vec<(Fit, Timestamp)>> =
            work.iter().map(|work| opening(snapshot, work, &again, now, &mut scratch)).collect();
        let every = || fits.iter().flatten().chain(opening.iter().flatten().map(|(fit, _)| fit));
        let buyers: BTreeSet<BuyerId> = every().map(|(_, buyer)| buyer.id).collect();
        let wallets = load_wallets(transaction, &buyers).await?;
        let again = relock(transaction, again).await?;
        let waits = [LeadState::Queued.as_str(), LeadState::Aged.as_str()];
        let waiting = again.values().filter(|again| waits.contains(&again.lead.row.state.as_str()));
        let last = transaction.last_decisions(waiting.map(|again| again.lead.row.id), RULES_VERSION).await?;
        let campaigns: BTreeSet<CampaignId> = campaigns_of(work, &again);
        let (hits, sales) = load_history(transaction, work, &again).await?;
        let buckets = Buckets::default();
        let keys = counter_keys(work, &again, every(), snapshot, now, &buckets);
        let fresh = || work.iter().filter_map(Work::new_lead);
        let keyed: Vec<(String, IndexHash)> = fresh().map(|lead| (lead.scope.clone(), lead.key)).collect();
        Ok(Self {
            answers: transaction.stored_answers(&keyed).await?,
            suppressed: transaction.suppressed(fresh().flat_map(|lead| lead.contacts.iter().copied())).await?,
            people: load_people(transaction, fresh().filter_map(|lead| lead.identity)).await?,
            rotations: load_rotations(transaction, &campaigns).await?,
            counters: transaction.counters(keys).await?,
            accounts: market.operator_accounts(transaction, work, &again).await?,
            complaint_rates: Arc::clone(rates),
            turned: BTreeSet::new(),
            buckets,
            hits,
            sales,
            wallets,
            fits,
            opening,
            again,
            decided: HashMap::new(),
            last,
            work,
            snapshot,
            keyring: market.store.keyring(),
            ids: market.ids().as_ref(),
            now,
        })
    }
}

impl Work {
    pub(super) fn new_lead(&self) -> Option<&crate::intake::Prepared> {
        match self {
            Self::New(prepared) => Some(prepared),
            Self::Again(..) => None,
        }
    }
}

async fn load_again(
    transaction: &Write,
    snapshot: &Snapshot,
    work: &[Work],
    now: Timestamp,
) -> StoreResult<HashMap<LeadId, Again>> {
    let ids: BTreeSet<LeadId> =
        work.iter().filter_map(|work| if let Work::Again(id, _) = work { Some(*id) } else { None }).collect();
    let mut again = HashMap::with_capacity(ids.len());
    let mut promises = transaction.promises(&ids).await?;
    let mut standing = if snapshot.auctions() { transaction.standing_bids(&ids, now).await? } else { HashMap::new() };
    for work in work {
        // What was answered a moment ago comes before what still holds.
        if let Work::Again(id, asked) = work
            && !asked.bids.is_empty()
        {
            standing.entry(*id).or_default().extend(asked.bids.clone());
        }
    }
    for lead in transaction.leads_to_place(&ids).await? {
        let known = |noun: &str| StoreError::corrupt(format!("the {noun} of lead {} is unknown", lead.row.id));
        let campaign = snapshot.campaigns.get(&CampaignId(lead.row.campaign_id)).ok_or_else(|| known("campaign"))?;
        let source_id = leadyard_types::SourceId(lead.row.source_id);
        let source = snapshot.sources.get(&source_id).ok_or_else(|| known("source"))?;
        let vertical = snapshot.verticals.get(&campaign.vertical_id).ok_or_else(|| known("vertical"))?;
        let origin = Origin {
            consent: lead.consent.clone(),
            score: lead.row.score,
            source_id,
            subid: lead.row.subid.clone(),
            received_at: lead.row.received_at,
            test: lead.row.test,
        };
        let keyring = transaction.store().keyring();
        let fingerprints = crate::rules::duplicate::fingerprint_fields(&campaign.terms.duplicates, &lead.fields)
            .into_iter()
            .map(|(field, value)| keyring.index_hash(&field, &value))
            .collect();
        let mut facts =
            derive(lead.fields.clone(), &vertical.terms, &campaign.country, snapshot.postal.as_ref(), origin);
        facts.age_minutes = (now - lead.row.received_at).num_minutes().max(0);
        let id = LeadId(lead.row.id);
        let (bids, promise_minor) = (standing.remove(&id).unwrap_or_default(), promises.remove(&id));
        let entry = Again {
            bids,
            promise_minor,
            facts,
            campaign: Arc::clone(campaign),
            source: Arc::clone(source),
            fingerprints,
            lead,
        };
        again.insert(LeadId(entry.lead.row.id), entry);
    }
    Ok(again)
}

fn campaigns_of(work: &[Work], again: &HashMap<LeadId, Again>) -> BTreeSet<CampaignId> {
    let fresh = work.iter().filter_map(Work::new_lead).map(|lead| lead.campaign.id);
    fresh.chain(again.values().map(|again| again.campaign.id)).collect()
}

/// Campaigns first; then, where duplicates are looked for across campaigns, the fingerprints.
async fn lock(transaction: &Write, work: &[Work], again: &HashMap<LeadId, Again>) -> StoreResult<()> {
    transaction.lock_campaigns(&campaigns_of(work, again)).await?;
    let wide: BTreeSet<IndexHash> = work
        .iter()
        .filter_map(Work::new_lead)
        .filter(|lead| lead.campaign.terms.duplicates.scope == DuplicateScope::Operator)
        .flat_map(|lead| lead.fingerprints.iter().copied())
        .collect();
    transaction.lock_fingerprints(&wide).await
}

/// The contracts whose terms fit a lead, in id order.
fn fits(
    snapshot: &Snapshot,
    work: &Work,
    again: &HashMap<LeadId, Again>,
    now: Timestamp,
    scratch: &mut Scratch,
) -> Vec<Fit> {
    let (campaign, facts) = match work {
        Work::New(lead) if lead.source_refusal.is_some() || !lead.problems.is_empty() => return Vec::new(),
        Work::New(lead) => (lead.campaign.id, &lead.facts),
        Work::Again(id, _) => match again.get(id) {
            Some(again) if !again.lead.erased => (again.campaign.id, &again.facts),
            _ => return Vec::new(),
        },
    };
    let Some(contracts) = snapshot.contracts.get(&campaign) else { return Vec::new() };
    contracts.fitting(&snapshot.buyers, facts, now, scratch)
}

/// The contracts outside their hours for which a lead might wait, in id order.
fn opening(
    snapshot: &Snapshot,
    work: &Work,
    again: &HashMap<LeadId, Again>,
    now: Timestamp,
    scratch: &mut Scratch,
) -> Vec<(Fit, Timestamp)> {
    let (campaign, facts) = match work {
        Work::New(lead) if lead.source_refusal.is_none() && lead.problems.is_empty() => (lead.campaign.id, &lead.facts),
        Work::New(_) => return Vec::new(),
        Work::Again(id, _) => match again.get(id) {
            Some(again) if !again.lead.erased => (again.campaign.id, &again.facts),
            _ => return Vec::new(),
        },
    };
    let Some(contracts) = snapshot.contracts.get(&campaign) else { return Vec::new() };
    contracts.opening(&snapshot.buyers, facts, now, scratch)
}

async fn load_wallets(
    transaction: &Write,
    buyers: &BTreeSet<BuyerId>,
) -> StoreResult<HashMap<(BuyerId, Currency), Wallet>> {
    let balances = transaction.lock_balances(buyers).await?.into_iter();
    let wallet = |row: WalletBalance| Wallet { account: row.account, available_minor: row.available_minor };
    Ok(balances.map(|row| ((row.buyer, row.currency), wallet(row))).collect())
}

/// Locks leads that are offered again, after the wallets, and takes their state as it is now.
async fn relock(transaction: &Write, mut again: HashMap<LeadId, Again>) -> StoreResult<HashMap<LeadId, Again>> {
    let ids: BTreeSet<LeadId> = again.keys().copied().collect();
    for row in transaction.lock_leads(&ids).await? {
        if let Some(entry) = again.get_mut(&LeadId(row.id)) {
            entry.lead.row = row;
        }
    }
    Ok(again)
}

type History = (HashMap<IndexHash, Vec<FingerprintHit>>, HashMap<LeadId, Vec<PriorSale>>);

/// Earlier leads of the same people, and their sales.
async fn load_history(transaction: &Write, work: &[Work], again: &HashMap<LeadId, Again>) -> StoreResult<History> {
    let fresh = work.iter().filter_map(Work::new_lead).flat_map(|lead| lead.fingerprints.iter());
    let all = fresh.chain(again.values().flat_map(|again| again.fingerprints.iter())).copied();
    let mut hits: HashMap<IndexHash, Vec<FingerprintHit>> = HashMap::new();
    for hit in transaction.fingerprint_hits(all).await? {
        hits.entry(hit.hash).or_default().push(hit);
    }
    let mut leads: BTreeSet<LeadId> = hits.values().flatten().map(|hit| hit.lead_id).collect();
    leads.extend(again.keys());
    let mut sales: HashMap<LeadId, Vec<PriorSale>> = HashMap::new();
    for sale in transaction.prior_sales(&leads).await? {
        sales.entry(sale.lead_id).or_default().push(sale);
    }
    Ok((hits, sales))
}

async fn load_people(
    transaction: &Write,
    identities: impl IntoIterator<Item = IndexHash>,
) -> StoreResult<HashMap<IndexHash, person::Model>> {
    let rows = transaction.people(identities).await?;
    let keyed = rows.into_iter().filter_map(|row| {
        let hash = row.identity_hash.as_deref()?.try_into().ok()?;
        Some((hash, row))
    });
    Ok(keyed.collect())
}

async fn load_rotations(
    transaction: &Write,
    campaigns: &BTreeSet<CampaignId>,
) -> StoreResult<HashMap<(CampaignId, String), StageState>> {
    let stored = transaction.rotations(campaigns).await?;
    stored.into_iter().map(|(key, text)| Ok((key, serde_json::from_str(&text).map_err(StoreError::corrupt)?))).collect()
}

/// The buckets of every cap that may matter.
fn counter_keys<'f>(
    work: &[Work],
    again: &HashMap<LeadId, Again>,
    fits: impl Iterator<Item = &'f Fit>,
    snapshot: &Snapshot,
    now: Timestamp,
    buckets: &Buckets,
) -> HashSet<CounterKey> {
    let mut keys = HashSet::new();
    let mut add = |owner, caps: &[Cap], at, zone| {
        keys.extend(caps.iter().map(|cap| counter_key(owner, buckets.of(cap.period, at, zone))));
    };
    for lead in work.iter().filter_map(Work::new_lead) {
        let zone = lead.campaign.terms.time_zone;
        add(CapOwner::Source(lead.source.id.0), &lead.source.terms.caps, lead.received_at, zone);
    }
    for campaign in campaigns_of(work, again).iter().filter_map(|id| snapshot.campaigns.get(id)) {
        add(CapOwner::Campaign(campaign.id.0), &campaign.terms.caps, now, campaign.terms.time_zone);
    }
    // The same contracts fit lead after lead.
    let mut seen = HashSet::new();
    for (contract, buyer) in fits.filter(|(contract, _)| seen.insert(contract.id)) {
        let zone = buyer.terms.time_zone;
        add(CapOwner::Contract(contract.id.0), &contract.terms.caps, now, zone);
        add(CapOwner::Contract(contract.id.0), contract.own_caps(), now, zone);
        add(CapOwner::Buyer(buyer.id.0), &buyer.terms.caps, now, zone);
    }
    keys
}

/// The counter of a bucket.
pub(crate) fn counter_key(owner: CapOwner, bucket: Bucket) -> CounterKey {
    CounterKey { owner, period: bucket.period, starts_at: bucket.starts_at, ends_at: bucket.ends_at }
}

impl Market {
    /// The operator's and suppliers' accounts a batch may post to. Ids never change, so they are remembered.
    async fn operator_accounts(
        &self,
        transaction: &Write,
        work: &[Work],
        again: &HashMap<LeadId, Again>,
    ) -> StoreResult<HashMap<AccountKey, AccountId>> {
        if transaction.looks() {
            return Ok(HashMap::new());
        }
        let fresh =
            work.iter().filter_map(Work::new_lead).map(|lead| (lead.source.supplier_id, lead.campaign.currency));
        let again = again.values().map(|again| (again.source.supplier_id, again.campaign.currency));
        let mut keys: BTreeSet<AccountKey> = BTreeSet::new();
        for (supplier, currency) in fresh.chain(again) {
            keys.insert((AccountKind::Revenue, OPERATOR, currency));
            keys.insert((AccountKind::PayoutCost, OPERATOR, currency));
            keys.insert((AccountKind::SupplierPayable, Uuid::from(supplier), currency));
        }
        let known: BTreeMap<AccountKey, AccountId> = {
            let cache = self.accounts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            keys.iter().filter_map(|key| Some((*key, *cache.get(key)?))).collect()
        };
        if known.len() == keys.len() {
            return Ok(known.into_iter().collect());
        }
        let rows = transaction.ensure_accounts(&keys).await?;
        Ok(rows.into_iter().map(|(key, row)| (key, AccountId(row.id))).collect())
    }

    /// Remembers accounts once they are committed.
    pub(super) fn remember_accounts(&self, accounts: HashMap<AccountKey, AccountId>) {
        self.accounts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(accounts);
    }
}
