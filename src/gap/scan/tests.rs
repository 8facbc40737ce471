use super::*;
use crate::gap::filter::Filter;
use crate::gap::report::testing::{advertisement, report, scan_response};
use crate::hci::{Command, OwnAddressType};
use proptest::prelude::*;
use std::time::Duration;

const LEGACY: ScanSupport =
    ScanSupport { extended: false, coded: false, own_address_type: OwnAddressType::Random };
const EXTENDED: ScanSupport = ScanSupport { extended: true, coded: true, ..LEGACY };
const OK: Option<ErrorCode> = Some(ErrorCode::Success);

/// The next command by its line for people, its octets checked by reading them back.
fn command(scanner: &mut Scanner, support: &ScanSupport) -> Option<String> {
    let packet = scanner.poll_command(support)?;
    let [_, a, b, _, parameters @ ..] = packet.as_slice() else { panic!("a header") };
    let command = Command::parse(Opcode(u16::from_le_bytes([*a, *b])), parameters).expect("well formed");
    Some(command.to_string())
}

/// Answers the outstanding command.
fn answer(scanner: &mut Scanner, status: Option<ErrorCode>) -> Vec<Outcome> {
    let opcode = scanner.outstanding.expect("a command is outstanding").opcode;
    scanner.on_command_result(opcode, status)
}

/// All commands until there is nothing to do, each answered with success.
fn settle(scanner: &mut Scanner, support: &ScanSupport) -> Vec<String> {
    let mut commands = Vec::new();
    while let Some(line) = command(scanner, support) {
        commands.push(line);
        answer(scanner, OK);
    }
    commands
}

fn scanner(subscribers: &[(u64, ScanOptions)]) -> Scanner {
    let mut scanner = Scanner::default();
    for (key, options) in subscribers {
        scanner.subscribe(*key, options.clone()).expect("valid");
    }
    scanner
}

fn heard(scanner: &mut Scanner, report: &Report) -> Vec<u64> {
    let mut keys = Vec::new();
    scanner.on_report(Instant::START, report, |key, _, _| keys.push(key));
    keys
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const ENABLE: &str = "LE Set Scan Enable le_scan_enable=1 filter_duplicates=0";
const DISABLE: &str = "LE Set Scan Enable le_scan_enable=0 filter_duplicates=0";

#[test]
fn a_legacy_scan_sets_parameters_then_enables_and_ends_with_the_last_subscriber() {
    let mut scanner = scanner(&[(7, ScanOptions::new().interval(ms(100)).window(ms(50)))]);
    let parameters = command(&mut scanner, &LEGACY).expect("a command");
    assert_eq!(
        parameters,
        "LE Set Scan Parameters le_scan_type=1 le_scan_interval=100 ms le_scan_window=50 ms \
         own_address_type=random scanning_filter_policy=0"
    );
    assert_eq!(command(&mut scanner, &LEGACY), None, "one at a time");
    assert_eq!(answer(&mut scanner, OK), []);
    assert_eq!(command(&mut scanner, &LEGACY).as_deref(), Some(ENABLE));
    assert!(scanner.is_scanning(), "it may by now");
    assert_eq!(answer(&mut scanner, OK), [Outcome::Started { key: 7 }]);
    assert_eq!(command(&mut scanner, &LEGACY), None);
    scanner.unsubscribe(7);
    assert!(!scanner.is_idle());
    assert_eq!(settle(&mut scanner, &LEGACY), [DISABLE]);
    assert!(scanner.is_idle() && !scanner.is_scanning());
}

#[test]
fn an_extended_scan_listens_on_each_phy_asked_for_that_there_is() {
    let both = ScanOptions::new().phys(ScanPhys::LE_1M | ScanPhys::LE_CODED).active(false);
    let commands = settle(&mut scanner(&[(1, both.clone())]), &EXTENDED);
    assert_eq!(
        commands,
        [
            "LE Set Extended Scan Parameters own_address_type=random scanning_filter_policy=0 \
             scanning_phys=0x05[scan_type=0 scan_interval=60 ms scan_window=60 ms; \
             same]",
            "LE Set Extended Scan Enable enable=1 filter_duplicates=0 duration=0 period=0",
        ]
    );
    let without = ScanSupport { coded: false, ..EXTENDED };
    assert!(settle(&mut scanner(&[(1, both)]), &without)[0].contains("scanning_phys=0x01["));
}

#[test]
fn a_subscriber_of_a_phy_that_is_not_there_is_told() {
    let mut scanner = scanner(&[(1, ScanOptions::new().phys(ScanPhys::LE_CODED))]);
    assert_eq!(command(&mut scanner, &LEGACY), None);
    let reason = ScanFailure::Phys(ScanPhys::LE_CODED);
    assert_eq!(scanner.poll_outcome(), Some(Outcome::Failed { key: 1, reason }));
    assert!(scanner.is_idle());
    assert_eq!(reason.to_string(), r#"the controller cannot scan on ["Coded"]; add ScanPhys::LE_1M"#);
}

#[test]
fn the_union_is_active_if_one_is_and_as_busy_as_the_busiest() {
    let rare = ScanOptions::new().active(true).interval(ms(1000)).window(ms(10));
    let busy = ScanOptions::new().active(false).interval(ms(100)).window(ms(50));
    let commands = settle(&mut scanner(&[(1, rare), (2, busy)]), &LEGACY);
    assert!(
        commands[0].contains("le_scan_type=1 le_scan_interval=100 ms le_scan_window=50 ms"),
        "{commands:?}"
    );
}

#[test]
fn a_subscriber_who_asks_for_more_makes_the_scan_stop_and_begin_again() {
    let mut scanner = scanner(&[(1, ScanOptions::new().active(false))]);
    settle(&mut scanner, &LEGACY);
    scanner.subscribe(2, ScanOptions::new().active(true)).expect("valid");
    let commands = settle(&mut scanner, &LEGACY);
    assert_eq!((&commands[0][..], commands.len()), (DISABLE, 3));
    assert!(commands[1].contains("le_scan_type=1") && commands[2] == ENABLE);
    scanner.unsubscribe(2);
    assert!(settle(&mut scanner, &LEGACY)[1].contains("le_scan_type=0"), "and who leaves, too");
}

#[test]
fn a_subscriber_who_asks_for_nothing_more_is_served_by_what_runs() {
    let mut scanner = scanner(&[(1, ScanOptions::new())]);
    settle(&mut scanner, &LEGACY);
    scanner.subscribe(2, ScanOptions::new()).expect("valid");
    assert!(settle(&mut scanner, &LEGACY).is_empty());
    assert_eq!(scanner.poll_outcome(), Some(Outcome::Started { key: 2 }));
    assert_eq!(scanner.poll_outcome(), None);
}

#[test]
fn the_controller_filters_duplicates_only_when_every_subscriber_lets_it() {
    let lets = ScanOptions::new().duplicates(Duplicates::ControllerFiltered);
    let filters = |subscribers: &[(u64, ScanOptions)]| {
        settle(&mut scanner(subscribers), &LEGACY)[1].ends_with("filter_duplicates=1")
    };
    assert!(filters(&[(1, lets.clone()), (2, lets.clone())]));
    assert!(!filters(&[(1, lets.clone()), (2, ScanOptions::new())]));
    assert!(!filters(&[(1, lets.filter(Filter::new().min_rssi(-60)))]), "it may come nearer");
}

#[test]
fn who_comes_later_hears_of_the_devices_that_the_controller_would_drop() {
    let lets = ScanOptions::new().duplicates(Duplicates::ControllerFiltered);
    let mut scanner = scanner(&[(1, lets.clone())]);
    settle(&mut scanner, &LEGACY);
    scanner.subscribe(2, lets).expect("valid");
    assert_eq!(settle(&mut scanner, &LEGACY).len(), 2, "disable, enable; the parameters stay");
    assert!(settle(&mut scanner, &LEGACY).is_empty(), "once");
}

#[test]
fn paused_it_stops_and_goes_on_afterwards() {
    let mut scanner = scanner(&[(1, ScanOptions::new())]);
    settle(&mut scanner, &LEGACY);
    scanner.pause();
    assert_eq!(settle(&mut scanner, &LEGACY), [DISABLE]);
    assert!(!scanner.is_scanning() && !scanner.is_idle());
    scanner.resume();
    assert_eq!(settle(&mut scanner, &LEGACY), [ENABLE]);
    assert_eq!(scanner.poll_outcome(), None, "it had been started before");
}

#[test]
fn refused_because_of_a_connection_being_made_is_no_failure() {
    let mut scanner = scanner(&[(1, ScanOptions::new())]);
    command(&mut scanner, &LEGACY);
    scanner.pause();
    assert_eq!(answer(&mut scanner, Some(ErrorCode::CommandDisallowed)), []);
    scanner.resume();
    assert_eq!(settle(&mut scanner, &LEGACY).len(), 2);
}

#[test]
fn a_controller_without_the_extended_commands_it_claims_scans_by_the_legacy_ones() {
    let mut scanner = scanner(&[(1, ScanOptions::new())]);
    command(&mut scanner, &EXTENDED);
    let outcomes = answer(&mut scanner, Some(ErrorCode::UnknownHciCommand));
    assert_eq!(outcomes, [Outcome::SupportLost(SupportLost::Extended)]);
    let commands = settle(&mut scanner, &EXTENDED);
    assert!(commands[0].starts_with("LE Set Scan Parameters") && commands[1] == ENABLE, "{commands:?}");
}

#[test]
fn a_controller_that_refuses_coded_scans_on_1m() {
    let both = ScanOptions::new().phys(ScanPhys::LE_1M | ScanPhys::LE_CODED);
    for status in [ErrorCode::UnsupportedFeatureOrParameterValue, ErrorCode::InvalidHciCommandParameters] {
        let mut scanner = scanner(&[(1, both.clone())]);
        command(&mut scanner, &EXTENDED);
        let outcomes = answer(&mut scanner, Some(status));
        assert_eq!(outcomes, [Outcome::SupportLost(SupportLost::Coded)]);
        assert!(settle(&mut scanner, &EXTENDED)[0].contains("scanning_phys=0x01["));
    }
}

#[test]
fn a_refusal_ends_the_subscription_with_its_reason() {
    for silent in [false, true] {
        let mut scanner = scanner(&[(1, ScanOptions::new())]);
        command(&mut scanner, &LEGACY);
        let opcode = Opcode(0x200B);
        let (status, reason) = match silent {
            true => (None, ScanFailure::Silent { opcode }),
            false => {
                let status = ErrorCode::HardwareFailure;
                (Some(status), ScanFailure::Refused { opcode, status })
            }
        };
        assert_eq!(answer(&mut scanner, status), [Outcome::Failed { key: 1, reason }]);
        assert!(scanner.is_idle() && command(&mut scanner, &LEGACY).is_none());
    }
}

#[test]
fn what_a_newcomer_asks_and_is_refused_does_not_end_the_others() {
    let mut scanner = scanner(&[(1, ScanOptions::new().active(false))]);
    settle(&mut scanner, &LEGACY);
    scanner.subscribe(2, ScanOptions::new()).expect("valid");
    assert_eq!(command(&mut scanner, &LEGACY).as_deref(), Some(DISABLE));
    answer(&mut scanner, OK);
    command(&mut scanner, &LEGACY);
    let outcomes = answer(&mut scanner, Some(ErrorCode::InvalidHciCommandParameters));
    assert!(matches!(outcomes[..], [Outcome::Failed { key: 2, .. }]), "{outcomes:?}");
    assert_eq!(settle(&mut scanner, &LEGACY).len(), 2);
    assert!(scanner.is_scanning());
}

#[test]
fn an_answer_to_another_command_is_not_ours() {
    let mut scanner = scanner(&[(1, ScanOptions::new())]);
    command(&mut scanner, &LEGACY);
    assert_eq!(scanner.on_command_result(Opcode(0x0C03), None), []);
    assert!(scanner.outstanding.is_some());
}

#[test]
fn a_scan_that_the_controller_ended_or_forgot_begins_again() {
    let mut scanner = scanner(&[(1, ScanOptions::new())]);
    settle(&mut scanner, &LEGACY);
    scanner.on_scan_timeout();
    assert_eq!(settle(&mut scanner, &LEGACY), [ENABLE]);
    scanner.on_reset();
    assert_eq!(settle(&mut scanner, &LEGACY).len(), 2, "the parameters are gone");
}

#[test]
fn times_that_no_controller_takes_are_refused_and_change_nothing() {
    for (interval, window) in [(ms(2), ms(2)), (ms(10_241), ms(10)), (ms(10), ms(11)), (ms(10), ms(2))] {
        let options = ScanOptions::new().interval(interval).window(window);
        let mut scanner = Scanner::default();
        assert!(scanner.subscribe(1, options).is_err(), "{interval:?} {window:?}");
        assert!(scanner.is_idle());
    }
    for (interval, window) in [(ms(10_240), Duration::from_micros(2500)), (ms(10_240), ms(10_240))] {
        assert!(ScanOptions::new().interval(interval).window(window).check().is_ok());
    }
}

#[test]
fn each_subscriber_hears_what_its_filter_passes() {
    let near = ScanOptions::new().filter(Filter::new().min_rssi(-50));
    let named = ScanOptions::new().filter(Filter::new().name("HR"));
    let mut scanner = scanner(&[(1, near), (2, named), (3, ScanOptions::new())]);
    assert_eq!(heard(&mut scanner, &advertisement(1, b"\x02\x01\x06")), [1, 3]);
    assert_eq!(heard(&mut scanner, &report(|r| r.rssi = Some(-90), 2, b"\x03\x09HR")), [2, 3]);
}

#[test]
fn duplicates_are_reported_again_when_the_data_changed() {
    let all = ScanOptions::new().duplicates(Duplicates::All);
    let mut scanner = scanner(&[(1, all), (2, ScanOptions::new())]);
    let (old, new) = (advertisement(1, b"\x02\x01\x06"), advertisement(1, b"\x02\x01\x04"));
    assert_eq!(heard(&mut scanner, &old), [1, 2]);
    assert_eq!(heard(&mut scanner, &old), [1]);
    assert_eq!(heard(&mut scanner, &scan_response(1, b"\x02\x01\x06")), [1, 2], "a scan response is another");
    assert_eq!(heard(&mut scanner, &new), [1, 2]);
    assert_eq!(
        heard(&mut scanner, &report(|r| r.sid = Some(1), 1, b"\x02\x01\x06")),
        [1, 2],
        "and so is a set"
    );
    assert_eq!(heard(&mut scanner, &new), [1], "which does not make this one new");
    assert_eq!(heard(&mut scanner, &advertisement(2, b"\x02\x01\x06")), [1, 2]);
}

#[test]
fn a_report_that_was_refused_before_the_name_was_known_is_not_taken_for_known() {
    let mut scanner = scanner(&[(1, ScanOptions::new().filter(Filter::new().name("HR")))]);
    let advertised = advertisement(1, b"\x02\x01\x06");
    assert!(heard(&mut scanner, &advertised).is_empty());
    assert_eq!(heard(&mut scanner, &scan_response(1, b"\x03\x09HR")), [1]);
    assert_eq!(heard(&mut scanner, &advertised), [1]);
    assert!(heard(&mut scanner, &advertised).is_empty());
}

#[test]
fn the_device_seen_with_a_report_is_the_merged_one() {
    let mut scanner = scanner(&[(1, ScanOptions::new())]);
    heard(&mut scanner, &advertisement(1, b"\x02\x01\x06"));
    let mut merged = Vec::new();
    scanner.on_report(Instant::START, &scan_response(1, b"\x03\x09HR"), |_, report, device| {
        merged.push((report.data.as_bytes().to_vec(), device.data().as_bytes().to_vec()));
    });
    assert_eq!(merged, [(b"\x03\x09HR".to_vec(), b"\x02\x01\x06\x03\x09HR".to_vec())]);
}

/// What may happen to a scanner.
#[derive(Clone, Debug)]
enum Happening {
    Subscribe(u64, bool, bool),
    Unsubscribe(u64),
    Pause(bool),
    Poll,
    Answer(Option<u8>),
    Timeout,
    Reset,
}

fn happening() -> impl Strategy<Value = Happening> {
    let status = prop::sample::select(vec![Some(0), Some(0), Some(0), Some(1), Some(0x0C), Some(0x12), None]);
    prop_oneof![
        3 => (0..4u64, any::<bool>(), any::<bool>()).prop_map(|(k, a, c)| Happening::Subscribe(k, a, c)),
        2 => (0..4u64).prop_map(Happening::Unsubscribe),
        1 => any::<bool>().prop_map(Happening::Pause),
        6 => Just(Happening::Poll),
        6 => status.prop_map(Happening::Answer),
        1 => Just(Happening::Timeout),
        1 => Just(Happening::Reset),
    ]
}

/// The commands and outcomes of a history.
fn live(history: &[Happening]) -> (Scanner, Vec<String>) {
    let (mut scanner, mut log) = (Scanner::default(), Vec::new());
    for happening in history {
        match *happening {
            Happening::Subscribe(key, active, coded) => {
                let phys = if coded { ScanPhys::LE_1M | ScanPhys::LE_CODED } else { ScanPhys::LE_1M };
                scanner.subscribe(key, ScanOptions::new().active(active).phys(phys)).expect("valid");
            }
            Happening::Unsubscribe(key) => scanner.unsubscribe(key),
            Happening::Pause(true) => scanner.pause(),
            Happening::Pause(false) => scanner.resume(),
            Happening::Poll => log.extend(command(&mut scanner, &EXTENDED)),
            Happening::Answer(status) => {
                if scanner.outstanding.is_some() {
                    let outcomes = answer(&mut scanner, status.map(ErrorCode));
                    log.extend(outcomes.iter().map(|outcome| format!("{outcome:?}")));
                }
            }
            Happening::Timeout => scanner.on_scan_timeout(),
            Happening::Reset => scanner.on_reset(),
        }
    }
    (scanner, log)
}

proptest! {
    /// Whatever happened, a controller that answers brings it to rest: scanning if anyone wants that, else idle.
    #[test]
    fn it_always_comes_to_rest(history in prop::collection::vec(happening(), 0..60)) {
        let (mut scanner, _) = live(&history);
        scanner.resume();
        if scanner.outstanding.is_some() {
            answer(&mut scanner, OK);
        }
        prop_assert!(settle(&mut scanner, &EXTENDED).len() <= 6);
        prop_assert_eq!(scanner.is_scanning(), !scanner.subscriptions.is_empty());
        (0..4).for_each(|key| scanner.unsubscribe(key));
        settle(&mut scanner, &EXTENDED);
        prop_assert!(scanner.is_idle());
    }

    #[test]
    fn the_same_history_gives_the_same_commands(history in prop::collection::vec(happening(), 0..60)) {
        prop_assert_eq!(live(&history).1, live(&history).1);
    }
}

#[test]
fn held_it_stops_and_then_goes_on() {
    let mut scanner = scanner(&[(1, ScanOptions::new())]);
    settle(&mut scanner, &LEGACY);
    scanner.hold(true);
    assert_eq!(settle(&mut scanner, &LEGACY), [DISABLE]);
    scanner.subscribe(2, ScanOptions::new()).expect("valid");
    assert_eq!(settle(&mut scanner, &LEGACY), [""; 0]);
    scanner.hold(false);
    assert_eq!(settle(&mut scanner, &LEGACY), [ENABLE]);
}

#[test]
fn whoever_only_listens_asks_for_no_address() {
    use crate::gap::privacy::OwnAddress;
    let hidden = ScanOptions::new().own_address(OwnAddress::NonResolvable);
    let scanner = scanner(&[(1, hidden.clone().active(false)), (2, hidden), (3, ScanOptions::new())]);
    let asked: Vec<_> = scanner.own_addresses().collect();
    assert_eq!(asked, [Some(OwnAddress::NonResolvable), None]);
}
