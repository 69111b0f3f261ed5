//! A map as a sorted vector. For the hundred entries that our limits allow it is as fast as a hash table and takes a fraction of its
//! memory; and since a look-up takes log n steps whatever the keys, no peer that chooses them can make it slow.

use alloc::vec::Vec;

/// A map from `K` to `V`.
#[derive(Clone, Debug)]
pub(crate) struct Sorted<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<K: Ord, V> Sorted<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn place(&self, key: &K) -> Result<usize, usize> {
        // What is counted comes in order, and is looked for before it is there.
        if self.entries.last().is_none_or(|(last, _)| last < key) {
            return Err(self.entries.len());
        }
        self.entries.binary_search_by(|(k, _)| k.cmp(key))
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let at = self.place(key).ok()?;
        self.entries.get(at).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.place(key).ok()?;
        self.entries.get_mut(at).map(|(_, value)| value)
    }

    /// The value of a key, which is added if it is not there.
    pub(crate) fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = self.place(&key).unwrap_or_else(|at| {
            self.entries.insert(at, (key, V::default()));
            at
        });
        &mut self.entries[at].1
    }

    /// Adds an entry, or replaces the value of one.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.place(key).ok()?;
        Some(self.entries.remove(at).1)
    }

    /// Keeps the entries for which this holds.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| keep(key, value));
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.entries.reserve_exact(more);
    }

    /// Gives back what is not used.
    pub(crate) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0u8..16, any::<Option<u8>>()), 0..200)) {
            let (mut ours, mut reference) = (Sorted::default(), BTreeMap::new());
            for (key, value) in steps {
                match value {
                    Some(value) => {
                        ours.insert(key, value);
                        reference.insert(key, value);
                    }
                    None => prop_assert_eq!(ours.remove(&key), reference.remove(&key)),
                }
                prop_assert_eq!(ours.len(), reference.len());
                prop_assert_eq!(ours.get(&key), reference.get(&key));
                prop_assert_eq!(ours.get_mut(&key), reference.get_mut(&key));
                prop_assert_eq!(ours.get_or_default(key ^ 1), reference.entry(key ^ 1).or_default());
            }
            ours.retain(|key, value| key < value);
            let expected: Vec<(u8, u8)> = reference.into_iter().filter(|(key, value)| key < value).collect();
            prop_assert_eq!(ours.entries, expected);
        }
    }
}
