//! The verb `report`, as a user calls it.

use std::path::PathBuf;
use std::process::{Command, Output};

fn report(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    command.arg("report").args(args).env_remove("BARETOOTH_ADAPTER").env_remove("BARETOOTH_CAPTURE");
    command.output().expect("the command starts")
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).expect("text")
}

/// A folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../captures/three_links.btsnoop");
const SHORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../captures/heart_rate.btsnoop");

#[test]
fn a_page_is_written_and_its_verdict_printed() {
    let page = folder("report").join("three.html");
    let page = page.to_str().expect("text");
    let output = report(&[CAPTURE, "-o", page]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line = text(&output.stdout);
    assert!(line.starts_with(&format!("{page}: ")), "{line}");
    assert!(line.trim_end().ends_with(" packets; 3 links, 1 lost by Connection Timeout (0x08)"), "{line}");
    let html = std::fs::read_to_string(page).expect("written");
    assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"));
    let on_stdout = report(&[CAPTURE, "--output", "-"]);
    assert_eq!(text(&on_stdout.stdout), html, "the same page, and nothing else");
}

#[test]
fn in_json_it_is_one_object() {
    let page = folder("report-json").join("page.html");
    let page = page.to_str().expect("text");
    let output = report(&["--json", SHORT, "-o", page]);
    let made: serde_json::Value = serde_json::from_str(text(&output.stdout)).expect("JSON");
    assert_eq!((&made["type"], &made["page"]), (&"page".into(), &page.into()));
    assert_eq!((&made["packets"], &made["links"], &made["errors"]), (&120.into(), &1.into(), &0.into()));
}

#[test]
fn the_capture_is_never_replaced_and_what_is_none_is_refused() {
    let capture = folder("report-same").join("capture.btsnoop");
    std::fs::copy(CAPTURE, &capture).expect("a file for the test");
    let capture = capture.to_str().expect("text");
    let output = report(&[capture, "-o", capture]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(capture).expect("there"), std::fs::read(CAPTURE).expect("there"));
    let none = report(&["/nowhere/at/all.btsnoop"]);
    assert_eq!(none.status.code(), Some(1));
    let message = text(&none.stderr);
    assert!(
        message.starts_with("baretooth report: reporting on /nowhere/at/all.btsnoop failed: "),
        "{message}"
    );
}
