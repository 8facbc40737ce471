//! `cargo bench -p baretooth-benches --bench live [-- --rounds N --host PROGRAM]`
//!
//! What a host costs beside a controller that is never the bottleneck. Controller and host share one processor, so
//! that waking the other one up costs the same for all; hosts take turns within a round; the figure is the host's
//! processor time for one operation. Every row proves that nothing was lost, and the bench fails when something was.

use baretooth_benches::live::{Figures, Operation};
use baretooth_benches::measure::{Spread, Stopwatch};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// The floor. Always first: ratios are to it.
const FLOOR: &str = env!("CARGO_BIN_EXE_nullhost");
const CONTROLLER: &str = env!("CARGO_BIN_EXE_echo-controller");

/// Hosts measured beside the floor; `--host PROGRAM` adds any other stack's. A host takes the arguments of `nullhost` and
/// prints one `live::Figures` as its last line.
const HOSTS: [&str; 1] = [env!("CARGO_BIN_EXE_host")];

/// Operation, how often (many enough for a tenth of a second of processor time at the floor), and value length.
const ROWS: [(Operation, u64, u16); 7] = [
    (Operation::Reads, 40_000, 20),
    (Operation::WritesWithoutResponse, 200_000, 244),
    (Operation::Notifications, 4_000_000, 20),
    (Operation::Scan, 4_000_000, 0),
    (Operation::ServedReads, 40_000, 20),
    (Operation::ServedNotifications, 200_000, 20),
    (Operation::Sdus, 200_000, 244),
];

const LIMIT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let rounds: usize =
        option("--rounds").map_or(Ok(5), |value| value.parse()).expect("--rounds takes a number");
    let hosts: Vec<OsString> = [FLOOR]
        .into_iter()
        .chain(HOSTS)
        .map(OsString::from)
        .chain(option("--host").map(OsString::from))
        .collect();
    let processor = last_processor().filter(|_| taskset_exists());
    match &processor {
        Some(number) => println!("controller and hosts on processor {number}, {rounds} alternating rounds"),
        None => {
            println!("NOT pinned (no taskset): figures of this run compare with nothing, {rounds} rounds")
        }
    }
    println!("{:9} {:12}{:>30}{:>24}{:>38}{:>7}", "", "host", "us CPU/op", "x floor", "operations/s", "lost");
    let mut lost = 0;
    for (operation, count, length) in ROWS {
        match row(&hosts, processor.as_deref(), rounds, operation, count, length) {
            Ok(row_lost) => lost += row_lost,
            Err(message) => {
                eprintln!("live: {operation}: {message}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("lost = {lost}");
    if lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures one operation with all hosts in turn, prints a line for each, and gives what was lost.
fn row(
    hosts: &[OsString],
    processor: Option<&str>,
    rounds: usize,
    operation: Operation,
    count: u64,
    length: u16,
) -> Result<u64, String> {
    let controller = Controller::start(processor)?;
    let mut figures: Vec<Vec<Figures>> = vec![Vec::new(); hosts.len()];
    for _ in 0..rounds {
        for (host, figures) in hosts.iter().zip(&mut figures) {
            let mut command = pinned(processor, host);
            command.arg(&controller.address).arg(operation.to_string());
            command.args(["-n", &count.to_string(), "--len", &length.to_string(), "--mtu", "247"]);
            figures.push(run(command)?);
        }
    }
    let cost = |figures: &[Figures]| figures.iter().map(Figures::cpu_per_operation).collect::<Vec<f64>>();
    let floor = figures.first().map(|floor| cost(floor)).unwrap_or_default();
    for own in &figures {
        let cost = cost(own);
        let ratio = Spread::of(cost.iter().zip(&floor).map(|(own, floor)| own / floor.max(1e-9)));
        let lost: u64 = own.iter().map(|figures| figures.lost).sum();
        let name = own.first().map_or("", |figures| figures.host.as_str());
        let rate = Spread::of(own.iter().map(Figures::rate));
        println!("{operation:9} {name:12}{:30.3}{ratio:24.2}{rate:38.0}{lost:7}", Spread::of(cost));
    }
    Ok(figures.iter().flatten().map(|figures| figures.lost).sum())
}

/// Runs a host to its end and reads the last line it prints.
fn run(mut command: Command) -> Result<Figures, String> {
    let program = format!("{:?}", command.get_program());
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| format!("start {program}: {error}"))?;
    let watch = Stopwatch::start();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if watch.wall() > LIMIT => {
                child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
                return Err(format!("{program} did not end within {LIMIT:?}"));
            }
            None => Stopwatch::pause(Duration::from_millis(5)),
        }
    };
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !status.success() {
        return Err(format!("{program} ended with {status}"));
    }
    text.lines().last().ok_or(format!("{program} printed nothing"))?.parse()
}

/// The controller process; ends with this value.
struct Controller {
    process: Child,
    address: String,
}

impl Controller {
    fn start(processor: Option<&str>) -> Result<Self, String> {
        let mut command = pinned(processor, &OsString::from(CONTROLLER));
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("start the controller: {error}"))?;
        let mut address = String::new();
        let out = process.stdout.take().ok_or("the controller has no output")?;
        BufReader::new(out).read_line(&mut address).map_err(|error| error.to_string())?;
        Ok(Self { process, address: address.trim().to_owned() })
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn pinned(processor: Option<&str>, program: &OsString) -> Command {
    let Some(processor) = processor else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["-c", processor]).arg(program);
    command
}

/// The last processor this process may run on: the first is where the system's own work tends to be.
fn last_processor() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    Some(list.rsplit([',', '-']).next()?.to_owned())
}

fn taskset_exists() -> bool {
    let version = Command::new("taskset").arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

fn option(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}
