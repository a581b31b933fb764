//! Asking buyers for bids: before a lead is placed, all eligible buyers of an auction are asked at once, each within the
//! stage's deadline, with no transaction open (domain page, section 3).
//!
//! Who is eligible is found by the very rules of placement: the lead is loaded and looked at in a transaction that can only
//! look. What was answered is stored with the lead, and placement decides by it. The asking itself is the auctioneer's.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use leadyard_connectors::{Connectors, PingPackage};
use leadyard_entity::model::ping;
use leadyard_entity::{StoreError, StoreResult};
use leadyard_types::{BidSeen, CampaignId, ContractId, Currency, FieldKind, LeadId, PingId, QuoteId, SaleMode};

use crate::auctioneer::Auctioneer;
use crate::floor::Floor;
use crate::intake::{IntakeError, Prepared, split_personal};
use crate::market::Market;
use crate::placement::{Screened, Screening, Work};
use crate::rules::facts::LeadFacts;
use crate::rules::routing::RoutingInput;
use crate::rules::trial::{TestAnswer, test_answer};
use crate::snapshot::{Campaign, Snapshot, Vertical};

/// What came of asking about one lead.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// What each contract's buyer answered.
    pub(crate) bids: HashMap<ContractId, BidSeen>,
    /// The pings as they are stored; the lead's id is set when it is written.
    pub(crate) pings: Vec<ping::Model>,
}

impl Market {
    /// Connects the market to the way out: without it nobody is asked.
    pub fn connect(&self, connectors: Arc<Connectors>) {
        let _ = self.bidders.set(connectors);
    }

    /// Asks the buyers who bid for a lead that just arrived.
    pub(crate) async fn ask_about_new(&self, prepared: Box<Prepared>) -> Result<(Box<Prepared>, Asked), IntakeError> {
        if self.bidders.get().is_none() {
            return Ok((prepared, Asked::default()));
        }
        // An edit acts at once: the first lead after it may be the first that anybody is asked about.
        let snapshot = self.current().await?;
        let mut work = [Work::New(prepared)];
        self.prepare_again(&mut work, &snapshot);
        let is_asked_about = is_asked_about(&work, &snapshot);
        let [work] = work;
        let (work, screening) = if is_asked_about { self.look_at(work).await? } else { (work, Screening::Settled) };
        let Work::New(prepared) = work else { return Err(StoreError::corrupt("a screened lead").into()) };
        let Screening::Offered(screened) = screening else { return Ok((prepared, Asked::default())) };
        let subject = || Subject::new(&prepared.campaign, &prepared.vertical, &prepared.facts);
        let asked = self.ask(*screened, subject).await?.0;
        Ok((prepared, asked))
    }

    /// Asks the buyers who bid for a stored lead, those left out whose bids still hold.
    pub(crate) async fn ask_about_stored(&self, lead: LeadId) -> Result<Asked, IntakeError> {
        if self.bidders.get().is_none() {
            return Ok(Asked::default());
        }
        let snapshot = self.current().await?;
        if !snapshot.contracts.values().any(|contracts| contracts.ask(false) || contracts.ask(true)) {
            return Ok(Asked::default());
        }
        let (_, screening) = self.look_at(Work::Again(lead, Asked::default())).await?;
        let Screening::Offered(screened) = screening else { return Ok(Asked::default()) };
        let Some((campaign, facts)) = screened.again.clone() else { return Ok(Asked::default()) };
        let snapshot = self.snapshot();
        let Some(vertical) = snapshot.verticals.get(&campaign.vertical_id) else { return Ok(Asked::default()) };
        let subject = || Subject::new(&campaign, vertical, &facts).of_lead(lead);
        Ok(self.ask(*screened, subject).await?.0)
    }

    /// Asks the buyers of a screened lead; also answers what it would be routed by with their bids. Runs on the floor,
    /// where nothing but auctions runs; whoever goes away meanwhile ends it.
    pub(crate) async fn ask(
        &self,
        screened: Screened,
        subject: impl FnOnce() -> Subject,
    ) -> StoreResult<(Asked, RoutingInput)> {
        let nobody_bids = !screened.input.candidates.iter().any(|candidate| candidate.asks && candidate.bid.is_none());
        let Some(connectors) = self.bidders.get().filter(|_| !nobody_bids) else {
            return Ok((Asked::default(), screened.input));
        };
        let auctioneer = Auctioneer {
            connectors: Arc::clone(connectors),
            bidders: self.bidders_read.clone(),
            clock: Arc::clone(self.clock()),
            ids: Arc::clone(self.ids()),
            watch: Arc::clone(&self.auctions),
            subject: subject(),
        };
        let floor = self.floor.get_or_init(Floor::open);
        floor.run(auctioneer.ask(screened)).await.ok_or_else(|| StoreError::Fault("an auction broke off".to_owned()))?
    }
}

/// Whether anybody may be asked about a lead that just arrived: some check may refuse it at once, and the answer to a test
/// may be known.
fn is_asked_about(work: &[Work], snapshot: &Snapshot) -> bool {
    let [Work::New(lead)] = work else { return false };
    let refused = lead.source_refusal.is_some() || !lead.problems.is_empty() || lead.consent_refusal.is_some();
    let (facts, contracts) = (&lead.facts, snapshot.contracts.get(&lead.campaign.id));
    let unsold = facts.test && test_answer(facts.postal_code.as_deref()) == TestAnswer::NoBuyer;
    !refused && !unsold && contracts.is_some_and(|contracts| contracts.ask(facts.test))
}

/// What is asked about: owned, since an auction runs on threads of its own.
pub(crate) struct Subject {
    pub(crate) campaign: CampaignId,
    pub(crate) lead: Option<LeadId>,
    pub(crate) quote: Option<QuoteId>,
    /// What every buyer is told, but for the ping's id.
    package: PingPackage,
}

impl Subject {
    /// What buyers may know: fields that are not personal, and contacts for hashing only.
    pub(crate) fn new(campaign: &Campaign, vertical: &Vertical, facts: &LeadFacts) -> Self {
        let (open, personal) = split_personal(vertical, &facts.fields);
        let hashable = |key: &str| {
            let kind = vertical.terms.fields.iter().find(|field| field.key == key).map(|field| field.kind);
            !matches!(kind, None | Some(FieldKind::Boolean))
        };
        let contacts: BTreeMap<String, String> = personal
            .iter()
            .filter(|(key, _)| hashable(key))
            .map(|(key, value)| (key.clone(), value.to_text().into_owned()))
            .collect();
        let package = PingPackage {
            id: PingId(uuid::Uuid::nil()),
            vertical: vertical.key.clone(),
            campaign: campaign.name.clone(),
            country: facts.country.clone(),
            currency: campaign.currency,
            fields: open,
            contacts,
            places: match campaign.terms.sale_mode {
                SaleMode::Exclusive => 1,
                SaleMode::Shared { max } | SaleMode::Best { max } => max,
            },
            test: facts.test,
        };
        Self { campaign: campaign.id, lead: None, quote: None, package }
    }

    /// A stored lead.
    fn of_lead(self, lead: LeadId) -> Self {
        Self { lead: Some(lead), ..self }
    }

    /// A ping of a supplier's.
    pub(crate) fn of_quote(self, quote: QuoteId) -> Self {
        Self { quote: Some(quote), ..self }
    }

    /// In which buyers bid.
    pub(crate) const fn currency(&self) -> Currency {
        self.package.currency
    }

    /// What one buyer is told.
    pub(crate) fn package(&self, id: PingId) -> PingPackage {
        PingPackage { id, ..self.package.clone() }
    }
}
