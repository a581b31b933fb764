//! What terms of several nouns have in common: caps, schedules, price rules.

use async_graphql::{Enum, SimpleObject};
use leadyard_types::{Cap as CapTerms, Currency, Money as Amount, PriceRule as RuleTerms, Schedule as ScheduleTerms};

use super::super::scalars::Money;
use super::super::words::CapPeriod;
use super::int;

/// A limit per period. It is never overshot, whatever runs at once.
#[derive(Debug, SimpleObject)]
pub(crate) struct Cap {
    /// The period, in the owner's time zone.
    period: CapPeriod,
    /// The most sales in the period; for a source, the most accepted leads. `0` means closed, absent means no limit.
    count: Option<i32>,
    /// The most money in the period. `0` means closed, absent means no limit.
    amount: Option<Money>,
}

impl Cap {
    pub(super) fn of(cap: &CapTerms, currency: Currency) -> Self {
        Self {
            period: cap.period.into(),
            count: cap.count.map(int),
            amount: cap.amount_minor.map(|amount| Money(Amount::new(amount, currency))),
        }
    }

    pub(super) fn all(caps: &[CapTerms], currency: Currency) -> Vec<Self> {
        caps.iter().map(|cap| Self::of(cap, currency)).collect()
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum Weekday {
    /// The first day of the week.
    Monday,
    /// The day after Monday.
    Tuesday,
    /// The middle of the week.
    Wednesday,
    /// The day before Friday.
    Thursday,
    /// The last working day.
    Friday,
    /// The first day of the weekend.
    Saturday,
    /// The last day of the week.
    Sunday,
}

/// One weekly window of a schedule.
#[derive(Debug, SimpleObject)]
pub(crate) struct Window {
    /// The day of the week, local.
    weekday: Weekday,
    /// When it opens, local time: `09:00`.
    from: String,
    /// When it closes, local time; `24:00` reaches midnight.
    to: String,
}

/// Weekly hours in a time zone of their own.
#[derive(Debug, SimpleObject)]
pub(crate) struct Schedule {
    /// The IANA time zone the windows are read in: `Europe/Berlin`.
    time_zone: String,
    /// The windows; none at all means never.
    windows: Vec<Window>,
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

impl From<&ScheduleTerms> for Schedule {
    fn from(terms: &ScheduleTerms) -> Self {
        use chrono::Weekday as Day;
        let weekday = |day| match day {
            Day::Mon => Weekday::Monday,
            Day::Tue => Weekday::Tuesday,
            Day::Wed => Weekday::Wednesday,
            Day::Thu => Weekday::Thursday,
            Day::Fri => Weekday::Friday,
            Day::Sat => Weekday::Saturday,
            Day::Sun => Weekday::Sunday,
        };
        let windows = terms.windows.iter().map(|window| Window {
            weekday: weekday(window.weekday),
            from: clock(window.from_minute),
            to: clock(window.to_minute),
        });
        Self { time_zone: terms.time_zone.to_string(), windows: windows.collect() }
    }
}

/// An exception from a price; of several that match, the last holds.
#[derive(Debug, SimpleObject)]
pub(crate) struct PriceRule {
    /// What people call the rule; explanations show it.
    name: String,
    /// The price where the rule matches.
    price: Money,
}

impl PriceRule {
    pub(super) fn all(rules: &[RuleTerms], currency: Currency) -> Vec<Self> {
        let rule =
            |rule: &RuleTerms| Self { name: rule.name.clone(), price: Money(Amount::new(rule.price_minor, currency)) };
        rules.iter().map(rule).collect()
    }
}
