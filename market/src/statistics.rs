//! What buyers, contracts, campaigns and sources brought, in figures that can be plotted.

use std::collections::HashMap;

use chrono::NaiveDate;
use chrono_tz::Tz;
use leadyard_entity::reports::{SeriesOf, SeriesRow};
use leadyard_entity::{Read, StoreError};
use uuid::Uuid;

pub use crate::rules::intervals::{Interval, Span, intervals};
use crate::rules::zone::storable_day;

/// The most points of one plot: more than a screen has room for.
pub const POINTS_MAX: usize = 1_000;
/// The most points of all the plots that are asked for together.
pub const POINTS_TOGETHER_MAX: usize = 20_000;

/// Which pieces of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pieces {
    /// The first day.
    pub since: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
    /// How long each is.
    pub interval: Interval,
    /// In whose time.
    pub zone: Tz,
}

impl Pieces {
    /// Every piece, in order: of the days that both databases hold.
    pub fn spans(&self) -> Result<Vec<Span>, StatisticsError> {
        let days = (storable_day(self.since), storable_day(self.until));
        intervals(days, self.interval, self.zone, POINTS_MAX).ok_or(StatisticsError::TooManyPoints)
    }
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// More than a plot has room for.
    #[error("a longer interval or a shorter range is expected: at most {POINTS_MAX} points")]
    TooManyPoints,
    /// More than are worked out together.
    #[error("a longer interval, a shorter range or fewer plots are expected: at most {POINTS_TOGETHER_MAX} points")]
    TooManyTogether,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of a piece of time, minor units of one currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Leads that came in; of who only buys, those it bought.
    pub leads: i64,
    /// Those of them that were sold, once or several times.
    pub sold_leads: i64,
    /// Sales that stand.
    pub sales: i64,
    /// Their prices together.
    pub prices_minor: i64,
    /// Those of them that were complained about, whenever.
    pub complained: i64,
    /// What sales earned, when it was booked.
    pub revenue_minor: i64,
    /// What was credited back, when it was booked.
    pub credits_minor: i64,
    /// What suppliers earned less what was taken back, when it was booked.
    pub payout_minor: i64,
}

impl Figures {
    fn add(&mut self, row: &SeriesRow) {
        self.leads += row.leads;
        self.sold_leads += row.sold_leads;
        self.sales += row.sales;
        self.prices_minor += row.prices_minor;
        self.complained += row.complained;
        self.revenue_minor += row.revenue_minor;
        self.credits_minor += row.credits_minor;
        self.payout_minor += row.payout_minor;
    }

    /// Revenue less credits and payout. Ad spend belongs to days, and is in the profit and loss.
    #[must_use]
    pub const fn profit_minor(&self) -> i64 {
        self.revenue_minor - self.credits_minor - self.payout_minor
    }

    /// The price of these sales on average, rounded to the nearest; `None` without sales.
    #[must_use]
    pub fn average_price_minor(&self) -> Option<i64> {
        (self.sales > 0).then(|| (2 * self.prices_minor + self.sales) / (2 * self.sales))
    }

    /// The share of these sales that were complained about, 0 to 1; `None` without sales.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a share for people; counts are far below 2^52")]
    pub fn complaint_rate(&self) -> Option<f64> {
        (self.sales > 0).then(|| self.complained as f64 / self.sales as f64)
    }
}

/// A plot: its figures by piece of time, in one currency, and those of all pieces together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The currency.
    pub currency: String,
    /// Every piece, in order, with zeros where nothing happened.
    pub points: Vec<(Span, Figures)>,
    /// All of them together.
    pub total: Figures,
}

/// The plots of things with the currencies they have: one for each currency of each, in its order. One statement
/// however many there are.
pub async fn series(
    read: &Read,
    of: SeriesOf,
    wanted: &HashMap<Uuid, Vec<String>>,
    pieces: Pieces,
) -> Result<HashMap<Uuid, Vec<Series>>, StatisticsError> {
    let spans = pieces.spans()?;
    if spans.len() * wanted.len() > POINTS_TOGETHER_MAX {
        return Err(StatisticsError::TooManyTogether);
    }
    let ids: Vec<Uuid> = wanted.keys().copied().collect();
    let mut rows: HashMap<Uuid, Vec<SeriesRow>> = HashMap::new();
    for row in read.series(of, &ids, &spans).await? {
        rows.entry(row.id).or_default().push(row);
    }
    let plots = |(id, currencies): (&Uuid, &Vec<String>)| {
        let rows = rows.get(id).map_or(&[][..], Vec::as_slice);
        (*id, currencies.iter().map(|currency| plot(currency, &spans, rows)).collect())
    };
    Ok(wanted.iter().map(plots).collect())
}

fn plot(currency: &str, spans: &[Span], rows: &[SeriesRow]) -> Series {
    let mut points: Vec<(Span, Figures)> = spans.iter().map(|span| (*span, Figures::default())).collect();
    let mut total = Figures::default();
    // What has no currency (leads that came in) is in the one currency of a campaign or source.
    for row in rows.iter().filter(|row| row.currency.as_deref().is_none_or(|own| own == currency)) {
        total.add(row);
        if let Some((_, figures)) = usize::try_from(row.place).ok().and_then(|place| points.get_mut(place)) {
            figures.add(row);
        }
    }
    Series { currency: currency.to_owned(), points, total }
}

#[cfg(test)]
mod tests {
    use leadyard_types::time::is_storable;

    use super::*;

    /// Whatever days are asked for, the pieces are of moments that both databases hold.
    #[test]
    fn pieces_are_of_days_that_are_held() {
        let far = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
        for (since, until) in [(-99_999, -99_999), (-99_999, 1), (9_999, 99_999), (99_999, 99_999)] {
            for interval in [Interval::Hour, Interval::Day, Interval::Week, Interval::Month] {
                let pieces = Pieces { since: far(since), until: far(until), interval, zone: Tz::Pacific__Kiritimati };
                let spans = pieces.spans().unwrap();
                let held = |(start, end): &Span| is_storable(*start) && is_storable(*end);
                assert!(!spans.is_empty() && spans.iter().all(held), "{since} {until} {interval:?}: {spans:?}");
            }
        }
    }
}
