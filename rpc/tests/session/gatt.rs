//! The tables and values of the demo devices.

use super::client::Client;
use baretooth::Adapter;
use serde_json::{Value, json};

async fn connected(address: &str) -> (Client, Value) {
    let adapter = Adapter::builder().seed(1).open("sim").await.expect("the virtual radio is always there");
    let mut client = Client::new(adapter).await;
    let connected = client.call("connect", json!({ "address": address, "address_type": "random" })).await;
    (client, connected["connection"].clone())
}

const STRAP: &str = "C0:BA:E7:70:00:01";
const THERMOMETER: &str = "C0:BA:E7:70:00:02";

/// The handle of the value of a characteristic.
fn handle(discovered: &Value, uuid: &str) -> u64 {
    let services = discovered["services"].as_array().expect("a list");
    let mut characteristics =
        services.iter().flat_map(|service| service["characteristics"].as_array().expect("a list"));
    let found = characteristics.find(|found| found["uuid"].as_str().is_some_and(|is| is.starts_with(uuid)));
    found.expect("it is there")["value_handle"].as_u64().expect("a handle")
}

fn of<'a>(client: &'a Client, method: &str) -> Vec<&'a Value> {
    client.lines.iter().filter(|line| line["method"] == method).map(|line| &line["params"]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_table_is_discovered_in_whole_and_in_part() {
    let (mut client, connection) = connected(STRAP).await;
    let all = client.call("gatt.discover", json!({ "connection": connection })).await;
    assert_eq!((&all["mtu"], all["services"].as_array().map(Vec::len)), (&json!(517), Some(5)));
    let battery = "0000180f-0000-1000-8000-00805f9b34fb";
    let wanted = json!({ "connection": connection, "services": [battery] });
    let some = client.call("gatt.discover", wanted).await;
    let services = some["services"].as_array().expect("a list");
    assert_eq!(
        (services.len(), &services[0]["uuid"], &services[0]["name"]),
        (1, &json!(battery), &json!("Battery"))
    );
    assert!(all["services"].as_array().is_some_and(|all| all.contains(&services[0])));
}

#[tokio::test(start_paused = true)]
async fn values_are_read_and_written_whole() {
    let (mut client, connection) = connected(THERMOMETER).await;
    let table = client.call("gatt.discover", json!({ "connection": connection })).await;
    let log = handle(&table, "ba8e7007-0001-4000-8000-000000000001");
    let read = json!({ "connection": connection, "handle": log });
    assert_eq!(client.call("gatt.read", read.clone()).await["value"].as_str().map(str::len), Some(1024));
    let calibration = handle(&table, "ba8e7007-0001-4000-8000-000000000002");
    let error = client.refused("gatt.read", json!({ "connection": connection, "handle": 0xFFFF })).await;
    assert_eq!(
        (&error["kind"], &error["handle"], &error["code"]),
        (&json!("att"), &json!(0xFFFF), &json!(1))
    );
    let value = "c3".repeat(512);
    let write = json!({ "connection": connection, "handle": log, "value": value });
    assert_eq!(client.call("gatt.write", write).await, json!({}));
    assert_eq!(client.call("gatt.read", read).await["value"], value);
    let write = json!({ "connection": connection, "handle": calibration, "value": "01" });
    let error = client.refused("gatt.write", write).await;
    assert_eq!(
        (&error["kind"], &error["handle"], &error["code"]),
        (&json!("att"), &json!(calibration), &json!(0x80))
    );
    let long = "ab".repeat(513);
    let write = json!({ "connection": connection, "handle": calibration, "value": long });
    assert_eq!(client.try_call("gatt.write", write).await.expect_err("too long")["code"], -32602);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_subscription_follows_the_answer_to_its_end() {
    let (mut client, connection) = connected(STRAP).await;
    let table = client.call("gatt.discover", json!({ "connection": connection })).await;
    let rate = handle(&table, "00002a37");
    let what = json!({ "connection": connection, "handle": rate });
    assert_eq!(client.call("gatt.subscribe", what.clone()).await, json!({ "indication": false }));
    assert_eq!(client.refused("gatt.subscribe", what.clone()).await["kind"], "busy");
    let first = client.told("gatt.notification").await;
    let expected = json!({ "connection": connection, "handle": rate, "value": "083c0000", "indication": false,
        "missed": 0 });
    assert_eq!(first, expected);
    client.told("gatt.notification").await;
    let ending = client.send("gatt.unsubscribe", what.clone()).await;
    assert_eq!(client.answer(ending).await, Ok(json!({})));
    client.settle().await;
    let ended = client.position(|line| line["id"] == ending).await;
    assert!(!client.lines[ended..].iter().any(|line| line["method"] == "gatt.notification"));
    assert_eq!(client.refused("gatt.unsubscribe", what.clone()).await["kind"], "not_found");
    assert_eq!(client.call("gatt.subscribe", what).await["indication"], false, "it can begin again");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_needs_no_discovery_and_a_value_that_can_be_subscribed_to() {
    let (mut client, connection) = connected(THERMOMETER).await;
    let none = client.refused("gatt.subscribe", json!({ "connection": connection, "handle": 0x7000 })).await;
    assert_eq!((&none["kind"], &none["handle"]), (&json!("not_found"), &json!(0x7000)));
    let table = client.call("gatt.discover", json!({ "connection": connection })).await;
    let log = handle(&table, "ba8e7007-0001-4000-8000-000000000001");
    let without = client.refused("gatt.subscribe", json!({ "connection": connection, "handle": log })).await;
    assert_eq!(without["kind"], "not_found", "it has no descriptor for that");

    let (mut client, connection) = connected(THERMOMETER).await;
    let temperature = handle(&table, "00002a1c");
    let what = json!({ "connection": connection, "handle": temperature });
    assert_eq!(client.call("gatt.subscribe", what).await, json!({ "indication": true }));
    assert_eq!(client.told("gatt.notification").await["indication"], true);
}

#[tokio::test(start_paused = true)]
async fn values_come_until_a_link_is_down_and_none_after() {
    let (mut client, connection) = connected(STRAP).await;
    let table = client.call("gatt.discover", json!({ "connection": connection })).await;
    let rate = handle(&table, "00002a37");
    client.call("gatt.subscribe", json!({ "connection": connection, "handle": rate })).await;
    client.told("gatt.notification").await;
    client.call("disconnect", json!({ "connection": connection })).await;
    client.told("disconnected").await;
    client.settle().await;
    assert_eq!(client.lines.last().expect("lines")["method"], "disconnected");
    assert!(!of(&client, "gatt.notification").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_table_that_changes_is_told_and_discovered_anew() {
    let [ours, theirs] = super::adapters().await;
    let (mut client, mut peer) = (Client::new(ours).await, Client::new(theirs).await);
    let served = |uuid: &str| {
        let level = json!({ "uuid": "00002a19-0000-1000-8000-00805f9b34fb", "properties": ["read", "notify"],
            "value": "64" });
        json!({ "services": [{ "uuid": uuid, "characteristics": [level] }] })
    };
    let (before, after) = ("0000180f-0000-1000-8000-00805f9b34fb", "0000180a-0000-1000-8000-00805f9b34fb");
    peer.call("server.set", served(before)).await;
    let (connection, _) = super::client::link(&mut client, &mut peer).await;
    let discover = json!({ "connection": connection });
    let table = client.call("gatt.discover", discover.clone()).await;
    assert!(
        table["services"].as_array().is_some_and(|all| all.iter().any(|service| service["uuid"] == before))
    );
    peer.call("server.set", served(after)).await;
    let changed = client.told("gatt.changed").await;
    let level = handle(&table, "00002a19");
    assert_eq!(changed["connection"], connection);
    let range = changed["handle"].as_u64().expect("first")..=changed["end_handle"].as_u64().expect("last");
    assert!(range.contains(&level), "{changed}");
    let table = client.call("gatt.discover", discover).await;
    assert!(
        table["services"].as_array().is_some_and(|all| all.iter().any(|service| service["uuid"] == after))
    );
    let what = json!({ "connection": connection, "handle": handle(&table, "00002a19") });
    client.call("gatt.subscribe", what).await;
}
