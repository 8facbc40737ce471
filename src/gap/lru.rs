//! A map of bounded size that forgets what was used least recently: what an unbounded number of strangers may fill.
//!
//! Lookup costs O(log n), moving to the front nothing more. Iteration is in the order of the keys.

use std::collections::BTreeMap;

/// The end of the chain of use.
const NONE: usize = usize::MAX;

/// Slots in a chain from the most to the least recently used, and an index by key.
#[derive(Clone, Debug)]
pub(crate) struct Lru<K, V> {
    capacity: usize,
    index: BTreeMap<K, usize>,
    /// No gaps. Positions in here come from `index` and from the chain alone, never from outside.
    slots: Vec<Slot<K, V>>,
    newest: usize,
    oldest: usize,
}

#[derive(Clone, Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    newer: usize,
    older: usize,
}

/// What [`Lru::entry`] found or made.
pub(crate) struct Entry<'a, K, V> {
    pub(crate) value: &'a mut V,
    /// The key was not there.
    pub(crate) is_new: bool,
    /// What had to go for it.
    pub(crate) evicted: Option<(K, V)>,
}

impl<K: Ord + Copy, V> Lru<K, V> {
    /// Room for `capacity` entries, at least one; memory is taken as they come.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            index: BTreeMap::new(),
            slots: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Without counting as use.
    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.index.get(&key).map(|&at| &self.slots[at].value)
    }

    /// In the order of the keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.index.values().map(|&at| &self.slots[at].value)
    }

    /// The entry of `key`, made by `new` if need be, and now the most recently used.
    #[inline]
    pub(crate) fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> Entry<'_, K, V> {
        let mut evicted = None;
        let (at, is_new) = match self.index.get(&key) {
            Some(&at) => {
                self.unlink(at);
                (at, false)
            }
            None => {
                if self.slots.len() >= self.capacity {
                    evicted = self.remove_at(self.oldest);
                }
                let at = self.slots.len();
                self.slots.push(Slot { key, value: new(), newer: NONE, older: NONE });
                self.index.insert(key, at);
                (at, true)
            }
        };
        self.link(at);
        Entry { value: &mut self.slots[at].value, is_new, evicted }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let at = *self.index.get(&key)?;
        self.remove_at(at).map(|(_, value)| value)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }

    /// Puts a slot that stands in no chain at its front.
    fn link(&mut self, at: usize) {
        let older = std::mem::replace(&mut self.newest, at);
        self.slots[at].newer = NONE;
        self.slots[at].older = older;
        self.set_newer(older, at);
    }

    fn unlink(&mut self, at: usize) {
        let Slot { newer, older, .. } = self.slots[at];
        self.set_older(newer, older);
        self.set_newer(older, newer);
    }

    /// Makes `newer` what comes before the slot `at`, or the end of the chain.
    fn set_newer(&mut self, at: usize, newer: usize) {
        match self.slots.get_mut(at) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn set_older(&mut self, at: usize, older: usize) {
        match self.slots.get_mut(at) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
    }

    /// Takes a slot out; the last one moves into its place.
    fn remove_at(&mut self, at: usize) -> Option<(K, V)> {
        if at >= self.slots.len() {
            return None;
        }
        self.unlink(at);
        let slot = self.slots.swap_remove(at);
        self.index.remove(&slot.key);
        if let Some(&Slot { key, newer, older, .. }) = self.slots.get(at) {
            self.index.insert(key, at);
            self.set_older(newer, at);
            self.set_newer(older, at);
        }
        Some((slot.key, slot.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut map = Lru::new(2);
        map.entry('a', || 1);
        map.entry('b', || 2);
        *map.entry('a', || 0).value += 10;
        assert_eq!(map.entry('c', || 3).evicted, Some(('b', 2)));
        assert_eq!((map.get('a'), map.get('b'), map.get('c')), (Some(&11), None, Some(&3)));
    }

    proptest! {
        /// Against a list that is searched from end to end.
        #[test]
        fn it_is_what_a_plain_list_would_be(steps: Vec<(u8, bool)>, capacity in 1..9usize) {
            let (mut map, mut list) = (Lru::new(capacity), Vec::new());
            for (key, remove) in steps.into_iter().map(|(key, remove)| (key % 16, remove)) {
                let known = list.iter().position(|&k| k == key);
                if remove {
                    prop_assert_eq!(map.remove(key), known.map(|at| list.remove(at)));
                    continue;
                }
                known.map(|at| list.remove(at));
                let full = known.is_none() && list.len() == capacity;
                let oldest = full.then(|| list.remove(0));
                list.push(key);
                let entry = map.entry(key, || key);
                prop_assert_eq!((entry.is_new, entry.evicted), (known.is_none(), oldest.map(|k| (k, k))));
                let mut sorted = list.clone();
                sorted.sort_unstable();
                prop_assert_eq!(map.values().copied().collect::<Vec<_>>(), sorted);
            }
        }
    }
}
