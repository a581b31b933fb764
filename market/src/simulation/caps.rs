//! The sales log of one owner of caps, as far as a later bucket can ask for it.

use std::collections::{BTreeMap, HashMap};

use chrono::Duration;
use leadyard_entity::placement::CounterUse;
use leadyard_types::{CapPeriod, Timestamp};

use crate::rules::cap::Bucket;

/// The longest bucket that ends is a month of 31 days; a change of time zone moves it by a day at most.
const KEPT_DAYS: i64 = 34;

/// What one owner of caps sold. Memory does not grow with history: all that is older than the longest bucket is a sum.
#[derive(Debug, Default)]
pub(super) struct CapLog {
    total: CounterUse,
    recent: BTreeMap<Timestamp, CounterUse>,
    /// Buckets that were asked for, kept current until they end.
    known: HashMap<Bucket, CounterUse>,
}

impl CapLog {
    pub(super) fn add(&mut self, at: Timestamp, amount_minor: i64) {
        self.change(at, 1, amount_minor);
        self.known.retain(|bucket, _| at < bucket.ends_at);
        let old = at - Duration::days(KEPT_DAYS);
        while let Some(first) = self.recent.first_entry().filter(|first| *first.key() < old) {
            first.remove();
        }
    }

    pub(super) fn remove(&mut self, at: Timestamp, amount_minor: i64) {
        self.change(at, -1, -amount_minor);
    }

    fn change(&mut self, at: Timestamp, count: i64, amount_minor: i64) {
        let holds = |bucket: &Bucket| bucket.starts_at <= at && at < bucket.ends_at;
        let known = self.known.iter_mut().filter(|(bucket, _)| holds(bucket)).map(|(_, used)| used);
        for used in known.chain([&mut self.total, self.recent.entry(at).or_default()]) {
            used.count += count;
            used.amount_minor += amount_minor;
        }
    }

    /// What is in a bucket of this moment.
    pub(super) fn used(&mut self, bucket: Bucket) -> CounterUse {
        if bucket.period == CapPeriod::Total {
            return self.total;
        }
        *self.known.entry(bucket).or_insert_with(|| {
            let mut sum = CounterUse::default();
            for used in self.recent.range(bucket.starts_at..bucket.ends_at).map(|(_, used)| used) {
                sum.count += used.count;
                sum.amount_minor += used.amount_minor;
            }
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cap::bucket_of;
    use chrono::DateTime;
    use chrono_tz::Tz;
    use proptest::prelude::*;

    proptest! {
        /// A bucket holds what the whole log says it holds, whatever was sold, given back and asked before (`decisions` 17).
        #[test]
        fn a_bucket_holds_what_the_log_says(
            steps in prop::collection::vec((0i64..6_000, 1i64..500, 0usize..5, any::<bool>(), any::<bool>()), 1..120),
        ) {
            let (mut log, mut all): (CapLog, Vec<(Timestamp, i64)>) = (CapLog::default(), Vec::new());
            let mut now = DateTime::from_timestamp(1_772_000_000, 0).unwrap();
            for (minutes, price, period, frees, berlin) in steps {
                now += Duration::minutes(minutes);
                log.add(now, price);
                all.push((now, price));
                if frees {
                    let (at, price) = all.remove(all.len() / 2);
                    log.remove(at, price);
                }
                let zone = if berlin { Tz::Europe__Berlin } else { Tz::Pacific__Apia };
                let bucket = bucket_of(CapPeriod::ALL[period], now, zone);
                let inside = || all.iter().filter(|(at, _)| bucket.starts_at <= *at && *at < bucket.ends_at);
                let used = log.used(bucket);
                prop_assert_eq!(used.count, i64::try_from(inside().count()).unwrap());
                prop_assert_eq!(used.amount_minor, inside().map(|(_, price)| price).sum::<i64>());
            }
        }
    }
}
