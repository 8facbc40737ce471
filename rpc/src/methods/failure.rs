//! Errors of the library as the protocol has them.

use crate::message::error::{Kind, RpcError};
use baretooth::gatt::GattError;
use baretooth::host::OpError;
use baretooth::smp::PairingFailedReason;
use baretooth::{Error, ErrorKind};

/// What ran and failed, or was refused here before it did.
pub(crate) fn failed(error: Error) -> RpcError {
    let message = error.to_string();
    if is_refused_here(&error) {
        return RpcError::invalid_params(message);
    }
    RpcError::failed(kind(&error), message).with_code(code(&error)).with_handle(error.handle())
}

/// Whether it never ran.
fn is_refused_here(error: &Error) -> bool {
    matches!(
        error,
        Error::Invalid { .. }
            | Error::Advertising { .. }
            | Error::Gatt { source: GattError::ValueTooLong { .. } | GattError::HandleCount { .. }, .. }
    )
}

/// The code of the protocol that the kind names. What we refuse ourselves has the reason that a peer would be given.
fn code(error: &Error) -> Option<u8> {
    let reason = match error {
        Error::Security { source: OpError::PairingTooSoon { .. }, .. } => {
            PairingFailedReason::RepeatedAttempts
        }
        Error::Security { source: OpError::WeakBond { .. }, .. } => PairingFailedReason::EncryptionKeySize,
        Error::Security { source: OpError::Encryption { .. }, .. } => return error.code(),
        Error::Security { .. } => PairingFailedReason::AuthenticationRequirements,
        _ => return error.code(),
    };
    Some(reason.0)
}

fn kind(error: &Error) -> Kind {
    match error {
        Error::Gatt { source: GattError::NoCccd { .. } | GattError::NotSubscribable { .. }, .. } => {
            Kind::NotFound
        }
        Error::Controller { status: None, .. } => Kind::Adapter,
        Error::Security { source: OpError::Encryption { .. }, .. } => Kind::Hci,
        _ => match error.kind() {
            ErrorKind::Transport => Kind::Adapter,
            ErrorKind::Hci => Kind::Hci,
            ErrorKind::Disconnected => Kind::Disconnected,
            ErrorKind::Att => Kind::Att,
            ErrorKind::Channel => Kind::L2cap,
            ErrorKind::Smp | ErrorKind::Security => Kind::Smp,
            ErrorKind::NotFound | ErrorKind::Ambiguous => Kind::NotFound,
            ErrorKind::Timeout => Kind::Timeout,
            ErrorKind::Cancelled => Kind::Cancelled,
            _ => Kind::Internal,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_failure_for_want_of_security_has_a_code_of_the_protocol_that_its_kind_names() {
        let data = |source: OpError| {
            let error = failed(Error::Security { operation: "reading".into(), source });
            error.data.map(|data| (data.kind, data.code))
        };
        let soon = OpError::PairingTooSoon { left: Duration::from_secs(1) };
        assert_eq!(data(soon), Some((Kind::Smp, Some(0x09))));
        assert_eq!(data(OpError::WeakBond { key_size: 7 }), Some((Kind::Smp, Some(0x06))));
        assert_eq!(data(OpError::InsufficientSecurity), Some((Kind::Smp, Some(0x03))));
        let status = baretooth::ErrorCode::PinOrKeyMissing;
        assert_eq!(data(OpError::Encryption { status }), Some((Kind::Hci, Some(0x06))));
    }
}
