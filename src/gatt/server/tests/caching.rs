//! What each client knows of the table, and the characteristics of the GATT service that say so.

use super::*;
use crate::att::AttPdu;

const SERVICE_CHANGED: u16 = 8;
const SERVICE_CHANGED_CCCD: u16 = 9;
const FEATURES: u16 = 11;
pub(super) const VALUE: u16 = 0x22;
const VALUE_CCCD: u16 = 0x23;
const OTHER_CCCD: u16 = 0x33;

/// The services that every server has, a service that stays, and one at 0x30 of so many characteristics.
pub(super) fn with(characteristics: usize) -> Table {
    let value = || Characteristic::new(LONG).value("v").read(Access::OPEN).write(Access::OPEN);
    let value = || value().write_without_response(Access::OPEN).notify().indicate();
    let mut other = Service::primary(LONG).at(0x30);
    for _ in 0..characteristics {
        other = other.characteristic(value());
    }
    let stays = Service::primary(LONG).at(0x20).characteristic(value());
    Table::builder("name").service(stays).service(other).build().expect("fits")
}

/// A link whose client has these features, and asks for indications of Service Changed.
pub(super) fn link(features: u8) -> Link {
    let mut link = Link { table: with(1), ..Link::new() };
    assert_eq!(link.response(pdu(0x12, FEATURES, &[features])), [0x13]);
    link.response(pdu(0x12, SERVICE_CHANGED_CCCD, &[2, 0]));
    link.response(pdu(0x12, VALUE_CCCD, &[3, 0]));
    link.response(pdu(0x12, OTHER_CCCD, &[1, 0]));
    link
}

impl Link {
    /// Another table takes the place of the one there is.
    pub(super) fn replace(&mut self, table: Table) -> Vec<Output> {
        let range = table.changed_since(&self.table).expect("it differs");
        self.table = table;
        self.client.on_table_changed(&self.table, range.clone());
        let mut outputs = self.server.on_table_changed(&self.table, range.clone());
        outputs.extend(self.server.indicate_change(&self.table, &self.client, range));
        outputs
    }

    pub(super) fn notifies(&self, handle: u16) -> bool {
        self.client.notifies(&self.table, handle)
    }

    pub(super) fn read_value(&mut self) -> Vec<u8> {
        self.response(pdu(0x0A, VALUE, &[]))
    }
}

pub(super) const READ_HASH: [u8; 7] = [0x08, 1, 0, 0xFF, 0xFF, 0x2A, 0x2B];
pub(super) const OUT_OF_SYNC: [u8; 5] = [0x01, 0x0A, 0x22, 0, 0x12];

fn service_changed(start: u8, end: u8) -> Vec<u8> {
    vec![0x1D, 8, 0, start, 0, end, 0]
}

#[test]
fn a_hash_follows_the_definitions_and_not_the_values() {
    let table = with(1);
    let mut other = with(1);
    other.set_value(VALUE, "another").expect("it is stored");
    assert_eq!((table.hash(), other.changed_since(&table)), (other.hash(), None));
    assert_ne!(table.hash(), with(2).hash());
    let mut link = Link { table, ..Link::new() };
    let response = [&[0x09, 18, 13, 0][..], &link.table.hash()].concat();
    assert_eq!(link.response(READ_HASH), response);
    assert_eq!(link.response(pdu(0x12, 13, &[0; 16])), error(0x12, 13, AttError::WriteNotPermitted));
    assert!(link.table.set_value(13, &[0; 16][..]).is_err(), "it is nobody's to set");
    assert_eq!(link.response(pdu(0x0A, 15, &[])), [0x0B, 0], "no enhanced bearers");
}

#[test]
fn the_changed_handles_are_those_of_the_services_that_differ() {
    assert_eq!(with(2).changed_since(&with(1)), Some(0x30..=0x36));
    assert_eq!(with(1).changed_since(&with(2)), Some(0x30..=0x36), "the longer of the two");
    let name = |uuid| Table::builder("n").service(Service::primary(uuid)).build().expect("fits");
    assert_eq!(name(LONG).changed_since(&name(uuid16(0x180F))), Some(0x10..=0x10));
    assert_eq!(with(1).changed_since(&name(LONG)), Some(0x10..=0x33));
}

/// [Vol 3] Part G, 7.2
#[test]
fn features_are_of_each_client_and_bits_once_set_stay() {
    let mut link = Link { table: with(0), ..Link::new() };
    let read = |link: &mut Link| link.response(pdu(0x0A, FEATURES, &[]));
    assert_eq!(read(&mut link), [0x0B, 0]);
    for (written, kept) in [(&[0x01][..], 0x01), (&[0x05, 0xFF], 0x05), (&[0xF5], 0x05)] {
        assert_eq!(link.response(pdu(0x12, FEATURES, written)), [0x13], "{written:02x?}");
        assert_eq!((read(&mut link), link.client.features()), (vec![0x0B, kept], kept));
    }
    for cleared in [&[0x04][..], &[0x01], &[0x00], &[]] {
        let refused = error(0x12, FEATURES, AttError::ValueNotAllowed);
        assert_eq!(link.response(pdu(0x12, FEATURES, cleared)), refused, "{cleared:02x?}");
    }
    let prepare = |offset, part: &[u8]| pdu(0x16, FEATURES, &[&[offset, 0][..], part].concat());
    link.response(prepare(0, &[0x01]));
    assert_eq!(link.response([0x18, 1]), error(0x18, FEATURES, AttError::ValueNotAllowed));
    link.response(prepare(0, &[0x07]));
    assert_eq!((link.response([0x18, 1]), read(&mut link)), (vec![0x19], vec![0x0B, 0x07]));
    link.response(prepare(1, &[0x00]));
    assert_eq!((link.response([0x18, 1]), read(&mut link)), (vec![0x19], vec![0x0B, 0x07]), "behind them");
    let mut other = Link { table: link.table.clone(), ..Link::new() };
    assert_eq!(read(&mut other), [0x0B, 0]);
}

/// [Vol 3] Part G, 2.5.2.1
#[test]
fn a_client_is_out_of_sync_once_and_its_next_request_is_served() {
    let mut link = link(1);
    link.replace(with(2));
    assert_eq!(link.read_value(), OUT_OF_SYNC);
    assert!(matches!(link.send(pdu(0x52, VALUE, b"x"))[..], [Output::Ignored(_)]), "not aware yet");
    assert_eq!(link.read_value(), b"\x0Bv");
    assert!(matches!(link.send(pdu(0x52, VALUE, b"x"))[..], [Output::Written(_)]));
    link.replace(with(1));
    assert_eq!(link.read_value(), OUT_OF_SYNC, "it changed again");
}

#[test]
fn requests_that_name_attributes_are_out_of_sync_and_discovery_is_not() {
    let range = |opcode, start: u8, rest: &[u8]| [&[opcode, start, 0, 0xFF, 0xFF][..], rest].concat();
    for (request, handle) in [
        (pdu(0x0A, VALUE, &[]), VALUE),
        (pdu(0x0C, VALUE, &[0, 0]), VALUE),
        (vec![0x0E, 0x22, 0, 0x23, 0], VALUE),
        (vec![0x20, 0x22, 0, 0x23, 0], VALUE),
        (pdu(0x12, VALUE, b"x"), VALUE),
        (pdu(0x16, VALUE, &[0, 0, b'x']), VALUE),
        (range(0x08, 2, &[0x2A, 0x2B]), 2),
    ] {
        let mut link = link(1);
        link.replace(with(2));
        let opcode = request[0];
        assert_eq!(link.response(&request), error(opcode, handle, AttError::DatabaseOutOfSync));
        assert_ne!(link.response(&request)[0], 0x01, "{request:02x?}");
    }
    for request in [
        vec![0x02, 100, 0],
        range(0x04, 1, &[]),
        range(0x06, 1, &[0x00, 0x28, 0x00, 0x18]),
        range(0x08, 1, &[0x00, 0x2A]),
        range(0x08, 2, &[0x03, 0x28]),
        range(0x10, 1, &[0x00, 0x28]),
        vec![0x18, 1],
    ] {
        let mut link = link(1);
        link.replace(with(2));
        assert_ne!(link.response(&request)[0], 0x01, "{request:02x?}");
        assert_eq!(link.read_value(), OUT_OF_SYNC, "{request:02x?} made it aware");
    }
}

#[test]
fn a_client_that_reads_the_hash_is_aware_with_its_next_request() {
    let mut link = link(1);
    link.replace(with(2));
    assert_eq!(link.response(READ_HASH)[0], 0x09);
    assert!(!link.notifies(VALUE));
    assert_eq!(link.read_value(), b"\x0Bv");
    assert!(link.notifies(VALUE));
}

#[test]
fn a_client_that_confirms_service_changed_is_aware() {
    let mut link = link(1);
    assert_eq!(sent(&link.replace(with(2))), service_changed(0x30, 0x36));
    assert!(!link.notifies(VALUE), "nothing but Service Changed is sent");
    assert_eq!(link.send([0x1E]), [Output::Confirmed { value_handle: SERVICE_CHANGED }]);
    assert!(link.notifies(VALUE));
    assert_eq!(link.read_value(), b"\x0Bv");
}

#[test]
fn a_client_without_robust_caching_is_told_and_served_on() {
    let mut link = link(0);
    assert_eq!(sent(&link.replace(with(2))), service_changed(0x30, 0x36));
    assert!(link.notifies(VALUE));
    assert_eq!(link.read_value(), b"\x0Bv");
    link.response(pdu(0x12, SERVICE_CHANGED_CCCD, &[0, 0]));
    link.send([0x1E]);
    assert_eq!(link.replace(with(1)), [], "nor does one that did not ask hear of it");
}

#[test]
fn changes_that_wait_to_be_indicated_become_one_and_go_first() {
    let mut link = link(1);
    let value =
        |link: &mut Link| link.server.indicate(&link.table, &link.client, VALUE, Bytes::from_static(b"v"));
    assert!(matches!(value(&mut link), Indicated::Send(_)));
    assert_eq!(value(&mut link), Indicated::Queued);
    assert_eq!(link.replace(with(2)), []);
    assert_eq!(link.replace(with(3)), []);
    assert_eq!(sent(&link.send([0x1E])[1..]), service_changed(0x30, 0x39));
    assert_eq!(link.replace(with(0)), [], "again, before the confirmation");
    assert_eq!(sent(&link.send([0x1E])[1..]), service_changed(0x30, 0x39));
    assert_eq!(link.read_value(), OUT_OF_SYNC, "only the last confirmation counts");
    assert_eq!(sent(&link.send([0x1E])[1..]), [0x1D, 0x22, 0, b'v'], "what waited is sent then");
}

#[test]
fn what_belongs_to_handles_that_changed_is_gone() {
    let mut link = link(0);
    link.replace(with(2));
    let kept: Vec<_> = link.client.configurations().keys().copied().collect();
    assert_eq!(kept, [SERVICE_CHANGED_CCCD, VALUE_CCCD]);

    // [Vol 3] Part F, 3.4.6.3
    link.response(pdu(0x16, VALUE, &[0, 0, b'x']));
    link.replace(with(1));
    assert_eq!(link.response([0x18, 1]), error(0x18, VALUE, AttError::DatabaseOutOfSync));
    assert_eq!((link.response([0x18, 1]), link.value(VALUE)), (vec![0x19], &b"v"[..]));
    link.response(pdu(0x16, VALUE, &[0, 0, b'x']));
    assert_eq!((link.response([0x18, 1]), link.value(VALUE)), (vec![0x19], &b"x"[..]));
}

#[test]
fn a_request_that_waits_for_the_user_is_answered_when_the_table_changes() {
    let asked =
        || Service::primary(LONG).characteristic(Characteristic::new(LONG).asked().read(Access::OPEN));
    let table = |service| Table::builder("name").service(service).build().expect("fits");
    let mut link = Link { table: table(asked()), ..Link::new() };
    let [Output::Ask(Ask { id, .. })] = link.send(pdu(0x0A, 0x12, &[]))[..] else { panic!("a question") };
    let outputs = link.replace(table(asked().characteristic(Characteristic::new(LONG))));
    assert_eq!(sent(&outputs), error(0x0A, 0x12, AttError::DatabaseOutOfSync));
    assert_eq!(link.server.asking(), None);
    let late = link.server.on_answer(&mut link.table, &mut link.client, id, Ok(Bytes::from_static(b"late")));
    assert!(matches!(late[..], [Output::Ignored(_)]));
}

#[test]
fn a_bond_keeps_features_and_what_the_client_knows() {
    let link = link(5);
    let remembered = link.client.remembered(&link.table);
    let again = |table: Table| {
        let mut again = Link { table, ..Link::new() };
        again.client.restore(&again.table, remembered.clone());
        again
    };
    let mut same = again(with(1));
    assert_eq!((same.read_value(), same.client.features()), (b"\x0Bv".to_vec(), 5));
    assert!(same.notifies(VALUE));
    let mut other = again(with(2));
    assert_eq!(other.client.remembered(&other.table).database_hash, None);
    assert!(!other.notifies(VALUE));
    assert_eq!(other.read_value(), OUT_OF_SYNC);
}

#[test]
fn malformed_requests_are_no_sign_of_awareness() {
    let mut link = link(1);
    link.replace(with(2));
    assert!(AttPdu::from_octets(&[0x0A, 1]).is_err());
    assert_eq!(link.response([0x0A, 1]), error(0x0A, 0, AttError::InvalidPdu));
    assert_eq!(link.read_value(), OUT_OF_SYNC);
}
