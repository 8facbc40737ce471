//! Gives the adapter back to the system's driver when this process dies without doing so.
//!
//! libusb gives it back on a clean close. A process that is killed closes its files, but nothing calls the driver to
//! the interfaces that it had been taken from: `hci0` would be gone until the adapter is plugged in anew. So while an
//! adapter is taken, a process `baretooth-usb` waits for the end of this one. It has no file open but the device and a
//! pipe, ignores the signals of a terminal, and ends with the connection. Its memory is a copy of this process at the time
//! of opening, shared with it until one of them writes.
//!
//! Only Linux needs it, and only where there was a driver.

#[cfg(target_os = "linux")]
mod sys;

#[cfg(target_os = "linux")]
pub(super) use sys::Guardian;

/// Nothing: other systems do not take adapters from their drivers in this way.
#[cfg(not(target_os = "linux"))]
pub(super) struct Guardian;

#[cfg(not(target_os = "linux"))]
impl Guardian {
    pub(super) fn start(_: &super::find::Described, _: &[u8]) -> Option<Self> {
        None
    }

    pub(super) fn dismiss(self) {}
}
