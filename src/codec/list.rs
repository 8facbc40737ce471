//! Repeated groups of fields: announced by an octet before them ([`List`]), or up to the end ([`Tail`]).
//!
//! A list on the wire stays octets until somebody walks it. Walking ends at the first group that is not whole,
//! so one lying count or length costs only what stands behind it.

use super::show::{ListHead, Show};
use super::{Field, Parsed, Sort, Walk, malformed};
use bytes::{BufMut, BytesMut};
use std::fmt;

/// Groups of fields behind an octet that announces them. It is their number, or with `PER_BIT` a mask
/// with one bit for each (the PHYs of the extended commands, [Vol 4] Part E, 7.8.64 and 7.8.66).
///
/// Takes everything to the end of the packet: in every HCI layout a list stands last.
#[derive(Clone, Copy)]
pub struct List<'a, T, const PER_BIT: bool = false> {
    lead: u8,
    items: Items<'a, T>,
}

#[derive(Clone, Copy)]
enum Items<'a, T> {
    Wire(&'a [u8]),
    Given(&'a [T]),
}

impl<'a, T> List<'a, T> {
    /// `None` for more than 255 groups.
    pub fn new(items: &'a [T]) -> Option<Self> {
        u8::try_from(items.len()).ok().map(|lead| Self { lead, items: Items::Given(items) })
    }
}

impl<'a, T> List<'a, T, true> {
    /// One group for each bit of `mask`, lowest first; `None` when their numbers differ.
    pub fn per_bit(mask: u8, items: &'a [T]) -> Option<Self> {
        let bits = usize::try_from(mask.count_ones()).ok()?;
        (items.len() == bits).then_some(Self { lead: mask, items: Items::Given(items) })
    }
}

impl<'a, T: Field<'a> + Copy, const PER_BIT: bool> List<'a, T, PER_BIT> {
    /// The octet before the groups: their number or their mask.
    pub fn lead(&self) -> u8 {
        self.lead
    }

    /// How many groups the octet announces.
    pub fn announced(&self) -> usize {
        if PER_BIT { self.lead.count_ones().try_into().unwrap_or(0) } else { usize::from(self.lead) }
    }

    /// The whole groups, in order; ends early when the octets do.
    #[inline]
    pub fn iter(&self) -> ListIter<'a, T> {
        ListIter { left: self.announced(), items: self.items }
    }

    /// Whether every announced group is there.
    pub fn is_complete(&self) -> bool {
        self.iter().count() == self.announced()
    }
}

/// The groups of a [`List`] or [`Tail`].
pub struct ListIter<'a, T> {
    left: usize,
    items: Items<'a, T>,
}

impl<'a, T: Field<'a> + Copy> Iterator for ListIter<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        match &mut self.items {
            Items::Given(items) => {
                let (first, rest) = items.split_first()?;
                *items = rest;
                Some(*first)
            }
            Items::Wire(octets) => match T::parse(octets) {
                // A group of no octets would make a short packet announce any number of them.
                Ok((rest, item)) if rest.len() < octets.len() => {
                    *octets = rest;
                    Some(item)
                }
                _ => {
                    self.left = 0;
                    None
                }
            },
        }
    }
}

impl<'a, T: Field<'a> + Copy, const PER_BIT: bool> Field<'a> for List<'a, T, PER_BIT> {
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        match input.split_first() {
            Some((&lead, octets)) => Ok((&[], Self { lead, items: Items::Wire(octets) })),
            None => malformed(input),
        }
    }
    fn emit(&self, out: &mut BytesMut) {
        out.put_u8(self.lead);
        self.items.emit(out);
    }
    fn show(&self, to: &mut dyn Show) {
        let mask = PER_BIT.then_some(self.lead);
        show_items(to, ListHead { mask, announced: Some(self.announced()) }, self.iter());
    }
    fn walk(name: &'static str, input: &'a [u8], to: &mut dyn Walk<'a>) -> Option<&'a [u8]> {
        let (_, list) = Self::parse(input).ok()?;
        let (lead, octets) = input.split_at_checked(1)?;
        to.field(name, Sort::Number, lead);
        walk_items::<T>(name, octets, list.announced(), to);
        Some(&[])
    }
}

impl<'a, T: Field<'a>> Items<'a, T> {
    fn emit(&self, out: &mut BytesMut) {
        match self {
            Items::Wire(octets) => out.put_slice(octets),
            Items::Given(items) => items.iter().for_each(|item| item.emit(out)),
        }
    }
}

/// Groups of fields up to the end of the PDU.
#[derive(Clone, Copy)]
pub struct Tail<'a, T>(Items<'a, T>);

impl<'a, T> Tail<'a, T> {
    /// Groups to send.
    pub fn new(items: &'a [T]) -> Self {
        Self(Items::Given(items))
    }
}

impl<'a, T: Field<'a> + Copy> Tail<'a, T> {
    /// The whole groups, in order; ends early when one is not whole.
    #[inline]
    pub fn iter(&self) -> ListIter<'a, T> {
        ListIter { left: usize::MAX, items: self.0 }
    }
}

impl<'a, T: Field<'a> + Copy> Field<'a> for Tail<'a, T> {
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        Ok((&[], Self(Items::Wire(input))))
    }
    fn emit(&self, out: &mut BytesMut) {
        self.0.emit(out);
    }
    fn show(&self, to: &mut dyn Show) {
        show_items(to, ListHead::default(), self.iter());
    }
    fn walk(name: &'static str, input: &'a [u8], to: &mut dyn Walk<'a>) -> Option<&'a [u8]> {
        walk_items::<T>(name, input, usize::MAX, to);
        Some(&[])
    }
}

/// At most so many groups, to the end of the octets.
fn walk_items<'a, T: Field<'a>>(name: &'static str, octets: &'a [u8], most: usize, to: &mut dyn Walk<'a>) {
    let mut left = octets;
    for _ in 0..most {
        match T::walk(name, left, to) {
            Some(rest) if rest.len() < left.len() => left = rest,
            _ => return,
        }
    }
}

fn show_items<'a, T: Field<'a> + Copy>(to: &mut dyn Show, head: ListHead, items: impl Iterator<Item = T>) {
    to.begin_list(head);
    let mut there = 0;
    for item in items {
        to.item(there);
        item.show(to);
        there += 1;
    }
    to.end_list(head, there);
}

impl<'a, T: Field<'a> + Copy + PartialEq, const PER_BIT: bool> PartialEq for List<'a, T, PER_BIT> {
    fn eq(&self, other: &Self) -> bool {
        self.lead == other.lead && self.iter().eq(other.iter())
    }
}

impl<'a, T: Field<'a> + Copy + Eq, const PER_BIT: bool> Eq for List<'a, T, PER_BIT> {}

impl<'a, T: Field<'a> + Copy + PartialEq> PartialEq for Tail<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: Field<'a> + Copy + Eq> Eq for Tail<'a, T> {}

impl<'a, T: Field<'a> + Copy + fmt::Debug, const PER_BIT: bool> fmt::Debug for List<'a, T, PER_BIT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Field<'a> + Copy + fmt::Debug> fmt::Debug for Tail<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(octets: &[u8]) -> List<'_, u16> {
        List::parse(octets).expect("one octet at least").1
    }

    #[test]
    fn a_count_larger_than_the_payload_keeps_the_whole_groups() {
        let lying = list(&[3, 1, 0, 2, 0, 9]);
        assert_eq!(lying.iter().collect::<Vec<_>>(), [1, 2]);
        assert!(!lying.is_complete());
        assert!(list(&[2, 1, 0, 2, 0]).is_complete());
    }

    #[test]
    fn octets_behind_the_announced_groups_are_not_walked() {
        assert_eq!(list(&[1, 1, 0, 2, 0]).iter().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_mask_announces_as_many_groups_as_it_has_bits() {
        let (_, per_phy) = List::<'_, u16, true>::parse(&[0b101, 1, 0, 2, 0, 3, 0]).expect("whole");
        assert_eq!(per_phy.iter().collect::<Vec<_>>(), [1, 2]);
        assert!(List::<'_, u16, true>::per_bit(0b101, &[1]).is_none());
    }

    #[test]
    fn given_and_received_groups_compare_equal() {
        assert_eq!(list(&[2, 1, 0, 2, 0]), List::new(&[1u16, 2]).expect("two"));
    }
}
