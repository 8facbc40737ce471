//! A value's octets field by field: where an address, the handle of a link or key material stands on the wire. For
//! those that look for such fields, and for those that replace them.
//!
//! The same declarations say it that parse and emit. What a type does not say of itself are octets, and what cannot be
//! parsed is never given out as a field: whoever must not miss anything keeps count of what is left.

/// What a field is, as far as its type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A number, or what it stands for.
    Number,
    /// The handle of a link.
    Link,
    /// A device address.
    Address,
    /// Key material.
    Secret,
    /// Octets; the field's name tells what they hold.
    Octets,
}

/// Takes fields in the order of the wire.
pub trait Walk<'a> {
    /// The next field: what its declaration calls it, and its octets, which stand behind those of the last one.
    fn field(&mut self, name: &'static str, sort: Sort, octets: &'a [u8]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hci::{Event, LeEvent, Opcode};

    #[derive(Default)]
    struct Seen(Vec<(&'static str, Sort, Vec<u8>)>);

    impl<'a> Walk<'a> for Seen {
        fn field(&mut self, name: &'static str, sort: Sort, octets: &'a [u8]) {
            self.0.push((name, sort, octets.to_vec()));
        }
    }

    #[test]
    fn fields_come_in_order_with_their_sorts_and_all_their_octets() {
        let mut seen = Seen::default();
        let report = [0x02, 1, 0, 1, 1, 2, 3, 4, 5, 6, 2, 0xAA, 0xBB, 0xCE, 0xEE];
        Event::walk(0x3E, &report, &mut seen);
        let octets: Vec<u8> = seen.0.iter().flat_map(|(_, _, octets)| octets.clone()).collect();
        assert_eq!(octets, report[..14], "what stands behind the announced reports is no field");
        let of = |name| seen.0.iter().find(|field| field.0 == name).expect(name);
        assert_eq!(of("address"), &("address", Sort::Address, vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(of("data").1, Sort::Number, "its length");
        assert_eq!(seen.0[6], ("data", Sort::Octets, vec![0xAA, 0xBB]));
        assert_eq!(of("rssi"), &("rssi", Sort::Number, vec![0xCE]));
    }

    #[test]
    fn a_value_that_is_not_whole_gives_the_fields_that_are() {
        let mut seen = Seen::default();
        LeEvent::walk(0x05, &[0x40, 0, 1, 2, 3], &mut seen);
        assert_eq!(seen.0, [("connection_handle", Sort::Link, vec![0x40, 0])]);
    }

    #[test]
    fn what_a_command_returned_is_walked_by_its_layout() {
        let mut seen = Seen::default();
        Opcode(0x1009).walk_return(&[0, 1, 2, 3, 4, 5, 6], &mut seen);
        assert_eq!(seen.0[1], ("bd_addr", Sort::Address, vec![1, 2, 3, 4, 5, 6]));
        Opcode(0xFC01).walk_return(&[0, 1], &mut seen);
        assert_eq!(seen.0.len(), 2, "of a command of no table nothing is known");
    }
}
