//! HCI commands ([Vol 4] Part E, 5.4.1): one row of `command/table.rs` declares each.

use crate::BdAddr;
use crate::assigned;
use crate::codec::show::{self, Show, Units};
use crate::codec::{Field, ParseError, Secret, Walk, parse_front, whole};
use crate::hci::meanings::ScanType;
use crate::hci::{ConnectionHandle, ErrorCode};
use crate::layout;
use crate::transports::{HciPacket, PacketError};
use bytes::BytesMut;
use std::fmt;

/// Opcode of a command: group in the upper 6 bits, command in the lower 10. Prints the command's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opcode(pub u16);

impl Opcode {
    /// No command: in Command Complete it only carries credits ([Vol 4] Part E, 7.7.14).
    pub const NONE: Self = Self(0);

    /// Whether the vendor of the controller defines this command.
    pub const fn is_vendor_specific(self) -> bool {
        self.0 >> 10 == 0x3F
    }

    /// Whether keys stand in its parameters or in what it returns: octets of those that follow no layout are not
    /// shown.
    pub(crate) const fn holds_keys(self) -> bool {
        matches!(
            self.0,
            0x040B
                | 0x040D
                | 0x0430
                | 0x0445
                | 0x0C11
                | 0x0C57
                | 0x0C7D
                | 0x2017
                | 0x2019
                | 0x201A
                | 0x2027
                | 0x2068
                | 0x2069
                | 0x206B
        )
    }

    /// What it is of when it has no name.
    const fn kind(self) -> &'static str {
        if self.is_vendor_specific() { "vendor command" } else { "command" }
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{} 0x{:04X}", self.kind(), self.0),
        }
    }
}

impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opcode(0x{:04X})", self.0)
    }
}

crate::number_field!(Opcode(u16), |it, to| match it.name() {
    None if to.in_words(&it) => {}
    name => to.named(it.0.into(), 2, name),
});

/// A command that the table knows.
pub trait HciCommand<'a>: Field<'a> {
    /// Its opcode.
    const OPCODE: Opcode;
    /// What Command Complete returns for it. For a command that is answered by Command Status: [`Status`].
    type Return<'r>: Field<'r>;

    /// The packet to send.
    ///
    /// # Errors
    /// When a list makes the parameters longer than 255 octets.
    fn to_packet(&self) -> Result<HciPacket, PacketError> {
        let mut parameters = BytesMut::new();
        self.emit(&mut parameters);
        HciPacket::command(Self::OPCODE.0, &parameters)
    }
}

layout! {
    /// The answer of a command that only says whether it worked.
    pub struct StatusReturn { status: ErrorCode }
}

layout! {
    /// The answer of a command on a link: its status and the link.
    pub struct HandleReturn { status: ErrorCode, connection_handle: ConnectionHandle }
}

layout! {
    /// The answer of a command about a BR/EDR device: its status and the device.
    pub struct AddressReturn { status: ErrorCode, bd_addr: BdAddr }
}

layout! {
    /// One key of Write Stored Link Key and of Return Link Keys.
    pub struct StoredLinkKey<'a> { bd_addr: BdAddr, link_key: Secret<'a, 16> }
}

layout! {
    /// Answered by Command Status now and by an event later: returns nothing.
    pub struct Status {}
}

layout! {
    /// Never answered when it worked ([Vol 4] Part E, 7.3.40).
    pub struct Nothing {}
}

layout! {
    /// An answer whose layout no second source confirms.
    pub struct UnknownReturn<'a> { status: ErrorCode, parameters: crate::codec::Rest<'a> }
}

layout! {
    /// One link's part of Host Number Of Completed Packets and of Number Of Completed Packets.
    pub struct CompletedPackets { connection_handle: ConnectionHandle, num_completed_packets: u16 }
}

layout! {
    /// One set of LE Set Extended Advertising Enable.
    pub struct AdvertisingSetEnable {
        advertising_handle: u8, duration: u16 as Units<10_000>, max_extended_advertising_events: u8
    }
}

layout! {
    /// One PHY of LE Set Extended Scan Parameters; times in units of 0.625 ms.
    pub struct ScanPhyParameters {
        scan_type: u8 as ScanType, scan_interval: u16 as Units<625>, scan_window: u16 as Units<625>
    }
}

layout! {
    /// One PHY of LE Extended Create Connection; scan times in units of 0.625 ms, connection intervals of
    /// 1.25 ms, the supervision time-out of 10 ms.
    pub struct InitiatingPhyParameters {
        scan_interval: u16 as Units<625>, scan_window: u16 as Units<625>,
        connection_interval_min: u16 as Units<1250>, connection_interval_max: u16 as Units<1250>,
        max_latency: u16, supervision_timeout: u16 as Units<10_000>, min_ce_length: u16 as Units<625>,
        max_ce_length: u16 as Units<625>
    }
}

layout! {
    /// One subevent of LE Set Periodic Advertising Subevent Data.
    pub struct SubeventData<'a> {
        subevent: u8, response_slot_start: u8, response_slot_count: u8,
        subevent_data: crate::codec::Prefixed<'a, 251>
    }
}

/// Rows of the form `opcode (octet, bit) "name" Struct<'a> { fields } => (Return<'a> { fields });`. The bit is
/// `-` where none is known for Read Local Supported Commands; a return type without fields stands above, and one with a lifetime or fields stands in
/// parentheses.
macro_rules! hci_commands {
    ($($(#[$meta:meta])* $opcode:literal $bit:tt $text:literal $name:ident $(<$life:lifetime>)?
        { $($field:ident : $type:ty $(as $view:ty)?),* } => $return:tt;)*
    ) => {
        $(
            crate::layout! {
                $(#[$meta])*
                pub struct $name $(<$life>)? { $($field: $type $(as $view)?),* }
            }
            hci_commands!(@declare $text $return);
            impl<'a> HciCommand<'a> for $name $(<$life>)? {
                const OPCODE: Opcode = Opcode($opcode);
                type Return<'r> = hci_commands!(@return 'r $return);
            }
        )*

        /// Any command: the way to read one, for the decoder and for virtual controllers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Command<'a> {
            $($(#[$meta])* $name($name $(<$life>)?),)*
            /// A command that is not in the table, a vendor's for example.
            Unknown {
                /// Its opcode.
                opcode: Opcode,
                /// Its parameters as they stand.
                parameters: &'a [u8],
            },
        }

        impl<'a> Command<'a> {
            /// Every opcode of the table, ascending.
            pub const OPCODES: &'static [Opcode] = &[$(Opcode($opcode)),*];

            /// Reads the parameters of a command.
            ///
            /// # Errors
            /// When they are shorter or longer than the command's layout.
            pub fn parse(opcode: Opcode, parameters: &'a [u8]) -> Result<Self, ParseError> {
                match opcode.0 {
                    $($opcode => whole($text, parameters).map(Self::$name),)*
                    _ => Ok(Self::Unknown { opcode, parameters }),
                }
            }

            /// Gives parameters to `to`, field by field, as far as they follow the command's layout; those of a
            /// command that is not in the table not at all.
            pub fn walk(opcode: Opcode, parameters: &'a [u8], to: &mut dyn Walk<'a>) {
                match opcode.0 {
                    $($opcode => { <$name as Field>::walk($text, parameters, to); })*
                    _ => {}
                }
            }

            /// Its opcode.
            pub fn opcode(&self) -> Opcode {
                match self {
                    $(Self::$name(_) => Opcode($opcode),)*
                    Self::Unknown { opcode, .. } => *opcode,
                }
            }

            /// Appends its parameters.
            pub fn emit(&self, out: &mut BytesMut) {
                match self {
                    $(Self::$name(command) => command.emit(out),)*
                    Self::Unknown { parameters, .. } => out.extend_from_slice(parameters),
                }
            }
        }

        impl Command<'_> {
            /// Says what it is made of: its opcode, its name, its parameters.
            pub fn show(&self, to: &mut dyn Show) {
                match self {
                    $(Self::$name(command) => {
                        to.begin_named("command", $opcode, 2, Some($text));
                        command.show_fields(to);
                    })*
                    Self::Unknown { opcode, parameters } => {
                        to.begin_named(opcode.kind(), opcode.0.into(), 2, opcode.name());
                        to.body("parameters");
                        to.octets(parameters);
                    }
                }
                to.end();
            }
        }

        impl Opcode {
            /// The command's name in the specification, whether its layout is known here or not.
            pub fn name(self) -> Option<&'static str> {
                match self.0 { $($opcode => Some($text),)* _ => assigned::command_name(self.0) }
            }

            /// Octet and bit of the command in the answer of Read Local Supported Commands.
            pub const fn supported_bit(self) -> Option<(usize, u8)> {
                match self.0 { $($opcode => hci_commands!(@bit $bit),)* _ => None }
            }

            /// Says what the return parameters of this command are: by its layout, or as octets when they do not
            /// follow it (an answer that failed is often only its status).
            pub fn show_return(self, octets: &[u8], to: &mut dyn Show) {
                match self.0 {
                    $($opcode => show_return::<hci_commands!(@return '_ $return)>(octets, self.holds_keys(), to),)*
                    _ if self.name().is_some() => show_status_and_octets(octets, self.holds_keys(), to),
                    _ => show_octets(octets, to),
                }
            }

            /// Gives return parameters to `to`, as [`Command::walk`] does with parameters.
            pub fn walk_return<'a>(self, octets: &'a [u8], to: &mut dyn Walk<'a>) {
                match self.0 {
                    $($opcode => {
                        <hci_commands!(@return 'a $return) as Field>::walk($text, octets, to);
                    })*
                    _ => {}
                }
            }
        }
    };
    (@declare $text:literal ($ret:ident $(<$life:lifetime>)? { $($field:ident : $type:ty $(as $view:ty)?),* })) => {
        crate::layout! {
            #[doc = concat!("What `", $text, "` returns.")]
            pub struct $ret $(<$life>)? { $($field: $type $(as $view)?),* }
        }
    };
    (@declare $text:literal $shared:tt) => {};
    (@return $r:lifetime ($ret:ident <$life:lifetime> $($fields:tt)?)) => { $ret<$r> };
    (@return $r:lifetime ($ret:ident $($fields:tt)?)) => { $ret };
    (@return $r:lifetime $ret:ident) => { $ret };
    (@bit -) => { None };
    (@bit ($octet:literal, $bit:literal)) => { Some(($octet, $bit)) };
}

mod table;
pub use table::*;

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show::display(f, |to| self.show(to))
    }
}

fn show_return<'a, T: Field<'a>>(octets: &'a [u8], secret: bool, to: &mut dyn Show) {
    match parse_front::<T>("", octets) {
        Ok((value, _)) => value.show(to),
        Err(_) => show_status_and_octets(octets, secret, to),
    }
}

/// Every command of the specification that returns something returns its status first.
fn show_status_and_octets(octets: &[u8], secret: bool, to: &mut dyn Show) {
    let Some((&status, rest)) = octets.split_first() else {
        if !to.in_words(&"(empty)") {
            show_octets(octets, to);
        }
        return;
    };
    to.begin();
    to.field("status");
    ErrorCode(status).show(to);
    if !rest.is_empty() {
        to.body("parameters");
        if secret {
            to.secret();
        } else {
            to.octets(rest);
        }
    }
    to.end();
}

/// Parameters of no known layout.
fn show_octets(octets: &[u8], to: &mut dyn Show) {
    to.begin();
    to.body("parameters");
    to.octets(octets);
    to.end();
}

#[cfg(test)]
mod tests;
