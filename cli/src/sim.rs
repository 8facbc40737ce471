//! `sim`: the virtual radio for other hosts, one controller for each `--listen`.
//!
//! A controller outlives its hosts: when one leaves, the controller is reset for the next.

use crate::failure::Failure;
use crate::global::{Global, or_interrupted};
use crate::listener::Listener;
use crate::output::Output;
use baretooth::hci::Opcode;
use baretooth::hci::command::{HciCommand, Reset};
use baretooth::sim::{ControllerOptions, SimTransport, demo_radio, spawn};
use baretooth::transports::{
    AdapterSpec, HciPacket, SendQueue, Transport, TransportError, TransportRx, TransportTx,
};
use baretooth::{BdAddr, Error};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Serves virtual controllers and devices to other hosts.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where hosts connect, one controller each: tcp-server:HOST:PORT or unix-server:PATH
    #[arg(long, value_name = "SPEC", required = true)]
    listen: Vec<AdapterSpec>,
}

/// What happens at a listener.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Happening {
    /// Hosts may connect, with this adapter.
    Listening { listen: String, adapter: String },
    /// A host is there.
    Connected { listen: String },
    /// It has left.
    Disconnected { listen: String, cause: String },
}

pub async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let mut radio = demo_radio(global.seed.unwrap_or(0));
    for n in 1..args.listen.len() {
        let [low, high, ..] = n.to_le_bytes();
        let default = ControllerOptions::default();
        let BdAddr(mut address) = default.address;
        (address[1], address[2]) = (low, high);
        radio.add_controller(default.address(BdAddr(address)));
    }
    let (_radio, controllers) = spawn(radio);
    let mut output = global.output();
    let (happenings, mut news) = mpsc::unbounded_channel();
    or_interrupted(async {
        let mut servers = JoinSet::new();
        for (spec, controller) in args.listen.iter().zip(controllers) {
            let Some(listener) = Listener::bind(spec).await? else {
                let cause = "hosts connect to tcp-server:HOST:PORT or unix-server:PATH";
                return Err(Failure::Usage(format!("--listen {spec} refused: {cause}")));
            };
            let (listen, adapter) = (spec.to_string(), listener.adapter()?.to_string());
            happening(&mut output, &Happening::Listening { listen, adapter })?;
            servers.spawn(serve(listener, controller, happenings.clone()));
        }
        loop {
            tokio::select! {
                Some(news) = news.recv() => happening(&mut output, &news)?,
                Some(ended) = servers.join_next() => {
                    let operation = "serving virtual controllers".to_owned();
                    let source = ended.unwrap_or(TransportError::Closed);
                    return Err(Error::Transport { operation, source }.into());
                }
            }
        }
    })
    .await
}

/// Serves one host after the other. Returns only the error that ends it.
async fn serve(
    listener: Listener,
    controller: SimTransport,
    happenings: mpsc::UnboundedSender<Happening>,
) -> TransportError {
    let listen = listener.spec.to_string();
    let (mut rx, mut tx) = controller.split();
    loop {
        let ended = match listener.accept().await {
            Ok(host) => {
                // Nobody listens any more only when the verb is ending.
                let _ = happenings.send(Happening::Connected { listen: listen.clone() });
                let ended = join(host, &mut rx, &mut tx).await;
                let _ = happenings
                    .send(Happening::Disconnected { listen: listen.clone(), cause: ended.to_string() });
                reset(&mut rx, &mut tx).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            return error;
        }
    }
}

/// Carries packets both ways until one side ends, and says why it did.
async fn join(host: impl Transport, rx: &mut impl TransportRx, tx: &mut impl TransportTx) -> TransportError {
    let (mut host_rx, mut host_tx) = host.split();
    // Neither direction waits for the other.
    tokio::select! {
        error = carry(&mut host_rx, tx) => error,
        error = carry(rx, &mut host_tx) => error,
    }
}

async fn carry(rx: &mut impl TransportRx, tx: &mut impl TransportTx) -> TransportError {
    let mut queue = SendQueue::default();
    loop {
        let first = match rx.recv().await {
            Ok(packet) => packet,
            Err(error) => return error,
        };
        // What came with it goes with it; the queue has room for more than this.
        let mut packets = std::iter::once(first).chain(std::iter::from_fn(|| rx.recv_ready()).take(31));
        queue.fill(|| packets.next());
        if let Err(error) = tx.send(&mut queue).await {
            return error;
        }
    }
}

/// Makes the controller forget the host that has left, and throws away what it had to tell it.
async fn reset(rx: &mut impl TransportRx, tx: &mut impl TransportTx) -> Result<(), TransportError> {
    // A command that no host sends: its answer is the last that concerns the old host.
    const LAST: Opcode = Opcode(0xFFFF);
    let commands = [Reset {}.to_packet(), HciPacket::command(LAST.0, &[])];
    for command in commands {
        tx.send(&mut SendQueue::from(command.expect("it has no parameters"))).await?;
    }
    while !answers(&rx.recv().await?, LAST) {}
    Ok(())
}

/// Whether this is Command Complete or Command Status of the command ([Vol 4] Part E, 7.7.14 and 7.7.15).
fn answers(packet: &HciPacket, opcode: Opcode) -> bool {
    let [low, high] = opcode.0.to_le_bytes();
    match packet.as_slice() {
        [0x04, 0x0E, _, _, rest @ ..] | [0x04, 0x0F, _, _, _, rest @ ..] => rest.starts_with(&[low, high]),
        _ => false,
    }
}

fn happening(output: &mut Output, happening: &Happening) -> std::io::Result<()> {
    if output.is_json() {
        output.object(happening)?;
    } else {
        match happening {
            Happening::Listening { listen, adapter } => output.line(format_args!(
                "{listen}: a virtual controller is ready; hosts use --adapter {adapter}"
            ))?,
            Happening::Connected { listen } => output.line(format_args!("{listen}: a host is here"))?,
            Happening::Disconnected { listen, cause } => {
                output
                    .line(format_args!("{listen}: the host has left ({cause}); the controller is reset"))?;
            }
        }
    }
    output.flush()
}
