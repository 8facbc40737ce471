//! What plays the hardware in the test guest, where a real Linux kernel believes in it.
//!
//! * [`dongle`]: a USB Bluetooth dongle in software, joined to the kernel's own USB/IP host controller;
//! * [`vhci`]: a virtual HCI controller behind `/dev/vhci`.
//!
//! Both have the controller's end as a plain stream of H4, so a test can be the controller, or a serial line can lead
//! to one outside the guest.

pub mod dongle;
pub mod vhci;
