//! `nullhost ADDRESS OPERATION [-n N] [--len L] [--mtu M]`: the floor.
//!
//! A host without a stack: blocking socket, one reused buffer, H4 framing, and only the checks that prove that nothing
//! was lost. What a real host needs beyond this is what its stack costs. It knows legacy reports only: its scan waits for
//! ever at a controller with `--ext`.
#![forbid(unsafe_code)]

use baretooth_benches::controller::attributes::{
    CLIENT, CONTROL, ECHO, FLOOD_CONFIGURATION, SEEN, SINK, WRITE_COUNT,
};
use baretooth_benches::controller::{ADVERTISERS, advertiser_address};
use baretooth_benches::h4::{length_octets, octet, packet_length, word};
use baretooth_benches::live::{Arguments, Figures, Operation};
use baretooth_benches::measure::Stopwatch;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            let names = Operation::NAMES;
            eprintln!("nullhost: {message}\nusage: nullhost ADDRESS {names} [-n N] [--len L] [--mtu M]");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("nullhost: {} at {}: {error}", arguments.operation, arguments.address);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<Figures> {
    let stream = TcpStream::connect(&arguments.address)?;
    stream.set_nodelay(true)?;
    let mut host = Host { stream, buffer: vec![0; BUFFER], start: 0, end: 0 };
    host.command(0x0C03, &[])?;
    let buffers = host.command(0x2002, &[])?;
    if arguments.operation == Operation::Scan {
        return scan(&mut host, arguments.count);
    }
    let create =
        [&[0x60, 0, 0x60, 0, 0, 1], &advertiser_address(0)[..], &[1, 24, 0, 24, 0, 0, 0, 72, 0, 0, 0, 0, 0]];
    host.command(0x200D, &create.concat())?;
    let [low, high] = arguments.mtu.to_le_bytes();
    host.request(&[0x02, low, high])?;
    let length = usize::from(arguments.length.min(arguments.mtu.saturating_sub(3)));
    let (most, credits) = (word(&buffers, 1), u64::from(octet(&buffers, 3)));
    match arguments.operation {
        Operation::Reads => reads(&mut host, arguments.count),
        Operation::WritesWithoutResponse => {
            let packet = fitting(most, acl(&[&[0x52, SINK, 0], &vec![0; length][..]].concat()))?;
            writes(&mut host, arguments.count, packet, credits)
        }
        Operation::ServedReads => served_reads(&mut host, arguments.count),
        Operation::ServedNotifications => {
            let head = &[0x1B, SERVED[0], SERVED[1]];
            let packet = fitting(most, acl(&[&head[..], &vec![0; length]].concat()))?;
            host.instruct(0)?;
            while host.serve()? {}
            numbered(&mut host, arguments.count, packet, 12, credits)
        }
        Operation::Sdus => {
            let sdu = [&arguments.length.to_le_bytes()[..], &vec![0; usize::from(arguments.length)]].concat();
            sdus(&mut host, arguments.count, fitting(most, frame([0x40, 0], &sdu))?, credits)
        }
        Operation::Notifications | Operation::Scan => notifications(&mut host, arguments.count, length),
    }
}

/// A packet, if the controller takes it whole.
fn fitting(most: u16, packet: Vec<u8>) -> io::Result<Vec<u8>> {
    if packet.len() - 5 <= usize::from(most) {
        return Ok(packet);
    }
    let message = format!("{} octets need fragments, which this host does not make", packet.len());
    Err(io::Error::new(ErrorKind::InvalidInput, message))
}

fn reads(host: &mut Host, count: u64) -> io::Result<Figures> {
    for _ in 0..WARM_UP {
        host.request(&[0x0A, ECHO, 0])?;
    }
    let watch = Stopwatch::start();
    for _ in 0..count {
        host.request(&[0x0A, ECHO, 0])?;
    }
    // Each has had its response, else the next had not been sent.
    Ok(Figures::since(&watch, NAME, count, 0))
}

fn writes(host: &mut Host, count: u64, packet: Vec<u8>, mut credits: u64) -> io::Result<Figures> {
    let watch = Stopwatch::start();
    for _ in 0..count {
        host.spend(&mut credits)?;
        host.stream.write_all(&packet)?;
    }
    let counted = host.request(&[0x0A, WRITE_COUNT, 0])?;
    let arrived =
        counted.get(1..).and_then(|value| value.first_chunk()).map_or(0, |n| u64::from_le_bytes(*n));
    Ok(Figures::since(&watch, NAME, count, count.abs_diff(arrived)))
}

fn served_reads(host: &mut Host, count: u64) -> io::Result<Figures> {
    host.instruct(u32::try_from(count).map_err(|_| too_many())?)?;
    let watch = Stopwatch::start();
    // The subscription comes behind the last read.
    while host.serve()? {}
    Ok(Figures::since(&watch, NAME, count, 0))
}

fn sdus(host: &mut Host, count: u64, packet: Vec<u8>, credits: u64) -> io::Result<Figures> {
    let open = [0x14, 1, 10, 0, 0x80, 0, 0x41, 0, 64, 0, 64, 0, 1, 0];
    host.stream.write_all(&frame([5, 0], &open))?;
    // The credits of the channel are more than the controller's, and come back in time.
    while !matches!(*host.next()?, [2, _, _, _, _, _, _, 5, 0, 0x15, ..]) {}
    numbered(host, count, packet, 11, credits)
}

/// Sends a packet over and over, with a sequence number in its place, and asks the peer what it has seen.
fn numbered(
    host: &mut Host,
    count: u64,
    mut packet: Vec<u8>,
    place: usize,
    mut credits: u64,
) -> io::Result<Figures> {
    let count = u32::try_from(count).map_err(|_| too_many())?;
    let watch = Stopwatch::start();
    for sequence in 0..count {
        host.spend(&mut credits)?;
        packet[place..place + 4].copy_from_slice(&sequence.to_le_bytes());
        host.stream.write_all(&packet)?;
    }
    let seen = host.request(&[0x0A, SEEN, 0])?;
    let arrived = seen.get(1..).and_then(|value| value.first_chunk()).map_or(0, |n| u64::from_le_bytes(*n));
    Ok(Figures::since(&watch, NAME, count.into(), arrived.abs_diff(count.into())))
}

fn too_many() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "more than 32 bits count")
}

fn notifications(host: &mut Host, count: u64, length: usize) -> io::Result<Figures> {
    let number = u32::try_from(count).map_err(|_| too_many())?;
    let control = [&[0x12, CONTROL, 0][..], &number.to_le_bytes(), &length_octets(length)].concat();
    host.request(&control)?;
    let watch = Stopwatch::start();
    host.stream.write_all(&acl(&[0x12, FLOOD_CONFIGURATION, 0, 1, 0]))?;
    let (mut expected, mut lost) = (0, 0);
    while expected < number {
        // A first fragment that begins with a notification; what continues it is passed over.
        if let [2, _, flags, _, _, _, _, 4, 0, 0x1B, _, _, a, b, c, d, ..] = *host.next()?
            && flags & 0x10 == 0
        {
            let sequence = u32::from_le_bytes([a, b, c, d]);
            lost += u64::from(sequence.wrapping_sub(expected));
            expected = sequence.wrapping_add(1);
        }
    }
    Ok(Figures::since(&watch, NAME, count, lost))
}

fn scan(host: &mut Host, count: u64) -> io::Result<Figures> {
    let watch = Stopwatch::start();
    host.command(0x200C, &[1, 0])?;
    let (mut seen, mut lost, mut expected) = (0, 0, 0);
    while seen < count {
        let [4, 0x3E, _, 2, reports, ref rest @ ..] = *host.next()? else { continue };
        let mut rest = rest;
        for _ in 0..reports {
            let [_, _, a, b, c, _, _, _, length, ref behind @ ..] = *rest else { break };
            let number = u32::from_le_bytes([a, b, c, 0]);
            lost += u64::from((number + ADVERTISERS - expected) % ADVERTISERS);
            expected = (number + 1) % ADVERTISERS;
            seen += 1;
            rest = behind.get(usize::from(length) + 1..).unwrap_or_default();
        }
    }
    Ok(Figures::since(&watch, NAME, seen, lost))
}

struct Host {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Host {
    /// The next whole packet.
    fn next(&mut self) -> io::Result<&[u8]> {
        loop {
            let bad =
                |first| io::Error::new(ErrorKind::InvalidData, format!("0x{first:02X} starts no HCI packet"));
            let length = packet_length(&self.buffer[self.start..self.end]).map_err(bad)?;
            if let Some(length) = length.filter(|length| self.end - self.start >= *length) {
                let from = self.start;
                self.start += length;
                return Ok(&self.buffer[from..self.start]);
            }
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            match self.stream.read(&mut self.buffer[self.end..])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.end += count,
            }
        }
    }

    /// Sends a command and waits for its Command Complete or Command Status; gives what is behind the opcode.
    fn command(&mut self, opcode: u16, parameters: &[u8]) -> io::Result<Vec<u8>> {
        let ([low, high], [length, _]) = (opcode.to_le_bytes(), length_octets(parameters.len()));
        self.stream.write_all(&[&[1, low, high, length], parameters].concat())?;
        loop {
            match *self.next()? {
                [4, 0x0E, _, _, a, b, ref rest @ ..] | [4, 0x0F, _, _, _, a, b, ref rest @ ..]
                    if [a, b] == [low, high] =>
                {
                    return Ok(rest.to_vec());
                }
                _ => {}
            }
        }
    }

    /// Takes one credit, or waits for more.
    fn spend(&mut self, credits: &mut u64) -> io::Result<()> {
        while *credits == 0 {
            if let [4, 0x13, _, _, _, _, low, high] = *self.next()? {
                *credits += u64::from(u16::from_le_bytes([low, high]));
            }
        }
        *credits -= 1;
        Ok(())
    }

    /// Makes the peer read the value that is served so often, and subscribe to it.
    fn instruct(&mut self, reads: u32) -> io::Result<()> {
        let [low, high] = SERVED;
        self.request(&[&[0x12, CLIENT, 0, low, high][..], &reads.to_le_bytes()].concat())?;
        Ok(())
    }

    /// Answers one request of the peer, whatever its handle; `false` when that was the subscription.
    fn serve(&mut self) -> io::Result<bool> {
        loop {
            if let [2, _, _, _, _, _, _, 4, 0, code @ (0x0A | 0x12), ..] = *self.next()? {
                let value = [&[0x0B], &[0x42; 20][..]].concat();
                self.stream.write_all(&acl(if code == 0x0A { &value } else { &[0x13] }))?;
                return Ok(code == 0x0A);
            }
        }
    }

    /// Sends an ATT request and waits for its response.
    fn request(&mut self, pdu: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.write_all(&acl(pdu))?;
        loop {
            if let [2, _, _, _, _, _, _, 4, 0, ref response @ ..] = *self.next()?
                && octet(response, 0) != 0x1B
            {
                return match *response {
                    [0x01, _, low, high, code, ..] => {
                        let handle = u16::from_le_bytes([low, high]);
                        Err(io::Error::other(format!("handle 0x{handle:04X} refused: 0x{code:02X}")))
                    }
                    _ => Ok(response.to_vec()),
                };
            }
        }
    }
}

/// An ATT PDU in one ACL packet of the first link.
fn acl(pdu: &[u8]) -> Vec<u8> {
    frame([4, 0], pdu)
}

/// An L2CAP frame in one ACL packet of the first link.
fn frame([c0, c1]: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let ([a0, a1], [l0, l1]) = (length_octets(payload.len() + 4), length_octets(payload.len()));
    [&[2, 0x40, 0, a0, a1, l0, l1, c0, c1], payload].concat()
}

const NAME: &str = "nullhost";
/// Handle of the value that is served; any is as good.
const SERVED: [u8; 2] = [7, 0];
const BUFFER: usize = 1 << 20;
const WARM_UP: u32 = 100;
