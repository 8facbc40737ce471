//! Integers of either byte order, one after the other.

/// What is left of some octets.
#[derive(Clone, Copy)]
pub(super) struct Integers<'a> {
    octets: &'a [u8],
    big_endian: bool,
}

impl<'a> Integers<'a> {
    pub(super) fn new(octets: &'a [u8], big_endian: bool) -> Self {
        Self { octets, big_endian }
    }

    /// The next octets, when there are so many.
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.octets.split_at_checked(length)?;
        self.octets = rest;
        Some(taken)
    }

    /// The next octets, to be read in the same order.
    pub(super) fn within(&mut self, length: usize) -> Option<Self> {
        let octets = self.take(length)?;
        Some(Self { octets, ..*self })
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(if self.big_endian { u16::from_be_bytes } else { u16::from_le_bytes })
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes })
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(if self.big_endian { u64::from_be_bytes } else { u64::from_le_bytes })
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.octets.split_first_chunk()?;
        self.octets = rest;
        Some(*taken)
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.octets
    }
}
