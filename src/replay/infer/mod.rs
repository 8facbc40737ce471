//! Which requests a capture is of: each is guessed from the packet that the host does not send by itself.
//!
//! A guess is never taken on trust: what the host makes of it is compared like everything else. A command that no
//! request stands for is sent as it is. Requests that were made in one instant on several links are guessed together, yet
//! which of them waited behind which no packet shows: a session of that sort may need its program to be replayed.

mod transcript;

use super::{Replay, ReplayError, Script, ScriptPacket, Turn, is_sent};
use crate::att::pdu::{AttPdu, PduKind};
use crate::att::{AttOpcode, DEFAULT_MTU};
use crate::capture::Direction;
use crate::gap::connect::{ConnectOptions, ConnectionParameters};
use crate::gap::scan::{Duplicates, ScanOptions, ScanPhys};
use crate::hci::command::{
    Disconnect, LeCreateConnection, LeExtendedCreateConnection, LeSetExtendedScanEnable,
    LeSetExtendedScanParameters, LeSetRandomAddress, LeSetScanEnable, LeSetScanParameters,
};
use crate::hci::{
    AclData, AddressType, Command, ConnectionHandle, ErrorCode, Event, HciCommand, Opcode, OwnAddressType,
};
use crate::host::{self, ConnectionId, HostConfig, OpId, Output, Request};
use crate::transports::{HciPacket, PacketIndicator};
use crate::{Address, BdAddr, Instant};
use bytes::Bytes;
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
    let sent = script.packets().iter().filter(|packet| is_sent(packet)).count();
    let received = script.packets().len() - sent;
    let mut guide = Guide {
        transcript: Transcript::new(&script),
        replay: Replay::new(script, config),
        scans: Vec::new(),
        scan: ScanOptions::new(),
        connects: BTreeMap::new(),
        mtus: BTreeMap::new(),
        made: BTreeMap::new(),
        requests: 0,
    };
    guide.run()?;
    let Guide { replay, requests, .. } = guide;
    let time = replay.now.since(Instant::START);
    Ok(Replayed { sent, received, requests, time, events: replay.events })
}

impl Script {
    /// The random address that the session's host had, first of all.
    pub fn random_address(&self) -> Option<BdAddr> {
        let commands = self.packets().iter().filter_map(|packet| command(&packet.packet));
        let mut addresses = commands.filter_map(|command| match command {
            Command::LeSetRandomAddress(LeSetRandomAddress { random_address }) => Some(random_address),
            _ => None,
        });
        addresses.next()
    }

    /// The configuration that a host needs to send what this one holds, as far as the packets show it: our random
    /// address, the longest ATT PDU, and whether extended commands are avoided. The seed is not in it.
    pub fn config(&self) -> HostConfig {
        let config = HostConfig::new([0; 32]);
        self.configure(match self.random_address() {
            Some(address) => config.random_address(address),
            None => config,
        })
    }

    /// The same for a host whose seed is known: all but the random address, which follows from the seed.
    pub fn configure(&self, mut config: HostConfig) -> HostConfig {
        let sent = || self.packets().iter().filter(|packet| is_sent(packet)).map(|packet| &packet.packet);
        let (mut legacy, mut extended) = (false, false);
        for command in sent().filter_map(command) {
            match command {
                Command::LeSetScanParameters(_) | Command::LeCreateConnection(_) => legacy = true,
                Command::LeSetExtendedScanParameters(_) | Command::LeExtendedCreateConnection(_) => {
                    extended = true;
                }
                _ => {}
            }
        }
        // A host that tried both learned that its controller lacks what it claims.
        config = config.legacy_only(legacy && !extended);
        let mtu = sent().find_map(|packet| match packet.as_slice() {
            // Exchange MTU, asked or answered, always in one piece ([Vol 3] Part F, 3.4.2).
            [0x02, _, _, 7, 0, 3, 0, 4, 0, 0x02 | 0x03, low, high] => Some(u16::from_le_bytes([*low, *high])),
            _ => None,
        });
        match mtu {
            Some(mtu) => config.mtu(mtu),
            None => config,
        }
    }
}

struct Guide {
    replay: Replay,
    transcript: Transcript,
    scans: Vec<OpId>,
    /// As the last parameters said.
    scan: ScanOptions,
    connects: BTreeMap<OpId, Address>,
    mtus: BTreeMap<ConnectionId, u16>,
    /// Where on each link the last PDU begins that comes of a request made so far.
    made: BTreeMap<ConnectionHandle, usize>,
    requests: usize,
}

impl Guide {
    fn run(&mut self) -> Result<(), ReplayError> {
        let mut answered = None;
        loop {
            match self.replay.advance()? {
                Turn::Told(event) => self.learn(&event),
                Turn::End => return Ok(()),
                Turn::Asks => {
                    let place = self.replay.course.position();
                    // One guess for each packet.
                    if answered.replace(place) == Some(place) || !self.guess(place) {
                        return Err(self.replay.not_sent(true));
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
                if let Ok(Output::Connected(info)) = result {
                    self.mtus.insert(info.connection, info.mtu);
                }
            }
            host::Event::Mtu { connection, mtu } => {
                self.mtus.insert(*connection, *mtu);
            }
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
        match command {
            Command::LeSetScanParameters(_) | Command::LeSetExtendedScanParameters(_) => {
                self.begin_scan(place);
            }
            Command::LeSetScanEnable(LeSetScanEnable { le_scan_enable: 1, .. })
            | Command::LeSetExtendedScanEnable(LeSetExtendedScanEnable { enable: 1, .. }) => {
                self.begin_scan(place);
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
                let connect = Connect::from(&command);
                return self.connect(place, command.peer_address_type.with(command.peer_address), connect);
            }
            Command::LeExtendedCreateConnection(command) => {
                let Some(connect) = Connect::of_extended(&command) else { return self.raw(packet) };
                return self.connect(place, command.peer_address_type.with(command.peer_address), connect);
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

    fn connect(&mut self, place: usize, peer: Option<Address>, connect: Connect) -> bool {
        let Some(address) = peer else { return false };
        let mut options = ConnectOptions::new()
            .own_address(connect.own_address)
            .coded(connect.coded)
            .parameters(connect.parameters)
            // When it is given up is in the capture, too.
            .timeout(Duration::MAX);
        if let Some(mtu) = self.mtu_offered(place, address) {
            options = options.mtu(mtu);
        }
        let op = self.submit(Request::Connect { address, options });
        self.connects.insert(op, address);
        true
    }

    /// What the host will offer on the link that comes of an attempt; the least is not offered at all.
    fn mtu_offered(&self, place: usize, peer: Address) -> Option<u16> {
        let packets = self.replay.course.script().packets();
        let attempts = |packet: &ScriptPacket| {
            let of = is_sent(packet).then(|| opcode(&packet.packet)).flatten();
            of == Some(LeCreateConnection::OPCODE) || of == Some(LeExtendedCreateConnection::OPCODE)
        };
        let following = packets.iter().enumerate().skip(place + 1);
        let of_this = following.take_while(|(_, packet)| !attempts(packet));
        let (place, link) = of_this.filter_map(|(n, p)| Some((n, connected(p, peer)?))).next()?;
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
        let pdu = self.transcript.pdu_at(handle, place)?.clone();
        let mut end = place;
        let request = match AttPdu::from_octets(&pdu).ok()? {
            AttPdu::WriteCmd(write) => Request::WriteCommand {
                connection,
                handle: write.attribute_handle.0,
                value: Bytes::copy_from_slice(write.attribute_value.0),
            },
            AttPdu::HandleValueCfm(_) => Request::Confirm { connection },
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

/// How to connect, from either form of the command.
struct Connect {
    own_address: OwnAddressType,
    coded: bool,
    parameters: ConnectionParameters,
}

impl From<&LeCreateConnection> for Connect {
    fn from(command: &LeCreateConnection) -> Self {
        Self {
            own_address: command.own_address_type,
            coded: false,
            parameters: parameters(
                [command.connection_interval_min, command.connection_interval_max],
                command.max_latency,
                command.supervision_timeout,
            ),
        }
    }
}

impl Connect {
    fn of_extended(command: &LeExtendedCreateConnection<'_>) -> Option<Self> {
        let phy = command.initiating_phys.iter().next()?;
        Some(Self {
            own_address: command.own_address_type,
            coded: command.initiating_phys.lead() & CODED != 0,
            parameters: parameters(
                [phy.connection_interval_min, phy.connection_interval_max],
                phy.max_latency,
                phy.supervision_timeout,
            ),
        })
    }
}

/// The bit of the Coded PHY in a mask of PHYs ([Vol 4] Part E, 7.8.64).
const CODED: u8 = 1 << 2;

fn parameters([min, max]: [u16; 2], latency: u16, timeout: u16) -> ConnectionParameters {
    ConnectionParameters {
        interval_min: Duration::from_micros(u64::from(min) * 1250),
        interval_max: Duration::from_micros(u64::from(max) * 1250),
        latency,
        supervision_timeout: Duration::from_millis(u64::from(timeout) * 10),
    }
}

fn legacy_scan(command: &LeSetScanParameters) -> ScanOptions {
    scan(command.le_scan_type, command.le_scan_interval, command.le_scan_window)
}

fn extended_scan(command: &LeSetExtendedScanParameters<'_>) -> ScanOptions {
    let phys = match command.scanning_phys.lead() {
        mask if mask & CODED == 0 => ScanPhys::LE_1M,
        CODED => ScanPhys::LE_CODED,
        _ => ScanPhys::LE_1M | ScanPhys::LE_CODED,
    };
    match command.scanning_phys.iter().next() {
        Some(phy) => scan(phy.scan_type, phy.scan_interval, phy.scan_window).phys(phys),
        None => ScanOptions::new(),
    }
}

fn scan(scan_type: u8, interval: u16, window: u16) -> ScanOptions {
    let time = |units: u16| Duration::from_micros(u64::from(units) * 625);
    ScanOptions::new().active(scan_type != 0).interval(time(interval)).window(time(window))
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
