//! The attribute table of every peripheral, and its server.
//!
//! | handle | what |
//! |---|---|
//! | 3 | Device Name |
//! | 7 | echo: read, write, write command; 20 octets at first |
//! | 9, 10 | flood: notifications, each beginning with a 32-bit sequence number; its configuration |
//! | 12 | control: a 32-bit number and a 16-bit length of notifications; number 0 is endless |
//! | 14 | sink: 512 octets; what is written is counted and thrown away |
//! | 16 | how many write commands this link has brought, 64 bits |
//! | 18 | client: a 16-bit handle of the host's value, and a 32-bit number of reads before the subscription to it |
//! | 20 | how many notifications or SDUs of the host have come, and how many were missing, 64 bits each |
//!
//! A flood starts when its configuration becomes 1, or when control is written while it is.

use super::{CID_ATT, Controller};
use crate::h4::{length_octets, octet, word};
use std::borrow::Cow;
use std::time::Duration;

/// Handle of the value that is read and written.
pub const ECHO: u8 = 7;
/// Handle of the notifications' value.
pub const FLOOD: u8 = 9;
/// Handle of their configuration.
pub const FLOOD_CONFIGURATION: u8 = 10;
/// Handle that says how many notifications, and how long.
pub const CONTROL: u8 = 12;
/// Handle that takes any write.
pub const SINK: u8 = 14;
/// Handle of the count of write commands.
pub const WRITE_COUNT: u8 = 16;

/// Handle that makes the peripheral a client of the host.
pub const CLIENT: u8 = 18;
/// Handle of what the client has seen.
pub const SEEN: u8 = 20;

/// What one link has made of its table.
pub(super) struct Server {
    echo: Vec<u8>,
    subscribed: bool,
    write_commands: u64,
    notifications: u64,
    pub(super) notification_length: usize,
}

impl Default for Server {
    fn default() -> Self {
        let echo = vec![0x42; 20];
        Self { echo, subscribed: false, write_commands: 0, notifications: u64::MAX, notification_length: 20 }
    }
}

impl Server {
    fn value<'a>(&'a self, attribute: &'a Attribute) -> Cow<'a, [u8]> {
        match u8::try_from(attribute.handle) {
            Ok(ECHO) => Cow::Borrowed(&self.echo),
            Ok(FLOOD_CONFIGURATION) => Cow::Owned(vec![u8::from(self.subscribed), 0]),
            Ok(WRITE_COUNT) => Cow::Owned(self.write_commands.to_le_bytes().to_vec()),
            _ => Cow::Borrowed(attribute.value),
        }
    }
}

impl Controller {
    /// Takes one ATT PDU and adds its answer.
    pub(super) fn att(&mut self, now: Duration, index: usize, pdu: &[u8]) {
        let (opcode, handle) = (octet(pdu, 0), word(pdu, 1));
        match opcode {
            0x52 => {
                self.counters.write_commands += 1;
                self.links[index].server.write_commands += 1;
                self.write(now, index, handle, pdu.get(3..).unwrap_or_default());
                return;
            }
            // Confirmations and other commands are not answered.
            0x1E => return,
            command if command & 0x40 != 0 => return,
            _ if self.client(index, pdu) => return,
            _ => self.counters.requests += 1,
        }
        let room = self.links[index].mtu.saturating_sub(1);
        let answer = match opcode {
            0x02 => {
                self.links[index].mtu = usize::from(handle.min(self.options.mtu).max(23));
                let [low, high] = self.options.mtu.to_le_bytes();
                Ok(vec![3, low, high])
            }
            0x0A => return self.read(index, handle, room),
            0x0C => self.read_blob(index, handle, usize::from(word(pdu, 3)), room),
            0x12 => {
                // The response stands before the flood that the write may start: that one is added later.
                if self.write(now, index, handle, pdu.get(3..).unwrap_or_default()) {
                    Ok(vec![0x13])
                } else {
                    Err(0x03)
                }
            }
            0x04 => list(vec![5, 1], within(handle, word(pdu, 3)).map(|a| pair(a.handle, a.kind)), room),
            0x06 => {
                let groups = groups(pdu).filter(|group| group.2 == word(pdu, 7));
                list(vec![7], groups.map(|(first, last, _)| pair(first, last)), room)
            }
            0x10 => {
                let groups = groups(pdu).map(|(a, b, c)| [pair(a, b), c.to_le_bytes().to_vec()].concat());
                list(vec![0x11, 6], groups, room)
            }
            0x08 => self.read_by_type(index, pdu, room),
            _ => Err(0x06),
        };
        match answer {
            Ok(answer) => {
                self.send(index, CID_ATT, |out| out.extend_from_slice(&answer));
                if opcode == 0x12 && handle == u16::from(CLIENT) {
                    self.ask(index);
                }
            }
            Err(code) => self.error(index, opcode, handle, code),
        }
    }

    /// The one request that is measured by itself: reading the echo allocates nothing.
    fn read(&mut self, index: usize, handle: u16, room: usize) {
        let Some(attribute) = attribute(handle) else { return self.error(index, 0x0A, handle, 0x01) };
        let echo = std::mem::take(&mut self.links[index].server.echo);
        let other = match u8::try_from(handle) {
            Ok(SEEN) => self.links[index].client.seen(),
            _ => self.links[index].server.value(attribute).into_owned(),
        };
        let value = if handle == u16::from(ECHO) { &echo } else { &other };
        self.send(index, CID_ATT, |out| {
            out.push(0x0B);
            out.extend_from_slice(&value[..value.len().min(room)]);
        });
        self.links[index].server.echo = echo;
    }

    fn read_blob(&self, index: usize, handle: u16, offset: usize, room: usize) -> Result<Vec<u8>, u8> {
        let value = self.links[index].server.value(attribute(handle).ok_or(0x01)?);
        let part = value.get(offset..).ok_or(0x07)?;
        Ok([&[0x0D], &part[..part.len().min(room)]].concat())
    }

    fn read_by_type(&self, index: usize, pdu: &[u8], room: usize) -> Result<Vec<u8>, u8> {
        let server = &self.links[index].server;
        let most = (room - 3).min(253);
        let mut found = within(word(pdu, 1), word(pdu, 3))
            .filter(|attribute| pdu.len() == 7 && attribute.kind == word(pdu, 5))
            .map(|attribute| {
                let value = server.value(attribute);
                [&attribute.handle.to_le_bytes(), &value[..value.len().min(most)]].concat()
            })
            .peekable();
        let length = found.peek().ok_or(0x0A)?.len();
        list(vec![9, length_octets(length)[0]], found.take_while(|entry| entry.len() == length), room)
    }

    /// Whether the attribute can be written.
    fn write(&mut self, now: Duration, index: usize, handle: u16, value: &[u8]) -> bool {
        let link = &mut self.links[index];
        match u8::try_from(handle) {
            Ok(SINK) => return true,
            Ok(ECHO) => {
                link.server.echo.clear();
                link.server.echo.extend_from_slice(value);
                return true;
            }
            Ok(FLOOD_CONFIGURATION) => link.server.subscribed = octet(value, 0) & 1 != 0,
            Ok(CONTROL) => {
                if let [a, b, c, d, low, high, ..] = *value {
                    let count = u64::from(u32::from_le_bytes([a, b, c, d]));
                    link.server.notifications = if count == 0 { u64::MAX } else { count };
                    link.server.notification_length = usize::from(u16::from_le_bytes([low, high]));
                }
            }
            Ok(CLIENT) => {
                link.client.instruct(value);
                return true;
            }
            _ => return false,
        }
        link.flood.start(now, if link.server.subscribed { link.server.notifications } else { 0 });
        true
    }

    fn error(&mut self, index: usize, opcode: u8, handle: u16, code: u8) {
        let [low, high] = handle.to_le_bytes();
        self.send(index, CID_ATT, |out| out.extend([1, opcode, low, high, code]));
    }
}

/// As many of `entries` as fit behind `head`; Attribute Not Found when there are none.
fn list(head: Vec<u8>, entries: impl Iterator<Item = Vec<u8>>, room: usize) -> Result<Vec<u8>, u8> {
    let empty = head.len();
    let mut out = head;
    for entry in entries {
        if out.len() + entry.len() > room + 1 {
            break;
        }
        out.extend(entry);
    }
    if out.len() == empty { Err(0x0A) } else { Ok(out) }
}

fn pair(a: u16, b: u16) -> Vec<u8> {
    [a.to_le_bytes(), b.to_le_bytes()].concat()
}

fn attribute(handle: u16) -> Option<&'static Attribute> {
    TABLE.iter().find(|attribute| attribute.handle == handle)
}

fn within(first: u16, last: u16) -> impl Iterator<Item = &'static Attribute> {
    TABLE.iter().filter(move |attribute| (first..=last).contains(&attribute.handle))
}

/// First handle, last handle and UUID of the primary services a request asks for.
fn groups(pdu: &[u8]) -> impl Iterator<Item = (u16, u16, u16)> + use<> {
    let (first, last, kind) = (word(pdu, 1), word(pdu, 3), word(pdu, 5));
    SERVICES.into_iter().filter(move |group| kind == PRIMARY_SERVICE && (first..=last).contains(&group.0))
}

struct Attribute {
    handle: u16,
    kind: u16,
    value: &'static [u8],
}

const fn row(handle: u16, kind: u16, value: &'static [u8]) -> Attribute {
    Attribute { handle, kind, value }
}

const PRIMARY_SERVICE: u16 = 0x2800;
const CHARACTERISTIC: u16 = 0x2803;
const SERVICES: [(u16, u16, u16); 3] = [(1, 3, 0x1800), (4, 4, 0x1801), (5, 20, 0xFFF0)];
static TABLE: [Attribute; 20] = [
    row(1, PRIMARY_SERVICE, &[0x00, 0x18]),
    row(2, CHARACTERISTIC, &[0x02, 3, 0, 0x00, 0x2A]),
    row(3, 0x2A00, b"echo-controller"),
    row(4, PRIMARY_SERVICE, &[0x01, 0x18]),
    row(5, PRIMARY_SERVICE, &[0xF0, 0xFF]),
    row(6, CHARACTERISTIC, &[0x0E, 7, 0, 0xF1, 0xFF]),
    row(7, 0xFFF1, &[]),
    row(8, CHARACTERISTIC, &[0x10, 9, 0, 0xF2, 0xFF]),
    row(9, 0xFFF2, &[]),
    row(10, 0x2902, &[]),
    row(11, CHARACTERISTIC, &[0x0C, 12, 0, 0xF3, 0xFF]),
    row(12, 0xFFF3, &[]),
    row(13, CHARACTERISTIC, &[0x06, 14, 0, 0xF4, 0xFF]),
    row(14, 0xFFF4, &[0x5A; 512]),
    row(15, CHARACTERISTIC, &[0x02, 16, 0, 0xF5, 0xFF]),
    row(16, 0xFFF5, &[]),
    row(17, CHARACTERISTIC, &[0x08, 18, 0, 0xF6, 0xFF]),
    row(18, 0xFFF6, &[]),
    row(19, CHARACTERISTIC, &[0x02, 20, 0, 0xF7, 0xFF]),
    row(20, 0xFFF7, &[]),
];
