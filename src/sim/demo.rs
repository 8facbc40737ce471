//! The devices of the tour: a heart-rate strap, a thermometer, a serial-like echo, a beacon, and two that show what they
//! keep for those they are paired with: a key finder to anybody who pairs, a door lock to who has read its passkey.
//!
//! Their tables are data ([`Server::attributes`]), so whoever reads them over the air can check every value.

use super::table::{Table, property::*};
use super::{Advertisement, Application, ControllerOptions, Device, Radio, RadioOptions, Responder, Server};
use crate::att::AttError;
use crate::hci::Phy;
use crate::smp::pdu::IoCapability;
use crate::{Address, BdAddr, Instant, Uuid, uuid16};
use std::time::Duration;

/// Heart Rate Measurement, notified once a second: see [`heart_rate_measurement`].
pub const HEART_RATE_MEASUREMENT: Uuid = uuid16(0x2A37);
/// Temperature Measurement, indicated every two seconds: see [`temperature_measurement`].
pub const TEMPERATURE_MEASUREMENT: Uuid = uuid16(0x2A1C);
/// Temperature of the environment: the thermometer has it twice, inside and outside.
pub const TEMPERATURE: Uuid = uuid16(0x2A6E);
/// The thermometer's log: 512 octets that can be read and written, by long reads and long writes.
pub const LOG: Uuid = Uuid::from_u128(0xBA8E_7007_0001_4000_8000_0000_0000_0001);
/// The thermometer's calibration: refuses every write with the application's error 0x80.
pub const CALIBRATION: Uuid = Uuid::from_u128(0xBA8E_7007_0001_4000_8000_0000_0000_0002);
/// The service of the echo.
pub const UART_SERVICE: Uuid = Uuid::from_u128(0x6E40_0001_B5A3_F393_E0A9_E50E_24DC_CA9E);
/// What is written to it comes back.
pub const UART_RX: Uuid = Uuid::from_u128(0x6E40_0002_B5A3_F393_E0A9_E50E_24DC_CA9E);
/// As notifications of this.
pub const UART_TX: Uuid = Uuid::from_u128(0x6E40_0003_B5A3_F393_E0A9_E50E_24DC_CA9E);

/// Address of the [`heart_rate_strap`].
pub const HEART_RATE_ADDRESS: Address = random(0x01);
/// Address of the [`thermometer`].
pub const THERMOMETER_ADDRESS: Address = random(0x02);
/// Address of the [`echo`].
pub const ECHO_ADDRESS: Address = random(0x03);
/// Address of the [`beacon`].
pub const BEACON_ADDRESS: Address = random(0x04);

/// Address of the [`key_finder`].
pub const KEY_FINDER_ADDRESS: Address = random(0x05);
/// Address of the [`door_lock`].
pub const DOOR_LOCK_ADDRESS: Address = random(0x06);
/// What the [`door_lock`] has on its display when it pairs.
pub const DOOR_LOCK_PASSKEY: u32 = 123_456;
/// Alert Level of the key finder's Link Loss service: for encrypted links, 0 at first.
pub const ALERT_LEVEL: Uuid = uuid16(0x2A06);
/// Whether the door is locked, 1 at first: for links that an authenticated pairing has encrypted.
pub const LOCKED: Uuid = Uuid::from_u128(0xBA8E_7007_0002_4000_8000_0000_0000_0001);

const fn random(n: u8) -> Address {
    Address::random(BdAddr([n, 0x00, 0x70, 0xE7, 0xBA, 0xC0]))
}

/// A radio with all demo devices and one default controller.
pub fn demo_radio(seed: u64) -> Radio {
    let mut radio = Radio::new(RadioOptions { seed, ..RadioOptions::default() });
    radio.add_controller(ControllerOptions::default());
    for device in [heart_rate_strap(), thermometer(), echo(), beacon(), key_finder(), door_lock()] {
        radio.add_device(device);
    }
    radio
}

/// "HR strap": heart rate, battery, device information.
pub fn heart_rate_strap() -> Device {
    let server = generic("HR strap", 0x0341)
        .service(uuid16(0x180D))
        .characteristic(HEART_RATE_MEASUREMENT, NOTIFY, [])
        // Body Sensor Location: chest.
        .characteristic(uuid16(0x2A38), READ, [1])
        .service(uuid16(0x180F))
        .characteristic(uuid16(0x2A19), READ | NOTIFY, [87])
        .descriptor(PRESENTATION_FORMAT, [0x04, 0x00, 0xAD, 0x27, 0x01, 0x00, 0x00], false)
        .service(uuid16(0x180A))
        .characteristic(uuid16(0x2A29), READ, *b"baretooth")
        .characteristic(uuid16(0x2A24), READ, *b"strap of the virtual radio")
        .characteristic(uuid16(0x2A26), READ, *b"0.1.0")
        .build();
    Device::new(HEART_RATE_ADDRESS)
        .rssi(-42)
        .data(
            [
                ad(0x01, &[0x06]),
                ad(0x03, &[0x0D, 0x18, 0x0F, 0x18]),
                ad(0x19, &[0x41, 0x03]),
                ad(0x09, b"HR strap"),
            ]
            .concat(),
        )
        // Manufacturer data of the company that is nobody's.
        .scan_response([ad(0x0A, &[0x00]), ad(0xFF, &[0xFF, 0xFF, 0x01, 0x02, 0x03])].concat())
        .server(server)
        .application(HeartRate { sequence: 0 })
}

/// "Thermometer": indications, a value of 512 octets, the same characteristic twice, many descriptors.
pub fn thermometer() -> Device {
    let server = generic("Thermometer", 0x0300)
        .service(uuid16(0x1809))
        .characteristic(TEMPERATURE_MEASUREMENT, INDICATE, [])
        // Temperature Type: body.
        .characteristic(uuid16(0x2A1D), READ, [2])
        .service(uuid16(0x181A))
        .characteristic(TEMPERATURE, READ | NOTIFY, 2150i16.to_le_bytes())
        .descriptor(USER_DESCRIPTION, *b"inside", false)
        .descriptor(PRESENTATION_FORMAT, CENTIDEGREES, false)
        .characteristic(TEMPERATURE, READ | NOTIFY, (-275i16).to_le_bytes())
        .descriptor(USER_DESCRIPTION, *b"outside", false)
        .descriptor(PRESENTATION_FORMAT, CENTIDEGREES, false)
        .service(Uuid::from_u128(0xBA8E_7007_0001_4000_8000_0000_0000_0000))
        .characteristic(LOG, READ | WRITE | EXTENDED_PROPERTIES, first_log())
        // Reliable write, and a description that can be written.
        .descriptor(EXTENDED_PROPERTIES_DESCRIPTOR, [0x03, 0x00], false)
        .descriptor(USER_DESCRIPTION, *b"log", true)
        .characteristic(CALIBRATION, WRITE, [])
        .adjust(|attribute| attribute.error = Some(AttError(0x80)))
        .build();
    Device::new(THERMOMETER_ADDRESS)
        .rssi(-58)
        .data([ad(0x01, &[0x06]), ad(0x03, &[0x09, 0x18, 0x1A, 0x18]), ad(0x09, b"Thermometer")].concat())
        .scan_response(ad(0x19, &[0x00, 0x03]))
        .server(server)
        .application(Temperature { sequence: 0 })
}

/// "UART echo": what is written comes back as notifications.
pub fn echo() -> Device {
    let server = generic("UART echo", 0)
        .service(UART_SERVICE)
        .characteristic(UART_RX, WRITE | WRITE_WITHOUT_RESPONSE, [])
        .characteristic(UART_TX, NOTIFY, [])
        .build();
    Device::new(ECHO_ADDRESS)
        .rssi(-51)
        .data([ad(0x01, &[0x06]), ad(0x07, &UART_SERVICE.as_u128().to_le_bytes())].concat())
        .scan_response(ad(0x09, b"UART echo"))
        .server(server)
        .application(Echo)
}

/// "Beacon": 600 octets of extended advertising that nobody can connect to.
pub fn beacon() -> Device {
    let mut data = ad(0x09, b"Beacon");
    for part in 0..3u8 {
        let block: Vec<u8> = [0xFF, 0xFF].into_iter().chain((0..=193).map(|n| n ^ part)).collect();
        data.extend(ad(0xFF, &block));
    }
    Device::new(BEACON_ADDRESS).advertisement(Advertisement {
        connectable: false,
        scannable: false,
        legacy: false,
        sid: 7,
        rssi: -77,
        secondary_phy: Phy::Le2M,
        tx_power: 4,
        interval: Duration::from_millis(200),
        data: data.into(),
        ..Advertisement::default()
    })
}

/// "Key finder": pairs and bonds with anybody, by Just Works; its alert level is for encrypted links.
pub fn key_finder() -> Device {
    let server = generic("Key finder", 0x0200)
        .service(uuid16(0x1803))
        .characteristic(ALERT_LEVEL, READ | WRITE, [0])
        .adjust(|attribute| attribute.permissions.encrypted = true)
        .service(uuid16(0x180F))
        .characteristic(uuid16(0x2A19), READ, [64])
        .build();
    Device::new(KEY_FINDER_ADDRESS)
        .rssi(-63)
        .data([ad(0x01, &[0x06]), ad(0x03, &[0x03, 0x18, 0x0F, 0x18]), ad(0x09, b"Key finder")].concat())
        .server(server)
        .pairing(Responder::new())
}

/// "Door lock": bonds with who has read [`DOOR_LOCK_PASSKEY`] from its display; its state is for no other.
pub fn door_lock() -> Device {
    let server = generic("Door lock", 0x0708)
        .service(Uuid::from_u128(0xBA8E_7007_0002_4000_8000_0000_0000_0000))
        .characteristic(LOCKED, READ | WRITE, [1])
        .adjust(|attribute| attribute.permissions.authenticated = true)
        .build();
    let responder = Responder::new().io(IoCapability::DisplayOnly).mitm(true).shows(DOOR_LOCK_PASSKEY);
    Device::new(DOOR_LOCK_ADDRESS)
        .rssi(-68)
        .data([ad(0x01, &[0x06]), ad(0x09, b"Door lock")].concat())
        .server(server)
        .pairing(responder)
}

const USER_DESCRIPTION: Uuid = uuid16(0x2901);
const EXTENDED_PROPERTIES_DESCRIPTOR: Uuid = uuid16(0x2900);
const PRESENTATION_FORMAT: Uuid = uuid16(0x2904);
/// Signed 16 bit, exponent -2, degrees Celsius ([Vol 3] Part G, 3.3.3.5).
const CENTIDEGREES: [u8; 7] = [0x0E, 0xFE, 0x2F, 0x27, 0x01, 0x00, 0x00];

/// One AD structure: length, type, data.
fn ad(kind: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len() + 1).expect("the demo data are short");
    [&[length, kind][..], data].concat()
}

/// The two services every device has.
fn generic(name: &str, appearance: u16) -> Table {
    Table::default()
        .service(uuid16(0x1800))
        .characteristic(uuid16(0x2A00), READ, name.as_bytes())
        .characteristic(uuid16(0x2A01), READ, appearance.to_le_bytes())
        .service(uuid16(0x1801))
        .characteristic(uuid16(0x2A05), INDICATE, [])
}

/// What the log holds before anybody writes it.
fn first_log() -> Vec<u8> {
    (0..=255).chain((0..=255).rev()).collect()
}

/// The n-th notification of a link: beats per minute, and n itself as the energy expended.
pub fn heart_rate_measurement(sequence: u16) -> [u8; 4] {
    let [beat, ..] = (60 + sequence * 7 % 40).to_le_bytes();
    let [low, high] = sequence.to_le_bytes();
    // Flags: energy expended is present.
    [0x08, beat, low, high]
}

/// The n-th indication of a link: 36.5 degrees Celsius and a tenth more each time, up to 38.4.
pub fn temperature_measurement(sequence: u16) -> [u8; 5] {
    let [low, high] = (365 + sequence % 20).to_le_bytes();
    // Flags: Celsius; then mantissa and exponent -1.
    [0x00, low, high, 0x00, 0xFF]
}

struct HeartRate {
    sequence: u16,
}

impl Application for HeartRate {
    fn connected(&mut self, now: Instant, _: &mut Server) -> Option<Instant> {
        self.sequence = 0;
        Some(now + Duration::from_secs(1))
    }

    fn timeout(&mut self, now: Instant, server: &mut Server) -> Option<Instant> {
        if let Some(handle) = server.find(HEART_RATE_MEASUREMENT)
            && server.notifies(handle)
        {
            server.notify(handle, &heart_rate_measurement(self.sequence));
            self.sequence = self.sequence.wrapping_add(1);
        }
        Some(now + Duration::from_secs(1))
    }
}

struct Temperature {
    sequence: u16,
}

impl Application for Temperature {
    fn connected(&mut self, now: Instant, _: &mut Server) -> Option<Instant> {
        self.sequence = 0;
        Some(now + Duration::from_secs(2))
    }

    fn timeout(&mut self, now: Instant, server: &mut Server) -> Option<Instant> {
        if let Some(handle) = server.find(TEMPERATURE_MEASUREMENT)
            && server.indicates(handle)
        {
            server.indicate(handle, &temperature_measurement(self.sequence));
            self.sequence = self.sequence.wrapping_add(1);
        }
        Some(now + Duration::from_secs(2))
    }
}

struct Echo;

impl Application for Echo {
    fn written(&mut self, _: Instant, server: &mut Server, handle: u16, value: &[u8]) {
        if server.find(UART_RX) == Some(handle)
            && let Some(out) = server.find(UART_TX)
        {
            for part in value.chunks(usize::from(server.mtu()) - 3) {
                server.notify(out, part);
            }
        }
    }
}
