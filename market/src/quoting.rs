//! Quoting: a supplier offers a lead without the person (a ping), is promised a price for a while, and then sends the
//! lead by that promise (a post). Decisions 19 and 21.
//!
//! A ping holds neither cap nor money, and nothing of the person is stored: what could tell who it is serves to ask
//! buyers in hashes, in memory, and is dropped. The bids of the ping are kept, so that the post asks nobody again.

use leadyard_entity::StoreError;
use leadyard_entity::model::quote;
use leadyard_entity::quotes::PingLimit;
use leadyard_types::quote::PingPeriod;
use leadyard_types::{
    CapPeriod, Check, FieldProblem, Fields, LeadAnswer, LeadDraft, Money, Principal, QuoteAnswer, QuoteId, QuoteState,
    Refusal, Required, SystemTask, Timestamp, time,
};
use serde_json::Value;
use std::time::Duration;

use crate::asking::{Asked, Subject};
use crate::eligibility::may_send;
use crate::intake::{IntakeError, Offered, Prepared, split_personal};
use crate::market::Market;
use crate::placement::{Purpose, Rejection, Screening, Seen, Work, test_payout_minor};
use crate::rules::cap::bucket_of;
use crate::rules::quote::{Quoted, quote};
use crate::rules::routing::{RoutingInput, route};
use crate::rules::trial::{TestAnswer, test_answer};

/// How long a quote holds where the campaign says nothing.
const HOLDS_SECONDS: u32 = 300;

/// Why a ping got no quote, or a post was not taken. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    /// What can go wrong with any lead.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The source pings more often than agreed.
    #[error("at most {most} pings a {period} were agreed")]
    TooManyPings {
        /// How many were agreed.
        most: u32,
        /// For which time.
        period: PingPeriod,
        /// When it ends.
        retry_after: Duration,
    },
    /// There is no such ping of this source.
    #[error("this source has no such ping")]
    Unknown,
    /// The ping was refused.
    #[error("nothing was promised for this ping")]
    Refused,
    /// The promise has ended.
    #[error("the promise has ended")]
    Expired {
        /// When.
        expired_at: Timestamp,
    },
    /// What was priced has changed.
    #[error("fields that were priced have changed")]
    Changed(Vec<FieldProblem>),
    /// The ping became another lead already.
    #[error("another lead was sent for this ping")]
    Used,
}

impl From<StoreError> for QuoteError {
    fn from(error: StoreError) -> Self {
        Self::Intake(error.into())
    }
}

/// What came of looking at a ping.
struct Outcome {
    quoted: Result<Quoted, Rejection>,
    asked: Asked,
    input: Option<RoutingInput>,
}

impl Market {
    /// Quotes a supplier a price for a lead it has not sent yet.
    ///
    /// # Errors
    /// [`QuoteError`]; nothing was promised.
    pub async fn ping(&self, principal: Principal, draft: LeadDraft) -> Result<QuoteAnswer, QuoteError> {
        if !may_send(principal, draft.source_id) {
            return Err(IntakeError::UnknownSource.into());
        }
        let id = QuoteId(self.ids().uuid());
        let prepared = self.prepare_or_refresh(draft, Offered::Ping { quote: id }).await?;
        if prepared.facts.test {
            return self.ping_test(id, &prepared).await;
        }
        let mut work = [Work::New(Box::new(prepared))];
        self.count_ping(&mut work).await?;
        let [work] = work;
        let (work, screening) = self.look_at(work).await?;
        let Work::New(prepared) = work else { return Err(StoreError::corrupt("a ping").into()) };
        let outcome = self.look(id, &prepared, screening).await?;
        let answer = answer(id, &prepared, &outcome.quoted);
        metrics::counter!("leadyard_pings_total", "state" => answer.state.as_str()).increment(1);
        self.store_quote(&prepared, outcome, &answer).await?;
        Ok(answer)
    }

    /// Quotes a test: by its postal code, asking nobody.
    async fn ping_test(&self, id: QuoteId, prepared: &Prepared) -> Result<QuoteAnswer, QuoteError> {
        let no_buyer = || Refusal::new(Check::NoBuyer, "a test: its postal code asks for this answer");
        let quoted = if let Some(refusal) = prepared.source_refusal.clone() {
            Err(refusal.into())
        } else if !prepared.problems.is_empty() {
            let refusal = Refusal::new(Check::Fields, "some fields are missing or wrong");
            Err(Rejection { refusal, problems: prepared.problems.clone() })
        } else if test_answer(prepared.facts.postal_code.as_deref()) == TestAnswer::NoBuyer {
            Err(no_buyer().into())
        } else {
            Ok(Quoted { legs: vec![test_payout_minor(prepared)], bids_end: None })
        };
        let answer = answer(id, prepared, &quoted);
        let outcome = Outcome { quoted, asked: Asked::default(), input: None };
        self.store_quote(prepared, outcome, &answer).await?;
        Ok(answer)
    }

    /// Counts a ping, where its source's pings are limited.
    async fn count_ping(&self, work: &mut [Work; 1]) -> Result<(), QuoteError> {
        self.prepare_again(work, &self.current().await?);
        if !matches!(&*work, [Work::New(prepared)] if !limits(prepared).is_empty()) {
            return Ok(());
        }
        let ground = self.ground(work, Purpose::Place).await?;
        let [Work::New(prepared)] = &*work else { return Err(StoreError::corrupt("a ping").into()) };
        if let Err(full) = ground.transaction.count_ping(prepared.source.id, &limits(prepared)).await? {
            ground.transaction.rollback().await?;
            let left = (full.ends_at - prepared.received_at).to_std().unwrap_or_default();
            let retry_after = left + Duration::from_secs(1);
            return Err(QuoteError::TooManyPings { most: full.most, period: full.period, retry_after });
        }
        let _ = ground.transaction.commit().await?;
        Ok(())
    }

    /// Asks the buyers and says what the sale that would be made now promises.
    async fn look(&self, id: QuoteId, prepared: &Prepared, screening: Screening) -> Result<Outcome, QuoteError> {
        let screened = match screening {
            Screening::Offered(screened) => screened,
            Screening::Refused(rejection) => {
                return Ok(Outcome { quoted: Err(rejection), asked: Asked::default(), input: None });
            }
            Screening::Settled => return Err(StoreError::corrupt("a ping is nobody's stored lead").into()),
        };
        let subject = || Subject::new(&prepared.campaign, &prepared.vertical, &prepared.facts).of_quote(id);
        let (asked, input) = self.ask(*screened, subject).await?;
        let routing = route(&input);
        let quoted = quote(&input, &routing, prepared.source.terms.least_payout_minor).map_err(Rejection::from);
        Ok(Outcome { quoted, asked, input: Some(input) })
    }

    /// Stores what was promised or refused, with what it was decided by.
    async fn store_quote(&self, prepared: &Prepared, outcome: Outcome, answer: &QuoteAnswer) -> Result<(), QuoteError> {
        let (open, _) = split_personal(&prepared.vertical, &prepared.facts.fields);
        let seen = outcome.input.as_ref().map(|input| serde_json::to_string(&Seen::new(input, &prepared.facts)));
        let legs: Vec<i64> = answer.legs.iter().map(|leg| leg.amount_minor).collect();
        let refusal: Option<&Refusal> = outcome.quoted.as_ref().err().map(|rejection| &rejection.refusal);
        let json = |error| StoreError::corrupt(error);
        let row = quote::Model {
            id: answer.quote_id.0,
            source_id: prepared.source.id.0,
            supplier_id: prepared.source.supplier_id.0,
            campaign_id: prepared.campaign.id.0,
            state: answer.state.as_str().to_owned(),
            reason: refusal.map(serde_json::to_string).transpose().map_err(json)?,
            fields: serde_json::to_string(&open).map_err(json)?,
            subid: prepared.draft.subid.clone(),
            currency: prepared.campaign.currency.as_str().to_owned(),
            promise_minor: answer.price.map(|price| price.amount_minor),
            legs: serde_json::to_string(&legs).map_err(json)?,
            data: seen.transpose().map_err(json)?,
            asked_at: prepared.received_at,
            expires_at: answer.expires_at,
            lead_id: None,
            posted_at: None,
            test: answer.test,
        };
        let transaction = self.store.write(Principal::System(SystemTask::Place)).await?;
        transaction.store_quote(row, outcome.asked.pings).await?;
        let _ = transaction.commit().await?;
        Ok(())
    }

    /// Takes the lead of a ping: sold at no less than promised, or not at all. The same post again gets the first
    /// answer again.
    ///
    /// # Errors
    /// [`QuoteError`]; nothing was stored, and the ping can still be posted.
    pub async fn post(
        &self,
        principal: Principal,
        id: QuoteId,
        mut draft: LeadDraft,
    ) -> Result<LeadAnswer, QuoteError> {
        if !may_send(principal, draft.source_id) {
            return Err(IntakeError::UnknownSource.into());
        }
        let quote = self.store.read(principal).quote(id).await?;
        let quote = quote.filter(|quote| quote.source_id == draft.source_id.0).ok_or(QuoteError::Unknown)?;
        let promised = quote.promise_minor.zip(quote.expires_at);
        let (promise_minor, expires_at) = promised.ok_or(QuoteError::Refused)?;
        // A lead that was taken already is answered as it was, however late.
        if quote.lead_id.is_none() && self.clock().now() >= expires_at {
            return Err(QuoteError::Expired { expired_at: expires_at });
        }
        self.keep_priced(&quote, &mut draft)?;
        draft.subid = draft.subid.or(quote.subid);
        draft.idempotency_key = Some(id.to_string());
        let mut prepared = self.prepare_or_refresh(draft, Offered::Post { quote: id, promise_minor }).await?;
        let read = self.store.read(Principal::System(SystemTask::Place));
        prepared.asked.bids = read.bids_of_quote(id, self.clock().now()).await?;
        self.take(Box::new(prepared)).await.map_err(|error| match error {
            IntakeError::KeyReused => QuoteError::Used,
            error => error.into(),
        })
    }

    /// What was priced stays as it was priced: left out, it is taken from the ping; changed, it is refused.
    fn keep_priced(&self, quote: &quote::Model, draft: &mut LeadDraft) -> Result<(), QuoteError> {
        let priced: Fields = serde_json::from_str(&quote.fields).map_err(StoreError::corrupt)?;
        let snapshot = self.snapshot();
        let campaign = snapshot.campaigns.get(&quote.campaign_id.into());
        let vertical = campaign.and_then(|campaign| snapshot.verticals.get(&campaign.vertical_id));
        let (campaign, vertical) = campaign.zip(vertical).ok_or_else(|| StoreError::corrupt("a quote's campaign"))?;
        let (sent, _) = vertical.rules.check(&campaign.country, &draft.fields, Required::Never);
        let mut changed = Vec::new();
        for (key, value) in &priced {
            if draft.fields.get(key).is_none_or(Value::is_null) {
                let value = serde_json::to_value(value).map_err(StoreError::corrupt)?;
                draft.fields.insert(key.clone(), value);
            } else if sent.get(key) != Some(value) {
                let message = "the price was promised for the value in the ping: send it unchanged, or leave it out";
                changed.push(FieldProblem::new(key, "CHANGED", message));
            }
        }
        if changed.is_empty() { Ok(()) } else { Err(QuoteError::Changed(changed)) }
    }
}

/// What a ping is counted against.
fn limits(prepared: &Prepared) -> Vec<PingLimit> {
    let agreed = prepared.source.terms.ping_limits;
    let limit = |most: Option<u32>, period, cap_period| {
        let bucket = bucket_of(cap_period, prepared.received_at, prepared.campaign.terms.time_zone);
        most.map(|most| PingLimit { period, starts_at: bucket.starts_at, ends_at: bucket.ends_at, most })
    };
    let minute = agreed.per_minute.map(|most| {
        let into = prepared.received_at.timestamp_subsec_nanos();
        let seconds = prepared.received_at.timestamp().rem_euclid(60);
        let starts_at =
            prepared.received_at - chrono::Duration::seconds(seconds) - chrono::Duration::nanoseconds(i64::from(into));
        let ends_at = starts_at + chrono::Duration::minutes(1);
        PingLimit { period: PingPeriod::Minute, starts_at, ends_at, most }
    });
    [minute, limit(agreed.per_day, PingPeriod::Day, CapPeriod::Day)].into_iter().flatten().collect()
}

/// What the supplier is told.
fn answer(id: QuoteId, prepared: &Prepared, quoted: &Result<Quoted, Rejection>) -> QuoteAnswer {
    let currency = prepared.campaign.currency;
    match quoted {
        Ok(quoted) => {
            let holds = prepared.campaign.terms.quote_holds_seconds.unwrap_or(HOLDS_SECONDS);
            let until = time::after(prepared.received_at, chrono::Duration::seconds(i64::from(holds)));
            QuoteAnswer {
                quote_id: id,
                state: QuoteState::Offered,
                legs: quoted.legs.iter().map(|leg| Money::new(*leg, currency)).collect(),
                price: Some(Money::new(quoted.promise_minor(), currency)),
                expires_at: Some(quoted.bids_end.map_or(until, |end| end.min(until))),
                check: None,
                message: None,
                problems: Vec::new(),
                test: prepared.facts.test,
            }
        }
        Err(rejection) => QuoteAnswer {
            quote_id: id,
            state: QuoteState::Refused,
            legs: Vec::new(),
            price: None,
            expires_at: None,
            check: Some(rejection.refusal.check),
            message: Some(rejection.refusal.message.clone()),
            problems: rejection.problems.clone(),
            test: prepared.facts.test,
        },
    }
}
