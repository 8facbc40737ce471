//! Being found by whoever is to open a channel.

use crate::failure::Failure;
use crate::global::Global;
use baretooth::{Adapter, AdvertiseOptions, AdvertisingDataBuilder, AdvertisingEnd, ErrorKind, Flags};
use serde::Serialize;

#[derive(Serialize)]
struct Listening<'a> {
    r#type: &'static str,
    psm: u16,
    address: String,
    address_type: &'static str,
    name: &'a str,
}

/// Advertises whenever there is no link; ends only with a failure.
pub async fn run(adapter: &Adapter, psm: u16, name: &str, global: &Global) -> Failure {
    advertise(adapter, psm, name, global).await.err().unwrap_or(Failure::Interrupted)
}

async fn advertise(adapter: &Adapter, psm: u16, name: &str, global: &Global) -> Result<(), Failure> {
    let data = AdvertisingDataBuilder::new()
        .flags(Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED)
        .name(name)
        .build();
    let data = data.map_err(|error| Failure::new(ErrorKind::Invalid, format!("--name {name:?}: {error}")))?;
    let options = AdvertiseOptions::new().data(data);
    let mut accepted = adapter.accepted();
    let mut told = false;
    loop {
        let advertisement = adapter.advertise(options.clone()).await?;
        if !told {
            tell(adapter, psm, name, global)?;
            told = true;
        }
        if let AdvertisingEnd::Connected(_) = advertisement.ended().await? {
            match accepted.next().await {
                Some(peer) => drop(peer.disconnected().await),
                None => return Err(adapter.closed().await.into()),
            }
        }
    }
}

fn tell(adapter: &Adapter, psm: u16, name: &str, global: &Global) -> Result<(), Failure> {
    let address = adapter.controller().random_address;
    if global.json {
        let mut output = global.output();
        let (r#type, address, address_type) = ("listening", address.bd_addr.to_string(), "random");
        output.object(&Listening { r#type, psm, address, address_type, name })?;
        return Ok(output.flush()?);
    }
    eprintln!("listening on PSM 0x{psm:04x} as {name:?}, {address}");
    Ok(())
}
