//! The records of a capture that pass a filter, as a capture again: with all parts of a frame that passes.

use super::dissect::Dissector;
use super::hold::Hold;
use super::{Filter, Record};

/// Takes records and hands each out again with whether it passes. A filter judges a frame where it ends; here its
/// earlier parts pass with it. For that records wait, but never more than some thousand.
///
/// ```
/// use baretooth::capture::{Reader, Selection};
/// # let file = &include_bytes!("../../captures/heart_rate.btsnoop")[..];
/// let mut selection = Selection::new("layer=att".parse()?);
/// let mut selected = Vec::new();
/// for record in Reader::new(file)? {
///     selection.push(&record?);
///     while let Some((record, passes)) = selection.pop() {
///         selected.extend(passes.then_some(record));
///     }
/// }
/// selection.finish(); // and pop what is left
/// # while let Some((record, passes)) = selection.pop() { selected.extend(passes.then_some(record)); }
/// assert!(selected.iter().all(|record| record.data[0] == 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Selection {
    filter: Filter,
    dissector: Dissector,
    hold: Hold<bool>,
}

impl Selection {
    /// Selects by this filter.
    pub fn new(filter: Filter) -> Self {
        Self { filter, dissector: Dissector::default(), hold: Hold::new() }
    }

    /// Takes the next record.
    pub fn push(&mut self, record: &Record) {
        let packet = self.dissector.read(record);
        let passes = self.filter.matches(&packet);
        for parts in self.hold.push(&packet, passes) {
            join(&mut self.hold, &parts.numbers);
        }
    }

    /// The next record and whether it passes; `None` when it waits for the end of a frame, or there is none.
    pub fn pop(&mut self) -> Option<(Record, bool)> {
        self.hold.pop()
    }

    /// No more records will come: none has to wait any longer.
    pub fn finish(&mut self) {
        while let Some(parts) = self.hold.give_up() {
            join(&mut self.hold, &parts.numbers);
        }
    }
}

/// One passes when another part of its frame does.
fn join(hold: &mut Hold<bool>, numbers: &[u64]) {
    let passes = numbers.iter().any(|&number| hold.get_mut(number).is_some_and(|(_, passes)| *passes));
    for &number in numbers {
        if let Some((_, of)) = hold.get_mut(number) {
            *of = passes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Direction, Kind, Timestamp};

    fn part(link: u8, first: bool, data: &[u8]) -> Record {
        let flags = if first { 0x20 } else { 0x10 };
        let head = [2, link, flags, u8::try_from(data.len()).expect("short"), 0];
        let octets = [&head[..], data].concat();
        Record::new(Timestamp::UNIX_EPOCH, Kind::Packet(Some(Direction::Received)), octets.into())
    }

    fn selected(records: &[Record], filter: &str) -> Vec<usize> {
        let mut selection = Selection::new(filter.parse().expect(filter));
        let (mut passing, mut out) = (Vec::new(), 0);
        let mut take = |selection: &mut Selection, passing: &mut Vec<usize>| {
            while let Some((record, passes)) = selection.pop() {
                assert_eq!(&record, &records[out], "in order");
                passing.extend(passes.then_some(out));
                out += 1;
            }
        };
        for record in records {
            selection.push(record);
            take(&mut selection, &mut passing);
        }
        selection.finish();
        take(&mut selection, &mut passing);
        assert_eq!(out, records.len(), "all come out");
        passing
    }

    #[test]
    fn all_parts_of_a_frame_pass_or_none() {
        let records = [
            part(1, true, b"\x05\x00\x04\x00\x1B\x07"),
            part(2, true, b"\x05\x00\x06\x00\x1B\x07"),
            part(3, true, b"\x01\x00\x04\x00\x13"),
            part(1, false, b"\x00\xAA"),
            part(2, false, b"\x00\xAA\xBB"),
            part(1, false, b"\xBB"),
        ];
        assert_eq!(selected(&records, "layer=att"), [0, 2, 3, 5]);
        assert_eq!(selected(&records, "attribute=7"), [0, 3, 5]);
        assert_eq!(selected(&records, "layer=smp"), [1, 4]);
    }

    #[test]
    fn a_frame_that_never_ends_holds_nothing_up_for_good() {
        let begun = part(1, true, b"\xFF\xFF\x04\x00\x1B");
        for (others, most) in
            [(part(3, true, b"\x01\x00\x04\x00\x13"), 4_096), (part(3, false, &[0; 250]), 4_200)]
        {
            let mut records = vec![begun.clone()];
            records.extend((0..5_000).map(|_| others.clone()));
            assert_eq!(selected(&records, "handle=3").len(), 5_000);
            let mut selection = Selection::new("handle=3".parse().expect("a filter"));
            let waiting = records.iter().map(|record| {
                selection.push(record);
                -1 + i32::from(selection.pop().is_none())
            });
            let first = waiting.take_while(|handed_out| *handed_out == 0).count();
            assert!(0 < first && first <= most, "{first} records wait");
        }
        let records = [begun];
        // Another frame on the same link, or the link's end, cuts it off at once.
        let mut selection = Selection::new("layer=att".parse().expect("a filter"));
        for (next, whole) in [(part(1, true, b"\x01\x00\x04\x00\x13"), true), (ended(), false)] {
            selection.push(&records[0]);
            assert!(selection.pop().is_none());
            selection.push(&next);
            assert_eq!(selection.pop(), Some((records[0].clone(), false)));
            assert_eq!(selection.pop(), Some((next, whole)));
        }
    }

    /// Disconnection Complete of link 1.
    fn ended() -> Record {
        let octets = vec![4, 5, 4, 0, 1, 0, 0x13];
        Record::new(Timestamp::UNIX_EPOCH, Kind::Packet(Some(Direction::Received)), octets.into())
    }
}
