//! The monitor channel: a copy of all that passes between the kernel's adapters and those who use them, BlueZ, user
//! channels and the kernel itself.
//!
//! It only listens: nothing that it does, or fails to do, can be noticed by an adapter.

use super::{packets::Packets, problems, sys};
use crate::{AdapterSpec, TransportError};
use bytes::BytesMut;
use std::{io, os::fd::OwnedFd, time::Duration};
use tokio::io::{Interest, unix::AsyncFd};

/// An open monitor channel.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), baretooth_transports::TransportError> {
/// let mut monitor = baretooth_transports::Monitor::open()?;
/// let record = monitor.recv().await?;
/// println!("{:?} {:02x?}", record.time, record.octets);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Monitor {
    socket: AsyncFd<OwnedFd>,
    packets: Packets,
    failure: Option<TransportError>,
}

/// One record of the monitor channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorRecord {
    /// When the kernel made it, since 1970.
    pub time: Duration,
    /// Opcode, index of the adapter and length, 16 bits each, least significant octet first; then what the opcode says,
    /// of a packet what follows its indicator. As in a btsnoop file of datalink 2001.
    pub octets: BytesMut,
}

impl Monitor {
    /// Begins to listen. First come records that name the system and each adapter that there is.
    ///
    /// # Errors
    /// [`TransportError::Permission`] without the capability `CAP_NET_RAW`; [`TransportError::Unsupported`] when the
    /// kernel has no Bluetooth, or none for this container; [`TransportError::Io`].
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub fn open() -> Result<Self, TransportError> {
        let socket = bound().map_err(|error| problems::listening(name(), error))?;
        Ok(Self { socket, packets: Packets::new(LONGEST), failure: None })
    }

    /// The next record, awaited if need be.
    ///
    /// # Errors
    /// [`TransportError::Io`]. Errors are final.
    ///
    /// # Cancel safety
    /// Cancel safe: a record that was not returned is returned by the next call.
    pub async fn recv(&mut self) -> Result<MonitorRecord, TransportError> {
        // Where there is always something to read, others have their turn all the same.
        tokio::task::coop::consume_budget().await;
        loop {
            if let Some(record) = self.recv_ready() {
                return Ok(record);
            }
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            let Self { socket, packets, .. } = self;
            // Waiting is cancel safe, and reading does not wait.
            let read = socket.async_io(Interest::READABLE, |socket| read(packets, socket)).await;
            match read {
                Ok(record) => return Ok(record),
                Err(error) => self.fail(error),
            }
        }
    }

    /// The next record if it is here already. `None` says that there is none, or an error for [`recv`](Self::recv) to
    /// return.
    pub fn recv_ready(&mut self) -> Option<MonitorRecord> {
        if self.failure.is_some() {
            return None;
        }
        match read(&mut self.packets, self.socket.get_ref()) {
            Ok(record) => Some(record),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// How many records the kernel has dropped because they were not received in time.
    pub fn lost(&self) -> u32 {
        // One that cannot be asked was not open in the first place.
        sys::dropped(self.socket.get_ref()).unwrap_or(0)
    }

    fn fail(&mut self, error: io::Error) {
        self.failure = Some(problems::using("reading from", &name(), error));
    }
}

fn bound() -> io::Result<AsyncFd<OwnedFd>> {
    let socket = sys::socket()?;
    // A kernel that tells no time is no reason not to listen, nor is less room than asked for.
    let _ = sys::set_timestamps(&socket);
    let _ = sys::set_receive_buffer(&socket, super::WAITING);
    sys::bind(&socket, sys::NO_ADAPTER, sys::Channel::Monitor)?;
    sys::register(socket)
}

fn read(packets: &mut Packets, socket: &OwnedFd) -> io::Result<MonitorRecord> {
    let packet = packets.read(socket)?;
    Ok(MonitorRecord { time: packet.time.unwrap_or_else(now), octets: packet.octets })
}

#[allow(clippy::disallowed_methods, reason = "the time of a record is for people; no host reads it back")]
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// As users call it.
fn name() -> String {
    AdapterSpec::Monitor.to_string()
}

/// The longest record: a header, and as much as its length field can say.
const LONGEST: usize = 6 + 65_535;
