use super::attributes::{CLIENT, CONTROL, ECHO, FLOOD, FLOOD_CONFIGURATION, SEEN, SINK, WRITE_COUNT};
use super::*;
use crate::h4::packet_length;

const NOW: Duration = Duration::ZERO;

fn connected(options: Options) -> Controller {
    let mut controller = Controller::new(options);
    let create =
        [&[1, 0x0D, 0x20, 25, 0x60, 0, 0x60, 0, 0, 1][..], &advertiser_address(7), &[0; 13]].concat();
    controller.receive(NOW, &create);
    let seen = sent(&mut controller);
    assert_eq!(seen[0][..4], [4, 0x0F, 4, 0]);
    assert_eq!(seen[1][3..8], [1, 0, 0x40, 0, 0]);
    controller
}

/// The packets in the output, which is then empty.
fn sent(controller: &mut Controller) -> Vec<Vec<u8>> {
    let output = std::mem::take(controller.output());
    let mut rest = &output[..];
    let mut packets = Vec::new();
    while let Ok(Some(length)) = packet_length(rest) {
        let (packet, behind) = rest.split_at(length);
        packets.push(packet.to_vec());
        rest = behind;
    }
    assert!(rest.is_empty(), "{rest:02x?} is no whole packet");
    packets
}

fn att(controller: &mut Controller, pdu: &[u8]) -> Vec<Vec<u8>> {
    let ([a0, a1], [l0, l1]) = (length_octets(pdu.len() + 4), length_octets(pdu.len()));
    controller.receive(NOW, &[&[2, 0x40, 0, a0, a1, l0, l1, 4, 0], pdu].concat());
    sent(controller).into_iter().map(|packet| packet[9..].to_vec()).collect()
}

#[test]
fn notifications_are_as_many_as_asked_and_numbered_without_a_gap() {
    let mut controller = connected(Options::default());
    assert_eq!(att(&mut controller, &[0x12, CONTROL, 0, 0x88, 0x13, 0, 0, 20, 0]), [[0x13]]);
    assert_eq!(att(&mut controller, &[0x12, FLOOD_CONFIGURATION, 0, 1, 0]), [[0x13]]);
    let mut sequence = 0_u32;
    loop {
        let next = controller.flood(NOW);
        for packet in sent(&mut controller) {
            assert_eq!(packet[9..12], [0x1B, FLOOD, 0]);
            assert_eq!(packet[12..16], sequence.to_le_bytes());
            assert_eq!(packet.len(), 12 + 20);
            sequence += 1;
        }
        if next == Next::WhenAsked {
            break;
        }
    }
    assert_eq!(sequence, 5_000);
}

#[test]
fn write_commands_are_counted_and_their_credits_given_back() {
    let mut controller = connected(Options::default());
    for _ in 0..3 {
        assert!(att(&mut controller, &[0x52, SINK, 0, 1, 2, 3]).is_empty());
    }
    controller.give_credits();
    assert_eq!(sent(&mut controller), [[4, 0x13, 5, 1, 0x40, 0, 3, 0]]);
    assert_eq!(att(&mut controller, &[0x0A, WRITE_COUNT, 0]), [[0x0B, 3, 0, 0, 0, 0, 0, 0, 0]]);
}

#[test]
fn a_client_reads_as_often_as_told_subscribes_and_sees_what_is_missing() {
    let mut controller = connected(Options::default());
    let told = att(&mut controller, &[0x12, CLIENT, 0, 7, 0, 2, 0, 0, 0]);
    assert_eq!(told, [&[0x13][..], &[0x0A, 7, 0]]);
    assert_eq!(att(&mut controller, &[0x0B, 1]), [[0x0A, 7, 0]]);
    assert_eq!(att(&mut controller, &[0x0B, 1]), [[0x12, 8, 0, 1, 0]]);
    assert!(att(&mut controller, &[0x13]).is_empty());
    for sequence in [0, 1, 4] {
        assert!(att(&mut controller, &[0x1B, 7, 0, sequence, 0, 0, 0]).is_empty());
    }
    let seen = [&[0x0B, 3][..], &[0; 7], &[2], &[0; 7]].concat();
    assert_eq!(att(&mut controller, &[0x0A, SEEN, 0]), [seen]);
}

#[test]
fn the_sdus_of_a_channel_are_counted_and_their_credits_given_back() {
    let mut controller = connected(Options::default());
    let frame = |controller: &mut Controller, channel: u16, payload: &[u8]| {
        let [a0, a1] = length_octets(payload.len() + 4);
        let ([l0, l1], [c0, c1]) = (length_octets(payload.len()), channel.to_le_bytes());
        controller.receive(NOW, &[&[2, 0x40, 0, a0, a1, l0, l1, c0, c1], payload].concat());
        sent(controller).into_iter().map(|packet| packet[7..].to_vec()).collect::<Vec<_>>()
    };
    let open = [0x14, 9, 10, 0, 0x80, 0, 0x41, 0, 64, 0, 64, 0, 1, 0];
    let opened = frame(&mut controller, 5, &open);
    let accepted = [5, 0, 0x15, 9, 10, 0, 0x40, 0, 0, 8, 247, 0, 0xFF, 0xFF, 0, 0];
    assert_eq!(opened, [accepted]);
    assert!(frame(&mut controller, 0x40, &[6, 0, 0, 0, 0, 0, 1]).is_empty(), "one octet is to come");
    assert!(frame(&mut controller, 0x40, &[2]).is_empty());
    for sequence in 1..0x8000_u32 - 2 {
        let [a, b, c, d] = sequence.to_le_bytes();
        assert!(frame(&mut controller, 0x40, &[4, 0, a, b, c, d]).is_empty());
    }
    let given = frame(&mut controller, 0x40, &[4, 0, 0xFE, 0x7F, 0, 0]);
    assert_eq!(given, [[5, 0, 0x16, 1, 4, 0, 0x40, 0, 0, 0x80]]);
    let seen = [&[0x0B, 0xFF, 0x7F][..], &[0; 14]].concat();
    assert_eq!(att(&mut controller, &[0x0A, SEEN, 0]), [seen]);
    assert_eq!(
        frame(&mut controller, 5, &[6, 3, 4, 0, 0x40, 0, 0x41, 0]),
        [[5, 0, 7, 3, 4, 0, 0x40, 0, 0x41, 0]]
    );
}

#[test]
fn an_echo_is_read_as_it_was_written_even_in_fragments() {
    let mut controller = connected(Options::default());
    controller.receive(NOW, &[2, 0x40, 0, 5, 0, 5, 0, 4, 0, 0x12]);
    assert!(sent(&mut controller).is_empty());
    controller.receive(NOW, &[2, 0x40, 0x10, 4, 0, ECHO, 0, 8, 9]);
    assert_eq!(sent(&mut controller)[0][9..], [0x13]);
    assert_eq!(att(&mut controller, &[0x0A, ECHO, 0]), [[0x0B, 8, 9]]);
}

#[test]
fn a_long_response_is_cut_at_the_acl_length() {
    let mut controller = connected(Options { acl_length: 27, ..Options::default() });
    att(&mut controller, &[0x02, 100, 0]);
    controller.receive(NOW, &[2, 0x40, 0, 7, 0, 3, 0, 4, 0, 0x0A, SINK, 0]);
    let packets = sent(&mut controller);
    let lengths: Vec<usize> = packets.iter().map(|packet| packet.len() - 5).collect();
    assert_eq!(lengths, [27, 27, 27, 23]);
    assert_eq!(packets[0][2], 0x20);
    assert!(packets[1..].iter().all(|packet| packet[2] == 0x10));
}

#[test]
fn discovery_finds_the_whole_table_and_then_its_end() {
    let mut controller = connected(Options::default());
    let services = att(&mut controller, &[0x10, 1, 0, 0xFF, 0xFF, 0x00, 0x28]);
    assert_eq!(services[0].len(), 2 + 3 * 6);
    assert_eq!(att(&mut controller, &[0x10, 21, 0, 0xFF, 0xFF, 0x00, 0x28]), [[1, 0x10, 21, 0, 0x0A]]);
    let characteristics = att(&mut controller, &[0x08, 5, 0, 20, 0, 0x03, 0x28]);
    assert_eq!(characteristics[0][..4], [9, 7, 6, 0]);
    assert_eq!(characteristics[0].len(), 2 + 3 * 7, "three of eight fit into 23 octets");
}

#[test]
fn a_scan_brings_the_advertisers_in_turn_and_only_as_many_as_allowed() {
    // More than one output holds.
    let mut controller = Controller::new(Options { reports: Some(3_200), ..Options::default() });
    controller.receive(NOW, &[1, 0x0C, 0x20, 2, 1, 0]);
    assert_eq!(sent(&mut controller).len(), 1);
    let mut numbers = Vec::new();
    loop {
        let next = controller.flood(NOW);
        let number = |event: Vec<u8>| u32::from_le_bytes([event[7], event[8], event[9], 0]);
        numbers.extend(sent(&mut controller).into_iter().map(number));
        if next == Next::WhenAsked {
            break;
        }
    }
    assert_eq!(numbers, (0..3_200).map(|number| number % ADVERTISERS).collect::<Vec<_>>());
}

#[test]
fn a_rate_bounds_what_is_due() {
    let mut controller = Controller::new(Options { report_rate: Some(1_000.0), ..Options::default() });
    controller.receive(NOW, &[1, 0x0C, 0x20, 2, 1, 0]);
    assert_eq!(controller.flood(Duration::from_millis(5)), Next::Soon);
    assert_eq!(controller.counters().reports, 5);
    assert_eq!(controller.flood(Duration::from_millis(7)), Next::Soon);
    assert_eq!(controller.counters().reports, 7);
}

#[test]
fn host_flow_control_holds_a_flood_until_credits_come_back() {
    let mut controller = connected(Options::default());
    controller.receive(NOW, &[1, 0x33, 0x0C, 7, 0xFF, 0, 0, 2, 0, 0, 0]);
    controller.receive(NOW, &[1, 0x31, 0x0C, 1, 1]);
    assert_eq!(sent(&mut controller).len(), 2);
    att(&mut controller, &[0x12, FLOOD_CONFIGURATION, 0, 1, 0]);
    controller.flood(NOW);
    assert_eq!(controller.counters().notifications, 2);
    controller.flood(NOW);
    assert_eq!(controller.counters().notifications, 2);
    controller.receive(NOW, &[1, 0x35, 0x0C, 5, 1, 0x40, 0, 1, 0]);
    controller.flood(NOW);
    assert_eq!(controller.counters().notifications, 3);
}

#[test]
fn octets_that_make_no_sense_do_no_harm() {
    let mut controller = connected(Options::default());
    for opcode in 0..=u16::MAX {
        let [low, high] = opcode.to_le_bytes();
        controller.receive(NOW, &[1, low, high, 0]);
        controller.output().clear();
    }
    let mut controller = connected(Options::default());
    for opcode in 0..=u8::MAX {
        for length in 0..8 {
            att(&mut controller, &[&[opcode], &vec![0xFF; length][..]].concat());
        }
    }
    controller.receive(NOW, &[2, 0x40, 0, 0, 0]);
    controller.receive(NOW, &[2, 0x40, 0x10, 1, 0, 9]);
}
