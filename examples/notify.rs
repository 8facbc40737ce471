//! Prints the heart rate as it is notified: `cargo run --example notify -- [ADAPTER [NAME]]`.
//!
//! Without arguments it listens to the strap of the virtual radio, for five beats.

use baretooth::{Adapter, Error, uuid16};
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let adapter = Adapter::open(&arguments.next().unwrap_or("sim".into())).await?;
    let name = arguments.next().unwrap_or("HR strap".into());

    let device = adapter.find_by_name(&name, Duration::from_secs(10)).await?;
    let address = device.address.expect("a device with a name has an address");
    let peer = adapter.connect(address).await?;
    let services = peer.discover_only([uuid16(0x180D)]).await?;
    let heart_rate = services.characteristic(uuid16(0x180D), uuid16(0x2A37))?;

    // Notifications or indications, as the characteristic offers; `subscribe_with` chooses.
    let mut measurements = peer.subscribe(&heart_rate).await?;
    for _ in 0..5 {
        // The end of the stream is the end of the link.
        let Some(measurement) = measurements.next().await else {
            println!("disconnected: {}", peer.disconnected().await);
            return Ok(());
        };
        if measurement.missed > 0 {
            println!("({} were not read in time)", measurement.missed);
        }
        // Bit 0 of the flags: the rate has 16 bits.
        match measurement.value[..] {
            [flags, low, high, ..] if flags & 1 != 0 => println!("{} bpm", u16::from_le_bytes([low, high])),
            [_, rate, ..] => println!("{rate} bpm"),
            _ => println!("malformed: {:?}", measurement.value),
        }
    }
    measurements.unsubscribe().await?;
    adapter.close().await;
    Ok(())
}
