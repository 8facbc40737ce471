//! The tour, the capture that it leaves, and the virtual radio served to another process.

use baretooth::capture::Direction;
use baretooth::capture::{Format, Timestamp, Writer};
use baretooth::transports::HciPacket;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The command with nothing of the user's environment in it.
fn baretooth(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    command.args(args).env_remove("BARETOOTH_ADAPTER").env_remove("BARETOOTH_CAPTURE");
    command
}

fn run(args: &[&str]) -> Output {
    baretooth(args).output().expect("the command starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

#[test]
fn the_tour_ends_well_and_its_capture_can_be_decoded() {
    let folder = folder("tour");
    let output = baretooth(&["tour"]).current_dir(&folder).output().expect("the command starts");
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    for step in
        ["scan", "connect", "long read", "echo", "notifications", "indication", "disconnect", "capture"]
    {
        assert!(text.lines().any(|line| line.starts_with(&format!("✓ {step} "))), "no {step} in {text}");
    }
    assert!(!text.contains('\x1b'), "colours are for terminals");
    assert!(text.contains("Read Not Permitted (0x02); the characteristic cannot be read"), "{text}");

    let capture = folder.join("tour.btsnoop");
    let decoded = run(&["decode", capture.to_str().expect("text")]);
    let lines = stdout(&decoded);
    assert!(decoded.status.success(), "{}", stderr(&decoded));
    let packets = lines.lines().count();
    assert!(text.contains(&format!("{packets} packets in tour.btsnoop")), "{packets} lines, but {text}");
    assert!(!lines.contains("malformed"));
    assert!(lines.contains("Complete Local Name \"Thermometer\""), "{lines}");
    assert!(lines.contains("ATT_READ_BY_TYPE_REQ"), "{lines}");
}

#[test]
fn the_tour_in_json_is_one_object_per_step() {
    let capture = folder("tour-json").join("named.btsnoop");
    let output = run(&["--json", "tour", "--capture", capture.to_str().expect("text")]);
    assert!(output.status.success(), "{}", stderr(&output));
    let objects: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (done, steps) = objects.split_last().expect("objects");
    assert!(steps.iter().all(|step| step["type"] == "step" && step["ok"] == true), "{steps:?}");
    let numbers: Vec<_> = steps.iter().filter_map(|step| step["number"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!((&done["type"], &done["steps"]), (&"done".into(), &numbers.len().into()));
    assert_eq!(done["capture"], capture.to_str().expect("text"));
    assert!(capture.exists());
}

#[test]
fn the_tour_refuses_hardware_and_a_capture_that_cannot_be_written() {
    let refused = run(&["tour", "--adapter", "tcp:localhost:1"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("the tour runs on the virtual radio"), "{}", stderr(&refused));
    let output = run(&["tour", "--capture", "/nowhere/at/all.btsnoop"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nowhere/at/all.btsnoop"), "{}", stderr(&output));
}

/// Reset, its answer, a read of a value and the value.
fn small_capture() -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, Format::BTSNOOP).expect("memory");
    let packets: [(i64, Direction, &[u8]); 4] = [
        (1_000_000, Direction::Sent, b"\x01\x03\x0C\x00"),
        (1_000_250, Direction::Received, b"\x04\x0E\x04\x01\x03\x0C\x00"),
        (2_500_000, Direction::Sent, b"\x02\x40\x00\x07\x00\x03\x00\x04\x00\x0A\x03\x00"),
        (2_515_001, Direction::Received, b"\x02\x40\x20\x06\x00\x02\x00\x04\x00\x0B\x57"),
    ];
    for (micros, direction, octets) in packets {
        let packet = HciPacket::new(octets.to_vec()).expect("whole");
        writer.packet(Timestamp::from_micros(micros), direction, &packet).expect("memory");
    }
    file
}

fn saved(name: &str, octets: &[u8]) -> String {
    let path = folder("decode").join(name);
    std::fs::write(&path, octets).expect("a file for the test");
    path.into_os_string().into_string().expect("text")
}

const GOLDEN: [&str; 4] = [
    "     1     0.000000 → Reset",
    "     2     0.000250 ← Command Complete Reset ncmd=1 status=Success",
    "     3     1.500000 → ACL 0x0040 ATT_READ_REQ 0x0003",
    "     4     1.515001 ← ACL 0x0040 ATT_READ_RSP of 0x0003 → 57, 15 ms",
];

#[test]
fn a_capture_is_one_line_per_packet() {
    let output = run(&["decode", &saved("small.btsnoop", &small_capture())]);
    assert_eq!(stdout(&output).lines().collect::<Vec<_>>(), GOLDEN);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn a_capture_in_json_is_one_object_per_packet() {
    let output = run(&["decode", "--json", &saved("json.btsnoop", &small_capture())]);
    let text = stdout(&output);
    let last = text.lines().nth(3).expect("four packets");
    let packet = serde_json::from_str::<serde_json::Value>(last).expect("JSON");
    let expected = serde_json::json!({
        "type": "packet", "number": 4, "time": 1.515001, "timestamp": 2.515001, "direction": "received", "kind": "acl",
        "text": "ACL 0x0040 ATT_READ_RSP of 0x0003 → 57, 15 ms",
        "answers": {"packet": 3, "after_us": 15001, "attribute_handle": 3},
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&packet[key], value, "{key}");
    }
    assert_eq!(packet["att"]["attribute_value"], "57");
}

#[test]
fn every_field_of_a_packet_is_shown_when_asked() {
    let output = run(&["decode", "-v", &saved("fields.btsnoop", &small_capture())]);
    let text = stdout(&output);
    assert!(text.starts_with(&format!("{}\n          command: Reset (0x0C03)\n", GOLDEN[0])), "{text}");
    assert!(text.contains("\n            attribute_value: 57\n"), "{text}");
}

#[test]
fn packets_from_a_pipe_are_shown_as_they_come() {
    let mut child = baretooth(&["decode", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let (mut pipe, mut shown) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let capture = small_capture();
    // The header and the first record: 16, and 24 before its 4 octets. The pipe stays open.
    pipe.write_all(&capture[..16 + 24 + 4]).expect("taken");
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = vec![0; GOLDEN[0].len() + 1];
        shown.read_exact(&mut line).map(|()| told.send(line))
    });
    let line =
        heard.recv_timeout(Duration::from_secs(20)).expect("the line, while the next record is awaited");
    assert_eq!(String::from_utf8_lossy(&line), format!("{}\n", GOLDEN[0]));
    drop(pipe);
    assert!(child.wait().expect("an end").success());
}

#[test]
fn a_capture_that_was_cut_off_is_decoded_as_far_as_it_goes() {
    let whole = small_capture();
    let output = run(&["decode", &saved("cut.btsnoop", &whole[..whole.len() - 5])]);
    assert_eq!(stdout(&output).lines().collect::<Vec<_>>(), GOLDEN[..3]);
    assert!(stderr(&output).contains("ends in the middle of a record"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn what_is_no_capture_is_refused_in_one_line() {
    let none = run(&["decode", "/nowhere/at/all.btsnoop"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).starts_with("baretooth decode: decoding /nowhere/at/all.btsnoop failed: "));
    let text = saved("text.txt", b"a text of more than sixteen octets");
    let output = run(&["decode", "--json", &text]);
    let error: serde_json::Value = serde_json::from_str(stderr(&output).trim_end()).expect("one JSON object");
    assert_eq!(error["type"], "error");
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.ends_with("this is text, no capture; btsnoop, pcap, pcapng and PacketLogger files are read"),
        "{message}"
    );
}

/// `head` and the like end the pipe: no message, no panic.
#[test]
fn a_reader_that_leaves_ends_decode_quietly() {
    let mut file = small_capture();
    let records = file.split_off(16);
    for _ in 0..2000 {
        file.extend_from_slice(&records);
    }
    let path = saved("long.btsnoop", &file);
    let mut child = baretooth(&["decode", &path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

/// The virtual radio in a process of its own; it ends with the test.
struct Served {
    child: Child,
    adapters: Vec<String>,
    /// What it tells next. Held, because it ends when nobody listens.
    news: Lines<BufReader<ChildStdout>>,
}

impl Served {
    fn start(listen: &[&str]) -> Self {
        let mut args = vec!["sim", "--json"];
        for spec in listen {
            args.extend(["--listen", spec]);
        }
        let mut child = baretooth(&args).stdout(Stdio::piped()).spawn().expect("the command starts");
        let news = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut served = Self { child, adapters: Vec::new(), news };
        for _ in listen {
            let ready = served.next("listening");
            served.adapters.push(ready["adapter"].as_str().expect("text").to_owned());
        }
        served
    }

    fn next(&mut self, kind: &str) -> serde_json::Value {
        let line = self.news.next().expect("it goes on").expect("text");
        let news: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(news["type"], kind);
        news
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn hosts_in_other_processes_use_a_served_controller_one_after_the_other() {
    let socket = folder("sim").join("controller");
    let unix = format!("unix-server:{}", socket.display());
    let mut served = Served::start(&["tcp-server:127.0.0.1:0", &unix]);
    let [tcp, unix] = &served.adapters.clone()[..] else { panic!("two controllers") };
    for adapter in [tcp, tcp, unix] {
        let output = run(&["info", "--json", "--adapter", adapter]);
        assert!(output.status.success(), "{adapter}: {}", stderr(&output));
        let info: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        let expected = if adapter == tcp { "00:00:5A:00:00:01" } else { "00:00:5A:00:01:01" };
        assert_eq!(info["public_address"], expected, "each has its own controller");
        served.next("connected");
        served.next("disconnected");
    }
    let output = run(&["read", "--json", "--adapter", tcp, "C0:BA:E7:70:00:01/random", "battery_level"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let value: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(value["value"], "57");
    let output = run(&["scan", "--json", "--adapter", unix, "--timeout", "2", "--name", "Thermometer"]);
    assert!(stdout(&output).contains("C0:BA:E7:70:00:02"), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn sim_listens_only_where_hosts_can_come() {
    let output = run(&["sim", "--listen", "usb:0"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("tcp-server:HOST:PORT or unix-server:PATH"), "{}", stderr(&output));
}
