//! Errors of the library as the protocol has them.

use crate::message::error::{Kind, RpcError};
use baretooth::gatt::GattError;
use baretooth::host::OpError;
use baretooth::{Error, ErrorKind};

/// What ran and failed, or was refused here before it did.
pub(crate) fn failed(error: Error) -> RpcError {
    let message = error.to_string();
    if is_refused_here(&error) {
        return RpcError::invalid_params(message);
    }
    RpcError::failed(kind(&error), message).with_code(error.code()).with_handle(error.handle())
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
