//! What is known of each server's attributes: what discovery said, and the last value of each.

use baretooth::att::{AttPdu, pdu::PduKind};
use baretooth::capture::Direction;
use baretooth::capture::dissect::{Acl, Asked, Attributes, What};
use baretooth::gatt::{CHARACTERISTIC, INCLUDE};
use baretooth::hci::ConnectionHandle;
use baretooth::{Address, Uuid};
use std::collections::BTreeMap;

/// Whose attributes: a peer's, or those of an unknown end of a link; and which way its answers went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    pub peer: Option<Address>,
    /// Only of a link whose peer is not known.
    pub link: Option<(Option<u16>, ConnectionHandle)>,
    /// `Received` when the server is the peer, `Sent` when it is ours.
    pub side: Option<Direction>,
}

/// The values of all servers.
#[derive(Debug, Default)]
pub struct Values {
    servers: BTreeMap<Server, Table>,
    kept: usize,
    /// Values that found no room.
    pub beyond: u64,
    /// Servers that found no room.
    pub servers_beyond: u64,
}

/// One server.
#[derive(Debug, Default)]
pub struct Table {
    /// The last values, by handle.
    pub values: BTreeMap<u16, Value>,
    /// Put in at the end, when everything has been discovered.
    pub attributes: Attributes,
}

/// The last value of an attribute.
#[derive(Clone, Debug, Default)]
pub struct Value {
    /// Its first octets.
    pub octets: Vec<u8>,
    /// All of them.
    pub length: usize,
    /// How it became known.
    pub how: How,
    /// When, in nanoseconds, and in which record.
    pub at: u64,
    pub number: u64,
    pub reads: u32,
    pub writes: u32,
    pub notifications: u32,
    /// The error with which an access was refused last.
    pub refused: Option<baretooth::att::AttError>,
}

/// How a value became known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// Nothing was seen of it.
    #[default]
    Not,
    Read,
    Written,
    Notified,
}

const MOST_SERVERS: usize = 48;
const MOST_VALUES: usize = 4_096;
/// Octets of a value that are kept.
const KEPT: usize = 64;

/// Where and when something happened.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub at: u64,
    pub number: u64,
}

impl Server {
    /// The server that a PDU comes from or goes to.
    pub fn of(acl: &Acl<'_>, adapter: Option<u16>, kind: PduKind) -> Self {
        let from_server = matches!(kind, PduKind::Response | PduKind::Notification | PduKind::Indication);
        let side = if from_server { acl.direction } else { acl.direction.map(Direction::reversed) };
        let link = acl.peer.is_none().then_some((adapter, acl.header.handle));
        Self { peer: acl.peer, link, side }
    }
}

impl Values {
    /// Learns from a PDU. `offset` is that of the request that it answers, of a long read.
    pub fn take(
        &mut self,
        server: Server,
        pdu: &AttPdu<'_>,
        answers: Option<Asked>,
        offset: u16,
        now: Moment,
    ) {
        if self.servers.len() >= MOST_SERVERS && !self.servers.contains_key(&server) {
            self.servers_beyond += 1;
            return;
        }
        self.servers.entry(server).or_default();
        let asked = answers.map(|asked| asked.what);
        match (pdu, asked) {
            (AttPdu::ReadRsp(p), Some(What::Attribute(_, handle))) => {
                if let Some(value) = self.set(server, handle, p.attribute_value.0, How::Read, now) {
                    value.reads += 1;
                }
            }
            (AttPdu::ReadBlobRsp(p), Some(What::Attribute(_, handle))) => {
                self.go_on(server, handle, p.part_attribute_value.0, offset, How::Read, now);
            }
            (AttPdu::ReadByTypeRsp(p), Some(What::Type(_, uuid))) if !is_declaration(uuid) => {
                for (handle, octets) in p.entries() {
                    if let Some(value) = self.set(server, handle, octets, How::Read, now) {
                        value.reads += 1;
                    }
                }
            }
            (AttPdu::WriteReq(p), _) => self.written(server, p.attribute_handle.0, p.attribute_value.0, now),
            (AttPdu::WriteCmd(p), _) => self.written(server, p.attribute_handle.0, p.attribute_value.0, now),
            (AttPdu::PrepareWriteReq(p), _) => {
                let (handle, octets) = (p.attribute_handle.0, p.part_attribute_value.0);
                if p.value_offset == 0 {
                    self.written(server, handle, octets, now);
                } else {
                    self.go_on(server, handle, octets, p.value_offset, How::Written, now);
                }
            }
            (AttPdu::HandleValueNtf(p), _) => {
                self.notified(server, p.attribute_handle.0, p.attribute_value.0, now)
            }
            (AttPdu::HandleValueInd(p), _) => {
                self.notified(server, p.attribute_handle.0, p.attribute_value.0, now)
            }
            (AttPdu::MultipleHandleValueNtf(p), _) => {
                for entry in p.values.iter() {
                    self.notified(server, entry.attribute_handle.0, entry.value.value.0, now);
                }
            }
            (AttPdu::ErrorRsp(p), Some(What::Attribute(_, handle))) => {
                if let Some(value) = self.value(server, handle) {
                    value.refused = Some(p.error_code);
                }
            }
            _ => {}
        }
    }

    fn written(&mut self, server: Server, handle: u16, octets: &[u8], now: Moment) {
        if let Some(value) = self.set(server, handle, octets, How::Written, now) {
            value.writes += 1;
        }
    }

    fn notified(&mut self, server: Server, handle: u16, octets: &[u8], now: Moment) {
        if let Some(value) = self.set(server, handle, octets, How::Notified, now) {
            value.notifications += 1;
        }
    }

    fn set(
        &mut self,
        server: Server,
        handle: u16,
        octets: &[u8],
        how: How,
        now: Moment,
    ) -> Option<&mut Value> {
        let value = self.value(server, handle)?;
        value.octets.clear();
        value.octets.extend_from_slice(&octets[..octets.len().min(KEPT)]);
        value.length = octets.len();
        (value.how, value.at, value.number) = (how, now.at, now.number);
        Some(value)
    }

    /// A later part of a long value, when it goes on where the part before ended.
    fn go_on(&mut self, server: Server, handle: u16, octets: &[u8], offset: u16, how: How, now: Moment) {
        let Some(value) = self.value(server, handle) else { return };
        if value.length == usize::from(offset) && value.how == how {
            let room = KEPT.saturating_sub(value.octets.len());
            value.octets.extend_from_slice(&octets[..octets.len().min(room)]);
            value.length += octets.len();
            (value.at, value.number) = (now.at, now.number);
        }
    }

    fn value(&mut self, server: Server, handle: u16) -> Option<&mut Value> {
        let values = &mut self.servers.get_mut(&server)?.values;
        if !values.contains_key(&handle) {
            if self.kept >= MOST_VALUES {
                self.beyond += 1;
                return None;
            }
            self.kept += 1;
        }
        Some(values.entry(handle).or_default())
    }

    /// Puts in what discovery said.
    pub fn complete(&mut self, attributes: impl Fn(Server) -> Option<Attributes>) {
        for (server, table) in &mut self.servers {
            table.attributes = attributes(*server).unwrap_or_default();
        }
    }

    /// Servers of which something is known.
    pub fn servers(&self) -> impl Iterator<Item = (Server, &Table)> {
        let known = |table: &Table| !table.values.is_empty() || table.attributes.iter().next().is_some();
        self.servers.iter().filter(move |(_, table)| known(table)).map(|(server, table)| (*server, table))
    }
}

/// Answers to discovery, which are no values.
fn is_declaration(uuid: Uuid) -> bool {
    uuid == CHARACTERISTIC || uuid == INCLUDE
}
