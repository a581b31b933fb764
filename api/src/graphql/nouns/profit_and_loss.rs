//! Profit and loss, from the ledger.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;
use leadyard_entity::reports::{ProfitBy as By, ProfitLine};
use leadyard_market::statement::PERIOD_DAYS_MAX;

use super::super::context::read;
use super::super::errors::{fixed, store};
use super::super::id::Kind;
use super::super::scalars::{Date, Money};
use super::money;

/// By what profit and loss is grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "leadyard_entity::reports::ProfitBy")]
pub(crate) enum ProfitBy {
    /// A line per campaign.
    Campaign,
    /// A line per source.
    Source,
    /// A line per buyer.
    Buyer,
    /// A line per contract.
    Contract,
    /// A line per day, in the campaigns' own time zones.
    Day,
}

/// A span of days, both included.
#[derive(Debug, InputObject)]
pub(crate) struct DayRange {
    /// The first day.
    since: Date,
    /// The last day.
    until: Date,
}

impl DayRange {
    /// The first and the last day.
    pub(super) fn ordered(&self) -> Result<(NaiveDate, NaiveDate)> {
        let (since, until) = (self.since.0, self.until.0);
        if since > until {
            return Err(fixed("RANGE_INVALID", "the first day of a range is not after its last"));
        }
        Ok((since, until))
    }

    /// The same, of at most a leap year.
    pub(super) fn within_a_year(&self) -> Result<(NaiveDate, NaiveDate)> {
        let (since, until) = self.ordered()?;
        if (until - since).num_days() >= PERIOD_DAYS_MAX {
            return Err(fixed("RANGE_INVALID", "at most 366 days are expected"));
        }
        Ok((since, until))
    }
}

/// One line of profit and loss, in one currency.
#[derive(Debug, SimpleObject)]
pub(crate) struct ProfitAndLossLine {
    /// The id of the campaign, source, buyer or contract; absent for days, and for movements that belong to none.
    id: Option<ID>,
    /// Its name, or the day; absent for movements that belong to none.
    name: Option<String>,
    /// What sales earned.
    revenue: Money,
    /// What was credited back to buyers.
    credits: Money,
    /// What suppliers earned, less what was taken back.
    payout: Money,
    /// What ad platforms were paid.
    ad_spend: Money,
    /// Revenue less credits, payouts and ad spend.
    profit: Money,
}

impl ProfitAndLossLine {
    pub(super) fn of(line: &ProfitLine, by: By) -> Result<Self> {
        let kind = match by {
            By::Campaign => Some(Kind::Campaign),
            By::Source => Some(Kind::Source),
            By::Buyer => Some(Kind::Buyer),
            By::Contract => Some(Kind::Contract),
            By::Day => None,
        };
        let amount = |minor: i64| money(minor, &line.currency);
        Ok(Self {
            id: kind.zip(line.id).map(|(kind, id)| kind.id(id)),
            name: line.name.clone(),
            revenue: amount(line.revenue_minor)?,
            credits: amount(line.credits_minor)?,
            payout: amount(line.payout_minor)?,
            ad_spend: amount(line.ad_spend_minor)?,
            profit: amount(line.profit_minor())?,
        })
    }
}

/// Reports.
#[derive(Debug, Default)]
pub(crate) struct ProfitQueries;

#[Object]
impl ProfitQueries {
    /// Profit and loss of a span of days, from the ledger: one line per group and currency, at most 10,000.
    async fn profit_and_loss(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which days.")] range: DayRange,
        #[graphql(desc = "By what the lines are grouped.")] by: ProfitBy,
    ) -> Result<Vec<ProfitAndLossLine>> {
        let (since, until) = range.ordered()?;
        let lines =
            read(ctx)?.profit_and_loss(&since.to_string(), &until.to_string(), by.into()).await.map_err(store)?;
        lines.iter().map(|line| ProfitAndLossLine::of(line, by.into())).collect()
    }
}
