//! Commands, masks, presets and controllers that misbehave.

use crate::room::*;
use baretooth::hci::command::*;
use baretooth::hci::event::HardwareError;
use baretooth::hci::*;
use baretooth::sim::*;
use baretooth::transports::HciPacket;

/// The answer of a command with parameters of this many zero octets.
fn ask(room: &mut Room, id: ControllerId, opcode: Opcode, length: usize) -> Option<Vec<u8>> {
    let before = room.log.len();
    room.send(id, HciPacket::command(opcode.0, &vec![0; length]).expect("short"));
    room.log[before..].iter().find_map(|(_, _, packet)| match event(packet)? {
        Event::CommandComplete(e) if e.command_opcode == opcode => Some(e.return_parameters.0.to_vec()),
        Event::CommandStatus(e) if e.command_opcode == opcode => Some(vec![e.status.0]),
        _ => None,
    })
}

fn claims(supported: &[u8], opcode: Opcode) -> bool {
    opcode.supported_bit().is_some_and(|(octet, bit)| supported[1 + octet] >> bit & 1 == 1)
}

#[test]
fn a_controller_claims_exactly_what_it_knows() {
    for options in [ControllerOptions::default(), ControllerOptions::legacy()] {
        let mut room = Room::new(RadioOptions::default());
        let id = room.controller(options);
        let supported = room.ok(id, &ReadLocalSupportedCommands {});
        for opcode in Command::OPCODES.iter().filter(|opcode| opcode.supported_bit().is_some()) {
            room.ok(id, &Reset {});
            // No command takes 255 octets: what is known is refused for them, what is not for itself.
            let answer = ask(&mut room, id, *opcode, 255).expect("an answer");
            let known = ErrorCode(answer[0]) != ErrorCode::UnknownHciCommand;
            assert_eq!(known, claims(&supported, *opcode), "{opcode}: {}", ErrorCode(answer[0]));
        }
    }
}

#[test]
fn no_command_of_any_length_goes_without_an_answer() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::default());
    let vendor = [Opcode(0xFC01), Opcode(0x2FFF)];
    for opcode in Command::OPCODES.iter().chain(&vendor) {
        for length in (0..80).chain([248, 255]) {
            assert!(ask(&mut room, id, *opcode, length).is_some(), "{opcode} with {length} octets");
        }
    }
}

#[test]
fn a_malformed_command_is_refused_for_its_parameters() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::default());
    let refused = Some(vec![ErrorCode::InvalidHciCommandParameters.0]);
    assert_eq!(ask(&mut room, id, LeSetRandomAddress::OPCODE, 5), refused);
    assert_eq!(ask(&mut room, id, Disconnect::OPCODE, 4), refused);
}

#[test]
fn a_liar_claims_what_it_answers_with_unknown_command() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::lying());
    let supported = room.ok(id, &ReadLocalSupportedCommands {});
    let answer = room.ok(id, &LeReadLocalSupportedFeaturesPage0 {});
    assert_ne!(answer[2] & 0x10, 0, "claims extended advertising");
    for opcode in [LeSetExtendedScanEnable::OPCODE, LeSetDefaultPhy::OPCODE, LeBigTerminateSync::OPCODE] {
        assert!(claims(&supported, opcode), "{opcode}");
        assert_eq!(ask(&mut room, id, opcode, 0), Some(vec![ErrorCode::UnknownHciCommand.0]), "{opcode}");
    }
    room.ok(id, &LeRand {});
}

#[test]
fn a_mute_command_is_never_answered_and_the_others_are() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.radio.add_controller(ControllerOptions::mute(LeRand::OPCODE));
    assert_eq!(ask(&mut room, id, LeRand::OPCODE, 0), None);
    room.run(ms(60_000));
    assert!(room.log.is_empty());
    room.ok(id, &Reset {});
}

#[test]
fn buffers_are_those_of_le_or_of_the_pool() {
    let mut room = Room::new(RadioOptions::default());
    let own = room.controller(ControllerOptions::legacy());
    assert_eq!(room.ok(own, &LeReadBufferSize {})[1..], [27, 0, 4]);
    let pool = room.controller(ControllerOptions::zero_le_buffers());
    assert_eq!(room.ok(pool, &LeReadBufferSize {})[1..], [0, 0, 0]);
    assert_eq!(room.ok(pool, &ReadBufferSize {})[1..], [251, 0, 0, 12, 0, 0, 0]);
}

#[test]
fn answers_carry_the_credits_of_the_controller() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions { command_packets: 5, ..ControllerOptions::default() });
    let credits = room.all(id, |event| match event {
        Event::CommandComplete(e) => Some(e.num_hci_command_packets),
        _ => None,
    });
    assert_eq!(credits, [5, 5, 5]);
}

#[test]
fn a_slow_controller_takes_as_many_commands_as_it_has_room_for_and_loses_the_others() {
    let mut room = Room::new(RadioOptions::default());
    let options =
        ControllerOptions { command_packets: 2, command_delay: ms(5), ..ControllerOptions::default() };
    let id = room.radio.add_controller(options);
    for _ in 0..3 {
        room.send(id, LeRand {}.to_packet().expect("no parameters"));
    }
    assert!(room.log.is_empty());
    assert_eq!(room.radio.lost_commands(id), 1);
    room.run(ms(100));
    let answers: Vec<_> =
        room.log.iter().map(|(when, _, packet)| (when.since_start(), packet.payload()[0])).collect();
    assert_eq!(answers, [(ms(5), 1), (ms(10), 2)], "when, and the credits");
    room.send(id, LeRand {}.to_packet().expect("no parameters"));
    room.run(ms(100));
    assert_eq!((room.log.len(), room.radio.lost_commands(id)), (3, 1));
}

#[test]
fn random_numbers_follow_the_seed() {
    let rand = |seed| {
        let mut room = Room::new(RadioOptions { seed, ..RadioOptions::default() });
        let id = room.controller(ControllerOptions::default());
        [room.ok(id, &LeRand {}), room.ok(id, &LeRand {})]
    };
    assert_eq!(rand(1), rand(1));
    assert_ne!(rand(1), rand(2));
    let [first, second] = rand(1);
    assert_ne!(first, second);
}

#[test]
fn legacy_and_extended_commands_do_not_mix_until_a_reset() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::default());
    room.ok(id, &LeSetScanEnable { le_scan_enable: 0, filter_duplicates: 0 });
    let extended = LeSetExtendedScanEnable { enable: 0, filter_duplicates: 0, duration: 0, period: 0 };
    assert_eq!(room.status(id, &extended), ErrorCode::CommandDisallowed);
    room.ok(id, &Reset {});
    room.ok(id, &extended);
    assert_eq!(room.status(id, &create_connection(random(1))), ErrorCode::CommandDisallowed);
}

#[test]
fn the_masks_decide_which_events_come_and_in_which_form() {
    for (mask, enhanced, plain) in [(0x1F, 0, 1), (0x21F, 1, 0), (0x200, 1, 0), (0, 0, 0)] {
        let mut room = Room::new(RadioOptions::default());
        let id = room.controller(ControllerOptions::default());
        room.ok(id, &LeSetEventMask { le_event_mask: mask.into() });
        room.radio.add_device(Device::new(random(1)));
        room.ok(id, &create_connection(random(1)));
        room.run(ms(500));
        let count = |code| room.le(id, |event| (event.code() == code).then_some(())).len();
        assert_eq!((count(0x0A), count(0x01)), (enhanced, plain), "mask {mask:#x}");
    }
    // After a reset LE events are masked as a whole.
    let mut room = Room::new(RadioOptions::default());
    let id = room.radio.add_controller(ControllerOptions::default());
    room.radio.add_device(Device::new(random(1)));
    room.ok(id, &create_connection(random(1)));
    room.run(ms(500));
    assert_eq!(room.log.len(), 1, "the status of the command and no LE event");
}

#[test]
fn a_hardware_error_leaves_the_controller_as_after_a_reset() {
    let mut room = Room::new(RadioOptions::default());
    let (central, handle, _, _) = room.pair();
    room.radio.hardware_error(central, 0x42);
    room.run(ms(10));
    room.ok(central, &LeRand {});
    let codes = room.all(central, |event| match event {
        Event::HardwareError(HardwareError { hardware_code }) => Some(hardware_code),
        _ => None,
    });
    assert_eq!(codes, [0x42]);
    let read = ReadRssi { connection_handle: handle };
    assert_eq!(room.status(central, &read), ErrorCode::UnknownConnectionIdentifier);
}

#[test]
fn faults_reach_the_host_and_stop_when_told() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::default());
    room.radio.set_faults(id, FaultPlan { drop: 1000, ..FaultPlan::default() });
    assert_eq!(ask(&mut room, id, LeRand::OPCODE, 0), None);
    room.radio.set_faults(id, FaultPlan::default());
    room.ok(id, &LeRand {});
}

#[test]
fn packets_that_only_controllers_send_and_data_for_no_link_are_ignored() {
    let mut room = Room::new(RadioOptions::default());
    let id = room.controller(ControllerOptions::default());
    let before = room.log.len();
    room.send(id, HciPacket::event(0x0E, &[1, 0, 0]).expect("short"));
    room.send(id, acl(ConnectionHandle(0x123), false, &[1, 0, 4, 0, 9]));
    room.send(id, HciPacket::new(vec![5, 1, 0, 0, 0]).expect("an empty ISO packet"));
    assert_eq!(room.log.len(), before);
}
