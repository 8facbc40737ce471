//! `shell` by scripts on the virtual radio: what lines leave to each other, how a script ends, and what is refused.

mod common;

use common::{Running, program, radio};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Output, Stdio};

const STRAP: &str = "C0:BA:E7:70:00:01";
const THERMOMETER: &str = "C0:BA:E7:70:00:02";
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/thermometer.toml");
const LOCK: &str = "C0:BA:E7:70:00:06";
const LOCKED: &str = "ba8e7007-0002-4000-8000-000000000001";

/// A shell on the virtual radio with these options and this script.
fn shell(options: &[&str], script: &str) -> Output {
    let words = [&["-a", "sim", "--seed", "1", "shell"], options].concat();
    let mut child = program(&words).stdin(Stdio::piped()).spawn().expect("the program starts");
    // One that has failed before it reads has closed it.
    let _ = child.stdin.take().expect("it is piped").write_all(script.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("text")
}

/// What a script prints that ends well and says nothing on standard error.
fn printed(script: &str) -> String {
    let output = shell(&[], script);
    assert_eq!(text(&output.stderr), "", "{script}");
    assert!(output.status.success(), "{script}");
    text(&output.stdout)
}

fn objects(script: &str) -> Vec<Value> {
    let output = shell(&["--json"], script);
    assert_eq!(text(&output.stderr), "", "{script}");
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The links that a capture of a script has.
fn links(script: &str, name: &str) -> (u64, Output) {
    let file = std::env::temp_dir().join(format!("baretooth-{}-{name}.btsnoop", std::process::id()));
    let path = file.to_str().expect("text");
    let output = shell(&["--capture", path], script);
    let stats = program(&["stats", "--json", path]).output().expect("the program starts");
    std::fs::remove_file(&file).expect("a capture was written");
    let stats: Value = serde_json::from_slice(&stats.stdout).expect("an object");
    (stats["le_connections"].as_u64().expect("a number"), output)
}

#[test]
fn lines_share_one_link_that_stays_up_until_it_is_disconnected() {
    let script = format!(
        "# remarks and blank lines are nothing\n\nread {STRAP} battery_level --u8\nread {STRAP}/random 2a19 --u8\nlinks\n\
         disconnect {STRAP}\nlinks\nread {STRAP} 2a19 --u8\n"
    );
    let (connections, output) = links(&script, "one-link");
    let read = "Battery Level (0x0012): 87\n";
    let link = "C0:BA:E7:70:00:01/random  MTU 517\nC0:BA:E7:70:00:01/random disconnected: Connection Terminated By Local Host\n";
    assert_eq!(text(&output.stdout), format!("{read}{read}{link}{read}"));
    assert_eq!(connections, 2, "one before `disconnect` and one behind it");
    assert!(output.status.success());
}

#[test]
fn links_to_several_peers_are_up_at_once() {
    let told = objects(&format!("connect {STRAP}\nconnect {THERMOMETER}\nconnect {STRAP}\nlinks\n"));
    let link =
        |r#type, address| json!({"type": r#type, "address": address, "address_type": "random", "mtu": 517});
    let up = |address| json!({"type": "link", "address": address, "address_type": "random", "mtu": 517, "subscriptions": []});
    let connected: Vec<_> =
        [STRAP, THERMOMETER, STRAP].iter().map(|address| link("connected", address)).collect();
    assert_eq!(told[..3], connected);
    assert_eq!(told[3..], [up(STRAP), up(THERMOMETER)]);
}

#[test]
fn values_are_told_while_other_lines_run_and_none_behind_the_end_of_the_subscription() {
    let told = objects(&format!(
        "subscribe {STRAP} heart_rate_measurement\nlinks\nread {STRAP} 2a19\nwait 2.5\nunsubscribe {STRAP}\nlinks\nwait 1.5\n"
    ));
    let kinds: Vec<_> = told.iter().map(|object| object["type"].as_str().expect("a type")).collect();
    let first = kinds.iter().position(|kind| *kind == "subscribed").expect("it subscribes");
    let last = kinds.iter().position(|kind| *kind == "unsubscribed").expect("it unsubscribes");
    let values: Vec<_> = (0..told.len()).filter(|&at| kinds[at] == "notification").collect();
    assert!(values.len() >= 2, "one a second: {kinds:?}");
    assert!(values.iter().all(|&at| at < last), "{kinds:?}");
    let value = &told[values[0]];
    assert_eq!(
        *value,
        json!({
            "type": "notification", "address": STRAP, "address_type": "random", "handle": 12,
            "uuid": "00002a37-0000-1000-8000-00805f9b34fb", "value": "083c0000", "indication": false, "missed": 0,
        })
    );
    let subscriptions: Vec<_> =
        told.iter().filter(|object| object["type"] == "link").map(|link| &link["subscriptions"]).collect();
    assert_eq!(subscriptions, [&json!([12]), &json!([])]);
    assert_eq!((told[first]["handle"].as_u64(), told[last]["handle"].as_u64()), (Some(12), Some(12)));
}

#[test]
fn a_subscription_that_is_made_twice_tells_each_value_once() {
    let line = format!("subscribe {STRAP} 2a37\n");
    let told = objects(&format!("{line}{line}wait 2.5\n"));
    let values: Vec<_> = told.iter().filter(|object| object["type"] == "notification").collect();
    let distinct: std::collections::BTreeSet<_> =
        values.iter().map(|value| value["value"].to_string()).collect();
    assert!(values.len() >= 2, "{told:?}");
    assert_eq!(values.len(), distinct.len(), "{told:?}");
}

#[test]
fn a_script_stops_at_the_first_line_that_fails_with_its_status() {
    let output = shell(&[], &format!("links\nread {STRAP} 0xffff\nread {STRAP} 2a19\n"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "", "nothing runs behind it");
    let told = text(&output.stderr);
    assert!(told.starts_with("baretooth read: read of 0xFFFF refused: Invalid Handle (0x01)"), "{told}");
    for (line, told) in [
        ("reed A", "unrecognized subcommand 'reed'"),
        ("read", "required arguments were not provided"),
        ("read 'A", "the line ends within '"),
        ("write C0:BA:E7:70:00:02 2a19 0g", "0g"),
        ("scan --adapter sim", "--adapter is for the whole session: give it to `baretooth shell`"),
        ("tour", "tour has a session of its own: run it outside of the shell"),
        ("shell", "shell has a session of its own"),
    ] {
        let output = shell(&[], &format!("{line}\nlinks\n"));
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(text(&output.stderr).contains(told), "{line}: {}", text(&output.stderr));
    }
}

#[test]
fn keep_going_runs_every_line_and_ends_with_the_status_of_the_first_failure() {
    let script = format!("disconnect {STRAP}\nnonsense\nread {STRAP} 2a19 --u8\n");
    let output = shell(&["--keep-going"], &script);
    assert_eq!(text(&output.stdout), "Battery Level (0x0012): 87\n");
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.starts_with(&format!("baretooth disconnect: there is no link to {STRAP}; `links` prints")),
        "{told}"
    );
}

#[test]
fn exit_ends_a_script_well() {
    assert_eq!(printed("exit\nnonsense\n"), "");
    assert_eq!(printed("links"), "", "a last line needs no end");
}

#[test]
fn help_names_the_verbs_of_a_shell_and_those_of_the_program_that_can_be_typed() {
    let help = printed("help\n");
    for verb in ["connect", "subscribe", "exit", "scan", "read", "decode"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(verb)), "{verb}: {help}");
    }
    for verb in ["tour", "bridge", "shell"] {
        assert!(!help.lines().any(|line| line.trim_start().starts_with(verb)), "{verb}: {help}");
    }
    let of_read = printed("help read\n");
    assert!(of_read.contains("<CHAR>") && !of_read.contains("--adapter"), "{of_read}");
}

#[test]
fn a_verb_takes_its_values_and_answers_from_the_next_lines_of_the_script() {
    let log = "ba8e7007-0001-4000-8000-000000000001";
    let told = printed(&format!("write {THERMOMETER} {log} - --text\none\ntwo\n"));
    assert_eq!(told, format!("{log} (0x001d): 2 values written\n"));
    let output = shell(&["--json"], &format!("pair {LOCK}/random --mitm\n123456\nlinks\n"));
    let kinds: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect(line)["type"].clone())
        .collect();
    assert_eq!(kinds, ["prompt", "paired", "link"], "{}", text(&output.stderr));
}

#[test]
fn a_bond_is_used_by_the_next_link_until_it_is_forgotten() {
    let script = format!(
        "pair {LOCK}/random --mitm\n123456\nbonds\ndisconnect {LOCK}\nread {LOCK} {LOCKED}\ndisconnect {LOCK}\nunpair {LOCK}\nbonds\n"
    );
    let told = objects(&script);
    let kinds: Vec<_> = told.iter().map(|object| object["type"].as_str().expect("a type")).collect();
    assert_eq!(
        kinds,
        ["prompt", "paired", "bond", "disconnected", "value", "disconnected", "unpaired"],
        "no bond is left"
    );
    assert_eq!(told[2]["address"], LOCK);
    let refused = shell(&[], &format!("unpair {LOCK}\n"));
    assert!(text(&refused.stderr).contains("there is no bond with"), "{}", text(&refused.stderr));
}

#[test]
fn a_channel_takes_the_lines_that_are_left() {
    let (_radio, [ours, theirs]) = radio();
    let mut echo = Running::new(&["-a", &theirs, "--json", "l2cap", "listen", "0x80", "--echo"]);
    let address = echo.next()["address"].as_str().expect("an address").to_owned();
    let mut shell = Running::new(&["-a", &ours, "--json", "shell"]);
    writeln!(shell.input(), "connect {address}/random\nl2cap connect {address} 0x80\nlinks\nend")
        .expect("it reads");
    drop(shell.child.stdin.take());
    let told: Vec<_> = (0..5).map(|_| shell.next()).collect();
    let kinds: Vec<_> = told.iter().map(|object| object["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["connected", "channel", "sdu", "sdu", "closed"]);
    assert_eq!((&told[2]["value"], &told[3]["value"]), (&json!("6c696e6b730a"), &json!("656e640a")));
    assert!(shell.child.wait().expect("it ends").success());
}

#[test]
fn verbs_without_an_adapter_run_as_they_do() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/../captures/heart_rate.btsnoop");
    let told = objects(&format!("stats {capture}\n"));
    assert_eq!(told[0]["packets"], 120);
}

#[test]
fn a_shell_on_a_capture_is_refused() {
    let capture = concat!("replay:", env!("CARGO_MANIFEST_DIR"), "/../captures/heart_rate.btsnoop");
    let output = program(&["-a", capture, "shell"]).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("waits for nobody who types"), "{}", text(&output.stderr));
}

#[test]
fn a_link_that_goes_down_by_itself_is_told_between_the_lines() {
    let (_radio, [ours, theirs]) = radio();
    let mut device = Running::new(&["-a", &theirs, "--json", "advertise", EXAMPLE]);
    let advertising = device.next();
    let address = advertising["address"].as_str().expect("an address").to_owned();
    let mut shell = Running::new(&["-a", &ours, "--json", "shell", "--keep-going"]);
    writeln!(shell.input(), "connect {address}/random").expect("it reads");
    assert_eq!(shell.next()["type"], "connected");
    drop(device);
    let told = shell.next();
    assert_eq!((&told["type"], &told["address"]), (&json!("disconnected"), &json!(address)), "{told}");
    writeln!(shell.input(), "links\nconnect {STRAP}").expect("it reads");
    assert_eq!(shell.next()["address"], STRAP, "no link is left to print");
    drop(shell.child.stdin.take());
    assert!(shell.child.wait().expect("it ends").success());
}
