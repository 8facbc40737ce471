//! By which names adapters are found, and which of their interfaces are used.

use super::*;

/// Whether commands and events pass.
async fn works(adapter: Usb, controller: Memory) {
    let ((mut rx, mut tx), (mut controller_rx, mut controller_tx)) = (adapter.split(), controller.split());
    within(async {
        send_all(&mut tx, [reset(), reset()]).await;
        assert_eq!(recv_many(&mut controller_rx, 2).await, [reset(), reset()]);
        send_all(&mut controller_tx, [event(&[1])]).await;
        assert_eq!(rx.recv().await.unwrap(), event(&[1]));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn two_of_a_kind_are_told_apart_by_serial_number_or_count_and_listed_so() {
    let serial = |serial: &str| Options { serial: Some(serial.into()), ..Options::default() };
    let (first, first_controller) = plug(serial("A1")).await;
    let (second, second_controller) = plug(serial("B 2")).await;
    let listed: Vec<String> =
        candidates().iter().map(|c| c.spec.to_string()).filter(|name| name.starts_with("usb:")).collect();
    assert_eq!(listed, ["usb:1209:0001/A1", "usb:1209:0001/B 2"]);
    let description = &candidates()[0].description;
    assert!(
        description.contains("dongle in software") && description.contains(&first.place()),
        "{description}"
    );
    works(open("usb:1209:0001/B 2").await.unwrap(), second_controller).await;
    drop(second);
    let (_second, second_controller) = plug(Options::default()).await;
    works(open("usb:1209:0001#1").await.unwrap(), second_controller).await;
    works(open("usb:0").await.unwrap(), first_controller).await;
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn composite_adapters_work_whichever_way_they_want_commands() {
    for commands_to_interface_only in [false, true] {
        let options = Options { composite: true, commands_to_interface_only, ..Options::default() };
        let (dongle, controller) = plug(options).await;
        works(open("usb:1209:0001").await.unwrap(), controller).await;
        drop(dongle);
    }
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_class_that_is_not_bluetooth_must_be_forced() {
    let options = Options { class: [0xFF, 1, 1], composite: true, voice: false, ..Options::default() };
    let (_dongle, controller) = plug(options).await;
    let refused = open("usb:1209:0001").await.unwrap_err().to_string();
    assert!(refused.ends_with("`usb:1209:0001!` takes it all the same"), "{refused}");
    works(open("usb:1209:0001!").await.unwrap(), controller).await;
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_port_that_is_reset_first_gives_a_working_adapter() {
    let (dongle, controller) = plug(Options::default()).await;
    let Ok(AdapterSpec::Usb(spec)) = name(&dongle).parse() else { panic!() };
    let adapter = Usb::open(&spec, &OpenOptions::new().reset_port(true)).await.unwrap();
    works(adapter, controller).await;
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn adapters_are_told_of_as_they_come_and_go() {
    let (first, _controller) = plug(Options::default()).await;
    let mut watch = UsbWatch::start().unwrap();
    assert_eq!(next(&mut watch).await, "+usb:1209:0001");
    let (second, _controller) = plug(Options { product: 2, ..Options::default() }).await;
    assert_eq!(next(&mut watch).await, "+usb:1209:0002");
    // What is open is pulled out as well as what is not.
    let _open = open("usb:1209:0001").await.unwrap();
    drop(first);
    assert_eq!(next(&mut watch).await, "-usb:1209:0001");
    drop(second);
    assert_eq!(next(&mut watch).await, "-usb:1209:0002");
    let (_third, _controller) = plug(Options::default()).await;
    assert_eq!(next(&mut watch).await, "+usb:1209:0001");
    assert!(poll_once(Box::pin(watch.next())).await.is_none());
}

async fn next(watch: &mut UsbWatch) -> String {
    match within(watch.next()).await {
        Some(Change::Arrived(candidate)) => format!("+{}", candidate.spec),
        Some(Change::Left(spec)) => format!("-{spec}"),
        other => panic!("{other:?}"),
    }
}
