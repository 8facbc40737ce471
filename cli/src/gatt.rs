//! `gatt`: the whole table of a peer.

use crate::failure::Failure;
use crate::global::Global;
use crate::output::Output;
use crate::target::PeerArgs;
use baretooth::gatt::{Characteristic, Service, Services};
use baretooth::{Uuid, assigned};
use baretooth_rpc::message::gatt as message;
use serde::Serialize;
use std::io;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    peer: PeerArgs,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let services = global
        .session(async |adapter| {
            let peer = args.peer.connect(global, adapter).await?;
            let services = peer.discover_with_user_descriptions().await?;
            global.discovered(&peer, &services);
            Ok(services)
        })
        .await?;
    let mut output = global.output();
    if output.is_json() {
        for service in &services {
            output.object(&JsonService::new(service))?;
        }
    } else {
        print(&services, &mut output)?;
    }
    Ok(output.flush()?)
}

fn print(services: &Services, output: &mut Output) -> io::Result<()> {
    for service in services {
        let sort = if service.primary { "" } else { "  secondary" };
        let (first, last) = (service.handle, service.end_handle);
        let name = named(service.uuid, assigned::service_name(service.uuid));
        output.line(format_args!("0x{first:04x}-0x{last:04x}  {name}{sort}"))?;
        for include in service.includes.iter() {
            let name = named(include.uuid, assigned::service_name(include.uuid));
            output.line(format_args!(
                "  0x{:04x}  includes {name} at 0x{:04x}",
                include.handle, include.service_handle
            ))?;
        }
        service.characteristics.iter().try_for_each(|characteristic| print_one(characteristic, output))?;
    }
    Ok(())
}

fn print_one(characteristic: &Characteristic, output: &mut Output) -> io::Result<()> {
    let name = named(characteristic.uuid, assigned::characteristic_name(characteristic.uuid));
    let description =
        characteristic.user_description.as_ref().map(|text| format!("  {text:?}")).unwrap_or_default();
    let properties = characteristic.properties.names().collect::<Vec<_>>().join(", ");
    output
        .line(format_args!("  0x{:04x}  {name}{description}  {properties}", characteristic.value_handle))?;
    for descriptor in characteristic.descriptors.iter() {
        let name = named(descriptor.uuid, assigned::descriptor_name(descriptor.uuid));
        output.line(format_args!("    0x{:04x}  {name}", descriptor.handle))?;
    }
    Ok(())
}

/// `Battery Level (0x2A19)`, or the UUID alone.
fn named(uuid: Uuid, name: Option<&str>) -> String {
    name.map_or_else(|| uuid.short().to_string(), |name| format!("{name} ({})", uuid.short()))
}

/// The service that `rpc` tells, as a line.
#[derive(Serialize)]
struct JsonService {
    r#type: &'static str,
    #[serde(flatten)]
    service: message::Service,
}

impl JsonService {
    fn new(service: &Service) -> Self {
        Self { r#type: "service", service: service.into() }
    }
}
