//! Captures that can be shown to others: keys, addresses, names and values replaced, everything else as it was.
//!
//! What is replaced is found by the tables of packets, never by looking for it. What they do not know is replaced too.

mod advertising;
mod att;
mod fields;
mod pseudonyms;

use self::advertising::Advertisements;
use self::att::Context;
use self::fields::Fields;
use self::pseudonyms::Pseudonyms;
use super::Record;
use super::dissect::{Content, Dissector, Packet};
use super::hold::{Hold, Parts};
use crate::hci::acl::{AclData, PacketBoundary};
use crate::hci::{Command, Event};
use crate::l2cap::ChannelId;
use crate::l2cap::signaling::SignalingCommand;
use crate::smp::SmpPdu;
use crate::transports::PacketError;

/// Takes the records of a capture and hands them out again with nothing in them that tells who somebody is, what was
/// said, or what it was encrypted with. Times, lengths, opcodes, handles and UUIDs stay, so the capture still shows what
/// went on.
///
/// | | becomes |
/// |---|---|
/// | addresses | others of the same sort (the two upper bits stay); `00:00:00:00:00:00` stays |
/// | keys, random numbers, confirm values, public keys, signatures, EDIV and Rand | octets; zeros stay zeros |
/// | names, of devices and in URIs | letters |
/// | attribute values: read, written, notified | letters if they were text, else octets. Declarations and subscriptions stay |
/// | data of services and makers in advertising, and of all AD types that are not the same for many devices | octets |
/// | vendor and unknown packets, other channels, speech and streams, notes and logs | zeros |
/// | comments | nothing |
///
/// The same becomes the same, all through a file, so it can still be seen that a value was read that had been written. That also
/// tells who looks that two values are equal, and how often: of a value with few possibilities, such as a switch, that
/// can be enough. Whoever has the key can find out any value by trying.
///
/// Records wait while a frame that they are parts of is not whole, but never more than some thousand.
///
/// ```
/// use baretooth::capture::{Reader, Redactor, dissect::Dissector};
/// # let file = &include_bytes!("../../captures/heart_rate.btsnoop")[..];
/// # let a_random_key = [7; 32];
/// let mut redactor = Redactor::new(a_random_key);
/// let mut dissector = Dissector::default();
/// let mut lines = Vec::new();
/// for record in Reader::new(file)? {
///     redactor.push(&record?);
///     while let Some(record) = redactor.pop() {
///         lines.push(dissector.line(&record));
///     }
/// }
/// redactor.finish(); // and pop what is left
/// # while let Some(record) = redactor.pop() { lines.push(dissector.line(&record)); }
/// let lines = lines.join("\n");
/// assert!(lines.contains("ATT_READ_RSP of ") && !lines.contains("HR strap"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Redactor {
    names: Pseudonyms,
    dissector: Dissector,
    advertisements: Advertisements,
    hold: Hold<()>,
    counts: Redacted,
}

/// How many places were redacted, by what stood there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Redacted {
    /// Device addresses.
    pub addresses: u64,
    /// Keys, random numbers, confirm values, signatures.
    pub secrets: u64,
    /// Names of devices, URIs.
    pub names: u64,
    /// Attribute values.
    pub values: u64,
    /// Data in advertising.
    pub advertising: u64,
    /// Payloads of which nothing is known.
    pub zeroed: u64,
    /// Comments.
    pub comments: u64,
}

impl Redactor {
    /// Replaces by a key: whoever has it can undo what he can guess, so take a random one and forget it.
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            names: Pseudonyms::new(key),
            dissector: Dissector::default(),
            advertisements: Advertisements::default(),
            hold: Hold::new(),
            counts: Redacted::default(),
        }
    }

    /// Takes the next record.
    pub fn push(&mut self, record: &Record) {
        let Self { names, dissector, advertisements, hold, counts } = self;
        let packet = dissector.read(record);
        let last = hold.next_number();
        let mut rewriter = Rewriter { names, advertisements, counts };
        let ended = hold.push(&packet, ());
        if !matches!(packet.content, Content::Acl(_))
            && let Some((record, ())) = hold.get_mut(last)
        {
            record.data = rewriter.packet(&packet).into();
        }
        if let Some((record, ())) = hold.get_mut(last) {
            rewriter.counts.comments += record.comments.len() as u64;
            record.comments = Vec::new();
        }
        for parts in ended {
            let context = match &packet.content {
                Content::Acl(acl) if parts.numbers.last() == Some(&last) => Context {
                    asked: acl.frame.as_ref().and_then(|frame| frame.answers).map(|asked| asked.what),
                    attributes: acl.attributes,
                    whole: parts.whole,
                },
                _ => Context::default(),
            };
            rewriter.frame(hold, &parts, context);
        }
    }

    /// The next record; `None` when it waits for the end of a frame, or there is none.
    pub fn pop(&mut self) -> Option<Record> {
        self.hold.pop().map(|(record, ())| record)
    }

    /// No more records will come: none has to wait any longer.
    pub fn finish(&mut self) {
        let Self { names, advertisements, hold, counts, .. } = self;
        let mut rewriter = Rewriter { names, advertisements, counts };
        while let Some(parts) = hold.give_up() {
            rewriter.frame(hold, &parts, Context::default());
        }
    }

    /// What was redacted so far.
    pub fn redacted(&self) -> Redacted {
        self.counts
    }
}

/// Neither the key nor what is on its way.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("redacted", &self.counts).finish_non_exhaustive()
    }
}

struct Rewriter<'r> {
    names: &'r Pseudonyms,
    advertisements: &'r mut Advertisements,
    counts: &'r mut Redacted,
}

/// Octets of an ACL packet before its data, with the indicator.
const ACL_HEADER: usize = 5;

impl Rewriter<'_> {
    /// The octets of a record that is no ACL data.
    fn packet(&mut self, packet: &Packet<'_>) -> Vec<u8> {
        let octets = &packet.record.data[..];
        let adapter = packet.record.adapter;
        let parameters: &[u8] = match &packet.content {
            Content::Command { parameters, .. } | Content::Event { parameters, .. } => parameters,
            Content::Synchronous { data, .. } | Content::Diagnostics { data, .. } => data,
            Content::Isochronous(iso) => iso.data,
            // What is there of a header says nothing.
            Content::Broken(PacketError::Header(_)) => octets.get(ACL_HEADER..).unwrap_or_default(),
            _ => octets,
        };
        let mut fields = Fields::new(self.names, self.advertisements, self.counts, adapter);
        let (header, _) = octets.split_at(octets.len() - parameters.len());
        fields.out.extend_from_slice(header);
        match &packet.content {
            Content::Command { opcode, .. } => Command::walk(*opcode, parameters, &mut fields),
            Content::Event { code, .. } => Event::walk_with_return(*code, parameters, &mut fields),
            _ => {}
        }
        fields.finish(octets.len())
    }

    /// Writes the parts of a frame anew.
    fn frame(&mut self, hold: &mut Hold<()>, parts: &Parts, context: Context<'_>) {
        let (mut octets, mut begins) = (Vec::new(), false);
        for (n, &number) in parts.numbers.iter().enumerate() {
            let Some((record, ())) = hold.get_mut(number) else { continue };
            let Ok((acl, _)) = AclData::parse_header(&record.data) else { continue };
            begins |= n == 0 && acl.boundary != PacketBoundary::Continuing;
            octets.extend_from_slice(acl.data);
        }
        let written = match begins {
            true => self.l2cap(&octets, context),
            false => {
                self.counts.zeroed += 1;
                vec![0; octets.len()]
            }
        };
        let mut rest = &written[..];
        for &number in &parts.numbers {
            let Some((record, ())) = hold.get_mut(number) else { continue };
            let (header, data) = record.data.split_at(ACL_HEADER.min(record.data.len()));
            let (mine, behind) = rest.split_at(data.len().min(rest.len()));
            record.data = [header, mine].concat().into();
            rest = behind;
        }
    }

    /// A frame, or the front of one.
    fn l2cap(&mut self, octets: &[u8], context: Context<'_>) -> Vec<u8> {
        let Some(([a, b, c, d], payload)) = octets.split_first_chunk() else { return octets.to_vec() };
        let length = usize::from(u16::from_le_bytes([*a, *b]));
        let (payload, _) = payload.split_at(length.min(payload.len()));
        let channel = ChannelId(u16::from_le_bytes([*c, *d]));
        let mut out = vec![*a, *b, *c, *d];
        out.extend(match channel {
            ChannelId::Attribute => att::rewrite(payload, context, self.names, self.counts),
            ChannelId::SecurityManager => self.fields(payload, 1, |head, rest, fields| {
                SmpPdu::walk(head.first().copied().unwrap_or(0), rest, fields);
            }),
            ChannelId::Signaling | ChannelId::ClassicSignaling => self.signals(payload),
            _ => {
                self.counts.zeroed += u64::from(!payload.is_empty());
                vec![0; payload.len()]
            }
        });
        // More than the frame announces is none of it.
        out.resize(octets.len(), 0);
        out
    }

    /// Commands with their headers of code, identifier and length ([Vol 3] Part A, 4).
    fn signals(&mut self, mut payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while let [code, _, a, b, data @ ..] = payload {
            let length = usize::from(u16::from_le_bytes([*a, *b])).min(data.len());
            let (signal, rest) = payload.split_at(4 + length);
            out.extend(self.fields(signal, 4, |_, data, fields| SignalingCommand::walk(*code, data, fields)));
            payload = rest;
        }
        out.resize(out.len() + payload.len(), 0);
        out
    }

    /// A header that stays, and what a table knows of the octets behind it.
    fn fields(
        &mut self,
        octets: &[u8],
        header: usize,
        walk: impl FnOnce(&[u8], &[u8], &mut Fields<'_>),
    ) -> Vec<u8> {
        let (header, parameters) = octets.split_at(header.min(octets.len()));
        let mut fields = Fields::new(self.names, self.advertisements, self.counts, None);
        fields.out.extend_from_slice(header);
        walk(header, parameters, &mut fields);
        fields.finish(octets.len())
    }
}

#[cfg(test)]
mod tests;
