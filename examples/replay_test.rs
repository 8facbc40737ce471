//! How a capture becomes a test: `cargo run --example replay_test`, or, as here, in a test of your own.
//!
//! The capture was written by `--capture` when somebody's session went wrong, or right. It is replayed to the host of
//! today in virtual time, without a radio, an adapter or a runtime: `main` is all there is to it. The first octet that
//! the host sends otherwise ends it with the packet's number, both packets in words, and the field.

use baretooth::gatt::procedure::{Discover, Read};
use baretooth::host::Request;
use baretooth::replay::{Replay, ReplayError};
use baretooth::{ScanOptions, sim::demo::HEART_RATE_ADDRESS, uuid16};

fn main() -> Result<(), ReplayError> {
    let mut replay = Replay::open("captures/heart_rate.btsnoop")?;
    let scan = replay.submit(Request::Scan(ScanOptions::new()))?;
    replay.cancel(scan)?;
    let strap = replay.connect(HEART_RATE_ADDRESS)?.connection;
    let services = replay.gatt(strap, Discover::all())?;
    let battery = services.find(uuid16(0x2A19)).expect("the strap of the capture has one");
    assert_eq!(replay.gatt(strap, Read::new(battery.value_handle))?, &[87][..]);
    println!("{} packets until {} were the same", replay.exchanged(), replay.now());
    Ok(())
}
