//! Where keys stand in what is shown as octets: in management records of the host, and in packets whose layout does
//! not say because they are cut or malformed.

use super::note::MonitorOpcode;
use crate::capture::{Kind, Record};
use crate::hci::acl::{AclData, PacketBoundary};
use crate::l2cap::ChannelId;

/// The octets of a record that is no packet, and whether keys follow them.
///
/// Commands and events of the Linux management interface begin with a cookie of four octets and a code of two.
pub(super) fn of_note(record: &Record) -> (&[u8], bool) {
    let data = &record.data[..];
    let Kind::Monitor(opcode) = record.kind else { return (data, false) };
    let keys = match (MonitorOpcode(opcode), data) {
        // Load Link Keys, Load Long Term Keys, PIN Code Reply, Add Remote OOB Data, Set Privacy, Load Identity
        // Resolving Keys, Set Blocked Keys.
        (MonitorOpcode::ControlCommand, [_, _, _, _, code, 0, ..]) => {
            matches!(code, 0x12 | 0x13 | 0x16 | 0x21 | 0x2F | 0x30 | 0x50)
        }
        // The answers of Read Local OOB Data and its extended form.
        (MonitorOpcode::ControlEvent, [_, _, _, _, 0x01, 0, code, 0, ..]) => matches!(code, 0x20 | 0x3B),
        // New Link Key, New Long Term Key, New Identity Resolving Key, New Signature Resolving Key.
        (MonitorOpcode::ControlEvent, [_, _, _, _, code, 0, ..]) => matches!(code, 0x09 | 0x0A | 0x18 | 0x19),
        _ => false,
    };
    match data.split_at_checked(6) {
        Some((front, _)) if keys => (front, true),
        _ => (data, false),
    }
}

/// Whether keys may stand in the parameters of an event that follows no layout.
pub(super) fn in_event(code: u8, parameters: &[u8]) -> bool {
    const GENERATE_DHKEY_COMPLETE: u8 = 0x09;
    match code {
        0x15 | 0x18 => true,
        0x3E => parameters.first() == Some(&GENERATE_DHKEY_COMPLETE),
        _ => false,
    }
}

/// Whether keys may stand in an SMP PDU that follows no layout.
pub(super) fn in_smp(payload: &[u8]) -> bool {
    matches!(payload.first(), Some(0x06 | 0x08 | 0x0A))
}

/// Whether keys may stand in a packet that is no whole frame.
pub(super) fn in_part_of_frame(acl: &AclData<'_>) -> bool {
    let [_, _, a, b, payload @ ..] = acl.data else { return false };
    let channel = ChannelId(u16::from_le_bytes([*a, *b]));
    acl.boundary != PacketBoundary::Continuing
        && matches!(channel, ChannelId::SecurityManager | ChannelId::ClassicSecurityManager)
        && in_smp(payload)
}

#[cfg(test)]
mod tests;
