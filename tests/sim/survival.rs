//! Whatever a host sends, the radio goes on, answers, and keeps its memory.

use crate::central::{Central, SC, User};
use crate::room::*;
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;
use baretooth::smp::IoCapability;
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
        let private = room.controller(ControllerOptions::private().address(bd_addr(3)));
        room.radio.add_device(Device::new(random(98)).private([7; 16], ms(100)));
        let (central, _, peripheral, _) = room.pair();
        for (n, (packet, time)) in packets.into_iter().enumerate() {
            room.send([central, peripheral, private][n % 3], packet);
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

    #[test]
    fn a_device_that_pairs_survives_any_pdus_at_any_time_and_pairs(
        pdus in prop::collection::vec((pdu(), 0..5000u64), 0..40),
        io in 0..5u8,
    ) {
        let responder = Responder::new().io(IoCapability(io)).mitm(io % 2 == 0).keypress(true);
        let mut central = Central::with(responder);
        for (pdu, time) in pdus {
            central.say(&pdu);
            central.run(time);
        }
        central.reconnect();
        let key = central.pair([3, 0, 1 | SC, 16, 7, 7], User::Nothing).expect("it pairs").link_key;
        central.reconnect();
        prop_assert_eq!(central.encrypt(&key, 0, [0; 8]), Ok(()));
    }
}

/// PDUs of the security manager of about the right length; most are the ones that begin something.
fn pdu() -> impl Strategy<Value = Vec<u8>> {
    let request = (0..6u8, 0..2u8, any::<u8>(), 14..18u8, any::<u8>(), any::<u8>())
        .prop_map(|(io, oob, auth, size, ours, theirs)| vec![1, io, oob, auth, size, ours, theirs]);
    let lengths = [0, 6, 6, 16, 16, 1, 16, 10, 16, 7, 16, 1, 64, 16, 1, 3];
    let other = (0..16usize, 0..3usize, any::<u8>()).prop_map(move |(code, more, octet)| {
        let length = (lengths[code] + more).saturating_sub(1);
        let code = u8::try_from(code).expect("below 16");
        [&[code], &vec![octet; length][..]].concat()
    });
    prop_oneof![request, other]
}
