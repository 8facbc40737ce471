//! Lists what advertises nearby: `cargo run --example scan -- [ADAPTER]`.
//!
//! Without an adapter it listens to the virtual radio. See `baretooth::transports::AdapterSpec` for the names of others.

use baretooth::{Adapter, Error, ScanOptions};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let name = std::env::args().nth(1).unwrap_or("sim".into());
    let adapter = Adapter::open(&name).await?;

    // As a stream: everything that is heard, as it is heard. A device comes again when its data change.
    let mut scan = adapter.scan_with(ScanOptions::new().active(true)).await?;
    let end = Instant::now() + Duration::from_secs(2);
    while let Ok(sighting) = timeout_at(end, scan.next()).await {
        let report = sighting?.report;
        let sender = report.address.map_or("anonymous".into(), |address| address.to_string());
        let strength = report.rssi.map_or("? dBm".into(), |rssi| format!("{rssi} dBm"));
        println!("{sender} {strength}");
        for field in report.data.view().fields() {
            println!("    {field}");
        }
    }
    drop(scan); // and the controller stops

    // Or all at once: each device with everything it said.
    for device in adapter.discover(Duration::from_secs(2)).await? {
        let name = device.data().local_name().map_or("no name".into(), |name| name.to_str().into_owned());
        println!("{name}: {} reports, connectable: {}", device.reports, device.connectable);
    }
    adapter.close().await;
    Ok(())
}
