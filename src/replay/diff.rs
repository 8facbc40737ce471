//! Where a packet that was sent differs from the one that the capture holds, for people.

use super::fields::fields;
use crate::capture::dissect::Dissector;
use crate::capture::{Direction, Record, Timestamp};
use crate::transports::{HciPacket, PacketIndicator};
use std::fmt;

/// Two packets that ought to be the same.
///
/// Prints as four lines: the packet's number, both packets decoded, and the first field in which they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Number of the packet in the capture.
    pub number: u64,
    /// What the capture holds.
    pub expected: HciPacket,
    /// What the host sent.
    pub sent: HciPacket,
}

impl Difference {
    pub(super) fn new(number: u64, expected: HciPacket, sent: HciPacket) -> Self {
        Self { number, expected, sent }
    }

    /// The first octet that differs, counted from the packet indicator; the length of the shorter packet when it is the
    /// beginning of the other.
    pub fn offset(&self) -> usize {
        let pairs = self.expected.as_slice().iter().zip(self.sent.as_slice());
        pairs.take_while(|(a, b)| a == b).count()
    }

    /// The first field that differs: its name, its value in the capture, and what was sent. `None` where the packets
    /// differ in octets that are not shown: keys.
    pub fn field(&self) -> Option<(String, Option<String>, Option<String>)> {
        let (mut expected, mut sent) = (fields(&self.expected).into_iter(), fields(&self.sent).into_iter());
        loop {
            match (expected.next(), sent.next()) {
                (Some(a), Some(b)) if a == b => {}
                (Some((name, a)), Some((other, b))) if name == other => {
                    return Some((name, Some(a), Some(b)));
                }
                (Some((name, a)), _) => return Some((name, Some(a), None)),
                (None, Some((name, b))) => return Some((name, None, Some(b))),
                (None, None) => return None,
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "packet {} differs from the capture", self.number)?;
        writeln!(f, "  expected: {}", decoded(&self.expected))?;
        writeln!(f, "  sent:     {}", decoded(&self.sent))?;
        match self.field() {
            Some((name, expected, sent)) => {
                let (expected, sent) = (expected.as_deref(), sent.as_deref());
                let (expected, sent) = (expected.unwrap_or("nothing"), sent.unwrap_or("nothing"));
                write!(f, "  first difference: {name}: {expected} expected, {sent} sent")
            }
            None => write!(f, "  first difference: octet {}, which is not shown", self.offset()),
        }
    }
}

/// The line of a packet that a host sent, by itself.
pub(super) fn decoded(packet: &HciPacket) -> String {
    let direction = match packet.indicator() {
        PacketIndicator::Event => Direction::Received,
        _ => Direction::Sent,
    };
    Dissector::default().line(&Record::packet(Timestamp::UNIX_EPOCH, direction, packet))
}
