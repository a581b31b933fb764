//! Local time: when days begin and clocks change, in any IANA time zone.

use chrono::{DateTime, Datelike, Days, NaiveDate, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use leadyard_types::Timestamp;
use leadyard_types::time::{after, before};

/// Seconds the zone's clocks are ahead of UTC at a moment.
fn offset_seconds(at: Timestamp, zone: Tz) -> i32 {
    at.with_timezone(&zone).offset().fix().local_minus_utc()
}

/// The moment within `(after, until]` at which the zone's clocks change, to the second. `None` if they do not.
/// The span must be short enough to hold one change at most (weeks).
pub(crate) fn clock_change(after: Timestamp, until: Timestamp, zone: Tz) -> Option<Timestamp> {
    let old = offset_seconds(after, zone);
    if until <= after || offset_seconds(until, zone) == old {
        return None;
    }
    let (mut low, mut high) = (after.timestamp(), until.timestamp());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if offset_seconds(DateTime::from_timestamp(middle, 0)?, zone) == old {
            low = middle;
        } else {
            high = middle;
        }
    }
    DateTime::from_timestamp(high, 0)
}

/// The first moment of a local day. Where clocks skip midnight it is the moment they do; where midnight comes twice,
/// the first.
pub(crate) fn day_start(date: NaiveDate, zone: Tz) -> Timestamp {
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    match zone.from_local_datetime(&midnight).earliest() {
        Some(start) => start.with_timezone(&Utc),
        None => {
            // Clocks jump over this midnight; the jump lies within a day of it, in whichever zone.
            let (before, after) =
                (before(midnight.and_utc(), TimeDelta::days(1)), after(midnight.and_utc(), TimeDelta::days(1)));
            clock_change(before, after, zone).unwrap_or(midnight.and_utc())
        }
    }
}

/// The day, or the first or last whose moments any database holds, in whichever zone: who asks for more days than there are
/// gets all there are.
pub(crate) fn storable_day(day: NaiveDate) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(2, 1, 1).unwrap_or_default();
    let last = NaiveDate::from_ymd_opt(9_998, 12, 30).unwrap_or_default();
    day.clamp(first, last)
}

/// So many days later; the last date there is, if that is none.
pub(crate) fn days_later(date: NaiveDate, days: u64) -> NaiveDate {
    date.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX)
}

/// The Monday of a date's week.
pub(crate) fn monday(date: NaiveDate) -> NaiveDate {
    date.checked_sub_days(Days::new(u64::from(date.weekday().num_days_from_monday()))).unwrap_or(NaiveDate::MIN)
}

/// The first of a date's month.
pub(crate) fn month_start(date: NaiveDate) -> NaiveDate {
    date.with_day(1).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Days begin at their first existing moment: skipped and doubled midnights.
    #[test]
    fn days_begin_at_their_first_existing_moment() {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(day_start(date("2026-07-01"), Tz::Europe__Berlin), utc("2026-06-30T22:00:00Z"));
        // Beirut skips midnight in spring, Havana doubles it in autumn, Apia skipped a whole day.
        assert_eq!(day_start(date("2022-03-27"), Tz::Asia__Beirut), utc("2022-03-26T22:00:00Z"));
        assert_eq!(day_start(date("2026-11-01"), Tz::America__Havana), utc("2026-11-01T04:00:00Z"));
        assert_eq!(day_start(date("2011-12-30"), Tz::Pacific__Apia), utc("2011-12-30T10:00:00Z"));
        assert_eq!(day_start(date("2011-12-31"), Tz::Pacific__Apia), utc("2011-12-30T10:00:00Z"));
    }

    /// The first and the last day there are begin too, in every zone.
    #[test]
    fn the_ends_of_the_calendar_are_days() {
        for zone in chrono_tz::TZ_VARIANTS {
            for date in [NaiveDate::MIN, NaiveDate::MAX, days_later(NaiveDate::MAX, 1), monday(NaiveDate::MIN)] {
                let _ = day_start(date, zone);
            }
        }
    }

    /// Days beyond what a database holds become the last it does, in every zone; others stay.
    #[test]
    fn days_beyond_the_databases_become_the_last() {
        for day in [NaiveDate::MIN, NaiveDate::MAX, NaiveDate::default()] {
            for zone in [Tz::Pacific__Kiritimati, Tz::Etc__GMTPlus12, Tz::UTC] {
                let end = day_start(days_later(storable_day(day), 1), zone);
                assert!(leadyard_types::time::is_storable(day_start(storable_day(day), zone)), "{day} {zone}");
                assert!(leadyard_types::time::is_storable(end), "{day} {zone}");
            }
        }
        assert_eq!(storable_day(NaiveDate::default()), NaiveDate::default());
    }

    /// The change of clocks is found to the second.
    #[test]
    fn clock_changes_are_found() {
        let (after, until) = (utc("2026-03-28T00:00:00Z"), utc("2026-03-30T00:00:00Z"));
        assert_eq!(clock_change(after, until, Tz::Europe__Berlin), Some(utc("2026-03-29T01:00:00Z")));
        assert_eq!(clock_change(after, until, Tz::UTC), None);
        assert_eq!(clock_change(until, after, Tz::Europe__Berlin), None);
    }
}
