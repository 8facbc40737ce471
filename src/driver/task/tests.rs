use super::*;
use crate::Adapter;
use crate::sim::{self, SimTransport, demo};
use crate::transports::TransportError;
use std::sync::Mutex;

/// A transport that notes how many packets wait each time something is sent.
struct Counting(SimTransport, Arc<Mutex<Vec<usize>>>);

struct CountingTx(<SimTransport as Transport>::Tx, Arc<Mutex<Vec<usize>>>);

impl Transport for Counting {
    type Rx = <SimTransport as Transport>::Rx;
    type Tx = CountingTx;

    fn split(self) -> (Self::Rx, Self::Tx) {
        let (rx, tx) = self.0.split();
        (rx, CountingTx(tx, self.1))
    }

    fn description(&self) -> String {
        self.0.description()
    }
}

impl TransportTx for CountingTx {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        self.1.lock().expect("no test panics with it").push(queue.len());
        self.0.send(queue).await
    }
}

#[tokio::test(start_paused = true)]
async fn writes_that_follow_each_other_are_sent_together() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let adapter =
        Adapter::builder().seed(1).open_with(Counting(sim::demo(1), sizes.clone())).await.expect("open");
    let peer = adapter.connect(demo::ECHO_ADDRESS).await.expect("a link");
    sizes.lock().expect("no test panics with it").clear();
    for value in 0..8_u8 {
        // Nothing has this handle, and nobody is told.
        peer.write_without_response(0xFFFF_u16, vec![value]).await.expect("room");
    }
    peer.read(3_u16).await.expect("the name");
    let sizes = sizes.lock().expect("no test panics with it");
    assert_eq!(*sizes, [9], "all with one call");
}
