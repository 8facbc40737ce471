//! Two ends joined by a line in virtual time, good or bad.

use super::*;

/// A generator that is enough to break lines with (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What a line does to a frame, in percent.
#[derive(Clone, Copy)]
struct Faults {
    lost: usize,
    doubled: usize,
    truncated: usize,
    garbage_before: usize,
    octet_lost: usize,
    octet_changed: usize,
}

const GOOD: Faults =
    Faults { lost: 0, doubled: 0, truncated: 0, garbage_before: 0, octet_lost: 0, octet_changed: 0 };
/// What a header shows. Without a CRC nobody sees an octet that changed, nor garbage in place of a lost end.
const LOSSY: Faults = Faults { lost: 10, doubled: 5, truncated: 5, ..GOOD };
const NOISY: Faults = Faults { garbage_before: 5, octet_lost: 5, octet_changed: 10, ..LOSSY };

impl Faults {
    fn pass(self, random: &mut Random, frame: Vec<u8>) -> Vec<u8> {
        let mut line = vec![];
        if random.chance(self.garbage_before) {
            // No delimiter: one could make a frame of garbage, and then a CRC has to tell.
            line.extend((0..random.below(20)).map(|_| random.next().to_le_bytes()[0] & 0x7F));
        }
        let mut frame = frame;
        if random.chance(self.octet_changed) {
            let at = random.below(frame.len());
            frame[at] ^= 1 << random.below(8);
        }
        if random.chance(self.octet_lost) {
            frame.remove(random.below(frame.len()));
        }
        if random.chance(self.truncated) {
            frame.truncate(random.below(frame.len() + 1));
        }
        let times = if random.chance(self.lost) { 0 } else { 1 + usize::from(random.chance(self.doubled)) };
        (0..times).for_each(|_| line.extend_from_slice(&frame));
        line
    }
}

/// One end of the line with the user behind it.
struct End {
    h5: H5,
    to_send: std::ops::Range<u32>,
    got: Vec<HciPacket>,
    frames: usize,
}

impl End {
    fn new(options: Options, to_send: std::ops::Range<u32>) -> Self {
        Self { h5: H5::new(options), to_send, got: vec![], frames: 0 }
    }

    /// The user sends what there is room for, and takes what came, except when busy.
    fn serve(&mut self, random: &mut Random) {
        while self.h5.has_room()
            && let Some(n) = self.to_send.next()
        {
            self.h5.submit(numbered(n)).unwrap();
        }
        if !random.chance(20) {
            self.got.extend(std::iter::from_fn(|| self.h5.poll_packet()));
        }
        assert!(self.h5.received.len() <= RECEIVED_LIMIT);
    }

    fn transmit(&mut self, now: Duration, faults: Faults, random: &mut Random, other: &mut End) -> bool {
        let Some(frame) = self.h5.poll_transmit(now) else { return false };
        self.frames += 1;
        // In pieces, as a serial port brings them.
        for piece in faults.pass(random, frame).chunks(1 + random.below(64)) {
            other.h5.handle_octets(now, piece);
        }
        true
    }
}

/// A packet that nobody mistakes for another, with octets that SLIP escapes.
fn numbered(n: u32) -> HciPacket {
    let mut octets = n.to_le_bytes().to_vec();
    octets.extend([0xC0, 0xDB, 0xDC, 0xDD].into_iter().cycle().take(usize::try_from(n).unwrap() % 40));
    HciPacket::event(0xFF, &octets).unwrap()
}

/// Lets two ends talk until nothing more is to be said before `limit`; the time that it took.
fn run(
    near: &mut End,
    far: &mut End,
    faults: Faults,
    seed: u64,
    retransmit: bool,
    limit: Duration,
) -> Duration {
    let mut random = Random(seed);
    let mut now = Duration::ZERO;
    loop {
        near.serve(&mut random);
        far.serve(&mut random);
        let said = near.transmit(now, faults, &mut random, far);
        if far.transmit(now, faults, &mut random, near) || said {
            now += Duration::from_micros(100);
            continue;
        }
        near.got.extend(std::iter::from_fn(|| near.h5.poll_packet()));
        far.got.extend(std::iter::from_fn(|| far.h5.poll_packet()));
        let deadlines = [near.h5.poll_deadline(), far.h5.poll_deadline()];
        match deadlines.into_iter().flatten().min() {
            Some(deadline) if now.max(deadline) < limit => now = now.max(deadline),
            _ => return now,
        }
        if retransmit {
            near.h5.handle_time(now);
            far.h5.handle_time(now);
        } else {
            // Time stands still for acknowledgements only.
            now += Duration::from_millis(250);
        }
    }
}

fn joined(near: Options, far: Options) -> (H5, H5) {
    let (mut near, mut far) = (End::new(near, 0..0), End::new(far, 0..0));
    run(&mut near, &mut far, GOOD, 0, true, Duration::from_secs(1));
    (near.h5, far.h5)
}

fn host() -> Options {
    Options::new(Role::Host)
}

fn controller() -> Options {
    Options::new(Role::Controller)
}

const COUNT: u32 = 2000;
const LONG: Duration = Duration::from_secs(100_000);

/// Sends [`COUNT`] packets each way over a bad line; whether all arrived once and in order, and frames per packet.
fn survives(options: (Options, Options), faults: Faults, seed: u64, retransmit: bool) -> (bool, f64) {
    let (mut near, mut far) = (End::new(options.0, 0..COUNT), End::new(options.1, 5000..5000 + COUNT));
    let limit = if retransmit { LONG } else { Duration::from_secs(1000) };
    run(&mut near, &mut far, faults, seed, retransmit, limit);
    let all = |got: &[HciPacket], sent: std::ops::Range<u32>| got.iter().cloned().eq(sent.map(numbered));
    let arrived = all(&far.got, 0..COUNT) && all(&near.got, 5000..5000 + COUNT);
    (arrived, (near.frames + far.frames) as f64 / f64::from(2 * COUNT))
}

#[test]
fn every_packet_arrives_once_and_in_order_over_a_noisy_line() {
    for seed in 0..8 {
        let (arrived, frames) = survives((host(), controller()), NOISY, seed, true);
        assert!(arrived, "seed {seed}");
        assert!(frames > 1.3, "the line of seed {seed} was too good: {frames} frames a packet");
    }
}

#[test]
fn without_a_crc_every_packet_survives_what_a_header_can_tell() {
    let without = |options: Options| Options { crc: false, ..options };
    for seed in 0..8 {
        assert!(survives((without(host()), without(controller())), LOSSY, seed, true).0, "seed {seed}");
    }
}

#[test]
fn every_window_carries_the_whole() {
    for window in 1..=7 {
        let options = (Options { window, ..host() }, controller());
        assert!(survives(options, NOISY, u64::from(window), true).0, "window {window}");
    }
}

#[test]
fn a_link_that_sends_nothing_again_loses_packets() {
    for seed in 0..8 {
        assert!(!survives((host(), controller()), NOISY, seed, false).0, "seed {seed}");
    }
}

#[test]
fn a_line_that_changes_octets_is_beyond_a_link_without_crc() {
    let without = |options: Options| Options { crc: false, ..options };
    let survived =
        (0..8).filter(|&seed| survives((without(host()), without(controller())), NOISY, seed, true).0);
    assert_eq!(survived.count(), 0);
}

#[test]
fn a_good_line_costs_no_retransmission() {
    let (arrived, frames) = survives((host(), controller()), GOOD, 1, true);
    assert!(arrived && frames <= 2.01, "{frames} frames a packet, acknowledgements included");
}

#[test]
fn both_ends_settle_on_what_both_can() {
    let (near, far) = joined(host(), controller());
    assert_eq!((near.agreement(), far.agreement()), ((7, true), (7, true)));
    let modest = Options { window: 3, crc: false, ..controller() };
    let (near, far) = joined(host(), modest);
    assert_eq!((near.agreement(), far.agreement()), ((3, false), (3, false)));
    let modest = Options { window: 2, crc: false, ..host() };
    let (near, far) = joined(modest, controller());
    assert_eq!((near.agreement(), far.agreement()), ((2, false), (2, false)));
    assert_eq!(near.poll_deadline(), None, "a link that is up and idle waits for nothing");
}

/// Payloads of link control in what an end has to say now.
fn link_control(h5: &mut H5, now: Duration) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| h5.poll_transmit(now)).map(|line| on_line(&line).payload).collect()
}

/// The frame that a line carries.
fn on_line(line: &[u8]) -> Frame {
    let mut slip = Slip::new(MAX_FRAME);
    let frame = line.iter().find_map(|&octet| slip.push(octet));
    Frame::parse(frame.expect("a frame")).expect("a good frame")
}

fn say(h5: &mut H5, payload: &[u8]) {
    let frame = Frame {
        sequence: None,
        acknowledgement: 0,
        packet_type: LINK_CONTROL,
        payload: payload.to_vec(),
        crc: false,
    };
    h5.handle_octets(Duration::ZERO, &frame.encode());
}

#[test]
fn a_host_says_sync_then_config_until_it_is_answered() {
    let mut h5 = H5::new(host());
    let at = Duration::from_millis;
    assert_eq!(link_control(&mut h5, at(0)), [[0x01, 0x7E]]);
    assert_eq!(link_control(&mut h5, at(249)), [[0; 0]; 0]);
    assert_eq!(h5.poll_deadline(), Some(at(250)));
    assert_eq!(link_control(&mut h5, at(250)), [[0x01, 0x7E]]);
    say(&mut h5, &[0x03, 0xFC, 0x17]);
    assert_eq!(link_control(&mut h5, at(251)), [[0; 0]; 0], "CONFIG comes after SYNC");
    say(&mut h5, &[0x01, 0x7E]);
    assert_eq!(link_control(&mut h5, at(252)), [[0x02, 0x7D]]);
    say(&mut h5, &[0x02, 0x7D]);
    assert_eq!(h5.state(), LinkState::Initialized);
    assert_eq!(link_control(&mut h5, at(253)), [[0x03, 0xFC, 0x17]]);
    say(&mut h5, &[0x03, 0xFC]);
    assert_eq!(link_control(&mut h5, at(254)), [[0x04, 0x7B]], "the host's answer has no field");
    assert!(!h5.has_room());
    say(&mut h5, &[0x04, 0x7B, 0x12]);
    assert_eq!((h5.state(), h5.agreement()), (LinkState::Active, (2, true)));
    assert!(h5.has_room());
}

#[test]
fn a_controller_answers_with_what_both_can() {
    let mut h5 = H5::new(controller());
    say(&mut h5, &[0x02, 0x7D]);
    say(&mut h5, &[0x03, 0xFC, 0x04]);
    let said = link_control(&mut h5, Duration::ZERO);
    assert_eq!(said, [vec![0x04, 0x7B, 0x04], vec![0x03, 0xFC]]);
    say(&mut h5, &[0x03, 0xFC, 0x00]);
    assert_eq!(h5.agreement().0, 1, "a window of 0 would stop everything");
}

#[test]
fn a_peer_that_restarts_ends_the_link_once_it_had_begun() {
    let (mut near, mut far) = joined(host(), controller());
    say(&mut near, &[0x01, 0x7E]);
    assert_eq!((near.lost(), link_control(&mut near, Duration::ZERO)), (None, vec![vec![0x02, 0x7D]]));
    far.submit(numbered(1)).unwrap();
    let line = far.poll_transmit(Duration::ZERO).unwrap();
    near.handle_octets(Duration::ZERO, &line);
    say(&mut near, &[0x01, 0x7E]);
    assert_eq!(near.lost(), Some(Lost::Reset));
    assert_eq!((near.poll_transmit(Duration::ZERO), near.poll_deadline()), (None, None));
    assert!(!near.has_room() && near.submit(numbered(1)).is_err());
    assert_eq!(near.poll_packet(), Some(numbered(1)), "what came before is handed out");
}

#[test]
fn a_peer_that_is_silent_is_given_up_after_the_attempts() {
    let (mut near, _) = joined(host(), controller());
    near.submit(numbered(1)).unwrap();
    let (mut now, mut sent) = (Duration::ZERO, 0);
    while near.lost().is_none() {
        sent += std::iter::from_fn(|| near.poll_transmit(now)).count();
        now = near.poll_deadline().unwrap();
        near.handle_time(now);
    }
    assert_eq!((near.lost(), sent), (Some(Lost::Silent), 21));
    assert_eq!(now, 21 * Duration::from_millis(250));
}

#[test]
fn a_reader_that_takes_nothing_stops_the_sender_and_loses_nothing() {
    let (mut near, mut far) = (End::new(host(), 0..0), End::new(controller(), 0..500));
    let mut now = Duration::ZERO;
    let mut talk = |near: &mut End, far: &mut End, steps: usize, takes: bool| {
        for _ in 0..steps {
            while far.h5.has_room() && !far.to_send.is_empty() {
                far.h5.submit(numbered(far.to_send.next().unwrap())).unwrap();
            }
            let lines: Vec<_> = std::iter::from_fn(|| far.h5.poll_transmit(now)).collect();
            lines.iter().for_each(|line| near.h5.handle_octets(now, line));
            let lines: Vec<_> = std::iter::from_fn(|| near.h5.poll_transmit(now)).collect();
            lines.iter().for_each(|line| far.h5.handle_octets(now, line));
            if takes {
                near.got.extend(std::iter::from_fn(|| near.h5.poll_packet()));
            }
            now += Duration::from_millis(50);
            near.h5.handle_time(now);
            far.h5.handle_time(now);
        }
    };
    talk(&mut near, &mut far, 1000, false);
    assert_eq!((near.h5.received.len(), far.h5.lost()), (RECEIVED_LIMIT, None));
    talk(&mut near, &mut far, 1000, true);
    assert!(near.got.iter().cloned().eq((0..500).map(numbered)));
}

#[test]
fn a_peer_that_sleeps_is_woken_before_anything_is_sent() {
    let (mut near, _) = joined(host(), controller());
    let at = Duration::from_millis;
    say(&mut near, &[0x07, 0x78]);
    near.submit(numbered(1)).unwrap();
    assert_eq!(link_control(&mut near, at(1000)), [[0x05, 0xFA]]);
    assert_eq!(near.poll_deadline(), Some(at(1250)));
    assert_eq!(link_control(&mut near, at(1250)), [[0x05, 0xFA]]);
    say(&mut near, &[0x06, 0xF9]);
    let line = near.poll_transmit(at(1260)).unwrap();
    assert_eq!(on_line(&line).sequence, Some(0));
    say(&mut near, &[0x05, 0xFA]);
    assert_eq!(
        link_control(&mut near, at(1261)),
        [[0x06, 0xF9]],
        "and one that asks is told that we are awake"
    );
}

#[test]
fn synchronous_data_is_sent_once_and_not_acknowledged() {
    let (mut near, mut far) = joined(host(), controller());
    let voice = HciPacket::new(vec![3, 0x01, 0x00, 2, 0xAA, 0xBB]).unwrap();
    near.submit(voice.clone()).unwrap();
    let line = near.poll_transmit(Duration::ZERO).unwrap();
    assert!(near.is_idle());
    far.handle_octets(Duration::ZERO, &line);
    assert_eq!((far.poll_packet(), far.poll_transmit(Duration::ZERO)), (Some(voice), None));
}

#[test]
fn the_longest_packet_passes_and_a_longer_one_is_refused() {
    let (near, far) = joined(host(), controller());
    let (mut near, mut far) = (near, far);
    let acl = |payload: usize| {
        let mut octets = vec![2, 0x40, 0x00];
        octets.extend(u16::try_from(payload).unwrap().to_le_bytes());
        octets.resize(5 + payload, 0xC0);
        HciPacket::new(octets).unwrap()
    };
    assert_eq!(near.submit(acl(4092)), Err(acl(4092)));
    near.submit(acl(4091)).unwrap();
    let line = near.poll_transmit(Duration::ZERO).unwrap();
    far.handle_octets(Duration::ZERO, &line);
    assert_eq!(far.poll_packet(), Some(acl(4091)));
}

#[test]
fn asking_without_end_is_answered_without_growing() {
    let (mut near, _) = joined(host(), controller());
    for _ in 0..10_000 {
        say(&mut near, &[0x03, 0xFC]);
        say(&mut near, &[0x05, 0xFA]);
    }
    assert_eq!(link_control(&mut near, Duration::ZERO), [[0x04, 0x7B], [0x06, 0xF9]]);
}
