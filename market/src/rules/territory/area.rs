//! Sets of a country's postal codes, by their place in its order: dense while they are worked out, without their empty
//! words where they are kept.

/// Codes per word.
const WORD: usize = 64;

fn low_bits(count: usize) -> u64 {
    if count >= WORD { u64::MAX } else { (1 << count) - 1 }
}

/// A set of codes. All sets of one country have the same number of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Area(Vec<u64>);

impl Area {
    pub(super) fn empty(codes: usize) -> Self {
        Self(vec![0; codes.div_ceil(WORD)])
    }

    pub(super) fn full(codes: usize) -> Self {
        Self((0..codes.div_ceil(WORD)).map(|word| low_bits(codes - word * WORD)).collect())
    }

    pub(super) fn insert(&mut self, code: usize) {
        if let Some(word) = self.0.get_mut(code / WORD) {
            *word |= 1 << (code % WORD);
        }
    }

    pub(super) fn contains(&self, code: usize) -> bool {
        self.0.get(code / WORD).is_some_and(|word| word >> (code % WORD) & 1 == 1)
    }

    pub(super) fn keep_only(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn take_out(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
    }

    /// What is in this set and not in the other.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.take_out(other);
        rest
    }

    pub(super) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// How many codes both sets have.
    pub(super) fn common(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(own, other)| (own & other).count_ones()).sum()
    }

    /// The codes, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(place, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(place * WORD + bit)
            })
        })
    }
}

/// A set that is kept and compared with thousands of others: only the words that are not empty, and which they are.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Kept {
    /// Bit `n`: word `n` is not empty.
    filled: Box<[u64]>,
    /// How many words come before those of each word of `filled`.
    before: Box<[u32]>,
    words: Box<[u64]>,
    /// How many codes there are.
    codes: u32,
}

impl Kept {
    pub(super) fn new(area: &Area) -> Self {
        let mut filled = vec![0; area.0.len().div_ceil(WORD)];
        let mut before = Vec::with_capacity(filled.len());
        let mut words: Vec<u64> = Vec::new();
        for (chunk, filled) in area.0.chunks(WORD).zip(&mut filled) {
            before.push(u32::try_from(words.len()).unwrap_or(u32::MAX));
            for (bit, word) in chunk.iter().enumerate().filter(|(_, word)| **word != 0) {
                *filled |= 1 << bit;
                words.push(*word);
            }
        }
        Self { filled: filled.into(), before: before.into(), words: words.into(), codes: area.len() }
    }

    pub(super) fn len(&self) -> u32 {
        self.codes
    }

    pub(super) fn to_area(&self, codes: usize) -> Area {
        let mut area = Area::empty(codes);
        self.each_word(|place, word| {
            if let Some(own) = area.0.get_mut(place) {
                *own = word;
            }
        });
        area
    }

    fn each_word(&self, mut visit: impl FnMut(usize, u64)) {
        let mut words = self.words.iter();
        for (chunk, filled) in self.filled.iter().enumerate() {
            let mut rest = *filled;
            while rest != 0 {
                words.next().into_iter().for_each(|word| visit(chunk * WORD + rest.trailing_zeros() as usize, *word));
                rest &= rest - 1;
            }
        }
    }

    /// How many codes both sets have.
    pub(super) fn common(&self, other: &Self) -> u32 {
        let mut sum = 0;
        for (chunk, (own, their)) in self.filled.iter().zip(&other.filled).enumerate() {
            let mut both = own & their;
            let (own_before, their_before) = (self.before[chunk] as usize, other.before[chunk] as usize);
            while both != 0 {
                let below = (both & both.wrapping_neg()) - 1;
                let a = self.words[own_before + (own & below).count_ones() as usize];
                let b = other.words[their_before + (their & below).count_ones() as usize];
                sum += (a & b).count_ones();
                both &= both - 1;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const CODES: usize = 9_000;

    fn area(codes: &BTreeSet<usize>) -> Area {
        let mut area = Area::empty(CODES);
        codes.iter().for_each(|code| area.insert(*code));
        area
    }

    fn any_codes() -> impl Strategy<Value = BTreeSet<usize>> {
        let clustered = (0..CODES, 0usize..300).prop_map(|(from, many)| (from..(from + many).min(CODES)).collect());
        prop_oneof![prop::collection::btree_set(0..CODES, 0..60), clustered]
    }

    proptest! {
        /// An area is a set, kept or not; what two have in common is the same however it is counted.
        #[test]
        fn an_area_is_a_set(a in any_codes(), b in any_codes()) {
            let (one, other) = (area(&a), area(&b));
            prop_assert_eq!(one.iter().collect::<BTreeSet<_>>(), a.clone());
            let common = u32::try_from(a.intersection(&b).count()).unwrap();
            prop_assert_eq!(one.common(&other), common);
            prop_assert_eq!(Kept::new(&one).common(&Kept::new(&other)), common);
            prop_assert_eq!(Kept::new(&one).to_area(CODES), one.clone());
            prop_assert_eq!(Kept::new(&one).len() as usize, a.len());
            prop_assert_eq!(one.without(&other).iter().collect::<BTreeSet<_>>(), a.difference(&b).copied().collect());
            prop_assert_eq!(Area::full(CODES).without(&one).len() as usize, CODES - a.len());
        }
    }
}
