//! `decode --live` where there is nothing to listen to, or something is wrong; tests/vm listens to real adapters.

use std::process::{Command, Output, Stdio};

fn baretooth(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    command.env_remove("BARETOOTH_ADAPTER").env_remove("BARETOOTH_CAPTURE").args(words).stdin(Stdio::null());
    command.output().expect("the program starts")
}

fn error(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

#[test]
fn a_capture_or_live_one_of_the_two() {
    for (words, missing) in [(&["decode"][..], "<FILE>"), (&["decode", "--live", "run.btsnoop"], "'--live'")]
    {
        let output = baretooth(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(error(&output).contains(missing), "{}", error(&output));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn live_takes_no_other_adapter_than_the_monitor() {
    let output = baretooth(&["--adapter", "sim", "decode", "--live"]);
    assert_eq!(output.status.code(), Some(2));
    let expected =
        "baretooth decode: --live listens to all adapters of the system: --adapter monitor:, not sim\n";
    assert_eq!(error(&output), expected);
    assert_eq!(output.stdout, b"");
}

#[test]
fn the_monitor_is_no_adapter_for_a_session() {
    let output = baretooth(&["--adapter", "monitor:", "info"]);
    assert_eq!(output.status.code(), Some(1));
    let hint = "it only listens; `baretooth decode --live` shows what it hears";
    assert!(error(&output).contains(hint), "{}", error(&output));
}
