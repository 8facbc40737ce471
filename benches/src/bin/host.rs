//! `host ADDRESS OPERATION [-n N] [--len L] [--mtu M]`: the library, as a program uses it.
//!
//! One `Adapter` on a current-thread runtime, every operation awaited where it stands. What this costs more than
//! `nullhost` is what the stack, its task and its queues cost.
#![forbid(unsafe_code)]

use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::gatt::Characteristic;
use baretooth::gatt::server::{self, Access, Service, Table};
use baretooth::{Adapter, Address, BdAddr, ChannelOptions, Error, GattServer, Peer, Request, uuid16};
use baretooth_benches::controller::attributes::{CLIENT, CONTROL, ECHO, SEEN, SINK, WRITE_COUNT};
use baretooth_benches::controller::{ADVERTISERS, advertiser_address};
use baretooth_benches::h4::length_octets;
use baretooth_benches::live::{Arguments, Figures, Operation};
use baretooth_benches::measure::Stopwatch;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("host: {message}\nusage: host ADDRESS {} [-n N] [--len L] [--mtu M]", Operation::NAMES);
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Box::from).and_then(|runtime| runtime.block_on(run(&arguments))) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("host: {} at {}: {error}", arguments.operation, arguments.address);
            ExitCode::FAILURE
        }
    }
}

type Measured = Result<Figures, Box<dyn std::error::Error>>;

async fn run(arguments: &Arguments) -> Measured {
    let adapter = Adapter::builder().mtu(arguments.mtu).open(&format!("tcp:{}", arguments.address)).await?;
    if arguments.operation == Operation::Scan {
        return Ok(scan(&adapter, arguments.count).await?);
    }
    let peer = adapter.connect(Address::random(BdAddr(advertiser_address(0)))).await?;
    let length = usize::from(arguments.length.min(arguments.mtu.saturating_sub(3)));
    match arguments.operation {
        Operation::Reads => Ok(reads(&peer, arguments.count).await?),
        Operation::WritesWithoutResponse => writes(&peer, arguments.count, length).await,
        Operation::ServedReads => served_reads(&adapter, &peer, u32::try_from(arguments.count)?).await,
        Operation::ServedNotifications => {
            served_notifications(&adapter, &peer, u32::try_from(arguments.count)?, length).await
        }
        Operation::Sdus => sdus(&peer, u32::try_from(arguments.count)?, usize::from(arguments.length)).await,
        Operation::Notifications | Operation::Scan => {
            notifications(&peer, u32::try_from(arguments.count)?, length).await
        }
    }
}

async fn reads(peer: &Peer, count: u64) -> Result<Figures, Error> {
    for _ in 0..WARM_UP {
        peer.read(u16::from(ECHO)).await?;
    }
    let watch = Stopwatch::start();
    for _ in 0..count {
        peer.read(u16::from(ECHO)).await?;
    }
    Ok(Figures::since(&watch, NAME, count, 0))
}

async fn writes(peer: &Peer, count: u64, length: usize) -> Measured {
    let value = vec![0; length];
    let watch = Stopwatch::start();
    for _ in 0..count {
        peer.write_without_response(u16::from(SINK), value.clone()).await?;
    }
    let counted = peer.read(u16::from(WRITE_COUNT)).await?;
    let arrived = counted.first_chunk().map_or(0, |n| u64::from_le_bytes(*n));
    Ok(Figures::since(&watch, NAME, count, count.abs_diff(arrived)))
}

async fn notifications(peer: &Peer, count: u32, length: usize) -> Measured {
    let services = peer.discover().await?;
    let flood = services.find(uuid16(FLOOD_UUID))?;
    peer.write(u16::from(CONTROL), [&count.to_le_bytes()[..], &length_octets(length)].concat()).await?;
    let watch = Stopwatch::start();
    let mut values = peer.subscribe(&flood).await?;
    let (mut expected, mut lost) = (0, 0);
    while expected < count {
        let notification = values.next().await.ok_or("the link went down")?;
        let sequence = notification.value.first_chunk().map_or(0, |n| u32::from_le_bytes(*n));
        lost += u64::from(sequence.wrapping_sub(expected));
        expected = sequence.wrapping_add(1);
    }
    Ok(Figures::since(&watch, NAME, count.into(), lost))
}

async fn served_reads(adapter: &Adapter, peer: &Peer, count: u32) -> Measured {
    let (server, served) = serve(adapter).await?;
    let mut requests = server.requests();
    let watch = Stopwatch::start();
    instruct(peer, &served, count).await?;
    // The peer subscribes when it has read the value so often.
    while !matches!(requests.next().await.ok_or("the link went down")?, Request::Subscribed { .. }) {}
    Ok(Figures::since(&watch, NAME, count.into(), 0))
}

async fn served_notifications(adapter: &Adapter, peer: &Peer, count: u32, length: usize) -> Measured {
    let (server, served) = serve(adapter).await?;
    let mut requests = server.requests();
    instruct(peer, &served, 0).await?;
    while !matches!(requests.next().await.ok_or("the link went down")?, Request::Subscribed { .. }) {}
    let watch = Stopwatch::start();
    for sequence in 0..count {
        server.notify(&served, numbered(sequence, length)).await?;
    }
    let arrived = seen(peer).await?;
    Ok(Figures::since(&watch, NAME, count.into(), arrived.abs_diff(count.into())))
}

async fn sdus(peer: &Peer, count: u32, length: usize) -> Measured {
    let channel = peer.open_channel(SPSM, ChannelOptions::default()).await?;
    let watch = Stopwatch::start();
    for sequence in 0..count {
        channel.send(numbered(sequence, length)).await?;
    }
    let arrived = seen(peer).await?;
    Ok(Figures::since(&watch, NAME, count.into(), arrived.abs_diff(count.into())))
}

/// A table with one value, which is read and notified.
async fn serve(adapter: &Adapter) -> Result<(GattServer, Characteristic), Box<dyn std::error::Error>> {
    let value =
        server::Characteristic::new(uuid16(FLOOD_UUID)).value(vec![0x42; 20]).read(Access::OPEN).notify();
    let service = Service::primary(uuid16(0xFFF0)).characteristic(value);
    let server = adapter.serve(Table::builder("host").service(service).build()?).await?;
    let served = server.services().find(uuid16(FLOOD_UUID))?.clone();
    Ok((server, served))
}

/// Makes the peer read a value of ours so often, and subscribe to it.
async fn instruct(peer: &Peer, served: &Characteristic, reads: u32) -> Result<(), Error> {
    let told = [&served.value_handle.to_le_bytes()[..], &reads.to_le_bytes()].concat();
    peer.write(u16::from(CLIENT), told).await
}

fn numbered(sequence: u32, length: usize) -> Vec<u8> {
    let mut value = vec![0; length.max(4)];
    value[..4].copy_from_slice(&sequence.to_le_bytes());
    value
}

/// How many values or SDUs have come to the peer.
async fn seen(peer: &Peer) -> Result<u64, Error> {
    let seen = peer.read(u16::from(SEEN)).await?;
    Ok(seen.first_chunk().map_or(0, |n| u64::from_le_bytes(*n)))
}

async fn scan(adapter: &Adapter, count: u64) -> Result<Figures, Error> {
    let watch = Stopwatch::start();
    let mut scan = adapter.scan_with(ScanOptions::new().duplicates(Duplicates::All)).await?;
    let (mut lost, mut expected) = (0, 0);
    for _ in 0..count {
        let sighting = scan.next().await?;
        let [a, b, c, ..] = sighting.report.address.map_or([0; 6], |address| address.bd_addr.0);
        let number = u32::from_le_bytes([a, b, c, 0]);
        lost += u64::from((number + ADVERTISERS - expected) % ADVERTISERS);
        expected = (number + 1) % ADVERTISERS;
    }
    Ok(Figures::since(&watch, NAME, count, lost))
}

const NAME: &str = "baretooth";
const WARM_UP: u32 = 100;
/// The service that takes SDUs.
const SPSM: u16 = 0x80;
/// Type of the value that the controller floods with.
const FLOOD_UUID: u16 = 0xFFF2;
