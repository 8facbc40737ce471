//! Whole sessions in virtual time: clients that speak the protocol and nothing else, on one virtual radio.

#![allow(clippy::disallowed_methods)] // clients run beside their sessions

mod advertise;
mod client;
mod gatt;
#[allow(dead_code)] // the tests of the library use the rest
#[path = "../../../tests/api/line.rs"]
mod line;
mod lines;
mod link;
mod load;
mod races;
mod scan;
mod security;
mod server;

use baretooth::sim::{ControllerOptions, Radio, RadioOptions};
use baretooth::{Adapter, BdAddr};

/// Adapters in one room.
async fn adapters<const N: usize>() -> [Adapter; N] {
    let mut radio = Radio::new(RadioOptions { seed: 1, ..RadioOptions::default() });
    for n in (1..).take(N) {
        radio.add_controller(ControllerOptions::default().address(BdAddr([n, 0, 0, 0x5A, 0, 0])));
    }
    let (_, transports) = baretooth::sim::spawn(radio);
    let mut adapters = Vec::new();
    for (n, transport) in (1..).zip(transports) {
        adapters.push(Adapter::builder().seed(n).open_with(transport).await.expect("opens"));
    }
    adapters.try_into().expect("as many as controllers")
}
