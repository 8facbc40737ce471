//! How octets become values and values octets: one trait, the primitives, and the macros that turn a
//! declaration in wire order into a struct with parser, emitter, and what a line, a tree and JSON are made from.
//!
//! Parsing borrows from the packet and never allocates. What must outlive the packet is promoted with
//! `Bytes::slice_ref` by whoever keeps it. All integers are little-endian ([Vol 4] Part E, 5.2).

mod list;
mod macros;
pub mod show;
mod walk;

pub use list::{List, Tail};
pub use walk::{Sort, Walk};

use self::show::Show;
use crate::BdAddr;
use bytes::{BufMut, BytesMut};
use nom::IResult;
use nom::bytes::complete::take;
use nom::number::complete::{le_i8, le_i16, le_u8, le_u16, le_u24, le_u32, le_u64};
use std::fmt;

/// What a parser returns: the octets it left, and the value.
pub type Parsed<'a, T> = IResult<&'a [u8], T>;

/// A value with a place on the wire.
pub trait Field<'a>: Sized {
    /// What it is on the wire.
    const SORT: Sort = Sort::Octets;
    /// Takes the value off the front of `input`.
    ///
    /// # Errors
    /// When the octets end before the value does.
    fn parse(input: &'a [u8]) -> Parsed<'a, Self>;
    /// Appends the value.
    fn emit(&self, out: &mut BytesMut);
    /// Says what the value is made of; key material says only that it is there.
    fn show(&self, to: &mut dyn Show);
    /// Gives the octets that the value has at the front of `input` to `to`, field by field; `name` is what it is called
    /// where it stands. What is left comes back, or `None` when the octets end before the value does.
    fn walk(name: &'static str, input: &'a [u8], to: &mut dyn Walk<'a>) -> Option<&'a [u8]> {
        let (rest, _) = Self::parse(input).ok()?;
        let (octets, rest) = input.split_at(input.len() - rest.len());
        to.field(name, Self::SORT, octets);
        Some(rest)
    }
}

/// Where and in what the octets stopped making sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: malformed at octet {offset}")]
pub struct ParseError {
    /// The packet or PDU, by the specification's name.
    pub what: &'static str,
    /// Octets from its beginning to the field that could not be read.
    pub offset: usize,
}

/// Parses all of `T` and says in `what` it failed; octets behind the value are left to the caller.
pub(crate) fn parse_front<'a, T: Field<'a>>(
    what: &'static str,
    octets: &'a [u8],
) -> Result<(T, &'a [u8]), ParseError> {
    match T::parse(octets) {
        Ok((rest, value)) => Ok((value, rest)),
        Err(nom::Err::Error(e) | nom::Err::Failure(e)) => {
            Err(ParseError { what, offset: octets.len() - e.input.len() })
        }
        Err(nom::Err::Incomplete(_)) => Err(ParseError { what, offset: octets.len() }),
    }
}

/// [`parse_front`] for what newer devices may lengthen: octets behind the value are ignored.
#[inline]
pub(crate) fn front<'a, T: Field<'a>>(what: &'static str, octets: &'a [u8]) -> Result<T, ParseError> {
    parse_front(what, octets).map(|(value, _)| value)
}

/// [`parse_front`] for what is defined to the octet: a rest is an error.
#[inline]
pub(crate) fn whole<'a, T: Field<'a>>(what: &'static str, octets: &'a [u8]) -> Result<T, ParseError> {
    match parse_front(what, octets)? {
        (value, []) => Ok(value),
        (_, rest) => Err(ParseError { what, offset: octets.len() - rest.len() }),
    }
}

/// The failure of a parser at this place.
pub(crate) fn malformed<T>(input: &[u8]) -> Parsed<'_, T> {
    Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify)))
}

/// Octets as a person reads them: two digits each, nothing between.
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

macro_rules! integers {
    ($($integer:ty, $parse:ident, $put:ident;)*) => { $(
        impl<'a> Field<'a> for $integer {
            const SORT: Sort = Sort::Number;
            #[inline]
            fn parse(input: &'a [u8]) -> Parsed<'a, Self> { $parse(input) }
            fn emit(&self, out: &mut BytesMut) { out.$put(*self) }
            fn show(&self, to: &mut dyn Show) { to.number((*self).into()) }
        }
    )* }
}
integers! {
    u8, le_u8, put_u8;
    i8, le_i8, put_i8;
    u16, le_u16, put_u16_le;
    i16, le_i16, put_i16_le;
    u32, le_u32, put_u32_le;
}

/// Eight octets are a mask or a random number wherever they stand: nobody counts with them.
impl<'a> Field<'a> for u64 {
    const SORT: Sort = Sort::Number;
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        le_u64(input)
    }
    fn emit(&self, out: &mut BytesMut) {
        out.put_u64_le(*self);
    }
    fn show(&self, to: &mut dyn Show) {
        to.hex(*self, size_of::<Self>());
    }
}

/// A three-octet integer; the upper octet of the `u32` is never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct U24(pub u32);

impl From<U24> for u32 {
    fn from(n: U24) -> Self {
        n.0
    }
}

impl<'a> Field<'a> for U24 {
    const SORT: Sort = Sort::Number;
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        le_u24(input).map(|(rest, n)| (rest, Self(n)))
    }
    fn emit(&self, out: &mut BytesMut) {
        out.put_slice(&self.0.to_le_bytes()[..3]);
    }
    fn show(&self, to: &mut dyn Show) {
        to.number(self.0.into());
    }
}

/// A number that people know in hexadecimal: a handle, an opcode, a mask.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HexInt<T>(pub T);

impl<T: fmt::UpperHex> fmt::Debug for HexInt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:0width$X}", self.0, width = 2 * size_of::<T>())
    }
}

impl<T: fmt::UpperHex> fmt::Display for HexInt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl<T> From<T> for HexInt<T> {
    fn from(n: T) -> Self {
        Self(n)
    }
}

impl<'a, T: Field<'a> + Copy + Into<u64>> Field<'a> for HexInt<T> {
    const SORT: Sort = Sort::Number;
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        T::parse(input).map(|(rest, n)| (rest, Self(n)))
    }
    fn emit(&self, out: &mut BytesMut) {
        self.0.emit(out);
    }
    fn show(&self, to: &mut dyn Show) {
        to.hex(self.0.into(), size_of::<T>());
    }
}

impl<'a> Field<'a> for BdAddr {
    const SORT: Sort = Sort::Address;
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        <[u8; 6]>::parse(input).map(|(rest, octets)| (rest, Self(octets)))
    }
    fn emit(&self, out: &mut BytesMut) {
        out.put_slice(&self.0);
    }
    fn show(&self, to: &mut dyn Show) {
        to.address(*self);
    }
}

/// A few octets, copied.
impl<'a, const N: usize> Field<'a> for [u8; N] {
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        <&[u8; N]>::parse(input).map(|(rest, octets)| (rest, *octets))
    }
    fn emit(&self, out: &mut BytesMut) {
        out.put_slice(self);
    }
    fn show(&self, to: &mut dyn Show) {
        to.octets(self);
    }
}

/// Many octets of a fixed number, left where they are.
impl<'a, const N: usize> Field<'a> for &'a [u8; N] {
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        match input.split_first_chunk::<N>() {
            Some((octets, rest)) => Ok((rest, octets)),
            None => malformed(input),
        }
    }
    fn emit(&self, out: &mut BytesMut) {
        out.put_slice(*self);
    }
    fn show(&self, to: &mut dyn Show) {
        to.octets(*self);
    }
}

/// Key material: compared and sent like octets, never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a, const N: usize>(pub &'a [u8; N]);

impl<const N: usize> fmt::Debug for Secret<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl<'a, const N: usize> Field<'a> for Secret<'a, N> {
    const SORT: Sort = Sort::Secret;
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        <&[u8; N]>::parse(input).map(|(rest, octets)| (rest, Self(octets)))
    }
    fn emit(&self, out: &mut BytesMut) {
        out.put_slice(self.0);
    }
    fn show(&self, to: &mut dyn Show) {
        to.secret();
    }
}

/// A length octet and that many octets, at most `MAX` when we are the ones who send them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Prefixed<'a, const MAX: usize = 255>(&'a [u8]);

impl<'a, const MAX: usize> Prefixed<'a, MAX> {
    /// `None` for more octets than this place on the wire can hold.
    pub fn new(octets: &'a [u8]) -> Option<Self> {
        (octets.len() <= MAX && octets.len() <= 255).then_some(Self(octets))
    }

    /// The octets behind the length.
    pub fn get(&self) -> &'a [u8] {
        self.0
    }
}

impl<const MAX: usize> fmt::Debug for Prefixed<'_, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Hex(self.0))
    }
}

impl<'a, const MAX: usize> Field<'a> for Prefixed<'a, MAX> {
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, length) = le_u8(input)?;
        take(length)(rest).map(|(rest, octets)| (rest, Self(octets)))
    }
    fn walk(name: &'static str, input: &'a [u8], to: &mut dyn Walk<'a>) -> Option<&'a [u8]> {
        let (lead, behind) = input.split_at_checked(1)?;
        to.field(name, Sort::Number, lead);
        let (octets, rest) = behind.split_at_checked(usize::from(*lead.first()?))?;
        to.field(name, Sort::Octets, octets);
        Some(rest)
    }
    fn emit(&self, out: &mut BytesMut) {
        // At most 255 by both ways of making one.
        out.put_u8(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        out.put_slice(self.0);
    }
    fn show(&self, to: &mut dyn Show) {
        to.octets(self.0);
    }
}

/// Everything that is left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rest<'a>(pub &'a [u8]);

impl fmt::Debug for Rest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Hex(self.0))
    }
}

impl<'a> Field<'a> for Rest<'a> {
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (value, rest) = input.split_at(input.len());
        Ok((rest, Self(value)))
    }
    fn emit(&self, out: &mut BytesMut) {
        out.put_slice(self.0);
    }
    fn show(&self, to: &mut dyn Show) {
        to.octets(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reparse<'a, T: Field<'a>>(octets: &'a [u8]) -> Option<Vec<u8>> {
        let (value, rest) = parse_front::<T>("test", octets).ok()?;
        let mut out = BytesMut::new();
        value.emit(&mut out);
        rest.is_empty().then(|| out.to_vec())
    }

    #[test]
    fn integers_are_little_endian_and_round_trip() {
        assert_eq!(parse_front::<u16>("t", &[0x34, 0x12]).map(|(n, _)| n), Ok(0x1234));
        assert_eq!(parse_front::<U24>("t", &[1, 2, 3]).map(|(n, _)| n), Ok(U24(0x03_0201)));
        assert_eq!(reparse::<U24>(&[1, 2, 3]).as_deref(), Some(&[1, 2, 3][..]));
        assert_eq!(reparse::<u64>(&[1, 2, 3, 4, 5, 6, 7, 8]).as_deref(), Some(&[1, 2, 3, 4, 5, 6, 7, 8][..]));
        assert_eq!(parse_front::<i8>("t", &[0x81]).map(|(n, _)| n), Ok(-127));
    }

    #[test]
    fn an_error_names_the_place() {
        crate::layout! {
            /// Two fields.
            struct Two { a: u16, b: u32 }
        }
        assert_eq!(
            parse_front::<Two>("two", &[1, 0, 9]).map(|_| ()),
            Err(ParseError { what: "two", offset: 2 })
        );
    }

    #[test]
    fn a_length_octet_past_the_end_is_an_error() {
        assert_eq!(reparse::<Prefixed<'_>>(&[3, 1, 2]), None);
        assert_eq!(reparse::<Prefixed<'_>>(&[2, 1, 2]).as_deref(), Some(&[2, 1, 2][..]));
        assert!(Prefixed::<251>::new(&[0; 252]).is_none());
    }

    #[test]
    fn secrets_do_not_print() {
        let key = [0xAB; 16];
        assert!(!format!("{:?}", Secret(&key)).to_lowercase().contains("ab"));
    }
}
