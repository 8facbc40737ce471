//! Opening and closing, options, raw commands, and several adapters.

use super::line::{Room, demo_devices, drop_after, ms, secs, timed, wired};
use baretooth::hci::command::{HciCommand, LeExtendedCreateConnection, LeSetExtendedScanEnable, Reset};
use baretooth::hci::{ErrorCode, Opcode};
use baretooth::host::ParameterPolicy;
use baretooth::l2cap::signaling::{ConnectionParameterUpdateReq, ParameterUpdateResult};
use baretooth::sim::demo::{ECHO_ADDRESS, HEART_RATE_ADDRESS, THERMOMETER_ADDRESS};
use baretooth::sim::{ControllerOptions, Radio, RadioOptions, demo};
use baretooth::{Adapter, BdAddr, Error, ErrorKind};

#[tokio::test(start_paused = true)]
async fn an_open_adapter_knows_its_controller() {
    let adapter = Adapter::open("sim").await.expect("the virtual radio");
    assert_eq!(adapter.description(), "sim");
    assert!(adapter.controller().random_address.is_random_static());
    assert!(adapter.connections().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_none_gets_the_forms() {
    let error = Adapter::open("bluetooth please").await.expect_err("no adapter");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("tcp:"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn after_close_everything_says_closed() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(HEART_RATE_ADDRESS).await;
    let mut scan = room.adapter.scan().await.expect("scans");
    let mut rates = peer.subscribe(&services.find(demo::HEART_RATE_MEASUREMENT).unwrap()).await.unwrap();
    room.adapter.close().await;
    assert!(room.line.is_closed(), "the transport is closed when close returns");
    assert!(!room.is_connected(0).await, "the link was ended");
    assert_eq!(
        room.line.commands(LeSetExtendedScanEnable::OPCODE).last().unwrap()[0],
        0,
        "the scan was ended"
    );
    while let Ok(sighting) = scan.next().await {
        drop(sighting); // heard before
    }
    assert!(matches!(scan.next().await, Err(Error::Closed { .. })));
    assert_eq!(rates.next().await, None);
    assert!(matches!(room.adapter.scan().await, Err(Error::Closed { .. })));
    assert!(matches!(room.adapter.connect(ECHO_ADDRESS).await, Err(Error::Closed { .. })));
    assert!(matches!(room.adapter.closed().await, Error::Closed { .. }));
    assert!(matches!(peer.read(3).await, Err(Error::Closed { .. } | Error::Disconnected { .. })));
    room.adapter.close().await;
}

#[tokio::test(start_paused = true)]
async fn every_close_waits_until_the_adapter_is_closed() {
    let room = Room::demo().await;
    let _peer = room.connect(HEART_RATE_ADDRESS).await;
    let (first, second) = (room.adapter.clone(), room.adapter.clone());
    tokio::join!(
        async {
            first.close().await;
            assert!(room.line.is_closed());
        },
        async {
            second.close().await;
            assert!(room.line.is_closed());
        }
    );
}

#[tokio::test(start_paused = true)]
async fn close_does_not_wait_long_for_a_silent_controller() {
    let room = Room::demo().await;
    let _peer = room.connect(HEART_RATE_ADDRESS).await;
    room.line.hold(|_| true);
    let ((), took) = timed(room.adapter.close()).await;
    assert!(took <= secs(2), "{took:?}");
    assert!(room.line.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_close_closes_all_the_same() {
    let room = Room::demo().await;
    let _peer = room.connect(HEART_RATE_ADDRESS).await;
    drop_after(ms(0), room.adapter.close()).await;
    tokio::time::sleep(secs(3)).await;
    assert!(room.line.is_closed());
    assert!(!room.is_connected(0).await);
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_closes() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    drop(room.adapter);
    tokio::time::sleep(secs(3)).await;
    assert!(!room.line.is_closed() && peer.is_connected(), "a peer keeps its adapter");
    drop(peer);
    tokio::time::sleep(secs(3)).await;
    assert!(room.line.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_is_silent_fails_the_opening() {
    let (wire, line, _radio, _) = wired(ControllerOptions::mute(Reset::OPCODE), vec![]);
    let (opened, took) = timed(Adapter::builder().seed(1).open_with(wire)).await;
    let error = opened.expect_err("the controller says nothing");
    assert_eq!(error.kind(), ErrorKind::Hci);
    assert!(error.to_string().starts_with("opening the line failed: "), "{error}");
    assert!(took <= secs(10), "{took:?}");
    assert!(line.is_closed());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_opening_closes_the_transport() {
    let (wire, line, _radio, _) = wired(ControllerOptions::mute(Reset::OPCODE), vec![]);
    drop_after(ms(100), Adapter::builder().seed(1).open_with(wire)).await;
    tokio::time::sleep(secs(3)).await;
    assert!(line.is_closed());
}

#[tokio::test(start_paused = true)]
async fn legacy_only_keeps_to_the_legacy_commands() {
    let builder = Adapter::builder().seed(1).legacy_only(true);
    let room = Room::built(builder, ControllerOptions::default(), demo_devices()).await;
    room.adapter.find_by_name("HR strap", secs(5)).await.expect("it advertises");
    room.connect(HEART_RATE_ADDRESS).await;
    assert!(room.line.commands(LeSetExtendedScanEnable::OPCODE).is_empty());
    assert!(room.line.commands(LeExtendedCreateConnection::OPCODE).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_mtu_option_is_what_links_get() {
    let room =
        Room::built(Adapter::builder().seed(1).mtu(100), ControllerOptions::default(), demo_devices()).await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    assert_eq!((peer.mtu(), peer.max_write_without_response()), (100, 97));
}

#[tokio::test(start_paused = true)]
async fn the_seed_makes_the_address() {
    let open = |seed| async move {
        let (wire, ..) = wired(ControllerOptions::default(), vec![]);
        let adapter = Adapter::builder().seed(seed).open_with(wire).await.expect("opens");
        adapter.controller().random_address
    };
    assert_eq!(open(1).await, open(1).await);
    assert_ne!(open(1).await, open(2).await);
}

#[tokio::test(start_paused = true)]
async fn the_whole_seed_makes_the_virtual_radio() {
    let mut heard = std::collections::BTreeSet::new();
    for seed in [0x100, 0x200, 0x300, 1 << 63] {
        let adapter = Adapter::builder().seed(seed).open("sim").await.expect("opens");
        let (found, took) = timed(adapter.find_by_name("HR strap", secs(5))).await;
        found.expect("it advertises");
        heard.insert(took);
    }
    assert!(heard.len() > 1, "each radio has its own chances: {heard:?}");
}

#[tokio::test(start_paused = true)]
async fn the_policy_answers_a_peer_that_asks_for_other_timing() {
    let request =
        ConnectionParameterUpdateReq { interval_min: 80, interval_max: 80, latency: 0, timeout: 400 };
    for (policy, answer) in [
        (ParameterPolicy::AcceptAll, ParameterUpdateResult::Accepted),
        (ParameterPolicy::RejectAll, ParameterUpdateResult::Rejected),
    ] {
        let mut strap = demo::heart_rate_strap();
        strap.parameter_request = Some(request);
        let builder = Adapter::builder().seed(1).parameter_policy(policy);
        let room = Room::built(builder, ControllerOptions::default(), vec![strap]).await;
        let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
        tokio::time::sleep(secs(3)).await;
        assert_eq!(room.device(0, |device| device.parameter_answer).await, Some(answer));
        assert_eq!(peer.timing().interval == ms(100), answer == ParameterUpdateResult::Accepted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_raw_command_returns_what_the_controller_returns() {
    let room = Room::demo().await;
    let read_bd_addr = room.adapter.command(Opcode(0x1009), vec![]).await.expect("answered");
    assert_eq!((read_bd_addr.len(), read_bd_addr[0]), (7, 0));
    let vendor = room.adapter.command(Opcode(0xFC00), vec![1, 2, 3]).await.expect("a refusal is an answer");
    assert_eq!(vendor[..], [ErrorCode::UnknownHciCommand.0]);
    let error = room.adapter.command(Opcode(0xFC00), vec![0; 256]).await.expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    room.line.hold(|_| true);
    let error = room.adapter.command(Opcode(0x1009), vec![]).await.expect_err("not answered");
    assert_eq!(error.kind(), ErrorKind::Hci);
}

#[tokio::test(start_paused = true)]
async fn two_adapters_work_side_by_side() {
    let mut radio = Radio::new(RadioOptions::default());
    radio.add_controller(ControllerOptions::default());
    radio.add_controller(ControllerOptions::legacy().address(BdAddr([2, 0, 0, 0x5A, 0, 0])));
    for device in demo_devices() {
        radio.add_device(device);
    }
    let (_radio, mut transports) = baretooth::sim::spawn(radio);
    let open = |transport| Adapter::builder().open_with(transport);
    let (second, first) = (transports.pop().expect("two"), transports.pop().expect("two"));
    let (first, second) = tokio::try_join!(open(first), open(second)).expect("both open");
    let (strap, thermometer) =
        tokio::try_join!(first.connect(HEART_RATE_ADDRESS), second.connect(THERMOMETER_ADDRESS))
            .expect("both");
    assert_eq!(
        (first.connections(), second.connections()),
        (vec![HEART_RATE_ADDRESS], vec![THERMOMETER_ADDRESS])
    );
    first.close().await;
    assert!(!strap.is_connected());
    assert_eq!(thermometer.read(3).await.expect("the other adapter goes on")[..], *b"Thermometer");
    assert_eq!(
        second.connect(HEART_RATE_ADDRESS).await.expect("it is free again").address(),
        HEART_RATE_ADDRESS
    );
}
