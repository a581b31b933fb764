//! What terms of several nouns have in common: caps, schedules, price rules.

use async_graphql::{Enum, InputObject, OneofObject, SimpleObject};
use leadyard_types::terms::Window as WindowTerms;
use leadyard_types::{
    Cap as CapTerms, Currency, FieldProblem, Margin as MarginTerms, Money as Amount, PriceRule as RuleTerms,
    Schedule as ScheduleTerms,
};
use serde_json::json;

use super::super::scalars::{MinorUnits, Money, TimeZone};
use super::super::words::CapPeriod;
use super::condition::{Condition, ConditionInput};
use super::int;
use super::setup::reading::percent;

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

/// A limit per period. One of count and amount, or both.
#[derive(Debug, InputObject)]
pub(crate) struct CapInput {
    /// The period, in the owner's time zone: a buyer's or contract's is the buyer's, a campaign's or source's the campaign's.
    period: CapPeriod,
    /// The most sales in the period, for a source the most accepted leads; `0` means closed.
    count: Option<i32>,
    /// The most money in the period, in minor units; `0` means closed.
    amount_minor: Option<MinorUnits>,
}

impl CapInput {
    /// The caps as the market knows them; a list at `path`.
    pub(crate) fn all(caps: Vec<Self>, path: &str) -> Result<Vec<CapTerms>, FieldProblem> {
        let read = |(place, cap): (usize, Self)| {
            let negative =
                |_| FieldProblem::new(format!("{path}.{place}.count"), "OUT_OF_RANGE", "0 or more is expected");
            let count = cap.count.map(u32::try_from).transpose().map_err(negative)?;
            Ok(CapTerms { period: cap.period.into(), count, amount_minor: cap.amount_minor.map(|amount| amount.0) })
        };
        caps.into_iter().enumerate().map(read).collect()
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
    /// The time zone the windows are read in.
    time_zone: TimeZone,
    /// The windows; none at all means never.
    windows: Vec<Window>,
}

/// One weekly window of a schedule.
#[derive(Debug, InputObject)]
pub(crate) struct WindowInput {
    /// The day of the week, local.
    weekday: Weekday,
    /// When it opens, local time: `09:00`.
    from: String,
    /// When it closes, local time; `24:00` reaches midnight.
    to: String,
}

/// Weekly hours in a time zone of their own.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleInput {
    /// The time zone the windows are read in.
    time_zone: TimeZone,
    /// The windows; several per day are fine.
    windows: Vec<WindowInput>,
}

impl ScheduleInput {
    /// The hours as the market knows them, or the first thing that no hours can be.
    pub(crate) fn read(self, path: &str) -> Result<ScheduleTerms, FieldProblem> {
        let wrong = |field: String, message| FieldProblem::new(field, "FORMAT", message);
        let window = |(place, window): (usize, WindowInput)| {
            let minute = |name: &str, text: &str| {
                let message = "a time from 00:00 to 24:00 is expected";
                minute(text).ok_or_else(|| wrong(format!("{path}.windows.{place}.{name}"), message))
            };
            Ok(WindowTerms {
                weekday: window.weekday.into(),
                from_minute: minute("from", &window.from)?,
                to_minute: minute("to", &window.to)?,
            })
        };
        Ok(ScheduleTerms {
            time_zone: self.time_zone.0,
            windows: self.windows.into_iter().enumerate().map(window).collect::<Result<_, _>>()?,
        })
    }
}

/// `09:30` as minutes after midnight.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
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
        Self { time_zone: TimeZone(terms.time_zone), windows: windows.collect() }
    }
}

impl From<Weekday> for chrono::Weekday {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

impl Schedule {
    /// As [`ScheduleInput`] is sent.
    pub(super) fn written(&self) -> serde_json::Value {
        let window = |window: &Window| {
            let weekday = format!("{:?}", window.weekday).to_uppercase();
            json!({ "weekday": weekday, "from": window.from, "to": window.to })
        };
        json!({ "timeZone": self.time_zone.0.name(), "windows": self.windows.iter().map(window).collect::<Vec<_>>() })
    }
}

/// An exception from a price; of several that match, the last holds.
#[derive(Debug, SimpleObject)]
pub(crate) struct PriceRule {
    /// What people call the rule; explanations show it.
    name: String,
    /// When it holds.
    when: Condition,
    /// The price where the rule matches.
    price: Money,
}

impl PriceRule {
    pub(super) fn all(rules: &[RuleTerms], currency: Currency) -> Vec<Self> {
        let rule = |rule: &RuleTerms| Self {
            name: rule.name.clone(),
            when: Condition(rule.when.clone()),
            price: Money(Amount::new(rule.price_minor, currency)),
        };
        rules.iter().map(rule).collect()
    }
}

/// An exception from a price; of several that match, the last holds.
#[derive(Debug, InputObject)]
pub(crate) struct PriceRuleInput {
    /// What people call the rule; explanations show it.
    name: String,
    /// When it holds.
    when: ConditionInput,
    /// The price then, in minor units.
    price_minor: MinorUnits,
}

impl PriceRuleInput {
    pub(crate) fn read(self, path: &str) -> Result<RuleTerms, FieldProblem> {
        let when = self.when.read(&format!("{path}.when"))?;
        Ok(RuleTerms { name: self.name, when, price_minor: self.price_minor.0 })
    }
}

/// What the operator keeps of a price when a supplier is quoted: one of these.
#[derive(Debug, SimpleObject)]
pub(crate) struct Margin {
    /// A share of the price in percent, as an exact decimal: `12.5`.
    percent: Option<String>,
    /// A fixed amount.
    amount: Option<Money>,
}

impl Margin {
    pub(crate) fn of(margin: MarginTerms, currency: Currency) -> Self {
        match margin {
            MarginTerms::Percent { percent } => Self { percent: Some(percent.0.normalize().to_string()), amount: None },
            MarginTerms::Amount { amount_minor } => {
                Self { percent: None, amount: Some(Money(Amount::new(amount_minor, currency))) }
            }
        }
    }
}

/// What the operator keeps of a price when a supplier is quoted: exactly one of these.
#[derive(Debug, OneofObject)]
pub(crate) enum MarginInput {
    /// A share of the price, 0 to less than 100 percent, as a decimal: `"12.5"`.
    Percent(String),
    /// A fixed amount in minor units.
    AmountMinor(MinorUnits),
}

impl MarginInput {
    pub(crate) fn read(self, path: &str) -> Result<MarginTerms, FieldProblem> {
        Ok(match self {
            Self::Percent(share) => MarginTerms::Percent { percent: percent(share, &format!("{path}.percent"))? },
            Self::AmountMinor(amount) => MarginTerms::Amount { amount_minor: amount.0 },
        })
    }
}
