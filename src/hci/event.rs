//! HCI events ([Vol 4] Part E, 5.4.4): one row of `event/table.rs` declares each.

use crate::BdAddr;
use crate::codec::show::{Advertising, Show, Units};
use crate::codec::{Field, Parsed, Prefixed, Sort, Walk};
use crate::hci::meanings::{AdvertisingEventType, DataStatus, ExtendedEventType};
use crate::hci::{AddressType, Opcode, Phy};
use crate::layout;
use crate::transports::{HciPacket, PacketError};
use bytes::BytesMut;

layout! {
    /// One report of LE Advertising Report. `event_type` 0 is ADV_IND, 1 ADV_DIRECT_IND, 2 ADV_SCAN_IND,
    /// 3 ADV_NONCONN_IND, 4 SCAN_RSP; `rssi` in dBm, 127 when not known.
    pub struct AdvertisingReport<'a> {
        event_type: u8 as AdvertisingEventType, address_type: AddressType, address: BdAddr,
        data: Prefixed<'a> as Advertising, rssi: i8
    }
}

layout! {
    /// One report of LE Directed Advertising Report.
    pub struct DirectedAdvertisingReport {
        event_type: u8 as AdvertisingEventType, address_type: AddressType, address: BdAddr,
        direct_address_type: AddressType, direct_address: BdAddr, rssi: i8
    }
}

layout! {
    /// One report, or one part of one, of LE Extended Advertising Report. `event_type` bits: 0 connectable,
    /// 1 scannable, 2 directed, 3 scan response, 4 legacy PDU, 5-6 data status.
    pub struct ExtendedAdvertisingReport<'a> {
        event_type: crate::codec::HexInt<u16> as ExtendedEventType, address_type: AddressType,
        address: BdAddr, primary_phy: Phy, secondary_phy: Phy, advertising_sid: u8, tx_power: i8, rssi: i8,
        periodic_advertising_interval: u16 as Units<1250>, direct_address_type: AddressType,
        direct_address: BdAddr, data: Prefixed<'a> as Advertising
    }
}

layout! {
    /// One response of LE Periodic Advertising Response Report.
    pub struct ResponseReport<'a> {
        tx_power: i8, rssi: i8, cte_type: u8, response_slot: u8, data_status: u8 as DataStatus,
        data: Prefixed<'a>
    }
}

mod table;
pub use table::*;

impl<'a> Event<'a> {
    /// As [`walk`](Self::walk), and what a command returned by that command's layout.
    pub(crate) fn walk_with_return(code: u8, parameters: &'a [u8], to: &mut dyn Walk<'a>) {
        match parameters {
            [_, a, b, ..] if code == COMMAND_COMPLETE => {
                let (head, returned) = parameters.split_at(3);
                Self::walk(code, head, to);
                Opcode(u16::from_le_bytes([*a, *b])).walk_return(returned, to);
            }
            _ => Self::walk(code, parameters, to),
        }
    }
}

/// [Vol 4] Part E, 7.7.14.
const COMMAND_COMPLETE: u8 = 0x0E;

impl Event<'_> {
    /// The packet a controller sends.
    ///
    /// # Errors
    /// When a list makes the parameters longer than 255 octets.
    pub fn to_packet(&self) -> Result<HciPacket, PacketError> {
        let mut parameters = BytesMut::new();
        self.emit_parameters(&mut parameters);
        HciPacket::event(self.code(), &parameters)
    }
}

impl<'a> From<LeEvent<'a>> for Event<'a> {
    fn from(subevent: LeEvent<'a>) -> Self {
        Self::LeMeta(LeMeta { subevent })
    }
}

impl LeEvent<'_> {
    /// The resolvable private addresses that the controller has chosen for a new link: ours, and the peer's. The first
    /// form of LE Connection Complete does not say.
    pub(crate) fn private_addresses(&self) -> (Option<BdAddr>, Option<BdAddr>) {
        let (local, peer) = match self {
            Self::LeEnhancedConnectionComplete(e) => {
                (e.local_resolvable_private_address, e.peer_resolvable_private_address)
            }
            Self::LeEnhancedConnectionCompleteV2(e) => {
                (e.local_resolvable_private_address, e.peer_resolvable_private_address)
            }
            _ => (BdAddr::ANY, BdAddr::ANY),
        };
        let chosen = |address: BdAddr| (address != BdAddr::ANY).then_some(address);
        (chosen(local), chosen(peer))
    }

    /// Any of the three forms of LE Connection Complete, as the first one: what the others add is not in it.
    pub fn connection_complete(&self) -> Option<LeConnectionComplete> {
        macro_rules! common {
            ($event:expr) => {
                LeConnectionComplete {
                    status: $event.status,
                    connection_handle: $event.connection_handle,
                    role: $event.role,
                    peer_address_type: $event.peer_address_type,
                    peer_address: $event.peer_address,
                    connection_interval: $event.connection_interval,
                    peripheral_latency: $event.peripheral_latency,
                    supervision_timeout: $event.supervision_timeout,
                    central_clock_accuracy: $event.central_clock_accuracy,
                }
            };
        }
        match self {
            Self::LeConnectionComplete(event) => Some(*event),
            Self::LeEnhancedConnectionComplete(event) => Some(common!(event)),
            Self::LeEnhancedConnectionCompleteV2(event) => Some(common!(event)),
            _ => None,
        }
    }
}

impl<'a> Field<'a> for LeEvent<'a> {
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (parameters, code) = u8::parse(input)?;
        match Self::parse(code, parameters) {
            Ok(event) => Ok((&[], event)),
            Err(error) => crate::codec::malformed(parameters.get(error.offset..).unwrap_or_default()),
        }
    }
    fn walk(_name: &'static str, input: &'a [u8], to: &mut dyn Walk<'a>) -> Option<&'a [u8]> {
        let (code, parameters) = input.split_at_checked(1)?;
        to.field("subevent_code", Sort::Number, code);
        Self::walk(*code.first()?, parameters, to);
        Some(&[])
    }
    fn emit(&self, out: &mut BytesMut) {
        self.code().emit(out);
        self.emit_parameters(out);
    }
    fn show(&self, to: &mut dyn Show) {
        self.show(to);
    }
}

#[cfg(test)]
mod tests;
