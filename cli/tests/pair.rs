//! Pairing by the real program: with the devices of the virtual radio, and with another of its own.

mod common;

use common::{Running, program, radio};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};

const FINDER: &str = "C0:BA:E7:70:00:05/random";
const LOCK: &str = "C0:BA:E7:70:00:06/random";
const LOCKED: &str = "ba8e7007-0002-4000-8000-000000000001";
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/thermometer.toml");

/// What a verb says and how it ends, with this on standard input.
fn run(words: &[&str], input: &str) -> Output {
    let mut child = program(words).stdin(Stdio::piped()).spawn().expect("the program starts");
    // One that has failed before it reads has closed it.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn objects(octets: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(octets);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {text}"))).collect()
}

/// The objects of a verb that ends well.
fn done(words: &[&str], input: &str) -> Vec<Value> {
    let output = run(words, input);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    objects(&output.stdout)
}

/// The error of a verb that does not.
fn failed(words: &[&str], input: &str) -> Value {
    let output = run(words, input);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
    let told = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(told.lines().last().expect("it says why")).expect("an object")
}

/// A directory for the test alone, which is not there yet.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("baretooth-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_passkey_is_typed_once_and_the_bond_does_the_rest_until_it_is_forgotten() {
    let (_radio, [adapter, _]) = radio();
    let store = Scratch::new("passkey");
    let base = ["-a", &adapter, "--store", store.path(), "--json"];
    let with = |words: &[&'static str]| [&base[..], words].concat();
    let pair = ["pair", LOCK, "--io", "keyboard-only", "--mitm"];
    let told = done(&with(&pair), "not a passkey\n123456\n");
    let who = json!({"address": "C0:BA:E7:70:00:06", "address_type": "random"});
    assert_eq!(
        (&told[0]["type"], &told[0]["kind"], &told[0]["address"]),
        (&json!("prompt"), &json!("enter_passkey"), &who["address"])
    );
    let members = json!({
        "address": "C0:BA:E7:70:00:06", "address_type": "random", "method": "passkey_entry",
        "secure_connections": true, "authenticated": true, "key_size": 16, "bonded": true,
    });
    let paired = &told[1];
    assert_eq!((&paired["type"], told.len()), (&json!("paired"), 2));
    for (name, value) in members.as_object().expect("an object") {
        assert_eq!(&paired[name], value, "{name}");
    }

    let bonds = done(&["--store", store.path(), "--json", "bonds"], "");
    assert_eq!((bonds.len(), &bonds[0]["type"], &bonds[0]["keys"]), (1, &json!("bond"), &Value::Null));
    for (name, value) in members.as_object().expect("an object") {
        assert_eq!(&bonds[0][name], value, "{name}");
    }
    let keys = &done(&["--store", store.path(), "--json", "bonds", "--keys"], "")[0]["keys"];
    assert_eq!(keys["ltk"].as_str().expect("there is one").len(), 32);
    assert_eq!((&keys["ltk"], &keys["ediv"]), (&keys["local_ltk"], &json!(0)));

    assert_eq!(done(&with(&["read", LOCK, LOCKED]), "")[0]["value"], "01");
    let unpaired = done(&["--store", store.path(), "--json", "unpair", LOCK], "");
    assert_eq!((&unpaired[0]["type"], &unpaired[0]["address"]), (&json!("unpaired"), &who["address"]));
    let again = failed(&["--store", store.path(), "--json", "unpair", LOCK], "");
    assert_eq!(again["kind"], "not_found");
    assert_eq!(done(&["--store", store.path(), "--json", "bonds"], "").len(), 0);
    assert!(failed(&with(&["read", LOCK, LOCKED]), "")["kind"].is_string());
}

#[test]
fn a_wrong_passkey_an_end_of_input_and_a_method_that_protects_nobody_are_errors_of_smp() {
    let (_radio, [adapter, _]) = radio();
    let base = ["-a", &adapter, "--no-store", "--json", "pair"];
    let pair = |words: &[&'static str], input| failed(&[&base[..], words].concat(), input);
    let wrong = pair(&[LOCK, "--io", "keyboard-only", "--passkey", "654321"], "");
    assert_eq!(
        (&wrong["kind"], &wrong["code"], &wrong["operation"]),
        (&json!("smp"), &json!(4), &json!("pair"))
    );
    let nobody = pair(&[LOCK, "--io", "keyboard-only"], "");
    assert_eq!(nobody["kind"], "smp", "{nobody}");
    let unprotected = pair(&[FINDER, "--mitm"], "");
    assert_eq!((&unprotected["kind"], &unprotected["code"]), (&json!("smp"), &json!(3)), "{unprotected}");
}

#[test]
fn two_of_ours_compare_a_number_and_show_and_type_a_passkey() {
    let (_radio, [ours, theirs]) = radio();
    let (kept, other) = (Scratch::new("ours"), Scratch::new("theirs"));
    let device =
        ["-a", &ours, "--store", kept.path(), "--json", "advertise", EXAMPLE, "--io", "display-only"];
    let mut device = Running::new(&device);
    let advertising = device.next();
    let address = format!("{}/random", advertising["address"].as_str().expect("it has one"));
    let pair = [
        "-a",
        &theirs,
        "--store",
        other.path(),
        "--json",
        "pair",
        &address,
        "--io",
        "keyboard-only",
        "--mitm",
    ];
    let mut central = Running::new(&pair);
    assert_eq!(device.next()["type"], "connected");
    let shown = device.next();
    assert_eq!(shown["kind"], "display_passkey", "{shown}");
    assert_eq!(central.next()["kind"], "enter_passkey");
    writeln!(central.input(), "{}", shown["passkey"].as_str().expect("six digits")).expect("it reads");
    // The device writes its bond while the central leaves already.
    let at_device = [device.next(), device.next()].into_iter().find(|told| told["type"] != "disconnected");
    for paired in [central.next(), at_device.expect("it tells of both")] {
        assert_eq!(
            (&paired["type"], &paired["method"]),
            (&json!("paired"), &json!("passkey_entry")),
            "{paired}"
        );
    }
    assert!(central.child.wait().expect("it ends").success());
    // Both have the same key.
    let keys = |store: &Scratch| {
        done(&["--store", store.path(), "--json", "bonds", "--keys"], "")[0]["keys"]["ltk"].clone()
    };
    assert_eq!(keys(&kept), keys(&other));
    assert!(keys(&kept).is_string());
}

#[test]
fn the_virtual_radio_inside_of_the_program_leaves_no_bond_behind() {
    let home = Scratch::new("home");
    let run = |words: &[&str]| {
        let mut command = program(words);
        command.env("HOME", &home.0).env("XDG_STATE_HOME", home.0.join("state")).output().expect("it starts")
    };
    let paired = run(&["-a", "sim", "--json", "pair", FINDER]);
    assert!(paired.status.success(), "{}", String::from_utf8_lossy(&paired.stderr));
    assert_eq!(objects(&paired.stdout)[0]["method"], "just_works");
    assert!(!home.0.exists());
    let store = home.0.join("bonds");
    let kept = run(&["-a", "sim", "--store", store.to_str().expect("text"), "pair", FINDER]);
    assert!(kept.status.success(), "{}", String::from_utf8_lossy(&kept.stderr));
    assert!(
        String::from_utf8_lossy(&kept.stdout).starts_with("paired with C0:BA:E7:70:00:05/random: Just Works")
    );
    assert!(store.is_dir());
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for words in [
        &["pair", LOCK, "--legacy", "--secure-connections-only"][..],
        &["pair", LOCK, "--legacy", "--oob-local"],
        &["pair", LOCK, "--passkey", "1234567"],
        &["pair", LOCK, "--oob", "0102"],
        &["unpair"],
        &["unpair", LOCK, "--all"],
    ] {
        assert_eq!(run(words, "").status.code(), Some(2), "{words:?}");
    }
}
