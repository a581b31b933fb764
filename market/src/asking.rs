//! Asking buyers for bids: before a lead is placed, all eligible buyers of an auction are asked at once, each within the
//! stage's deadline, with no transaction open (domain page, section 3).
//!
//! Who is eligible is found by the very rules of placement: the lead is loaded and looked at in a transaction that can only
//! look. A later stage is asked only if the earlier ones do not sell. What was answered is stored with the lead, and
//! placement decides by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use leadyard_connectors::{Connectors, PingAnswered, PingEndpoint, PingPackage};
use leadyard_entity::StoreResult;
use leadyard_entity::model::ping;
use leadyard_types::{
    BidSeen, ContractId, DestinationId, FieldKind, LeadId, Money, OnSold, PingId, PingVerdict, QuoteId, Timestamp,
};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::intake::{Prepared, split_personal};
use crate::market::Market;
use crate::placement::{Screened, Screening, Work};
use crate::rules::facts::LeadFacts;
use crate::rules::routing::{RoutingInput, route};
use crate::rules::trial::{TestAnswer, test_answer};
use crate::snapshot::{Campaign, Fit, Snapshot, Vertical};

/// How long a bid holds whose buyer does not say: long enough for the post that follows, and for the next buyer's turn
/// after a refusal.
const BID_HOLDS_SECONDS: i64 = 300;
/// No bid holds longer, whatever a buyer says: prices of yesterday are nobody's.
const BID_HOLDS_SECONDS_MAX: i64 = 24 * 60 * 60;

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
    pub(crate) async fn ask_about_new(&self, prepared: Box<Prepared>) -> StoreResult<(Box<Prepared>, Asked)> {
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
        let Work::New(prepared) = work else { return Err(leadyard_entity::StoreError::corrupt("a screened lead")) };
        let Screening::Offered(screened) = screening else { return Ok((prepared, Asked::default())) };
        let subject = Subject {
            campaign: &prepared.campaign,
            vertical: &prepared.vertical,
            facts: &prepared.facts,
            lead: None,
            quote: None,
        };
        let asked = self.ask(&subject, *screened).await?.0;
        Ok((prepared, asked))
    }

    /// Asks the buyers who bid for a stored lead, those left out whose bids still hold.
    pub(crate) async fn ask_about_stored(&self, lead: LeadId) -> StoreResult<Asked> {
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
        let subject = Subject { campaign: &campaign, vertical, facts: &facts, lead: Some(lead), quote: None };
        Ok(self.ask(&subject, *screened).await?.0)
    }

    /// Asks stage after stage, until one sells; also answers what the lead would be routed by with these bids.
    pub(crate) async fn ask(
        &self,
        subject: &Subject<'_>,
        mut screened: Screened,
    ) -> StoreResult<(Asked, RoutingInput)> {
        let Some(connectors) = self.bidders.get() else { return Ok((Asked::default(), screened.input)) };
        let mut asked = Asked::default();
        let stages = screened.input.stages.clone();
        for (place, stage) in stages.iter().enumerate() {
            let mut under_way = None;
            let positions = screened.input.to_ask(&stage.key);
            if !positions.is_empty() {
                let deadline = Duration::from_millis(stage.auction.unwrap_or_default().deadline_ms.into());
                let fits: Vec<(usize, Fit)> =
                    positions.iter().map(|position| (*position, screened.fits[*position].clone())).collect();
                let (began, answers) = self.ask_all(connectors, subject, &stage.key, fits, deadline).await?;
                under_way = Some((began, deadline, asked.pings.len()));
                for (position, row) in answers {
                    let seen = leadyard_entity::pings::bid_seen(&row)?;
                    screened.input.take_bid(position, &seen);
                    asked.bids.insert(ContractId(row.contract_id), seen);
                    asked.pings.push(row);
                }
            }
            // Whether a later stage has its turn at all follows from what the stages so far would do.
            let so_far = RoutingInput { stages: stages[..=place].to_vec(), ..screened.input.clone() };
            let routing = route(&so_far);
            if let Some((began, deadline, first)) = under_way {
                let winner = || Some(screened.input.candidates[routing.winners.first()?.position].contract_id);
                self.auctions.ended(began, deadline, &asked.pings[first..], winner);
            }
            let (winners, held) = (routing.winners, routing.waits.is_some_and(|waits| waits.held));
            let full = winners.len() >= usize::from(screened.input.places());
            let sold_here = winners.iter().any(|winner| screened.input.candidates[winner.position].stage == stage.key);
            if full || held || (sold_here && stage.on_sold == OnSold::Stop) {
                break;
            }
        }
        Ok((asked, screened.input))
    }

    /// Asks some contracts' buyers at once, who all have until the same moment; every answer, or its absence, is a row.
    /// Also answers when they were asked.
    async fn ask_all(
        &self,
        connectors: &Arc<Connectors>,
        subject: &Subject<'_>,
        stage: &str,
        fits: Vec<(usize, Fit)>,
        deadline: Duration,
    ) -> StoreResult<(Instant, Vec<(usize, ping::Model)>)> {
        let wanted: BTreeSet<DestinationId> =
            fits.iter().filter_map(|(_, (contract, _))| contract.terms.ping).collect();
        let bidders = self.bidders_read.submit(wanted).await?;
        let asked_at = self.clock().now();
        let began = Instant::now();
        let (mut asked, mut questions) = (Vec::with_capacity(fits.len()), JoinSet::new());
        for (position, (contract, buyer)) in fits {
            let Some(destination) = contract.terms.ping else { continue };
            let id = PingId(self.ids().uuid());
            let package = subject.package(id, subject.places());
            let (connectors, bidder) = (Arc::clone(connectors), bidders.get(&destination).cloned());
            let place = asked.len();
            // A task each: writing and reading ten pings is work for more than one core, and none waits for another's.
            questions.spawn(async move { (place, question(&connectors, bidder, package, began + deadline).await) });
            asked
                .push((position, About { id, stage, contract: contract.id, buyer: buyer.id.0, destination, asked_at }));
        }
        let mut answers: Vec<Option<PingAnswered>> = vec![None; asked.len()];
        while let Some(answered) = questions.join_next().await {
            // Who could not be asked for a fault of ours has no answer.
            if let Ok((place, answer)) = answered {
                answers[place] = Some(answer);
            }
        }
        let row = |((position, about), answered): ((usize, About<'_>), Option<PingAnswered>)| {
            let none = || PingAnswered::without_bid(PingVerdict::Failed, "the buyer could not be asked");
            (position, about.row(subject, answered.unwrap_or_else(none)))
        };
        Ok((began, asked.into_iter().zip(answers).map(row).collect()))
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

/// What is asked about.
pub(crate) struct Subject<'a> {
    pub(crate) campaign: &'a Campaign,
    pub(crate) vertical: &'a Vertical,
    pub(crate) facts: &'a LeadFacts,
    pub(crate) lead: Option<LeadId>,
    pub(crate) quote: Option<QuoteId>,
}

impl Subject<'_> {
    fn places(&self) -> u8 {
        match self.campaign.terms.sale_mode {
            leadyard_types::SaleMode::Exclusive => 1,
            leadyard_types::SaleMode::Shared { max } | leadyard_types::SaleMode::Best { max } => max,
        }
    }

    /// What buyers may know: fields that are not personal, and contacts for hashing only.
    fn package(&self, id: PingId, places: u8) -> PingPackage {
        let (open, personal) = split_personal(self.vertical, &self.facts.fields);
        let hashable = |key: &str| {
            let kind = self.vertical.terms.fields.iter().find(|field| field.key == key).map(|field| field.kind);
            !matches!(kind, None | Some(FieldKind::Boolean))
        };
        let contacts: BTreeMap<String, String> = personal
            .iter()
            .filter(|(key, _)| hashable(key))
            .map(|(key, value)| (key.clone(), value.to_text().into_owned()))
            .collect();
        PingPackage {
            id,
            vertical: self.vertical.key.clone(),
            campaign: self.campaign.name.clone(),
            country: self.facts.country.clone(),
            currency: self.campaign.currency,
            fields: open,
            contacts,
            places,
            test: self.facts.test,
        }
    }
}

/// How long after a question's deadline the net behind it closes: the connector's own answer comes first, within a tick of
/// the clock.
const NET: Duration = Duration::from_millis(2);

/// One question. The connector keeps the deadline; this is the net behind it.
async fn question(
    connectors: &Connectors,
    bidder: Option<Arc<PingEndpoint>>,
    package: PingPackage,
    deadline: Instant,
) -> PingAnswered {
    let Some(bidder) = bidder else {
        return PingAnswered::without_bid(PingVerdict::Failed, "the buyer's destination for bids is set aside");
    };
    let budget = deadline.saturating_duration_since(Instant::now());
    let asked = connectors.ping(&bidder, &package, budget);
    match tokio::time::timeout_at(deadline + NET, asked).await {
        Ok(answered) => answered,
        Err(_) => {
            let late = PingAnswered::without_bid(PingVerdict::Late, "no answer within the stage's deadline");
            PingAnswered { took: budget, ..late }
        }
    }
}

/// Whose answer it is.
struct About<'a> {
    id: PingId,
    stage: &'a str,
    contract: ContractId,
    buyer: uuid::Uuid,
    destination: DestinationId,
    asked_at: Timestamp,
}

impl About<'_> {
    fn row(self, subject: &Subject<'_>, answered: PingAnswered) -> ping::Model {
        let holds = answered.holds_for.and_then(|time| i64::try_from(time.as_secs()).ok()).unwrap_or(BID_HOLDS_SECONDS);
        let until = self.asked_at + chrono::Duration::seconds(holds.min(BID_HOLDS_SECONDS_MAX));
        let is_bid = answered.verdict == PingVerdict::Bid;
        let price = answered.price_minor.map(|minor| Money::new(minor, subject.campaign.currency));
        ping::Model {
            id: self.id.0,
            lead_id: subject.lead.map(|lead| lead.0),
            quote_id: subject.quote.map(|quote| quote.0),
            campaign_id: subject.campaign.id.0,
            contract_id: self.contract.0,
            buyer_id: self.buyer,
            destination_id: self.destination.0,
            stage: self.stage.to_owned(),
            verdict: answered.verdict.as_str().to_owned(),
            currency: subject.campaign.currency.as_str().to_owned(),
            price_minor: price.filter(|_| is_bid).map(|price| price.amount_minor),
            shared_minor: serde_json::to_string(&answered.shared_minor).unwrap_or_else(|_| "[]".to_owned()),
            reference: answered.reference,
            reason: answered.reason,
            status_code: answered.status_code.map(i64::from),
            took_ms: i64::try_from(answered.took.as_millis()).unwrap_or(i64::MAX),
            request: answered.request,
            answer: answered.answer,
            asked_at: self.asked_at,
            expires_at: is_bid.then_some(until),
        }
    }
}
