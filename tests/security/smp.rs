//! Cases S of the host: peers that lose their keys, have others, claim to be somebody else, or would have us do with
//! less. Those that one link's protocol can show alone are beside the security manager.

use crate::common::*;
use baretooth::Address;
use baretooth::gap::advertise::AdvertiseOptions;
use baretooth::gatt::procedure::{Read, Write};
use baretooth::hci::ErrorCode;
use baretooth::host::{
    ConnectionId, Event, HostConfig, OpError, Output, Pairable, Request, SecurityEvent, SecurityOptions,
    SecurityRequest,
};
use baretooth::sim::{
    ControllerOptions, Device, DeviceId, Misbehaviour, RadioOptions, Responder, Server, Table, property,
};
use baretooth::smp::{
    self, Bond, IoCapability, Key, Keys, LongTermKey, PairedInfo, PairingFailedReason, PairingOptions,
    Prompt, SecureConnections, SecurityLevel, SignCounters,
};
use baretooth::uuid16;
use bytes::Bytes;

/// Handles of a device's values.
const OPEN: u16 = 3;
const ENCRYPTED: u16 = 5;

fn server() -> Server {
    Table::default()
        .service(uuid16(0x180F))
        .characteristic(uuid16(0x2A19), property::READ | property::WRITE, [1])
        .characteristic(uuid16(0x2A56), property::READ | property::WRITE, [2])
        .adjust(|attribute| attribute.permissions.encrypted = true)
        .build()
}

/// A host and a device that pairs as a test says.
fn with(options: SecurityOptions, responder: Responder) -> (Pair, DeviceId) {
    let mut pair =
        Pair::with(RadioOptions::default(), ControllerOptions::default(), config(1).security(options));
    let device = Device::new(address(1)).server(server()).pairing(responder);
    let device = pair.room(|radio| radio.add_device(device));
    (pair, device)
}

fn pair_with(pair: &mut Pair, connection: ConnectionId, options: PairingOptions) -> Result<Output, OpError> {
    let op = pair.submit(SecurityRequest::Pair { connection, options: Box::new(options) });
    let result = pair.done(op);
    // The last keys are on their way.
    pair.run(ms(200));
    result
}

fn disconnect(pair: &mut Pair, connection: ConnectionId) {
    let op = pair.submit(Request::Disconnect { connection, reason: ErrorCode(0x13) });
    assert_eq!(pair.done(op), Ok(Output::Done));
    pair.run(ms(500));
}

/// Payloads of the ATT PDUs that the host has sent from a record on.
fn att_sent(pair: &Pair, from: usize) -> Vec<Vec<u8>> {
    let pdu = |record: &baretooth::capture::Record| match record.data[..] {
        [0x02, _, _, _, _, _, _, 4, 0, ref pdu @ ..]
            if record.direction() == Some(baretooth::capture::Direction::Sent) =>
        {
            Some(pdu.to_vec())
        }
        _ => None,
    };
    pair.records[from..].iter().filter_map(pdu).collect()
}

fn bonds(pair: &Pair) -> Vec<Bond> {
    pair.host.bonds().cloned().collect()
}

fn reason(result: Result<Output, OpError>) -> PairingFailedReason {
    match result {
        Err(OpError::Pairing(error)) => error.reason,
        other => panic!("{other:?}"),
    }
}

fn change(pair: &mut Pair, device: DeviceId, change: impl FnOnce(Responder) -> Responder) {
    let changed = pair.room(|radio| {
        radio.with_device(device, |device| device.responder_mut().expect("it pairs").change(change))
    });
    changed.expect("it is there");
}

#[test]
fn s8_a_peer_without_secure_connections_is_refused_where_they_are_required() {
    let (mut pair, _) =
        with(SecurityOptions::new(), Responder::new().misbehaves(Misbehaviour::ClearsSecureConnections));
    let link = pair.connect(address(1));
    let options = PairingOptions::new().secure_connections(SecureConnections::Only);
    let result = pair_with(&mut pair, link, options);
    assert_eq!(reason(result), PairingFailedReason::AuthenticationRequirements);
    assert!(bonds(&pair).is_empty());
}

#[test]
fn s8_a_bond_is_replaced_by_nothing_weaker() {
    let (mut pair, device) = with(SecurityOptions::new(), Responder::new());
    let link = pair.connect(address(1));
    assert!(pair_with(&mut pair, link, PairingOptions::new()).is_ok());
    let before = bonds(&pair);
    assert!(before[0].paired.secure_connections);
    change(&mut pair, device, |responder| {
        responder.secure_connections(baretooth::sim::SecureConnections::Off)
    });
    pair.run(seconds(5));
    let result = pair_with(&mut pair, link, PairingOptions::new());
    assert_eq!(reason(result), PairingFailedReason::AuthenticationRequirements);
    assert_eq!(bonds(&pair), before);
    // Whoever means it unpairs first.
    let op = pair.submit(SecurityRequest::Unpair { peer: before[0].peer });
    assert_eq!(pair.done(op), Ok(Output::Done));
    pair.run(seconds(5));
    let link = pair.connect(address(1));
    assert!(pair_with(&mut pair, link, PairingOptions::new()).is_ok());
    assert!(!bonds(&pair)[0].paired.secure_connections);
}

#[test]
fn s9_a_bond_survives_a_pairing_that_fails() {
    let (mut pair, device) = with(SecurityOptions::new(), Responder::new());
    let link = pair.connect(address(1));
    assert!(pair_with(&mut pair, link, PairingOptions::new()).is_ok());
    let before = bonds(&pair);
    disconnect(&mut pair, link);
    change(&mut pair, device, |responder| responder.misbehaves(Misbehaviour::WrongDhKeyCheck));
    let link = pair.connect(address(1));
    assert!(pair_with(&mut pair, link, PairingOptions::new()).is_err());
    assert_eq!(bonds(&pair), before);
    disconnect(&mut pair, link);
    let info = pair.try_connect(address(1)).expect("the bond is as good as it was");
    assert!(info.security.encrypted);
}

/// A peer that is bonded already, and has forgotten us, begins a pairing anew.
#[test]
fn s9_a_bond_is_replaced_with_the_consent_of_an_agent_and_not_without() {
    for agent in [false, true] {
        let mut crowd = Crowd::new(2);
        crowd.agent(1);
        let (central, _) = crowd.link(0, 1);
        crowd.pair(0, central, PairingOptions::new()).expect("paired");
        let before = crowd.bonds(1);
        crowd.configure(1, SecurityOptions::new().pairable(Pairable::Always));
        assert_eq!(crowd.ask(1, SecurityRequest::Agent(agent)), Ok(Output::Done));
        let peer = crowd.address(1);
        assert_eq!(crowd.ask(0, SecurityRequest::Unpair { peer }), Ok(Output::Done));
        crowd.run(seconds(2));
        let (central, _) = crowd.link(0, 1);
        let prompted = |crowd: &Crowd| {
            let consent = |event: &&SecurityEvent| {
                matches!(event, SecurityEvent::Prompt { prompt: Prompt::Consent, .. })
            };
            crowd.security_events(1).iter().filter(consent).count()
        };
        let prompts = prompted(&crowd);
        let paired = crowd.pair(0, central, PairingOptions::new());
        assert_eq!(paired.is_ok(), agent, "{paired:?}");
        assert_eq!(prompted(&crowd) - prompts, usize::from(agent));
        assert_eq!(crowd.bonds(1) == before, !agent);
    }
}

#[test]
fn s10_the_identity_of_another_bonded_peer_is_not_taken_over() {
    let (mut pair, _) = with(SecurityOptions::new(), Responder::new());
    let honest = pair.connect(address(1));
    assert!(pair_with(&mut pair, honest, PairingOptions::new()).is_ok());
    let before = bonds(&pair);
    let irk = before[0].keys.irk.clone();
    let claims = Misbehaviour::ClaimsIdentity(address(1), irk.clone());
    let liar = Device::new(address(2)).server(server()).pairing(Responder::new().misbehaves(claims));
    pair.room(|radio| radio.add_device(liar));
    let link = pair.connect(address(2));
    let result = pair_with(&mut pair, link, PairingOptions::new());
    assert_eq!(result, Err(OpError::IdentityTaken { peer: address(1) }));
    assert_eq!(bonds(&pair), before);
    pair.run(seconds(1));
    assert_eq!(pair.disconnections().first().map(|(link, _)| *link), Some(link), "it is not trusted either");
    // A key that is another peer's resolves only that one.
    let claims = Misbehaviour::ClaimsIdentity(address(3), irk);
    let shares = Device::new(address(3)).server(server()).pairing(Responder::new().misbehaves(claims));
    pair.room(|radio| radio.add_device(shares));
    let link = pair.connect(address(3));
    assert!(pair_with(&mut pair, link, PairingOptions::new()).is_ok());
    let bonds = bonds(&pair);
    assert_eq!(bonds.len(), 2);
    assert_eq!((&bonds[0], &bonds[1].keys.irk), (&before[0], &None));
}

#[test]
fn s11_a_peer_that_has_lost_its_key_or_has_another_is_disconnected_and_told_nothing() {
    for (rule, status) in [
        (Misbehaviour::ForgetsKeys, ErrorCode::PinOrKeyMissing),
        (Misbehaviour::OtherKey, ErrorCode::ConnectionTerminatedDueToMicFailure),
    ] {
        let (mut pair, device) = with(SecurityOptions::new(), Responder::new());
        let link = pair.connect(address(1));
        assert!(pair_with(&mut pair, link, PairingOptions::new()).is_ok());
        disconnect(&mut pair, link);
        change(&mut pair, device, |responder| responder.misbehaves(rule.clone()));
        let (from, before) = (pair.records.len(), bonds(&pair));
        assert_eq!(pair.try_connect(address(1)), Err(OpError::Encryption { status }), "{rule:?}");
        pair.run(seconds(5));
        assert_eq!(att_sent(&pair, from), Vec::<Vec<u8>>::new(), "not even the exchange of the MTU");
        assert_eq!(bonds(&pair), before, "and nothing is paired anew");
        let ends = pair.records[from..].iter().filter(|record| {
            // Disconnect for Authentication Failure.
            matches!(record.data[..], [0x01, 0x06, 0x04, 3, _, _, 0x05])
        });
        assert_eq!(ends.count(), usize::from(rule == Misbehaviour::ForgetsKeys), "{rule:?}");
    }
}

const HANDLE: u16 = 0x40;

/// A bond with the peer of scripts.
fn bond(peer: Address, key_size: u8, ediv: u16) -> Bond {
    let ltk = LongTermKey { key: Key::new([7; 16]), ediv, rand: [u8::from(ediv != 0); 8] };
    Bond {
        peer,
        on_air: None,
        paired: PairedInfo { method: None, secure_connections: ediv == 0, authenticated: false, key_size },
        keys: Keys { peer_ltk: Some(ltk.clone()), local_ltk: Some(ltk), ..Keys::default() },
        local_irk: None,
        sign_counters: SignCounters::default(),
        client: smp::BondedClient::default(),
    }
}

/// A host that knows the peer of scripts.
fn knowing(config: HostConfig, bond: Bond) -> Script {
    let mut script = Script::with(config);
    let identity = script.host.identity();
    let op = script.submit(SecurityRequest::Load { identity, bonds: vec![bond] }.into());
    assert_eq!(script.result(op), Ok(Output::Done));
    script
}

/// LE Enable Encryption as it was sent, without what stands before its parameters.
fn enabled(script: &Script) -> Option<Vec<u8>> {
    script.sent.iter().find_map(|packet| match packet.as_slice() {
        [0x01, 0x19, 0x20, 28, parameters @ ..] => Some(parameters.to_vec()),
        _ => None,
    })
}

fn encryption_change(script: &mut Script, status: u8, enabled: u8) {
    script.event(0x08, &[status, HANDLE as u8, 0, enabled]);
}

fn disconnects(script: &Script) -> Vec<u8> {
    let reason = |packet: &baretooth::transports::HciPacket| match packet.as_slice() {
        [0x01, 0x06, 0x04, 3, _, _, reason] => Some(*reason),
        _ => None,
    };
    script.sent.iter().filter_map(reason).collect()
}

/// A link that is encrypted with its bond.
fn encrypted(script: &mut Script) -> ConnectionId {
    let op = script.connect(PEER, 23);
    script.connection_complete(0, HANDLE, PEER);
    assert!(!script.is_done(op), "not before it is encrypted");
    encryption_change(script, 0, 1);
    match script.result(op) {
        Ok(Output::Connected(info)) if info.security.encrypted => info.connection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn s11_encryption_that_goes_off_ends_the_link() {
    let mut script = knowing(config(1), bond(PEER, 16, 0x1234));
    let connection = encrypted(&mut script);
    assert_eq!(enabled(&script), Some([&[HANDLE as u8, 0], &[1; 8][..], &[0x34, 0x12], &[7; 16]].concat()));
    let read = script.submit(gatt(connection, Read::new(3)));
    script.sent.clear();
    encryption_change(&mut script, 0, 0);
    assert_eq!(disconnects(&script), [0x05]);
    // Nothing that comes or goes in the clear now is anybody's.
    script.submit(Request::WriteCommand { connection, handle: 3, value: Bytes::from_static(b"secret") });
    script.att(HANDLE, &[0x1B, 3, 0, 1]);
    assert!(script.values().is_empty() && script.frames(HANDLE).is_empty());
    script.disconnection_complete(HANDLE, 0x16);
    assert!(matches!(script.result(read), Err(OpError::Disconnected { .. })));
}

#[test]
fn s11_a_controller_that_never_says_how_it_went_does_not_leave_a_link_in_the_clear() {
    let mut script = knowing(config(1), bond(PEER, 16, 0));
    let op = script.connect(PEER, 23);
    script.connection_complete(0, HANDLE, PEER);
    script.run(seconds(39));
    assert!(!script.is_done(op) && disconnects(&script).is_empty());
    script.run(seconds(2));
    assert_eq!(disconnects(&script), [0x05]);
    script.disconnection_complete(HANDLE, 0x16);
    let status = ErrorCode::LmpResponseTimeout;
    assert_eq!(script.result(op), Err(OpError::Encryption { status }));
}

#[test]
fn s11_a_link_is_not_taken_for_encrypted_when_nobody_gave_a_key() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    encryption_change(&mut script, 0, 1);
    let changed = |event: &Event| matches!(event, Event::Security(SecurityEvent::Changed { .. }));
    assert!(!script.told.events.iter().any(changed));
    let op = script.submit(SecurityRequest::Encrypt { connection }.into());
    assert_eq!(script.result(op), Err(OpError::NotBonded { peer: PEER }));
}

/// A central that has forgotten us, or is another: our client says nothing to it in the clear.
#[test]
fn s11_as_a_peripheral_nothing_is_asked_of_a_bonded_central_in_the_clear() {
    let mut crowd = Crowd::new(2);
    crowd.agent(1);
    let (central, _) = crowd.link(0, 1);
    crowd.pair(0, central, PairingOptions::new()).expect("paired");
    let end = Request::Disconnect { connection: central, reason: ErrorCode(0x13) };
    assert_eq!(crowd.ask(0, end), Ok(Output::Done));
    crowd.run(seconds(1));
    crowd.load(0, Vec::new());
    let (_, peripheral) = crowd.link(0, 1);
    crowd.run(seconds(1));
    let from = crowd.stations[1].records.len();
    let read = crowd.submit(1, gatt(peripheral, Read::new(3)));
    let write = Request::WriteCommand { connection: peripheral, handle: 3, value: Bytes::from_static(b"x") };
    let write = crowd.submit(1, write);
    for op in [read, write] {
        assert!(matches!(crowd.done(1, op), Err(OpError::CentralSilent { .. })));
    }
    let att = |record: &&baretooth::capture::Record| {
        record.direction() == Some(baretooth::capture::Direction::Sent)
            && matches!(record.data[..], [0x02, _, _, _, _, _, _, 4, 0, ..])
    };
    assert_eq!(crowd.stations[1].records[from..].iter().filter(att).count(), 0);
    // A Security Request went, and that is all.
    let smp = |record: &&baretooth::capture::Record| matches!(record.data[..], [0x02, .., 6, 0, 0x0B, _]);
    assert_eq!(crowd.stations[1].records[from..].iter().filter(smp).count(), 1);
}

#[test]
fn s12_a_bonded_peripheral_that_asks_for_security_has_the_link_encrypted_and_no_more() {
    let mut script = knowing(config(1), bond(PEER, 16, 0));
    encrypted(&mut script);
    script.sent.clear();
    for _ in 0..1000 {
        script.frame(HANDLE, 6, &[0x0B, 0x01]);
    }
    assert!(script.frames(HANDLE).is_empty() && script.commands().is_empty());
    // What the bond does not give takes a pairing, and nobody is there to answer.
    script.run(seconds(1));
    for _ in 0..1000 {
        script.frame(HANDLE, 6, &[0x0B, 0x05]);
    }
    assert_eq!(script.frames(HANDLE), [(6, vec![0x05, 0x05])], "Pairing Not Supported");
}

#[test]
fn s13_a_peer_that_fails_waits_longer_each_time() {
    let (mut pair, _) =
        with(SecurityOptions::new(), Responder::new().misbehaves(Misbehaviour::WrongDhKeyCheck));
    let link = pair.connect(address(1));
    for wait in [1, 2, 4] {
        assert!(matches!(pair_with(&mut pair, link, PairingOptions::new()), Err(OpError::Pairing(_))));
        let refused = pair_with(&mut pair, link, PairingOptions::new());
        let Err(OpError::PairingTooSoon { left }) = refused else { panic!("{refused:?}") };
        assert!(left <= seconds(wait) && left > seconds(wait) - ms(500), "{left:?}");
        pair.run(left);
    }
}

#[test]
fn s18_nothing_of_gatt_goes_out_below_the_level_that_is_configured() {
    let least = SecurityOptions::new().level(SecurityLevel::Encrypted);
    let (mut pair, _) = with(
        least,
        Responder::new().misbehaves(Misbehaviour::Refuses(PairingFailedReason::PairingNotSupported)),
    );
    let link = pair.connect(address(1));
    let from = pair.records.len();
    let write = pair.submit(gatt(link, Write::new(OPEN, &b"secret"[..]).expect("short")));
    assert!(matches!(pair.done(write), Err(OpError::Pairing(_))));
    let value = Bytes::from_static(b"secret");
    let command = pair.submit(Request::WriteCommand { connection: link, handle: OPEN, value });
    assert!(pair.done(command).is_err());
    assert_eq!(att_sent(&pair, from), Vec::<Vec<u8>>::new());

    let (mut pair, _) = with(SecurityOptions::new().level(SecurityLevel::Encrypted), Responder::new());
    let link = pair.connect(address(1));
    let value = Bytes::from_static(b"x");
    let command = pair.submit(Request::WriteCommand { connection: link, handle: OPEN, value });
    assert_eq!(pair.done(command), Ok(Output::Done), "behind a pairing");
    assert_eq!(bonds(&pair).len(), 1);
    assert_eq!(pair.gatt(link, Read::new(ENCRYPTED)), Ok(Bytes::from_static(&[2])));
}

#[test]
fn s18_a_bond_that_is_too_weak_for_the_configuration_encrypts_nothing() {
    let only = PairingOptions::new().secure_connections(SecureConnections::Only);
    for (bond, options) in [(bond(PEER, 7, 0), PairingOptions::new()), (bond(PEER, 16, 0x1234), only)] {
        let key_size = bond.paired.key_size;
        let mut script = knowing(config(1).security(SecurityOptions::new().pairing(options)), bond);
        let op = script.connect(PEER, 23);
        script.connection_complete(0, HANDLE, PEER);
        assert_eq!(enabled(&script), None);
        assert_eq!(disconnects(&script), [0x05]);
        script.disconnection_complete(HANDLE, 0x16);
        assert_eq!(script.result(op), Err(OpError::WeakBond { key_size }));
    }
    // Unless it is allowed.
    let weak = SecurityOptions::new().pairing(PairingOptions::new().min_key_size(7));
    let mut script = knowing(config(1).security(weak), bond(PEER, 7, 0));
    encrypted(&mut script);
}

#[test]
fn a14_what_we_sign_has_a_counter_of_its_own_and_is_sent_in_the_clear_alone() {
    let mut signing = bond(PEER, 16, 0);
    let csrk = Key::from_hex("505e42df9691ec72d31fcdfbeb641b61").expect("a key");
    signing.keys = Keys { local_csrk: Some(csrk), ..Keys::default() };
    signing.sign_counters.local = 1;
    let mut script = knowing(config(1), signing);
    let connection = script.link(HANDLE);
    let write = |length: usize| {
        let value = Bytes::from([0x13, 0x37].repeat(length / 2));
        Request::SignedWrite { connection, handle: 0x12, value }
    };
    let op = script.submit(write(2));
    assert_eq!(script.result(op), Ok(Output::Done));
    let signed =
        [&[0xD2, 0x12, 0, 0x13, 0x37, 1, 0, 0, 0][..], &[0xF1, 0x87, 0x1E, 0x93, 0x3C, 0x90, 0x0F, 0xF2]];
    assert_eq!(script.frames(HANDLE), [(4, signed.concat())]);
    script.submit(write(8));
    assert_eq!(script.frames(HANDLE)[1].1[11..15], [2, 0, 0, 0]);
    assert_eq!(script.host.bonds().next().expect("one").sign_counters.local, 3);
    let op = script.submit(write(10));
    assert_eq!(script.result(op), Err(OpError::TooLong { length: 10, limit: 8 }));
    // With a key for encryption there is nothing to sign.
    let mut script = knowing(config(1), bond(PEER, 16, 0));
    let connection = encrypted(&mut script);
    script.sent.clear();
    let value = Bytes::from_static(b"x");
    script.submit(Request::SignedWrite { connection, handle: 0x12, value });
    assert_eq!(script.frames(HANDLE), [(4, vec![0x52, 0x12, 0, b'x'])]);
}

/// LE Connection Complete as a peripheral.
fn be_connected(script: &mut Script) {
    let op = script.submit(Request::Advertise(AdvertiseOptions::new()));
    let mut complete = [&[0x01, 0, HANDLE as u8, 0, 1, 1][..], &PEER.bd_addr.0].concat();
    complete.extend([24, 0, 0, 0, 0xF4, 0x01, 0x00]);
    script.event(0x3E, &complete);
    assert!(script.is_done(op));
    script.sent.clear();
}

fn key_request(script: &mut Script, handle: u16, rand: [u8; 8], ediv: u16) -> Vec<u16> {
    script.sent.clear();
    script.event(0x3E, &[&[0x05][..], &handle.to_le_bytes(), &rand, &ediv.to_le_bytes()].concat());
    script.commands()
}

const KEY_REPLY: u16 = 0x201A;
const NO_KEY_REPLY: u16 = 0x201B;

#[test]
fn h13_a_key_is_given_to_whom_it_belongs_and_nobody_else_and_links_that_are_not_there_have_none() {
    let mut script = knowing(config(1), bond(PEER, 16, 0x1234));
    assert_eq!(key_request(&mut script, 0x77, [1; 8], 0x1234), [NO_KEY_REPLY], "no link");
    be_connected(&mut script);
    for (rand, ediv, reply) in [
        ([1; 8], 0x1234, KEY_REPLY),
        ([1; 8], 0x1235, NO_KEY_REPLY),
        ([2; 8], 0x1234, NO_KEY_REPLY),
        ([0; 8], 0, NO_KEY_REPLY),
    ] {
        assert_eq!(key_request(&mut script, HANDLE, rand, ediv), [reply], "{ediv:#x}");
    }
    assert_eq!(key_request(&mut script, HANDLE, [1; 8], 0x1234), [KEY_REPLY]);
    let packet = script.sent.last().expect("the reply");
    assert_eq!(packet.as_slice()[4..], [&[HANDLE as u8, 0][..], &[7; 16]].concat());
    encryption_change(&mut script, 0, 1);
    let changed = script.told.events.iter().any(|event| {
        matches!(event, Event::Security(SecurityEvent::Changed { security, .. }) if security.encrypted)
    });
    assert!(changed);
    // As the central we have keys to give to nobody.
    let mut script = knowing(config(1), bond(PEER, 16, 0x1234));
    encrypted(&mut script);
    assert_eq!(key_request(&mut script, HANDLE, [1; 8], 0x1234), [NO_KEY_REPLY]);
}

#[test]
fn h13_events_of_encryption_for_links_that_are_gone_change_nothing() {
    let mut script = knowing(config(1), bond(PEER, 16, 0));
    encrypted(&mut script);
    script.disconnection_complete(HANDLE, 0x08);
    for (code, parameters) in [
        (0x08, &[0, HANDLE as u8, 0, 1][..]),
        (0x08, &[5, HANDLE as u8, 0, 0]),
        (0x30, &[0, HANDLE as u8, 0]),
        (0x59, &[0, HANDLE as u8, 0, 1, 16]),
    ] {
        script.sent.clear();
        script.event(code, parameters);
        assert!(script.sent.is_empty(), "{code:#x}");
    }
}

#[test]
fn an_unknown_io_capability_or_a_stranger_without_an_agent_gets_a_refusal() {
    let mut script = Script::new();
    be_connected(&mut script);
    script.frame(HANDLE, 6, &[0x01, IoCapability::NoInputNoOutput.0, 0, 0x09, 16, 3, 3]);
    assert_eq!(script.frames(HANDLE), [(6, vec![0x05, 0x05])], "Pairing Not Supported");
}
