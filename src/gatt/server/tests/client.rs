//! Our own client's procedures against the server: they must find what was declared, and nothing else.

use super::*;
use crate::gatt::Services;
use crate::gatt::procedure::{Discover, Outcome, Read, Response, Running, Step, Write};
use proptest::prelude::*;

/// Runs a procedure to its end; the user gives and takes `asked`.
fn run(running: impl Into<Running>, link: &mut Link, asked: &[u8]) -> Outcome {
    let mut running = running.into();
    let mut request = running.start(link.server.mtu());
    loop {
        let mut outputs = link.send(&request);
        if let [Output::Ask(_)] = outputs[..] {
            outputs = link.answer(Ok(asked));
        }
        let response = Bytes::from(sent(&outputs));
        match running.on_response(Response::new(&response).expect("it parses")).expect("an honest server") {
            Step::Send(next) => request = next,
            Step::Done(outcome) => return outcome,
        }
    }
}

fn discovered(table: &Table, mtu: u16) -> Services {
    let mut link = Link { table: table.clone(), ..Link::with_mtu(mtu) };
    run(Discover::all().with_user_descriptions(), &mut link, b"").try_into().expect("services")
}

#[test]
fn the_demo_table_and_the_default_services_are_discovered() {
    for table in [table(), Table::builder("name").build().expect("fits")] {
        assert!(!table.services().is_empty());
        for mtu in [23, 247, 517] {
            assert_eq!(discovered(&table, mtu), *table.services(), "MTU {mtu}");
        }
    }
}

fn uuids() -> impl Strategy<Value = Uuid> {
    prop_oneof![
        (0x1800..0x1808_u16).prop_map(uuid16),
        (0..3_u128).prop_map(|n| Uuid::from_u128(LONG.as_u128() + n))
    ]
}

prop_compose! {
    fn characteristics()(
        uuid in uuids(),
        bits in any::<u8>(),
        formats in 0..3_usize,
        description in prop::option::of(".{0,30}"),
        descriptors in prop::collection::vec(uuids(), 0..3),
    ) -> Characteristic {
        let on = |bit: u8| bits & bit != 0;
        let mut c = Characteristic::new(uuid);
        if on(1) { c = c.read(Access::OPEN); }
        if on(2) { c = c.write(Access::ENCRYPTED); }
        if on(4) { c = c.notify(); }
        if on(8) { c = c.indicate(); }
        if on(16) { c = c.broadcast(); }
        if on(32) { c = c.reliable_write(); }
        if on(64) { c = c.asked(); }
        c = match description {
            Some(text) if on(128) => c.writable_user_description(&text, Access::OPEN),
            Some(text) => c.user_description(&text),
            None => c,
        };
        let format = PresentationFormat { format: 4, exponent: 0, unit: 0x2700, name_space: 1, description: 0 };
        for _ in 0..formats { c = c.presentation_format(format); }
        descriptors.into_iter().fold(c, |c, uuid| c.descriptor(Descriptor::new(uuid).read(Access::OPEN)))
    }
}

prop_compose! {
    fn tables()(
        gaps in prop::collection::vec(0..20_u16, 1..8),
        services in prop::collection::vec(
            (uuids(), any::<bool>(), prop::collection::vec(characteristics(), 0..4), prop::collection::vec(0..8_usize, 0..3)),
            0..7,
        ),
    ) -> Table {
        let mut builder = TableBuilder::new("a table of any shape");
        let mut ids = Vec::new();
        let mut next = 10_u16;
        for (n, (uuid, primary, characteristics, includes)) in services.into_iter().enumerate() {
            let mut service = if primary { Service::primary(uuid) } else { Service::secondary(uuid) };
            let gap = gaps.get(n).copied().unwrap_or(0);
            if gap > 0 {
                // Above anything that a service of this size can need.
                next += 200 + gap;
                service = service.at(next);
            }
            for include in includes {
                if let Some(id) = ids.get(include) { service = service.include(*id); }
            }
            service = characteristics.into_iter().fold(service, Service::characteristic);
            ids.push(builder.add(service));
        }
        builder.build().expect("it fits")
    }
}

proptest! {
    #[test]
    fn discovery_finds_exactly_what_was_declared(
        table in tables(),
        mtu in prop_oneof![Just(23), Just(24), Just(247), Just(517), 23..518_u16],
    ) {
        prop_assert_eq!(&discovered(&table, mtu), table.services());
    }

    #[test]
    fn values_of_every_length_are_written_and_read_back(
        value in prop::collection::vec(any::<u8>(), 0..=200),
        mtu in prop_oneof![Just(23), Just(247), Just(517), 23..518_u16],
    ) {
        let mut link = Link::with_mtu(mtu);
        run(Write::new(STORED, value.clone()).expect("short"), &mut link, b"");
        prop_assert_eq!(link.value(STORED), &value[..]);
        let read: Bytes = run(Read::new(STORED), &mut link, b"").try_into().expect("a value");
        prop_assert_eq!(&read, &value);
        run(Write::new(ASKED, value.clone()).expect("short"), &mut link, b"");
        let read: Bytes = run(Read::new(ASKED), &mut link, &value).try_into().expect("a value");
        prop_assert_eq!(&read, &value);
    }
}
