//! The single conditions of a filter, compiled: what each wants, what it sees, and whether the two agree.

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::NaiveDate;
use leadyard_types::{FieldValue, Schedule, SourceId, Timestamp};
use regex::Regex;
use rust_decimal::Decimal;

use super::distance;
use super::facts::{Centre, LeadFacts};
use super::postal::compact_chars;
use super::schedule::is_open;
use super::text::{fold, listed, same};

/// One condition. An absent value never matches.
#[derive(Debug, Clone)]
pub(crate) enum Leaf {
    OneOf {
        field: String,
        values: Texts,
    },
    Range {
        field: String,
        bounds: Bounds,
    },
    Matches {
        field: String,
        pattern: Regex,
    },
    Exists {
        field: String,
    },
    /// Codes as [`compact_chars`] has them.
    PostalCodes(Texts),
    PostalPrefixes(Vec<String>),
    PostalRange {
        from: String,
        to: String,
    },
    States(Texts),
    Countries(Texts),
    Radius {
        postal_code: String,
        km: u32,
        centre: Option<Centre>,
    },
    ConsentAge {
        max_hours: u32,
    },
    /// In minutes.
    LeadAge {
        min: Option<i64>,
        max: Option<i64>,
    },
    Score {
        min: Option<i64>,
        max: Option<i64>,
    },
    Sources(HashSet<SourceId>),
    Time(Schedule),
}

/// A set of texts compared without regard to case.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    /// As written, for people.
    shown: Vec<String>,
    /// Lower-cased; filled only where looking them all through would take longer than hashing.
    folded: HashSet<String>,
}

impl Texts {
    /// Up to here every text is compared.
    const FEW: usize = 8;

    pub(crate) fn new(shown: Vec<String>) -> Self {
        let folded =
            if shown.len() > Self::FEW { shown.iter().map(|text| fold(text)).collect() } else { HashSet::new() };
        Self { shown, folded }
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        if self.folded.is_empty() {
            self.shown.iter().any(|own| same(own, text))
        } else {
            self.folded.contains(&fold(text))
        }
    }

    /// The texts as they were written.
    pub(crate) fn shown(&self) -> &[String] {
        &self.shown
    }

    /// The texts, lower-cased.
    pub(crate) fn folded(&self) -> impl Iterator<Item = String> + '_ {
        self.shown.iter().map(|text| fold(text))
    }
}

/// The bounds of a range, both included.
#[derive(Debug, Clone)]
pub(crate) enum Bounds {
    Number { min: Option<Decimal>, max: Option<Decimal> },
    Date { min: Option<NaiveDate>, max: Option<NaiveDate> },
}

impl Bounds {
    fn contain(&self, value: &FieldValue) -> bool {
        match self {
            Self::Number { min, max } => number(value).is_some_and(|value| within(&value, min, max)),
            Self::Date { min, max } => date(value).is_some_and(|value| within(&value, min, max)),
        }
    }
}

/// The value as a number, if it is one.
pub(crate) fn number(value: &FieldValue) -> Option<Decimal> {
    match value {
        FieldValue::Integer(number) => Some(Decimal::from(*number)),
        FieldValue::Text(text) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => text.parse().ok(),
        _ => None,
    }
}

/// The value as a date, if it is one.
pub(crate) fn date(value: &FieldValue) -> Option<NaiveDate> {
    match value {
        FieldValue::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn within<T: PartialOrd>(value: &T, min: &Option<T>, max: &Option<T>) -> bool {
    min.as_ref().is_none_or(|min| value >= min) && max.as_ref().is_none_or(|max| value <= max)
}

fn bounded<T: std::fmt::Display>(min: &Option<T>, max: &Option<T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("from {min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "given".to_owned(),
    }
}

/// The age of a consent when the lead came in, in whole seconds.
pub(crate) fn consent_age_seconds(facts: &LeadFacts) -> Option<i64> {
    let given_at: Timestamp = facts.consent.as_ref()?.given_at?;
    Some((facts.received_at - given_at).num_seconds())
}

impl Leaf {
    /// Whether the lead meets the condition.
    pub(crate) fn matches(&self, facts: &LeadFacts) -> bool {
        let code = || facts.postal_code.as_deref();
        match self {
            Self::OneOf { field, values } => facts.get(field).is_some_and(|value| values.contains(&value.to_text())),
            Self::Range { field, bounds } => facts.get(field).is_some_and(|value| bounds.contain(value)),
            Self::Matches { field, pattern } => {
                facts.get(field).is_some_and(|value| pattern.is_match(&value.to_text()))
            }
            Self::Exists { field } => facts.get(field).is_some(),
            Self::PostalCodes(codes) => code().is_some_and(|code| codes.contains(&compacted(code))),
            Self::PostalPrefixes(prefixes) => {
                code().is_some_and(|code| prefixes.iter().any(|prefix| begins_with(code, prefix)))
            }
            Self::PostalRange { from, to } => code().is_some_and(|code| {
                let code = compacted(code);
                code.len() == from.len() && (from.as_str()..=to.as_str()).contains(&&*code)
            }),
            Self::States(states) => facts.state.as_deref().is_some_and(|state| states.contains(state)),
            Self::Countries(countries) => countries.contains(&facts.country),
            Self::Radius { km, .. } => self.metres(facts).is_some_and(|metres| distance::is_within(metres, *km)),
            Self::ConsentAge { max_hours } => {
                consent_age_seconds(facts).is_some_and(|age| age <= i64::from(*max_hours) * 3600)
            }
            Self::LeadAge { min, max } => within(&facts.age_minutes, min, max),
            Self::Score { min, max } => facts.score.is_some_and(|score| within(&score, min, max)),
            Self::Sources(sources) => sources.contains(&facts.source_id),
            Self::Time(schedule) => is_open(schedule, facts.received_at),
        }
    }

    /// How far the lead lies from a radius' centre, if both are known.
    fn metres(&self, facts: &LeadFacts) -> Option<i64> {
        match self {
            Self::Radius { centre, .. } => Some(distance::metres((*centre)?, facts.centre?)),
            _ => None,
        }
    }

    /// What is looked at: the field's key, so that whoever shows the value can mask a personal one.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::OneOf { field, .. }
            | Self::Range { field, .. }
            | Self::Matches { field, .. }
            | Self::Exists { field } => field,
            Self::PostalCodes(_) | Self::PostalPrefixes(_) | Self::PostalRange { .. } => "postal code",
            Self::States(_) => "state",
            Self::Countries(_) => "country",
            Self::Radius { .. } => "distance",
            Self::ConsentAge { .. } => "consent age",
            Self::LeadAge { .. } => "lead age",
            Self::Score { .. } => "score",
            Self::Sources(_) => "source",
            Self::Time(_) => "received at",
        }
    }

    /// What is wanted, to follow `must be` or `must not be`.
    pub(crate) fn wanted(&self) -> String {
        match self {
            Self::OneOf { values, .. } | Self::PostalCodes(values) | Self::States(values) | Self::Countries(values) => {
                let one = if values.shown.len() == 1 { "" } else { "one of " };
                format!("{one}{}", listed(&values.shown))
            }
            Self::Range { bounds: Bounds::Number { min, max }, .. } => bounded(min, max),
            Self::Range { bounds: Bounds::Date { min, max }, .. } => bounded(min, max),
            Self::Matches { pattern, .. } => format!("text that matches {pattern}"),
            Self::Exists { .. } => "given".to_owned(),
            Self::PostalPrefixes(prefixes) => format!("a code that begins with {}", listed(prefixes)),
            Self::PostalRange { from, to } => format!("from {from} to {to}"),
            Self::Radius { postal_code, km, centre: Some(_) } => format!("at most {km} km from {postal_code}"),
            Self::Radius { postal_code, km, centre: None } => {
                format!("at most {km} km from {postal_code}, a postal code that is unknown here")
            }
            Self::ConsentAge { max_hours } => format!("at most {max_hours} hours"),
            Self::LeadAge { min, max } => {
                let hours = |minutes: &Option<i64>| minutes.map(|minutes| minutes / 60);
                format!("{} hours", bounded(&hours(min), &hours(max)))
            }
            Self::Score { min, max } => bounded(min, max),
            Self::Sources(sources) => {
                let mut sources: Vec<_> = sources.iter().collect();
                sources.sort();
                format!("one of {}", listed(sources))
            }
            Self::Time(schedule) => format!("within the weekly windows of {}", schedule.time_zone),
        }
    }

    /// What was seen.
    pub(crate) fn seen(&self, facts: &LeadFacts) -> String {
        let absent = || "not given".to_owned();
        match self {
            Self::OneOf { field, .. }
            | Self::Range { field, .. }
            | Self::Matches { field, .. }
            | Self::Exists { field } => facts.get(field).map_or_else(absent, ToString::to_string),
            Self::PostalCodes(_) | Self::PostalPrefixes(_) | Self::PostalRange { .. } => {
                facts.postal_code.clone().unwrap_or_else(absent)
            }
            Self::States(_) => facts.state.clone().unwrap_or_else(|| "not known".to_owned()),
            Self::Countries(_) => facts.country.clone(),
            Self::Radius { postal_code, centre, .. } => match (self.metres(facts), &facts.postal_code) {
                (Some(metres), _) => distance::shown(metres),
                (None, _) if centre.is_none() => {
                    format!("not known: postal code {postal_code} is not in the postal data")
                }
                (None, Some(_)) => "not known: the lead's postal code is not in the postal data".to_owned(),
                (None, None) => "not known: no postal code was given".to_owned(),
            },
            Self::ConsentAge { .. } => {
                consent_age_seconds(facts).map_or_else(absent, |seconds| format!("{} hours", seconds.div_euclid(3600)))
            }
            Self::LeadAge { .. } => format!("{} hours", facts.age_minutes.div_euclid(60)),
            Self::Score { .. } => facts.score.map_or_else(|| "none".to_owned(), |score| score.to_string()),
            Self::Sources(_) => facts.source_id.to_string(),
            Self::Time(schedule) => {
                facts.received_at.with_timezone(&schedule.time_zone).format("%a %F %R %Z").to_string()
            }
        }
    }
}

/// The code without blanks and hyphens; most have none.
fn compacted(code: &str) -> Cow<'_, str> {
    let is_compact = code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if is_compact { Cow::Borrowed(code) } else { Cow::Owned(compact_chars(code).collect()) }
}

fn begins_with(code: &str, prefix: &str) -> bool {
    let mut code = compact_chars(code);
    prefix.chars().all(|c| code.next() == Some(c))
}
