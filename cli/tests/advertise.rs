//! The real program in the other role: one of it serves a device, others are centrals, on two controllers of one
//! virtual radio.

mod common;

use common::{Running, program, radio};
use serde_json::{Value, json};
use std::io::Write;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/thermometer.toml");
const RECEIVE: &str = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";

/// What a verb prints that ends well.
fn lines(words: &[&str]) -> Vec<Value> {
    let done = program(words).output().expect("the program starts");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_device_from_a_file_is_found_written_and_subscribed_to() {
    let (_radio, [ours, theirs]) = radio();
    let serve =
        ["-a", &ours, "--json", "advertise", EXAMPLE, "--notify", "temperature", "--i16", "--until-eof"];
    let mut device = Running::new(&serve);
    assert_eq!(device.next()["type"], "advertising");

    let scan = ["-a", &theirs, "--json", "scan", "--timeout", "1", "--name", "Greenhouse"];
    let found = &lines(&scan)[0];
    assert_eq!(found["services"][0], "0000181a-0000-1000-8000-00805f9b34fb");
    assert_eq!(found["manufacturer_data"], json!({"ffff": "0102"}));
    let word = |name: &str| found[name].as_str().expect("a report has it").to_owned();
    let address = format!("{}/{}", word("address"), word("address_type"));

    lines(&["-a", &theirs, "--json", "write", &address, RECEIVE, "--text", "hello"]);
    assert_eq!(device.next()["type"], "connected");
    let written = device.next();
    assert_eq!(
        (&written["type"], &written["uuid"], &written["value"]),
        (&json!("written"), &json!(RECEIVE), &json!("68656c6c6f"))
    );
    assert_eq!(device.next()["reason"], 0x13);

    let subscribe = ["-a", &theirs, "--json", "notify", &address, "temperature", "--count", "2"];
    let mut subscriber = Running::new(&subscribe);
    assert_eq!(device.next()["type"], "connected", "it advertises again");
    let subscribed = device.next();
    assert_eq!((&subscribed["type"], &subscribed["notifications"]), (&json!("subscribed"), &json!(true)));
    device.input().write_all(b"2160\n-5\n").expect("it reads");
    for value in ["7008", "fbff"] {
        assert_eq!(subscriber.next()["value"], value);
        let sent = device.next();
        assert_eq!(
            (&sent["type"], &sent["value"], &sent["subscribers"]),
            (&json!("sent"), &json!(value), &json!(1))
        );
    }
    assert_eq!(subscriber.child.wait().expect("it ends").code(), Some(0));
    assert_eq!(
        (&device.next()["notifications"], &device.next()["type"]),
        (&json!(false), &json!("disconnected"))
    );

    let kept = lines(&["-a", &theirs, "--json", "read", &address, "temperature"]);
    assert_eq!(kept[0]["value"], "fbff", "the last value is there to be read");
    drop(device.child.stdin.take());
    assert_eq!(device.child.wait().expect("it ends").code(), Some(0), "with its standard input");
}

#[test]
fn a_timeout_ends_it_and_a_mistake_is_told_before_anything_is_opened() {
    let (_radio, [ours, _]) = radio();
    let heard =
        ["-a", &ours, "--json", "advertise", "--name", "Bell", "--non-connectable", "--timeout", "0.1"];
    let told = lines(&heard);
    assert_eq!((&told[0]["name"], &told[1], told.len()), (&json!("Bell"), &json!({"type": "stopped"}), 2));
    let long = "n".repeat(249);
    let done = program(&["-a", "tcp:127.0.0.1:1", "advertise", "--name", &long])
        .output()
        .expect("the program starts");
    assert_eq!(done.status.code(), Some(2));
    let message = String::from_utf8_lossy(&done.stderr);
    assert!(message.contains("249 octets, and it takes 248"), "{message}");
}
