//! The ladder: a controller that fails is brought back by one rung after the other, and everybody is told once.

use crate::common::*;
use baretooth::Address;
use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::gatt::procedure::{Discover, Read};
use baretooth::hci::{ErrorCode, InitError, Opcode};
use baretooth::host::{ConnectionId, Event, Fault, OpError, OpId, Recovery, Request, Rung};
use baretooth::sim::{ControllerOptions, RadioOptions, demo};
use bytes::Bytes;

const READ_RSSI: u16 = 0x1405;
const RESET: u16 = 0x0C03;

fn pair(recovery: Recovery, seed: u64) -> Pair {
    let radio = RadioOptions { seed, loss: 50, ..RadioOptions::default() };
    let mut pair = Pair::with(radio, ControllerOptions::default(), config(seed).recovery(recovery));
    for device in [demo::heart_rate_strap(), demo::thermometer(), demo::echo()] {
        pair.room(|radio| radio.add_device(device));
    }
    pair
}

fn scan_all(pair: &mut Pair) -> OpId {
    pair.scan(ScanOptions::new().duplicates(Duplicates::All))
}

fn hang(pair: &mut Pair, deaf_to: u32) {
    let controller = pair.controller;
    pair.room(|radio| radio.hang(controller, deaf_to));
}

/// A command whose silence means something.
fn rssi(pair: &mut Pair, connection: ConnectionId) -> OpId {
    pair.submit(Request::ReadRssi { connection })
}

/// The steps so far: what was wrong and what followed, `None` for ready.
fn steps(pair: &Pair) -> Vec<Option<(Fault, Option<Rung>)>> {
    let step = |event: &Event| match event {
        Event::Fault { fault, then } => Some(Some((fault.clone(), *then))),
        Event::Ready(_) => Some(None),
        _ => None,
    };
    // Without the first time that it was ready.
    pair.told.events.iter().filter_map(step).skip(1).collect()
}

fn rungs(pair: &Pair) -> Vec<Option<Rung>> {
    steps(pair).into_iter().flatten().map(|(_, then)| then).collect()
}

/// The transport is open again, with a controller that was off for a moment.
fn reopened(pair: &mut Pair) {
    let (controller, now) = (pair.controller, pair.now);
    pair.radio.power_cycle(controller);
    pair.host.handle_reopened(now, Ok(()));
    pair.room(|_| ());
}

fn not_opened(pair: &mut Pair) {
    pair.host.handle_reopened(pair.now, Err("unplugged".into()));
    pair.room(|_| ());
}

fn hears_more(pair: &mut Pair, scan: OpId) -> bool {
    let before = pair.heard(scan).len();
    pair.run(seconds(2));
    pair.heard(scan).len() > before + 10
}

fn silent_init(opcode: u16) -> Fault {
    InitError::Silent(Opcode(opcode)).into()
}

#[test]
fn a_controller_that_falls_silent_is_reset_everybody_is_told_once_and_scanning_goes_on() {
    each_seed(0..3, |seed| {
        let mut pair = pair(Recovery::Reopen, seed);
        let scan = scan_all(&mut pair);
        let connection = pair.connect(demo::HEART_RATE_ADDRESS);
        let connects = [address(98), address(99)].map(|address| pair.submit(connect(address)));
        pair.run(seconds(1));
        hang(&mut pair, 0);
        let read = pair.submit(gatt(connection, Read::new(3)));
        let begun = pair.now;
        let asked = rssi(&mut pair, connection);
        let behind = pair.submit(Request::ReadPhy { connection });
        let failed = silent(READ_RSSI, Some(Rung::Reset));
        assert_eq!(pair.done(asked), Err(failed.clone()));
        assert_eq!(pair.now.since(begun), seconds(2));
        for op in [behind].into_iter().chain(connects) {
            assert_eq!(pair.told.result(op), Some(&Err(failed.clone())), "told at once");
        }
        let reason = ErrorCode::HardwareFailure;
        assert_eq!(pair.told.result(read), Some(&Err(OpError::Disconnected { reason })));
        assert_eq!(pair.disconnections(), [(connection, reason)]);
        let OpError::ControllerFailed { fault, then } = failed else { unreachable!("made so") };
        assert_eq!(steps(&pair), [Some((fault, then)), None]);
        assert!(hears_more(&mut pair, scan));
        assert!(pair.told.result(scan).is_none());
        // The strap waits for its supervision time-out before it advertises again.
        pair.run(seconds(6));
        let connection = pair.connect(demo::HEART_RATE_ADDRESS);
        assert!(pair.gatt(connection, Discover::all()).is_ok());
        pair
    });
}

#[test]
fn silence_to_the_reset_leads_to_the_next_rung_and_what_is_asked_for_meanwhile_waits() {
    each_seed(0..2, |seed| {
        let mut pair = pair(Recovery::Reopen, seed);
        let scan = scan_all(&mut pair);
        let connection = pair.connect(demo::HEART_RATE_ADDRESS);
        hang(&mut pair, u32::MAX);
        let begun = pair.now;
        let asked = rssi(&mut pair, connection);
        pair.until("the second rung", |pair| rungs(pair).len() == 2);
        assert_eq!(pair.now.since(begun), seconds(2 + 2 + 2), "the command, and two resets");
        assert!(pair.told.result(asked).is_some());
        assert_eq!(steps(&pair)[1], Some((silent_init(RESET), Some(Rung::Reopen))));
        let commands = pair.commands;
        let command = Request::Command { opcode: Opcode(0x1001), parameters: Bytes::new() };
        let command = pair.submit(command);
        assert_eq!(pair.done(command), Err(OpError::NotReady));
        let late_scan = pair.submit(Request::Scan(ScanOptions::new().duplicates(Duplicates::All)));
        let late_connect = pair.submit(connect(demo::ECHO_ADDRESS));
        let given_up = pair.submit(connect(demo::THERMOMETER_ADDRESS));
        pair.cancel(given_up);
        assert_eq!(pair.done(given_up), Err(OpError::Cancelled));
        pair.run(seconds(300));
        assert_eq!(pair.commands, commands, "nothing is sent while it is away");
        reopened(&mut pair);
        assert_eq!(steps(&pair).last(), Some(&None));
        assert!(pair.connected(late_connect).is_ok());
        assert!(hears_more(&mut pair, scan));
        assert!(!pair.heard(late_scan).is_empty());
        pair
    });
}

#[test]
fn when_no_rung_helps_everybody_who_waits_is_told_once_and_so_is_the_session() {
    let mut pair = pair(Recovery::ResetPort, 1);
    let scan = scan_all(&mut pair);
    let connection = pair.connect(demo::HEART_RATE_ADDRESS);
    hang(&mut pair, u32::MAX);
    rssi(&mut pair, connection);
    pair.until("the port", |pair| rungs(pair).last() == Some(&Some(Rung::ResetPort)));
    let waiting = pair.submit(connect(demo::ECHO_ADDRESS));
    not_opened(&mut pair);
    assert_eq!(rungs(&pair).last(), Some(&Some(Rung::Reopen)));
    assert!(pair.told.result(scan).is_none() && pair.told.result(waiting).is_none());
    // Opened, and as silent as before.
    pair.host.handle_reopened(pair.now, Ok(()));
    pair.run(seconds(10));
    assert_eq!(rungs(&pair), [Some(Rung::Reset), Some(Rung::ResetPort), Some(Rung::Reopen), None]);
    let failed = OpError::ControllerFailed { fault: silent_init(RESET), then: None };
    assert_eq!(pair.told.result(scan), Some(&Err(failed.clone())));
    assert_eq!(pair.told.result(waiting), Some(&Err(failed.clone())));
    let ends: Vec<_> = pair.told.events.iter().filter(|event| matches!(event, Event::Failed(_))).collect();
    assert!(matches!(&ends[..], [Event::Failed(error)] if *error == failed), "{ends:?}");
    let late = pair.submit(connect(demo::ECHO_ADDRESS));
    assert_eq!(pair.done(late), Err(failed));
    // Nobody asked: nothing happens.
    pair.host.handle_reopened(pair.now, Ok(()));
    pair.run(seconds(60));
    assert_eq!(rungs(&pair).len(), 4);
}

#[test]
fn an_adapter_that_cannot_be_opened_again_fails_with_what_was_said() {
    let mut pair = pair(Recovery::Reopen, 1);
    let connection = pair.connect(demo::HEART_RATE_ADDRESS);
    hang(&mut pair, u32::MAX);
    rssi(&mut pair, connection);
    pair.until("the second rung", |pair| rungs(pair).len() == 2);
    not_opened(&mut pair);
    let failed = OpError::ControllerFailed { fault: Fault::NotOpened("unplugged".into()), then: None };
    assert!(matches!(pair.told.events.last(), Some(Event::Failed(error)) if *error == failed));
    assert_eq!(failed.to_string(), "unplugged; nothing is left to try");
}

#[test]
fn a_rung_that_is_not_allowed_is_never_tried() {
    for (recovery, expected) in [
        (Recovery::Reset, vec![Some(Rung::Reset), None]),
        (Recovery::Reopen, vec![Some(Rung::Reset), Some(Rung::Reopen), None]),
    ] {
        let mut pair = pair(recovery, 1);
        let connection = pair.connect(demo::HEART_RATE_ADDRESS);
        hang(&mut pair, u32::MAX);
        rssi(&mut pair, connection);
        while !pair.told.events.iter().any(|event| matches!(event, Event::Failed(_))) {
            pair.run(seconds(10));
            not_opened(&mut pair);
        }
        assert_eq!(rungs(&pair), expected, "{recovery:?}");
    }
}

#[test]
fn without_recovery_silence_is_its_own_request_s_business_and_a_hardware_error_ends_the_session() {
    let mut pair = pair(Recovery::Off, 1);
    let connection = pair.connect(demo::HEART_RATE_ADDRESS);
    hang(&mut pair, 0);
    let asked = rssi(&mut pair, connection);
    let command = Opcode(READ_RSSI);
    assert_eq!(pair.done(asked), Err(OpError::ControllerSilent { command, after: seconds(2) }));
    pair.run(seconds(2));
    assert_eq!((steps(&pair), pair.disconnections()), (vec![], vec![]));

    let mut pair = self::pair(Recovery::Off, 1);
    let connection = pair.connect(demo::HEART_RATE_ADDRESS);
    let controller = pair.controller;
    pair.room(|radio| radio.hardware_error(controller, 7));
    assert_eq!(rungs(&pair), [None]);
    assert_eq!(pair.disconnections(), [(connection, ErrorCode::HardwareFailure)]);
    assert!(
        matches!(pair.told.events.last(), Some(Event::Failed(error)) if *error == hardware_error(7, None))
    );
}

/// A vendor's command may have no answer, and an answer may be lost; a controller that says nothing to two is gone.
#[test]
fn one_raw_command_may_stay_unanswered_and_two_in_a_row_may_not() {
    const LE_RAND: u16 = 0x2018;
    let mute = vec![Opcode(LE_RAND)];
    let mut pair = Pair::controller(ControllerOptions { mute, ..ControllerOptions::default() });
    let mut command = |opcode| {
        let op = pair.submit(Request::Command { opcode: Opcode(opcode), parameters: Bytes::new() });
        (pair.done(op), steps(&pair).len())
    };
    let alone = OpError::ControllerSilent { command: Opcode(LE_RAND), after: seconds(2) };
    for _ in 0..2 {
        assert_eq!(command(LE_RAND), (Err(alone.clone()), 0));
        assert!(command(0x1009).0.is_ok(), "goes on");
    }
    assert_eq!(command(LE_RAND), (Err(alone), 0));
    let failed = silent(LE_RAND, Some(Rung::Reset));
    assert_eq!(command(LE_RAND), (Err(failed), 2), "reset, and ready again");
}

/// Silence to the extended commands is taken for not having them, but not by a controller that had them before.
#[test]
fn a_controller_that_had_the_extended_commands_is_reset_when_it_does_not_answer_one() {
    let mut pair = pair(Recovery::Reset, 1);
    let first = scan_all(&mut pair);
    pair.cancel(first);
    pair.run(seconds(1));
    hang(&mut pair, 0);
    let scan = pair.submit(Request::Scan(ScanOptions::new()));
    assert_eq!(pair.done(scan), Err(silent(0x2042, Some(Rung::Reset))));
    let scan = scan_all(&mut pair);
    assert!(hears_more(&mut pair, scan));
    assert!(pair.host.controller().is_some_and(|info| info.extended));
}

#[test]
fn an_attempt_that_is_being_cancelled_ends_as_cancelled_when_the_controller_falls_silent() {
    let mut pair = pair(Recovery::Reset, 1);
    let op = pair.submit(connect(address(99)));
    pair.run(seconds(1));
    hang(&mut pair, 0);
    pair.cancel(op);
    assert_eq!(pair.done(op), Err(OpError::Cancelled));
    assert_eq!(steps(&pair).len(), 2);
    assert!(pair.host.is_idle());
}

#[test]
fn a_controller_that_fails_again_and_again_is_given_up() {
    for (pause, given_up) in [(5, true), (30, false)] {
        let mut pair = pair(Recovery::Reset, 1);
        let scan = scan_all(&mut pair);
        let controller = pair.controller;
        for n in 0..20 {
            pair.room(|radio| radio.hardware_error(controller, n));
            pair.run(seconds(pause));
        }
        let tried = rungs(&pair).iter().filter(|rung| **rung == Some(Rung::Reset)).count();
        assert_eq!((tried, pair.told.result(scan).is_some()), if given_up { (3, true) } else { (20, false) });
        if given_up {
            assert_eq!(pair.told.result(scan), Some(&Err(hardware_error(3, None))));
        }
    }
}

#[test]
fn a_second_failure_behind_a_reset_that_changed_nothing_leads_to_the_next_rung() {
    let mut pair = pair(Recovery::Reopen, 1);
    let controller = pair.controller;
    for _ in 0..2 {
        pair.room(|radio| radio.hardware_error(controller, 1));
    }
    assert_eq!(rungs(&pair), [Some(Rung::Reset), Some(Rung::Reopen)]);
    reopened(&mut pair);
    pair.run(seconds(61));
    pair.room(|radio| radio.hardware_error(controller, 1));
    assert_eq!(rungs(&pair).last(), Some(&Some(Rung::Reset)), "it has worked since");
}

/// Requests of all kinds while a controller hangs at any moment, comes back by any rung or by none.
#[test]
fn whenever_a_controller_falls_silent_each_request_ends_once() {
    const DEVICES: [Address; 3] = [demo::HEART_RATE_ADDRESS, demo::THERMOMETER_ADDRESS, demo::ECHO_ADDRESS];
    let (mut ready_again, mut failed) = (0, 0);
    for seed in 0..60 {
        let _blame = Blame(seed);
        let run = || {
            let mut dice = Dice(seed);
            let policies = [Recovery::Reset, Recovery::Reopen, Recovery::ResetPort];
            let mut pair = pair(policies[dice.below(3)], seed);
            let mut ops = Vec::new();
            for _ in 0..60 {
                let up = ups(&pair);
                let connection = up.get(dice.below(up.len().max(1))).copied().unwrap_or(ConnectionId(99));
                ops.push(match dice.below(9) {
                    0 => pair.submit(Request::Scan(ScanOptions::new())),
                    1 | 2 => pair.submit(connect(DEVICES[dice.below(3)])),
                    3 => pair.submit(gatt(connection, Discover::all())),
                    4 => pair.submit(gatt(connection, Read::new(3))),
                    5 => pair.submit(Request::ReadRssi { connection }),
                    6 => pair.submit(Request::ReadRemoteVersion { connection }),
                    7 => pair.submit(Request::Command { opcode: Opcode(0x1001), parameters: Bytes::new() }),
                    _ => {
                        if let Some(op) = ops.get(dice.below(ops.len().max(1))) {
                            pair.cancel(*op);
                        }
                        continue;
                    }
                });
                pair.run(ms(dice.below(1500) as u64));
                match dice.below(8) {
                    0 => hang(&mut pair, dice.below(4) as u32),
                    1 => not_opened(&mut pair),
                    2 | 3 => reopened_if_away(&mut pair),
                    _ => {}
                }
            }
            for op in &ops {
                pair.cancel(*op);
            }
            // Whatever is still away comes back, or does not.
            for _ in 0..4 {
                pair.run(seconds(60));
                if dice.below(2) == 0 { reopened_if_away(&mut pair) } else { not_opened(&mut pair) }
            }
            pair.run(seconds(120));
            let open: Vec<_> = ops.iter().filter(|op| pair.told.result(**op).is_none()).collect();
            assert_eq!(open, Vec::<&OpId>::new());
            assert!(
                ups(&pair).is_empty() || rungs(&pair).last() != Some(&None),
                "a link outlives the session"
            );
            pair
        };
        let (first, second) = (run(), run());
        assert!(first.capture() == second.capture(), "two runs of one seed differ");
        ready_again += steps(&first).iter().filter(|step| step.is_none()).count();
        failed += usize::from(rungs(&first).last() == Some(&None));
    }
    // What this would be worth nothing without.
    assert!(ready_again > 60 && failed > 5, "{ready_again} recoveries, {failed} failures");
}

/// Links that are up.
fn ups(pair: &Pair) -> Vec<ConnectionId> {
    let down = pair.disconnections();
    let connected = |event: &Event| match event {
        Event::Connected(info) if !down.iter().any(|(id, _)| *id == info.connection) => Some(info.connection),
        _ => None,
    };
    pair.told.events.iter().filter_map(connected).collect()
}

fn reopened_if_away(pair: &mut Pair) {
    if matches!(rungs(pair).last(), Some(Some(Rung::Reopen | Rung::ResetPort)))
        && steps(pair).last().is_some_and(Option::is_some)
    {
        reopened(pair);
    }
}

/// Numbers by a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn a_controller_that_has_the_extended_commands_after_all_is_reset_and_then_scans() {
    const EXTENDED: u16 = 0x2041;
    const LEGACY: u16 = 0x200B;
    let mut script = Script::unready(config(1));
    script.features = 1 << 12;
    script.exchange();
    script.sent.clear();
    script.answers = false;
    let scan = script.submit(Request::Scan(ScanOptions::new()));
    // What was heard of its answer is that it does not know the command.
    script.event(0x0E, &[1, 0x41, 0x20, 0x01]);
    assert_eq!(script.commands(), [EXTENDED, LEGACY]);
    script.answers = true;
    script.event(0x0E, &[1, 0x0B, 0x20, 0x0C]);
    let fault = Fault::Contradictory { command: Opcode(EXTENDED) };
    let told = |event: &Event| matches!(event, Event::Fault { fault: told, then: Some(Rung::Reset) } if *told == fault);
    assert!(script.told.events.iter().any(told), "{:?}", script.told.events);
    assert_eq!(script.commands()[2], RESET);
    let error = OpError::ControllerFailed { fault: fault.clone(), then: Some(Rung::Reset) };
    assert_eq!(script.result(scan), Err(error));
    let scan = script.submit(Request::Scan(ScanOptions::new()));
    assert_eq!(script.commands().last_chunk(), Some(&[EXTENDED, 0x2042]));
    assert!(!script.is_done(scan));
}
