//! The host against controllers and peers that do what they should not: what `fuzz/` found, one case each.

use baretooth::gap::connect::ConnectOptions;
use baretooth::host::{Event, Host, HostConfig, OpError, OpId, Output, Request};
use baretooth::transports::HciPacket;
use baretooth::{Address, BdAddr, Instant};
use std::time::Duration;

const NOW: Instant = Instant::START;
const HANDLE: u8 = 0x40;
const LE_CREATE_CONNECTION: u16 = 0x200D;

#[test]
fn an_attempt_cancelled_during_the_exchange_of_the_mtu_ends_once_whatever_the_peer_answers() {
    for answer in [None, Some([0x03, 0x05, 0x02])] {
        let mut host = ready();
        let op = settling(&mut host);
        host.cancel(NOW, op);
        if let Some(answer) = answer {
            att(&mut host, &answer);
        }
        event(&mut host, 0x05, &[0, HANDLE, 0, 0x16]);
        assert_eq!(ends(&mut host), [(op, Err(OpError::Cancelled))], "answer {answer:02x?}");
    }
}

#[test]
fn an_attempt_whose_peer_never_answers_the_exchange_of_the_mtu_ends_once() {
    let mut host = ready();
    let op = settling(&mut host);
    host.handle_timeout(NOW + Duration::from_secs(30));
    event(&mut host, 0x05, &[0, HANDLE, 0, 0x16]);
    let after = Duration::from_secs(30);
    assert_eq!(ends(&mut host), [(op, Err(OpError::AttTimeout { after }))], "why, and not that we hung up");
}

#[test]
fn nothing_is_told_of_a_link_before_it_is_up_and_indications_are_confirmed_all_the_same() {
    let mut host = ready();
    settling(&mut host);
    att(&mut host, &[0x1B, 3, 0, 7]);
    att(&mut host, &[0x02, 100, 0]);
    event(&mut host, 0x3E, &[0x03, 0, HANDLE, 0, 40, 0, 0, 0, 0xF4, 1]);
    event(&mut host, 0x3E, &[0x0C, 0, HANDLE, 0, 2, 2]);
    while host.poll_transmit().is_some() {}
    att(&mut host, &[0x1D, 3, 0, 7]);
    assert_eq!(host.poll_transmit().map(|packet| packet.payload().to_vec()), Some(vec![1, 0, 4, 0, 0x1E]));
    assert!(host.poll_event().is_none());
    att(&mut host, &[0x03, 0x05, 0x02]);
    let Some(Event::Connected(info)) = host.poll_event() else { panic!("not up") };
    assert_eq!(info.timing.interval, Duration::from_millis(50), "the timing is that of the update");
}

#[test]
fn a_controller_that_asks_without_end_and_takes_no_command_fills_no_memory() {
    let mut host = ready();
    for _ in 0..10_000 {
        // LE Long Term Key Request, LE Connection Complete of a link that nobody asked for.
        event(&mut host, 0x3E, &[0x05, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2]);
        event(&mut host, 0x3E, &[0x01, 0, 2, 0, 0, 1, 1, 2, 3, 4, 5, 0xC6, 24, 0, 0, 0, 0xF4, 1, 0]);
    }
    let mut commands = 0;
    while let Some(command) = host.poll_transmit() {
        commands += 1;
        complete(&mut host, opcode(&command), &[0; 3]);
    }
    assert!((10..100).contains(&commands), "{commands} commands");
}

/// A host whose controller answered every command of the initialisation with success.
fn ready() -> Host {
    let mut host = Host::new(HostConfig::new([1; 32]).legacy_only(true), NOW);
    while let Some(command) = host.poll_transmit() {
        // LE Read Buffer Size: 27 octets, 8 packets; the others say nothing more that matters.
        let values = if opcode(&command) == 0x2002 { vec![0, 27, 0, 8] } else { vec![0; 80] };
        complete(&mut host, opcode(&command), &values);
    }
    assert!(matches!(host.poll_event(), Some(Event::Ready(_))));
    host
}

/// Connects as far as the exchange of the MTU.
fn settling(host: &mut Host) -> OpId {
    let address = Address::random(BdAddr([1, 2, 3, 4, 5, 0xC6]));
    let op = host.submit(NOW, Request::Connect { address, options: ConnectOptions::new() });
    let command = host.poll_transmit().expect("the command that connects");
    assert_eq!(opcode(&command), LE_CREATE_CONNECTION);
    event(host, 0x0F, &[0, 1, 0x0D, 0x20]);
    event(host, 0x3E, &[0x01, 0, HANDLE, 0, 0, 1, 1, 2, 3, 4, 5, 0xC6, 24, 0, 0, 0, 0xF4, 1, 0]);
    assert_eq!(host.poll_transmit().map(|packet| packet.payload().to_vec()), Some(vec![3, 0, 4, 0, 2, 5, 2]));
    op
}

fn opcode(command: &HciPacket) -> u16 {
    u16::from_le_bytes([command.as_slice()[1], command.as_slice()[2]])
}

fn complete(host: &mut Host, opcode: u16, values: &[u8]) {
    event(host, 0x0E, &[&[1], &opcode.to_le_bytes()[..], values].concat());
}

fn event(host: &mut Host, code: u8, parameters: &[u8]) {
    host.handle_packet(NOW, HciPacket::event(code, parameters).expect("short"));
}

/// A PDU of the peer.
fn att(host: &mut Host, pdu: &[u8]) {
    let length = u8::try_from(pdu.len()).expect("short");
    let header = [2, HANDLE, 0x20, length + 4, 0, length, 0, 4, 0];
    host.handle_packet(NOW, HciPacket::new([&header, pdu].concat()).expect("whole"));
}

/// The ends of requests that the host tells.
fn ends(host: &mut Host) -> Vec<(OpId, Result<Output, OpError>)> {
    let end = |event| match event {
        Event::OpDone { op, result } => Some((op, result)),
        _ => None,
    };
    std::iter::from_fn(|| host.poll_event()).filter_map(end).collect()
}
