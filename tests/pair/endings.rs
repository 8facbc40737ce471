//! Every request ends, once, whatever the controller and the peer leave out.

use crate::common::*;
use baretooth::host::{Event, OpError};
use baretooth::sim::Device;

#[test]
fn a_connect_cancelled_while_the_mtu_is_exchanged_ends_once_and_leaves_no_link() {
    let mut pair = Pair::new();
    let device = pair.room(|radio| radio.add_device(Device::new(address(1))));
    let op = pair.submit(connect(address(1)));
    pair.until("a link", |pair| pair.acl_sent > 0);
    pair.cancel(op);
    assert_eq!(pair.done(op), Err(OpError::Cancelled));
    pair.run(seconds(60));
    assert!(pair.host.is_idle());
    assert!(!pair.radio.device(device).expect("there").is_connected());
    assert!(!pair.told.events.iter().any(|event| matches!(event, Event::Connected(_))));
}

/// The peer of an attempt may be connected and never say a word.
#[test]
fn a_connect_whose_mtu_exchange_is_never_answered_ends_once_and_leaves_no_link() {
    let mut script = Script::new();
    let op = script.connect(PEER, 100);
    script.connection_complete(0, 0x40, PEER);
    assert_eq!(script.frames(0x40), [(4, vec![0x02, 100, 0])]);
    script.run(seconds(30));
    assert_eq!(script.result(op), Err(OpError::AttTimeout { after: seconds(30) }));
    assert_eq!(script.commands().last(), Some(&0x0406));
    script.disconnection_complete(0x40, 0x16);
    assert!(script.host.is_idle());
    assert!(!script.told.events.iter().any(|event| matches!(event, Event::Disconnected { .. })));
}

/// Cancelled while the exchange of the MTU waits, and nothing more comes of the peer.
#[test]
fn a_cancelled_connect_outlives_neither_the_answer_nor_the_silence_of_its_peer() {
    for answered in [true, false] {
        let mut script = Script::new();
        let op = script.connect(PEER, 100);
        script.connection_complete(0, 0x40, PEER);
        script.cancel(op);
        assert!(!script.is_done(op), "the link is still there");
        if answered {
            script.att(0x40, &[0x03, 100, 0]);
        } else {
            script.run(seconds(2));
        }
        assert!(!script.is_done(op));
        script.disconnection_complete(0x40, 0x16);
        assert_eq!(script.result(op), Err(OpError::Cancelled));
        assert!(script.host.is_idle());
    }
}
