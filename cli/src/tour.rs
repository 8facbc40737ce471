//! `tour`: the whole job without hardware. Every value that comes over the virtual air is compared with what the
//! demo devices hold, and the first that differs ends the tour.
//!
//! The steps tell what they saw as text; [`narrator`] prints it, [`check`] judges it.

mod check;
mod narrator;

use crate::failure::Failure;
use crate::global::Global;
use baretooth::gap::device_table::Device;
use baretooth::gatt::{Characteristic, Services, USER_DESCRIPTION};
use baretooth::hci::Phy;
use baretooth::sim::{self, demo};
use baretooth::smp::{IoCapability, Method, PairingOptions, Passkey, SecurityLevel};
use baretooth::transports::AdapterSpec;
use baretooth::{Adapter, Address, Error, Notifications, Peer, Prompt, Uuid, assigned, uuid16};
use check::Expected;
use narrator::Narrator;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

/// `tour` has no options of its own.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// What a step gives to the next ones, and what it tells the user.
type Told<T> = Result<(T, String), Failure>;

/// Where the packets go unless `--capture` says so.
const CAPTURE: &str = "tour.btsnoop";
/// How long anything on the quiet virtual air may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Heart-rate notifications to wait for, one a second.
const BEATS: u16 = 3;
/// Writes without response to the echo.
const ECHOES: u8 = 40;

const BATTERY_LEVEL: Uuid = uuid16(0x2A19);

pub async fn run(global: &Global, _: Args) -> Result<(), Failure> {
    if let Some(spec) = global.adapter.as_ref().filter(|spec| **spec != AdapterSpec::Sim) {
        let cause = "the tour runs on the virtual radio; leave --adapter and BARETOOTH_ADAPTER out";
        return Err(Failure::Usage(format!("{spec} refused: {cause}")));
    }
    let on_sim = Global {
        adapter: Some(AdapterSpec::Sim),
        capture: Some(global.capture.clone().unwrap_or_else(|| CAPTURE.into())),
        seed: global.seed.or(Some(1)),
        ..global.clone()
    };
    let mut narrator = Narrator::new(on_sim.output());
    narrator.begin()?;
    on_sim.session(async |adapter| all_steps(adapter, &mut narrator).await).await?;
    // The capture is whole when the session is closed, and ours to judge when it is a file.
    let Some(path) = on_sim.capture_file() else { return narrator.end(None) };
    let packets = narrator.step("capture", async { capture(path) }).await?;
    narrator.end(Some((path, packets)))
}

async fn all_steps(adapter: &Adapter, narrator: &mut Narrator) -> Result<(), Failure> {
    narrator.step("scan", scan(adapter)).await?;
    let (strap, thermometer) = narrator.step("connect", connect(adapter)).await?;
    narrator.step("MTU", async { mtu(&[&strap, &thermometer]) }).await?;
    // One after the other from here: Wireshark reads ATT of several links as if it were of one.
    let strap = narrator.step("discover", discover(strap, demo::heart_rate_strap())).await?;
    let beats = narrator.step("subscribe", subscribe(&strap, demo::HEART_RATE_MEASUREMENT, false)).await?;
    narrator.step("read", read(&strap)).await?;
    narrator.step("refused read", refused_read(&strap)).await?;
    narrator.step("link", link(&strap.peer)).await?;
    narrator.step("notifications", notifications(beats)).await?;
    let thermometer = narrator.step("discover", discover(thermometer, demo::thermometer())).await?;
    let temperature = subscribe(&thermometer, demo::TEMPERATURE_MEASUREMENT, true);
    let temperatures = narrator.step("subscribe", temperature).await?;
    narrator.step("long read", long_read(&thermometer)).await?;
    narrator.step("write", write(&thermometer)).await?;
    narrator.step("long write", long_write(&thermometer)).await?;
    narrator.step("refused write", refused_write(&thermometer)).await?;
    narrator.step("indication", indication(temperatures)).await?;
    narrator.step("disconnect", disconnect(adapter, &[&strap.peer, &thermometer.peer])).await?;
    narrator.step("echo", echo(adapter)).await?;
    narrator.step("pair", pair(adapter)).await?;
    narrator.step("bond", bond(adapter)).await?;
    narrator.step("raised read", raised_read(adapter)).await
}

/// A peer with its table as discovered, and the same device as the virtual radio made it.
struct Visited {
    peer: Peer,
    services: Services,
    made: sim::Device,
}

impl Visited {
    fn find(&self, uuid: Uuid) -> Result<Characteristic, Failure> {
        Ok(self.services.find(uuid).map_err(Error::from)?)
    }

    /// What the device holds at the handle when it is switched on.
    fn holds(&self, handle: u16) -> &[u8] {
        self.made.server.attribute(handle).map_or(&[], |attribute| &attribute.value)
    }
}

async fn scan(adapter: &Adapter) -> Told<()> {
    let made = [
        demo::heart_rate_strap(),
        demo::thermometer(),
        demo::echo(),
        demo::beacon(),
        demo::key_finder(),
        demo::door_lock(),
    ];
    let mut heard: BTreeMap<Address, Device> = BTreeMap::new();
    let mut scan = adapter.scan().await?;
    let all = async {
        while check::advertisers(&made, &heard).is_err() {
            let device = scan.next().await?.device;
            heard.extend(device.address.map(|address| (address, device)));
        }
        Ok::<_, Failure>(())
    };
    // When it is late the check below says what is missing.
    timeout(PATIENCE, all).await.unwrap_or(Ok(()))?;
    let names = check::advertisers(&made, &heard)?;
    Ok(((), format!("{}: names, services and all other data as they send them", names.join(", "))))
}

async fn connect(adapter: &Adapter) -> Told<(Peer, Peer)> {
    let strap = adapter.connect(demo::HEART_RATE_ADDRESS);
    let (strap, thermometer) = tokio::try_join!(strap, adapter.connect(demo::THERMOMETER_ADDRESS))?;
    let mut links = adapter.connections();
    links.sort();
    let mut wanted = [demo::HEART_RATE_ADDRESS, demo::THERMOMETER_ADDRESS];
    wanted.sort();
    check::equal("links", &links[..], &wanted[..])?;
    let interval = strap.timing().interval;
    let text =
        format!("two devices at once, {} and {}, every {interval:?}", strap.address(), thermometer.address());
    Ok(((strap, thermometer), text))
}

fn mtu(peers: &[&Peer]) -> Told<()> {
    for peer in peers {
        check::equal("ATT_MTU", peer.mtu(), 517)?;
    }
    Ok(((), "517 octets with both".to_owned()))
}

async fn discover(peer: Peer, made: sim::Device) -> Told<Visited> {
    let services = peer.discover().await?;
    let attributes = check::table(&services, made.server.attributes())?;
    let characteristics = services.characteristics().count();
    let text = format!(
        "{} services, {characteristics} characteristics: all {attributes} attributes as in the device's table",
        services.len()
    );
    Ok((Visited { peer, services, made }, text))
}

async fn subscribe(device: &Visited, uuid: Uuid, indications: bool) -> Told<Notifications> {
    let characteristic = device.find(uuid)?;
    let values = device.peer.subscribe(&characteristic).await?;
    check::equal("the subscription's being to indications", values.is_indication(), indications)?;
    let name = assigned::characteristic_name(uuid).unwrap_or("a characteristic");
    let form = if indications { "indications" } else { "notifications" };
    Ok((values, format!("{form} of {name}")))
}

/// Everything on the strap that can be read.
async fn read(strap: &Visited) -> Told<()> {
    let mut count = 0;
    for attribute in strap.made.server.attributes().iter().filter(|attribute| attribute.permissions.read) {
        let value = strap.peer.read(attribute.handle).await?;
        // The subscription above is the one thing that has changed since.
        let subscribed = strap.find(demo::HEART_RATE_MEASUREMENT)?.cccd() == Some(attribute.handle);
        let expected = if subscribed { &[1, 0] } else { &attribute.value[..] };
        check::value(&format!("attribute 0x{:04X}", attribute.handle), &value, expected)?;
        count += 1;
    }
    let level = strap.peer.read(strap.find(BATTERY_LEVEL)?).await?;
    let level = level.first().copied().unwrap_or_default();
    Ok(((), format!("Battery Level {level} %; all {count} values of the strap as it holds them")))
}

async fn long_read(thermometer: &Visited) -> Told<()> {
    let log = thermometer.find(demo::LOG)?;
    let value = thermometer.peer.read(&log).await?;
    check::value("the log", &value, thermometer.holds(log.value_handle))?;
    Ok(((), format!("{} octets, longer than one response", value.len())))
}

async fn write(thermometer: &Visited) -> Told<()> {
    let log = thermometer.find(demo::LOG)?;
    let description = log.descriptor(USER_DESCRIPTION).map_err(Error::from)?;
    const TEXT: &[u8] = b"written by the tour";
    thermometer.peer.write(description, TEXT).await?;
    check::value("the description", &thermometer.peer.read(description).await?, TEXT)?;
    let text = String::from_utf8_lossy(TEXT);
    Ok(((), format!("{text:?} as description of the log, and read back")))
}

async fn long_write(thermometer: &Visited) -> Told<()> {
    let log = thermometer.find(demo::LOG)?;
    let value: Vec<u8> = thermometer.holds(log.value_handle).iter().map(|octet| octet ^ 0xA5).collect();
    thermometer.peer.write(&log, value.clone()).await?;
    check::value("the log", &thermometer.peer.read(&log).await?, &value)?;
    Ok(((), format!("{} octets in prepared parts, and read back", value.len())))
}

async fn echo(adapter: &Adapter) -> Told<()> {
    let peer = adapter.connect(demo::ECHO_ADDRESS).await?;
    let services = peer.discover().await?;
    let found = |uuid| services.characteristic(demo::UART_SERVICE, uuid).map_err(Error::from);
    let (into, out) = (found(demo::UART_RX)?, found(demo::UART_TX)?);
    let mut echoes = peer.subscribe(&out).await?;
    let longest = peer.max_write_without_response();
    let messages: Vec<Vec<u8>> = (0..ECHOES).map(|n| vec![n; longest.min(1 + 13 * usize::from(n))]).collect();
    for message in &messages {
        peer.write_without_response(&into, message.clone()).await?;
    }
    for (n, message) in messages.iter().enumerate() {
        check::value(&format!("echo {n}"), &next(&mut echoes, &format!("echo {n}")).await?.value, message)?;
    }
    echoes.unsubscribe().await?;
    peer.disconnect().await?;
    let octets: usize = messages.iter().map(Vec::len).sum();
    Ok(((), format!("{ECHOES} writes without response, {octets} octets: all came back, in order")))
}

/// As a user does who reads the passkey from the display of the lock.
async fn pair(adapter: &Adapter) -> Told<()> {
    let peer = adapter.connect(demo::DOOR_LOCK_ADDRESS).await?;
    let mut pairing = peer.pair_with(PairingOptions::new().io(IoCapability::KeyboardOnly).mitm(true));
    while let Some(prompt) = pairing.next().await {
        if let (Prompt::EnterPasskey(answer), Some(passkey)) = (prompt, Passkey::new(demo::DOOR_LOCK_PASSKEY))
        {
            answer.enter(passkey);
        }
    }
    let summary = pairing.finish().await?;
    check::equal("the method", summary.method, Method::PasskeyEntry)?;
    check::equal("the level of security", peer.security().level(), SecurityLevel::SecureConnections)?;
    check::equal("the bond", summary.bonded, true)?;
    lock_state(&peer).await?;
    peer.disconnect().await?;
    Ok(((), format!("Door lock by {}, and read what it tells no other", summary.method)))
}

/// The same lock again, for which nobody is asked anything.
async fn bond(adapter: &Adapter) -> Told<()> {
    let peer = adapter.connect(demo::DOOR_LOCK_ADDRESS).await?;
    check::equal("the level of security", peer.security().level(), SecurityLevel::SecureConnections)?;
    lock_state(&peer).await?;
    peer.disconnect().await?;
    Ok(((), "Door lock again: encrypted by the bond before anything was said, and read".to_owned()))
}

async fn lock_state(lock: &Peer) -> Result<(), Failure> {
    let locked = lock.discover().await?.find(demo::LOCKED).map_err(Error::from)?;
    check::value("the state of the lock", &lock.read(&locked).await?, &[1])
}

/// A value that is for encrypted links, read from somebody unknown on one that is not.
async fn raised_read(adapter: &Adapter) -> Told<()> {
    let peer = adapter.connect(demo::KEY_FINDER_ADDRESS).await?;
    let level = peer.discover().await?.find(demo::ALERT_LEVEL).map_err(Error::from)?;
    check::equal("the level of security", peer.security().level(), SecurityLevel::None)?;
    check::value("the alert level", &peer.read(&level).await?, &[0])?;
    check::equal("the level of security", peer.security().level(), SecurityLevel::Encrypted)?;
    peer.disconnect().await?;
    Ok(((), "Key finder wants an encrypted link, and gets it by Just Works".to_owned()))
}

async fn refused_read(strap: &Visited) -> Told<()> {
    let measurement = strap.find(demo::HEART_RATE_MEASUREMENT)?;
    let handle = measurement.value_handle;
    refused(strap.peer.read(&measurement).await.map(drop), handle, 0x02)
}

async fn refused_write(thermometer: &Visited) -> Told<()> {
    let calibration = thermometer.find(demo::CALIBRATION)?;
    let handle = calibration.value_handle;
    refused(thermometer.peer.write(&calibration, vec![1]).await, handle, 0x80)
}

/// What a person sees of a refusal, when it is the one expected.
fn refused(result: Result<(), Error>, handle: u16, code: u8) -> Told<()> {
    let got = result.as_ref().err().map(|error| (error.handle(), error.code()));
    check::equal("handle and code of the refusal", got, Some((Some(handle), Some(code))))?;
    Ok(((), result.err().map(|error| error.to_string()).unwrap_or_default()))
}

async fn link(strap: &Peer) -> Told<()> {
    let rssi = strap.rssi().await?;
    check::equal("RSSI", rssi, Some(strap_rssi()))?;
    check::equal("PHY", strap.phy().await?, (Phy::Le1M, Phy::Le1M))?;
    check::equal("PHY after the change", strap.set_phy(Phy::Le2M, Phy::Le2M).await?, (Phy::Le2M, Phy::Le2M))?;
    let version = strap.remote_version().await?;
    check::equal("version of the peer", version.version, 0x0C)?;
    check::equal("company of the peer", version.company_identifier, 0xFFFF)?;
    let name = assigned::core_version_name(version.version).unwrap_or("unknown version");
    Ok(((), format!("{} dBm, from 1M to 2M PHY, the peer has {name}", strap_rssi())))
}

fn strap_rssi() -> i8 {
    demo::heart_rate_strap().advertisement.rssi
}

async fn notifications(mut beats: Notifications) -> Told<()> {
    let mut rates = Vec::new();
    for sequence in 0..BEATS {
        let what = format!("heart rate {sequence}");
        let beat = next(&mut beats, &what).await?;
        check::value(&what, &beat.value, &demo::heart_rate_measurement(sequence))?;
        check::equal("heart rates missed", beat.missed, 0)?;
        rates.extend(beat.value.get(1).map(u8::to_string));
    }
    beats.unsubscribe().await?;
    Ok(((), format!("heart rate {} per minute, none missed, none out of order", rates.join(", "))))
}

async fn indication(mut temperatures: Notifications) -> Told<()> {
    let first = next(&mut temperatures, "the temperature").await?;
    check::value("the temperature", &first.value, &demo::temperature_measurement(0))?;
    check::equal("the temperature's being an indication", first.indication, true)?;
    temperatures.unsubscribe().await?;
    let tenths = match first.value[..] {
        [_, low, high, ..] => u16::from_le_bytes([low, high]),
        _ => 0,
    };
    Ok(((), format!("{}.{} °C, confirmed", tenths / 10, tenths % 10)))
}

async fn disconnect(adapter: &Adapter, peers: &[&Peer]) -> Told<()> {
    for peer in peers {
        peer.disconnect().await?;
        check::equal("the link's being up", peer.is_connected(), false)?;
    }
    check::equal("links left", adapter.connections(), Vec::new())?;
    Ok(((), "both links are down".to_owned()))
}

fn capture(path: &Path) -> Told<u64> {
    let packets = check::capture(path)?;
    Ok((packets, format!("{packets} packets in {}, each of them well formed", path.display())))
}

async fn next(stream: &mut Notifications, what: &str) -> Result<baretooth::Notification, Failure> {
    match timeout(PATIENCE, stream.next()).await {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(check::failure(what, Expected("a value"), "the end of the link")),
        Err(_) => Err(check::failure(what, Expected("a value"), format!("none within {PATIENCE:?}"))),
    }
}
