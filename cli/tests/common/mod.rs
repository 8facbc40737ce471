//! The real program: run for one answer, or going on beside others on one radio.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The program with these arguments, and nothing of the environment that would choose for it.
pub fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baretooth"));
    for name in ["BARETOOTH_ADAPTER", "BARETOOTH_CAPTURE", "BARETOOTH_STORE"] {
        command.env_remove(name);
    }
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// One that goes on, and is killed at the end.
pub struct Running {
    pub child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    pub fn new(words: &[&str]) -> Self {
        let mut child = program(words).stdin(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, lines }
    }

    /// The next object that it prints.
    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it can be read");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    pub fn input(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().expect("it is piped")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A radio, and the adapters of two of its controllers.
pub fn radio() -> (Running, [String; 2]) {
    let listen = ["--listen", "tcp-server:127.0.0.1:0"];
    let mut radio = Running::new(&[&["--json", "sim"][..], &listen, &listen].concat());
    let mut adapter = || radio.next()["adapter"].as_str().expect("it listens").to_owned();
    let adapters = [adapter(), adapter()];
    (radio, adapters)
}
