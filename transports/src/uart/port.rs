//! A serial port of a unix system, and the master of a pseudo-terminal: how it is opened, set, read and written.

use super::{failed_to_open as why, sys};
use crate::{AdapterSpec, TransportError, UartSpec};
use serial2::{FlowControl, SerialPort, Settings};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, IoSlice, Read, Write},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, unix::AsyncFd};

/// An open port, set, and the rate that the driver says it runs at.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) reader: ReadPort,
    pub(crate) writer: WritePort,
    pub(crate) baud: u32,
}

impl Port {
    /// Opens the device alone, raw, at the rate of `asked`, with nothing left of what came before.
    pub(crate) fn open(spec: &AdapterSpec, asked: &UartSpec) -> Result<Self, TransportError> {
        let opened = open_terminal(&asked.device).and_then(|file| {
            let (file, baud) = set(file, asked)?;
            if let Err(error) = low_latency(&file) {
                tracing::debug!(adapter = %spec, %error, "the driver knows no low latency");
            }
            let (reader, writer) = halves(file)?;
            Ok(Self { reader, writer, baud })
        });
        opened.map_err(|error| why(spec, error))
    }
}

/// The reading half of a port.
#[derive(Debug)]
pub struct ReadPort(Arc<AsyncFd<File>>);

/// The writing half of a port.
#[derive(Debug)]
pub struct WritePort(Arc<AsyncFd<File>>);

/// Both halves of a terminal that does not block.
///
/// # Panics
/// Outside of a tokio runtime.
pub(crate) fn halves(file: File) -> io::Result<(ReadPort, WritePort)> {
    let file = Arc::new(sys::watch(file)?);
    Ok((ReadPort(file.clone()), WritePort(file)))
}

impl AsyncRead for ReadPort {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A terminal holds at most 4,095 octets for its reader: no more needs to be set to zero for each read.
        let room = buffer.remaining().min(4096);
        loop {
            let mut ready = ready!(self.0.poll_read_ready(context))?;
            match ready.try_io(|file| file.get_ref().read(buffer.initialize_unfilled_to(room))) {
                Ok(Ok(length)) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(hung_up(error))),
                // It was hung up, and someone else has opened it since.
                Err(_would_block) if ready.ready().is_read_closed() => return Poll::Ready(Ok(())),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for WritePort {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(context))?;
            // The master of a terminal that was closed takes octets for nobody.
            if ready.ready().is_write_closed() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            match ready.try_io(|file| file.get_ref().write_vectored(slices)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return Poll::Ready(result.map_err(hung_up)),
                Err(_would_block) => {}
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The errors by which a terminal says that its other end, or its device, is gone.
fn hung_up(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EIO | libc::ENXIO | libc::ENODEV) => io::ErrorKind::BrokenPipe.into(),
        _ => error,
    }
}

/// Opens a terminal that does not become ours to be interrupted by, and takes it for this program alone.
fn open_terminal(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    // The lock is for programs that may do anything, whom TIOCEXCL does not stop.
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::ErrorKind::ResourceBusy.into(),
        TryLockError::Error(error) => error,
    })?;
    sys::exclude_others(&file)?;
    Ok(file)
}

/// Makes the line raw and sets its rate; the rate that came of it.
fn set(file: File, asked: &UartSpec) -> io::Result<(File, u32)> {
    let mut port = SerialPort::from(OwnedFd::from(file));
    let mut settings = port.get_configuration()?;
    settings.set_raw();
    settings.as_termios_mut().c_cflag |= libc::CLOCAL | libc::CREAD; // No modem, whose carrier would matter.
    settings.set_flow_control(if asked.rtscts { FlowControl::RtsCts } else { FlowControl::None });
    settings.set_baud_rate(asked.baud)?;
    port.discard_buffers()?;
    let applied = port.set_configuration(&settings);
    let actual = port.get_configuration()?;
    if let Err(error) = applied
        && !differ_in_rate_only(&actual, &settings)
    {
        return Err(error);
    }
    let baud = actual.get_baud_rate()?;
    Ok((OwnedFd::from(port).into(), baud))
}

/// Whether all but the rate is as it was asked for, as far as H4 cares.
fn differ_in_rate_only(actual: &Settings, asked: &Settings) -> bool {
    let same_flow = actual.get_flow_control().ok() == asked.get_flow_control().ok();
    let same_size = actual.get_char_size().ok() == asked.get_char_size().ok();
    let same_parity = actual.get_parity().ok() == asked.get_parity().ok();
    let different_rate = actual.get_baud_rate().ok() != asked.get_baud_rate().ok();
    same_flow && same_size && same_parity && different_rate
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn low_latency(file: &File) -> io::Result<()> {
    sys::lower_latency(file)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn low_latency(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What only unix systems say.
pub(super) fn failed_to_open(what: String, error: io::Error) -> TransportError {
    match error.raw_os_error() {
        Some(libc::EIO | libc::ENXIO | libc::ENODEV) => {
            let hint =
                "the system has that port, but no hardware behind it; `baretooth adapters` lists the ports";
            TransportError::NotFound { what, hint: hint.into() }
        }
        Some(libc::ENOTTY) => TransportError::Unsupported { what, reason: "it is no serial port" },
        _ => {
            let hint = "check the name, and whether the port takes that rate and flow control";
            TransportError::Io { operation: "opening", object: what, hint, source: Arc::new(error) }
        }
    }
}
