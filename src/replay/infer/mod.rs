//! Which requests a capture is of: each is guessed from the packet that the host does not send by itself.
//!
//! A guess is never taken on trust: what the host makes of it is compared like everything else. A command that no
//! request stands for is sent as it is. Requests that were made in one instant on several links are guessed together, yet
//! which of them waited behind which no packet shows: a session of that sort may need its program to be replayed.
//!
//! What a session served no packet shows as a whole: it is given ([`run_with`]), or the table that a host has by
//! itself. Values of it follow from what was notified, indicated and read; answers of the user from plain reads and from
//! writes. An advertisement whose time was over is one that was cancelled. A set that was stopped before it was on the
//! air, data that came before the last were with the controller, values that waited while a client's request came, and
//! the requests of credit-based channels are not guessed; nor is it when a user of two links that pair at once said what,
//! where that is the order in which random numbers were drawn.

mod advertising;
mod bonds;
mod config;
mod options;
mod pairing;
mod peripheral;
mod service_changes;
mod transcript;

use super::{Replay, ReplayError, Script, ScriptPacket, Turn, Unseen, is_sent};
use crate::att::pdu::{AttPdu, PduKind};
use crate::att::{AttOpcode, DEFAULT_MTU};
use crate::capture::Direction;
use crate::gap::connect::ConnectOptions;
use crate::gap::scan::{Duplicates, ScanOptions};
use crate::gatt::server::Ask;
use crate::hci::command::{
    Disconnect, LeCreateConnection, LeExtendedCreateConnection, LeSetExtendedScanEnable, LeSetScanEnable,
};
use crate::hci::{AclData, AddressType, Command, ConnectionHandle, ErrorCode, Event, HciCommand, Opcode};
use crate::host::{
    self, ConnectionId, HostConfig, OpId, Output, Request, SecurityRequest, ServerEvent, ServerRequest,
};
use crate::l2cap::ChannelId;
use crate::transports::{HciPacket, PacketIndicator};
use crate::{Address, Instant};
use advertising::{Data, Handle};
use bytes::Bytes;
use options::{Connect, extended_scan, legacy_scan};
use pairing::Pairings;
use std::collections::BTreeMap;
use std::time::Duration;
use transcript::Transcript;

/// A capture that was replayed to its end: every packet was equal.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Replayed {
    /// Packets that the host sent.
    pub sent: usize,
    /// Packets that it was given.
    pub received: usize,
    /// Requests that were guessed and made.
    pub requests: usize,
    /// How long the session was.
    pub time: Duration,
    /// Everything that the host told.
    pub events: Vec<host::Event>,
}

/// Replays a capture whose program is not known: requests are guessed from its packets.
///
/// ```
/// use baretooth::replay::{self, Script};
/// let script = Script::open("captures/long_values.btsnoop")?;
/// let config = script.config();
/// let replayed = replay::run(script, config)?;
/// println!("{} packets, all of them equal", replayed.sent + replayed.received);
/// # Ok::<(), baretooth::replay::ReplayError>(())
/// ```
///
/// # Errors
/// When the host sends something else than the capture holds, or something is not sent because no request was found for
/// it.
pub fn run(script: Script, config: HostConfig) -> Result<Replayed, ReplayError> {
    run_with(script, config, Unseen::new())
}

/// As [`run`], for a session of which more is known than its packets show.
///
/// # Errors
/// As [`run`]; [`ReplayError::Unseen`] when something more ought to be known.
pub fn run_with(script: Script, config: HostConfig, mut unseen: Unseen) -> Result<Replayed, ReplayError> {
    let (table, known) = (unseen.table.take(), unseen.known.take());
    let sent = script.packets().iter().filter(|packet| is_sent(packet)).count();
    let received = script.packets().len() - sent;
    let mut guide = Guide {
        transcript: Transcript::new(&script, ChannelId::Attribute),
        pairings: Pairings::new(&script, unseen),
        replay: Replay::new(script, config),
        scans: Vec::new(),
        scan: ScanOptions::new(),
        connects: BTreeMap::new(),
        sets: BTreeMap::new(),
        asks: BTreeMap::new(),
        values_read: BTreeMap::new(),
        mtus: BTreeMap::new(),
        made: BTreeMap::new(),
        requests: 0,
    };
    if let Some(table) = table {
        guide.replay.submit_now(ServerRequest::Serve(table));
    }
    if let Some((identity, bonds)) = known {
        guide.replay.submit_now(SecurityRequest::Load { identity, bonds });
    }
    guide.run()?;
    let Guide { replay, requests, .. } = guide;
    let time = replay.now.since(Instant::START);
    Ok(Replayed { sent, received, requests, time, events: replay.events })
}

struct Guide {
    replay: Replay,
    transcript: Transcript,
    pairings: Pairings,
    scans: Vec<OpId>,
    /// As the last parameters said.
    scan: ScanOptions,
    connects: BTreeMap<OpId, Address>,
    /// Advertisements, and what they say.
    sets: BTreeMap<Handle, (OpId, Data)>,
    /// Questions of clients.
    asks: BTreeMap<ConnectionId, Ask>,
    /// What each client reads or read last, by its handle and whole.
    values_read: BTreeMap<ConnectionHandle, (u16, Bytes)>,
    mtus: BTreeMap<ConnectionId, u16>,
    /// Where on each link the last PDU begins that comes of a request made so far.
    made: BTreeMap<ConnectionHandle, usize>,
    requests: usize,
}

impl Guide {
    fn run(&mut self) -> Result<(), ReplayError> {
        let mut answered = None;
        loop {
            self.foresee();
            self.foresee_security();
            if let Some(missing) = self.pairings.missing.take() {
                return Err(missing);
            }
            match self.replay.step()? {
                None => {}
                Some(Turn::Told(event)) => self.learn(&event),
                Some(Turn::End) => return Ok(()),
                Some(Turn::Asks) => {
                    let place = self.replay.course.position();
                    // One guess for each packet.
                    if answered.replace(place) == Some(place) || !self.guess(place) {
                        let missing = self.pairings.missing.take();
                        return Err(missing.unwrap_or_else(|| self.replay.not_sent(true)));
                    }
                }
            }
        }
    }

    fn learn(&mut self, event: &host::Event) {
        match event {
            host::Event::OpDone { op, result } => {
                self.scans.retain(|scan| scan != op);
                self.connects.remove(op);
                self.sets.retain(|_, (set, _)| set != op);
                if let Ok(Output::Connected(info)) = result {
                    self.mtus.insert(info.connection, info.mtu);
                }
            }
            host::Event::Connected(info) => {
                self.mtus.insert(info.connection, info.mtu);
            }
            host::Event::Mtu { connection, mtu } => {
                self.mtus.insert(*connection, *mtu);
            }
            host::Event::Server(ServerEvent::Asked { connection, ask }) => {
                self.asks.insert(*connection, ask.clone());
            }
            host::Event::Security(event) => self.pairings.learn(event),
            _ => {}
        }
    }

    fn submit(&mut self, request: Request) -> OpId {
        self.requests += 1;
        self.replay.submit_now(request)
    }

    /// Makes the request that leads to the packet at this place; `false` when there is none.
    fn guess(&mut self, place: usize) -> bool {
        let Some(wanted) = self.replay.wanted() else { return false };
        let packet = wanted.packet.clone();
        match packet.indicator() {
            PacketIndicator::Command => self.guess_command(place, &packet),
            PacketIndicator::AclData => self.guess_data(place, &packet).is_some(),
            _ => false,
        }
    }

    fn guess_command(&mut self, place: usize, packet: &HciPacket) -> bool {
        let Some(command) = command(packet) else { return false };
        if let Some(done) = self.guess_advertising(place, &command) {
            return done || self.raw(packet);
        }
        match command {
            Command::LeSetScanParameters(_)
            | Command::LeSetExtendedScanParameters(_)
            | Command::LeSetScanEnable(LeSetScanEnable { le_scan_enable: 1, .. })
            | Command::LeSetExtendedScanEnable(LeSetExtendedScanEnable { enable: 1, .. }) => {
                if self.guess_search(place).is_none() {
                    self.begin_scan(place);
                }
            }
            Command::LeSetScanEnable(_) | Command::LeSetExtendedScanEnable(_) if !self.scans.is_empty() => {
                for scan in std::mem::take(&mut self.scans) {
                    self.replay.cancel_now(scan);
                }
                // What begins again at once goes on with other parameters.
                if self.goes_on_scanning(place) {
                    self.begin_scan(place + 1);
                }
            }
            Command::LeCreateConnection(command) => {
                let Some(peer) = command.peer_address_type.with(command.peer_address) else { return false };
                self.connect(place, peer, peer, Connect::from(&command));
            }
            Command::LeExtendedCreateConnection(command) => {
                let Some(connect) = Connect::of_extended(&command) else { return self.raw(packet) };
                let Some(peer) = command.peer_address_type.with(command.peer_address) else { return false };
                self.connect(place, peer, peer, connect);
            }
            Command::LeCreateConnectionCancel(_) if !self.connects.is_empty() => {
                if let Some((op, _)) = self.connects.pop_first() {
                    self.replay.cancel_now(op);
                }
            }
            Command::Disconnect(Disconnect { connection_handle, reason }) => {
                if let Some(connection) = self.replay.host.connection(connection_handle) {
                    self.submit(Request::Disconnect { connection, reason });
                } else if let Some((op, _)) = self.connects.pop_first() {
                    // A link that is not ready belongs to the attempt that has turned out to be unwanted.
                    self.replay.cancel_now(op);
                } else {
                    return self.raw(packet);
                }
            }
            Command::LeEnableEncryption(command) => {
                return self.encrypt(command.connection_handle) || self.raw(packet);
            }
            _ => return self.raw(packet),
        }
        true
    }

    fn raw(&mut self, packet: &HciPacket) -> bool {
        let Some(opcode) = opcode(packet) else { return false };
        let parameters = packet.bytes().slice_ref(packet.payload());
        self.submit(Request::Command { opcode, parameters });
        true
    }

    /// Scans as the next commands from a place on say.
    fn begin_scan(&mut self, place: usize) {
        let mut filters = false;
        let mut options = self.scan.clone();
        for packet in
            self.replay.course.script().packets().iter().skip(place).filter(|packet| is_sent(packet))
        {
            match command(&packet.packet) {
                Some(Command::LeSetScanParameters(of)) => options = legacy_scan(&of),
                Some(Command::LeSetExtendedScanParameters(of)) => options = extended_scan(&of),
                Some(Command::LeSetScanEnable(LeSetScanEnable { filter_duplicates, .. }))
                | Some(Command::LeSetExtendedScanEnable(LeSetExtendedScanEnable {
                    filter_duplicates, ..
                })) => {
                    filters = filter_duplicates != 0;
                    break;
                }
                _ => {}
            }
        }
        self.scan = options.clone();
        // Without a filter in the controller the host decides, which no packet shows.
        let duplicates = if filters { Duplicates::ControllerFiltered } else { Duplicates::default() };
        let op = self.submit(Request::Scan(options.duplicates(duplicates)));
        self.scans.push(op);
    }

    /// Whether the next command after the one at this place has to do with scanning, too.
    fn goes_on_scanning(&self, place: usize) -> bool {
        let packets = self.replay.course.script().packets();
        let mut commands = packets
            .iter()
            .skip(place + 1)
            .filter(|packet| is_sent(packet))
            .filter_map(|p| command(&p.packet));
        matches!(
            commands.next(),
            Some(
                Command::LeSetScanParameters(_)
                    | Command::LeSetExtendedScanParameters(_)
                    | Command::LeSetScanEnable(LeSetScanEnable { le_scan_enable: 1, .. })
                    | Command::LeSetExtendedScanEnable(LeSetExtendedScanEnable { enable: 1, .. })
            )
        )
    }

    fn connect(&mut self, place: usize, on_air: Address, address: Address, connect: Connect) {
        let mut options = ConnectOptions::new()
            .own_address(connect.own_address.into())
            .coded(connect.coded)
            .parameters(connect.parameters)
            // When it is given up is in the capture, too.
            .timeout(Duration::MAX);
        if let Some((place, link)) = self.link_behind(place, on_air) {
            // Whom a host knows it calls otherwise.
            self.foresee_bond(place);
            if let Some(mtu) = self.mtu_offered(place, link) {
                options = options.mtu(mtu);
            }
        }
        let op = self.submit(Request::Connect { address, options });
        self.connects.insert(op, address);
    }

    /// The link to a peer that comes of an attempt at a place, and where the capture tells of it.
    fn link_behind(&self, place: usize, peer: Address) -> Option<(usize, ConnectionHandle)> {
        let packets = self.replay.course.script().packets();
        let attempts = |packet: &ScriptPacket| {
            let of = is_sent(packet).then(|| opcode(&packet.packet)).flatten();
            of == Some(LeCreateConnection::OPCODE) || of == Some(LeExtendedCreateConnection::OPCODE)
        };
        let following = packets.iter().enumerate().skip(place + 1);
        let mut of_this = following.take_while(|(_, packet)| !attempts(packet));
        of_this.find_map(|(at, packet)| Some((at, connected(packet, peer)?)))
    }

    /// What the host offers on a link; the least is not offered at all.
    fn mtu_offered(&self, place: usize, link: ConnectionHandle) -> Option<u16> {
        match AttPdu::from_octets(self.transcript.first_of_host(link, place)?) {
            Ok(AttPdu::ExchangeMtuReq(request)) => Some(request.client_rx_mtu),
            _ => Some(DEFAULT_MTU),
        }
    }

    fn guess_data(&mut self, place: usize, packet: &HciPacket) -> Option<()> {
        let handle = AclData::parse(packet.as_slice()).ok()?.handle;
        self.request_on(handle, place)?;
        // Requests on other links that share the controller's buffers with this one were made along with it.
        for (link, place) in self.transcript.between(handle, place) {
            if self.made.get(&link).is_none_or(|made| *made < place) {
                self.request_on(link, place);
            }
        }
        Some(())
    }

    /// Makes the request that a PDU on a link is of.
    fn request_on(&mut self, handle: ConnectionHandle, place: usize) -> Option<()> {
        let connection = self.replay.host.connection(handle)?;
        if self.pairings.transcript.pdu_at(handle, place).is_some() {
            return self.go_on_pairing(handle, connection, place);
        }
        let pdu = self.transcript.pdu_at(handle, place)?.clone();
        let mut end = place;
        let request = match AttPdu::from_octets(&pdu).ok()? {
            AttPdu::WriteCmd(write) => Request::WriteCommand {
                connection,
                handle: write.attribute_handle.0,
                value: Bytes::copy_from_slice(write.attribute_value.0),
            },
            AttPdu::HandleValueCfm(_) => Request::Confirm { connection, indication: None },
            AttPdu::HandleValueNtf(sent) => {
                let handle = sent.attribute_handle.0;
                let value = Bytes::copy_from_slice(sent.attribute_value.0);
                self.keep_value(handle, &value);
                ServerRequest::Notify { connection, handle, value }.into()
            }
            AttPdu::MultipleHandleValueNtf(sent) => {
                let value = |octets: &[u8]| Bytes::copy_from_slice(octets);
                let values = sent.values.iter().map(|v| (v.attribute_handle.0, value(v.value.value.0)));
                ServerRequest::NotifyMultiple { connection, values: values.collect() }.into()
            }
            AttPdu::HandleValueInd(sent) => {
                let handle = sent.attribute_handle.0;
                let value = Bytes::copy_from_slice(sent.attribute_value.0);
                self.keep_value(handle, &value);
                ServerRequest::Indicate { connection, handle, value }.into()
            }
            _ if AttOpcode(*pdu.first()?).kind() == PduKind::Response => {
                self.answer(handle, connection, &pdu)?
            }
            _ if AttOpcode(*pdu.first()?).kind() == PduKind::Request => {
                let mtu = self.mtus.get(&connection).copied().unwrap_or(DEFAULT_MTU);
                let (procedure, last) = self.transcript.procedure(handle, place, mtu)?;
                end = last;
                Request::Gatt { connection, procedure }
            }
            _ => return None,
        };
        let made = self.made.entry(handle).or_default();
        *made = end.max(*made);
        self.submit(request);
        Some(())
    }
}

fn opcode(packet: &HciPacket) -> Option<Opcode> {
    match packet.as_slice() {
        [0x01, low, high, ..] => Some(Opcode(u16::from_le_bytes([*low, *high]))),
        _ => None,
    }
}

fn command(packet: &HciPacket) -> Option<Command<'_>> {
    let opcode = opcode(packet)?;
    // One that follows no layout is sent as it is.
    Some(
        Command::parse(opcode, packet.payload())
            .unwrap_or(Command::Unknown { opcode, parameters: packet.payload() }),
    )
}

fn event(packet: &ScriptPacket) -> Option<Event<'_>> {
    match packet.packet.as_slice() {
        [0x04, code, ..] if packet.direction == Direction::Received => {
            Event::parse(*code, packet.packet.payload()).ok()
        }
        _ => None,
    }
}

/// The link whose end a packet tells.
fn disconnected(packet: &ScriptPacket) -> Option<ConnectionHandle> {
    match event(packet)? {
        Event::DisconnectionComplete(e) if e.status.is_success() => Some(e.connection_handle),
        _ => None,
    }
}

/// The link to a peer whose beginning a packet tells.
fn connected(packet: &ScriptPacket, peer: Address) -> Option<ConnectionHandle> {
    let Event::LeMeta(meta) = event(packet)? else { return None };
    let complete = meta.subevent.connection_complete()?;
    let to_peer = AddressType::with(complete.peer_address_type, complete.peer_address) == Some(peer);
    (complete.status == ErrorCode::Success && to_peer).then_some(complete.connection_handle)
}
