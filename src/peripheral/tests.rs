use super::*;
use crate::gap::advertising_data::AdvertisingDataBuf;
use crate::gatt::Properties;
use crate::gatt::server::{Client, Output, Server};
use crate::hci::Phy;
use crate::uuid16;
use std::time::Duration;

const EXAMPLE: &str = include_str!("../../examples/thermometer.toml");

fn read(text: &str) -> Peripheral {
    text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn mistake(text: &str) -> String {
    text.parse::<Peripheral>().expect_err(text).to_string()
}

fn payloads(text: &str) -> (AdvertisingDataBuf, AdvertisingDataBuf) {
    read(text).payloads().expect("it was checked")
}

#[test]
fn the_example_is_a_device_with_what_it_says() {
    let thermometer = read(EXAMPLE);
    let table = thermometer.table().expect("it was checked");
    let services: Vec<_> = table.services().iter().map(|service| service.uuid.short().to_string()).collect();
    let uart = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
    assert_eq!(services, ["0x1800", "0x1801", "0x181A", "0x180F", uart]);
    let temperature = table.services().find(uuid16(0x2A6E)).expect("once");
    assert_eq!(table.value(temperature.value_handle).expect("stored"), &2150_i16.to_le_bytes()[..]);
    assert_eq!(temperature.properties, Properties::READ | Properties::NOTIFY);
    assert_eq!(temperature.user_description.as_deref(), Some("indoors"));
    let format = temperature.descriptor(uuid16(0x2904)).expect("once");
    assert_eq!(table.value(format.handle).expect("declared"), &[0x0E, 0xFE, 0x2F, 0x27, 1, 0, 0][..]);
    assert_eq!(
        (&table.value(3).expect("a name")[..], &table.value(5).expect("one")[..]),
        (&b"Greenhouse"[..], &[0, 3][..])
    );

    let (data, scan_response) = thermometer.payloads().expect("it fits");
    assert_eq!(
        data.as_bytes(),
        b"\x02\x01\x06\x05\x03\x1A\x18\x0F\x18\x05\xFF\xFF\xFF\x01\x02\x0B\x09Greenhouse"
    );
    assert_eq!(scan_response.as_bytes(), b"");
    assert_eq!(
        thermometer.advertising.interval,
        Some((Duration::from_millis(100), Duration::from_millis(150)))
    );
}

#[test]
fn values_are_text_octets_and_numbers() {
    for (value, octets) in [
        (r#""text""#, &b"text"[..]),
        (r#"{ text = "é" }"#, "é".as_bytes()),
        ("[]", b""),
        ("[0, 0x0a, 255]", &[0, 10, 255]),
        (r#"{ hex = "00 0a:fF" }"#, &[0, 10, 255]),
        ("{ u8 = 255 }", &[255]),
        ("{ u16 = 513 }", &[1, 2]),
        ("{ u32 = 1 }", &[1, 0, 0, 0]),
        ("{ u64 = 1 }", &[1, 0, 0, 0, 0, 0, 0, 0]),
        ("{ i8 = -2 }", &[254]),
        ("{ i16 = -2 }", &[254, 255]),
        ("{ i32 = -2 }", &[254, 255, 255, 255]),
        ("{ i64 = -2 }", &[254, 255, 255, 255, 255, 255, 255, 255]),
    ] {
        let text = format!(
            "name = \"n\"\n[[service]]\nuuid = \"180f\"\n[[service.characteristic]]\nuuid = \"2a19\"\nvalue = {value}"
        );
        let table = read(&text).table().expect("it fits");
        let handle = table.services().find(uuid16(0x2A19)).expect("once").value_handle;
        assert_eq!(table.value(handle).expect("stored"), octets, "{value}");
    }
}

#[test]
fn everything_that_a_characteristic_can_have_can_be_said() {
    let peripheral = read(
        r#"
        name = "everything"
        [[service]]
        uuid = "180f"
        secondary = true
        handle = 0x20
        [[service]]
        uuid = "1234"
        includes = ["180f"]
        [[service.characteristic]]
        uuid = "2a19"
        handle = 0x30
        read = "encrypted"
        write = ["authenticated", "authorized"]
        write_without_response = true
        notify = true
        indicate = true
        subscription = "encrypted"
        broadcast = true
        reliable_write = true
        description = "charge"
        write_description = true
        format = [{ format = 4 }, { format = 6, exponent = -1, unit = 0x27AD, name_space = 2, description = 7 }]
        [[service.characteristic.descriptor]]
        uuid = "2906"
        handle = 0x40
        value = [1]
        max_length = 3
        write = true
        [[service.characteristic.descriptor]]
        uuid = "2907"
        [[service.characteristic]]
        uuid = "2a1a"
        read = false
        "#,
    );
    let mut table = peripheral.table().expect("it was checked");
    let service = table.services().service(uuid16(0x1234)).expect("once");
    assert_eq!(service.includes[0].service_handle, 0x20);
    let [all, none] = &service.characteristics[..] else { panic!("two") };
    assert_eq!((all.handle, all.properties.0, none.properties.0), (0x30, 0xBF, 0));
    assert_eq!(all.extended_properties.map(|bits| bits.0), Some(3));
    let descriptors: Vec<_> =
        all.descriptors.iter().filter_map(|d| Some((d.handle, d.uuid.as_u16()?))).collect();
    assert_eq!(descriptors[5..], [(0x37, 0x2904), (0x40, 0x2906), (0x41, 0x2907), (0x42, 0x2905)][..]);
    let mut code = |opcode: u8, handle: u8, value: &[u8]| {
        let pdu = [&[opcode, handle, 0][..], value].concat();
        match &Server::new(23).on_pdu(&mut table, &mut Client::default(), &pdu)[..] {
            [Output::Send(response), ..] if response[0] == 0x01 => response[4],
            [Output::Send(_), ..] => 0,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((code(0x0A, 0x31, &[]), code(0x12, 0x31, &[1])), (0x05, 0x05), "the value is private");
    assert_eq!(
        (code(0x12, 0x40, &[1; 3]), code(0x12, 0x40, &[1; 4]), code(0x0A, 0x40, &[])),
        (0, 0x0D, 0x02)
    );
    assert_eq!((code(0x0A, 0x41, &[]), code(0x12, 0x41, &[1])), (0, 0x03), "one without a word is read");
}

#[test]
fn everything_that_is_advertised_can_be_said() {
    let text = r#"
        name = "name"
        appearance = 0x0341
        [advertising]
        mode = "scannable"
        interval = 1
        timeout = 30.5
        tx_power = -4
        flags = 0
        appearance = true
        services = ["180d", "6e400001-b5a3-f393-e0a9-e50e24dcca9e"]
        [advertising.scan_response]
        name = true
        tx_power = 4
        solicited_services = ["1805"]
        manufacturer_data = [{ company = 0x004C, data = "m" }, { company = 1 }]
        service_data = { uuid = "180d", data = { u8 = 7 } }
    "#;
    let (data, response) = payloads(text);
    let long = crate::Uuid::from_u128(0x6E40_0001_B5A3_F393_E0A9_E50E_24DC_CA9E).to_wire();
    let expected = [&b"\x03\x03\x0D\x18\x11\x07"[..], &long, b"\x03\x19\x41\x03\x02\x0A\xFC"].concat();
    assert_eq!(data.as_bytes(), expected);
    let expected =
        b"\x03\x14\x05\x18\x02\x0A\x04\x04\x16\x0D\x18\x07\x04\xFF\x4C\x00m\x03\xFF\x01\x00\x05\x09name";
    assert_eq!(response.as_bytes(), expected);
    let Advertising { mode, interval, timeout, tx_power, .. } = read(text).advertising;
    assert_eq!((mode, tx_power), (AdvertiseMode::Scannable, Some(-4)));
    assert_eq!(interval, Some((Duration::from_secs(1), Duration::from_secs(1))));
    assert_eq!(timeout, Some(Duration::from_millis(30_500)));

    let extended = |how| {
        read(&format!("name = \"n\"\n[advertising]\nextended = {how}\naddress = \"C0:01:02:03:04:05\""))
            .advertising
    };
    let phys = |how| extended(how).extended.map(|pdus| (pdus.primary_phy, pdus.secondary_phy));
    assert_eq!((phys("true"), phys("false")), (Some((Phy::Le1M, Phy::Le1M)), None));
    assert_eq!(phys("\"2M\""), Some((Phy::Le1M, Phy::Le2M)));
    assert_eq!(phys("\"coded\""), Some((Phy::LeCoded, Phy::LeCoded)));
    assert_eq!(extended("true").address, "C0:01:02:03:04:05".parse().ok());
}

#[test]
fn a_name_goes_where_it_fits() {
    let with =
        |name: &str, mode: &str| payloads(&format!("name = \"{name}\"\n[advertising]\nmode = \"{mode}\""));
    let (data, response) = with(&"n".repeat(26), "connectable");
    assert_eq!((data.as_bytes().len(), response.as_bytes().len()), (31, 0));
    let (data, response) = with(&"n".repeat(27), "connectable");
    assert_eq!((data.as_bytes().len(), response.as_bytes().len()), (3, 29));
    let (data, response) = with(&"é".repeat(20), "connectable");
    assert_eq!(
        (&data.as_bytes()[3..5], response.as_bytes().len()),
        (&[27, 0x08][..], 0),
        "shortened, in whole letters"
    );
    let (data, response) = with(&"n".repeat(27), "non-connectable");
    assert_eq!(
        (&data.as_bytes()[3..5], response.as_bytes().len()),
        (&[27, 0x08][..], 0),
        "nobody asks for a response"
    );
    let (data, _) = payloads("name = \"n\"\n[advertising]\nname = false");
    assert_eq!(data.as_bytes(), [2, 1, 6]);
    let extended = |length, mode| {
        let name = "n".repeat(length);
        payloads(&format!("name = \"{name}\"\n[advertising]\nmode = \"{mode}\"\nextended = true"))
            .0
            .as_bytes()
            .len()
    };
    assert_eq!(extended(248, "non-connectable"), 253);
    assert_eq!((extended(240, "connectable"), extended(241, "connectable")), (245, 245), "in one PDU");
    let without = payloads("name = \"n\"");
    assert_eq!(without.0.as_bytes(), [2, 1, 6, 2, 9, b'n']);
}

#[test]
fn a_mistake_is_told_with_line_key_cause_and_hint() {
    let service = "name = \"n\"\n[[service]]\nuuid = \"180f\"\n";
    let characteristic = format!("{service}[[service.characteristic]]\nuuid = \"2a19\"\n");
    let of = |rest: &str| mistake(&format!("{characteristic}{rest}"));
    for (error, expected) in [
        (mistake("nmae = \"n\""), "line 1, nmae: unknown field `nmae`, expected one of `name`"),
        (mistake("appearance = 1"), "missing field `name`"),
        (mistake("name = \"n"), "line 1, name: "),
        (mistake("name = 5"), "line 1, name: invalid type"),
        (mistake("name = \"n\"\nappearance = 65536"), "line 2, appearance: "),
        (mistake("name = \"n\"\n\n[[service]]\nuuid = \"batery\""), "line 4, uuid: \"batery\" is no UUID"),
        (mistake("name = \"n\"\n[[service]]"), "line 2, [[service]]: missing field `uuid`"),
        (
            mistake(&format!("{service}includes = [\"180a\"]")),
            "line 4, includes: no service above has this UUID",
        ),
        (of("value = 5"), "line 6, value: a value is text, a list of octets"),
        (of("value = [256]"), "line 6, value: an octet is a number from 0 to 255"),
        (of("value = { u8 = 256 }"), "line 6, value: a u8 is a number from 0 to 255"),
        (of("value = { i16 = -32769 }"), "line 6, value: a i16 is a number from -32768 to 32767"),
        (of("value = { hex = \"abc\" }"), "line 6, value: hex is pairs of digits"),
        (of("value = { f32 = 1.0 }"), "line 6, value: f32 is no form of a value"),
        (of("read = \"everybody\""), "line 6, read: who may is said by true, false, \"encrypted\""),
        (of("format = { unit = 1 }"), "line 6, format: missing field `format`"),
        (
            of("value = [1, 2]\nmax_length = 1"),
            "line 5, uuid: the value of 0x2A19 does not fit: 2 octets, and it takes 1",
        ),
        (of("handle = 2"), "line 5, uuid: "),
        (mistake("name = \"n\"\n[advertising]\nmode = \"loud\""), "line 3, mode: a mode is \"connectable\""),
        (
            mistake("name = \"n\"\n[advertising]\ninterval = 0.01"),
            "line 2, [advertising]: advertising every 10ms",
        ),
        (
            mistake("name = \"n\"\n[advertising]\ninterval = -1"),
            "line 3, interval: a time is a number of seconds",
        ),
        (mistake("name = \"n\"\n[advertising]\ninterval = [1]"), "line 3, interval: an interval is seconds"),
        (mistake("name = \"n\"\n[advertising]\ntimeout = nan"), "line 3, timeout: a time is"),
        (mistake("name = \"n\"\n[advertising]\nextended = 2"), "line 3, extended: extended is true, false"),
        (mistake("name = \"n\"\n[advertising]\naddress = \"C0\""), "line 3, address: an address is text"),
        (
            mistake(&format!(
                "name = \"n\"\n[advertising]\nmanufacturer_data = {{ company = 1, data = \"{}\" }}",
                "m".repeat(30)
            )),
            "line 2, [advertising]: building advertising data: 37 octets are 6 more than the 31 that fit",
        ),
        (
            mistake(&format!("name = \"{}\"", "n".repeat(249))),
            "the value of 0x2A00 does not fit: 249 octets, and it takes 248",
        ),
    ] {
        assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
