//! Adapters that are plugged in and pulled out.
//!
//! One thread compares what there is with what there was, whenever libusb reports a change of any device, or once a
//! second where libusb reports none (Windows). It owns nothing else, and never opens a device.

use super::{
    error,
    find::{self, Described},
    list,
    sys::has_hotplug,
};
use crate::{AdapterSpec, Candidate, TransportError};
use rusb::{Context, Device, Hotplug, HotplugBuilder, UsbContext};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::watch;

/// What happened to an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It was plugged in.
    Arrived(Candidate),
    /// It was pulled out; the name is that of its arrival.
    Left(AdapterSpec),
}

/// The USB Bluetooth adapters of this machine as they come and go. Dropping it ends the watch.
///
/// ```no_run
/// use baretooth_transports::{Change, UsbWatch};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), baretooth_transports::TransportError> {
/// let mut adapters = UsbWatch::start()?;
/// while let Some(change) = adapters.next().await {
///     if let Change::Arrived(adapter) = change {
///         println!("{}: {}", adapter.spec, adapter.description);
///     }
/// }
/// # Ok(()) }
/// ```
pub struct UsbWatch {
    present: watch::Receiver<Vec<Described>>,
    /// What the user was told to be here.
    told: Vec<(Described, AdapterSpec)>,
    changes: VecDeque<Change>,
    stop: Arc<AtomicBool>,
    context: Context,
    thread: Option<JoinHandle<()>>,
}

/// How often a system without reports is asked.
const POLL: Duration = Duration::from_secs(1);
/// A device is reported before the system has configured it, so each report is worth several looks.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

impl UsbWatch {
    /// Begins to watch. The adapters that are here already are the first to arrive.
    ///
    /// The permission to use an adapter may come later than the adapter, by a rule of udev: an open that is refused is
    /// worth another attempt.
    ///
    /// # Errors
    /// [`TransportError::Unsupported`] without USB, as in most containers.
    pub fn start() -> Result<Self, TransportError> {
        let what = "usb:";
        let context = Context::new().map_err(|error| error::no_usb(what, error))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, present) = watch::channel(vec![]);
        let watcher =
            Watcher { context: context.clone(), stop: stop.clone(), changed: Arc::default(), sender };
        let thread = thread::Builder::new()
            .name("baretooth-watch".into())
            .spawn(move || watcher.run())
            .map_err(|error| TransportError::opening("starting a thread for", what, error))?;
        Ok(Self { present, told: vec![], changes: VecDeque::new(), stop, context, thread: Some(thread) })
    }

    /// The next change; `None` when the system tells of no more. What came and went between two calls is not told.
    ///
    /// # Cancel safety
    /// Cancel safe: a change that was not returned is returned by the next call.
    pub async fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return Some(change);
            }
            self.present.changed().await.ok()?;
            let present = self.present.borrow_and_update().clone();
            compare(&mut self.told, &mut self.changes, &present);
        }
    }
}

/// Tells what has changed since `told`.
fn compare(told: &mut Vec<(Described, AdapterSpec)>, changes: &mut VecDeque<Change>, present: &[Described]) {
    told.retain(|(device, spec)| {
        let stays = present.iter().any(|other| device.is_same(other));
        if !stays {
            changes.push_back(Change::Left(spec.clone()));
        }
        stays
    });
    for (device, spec) in find::names(present) {
        if !told.iter().any(|(other, _)| device.is_same(other)) {
            told.push((device.clone(), AdapterSpec::Usb(spec.clone())));
            changes.push_back(Change::Arrived(list::candidate(device, spec)));
        }
    }
}

impl Drop for UsbWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.context.interrupt_handle_events();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for UsbWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UsbWatch").field("told", &self.told).finish_non_exhaustive()
    }
}

/// What the thread has.
struct Watcher {
    context: Context,
    stop: Arc<AtomicBool>,
    changed: Arc<AtomicBool>,
    sender: watch::Sender<Vec<Described>>,
}

impl Watcher {
    fn run(self) {
        // libusb calls back in the middle of its own work: nothing may be asked of it there.
        let callback = Box::new(Changed(self.changed.clone()));
        let registration = if has_hotplug(&self.context) {
            HotplugBuilder::new().register(self.context.clone(), callback).ok()
        } else {
            None
        };
        let mut looks = LOOKS;
        while !self.stop.load(Ordering::Acquire) {
            self.publish();
            looks = if self.changed.swap(false, Ordering::AcqRel) { LOOKS } else { looks.saturating_sub(1) };
            let wait = (looks > 0).then_some(BETWEEN_LOOKS);
            if registration.is_none() || self.context.handle_events(wait).is_err() {
                thread::park_timeout(POLL);
            }
        }
        // Before the context, which it needs.
        drop(registration);
    }

    fn publish(&self) {
        let Ok(devices) = list::devices(&self.context) else { return };
        let adapters = devices.into_iter().map(|(_, described)| described);
        let adapters: Vec<_> = adapters.filter(|described| described.hci(false).is_some()).collect();
        self.sender.send_if_modified(|present| {
            let modified = *present != adapters;
            *present = adapters;
            modified
        });
    }
}

struct Changed(Arc<AtomicBool>);

impl Hotplug<Context> for Changed {
    fn device_arrived(&mut self, _: Device<Context>) {
        self.0.store(true, Ordering::Release);
    }

    fn device_left(&mut self, _: Device<Context>) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usb::find::{Endpoint, Setting};

    fn adapter(address: u8) -> Described {
        let endpoints =
            [(0x81, 3), (0x82, 2), (0x02, 2)].map(|(end, kind)| Endpoint::new(end, kind, 64)).to_vec();
        let settings = vec![Setting { interface: 0, alternate: 0, class: [0xE0, 1, 1], endpoints }];
        Described {
            bus: 1,
            address,
            ports: vec![address],
            vendor: 0x0A12,
            product: 1,
            settings,
            ..Default::default()
        }
    }

    /// What a watch tells when these are present one after the other.
    fn changes(rounds: &[&[u8]]) -> Vec<String> {
        let (mut told, mut changes) = (vec![], VecDeque::new());
        for round in rounds {
            compare(
                &mut told,
                &mut changes,
                &round.iter().map(|address| adapter(*address)).collect::<Vec<_>>(),
            );
        }
        changes
            .into_iter()
            .map(|change| match change {
                Change::Arrived(candidate) => format!("+{}", candidate.spec),
                Change::Left(spec) => format!("-{spec}"),
            })
            .collect()
    }

    #[test]
    fn each_change_is_told_once_and_a_device_leaves_by_the_name_of_its_arrival() {
        assert_eq!(
            changes(&[&[2], &[2], &[2, 3], &[3], &[]]),
            ["+usb:0a12:0001", "+usb:0a12:0001#1", "-usb:0a12:0001", "-usb:0a12:0001#1"]
        );
    }

    #[test]
    fn one_that_was_pulled_out_and_plugged_in_between_two_looks_has_left_and_arrived() {
        // It has another address then.
        assert_eq!(changes(&[&[2], &[4]]), ["+usb:0a12:0001", "-usb:0a12:0001", "+usb:0a12:0001"]);
    }

    #[test]
    fn a_watch_that_is_dropped_has_ended() {
        // Without USB the start says so; with it, dropping returns.
        match UsbWatch::start() {
            Ok(watch) => drop(watch),
            Err(error) => assert!(error.to_string().contains("no USB here"), "{error}"),
        }
    }
}
