//! What is no request, and requests that are.

use super::client::Client;
use baretooth::Adapter;
use serde_json::{Value, json};

async fn client() -> Client {
    Client::new(Adapter::open("sim").await.expect("the virtual radio is always there")).await
}

#[tokio::test(start_paused = true)]
async fn the_first_line_says_what_there_is() {
    let mut client = client().await;
    let info = client.call("info", Value::Null).await;
    let ready = &client.lines[0];
    assert_eq!((&ready["method"], &ready["params"]["protocol"]), (&json!("ready"), &json!(1)));
    for (member, value) in info.as_object().expect("members") {
        assert_eq!(&ready["params"][member], value);
    }
    assert!(info["acl"]["length"].is_u64() && info["features"].is_array());
}

#[tokio::test(start_paused = true)]
async fn garbage_is_answered_and_the_session_goes_on() {
    let mut client = client().await;
    for (line, id, code) in [
        (&b"{"[..], Value::Null, -32700),
        (b"\xFF\xFE", Value::Null, -32700),
        (b"[]", Value::Null, -32600),
        (b"{\"id\":\"a\"}", json!("a"), -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"nothing\"}", json!("b"), -32601),
        (b"{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"info\",\"params\":{\"x\":1}}", json!("c"), -32602),
        (b"{\"jsonrpc\":\"2.0\",\"id\":\"d\",\"method\":\"gatt.read\",\"params\":{}}", json!("d"), -32602),
    ] {
        let before = client.lines.len();
        client.raw(line).await;
        client.settle().await;
        let [answer] = &client.lines[before..] else { panic!("one answer: {:?}", &client.lines[before..]) };
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)));
    }
    let long = [&b"{\"jsonrpc\":\"2.0\",\"method\":\""[..], &vec![b'x'; 10 << 20], b"\"}"].concat();
    client.raw(&long).await;
    client.call("info", json!({})).await;
    let errors = client.lines.iter().filter(|line| line["error"]["code"] == -32600).count();
    assert_eq!(errors, 3);
}

#[tokio::test(start_paused = true)]
async fn who_asks_without_an_id_has_no_answer() {
    let mut client = client().await;
    for line in [
        &b"{\"jsonrpc\":\"2.0\",\"method\":\"info\"}"[..],
        b"{\"jsonrpc\":\"2.0\",\"method\":\"nothing\"}",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":7}}",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"cancel\"}",
        b"",
        b"  ",
    ] {
        client.raw(line).await;
    }
    client.settle().await;
    assert_eq!(client.lines.len(), 1, "{:?}", client.lines);
}

#[tokio::test(start_paused = true)]
async fn an_id_belongs_to_one_request_until_it_is_answered() {
    let mut client = client().await;
    let nobody = json!({ "address": "C0:00:00:00:00:0F", "address_type": "random", "timeout": 5 });
    let request = json!({ "jsonrpc": "2.0", "id": "same", "method": "connect", "params": nobody });
    for _ in 0..2 {
        client.raw(request.to_string().as_bytes()).await;
    }
    let refused = client.position(|line| line["id"] == "same").await;
    assert_eq!(client.lines[refused]["error"]["code"], -32600);
    let timed_out = client.position(|line| line["error"]["data"]["kind"] == "timeout").await;
    assert_eq!(client.lines[timed_out]["id"], "same");
    client.raw(b"{\"jsonrpc\":\"2.0\",\"id\":\"same\",\"method\":\"info\"}").await;
    client.position(|line| line["id"] == "same" && line.get("result").is_some()).await;
}
