//! Links to the demo devices, and how requests on them begin and end.

use super::client::Client;
use baretooth::{Adapter, Address, AdvertiseOptions, ConnectionParameters, Phy};
use baretooth_rpc::{Ended, Options, serve};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

async fn client() -> Client {
    Client::new(Adapter::builder().seed(1).open("sim").await.expect("the virtual radio is always there"))
        .await
}

fn strap() -> Value {
    json!({ "address": "C0:BA:E7:70:00:01", "address_type": "random" })
}

fn nobody() -> Value {
    json!({ "address": "C0:00:00:00:00:0F", "address_type": "random" })
}

#[tokio::test(start_paused = true)]
async fn a_link_is_told_before_its_answer_and_its_end_after_all_others() {
    let mut client = client().await;
    let connecting = client.send("connect", strap()).await;
    let connected = client.answer(connecting).await.expect("it advertises");
    let told = client.position(|line| line["method"] == "connected").await;
    let answered = client.position(|line| line["id"] == connecting).await;
    assert!(told < answered && client.lines[told]["params"] == connected);
    let expected = json!({ "connection": connected["connection"], "role": "central", "transport": "le",
        "address": "C0:BA:E7:70:00:01", "address_type": "random", "mtu": 517 });
    assert_eq!(connected, expected);

    let connection = &connected["connection"];
    let read = client.send("gatt.read", json!({ "connection": connection, "handle": 0x12 })).await;
    let disconnecting = client.send("disconnect", json!({ "connection": connection })).await;
    assert_eq!(client.answer(disconnecting).await, Ok(json!({})));
    assert_eq!(client.answer(read).await.expect_err("the link went down")["data"]["kind"], "disconnected");
    let ended = client.told("disconnected").await;
    assert_eq!(
        (&ended["reason"], &ended["reason_name"]),
        (&json!(22), &json!("Connection Terminated By Local Host"))
    );
    client.settle().await;
    let ends = |line: &Value| line["method"] == "disconnected";
    assert_eq!(client.lines.iter().filter(|line| ends(line)).count(), 1);
    assert!(client.lines.last().is_some_and(ends), "all answers come before it");

    let late = client.refused("gatt.read", json!({ "connection": connection, "handle": 0x12 })).await;
    assert_eq!((&late["kind"], &late["operation"]), (&json!("disconnected"), &json!("gatt.read")));
    assert_eq!(client.refused("disconnect", json!({ "connection": 999 })).await["kind"], "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_connected_is_not_connected_to_again() {
    let mut client = client().await;
    client.call("connect", strap()).await;
    let refused = client.refused("connect", strap()).await;
    assert_eq!((&refused["kind"], &refused["code"]), (&json!("hci"), &json!(0x0B)));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_there_is_not_waited_for_longer_than_asked() {
    let mut client = client().await;
    let mut params = nobody();
    params["timeout"] = json!(3.5);
    let begun = tokio::time::Instant::now();
    assert_eq!(client.refused("connect", params).await["kind"], "timeout");
    assert!((3.4..4.0).contains(&begun.elapsed().as_secs_f64()));
    client.call("connect", strap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_attempt_is_answered_once_and_makes_room_for_the_next() {
    let mut client = client().await;
    let connecting = client.send("connect", nobody()).await;
    client.settle().await;
    client.cancel(connecting).await;
    client.cancel(connecting).await;
    assert_eq!(client.answer(connecting).await.expect_err("nobody is there")["data"]["kind"], "cancelled");
    client.cancel(connecting).await;
    client.call("connect", strap()).await;
    client.settle().await;
    assert_eq!(client.lines.iter().filter(|line| line["id"] == connecting).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn parameters_that_no_link_has_never_run() {
    let mut client = client().await;
    for (member, value, code) in [
        ("mtu", json!(22), -32602),
        ("mtu", json!(518), -32602),
        ("timeout", json!(-1), -32602),
        ("address", json!("C0:BA:E7:70:00"), -32602),
        ("address_type", json!("static"), -32602),
        ("phys", json!(["2M"]), -32000),
        ("more", json!(1), -32602),
    ] {
        let mut params = strap();
        params[member] = value;
        let error = client.try_call("connect", params.clone()).await.expect_err("it cannot be");
        assert_eq!(error["code"], code, "{params}");
    }
    let mut params = strap();
    params["mtu"] = json!(23);
    assert_eq!(client.call("connect", params).await["mtu"], 23);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_input_answers_what_waits_and_leaves_nothing_behind() {
    let adapter = Adapter::open("sim").await.expect("the virtual radio is always there");
    let mut client = Client::new(adapter.clone()).await;
    client.call("connect", strap()).await;
    client.call("scan.start", json!({})).await;
    let waiting = client.send("connect", nobody()).await;
    let (ended, lines) = client.close().await;
    assert!(matches!(ended, Ended::Eof), "{ended:?}");
    let answer = lines.iter().find(|line| line["id"] == waiting).expect("an answer");
    assert_eq!(answer["error"]["data"]["kind"], "cancelled");
    assert!(lines.iter().any(|line| line["method"] == "disconnected"));
    assert!(adapter.connections().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_is_lost_fails_what_waits_and_has_the_last_line() {
    let adapter = Adapter::open("sim").await.expect("the virtual radio is always there");
    let mut client = Client::new(adapter.clone()).await;
    client.call("connect", strap()).await;
    let waiting = client.send("connect", nobody()).await;
    client.settle().await;
    adapter.close().await;
    let answer = client.answer(waiting).await.expect_err("there is no adapter");
    assert_eq!(answer["data"]["kind"], "adapter");
    let (ended, lines) = client.close().await;
    assert!(matches!(ended, Ended::AdapterLost(_)), "{ended:?}");
    let last = lines.last().expect("lines");
    assert!(last["method"] == "closed" && last["params"]["reason"].is_string(), "{last}");
    assert!(lines.iter().any(|line| line["method"] == "disconnected"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_does_not_keep_a_session_whose_adapter_is_lost() {
    let adapter = Adapter::open("sim").await.expect("the virtual radio is always there");
    let (ours, theirs) = tokio::io::duplex(64);
    let (_unread, output) = tokio::io::duplex(64);
    let session = tokio::spawn(serve(adapter.clone(), theirs, output, Options::new()));
    let mut input = ours;
    for id in 0..3000 {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": "info" });
        input.write_all(format!("{request}\n").as_bytes()).await.expect("the session reads");
    }
    adapter.close().await;
    let ended = tokio::time::timeout(Duration::from_secs(30), session).await.expect("it ends");
    assert!(matches!(ended.expect("no panic"), Ended::AdapterLost(_)));
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_changes_of_a_link_is_told() {
    let [central, peripheral] = super::adapters().await;
    let mut client = Client::new(central).await;
    let mut accepted = peripheral.accepted();
    let advertisement = peripheral.advertise(AdvertiseOptions::new()).await.expect("it advertises");
    let Address { bd_addr, kind } = advertisement.address();
    let address = json!({ "address": bd_addr.to_string(), "address_type": kind.to_string() });
    let connection = client.call("connect", address).await["connection"].clone();
    let peer = accepted.next().await.expect("it is connected");

    let interval = Duration::from_millis(50);
    let parameters = ConnectionParameters {
        interval_min: interval,
        interval_max: interval,
        latency: 2,
        supervision_timeout: Duration::from_secs(4),
    };
    peer.update_parameters(parameters).await.expect("the central takes it");
    let expected =
        json!({ "connection": connection, "interval": 0.05, "latency": 2, "supervision_timeout": 4.0 });
    assert_eq!(client.told("parameters").await, expected);

    peer.set_phy(Phy::Le2M, Phy::Le2M).await.expect("both have it");
    let phy = client.told("phy").await;
    assert_eq!(phy["connection"], connection);
    assert_eq!((&phy["tx"], &phy["rx"]), (&json!("2M"), &json!("2M")));
}
