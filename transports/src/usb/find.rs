//! Which USB device is meant, and which of its endpoints carry HCI. Descriptors in, a choice out: no I/O.
//!
//! A Bluetooth controller is told by the class of an *interface*, E0/01/01: adapters that share a chip with something
//! else have another class, or none, as a device.

use crate::{AdapterSpec, UsbSelector, UsbSpec};

/// One device of this machine, as its descriptors and the system describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) bus: u8,
    pub(super) address: u8,
    /// Port of the root hub, then of each hub behind it; empty for a root hub.
    pub(super) ports: Vec<u8>,
    pub(super) vendor: u16,
    pub(super) product: u16,
    /// Where it could be read without opening the device.
    pub(super) serial: Option<String>,
    /// What the device calls itself, likewise.
    pub(super) name: Option<String>,
    pub(super) settings: Vec<Setting>,
}

/// One alternate setting of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) interface: u8,
    pub(super) alternate: u8,
    /// Class, subclass, protocol.
    pub(super) class: [u8; 3],
    pub(super) endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Its number, and its direction in the upper bit.
    pub(super) address: u8,
    pub(super) kind: Kind,
    /// Octets in one USB packet.
    pub(super) packet: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Control,
    Isochronous,
    Bulk,
    Interrupt,
}

/// What of a device is an HCI transport ([Vol 4] Part B, 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hci {
    /// Events, data and commands.
    pub(super) interface: u8,
    /// Voice, which is not used, but belongs to the same function.
    pub(super) voice: Option<u8>,
    /// The device has functions that are not Bluetooth.
    pub(super) composite: bool,
    pub(super) events: Endpoint,
    pub(super) data_in: Endpoint,
    pub(super) data_out: Endpoint,
}

/// Class, subclass and protocol of a Bluetooth controller: wireless, radio frequency, Bluetooth programming interface.
const BLUETOOTH: [u8; 3] = [0xE0, 0x01, 0x01];

impl Endpoint {
    /// From the three fields of its descriptor.
    pub(super) fn new(address: u8, attributes: u8, packet: u16) -> Self {
        let kind = match attributes & 3 {
            0 => Kind::Control,
            1 => Kind::Isochronous,
            2 => Kind::Bulk,
            _ => Kind::Interrupt,
        };
        // The upper bits say how many packets a microframe has.
        Self { address, kind, packet: packet & 0x07FF }
    }

    fn is(&self, kind: Kind, incoming: bool) -> bool {
        self.kind == kind && (self.address & 0x80 != 0) == incoming && self.packet > 0
    }
}

impl Setting {
    fn find(&self, kind: Kind, incoming: bool) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.is(kind, incoming))
    }
}

impl Described {
    /// Its HCI transport: the first interface of the class that has all endpoints; of any class with `force`.
    pub(super) fn hci(&self, force: bool) -> Option<Hci> {
        let suits = |setting: &&Setting| setting.alternate == 0 && (force || setting.class == BLUETOOTH);
        self.settings.iter().filter(suits).find_map(|setting| {
            let is_voice = |other: &&Setting| {
                other.class == setting.class
                    && other.interface == setting.interface.wrapping_add(1)
                    && other.endpoints.iter().any(|endpoint| endpoint.kind == Kind::Isochronous)
            };
            Some(Hci {
                interface: setting.interface,
                voice: self.settings.iter().find(is_voice).map(|other| other.interface),
                composite: self.settings.iter().any(|other| other.class != setting.class),
                events: setting.find(Kind::Interrupt, true)?.clone(),
                data_in: setting.find(Kind::Bulk, true)?.clone(),
                data_out: setting.find(Kind::Bulk, false)?.clone(),
            })
        })
    }

    pub(super) fn is(&self, vendor: u16, product: u16) -> bool {
        (self.vendor, self.product) == (vendor, product)
    }

    /// Whether both are one device, plugged in once.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.place(), self.address) == (other.place(), other.address) && self.is(other.vendor, other.product)
    }

    fn place(&self) -> (u8, &[u8]) {
        (self.bus, &self.ports)
    }
}

/// The device that `spec` means.
///
/// # Errors
/// What there is instead, as a hint to the user.
pub(super) fn select<'a>(devices: &'a [Described], spec: &UsbSpec) -> Result<(&'a Described, Hci), String> {
    let matching = |device: &&Described| match &spec.selector {
        UsbSelector::Index(_) => true,
        UsbSelector::Product { vendor, product } | UsbSelector::Nth { vendor, product, .. } => {
            device.is(*vendor, *product)
        }
        UsbSelector::Serial { vendor, product, serial } => {
            device.is(*vendor, *product) && device.serial.as_ref() == Some(serial)
        }
        UsbSelector::Port { bus, ports } => device.place() == (*bus, ports),
    };
    let mut named: Vec<&Described> = devices.iter().filter(matching).collect();
    named.sort_by_key(|device| device.place());
    let nth = match spec.selector {
        UsbSelector::Index(nth) | UsbSelector::Nth { nth, .. } => nth,
        _ => 0,
    };
    let usable = named.iter().filter_map(|device| Some((*device, device.hci(spec.force)?)));
    usable.clone().nth(nth).ok_or_else(|| {
        let class_is_other = named.iter().any(|device| device.hci(true).is_some());
        match &spec.selector {
            UsbSelector::Index(_) => there_is(devices),
            _ if named.is_empty() || usable.count() > 0 => there_is(devices),
            _ if class_is_other && !spec.force => format!(
                "such a device is here, but its class is not that of a Bluetooth controller (E0/01/01); `usb:{}!` takes it \
                 all the same",
                spec
            ),
            _ => "such a device is here, but it has not the endpoints of a Bluetooth controller".into(),
        }
    })
}

/// The names of what is there, for people.
fn there_is(devices: &[Described]) -> String {
    let names = names(devices);
    match names.len() {
        0 => "no USB Bluetooth adapter is plugged in".into(),
        _ => {
            let names: Vec<String> =
                names.iter().map(|(_, spec)| AdapterSpec::Usb(spec.clone()).to_string()).collect();
            format!("there is {}", names.join(", "))
        }
    }
}

/// Every Bluetooth controller among `devices`, with the name that says most about it and least about its place:
/// vendor and product, and a serial number or a count where they are not enough.
pub(super) fn names(devices: &[Described]) -> Vec<(&Described, UsbSpec)> {
    let mut found: Vec<&Described> = devices.iter().filter(|device| device.hci(false).is_some()).collect();
    found.sort_by_key(|device| device.place());
    let name = |device: &Described| {
        let (vendor, product) = (device.vendor, device.product);
        let equal: Vec<&&Described> = found.iter().filter(|other| other.is(vendor, product)).collect();
        let of_serial = equal.iter().filter(|other| other.serial == device.serial).count();
        // The notation uses `!` itself.
        let serial = device.serial.clone().filter(|serial| !serial.is_empty() && !serial.contains('!'));
        let nth = equal.iter().position(|other| **other == device).unwrap_or_default();
        match serial {
            _ if equal.len() == 1 => UsbSelector::Product { vendor, product },
            Some(serial) if of_serial == 1 => UsbSelector::Serial { vendor, product, serial },
            _ => UsbSelector::Nth { vendor, product, nth },
        }
    };
    found.iter().map(|device| (*device, UsbSpec { selector: name(device), force: false })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a configuration descriptor as a device sends it ([USB 2.0] 9.6.3).
    fn settings(mut octets: &[u8]) -> Vec<Setting> {
        let mut settings: Vec<Setting> = vec![];
        while let [length, kind, body @ ..] = octets {
            match (kind, body) {
                (4, [interface, alternate, _, class, subclass, protocol, ..]) => settings.push(Setting {
                    interface: *interface,
                    alternate: *alternate,
                    class: [*class, *subclass, *protocol],
                    endpoints: vec![],
                }),
                (5, [address, attributes, low, high, ..]) => {
                    let endpoint = Endpoint::new(*address, *attributes, u16::from_le_bytes([*low, *high]));
                    settings.last_mut().unwrap().endpoints.push(endpoint);
                }
                _ => {}
            }
            octets = &octets[usize::from(*length)..];
        }
        settings
    }

    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
    }

    /// Events on 81 (16 octets), data on 02 and 82 (64), as CSR8510 and RTL8761B have them.
    const HCI: &str =
        "09 04 00 00 03 E0 01 01 00  07 05 81 03 10 00 01  07 05 02 02 40 00 00  07 05 82 02 40 00 00 ";
    /// Voice: alternate settings 0 (nothing) and 1 (9 octets).
    const VOICE: &str = "09 04 01 00 02 E0 01 01 00  07 05 03 01 00 00 01  07 05 83 01 00 00 01 \
                         09 04 01 01 02 E0 01 01 00  07 05 03 01 09 00 01  07 05 83 01 09 00 01 ";

    fn device(vendor: u16, product: u16, port: u8, configuration: &str) -> Described {
        let settings = settings(&hex(configuration));
        Described {
            bus: 1,
            address: port + 1,
            ports: vec![port],
            vendor,
            product,
            settings,
            ..Default::default()
        }
    }

    fn dongle(port: u8) -> Described {
        device(0x0A12, 1, port, &format!("09 02 B1 00 02 01 00 E0 32 {HCI}{VOICE}"))
    }

    fn spec(text: &str) -> UsbSpec {
        match text.parse() {
            Ok(AdapterSpec::Usb(spec)) => spec,
            other => panic!("{other:?}"),
        }
    }

    fn port_of(devices: &[Described], name: &str) -> Result<u8, String> {
        select(devices, &spec(name)).map(|(device, _)| device.ports[0])
    }

    #[test]
    fn a_dongle_has_its_endpoints_and_voice_beside_them() {
        let hci = dongle(1).hci(false).unwrap();
        assert_eq!((hci.interface, hci.voice, hci.composite), (0, Some(1), false));
        assert_eq!(hci.events, Endpoint { address: 0x81, kind: Kind::Interrupt, packet: 16 });
        assert_eq!(hci.data_in, Endpoint { address: 0x82, kind: Kind::Bulk, packet: 64 });
        assert_eq!(hci.data_out, Endpoint { address: 0x02, kind: Kind::Bulk, packet: 64 });
    }

    #[test]
    fn a_function_of_a_composite_device_is_found_behind_others_with_endpoints_of_its_own() {
        // Another function first (vendor specific, bulk), then HCI as interface 2 with high-speed sizes.
        let combo = device(
            0x13D3,
            0x3563,
            4,
            "09 02 00 00 04 01 00 E0 32 \
             09 04 00 00 02 FF FF FF 00  07 05 08 02 00 02 00  07 05 84 02 00 02 00 \
             09 04 02 00 03 E0 01 01 00  07 05 89 03 40 00 01  07 05 8A 02 00 02 01  07 05 01 02 00 02 01 \
             09 04 03 01 01 E0 01 01 00  07 05 8B 01 09 10 01",
        );
        let hci = combo.hci(false).unwrap();
        assert_eq!((hci.interface, hci.voice, hci.composite), (2, Some(3), true));
        assert_eq!((hci.events.address, hci.data_in.address, hci.data_out.address), (0x89, 0x8A, 0x01));
        assert_eq!((hci.events.packet, hci.data_in.packet), (64, 512));
    }

    #[test]
    fn hostile_or_foreign_descriptors_give_nothing() {
        for configuration in [
            "",
            "09 02 09 00 00 01 00 E0 32",
            // No endpoints; no bulk out; sizes of zero; only alternate setting 1.
            "09 04 00 00 00 E0 01 01 00",
            "09 04 00 00 02 E0 01 01 00  07 05 81 03 10 00 01  07 05 82 02 40 00 00",
            "09 04 00 00 03 E0 01 01 00  07 05 81 03 00 00 01  07 05 02 02 00 00 00  07 05 82 02 00 00 00",
            "09 04 00 01 03 E0 01 01 00  07 05 81 03 10 00 01  07 05 02 02 40 00 00  07 05 82 02 40 00 00",
            // The largest interface number has none behind it.
            "09 04 FF 00 00 E0 01 01 00  09 04 00 00 01 E0 01 01 00  07 05 83 01 09 00 01",
        ] {
            assert_eq!(device(1, 1, 1, configuration).hci(true), None, "{configuration}");
        }
    }

    #[test]
    fn each_form_of_a_name_finds_its_device_in_the_order_of_the_ports() {
        let mut with_serial = dongle(3);
        with_serial.serial = Some("A1".into());
        let other = device(0x0BDA, 0x8771, 5, HCI);
        let keyboard = device(0x0A12, 1, 1, "09 04 00 00 01 03 01 01 00  07 05 81 03 08 00 0A");
        let devices = [other, with_serial, dongle(2), keyboard];
        for (name, port) in [
            ("usb:0", 2),
            ("usb:2", 5),
            ("usb:0a12:0001", 2),
            ("usb:0a12:0001#1", 3),
            ("usb:0a12:0001/A1", 3),
            ("usb:0bda:8771", 5),
            ("usb:1-5", 5),
        ] {
            assert_eq!(port_of(&devices, name), Ok(port), "{name}");
        }
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let none = "no USB Bluetooth adapter is plugged in";
        assert_eq!(port_of(&[], "usb:0"), Err(none.into()));
        let (mut first, mut second) = (dongle(1), dongle(2));
        let devices = [first.clone(), second.clone()];
        let there = "there is usb:0a12:0001#0, usb:0a12:0001#1";
        for name in ["usb:2", "usb:0a12:0001#2", "usb:0a12:0001/X", "usb:1-7", "usb:0bda:8771"] {
            assert_eq!(port_of(&devices, name), Err(there.into()), "{name}");
        }
        (first.serial, second.serial) = (Some("A".into()), Some("B".into()));
        let message = port_of(&[first, second], "usb:9").unwrap_err();
        assert_eq!(message, "there is usb:0a12:0001/A, usb:0a12:0001/B");
    }

    #[test]
    fn another_class_must_be_forced_and_endpoints_cannot_be() {
        let vendor_specific = device(0x0BDA, 0xB00A, 1, &HCI.replace("E0 01 01", "FF 01 01"));
        let keyboard = device(1, 2, 2, "09 04 00 00 01 03 01 01 00  07 05 81 03 08 00 0A");
        let devices = [vendor_specific, keyboard];
        assert_eq!(port_of(&devices, "usb:0bda:b00a!"), Ok(1));
        assert_eq!(port_of(&devices, "usb:0!"), Ok(1));
        let message = port_of(&devices, "usb:0bda:b00a").unwrap_err();
        assert!(message.contains("E0/01/01") && message.contains("`usb:0bda:b00a!`"), "{message}");
        let message = port_of(&devices, "usb:0001:0002!").unwrap_err();
        assert!(message.contains("has not the endpoints"), "{message}");
    }

    #[test]
    fn a_serial_number_that_two_share_or_the_notation_cannot_say_names_nobody() {
        let (mut first, mut second) = (dongle(1), dongle(2));
        (first.serial, second.serial) = (Some("0".into()), Some("0".into()));
        let devices = [first.clone(), second.clone()];
        let texts = |devices: &[Described]| -> Vec<String> {
            names(devices).iter().map(|(_, spec)| spec.to_string()).collect()
        };
        assert_eq!(texts(&devices), ["0a12:0001#0", "0a12:0001#1"]);
        (first.serial, second.serial) = (Some("a!".into()), Some("b".into()));
        assert_eq!(texts(&[first, second]), ["0a12:0001#0", "0a12:0001/b"]);
        assert_eq!(texts(&[dongle(7)]), ["0a12:0001"]);
    }
}
