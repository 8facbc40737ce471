//! A battery and a note: `cargo run --example peripheral -- [ADAPTER [NAME]]`.
//!
//! The battery runs down and says so to whoever has subscribed; the note can be written by whoever connects. Without
//! arguments it is served on the virtual radio, where nobody comes, for five seconds.

use baretooth::gatt::server::{Access, Characteristic, Service, Table, services};
use baretooth::{Adapter, AdvertiseOptions, AdvertisingDataBuilder, Flags, Request, uuid16};
use std::time::Duration;

const NOTE: baretooth::Uuid = baretooth::Uuid::from_u128(0x0B1E_0002_5A3C_4F6E_8D21_90C7_44E1_A6F3);
const NOTES: baretooth::Uuid = baretooth::Uuid::from_u128(0x0B1E_0001_5A3C_4F6E_8D21_90C7_44E1_A6F3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let adapter = arguments.next().unwrap_or("sim".into());
    let name = arguments.next().unwrap_or("Notebook".into());
    let seconds = if adapter == "sim" { 5 } else { u8::MAX };
    let adapter = Adapter::open(&adapter).await?;

    let note = Characteristic::new(NOTE).value("empty").read(Access::OPEN).write(Access::OPEN);
    let notes = Service::primary(NOTES).characteristic(note);
    let table = Table::builder(&name).service(services::battery(100)).service(notes).build()?;
    let server = adapter.serve(table).await?;
    let level = server.services().find(uuid16(0x2A19))?.clone();
    let mut requests = server.requests();

    let flags = Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED;
    let data = AdvertisingDataBuilder::new().flags(flags).services([uuid16(0x180F)]).name(&name).build()?;
    let mut advertisement = adapter.advertise(AdvertiseOptions::new().data(data.clone())).await?;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut percent = 100_u8;
    println!("{name} is {}", adapter.controller().random_address);
    while percent > 100_u8.saturating_sub(seconds) {
        tokio::select! {
            // A set ends with the link that it brings about; the next one can come then.
            _ = advertisement.ended() => {
                advertisement = adapter.advertise(AdvertiseOptions::new().data(data.clone())).await?;
            }
            Some(request) = requests.next() => match request {
                Request::Written { peer, value, .. } => println!("{}: {}", peer.address(), value.escape_ascii()),
                other => println!("{other:?}"),
            },
            _ = second.tick() => {
                percent -= 1;
                let told = server.update(&level, vec![percent]).await?;
                println!("{percent} %, told to {told}");
            }
        }
    }
    adapter.close().await;
    Ok(())
}
