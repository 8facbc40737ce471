//! `bridge` of the real program, between a virtual controller that `sim` serves and a host that is the program again.
#![cfg(unix)]

use baretooth::capture::{Direction, Reader};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    command.env_remove("BARETOOTH_ADAPTER").env_remove("BARETOOTH_CAPTURE").args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A path that nobody else uses.
fn path(ending: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("baretooth-bridge-{}-{number}{ending}", std::process::id()))
}

/// A program at work, killed at the end, and what it says line by line.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(words: &[&str]) -> Self {
        let mut child = program(words).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("text");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line:?} {}", self.errors()))
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().into_iter().for_each(|mut e| drop(e.read_to_string(&mut text)));
        text
    }

    fn status(&mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A virtual controller, and the adapter by which a host reaches it.
fn controller() -> (Running, String) {
    let mut sim =
        Running::start(&["--json", "sim", "--listen", &format!("unix-server:{}", path("").display())]);
    let adapter = sim.next()["adapter"].as_str().expect("an adapter").to_owned();
    (sim, adapter)
}

fn run(words: &[&str]) -> Output {
    program(words).output().expect("the program starts")
}

#[test]
fn a_host_uses_a_controller_through_sockets_and_the_capture_has_both_ways() {
    let (_sim, controller) = controller();
    let capture = path(".btsnoop");
    let words =
        ["--capture", capture.to_str().unwrap(), "--json", "bridge", &controller, "tcp-server:127.0.0.1:0"];
    let mut bridge = Running::start(&words);
    let listening = bridge.next();
    assert_eq!(listening["type"], "listening");
    let adapter = listening["adapter"].as_str().unwrap();
    let value = run(&["-a", adapter, "--json", "read", "C0:BA:E7:70:00:01/random", "2a19"]);
    assert!(value.status.success(), "{}", String::from_utf8_lossy(&value.stderr));
    let value: Value = serde_json::from_slice(&value.stdout).expect("one value");
    assert_eq!(value["type"], "value");

    let joined = bridge.next();
    assert_eq!((&joined["type"], &joined["a"]), (&"joined".into(), &controller.as_str().into()));
    let ended = bridge.next();
    assert_eq!((&ended["type"], &ended["side"]), (&"ended".into(), &"b".into()));
    assert_eq!(bridge.status(), Some(0), "a host that leaves is no failure: {}", bridge.errors());

    let mut reader = Reader::new(fs::File::open(&capture).unwrap()).unwrap();
    let records: Vec<_> = std::iter::from_fn(|| reader.read().unwrap()).collect();
    let first = [
        (Some(Direction::Sent), vec![1, 3, 0x0C, 0]),
        (Some(Direction::Received), vec![4, 0x0E, 4, 1, 3, 0x0C, 0]),
    ];
    let seen: Vec<_> =
        records.iter().take(2).map(|record| (record.direction(), record.data.to_vec())).collect();
    assert_eq!(seen, first);
    assert!(records.len() > 40, "{} records of a whole session", records.len());
    fs::remove_file(capture).unwrap();
}

#[cfg(feature = "uart")]
#[test]
fn a_host_uses_a_controller_through_a_pseudo_terminal() {
    let (_sim, controller) = controller();
    let link = path("");
    let mut bridge = Running::start(&["--json", "bridge", &controller, &format!("pty:{}", link.display())]);
    let adapter = bridge.next()["adapter"].as_str().unwrap().to_owned();
    assert_eq!(adapter, format!("uart:{}", link.display()));
    // As a serial port that the program resets until it answers.
    let info = run(&["-a", &adapter, "--json", "info"]);
    assert!(info.status.success(), "{}", String::from_utf8_lossy(&info.stderr));
    let info: Value = serde_json::from_slice(&info.stdout).expect("one object");
    assert_eq!(info["adapter"], format!("{adapter},1000000"));
    assert_eq!(bridge.next()["type"], "joined");
    assert_eq!(bridge.next()["side"], "b");
    assert_eq!(bridge.status(), Some(0));
    assert!(fs::symlink_metadata(&link).is_err(), "the link is gone");
}

#[test]
fn packets_pass_to_an_end_that_reads_while_the_other_way_is_stuck() {
    let (a, b) = (path(""), path(""));
    let (a_end, b_end) = (UnixListener::bind(&a).unwrap(), UnixListener::bind(&b).unwrap());
    let specs = [&a, &b].map(|path| format!("unix:{}", path.display()));
    let mut bridge = Running::start(&["--json", "bridge", &specs[0], &specs[1]]);
    let (mut controller, mut host) = (a_end.accept().unwrap().0, b_end.accept().unwrap().0);
    assert_eq!(bridge.next()["type"], "joined");
    // The controller sends until the bridge takes no more, because the host does not read.
    controller.set_nonblocking(true).unwrap();
    let event = [&[4, 0xFF, 255][..], &[7; 255]].concat();
    let mut sent = 0;
    let mut idle = 0;
    while idle < 100 {
        match controller.write(&event[sent % event.len()..]) {
            Ok(count) => (sent, idle) = (sent + count, 0),
            Err(_) => {
                idle += 1;
                command_passes(&mut host, &mut controller);
            }
        }
        assert!(sent < 16 << 20, "no back-pressure: 16 MiB were taken");
    }
    // Then the host reads it all, and it is whole.
    let mut octets = vec![0; sent];
    host.read_exact(&mut octets).unwrap();
    assert!(octets.iter().enumerate().all(|(at, octet)| *octet == event[at % event.len()]));
    drop(host);
    let ended = bridge.next();
    assert_eq!((&ended["type"], &ended["side"]), (&"ended".into(), &"b".into()));
    [a, b].iter().for_each(|path| fs::remove_file(path).unwrap());
}

/// From the host to the controller, while the other way is stuck.
fn command_passes(host: &mut UnixStream, controller: &mut UnixStream) {
    let command = [1, 3, 0x0C, 0];
    host.write_all(&command).unwrap();
    let mut got = [0; 4];
    controller.set_nonblocking(false).unwrap();
    controller.read_exact(&mut got).unwrap();
    controller.set_nonblocking(true).unwrap();
    assert_eq!(got, command);
}

#[test]
fn an_adapter_that_cannot_be_opened_is_told_and_nobody_is_waited_for() {
    let absent = format!("unix:{}", path("").display());
    let done = run(&["--json", "bridge", &absent, "tcp-server:127.0.0.1:0"]);
    assert_eq!(done.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&done.stderr).expect("one JSON object");
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("opening {absent} failed: ")), "{message}");
}

#[test]
fn an_interrupt_ends_it_and_what_it_made_is_gone() {
    let (_sim, controller) = controller();
    let socket = path("");
    let mut bridge =
        Running::start(&["--json", "bridge", &controller, &format!("unix-server:{}", socket.display())]);
    assert_eq!(bridge.next()["type"], "listening");
    let killed =
        Command::new("kill").args(["-INT", &bridge.child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(bridge.status(), Some(130));
    assert!(!socket.exists());
}
