//! Who holds how much of something that is bounded, so that who holds most gives way.
//!
//! Lives here: weights in two levels, and the heaviest of each at once, however many there are.
//! Must not: know what is held.

use std::collections::{BTreeMap, BTreeSet};

/// Weights of items `T`, each held by an `I` of an `O`.
#[derive(Debug)]
pub(crate) struct Shares<O, I, T> {
    total: usize,
    outer: BTreeMap<O, Outer<I>>,
    ranked: BTreeSet<(usize, O)>,
    inner: BTreeMap<(O, I), Inner<T>>,
}

#[derive(Debug)]
struct Outer<I> {
    weight: usize,
    ranked: BTreeSet<(usize, I)>,
}

#[derive(Debug)]
struct Inner<T> {
    weight: usize,
    items: BTreeMap<T, usize>,
}

impl<O, I, T> Default for Shares<O, I, T> {
    fn default() -> Self {
        Self { total: 0, outer: BTreeMap::new(), ranked: BTreeSet::new(), inner: BTreeMap::new() }
    }
}

impl<O: Ord + Copy, I: Ord + Copy, T: Ord + Copy> Shares<O, I, T> {
    /// Puts an item in, or gives it another weight.
    pub(crate) fn put(&mut self, o: O, i: I, item: T, weight: usize) {
        let inner = self.inner.entry((o, i)).or_insert_with(|| Inner { weight: 0, items: BTreeMap::new() });
        let before = inner.weight;
        let old = inner.items.insert(item, weight).unwrap_or(0);
        inner.weight = before - old + weight;
        self.reweigh(o, i, before);
    }

    /// Takes an item out; nothing happens if it is not in.
    pub(crate) fn take(&mut self, o: O, i: I, item: T) {
        let Some(inner) = self.inner.get_mut(&(o, i)) else { return };
        let before = inner.weight;
        let Some(weight) = inner.items.remove(&item) else { return };
        inner.weight -= weight;
        self.reweigh(o, i, before);
    }

    /// Of all.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Of one.
    pub(crate) fn of(&self, o: O) -> usize {
        self.outer.get(&o).map_or(0, |outer| outer.weight)
    }

    /// Of one in it.
    pub(crate) fn of_inner(&self, o: O, i: I) -> usize {
        self.inner.get(&(o, i)).map_or(0, |inner| inner.weight)
    }

    /// Who holds most.
    pub(crate) fn heaviest(&self) -> Option<O> {
        self.ranked.last().map(|(_, o)| *o)
    }

    /// Who holds most in it.
    pub(crate) fn heaviest_in(&self, o: O) -> Option<I> {
        self.outer.get(&o)?.ranked.last().map(|(_, i)| *i)
    }

    /// The first item of one.
    pub(crate) fn first(&self, o: O, i: I) -> Option<T> {
        self.inner.get(&(o, i))?.items.keys().next().copied()
    }

    /// The first item of who holds most in who holds most.
    pub(crate) fn gives_way(&self) -> Option<(O, I, T)> {
        let o = self.heaviest()?;
        self.gives_way_in(o).map(|(i, item)| (o, i, item))
    }

    /// The first item of who holds most in it.
    pub(crate) fn gives_way_in(&self, o: O) -> Option<(I, T)> {
        let i = self.heaviest_in(o)?;
        self.first(o, i).map(|item| (i, item))
    }

    fn reweigh(&mut self, o: O, i: I, before: usize) {
        let Some(inner) = self.inner.get(&(o, i)) else { return };
        let (now, empty) = (inner.weight, inner.items.is_empty());
        if empty {
            self.inner.remove(&(o, i));
        }
        let outer = self.outer.entry(o).or_insert_with(|| Outer { weight: 0, ranked: BTreeSet::new() });
        self.ranked.remove(&(outer.weight, o));
        outer.ranked.remove(&(before, i));
        outer.weight = outer.weight - before + now;
        self.total = self.total - before + now;
        if !empty {
            outer.ranked.insert((now, i));
        }
        if outer.ranked.is_empty() {
            self.outer.remove(&o);
        } else {
            self.ranked.insert((outer.weight, o));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_of_the_heaviest_gives_way_and_what_is_taken_out_weighs_nothing() {
        let mut shares: Shares<char, u8, u32> = Shares::default();
        shares.put('a', 1, 10, 5);
        shares.put('a', 2, 11, 4);
        shares.put('a', 2, 9, 4);
        shares.put('b', 1, 1, 12);
        assert_eq!(shares.gives_way(), Some(('a', 2, 9)), "13 of a, 8 of its second");
        shares.take('a', 2, 9);
        assert_eq!((shares.gives_way(), shares.total()), (Some(('b', 1, 1)), 21));
        shares.put('b', 1, 1, 3);
        assert_eq!((shares.gives_way(), shares.of('b')), (Some(('a', 1, 10)), 3), "another weight");
        for (o, i, item) in [('a', 1, 10), ('a', 2, 11), ('b', 1, 1), ('c', 1, 1)] {
            shares.take(o, i, item);
        }
        assert_eq!((shares.gives_way(), shares.total()), (None, 0));
        assert!(shares.outer.is_empty() && shares.inner.is_empty() && shares.ranked.is_empty());
    }
}
