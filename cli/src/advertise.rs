//! `advertise`: the other role. Serves a device that a file declares, and prints what centrals do.

mod told;

use crate::failure::Failure;
use crate::global::Global;
use crate::lines::Lines;
use crate::output::Output;
use crate::pairing::{Answers, News, Paired, PairingArgs};
use crate::target::{CharName, Found, Who, seconds};
use crate::value::Format;
use baretooth::gatt::Services;
use baretooth::peripheral::Peripheral;
use baretooth::{
    Adapter, AdvertiseMode, AdvertiseOptions, Advertisement, AdvertisingEnd, Error, ErrorKind, ExtendedPdus,
    GattServer, Request,
};
use std::fmt;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use told::{At, Told, Value};

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
    #[command(flatten)]
    pairing: PairingArgs,
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
    if address.is_some() && global.held.is_some() {
        return Err(args.refuse(&"an adapter that is open keeps its address; leave `address` out"));
    }
    global
        .session_with(builder, async |adapter| {
            let server = adapter.serve(table).await?;
            let mut device = Device {
                adapter,
                requests: server.requests(),
                notified: notified.as_ref().map(|c| Found { handle: c.value_handle, uuid: Some(c.uuid) }),
                lines: args.notify.map(|_| global.lines()),
                read: 0,
                server,
                services,
                args: &args,
                output: global.output(),
                answers: None,
            };
            if args.pairing.is_wanted() {
                // Standard input is for one thing.
                let lines = args.notify.is_none().then(|| global.lines());
                device.answers =
                    Some(Answers::agent(&args.pairing, adapter, lines, &mut device.output).await?);
            }
            let until = peripheral.advertising.timeout.map(|timeout| Instant::now() + timeout);
            let advertisement = adapter.advertise(options.clone()).await?;
            let address = Who::of(adapter.controller().random_address);
            let (name, tx_power) = (peripheral.name, advertisement.tx_power());
            device.tell(Told::Advertising { address, name, tx_power })?;
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
    lines: Option<Lines>,
    /// Lines so far.
    read: u64,
    args: &'a Args,
    output: Output,
    /// Of pairings; without it nobody pairs.
    answers: Option<Answers<'a>>,
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
                    let central = Who::of(peer.address());
                    self.tell(Told::Connected(central.clone()))?;
                    links.spawn(async move { (central, peer.disconnected().await) });
                }
                Some(down) = links.join_next() => {
                    let (central, reason) = down.map_err(std::io::Error::other)?;
                    self.tell(Told::Disconnected { central, reason: reason.0 })?;
                    advertising.room.notify_one();
                }
                Some(request) = self.requests.next() => self.on_request(request)?,
                news = next_news(&mut self.answers) => match news? {
                    News::Shown(shown) => shown.tell(&mut self.output)?,
                    News::Over { with, result } => self.tell(match result {
                        Ok(summary) => Told::Paired(Paired::of(&summary)),
                        Err(error) => Told::NotPaired { central: Who::of(with), message: error.to_string() },
                    })?,
                },
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
                central: Who::of(peer.address()),
                at: At::of(&self.services, handle),
                // The format is that of the values on standard input.
                value: match self.notified {
                    Some(found) if found.handle == handle => Value::of(self.args.format, &value),
                    _ => Value::of(Format::default(), &value),
                },
            },
            Request::Subscribed { peer, handle, notifications, indications } => Told::Subscribed {
                central: Who::of(peer.address()),
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

/// What pairings ask and come to; nothing ever when nobody pairs.
async fn next_news(answers: &mut Option<Answers<'_>>) -> Result<News, Failure> {
    match answers {
        Some(answers) => answers.next().await,
        None => pending().await,
    }
}

/// The next line; nothing ever when there is nothing to read.
async fn next_line(lines: &mut Option<Lines>) -> Result<Option<String>, Failure> {
    match lines {
        Some(lines) => lines.next().await,
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
}
