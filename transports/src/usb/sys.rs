//! What libusb offers only in C: asynchronous transfers, and descriptors of devices that lie.
//!
//! A [`Transfer`] is owned by whoever holds its box, and by libusb from [`submit`](Transfer::submit) until its callback
//! hands the box to the [`Target`]. It keeps its device open, so the order that libusb asks for (last callback, then
//! the memory, then the device, then libusb itself) holds whatever is dropped first.
#![allow(unsafe_code)]

use super::find::{Endpoint, Kind, Setting};
use bytes::Bytes;
use rusb::{Context, Device, DeviceHandle, Error, constants::*, ffi};
use std::{ffi::c_int, fmt, ptr::NonNull, slice, sync::Arc};

/// Who gets a transfer back.
pub(super) trait Target: Send + Sync {
    /// `transfer` is over. Called on the event thread, once for each submission.
    fn completed(self: Arc<Self>, transfer: Box<Transfer>, outcome: Outcome);
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Well; [`Transfer::octets`] has what came.
    Completed,
    /// [`Canceller::cancel`] ended it.
    Cancelled,
    /// The device refused it.
    Stalled,
    /// The device sent more than fits.
    Overflowed,
    /// The device is gone.
    NoDevice,
    /// The bus failed.
    Failed,
}

/// One transfer and its buffer.
pub(super) struct Transfer {
    raw: Arc<Raw>,
    buffer: Buffer,
    /// Only while it is in flight.
    target: Option<Arc<dyn Target>>,
    /// For its owner: what it carries.
    pub(super) pipe: Pipe,
    /// For its owner: its place among those of its pipe.
    pub(super) number: u64,
}

/// What a transfer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pipe {
    Commands,
    Events,
    DataIn,
    DataOut,
}

enum Buffer {
    Own(Vec<u8>),
    /// Only to be sent: libusb reads it and nothing else.
    Packet(Bytes),
}

/// Frees the transfer, then lets go of the device.
struct Raw {
    transfer: NonNull<ffi::libusb_transfer>,
    device: Arc<DeviceHandle<Context>>,
}

// SAFETY: libusb takes its calls from any thread. The fields of the transfer are touched by the one owner of the
// `Transfer` only, and by libusb while it is in flight.
unsafe impl Send for Raw {}
// SAFETY: through a shared `Raw` only `libusb_cancel_transfer` is called, which locks.
unsafe impl Sync for Raw {}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: a transfer in flight holds this `Raw` alive, so this one is not; nobody else knows the pointer, and
        // the device that it may point to is still open.
        unsafe { ffi::libusb_free_transfer(self.transfer.as_ptr()) }
    }
}

/// Cancels one transfer, wherever it is.
pub(super) struct Canceller(Arc<Raw>);

impl Canceller {
    /// Ends the transfer if it is in flight; its target still gets it back.
    pub(super) fn cancel(&self) {
        // SAFETY: the memory lives as long as `Raw`; libusb itself finds out whether it is in flight. An error says
        // that it is not, or that its end is under way already.
        let _ = unsafe { ffi::libusb_cancel_transfer(self.0.transfer.as_ptr()) };
    }
}

impl Transfer {
    fn new(device: &Arc<DeviceHandle<Context>>, pipe: Pipe, buffer: Vec<u8>) -> rusb::Result<Box<Self>> {
        // SAFETY: it has no precondition.
        let transfer = NonNull::new(unsafe { ffi::libusb_alloc_transfer(0) }).ok_or(Error::NoMem)?;
        let raw = Arc::new(Raw { transfer, device: device.clone() });
        Ok(Box::new(Self { raw, buffer: Buffer::Own(buffer), target: None, pipe, number: 0 }))
    }

    /// One that receives at most one USB packet of `endpoint`.
    pub(super) fn incoming(
        device: &Arc<DeviceHandle<Context>>,
        pipe: Pipe,
        endpoint: &Endpoint,
    ) -> rusb::Result<Box<Self>> {
        let mut transfer = Self::new(device, pipe, vec![0; usize::from(endpoint.packet)])?;
        let kind = match endpoint.kind {
            Kind::Interrupt => LIBUSB_TRANSFER_TYPE_INTERRUPT,
            _ => LIBUSB_TRANSFER_TYPE_BULK,
        };
        transfer.fill(kind, endpoint.address)?;
        Ok(transfer)
    }

    /// One that sends what is loaded.
    pub(super) fn outgoing(device: &Arc<DeviceHandle<Context>>, pipe: Pipe) -> rusb::Result<Box<Self>> {
        Self::new(device, pipe, vec![])
    }

    /// An HCI command for the control endpoint ([Vol 4] Part B, 2.2.1).
    pub(super) fn load_command(&mut self, request_type: u8, index: u8, command: &[u8]) -> rusb::Result<()> {
        let length = u16::try_from(command.len()).map_err(|_| Error::InvalidParam)?.to_le_bytes();
        let mut buffer = vec![request_type, 0, 0, 0, index, 0];
        buffer.extend(length);
        buffer.extend_from_slice(command);
        self.buffer = Buffer::Own(buffer);
        self.fill(LIBUSB_TRANSFER_TYPE_CONTROL, 0)
    }

    /// The same command once more, addressed otherwise.
    pub(super) fn readdress(&mut self, request_type: u8, index: u8) {
        if let Buffer::Own(buffer) = &mut self.buffer
            && let [first, _, _, _, low, ..] = &mut buffer[..]
        {
            (*first, *low) = (request_type, index);
        }
    }

    /// Data for a bulk endpoint, not copied.
    pub(super) fn load_data(&mut self, endpoint: u8, data: Bytes) -> rusb::Result<()> {
        self.buffer = Buffer::Packet(data);
        self.fill(LIBUSB_TRANSFER_TYPE_BULK, endpoint)
    }

    fn fill(&mut self, kind: u8, endpoint: u8) -> rusb::Result<()> {
        let (buffer, length) = match &mut self.buffer {
            Buffer::Own(octets) => (octets.as_mut_ptr(), octets.len()),
            Buffer::Packet(octets) => (octets.as_ptr().cast_mut(), octets.len()),
        };
        let length = c_int::try_from(length).map_err(|_| Error::InvalidParam)?;
        let transfer = self.raw.transfer.as_ptr();
        // SAFETY: the box is here, so the transfer is not in flight and the pointer is ours alone. The buffer lives in
        // the box until it is loaded anew, which fills this again. libusb writes into the buffer of an IN transfer
        // only, and those have a vector of their own.
        unsafe {
            (*transfer).dev_handle = self.raw.device.as_raw();
            (*transfer).transfer_type = kind;
            (*transfer).endpoint = endpoint;
            (*transfer).buffer = buffer;
            (*transfer).length = length;
            // No time-out: libusb drops what arrives while it is cancelling.
            (*transfer).timeout = 0;
            (*transfer).callback = completed;
        }
        Ok(())
    }

    /// Hands the transfer to libusb until `target` gets it back.
    ///
    /// # Errors
    /// When libusb does not take it; it is at rest then, as before.
    pub(super) fn submit(mut self: Box<Self>, target: Arc<dyn Target>) -> Result<(), (Box<Self>, Error)> {
        self.target = Some(target);
        let transfer = self.raw.transfer.as_ptr();
        let owned = Box::into_raw(self);
        // SAFETY: `fill` has run, as every constructor and loader ends with it; buffer and device live in the box,
        // which now belongs to libusb. The callback may run at once, so nothing is touched after success.
        let result = unsafe {
            (*transfer).user_data = owned.cast();
            ffi::libusb_submit_transfer(transfer)
        };
        if result == LIBUSB_SUCCESS {
            return Ok(());
        }
        // SAFETY: it was refused, so the callback does not run and the box is ours again.
        let mut refused = unsafe { Box::from_raw(owned) };
        refused.target = None;
        Err((refused, error(result)))
    }

    /// What was received.
    pub(super) fn octets(&self) -> &[u8] {
        // SAFETY: the box is here, so libusb does not write.
        let length = unsafe { self.raw.transfer.as_ref().actual_length };
        match &self.buffer {
            Buffer::Own(octets) => {
                usize::try_from(length).ok().and_then(|n| octets.get(..n)).unwrap_or_default()
            }
            Buffer::Packet(_) => &[],
        }
    }

    /// Lets go of what was sent.
    pub(super) fn unload(&mut self) {
        self.buffer = Buffer::Own(vec![]);
    }

    pub(super) fn canceller(&self) -> Canceller {
        Canceller(self.raw.clone())
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer").field("pipe", &self.pipe).field("number", &self.number).finish()
    }
}

/// libusb calls it once for each transfer that it took, on the thread that handles its events.
extern "system" fn completed(transfer: *mut ffi::libusb_transfer) {
    // SAFETY: `submit` stored the box there, and libusb no longer needs it.
    let (mut owned, status) = unsafe {
        let owned: Box<Transfer> = Box::from_raw((*transfer).user_data.cast());
        (owned, (*transfer).status)
    };
    let outcome = match status {
        LIBUSB_TRANSFER_COMPLETED => Outcome::Completed,
        LIBUSB_TRANSFER_CANCELLED => Outcome::Cancelled,
        LIBUSB_TRANSFER_STALL => Outcome::Stalled,
        LIBUSB_TRANSFER_OVERFLOW => Outcome::Overflowed,
        LIBUSB_TRANSFER_NO_DEVICE => Outcome::NoDevice,
        _ => Outcome::Failed,
    };
    if let Some(target) = owned.target.take() {
        target.completed(owned, outcome);
    }
}

fn error(code: c_int) -> Error {
    match code {
        LIBUSB_ERROR_IO => Error::Io,
        LIBUSB_ERROR_INVALID_PARAM => Error::InvalidParam,
        LIBUSB_ERROR_ACCESS => Error::Access,
        LIBUSB_ERROR_NO_DEVICE => Error::NoDevice,
        LIBUSB_ERROR_NOT_FOUND => Error::NotFound,
        LIBUSB_ERROR_BUSY => Error::Busy,
        LIBUSB_ERROR_TIMEOUT => Error::Timeout,
        LIBUSB_ERROR_OVERFLOW => Error::Overflow,
        LIBUSB_ERROR_PIPE => Error::Pipe,
        LIBUSB_ERROR_INTERRUPTED => Error::Interrupted,
        LIBUSB_ERROR_NO_MEM => Error::NoMem,
        LIBUSB_ERROR_NOT_SUPPORTED => Error::NotSupported,
        _ => Error::Other,
    }
}

/// Every alternate setting of every interface of the configuration in use; nothing is asked of the device.
///
/// rusb's own view takes it for granted that no list is empty, which a device decides.
pub(super) fn settings(device: &Device<Context>) -> rusb::Result<Vec<Setting>> {
    let mut descriptor = std::ptr::null();
    // SAFETY: the device is referenced by `device`; libusb writes the pointer on success.
    let result = unsafe { ffi::libusb_get_active_config_descriptor(device.as_raw(), &mut descriptor) };
    if result != LIBUSB_SUCCESS || descriptor.is_null() {
        return Err(error(result));
    }
    let mut settings = vec![];
    // SAFETY: the descriptor and all that it points to lives until it is freed at the end; each count belongs to the
    // list beside it, and `list` takes no null pointer.
    unsafe {
        let configuration = &*descriptor;
        for interface in list(configuration.interface, configuration.bNumInterfaces.into()) {
            for setting in list(interface.altsetting, interface.num_altsetting) {
                settings.push(Setting {
                    interface: setting.bInterfaceNumber,
                    alternate: setting.bAlternateSetting,
                    class: [setting.bInterfaceClass, setting.bInterfaceSubClass, setting.bInterfaceProtocol],
                    endpoints: list(setting.endpoint, setting.bNumEndpoints.into())
                        .iter()
                        .map(|e| Endpoint::new(e.bEndpointAddress, e.bmAttributes, e.wMaxPacketSize))
                        .collect(),
                });
            }
        }
        ffi::libusb_free_config_descriptor(descriptor);
    }
    Ok(settings)
}

/// # Safety
/// `first` is null or points to `count` items that live as long as the result is used.
unsafe fn list<'a, T>(first: *const T, count: c_int) -> &'a [T] {
    match usize::try_from(count) {
        // SAFETY: as the caller promises.
        Ok(count) if !first.is_null() => unsafe { slice::from_raw_parts(first, count) },
        _ => &[],
    }
}

/// Whether this system tells of devices that come and go.
pub(super) fn has_hotplug(_initialised: &Context) -> bool {
    // SAFETY: libusb is initialised, as the context shows.
    unsafe { ffi::libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG) != 0 }
}

/// Whether this process may read and write `path`, without opening it; `None` where that cannot be asked.
#[cfg(target_os = "linux")]
pub(super) fn may_use(path: &std::path::Path) -> Option<bool> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: the string ends with a zero octet and lives through the call.
    let result =
        unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::R_OK | libc::W_OK, libc::AT_EACCESS) };
    match (result, std::io::Error::last_os_error().kind()) {
        (0, _) => Some(true),
        (_, std::io::ErrorKind::PermissionDenied) => Some(false),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn may_use(_: &std::path::Path) -> Option<bool> {
    None
}
