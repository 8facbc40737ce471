//! `gap::advertise` against a controller that checks what it is told.

use crate::advertising::{legacy_reports, legacy_scan};
use crate::room::*;
use baretooth::gap::advertise::*;
use baretooth::gap::advertising_data::{AdType, AdvertisingDataBuf, AdvertisingDataBuilder};
use baretooth::gap::privacy::OwnOnAir;
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;

/// A controller, what advertises by it, and what came of that.
struct Station {
    id: ControllerId,
    advertiser: Advertiser,
    support: AdvertiseSupport,
    outcomes: Vec<Outcome>,
    /// Events that were looked at.
    seen: usize,
}

impl Station {
    fn new(room: &mut Room, extended: bool) -> Self {
        let options = if extended { ControllerOptions::default() } else { ControllerOptions::legacy() };
        let id = room.controller(options.address(bd_addr(2)));
        room.ok(id, &LeSetRandomAddress { random_address: random(9).bd_addr });
        let support = if extended { AdvertiseSupport::EXTENDED } else { AdvertiseSupport::LEGACY };
        let support = AdvertiseSupport { own: OwnOnAir::fixed(random(9).bd_addr), ..support };
        Self { id, advertiser: Advertiser::new(), support, outcomes: Vec::new(), seen: room.log.len() }
    }

    fn start(&mut self, key: u64, options: AdvertiseOptions) {
        self.advertiser.start(key, options, &self.support).expect("valid");
    }

    /// Sends what is to be sent and takes what has come, until neither is left.
    fn drive(&mut self, room: &mut Room) {
        loop {
            for (now, id, packet) in &room.log[self.seen..] {
                if *id == self.id {
                    self.take(*now, event(packet));
                }
            }
            self.seen = room.log.len();
            let Some(packet) = self.advertiser.poll_command(&self.support) else { break };
            room.send(self.id, packet);
        }
        self.outcomes.extend(std::iter::from_fn(|| self.advertiser.poll_outcome()));
    }

    fn take(&mut self, now: baretooth::Instant, event: Option<Event<'_>>) {
        match event {
            Some(Event::CommandComplete(e)) => {
                self.advertiser.on_command_result(now, e.command_opcode, Some(e.return_parameters.0));
            }
            Some(Event::LeMeta(meta)) => match meta.subevent {
                LeEvent::LeConnectionComplete(e) => {
                    self.advertiser.on_connection_complete(e.status, e.role, e.connection_handle);
                }
                LeEvent::LeEnhancedConnectionComplete(e) => {
                    self.advertiser.on_connection_complete(e.status, e.role, e.connection_handle);
                }
                LeEvent::LeAdvertisingSetTerminated(e) => {
                    self.advertiser.on_set_terminated(
                        e.advertising_handle,
                        e.status,
                        e.connection_handle,
                        e.num_completed_extended_advertising_events,
                    );
                }
                _ => {}
            },
            _ => {}
        }
    }
}

fn named(name: &str) -> AdvertisingDataBuf {
    AdvertisingDataBuilder::new().name(name).build().expect("fits")
}

#[test]
fn what_is_advertised_is_heard_and_no_more_once_stopped_with_either_set_of_commands() {
    for extended in [false, true] {
        let mut room = Room::new(RadioOptions::default());
        let scanner = room.controller(ControllerOptions::legacy().address(bd_addr(1)));
        let mut station = Station::new(&mut room, extended);
        station.start(1, AdvertiseOptions::new().data(named("a")).scan_response(named("b")));
        station.drive(&mut room);
        legacy_scan(&mut room, scanner, true, true);
        room.run(ms(1000));
        let address = random(9).bd_addr;
        let expected = [(0, address, b"\x02\x09a".to_vec()), (4, address, b"\x02\x09b".to_vec())];
        assert_eq!(legacy_reports(&room, scanner), expected, "extended: {extended}");
        station.advertiser.stop(1);
        station.drive(&mut room);
        room.ok(scanner, &LeSetScanEnable { le_scan_enable: 0, filter_duplicates: 0 });
        legacy_scan(&mut room, scanner, true, false);
        room.run(ms(1000));
        assert_eq!(legacy_reports(&room, scanner).len(), 2, "nothing more");
        assert_eq!(station.outcomes[1..], [Outcome::Ended { key: 1, how: Ended::Stopped }]);
    }
}

#[test]
fn a_connection_ends_the_set_with_either_set_of_commands_and_it_can_be_started_again() {
    for extended in [false, true] {
        let mut room = Room::new(RadioOptions::default());
        let central = room.controller(ControllerOptions::default().address(bd_addr(1)));
        let mut station = Station::new(&mut room, extended);
        station.start(1, AdvertiseOptions::new());
        station.drive(&mut room);
        room.connect(central, random(9));
        station.drive(&mut room);
        let [Outcome::Started { key: 1, .. }, Outcome::Ended { key: 1, how: Ended::Connected(_) }] =
            station.outcomes[..]
        else {
            panic!("{:?}", station.outcomes)
        };
        assert!(station.advertiser.is_idle());
        station.start(2, AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable));
        station.drive(&mut room);
        assert!(matches!(station.outcomes[2..], [Outcome::Started { key: 2, .. }]));
    }
}

#[test]
fn several_sets_run_and_change_their_data_as_the_controller_allows() {
    let mut room = Room::new(RadioOptions::default());
    let mut station = Station::new(&mut room, true);
    let long = |length| {
        let builder = AdvertisingDataBuilder::with_limit(1650).raw(AdType(0xFF), &vec![1; 250]);
        builder.raw(AdType(0xFF), &vec![2; length]).build().expect("fits")
    };
    let beacon = AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable);
    station.start(1, AdvertiseOptions::new().data(named("a")));
    station.start(2, beacon.clone().data(long(200)).extended(ExtendedPdus::default()));
    station.start(3, beacon.clone().data(named("c")).max_events(3));
    station.drive(&mut room);
    assert_eq!(station.outcomes.len(), 3, "{:?}", station.outcomes);
    for data in [long(100), named("short"), AdvertisingDataBuf::default()] {
        let none = AdvertisingDataBuf::default();
        station.advertiser.set_data(2, data, none, &station.support).expect("fits");
        station.drive(&mut room);
    }
    room.run(ms(2000));
    station.drive(&mut room);
    assert_eq!(station.outcomes[3..], [Outcome::Ended { key: 3, how: Ended::Sent(3) }]);
    assert_eq!(station.advertiser.state(2), Some(AdvertisingState::Advertising));
}

#[test]
fn nobody_answers_a_high_duty_cycle_call_and_it_ends_with_either_set_of_commands() {
    for extended in [false, true] {
        let mut room = Room::new(RadioOptions::default());
        let mut station = Station::new(&mut room, extended);
        station.start(1, AdvertiseOptions::new().mode(AdvertiseMode::DirectedHighDuty(random(7))));
        station.drive(&mut room);
        room.run(ms(1300));
        station.drive(&mut room);
        assert_eq!(station.outcomes[1..], [Outcome::Ended { key: 1, how: Ended::TimedOut }], "{extended}");
    }
}
