//! A radio under tokio: one task owns it, and each controller is a transport for a host.
//!
//! The only file of the radio with tokio in it. It works under the paused clock, where hours pass in a moment.

use super::{ControllerId, Radio, demo_radio};
use crate::Instant;
use crate::transports::{HciPacket, SendQueue, Transport, TransportError, TransportRx, TransportTx};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant as Clock, sleep_until};

/// Packets that wait in each direction; more wait inside the controller or in `send`.
const CAPACITY: usize = 64;

/// The radio of the tour, its one controller as a transport: see [`demo_radio`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use baretooth::hci::command::{HciCommand, Reset};
/// use baretooth::transports::{SendQueue, Transport, TransportRx, TransportTx};
/// let (mut rx, mut tx) = baretooth::sim::demo(1).split();
/// tx.send(&mut SendQueue::from(Reset {}.to_packet()?)).await?;
/// assert_eq!(rx.recv().await?.as_slice(), [0x04, 0x0E, 4, 1, 0x03, 0x0C, 0]);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Outside of a tokio runtime.
pub fn demo(seed: u64) -> SimTransport {
    let (_, mut controllers) = spawn(demo_radio(seed));
    controllers.pop().expect("the demo radio has one controller")
}

/// Starts the task of a radio; a transport for each of its controllers, in their order.
///
/// The radio's time begins now. The task ends when the handles and the transports are gone.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn spawn(radio: Radio) -> (RadioHandle, Vec<SimTransport>) {
    let (to_radio, input) = mpsc::channel(CAPACITY);
    let room = Arc::new(Notify::new());
    let mut transports = Vec::new();
    let mut outputs = Vec::new();
    for id in radio.controllers() {
        let (output, from_radio) = mpsc::channel(CAPACITY);
        outputs.push(output);
        transports.push(SimTransport {
            rx: SimRx { from_radio, room: Arc::clone(&room) },
            tx: SimTx { id, to_radio: to_radio.clone() },
        });
    }
    #[allow(clippy::disallowed_methods)] // the radio's own driver
    tokio::spawn(run(radio, input, outputs, room));
    (RadioHandle(to_radio), transports)
}

enum Input {
    Packet(ControllerId, HciPacket),
    Act(Box<dyn FnOnce(&mut Radio) + Send>),
}

async fn run(
    mut radio: Radio,
    mut input: mpsc::Receiver<Input>,
    outputs: Vec<mpsc::Sender<HciPacket>>,
    room: Arc<Notify>,
) {
    let start = Clock::now();
    let now = || Instant::from_start(start.elapsed());
    loop {
        radio.handle_timeout(now());
        for (id, output) in radio.controllers().zip(&outputs) {
            hand_out(&mut radio, id, output);
        }
        let deadline = radio.poll_timeout().map(|when| start + when.since_start());
        tokio::select! {
            biased;
            input = input.recv() => match input {
                Some(Input::Packet(from, packet)) => radio.handle_packet(now(), from, packet),
                Some(Input::Act(act)) => act(&mut radio),
                None => return,
            },
            () = sleep_until(deadline.unwrap_or(start)), if deadline.is_some() => {}
            () = room.notified() => {}
        }
    }
}

/// As much as the host has room for. What a host that is gone does not take is thrown away.
fn hand_out(radio: &mut Radio, id: ControllerId, output: &mpsc::Sender<HciPacket>) {
    loop {
        match output.try_reserve() {
            Ok(place) => match radio.poll_transmit(id) {
                Some(packet) => place.send(packet),
                None => return,
            },
            Err(mpsc::error::TrySendError::Full(())) => return,
            Err(mpsc::error::TrySendError::Closed(())) => {
                if radio.poll_transmit(id).is_none() {
                    return;
                }
            }
        }
    }
}

/// Reaches into a radio that runs, to add devices, cut links and look at what devices hold.
#[derive(Clone)]
pub struct RadioHandle(mpsc::Sender<Input>);

impl fmt::Debug for RadioHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RadioHandle")
    }
}

impl RadioHandle {
    /// Does something to the radio between two of its events. Controllers that are added here have no transport.
    ///
    /// # Errors
    /// [`TransportError::Closed`] when the task of the radio has ended with its runtime.
    ///
    /// # Cancel safety
    /// A future that is dropped may have acted or not.
    pub async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Radio) -> T + Send + 'static,
    ) -> Result<T, TransportError> {
        let (result, answer) = oneshot::channel();
        let act = Box::new(move |radio: &mut Radio| {
            // Nobody may wait for the result any more.
            let _ = result.send(act(radio));
        });
        self.0.send(Input::Act(act)).await.map_err(|_| TransportError::Closed)?;
        answer.await.map_err(|_| TransportError::Closed)
    }
}

/// A virtual controller as a transport.
#[derive(Debug)]
pub struct SimTransport {
    rx: SimRx,
    tx: SimTx,
}

/// The receiving half of a [`SimTransport`].
#[derive(Debug)]
pub struct SimRx {
    from_radio: mpsc::Receiver<HciPacket>,
    room: Arc<Notify>,
}

/// The sending half of a [`SimTransport`].
#[derive(Debug)]
pub struct SimTx {
    id: ControllerId,
    to_radio: mpsc::Sender<Input>,
}

impl Transport for SimTransport {
    type Rx = SimRx;
    type Tx = SimTx;

    fn split(self) -> (SimRx, SimTx) {
        (self.rx, self.tx)
    }

    fn description(&self) -> String {
        "sim".into()
    }
}

impl SimRx {
    /// The radio stops handing out when the channel is full: it has to hear of the first free place.
    fn taken(&self, packet: HciPacket) -> HciPacket {
        if self.from_radio.len() + 1 == CAPACITY {
            self.room.notify_one();
        }
        packet
    }
}

impl TransportRx for SimRx {
    async fn recv(&mut self) -> Result<HciPacket, TransportError> {
        let packet = self.from_radio.recv().await.ok_or(TransportError::Closed)?;
        Ok(self.taken(packet))
    }

    fn recv_ready(&mut self) -> Option<HciPacket> {
        let packet = self.from_radio.try_recv().ok()?;
        Some(self.taken(packet))
    }
}

impl TransportTx for SimTx {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        while !queue.is_empty() {
            // The packet leaves the queue when its place is sure, so a dropped future loses nothing.
            let place = self.to_radio.reserve().await.map_err(|_| TransportError::Closed)?;
            if let Some(packet) = queue.pop() {
                place.send(Input::Packet(self.id, packet));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hci::command::{HciCommand, LeRand};
    use crate::sim::{ControllerOptions, RadioOptions};

    #[tokio::test(start_paused = true)]
    async fn a_host_that_reads_late_gets_every_answer() {
        let mut radio = Radio::new(RadioOptions::default());
        radio.add_controller(ControllerOptions::default());
        let (_handle, mut transports) = spawn(radio);
        let (mut rx, mut tx) = transports.pop().expect("one controller").split();
        let mut queue = SendQueue::default();
        for _ in 0..4 {
            let mut left = 50;
            queue.fill(|| {
                left -= 1;
                (left >= 0).then(|| LeRand {}.to_packet().expect("no parameters"))
            });
            tx.send(&mut queue).await.expect("the radio runs");
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        for n in 0..200 {
            let packet = tokio::time::timeout(std::time::Duration::from_secs(1), rx.recv()).await;
            assert_eq!(packet.unwrap_or_else(|_| panic!("answer {n}")).expect("open").len(), 15);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_radio_ends_with_its_last_user() {
        let mut radio = Radio::new(RadioOptions::default());
        radio.add_controller(ControllerOptions::default());
        let (handle, mut transports) = spawn(radio);
        let (mut rx, tx) = transports.pop().expect("one controller").split();
        assert_eq!(handle.with(|radio| radio.controllers().count()).await.expect("it runs"), 1);
        drop((handle, tx));
        assert!(matches!(rx.recv().await, Err(TransportError::Closed)));
    }
}
