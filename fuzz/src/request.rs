//! Requests to the host, as an input chooses them.

use crate::controller;
use crate::procedure::AnyProcedure;
use crate::security::AnySecurityRequest;
use arbitrary::Arbitrary;
use baretooth::att::AttError;
use baretooth::gap::advertise::{AdvertiseMode, AdvertiseOptions, ExtendedPdus};
use baretooth::gap::advertising_data::{AdType, AdvertisingDataBuf, AdvertisingDataBuilder};
use baretooth::gap::connect::{ConnectOptions, ConnectionParameters};
use baretooth::gap::scan::{Duplicates, ScanOptions, ScanPhys};
use baretooth::gatt::server::{Access, Characteristic, Service, Table};
use baretooth::hci::{ErrorCode, Opcode};
use baretooth::host::{ChannelRequest, ConnectionId, OpId, Request, ServerRequest};
use baretooth::l2cap::credit::{ChannelKey, ChannelOptions, Server};
use baretooth::smp::PromptId;
use baretooth::uuid16;
use bytes::Bytes;
use std::time::Duration;

/// What there was so far, each once: requests choose from the last of it.
#[derive(Debug, Default)]
pub struct Known {
    pub ops: Vec<OpId>,
    pub connections: Vec<ConnectionId>,
    pub questions: Vec<(ConnectionId, u64)>,
    pub channels: Vec<(ConnectionId, ChannelKey)>,
    pub prompts: Vec<(ConnectionId, PromptId)>,
}

/// Any request.
#[derive(Arbitrary, Debug)]
pub enum AnyRequest {
    Scan { active: bool, phys: u8, duplicates: u8 },
    Connect { peer: u8, timeout: u16, mtu: Option<u16>, coded: bool },
    Disconnect { connection: u8, reason: u8 },
    Gatt { connection: u8, procedure: AnyProcedure },
    WriteCommand { connection: u8, length: u16 },
    Confirm { connection: u8 },
    ReadRssi { connection: u8 },
    ReadPhy { connection: u8 },
    SetPhy { connection: u8, tx: u8, rx: u8 },
    UpdateParameters { connection: u8, interval: u16, latency: u16, timeout: u16 },
    ReadRemoteVersion { connection: u8 },
    ReadRemoteFeatures { connection: u8 },
    Advertise { mode: u8, length: u8, extended: bool, timeout: u8 },
    SetAdvertisingData { of: u8, length: u8 },
    Server { connection: u8, request: AnyServerRequest },
    Channel { connection: u8, request: AnyChannelRequest },
    Security { connection: u8, request: AnySecurityRequest },
    Command { opcode: u16, parameters: Vec<u8> },
}

#[derive(Arbitrary, Debug)]
pub enum AnyServerRequest {
    Serve {
        characteristics: u8,
    },
    SetValue {
        handle: u8,
        length: u16,
    },
    Notify {
        handle: u8,
        length: u16,
    },
    NotifyMultiple {
        handles: [u8; 3],
        length: u16,
    },
    Indicate {
        handle: u8,
        length: u16,
    },
    /// One of the last questions.
    Answer {
        index: u8,
        length: u16,
        refusal: Option<u8>,
    },
}

#[derive(Arbitrary, Debug)]
pub enum AnyChannelRequest {
    Listen { spsm: u8, sizes: Sizes, most: u8 },
    StopListening { spsm: u8 },
    Open { spsm: u8, sizes: Sizes },
    OpenEnhanced { spsm: u8, sizes: Sizes, count: u8 },
    Send { channel: u8, length: u16 },
    Close { channel: u8 },
    Reconfigure { channel: u8, mtu: u16, mps: u16 },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Sizes {
    mtu: u16,
    mps: u8,
    credits: u8,
}

impl AnyRequest {
    /// The request, if what is known allows it.
    pub fn make(self, known: &Known) -> Option<Request> {
        let link =
            |index: u8| pick(recent(&known.connections), index).unwrap_or(ConnectionId(u32::from(index)));
        Some(match self {
            Self::Scan { active, phys, duplicates } => {
                let phys = match phys % 3 {
                    0 => ScanPhys::LE_1M,
                    1 => ScanPhys::LE_CODED,
                    _ => ScanPhys::LE_1M | ScanPhys::LE_CODED,
                };
                let duplicates = match duplicates % 3 {
                    0 => Duplicates::All,
                    1 => Duplicates::Changed,
                    _ => Duplicates::ControllerFiltered,
                };
                Request::Scan(ScanOptions::new().active(active).phys(phys).duplicates(duplicates))
            }
            Self::Connect { peer, timeout, mtu, coded } => {
                let timeout = Duration::from_millis(10) * u32::from(timeout);
                let options = ConnectOptions::new().timeout(timeout).coded(coded);
                let options = match mtu {
                    Some(mtu) => options.mtu(mtu),
                    None => options,
                };
                Request::Connect { address: controller::peer(peer), options }
            }
            Self::Disconnect { connection, reason } => {
                Request::Disconnect { connection: link(connection), reason: ErrorCode(reason) }
            }
            Self::Gatt { connection, procedure } => {
                Request::Gatt { connection: link(connection), procedure: procedure.make().ok()? }
            }
            Self::WriteCommand { connection, length } => Request::WriteCommand {
                connection: link(connection),
                handle: 3,
                value: Bytes::from(vec![0xA5; usize::from(length % 600)]),
            },
            Self::Confirm { connection } => Request::Confirm { connection: link(connection), indication: None },
            Self::ReadRssi { connection } => Request::ReadRssi { connection: link(connection) },
            Self::ReadPhy { connection } => Request::ReadPhy { connection: link(connection) },
            Self::SetPhy { connection, tx, rx } => Request::SetPhy { connection: link(connection), tx, rx },
            Self::UpdateParameters { connection, interval, latency, timeout } => {
                let interval = Duration::from_micros(1250) * u32::from(interval);
                let parameters = ConnectionParameters {
                    interval_min: interval,
                    interval_max: interval,
                    latency,
                    supervision_timeout: Duration::from_millis(10) * u32::from(timeout),
                };
                Request::UpdateParameters { connection: link(connection), parameters }
            }
            Self::ReadRemoteVersion { connection } => {
                Request::ReadRemoteVersion { connection: link(connection) }
            }
            Self::ReadRemoteFeatures { connection } => {
                Request::ReadRemoteFeatures { connection: link(connection) }
            }
            Self::Advertise { mode, length, extended, timeout } => {
                let mode = match mode % 5 {
                    0 | 1 => AdvertiseMode::Connectable,
                    2 => AdvertiseMode::Scannable,
                    3 => AdvertiseMode::NonConnectable,
                    _ => AdvertiseMode::Directed(controller::peer(mode)),
                };
                let options = AdvertiseOptions::new().mode(mode).data(advertising_data(length)?);
                let options = if extended { options.extended(ExtendedPdus::default()) } else { options };
                match timeout {
                    0 => Request::Advertise(options),
                    _ => Request::Advertise(options.timeout(Duration::from_millis(100) * u32::from(timeout))),
                }
            }
            Self::SetAdvertisingData { of, length } => {
                let of = pick(recent(&known.ops), of)?;
                let (data, scan_response) = (advertising_data(length)?, AdvertisingDataBuf::default());
                Request::SetAdvertisingData { of, data, scan_response }
            }
            Self::Server { connection, request } => Request::Server(request.make(known, link(connection))?),
            Self::Channel { connection, request } => Request::Channel(request.make(known, link(connection))?),
            Self::Security { connection, request } => {
                Request::Security(request.make(known, link(connection))?)
            }
            Self::Command { opcode, parameters } => {
                Request::Command { opcode: Opcode(opcode), parameters: parameters.into() }
            }
        })
    }
}

impl AnyServerRequest {
    fn make(self, known: &Known, connection: ConnectionId) -> Option<ServerRequest> {
        Some(match self {
            Self::Serve { characteristics } => ServerRequest::Serve(table(characteristics)?),
            Self::SetValue { handle, length } => {
                ServerRequest::SetValue { handle: handle.into(), value: zeros(length) }
            }
            Self::Notify { handle, length } => {
                ServerRequest::Notify { connection, handle: handle.into(), value: zeros(length) }
            }
            Self::NotifyMultiple { handles, length } => {
                let values = handles.into_iter().map(|handle| (handle.into(), zeros(length)));
                ServerRequest::NotifyMultiple { connection, values: values.collect() }
            }
            Self::Indicate { handle, length } => {
                ServerRequest::Indicate { connection, handle: handle.into(), value: zeros(length) }
            }
            Self::Answer { index, length, refusal } => {
                let (connection, id) = pick(recent(&known.questions), index)?;
                let answer = refusal.map_or(Ok(zeros(length)), |code| Err(AttError(code)));
                ServerRequest::Answer { connection, id, answer }
            }
        })
    }
}

impl AnyChannelRequest {
    fn make(self, known: &Known, connection: ConnectionId) -> Option<ChannelRequest> {
        let options = |sizes: Sizes| ChannelOptions {
            mtu: sizes.mtu,
            mps: u16::from(sizes.mps),
            credits: u16::from(sizes.credits),
        };
        let spsm = |number: u8| 0x80 + u16::from(number % 4);
        Some(match self {
            Self::Listen { spsm: number, sizes, most } => {
                let server = Server { options: options(sizes), most: usize::from(most), ..Server::default() };
                ChannelRequest::Listen { spsm: spsm(number), server }
            }
            Self::StopListening { spsm: number } => ChannelRequest::StopListening { spsm: spsm(number) },
            Self::Open { spsm: number, sizes } => {
                ChannelRequest::Open { connection, spsm: spsm(number), options: options(sizes) }
            }
            Self::OpenEnhanced { spsm: number, sizes, count } => {
                let (spsm, options, count) = (spsm(number), options(sizes), usize::from(count % 8));
                ChannelRequest::OpenEnhanced { connection, spsm, options, count }
            }
            Self::Send { channel, length } => {
                let (connection, channel) = pick(recent(&known.channels), channel)?;
                ChannelRequest::Send { connection, channel, sdu: zeros(length) }
            }
            Self::Close { channel } => {
                let (connection, channel) = pick(recent(&known.channels), channel)?;
                ChannelRequest::Close { connection, channel }
            }
            Self::Reconfigure { channel, mtu, mps } => {
                let (connection, channel) = pick(recent(&known.channels), channel)?;
                ChannelRequest::Reconfigure { connection, channels: vec![channel], mtu, mps }
            }
        })
    }
}

fn table(characteristics: u8) -> Option<Table> {
    let mut service = Service::primary(uuid16(0x1815));
    for n in 0..u16::from(characteristics % 8) {
        let it = Characteristic::new(uuid16(0x2A00 + n)).read(Access::OPEN).write(Access::OPEN);
        let it = if n % 3 == 0 { it.asked() } else { it.value(vec![1; 30]).max_length(512) };
        service = service.characteristic(it.write_without_response(Access::OPEN).notify().indicate());
    }
    Table::builder("fuzzed").service(service).build().ok()
}

fn advertising_data(length: u8) -> Option<AdvertisingDataBuf> {
    let data = vec![0x5A; usize::from(length)];
    AdvertisingDataBuilder::with_limit(1650).raw(AdType(0xFF), &data).build().ok()
}

fn zeros(length: u16) -> Bytes {
    Bytes::from(vec![0; usize::from(length % 600)])
}

/// Of what is over there is more than of what is not: the last few matter.
pub fn recent<T>(all: &[T]) -> &[T] {
    &all[all.len().saturating_sub(4)..]
}

/// One of a table, whatever the number.
pub fn pick<T: Copy>(table: &[T], index: u8) -> Option<T> {
    table.get(usize::from(index).checked_rem(table.len())?).copied()
}
