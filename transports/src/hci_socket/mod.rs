//! Adapters of the Linux kernel by their user channel: all of an adapter's HCI packets, for one program alone.
//!
//! The kernel has brought the controller up (firmware included), then keeps away from it for as long as the channel is
//! open; BlueZ does not see the adapter meanwhile. Every read and every write is one packet.
//!
//! It owns the socket, and the duty to bring an adapter up again that it has brought down. It must never read with less
//! room than the longest packet takes: the kernel throws away what does not fit.

mod adapters;
mod monitor;
mod packets;
mod problems;
mod sys;
mod take;

use crate::{HciPacket, OpenOptions, SendQueue, Transport, TransportError, TransportRx, TransportTx};
use crate::{PacketError, candidates::Candidate};
use packets::Packets;
use std::{io, os::fd::OwnedFd, sync::Arc};
use take::Lowered;
use tokio::io::{Interest, unix::AsyncFd};

pub(crate) use adapters::candidates;
pub use monitor::{Monitor, MonitorRecord};

/// The user channel of an adapter of the kernel.
///
/// ```no_run
/// use baretooth_transports::{HciSocket, OpenOptions, Transport, TransportError};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), TransportError> {
/// let (rx, tx) = HciSocket::open(0, &OpenOptions::new()).await?.split();
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct HciSocket {
    open: Open,
}

/// An open channel, for both halves. The order counts: the socket is closed before the adapter is brought up.
#[derive(Debug)]
struct Open {
    socket: AsyncFd<OwnedFd>,
    name: String,
    _lowered: Option<Lowered>,
}

impl HciSocket {
    /// Opens adapter `index`, 0 for `hci0`. One that is up is brought down first, unless
    /// [`leave_up`](OpenOptions::leave_up) says otherwise, and brought up again when the transport is dropped: then, as
    /// in opening, the kernel may take a second over the controller, or several when it does not answer. Whether that
    /// succeeds is not told, and a process that is killed leaves the adapter down. BlueZ may do the same by itself.
    ///
    /// While the kernel is still setting the adapter up, this waits for about two seconds.
    ///
    /// # Errors
    /// [`TransportError::Permission`] without the capability `CAP_NET_ADMIN`; [`TransportError::NotFound`];
    /// [`TransportError::Busy`] when another program has the channel, or the adapter is up and is to stay so;
    /// [`TransportError::Blocked`] by rfkill; [`TransportError::Unsupported`] when the kernel has no Bluetooth, or none
    /// for this container; [`TransportError::Io`]. Each says what to do.
    ///
    /// # Cancel safety
    /// Dropping the future gives the attempt up; an adapter that was brought down is brought up again.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub async fn open(index: u16, options: &OpenOptions) -> Result<Self, TransportError> {
        let (socket, lowered) = take::take(index, options.leave_up).await?;
        // What the kernel has no room for it drops. Less room than asked for is no reason to give up.
        let _ = sys::set_receive_buffer(&socket, WAITING);
        let name = name(index);
        let socket = sys::register(socket).map_err(|error| problems::using("opening", &name, error))?;
        Ok(Self { open: Open { socket, name, _lowered: lowered } })
    }

    /// The adapters that the kernel has, without opening them.
    ///
    /// # Errors
    /// [`TransportError::Unsupported`] when the kernel has no Bluetooth, or none for this container.
    pub fn candidates() -> Result<Vec<Candidate>, TransportError> {
        adapters::find()
    }
}

impl Transport for HciSocket {
    type Rx = HciSocketRx;
    type Tx = HciSocketTx;

    fn split(self) -> (Self::Rx, Self::Tx) {
        let open = Arc::new(self.open);
        let rx =
            HciSocketRx { open: open.clone(), packets: Packets::new(LONGEST), is_gone: false, failure: None };
        (rx, HciSocketTx { open, failure: None })
    }

    fn description(&self) -> String {
        self.open.name.clone()
    }
}

/// The receiving half of an [`HciSocket`].
#[derive(Debug)]
pub struct HciSocketRx {
    open: Arc<Open>,
    packets: Packets,
    /// The kernel has said that the adapter is gone: what it still has for us comes first.
    is_gone: bool,
    failure: Option<TransportError>,
}

impl TransportRx for HciSocketRx {
    async fn recv(&mut self) -> Result<HciPacket, TransportError> {
        let open = self.open.clone();
        // Where there is always something to read, others have their turn all the same.
        tokio::task::coop::consume_budget().await;
        loop {
            if let Some(packet) = self.recv_ready() {
                return Ok(packet);
            }
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            // Waiting is cancel safe, and reading does not wait.
            let ready = open.socket.ready(Interest::READABLE | Interest::ERROR).await;
            let result = match ready {
                Err(error) => Err(error),
                Ok(mut ready) => match self.read() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        // Only one call is told by an error that the adapter is gone; that there was one is seen here.
                        if ready.ready().is_error() {
                            Err(io::ErrorKind::BrokenPipe.into())
                        } else {
                            ready.clear_ready();
                            continue;
                        }
                    }
                    result => result,
                },
            };
            match result {
                Ok(packet) => return Ok(packet),
                Err(error) => self.failure = Some(problems::using("reading from", &open.name, error)),
            }
        }
    }

    fn recv_ready(&mut self) -> Option<HciPacket> {
        if self.failure.is_some() {
            return None;
        }
        match self.read() {
            Ok(packet) => Some(packet),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => {
                self.failure = Some(problems::using("reading from", &self.open.name, error));
                None
            }
        }
    }
}

impl HciSocketRx {
    /// Reads one packet; does not wait for one.
    fn read(&mut self) -> io::Result<HciPacket> {
        let socket = self.open.socket.get_ref();
        loop {
            let packet = self.packets.read(socket);
            match packet.as_ref().map_err(io::Error::kind) {
                Err(io::ErrorKind::BrokenPipe) if !self.is_gone => self.is_gone = true,
                Err(io::ErrorKind::WouldBlock) if self.is_gone => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                // What is lost took events and credits with it: better no connection than one that waits for ever.
                Err(io::ErrorKind::WouldBlock) if sys::dropped(socket)? > 0 => {
                    return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
                }
                _ => return HciPacket::new(packet?.octets.freeze()).map_err(invalid),
            }
        }
    }
}

fn invalid(error: PacketError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The sending half of an [`HciSocket`].
#[derive(Debug)]
pub struct HciSocketTx {
    open: Arc<Open>,
    failure: Option<TransportError>,
}

impl TransportTx for HciSocketTx {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        while let Some(packet) = queue.front() {
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            let sent = self
                .open
                .socket
                .async_io(Interest::WRITABLE, |socket| sys::send(socket, packet.as_slice()))
                .await;
            match sent {
                Ok(()) => drop(queue.pop()),
                Err(error) => self.failure = Some(problems::using("writing to", &self.open.name, error)),
            }
        }
        Ok(())
    }
}

/// As users call it.
fn name(index: u16) -> String {
    crate::AdapterSpec::HciSocket(index).to_string()
}

/// The longest packet: ACL data with all that its length field can say.
const LONGEST: usize = 1 + 4 + 65_535;
/// Octets, with the kernel's own for each packet, that may wait to be read.
const WAITING: i32 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    /// A datagram socket keeps packets apart as the kernel's does.
    fn pair() -> (UnixDatagram, HciSocketRx, HciSocketTx) {
        let (far, near) = UnixDatagram::pair().expect("sockets");
        near.set_nonblocking(true).expect("a mode");
        let socket = sys::register(near.into()).expect("a runtime");
        let (rx, tx) = HciSocket { open: Open { socket, name: "hci3".into(), _lowered: None } }.split();
        (far, rx, tx)
    }

    #[tokio::test]
    async fn each_read_is_a_packet_of_any_length_and_many_share_a_buffer() {
        let (far, mut rx, _tx) = pair();
        let mut kept = vec![];
        for length in [0, 5, 1023, packets::USUAL - 5, packets::USUAL - 4, 4000, 65_535, 1] {
            let mut octets = vec![2, 1, 0];
            octets.extend(u16::try_from(length).expect("a length").to_le_bytes());
            octets.extend((0..length).map(|n| n.to_le_bytes()[0]));
            far.send(&octets).expect("room");
            let packet = rx.recv().await.expect("a packet");
            assert!(packet.as_slice() == octets, "{length} octets of data");
            kept.push((packet, octets));
        }
        assert!(kept.iter().all(|(packet, octets)| packet.as_slice() == *octets));
    }

    #[tokio::test]
    async fn what_is_no_packet_ends_the_connection_with_the_reason() {
        for (octets, cause) in [
            (&[4, 0x0E, 4, 1][..], "the header announces 4 octets and 1 follow"),
            (&[0xFF, 0, 0][..], "0xFF is no HCI packet indicator"),
            (&[][..], "the packet ends inside its header (0 octets)"),
        ] {
            let (far, mut rx, _tx) = pair();
            far.send(octets).expect("room");
            far.send(&[4, 0x10, 0]).expect("room");
            for _ in 0..2 {
                let message = rx.recv().await.unwrap_err().to_string();
                let expected = "reading from hci3 failed: ".to_owned() + cause;
                assert_eq!(message, expected + "; its controller or its driver is at fault");
                assert_eq!(rx.recv_ready(), None);
            }
        }
    }

    #[tokio::test]
    async fn an_adapter_that_is_gone_fails_every_further_send_and_keeps_the_queue() {
        let (far, _rx, mut tx) = pair();
        let mut queue = SendQueue::from(HciPacket::command(0x0C03, &[]).expect("a command"));
        tx.send(&mut queue).await.expect("room");
        let mut octets = [0; 9];
        assert_eq!(far.recv(&mut octets).expect("a packet"), 4);
        assert_eq!(octets[..4], [1, 3, 0x0C, 0]);
        // What a socket of the kernel says by EPIPE, this one says by ECONNREFUSED.
        drop(far);
        queue.fill(|| HciPacket::command(0x0C03, &[]).ok());
        let first = tx.send(&mut queue).await.unwrap_err().to_string();
        assert_eq!(tx.send(&mut queue).await.unwrap_err().to_string(), first);
        assert_eq!(queue.len(), SendQueue::CAPACITY);
    }

    #[tokio::test]
    async fn a_kernel_without_bluetooth_says_so_in_the_list_of_adapters_too() {
        if sys::socket().is_ok() {
            assert!(HciSocket::candidates().is_ok());
            return;
        }
        let expected = "this kernel has no Bluetooth";
        let listing = HciSocket::candidates().unwrap_err().to_string();
        assert!(
            listing.starts_with(&format!("the kernel's adapters cannot be opened: {expected}")),
            "{listing}"
        );
        let opening = HciSocket::open(0, &OpenOptions::new()).await.unwrap_err().to_string();
        assert!(opening.starts_with(&format!("hci0 cannot be opened: {expected}")), "{opening}");
        assert_eq!(candidates(), []);
    }
}
