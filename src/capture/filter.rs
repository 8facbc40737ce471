//! Which packets of a capture to show: conditions on what the dissector read, in words that people can type.
//!
//! A filter chooses among packets that were dissected; it never keeps one from the dissector, which would lose what
//! later ones mean.

mod expression;
mod mention;

pub use expression::{ElapsedError, FilterError};

use self::expression::{Expression, Term};
use super::Timestamp;
use super::dissect::{Acl, Content, Packet, Pdu, What};
use crate::att::AttPdu;
use crate::hci::{AddressType, ConnectionHandle, ErrorCode, Event, LeEvent, Opcode};
use crate::smp::SmpPdu;
use crate::{Address, BdAddr};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::str::FromStr;

/// Conditions on packets, joined by `and`, `or`, `not` and parentheses. Of several values behind one condition, with
/// commas between, one is enough.
///
/// | condition | holds for |
/// |---|---|
/// | `handle=0x0040` | data of this link, and commands and events that name it |
/// | `address=C0:BA:E7:70:00:01` | data of links to this device, and commands, events and reports that name it or such a link |
/// | `layer=att` | `att`, `smp`; `l2cap`: signalling and other channels; `adv`: advertising reports; `command`, `event`, `hci`: both; `acl`: all of its data, fragments too; `sco`, `iso`, `note` |
/// | `time=1.5..2.75` | seconds since the first record of the capture, both ends included; either may be left out |
/// | `attribute=0x0012` | ATT PDUs that name this attribute, and answers to those |
/// | `name=LE_Set*` | commands and what answers them, events, PDUs, by name: `*` any text, `?` any character, upper and lower case alike, `_` for blanks |
/// | `direction=sent` | `sent` by the host, or `received` |
/// | `adapter=0` | one of several adapters in the capture |
///
/// ```
/// use baretooth::capture::{Reader, Filter, dissect::Dissector};
/// # let file = &include_bytes!("../../captures/heart_rate.btsnoop")[..];
/// let mut filter: Filter = "layer=att and not name=*MTU*".parse()?;
/// let mut dissector = Dissector::default();
/// let mut shown = 0;
/// for record in Reader::new(file)? {
///     let record = record?;
///     shown += u32::from(filter.matches(&dissector.read(&record)));
/// }
/// assert!(shown > 10);
/// let error = "layer=tcp".parse::<Filter>().unwrap_err();
/// assert!(error.to_string().contains("one of att, smp, l2cap"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    expression: Expression,
    /// When the capture began.
    first: Option<Timestamp>,
    /// Who is at the other end of each link: the events that end one do not say.
    peers: BTreeMap<Link, Address>,
}

/// A link of one adapter.
type Link = (Option<u16>, ConnectionHandle);

/// Most links that are remembered.
const MOST_LINKS: usize = 4_096;

impl Filter {
    /// Whether to show a packet. Must be given all of a capture's in order: times count from the first, and which link is
    /// whose is told once.
    pub fn matches(&mut self, packet: &Packet<'_>) -> bool {
        let first = *self.first.get_or_insert(packet.record.time);
        self.learn(packet);
        self.expression.holds(&mut |term| self.holds(term, packet, first))
    }

    /// What passes both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { expression: Expression::All(vec![self.expression, other.expression]), ..self }
    }

    /// What passes when a packet is one of this link.
    pub fn link(handle: ConnectionHandle) -> Self {
        Self::from(Expression::Term(Term::Link(vec![handle])))
    }

    /// What passes between two times, counted from the first record; `None` for no end. Both ends pass.
    pub fn time(from: Option<Elapsed>, to: Option<Elapsed>) -> Self {
        Self::from(Expression::Term(Term::Time(vec![(from, to)])))
    }

    fn learn(&mut self, packet: &Packet<'_>) {
        let Content::Event { event: Ok(event), .. } = &packet.content else { return };
        let (status, handle, peer) = match event {
            Event::ConnectionComplete(e) => {
                (e.status, e.connection_handle, AddressType::Public.with(e.bd_addr))
            }
            Event::LeMeta(meta) => match meta.subevent.connection_complete() {
                Some(e) => (e.status, e.connection_handle, e.peer_address_type.with(e.peer_address)),
                None => return,
            },
            _ => return,
        };
        if status != ErrorCode::Success {
            return;
        }
        if self.peers.len() >= MOST_LINKS {
            self.peers.clear();
        }
        let link = (packet.record.adapter, handle);
        match peer {
            Some(peer) => self.peers.insert(link, peer),
            None => self.peers.remove(&link),
        };
    }

    fn holds(&self, term: &Term, packet: &Packet<'_>, first: Timestamp) -> bool {
        match term {
            Term::Link(wanted) => names_link(packet, |handle| wanted.contains(&handle)),
            Term::Address(wanted) => self.concerns(packet, wanted),
            Term::Layer(layers) => layers.iter().any(|layer| layer.holds(&packet.content)),
            Term::Time(ranges) => {
                let elapsed = Elapsed(packet.record.time.nanos_since(first));
                ranges.iter().any(|&(from, to)| {
                    from.is_none_or(|from| from <= elapsed) && to.is_none_or(|to| elapsed <= to)
                })
            }
            Term::Adapter(wanted) => packet.record.adapter.is_some_and(|adapter| wanted.contains(&adapter)),
            Term::Direction(wanted) => {
                let direction = match &packet.content {
                    Content::Acl(acl) => acl.direction,
                    _ => packet.record.direction(),
                };
                direction.is_some_and(|direction| wanted.contains(&direction))
            }
            Term::Attribute(wanted) => match &packet.content {
                Content::Acl(acl) => names_attribute(acl, wanted),
                _ => false,
            },
            Term::Name(globs) => any_name(packet, &mut |name| globs.iter().any(|glob| glob.matches(name))),
        }
    }

    fn concerns(&self, packet: &Packet<'_>, wanted: &[BdAddr]) -> bool {
        let is_wanted = |peer: Option<&Address>| peer.is_some_and(|peer| wanted.contains(&peer.bd_addr));
        let adapter = packet.record.adapter;
        match &packet.content {
            Content::Acl(acl) => {
                is_wanted(acl.peer.as_ref())
                    || acl.frame.as_ref().is_some_and(|frame| match frame.pdu() {
                        Pdu::Smp(Ok(SmpPdu::IdentityAddressInformation(p))) => wanted.contains(&p.bd_addr),
                        _ => false,
                    })
            }
            content => {
                mention::any_address(content, |address| wanted.contains(&address))
                    || names_link(packet, |handle| is_wanted(self.peers.get(&(adapter, handle))))
            }
        }
    }
}

/// Time since the first record, in nanoseconds; negative when the clock was set back. Typed and printed in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Elapsed(pub i64);

/// The parts of a stack that a filter knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Att,
    Smp,
    L2cap,
    Advertising,
    Command,
    Event,
    Hci,
    Acl,
    Sco,
    Iso,
    Note,
}

impl Layer {
    fn holds(self, content: &Content<'_>) -> bool {
        let channel = |of: fn(&Pdu<'_>) -> bool| match content {
            Content::Acl(Acl { frame: Some(frame), .. }) => of(&frame.pdu()),
            _ => false,
        };
        match self {
            Self::Att => channel(|pdu| matches!(pdu, Pdu::Att(_))),
            Self::Smp => channel(|pdu| matches!(pdu, Pdu::Smp(_))),
            Self::L2cap => channel(|pdu| matches!(pdu, Pdu::Signals(_) | Pdu::Other(_))),
            Self::Advertising => is_report(content),
            Self::Command => matches!(content, Content::Command { .. }),
            Self::Event => matches!(content, Content::Event { .. }),
            Self::Hci => matches!(content, Content::Command { .. } | Content::Event { .. }),
            Self::Acl => matches!(content, Content::Acl(_)),
            Self::Sco => matches!(content, Content::Synchronous { .. }),
            Self::Iso => matches!(content, Content::Isochronous(_)),
            Self::Note => matches!(content, Content::Note),
        }
    }
}

fn is_report(content: &Content<'_>) -> bool {
    let Content::Event { event: Ok(Event::LeMeta(meta)), .. } = content else { return false };
    matches!(
        meta.subevent,
        LeEvent::LeAdvertisingReport(_)
            | LeEvent::LeDirectedAdvertisingReport(_)
            | LeEvent::LeExtendedAdvertisingReport(_)
            | LeEvent::LePeriodicAdvertisingReport(_)
            | LeEvent::LePeriodicAdvertisingReportV2(_)
    )
}

fn names_link(packet: &Packet<'_>, mut is_wanted: impl FnMut(ConnectionHandle) -> bool) -> bool {
    match packet.handle() {
        Some(handle) => is_wanted(handle),
        None => mention::any_link(&packet.content, is_wanted),
    }
}

/// Whether the PDU, or the request that it answers, names one of these attributes. A search names none: its handles
/// are where it begins and ends.
fn names_attribute(acl: &Acl<'_>, wanted: &[u16]) -> bool {
    let Some(frame) = &acl.frame else { return false };
    let asked = frame.answers.is_some_and(|asked| match asked.what {
        What::Attribute(_, handle) => wanted.contains(&handle),
        _ => false,
    });
    let Pdu::Att(Ok(pdu)) = frame.pdu() else { return asked };
    let is = |handle: u16| wanted.contains(&handle);
    asked
        || match pdu {
            AttPdu::ErrorRsp(p) => {
                !matches!(p.req_opcode.0, 0x04 | 0x06 | 0x08 | 0x10) && is(p.attribute_handle.0)
            }
            AttPdu::FindInformationRsp(p) => p.entries().any(|(handle, _)| is(handle)),
            AttPdu::FindByTypeValueRsp(p) => p.handles.iter().any(|group| is(group.found_attribute_handle.0)),
            AttPdu::ReadByTypeRsp(p) => p.entries().any(|(handle, _)| is(handle)),
            AttPdu::ReadByGroupTypeRsp(p) => p.entries().any(|(handle, ..)| is(handle)),
            AttPdu::ReadReq(p) => is(p.attribute_handle.0),
            AttPdu::ReadBlobReq(p) => is(p.attribute_handle.0),
            AttPdu::ReadMultipleReq(p) => p.handles.iter().any(|handle| is(handle.0)),
            AttPdu::ReadMultipleVariableReq(p) => p.handles.iter().any(|handle| is(handle.0)),
            AttPdu::WriteReq(p) => is(p.attribute_handle.0),
            AttPdu::WriteCmd(p) => is(p.attribute_handle.0),
            AttPdu::SignedWriteCmd(p) => is(p.attribute_handle.0),
            AttPdu::PrepareWriteReq(p) => is(p.attribute_handle.0),
            AttPdu::PrepareWriteRsp(p) => is(p.attribute_handle.0),
            AttPdu::HandleValueNtf(p) => is(p.attribute_handle.0),
            AttPdu::HandleValueInd(p) => is(p.attribute_handle.0),
            AttPdu::MultipleHandleValueNtf(p) => p.values.iter().any(|value| is(value.attribute_handle.0)),
            _ => false,
        }
}

/// Whether one of the packet's names is it: of its command, event or PDU, and of the command that an event answers.
fn any_name(packet: &Packet<'_>, is_it: &mut dyn FnMut(&str) -> bool) -> bool {
    let mut shown = |name: &dyn Display| is_it(&expression::plain(&name.to_string()));
    match &packet.content {
        Content::Command { opcode, .. } => shown(opcode),
        Content::Event { code, parameters, event, .. } => {
            let answered = match event {
                Ok(Event::CommandComplete(e)) => Some(e.command_opcode),
                Ok(Event::CommandStatus(e)) => Some(e.command_opcode),
                _ => None,
            };
            let subevent = match (Event::name_of(*code), parameters) {
                (Some("LE Meta"), [subevent, ..]) => LeEvent::name_of(*subevent),
                _ => None,
            };
            Event::name_of(*code).is_some_and(|name| shown(&name))
                || subevent.is_some_and(|name| shown(&name))
                || answered.is_some_and(|opcode| opcode != Opcode::NONE && shown(&opcode))
        }
        Content::Acl(Acl { frame: Some(frame), .. }) => match frame.pdu() {
            Pdu::Att(Ok(pdu)) => shown(&pdu.opcode()),
            Pdu::Smp(Ok(pdu)) => SmpPdu::name_of(pdu.code()).is_some_and(|name| shown(&name)),
            Pdu::Signals(mut signals) => signals.any(|signal| {
                let code = signal.ok().map(|signal| signal.code);
                code.and_then(crate::l2cap::signaling::SignalingCommand::name_of)
                    .is_some_and(|name| shown(&name))
            }),
            _ => false,
        },
        _ => false,
    }
}

impl From<Expression> for Filter {
    fn from(expression: Expression) -> Self {
        Self { expression, first: None, peers: BTreeMap::new() }
    }
}

impl FromStr for Filter {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        expression::parse(text).map(Self::from)
    }
}

/// As it may be typed.
impl Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

#[cfg(test)]
mod tests;
