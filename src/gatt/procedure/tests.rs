//! All procedures against a small server that answers from a table, honestly or not.

use super::script::error;
use super::*;
use crate::att::pdu::{FindByTypeValueReq, FindInformationReq, ReadByGroupTypeReq, ReadByTypeReq};
use crate::gatt::Properties;
use crate::{Uuid, uuid16};
use proptest::prelude::*;

const LONG: Uuid = Uuid::from_u128(0x6E40_0001_B5A3_F393_E0A9_E50E_24DC_CA9E);

/// Attributes in ascending order, served by ATT_MTU.
struct Table {
    attributes: Vec<Attribute>,
    att_mtu: usize,
    /// Handles that may not be read.
    unreadable: Vec<u16>,
}

struct Attribute {
    handle: u16,
    uuid: Uuid,
    value: Vec<u8>,
    /// Its group's last handle, for a service.
    end: u16,
}

impl Table {
    fn new(att_mtu: usize, attributes: impl IntoIterator<Item = (u16, Uuid, Vec<u8>, u16)>) -> Self {
        let attributes =
            attributes.into_iter().map(|(handle, uuid, value, end)| Attribute { handle, uuid, value, end });
        Self { attributes: attributes.collect(), att_mtu, unreadable: Vec::new() }
    }

    /// A battery service twice, a long UUID with an include, extended properties and a description, a secondary one.
    fn demo(att_mtu: usize) -> Self {
        let characteristic = |properties: u8, value: u16, uuid: Uuid| {
            [&[properties][..], &value.to_le_bytes(), &uuid.to_wire()].concat()
        };
        let (primary, declaration) = (uuid16(0x2800), uuid16(0x2803));
        let battery = uuid16(0x180F).to_wire().to_vec();
        let level = uuid16(0x2A19);
        Self::new(
            att_mtu,
            [
                (0x01, primary, battery.clone(), 0x04),
                (0x02, declaration, characteristic(0x12, 0x03, level), 0),
                (0x03, level, vec![90], 0),
                (0x04, uuid16(0x2902), vec![0, 0], 0),
                (0x10, primary, battery, 0x12),
                (0x11, declaration, characteristic(0x02, 0x12, level), 0),
                (0x12, level, vec![80], 0),
                (0x20, primary, LONG.to_wire().to_vec(), 0x2F),
                (0x21, uuid16(0x2802), vec![0x30, 0, 0x33, 0], 0),
                (0x22, uuid16(0x2802), vec![0x01, 0, 0x04, 0, 0x0F, 0x18], 0),
                (0x23, declaration, characteristic(0x88, 0x24, LONG), 0),
                (0x24, LONG, vec![5; 100], 0),
                (0x25, uuid16(0x2900), vec![1, 0], 0),
                (0x26, uuid16(0x2901), "the description, longer than a part".into(), 0),
                (0x27, LONG, vec![], 0),
                (0x28, declaration, characteristic(0x04, 0x29, level), 0),
                (0x29, level, vec![], 0),
                (0x30, uuid16(0x2801), LONG.to_wire().to_vec(), 0x33),
                (0x40, primary, vec![0x01, 0x18], 0x40),
            ],
        )
    }

    fn within(&self, start: u16, end: u16) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(move |a| (start..=end).contains(&a.handle))
    }

    fn at(&self, handle: u16) -> &Attribute {
        self.attributes.iter().find(|a| a.handle == handle).expect("a request for an attribute of the table")
    }

    /// Entries of one length, as many as fit.
    fn list(&self, opcode: u8, entries: impl Iterator<Item = Vec<u8>>) -> Option<Vec<u8>> {
        let mut entries = entries.peekable();
        let length = entries.peek()?.len();
        let mut pdu = vec![opcode, u8::try_from(length).expect("short entries")];
        for entry in entries.take_while(|entry| entry.len() == length) {
            if pdu.len() + length <= self.att_mtu {
                pdu.extend(entry);
            } else {
                break;
            }
        }
        Some(pdu)
    }

    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let not_found = |start| error(request[0], start, 0x0A);
        let cut = |opcode: u8, value: &[u8]| {
            let mut pdu = [&[opcode], value].concat();
            pdu.truncate(self.att_mtu);
            pdu
        };
        match AttPdu::from_octets(request).expect("a request that parses") {
            AttPdu::ExchangeMtuReq(_) => vec![0x03, 100, 0],
            AttPdu::ReadByGroupTypeReq(ReadByGroupTypeReq {
                starting_handle,
                ending_handle,
                attribute_group_type,
            }) => {
                let groups = self
                    .within(starting_handle.0, ending_handle.0)
                    .filter(|a| *a.uuid.to_wire() == *attribute_group_type.0)
                    .map(|a| [&a.handle.to_le_bytes()[..], &a.end.to_le_bytes(), &a.value].concat());
                self.list(0x11, groups).unwrap_or_else(|| not_found(starting_handle.0))
            }
            AttPdu::ReadByTypeReq(ReadByTypeReq { starting_handle, ending_handle, attribute_type }) => {
                let values = self
                    .within(starting_handle.0, ending_handle.0)
                    .filter(|a| *a.uuid.to_wire() == *attribute_type.0)
                    .map(|a| {
                        let value = &a.value[..a.value.len().min(self.att_mtu - 4)];
                        [&a.handle.to_le_bytes()[..], value].concat()
                    });
                self.list(0x09, values).unwrap_or_else(|| not_found(starting_handle.0))
            }
            AttPdu::FindInformationReq(FindInformationReq { starting_handle, ending_handle }) => {
                let entries = self
                    .within(starting_handle.0, ending_handle.0)
                    .map(|a| [&a.handle.to_le_bytes()[..], &a.uuid.to_wire()].concat());
                let Some(mut pdu) = self.list(0x05, entries) else { return not_found(starting_handle.0) };
                pdu[1] = if pdu[1] == 4 { 1 } else { 2 };
                pdu
            }
            AttPdu::FindByTypeValueReq(FindByTypeValueReq {
                starting_handle,
                ending_handle,
                attribute_value,
                ..
            }) => {
                let groups: Vec<_> = self
                    .within(starting_handle.0, ending_handle.0)
                    .filter(|a| a.uuid == uuid16(0x2800) && a.value == attribute_value.0)
                    .flat_map(|a| [a.handle.to_le_bytes(), a.end.to_le_bytes()].concat())
                    .collect();
                if groups.is_empty() { not_found(starting_handle.0) } else { cut(0x07, &groups) }
            }
            AttPdu::ReadReq(read) => match read.attribute_handle.0 {
                handle if self.unreadable.contains(&handle) => error(0x0A, handle, 0x05),
                handle => cut(0x0B, &self.at(handle).value),
            },
            AttPdu::ReadBlobReq(read) => cut(
                0x0D,
                self.at(read.attribute_handle.0).value.get(read.value_offset.into()..).unwrap_or(&[]),
            ),
            AttPdu::ReadMultipleReq(read) => {
                let values: Vec<_> = read.handles.iter().flat_map(|h| self.at(h.0).value.clone()).collect();
                cut(0x0F, &values)
            }
            AttPdu::ReadMultipleVariableReq(_) => vec![0x21, 1, 0, 90, 2, 0, 0, 0],
            AttPdu::WriteReq(_) => vec![0x13],
            AttPdu::PrepareWriteReq(_) => [&[0x17], &request[1..]].concat(),
            AttPdu::ExecuteWriteReq(_) => vec![0x19],
            other => panic!("no answer to {other}"),
        }
    }
}

/// Runs to the end with the answers that `server` gives to the numbered requests.
fn run_with(
    mut running: Running,
    att_mtu: u16,
    mut server: impl FnMut(usize, &[u8]) -> Vec<u8>,
) -> (usize, Result<Outcome, GattError>) {
    let mut request = running.start(att_mtu);
    for n in 0.. {
        assert!(request.len() <= usize::from(att_mtu), "{} sends {request:02x?}", running.name());
        let answer = Bytes::from(server(n, &request));
        match running.on_response(Response::new(&answer).expect("an answer that parses")) {
            Ok(Step::Send(next)) => request = next,
            Ok(Step::Done(outcome)) => return (n + 1, Ok(outcome)),
            Err(error) => return (n + 1, Err(error)),
        }
    }
    unreachable!("the numbers do not end")
}

fn run<P: Procedure>(procedure: P, table: &Table) -> Result<P::Output, GattError> {
    let att_mtu = u16::try_from(table.att_mtu).expect("an MTU");
    let (_, outcome) = run_with(procedure.into(), att_mtu, |_, request| table.answer(request));
    Ok(outcome?.try_into().ok().expect("the outcome of this procedure"))
}

/// One of each, all of which succeed on the demo table.
fn every_procedure() -> Vec<Running> {
    vec![
        ExchangeMtu::new().into(),
        Discover::all().with_user_descriptions().into(),
        Discover::only([uuid16(0x180F), LONG]).into(),
        DiscoverServices::primary().into(),
        DiscoverServices::primary_of(LONG).into(),
        DiscoverServices::secondary().into(),
        DiscoverIncluded::within(0x20, 0x2F).into(),
        DiscoverCharacteristics::within(0x20, 0x2F).into(),
        DiscoverDescriptors::within(0x25, 0x27).into(),
        Read::new(0x24).into(),
        ReadBlob::new(0x24, 10).into(),
        ReadByUuid::new(uuid16(0x2A19)).into(),
        ReadMultiple::new(&[0x03, 0x12]).expect("two").into(),
        ReadMultipleVariable::new(&[0x03, 0x04]).expect("two").into(),
        Write::new(0x03, &b"short"[..]).expect("short").into(),
        Write::new(0x24, vec![7; 100]).expect("at most 512").into(),
        WriteLong::reliable([(0x03, Bytes::from_static(b"a")), (0x24, vec![7; 40].into())])
            .expect("short")
            .into(),
        Subscribe::at(0x04, Delivery::Notify).into(),
        Subscribe::searching(0x03, 0x04, Delivery::Indicate).expect("room").into(),
        Unsubscribe::at(0x04).into(),
    ]
}

#[test]
fn the_whole_table_is_discovered_at_every_mtu() {
    for att_mtu in [23, 24, 29, 64, 185, 517] {
        let table = Table::demo(att_mtu);
        let services = run(Discover::all().with_user_descriptions(), &table).expect("an honest server");
        let ranges: Vec<_> = services.iter().map(|s| (s.handle, s.end_handle, s.primary)).collect();
        let expected =
            [(1, 4, true), (0x10, 0x12, true), (0x20, 0x2F, true), (0x40, 0x40, true), (0x30, 0x33, false)];
        assert_eq!(ranges, expected, "MTU {att_mtu}");

        let handles: Vec<_> = services
            .characteristics()
            .map(|c| (c.handle, c.value_handle, c.end_handle, c.properties.0))
            .collect();
        let expected =
            [(2, 3, 4, 0x12), (0x11, 0x12, 0x12, 0x02), (0x23, 0x24, 0x27, 0x88), (0x28, 0x29, 0x2F, 0x04)];
        assert_eq!(handles, expected, "MTU {att_mtu}");

        let long = services.find(LONG).expect("one characteristic");
        assert_eq!((long.service_handle, long.service_uuid), (0x20, LONG));
        assert_eq!(long.extended_properties.map(|bits| bits.reliable_write()), Some(true));
        assert_eq!(long.user_description.as_deref(), Some("the description, longer than a part"));
        assert_eq!(
            long.descriptors.iter().map(|d| (d.handle, d.uuid)).collect::<Vec<_>>(),
            [(0x25, uuid16(0x2900)), (0x26, uuid16(0x2901)), (0x27, LONG)]
        );
        let includes = &services.service_at(0x20).expect("the third").includes;
        assert_eq!(
            includes.iter().map(|i| (i.handle, i.uuid, i.service_handle, i.end_handle)).collect::<Vec<_>>(),
            [(0x21, LONG, 0x30, 0x33), (0x22, uuid16(0x180F), 1, 4)]
        );
        assert_eq!(services.find(uuid16(0x2A19)).expect_err("three").handles(), [0x03, 0x12, 0x29]);
    }
}

#[test]
fn services_asked_for_are_discovered_alone() {
    let services =
        run(Discover::only([LONG, uuid16(0x180F), LONG]), &Table::demo(23)).expect("an honest server");
    assert_eq!(services.iter().map(|s| s.handle).collect::<Vec<_>>(), [0x01, 0x10, 0x20]);
    let level = services.characteristics().next().expect("a battery level");
    assert_eq!((level.properties, level.cccd()), (Properties::READ | Properties::NOTIFY, Some(4)));
    assert_eq!(services.find(LONG).expect("one").user_description, None, "it was not asked for");
    assert!(run(Discover::only([uuid16(1)]), &Table::demo(23)).expect("none").is_empty());
    assert!(run(Discover::all(), &Table::new(23, [])).expect("none").is_empty());
}

#[test]
fn descriptors_that_may_not_be_read_are_absent_and_no_error() {
    let mut table = Table::demo(23);
    table.unreadable = vec![0x25, 0x26];
    let services = run(Discover::all().with_user_descriptions(), &table).expect("the rest");
    let long = services.find(LONG).expect("one");
    assert_eq!((long.extended_properties, &long.user_description), (None, &None));
    assert_eq!(long.descriptors.len(), 3);
}

#[test]
fn a3_primary_and_secondary_services_that_overlap_are_refused() {
    let service = |handle, uuid, end| (handle, uuid16(uuid), vec![0, 0x18], end);
    let table = Table::new(23, [service(1, 0x2800, 5), service(4, 0x2801, 8)]);
    let result = run(Discover::all(), &table);
    assert_eq!(result, Err(GattError::DatabaseInvalid { cause: "two services overlap", handle: 4 }));
}

#[test]
fn a15_a_characteristic_without_descriptors_has_an_empty_list() {
    let services = run(Discover::all(), &Table::demo(23)).expect("an honest server");
    let command = services.characteristic_at(0x29).expect("the last one");
    assert!(command.descriptors.is_empty());
    assert!(matches!(Subscribe::new(command), Err(GattError::NotSubscribable { value_handle: 0x29 })));
    assert!(matches!(
        Subscribe::forced(command, Delivery::Notify),
        Err(GattError::NoCccd { value_handle: 0x29 })
    ));
}

#[test]
fn a13_a_failure_at_any_step_ends_the_procedure_at_once() {
    let table = Table::demo(23);
    for (index, procedure) in every_procedure().into_iter().enumerate() {
        let name = procedure.name();
        let (steps, outcome) = run_with(procedure, 23, |_, request| table.answer(request));
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
        for failing in 0..steps {
            let procedure = every_procedure().swap_remove(index);
            let mut reads_a_descriptor = false;
            let (taken, outcome) = run_with(procedure, 23, |n, request| {
                if n != failing {
                    return table.answer(request);
                }
                reads_a_descriptor = matches!(request[..], [0x0A | 0x0C, 0x25 | 0x26, ..]);
                error(request[0], 0, 0x0E)
            });
            if name == Discover::NAME && reads_a_descriptor {
                assert!(outcome.is_ok(), "{name}, step {failing}");
                continue;
            }
            assert!(matches!(outcome, Err(GattError::Att { .. })), "{name}, step {failing}: {outcome:?}");
            // One request more cancels a queue.
            assert!(taken <= failing + 2, "{name}, step {failing}");
            assert!(taken == failing + 1 || name.starts_with("write"), "{name}, step {failing}");
        }
    }
}

#[test]
fn each_outcome_converts_to_its_own_type_alone() {
    assert_eq!(u16::try_from(Outcome::Mtu(23)), Ok(23));
    assert_eq!(<()>::try_from(Outcome::Mtu(23)), Err(Outcome::Mtu(23)));
}

/// A response to the request, with a header that is right and anything behind it.
fn hostile_answer() -> impl Strategy<Value = Vec<u8>> {
    let entries = prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..64);
    (prop::sample::select(vec![0, 1, 2, 3, 4, 6, 7, 8, 20, 21]), entries)
        .prop_map(|(length, data)| [&[length], &data[..]].concat())
}

proptest! {
    #[test]
    fn no_answers_make_a_procedure_panic_or_send_too_much(answers in prop::collection::vec(hostile_answer(), 1..32)) {
        for mut running in every_procedure() {
            let mut request = running.start(23);
            for answer in &answers {
                prop_assert!(!request.is_empty() && request.len() <= 23);
                let opcode = AttOpcode(request[0]).response().expect("only requests are sent");
                let octets = Bytes::from([&[opcode.0], &answer[..]].concat());
                let Ok(response) = Response::new(&octets) else { break };
                match running.on_response(response) {
                    Ok(Step::Send(next)) => {
                        prop_assert!(next != request, "{} makes no progress", running.name());
                        request = next;
                    }
                    Ok(Step::Done(_)) | Err(_) => break,
                }
            }
        }
    }
}
