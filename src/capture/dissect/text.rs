//! Numbers and octets onto a line. Written out by hand: a capture has millions of them.

use crate::BdAddr;
use crate::Uuid;

/// Octets of a run that a line shows when it is longer than `LONG`.
const SHOWN: usize = 16;
/// Longest run of octets that is shown whole.
const LONG: usize = 24;

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// Octets, two digits each; of a long run only the beginning.
pub(super) fn octets(out: &mut String, octets: &[u8]) {
    match octets.split_at_checked(SHOWN) {
        Some((front, _)) if octets.len() > LONG => {
            digits(out, front);
            out.push_str("… (");
            decimal(out, octets.len());
            out.push_str(" octets)");
        }
        _ => digits(out, octets),
    }
}

fn digits(out: &mut String, octets: &[u8]) {
    // A piece at a time onto the stack: a push for each digit would check the room each time.
    for piece in octets.chunks(LONG) {
        let mut text = [0; 2 * LONG];
        for (pair, octet) in text.chunks_exact_mut(2).zip(piece) {
            pair.copy_from_slice(&pair_of(LOWER, *octet));
        }
        push(out, &text[..2 * piece.len()]);
    }
}

/// A 16-bit number as `0x0040`.
pub(super) fn hex16(out: &mut String, number: u16) {
    let [high, low] = number.to_be_bytes();
    let ([a, b], [c, d]) = (pair_of(UPPER, high), pair_of(UPPER, low));
    push(out, &[b'0', b'x', a, b, c, d]);
}

/// Two digits in capitals.
pub(super) fn hex8(out: &mut String, octet: u8) {
    push(out, &pair_of(UPPER, octet));
}

/// An address as `C0:BA:E7:70:00:01`.
pub(super) fn address(out: &mut String, address: BdAddr) {
    let mut text = [b':'; 17];
    for (pair, octet) in text.chunks_mut(3).zip(address.0.iter().rev()) {
        pair[..2].copy_from_slice(&pair_of(UPPER, *octet));
    }
    push(out, &text);
}

/// A number.
pub(super) fn decimal(out: &mut String, number: usize) {
    let mut digits = [0; 20];
    let (mut rest, mut at) = (number, digits.len());
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    push(out, &digits[at..]);
}

/// A number with its sign.
pub(super) fn signed(out: &mut String, number: i8) {
    if number < 0 {
        out.push('-');
    }
    decimal(out, usize::from(number.unsigned_abs()));
}

/// A UUID as it stands on the wire, by its name where it has one; whatever else stands there as octets.
pub(super) fn uuid(out: &mut String, wire: &[u8]) {
    match Uuid::from_wire(wire) {
        Some(uuid) => super::attributes::write_uuid(uuid, out),
        None => octets(out, wire),
    }
}

/// Cuts the long runs of hexadecimal digits in what was written from there on by something that knows no such limit.
pub(super) fn shorten(out: &mut String, from: usize) {
    if out.len() - from <= 2 * LONG {
        return;
    }
    let line = out.split_off(from);
    let mut rest = &line[..];
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, run) = rest.split_at(start);
        let (run, behind) = run.split_at(run.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(run.len()));
        out.push_str(before);
        match run.get(..2 * SHOWN) {
            Some(front) if run.len() > 2 * LONG => {
                out.push_str(front);
                out.push_str("… (");
                decimal(out, run.len() / 2);
                out.push_str(" octets)");
            }
            _ => out.push_str(run),
        }
        rest = behind;
    }
    out.push_str(rest);
}

fn pair_of(alphabet: &[u8; 16], octet: u8) -> [u8; 2] {
    [alphabet[usize::from(octet >> 4)], alphabet[usize::from(octet & 0x0F)]]
}

/// Appends what is made of ASCII alone.
fn push(out: &mut String, ascii: &[u8]) {
    out.push_str(std::str::from_utf8(ascii).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn long_runs_of_octets_are_cut() {
        assert_eq!(text(|out| octets(out, &[0xAB; 24])), "ab".repeat(24));
        assert_eq!(text(|out| octets(out, &[0xAB; 25])), format!("{}… (25 octets)", "ab".repeat(16)));
    }

    #[test]
    fn runs_in_a_finished_text_are_cut_whichever_case_they_have() {
        let run = "AB".repeat(25);
        let mut out = format!("{run} x {run}, y");
        shorten(&mut out, run.len());
        assert_eq!(out, format!("{run} x {}… (25 octets), y", "AB".repeat(16)));
    }

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        for number in [0, 7, 10, 99, 65_535, usize::MAX] {
            assert_eq!(text(|out| decimal(out, number)), number.to_string());
        }
        for number in [0, -1, 127, -128] {
            assert_eq!(text(|out| signed(out, number)), number.to_string());
        }
        assert_eq!(text(|out| hex16(out, 0x0A5F)), "0x0A5F");
        assert_eq!(text(|out| address(out, BdAddr([1, 0, 0x70, 0xE7, 0xBA, 0xC0]))), "C0:BA:E7:70:00:01");
    }
}
