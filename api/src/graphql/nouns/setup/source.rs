//! Making and changing sources.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use leadyard_market::setup::{HeadChange, NewSource};
use leadyard_types::{CostModel, FieldProblem, PingLimits, SourceId, SourceTerms};

use super::super::super::id::Kind;
use super::super::super::scalars::MinorUnits;
use super::super::super::words::Status;
use super::super::source::{CostKind, Source};
use super::super::terms::{CapInput, MarginInput, PriceRuleInput, ScheduleInput};
use super::campaign_input::over;
use super::reading::{Read, Reading, list, minor, named, percent, plain, whole};
use super::{Spelling, agreed, payload, setup, standing};

/// What a supplier is paid.
#[derive(Debug, InputObject)]
pub(crate) struct CostInput {
    /// For what.
    kind: CostKind,
    /// The amount in minor units, for PER_LEAD and PER_SOLD_LEAD, and only there.
    amount_minor: Option<MinorUnits>,
    /// The supplier's share of a price, 0 to 100 percent as a decimal, `"35.5"`, for REVENUE_SHARE, and only there.
    percent: Option<String>,
}

impl CostInput {
    fn read(self, path: &str) -> Read<CostModel> {
        let at = |name: &str| format!("{path}.{name}");
        let refused = |name, code, message| FieldProblem::new(at(name), code, message);
        let fixed = matches!(self.kind, CostKind::PerLead | CostKind::PerSoldLead);
        if !fixed && self.amount_minor.is_some() {
            return Err(refused("amountMinor", "NOT_ALLOWED", "an amount is for PER_LEAD and PER_SOLD_LEAD"));
        }
        if self.kind != CostKind::RevenueShare && self.percent.is_some() {
            return Err(refused("percent", "NOT_ALLOWED", "a share is for REVENUE_SHARE"));
        }
        let missing = || refused("amountMinor", "REQUIRED", "the amount per lead in minor units");
        let amount = || self.amount_minor.map(|amount| amount.0).ok_or_else(missing);
        Ok(match self.kind {
            CostKind::PerLead => CostModel::PerLead { amount_minor: amount()? },
            CostKind::PerSoldLead => CostModel::PerSoldLead { amount_minor: amount()? },
            CostKind::RevenueShare => {
                let missing = || refused("percent", "REQUIRED", "the supplier's share in percent");
                CostModel::RevenueShare { percent: percent(self.percent.ok_or_else(missing)?, &at("percent"))? }
            }
            CostKind::AdSpend => CostModel::AdSpend,
        })
    }
}

/// How often a source may ping. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct PingLimitsInput {
    /// The most pings in a minute of the clock; `0`: none, null: no limit.
    per_minute: MaybeUndefined<i32>,
    /// The most pings in a day of the campaign's; `0`: none, null: no limit.
    per_day: MaybeUndefined<i32>,
}

impl PingLimitsInput {
    fn lay(self, limits: &mut PingLimits, reading: &mut Reading) {
        reading.optional("pingLimits.perMinute", self.per_minute, &mut limits.per_minute, whole);
        reading.optional("pingLimits.perDay", self.per_day, &mut limits.per_day, whole);
    }
}

/// What is agreed of a source. What is left out stays; of a new source it is the usual.
#[derive(Debug, InputObject)]
pub(crate) struct SourceTermsInput {
    /// Whether it may send; of a new one ACTIVE.
    status: MaybeUndefined<Status>,
    /// Exceptions from a fixed cost, in minor units of the campaign's currency; the last that matches holds.
    payout_rules: MaybeUndefined<Vec<PriceRuleInput>>,
    /// All limits on accepted leads, one count per period, in the campaign's time zone.
    caps: MaybeUndefined<Vec<CapInput>>,
    /// When it may send; null: always.
    schedule: MaybeUndefined<ScheduleInput>,
    /// What the operator keeps of a price when this supplier is quoted; null: as contract and campaign say.
    margin: MaybeUndefined<MarginInput>,
    /// The least this supplier sells for, in minor units; below it nothing is quoted. Null: anything.
    least_payout_minor: MaybeUndefined<MinorUnits>,
    /// Whether all it sends are tests: answered by their postal codes, never billed, capped or counted.
    test: MaybeUndefined<bool>,
    /// How often it may ping.
    ping_limits: MaybeUndefined<PingLimitsInput>,
}

impl SourceTermsInput {
    fn lay(self, terms: &mut SourceTerms, reading: &mut Reading) {
        reading.set("status", self.status, &mut terms.status, plain);
        let rules = (&mut terms.payout_rules, Vec::new());
        reading.set_or("payoutRules", self.payout_rules, rules, list(PriceRuleInput::read));
        reading.set_or("caps", self.caps, (&mut terms.caps, Vec::new()), CapInput::all);
        reading.optional("schedule", self.schedule, &mut terms.schedule, ScheduleInput::read);
        reading.optional("margin", self.margin, &mut terms.margin, MarginInput::read);
        reading.optional("leastPayoutMinor", self.least_payout_minor, &mut terms.least_payout_minor, minor);
        reading.set_or("test", self.test, (&mut terms.test, false), plain);
        over("pingLimits", self.ping_limits, &mut terms.ping_limits, reading, PingLimitsInput::lay);
    }
}

/// How the paths of the terms are spelt.
fn spelling(terms: &SourceTerms) -> Spelling {
    let rules = terms.payout_rules.iter().enumerate();
    let conditions = rules.map(|(place, rule)| (format!("payout_rules.{place}.when"), rule.when.clone()));
    Spelling { renamed: &[], conditions: conditions.collect() }
}

/// A source to be made. Its supplier and its campaign stay for life.
#[derive(Debug, InputObject)]
pub(crate) struct SourceCreateInput {
    /// Whose channel it is.
    supplier_id: ID,
    /// The campaign it sends into.
    campaign_id: ID,
    /// What people call it, 1 to 200 characters; no other source of the campaign is called so.
    name: String,
    /// What the supplier is paid.
    cost: CostInput,
    #[graphql(flatten)]
    terms: SourceTermsInput,
}

/// What is changed of a source. What is left out stays; objects are laid over what stands, lists replace it.
#[derive(Debug, InputObject)]
pub(crate) struct SourceUpdateInput {
    /// The source.
    source_id: ID,
    /// Its version that this was decided by.
    version: i32,
    /// What people call it.
    name: MaybeUndefined<String>,
    /// What the supplier is paid.
    cost: MaybeUndefined<CostInput>,
    #[graphql(flatten)]
    terms: SourceTermsInput,
}

payload!(SourcePayload, source: Source by SourceBy, "What came of making or changing a source.", "The source as it stands now; absent if nothing was done.");

/// Mutations of sources.
#[derive(Debug, Default)]
pub(crate) struct SourceMutations;

#[Object]
impl SourceMutations {
    /// Makes a source: a channel of a supplier into a campaign. It sends with a key (`sourceKeyCreate`), or by its form.
    async fn source_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where it stands, and what is agreed.")] input: SourceCreateInput,
    ) -> Result<SourcePayload> {
        let mut reading = Reading::default();
        let supplier_id = named(Kind::Supplier, &input.supplier_id);
        let campaign_id = named(Kind::Campaign, &input.campaign_id);
        let cost = reading.take(input.cost.read("cost"));
        let mut terms = SourceTerms::new(cost.unwrap_or(CostModel::AdSpend));
        input.terms.lay(&mut terms, &mut reading);
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(SourcePayload::refused(problems));
        }
        let spelling = spelling(&terms);
        let done = setup(ctx)?.create_source(NewSource { supplier_id, campaign_id, name: input.name, terms }).await;
        SourcePayload::of(ctx, done.map(|made| made.id.0), &spelling).await
    }

    /// Changes a source. Acts from the next lead on.
    async fn source_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The source, and what is changed of it.")] input: SourceUpdateInput,
    ) -> Result<SourcePayload> {
        let row =
            standing!(ctx, input.source_id, Source by SourceBy, "sourceId", "source", input.version, SourcePayload);
        let mut terms = agreed!(ctx, row, SourceTermsOf);
        let mut reading = Reading::default();
        let head = HeadChange { name: reading.changed("name", input.name), ..HeadChange::default() };
        reading.set("cost", input.cost, &mut terms.cost, CostInput::read);
        input.terms.lay(&mut terms, &mut reading);
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(SourcePayload::refused(problems));
        }
        let spelling = spelling(&terms);
        let done = setup(ctx)?.update_source(SourceId(row.id), row.version, head, terms).await;
        SourcePayload::of(ctx, done.map(|_| row.id), &spelling).await
    }
}
