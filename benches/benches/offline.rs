//! `cargo bench -p baretooth-benches --bench offline [-- --rounds N] [-- --program FILE]`
//!
//! What `baretooth` costs on a whole capture, beside tshark and btmon: whole processes from start to end, everything
//! printed, to nowhere. Ours and the peer take turns, a ratio is made within its round, and the goals stand beside the
//! figures. A peer that is not installed, and a verb that fails, is said in its row; nothing here fails.

use baretooth_benches::generate::{Workload, generate};
use baretooth_benches::measure::{Spread, Usage};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

/// Ours beside a peer on one capture; the goal is the most that ours may take of the peer's processor time.
struct Comparison {
    records: u64,
    ours: &'static [&'static str],
    peer: &'static [&'static str],
    goal: f64,
}

const COMPARISONS: [Comparison; 4] = [
    Comparison { records: SMALL, ours: LINES, peer: &["tshark", "-r"], goal: 1.0 / 10.0 },
    Comparison { records: LARGE, ours: LINES, peer: &["tshark", "-r"], goal: 1.0 / 25.0 },
    Comparison { records: SMALL, ours: VERBOSE, peer: &["btmon", "-r"], goal: 1.0 / 3.0 },
    Comparison { records: TINY, ours: JSON, peer: &["tshark", "-T", "json", "-r"], goal: 1.0 / 25.0 },
];

const LINES: &[&str] = &["decode"];
const VERBOSE: &[&str] = &["decode", "-v"];
const JSON: &[&str] = &["decode", "--json"];

/// Five times the records, at most this many times the processor time.
const GROWTH_GOAL: f64 = 5.5;
/// Octets of memory that a capture of any size may take.
const MEMORY_GOAL: u64 = 8_000_000;

/// Records of the captures. `SAMPLE` is only looked at.
const SAMPLE: u64 = 1_000;
const TINY: u64 = 20_000;
const SMALL: u64 = 200_000;
const LARGE: u64 = 1_000_000;

/// A program that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: usize = option("--rounds").map_or(Ok(5), |value| value.parse())?;
    let folder = Folder::new()?;
    let bench =
        Bench { rounds, program: option("--program").map_or_else(build, |path| Ok(path.into()))?, folder };
    for records in [SAMPLE, TINY, SMALL, LARGE] {
        fs::write(bench.capture(records, "btsnoop"), generate(Workload::Mixed, records).octets)?;
    }
    println!("processor time of whole processes, {rounds} alternating rounds: median (min..max)");
    bench.compare_all();
    bench.growth();
    bench.memory();
    Ok(())
}

struct Bench {
    rounds: usize,
    program: PathBuf,
    folder: Folder,
}

impl Bench {
    fn compare_all(&self) {
        println!(
            "{:>9}  {:22}{:>13}{:>24}  {:20}{:>13}{:>24}{:>26}  goal",
            "records", "ours", "octets each", "s", "peer", "octets each", "s", "ours / peer"
        );
        for comparison in &COMPARISONS {
            let Comparison { records, ours, peer, goal } = comparison;
            let head = format!("{records:>9}  {:22}", ours.join(" "));
            match self.compare(comparison) {
                Ok([our_octets, our_times, peer_octets, peer_times, ratios]) => println!(
                    "{head}{:>13.0}{our_times:>24.3}  {:20}{:>13.0}{peer_times:>24.3}{ratios:>26.4}  {}",
                    our_octets.median,
                    peer.join(" "),
                    peer_octets.median,
                    verdict(ratios.median, *goal, format!("{goal:.3}"))
                ),
                Err(why) => println!("{head}NOT MEASURED: {why}"),
            }
        }
    }

    /// Octets per packet and seconds of both, and the ratio of the seconds.
    fn compare(&self, comparison: &Comparison) -> Result<[Spread; 5], String> {
        let &Comparison { records, ours, peer, .. } = comparison;
        let [peer_program, peer_arguments @ ..] = peer else { return Err("no peer".to_owned()) };
        let our_command = |records| self.ours(ours, &self.capture(records, "btsnoop"));
        let peer_command = |records| {
            let mut command = Command::new(peer_program);
            command.args(peer_arguments).arg(self.capture(records, "btsnoop"));
            command
        };
        let our_sample = printed(our_command(SAMPLE))?;
        if ours == VERBOSE && our_sample == printed(self.ours(LINES, &self.capture(SAMPLE, "btsnoop")))? {
            return Err(format!("`baretooth {}` prints no more than `decode`", ours.join(" ")));
        }
        let peer_sample = printed(peer_command(SAMPLE))?;
        let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            our_times.push(usage(our_command(records))?.cpu.as_secs_f64());
            peer_times.push(usage(peer_command(records))?.cpu.as_secs_f64());
        }
        let each = |octets: Vec<u8>| Spread::of([octets.len() as f64 / SAMPLE as f64]);
        Ok([
            each(our_sample),
            Spread::of(our_times.iter().copied()),
            each(peer_sample),
            Spread::of(peer_times.iter().copied()),
            ratio(&our_times, &peer_times),
        ])
    }

    /// Whether time grows with the capture and not faster.
    fn growth(&self) {
        for ours in [LINES, VERBOSE, JSON] {
            let head = format!("time of {LARGE} / {SMALL} records, {:15}", ours.join(" "));
            let (mut large, mut small) = (Vec::new(), Vec::new());
            let run = |records| usage(self.ours(ours, &self.capture(records, "btsnoop")));
            let rounds = (0..self.rounds).try_for_each(|_| {
                small.push(run(SMALL)?.cpu.as_secs_f64());
                large.push(run(LARGE)?.cpu.as_secs_f64());
                Ok::<(), String>(())
            });
            match rounds {
                Ok(()) => {
                    let ratio = ratio(&large, &small);
                    println!("{head}{ratio:>22}  {}", verdict(ratio.median, GROWTH_GOAL, GROWTH_GOAL));
                }
                Err(why) => println!("{head}NOT MEASURED: {why}"),
            }
        }
    }

    /// The most memory that any of three runs held, on the same capture in other formats too.
    fn memory(&self) {
        for format in ["btsnoop", "pcap", "pcapng", "pklg"] {
            for records in [SMALL, LARGE] {
                let head = format!("memory, {records:>8} records of {format:8}");
                let peaks = self.converted(records, format).and_then(|capture| {
                    (0..3)
                        .map(|_| Ok(usage(self.ours(LINES, &capture))?.peak))
                        .collect::<Result<Vec<_>, String>>()
                });
                match peaks {
                    Ok(peaks) => {
                        let most = peaks.into_iter().max().unwrap_or_default();
                        let verdict = verdict(most as f64, MEMORY_GOAL as f64, "8 MB");
                        println!("{head}{:>10.1} MB  {verdict}", most as f64 / 1e6);
                    }
                    Err(why) => println!("{head}NOT MEASURED: {why}"),
                }
            }
        }
    }

    /// The generated capture in another format, by our own verb.
    fn converted(&self, records: u64, format: &str) -> Result<PathBuf, String> {
        let (from, to) = (self.capture(records, "btsnoop"), self.capture(records, format));
        if !to.exists() {
            let mut convert = self.ours(&["convert"], &from);
            convert.arg(&to);
            usage(convert)?;
        }
        Ok(to)
    }

    fn ours(&self, arguments: &[&str], capture: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg(capture);
        command
    }

    fn capture(&self, records: u64, format: &str) -> PathBuf {
        self.folder.0.join(format!("mix{records}.{format}"))
    }
}

/// What a program takes when it prints to nowhere. A sentence when it cannot.
fn usage(mut command: Command) -> Result<Usage, String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let name = said(&command);
    Usage::of(&mut command, LIMIT).map_err(|why| format!("{name}: {why}"))
}

/// What a program prints.
fn printed(mut command: Command) -> Result<Vec<u8>, String> {
    let name = said(&command);
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr);
            Err(format!("{name} ended with {}: {}", output.status, why.lines().next().unwrap_or_default()))
        }
        Err(error) => Err(format!("{name} does not start ({error}): not installed?")),
    }
}

/// A command without its folders.
fn said(command: &Command) -> String {
    let base = |text: &std::ffi::OsStr| {
        Path::new(text).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let words: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(base).collect();
    format!("`{}`", words.join(" "))
}

fn ratio(of: &[f64], to: &[f64]) -> Spread {
    Spread::of(of.iter().zip(to).map(|(of, to)| of / to.max(1e-9)))
}

fn verdict(figure: f64, goal: f64, said: impl std::fmt::Display) -> String {
    format!("<= {said}: {}", if figure <= goal { "met" } else { "MISSED" })
}

/// The program under test, built as it is released. It stands beside the benches in the target directory.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = env::var_os("CARGO").ok_or("run it by cargo bench, or name a --program")?;
    let built = Command::new(cargo).args(["build", "--release", "-p", "baretooth-cli"]).status()?;
    if !built.success() {
        return Err("baretooth-cli does not build".into());
    }
    let bench = env::current_exe()?;
    let release = bench.ancestors().nth(2).ok_or("the bench is in no target directory")?;
    Ok(release.join("baretooth"))
}

/// A folder for the captures; goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = env::temp_dir().join(format!("baretooth-offline-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Whatever stays is in the system's folder for that.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn option(name: &str) -> Option<String> {
    let mut arguments = env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}
