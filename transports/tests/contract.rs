//! What every transport promises, asked of each one, and what becomes of drivers that ignore it.
//!
//! Sockets are on this machine only. Time limits end a test that would hang; no test passes by waiting.
#![cfg(feature = "tokio")]

#[macro_use]
#[path = "contract/checks.rs"]
mod checks;
mod drivers;

use baretooth_transports::*;
use checks::*;
use std::{iter::from_fn, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::{net::TcpStream, task::yield_now};

contract!(in_memory, async { memory::pair(8) });
contract!(pipe_of_7_octets, async { duplex(7) });
contract!(tcp, tcp());
#[cfg(unix)]
contract!(unix, unix());
#[cfg(all(feature = "uart", unix))]
contract!(pty, pty());
// What a pseudo-terminal still holds when its master is closed is lost in the system: no check of the end here.
#[cfg(all(feature = "uart", unix))]
contract!(
    uart,
    async {
        let (pty, uart) = pty().await;
        (uart, pty)
    },
    [
        packets_both_ways_arrive_in_order_each_once,
        a_cancelled_recv_loses_nothing,
        a_blocked_send_waits_loses_nothing_when_cancelled_and_does_not_stop_recv,
        the_largest_acl_packet_passes,
        recv_ready_hands_out_what_is_here_and_never_waits,
    ]
);
// Its frames have at most 4,095 octets, so the largest ACL packet is no promise of it.
#[cfg(feature = "uart")]
contract!(
    three_wire,
    three_wire(),
    [
        packets_both_ways_arrive_in_order_each_once,
        a_cancelled_recv_loses_nothing,
        a_blocked_send_waits_loses_nothing_when_cancelled_and_does_not_stop_recv,
        what_came_before_the_end_is_handed_out_then_both_halves_are_closed_for_good,
        recv_ready_hands_out_what_is_here_and_never_waits,
    ]
);
contract!(any, async {
    let (near, far) = tcp().await;
    (AnyTransport::from(near), AnyTransport::from(far))
});

/// What only streams of octets promise, with the octets written by hand.
macro_rules! stream_contract {
    ($transport:ident, $pair:expr) => {
        contract!(
            $transport,
            $pair,
            [
                h2_a_packet_split_at_every_octet_comes_out_whole,
                h2_several_packets_in_one_read_are_all_ready_after_the_first,
                h2_the_end_inside_a_packet_is_closed
            ]
        );
    };
}

stream_contract!(raw_pipe, async {
    let (near, far) = tokio::io::duplex(4096);
    (near, Stream::new(far, "pipe"))
});
stream_contract!(raw_tcp, async {
    let server = TcpServer::bind("127.0.0.1", 0).await.unwrap();
    let raw = TcpStream::connect(server.local_address().unwrap()).await.unwrap();
    raw.set_nodelay(true).unwrap();
    (raw, server.accept().await.unwrap())
});
#[cfg(unix)]
stream_contract!(raw_unix, async {
    let path = socket_path();
    let server = UnixServer::bind(&path).unwrap();
    (tokio::net::UnixStream::connect(&path).await.unwrap(), server.accept().await.unwrap())
});

async fn h2_a_packet_split_at_every_octet_comes_out_whole(
    (mut raw, transport): (impl AsyncRead + AsyncWrite + Unpin, impl Transport),
) {
    let (mut rx, _tx) = transport.split();
    let packets = [numbered(0), HciPacket::event(0x10, &[]).unwrap(), numbered(3)];
    let octets: Vec<u8> = packets.iter().flat_map(|packet| packet.as_slice().to_vec()).collect();
    for at in 0..octets.len() {
        let (head, tail) = octets.split_at(at);
        raw.write_all(head).await.unwrap();
        let mut got = vec![];
        // Long enough for the head to be read by itself.
        for _ in 0..5 {
            got.extend(poll_once(rx.recv()).await.map(Result::unwrap));
            yield_now().await;
        }
        raw.write_all(tail).await.unwrap();
        got.extend(recv_many(&mut rx, packets.len() - got.len()).await);
        assert_eq!(got, packets, "split at {at}");
    }
}

async fn h2_several_packets_in_one_read_are_all_ready_after_the_first(
    (mut raw, transport): (impl AsyncRead + AsyncWrite + Unpin, impl Transport),
) {
    let (mut rx, _tx) = transport.split();
    let octets: Vec<u8> = (0..10).flat_map(|n| numbered(n).as_slice().to_vec()).collect();
    raw.write_all(&octets).await.unwrap();
    let first = rx.recv().await.unwrap();
    let got: Vec<_> = std::iter::once(first).chain(from_fn(|| rx.recv_ready())).collect();
    assert_same(&got, 0..10);
}

async fn h2_the_end_inside_a_packet_is_closed(
    (mut raw, transport): (impl AsyncRead + AsyncWrite + Unpin, impl Transport),
) {
    let (mut rx, _tx) = transport.split();
    raw.write_all(&[4, 0x10, 0, 4, 0x0E, 4]).await.unwrap();
    drop(raw);
    assert_eq!(rx.recv().await.unwrap().as_slice(), [4, 0x10, 0]);
    assert!(matches!(rx.recv().await, Err(TransportError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn memory_works_under_a_paused_clock() {
    let (near, far) = memory::pair(1);
    let ((mut rx, _near_tx), (_far_rx, mut tx)) = (near.split(), far.split());
    let late = async {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        send_all(&mut tx, [numbered(1)]).await;
    };
    let early = tokio::time::timeout(Duration::from_secs(3599), rx.recv());
    assert!(tokio::join!(early, late).0.is_err());
    assert_eq!(rx.recv().await.unwrap(), numbered(1));
}

type Pipe = Stream<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

fn duplex(octets: usize) -> (Pipe, Pipe) {
    let (near, far) = tokio::io::duplex(octets);
    (Stream::new(near, "near"), Stream::new(far, "far"))
}

async fn tcp() -> (Tcp, Tcp) {
    let server = TcpServer::bind("127.0.0.1", 0).await.unwrap();
    let port = server.local_address().unwrap().port();
    let (near, far) = tokio::join!(Tcp::connect("127.0.0.1", port), server.accept());
    (near.unwrap(), far.unwrap())
}

#[cfg(unix)]
async fn unix() -> (Unix, Unix) {
    let path = socket_path();
    let server = UnixServer::bind(&path).unwrap();
    let (near, far) = tokio::join!(Unix::connect(&path), server.accept());
    (near.unwrap(), far.unwrap())
}

#[cfg(feature = "uart")]
async fn three_wire() -> (ThreeWire, ThreeWire) {
    use h5::{Options, Role};
    let (near, far) = tokio::io::duplex(4096);
    let end = |io, role| {
        let (reader, writer) = tokio::io::split(io);
        ThreeWire::establish(reader, writer, "line", Options::new(role))
    };
    let (near, far) = tokio::join!(end(near, Role::Host), end(far, Role::Controller));
    (near.unwrap(), far.unwrap())
}

/// A pseudo-terminal, and the serial port that it is for another program.
#[cfg(all(feature = "uart", unix))]
async fn pty() -> (Pty, Uart) {
    let path = socket_path();
    let server = PtyServer::create(&path).unwrap();
    let uart = Uart::serve(&UartSpec { device: path, baud: 1_000_000, rtscts: true }).unwrap();
    (server.accept().await.unwrap(), uart)
}

/// A path that no other test uses.
#[cfg(unix)]
fn socket_path() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("baretooth-contract-{}-{number}", std::process::id()))
}
