//! Whatever a host sends, the radio goes on, answers, and keeps its memory.

use crate::room::*;
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;
use baretooth::transports::HciPacket;
use proptest::prelude::*;

/// Commands with parameters of about the right length, data for handles that may exist, and time.
fn packet() -> impl Strategy<Value = (HciPacket, u64)> {
    let opcode = (0..Command::OPCODES.len()).prop_map(|n| Command::OPCODES[n].0);
    let octet = prop_oneof![Just(0u8), Just(1), Just(0x40), any::<u8>()];
    let command = (opcode, prop::collection::vec(octet, 0..36))
        .prop_map(|(opcode, parameters)| HciPacket::command(opcode, &parameters).expect("short"));
    let data = (0x40..0x43u16, any::<bool>(), prop::collection::vec(any::<u8>(), 0..40))
        .prop_map(|(handle, continuing, data)| acl(ConnectionHandle(handle), continuing, &data));
    (prop_oneof![command, data], 0..50u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_packets_at_any_time_are_survived(packets in prop::collection::vec(packet(), 0..200), seed: u64) {
        let mut room = Room::new(RadioOptions { seed, loss: 100, latency: ms(1), ..RadioOptions::default() });
        for device in [demo::heart_rate_strap(), demo::thermometer(), demo::echo(), demo::beacon()] {
            room.radio.add_device(device);
        }
        let (central, _, peripheral, _) = room.pair();
        for (n, (packet, time)) in packets.into_iter().enumerate() {
            room.send(if n % 3 == 0 { peripheral } else { central }, packet);
            room.run(ms(time));
        }
        // The radio still works: time does not stand still, and a reset brings everything back.
        prop_assert!(room.radio.poll_timeout().is_none_or(|next| next >= room.now));
        room.ok(central, &Reset {});
        room.ok(central, &SetEventMask { event_mask: u64::MAX.into() });
        room.ok(central, &LeSetEventMask { le_event_mask: u64::MAX.into() });
        room.run(ms(40_000));
        room.radio.add_device(Device::new(random(99)));
        room.connect(central, random(99));
    }
}
