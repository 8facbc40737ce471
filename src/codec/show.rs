//! How a value is shown: it says what it is made of to a [`Show`], and the one who asked made that a line of text
//! ([`Line`]), a tree of every field ([`Tree`]) or JSON ([`Json`]).
//!
//! A declaration says this once, by its fields. All three write into octets that the caller uses again; they
//! allocate nothing of their own, and what they write is UTF-8. Whatever came over the air is escaped, and key
//! material has no way in: its type says [`Show::secret`].

pub(crate) mod digits;
mod json;
mod line;
mod tree;

pub use json::Json;
pub use line::Line;
pub use tree::Tree;

use crate::{BdAddr, Uuid};
use std::fmt;

/// Takes what a value is made of, in the order of the wire. Every `begin` is followed by its `end`, every `field`
/// and every `item` by one value.
pub trait Show {
    /// A number as people count.
    fn number(&mut self, value: i64);

    /// A number that people know in hexadecimal, of so many octets: a handle, a mask.
    fn hex(&mut self, value: u64, octets: usize);

    /// A number of so many octets of which some values have names.
    fn named(&mut self, value: u64, octets: usize, name: Option<&str>);

    /// A number of which some values have meanings, for which a line has no room: as people count, or of so many
    /// octets in hexadecimal.
    fn labelled(&mut self, value: u64, octets: Option<usize>, meaning: Option<&str>);

    /// A number of so many octets whose bits have names, the lowest first; an empty name is of a bit that has none.
    fn bits(&mut self, value: u64, octets: usize, names: &[&str]);

    /// A time in the units of the field, and in microseconds.
    fn time(&mut self, value: u32, microseconds: u64);

    /// A device address.
    fn address(&mut self, address: BdAddr);

    /// A UUID, with the name of what it stands for.
    fn uuid(&mut self, uuid: Uuid, name: Option<&str>);

    /// Text as it came over the air.
    fn text(&mut self, text: &str);

    /// Octets of no known meaning.
    fn octets(&mut self, octets: &[u8]);

    /// Advertising data: octets, unless the one who shows can read them.
    fn advertising_data(&mut self, octets: &[u8]) {
        self.octets(octets);
    }

    /// In place of key material.
    fn secret(&mut self);

    /// Fields follow, until [`Show::end`].
    fn begin(&mut self);

    /// The same for what a table tells apart by a code of so many octets; `kind` says what it is when the table has
    /// no name for the code.
    fn begin_named(&mut self, kind: &str, code: u64, octets: usize, name: Option<&str>);

    /// The name of the value that follows.
    fn field(&mut self, name: &'static str);

    /// A field whose name says nothing beside what stands before it: where there is no need, it is left out.
    fn body(&mut self, name: &'static str) {
        self.field(name);
    }

    /// No more fields.
    fn end(&mut self);

    /// Items follow, until [`Show::end_list`] with the same values.
    fn begin_list(&mut self, list: ListHead);

    /// The value that follows is this item, counted from 0.
    fn item(&mut self, index: usize);

    /// No more items: so many were there.
    fn end_list(&mut self, list: ListHead, there: usize);

    /// Offers words for a line that has no room for fields. When this is `true` they were taken, and that was all.
    fn in_words(&mut self, words: &dyn fmt::Display) -> bool {
        let _ = words;
        false
    }
}

/// What is known of a list before its items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListHead {
    /// The mask of which each bit announced an item.
    pub mask: Option<u8>,
    /// How many items were announced, which may be more than there are.
    pub announced: Option<usize>,
}

impl ListHead {
    /// The number announced, when it is not the number of those that are there.
    fn broken(self, there: usize) -> Option<usize> {
        self.announced.filter(|&announced| announced != there)
    }
}

/// Another way to show a field than by its own type: `connection_interval: u16 as Units<1250>` in a declaration.
pub trait View<T> {
    /// Says what the value is made of.
    fn show(value: T, to: &mut dyn Show);
}

/// Times in units of so many microseconds.
#[derive(Debug)]
pub enum Units<const MICROSECONDS: u32> {}

impl<T: Into<u32>, const MICROSECONDS: u32> View<T> for Units<MICROSECONDS> {
    fn show(value: T, to: &mut dyn Show) {
        let value = value.into();
        to.time(value, u64::from(value) * u64::from(MICROSECONDS));
    }
}

/// Octets that are advertising data.
#[derive(Debug)]
pub enum Advertising {}

impl<'a, const MAX: usize> View<super::Prefixed<'a, MAX>> for Advertising {
    fn show(value: super::Prefixed<'a, MAX>, to: &mut dyn Show) {
        to.advertising_data(value.get());
    }
}

impl<const N: usize> View<&[u8; N]> for Advertising {
    fn show(value: &[u8; N], to: &mut dyn Show) {
        to.advertising_data(value);
    }
}

/// Reads advertising data for [`Tree::advertising`] and [`Json::advertising`].
pub type ShowOctets = fn(&[u8], &mut dyn Show);

/// The names of the bits that are set, lowest first; the number of one that has none.
fn set_bits<'a>(value: u64, names: &'a [&'a str]) -> impl Iterator<Item = Result<&'a str, u8>> {
    (0u8..64).filter(move |bit| value >> bit & 1 == 1).map(|bit| match names.get(usize::from(bit)) {
        Some(&name) if !name.is_empty() => Ok(name),
        _ => Err(bit),
    })
}

/// Gives `f` the line that `show` makes: what `Display` of every declaration is.
///
/// # Errors
/// Those of the formatter.
#[doc(hidden)]
pub fn display(f: &mut fmt::Formatter<'_>, show: impl FnOnce(&mut dyn Show)) -> fmt::Result {
    let mut octets = Vec::with_capacity(128);
    show(&mut Line::new(&mut octets));
    f.write_str(std::str::from_utf8(&octets).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
mod tests;
