//! A range of handles, walked by requests that each ask for what the last answer left. The one place that decides
//! whether a server makes progress.

use super::Response;
use crate::Uuid;
use crate::gatt::GattError;

/// What is left of a range. Every entry taken makes it smaller, so walking ends whatever the server answers.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// `None` once the end was taken.
    next: Option<u16>,
    end: u16,
}

impl Walk {
    pub fn new(start: u16, end: u16) -> Self {
        Self { next: Some(start), end }
    }

    /// What to ask for next; `None` when nothing is left.
    pub fn left(&self) -> Option<(u16, u16)> {
        self.next.map(|next| (next, self.end))
    }

    /// Takes an entry of the attributes `first` to `last`. Entries ascend, do not overlap and stay in the range.
    pub fn take(&mut self, first: u16, last: u16) -> Result<(), GattError> {
        let invalid = |cause| Err(GattError::DatabaseInvalid { cause, handle: first });
        match self.next {
            _ if first > last => invalid("a group ends before it begins"),
            Some(next) if first < next => invalid("handles do not ascend"),
            Some(_) if last > self.end => invalid("a handle is outside the range asked for"),
            Some(_) => {
                self.next = last.checked_add(1).filter(|next| *next <= self.end);
                Ok(())
            }
            None => invalid("an attribute stands behind the last one"),
        }
    }
}

/// Refuses a list of entries that is empty, leaves octets over or has no room for handles: what passes has an entry,
/// and an entry that is taken is progress.
pub fn check_entries(response: &Response<'_>, length: usize, data: &[u8]) -> Result<(), GattError> {
    if data.is_empty() {
        Err(response.invalid("it has no entries"))
    } else if length < 2 || !data.len().is_multiple_of(length) {
        Err(response.invalid("its entries are not of the length that it states"))
    } else {
        Ok(())
    }
}

/// A UUID in an attribute: 2 or 16 octets, never 4 ([Vol 3] Part F, 3.2.1).
pub fn uuid(octets: &[u8]) -> Option<Uuid> {
    Uuid::from_wire(octets).filter(|_| octets.len() != 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_makes_the_range_smaller_or_is_refused() {
        let mut walk = Walk::new(1, 10);
        assert_eq!(walk.take(1, 3), Ok(()));
        assert_eq!(walk.left(), Some((4, 10)));
        for (first, last) in [(3, 5), (1, 1), (0, 0), (5, 4), (9, 11), (11, 12), (4, 0xFFFF)] {
            assert!(walk.take(first, last).is_err(), "{first}-{last}");
            assert_eq!(walk.left(), Some((4, 10)));
        }
        assert_eq!(walk.take(9, 10), Ok(()));
        assert_eq!(walk.left(), None);
        assert!(walk.take(10, 10).is_err());
    }

    #[test]
    fn the_last_handle_of_all_ends_the_walk() {
        let mut walk = Walk::new(1, 0xFFFF);
        assert_eq!(walk.take(1, 0xFFFF), Ok(()));
        assert_eq!(walk.left(), None);
    }
}
