//! Vectors without room to spare. Most agents have one candidate, one pair, one of everything, and a `Vec` makes room for four: given
//! back later, that would cost more than it saved.

use alloc::vec::Vec;

/// Puts `value` at a place of `list`, which grows to one, two, four, eight.
pub(crate) fn insert<T>(list: &mut Vec<T>, at: usize, value: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len().max(1));
    }
    list.insert(at, value);
}

/// Puts `value` at the end of `list`.
pub(crate) fn push<T>(list: &mut Vec<T>, value: T) {
    insert(list, list.len(), value);
}
