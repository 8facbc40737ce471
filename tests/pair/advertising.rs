//! Advertising, and the links that come of it: two hosts and more on one radio.

use crate::common::*;
use baretooth::gap::advertise::AdvertiseOptions;
use baretooth::gatt::procedure::Discover;
use baretooth::hci::{ErrorCode, Role};
use baretooth::host::{AdvertisingEnd, Event, Output, Request};
use baretooth::sim::ControllerOptions;

const CENTRAL: usize = 0;
const PERIPHERAL: usize = 1;

/// What a controller can decides which commands bring about the same.
fn each_kind(scenario: impl Fn(ControllerOptions)) {
    for options in [ControllerOptions::default(), ControllerOptions::legacy(), ControllerOptions::lying()] {
        scenario(options);
    }
}

#[test]
fn a_central_connects_to_what_is_advertised_and_both_have_the_link() {
    each_kind(|options| {
        each_seed(0..2, |seed| {
            let mut crowd = Crowd::seeded_with(seed, [ControllerOptions::default(), options.clone()]);
            let op = crowd.advertise(PERIPHERAL, AdvertiseOptions::new());
            let to = crowd.address(PERIPHERAL);
            let central = crowd.try_connect(CENTRAL, to).expect("a link");
            let end = crowd.advertised(PERIPHERAL, op);
            let [peripheral] = &crowd.stations[PERIPHERAL].connected(Role::Peripheral)[..] else {
                panic!("one link");
            };
            assert_eq!(end, Ok(AdvertisingEnd::Connected(peripheral.connection)));
            assert_eq!(peripheral.peer, crowd.address(CENTRAL));
            assert_eq!((peripheral.timing, central.role), (central.timing, Role::Central));
            // First the link, then the end of the advertisement.
            let order = crowd.stations[PERIPHERAL].events(|event| match event {
                Event::Connected(_) => Some("link"),
                Event::OpDone { .. } => Some("end"),
                _ => None,
            });
            assert_eq!(order, ["link", "end"]);
            // Both ask at once, each in its own role.
            let asked: Vec<_> = [(CENTRAL, central.connection), (PERIPHERAL, peripheral.connection)]
                .map(|(n, connection)| (n, crowd.submit(n, gatt(connection, Discover::all()))))
                .into();
            for (n, op) in asked {
                assert!(matches!(crowd.done(n, op), Ok(Output::Gatt(_))), "{n}");
            }
            let reason = ErrorCode::RemoteUserTerminatedConnection;
            let connection = central.connection;
            crowd.ask(CENTRAL, Request::Disconnect { connection, reason }).expect("ended");
            crowd.run(seconds(1));
            assert_eq!(crowd.stations[PERIPHERAL].disconnections(), [(peripheral.connection, reason)]);
            assert!(crowd.stations.iter().all(|station| station.host.is_idle()));
            crowd
        });
    });
}
