//! Pairings of `captures/`, replayed bit for bit: every random number follows from the seed of the session.

use crate::captures::path;
use crate::common::*;
use baretooth::capture::Direction;
use baretooth::gatt::procedure::Read;
use baretooth::host::{Event, HostConfig, OpError, Output, Request, SecurityEvent, SecurityRequest};
use baretooth::replay::{self, ReplayError, Replayed, Script, ScriptPacket, Unseen};
use baretooth::sim::{
    self, ControllerOptions, Device, DeviceId, RadioOptions, Responder, Server, Table, property,
};
use baretooth::smp::{
    Answer, Bond, IoCapability, Key, Method, OobData, PairingFailedReason, PairingOptions, Passkey, PeerOob,
    Prompt, PromptId, SecureConnections,
};
use baretooth::{ErrorCode, uuid16};

/// A session, as its row in `captures/README.md` tells of it.
struct Session {
    name: &'static str,
    seed: u64,
    /// What was typed.
    passkey: u32,
    /// What came out of band: a temporary key, or C and R of the peer.
    oob: &'static str,
}

const SESSIONS: [Session; 4] = [
    Session {
        name: "pairing_legacy_central.btsnoop",
        seed: 60,
        passkey: 525_218,
        oob: "07070707070707070707070707070707",
    },
    Session {
        name: "pairing_legacy_peripheral.btsnoop",
        seed: 61,
        passkey: 158_615,
        oob: "07070707070707070707070707070707",
    },
    Session {
        name: "pairing_central.pcapng",
        seed: 70,
        passkey: 232_786,
        oob: "99bc84e2f8850303fc584b2cfc5f157ffe152d62557d11493eb2c7eb1e0133f6",
    },
    Session {
        name: "pairing_peripheral.pcapng",
        seed: 71,
        passkey: 102_738,
        oob: "d28739bf0c0b3ab72b0d04848185a5bb167ff51ccdac4f79e4e7afd03f2e94a9",
    },
];

impl Session {
    fn script(&self) -> Script {
        Script::open(path(self.name)).expect("a capture")
    }

    fn typed(&self) -> Unseen {
        Unseen::new().typed(Passkey::new(self.passkey).expect("six digits"))
    }

    fn unseen(&self) -> Unseen {
        let key = |hex| Key::from_hex(hex).expect("16 octets");
        match self.oob.len() {
            32 => self.typed().temporary_key(key(self.oob)),
            _ => {
                let (c, r) = self.oob.split_at(32);
                self.typed().out_of_band(PeerOob::new(*key(c).octets(), *key(r).octets()))
            }
        }
    }

    fn replay(&self, unseen: Unseen) -> Result<Replayed, ReplayError> {
        let script = self.script();
        let config = script.configure(HostConfig::seeded(self.seed));
        replay::run_with(script, config, unseen)
    }
}

fn methods(replayed: &Replayed) -> Vec<(Method, bool)> {
    let paired = |event: &Event| match event {
        Event::Security(SecurityEvent::Paired { summary, .. }) => {
            Some((summary.method, summary.secure_connections))
        }
        _ => None,
    };
    replayed.events.iter().filter_map(paired).collect()
}

#[test]
fn every_method_of_both_generations_replays_bit_for_bit_in_both_roles() {
    use Method::{JustWorks, NumericComparison, OutOfBand, PasskeyEntry};
    for session in &SESSIONS {
        let packets = session.script().packets().len();
        let replayed =
            session.replay(session.unseen()).unwrap_or_else(|error| panic!("{}: {error}", session.name));
        assert_eq!(replayed.sent + replayed.received, packets, "{}", session.name);
        let modern = session.name.ends_with("pcapng");
        let all = [JustWorks, PasskeyEntry, PasskeyEntry, NumericComparison, OutOfBand];
        let expected: Vec<_> = all
            .into_iter()
            .filter(|method| modern || *method != NumericComparison)
            .map(|method| (method, modern))
            .collect();
        assert_eq!(methods(&replayed), expected, "{}", session.name);
    }
}

#[test]
fn pairings_that_failed_fail_again() {
    let script = Script::open(path("pairing_failures.pklg")).expect("a capture");
    let config = script.configure(HostConfig::seeded(80));
    let passkey = || Passkey::new(123_456).expect("six digits");
    let replayed = replay::run_with(script, config, Unseen::new().typed(passkey()).typed(passkey()));
    let replayed = replayed.unwrap_or_else(|error| panic!("{error}"));
    let reasons = [
        PairingFailedReason::ConfirmValueFailed,
        PairingFailedReason::ConfirmValueFailed,
        PairingFailedReason::NumericComparisonFailed,
        PairingFailedReason::AuthenticationRequirements,
    ];
    assert_eq!(failed(&replayed), reasons);
    assert_eq!(methods(&replayed), [(Method::JustWorks, true)]);
}

/// The number of the first PDU of this code that the host of a session sent.
fn first(session: &Session, code: u8) -> u64 {
    let is_it = |packet: &&ScriptPacket| {
        packet.direction == Direction::Sent
            && matches!(packet.packet.as_slice(), [0x02, _, _, _, _, _, _, 6, 0, said, ..] if *said == code)
    };
    session.script().packets().iter().find(is_it).expect("such a PDU").number
}

#[test]
fn another_seed_is_told_by_the_packet_and_the_field_of_its_first_random_number() {
    for session in &SESSIONS {
        let script = session.script();
        let other = HostConfig::seeded(session.seed + 1000);
        let error = replay::run_with(script.clone(), script.configure(other.clone()), session.unseen());
        let Err(ReplayError::Differs(difference)) = error else { panic!("{error:?}") };
        assert_eq!(difference.field().expect("a field").0, "random_address", "{}", session.name);

        // With our address the first of them is of the first pairing.
        let address = script.random_address().expect("in the capture");
        let other = script.configure(other.random_address(address));
        let error = replay::run_with(script, other, session.unseen());
        let Err(ReplayError::Differs(difference)) = error else { panic!("{error:?}") };
        let modern = session.name.ends_with("pcapng");
        let (code, field) = if modern { (0x0C, "public_key_x") } else { (0x03, "confirm_value") };
        assert_eq!(difference.number, first(session, code), "{}", session.name);
        assert_eq!(difference.field().expect("a field").0, field, "{}", session.name);
    }
}

#[test]
fn what_was_typed_or_came_out_of_band_is_asked_for_by_the_packet_that_follows_from_it() {
    for session in &SESSIONS {
        for (unseen, what) in [
            (Unseen::new(), "a passkey that was typed"),
            (session.typed(), if session.oob.len() == 32 { "a temporary key" } else { "data of the peer" }),
        ] {
            let error = session.replay(unseen).expect_err("something is missing");
            let ReplayError::Unseen { number, expected, .. } = &error else { panic!("{error}") };
            let script = session.script();
            let packet = script.packets().iter().find(|packet| packet.number == *number);
            assert_eq!(packet.map(|packet| &packet.packet), Some(expected));
            assert!(
                error.to_string().starts_with(&format!("packet {number} follows from {what}")),
                "{error}"
            );
        }
    }
}

#[test]
fn a_passkey_that_was_not_typed_is_another_confirm_value() {
    for session in &SESSIONS {
        let other = Session { passkey: session.passkey ^ 1, ..*session };
        let error = other.replay(other.unseen()).expect_err("another passkey");
        let ReplayError::Differs(difference) = error else { panic!("{error}") };
        assert_eq!(difference.field().expect("a field").0, "confirm_value", "{}", session.name);
    }
}

/// A value that only encrypted links get.
const KEPT: u16 = 3;

fn keeper(responder: Responder) -> Device {
    let server: Server = Table::default()
        .service(uuid16(0x180F))
        .characteristic(uuid16(0x2A19), property::READ, [87])
        .adjust(|attribute| attribute.permissions.encrypted = true)
        .build();
    Device::new(address(1)).server(server).pairing(responder)
}

fn room(responder: Responder) -> (Pair, DeviceId) {
    let mut pair = Pair::with(RadioOptions::default(), ControllerOptions::default(), config(8));
    let device = pair.room(|radio| radio.add_device(keeper(responder)));
    (pair, device)
}

/// Replays what a room has seen, by guesses.
fn guessed(pair: &Pair, unseen: Unseen) -> Replayed {
    let script = Script::read(&pair.capture()[..]).expect("our own");
    let config = script.configure(config(8));
    replay::run_with(script, config, unseen).unwrap_or_else(|error| panic!("{error}"))
}

fn failed(replayed: &Replayed) -> Vec<PairingFailedReason> {
    let failed = |event: &Event| match event {
        Event::Security(SecurityEvent::Failed { error, .. }) => Some(error.reason),
        _ => None,
    };
    replayed.events.iter().filter_map(failed).collect()
}

fn prompted(pair: &mut Pair) -> PromptId {
    let prompt = |event: &Event| match event {
        Event::Security(SecurityEvent::Prompt { id, prompt, .. })
            if !matches!(prompt, Prompt::Keypress(_)) =>
        {
            Some(*id)
        }
        _ => None,
    };
    pair.until("a prompt", |pair| pair.told.events.iter().any(|event| prompt(event).is_some()));
    pair.told.events.iter().filter_map(prompt).last().expect("waited for")
}

fn pairing_of(pair: &mut Pair, io: IoCapability, answer: Option<Answer>) -> Result<Output, OpError> {
    let connection = pair.connect(address(1));
    let options = Box::new(PairingOptions::new().io(io).mitm(true));
    let op = pair.submit(SecurityRequest::Pair { connection, options });
    let prompt = prompted(pair);
    match answer {
        Some(answer) => {
            pair.submit(SecurityRequest::Answer { connection, prompt, answer });
        }
        None => pair.cancel(op),
    }
    let result = pair.done(op);
    pair.run(ms(200));
    result
}

#[test]
fn a_wrong_passkey_a_no_and_a_pairing_that_is_given_up_are_guessed() {
    let passkey = Passkey::new(123_456).expect("six digits");
    for generation in [sim::SecureConnections::Off, sim::SecureConnections::Only] {
        let display = || Responder::new().io(IoCapability::DisplayOnly).secure_connections(generation);
        let (mut pair, _) = room(display().shows(654_321));
        let typed = Some(Answer::Passkey(passkey.clone()));
        assert!(pairing_of(&mut pair, IoCapability::KeyboardOnly, typed).is_err());
        let replayed = guessed(&pair, Unseen::new().typed(passkey.clone()));
        assert_eq!(failed(&replayed), [PairingFailedReason::ConfirmValueFailed]);

        let (mut pair, _) = room(display());
        assert_eq!(pairing_of(&mut pair, IoCapability::KeyboardOnly, None), Err(OpError::Cancelled));
        guessed(&pair, Unseen::new());
    }
    // Before anybody is asked anything.
    let (mut pair, _) = room(Responder::new());
    let connection = pair.connect(address(1));
    let op = pair.submit(SecurityRequest::Pair { connection, options: Box::default() });
    pair.cancel(op);
    assert_eq!(pair.done(op), Err(OpError::Cancelled));
    assert_eq!(failed(&guessed(&pair, Unseen::new())), [PairingFailedReason::UnspecifiedReason]);

    let (mut pair, _) = room(Responder::new().io(IoCapability::DisplayYesNo));
    assert!(pairing_of(&mut pair, IoCapability::DisplayYesNo, Some(Answer::No)).is_err());
    assert_eq!(failed(&guessed(&pair, Unseen::new())), [PairingFailedReason::NumericComparisonFailed]);
}

#[test]
fn data_that_went_out_of_band_in_either_direction_or_both_are_made_again_or_given() {
    for (we_know, it_knows) in [(true, true), (true, false), (false, true)] {
        let mut pair = Pair::with(RadioOptions::default(), ControllerOptions::default(), config(8));
        let (mut responder, data) = Responder::new().makes_out_of_band(9);
        let mut local = None;
        if it_knows {
            let op = pair.submit(SecurityRequest::CreateOob);
            let Ok(Output::Oob(ours)) = pair.done(op) else { panic!("no data") };
            let (confirm, random) = (ours.confirm(), ours.random());
            responder = responder.knows_out_of_band(sim::OutOfBand { confirm, random });
            local = Some(ours);
        }
        pair.room(|radio| radio.add_device(keeper(responder)));
        let connection = pair.connect(address(1));
        let peer = PeerOob::new(data.confirm, data.random);
        let both = OobData::SecureConnections { local, peer: we_know.then(|| peer.clone()) };
        let options = Box::new(PairingOptions::new().oob(both));
        let op = pair.submit(SecurityRequest::Pair { connection, options });
        pair.done(op).expect("paired");
        pair.run(ms(200));
        let unseen = if we_know { Unseen::new().out_of_band(peer) } else { Unseen::new() };
        assert_eq!(methods(&guessed(&pair, unseen)), [(Method::OutOfBand, true)]);
    }
}

#[test]
fn a_bond_of_before_the_capture_is_found_in_its_packets() {
    for generation in [SecureConnections::Off, SecureConnections::Only] {
        let (mut pair, device) = room(Responder::new());
        let connection = pair.connect(address(1));
        let options = Box::new(PairingOptions::new().secure_connections(generation));
        let op = pair.submit(SecurityRequest::Pair { connection, options });
        pair.done(op).expect("paired");
        pair.run(ms(200));
        let bond: Bond = pair.host.bonds().next().expect("a bond").clone();
        let device = pair.room(|radio| radio.remove_device(device)).expect("there");

        // Another host with the same address, and a capture that begins with it.
        let mut pair = Pair::with(RadioOptions::default(), ControllerOptions::default(), config(8));
        pair.room(|radio| radio.add_device(device));
        let bond = Bond { keys: baretooth::smp::Keys { irk: None, ..bond.keys }, ..bond };
        pair.submit(SecurityRequest::Import(Box::new(bond)));
        let info = pair.try_connect(address(1)).expect("a link");
        assert!(info.security.encrypted);
        assert_eq!(pair.gatt(info.connection, Read::new(KEPT)).expect("for encrypted links")[..], [87]);
        let reason = ErrorCode::RemoteUserTerminatedConnection;
        let op = pair.submit(Request::Disconnect { connection: info.connection, reason });
        pair.done(op).expect("down");
        let replayed = guessed(&pair, Unseen::new());
        let encrypted = |event: &Event| matches!(event, Event::Connected(info) if info.security.encrypted);
        assert!(replayed.events.iter().any(encrypted));
    }
}

#[test]
fn a_pairing_that_a_server_or_a_peripheral_asks_for_and_one_that_is_not_wanted_are_guessed() {
    // The server refuses, the host pairs by itself and asks again.
    let (mut pair, _) = room(Responder::new());
    let connection = pair.connect(address(1));
    assert_eq!(pair.gatt(connection, Read::new(KEPT)).expect("raised")[..], [87]);
    pair.run(ms(200));
    let replayed = guessed(&pair, Unseen::new());
    assert_eq!(methods(&replayed), [(Method::JustWorks, true)]);
    let refused = |event: &Event| matches!(event, Event::OpDone { result: Err(_), .. });
    assert!(!replayed.events.iter().any(refused), "there was one read, not two");

    // The peripheral asks, of a host with an agent and of one without.
    for agent in [true, false] {
        let (mut pair, _) = room(Responder::new().security_request(true));
        let op = pair.submit(SecurityRequest::Agent(agent));
        pair.done(op).expect("done");
        let connection = pair.connect(address(1));
        if agent {
            let prompt = prompted(&mut pair);
            pair.submit(SecurityRequest::Answer { connection, prompt, answer: Answer::Yes });
        }
        pair.run(seconds(1));
        assert_eq!(methods(&guessed(&pair, Unseen::new())).len(), usize::from(agent));
    }
}
