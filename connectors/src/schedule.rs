//! When a delivery is tried again.

use std::time::Duration;

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// Pauses before each attempt, as Standard Webhooks recommends: quick at first for a hiccup, then over about 75 hours,
/// so that a receiver that broke on Friday evening still gets its leads on Monday. The first is "now".
pub const RETRY_SCHEDULE: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5),
    minutes(5),
    minutes(30),
    minutes(2 * 60),
    minutes(5 * 60),
    minutes(10 * 60),
    minutes(14 * 60),
    minutes(20 * 60),
    minutes(24 * 60),
];

/// A receiver may ask for patience, but not for ever: no longer than the schedule's own longest pause.
pub const RETRY_AFTER_MAX: Duration = minutes(24 * 60);

/// Up to a tenth is added to a pause, so that what failed together does not come back together.
const JITTER_PERCENT_MAX: u64 = 10;

/// How long to wait after the `attempt_number`-th attempt (1 = the first) before the next one; `None` when it was the
/// last. `retry_after` is what the receiver asked for: the pause is never shorter (up to [`RETRY_AFTER_MAX`]). `seed` is
/// any 64 bits; the same seed gives the same pause.
#[must_use]
pub fn next_attempt(attempt_number: u32, retry_after: Option<Duration>, seed: u64) -> Option<Duration> {
    let pause = *RETRY_SCHEDULE.get(usize::try_from(attempt_number.max(1)).ok()?)?;
    let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
    let base = pause.max(asked);
    Some(base + jitter(base, seed))
}

/// Between nothing and [`JITTER_PERCENT_MAX`] percent of a pause, spread evenly by a mixed seed (SplitMix64's finaliser:
/// neighbouring seeds, such as counters, give unrelated jitter).
fn jitter(base: Duration, seed: u64) -> Duration {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    let span_micros = u64::try_from(base.as_micros()).unwrap_or(u64::MAX) / 100 * JITTER_PERCENT_MAX;
    let part = (u128::from(mixed) * u128::from(span_micros)) >> 64;
    Duration::from_micros(u64::try_from(part).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ten attempts, about 75 hours, and then no more.
    #[test]
    fn ten_attempts_over_75_hours() {
        let total: Duration = RETRY_SCHEDULE.iter().sum();
        assert_eq!(total.as_secs() / 3600, 75);
        assert!((1..=9).all(|n| next_attempt(n, None, 1).is_some()));
        assert_eq!(next_attempt(10, None, 1), None);
        assert_eq!(next_attempt(10, Some(Duration::from_secs(1)), 1), None);
        assert_eq!(next_attempt(u32::MAX, None, 1), None);
        assert_eq!(next_attempt(0, None, 1), next_attempt(1, None, 1));
    }

    proptest! {
        /// A pause is the schedule's or what was asked for, whichever is longer, and at most a tenth more.
        #[test]
        fn pauses_stay_within_their_bounds(n in 1_u32..10, asked in proptest::option::of(0_u64..1_000_000), seed: u64) {
            let asked = asked.map(Duration::from_secs);
            let pause = next_attempt(n, asked, seed).unwrap();
            let base = RETRY_SCHEDULE[n as usize].max(asked.unwrap_or_default().min(RETRY_AFTER_MAX));
            prop_assert!(pause >= base && pause <= base + base / 10);
            prop_assert_eq!(Some(pause), next_attempt(n, asked, seed));
        }
    }

    /// Neighbouring seeds spread over the whole tenth.
    #[test]
    fn jitter_spreads() {
        let pauses: Vec<_> = (0..1_000).map(|seed| next_attempt(3, None, seed).unwrap().as_secs()).collect();
        let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(*least < 1_805 && *most > 1_970, "{least} {most}");
    }
}
