//! Decisions: every routing run, explained.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use leadyard_entity::model::{decision, lead};
use leadyard_entity::read::Columns;
use leadyard_market::explain::{ContractExplained, DecisionExplained};
use leadyard_market::rules::routing::Waits;
use leadyard_types::{Refusal as Reason, Timestamp};

use super::super::columns::column;
use super::super::context::loader;
use super::super::errors::internal;
use super::super::id::Kind;
use super::super::loaders::{CampaignBy, ExplanationOf, LeadBy};
use super::super::scalars::{Money, NamedValue};
use super::super::words::{Check, DecidedBy, PingVerdict};
use super::buyer::Buyer;
use super::contract::Contract;
use super::lead::Lead;
use super::split_report::DecisionPlan;
use super::{int, money, of_row, one, there};

of_row! {
    /// The record of one routing run: what was seen, every contract considered, why each was refused or ranked, who won.
    Decision of decision
}

/// What came of a routing run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum DecisionOutcome {
    /// At least one contract bought the lead.
    Sold,
    /// The lead was posted to a buyer whose answer is awaited.
    Offered,
    /// No contract bought it.
    Unsold,
}

/// Why a contract did not get a lead.
#[derive(Debug, SimpleObject)]
pub(crate) struct Refusal {
    /// The check that said no.
    check: Check,
    /// A sentence for people.
    message: String,
    /// The values it saw.
    seen: Vec<NamedValue>,
}

impl From<&Reason> for Refusal {
    fn from(refusal: &Reason) -> Self {
        let seen = refusal.seen.iter().map(|seen| NamedValue { name: seen.name.clone(), value: seen.value.clone() });
        Self { check: refusal.check.into(), message: refusal.message.clone(), seen: seen.collect() }
    }
}

/// What a buyer answered when it was asked for a bid.
#[derive(Debug, SimpleObject)]
pub(crate) struct BidAnswer {
    /// What came of asking.
    verdict: PingVerdict,
    /// What it bid to be the only buyer, or at all.
    price: Option<Money>,
    /// Why there is no bid.
    reason: Option<String>,
    /// When the bid ends.
    expires_at: Option<Timestamp>,
}

/// What a routing run found about one contract.
#[derive(Debug, async_graphql::Description)]
pub(crate) struct ContractVerdict {
    explained: ContractExplained,
    currency: String,
}

#[Object(use_type_description)]
impl ContractVerdict {
    /// The contract as it stands now; its terms of then are what was decided by.
    async fn contract(&self, ctx: &Context<'_>) -> Result<Contract> {
        there(one!(ctx, ContractBy(self.explained.verdict.contract_id.0) => Contract)?)
    }

    /// Whose contract it is.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.explained.verdict.buyer_id.0) => Buyer)?)
    }

    /// The contract's name.
    fn contract_name(&self) -> &str {
        &self.explained.contract
    }

    /// The buyer's name.
    fn buyer_name(&self) -> &str {
        &self.explained.buyer
    }

    /// The step of the campaign it took part in.
    fn stage(&self) -> &str {
        &self.explained.verdict.stage
    }

    /// Its price for this lead.
    fn price(&self) -> Result<Money> {
        money(self.explained.verdict.price_minor, &self.currency)
    }

    /// The price rule that set the price, if one matched.
    fn price_rule(&self) -> Option<&str> {
        self.explained.verdict.price_rule.as_deref()
    }

    /// Its place in the step's order, 1 first, if it was eligible.
    fn rank(&self) -> Option<i32> {
        self.explained.verdict.rank.map(int)
    }

    /// What the buyer answered when it was asked for a bid; absent where it was not asked.
    fn bid(&self) -> Result<Option<BidAnswer>> {
        let Some(bid) = &self.explained.verdict.bid else { return Ok(None) };
        let price = bid.price_minor.map(|price| money(price, &self.currency)).transpose()?;
        Ok(Some(BidAnswer {
            verdict: bid.verdict.into(),
            price,
            reason: bid.reason.clone(),
            expires_at: bid.expires_at,
        }))
    }

    /// What put it before the next in an auction; absent where it did not win one, or nobody else bid.
    fn decided_by(&self) -> Option<DecidedBy> {
        self.explained.verdict.decided_by.map(Into::into)
    }

    /// The least price at which it would have won the auction it lost.
    fn would_win_at(&self) -> Result<Option<Money>> {
        self.explained.verdict.would_win_at_minor.map(|price| money(price, &self.currency)).transpose()
    }

    /// Why it did not get the lead; absent for a winner.
    fn refusal(&self) -> Option<Refusal> {
        self.explained.verdict.refusal.as_ref().map(Refusal::from)
    }
}

/// The contract for whose window a lead waits.
#[derive(Debug, async_graphql::Description)]
pub(crate) struct WaitsFor(Waits);

#[Object(use_type_description)]
impl WaitsFor {
    /// The contract as it stands now.
    async fn contract(&self, ctx: &Context<'_>) -> Result<Contract> {
        there(one!(ctx, ContractBy(self.0.contract_id.0) => Contract)?)
    }

    /// When its window opens.
    fn opens_at(&self) -> Timestamp {
        self.0.opens_at
    }

    /// Whether the lead is held back for it from contracts that would buy now.
    fn held(&self) -> bool {
        self.0.held
    }
}

impl Decision {
    async fn explained(&self, ctx: &Context<'_>) -> Result<Arc<DecisionExplained>> {
        there(loader(ctx)?.load_one(ExplanationOf(self.0.id)).await?)
    }
}

#[Object(use_type_description)]
impl Decision {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Decision.id(self.0.id)
    }

    /// The lead it is about.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Lead> {
        there(one!(ctx, LeadBy(self.0.lead_id) => Lead)?)
    }

    /// Its place in the order of everything that was ever decided in this market, a whole number.
    fn no(&self) -> String {
        self.0.no.to_string()
    }

    /// Its place among this lead's decisions, 1 first.
    fn number(&self) -> i32 {
        int(self.0.number)
    }

    /// What came of it.
    fn outcome(&self) -> Result<DecisionOutcome> {
        match self.0.outcome.as_str() {
            "SOLD" => Ok(DecisionOutcome::Sold),
            "OFFERED" => Ok(DecisionOutcome::Offered),
            "UNSOLD" => Ok(DecisionOutcome::Unsold),
            other => Err(internal(format!("`{other}` is not a decision's outcome"))),
        }
    }

    /// When it was made.
    fn decided_at(&self) -> Timestamp {
        self.0.decided_at
    }

    /// The version of the rules that decided.
    fn rules_version(&self) -> i32 {
        int(self.0.rules_version)
    }

    /// Every contract of the campaign: winners first, then by rank, then by name.
    async fn contracts(&self, ctx: &Context<'_>) -> Result<Vec<ContractVerdict>> {
        let loader = loader(ctx)?;
        let lead =
            there(loader.load_one(LeadBy::with(self.0.lead_id, Columns::of(&[lead::Column::CampaignId]))).await?)?;
        let currency = &there(loader.load_one(CampaignBy(*column(lead.campaign_id())?)).await?)?.currency;
        let explained = self.explained(ctx).await?;
        let verdict =
            |entry: &ContractExplained| ContractVerdict { explained: entry.clone(), currency: currency.clone() };
        Ok(explained.contracts.iter().map(verdict).collect())
    }

    /// For which contract's window the lead waits, where nobody bought it and it does.
    async fn waits_for(&self, ctx: &Context<'_>) -> Result<Option<WaitsFor>> {
        Ok(self.explained(ctx).await?.waits.map(WaitsFor))
    }

    /// The plan it followed, where an experiment divides the campaign's leads.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<DecisionPlan>> {
        Ok(self.explained(ctx).await?.plan.as_ref().map(DecisionPlan::from))
    }

    /// Why the contracts cannot be shown, where they cannot: the person was erased, or other rules decided.
    async fn note(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(self.explained(ctx).await?.note.clone())
    }
}
