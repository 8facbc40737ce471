//! The user channel of real adapters of a real kernel, whose controllers are made in software.

mod controller;
#[path = "../../../../../transports/tests/contract/checks.rs"]
#[macro_use]
#[expect(dead_code, reason = "two checks do not apply: contract.rs says why")]
mod checks;
mod contract;
mod monitor;
mod opening;

use baretooth_transports::*;
use controller::Controller;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// Opens an adapter as users do.
async fn open(index: u16) -> Result<HciSocket, TransportError> {
    HciSocket::open(index, &OpenOptions::new()).await
}

/// The message of what must fail.
async fn message(index: u16, options: OpenOptions) -> String {
    HciSocket::open(index, &options).await.expect_err("an error").to_string()
}

/// What is said of an adapter without opening it.
fn candidate(index: u16) -> Candidate {
    let found = HciSocket::candidates().expect("a kernel with Bluetooth");
    let ours = found.into_iter().find(|candidate| candidate.spec == AdapterSpec::HciSocket(index));
    ours.expect("the adapter is listed")
}

fn is_up(index: u16) -> bool {
    let description = candidate(index).description;
    assert!(description.ends_with(", up") || description.ends_with(", down"), "{description}");
    description.ends_with(", up")
}

/// Brings an adapter up, as somebody else: it is set up by then.
fn bring_up(index: u16) {
    run("hciconfig", &[&format!("hci{index}"), "up"]);
    assert!(is_up(index));
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect(program);
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

/// Another program that may have an adapter, with the user and capabilities that `setpriv` gives it.
struct Other(Child);

impl Other {
    fn start(setpriv: &[&str], arguments: &[&str]) -> Self {
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(setpriv).arg(env!("CARGO_BIN_EXE_guest")).args(arguments);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self(child.expect("setpriv"))
    }

    /// What it says first on standard output.
    fn line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// All that it says before it ends: standard output, then standard error.
    fn end(mut self) -> String {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().expect("it ends");
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("text")).concat()
    }
}
