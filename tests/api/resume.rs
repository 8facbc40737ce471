//! Subscriptions that go on behind a failure of the controller, and what ends those that do not.

use super::line::{COUNT, NUMBER, Room, TALKER_ADDRESS, drop_after, ms, secs, talker, timed};
use super::port::{Port, plug_with};
use baretooth::hci::ErrorCode;
use baretooth::host::OpError;
use baretooth::sim::demo::{
    HEART_RATE_ADDRESS, HEART_RATE_MEASUREMENT, TEMPERATURE_MEASUREMENT, THERMOMETER_ADDRESS,
    heart_rate_strap, thermometer,
};
use baretooth::sim::{ControllerOptions, DeviceId, Table, property::*};
use baretooth::transports::TransportError;
use baretooth::{
    Adapter, Address, Characteristic, ConnectOptions, Error, ErrorKind, Notifications, Peer, Recovery,
    SubscribeOptions, Uuid, uuid16,
};

fn resuming() -> SubscribeOptions {
    SubscribeOptions::new().resume(true)
}

/// The strap, the thermometer and the talker.
async fn room() -> (Port, Adapter, Vec<DeviceId>) {
    let (port, devices) = plug_with(vec![heart_rate_strap(), thermometer(), talker()]);
    let adapter = port.open(Adapter::builder().seed(1)).await;
    (port, adapter, devices)
}

async fn find(adapter: &Adapter, address: Address, uuid: Uuid) -> (Peer, Characteristic) {
    let peer = adapter.connect(address).await.expect("it advertises");
    let characteristic = peer.discover().await.expect("it answers").find(uuid).expect("there");
    (peer, characteristic)
}

/// A stream that resumes, of the heart rate, which has brought a value.
async fn rates(adapter: &Adapter) -> (Peer, Characteristic, Notifications) {
    let (peer, rate) = find(adapter, HEART_RATE_ADDRESS, HEART_RATE_MEASUREMENT).await;
    let mut rates = peer.subscribe_with(&rate, resuming()).await.expect("notifies");
    rates.next().await.expect("a heart beats");
    (peer, rate, rates)
}

/// The controller falls silent, and this is noticed.
async fn fall_silent(port: &Port, peer: &Peer, deaf_to: u32) {
    port.hang(deaf_to).await;
    peer.rssi().await.expect_err("silent");
}

async fn is_connected(port: &Port, device: DeviceId) -> bool {
    port.act(move |radio| radio.device(device).is_some_and(|device| device.is_connected())).await
}

async fn notifies(port: &Port, device: DeviceId, handle: u16) -> bool {
    port.act(move |radio| radio.device(device).expect("there").server.notifies(handle)).await
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_asked_for_it_goes_on_by_a_new_link() {
    for deaf_to in [0, u32::MAX] {
        let (port, adapter, devices) = room().await;
        let (peer, rate, mut rates) = rates(&adapter).await;
        fall_silent(&port, &peer, deaf_to).await;
        // What was queued is read first.
        let mut read = 0;
        while rates.resumed() == 0 {
            rates.next().await.expect("it goes on");
            read += 1;
        }
        assert_eq!((rates.resumed(), read > 0, rates.end().is_none()), (1, true, true));
        for _ in 0..3 {
            rates.next().await.expect("a heart beats");
        }
        assert!(!peer.is_connected(), "the old link stays down");
        assert!(rates.peer().is_connected() && rates.peer().address() == HEART_RATE_ADDRESS);
        assert_eq!((rates.handle(), rates.is_indication()), (rate.value_handle, false));
        // A second time, by the new link.
        fall_silent(&port, &rates.peer().clone(), 0).await;
        while rates.resumed() == 1 {
            rates.next().await.expect("it goes on");
        }
        rates.unsubscribe().await.expect("the peer takes it");
        assert!(!notifies(&port, devices[0], rate.value_handle).await);
        tokio::time::sleep(secs(3)).await;
        assert!(!is_connected(&port, devices[0]).await, "nobody is left who wants the link");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_did_not_ask_for_it_ends_and_says_why() {
    let (port, adapter, _) = room().await;
    let (peer, rate) = find(&adapter, HEART_RATE_ADDRESS, HEART_RATE_MEASUREMENT).await;
    let mut rates = peer.subscribe(&rate).await.expect("notifies");
    fall_silent(&port, &peer, 0).await;
    assert!(rates.end().is_none());
    while rates.next().await.is_some() {}
    assert_eq!(
        rates.end().expect("ended").to_string(),
        "subscription to 0x000C (Heart Rate Measurement) failed: the controller did not answer Read RSSI within 2s; \
         it is being reset"
    );
    assert_eq!((rates.next().await, rates.resumed()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_goes_down_by_itself_ends_the_stream_all_the_same() {
    let (port, adapter, devices) = room().await;
    let (_peer, _, mut rates) = rates(&adapter).await;
    let strap = devices[0];
    let reason = ErrorCode::RemoteDeviceTerminatedConnectionDueToPowerOff;
    port.act(move |radio| radio.disconnect_device(strap, reason)).await;
    while rates.next().await.is_some() {}
    assert!(matches!(rates.end(), Some(Error::Disconnected { reason: told, .. }) if *told == reason));
    tokio::time::sleep(secs(30)).await;
    assert!(!is_connected(&port, strap).await);

    let room = Room::demo().await;
    let (peer, rate) = find(&room.adapter, HEART_RATE_ADDRESS, HEART_RATE_MEASUREMENT).await;
    let mut rates = peer.subscribe_with(&rate, resuming()).await.expect("notifies");
    room.line.cut();
    while rates.next().await.is_some() {}
    assert!(matches!(rates.end(), Some(Error::Transport { source: TransportError::Closed, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_with_its_controller_ends_the_stream_at_once() {
    let (port, devices) = plug_with(vec![heart_rate_strap()]);
    let adapter = port.open(Adapter::builder().seed(1).recovery(Recovery::Reset)).await;
    let (peer, _, mut rates) = rates(&adapter).await;
    fall_silent(&port, &peer, u32::MAX).await;
    let (ended, took) = timed(async { while rates.next().await.is_some() {} }).await;
    let () = ended;
    assert!(took <= secs(4), "{took:?}");
    let Some(Error::Controller { source: OpError::ControllerFailed { then: None, .. }, .. }) = rates.end()
    else {
        panic!("{:?}", rates.end())
    };
    assert_eq!(devices.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_gone_for_good_is_given_up_after_three_tries() {
    let (port, adapter, devices) = room().await;
    let (peer, _, mut rates) = rates(&adapter).await;
    let strap = devices[0];
    fall_silent(&port, &peer, 0).await;
    port.act(move |radio| drop(radio.remove_device(strap))).await;
    let ((), took) = timed(async { while rates.next().await.is_some() {} }).await;
    assert!((secs(62)..secs(63)).contains(&took), "three times 20 s, and a pause of 1 s twice: {took:?}");
    assert_eq!(rates.end().expect("ended").kind(), ErrorKind::Timeout);
    assert_eq!((rates.next().await, rates.resumed()), (None, 0));
    adapter.connect(THERMOMETER_ADDRESS).await.expect("the adapter goes on");
}

#[tokio::test(start_paused = true)]
async fn something_else_at_the_handle_ends_the_stream_and_is_not_subscribed_to() {
    type Change = fn(Table) -> Table;
    let notifies_too: Change = |table| table.characteristic(uuid16(0xFF77), NOTIFY, []);
    let moved: Change = |table| {
        table.characteristic(uuid16(0x2A19), READ, [1]).characteristic(HEART_RATE_MEASUREMENT, NOTIFY, [])
    };
    for change in [notifies_too, moved] {
        let (port, adapter, devices) = room().await;
        let (peer, rate, mut rates) = rates(&adapter).await;
        let strap = devices[0];
        fall_silent(&port, &peer, 0).await;
        let value = rate.value_handle;
        port.act(move |radio| {
            let other = |device: &mut baretooth::sim::Device| {
                // As many attributes before it as there were.
                let mut table = Table::default();
                while table.next_handle() < value - 2 {
                    table = table.descriptor(uuid16(0xFF00), [], false);
                }
                device.server = change(table.service(uuid16(0x180D))).build();
            };
            radio.with_device(strap, other).expect("there");
        })
        .await;
        while rates.next().await.is_some() {}
        let error = rates.end().expect("ended");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(!notifies(&port, strap, value).await);
        drop(rates);
        tokio::time::sleep(secs(3)).await;
        assert!(!is_connected(&port, strap).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_next_that_is_dropped_in_the_middle_loses_nothing_and_goes_on() {
    let (port, adapter, _) = room().await;
    let (peer, _, mut rates) = rates(&adapter).await;
    fall_silent(&port, &peer, u32::MAX).await;
    let mut dropped = 0;
    while rates.resumed() == 0 {
        match tokio::time::timeout(ms(7), rates.next()).await {
            Ok(value) => drop(value.expect("it goes on")),
            Err(_) => dropped += 1,
        }
        assert!(dropped < 10_000, "it makes no step");
    }
    assert!(dropped > 10);
    rates.next().await.expect("a heart beats");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_in_the_middle_leaves_no_link_and_no_subscription() {
    // Being reset, waiting for the peer, on the new link.
    for after in [100, 4000, 5000, 5010, 5050, 5100, 5200, 6000] {
        let (port, adapter, devices) = room().await;
        let (peer, rate, mut rates) = rates(&adapter).await;
        fall_silent(&port, &peer, 0).await;
        let read = async { while rates.next().await.is_some() {} };
        drop_after(ms(after), read).await;
        drop(rates);
        tokio::time::sleep(secs(10)).await;
        assert!(adapter.connections().is_empty(), "dropped after {after} ms");
        assert!(!is_connected(&port, devices[0]).await, "dropped after {after} ms");
        let again = adapter.connect(HEART_RATE_ADDRESS).await.expect("it can be connected to");
        again.subscribe(&rate).await.expect("and subscribed to").next().await.expect("a heart beats");
    }
}

/// The link of a peer is made once, by whoever comes first, and ends with the last.
#[tokio::test(start_paused = true)]
async fn streams_of_one_peer_share_the_new_link() {
    let (port, adapter, devices) = room().await;
    let (peer, number) = find(&adapter, TALKER_ADDRESS, NUMBER).await;
    let count = peer.discover().await.expect("answers").find(COUNT).expect("there");
    let mut one = peer.subscribe_with(&number, resuming()).await.expect("notifies");
    let mut two = peer.subscribe_with(&number, resuming()).await.expect("notifies");
    let options = resuming().capacity(1);
    let mut late = peer.subscribe_with(&number, options).await.expect("notifies");
    fall_silent(&port, &peer, 0).await;
    // The first that is asked may stop waiting: the second does not hang on it.
    assert!(tokio::time::timeout(ms(10), one.next()).await.is_err());
    assert!(tokio::time::timeout(secs(30), two.next()).await.is_err(), "nothing is sent yet");
    assert!(tokio::time::timeout(secs(1), one.next()).await.is_err());
    assert_eq!((one.resumed(), two.resumed(), late.resumed()), (1, 1, 0));
    assert_eq!(adapter.connections(), [TALKER_ADDRESS]);
    // One that comes later finds it.
    assert!(tokio::time::timeout(secs(1), late.next()).await.is_err());
    assert_eq!((late.resumed(), adapter.connections().len()), (1, 1));
    two.peer().write(&count, 1u32.to_le_bytes().to_vec()).await.expect("taken");
    for stream in [&mut one, &mut two, &mut late] {
        assert_eq!(stream.next().await.expect("brought").value[..], 0u32.to_le_bytes());
    }
    drop((one, late));
    tokio::time::sleep(secs(1)).await;
    assert!(is_connected(&port, devices[2]).await && notifies(&port, devices[2], number.value_handle).await);
    drop(two);
    tokio::time::sleep(secs(3)).await;
    assert!(!is_connected(&port, devices[2]).await);
}

#[tokio::test(start_paused = true)]
async fn a_second_failure_in_the_middle_is_another_try() {
    let (port, adapter, _) = room().await;
    let (peer, _, mut rates) = rates(&adapter).await;
    fall_silent(&port, &peer, 0).await;
    let again = async {
        tokio::time::sleep(secs(3)).await;
        // The peer waits for its supervision time-out; the attempt to connect is under way.
        port.hardware_error(1).await;
    };
    let goes_on = async {
        while rates.resumed() == 0 {
            rates.next().await.expect("it goes on");
        }
    };
    tokio::join!(goes_on, again);
    assert_eq!(adapter.connections(), [HEART_RATE_ADDRESS]);
}

#[tokio::test(start_paused = true)]
async fn the_new_link_is_made_as_the_old_one_was_and_indications_stay_indications() {
    let (port, adapter, _) = room().await;
    let options = ConnectOptions::new().mtu(64);
    let peer = adapter.connect_with(THERMOMETER_ADDRESS, options).await.expect("advertises");
    let found = peer.discover().await.expect("answers").find(TEMPERATURE_MEASUREMENT).expect("there");
    let mut stream = peer.subscribe_with(&found, resuming()).await.expect("indicates");
    fall_silent(&port, &peer, 0).await;
    while stream.resumed() == 0 {
        stream.next().await.expect("it goes on");
    }
    assert!(stream.next().await.expect("it measures").indication);
    assert_eq!((stream.peer().mtu(), stream.is_indication()), (64, true));
}

#[test]
fn streams_can_be_sent_and_shared() {
    fn is<T: Send + Sync>() {}
    is::<(Notifications, baretooth::Recoveries)>();
    let _ = ControllerOptions::default();
}
