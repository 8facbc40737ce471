//! USB adapters as the Linux kernel sees them: a dongle in software behind its own host controller, opened by libusb.
//!
//! The dongle's controller is the test itself. Everything here needs root and `vhci_hcd`, so it runs in the guest of
//! `tests/vm`.

#[macro_use]
#[path = "../../../../transports/tests/contract/checks.rs"]
mod checks;

use baretooth_guest::dongle::{Dongle, Options};
use baretooth_transports::{memory::Memory, *};
use checks::*;

contract!(
    #[ignore = "needs the guest of tests/vm"]
    usb,
    async {
        let (adapter, controller, dongle) = adapter(Options::default()).await;
        dongle.leave();
        (adapter, controller)
    }
);

/// A dongle that is plugged in, and the controller's end of it.
async fn plug(options: Options) -> (Dongle, Memory) {
    modprobe(&["vhci-hcd"]);
    let (controller, dongles) = memory::pair(64);
    (Dongle::plug(options, dongles).await.unwrap(), controller)
}

/// The same, with the dongle opened.
async fn adapter(options: Options) -> (Usb, Memory, Dongle) {
    let (dongle, controller) = plug(options).await;
    let AdapterSpec::Usb(spec) = format!("usb:{}", dongle.place()).parse().unwrap() else { panic!() };
    (Usb::open(&spec, &OpenOptions::new()).await.unwrap(), controller, dongle)
}

fn modprobe(arguments: &[&str]) {
    let status = std::process::Command::new("modprobe").args(arguments).status();
    assert!(status.is_ok_and(|status| status.success()), "modprobe {arguments:?}");
}
