//! A controller behind an adapter of the kernel, on a thread of its own: the kernel may hold up the test's.

use baretooth_guest::vhci::Vhci;
use baretooth_transports::*;
use std::{sync::mpsc, thread::JoinHandle, time::Duration};
use tokio::sync::oneshot;

/// A controller that answers every command, until it is dropped: then the adapter is unplugged.
pub struct Controller {
    pub index: u16,
    unplug: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Controller {
    /// One that answers at once.
    pub fn new() -> Self {
        Self::slow(Duration::ZERO)
    }

    /// One that takes its time over each answer.
    pub fn slow(delay: Duration) -> Self {
        let (unplug, unplugged) = oneshot::channel();
        let (told, index) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let vhci = Vhci::create().expect("a virtual controller");
                told.send(vhci.index()).expect("the test waits");
                tokio::select! {
                    () = serve(vhci, delay) => {}
                    _ = unplugged => {}
                }
            });
        });
        let index = index.recv().expect("an adapter");
        Self { index, unplug: Some(unplug), thread: Some(thread) }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        drop(self.unplug.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.expect("a thread").expect("the controller has failed");
        }
    }
}

async fn serve(vhci: Vhci, delay: Duration) {
    let (mut rx, mut tx) = vhci.split();
    loop {
        let packet = rx.recv().await.expect("whole packets");
        if let Some(answer) = answer(&packet) {
            // Even no time at all is a millisecond for the timer.
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            tx.send(&mut SendQueue::from(answer)).await.expect("the kernel takes it");
        }
    }
}

/// Command Complete with success and as many zeros as any command returns: a controller that has been told nothing.
pub fn answer(packet: &HciPacket) -> Option<HciPacket> {
    let [1, low, high, ..] = *packet.as_slice() else { return None };
    let mut returned = [0; 80];
    match u16::from_le_bytes([low, high]) {
        // Read Local Supported Features: LE, and nothing else.
        0x1003 => returned[1 + 4] = 0x60,
        // Read BD_ADDR.
        0x1009 => returned[1..7].copy_from_slice(&[0x01, 0, 0, 0x01, 0xAA, 0x00]),
        // LE Read Buffer Size: 8 packets of 251 octets.
        0x2002 => returned[1..4].copy_from_slice(&[251, 0, 8]),
        _ => {}
    }
    Some(HciPacket::event(0x0E, &[&[1, low, high], &returned[..]].concat()).expect("it is short"))
}
