//! Why a GATT procedure failed.

use crate::att::{AttError, AttOpcode};

/// What ended a procedure before its result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GattError {
    /// The server answered with an error.
    #[error("{} of handle 0x{handle:04X} refused: {} (0x{:02X}){}", operation(*.request), .code.label(), .code.0, Hint(.code.hint()))]
    Att {
        /// The request refused.
        request: AttOpcode,
        /// The attribute that the server named.
        handle: u16,
        /// Why.
        code: AttError,
    },
    /// The answer cannot be what was asked for.
    #[error("{} failed: the peer's answer is invalid: {cause}", operation(*.request))]
    InvalidResponse {
        /// The request answered.
        request: AttOpcode,
        /// What is wrong with the answer.
        cause: &'static str,
    },
    /// The server's table of attributes contradicts itself; nothing of it is used.
    #[error("discovery failed at handle 0x{handle:04X}: the peer's attribute table is invalid: {cause}")]
    DatabaseInvalid {
        /// What is wrong.
        cause: &'static str,
        /// Where.
        handle: u16,
    },
    /// The characteristic has no Client Characteristic Configuration descriptor, whatever its properties say.
    #[error(
        "subscription to handle 0x{value_handle:04X} failed: the characteristic has no Client Characteristic \
         Configuration descriptor; read it instead"
    )]
    NoCccd {
        /// The characteristic's value.
        value_handle: u16,
    },
    /// The characteristic offers neither notifications nor indications.
    #[error(
        "subscription to handle 0x{value_handle:04X} failed: its properties allow neither notify nor indicate; \
         force one if the peer is known to send it"
    )]
    NotSubscribable {
        /// The characteristic's value.
        value_handle: u16,
    },
    /// The value is longer than any attribute can be.
    #[error(
        "write of handle 0x{handle:04X} refused here: {length} octets, and a value has at most {limit}; split it"
    )]
    ValueTooLong {
        /// The attribute.
        handle: u16,
        /// Octets given.
        length: usize,
        /// Octets allowed.
        limit: usize,
    },
    /// A request that takes several attributes was given too few or too many.
    #[error("{operation} refused here: {given} handles given, it takes {least} to {most}; split the request")]
    HandleCount {
        /// The procedure.
        operation: &'static str,
        /// How many were given.
        given: usize,
        /// At least so many.
        least: usize,
        /// At most so many.
        most: usize,
    },
}

impl GattError {
    /// The error of an answer that does not even parse.
    pub const fn malformed(request: AttOpcode) -> Self {
        Self::InvalidResponse { request, cause: "its layout is malformed" }
    }
}

/// What a user would call the request.
fn operation(request: AttOpcode) -> &'static str {
    match request.0 {
        0x02 => "exchange of the MTU",
        0x04 => "discovery of descriptors",
        0x06 | 0x10 => "discovery of services",
        0x08 => "read by type",
        0x0A => "read",
        0x0C => "long read",
        0x0E | 0x20 => "read of several values",
        0x12 => "write",
        0x16 | 0x18 => "long write",
        _ => "request",
    }
}

struct Hint(Option<&'static str>);

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_operation_object_cause_and_hint() {
        let error = |code| GattError::Att { request: AttOpcode(0x0A), handle: 0x21, code };
        assert_eq!(
            error(AttError::InsufficientAuthentication).to_string(),
            "read of handle 0x0021 refused: Insufficient Authentication (0x05); \
             the peer wants an encrypted link; pair with it first"
        );
        assert_eq!(
            error(AttError(0x80)).to_string(),
            "read of handle 0x0021 refused: application error (0x80)"
        );
        assert_eq!(
            error(AttError(0)).to_string(),
            "read of handle 0x0021 refused: reserved error code (0x00)"
        );
        assert_eq!(
            GattError::malformed(AttOpcode(0x10)).to_string(),
            "discovery of services failed: the peer's answer is invalid: its layout is malformed"
        );
        assert_eq!(
            GattError::DatabaseInvalid { cause: "handles do not ascend", handle: 5 }.to_string(),
            "discovery failed at handle 0x0005: the peer's attribute table is invalid: handles do not ascend"
        );
        assert_eq!(
            GattError::NoCccd { value_handle: 3 }.to_string(),
            "subscription to handle 0x0003 failed: the characteristic has no Client Characteristic \
             Configuration descriptor; read it instead"
        );
        assert_eq!(
            GattError::NotSubscribable { value_handle: 3 }.to_string(),
            "subscription to handle 0x0003 failed: its properties allow neither notify nor indicate; \
             force one if the peer is known to send it"
        );
        assert_eq!(
            GattError::ValueTooLong { handle: 3, length: 513, limit: 512 }.to_string(),
            "write of handle 0x0003 refused here: 513 octets, and a value has at most 512; split it"
        );
        assert_eq!(
            GattError::HandleCount { operation: "read multiple", given: 1, least: 2, most: 11 }.to_string(),
            "read multiple refused here: 1 handles given, it takes 2 to 11; split the request"
        );
    }
}
