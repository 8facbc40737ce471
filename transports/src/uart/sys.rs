//! What of a serial port needs the system's own calls. Nothing here keeps state.
#![allow(unsafe_code)]

use std::{fs::File, io, os::fd::AsRawFd};
use tokio::io::unix::AsyncFd;

/// Lets the runtime watch the file, which must not block.
///
/// # Panics
/// Outside of a tokio runtime.
pub(crate) fn watch(file: File) -> io::Result<AsyncFd<File>> {
    // SAFETY: a `File` owns its descriptor, keeps it open until it is dropped, and always names the same one; the
    // `AsyncFd` owns the `File`.
    unsafe { AsyncFd::register(file) }.map_err(Into::into)
}

/// Nobody else may open the terminal from now on, but for those who may do anything.
pub(crate) fn exclude_others(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open, and TIOCEXCL takes no argument.
    match unsafe { libc::ioctl(file.as_raw_fd(), libc::TIOCEXCL as _) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Asks the driver to hand over each octet at once rather than to gather them; many drivers know no such thing.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn lower_latency(file: &File) -> io::Result<()> {
    /// Get and set: `TIOCGSERIAL` and `TIOCSSERIAL` of most architectures.
    const REQUESTS: (u32, u32) = (0x541E, 0x541F);
    const ASYNC_LOW_LATENCY: libc::c_int = 1 << 13;
    let mut serial = std::mem::MaybeUninit::<SerialStruct>::zeroed();
    // SAFETY: the descriptor is open; the kernel writes one `serial_struct`, whose layout and size are those of
    // `SerialStruct`. All bit patterns, zeros too, are valid: it has integers and a raw pointer only.
    let mut serial = unsafe {
        if libc::ioctl(file.as_raw_fd(), REQUESTS.0 as _, serial.as_mut_ptr()) == -1 {
            return Err(io::Error::last_os_error());
        }
        serial.assume_init()
    };
    serial.flags |= ASYNC_LOW_LATENCY;
    // SAFETY: the descriptor is open; the kernel reads one `serial_struct`.
    match unsafe { libc::ioctl(file.as_raw_fd(), REQUESTS.1 as _, &raw const serial) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The kernel's `serial_struct`.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[repr(C)]
struct SerialStruct {
    r#type: libc::c_int,
    line: libc::c_int,
    port: libc::c_uint,
    irq: libc::c_int,
    flags: libc::c_int,
    xmit_fifo_size: libc::c_int,
    custom_divisor: libc::c_int,
    baud_base: libc::c_int,
    close_delay: libc::c_ushort,
    io_type: libc::c_char,
    reserved_char: libc::c_char,
    hub6: libc::c_int,
    closing_wait: libc::c_ushort,
    closing_wait2: libc::c_ushort,
    iomem_base: *mut libc::c_uchar,
    iomem_reg_shift: libc::c_ushort,
    port_high: libc::c_uint,
    iomap_base: libc::c_ulong,
}
