//! Much at once, and a client that does not read.

use super::client::Client;
use super::line::{Room, ms, secs, timed};
use super::races::{answered_once, value_of};
use baretooth::sim::{Application, ControllerOptions, Device, Server, Table, demo, property};
use baretooth::{Address, BdAddr, Instant, Uuid, uuid16};
use baretooth_rpc::Options;
use serde_json::{Value, json};
use std::time::Duration;

const COUNTER: Uuid = uuid16(0x2A3D);
const COUNTER_TEXT: &str = "00002a3d-0000-1000-8000-00805f9b34fb";
/// Ten values every 5 ms are 2,000 a second.
const TICK: Duration = Duration::from_millis(5);
const VALUES: u32 = 10;

/// Notifies numbers, each one more than the one before.
struct Counter(u32);

impl Application for Counter {
    fn connected(&mut self, now: Instant, _: &mut Server) -> Option<Instant> {
        Some(now + TICK)
    }

    fn timeout(&mut self, now: Instant, server: &mut Server) -> Option<Instant> {
        if let Some(handle) = server.find(COUNTER)
            && server.notifies(handle)
        {
            for _ in 0..VALUES {
                server.notify(handle, &self.0.to_be_bytes());
                self.0 += 1;
            }
        }
        Some(now + TICK)
    }
}

/// A strap, and a device that sends 2,000 values a second.
async fn room() -> Room {
    let table = Table::default()
        .service(uuid16(0x1815))
        .characteristic(COUNTER, property::READ | property::NOTIFY, [7])
        .build();
    let counter = Device::new(Address::random(BdAddr([9, 0, 0, 0, 0, 0xC0])))
        .data(b"\x02\x01\x06\x08\x09counter".as_slice())
        .server(table)
        .application(Counter(0));
    Room::with(ControllerOptions::default(), vec![counter, demo::heart_rate_strap()]).await
}

/// The numbers that were told, each of which says how many are missing before it. The next one that is due.
fn count(lines: &[Value]) -> (u64, u64) {
    let (mut next, mut missed) = (0, 0);
    for line in lines.iter().filter(|line| line["method"] == "gatt.notification") {
        let value = line["params"]["value"].as_str().expect("text");
        let number = u64::from_str_radix(value, 16).expect("a number");
        let left_out = line["params"]["missed"].as_u64().expect("a count");
        assert_eq!(number, next + left_out, "what is missing is told: {line}");
        missed += left_out;
        next = number + 1;
    }
    (next, missed)
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_requests_beside_two_thousand_values_a_second_are_each_answered_once() {
    let room = room().await;
    let mut client = Client::new(room.adapter.clone()).await;
    let (connection, handle) = value_of(&mut client, "counter", COUNTER_TEXT).await;
    let attribute = json!({ "connection": connection, "handle": handle });
    client.call("gatt.subscribe", attribute.clone()).await;
    let begun = tokio::time::Instant::now();
    let ids = client.send_all("gatt.read", &attribute, 10_000).await;
    while begun.elapsed() < secs(5) {
        client.told("gatt.notification").await;
    }
    let disconnect = client.send("disconnect", json!({ "connection": connection })).await;
    client.told("disconnected").await;
    let end = client.position(|line| line["method"] == "disconnected").await;
    let answers = answered_once(&client, ids, end);
    assert_eq!(client.answer(disconnect).await, Ok(json!({})));
    let read = answers.iter().filter(|answer| answer["result"]["value"] == "07").count();
    let failed = answers.iter().filter(|answer| answer["error"]["data"]["kind"] == "disconnected").count();
    assert_eq!(read + failed, 10_000);
    assert!(read > 50 && failed > 50, "both were met: {read} read, {failed} failed");
    let (told, missed) = count(&client.lines);
    println!("{read} read, {failed} failed, {told} values of which {missed} were missed");
    assert!(told > 9_000, "{told} values in five seconds");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_up_nobody_and_is_told_what_it_lost() {
    let room = room().await;
    let mut client = Client::with(room.adapter.clone(), 256, Options::new()).await;
    let (connection, handle) = value_of(&mut client, "counter", COUNTER_TEXT).await;
    let attribute = json!({ "connection": connection, "handle": handle });
    client.call("gatt.subscribe", attribute.clone()).await;
    client.told("gatt.notification").await;
    // It reads no more; the other link does not feel it.
    tokio::time::sleep(secs(10)).await;
    let (strap, services) = room.connect(demo::HEART_RATE_ADDRESS).await;
    let level = services.find(uuid16(0x2A19)).expect("a battery").clone();
    for _ in 0..20 {
        let (value, time) = timed(strap.read(&level)).await;
        assert_eq!(value.expect("read")[..], [87]);
        assert!(time < ms(300), "{time:?}");
    }
    assert!(strap.is_connected() && room.adapter.connections().len() == 2);
    // It reads again: what it was not told, it is told of.
    let after = client.lines.len();
    let id = client.send("gatt.read", attribute).await;
    assert_eq!(client.answer(id).await, Ok(json!({ "value": "07" })), "the link lives");
    while client.told("gatt.notification").await["missed"] == 0 {}
    for _ in 0..100 {
        client.told("gatt.notification").await;
    }
    let (told, missed) = count(&client.lines);
    println!("{told} values, {missed} missed, {} lines since", client.lines.len() - after);
    assert!(missed > 10_000, "ten seconds have more values than wait: {missed}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_read_is_not_begun() {
    let room = room().await;
    let mut client = Client::with(room.adapter.clone(), 1024, Options::new().in_flight(8)).await;
    for _ in 0..1_000_000 {
        // With a full pipe the next one waits.
        if tokio::time::timeout(secs(1), client.send("info", json!({}))).await.is_err() {
            println!("{} requests were taken", client.sent());
            assert!(client.sent() < 20_000, "as many as lines and pieces of input may wait");
            return;
        }
    }
    panic!("there is no end to what is taken");
}
