use super::*;

const LIMIT: Duration = Duration::from_secs(2);
const USUAL: OwnAddress = OwnAddress::RandomStatic;

fn attempt(key: u8) -> Attempt<u8> {
    let address = Address::random(crate::BdAddr([key, 0, 0, 0, 0, 0xC0]));
    let options = ConnectOptions::new().timeout(Duration::from_secs(5));
    Attempt { key, address, options, dial: Dial::Address, end: None, retried: false }
}

/// A connector whose first attempt the controller has taken.
fn initiating(keys: &[u8]) -> Connector<u8> {
    let mut connector = Connector::new(LIMIT);
    keys.iter().for_each(|&key| connector.push(attempt(key)));
    assert!(connector.poll_command(Instant::START, false, true, USUAL).is_some());
    assert!(connector.on_answer(LeCreateConnection::OPCODE, Some(ErrorCode::Success), false).is_none());
    connector
}

fn opcode(packet: Option<HciPacket>) -> Option<Opcode> {
    packet.map(|p| Opcode(u16::from_le_bytes([p.as_slice()[1], p.as_slice()[2]])))
}

fn ended(ended: Option<Ended<u8>>) -> Option<(u8, How)> {
    ended.map(|e| (e.attempt.key, e.how))
}

#[test]
fn attempts_take_turns() {
    let mut connector = initiating(&[1, 2]);
    assert!(connector.poll_command(Instant::START, false, true, USUAL).is_none(), "one at a time");
    assert_eq!(ended(connector.on_complete(ErrorCode::Success)), Some((1, How::Connected)));
    assert_eq!(
        opcode(connector.poll_command(Instant::START, true, true, USUAL)),
        Some(LeExtendedCreateConnection::OPCODE)
    );
}

#[test]
fn a_peer_not_heard_in_time_leaves_the_controller_idle_before_it_is_an_error() {
    let mut connector = initiating(&[1]);
    let late = Instant::START + Duration::from_secs(5);
    assert_eq!(connector.deadline(), Some(late));
    assert_eq!(
        opcode(connector.poll_command(late, false, true, USUAL)),
        Some(LeCreateConnectionCancel::OPCODE)
    );
    assert!(connector.on_answer(LeCreateConnectionCancel::OPCODE, Some(ErrorCode::Success), false).is_none());
    assert_eq!(
        ended(connector.on_complete(ErrorCode::UnknownConnectionIdentifier)),
        Some((1, How::TimedOut))
    );
}

#[test]
fn an_attempt_is_over_when_the_controller_has_answered_and_ended_it_in_either_order() {
    const CANCEL: Opcode = LeCreateConnectionCancel::OPCODE;
    const GONE: ErrorCode = ErrorCode::UnknownConnectionIdentifier;
    for event_first in [false, true] {
        let mut connector = initiating(&[1, 2]);
        assert!(connector.cancel(1).is_none());
        connector.poll_command(Instant::START, false, true, USUAL).expect("to stop");
        let end = if event_first {
            assert!(connector.on_complete(GONE).is_none(), "not answered");
            assert!(connector.is_initiating());
            connector.on_answer(CANCEL, Some(ErrorCode::Success), false)
        } else {
            assert!(connector.on_answer(CANCEL, Some(ErrorCode::Success), false).is_none(), "not ended");
            connector.on_complete(GONE)
        };
        assert_eq!(ended(end), Some((1, How::Cancelled)));
        connector.poll_command(Instant::START, false, true, USUAL).expect("the next one's turn");
    }
}

#[test]
fn a_controller_that_never_confirms_the_cancellation_does_not_hang_the_attempt() {
    let mut connector = initiating(&[1]);
    assert!(connector.cancel(1).is_none());
    assert!(connector.poll_command(Instant::START, false, true, USUAL).is_some());
    assert!(connector.on_timeout(Instant::START).is_none());
    assert_eq!(ended(connector.on_timeout(Instant::START + LIMIT)), Some((1, How::Cancelled)));
}

#[test]
fn h8_a_link_that_comes_up_after_the_cancellation_is_unwanted_and_after_the_time_out_welcome() {
    let mut connector = initiating(&[1]);
    connector.cancel(1);
    connector.poll_command(Instant::START, false, true, USUAL);
    assert_eq!(ended(connector.on_complete(ErrorCode::Success)), Some((1, How::Unwanted)));
    let mut connector = initiating(&[1]);
    connector.poll_command(Instant::START + Duration::from_secs(5), false, true, USUAL);
    assert_eq!(ended(connector.on_complete(ErrorCode::Success)), Some((1, How::Connected)));
}

#[test]
fn cancelled_before_its_turn_it_never_reaches_the_controller() {
    let mut connector = initiating(&[1, 2]);
    assert_eq!(ended(connector.cancel(2)), Some((2, How::Cancelled)));
    connector.on_complete(ErrorCode::Success);
    assert!(connector.poll_command(Instant::START, false, true, USUAL).is_none());
}

#[test]
fn failed_to_be_established_is_tried_once_more_before_the_others() {
    let mut connector = initiating(&[1, 2]);
    assert!(connector.on_complete(FAILED_TO_BE_ESTABLISHED).is_none());
    assert!(connector.poll_command(Instant::START, false, true, USUAL).is_some());
    connector.on_answer(LeCreateConnection::OPCODE, Some(ErrorCode::Success), false);
    let again = ended(connector.on_complete(FAILED_TO_BE_ESTABLISHED));
    assert_eq!(again, Some((1, How::Refused(LeCreateConnection::OPCODE, FAILED_TO_BE_ESTABLISHED))));
}

#[test]
fn a_controller_busy_scanning_makes_the_attempt_wait_for_the_scan_to_pause() {
    let mut connector = Connector::new(LIMIT);
    connector.push(attempt(1));
    connector.poll_command(Instant::START, false, false, USUAL);
    assert!(
        connector.on_answer(LeCreateConnection::OPCODE, Some(ErrorCode::CommandDisallowed), true).is_none()
    );
    assert!(connector.is_blocked());
    assert!(connector.poll_command(Instant::START, false, false, USUAL).is_none());
    assert!(connector.poll_command(Instant::START, false, true, USUAL).is_some());
    let refused = connector.on_answer(LeCreateConnection::OPCODE, Some(ErrorCode::CommandDisallowed), false);
    assert!(matches!(ended(refused), Some((1, How::Refused(..)))), "not scanning: a real refusal");
}

#[test]
fn parameters_outside_the_specification_have_no_units() {
    let good = ConnectionParameters::default();
    assert!(good.units().is_some());
    for bad in [
        ConnectionParameters { interval_min: Duration::from_millis(5), ..good },
        ConnectionParameters { interval_min: Duration::from_millis(40), ..good },
        ConnectionParameters { interval_max: Duration::from_secs(5), ..good },
        ConnectionParameters { latency: 500, ..good },
        ConnectionParameters { supervision_timeout: Duration::from_secs(33), ..good },
        ConnectionParameters { supervision_timeout: Duration::from_millis(60), latency: 4, ..good },
    ] {
        assert_eq!(bad.units(), None, "{bad:?}");
    }
}

/// Type and address of the peer in the command that is due.
fn called(connector: &mut Connector<u8>, extended: bool) -> (u8, Vec<u8>) {
    let packet = connector.poll_command(Instant::START, extended, true, USUAL).expect("a command");
    let at = if extended { 6 } else { 9 };
    (packet.as_slice()[at], packet.as_slice()[at + 1..at + 7].to_vec())
}

#[test]
fn whoever_is_known_by_an_identity_is_called_as_the_controller_or_the_air_knows_him() {
    let (identity, shown) = (attempt(1).address, Address::random(crate::BdAddr([9, 9, 9, 9, 9, 0x49])));
    for (dial, kind, address) in
        [(Dial::Address, 1, identity), (Dial::Identity, 3, identity), (Dial::Heard(shown), 1, shown)]
    {
        for extended in [false, true] {
            let mut connector = Connector::new(LIMIT);
            connector.push(Attempt { dial, ..attempt(1) });
            assert_eq!(called(&mut connector, extended), (kind, address.bd_addr.0.to_vec()), "{dial:?}");
        }
    }
}

#[test]
fn one_that_was_heard_goes_first_and_is_soon_given_up() {
    let mut connector = Connector::new(LIMIT);
    connector.push(attempt(1));
    let end = Instant::START + Duration::from_secs(60);
    let heard = Attempt { dial: Dial::Heard(attempt(9).address), end: Some(end), ..attempt(2) };
    connector.push(heard.clone());
    assert_eq!(connector.next().map(|attempt| attempt.key), Some(2));
    connector.poll_command(Instant::START, false, true, USUAL);
    connector.on_answer(LeCreateConnection::OPCODE, Some(ErrorCode::Success), false);
    assert_eq!(connector.deadline(), Some(Instant::START + HEARD_AGAIN));
    let late = end - Duration::from_secs(1);
    let mut connector = Connector::new(LIMIT);
    connector.push(heard);
    connector.poll_command(late, false, true, USUAL);
    connector.on_answer(LeCreateConnection::OPCODE, Some(ErrorCode::Success), false);
    assert_eq!(connector.deadline(), Some(end), "and never later than it was to be");
}

#[test]
fn from_which_address_is_asked_by_the_options_or_else_by_the_adapter() {
    for (wish, usual, wire) in [
        (None, OwnAddress::RandomStatic, 1),
        (None, OwnAddress::Public, 0),
        (Some(OwnAddress::Resolvable), OwnAddress::Public, 1),
        (Some(OwnAddress::Public), OwnAddress::Resolvable, 0),
    ] {
        let mut connector = Connector::new(LIMIT);
        let mut attempt = attempt(1);
        attempt.options.own_address = wish;
        connector.push(attempt);
        let packet = connector.poll_command(Instant::START, false, true, usual).expect("a command");
        assert_eq!(packet.as_slice()[16], wire, "{wish:?}");
    }
}
