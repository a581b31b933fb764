//! Trying destinations out.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_market::delivery::{TryOut, TryOutAnswer, TryOutError};
use leadyard_types::{Currency, DestinationId, Money as Amount};

use super::super::context::{market, principal};
use super::super::errors::{UserError, store};
use super::super::id::Kind;
use super::super::scalars::Money;
use super::super::words::{DeliveryOutcome, PingVerdict, Verdict};
use super::destination::Destination;
use super::int;

/// Which destination is tried out.
#[derive(Debug, InputObject)]
pub(crate) struct DestinationTestInput {
    /// The destination; one that was set aside can be tried out too.
    destination_id: ID,
}

/// What came back from a destination that was tried out, without secrets and made-up personal values.
#[derive(Debug, SimpleObject)]
pub(crate) struct DestinationTest {
    /// The destination that was tried out.
    destination: Destination,
    /// What a delivery came to, as the connector reads the answer; absent where a bid was asked for.
    delivery: Option<DestinationTestDelivery>,
    /// What a ping came to, as the adapter reads the answer; absent where a lead was delivered.
    ping: Option<DestinationTestPing>,
    /// The status code of the answer, of HTTP or of the mail server.
    status_code: Option<i32>,
    /// How long it took, in milliseconds.
    duration_ms: i32,
    /// The beginning of the answer.
    answer: Option<String>,
}

/// What a delivery that was a test came to.
#[derive(Debug, SimpleObject)]
pub(crate) struct DestinationTestDelivery {
    /// Whether the buyer was asked to answer yes or no, as its contract says, or was only told.
    verdict: Verdict,
    /// What it came to.
    outcome: DeliveryOutcome,
    /// What went wrong, in our words.
    error: Option<String>,
    /// Why the buyer refused, from its answer.
    reason: Option<String>,
    /// The buyer's own reference, from its answer.
    reference: Option<String>,
    /// For how long the destination asks to be left alone, in seconds.
    retry_after_seconds: Option<i32>,
}

/// What a ping that was a test came to.
#[derive(Debug, SimpleObject)]
pub(crate) struct DestinationTestPing {
    /// What it came to.
    verdict: PingVerdict,
    /// The bid to be the only buyer, or at all.
    price: Option<Money>,
    /// The bids where two, three … buy; the last holds for more.
    shared_prices: Vec<Money>,
    /// Why there is no bid, from the answer or in our words.
    reason: Option<String>,
    /// The buyer's own mark, which would go back with the post.
    reference: Option<String>,
    /// For how long the bid would hold, in seconds, where the buyer says so.
    holds_seconds: Option<i32>,
    /// What was sent, without secrets.
    request: String,
}

impl DestinationTest {
    fn of(tried: TryOut) -> Self {
        let TryOut { destination, currency, answer } = tried;
        let destination = Destination::from(destination);
        match answer {
            TryOutAnswer::Delivery(verdict, came) => Self {
                destination,
                delivery: Some(DestinationTestDelivery {
                    verdict: verdict.into(),
                    outcome: came.outcome.into(),
                    error: came.error,
                    reason: came.reason,
                    reference: came.reference,
                    retry_after_seconds: came.retry_after.map(|pause| int(pause.as_secs())),
                }),
                ping: None,
                status_code: came.status.map(int),
                duration_ms: int(came.duration.as_millis()),
                answer: came.answer_excerpt,
            },
            TryOutAnswer::Ping(came) => Self {
                destination,
                delivery: None,
                status_code: came.status_code.map(int),
                duration_ms: int(came.took.as_millis()),
                answer: came.answer.clone(),
                ping: Some(DestinationTestPing {
                    verdict: came.verdict.into(),
                    price: came.price_minor.map(|minor| bid(minor, currency)),
                    shared_prices: came.shared_minor.iter().map(|minor| bid(*minor, currency)).collect(),
                    reason: came.reason,
                    reference: came.reference,
                    holds_seconds: came.holds_for.map(|time| int(time.as_secs())),
                    request: came.request,
                }),
            },
        }
    }
}

fn bid(minor: i64, currency: Currency) -> Money {
    Money(Amount::new(minor, currency))
}

/// What came of trying a destination out.
#[derive(Debug, SimpleObject)]
pub(crate) struct DestinationTestPayload {
    /// What came back; absent if nothing was sent.
    test: Option<DestinationTest>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Mutations that try destinations out.
#[derive(Debug, Default)]
pub(crate) struct DestinationTestMutations;

#[Object]
impl DestinationTestMutations {
    /// Sends a made-up lead, marked as a test, to a destination as a real one would be sent, and answers what came back. It
    /// is no lead, is never billed, and does not touch how the destination stands; once in ten seconds each.
    async fn destination_test(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which destination.")] input: DestinationTestInput,
    ) -> Result<DestinationTestPayload> {
        let refused = |error| Ok(DestinationTestPayload { test: None, user_errors: vec![error] });
        let not_found = || UserError::not_found("destinationId", "destination");
        let Some(id) = Kind::Destination.read(&input.destination_id) else { return refused(not_found()) };
        match market(ctx)?.try_destination(principal(ctx)?, DestinationId(id)).await {
            Ok(tried) => Ok(DestinationTestPayload { test: Some(DestinationTest::of(tried)), user_errors: Vec::new() }),
            Err(TryOutError::NotFound) => refused(not_found()),
            Err(TryOutError::NotAllowed) => refused(UserError::general("NOT_ALLOWED", "this is not for your role")),
            Err(TryOutError::TooSoon) => refused(UserError::of(
                "destinationId",
                "TOO_SOON",
                "it was tried out a moment ago: wait ten seconds, and try again",
            )),
            Err(TryOutError::NotPossible(why)) => refused(UserError::of("destinationId", "NOT_POSSIBLE", why)),
            Err(TryOutError::Store(error)) => Err(store(error)),
        }
    }
}
