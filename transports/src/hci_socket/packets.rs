//! Reads packets of any length, in few allocations and without a copy for those of usual length.

use super::sys;
use bytes::{BufMut, BytesMut};
use std::{
    io::{self, IoSliceMut},
    os::fd::OwnedFd,
    time::Duration,
};

/// Where packets are read to.
#[derive(Debug)]
pub(super) struct Packets {
    /// For those of usual length; each is split off its front.
    buffer: BytesMut,
    /// For the rest of a longer one.
    overflow: Box<[u8]>,
}

/// One packet as the socket had it.
#[derive(Debug)]
pub(super) struct Packet {
    pub octets: BytesMut,
    /// When the kernel had it, since 1970, if it was told to say so.
    pub time: Option<Duration>,
}

impl Packets {
    /// For packets of up to `longest` octets.
    pub(super) fn new(longest: usize) -> Self {
        Self { buffer: BytesMut::new(), overflow: vec![0; longest.saturating_sub(USUAL)].into() }
    }

    /// Reads one packet; does not wait for one.
    pub(super) fn read(&mut self, socket: &OwnedFd) -> io::Result<Packet> {
        if self.buffer.capacity() < USUAL {
            self.buffer = BytesMut::with_capacity(ALLOCATED);
        }
        self.buffer.resize(USUAL, 0);
        let buffers = &mut [IoSliceMut::new(&mut self.buffer), IoSliceMut::new(&mut self.overflow)];
        let received = sys::receive(socket, buffers)?;
        if received.is_cut {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet is longer than any can be"));
        }
        let usual = received.octets.min(USUAL);
        let mut octets = self.buffer.split_to(usual);
        octets.put_slice(self.overflow.get(..received.octets - usual).unwrap_or_default());
        Ok(Packet { octets, time: received.time })
    }
}

/// Room for a packet that needs no second buffer: more than the kernel passes on for any controller of today.
pub(super) const USUAL: usize = 2048;
/// Octets that are allocated at a time.
const ALLOCATED: usize = 64 * 1024;
