//! The judgements of the tour: what came is compared with what the devices hold, which is known without the host.

use crate::failure::{Failure, Report};
use baretooth::capture::Reader;
use baretooth::capture::dissect::Dissector;
use baretooth::codec::Hex;
use baretooth::gap::advertising_data::AdvertisingData;
use baretooth::gap::device_table::Device;
use baretooth::gatt::{CHARACTERISTIC, PRIMARY_SERVICE, Services};
use baretooth::{Address, Uuid, sim};
use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::fs::File;
use std::path::Path;

/// What should have come, so that it is not taken for what came.
pub struct Expected<T>(pub T);

/// A check that did not hold.
pub fn failure(what: &str, Expected(expected): Expected<impl Display>, got: impl Display) -> Failure {
    let message = format!("checking {what} failed: expected {expected}, got {got}");
    Failure::Failed(Report { kind: "check", message, ..Report::default() })
}

/// Anything but octets.
pub fn equal<T: PartialEq + Debug>(what: &str, got: T, expected: T) -> Result<(), Failure> {
    if got == expected {
        return Ok(());
    }
    Err(failure(what, Expected(format!("{expected:?}")), format!("{got:?}")))
}

/// Octets; of long ones the message shows those from the first difference on.
pub fn value(what: &str, got: &[u8], expected: &[u8]) -> Result<(), Failure> {
    if got == expected {
        return Ok(());
    }
    let start = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let part = |octets: &[u8]| {
        let shown = octets.get(start..).unwrap_or_default();
        let (shown, more) = match shown.get(..16) {
            Some(front) if shown.len() > 16 => (front, "…"),
            _ => (shown, ""),
        };
        format!("{}{more} ({} octets in all)", Hex(shown), octets.len())
    };
    Err(failure(&format!("{what} from octet {start}"), Expected(part(expected)), part(got)))
}

/// That every device was heard with all it sends; their names.
pub fn advertisers(made: &[sim::Device], heard: &BTreeMap<Address, Device>) -> Result<Vec<String>, Failure> {
    made.iter().map(|device| advertiser(device, heard)).collect()
}

fn advertiser(made: &sim::Device, heard: &BTreeMap<Address, Device>) -> Result<String, Failure> {
    let sent = [&made.advertisement.data[..], &made.advertisement.scan_response].concat();
    let sent = AdvertisingData::new(&sent);
    let name = sent.local_name().map(|name| name.to_string()).unwrap_or_default();
    let what = format!("the advertisement of {}", made.address);
    let Some(device) = heard.get(&made.address) else {
        return Err(failure(&what, Expected(format!("{name:?}")), "nothing"));
    };
    let got = device.data();
    equal(&what, got.local_name().map(|name| name.to_string()), Some(name.clone()))?;
    equal(&what, got.services(), sent.services())?;
    value(&what, got.as_bytes(), sent.as_bytes())?;
    Ok(name)
}

/// That the table discovered is the table made; the number of attributes.
pub fn table(found: &Services, made: &[sim::Attribute]) -> Result<usize, Failure> {
    let (found, made) = (rows_found(found), rows_made(made));
    for (handle, row) in &made {
        equal(&format!("attribute 0x{handle:04X}"), found.get(handle), Some(row))?;
    }
    equal("handles", found.keys().collect::<Vec<_>>(), made.keys().collect())?;
    Ok(made.len())
}

/// One attribute as both sides can tell it.
#[derive(Debug, PartialEq, Eq)]
enum Row {
    Service { uuid: Uuid, end_handle: u16 },
    Characteristic { uuid: Uuid, properties: u8, value_handle: u16 },
    Value,
    Descriptor { uuid: Uuid },
}

fn rows_found(services: &Services) -> BTreeMap<u16, Row> {
    let mut rows = BTreeMap::new();
    for service in services {
        rows.insert(service.handle, Row::Service { uuid: service.uuid, end_handle: service.end_handle });
        for c in service.characteristics.iter() {
            let (uuid, properties, value_handle) = (c.uuid, c.properties.0, c.value_handle);
            rows.insert(c.handle, Row::Characteristic { uuid, properties, value_handle });
            rows.insert(c.value_handle, Row::Value);
            rows.extend(c.descriptors.iter().map(|d| (d.handle, Row::Descriptor { uuid: d.uuid })));
        }
    }
    rows
}

/// Reads the declarations ([Vol 3] Part G, 3) as they stand in the device. Includes and secondary services are not
/// among the demo devices.
fn rows_made(attributes: &[sim::Attribute]) -> BTreeMap<u16, Row> {
    let mut rows = BTreeMap::new();
    let last = attributes.last().map_or(0, |attribute| attribute.handle);
    for (n, attribute) in attributes.iter().enumerate() {
        let (handle, uuid) = (attribute.handle, attribute.uuid);
        let row = if uuid == PRIMARY_SERVICE {
            let behind = attributes.iter().skip(n + 1).find(|next| next.uuid == PRIMARY_SERVICE);
            let end_handle = behind.map_or(last, |next| next.handle - 1);
            Uuid::from_wire(&attribute.value).map(|uuid| Row::Service { uuid, end_handle })
        } else if uuid == CHARACTERISTIC {
            match &attribute.value[..] {
                [properties, low, high, uuid @ ..] => Uuid::from_wire(uuid).map(|uuid| Row::Characteristic {
                    uuid,
                    properties: *properties,
                    value_handle: u16::from_le_bytes([*low, *high]),
                }),
                _ => None,
            }
        } else if n > 0 && attributes[n - 1].uuid == CHARACTERISTIC {
            Some(Row::Value)
        } else {
            Some(Row::Descriptor { uuid })
        };
        rows.extend(row.map(|row| (handle, row)));
    }
    rows
}

/// That a capture can be read again and no packet in it is malformed; the number of packets.
pub fn capture(path: &Path) -> Result<u64, Failure> {
    let what = format!("the capture {}", path.display());
    let unreadable = |error: &dyn Display| failure(&what, Expected("a capture"), error);
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut reader = Reader::new(file).map_err(|error| unreadable(&error))?;
    let (mut dissector, mut packets) = (Dissector::default(), 0);
    while let Some(record) = reader.read().map_err(|error| unreadable(&error))? {
        packets += 1;
        let line = dissector.line(&record);
        if line.contains("malformed") {
            return Err(failure(&what, Expected("well-formed packets"), format!("packet {packets}: {line}")));
        }
    }
    match packets {
        0 => Err(failure(&what, Expected("packets"), "none")),
        packets => Ok(packets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baretooth::Adapter;
    use baretooth::sim::demo;

    fn message(result: Result<impl Sized, Failure>) -> String {
        match result {
            Err(Failure::Failed(report)) => report.message,
            Err(other) => panic!("another failure: {other:?}"),
            Ok(_) => panic!("the check let it pass"),
        }
    }

    #[test]
    fn a_value_that_differs_says_where_and_what_was_expected() {
        assert!(value("x", &[1, 2], &[1, 2]).is_ok());
        assert_eq!(
            message(value("the log", &[1, 2, 3], &[1, 2, 4])),
            "checking the log from octet 2 failed: expected 04 (3 octets in all), got 03 (3 octets in all)"
        );
        assert_eq!(
            message(value("it", &[0; 3], &[0; 40])),
            "checking it from octet 3 failed: expected 00000000000000000000000000000000… (40 octets in all), got  (3 \
             octets in all)"
        );
        assert_eq!(message(equal("ATT_MTU", 23, 517)), "checking ATT_MTU failed: expected 517, got 23");
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_of_another_device_or_with_one_bit_changed_fails() {
        let adapter = Adapter::builder().seed(1).open("sim").await.expect("the radio");
        let peer = adapter.connect(demo::THERMOMETER_ADDRESS).await.expect("it advertises");
        let found = peer.discover().await.expect("its table");
        let made = demo::thermometer();
        let made = made.server.attributes();
        assert_eq!(table(&found, made).expect("the same"), made.len());
        message(table(&found, demo::echo().server.attributes()));
        message(table(&found, &made[..made.len() - 1]));
        let mut changed = made.to_vec();
        let declaration = changed.iter_mut().find(|attribute| attribute.uuid == CHARACTERISTIC);
        declaration.expect("it has characteristics").value[0] ^= 0x10;
        let message = message(table(&found, &changed));
        assert!(message.contains("attribute 0x0002") && message.contains("properties: 18"), "{message}");
        adapter.close().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_advertiser_that_is_silent_or_says_something_else_fails() {
        let adapter = Adapter::builder().seed(1).open("sim").await.expect("the radio");
        let heard = adapter.discover(std::time::Duration::from_secs(2)).await.expect("a scan");
        let mut heard: BTreeMap<_, _> = heard.into_iter().filter_map(|d| Some((d.address?, d))).collect();
        let names = advertisers(&[demo::thermometer(), demo::beacon()], &heard).expect("as made");
        assert_eq!(names, ["Thermometer", "Beacon"]);
        let other = demo::thermometer().scan_response(&b"\x03\x19\x01\x03"[..]);
        assert!(message(advertisers(&[other], &heard)).contains("expected 0103"));
        heard.remove(&demo::BEACON_ADDRESS);
        let silent = message(advertisers(&[demo::beacon()], &heard));
        assert!(silent.ends_with("failed: expected \"Beacon\", got nothing"), "{silent}");
        adapter.close().await;
    }
}
