//! The USB devices of this machine, described without opening them.

use super::{
    connection::THREAD,
    error::PERMISSION,
    find::{self, Described},
    sys,
};
use crate::{AdapterSpec, Candidate, Problem, UsbSpec};
use rusb::{Context, Device, UsbContext};
use std::path::PathBuf;

/// Every device, hubs included.
pub(super) fn devices(context: &Context) -> rusb::Result<Vec<(Device<Context>, Described)>> {
    Ok(context
        .devices()?
        .iter()
        .filter_map(|device| Some((describe(&device)?, device)))
        .map(|(d, x)| (x, d))
        .collect())
}

/// Bluetooth adapters, by the names that serve best; empty where there is no USB.
pub(crate) fn candidates() -> Vec<Candidate> {
    let Ok(devices) = Context::new().and_then(|context| devices(&context)) else { return vec![] };
    let described: Vec<Described> = devices.into_iter().map(|(_, described)| described).collect();
    find::names(&described).into_iter().map(|(device, spec)| candidate(device, spec)).collect()
}

pub(super) fn candidate(device: &Described, spec: UsbSpec) -> Candidate {
    Candidate {
        spec: AdapterSpec::Usb(spec),
        description: description(device),
        device: Some(format!("usb {}", port(device))),
        problem: (sys::may_use(&node(device)) == Some(false))
            .then(|| Problem { reason: "no permission".into(), hint: PERMISSION.into() }),
    }
}

fn description(device: &Described) -> String {
    let name = device.name.as_deref().unwrap_or("USB Bluetooth adapter");
    format!("{name} at USB port {}", port(device))
}

/// Bus and ports, as the system and the notation of adapters write them.
fn port(device: &Described) -> String {
    let ports: Vec<String> = device.ports.iter().map(u8::to_string).collect();
    format!("{}-{}", device.bus, ports.join("."))
}

fn describe(device: &Device<Context>) -> Option<Described> {
    let descriptor = device.device_descriptor().ok()?;
    let mut described = Described {
        bus: device.bus_number(),
        address: device.address(),
        ports: device.port_numbers().unwrap_or_default(),
        vendor: descriptor.vendor_id(),
        product: descriptor.product_id(),
        serial: None,
        name: None,
        // A device that is not configured has none.
        settings: sys::settings(device).unwrap_or_default(),
    };
    described.serial = attribute(&described, "serial");
    described.name = attribute(&described, "product");
    Some(described)
}

/// What the kernel has read from the device when it was plugged in.
#[cfg(target_os = "linux")]
fn attribute(device: &Described, name: &str) -> Option<String> {
    let path = format!("/sys/bus/usb/devices/{}/{name}", port(device));
    clean(&std::fs::read_to_string(path).ok()?)
}

#[cfg(not(target_os = "linux"))]
fn attribute(_: &Described, _: &str) -> Option<String> {
    None
}

/// The serial number from the device itself, which must be opened for it.
pub(super) fn ask_serial(device: &Device<Context>) -> Option<String> {
    let descriptor = device.device_descriptor().ok()?;
    clean(&device.open().ok()?.read_serial_number_string_ascii(&descriptor).ok()?)
}

/// A device may put anything into its strings, also what moves the cursor of a terminal.
fn clean(text: &str) -> Option<String> {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(126).collect();
    (!text.is_empty()).then_some(text)
}

/// The file by which programs use the device on Linux.
pub(super) fn node(device: &Described) -> PathBuf {
    format!("/dev/bus/usb/{:03}/{:03}", device.bus, device.address).into()
}

/// The processes that have the device open, as far as this one may know.
pub(super) fn users(device: &Described) -> Option<String> {
    let node = node(device);
    let own = std::process::id();
    let mut users = vec![];
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else { continue };
        let has_it =
            |file: std::fs::DirEntry| std::fs::read_link(file.path()).is_ok_and(|target| target == node);
        if pid != own && files.flatten().any(has_it) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            // A guardian ends with the one that it watches over.
            if name.trim() != THREAD {
                users.push(format!("{} (process {pid})", clean(&name).unwrap_or_default()));
            }
        }
    }
    (!users.is_empty()).then(|| users.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_a_device_cannot_write_to_the_terminal() {
        assert_eq!(clean("CSR8510\u{1b}[2J A10\n").as_deref(), Some("CSR8510[2J A10"));
        assert_eq!(clean(" \n"), None);
        assert_eq!(clean(&"x".repeat(1000)).map(|text| text.len()), Some(126));
    }

    #[test]
    fn a_machine_without_usb_has_no_candidates_and_no_panic() {
        for candidate in candidates() {
            assert!(matches!(candidate.spec, AdapterSpec::Usb(_)));
        }
    }
}
