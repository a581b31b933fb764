//! Injected time and ids: decisions are functions of their inputs, so that any of them can be replayed exactly.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, Datelike, Duration, SubsecRound, Utc};
use uuid::Uuid;

/// A moment in UTC, whole microseconds (what both databases keep).
pub type Timestamp = DateTime<Utc>;

/// The first moment that both databases keep and compare alike: SQLite's are texts with years of four digits.
pub const EARLIEST: Timestamp = moment(-62_135_596_800, Timestamp::MIN_UTC);
/// The last one.
pub const LATEST: Timestamp = moment(253_402_300_799, Timestamp::MAX_UTC);

const fn moment(seconds: i64, otherwise: Timestamp) -> Timestamp {
    match DateTime::from_timestamp(seconds, 0) {
        Some(moment) => moment,
        None => otherwise,
    }
}

/// So much before a moment; the first there is, where that would be earlier still. Whatever a setting says, it ends no
/// process.
#[must_use]
pub fn before(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_sub_signed(by).unwrap_or(EARLIEST).clamp(EARLIEST, LATEST)
}

/// So much after a moment; the last there is, where that would be later still.
#[must_use]
pub fn after(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_add_signed(by).unwrap_or(LATEST).clamp(EARLIEST, LATEST)
}

/// The years that both databases hold, and sort alike.
pub const YEARS: std::ops::RangeInclusive<i32> = 1..=9_999;

/// Whether both databases hold a moment, and sort it alike.
#[must_use]
pub fn is_storable(moment: Timestamp) -> bool {
    YEARS.contains(&moment.year())
}

/// Where the time comes from. Only [`SystemClock`] reads the machine's clock.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present moment, truncated to microseconds.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn now(&self) -> Timestamp {
        Utc::now().trunc_subsecs(6)
    }
}

/// A clock that moves only when told to: the demo's and the tests'.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.timestamp_micros()))
    }

    /// Moves the clock forward (or back, for tests of clock jumps).
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
    }

    /// Sets the clock to a moment, unless it is past it already.
    pub fn advance_to(&self, moment: Timestamp) {
        self.0.fetch_max(moment.timestamp_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

/// Where new ids come from.
pub trait Ids: Send + Sync + std::fmt::Debug {
    /// A new id, never given before.
    fn uuid(&self) -> Uuid;
}

/// Time-ordered random ids (UUID version 7), so that indexes grow at their end.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    #[allow(clippy::disallowed_methods, reason = "the one place where random ids are made")]
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Ids from a seed: the same seed gives the same ids in the same order. For the demo and the tests.
#[derive(Debug)]
pub struct SeededIds {
    state: AtomicU64,
    count: Mutex<u64>,
}

impl SeededIds {
    /// A sequence that starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed), count: Mutex::new(0) }
    }

    /// The next 64 bits of the sequence (SplitMix64, Steele, Lea and Flood 2014).
    fn bits(&self) -> u64 {
        let mut z = self.state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Ids for SeededIds {
    fn uuid(&self) -> Uuid {
        // The counter leads, so that seeded ids sort in the order they were given, as version 7 ids do.
        let mut count = self.count.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *count += 1;
        let high = *count;
        let low = self.bits();
        uuid::Builder::from_u128((u128::from(high) << 80) | (u128::from(self.bits() >> 52) << 64) | u128::from(low))
            .with_version(uuid::Version::SortRand)
            .with_variant(uuid::Variant::RFC4122)
            .into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No span of time that a setting can say leaves what the databases keep, and ordinary ones are exact.
    #[test]
    fn no_span_leaves_what_is_kept() {
        let noon: Timestamp = "2026-07-06T12:00:00Z".parse().unwrap();
        for days in [96_500_000, i64::from(u32::MAX), Duration::MAX.num_days()] {
            let span = Duration::days(days);
            assert_eq!((before(noon, span), after(noon, span)), (EARLIEST, LATEST));
            assert_eq!((before(LATEST, span), after(EARLIEST, span)), (EARLIEST, LATEST));
        }
        assert_eq!(
            (EARLIEST.to_rfc3339(), LATEST.to_rfc3339()),
            ("0001-01-01T00:00:00+00:00".into(), "9999-12-31T23:59:59+00:00".into())
        );
        let month = Duration::days(31);
        assert_eq!((before(noon, month), after(noon, month)), (noon - month, noon + month));
    }

    /// The same seed gives the same ids, ascending; another seed gives others.
    #[test]
    fn seeded_ids_repeat_and_ascend() {
        let (a, b, c) = (SeededIds::new(7), SeededIds::new(7), SeededIds::new(8));
        let first: Vec<_> = (0..1000).map(|_| a.uuid()).collect();
        let second: Vec<_> = (0..1000).map(|_| b.uuid()).collect();
        assert_eq!(first, second);
        assert!(first.windows(2).all(|pair| pair[0] < pair[1]));
        assert_ne!(first[0], c.uuid());
    }
}
