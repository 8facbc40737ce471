//! `guest`: joins pretended hardware to a controller outside the guest.
//!
//! * `guest vhci SPEC`: an adapter of the kernel whose controller is at `SPEC`, a serial port usually
//!   (`uart:/dev/ttyS1,115200,rtscts`).

use baretooth_guest::vhci::{self, Vhci};
use baretooth_transports::AdapterSpec;
use std::{error::Error, process::ExitCode};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["vhci", spec] => vhci(spec).await,
        _ => Err("usage: guest vhci SPEC".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guest: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn vhci(spec: &str) -> Result<(), Box<dyn Error>> {
    let spec: AdapterSpec = spec.parse()?;
    let controller = baretooth_transports::open(&spec).await?;
    let adapter = Vhci::create()?;
    println!("hci{} has its controller at {spec}", adapter.index());
    Ok(vhci::join(adapter, controller).await?)
}
