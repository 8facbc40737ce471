//! What crosses what: the order of lines that the protocol promises, with a peer or a client made to race.

use super::adapters;
use super::client::{Client, link};
use super::line::{Room, is_acl, ms, secs};
use baretooth::capture::Direction;
use baretooth_rpc::Options;
use serde_json::{Value, json};

const MEASUREMENT: &str = "00002a1c-0000-1000-8000-00805f9b34fb";
const LEVEL: &str = "00002a19-0000-1000-8000-00805f9b34fb";

/// A device of the room by its name, as `connect` names it.
pub async fn named(client: &mut Client, name: &str) -> Value {
    client.call("scan.start", json!({})).await;
    let at = client.position(|line| line["params"]["name"] == name).await;
    let report = client.lines[at]["params"].clone();
    client.call("scan.stop", json!({ "scan": report["scan"] })).await;
    json!({ "address": report["address"], "address_type": report["address_type"] })
}

/// Connects to a device and finds a value of it: the connection, and the handle.
pub async fn value_of(client: &mut Client, device: &str, uuid: &str) -> (u64, u64) {
    let address = named(client, device).await;
    let connected = client.call("connect", address).await;
    let table = client.call("gatt.discover", json!({ "connection": connected["connection"] })).await;
    let services = table["services"].as_array().expect("services").iter();
    let mut characteristics =
        services.flat_map(|service| service["characteristics"].as_array().expect("a list"));
    let value = characteristics.find(|characteristic| characteristic["uuid"] == uuid).expect(uuid);
    let number = |value: &Value| value.as_u64().expect("a number");
    (number(&connected["connection"]), number(&value["value_handle"]))
}

/// Each of these requests is answered, once, before the line at `end`.
pub fn answered_once(client: &Client, ids: impl IntoIterator<Item = u64>, end: usize) -> Vec<Value> {
    let mut answers = std::collections::BTreeMap::<u64, Vec<(usize, &Value)>>::new();
    for (at, line) in client.lines.iter().enumerate() {
        if let Some(id) = line["id"].as_u64() {
            answers.entry(id).or_default().push((at, line));
        }
    }
    let answer = |id| match answers.get(&id).map(Vec::as_slice) {
        Some([(at, line)]) if *at < end => (*line).clone(),
        other => panic!("{id} has {other:?}, and the end is line {end}"),
    };
    ids.into_iter().map(answer).collect()
}

#[tokio::test(start_paused = true)]
async fn a_link_is_told_to_be_down_once_and_behind_the_failures_of_what_waits_on_it() {
    for by_us in [true, false] {
        let [central, peripheral] = adapters().await;
        let (mut central, mut peripheral) = (Client::new(central).await, Client::new(peripheral).await);
        let services = json!({ "services": [{ "uuid": "0000180f-0000-1000-8000-00805f9b34fb", "characteristics": [
            { "uuid": LEVEL, "properties": ["read"], "ask": true },
        ] }] });
        let served = peripheral.call("server.set", services).await;
        let handle = &served["services"][0]["characteristics"][0]["value_handle"];
        let (ours, theirs) = link(&mut central, &mut peripheral).await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(central.send("gatt.read", json!({ "connection": ours, "handle": handle })).await);
        }
        peripheral.told("server.read").await;
        let disconnect = match by_us {
            true => Some(central.send("disconnect", json!({ "connection": ours })).await),
            false => {
                peripheral.call("disconnect", json!({ "connection": theirs, "reason": 0x15 })).await;
                None
            }
        };
        let reason = if by_us { 0x16 } else { 0x15 };
        assert_eq!(central.told("disconnected").await["reason"], reason);
        let end = central.position(|line| line["method"] == "disconnected").await;
        for answer in answered_once(&central, ids, end) {
            let error = &answer["error"]["data"];
            assert_eq!(
                (&error["kind"], &error["code"]),
                (&json!("disconnected"), &json!(reason)),
                "{answer}"
            );
        }
        if let Some(id) = disconnect {
            assert_eq!(central.answer(id).await, Ok(json!({})));
        }
        let late = central.refused("gatt.read", json!({ "connection": ours, "handle": handle })).await;
        assert_eq!(late["kind"], "disconnected");
        central.settle().await;
        assert_eq!(central.methods().iter().filter(|method| **method == "disconnected").count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_crosses_its_answer_leads_to_one_answer() {
    let room = Room::demo().await;
    let mut client = Client::new(room.adapter.clone()).await;
    let (connection, handle) = value_of(&mut client, "HR strap", LEVEL).await;
    let read = json!({ "connection": connection, "handle": handle });
    let (mut ids, mut outcomes) = (Vec::new(), Vec::new());
    for delay in 0..60 {
        // What the peer was asked it will answer; what waits behind that can be given up.
        let before = client.send("gatt.read", read.clone()).await;
        let id = client.send("gatt.read", read.clone()).await;
        tokio::time::sleep(ms(4 * delay)).await;
        client.cancel(id).await;
        assert_eq!(client.answer(before).await, Ok(json!({ "value": "57" })));
        outcomes.push(match client.answer(id).await {
            Ok(result) => {
                assert_eq!(result, json!({ "value": "57" }));
                true
            }
            Err(error) => {
                assert_eq!(error["data"]["kind"], "cancelled", "{error}");
                false
            }
        });
        ids.push(id);
        assert_eq!(
            client.call("gatt.read", read.clone()).await["value"],
            "57",
            "the next has its own answer"
        );
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "both were met: {outcomes:?}");
    client.settle().await;
    answered_once(&client, ids, client.lines.len());
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_is_given_up_has_left_the_controller_idle() {
    let room = Room::demo().await;
    let mut client = Client::new(room.adapter.clone()).await;
    let strap = named(&mut client, "HR strap").await;
    let nobody = json!({ "address": "C0:00:00:00:00:99", "address_type": "random", "timeout": 5 });
    let begun = tokio::time::Instant::now();
    assert_eq!(client.refused("connect", nobody.clone()).await["kind"], "timeout");
    assert!((secs(5)..secs(6)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let id = client.send("connect", nobody).await;
    tokio::time::sleep(ms(500)).await;
    client.cancel(id).await;
    assert_eq!(client.answer(id).await.expect_err("cancelled")["data"]["kind"], "cancelled");
    let (mut linked, mut cancelled) = (0, 0);
    for delay in 0..80 {
        let id = client.send("connect", strap.clone()).await;
        tokio::time::sleep(ms(5 * delay)).await;
        client.cancel(id).await;
        match client.answer(id).await {
            Ok(connected) => {
                linked += 1;
                let connection = json!({ "connection": connected["connection"] });
                client.call("disconnect", connection).await;
                client.told("disconnected").await;
            }
            Err(error) => {
                cancelled += 1;
                assert_eq!(error["data"]["kind"], "cancelled", "{error}");
                assert!(room.adapter.connections().is_empty(), "no link is left behind");
            }
        }
    }
    assert!(linked > 0 && cancelled > 0, "both were met: {linked} links, {cancelled} cancellations");
    client.settle().await;
    let count = |wanted| client.methods().iter().filter(|method| **method == wanted).count();
    assert_eq!((count("connected"), count("disconnected")), (linked, linked), "no other link was told");
}

#[tokio::test(start_paused = true)]
async fn an_indication_that_comes_with_the_answer_to_its_subscription_is_not_lost_and_read_before_it_is_confirmed()
 {
    let room = Room::demo().await;
    // Nothing is on the output that the client has not made room for.
    let mut client = Client::with(room.adapter.clone(), 16, Options::new()).await;
    let (connection, handle) = value_of(&mut client, "Thermometer", MEASUREMENT).await;
    room.line.hold(is_acl);
    let subscribe = json!({ "connection": connection, "handle": handle });
    let id = client.send("gatt.subscribe", subscribe.clone()).await;
    // The thermometer measures every two seconds: the Write Response and the first value wait for each other.
    tokio::time::sleep(secs(3)).await;
    room.line.release();
    tokio::time::sleep(secs(5)).await;
    let confirmed = || room.line.att(Direction::Sent).contains(&vec![0x1E]);
    assert!(!confirmed(), "the client has not read it");
    let value = client.told("gatt.notification").await;
    assert_eq!((&value["handle"], &value["indication"]), (&json!(handle), &json!(true)));
    assert_eq!((&value["value"], &value["missed"]), (&json!("006d0100ff"), &json!(0)), "the first there was");
    assert_eq!(client.answer(id).await, Ok(json!({ "indication": true })));
    tokio::time::sleep(ms(500)).await;
    assert!(confirmed(), "the client has read it");
    assert_eq!(client.told("gatt.notification").await["value"], "006e0100ff", "and the next one follows");
    client.call("gatt.unsubscribe", subscribe).await;
    let last = client.lines.len();
    client.settle().await;
    assert!(client.lines[last..].iter().all(|line| line["method"] != "gatt.notification"), "none follows");
}
