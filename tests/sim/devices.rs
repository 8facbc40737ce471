//! Demo devices over raw ATT.

use crate::room::*;
use baretooth::sim::*;

#[test]
fn a_device_answers_att_over_the_air() {
    let mut room = Room::new(RadioOptions::default());
    let host = room.controller(ControllerOptions::default());
    room.radio.add_device(demo::heart_rate_strap());
    let handle = room.connect(host, demo::HEART_RATE_ADDRESS);
    room.send_frame(host, handle, 4, &[0x02, 0x05, 0x02]);
    room.run(ms(50));
    assert_eq!(room.frames(host), [(4, vec![0x03, 0x05, 0x02])]);
    // The device name is the third attribute.
    room.send_frame(host, handle, 4, &[0x0A, 3, 0]);
    room.run(ms(50));
    assert_eq!(room.frames(host), [(4, b"\x0BHR strap".to_vec())]);
}
