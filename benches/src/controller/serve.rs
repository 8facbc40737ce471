//! One session over a socket: a single thread, large reads and writes.
//!
//! While nothing is due the socket blocks and a request costs one read and one write. During a flood the socket is
//! asked without blocking between two batches. Writing always blocks: a host that writes at that moment cannot have
//! sent more than its credits allow, and that much fits into the socket, so the two never wait for each other.

use super::{Controller, Counters, Next, Options};
use crate::h4::packet_length;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A stream socket.
pub trait Connection: Read + Write {
    /// Whether reading and writing wait.
    ///
    /// # Errors
    /// Those of the operating system.
    fn set_blocking(&self, blocking: bool) -> io::Result<()>;
}

impl Connection for TcpStream {
    fn set_blocking(&self, blocking: bool) -> io::Result<()> {
        self.set_nonblocking(!blocking)
    }
}

impl Connection for UnixStream {
    fn set_blocking(&self, blocking: bool) -> io::Result<()> {
        self.set_nonblocking(!blocking)
    }
}

/// Serves one host until it closes the connection.
///
/// # Errors
/// When the connection breaks, or the host sends what starts no packet.
pub fn serve(connection: &mut impl Connection, options: Options) -> io::Result<Counters> {
    let mut controller = Controller::new(options);
    let started = Instant::now();
    let mut input = vec![0; INPUT];
    let mut filled = 0;
    loop {
        let now = started.elapsed();
        let mut rest = &input[..filled];
        while let Some(length) = packet_length(rest).map_err(bad_packet)? {
            let Some((packet, behind)) = rest.split_at_checked(length) else { break };
            controller.receive(now, packet);
            rest = behind;
        }
        let kept = rest.len();
        input.copy_within(filled - kept..filled, 0);
        filled = kept;
        controller.give_credits();
        let next = controller.flood(now);
        connection.write_all(controller.output())?;
        controller.output().clear();
        match read(connection, &mut input[filled..], next) {
            Ok(0) => return Ok(controller.counters()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn read(connection: &mut impl Connection, input: &mut [u8], next: Next) -> io::Result<usize> {
    if next == Next::WhenAsked {
        return connection.read(input);
    }
    if next == Next::Soon {
        std::thread::sleep(PACE);
    }
    connection.set_blocking(false)?;
    let result = connection.read(input);
    connection.set_blocking(true)?;
    result
}

fn bad_packet(first: u8) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("0x{first:02X} starts no HCI packet"))
}

/// Longer than any packet, so that there is always room for the rest of one.
const INPUT: usize = 256 * 1024;
/// How often a flood at a rate looks at the clock.
const PACE: Duration = Duration::from_millis(1);
