//! A serial port whose other end is a pseudo-terminal's: everything but the line itself. What only real ports do is
//! tested in the guest of `tests/vm`.
#![cfg(all(feature = "uart", unix))]

use baretooth_transports::*;
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

const RESET: [u8; 4] = [1, 3, 0x0C, 0];
const RESET_DONE: [u8; 7] = [4, 0x0E, 4, 1, 3, 0x0C, 0];

fn path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("baretooth-uart-{}-{number}", std::process::id()))
}

fn port(device: impl Into<PathBuf>) -> UartSpec {
    UartSpec { device: device.into(), baud: 3_000_000, rtscts: true }
}

/// Opens a port while `controller` plays the one behind it.
async fn open_against<T>(controller: impl AsyncFnOnce(Pty) -> T) -> (Result<Uart, TransportError>, T) {
    let server = PtyServer::create(path()).unwrap();
    let port = port(server.device());
    let controller = async { controller(server.accept().await.unwrap()).await };
    tokio::join!(Uart::open(&port), controller)
}

/// The other end as a controller that answers HCI_Reset, behind `first`.
async fn answering(pty: Pty, first: &[u8]) -> (<Pty as Transport>::Rx, <Pty as Transport>::Tx) {
    let (mut rx, mut tx) = pty.split();
    assert_eq!(rx.recv().await.unwrap().as_slice(), RESET);
    // As events of the manufacturer's, cut where the stream begins.
    let mut queue = SendQueue::default();
    let mut packets = first.iter().map(|octet| HciPacket::event(0xFF, &[*octet]).unwrap());
    queue.fill(|| packets.next());
    tx.send(&mut queue).await.unwrap();
    tx.send(&mut SendQueue::from(HciPacket::new(RESET_DONE.to_vec()).unwrap())).await.unwrap();
    (rx, tx)
}

#[tokio::test]
async fn a_port_opens_when_its_controller_answers_and_hands_on_nothing_of_before() {
    let (uart, (mut far_rx, mut far_tx)) = open_against(async |pty| answering(pty, &[1, 2, 3]).await).await;
    let uart = uart.unwrap();
    assert_eq!(uart.baud(), 3_000_000);
    assert!(uart.description().ends_with(",3000000,rtscts"), "{}", uart.description());
    let (mut rx, mut tx) = uart.split();
    let command = HciPacket::command(0x1001, &[]).unwrap();
    tx.send(&mut SendQueue::from(command.clone())).await.unwrap();
    assert_eq!(far_rx.recv().await.unwrap(), command);
    let event = HciPacket::event(0x0E, &[1, 1, 0x10, 0]).unwrap();
    far_tx.send(&mut SendQueue::from(event.clone())).await.unwrap();
    assert_eq!(rx.recv().await.unwrap(), event);
}

#[tokio::test]
async fn a_line_that_hangs_up_is_disconnected_for_both_halves() {
    let (uart, far) = open_against(async |pty| answering(pty, &[]).await).await;
    let (mut rx, mut tx) = uart.unwrap().split();
    drop(far);
    for _ in 0..2 {
        let error = rx.recv().await.unwrap_err();
        assert!(matches!(error, TransportError::Disconnected { .. }), "{error:?}");
        let error = tx.send(&mut SendQueue::from(HciPacket::new(RESET.to_vec()).unwrap())).await.unwrap_err();
        assert!(matches!(error, TransportError::Disconnected { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_line_that_hangs_up_while_it_is_opened_is_disconnected() {
    let (uart, ()) = open_against(async |pty| drop(pty)).await;
    assert!(matches!(uart, Err(TransportError::Disconnected { .. })), "{uart:?}");
}

#[tokio::test]
async fn a_port_that_is_open_is_busy() {
    let server = PtyServer::create(path()).unwrap();
    let port = port(server.device());
    let first = Uart::serve(&port).unwrap();
    let error = Uart::serve(&port).unwrap_err();
    assert!(matches!(error, TransportError::Busy { .. }), "{error:?}");
    assert!(error.to_string().contains("another program has the port open"), "{error}");
    drop(first);
    Uart::serve(&port).expect("free again");
}

#[tokio::test]
async fn what_is_no_port_is_told_from_what_is_not_there() {
    let absent = path();
    let error = Uart::serve(&port(&absent)).unwrap_err();
    assert!(matches!(error, TransportError::NotFound { .. }), "{error:?}");
    fs::write(&absent, "no port").unwrap();
    let error = Uart::serve(&port(&absent)).unwrap_err();
    fs::remove_file(&absent).unwrap();
    assert!(error.to_string().ends_with("cannot be opened: it is no serial port"), "{error}");
}

#[tokio::test]
async fn opening_by_name_finds_the_controller_unless_we_are_to_play_it() {
    let server = PtyServer::create(path()).unwrap();
    let spec = AdapterSpec::Uart(port(server.device()));
    let options = OpenOptions::new().serve(true);
    let (uart, pty) = tokio::join!(options.open(&spec), server.accept());
    let (mut rx, mut tx) = pty.unwrap().split();
    let first = tokio::time::timeout(Duration::from_millis(50), rx.recv()).await;
    assert!(first.is_err(), "a controller does not speak first: {first:?}");
    // The other side is a host.
    tx.send(&mut SendQueue::from(HciPacket::new(RESET.to_vec()).unwrap())).await.unwrap();
    let (mut uart_rx, _uart_tx) = uart.unwrap().split();
    assert_eq!(uart_rx.recv().await.unwrap().as_slice(), RESET);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_thousand_ports_opened_and_closed_leave_no_file_open() {
    let server = PtyServer::create(path()).unwrap();
    let port = port(server.device());
    let open_files = || {
        let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
        files.filter(|file| fs::read_link(file.path()).is_ok_and(|target| target == server.device())).count()
    };
    for _ in 0..1000 {
        let uart = Uart::serve(&port).unwrap();
        assert_eq!(open_files(), 1);
        drop(uart);
    }
    assert_eq!(open_files(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_three_wire_port_that_nobody_answers_says_what_to_check() {
    let server = PtyServer::create(path()).unwrap();
    let port = port(server.device());
    // Twice: the task that drove the line has let go of the port.
    for _ in 0..2 {
        let error = ThreeWire::open(&port).await.unwrap_err().to_string();
        let cause = "nobody answered SYNC at 3000000 baud; check that a controller is there";
        assert!(error.contains(cause), "{error}");
    }
}

#[tokio::test]
async fn a_three_wire_line_outlives_a_busy_user_and_ends_with_its_other_end() {
    use h5::{Options, Role};
    let (near, far) = tokio::io::duplex(64);
    let establish = |io, role| {
        let (reader, writer) = tokio::io::split(io);
        ThreeWire::establish(reader, writer, "h5:line", Options::new(role))
    };
    let (near, far) = tokio::join!(establish(near, Role::Host), establish(far, Role::Controller));
    let ((mut rx, mut tx), (mut far_rx, far_tx)) = (near.unwrap().split(), far.unwrap().split());
    tx.send(&mut SendQueue::from(HciPacket::new(RESET.to_vec()).unwrap())).await.unwrap();
    // Nobody receives for longer than all attempts take; the link is kept meanwhile.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(far_rx.recv().await.unwrap().as_slice(), RESET);
    drop((far_rx, far_tx));
    for _ in 0..2 {
        let error = rx.recv().await.unwrap_err();
        assert!(matches!(&error, TransportError::Disconnected { what } if what == "h5:line"), "{error:?}");
    }
    let too_long = HciPacket::new([&[2, 0, 0, 0, 0x10][..], &[0; 0x1000]].concat()).unwrap();
    let error = tx.send(&mut SendQueue::from(too_long)).await.unwrap_err().to_string();
    assert!(error.contains("longer than a frame can be"), "{error}");
}
