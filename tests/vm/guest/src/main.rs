//! `guest`: joins pretended hardware to a controller outside the guest.
//!
//! * `guest open SPEC`: opens an adapter, and closes it when standard input ends;
//! * `guest candidates`: lists the adapters, and what stands in the way;
//! * `guest listen`: waits for one record of the monitor channel;
//! * `guest vhci SPEC`: an adapter of the kernel whose controller is at `SPEC`, a serial port usually
//!   (`uart:/dev/ttyS1,115200,rtscts`);
//! * `guest dongle SPEC [--id VVVV:PPPP] [--serial TEXT] [--composite] [--no-zlp]`: a USB dongle that has it.

use baretooth_guest::{
    dongle::{Dongle, Options},
    vhci::{self, Vhci},
};
use baretooth_transports::{AdapterSpec, Candidate, Monitor};
use std::{error::Error, process::ExitCode};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["open", spec] => open(spec).await,
        ["candidates"] => candidates(),
        ["listen"] => listen().await,
        ["vhci", spec] => vhci(spec).await,
        ["dongle", spec, ref options @ ..] => dongle(spec, options).await,
        _ => Err("usage: guest open SPEC | candidates | listen | vhci SPEC | dongle SPEC [OPTION…]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guest: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn open(spec: &str) -> Result<(), Box<dyn Error>> {
    let _adapter = baretooth_transports::open(&spec.parse()?).await?;
    println!("{spec} is open");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

fn candidates() -> Result<(), Box<dyn Error>> {
    for Candidate { spec, description, problem, .. } in baretooth_transports::candidates() {
        let problem = problem.map(|problem| format!("; {}: {}", problem.reason, problem.hint));
        println!("{spec}: {description}{}", problem.unwrap_or_default());
    }
    Ok(())
}

async fn listen() -> Result<(), Box<dyn Error>> {
    Monitor::open()?.recv().await?;
    println!("a record is here");
    Ok(())
}

async fn vhci(spec: &str) -> Result<(), Box<dyn Error>> {
    let spec: AdapterSpec = spec.parse()?;
    let controller = baretooth_transports::open(&spec).await?;
    let adapter = Vhci::create()?;
    println!("hci{} has its controller at {spec}", adapter.index());
    Ok(vhci::join(adapter, controller).await?)
}

async fn dongle(spec: &str, mut arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let spec: AdapterSpec = spec.parse()?;
    let mut options = Options::default();
    while let [argument, rest @ ..] = arguments {
        arguments = rest;
        match (*argument, rest) {
            ("--composite", _) => options.composite = true,
            ("--no-zlp", _) => options.zero_length_packets = false,
            ("--serial", [serial, rest @ ..]) => {
                options.serial = Some((*serial).into());
                arguments = rest;
            }
            ("--id", [id, rest @ ..]) => {
                let (vendor, product) = id.split_once(':').ok_or("--id needs VVVV:PPPP")?;
                options.vendor = u16::from_str_radix(vendor, 16)?;
                options.product = u16::from_str_radix(product, 16)?;
                arguments = rest;
            }
            _ => return Err(format!("{argument} is no option, or lacks its value").into()),
        }
    }
    let dongle = Dongle::plug(options, baretooth_transports::open(&spec).await?).await?;
    println!("usb:{} has its controller at {spec}", dongle.place());
    Ok(dongle.ended().await?)
}
