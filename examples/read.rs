//! Connects to a device and reads everything that can be read: `cargo run --example read -- [ADAPTER [NAME]]`.
//!
//! Without arguments it reads the thermometer of the virtual radio.

use baretooth::gatt::Properties;
use baretooth::{Adapter, Error, assigned};
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let adapter = Adapter::open(&arguments.next().unwrap_or("sim".into())).await?;
    let name = arguments.next().unwrap_or("Thermometer".into());

    let device = adapter.find_by_name(&name, Duration::from_secs(10)).await?;
    let address = device.address.expect("a device with a name has an address");
    let peer = adapter.connect(address).await?;
    println!("connected to {address}, ATT_MTU {}", peer.mtu());

    // One reply with the whole table; cheap to clone, and nothing in it borrows from the link.
    let services = peer.discover().await?;
    for service in services.iter() {
        println!("{}", service.uuid);
        for characteristic in service.characteristics.iter() {
            let name = assigned::attribute_name(characteristic.uuid).unwrap_or("?");
            println!("    0x{:04X} {} ({name})", characteristic.value_handle, characteristic.uuid);
            if characteristic.properties.contains(Properties::READ) {
                // A refusal is an error with the peer's code, and the link goes on.
                match peer.read(characteristic).await {
                    Ok(value) => println!("        {value:?}"),
                    Err(error) => println!("        {error}"),
                }
            }
            for descriptor in characteristic.descriptors.iter() {
                println!("        {}: {:?}", descriptor.uuid, peer.read(descriptor).await?);
            }
        }
    }
    peer.disconnect().await?;
    adapter.close().await;
    Ok(())
}
