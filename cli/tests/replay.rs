//! Captures of the real program, replayed to it: the same verb on the capture, and the verb that guesses.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

const STRAP: &str = "C0:BA:E7:70:00:01/random";
const THERMOMETER: &str = "C0:BA:E7:70:00:02/random";
const FINDER: &str = "C0:BA:E7:70:00:05/random";
const LOCK: &str = "C0:BA:E7:70:00:06/random";
const NOBODY: &str = "C0:00:00:00:00:09/random";
const LOG: &str = "ba8e7007-0001-4000-8000-000000000001";

/// A folder of this test alone, gone when it is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("baretooth-replay-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path of characters").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    command.env_remove("BARETOOTH_ADAPTER").env_remove("BARETOOTH_CAPTURE").args(words);
    command.stdin(Stdio::null()).output().expect("the program starts")
}

/// A child that dies with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(words: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    command.env_remove("BARETOOTH_ADAPTER").env_remove("BARETOOTH_CAPTURE").args(words);
    Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program starts"))
}

fn lines(child: &mut Running) -> BufReader<ChildStdout> {
    BufReader::new(child.0.stdout.take().expect("piped"))
}

/// Of the next object.
fn field(lines: &mut impl BufRead, name: &str) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).expect("text");
    let object: Value = serde_json::from_str(&line).expect("one JSON object");
    object[name].as_str().expect("it has one").to_owned()
}

fn project_capture(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("cli is in the project");
    root.join("captures").join(name).to_str().expect("a path of characters").to_owned()
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn each_verb_says_the_same_on_its_capture_as_on_the_radio() {
    let folder = Folder::new("verbs");
    let verbs: &[&[&str]] = &[
        &["scan", "--timeout", "1"],
        &["scan", "--timeout", "0.5", "--passive"],
        &["gatt", STRAP],
        &["read", STRAP, "2a19"],
        // Refused: the capture says so again, and with the same status.
        &["read", STRAP, "2a37"],
        &["read", THERMOMETER, LOG],
        &["write", THERMOMETER, LOG, "010203"],
        &["notify", STRAP, "2a37", "--count", "2"],
        // Indications, each confirmed.
        &["notify", THERMOMETER, "2a1c", "--count", "1"],
        // Nobody there: the time that it takes is that of the capture.
        &["read", NOBODY, "2a19", "--connect-timeout", "1"],
    ];
    for (n, verb) in verbs.iter().enumerate() {
        let capture = folder.file(&format!("{n}.btsnoop"));
        let recorded = run(&[&["-a", "sim", "--seed", "5", "--capture", &capture], *verb].concat());
        let replayed = run(&[&["-a", &format!("replay:{capture}"), "--seed", "5"], *verb].concat());
        assert_eq!(replayed.status, recorded.status, "{verb:?}: {}", message(&replayed));
        assert_ne!(recorded.status.code(), Some(2), "{verb:?}: {}", message(&recorded));
        assert_eq!(replayed.stdout, recorded.stdout, "{verb:?}");
        assert_eq!(message(&replayed), message(&recorded), "{verb:?}");
        // Nobody says what the verb was: every packet has its request all the same.
        for seed in [&["--seed", "5"][..], &[]] {
            let guessed = run(&[&["replay", &capture], seed].concat());
            assert!(guessed.status.success(), "{verb:?} {seed:?}: {}", message(&guessed));
        }
    }
}

#[test]
fn a_verb_that_pairs_says_the_same_on_its_capture_with_its_seed() {
    let folder = Folder::new("pairings");
    let typed = ["--passkey", "123456"];
    let verbs: [(&[&str], &[&str]); 6] = [
        (&["pair", FINDER], &[]),
        (&["pair", FINDER, "--legacy", "--no-bond"], &[]),
        (&["pair", LOCK, "--io", "keyboard-only", "--mitm", "--passkey", "123456"], &typed),
        (&["pair", LOCK, "--legacy", "--io", "keyboard-only", "--mitm", "--passkey", "123456"], &typed),
        // Another passkey than the lock shows.
        (&["pair", LOCK, "--io", "keyboard-only", "--mitm", "--passkey", "7"], &["--passkey", "7"]),
        // A value for encrypted links.
        (&["read", FINDER, "2a06"], &[]),
    ];
    for (n, (verb, given)) in verbs.iter().enumerate() {
        let capture = folder.file(&format!("{n}.btsnoop"));
        let recorded = run(&[&["-a", "sim", "--seed", "5", "--capture", &capture], *verb].concat());
        assert_ne!(recorded.status.code(), Some(2), "{verb:?}: {}", message(&recorded));
        let replayed = run(&[&["-a", &format!("replay:{capture}"), "--seed", "5"], *verb].concat());
        assert_eq!(replayed.stdout, recorded.stdout, "{verb:?}: {}", message(&replayed));
        assert_eq!(message(&replayed), message(&recorded), "{verb:?}");
        let guessed = run(&[&["replay", &capture, "--seed", "5"], *given].concat());
        assert!(guessed.status.success(), "{verb:?}: {}", message(&guessed));
    }
}

#[test]
fn a_session_with_a_bond_of_a_store_replays_without_the_store() {
    let folder = Folder::new("store");
    let (store, capture) = (folder.file("bonds"), folder.file("read.btsnoop"));
    let with = |words: &[&str]| run(&[&["-a", "sim", "--seed", "5", "--store", &store], words].concat());
    assert!(with(&["pair", FINDER]).status.success());
    // The radio is another, and the finder knows nothing of the bond.
    let refused = with(&["--capture", &capture, "read", FINDER, "2a06"]);
    assert_eq!(refused.status.code(), Some(1), "{}", message(&refused));
    let guessed = run(&["replay", &capture]);
    assert!(guessed.status.success(), "{}", message(&guessed));
    let told = String::from_utf8_lossy(&run(&["decode", &capture]).stdout).into_owned();
    assert!(told.contains("LE Enable Encryption"), "{told}");
}

#[test]
fn a_device_that_was_served_replays_by_its_verb_and_by_guesses() {
    let folder = Folder::new("device");
    let capture = folder.file("device.btsnoop");
    let listen = ["--listen", "tcp-server:127.0.0.1:0"];
    let mut radio = start(&[&["--json", "sim"][..], &listen, &listen].concat());
    let mut told = lines(&mut radio);
    let mut adapter = || field(&mut told, "adapter");
    let [ours, theirs] = [adapter(), adapter()];
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/thermometer.toml");
    let verb = ["--seed", "5", "--json", "advertise", example, "--timeout", "8"];
    let mut device = start(&[&["-a", &ours, "--capture", &capture][..], &verb].concat());
    let mut told = lines(&mut device);
    let mut line = String::new();
    told.read_line(&mut line).expect("text");
    let object: Value = serde_json::from_str(&line).expect("one JSON object");
    let address = format!("{}/random", object["address"].as_str().expect("it has one"));
    let receive = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";
    let centrals: [&[&str]; 4] = [
        &["gatt", &address],
        &["read", &address, "temperature"],
        &["write", &address, receive, "--text", "hello"],
        // It is told nothing, and leaves.
        &["notify", &address, "temperature", "--timeout", "0.1"],
    ];
    for words in centrals {
        let done = run(&[&["-a", &theirs][..], words].concat());
        assert_ne!(done.status.code(), Some(2), "{words:?}: {}", message(&done));
    }
    told.read_to_string(&mut line).expect("text");
    assert!(device.0.wait().expect("our child").success());
    assert_eq!(line.matches("\"connected\"").count(), 4, "{line}");

    let replayed = run(&[&["-a", &format!("replay:{capture}")][..], &verb].concat());
    assert!(replayed.status.success(), "{}", message(&replayed));
    assert_eq!(String::from_utf8_lossy(&replayed.stdout), line);
    for seed in [&["--seed", "5"][..], &[]] {
        let guessed = run(&[&["replay", &capture, "--device", example], seed].concat());
        assert!(guessed.status.success(), "{seed:?}: {}", message(&guessed));
    }
    // Without the device it is another table.
    let other = run(&["replay", &capture]);
    assert_eq!(other.status.code(), Some(1));
    assert!(message(&other).contains("differs"), "{}", message(&other));
}

#[test]
fn the_tour_replays_bit_for_bit() {
    let folder = Folder::new("tour");
    let capture = folder.file("tour.btsnoop");
    assert!(run(&["tour", "--seed", "5", "--capture", &capture]).status.success());
    // It pairs, so that its random numbers matter.
    let without = run(&["replay", &capture]);
    assert!(message(&without).contains("first difference: public_key_x"), "{}", message(&without));
    let replayed = run(&["--json", "replay", &capture, "--seed", "5", "--passkey", "123456"]);
    assert!(replayed.status.success(), "{}", message(&replayed));
    let told: Value = serde_json::from_slice(&replayed.stdout).expect("one JSON object");
    assert_eq!(told["type"], "replay");
    assert_eq!(
        told["packets"].as_u64(),
        Some(told["sent"].as_u64().unwrap() + told["received"].as_u64().unwrap())
    );
    assert!(told["requests"].as_u64() > Some(40), "{told}");
}

#[test]
fn another_request_than_that_of_the_capture_fails_with_the_packet_and_the_field() {
    let folder = Folder::new("different");
    let capture = folder.file("read.btsnoop");
    assert!(
        run(&["-a", "sim", "--seed", "5", "--capture", &capture, "read", STRAP, "2a19"]).status.success()
    );
    let adapter = format!("replay:{capture}");
    let cases: [(&[&str], &str); 3] = [
        (&["--seed", "6", "read", STRAP, "2a19"], "first difference: random_address: "),
        (
            &["--seed", "5", "read", THERMOMETER, "2a19"],
            "first difference: peer_address: C0:BA:E7:70:00:01 expected",
        ),
        (&["--seed", "5", "info"], "the host does not send packet "),
    ];
    for (words, expected) in cases {
        let replayed = run(&[&["-a", adapter.as_str()], words].concat());
        let told = message(&replayed);
        assert_eq!(replayed.status.code(), Some(1), "{words:?}: {told}");
        assert!(told.contains(expected), "{words:?}: {told}");
        assert!(told.contains("packet "), "{words:?}: {told}");
    }
}

#[test]
fn a_session_that_waits_for_more_than_the_capture_holds_ends() {
    // A scan without end, of which the capture holds half a second.
    let capture = project_capture("heart_rate.btsnoop");
    let replayed = run(&["-a", &format!("replay:{capture}"), "scan"]);
    assert_eq!(replayed.status.code(), Some(1));
    assert!(message(&replayed).contains("the host does not send packet"), "{}", message(&replayed));
}

#[test]
fn what_is_no_capture_is_refused() {
    for (words, kind) in [
        (vec!["--json", "replay", "no-such-file"], "capture"),
        (vec!["--json", "-a", "replay:no-such-file", "info"], "capture"),
    ] {
        let refused = run(&words);
        assert_eq!(refused.status.code(), Some(1));
        let error: Value = serde_json::from_slice(&refused.stderr).expect("one JSON object");
        assert_eq!(error["kind"], kind);
        let text = error["message"].as_str().unwrap();
        assert!(text.starts_with("replaying no-such-file failed: no-such-file cannot be opened"), "{text}");
    }
}

/// What stands in `captures/README.md` beside a capture makes the session again, and says so when something is missing.
#[test]
fn pairings_replay_by_the_seed_and_what_was_typed_or_came_out_of_band() {
    let captures = concat!(env!("CARGO_MANIFEST_DIR"), "/../captures");
    let readme = std::fs::read_to_string(format!("{captures}/README.md")).expect("there");
    let rows = readme.lines().filter(|line| line.starts_with("| `pairing_") && line.contains("--seed"));
    let mut replayed = 0;
    for row in rows {
        let [name, options] = [1, 2].map(|n| row.split('|').nth(n).expect("a cell").trim().trim_matches('`'));
        let capture = format!("{captures}/{name}");
        let options: Vec<_> = options.split(' ').collect();
        let done = run(&[&["replay", &capture][..], &options].concat());
        assert!(done.status.success(), "{name}: {}", message(&done));
        let [seed, passkey] = [&options[..2], &options[2..4]];
        let asked = run(&[&["replay", &capture][..], seed].concat());
        assert!(message(&asked).contains("follows from a passkey that was typed"), "{}", message(&asked));
        let other = run(&[&["replay", &capture, "--seed", "7"][..], passkey].concat());
        assert!(message(&other).contains("first difference: random_address"), "{}", message(&other));
        replayed += 1;
    }
    assert_eq!(replayed, 5);
}
