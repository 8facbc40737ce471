//! Being found, and whose advertisement a central has taken.

use super::adapters;
use super::client::Client;
use baretooth::Filter;
use baretooth_rpc::Ended;
use serde_json::json;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn what_is_advertised_is_heard_until_it_is_stopped() {
    let [ours, central] = adapters().await;
    let mut client = Client::new(ours).await;
    let data = json!({ "data": "020106 0509 6c616d70".replace(' ', ""), "connectable": false });
    let advertising = client.call("advertise.start", data).await;
    assert_eq!((&advertising["advertiser"], &advertising["address_type"]), (&json!(1), &json!("random")));
    let lamp = central.find_by_name("lamp", Duration::from_secs(5)).await.expect("it is heard");
    assert_eq!(lamp.address.expect("it has one").bd_addr.to_string(), advertising["address"]);
    client.call("advertise.stop", json!({ "advertiser": 1 })).await;
    let heard = central.find(Filter::new().name("lamp"), Duration::from_secs(5)).await;
    assert!(heard.is_err(), "it is stopped");
    client.call("advertise.stop", json!({ "advertiser": 1 })).await;
    let refused = client.refused("advertise.stop", json!({ "advertiser": 2 })).await;
    assert_eq!((&refused["kind"], &refused["operation"]), (&json!("not_found"), &json!("advertise.stop")));
}

#[tokio::test(start_paused = true)]
async fn data_that_do_not_fit_never_run() {
    let [ours] = adapters().await;
    let mut client = Client::new(ours).await;
    let long = json!({ "data": "00".repeat(32) });
    let error = client.try_call("advertise.start", long).await.expect_err("32 octets");
    assert_eq!(error["code"], -32602, "{error}");
    let public = client.call("advertise.start", json!({ "own_address_type": "public" })).await;
    assert_eq!(
        (&public["address"], &public["address_type"]),
        (&json!("00:00:5A:00:00:01"), &json!("public"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_link_names_the_one_of_several_advertisements_that_a_central_has_taken() {
    let [ours, central] = adapters().await;
    let mut client = Client::new(ours).await;
    let addresses = ["random", "public", "resolvable_or_random"];
    for (n, own) in (1..).zip(addresses) {
        let started = client.call("advertise.start", json!({ "own_address_type": own })).await;
        assert_eq!(started["advertiser"], n);
    }
    let public = "00:00:5A:00:00:01/public".parse().expect("an address");
    let peer = central.connect(public).await.expect("it advertises");
    let connected = client.told("connected").await;
    assert_eq!((&connected["advertiser"], &connected["role"]), (&json!(2), &json!("peripheral")));
    assert!(peer.is_connected());
    // The others go on.
    client.call("advertise.stop", json!({ "advertiser": 1 })).await;
    client.call("advertise.stop", json!({ "advertiser": 2 })).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_input_ends_advertising_and_links() {
    let [ours, central] = adapters().await;
    let mut client = Client::new(ours.clone()).await;
    let advertising = client.call("advertise.start", json!({})).await;
    let address = advertising["address"].as_str().expect("text");
    let peer =
        central.connect(format!("{address}/random").parse().expect("an address")).await.expect("a link");
    let connected = client.told("connected").await;
    assert_eq!(connected["advertiser"], 1);
    client.call("advertise.start", json!({})).await;
    let begun = tokio::time::Instant::now();
    let (ended, lines) = client.close().await;
    assert!(matches!(ended, Ended::Eof), "{ended:?}");
    assert_eq!(lines.last().expect("lines")["method"], "disconnected");
    assert!(begun.elapsed() < Duration::from_millis(500), "nothing was waited for: {:?}", begun.elapsed());
    peer.disconnected().await;
    assert!(!ours.is_advertising() && ours.connections().is_empty());
}
