//! One frame of the three-wire transport: header, payload, and the CRC where there is one ([Vol 4] Part D, 4 and 5).
//!
//! ```text
//! octet 0   sequence number (3 bits), acknowledgement number (3), CRC present (1), reliable (1)
//! octet 1   packet type (4), payload length, low 4 bits
//! octet 2   payload length, high 8 bits
//! octet 3   makes the sum of the four octets 0xFF
//! ```

use super::slip;

/// The payload length field has 12 bits.
pub(super) const MAX_PAYLOAD: usize = 0xFFF;
/// Header, the longest payload, CRC.
pub(super) const MAX_FRAME: usize = HEADER + MAX_PAYLOAD + CRC;
const HEADER: usize = 4;
const CRC: usize = 2;

/// Packet type of a frame that only acknowledges. The types 1 to 5 are those of H4.
pub(super) const ACKNOWLEDGEMENT: u8 = 0;
/// Packet type of link control.
pub(super) const LINK_CONTROL: u8 = 15;

/// Sequence numbers count modulo 8.
pub(super) const SEQUENCE_MASK: u8 = 7;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The sequence number of a reliable frame.
    pub(super) sequence: Option<u8>,
    /// The sequence number that the sender expects next.
    pub(super) acknowledgement: u8,
    pub(super) packet_type: u8,
    pub(super) payload: Vec<u8>,
    /// Whether a CRC protects the payload.
    pub(super) crc: bool,
}

/// Why octets between two delimiters are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    Header,
    Length,
    Crc,
}

impl Frame {
    /// Checks and parts a frame.
    pub(super) fn parse(octets: Vec<u8>) -> Result<Self, FrameError> {
        let [flags, low, high, checksum, rest @ ..] = octets.as_slice() else {
            return Err(FrameError::Header);
        };
        let sum = [flags, low, high, checksum].into_iter().fold(0, |sum: u8, octet| sum.wrapping_add(*octet));
        if sum != 0xFF {
            return Err(FrameError::Header);
        }
        let length = usize::from(low >> 4) | usize::from(*high) << 4;
        let crc = flags & CRC_PRESENT != 0;
        let payload = match rest.split_at_checked(length) {
            Some((payload, [])) if !crc => payload,
            Some((payload, [first, second])) if crc => {
                let protected = octets.get(..HEADER + length).unwrap_or_default();
                if crc_of(protected).to_be_bytes() != [*first, *second] {
                    return Err(FrameError::Crc);
                }
                payload
            }
            _ => return Err(FrameError::Length),
        };
        Ok(Self {
            sequence: (flags & RELIABLE != 0).then_some(flags & SEQUENCE_MASK),
            acknowledgement: flags >> 3 & SEQUENCE_MASK,
            packet_type: low & 0x0F,
            payload: payload.to_vec(),
            crc,
        })
    }

    /// The frame as it goes over the line, delimiters included. The payload has at most [`MAX_PAYLOAD`] octets.
    pub(super) fn encode(&self) -> Vec<u8> {
        let [low, high, ..] = self.payload.len().to_le_bytes();
        let flags = self.sequence.map_or(0, |sequence| RELIABLE | sequence & SEQUENCE_MASK)
            | (self.acknowledgement & SEQUENCE_MASK) << 3
            | if self.crc { CRC_PRESENT } else { 0 };
        let (second, third) = (self.packet_type & 0x0F | low << 4, high << 4 | low >> 4);
        let checksum = !flags.wrapping_add(second).wrapping_add(third);
        let mut octets = vec![flags, second, third, checksum];
        octets.extend_from_slice(&self.payload);
        if self.crc {
            let crc = crc_of(&octets);
            octets.extend(crc.to_be_bytes());
        }
        let mut line = Vec::with_capacity(octets.len() + 8);
        slip::encode(octets, &mut line);
        line
    }
}

const RELIABLE: u8 = 0x80;
const CRC_PRESENT: u8 = 0x40;

/// CRC-CCITT over header and payload, each octet from its lowest bit, the register seen from its highest
/// ([Vol 4] Part D, 5).
fn crc_of(octets: &[u8]) -> u16 {
    let register = octets.iter().fold(0xFFFF_u16, |register, &octet| {
        (0..8).fold(register ^ u16::from(octet), |register, _| match register & 1 {
            0 => register >> 1,
            _ => register >> 1 ^ 0x8408,
        })
    });
    register.reverse_bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unwrapped(line: &[u8]) -> Vec<u8> {
        let mut slip = slip::Slip::new(MAX_FRAME);
        let mut frames: Vec<_> = line.iter().filter_map(|&octet| slip.push(octet)).collect();
        assert_eq!(frames.len(), 1);
        frames.remove(0)
    }

    fn frame(sequence: Option<u8>, acknowledgement: u8, packet_type: u8, payload: &[u8], crc: bool) -> Frame {
        Frame { sequence, acknowledgement, packet_type, payload: payload.to_vec(), crc }
    }

    /// The start-up frames of CSR's BCSP, as its chips and the hosts of several makers have them on the line: the same
    /// header, CRC and SLIP, with link control as type 1.
    #[test]
    fn frames_with_a_crc_are_those_that_are_seen_on_lines() {
        let seen: [([u8; 4], [u8; 12]); 4] = [
            (
                [0xDA, 0xDC, 0xED, 0xED],
                [0xC0, 0x40, 0x41, 0x00, 0x7E, 0xDA, 0xDC, 0xED, 0xED, 0xA9, 0x7A, 0xC0],
            ),
            (
                [0xAC, 0xAF, 0xEF, 0xEE],
                [0xC0, 0x40, 0x41, 0x00, 0x7E, 0xAC, 0xAF, 0xEF, 0xEE, 0xBB, 0x84, 0xC0],
            ),
            (
                [0xAD, 0xEF, 0xAC, 0xED],
                [0xC0, 0x40, 0x41, 0x00, 0x7E, 0xAD, 0xEF, 0xAC, 0xED, 0xA1, 0xA6, 0xC0],
            ),
            (
                [0xDE, 0xAD, 0xD0, 0xD0],
                [0xC0, 0x40, 0x41, 0x00, 0x7E, 0xDE, 0xAD, 0xD0, 0xD0, 0x83, 0x58, 0xC0],
            ),
        ];
        for (payload, line) in seen {
            let frame = frame(None, 0, 1, &payload, true);
            assert_eq!(frame.encode(), line);
            assert_eq!(Frame::parse(unwrapped(&line)), Ok(frame));
        }
    }

    #[test]
    fn a_reliable_command_has_its_numbers_type_and_length_in_the_header() {
        let reset = frame(Some(1), 2, 1, &[0x03, 0x0C, 0x00], false);
        let line = [0xC0, 0x91, 0x31, 0x00, 0x3D, 0x03, 0x0C, 0x00, 0xC0];
        assert_eq!(reset.encode(), line);
        assert_eq!(Frame::parse(unwrapped(&line)), Ok(reset));
        // SYNC of the link establishment: type 15, unreliable.
        assert_eq!(
            frame(None, 0, LINK_CONTROL, &[0x01, 0x7E], false).encode(),
            [0xC0, 0x00, 0x2F, 0x00, 0xD0, 0x01, 0x7E, 0xC0]
        );
    }

    #[test]
    fn a_frame_that_lost_or_won_an_octet_or_changed_one_is_none() {
        let whole = unwrapped(&frame(Some(3), 5, 2, &[1, 2, 3, 4, 5], true).encode());
        for at in 0..whole.len() {
            let mut shorter = whole.clone();
            shorter.remove(at);
            assert!(Frame::parse(shorter).is_err(), "without octet {at}");
            let mut longer = whole.clone();
            longer.insert(at, 0x55);
            assert!(Frame::parse(longer).is_err(), "one more at {at}");
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                assert!(Frame::parse(changed).is_err(), "bit {bit} of octet {at}");
            }
        }
        assert_eq!(Frame::parse(vec![]), Err(FrameError::Header));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_parsed_again(
            sequence in proptest::option::of(0..8_u8), acknowledgement in 0..8_u8, packet_type in 0..16_u8,
            payload in proptest::collection::vec(any::<u8>(), 0..64), crc: bool, long: bool,
        ) {
            let payload = if long { vec![0xDB; MAX_PAYLOAD] } else { payload };
            let frame = frame(sequence, acknowledgement, packet_type, &payload, crc);
            prop_assert_eq!(Frame::parse(unwrapped(&frame.encode())), Ok(frame));
        }

        #[test]
        fn any_octets_are_parsed_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Frame::parse(octets);
        }
    }
}
