//! How to test a program of your own without hardware: `cargo run --example sim_test`, or, as here, in a test.
//!
//! `lamp_is_lit` is the program; everything else is the test. The lamp is a device on a virtual radio, the clock is
//! virtual too, so that minutes pass in a moment and every run is the same.

use baretooth::sim::{ControllerOptions, Device, Radio, RadioOptions, Table, property};
use baretooth::{Adapter, Address, BdAddr, Error, ErrorCode, Uuid, uuid16};
use std::time::Duration;

const LAMP: Address = Address::random(BdAddr([1, 0, 0, 0, 0, 0xC0]));
const SERVICE: Uuid = uuid16(0xFF10);
const STATE: Uuid = uuid16(0xFF11);

/// The program under test: finds a lamp, lights it, and says what the lamp then says.
async fn light(adapter: &Adapter) -> Result<bool, Error> {
    let device = adapter.find_by_name("lamp", Duration::from_secs(60)).await?;
    let peer = adapter.connect(device.address.expect("a name comes with an address")).await?;
    let state = peer.discover().await?.characteristic(SERVICE, STATE)?;
    peer.write(&state, vec![1]).await?;
    let lit = peer.read(&state).await?[..] == [1];
    peer.disconnect().await?;
    Ok(lit)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Error> {
    // A room with one controller, and the lamp.
    let mut radio = Radio::new(RadioOptions { seed: 1, ..RadioOptions::default() });
    radio.add_controller(ControllerOptions::default());
    let table =
        Table::default().service(SERVICE).characteristic(STATE, property::READ | property::WRITE, [0]);
    // Flags, and the name.
    let data = b"\x02\x01\x06\x05\x09lamp".as_slice();
    let lamp = radio.add_device(Device::new(LAMP).data(data).server(table.build()));
    let (radio, mut controllers) = baretooth::sim::spawn(radio);

    // The program cannot tell it from an adapter.
    let transport = controllers.pop().expect("the room has one controller");
    let adapter = Adapter::builder().seed(1).open_with(transport).await?;
    assert!(light(&adapter).await?);

    // The lamp's side of it.
    let value =
        radio.with(move |radio| radio.device(lamp).map(|lamp| lamp.server.attributes()[2].value.clone()));
    assert_eq!(value.await.expect("the radio runs"), Some(vec![1]));
    println!("the lamp is lit");

    // What if it goes away in the middle, or is not there at all?
    let peer = adapter.connect(LAMP).await?;
    let gone = radio.with(move |radio| radio.remove_device(lamp));
    gone.await.expect("the radio runs").expect("the lamp was there");
    assert_eq!(peer.disconnected().await, ErrorCode::ConnectionTimeout);
    let error = light(&adapter).await.expect_err("no lamp");
    println!("{error}"); // after a minute that took no time
    assert!(matches!(error, Error::Timeout { .. }));
    Ok(())
}
