//! Which links and addresses a command or an event names, found by the layouts of the tables.

use crate::BdAddr;
use crate::capture::dissect::Content;
use crate::codec::{Sort, Walk};
use crate::hci::{Command, ConnectionHandle, Event};

/// Whether `is_it` holds for a link that is named.
pub(super) fn any_link(content: &Content<'_>, mut is_it: impl FnMut(ConnectionHandle) -> bool) -> bool {
    any(content, Sort::Link, &mut |octets| match octets {
        [a, b] => is_it(ConnectionHandle(u16::from_le_bytes([*a, *b]) & 0x0FFF)),
        _ => false,
    })
}

/// Whether `is_it` holds for an address that is named.
pub(super) fn any_address(content: &Content<'_>, mut is_it: impl FnMut(BdAddr) -> bool) -> bool {
    any(content, Sort::Address, &mut |octets| {
        <[u8; 6]>::try_from(octets).is_ok_and(|octets| is_it(BdAddr(octets)))
    })
}

fn any(content: &Content<'_>, sort: Sort, is_it: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    let mut search = Search { sort, is_it, found: false };
    match content {
        Content::Command { opcode, parameters, .. } => Command::walk(*opcode, parameters, &mut search),
        Content::Event { code, parameters, .. } => {
            Event::walk_with_return(*code, parameters, &mut search);
        }
        _ => {}
    }
    search.found
}

struct Search<'f> {
    sort: Sort,
    is_it: &'f mut dyn FnMut(&[u8]) -> bool,
    found: bool,
}

impl<'a> Walk<'a> for Search<'_> {
    fn field(&mut self, _name: &'static str, sort: Sort, octets: &'a [u8]) {
        self.found = self.found || sort == self.sort && (self.is_it)(octets);
    }
}
