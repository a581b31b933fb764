//! Caps: how much fits into an hour, day, week, month or for ever (domain page, section 3; decisions 17).
//!
//! A cap counts from the sales themselves, so that editing it acts at once. Buckets are local: days and weeks begin at
//! local midnight (weeks on Monday), and the buckets of a period follow each other without gap or overlap even where
//! clocks change.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Timelike};
use chrono_tz::Tz;
use leadyard_types::decision::Seen;
use leadyard_types::{Cap, CapPeriod, Check, FieldProblem, Refusal, Timestamp};
use serde::{Deserialize, Serialize};

use super::zone::{clock_change, day_start, days_later, monday, month_start};

/// A span over which a cap counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bucket {
    /// The period it is one of.
    pub period: CapPeriod,
    /// Its first moment.
    pub starts_at: Timestamp,
    /// The first moment after it.
    pub ends_at: Timestamp,
}

/// The span of a cap without end: from 1970 to the year 9999, which both databases can hold.
fn for_ever() -> (Timestamp, Timestamp) {
    /// 9999-12-31T00:00:00Z, seconds since 1970.
    const LAST_SECOND: i64 = 253_402_214_400;
    (Timestamp::UNIX_EPOCH, DateTime::from_timestamp(LAST_SECOND, 0).unwrap_or(Timestamp::MAX_UTC))
}

/// The bucket a moment falls into, on the owner's wall clock.
#[must_use]
pub fn bucket_of(period: CapPeriod, at: Timestamp, tz: Tz) -> Bucket {
    let today = at.with_timezone(&tz).date_naive();
    let days = |first, last| (day_start(first, tz), day_start(last, tz));
    let (starts_at, ends_at) = match period {
        CapPeriod::Hour => hour_of(at, tz),
        CapPeriod::Day => days(today, days_later(today, 1)),
        CapPeriod::Week => days(monday(today), days_later(monday(today), 7)),
        CapPeriod::Month => days(month_start(today), month_start(days_later(month_start(today), 31))),
        CapPeriod::Total => for_ever(),
    };
    Bucket { period, starts_at, ends_at }
}

/// Buckets that were asked for before, so that thousands of caps of one moment are one look at the calendar.
#[derive(Debug, Default)]
pub struct Buckets(RefCell<HashMap<(CapPeriod, Tz), Bucket>>);

impl Buckets {
    /// [`bucket_of`], remembered: buckets do not overlap, so one that holds the moment is the moment's.
    pub fn of(&self, period: CapPeriod, at: Timestamp, tz: Tz) -> Bucket {
        let mut known = self.0.borrow_mut();
        let bucket = known.entry((period, tz)).or_insert_with(|| bucket_of(period, at, tz));
        if !(bucket.starts_at <= at && at < bucket.ends_at) {
            *bucket = bucket_of(period, at, tz);
        }
        *bucket
    }
}

/// The clock hour. A change of clocks within it ends it: the doubled hour of autumn is two buckets.
fn hour_of(at: Timestamp, tz: Tz) -> (Timestamp, Timestamp) {
    let local = at.with_timezone(&tz);
    let into = TimeDelta::seconds(i64::from(local.num_seconds_from_midnight() % 3600))
        + TimeDelta::nanoseconds(i64::from(local.nanosecond() % 1_000_000_000));
    let (start, end) = (at - into, at - into + TimeDelta::hours(1));
    // A change exactly at the end is the end anyway.
    (clock_change(start, at, tz).unwrap_or(start), clock_change(at, end, tz).unwrap_or(end))
}

/// A cap, the bucket that is counted, and what is in it already (committed and held).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapUse {
    /// The limit.
    pub cap: Cap,
    /// The bucket.
    pub bucket: Bucket,
    /// Sales in it (for a source: accepted leads).
    pub count: i64,
    /// Money in it, minor units.
    pub amount_minor: i64,
}

/// `None` if one more at this price fits; else what stands in the way: `("sold this day", "50 of 50")`. A limit of 0
/// is closed, whatever the price.
#[must_use]
pub fn fits(used: &CapUse, price_minor: i64) -> Option<Seen> {
    let span = match used.bucket.period {
        CapPeriod::Hour => "this hour",
        CapPeriod::Day => "this day",
        CapPeriod::Week => "this week",
        CapPeriod::Month => "this month",
        CapPeriod::Total => "in total",
    };
    if let Some(limit) = used.cap.count
        && used.count >= i64::from(limit)
    {
        return Some(Seen::new(format!("sold {span}"), format!("{} of {limit}", used.count)));
    }
    if let Some(limit) = used.cap.amount_minor
        && (limit == 0 || used.amount_minor.saturating_add(price_minor) > limit)
    {
        let value = format!("{} + {price_minor} of {limit} minor units", used.amount_minor);
        return Some(Seen::new(format!("money {span}"), value));
    }
    None
}

/// Check 8, caps: the first cap one more at this price does not fit. `owner` names whose caps they are, for the sentence:
/// `contract`, `buyer`, `source` or `campaign`.
#[must_use]
pub fn refusal(owner: &str, uses: &[CapUse], price_minor: i64) -> Option<Refusal> {
    let seen = uses.iter().find_map(|used| fits(used, price_minor))?;
    Some(Refusal::new(Check::Caps, format!("the {owner}'s cap is reached")).seeing(seen.name, seen.value))
}

/// What is wrong with a list of caps.
#[must_use]
pub fn check_caps(caps: &[Cap]) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    for (position, cap) in caps.iter().enumerate() {
        let mut problem = |code, message: String| {
            problems.push(FieldProblem::new(format!("caps.{position}"), code, message));
        };
        if caps.iter().take(position).any(|earlier| earlier.period == cap.period) {
            problem(
                "DUPLICATE",
                format!("there is one cap per period at most; put count and amount of {} together", cap.period),
            );
        }
        if cap.count.is_none() && cap.amount_minor.is_none() {
            problem("REQUIRED", "give a count, an amount_minor or both; no cap = leave the entry out".to_owned());
        }
        if cap.amount_minor.is_some_and(|amount| amount < 0) {
            problem("OUT_OF_RANGE", "amount_minor must be 0 (closed) or more".to_owned());
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utc(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn span(period: CapPeriod, at: &str, tz: Tz) -> (String, i64) {
        let bucket = bucket_of(period, utc(at), tz);
        (bucket.starts_at.format("%FT%RZ").to_string(), (bucket.ends_at - bucket.starts_at).num_minutes())
    }

    /// Days are local, of 23 and 25 hours when clocks change (domain page: caps).
    #[test]
    fn days_are_local_and_of_their_own_length() {
        let berlin = Tz::Europe__Berlin;
        assert_eq!(span(CapPeriod::Day, "2026-07-06T22:30:00Z", berlin), ("2026-07-06T22:00Z".into(), 24 * 60));
        assert_eq!(span(CapPeriod::Day, "2026-03-29T12:00:00Z", berlin), ("2026-03-28T23:00Z".into(), 23 * 60));
        assert_eq!(span(CapPeriod::Day, "2026-10-25T12:00:00Z", berlin), ("2026-10-24T22:00Z".into(), 25 * 60));
    }

    /// Weeks begin on Monday; months on the first, of any length.
    #[test]
    fn weeks_and_months_begin_where_people_say() {
        let berlin = Tz::Europe__Berlin;
        assert_eq!(span(CapPeriod::Week, "2026-07-12T21:59:00Z", berlin), ("2026-07-05T22:00Z".into(), 7 * 1440));
        assert_eq!(span(CapPeriod::Week, "2026-07-12T22:00:00Z", berlin), ("2026-07-12T22:00Z".into(), 7 * 1440));
        assert_eq!(span(CapPeriod::Month, "2026-02-28T12:00:00Z", berlin), ("2026-01-31T23:00Z".into(), 28 * 1440));
        assert_eq!(
            span(CapPeriod::Month, "2026-10-31T12:00:00Z", berlin),
            ("2026-09-30T22:00Z".into(), 31 * 1440 + 60)
        );
        assert_eq!(span(CapPeriod::Month, "2026-12-31T23:30:00Z", berlin).0, "2026-12-31T23:00Z");
    }

    /// The doubled hour of autumn is two buckets; zones off the full hour have their own clock hours.
    #[test]
    fn hours_are_clock_hours() {
        assert_eq!(span(CapPeriod::Hour, "2026-10-25T00:30:00Z", Tz::Europe__Berlin), ("2026-10-25T00:00Z".into(), 60));
        assert_eq!(span(CapPeriod::Hour, "2026-10-25T01:30:00Z", Tz::Europe__Berlin), ("2026-10-25T01:00Z".into(), 60));
        assert_eq!(span(CapPeriod::Hour, "2026-07-06T10:10:00Z", Tz::Asia__Kolkata), ("2026-07-06T09:30Z".into(), 60));
        // Lord Howe goes back by half an hour: 1:00–2:00, then 1:30–2:00 again.
        assert_eq!(
            span(CapPeriod::Hour, "2026-04-04T14:59:00Z", Tz::Australia__Lord_Howe),
            ("2026-04-04T14:00Z".into(), 60)
        );
        assert_eq!(
            span(CapPeriod::Hour, "2026-04-04T15:00:00Z", Tz::Australia__Lord_Howe),
            ("2026-04-04T15:00Z".into(), 30)
        );
    }

    /// Never overshot; 0 is closed, absent is no cap; money counts with the new price.
    #[test]
    fn what_does_not_fit_is_shown() {
        let used = |count_max, amount_max, count, amount_minor| CapUse {
            cap: Cap { period: CapPeriod::Day, count: count_max, amount_minor: amount_max },
            bucket: bucket_of(CapPeriod::Day, utc("2026-07-06T10:00:00Z"), Tz::UTC),
            count,
            amount_minor,
        };
        assert_eq!(fits(&used(Some(50), None, 49, 0), 100), None);
        assert_eq!(fits(&used(Some(50), None, 50, 0), 100), Some(Seen::new("sold this day", "50 of 50")));
        assert_eq!(fits(&used(None, Some(1000), 3, 900), 100), None);
        let seen = Seen::new("money this day", "900 + 101 of 1000 minor units");
        assert_eq!(fits(&used(None, Some(1000), 3, 900), 101), Some(seen));
        assert!(fits(&used(Some(0), None, 0, 0), 0).is_some());
        assert!(fits(&used(None, Some(0), 0, 0), 0).is_some());
        assert!(fits(&used(None, Some(i64::MAX), 0, i64::MAX), i64::MAX).is_none());
        assert_eq!(fits(&used(None, None, i64::MAX, i64::MAX), 1), None);
        let refused = refusal("buyer", &[used(Some(9), None, 1, 0), used(Some(1), None, 1, 0)], 5).unwrap();
        assert_eq!((refused.check, refused.seen[0].value.as_str()), (Check::Caps, "1 of 1"));
    }

    /// One cap per period, nothing negative, nothing empty.
    #[test]
    fn bad_caps_are_named() {
        let cap = |period, count, amount_minor| Cap { period, count, amount_minor };
        let caps = [
            cap(CapPeriod::Day, Some(1), None),
            cap(CapPeriod::Day, None, Some(5)),
            cap(CapPeriod::Week, None, None),
            cap(CapPeriod::Month, None, Some(-1)),
        ];
        let found: Vec<_> = check_caps(&caps).into_iter().map(|problem| (problem.field, problem.code)).collect();
        let wanted = [("caps.1", "DUPLICATE"), ("caps.2", "REQUIRED"), ("caps.3", "OUT_OF_RANGE")];
        assert_eq!(found, wanted.map(|(field, code)| (field.to_owned(), code.to_owned())));
        assert!(check_caps(&caps[..1]).is_empty());
    }

    const ZONES: &[Tz] = &[
        Tz::Europe__Berlin,
        Tz::America__New_York,
        Tz::Australia__Lord_Howe,
        Tz::Asia__Beirut,
        Tz::America__Havana,
        Tz::Asia__Kolkata,
        Tz::Africa__Casablanca,
        Tz::Pacific__Apia,
    ];

    proptest! {
        /// What is remembered is what would be found, whatever moments are asked for in whatever order.
        #[test]
        fn remembered_buckets_are_the_moments_own(
            asked in prop::collection::vec((0..ZONES.len(), 0..CapPeriod::ALL.len(), 0i64..200_000), 1..40),
        ) {
            let buckets = Buckets::default();
            for (zone, period, minute) in asked {
                let (zone, period) = (ZONES[zone], CapPeriod::ALL[period]);
                let at = DateTime::from_timestamp(1_774_000_000 + 60 * minute, 0).unwrap();
                prop_assert_eq!(buckets.of(period, at, zone), bucket_of(period, at, zone));
            }
        }

        /// Buckets hold their moment and follow each other without gap or overlap, in every zone.
        #[test]
        fn buckets_part_time_without_gap_or_overlap(
            zone in 0..ZONES.len(), period in 0..CapPeriod::ALL.len(), second in 1_300_000_000i64..1_900_000_000, micro in 0i64..1_000_000,
        ) {
            let (zone, period) = (ZONES[zone], CapPeriod::ALL[period]);
            let at = DateTime::from_timestamp(second, 0).unwrap() + TimeDelta::microseconds(micro);
            let bucket = bucket_of(period, at, zone);
            prop_assert!(bucket.starts_at <= at && at < bucket.ends_at);
            prop_assert_eq!(bucket_of(period, bucket.starts_at, zone), bucket);
            prop_assert_eq!(bucket_of(period, bucket.ends_at - TimeDelta::microseconds(1), zone), bucket);
            if period != CapPeriod::Total {
                prop_assert_eq!(bucket_of(period, bucket.ends_at, zone).starts_at, bucket.ends_at);
            }
        }
    }
}
