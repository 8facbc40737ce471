//! How the device behaves.
//!
//! The control characteristic takes, from the air: 01 disconnect · 02 `level` set and notify the battery · 03 indicate ·
//! 04 `u16 Hz` heart rate · 05 send a Security Request · 06 ask for other parameters · 07 serve one service more, or no more · 08 reset the sink ·
//! 09 open a channel and have it echoed, 0B send on it, see [`channels`] · 0A discover the peer's own table ·
//! 0C `count` open bearers and read the peer's name on all of them at once.
//! What it does, it does after it has answered the write.

use crate::pairing::Security;
use crate::table::Zoo;
use crate::tell::tell;
use crate::{Options, channels};
use baretooth::att::AttError;
use baretooth::bonds::JsonStore;
use baretooth::gap::advertise::{AdvertiseOptions, ExtendedPdus};
use baretooth::gap::advertising_data::{AdType, AdvertisingDataBuf, AdvertisingDataBuilder, Flags};
use baretooth::host::SecurityOptions;
use baretooth::{
    Adapter, Address, ConnectionParameters, Eatt, GattServer, OwnAddress, Peer, ReadRequest, Request,
    Requests,
};
use bytes::Bytes;
use serde_json::json;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// The application's error.
const REFUSED: AttError = AttError(0x80);
/// Time that the slow value takes.
const SLOW: Duration = Duration::from_secs(2);

pub struct Device {
    options: Options,
    adapter: Adapter,
    security: Arc<Security>,
    state: Mutex<State>,
}

/// What changes.
struct State {
    /// The link that was made last.
    peer: Option<Peer>,
    server: GattServer,
    zoo: Zoo,
    grown: bool,
    indications: u32,
    heart_rate: f64,
    sink: Sink,
}

/// What Write Commands have brought.
#[derive(Clone, Copy, Default)]
struct Sink {
    count: u32,
    octets: u32,
    crc: u32,
}

impl Device {
    pub async fn open(options: Options) -> Result<Arc<Self>, Box<dyn Error>> {
        let security = SecurityOptions::new().raise(options.raise);
        let mut builder = Adapter::builder().name(&options.name).mtu(options.mtu).security(security);
        if options.eatt {
            builder = builder.eatt(Eatt::Unencrypted);
        }
        if options.pairing.private {
            builder = builder.own_address(OwnAddress::Resolvable);
        }
        if let Some(store) = &options.store {
            builder = builder.store(JsonStore::new(store));
        }
        if let Some(seed) = options.seed {
            builder = builder.seed(seed);
        }
        if let Some(capture) = &options.capture {
            builder = builder.capture(capture);
        }
        let adapter = builder.open(&options.adapter).await?;
        let (zoo, table) = Zoo::new(&options.name, false)?;
        let server = adapter.serve(table).await?;
        let heart_rate = options.heart_rate;
        let security = Security::new(options.pairing.clone(), adapter.clone())?;
        let state = State {
            peer: None,
            server,
            zoo,
            grown: false,
            indications: 0,
            heart_rate,
            sink: Sink::default(),
        };
        Ok(Arc::new(Self { options, adapter, security, state: Mutex::new(state) }))
    }

    /// Until the adapter is lost.
    pub async fn run(self: &Arc<Self>) -> Result<(), Box<dyn Error>> {
        channels::listen(&self.adapter).await?;
        tokio::spawn(self.clone().answer(self.server().requests()));
        tokio::spawn(self.clone().beat());
        tokio::spawn(self.clone().meet());
        let address = self.adapter.controller().random_address.bd_addr.to_string();
        tell(
            "ready",
            json!({
                "address": address, "identity": address,
                "name": self.options.name, "table": self.state().zoo.to_json(),
            }),
        );
        if self.options.central {
            return Err(self.adapter.closed().await.into());
        }
        loop {
            let advertisement = self.adapter.advertise(self.advertisement()?).await?;
            advertisement.ended().await?;
        }
    }

    pub async fn close(&self) {
        self.adapter.close().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics with it")
    }

    pub fn security(&self) -> &Arc<Security> {
        &self.security
    }

    /// Of the link that was made last.
    pub fn peer(&self) -> Result<Peer, &'static str> {
        self.state().peer.clone().ok_or("there is no link")
    }

    pub async fn connect(self: &Arc<Self>, address: Address) -> Result<(), baretooth::Error> {
        let peer = self.adapter.connect(address).await?;
        self.has_met(peer);
        Ok(())
    }

    fn server(&self) -> GattServer {
        self.state().server.clone()
    }

    fn advertisement(&self) -> Result<AdvertiseOptions, Box<dyn Error>> {
        let short = [0x180D_u16, 0x180F].map(u16::to_le_bytes).concat();
        let data = AdvertisingDataBuilder::new()
            .flags(Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED)
            .raw(AdType::IncompleteServices16, &short)
            .name(&self.options.name)
            .build()?;
        let interval = Duration::from_millis(50);
        let options = AdvertiseOptions::new().data(data).interval(interval, interval);
        // A connectable set in extended PDUs has no scan response.
        Ok(if self.options.extended {
            options.extended(ExtendedPdus::default())
        } else {
            options.scan_response(scan_response()?)
        })
    }

    /// Links as they come, and their ends.
    async fn meet(self: Arc<Self>) {
        let mut accepted = self.adapter.accepted();
        while let Some(peer) = accepted.next().await {
            self.has_met(peer);
        }
    }

    fn has_met(&self, peer: Peer) {
        tell("connected", json!({ "peer": peer.address().to_string(), "role": peer.role().to_string() }));
        self.security.watch(&peer);
        self.state().peer = Some(peer.clone());
        tokio::spawn(async move {
            let reason = peer.disconnected().await;
            tell("disconnected", json!({ "reason": reason.0 }));
        });
    }

    /// Until another table is served.
    async fn answer(self: Arc<Self>, mut requests: Requests) {
        while let Some(request) = requests.next().await {
            match request {
                Request::Read(request) => {
                    tokio::spawn(self.clone().answer_read(request));
                }
                Request::Write(request) => {
                    let _ = request.refuse(REFUSED).await;
                }
                Request::Written { peer, handle, value } => self.written(peer, handle, value),
                Request::Subscribed { handle, notifications, indications, .. } => {
                    let name = self.state().zoo.name(handle);
                    tell(
                        "subscription",
                        json!({ "char": name, "notify": notifications, "indicate": indications }),
                    );
                }
                _ => {}
            }
        }
        tell("no_more_requests", json!({ "missed": requests.missed() }));
    }

    /// One that comes too late is of no use, and no error.
    async fn answer_read(self: Arc<Self>, request: ReadRequest) {
        let name = self.state().zoo.name(request.handle());
        let _ = match name {
            "sink_stats" => {
                let stats = self.state().sink.to_octets();
                request.answer(stats).await
            }
            "slow" => {
                sleep(SLOW).await;
                request.answer(&b"slow-ok"[..]).await
            }
            _ => request.refuse(REFUSED).await,
        };
    }

    fn written(self: &Arc<Self>, peer: Peer, handle: u16, value: Bytes) {
        let name = self.state().zoo.name(handle);
        let device = self.clone();
        match name {
            "sink" => self.state().sink.take(&value),
            "control" => {
                tokio::spawn(async move {
                    if let Err(error) = device.obey(&peer, &value).await {
                        tell(
                            "failed",
                            json!({ "control": crate::table::hex(&value), "error": error.to_string() }),
                        );
                    }
                });
            }
            "uart_rx" => {
                tokio::spawn(async move { device.echo(&peer, &value).await });
            }
            _ => tell("write", json!({ "char": name, "length": value.len(), "crc32": crc32(0, &value) })),
        }
    }

    async fn echo(&self, peer: &Peer, value: &[u8]) -> Result<(), baretooth::Error> {
        let (server, tx) = (self.server(), self.state().zoo.handle("uart_tx"));
        for part in value.chunks(usize::from(peer.mtu()) - 3) {
            server.notify_to(peer, tx, Bytes::copy_from_slice(part)).await?;
        }
        Ok(())
    }

    async fn obey(self: &Arc<Self>, peer: &Peer, command: &[u8]) -> Result<(), Box<dyn Error>> {
        match *command {
            [0x01] => peer.disconnect().await?,
            [0x02, level] => {
                let battery = self.state().zoo.handle("battery");
                self.server().update(battery, vec![level]).await?;
            }
            [0x03] => self.indicate().await?,
            [0x04, low, high] => self.state().heart_rate = u16::from_le_bytes([low, high]).into(),
            [0x05] => drop(self.security.pair(peer).await?),
            [0x06] => {
                let wanted = ConnectionParameters::default();
                let timing = peer.update_parameters(wanted).await?;
                tell("parameters", json!({ "timing": format!("{timing:?}") }));
            }
            [0x07] => self.grow().await?,
            [0x08] => self.state().sink = Sink::default(),
            [0x09, ref how @ ..] => channels::be_echoed(peer, how).await?,
            [0x0B, ref how @ ..] => channels::send(peer, how).await?,
            [0x0C, count] => bearers(peer, count.into()).await?,
            [0x0A] => {
                let services = peer.discover().await?;
                tell(
                    "discovered",
                    json!({ "services": services.iter().map(|s| s.uuid.to_string()).collect::<Vec<_>>() }),
                );
            }
            _ => Err("what is that?")?,
        }
        Ok(())
    }

    async fn indicate(&self) -> Result<(), baretooth::Error> {
        let (handle, number) = {
            let mut state = self.state();
            state.indications += 1;
            (state.zoo.handle("indicate"), state.indications)
        };
        self.server().update(handle, number.to_le_bytes().to_vec()).await?;
        tell("confirmed", json!({ "number": number }));
        Ok(())
    }

    async fn grow(self: &Arc<Self>) -> Result<(), Box<dyn Error>> {
        let grown = !self.state().grown;
        let (zoo, table) = Zoo::new(&self.options.name, grown)?;
        let server = self.adapter.serve(table).await?;
        tokio::spawn(self.clone().answer(server.requests()));
        tell("table", json!({ "table": zoo.to_json() }));
        let mut state = self.state();
        (state.server, state.zoo, state.grown) = (server, zoo, grown);
        Ok(())
    }

    /// Notifies the heart rate to whom wants it, every value with its number.
    async fn beat(self: Arc<Self>) {
        let (mut due, mut sequence) = (Instant::now(), 0u32);
        loop {
            let (handle, rate) = {
                let state = self.state();
                (state.zoo.handle("heart_rate"), state.heart_rate)
            };
            if rate == 0.0 || self.server().subscribers(handle).is_empty() {
                sleep(Duration::from_millis(20)).await;
                due = Instant::now();
                continue;
            }
            let [low, high, ..] = sequence.to_le_bytes();
            let [beats, ..] = (60 + sequence % 60).to_le_bytes();
            let _ = self.server().notify(handle, vec![0x10, beats, low, high]).await;
            sequence = sequence.wrapping_add(1);
            due += Duration::from_secs_f64(1.0 / rate);
            sleep_until(due).await;
        }
    }
}

/// Opens bearers, and reads on all of them at once.
async fn bearers(peer: &Peer, count: usize) -> Result<(), Box<dyn Error>> {
    let opened = peer.open_bearers(count).await?;
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..=opened {
        let peer = peer.clone();
        reads.spawn(async move { peer.read_by_uuid(baretooth::uuid16(0x2A00)).await });
    }
    let mut names = Vec::new();
    while let Some(read) = reads.join_next().await {
        names.extend(read??.first().map(|found| String::from_utf8_lossy(&found.value).into_owned()));
    }
    tell("bearers", json!({ "opened": opened, "names": names }));
    Ok(())
}

fn scan_response() -> Result<AdvertisingDataBuf, Box<dyn Error>> {
    let uuid = crate::table::test(1).to_advertising_wire();
    let builder = AdvertisingDataBuilder::new().raw(AdType::IncompleteServices128, &uuid);
    Ok(builder.manufacturer_data(0xFFFF, &[1, 2]).build()?)
}

impl Sink {
    fn take(&mut self, value: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.crc = crc32(self.crc, value);
    }

    fn to_octets(self) -> Vec<u8> {
        [self.count, self.octets, self.crc].map(u32::to_le_bytes).concat()
    }
}

/// Goes on from the CRC of what was before; 0 at the start.
fn crc32(before: u32, octets: &[u8]) -> u32 {
    octets.iter().fold(!before, |crc, octet| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    }) ^ u32::MAX
}
