//! Taking an adapter from the system's driver, and giving it back.

use super::{
    error,
    find::{self, Described, Hci},
    guardian::Guardian,
    list,
};
use crate::{OpenOptions, TransportError, UsbSelector, UsbSpec};
use rusb::{Context, Device, DeviceHandle, Error};
use std::{sync::Arc, thread, time::Duration};

/// An adapter that is ours until it is dropped.
pub(super) struct Adapter {
    pub(super) name: Arc<str>,
    pub(super) hci: Hci,
    pub(super) handle: Arc<DeviceHandle<Context>>,
    pub(super) context: Context,
    claimed: Vec<u8>,
    /// Interfaces that a driver of the system had.
    detached: Vec<u8>,
    guardian: Option<Guardian>,
}

impl Adapter {
    /// Finds and takes the adapter that `spec` means.
    pub(super) fn take(spec: &UsbSpec, options: OpenOptions) -> Result<Self, TransportError> {
        let name: Arc<str> = format!("usb:{spec}").into();
        let context = Context::new().map_err(|error| error::no_usb(&name, error))?;
        let (device, described, hci) = find_device(&context, spec, &name)?;
        let mut handle = device.open().map_err(|error| error::opening("opening", &name, error))?;
        if options.reset_port {
            handle = reset(&context, handle, &described, &name)?;
        }
        let mut adapter = Self {
            name,
            hci,
            handle: Arc::new(handle),
            context,
            claimed: vec![],
            detached: vec![],
            guardian: None,
        };
        adapter.claim_all(&described)?;
        Ok(adapter)
    }

    fn claim_all(&mut self, described: &Described) -> Result<(), TransportError> {
        let interface = self.hci.interface;
        self.claim(interface, described).map_err(|error| {
            let error = error::opening("claiming the interface of", &self.name, error);
            who_uses(error, described)
        })?;
        // It is only claimed so that nobody else has half of the function, and may be missing in a composite device.
        if let Some(voice) = self.hci.voice
            && self.claim(voice, described).is_ok()
        {
            let _ = self.handle.set_alternate_setting(voice, 0);
        }
        Ok(())
    }

    /// Takes one interface, from the system's driver too; that may come back in between, when a guardian of a process
    /// that died has just called it.
    fn claim(&mut self, interface: u8, described: &Described) -> rusb::Result<()> {
        for _ in 0..5 {
            if self.handle.kernel_driver_active(interface).unwrap_or(false) {
                let interfaces = [Some(self.hci.interface), self.hci.voice];
                let watched: Vec<u8> = interfaces.into_iter().flatten().collect();
                self.guardian = self.guardian.take().or_else(|| Guardian::start(described, &watched));
                if !self.detached.contains(&interface) {
                    self.detached.push(interface);
                }
                // What it says does not matter as long as the interface can be claimed.
                let _ = self.handle.detach_kernel_driver(interface);
            }
            match self.handle.claim_interface(interface) {
                Err(Error::Busy) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.claimed.push(interface);
                    return Ok(());
                }
            }
        }
        Err(Error::Busy)
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        // The driver takes the voice interface when it gets the first one, so all must be free before.
        for interface in self.claimed.drain(..).rev() {
            let _ = self.handle.release_interface(interface);
        }
        for interface in self.detached.drain(..) {
            // Busy: it came with the one before.
            let _ = self.handle.attach_kernel_driver(interface);
        }
        if let Some(guardian) = self.guardian.take() {
            guardian.dismiss();
        }
    }
}

fn find_device(
    context: &Context,
    spec: &UsbSpec,
    name: &str,
) -> Result<(Device<Context>, Described, Hci), TransportError> {
    let mut devices =
        list::devices(context).map_err(|error| error::opening("listing devices for", name, error))?;
    if let UsbSelector::Serial { vendor, product, .. } = spec.selector {
        for (device, described) in &mut devices {
            if described.is(vendor, product) && described.serial.is_none() {
                described.serial = list::ask_serial(device);
            }
        }
    }
    let (mut devices, all): (Vec<_>, Vec<_>) = devices.into_iter().unzip();
    let (described, hci) =
        find::select(&all, spec).map_err(|hint| TransportError::NotFound { what: name.into(), hint })?;
    let index = all.iter().position(|other| other == described).unwrap_or_default();
    Ok((devices.swap_remove(index), described.clone(), hci))
}

/// Resets the port, after which the device may be another one for the system.
fn reset(
    context: &Context,
    handle: DeviceHandle<Context>,
    described: &Described,
    name: &str,
) -> Result<DeviceHandle<Context>, TransportError> {
    match handle.reset() {
        Ok(()) => return Ok(handle),
        Err(Error::NotFound | Error::NoDevice) => drop(handle),
        Err(error) => return Err(error::opening("resetting", name, error)),
    }
    let selector = UsbSelector::Port { bus: described.bus, ports: described.ports.clone() };
    let spec = UsbSpec { selector, force: true };
    for _ in 0..30 {
        thread::park_timeout(Duration::from_millis(100));
        if let Ok((device, ..)) = find_device(context, &spec, name)
            && let Ok(handle) = device.open()
        {
            return Ok(handle);
        }
    }
    Err(TransportError::Disconnected { what: name.into() })
}

/// Adds to "busy" who it is, where the system tells.
fn who_uses(error: TransportError, described: &Described) -> TransportError {
    match (error, list::users(described)) {
        (TransportError::Busy { what, .. }, Some(users)) => {
            TransportError::Busy { what, hint: format!("{users} uses it over USB; end that program") }
        }
        (error, _) => error,
    }
}
