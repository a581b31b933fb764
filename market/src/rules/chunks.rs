//! A long list whose copies share what none of them changed.

use std::sync::Arc;

/// Items per piece: a change copies one piece, a copy of the list one pointer per piece.
const PIECE: usize = 256;

/// A list by position. Copying it costs a pointer per piece; changing an item of a shared one costs its piece.
#[derive(Debug, Clone)]
pub(crate) struct Chunks<T> {
    pieces: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { pieces: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Chunks<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, item: T) {
        if self.len.is_multiple_of(PIECE) {
            self.pieces.push(Arc::new(Vec::new()));
        }
        if let Some(last) = self.pieces.last_mut() {
            Arc::make_mut(last).push(item);
            self.len += 1;
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.pieces.get(at / PIECE)?.get(at % PIECE)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        let piece = self.pieces.get_mut(at / PIECE)?;
        // Looked up first: what is not there must not cost a copy.
        piece.get(at % PIECE)?;
        Arc::make_mut(piece).get_mut(at % PIECE)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// It is a list, and a copy stays as it was whatever becomes of the other.
        #[test]
        fn a_copy_stays_as_it_was(
            first in prop::collection::vec(0u32..9, 0..700), changes in prop::collection::vec((0usize..800, 0u32..9), 0..20),
        ) {
            let mut chunks = Chunks::default();
            first.iter().for_each(|item| chunks.push(*item));
            let before = chunks.clone();
            let mut list = first.clone();
            for (at, item) in changes {
                match (chunks.get_mut(at), list.get_mut(at)) {
                    (Some(own), Some(plain)) => (*own, *plain) = (item, item),
                    (own, plain) => {
                        prop_assert!(own.is_none() && plain.is_none());
                        chunks.push(item);
                        list.push(item);
                    }
                }
            }
            prop_assert_eq!(chunks.iter().copied().collect::<Vec<_>>(), list.clone());
            prop_assert_eq!(before.iter().copied().collect::<Vec<_>>(), first);
            prop_assert_eq!(chunks.len(), list.len());
            prop_assert!((0..list.len() + 1).all(|at| chunks.get(at) == list.get(at)));
        }
    }
}
