//! Whether a difference between two groups could be chance.
//!
//! The formulas are those of the NIST/SEMATECH e-Handbook of Statistical Methods: section 7.2.4.1 for the interval of a
//! proportion (Wilson, 1927), 7.3.3 for two proportions, 7.3.1 for two means whose deviations differ. All take numbers
//! large enough for the normal distribution; where they are not, nothing is said.

/// Half the width, in standard deviations, within which 95 of 100 normal values lie.
const NORMAL_95: f64 = 1.959_964;
/// So many of either outcome make the normal distribution fit a proportion (e-Handbook, 7.3.3).
const EACH_MIN: f64 = 5.0;
/// So many values make the normal distribution fit their mean.
const VALUES_MIN: i64 = 30;
/// A difference that chance alone makes less often than this is called real.
pub const RARE: f64 = 0.05;

/// So many of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proportion {
    /// How many there are.
    pub of: i64,
    /// How many of them count.
    pub got: i64,
}

/// The sums of some values: how many, their sum, the sum of their squares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// How many values.
    pub count: i64,
    /// Their sum.
    pub sum: i64,
    /// The sum of their squares.
    pub squares: i128,
}

#[allow(clippy::cast_precision_loss, reason = "statistics: fifteen digits are far more than they tell")]
fn real(number: i64) -> f64 {
    number as f64
}

impl Proportion {
    /// The share, 0 to 1; `None` of nothing.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| real(self.got) / real(self.of))
    }

    /// Wilson's interval: between which shares the true one lies in 95 of 100 such samples.
    #[must_use]
    pub fn interval(self) -> Option<(f64, f64)> {
        let (share, count) = (self.share()?, real(self.of));
        let square = NORMAL_95 * NORMAL_95;
        let centre = share + square / (2.0 * count);
        let half = NORMAL_95 * (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
        let whole = 1.0 + square / count;
        Some((((centre - half) / whole).max(0.0), ((centre + half) / whole).min(1.0)))
    }
}

/// How often chance alone makes two proportions differ at least so much; `None` where there are too few to tell.
#[must_use]
pub fn of_proportions(a: Proportion, b: Proportion) -> Option<f64> {
    let enough = |part: Proportion| real(part.got) >= EACH_MIN && real(part.of - part.got) >= EACH_MIN;
    if !enough(a) || !enough(b) {
        return None;
    }
    let pooled = real(a.got + b.got) / real(a.of + b.of);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / real(a.of) + 1.0 / real(b.of))).sqrt();
    Some(both_tails((a.share()? - b.share()?) / deviation))
}

/// How often chance alone makes two means differ at least so much; `None` where there are too few values to tell.
#[must_use]
pub fn of_means(a: Sums, b: Sums) -> Option<f64> {
    if a.count < VALUES_MIN || b.count < VALUES_MIN {
        return None;
    }
    let deviation = (a.variance()? / real(a.count) + b.variance()? / real(b.count)).sqrt();
    let difference = real(a.sum) / real(a.count) - real(b.sum) / real(b.count);
    if deviation == 0.0 {
        // Values that never vary: their means are the same, or differ for certain.
        return Some(if difference == 0.0 { 1.0 } else { 0.0 });
    }
    Some(both_tails(difference / deviation))
}

impl Sums {
    /// The variance of the values, estimated from this sample. The subtraction is exact.
    #[allow(clippy::cast_precision_loss, reason = "statistics: fifteen digits are far more than they tell")]
    fn variance(self) -> Option<f64> {
        let count = i128::from(self.count);
        let spread = (count * self.squares).checked_sub(i128::from(self.sum).checked_mul(i128::from(self.sum))?)?;
        Some(spread.max(0) as f64 / (real(self.count) * real(self.count - 1)))
    }
}

/// How much of the normal distribution lies at least so many standard deviations off the middle, on either side.
fn both_tails(deviations: f64) -> f64 {
    // Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: wrong by less than 1.5e-7.
    let x = deviations.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let polynomial = series.iter().fold(0.0, |sum, factor| sum * t + factor) * t;
    (polynomial * (-x * x).exp()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 0.000_5
    }

    /// The tails of the normal distribution, as every table has them.
    #[test]
    fn the_normal_distribution_is_right() {
        for (deviations, tails) in [(0.0, 1.0), (1.0, 0.317_311), (1.959_964, 0.05), (-2.575_829, 0.01), (6.0, 0.0)] {
            assert!((both_tails(deviations) - tails).abs() < 1e-6, "{deviations}");
        }
    }

    /// The e-Handbook's own figures: 30 of 300 against 48 of 300 differ by 2.19 standard deviations… worked by hand.
    #[test]
    fn proportions_are_compared() {
        let (a, b) = (Proportion { of: 300, got: 30 }, Proportion { of: 300, got: 48 });
        // z = 0.06 / sqrt(0.13 × 0.87 × 2 / 300) = 2.185.
        assert!(close(of_proportions(a, b).unwrap(), 0.028_9), "{:?}", of_proportions(a, b));
        assert_eq!(of_proportions(Proportion { of: 300, got: 4 }, b), None);
        assert_eq!(of_proportions(Proportion { of: 0, got: 0 }, b), None);
    }

    /// Wilson's interval of 8 in 10, as published: 0.490 to 0.943.
    #[test]
    fn intervals_are_wilsons() {
        let (low, high) = Proportion { of: 10, got: 8 }.interval().unwrap();
        assert!(close(low, 0.490_2) && close(high, 0.943_3), "{low} {high}");
        assert_eq!(Proportion { of: 0, got: 0 }.interval(), None);
        assert_eq!(Proportion { of: 50, got: 0 }.interval().unwrap().0, 0.0);
    }

    /// Two means: 50 values of 10 ± 2 and of 11 ± 2 differ by 2.5 deviations of their difference.
    #[test]
    fn means_are_compared() {
        let of = |values: &[i64]| Sums {
            count: i64::try_from(values.len()).unwrap(),
            sum: values.iter().sum(),
            squares: values.iter().map(|value| i128::from(*value) * i128::from(*value)).sum(),
        };
        let around =
            |middle: i64| -> Vec<i64> { (0..50).map(|place| middle + if place % 2 == 0 { 2 } else { -2 }).collect() };
        let p = of_means(of(&around(10)), of(&around(11))).unwrap();
        // The deviation is sqrt(2 × (200 / 49) / 50) = 0.404, so z = 2.475.
        assert!(close(p, 0.013_3), "{p}");
        assert_eq!(of_means(of(&[5; 40]), of(&[5; 40])), Some(1.0));
        assert_eq!(of_means(of(&[5; 40]), of(&[6; 40])), Some(0.0));
        assert_eq!(of_means(of(&[5; 20]), of(&[6; 40])), None);
    }

    proptest! {
        /// Which group comes first makes no difference, p is a probability, and the interval holds the share.
        #[test]
        fn comparing_is_symmetrical(of_a in 1i64..5_000, of_b in 1i64..5_000, a in 0.0..1.0, b in 0.0..1.0) {
            let part = |of: i64, share: f64| {
                let got = (0..=of).rev().find(|got| real(*got) <= share * real(of)).unwrap();
                Proportion { of, got }
            };
            let (a, b) = (part(of_a, a), part(of_b, b));
            prop_assert_eq!(of_proportions(a, b), of_proportions(b, a));
            prop_assert!(of_proportions(a, b).is_none_or(|p| (0.0..=1.0).contains(&p)));
            let (low, high) = a.interval().unwrap();
            prop_assert!(low <= a.share().unwrap() + 1e-12 && a.share().unwrap() <= high + 1e-12);
        }
    }
}
