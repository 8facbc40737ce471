//! Values of characteristics as a user types and sees them: hexadecimal, text, or little-endian numbers.

use crate::output::{hex, printable};

/// How values are written. Hexadecimal if none is given.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[group(multiple = false)]
pub struct Format {
    /// Text in UTF-8
    #[arg(long)]
    text: bool,
    /// An unsigned number of 8 bits
    #[arg(long)]
    u8: bool,
    /// An unsigned number of 16 bits, little-endian
    #[arg(long)]
    u16: bool,
    /// An unsigned number of 32 bits, little-endian
    #[arg(long)]
    u32: bool,
    /// An unsigned number of 64 bits, little-endian
    #[arg(long)]
    u64: bool,
    /// A signed number of 8 bits
    #[arg(long)]
    i8: bool,
    /// A signed number of 16 bits, little-endian
    #[arg(long)]
    i16: bool,
    /// A signed number of 32 bits, little-endian
    #[arg(long)]
    i32: bool,
    /// A signed number of 64 bits, little-endian
    #[arg(long)]
    i64: bool,
}

impl Format {
    /// The octets that a text stands for.
    pub fn parse(self, text: &str) -> Result<Vec<u8>, String> {
        if self.text {
            return Ok(text.as_bytes().to_vec());
        }
        let Some((width, signed)) = self.number() else {
            return octets(text)
                .ok_or_else(|| format!("{text:?} is not hexadecimal, such as 0a0b; --text takes text"));
        };
        let refuse = || {
            let sort = if signed { "signed" } else { "unsigned" };
            format!("{text:?} is no {sort} number of {} bits", width * 8)
        };
        let bits = u32::try_from(width * 8).map_err(|_| refuse())?;
        let number: i128 = text.parse().map_err(|_| refuse())?;
        let least = if signed { -(1 << (bits - 1)) } else { 0 };
        if number < least || number >= least + (1 << bits) {
            return Err(refuse());
        }
        Ok(number.to_le_bytes()[..width].to_vec())
    }

    /// A value for people. One that is not of the format is shown in hexadecimal.
    pub fn show(self, value: &[u8]) -> String {
        if self.text {
            return String::from_utf8_lossy(value).escape_debug().to_string();
        }
        match self.number() {
            Some((width, signed)) if value.len() == width => number(value, signed).to_string(),
            Some(_) => hex(value),
            None => match printable(value) {
                _ if value.is_empty() => "(empty)".to_owned(),
                Some(text) => format!("{}  {text:?}", hex(value)),
                None => hex(value),
            },
        }
    }

    /// Octets of the number, and whether it is signed.
    fn number(self) -> Option<(usize, bool)> {
        let sorts = [
            (self.u8, 1, false),
            (self.u16, 2, false),
            (self.u32, 4, false),
            (self.u64, 8, false),
            (self.i8, 1, true),
            (self.i16, 2, true),
            (self.i32, 4, true),
            (self.i64, 8, true),
        ];
        sorts.iter().find(|(chosen, ..)| *chosen).map(|&(_, width, signed)| (width, signed))
    }
}

/// A little-endian number of at most 8 octets.
fn number(value: &[u8], signed: bool) -> i128 {
    let negative = signed && value.last().is_some_and(|octet| octet & 0x80 != 0);
    let mut octets = if negative { [0xFF; 16] } else { [0; 16] };
    octets.iter_mut().zip(value).for_each(|(to, from)| *to = *from);
    i128::from_le_bytes(octets)
}

/// The octets of hexadecimal digits, with `0x`, blanks and colons between them if wanted.
pub fn octets(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !matches!(c, ' ' | ':'))
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_the_default() {
        let hexadecimal = Format::default();
        assert_eq!(hexadecimal.parse("0a0B"), Ok(vec![0x0A, 0x0B]));
        assert_eq!(hexadecimal.parse("0x0a 0b:0c"), Ok(vec![0x0A, 0x0B, 0x0C]));
        assert_eq!(hexadecimal.parse(""), Ok(vec![]));
        for wrong in ["0", "0g", "0x0", "é"] {
            assert!(hexadecimal.parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(hexadecimal.show(b"Hi"), "4869  \"Hi\"");
        assert_eq!(hexadecimal.show(&[0, 1]), "0001");
        assert_eq!(hexadecimal.show(&[]), "(empty)");
    }

    #[test]
    fn numbers_are_little_endian_and_have_their_range() {
        let u16 = Format { u16: true, ..Format::default() };
        assert_eq!(u16.parse("513"), Ok(vec![1, 2]));
        assert_eq!(u16.parse("65535"), Ok(vec![0xFF, 0xFF]));
        assert!(u16.parse("65536").is_err() && u16.parse("-1").is_err() && u16.parse("x").is_err());
        assert_eq!(u16.show(&[1, 2]), "513");
        assert_eq!(u16.show(&[1]), "01", "not a number of that width");
        let i8 = Format { i8: true, ..Format::default() };
        assert_eq!((i8.parse("-128"), i8.parse("127")), (Ok(vec![0x80]), Ok(vec![0x7F])));
        assert!(i8.parse("128").is_err() && i8.parse("-129").is_err());
        assert_eq!(i8.show(&[0xFE]), "-2");
        let u64 = Format { u64: true, ..Format::default() };
        assert_eq!(u64.parse("18446744073709551615"), Ok(vec![0xFF; 8]));
        assert_eq!(u64.show(&[0xFF; 8]), "18446744073709551615");
    }

    #[test]
    fn text_is_taken_as_it_is() {
        let text = Format { text: true, ..Format::default() };
        assert_eq!(text.parse("0a"), Ok(b"0a".to_vec()));
        assert_eq!(text.show(b"a\nb"), "a\\nb");
    }
}
