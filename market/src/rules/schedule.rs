//! Schedules: weekly windows on the wall clock of their own time zone (domain page, section 3).
//!
//! A window is open while the wall clock shows a time within it. So on the day clocks go back, a window over the
//! doubled hour is open twice; on the day they go forward, a window inside the skipped hour does not open.

use chrono::{Datelike, TimeDelta, Timelike};
use leadyard_types::terms::Window;
use leadyard_types::{FieldProblem, Schedule, Timestamp};

use super::zone::clock_change;

/// Minutes of a day.
const DAY_MINUTES: u16 = 1440;
/// Seconds of a week on the wall clock.
const WEEK_SECONDS: i64 = 7 * 86_400;
/// The most windows of a schedule: one for each half hour of the week. More is a mistake, and a cost on every lead.
pub const WINDOWS_MAX: usize = 336;

/// Whether the window is one at all; one that is not never opens.
fn is_valid(window: &Window) -> bool {
    window.from_minute < window.to_minute && window.to_minute <= DAY_MINUTES
}

/// Whether the schedule is open at a moment.
#[must_use]
pub fn is_open(schedule: &Schedule, at: Timestamp) -> bool {
    let local = at.with_timezone(&schedule.time_zone);
    let (weekday, minute) = (local.weekday(), local.hour() * 60 + local.minute());
    schedule.windows.iter().any(|window| {
        window.weekday == weekday
            && is_valid(window)
            && (u32::from(window.from_minute)..u32::from(window.to_minute)).contains(&minute)
    })
}

/// The first moment at or after `after` at which the schedule is open: `after` itself if it is open then. `None` if it
/// never opens again.
#[must_use]
pub fn next_opening(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    // Each round ends at an opening or at a change of clocks; two weeks with a change in each do not exist.
    const ROUNDS_MAX: usize = 8;
    let mut at = after;
    for _ in 0..ROUNDS_MAX {
        if is_open(schedule, at) {
            return Some(at);
        }
        let opening = next_start_on_the_wall(schedule, at)?;
        match clock_change(at, opening, schedule.time_zone) {
            // Clocks change on the way, so that window may open at another moment: look again from the change.
            Some(change) => at = change,
            None => return Some(opening),
        }
    }
    None
}

/// The first moment at or after `after` at which all of some schedules are open. `None` if there is none within three
/// weeks: weekly windows that never overlap then never do.
#[must_use]
pub fn next_opening_of_all(schedules: &[&Schedule], after: Timestamp) -> Option<Timestamp> {
    let last = after.checked_add_signed(TimeDelta::weeks(3))?;
    let mut at = after;
    while at <= last {
        // Each waits for the latest of the others.
        let latest = schedules.iter().try_fold(at, |at, schedule| next_opening(schedule, at))?;
        if latest == at {
            return Some(at);
        }
        at = latest;
    }
    None
}

/// When the next window begins, if the clocks do not change until then. `at` lies outside every window.
fn next_start_on_the_wall(schedule: &Schedule, at: Timestamp) -> Option<Timestamp> {
    let local = at.with_timezone(&schedule.time_zone);
    let now = i64::from(local.weekday().num_days_from_monday()) * 86_400 + i64::from(local.num_seconds_from_midnight());
    let wait = |window: &Window| {
        let start = i64::from(window.weekday.num_days_from_monday()) * 86_400 + i64::from(window.from_minute) * 60;
        (start - now - 1).rem_euclid(WEEK_SECONDS) + 1
    };
    let seconds = schedule.windows.iter().filter(|window| is_valid(window)).map(wait).min()?;
    let whole = at - TimeDelta::nanoseconds(i64::from(at.nanosecond() % 1_000_000_000));
    whole.checked_add_signed(TimeDelta::seconds(seconds))
}

/// What is wrong with a schedule, each problem with the path of its window.
#[must_use]
pub fn check_schedule(schedule: &Schedule) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if schedule.windows.len() > WINDOWS_MAX {
        problems.push(FieldProblem::new("windows", "TOO_MANY", format!("at most {WINDOWS_MAX} windows are taken")));
    }
    for (position, window) in schedule.windows.iter().enumerate().take(WINDOWS_MAX) {
        if !is_valid(window) {
            problems.push(FieldProblem::new(
                format!("windows.{position}"),
                "INVALID_WINDOW",
                "from_minute must be less than to_minute, and to_minute at most 1440; a window over midnight is two windows",
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Weekday;
    use chrono_tz::Tz;
    use proptest::prelude::*;

    fn utc(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(zone: Tz, windows: &[(Weekday, u16, u16)]) -> Schedule {
        let windows =
            windows.iter().map(|&(weekday, from_minute, to_minute)| Window { weekday, from_minute, to_minute });
        Schedule { time_zone: zone, windows: windows.collect() }
    }

    /// `from` is included, `to` is not; several windows a day; local weekdays.
    #[test]
    fn windows_are_half_open_and_local() {
        let hours = schedule(Tz::Europe__Berlin, &[(Weekday::Mon, 540, 720), (Weekday::Mon, 780, 1440)]);
        for (at, open) in [
            ("2026-07-06T06:59:59Z", false),
            ("2026-07-06T07:00:00Z", true),
            ("2026-07-06T09:59:59Z", true),
            ("2026-07-06T10:00:00Z", false),
            ("2026-07-06T11:00:00Z", true),
            ("2026-07-06T21:59:59Z", true),
            ("2026-07-06T22:00:00Z", false),
        ] {
            assert_eq!(is_open(&hours, utc(at)), open, "{at}");
        }
        assert!(!is_open(&schedule(Tz::UTC, &[]), utc("2026-07-06T07:00:00Z")));
        assert_eq!(next_opening(&schedule(Tz::UTC, &[]), utc("2026-07-06T07:00:00Z")), None);
    }

    /// The next opening is on the same day, over the weekend, or now.
    #[test]
    fn the_next_opening_is_found() {
        let hours = schedule(Tz::Europe__Berlin, &[(Weekday::Mon, 540, 720), (Weekday::Fri, 540, 720)]);
        let next = |at: &str| next_opening(&hours, utc(at));
        assert_eq!(next("2026-07-06T05:00:00.5Z"), Some(utc("2026-07-06T07:00:00Z")));
        assert_eq!(next("2026-07-06T08:00:00Z"), Some(utc("2026-07-06T08:00:00Z")));
        assert_eq!(next("2026-07-06T10:00:00Z"), Some(utc("2026-07-10T07:00:00Z")));
        assert_eq!(next("2026-07-10T10:00:00Z"), Some(utc("2026-07-13T07:00:00Z")));
        let one_minute = schedule(Tz::UTC, &[(Weekday::Mon, 0, 1)]);
        assert_eq!(next_opening(&one_minute, utc("2026-07-06T00:01:00Z")), Some(utc("2026-07-13T00:00:00Z")));
    }

    /// Spring: a window inside the skipped hour does not open that day; one that begins in it opens when clocks jump.
    #[test]
    fn a_skipped_hour_is_right() {
        let inside = schedule(Tz::Europe__Berlin, &[(Weekday::Sun, 135, 165)]);
        assert_eq!(next_opening(&inside, utc("2026-03-29T00:00:00Z")), Some(utc("2026-04-05T00:15:00Z")));
        let across = schedule(Tz::Europe__Berlin, &[(Weekday::Sun, 150, 240)]);
        assert_eq!(next_opening(&across, utc("2026-03-29T00:00:00Z")), Some(utc("2026-03-29T01:00:00Z")));
        let later = schedule(Tz::Europe__Berlin, &[(Weekday::Sun, 540, 600)]);
        assert_eq!(next_opening(&later, utc("2026-03-28T12:00:00Z")), Some(utc("2026-03-29T07:00:00Z")));
    }

    /// Autumn: a window over the doubled hour is open twice.
    #[test]
    fn a_doubled_hour_is_right() {
        let hours = schedule(Tz::Europe__Berlin, &[(Weekday::Sun, 120, 150)]);
        let next = |at: &str| next_opening(&hours, utc(at));
        assert_eq!(next("2026-10-24T22:00:00Z"), Some(utc("2026-10-25T00:00:00Z")));
        assert_eq!(next("2026-10-25T00:30:00Z"), Some(utc("2026-10-25T01:00:00Z")));
        assert_eq!(next("2026-10-25T01:30:00Z"), Some(utc("2026-11-01T01:00:00Z")));
    }

    /// A window that cannot open is named, by its place.
    #[test]
    fn bad_windows_are_named() {
        let bad = schedule(Tz::UTC, &[(Weekday::Mon, 540, 720), (Weekday::Mon, 720, 540), (Weekday::Tue, 0, 1441)]);
        let fields: Vec<_> = check_schedule(&bad).into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["windows.1", "windows.2"]);
        assert!(!is_open(&bad, utc("2026-07-07T12:00:00Z")));
    }

    /// Two schedules open together where their windows overlap, and never where they do not.
    #[test]
    fn schedules_open_together() {
        let agreed = schedule(Tz::Europe__Berlin, &[(Weekday::Mon, 540, 720), (Weekday::Fri, 540, 720)]);
        let own = schedule(Tz::UTC, &[(Weekday::Mon, 0, 420), (Weekday::Fri, 480, 500)]);
        let after = utc("2026-07-06T04:00:00Z");
        assert_eq!(next_opening_of_all(&[&agreed, &own], after), Some(utc("2026-07-10T08:00:00Z")));
        assert_eq!(next_opening_of_all(&[&agreed], after), next_opening(&agreed, after));
        let never = schedule(Tz::UTC, &[(Weekday::Tue, 0, 1440)]);
        assert_eq!(next_opening_of_all(&[&agreed, &never], after), None);
        assert_eq!(next_opening_of_all(&[], after), Some(after));
    }

    const ZONES: &[Tz] =
        &[Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::Asia__Kolkata, Tz::Asia__Beirut];

    proptest! {
        /// The next opening is open, not before, and no earlier minute is open (against looking at every minute).
        #[test]
        fn the_next_opening_equals_a_walk_minute_by_minute(
            zone in 0..ZONES.len(), day in 0u16..7, from in 0u16..1439, length in 1u16..300, start in 0i64..525_600,
        ) {
            let weekday = Weekday::try_from(u8::try_from(day).unwrap()).unwrap();
            let hours = schedule(ZONES[zone], &[(weekday, from, (from + length).min(1440))]);
            let after = utc("2026-01-01T00:00:00Z") + TimeDelta::minutes(start);
            let walked = (0..16 * 1440).map(|minute| after + TimeDelta::minutes(minute)).find(|at| is_open(&hours, *at));
            prop_assert_eq!(next_opening(&hours, after), walked);
        }
    }
}
