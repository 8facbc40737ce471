//! Our own table, and a client of it that asks.

use super::adapters;
use super::client::Client;
use baretooth::{Adapter, Peer, SubscribeOptions, uuid16};
use serde_json::{Value, json};
use std::time::Duration;

const KEPT: &str = "00002a19-0000-1000-8000-00805f9b34fb";
const ASKED: &str = "00002a3d-0000-1000-8000-00805f9b34fb";

/// A session that serves, and a link to it.
async fn served() -> (Client, Value, Adapter, Peer) {
    let [ours, central] = adapters().await;
    let mut client = Client::new(ours).await;
    let table = json!({ "services": [{ "uuid": "0000180f-0000-1000-8000-00805f9b34fb", "characteristics": [
        { "uuid": KEPT, "properties": ["read", "write", "notify", "indicate"], "value": "5a" },
        { "uuid": ASKED, "properties": ["read", "write", "write-without-response"], "ask": true },
    ] }] });
    let served = client.call("server.set", table).await;
    let advertising = client.call("advertise.start", json!({})).await;
    let address = advertising["address"].as_str().expect("text");
    let peer =
        central.connect(format!("{address}/random").parse().expect("an address")).await.expect("a link");
    assert_eq!(client.told("connected").await["connection"], 1);
    (client, served, central, peer)
}

fn handle(served: &Value, n: usize) -> u64 {
    served["services"][0]["characteristics"][n]["value_handle"].as_u64().expect("a handle")
}

#[tokio::test(start_paused = true)]
async fn values_are_kept_changed_and_sent() {
    let (mut client, served, _central, peer) = served().await;
    let at = handle(&served, 0);
    let level = peer.discover().await.expect("a table").find(uuid16(0x2A19)).expect("served").clone();
    assert_eq!(u64::from(level.value_handle), at);
    assert_eq!(peer.read(&level).await.expect("kept")[..], [0x5A]);
    client.call("server.value", json!({ "handle": at, "value": "59" })).await;
    assert_eq!(peer.read(&level).await.expect("kept")[..], [0x59]);
    peer.write(&level, vec![1, 2]).await.expect("kept");
    let written = client.told("server.write").await;
    let expected =
        json!({ "connection": 1, "handle": at, "offset": 0, "value": "0102", "request": null, "missed": 0 });
    assert_eq!(written, expected);

    let notify = json!({ "connection": 1, "handle": at, "value": "03" });
    assert_eq!(client.refused("server.notify", notify.clone()).await["kind"], "not_found", "nobody listens");
    let mut values = peer.subscribe(&level).await.expect("it can");
    let subscribed = client.told("server.subscribed").await;
    assert_eq!((&subscribed["notifications"], &subscribed["indications"]), (&json!(true), &json!(false)));
    client.call("server.notify", notify).await;
    let value = values.next().await.expect("sent");
    assert_eq!((&value.value[..], value.indication), (&[3][..], false));
    drop(values);
    client.told("server.subscribed").await;
    let options = SubscribeOptions::new().indicate(true);
    let mut values = peer.subscribe_with(&level, options).await.expect("it can");
    client.told("server.subscribed").await;
    client
        .call("server.notify", json!({ "connection": 1, "handle": at, "value": "04", "indication": true }))
        .await;
    assert_eq!(values.next().await.expect("confirmed, so it is here").value[..], [4]);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_asked_for_is_answered_refused_or_late() {
    let (mut client, served, _central, peer) = served().await;
    let at = handle(&served, 1);
    let attribute = u16::try_from(at).expect("a handle");
    let read = async |client: &mut Client, reply: Value| {
        let peer = peer.clone();
        let reading = tokio::spawn(async move { peer.read(attribute).await });
        let asked = client.told("server.read").await;
        assert_eq!((&asked["handle"], &asked["connection"]), (&json!(at), &json!(1)));
        let mut reply = reply;
        reply["request"] = asked["request"].clone();
        client.call("server.reply", reply).await;
        reading.await.expect("no panic")
    };
    assert_eq!(read(&mut client, json!({ "value": "0a0b" })).await.expect("answered")[..], [0x0A, 0x0B]);
    let refused = read(&mut client, json!({ "error": 0x80 })).await.expect_err("refused");
    assert_eq!(refused.code(), Some(0x80));

    let writing = tokio::spawn({
        let peer = peer.clone();
        async move { peer.write(attribute, vec![7; 40]).await }
    });
    let asked = client.told("server.write").await;
    assert_eq!((&asked["value"], &asked["offset"]), (&json!("07".repeat(40)), &json!(0)));
    let reply = json!({ "request": asked["request"], "value": "00" });
    let wrong = client.try_call("server.reply", reply).await.expect_err("a write has no value to give");
    assert_eq!(wrong["code"], -32602);
    client.call("server.reply", json!({ "request": asked["request"] })).await;
    writing.await.expect("no panic").expect("taken");
    let again = client.refused("server.reply", json!({ "request": asked["request"] })).await;
    assert_eq!(again["kind"], "not_found", "once is enough");

    let late = peer.read(attribute).await.expect_err("nobody answers");
    assert_eq!(late.code(), Some(0x0E), "Unlikely Error");
    let asked = client.told("server.read").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let reply = json!({ "request": asked["request"], "value": "00" });
    assert_eq!(client.refused("server.reply", reply).await["kind"], "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_is_refused() {
    let [ours] = adapters().await;
    let mut client = Client::new(ours).await;
    for services in [
        json!([{ "uuid": "00001800-0000-1000-8000-00805f9b34fb" }]),
        json!([{ "uuid": KEPT, "handle": 1 }]),
        json!([{ "uuid": KEPT, "characteristics": [{ "uuid": KEPT, "value": "00".repeat(513) }] }]),
        json!([{ "uuid": KEPT, "characteristics": [{ "uuid": KEPT, "properties": ["fly"] }] }]),
    ] {
        let error =
            client.try_call("server.set", json!({ "services": services })).await.expect_err("impossible");
        assert_eq!(error["code"], -32602, "{error}");
    }
    let nothing = client.refused("server.value", json!({ "handle": 3, "value": "" })).await;
    assert_eq!(nothing["kind"], "not_found");
}
