//! Octets on their way: the length of an H4 packet, and reading octets that may not be there.

/// The whole length of the packet that `head` starts, `None` while its header is not complete.
///
/// # Errors
/// The first octet, when it starts no packet.
pub fn packet_length(head: &[u8]) -> Result<Option<usize>, u8> {
    match *head {
        [1 | 3, _, _, length, ..] => Ok(Some(4 + usize::from(length))),
        [2, _, _, low, high, ..] => Ok(Some(5 + usize::from(u16::from_le_bytes([low, high])))),
        [4, _, length, ..] => Ok(Some(3 + usize::from(length))),
        [] | [1..=4, ..] => Ok(None),
        [other, ..] => Err(other),
    }
}

/// The octet at `offset`, zero behind the end.
pub fn octet(octets: &[u8], offset: usize) -> u8 {
    octets.get(offset).copied().unwrap_or_default()
}

/// The little-endian 16-bit number at `offset`, zeros behind the end.
pub fn word(octets: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes([octet(octets, offset), octet(octets, offset + 1)])
}

/// The lower two octets of a length.
pub fn length_octets(length: usize) -> [u8; 2] {
    let [low, high, ..] = length.to_le_bytes();
    [low, high]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_needs_its_header() {
        assert_eq!(packet_length(&[4, 0x0E, 2]), Ok(Some(5)));
        assert_eq!(packet_length(&[4, 0x0E]), Ok(None));
        assert_eq!(packet_length(&[2, 0x40, 0, 1, 1]), Ok(Some(5 + 257)));
        assert_eq!(packet_length(&[]), Ok(None));
        assert_eq!(packet_length(&[9, 0, 0, 0, 0]), Err(9));
    }
}
