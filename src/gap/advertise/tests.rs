mod addresses;
mod random;
mod rules;

use super::*;
use crate::gap::advertising_data::AdvertisingDataBuilder;
use crate::gap::privacy::OwnOnAir;
use crate::hci::{Command, Phy};
use crate::{Address, BdAddr};
use std::time::Duration;

const LEGACY: AdvertiseSupport =
    AdvertiseSupport { own: OwnOnAir::fixed(RANDOM), ..AdvertiseSupport::LEGACY };
const EXTENDED: AdvertiseSupport =
    AdvertiseSupport { own: OwnOnAir::fixed(RANDOM), ..AdvertiseSupport::EXTENDED };
const RANDOM: BdAddr = BdAddr([1, 2, 3, 4, 5, 0xC6]);
const NOW: Instant = Instant::START;
const LINK: ConnectionHandle = ConnectionHandle(0x40);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn named(name: &str) -> AdvertisingDataBuf {
    AdvertisingDataBuilder::with_limit(1650).name(name).build().expect("fits")
}

/// `length` octets in whole AD structures.
fn octets(length: usize) -> AdvertisingDataBuf {
    let mut builder = AdvertisingDataBuilder::with_limit(1650);
    let mut left = length;
    while left > 0 {
        let part = if left == 256 { 200 } else { left.min(255) };
        builder = builder.raw(crate::gap::advertising_data::AdType(0xFF), &vec![7; part - 2]);
        left -= part;
    }
    builder.build().expect("fits")
}

fn advertiser(support: &AdvertiseSupport, sets: &[(u64, AdvertiseOptions)]) -> Advertiser {
    let mut advertiser = Advertiser::new();
    for (key, options) in sets {
        advertiser.start(*key, options.clone(), support).expect("valid");
    }
    advertiser
}

/// The next command by its line for people, its octets checked by reading them back.
fn command(advertiser: &mut Advertiser, support: &AdvertiseSupport) -> Option<String> {
    let packet = advertiser.poll_command(support)?;
    let [_, a, b, _, parameters @ ..] = packet.as_slice() else { panic!("a header") };
    let command = Command::parse(Opcode(u16::from_le_bytes([*a, *b])), parameters).expect("well formed");
    Some(command.to_string())
}

/// What a controller with 2 sets of 1000 octets returns to the outstanding command when all is well.
fn success(opcode: Opcode) -> Vec<u8> {
    match opcode.0 {
        0x203A => vec![0, 0xE8, 3],
        0x203B => vec![0, 2],
        0x2036 => vec![0, 7],
        _ => vec![0],
    }
}

fn outstanding(advertiser: &Advertiser) -> Opcode {
    advertiser.outstanding.expect("a command is outstanding").opcode
}

fn answer(advertiser: &mut Advertiser, status: ErrorCode) {
    let opcode = outstanding(advertiser);
    let octets = if status.is_success() { success(opcode) } else { vec![status.0] };
    advertiser.on_command_result(NOW, opcode, Some(&octets));
}

/// All commands until there is nothing to do, each answered with success.
fn settle(advertiser: &mut Advertiser, support: &AdvertiseSupport) -> Vec<String> {
    let mut commands = Vec::new();
    while let Some(line) = command(advertiser, support) {
        commands.push(line);
        assert_eq!(advertiser.poll_command(support), None, "one at a time");
        answer(advertiser, ErrorCode::Success);
    }
    commands
}

/// Answers with success up to the command whose line begins so, which is left outstanding.
fn settle_until(advertiser: &mut Advertiser, support: &AdvertiseSupport, begins: &str) {
    while let Some(line) = command(advertiser, support) {
        if line.starts_with(begins) {
            return;
        }
        answer(advertiser, ErrorCode::Success);
    }
    panic!("no {begins}");
}

fn outcomes(advertiser: &mut Advertiser) -> Vec<Outcome> {
    std::iter::from_fn(|| advertiser.poll_outcome()).collect()
}

fn started(key: u64) -> Outcome {
    Outcome::Started { key, tx_power: None, random_address: Some(RANDOM) }
}

fn ended(key: u64, how: Ended) -> Outcome {
    Outcome::Ended { key, how }
}

/// A set on the air whose outcomes have been read.
fn running(support: &AdvertiseSupport, options: AdvertiseOptions) -> Advertiser {
    let mut advertiser = advertiser(support, &[(1, options)]);
    settle(&mut advertiser, support);
    assert!(matches!(outcomes(&mut advertiser)[..], [Outcome::Started { key: 1, .. }]));
    advertiser
}

fn names(commands: &[String]) -> Vec<&str> {
    commands.iter().map(|line| line.split_once(" adv").map_or(line.as_str(), |(name, _)| name)).collect()
}

#[test]
fn a_legacy_set_is_parameters_data_scan_response_and_enable_to_the_octet() {
    let options = AdvertiseOptions::new().data(named("a")).scan_response(named("bc"));
    let mut advertiser = advertiser(&LEGACY, &[(1, options)]);
    let mut packets = Vec::new();
    while let Some(packet) = advertiser.poll_command(&LEGACY) {
        packets.push(packet.as_slice()[1..].to_vec());
        answer(&mut advertiser, ErrorCode::Success);
    }
    let padded = |head: &[u8]| [head, &vec![0; 35 - head.len()]].concat();
    let expected = [
        // 100 to 150 ms, ADV_IND, our random address, no peer, all channels, everyone.
        vec![0x06, 0x20, 15, 0xA0, 0, 0xF0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0],
        padded(&[0x08, 0x20, 32, 3, 2, 9, b'a']),
        padded(&[0x09, 0x20, 32, 4, 3, 9, b'b', b'c']),
        vec![0x0A, 0x20, 1, 1],
    ];
    assert_eq!(packets, expected);
    assert_eq!(outcomes(&mut advertiser), [started(1)]);
    assert_eq!(advertiser.state(1), Some(AdvertisingState::Advertising));
    advertiser.stop(1);
    assert_eq!(advertiser.state(1), Some(AdvertisingState::Stopping));
    let stop = advertiser.poll_command(&LEGACY).expect("a command");
    assert_eq!(stop.as_slice()[1..], [0x0A, 0x20, 1, 0]);
    assert_eq!(outcomes(&mut advertiser), [], "not before the controller says so");
    answer(&mut advertiser, ErrorCode::Success);
    assert_eq!(settle(&mut advertiser, &LEGACY), [""; 0]);
    assert_eq!(outcomes(&mut advertiser), [ended(1, Ended::Stopped)]);
    assert!(advertiser.is_idle() && !advertiser.is_advertising() && advertiser.state(1).is_none());
}

#[test]
fn an_extended_set_asks_what_there_is_and_says_everything_to_the_octet() {
    let pdus = ExtendedPdus { secondary_phy: Phy::Le2M, include_tx_power: true, ..ExtendedPdus::default() };
    let options = AdvertiseOptions::new()
        .mode(AdvertiseMode::NonConnectable)
        .data(named("a"))
        .extended(pdus)
        .tx_power(-3)
        .max_events(9);
    let mut advertiser = advertiser(&EXTENDED, &[(1, options)]);
    let mut packets = Vec::new();
    while let Some(packet) = advertiser.poll_command(&EXTENDED) {
        packets.push(packet.as_slice()[1..].to_vec());
        answer(&mut advertiser, ErrorCode::Success);
    }
    let parameters = vec![
        0x36, 0x20, 25, 0, 0x40, 0, 0xA0, 0, 0, 0xF0, 0, 0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xFD, 1, 0, 2, 0, 0,
    ];
    let expected = [
        vec![0x3A, 0x20, 0],
        vec![0x3B, 0x20, 0],
        parameters,
        vec![0x35, 0x20, 7, 0, 1, 2, 3, 4, 5, 0xC6],
        vec![0x37, 0x20, 7, 0, 3, 1, 3, 2, 9, b'a'],
        vec![0x39, 0x20, 6, 1, 1, 0, 0, 0, 9],
    ];
    assert_eq!(packets, expected);
    assert_eq!(
        outcomes(&mut advertiser),
        [Outcome::Started { key: 1, tx_power: Some(7), random_address: Some(RANDOM) }]
    );
    advertiser.stop(1);
    let stop = settle(&mut advertiser, &EXTENDED);
    assert_eq!(names(&stop)[1], "LE Remove Advertising Set", "{stop:?}");
    assert!(stop[0].contains("enable=0"), "{stop:?}");
    assert_eq!(outcomes(&mut advertiser), [ended(1, Ended::Stopped)]);
}

#[test]
fn long_data_goes_in_fragments_of_251_octets() {
    let options = AdvertiseOptions::new()
        .mode(AdvertiseMode::NonConnectable)
        .data(octets(753))
        .extended(ExtendedPdus::default());
    let mut advertiser = advertiser(&EXTENDED, &[(1, options)]);
    let mut fragments = Vec::new();
    while let Some(packet) = advertiser.poll_command(&EXTENDED) {
        if let [_, 0x37, 0x20, _, _, operation, _, length, ..] = packet.as_slice() {
            fragments.push((*operation, *length));
        }
        answer(&mut advertiser, ErrorCode::Success);
    }
    assert_eq!(fragments, [(1, 251), (0, 251), (2, 251)], "first, in the middle, last");
}

#[test]
fn each_mode_has_its_legacy_type_and_its_event_properties() {
    let peer: Address = "C0:11:22:33:44:55/random".parse().expect("valid");
    let modes = [
        (AdvertiseMode::Connectable, 0, 0x13, Some(0x01)),
        (AdvertiseMode::DirectedHighDuty(peer), 1, 0x1D, None),
        (AdvertiseMode::Scannable, 2, 0x12, Some(0x02)),
        (AdvertiseMode::NonConnectable, 3, 0x10, Some(0x00)),
        (AdvertiseMode::Directed(peer), 4, 0x15, Some(0x05)),
    ];
    let parameters = |options: AdvertiseOptions, support, begins| {
        let mut advertiser = advertiser(support, &[(1, options)]);
        loop {
            let packet = advertiser.poll_command(support).expect("a command");
            if packet.as_slice().get(1) == Some(&begins) {
                return packet.as_slice().to_vec();
            }
            answer(&mut advertiser, ErrorCode::Success);
        }
    };
    for (mode, legacy, in_legacy_pdus, in_extended_pdus) in modes {
        let options = AdvertiseOptions::new().mode(mode);
        let octets = parameters(options.clone(), &LEGACY, 0x06);
        assert_eq!(octets[8], legacy, "{mode:?}");
        let directed = [1, 0x55, 0x44, 0x33, 0x22, 0x11, 0xC0];
        assert_eq!(octets[10..17], if mode.peer().is_some() { directed } else { [0; 7] }, "{mode:?}");
        assert_eq!(parameters(options.clone(), &EXTENDED, 0x36)[5], in_legacy_pdus, "{mode:?}");
        if let Some(properties) = in_extended_pdus {
            let response =
                if mode == AdvertiseMode::Scannable { named("x") } else { AdvertisingDataBuf::default() };
            let options = options.scan_response(response).extended(ExtendedPdus::default());
            assert_eq!(parameters(options, &EXTENDED, 0x36)[5], properties, "{mode:?}");
        }
    }
}

#[test]
fn high_duty_cycle_has_its_time_limit_at_the_controller_and_no_data() {
    let peer = Address::public(BdAddr([6; 6]));
    let options = AdvertiseOptions::new().mode(AdvertiseMode::DirectedHighDuty(peer));
    let commands = settle(&mut advertiser(&EXTENDED, &[(1, options)]), &EXTENDED);
    assert!(!names(&commands).iter().any(|name| name.ends_with("Advertising Data")), "{commands:?}");
    assert!(commands.last().is_some_and(|line| line.contains("duration=1.28 s")), "{commands:?}");
}

#[test]
fn several_sets_have_handles_of_their_own_and_one_too_many_is_refused() {
    let options = AdvertiseOptions::new();
    let sets: Vec<_> = (1..=3).map(|key| (key, options.clone())).collect();
    let mut both = advertiser(&EXTENDED, &sets);
    let commands = settle(&mut both, &EXTENDED);
    let enables: Vec<_> = commands.iter().filter(|line| line.contains("enable=1")).collect();
    assert!(enables[0].contains("advertising_handle=0") && enables[1].contains("advertising_handle=1"));
    let outcome = outcomes(&mut both);
    assert!(outcome.contains(&Outcome::Failed { key: 3, reason: AdvertiseFailure::NoSetLeft { sets: 2 } }));
    assert_eq!(outcome.len(), 3, "{outcome:?}");
    // The place of one that ends is the next one's.
    both.stop(1);
    both.start(4, options, &EXTENDED).expect("valid");
    let commands = settle(&mut both, &EXTENDED);
    assert!(
        names(&commands)[1] == "LE Remove Advertising Set" && commands[2].contains("advertising_handle=0")
    );
    assert_eq!(outcomes(&mut both)[0], ended(1, Ended::Stopped));
    let mut legacy = advertiser(&LEGACY, &sets[..2]);
    settle(&mut legacy, &LEGACY);
    let reason = AdvertiseFailure::NoSetLeft { sets: 1 };
    assert_eq!(outcomes(&mut legacy), [Outcome::Failed { key: 2, reason }, started(1)]);
}

#[test]
fn a_controller_without_the_extended_commands_it_claims_gets_the_legacy_ones() {
    let extended_only = AdvertiseOptions::new().max_events(1);
    let mut advertiser = advertiser(&EXTENDED, &[(1, AdvertiseOptions::new()), (2, extended_only)]);
    for _ in 0..3 {
        command(&mut advertiser, &EXTENDED).expect("two questions and the parameters");
        answer(&mut advertiser, ErrorCode::UnknownHciCommand);
    }
    let commands = settle(&mut advertiser, &EXTENDED);
    assert_eq!(names(&commands)[0], "LE Set Advertising Parameters");
    let invalid = InvalidAdvertising::NeedsExtended("a maximum of events");
    let failed = Outcome::Failed { key: 2, reason: AdvertiseFailure::Invalid(invalid) };
    assert_eq!(outcomes(&mut advertiser), [Outcome::ExtendedLost, failed, started(1)]);
}

#[test]
fn what_the_controller_refuses_is_told_and_its_set_removed() {
    let mut advertiser = advertiser(&EXTENDED, &[(1, AdvertiseOptions::new())]);
    settle_until(&mut advertiser, &EXTENDED, "LE Set Extended Advertising Enable");
    let opcode = outstanding(&advertiser);
    let status = ErrorCode::CommandDisallowed;
    answer(&mut advertiser, status);
    let reason = AdvertiseFailure::Refused { opcode, status };
    assert_eq!(outcomes(&mut advertiser), [Outcome::Failed { key: 1, reason }]);
    assert_eq!(names(&settle(&mut advertiser, &EXTENDED)), ["LE Remove Advertising Set"]);
    assert_eq!(command(&mut advertiser, &EXTENDED), None);
    assert!(advertiser.is_idle() && outcomes(&mut advertiser).is_empty());
}

#[test]
fn data_longer_than_the_controller_holds_is_refused_as_soon_as_it_says_so() {
    let options = AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable).data(octets(1200));
    let options = options.extended(ExtendedPdus::default());
    let mut advertiser = advertiser(&EXTENDED, &[(1, options.clone())]);
    assert_eq!(settle(&mut advertiser, &EXTENDED).len(), 2, "nothing but the questions");
    let Some(Outcome::Failed { reason: AdvertiseFailure::Invalid(invalid), .. }) = advertiser.poll_outcome()
    else {
        panic!("a failure")
    };
    assert_eq!(invalid.over(), 200);
    assert_eq!(advertiser.start(2, options, &EXTENDED).expect_err("now it is known").over(), 200);
}

#[test]
fn a_connection_ends_a_legacy_set_that_is_connectable_and_no_other() {
    let mut advertiser = running(&LEGACY, AdvertiseOptions::new());
    let complete =
        |advertiser: &mut Advertiser, status, role| advertiser.on_connection_complete(status, role, LINK);
    assert!(!complete(&mut advertiser, ErrorCode::Success, Role::Central), "our own attempt");
    assert!(!complete(&mut advertiser, ErrorCode::UnknownConnectionIdentifier, Role::Peripheral));
    assert!(advertiser.is_advertising());
    assert!(complete(&mut advertiser, ErrorCode::Success, Role::Peripheral));
    assert_eq!(settle(&mut advertiser, &LEGACY), [""; 0], "the controller has stopped by itself");
    assert_eq!(outcomes(&mut advertiser), [ended(1, Ended::Connected(LINK))]);
    assert!(!complete(&mut advertiser, ErrorCode::Success, Role::Peripheral), "of nobody's making");
    let mut beacon = running(&LEGACY, AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable));
    assert!(!complete(&mut beacon, ErrorCode::Success, Role::Peripheral) && beacon.is_advertising());
}

#[test]
fn the_end_of_high_duty_cycle_is_a_time_out() {
    let peer = Address::public(BdAddr([6; 6]));
    let options = AdvertiseOptions::new().mode(AdvertiseMode::DirectedHighDuty(peer));
    let mut advertiser = running(&LEGACY, options);
    advertiser.on_connection_complete(ErrorCode::AdvertisingTimeout, Role::Peripheral, LINK);
    assert_eq!(settle(&mut advertiser, &LEGACY), [""; 0]);
    assert_eq!(outcomes(&mut advertiser), [ended(1, Ended::TimedOut)]);
}

#[test]
fn advertising_set_terminated_says_how_a_set_ended() {
    let cases = [
        (ErrorCode::Success, Ended::Connected(LINK)),
        (ErrorCode::AdvertisingTimeout, Ended::TimedOut),
        (ErrorCode::LimitReached, Ended::Sent(9)),
        (ErrorCode::HardwareFailure, Ended::Controller(ErrorCode::HardwareFailure)),
    ];
    for (status, how) in cases {
        let mut advertiser = running(&EXTENDED, AdvertiseOptions::new());
        advertiser.on_set_terminated(5, status, LINK, 9);
        assert!(advertiser.is_advertising(), "another set");
        advertiser.on_set_terminated(0, status, LINK, 9);
        advertiser.on_set_terminated(0, ErrorCode::Success, ConnectionHandle(1), 9);
        assert_eq!(names(&settle(&mut advertiser, &EXTENDED)), ["LE Remove Advertising Set"]);
        assert_eq!(outcomes(&mut advertiser), [ended(1, how)]);
    }
}

#[test]
fn an_extended_set_vouches_for_one_connection() {
    let mut advertiser = running(&EXTENDED, AdvertiseOptions::new());
    assert!(advertiser.on_connection_complete(ErrorCode::Success, Role::Peripheral, LINK));
    assert!(!advertiser.on_connection_complete(ErrorCode::Success, Role::Peripheral, ConnectionHandle(2)));
    assert!(advertiser.is_advertising(), "until the controller says that the set has ended");
}

#[test]
fn an_end_before_the_answer_to_enable_is_an_end() {
    let mut advertiser = advertiser(&EXTENDED, &[(1, AdvertiseOptions::new())]);
    settle_until(&mut advertiser, &EXTENDED, "LE Set Extended Advertising Enable");
    advertiser.on_set_terminated(0, ErrorCode::Success, LINK, 0);
    answer(&mut advertiser, ErrorCode::Success);
    assert_eq!(names(&settle(&mut advertiser, &EXTENDED)), ["LE Remove Advertising Set"]);
    let all = outcomes(&mut advertiser);
    assert_eq!(
        all,
        [
            Outcome::Started { key: 1, tx_power: Some(7), random_address: Some(RANDOM) },
            ended(1, Ended::Connected(LINK))
        ]
    );
}

#[test]
fn a_connection_while_the_set_is_stopped_is_told() {
    let mut advertiser = running(&LEGACY, AdvertiseOptions::new());
    advertiser.stop(1);
    command(&mut advertiser, &LEGACY).expect("disable");
    assert!(advertiser.on_connection_complete(ErrorCode::Success, Role::Peripheral, LINK));
    answer(&mut advertiser, ErrorCode::CommandDisallowed);
    settle(&mut advertiser, &LEGACY);
    assert_eq!(outcomes(&mut advertiser), [ended(1, Ended::Connected(LINK))]);
}

#[test]
fn a_set_ends_when_its_time_is_over() {
    for support in [&LEGACY, &EXTENDED] {
        let mut advertiser = running(support, AdvertiseOptions::new().timeout(ms(500)));
        assert_eq!(advertiser.deadline(), Some(NOW + ms(500)));
        advertiser.on_timeout(NOW + ms(499));
        assert_eq!(command(&mut advertiser, support), None);
        advertiser.on_timeout(NOW + ms(500));
        settle(&mut advertiser, support);
        assert_eq!(
            (outcomes(&mut advertiser), advertiser.deadline()),
            (vec![ended(1, Ended::TimedOut)], None)
        );
    }
}

#[test]
fn a_reset_begins_the_sets_anew_and_says_nothing_twice() {
    let mut advertiser = running(&EXTENDED, AdvertiseOptions::new().timeout(ms(500)));
    advertiser.start(2, AdvertiseOptions::new(), &EXTENDED).expect("valid");
    advertiser.stop(2);
    command(&mut advertiser, &EXTENDED);
    advertiser.on_reset();
    assert!(!advertiser.is_advertising());
    assert_eq!(settle(&mut advertiser, &LEGACY).len(), 4, "as the controller is now: legacy");
    assert_eq!(outcomes(&mut advertiser), [ended(2, Ended::Stopped)]);
    assert!(advertiser.is_advertising() && advertiser.deadline() == Some(NOW + ms(500)));
}

#[test]
fn after_silence_only_what_was_not_served_ends() {
    let mut advertiser = running(&EXTENDED, AdvertiseOptions::new());
    advertiser.start(2, AdvertiseOptions::new(), &EXTENDED).expect("valid");
    command(&mut advertiser, &EXTENDED).expect("a command");
    assert_eq!(advertiser.end_unserved(), [2]);
    advertiser.on_reset();
    assert!(advertiser.state(1).is_some() && advertiser.state(2).is_none());
}

#[test]
fn new_data_goes_on_the_air_without_a_gap_where_one_command_holds_it() {
    let options = AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable);
    let mut advertiser = running(&EXTENDED, options.extended(ExtendedPdus::default()));
    let update = |advertiser: &mut Advertiser, data| {
        advertiser.set_data(1, data, AdvertisingDataBuf::default(), &EXTENDED).expect("fits");
        let commands = settle(advertiser, &EXTENDED);
        names(&commands).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(update(&mut advertiser, octets(251)), ["LE Set Extended Advertising Data"]);
    let paused = update(&mut advertiser, octets(252));
    assert_eq!(
        (paused.len(), paused[0].contains("enable=0"), paused[3].contains("enable=1")),
        (4, true, true)
    );
    assert!(outcomes(&mut advertiser).is_empty() && advertiser.is_advertising());
    let error =
        advertiser.set_data(1, octets(1003), AdvertisingDataBuf::default(), &EXTENDED).expect_err("too long");
    assert_eq!(error.over(), 3);
}

#[test]
fn data_that_comes_while_older_is_on_its_way_wins() {
    let mut advertiser = advertiser(&LEGACY, &[(1, AdvertiseOptions::new().data(named("old")))]);
    settle_until(&mut advertiser, &LEGACY, "LE Set Advertising Data");
    advertiser.set_data(1, named("new"), AdvertisingDataBuf::default(), &LEGACY).expect("fits");
    answer(&mut advertiser, ErrorCode::Success);
    let commands = settle(&mut advertiser, &LEGACY);
    assert!(commands[0].contains("=04096e6577"), "{commands:?}");
    assert_eq!(outcomes(&mut advertiser), [started(1)]);
}

#[test]
fn scan_requests_are_told_to_who_asked() {
    let asked = running(&EXTENDED, AdvertiseOptions::new().notify_scan_requests(true));
    assert_eq!((asked.on_scan_request(0), asked.on_scan_request(1)), (Some(1), None));
    assert_eq!(running(&EXTENDED, AdvertiseOptions::new()).on_scan_request(0), None);
}

#[test]
fn the_own_address_type_decides_whether_a_set_gets_a_random_address() {
    let commands = |options| settle(&mut advertiser(&EXTENDED, &[(1, options)]), &EXTENDED).join("\n");
    let own = AdvertiseOptions::new().random_address(BdAddr([9, 9, 9, 9, 9, 0xC9]));
    assert!(commands(own).contains("random_address=C9:09:09:09:09:09"));
    let public = AdvertiseOptions::new().own_address(OwnAddress::Public);
    assert!(!commands(public).contains("random_address="));
}

#[test]
fn answers_of_too_few_octets_and_to_other_commands_do_no_harm() {
    let mut advertiser = advertiser(&EXTENDED, &[(1, AdvertiseOptions::new())]);
    for answer in [&[][..], &[0], &[0, 1]] {
        advertiser.on_command_result(NOW, Opcode(0x0C03), Some(answer));
        let opcode = command(&mut advertiser, &EXTENDED).map(|_| outstanding(&advertiser)).expect("next");
        advertiser.on_command_result(NOW, opcode, Some(answer));
    }
    settle(&mut advertiser, &EXTENDED);
    assert!(advertiser.is_advertising());
}
