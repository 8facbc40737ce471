//! Subscriptions: nothing lost that is read, everything counted that is not.

use super::line::{COUNT, NUMBER, Room, TALKER_ADDRESS, is_acl, ms, secs, talker};
use baretooth::capture::Direction;
use baretooth::gatt::Characteristic;
use baretooth::sim::ControllerOptions;
use baretooth::sim::demo::{
    HEART_RATE_ADDRESS, HEART_RATE_MEASUREMENT, TEMPERATURE, TEMPERATURE_MEASUREMENT, THERMOMETER_ADDRESS,
    heart_rate_measurement, temperature_measurement,
};
use baretooth::{ErrorKind, Notifications, Peer, SubscribeOptions, uuid16};

/// A room with the talker, connected.
async fn talking() -> (Room, Peer, Characteristic, Characteristic) {
    let room = Room::with(ControllerOptions::default(), vec![talker()]).await;
    let (peer, services) = room.connect(TALKER_ADDRESS).await;
    let (count, number) = (services.find(COUNT).unwrap(), services.find(NUMBER).unwrap());
    (room, peer, count, number)
}

async fn number(stream: &mut Notifications) -> (u32, u64) {
    let got = stream.next().await.expect("the link is up");
    (u32::from_le_bytes(got.value[..].try_into().expect("4 octets")), got.missed)
}

fn confirmations(room: &Room) -> usize {
    room.line.att(Direction::Sent).iter().filter(|pdu| pdu[..] == [0x1E]).count()
}

fn indicate() -> SubscribeOptions {
    SubscribeOptions::new().indicate(true)
}

#[tokio::test(start_paused = true)]
async fn the_form_follows_the_properties_and_can_be_forced() {
    let room = Room::demo().await;
    let (strap, services) = room.connect(HEART_RATE_ADDRESS).await;
    let rate = services.find(HEART_RATE_MEASUREMENT).unwrap();
    let mut rates = strap.subscribe(&rate).await.expect("notifies");
    assert!(!rates.is_indication());
    assert_eq!((rates.handle(), rates.peer().address()), (rate.value_handle, HEART_RATE_ADDRESS));
    for n in 0..3 {
        let got = rates.next().await.expect("a heart beats");
        assert_eq!((&got.value[..], got.indication, got.missed), (&heart_rate_measurement(n)[..], false, 0));
    }
    let (thermometer, services) = room.connect(THERMOMETER_ADDRESS).await;
    let mut temperatures =
        thermometer.subscribe(&services.find(TEMPERATURE_MEASUREMENT).unwrap()).await.unwrap();
    assert!(temperatures.is_indication());
    for n in 0..3 {
        let got = temperatures.next().await.expect("it measures");
        assert_eq!((&got.value[..], got.indication), (&temperature_measurement(n)[..], true));
    }
    let silent = services.find(uuid16(0x2A1D)).unwrap();
    assert_eq!(thermometer.subscribe(&silent).await.expect_err("it offers neither").kind(), ErrorKind::Gatt);

    let (_room, peer, count, both) = talking().await;
    for form in [true, false] {
        let mut stream =
            peer.subscribe_with(&both, SubscribeOptions::new().indicate(form)).await.expect("either");
        assert_eq!(stream.is_indication(), form);
        peer.write(&count, 1u32.to_le_bytes().to_vec()).await.expect("taken");
        assert_eq!(stream.next().await.expect("one").indication, form);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_uuid_twice_is_two_subscriptions() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(THERMOMETER_ADDRESS).await;
    let both: Vec<_> = services.characteristics().filter(|c| c.uuid == TEMPERATURE).cloned().collect();
    let mut inside = peer.subscribe(&both[0]).await.expect("notifies");
    let mut outside = peer.subscribe(&both[1]).await.expect("notifies");
    let notify = |handle: u16, value| [&[0x1B][..], &handle.to_le_bytes(), &[value]].concat();
    room.line.inject_att(room.line.handle(), &notify(both[1].value_handle, 2));
    room.line.inject_att(room.line.handle(), &notify(both[0].value_handle, 1));
    assert_eq!(outside.next().await.expect("its own").value[..], [2]);
    assert_eq!(inside.next().await.expect("its own").value[..], [1]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_reads_loses_nothing_of_a_flood() {
    let (_room, peer, count, numbers) = talking().await;
    // Less room than one turn of the driver brings: it has to wait for the reader.
    let options = SubscribeOptions::new().indicate(false).capacity(4);
    let mut stream = peer.subscribe_with(&numbers, options).await.expect("notifies");
    peer.write_without_response(&count, 100_000u32.to_le_bytes().to_vec()).await.expect("taken");
    for n in 0..100_000 {
        assert_eq!(number(&mut stream).await, (n, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_does_not_read_misses_what_it_is_told() {
    let (_room, peer, count, numbers) = talking().await;
    let options = SubscribeOptions::new().indicate(false).capacity(10);
    let mut stream = peer.subscribe_with(&numbers, options).await.expect("notifies");
    peer.write_without_response(&count, 1000u32.to_le_bytes().to_vec()).await.expect("taken");
    tokio::time::sleep(secs(10)).await;
    for n in 0..10 {
        assert_eq!(number(&mut stream).await, (n, 0));
    }
    assert!(tokio::time::timeout(secs(10), stream.next()).await.is_err(), "the queue holds ten");
    peer.write(&count, 2u32.to_le_bytes().to_vec()).await.expect("taken");
    assert_eq!(number(&mut stream).await, (0, 990), "the first value after the gap says how wide it was");
    assert_eq!(number(&mut stream).await, (1, 0));
    peer.write(&count, 100u32.to_le_bytes().to_vec()).await.expect("taken");
    tokio::time::sleep(secs(10)).await;
    peer.disconnect().await.expect("ends");
    for n in 0..10 {
        assert_eq!(number(&mut stream).await, (n, 0));
    }
    assert_eq!((stream.next().await, stream.missed()), (None, 990 + 90), "those at the end count too");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_next_loses_no_value() {
    let (_room, peer, count, numbers) = talking().await;
    let mut stream =
        peer.subscribe_with(&numbers, SubscribeOptions::new().indicate(false)).await.expect("notifies");
    peer.write_without_response(&count, 2000u32.to_le_bytes().to_vec()).await.expect("taken");
    let mut next = 0;
    while next < 2000 {
        if let Ok(got) = tokio::time::timeout(ms(3), number(&mut stream)).await {
            assert_eq!(got, (next, 0));
            next += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn indications_are_confirmed_once_each_when_they_are_queued() {
    let (room, peer, count, numbers) = talking().await;
    let mut stream = peer.subscribe_with(&numbers, indicate().capacity(3)).await.expect("indicates");
    peer.write(&count, 5u32.to_le_bytes().to_vec()).await.expect("taken");
    tokio::time::sleep(secs(5)).await;
    assert_eq!(confirmations(&room), 3, "the fourth is held: it has no room");
    assert_eq!(number(&mut stream).await, (0, 0));
    tokio::time::sleep(secs(1)).await;
    assert_eq!(confirmations(&room), 4, "room made");
    for n in 1..5 {
        assert_eq!(number(&mut stream).await, (n, 0));
    }
    tokio::time::sleep(secs(20)).await;
    assert_eq!(confirmations(&room), 5, "once each");
}

#[tokio::test(start_paused = true)]
async fn a_held_indication_is_confirmed_after_ten_seconds_and_still_read_in_order() {
    let (room, peer, count, numbers) = talking().await;
    let mut stream = peer.subscribe_with(&numbers, indicate().capacity(1)).await.expect("indicates");
    peer.write(&count, 3u32.to_le_bytes().to_vec()).await.expect("taken");
    tokio::time::sleep(secs(9)).await;
    assert_eq!(confirmations(&room), 1);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(confirmations(&room), 3, "the peer is not kept until it gives up; the third was dropped");
    assert_eq!(number(&mut stream).await, (0, 0));
    assert_eq!(number(&mut stream).await, (1, 0));
    peer.write(&count, 1u32.to_le_bytes().to_vec()).await.expect("taken");
    assert_eq!(number(&mut stream).await, (0, 1), "and counted");
    tokio::time::sleep(secs(20)).await;
    assert_eq!(confirmations(&room), 4, "once each");
}

#[tokio::test(start_paused = true)]
async fn a_held_indication_is_confirmed_when_its_reader_goes() {
    let (room, peer, count, numbers) = talking().await;
    let stream = peer.subscribe_with(&numbers, indicate().capacity(1)).await.expect("indicates");
    peer.write(&count, 2u32.to_le_bytes().to_vec()).await.expect("taken");
    tokio::time::sleep(secs(1)).await;
    assert_eq!(confirmations(&room), 1);
    drop(stream);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(confirmations(&room), 2);
}

#[tokio::test(start_paused = true)]
async fn with_confirm_on_next_an_indication_is_confirmed_when_its_reader_comes_back() {
    let (room, peer, count, numbers) = talking().await;
    let mut stream =
        peer.subscribe_with(&numbers, indicate().confirm_on_next(true)).await.expect("indicates");
    peer.write(&count, 3u32.to_le_bytes().to_vec()).await.expect("taken");
    for n in 0..2 {
        assert_eq!(number(&mut stream).await, (n, 0));
        tokio::time::sleep(secs(9)).await;
        assert_eq!(confirmations(&room), n as usize, "its reader is busy with it");
    }
    // Polled once is enough.
    assert!(tokio::time::timeout(ms(0), stream.next()).await.is_err());
    tokio::time::sleep(secs(1)).await;
    assert_eq!(confirmations(&room), 2);
    assert_eq!(number(&mut stream).await, (2, 0));
    drop(stream);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(confirmations(&room), 3, "nobody will come back");
}

#[tokio::test(start_paused = true)]
async fn with_confirm_on_next_a_late_reader_confirms_no_indication_that_it_has_not_read() {
    let (room, peer, count, numbers) = talking().await;
    let mut stream =
        peer.subscribe_with(&numbers, indicate().confirm_on_next(true)).await.expect("indicates");
    peer.write(&count, 2u32.to_le_bytes().to_vec()).await.expect("taken");
    assert_eq!(number(&mut stream).await, (0, 0));
    tokio::time::sleep(secs(11)).await;
    assert_eq!(confirmations(&room), 1, "the peer is not kept until it gives up");
    assert_eq!(number(&mut stream).await, (1, 0));
    tokio::time::sleep(secs(1)).await;
    assert_eq!(confirmations(&room), 1, "done with the first, which the peer knows; not with the second");
    assert!(tokio::time::timeout(secs(1), stream.next()).await.is_err());
    assert_eq!(confirmations(&room), 2);
}

#[tokio::test(start_paused = true)]
async fn with_confirm_on_next_notifications_are_not_waited_for() {
    let (room, peer, count, numbers) = talking().await;
    let options = SubscribeOptions::new().indicate(false).confirm_on_next(true);
    let mut stream = peer.subscribe_with(&numbers, options).await.expect("notifies");
    peer.write(&count, 200u32.to_le_bytes().to_vec()).await.expect("taken");
    for n in 0..200 {
        assert_eq!(number(&mut stream).await, (n, 0));
    }
    assert_eq!(confirmations(&room), 0);
}

#[tokio::test(start_paused = true)]
async fn several_streams_of_one_characteristic_each_get_every_value() {
    let (room, peer, count, numbers) = talking().await;
    let cccd = numbers.cccd().expect("it notifies");
    let options = SubscribeOptions::new().indicate(false);
    let mut one = peer.subscribe_with(&numbers, options).await.expect("notifies");
    let mut two = peer.subscribe_with(&numbers, options).await.expect("notifies");
    let three = peer.subscribe_with(&numbers, options).await.expect("notifies");
    peer.write(&count, 5u32.to_le_bytes().to_vec()).await.expect("taken");
    for n in 0..5 {
        assert_eq!((number(&mut one).await, number(&mut two).await), ((n, 0), (n, 0)));
    }
    drop(three);
    two.unsubscribe().await.expect("leaves");
    tokio::time::sleep(secs(1)).await;
    assert_eq!(room.value(0, cccd).await, [1, 0], "one stream is left");
    peer.write(&count, 1u32.to_le_bytes().to_vec()).await.expect("taken");
    assert_eq!(number(&mut one).await, (0, 0), "and goes on");
    one.unsubscribe().await.expect("the peer takes it");
    assert_eq!(room.value(0, cccd).await, [0, 0], "the last one ends it at the peer");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_stream_ends_the_subscription_at_the_peer() {
    let (room, peer, _, numbers) = talking().await;
    let cccd = numbers.cccd().expect("it notifies");
    let stream = peer.subscribe(&numbers).await.expect("notifies");
    assert_eq!(room.value(0, cccd).await, [1, 0]);
    drop(stream);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(room.value(0, cccd).await, [0, 0]);
    assert!(peer.is_connected());
    peer.subscribe(&numbers).await.expect("again");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_subscribe_or_unsubscribe_leaves_no_subscription() {
    for after in [0, 10, 30, 50, 70, 100] {
        let (room, peer, _, numbers) = talking().await;
        let cccd = numbers.cccd().expect("it notifies");
        drop(tokio::time::timeout(ms(after), peer.subscribe(&numbers)).await);
        tokio::time::sleep(secs(1)).await;
        assert_eq!(room.value(0, cccd).await, [0, 0], "subscribe dropped after {after} ms");

        let stream = peer.subscribe(&numbers).await.expect("notifies");
        // Behind another request, so that it waits for its turn.
        let read = peer.discover();
        let unsubscribe = tokio::time::timeout(ms(after), stream.unsubscribe());
        let (services, _) = tokio::join!(read, unsubscribe);
        services.expect("answers");
        tokio::time::sleep(secs(1)).await;
        assert_eq!(room.value(0, cccd).await, [0, 0], "unsubscribe dropped after {after} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_comes_before_the_answer_to_the_subscription_is_not_lost() {
    let (room, peer, _, numbers) = talking().await;
    room.line.hold(is_acl);
    let early = async {
        tokio::time::sleep(secs(1)).await;
        let pdu = [&[0x1B][..], &numbers.value_handle.to_le_bytes(), b"early"].concat();
        room.line.inject_att(room.line.handle(), &pdu);
        tokio::time::sleep(secs(1)).await;
        room.line.release();
    };
    let (stream, ()) = tokio::join!(peer.subscribe(&numbers), early);
    assert_eq!(stream.expect("notifies").next().await.expect("queued").value[..], *b"early");
}

#[tokio::test(start_paused = true)]
async fn values_queued_when_the_link_ends_are_read_before_the_end() {
    let (_room, peer, count, numbers) = talking().await;
    let mut stream = peer.subscribe(&numbers).await.expect("notifies");
    peer.write(&count, 5u32.to_le_bytes().to_vec()).await.expect("taken");
    tokio::time::sleep(secs(1)).await;
    peer.disconnect().await.expect("ends");
    for n in 0..5 {
        assert_eq!(number(&mut stream).await, (n, 0));
    }
    assert_eq!(stream.next().await, None);
    assert_eq!(stream.unsubscribe().await.expect_err("down").kind(), ErrorKind::Disconnected);
    assert_eq!(peer.subscribe(&numbers).await.expect_err("down").kind(), ErrorKind::Disconnected);
}
