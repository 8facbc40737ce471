//! `device ADAPTER [--name NAME] [--mtu OCTETS] [--seed N] [--capture FILE] [--hr-rate HZ] [--extended] [--eatt]
//! [--store FOLDER] [--central] [--raise]`, and the options of [`pairing`]: a peripheral made of the public API alone, for
//! the centrals of other stacks to judge; or a central that pairs, for their peripherals.
//!
//! Standard output has what happens, one JSON object a line; the first, `ready`, has the address and the table. It ends
//! when standard input does, which has [`commands`]. What it is told from the air it is told by the control
//! characteristic ([`device`]).
#![forbid(unsafe_code)]
// This is a program that uses the library, with tasks and a clock of its own.
#![allow(clippy::disallowed_methods)]

mod channels;
mod commands;
mod device;
mod pairing;
mod table;
mod tell;

use device::Device;
use pairing::Ways;
use std::error::Error;
use std::process::ExitCode;

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    adapter: String,
    name: String,
    mtu: u16,
    seed: Option<u64>,
    capture: Option<String>,
    heart_rate: f64,
    extended: bool,
    eatt: bool,
    store: Option<String>,
    /// Connects when it is told to, and does not advertise.
    central: bool,
    /// Raises the security of a link when the peer wants it.
    raise: bool,
    pairing: Ways,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let adapter = words.next().ok_or("which adapter?")?;
        let mut options = Self {
            adapter,
            name: "Device".into(),
            mtu: 517,
            seed: None,
            capture: None,
            heart_rate: 1.0,
            extended: false,
            eatt: false,
            store: None,
            central: false,
            raise: false,
            pairing: Ways::default(),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--name" => options.name = value()?,
                "--mtu" => options.mtu = value()?.parse()?,
                "--seed" => options.seed = Some(value()?.parse()?),
                "--capture" => options.capture = Some(value()?),
                "--hr-rate" => options.heart_rate = value()?.parse()?,
                "--eatt" => options.eatt = true,
                "--extended" => options.extended = true,
                "--store" => options.store = Some(value()?),
                "--central" => options.central = true,
                "--raise" => options.raise = true,
                _ if options.pairing.take(&word, &mut value)? => {}
                _ => return Err(format!("what is {word}?").into()),
            }
        }
        Ok(options)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("device: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let device = Device::open(Options::parse(std::env::args().skip(1))?).await?;
    let result = tokio::select! {
        result = device.run() => result,
        () = commands::serve(device.clone()) => Ok(()),
    };
    device.close().await;
    result
}
