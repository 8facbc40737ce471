//! What a record means, with types: the one view that lines, fields, counts and filters are made from.

use super::attributes::Attributes;
use crate::Address;
use crate::Uuid;
use crate::att::{AttOpcode, AttPdu};
use crate::capture::{Direction, Record, Timestamp};
use crate::codec::ParseError;
use crate::hci::acl::AclData;
use crate::hci::{Command, ConnectionHandle, Event, Opcode};
use crate::l2cap::signaling::Signal;
use crate::l2cap::{ChannelId, Dropped};
use crate::smp::SmpPdu;
use crate::transports::PacketError;
use bytes::Bytes;

/// A record as the [`Dissector`](super::Dissector) reads it: borrowed from the record and from what earlier ones said.
#[derive(Debug)]
pub struct Packet<'d> {
    /// Which record of the capture, counted from 1.
    pub number: u64,
    /// The record.
    pub record: &'d Record,
    /// What is wrong with its length, unless the capture says itself that it was cut.
    pub flaw: Option<PacketError>,
    /// What it holds.
    pub content: Content<'d>,
}

/// What a record holds. Everything that follows no layout is still there as octets.
#[derive(Debug)]
#[non_exhaustive]
pub enum Content<'d> {
    /// HCI command.
    Command {
        /// Which.
        opcode: Opcode,
        /// Its parameters.
        parameters: &'d [u8],
        /// By its layout; those without one are [`Command::Unknown`].
        command: Result<Command<'d>, ParseError>,
    },
    /// HCI event.
    Event {
        /// Which.
        code: u8,
        /// Its parameters.
        parameters: &'d [u8],
        /// By its layout; those without one are [`Event::Unknown`].
        event: Result<Event<'d>, ParseError>,
        /// The command that it answers, when the capture has it.
        answers: Option<Asked>,
        /// Of the advertising reports in it, one bit each from the lowest: it goes on with data that an earlier one began.
        continued: u64,
    },
    /// ACL data.
    Acl(Acl<'d>),
    /// Synchronous data ([Vol 4] Part E, 5.4.3).
    Synchronous {
        /// The link.
        handle: ConnectionHandle,
        /// Packet_Status_Flag.
        status: u8,
        /// What was said.
        data: &'d [u8],
    },
    /// Isochronous data ([Vol 4] Part E, 5.4.5).
    Isochronous(Isochronous<'d>),
    /// Data on a handle that is no link: what some controllers send out of themselves for those who made them.
    Diagnostics {
        /// The handle.
        handle: ConnectionHandle,
        /// The data.
        data: &'d [u8],
    },
    /// Text, or another record that is no packet: the record's kind says which.
    Note,
    /// Octets that are no HCI packet, or end in its header.
    Broken(PacketError),
}

/// ACL data, and the frame that is whole with it.
#[derive(Debug)]
pub struct Acl<'d> {
    /// Header and data.
    pub header: AclData<'d>,
    /// Which way: as the record says, or by the packet boundary flag where that does not.
    pub direction: Option<Direction>,
    /// Who is at the other end, when the capture has the link's beginning.
    pub peer: Option<Address>,
    /// The frame that ends in this packet.
    pub frame: Option<Frame>,
    /// What did not fit together here.
    pub dropped: Option<Dropped>,
    /// The attributes that an ATT PDU in the frame is about, as far as they were discovered in the capture.
    pub attributes: Option<&'d Attributes>,
}

/// A whole L2CAP frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its channel.
    pub channel: ChannelId,
    /// The PSM or SPSM that a dynamic channel was opened for, when the capture has that.
    pub psm: Option<u16>,
    /// Its payload.
    pub payload: Bytes,
    /// How many packets it came in.
    pub packets: u32,
    /// How many octets of it the capture left out.
    pub missing: usize,
    /// The request that an ATT response answers, or the indication of a confirmation.
    pub answers: Option<Asked>,
}

/// What was asked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which record asked.
    pub number: u64,
    /// When.
    pub time: Timestamp,
    /// For what: the answer does not repeat it.
    pub what: What,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// An HCI command.
    Command(Opcode),
    /// An ATT request of this kind, about no one attribute.
    Att(AttOpcode),
    /// One about an attribute.
    Attribute(AttOpcode, u16),
    /// One for all attributes of a type.
    Type(AttOpcode, Uuid),
}

/// What a frame's channel makes of it.
#[derive(Debug)]
pub enum Pdu<'a> {
    /// An ATT PDU.
    Att(Result<AttPdu<'a>, ParseError>),
    /// An SMP PDU.
    Smp(Result<SmpPdu<'a>, ParseError>),
    /// Commands of the signalling channel.
    Signals(Signals<'a>),
    /// Something of which no more is known here.
    Other(&'a [u8]),
}

/// Isochronous data, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isochronous<'d> {
    /// The stream.
    pub handle: ConnectionHandle,
    /// PB_Flag.
    pub boundary: u8,
    /// Time_Stamp in microseconds, where there is one.
    pub time_stamp: Option<u32>,
    /// Packet_Sequence_Number, at the beginning of an SDU.
    pub sequence_number: Option<u16>,
    /// ISO_SDU_Length, at the beginning of an SDU.
    pub sdu_length: Option<u16>,
    /// Packet_Status_Flag, at the beginning of an SDU.
    pub status: Option<u8>,
    /// The rest.
    pub data: &'d [u8],
}

impl Frame {
    /// The payload by its channel's protocol.
    pub fn pdu(&self) -> Pdu<'_> {
        match self.channel {
            ChannelId::Attribute => Pdu::Att(AttPdu::from_octets(&self.payload)),
            ChannelId::SecurityManager | ChannelId::ClassicSecurityManager => {
                Pdu::Smp(SmpPdu::from_octets(&self.payload))
            }
            ChannelId::Signaling | ChannelId::ClassicSignaling => Pdu::Signals(Signals(&self.payload)),
            _ => Pdu::Other(&self.payload),
        }
    }
}

/// The commands of a signalling frame: one on LE, any number on BR/EDR ([Vol 3] Part A, 4).
#[derive(Clone, Copy, Debug)]
pub struct Signals<'a>(pub &'a [u8]);

impl<'a> Iterator for Signals<'a> {
    type Item = Result<Signal<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let octets = std::mem::take(&mut self.0);
        let length = match octets {
            [] => return None,
            [_, _, a, b, ..] => 4 + usize::from(u16::from_le_bytes([*a, *b])),
            _ => return Some(Signal::parse(octets)),
        };
        match octets.split_at_checked(length) {
            Some((command, rest)) => {
                self.0 = rest;
                Some(Signal::parse(command))
            }
            None => Some(Signal::parse(octets)),
        }
    }
}

impl<'d> Isochronous<'d> {
    /// Reads a packet in H4 form whose length is right.
    pub(super) fn parse(octets: &'d [u8]) -> Option<Self> {
        let [_, a, b, _, _, rest @ ..] = octets else { return None };
        let word = u16::from_le_bytes([*a, *b]);
        let mut iso = Self {
            handle: ConnectionHandle(word & 0x0FFF),
            boundary: u8::try_from(word >> 12 & 0b11).unwrap_or(0),
            time_stamp: None,
            sequence_number: None,
            sdu_length: None,
            status: None,
            data: rest,
        };
        if word >> 14 & 1 == 1 {
            let (stamp, rest) = iso.data.split_first_chunk()?;
            (iso.time_stamp, iso.data) = (Some(u32::from_le_bytes(*stamp)), rest);
        }
        // The first part of an SDU, or all of it.
        if iso.boundary & 1 == 0 {
            let ([a, b, c, d], rest) = iso.data.split_first_chunk()?;
            let length = u16::from_le_bytes([*c, *d]);
            iso.sequence_number = Some(u16::from_le_bytes([*a, *b]));
            iso.sdu_length = Some(length & 0x0FFF);
            iso.status = u8::try_from(length >> 14).ok();
            iso.data = rest;
        }
        Some(iso)
    }
}

impl Packet<'_> {
    /// The link that it is about: of data, of an event or command whose first parameter it is.
    pub fn handle(&self) -> Option<ConnectionHandle> {
        match &self.content {
            Content::Acl(acl) => Some(acl.header.handle),
            Content::Synchronous { handle, .. } | Content::Diagnostics { handle, .. } => Some(*handle),
            Content::Isochronous(iso) => Some(iso.handle),
            _ => None,
        }
    }
}
