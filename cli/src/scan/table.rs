//! The live table of `scan` on a terminal: one row for each device, drawn over the one before.

use crate::output::Output;
use baretooth::gap::device_table::{Device, DeviceTable};
use baretooth::gap::report::Report;
use baretooth::{Instant, assigned};
use std::fmt::Write;
use std::io;

/// The devices heard, and how many lines of the terminal they take.
pub struct Table {
    devices: DeviceTable,
    begun: tokio::time::Instant,
    drawn: usize,
}

impl Table {
    pub fn new() -> Self {
        let devices = DeviceTable::with_capacity(DeviceTable::DEFAULT_CAPACITY);
        Self { devices, begun: tokio::time::Instant::now(), drawn: 0 }
    }

    pub fn update(&mut self, report: &Report) {
        self.devices.update(Instant::from_start(self.begun.elapsed()), report);
    }

    /// Draws as many rows as the terminal has room for, in the order in which the devices were first heard.
    pub fn draw(&mut self, output: &mut Output) -> io::Result<()> {
        let (width, height) = terminal_size::terminal_size()
            .map_or((80, 24), |(width, height)| (usize::from(width.0), usize::from(height.0)));
        let mut devices: Vec<_> = self.devices.iter().collect();
        devices.sort_by_key(|device| device.first_seen);
        let lines = lines(&devices, width, height.saturating_sub(1).max(3));
        let up = if self.drawn == 0 { String::new() } else { format!("\x1b[{}A\r", self.drawn) };
        let text = lines.iter().fold(up, |text, line| text + line + "\x1b[K\n");
        self.drawn = lines.len();
        // What is left of a longer table goes.
        output.raw(&(text + "\x1b[J"))
    }
}

/// At most `height` lines of at most `width` characters, a head among them and a last one that counts the rest.
fn lines(devices: &[&Device], width: usize, height: usize) -> Vec<String> {
    let head = format!("{:<24}  {:>8}  {:>6}  {:<20}  ADVERTISES", "ADDRESS", "RSSI", "PDUS", "NAME");
    let shown = if devices.len() < height { devices.len() } else { height - 2 };
    let rows = devices.iter().take(shown).map(|device| row(device));
    let rest = (shown < devices.len()).then(|| format!("and {} more", devices.len() - shown));
    let lines = std::iter::once(head).chain(rows).chain(rest);
    lines.map(|line| line.chars().take(width).collect()).collect()
}

fn row(device: &Device) -> String {
    let address = device.identity.or(device.address);
    let address = address.map_or_else(|| "anonymous".to_owned(), |address| address.to_string());
    let rssi = device.rssi.map_or_else(|| "?".to_owned(), |rssi| format!("{rssi} dBm"));
    let data = device.data();
    // Whatever the device calls itself must not move the cursor.
    let name = data.local_name().map(|name| name.to_str().escape_debug().to_string()).unwrap_or_default();
    let mut row = format!("{address:<24}  {rssi:>8}  {:>6}  {name:<20} ", device.reports);
    for service in data.services() {
        match assigned::service_name(service) {
            Some(name) => write!(row, " {name},"),
            None => write!(row, " {},", service.short()),
        }
        .expect("a string takes everything");
    }
    for of in data.manufacturer_data() {
        let company = assigned::company_name(of.company).unwrap_or("unknown company");
        write!(row, " {company},").expect("a string takes everything");
    }
    row.trim_end_matches([' ', ',']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use baretooth::{Adapter, Error};

    /// The devices of the virtual radio, which sends what they say.
    async fn heard() -> Result<Table, Error> {
        let adapter = Adapter::builder().seed(1).open("sim").await?;
        let mut scan = adapter.scan().await?;
        let mut table = Table::new();
        while table.devices.len() < 4 {
            table.update(&scan.next().await?.report);
        }
        Ok(table)
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_row_names_the_device_and_what_it_advertises() {
        let table = heard().await.expect("the virtual radio");
        let devices: Vec<_> = table.devices.iter().collect();
        let all = lines(&devices, 200, 24);
        assert_eq!(all.len(), 5, "a head and four devices: {all:?}");
        let strap = all.iter().find(|line| line.contains("HR strap")).expect("the strap");
        assert!(strap.starts_with("C0:BA:E7:70:00:01/random   -"), "{strap}");
        assert!(strap.contains("HR strap              Heart Rate, Battery"), "{strap}");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_table_fits_the_terminal() {
        let table = heard().await.expect("the virtual radio");
        let devices: Vec<_> = table.devices.iter().collect();
        let cut = lines(&devices, 10, 4);
        assert_eq!(cut.len(), 4);
        assert_eq!(cut[3], "and 2 more");
        assert!(cut.iter().all(|line| line.chars().count() <= 10), "{cut:?}");
    }
}
