//! `scan`: what advertisers say, one line for each advertising PDU and each scan response; on a terminal a table of
//! devices.

mod table;

use crate::failure::Failure;
use crate::global::Global;
use crate::output::{Output, hex};
use crate::target::{Target, seconds};
use crate::value::octets;
use baretooth::gap::advertising_data::{AdType, AdvertisingData};
use baretooth::gap::filter::{Filter, Pattern};
use baretooth::gap::report::Report;
use baretooth::gap::scan::{Duplicates, ScanOptions, ScanPhys};
use baretooth::{Adapter, ErrorKind, Scan, Uuid, assigned};
use baretooth_rpc::message::scan as message;
use serde::Serialize;
use std::future::ready;
use std::io;
use std::time::Duration;
use table::Table;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ends after S seconds; goes on until it is interrupted if not given
    #[arg(long, value_name = "S", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Only listens: no scan responses are asked for
    #[arg(long)]
    passive: bool,
    /// Extended PDUs too, on LE 1M and LE Coded; an error if the controller has not got them
    #[arg(long, conflicts_with = "legacy")]
    extended: bool,
    /// Only legacy PDUs, by the legacy commands
    #[arg(long)]
    legacy: bool,
    /// Milliseconds from one scan window to the next
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    interval: Option<Duration>,
    /// Milliseconds of listening in each interval; all of it if not given
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    window: Option<Duration>,
    /// Only devices that advertise one of these services
    #[arg(long, value_name = "UUID", num_args = 1.., value_parser = service)]
    service: Vec<Uuid>,
    /// Only devices whose name matches: * is any text, ? any character
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    name: Vec<String>,
    /// Only these devices
    #[arg(long, value_name = "A", num_args = 1..)]
    address: Vec<Target>,
    /// Only what is heard this strong, in dBm
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    min_rssi: Option<i8>,
    /// Only devices with data of this company, such as 004c
    #[arg(long, value_name = "ID", num_args = 1.., value_parser = company)]
    manufacturer: Vec<u16>,
    /// Only devices with these octets in an AD structure, such as 0:ff:4c00
    #[arg(long, value_name = "START:TYPE:HEX", num_args = 1.., value_parser = pattern)]
    pattern: Vec<Pattern>,
    /// Reports that say nothing new too (the table of a terminal always counts them)
    #[arg(long)]
    duplicates: bool,
    /// Prints lines with the octets of the data too, no table (the JSON always has them)
    #[arg(long)]
    raw: bool,
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let builder = Adapter::builder().legacy_only(args.legacy);
    global
        .session_with(builder, async |adapter| {
            if args.extended && !adapter.controller().extended {
                let cause = "the controller has no extended advertising; leave --extended out";
                return Err(Failure::new(
                    ErrorKind::Invalid,
                    format!("scanning for extended PDUs failed: {cause}"),
                ));
            }
            let mut output = global.output();
            let live = output.is_terminal() && !args.raw;
            let scan = adapter.scan_with(args.options(live)).await?;
            let printing = async {
                if live {
                    draw(global, scan, &mut output).await
                } else {
                    print(global, &args, scan, &mut output).await
                }
            };
            let result = match args.timeout {
                Some(timeout) => tokio::time::timeout(timeout, printing).await.unwrap_or(Ok(())),
                None => printing.await,
            };
            output.flush()?;
            result
        })
        .await
}

impl Args {
    /// A `live` table shows the strength of every report, so it wants those that say nothing new.
    fn options(&self, live: bool) -> ScanOptions {
        let mut options = ScanOptions::new().active(!self.passive).filter(self.filter());
        if self.extended {
            options = options.phys(ScanPhys::LE_1M | ScanPhys::LE_CODED);
        }
        if self.duplicates || live {
            options = options.duplicates(Duplicates::All);
        }
        // A window alone would be longer than the default interval, an interval alone shorter than the window.
        match (self.interval, self.window) {
            (Some(interval), window) => options.interval(interval).window(window.unwrap_or(interval)),
            (None, Some(window)) => options.interval(window.max(Duration::from_millis(60))).window(window),
            (None, None) => options,
        }
    }

    fn filter(&self) -> Filter {
        let mut filter = Filter::new();
        if self.legacy {
            filter = filter.legacy(true);
        }
        if let Some(dbm) = self.min_rssi {
            filter = filter.min_rssi(dbm);
        }
        filter = self.service.iter().fold(filter, |filter, &service| filter.service(service));
        filter = self.name.iter().fold(filter, |filter, name| filter.name(name));
        filter = self.manufacturer.iter().fold(filter, |filter, &company| filter.manufacturer(company));
        filter = self.pattern.iter().cloned().fold(filter, Filter::pattern);
        self.address.iter().fold(filter, |filter, address| match *address {
            Target::Typed(address) => filter.address(address),
            Target::Untyped(bd_addr) => filter.bd_addr(bd_addr),
        })
    }
}

/// Shows the live table.
async fn draw(global: &Global, mut scan: Scan, output: &mut Output) -> Result<(), Failure> {
    const PERIOD: Duration = Duration::from_millis(250);
    let mut table = Table::new();
    let mut redraw = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            biased;
            _ = redraw.tick() => {
                table.draw(output)?;
                output.flush()?;
            }
            sighting = scan.next() => {
                let report = sighting?.report;
                global.saw(report.address);
                table.update(&report);
            }
        }
    }
}

async fn print(global: &Global, args: &Args, mut scan: Scan, output: &mut Output) -> Result<(), Failure> {
    loop {
        // What waits is printed in one go; what was printed is shown before waiting for more.
        let sighting = tokio::select! {
            biased;
            sighting = scan.next() => sighting?,
            () = ready(()) => {
                output.flush()?;
                scan.next().await?
            }
        };
        global.saw(sighting.report.address);
        if output.is_json() {
            output.object(&JsonReport::new(&sighting.report))?;
        } else {
            print_one(args, &sighting.report, output)?;
        }
    }
}

/// `C0:11:22:33:44:55/random  -50 dBm  connectable  Flags 0x06, …`
fn print_one(args: &Args, report: &Report, output: &mut Output) -> io::Result<()> {
    let address = report.address.map_or_else(|| "anonymous".to_owned(), |address| address.to_string());
    let rssi = report.rssi.map_or_else(|| "?".to_owned(), |rssi| rssi.to_string());
    let sort = match report {
        Report { scan_response: true, .. } => "response",
        Report { connectable: true, .. } => "connectable",
        Report { scannable: true, .. } => "scannable",
        _ => "broadcast",
    };
    let extended = if report.legacy { "" } else { "extended: " };
    let known = report.identity.map(|identity| format!("of {identity}: ")).unwrap_or_default();
    let data = report.data.view();
    output.line(format_args!(
        "{address:<24} {rssi:>4} dBm  {sort:<11}  {known}{extended}{}",
        described(data)
    ))?;
    if args.raw && !data.as_bytes().is_empty() {
        output.line(format_args!("{:>24} {}", "", hex(data.as_bytes())))?;
    }
    Ok(())
}

/// Advertising data for people, cut to what they can take in.
fn described(data: AdvertisingData<'_>) -> String {
    const LONGEST: usize = 240;
    let text = if data.as_bytes().is_empty() { "no data".to_owned() } else { data.to_string() };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} octets)", &text[..end], data.as_bytes().len()),
        None => text,
    }
}

/// The report that `rpc` tells, as a line.
#[derive(Serialize)]
struct JsonReport {
    r#type: &'static str,
    #[serde(flatten)]
    report: message::Report,
}

impl JsonReport {
    fn new(report: &Report) -> Self {
        Self { r#type: "report", report: report.into() }
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let milliseconds = text.parse().ok().filter(|ms| (2.5..=10_240.0).contains(ms));
    let duration = milliseconds.map(|ms: f64| Duration::from_secs_f64(ms / 1000.0));
    duration.ok_or_else(|| format!("{text:?} is no time of a scan: 2.5 to 10240 ms"))
}

/// A UUID, or a name of a service.
fn service(text: &str) -> Result<Uuid, String> {
    let uuid = assigned::service(text).or_else(|| text.parse().ok());
    uuid.ok_or_else(|| format!("{text:?} names no service; write a UUID (180d) or a name (heart_rate)"))
}

/// A company by its number, in hexadecimal as in the JSON.
fn company(text: &str) -> Result<u16, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u16::from_str_radix(digits, 16)
        .map_err(|_| format!("{text:?} is no company; write four digits, such as 004c"))
}

fn pattern(text: &str) -> Result<Pattern, String> {
    let parse = || {
        let (start, rest) = text.split_once(':')?;
        let (ad_type, digits) = rest.split_once(':')?;
        let ad_type = u8::from_str_radix(ad_type.strip_prefix("0x").unwrap_or(ad_type), 16).ok()?;
        Some(Pattern { start: start.parse().ok()?, ad_type: AdType(ad_type), octets: octets(digits)? })
    };
    parse().ok_or_else(|| format!("{text:?} is no pattern; write START:TYPE:HEX, such as 0:ff:4c00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_start_type_and_octets() {
        let wanted = Pattern { start: 2, ad_type: AdType(0xFF), octets: vec![0x4C, 0x00] };
        assert_eq!(pattern("2:ff:4c00"), Ok(wanted.clone()));
        assert_eq!(pattern("2:0xff:4c:00"), Ok(wanted));
        for wrong in ["", "2", "2:ff", "x:ff:00", "2:100:00", "2:ff:0", "-1:ff:00"] {
            assert!(pattern(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_companies_and_services_have_their_ranges() {
        assert_eq!(milliseconds("2.5"), Ok(Duration::from_micros(2500)));
        assert!(milliseconds("2").is_err() && milliseconds("10241").is_err() && milliseconds("NaN").is_err());
        assert_eq!((company("004c"), company("0x4C")), (Ok(0x4C), Ok(0x4C)));
        assert!(company("10000").is_err());
        assert_eq!(service("180d"), service("heart_rate"));
        assert!(service("x").is_err());
    }
}
