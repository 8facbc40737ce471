//! What peripherals ask for, and what is done about it.

use super::*;
use crate::line::Room;
use baretooth::sim::demo::{HEART_RATE_ADDRESS, heart_rate_strap};
use baretooth::sim::{Misbehaviour, Responder};
use baretooth::{OnSecurityRequest, Pairable, SecurityOptions};

/// A strap that asks for security as soon as there is a link, and a central that is always pairable.
async fn strap_that_asks(on_request: OnSecurityRequest, times: u16) -> Room {
    let security = SecurityOptions::new().pairable(Pairable::Always).on_request(on_request);
    let responder = Responder::new().misbehaves(Misbehaviour::SecurityRequests(times));
    let builder = Adapter::builder().seed(1).security(security);
    Room::built(builder, ControllerOptions::default(), vec![heart_rate_strap().pairing(responder)]).await
}

#[tokio::test(start_paused = true)]
async fn a_peripheral_that_asks_is_told_and_nothing_is_done_until_we_pair() {
    let room = strap_that_asks(OnSecurityRequest::Tell, 1).await;
    let mut requests = room.adapter.security_requests();
    let peer = room.adapter.connect(HEART_RATE_ADDRESS).await.expect("it advertises");
    let request = requests.next().await.expect("open");
    assert_eq!(request.peer.connection(), peer.connection());
    assert!(request.bonding && request.secure_connections && !request.mitm, "{request:?}");
    tokio::time::sleep(secs(60)).await;
    assert!(peer.is_connected() && !peer.security().encrypted);
    assert_eq!(room.adapter.bonds().await.expect("open"), []);
    assert!(request.peer.pair().finish().await.expect("the strap pairs").bonded);
    assert!(peer.security().encrypted);
    // The handle of the request does not keep the link.
    drop(peer);
    request.peer.disconnected().await;
    room.adapter.close().await;
    assert!(requests.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn by_default_a_peripheral_that_asks_is_told_and_paired_with() {
    let room = strap_that_asks(OnSecurityRequest::Act, 1).await;
    let mut requests = room.adapter.security_requests();
    let peer = room.adapter.connect(HEART_RATE_ADDRESS).await.expect("it advertises");
    assert_eq!(requests.next().await.expect("open").peer.address(), HEART_RATE_ADDRESS);
    tokio::time::sleep(secs(5)).await;
    assert!(peer.security().encrypted && peer.is_bonded());
}

#[tokio::test(start_paused = true)]
async fn a_peripheral_that_is_not_answered_is_told_again_when_it_asks_a_second_later_and_not_sooner() {
    let room = strap_that_asks(OnSecurityRequest::Tell, 100).await;
    let mut requests = room.adapter.security_requests();
    let _peer = room.adapter.connect(HEART_RATE_ADDRESS).await.expect("it advertises");
    requests.next().await.expect("open");
    drop_after(secs(5), requests.next()).await;
    let tells = SecurityOptions::new().on_request(OnSecurityRequest::Tell);
    let two = two_of([Adapter::builder().seed(1).security(tells), Adapter::builder().seed(2)]).await;
    let mut requests = two.central.security_requests();
    for mitm in [false, true] {
        // As the peripheral we ask, and give up.
        let mut pairing = two.accepted.pair_with(options(if mitm { YES_NO } else { NOTHING }));
        drop_after(secs(2), pairing.finish()).await;
        assert_eq!(requests.next().await.expect("open").mitm, mitm);
    }
}
