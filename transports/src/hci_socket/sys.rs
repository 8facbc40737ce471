//! What the kernel's Bluetooth sockets need beside what the standard library has. The only unsafe code of the module.
//!
//! Facts of the kernel's interface: socket family 31, protocol 1, a raw socket; an address of three 16-bit numbers
//! in the host's order; requests of type `H` whose number says `int` whatever they carry.
#![allow(unsafe_code)]

use std::{
    io::{self, IoSliceMut},
    mem::{offset_of, size_of, zeroed},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};
use tokio::io::unix::AsyncFd;

const FAMILY: libc::sa_family_t = libc::AF_BLUETOOTH as libc::sa_family_t;
const PROTOCOL_HCI: libc::c_int = 1;

/// What a socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Channel {
    /// All of one adapter, alone.
    User = 1,
    /// Copies of what passes on every adapter.
    Monitor = 2,
    /// The management interface.
    Control = 3,
}

/// In the place of an adapter's index: none.
pub(super) const NO_ADAPTER: u16 = 0xFFFF;

#[repr(C)]
struct Address {
    family: libc::sa_family_t,
    adapter: u16,
    channel: u16,
}

/// A new socket that is bound to nothing, and does not block.
pub(super) fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no memory is passed.
    let fd = checked(unsafe { libc::socket(libc::AF_BLUETOOTH, kind, PROTOCOL_HCI) })?;
    // SAFETY: the descriptor is new, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Binds a socket.
pub(super) fn bind(socket: &OwnedFd, adapter: u16, channel: Channel) -> io::Result<()> {
    let address = Address { family: FAMILY, adapter, channel: channel as u16 };
    let (fd, length) = (socket.as_raw_fd(), length_of::<Address>());
    // SAFETY: the address is as long as is said, and outlives the call, which only reads it.
    checked(unsafe { libc::bind(fd, (&raw const address).cast(), length) }).map(drop)
}

/// Hands a socket to tokio.
///
/// # Panics
/// Outside of a tokio runtime.
pub(super) fn register(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, and the same descriptor, for as long as it lives; the `AsyncFd` owns it.
    unsafe { AsyncFd::register(socket) }.map_err(io::Error::from)
}

/// Asks for room for this many octets that wait to be read. The limit of the system does not count for those who may
/// administer the network.
pub(super) fn set_receive_buffer(socket: &OwnedFd, octets: libc::c_int) -> io::Result<()> {
    set_option(socket, libc::SO_RCVBUFFORCE, octets).or_else(|_| set_option(socket, libc::SO_RCVBUF, octets))
}

/// Has the kernel tell when each packet came.
pub(super) fn set_timestamps(socket: &OwnedFd) -> io::Result<()> {
    set_option(socket, libc::SO_TIMESTAMPNS, 1)
}

fn set_option(socket: &OwnedFd, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    let value = (&raw const value).cast();
    // SAFETY: the value is as long as is said, and outlives the call, which only reads it.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, value, length) })
        .map(drop)
}

/// How many packets the kernel has dropped because nobody read them.
pub(super) fn dropped(socket: &OwnedFd) -> io::Result<u32> {
    const SO_MEMINFO: libc::c_int = 55;
    const DROPS: usize = 8;
    let mut info = [0_u32; DROPS + 1];
    let mut length = length_of::<[u32; DROPS + 1]>();
    let (fd, buffer) = (socket.as_raw_fd(), info.as_mut_ptr().cast());
    // SAFETY: the kernel writes at most `length` octets, the size of `info`, and says how many.
    checked(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, SO_MEMINFO, buffer, &mut length) })?;
    Ok(info[DROPS])
}

/// One packet that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// Octets, in the buffers one after the other.
    pub octets: usize,
    /// Whether the buffers were too small: the rest is lost.
    pub is_cut: bool,
    /// When the kernel had it, since 1970, if it was told to say so.
    pub time: Option<Duration>,
}

/// Room for what comes beside a packet, in the alignment that its header wants.
#[repr(C)]
union Beside {
    _header: libc::cmsghdr,
    octets: [u8; 128],
}

/// Reads one packet; does not wait for one.
pub(super) fn receive(socket: &OwnedFd, buffers: &mut [IoSliceMut<'_>]) -> io::Result<Received> {
    let mut beside = Beside { octets: [0; 128] };
    // SAFETY: of all zeros this is a valid value: no name, no buffers. On some systems it has padding, so no literal.
    let mut message: libc::msghdr = unsafe { zeroed() };
    // `IoSliceMut` is laid out as `iovec`; the standard library promises it.
    message.msg_iov = buffers.as_mut_ptr().cast();
    message.msg_iovlen = buffers.len() as _;
    message.msg_control = (&raw mut beside).cast();
    message.msg_controllen = size_of::<Beside>() as _;
    // SAFETY: every pointer in `message` is to memory that we own, as long as is said there, and outlives the call.
    let octets = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, 0) };
    let octets = usize::try_from(octets).map_err(|_| io::Error::last_os_error())?;
    let is_cut = message.msg_flags & libc::MSG_TRUNC != 0;
    Ok(Received { octets, is_cut, time: time(&message) })
}

/// The time among what came beside a packet.
fn time(message: &libc::msghdr) -> Option<Duration> {
    // SAFETY: the kernel has filled in `message`; its control buffer is alive and aligned, and the first header, if
    // there is room for one, lies inside of it.
    let header = unsafe { libc::CMSG_FIRSTHDR(message).as_ref() }?;
    // SAFETY: arithmetic only.
    let length = unsafe { libc::CMSG_LEN(size_of::<libc::timespec>() as _) };
    let is_time = header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SO_TIMESTAMPNS;
    if !is_time || header.cmsg_len as u64 != u64::from(length) {
        return None;
    }
    // SAFETY: the header says that a whole `timespec` follows, and the kernel keeps to the buffer that it was given.
    let time = unsafe { libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned() };
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// Writes one packet; does not wait for room.
pub(super) fn send(socket: &OwnedFd, packet: &[u8]) -> io::Result<()> {
    // A datagram is written whole or not at all.
    nix::unistd::write(socket, packet).map(drop).map_err(io::Error::from)
}

mod request {
    //! Requests, `<linux/bluetooth>`'s type `H`.
    use super::{AdapterInfo, AdapterList};
    const INT: usize = std::mem::size_of::<libc::c_int>();
    nix::ioctl_write_int_bad!(up, nix::request_code_write!(b'H', 201, INT));
    nix::ioctl_write_int_bad!(down, nix::request_code_write!(b'H', 202, INT));
    nix::ioctl_readwrite_bad!(list, nix::request_code_read!(b'H', 210, INT), AdapterList);
    nix::ioctl_readwrite_bad!(info, nix::request_code_read!(b'H', 211, INT), AdapterInfo);
}

/// The most adapters that a list has: the kernel's own limit.
const MOST_ADAPTERS: u16 = 16;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct AdapterEntry {
    index: u16,
    flags: u32,
}

#[repr(C)]
struct AdapterList {
    count: u16,
    entries: [AdapterEntry; MOST_ADAPTERS as usize],
}

/// What the kernel says of an adapter.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct AdapterInfo {
    index: u16,
    name: [u8; 8],
    /// Its public address, least significant octet first.
    pub address: [u8; 6],
    flags: u32,
    kind: u8,
    features: [u8; 8],
    policies: [u32; 3],
    buffers: [u16; 4],
    statistics: [u32; 10],
}

const _: () = assert!(size_of::<AdapterInfo>() == 92 && offset_of!(AdapterInfo, policies) == 32);

impl AdapterInfo {
    /// Whether it is up: in use by the kernel, or by whoever has its user channel.
    pub(super) fn is_up(&self) -> bool {
        self.flags & 1 != 0
    }

    /// The number of the bus that it is at.
    pub(super) fn bus(&self) -> u8 {
        self.kind & 0x0F
    }
}

/// Brings an adapter up: the kernel initialises its controller.
pub(super) fn up(socket: &OwnedFd, adapter: u16) -> io::Result<()> {
    // SAFETY: the request takes the index by value.
    Ok(unsafe { request::up(socket.as_raw_fd(), adapter.into()) }.map(drop)?)
}

/// Brings an adapter down.
pub(super) fn down(socket: &OwnedFd, adapter: u16) -> io::Result<()> {
    // SAFETY: the request takes the index by value.
    Ok(unsafe { request::down(socket.as_raw_fd(), adapter.into()) }.map(drop)?)
}

/// The indices of all adapters.
pub(super) fn list(socket: &OwnedFd) -> io::Result<Vec<u16>> {
    let mut list = AdapterList { count: MOST_ADAPTERS, entries: Default::default() };
    // SAFETY: the kernel writes at most as many entries as `count` says there is room for.
    unsafe { request::list(socket.as_raw_fd(), &mut list) }?;
    let mut found: Vec<_> = list.entries.iter().take(list.count.into()).map(|entry| entry.index).collect();
    found.sort_unstable();
    Ok(found)
}

/// What the kernel says of one adapter.
pub(super) fn info(socket: &OwnedFd, adapter: u16) -> io::Result<AdapterInfo> {
    let mut info = AdapterInfo { index: adapter, ..AdapterInfo::default() };
    // SAFETY: the layout is that of the kernel's structure, whose size is checked above.
    unsafe { request::info(socket.as_raw_fd(), &mut info) }?;
    Ok(info)
}

/// The size of a small type, as the kernel wants it.
const fn length_of<T>() -> libc::socklen_t {
    assert!(size_of::<T>() < 1024);
    size_of::<T>() as libc::socklen_t
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
