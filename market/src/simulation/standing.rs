//! The configuration of a simulation: at every decision the terms that held then, and from the span's beginning on those
//! of the draft in place of whatever history says of the same thing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use leadyard_entity::configuration::Head;
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{BuyerId, CampaignId, CampaignTerms, ContractId, RevisionId, SourceId, SourceTerms, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use crate::draft::Draft;
use crate::rules::facts::LeadFacts;
use crate::rules::index::Scratch;
use crate::rules::payout::CompiledPayout;
use crate::snapshot::{self, Buyer, Campaign, CampaignContracts, Contract, Fit, Snapshot, Source, Vertical};

/// A revision that has not come yet.
enum Coming {
    Contract(Head),
    Buyer(Head),
}

impl Coming {
    const fn no(&self) -> i64 {
        match self {
            Self::Contract(head) | Self::Buyer(head) => head.no,
        }
    }
}

/// The terms as they stand at a decision.
pub(super) struct Standing {
    pub(super) snapshot: Arc<Snapshot>,
    /// Revisions to come, the next one last.
    coming: Vec<Coming>,
    contracts: HashMap<CampaignId, CampaignContracts>,
    known: HashMap<ContractId, Arc<Contract>>,
    buyers: HashMap<BuyerId, Arc<Buyer>>,
    campaigns: HashMap<Uuid, Arc<Campaign>>,
    sources: HashMap<Uuid, Arc<Source>>,
    drafted_campaigns: HashMap<CampaignId, Arc<Campaign>>,
    drafted_sources: HashMap<SourceId, Arc<Source>>,
    /// The draft, until it holds.
    draft: Option<Draft>,
    /// Contracts and buyers that the draft holds fast.
    held: BTreeSet<Uuid>,
    scratch: Scratch,
}

impl Standing {
    pub(super) fn new(snapshot: Arc<Snapshot>, (contracts, buyers): (Vec<Head>, Vec<Head>), draft: Draft) -> Self {
        let contracts = contracts.into_iter().map(Coming::Contract);
        let mut coming: Vec<Coming> = contracts.chain(buyers.into_iter().map(Coming::Buyer)).collect();
        coming.sort_by_key(|revision| std::cmp::Reverse(revision.no()));
        Self {
            snapshot,
            coming,
            contracts: HashMap::new(),
            known: HashMap::new(),
            buyers: HashMap::new(),
            campaigns: HashMap::new(),
            sources: HashMap::new(),
            drafted_campaigns: HashMap::new(),
            drafted_sources: HashMap::new(),
            draft: Some(draft),
            held: BTreeSet::new(),
            scratch: Scratch::default(),
        }
    }

    /// Takes in the revisions older than a decision.
    pub(super) fn advance(&mut self, no: i64) -> StoreResult<()> {
        while self.coming.last().is_some_and(|next| next.no() < no) {
            match self.coming.pop() {
                Some(Coming::Contract(head)) if !self.held.contains(&head.id) => self.put(&head)?,
                Some(Coming::Buyer(head)) if !self.held.contains(&head.id) => self.put_buyer(&head)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn put(&mut self, head: &Head) -> StoreResult<()> {
        let campaign = head.parent_id.and_then(|id| self.snapshot.campaigns.get(&CampaignId(id)));
        let country = campaign.map(|campaign| campaign.country.as_str()).unwrap_or_default();
        let contract = Arc::new(snapshot::contract(head, country, &self.snapshot.postal)?);
        self.contracts.entry(contract.campaign_id).or_default().put(Arc::clone(&contract));
        self.known.insert(contract.id, contract);
        Ok(())
    }

    fn put_buyer(&mut self, head: &Head) -> StoreResult<()> {
        let terms = serde_json::from_str(&head.terms).map_err(StoreError::corrupt)?;
        let buyer = Buyer { id: BuyerId(head.id), name: head.name.clone(), terms };
        self.buyers.insert(buyer.id, Arc::new(buyer));
        Ok(())
    }

    /// From here on the draft holds. Answers the buyers that history does not know: they have no wallet in it.
    pub(super) fn take_up_draft(&mut self, from: Timestamp) -> StoreResult<Vec<BuyerId>> {
        let Some(draft) = self.draft.take() else { return Ok(Vec::new()) };
        let mut unknown = Vec::new();
        for (id, terms) in draft.buyers {
            let current = self.snapshot.buyers.get(&id);
            if current.is_none() {
                unknown.push(id);
            }
            let name = current.map_or_else(|| id.to_string(), |buyer| buyer.name.clone());
            self.held.insert(id.0);
            self.buyers.insert(id, Arc::new(Buyer { id, name, terms }));
        }
        for (id, drafted) in draft.contracts {
            self.held.insert(id.0);
            let created_at = self.created_at(id).unwrap_or(from);
            let (parent, owner) = (Some(drafted.campaign_id.0), Some(drafted.buyer_id.0));
            self.put(&head(id.0, drafted.name, parent, owner, created_at, &drafted.terms)?)?;
            self.ensure_buyer(drafted.buyer_id);
        }
        for (id, terms) in draft.campaigns {
            let campaign = self.snapshot.campaigns.get(&id).map(|campaign| with_campaign_terms(campaign, terms));
            self.drafted_campaigns.extend(campaign.map(|campaign| (id, Arc::new(campaign))));
        }
        for (id, terms) in draft.sources {
            if let Some(source) = self.snapshot.sources.get(&id) {
                let drafted = self.with_source_terms(source, terms, RevisionId(Uuid::nil()))?;
                self.drafted_sources.insert(id, Arc::new(drafted));
            }
        }
        Ok(unknown)
    }

    /// When a contract was made, if history knows it already or will.
    fn created_at(&self, id: ContractId) -> Option<Timestamp> {
        let known = self.known.get(&id).map(|contract| contract.created_at);
        let head = |coming: &Coming| match coming {
            Coming::Contract(head) if head.id == id.0 => Some(head.created_at),
            _ => None,
        };
        known.or_else(|| self.coming.iter().find_map(head))
    }

    /// A drafted contract may belong to a buyer that comes later in history.
    fn ensure_buyer(&mut self, id: BuyerId) {
        if !self.buyers.contains_key(&id)
            && let Some(buyer) = self.snapshot.buyers.get(&id)
        {
            self.buyers.insert(id, Arc::clone(buyer));
        }
    }

    /// Keeps the terms of campaigns and sources by their revisions.
    pub(super) fn learn(&mut self, terms: &HashMap<Uuid, String>, about: &[Revisions]) -> StoreResult<()> {
        for revisions in about {
            let text = |id: &Uuid| terms.get(id).ok_or_else(|| StoreError::corrupt("revision"));
            if !self.campaigns.contains_key(&revisions.campaign_revision) {
                let missing = || StoreError::corrupt("the campaign of a lead is unknown");
                let known = self.snapshot.campaigns.get(&revisions.campaign_id).ok_or_else(missing)?;
                let read = serde_json::from_str(text(&revisions.campaign_revision)?).map_err(StoreError::corrupt)?;
                let mut campaign = with_campaign_terms(known, read);
                campaign.revision_id = RevisionId(revisions.campaign_revision);
                self.campaigns.insert(revisions.campaign_revision, Arc::new(campaign));
            }
            if !self.sources.contains_key(&revisions.source_revision) {
                let missing = || StoreError::corrupt("the source of a lead is unknown");
                let known = self.snapshot.sources.get(&revisions.source_id).ok_or_else(missing)?;
                let read = serde_json::from_str(text(&revisions.source_revision)?).map_err(StoreError::corrupt)?;
                let source = self.with_source_terms(known, read, RevisionId(revisions.source_revision))?;
                self.sources.insert(revisions.source_revision, Arc::new(source));
            }
        }
        Ok(())
    }

    /// Which revisions are not known yet.
    pub(super) fn unknown(&self, revisions: &[Revisions]) -> Vec<Uuid> {
        let campaigns = revisions.iter().map(|about| about.campaign_revision);
        let campaigns = campaigns.filter(|id| !self.campaigns.contains_key(id));
        let sources = revisions.iter().map(|about| about.source_revision).filter(|id| !self.sources.contains_key(id));
        let unique: BTreeSet<Uuid> = campaigns.chain(sources).collect();
        unique.into_iter().collect()
    }

    fn with_source_terms(&self, known: &Source, terms: SourceTerms, revision_id: RevisionId) -> StoreResult<Source> {
        let campaign = self.snapshot.campaigns.get(&known.campaign_id);
        let country = campaign.map(|campaign| campaign.country.as_str()).unwrap_or_default();
        let payout = CompiledPayout::compile(terms.cost, &terms.payout_rules, country, self.snapshot.postal.as_ref());
        let broken = |_| StoreError::corrupt(format!("the payout rules of the source {}", known.name));
        Ok(Source {
            id: known.id,
            name: known.name.clone(),
            campaign_id: known.campaign_id,
            supplier_id: known.supplier_id,
            form_key: known.form_key.clone(),
            revision_id,
            payout: payout.map_err(broken)?,
            terms,
        })
    }

    /// The campaign and source as history had them.
    pub(super) fn historic(&self, revisions: &Revisions) -> StoreResult<(Arc<Campaign>, Arc<Source>)> {
        let missing = || StoreError::corrupt("revision");
        let campaign = self.campaigns.get(&revisions.campaign_revision).cloned().ok_or_else(missing)?;
        let source = self.sources.get(&revisions.source_revision).cloned().ok_or_else(missing)?;
        Ok((campaign, source))
    }

    /// The campaign and source as the simulation has them.
    pub(super) fn simulated(&self, revisions: &Revisions) -> StoreResult<(Arc<Campaign>, Arc<Source>)> {
        let (campaign, source) = self.historic(revisions)?;
        let campaign = match self.drafted_campaigns.get(&campaign.id) {
            // Who is a duplicate was found out by check 5 and stays so; the same rule says who was sold to before.
            Some(drafted) if drafted.terms.duplicates != campaign.terms.duplicates => {
                let duplicates = campaign.terms.duplicates.clone();
                Arc::new(with_campaign_terms(drafted, CampaignTerms { duplicates, ..drafted.terms.clone() }))
            }
            Some(drafted) => Arc::clone(drafted),
            None => campaign,
        };
        Ok((campaign, self.drafted_sources.get(&source.id).cloned().unwrap_or(source)))
    }

    /// Whether the draft says something else of the source.
    pub(super) fn is_drafted(&self, source: SourceId) -> bool {
        self.drafted_sources.contains_key(&source)
    }

    /// The contracts whose terms fit a lead.
    pub(super) fn fitting(&mut self, campaign: CampaignId, facts: &LeadFacts, now: Timestamp) -> Vec<Fit> {
        let Some(contracts) = self.contracts.get(&campaign) else { return Vec::new() };
        contracts.fitting(&self.buyers, facts, now, &mut self.scratch)
    }

    /// The contracts outside their hours for which a lead might wait.
    pub(super) fn opening(&mut self, campaign: CampaignId, facts: &LeadFacts, now: Timestamp) -> Vec<(Fit, Timestamp)> {
        let Some(contracts) = self.contracts.get(&campaign) else { return Vec::new() };
        contracts.opening(&self.buyers, facts, now, &mut self.scratch)
    }

    /// A contract and its buyer as they stand.
    pub(super) fn contract(&self, id: ContractId) -> Option<(&Contract, &Buyer)> {
        let contract = self.known.get(&id)?;
        Some((contract.as_ref(), self.buyers.get(&contract.buyer_id)?.as_ref()))
    }

    /// The vertical of a campaign.
    pub(super) fn vertical(&self, campaign: CampaignId) -> Option<&Vertical> {
        let campaign = self.snapshot.campaigns.get(&campaign)?;
        self.snapshot.verticals.get(&campaign.vertical_id).map(AsRef::as_ref)
    }

    /// What people call a contract.
    pub(super) fn contract_name(&self, id: ContractId) -> String {
        self.known.get(&id).map_or_else(|| id.to_string(), |contract| contract.name.clone())
    }

    /// What people call a buyer.
    pub(super) fn buyer_name(&self, id: BuyerId) -> String {
        let current = self.snapshot.buyers.get(&id).or_else(|| self.buyers.get(&id));
        current.map_or_else(|| id.to_string(), |buyer| buyer.name.clone())
    }
}

/// What stands in the way of simulating a draft, in words.
pub(super) fn check(snapshot: &Snapshot, draft: &Draft) -> Result<(), String> {
    for drafted in draft.contracts.values() {
        let name = &drafted.name;
        let Some(campaign) = snapshot.campaigns.get(&drafted.campaign_id) else {
            return Err(format!("the contract {name} is of a campaign that history does not know"));
        };
        if !snapshot.buyers.contains_key(&drafted.buyer_id) && !draft.buyers.contains_key(&drafted.buyer_id) {
            return Err(format!("the contract {name} is of a buyer that is neither known nor in the draft"));
        }
        let (parent, owner) = (Some(drafted.campaign_id.0), Some(drafted.buyer_id.0));
        let head = head(Uuid::nil(), name.clone(), parent, owner, Timestamp::UNIX_EPOCH, &drafted.terms);
        let compiled = head.and_then(|head| snapshot::contract(&head, &campaign.country, &snapshot.postal));
        compiled.map_err(|error| format!("the contract {name}: {error}"))?;
    }
    for (id, terms) in &draft.sources {
        let Some(source) = snapshot.sources.get(id) else { continue };
        let country = snapshot.campaigns.get(&source.campaign_id).map(|campaign| campaign.country.as_str());
        let payout = CompiledPayout::compile(
            terms.cost,
            &terms.payout_rules,
            country.unwrap_or_default(),
            snapshot.postal.as_ref(),
        );
        if let Some(problem) = payout.err().and_then(|problems| problems.into_iter().next()) {
            return Err(format!("the source {}: {}: {}", source.name, problem.field, problem.message));
        }
    }
    Ok(())
}

/// The revisions that a decision used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Revisions {
    pub(super) campaign_id: CampaignId,
    pub(super) campaign_revision: Uuid,
    pub(super) source_id: SourceId,
    pub(super) source_revision: Uuid,
}

/// A campaign under other terms. They are nobody's revision.
fn with_campaign_terms(known: &Campaign, terms: CampaignTerms) -> Campaign {
    Campaign {
        id: known.id,
        name: known.name.clone(),
        vertical_id: known.vertical_id,
        country: known.country.clone(),
        currency: known.currency,
        revision_id: RevisionId(Uuid::nil()),
        terms,
    }
}

/// Drafted terms as if they were stored.
fn head<T: Serialize>(
    id: Uuid,
    name: String,
    parent_id: Option<Uuid>,
    owner_id: Option<Uuid>,
    created_at: Timestamp,
    terms: &T,
) -> StoreResult<Head> {
    Ok(Head {
        id,
        name,
        parent_id,
        owner_id,
        key: None,
        currency: None,
        created_at,
        revision_id: Uuid::nil(),
        no: 0,
        terms: serde_json::to_string(terms).map_err(StoreError::corrupt)?,
    })
}
