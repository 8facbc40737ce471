//! Enhanced ATT bearers: transactions that run side by side, between two hosts and against a peer that makes its own
//! PDUs on the channels.

use crate::common::*;
use baretooth::gatt::procedure::{Outcome, Read, ReadByUuid, Running, Write, WriteLong};
use baretooth::gatt::server::{Access, Ask, Characteristic, Service, Table};
use baretooth::host::{
    ChannelError, ChannelEvent, ChannelRequest, ConnectionId, Eatt, Event, HostConfig, OpError, OpId, Output,
    Request, ServerEvent, ServerRequest,
};
use baretooth::l2cap::credit::{
    ChannelKey, ChannelOptions, CloseReason, OpenFailure, RequiredSecurity, Server,
};
use baretooth::l2cap::signaling::{CreditConnectionResult, CreditConnectionsResult};
use baretooth::sim::{ControllerOptions, RadioOptions};
use baretooth::uuid16;
use bytes::Bytes;
use std::time::Duration;

/// The central, and the peripheral; both may serve.
const ONE: usize = 0;
const OTHER: usize = 1;

const SPSM: u16 = 0x27;
const VALUES: usize = 6;

fn value_of(n: usize) -> Vec<u8> {
    vec![u8::try_from(n).expect("few"); 500]
}

/// Long values, values that the user is asked for, and one that is sent.
fn table() -> Table {
    let mut service = Service::primary(uuid16(0x1234));
    for n in 0..VALUES {
        let stored = Characteristic::new(uuid16(0x2A3D)).value(value_of(n)).read(Access::OPEN);
        service = service.characteristic(stored.write(Access::OPEN).write_without_response(Access::OPEN));
    }
    for _ in 0..VALUES {
        service = service.characteristic(Characteristic::new(uuid16(0x2A56)).asked().read(Access::OPEN));
    }
    let told = Characteristic::new(uuid16(0x2A58)).value(&b"told"[..]).read(Access::OPEN);
    Table::builder("served").service(service.characteristic(told.notify().indicate())).build().expect("fits")
}

fn handles(uuid: u16) -> Vec<u16> {
    let table = table();
    let all = table.services().characteristics().filter(|c| c.uuid == uuid16(uuid));
    all.map(|c| c.value_handle).collect()
}

fn stored() -> Vec<u16> {
    handles(0x2A3D)
}

fn asked() -> Vec<u16> {
    handles(0x2A56)
}

fn told() -> u16 {
    handles(0x2A58)[0]
}

fn open(connection: ConnectionId, count: usize) -> Request {
    Request::OpenBearers { connection, count }
}

fn value(octets: impl Into<Bytes>) -> Result<Output, OpError> {
    Ok(Output::Gatt(Outcome::Value(octets.into())))
}

/// Two hosts with a link, and what they serve.
struct Two {
    crowd: Crowd,
    links: [ConnectionId; 2],
}

impl Two {
    fn new(radio: RadioOptions, configs: [HostConfig; 2]) -> Self {
        let hosts = configs.map(|config| (ControllerOptions::default(), config));
        let mut crowd = Crowd::with(radio, hosts);
        for n in [ONE, OTHER] {
            assert_eq!(crowd.ask(n, ServerRequest::Serve(table())), Ok(Output::Done));
        }
        let (central, peripheral) = crowd.link(ONE, OTHER);
        Self { crowd, links: [central, peripheral] }
    }

    /// Both have enhanced bearers, of this MTU.
    fn both(seed: u64, mtu: u16) -> Self {
        let radio = RadioOptions { seed, loss: 50, latency: ms(2), ..RadioOptions::default() };
        Self::new(radio, [0, 1].map(|n| config(seed << 8 | n).mtu(mtu).eatt(Eatt::Unencrypted)))
    }

    /// The first has none of its own: what it does on channels is the test's. The other has.
    fn raw(mtu: u16) -> Self {
        let configs = [config(0), config(1).mtu(mtu).eatt(Eatt::Unencrypted)];
        Self::new(RadioOptions::default(), configs)
    }

    fn ask(&mut self, n: usize, request: impl Into<Request>) -> Result<Output, OpError> {
        self.crowd.ask(n, request)
    }

    fn open(&mut self, n: usize, count: usize) {
        assert_eq!(self.ask(n, open(self.links[n], count)), Ok(Output::Bearers(count)));
    }

    fn start(&mut self, n: usize, procedure: impl Into<Running>) -> OpId {
        let link = self.links[n];
        self.crowd.submit(n, gatt(link, procedure))
    }

    fn questions(&self, n: usize) -> Vec<Ask> {
        self.crowd.stations[n].events(|event| match event {
            Event::Server(ServerEvent::Asked { ask, .. }) => Some(ask.clone()),
            _ => None,
        })
    }

    fn answer(&mut self, n: usize, id: u64, octets: &[u8]) -> Result<Output, OpError> {
        let answer = Ok(Bytes::copy_from_slice(octets));
        self.ask(n, ServerRequest::Answer { connection: self.links[n], id, answer })
    }

    fn is_over(&self, n: usize, op: OpId) -> bool {
        self.crowd.stations[n].told.result(op).is_some()
    }

    /// Channels that the test opens to the other's bearers.
    fn channels(&mut self, options: ChannelOptions, count: usize) -> Vec<ChannelKey> {
        let connection = self.links[ONE];
        let request = ChannelRequest::OpenEnhanced { connection, spsm: SPSM, options, count };
        match self.ask(ONE, Request::Channel(request)) {
            Ok(Output::Channels(all)) => all.into_iter().map(|one| one.expect("accepted").key).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// Channels that the other opens as its bearers to the test.
    fn bearers(&mut self, count: usize) -> Vec<ChannelKey> {
        let server = Server { options: ChannelOptions::default(), security: RequiredSecurity::None, most: 5 };
        let listen = Request::Channel(ChannelRequest::Listen { spsm: SPSM, server });
        assert_eq!(self.ask(ONE, listen), Ok(Output::Done));
        self.open(OTHER, count);
        self.crowd.stations[ONE].events(|event| match event {
            Event::Channel(ChannelEvent::Opened { channel, .. }) => Some(channel.key),
            _ => None,
        })
    }

    fn send(&mut self, channel: ChannelKey, pdu: &[u8]) {
        let connection = self.links[ONE];
        let request = ChannelRequest::Send { connection, channel, sdu: Bytes::copy_from_slice(pdu) };
        self.crowd.submit(ONE, Request::Channel(request));
        self.crowd.run(seconds(1));
    }

    fn take(&mut self, channel: ChannelKey) -> Option<Bytes> {
        self.crowd.stations[ONE].host.take_sdu(self.crowd.now, self.links[ONE], channel)
    }

    /// What the other answers to a PDU on a channel.
    fn respond(&mut self, channel: ChannelKey, pdu: &[u8]) -> Vec<u8> {
        self.send(channel, pdu);
        self.take(channel).expect("an answer").to_vec()
    }

    fn closed(&self, n: usize) -> Vec<(ChannelKey, CloseReason)> {
        self.crowd.stations[n].events(|event| match event {
            Event::Channel(ChannelEvent::Closed { channel, reason, .. }) => Some((*channel, *reason)),
            _ => None,
        })
    }

    fn values_of(&self, n: usize, handle: u16) -> Vec<Vec<u8>> {
        self.crowd.stations[n].values(self.links[n], handle)
    }
}

fn pdu(opcode: u8, handle: u16, rest: &[u8]) -> Vec<u8> {
    [&[opcode][..], &handle.to_le_bytes(), rest].concat()
}

/// Time until all values were read, and what came.
fn read_all(two: &mut Two) -> Duration {
    let begun = two.crowd.now;
    let ops: Vec<_> = stored().into_iter().map(|handle| two.start(ONE, Read::new(handle))).collect();
    for (n, op) in ops.into_iter().enumerate() {
        assert_eq!(two.crowd.done(ONE, op), value(value_of(n)));
    }
    two.crowd.now.since_start() - begun.since_start()
}

#[test]
fn long_reads_run_side_by_side() {
    each_seed(0..3, |seed| {
        let mut two = Two::both(seed, 64);
        let alone = read_all(&mut two);
        two.open(ONE, 5);
        let together = read_all(&mut two);
        assert!(together * 2 < alone, "{together:?} on six bearers, {alone:?} on one");
        two.crowd
    });
}

#[test]
fn a_request_on_each_bearer_is_asked_at_once_and_answered_where_it_came() {
    let mut two = Two::both(0, 517);
    two.open(ONE, 5);
    let ops: Vec<_> = asked().into_iter().map(|handle| two.start(ONE, Read::new(handle))).collect();
    let behind = two.start(ONE, Read::new(told()));
    two.crowd.run(seconds(1));
    let questions = two.questions(OTHER);
    assert_eq!(questions.len(), VALUES);
    assert!(!two.is_over(ONE, behind), "all six bearers are in use");
    for (n, ask) in questions.iter().enumerate().rev() {
        assert_eq!(two.answer(OTHER, ask.id, &[n as u8]), Ok(Output::Done));
    }
    for (n, op) in ops.into_iter().enumerate() {
        assert_eq!(two.crowd.done(ONE, op), value(vec![n as u8]));
    }
    assert_eq!(two.crowd.done(ONE, behind), value(&b"told"[..]));
}

#[test]
fn both_sides_ask_on_all_bearers_and_what_is_sent_keeps_its_order() {
    each_seed(0..3, |seed| {
        let mut two = Two::both(seed, 100);
        let cccd = table().services().find(uuid16(0x2A58)).expect("declared").cccd().expect("it notifies");
        two.open(ONE, 3);
        two.open(OTHER, 2);
        let mut ops = Vec::new();
        for n in [ONE, OTHER] {
            let subscribed = two.start(n, Write::new(cccd, vec![3, 0]).expect("short"));
            two.crowd.done(n, subscribed).expect("subscribed");
        }
        for round in 0..20_u8 {
            for n in [ONE, OTHER] {
                let (connection, handle) = (two.links[n], told());
                ops.push((n, two.start(n, Read::new(stored()[usize::from(round) % 5])), round % 5));
                let octets = Bytes::copy_from_slice(&[round]);
                let request = match round % 3 {
                    0 => ServerRequest::Indicate { connection, handle, value: octets },
                    _ => ServerRequest::Notify { connection, handle, value: octets },
                };
                two.crowd.submit(n, request);
                let command =
                    Request::WriteCommand { connection, handle: stored()[5], value: vec![round].into() };
                two.crowd.submit(n, command);
            }
        }
        for (n, op, which) in ops {
            assert_eq!(two.crowd.done(n, op), value(value_of(which.into())));
        }
        two.crowd.run(seconds(5));
        for n in [ONE, OTHER] {
            let came = two.values_of(n, told());
            for kind in [true, false] {
                let sent: Vec<_> =
                    (0..20).filter(|round| (round % 3 == 0) == kind).map(|n| vec![n]).collect();
                let of_kind: Vec<_> =
                    came.iter().filter(|value| (value[0] % 3 == 0) == kind).cloned().collect();
                assert_eq!(of_kind, sent, "indications: {kind}");
            }
            assert_eq!(two.crowd.stations[n].host.table().value(stored()[5]), Some(&vec![19].into()));
        }
        two.crowd
    });
}

#[test]
fn both_sides_may_open_at_once_up_to_ten() {
    each_seed(0..3, |seed| {
        let mut two = Two::both(seed, 64);
        let ops = [ONE, OTHER].map(|n| (n, two.crowd.submit(n, open(two.links[n], 5))));
        for (n, op) in ops {
            assert_eq!(two.crowd.done(n, op), Ok(Output::Bearers(5)));
        }
        let more = two.ask(ONE, open(two.links[ONE], 1));
        assert!(matches!(more, Err(OpError::Invalid(_))), "{more:?}");
        read_all(&mut two);
        two.crowd
    });
}

#[test]
fn long_writes_at_once_do_not_mix_in_the_queue_there_is_for_all_bearers() {
    each_seed(0..3, |seed| {
        let mut two = Two::both(seed, 64);
        two.open(ONE, 5);
        // The later, the shorter: whoever executes the queue first would write a part of those before.
        let new = |n: usize| vec![100 + n as u8; 400 - 60 * n];
        let mut ops = Vec::new();
        for (n, handle) in stored().into_iter().enumerate() {
            let write: Running = match n % 2 {
                0 => WriteLong::new(handle, new(n)).expect("short enough").into(),
                _ => Write::new(handle, new(n)).expect("short enough").into(),
            };
            ops.push(two.start(ONE, write));
        }
        for op in ops {
            assert_eq!(two.crowd.done(ONE, op), Ok(Output::Gatt(Outcome::Written(()))));
        }
        let written = two.crowd.stations[OTHER].events(|event| match event {
            Event::Server(ServerEvent::Written { offer, .. }) => Some(offer.value.len()),
            _ => None,
        });
        let whole: Vec<_> = (0..VALUES).map(|n| new(n).len()).collect();
        assert_eq!(written, whole, "each whole, and once");
        for (n, handle) in stored().into_iter().enumerate() {
            assert_eq!(two.crowd.stations[OTHER].host.table().value(handle), Some(&new(n).into()));
        }
        two.crowd
    });
}

#[test]
fn a_client_has_one_queue_of_prepared_writes_for_all_its_bearers() {
    let mut two = Two::raw(517);
    let [a, b] = two.channels(ChannelOptions::default(), 2)[..] else { panic!("two") };
    let [first, second, ..] = stored()[..] else { panic!("several") };
    for (channel, handle) in [(a, first), (b, second)] {
        let prepare = pdu(0x16, handle, &[0, 0, 1, 2, 3]);
        let echo = [&[0x17], &prepare[1..]].concat();
        assert_eq!(two.respond(channel, &prepare), echo);
    }
    assert_eq!(two.respond(b, &[0x18, 1]), [0x19]);
    for handle in [first, second] {
        assert_eq!(two.crowd.stations[OTHER].host.table().value(handle).expect("kept")[..], [1, 2, 3]);
    }
}

#[test]
fn each_bearer_has_the_lesser_mtu_of_its_channel_and_no_other() {
    let mut two = Two::raw(300);
    for mtu in [64, 200, 512] {
        let [channel] = two.channels(ChannelOptions { mtu, ..ChannelOptions::default() }, 1)[..] else {
            panic!("one")
        };
        let expected = mtu.min(300);
        let read = two.respond(channel, &pdu(0x0A, stored()[1], &[]));
        assert_eq!(read.len(), usize::from(expected));
        let exchange = two.respond(channel, &[0x02, 0x17, 0x01]);
        assert_eq!(exchange, [0x01, 0x02, 0, 0, 0x06], "Request Not Supported");
        assert_eq!(two.respond(channel, &pdu(0x0A, stored()[1], &[])).len(), usize::from(expected));
    }
    // Within the channel's MTU, and beyond ATT_MTU.
    let [channel] = two.channels(ChannelOptions { mtu: 64, ..ChannelOptions::default() }, 1)[..] else {
        panic!("one")
    };
    let long = two.respond(channel, &pdu(0x12, stored()[0], &[1; 62]));
    assert_eq!(long, [0x01, 0x12, 0, 0, 0x04], "Invalid PDU");
    assert_eq!(two.respond(channel, &pdu(0x12, stored()[0], &[1; 61])), [0x13]);
}

#[test]
fn an_indication_is_confirmed_on_the_bearer_it_came_on() {
    let mut two = Two::raw(517);
    let channels = two.channels(ChannelOptions::default(), 3);
    for (n, channel) in channels.iter().enumerate().rev() {
        assert_eq!(two.respond(*channel, &pdu(0x1D, 0x77, &[n as u8])), [0x1E]);
        assert!(channels.iter().all(|channel| two.take(*channel).is_none()), "once, and nowhere else");
    }
    assert_eq!(two.values_of(OTHER, 0x77), [[2], [1], [0]]);
}

#[test]
fn a_response_on_another_bearer_than_its_request_answers_nothing() {
    let mut two = Two::raw(517);
    let [a, b] = two.bearers(2)[..] else { panic!("two") };
    let op = two.start(OTHER, Read::new(9));
    two.crowd.run(seconds(1));
    assert_eq!(two.take(a).as_deref(), Some(&[0x0A, 9, 0][..]));
    two.send(b, &[0x0B, 66]);
    assert!(!two.is_over(OTHER, op));
    two.send(a, &[0x0B, 7]);
    assert_eq!(two.crowd.done(OTHER, op), value(vec![7]));
}

#[test]
fn a_bearer_that_is_lost_fails_what_runs_on_it_and_no_more() {
    let mut two = Two::raw(517);
    let [a, b] = two.bearers(2)[..] else { panic!("two") };
    let [on_a, on_b] = [9, 11].map(|handle| two.start(OTHER, Read::new(handle)));
    let connection = two.links[ONE];
    two.ask(ONE, Request::Channel(ChannelRequest::Close { connection, channel: a })).expect("closed");
    let lost = Err(OpError::Channel(ChannelError::Closed(CloseReason::Peer)));
    assert_eq!(two.crowd.done(OTHER, on_a), lost);
    let fixed = two.start(OTHER, Read::new(told()));
    assert_eq!(two.crowd.done(OTHER, fixed), value(&b"told"[..]), "on the fixed bearer");
    assert!(!two.is_over(OTHER, on_b));
    two.send(b, &[0x0B, 7]);
    assert_eq!(two.crowd.done(OTHER, on_b), value(vec![7]));
    assert!(two.closed(OTHER).is_empty(), "nobody was told of channels");
}

#[test]
fn a_bearer_whose_peer_does_not_answer_is_ended_and_the_link_stays() {
    let mut two = Two::raw(517);
    let [a] = two.bearers(1)[..] else { panic!("one") };
    let op = two.start(OTHER, Read::new(9));
    let late = Err(OpError::BearerTimeout { after: seconds(30) });
    assert_eq!(two.crowd.done(OTHER, op), late);
    two.crowd.run(seconds(2));
    assert_eq!(two.closed(ONE), [(a, CloseReason::Peer)]);
    let next = two.start(OTHER, Read::new(told()));
    assert_eq!(two.crowd.done(OTHER, next), value(&b"told"[..]), "on the fixed bearer");
}

#[test]
fn a_peer_that_asks_and_takes_no_answers_loses_its_bearer_alone() {
    let mut two = Two::raw(517);
    let options = ChannelOptions { mtu: 64, mps: 64, credits: 1 };
    let [a, b] = two.channels(options, 2)[..] else { panic!("two") };
    for _ in 0..8 {
        two.send(a, &pdu(0x0A, stored()[0], &[]));
    }
    assert_eq!(two.closed(ONE), [(a, CloseReason::Peer)]);
    assert_eq!(two.respond(b, &pdu(0x0A, told(), &[])), b"\x0Btold");
}

#[test]
fn a_question_of_a_bearer_that_is_lost_is_answered_in_vain() {
    let mut two = Two::raw(517);
    let [a, b] = two.channels(ChannelOptions::default(), 2)[..] else { panic!("two") };
    for (channel, handle) in [(a, asked()[0]), (b, asked()[1])] {
        two.send(channel, &pdu(0x0A, handle, &[]));
    }
    let [of_a, of_b] = &two.questions(OTHER)[..] else { panic!("two questions") };
    let (of_a, of_b) = (of_a.id, of_b.id);
    let connection = two.links[ONE];
    two.ask(ONE, Request::Channel(ChannelRequest::Close { connection, channel: a })).expect("closed");
    assert_eq!(two.answer(OTHER, of_a, b"late"), Err(OpError::NotAsked));
    assert_eq!(two.answer(OTHER, of_b, b"good"), Ok(Output::Done));
    two.crowd.run(seconds(1));
    assert_eq!(two.take(b).as_deref(), Some(&b"\x0Bgood"[..]));
}

#[test]
fn bearers_take_encryption_unless_a_test_says_otherwise() {
    let radio = RadioOptions::default;
    let mut two = Two::new(radio(), [config(0).eatt(Eatt::Unencrypted), config(1).eatt(Eatt::Encrypted)]);
    let refusal = CreditConnectionsResult::AllRefusedInsufficientAuthentication;
    let refused = OpError::Channel(ChannelError::Refused(OpenFailure::EnhancedRefused(refusal)));
    assert_eq!(two.ask(ONE, open(two.links[ONE], 2)), Err(refused));
    assert_eq!(two.ask(OTHER, open(two.links[OTHER], 2)), Err(OpError::NotEncrypted));

    let mut two = Two::new(radio(), [config(0).eatt(Eatt::Unencrypted), config(1)]);
    let refusal = CreditConnectionsResult::AllRefusedSpsmNotSupported;
    let refused = OpError::Channel(ChannelError::Refused(OpenFailure::EnhancedRefused(refusal)));
    assert_eq!(two.ask(ONE, open(two.links[ONE], 2)), Err(refused));
    let off = two.ask(OTHER, open(two.links[OTHER], 2));
    assert!(matches!(off, Err(OpError::Invalid(_))), "{off:?}");
}

#[test]
fn a_channel_that_is_not_enhanced_is_no_bearer() {
    let mut two = Two::raw(517);
    let (connection, options) = (two.links[ONE], ChannelOptions::default());
    let request = Request::Channel(ChannelRequest::Open { connection, spsm: SPSM, options });
    let refused = OpenFailure::Refused(CreditConnectionResult::SpsmNotSupported);
    assert_eq!(two.ask(ONE, request), Err(OpError::Channel(ChannelError::Refused(refused))));
}

#[test]
fn server_supported_features_say_whether_there_are_bearers() {
    for (eatt, expected) in [(Eatt::Off, 0), (Eatt::Encrypted, 1), (Eatt::Unencrypted, 1)] {
        let mut two = Two::new(RadioOptions::default(), [config(0), config(1).eatt(eatt)]);
        let link = two.links[ONE];
        let found = two.crowd.gatt(ONE, link, ReadByUuid::new(uuid16(0x2B3A))).expect("there");
        assert_eq!(found[0].value[..], [expected], "{eatt:?}");
    }
}

#[test]
fn whatever_runs_on_bearers_ends_once_with_the_link() {
    each_seed(0..3, |seed| {
        let mut two = Two::both(seed, 64);
        two.open(ONE, 5);
        let ops: Vec<_> = asked().into_iter().map(|handle| two.start(ONE, Read::new(handle))).collect();
        let opening = two.crowd.submit(ONE, open(two.links[ONE], 2));
        two.crowd.run(ms(20 * seed));
        let disconnect =
            Request::Disconnect { connection: two.links[OTHER], reason: baretooth::ErrorCode(0x13) };
        two.ask(OTHER, disconnect).expect("ended");
        two.crowd.run(seconds(10));
        for op in ops {
            let result = two.crowd.done(ONE, op);
            assert!(matches!(result, Err(OpError::Disconnected { .. })), "{result:?}");
        }
        assert!(two.is_over(ONE, opening));
        assert!(two.closed(ONE).is_empty() && two.closed(OTHER).is_empty());
        assert!(two.crowd.stations.iter().all(|station| station.host.is_idle()));
        two.crowd
    });
}

#[test]
fn a_new_table_is_told_of_once_and_each_bearer_s_request_before_is_out_of_date() {
    let mut two = Two::raw(517);
    let [a, b] = two.channels(ChannelOptions::default(), 2)[..] else { panic!("two") };
    // Robust caching and enhanced bearers.
    let features = table().services().find(uuid16(0x2B29)).expect("there").value_handle;
    assert_eq!(two.respond(a, &pdu(0x12, features, &[3])), [0x13]);
    let other = Table::builder("served").build().expect("fits");
    two.ask(OTHER, ServerRequest::Serve(other)).expect("served");
    let (out_of_sync, read) = (vec![0x01, 0x0A, 3, 0, 0x12], pdu(0x0A, 3, &[]));
    assert_eq!(two.respond(a, &read), out_of_sync);
    assert_eq!(two.respond(b, &read), out_of_sync, "once on each bearer");
    assert_eq!(two.respond(a, &read), b"\x0Bserved");
}
