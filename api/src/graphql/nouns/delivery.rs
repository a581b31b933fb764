//! Deliveries and their attempts.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::{attempt, delivery};
use leadyard_entity::read::{self, DeliveryFilter as Filter};
use leadyard_types::{DeliveryId, Timestamp};

use super::super::connection::connection;
use super::super::context::{loader, market, principal};
use super::super::errors::{UserError, store};
use super::super::id::Kind;
use super::super::loaders::{AttemptsOfDelivery, DeliveryBy};
use super::super::scalars::Moment;
use super::super::words::{AttemptKind, DeliveryOutcome, DeliveryState};
use super::buyer::Buyer;
use super::destination::Destination;
use super::lead::Lead;
use super::sale::Sale;
use super::{ids, int, of_row, one, queries, there, words};

of_row! {
    /// The duty to bring one sale to one destination.
    Delivery of delivery
}

/// One try of a delivery, or one question to the buyer what became of it.
#[derive(Debug, SimpleObject)]
pub(crate) struct Attempt {
    /// Its place among the tries, 1 first.
    number: i32,
    /// Whether it sent the lead or asked what became of it.
    kind: AttemptKind,
    /// When it began.
    started_at: Timestamp,
    /// When it ended; absent while it is under way, or if the process died in it.
    finished_at: Option<Timestamp>,
    /// What it came to.
    outcome: Option<DeliveryOutcome>,
    /// The status code of the destination's answer.
    status_code: Option<i32>,
    /// How long it took, in milliseconds.
    duration_ms: Option<i32>,
    /// The beginning of the destination's answer, without personal data.
    answer: Option<String>,
    /// What went wrong, in our words.
    error: Option<String>,
}

impl Attempt {
    fn of(row: &attempt::Model) -> Result<Self> {
        Ok(Self {
            number: int(row.number),
            kind: AttemptKind::read(&row.kind)?,
            started_at: row.started_at,
            finished_at: row.finished_at,
            outcome: row.outcome.as_deref().map(DeliveryOutcome::read).transpose()?,
            status_code: row.status_code.map(int),
            duration_ms: row.duration_ms.map(int),
            answer: row.answer.clone(),
            error: row.error.clone(),
        })
    }
}

/// Which deliveries. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct DeliveryFilter {
    /// In one of these states.
    state: Option<Vec<DeliveryState>>,
    /// To one of these buyers.
    buyer_ids: Option<Vec<ID>>,
    /// To one of these destinations.
    destination_ids: Option<Vec<ID>>,
    /// Of sales of one of these campaigns.
    campaign_ids: Option<Vec<ID>>,
    /// Of sales by one of these contracts.
    contract_ids: Option<Vec<ID>>,
    /// Made at this moment or later.
    created_since: Option<Moment>,
    /// Made before this moment.
    created_until: Option<Moment>,
}

impl DeliveryFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter {
            states: words(self.state),
            buyers: ids(Kind::Buyer, self.buyer_ids)?,
            destinations: ids(Kind::Destination, self.destination_ids)?,
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            contracts: ids(Kind::Contract, self.contract_ids)?,
            created_since: self.created_since.map(Moment::into),
            created_until: self.created_until.map(Moment::into),
        })
    }
}

#[Object(use_type_description)]
impl Delivery {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Delivery.id(self.0.id)
    }

    /// The sale it carries out.
    async fn sale(&self, ctx: &Context<'_>) -> Result<Sale> {
        there(one!(ctx, SaleBy(self.0.sale_id) => Sale)?)
    }

    /// The lead it brings.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Lead> {
        there(one!(ctx, LeadBy(self.0.lead_id) => Lead)?)
    }

    /// To whom.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.0.buyer_id) => Buyer)?)
    }

    /// Where to.
    async fn destination(&self, ctx: &Context<'_>) -> Result<Destination> {
        there(one!(ctx, DestinationBy(self.0.destination_id) => Destination)?)
    }

    /// Where it stands.
    fn state(&self) -> Result<DeliveryState> {
        DeliveryState::read(&self.0.state)
    }

    /// How often it was tried, questions about it included.
    fn attempt_count(&self) -> i32 {
        int(self.0.attempts)
    }

    /// When it is tried next, while it waits.
    fn next_attempt_at(&self) -> Option<Timestamp> {
        self.0.next_attempt_at
    }

    /// The destination's own reference, from its answer.
    fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// When it was made.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When it ended.
    fn finished_at(&self) -> Option<Timestamp> {
        self.0.finished_at
    }

    /// Every try and every question about it, in order.
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<Attempt>> {
        let rows = loader(ctx)?.load_one(AttemptsOfDelivery(self.0.id)).await?;
        rows.unwrap_or_default().iter().map(|row| Attempt::of(row)).collect()
    }
}

connection!(DeliveryConnection, DeliveryEdge, Delivery of delivery, "A page of deliveries.", "A delivery in a list.");

queries! {
    DeliveryQueries, Delivery, DeliveryBy => Delivery,
    /// A delivery by its id.
    delivery,
    /// The deliveries you may see; those that were given up are in state DEAD.
    deliveries -> DeliveryConnection by TimeOrder of read::TimeOrder, filter DeliveryFilter
}

/// What is sent again.
#[derive(Debug, InputObject)]
pub(crate) struct DeliveryReplayInput {
    /// The delivery.
    delivery_id: ID,
}

/// What came of asking for a delivery to be sent again.
#[derive(Debug, SimpleObject)]
pub(crate) struct DeliveryReplayPayload {
    /// The delivery as it stands now; absent if nothing was done.
    delivery: Option<Delivery>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// What is sent again together.
#[derive(Debug, InputObject)]
pub(crate) struct DeliveriesReplayInput {
    /// The deliveries, 1 to 100.
    ids: Vec<ID>,
}

/// What came of asking for several deliveries to be sent again.
#[derive(Debug, SimpleObject)]
pub(crate) struct DeliveriesReplayPayload {
    /// The deliveries that are sent again, as they stand now, in the order of the input.
    deliveries: Vec<Delivery>,
    /// What was not done, each with its place: `["input", "ids", "3"]`. The others were done.
    user_errors: Vec<UserError>,
}

/// Sends a delivery again; `field` is where the input names it.
async fn replay(ctx: &Context<'_>, id: &ID, field: &str) -> Result<Result<Delivery, UserError>> {
    let loader = loader(ctx)?;
    let found = match Kind::Delivery.read(id) {
        Some(id) => loader.load_one(DeliveryBy(id)).await?,
        None => None,
    };
    let Some(row) = found else { return Ok(Err(UserError::not_found(field, "delivery"))) };
    let replayed = market(ctx)?.replay_delivery(principal(ctx)?, DeliveryId(row.id)).await;
    if !replayed.map_err(store)? {
        let message = "it is still under way, or its sale does not stand any more";
        return Ok(Err(UserError::of(field, "NOT_POSSIBLE", message)));
    }
    let delivery = loader.load_one(DeliveryBy(row.id)).await?.map(Delivery);
    super::there(delivery).map(Ok)
}

/// Mutations of deliveries.
#[derive(Debug, Default)]
pub(crate) struct DeliveryMutations;

#[Object]
impl DeliveryMutations {
    /// Sends a delivery again that had ended. The buyer is not charged again.
    async fn delivery_replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is sent again.")] input: DeliveryReplayInput,
    ) -> Result<DeliveryReplayPayload> {
        Ok(match replay(ctx, &input.delivery_id, "deliveryId").await? {
            Ok(delivery) => DeliveryReplayPayload { delivery: Some(delivery), user_errors: Vec::new() },
            Err(error) => DeliveryReplayPayload { delivery: None, user_errors: vec![error] },
        })
    }

    /// Sends several deliveries again that had ended. Nobody is charged again; what cannot be sent is told, and the rest is.
    async fn deliveries_replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is sent again.")] input: DeliveriesReplayInput,
    ) -> Result<DeliveriesReplayPayload> {
        /// More than anybody picks from a list at once.
        const IDS_MAX: usize = 100;
        let mut done = DeliveriesReplayPayload { deliveries: Vec::new(), user_errors: Vec::new() };
        if !(1..=IDS_MAX).contains(&input.ids.len()) {
            done.user_errors.push(UserError::of("ids", "OUT_OF_RANGE", "1 to 100 deliveries are expected"));
            return Ok(done);
        }
        for (place, id) in input.ids.iter().enumerate() {
            match replay(ctx, id, &format!("ids.{place}")).await? {
                Ok(delivery) => done.deliveries.push(delivery),
                Err(error) => done.user_errors.push(error),
            }
        }
        Ok(done)
    }
}
