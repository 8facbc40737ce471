//! Services that many devices have, ready to be put into a table.

use super::access::Access;
use super::declaration::{Characteristic, Service};
use crate::{Uuid, uuid16};

/// Nordic UART: the service, the value that a client writes, and the one that it is notified of.
pub const NORDIC_UART: Uuid = Uuid::from_u128(0x6E40_0001_B5A3_F393_E0A9_E50E_24DC_CA9E);
/// What the client sends, for [`NORDIC_UART`].
pub const NORDIC_UART_RX: Uuid = Uuid::from_u128(0x6E40_0002_B5A3_F393_E0A9_E50E_24DC_CA9E);
/// What the client receives, for [`NORDIC_UART`].
pub const NORDIC_UART_TX: Uuid = Uuid::from_u128(0x6E40_0003_B5A3_F393_E0A9_E50E_24DC_CA9E);

/// The Battery service: the level in percent, read and notified.
///
/// ```
/// use baretooth::gatt::server::{Table, services};
/// use baretooth::uuid16;
///
/// let mut table = Table::builder("thermometer").service(services::battery(90)).build()?;
/// let level = table.services().find(uuid16(0x2A19))?;
/// table.set_value(level.value_handle, vec![89])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn battery(percent: u8) -> Service {
    let level = Characteristic::new(uuid16(0x2A19)).value(vec![percent]).max_length(1);
    Service::primary(uuid16(0x180F)).characteristic(level.read(Access::OPEN).notify())
}

/// The Nordic UART service: octets both ways. What the client writes comes as a written value, with or without a
/// response; what it is to receive is notified.
pub fn nordic_uart() -> Service {
    let receive =
        Characteristic::new(NORDIC_UART_RX).write(Access::OPEN).write_without_response(Access::OPEN);
    let transmit = Characteristic::new(NORDIC_UART_TX).notify();
    Service::primary(NORDIC_UART).characteristic(receive).characteristic(transmit)
}

/// The Device Information service: names for people, read only. It has those that are given, in this order.
///
/// ```
/// use baretooth::gatt::server::{Table, services::DeviceInformation};
///
/// let information = DeviceInformation { model_number: Some("T-1"), ..DeviceInformation::default() };
/// let table = Table::builder("thermometer").service(information.service()).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceInformation<'a> {
    /// Who made the device.
    pub manufacturer_name: Option<&'a str>,
    /// What its maker calls the model.
    pub model_number: Option<&'a str>,
    /// Which one of the model it is.
    pub serial_number: Option<&'a str>,
    /// The revision of its hardware.
    pub hardware_revision: Option<&'a str>,
    /// The revision of its firmware.
    pub firmware_revision: Option<&'a str>,
    /// The revision of its software.
    pub software_revision: Option<&'a str>,
}

impl DeviceInformation<'_> {
    /// The service with what is given.
    pub fn service(self) -> Service {
        [
            (0x2A29, self.manufacturer_name),
            (0x2A24, self.model_number),
            (0x2A25, self.serial_number),
            (0x2A27, self.hardware_revision),
            (0x2A26, self.firmware_revision),
            (0x2A28, self.software_revision),
        ]
        .into_iter()
        .filter_map(|(uuid, text)| Some((uuid, text?.to_owned())))
        .fold(Service::primary(uuid16(0x180A)), |service, (uuid, text)| {
            service.characteristic(Characteristic::new(uuid16(uuid)).value(text).read(Access::OPEN))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gatt::server::{self, Offer, Output, Server, Table};
    use bytes::Bytes;

    struct Client {
        table: Table,
        server: Server,
        client: server::Client,
    }

    impl Client {
        fn of(service: Service) -> Self {
            let table = Table::builder("device").service(service).build().expect("it fits");
            Self { table, server: Server::new(517), client: server::Client::default() }
        }

        fn handle(&self, uuid: Uuid) -> u16 {
            self.table.services().find(uuid).expect("it is there once").value_handle
        }

        fn send(&mut self, opcode: u8, handle: u16, rest: &[u8]) -> Vec<Output> {
            let pdu = [&[opcode][..], &handle.to_le_bytes(), rest].concat();
            self.server.on_pdu(&mut self.table, &mut self.client, &pdu)
        }

        fn read(&mut self, uuid: Uuid) -> Vec<u8> {
            let handle = self.handle(uuid);
            match &self.send(0x0A, handle, &[])[..] {
                [Output::Send(response)] if response[0] == 0x0B => response[1..].to_vec(),
                other => panic!("no value: {other:?}"),
            }
        }

        fn subscribe(&mut self, uuid: Uuid) {
            let characteristic = self.table.services().find(uuid).expect("it is there once");
            self.send(0x12, characteristic.cccd().expect("it notifies"), &[1, 0]);
        }

        fn notification(&self, uuid: Uuid, value: &[u8]) -> Vec<u8> {
            let notification = self.server.notify(&self.table, &self.client, self.handle(uuid), value);
            notification.expect("it is subscribed to")[3..].to_vec()
        }
    }

    #[test]
    fn ready_made_services_battery_is_read_and_notified() {
        let mut client = Client::of(battery(90));
        assert_eq!(client.read(uuid16(0x2A19)), [90]);
        client.subscribe(uuid16(0x2A19));
        assert_eq!(client.notification(uuid16(0x2A19), &[89]), [89]);
    }

    #[test]
    fn ready_made_services_uart_takes_and_gives_octets() {
        let mut client = Client::of(nordic_uart());
        let handle = client.handle(NORDIC_UART_RX);
        let written = Output::Written(Offer { handle, offset: 0, value: Bytes::from_static(b"in") });
        assert_eq!(&client.send(0x12, handle, b"in")[1..], std::slice::from_ref(&written));
        assert_eq!(client.send(0x52, handle, b"in"), [written]);
        client.subscribe(NORDIC_UART_TX);
        assert_eq!(client.notification(NORDIC_UART_TX, b"out"), b"out");
    }

    #[test]
    fn name_appearance_and_device_information_are_read() {
        let information = DeviceInformation {
            manufacturer_name: Some("Maker"),
            model_number: Some("Model"),
            serial_number: Some("0001"),
            hardware_revision: Some("A"),
            firmware_revision: Some("1.2"),
            software_revision: Some("3.4"),
        };
        let mut client = Client::of(information.service());
        for (uuid, text) in [
            (0x2A00, "device"),
            (0x2A29, "Maker"),
            (0x2A24, "Model"),
            (0x2A25, "0001"),
            (0x2A27, "A"),
            (0x2A26, "1.2"),
            (0x2A28, "3.4"),
        ] {
            assert_eq!(client.read(uuid16(uuid)), text.as_bytes(), "0x{uuid:04X}");
        }
        assert_eq!(client.read(uuid16(0x2A01)), [0, 0]);
        let some = DeviceInformation { serial_number: Some("1"), ..DeviceInformation::default() };
        assert_eq!(some.service().characteristics.len(), 1, "what is not given is not there");
    }
}
