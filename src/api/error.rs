//! The one error of the public API, by who must act on it.

use crate::att::AttError;
use crate::bonds::StoreError;
use crate::capture::UnknownFormat;
use crate::driver::{CaptureError, Failure};
use crate::gap::advertise::InvalidAdvertising;
use crate::gatt::{GattError, LookupError};
use crate::hci::{ErrorCode, FirmwareHint, Opcode};
use crate::host::{ChannelError, OpError};
use crate::l2cap::credit::{OpenFailure, SendError};
use crate::smp::PairingError;
use crate::transports::{AdapterSpec, SpecError, TransportError, UsbSelector};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Why an operation failed. Each message names the operation and its object, the cause, and what can be done where
/// something can.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The way to the controller is missing or gone.
    #[error("{operation} failed: {source}")]
    Transport {
        /// What was being done.
        operation: String,
        /// What is wrong with the way.
        source: TransportError,
    },
    /// The controller refused, is silent, or cannot be used.
    #[error("{operation} failed: {source}{}", advice(.firmware))]
    Controller {
        /// What was being done.
        operation: String,
        /// The command, where one was refused or not answered.
        command: Option<Opcode>,
        /// Its status, where one was given.
        status: Option<ErrorCode>,
        /// What it said.
        source: OpError,
        /// The firmware that it seems to be without, when it cannot be used.
        firmware: Option<Box<FirmwareHint>>,
    },
    /// The link went down, or is not up.
    #[error("{operation} failed: disconnected: {reason} (0x{:02X})", reason.0)]
    Disconnected {
        /// What was being done.
        operation: String,
        /// Why the link is down.
        reason: ErrorCode,
    },
    /// The peer refused.
    #[error("{operation} refused: {} (0x{:02X}){}", code.label(), code.0, hint(*.code))]
    Att {
        /// What was being done.
        operation: String,
        /// The attribute that the peer named.
        handle: u16,
        /// What it said.
        code: AttError,
    },
    /// The peer's answers cannot be right, or the request cannot be made of it.
    #[error("{operation} failed: {source}")]
    Gatt {
        /// What was being done.
        operation: String,
        /// What is wrong.
        source: GattError,
    },
    /// A credit-based channel could not be opened, or is over.
    #[error("{operation} failed: {source}")]
    Channel {
        /// What was being done.
        operation: String,
        /// What is wrong.
        source: ChannelError,
    },
    /// A pairing came to nothing.
    #[error("{operation} failed: {source}")]
    Pairing {
        /// What was being done, and with whom.
        operation: String,
        /// The reason, who gave it, and what can be done.
        source: PairingError,
    },
    /// The link has not the security that it is to have: it could not be encrypted with the bond, and is ended; or what
    /// there is, or would be, is too weak. Nothing was sent for want of it in the clear.
    #[error("{operation} failed: {source}")]
    Security {
        /// What was being done.
        operation: String,
        /// What is wrong, and what can be done.
        source: OpError,
    },
    /// It is done, and the store of bonds does not have it.
    #[error("{operation} is done, and not kept: {source}")]
    Store {
        /// What was being done.
        operation: String,
        /// The file, and what is wrong with it.
        source: Arc<StoreError>,
    },
    /// Something is not there, or is there more than once.
    #[error("{what}")]
    NotFound {
        /// What was looked for and what is there instead.
        what: String,
        /// Handles to choose from, when it is there more than once.
        handles: Vec<u16>,
    },
    /// It took too long.
    #[error("{operation} failed: {cause} within {after:?}")]
    Timeout {
        /// What was being done.
        operation: String,
        /// What did not happen.
        cause: &'static str,
        /// How long it had.
        after: Duration,
    },
    /// It cannot be asked for so.
    #[error("{operation} refused here: {cause}")]
    Invalid {
        /// What was to be done.
        operation: String,
        /// What is wrong with it.
        cause: String,
    },
    /// It cannot be advertised so.
    #[error("{operation} refused here: {source}")]
    Advertising {
        /// What was to be done.
        operation: String,
        /// What is wrong with it; of data that are too long, [by how much](InvalidAdvertising::over).
        source: InvalidAdvertising,
    },
    /// The capture cannot be written, or no further.
    #[error("capture to {to} failed: {source}")]
    Capture {
        /// The file, or what else it was written to.
        to: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// It was given up by a [`Cancel`](crate::Cancel), or by who was to answer for it.
    #[error("{operation} was cancelled")]
    Cancelled {
        /// What was being done.
        operation: String,
    },
    /// The adapter was closed.
    #[error("{operation} failed: the adapter is closed")]
    Closed {
        /// What was being done.
        operation: String,
    },
}

/// The sort of an [`Error`], in the words of the command line's JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// `transport`
    Transport,
    /// `hci`
    Hci,
    /// `disconnected`
    Disconnected,
    /// `att`
    Att,
    /// `gatt`
    Gatt,
    /// `channel`
    Channel,
    /// `smp`
    Smp,
    /// `security`
    Security,
    /// `store`
    Store,
    /// `not_found`
    NotFound,
    /// `ambiguous`
    Ambiguous,
    /// `timeout`
    Timeout,
    /// `cancelled`
    Cancelled,
    /// `invalid`
    Invalid,
    /// `capture`
    Capture,
}

impl ErrorKind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Hci => "hci",
            Self::Disconnected => "disconnected",
            Self::Att => "att",
            Self::Gatt => "gatt",
            Self::Channel => "channel",
            Self::Smp => "smp",
            Self::Security => "security",
            Self::Store => "store",
            Self::NotFound => "not_found",
            Self::Ambiguous => "ambiguous",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Invalid => "invalid",
            Self::Capture => "capture",
        }
    }
}

impl Error {
    /// Its sort.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Transport { .. } | Self::Closed { .. } => ErrorKind::Transport,
            Self::Controller { .. } => ErrorKind::Hci,
            Self::Disconnected { .. } => ErrorKind::Disconnected,
            Self::Att { .. } => ErrorKind::Att,
            Self::Gatt { .. } => ErrorKind::Gatt,
            Self::Channel { .. } => ErrorKind::Channel,
            Self::Pairing { .. } => ErrorKind::Smp,
            Self::Security { .. } => ErrorKind::Security,
            Self::Store { .. } => ErrorKind::Store,
            Self::NotFound { handles, .. } if handles.len() > 1 => ErrorKind::Ambiguous,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Cancelled { .. } => ErrorKind::Cancelled,
            Self::Invalid { .. } | Self::Advertising { .. } => ErrorKind::Invalid,
            Self::Capture { .. } => ErrorKind::Capture,
        }
    }

    /// The code of the protocol that refused: ATT's, a status or a reason of HCI, a reason of SMP, a result of L2CAP.
    pub fn code(&self) -> Option<u8> {
        match self {
            Self::Att { code, .. } => Some(code.0),
            Self::Controller { status, .. } => status.map(|status| status.0),
            Self::Disconnected { reason, .. } => Some(reason.0),
            Self::Pairing { source, .. } => Some(source.reason.0),
            Self::Security { source: OpError::Encryption { status }, .. } => Some(status.0),
            Self::Channel { source: ChannelError::Refused(failure), .. } => result(failure),
            _ => None,
        }
    }

    /// The attribute that was refused.
    pub fn handle(&self) -> Option<u16> {
        match self {
            Self::Att { handle, .. } => Some(*handle),
            _ => None,
        }
    }

    /// What was being done, where that is not all in the message.
    pub fn operation(&self) -> Option<&str> {
        match self {
            Self::NotFound { .. } | Self::Capture { .. } => None,
            Self::Transport { operation, .. }
            | Self::Controller { operation, .. }
            | Self::Disconnected { operation, .. }
            | Self::Att { operation, .. }
            | Self::Gatt { operation, .. }
            | Self::Channel { operation, .. }
            | Self::Pairing { operation, .. }
            | Self::Security { operation, .. }
            | Self::Store { operation, .. }
            | Self::Timeout { operation, .. }
            | Self::Cancelled { operation }
            | Self::Invalid { operation, .. }
            | Self::Advertising { operation, .. }
            | Self::Closed { operation } => Some(operation),
        }
    }

    /// The failure of an operation.
    pub(crate) fn of(operation: impl Into<String>, failure: Failure) -> Self {
        let operation = operation.into();
        match failure {
            Failure::Transport(source) => Self::Transport { operation, source },
            Failure::Closed => Self::Closed { operation },
            Failure::Store(source) => Self::Store { operation, source },
            Failure::Op(error) => Self::of_op(operation, error),
        }
    }

    fn of_op(operation: String, error: OpError) -> Self {
        match error {
            OpError::Disconnected { reason } => Self::Disconnected { operation, reason },
            OpError::Cancelled => Self::Cancelled { operation },
            OpError::Pairing(source) => Self::Pairing { operation, source },
            source @ (OpError::Encryption { .. }
            | OpError::WeakBond { .. }
            | OpError::PairingTooSoon { .. }
            | OpError::IdentityTaken { .. }
            | OpError::WeakerThanBond { .. }
            | OpError::InsufficientSecurity) => Self::Security { operation, source },
            OpError::CentralSilent { after } => Self::Timeout {
                operation,
                cause: "the central did not act on our request for security",
                after,
            },
            OpError::NotBonded { .. } => {
                Self::NotFound { what: format!("{operation} failed: {error}"), handles: Vec::new() }
            }
            OpError::NotConnected => {
                Self::Disconnected { operation, reason: ErrorCode::UnknownConnectionIdentifier }
            }
            OpError::ConnectTimeout { after } => {
                Self::Timeout { operation, cause: "the peer was not heard", after }
            }
            OpError::AttTimeout { after } | OpError::BearerTimeout { after } => {
                Self::Timeout { operation, cause: "the peer did not answer", after }
            }
            OpError::Gatt(GattError::Att { handle, code, .. }) => Self::Att { operation, handle, code },
            OpError::Gatt(source) => Self::Gatt { operation, source },
            OpError::Channel(
                ChannelError::Listen(_)
                | ChannelError::Open(_)
                | ChannelError::Reconfigure(_)
                | ChannelError::Send(SendError::TooLong { .. }),
            ) => Self::Invalid { operation, cause: error.to_string() },
            OpError::Channel(source) => Self::Channel { operation, source },
            OpError::Advertising(source) => Self::Advertising { operation, source },
            OpError::TooLong { .. }
            | OpError::Invalid(_)
            | OpError::NotSubscribed
            | OpError::NotAsked
            | OpError::NotEncrypted
            | OpError::SetValue(_)
            | OpError::NotAdvertising
            | OpError::AlreadyConnected => Self::Invalid { operation, cause: error.to_string() },
            OpError::Controller { command, status } => {
                let (command, status) = (Some(command), Some(status));
                Self::Controller { operation, command, status, source: error, firmware: None }
            }
            OpError::ControllerSilent { command, .. } => {
                let command = Some(command);
                Self::Controller { operation, command, status: None, source: error, firmware: None }
            }
            OpError::ControllerFailed { ref fault, .. } => {
                let command = fault.command();
                Self::Controller { operation, command, status: None, source: error, firmware: None }
            }
            source => Self::Controller { operation, command: None, status: None, source, firmware: None },
        }
    }

    /// The failure to open the adapter of this description, with what may help on a chip of its vendor.
    pub(crate) fn of_opening(description: &str, failure: Failure) -> Self {
        let mut error = Self::of(format!("opening {description}"), failure);
        if let Self::Controller { source: OpError::Init(cause), firmware, .. } = &mut error {
            *firmware = cause.firmware(usb_vendor(description)).map(Box::new);
        }
        error
    }

    /// A capture that cannot be written.
    pub(crate) fn capture(CaptureError { to, source }: CaptureError) -> Self {
        Self::Capture { to, source }
    }

    /// A capture file whose name says no format.
    pub(crate) fn capture_name(unknown: &UnknownFormat) -> Self {
        Self::Invalid { operation: "capturing".to_owned(), cause: unknown.to_string() }
    }
}

impl From<LookupError> for Error {
    fn from(error: LookupError) -> Self {
        Self::NotFound { what: error.to_string(), handles: error.handles().to_vec() }
    }
}

impl From<SpecError> for Error {
    fn from(error: SpecError) -> Self {
        Self::Invalid { operation: "opening the adapter".to_owned(), cause: error.to_string() }
    }
}

/// The vendor in a description that is a name with one in it.
fn usb_vendor(description: &str) -> Option<u16> {
    match description.parse() {
        Ok(AdapterSpec::Usb(usb)) => match usb.selector {
            UsbSelector::Product { vendor, .. }
            | UsbSelector::Serial { vendor, .. }
            | UsbSelector::Nth { vendor, .. } => Some(vendor),
            _ => None,
        },
        _ => None,
    }
}

/// The peer's result, which both variants of channels number alike.
fn result(failure: &OpenFailure) -> Option<u8> {
    match failure {
        OpenFailure::Refused(result) => u8::try_from(result.0).ok(),
        OpenFailure::EnhancedRefused(result) => u8::try_from(result.0).ok(),
        _ => None,
    }
}

fn advice(firmware: &Option<Box<FirmwareHint>>) -> String {
    firmware.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default()
}

fn hint(code: AttError) -> String {
    code.hint().map(|hint| format!("; {hint}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(error: OpError) -> Error {
        Error::of("read of 0x0021", Failure::Op(error))
    }

    #[test]
    fn messages_name_operation_object_cause_and_hint() {
        let request = crate::att::AttOpcode(0x0A);
        let code = AttError::InsufficientAuthentication;
        let att = of(GattError::Att { request, handle: 0x21, code }.into());
        assert_eq!(
            att.to_string(),
            "read of 0x0021 refused: Insufficient Authentication (0x05); the peer wants an encrypted link; pair with \
             it first"
        );
        assert_eq!((att.kind().as_str(), att.code(), att.handle()), ("att", Some(5), Some(0x21)));
        let reason = ErrorCode::ConnectionTimeout;
        let lost = of(OpError::Disconnected { reason });
        assert_eq!(lost.to_string(), "read of 0x0021 failed: disconnected: Connection Timeout (0x08)");
        let late = of(OpError::AttTimeout { after: Duration::from_secs(30) });
        assert_eq!(late.to_string(), "read of 0x0021 failed: the peer did not answer within 30s");
        let refused = OpError::Controller { command: Opcode(0x1405), status: ErrorCode(0x02) };
        assert_eq!(
            of(refused).to_string(),
            "read of 0x0021 failed: the controller refused Read RSSI: Unknown Connection Identifier (0x02)"
        );
        let closed = Error::of("read of 0x0021", Failure::Closed);
        assert_eq!(closed.to_string(), "read of 0x0021 failed: the adapter is closed");
    }
    #[test]
    fn an_adapter_that_cannot_be_opened_names_the_firmware_that_it_may_miss() {
        use crate::hci::InitError;
        use crate::hci::command::{HciCommand, Reset};
        let opening = |description, error: InitError| {
            Error::of_opening(description, Failure::Op(error.into())).to_string()
        };
        let status = ErrorCode::UnknownHciCommand;
        let boot_loader = opening("usb:8087:0032", InitError::Refused { command: Reset::OPCODE, status });
        let told = "opening usb:8087:0032 failed: the controller refused Reset: Unknown HCI Command; an Intel \
                    chip is like this before its firmware is loaded; let the system's driver load it: ";
        assert!(boot_loader.starts_with(told), "{boot_loader}");
        let told = "is this the right port and speed?";
        let silent = opening("uart:/dev/ttyS0,115200", InitError::Silent(Reset::OPCODE));
        assert!(silent.ends_with(told), "{silent}");
    }
}
