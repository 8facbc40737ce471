//! Links: making them, data and credits, procedures, encryption, and every way they end.

use crate::room::*;
use baretooth::Address;
use baretooth::codec::Secret;
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;

#[test]
fn data_go_both_ways_whole_and_in_order_and_give_their_credits_back() {
    let mut room = Room::new(RadioOptions::default());
    let (central, handle, peripheral, other) = room.pair();
    let payload: Vec<u8> = (0..100).collect();
    for n in 0..3u8 {
        room.send_frame(central, handle, 4, &[&[n], &payload[..]].concat());
        room.run(ms(50));
    }
    let frames = room.frames(peripheral);
    assert_eq!(
        frames.iter().map(|(channel, frame)| (*channel, frame[0])).collect::<Vec<_>>(),
        [(4, 0), (4, 1), (4, 2)]
    );
    assert!(frames.iter().all(|(_, frame)| frame[1..] == payload));
    room.send_frame(peripheral, other, 6, b"back");
    room.run(ms(50));
    assert_eq!(room.frames(central), [(6, b"back".to_vec())]);
    // 105 octets are four packets of 27.
    assert_eq!(completed(&room, central), 12);
    assert_eq!(completed(&room, peripheral), 1);
}

fn completed(room: &Room, id: ControllerId) -> u16 {
    let sums = room.all(id, |event| match event {
        Event::NumberOfCompletedPackets(e) => {
            Some(e.handles.iter().map(|h| h.num_completed_packets).sum::<u16>())
        }
        _ => None,
    });
    sums.iter().sum()
}
