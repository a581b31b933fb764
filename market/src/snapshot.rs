//! The market's configuration in memory: compiled terms, kept current by a version in the database.
//!
//! A snapshot is never changed. When the version in a placement's transaction differs, the changed revisions are
//! loaded, a new snapshot takes over, and the batch is decided again: so an edit acts at once in every process.

mod contracts;

use std::collections::HashMap;
use std::sync::Arc;

use leadyard_entity::configuration::{ConfigVersion, Configuration, Head};
use leadyard_entity::{Store, StoreError, StoreResult};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{
    BuyerId, BuyerSettings, BuyerTerms, CampaignId, CampaignTerms, Cap, ContractId, ContractTerms, Currency, Filter,
    Method, Principal, RevisionId, Schedule, SourceId, SourceTerms, Status, SupplierId, SystemTask, Timestamp,
    VerticalId,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::rules::bounds::effective;
use crate::rules::facts::{Centre, PostalPlace};
use crate::rules::filter::CompiledFilter;
use crate::rules::normalise::FieldRules;
use crate::rules::payout::CompiledPayout;
use crate::rules::postal::PostalTable;
use crate::rules::price::CompiledPrices;

pub use contracts::{CampaignContracts, Fit};

/// A vertical with its compiled field rules.
pub struct Vertical {
    /// Its id.
    pub id: VerticalId,
    /// Its key: how programs call it.
    pub key: String,
    /// Its terms.
    pub terms: VerticalTerms,
    /// Check 2, compiled.
    pub rules: FieldRules,
}

/// A campaign.
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// What people call it.
    pub name: String,
    /// Its vertical.
    pub vertical_id: VerticalId,
    /// ISO 3166 code.
    pub country: String,
    /// Its one currency.
    pub currency: Currency,
    /// The revision of its terms.
    pub revision_id: RevisionId,
    /// Its terms.
    pub terms: CampaignTerms,
}

impl Campaign {
    /// Whether one of its stages is an auction.
    #[must_use]
    pub fn auctions(&self) -> bool {
        self.terms.all_stages().any(|stage| stage.method == Method::Auction)
    }
}

/// A source with its compiled payouts.
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// What people call it.
    pub name: String,
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// Its supplier.
    pub supplier_id: SupplierId,
    /// The path of its web form.
    pub form_key: String,
    /// The revision of its terms.
    pub revision_id: RevisionId,
    /// Its terms.
    pub terms: SourceTerms,
    /// What its supplier earns, compiled.
    pub payout: CompiledPayout,
}

/// A buyer.
pub struct Buyer {
    /// Its id.
    pub id: BuyerId,
    /// What people call it.
    pub name: String,
    /// Its terms.
    pub terms: BuyerTerms,
}

impl Buyer {
    /// The group it counts with: its own id where it has none.
    #[must_use]
    pub fn group_id(&self) -> Uuid {
        self.terms.group.map_or(self.id.0, Uuid::from)
    }
}

/// A contract with its compiled filter and prices.
pub struct Contract {
    /// Its id.
    pub id: ContractId,
    /// What people call it.
    pub name: String,
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// Its buyer.
    pub buyer_id: BuyerId,
    /// When it was made; decides ties.
    pub created_at: Timestamp,
    /// The revision of its terms.
    pub revision_id: RevisionId,
    /// Its terms as the operator agreed them, without filter and price rules: those are compiled.
    pub terms: ContractTerms,
    /// Its filter, compiled.
    pub filter: Option<Arc<CompiledFilter>>,
    /// What of its buyer's settings holds beside the terms, the price excepted; `None` where nothing is set.
    pub own: Option<Box<Own>>,
    /// Its prices, compiled.
    pub prices: CompiledPrices,
}

/// What a buyer set on its contract, as far as it holds, compiled.
#[derive(Debug)]
pub struct Own {
    /// Its caps beside the contract's.
    pub caps: Vec<Cap>,
    /// Those of them whose period the contract does not cap.
    pub further: Vec<Cap>,
    /// Its filter.
    pub filter: Option<Arc<CompiledFilter>>,
    /// Its hours.
    pub schedule: Option<Schedule>,
    /// Whether it paused.
    pub paused: bool,
}

impl Contract {
    /// Whether it takes part at all: neither the operator nor the buyer set it aside.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.terms.status == Status::Active && !self.own.as_ref().is_some_and(|own| own.paused)
    }

    /// Its buyer's own caps, beside the contract's.
    #[must_use]
    pub fn own_caps(&self) -> &[Cap] {
        self.own.as_ref().map_or(&[], |own| &own.caps)
    }

    /// The filter of both, operator and buyer: what the index asks.
    #[must_use]
    pub fn whole_filter(&self) -> Option<Arc<CompiledFilter>> {
        match (&self.filter, self.own.as_ref().and_then(|own| own.filter.as_ref())) {
            (Some(agreed), Some(own)) => Some(Arc::new(agreed.and(own))),
            (Some(one), None) | (None, Some(one)) => Some(Arc::clone(one)),
            (None, None) => None,
        }
    }
}

/// The configuration as of one version.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// Which version.
    pub version: ConfigVersion,
    /// The newest revision in it.
    last_no: i64,
    /// Postal codes.
    pub postal: Arc<PostalTable>,
    /// Verticals.
    pub verticals: HashMap<VerticalId, Arc<Vertical>>,
    /// Campaigns.
    pub campaigns: HashMap<CampaignId, Arc<Campaign>>,
    /// Sources.
    pub sources: HashMap<SourceId, Arc<Source>>,
    /// Sources by the path of their web form.
    pub forms: HashMap<String, SourceId>,
    /// Buyers; shared with the snapshots before and after that have the same.
    pub buyers: Arc<HashMap<BuyerId, Arc<Buyer>>>,
    /// The running contracts of each campaign.
    pub contracts: HashMap<CampaignId, Arc<CampaignContracts>>,
}

impl Snapshot {
    /// Whether any campaign auctions.
    #[must_use]
    pub fn auctions(&self) -> bool {
        self.campaigns.values().any(|campaign| campaign.auctions())
    }

    /// Loads the whole configuration.
    pub async fn load(store: &Store) -> StoreResult<Self> {
        Self::default().refreshed(store).await
    }

    /// This snapshot with whatever changed since.
    pub async fn refreshed(&self, store: &Store) -> StoreResult<Self> {
        let read = store.read(Principal::System(SystemTask::Place));
        let version = read.config_version().await?;
        let mut next = self.clone();
        if version.postal != self.version.postal {
            next.postal = Arc::new(load_postal(&read).await?);
            // Radii and states were compiled against the old places.
            next.last_no = 0;
        }
        let changes = read.configuration(next.last_no).await?;
        next.apply(changes)?;
        next.version = version;
        Ok(next)
    }

    fn apply(&mut self, changes: Configuration) -> StoreResult<()> {
        for head in changes.verticals {
            self.last_no = self.last_no.max(head.no);
            let terms: VerticalTerms = terms(&head)?;
            let rules = FieldRules::compile(&terms);
            self.verticals.insert(
                VerticalId(head.id),
                Arc::new(Vertical { id: VerticalId(head.id), key: head.key.unwrap_or_default(), terms, rules }),
            );
        }
        for head in changes.campaigns {
            self.last_no = self.last_no.max(head.no);
            let campaign = campaign(&head)?;
            self.contracts.entry(campaign.id).or_default();
            self.campaigns.insert(campaign.id, Arc::new(campaign));
        }
        for head in changes.buyers {
            self.last_no = self.last_no.max(head.no);
            let buyer = Buyer { id: BuyerId(head.id), terms: terms(&head)?, name: head.name };
            Arc::make_mut(&mut self.buyers).insert(buyer.id, Arc::new(buyer));
        }
        for head in changes.sources {
            self.last_no = self.last_no.max(head.no);
            let source = self.source(&head)?;
            self.forms.insert(source.form_key.clone(), source.id);
            self.sources.insert(source.id, Arc::new(source));
        }
        let mut by_campaign: HashMap<CampaignId, Vec<Head>> = HashMap::new();
        for head in changes.contracts {
            self.last_no = self.last_no.max(head.no);
            by_campaign.entry(CampaignId(parent(&head)?)).or_default().push(head);
        }
        for (campaign_id, heads) in by_campaign {
            let country = self.campaigns.get(&campaign_id).map(|campaign| campaign.country.clone()).unwrap_or_default();
            let mut contracts = self.contracts.get(&campaign_id).map(|known| (**known).clone()).unwrap_or_default();
            for contract in compile_all(&heads, &country, &self.postal) {
                contracts.put(contract?);
            }
            self.contracts.insert(campaign_id, Arc::new(contracts));
        }
        Ok(())
    }
}

/// Fewer contracts than this are compiled sooner than threads are started.
const CONTRACTS_PER_THREAD_MIN: usize = 500;

/// Compiles contracts, in their order, on as many threads as gain something: a process that starts has nothing else to do.
fn compile_all(heads: &[Head], country: &str, postal: &PostalTable) -> Vec<StoreResult<Contract>> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = (heads.len() / CONTRACTS_PER_THREAD_MIN).clamp(1, cores);
    let compile = |heads: &[Head]| heads.iter().map(|head| contract(head, country, postal)).collect::<Vec<_>>();
    if threads == 1 {
        return compile(heads);
    }
    std::thread::scope(|scope| {
        let parts = heads.chunks(heads.len().div_ceil(threads));
        let running: Vec<_> = parts.map(|part| scope.spawn(move || compile(part))).collect();
        let lost = || vec![Err(StoreError::Fault("a thread that compiles contracts died".to_owned()))];
        running.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|_| lost())).collect()
    })
}

/// Compiles one contract; also for explanations, which use the revisions of old.
pub fn contract(head: &Head, country: &str, postal: &PostalTable) -> StoreResult<Contract> {
    let mut terms: ContractTerms = terms(head)?;
    let broken = |problems: Vec<leadyard_types::FieldProblem>| broken("contract", head, &problems);
    let compiled = |filter: &Option<Filter>| match filter {
        Some(filter) => {
            CompiledFilter::compile(filter, country, postal).map_err(broken).map(|filter| Some(Arc::new(filter)))
        }
        None => Ok(None),
    };
    let held = effective(&terms);
    let filter = compiled(&terms.filter)?;
    let own =
        if held.own.is_empty() { None } else { Some(Box::new(own(&terms, &held.own, compiled(&held.own.filter)?))) };
    let prices = CompiledPrices::compile(held.price_minor, &terms.price_rules, country, postal).map_err(broken)?;
    let prices = if held.own.price_minor.is_some() { prices.named("the buyer's own price") } else { prices };
    // As written they are twice the memory of ten thousand contracts, and nobody asks them again.
    (terms.filter, terms.price_rules, terms.buyer_settings) = (None, Vec::new(), BuyerSettings::default());
    Ok(Contract {
        id: ContractId(head.id),
        name: head.name.clone(),
        campaign_id: CampaignId(parent(head)?),
        buyer_id: BuyerId(owner(head)?),
        created_at: head.created_at,
        revision_id: RevisionId(head.revision_id),
        terms,
        filter,
        own,
        prices,
    })
}

fn own(terms: &ContractTerms, held: &BuyerSettings, filter: Option<Arc<CompiledFilter>>) -> Own {
    let is_new = |cap: &&Cap| terms.caps.iter().all(|agreed| agreed.period != cap.period);
    Own {
        caps: held.caps.clone(),
        further: held.caps.iter().filter(is_new).copied().collect(),
        filter,
        schedule: held.schedule.clone(),
        paused: held.paused,
    }
}

pub(crate) fn campaign(head: &Head) -> StoreResult<Campaign> {
    Ok(Campaign {
        id: CampaignId(head.id),
        name: head.name.clone(),
        vertical_id: VerticalId(parent(head)?),
        country: head.key.clone().unwrap_or_default(),
        currency: head.currency.as_deref().unwrap_or_default().parse().map_err(StoreError::corrupt)?,
        revision_id: RevisionId(head.revision_id),
        terms: terms(head)?,
    })
}

impl Snapshot {
    fn source(&self, head: &Head) -> StoreResult<Source> {
        let terms: SourceTerms = terms(head)?;
        let campaign_id = CampaignId(parent(head)?);
        let country = self.campaigns.get(&campaign_id).map(|campaign| campaign.country.as_str()).unwrap_or_default();
        let payout = CompiledPayout::compile(terms.cost, &terms.payout_rules, country, self.postal.as_ref());
        Ok(Source {
            id: SourceId(head.id),
            name: head.name.clone(),
            campaign_id,
            supplier_id: SupplierId(owner(head)?),
            form_key: head.key.clone().unwrap_or_default(),
            revision_id: RevisionId(head.revision_id),
            payout: payout.map_err(|problems| broken("source", head, &problems))?,
            terms,
        })
    }
}

fn broken(noun: &str, head: &Head, problems: &[leadyard_types::FieldProblem]) -> StoreError {
    let first = problems.first().map(|problem| problem.message.as_str()).unwrap_or_default();
    StoreError::corrupt(format!("{noun} {}: {first}", head.id))
}

fn terms<T: DeserializeOwned>(head: &Head) -> StoreResult<T> {
    serde_json::from_str(&head.terms).map_err(|error| StoreError::corrupt(format!("terms of {}: {error}", head.id)))
}

fn parent(head: &Head) -> StoreResult<Uuid> {
    head.parent_id.ok_or_else(|| StoreError::corrupt(format!("{} belongs to nothing", head.id)))
}

fn owner(head: &Head) -> StoreResult<Uuid> {
    head.owner_id.ok_or_else(|| StoreError::corrupt(format!("{} belongs to nobody", head.id)))
}

async fn load_postal(read: &leadyard_entity::Read) -> StoreResult<PostalTable> {
    let rows = read.postal_codes().await?;
    let mut table = PostalTable::with_capacity(rows.len());
    for row in rows {
        let centre = Centre { latitude: row.latitude, longitude: row.longitude };
        table.insert(&row.country, &row.code, &PostalPlace { centre, state_code: row.state_code, state: row.state });
    }
    Ok(table)
}
