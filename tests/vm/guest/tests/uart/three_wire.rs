//! The three-wire line, judged by the kernel: its driver is the host, and we are the controller.

use crate::controller::answer;
use baretooth_transports::h5::{Options, Role};
use baretooth_transports::*;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// `hciattach`, ended with the test. (`btattach` wants the adapter at once, before the line is established.)
struct Attached(Child);

impl Attached {
    fn start(device: &str) -> Self {
        let loaded = Command::new("modprobe").arg("hci_uart").status().expect("modprobe");
        assert!(loaded.success(), "the kernel has hci_uart");
        let mut command = Command::new("/usr/bin/hciattach");
        command.args(["-n", device, "3wire", "115200", "noflow"]).stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("hciattach"))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Answers every command, and gives every other packet back.
async fn serve(line: ThreeWire) -> TransportError {
    let (mut rx, mut tx) = line.split();
    loop {
        let packet = match rx.recv().await {
            Ok(packet) => packet,
            Err(error) => return error,
        };
        let answer = answer(&packet).unwrap_or(packet);
        if let Err(error) = tx.send(&mut SendQueue::from(answer)).await {
            return error;
        }
    }
}

/// The adapters that the kernel has.
fn adapters() -> Vec<u16> {
    let found = HciSocket::candidates().unwrap_or_default();
    let index = |candidate: &Candidate| match candidate.spec {
        AdapterSpec::HciSocket(index) => Some(index),
        _ => None,
    };
    found.iter().filter_map(index).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the guest of tests/vm"]
async fn the_kernel_takes_us_for_a_controller_and_every_packet_passes_both_ways() {
    for (window, crc) in [(7, false), (1, true)] {
        let before = adapters();
        let path = std::env::temp_dir().join("three-wire");
        let server = PtyServer::create(path).expect("a pseudo-terminal");
        let attached = Attached::start(server.device().to_str().expect("text"));
        let (reader, writer) = server.accept_octets().await.expect("hciattach opens it");
        let options = Options { window, crc, ..Options::new(Role::Controller) };
        let line = ThreeWire::establish(reader, writer, "the kernel", options);
        let line =
            tokio::time::timeout(Duration::from_secs(10), line).await.expect("it is established").unwrap();
        #[allow(clippy::disallowed_methods)] // The kernel may hold up the test's own thread.
        let controller = tokio::spawn(serve(line));
        let made = async {
            loop {
                if let Some(index) = adapters().into_iter().find(|index| !before.contains(index)) {
                    return index;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let index = tokio::time::timeout(Duration::from_secs(10), made).await.expect("an adapter");

        let socket = HciSocket::open(index, &OpenOptions::new()).await.expect("the user channel");
        let (mut rx, mut tx) = socket.split();
        let started = tokio::time::Instant::now();
        for n in 0..2000_u16 {
            // Octets that SLIP escapes, and lengths of every kind.
            let payload: Vec<u8> =
                [0xC0, 0xDB, 0xDC, 0xDD].into_iter().cycle().take(usize::from(n) % 250).collect();
            let length = u16::try_from(payload.len()).unwrap().to_le_bytes();
            let data = HciPacket::new([&[2, 0x40, 0x20][..], &length, &payload].concat()).unwrap();
            let command = HciPacket::command(0x1001, &[]).unwrap();
            for (sent, expected) in [(data.clone(), data), (command.clone(), answer(&command).unwrap())] {
                tx.send(&mut SendQueue::from(sent)).await.unwrap();
                let got = tokio::time::timeout(Duration::from_secs(5), rx.recv()).await;
                assert_eq!(got.expect("an answer").unwrap(), expected, "packet {n}");
            }
        }
        println!("window {window}: 4000 packets each way in {:.1} s", started.elapsed().as_secs_f64());
        drop((rx, tx, attached));
        let ended =
            tokio::time::timeout(Duration::from_secs(5), controller).await.expect("the line ends").unwrap();
        assert!(matches!(ended, TransportError::Disconnected { .. }), "{ended:?}");
    }
}
