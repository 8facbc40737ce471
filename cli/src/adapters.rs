//! `adapters`: what there is, without opening it.

use crate::failure::Failure;
use crate::global::Global;
use baretooth::ErrorKind;
use baretooth::transports::AdapterSpec;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// `adapters` has no options of its own.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// One adapter, and why it cannot be used if it cannot.
#[derive(Debug, Serialize)]
struct Found {
    r#type: &'static str,
    adapter: String,
    description: String,
    usable: bool,
    reason: Option<&'static str>,
}

pub async fn run(global: &Global, _: Args) -> Result<(), Failure> {
    let mut output = global.output();
    for found in all() {
        if output.is_json() {
            output.object(&found)?;
        } else {
            let reason = found.reason.map(|reason| format!("; {reason}")).unwrap_or_default();
            output.line(format_args!("{:<16} {}{reason}", found.adapter, found.description))?;
        }
    }
    Ok(output.flush()?)
}

/// The adapter to take when none is named: the only piece of hardware that can be opened.
pub fn only() -> Result<AdapterSpec, Failure> {
    let found = hardware();
    let usable: Vec<_> = found.iter().filter(|found| found.usable).collect();
    if let [only] = usable[..]
        && let Ok(spec) = only.adapter.parse()
    {
        return Ok(spec);
    }
    let list: Vec<_> =
        found.iter().map(|f| format!("{} ({})", f.adapter, f.reason.unwrap_or("usable"))).collect();
    let found =
        if list.is_empty() { "none was found".to_owned() } else { format!("found {}", list.join(", ")) };
    let hint = "name one with --adapter; --adapter sim is a virtual radio that needs no hardware";
    Err(Failure::new(ErrorKind::NotFound, format!("choosing an adapter failed: {found}; {hint}")))
}

fn all() -> Vec<Found> {
    let sim = Found {
        r#type: "adapter",
        adapter: "sim".to_owned(),
        description: "virtual radio with demo devices".to_owned(),
        usable: true,
        reason: None,
    };
    let mut found = hardware();
    found.push(sim);
    found
}

/// What Linux knows of; empty elsewhere.
fn hardware() -> Vec<Found> {
    let mut found = usb(Path::new("/sys/bus/usb/devices"));
    found.extend(kernel(Path::new("/sys/class/bluetooth")));
    found
}

/// USB devices of the class of Bluetooth controllers, E0/01/01.
fn usb(devices: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    for port in names(devices) {
        let read = |file: &str| {
            fs::read_to_string(devices.join(&port).join(file)).unwrap_or_default().trim().to_owned()
        };
        if [read("bDeviceClass"), read("bDeviceSubClass"), read("bDeviceProtocol")] != ["e0", "01", "01"] {
            continue;
        }
        let description = format!("{} {}", read("manufacturer"), read("product")).trim().to_owned();
        found.push(Found {
            r#type: "adapter",
            adapter: format!("usb:{}:{}", read("idVendor"), read("idProduct")),
            description: if description.is_empty() { format!("USB device at {port}") } else { description },
            usable: false,
            reason: Some("this version does not open USB adapters yet"),
        });
    }
    found
}

/// Adapters that the kernel drives.
fn kernel(class: &Path) -> Vec<Found> {
    let is_adapter = |name: &String| name.starts_with("hci") && !name.contains(':');
    let found = names(class).into_iter().filter(is_adapter).map(|adapter| Found {
        r#type: "adapter",
        adapter,
        description: "adapter of the Linux kernel".to_owned(),
        usable: false,
        reason: Some("this version does not open adapters of the kernel yet"),
    });
    found.collect()
}

/// Entries of a folder in order; none when it is not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
