//! The real program on the project's captures: what `stats` counts, for programs and for people.

use serde_json::{Value, json};
use std::process::{Command, Output};

const HEART_RATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../captures/heart_rate.btsnoop");

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_baretooth")).args(words).output().expect("the program starts")
}

fn printed(words: &[&str]) -> String {
    let done = run(words);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8")
}

#[test]
fn json_is_one_object_whose_keys_stay() {
    let counts: Value = serde_json::from_str(&printed(&["stats", HEART_RATE, "--json"])).expect("one object");
    let numbers = ["packets", "adv_reports_with_address", "distinct_advertisers"];
    assert_eq!(numbers.map(|key| counts[key].as_u64()), [Some(120), Some(8), Some(1)]);
    assert_eq!((&counts["le_connections"], &counts["le_connections_failed"]), (&json!(1), &json!(0)));
    assert_eq!(counts["hci_packet_types"], json!({ "command": 17, "event": 52, "acl": 51 }));
    assert_eq!(counts["le_meta_subevents"], json!({ "0x07": 1, "0x0a": 1, "0x0d": 8 }));
    assert_eq!(counts["command_status_opcodes"], json!({ "0x0406": 1, "0x2043": 1 }));
    assert_eq!(counts["disconnect_reasons"], json!({ "0x16": 1 }));
    assert_eq!(counts["l2cap_cids"], json!({ "0x0004": 51 }));
    assert_eq!(counts["att_error_codes"], json!({ "0x0a": 12 }));
    assert_eq!(counts["att_opcodes"]["0x1b"], 3);
    for key in ["event_codes", "command_opcodes", "command_complete_opcodes", "acl_pb_flags"] {
        assert!(counts[key].as_object().is_some_and(|tally| !tally.is_empty()), "{key}");
    }
    for key in ["l2cap_signalling_codes", "smp_opcodes"] {
        assert_eq!(counts[key], json!({}), "{key}");
    }
}

#[test]
fn people_see_names_and_when_links_were_up() {
    let text = printed(&["stats", HEART_RATE]);
    for line in [
        "btsnoop (H4): 120 records in 3.927 s",
        "    0x0040  C0:BA:E7:70:00:01/random, 51 packets, from 0.536 s to 3.927 s: Connection Terminated By Local Host (0x16)",
        "         3  ATT_HANDLE_VALUE_NTF",
        "        12  Attribute Not Found (0x0A)",
    ] {
        assert!(text.lines().any(|printed| printed == line), "no line {line:?} in:\n{text}");
    }
}

#[test]
fn what_is_no_capture_is_refused_with_its_name() {
    let done = run(&["stats", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    assert_eq!((done.status.code(), done.stdout.len()), (Some(1), 0));
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(error.contains("Cargo.toml failed:"), "{error}");
}
