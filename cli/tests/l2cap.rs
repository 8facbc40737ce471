//! `l2cap` of the real program: two of them on one virtual radio, and what it says when it cannot.
#![cfg(unix)]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    command.env_remove("BARETOOTH_ADAPTER").env_remove("BARETOOTH_CAPTURE").args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A child that dies with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(words: &[&str]) -> Self {
        Self(program(words).spawn().expect("the program starts"))
    }

    fn stdout(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.0.stdout.take().expect("piped"))
    }
}

/// A virtual radio with two controllers on unix sockets in a folder of the test's own.
struct Air {
    _sim: Running,
    folder: std::path::PathBuf,
}

impl Air {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("baretooth-l2cap-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let [a, b] = ["a", "b"].map(|n| format!("unix-server:{}", folder.join(n).display()));
        let mut sim = Running::start(&["sim", "--listen", &a, "--listen", &b]);
        while !["a", "b"].iter().all(|n| folder.join(n).exists()) {
            assert!(sim.0.try_wait().expect("our child").is_none(), "the radio has ended");
            std::thread::yield_now();
        }
        Self { _sim: sim, folder }
    }

    fn adapter(&self, n: &str) -> String {
        format!("unix:{}", self.folder.join(n).display())
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn object(lines: &mut impl BufRead) -> Value {
    let mut line = String::new();
    lines.read_line(&mut line).expect("text");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

/// The address that a listener says it has.
fn listening(lines: &mut impl BufRead) -> String {
    let listening = object(lines);
    assert_eq!(listening["type"], "listening");
    format!("{}/{}", listening["address"].as_str().unwrap(), listening["address_type"].as_str().unwrap())
}

fn octets(count: u32) -> Vec<u8> {
    (0..count).map(|n| (n * 31 + (n >> 8)).to_le_bytes()[0]).collect()
}

#[test]
fn standard_input_comes_back_from_an_echo() {
    let air = Air::new("echo");
    let mut server = Running::start(&[
        "-a",
        &air.adapter("a"),
        "--json",
        "l2cap",
        "listen",
        "0x80",
        "--echo",
        "--count",
        "1",
    ]);
    let mut told = server.stdout();
    let address = listening(&mut told);
    let adapter = air.adapter("b");
    let mut client = Running::start(&[
        "-a",
        &adapter,
        "l2cap",
        "connect",
        &address,
        "0x80",
        "--mps",
        "100",
        "--credits",
        "3",
    ]);
    let sent = octets(50_000);
    let mut input = client.0.stdin.take().expect("piped");
    let feeding = {
        let sent = sent.clone();
        std::thread::spawn(move || input.write_all(&sent).expect("it reads"))
    };
    let mut back = Vec::new();
    client.stdout().read_to_end(&mut back).expect("it ends");
    feeding.join().expect("no panic");
    assert!(back == sent, "{} octets came back", back.len());
    assert!(client.0.wait().expect("it ends").success());
    assert_eq!(object(&mut told)["type"], "channel");
    let closed = object(&mut told);
    assert_eq!((&closed["type"], &closed["received"]), (&Value::from("closed"), &Value::from(50_000)));
    assert!(server.0.wait().expect("it ends").success());
}

#[test]
fn a_listener_without_echo_is_the_other_end_of_a_pipe() {
    let air = Air::new("pipe");
    let mut server =
        Running::start(&["-a", &air.adapter("a"), "--json", "l2cap", "listen", "129", "--name", "Pipe"]);
    let mut told = server.stdout();
    let address = listening(&mut told);
    server.0.stdin.take().expect("piped").write_all(b"from the server").expect("it reads");
    let adapter = air.adapter("b");
    let mut client = Running::start(&["-a", &adapter, "--json", "l2cap", "connect", &address, "0x81"]);
    client.0.stdin.take().expect("piped").write_all(b"from the client").expect("it reads");
    let mut lines = client.stdout();
    let channel = object(&mut lines);
    assert_eq!((&channel["type"], &channel["mtu"]), (&Value::from("channel"), &Value::from(2048)));
    let hex = |text: &str| Value::from(text.bytes().map(|octet| format!("{octet:02x}")).collect::<String>());
    assert_eq!(object(&mut lines)["value"], hex("from the server"));
    assert_eq!(object(&mut lines)["type"], "closed", "nothing came for a second");
    assert!(client.0.wait().expect("it ends").success());
    assert_eq!(object(&mut told)["type"], "channel");
    assert_eq!(object(&mut told)["value"], hex("from the client"));
    assert_eq!(object(&mut told)["sent"], 15);
    assert!(server.0.wait().expect("it ends").success(), "by the peer's closing");
}

#[test]
fn what_cannot_be_is_told_before_or_with_its_kind() {
    let run = |words: &[&str]| program(words).output().expect("the program starts");
    let echo = "C0:BA:E7:70:00:03/random";
    for wrong in [&["l2cap"][..], &["l2cap", "listen", "0x100"], &["l2cap", "connect", echo, "0"]] {
        assert_eq!(run(&[&["-a", "sim"], wrong].concat()).status.code(), Some(2), "{wrong:?}");
    }
    let refused = run(&["-a", "sim", "--json", "l2cap", "connect", echo, "0x80"]);
    assert_eq!(refused.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&refused.stderr).expect("one JSON object");
    assert_eq!((&error["kind"], &error["operation"]), (&Value::from("channel"), &Value::from("l2cap")));
    let small = run(&["-a", "sim", "--json", "l2cap", "connect", echo, "0x80", "--mtu", "22"]);
    let error: Value = serde_json::from_slice(&small.stderr).expect("one JSON object");
    assert_eq!(error["kind"], "invalid");
}
