//! `host ADDRESS reads|wwr|notif|scan [-n N] [--len L] [--mtu M]`: the library, as a program uses it.
//!
//! One `Adapter` on a current-thread runtime, every operation awaited where it stands. What this costs more than
//! `nullhost` is what the stack, its task and its queues cost.
#![forbid(unsafe_code)]

use baretooth::gap::scan::{Duplicates, ScanOptions};
use baretooth::{Adapter, Address, BdAddr, Error, Peer, uuid16};
use baretooth_benches::controller::attributes::{CONTROL, ECHO, SINK, WRITE_COUNT};
use baretooth_benches::controller::{ADVERTISERS, advertiser_address};
use baretooth_benches::h4::length_octets;
use baretooth_benches::live::{Arguments, Figures, Operation};
use baretooth_benches::measure::Stopwatch;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("host: {message}\nusage: host ADDRESS reads|wwr|notif|scan [-n N] [--len L] [--mtu M]");
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
        _ => notifications(&peer, u32::try_from(arguments.count)?, length).await,
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
/// Type of the value that the controller floods with.
const FLOOD_UUID: u16 = 0xFFF2;
