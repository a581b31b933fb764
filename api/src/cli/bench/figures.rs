//! Medians with their spread, ratios, and goals.

use serde::Serialize;

/// The middle of several measurements, with the least and the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { median: rounded((lower + upper) / 2.0), low: rounded(low), high: rounded(high) })
    }
}

/// Three figures after the point: more is noise.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// A count, to calculate with.
#[allow(clippy::cast_precision_loss, reason = "figures for people to read")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

/// So many thousandths: of microseconds, milliseconds.
pub(super) fn thousandths(number: u64) -> f64 {
    float(number) / 1_000.0
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.median >= 100.0 { 0 } else { 2 };
        write!(f, "{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.low, self.high)
    }
}

/// The middle, the value below which 99 of 100 lie, the greatest.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Three {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Three {
    /// Of microseconds, in milliseconds; `None` of nothing.
    pub(super) fn of(values: &[u64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        sorted.first()?;
        let at = |percent| rounded(thousandths(percentile(&sorted, percent)));
        Some(Self { p50: at(50), p99: at(99), max: at(100) })
    }
}

impl std::fmt::Display for Three {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} / {:.2} / {:.2}", self.p50, self.p99, self.max)
    }
}

/// What is wanted of a ratio.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Target {
    pub(super) must: f64,
    pub(super) reach: f64,
    /// Whether less is better, as of times.
    pub(super) at_most: bool,
}

impl Target {
    /// `reached`, `enough` (what must be), or `missed`.
    pub(super) fn verdict(self, value: f64) -> &'static str {
        let meets = |bound: f64| if self.at_most { value <= bound } else { value >= bound };
        match (meets(self.reach), meets(self.must)) {
            (true, _) => "reached",
            (false, true) => "enough",
            (false, false) => "missed",
        }
    }
}

/// The value below which so many of a hundred lie.
pub(super) fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The median of an even number lies between the two in the middle; spread is least and greatest.
    #[test]
    fn a_spread_is_median_least_and_greatest() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, low: 1.0, high: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, low: 1.0, high: 4.0 }));
        assert_eq!(Spread::of([]), None);
    }

    /// More is better of rates, less of times.
    #[test]
    fn a_target_has_two_steps() {
        let rate = Target { must: 0.6, reach: 0.8, at_most: false };
        assert_eq!([0.59, 0.6, 0.8].map(|value| rate.verdict(value)), ["missed", "enough", "reached"]);
        let time = Target { must: 100.0, reach: 50.0, at_most: true };
        assert_eq!([101.0, 100.0, 50.0].map(|value| time.verdict(value)), ["missed", "enough", "reached"]);
    }

    /// Percentiles stay within the list.
    #[test]
    fn percentiles_stay_within() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!([0, 50, 99, 100].map(|percent| percentile(&values, percent)), [1, 101, 199, 200]);
        assert_eq!(percentile(&[], 50), 0);
    }
}
