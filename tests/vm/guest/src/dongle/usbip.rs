//! The messages between the kernel's USB/IP host controller and a device (Documentation/usb/usbip_protocol in the
//! kernel's tree). Octets in and out, no I/O. Everything is big-endian but the setup packet.

use std::collections::VecDeque;

/// What the kernel asks of the device.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Submit(Urb),
    Unlink {
        number: u32,
        /// The request that is to be forgotten.
        victim: u32,
    },
}

/// One request for a transfer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Urb {
    pub(super) number: u32,
    /// Without the direction.
    pub(super) endpoint: u32,
    pub(super) incoming: bool,
    /// Octets to be sent to the host at most, or received from it.
    pub(super) length: usize,
    pub(super) setup: [u8; 8],
    /// What the host sends.
    pub(super) data: Vec<u8>,
}

/// The transfer was refused.
pub(super) const STALL: i32 = -32;
/// The request was withdrawn.
const UNLINKED: i32 = -104;

/// Takes the next whole message out of `octets`.
///
/// # Errors
/// When it is none: the stream is lost.
pub(super) fn take_request(octets: &mut VecDeque<u8>) -> Result<Option<Request>, String> {
    let Some(header) = peek(octets) else { return Ok(None) };
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (number, incoming, length, packets) = (word(4), word(12) == 1, word(24) as usize, word(32));
    match word(0) {
        1 if packets == 0 || packets == u32::MAX => {
            let follows = if incoming { 0 } else { length };
            if octets.len() < HEADER + follows {
                return Ok(None);
            }
            octets.drain(..HEADER);
            let data = octets.drain(..follows).collect();
            let setup = header[40..].try_into().map_err(|_| "the setup packet has 8 octets")?;
            Ok(Some(Request::Submit(Urb { number, endpoint: word(16), incoming, length, setup, data })))
        }
        1 => Err("isochronous transfers are not played".into()),
        2 => {
            octets.drain(..HEADER);
            Ok(Some(Request::Unlink { number, victim: word(20) }))
        }
        other => Err(format!("{other:#x} is no USB/IP request")),
    }
}

const HEADER: usize = 48;

fn peek(octets: &VecDeque<u8>) -> Option<[u8; HEADER]> {
    let mut header = [0; HEADER];
    if octets.len() < HEADER {
        return None;
    }
    header.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
    Some(header)
}

/// The end of a transfer: `length` octets were received, or `data` is sent.
pub(super) fn submitted(out: &mut Vec<u8>, number: u32, status: i32, length: usize, data: &[u8]) {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let words = [3, number, 0, 0, 0, status.cast_unsigned(), length, 0, 0, 0, 0, 0];
    words.iter().for_each(|word: &u32| out.extend(word.to_be_bytes()));
    out.extend_from_slice(data);
}

/// The answer to [`Request::Unlink`].
pub(super) fn unlinked(out: &mut Vec<u8>, number: u32, found: bool) {
    let status = if found { UNLINKED } else { 0 };
    let words = [4, number, 0, 0, 0, status.cast_unsigned(), 0, 0, 0, 0, 0, 0];
    words.iter().for_each(|word: &u32| out.extend(word.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submit(incoming: u32, length: u32, data: &[u8]) -> Vec<u8> {
        let words = [1, 7, 0, incoming, 2, 0, length, 0, 0, 0];
        let mut octets: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_be_bytes()).collect();
        octets.extend([0x20, 0, 0, 0, 0, 0, 3, 0]);
        octets.extend_from_slice(data);
        octets
    }

    #[test]
    fn a_message_is_taken_when_all_of_it_is_here() {
        let octets = submit(0, 3, &[3, 12, 0]);
        for cut in 0..octets.len() {
            let mut part: VecDeque<u8> = octets[..cut].to_vec().into();
            assert_eq!(take_request(&mut part), Ok(None));
            assert_eq!(part.len(), cut);
        }
        let mut both: VecDeque<u8> = [octets, submit(1, 64, &[])].concat().into();
        let setup = [0x20, 0, 0, 0, 0, 0, 3, 0];
        let urb = |incoming, length, data| {
            Request::Submit(Urb { number: 7, endpoint: 2, incoming, length, setup, data })
        };
        assert_eq!(take_request(&mut both), Ok(Some(urb(false, 3, vec![3, 12, 0]))));
        assert_eq!(take_request(&mut both), Ok(Some(urb(true, 64, vec![]))));
        assert!(both.is_empty());
    }

    #[test]
    fn answers_are_48_octets_and_what_is_sent() {
        let mut out = vec![];
        submitted(&mut out, 9, STALL, 0, &[]);
        assert_eq!((out.len(), &out[20..24]), (48, &[0xFF, 0xFF, 0xFF, 0xE0][..]));
        submitted(&mut out, 9, 0, 2, &[1, 2]);
        assert_eq!((out.len(), out[48 + 27]), (98, 2));
        let mut out = vec![];
        unlinked(&mut out, 3, true);
        assert_eq!((out.len(), out[3], out[7], out[23]), (48, 4, 3, 0x98));
    }
}
