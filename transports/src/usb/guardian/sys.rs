//! The process that waits. After `fork` in a program with threads only async-signal-safe calls are allowed: nothing
//! there allocates, locks or unwinds.
#![allow(unsafe_code)]

use crate::usb::{find::Described, list};
use std::{
    ffi::{c_int, c_uint, c_void},
    fs::{File, OpenOptions},
    io::Write,
    os::fd::{AsRawFd, RawFd},
};

/// Dropped without [`dismiss`](Self::dismiss), as by the end of the process, it lets the waiting process act.
pub(in crate::usb) struct Guardian {
    pipe: std::io::PipeWriter,
}

impl Guardian {
    /// Starts to watch over these interfaces. `None` when the system refuses: the adapter can be used all the same.
    pub(in crate::usb) fn start(device: &Described, interfaces: &[u8]) -> Option<Self> {
        let device: File = OpenOptions::new().read(true).write(true).open(list::node(device)).ok()?;
        let (reader, pipe) = std::io::pipe().ok()?;
        let mut watched = [None; 2];
        watched
            .iter_mut()
            .zip(interfaces)
            .for_each(|(place, interface)| *place = Some(c_int::from(*interface)));
        // SAFETY: the child calls `leave`, which keeps to async-signal-safe calls and never returns.
        match unsafe { libc::fork() } {
            -1 => return None,
            0 => unsafe { leave(device.as_raw_fd(), reader.as_raw_fd(), watched) },
            child => {
                // It ends as soon as it has a child of its own, which nobody has to wait for.
                // SAFETY: a null pointer says that the status is of no interest.
                while unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) } == -1
                    && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
                {
                }
            }
        }
        Some(Self { pipe })
    }

    /// The adapter has been given back.
    pub(in crate::usb) fn dismiss(mut self) {
        // When nobody reads, nobody has to be told.
        let _ = self.pipe.write_all(&[RELEASED]);
    }
}

const RELEASED: u8 = b'r';

/// In the child: begets the guardian and ends.
///
/// # Safety
/// To be called right after `fork`, in the child.
unsafe fn leave(device: RawFd, pipe: RawFd, interfaces: [Option<c_int>; 2]) -> ! {
    // SAFETY: all of these are async-signal-safe; the descriptors are open, as the parent opened them.
    unsafe {
        libc::setsid();
        if libc::fork() == 0 {
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE] {
                libc::signal(signal, libc::SIG_IGN);
            }
            // Pipes and sockets of the parent must not stay open here; among them is the other end of our own.
            libc::dup2(device, 0);
            libc::dup2(pipe, 1);
            close_from(2);
            watch(0, 1, interfaces);
        }
        libc::_exit(0)
    }
}

/// # Safety
/// Nothing in this process uses the descriptors any more.
unsafe fn close_from(first: c_uint) {
    // SAFETY: as the caller promises.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, c_uint::MAX, 0) == 0 {
            return;
        }
        // Linux before 5.9. No program has more adapters open than this.
        for descriptor in 2..4096 {
            libc::close(descriptor);
        }
    }
}

/// Waits for the word or the end of the parent.
///
/// # Safety
/// `device` is open on a node of usbfs and `pipe` for reading.
unsafe fn watch(device: RawFd, pipe: RawFd, interfaces: [Option<c_int>; 2]) {
    let mut octet = 0_u8;
    loop {
        // SAFETY: the buffer is one octet long.
        match unsafe { libc::read(pipe, (&raw mut octet).cast(), 1) } {
            1 => return,
            0 => break,
            // SAFETY: errno is of this thread.
            _ if unsafe { *libc::__errno_location() } == libc::EINTR => {}
            _ => return,
        }
    }
    // The pipe may be closed before the device is.
    for _ in 0..ATTEMPTS {
        let mut held = false;
        for interface in interfaces.into_iter().flatten() {
            // SAFETY: as the caller promises.
            held |= unsafe { !connect(device, interface) };
        }
        if !held {
            return;
        }
        let pause = libc::timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        // SAFETY: the time is valid; what is left of it is of no interest.
        unsafe { libc::nanosleep(&pause, std::ptr::null_mut()) };
    }
}

/// Five seconds. Whoever holds the adapter longer than that has taken it for itself.
const ATTEMPTS: u32 = 250;

/// Lets the kernel look for a driver; `false` when a process still holds the interface.
///
/// # Safety
/// `device` is open on a node of usbfs.
unsafe fn connect(device: RawFd, interface: c_int) -> bool {
    let mut driver = GetDriver { interface, driver: [0; 256] };
    let mut command = UsbfsIoctl { interface, code: USBDEVFS_CONNECT, data: std::ptr::null_mut() };
    // SAFETY: both structures are those that the kernel expects behind these numbers.
    unsafe {
        if libc::ioctl(device, USBDEVFS_GETDRIVER as _, &raw mut driver) == 0 {
            return !driver.driver.starts_with(b"usbfs\0");
        }
        libc::ioctl(device, USBDEVFS_IOCTL as _, &raw mut command);
    }
    true
}

#[repr(C)]
struct UsbfsIoctl {
    interface: c_int,
    code: c_int,
    data: *mut c_void,
}

#[repr(C)]
struct GetDriver {
    interface: c_int,
    driver: [u8; 256],
}

/// `_IOWR('U', 18, struct usbdevfs_ioctl)`.
const USBDEVFS_IOCTL: u64 = 3 << 30 | (size_of::<UsbfsIoctl>() as u64) << 16 | 0x55 << 8 | 18;
/// `_IOW('U', 8, struct usbdevfs_getdriver)`.
const USBDEVFS_GETDRIVER: u64 = 1 << 30 | (size_of::<GetDriver>() as u64) << 16 | 0x55 << 8 | 8;
/// `_IO('U', 23)`.
const USBDEVFS_CONNECT: c_int = 0x5517;
