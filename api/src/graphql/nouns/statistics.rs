//! Figures over time, of buyers, contracts, campaigns and sources.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono_tz::Tz;
use leadyard_entity::reports::SeriesOf;
use leadyard_market::statistics::{Figures, Interval as Length, Pieces, Series, Span};
use leadyard_types::Timestamp;
use uuid::Uuid;

use super::super::context::loader;
use super::super::errors::internal;
use super::super::loaders::SeriesBy;
use super::super::scalars::{Money, TimeZone};
use super::profit_and_loss::DayRange;
use super::{int, money};

/// How long the pieces are into which time is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "leadyard_market::statistics::Interval")]
pub(crate) enum Interval {
    /// Hours; days on which clocks change have 23 or 25.
    Hour,
    /// Calendar days in the time zone asked for.
    Day,
    /// Weeks, from Monday.
    Week,
    /// Calendar months.
    Month,
}

/// Of which time, and cut into which pieces.
#[derive(Debug, InputObject)]
pub(crate) struct StatisticsRange {
    /// The first and the last day, in the time zone below. A week or month they cut is told in part.
    days: DayRange,
    /// How long each piece is; at most 1000 pieces.
    #[graphql(default_with = "Interval::Day")]
    interval: Interval,
    /// The time zone in which days and hours are meant.
    #[graphql(default_with = "TimeZone(Tz::UTC)")]
    time_zone: TimeZone,
}

impl StatisticsRange {
    pub(super) fn pieces(&self) -> Result<Pieces> {
        let (since, until) = self.days.ordered()?;
        Ok(Pieces { since, until, interval: Length::from(self.interval), zone: self.time_zone.0 })
    }
}

/// Figures over time in one currency. Leads count when they came in, sales when they were sold, money when it was booked.
#[derive(Debug, SimpleObject)]
pub(crate) struct Statistics {
    /// The currency, ISO 4217.
    currency: String,
    /// All pieces together.
    total: StatisticsFigures,
    /// Every piece of the range, oldest first, with zeros where nothing happened.
    points: Vec<StatisticsPoint>,
}

/// The figures of one piece of time.
#[derive(Debug, SimpleObject)]
pub(crate) struct StatisticsPoint {
    /// Its first moment.
    start: Timestamp,
    /// The first moment behind it.
    end: Timestamp,
    /// What came of it.
    figures: StatisticsFigures,
}

/// What came of some time.
#[derive(Debug)]
pub(crate) struct StatisticsFigures {
    figures: Figures,
    currency: Arc<str>,
}

impl StatisticsFigures {
    fn money(&self, amount_minor: i64) -> Result<Money> {
        money(amount_minor, &self.currency)
    }
}

/// What came of a span of time: how many leads and sales, and the money they moved.
#[Object]
impl StatisticsFigures {
    /// Leads that came in; of buyers and contracts, leads that were bought.
    fn leads(&self) -> i32 {
        int(self.figures.leads)
    }

    /// Those of them that were sold, once or several times, by now.
    fn sold_leads(&self) -> i32 {
        int(self.figures.sold_leads)
    }

    /// Sales that stand; a shared lead has several.
    fn sales(&self) -> i32 {
        int(self.figures.sales)
    }

    /// What sales earned (what a buyer was charged), from the ledger.
    fn revenue(&self) -> Result<Money> {
        self.money(self.figures.revenue_minor)
    }

    /// What was credited back to buyers, from the ledger.
    fn credits(&self) -> Result<Money> {
        self.money(self.figures.credits_minor)
    }

    /// What suppliers earned, less what was taken back, from the ledger.
    fn payout(&self) -> Result<Money> {
        self.money(self.figures.payout_minor)
    }

    /// Revenue less credits and payout. Ad spend belongs to days and stands in `profitAndLoss`.
    fn profit(&self) -> Result<Money> {
        self.money(self.figures.profit_minor())
    }

    /// The price of these sales on average, rounded; absent without sales.
    fn average_price(&self) -> Result<Option<Money>> {
        self.figures.average_price_minor().map(|price| self.money(price)).transpose()
    }

    /// How many of these sales were complained about by now, however it was decided.
    fn complaints(&self) -> i32 {
        int(self.figures.complained)
    }

    /// The same as a share of these sales, 0 to 1; absent without sales.
    fn complaint_rate(&self) -> Option<f64> {
        self.figures.complaint_rate()
    }
}

impl From<&Series> for Statistics {
    fn from(series: &Series) -> Self {
        let currency: Arc<str> = series.currency.as_str().into();
        let told = |figures: &Figures| StatisticsFigures { figures: *figures, currency: Arc::clone(&currency) };
        let point = |((start, end), figures): &(Span, Figures)| StatisticsPoint {
            start: *start,
            end: *end,
            figures: told(figures),
        };
        Self {
            currency: series.currency.clone(),
            total: told(&series.total),
            points: series.points.iter().map(point).collect(),
        }
    }
}

/// The statistics of something, one for each of its currencies; those of all its siblings are read together.
pub(super) async fn all(
    ctx: &Context<'_>,
    (of, id): (SeriesOf, Uuid),
    currencies: Vec<String>,
    range: &StatisticsRange,
) -> Result<Vec<Statistics>> {
    let key = SeriesBy { of, id, currencies, pieces: range.pieces()? };
    let found = loader(ctx)?.load_one(key).await?.unwrap_or_default();
    Ok(found.iter().map(Statistics::from).collect())
}

/// The statistics of something with one currency.
pub(super) async fn one(
    ctx: &Context<'_>,
    of: (SeriesOf, Uuid),
    currency: String,
    range: &StatisticsRange,
) -> Result<Statistics> {
    let mut found = all(ctx, of, vec![currency], range).await?;
    found.pop().ok_or_else(|| internal("statistics were not read"))
}
