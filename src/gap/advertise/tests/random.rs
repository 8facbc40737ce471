//! Any order of requests, answers, events and resets ends where it was asked to.

use super::*;
use crate::hci::command::AdvertisingSetEnable;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Act {
    Start(u64, Kind),
    Stop(u64),
    SetData(u64, usize),
    /// The outstanding command is answered, with this status.
    Answer(u8),
    Silence,
    /// Octets that are no answer.
    Garbage(Vec<u8>),
    Terminated(u8, u8),
    Connected(u8, bool),
    Timeout(u64),
    Reset,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Legacy,
    Beacon,
    Long,
}

fn options(kind: Kind) -> AdvertiseOptions {
    let beacon = AdvertiseOptions::new().mode(AdvertiseMode::NonConnectable);
    match kind {
        Kind::Legacy => AdvertiseOptions::new().timeout(ms(300)),
        Kind::Beacon => beacon,
        Kind::Long => beacon.data(octets(600)).extended(ExtendedPdus::default()),
    }
}

fn act() -> impl Strategy<Value = Act> {
    let kind = prop_oneof![Just(Kind::Legacy), Just(Kind::Beacon), Just(Kind::Long)];
    let status = prop_oneof![6 => Just(0u8), 1 => any::<u8>(), 1 => Just(1u8), 1 => Just(0x0C)];
    prop_oneof![
        4 => (1..5u64, kind).prop_map(|(key, kind)| Act::Start(key, kind)),
        2 => (1..5u64).prop_map(Act::Stop),
        1 => (1..5u64, 3..700usize).prop_map(|(key, length)| Act::SetData(key, length)),
        16 => status.prop_map(Act::Answer),
        1 => Just(Act::Silence),
        1 => proptest::collection::vec(any::<u8>(), 0..4).prop_map(Act::Garbage),
        1 => (0..3u8, any::<u8>()).prop_map(|(handle, status)| Act::Terminated(handle, status)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(status, peripheral)| Act::Connected(status, peripheral)),
        1 => (0..900u64).prop_map(Act::Timeout),
        1 => Just(Act::Reset),
    ]
}

/// A controller that does what it is told, and remembers what it advertises.
#[derive(Default)]
struct Controller {
    sets: BTreeMap<u8, Vec<u8>>,
    enabled: BTreeSet<u8>,
}

impl Controller {
    /// Obeys a well-formed packet; a legacy set is 0xFF.
    fn obey(&mut self, packet: &HciPacket) {
        let [_, a, b, _, parameters @ ..] = packet.as_slice() else { panic!("a header") };
        let opcode = Opcode(u16::from_le_bytes([*a, *b]));
        match Command::parse(opcode, parameters).expect("well formed") {
            Command::LeSetAdvertisingParameters(_) => {
                assert!(self.enabled.is_empty(), "parameters while advertising");
                self.sets.insert(0xFF, Vec::new());
            }
            Command::LeSetAdvertisingData(c) => {
                self.sets.insert(0xFF, c.advertising_data[..usize::from(c.advertising_data_length)].to_vec());
            }
            Command::LeSetAdvertisingEnable(c) => self.enable(0xFF, c.advertising_enable),
            Command::LeSetExtendedAdvertisingParameters(c) => {
                assert!(!self.enabled.contains(&c.advertising_handle), "parameters while advertising");
                self.sets.insert(c.advertising_handle, Vec::new());
                assert!(self.sets.len() <= 2, "more sets than there are");
            }
            Command::LeSetExtendedAdvertisingData(c) => {
                let on_air = self.enabled.contains(&c.advertising_handle);
                assert!(!on_air || c.operation == 3, "pieces on the air");
                let data = self.sets.get_mut(&c.advertising_handle).expect("parameters first");
                if matches!(c.operation, 1 | 3) {
                    data.clear();
                }
                data.extend_from_slice(c.advertising_data.get());
            }
            Command::LeSetExtendedAdvertisingEnable(c) => {
                for AdvertisingSetEnable { advertising_handle, .. } in c.sets.iter() {
                    assert!(self.sets.contains_key(&advertising_handle), "a set without parameters");
                    self.enable(advertising_handle, c.enable);
                }
            }
            Command::LeRemoveAdvertisingSet(c) => {
                assert!(!self.enabled.contains(&c.advertising_handle), "removed while advertising");
                self.sets.remove(&c.advertising_handle);
            }
            _ => {}
        }
    }

    fn enable(&mut self, set: u8, enable: u8) {
        if enable == 1 {
            self.enabled.insert(set)
        } else {
            self.enabled.remove(&set)
        };
    }
}

proptest! {
    /// Whatever happened: after a reset and with a controller that obeys, exactly what is still wanted is on the air,
    /// with its latest data; every key is told how it ended, once for each time it was started.
    #[test]
    fn whatever_happens_it_ends_where_it_was_asked_to(
        acts in proptest::collection::vec(act(), 0..120),
        extended in any::<bool>(),
    ) {
        let support = if extended { EXTENDED } else { LEGACY };
        let mut advertiser = Advertiser::new();
        let (mut told, mut accepted) = (0, 0);
        let mut in_flight: Option<Opcode> = None;
        let mut now = NOW;
        let mut seen = |advertiser: &mut Advertiser| {
            let ends = outcomes(advertiser).into_iter();
            told += ends.filter(|o| matches!(o, Outcome::Failed { .. } | Outcome::Ended { .. })).count();
        };
        for act in acts {
            match act {
                Act::Start(key, kind) => {
                    accepted += usize::from(advertiser.start(key, options(kind), &support).is_ok());
                }
                Act::Stop(key) => advertiser.stop(key),
                Act::SetData(key, length) => {
                    let _ = advertiser.set_data(key, octets(length), AdvertisingDataBuf::default(), &support);
                }
                Act::Answer(status) => if let Some(opcode) = in_flight.take() {
                    let octets = if status == 0 { success(opcode) } else { vec![status] };
                    advertiser.on_command_result(now, opcode, Some(&octets));
                },
                Act::Silence => if let Some(opcode) = in_flight.take() {
                    advertiser.on_command_result(now, opcode, None);
                },
                Act::Garbage(octets) => if let Some(opcode) = in_flight.take() {
                    advertiser.on_command_result(now, opcode, Some(&octets));
                },
                Act::Terminated(handle, status) => {
                    advertiser.on_set_terminated(handle, ErrorCode(status), LINK, 0);
                }
                Act::Connected(status, peripheral) => {
                    let role = if peripheral { Role::Peripheral } else { Role::Central };
                    advertiser.on_connection_complete(ErrorCode(status), role, LINK);
                }
                Act::Timeout(after) => {
                    now = now + ms(after);
                    advertiser.on_timeout(now);
                }
                Act::Reset => {
                    in_flight = None;
                    advertiser.on_reset();
                }
            }
            if let Some(packet) = advertiser.poll_command(&support) {
                prop_assert!(in_flight.is_none(), "two commands in flight");
                in_flight = Some(Opcode(u16::from_le_bytes([packet.as_slice()[1], packet.as_slice()[2]])));
            }
            seen(&mut advertiser);
        }
        advertiser.on_reset();
        let mut controller = Controller::default();
        for commands in 0.. {
            let Some(packet) = advertiser.poll_command(&support) else { break };
            prop_assert!(commands < 200, "it never comes to rest");
            controller.obey(&packet);
            answer(&mut advertiser, ErrorCode::Success);
        }
        seen(&mut advertiser);
        let wanted: Vec<_> = advertiser.sets.iter().filter(|set| set.ending.is_none()).collect();
        prop_assert_eq!(advertiser.sets.len(), wanted.len(), "what is to end has ended");
        prop_assert_eq!(controller.enabled.len(), wanted.len());
        prop_assert_eq!(told + wanted.len(), accepted, "each is told once");
        for set in wanted {
            let there = controller.sets.get(&set.handle.unwrap_or(0xFF));
            prop_assert_eq!(there.map(Vec::as_slice), Some(set.options.data.as_bytes()));
        }
        advertiser.stop_all();
        while let Some(packet) = advertiser.poll_command(&support) {
            controller.obey(&packet);
            answer(&mut advertiser, ErrorCode::Success);
        }
        prop_assert!(controller.enabled.is_empty() && advertiser.is_idle());
    }
}
