//! Pairing between two sessions, by every method, and what becomes of it.

use super::adapters;
use super::client::{Client, link};
use serde_json::{Value, json};

/// Two sessions with a link between them.
async fn two() -> (Client, Client, u64, u64) {
    let [central, peripheral] = adapters().await;
    let (mut central, mut peripheral) = (Client::new(central).await, Client::new(peripheral).await);
    let (ours, theirs) = link(&mut central, &mut peripheral).await;
    (central, peripheral, ours, theirs)
}

async fn configure(client: &mut Client, params: Value) {
    assert_eq!(client.call("configure", params).await, json!({}));
}

#[tokio::test(start_paused = true)]
async fn just_works_is_let_in_unseen_and_told_on_both_sides() {
    let (mut central, mut peripheral, ours, theirs) = two().await;
    let pairing = central.call("pair", json!({ "connection": ours })).await;
    let expected = json!({ "level": 2, "encrypted": true, "authenticated": false, "secure_connections": true,
                           "key_size": 16, "bonded": true });
    assert_eq!(pairing, expected);
    let mut done = expected.clone();
    done["connection"] = json!(ours);
    assert_eq!(central.told("pairing.done").await, done);
    done["connection"] = json!(theirs);
    assert_eq!(peripheral.told("pairing.done").await, done);
    for (client, connection) in [(&mut central, ours), (&mut peripheral, theirs)] {
        client.settle().await;
        let encrypted = client.lines.iter().find(|line| line["method"] == "security").expect("it is told");
        assert_eq!(
            (&encrypted["params"]["connection"], &encrypted["params"]["level"]),
            (&json!(connection), &json!(2))
        );
        let bonds = client.call("bonds.list", json!({})).await;
        assert_eq!(bonds["bonds"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            (&bonds["bonds"][0]["level"], &bonds["bonds"][0]["keys"]),
            (&json!(2), &json!(["ltk", "irk"]))
        );
        assert!(!client.methods().contains(&"pairing.request"), "nothing was asked");
    }
}

#[tokio::test(start_paused = true)]
async fn with_ask_the_client_is_asked_for_just_works_too() {
    for accept in [true, false] {
        let (mut central, mut peripheral, ours, theirs) = two().await;
        configure(&mut peripheral, json!({ "ask": true })).await;
        let id = central.send("pair", json!({ "connection": ours })).await;
        let asked = peripheral.told("pairing.request").await;
        assert_eq!((&asked["connection"], &asked["method"]), (&json!(theirs), &json!("just_works")));
        peripheral.call("pairing.reply", json!({ "request": asked["request"], "accept": accept })).await;
        let answer = central.answer(id).await;
        if accept {
            assert_eq!(answer.expect("accepted")["level"], 2);
            continue;
        }
        let error = answer.expect_err("refused");
        assert_eq!((&error["data"]["kind"], &error["data"]["operation"]), (&json!("smp"), &json!("pair")));
        let (told, by) = (central.told("pairing.failed").await, peripheral.told("pairing.failed").await);
        assert_eq!((&told["by"], &told["code"]), (&json!("peer"), &error["data"]["code"]));
        assert_eq!((&by["by"], &by["code"], &by["name"]), (&json!("us"), &told["code"], &told["name"]));
        let again =
            peripheral.refused("pairing.reply", json!({ "request": asked["request"], "accept": true })).await;
        assert_eq!(again["kind"], "not_found");
    }
}

#[tokio::test(start_paused = true)]
async fn with_ask_the_client_that_pairs_is_asked_as_well() {
    for accept in [true, false] {
        let (mut central, mut peripheral, ours, theirs) = two().await;
        let id = central.send("pair", json!({ "connection": ours, "ask": true })).await;
        let asked = central.told("pairing.request").await;
        assert_eq!((&asked["connection"], &asked["method"]), (&json!(ours), &json!("just_works")));
        central.call("pairing.reply", json!({ "request": asked["request"], "accept": accept })).await;
        if accept {
            assert_eq!(central.answer(id).await.expect("accepted")["level"], 2);
        } else {
            assert_eq!(central.answer(id).await.expect_err("refused")["data"]["kind"], "smp");
            assert_eq!(central.told("pairing.failed").await["by"], "us");
            let failed = peripheral.told("pairing.failed").await;
            assert_eq!((&failed["by"], &failed["connection"]), (&json!("peer"), &json!(theirs)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_are_compared_and_typed_and_both_sides_begin() {
    let mitm = |io: &str| json!({ "io": io, "mitm": true });
    for secure_connections in [json!("only"), json!(false)] {
        for central_begins in [true, false] {
            let (mut central, mut peripheral, ours, theirs) = two().await;
            let mut params = [mitm("keyboard-display"), mitm("display-only")];
            params.iter_mut().for_each(|params| params["secure_connections"] = secure_connections.clone());
            let [ours_io, theirs_io] = params;
            configure(&mut central, ours_io).await;
            configure(&mut peripheral, theirs_io).await;
            let id = match central_begins {
                true => central.send("pair", json!({ "connection": ours })).await,
                false => peripheral.send("pair", json!({ "connection": theirs })).await,
            };
            if !central_begins {
                // It asks, and it is for the central to begin.
                assert_eq!(central.told("security.request").await["mitm"], true);
                central.send("pair", json!({ "connection": ours })).await;
            }
            let shown = peripheral.told("pairing.request").await;
            assert_eq!((&shown["method"], &shown["request"]), (&json!("passkey_display"), &Value::Null));
            let asked = central.told("pairing.request").await;
            assert_eq!(asked["method"], "passkey_entry");
            let request = &asked["request"];
            let missing = json!({ "request": request, "accept": true });
            assert_eq!(
                central.try_call("pairing.reply", missing).await.expect_err("no digits")["code"],
                -32602
            );
            let reply = json!({ "request": request, "accept": true, "passkey": shown["passkey"] });
            central.call("pairing.reply", reply).await;
            let who = if central_begins { &mut central } else { &mut peripheral };
            let paired = who.answer(id).await.expect("paired");
            assert_eq!(paired["authenticated"], true);
            assert_eq!(paired["level"], if secure_connections == json!("only") { 4 } else { 3 });
            central.told("pairing.done").await;
            peripheral.told("pairing.done").await;
        }
    }
    let (mut central, mut peripheral, ours, _) = two().await;
    configure(&mut peripheral, mitm("display-yes-no")).await;
    let mut params = mitm("display-yes-no");
    params["connection"] = json!(ours);
    let id = central.send("pair", params).await;
    let (one, other) = (central.told("pairing.request").await, peripheral.told("pairing.request").await);
    assert_eq!((&one["method"], &one["passkey"]), (&json!("numeric_comparison"), &other["passkey"]));
    assert_eq!(one["passkey"].as_str().map(str::len), Some(6));
    central.call("pairing.reply", json!({ "request": one["request"], "accept": true })).await;
    peripheral.call("pairing.reply", json!({ "request": other["request"], "accept": true })).await;
    assert_eq!(central.answer(id).await.expect("paired")["level"], 4);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_pairing_is_answered_once_and_the_peer_is_told() {
    let (mut central, mut peripheral, ours, _) = two().await;
    configure(&mut peripheral, json!({ "ask": true })).await;
    let id = central.send("pair", json!({ "connection": ours })).await;
    let asked = peripheral.told("pairing.request").await;
    central.cancel(id).await;
    assert_eq!(central.answer(id).await.expect_err("cancelled")["data"]["kind"], "cancelled");
    assert_eq!(peripheral.told("pairing.failed").await["by"], "peer");
    let late =
        peripheral.refused("pairing.reply", json!({ "request": asked["request"], "accept": true })).await;
    assert_eq!(late["kind"], "not_found");
    central.settle().await;
    assert_eq!(central.lines.iter().filter(|line| line["id"] == id).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bond_encrypts_the_next_link_until_it_is_deleted() {
    let (mut central, mut peripheral, ours, theirs) = two().await;
    assert_eq!(central.refused("encrypt", json!({ "connection": ours })).await["kind"], "not_found");
    central.call("pair", json!({ "connection": ours })).await;
    central.call("disconnect", json!({ "connection": ours })).await;
    assert_eq!(peripheral.told("disconnected").await["connection"], theirs);
    assert_eq!(central.told("disconnected").await["connection"], ours);
    let (again, _) = link(&mut central, &mut peripheral).await;
    assert!(again != ours, "no number twice");
    let encrypted = central.position(|line| {
        line["method"] == "security" && line["params"]["connection"] == again && line["params"]["level"] == 2
    });
    assert!(
        encrypted.await > central.position(|line| line["params"]["connection"] == again).await,
        "told by itself"
    );
    assert_eq!(central.call("encrypt", json!({ "connection": again })).await["level"], 2);
    for wrong in [
        json!({}),
        json!({ "all": true, "address": "C0:00:00:00:00:01" }),
        json!({ "address": "C0:00:00:00:00:01" }),
    ] {
        assert_eq!(central.try_call("bonds.delete", wrong).await.expect_err("which?")["code"], -32602);
    }
    let bond = central.call("bonds.list", json!({})).await["bonds"][0].clone();
    let delete = json!({ "address": bond["address"], "address_type": bond["address_type"] });
    central.call("bonds.delete", delete.clone()).await;
    assert_eq!(central.told("disconnected").await["connection"], again, "the link ends with its bond");
    assert_eq!(central.refused("bonds.delete", delete).await["kind"], "not_found");
    peripheral.call("bonds.delete", json!({ "all": true })).await;
    assert_eq!(peripheral.call("bonds.list", json!({})).await, json!({ "bonds": [] }));
    peripheral.call("bonds.delete", json!({ "all": true })).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_about_a_security_request_or_a_refusal_until_the_client_says_so() {
    let (mut central, mut peripheral, ours, theirs) = two().await;
    let secret = "00002a3d-0000-1000-8000-00805f9b34fb";
    let served = peripheral
        .call(
            "server.set",
            json!({ "services": [{ "uuid": "00001815-0000-1000-8000-00805f9b34fb", "characteristics": [
                { "uuid": secret, "properties": ["read"], "permissions": { "read": "encrypted" }, "value": "05" },
            ] }] }),
        )
        .await;
    let read =
        json!({ "connection": ours, "handle": served["services"][0]["characteristics"][0]["value_handle"] });
    let refused = central.refused("gatt.read", read.clone()).await;
    assert_eq!((&refused["kind"], &refused["code"]), (&json!("att"), &json!(5)));
    let id = peripheral.send("pair", json!({ "connection": theirs, "bond": true, "mitm": false })).await;
    let asked = central.told("security.request").await;
    let expected = json!({ "connection": ours, "bond": true, "mitm": false, "secure_connections": true });
    assert_eq!(asked, expected);
    central.settle().await;
    let methods = central.methods();
    assert!(!methods.contains(&"pairing.done") && !methods.contains(&"security"), "{methods:?}");
    central.call("pair", json!({ "connection": ours })).await;
    assert_eq!(peripheral.answer(id).await.expect("paired")["level"], 2);
    assert_eq!(central.call("gatt.read", read).await["value"], "05");
}

#[tokio::test(start_paused = true)]
async fn what_is_configured_holds_for_what_starts_later() {
    let [central, peripheral] = adapters().await;
    let (mut central, mut peripheral) = (Client::new(central).await, Client::new(peripheral).await);
    let (first, _) = link(&mut central, &mut peripheral).await;
    assert_eq!(central.lines.iter().find_map(|line| line["params"]["mtu"].as_u64()), Some(517));
    configure(&mut central, json!({ "mtu": 64, "name": "judge", "identity": "public", "bond": false })).await;
    for wrong in [json!({ "mtu": 22 }), json!({ "min_key_size": 6 }), json!({ "colour": 1 })] {
        assert_eq!(central.try_call("configure", wrong).await.expect_err("impossible")["code"], -32602);
    }
    assert_eq!(central.call("pair", json!({ "connection": first })).await["bonded"], false);
    central.call("disconnect", json!({ "connection": first })).await;
    peripheral.told("disconnected").await;
    let (second, theirs) = link(&mut central, &mut peripheral).await;
    let of_second = |line: &&Value| line["method"] == "connected" && line["params"]["connection"] == second;
    let connected = central.lines.iter().find(of_second).expect("it is told");
    assert_eq!(connected["params"]["mtu"], 64);
    let read = json!({ "connection": theirs, "handle": 3 });
    let name = peripheral.call("gatt.read", read).await;
    assert_eq!(name["value"], "6a75646765", "our name");
    configure(&mut central, json!({ "bond": true })).await;
    central.call("pair", json!({ "connection": second })).await;
    let bonds = peripheral.call("bonds.list", json!({})).await;
    let (address, kind) = (&bonds["bonds"][0]["address"], &bonds["bonds"][0]["address_type"]);
    assert_eq!((address, kind), (&json!("00:00:5A:00:00:01"), &json!("public")));
}
