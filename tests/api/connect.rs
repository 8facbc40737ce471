//! Links: how they come up, how they do not, and how they end.

use super::line::{Room, TALKER_ADDRESS, demo_devices, drop_after, ms, secs, talker, timed};
use baretooth::gap::connect::{ConnectOptions, ConnectionParameters};
use baretooth::hci::command::{HciCommand, LeCreateConnectionCancel, LeExtendedCreateConnection};
use baretooth::hci::{ErrorCode, Phy};
use baretooth::sim::demo::{ECHO_ADDRESS, HEART_RATE_ADDRESS, THERMOMETER_ADDRESS};
use baretooth::sim::{ConnectFailure, ControllerOptions, Device, demo};
use baretooth::transports::HciPacket;
use baretooth::{Address, BdAddr, Error, ErrorKind};
use std::time::Duration;
use tokio::task::JoinSet;

const POWER_OFF: ErrorCode = ErrorCode::RemoteDeviceTerminatedConnectionDueToPowerOff;
const ABSENT: Address = Address::random(BdAddr([0xEE, 0, 0, 0, 0, 0xC0]));

/// Attempts begun, cancelled and confirmed as ended.
fn attempts(room: &Room) -> (usize, usize, usize) {
    let completes = |packet: &HciPacket| matches!(packet.as_slice(), [0x04, 0x3E, _, 0x01 | 0x0A, ..]);
    let ended = room.line.log().iter().filter(|(_, packet)| completes(packet)).count();
    let begun = room.line.commands(LeExtendedCreateConnection::OPCODE).len();
    (begun, room.line.commands(LeCreateConnectionCancel::OPCODE).len(), ended)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_not_there_times_out_and_leaves_the_controller_idle() {
    let room = Room::demo().await;
    let options = ConnectOptions::new().timeout(secs(4));
    let (connected, took) = timed(room.adapter.connect_with(ABSENT, options)).await;
    let error = connected.expect_err("it is not there");
    assert!(matches!(error, Error::Timeout { after, .. } if after == secs(4)), "{error:?}");
    assert!(error.to_string().contains(&ABSENT.to_string()), "{error}");
    assert!((secs(4)..secs(4) + ms(100)).contains(&took), "{took:?}");
    assert_eq!(attempts(&room), (1, 1, 1));
    room.adapter.connect(HEART_RATE_ADDRESS).await.expect("the controller is free for the next");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_connect_is_cancelled_at_the_controller() {
    let room = Room::demo().await;
    drop_after(secs(1), room.adapter.connect(ABSENT)).await;
    tokio::time::sleep(ms(100)).await;
    assert_eq!(attempts(&room), (1, 1, 1));
    let peer = room.adapter.connect(HEART_RATE_ADDRESS).await.expect("the controller is free for the next");
    assert_eq!(room.adapter.connections(), [peer.address()]);
}

#[tokio::test(start_paused = true)]
async fn a_connect_dropped_at_any_time_leaves_no_link() {
    for after in [0, 1, 5, 20, 50, 80, 100, 101, 102, 105, 110, 120, 130, 150, 170, 200] {
        let room = Room::demo().await;
        let connected = tokio::time::timeout(ms(after), room.adapter.connect(HEART_RATE_ADDRESS)).await;
        drop(connected);
        tokio::time::sleep(secs(2)).await;
        assert!(!room.is_connected(0).await, "dropped after {after} ms");
        assert!(room.adapter.connections().is_empty(), "dropped after {after} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_dropped_when_its_result_is_there_unread_leaves_no_link() {
    let room = Room::demo().await;
    let mut connect = Box::pin(room.adapter.connect(HEART_RATE_ADDRESS));
    // Begun, and then left alone while the link comes up.
    assert!(tokio::time::timeout(Duration::ZERO, &mut connect).await.is_err());
    tokio::time::sleep(secs(5)).await;
    assert!(room.is_connected(0).await);
    drop(connect);
    tokio::time::sleep(secs(1)).await;
    assert!(!room.is_connected(0).await);
    assert!(room.adapter.connections().is_empty());
}

#[tokio::test(start_paused = true)]
async fn attempts_at_once_take_turns_each_with_its_own_time() {
    let room = Room::demo().await;
    let connect = |address| room.adapter.connect_with(address, ConnectOptions::new().timeout(secs(3)));
    let (absent, strap, thermometer, echo) = tokio::join!(
        connect(ABSENT),
        connect(HEART_RATE_ADDRESS),
        connect(THERMOMETER_ADDRESS),
        connect(ECHO_ADDRESS)
    );
    assert_eq!(absent.expect_err("not there").kind(), ErrorKind::Timeout);
    let peers = [strap, thermometer, echo].map(|peer| peer.expect("it had its turn"));
    for (peer, name) in peers.iter().zip(["HR strap", "Thermometer", "UART echo"]) {
        assert_eq!(peer.read(3).await.expect("each link is its own")[..], *name.as_bytes());
    }
    assert_eq!(room.adapter.connections().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_same_peer_twice_is_refused() {
    let room = Room::demo().await;
    let (one, two) =
        tokio::join!(room.adapter.connect(HEART_RATE_ADDRESS), room.adapter.connect(HEART_RATE_ADDRESS));
    let peer = one.expect("the first");
    assert_eq!(two.expect_err("the second").kind(), ErrorKind::Invalid);
    assert_eq!(
        room.adapter.connect(peer.address()).await.expect_err("a link is up").kind(),
        ErrorKind::Invalid
    );
    peer.disconnect().await.expect("ends");
    room.adapter.connect(HEART_RATE_ADDRESS).await.expect("free again");
}

#[tokio::test(start_paused = true)]
async fn a_failed_establishment_is_tried_once_more() {
    for how in [ConnectFailure::InConnectionComplete, ConnectFailure::AfterConnectionComplete] {
        let failing = |times| vec![demo::heart_rate_strap().fails_to_connect(times, how)];
        let room = Room::with(ControllerOptions::default(), failing(1)).await;
        room.adapter.connect(HEART_RATE_ADDRESS).await.expect("the second time");
        let room = Room::with(ControllerOptions::default(), failing(2)).await;
        let error = room.adapter.connect(HEART_RATE_ADDRESS).await.expect_err("not a third time");
        assert_eq!(error.code(), Some(0x3E), "{how:?}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_peer_dropped_ends_the_link() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(HEART_RATE_ADDRESS).await;
    let rates =
        peer.subscribe(&services.find(demo::HEART_RATE_MEASUREMENT).unwrap()).await.expect("notifies");
    let clone = peer.clone();
    drop(peer);
    drop(rates);
    tokio::time::sleep(secs(1)).await;
    assert!(room.is_connected(0).await && clone.is_connected(), "one clone is left");
    drop(clone);
    tokio::time::sleep(secs(1)).await;
    assert!(!room.is_connected(0).await);
    assert!(room.adapter.connections().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_disconnect_ends_the_link_all_the_same() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    drop_after(Duration::ZERO, peer.disconnect()).await;
    assert_eq!(peer.disconnected().await, ErrorCode::ConnectionTerminatedByLocalHost);
    peer.disconnect().await.expect("a link that is down is no error");
    assert!(!room.is_connected(0).await);
}

#[tokio::test(start_paused = true)]
async fn the_reason_reaches_every_waiter() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(HEART_RATE_ADDRESS).await;
    let mut rates =
        peer.subscribe(&services.find(demo::HEART_RATE_MEASUREMENT).unwrap()).await.expect("notifies");
    // No answer reaches the host any more, so that all wait.
    room.line.hold(super::line::is_acl);
    let id = room.devices[0];
    let reads = async { tokio::join!(peer.read(3), peer.read(5), peer.write(3, vec![1]), peer.discover()) };
    let end = async {
        tokio::time::sleep(secs(1)).await;
        room.act(move |radio| radio.disconnect_device(id, POWER_OFF)).await;
    };
    let ((read, behind, write, discovery), reason, value, ()) =
        tokio::join!(reads, peer.disconnected(), rates.next(), end);
    let errors = [read.unwrap_err(), behind.unwrap_err(), write.unwrap_err(), discovery.unwrap_err()];
    for error in errors {
        assert!(matches!(error, Error::Disconnected { reason: POWER_OFF, .. }), "{error:?}");
    }
    assert_eq!((reason, value), (POWER_OFF, None));
    // And whoever comes later.
    let late = peer.rssi().await.expect_err("down");
    assert!(matches!(late, Error::Disconnected { reason: POWER_OFF, .. }), "{late:?}");
    assert_eq!(peer.disconnected().await, POWER_OFF);
}

/// Command Complete of Read RSSI.
fn is_rssi(packet: &HciPacket) -> bool {
    matches!(packet.as_slice(), [0x04, 0x0E, _, _, 0x05, 0x14, ..])
}

#[tokio::test(start_paused = true)]
async fn all_that_is_pending_on_a_link_has_failed_once_before_anybody_hears_that_it_is_down() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    // The peer's answers, and one of the controller that comes when the link is down.
    room.line.hold(|packet| super::line::is_acl(packet) || is_rssi(packet));
    room.line.take_log();
    // Who hears of it first is asked first: one thread, in the order of what the driver tells.
    let mut ends = JoinSet::new();
    let (down, sent, waits, asked, unsent) =
        (peer.clone(), peer.clone(), peer.clone(), peer.clone(), peer.clone());
    ends.spawn(async move { Ok(down.disconnected().await) });
    ends.spawn(async move { Err(sent.read(3).await.expect_err("no answer comes")) });
    ends.spawn(async move { Err(waits.write(3, vec![1]).await.expect_err("behind it")) });
    ends.spawn(async move { Err(asked.rssi().await.expect_err("the answer is late")) });
    ends.spawn(async move { Err(unsent.phy().await.expect_err("behind that one")) });
    tokio::time::sleep(secs(1)).await;
    let id = room.devices[0];
    room.act(move |radio| radio.disconnect_device(id, POWER_OFF)).await;
    for n in 0..4 {
        let end = ends.join_next().await.expect("five").expect("runs");
        assert!(matches!(end, Err(Error::Disconnected { reason: POWER_OFF, .. })), "{n}: {end:?}");
    }
    let last = ends.join_next().await.expect("five").expect("runs");
    assert_eq!(last.expect("only now"), POWER_OFF);
    room.line.release();
    // The late answer is nobody's, and the controller goes on.
    room.adapter.connect(HEART_RATE_ADDRESS).await.expect("advertises").rssi().await.expect("known");
    let asked = room.line.commands(baretooth::hci::command::LeReadPhy::OPCODE);
    assert_eq!(asked.len(), 0, "of a link that was down");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_gone_is_a_supervision_timeout() {
    let room = Room::demo().await;
    let parameters = ConnectionParameters { supervision_timeout: secs(2), ..ConnectionParameters::default() };
    let options = ConnectOptions::new().parameters(parameters);
    let peer = room.adapter.connect_with(HEART_RATE_ADDRESS, options).await.expect("advertises");
    let id = room.devices[0];
    room.act(move |radio| drop(radio.remove_device(id))).await;
    let (reason, took) = timed(peer.disconnected()).await;
    assert_eq!(reason, ErrorCode::ConnectionTimeout);
    assert!(took <= secs(3), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reason_that_no_controller_takes_is_refused_and_the_link_stays() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    let error = peer.disconnect_with(ErrorCode::ConnectionTimeout).await.expect_err("not a reason to give");
    assert_eq!(error.kind(), ErrorKind::Hci);
    assert!(peer.is_connected());
    peer.disconnect_with(POWER_OFF).await.expect("a reason to give");
    assert!(!peer.is_connected());
}

#[tokio::test(start_paused = true)]
async fn the_link_tells_its_strength_phy_timing_version_and_features() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    let rssi = peer.rssi().await.expect("read").expect("known");
    assert!((-127..=20).contains(&rssi), "{rssi}");
    assert_eq!(peer.phy().await.expect("read"), (Phy::Le1M, Phy::Le1M));
    assert_eq!(peer.set_phy(Phy::Le2M, Phy::Le2M).await.expect("both can"), (Phy::Le2M, Phy::Le2M));
    assert_eq!(peer.phy().await.expect("read"), (Phy::Le2M, Phy::Le2M));
    assert_eq!(peer.set_phy(Phy::None, Phy::Le1M).await.expect_err("no PHY").kind(), ErrorKind::Invalid);
    assert_eq!(peer.remote_version().await.expect("read").version, 0x0C);
    assert!(peer.remote_features().await.expect("read").data_length());
    let wanted = ConnectionParameters {
        interval_min: ms(100),
        interval_max: ms(100),
        latency: 2,
        supervision_timeout: secs(6),
    };
    let timing = peer.update_parameters(wanted).await.expect("the peer agrees");
    assert_eq!((timing.interval, timing.latency, timing.supervision_timeout), (ms(100), 2, secs(6)));
    assert_eq!(peer.timing(), timing);
    let wrong = ConnectionParameters { supervision_timeout: ms(100), ..wanted };
    assert_eq!(peer.update_parameters(wrong).await.expect_err("too short").kind(), ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn what_changes_of_a_link_is_told_and_who_reads_late_has_the_newest() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    let mut changes = peer.info_changes();
    let before = peer.info();
    assert_eq!((before.peer, before.mtu, before.phys), (HEART_RATE_ADDRESS, peer.mtu(), None));
    assert_eq!((before.role, before.timing, before.security), (peer.role(), peer.timing(), peer.security()));
    peer.set_phy(Phy::Le2M, Phy::Le2M).await.expect("both can");
    let told = changes.next().await.expect("it is up");
    assert_eq!(told.phys, Some((Phy::Le2M, Phy::Le2M)));
    assert_eq!(peer.info(), told);
    // The same again is no change.
    peer.set_phy(Phy::Le2M, Phy::Le2M).await.expect("both can");
    peer.phy().await.expect("read");
    drop_after(secs(1), changes.next()).await;
    let wanted = ConnectionParameters { latency: 3, ..ConnectionParameters::default() };
    peer.update_parameters(wanted).await.expect("the peer agrees");
    peer.set_phy(Phy::Le1M, Phy::Le1M).await.expect("both can");
    let told = changes.next().await.expect("it is up");
    assert_eq!((told.timing.latency, told.phys), (3, Some((Phy::Le1M, Phy::Le1M))));
    drop_after(secs(1), changes.next()).await;
    let (ended, told) = tokio::join!(peer.disconnect(), changes.next());
    ended.expect("ends");
    assert_eq!(told, None);
    assert_eq!(peer.info().timing.latency, 3);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_question_is_not_answered_to_the_next() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    drop_after(Duration::ZERO, peer.set_phy(Phy::Le2M, Phy::Le2M)).await;
    drop_after(Duration::ZERO, peer.rssi()).await;
    drop_after(Duration::ZERO, peer.remote_version()).await;
    assert_eq!(peer.set_phy(Phy::Le1M, Phy::Le1M).await.expect("its own answer"), (Phy::Le1M, Phy::Le1M));
    assert_eq!(peer.phy().await.expect("read"), (Phy::Le1M, Phy::Le1M));
}

#[tokio::test(start_paused = true)]
async fn a_hardware_error_ends_the_links_and_the_adapter_goes_on() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    room.act(|radio| {
        let id = radio.controllers().next().expect("one");
        radio.hardware_error(id, 0x42);
    })
    .await;
    assert_eq!(peer.disconnected().await, ErrorCode::HardwareFailure);
    tokio::time::sleep(secs(7)).await; // the strap sees the supervision time-out
    room.adapter.connect(HEART_RATE_ADDRESS).await.expect("initialised anew");
}

#[tokio::test(start_paused = true)]
async fn sixteen_links_at_once() {
    let address = |n| Address::random(BdAddr([n, 0, 0, 0, 0, 0xC1]));
    let devices = (0..16).map(|n| {
        let server = talker().server;
        Device::new(address(n)).data(b"\x02\x01\x06".as_slice()).server(server)
    });
    let room = Room::with(ControllerOptions::default(), devices.chain(demo_devices()).collect()).await;
    let mut peers = Vec::new();
    for n in 0..16 {
        peers.push(room.adapter.connect(address(n)).await.expect("advertises"));
    }
    assert_ne!(peers[0].address(), TALKER_ADDRESS);
    for peer in &peers {
        assert_eq!(peer.discover().await.expect("answers").len(), 1);
    }
    assert_eq!(room.adapter.connections().len(), 16);
}

/// `connect(peer, timeout=4)`, `connected` and `connections`.
#[tokio::test(start_paused = true)]
async fn adafruit_connect_with_timeout_connected_and_connections() {
    let room = Room::demo().await;
    assert!(room.adapter.connections().is_empty());
    let patience = || ConnectOptions::new().timeout(secs(4));
    let (absent, took) = timed(room.adapter.connect_with(ABSENT, patience())).await;
    assert_eq!(absent.expect_err("it is not there").kind(), ErrorKind::Timeout);
    assert!((secs(4)..secs(4) + ms(100)).contains(&took), "{took:?}");
    let strap = room.adapter.connect_with(HEART_RATE_ADDRESS, patience()).await.expect("advertises");
    let echo = room.adapter.connect_with(ECHO_ADDRESS, patience()).await.expect("advertises");
    assert!(strap.is_connected() && echo.is_connected());
    assert_eq!(room.adapter.connections(), [HEART_RATE_ADDRESS, ECHO_ADDRESS]);
    strap.disconnect().await.expect("ended");
    assert!(!strap.is_connected() && echo.is_connected());
    assert_eq!(room.adapter.connections(), [ECHO_ADDRESS]);
}

/// `BLEConnection.connection_interval`, by the central.
#[tokio::test(start_paused = true)]
async fn adafruit_ble_connection_connection_interval_get_and_set_as_a_central() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    let at_first = peer.timing().interval;
    assert!((ms(15)..=ms(30)).contains(&at_first), "{at_first:?}");
    let slow = ConnectionParameters { interval_min: ms(200), interval_max: ms(200), ..Default::default() };
    assert_eq!(peer.update_parameters(slow).await.expect("taken").interval, ms(200));
    assert_eq!(peer.timing().interval, ms(200));
}

/// `service in connection` and `connection[Service]`.
#[tokio::test(start_paused = true)]
async fn adafruit_ble_connection_has_and_gives_services() {
    let room = Room::demo().await;
    let (_peer, services) = room.connect(HEART_RATE_ADDRESS).await;
    let heart_rate = services.service(baretooth::uuid16(0x180D)).expect("it is there");
    let measurement = heart_rate.characteristic(baretooth::uuid16(0x2A37)).expect("the type says so");
    assert!(measurement.cccd().is_some());
    let missing = services.service(demo::UART_SERVICE).expect_err("not in this one");
    assert!(missing.to_string().contains(&demo::UART_SERVICE.to_string()), "{missing}");
}
