//! The real program on the virtual radio: what it prints, how it ends, and what it says when it cannot.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

const STRAP: &str = "C0:BA:E7:70:00:01/random";
const THERMOMETER: &str = "C0:BA:E7:70:00:02/random";
const ECHO: &str = "C0:BA:E7:70:00:03/random";
const LOG: &str = "ba8e7007-0001-4000-8000-000000000001";
const CALIBRATION: &str = "ba8e7007-0001-4000-8000-000000000002";

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    command.env_remove("BARETOOTH_ADAPTER").env_remove("BARETOOTH_CAPTURE").args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(words: &[&str]) -> Output {
    program(words).output().expect("the program starts")
}

/// The JSON lines of a verb that ends well on the virtual radio.
fn lines(words: &[&str]) -> Vec<Value> {
    let done = run(&[&["-a", "sim", "--json"], words].concat());
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{words:?}: {errors}");
    assert_eq!(errors, "", "{words:?} said something on standard error");
    String::from_utf8(done.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What people see of a verb that ends well on the virtual radio.
fn text(words: &[&str]) -> String {
    let done = run(&[&["-a", "sim"], words].concat());
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// The one JSON object on standard error of a verb that fails with status 1.
fn error(adapter: &str, words: &[&str]) -> Value {
    let done = run(&[&["-a", adapter, "--json"], words].concat());
    assert_eq!(done.status.code(), Some(1), "{words:?}");
    assert_eq!(done.stdout, b"", "{words:?} printed a result");
    serde_json::from_slice(&done.stderr).expect("one JSON object")
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn scan_reports_advertisement_and_scan_response() {
    let reports = lines(&["scan", "--timeout", "1", "--address", "C0:BA:E7:70:00:01"]);
    let [advertised, response] = &reports[..] else { panic!("two reports: {reports:?}") };
    assert_eq!(
        *advertised,
        json!({
            "type": "report", "address": "C0:BA:E7:70:00:01", "address_type": "random",
            "rssi": advertised["rssi"].as_i64().unwrap(), "tx_power": null, "connectable": true,
            "scannable": true, "directed": false, "truncated": false,
            "scan_response": false, "legacy": true, "primary_phy": "1M", "secondary_phy": null, "sid": null,
            "name": "HR strap", "name_complete": true, "flags": 6, "appearance": 833,
            "services": ["0000180d-0000-1000-8000-00805f9b34fb", "0000180f-0000-1000-8000-00805f9b34fb"],
            "service_data": {}, "manufacturer_data": {},
            "data": "02010605030d180f180319410309094852207374726170",
        })
    );
    assert_eq!(response["scan_response"], true);
    assert_eq!(response["tx_power"], 0);
    assert_eq!(response["manufacturer_data"], json!({"ffff": "010203"}));
}

#[test]
fn scan_filters_and_passive_scan_asks_for_no_response() {
    let names = |words: &[&str]| {
        let reports = lines(&[&["scan", "--timeout", "0.6"], words].concat());
        reports.iter().map(|report| report["address"].as_str().unwrap()[15..].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--passive", "--name", "HR*"]), ["01"]);
    assert_eq!(names(&["--passive", "--service", "1809"]), ["02"]);
    assert_eq!(names(&["--passive", "--pattern", "0:09:5468"]), ["02"]);
    assert_eq!(names(&["--name", "Nobody"]), [""; 0]);
    assert_eq!(names(&["--min-rssi", "20"]), [""; 0]);
}

#[test]
fn legacy_scan_hears_no_extended_advertising() {
    let heard = |words: &[&str]| {
        let reports = lines(&[&["scan", "--timeout", "0.6", "--name", "Beacon"], words].concat());
        reports.first().map(|report| (report["legacy"].clone(), report["data"].as_str().unwrap().len()))
    };
    let data = heard(&["--extended"]);
    assert_eq!(data, Some((json!(false), 1204)), "602 octets in one report");
    assert_eq!(heard(&["--legacy"]), None);
}

#[test]
fn gatt_prints_one_object_for_each_service() {
    let services = lines(&["gatt", STRAP]);
    let uuids: Vec<_> = services.iter().map(|service| &service["uuid"].as_str().unwrap()[4..8]).collect();
    assert_eq!(uuids, ["1800", "1801", "180d", "180f", "180a"]);
    assert_eq!(
        services[3],
        json!({
            "type": "service", "uuid": "0000180f-0000-1000-8000-00805f9b34fb", "handle": 16, "end_handle": 20,
            "name": "Battery", "primary": true, "includes": [],
            "characteristics": [{
                "uuid": "00002a19-0000-1000-8000-00805f9b34fb", "handle": 17, "value_handle": 18,
                "properties": ["read", "notify"], "name": "Battery Level", "user_description": null,
                "descriptors": [
                    {"uuid": "00002902-0000-1000-8000-00805f9b34fb", "handle": 19,
                     "name": "Client Characteristic Configuration"},
                    {"uuid": "00002904-0000-1000-8000-00805f9b34fb", "handle": 20,
                     "name": "Characteristic Presentation Format"},
                ],
            }],
        })
    );
    let described = text(&["gatt", THERMOMETER]);
    let line = "  0x0012  Temperature (0x2A6E)  \"inside\"  read, notify\n    0x0013  Client Characteristic";
    assert!(described.contains(line), "{described}");
}

#[test]
fn read_takes_a_uuid_a_name_or_a_handle_and_learns_the_address_type() {
    let level = json!({
        "type": "value", "handle": 18, "uuid": "00002a19-0000-1000-8000-00805f9b34fb", "value": "57",
    });
    for (address, what) in [(STRAP, "2a19"), (STRAP, "battery_level"), ("C0:BA:E7:70:00:01", "0x0012")] {
        assert_eq!(lines(&["read", address, what]), std::slice::from_ref(&level), "{address} {what}");
    }
    assert_eq!(text(&["read", STRAP, "battery_level", "--u8"]), "Battery Level (0x0012): 87\n");
    assert_eq!(lines(&["read", THERMOMETER, LOG])[0]["value"].as_str().unwrap().len(), 1024);
}

#[test]
fn write_says_nothing_in_json_and_names_the_value_for_people() {
    assert_eq!(lines(&["write", THERMOMETER, LOG, &"00".repeat(512)]), [json!(null); 0]);
    assert_eq!(text(&["write", THERMOMETER, LOG, "log", "--text"]), format!("{LOG} (0x001d): written\n"));
}

#[test]
fn each_line_of_standard_input_is_a_value() {
    let mut child = program(&[
        "-a",
        "sim",
        "write",
        ECHO,
        "6e400002-b5a3-f393-e0a9-e50e24dcca9e",
        "-",
        "--without-response",
    ])
    .stdin(Stdio::piped())
    .spawn()
    .unwrap();
    child.stdin.take().unwrap().write_all(b"01\n0203\n").unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    assert!(String::from_utf8_lossy(&done.stdout).ends_with(": 2 values written\n"));
}

#[test]
fn notify_ends_after_its_count_or_its_time() {
    let values = lines(&["notify", STRAP, "heart_rate_measurement", "battery_level", "--count", "2"]);
    assert_eq!(values.len(), 2);
    assert_eq!(keys(&values[0]), ["handle", "indication", "missed", "type", "uuid", "value"]);
    assert_eq!(values[0]["uuid"], "00002a37-0000-1000-8000-00805f9b34fb");
    assert_eq!((&values[0]["indication"], &values[0]["missed"]), (&json!(false), &json!(0)));
    assert_eq!(lines(&["notify", STRAP, "2a19", "--timeout", "0.1"]), [json!(null); 0]);
}

#[test]
fn a_refusal_is_told_with_operation_handle_and_code() {
    let error = error("sim", &["write", THERMOMETER, CALIBRATION, "00"]);
    assert_eq!(keys(&error), ["code", "handle", "kind", "message", "operation", "type"]);
    let told = (&error["type"], &error["kind"], &error["operation"], &error["handle"], &error["code"]);
    assert_eq!(told, (&json!("error"), &json!("att"), &json!("write"), &json!(0x21), &json!(0x80)));
}

#[test]
fn what_is_not_there_or_there_twice_is_told() {
    let twice = error("sim", &["read", THERMOMETER, "temperature"]);
    assert_eq!(twice["kind"], "ambiguous");
    let message = twice["message"].as_str().unwrap();
    assert!(message.contains("0x0012") && message.contains("0x0017"), "{message}");
    assert_eq!(error("sim", &["read", STRAP, "2aff"])["kind"], "not_found");
    let nobody = "C0:00:00:00:00:01";
    let untyped = error("sim", &["read", nobody, "2a19", "--connect-timeout", "0.3"]);
    assert_eq!(untyped["kind"], "not_found");
    assert!(untyped["message"].as_str().unwrap().contains(nobody), "{untyped}");
    let typed = error("sim", &["read", &format!("{nobody}/random"), "2a19", "--connect-timeout", "0.3"]);
    assert_eq!(typed["kind"], "timeout");
}

#[test]
fn an_adapter_that_cannot_be_reached_or_is_not_named_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let adapter = format!("tcp:{}", listener.local_addr().unwrap());
    drop(listener);
    let refused = error(&adapter, &["info"]);
    assert_eq!(refused["kind"], "transport");
    assert!(refused["message"].as_str().unwrap().contains(&adapter), "{refused}");
    let absent = error("hci0", &["info"]);
    assert!(absent["message"].as_str().unwrap().contains("hci0"), "{absent}");
}

#[test]
fn a_wrong_command_line_ends_with_2_and_shows_what_it_takes() {
    for (words, shown) in [
        (&["-a", "carrier-pigeon:7", "scan"][..], ["carrier-pigeon:7", "tcp:HOST:PORT"]),
        (&["-a", "sim", "read", "C0", "2a19"], ["\"C0\"", "AA:BB:CC:DD:EE:FF"]),
        (&["-a", "sim", "read", STRAP, "nothing"], ["\"nothing\"", "battery_level"]),
        (&["-a", "sim", "write", STRAP, "2a19", "0g"], ["\"0g\"", "--text"]),
        (&["-a", "sim", "scan", "--legacy", "--extended"], ["--legacy", "--extended"]),
        (&["-a", "sim", "scan", "--capture", "run.txt"], ["run.txt", ".pcapng"]),
        (&["-a", "sim", "scan", "--recovery", "hope"], ["hope", "reset-port"]),
        (&["-a", "sim", "scan", "--own-address", "hidden"], ["hidden", "resolvable"]),
    ] {
        let done = run(words);
        let told = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{words:?}: {told}");
        assert!(shown.iter().all(|part| told.contains(part)), "{words:?}: {told}");
    }
}

#[test]
fn adapters_lists_the_virtual_radio() {
    let done = run(&["adapters", "--json"]);
    let last = String::from_utf8(done.stdout).unwrap().lines().last().unwrap().to_owned();
    let found: Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&found["adapter"], &found["usable"]), (&json!("sim"), &json!(true)));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_130_and_a_whole_capture() {
    let capture = std::env::temp_dir().join(format!("baretooth-interrupt-{}.btsnoop", std::process::id()));
    let path = capture.to_str().unwrap();
    let mut child = program(&["-a", "sim", "--capture", path, "scan", "--json"]).spawn().unwrap();
    first_line(&mut child);
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    let octets = std::fs::read(&capture).unwrap();
    std::fs::remove_file(&capture).unwrap();
    assert!(octets.starts_with(b"btsnoop\0"));
    // LE Set Extended Scan Enable, off: the last command but perhaps for the reset of the radio.
    assert!(
        octets.windows(6).any(|packet| packet == [0x01, 0x42, 0x20, 0x06, 0x00, 0x00]),
        "the scan goes on"
    );
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut child = program(&["-a", "sim", "scan", "--duplicates", "--timeout", "5"]).spawn().unwrap();
    first_line(&mut child);
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
}

/// Waits for the first line, and leaves the rest to read.
fn first_line(child: &mut Child) {
    let mut line = String::new();
    BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty());
}
