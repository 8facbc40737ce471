//! Adapters by their names: opened, and opened again.

use super::Error;
use crate::driver::Source;
use crate::host::Recovery;
use crate::transports::{AdapterSpec, AnyTransport, OpenOptions, TransportError};
use std::time::Duration;

pub(super) async fn open(spec: &AdapterSpec, options: OpenOptions) -> Result<AnyTransport, Error> {
    let operation = || format!("opening {spec}");
    let opened = match spec {
        AdapterSpec::Tcp { .. } => {
            let opening = tokio::time::timeout(TCP_CONNECT_WITHIN, options.open(spec)).await;
            opening.map_err(|_| Error::Timeout {
                operation: operation(),
                cause: "the host did not answer",
                after: TCP_CONNECT_WITHIN,
            })?
        }
        // A server waits for its host as long as it takes; the others answer at once.
        _ => options.open(spec).await,
    };
    opened.map_err(|source| Error::Transport { operation: operation(), source })
}

/// The system's own limit is minutes.
const TCP_CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The adapter of a name.
pub(super) struct ByName {
    pub(super) spec: AdapterSpec,
    pub(super) options: OpenOptions,
}

impl Source for ByName {
    type Transport = AnyTransport;

    async fn open(&mut self, reset_port: bool) -> Result<AnyTransport, TransportError> {
        // What the user has asked for once is not repeated at each rung.
        self.options.reset_port(reset_port).open(&self.spec).await
    }

    fn limit(&self) -> Recovery {
        match self.spec {
            AdapterSpec::Usb(_) => Recovery::ResetPort,
            AdapterSpec::HciSocket(_)
            | AdapterSpec::Uart(_)
            | AdapterSpec::H5(_)
            | AdapterSpec::Tcp { .. }
            | AdapterSpec::Unix(_) => Recovery::Reopen,
            // It is the other side that opens these, or there is none.
            _ => Recovery::Reset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_reset_only_where_there_is_one_and_what_others_open_is_not_opened_again() {
        for (spec, expected) in [
            ("usb:0", Recovery::ResetPort),
            ("hci0", Recovery::Reopen),
            ("uart:x,115200", Recovery::Reopen),
            ("h5:x,115200", Recovery::Reopen),
            ("tcp:localhost:1", Recovery::Reopen),
            ("unix:x", Recovery::Reopen),
            ("tcp-server:localhost:1", Recovery::Reset),
            ("unix-server:x", Recovery::Reset),
            ("pty:x", Recovery::Reset),
        ] {
            let spec = spec.parse().expect("a spec");
            let source = ByName { spec, options: OpenOptions::new() };
            assert_eq!(source.limit(), expected, "{}", source.spec);
        }
    }
}
