//! Advertising, and the links that centrals make.

use super::line::{drop_after, ms, secs};
use baretooth::gap::advertise::InvalidAdvertising;
use baretooth::gap::advertising_data::AdType;
use baretooth::sim::{ControllerOptions, Radio, RadioHandle, RadioOptions, demo};
use baretooth::{
    Adapter, AdvertiseOptions, AdvertisingDataBuf, AdvertisingDataBuilder, AdvertisingEnd, BdAddr,
    ConnectionParameters, Duplicates, Error, ErrorCode, ErrorKind, Filter, Flags, Peer, Role, ScanOptions,
    uuid16,
};
use std::time::Duration;

/// Adapters on one radio, and a demo device.
async fn adapters(controllers: impl IntoIterator<Item = ControllerOptions>) -> (Vec<Adapter>, RadioHandle) {
    let mut radio = Radio::new(RadioOptions { seed: 1, ..RadioOptions::default() });
    for (n, options) in (1..).zip(controllers) {
        radio.add_controller(options.address(BdAddr([n, 0, 0, 0x5A, 0, 0])));
    }
    radio.add_device(demo::heart_rate_strap());
    let (radio, transports) = baretooth::sim::spawn(radio);
    let mut adapters = Vec::new();
    for (n, transport) in (1..).zip(transports) {
        adapters.push(Adapter::builder().seed(n).open_with(transport).await.expect("opens"));
    }
    (adapters, radio)
}

/// A central and a peripheral.
async fn two() -> (Adapter, Adapter) {
    let (adapters, _) = adapters([ControllerOptions::default(), ControllerOptions::default()]).await;
    let [central, peripheral] = <[Adapter; 2]>::try_from(adapters).expect("two");
    (central, peripheral)
}

fn named(name: &str) -> AdvertisingDataBuf {
    AdvertisingDataBuilder::new().name(name).build().expect("fits")
}

/// A link between the two, as each of them has it.
async fn link(central: &Adapter, peripheral: &Adapter) -> (Peer, Peer) {
    let advertisement = peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises");
    let peer = central.connect(peripheral.controller().random_address).await.expect("a link");
    let accepted = peripheral.accepted().next().await.expect("a central");
    let end = advertisement.ended().await.expect("ended");
    assert_eq!(end, AdvertisingEnd::Connected(accepted.connection()));
    (peer, accepted)
}

#[tokio::test(start_paused = true)]
async fn adafruit_start_advertising_with_scan_response_interval_and_timeout() {
    let (central, peripheral) = two().await;
    let data = AdvertisingDataBuilder::new()
        .flags(Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED)
        .services([uuid16(0x180F)])
        .build()
        .expect("fits");
    let options = AdvertiseOptions::new()
        .data(data)
        .scan_response(named("thermometer"))
        .interval(ms(500), ms(500))
        .timeout(secs(20));
    let advertisement = peripheral.advertise(options).await.expect("advertises");
    let begun = tokio::time::Instant::now();
    let filter = Filter::new().name("thermometer");
    let found = central.find(filter, secs(5)).await.expect("advertises");
    assert_eq!(found.address, Some(peripheral.controller().random_address));
    let ours = Filter::new().bd_addr(peripheral.controller().random_address.bd_addr).service(uuid16(0x180F));
    let options = ScanOptions::new().active(false).duplicates(Duplicates::All).filter(ours);
    let mut scan = central.scan_with(options).await.expect("scans");
    let mut times = Vec::new();
    while let Ok(sighting) = tokio::time::timeout(secs(5), scan.next()).await {
        assert_eq!(sighting.expect("heard").device.data().flags(), Some(Flags(0x06)));
        times.push(tokio::time::Instant::now());
    }
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // advDelay is 0 to 10 ms ([Vol 6] Part B, 4.4.2.2); a PDU may be on a channel not listened to.
    assert!(gaps.iter().all(|gap| (ms(500)..=ms(511)).contains(gap)), "{gaps:?}");
    assert!(times.len() > 30, "{}", times.len());
    let last = *times.last().expect("many") - begun;
    assert!((secs(19)..=secs(20)).contains(&last), "{last:?}");
    assert_eq!(advertisement.ended().await.expect("ended"), AdvertisingEnd::TimedOut);
    assert!(!advertisement.is_advertising() && !peripheral.is_advertising());
}

#[tokio::test(start_paused = true)]
async fn adafruit_stop_advertising_and_advertising() {
    let (central, peripheral) = two().await;
    assert!(!peripheral.is_advertising());
    let one = peripheral.advertise(AdvertiseOptions::new().data(named("one"))).await.expect("advertises");
    let other = peripheral.advertise(AdvertiseOptions::new().data(named("other"))).await.expect("advertises");
    assert!(peripheral.is_advertising() && one.is_advertising() && other.is_advertising());
    central.find_by_name("one", secs(5)).await.expect("advertises");
    one.stop().await.expect("stopped");
    assert!(peripheral.is_advertising(), "the other");
    assert!(central.find_by_name("one", secs(5)).await.is_err(), "stopped");
    central.find_by_name("other", secs(5)).await.expect("advertises");
    drop(other);
    tokio::time::sleep(ms(100)).await;
    assert!(!peripheral.is_advertising());
    assert!(central.find_by_name("other", secs(5)).await.is_err(), "dropped");
}

#[tokio::test(start_paused = true)]
async fn adafruit_tx_power_and_address() {
    let (central, peripheral) = two().await;
    let advertisement = peripheral.advertise(AdvertiseOptions::new().tx_power(-8)).await.expect("advertises");
    assert_eq!(advertisement.tx_power(), Some(-8));
    let address = peripheral.controller().random_address;
    assert_eq!(advertisement.address(), address);
    let found = central.find_by_address(address.bd_addr, secs(5)).await.expect("advertises");
    assert_eq!(found.address, Some(address));
    let (adapters, _) = adapters([ControllerOptions::legacy()]).await;
    let advertisement = adapters[0].advertise(AdvertiseOptions::new()).await.expect("advertises");
    assert_eq!(advertisement.tx_power(), None, "a controller of Bluetooth 4 does not say");
}

#[tokio::test(start_paused = true)]
async fn adafruit_connected_and_connections_with_either_role() {
    let (adapters, _) = adapters([(); 3].map(|()| ControllerOptions::default())).await;
    let [central, middle, peripheral] = <[Adapter; 3]>::try_from(adapters).expect("three");
    assert!(middle.connections().is_empty());
    let (to_middle, accepted) = link(&central, &middle).await;
    let (to_peripheral, from_middle) = link(&middle, &peripheral).await;
    assert_eq!((to_middle.role(), accepted.role()), (Role::Central, Role::Peripheral));
    assert_eq!((to_peripheral.role(), from_middle.role()), (Role::Central, Role::Peripheral));
    let addresses = [&central, &peripheral].map(|adapter| adapter.controller().random_address);
    assert_eq!(middle.connections(), addresses);
    assert_eq!([accepted.address(), to_peripheral.address()], addresses);
}

#[tokio::test(start_paused = true)]
async fn adafruit_ble_connection_connected_and_disconnect() {
    let (central, peripheral) = two().await;
    let (peer, accepted) = link(&central, &peripheral).await;
    assert!(peer.is_connected() && accepted.is_connected());
    accepted.disconnect().await.expect("ended");
    assert!(!accepted.is_connected());
    assert_eq!(peer.disconnected().await, ErrorCode::RemoteUserTerminatedConnection);
    assert!(peripheral.connections().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_link_that_a_central_made_outlives_its_peer_here() {
    let (central, peripheral) = two().await;
    let (peer, accepted) = link(&central, &peripheral).await;
    drop(accepted);
    tokio::time::sleep(secs(10)).await;
    assert!(peer.is_connected());
    peripheral.close().await;
    assert_eq!(peer.disconnected().await, ErrorCode::RemoteUserTerminatedConnection);
}

#[tokio::test(start_paused = true)]
async fn each_accepted_link_goes_to_one_reader_also_when_it_came_before() {
    let (adapters, _) = adapters([(); 3].map(|()| ControllerOptions::default())).await;
    let [peripheral, first, second] = <[Adapter; 3]>::try_from(adapters).expect("three");
    let address = peripheral.controller().random_address;
    let mut peers = Vec::new();
    for central in [&first, &second] {
        let advertisement = peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises");
        peers.push(central.connect(address).await.expect("a link"));
        advertisement.ended().await.expect("ended");
    }
    let (mut one, mut other) = (peripheral.accepted(), peripheral.accepted());
    let taken = [one.next().await.expect("waits"), other.next().await.expect("waits")];
    let centrals = [&first, &second].map(|adapter| adapter.controller().random_address);
    assert_eq!(taken.each_ref().map(Peer::address), centrals);
    drop_after(secs(1), one.next()).await;
    peripheral.close().await;
    assert!(one.next().await.is_none() && other.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn data_that_do_not_fit_are_refused_with_how_much_is_too_long() {
    let (_, peripheral) = two().await;
    let long = AdvertisingDataBuilder::with_limit(60).name(&"x".repeat(38)).build().expect("fits there");
    let error =
        peripheral.advertise(AdvertiseOptions::new().data(long.clone())).await.expect_err("40 octets");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "advertising refused here: the advertising data of 40 octets is 9 more than the 31 that fit; shorten it or use \
         extended advertising"
    );
    assert!(matches!(error, Error::Advertising { source, .. } if source.over() == 9));
    // And so for what is on the air, which goes on.
    let advertisement = peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises");
    let error = advertisement.set_data(long, AdvertisingDataBuf::default()).await.expect_err("40 octets");
    assert!(matches!(error, Error::Advertising { source: InvalidAdvertising::TooLong { .. }, .. }));
    assert!(advertisement.is_advertising());
}

#[tokio::test(start_paused = true)]
async fn adafruit_ble_connection_connection_interval_get_and_set_as_a_peripheral() {
    let (central, peripheral) = two().await;
    let (peer, accepted) = link(&central, &peripheral).await;
    assert_eq!(accepted.timing(), peer.timing());
    let slow = ConnectionParameters { interval_min: ms(100), interval_max: ms(100), ..Default::default() };
    assert_eq!(accepted.update_parameters(slow).await.expect("granted").interval, ms(100));
    tokio::time::sleep(secs(1)).await;
    assert_eq!((peer.timing().interval, accepted.timing().interval), (ms(100), ms(100)));
}

#[tokio::test(start_paused = true)]
async fn data_are_changed_on_the_air_and_scanners_told_of() {
    let (central, peripheral) = two().await;
    let options = AdvertiseOptions::new().data(named("before")).notify_scan_requests(true);
    let mut advertisement = peripheral.advertise(options).await.expect("advertises");
    central.find_by_name("before", secs(5)).await.expect("advertises");
    assert_eq!(advertisement.next_scanner().await, Some(central.controller().random_address));
    advertisement.set_data(named("after"), AdvertisingDataBuf::default()).await.expect("fits");
    central.find_by_name("after", secs(5)).await.expect("advertises");
    assert!(central.find_by_name("before", secs(5)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_advertisement_that_nobody_waited_for_is_not_on_the_air() {
    let (_, peripheral) = two().await;
    drop_after(Duration::ZERO, peripheral.advertise(AdvertiseOptions::new())).await;
    tokio::time::sleep(secs(1)).await;
    assert!(!peripheral.is_advertising());
    // Every set is free again.
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises"));
    }
    let error = peripheral.advertise(AdvertiseOptions::new()).await.expect_err("one too many");
    assert_eq!(
        error.to_string(),
        "advertising failed: the controller advertises 4 sets at once, and no more; stop one of them"
    );
    peripheral.close().await;
    assert!(!peripheral.is_advertising());
    assert!(matches!(all[0].ended().await, Err(Error::Closed { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_advertisement_goes_on_behind_a_failure_of_the_controller() {
    let (adapters, radio) = adapters([(); 2].map(|()| ControllerOptions::default())).await;
    let [central, peripheral] = <[Adapter; 2]>::try_from(adapters).expect("two");
    let advertisement = peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises");
    let failed = |radio: &mut Radio| {
        let id = radio.controllers().nth(1).expect("two");
        radio.hardware_error(id, 0x42);
    };
    radio.with(failed).await.expect("the radio runs");
    tokio::time::sleep(secs(1)).await;
    assert!(peripheral.is_advertising());
    let peer = central.connect(peripheral.controller().random_address).await.expect("begun anew");
    assert!(matches!(advertisement.ended().await, Ok(AdvertisingEnd::Connected(_))));
    assert!(peer.is_connected());
}

/// The advertisement classes: flags, services provided and solicited, manufacturer and service data.
#[tokio::test(start_paused = true)]
async fn adafruit_advertisement_classes() {
    let (central, peripheral) = two().await;
    let data = AdvertisingDataBuilder::new()
        .flags(Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED)
        .services([uuid16(0x180F), uuid16(0x180D)])
        .solicited_services([uuid16(0x1805)])
        .manufacturer_data(0x0822, &[1, 2, 3])
        .build()
        .expect("fits");
    let response = AdvertisingDataBuilder::new()
        .service_data(uuid16(0x181A), &[4, 5])
        .tx_power(-4)
        .appearance(0x0300)
        .name("classes")
        .build()
        .expect("fits");
    let options = AdvertiseOptions::new().data(data.clone()).scan_response(response.clone());
    let _advertisement = peripheral.advertise(options).await.expect("advertises");
    let found = central.find(Filter::new().name("classes"), secs(5)).await.expect("advertises");
    let all = found.data();
    assert_eq!(all.flags(), Some(Flags(0x06)));
    assert!(all.has_service(uuid16(0x180F)) && all.has_service(uuid16(0x180D)));
    assert!(!all.has_service(uuid16(0x1805)), "wanted, not offered");
    assert!(all.matches_pattern(0, AdType(0x14), &[0x05, 0x18]));
    let company = all.manufacturer_data().next().expect("one");
    assert_eq!((company.company, company.data), (0x0822, &[1, 2, 3][..]));
    let of_service = all.service_data().next().expect("one");
    assert_eq!((of_service.service, of_service.data), (uuid16(0x181A), &[4, 5][..]));
    assert_eq!((all.tx_power(), all.appearance()), (Some(-4), Some(0x0300)));
}

#[tokio::test(start_paused = true)]
async fn peripheral_latency_is_asked_for_by_a_peripheral_and_granted() {
    let (central, peripheral) = two().await;
    let (peer, accepted) = link(&central, &peripheral).await;
    assert_eq!((peer.timing().latency, accepted.timing().latency), (0, 0));
    let lazy = ConnectionParameters { latency: 9, ..Default::default() };
    assert_eq!(accepted.update_parameters(lazy).await.expect("granted").latency, 9);
    tokio::time::sleep(secs(1)).await;
    assert_eq!((peer.timing().latency, accepted.timing().latency), (9, 9));
    // More than the supervision timeout allows is refused here.
    let absurd = ConnectionParameters { latency: 499, supervision_timeout: ms(100), ..Default::default() };
    assert_eq!(accepted.update_parameters(absurd).await.expect_err("never").kind(), ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn the_mtu_of_an_accepted_link_changes_when_the_central_exchanges_it() {
    let (central, peripheral) = two().await;
    let _advertisement = peripheral.advertise(AdvertiseOptions::new()).await.expect("advertises");
    let mut links = peripheral.accepted();
    let (peer, told) = tokio::join!(central.connect(peripheral.controller().random_address), async {
        let accepted = links.next().await.expect("a central");
        let mut changes = accepted.info_changes();
        assert_eq!(accepted.info().mtu, 23);
        changes.next().await.expect("it is up")
    });
    assert_eq!((peer.expect("a link").mtu(), told.mtu), (517, 517));
}
