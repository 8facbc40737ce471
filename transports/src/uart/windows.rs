//! A serial port of Windows, through `serial2-tokio`; the system lets one program at a time open a port.

use super::failed_to_open as why;
use crate::{AdapterSpec, TransportError, UartSpec};
use serial2_tokio::{FlowControl, SerialPort, Settings};
use std::{io, sync::Arc};
use tokio::io::{ReadHalf, WriteHalf};

/// An open port, set, and the rate that the driver says it runs at.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) reader: ReadPort,
    pub(crate) writer: WritePort,
    pub(crate) baud: u32,
}

/// The reading half of a port.
pub type ReadPort = ReadHalf<SerialPort>;
/// The writing half of a port.
pub type WritePort = WriteHalf<SerialPort>;

impl Port {
    /// Opens the device at the rate of `asked`, with nothing left of what came before.
    pub(crate) fn open(spec: &AdapterSpec, asked: &UartSpec) -> Result<Self, TransportError> {
        let set = |mut settings: Settings| {
            settings.set_raw();
            settings.set_flow_control(if asked.rtscts { FlowControl::RtsCts } else { FlowControl::None });
            settings.set_baud_rate(asked.baud)?;
            Ok(settings)
        };
        let opened = SerialPort::open(&asked.device, set).and_then(|port| {
            port.discard_buffers()?;
            let baud = port.get_configuration()?.get_baud_rate()?;
            let (reader, writer) = tokio::io::split(port);
            Ok(Self { reader, writer, baud })
        });
        opened.map_err(|error| why(spec, error))
    }
}

pub(super) fn failed_to_open(what: String, error: io::Error) -> TransportError {
    let hint = "check the name, and whether the port takes that rate and flow control";
    TransportError::Io { operation: "opening", object: what, hint, source: Arc::new(error) }
}
