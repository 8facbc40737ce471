//! Reading and writing, and who gets which answer.

use super::line::{Room, att_of, demo_devices, drop_after, is_acl, is_credit, ms, secs, timed};
use baretooth::capture::Direction;
use baretooth::gatt::CLIENT_CHARACTERISTIC_CONFIGURATION;
use baretooth::sim::demo::{
    CALIBRATION, ECHO_ADDRESS, HEART_RATE_ADDRESS, HEART_RATE_MEASUREMENT, LOG, TEMPERATURE,
    THERMOMETER_ADDRESS, UART_RX,
};
use baretooth::sim::{ControllerOptions, demo};
use baretooth::{Error, ErrorKind, uuid16};

const ENVIRONMENT: baretooth::Uuid = uuid16(0x181A);
const USER_DESCRIPTION: baretooth::Uuid = uuid16(0x2901);

#[tokio::test(start_paused = true)]
async fn the_table_is_the_peers_and_lookups_say_what_there_is() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(THERMOMETER_ADDRESS).await;
    let uuids: Vec<_> = services.iter().map(|service| service.uuid.to_string()).collect();
    assert_eq!(uuids.len(), 5, "{uuids:?}");
    let missing = services.characteristic(ENVIRONMENT, LOG).expect_err("in another service");
    assert_eq!(Error::from(missing).kind(), ErrorKind::NotFound);
    let twice = services.find(TEMPERATURE).expect_err("there are two");
    let Error::NotFound { handles, .. } = Error::from(twice) else { panic!("another error") };
    assert_eq!(handles.len(), 2);
    let only = peer.discover_only([ENVIRONMENT, uuid16(0x180D)]).await.expect("answers");
    assert_eq!(only.iter().map(|service| service.uuid).collect::<Vec<_>>(), [ENVIRONMENT]);
}

#[tokio::test(start_paused = true)]
async fn the_same_uuid_twice_is_two_values_by_their_handles() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(THERMOMETER_ADDRESS).await;
    let temperatures: Vec<_> = services.characteristics().filter(|c| c.uuid == TEMPERATURE).collect();
    let mut values = Vec::new();
    for characteristic in temperatures {
        let description = characteristic.descriptor(USER_DESCRIPTION).expect("described");
        values.push((
            peer.read(&description).await.expect("text"),
            peer.read(characteristic).await.expect("value"),
        ));
    }
    let [(inside, warm), (outside, cold)] = &values[..] else { panic!("{values:?}") };
    assert_eq!((&inside[..], &outside[..]), (&b"inside"[..], &b"outside"[..]));
    assert_eq!((&warm[..], &cold[..]), (&2150i16.to_le_bytes()[..], &(-275i16).to_le_bytes()[..]));
    let by_uuid = peer.read_by_uuid(TEMPERATURE).await.expect("both");
    assert_eq!(by_uuid.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn values_are_read_and_written_by_characteristic_descriptor_and_handle() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(THERMOMETER_ADDRESS).await;
    let log = services.find(LOG).expect("one");
    let value: Vec<u8> = (0..512u16).map(|n| n.to_le_bytes()[0] ^ 0x5A).collect();
    peer.write(&log, value.clone()).await.expect("written");
    assert_eq!(room.value(1, log.value_handle).await, value, "at the peer");
    assert_eq!(peer.read(&log).await.expect("read")[..], value);
    assert_eq!(peer.read(log.value_handle).await.expect("by handle")[..], value);
    assert_eq!(peer.read_part(&log, 510).await.expect("the end")[..], value[510..]);
    let description = log.descriptor(USER_DESCRIPTION).expect("described");
    peer.write(&description, &b"diary"[..]).await.expect("can be written");
    assert_eq!(peer.read(description.handle).await.expect("by handle")[..], *b"diary");
}

#[tokio::test(start_paused = true)]
async fn refusals_carry_the_peers_code_and_the_handle() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(THERMOMETER_ADDRESS).await;
    let calibration = services.find(CALIBRATION).expect("one");
    let error = peer.write(&calibration, vec![1]).await.expect_err("it refuses");
    assert_eq!((error.code(), error.handle()), (Some(0x80), Some(calibration.value_handle)));
    assert_eq!(peer.read(0x7FFF).await.expect_err("no such handle").code(), Some(0x01));
    assert_eq!(peer.write(&calibration, vec![0; 513]).await.expect_err("too long").kind(), ErrorKind::Gatt);
    peer.read(3).await.expect("the link goes on");
}

#[tokio::test(start_paused = true)]
async fn the_configuration_is_written_by_its_bare_handle_only() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(HEART_RATE_ADDRESS).await;
    let rate = services.find(HEART_RATE_MEASUREMENT).expect("one");
    let cccd = rate.descriptor(CLIENT_CHARACTERISTIC_CONFIGURATION).expect("it notifies");
    let error = peer.write(&cccd, vec![1, 0]).await.expect_err("subscribe writes it");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("subscribe"), "{error}");
    assert_eq!(room.value(0, cccd.handle).await, [0, 0], "nothing was written");
    peer.write(cccd.handle, vec![1, 0]).await.expect("whoever says the handle means it");
    assert_eq!(room.value(0, cccd.handle).await, [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn writes_without_response_wait_for_the_controller() {
    let small = ControllerOptions { acl_buffers: 1, ..ControllerOptions::default() };
    let room = Room::with(small, demo_devices()).await;
    let (peer, services) = room.connect(ECHO_ADDRESS).await;
    let rx = services.find(UART_RX).expect("one");
    let mut echoes = peer.subscribe(&services.find(demo::UART_TX).expect("one")).await.expect("notifies");
    let too_long = vec![0; peer.max_write_without_response() + 1];
    assert_eq!(
        peer.write_without_response(&rx, too_long).await.expect_err("too long").kind(),
        ErrorKind::Invalid
    );
    room.line.hold(is_credit);
    room.line.take_log();
    let mut taken = 0u32;
    while tokio::time::timeout(ms(500), peer.write_without_response(&rx, taken.to_le_bytes().to_vec()))
        .await
        .is_ok()
    {
        taken += 1;
    }
    assert!((1..=65).contains(&taken), "{taken} were taken");
    let sent = |room: &Room| room.line.att(Direction::Sent).len();
    assert_eq!(sent(&room), 1, "the controller has one buffer");
    room.line.release();
    // The dropped one was not written, and those before it were, in order.
    peer.write_without_response(&rx, &b"last"[..]).await.expect("there is room again");
    for n in 0..taken {
        assert_eq!(echoes.next().await.expect("echoed").value[..], n.to_le_bytes());
    }
    assert_eq!(echoes.next().await.expect("echoed").value[..], *b"last");
}

#[tokio::test(start_paused = true)]
async fn five_thousand_writes_without_response_arrive_in_order() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(ECHO_ADDRESS).await;
    let rx = services.find(UART_RX).expect("one");
    let mut echoes = peer.subscribe(&services.find(demo::UART_TX).expect("one")).await.expect("notifies");
    let write = async {
        for n in 0..5000u32 {
            peer.write_without_response(&rx, n.to_le_bytes().to_vec()).await.expect("taken");
        }
    };
    let read = async {
        for n in 0..5000u32 {
            assert_eq!(echoes.next().await.expect("echoed").value[..], n.to_le_bytes());
        }
    };
    tokio::join!(write, read);
}

/// The classic hazard of async clients: the answer to a request whose future was dropped becomes that of the next.
#[tokio::test(start_paused = true)]
async fn a_late_answer_is_not_taken_for_the_next_requests() {
    let room = Room::demo().await;
    let (peer, services) = room.connect(THERMOMETER_ADDRESS).await;
    let kind = services.find(uuid16(0x2A1D)).expect("one");
    room.line.take_log();
    room.line.hold(is_acl);
    drop_after(secs(1), peer.read(3)).await;
    let release = async {
        tokio::time::sleep(secs(1)).await;
        assert_eq!(room.line.att(Direction::Sent).len(), 1, "one request at a time, dropped or not");
        room.line.release();
    };
    let (read, ()) = tokio::join!(peer.read(&kind), release);
    // The control: a client that takes the first answer after its question gets this one.
    let first = room.line.att(Direction::Received).into_iter().find(|pdu| pdu[0] == 0x0B).expect("an answer");
    assert_eq!(first[1..], *b"Thermometer", "the hazard was there");
    assert_eq!(read.expect("its own")[..], [2]);
}

#[tokio::test(start_paused = true)]
async fn values_longer_than_a_pdu_are_read_and_written_in_parts() {
    let room = Room::demo().await;
    let (peer, log) = room.long_value().await;
    assert_eq!((peer.mtu(), peer.max_write_without_response()), (23, 20));
    let value: Vec<u8> = (0..512u16).map(|n| n.to_le_bytes()[0] ^ 0xA5).collect();
    peer.write(&log, value.clone()).await.expect("written");
    assert_eq!(room.value(1, log.value_handle).await, value, "at the peer");
    assert_eq!(peer.read(&log).await.expect("read")[..], value);
    let prepared = room.line.att(Direction::Sent).iter().filter(|pdu| pdu[0] == 0x16).count();
    assert_eq!(prepared, 512usize.div_ceil(18));
}

#[tokio::test(start_paused = true)]
async fn a_request_dropped_in_the_queue_is_never_sent_and_one_begun_finishes() {
    let room = Room::demo().await;
    let (peer, log) = room.long_value().await;
    let description = log.descriptor(USER_DESCRIPTION).expect("described");
    room.line.hold(is_acl);
    let both =
        async { tokio::join!(peer.write(&log, vec![7; 512]), peer.write(&description, &b"never"[..])) };
    drop_after(secs(1), both).await;
    assert!(room.value(1, log.value_handle).await != vec![7; 512], "dropped in the middle of it");
    room.line.release();
    tokio::time::sleep(secs(5)).await;
    assert!(room.value(1, log.value_handle).await == vec![7; 512], "what was begun finishes");
    assert_eq!(room.value(1, description.handle).await, b"log", "what was not is not");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_loses_the_link_after_thirty_seconds() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(HEART_RATE_ADDRESS).await;
    room.line.hold(|packet| att_of(packet).is_some());
    let ((read, behind), took) = timed(async { tokio::join!(peer.read(3), peer.read(5)) }).await;
    assert!((secs(30)..secs(30) + ms(100)).contains(&took), "{took:?}");
    for error in [read.expect_err("no answer"), behind.expect_err("no answer")] {
        assert!(matches!(error, Error::Timeout { after, .. } if after == secs(30)), "{error:?}");
    }
    let (_, took) = timed(peer.disconnected()).await;
    assert!(took < secs(1), "{took:?}");
    assert!(!room.is_connected(0).await);
    assert_eq!(peer.read(3).await.expect_err("down").kind(), ErrorKind::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn several_values_in_one_request() {
    let room = Room::demo().await;
    let (peer, _) = room.connect(THERMOMETER_ADDRESS).await;
    let joined = peer.read_multiple(&[3, 5]).await.expect("name and appearance");
    assert_eq!(joined[..], *b"Thermometer\x00\x03");
    let apart = peer.read_multiple_variable(&[3, 5]).await.expect("name and appearance");
    assert_eq!(apart.iter().map(|value| value.value.len()).collect::<Vec<_>>(), [11, 2]);
    assert_eq!(peer.read_multiple(&[3]).await.expect_err("one is not several").kind(), ErrorKind::Gatt);
}
