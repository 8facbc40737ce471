//! Two transports joined in memory, packet by packet: for tests and for hosts and controllers in one program.
//!
//! No file descriptor and no clock is involved, so it works under tokio's paused clock.

use crate::{HciPacket, SendQueue, Transport, TransportError, TransportRx, TransportTx};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Two ends; what one sends the other receives. Each direction holds at most `capacity` packets, then `send` waits.
///
/// ```
/// use baretooth_transports::{HciPacket, SendQueue, Transport, TransportRx, TransportTx, memory};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (host, controller) = memory::pair(16);
/// let (_, mut tx) = host.split();
/// let (mut rx, _) = controller.split();
/// let reset = HciPacket::command(0x0C03, &[])?;
/// tx.send(&mut SendQueue::from(reset.clone())).await?;
/// assert_eq!(rx.recv().await?, reset);
/// # Ok(()) }
/// ```
///
/// # Panics
/// When `capacity` is 0.
pub fn pair(capacity: usize) -> (Memory, Memory) {
    let (near_tx, far_rx) = mpsc::channel(capacity);
    let (far_tx, near_rx) = mpsc::channel(capacity);
    let end = |rx, tx| Memory { rx: MemoryRx(rx), tx: MemoryTx(tx) };
    (end(near_rx, near_tx), end(far_rx, far_tx))
}

/// One end of a [`pair`].
#[derive(Debug)]
pub struct Memory {
    rx: MemoryRx,
    tx: MemoryTx,
}

/// The receiving half of [`Memory`].
#[derive(Debug)]
pub struct MemoryRx(Receiver<HciPacket>);

/// The sending half of [`Memory`].
#[derive(Debug)]
pub struct MemoryTx(Sender<HciPacket>);

impl Transport for Memory {
    type Rx = MemoryRx;
    type Tx = MemoryTx;

    fn split(self) -> (Self::Rx, Self::Tx) {
        (self.rx, self.tx)
    }

    fn description(&self) -> String {
        "memory".into()
    }
}

impl TransportRx for MemoryRx {
    async fn recv(&mut self) -> Result<HciPacket, TransportError> {
        self.0.recv().await.ok_or(TransportError::Closed)
    }

    fn recv_ready(&mut self) -> Option<HciPacket> {
        self.0.try_recv().ok()
    }
}

impl TransportTx for MemoryTx {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        while !queue.is_empty() {
            // The packet leaves the queue when its place is sure, so a dropped future loses nothing.
            let place = self.0.reserve().await.map_err(|_| TransportError::Closed)?;
            if let Some(packet) = queue.pop() {
                place.send(packet);
            }
        }
        Ok(())
    }
}
