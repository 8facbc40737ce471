//! The fields of a packet that a host sends, each by its name.

use crate::att::AttPdu;
use crate::codec::show::{Line, ListHead, Show};
use crate::hci::acl::PacketBoundary;
use crate::hci::{AclData, Command, Opcode};
use crate::l2cap::signaling::Signal;
use crate::l2cap::{ChannelId, frame};
use crate::smp::SmpPdu;
use crate::transports::{HciPacket, PacketIndicator};
use crate::{BdAddr, Uuid};

/// Names and values in the order of the wire, as far as the packet follows its layouts.
pub(super) fn fields(packet: &HciPacket) -> Vec<(String, String)> {
    let mut fields = Fields::default();
    match (packet.indicator(), packet.as_slice()) {
        (PacketIndicator::Command, [_, low, high, ..]) => {
            fields.value("packet", "command".to_owned());
            let opcode = Opcode(u16::from_le_bytes([*low, *high]));
            let command = Command::parse(opcode, packet.payload());
            let as_it_stands = Command::Unknown { opcode, parameters: packet.payload() };
            command.unwrap_or(as_it_stands).show(&mut fields);
        }
        (PacketIndicator::AclData, octets) => match AclData::parse(octets) {
            Ok(acl) => data(&acl, &mut fields),
            Err(_) => fields.octets(packet.payload()),
        },
        (indicator, _) => {
            fields.value("packet", format!("{indicator:?}"));
            fields.value("data", format!("{:02x?}", packet.payload()));
        }
    }
    fields.found
}

fn data(acl: &AclData<'_>, to: &mut Fields) {
    to.value("packet", "ACL data".to_owned());
    to.value("connection_handle", acl.handle.to_string());
    to.value("packet_boundary", format!("{:?}", acl.boundary));
    let whole = (acl.boundary != PacketBoundary::Continuing).then(|| frame::parse(acl.data).ok()).flatten();
    let Some((channel, payload)) = whole else {
        to.begin();
        to.field("part of a frame");
        to.octets(acl.data);
        return to.end();
    };
    to.value("channel", channel.to_string());
    match channel {
        ChannelId::Attribute => match AttPdu::from_octets(payload) {
            Ok(pdu) => pdu.show(to),
            Err(_) => to.value("att_pdu", format!("{payload:02x?}")),
        },
        ChannelId::SecurityManager => match SmpPdu::from_octets(payload) {
            Ok(pdu) => pdu.show(to),
            // Keys are not shown, in whatever they stand.
            Err(_) => to.value("smp_pdu", format!("{} octets", payload.len())),
        },
        ChannelId::Signaling => match Signal::parse(payload) {
            Ok(signal) => {
                to.value("identifier", signal.identifier.to_string());
                if let Ok(command) = signal.command() {
                    return command.show(to);
                }
                to.value("data", format!("{payload:02x?}"));
            }
            Err(_) => to.value("signal", format!("{payload:02x?}")),
        },
        _ => to.value("payload", format!("{payload:02x?}")),
    }
}

/// Takes the values down, each with the names that lead to it.
#[derive(Debug, Default)]
struct Fields {
    path: Vec<String>,
    found: Vec<(String, String)>,
}

impl Fields {
    fn value(&mut self, name: &str, value: String) {
        self.found.push((name.to_owned(), value));
    }

    /// A value as a line prints it.
    fn leaf(&mut self, show: impl FnOnce(&mut Line<'_>)) {
        let mut out = Vec::new();
        show(&mut Line::new(&mut out));
        self.found.push((self.path.concat(), String::from_utf8_lossy(&out).trim().to_owned()));
    }

    fn step(&mut self, step: String) {
        if let Some(last) = self.path.last_mut() {
            *last = step;
        }
    }
}

impl Show for Fields {
    fn number(&mut self, value: i64) {
        self.leaf(|line| line.number(value));
    }
    fn hex(&mut self, value: u64, octets: usize) {
        self.leaf(|line| line.hex(value, octets));
    }
    fn named(&mut self, value: u64, octets: usize, name: Option<&str>) {
        self.leaf(|line| line.named(value, octets, name));
    }
    fn labelled(&mut self, value: u64, octets: Option<usize>, meaning: Option<&str>) {
        self.leaf(|line| line.labelled(value, octets, meaning));
    }
    fn bits(&mut self, value: u64, octets: usize, names: &[&str]) {
        self.leaf(|line| line.bits(value, octets, names));
    }
    fn time(&mut self, value: u32, microseconds: u64) {
        self.leaf(|line| line.time(value, microseconds));
    }
    fn address(&mut self, address: BdAddr) {
        self.leaf(|line| line.address(address));
    }
    fn uuid(&mut self, uuid: Uuid, name: Option<&str>) {
        self.leaf(|line| line.uuid(uuid, name));
    }
    fn text(&mut self, text: &str) {
        self.leaf(|line| line.text(text));
    }
    fn octets(&mut self, octets: &[u8]) {
        self.leaf(|line| line.octets(octets));
    }
    fn secret(&mut self) {
        self.leaf(|line| line.secret());
    }
    fn begin(&mut self) {
        self.path.push(String::new());
    }
    fn begin_named(&mut self, kind: &str, code: u64, octets: usize, name: Option<&str>) {
        let value = name.map_or_else(|| format!("0x{code:0width$X}", width = 2 * octets), str::to_owned);
        self.value(kind, value);
        self.begin();
    }
    fn field(&mut self, name: &'static str) {
        let dot = if self.path.len() > 1 { "." } else { "" };
        self.step(format!("{dot}{name}"));
    }
    fn end(&mut self) {
        self.path.pop();
    }
    fn begin_list(&mut self, list: ListHead) {
        if let Some(mask) = list.mask {
            self.leaf(|line| line.hex(mask.into(), 1));
        }
        self.path.push(String::new());
    }
    fn item(&mut self, index: usize) {
        self.step(format!("[{index}]"));
    }
    fn end_list(&mut self, _: ListHead, _: usize) {
        self.path.pop();
    }
}
