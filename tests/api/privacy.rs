//! Private addresses as a program meets them.

use super::line::secs;
use baretooth::sim::{ControllerOptions, Radio, RadioOptions};
use baretooth::smp::Key;
use baretooth::{
    Adapter, AdapterBuilder, Address, AdvertiseOptions, BdAddr, Filter, OwnAddress, ScanOptions,
};

/// Who the peripheral is to those who have its key.
const IDENTITY: Address = Address::public(BdAddr([2, 0, 0, 0x5A, 0, 0]));

/// Two adapters on one radio.
async fn two(central: AdapterBuilder, peripheral: AdapterBuilder) -> (Adapter, Adapter) {
    let mut radio = Radio::new(RadioOptions { seed: 1, ..RadioOptions::default() });
    for n in [1, 2] {
        radio.add_controller(ControllerOptions::private().address(BdAddr([n, 0, 0, 0x5A, 0, 0])));
    }
    let (_, transports) = baretooth::sim::spawn(radio);
    let [first, second] = <[_; 2]>::try_from(transports).unwrap_or_else(|_| panic!("two"));
    let central = central.seed(1).open_with(first).await.expect("opens");
    (central, peripheral.seed(2).open_with(second).await.expect("opens"))
}

#[tokio::test(start_paused = true)]
async fn who_hides_is_found_and_connected_to_by_who_it_is() {
    let irk = Key::new([7; 16]);
    let peripheral = Adapter::builder().own_address(OwnAddress::Resolvable).irk(irk.clone());
    let (central, peripheral) = two(Adapter::builder().peer_irk(IDENTITY, irk), peripheral).await;
    let _advertisement = peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises");
    let mut scan = central.scan_with(ScanOptions::new()).await.expect("scans");
    let sighting = scan.next().await.expect("heard");
    assert_eq!((sighting.identity(), sighting.device.identity), (Some(IDENTITY), Some(IDENTITY)));
    let found = central.find(Filter::new().address(IDENTITY), secs(5)).await.expect("by its identity");
    assert_eq!(found.identity, Some(IDENTITY));
    let peer = central.connect(IDENTITY).await.expect("a link");
    assert_eq!(peer.identity(), Some(IDENTITY));
    let accepted = peripheral.accepted().next().await.expect("a central");
    assert_eq!(accepted.identity(), None, "a stranger to it");
}

#[tokio::test(start_paused = true)]
async fn what_an_operation_shows_may_differ_from_what_the_adapter_does() {
    let builder = Adapter::builder().own_address(OwnAddress::NonResolvable).rotation(secs(60));
    let (central, peripheral) = two(Adapter::builder(), builder).await;
    let mut scan = central.scan_with(ScanOptions::new().active(false)).await.expect("scans");
    let hidden = peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises");
    let first = scan.next().await.expect("heard").report.address.expect("no anonymous one");
    assert!(first.bd_addr.0[5] >> 6 == 0 && first != IDENTITY, "{first}");
    tokio::time::sleep(secs(61)).await;
    let second = scan.next().await.expect("an address that changed is news").report.address;
    assert_ne!(second, Some(first));
    hidden.stop().await.expect("stopped");
    let public = AdvertiseOptions::new().own_address(OwnAddress::Public);
    let _advertisement = peripheral.advertise(public).await.expect("advertises");
    assert!(central.find(Filter::new().address(IDENTITY), secs(5)).await.is_ok());
}
