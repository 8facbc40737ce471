//! Our central against devices of the virtual radio, whose security manager is of other hands: both use the same model in
//! every cell of the tables, have the same keys, and find each other again.

use crate::common::*;
use baretooth::gap::privacy::OwnAddress;
use baretooth::gatt::procedure::Read;
use baretooth::host::{
    ConnectionId, Event, OpId, Output, PairingSummary, Request, SecurityEvent, SecurityRequest,
};
use baretooth::sim::{
    self, Answer, Association, ControllerOptions, Device, DeviceId, Paired, RadioOptions, Responder, Server,
    Table, property,
};
use baretooth::smp::{self, Bond, IoCapability, Key, LocalOob, Method, OobData, PairingOptions, PeerOob};
use baretooth::smp::{Passkey, Prompt, SecureConnections};
use baretooth::uuid16;

/// The value that a [`server`] keeps for encrypted links.
const KEPT: u16 = 3;

fn server() -> Server {
    Table::default()
        .service(uuid16(0x180F))
        .characteristic(uuid16(0x2A19), property::READ, [87])
        .adjust(|attribute| attribute.permissions.encrypted = true)
        .build()
}

/// A host with a link to a device that pairs so.
fn with(responder: Responder) -> (Pair, DeviceId, ConnectionId) {
    let mut pair = Pair::new();
    let device = Device::new(address(1)).server(server()).pairing(responder);
    let device = pair.room(|radio| radio.add_device(device));
    let link = pair.connect(address(1));
    (pair, device, link)
}

/// Pairs while the users on both sides do what they are asked to.
fn pairs(
    pair: &mut Pair,
    device: DeviceId,
    connection: ConnectionId,
    options: PairingOptions,
) -> PairingSummary {
    let op = pair.submit(SecurityRequest::Pair { connection, options: Box::new(options) });
    let mut seen = 0;
    for _ in 0..1000 {
        if pair.told.result(op).is_some() {
            break;
        }
        let prompts: Vec<_> = pair.told.events[seen..].iter().filter_map(prompt).collect();
        seen = pair.told.events.len();
        for (prompt_id, prompt) in prompts {
            let shown = pair.radio.device(device).and_then(Device::responder).expect("it pairs");
            let answer = match prompt {
                Prompt::DisplayPasskey(passkey) => {
                    let passkey = passkey.to_string().parse().expect("six digits");
                    pair.room(|radio| radio.enter_passkey(device, passkey));
                    continue;
                }
                Prompt::EnterPasskey => match shown.shown_passkey() {
                    Some(passkey) => smp::Answer::Passkey(passkey_of(passkey)),
                    // Two keyboards: the users agree on a number.
                    None => {
                        pair.room(|radio| radio.enter_passkey(device, 42));
                        smp::Answer::Passkey(passkey_of(42))
                    }
                },
                Prompt::ConfirmNumber(number) => {
                    assert_eq!(shown.shown_number(), Some(number), "both displays");
                    pair.room(|radio| radio.compare(device, true));
                    smp::Answer::Yes
                }
                _ => continue,
            };
            pair.submit(SecurityRequest::Answer { connection, prompt: prompt_id, answer });
        }
        pair.run(ms(20));
    }
    finished(pair, op)
}

fn finished(pair: &mut Pair, op: OpId) -> PairingSummary {
    match pair.done(op) {
        Ok(Output::Paired(summary)) => {
            // The last keys are on their way.
            pair.run(ms(200));
            summary
        }
        other => panic!("{other:?} of a pairing"),
    }
}

fn prompt(event: &Event) -> Option<(smp::PromptId, Prompt)> {
    match event {
        Event::Security(SecurityEvent::Prompt { id, prompt, .. }) => Some((*id, prompt.clone())),
        _ => None,
    }
}

fn passkey_of(number: u32) -> Passkey {
    Passkey::new(number).expect("six digits")
}

fn paired(pair: &Pair, device: DeviceId) -> Paired {
    pair.radio.device(device).and_then(Device::paired).expect("its side of the pairing").clone()
}

fn same(method: Method) -> Association {
    match method {
        Method::JustWorks => Association::JustWorks,
        Method::PasskeyEntry => Association::PasskeyEntry,
        Method::NumericComparison => Association::NumericComparison,
        Method::OutOfBand => Association::OutOfBand,
    }
}

/// Each side has what the other thinks that it has.
fn compare(pair: &Pair, device: DeviceId, summary: &PairingSummary) {
    let theirs = paired(pair, device);
    let bond: Bond = pair.host.bonds().next().expect("a bond").clone();
    assert_eq!(theirs.association, same(summary.method));
    assert_eq!(theirs.secure_connections, summary.secure_connections);
    assert_eq!((theirs.key_size, theirs.bonded), (summary.key_size, summary.bonded));
    assert_eq!(theirs.association.authenticates(), summary.authenticated);
    let of = |key: &smp::LongTermKey| (key.key.clone(), key.ediv, key.rand);
    let known = |key: &sim::LongTermKey| (key.key.clone(), key.ediv, key.rand);
    assert_eq!(theirs.long_term_key.as_ref().map(known), bond.keys.peer_ltk.as_ref().map(of));
    assert_eq!(theirs.own_irk, bond.keys.irk);
    assert_eq!(theirs.own_csrk, bond.keys.csrk);
    assert_eq!(theirs.peer_csrk, bond.keys.local_csrk);
    assert_eq!(theirs.peer_irk, bond.local_irk);
    assert_eq!(bond.peer, address(1));
}

/// The bond is good for the next link, which it gives.
fn find_again(pair: &mut Pair) -> ConnectionId {
    let connected = |event: &Event| match event {
        Event::Connected(info) => Some(info.connection),
        _ => None,
    };
    let link = pair.told.events.iter().filter_map(connected).last().expect("a link");
    let reason = baretooth::hci::ErrorCode::RemoteUserTerminatedConnection;
    let op = pair.submit(Request::Disconnect { connection: link, reason });
    assert_eq!(pair.done(op), Ok(Output::Done));
    pair.run(ms(200));
    let info = pair.try_connect(address(1)).expect("a link");
    assert!(info.security.encrypted, "before anybody uses it");
    assert_eq!(pair.gatt(info.connection, Read::new(KEPT)).expect("for encrypted links")[..], [87]);
    info.connection
}

const GENERATIONS: [(SecureConnections, sim::SecureConnections); 3] = [
    (SecureConnections::Off, sim::SecureConnections::Allowed),
    (SecureConnections::Allowed, sim::SecureConnections::Off),
    (SecureConnections::Only, sim::SecureConnections::Only),
];

#[test]
fn every_cell_of_the_tables_gives_both_sides_the_same_model_and_keys() {
    let mut models = Vec::new();
    for (ours, theirs) in GENERATIONS {
        for initiator in 0..5 {
            for io in 0..5 {
                let responder =
                    Responder::new().io(IoCapability(io)).secure_connections(theirs).answers(Answer::Never);
                let (mut pair, device, link) = with(responder);
                let options =
                    PairingOptions::new().io(IoCapability(initiator)).secure_connections(ours).mitm(true);
                // Nobody who wants protection takes a pairing without it.
                let mitm = !matches!((initiator, io), (3, _) | (_, 3) | (0 | 1, 0) | (0, 1));
                let legacy = ours == SecureConnections::Off || theirs == sim::SecureConnections::Off;
                let mitm = mitm && !(legacy && (initiator, io) == (1, 1));
                let summary = pairs(&mut pair, device, link, options.mitm(mitm));
                assert_eq!(summary.authenticated, mitm, "{initiator} with {io}");
                compare(&pair, device, &summary);
                find_again(&mut pair);
                models.push(summary.method);
            }
        }
    }
    let count = |method| models.iter().filter(|model| **model == method).count();
    // Of the 25 cells of each table 12 and 9 have a passkey, none and 4 a number.
    let (passkeys, numbers) = (count(Method::PasskeyEntry), count(Method::NumericComparison));
    assert_eq!((passkeys, numbers), (12 + 12 + 9, 4));
}

#[test]
fn out_of_band_data_of_legacy_pairing() {
    let key = [0x5A; 16];
    let responder = Responder::new().temporary_key(key).secure_connections(sim::SecureConnections::Off);
    let (mut pair, device, link) = with(responder);
    let options =
        PairingOptions::new().secure_connections(SecureConnections::Off).oob(OobData::Legacy(Key::new(key)));
    let summary = pairs(&mut pair, device, link, options);
    assert_eq!(summary.method, Method::OutOfBand);
    compare(&pair, device, &summary);
    find_again(&mut pair);
}

#[test]
fn out_of_band_data_of_secure_connections_both_ways_and_each_way_alone() {
    for (we_know, it_knows) in [(true, true), (true, false), (false, true)] {
        let mut pair = Pair::new();
        let op = pair.submit(SecurityRequest::CreateOob);
        let ours: LocalOob = match pair.done(op) {
            Ok(Output::Oob(ours)) => ours,
            other => panic!("{other:?}"),
        };
        let (mut responder, data) = Responder::new().makes_out_of_band(9);
        if it_knows {
            let (confirm, random) = (ours.confirm(), ours.random());
            responder = responder.knows_out_of_band(sim::OutOfBand { confirm, random });
        }
        let device = Device::new(address(1)).server(server()).pairing(responder);
        let device = pair.room(|radio| radio.add_device(device));
        let link = pair.connect(address(1));
        let peer = PeerOob { confirm: data.confirm, random: data.random.into() };
        let data =
            OobData::SecureConnections { local: it_knows.then_some(ours), peer: we_know.then_some(peer) };
        let options = PairingOptions::new().secure_connections(SecureConnections::Only).oob(data);
        let summary = pairs(&mut pair, device, link, options);
        assert_eq!(summary.method, Method::OutOfBand);
        compare(&pair, device, &summary);
        find_again(&mut pair);
    }
}

#[test]
fn keys_of_every_length_are_cut_alike() {
    for size in 7..=16 {
        for generation in [SecureConnections::Off, SecureConnections::Allowed] {
            let (mut pair, device, link) = with(Responder::new().key_size(7, size));
            let options = PairingOptions::new().min_key_size(7).secure_connections(generation);
            let summary = pairs(&mut pair, device, link, options);
            assert_eq!(summary.key_size, size);
            compare(&pair, device, &summary);
        }
    }
}

/// Confirm values and keys are made with the addresses on the air, whoever made those.
#[test]
fn two_that_are_private_find_each_other_again_and_pair_anew_whoever_resolves() {
    let (usual, legacy, private) =
        (ControllerOptions::default(), ControllerOptions::legacy(), ControllerOptions::private());
    for (controller, resolves) in [(usual, false), (legacy, false), (private, true)] {
        for generation in [SecureConnections::Off, SecureConnections::Only] {
            let config = config(1).own_address(OwnAddress::Resolvable);
            let mut pair = Pair::with(RadioOptions::default(), controller.clone(), config);
            let private = Device::new(address(1)).server(server()).private([0x1D; 16], ms(2000));
            let device = pair.room(|radio| radio.add_device(private.pairing(Responder::new())));
            let on_air = pair.room(|radio| radio.address_on_air(device)).expect("it advertises");
            assert!(on_air.is_resolvable());
            let options = PairingOptions::new().secure_connections(generation);
            let link = pair.connect(on_air);
            let summary = pairs(&mut pair, device, link, options.clone());
            assert_eq!(summary.peer, address(1));
            compare(&pair, device, &summary);
            // LE Add Device To Resolving List.
            let listed = pair.records.iter().any(|record| record.data.starts_with(&[0x01, 0x27, 0x20]));
            assert_eq!(listed, resolves);
            let ours = pair.host.controller().expect("ready").random_address;
            assert_eq!(paired(&pair, device).peer, ours, "our identity");
            for _ in 0..2 {
                pair.run(ms(5000));
                let link = find_again(&mut pair);
                let again = pairs(&mut pair, device, link, options.clone());
                compare(&pair, device, &again);
            }
            assert_eq!(
                pair.radio.device(device).and_then(Device::responder).expect("it pairs").bonds().len(),
                1
            );
        }
    }
}
