//! Cases L: frames and signalling of peers that keep to nothing.

use crate::common::*;
use baretooth::gatt::procedure::Read;
use baretooth::host::Event;

const SIGNALING: u16 = 5;
const HANDLE: u16 = 0x40;

/// Whether the link still does its work.
fn works(script: &mut Script, connection: baretooth::host::ConnectionId) -> bool {
    script.sent.clear();
    let op = script.submit(gatt(connection, Read::new(3)));
    script.att(HANDLE, &[0x0B, 7]);
    script.result(op).is_ok()
}

#[test]
fn l1_frames_that_cannot_be_are_dropped_and_the_link_goes_on() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    // Shorter than their header, empty, of length 0.
    for data in [&[][..], &[1], &[1, 0, 4], &[0, 0, 4, 0]] {
        script.acl(HANDLE, data);
        assert!(works(&mut script, connection), "{data:02x?}");
    }
    // A continuation of nothing; more than was announced, in one and in two packets.
    script.acl_flagged(HANDLE, 0b01, &[4, 0, 4, 0, 0x1B, 3, 0, 9]);
    script.acl(HANDLE, &[1, 0, 4, 0, 0x1B, 3, 0, 9]);
    script.acl(HANDLE, &[4, 0, 4, 0, 0x1B]);
    script.acl_flagged(HANDLE, 0b01, &[3, 0, 9, 9, 9]);
    // Flags that LE does not use: a complete automatically flushable packet, and a broadcast.
    script.acl_flagged(HANDLE, 0b11, &[4, 0, 4, 0, 0x1B, 3, 0, 9]);
    script.acl_flagged(HANDLE, 0b0110, &[4, 0, 4, 0, 0x1B, 3, 0, 9]);
    assert_eq!(script.values(), []);
    assert!(works(&mut script, connection));
}

#[test]
fn l1_a_start_in_the_middle_of_a_frame_drops_the_old_one_and_is_taken() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    script.acl(HANDLE, &[9, 0, 4, 0, 0x1B, 3]);
    script.acl(HANDLE, &[4, 0, 4, 0, 0x1B, 5, 0, 1]);
    assert_eq!(script.values(), [(5, vec![1], false)]);
    script.acl_flagged(HANDLE, 0b01, &[0, 9, 9, 9]);
    assert_eq!(script.values().len(), 1);
    assert!(works(&mut script, connection));
}

/// A length of 65535 is announced, and never kept to, on many links.
#[test]
fn l1_the_longest_length_holds_no_more_than_came() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    script.acl(HANDLE, &[0xFF, 0xFF, 4, 0]);
    for _ in 0..2427 {
        script.acl_flagged(HANDLE, 0b01, &[0x1B; 27]);
    }
    // 65529 of 65535 octets; the rest and one more.
    script.acl_flagged(HANDLE, 0b01, &[0; 7]);
    assert_eq!(script.values(), []);
    assert!(works(&mut script, connection));
    // Whole, and far over ATT_MTU.
    script.acl(HANDLE, &[0xFF, 0xFF, 4, 0]);
    for _ in 0..2427 {
        script.acl_flagged(HANDLE, 0b01, &[0x1B; 27]);
    }
    script.acl_flagged(HANDLE, 0b01, &[0; 6]);
    assert_eq!(script.values(), []);
    assert!(works(&mut script, connection));
}

#[test]
fn l2_channels_that_there_are_not_get_no_answer() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    for channel in [0x0000, 0x0001, 0x0003, 0x0007, 0x003F, 0x0040, 0x007F, 0xFFFF] {
        script.frame(HANDLE, channel, &[0x02, 1, 0, 0, 0]);
        assert_eq!(script.sent, [], "channel {channel:#06x}");
    }
    assert!(works(&mut script, connection));
}

#[test]
fn l2_signalling_that_cannot_be_understood_is_rejected_as_it_should_be() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    let long = [&[0x12, 9, 20, 0][..], &[0; 20]].concat();
    let cases: [(&[u8], Option<&[u8]>); 7] = [
        // An unknown code, a length field that lies both ways, a request that is cut.
        (&[0x7E, 1, 0, 0], Some(&[0x01, 1, 2, 0, 0, 0])),
        (&[0x12, 2, 9, 0, 0], Some(&[0x01, 2, 2, 0, 0, 0])),
        (&[0x12, 3, 0, 0, 1, 2], Some(&[0x01, 3, 2, 0, 0, 0])),
        (&[0x12, 4], Some(&[0x01, 4, 2, 0, 0, 0])),
        // Over the signalling MTU.
        (&long, Some(&[0x01, 9, 4, 0, 1, 0, 23, 0])),
        // Identifier 0, and nothing at all.
        (&[0x7E, 0, 0, 0], None),
        (&[], None),
    ];
    for (sent, answer) in cases {
        script.sent.clear();
        script.frame(HANDLE, SIGNALING, sent);
        let expected: Vec<_> = answer.into_iter().map(|answer| (SIGNALING, answer.to_vec())).collect();
        assert_eq!(script.frames(HANDLE), expected, "{sent:02x?}");
    }
    assert!(works(&mut script, connection));
}

#[test]
fn l3_timing_out_of_range_is_refused_and_never_reaches_the_controller() {
    let mut script = Script::new();
    script.link(HANDLE);
    // Intervals, latency and time-out in their units.
    for [min, max, latency, timeout] in [
        [20u16, 10, 0, 500],
        [5, 10, 0, 500],
        [6, 3201, 0, 500],
        [6, 10, 500, 3200],
        [6, 10, 0, 9],
        [6, 10, 0, 3201],
        // Shorter than two effective intervals.
        [3200, 3200, 0, 400],
    ] {
        script.sent.clear();
        let words = [min, max, latency, timeout].map(u16::to_le_bytes).concat();
        script.frame(HANDLE, SIGNALING, &[&[0x12, 7, 8, 0][..], &words].concat());
        assert_eq!(script.frames(HANDLE), [(SIGNALING, vec![0x13, 7, 2, 0, 1, 0])], "{min} {max} {latency}");
        assert!(script.commands().is_empty());
    }
}

#[test]
fn l8_responses_to_what_was_never_asked_are_dropped() {
    let mut script = Script::new();
    let connection = script.link(HANDLE);
    for code in [0x01, 0x07, 0x13, 0x15, 0x18, 0x1A] {
        let filler = [0; 12];
        for length in [0u8, 2, 4, 8, 10, 12] {
            let payload = [&[code, 9, length, 0], &filler[..usize::from(length)]].concat();
            script.frame(HANDLE, SIGNALING, &payload);
        }
    }
    let answers = script.frames(HANDLE);
    assert!(answers.iter().all(|(_, answer)| answer[0] == 0x01), "at most a reject: {answers:02x?}");
    assert!(!script.told.events.iter().any(|event| matches!(event, Event::Disconnected { .. })));
    assert!(works(&mut script, connection));
}

/// Signalling without end, while the controller takes nothing.
#[test]
fn l2_a_peer_that_asks_without_listening_leaves_a_bounded_queue() {
    let mut script = Script::new();
    script.link(HANDLE);
    script.completes = false;
    for n in 0..10_000u16 {
        let [low, high] = (10 + n % 3000).to_le_bytes();
        script.answers = false;
        script.frame(HANDLE, SIGNALING, &[0x12, 7, 8, 0, 6, 0, low, high, 0, 0, 0x80, 0x0C]);
        script.frame(HANDLE, SIGNALING, &[0x7E, 1, 0, 0]);
        script.frame(HANDLE, 6, &[0x0B, 1]);
    }
    script.sent.clear();
    script.completes = true;
    script.answers = true;
    script.event(0x13, &[1, HANDLE.to_le_bytes()[0], 0, 8, 0]);
    script.run(seconds(2));
    assert!(script.frames(HANDLE).len() <= 300, "{} answers were waiting", script.frames(HANDLE).len());
    assert!(script.commands().len() <= 100, "{} commands were waiting", script.commands().len());
}
