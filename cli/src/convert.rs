//! `convert`: a capture in another format, or part of one.

mod file;
mod summary;

use self::file::Part;
use self::summary::Summary;
use crate::failure::{Failure, Report};
use crate::global::{Global, or_interrupted};
use crate::input::Input;
use baretooth::capture::{Elapsed, Filter, Format, Link, Record, Redactor, Selection, Writer};
use baretooth::hci::ConnectionHandle;
use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a capture in another format, all of it or a part.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The capture, in any format; - is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Where to write, in the format of its extension; - is standard output
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// The format, whatever OUT is called
    #[arg(long, value_enum)]
    format: Option<Name>,
    /// How the packets stand in the file: monitor keeps notes and tells adapters apart
    #[arg(long, value_enum)]
    link: Option<Form>,
    /// Only this link: its packets, and commands and events that name it
    #[arg(long, value_name = "HANDLE", value_parser = handle)]
    connection: Option<ConnectionHandle>,
    /// Only from this time on, in seconds since the first record
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    from: Option<Elapsed>,
    /// Only up to this time, in seconds since the first record
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    to: Option<Elapsed>,
    /// Only packets like this; decode --help has the conditions
    #[arg(long, value_name = "EXPR")]
    filter: Option<Filter>,
    /// Replaces keys, addresses, names and values
    #[arg(long, long_help = REDACT)]
    redact: bool,
}

const REDACT: &str = "\
    Replaces what tells who somebody is, what was said, and what it was encrypted with: addresses (of the same sort), keys \
    and random numbers, names (by letters), attribute values, and data of services and makers in advertising. Vendor \
    packets, other channels, speech, streams, notes and logs become zeros; comments go. Times, lengths, opcodes, handles, \
    UUIDs and subscriptions stay. The same becomes the same all through the file, so who looks can tell that two values \
    are equal. The key is random and forgotten, unless --seed gives one.";

const EXAMPLES: &str = "\
Examples:
  baretooth convert run.btsnoop run.pcapng
  baretooth convert --connection 0x0040 run.pklg link.pcap
  baretooth convert --from 10 --to 12.5 --filter 'layer=att,smp' run.log part.btsnoop
  baretooth convert --redact run.btsnoop shown.btsnoop
  baretooth convert --format pcap run.btsnoop - | tshark -r -";

/// A format by its name.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Name {
    /// What BlueZ, Android and most tools read
    Btsnoop,
    /// The classic format of Wireshark
    Pcap,
    /// The block format of Wireshark
    Pcapng,
    /// Apple's PacketLogger
    Pklg,
}

/// How packets stand in a file.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Form {
    /// Indicator first
    H4,
    /// Direction first, then as h4
    Direction,
    /// As on the Linux monitor channel
    Monitor,
    /// Without indicator
    H1,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let format = format(&args)?;
    let to_stdout = is_standard(&args.output);
    if to_stdout && global.json {
        return Err(Failure::Usage("the capture and the JSON cannot both go to standard output".to_owned()));
    }
    if is_same(&args.input, &args.output) {
        let message =
            format!("{} would be overwritten while it is read; name another file", args.output.display());
        return Err(Failure::Usage(message));
    }
    let part = if to_stdout { None } else { Some(Part::create(&args.output)?) };
    let to: Box<dyn Write + Send> = match &part {
        Some(part) => Box::new(part.open()?),
        None => Box::new(io::stdout()),
    };
    let key = if args.redact { Some(key(global.seed)?) } else { None };
    let job = args.clone();
    // Reading and writing block; an interrupt has to be heard all the same, so that nothing is left behind.
    let work = async {
        let work = tokio::task::spawn_blocking(move || convert(&job, format, key, to));
        work.await.map_err(io::Error::from)?
    };
    let summary = or_interrupted(work).await?;
    if let Some(part) = part {
        part.keep()?;
    }
    if global.json {
        let mut output = global.output();
        output.object(&summary.json(&args.input, &args.output))?;
        output.flush()?;
    } else {
        summary.lines().iter().for_each(|line| eprintln!("{line}"));
    }
    Ok(())
}

/// Copies record by record: the memory does not grow with the capture.
fn convert(args: &Args, format: Format, key: Option<[u8; 32]>, to: impl Write) -> Result<Summary, Failure> {
    let mut input = Input::open(&args.input, "converting")?;
    let unwritable = |error| unwritable(args, error);
    let writer = Writer::new(BufWriter::with_capacity(1 << 16, to), format).map_err(unwritable)?;
    let mut copy = Copy {
        selection: filter(args).map(Selection::new),
        redactor: key.map(Redactor::new),
        passing: VecDeque::new(),
        writer,
        summary: Summary::new(input.format(), format),
    };
    while let Some(record) = input.read()? {
        copy.take(&record).map_err(unwritable)?;
    }
    let mut summary = copy.finish().map_err(unwritable)?;
    summary.ended(&input);
    Ok(summary)
}

/// What records pass through.
struct Copy<W> {
    selection: Option<Selection>,
    redactor: Option<Redactor>,
    /// Of the records that the redactor has: whether they pass. It has to see all.
    passing: VecDeque<bool>,
    writer: Writer<W>,
    summary: Summary,
}

impl<W: Write> Copy<W> {
    fn take(&mut self, record: &Record) -> io::Result<()> {
        self.summary.came(record);
        match &mut self.selection {
            None => self.redact(record, true),
            Some(selection) => {
                selection.push(record);
                self.take_selected()
            }
        }
    }

    fn finish(mut self) -> io::Result<Summary> {
        self.selection.iter_mut().for_each(Selection::finish);
        self.take_selected()?;
        self.redactor.iter_mut().for_each(Redactor::finish);
        self.write_redacted()?;
        self.writer.flush()?;
        self.summary.redacted(self.redactor.as_ref().map(Redactor::redacted));
        Ok(self.summary)
    }

    fn take_selected(&mut self) -> io::Result<()> {
        while let Some((record, passes)) = self.selection.as_mut().and_then(Selection::pop) {
            self.redact(&record, passes)?;
        }
        Ok(())
    }

    fn redact(&mut self, record: &Record, passes: bool) -> io::Result<()> {
        match &mut self.redactor {
            None if passes => self.write(record),
            None => Ok(()),
            Some(redactor) => {
                redactor.push(record);
                self.passing.push_back(passes);
                self.write_redacted()
            }
        }
    }

    fn write_redacted(&mut self) -> io::Result<()> {
        while let Some(record) = self.redactor.as_mut().and_then(Redactor::pop) {
            if self.passing.pop_front() == Some(true) {
                self.write(&record)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        let left_out = self.writer.write(record)?;
        self.summary.went(&left_out);
        Ok(())
    }
}

fn unwritable(args: &Args, error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::BrokenPipe;
    }
    let message = format!("writing {} failed: {error}", args.output.display());
    Failure::Failed(Report { kind: "io", message, ..Report::default() })
}

/// What the options leave of the capture; `None` for all of it.
fn filter(args: &Args) -> Option<Filter> {
    let time = (args.from.is_some() || args.to.is_some()).then(|| Filter::time(args.from, args.to));
    [args.filter.clone(), args.connection.map(Filter::link), time].into_iter().flatten().reduce(Filter::and)
}

fn format(args: &Args) -> Result<Format, Failure> {
    let format = match args.format {
        Some(Name::Btsnoop) => Format::BTSNOOP,
        Some(Name::Pcap) => Format::PCAP,
        Some(Name::Pcapng) => Format::PCAPNG,
        Some(Name::Pklg) => Format::PACKET_LOGGER,
        None if is_standard(&args.output) => {
            return Err(Failure::Usage(
                "standard output has no extension; give the format with --format".to_owned(),
            ));
        }
        None => Format::of_name(&args.output)
            .map_err(|error| Failure::Usage(format!("{error}, or give --format")))?,
    };
    let Some(form) = args.link else { return Ok(format) };
    let link = match form {
        Form::H4 => Link::H4,
        Form::Direction => Link::H4WithDirection,
        Form::Monitor => Link::Monitor,
        Form::H1 => Link::H1,
    };
    format.with_link(link).map_err(|error| Failure::Usage(error.to_string()))
}

/// A random one, or what the user gave.
fn key(seed: Option<u64>) -> Result<[u8; 32], Failure> {
    let mut key = [0; 32];
    match seed {
        Some(seed) => key.iter_mut().zip(seed.to_le_bytes()).for_each(|(to, from)| *to = from),
        None => getrandom::fill(&mut key).map_err(|error| {
            let message = format!("the system gives no random key: {error}");
            Failure::Failed(Report { kind: "io", message, ..Report::default() })
        })?,
    }
    Ok(key)
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn is_same(input: &Path, output: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    !is_standard(input) && real(input).is_some_and(|input| real(output) == Some(input))
}

fn handle(text: &str) -> Result<ConnectionHandle, String> {
    let number = match text.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16),
        None => text.parse(),
    };
    match number {
        Ok(handle @ 0..=0x0FFF) => Ok(ConnectionHandle(handle)),
        _ => Err("a link's handle is 0x0040 or 64, up to 0x0FFF".to_owned()),
    }
}
