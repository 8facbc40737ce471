//! A virtual controller of the kernel: `/dev/vhci` makes an adapter, and whoever opened it is its controller.
//!
//! Every read and write of the device is one HCI packet. It owns the device; when it is dropped, the adapter is gone,
//! as if it was unplugged.

use baretooth_transports::{HciPacket, SendQueue, Transport, TransportError, TransportRx, TransportTx};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    sync::Arc,
};
use tokio::net::unix::pipe;

/// The controller's end of an adapter of the kernel.
#[derive(Debug)]
pub struct Vhci {
    reader: pipe::Receiver,
    writer: File,
    index: u16,
}

impl Vhci {
    /// Makes an adapter. The kernel sets it up at once, as any other: it wants answers to its commands.
    ///
    /// # Errors
    /// When the kernel has no `/dev/vhci` (module `hci_vhci`), or we may not open it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn create() -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/vhci")?;
        file.write_all(&[VENDOR, PRIMARY])?;
        let index = read_index(&mut file)?;
        // A device that can be polled is all that a pipe's end has to be for tokio.
        let reader = pipe::Receiver::from_file_unchecked(file.try_clone()?)?;
        Ok(Self { reader, writer: file, index })
    }

    /// The adapter's index, 0 for `hci0`.
    pub fn index(&self) -> u16 {
        self.index
    }
}

/// The indicator of packets between the device and us.
const VENDOR: u8 = 0xFF;
/// An adapter of the usual kind, set up by the kernel.
const PRIMARY: u8 = 0;

/// Reads the answer to the making: the adapter's index.
fn read_index(file: &mut File) -> io::Result<u16> {
    let mut answer = [0; 4];
    match (file.read(&mut answer)?, answer) {
        (4, [VENDOR, PRIMARY, low, high]) => Ok(u16::from_le_bytes([low, high])),
        (count, _) => {
            Err(io::Error::other(format!("/dev/vhci made no adapter: it said {:02x?}", &answer[..count])))
        }
    }
}

impl Transport for Vhci {
    type Rx = VhciRx;
    type Tx = VhciTx;

    fn split(self) -> (Self::Rx, Self::Tx) {
        (VhciRx(self.reader), VhciTx(self.writer))
    }

    fn description(&self) -> String {
        format!("the controller of hci{}", self.index)
    }
}

/// The half that receives what a controller receives.
#[derive(Debug)]
pub struct VhciRx(pipe::Receiver);

impl VhciRx {
    /// The next packet if there is one. Not by tokio's own reading: that takes less than was asked for as a sign that
    /// nothing is left.
    fn read(&mut self) -> io::Result<HciPacket> {
        let mut octets = vec![0; LONGEST];
        let count = self.0.try_read(&mut octets)?;
        octets.truncate(count);
        HciPacket::new(octets).map_err(io::Error::other)
    }
}

/// Octets of the longest packet that the kernel has.
const LONGEST: usize = 1 + 1024 + 4;

impl TransportRx for VhciRx {
    async fn recv(&mut self) -> Result<HciPacket, TransportError> {
        loop {
            match self.read() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0.readable().await.map_err(failed)?;
                }
                packet => return packet.map_err(failed),
            }
        }
    }

    fn recv_ready(&mut self) -> Option<HciPacket> {
        self.read().ok()
    }
}

/// The half that sends what a controller sends. The kernel does not take packets while the adapter is down; those are
/// lost, as a controller's are when nobody listens.
#[derive(Debug)]
pub struct VhciTx(File);

impl VhciTx {
    /// Writes any octets as one packet. The kernel takes it at once.
    ///
    /// # Errors
    /// Those of the kernel.
    pub fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.write(octets).map(drop)
    }
}

impl TransportTx for VhciTx {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        while let Some(packet) = queue.front() {
            match self.write(packet.as_slice()) {
                Err(error) if error.raw_os_error() != Some(libc::ENXIO) => return Err(failed(error)),
                _ => drop(queue.pop()),
            }
        }
        // The others of the same thread have their turn, as with any transport that may have to wait.
        tokio::task::yield_now().await;
        Ok(())
    }
}

fn failed(error: io::Error) -> TransportError {
    TransportError::Custom(Arc::new(error))
}

/// Passes packets on between two transports until one of them ends.
///
/// # Errors
/// Why it ended.
pub async fn join(one: impl Transport, other: impl Transport) -> Result<(), TransportError> {
    let ((one_rx, one_tx), (other_rx, other_tx)) = (one.split(), other.split());
    tokio::try_join!(pass_on(one_rx, other_tx), pass_on(other_rx, one_tx)).map(drop)
}

async fn pass_on(mut from: impl TransportRx, mut to: impl TransportTx) -> Result<(), TransportError> {
    let mut queue = SendQueue::default();
    loop {
        let mut first: Option<HciPacket> = Some(from.recv().await?);
        queue.fill(|| first.take().or_else(|| from.recv_ready()));
        to.send(&mut queue).await?;
    }
}
