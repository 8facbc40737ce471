//! What could be opened on this machine, found without opening it.

use crate::AdapterSpec;

/// One adapter of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Its name, to be opened by; the one that stays the same when other adapters come and go, where there is one.
    pub spec: AdapterSpec,
    /// What it is, for people.
    pub description: String,
    /// The piece of hardware behind it, as the system places it ("usb 1-2.3"): two candidates of one piece are the same
    /// adapter under two names.
    pub device: Option<String>,
    /// Why it cannot be opened as things stand, if that can be seen.
    pub problem: Option<Problem>,
}

impl Candidate {
    /// An adapter that nothing is known to keep from being opened.
    pub fn new(spec: AdapterSpec, description: impl Into<String>) -> Self {
        Self { spec, description: description.into(), device: None, problem: None }
    }
}

/// Why an adapter cannot be opened, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The reason, in a few words: "no permission".
    pub reason: String,
    /// What to do.
    pub hint: String,
}

impl Problem {
    /// A reason, and what to do.
    pub fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: hint.into() }
    }
}

/// Every adapter that the system shows: USB first, then those of the kernel, then serial ports. The same physical
/// adapter may come twice, as a USB device and as the kernel's.
pub fn candidates() -> Vec<Candidate> {
    #[allow(unused_mut, reason = "some builds have no kind of adapter that can be found")]
    let mut found = Vec::new();
    #[cfg(feature = "usb")]
    found.extend(crate::usb::candidates());
    #[cfg(all(feature = "hci-socket", any(target_os = "linux", target_os = "android")))]
    found.extend(crate::hci_socket::candidates());
    #[cfg(feature = "uart")]
    found.extend(crate::uart::candidates());
    found
}
