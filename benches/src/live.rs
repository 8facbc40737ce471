//! What every host under measurement shares: its command line, and the one line it prints.

use crate::measure::Stopwatch;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a host does with the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads the echo value, one request at a time.
    Reads,
    /// Writes without response to the sink.
    WritesWithoutResponse,
    /// Takes a flood of notifications.
    Notifications,
    /// Takes a flood of advertising reports.
    Scan,
    /// Answers the peer's reads of 20 octets, one request at a time.
    ServedReads,
    /// Sends notifications to a subscribed peer.
    ServedNotifications,
    /// Sends SDUs over a credit-based channel.
    Sdus,
}

impl Operation {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Reads,
        Self::WritesWithoutResponse,
        Self::Notifications,
        Self::Scan,
        Self::ServedReads,
        Self::ServedNotifications,
        Self::Sdus,
    ];

    /// The names of all of them, for a usage line.
    pub const NAMES: &str = "reads|wwr|notif|scan|srv-reads|srv-notif|sdus";
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reads => "reads",
            Self::WritesWithoutResponse => "wwr",
            Self::Notifications => "notif",
            Self::Scan => "scan",
            Self::ServedReads => "srv-reads",
            Self::ServedNotifications => "srv-notif",
            Self::Sdus => "sdus",
        })
    }
}

impl FromStr for Operation {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.to_string() == name)
            .ok_or(format!("{name} is none of {}", Self::NAMES))
    }
}

/// `ADDRESS OPERATION [-n N] [--len L] [--mtu M]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// `host:port` of the controller.
    pub address: String,
    /// What to do.
    pub operation: Operation,
    /// How often.
    pub count: u64,
    /// Octets of a value that is written or notified, or of an SDU.
    pub length: u16,
    /// ATT_MTU to ask for.
    pub mtu: u16,
}

impl Arguments {
    /// Reads a command line without the program's name.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let mut next = |what: &str| arguments.next().ok_or(format!("{what} is missing"));
        let (address, operation) = (next("the controller's address")?, next("the operation")?.parse()?);
        let mut parsed = Self { address, operation, count: 5_000, length: 20, mtu: 247 };
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or(format!("{option} has no value"))?;
            let wrong = |_| format!("{option} takes a number, not {value}");
            match option.as_str() {
                "-n" => parsed.count = value.parse().map_err(wrong)?,
                "--len" => parsed.length = value.parse().map_err(wrong)?,
                "--mtu" => parsed.mtu = value.parse().map_err(wrong)?,
                _ => return Err(format!("unknown option {option}")),
            }
        }
        Ok(parsed)
    }
}

/// What a host has measured. Its `Display` is the last line a host prints, and `FromStr` reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Which host.
    pub host: String,
    /// Operations done.
    pub count: u64,
    /// Operations of which nothing was seen at the other end.
    pub lost: u64,
    /// Time on the clock, without start-up, connection and discovery.
    pub wall: Duration,
    /// Processor time of the host's process in that time.
    pub cpu: Duration,
}

impl Figures {
    /// Ends a measurement.
    pub fn since(watch: &Stopwatch, host: &str, count: u64, lost: u64) -> Self {
        Self { host: host.to_owned(), count, lost, wall: watch.wall(), cpu: watch.cpu() }
    }

    /// Processor microseconds for one operation.
    pub fn cpu_per_operation(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.operations()
    }

    /// Operations in a second on the clock.
    pub fn rate(&self) -> f64 {
        self.operations() / self.wall.as_secs_f64().max(1e-9)
    }

    fn operations(&self) -> f64 {
        f64::from(u32::try_from(self.count.max(1)).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, count, lost, wall, cpu } = self;
        write!(f, "host={host} n={count} lost={lost} wall_ns={} cpu_ns={}", wall.as_nanos(), cpu.as_nanos())
    }
}

impl FromStr for Figures {
    type Err = String;
    fn from_str(line: &str) -> Result<Self, String> {
        let field = |name: &str| {
            let found = line.split_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            found.ok_or(format!("no {name} in: {line}"))
        };
        let number = |name: &str| field(name)?.parse().map_err(|_| format!("{name} is no number in: {line}"));
        Ok(Self {
            host: field("host")?.to_owned(),
            count: number("n")?,
            lost: number("lost")?,
            wall: Duration::from_nanos(number("wall_ns")?),
            cpu: Duration::from_nanos(number("cpu_ns")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_command_line_has_defaults_and_says_what_is_wrong() {
        let parsed = parse("127.0.0.1:1 notif -n 7 --mtu 99").expect("complete");
        let (operation, address) = (Operation::Notifications, "127.0.0.1:1".to_owned());
        assert_eq!(parsed, Arguments { address, operation, count: 7, length: 20, mtu: 99 });
        assert_eq!(parse("a jump"), Err(format!("jump is none of {}", Operation::NAMES)));
        assert_eq!(parse("a scan -n x"), Err("-n takes a number, not x".to_owned()));
        assert_eq!(parse("a"), Err("the operation is missing".to_owned()));
    }

    #[test]
    fn every_operation_is_named() {
        let names: Vec<_> = Operation::ALL.iter().map(Operation::to_string).collect();
        assert_eq!(names.join("|"), Operation::NAMES);
    }

    #[test]
    fn figures_are_read_as_they_were_printed() {
        let cpu = Duration::from_micros(700);
        let figures =
            Figures { host: "x".to_owned(), count: 10, lost: 1, wall: Duration::from_millis(2), cpu };
        assert_eq!(figures.to_string().parse(), Ok(figures.clone()));
        assert_eq!(figures.cpu_per_operation(), 70.0);
        assert_eq!(figures.rate(), 5_000.0);
        assert!("host=x n=1".parse::<Figures>().is_err());
    }
}
