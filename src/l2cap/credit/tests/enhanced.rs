//! The enhanced variant: several channels at once, and other sizes for them.

use super::*;
use crate::l2cap::signaling::CreditConnectionsResult;

/// Two channels that the peer opened as its 0x50 and 0x51, with MTU 100 and MPS 80.
fn served() -> (Side, Vec<ChannelKey>) {
    let mut side = Side(CreditChannels::default());
    side.tell(0x17, 1, &[SPSM, 100, 80, 2, 0x50, 0x51]);
    assert_eq!(side.says(), (0x18, 1, vec![100, 64, 4, 0, 0x40, 0x41]), "an MPS of 64 at least");
    let channels = opened(&mut side);
    assert_eq!(channels.len(), 2);
    (side, channels)
}

fn opened(side: &mut Side) -> Vec<ChannelKey> {
    let channel = |event| match event {
        Event::Opened { channel, .. } => channel,
        other => panic!("{other:?}"),
    };
    side.events().into_iter().map(channel).collect()
}

/// Three channels that the peer was asked for, and the identifier of the request.
fn asked() -> (Side, Vec<ChannelKey>, u8) {
    let mut side = Side(CreditChannels::default());
    let channels = side.0.open_enhanced(NOW, 0x27, options(200, 64, 9), 3).expect("free");
    let (code, id, values) = side.says();
    assert_eq!((code, values), (0x17, vec![0x27, 200, 64, 9, 0x40, 0x41, 0x42]));
    (side, channels, id)
}

#[test]
fn l6_none_or_more_than_five_channels_and_sizes_below_64_are_refused() {
    let refused = |values: &[u16]| {
        let mut side = Side(CreditChannels::default());
        assert!(side.tell(0x17, 3, values));
        let (code, 3, answer) = side.says() else { panic!("another identifier") };
        assert_eq!((code, &answer[..3]), (0x18, &[0, 0, 0][..]));
        assert!(answer[4..].iter().all(|&cid| cid == 0));
        assert_eq!((answer.len() - 4, side.events()), (values.len() - 4, vec![]), "one CID for each");
        answer[3]
    };
    assert_eq!(refused(&[SPSM, 64, 64, 1]), 0x0C);
    assert_eq!(refused(&[SPSM, 63, 64, 1, 0x50]), 0x0C);
    assert_eq!(refused(&[SPSM, 64, 63, 1, 0x50]), 0x0C);
    assert_eq!(refused(&[SPSM, 64, 65534, 1, 0x50]), 0x0C);
    assert_eq!(refused(&[SPSM, 64, 64, 0, 0x50]), 0x0C, "no credits");
    assert_eq!(refused(&[0x99, 64, 64, 1, 0x50, 0x51]), 0x02);
    let six = command(0x17, 3, &[SPSM, 64, 64, 1, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55]);
    assert!(!Side(CreditChannels::default()).get(&Servers::default(), &six), "over the signalling MTU");
    let mut half = command(0x17, 3, &[SPSM, 64, 64, 1, 0x50]);
    half[2] += 1;
    half.push(0);
    let mut side = Side(CreditChannels::default());
    assert!(side.get(&servers(RequiredSecurity::None, 9), &half));
    assert_eq!(side.says().2[3], 0x0C, "half a CID");
    assert_eq!(side.events(), []);
}

#[test]
fn l6_bogus_cids_cost_only_their_own_channels() {
    let answer = |most, sources: &[u16]| {
        let mut side = Side(CreditChannels::default());
        let request = command(0x17, 3, &[&[SPSM, 64, 64, 1][..], sources].concat());
        side.get(&servers(RequiredSecurity::None, most), &request);
        let answer = side.says().2;
        assert_eq!(opened(&mut side).len(), answer[4..].iter().filter(|&&cid| cid != 0).count());
        (answer[3], answer[4..].to_vec())
    };
    assert_eq!(answer(9, &[0x50, 0x10, 0x51]), (0x09, vec![0x40, 0, 0x41]));
    assert_eq!(answer(9, &[0x50, 0x50]), (0x0A, vec![0x40, 0]), "one CID twice");
    assert_eq!(answer(2, &[0x50, 0x51, 0x52, 0x53, 0x54]), (0x04, vec![0x40, 0x41, 0, 0, 0]));
}

#[test]
fn l6_a_response_opens_the_channels_it_names_and_the_others_are_refused() {
    let (mut side, channels, id) = asked();
    side.tell(0x18, id, &[64, 64, 1, 4, 0x60, 0, 0x61]);
    let opened = |channel| Event::Opened { channel, spsm: 0x27, by_peer: false, mtu: 64 };
    let why = CreditConnectionsResult::SomeRefusedInsufficientResourcesAvailable;
    let refused = |channel, reason| Event::Refused { channel, reason };
    let some = OpenFailure::EnhancedRefused(why);
    assert_eq!(side.events(), [opened(channels[0]), refused(channels[1], some), opened(channels[2])]);

    let (mut side, channels, id) = asked();
    side.tell(0x18, id, &[64, 64, 1, 0, 0x60]);
    let missing = OpenFailure::InvalidResponse;
    let expected = [opened(channels[0]), refused(channels[1], missing), refused(channels[2], missing)];
    assert_eq!(side.events(), expected, "fewer CIDs than asked for");

    let (mut side, _, id) = asked();
    side.tell(0x18, id, &[64, 64, 1, 2, 0x60, 0x61, 0x62]);
    assert!(side.events().iter().all(|event| matches!(event, Event::Refused { .. })), "CIDs of a refusal");
    assert!(side.0.channels.is_empty());

    let (mut side, _, id) = asked();
    side.tell(0x18, id, &[64, 64, 1, 0, 0x60, 0x60, 0x62]);
    let last = side.events();
    assert!(matches!(last[..], [_, Event::Refused { .. }, Event::Closed { .. }, Event::Opened { .. }]));
}

#[test]
fn l6_a_response_of_the_wrong_type_answers_nothing() {
    let (mut side, _, id) = asked();
    side.tell(0x15, id, &[0x60, 64, 64, 1, 0]);
    side.tell(0x1A, id, &[0]);
    assert_eq!((side.events(), side.0.pending.len()), (vec![], 1));
}

#[test]
fn a_peer_may_ask_for_more_time_once() {
    let (mut side, _, id) = asked();
    let first = side.0.deadline().expect("waits");
    side.tell(0x18, id, &[0, 0, 0, 0x0E]);
    let second = side.0.deadline().expect("waits");
    assert_eq!((second.since(NOW), first < second), (PENDING_TIMEOUT, true));
    let again = command(0x18, id, &[0, 0, 0, 0x0E]);
    side.0.handle_signal(first, &again, &Servers::default(), OPEN_LINK);
    assert_eq!(side.0.deadline(), Some(second));
    side.0.handle_timeout(second);
    assert_eq!(side.events().len(), 3);
}

#[test]
fn l6_reconfigurations_against_the_rules_are_refused() {
    let refused = |values: &[u16]| {
        let (mut side, _) = served();
        side.tell(0x14, 2, &[SPSM, 0x5F, 100, 80, 2]);
        side.says();
        side.events();
        side.tell(0x19, 7, values);
        let (code, identifier, result) = side.says();
        assert_eq!((code, identifier, side.events()), (0x1A, 7, vec![]));
        result[0]
    };
    assert_eq!(refused(&[99, 80, 0x50]), 1, "a smaller MTU");
    assert_eq!(refused(&[100, 79, 0x50, 0x51]), 2, "a smaller MPS of two");
    assert_eq!(refused(&[100, 80, 0x40]), 3, "our CID");
    assert_eq!(refused(&[100, 80, 0x50, 0x77]), 3, "a CID of nothing");
    assert_eq!(refused(&[100, 80, 0x5F]), 3, "of the other variant");
    assert_eq!(refused(&[100, 80]), 4, "no CIDs");
    assert_eq!(refused(&[63, 80, 0x50]), 4);
    assert_eq!(refused(&[100, 63, 0x50]), 4);
}

#[test]
fn a_reconfiguration_of_the_peer_counts_from_the_next_k_frame_on() {
    let (mut side, channels) = served();
    side.0.send(channels[0], vec![5; 100].into()).expect("open");
    assert_eq!(side.0.poll_frame().map(|frame| frame.payload.len()), Some(80));
    side.tell(0x16, 1, &[0x50, 9]);
    side.tell(0x19, 7, &[150, 64, 0x50]);
    assert_eq!(side.says(), (0x1A, 7, vec![0]));
    assert!(side.events().contains(&Event::PeerReconfigured { channel: channels[0], mtu: 150 }));
    side.0.send(channels[0], vec![6; 150].into()).expect("the new MTU");
    let lengths: Vec<_> = std::iter::from_fn(|| side.0.poll_frame()).map(|f| f.payload.len()).collect();
    assert_eq!(lengths, [22, 64, 64, 24]);
}

#[test]
fn our_reconfiguration_names_our_cids_and_what_is_against_the_rules_is_not_asked() {
    let (mut side, channels) = served();
    let foreign = ChannelKey { cid: 0x40, serial: 99 };
    let it = &mut side.0;
    assert_eq!(it.reconfigure(NOW, &[], 200, 64), Err(ReconfigureError::Count(0)));
    assert_eq!(it.reconfigure(NOW, &[foreign], 200, 64), Err(ReconfigureError::NotEnhanced(foreign)));
    assert!(matches!(it.reconfigure(NOW, &channels, 99, 64), Err(ReconfigureError::Reduction(_))));
    assert!(matches!(it.reconfigure(NOW, &channels, 100, 63), Err(ReconfigureError::Options(_))));
    it.reconfigure(NOW, &channels, 200, 90).expect("more");
    assert_eq!(it.reconfigure(NOW, &channels, 200, 90), Err(ReconfigureError::Busy));
    let (code, id, values) = side.says();
    assert_eq!((code, values), (0x19, vec![200, 90, 0x40, 0x41]));
    side.tell(0x1A, id, &[0]);
    assert_eq!(side.events(), [Event::Reconfigured { channels, result: Ok(()) }]);
    side.data(0x40, &[&[200, 0][..], &[7; 88]].concat());
    assert_eq!(side.events(), [], "taken");
}
