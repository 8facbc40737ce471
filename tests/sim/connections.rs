//! Links: making them, data and credits, procedures, and every way they end.

use crate::room::*;
use baretooth::Address;
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;

#[test]
fn data_go_both_ways_whole_and_in_order_and_give_their_credits_back() {
    let mut room = Room::new(RadioOptions::default());
    let (central, handle, peripheral, other) = room.pair();
    let payload: Vec<u8> = (0..100).collect();
    for n in 0..3u8 {
        room.send_frame(central, handle, 4, &[&[n], &payload[..]].concat());
        room.run(ms(50));
    }
    let frames = room.frames(peripheral);
    let heads: Vec<_> = frames.iter().map(|(channel, frame)| (*channel, frame[0])).collect();
    assert_eq!(heads, [(4, 0), (4, 1), (4, 2)]);
    assert!(frames.iter().all(|(_, frame)| frame[1..] == payload));
    room.send_frame(peripheral, other, 6, b"back");
    room.run(ms(50));
    assert_eq!(room.frames(central), [(6, b"back".to_vec())]);
    // 105 octets are four packets of 27.
    assert_eq!(completed(&room, central), 12);
    assert_eq!(completed(&room, peripheral), 1);
}

fn completed(room: &Room, id: ControllerId) -> u16 {
    let sums = room.all(id, |event| match event {
        Event::NumberOfCompletedPackets(e) => {
            Some(e.handles.iter().map(|h| h.num_completed_packets).sum::<u16>())
        }
        _ => None,
    });
    sums.iter().sum()
}

#[test]
fn what_is_lost_on_a_link_comes_later_and_in_order() {
    let mut room = Room::new(RadioOptions { loss: 500, seed: 5, latency: ms(3), ..RadioOptions::default() });
    let (central, handle, peripheral, _) = room.pair();
    for n in 0..100u8 {
        room.send_frame(central, handle, 4, &[n]);
        room.run(ms(20));
    }
    room.run(ms(2000));
    let frames: Vec<u8> = room.frames(peripheral).iter().map(|(_, frame)| frame[0]).collect();
    assert_eq!(frames, (0..100).collect::<Vec<u8>>());
}

#[test]
fn more_data_than_there_are_buffers_is_lost_and_said_to_be() {
    let mut room = Room::new(RadioOptions::default());
    let options = ControllerOptions { acl_buffers: 2, acl_data_length: 27, ..ControllerOptions::default() };
    let central = room.controller(options);
    room.radio.add_device(Device::new(random(1)));
    let handle = room.connect(central, random(1));
    let overflows = |room: &Room| {
        room.all(central, |event| matches!(event, Event::DataBufferOverflow(_)).then_some(())).len()
    };
    for _ in 0..2 {
        room.send(central, acl(handle, false, &[1, 0, 4, 0, 0x1E]));
    }
    assert_eq!(overflows(&room), 0);
    room.send(central, acl(handle, false, &[1, 0, 4, 0, 0x1E]));
    assert_eq!(overflows(&room), 1);
    room.run(ms(50));
    assert_eq!(completed(&room, central), 2);
    room.send(central, acl(handle, false, &[0; 28]));
    assert_eq!(overflows(&room), 2, "28 octets do not fit");
}

#[test]
fn pdus_are_27_octets_until_the_data_length_is_updated() {
    let mut room = Room::new(RadioOptions::default());
    let (central, handle, peripheral, _) = room.pair();
    let longest = |room: &mut Room| room.news(peripheral).iter().map(|packet| packet.payload().len()).max();
    let frame = [&[196, 0, 4, 0][..], &[7; 196]].concat();
    longest(&mut room);
    room.send(central, acl(handle, false, &frame));
    room.run(ms(50));
    assert_eq!(longest(&mut room), Some(27));
    // Only what both sides want: the peripheral still sends 27.
    room.ok(central, &LeSetDataLength { connection_handle: handle, tx_octets: 251, tx_time: 2120 });
    room.run(ms(50));
    let changes = |room: &Room, id| {
        room.le(id, |event| match event {
            LeEvent::LeDataLengthChange(e) => Some((e.max_tx_octets, e.max_tx_time, e.max_rx_octets)),
            _ => None,
        })
    };
    assert_eq!(changes(&room, central), [(251, 2120, 27)]);
    assert_eq!(changes(&room, peripheral), [(27, 328, 251)]);
    room.send(central, acl(handle, false, &frame));
    room.run(ms(50));
    assert_eq!(longest(&mut room), Some(200));
}

#[test]
fn a_default_data_length_makes_the_controller_ask_by_itself() {
    let mut room = Room::new(RadioOptions::default());
    let central = room.controller(ControllerOptions::default());
    let suggested_max_tx_octets = 251;
    room.ok(
        central,
        &LeWriteSuggestedDefaultDataLength { suggested_max_tx_octets, suggested_max_tx_time: 2120 },
    );
    room.radio.add_device(Device::new(random(1)));
    room.connect(central, random(1));
    let changes = room.le(central, |event| match event {
        LeEvent::LeDataLengthChange(e) => Some((e.max_tx_octets, e.max_rx_octets)),
        _ => None,
    });
    assert_eq!(changes, [(251, 251)]);
}

#[test]
fn remote_features_version_phy_channel_map_and_rssi_can_be_read() {
    let mut room = Room::new(RadioOptions::default());
    let (central, connection_handle, _, _) = room.pair();
    room.ok(central, &LeReadRemoteFeaturesPage0 { connection_handle });
    room.ok(central, &ReadRemoteVersionInformation { connection_handle });
    let set = LeSetPhy { connection_handle, all_phys: 0, tx_phys: 2, rx_phys: 2, phy_options: 0 };
    room.ok(central, &set);
    room.run(ms(50));
    let features = room.le(central, |event| match event {
        LeEvent::LeReadRemoteFeaturesPage0Complete(e) => Some(e.le_features.0),
        _ => None,
    });
    assert_eq!(features, [ControllerOptions::default().le_features]);
    let versions = room.all(central, |event| match event {
        Event::ReadRemoteVersionInformationComplete(e) => Some((e.status, e.version)),
        _ => None,
    });
    assert_eq!(versions, [(ErrorCode::Success, 0x0C)]);
    let phys = room.le(central, |event| match event {
        LeEvent::LePhyUpdateComplete(e) => Some((e.tx_phy, e.rx_phy)),
        _ => None,
    });
    assert_eq!(phys, [(Phy::Le2M, Phy::Le2M)]);
    assert_eq!(room.ok(central, &LeReadPhy { connection_handle })[3..], [2, 2]);
    assert_eq!(room.ok(central, &LeReadChannelMap { connection_handle }).len(), 8);
    assert_eq!(room.ok(central, &ReadRssi { connection_handle })[3].cast_signed(), -50);
    room.radio.add_device(Device::new(random(1)).rssi(-71));
    let connection_handle = room.connect(central, random(1));
    assert_eq!(room.ok(central, &ReadRssi { connection_handle })[3].cast_signed(), -71);
}

fn update(connection_handle: ConnectionHandle, interval: u16) -> LeConnectionUpdate {
    LeConnectionUpdate {
        connection_handle,
        connection_interval_min: interval,
        connection_interval_max: interval,
        max_latency: 0,
        supervision_timeout: 200,
        min_ce_length: 0,
        max_ce_length: 0,
    }
}

fn updates(room: &Room, id: ControllerId) -> Vec<(ErrorCode, u16)> {
    room.le(id, |event| match event {
        LeEvent::LeConnectionUpdateComplete(e) => Some((e.status, e.connection_interval)),
        _ => None,
    })
}

#[test]
fn a_connection_update_reaches_both_sides_and_changes_the_rhythm() {
    let mut room = Room::new(RadioOptions::default());
    let (central, handle, peripheral, _) = room.pair();
    room.ok(central, &update(handle, 80));
    room.run(ms(50));
    assert_eq!(updates(&room, central), [(ErrorCode::Success, 80)]);
    assert_eq!(updates(&room, peripheral), [(ErrorCode::Success, 80)]);
    room.frames(peripheral);
    room.send_frame(central, handle, 4, b"late");
    room.run(ms(40));
    assert_eq!(room.frames(peripheral), [], "the interval is 100 ms now");
    room.run(ms(100));
    assert_eq!(room.frames(peripheral).len(), 1);
    // A time-out shorter than two intervals is no time-out.
    let short = LeConnectionUpdate { supervision_timeout: 10, ..update(handle, 80) };
    assert_eq!(room.status(central, &short), ErrorCode::InvalidHciCommandParameters);
}

#[test]
fn the_host_of_the_central_decides_what_the_peripheral_asks_for() {
    let mut room = Room::new(RadioOptions::default());
    let (central, handle, peripheral, other) = room.pair();
    let asked = |room: &Room| {
        room.le(central, |event| match event {
            LeEvent::LeRemoteConnectionParameterRequest(e) => Some((e.connection_handle, e.interval_max)),
            _ => None,
        })
    };
    room.ok(peripheral, &update(other, 40));
    room.run(ms(50));
    assert_eq!(asked(&room), [(handle, 40)]);
    assert_eq!(updates(&room, peripheral), []);
    room.ok(
        central,
        &LeRemoteConnectionParameterRequestNegativeReply {
            connection_handle: handle,
            reason: ErrorCode::UnacceptableConnectionParameters,
        },
    );
    room.run(ms(50));
    assert_eq!(updates(&room, peripheral), [(ErrorCode::UnacceptableConnectionParameters, 6)]);
    room.ok(peripheral, &update(other, 40));
    room.run(ms(50));
    let reply = LeRemoteConnectionParameterRequestReply {
        connection_handle: handle,
        interval_min: 40,
        interval_max: 40,
        max_latency: 0,
        timeout: 200,
        min_ce_length: 0,
        max_ce_length: 0,
    };
    room.ok(central, &reply);
    assert_eq!(room.status(central, &reply), ErrorCode::CommandDisallowed, "asked once");
    room.run(ms(50));
    assert_eq!(updates(&room, central), [(ErrorCode::Success, 40)]);
}

#[test]
fn a_disconnect_has_its_reason_at_the_other_side_and_local_host_at_ours() {
    let mut room = Room::new(RadioOptions::default());
    let (central, handle, peripheral, other) = room.pair();
    let disconnect =
        Disconnect { connection_handle: handle, reason: ErrorCode::RemoteUserTerminatedConnection };
    let wrong = Disconnect { reason: ErrorCode::Success, ..disconnect };
    assert_eq!(room.status(central, &wrong), ErrorCode::InvalidHciCommandParameters);
    room.ok(central, &disconnect);
    room.run(ms(50));
    assert_eq!(room.disconnections(central), [(handle, ErrorCode::ConnectionTerminatedByLocalHost)]);
    assert_eq!(room.disconnections(peripheral), [(other, ErrorCode::RemoteUserTerminatedConnection)]);
    assert_eq!(room.status(central, &disconnect), ErrorCode::UnknownConnectionIdentifier);
}

#[test]
fn a_device_that_disconnects_gives_its_reason_and_advertises_again() {
    let mut room = Room::new(RadioOptions::default());
    let central = room.controller(ControllerOptions::default());
    let device = room.radio.add_device(Device::new(random(1)));
    let handle = room.connect(central, random(1));
    room.radio.disconnect_device(device, ErrorCode::RemoteDeviceTerminatedConnectionDueToPowerOff);
    room.run(ms(50));
    let reason = ErrorCode::RemoteDeviceTerminatedConnectionDueToPowerOff;
    assert_eq!(room.disconnections(central), [(handle, reason)]);
    let again = room.connect(central, random(1));
    assert_ne!(again, handle);
}

#[test]
fn a_link_on_which_nobody_is_heard_ends_after_its_supervision_timeout() {
    let mut room = Room::new(RadioOptions::default());
    let (central, handle, peripheral, other) = room.pair();
    room.radio.drop_link(central, handle);
    room.run(ms(950));
    assert_eq!(room.disconnections(central), []);
    room.run(ms(60));
    assert_eq!(room.disconnections(central), [(handle, ErrorCode::ConnectionTimeout)]);
    assert_eq!(room.disconnections(peripheral), [(other, ErrorCode::ConnectionTimeout)]);
}

#[test]
fn a_link_that_speaks_into_nothing_but_noise_ends_after_its_supervision_timeout() {
    let mut room = Room::new(RadioOptions::default());
    let (central, handle, peripheral, other) = room.pair();
    room.radio.set_loss(1000);
    room.send_frame(central, handle, 4, b"lost");
    room.run(ms(990));
    assert_eq!(room.disconnections(central), []);
    room.run(ms(30));
    assert_eq!(room.disconnections(central), [(handle, ErrorCode::ConnectionTimeout)]);
    assert_eq!(room.disconnections(peripheral), [(other, ErrorCode::ConnectionTimeout)]);
    assert_eq!(room.frames(peripheral), []);
}

#[test]
fn a_device_taken_away_and_a_controller_reset_are_missed_after_the_supervision_timeout() {
    let mut room = Room::new(RadioOptions::default());
    let central = room.controller(ControllerOptions::default());
    let device = room.radio.add_device(Device::new(random(1)));
    let handle = room.connect(central, random(1));
    assert!(room.radio.remove_device(device).is_some());
    room.run(ms(1100));
    assert_eq!(room.disconnections(central), [(handle, ErrorCode::ConnectionTimeout)]);

    let mut room = Room::new(RadioOptions::default());
    let (central, handle, peripheral, _) = room.pair();
    room.ok(peripheral, &Reset {});
    room.run(ms(1100));
    assert_eq!(room.disconnections(peripheral), []);
    assert_eq!(room.disconnections(central), [(handle, ErrorCode::ConnectionTimeout)]);
}

#[test]
fn connections_fail_with_3e_in_both_ways_and_then_succeed() {
    for how in [ConnectFailure::InConnectionComplete, ConnectFailure::AfterConnectionComplete] {
        let mut room = Room::new(RadioOptions::default());
        let central = room.controller(ControllerOptions::default());
        room.radio.add_device(Device::new(random(1)).fails_to_connect(1, how));
        room.ok(central, &create_connection(random(1)));
        let complete = room.connected(central);
        let failed = ErrorCode::ConnectionFailedToBeEstablished;
        if how == ConnectFailure::InConnectionComplete {
            assert_eq!(complete.status, failed);
        } else {
            assert_eq!(complete.status, ErrorCode::Success);
            assert_eq!(room.disconnections(central), [(complete.connection_handle, failed)]);
        }
        room.connect(central, random(1));
    }
}

#[test]
fn a_pending_connection_can_be_cancelled_and_is_the_only_one() {
    let mut room = Room::new(RadioOptions::default());
    let central = room.controller(ControllerOptions::default());
    assert_eq!(room.status(central, &LeCreateConnectionCancel {}), ErrorCode::CommandDisallowed);
    room.ok(central, &create_connection(random(9)));
    assert_eq!(room.status(central, &create_connection(random(8))), ErrorCode::CommandDisallowed);
    room.run(ms(100));
    room.ok(central, &LeCreateConnectionCancel {});
    assert_eq!(room.connections(central).len(), 0, "the event comes behind the answer");
    assert_eq!(room.connected(central).status, ErrorCode::UnknownConnectionIdentifier);
    room.radio.add_device(Device::new(random(9)));
    room.run(ms(500));
    assert_eq!(room.connections(central).len(), 1, "nobody connects any more");
}

#[test]
fn the_filter_accept_list_chooses_the_peer() {
    let mut room = Room::new(RadioOptions::default());
    let central = room.controller(ControllerOptions::default());
    for n in 1..=3 {
        room.radio.add_device(Device::new(random(n)));
    }
    let (address_type, address) = (AddressType::Random, random(2).bd_addr);
    room.ok(central, &LeAddDeviceToFilterAcceptList { address_type, address });
    let any =
        LeCreateConnection { initiator_filter_policy: 1, ..create_connection(Address::public(bd_addr(0))) };
    room.ok(central, &any);
    let clear = LeClearFilterAcceptList {};
    assert_eq!(room.status(central, &clear), ErrorCode::CommandDisallowed, "it is in use");
    assert_eq!(room.connected(central).peer_address, random(2).bd_addr);
    room.ok(central, &clear);
}

#[test]
fn nobody_connects_twice_to_the_same_peer() {
    let mut room = Room::new(RadioOptions::default());
    let (central, _, peripheral, _) = room.pair();
    room.ok(peripheral, &LeSetAdvertisingEnable { advertising_enable: 1 });
    let again = create_connection(Address::public(bd_addr(2)));
    assert_eq!(room.status(central, &again), ErrorCode::ConnectionAlreadyExists);
}

#[test]
fn thirty_two_links_at_once_each_have_their_own_data() {
    let mut room = Room::new(RadioOptions::default());
    let central = room.controller(ControllerOptions { max_links: 32, ..ControllerOptions::default() });
    let mut handles = Vec::new();
    for n in 1..=33 {
        let server = Table::default().service(baretooth::uuid16(n.into())).build();
        room.radio.add_device(Device::new(random(n)).server(server));
        if n <= 32 {
            handles.push(room.connect(central, random(n)));
        }
    }
    let one_more = room.status(central, &create_connection(random(33)));
    assert_eq!(one_more, ErrorCode::ConnectionLimitExceeded);
    room.news(central);
    for handle in &handles {
        room.send_frame(central, *handle, 4, &[0x0A, 1, 0]);
        room.run(ms(1));
    }
    room.run(ms(50));
    let mut answers: Vec<(ConnectionHandle, u8)> = Vec::new();
    for packet in room.news(central) {
        if let Ok(acl) = AclData::parse(packet.as_slice())
            && packet.as_slice()[0] == 2
        {
            answers.push((acl.handle, acl.data[5]));
        }
    }
    answers.sort();
    assert_eq!(answers, handles.into_iter().zip(1..=32).collect::<Vec<_>>());
}
