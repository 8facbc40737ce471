//! Encryption: it works with equal keys and with nothing else.

use crate::room::*;
use baretooth::codec::Secret;
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;

const KEY: [u8; 16] = [7; 16];
const OTHER: [u8; 16] = [8; 16];

fn enable(connection_handle: ConnectionHandle) -> LeEnableEncryption<'static> {
    let long_term_key = Secret(&KEY);
    LeEnableEncryption { connection_handle, random_number: [1; 8], encrypted_diversifier: 2, long_term_key }
}

fn changes(room: &Room, id: ControllerId) -> Vec<(ErrorCode, u8)> {
    room.all(id, |event| match event {
        Event::EncryptionChange(e) => Some((e.status, e.encryption_enabled)),
        _ => None,
    })
}

/// Asks for encryption and gives the peripheral's answer.
fn encrypt(room: &mut Room, key: Option<&[u8; 16]>) -> (ControllerId, ControllerId, ConnectionHandle) {
    let (central, handle, peripheral, connection_handle) = room.pair();
    assert_eq!(room.status(peripheral, &enable(connection_handle)), ErrorCode::CommandDisallowed);
    room.ok(central, &enable(handle));
    room.run(ms(50));
    let requests = room.le(peripheral, |event| match event {
        LeEvent::LeLongTermKeyRequest(e) => {
            Some((e.connection_handle, e.random_number, e.encrypted_diversifier))
        }
        _ => None,
    });
    assert_eq!(requests, [(connection_handle, [1; 8], 2)]);
    assert_eq!(changes(room, central), []);
    match key {
        Some(key) => {
            let reply = LeLongTermKeyRequestReply { connection_handle, long_term_key: Secret(key) };
            room.ok(peripheral, &reply);
            // Once asked, once answered.
            room.run(ms(50));
            if key == &KEY {
                assert_eq!(room.status(peripheral, &reply), ErrorCode::CommandDisallowed);
            }
        }
        None => {
            room.ok(peripheral, &LeLongTermKeyRequestNegativeReply { connection_handle });
        }
    }
    room.run(ms(50));
    (central, peripheral, handle)
}

#[test]
fn equal_keys_encrypt_the_link_and_again_refresh_it() {
    let mut room = Room::new(RadioOptions::default());
    let (central, peripheral, handle) = encrypt(&mut room, Some(&KEY));
    assert_eq!(changes(&room, central), [(ErrorCode::Success, 1)]);
    assert_eq!(changes(&room, peripheral), [(ErrorCode::Success, 1)]);
    room.ok(central, &enable(handle));
    room.run(ms(50));
    let connection_handle = room.connections(peripheral)[0].connection_handle;
    room.ok(peripheral, &LeLongTermKeyRequestReply { connection_handle, long_term_key: Secret(&KEY) });
    room.run(ms(50));
    let refreshed = room.all(central, |event| match event {
        Event::EncryptionKeyRefreshComplete(e) => Some((e.status, e.connection_handle)),
        _ => None,
    });
    assert_eq!(refreshed, [(ErrorCode::Success, handle)]);
}

#[test]
fn unequal_keys_end_the_link_by_mic_failure_at_both_sides() {
    let mut room = Room::new(RadioOptions::default());
    let (central, peripheral, _) = encrypt(&mut room, Some(&OTHER));
    assert_eq!(changes(&room, central), []);
    let reasons = |id| room.disconnections(id).iter().map(|(_, reason)| *reason).collect::<Vec<_>>();
    assert_eq!(reasons(central), [ErrorCode::ConnectionTerminatedDueToMicFailure]);
    assert_eq!(reasons(peripheral), [ErrorCode::ConnectionTerminatedDueToMicFailure]);
}

#[test]
fn no_key_leaves_the_link_as_it_was() {
    let mut room = Room::new(RadioOptions::default());
    let (central, peripheral, handle) = encrypt(&mut room, None);
    assert_eq!(changes(&room, central), [(ErrorCode::PinOrKeyMissing, 0)]);
    assert_eq!(changes(&room, peripheral), []);
    room.frames(peripheral);
    room.send_frame(central, handle, 4, b"still here");
    room.run(ms(50));
    assert_eq!(room.frames(peripheral).len(), 1);
}

#[test]
fn a_device_with_the_key_shows_what_it_keeps_for_encrypted_links() {
    let mut room = Room::new(RadioOptions::default());
    let central = room.controller(ControllerOptions::default());
    let server = Table::default()
        .service(baretooth::uuid16(0x180F))
        .characteristic(baretooth::uuid16(0x2A19), property::READ, [87])
        .adjust(|attribute| attribute.permissions.encrypted = true)
        .build();
    let mut device = Device::new(random(1)).server(server);
    device.long_term_key = Some(KEY);
    room.radio.add_device(device);
    let handle = room.connect(central, random(1));
    room.send_frame(central, handle, 4, &[0x0A, 3, 0]);
    room.run(ms(50));
    assert_eq!(room.frames(central), [(4, vec![0x01, 0x0A, 3, 0, 0x0F])]);
    room.ok(central, &enable(handle));
    room.run(ms(50));
    assert_eq!(changes(&room, central), [(ErrorCode::Success, 1)]);
    room.send_frame(central, handle, 4, &[0x0A, 3, 0]);
    room.run(ms(50));
    assert_eq!(room.frames(central), [(4, vec![0x0B, 87])]);
}

#[test]
fn keys_do_not_print() {
    let mut device = Device::new(random(1));
    device.long_term_key = Some([0xAB; 16]);
    let mut room = Room::new(RadioOptions::default());
    room.radio.add_device(device);
    let printed = format!("{:?}", room.radio).to_lowercase();
    assert!(!printed.contains("171, 171") && !printed.contains("abab"), "{printed}");
}

#[test]
fn data_wait_while_the_peripheral_is_asked_for_its_key_and_come_encrypted_or_not_at_all() {
    for (key, arrive) in [(&KEY, 1), (&OTHER, 0)] {
        let mut room = Room::new(RadioOptions::default());
        let (central, handle, peripheral, connection_handle) = room.pair();
        room.ok(central, &enable(handle));
        room.send_frame(central, handle, 4, b"not in plaintext");
        room.send_frame(peripheral, connection_handle, 4, b"nor this");
        room.run(ms(1000));
        assert_eq!(room.status(central, &enable(handle)), ErrorCode::CommandDisallowed, "one at a time");
        assert_eq!((room.frames(peripheral).len(), room.frames(central).len()), (0, 0));
        let long_term_key = Secret(key);
        room.ok(peripheral, &LeLongTermKeyRequestReply { connection_handle, long_term_key });
        room.run(ms(50));
        let seen = room.log.clone();
        assert_eq!(room.frames(peripheral).len(), arrive);
        let data = |id| seen.iter().filter(|(_, from, p)| *from == id && p.as_slice()[0] == 2).count();
        assert_eq!(data(central), arrive);
    }
}

#[test]
fn a_key_that_is_missing_when_an_encrypted_link_is_encrypted_again_ends_it() {
    let mut room = Room::new(RadioOptions::default());
    let (central, peripheral, handle) = encrypt(&mut room, Some(&KEY));
    room.ok(central, &enable(handle));
    room.run(ms(50));
    let connection_handle = room.connections(peripheral)[0].connection_handle;
    room.ok(peripheral, &LeLongTermKeyRequestNegativeReply { connection_handle });
    room.run(ms(50));
    assert_eq!(room.disconnections(central), [(handle, ErrorCode::PinOrKeyMissing)]);
    let ours = ErrorCode::ConnectionTerminatedByLocalHost;
    assert_eq!(room.disconnections(peripheral), [(connection_handle, ours)]);
}

#[test]
fn a_host_that_never_says_which_key_it_has_loses_the_link_after_40_s() {
    let mut room = Room::new(RadioOptions::default());
    let (central, handle, peripheral, _) = room.pair();
    room.ok(central, &enable(handle));
    room.run(ms(39_900));
    assert_eq!((room.disconnections(central).len(), room.disconnections(peripheral).len()), (0, 0));
    room.run(ms(200));
    assert_eq!(room.disconnections(central), [(handle, ErrorCode::LmpResponseTimeout)]);
    assert_eq!(room.disconnections(peripheral)[0].1, ErrorCode::LmpResponseTimeout);
}

#[test]
fn a_peripheral_that_cannot_encrypt_says_so() {
    let mut room = Room::new(RadioOptions::default());
    let central = room.controller(ControllerOptions::default().address(bd_addr(1)));
    let plain = ControllerOptions { le_features: 0, ..ControllerOptions::legacy() }.address(bd_addr(2));
    let peripheral = room.controller(plain);
    room.advertise(peripheral, b"\x02\x01\x06");
    let handle = room.connect(central, baretooth::Address::public(bd_addr(2)));
    room.ok(central, &enable(handle));
    room.run(ms(50));
    assert_eq!(changes(&room, central), [(ErrorCode::UnsupportedRemoteFeature, 0)]);
}

#[test]
fn a_device_without_a_key_asks_for_authentication_and_one_with_it_for_encryption() {
    for (key, refusal) in [(None, 0x05), (Some(KEY), 0x0F)] {
        for permissions in [
            Permissions { read: true, encrypted: true, ..Permissions::default() },
            Permissions { read: true, authenticated: true, ..Permissions::default() },
            Permissions { read: true, key_size: 7, ..Permissions::default() },
        ] {
            let mut room = Room::new(RadioOptions::default());
            let central = room.controller(ControllerOptions::default());
            let server = Table::default()
                .service(baretooth::uuid16(0x180F))
                .characteristic(baretooth::uuid16(0x2A19), property::READ, [87])
                .adjust(|attribute| attribute.permissions = permissions)
                .build();
            let mut device = Device::new(random(1)).server(server);
            device.long_term_key = key;
            room.radio.add_device(device);
            let handle = room.connect(central, random(1));
            room.send_frame(central, handle, 4, &[0x0A, 3, 0]);
            room.run(ms(50));
            assert_eq!(room.frames(central), [(4, vec![0x01, 0x0A, 3, 0, refusal])], "{permissions:?}");
        }
    }
}
