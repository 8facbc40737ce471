//! USB adapters as the Linux kernel sees them: a dongle in software behind its own host controller, opened by libusb.
//!
//! The dongle's controller is the test itself. Everything here needs root and `vhci_hcd`, so it runs in the guest of
//! `tests/vm`.
#![allow(clippy::disallowed_methods)] // The kernel's time is real time.

#[macro_use]
#[path = "../../../../../transports/tests/contract/checks.rs"]
mod checks;
mod errors;
mod flow;
mod names;
mod returning;

use baretooth_guest::dongle::{self, Dongle, Options};
use baretooth_transports::{
    memory::{Memory, MemoryRx, MemoryTx},
    *,
};
use checks::*;
use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
};

contract!(
    #[ignore = "needs the guest of tests/vm"]
    contract,
    async {
        let (adapter, controller, dongle) = adapter(Options::default()).await;
        dongle.leave();
        (adapter, controller)
    }
);

/// A dongle that is plugged in, and the controller's end of it. No driver takes it.
async fn plug(options: Options) -> (Dongle, Memory) {
    run("modprobe", &["-r", "btusb"]);
    let (controller, dongles) = memory::pair(64);
    (Dongle::plug(options, dongles).await.unwrap(), controller)
}

/// A dongle that `btusb` has taken. Its controller answers every command with success.
async fn plug_into_btusb(options: Options) -> Dongle {
    let (dongle, controller) = plug(options).await;
    let answer = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(dongle::answer_everything(controller));
    };
    thread::Builder::new().name("controller".into()).spawn(answer).unwrap();
    run("modprobe", &["btusb"]);
    assert_eq!(dongle.driver(0).as_deref(), Some("btusb"));
    dongle
}

async fn open(name: &str) -> Result<Usb, TransportError> {
    let Ok(AdapterSpec::Usb(spec)) = name.parse() else { panic!("{name}") };
    Usb::open(&spec, &OpenOptions::new()).await
}

/// The name of a dongle by its place.
fn name(dongle: &Dongle) -> String {
    format!("usb:{}", dongle.place())
}

/// A dongle without a driver, opened.
async fn adapter(options: Options) -> (Usb, Memory, Dongle) {
    let (dongle, controller) = plug(options).await;
    (open(&name(&dongle)).await.unwrap(), controller, dongle)
}

/// The same, both ends in halves.
async fn halves(options: Options) -> (UsbRx, UsbTx, MemoryRx, MemoryTx, Dongle) {
    let (adapter, controller, dongle) = adapter(options).await;
    let ((rx, tx), (controller_rx, controller_tx)) = (adapter.split(), controller.split());
    (rx, tx, controller_rx, controller_tx, dongle)
}

fn reset() -> HciPacket {
    HciPacket::command(0x0C03, &[]).unwrap()
}

fn event(octets: &[u8]) -> HciPacket {
    HciPacket::event(0xFF, octets).unwrap()
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect(program);
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

/// Another program that has an adapter, or tries to get it: the program `guest`, started by `prefix`.
struct Other(Child);

impl Other {
    /// It is the leader of its process group.
    fn start(prefix: &[&str], arguments: &[&str]) -> Self {
        let words = [prefix, &[env!("CARGO_BIN_EXE_guest")], arguments].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).process_group(0);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self(child.expect("the program starts"))
    }

    /// One that has opened the adapter.
    fn with(name: &str) -> Self {
        let mut other = Self::start(&[], &["open", name]);
        let mut line = String::new();
        BufReader::new(other.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), format!("{name} is open"));
        other
    }

    /// Sends a signal to it and to every process of its group.
    fn signal(&self, signal: &str) {
        run("/bin/kill", &[&format!("-{signal}"), "--", &format!("-{}", self.0.id())]);
    }

    /// All that it says before it ends.
    fn end(mut self) -> String {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().unwrap();
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat()
    }
}
