use super::*;
use crate::codec::ParseError;
use crate::hci::{ConnectionHandle, ErrorCode, Opcode, Role};
use proptest::prelude::*;

fn le(octets: &[u8]) -> Result<LeEvent<'_>, ParseError> {
    match Event::parse(0x3E, octets)? {
        Event::LeMeta(LeMeta { subevent }) => Ok(subevent),
        other => panic!("{other}"),
    }
}

#[test]
fn completed_packets_are_interleaved_per_handle() {
    let octets = [2, 0x40, 0, 1, 0, 0x41, 0, 2, 0];
    let Ok(Event::NumberOfCompletedPackets(event)) = Event::parse(0x13, &octets) else { panic!() };
    let seen: Vec<_> =
        event.handles.iter().map(|h| (h.connection_handle.0, h.num_completed_packets)).collect();
    assert_eq!(seen, [(0x40, 1), (0x41, 2)]);
}

#[test]
fn advertising_reports_are_interleaved_per_report() {
    let mut octets = vec![0x02, 2];
    for n in [1u8, 2] {
        octets.extend([0, 1, n, 0, 0, 0, 0, 0xC0, 2, 0xAA, n, 0xD8]);
    }
    let Ok(LeEvent::LeAdvertisingReport(event)) = le(&octets) else { panic!() };
    let seen: Vec<_> =
        event.reports.iter().map(|r| (r.address.0[0], r.data.get().to_vec(), r.rssi)).collect();
    assert_eq!(seen, [(1, vec![0xAA, 1], -40), (2, vec![0xAA, 2], -40)]);
}

#[test]
fn h3_an_event_truncated_at_any_field_is_refused_with_the_place() {
    let whole = [0x01, 0, 0x40, 0, 0, 1, 1, 2, 3, 4, 5, 0xC6, 24, 0, 0, 0, 42, 0, 5];
    let Ok(LeEvent::LeConnectionComplete(event)) = le(&whole) else { panic!() };
    assert_eq!(
        (event.connection_handle, event.role, event.peer_address_type),
        (ConnectionHandle(0x40), Role::Central, AddressType::Random)
    );
    for end in 0..whole.len() {
        assert!(le(&whole[..end]).is_err(), "{end} octets");
    }
}

#[test]
fn h3_octets_behind_the_layout_are_tolerated() {
    let event = Event::parse(0x05, &[0, 0x40, 0, 0x13, 9, 9]);
    let reason = ErrorCode::RemoteUserTerminatedConnection;
    let expected = DisconnectionComplete {
        status: ErrorCode::Success,
        connection_handle: ConnectionHandle(0x40),
        reason,
    };
    assert_eq!(event, Ok(Event::DisconnectionComplete(expected)));
}

#[test]
fn h3_unknown_events_and_subevents_are_data() {
    assert_eq!(Event::parse(0x99, &[1]), Ok(Event::Unknown { code: 0x99, parameters: &[1] }));
    assert_eq!(le(&[0x77, 1]), Ok(LeEvent::Unknown { code: 0x77, parameters: &[1] }));
}

#[test]
fn h4_a_report_that_does_not_fit_keeps_those_before_it() {
    let octets = [0x02, 2, 0, 1, 1, 0, 0, 0, 0, 0xC0, 1, 0xAA, 0xD8, 0, 1, 2, 0, 0, 0, 0, 0xC0, 31, 0xAA];
    let Ok(LeEvent::LeAdvertisingReport(event)) = le(&octets) else { panic!() };
    assert_eq!(event.reports.iter().count(), 1);
    assert!(!event.reports.is_complete());
    let Ok(LeEvent::LeAdvertisingReport(none)) = le(&[0x02, 0]) else { panic!() };
    assert_eq!(none.reports.iter().count(), 0);
}

#[test]
fn a_line_for_people() {
    let event = Event::parse(0x0F, &[0x01, 1, 0x0B, 0x20]).expect("whole");
    assert_eq!(
        event.to_string(),
        "Command Status status=Unknown HCI Command num_hci_command_packets=1 command_opcode=LE Set Scan Parameters"
    );
    assert_eq!(
        Event::CommandStatus(CommandStatus {
            status: ErrorCode(1),
            num_hci_command_packets: 1,
            command_opcode: Opcode(0x200B)
        })
        .to_packet()
        .map(|p| p.into_bytes().to_vec()),
        Ok(vec![4, 0x0F, 4, 1, 1, 0x0B, 0x20])
    );
}

#[test]
fn the_tables_hold_every_event() {
    assert_eq!(Event::CODES.len() + LeEvent::CODES.len(), 59);
    assert!(Event::CODES.is_sorted() && LeEvent::CODES.is_sorted());
}

proptest! {
    #[test]
    fn every_row_emits_what_it_parsed(le in any::<bool>(), row in any::<prop::sample::Index>(), octets in prop::collection::vec(any::<u8>(), 0..=254)) {
        let (code, parameters) = if le {
            let mut with_code = vec![*row.get(LeEvent::CODES)];
            with_code.extend(&octets);
            (0x3E, with_code)
        } else {
            (*row.get(Event::CODES), octets)
        };
        if let Ok(event) = Event::parse(code, &parameters) {
            let mut out = BytesMut::new();
            event.emit_parameters(&mut out);
            // Trailing octets are dropped, everything else comes back.
            prop_assert_eq!(&out[..], &parameters[..out.len()]);
            prop_assert_eq!(Event::parse(code, &out), Ok(event));
            let _ = event.to_string();
        }
    }
}
