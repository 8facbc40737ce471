//! What can go wrong between the host and its adapter. Each message names operation, object, cause and hint.

use crate::Desync;
use std::{io, sync::Arc};

/// Why a transport could not be opened, or ended. Cloning is cheap: every waiter gets the same error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The other side ended the connection.
    #[error("the connection to the adapter was closed by the other side")]
    Closed,
    /// The adapter itself is gone: unplugged, powered off, or hung up.
    #[error("{what} was disconnected; plug it in or power it on, and open it again")]
    Disconnected {
        /// The adapter.
        what: String,
    },
    /// No such adapter, host name or path.
    #[error("{what} was not found; {hint}")]
    NotFound {
        /// The adapter as it was asked for.
        what: String,
        /// What to check.
        hint: String,
    },
    /// The system refuses access.
    #[error("no permission to use {what}; {hint}")]
    Permission {
        /// The adapter as it was asked for.
        what: String,
        /// How to get the permission.
        hint: String,
    },
    /// Someone else uses it.
    #[error("{what} is in use; {hint}")]
    Busy {
        /// The adapter as it was asked for.
        what: String,
        /// Who may be using it.
        hint: String,
    },
    /// A switch keeps the radio off.
    #[error("{what} is blocked; {hint}")]
    Blocked {
        /// The adapter as it was asked for.
        what: String,
        /// How to lift it.
        hint: String,
    },
    /// This build or platform cannot open that kind of adapter.
    #[error("{what} cannot be opened: {reason}")]
    Unsupported {
        /// The adapter as it was asked for.
        what: String,
        /// Why not.
        reason: &'static str,
    },
    /// A transport that is not of this crate failed in a way of its own.
    #[error("{0}")]
    Custom(Arc<dyn std::error::Error + Send + Sync>),
    /// The H4 stream is out of step.
    #[error(transparent)]
    Desync(#[from] Desync),
    /// Any other failure that the system reports.
    #[error("{operation} {object} failed: {source}{}{hint}", if hint.is_empty() { "" } else { "; " })]
    Io {
        /// What was tried: "connecting to", "reading from".
        operation: &'static str,
        /// The adapter.
        object: String,
        /// What to check; may be empty.
        hint: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

#[cfg(feature = "tokio")]
impl TransportError {
    /// A failure to open `object`.
    pub(crate) fn opening(operation: &'static str, object: impl ToString, error: io::Error) -> Self {
        let what = object.to_string();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { what, hint: "check the name".into() },
            io::ErrorKind::PermissionDenied => {
                Self::Permission { what, hint: "check who may read and write it".into() }
            }
            io::ErrorKind::AddrInUse => Self::Busy {
                what,
                hint: "another program listens there; end it or choose another address".into(),
            },
            kind => {
                let hint = match kind {
                    io::ErrorKind::ConnectionRefused => "nothing listens there; start the controller first",
                    io::ErrorKind::AddrNotAvailable => "the address must be one of this machine",
                    _ => "",
                };
                Self::Io { operation, object: what, hint, source: Arc::new(error) }
            }
        }
    }

    /// A failure of `object` in use.
    pub(crate) fn using(operation: &'static str, object: &str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::WriteZero => Self::Closed,
            _ => Self::Io { operation, object: object.into(), hint: "", source: Arc::new(error) },
        }
    }
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use super::*;
    use io::ErrorKind::*;

    #[test]
    fn each_message_names_operation_object_cause_and_hint() {
        let opening =
            |kind| TransportError::opening("connecting to", "tcp:x:1", io::Error::from(kind)).to_string();
        assert_eq!(
            opening(ConnectionRefused),
            "connecting to tcp:x:1 failed: connection refused; nothing listens there; start the controller first"
        );
        assert_eq!(opening(TimedOut), "connecting to tcp:x:1 failed: timed out");
        assert_eq!(opening(NotFound), "tcp:x:1 was not found; check the name");
        assert_eq!(
            opening(PermissionDenied),
            "no permission to use tcp:x:1; check who may read and write it"
        );
        assert_eq!(
            opening(AddrInUse),
            "tcp:x:1 is in use; another program listens there; end it or choose another address"
        );
        let using =
            |kind| TransportError::using("reading from", "tcp:x:1", io::Error::from(kind)).to_string();
        assert_eq!(using(Other), "reading from tcp:x:1 failed: other error");
        assert_eq!(using(ConnectionReset), "the connection to the adapter was closed by the other side");
        let unsupported = TransportError::Unsupported { what: "usb:0".into(), reason: "no USB here" };
        assert_eq!(unsupported.to_string(), "usb:0 cannot be opened: no USB here");
    }
}
