//! The rules of credit-based channels, one by one, with a scripted peer: here opening and data.

mod ending;
mod enhanced;
mod link;

use super::*;
use crate::l2cap::signaling::Signal;
use std::time::Duration;

const NOW: Instant = Instant::START;
const SPSM: u16 = 0x0080;
const OPEN_LINK: LinkSecurity = LinkSecurity { has_key: false, encryption: None };

fn options(mtu: u16, mps: u16, credits: u16) -> ChannelOptions {
    ChannelOptions { mtu, mps, credits }
}

fn servers(security: RequiredSecurity, most: usize) -> Servers {
    let mut servers = Servers::default();
    servers.listen(SPSM, Server { options: options(100, 40, 4), security, most }).expect("free");
    servers
}

fn command(code: u8, identifier: u8, values: &[u16]) -> Vec<u8> {
    let length = u16::try_from(values.len() * 2).expect("short").to_le_bytes();
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    [&[code, identifier][..], &length, &data].concat()
}

/// Our side, with what it says as code and values.
struct Side(CreditChannels);

impl Side {
    fn get(&mut self, servers: &Servers, payload: &[u8]) -> bool {
        self.0.handle_signal(NOW, payload, servers, OPEN_LINK)
    }

    fn tell(&mut self, code: u8, identifier: u8, values: &[u16]) -> bool {
        self.get(&servers(RequiredSecurity::None, 64), &command(code, identifier, values))
    }

    fn data(&mut self, cid: u16, payload: &[u8]) {
        self.0.handle_frame(NOW, Frame { channel: ChannelId(cid), payload: payload.to_vec().into() });
    }

    /// Code, identifier and values of the next frame, which is a signal.
    fn says(&mut self) -> (u8, u8, Vec<u16>) {
        let frame = self.0.poll_frame().expect("a signal");
        assert_eq!(frame.channel, ChannelId::Signaling);
        let signal = Signal::parse(&frame.payload).expect("well formed");
        let values = signal.data.chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
        (signal.code, signal.identifier, values)
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.0.poll_event()).collect()
    }

    /// A channel that the peer opened as its 0x0050 with MTU 100, MPS 30 and two credits.
    fn served() -> (Self, ChannelKey) {
        let mut side = Self(CreditChannels::default());
        side.tell(0x14, 1, &[SPSM, 0x50, 100, 30, 2]);
        assert_eq!(side.says(), (0x15, 1, vec![0x40, 100, 40, 4, 0]));
        let Some(Event::Opened { channel, spsm: SPSM, by_peer: true, mtu: 100 }) = side.0.poll_event() else {
            panic!("opened")
        };
        (side, channel)
    }

    /// Whether the channel was ended because of this, with a request to the peer.
    fn ended_by(&mut self, violation: Violation) {
        let last = self.events().pop();
        let reason = CloseReason::Violation(violation);
        assert!(matches!(last, Some(Event::Closed { reason: why, .. }) if why == reason), "{last:?}");
        let (code, _, values) = self.says();
        assert_eq!((code, values), (0x06, vec![0x50, 0x40]));
    }
}

#[test]
fn a_channel_is_asked_for_with_our_values_and_opens_with_the_peers() {
    let mut side = Side(CreditChannels::default());
    let channel = side.0.open(NOW, 0x25, options(512, 64, 3)).expect("free");
    assert_eq!(side.says(), (0x14, 1, vec![0x25, 0x40, 512, 64, 3]));
    assert_eq!(side.0.send(channel, "early".into()), Err(SendError::NotOpen));
    side.tell(0x15, 1, &[0x55, 23, 23, 1, 0]);
    assert_eq!(side.events(), [Event::Opened { channel, spsm: 0x25, by_peer: false, mtu: 23 }]);
    assert_eq!(side.0.deadline(), None);
    side.0.send(channel, "hi".into()).expect("open");
    let frame = side.0.poll_frame().expect("a credit");
    assert_eq!((frame.channel, &frame.payload[..]), (ChannelId(0x55), &[2, 0, b'h', b'i'][..]));
    assert_eq!(side.events(), [Event::Sent { channel }]);
}

#[test]
fn l4_requests_are_refused_with_the_reason() {
    let refused = |values: &[u16]| {
        let (mut side, _) = Side::served();
        assert!(side.tell(0x14, 9, values));
        let (code, identifier, values) = side.says();
        assert_eq!((code, identifier, &values[..4]), (0x15, 9, &[0, 0, 0, 0][..]));
        assert_eq!(side.events(), []);
        values[4]
    };
    assert_eq!(refused(&[SPSM, 0x51, 22, 23, 1]), 0x0B, "MTU");
    assert_eq!(refused(&[SPSM, 0x51, 23, 22, 1]), 0x0B, "MPS");
    assert_eq!(refused(&[SPSM, 0x51, 23, 65534, 1]), 0x0B, "MPS");
    assert_eq!(refused(&[SPSM, 0x3F, 23, 23, 1]), 0x09, "CID of no channel of LE");
    assert_eq!(refused(&[SPSM, 0x80, 23, 23, 1]), 0x09, "CID of no channel of LE");
    assert_eq!(refused(&[SPSM, 0x50, 23, 23, 1]), 0x0A, "CID in use");
    for spsm in [0, 0x81, 0x100, 0xFFFF] {
        assert_eq!(refused(&[spsm, 0x51, 23, 23, 1]), 0x02, "SPSM {spsm}");
    }
    let (mut side, _) = Side::served();
    side.get(&servers(RequiredSecurity::None, 1), &command(0x14, 9, &[SPSM, 0x51, 23, 23, 1]));
    assert_eq!(side.says().2[4], 0x04, "no resources");
}

#[test]
fn l4_the_link_must_be_as_secure_as_the_server_asks() {
    let on = |key_size, authenticated| LinkSecurity {
        has_key: true,
        encryption: Some(LinkEncryption { key_size, authenticated }),
    };
    let off = LinkSecurity { has_key: true, encryption: None };
    let (encrypted, authenticated) =
        (RequiredSecurity::Encrypted { key_size: 16 }, RequiredSecurity::Authenticated { key_size: 7 });
    for (asked, link, result) in [
        (RequiredSecurity::None, OPEN_LINK, 0x00),
        (encrypted, OPEN_LINK, 0x05),
        (encrypted, off, 0x08),
        (encrypted, on(15, true), 0x07),
        (encrypted, on(16, false), 0x00),
        (authenticated, OPEN_LINK, 0x05),
        (authenticated, off, 0x08),
        (authenticated, on(16, false), 0x05),
        (authenticated, on(6, true), 0x07),
        (authenticated, on(7, true), 0x00),
    ] {
        let mut side = Side(CreditChannels::default());
        let of = servers(asked, 1);
        side.0.handle_signal(NOW, &command(0x14, 1, &[SPSM, 0x50, 64, 64, 1]), &of, link);
        assert_eq!(side.says().2[4], result, "{asked:?} on {link:?}");
        let mut side = Side(CreditChannels::default());
        side.0.handle_signal(NOW, &command(0x17, 1, &[SPSM, 64, 64, 1, 0x50]), &of, link);
        assert_eq!(side.says().2[3], result, "enhanced, {asked:?} on {link:?}");
    }
}

#[test]
fn cids_are_0x40_to_0x7f_and_there_are_64() {
    let mut side = Side(CreditChannels::default());
    let cids: Vec<_> = (0..64)
        .map(|_| {
            side.0.open(NOW, SPSM, ChannelOptions::default()).expect("free");
            side.says().2[1]
        })
        .collect();
    assert_eq!(cids, (0x40..=0x7F).collect::<Vec<_>>());
    assert_eq!(side.0.open(NOW, SPSM, ChannelOptions::default()), Err(OpenError::NoChannels));
    assert_eq!(side.0.open_enhanced(NOW, SPSM, ChannelOptions::default(), 1), Err(OpenError::NoChannels));
    side.tell(0x14, 200, &[SPSM, 0x50, 23, 23, 1]);
    assert_eq!(side.says().2[4], 0x04, "no resources for the peer either");
}

#[test]
fn what_no_peer_could_accept_is_not_asked_for() {
    let mut it = CreditChannels::default();
    let good = ChannelOptions::default();
    assert_eq!(it.open(NOW, 0, good), Err(OpenError::InvalidSpsm(0)));
    assert_eq!(it.open(NOW, 0x100, good), Err(OpenError::InvalidSpsm(0x100)));
    for bad in [options(22, 23, 1), options(23, 22, 1), options(23, 65534, 1), options(23, 23, 0)] {
        assert!(matches!(it.open(NOW, SPSM, bad), Err(OpenError::Options(_))), "{bad:?}");
    }
    assert!(matches!(it.open_enhanced(NOW, SPSM, options(63, 64, 1), 1), Err(OpenError::Options(_))));
    for count in [0, 6] {
        assert_eq!(it.open_enhanced(NOW, SPSM, good, count), Err(OpenError::Count(count)));
    }
    assert_eq!(it.poll_frame(), None);
}

#[test]
fn a_refusal_a_reject_and_silence_each_end_a_request() {
    let mut side = Side(CreditChannels::default());
    let mut asks = |answer: &dyn Fn(&mut Side, u8)| {
        side.0.open(NOW, SPSM, ChannelOptions::default()).expect("free");
        let identifier = side.says().1;
        answer(&mut side, identifier);
        assert!(side.0.channels.is_empty() && side.0.pending.is_empty());
        match side.events().pop() {
            Some(Event::Refused { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    };
    let refused = asks(&|side, id| assert!(side.tell(0x15, id, &[0, 0, 0, 0, 2])));
    assert_eq!(refused, OpenFailure::Refused(signaling::CreditConnectionResult::SpsmNotSupported));
    let rejected = asks(&|side, id| assert!(side.tell(0x01, id, &[0])));
    assert_eq!(rejected, OpenFailure::Rejected(RejectReason::CommandNotUnderstood));
    let late = asks(&|side, id| {
        let deadline = side.0.deadline().expect("waits");
        side.0.handle_timeout(deadline - Duration::from_millis(1));
        assert_eq!(side.events(), []);
        side.0.handle_timeout(deadline);
        side.tell(0x15, id, &[0x50, 64, 64, 1, 0]);
    });
    assert_eq!(late, OpenFailure::TimedOut, "and the answer after it opens nothing");
    let lost = asks(&|side, _| side.0.handle_link_lost());
    assert_eq!(lost, OpenFailure::LinkLost);
}

#[test]
fn l8_responses_of_another_identifier_or_kind_answer_nothing() {
    let mut side = Side(CreditChannels::default());
    side.0.open(NOW, SPSM, ChannelOptions::default()).expect("free");
    let id = side.says().1;
    side.tell(0x15, id + 1, &[0x50, 64, 64, 1, 0]);
    side.tell(0x18, id, &[64, 64, 1, 0, 0x50]);
    side.tell(0x1A, id, &[0]);
    side.tell(0x07, id, &[0x50, 0x40]);
    assert_eq!(side.events(), []);
    side.tell(0x15, id, &[0x50, 64, 64, 1, 0]);
    assert!(matches!(side.events()[..], [Event::Opened { .. }]), "the right one still does");
}

#[test]
fn l4_an_acceptance_with_impossible_values_opens_nothing() {
    for (values, ends_it) in [
        ([0x50, 22, 64, 1, 0], true),
        ([0x50, 64, 22, 1, 0], true),
        ([0x3F, 64, 64, 1, 0], false),
        ([0x00, 64, 64, 1, 0], false),
    ] {
        let mut side = Side(CreditChannels::default());
        let channel = side.0.open(NOW, SPSM, ChannelOptions::default()).expect("free");
        let id = side.says().1;
        side.tell(0x15, id, &values);
        assert_eq!(side.events(), [Event::Refused { channel, reason: OpenFailure::InvalidResponse }]);
        // Where the peer has a channel now, it is told.
        assert_eq!(side.0.poll_frame().is_some(), ends_it, "{values:?}");
    }
}

#[test]
fn a_cid_given_twice_costs_both_channels() {
    let (mut side, _) = Side::served();
    side.0.open(NOW, SPSM, ChannelOptions::default()).expect("free");
    let id = side.says().1;
    side.tell(0x15, id, &[0x50, 64, 64, 1, 0]);
    side.ended_by(Violation::CidTwice);
}

#[test]
fn an_sdu_is_cut_to_the_peers_mps_and_waits_for_its_credits() {
    let (mut side, channel) = Side::served();
    let sdu: Vec<u8> = (0..70).collect();
    side.0.send(channel, sdu.clone().into()).expect("open");
    let mut frames: Vec<_> = std::iter::from_fn(|| side.0.poll_frame()).map(|f| f.payload).collect();
    assert_eq!(frames.len(), 2, "two credits");
    assert_eq!(side.events(), []);
    side.tell(0x16, 7, &[0x50, 1]);
    frames.extend(std::iter::from_fn(|| side.0.poll_frame()).map(|f| f.payload));
    assert_eq!(frames.iter().map(Bytes::len).collect::<Vec<_>>(), [30, 30, 12]);
    assert_eq!(frames.concat(), [&[70, 0][..], &sdu].concat());
    assert_eq!(side.events(), [Event::Sent { channel }]);
}

#[test]
fn sdus_that_the_peer_does_not_take_wait_with_the_user() {
    let (mut side, channel) = Side::served();
    assert_eq!(side.0.send(channel, vec![0; 101].into()), Err(SendError::TooLong { length: 101, mtu: 100 }));
    for _ in 0..channel::SEND_QUEUE {
        side.0.send(channel, "x".into()).expect("room");
    }
    assert_eq!(side.0.send(channel, "y".into()), Err(SendError::Full("y".into())));
    side.0.poll_frame().expect("a credit");
    side.0.send(channel, "y".into()).expect("room again");
}

#[test]
fn channels_take_turns() {
    let (mut side, first) = Side::served();
    side.tell(0x14, 2, &[SPSM, 0x51, 100, 30, 2]);
    side.says();
    let Some(Event::Opened { channel: second, .. }) = side.0.poll_event() else { panic!("opened") };
    for channel in [first, second] {
        side.0.send(channel, vec![0; 50].into()).expect("open");
    }
    let order: Vec<_> = std::iter::from_fn(|| side.0.poll_frame()).map(|frame| frame.channel.0).collect();
    assert_eq!(order, [0x50, 0x51, 0x50, 0x51]);
}

#[test]
fn credits_go_back_only_for_sdus_that_were_taken() {
    let (mut side, channel) = Side::served();
    for _ in 0..4 {
        side.data(0x40, &[1, 0, 7]);
    }
    assert_eq!(side.events().len(), 4);
    assert_eq!(side.0.poll_frame(), None, "nobody reads, so nobody may send");
    assert_eq!(side.0.take(channel).as_deref(), Some(&[7][..]));
    let (code, _, values) = side.says();
    assert_eq!((code, values), (0x16, vec![0x40, 1]), "at once when the peer has none");
    side.0.take(channel).expect("one");
    assert_eq!(side.0.poll_frame(), None, "then in halves of the window");
    side.0.take(channel).expect("one");
    assert_eq!(side.says().2, [0x40, 2]);
}

#[test]
fn an_sdu_longer_than_all_credits_gets_what_it_lacks_and_no_more() {
    let (mut side, channel) = Side::served();
    side.data(0x40, &[100, 0]);
    for _ in 0..3 {
        side.data(0x40, &[1; 10]);
    }
    assert_eq!(side.says().2, [0x40, 2], "70 octets in K-frames of 40");
    side.data(0x40, &[2; 40]);
    side.data(0x40, &[3; 30]);
    assert_eq!(side.0.poll_frame(), None);
    let sdu = side.0.take(channel).expect("whole");
    assert_eq!(&sdu[..], [&[1; 30][..], &[2; 40], &[3; 30]].concat());
    assert_eq!(side.says().2, [0x40, 4], "the window, as at first");
}

#[test]
fn a_peer_that_uses_every_credit_while_nobody_reads_is_held_to_the_window_and_one_sdu() {
    let (mut side, channel) = Side::served();
    // The window in K-frames of an octet, so that the SDU needs more; then full ones.
    let (mut credits, mut left) = (4, 0);
    for round in 0..100 {
        while credits > 0 {
            credits -= 1;
            let now = if round == 0 { 1.min(left) } else { 40.min(left) };
            if left == 0 {
                side.data(0x40, &[100, 0]);
                left = 100;
            } else {
                side.data(0x40, &[0; 40][..now]);
                left -= now;
            }
        }
        if let Some(frame) = side.0.poll_frame() {
            credits = u16::from_le_bytes([frame.payload[6], frame.payload[7]]);
            assert_eq!(frame.payload[0], 0x16);
        }
        assert!(side.0.channels[&0x40].receiver.octets() <= 4 * 40 + 100);
    }
    assert_eq!(credits, 0, "it had to stop");
    assert!(side.0.take(channel).is_some() && side.0.poll_frame().is_some(), "until somebody reads");
}

#[test]
fn l5_no_credits_at_all_do_nothing_and_too_many_end_the_channel() {
    let (mut side, _) = Side::served();
    side.tell(0x16, 1, &[0x50, 0]);
    side.tell(0x16, 1, &[0x51, 9]);
    side.tell(0x16, 1, &[0x50, 65533]);
    assert_eq!((side.events(), side.0.poll_frame()), (vec![], None));
    side.tell(0x16, 1, &[0x50, 1]);
    side.ended_by(Violation::CreditOverflow);
}

#[test]
fn l5_k_frames_against_the_rules_end_the_channel() {
    let ends = |frames: &[&[u8]], violation| {
        let (mut side, _) = Side::served();
        frames.iter().for_each(|frame| side.data(0x40, frame));
        side.ended_by(violation);
    };
    ends(&[&[1, 0, 7][..]; 5], Violation::NoCredits);
    ends(&[&[101, 0, 7]], Violation::SduTooLong);
    ends(&[&[]], Violation::NoSduLength);
    ends(&[&[5]], Violation::NoSduLength);
    ends(&[&[2, 0, 1, 2, 3]], Violation::MoreThanSdu);
    ends(&[&[3, 0, 1, 2], &[3, 4]], Violation::MoreThanSdu);
    ends(&[&[39, 0], &[0; 41]], Violation::FrameTooLong);
    let (mut side, channel) = Side::served();
    side.data(0x40, &[0, 0]);
    assert_eq!(side.0.take(channel).as_deref(), Some(&[][..]), "an empty SDU is one");
}

#[test]
fn l1_data_of_no_channel_is_dropped() {
    let (mut side, _) = Side::served();
    for cid in [0, 0x3F, 0x41, 0x50, 0x80, 0xFFFF] {
        side.data(cid, &[1, 0, 7]);
    }
    assert_eq!((side.events(), side.0.poll_frame()), (vec![], None));
}

#[test]
fn other_commands_and_malformed_ones_are_left_to_others() {
    let (mut side, _) = Side::served();
    for payload in [
        &[][..],
        &[0x14, 1],
        &[0x14, 1, 2, 0, 0x80, 0],
        &[0x12, 1, 8, 0, 24, 0, 40, 0, 0, 0, 0xF4, 1],
        &[0x7F, 1, 0, 0],
        &command(0x14, 0, &[SPSM, 0x51, 23, 23, 1]),
        &[&[0x16, 1, 20, 0][..], &[0; 20]].concat(),
    ] {
        assert!(!side.get(&Servers::default(), payload), "{payload:02x?}");
    }
    assert_eq!((side.events(), side.0.poll_frame()), (vec![], None));
}
