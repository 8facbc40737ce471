//! HCI events ([Vol 4] Part E, 5.4.4): one row of `event/table.rs` declares each.

use crate::BdAddr;
use crate::codec::{Field, Hex, ParseError, Parsed, Prefixed, parse_front};
use crate::hci::command::print_named;
use crate::hci::{AddressType, Phy};
use crate::layout;
use crate::transports::{HciPacket, PacketError};
use bytes::BytesMut;
use std::fmt;

layout! {
    /// One report of LE Advertising Report. `event_type` 0 is ADV_IND, 1 ADV_DIRECT_IND, 2 ADV_SCAN_IND,
    /// 3 ADV_NONCONN_IND, 4 SCAN_RSP; `rssi` in dBm, 127 when not known.
    pub struct AdvertisingReport<'a> {
        event_type: u8, address_type: AddressType, address: BdAddr, data: Prefixed<'a>, rssi: i8
    }
}

layout! {
    /// One report of LE Directed Advertising Report.
    pub struct DirectedAdvertisingReport {
        event_type: u8, address_type: AddressType, address: BdAddr, direct_address_type: AddressType,
        direct_address: BdAddr, rssi: i8
    }
}

layout! {
    /// One report, or one part of one, of LE Extended Advertising Report. `event_type` bits: 0 connectable,
    /// 1 scannable, 2 directed, 3 scan response, 4 legacy PDU, 5-6 data status.
    pub struct ExtendedAdvertisingReport<'a> {
        event_type: crate::codec::HexInt<u16>, address_type: AddressType, address: BdAddr, primary_phy: Phy,
        secondary_phy: Phy, advertising_sid: u8, tx_power: i8, rssi: i8, periodic_advertising_interval: u16,
        direct_address_type: AddressType, direct_address: BdAddr, data: Prefixed<'a>
    }
}

layout! {
    /// One response of LE Periodic Advertising Response Report.
    pub struct ResponseReport<'a> {
        tx_power: i8, rssi: i8, cte_type: u8, response_slot: u8, data_status: u8, data: Prefixed<'a>
    }
}

/// Rows of the form `code "name" Struct<'a> { fields };` under the enum that holds them.
macro_rules! hci_events {
    ($(#[$emeta:meta])* pub enum $enum:ident;
        $($(#[$meta:meta])* $code:literal $text:literal $name:ident $(<$life:lifetime>)? { $($field:ident : $type:ty),* } ;)*
    ) => {
        $(
            crate::layout! {
                $(#[$meta])*
                pub struct $name $(<$life>)? { $($field: $type),* }
            }
            impl<'a> From<$name $(<$life>)?> for $enum<'a> {
                fn from(event: $name $(<$life>)?) -> Self { Self::$name(event) }
            }
        )*

        $(#[$emeta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $enum<'a> {
            $($(#[$meta])* $name($name $(<$life>)?),)*
            /// One that is not in the table.
            Unknown {
                /// Its code.
                code: u8,
                /// Its parameters as they stand.
                parameters: &'a [u8],
            },
        }

        impl<'a> $enum<'a> {
            /// Every code of the table, ascending.
            pub const CODES: &'static [u8] = &[$($code),*];

            /// The name that goes with a code.
            pub const fn name_of(code: u8) -> Option<&'static str> {
                match code { $($code => Some($text),)* _ => None }
            }

            /// Reads the parameters that stand behind a code. Octets behind the layout are ignored: a newer
            /// controller may append fields.
            ///
            /// # Errors
            /// When the parameters are shorter than the layout.
            #[inline]
            pub fn parse(code: u8, parameters: &'a [u8]) -> Result<Self, ParseError> {
                match code {
                    $($code => parse_front($text, parameters).map(|(event, _)| Self::$name(event)),)*
                    _ => Ok(Self::Unknown { code, parameters }),
                }
            }

            /// Its code.
            pub fn code(&self) -> u8 {
                match self {
                    $(Self::$name(_) => $code,)*
                    Self::Unknown { code, .. } => *code,
                }
            }

            /// Appends its parameters, without the code.
            pub fn emit_parameters(&self, out: &mut BytesMut) {
                match self {
                    $(Self::$name(event) => event.emit(out),)*
                    Self::Unknown { parameters, .. } => out.extend_from_slice(parameters),
                }
            }
        }

        impl fmt::Display for $enum<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name(event) => print_named(f, $text, event),)*
                    Self::Unknown { code, parameters } => {
                        write!(f, concat!(stringify!($enum), " 0x{:02X} {}"), code, Hex(parameters))
                    }
                }
            }
        }
    };
}

mod table;
pub use table::*;

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

impl<'a> Field<'a> for LeEvent<'a> {
    #[inline]
    fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (parameters, code) = u8::parse(input)?;
        match Self::parse(code, parameters) {
            Ok(event) => Ok((&[], event)),
            Err(error) => crate::codec::malformed(parameters.get(error.offset..).unwrap_or_default()),
        }
    }
    fn emit(&self, out: &mut BytesMut) {
        self.code().emit(out);
        self.emit_parameters(out);
    }
    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
