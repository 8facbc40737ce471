//! `--capture` of the real program: on a pipe, killed, on a disk that is full.

use baretooth::capture::{Direction, Format, Reader, Record, Writer};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

const STRAP: &str = "C0:BA:E7:70:00:01/random";
const ECHO: &str = "C0:BA:E7:70:00:03/random";
const FORMATS: [&str; 4] = ["btsnoop", "pcap", "pcapng", "pklg"];
const ECHO_IN: &str = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";

/// The program on the virtual radio, with nothing of the user's environment in it.
fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    command.env("BARETOOTH_ADAPTER", "sim").env_remove("BARETOOTH_CAPTURE").args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).expect("text")
}

/// A file of the test's own, not there yet.
fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("capture");
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let path = folder.join(name);
    let _ = std::fs::remove_file(&path);
    path
}

/// The records of a capture that ends with a whole one: written again, they are the same octets.
fn whole(octets: &[u8], what: &str) -> Vec<Record> {
    let mut reader = Reader::new(octets).unwrap_or_else(|error| panic!("{what}: {error}"));
    let format = reader.format();
    let records: Vec<_> = std::iter::from_fn(|| reader.read().expect("good records")).collect();
    let mut writer = Writer::new(Vec::new(), format).expect("memory");
    for record in &records {
        assert_eq!(writer.write(record).expect("memory"), [], "{what}");
        record.hci().unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    let again = writer.into_inner().expect("memory");
    assert_eq!(again.len(), octets.len(), "{what}: octets after {} records", records.len());
    assert!(again == octets, "{what}: the octets differ");
    records
}

fn is_command(record: &Record, opcode: [u8; 2]) -> bool {
    record.direction() == Some(Direction::Sent)
        && matches!(record.data[..], [1, a, b, ..] if [a, b] == opcode)
}

/// An LE Meta event of an advertising report, legacy or extended.
fn is_report(record: &Record) -> bool {
    matches!(record.data[..], [4, 0x3E, _, 0x02 | 0x0D, ..])
}

#[test]
fn every_verb_streams_its_packets_to_standard_output_and_its_results_to_standard_error() {
    let verbs: [(&[&str], &str); 7] = [
        (&["info"], "info"),
        (&["scan", "--timeout", "0.5"], "report"),
        (&["gatt", STRAP], "service"),
        (&["read", STRAP, "battery_level"], "value"),
        (&["write", ECHO, ECHO_IN, "00"], ""),
        (&["notify", STRAP, "heart_rate_measurement", "--count", "1"], "notification"),
        (&["tour"], "done"),
    ];
    let children = verbs.map(|(words, _)| {
        program(&[&["--capture", "-", "--json"], words].concat()).spawn().expect("it starts")
    });
    for (child, (words, kind)) in children.into_iter().zip(verbs) {
        let done = child.wait_with_output().expect("it ends");
        let told = text(&done.stderr);
        assert!(done.status.success(), "{words:?}: {told}");
        let last = told.lines().last().unwrap_or(r#"{"type":""}"#);
        let last: Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(last["type"], kind, "{words:?}: {told}");
        assert!(!told.contains(r#""type":"error""#), "{words:?}: {told}");
        let records = whole(&done.stdout, words[0]);
        assert!(is_command(&records[0], [0x03, 0x0C]), "{words:?} begins with Reset");
        assert!(records.len() > 20, "{words:?}: {} records", records.len());
        assert_eq!(Reader::new(&done.stdout[..]).expect("read above").format(), Format::PCAP, "{words:?}");
    }
}

#[test]
fn packets_come_while_the_verb_runs_and_a_reader_that_leaves_ends_it() {
    let mut child = program(&["--capture", "-", "scan"]).spawn().expect("it starts");
    let mut reader = Reader::new(child.stdout.take().expect("piped")).expect("a capture");
    loop {
        let record = reader.read().expect("good records").expect("it goes on");
        if is_report(&record) {
            break;
        }
    }
    assert!(child.try_wait().expect("it is ours").is_none(), "the scan has no end of its own");
    drop(reader);
    let done = child.wait_with_output().expect("it ends");
    let told = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{told}");
    let (reports, last) = told.trim_end().rsplit_once('\n').expect("reports, and why it ended");
    assert!(reports.contains(" dBm "), "{told}");
    assert_eq!(
        last,
        "baretooth scan: capture to standard output ended, and the session with it: nobody reads it any more"
    );
}

#[test]
fn the_environment_names_the_capture_too() {
    let path = scratch("environment.btsnoop");
    let read = ["read", STRAP, "battery_level", "--u8"];
    let done = program(&read).env("BARETOOTH_CAPTURE", &path).output().expect("it starts");
    assert_eq!(text(&done.stdout), "Battery Level (0x0012): 87\n", "{}", text(&done.stderr));
    let records = whole(&std::fs::read(&path).expect("the capture"), "environment.btsnoop");
    let live = program(&read).env("BARETOOTH_CAPTURE", "-").output().expect("it starts");
    assert_eq!(text(&live.stderr), "Battery Level (0x0012): 87\n");
    let streamed = whole(&live.stdout, "standard output");
    assert!(streamed.len() > 20 && records.len() > 20);
    // What opens no adapter has nothing to capture, and keeps standard output.
    let done = program(&["decode", path.to_str().expect("text")]).env("BARETOOTH_CAPTURE", "-").output();
    let done = done.expect("it starts");
    assert_eq!(text(&done.stdout).lines().count(), records.len());
}

#[test]
fn a_capture_is_whole_whenever_the_program_is_killed() {
    // Moments in milliseconds: half of them while advertisers trickle in, half while a value after the other is
    // written, many thousand a second.
    let mut moments = Moments(0x5EED);
    let lines = "00".repeat(200) + "\n";
    let killed: Vec<_> = (0..16)
        .map(|number| {
            let flood = number % 2 == 0;
            let path = scratch(&format!("killed-{number}.{}", FORMATS[number / 2 % FORMATS.len()]));
            let capture = ["--capture", path.to_str().expect("text")];
            let mut child = if flood {
                let write = ["write", ECHO, ECHO_IN, "-", "--without-response"];
                program(&[&capture[..], &write].concat()).stdin(Stdio::piped()).spawn()
            } else {
                program(&[&capture[..], &["scan", "--duplicates"]].concat()).stdout(Stdio::null()).spawn()
            }
            .expect("it starts");
            if let Some(mut stdin) = child.stdin.take() {
                let lines = lines.repeat(1000);
                thread::spawn(
                    move || while std::io::Write::write_all(&mut stdin, lines.as_bytes()).is_ok() {},
                );
            }
            let moment = Duration::from_millis(50 + moments.next() % 1500);
            let child = thread::spawn(move || kill_after(moment, child));
            (number, moment, path, child)
        })
        .collect();
    let mut records = 0;
    for (number, moment, path, child) in killed {
        let done = child.join().expect("it was killed");
        assert_eq!(done.status.code(), None, "{number} ended by itself: {}", text(&done.stderr));
        let octets = std::fs::read(&path).unwrap_or_default();
        if octets.is_empty() {
            continue; // before it began, or with PacketLogger, which has no header, before its first record
        }
        records += whole(&octets, &format!("run {number}, killed after {moment:?}")).len();
    }
    assert!(records > 1000, "{records} records: nothing was under way");
}

fn kill_after(moment: Duration, mut child: Child) -> Output {
    pause(moment);
    child.kill().expect("SIGKILL");
    child.wait_with_output().expect("it ends")
}

/// Other processes go by the real clock.
#[allow(clippy::disallowed_methods)]
fn pause(time: Duration) {
    thread::sleep(time);
}

/// splitmix64.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// A limit on the size of files stands for a disk that is full: the system takes a part of the last write. There is room for
/// a few seconds, because a machine with much to do may hand over all of two at once.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_ends_the_capture_at_a_record_and_not_the_session() {
    let path = scratch("full.btsnoop");
    let script = r#"trap '' XFSZ; ulimit -f 40; exec "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_baretooth"), "--capture"]).arg(&path);
    command.args(["scan", "--duplicates", "--timeout", "6"]);
    let done = command.env("BARETOOTH_ADAPTER", "sim").env_remove("BARETOOTH_CAPTURE").output().expect("sh");
    let told = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "the capture is not whole: {told}");
    assert!(
        told.starts_with("baretooth scan: capture to ") && told.contains("full.btsnoop failed: "),
        "{told}"
    );
    assert!(told.ends_with("; it ends there, the session went on\n") && told.lines().count() == 1, "{told}");
    let captured = whole(&std::fs::read(&path).expect("the capture"), "full.btsnoop");
    let captured = captured.into_iter().filter(is_report).count();
    let printed = text(&done.stdout).lines().count();
    assert!(captured > 0 && printed > captured + 10, "{captured} reports captured, {printed} printed");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_from_the_start_is_told_before_anything_is_done() {
    let path = scratch("nothing.btsnoop");
    std::os::unix::fs::symlink(Path::new("/dev/full"), &path).expect("a link");
    let done =
        program(&["--json", "--capture", path.to_str().expect("text"), "info"]).output().expect("it starts");
    let error: Value = serde_json::from_slice(&done.stderr).expect("one JSON object");
    assert_eq!((done.status.code(), &error["kind"]), (Some(1), &"capture".into()), "{error}");
    assert!(error["message"].as_str().is_some_and(|told| told.contains("nothing.btsnoop")), "{error}");
}

/// A reader that stalls for a while loses nothing.
#[test]
fn a_reader_that_is_late_gets_everything() {
    let mut child =
        program(&["--capture", "-", "scan", "--duplicates", "--timeout", "1"]).spawn().expect("it starts");
    pause(Duration::from_millis(1500));
    let mut octets = Vec::new();
    child.stdout.take().expect("piped").read_to_end(&mut octets).expect("a pipe");
    assert!(child.wait().expect("it ends").success());
    let records = whole(&octets, "late");
    assert!(records.iter().any(is_report));
}
