//! How channels end, and what is left of them.

use super::*;

#[test]
fn l7_what_came_before_a_disconnection_can_still_be_taken() {
    let (mut side, channel) = Side::served();
    side.data(0x40, &[1, 0, 7]);
    side.data(0x40, &[9, 0, 7]);
    assert!(side.tell(0x06, 5, &[0x40, 0x50]));
    assert_eq!(side.says(), (0x07, 5, vec![0x40, 0x50]));
    let closed = Event::Closed { channel, reason: CloseReason::Peer };
    assert_eq!(side.events(), [Event::Received { channel }, closed]);
    assert_eq!(side.0.take(channel).as_deref(), Some(&[7][..]));
    assert_eq!((side.0.take(channel), side.0.poll_frame()), (None, None), "nor credits for it");
    assert!(side.0.channels.is_empty());
}

#[test]
fn l7_a_disconnection_with_other_cids_ends_nothing_and_a_second_one_is_not_ours() {
    let (mut side, channel) = Side::served();
    assert!(!side.tell(0x06, 5, &[0x50, 0x40]), "swapped: no channel of ours, to be rejected");
    assert!(side.tell(0x06, 5, &[0x40, 0x51]), "another peer's end: dropped");
    assert_eq!((side.events(), side.0.poll_frame()), (vec![], None));
    side.data(0x40, &[1, 0, 7]);
    assert!(side.tell(0x06, 5, &[0x40, 0x50]));
    side.says();
    assert!(!side.tell(0x06, 6, &[0x40, 0x50]), "over, though not all is taken");
    side.0.close(NOW, channel);
    assert!(side.0.channels.is_empty());
}

#[test]
fn l7_connecting_and_disconnecting_100_000_times_leaves_nothing() {
    let mut side = Side(CreditChannels::default());
    let servers = servers(RequiredSecurity::None, 64);
    for _ in 0..100_000 {
        side.get(&servers, &command(0x14, 1, &[SPSM, 0x50, 100, 30, 2]));
        let cid = side.says().2[0];
        side.get(&servers, &command(0x06, 2, &[cid, 0x50]));
        assert_eq!(side.says().0, 0x07);
        assert_eq!(side.events().len(), 2);
    }
    assert!(side.0.channels.is_empty() && side.0.pending.is_empty());
}

#[test]
fn requests_without_end_of_a_peer_that_does_not_listen_take_bounded_memory() {
    let mut side = Side(CreditChannels::default());
    for _ in 0..1000 {
        assert!(side.tell(0x14, 1, &[0x99, 0x50, 100, 30, 2]));
    }
    assert_eq!(side.0.signals.len(), MOST_SIGNALS);
}

#[test]
fn closing_waits_for_the_peer_and_not_for_ever() {
    let (mut side, channel) = Side::served();
    side.0.send(channel, "unsent".into()).expect("open");
    side.data(0x40, &[1, 0, 7]);
    side.events();
    side.0.close(NOW, channel);
    let (code, id, values) = side.says();
    assert_eq!((code, values), (0x06, vec![0x50, 0x40]));
    assert_eq!((side.0.poll_frame(), side.0.take(channel), side.events()), (None, None, vec![]));
    side.data(0x40, &[1, 0, 7]);
    side.tell(0x07, id, &[0x51, 0x40]);
    assert_eq!(side.events(), [], "another channel's confirmation");
    let closed = [Event::Closed { channel, reason: CloseReason::Local }];
    side.tell(0x07, id, &[0x50, 0x40]);
    assert_eq!(side.events(), closed);

    let (mut side, channel) = Side::served();
    side.0.close(NOW, channel);
    let deadline = side.0.deadline().expect("waits");
    side.0.handle_timeout(deadline);
    assert_eq!(side.events(), closed);
    assert!(side.0.channels.is_empty() && side.0.deadline().is_none());
}

#[test]
fn disconnections_that_cross_end_the_channel_once() {
    let (mut side, channel) = Side::served();
    side.0.close(NOW, channel);
    let id = side.says().1;
    side.tell(0x06, 9, &[0x40, 0x50]);
    assert_eq!(side.says().0, 0x07);
    side.tell(0x07, id, &[0x50, 0x40]);
    assert_eq!(side.events().len(), 1);
    assert!(side.0.channels.is_empty() && side.0.pending.is_empty());
}

#[test]
fn a_channel_that_nobody_wants_any_more_is_ended_as_soon_as_it_is_open() {
    let mut side = Side(CreditChannels::default());
    let channel = side.0.open(NOW, SPSM, ChannelOptions::default()).expect("free");
    let id = side.says().1;
    side.0.close(NOW, channel);
    side.tell(0x15, id, &[0x50, 64, 64, 1, 0]);
    assert_eq!((side.events(), side.says().0), (vec![], 0x06));
}

#[test]
fn a_key_never_names_the_next_channel_of_its_cid() {
    let (mut side, old) = Side::served();
    side.tell(0x06, 5, &[0x40, 0x50]);
    for identifier in 1..=64 {
        side.tell(0x14, identifier, &[SPSM, 0x50, 100, 30, 2]);
        let cid = side.0.channels.keys().copied().next().expect("open");
        if cid == 0x40 {
            break;
        }
        side.tell(0x06, identifier, &[cid, 0x50]);
        while side.0.poll_frame().is_some() {}
    }
    assert!(side.0.channels.contains_key(&0x40), "used again, after all others");
    assert_eq!(side.0.send(old, "x".into()), Err(SendError::NotOpen));
}

#[test]
fn a_lost_link_closes_every_channel_and_leaves_what_was_received() {
    let (mut side, channel) = Side::served();
    side.data(0x40, &[1, 0, 7]);
    side.0.handle_link_lost();
    assert_eq!(side.events().pop(), Some(Event::Closed { channel, reason: CloseReason::LinkLost }));
    assert_eq!(side.0.take(channel).as_deref(), Some(&[7][..]));
    assert!(side.0.channels.is_empty());
}
