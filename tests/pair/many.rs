//! Many links at once.

use crate::common::*;
use baretooth::gatt::procedure::{Delivery, Outcome, Read, Subscribe};
use baretooth::host::{Output, Request};
use baretooth::sim::{Application, ControllerOptions, Device, Server, Table, property};
use baretooth::{Instant, uuid16};
use bytes::Bytes;
use std::time::Duration;

/// Handles of the [`device`]'s value and its configuration.
const VALUE: u16 = 3;
const CCCD: u16 = 4;

/// A device that knows its number, and says it ten times a second to whoever asks.
fn device(n: u16) -> Device {
    let server = Table::default()
        .service(uuid16(0x1815))
        .characteristic(uuid16(0x2A56), property::READ | property::NOTIFY, n.to_le_bytes())
        .build();
    Device::new(address(n)).server(server).application(Ticker(n))
}

struct Ticker(u16);

impl Application for Ticker {
    fn connected(&mut self, now: Instant, _: &mut Server) -> Option<Instant> {
        Some(now + Duration::from_millis(100))
    }

    fn timeout(&mut self, now: Instant, server: &mut Server) -> Option<Instant> {
        server.notify(VALUE, &self.0.to_le_bytes());
        Some(now + Duration::from_millis(100))
    }
}

#[test]
fn thirty_two_links_at_once_each_read_and_subscribe() {
    each_seed(0..2, |seed| {
        // Fewer buffers than links: they have to share.
        let controller = ControllerOptions { acl_buffers: 4, max_links: 32, ..ControllerOptions::default() };
        let mut pair = Pair::seeded_with(seed, controller);
        for n in 0..32 {
            pair.radio.add_device(device(n));
        }
        let connects: Vec<_> = (0..32).map(|n| pair.submit(connect(address(n)))).collect();
        let links: Vec<_> =
            connects.into_iter().map(|op| pair.connected(op).expect("a link").connection).collect();
        let subscribe = |&connection| gatt(connection, Subscribe::at(CCCD, Delivery::Notify));
        let read = |&connection| gatt(connection, Read::new(VALUE));
        let subscribes: Vec<_> = links.iter().map(|link| pair.submit(subscribe(link))).collect();
        let reads: Vec<_> = links.iter().map(|link| pair.submit(read(link))).collect();
        for op in subscribes {
            assert!(pair.done(op).is_ok());
        }
        for (n, op) in (0u16..).zip(reads) {
            let value = Bytes::copy_from_slice(&n.to_le_bytes());
            assert_eq!(pair.done(op), Ok(Output::Gatt(Outcome::Value(value))));
        }
        pair.run(seconds(2));
        for (n, link) in (0u16..).zip(&links) {
            let values = pair.values(*link, VALUE);
            assert!((17..=40).contains(&values.len()), "{} values of {n}", values.len());
            assert!(values.iter().all(|value| value[..] == n.to_le_bytes()));
        }
        assert!(pair.acl_held_most <= 4);
        // All end, each with its own event.
        for &connection in &links {
            let reason = baretooth::hci::ErrorCode::RemoteUserTerminatedConnection;
            pair.submit(Request::Disconnect { connection, reason });
        }
        pair.run(seconds(1));
        let mut ended: Vec<_> = pair.disconnections().into_iter().map(|(connection, _)| connection).collect();
        ended.sort();
        assert_eq!(ended, links);
        assert!(pair.host.is_idle());
        pair
    });
}
