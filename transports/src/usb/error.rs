//! What libusb's errors mean to a user, and what to do. Each has a sentence of its own.

use super::sys::Outcome;
use crate::TransportError;
use rusb::Error;
use std::{io, sync::Arc};

/// No USB at all, from the attempt to start libusb.
pub(super) fn no_usb(what: &str, error: Error) -> TransportError {
    let reason = match error {
        Error::NoMem => "no USB here: there is no memory left",
        Error::Access => "no USB here: this program may not look at USB devices",
        _ => {
            "no USB here: the system shows no USB devices (on Linux /dev/bus/usb or /sys/bus/usb; containers have neither \
             unless they are given)"
        }
    };
    TransportError::Unsupported { what: what.into(), reason }
}

/// A failure before the adapter was open.
pub(super) fn opening(operation: &'static str, what: &str, error: Error) -> TransportError {
    let what = what.to_owned();
    match error {
        Error::Access => TransportError::Permission { what, hint: PERMISSION.into() },
        Error::Busy => TransportError::Busy { what, hint: BUSY.into() },
        Error::NotFound => TransportError::NotFound {
            what,
            hint: "the device is here, but not the interface that its descriptors announce; plug it in anew"
                .into(),
        },
        Error::NotSupported => TransportError::Unsupported { what, reason: NOT_SUPPORTED },
        _ => using(operation, &what, error),
    }
}

/// A failure of an open adapter.
pub(super) fn using(operation: &'static str, what: &str, error: Error) -> TransportError {
    let hint = match error {
        Error::NoDevice => return TransportError::Disconnected { what: what.into() },
        Error::Io => "the cable, the hub or the adapter is at fault; plug it in anew",
        Error::InvalidParam => "the adapter is not as its descriptors announce; plug it in anew",
        Error::Access => "the permission to use it was withdrawn",
        Error::NotFound => "the adapter has another configuration now; open it again",
        Error::Busy => "another program has taken it",
        Error::Timeout => "it does not answer; plug it in anew",
        Error::Overflow => {
            "it sent more than its descriptors announce; its firmware or the cable is at fault"
        }
        Error::Pipe => "it refused the transfer (stall); open it again",
        Error::Interrupted => "a signal came in between; open it again",
        Error::NoMem => "no memory is left for USB transfers (on Linux usbcore.usbfs_memory_mb is the bound)",
        Error::NotSupported => NOT_SUPPORTED,
        Error::BadDescriptor => "its descriptors make no sense; its firmware or the cable is at fault",
        Error::Other => "",
    };
    let source = Arc::new(io::Error::other(error));
    TransportError::Io { operation, object: what.into(), hint, source }
}

/// The end of a transfer that was not a good one.
pub(super) fn transfer(operation: &'static str, what: &str, outcome: Outcome) -> Option<TransportError> {
    match outcome {
        Outcome::Completed | Outcome::Cancelled => None,
        Outcome::Stalled => Some(using(operation, what, Error::Pipe)),
        Outcome::Overflowed => Some(using(operation, what, Error::Overflow)),
        // A device that is pulled breaks the bus before the system notices, and what was lost with a broken bus cannot
        // be asked for again.
        Outcome::NoDevice | Outcome::Failed => Some(TransportError::Disconnected { what: what.into() }),
    }
}

pub(super) const PERMISSION: &str = if cfg!(target_os = "linux") {
    "run as root, or give your user the device by a udev rule (docs/adapters.md, \"USB without root\")"
} else {
    "run as an administrator"
};

const BUSY: &str = "another program uses it over USB; end that program";

const NOT_SUPPORTED: &str = if cfg!(windows) {
    "Windows gives it to its own Bluetooth driver; replace that by WinUSB, for example with Zadig"
} else {
    "this system cannot take it from its own driver"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_libusb_has_a_sentence_of_its_own() {
        let all = [
            Error::Io,
            Error::InvalidParam,
            Error::Access,
            Error::NoDevice,
            Error::NotFound,
            Error::Busy,
            Error::Timeout,
            Error::Overflow,
            Error::Pipe,
            Error::Interrupted,
            Error::NoMem,
            Error::NotSupported,
            Error::BadDescriptor,
            Error::Other,
        ];
        for make in [opening, using] {
            let mut messages: Vec<String> =
                all.iter().map(|error| make("claiming", "usb:0", *error).to_string()).collect();
            assert!(messages.iter().all(|message| message.contains("usb:0")));
            messages.sort();
            messages.dedup();
            assert_eq!(messages.len(), all.len());
        }
    }

    #[test]
    fn the_errors_that_a_user_meets_say_what_to_do() {
        let text = |error| opening("claiming", "usb:0", error).to_string();
        assert!(text(Error::Busy).starts_with("usb:0 is in use; another program uses it over USB"));
        assert!(text(Error::Access).starts_with("no permission to use usb:0; run as "));
        assert_eq!(
            text(Error::NoDevice),
            "usb:0 was disconnected; plug it in or power it on, and open it again"
        );
        assert_eq!(
            text(Error::Timeout),
            "claiming usb:0 failed: Operation timed out; it does not answer; plug it in anew"
        );
        assert!(no_usb("usb:0", Error::Other).to_string().starts_with("usb:0 cannot be opened: no USB here"));
    }
}
