//! A country's postal codes in order, and which of them a condition is about.

use std::collections::BTreeMap;

use leadyard_types::{FieldValue, SourceId, Timestamp};
use uuid::Uuid;

use super::area::Area;
use crate::rules::distance::{self, EARTH_RADIUS_KM};
use crate::rules::facts::{Centre, LeadFacts, PostalPlace, state_of};
use crate::rules::filter::{CompiledFilter, Node};
use crate::rules::leaf::Leaf;
use crate::rules::postal::{PostalTable, canonical};

/// Room around a circle for the last bits of sines, in degrees: a kilometre.
const MARGIN_DEGREES: f64 = 0.01;

/// A postal code and where it lies.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    /// Letters and digits only.
    compact: String,
    /// As its country spells it.
    shown: String,
    state: Option<String>,
    centre: Centre,
}

/// The postal codes of one country as far as postal data knows them: the ground on which contracts meet.
#[derive(Debug)]
pub struct Ground {
    country: String,
    /// Ascending by their letters and digits.
    places: Vec<Place>,
    /// Places by their latitude, ascending.
    by_latitude: Vec<(f64, usize)>,
    states: BTreeMap<String, Area>,
    postal_field: Option<String>,
}

/// Where a filter matches: on every one of `could` it is not sure to refuse, on every one of `must` it is sure to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coverage {
    pub(super) could: Area,
    pub(super) must: Area,
}

impl Ground {
    /// The ground of a country. `postal_field` is the key of the field that holds leads' postal code, where there is
    /// exactly one: what a filter asks of that field is asked of the code.
    #[must_use]
    pub fn new(country: &str, postal: &PostalTable, postal_field: Option<&str>) -> Self {
        let place = |(compact, place): (String, PostalPlace)| Place {
            shown: canonical(country, &compact).unwrap_or_else(|| compact.clone()),
            state: state_of(country, &place),
            centre: place.centre,
            compact,
        };
        let mut places: Vec<Place> = postal.places_of(country).map(place).collect();
        places.sort_unstable_by(|a, b| a.compact.cmp(&b.compact));
        let mut by_latitude: Vec<_> = places.iter().map(|place| place.centre.latitude).zip(0..).collect();
        by_latitude.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut states: BTreeMap<String, Area> = BTreeMap::new();
        for (code, place) in places.iter().enumerate() {
            if let Some(state) = &place.state {
                states.entry(state.clone()).or_insert_with(|| Area::empty(places.len())).insert(code);
            }
        }
        let postal_field = postal_field.map(str::to_owned);
        Self { country: country.to_owned(), places, by_latitude, states, postal_field }
    }

    /// How many codes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The country, ISO 3166.
    #[must_use]
    pub fn country(&self) -> &str {
        &self.country
    }

    /// A code as its country spells it.
    pub(super) fn shown(&self, code: usize) -> &str {
        self.places.get(code).map_or("", |place| &place.shown)
    }

    /// A code's letters and digits.
    pub(super) fn compact(&self, code: usize) -> &str {
        self.places.get(code).map_or("", |place| &place.compact)
    }

    /// The state a code lies in, if it is known.
    pub(super) fn state(&self, code: usize) -> Option<&str> {
        self.places.get(code)?.state.as_deref()
    }

    pub(super) fn empty(&self) -> Area {
        Area::empty(self.places.len())
    }

    pub(super) fn full(&self) -> Area {
        Area::full(self.places.len())
    }

    /// The codes that a filter names one by one and that postal data does not know, as they were written, the first
    /// `most` of them; and how many there are.
    #[must_use]
    pub fn unknown_codes(&self, filter: &CompiledFilter, most: usize) -> (Vec<String>, usize) {
        let mut unknown = Vec::new();
        self.collect_unknown(filter.root(), &mut unknown);
        let count = unknown.len();
        unknown.truncate(most);
        (unknown, count)
    }

    fn collect_unknown(&self, node: &Node, unknown: &mut Vec<String>) {
        match node {
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| self.collect_unknown(part, unknown)),
            Node::Not(part) => self.collect_unknown(part, unknown),
            Node::Leaf(Leaf::PostalCodes(codes)) => {
                unknown.extend(codes.shown().iter().filter(|code| self.position(code).is_none()).cloned());
            }
            Node::Leaf(Leaf::Radius { postal_code, centre: None, .. }) => unknown.push(postal_code.clone()),
            Node::Leaf(_) => {}
        }
    }

    /// Where a code stands; `compact` is upper case.
    fn position(&self, compact: &str) -> Option<usize> {
        self.places.binary_search_by(|place| place.compact.as_str().cmp(compact)).ok()
    }

    /// Where a filter could match and where it must, everything but the place of a lead unknown. No filter takes all.
    ///
    /// A lead is taken to lie where its postal code does: in that state, and in this country.
    pub(super) fn coverage(&self, filter: Option<&CompiledFilter>) -> Coverage {
        match filter {
            Some(filter) => self.node(filter.root()),
            None => Coverage { could: self.full(), must: self.full() },
        }
    }

    /// A tree in three values: what holds of every part, of one part, of the opposite.
    fn node(&self, node: &Node) -> Coverage {
        match node {
            Node::All(parts) => {
                let all = Coverage { could: self.full(), must: self.full() };
                parts.iter().fold(all, |mut all, part| {
                    let part = self.node(part);
                    all.could.keep_only(&part.could);
                    all.must.keep_only(&part.must);
                    all
                })
            }
            Node::Any(parts) => {
                let none = Coverage { could: self.empty(), must: self.empty() };
                parts.iter().fold(none, |mut any, part| {
                    let part = self.node(part);
                    any.could.add(&part.could);
                    any.must.add(&part.must);
                    any
                })
            }
            Node::Not(part) => {
                let Coverage { could, must } = self.node(part);
                Coverage { could: self.full().without(&must), must: self.full().without(&could) }
            }
            Node::Leaf(leaf) => match self.leaf(leaf) {
                Some(area) => Coverage { could: area.clone(), must: area },
                None => Coverage { could: self.full(), must: self.empty() },
            },
        }
    }

    /// The codes that meet a condition; `None` if it is not about the place.
    fn leaf(&self, leaf: &Leaf) -> Option<Area> {
        let mut area = self.empty();
        match leaf {
            Leaf::PostalCodes(codes) => {
                let found = codes.shown().iter().filter_map(|code| self.position(&code.to_ascii_uppercase()));
                found.for_each(|code| area.insert(code));
            }
            Leaf::PostalPrefixes(prefixes) => prefixes.iter().for_each(|prefix| self.add_prefix(prefix, &mut area)),
            Leaf::PostalRange { from, to } => {
                let first = self.places.partition_point(|place| place.compact < *from);
                let within = self.places.iter().enumerate().skip(first).take_while(|(_, place)| place.compact <= *to);
                within.filter(|(_, place)| place.compact.len() == from.len()).for_each(|(code, _)| area.insert(code));
            }
            Leaf::States(wanted) => {
                let found = self.states.iter().filter(|(state, _)| wanted.contains(state));
                found.for_each(|(_, codes)| area.add(codes));
            }
            Leaf::Countries(countries) => {
                if countries.contains(&self.country) {
                    area = self.full();
                }
            }
            Leaf::Radius { km, centre, .. } => {
                if let Some(centre) = centre {
                    self.add_circle(*centre, *km, &mut area);
                }
            }
            Leaf::OneOf { field, .. }
            | Leaf::Range { field, .. }
            | Leaf::Matches { field, .. }
            | Leaf::Exists { field }
                if self.postal_field.as_ref() == Some(field) =>
            {
                self.add_asked(field, leaf, &mut area);
            }
            _ => return None,
        }
        Some(area)
    }

    fn add_prefix(&self, prefix: &str, area: &mut Area) {
        let first = self.places.partition_point(|place| place.compact.as_str() < prefix);
        let begins = |(_, place): &(usize, &Place)| place.compact.starts_with(prefix);
        self.places.iter().enumerate().skip(first).take_while(begins).for_each(|(code, _)| area.insert(code));
    }

    /// Measures what lies between the circle's parallels and meridians.
    fn add_circle(&self, centre: Centre, km: u32, area: &mut Area) {
        let angle = (f64::from(km) + 0.001) / EARTH_RADIUS_KM;
        let reach = angle.to_degrees() + MARGIN_DEGREES;
        let east = (angle.sin() / centre.latitude.to_radians().cos()).asin().to_degrees() + MARGIN_DEGREES;
        // A circle that holds a pole has no meridians to lie between.
        let holds_pole = centre.latitude.abs() + reach >= 90.0 || !east.is_finite();
        let first = self.by_latitude.partition_point(|(latitude, _)| *latitude < centre.latitude - reach);
        let strip = self.by_latitude.iter().skip(first);
        for (_, code) in strip.take_while(|(latitude, _)| *latitude <= centre.latitude + reach) {
            let Some(place) = self.places.get(*code) else { continue };
            let apart = (place.centre.longitude - centre.longitude).abs();
            let is_near = holds_pole || apart.min(360.0 - apart) <= east;
            if is_near && distance::is_within(distance::metres(centre, place.centre), km) {
                area.insert(*code);
            }
        }
    }

    /// Asks a condition about the field that holds the postal code of every code.
    fn add_asked(&self, field: &str, leaf: &Leaf, area: &mut Area) {
        let mut facts = LeadFacts {
            fields: leadyard_types::Fields::default(),
            country: self.country.clone(),
            postal_code: None,
            state: None,
            centre: None,
            consent: None,
            score: None,
            source_id: SourceId(Uuid::nil()),
            subid: None,
            received_at: Timestamp::UNIX_EPOCH,
            test: false,
        };
        for (code, place) in self.places.iter().enumerate() {
            facts.fields.insert(field.to_owned(), FieldValue::Text(place.shown.clone()));
            if leaf.matches(&facts) {
                area.insert(code);
            }
        }
    }
}
