//! The driver loop that the crate's documentation shows passes through a pipe of 7 octets; two that look as good
//! do not. Each of the two fails in the way that the contract is written against.

use baretooth_transports::*;
use std::{collections::VecDeque, future::Future, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

#[derive(Debug, PartialEq)]
enum Outcome {
    Echoed,
    Corrupted,
    Stalled,
}

#[tokio::test(start_paused = true)]
async fn the_documented_loop_echoes_to_every_peer() {
    assert_eq!(read_while_writing(documented).await, Outcome::Echoed);
    assert_eq!(write_then_read(documented).await, Outcome::Echoed);
}

#[tokio::test(start_paused = true)]
async fn negative_control_write_all_in_select_corrupts_the_stream() {
    assert_eq!(read_while_writing(write_all_in_select).await, Outcome::Corrupted);
}

#[tokio::test(start_paused = true)]
async fn negative_control_sending_before_receiving_stalls() {
    assert_eq!(write_then_read(send_then_receive).await, Outcome::Stalled);
}

const PACKET: [u8; 9] = [2, 1, 0x20, 4, 0, 9, 8, 7, 6];

/// A peer that writes 2000 packets at its speed and meanwhile reads, more slowly, what comes back.
async fn read_while_writing<F: Future>(driver: impl FnOnce(DuplexStream) -> F) -> Outcome {
    let (near, far) = duplex(7);
    let (mut reader, mut writer) = split(near);
    let sent = PACKET.repeat(2000);
    let read = async {
        let mut echo = vec![];
        while echo.len() < sent.len() {
            echo.push(reader.read_u8().await.unwrap());
            tokio::task::yield_now().await;
        }
        echo
    };
    let peer = async {
        let (written, echo) = tokio::join!(writer.write_all(&sent), read);
        written.unwrap();
        if echo == sent { Outcome::Echoed } else { Outcome::Corrupted }
    };
    watch(peer, driver(far)).await
}

/// A peer that reads nothing before it has written 200 packets, like a controller whose own buffer is full.
async fn write_then_read<F: Future>(driver: impl FnOnce(DuplexStream) -> F) -> Outcome {
    let (mut near, far) = duplex(7);
    let sent = PACKET.repeat(200);
    let mut echo = vec![0; sent.len()];
    let peer = async {
        near.write_all(&sent).await.unwrap();
        near.read_exact(&mut echo).await.unwrap();
        if echo == sent { Outcome::Echoed } else { Outcome::Corrupted }
    };
    watch(peer, driver(far)).await
}

/// The clock is paused: it jumps to the time limit exactly when neither side can go on.
async fn watch(peer: impl Future<Output = Outcome>, driver: impl Future) -> Outcome {
    tokio::select! {
        outcome = peer => outcome,
        _ = driver => panic!("the driver ended"),
        _ = tokio::time::sleep(Duration::from_secs(3600)) => Outcome::Stalled,
    }
}

/// In place of a host: sends back what it receives.
#[derive(Default)]
struct Echo(VecDeque<HciPacket>);

impl Echo {
    fn handle_packet(&mut self, packet: HciPacket) {
        self.0.push_back(packet);
    }

    fn poll_transmit(&mut self) -> Option<HciPacket> {
        self.0.pop_front()
    }
}

async fn documented(io: DuplexStream) -> Result<(), TransportError> {
    let ((mut rx, mut tx), mut host) = (Stream::new(io, "pipe").split(), Echo::default());
    let mut queue = SendQueue::default();
    loop {
        queue.fill(|| host.poll_transmit());
        tokio::select! {
            biased;
            sent = tx.send(&mut queue), if !queue.is_empty() => sent?,
            packet = rx.recv() => {
                host.handle_packet(packet?);
                for packet in std::iter::from_fn(|| rx.recv_ready()).take(31) {
                    host.handle_packet(packet);
                }
            }
        }
    }
}

/// Starts the packet anew when `select!` has dropped the future that had sent a part of it.
async fn write_all_in_select(io: DuplexStream) -> Result<(), TransportError> {
    let (reader, mut writer) = split(io);
    let (mut rx, _) = Stream::from_halves(reader, tokio::io::sink(), "pipe").split();
    let (mut host, mut current) = (Echo::default(), None);
    loop {
        current = current.or_else(|| host.poll_transmit());
        let octets = current.as_ref().map(HciPacket::as_slice).unwrap_or_default();
        tokio::select! {
            biased;
            written = writer.write_all(octets), if current.is_some() => {
                written.expect("the pipe is open");
                current = None;
            }
            packet = rx.recv() => host.handle_packet(packet?),
        }
    }
}

/// Does not receive while it sends.
async fn send_then_receive(io: DuplexStream) -> Result<(), TransportError> {
    let ((mut rx, mut tx), mut host) = (Stream::new(io, "pipe").split(), Echo::default());
    let mut queue = SendQueue::default();
    loop {
        queue.fill(|| host.poll_transmit());
        tx.send(&mut queue).await?;
        host.handle_packet(rx.recv().await?);
    }
}
