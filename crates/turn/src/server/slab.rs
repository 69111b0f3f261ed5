//! Numbered places for values that come and go. A number is never given to two values: each place counts its tenants.

use alloc::vec::Vec;

/// The number of a value: its place, and which tenant of the place it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    index: u32,
    tenant: u32,
}

impl Key {
    /// The number, for logs.
    pub(super) const fn as_u64(self) -> u64 {
        (self.tenant as u64) << 32 | self.index as u64
    }

    /// The key whose number this is. Any number makes a key; most belong to no value.
    pub(super) const fn from_u64(number: u64) -> Self {
        Self { index: number as u32, tenant: (number >> 32) as u32 }
    }
}

/// See the module.
pub(super) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

struct Place<T> {
    tenant: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop() {
            let place = &mut self.places[index as usize];
            place.value = Some(value);
            return Key { index, tenant: place.tenant };
        }
        let index = self.places.len() as u32;
        self.places.push(Place { tenant: 0, value: Some(value) });
        Key { index, tenant: 0 }
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index as usize)?;
        if place.tenant == key.tenant { place.value.as_ref() } else { None }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.tenant == key.tenant { place.value.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.tenant != key.tenant {
            return None;
        }
        let value = place.value.take()?;
        // 2^32 tenants of one place, at one a millisecond, are 49 days of nothing else; then the place is retired.
        if let Some(next) = place.tenant.checked_add(1) {
            place.tenant = next;
            self.free.push(key.index);
        }
        Some(value)
    }

    /// All keys, in the order of their places.
    pub(super) fn keys(&self) -> Vec<Key> {
        let places = self.places.iter().enumerate().filter(|(_, place)| place.value.is_some());
        places.map(|(index, place)| Key { index: index as u32, tenant: place.tenant }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_never_given_twice() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        let other = slab.insert('b');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('c');
        assert_ne!(first, second);
        assert_eq!((slab.get(first), slab.get(second), slab.get(other)), (None, Some(&'c'), Some(&'b')));
        assert_eq!((slab.remove(first), slab.get_mut(first)), (None, None));
        assert_eq!((slab.len(), slab.keys()), (2, [second, other].to_vec()));
        assert_eq!(Key::from_u64(second.as_u64()), second);
        assert_eq!(slab.get(Key::from_u64(99)), None);
    }
}
