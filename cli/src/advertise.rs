//! `advertise`: the other role. Serves a device that a file declares, and prints what centrals do.

use crate::failure::Failure;
use crate::global::Global;
use crate::output::{Output, hex};
use crate::target::{CharName, Found, seconds, uuid_at};
use crate::value::Format;
use baretooth::gatt::Services;
use baretooth::peripheral::Peripheral;
use baretooth::{
    Adapter, Address, AdvertiseMode, AdvertiseOptions, Advertisement, AdvertisingEnd, Error, ErrorCode,
    ErrorKind, ExtendedPdus, GattServer, Request,
};
use serde::Serialize;
use std::fmt;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A device in TOML, such as examples/thermometer.toml; without one, a name and no services
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The name, whatever the file says
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// Advertises in extended PDUs, which scanners of Bluetooth 4 do not hear
    #[arg(long)]
    extended: bool,
    /// Lets centrals connect, whatever the file says
    #[arg(long, conflicts_with = "non_connectable")]
    connectable: bool,
    /// Is only to be heard, whatever the file says
    #[arg(long)]
    non_connectable: bool,
    /// Seconds from one advertisement to the next
    #[arg(long, value_name = "S", value_parser = seconds)]
    interval: Option<Duration>,
    /// Stops advertising after S seconds, and ends when nobody is connected any more
    #[arg(long, value_name = "S", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Takes a value for CHAR from each line of standard input, and sends it to those who have subscribed
    #[arg(long, value_name = "CHAR")]
    notify: Option<CharName>,
    /// Ends with standard input
    #[arg(long, requires = "notify")]
    until_eof: bool,
    #[command(flatten)]
    format: Format,
}

/// What happens: a line for people, or an object.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told {
    Advertising {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        tx_power: Option<i8>,
    },
    Connected(Central),
    Disconnected {
        #[serde(flatten)]
        central: Central,
        reason: u8,
    },
    Written {
        #[serde(flatten)]
        central: Central,
        #[serde(flatten)]
        at: At,
        #[serde(flatten)]
        value: Value,
    },
    Subscribed {
        #[serde(flatten)]
        central: Central,
        #[serde(flatten)]
        at: At,
        notifications: bool,
        indications: bool,
    },
    Sent {
        #[serde(flatten)]
        at: At,
        #[serde(flatten)]
        value: Value,
        subscribers: usize,
    },
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Central {
    address: String,
    address_type: String,
}

/// An attribute of ours.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct At {
    handle: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    /// For people.
    #[serde(skip)]
    name: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Value {
    #[serde(rename = "value")]
    hex: String,
    /// For people.
    #[serde(skip)]
    shown: String,
}

impl Central {
    fn of(address: Address) -> Self {
        Self { address: address.bd_addr.to_string(), address_type: address.kind.to_string() }
    }
}

impl At {
    fn of(services: &Services, handle: u16) -> Self {
        let uuid = uuid_at(services, handle);
        Self { handle, uuid: uuid.map(|uuid| uuid.to_string()), name: Found { handle, uuid }.to_string() }
    }
}

impl Value {
    fn of(format: Format, value: &[u8]) -> Self {
        Self { hex: hex(value), shown: format.show(value) }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advertising { name, tx_power: None } => write!(f, "advertising as {name:?}"),
            Self::Advertising { name, tx_power: Some(dbm) } => {
                write!(f, "advertising as {name:?} with {dbm} dBm")
            }
            Self::Connected(central) => write!(f, "{central} connected"),
            Self::Disconnected { central, reason } => {
                write!(f, "{central} disconnected: {}", ErrorCode(*reason))
            }
            Self::Written { central, at, value } => write!(f, "{central} wrote {}: {}", at.name, value.shown),
            Self::Subscribed { central, at, notifications, indications } => {
                let what = match (notifications, indications) {
                    (true, true) => "subscribed to notifications and indications of",
                    (true, false) => "subscribed to notifications of",
                    (false, true) => "subscribed to indications of",
                    (false, false) => "unsubscribed from",
                };
                write!(f, "{central} {what} {}", at.name)
            }
            Self::Sent { at, value, subscribers } => {
                write!(f, "{}: {}, to {subscribers}", at.name, value.shown)
            }
            Self::Stopped => write!(f, "advertising is over"),
        }
    }
}

impl fmt::Display for Central {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.address_type)
    }
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let mut peripheral = args.peripheral()?;
    // The adapter's own, so that it needs no extended commands.
    let address = peripheral.advertising.address.take();
    let table = peripheral.table().map_err(|error| args.refuse(&error))?;
    let options = peripheral.advertise_options().map_err(|error| args.refuse(&error))?;
    let services = table.services().clone();
    let notified = args.notify.map(|name| name.pick(&services)).transpose()?;
    let mut builder = Adapter::builder().name(&peripheral.name);
    if let Some(address) = address {
        builder = builder.random_address(address);
    }
    global
        .session_with(builder, async |adapter| {
            let server = adapter.serve(table).await?;
            let mut device = Device {
                adapter,
                requests: server.requests(),
                notified: notified.as_ref().map(|c| Found { handle: c.value_handle, uuid: Some(c.uuid) }),
                lines: args.notify.map(|_| BufReader::new(stdin()).lines()),
                read: 0,
                server,
                services,
                args: &args,
                output: global.output(),
            };
            let until = peripheral.advertising.timeout.map(|timeout| Instant::now() + timeout);
            let advertisement = adapter.advertise(options.clone()).await?;
            device.tell(Told::Advertising { name: peripheral.name, tx_power: advertisement.tx_power() })?;
            device.run(Advertising { adapter, options, until, room: &Notify::new() }, advertisement).await
        })
        .await
}

impl Args {
    /// What the file says, and the command line says otherwise.
    fn peripheral(&self) -> Result<Peripheral, Failure> {
        let mut peripheral = match &self.file {
            None => Peripheral::new("baretooth"),
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| self.refuse(&error))?;
                text.parse().map_err(|error| self.refuse(&error))?
            }
        };
        if let Some(name) = &self.name {
            peripheral.name.clone_from(name);
        }
        let advertising = &mut peripheral.advertising;
        if self.extended {
            advertising.extended.get_or_insert(ExtendedPdus::default());
        }
        if self.connectable {
            advertising.mode = AdvertiseMode::Connectable;
        } else if self.non_connectable {
            advertising.mode = AdvertiseMode::NonConnectable;
        }
        advertising.interval = self.interval.map(|both| (both, both)).or(advertising.interval);
        advertising.timeout = self.timeout.or(advertising.timeout);
        Ok(peripheral)
    }

    fn refuse(&self, cause: &dyn fmt::Display) -> Failure {
        let file = self.file.as_deref().map_or("the command line".into(), Path::to_string_lossy);
        Failure::Usage(format!("reading {file} failed: {cause}"))
    }
}

/// Advertises until its time is over, again whenever a central has connected.
struct Advertising<'a> {
    adapter: &'a Adapter,
    options: AdvertiseOptions,
    until: Option<Instant>,
    /// A link is down: there may be room for another.
    room: &'a Notify,
}

impl Advertising<'_> {
    async fn go_on(&self, mut advertisement: Advertisement) -> Result<(), Error> {
        while let AdvertisingEnd::Connected(_) = advertisement.ended().await? {
            advertisement = loop {
                let mut options = self.options.clone();
                if let Some(until) = self.until {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(());
                    }
                    options = options.timeout(left);
                }
                match self.adapter.advertise(options).await {
                    Ok(advertisement) => break advertisement,
                    // Not every controller takes further centrals beside the one there is.
                    Err(Error::Controller { .. }) => self.room.notified().await,
                    Err(error) => return Err(error),
                }
            };
        }
        Ok(())
    }
}

/// What is served, and what is read and printed meanwhile.
struct Device<'a> {
    adapter: &'a Adapter,
    server: GattServer,
    services: Services,
    requests: baretooth::Requests,
    notified: Option<Found>,
    lines: Option<Lines<BufReader<Stdin>>>,
    /// Lines so far.
    read: u64,
    args: &'a Args,
    output: Output,
}

impl Device<'_> {
    async fn run(
        &mut self,
        advertising: Advertising<'_>,
        advertisement: Advertisement,
    ) -> Result<(), Failure> {
        let mut accepted = self.adapter.accepted();
        let mut links = JoinSet::new();
        let mut going_on = pin!(advertising.go_on(advertisement));
        let mut is_over = false;
        loop {
            tokio::select! {
                result = &mut going_on, if !is_over => {
                    result?;
                    is_over = true;
                    self.tell(Told::Stopped)?;
                }
                Some(peer) = accepted.next() => {
                    let central = Central::of(peer.address());
                    self.tell(Told::Connected(central.clone()))?;
                    links.spawn(async move { (central, peer.disconnected().await) });
                }
                Some(down) = links.join_next() => {
                    let (central, reason) = down.map_err(std::io::Error::other)?;
                    self.tell(Told::Disconnected { central, reason: reason.0 })?;
                    advertising.room.notify_one();
                }
                Some(request) = self.requests.next() => self.on_request(request)?,
                line = next_line(&mut self.lines) => match line? {
                    Some(line) => self.send(&line).await?,
                    None if self.args.until_eof => return Ok(()),
                    None => self.lines = None,
                },
                error = self.adapter.closed() => return Err(error.into()),
            }
            if is_over && links.is_empty() {
                return Ok(());
            }
        }
    }

    fn on_request(&mut self, request: Request) -> Result<(), Failure> {
        let told = match request {
            Request::Written { peer, handle, value } => Told::Written {
                central: Central::of(peer.address()),
                at: At::of(&self.services, handle),
                // The format is that of the values on standard input.
                value: match self.notified {
                    Some(found) if found.handle == handle => Value::of(self.args.format, &value),
                    _ => Value::of(Format::default(), &value),
                },
            },
            Request::Subscribed { peer, handle, notifications, indications } => Told::Subscribed {
                central: Central::of(peer.address()),
                at: At::of(&self.services, handle),
                notifications,
                indications,
            },
            // No value of a file is asked for.
            _ => return Ok(()),
        };
        self.tell(told)
    }

    /// A value from standard input.
    async fn send(&mut self, line: &str) -> Result<(), Failure> {
        self.read += 1;
        let (Some(found), line) = (self.notified, line.trim_end_matches('\r')) else { return Ok(()) };
        let value = self.args.format.parse(line).map_err(|cause| {
            Failure::new(ErrorKind::Invalid, format!("line {} of standard input refused: {cause}", self.read))
        })?;
        let shown = Value::of(self.args.format, &value);
        let subscribers = self.server.update(found, value).await?;
        self.tell(Told::Sent { at: At::of(&self.services, found.handle), value: shown, subscribers })
    }

    /// Whoever looks on sees it at once.
    fn tell(&mut self, told: Told) -> Result<(), Failure> {
        if self.output.is_json() {
            self.output.object(&told)?;
        } else {
            self.output.line(&told)?;
        }
        Ok(self.output.flush()?)
    }
}

/// The next line; nothing ever when there is nothing to read.
async fn next_line(lines: &mut Option<Lines<BufReader<Stdin>>>) -> Result<Option<String>, Failure> {
    match lines {
        Some(lines) => Ok(lines.next_line().await?),
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baretooth::uuid16;
    use clap::Parser;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Args {
        CommandLine::try_parse_from(format!("advertise {line}").split_whitespace()).expect(line).args
    }

    fn example() -> String {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/thermometer.toml").to_owned()
    }

    #[test]
    fn the_command_line_outdoes_the_file() {
        let peripheral = args(&example()).peripheral().expect("it is an example");
        assert_eq!(
            (peripheral.name.as_str(), peripheral.advertising.mode),
            ("Greenhouse", AdvertiseMode::Connectable)
        );
        let line = "--name other --extended --non-connectable --interval 2 --timeout 30";
        let peripheral = args(&format!("{} {line}", example())).peripheral().expect("it is an example");
        let advertising = &peripheral.advertising;
        assert_eq!((peripheral.name.as_str(), advertising.mode), ("other", AdvertiseMode::NonConnectable));
        assert!(advertising.extended.is_some());
        let two = Duration::from_secs(2);
        assert_eq!(
            (advertising.interval, advertising.timeout),
            (Some((two, two)), Some(Duration::from_secs(30)))
        );
        assert!(peripheral.table().expect("it fits").services().find(uuid16(0x2A6E)).is_ok());
        assert_eq!(args("").peripheral().expect("it needs no file").name, "baretooth");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_the_cause() {
        let message = |line: &str| match args(line).peripheral() {
            Err(Failure::Usage(message)) => message,
            other => panic!("{other:?}"),
        };
        assert!(message("no/such.toml").starts_with("reading no/such.toml failed: No such file"));
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let mistaken = message(manifest);
        assert!(mistaken.starts_with(&format!("reading {manifest} failed: line ")), "{mistaken}");
        assert!(mistaken.contains("unknown field"), "{mistaken}");
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for line in ["--connectable --non-connectable", "--until-eof", "--u8 --text", "a.toml b.toml"] {
            let line = format!("advertise {line}");
            assert!(CommandLine::try_parse_from(line.split_whitespace()).is_err(), "{line}");
        }
    }

    #[test]
    fn what_happens_is_a_line_or_an_object() {
        let central = Central::of("C0:01:02:03:04:05/random".parse().expect("an address"));
        let at = || {
            let table = Peripheral::new("n").table().expect("it fits");
            At::of(table.services(), 3)
        };
        let value = || Value::of(Format::default(), &[0x0A]);
        let who = r#""address":"C0:01:02:03:04:05","address_type":"random""#;
        let name = r#""handle":3,"uuid":"00002a00-0000-1000-8000-00805f9b34fb""#;
        for (told, line, object) in [
            (
                Told::Advertising { name: "n".to_owned(), tx_power: None },
                "advertising as \"n\"",
                r#"{"type":"advertising","name":"n"}"#.to_owned(),
            ),
            (
                Told::Connected(central.clone()),
                "C0:01:02:03:04:05/random connected",
                format!(r#"{{"type":"connected",{who}}}"#),
            ),
            (
                Told::Written { central: central.clone(), at: at(), value: value() },
                "C0:01:02:03:04:05/random wrote Device Name (0x0003): 0a",
                format!(r#"{{"type":"written",{who},{name},"value":"0a"}}"#),
            ),
            (
                Told::Subscribed {
                    central: central.clone(),
                    at: at(),
                    notifications: false,
                    indications: false,
                },
                "C0:01:02:03:04:05/random unsubscribed from Device Name (0x0003)",
                format!(r#"{{"type":"subscribed",{who},{name},"notifications":false,"indications":false}}"#),
            ),
            (
                Told::Sent { at: at(), value: value(), subscribers: 2 },
                "Device Name (0x0003): 0a, to 2",
                format!(r#"{{"type":"sent",{name},"value":"0a","subscribers":2}}"#),
            ),
            (
                Told::Disconnected { central, reason: 0x13 },
                "C0:01:02:03:04:05/random disconnected: ",
                format!(r#"{{"type":"disconnected",{who},"reason":19}}"#),
            ),
        ] {
            assert!(told.to_string().starts_with(line), "{told}");
            assert_eq!(serde_json::to_string(&told).expect("it is JSON"), object);
        }
    }
}
