//! Time cut into pieces for a plot: hours, days, weeks or months of a time zone, without a gap.

use chrono::{Months, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use leadyard_types::Timestamp;

use super::zone::{day_start, days_later, monday, month_start};

/// How long the pieces are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interval {
    /// Hours, counted from the start of each day.
    Hour,
    /// Days.
    Day,
    /// Weeks, from Monday.
    Week,
    /// Calendar months.
    Month,
}

/// A piece of time: its first moment, and the first moment behind it.
pub type Span = (Timestamp, Timestamp);

/// The pieces between two days, both included, that begin and end with these days: the first and the last week or month
/// may be a part of one. At most `most`: `None` where there are more.
#[must_use]
pub fn intervals(
    (since, until): (NaiveDate, NaiveDate),
    interval: Interval,
    zone: Tz,
    most: usize,
) -> Option<Vec<Span>> {
    let (mut spans, mut day) = (Vec::new(), since);
    while day <= until {
        let next = days_later(until, 1).min(match interval {
            Interval::Hour | Interval::Day => days_later(day, 1),
            Interval::Week => days_later(monday(day), 7),
            Interval::Month => month_start(day).checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX),
        });
        let (mut start, end) = (day_start(day, zone), day_start(next, zone));
        while interval == Interval::Hour && end - start > TimeDelta::hours(1) {
            spans.push((start, start + TimeDelta::hours(1)));
            start += TimeDelta::hours(1);
        }
        spans.push((start, end));
        if spans.len() > most {
            return None;
        }
        day = next;
    }
    Some(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// The pieces follow each other without a gap from the first day's start to the last day's end, in every zone and at
    /// every length; days that clocks shorten or lengthen have as many hours as they have.
    #[test]
    fn pieces_cover_the_days_without_a_gap() {
        for zone in ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu"] {
            let zone: Tz = zone.parse().unwrap();
            for interval in [Interval::Hour, Interval::Day, Interval::Week, Interval::Month] {
                for (since, until) in [("2018-10-20", "2018-11-10"), ("2026-03-29", "2026-03-29")] {
                    let spans = intervals((date(since), date(until)), interval, zone, 1_000).unwrap();
                    assert_eq!(spans[0].0, day_start(date(since), zone));
                    assert_eq!(spans[spans.len() - 1].1, day_start(days_later(date(until), 1), zone));
                    assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0), "{zone} {interval:?}");
                    assert!(spans.iter().all(|(start, end)| start < end));
                }
            }
        }
        let hours = |day: &str| {
            let berlin = chrono_tz::Europe::Berlin;
            intervals((date(day), date(day)), Interval::Hour, berlin, 100).unwrap().len()
        };
        assert_eq!((hours("2026-03-29"), hours("2026-03-28"), hours("2026-10-25")), (23, 24, 25));
    }

    /// Weeks begin on Mondays and months on the first; what the days cut off is not counted in.
    #[test]
    fn weeks_and_months_are_those_of_the_calendar() {
        let starts = |interval, since: &str, until: &str| -> Vec<String> {
            let spans = intervals((date(since), date(until)), interval, Tz::UTC, 100).unwrap();
            spans.iter().map(|(start, _)| start.date_naive().to_string()).collect()
        };
        assert_eq!(starts(Interval::Week, "2026-11-20", "2026-12-01"), ["2026-11-20", "2026-11-23", "2026-11-30"]);
        assert_eq!(starts(Interval::Month, "2026-11-20", "2027-01-01"), ["2026-11-20", "2026-12-01", "2027-01-01"]);
    }

    /// More pieces than wanted are refused before they are made: a range of a thousand years ends at once.
    #[test]
    fn too_many_pieces_are_refused() {
        let (since, until) = (date("2000-01-01"), date("9998-12-30"));
        assert_eq!(intervals((since, until), Interval::Hour, Tz::UTC, 1_000), None);
        let day = |until| intervals((since, date(until)), Interval::Day, Tz::UTC, 366).map(|spans| spans.len());
        assert_eq!((day("2000-12-31"), day("2001-01-01")), (Some(366), None));
    }
}
