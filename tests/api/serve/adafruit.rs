//! What adafruit_ble offers a peripheral, here.

use super::*;

#[tokio::test(start_paused = true)]
async fn adafruit_name_get_and_set() {
    let [peripheral, central] = <[Adapter; 2]>::try_from(adapters(2).await).expect("two");
    assert_eq!(peripheral.name().await.expect("there is one"), "baretooth");
    peripheral.set_name("CIRCUITPY").await.expect("short");
    let peer = link(&central, &peripheral).await;
    assert_eq!(peer.read_by_uuid(uuid16(0x2A00)).await.expect("one")[0].value[..], *b"CIRCUITPY");
    assert_eq!(peripheral.name().await.expect("there is one"), "CIRCUITPY");
    let long = peripheral.set_name(&"x".repeat(249)).await.expect_err("too long");
    assert_eq!(long.kind(), ErrorKind::Invalid, "{long}");
    peripheral.serve(TableBuilder::bare().build().expect("nothing")).await.expect("serves");
    let none = peripheral.name().await.expect_err("no GAP service");
    assert_eq!(none.to_string(), "reading our name failed: the table that is served keeps no such value");
    assert_eq!(peripheral.set_name("x").await.expect_err("neither").kind(), ErrorKind::NotFound);
    let adapter = Adapter::builder().name("built").open("sim").await.expect("opens");
    assert_eq!(adapter.name().await.expect("there is one"), "built");
}

#[tokio::test(start_paused = true)]
async fn appearance_and_device_information_are_served() {
    let [peripheral, central] = <[Adapter; 2]>::try_from(adapters(2).await).expect("two");
    let information = DeviceInformation {
        manufacturer_name: Some("nobody"),
        firmware_revision: Some("0.1"),
        ..DeviceInformation::default()
    };
    let table = TableBuilder::with_appearance("thermometer", 0x0300).service(information.service()).build();
    peripheral.serve(table.expect("fits")).await.expect("serves");
    let peer = link(&central, &peripheral).await;
    let services = peer.discover().await.expect("answers");
    for (uuid, expected) in
        [(0x2A00, &b"thermometer"[..]), (0x2A01, &[0, 3]), (0x2A29, b"nobody"), (0x2A26, b"0.1")]
    {
        let value = peer.read(services.find(uuid16(uuid)).expect("served")).await.expect("open");
        assert_eq!(value[..], *expected, "{uuid:04X}");
    }
}

/// `Service` and `Characteristic` classes: declared with UUID, properties, permissions, length and first value; read and
/// set at our side, and by the client.
#[tokio::test(start_paused = true)]
async fn adafruit_service_and_characteristic_classes() {
    let [peripheral, central] = <[Adapter; 2]>::try_from(adapters(2).await).expect("two");
    let uuid = Uuid::from_u128(0xADAF_0001_C332_42A8_93BD_25E9_0575_6CB8);
    let characteristic = Characteristic::new(uuid)
        .value(&[1, 2][..])
        .max_length(2)
        .read(Access::OPEN)
        .write(Access::OPEN)
        .notify()
        .descriptor(Descriptor::new(uuid16(0x2906)).value(&[0, 0, 9, 9][..]).read(Access::OPEN));
    let service = Service::primary(uuid).characteristic(characteristic.user_description("two octets"));
    let server = peripheral.serve(Table::builder("CIRCUITPY").service(service).build().expect("fits")).await;
    let server = server.expect("serves");
    let peer = link(&central, &peripheral).await;
    let services = peer.discover_with_user_descriptions().await.expect("answers");
    let found = services.characteristic(uuid, uuid).expect("declared");
    assert_eq!(found.user_description.as_deref(), Some("two octets"));
    assert_eq!(peer.read(&found).await.expect("open")[..], [1, 2]);
    assert_eq!(
        peer.read(found.descriptor(uuid16(0x2906)).expect("declared")).await.expect("open")[..],
        [0, 0, 9, 9]
    );
    peer.write(&found, vec![3]).await.expect("open");
    assert_eq!(server.value(&found).await.expect("kept")[..], [3]);
    assert_eq!(code(peer.write(&found, vec![1, 2, 3]).await), AttError::InvalidAttributeValueLength);
    let mut values = peer.subscribe(&found).await.expect("notifies");
    server.update(&found, &[4, 5][..]).await.expect("kept");
    assert_eq!(values.next().await.expect("the link is up").value[..], [4, 5]);
}

/// `PacketBuffer`, `StreamIn` and `StreamOut` of a UART: whole packets in, octets out, both ways at once.
#[tokio::test(start_paused = true)]
async fn adafruit_packet_buffer_and_stream_out_classes() {
    let [peripheral, central] = <[Adapter; 2]>::try_from(adapters(2).await).expect("two");
    let table = Table::builder("uart").service(services::nordic_uart()).build().expect("fits");
    let server = peripheral.serve(table).await.expect("serves");
    let mut requests = server.requests();
    let peer = link(&central, &peripheral).await;
    let uart = peer.discover().await.expect("answers");
    let (rx, tx) = (
        uart.characteristic(services::NORDIC_UART, services::NORDIC_UART_RX).expect("served"),
        uart.characteristic(services::NORDIC_UART, services::NORDIC_UART_TX).expect("served"),
    );
    let mut out = peer.subscribe(&tx).await.expect("notifies");
    let client = async {
        for n in 0..100_u8 {
            peer.write_without_response(&rx, vec![n; 20]).await.expect("sent");
        }
        let mut come = Vec::new();
        while come.len() < 2000 {
            come.extend_from_slice(&out.next().await.expect("the link is up").value);
        }
        come
    };
    let echo = async {
        let mut echoed = 0;
        while echoed < 100 {
            if let Some(Request::Written { value, .. }) = requests.next().await {
                assert_eq!(value.len(), 20, "packets stay what they are");
                server.notify(&tx, value).await.expect("sent");
                echoed += 1;
            }
        }
    };
    let (come, ()) = tokio::join!(client, echo);
    assert_eq!(come, (0..100_u8).flat_map(|n| [n; 20]).collect::<Vec<_>>());
}
