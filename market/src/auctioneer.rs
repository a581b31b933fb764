//! One auction: stage after stage, all eligible buyers at once, each within the stage's deadline. A later stage is asked only
//! if the earlier ones do not sell.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use leadyard_connectors::{Connectors, PingAnswered, PingEndpoint, PingPackage};
use leadyard_entity::StoreResult;
use leadyard_entity::model::ping;
use leadyard_types::{Clock, ContractId, DestinationId, Ids, Money, OnSold, PingId, PingVerdict, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::asking::{Asked, Subject};
use crate::auctions::AuctionWatch;
use crate::batcher::Batcher;
use crate::bidders::Bidders;
use crate::placement::Screened;
use crate::rules::routing::{RoutingInput, route};
use crate::snapshot::Fit;

/// How long a bid holds whose buyer does not say: long enough for the post that follows, and for the next buyer's turn
/// after a refusal.
const BID_HOLDS_SECONDS: i64 = 300;
/// No bid holds longer, whatever a buyer says: prices of yesterday are nobody's.
const BID_HOLDS_SECONDS_MAX: i64 = 24 * 60 * 60;

/// Asks about one subject. It owns what it needs, since it works on the auctions' own threads.
pub(crate) struct Auctioneer {
    pub(crate) connectors: Arc<Connectors>,
    pub(crate) bidders: Batcher<BTreeSet<DestinationId>, Bidders>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) watch: Arc<AuctionWatch>,
    pub(crate) subject: Subject,
}

impl Auctioneer {
    /// Asks stage after stage, until one sells; also answers what the lead would be routed by with these bids.
    pub(crate) async fn ask(self, mut screened: Screened) -> StoreResult<(Asked, RoutingInput)> {
        let mut asked = Asked::default();
        let stages = screened.input.stages.clone();
        for (place, stage) in stages.iter().enumerate() {
            let mut under_way = None;
            let positions = screened.input.to_ask(&stage.key);
            if !positions.is_empty() {
                let deadline = Duration::from_millis(stage.auction.unwrap_or_default().deadline_ms.into());
                let fits: Vec<(usize, Fit)> =
                    positions.iter().map(|position| (*position, screened.fits[*position].clone())).collect();
                let (began, answers) = self.ask_all(&stage.key, fits, deadline).await?;
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
                self.watch.ended(began, deadline, &asked.pings[first..], winner);
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
        stage: &str,
        fits: Vec<(usize, Fit)>,
        deadline: Duration,
    ) -> StoreResult<(Instant, Vec<(usize, ping::Model)>)> {
        let wanted: BTreeSet<DestinationId> =
            fits.iter().filter_map(|(_, (contract, _))| contract.terms.ping).collect();
        let bidders = self.bidders.submit(wanted).await?;
        let asked_at = self.clock.now();
        let began = Instant::now();
        let (mut asked, mut questions) = (Vec::with_capacity(fits.len()), JoinSet::new());
        for (position, (contract, buyer)) in fits {
            let Some(destination) = contract.terms.ping else { continue };
            let id = PingId(self.ids.uuid());
            let package = self.subject.package(id);
            let (connectors, bidder) = (Arc::clone(&self.connectors), bidders.get(&destination).cloned());
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
            (position, about.row(&self.subject, answered.unwrap_or_else(none)))
        };
        Ok((began, asked.into_iter().zip(answers).map(row).collect()))
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
    fn row(self, subject: &Subject, answered: PingAnswered) -> ping::Model {
        let holds = answered.holds_for.and_then(|time| i64::try_from(time.as_secs()).ok()).unwrap_or(BID_HOLDS_SECONDS);
        let until = self.asked_at + chrono::Duration::seconds(holds.min(BID_HOLDS_SECONDS_MAX));
        let is_bid = answered.verdict == PingVerdict::Bid;
        let price = answered.price_minor.map(|minor| Money::new(minor, subject.currency()));
        ping::Model {
            id: self.id.0,
            lead_id: subject.lead.map(|lead| lead.0),
            quote_id: subject.quote.map(|quote| quote.0),
            campaign_id: subject.campaign.0,
            contract_id: self.contract.0,
            buyer_id: self.buyer,
            destination_id: self.destination.0,
            stage: self.stage.to_owned(),
            verdict: answered.verdict.as_str().to_owned(),
            currency: subject.currency().as_str().to_owned(),
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
