//! Private addresses at the controller: the resolving list, whom it resolves, and the addresses it makes itself.

use crate::advertising::legacy_scan;
use crate::central::{e, turned};
use crate::room::*;
use baretooth::codec::Secret;
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;
use baretooth::{Address, BdAddr};
use std::collections::BTreeSet;

const PEER_IRK: [u8; 16] = [0x11; 16];
const LOCAL_IRK: [u8; 16] = [0x22; 16];
const NONE: [u8; 16] = [0; 16];
const IDENTITY: Address = random(7);
/// Own addresses that the controller makes.
const PRIVATE: OwnAddressType = OwnAddressType::ResolvableOrPublic;

fn list(room: &mut Room, id: ControllerId, peer: Address, irks: [[u8; 16]; 2]) -> ErrorCode {
    let [peer_irk, local_irk] = &irks;
    room.status(
        id,
        &LeAddDeviceToResolvingList {
            peer_identity_address_type: peer.kind.into(),
            peer_identity_address: peer.bd_addr,
            peer_irk: Secret(peer_irk),
            local_irk: Secret(local_irk),
        },
    )
}

fn resolve(room: &mut Room, id: ControllerId, address_resolution_enable: u8) -> ErrorCode {
    room.status(id, &LeSetAddressResolutionEnable { address_resolution_enable })
}

fn mode(room: &mut Room, id: ControllerId, peer: Address, privacy_mode: u8) -> ErrorCode {
    let (peer_identity_address_type, peer_identity_address) = (peer.kind.into(), peer.bd_addr);
    let command = LeSetPrivacyMode { peer_identity_address_type, peer_identity_address, privacy_mode };
    room.status(id, &command)
}

/// Whether the address was made with this key ([Vol 6] Part B, 1.3.2.3).
fn made_with(irk: &[u8; 16], address: BdAddr) -> bool {
    let [h0, h1, h2, p0, p1, p2] = address.0;
    let mut block = [0; 16];
    block[..3].copy_from_slice(&[p0, p1, p2]);
    p2 >> 6 == 1 && e(irk, &block)[..3] == [h0, h1, h2]
}

/// A controller that resolves `peer`, with a local key.
fn private(room: &mut Room, n: u8, peer: Address, irks: [[u8; 16]; 2]) -> ControllerId {
    let id = room.controller(ControllerOptions::private().address(bd_addr(n)));
    assert_eq!(list(room, id, peer, irks), ErrorCode::Success);
    assert_eq!(resolve(room, id, 1), ErrorCode::Success);
    id
}

/// Who was reported, and as what.
fn reported(room: &Room, id: ControllerId) -> BTreeSet<(AddressType, BdAddr)> {
    let reports = room.le(id, |event| match event {
        LeEvent::LeAdvertisingReport(e) => e.reports.iter().next().map(|r| (r.address_type, r.address)),
        _ => None,
    });
    reports.into_iter().collect()
}

#[test]
fn a_controller_has_it_only_if_it_is_asked_to() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::default());
    assert_eq!(room.status(id, &LeReadResolvingListSize {}), ErrorCode::UnknownHciCommand);
    assert_eq!(room.ok(id, &LeReadLocalSupportedFeaturesPage0 {})[1] & 1 << 6, 0);
    let id = room.controller(ControllerOptions::private());
    assert_eq!(room.ok(id, &LeReadResolvingListSize {}), [0, 16]);
    assert_ne!(room.ok(id, &LeReadLocalSupportedFeaturesPage0 {})[1] & 1 << 6, 0);
}

#[test]
fn it_encrypts_a_block() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::private());
    // FIPS 197, appendix C.1, least significant octet first.
    let key = std::array::from_fn(|n| 15 - u8::try_from(n).expect("16"));
    let plaintext_data = &std::array::from_fn(|n| 0x11 * (15 - u8::try_from(n).expect("16")));
    let answer = room.ok(id, &LeEncrypt { key: Secret(&key), plaintext_data });
    assert_eq!(turned::<16>(answer[1..].try_into().expect("16"))[..4], [0x69, 0xC4, 0xE0, 0xD8]);
}

#[test]
fn the_list_takes_each_peer_once_and_as_many_as_it_has_room_for() {
    let mut room = Room::new(RadioOptions::default());
    let options = ControllerOptions { resolving_list_size: 2, ..ControllerOptions::private() };
    let id = room.controller(options);
    assert_eq!(list(&mut room, id, random(1), [[1; 16], NONE]), ErrorCode::Success);
    let again = ErrorCode::InvalidHciCommandParameters;
    assert_eq!(list(&mut room, id, random(1), [[2; 16], NONE]), again);
    assert_eq!(list(&mut room, id, random(2), [[1; 16], NONE]), again, "the key of another");
    assert_eq!(list(&mut room, id, random(2), [NONE, NONE]), ErrorCode::Success);
    assert_eq!(list(&mut room, id, random(3), [[3; 16], NONE]), ErrorCode::MemoryCapacityExceeded);
    let (peer_identity_address_type, peer_identity_address) = (AddressType::Random, random(1).bd_addr);
    let remove = LeRemoveDeviceFromResolvingList { peer_identity_address_type, peer_identity_address };
    room.ok(id, &remove);
    assert_eq!(room.status(id, &remove), ErrorCode::UnknownConnectionIdentifier);
    assert_eq!(mode(&mut room, id, random(1), 1), ErrorCode::UnknownConnectionIdentifier);
    assert_eq!(mode(&mut room, id, random(2), 2), ErrorCode::InvalidHciCommandParameters);
    room.ok(id, &LeClearResolvingList {});
    assert_eq!(list(&mut room, id, random(2), [[1; 16], NONE]), ErrorCode::Success);
    let wrong = [0, 0x0E11].map(|rpa_timeout| LeSetResolvablePrivateAddressTimeout { rpa_timeout });
    assert!(wrong.iter().all(|command| room.status(id, command) == again));
}

#[test]
fn the_list_stays_as_it_is_while_it_is_in_use() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::private());
    room.ok(id, &LeSetScanEnable { le_scan_enable: 1, filter_duplicates: 0 });
    assert_eq!(list(&mut room, id, random(1), [PEER_IRK, NONE]), ErrorCode::Success, "nobody resolves");
    assert_eq!(resolve(&mut room, id, 1), ErrorCode::CommandDisallowed);
    room.ok(id, &LeSetScanEnable { le_scan_enable: 0, filter_duplicates: 0 });
    assert_eq!(resolve(&mut room, id, 2), ErrorCode::InvalidHciCommandParameters);
    assert_eq!(resolve(&mut room, id, 1), ErrorCode::Success);
    let busy = |room: &mut Room| {
        assert_eq!(list(room, id, random(2), [[5; 16], NONE]), ErrorCode::CommandDisallowed);
        assert_eq!(room.status(id, &LeClearResolvingList {}), ErrorCode::CommandDisallowed);
        assert_eq!(mode(room, id, random(1), 1), ErrorCode::CommandDisallowed);
        assert_eq!(resolve(room, id, 0), ErrorCode::CommandDisallowed);
    };
    room.ok(id, &LeSetScanEnable { le_scan_enable: 1, filter_duplicates: 0 });
    busy(&mut room);
    room.ok(id, &LeSetScanEnable { le_scan_enable: 0, filter_duplicates: 0 });
    room.ok(id, &LeSetAdvertisingEnable { advertising_enable: 1 });
    busy(&mut room);
    room.ok(id, &LeSetAdvertisingEnable { advertising_enable: 0 });
    room.ok(id, &create_connection(random(1)));
    busy(&mut room);
    room.ok(id, &LeCreateConnectionCancel {});
    assert_eq!(list(&mut room, id, random(2), [[5; 16], NONE]), ErrorCode::Success);
}

#[test]
fn a_private_device_is_a_new_address_every_time_and_one_identity_to_who_has_its_key() {
    let mut room = Room::new(RadioOptions::default());
    let knows = private(&mut room, 1, IDENTITY, [PEER_IRK, NONE]);
    let stranger = room.controller(ControllerOptions::private().address(bd_addr(2)));
    room.radio.add_device(Device::new(IDENTITY).private(PEER_IRK, ms(1000)));
    legacy_scan(&mut room, knows, false, false);
    legacy_scan(&mut room, stranger, false, false);
    room.run(ms(5000));
    let identity = (AddressType::RandomIdentity, IDENTITY.bd_addr);
    assert_eq!(reported(&room, knows), BTreeSet::from([identity]));
    let seen = reported(&room, stranger);
    assert!((4..=6).contains(&seen.len()), "{seen:?}");
    assert!(
        seen.iter().all(|(kind, address)| *kind == AddressType::Random && made_with(&PEER_IRK, *address))
    );
    let (peer_identity_address_type, peer_identity_address) = (AddressType::Random, IDENTITY.bd_addr);
    let read = LeReadPeerResolvableAddress { peer_identity_address_type, peer_identity_address };
    let last: [u8; 6] = room.ok(knows, &read)[1..].try_into().expect("an address");
    assert!(seen.contains(&(AddressType::Random, BdAddr(last))));
}

#[test]
fn a_private_device_is_at_a_new_address_at_its_time() {
    let mut room = Room::new(RadioOptions::default());
    room.controller(ControllerOptions::default());
    let id = room.radio.add_device(Device::new(IDENTITY).private(PEER_IRK, ms(900_000)));
    let first = room.radio.address_on_air(id);
    room.run(ms(899_000));
    assert_eq!(room.radio.address_on_air(id), first);
    room.run(ms(2_000));
    assert_ne!(room.radio.address_on_air(id), first);
}

#[test]
fn who_has_a_key_is_not_believed_under_their_identity_unless_the_host_says_so() {
    for (privacy_mode, found) in [(0, false), (1, true)] {
        let mut room = Room::new(RadioOptions::default());
        let id = private(&mut room, 1, IDENTITY, [PEER_IRK, NONE]);
        assert_eq!(mode(&mut room, id, IDENTITY, privacy_mode), ErrorCode::Success);
        room.radio.add_device(Device::new(IDENTITY));
        legacy_scan(&mut room, id, false, false);
        room.run(ms(1000));
        let expected = found.then_some((AddressType::Random, IDENTITY.bd_addr));
        assert_eq!(reported(&room, id), expected.into_iter().collect());
        room.ok(id, &LeSetScanEnable { le_scan_enable: 0, filter_duplicates: 0 });
        room.ok(id, &create_connection(IDENTITY));
        room.run(ms(1000));
        assert_eq!(!room.connections(id).is_empty(), found);
    }
}

#[test]
fn extended_reports_name_the_identity_too() {
    let mut room = Room::new(RadioOptions::default());
    let id = private(&mut room, 1, IDENTITY, [PEER_IRK, NONE]);
    room.radio.add_device(Device::new(IDENTITY).private(PEER_IRK, ms(300)));
    room.ok(id, &LeSetExtendedScanEnable { enable: 1, filter_duplicates: 1, duration: 0, period: 0 });
    room.run(ms(2000));
    let reports = room.le(id, |event| match event {
        LeEvent::LeExtendedAdvertisingReport(e) => {
            e.reports.iter().next().map(|r| (r.address_type, r.address))
        }
        _ => None,
    });
    assert_eq!(reports, [(AddressType::RandomIdentity, IDENTITY.bd_addr)], "one device, seen once");
}

#[test]
fn a_private_device_is_connected_by_its_identity_and_the_event_has_both_addresses() {
    for mask in [u64::MAX, 0x1F] {
        let mut room = Room::new(RadioOptions::default());
        let id = private(&mut room, 1, IDENTITY, [PEER_IRK, LOCAL_IRK]);
        room.ok(id, &LeSetEventMask { le_event_mask: mask.into() });
        let device = room.radio.add_device(Device::new(IDENTITY).private(PEER_IRK, ms(60_000)));
        let on_air = room.radio.address_on_air(device).expect("it advertises");
        let own_address_type = PRIVATE;
        room.ok(id, &LeCreateConnection { own_address_type, ..create_connection(IDENTITY) });
        room.run(ms(500));
        if mask == 0x1F {
            let plain = room.le(id, |event| match event {
                LeEvent::LeConnectionComplete(e) => Some((e.peer_address_type, e.peer_address)),
                _ => None,
            });
            assert_eq!(plain, [(AddressType::Random, IDENTITY.bd_addr)]);
            continue;
        }
        let event = room.connections(id)[0];
        assert_eq!(event.status, ErrorCode::Success);
        assert_eq!(
            (event.peer_address_type, event.peer_address),
            (AddressType::RandomIdentity, IDENTITY.bd_addr)
        );
        assert_eq!(event.peer_resolvable_private_address, on_air.bd_addr);
        assert!(made_with(&LOCAL_IRK, event.local_resolvable_private_address));
        assert_eq!(room.status(id, &create_connection(IDENTITY)), ErrorCode::ConnectionAlreadyExists);
    }
}

#[test]
fn the_accept_list_is_one_of_identities() {
    let mut room = Room::new(RadioOptions::default());
    let id = private(&mut room, 1, IDENTITY, [PEER_IRK, NONE]);
    room.radio.add_device(Device::new(IDENTITY).private(PEER_IRK, ms(1000)));
    room.radio.add_device(Device::new(random(9)));
    let (address_type, address) = (AddressType::Random, IDENTITY.bd_addr);
    room.ok(id, &LeAddDeviceToFilterAcceptList { address_type, address });
    room.ok(
        id,
        &LeSetScanParameters {
            le_scan_type: 0,
            le_scan_interval: 0x10,
            le_scan_window: 0x10,
            own_address_type: OwnAddressType::Public,
            scanning_filter_policy: 1,
        },
    );
    room.ok(id, &LeSetScanEnable { le_scan_enable: 1, filter_duplicates: 0 });
    room.run(ms(2000));
    assert_eq!(reported(&room, id), BTreeSet::from([(AddressType::RandomIdentity, IDENTITY.bd_addr)]));
    room.ok(id, &LeSetScanEnable { le_scan_enable: 0, filter_duplicates: 0 });
    room.ok(
        id,
        &LeCreateConnection { initiator_filter_policy: 1, ..create_connection(Address::public(BdAddr::ANY)) },
    );
    let event = room.connected(id);
    assert_eq!((event.status, event.peer_address), (ErrorCode::Success, IDENTITY.bd_addr));
}

/// Two private controllers that know each other: `2` advertises to `1`.
fn two(room: &mut Room, advertising_type: u8) -> (ControllerId, ControllerId) {
    let (one, two) = (Address::public(bd_addr(1)), Address::public(bd_addr(2)));
    let central = private(room, 1, two, [PEER_IRK, LOCAL_IRK]);
    let peripheral = private(room, 2, one, [LOCAL_IRK, PEER_IRK]);
    let own_address_type = PRIVATE;
    room.ok(
        peripheral,
        &LeSetAdvertisingParameters { own_address_type, ..advertising_parameters(advertising_type) },
    );
    room.ok(peripheral, &LeSetResolvablePrivateAddressTimeout { rpa_timeout: 2 });
    room.ok(peripheral, &LeSetAdvertisingEnable { advertising_enable: 1 });
    (central, peripheral)
}

#[test]
fn a_controller_advertises_with_addresses_of_its_own_that_change() {
    let mut room = Room::new(RadioOptions::default());
    let (central, _) = two(&mut room, 0);
    let stranger = room.controller(ControllerOptions::default().address(bd_addr(3)));
    legacy_scan(&mut room, central, false, false);
    legacy_scan(&mut room, stranger, false, false);
    room.run(ms(10_000));
    assert_eq!(reported(&room, central), BTreeSet::from([(AddressType::PublicIdentity, bd_addr(2))]));
    let seen = reported(&room, stranger);
    assert!((4..=6).contains(&seen.len()), "{seen:?}");
    assert!(
        seen.iter().all(|(kind, address)| *kind == AddressType::Random && made_with(&PEER_IRK, *address))
    );
}

#[test]
fn both_sides_are_told_identities_and_what_was_on_the_air() {
    // Undirected, and directed to an address that only the central knows for its own.
    for advertising_type in [0, 4] {
        let mut room = Room::new(RadioOptions::default());
        let (central, peripheral) = two(&mut room, advertising_type);
        room.run(ms(5000));
        let own_address_type = PRIVATE;
        let peer = Address::public(bd_addr(2));
        room.ok(central, &LeCreateConnection { own_address_type, ..create_connection(peer) });
        let (ours, theirs) = (room.connected(central), room.connections(peripheral)[0]);
        assert_eq!((ours.peer_address_type, ours.peer_address), (AddressType::PublicIdentity, bd_addr(2)));
        assert_eq!(
            (theirs.peer_address_type, theirs.peer_address),
            (AddressType::PublicIdentity, bd_addr(1))
        );
        assert_eq!(ours.local_resolvable_private_address, theirs.peer_resolvable_private_address);
        assert_eq!(ours.peer_resolvable_private_address, theirs.local_resolvable_private_address);
        assert!(made_with(&LOCAL_IRK, ours.local_resolvable_private_address));
        assert!(made_with(&PEER_IRK, theirs.local_resolvable_private_address));
    }
}

#[test]
fn a_call_to_an_address_that_nobody_resolves_is_told_by_the_extended_policies() {
    let mut room = Room::new(RadioOptions::default());
    two(&mut room, 4);
    let stranger = room.controller(ControllerOptions::default().address(bd_addr(3)));
    for (scanning_filter_policy, expected) in [(0, false), (2, true)] {
        room.ok(
            stranger,
            &LeSetScanParameters {
                le_scan_type: 0,
                le_scan_interval: 0x10,
                le_scan_window: 0x10,
                own_address_type: OwnAddressType::Public,
                scanning_filter_policy,
            },
        );
        room.ok(stranger, &LeSetScanEnable { le_scan_enable: 1, filter_duplicates: 0 });
        room.run(ms(1000));
        room.ok(stranger, &LeSetScanEnable { le_scan_enable: 0, filter_duplicates: 0 });
        let calls = room.le(stranger, |event| match event {
            LeEvent::LeDirectedAdvertisingReport(e) => e.reports.iter().next().map(|r| r.direct_address),
            _ => None,
        });
        assert_eq!(!calls.is_empty(), expected);
        assert!(calls.iter().all(|target| made_with(&LOCAL_IRK, *target)));
    }
}

#[test]
fn our_own_address_towards_a_peer_can_be_read_and_changes() {
    let mut room = Room::new(RadioOptions::default());
    let id = private(&mut room, 1, IDENTITY, [PEER_IRK, LOCAL_IRK]);
    let (peer_identity_address_type, peer_identity_address) = (AddressType::Random, IDENTITY.bd_addr);
    let read = LeReadLocalResolvableAddress { peer_identity_address_type, peer_identity_address };
    let first: [u8; 6] = room.ok(id, &read)[1..].try_into().expect("an address");
    assert!(made_with(&LOCAL_IRK, BdAddr(first)));
    room.run(ms(899_000));
    assert_eq!(room.ok(id, &read)[1..], first);
    room.run(ms(2_000));
    assert_ne!(room.ok(id, &read)[1..], first);
    let other = LeReadLocalResolvableAddress { peer_identity_address: bd_addr(9), ..read };
    assert_eq!(room.status(id, &other), ErrorCode::UnknownConnectionIdentifier);
    room.ok(id, &Reset {});
    assert_eq!(room.radio.poll_timeout(), None, "nothing changes any more");
}

#[test]
fn a_central_with_a_private_address_is_known_again_by_the_device_it_bonded_with() {
    let mut central = crate::central::Central::with(Responder::new());
    let pdus = central.pair([3, 0, 1 | crate::central::SC, 16, 7, 7], crate::central::User::Nothing);
    let key = pdus.expect("it pairs").link_key;
    let (id, irk) = (central.host, crate::central::IRK);
    let reason = ErrorCode::RemoteUserTerminatedConnection;
    central.room.ok(id, &Disconnect { connection_handle: central.handle, reason });
    central.room.run(ms(100));
    // An address that the host has made, as without a resolving list.
    let mut block = [0; 16];
    block[..3].copy_from_slice(&[1, 2, 0x43]);
    let [h0, h1, h2, ..] = e(&irk, &block);
    central.room.ok(id, &LeSetRandomAddress { random_address: BdAddr([h0, h1, h2, 1, 2, 0x43]) });
    let own_address_type = OwnAddressType::Random;
    central.room.ok(id, &LeCreateConnection { own_address_type, ..create_connection(random(1)) });
    central.handle = central.room.connected(id).connection_handle;
    assert_eq!(central.encrypt(&key, 0, [0; 8]), Ok(()));
}
