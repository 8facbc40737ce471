//! HCI over a serial port: H4 on a UART ([Vol 4] Part A), 8 data bits, no parity, 1 stop bit.
//!
//! A port that has just been opened is brought into step first: whoever had it before may have left the controller in
//! the middle of a packet, or reporting advertisers. This module owns the open port, its settings and its lock; it
//! must never use a controller that has not answered HCI_Reset, nor share a port with another program.

mod candidates;
#[cfg(unix)]
pub(crate) mod port;
#[cfg(windows)]
#[path = "windows.rs"]
pub(crate) mod port;
mod resync;
#[cfg(unix)]
mod sys;

pub(crate) use candidates::candidates;
use port::{Port, ReadPort, WritePort};

use crate::{AdapterSpec, Stream, StreamRx, StreamTx, Transport, TransportError, UartSpec};
use std::{io, time::Duration};
use tokio::time::{Instant, sleep};

/// An open serial port that carries H4.
///
/// A port belongs to one program at a time: a second one gets [`TransportError::Busy`]. When the line hangs up, an
/// adapter that is pulled out for example, both halves fail with [`TransportError::Disconnected`].
///
/// ```no_run
/// use baretooth_transports::{Transport, TransportError, Uart, UartSpec};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), TransportError> {
/// let port = UartSpec { device: "/dev/ttyUSB0".into(), baud: 1_000_000, rtscts: true };
/// let uart = Uart::open(&port).await?;
/// println!("{}", uart.description());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Uart {
    stream: Stream<ReadPort, WritePort>,
    baud: u32,
}

impl Uart {
    /// Opens the port and brings its controller into step: HCI_Reset is sent until it is answered cleanly.
    ///
    /// # Errors
    /// [`TransportError::NotFound`] also for a port without hardware behind it; [`TransportError::Permission`];
    /// [`TransportError::Busy`] when another program holds the port; [`TransportError::Unsupported`] when it is no
    /// serial port; [`TransportError::Io`], with what to check, when no controller answers within 3 s.
    ///
    /// # Cancel safety
    /// Dropping the future closes the port again.
    pub async fn open(port: &UartSpec) -> Result<Self, TransportError> {
        let spec = AdapterSpec::Uart(port.clone());
        let mut port = open_port(&spec, port).await?;
        resync::resync(&mut port.reader, &mut port.writer)
            .await
            .map_err(|error| resync::failure(&spec, port.baud, error))?;
        Ok(Self::from_port(&spec, port))
    }

    /// Opens the port and sends nothing: for the controller's end of a line, whose host speaks first.
    ///
    /// # Errors
    /// As [`open`](Self::open), except that nobody has to answer.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn serve(port: &UartSpec) -> Result<Self, TransportError> {
        let spec = AdapterSpec::Uart(port.clone());
        Ok(Self::from_port(&spec, Port::open(&spec, port)?))
    }

    fn from_port(spec: &AdapterSpec, port: Port) -> Self {
        let Port { reader, writer, baud } = port;
        let gone = TransportError::Disconnected { what: spec.to_string() };
        let name = description(spec, baud);
        Self { stream: Stream::from_halves(reader, writer, name).ending_with(gone), baud }
    }

    /// The bits per second that the port runs at, as the driver says. A port that cannot run at what was asked for
    /// runs at what it can.
    pub fn baud(&self) -> u32 {
        self.baud
    }
}

impl Transport for Uart {
    type Rx = StreamRx<ReadPort>;
    type Tx = StreamTx<WritePort>;

    fn split(self) -> (Self::Rx, Self::Tx) {
        self.stream.split()
    }

    /// The adapter as it was asked for, and the rate of the line where that is another.
    fn description(&self) -> String {
        self.stream.description()
    }
}

/// Opens the port alone. Whoever is just letting go of it, a task of this program perhaps, is waited for.
pub(crate) async fn open_port(spec: &AdapterSpec, port: &UartSpec) -> Result<Port, TransportError> {
    let until = Instant::now() + LETTING_GO;
    loop {
        match Port::open(spec, port) {
            Err(TransportError::Busy { .. }) if Instant::now() < until => sleep(LOOK_AGAIN).await,
            opened => return opened,
        }
    }
}

const LETTING_GO: Duration = Duration::from_millis(300);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The adapter as it was asked for, and the rate of the line where that is another; logged where it is.
pub(crate) fn description(spec: &AdapterSpec, baud: u32) -> String {
    match spec {
        AdapterSpec::Uart(asked) | AdapterSpec::H5(asked) if deviates(asked.baud, baud) => {
            tracing::warn!(adapter = %spec, baud, "the driver of the serial port runs it at another rate");
            format!("{spec} (the driver runs it at {baud} baud)")
        }
        _ => spec.to_string(),
    }
}

/// A UART reads a character right up to about 2 % of difference; dividers cannot hit every rate exactly.
fn deviates(asked: u32, actual: u32) -> bool {
    asked.abs_diff(actual) > asked / 50
}

/// Why a port could not be opened or set.
pub(crate) fn failed_to_open(spec: &AdapterSpec, error: io::Error) -> TransportError {
    let what = spec.to_string();
    match error.kind() {
        io::ErrorKind::NotFound => {
            let hint =
                "check the name and whether it is plugged in; `baretooth adapters` lists the ports".into();
            TransportError::NotFound { what, hint }
        }
        io::ErrorKind::PermissionDenied => TransportError::Permission { what, hint: PERMISSION.into() },
        io::ErrorKind::ResourceBusy | io::ErrorKind::WouldBlock => {
            let hint =
                "another program has the port open (a terminal, btattach, ModemManager?); end it".into();
            TransportError::Busy { what, hint }
        }
        _ => port::failed_to_open(what, error),
    }
}

#[cfg(unix)]
const PERMISSION: &str =
    "join the group that may (`sudo usermod -aG dialout $USER`, `uucp` on some systems) and log in again";
#[cfg(not(unix))]
const PERMISSION: &str = "another program may have it open; end it";
