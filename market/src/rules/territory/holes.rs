//! What nobody covers, so that a person can read it: by state, and by the first digits within.

use std::collections::BTreeMap;

use super::EXAMPLES;
use super::area::Area;
use super::ground::Ground;
use crate::rules::region;

/// Codes of a state that nobody covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The state's code; absent where postal data names none.
    pub state: Option<String>,
    /// What the state is called, where it is known.
    pub name: Option<String>,
    /// How many codes are open.
    pub codes: u32,
    /// Of how many of the region in that state.
    pub of: u32,
    /// By how the codes begin.
    pub prefixes: Vec<HolePrefix>,
    /// The first of them.
    pub examples: Vec<String>,
}

/// Open codes that begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolePrefix {
    /// How they begin.
    pub prefix: String,
    /// How many are open.
    pub codes: u32,
    /// Of how many of the region that begin so, in that state.
    pub of: u32,
}

/// How many letters or digits make a neighbourhood that people know: three of a ZIP code, two elsewhere.
fn prefix_chars(country: &str) -> usize {
    if country == "US" { 3 } else { 2 }
}

/// The first codes of a set.
pub(super) fn examples(ground: &Ground, area: &Area) -> Vec<String> {
    area.iter().take(EXAMPLES).map(|code| ground.shown(code).to_owned()).collect()
}

/// The open codes of a region, by state, those with the most first.
pub(super) fn grouped(ground: &Ground, region: &Area, open: &Area) -> Vec<Hole> {
    let chars = prefix_chars(ground.country());
    let mut holes: BTreeMap<Option<&str>, (Hole, BTreeMap<&str, HolePrefix>)> = BTreeMap::new();
    for code in region.iter() {
        let state = ground.state(code);
        let (hole, prefixes) = holes.entry(state).or_insert_with(|| (of_state(ground, state), BTreeMap::new()));
        let begin = ground.compact(code).get(..chars).unwrap_or_else(|| ground.compact(code));
        let empty = || HolePrefix { prefix: begin.to_owned(), codes: 0, of: 0 };
        let prefix = prefixes.entry(begin).or_insert_with(empty);
        hole.of += 1;
        prefix.of += 1;
        if open.contains(code) {
            hole.codes += 1;
            prefix.codes += 1;
            if hole.examples.len() < EXAMPLES {
                hole.examples.push(ground.shown(code).to_owned());
            }
        }
    }
    let mut found: Vec<Hole> = holes
        .into_values()
        .filter(|(hole, _)| hole.codes > 0)
        .map(|(hole, prefixes)| Hole {
            prefixes: prefixes.into_values().filter(|prefix| prefix.codes > 0).collect(),
            ..hole
        })
        .collect();
    found.sort_by_key(|hole| std::cmp::Reverse(hole.codes));
    found
}

fn of_state(ground: &Ground, state: Option<&str>) -> Hole {
    let name = state.and_then(|state| region::name(ground.country(), state));
    Hole {
        state: state.map(str::to_owned),
        name: name.map(str::to_owned),
        codes: 0,
        of: 0,
        prefixes: Vec::new(),
        examples: Vec::new(),
    }
}
