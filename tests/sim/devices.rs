//! Devices over raw ATT, L2CAP signalling and SMP.

use crate::room::*;
use baretooth::hci::ConnectionHandle;
use baretooth::l2cap::signaling::{ConnectionParameterUpdateReq, ParameterUpdateResult};
use baretooth::sim::demo::*;
use baretooth::sim::*;
use baretooth::{Address, uuid16};

/// A host with a link to one device.
struct Client {
    room: Room,
    host: ControllerId,
    handle: ConnectionHandle,
    device: DeviceId,
}

impl Client {
    fn new(device: Device) -> Self {
        let mut room = Room::new(RadioOptions::default());
        let host = room.controller(ControllerOptions::default());
        let address: Address = device.address;
        let device = room.radio.add_device(device);
        let handle = room.connect(host, address);
        Self { room, host, handle, device }
    }

    /// Sends one PDU and returns those that come back within 50 ms.
    fn on(&mut self, channel: u16, pdu: &[u8]) -> Vec<Vec<u8>> {
        self.room.send_frame(self.host, self.handle, channel, pdu);
        self.wait(50)
            .into_iter()
            .map(|(answered, pdu)| {
                assert_eq!(answered, channel);
                pdu
            })
            .collect()
    }

    fn wait(&mut self, time: u64) -> Vec<(u16, Vec<u8>)> {
        self.room.run(ms(time));
        self.room.frames(self.host)
    }

    /// The one answer to a request.
    fn att(&mut self, pdu: &[u8]) -> Vec<u8> {
        let mut answers = self.on(4, pdu);
        assert_eq!(answers.len(), 1, "{pdu:02x?} is answered by {answers:02x?}");
        answers.remove(0)
    }

    fn server(&self) -> &Server {
        &self.room.radio.device(self.device).expect("it is there").server
    }

    fn find(&self, uuid: baretooth::Uuid) -> u16 {
        self.server().find(uuid).expect("the demo device has it")
    }
}

fn request(opcode: u8, handle: u16, rest: &[u8]) -> Vec<u8> {
    [&[opcode][..], &handle.to_le_bytes(), rest].concat()
}

#[test]
fn every_attribute_that_can_be_read_reads_as_the_table_says() {
    for device in [heart_rate_strap(), thermometer(), echo()] {
        let mut client = Client::new(device);
        assert_eq!(client.att(&[0x02, 0x05, 0x02]), [0x03, 0x05, 0x02]);
        for attribute in client.server().attributes().to_vec() {
            let answer = client.att(&request(0x0A, attribute.handle, &[]));
            if let Some(error) = attribute.error {
                assert_eq!(answer, [&[0x01], &request(0x0A, attribute.handle, &[])[..], &[error.0]].concat());
            } else if attribute.permissions.read {
                assert_eq!(answer[0], 0x0B);
                assert_eq!(answer[1..], attribute.value[..], "handle {:#06x}", attribute.handle);
            } else {
                assert_eq!(answer[0], 0x01);
                assert_eq!(answer[4], 0x02, "read not permitted");
            }
        }
    }
}

#[test]
fn heart_rate_is_notified_once_a_second_in_sequence_while_subscribed() {
    let mut client = Client::new(heart_rate_strap());
    let handle = client.find(HEART_RATE_MEASUREMENT);
    assert_eq!(client.wait(3000), [], "nobody has subscribed");
    assert_eq!(client.att(&request(0x12, handle + 1, &[1, 0])), [0x13]);
    let expected = |sequence| (4, request(0x1B, handle, &heart_rate_measurement(sequence)));
    assert_eq!(client.wait(10_000), (0..10).map(expected).collect::<Vec<_>>());
    assert_eq!(client.att(&request(0x12, handle + 1, &[0, 0])), [0x13]);
    assert_eq!(client.wait(3000), []);
}

#[test]
fn indications_wait_for_the_confirmation_of_the_one_before() {
    let mut client = Client::new(thermometer());
    let handle = client.find(TEMPERATURE_MEASUREMENT);
    assert_eq!(client.att(&request(0x12, handle + 1, &[2, 0])), [0x13]);
    let expected = |sequence| request(0x1D, handle, &temperature_measurement(sequence));
    let first = client.wait(10_000);
    assert_eq!(first, [(4, expected(0))], "one, since nobody confirms it");
    for sequence in 1..4 {
        assert_eq!(client.on(4, &[0x1E]), [expected(sequence)]);
    }
}

#[test]
fn a_long_value_is_read_in_parts_and_written_in_parts() {
    let mut client = Client::new(thermometer());
    let log = client.find(LOG);
    let value = client.server().attribute(log).expect("there").value.clone();
    assert_eq!(value.len(), 512);
    let mut read = client.att(&request(0x0A, log, &[])).split_off(1);
    while read.len() < 512 {
        let offset = u16::try_from(read.len()).expect("at most 512").to_le_bytes();
        let part = client.att(&request(0x0C, log, &offset));
        assert_eq!(part[0], 0x0D);
        assert!(part.len() > 1 && part.len() <= 23);
        read.extend(&part[1..]);
    }
    assert_eq!(read, value);
    assert_eq!(client.att(&request(0x0C, log, &[0, 2])), [0x0D], "the end of the value");
    assert_eq!(client.att(&request(0x0C, log, &[1, 2]))[4], 0x07, "behind it");

    let new: Vec<u8> = value.iter().rev().map(|octet| octet ^ 0x55).collect();
    for (n, part) in new.chunks(18).enumerate() {
        let offset = u16::try_from(n * 18).expect("at most 512").to_le_bytes();
        let prepare = request(0x16, log, &[&offset, part].concat());
        let echo = client.att(&prepare);
        assert_eq!((echo[0], &echo[1..]), (0x17, &prepare[1..]));
    }
    assert_eq!(client.server().attribute(log).expect("there").value, value, "not yet");
    assert_eq!(client.att(&[0x18, 1]), [0x19]);
    assert_eq!(client.server().attribute(log).expect("there").value, new);
}

#[test]
fn what_is_written_to_the_echo_comes_back_in_order() {
    let mut client = Client::new(echo());
    let (rx, tx) = (client.find(UART_RX), client.find(UART_TX));
    client.att(&request(0x12, tx + 1, &[1, 0]));
    for n in 0..20u8 {
        client.room.send_frame(client.host, client.handle, 4, &request(0x52, rx, &[n; 20]));
        client.room.run(ms(10));
    }
    assert_eq!(client.wait(50), (0..20).map(|n| (4, request(0x1B, tx, &[n; 20]))).collect::<Vec<_>>());
    // A request is answered first; what does not fit into one notification comes in two.
    client.att(&[0x02, 64, 0]);
    assert_eq!(client.on(4, &request(0x12, rx, &[7; 9])), [vec![0x13], request(0x1B, tx, &[7; 9])]);
    client.att(&request(0x16, rx, &[&[0, 0][..], &[1; 50]].concat()));
    client.att(&request(0x16, rx, &[&[50, 0][..], &[1; 50]].concat()));
    let answers = client.on(4, &[0x18, 1]);
    assert_eq!(answers, [vec![0x19], request(0x1B, tx, &[1; 61]), request(0x1B, tx, &[1; 39])]);
}

#[test]
fn subscriptions_and_the_mtu_end_with_the_link() {
    let mut client = Client::new(heart_rate_strap());
    let handle = client.find(HEART_RATE_MEASUREMENT);
    client.att(&[0x02, 0x05, 0x02]);
    client.att(&request(0x12, handle + 1, &[1, 0]));
    client.room.radio.disconnect_device(client.device, baretooth::hci::ErrorCode(0x13));
    client.handle = {
        client.room.run(ms(100));
        client.room.connect(client.host, HEART_RATE_ADDRESS)
    };
    assert_eq!(client.wait(5000), []);
    assert_eq!(client.att(&request(0x0A, handle + 1, &[])), [0x0B, 0, 0]);
    assert_eq!(client.server().mtu(), 23);
}

#[test]
fn a_device_asks_for_parameters_and_remembers_the_answer() {
    let mut device = Device::new(random(1));
    let (interval_min, interval_max, latency, timeout) = (24, 40, 0, 200);
    device.parameter_request =
        Some(ConnectionParameterUpdateReq { interval_min, interval_max, latency, timeout });
    let mut client = Client::new(device);
    let asked = client.room.frames(client.host);
    assert_eq!(asked, [(5, vec![0x12, 1, 8, 0, 24, 0, 40, 0, 0, 0, 200, 0])]);
    assert_eq!(client.on(5, &[0x13, 1, 2, 0, 1, 0]), Vec::<Vec<u8>>::new());
    let answer = client.room.radio.device(client.device).expect("there").parameter_answer;
    assert_eq!(answer, Some(ParameterUpdateResult::Rejected));
}

#[test]
fn signalling_that_is_not_understood_is_rejected_and_responses_are_not() {
    let mut client = Client::new(Device::new(random(1)));
    assert_eq!(client.on(5, &[0x0A, 9, 2, 0, 2, 0]), [[0x01, 9, 2, 0, 0, 0]]);
    assert_eq!(client.on(5, &[0x01, 9, 2, 0, 0, 0]), Vec::<Vec<u8>>::new());
    assert_eq!(client.on(5, &[0x0A, 9, 7, 0]), Vec::<Vec<u8>>::new(), "a length that lies");
}

#[test]
fn pairing_is_not_supported() {
    let mut client = Client::new(Device::new(random(1)));
    assert_eq!(client.on(6, &[0x01, 3, 0, 1, 16, 0, 0]), [[0x05, 0x05]]);
    assert_eq!(client.on(6, &[0x05, 0x05]), Vec::<Vec<u8>>::new());
}

#[test]
fn frames_that_are_not_whole_are_forgotten_at_the_next_start() {
    let mut client = Client::new(heart_rate_strap());
    client.room.send(client.host, acl(client.handle, false, &[9, 0, 4, 0, 0x0A]));
    assert_eq!(client.att(&[0x0A, 3, 0]), b"\x0BHR strap");
    client.room.send(client.host, acl(client.handle, true, &[1, 2, 3]));
    assert_eq!(client.att(&[0x0A, 3, 0]), b"\x0BHR strap");
    // More data than the frame announces: it is no frame, and what follows is one.
    client.room.send(client.host, acl(client.handle, false, &[3, 0, 4, 0, 0x0A]));
    client.room.send(client.host, acl(client.handle, true, &[3, 0, 9, 9]));
    assert_eq!(client.wait(50), []);
    assert_eq!(client.att(&[0x0A, 3, 0]), b"\x0BHR strap");
    assert_eq!(client.on(0x40, &[1]), Vec::<Vec<u8>>::new(), "nobody has this channel");
}

#[test]
fn the_demo_radio_has_one_controller_and_its_devices_stand_where_they_say() {
    let radio = demo_radio(1);
    assert_eq!(radio.controllers().count(), 1);
    let addresses = [
        HEART_RATE_ADDRESS,
        THERMOMETER_ADDRESS,
        ECHO_ADDRESS,
        BEACON_ADDRESS,
        KEY_FINDER_ADDRESS,
        DOOR_LOCK_ADDRESS,
    ];
    assert!(addresses.iter().all(|address| address.is_random_static()));
    let devices = [heart_rate_strap(), thermometer(), echo(), beacon(), key_finder(), door_lock()];
    assert_eq!(devices.each_ref().map(|device| device.address), addresses);
    assert!(devices[..3].iter().all(|device| device.advertisement.data.len() <= 31));
    assert!(devices[..3].iter().all(|device| device.advertisement.scan_response.len() <= 31));
    assert!(devices[3].advertisement.data.len() > 229);
    let temperatures = devices[1].server.attributes().iter().filter(|a| a.uuid == TEMPERATURE);
    assert_eq!(temperatures.count(), 2, "the same characteristic twice");
    assert!(devices[1].server.find(uuid16(0x2900)).is_some());
    let there: Vec<Address> = radio.devices().map(|(_, device)| device.address).collect();
    assert_eq!(there, addresses);
}
