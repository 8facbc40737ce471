//! What every capture format has in common.

use super::Timestamp;
use crate::transports::{HciPacket, PacketError};
use bytes::Bytes;

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the host to the controller.
    Sent,
    /// From the controller to the host.
    Received,
}

impl Direction {
    /// The other one.
    pub const fn reversed(self) -> Self {
        match self {
            Self::Sent => Self::Received,
            Self::Received => Self::Sent,
        }
    }
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An HCI packet in H4 form, indicator first. Not every format says which way data went (pcap's link type 187).
    Packet(Option<Direction>),
    /// A frame of another serial protocol than H4 (btsnoop 1003: BCSP, 1004: three-wire), as it stands.
    Serial(Direction),
    /// Text for people: a system note of a monitor, a note of PacketLogger.
    Note,
    /// Another record of a Linux monitor: an adapter that came or went, a log line, the management channel. Its opcode;
    /// the data are as that opcode defines them.
    Monitor(u16),
    /// Another record of PacketLogger: a log line, configuration, the link manager. Its type; the data are as they stand.
    PacketLogger(u8),
}

/// One record of a capture.
///
/// ```
/// use baretooth::capture::{Direction, Kind, Record, Timestamp};
/// use baretooth::transports::HciPacket;
/// let reset = HciPacket::new(vec![1, 3, 12, 0])?;
/// let record = Record::packet(Timestamp::UNIX_EPOCH, Direction::Sent, &reset);
/// assert_eq!(record.kind, Kind::Packet(Some(Direction::Sent)));
/// assert_eq!(record.hci(), Ok(reset));
/// # Ok::<(), baretooth::transports::PacketError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub time: Timestamp,
    /// What it is.
    pub kind: Kind,
    /// Which adapter, where the format tells several apart.
    pub adapter: Option<u16>,
    /// The octets; of a packet all of its H4 form, unless the capture was told to keep less.
    pub data: Bytes,
    /// How many octets `data` had before it was cut; never less than are there.
    pub original_length: usize,
    /// What somebody wrote about this record (pcapng).
    pub comments: Vec<String>,
}

impl Record {
    /// A whole packet.
    pub fn packet(time: Timestamp, direction: Direction, packet: &HciPacket) -> Self {
        Self::new(time, Kind::Packet(Some(direction)), packet.bytes().clone())
    }

    /// A record of which nothing was cut.
    pub fn new(time: Timestamp, kind: Kind, data: Bytes) -> Self {
        Self { time, kind, adapter: None, original_length: data.len(), data, comments: Vec::new() }
    }

    /// Which way it went, when it is a packet and that is known.
    pub fn direction(&self) -> Option<Direction> {
        match self.kind {
            Kind::Packet(direction) => direction,
            Kind::Serial(direction) => Some(direction),
            _ => None,
        }
    }

    /// Whether octets are missing at its end.
    pub fn is_cut(&self) -> bool {
        self.original_length > self.data.len()
    }

    /// The packet, when it is one and all of it is there.
    ///
    /// # Errors
    /// When the octets are not one whole HCI packet; those of a note are none either.
    pub fn hci(&self) -> Result<HciPacket, PacketError> {
        match self.kind {
            Kind::Packet(_) => HciPacket::new(self.data.clone()),
            _ => Err(PacketError::Header(0)),
        }
    }
}
