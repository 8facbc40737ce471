//! The controller's resolving list: what it is told and when, and that everything works where it has none.

use crate::common::*;
use baretooth::Address;
use baretooth::gap::scan::ScanOptions;
use baretooth::host::{Event, HostConfig, OpError, OpId, Output, Request};
use baretooth::smp::Key;

const SIZE: u16 = 0x202A;
const ADD: u16 = 0x2027;
const RESOLVE: u16 = 0x202D;
const SCAN_PARAMETERS: u16 = 0x200B;
const SCAN: u16 = 0x200C;
const CONNECT: u16 = 0x200D;
const CANCEL: u16 = 0x200E;

/// Bit 6: LL Privacy.
const LL_PRIVACY: u64 = 1 << 6;

const IDENTITY: Address = address(0x77);

/// What the key of [`IDENTITY`] has made: the example of [Vol 3] Part H, D.7.
const SHOWN: &str = "70:81:94:0D:FB:AA/random";

fn shown() -> Address {
    SHOWN.parse().expect("an address")
}

fn irk() -> Key {
    Key::from_hex("9b7d390aa610103405adc857a33402ec").expect("a key")
}

fn friend() -> HostConfig {
    config(1).peer_irk(IDENTITY, irk())
}

/// A controller that is ready, and everything it was told of addresses, scanning and connecting.
fn script(features: u64, refuses: &[(u16, u8)]) -> Script {
    let mut script = Script { features, refuses: refuses.to_vec(), ..Script::unready(friend()) };
    script.exchange();
    script
}

fn told(script: &mut Script) -> Vec<u16> {
    let all = script.commands();
    script.sent.clear();
    all.into_iter()
        .filter(|opcode| (SCAN_PARAMETERS..=CANCEL).contains(opcode) || (ADD..=RESOLVE).contains(opcode))
        .collect()
}

/// LE Advertising Report of a connectable advertisement.
fn advertisement(script: &mut Script, address: Address) {
    let parameters = [&[0x02, 1, 0, 1][..], &address.bd_addr.0, &[0, 0xC8]].concat();
    script.event(0x3E, &parameters);
}

/// Type and address of the peer that the controller was last told to connect to.
fn called(script: &Script) -> (u8, Vec<u8>) {
    let command = script.sent.iter().rfind(|packet| packet.as_slice().starts_with(&[0x01, 0x0D, 0x20]));
    let octets = command.expect("told to connect").as_slice();
    (octets[9], octets[10..16].to_vec())
}

fn connected(script: &Script, op: OpId) -> Address {
    match script.result(op) {
        Ok(Output::Connected(info)) => info.peer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_controller_is_given_the_keys_before_anything_else_begins() {
    let mut script = Script { features: LL_PRIVACY, ..Script::unready(friend()) };
    script.submit(Request::Scan(ScanOptions::new()));
    assert_eq!(told(&mut script), [SIZE, ADD, RESOLVE, SCAN_PARAMETERS, SCAN]);
}

#[test]
fn one_without_a_list_is_told_nothing_of_it() {
    assert_eq!(told(&mut script(0, &[])), [0; 0]);
}

#[test]
fn a_peer_of_the_list_is_called_by_its_identity() {
    for asked in [IDENTITY, shown()] {
        let mut script = script(LL_PRIVACY, &[]);
        script.sent.clear();
        let op = script.connect(asked, 23);
        assert_eq!(called(&script), (3, IDENTITY.bd_addr.0.to_vec()), "random identity");
        // The controller names it by its identity too.
        let [a, b, c, d, e, f] = IDENTITY.bd_addr.0;
        script.event(0x3E, &[0x01, 0, 0x40, 0, 0, 3, a, b, c, d, e, f, 24, 0, 0, 0, 0xF4, 0x01, 0]);
        assert_eq!(connected(&script, op), IDENTITY);
        let again = script.connect(shown(), 23);
        assert_eq!(script.result(again), Err(OpError::AlreadyConnected));
    }
}

#[test]
fn where_the_list_fails_the_host_listens_for_the_peer_and_calls_it_by_what_it_shows() {
    for (features, refuses) in [
        (0, vec![]),
        (LL_PRIVACY, vec![(SIZE, 1)]),
        (LL_PRIVACY, vec![(ADD, 7)]),
        (LL_PRIVACY, vec![(RESOLVE, 0x0C)]),
    ] {
        let mut script = script(features, &refuses);
        told(&mut script);
        let op = script.connect(IDENTITY, 23);
        assert_eq!(told(&mut script), [SCAN_PARAMETERS, SCAN], "{refuses:?}");
        advertisement(&mut script, address(1));
        assert_eq!(told(&mut script), [0; 0], "somebody else");
        advertisement(&mut script, shown());
        assert_eq!(called(&script), (1, shown().bd_addr.0.to_vec()));
        script.connection_complete(0, 0x40, shown());
        assert_eq!(connected(&script, op), shown());
        assert_eq!(told(&mut script), [CONNECT, SCAN], "and the scan is over");
    }
}

#[test]
fn one_that_changed_its_address_after_it_was_heard_is_listened_for_again() {
    let mut script = script(0, &[]);
    let op = script.connect(IDENTITY, 23);
    advertisement(&mut script, shown());
    told(&mut script);
    script.run(seconds(11));
    assert_eq!(told(&mut script), [CANCEL]);
    script.connection_complete(0x02, 0, IDENTITY);
    assert_eq!(told(&mut script), [SCAN], "again");
    advertisement(&mut script, shown());
    assert_eq!(told(&mut script), [CONNECT, SCAN]);
    script.run(seconds(9));
    script.connection_complete(0x02, 0, IDENTITY);
    assert_eq!(script.result(op), Err(OpError::ConnectTimeout { after: seconds(20) }), "20 s in all");
    assert!(script.host.is_idle());
}

#[test]
fn a_search_ends_with_the_controller() {
    let mut script = script(LL_PRIVACY, &[(SIZE, 1)]);
    let op = script.connect(IDENTITY, 23);
    told(&mut script);
    script.event(0x10, &[0x42]);
    assert!(matches!(script.result(op), Err(OpError::ControllerFailed { .. })));
    assert_eq!(told(&mut script), [SIZE], "it is tried again, and nothing is scanned for");
}

#[test]
fn a_reset_loses_the_list_and_it_is_restored() {
    let mut script = script(LL_PRIVACY, &[]);
    assert_eq!(told(&mut script), [SIZE, ADD, RESOLVE]);
    script.event(0x10, &[0x42]);
    assert_eq!(told(&mut script), [SIZE, ADD, RESOLVE]);
}

#[test]
fn a_list_that_refuses_its_keys_costs_nothing() {
    let mut script = script(LL_PRIVACY, &[(ADD, 0x12)]);
    let op = script.submit(Request::Scan(ScanOptions::new()));
    let begun = |event: &Event| matches!(event, Event::ScanStarted { op: of } if *of == op);
    assert!(script.told.events.iter().any(begun), "the scan goes on without the list");
}
