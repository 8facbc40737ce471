//! Credit-based channels between two hosts: every octet arrives, and nobody holds more than was agreed on.

use crate::common::*;
use baretooth::gap::advertise::AdvertiseOptions;
use baretooth::gatt::procedure::{Read, Write};
use baretooth::hci::ErrorCode;
use baretooth::host::{
    ChannelError, ChannelEvent, ChannelRequest, ConnectionId, Event, OpError, OpId, OpenedChannel, Output,
    Request,
};
use baretooth::l2cap::credit::{
    ChannelKey, ChannelOptions, CloseReason, OpenError, OpenFailure, RequiredSecurity, SendError, Server,
};
use baretooth::l2cap::signaling::CreditConnectionResult;
use baretooth::sim::{ControllerOptions, Device, RadioOptions, Table, property};
use baretooth::{Address, uuid16};
use bytes::Bytes;
use std::collections::VecDeque;

const CLIENT: usize = 0;
const SERVER: usize = 1;
const SPSM: u16 = 0x80;

/// Two hosts with a link, the client's the central, and one who echoes whatever comes at the server.
struct Talk {
    crowd: Crowd,
    /// The link, as each of them calls it.
    links: [ConnectionId; 2],
    /// Events that were looked at.
    seen: [usize; 2],
    /// Whether what comes is taken.
    reads: [bool; 2],
    /// SDUs that came, by host; the server's are sent back.
    got: [Vec<(ChannelKey, Bytes)>; 2],
    /// Echoes that wait until the host has sent the one before.
    echoes: VecDeque<(ChannelKey, Bytes)>,
    echoing: Option<OpId>,
}

fn options(mtu: u16, mps: u16, credits: u16) -> ChannelOptions {
    ChannelOptions { mtu, mps, credits }
}

fn server(options: ChannelOptions) -> Server {
    Server { options, security: RequiredSecurity::None, most: 64 }
}

fn open(connection: ConnectionId, options: ChannelOptions) -> Request {
    Request::Channel(ChannelRequest::Open { connection, spsm: SPSM, options })
}

fn send(connection: ConnectionId, channel: ChannelKey, sdu: impl Into<Bytes>) -> Request {
    Request::Channel(ChannelRequest::Send { connection, channel, sdu: sdu.into() })
}

fn close(connection: ConnectionId, channel: ChannelKey) -> Request {
    Request::Channel(ChannelRequest::Close { connection, channel })
}

fn failed<T>(error: impl Into<ChannelError>) -> Result<T, OpError> {
    Err(OpError::Channel(error.into()))
}

/// Octets that show where one is missing, doubled or moved.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from((n * 31 + (n >> 8)) & 0xFF).expect("masked")).collect()
}

impl Talk {
    fn new(mut crowd: Crowd, options: ChannelOptions) -> Self {
        let listen = ChannelRequest::Listen { spsm: SPSM, server: server(options) };
        assert_eq!(crowd.ask(SERVER, Request::Channel(listen)), Ok(Output::Done));
        let (central, peripheral) = crowd.link(CLIENT, SERVER);
        Self {
            crowd,
            links: [central, peripheral],
            seen: [0; 2],
            reads: [true; 2],
            got: [Vec::new(), Vec::new()],
            echoes: VecDeque::new(),
            echoing: None,
        }
    }

    /// In a room where much goes in one event.
    fn fast(options: ChannelOptions) -> Self {
        let radio = RadioOptions { pdus_per_event: 200, ..RadioOptions::default() };
        let hosts = (0..2).map(|n| (ControllerOptions::default(), config(n)));
        Self::new(Crowd::with(radio, hosts), options)
    }

    fn open(&mut self, options: ChannelOptions) -> OpenedChannel {
        match self.crowd.ask(CLIENT, open(self.links[CLIENT], options)) {
            Ok(Output::Channel(channel)) => channel,
            other => panic!("{other:?}"),
        }
    }

    fn events(&self, host: usize) -> Vec<ChannelEvent> {
        self.crowd.stations[host].events(|event| match event {
            Event::Channel(event) => Some(event.clone()),
            _ => None,
        })
    }

    /// Takes what has come, as far as somebody reads, and sends echoes on, until there is no more.
    fn serve(&mut self) {
        while [CLIENT, SERVER].into_iter().any(|host| self.take_all(host)) {
            self.crowd.exchange();
        }
    }

    /// Whether anything came.
    fn take_all(&mut self, host: usize) -> bool {
        let told = &self.crowd.stations[host].told.events;
        if !self.reads[host] || self.seen[host] == told.len() && !self.can_echo(host) {
            return false;
        }
        let received = told[self.seen[host]..].iter().filter_map(|event| match event {
            Event::Channel(ChannelEvent::Received { channel, .. }) => Some(*channel),
            _ => None,
        });
        let received: Vec<_> = received.collect();
        self.seen[host] = told.len();
        for channel in received {
            self.take(host, channel);
        }
        while self.can_echo(host) {
            let Some((channel, sdu)) = self.echoes.pop_front() else { break };
            self.echoing = Some(self.crowd.submit(SERVER, send(self.links[SERVER], channel, sdu)));
        }
        true
    }

    fn can_echo(&self, host: usize) -> bool {
        let idle = self.echoing.is_none_or(|op| self.crowd.stations[SERVER].told.result(op).is_some());
        host == SERVER && idle && !self.echoes.is_empty()
    }

    fn take(&mut self, host: usize, channel: ChannelKey) {
        let now = self.crowd.now;
        let Some(sdu) = self.crowd.stations[host].host.take_sdu(now, self.links[host], channel) else {
            return;
        };
        if host == SERVER {
            self.echoes.push_back((channel, sdu.clone()));
        }
        self.got[host].push((channel, sdu));
    }

    fn run(&mut self, time: std::time::Duration) {
        let end = self.crowd.now + time;
        while self.crowd.drive(end) {
            self.serve();
        }
    }

    /// Sends octets on a channel, a few SDUs at a time, and gives what comes back.
    fn echo(&mut self, channel: OpenedChannel, octets: &[u8], size: usize) -> Vec<u8> {
        let mut left = octets.chunks(size);
        let mut ops: VecDeque<OpId> = VecDeque::new();
        let (mut back, mut seen) = (Vec::new(), self.got[CLIENT].len());
        let end = self.crowd.now + seconds(100_000);
        loop {
            while ops.front().is_some_and(|op| self.crowd.stations[CLIENT].told.result(*op).is_some()) {
                ops.pop_front();
            }
            while ops.len() < 4 {
                let Some(sdu) = left.next() else { break };
                let sdu = Bytes::copy_from_slice(sdu);
                ops.push_back(self.crowd.submit(CLIENT, send(self.links[CLIENT], channel.key, sdu)));
            }
            self.serve();
            for (_, sdu) in &self.got[CLIENT][seen..] {
                back.extend_from_slice(sdu);
            }
            seen = self.got[CLIENT].len();
            if back.len() >= octets.len() {
                return back;
            }
            assert!(self.crowd.drive(end), "{} of {} octets came back", back.len(), octets.len());
        }
    }

    /// The result of the one request of the client.
    fn refused(&mut self, request: Request) -> OpError {
        self.crowd.ask(CLIENT, request).expect_err("refused")
    }
}

#[test]
fn a_megabyte_comes_back_whole_with_every_size_of_frames_and_of_windows() {
    let megabyte = pattern(1 << 20);
    for (mtu, mps, credits) in
        [(2048, 1004, 255), (2048, 247, 32), (1000, 23, 255), (23, 64, 10), (65535, 65533, 1)]
    {
        let mut talk = Talk::fast(options(mtu, mps, credits));
        let channel = talk.open(options(mtu, mps, credits));
        assert_eq!(channel.mtu, mtu);
        let back = talk.echo(channel, &megabyte, usize::from(mtu));
        assert!(back == megabyte, "MTU {mtu}, MPS {mps}, {credits} credits");
    }
}

#[test]
fn one_credit_and_the_least_sizes_are_enough() {
    let octets = pattern(20_000);
    for (mtu, mps, credits) in [(23, 23, 1), (2048, 23, 1), (512, 1004, 1), (2048, 23, 2)] {
        let mut talk = Talk::fast(options(mtu, mps, credits));
        let channel = talk.open(options(mtu, mps, credits));
        assert!(
            talk.echo(channel, &octets, usize::from(mtu)) == octets,
            "MTU {mtu}, MPS {mps}, {credits} credits"
        );
    }
}

#[test]
fn the_two_ends_may_take_different_sizes() {
    let octets = pattern(50_000);
    let mut talk = Talk::fast(options(512, 100, 7));
    let channel = talk.open(options(600, 1004, 2));
    assert_eq!(channel.mtu, 512);
    assert!(talk.echo(channel, &octets, 512) == octets);
    match talk.events(SERVER)[0] {
        ChannelEvent::Opened { channel, spsm: SPSM, .. } => assert_eq!(channel.mtu, 600),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_seed_gives_the_same_packets_twice_with_loss() {
    each_seed(0..4, |seed| {
        let sizes = options(300, 100, 5);
        let mut talk = Talk::new(Crowd::seeded(seed, 2), sizes);
        let channel = talk.open(sizes);
        let octets = pattern(20_000);
        assert!(talk.echo(channel, &octets, 300) == octets);
        let closed = talk.crowd.ask(CLIENT, close(talk.links[CLIENT], channel.key));
        assert_eq!(closed, Ok(Output::Done));
        talk.crowd
    });
}

#[test]
fn a_reader_that_does_not_read_stops_the_sender_and_nothing_grows() {
    let mut talk = Talk::fast(options(100, 50, 6));
    let channel = talk.open(options(100, 50, 6));
    talk.reads = [false; 2];
    let sdus: Vec<_> = (0..50u8)
        .map(|n| talk.crowd.submit(CLIENT, send(talk.links[CLIENT], channel.key, vec![n; 90])))
        .collect();
    talk.run(seconds(30));
    // An SDU of 92 octets with its length is two K-frames.
    let sent = |talk: &Talk| {
        sdus.iter().filter(|op| talk.crowd.stations[CLIENT].told.result(**op).is_some()).count()
    };
    assert_eq!(sent(&talk), 3, "six credits, six K-frames");
    talk.run(seconds(100));
    assert_eq!(sent(&talk), 3);
    // The server reads, and echoes to a client that does not.
    talk.reads[SERVER] = true;
    talk.serve();
    talk.run(seconds(30));
    assert_eq!((sent(&talk), talk.got[SERVER].len()), (50, 50));
    assert_eq!(talk.echoes.len() + 4, 50, "three are with the client, the fourth waits for its credits");
    talk.reads[CLIENT] = true;
    talk.serve();
    talk.run(seconds(30));
    let back: Vec<u8> = talk.got[CLIENT].iter().map(|(_, sdu)| sdu[0]).collect();
    assert_eq!(back, (0..50).collect::<Vec<u8>>());
}

#[test]
fn many_channels_share_a_link_with_attributes() {
    // Of the device's attributes: a value to read and write, beside channels of the same controller.
    let radio = RadioOptions { pdus_per_event: 20, ..RadioOptions::default() };
    let hosts =
        (0..2).map(|n| (ControllerOptions { acl_buffers: 4, ..ControllerOptions::default() }, config(n)));
    let mut crowd = Crowd::with(radio, hosts);
    let table = Table::default()
        .service(uuid16(0xFF00))
        .characteristic(uuid16(0xFF01), property::READ | property::WRITE, [0])
        .build();
    let other = Address::random(baretooth::BdAddr([9, 0, 0, 0, 0, 0xC0]));
    crowd.radio.add_device(Device::new(other).server(table));
    let mut talk = Talk::new(crowd, options(200, 60, 4));
    let device = talk.crowd.try_connect(CLIENT, other).expect("a link").connection;
    let channels: Vec<_> = (0..20).map(|_| talk.open(options(200, 60, 4))).collect();
    let link = talk.links[CLIENT];
    let mut ops = Vec::new();
    for round in 0..20u8 {
        for (n, channel) in (0u8..).zip(&channels) {
            ops.push(talk.crowd.submit(CLIENT, send(link, channel.key, vec![n, round, 7, 7])));
        }
        // In between, on the same link and on another: the server of the peer answers, if only with a refusal.
        let write = Write::new(3, Bytes::from(vec![round])).expect("short");
        let write = talk.crowd.submit(CLIENT, gatt(device, write));
        let read = talk.crowd.submit(CLIENT, gatt(link, Read::new(0x7777)));
        while [write, read].iter().any(|op| talk.crowd.stations[CLIENT].told.result(*op).is_none()) {
            let end = talk.crowd.now + seconds(10);
            assert!(talk.crowd.drive(end));
            talk.serve();
        }
        assert!(talk.crowd.stations[CLIENT].told.result(write).is_some_and(Result::is_ok));
        assert!(matches!(talk.crowd.stations[CLIENT].told.result(read), Some(Err(OpError::Gatt(_)))));
    }
    talk.run(seconds(60));
    assert!(ops.iter().all(|op| talk.crowd.stations[CLIENT].told.result(*op) == Some(&Ok(Output::Done))));
    for (n, channel) in (0u8..).zip(&channels) {
        let back: Vec<_> = talk.got[CLIENT].iter().filter(|(key, _)| *key == channel.key).collect();
        let rounds: Vec<_> = back.iter().map(|(_, sdu)| (sdu[0], sdu[1])).collect();
        assert_eq!(rounds, (0..20).map(|round| (n, round)).collect::<Vec<_>>());
    }
}

#[test]
fn five_enhanced_channels_come_at_once_and_can_be_reconfigured() {
    let mut talk = Talk::fast(options(100, 64, 4));
    let link = talk.links[CLIENT];
    let request = |count| {
        Request::Channel(ChannelRequest::OpenEnhanced {
            connection: link,
            spsm: SPSM,
            options: options(100, 64, 4),
            count,
        })
    };
    assert_eq!(talk.refused(request(6)), ChannelError::from(OpenError::Count(6)).into());
    let channels: Vec<OpenedChannel> = match talk.crowd.ask(CLIENT, request(5)) {
        Ok(Output::Channels(all)) => all.into_iter().map(|one| one.expect("room")).collect(),
        other => panic!("{other:?}"),
    };
    assert_eq!((channels.len(), talk.events(SERVER).len()), (5, 5));
    for channel in &channels {
        let octets = pattern(5000);
        assert!(talk.echo(*channel, &octets, 100) == octets);
    }
    // The server lets all of them send more.
    let theirs: Vec<_> = talk
        .events(SERVER)
        .iter()
        .filter_map(|event| match event {
            ChannelEvent::Opened { channel, .. } => Some(channel.key),
            _ => None,
        })
        .collect();
    let connection = talk.links[SERVER];
    let reconfigure = ChannelRequest::Reconfigure { connection, channels: theirs, mtu: 500, mps: 247 };
    assert_eq!(talk.crowd.ask(SERVER, Request::Channel(reconfigure)), Ok(Output::Done));
    let mtus: Vec<_> = talk
        .events(CLIENT)
        .iter()
        .filter_map(|event| match event {
            ChannelEvent::PeerReconfigured { channel, mtu, .. } => Some((*channel, *mtu)),
            _ => None,
        })
        .collect();
    assert_eq!(mtus, channels.iter().map(|channel| (channel.key, 500)).collect::<Vec<_>>());
    let long = talk.crowd.ask(CLIENT, send(link, channels[0].key, vec![1; 500]));
    assert_eq!(long, Ok(Output::Done));
    talk.run(seconds(2));
    assert_eq!(talk.got[SERVER].last().map(|(_, sdu)| sdu.len()), Some(500));
}

#[test]
fn what_the_peer_does_not_have_is_refused_with_its_reason() {
    let mut talk = Talk::fast(options(100, 64, 4));
    let link = talk.links[CLIENT];
    let small = options(100, 64, 1);
    let at = |spsm| Request::Channel(ChannelRequest::Open { connection: link, spsm, options: small });
    let refused = |result| OpError::Channel(OpenFailure::Refused(result).into());
    assert_eq!(talk.refused(at(0x99)), refused(CreditConnectionResult::SpsmNotSupported));
    assert_eq!(talk.refused(at(0x100)), ChannelError::from(OpenError::InvalidSpsm(0x100)).into());
    let two = Server { most: 2, ..server(small) };
    let listen = Request::Channel(ChannelRequest::Listen { spsm: 0x25, server: two });
    assert_eq!(talk.crowd.ask(SERVER, listen), Ok(Output::Done));
    for _ in 0..2 {
        assert!(talk.crowd.ask(CLIENT, at(0x25)).is_ok());
    }
    assert_eq!(talk.refused(at(0x25)), refused(CreditConnectionResult::NoResourcesAvailable));
    let stop = Request::Channel(ChannelRequest::StopListening { spsm: 0x25 });
    assert_eq!(talk.crowd.ask(SERVER, stop), Ok(Output::Done));
    assert_eq!(talk.refused(at(0x25)), refused(CreditConnectionResult::SpsmNotSupported));
    // A server that the link is not good enough for.
    let secure = Server { security: RequiredSecurity::Authenticated { key_size: 16 }, ..two };
    let listen = Request::Channel(ChannelRequest::Listen { spsm: 0x25, server: secure });
    assert_eq!(talk.crowd.ask(SERVER, listen), Ok(Output::Done));
    assert_eq!(talk.refused(at(0x25)), refused(CreditConnectionResult::InsufficientAuthentication));
}

#[test]
fn either_side_may_close_and_what_was_sent_before_arrives() {
    let mut talk = Talk::fast(options(100, 64, 4));
    let link = talk.links[CLIENT];
    let channel = talk.open(options(100, 64, 4));
    talk.reads[SERVER] = false;
    talk.crowd.ask(CLIENT, send(link, channel.key, "last words")).expect("credits");
    assert_eq!(talk.crowd.ask(CLIENT, close(link, channel.key)), Ok(Output::Done));
    assert_eq!(talk.crowd.ask(CLIENT, close(link, channel.key)), Ok(Output::Done), "once more is no error");
    match talk.events(SERVER).pop() {
        Some(ChannelEvent::Closed { reason: CloseReason::Peer, unread, .. }) => {
            assert_eq!(unread, ["last words"])
        }
        other => panic!("{other:?}"),
    }
    let late = talk.refused(send(link, channel.key, "too late"));
    assert_eq!(late, ChannelError::from(SendError::NotOpen).into());
    // The other way round, with SDUs that wait for credits.
    talk.reads[SERVER] = false;
    let channel = talk.open(options(100, 64, 4));
    let waits: Vec<_> =
        (0..9).map(|_| talk.crowd.submit(CLIENT, send(link, channel.key, vec![0; 100]))).collect();
    let theirs = match talk.events(SERVER).pop() {
        Some(ChannelEvent::Opened { channel, .. }) => channel.key,
        other => panic!("{other:?}"),
    };
    talk.run(seconds(1));
    assert_eq!(talk.crowd.ask(SERVER, close(talk.links[SERVER], theirs)), Ok(Output::Done));
    let last = talk.crowd.done(CLIENT, waits[8]);
    assert_eq!(last, failed(ChannelError::Closed(CloseReason::Peer)));
}

#[test]
fn a_lost_link_ends_its_channels_on_both_sides() {
    let mut talk = Talk::fast(options(100, 64, 4));
    let link = talk.links[CLIENT];
    let channel = talk.open(options(100, 64, 4));
    talk.reads = [false; 2];
    let waits: Vec<_> =
        (0..9).map(|_| talk.crowd.submit(CLIENT, send(link, channel.key, vec![0; 100]))).collect();
    talk.run(seconds(1));
    let reason = ErrorCode::RemoteUserTerminatedConnection;
    talk.crowd.ask(SERVER, Request::Disconnect { connection: talk.links[SERVER], reason }).expect("a link");
    let lost = talk.crowd.done(CLIENT, waits[8]);
    assert_eq!(lost, Err(OpError::Disconnected { reason }));
    for host in [CLIENT, SERVER] {
        let last = talk.events(host).pop();
        assert!(matches!(last, Some(ChannelEvent::Closed { reason: CloseReason::LinkLost, .. })), "{last:?}");
        let events = &talk.crowd.stations[host].told.events;
        assert!(matches!(events.last(), Some(Event::Disconnected { .. } | Event::OpDone { .. })));
    }
    // A new link begins anew, for the same SPSM.
    let op = talk.crowd.advertise(SERVER, AdvertiseOptions::new());
    let address = talk.crowd.address(SERVER);
    talk.links[CLIENT] = talk.crowd.try_connect(CLIENT, address).expect("again").connection;
    talk.crowd.advertised(SERVER, op).expect("a link");
    talk.open(options(100, 64, 4));
}

#[test]
fn both_sides_may_open_and_the_peripheral_as_well() {
    let mut talk = Talk::fast(options(100, 64, 4));
    let listen = Request::Channel(ChannelRequest::Listen { spsm: SPSM, server: server(options(64, 23, 1)) });
    assert_eq!(talk.crowd.ask(CLIENT, listen), Ok(Output::Done));
    let ours = talk.open(options(100, 64, 4));
    let theirs = match talk.crowd.ask(SERVER, open(talk.links[SERVER], options(100, 64, 4))) {
        Ok(Output::Channel(channel)) => channel,
        other => panic!("{other:?}"),
    };
    assert_eq!((ours.mtu, theirs.mtu), (100, 64));
    let sent = talk.crowd.ask(SERVER, send(talk.links[SERVER], theirs.key, vec![5; 64]));
    assert_eq!(sent, Ok(Output::Done));
    talk.run(seconds(1));
    assert_eq!(talk.got[CLIENT].iter().map(|(_, sdu)| sdu.len()).collect::<Vec<_>>(), [64]);
}
