//! Territories: where contracts could buy, before a lead comes in.
//!
//! A contract's area is every postal code on which its filter *could* match, whatever the lead's other fields say: the
//! tree is evaluated in three values, and a condition that is not about the place is unknown. Where the filter matches
//! for sure, the code is covered without condition; otherwise it is covered conditionally.
//!
//! Memory is one set per buyer with contracts (a bit per code, empty stretches left out), whatever the number of contracts.

mod area;
mod ground;
mod holes;
mod spec;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use self::area::{Area, Kept};
use super::filter::CompiledFilter;

pub use ground::Ground;
pub use holes::{Hole, HolePrefix};
pub use spec::parse_area;

/// How many codes stand for a set.
const EXAMPLES: usize = 5;

/// How far something reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Postal codes on which it could match.
    pub codes: u32,
    /// Those of them on which something else of the lead decides.
    pub conditional: u32,
}

/// A buyer's contracts and what the buyer covers by them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuyerExtent {
    /// All of them together.
    pub extent: Extent,
    /// Codes that no other buyer covers.
    pub alone: u32,
    /// Each contract.
    pub contracts: Vec<Extent>,
}

/// Two buyers on the same ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The buyers, by their places in the question, the lesser first.
    pub buyers: [usize; 2],
    /// The contracts of each that meet the other, by their places.
    pub contracts: [Vec<usize>; 2],
    /// Codes that both cover.
    pub codes: u32,
    /// The first of them.
    pub examples: Vec<String>,
}

/// What a draft would meet and fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftExtent {
    /// Its codes within the region.
    pub codes: u32,
    /// Those that nobody covers now.
    pub fills: u32,
    /// The first of those.
    pub fill_examples: Vec<String>,
    /// The buyers it would meet: place, codes in common, the first of them; the most first.
    pub meets: Vec<(usize, u32, Vec<String>)>,
    /// How many buyers it would meet.
    pub meets_total: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Postal codes of the region.
    pub codes: u32,
    /// Those that somebody covers.
    pub covered: u32,
    /// Those of them that nobody covers for sure.
    pub conditional: u32,
    /// The buyers, in the order of the question.
    pub buyers: Vec<BuyerExtent>,
    /// The pairs of buyers that have the most in common.
    pub overlaps: Vec<Overlap>,
    /// How many pairs have anything in common.
    pub overlaps_total: u64,
    /// What nobody covers, by state.
    pub holes: Vec<Hole>,
    /// What the draft would do.
    pub draft: Option<DraftExtent>,
}

/// What is looked at.
#[derive(Debug)]
pub struct Question<'a> {
    /// The ground.
    pub ground: &'a Ground,
    /// The part of it that is looked at; absent = all.
    pub region: Option<&'a CompiledFilter>,
    /// For every buyer the filters of its contracts; absent = all leads.
    pub buyers: &'a [Vec<Option<Arc<CompiledFilter>>>],
    /// A contract that is not there yet.
    pub draft: Option<&'a CompiledFilter>,
    /// The most pairs that are named.
    pub most: usize,
}

/// Surveys the ground. `progress` is told of steps done and of how many there are.
pub fn survey(question: &Question<'_>, progress: &mut dyn FnMut(u64, u64)) -> Survey {
    let region = question.ground.coverage(question.region).could;
    let mut surveyor = Surveyor {
        question,
        once: question.ground.empty(),
        twice: question.ground.empty(),
        surely: question.ground.empty(),
        areas: Vec::with_capacity(question.buyers.len()),
        region,
        distinct: Vec::new(),
        members: Vec::new(),
    };
    let mut known = HashMap::new();
    let mut buyers = Vec::with_capacity(question.buyers.len());
    let steps = 2 * question.buyers.len() as u64;
    for (done, filters) in (1..).zip(question.buyers) {
        buyers.push(surveyor.buyer(filters, &mut known));
        progress(done, steps);
    }
    drop(known);
    for (extent, area) in buyers.iter_mut().zip(&surveyor.areas) {
        let area = surveyor.distinct[*area].to_area(question.ground.len());
        extent.alone = area.without(&surveyor.twice).len();
    }
    let (overlaps, overlaps_total) = surveyor.overlaps(&mut |share| {
        progress(question.buyers.len() as u64 + share, steps);
    });
    progress(steps, steps);
    let open = surveyor.region.without(&surveyor.once);
    Survey {
        codes: surveyor.region.len(),
        covered: surveyor.once.len(),
        conditional: surveyor.once.without(&surveyor.surely).len(),
        buyers,
        overlaps,
        overlaps_total,
        holes: holes::grouped(question.ground, &surveyor.region, &open),
        draft: question.draft.map(|draft| surveyor.draft(draft)),
    }
}

/// Pairs by what they have in common, ascending; among equals the later pair first: what falls out stands in front.
type Best = BTreeSet<(u32, Reverse<[usize; 2]>)>;

struct Surveyor<'a> {
    question: &'a Question<'a>,
    region: Area,
    /// Covered by at least one buyer, by at least two, by one for sure.
    once: Area,
    twice: Area,
    surely: Area,
    /// Each buyer's area, by its place among the different ones: many buyers have none of their own.
    areas: Vec<usize>,
    distinct: Vec<Arc<Kept>>,
    /// The buyers of each different area, ascending.
    members: Vec<Vec<usize>>,
}

impl Surveyor<'_> {
    fn extent(&self, filter: Option<&CompiledFilter>) -> (Area, Area) {
        let mut coverage = self.question.ground.coverage(filter);
        coverage.could.keep_only(&self.region);
        coverage.must.keep_only(&self.region);
        (coverage.could, coverage.must)
    }

    fn buyer(&mut self, filters: &[Option<Arc<CompiledFilter>>], known: &mut HashMap<Arc<Kept>, usize>) -> BuyerExtent {
        let (mut could, mut must) = (self.question.ground.empty(), self.question.ground.empty());
        let mut contracts = Vec::with_capacity(filters.len());
        for filter in filters {
            let (own_could, own_must) = self.extent(filter.as_deref());
            contracts.push(Extent { codes: own_could.len(), conditional: own_could.without(&own_must).len() });
            could.add(&own_could);
            must.add(&own_must);
        }
        let extent = Extent { codes: could.len(), conditional: could.without(&must).len() };
        let mut again = could.clone();
        again.keep_only(&self.once);
        self.twice.add(&again);
        self.once.add(&could);
        self.surely.add(&must);
        let kept = Arc::new(Kept::new(&could));
        let place = *known.entry(Arc::clone(&kept)).or_insert_with(|| {
            self.distinct.push(kept);
            self.members.push(Vec::new());
            self.distinct.len() - 1
        });
        self.members[place].push(self.areas.len());
        self.areas.push(place);
        BuyerExtent { extent, alone: 0, contracts }
    }

    /// The pairs with the most in common, and how many pairs have anything. Areas that are alike are compared once.
    fn overlaps(&self, progress: &mut dyn FnMut(u64)) -> (Vec<Overlap>, u64) {
        let mut total = 0;
        let mut best = Best::new();
        let mut done = 0;
        for (place, area) in self.distinct.iter().enumerate() {
            for (other_place, other) in self.distinct.iter().enumerate().skip(place) {
                let common = if place == other_place { area.len() } else { area.common(other) };
                if common == 0 {
                    continue;
                }
                let pairs = self.pairs(place, other_place);
                total += pairs;
                let least = best.first().map_or(0, |(least, _)| *least);
                if best.len() < self.question.most || common >= least {
                    self.name_pairs(place, other_place, common, &mut best);
                }
            }
            done += self.members[place].len() as u64;
            progress(done);
        }
        let named = best.into_iter().rev();
        (named.map(|(codes, Reverse(buyers))| self.overlap(buyers, codes)).collect(), total)
    }

    /// How many pairs of buyers two areas make.
    fn pairs(&self, place: usize, other: usize) -> u64 {
        let (own, their) = (self.members[place].len() as u64, self.members[other].len() as u64);
        if place == other { own * own.saturating_sub(1) / 2 } else { own * their }
    }

    /// Puts the pairs of two areas among the best, as many as there is room for.
    fn name_pairs(&self, place: usize, other: usize, common: u32, best: &mut Best) {
        let most = self.question.most;
        // The first of each are enough: no later one comes before them.
        for (at, own) in self.members[place].iter().take(most + 1).enumerate() {
            let skipped = if place == other { at + 1 } else { 0 };
            for their in self.members[other].iter().skip(skipped).take(most) {
                let pair = [*own.min(their), *own.max(their)];
                best.insert((common, Reverse(pair)));
                if best.len() > most {
                    best.pop_first();
                }
            }
        }
    }

    fn overlap(&self, buyers: [usize; 2], codes: u32) -> Overlap {
        let areas = buyers.map(|buyer| self.distinct[self.areas[buyer]].to_area(self.question.ground.len()));
        let contracts = [0, 1].map(|side| {
            let filters = self.question.buyers[buyers[side]].iter().enumerate();
            let meets = filters.filter(|(_, filter)| self.extent(filter.as_deref()).0.common(&areas[1 - side]) > 0);
            meets.map(|(place, _)| place).collect()
        });
        let [mut both, other] = areas;
        both.keep_only(&other);
        Overlap { buyers, contracts, codes, examples: self.examples(&both) }
    }

    fn draft(&self, draft: &CompiledFilter) -> DraftExtent {
        let (could, _) = self.extent(Some(draft));
        let kept = Kept::new(&could);
        let mut meets: Vec<(usize, u32)> = Vec::new();
        for (place, area) in self.distinct.iter().enumerate() {
            let common = area.common(&kept);
            if common > 0 {
                meets.extend(self.members[place].iter().map(|buyer| (*buyer, common)));
            }
        }
        meets.sort_unstable_by_key(|(buyer, common)| (Reverse(*common), *buyer));
        let meets_total = meets.len();
        meets.truncate(self.question.most);
        let named = meets.into_iter().map(|(buyer, common)| {
            let mut both = self.distinct[self.areas[buyer]].to_area(self.question.ground.len());
            both.keep_only(&could);
            (buyer, common, self.examples(&both))
        });
        let meets = named.collect();
        let fills = could.without(&self.once);
        DraftExtent { codes: could.len(), fills: fills.len(), fill_examples: self.examples(&fills), meets, meets_total }
    }

    fn examples(&self, area: &Area) -> Vec<String> {
        holes::examples(self.question.ground, area)
    }
}

#[cfg(test)]
#[path = "territory/tests.rs"]
mod tests;
