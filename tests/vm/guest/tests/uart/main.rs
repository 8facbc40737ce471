//! Serial ports of a real kernel, with a controller at the end of each line; and the kernel itself as the host of a
//! three-wire line.

#[path = "../hci/controller.rs"]
#[expect(dead_code, reason = "only what it answers is wanted here")]
mod controller;
mod three_wire;

use baretooth_transports::*;
use std::{fs, time::Duration};

const SLOW: &str = "/dev/ttyS1";
const FAST: &str = "/dev/ttyUSB0";

fn port(device: &str, baud: u32) -> UartSpec {
    UartSpec { device: device.into(), baud, rtscts: true }
}

/// Sends a command, and checks that the next packet is its Command Complete with status 0.
async fn ask(uart: Uart, opcode: u16) -> (<Uart as Transport>::Rx, <Uart as Transport>::Tx) {
    let (mut rx, mut tx) = uart.split();
    tx.send(&mut SendQueue::from(HciPacket::command(opcode, &[]).unwrap())).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(5), rx.recv()).await.expect("an answer").unwrap();
    let [low, high] = opcode.to_le_bytes();
    assert!(
        matches!(answer.as_slice(), [4, 0x0E, _, _, l, h, 0, ..] if (*l, *h) == (low, high)),
        "{:?} is no answer to 0x{opcode:04x}",
        answer.as_slice()
    );
    (rx, tx)
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_16550_runs_at_its_own_rate_and_says_so() {
    let uart = Uart::open(&port(SLOW, 3_000_000)).await.expect("it opens");
    // The driver falls back to what the port had before: the 9600 of the start, or what another test has set.
    assert!([9600, 115_200].contains(&uart.baud()), "{}", uart.baud());
    let name = format!("uart:/dev/ttyS1,3000000,rtscts (the driver runs it at {} baud)", uart.baud());
    assert_eq!(uart.description(), name);
    ask(uart, 0x1001).await;
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_cable_on_usb_runs_at_3_megabaud() {
    let uart = Uart::open(&port(FAST, 3_000_000)).await.expect("it opens");
    assert_eq!((uart.baud(), uart.description().as_str()), (3_000_000, "uart:/dev/ttyUSB0,3000000,rtscts"));
    ask(uart, 0x1001).await;
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_port_without_hardware_is_told_from_one_that_is_not_there() {
    let absent = Uart::open(&port("/dev/ttyS3", 115_200)).await.unwrap_err().to_string();
    assert!(absent.contains("the system has that port, but no hardware behind it"), "{absent}");
    let nowhere = Uart::open(&port("/dev/ttyUSB9", 115_200)).await.unwrap_err().to_string();
    assert!(nowhere.contains("check the name and whether it is plugged in"), "{nowhere}");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn root_does_not_share_a_port_with_itself() {
    let first = Uart::open(&port(SLOW, 115_200)).await.expect("it opens");
    let error = Uart::open(&port(SLOW, 115_200)).await.unwrap_err();
    assert!(matches!(error, TransportError::Busy { .. }), "{error:?}");
    drop(first);
    Uart::open(&port(SLOW, 115_200)).await.expect("free again");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn ports_with_hardware_are_listed_and_no_others() {
    let specs: Vec<_> = candidates().iter().map(|candidate| candidate.spec.to_string()).collect();
    let has = |part: &str| specs.iter().any(|spec| spec.contains(part));
    assert!(has("uart:/dev/ttyS1,115200") && !has("ttyS3"), "{specs:?}");
    // By its stable name where udev runs, which the guest does without.
    assert!(has("uart:/dev/ttyUSB0,1000000") || has("uart:/dev/serial/by-id/"), "{specs:?}");
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_controller_that_was_left_in_the_middle_of_anything_comes_into_step() {
    for round in 0..10 {
        let uart = Uart::open(&port(SLOW, 115_200)).await.unwrap_or_else(|e| panic!("round {round}: {e}"));
        let (_rx, mut tx) = ask(uart, 0x1001).await;
        // Its answers are on their way when the port is closed.
        let mut queue = SendQueue::default();
        let mut commands = (0..20).map(|_| HciPacket::command(0x1002, &[]).unwrap());
        queue.fill(|| commands.next());
        tx.send(&mut queue).await.unwrap();
        tokio::time::sleep(Duration::from_millis(round)).await;
    }
    let uart = Uart::open(&port(SLOW, 115_200)).await.expect("it opens");
    ask(uart, 0x1001).await;
}

#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn a_thousand_openings_leave_no_file_and_no_thread() {
    let count = |folder: &str| fs::read_dir(folder).unwrap().count();
    let counts = || (count("/proc/self/fd"), count("/proc/self/task"));
    drop(Uart::open(&port(FAST, 3_000_000)).await.expect("it opens"));
    let before = counts();
    let started = tokio::time::Instant::now();
    for n in 0..1000 {
        drop(Uart::open(&port(FAST, 3_000_000)).await.unwrap_or_else(|error| panic!("opening {n}: {error}")));
    }
    assert_eq!(counts(), before);
    println!("1000 openings, each with a reset, in {:.1} s", started.elapsed().as_secs_f64());
}

/// Last by its name: the cable is pulled, and plugged in again.
#[tokio::test]
#[ignore = "needs the guest of tests/vm"]
async fn z_a_cable_that_is_pulled_is_disconnected_within_a_second() {
    let uart = Uart::open(&port(FAST, 3_000_000)).await.expect("it opens");
    let (mut rx, mut tx) = ask(uart, 0x1001).await;
    let device = fs::canonicalize("/sys/class/tty/ttyUSB0/device/../..").expect("a USB device");
    let pulled = std::thread::spawn(move || {
        fs::write(device.join("authorized"), "0").expect("it is pulled");
        device
    });
    let started = tokio::time::Instant::now();
    let error =
        tokio::time::timeout(Duration::from_secs(1), rx.recv()).await.expect("within 1 s").unwrap_err();
    println!("told after {:?}", started.elapsed());
    assert!(matches!(error, TransportError::Disconnected { .. }), "{error:?}");
    let reset = HciPacket::command(0x0C03, &[]).unwrap();
    let error = tx.send(&mut SendQueue::from(reset)).await.unwrap_err();
    assert!(matches!(error, TransportError::Disconnected { .. }), "{error:?}");
    drop((rx, tx));
    fs::write(pulled.join().expect("a thread").join("authorized"), "1").expect("it is plugged in");
}
