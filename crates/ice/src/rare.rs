//! What most agents never have, like relays or a session from before a restart. It takes a pointer in those, and a place on the heap in
//! the others.

use alloc::boxed::Box;
use core::ops::Deref;

/// A value that is empty until somebody needs it.
pub(crate) struct Rare<T>(Option<Box<T>>);

/// What can be looked at before it is there.
pub(crate) trait Empty: Default + 'static {
    /// What there is to see then.
    fn empty() -> &'static Self;
}

impl<T: Empty> Rare<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// The value, if it is there: whatever is done to an empty one would change nothing.
    pub(crate) fn if_any(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// The value, which is there from now on.
    pub(crate) fn make(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Empty> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => T::empty(),
        }
    }
}
