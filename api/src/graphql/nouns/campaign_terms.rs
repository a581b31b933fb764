//! What is agreed of a campaign, part by part.

use async_graphql::SimpleObject;
use leadyard_types::terms as agreed;
use leadyard_types::{Currency, Money as Amount, Stage as StageTerms};

use super::super::scalars::Money;
use super::super::words::{ComplaintReason, DuplicateMatch, DuplicateScope, Method, OnSold, Pricing};
use super::int;

/// A step of a campaign: its contracts are tried together, before those of the next step.
#[derive(Debug, SimpleObject)]
pub(crate) struct Stage {
    /// The key by which contracts name it.
    key: String,
    /// How it chooses among its contracts.
    method: Method,
    /// What happens after it sold.
    on_sold: OnSold,
    /// The most sales of one lead in this step; absent: as many as the campaign allows.
    max_sales: Option<i32>,
    /// Whether it holds a lead back from the contracts behind one that says WAIT and is outside its hours.
    hold_for_window: bool,
    /// What holds for its auction; absent where it does not auction, or where the usual holds.
    auction: Option<Auction>,
}

/// What holds for the auction of a stage.
#[derive(Debug, SimpleObject)]
pub(crate) struct Auction {
    /// What the winner pays.
    pricing: Pricing,
    /// Added to a second price.
    increment: Money,
    /// The least that a second price comes to; the floor holds besides.
    reserve: Money,
    /// How many milliseconds buyers have to answer.
    deadline_ms: i32,
}

impl Stage {
    pub(super) fn of(terms: &StageTerms, currency: Currency) -> Self {
        let money = |amount_minor| Money(Amount::new(amount_minor, currency));
        Self {
            key: terms.key.clone(),
            method: terms.method.into(),
            on_sold: terms.on_sold.into(),
            max_sales: terms.max_sales.map(int),
            hold_for_window: terms.hold_for_window,
            auction: terms.auction.map(|auction| Auction {
                pricing: auction.pricing.into(),
                increment: money(auction.increment_minor),
                reserve: money(auction.reserve_minor),
                deadline_ms: int(auction.deadline_ms),
            }),
        }
    }
}

/// What an aged lead costs from an age on.
#[derive(Debug, SimpleObject)]
pub(crate) struct AgedStep {
    /// From this age on, in days since it came in.
    after_days: i32,
    /// What it costs of the ordinary price, in percent.
    percent: String,
}

/// What happens to leads that stayed unsold: they are offered for less to contracts that buy aged leads.
#[derive(Debug, SimpleObject)]
pub(crate) struct AgedPolicy {
    /// How old an unsold lead is when it counts as aged, in minutes.
    after_minutes: i32,
    /// For how many days since it came in it is offered.
    until_days: i32,
    /// No aged lead sells below.
    floor: Money,
    /// How often it is offered, in minutes; also whenever its price falls.
    offer_every_minutes: i32,
    /// Prices by age.
    steps: Vec<AgedStep>,
}

/// When and why buyers may complain.
#[derive(Debug, SimpleObject)]
pub(crate) struct ComplaintPolicy {
    /// How many days after the sale a complaint may be opened.
    window_days: i32,
    /// The reasons that are accepted.
    reasons: Vec<ComplaintReason>,
    /// Whether an upheld complaint takes back the supplier's earning in the same proportion.
    clawback: bool,
    /// How many days after the sale the supplier's earning may be taken back; absent: whenever a complaint is decided.
    clawback_days: Option<i32>,
}

impl AgedPolicy {
    pub(super) fn of(policy: &agreed::AgedPolicy, currency: Currency) -> Self {
        let step = |step: &agreed::AgedStep| AgedStep {
            after_days: int(step.after_days),
            percent: step.percent.0.normalize().to_string(),
        };
        Self {
            after_minutes: int(policy.after_minutes),
            until_days: int(policy.until_days),
            floor: Money(Amount::new(policy.floor_minor, currency)),
            offer_every_minutes: int(policy.offer_every_minutes),
            steps: policy.steps.iter().map(step).collect(),
        }
    }
}

impl From<&agreed::ComplaintPolicy> for ComplaintPolicy {
    fn from(policy: &agreed::ComplaintPolicy) -> Self {
        Self {
            window_days: int(policy.window_days),
            reasons: policy.reasons.iter().map(|reason| (*reason).into()).collect(),
            clawback: policy.clawback,
            clawback_days: policy.clawback_days.map(int),
        }
    }
}

/// How strict a campaign is about consent. What is required is always enforced.
#[derive(Debug, SimpleObject)]
pub(crate) struct ConsentPolicy {
    /// Whether a lead without consent is rejected.
    required: bool,
    /// The greatest age of a consent in hours; absent: any.
    max_age_hours: Option<i32>,
    /// Purposes that the consent must name.
    purposes: Vec<String>,
}

impl From<&agreed::ConsentPolicy> for ConsentPolicy {
    fn from(policy: &agreed::ConsentPolicy) -> Self {
        let purposes = policy.purposes.clone();
        Self { required: policy.required, max_age_hours: policy.max_age_hours.map(int), purposes }
    }
}

/// What counts as the same enquiry again.
#[derive(Debug, SimpleObject)]
pub(crate) struct DuplicatePolicy {
    /// The fields that are compared; none finds no duplicates.
    fields: Vec<String>,
    /// Whether one of them is enough.
    matching: DuplicateMatch,
    /// How many days back.
    window_days: i32,
    /// Where earlier leads are looked for.
    scope: DuplicateScope,
}

impl From<&agreed::DuplicatePolicy> for DuplicatePolicy {
    fn from(policy: &agreed::DuplicatePolicy) -> Self {
        Self {
            fields: policy.fields.clone(),
            matching: policy.matching.into(),
            window_days: int(policy.window_days),
            scope: policy.scope.into(),
        }
    }
}

/// What happens to a lead that nobody bought at once.
#[derive(Debug, SimpleObject)]
pub(crate) struct UnsoldPolicy {
    /// For how many minutes it is offered again; 0 means not at all.
    retry_window_minutes: i32,
    /// How often within that, in minutes.
    retry_every_minutes: i32,
}

impl From<agreed::UnsoldPolicy> for UnsoldPolicy {
    fn from(policy: agreed::UnsoldPolicy) -> Self {
        let (window, every) = (policy.retry_window_minutes, policy.retry_every_minutes);
        Self { retry_window_minutes: int(window), retry_every_minutes: int(every) }
    }
}

/// Where a web form's visitor is sent afterwards, and what the lead door answers.
#[derive(Debug, SimpleObject)]
pub(crate) struct Redirects {
    /// After a sold lead; absent: nowhere.
    sold_url: Option<String>,
    /// After any other lead that was stored; absent: nowhere.
    other_url: Option<String>,
}

impl From<&agreed::Redirects> for Redirects {
    fn from(redirects: &agreed::Redirects) -> Self {
        Self { sold_url: redirects.sold_url.clone(), other_url: redirects.other_url.clone() }
    }
}
