//! Bonds of other programs, taken and given by the real program.

#[cfg(unix)]
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const ADAPTER: &str = "00:11:22:33:44:55";
const SECURE: &str = "C0:00:00:00:00:01";
const LEGACY: &str = "00:00:00:00:00:02";
const LOCK: &str = "C0:BA:E7:70:00:06/random";
const LOCKED: &str = "ba8e7007-0002-4000-8000-000000000001";

/// A file of BlueZ: Secure Connections, with a passkey.
const INFO: &str = "[General]\nName=A lock\nAddressType=static\n\n\
    [PeripheralLongTermKey]\nKey=101112131415161718191A1B1C1D1E1F\nAuthenticated=3\nEncSize=16\nEDiv=0\nRand=0\n\n\
    [IdentityResolvingKey]\nKey=404142434445464748494A4B4C4D4E4F\n";
/// Legacy pairing, whose two keys differ.
const OLD_INFO: &str = "[General]\nAddressType=public\n\n\
    [LongTermKey]\nKey=202122232425262728292A2B2C2D2E2F\nAuthenticated=1\nEncSize=16\nEDiv=4660\nRand=9223372036854775809\n\n\
    [PeripheralLongTermKey]\nKey=303132333435363738393A3B3C3D3E3F\nAuthenticated=1\nEncSize=16\nEDiv=5\nRand=7\n";

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    for name in ["BARETOOTH_ADAPTER", "BARETOOTH_CAPTURE", "BARETOOTH_STORE"] {
        command.env_remove(name);
    }
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(words: &[&str], input: &[u8]) -> Output {
    let mut child = program(words).spawn().expect("the program starts");
    // One that has failed before it reads has closed it.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

/// A directory for the test alone.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("baretooth-bonds-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("made");
        Self(path)
    }

    fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }

    /// The file of a peer as BlueZ has it.
    fn bluez(&self, peer: &str, info: &str) -> String {
        let folder = self.0.join("bluetooth").join(ADAPTER).join(peer);
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("info"), info).expect("written");
        folder.join("info").to_str().expect("text").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bonds(store: &str, words: &[&str], input: &[u8]) -> Output {
    run(&[&["--store", store, "--json", "bonds"], words].concat(), input)
}

/// The objects of `bonds` when it ends well.
fn done(store: &str, words: &[&str]) -> Vec<Value> {
    let output = bonds(store, words, b"");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The error when it does not.
fn failed(store: &str, words: &[&str], input: &[u8]) -> Value {
    let output = bonds(store, words, input);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
    let told = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(told.lines().last().expect("it says why")).expect("an object")
}

fn says(error: &Value, kind: &str, words: &str) {
    let message = error["message"].as_str().expect("a text");
    assert!(error["kind"] == kind && message.contains(words), "{words}: {error}");
}

#[test]
fn bonds_go_through_the_files_of_every_format_to_the_key() {
    let scratch = Scratch::new("formats");
    let first = scratch.at("first");
    done(&first, &["--import", &scratch.bluez(LEGACY, OLD_INFO)]);
    let told = done(&first, &["--import", &scratch.bluez(SECURE, INFO)]);
    let expected = json!({
        "type": "imported", "address": SECURE, "address_type": "random", "method": null, "secure_connections": true,
        "authenticated": true, "key_size": 16, "bonded": true, "outcome": "added",
        "adapter": {"address": ADAPTER, "address_type": "public"},
    });
    assert_eq!(told, [expected]);
    let kept = done(&first, &["--keys"]);
    let [legacy, secure] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(secure["keys"]["ltk"], "101112131415161718191a1b1c1d1e1f");
    assert_eq!((&secure["keys"]["local_ltk"], &secure["keys"]["ediv"]), (&secure["keys"]["ltk"], &json!(0)));
    assert_eq!(secure["keys"]["irk"], "404142434445464748494a4b4c4d4e4f");
    assert_eq!(
        (&legacy["keys"]["ediv"], &legacy["keys"]["rand"]),
        (&json!(4660), &json!("0100000000000080"))
    );
    assert_eq!(legacy["keys"]["local_ltk"], "303132333435363738393a3b3c3d3e3f");

    for format in ["json", "bumble"] {
        let (file, store) = (scratch.at(format), scratch.at(&format!("from-{format}")));
        let told = done(&first, &["--export", &file, "--format", format]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!((&told[0]["type"], &told[0]["file"]), (&json!("exported"), &json!(file)));
        #[cfg(unix)]
        assert_eq!(fs::metadata(&file).expect("made").permissions().mode() & 0o7777, 0o600);
        assert_eq!(done(&store, &["--import", &file]).len(), 2);
        assert_eq!(done(&store, &["--keys"]), kept, "{format}");
    }
    // Ours is everything, with who the adapter is.
    let of_store =
        |store: &str| fs::read(scratch.0.join(store).join("00-11-22-33-44-55-public.json")).expect("kept");
    assert_eq!(fs::read(scratch.at("json")).expect("made"), of_store("first"));
    assert_eq!(of_store("from-json"), of_store("first"));
    assert_ne!(of_store("from-bumble"), of_store("first"));

    let store = scratch.at("from-bluez");
    for (peer, file) in [(LEGACY, scratch.at("legacy")), (SECURE, scratch.at("secure"))] {
        assert_eq!(done(&first, &["--export", &file, "--format", "bluez", peer]).len(), 1);
        let adapter = format!("{ADAPTER}/public");
        done(&store, &["--import", &file, "--peer", peer, "--for", &adapter]);
    }
    assert_eq!(done(&store, &["--keys"]), kept);
    let several = failed(&first, &["--export", &scratch.at("both"), "--format", "bluez"], b"");
    says(&several, "ambiguous", &format!("{LEGACY}/public, {SECURE}/random"));
    assert!(!Path::new(&scratch.at("both")).exists());
}

/// One that goes on, and is killed at the end.
struct Radio(Child);

impl Drop for Radio {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_peer_is_met_again_by_a_bond_that_went_through_a_file() {
    let mut radio =
        Radio(program(&["--json", "sim", "--listen", "tcp-server:127.0.0.1:0"]).spawn().expect("it starts"));
    let mut line = String::new();
    let mut lines = BufReader::new(radio.0.stdout.take().expect("it is piped"));
    lines.read_line(&mut line).expect("it listens");
    let listening: Value = serde_json::from_str(&line).expect("an object");
    let adapter = listening["adapter"].as_str().expect("it has one");
    // Who we are goes with our own file alone; the others are of programs that show the public address.
    for (format, own_address) in [("json", "static"), ("bumble", "public"), ("bluez", "public")] {
        let scratch = Scratch::new(&format!("met-{format}"));
        let (ours, other, file) = (scratch.at("ours"), scratch.at("other"), scratch.at("file"));
        let live = |store: &str, words: &[&str], input: &[u8]| {
            let base = ["-a", adapter, "--store", store, "--own-address", own_address];
            let output = run(&[&base[..], words].concat(), input);
            assert!(
                output.status.success(),
                "{format} {words:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8(output.stdout).expect("text")
        };
        live(&ours, &["pair", LOCK, "--mitm", "--io", "keyboard-only"], b"123456\n");
        let told = done(&ours, &["--export", &file, "--format", format, LOCK]);
        let who = &told[0]["adapter"];
        let who = format!(
            "{}/{}",
            who["address"].as_str().expect("text"),
            who["address_type"].as_str().expect("text")
        );
        let peer: &[&str] = if format == "bluez" { &["--peer", "C0:BA:E7:70:00:06"] } else { &[] };
        done(&other, &[&["--import", &file, "--for", &who], peer].concat());
        assert!(live(&other, &["read", LOCK, LOCKED], b"").ends_with(": 01\n"), "{format}");
    }
}

#[test]
fn a_file_that_is_not_understood_leaves_the_store_as_it_is_and_is_not_repeated() {
    let scratch = Scratch::new("hostile");
    let (store, key) = (scratch.at("store"), "101112131415161718191A1B1C1D1E1F");
    let bumble = r#"{"00:11:22:33:44:55/P": {"C0:00:00:00:00:01": {"ltk": {"value": "1011"}}}}"#;
    let twice = r#"{"a": {"C0:00:00:00:00:01": {"ltk": {"value": "101112131415161718191a1b1c1d1e1f"}}},
        "b": {"C0:00:00:00:00:01": {"ltk": {"value": "201112131415161718191a1b1c1d1e1f"}}}}"#;
    let debug = INFO.replace("Authenticated=3", "Authenticated=4");
    let cut_off = INFO.replace(key, &key[1..]);
    for (contents, why) in [
        (&b""[..], "neither JSON nor a file of BlueZ"),
        (b"101112131415161718191A1B1C1D1E1F", "neither JSON nor a file of BlueZ"),
        (b"{", "line 1, column 1: no JSON"),
        (b"{\"1011\":", "no JSON, or its end is missing"),
        (b"{}", "it has no bond for LE"),
        (b"{\"version\": 2}", "version: not 1"),
        (b"{\"version\": 1, \"adapter\": \"1011\"}", "line 1, column"),
        (bumble.as_bytes(), "line 1, column"),
        (twice.as_bytes(), "it has two bonds with C0:00:00:00:00:01/random"),
        (b"[1011]", "there is no key for LE"),
        (debug.as_bytes(), "made with the debug key"),
        (cut_off.as_bytes(), "not 32 hexadecimal digits"),
        (b"[General]\n\xFF", "it is no text"),
        (&[b'{'; (4 << 20) + 1], "more than 4 MiB"),
    ] {
        let file = scratch.bluez(SECURE, "");
        fs::write(&file, contents).expect("written");
        let adapter = format!("{ADAPTER}/public");
        let error = failed(&store, &["--import", &file, "--for", &adapter], b"");
        says(&error, "io", why);
        assert!(!error.to_string().replace(&file, "").contains("1011"), "{error}");
        assert!(!Path::new(&store).exists(), "{why}");
    }
    says(&failed(&store, &["--import", &scratch.at("nothing")], b""), "io", "nothing failed: ");
}

#[test]
fn whose_bond_it_is_has_to_be_known() {
    let scratch = Scratch::new("wrong");
    let (store, info) = (scratch.at("store"), scratch.at("info"));
    fs::write(&info, INFO).expect("written");
    let usage = |words: &[&str], input: &[u8]| {
        let output = bonds(&store, words, input);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).expect("text")
    };
    assert!(usage(&["--import", &info], b"").contains("give --peer"));
    assert!(usage(&["--import", "-"], INFO.as_bytes()).contains("give --peer"));
    assert!(usage(&["--import", "-", "--peer", SECURE], b"{}").contains("--peer is for a file of BlueZ"));
    usage(&["--import", &info, "--peer", "C0:00:00:00:00"], b"");
    usage(&["--import", &info, SECURE], b"");
    usage(&["--peer", SECURE], b"");
    usage(&["--export", &info], b"");
    usage(&["--export", "-", "--format", "json"], b"");
    usage(&["--export", &info, "--format", "json", "--keys"], b"");
    let private = ["--import", &info, "--peer", "40:00:00:00:00:01"];
    says(&failed(&store, &private, b""), "io", "the address is not one that stays");
    assert!(!Path::new(&store).exists());

    done(&store, &["--import", &scratch.bluez(SECURE, INFO)]);
    let other = ["--export", &scratch.at("other"), "--format", "json", LEGACY];
    says(&failed(&store, &other, b""), "not_found", LEGACY);
    assert!(!Path::new(&scratch.at("other")).exists());
}

#[test]
fn whose_bonds_they_become_has_to_be_known() {
    let scratch = Scratch::new("adapters");
    let store = scratch.at("store");
    let import = ["--import", "-", "--peer", SECURE];
    let input = INFO.as_bytes();
    says(&failed(&store, &import, input), "not_found", "knows no adapter yet");
    let unknown = failed(&store, &[&import[..], &["--for", ADAPTER]].concat(), input);
    says(&unknown, "not_found", "--for ADAPTER, as 00:11:22:33:44:55/public");
    assert!(!Path::new(&store).exists());

    done(&store, &["--import", &scratch.bluez(LEGACY, OLD_INFO)]);
    assert!(bonds(&store, &import, input).status.success(), "there is one");
    let made = bonds(&store, &[&import[..], &["--for", "66:11:22:33:44:55/public"]].concat(), input);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let both = "00:11:22:33:44:55/public, 66:11:22:33:44:55/public";
    says(&failed(&store, &import, input), "ambiguous", both);
    let export = ["--export", &scratch.at("all"), "--format", "bumble"];
    says(&failed(&store, &export, b""), "ambiguous", both);
    let told = done(&store, &[&export[..], &["--for", "66:11:22:33:44:55"]].concat());
    assert_eq!((told.len(), &told[0]["address"]), (1, &json!(SECURE)));
    assert_eq!(done(&store, &["--for", ADAPTER]).len(), 2);
    assert_eq!(done(&store, &[LEGACY]).len(), 1);
}

#[test]
fn who_an_adapter_is_comes_along_only_where_no_peer_knows_it_yet() {
    let scratch = Scratch::new("identity");
    let (store, other, file) = (scratch.at("store"), scratch.at("other"), scratch.at("file"));
    done(&store, &["--import", &scratch.bluez(SECURE, INFO)]);
    done(&store, &["--export", &file, "--format", "json"]);
    let identity = || {
        let kept = fs::read(scratch.0.join("other").join("00-11-22-33-44-55-public.json")).expect("kept");
        serde_json::from_slice::<Value>(&kept).expect("JSON")["identity"].clone()
    };
    let exported: Value = serde_json::from_slice(&fs::read(&file).expect("made")).expect("JSON");

    done(&other, &["--import", &scratch.bluez(LEGACY, OLD_INFO)]);
    let before = identity();
    let output = bonds(&other, &["--import", &file], b"");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("00:11:22:33:44:55/public stays who it is"));
    assert!(identity() == before && before != exported["identity"]);

    assert!(run(&["--store", &other, "unpair", "--all"], b"").status.success());
    let output = bonds(&other, &["--import", &file], b"");
    assert_eq!((output.status.success(), &output.stderr[..]), (true, &b""[..]));
    assert_eq!(identity(), exported["identity"]);
}

#[test]
fn nothing_is_written_over() {
    let scratch = Scratch::new("existing");
    let (store, file) = (scratch.at("store"), scratch.at("file"));
    done(&store, &["--import", &scratch.bluez(SECURE, INFO)]);
    fs::write(&file, "mine").expect("written");
    let export = ["--export", &file, "--format", "json"];
    says(&failed(&store, &export, b""), "io", "it is there already");
    assert_eq!(fs::read(&file).expect("there"), b"mine");
    #[cfg(unix)]
    {
        let target = scratch.at("target");
        fs::remove_file(&file).expect("gone");
        symlink(&target, &file).expect("made");
        says(&failed(&store, &export, b""), "io", "it is there already");
        assert!(!Path::new(&target).exists());
    }
}

#[test]
fn a_weaker_bond_replaces_none_and_the_same_one_changes_nothing() {
    let scratch = Scratch::new("weaker");
    let store = scratch.at("store");
    done(&store, &["--import", &scratch.bluez(SECURE, INFO)]);
    let file = scratch.0.join("store").join("00-11-22-33-44-55-public.json");
    let before = fs::read(&file).expect("kept");
    let (key, other) = ("Key=1011", "Key=9011");
    let weaker = INFO.replace(key, other).replace("Authenticated=3", "Authenticated=2");
    let error = failed(&store, &["--import", &scratch.bluez(SECURE, &weaker)], b"");
    says(&error, "security", "is stronger than the one in the file");
    assert_eq!(fs::read(&file).expect("kept"), before);

    let same = done(&store, &["--import", &scratch.bluez(SECURE, INFO)]);
    assert_eq!(same[0]["outcome"], "unchanged");
    assert_eq!(fs::read(&file).expect("kept"), before);

    let equal = done(&store, &["--import", &scratch.bluez(SECURE, &INFO.replace(key, other))]);
    assert_eq!(equal[0]["outcome"], "replaced");
    assert_eq!(done(&store, &["--keys"])[0]["keys"]["ltk"], "901112131415161718191a1b1c1d1e1f");
}

#[test]
fn people_read_what_became_of_each_bond() {
    let scratch = Scratch::new("people");
    let (store, file) = (scratch.at("store"), scratch.at("file"));
    let say = |words: &[&str]| {
        let output = run(&[&["--store", &store, "bonds"], words].concat(), b"");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let bond = "C0:00:00:00:00:01/random: by another program, Secure Connections, authenticated, a key of 16 octets; \
        of our 00:11:22:33:44:55/public\n";
    let info = scratch.bluez(SECURE, INFO);
    assert_eq!(say(&["--import", &info]), format!("imported {bond}"));
    assert_eq!(say(&["--import", &info]), format!("kept already: {bond}"));
    assert_eq!(say(&["--export", &file, "--format", "bluez"]), format!("exported {bond}"));
}
