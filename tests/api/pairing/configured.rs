//! An adapter that is told later what it was not opened with.

use super::*;
use baretooth::{AddressKind, OwnAddress, Pairable, SecurityOptions};

#[tokio::test(start_paused = true)]
async fn security_that_is_set_later_holds_for_the_next_pairing_and_the_agent_still_answers() {
    let two = two().await;
    let mut agent = two.peripheral.agent(options(NOTHING).bonding(false));
    for (ours, theirs, method) in [
        (NOTHING, None, Method::JustWorks),
        (KEYBOARD, Some(DISPLAY), Method::PasskeyEntry),
        (YES_NO, Some(YES_NO), Method::NumericComparison),
    ] {
        if let Some(io) = theirs {
            let pairing = options(io).bonding(false);
            two.peripheral.set_security(SecurityOptions::new().pairing(pairing));
        }
        let people = People::new();
        let (began, answered) = tokio::join!(
            go_through(two.peer.pair_with(options(ours).bonding(false)), people.clone()),
            async { go_through(agent.next().await.expect("open"), people.clone()).await }
        );
        assert_eq!(began.expect("paired").method, method);
        assert_eq!(answered.expect("paired").method, method);
    }
    two.peripheral.set_security(SecurityOptions::new().pairable(Pairable::Never));
    let refused = two.peer.pair_with(options(NOTHING).bonding(false)).finish().await;
    assert_eq!(refused.expect_err("not pairable").code(), Some(0x05));
}

#[tokio::test(start_paused = true)]
async fn what_is_set_is_what_holds_when_the_agent_is_gone() {
    let two = two().await;
    let agent = two.peripheral.agent(options(NOTHING));
    two.peripheral.set_security(SecurityOptions::new().pairable(Pairable::Always));
    drop(agent);
    assert!(two.peer.pair().finish().await.expect("nobody has to answer").bonded);
}

#[tokio::test(start_paused = true)]
async fn an_mtu_that_is_set_later_is_that_of_later_links() {
    let mut two = two().await;
    for (central, peripheral, mtu) in [(64, 517, 64), (517, 50, 50), (9, 517, 23)] {
        let before = two.peer.mtu();
        two.central.set_mtu(central);
        two.peripheral.set_mtu(peripheral);
        two.peer.read_by_uuid(OPEN).await.expect("open");
        assert_eq!(two.peer.mtu(), before);
        two.reconnect().await;
        assert_eq!((two.peer.mtu(), two.accepted.mtu()), (mtu, mtu));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_told_the_identity_that_is_configured() {
    use AddressKind::{Public, Random};
    for (own, identity, told) in [
        (OwnAddress::RandomStatic, None, Random),
        (OwnAddress::RandomStatic, Some(Public), Public),
        (OwnAddress::Public, None, Public),
        (OwnAddress::Public, Some(Random), Random),
        (OwnAddress::Resolvable, Some(Random), Random),
        (OwnAddress::Resolvable, Some(Public), Public),
    ] {
        let central = Adapter::builder().seed(1).own_address(own);
        let mut two = two_of([central, Adapter::builder().seed(2)]).await;
        if let Some(kind) = identity {
            two.central.set_security(SecurityOptions::new().identity(kind));
        }
        let Outcome { answered, .. } = two.pair(true, options(NOTHING), options(NOTHING)).await;
        let controller = two.central.controller();
        let expected = if told == Public { controller.public_address } else { None };
        let expected = expected.unwrap_or(controller.random_address);
        assert_eq!(answered.expect("paired").peer, expected, "{own:?} {identity:?}");
        if own == OwnAddress::Resolvable {
            // Behind a private address it is known again, whichever it is.
            two.reconnect().await;
            assert!(two.accepted.security().encrypted, "{identity:?}");
            assert_eq!(two.accepted.identity(), Some(expected));
        }
    }
}
