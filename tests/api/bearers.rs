//! Enhanced ATT bearers as a program uses them.

use super::line::secs;
use baretooth::gatt::server::{Access, Characteristic, Service, Table};
use baretooth::sim::{ControllerOptions, Radio, RadioOptions};
use baretooth::{Adapter, AdvertiseOptions, BdAddr, Eatt, ErrorKind, GattServer, Peer, Request, uuid16};

/// A value that the user is asked for.
const ASKED: baretooth::Uuid = uuid16(0x2A56);

/// Adapters with these bearers, of which the second serves, and their link at the first.
async fn two(eatt: [Eatt; 2]) -> ([Adapter; 2], GattServer, Peer) {
    let mut radio = Radio::new(RadioOptions { seed: 1, ..RadioOptions::default() });
    for n in 1..=2 {
        radio.add_controller(ControllerOptions::default().address(BdAddr([n, 0, 0, 0x5A, 0, 0])));
    }
    let (_, transports) = baretooth::sim::spawn(radio);
    let mut adapters = Vec::new();
    for ((n, transport), eatt) in (1..).zip(transports).zip(eatt) {
        adapters.push(Adapter::builder().seed(n).eatt(eatt).open_with(transport).await.expect("opens"));
    }
    let [central, peripheral] = <[Adapter; 2]>::try_from(adapters).expect("two");
    let mut service = Service::primary(uuid16(0x1815));
    for _ in 0..3 {
        service = service.characteristic(Characteristic::new(ASKED).asked().read(Access::OPEN));
    }
    let table = Table::builder("served").service(service).build().expect("fits");
    let server = peripheral.serve(table).await.expect("serves");
    let advertisement = peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises");
    let peer = central.connect(peripheral.controller().random_address).await.expect("a link");
    advertisement.ended().await.expect("by the link");
    ([central, peripheral], server, peer)
}

async fn client_features(peer: &Peer) -> Vec<u8> {
    peer.read_by_uuid(uuid16(0x2B29)).await.expect("readable")[0].value.to_vec()
}

#[tokio::test(start_paused = true)]
async fn requests_run_side_by_side_once_there_are_more_bearers() {
    let (_adapters, server, peer) = two([Eatt::Unencrypted; 2]).await;
    assert_eq!(client_features(&peer).await, [0]);
    assert_eq!(peer.open_bearers(2).await.expect("opens"), 2);
    assert_eq!(client_features(&peer).await, [2], "the peer knows");
    assert_eq!(peer.open_bearers(1).await.expect("opens"), 1, "and is not told again");

    let handles: Vec<_> =
        server.services().characteristics().filter(|c| c.uuid == ASKED).map(|c| c.value_handle).collect();
    let [a, b, c] = handles[..] else { panic!("three") };
    let mut requests = server.requests();
    let answers = async {
        // Nobody is answered before all have asked.
        let mut reads = Vec::new();
        while reads.len() < 3 {
            match requests.next().await.expect("the adapter is open") {
                Request::Read(read) => reads.push(read),
                other => panic!("{other:?}"),
            }
        }
        for read in reads.into_iter().rev() {
            let handle = read.handle();
            read.answer(handle.to_le_bytes().to_vec()).await.expect("in time");
        }
    };
    let all = async { tokio::join!(peer.read(a), peer.read(b), peer.read(c), answers) };
    let (x, y, z, ()) = tokio::time::timeout(secs(5), all).await.expect("side by side");
    for (value, handle) in [(x, a), (y, b), (z, c)] {
        assert_eq!(value.expect("answered")[..], handle.to_le_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn bearers_that_cannot_be_say_why() {
    let (_adapters, _server, peer) = two([Eatt::Off, Eatt::Unencrypted]).await;
    let off = peer.open_bearers(1).await.expect_err("off");
    assert_eq!(off.kind(), ErrorKind::Invalid, "{off}");
    assert_eq!(client_features(&peer).await, [0], "the peer is not told what is not so");

    let (_adapters, _server, peer) = two([Eatt::Encrypted, Eatt::Unencrypted]).await;
    let clear = peer.open_bearers(1).await.expect_err("in the clear");
    assert_eq!(clear.kind(), ErrorKind::Invalid, "{clear}");

    let (_adapters, _server, peer) = two([Eatt::Unencrypted, Eatt::Off]).await;
    let refused = peer.open_bearers(1).await.expect_err("the peer has none");
    assert_eq!(refused.kind(), ErrorKind::Channel, "{refused}");
    for count in [0, 6] {
        let count = peer.open_bearers(count).await.expect_err("1 to 5");
        assert_eq!(count.kind(), ErrorKind::Invalid, "{count}");
    }
}
