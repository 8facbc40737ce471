//! Pairing, bonds and encryption of two hosts: what a user does, and what the next link knows.

use crate::common::*;
use baretooth::att::AttError;
use baretooth::gap::advertise::AdvertiseOptions;
use baretooth::gatt::GattError;
use baretooth::gatt::procedure::{Read, Write};
use baretooth::gatt::server::{Access, Characteristic, Service, Table};
use baretooth::hci::ErrorCode;
use baretooth::host::{
    AdvertisingEnd, ConnectionId, ConnectionInfo, Eatt, Event, OpError, Output, Pairable, Request,
    SecurityEvent, SecurityOptions, SecurityRequest, ServerEvent, ServerRequest,
};
use baretooth::sim::{ControllerOptions, RadioOptions};
use baretooth::smp::{
    Answer, IoCapability, Method, OobData, PairingFailedReason, PairingOptions, PeerOob, Prompt,
    SecureConnections, SecurityLevel,
};
use baretooth::uuid16;

const CENTRAL: usize = 0;
const PERIPHERAL: usize = 1;

/// Handles behind the GAP and GATT services, which end at 0x0F.
const OPEN: u16 = 0x12;
const ENCRYPTED: u16 = 0x14;
const AUTHENTICATED: u16 = 0x16;
const LEVEL_CCCD: u16 = 0x19;

fn table() -> Table {
    let value = |access| {
        let value = Characteristic::new(uuid16(0x2A56)).value(&b"value"[..]).max_length(20);
        value.read(access).write(access)
    };
    let level = Characteristic::new(uuid16(0x2A19)).value(&[90][..]).read(Access::OPEN).notify();
    let service = Service::primary(uuid16(0x180F))
        .characteristic(value(Access::OPEN))
        .characteristic(value(Access::ENCRYPTED))
        .characteristic(value(Access::AUTHENTICATED))
        .characteristic(level);
    Table::builder("guarded").service(service).build().expect("fits")
}

/// Two hosts that answer prompts; the peripheral serves.
fn two() -> Crowd {
    let mut crowd = Crowd::new(2);
    assert_eq!(crowd.ask(PERIPHERAL, ServerRequest::Serve(table())), Ok(Output::Done));
    crowd.agent(CENTRAL);
    crowd.agent(PERIPHERAL);
    crowd
}

/// Connects again; what the link is at once, and at the peripheral.
fn again(crowd: &mut Crowd) -> (ConnectionInfo, ConnectionId) {
    let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
    let info = crowd.try_connect(CENTRAL, crowd.address(PERIPHERAL)).expect("a link");
    match crowd.advertised(PERIPHERAL, op) {
        Ok(AdvertisingEnd::Connected(connection)) => (info, connection),
        other => panic!("{other:?}"),
    }
}

fn disconnect(crowd: &mut Crowd, connection: ConnectionId) {
    let reason = ErrorCode::RemoteUserTerminatedConnection;
    let end = Request::Disconnect { connection, reason };
    assert_eq!(crowd.ask(CENTRAL, end), Ok(Output::Done));
    crowd.run(ms(200));
}

fn options(io: IoCapability, secure_connections: SecureConnections) -> PairingOptions {
    PairingOptions::new().io(io).secure_connections(secure_connections)
}

#[test]
fn every_method_pairs_from_either_side_and_the_next_link_is_encrypted_before_it_is_used() {
    use IoCapability as Io;
    for (ours, theirs, mitm, generation, method) in [
        (Io::NoInputNoOutput, Io::NoInputNoOutput, false, SecureConnections::Off, Method::JustWorks),
        (Io::NoInputNoOutput, Io::DisplayYesNo, false, SecureConnections::Only, Method::JustWorks),
        (Io::KeyboardOnly, Io::DisplayOnly, true, SecureConnections::Off, Method::PasskeyEntry),
        (Io::DisplayOnly, Io::KeyboardOnly, true, SecureConnections::Off, Method::PasskeyEntry),
        (Io::KeyboardOnly, Io::KeyboardOnly, true, SecureConnections::Off, Method::PasskeyEntry),
        (Io::KeyboardOnly, Io::DisplayOnly, true, SecureConnections::Only, Method::PasskeyEntry),
        (Io::DisplayOnly, Io::KeyboardDisplay, true, SecureConnections::Only, Method::PasskeyEntry),
        (Io::DisplayYesNo, Io::KeyboardDisplay, true, SecureConnections::Only, Method::NumericComparison),
    ] {
        for (beginner, other) in [(CENTRAL, PERIPHERAL), (PERIPHERAL, CENTRAL)] {
            let told = format!("{method:?} {ours:?} {theirs:?} {generation:?} begun by {beginner}");
            let mut crowd = two();
            crowd.configure(other, SecurityOptions::new().pairing(options(theirs, generation)));
            let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
            let links = [central, peripheral];
            let paired = crowd.pair(beginner, links[beginner], options(ours, generation).mitm(mitm));
            let paired = paired.unwrap_or_else(|error| panic!("{told}: {error}"));
            assert_eq!((paired.method, paired.authenticated, paired.bonded), (method, mitm, true), "{told}");
            assert_eq!(paired.peer, crowd.address(other), "{told}");
            assert_eq!(paired.secure_connections, generation == SecureConnections::Only, "{told}");
            // Each has what the other has.
            let (ours, theirs) = (&crowd.bonds(CENTRAL)[0], &crowd.bonds(PERIPHERAL)[0]);
            assert_eq!(ours.keys.peer_ltk, theirs.keys.local_ltk, "{told}");
            assert!(ours.keys.peer_ltk.is_some(), "{told}");
            assert_eq!(ours.keys.irk, theirs.local_irk, "{told}");
            assert_eq!(ours.peer, crowd.address(PERIPHERAL));
            for (n, link) in links.into_iter().enumerate() {
                let security = crowd.security(n, link);
                assert_eq!((security.encrypted, security.authenticated), (true, mitm), "{told}: {n}");
                let events = crowd.security_events(n);
                let at = |wanted: fn(&SecurityEvent) -> bool| events.iter().position(wanted);
                let save = at(|event| matches!(event, SecurityEvent::Save(_))).expect("saved");
                let paired = at(|event| matches!(event, SecurityEvent::Paired { .. })).expect("told");
                assert!(save < paired, "{told}");
            }
            disconnect(&mut crowd, central);
            let (info, peripheral) = again(&mut crowd);
            assert!(info.security.encrypted && info.security.bonded, "{told}: {info:?}");
            assert_eq!(info.security.authenticated, mitm, "{told}");
            assert_eq!(info.identity, Some(crowd.address(PERIPHERAL)));
            assert_eq!(crowd.security(PERIPHERAL, peripheral), info.security, "{told}");
            assert_eq!(crowd.gatt(CENTRAL, info.connection, Read::new(ENCRYPTED)), Ok("value".into()));
        }
    }
}

#[test]
fn out_of_band_data_pair_one_way_and_both_ways() {
    for both in [false, true] {
        let mut crowd = two();
        let oob = |crowd: &mut Crowd, n| match crowd.ask(n, SecurityRequest::CreateOob) {
            Ok(Output::Oob(oob)) => oob,
            other => panic!("{other:?}"),
        };
        let (ours, theirs) = (oob(&mut crowd, CENTRAL), oob(&mut crowd, PERIPHERAL));
        let peer = PeerOob::new(theirs.confirm(), theirs.random());
        let back = both.then(|| PeerOob::new(ours.confirm(), ours.random()));
        let at_theirs = OobData::SecureConnections { local: Some(theirs), peer: back };
        let at_ours = OobData::SecureConnections { local: both.then_some(ours), peer: Some(peer) };
        crowd.configure(PERIPHERAL, SecurityOptions::new().pairing(PairingOptions::new().oob(at_theirs)));
        let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
        let paired = crowd.pair(CENTRAL, central, PairingOptions::new().oob(at_ours)).expect("paired");
        assert_eq!((paired.method, paired.authenticated), (Method::OutOfBand, true), "both ways: {both}");
    }
}

#[test]
fn pairing_without_a_bond_leaves_nothing_but_an_encrypted_link() {
    let mut crowd = two();
    let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
    let paired = crowd.pair(CENTRAL, central, PairingOptions::new().bonding(false)).expect("paired");
    assert!(!paired.bonded && crowd.bonds(CENTRAL).is_empty() && crowd.bonds(PERIPHERAL).is_empty());
    let security = crowd.security(CENTRAL, central);
    assert!(security.encrypted && !security.bonded);
    assert_eq!(crowd.gatt(CENTRAL, central, Read::new(ENCRYPTED)), Ok("value".into()));
    disconnect(&mut crowd, central);
    let (info, _) = again(&mut crowd);
    assert_eq!(info.security, Default::default());
}

#[test]
fn what_a_server_refuses_is_asked_once_more_behind_a_pairing() {
    for level in [SecurityLevel::None, SecurityLevel::Encrypted] {
        let mut crowd = two();
        crowd.configure(CENTRAL, SecurityOptions::new().level(level));
        let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
        let read = crowd.attended(CENTRAL, gatt(central, Read::new(ENCRYPTED)));
        assert!(matches!(read, Ok(Output::Gatt(_))), "{level}: {read:?}");
        assert!(crowd.security(CENTRAL, central).encrypted);
        assert_eq!(crowd.bonds(CENTRAL).len(), 1);
        // Just Works does not satisfy this one, nobody could do better, and nothing is asked for ever.
        let refused = crowd.gatt(CENTRAL, central, Read::new(AUTHENTICATED)).expect_err("not authenticated");
        let code = AttError::InsufficientAuthentication;
        assert!(matches!(refused, OpError::Gatt(GattError::Att { code: c, .. }) if c == code), "{refused}");
    }
}

#[test]
fn an_encrypted_link_is_paired_anew_for_what_takes_authentication() {
    let mut crowd = two();
    for n in [CENTRAL, PERIPHERAL] {
        let pairing = PairingOptions::new().io(IoCapability::KeyboardDisplay);
        crowd.configure(n, SecurityOptions::new().pairing(pairing));
    }
    let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
    crowd.pair(CENTRAL, central, PairingOptions::new()).expect("Just Works");
    let write = gatt(central, Write::new(AUTHENTICATED, &b"secret"[..]).expect("short"));
    let written = crowd.attended(CENTRAL, write);
    assert!(matches!(written, Ok(Output::Gatt(_))), "{written:?}");
    let security = crowd.security(CENTRAL, central);
    assert_eq!(security.level(), SecurityLevel::SecureConnections);
    assert!(crowd.bonds(CENTRAL)[0].paired.authenticated && crowd.bonds(PERIPHERAL)[0].paired.authenticated);
}

#[test]
fn without_raising_the_peers_refusal_is_the_result_and_nothing_is_sent() {
    let mut crowd = two();
    crowd.configure(CENTRAL, SecurityOptions::new().raise(false));
    let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
    let refused = crowd.gatt(CENTRAL, central, Read::new(ENCRYPTED)).expect_err("in the clear");
    assert!(matches!(refused, OpError::Gatt(GattError::Att { .. })), "{refused}");
    assert!(crowd.security_events(PERIPHERAL).is_empty());
    assert_eq!(crowd.gatt(CENTRAL, central, Read::new(OPEN)), Ok("value".into()));
}

#[test]
fn a_request_raises_a_link_from_either_side() {
    for n in [CENTRAL, PERIPHERAL] {
        let mut crowd = two();
        let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
        let raise =
            SecurityRequest::Raise { connection: [central, peripheral][n], level: SecurityLevel::Encrypted };
        match crowd.attended(n, raise) {
            Ok(Output::Security(security)) => assert!(security.encrypted && security.bonded),
            other => panic!("{n}: {other:?}"),
        }
        // More than what nobody sees and types can give.
        let level = SecurityLevel::Authenticated;
        let raise = SecurityRequest::Raise { connection: [central, peripheral][n], level };
        assert_eq!(crowd.ask(n, raise), Err(OpError::InsufficientSecurity));
    }
}

#[test]
fn a_link_is_encrypted_anew_with_its_bond() {
    let mut crowd = two();
    let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
    let encrypt = |connection| SecurityRequest::Encrypt { connection };
    let peer = crowd.address(PERIPHERAL);
    assert_eq!(crowd.ask(CENTRAL, encrypt(central)), Err(OpError::NotBonded { peer }));
    crowd.pair(CENTRAL, central, PairingOptions::new()).expect("paired");
    let refreshes = |crowd: &Crowd| {
        let of = |record: &&baretooth::capture::Record| record.data.starts_with(&[0x04, 0x30]);
        crowd.stations[CENTRAL].records.iter().filter(of).count()
    };
    assert_eq!(refreshes(&crowd), 0);
    let encrypted = crowd.ask(CENTRAL, encrypt(central));
    assert!(matches!(encrypted, Ok(Output::Security(s)) if s.encrypted), "{encrypted:?}");
    assert_eq!(refreshes(&crowd), 1, "Encryption Key Refresh Complete");
    assert_eq!(crowd.gatt(CENTRAL, central, Read::new(ENCRYPTED)), Ok("value".into()));
}

#[test]
fn a_bonded_clients_subscription_is_there_again_and_told() {
    let mut crowd = two();
    let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
    crowd.pair(CENTRAL, central, PairingOptions::new()).expect("paired");
    let configure = Write::new(LEVEL_CCCD, &[1, 0][..]).expect("short");
    crowd.gatt(CENTRAL, central, configure).expect("configured");
    let saved = |crowd: &Crowd| {
        let saves = crowd.security_events(PERIPHERAL);
        saves.iter().filter(|event| matches!(event, SecurityEvent::Save(_))).count()
    };
    assert_eq!(saved(&crowd), 1, "by the pairing");
    let _ = peripheral;
    crowd.run(seconds(2));
    assert_eq!(saved(&crowd), 2, "soon behind the change");
    disconnect(&mut crowd, central);
    assert_eq!(saved(&crowd), 2, "nothing has changed since");
    let (info, peripheral) = again(&mut crowd);
    let value =
        ServerRequest::Notify { connection: peripheral, handle: LEVEL_CCCD - 1, value: vec![55].into() };
    assert_eq!(crowd.ask(PERIPHERAL, value), Ok(Output::Done));
    crowd.run(ms(200));
    assert_eq!(crowd.stations[CENTRAL].values(info.connection, LEVEL_CCCD - 1), [[55]]);
    let configured = crowd.stations[PERIPHERAL].events(|event| match event {
        Event::Server(ServerEvent::Configured { connection, value_handle, configuration }) => {
            Some((*connection, *value_handle, *configuration))
        }
        _ => None,
    });
    assert_eq!(configured.last(), Some(&(peripheral, LEVEL_CCCD - 1, 1)));
}

#[test]
fn a_bonded_client_is_told_that_the_table_has_changed_while_it_was_away() {
    const SERVICE_CHANGED_CCCD: u16 = 0x09;
    let mut crowd = two();
    let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
    crowd.pair(CENTRAL, central, PairingOptions::new()).expect("paired");
    for (cccd, bits) in [(SERVICE_CHANGED_CCCD, 2), (LEVEL_CCCD, 1)] {
        crowd.gatt(CENTRAL, central, Write::new(cccd, vec![bits, 0]).expect("short")).expect("configured");
    }
    disconnect(&mut crowd, central);
    let other = Table::builder("guarded").build().expect("fits");
    assert_eq!(crowd.ask(PERIPHERAL, ServerRequest::Serve(other)), Ok(Output::Done));
    let (info, _) = again(&mut crowd);
    crowd.run(ms(500));
    let indication = [0x1D, 8, 0, 1, 0, 0xFF, 0xFF];
    let sent = |record: &baretooth::capture::Record| record.data.ends_with(&indication);
    assert!(crowd.stations[PERIPHERAL].records.iter().any(sent));
    let client = |crowd: &Crowd| crowd.bonds(PERIPHERAL)[0].client.clone();
    disconnect(&mut crowd, info.connection);
    assert_eq!(client(&crowd).configurations, [(SERVICE_CHANGED_CCCD, 2)].into());
}

#[test]
fn a_pairing_that_is_given_up_tells_the_peer_and_the_prompt_is_withdrawn() {
    let mut crowd = two();
    crowd.configure(
        PERIPHERAL,
        SecurityOptions::new().pairing(PairingOptions::new().io(IoCapability::KeyboardOnly)),
    );
    let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
    let options = Box::new(PairingOptions::new().io(IoCapability::DisplayOnly).mitm(true));
    let op = crowd.submit(CENTRAL, SecurityRequest::Pair { connection: central, options });
    let prompts = |crowd: &Crowd, n| {
        let events = crowd.security_events(n);
        let prompt = |event: &SecurityEvent| match event {
            SecurityEvent::Prompt { id, prompt, .. } => Some((*id, prompt.clone())),
            _ => None,
        };
        events.iter().filter_map(prompt).collect::<Vec<_>>()
    };
    crowd.until("a prompt", |crowd| {
        crowd.security_events(PERIPHERAL).iter().any(|event| matches!(event, SecurityEvent::Prompt { .. }))
    });
    crowd.cancel(CENTRAL, op);
    assert_eq!(crowd.done(CENTRAL, op), Err(OpError::Cancelled));
    crowd.run(ms(200));
    let (id, prompt) = prompts(&crowd, PERIPHERAL)[0].clone();
    assert_eq!(prompt, Prompt::EnterPasskey);
    let withdrawn =
        |event: &SecurityEvent| matches!(event, SecurityEvent::Withdrawn { id: w, .. } if *w == id);
    assert!(crowd.security_events(PERIPHERAL).iter().any(withdrawn));
    let late = SecurityRequest::Answer { connection: peripheral, prompt: id, answer: Answer::Yes };
    assert_eq!(crowd.ask(PERIPHERAL, late), Err(OpError::NotAsked));
    assert!(crowd.bonds(CENTRAL).is_empty() && crowd.bonds(PERIPHERAL).is_empty());
    assert!(crowd.stations[CENTRAL].disconnections().is_empty());
}

#[test]
fn who_may_begin_a_pairing_is_said_by_the_configuration() {
    for (pairable, agent, may) in [
        (Pairable::Never, true, false),
        (Pairable::WhenAsked, false, false),
        (Pairable::WhenAsked, true, true),
        (Pairable::Always, false, true),
    ] {
        let mut crowd = Crowd::new(2);
        crowd.configure(PERIPHERAL, SecurityOptions::new().pairable(pairable));
        if agent {
            crowd.agent(PERIPHERAL);
        }
        let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
        let paired = crowd.pair(CENTRAL, central, PairingOptions::new());
        match paired {
            Ok(_) => assert!(may, "{pairable:?} {agent}"),
            Err(OpError::Pairing(error)) => {
                assert!(!may, "{pairable:?} {agent}: {error}");
                assert_eq!(error.reason, PairingFailedReason::PairingNotSupported);
            }
            Err(other) => panic!("{other}"),
        }
        let consents = crowd.security_events(PERIPHERAL);
        let consents = consents
            .iter()
            .filter(|event| matches!(event, SecurityEvent::Prompt { prompt: Prompt::Consent, .. }));
        assert_eq!(consents.count(), usize::from(may && agent), "{pairable:?}");
    }
}

#[test]
fn a_forgotten_peer_is_disconnected_and_a_stranger_next_time() {
    let mut crowd = two();
    let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
    crowd.pair(CENTRAL, central, PairingOptions::new()).expect("paired");
    let peer = crowd.address(PERIPHERAL);
    assert_eq!(crowd.ask(CENTRAL, SecurityRequest::Unpair { peer }), Ok(Output::Done));
    crowd.until("the end of the link", |crowd| !crowd.stations[CENTRAL].disconnections().is_empty());
    crowd.run(ms(200));
    assert!(crowd.bonds(CENTRAL).is_empty());
    let forgot = |event: &SecurityEvent| matches!(event, SecurityEvent::Forget(p) if *p == peer);
    assert!(crowd.security_events(CENTRAL).iter().any(forgot));
    assert_eq!(crowd.ask(CENTRAL, SecurityRequest::Unpair { peer }), Err(OpError::NotBonded { peer }));
    let (info, _) = again(&mut crowd);
    assert_eq!(info.security, Default::default());
}

#[test]
fn who_we_were_and_whom_we_knew_is_loaded() {
    let mut crowd = two();
    let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
    crowd.pair(CENTRAL, central, PairingOptions::new()).expect("paired");
    disconnect(&mut crowd, central);
    let (identity, bonds) = (crowd.stations[CENTRAL].host.identity(), crowd.bonds(CENTRAL));
    // The same adapter another day, with another seed.
    let mut later =
        Crowd::with(RadioOptions::default(), [7, 1].map(|seed| (ControllerOptions::default(), config(seed))));
    let theirs = (crowd.stations[PERIPHERAL].host.identity(), crowd.bonds(PERIPHERAL));
    for (n, (identity, bonds)) in [(identity, bonds), theirs].into_iter().enumerate() {
        assert_eq!(later.ask(n, SecurityRequest::Load { identity, bonds }), Ok(Output::Done));
        assert_eq!(later.address(n), crowd.address(n));
    }
    assert!(later.stations[CENTRAL].commands().contains(&0x2005), "LE Set Random Address");
    let (info, _) = again(&mut later);
    assert!(info.security.encrypted);
}

#[test]
fn the_same_seed_pairs_and_reconnects_by_the_same_packets() {
    each_seed(0..2, |seed| {
        let mut crowd = Crowd::seeded(seed, 2);
        crowd.agent(PERIPHERAL);
        let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
        let paired = crowd.pair(CENTRAL, central, PairingOptions::new());
        paired.expect("paired, whatever the radio loses");
        disconnect(&mut crowd, central);
        let (info, _) = again(&mut crowd);
        assert!(info.security.encrypted);
        crowd
    });
}

#[test]
fn a_peripheral_has_its_link_paired_anew_for_authentication() {
    let mut crowd = two();
    for n in [CENTRAL, PERIPHERAL] {
        let pairing = PairingOptions::new().io(IoCapability::KeyboardDisplay);
        crowd.configure(n, SecurityOptions::new().pairing(pairing));
    }
    let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
    crowd.pair(CENTRAL, central, PairingOptions::new()).expect("Just Works");
    let level = SecurityLevel::Authenticated;
    let raised = crowd.attended(PERIPHERAL, SecurityRequest::Raise { connection: peripheral, level });
    assert!(matches!(raised, Ok(Output::Security(s)) if s.authenticated), "{raised:?}");
    crowd.run(ms(200));
    assert!(crowd.bonds(CENTRAL)[0].paired.authenticated);
}

#[test]
fn a_link_is_used_while_keys_are_still_on_their_way() {
    let mut crowd = two();
    let (central, _) = crowd.link(CENTRAL, PERIPHERAL);
    crowd.configure(PERIPHERAL, SecurityOptions::new().pairable(Pairable::Always));
    assert_eq!(crowd.ask(PERIPHERAL, SecurityRequest::Agent(false)), Ok(Output::Done));
    let pair = SecurityRequest::Pair { connection: central, options: Box::default() };
    let op = crowd.submit(CENTRAL, pair);
    crowd.until("encryption", |crowd| crowd.security(CENTRAL, central).encrypted);
    let paired = |crowd: &Crowd, n| {
        crowd.security_events(n).iter().any(|event| matches!(event, SecurityEvent::Paired { .. }))
    };
    assert!(!paired(&crowd, CENTRAL) && !paired(&crowd, PERIPHERAL));
    let read = crowd.submit(CENTRAL, gatt(central, Read::new(ENCRYPTED)));
    assert!(matches!(crowd.done(CENTRAL, read), Ok(Output::Gatt(_))));
    assert!(matches!(crowd.done(CENTRAL, op), Ok(Output::Paired(_))));
}

#[test]
fn enhanced_bearers_are_there_once_the_link_is_encrypted() {
    let encrypted = |seed| (ControllerOptions::default(), config(seed).eatt(Eatt::Encrypted));
    let mut crowd = Crowd::with(RadioOptions::default(), [1, 2].map(encrypted));
    crowd.agent(PERIPHERAL);
    let (central, peripheral) = crowd.link(CENTRAL, PERIPHERAL);
    let open = |connection| Request::OpenBearers { connection, count: 2 };
    assert_eq!(crowd.ask(CENTRAL, open(central)), Err(OpError::NotEncrypted));
    crowd.pair(CENTRAL, central, PairingOptions::new()).expect("paired");
    assert_eq!(crowd.ask(CENTRAL, open(central)), Ok(Output::Bearers(2)));
    assert_eq!(crowd.ask(PERIPHERAL, open(peripheral)), Ok(Output::Bearers(2)));
    assert!(crowd.gatt(CENTRAL, central, Read::new(3)).is_ok());
}
