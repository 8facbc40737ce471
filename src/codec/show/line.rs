//! One line of text for people: `status=Success connection_handle=0x0040`.

use super::{ListHead, Show, digits};
use crate::{BdAddr, Uuid};
use std::fmt;

/// Octets of a run that a line shows when it is longer than [`LONG`].
const SHOWN: usize = 16;
/// Longest run of octets that a line shows whole.
const LONG: usize = 24;

/// Writes one line: names stand for their numbers, and long runs of octets are cut.
///
/// ```
/// use baretooth::codec::show::{Line, Show};
/// let mut out = Vec::new();
/// let mut line = Line::new(&mut out);
/// line.begin();
/// line.field("status");
/// line.named(0x05, 1, Some("Authentication Failure"));
/// line.field("connection_handle");
/// line.hex(0x0040, 2);
/// line.end();
/// assert_eq!(out, b"status=Authentication Failure connection_handle=0x0040");
/// ```
#[derive(Debug)]
pub struct Line<'o> {
    out: &'o mut Vec<u8>,
    /// Nothing stands yet in the structure or list that is open.
    first: bool,
    /// Where the last item of a list begins, and where the one that it may repeat stands.
    item: usize,
    said: (usize, usize),
}

impl<'o> Line<'o> {
    /// Appends to `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, first: true, item: 0, said: (0, 0) }
    }

    /// Writes `same` for the last of so many items if it says what the one before says.
    fn shorten(&mut self, items: usize) {
        let (start, end) = self.said;
        let repeats = items >= 2 && end - start > 8 && self.out.get(start..end) == self.out.get(self.item..);
        if repeats {
            self.out.truncate(self.item);
            self.out.extend_from_slice(b"same");
        } else {
            self.said = (self.item, self.out.len());
        }
    }

    fn separate(&mut self, separator: &[u8]) {
        if !std::mem::take(&mut self.first) {
            self.out.extend_from_slice(separator);
        }
    }
}

impl Show for Line<'_> {
    fn number(&mut self, value: i64) {
        digits::decimal(self.out, value);
    }

    fn hex(&mut self, value: u64, octets: usize) {
        digits::hex(self.out, value, octets);
    }

    fn named(&mut self, value: u64, octets: usize, name: Option<&str>) {
        match name {
            Some(name) => self.out.extend_from_slice(name.as_bytes()),
            None => digits::hex(self.out, value, octets),
        }
    }

    fn labelled(&mut self, value: u64, octets: Option<usize>, _meaning: Option<&str>) {
        match octets {
            Some(octets) => digits::hex(self.out, value, octets),
            None => digits::unsigned(self.out, value),
        }
    }

    fn bits(&mut self, value: u64, octets: usize, _names: &[&str]) {
        digits::hex(self.out, value, octets);
    }

    fn time(&mut self, _value: u32, microseconds: u64) {
        match microseconds {
            0 => self.out.push(b'0'),
            _ => digits::time(self.out, microseconds),
        }
    }

    fn address(&mut self, address: BdAddr) {
        digits::address(self.out, address);
    }

    fn uuid(&mut self, uuid: Uuid, name: Option<&str>) {
        match name {
            Some(name) => self.out.extend_from_slice(name.as_bytes()),
            None => digits::uuid(self.out, uuid),
        }
    }

    fn text(&mut self, text: &str) {
        digits::quoted(self.out, text);
    }

    fn octets(&mut self, octets: &[u8]) {
        match octets.get(..SHOWN) {
            Some(front) if octets.len() > LONG => {
                digits::octets(self.out, front);
                self.out.extend_from_slice("… (".as_bytes());
                digits::unsigned(self.out, u64::try_from(octets.len()).unwrap_or(u64::MAX));
                self.out.extend_from_slice(b" octets)");
            }
            _ => digits::octets(self.out, octets),
        }
    }

    fn secret(&mut self) {
        self.out.extend_from_slice(b"<secret>");
    }

    fn begin(&mut self) {
        self.first = true;
    }

    fn begin_named(&mut self, kind: &str, code: u64, octets: usize, name: Option<&str>) {
        match name {
            Some(name) => self.out.extend_from_slice(name.as_bytes()),
            None => {
                self.out.extend_from_slice(kind.as_bytes());
                self.out.push(b' ');
                digits::hex(self.out, code, octets);
            }
        }
        self.first = false;
    }

    fn field(&mut self, name: &'static str) {
        self.separate(b" ");
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'=');
    }

    fn body(&mut self, _name: &'static str) {
        self.separate(b" ");
    }

    fn end(&mut self) {
        self.first = false;
    }

    fn begin_list(&mut self, list: ListHead) {
        if let Some(mask) = list.mask {
            digits::hex(self.out, mask.into(), 1);
        }
        self.out.push(b'[');
        self.first = true;
    }

    fn item(&mut self, index: usize) {
        self.shorten(index);
        self.separate(b"; ");
        self.item = self.out.len();
    }

    fn end_list(&mut self, list: ListHead, there: usize) {
        self.shorten(there);
        self.out.push(b']');
        self.first = false;
        if let Some(announced) = list.broken(there) {
            self.out.extend_from_slice(b" of ");
            digits::unsigned(self.out, u64::try_from(announced).unwrap_or(u64::MAX));
            self.out.extend_from_slice(b" (malformed)");
        }
    }

    fn in_words(&mut self, words: &dyn fmt::Display) -> bool {
        digits::formatted(self.out, format_args!("{words}"));
        true
    }
}
