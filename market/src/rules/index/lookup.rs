//! From a lead's value to the contracts that ask for it.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use chrono::NaiveDate;
use leadyard_types::{FieldValue, Schedule, SourceId};
use regex::Regex;
use rust_decimal::Decimal;

use super::super::facts::LeadFacts;
use super::super::leaf::{self, Bounds, Leaf, consent_age_seconds};
use super::super::postal::compact_chars;
use super::super::schedule::is_open;
use super::super::text::{fold, fold_into};
use super::bits::{Posting, Segments};
use super::circles::{Circles, Point};

/// What a condition is about. Conditions about the same subject can stand in for each other (`any`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject<'a> {
    Field(&'a str),
    Place,
    Source,
    Score,
    ConsentAge,
    Time,
}

/// What the condition is about.
pub(super) fn subject(leaf: &Leaf) -> Subject<'_> {
    match leaf {
        Leaf::OneOf { field, .. }
        | Leaf::Range { field, .. }
        | Leaf::Matches { field, .. }
        | Leaf::Exists { field } => Subject::Field(field),
        Leaf::PostalCodes(_)
        | Leaf::PostalPrefixes(_)
        | Leaf::PostalRange { .. }
        | Leaf::States(_)
        | Leaf::Countries(_)
        | Leaf::Radius { .. } => Subject::Place,
        Leaf::Sources(_) => Subject::Source,
        Leaf::Score { .. } => Subject::Score,
        Leaf::ConsentAge { .. } => Subject::ConsentAge,
        Leaf::Time(_) => Subject::Time,
    }
}

/// Contracts by a value. Shared between copies; the map of a shared one is copied when it changes, not the sets in it.
#[derive(Debug, Clone)]
struct ByValue<K>(Arc<HashMap<K, Posting>>);

impl<K> Default for ByValue<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Hash + Eq + Clone> ByValue<K> {
    fn change<Q: Hash + Eq + ?Sized>(&mut self, key: K, position: u32, insert: bool)
    where
        K: std::borrow::Borrow<Q>,
    {
        if insert {
            Arc::make_mut(&mut self.0).entry(key).or_default().insert(position);
        } else if self.0.get(key.borrow()).is_some_and(|posting| posting.contains(position)) {
            let own = Arc::make_mut(&mut self.0);
            if let Some(posting) = own.get_mut(key.borrow()) {
                posting.remove(position);
                if posting.is_empty() {
                    own.remove(key.borrow());
                }
            }
        }
    }

    fn add_to<Q: Hash + Eq + ?Sized>(&self, key: &Q, words: &mut [u64])
    where
        K: std::borrow::Borrow<Q>,
    {
        if let Some(posting) = self.0.get(key) {
            posting.add_to(words);
        }
    }
}

/// The most different patterns, or hours, that are asked for every lead; further ones are asked contract by contract.
const ASKED_MAX: usize = 32;

/// Contracts by a condition that must be asked, each different one once: a pattern, or hours.
#[derive(Debug, Clone)]
struct ByAsking<T>(Arc<Vec<(T, Posting)>>);

impl<T> Default for ByAsking<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> ByAsking<T> {
    fn has_room(&self, conditions: usize) -> bool {
        self.0.len() + conditions <= ASKED_MAX
    }

    fn insert(&mut self, asked: &T, is_same: impl Fn(&T) -> bool, position: u32) {
        let known = self.0.iter().position(|(own, _)| is_same(own));
        let own = Arc::make_mut(&mut self.0);
        let at = known.unwrap_or_else(|| {
            own.push((asked.clone(), Posting::default()));
            own.len() - 1
        });
        own[at].1.insert(position);
    }

    fn remove(&mut self, position: u32) {
        if self.0.iter().any(|(_, posting)| posting.contains(position)) {
            let own = Arc::make_mut(&mut self.0);
            own.iter_mut().for_each(|(_, posting)| posting.remove(position));
            own.retain(|(_, posting)| !posting.is_empty());
        }
    }

    fn add_to(&self, holds: impl Fn(&T) -> bool, words: &mut [u64]) {
        self.0.iter().filter(|(asked, _)| holds(asked)).for_each(|(_, posting)| posting.add_to(words));
    }
}

/// What a lead's place, source, score and consent are looked up by; made once per lead.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// The postal code's letters and digits, and the same lower-cased.
    code: Option<(String, String)>,
    state: Option<String>,
    country: String,
    point: Option<Point>,
    source_id: Option<SourceId>,
    score: Option<Decimal>,
    consent_age_seconds: Option<Decimal>,
    /// Room for a field's text, lower-cased.
    text: String,
}

impl Probe {
    pub(super) fn read(&mut self, facts: &LeadFacts) {
        self.code = facts.postal_code.as_deref().map(|code| {
            let code: String = compact_chars(code).collect();
            let folded = fold(&code);
            (code, folded)
        });
        self.state = facts.state.as_deref().map(fold);
        self.country.clear();
        fold_into(&facts.country, &mut self.country);
        self.point = facts.centre.map(Point::new);
        self.source_id = Some(facts.source_id);
        self.score = facts.score.map(Decimal::from);
        self.consent_age_seconds = consent_age_seconds(facts).map(Decimal::from);
    }
}

/// Contracts by the values of one subject. Only what the subject has is filled.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookup {
    /// A field's texts, lower-cased.
    texts: ByValue<Arc<str>>,
    /// Those that ask only whether a field is given.
    given: Posting,
    patterns: ByAsking<Regex>,
    hours: ByAsking<Schedule>,
    numbers: Segments<Decimal>,
    dates: Segments<NaiveDate>,
    codes: ByValue<Arc<str>>,
    prefixes: ByValue<Arc<str>>,
    /// Bit `n`: there are prefixes of `n` characters.
    prefix_lengths: u32,
    /// Ranges of codes by the codes' length.
    code_ranges: BTreeMap<usize, Segments<String>>,
    states: ByValue<Arc<str>>,
    countries: ByValue<Arc<str>>,
    circles: Circles,
    sources: ByValue<SourceId>,
}

impl Lookup {
    /// Whether there is room for these conditions; only ranges, patterns and hours are bounded.
    pub(super) fn has_room(&self, leaves: &[&Leaf]) -> bool {
        let count = leaves.len();
        leaves.iter().all(|leaf| match leaf {
            Leaf::Range { bounds: Bounds::Date { .. }, .. } => self.dates.has_room(count),
            Leaf::Range { .. } | Leaf::Score { .. } | Leaf::ConsentAge { .. } => self.numbers.has_room(count),
            Leaf::PostalRange { from, .. } => {
                self.code_ranges.get(&from.len()).is_none_or(|segments| segments.has_room(count))
            }
            Leaf::Matches { .. } => self.patterns.has_room(count),
            Leaf::Time(_) => self.hours.has_room(count),
            _ => true,
        })
    }

    pub(super) fn insert(&mut self, leaf: &Leaf, position: u32) {
        match leaf {
            Leaf::Range { bounds: Bounds::Number { min, max }, .. } => {
                self.numbers.insert(min.as_ref(), max.as_ref(), position)
            }
            Leaf::Range { bounds: Bounds::Date { min, max }, .. } => {
                self.dates.insert(min.as_ref(), max.as_ref(), position)
            }
            Leaf::Score { min, max } => {
                let (min, max) = (min.map(Decimal::from), max.map(Decimal::from));
                self.numbers.insert(min.as_ref(), max.as_ref(), position);
            }
            Leaf::ConsentAge { max_hours } => {
                self.numbers.insert(None, Some(&Decimal::from(i64::from(*max_hours) * 3600)), position);
            }
            Leaf::PostalRange { from, to } => {
                self.code_ranges.entry(from.len()).or_default().insert(Some(from), Some(to), position);
            }
            Leaf::Exists { .. } => self.given.insert(position),
            Leaf::Matches { pattern, .. } => {
                self.patterns.insert(pattern, |own| own.as_str() == pattern.as_str(), position);
            }
            Leaf::Time(schedule) => self.hours.insert(schedule, |own| own == schedule, position),
            // A centre that is not known holds nothing.
            Leaf::Radius { km, centre, .. } => {
                if let Some(centre) = centre {
                    self.circles.insert(*centre, *km, position);
                }
            }
            other => self.change_values(other, position, true),
        }
    }

    /// Takes a condition of a position out; one that is not there changes nothing.
    pub(super) fn remove(&mut self, leaf: &Leaf, position: u32) {
        match leaf {
            Leaf::Range { bounds: Bounds::Date { .. }, .. } => self.dates.remove(position),
            Leaf::Range { .. } | Leaf::Score { .. } | Leaf::ConsentAge { .. } => self.numbers.remove(position),
            Leaf::PostalRange { from, .. } => {
                if let Some(segments) = self.code_ranges.get_mut(&from.len()) {
                    segments.remove(position);
                }
            }
            Leaf::Exists { .. } => self.given.remove(position),
            Leaf::Matches { .. } => self.patterns.remove(position),
            Leaf::Time(_) => self.hours.remove(position),
            Leaf::Radius { km, centre: Some(centre), .. } => self.circles.remove(*centre, *km, position),
            other => self.change_values(other, position, false),
        }
    }

    /// The conditions that list values.
    fn change_values(&mut self, leaf: &Leaf, position: u32, insert: bool) {
        let change = |map: &mut ByValue<Arc<str>>, texts: &leaf::Texts| {
            texts.folded().for_each(|text| map.change::<str>(text.into(), position, insert));
        };
        match leaf {
            Leaf::OneOf { values, .. } => change(&mut self.texts, values),
            Leaf::PostalCodes(codes) => change(&mut self.codes, codes),
            Leaf::States(states) => change(&mut self.states, states),
            Leaf::Countries(countries) => change(&mut self.countries, countries),
            Leaf::PostalPrefixes(prefixes) => {
                for prefix in prefixes {
                    self.prefixes.change::<str>(prefix.as_str().into(), position, insert);
                    self.prefix_lengths |= 1 << prefix.len().min(31);
                }
            }
            Leaf::Sources(sources) => sources.iter().for_each(|source| self.sources.change(*source, position, insert)),
            _ => {}
        }
    }

    /// Adds the contracts whose condition the lead meets.
    pub(super) fn add_to(&self, subject: Subject<'_>, facts: &LeadFacts, probe: &mut Probe, words: &mut [u64]) {
        match subject {
            Subject::Field(key) => {
                if let Some(value) = facts.get(key) {
                    self.add_field(value, &mut probe.text, words);
                }
            }
            Subject::Place => self.add_place(probe, words),
            Subject::Source => probe.source_id.iter().for_each(|source| self.sources.add_to(source, words)),
            Subject::Score => probe.score.iter().for_each(|score| self.numbers.add_to(score, words)),
            Subject::Time => self.hours.add_to(|schedule| is_open(schedule, facts.received_at), words),
            Subject::ConsentAge => probe.consent_age_seconds.iter().for_each(|age| self.numbers.add_to(age, words)),
        }
    }

    fn add_field(&self, value: &FieldValue, text: &mut String, words: &mut [u64]) {
        self.given.add_to(words);
        if !self.patterns.0.is_empty() {
            let value = value.to_text();
            self.patterns.add_to(|pattern| pattern.is_match(&value), words);
        }
        if !self.texts.0.is_empty() {
            text.clear();
            fold_into(&value.to_text(), text);
            self.texts.add_to(text.as_str(), words);
        }
        if let Some(number) = (!self.numbers.is_empty()).then(|| leaf::number(value)).flatten() {
            self.numbers.add_to(&number, words);
        }
        if let Some(date) = (!self.dates.is_empty()).then(|| leaf::date(value)).flatten() {
            self.dates.add_to(&date, words);
        }
    }

    fn add_place(&self, probe: &Probe, words: &mut [u64]) {
        self.countries.add_to(probe.country.as_str(), words);
        if let Some(state) = &probe.state {
            self.states.add_to(state.as_str(), words);
        }
        if let Some(point) = &probe.point {
            self.circles.add_to(point, words);
        }
        let Some((code, folded)) = &probe.code else { return };
        self.codes.add_to(folded.as_str(), words);
        if let Some(segments) = self.code_ranges.get(&code.len()) {
            segments.add_to(code.as_str(), words);
        }
        for length in (1..=code.len().min(31)).filter(|length| self.prefix_lengths >> length & 1 == 1) {
            // Prefixes are ASCII; where a code is not, there is none to cut.
            if let Some(prefix) = code.get(..length) {
                self.prefixes.add_to(prefix, words);
            }
        }
    }
}
