//! Sets of positions: dense bitmaps, and lists where a bitmap would be mostly empty. Copies of a set share it until one
//! of them changes.

use std::sync::Arc;

/// Positions per word.
const WORD: u32 = u64::BITS;

fn place(position: u32) -> (usize, u64) {
    (usize::try_from(position / WORD).unwrap_or(usize::MAX), 1 << (position % WORD))
}

/// A dense set of positions. Words that do not exist are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bits(Arc<Vec<u64>>);

impl Bits {
    pub(super) fn insert(&mut self, position: u32) {
        let (word, bit) = place(position);
        let words = Arc::make_mut(&mut self.0);
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        words[word] |= bit;
    }

    pub(super) fn remove(&mut self, position: u32) {
        let (word, bit) = place(position);
        // What is not there must not cost a copy.
        if self.contains(position)
            && let Some(word) = Arc::make_mut(&mut self.0).get_mut(word)
        {
            *word &= !bit;
        }
    }

    pub(super) fn contains(&self, position: u32) -> bool {
        let (word, bit) = place(position);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }

    /// Adds the set to `words`.
    pub(super) fn add_to(&self, words: &mut [u64]) {
        words.iter_mut().zip(self.0.iter()).for_each(|(word, own)| *word |= own);
    }

    /// Adds to `words` what is in the set, but not in `out`.
    pub(super) fn add_without_to(&self, out: &[u64], words: &mut [u64]) {
        words.iter_mut().zip(self.0.iter()).zip(out).for_each(|((word, own), out)| *word |= own & !out);
    }

    /// Takes the set out of `words`.
    pub(super) fn take_from(&self, words: &mut [u64]) {
        words.iter_mut().zip(self.0.iter()).for_each(|(word, own)| *word &= !own);
    }

    /// Keeps of `words` what is not in the set, or in `kept`. Where the set ends, everything is kept.
    pub(super) fn cut(&self, words: &mut [u64], kept: &[u64]) {
        for ((word, own), kept) in words.iter_mut().zip(self.0.iter()).zip(kept) {
            *word &= kept | !own;
        }
    }
}

/// Writes the positions in `words` to the front of `room`, ascending, and returns how many they are. The room only grows,
/// and four bits are written at a time, whether there or not: how many a word has is what nobody could predict.
pub(super) fn write_positions(words: &[u64], room: &mut Vec<u32>) -> usize {
    const AT_ONCE: usize = 4;
    if room.len() < words.len() * 64 {
        room.resize(words.len() * 64, 0);
    }
    let mut written = 0;
    for (base, word) in (0..).step_by(64).zip(words) {
        let mut rest = *word;
        for places in room[written..].chunks_exact_mut(AT_ONCE) {
            if rest == 0 {
                break;
            }
            for place in places {
                *place = base + rest.trailing_zeros();
                rest &= rest.wrapping_sub(1);
            }
        }
        written += usize::try_from(word.count_ones()).unwrap_or_default();
    }
    written
}

/// The bits of a word, ascending.
pub(super) fn each_bit(word: u64, mut visit: impl FnMut(u32)) {
    let mut rest = word;
    while rest != 0 {
        visit(rest.trailing_zeros());
        rest &= rest - 1;
    }
}

/// A set of positions that starts as a list and becomes a bitmap when it grows.
#[derive(Debug, Clone)]
pub(super) enum Posting {
    /// Unordered, each once.
    Few(Arc<Vec<u32>>),
    /// Dense.
    Many(Bits),
}

/// Up to here a list is shorter than the bitmap of 10,000 contracts, and about as quick to add.
const FEW_MAX: usize = 128;

impl Default for Posting {
    fn default() -> Self {
        Self::Few(Arc::default())
    }
}

impl Posting {
    pub(super) fn insert(&mut self, position: u32) {
        match self {
            Self::Many(bits) => bits.insert(position),
            Self::Few(list) if list.contains(&position) => {}
            Self::Few(list) if list.len() < FEW_MAX => Arc::make_mut(list).push(position),
            Self::Few(list) => {
                let mut bits = Bits::default();
                list.iter().chain([&position]).for_each(|position| bits.insert(*position));
                *self = Self::Many(bits);
            }
        }
    }

    pub(super) fn remove(&mut self, position: u32) {
        match self {
            Self::Many(bits) => bits.remove(position),
            Self::Few(list) if list.contains(&position) => Arc::make_mut(list).retain(|own| *own != position),
            Self::Few(_) => {}
        }
    }

    pub(super) fn contains(&self, position: u32) -> bool {
        match self {
            Self::Many(bits) => bits.contains(position),
            Self::Few(list) => list.contains(&position),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Many(bits) => bits.is_empty(),
            Self::Few(list) => list.is_empty(),
        }
    }

    /// Adds the set to `words`, which reach as far as any position.
    pub(super) fn add_to(&self, words: &mut [u64]) {
        match self {
            Self::Many(bits) => bits.add_to(words),
            Self::Few(list) => {
                for position in list.iter() {
                    let (word, bit) = place(*position);
                    if let Some(word) = words.get_mut(word) {
                        *word |= bit;
                    }
                }
            }
        }
    }
}

/// Adds one position to `words` if it `holds`, without a branch that nobody could predict.
pub(super) fn add_position_if(holds: bool, position: u32, words: &mut [u64]) {
    let (word, bit) = place(position);
    if let Some(word) = words.get_mut(word) {
        *word |= bit * u64::from(holds);
    }
}

/// Ranges over an ordered value: for every stretch between two bounds the set of the ranges that cover it.
#[derive(Debug, Clone)]
pub(super) struct Segments<T> {
    /// Where a segment begins: at the value, or just after it.
    edges: Vec<(T, bool)>,
    /// One more than there are edges: the first lies before them all.
    covered: Vec<Bits>,
}

/// The most edges kept: a megabyte of bitmaps for 10,000 contracts. People use round numbers; beyond, ranges are asked one
/// by one.
const EDGES_MAX: usize = 1_024;

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Self { edges: Vec::new(), covered: vec![Bits::default()] }
    }
}

impl<T: Ord + Clone> Segments<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.edges.is_empty() && self.covered.iter().all(Bits::is_empty)
    }

    /// Whether so many more ranges fit.
    pub(super) fn has_room(&self, ranges: usize) -> bool {
        self.edges.len() + 2 * ranges <= EDGES_MAX
    }

    /// Adds a range, both bounds included.
    pub(super) fn insert(&mut self, min: Option<&T>, max: Option<&T>, position: u32) {
        let first = min.map_or(0, |min| self.split(min, false));
        let end = max.map_or(self.covered.len(), |max| self.split(max, true));
        self.covered.iter_mut().take(end).skip(first).for_each(|bits| bits.insert(position));
    }

    /// Takes all of a position's ranges out. The edges stay: they cut, but change nothing.
    pub(super) fn remove(&mut self, position: u32) {
        self.covered.iter_mut().for_each(|bits| bits.remove(position));
    }

    /// The segment that begins at (or just after) the value.
    fn split(&mut self, value: &T, after: bool) -> usize {
        match self.edges.binary_search_by(|(edge, edge_after)| edge.cmp(value).then(edge_after.cmp(&after))) {
            Ok(found) => found + 1,
            Err(gap) => {
                self.edges.insert(gap, (value.clone(), after));
                self.covered.insert(gap + 1, self.covered[gap].clone());
                gap + 1
            }
        }
    }

    pub(super) fn add_to<Q: Ord + ?Sized>(&self, value: &Q, words: &mut [u64])
    where
        T: std::borrow::Borrow<Q>,
    {
        let begun = |(edge, after): &(T, bool)| if *after { edge.borrow() < value } else { edge.borrow() <= value };
        if let Some(bits) = self.covered.get(self.edges.partition_point(begun)) {
            bits.add_to(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn listed(words: &[u64]) -> Vec<u32> {
        let mut found = Vec::new();
        let count = write_positions(words, &mut found);
        found.truncate(count);
        found
    }

    proptest! {
        /// A posting is a set, whether list or bitmap, through any inserts and removals.
        #[test]
        fn a_posting_is_a_set(steps in prop::collection::vec((0u32..400, any::<bool>()), 0..600)) {
            let (mut posting, mut set) = (Posting::default(), BTreeSet::new());
            for (position, insert) in steps {
                if insert {
                    posting.insert(position);
                    set.insert(position);
                } else {
                    posting.remove(position);
                    set.remove(&position);
                }
            }
            let mut words = vec![0; 7];
            posting.add_to(&mut words);
            prop_assert_eq!(listed(&words), set.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(posting.is_empty(), set.is_empty());
        }

        /// Segments give what looking at every range gives.
        #[test]
        fn segments_equal_looking_at_every_range(
            ranges in prop::collection::vec((prop::option::of(0i64..20), prop::option::of(0i64..20), any::<bool>()), 0..30),
        ) {
            let mut segments = Segments::default();
            for (position, (min, max, _)) in (0u32..).zip(&ranges) {
                segments.insert(min.as_ref(), max.as_ref(), position);
            }
            for (position, _) in (0u32..).zip(&ranges).filter(|(_, range)| range.2) {
                segments.remove(position);
            }
            for value in -1..22 {
                let covers = |(min, max, removed): &(Option<i64>, Option<i64>, bool)| {
                    !removed && min.is_none_or(|min| min <= value) && max.is_none_or(|max| value <= max)
                };
                let wanted: Vec<u32> = (0u32..).zip(&ranges).filter(|(_, range)| covers(range)).map(|(at, _)| at).collect();
                let mut words = vec![0; 1];
                segments.add_to(&value, &mut words);
                prop_assert_eq!(listed(&words), wanted, "{}", value);
            }
        }
    }

    /// Cutting keeps what is not concerned, also beyond the end of the set.
    #[test]
    fn cutting_keeps_what_is_not_concerned() {
        let mut bits = Bits::default();
        bits.insert(3);
        bits.insert(5);
        let mut words = [0b101_1000, 7];
        bits.cut(&mut words, &[0b10_0000, 0]);
        assert_eq!(words, [0b101_0000, 7]);
        bits.remove(3);
        assert!(!bits.is_empty() && !bits.contains(3) && bits.contains(5) && !bits.contains(999));
    }

    /// Positions are written ascending, full words and empty ones included.
    #[test]
    fn positions_are_written_ascending() {
        let words = [0, u64::MAX, 0, 1 << 63 | 0b1011];
        let wanted: Vec<u32> = (64..128).chain([192, 193, 195, 255]).collect();
        assert_eq!(listed(&words), wanted);
        assert_eq!(listed(&[u64::MAX; 3]), (0..192).collect::<Vec<_>>());
        assert!(listed(&[]).is_empty());
    }
}
