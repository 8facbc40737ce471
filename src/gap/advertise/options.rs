//! What a caller asks of an advertising set.

use crate::gap::advertising_data::AdvertisingDataBuf;
use crate::gap::privacy::{OwnAddress, OwnOnAir};
use crate::hci::Phy;
use crate::{Address, BdAddr};
use std::fmt;
use std::ops::BitOr;
use std::time::Duration;

/// What peers may do with an advertisement ([Vol 4] Part E, 7.8.5, Advertising_Type).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdvertiseMode {
    /// Anyone may connect, and in legacy PDUs also ask for the scan response (ADV_IND).
    #[default]
    Connectable,
    /// Anyone may ask for the scan response, nobody connect (ADV_SCAN_IND).
    Scannable,
    /// It is only to be heard (ADV_NONCONN_IND).
    NonConnectable,
    /// One peer may connect (ADV_DIRECT_IND, low duty cycle).
    Directed(Address),
    /// One peer may connect, and is called for at most 1.28 s as often as the air allows (ADV_DIRECT_IND, high duty
    /// cycle). The interval does not count.
    DirectedHighDuty(Address),
}

impl AdvertiseMode {
    /// Whether a connection may come of it.
    pub const fn is_connectable(self) -> bool {
        matches!(self, Self::Connectable | Self::Directed(_) | Self::DirectedHighDuty(_))
    }

    /// The peer that it is directed to.
    pub const fn peer(self) -> Option<Address> {
        match self {
            Self::Directed(peer) | Self::DirectedHighDuty(peer) => Some(peer),
            _ => None,
        }
    }

    pub(super) const fn is_high_duty(self) -> bool {
        matches!(self, Self::DirectedHighDuty(_))
    }
}

/// The physical channels to advertise on, as the bits of Advertising_Channel_Map.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AdvertiseChannels(u8);

impl AdvertiseChannels {
    /// None, which no controller takes.
    pub const NONE: Self = Self(0);
    /// Channel 37, 2402 MHz.
    pub const CHANNEL_37: Self = Self(1 << 0);
    /// Channel 38, 2426 MHz.
    pub const CHANNEL_38: Self = Self(1 << 1);
    /// Channel 39, 2480 MHz.
    pub const CHANNEL_39: Self = Self(1 << 2);
    /// All three.
    pub const ALL: Self = Self(0b111);

    pub(super) const fn bits(self) -> u8 {
        self.0
    }
}

impl BitOr for AdvertiseChannels {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for AdvertiseChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..3u8).filter(|bit| self.0 >> bit & 1 == 1).map(|bit| 37 + bit)).finish()
    }
}

/// Whom the controller answers ([Vol 4] Part E, 7.8.5, Advertising_Filter_Policy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdvertiseFilter {
    /// Everyone.
    #[default]
    All,
    /// Scan requests of the accept list, connections of everyone.
    ScanFromAcceptList,
    /// Scan requests of everyone, connections of the accept list.
    ConnectFromAcceptList,
    /// Both of the accept list only.
    AcceptListOnly,
}

impl AdvertiseFilter {
    pub(super) const fn to_wire(self) -> u8 {
        match self {
            Self::All => 0,
            Self::ScanFromAcceptList => 1,
            Self::ConnectFromAcceptList => 2,
            Self::AcceptListOnly => 3,
        }
    }
}

/// Extended advertising PDUs: more data, other PHYs; scanners of Bluetooth 4 do not hear them.
///
/// ```
/// use baretooth::gap::advertise::ExtendedPdus;
/// use baretooth::hci::Phy;
/// let long_range = ExtendedPdus { primary_phy: Phy::LeCoded, secondary_phy: Phy::LeCoded, ..Default::default() };
/// assert!(!long_range.anonymous);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedPdus {
    /// PHY of the primary channels: [`Phy::Le1M`] or [`Phy::LeCoded`].
    pub primary_phy: Phy,
    /// PHY of the data, and of the connection that comes of it.
    pub secondary_phy: Phy,
    /// Leave our address out; not for what is connectable or scannable.
    pub anonymous: bool,
    /// Say in the header with what power it is sent.
    pub include_tx_power: bool,
}

impl Default for ExtendedPdus {
    /// On LE 1M, with our address.
    fn default() -> Self {
        Self { primary_phy: Phy::Le1M, secondary_phy: Phy::Le1M, anonymous: false, include_tx_power: false }
    }
}

/// How to advertise, and what.
///
/// ```
/// use baretooth::gap::advertise::{AdvertiseOptions, AdvertiseSupport};
/// use baretooth::gap::advertising_data::{AdvertisingDataBuilder, Flags};
/// use std::time::Duration;
/// let data = AdvertisingDataBuilder::new()
///     .flags(Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED)
///     .name("thermometer")
///     .build()?;
/// let options = AdvertiseOptions::new()
///     .data(data)
///     .interval(Duration::from_millis(100), Duration::from_millis(150))
///     .timeout(Duration::from_secs(30));
/// assert!(options.check(&AdvertiseSupport::LEGACY).is_ok());
/// let often = options.interval(Duration::from_millis(10), Duration::from_millis(20));
/// assert!(often.check(&AdvertiseSupport::LEGACY).is_err(), "20 ms is the least");
/// # Ok::<(), baretooth::gap::advertising_data::AdvertisingDataTooLong>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct AdvertiseOptions {
    pub(super) mode: AdvertiseMode,
    pub(super) data: AdvertisingDataBuf,
    pub(super) scan_response: AdvertisingDataBuf,
    pub(super) interval: (Duration, Duration),
    pub(super) timeout: Option<Duration>,
    pub(super) max_events: Option<u8>,
    pub(super) own_address: Option<OwnAddress>,
    pub(super) random_address: Option<BdAddr>,
    pub(super) tx_power: Option<i8>,
    pub(super) channels: AdvertiseChannels,
    pub(super) filter: AdvertiseFilter,
    pub(super) extended: Option<ExtendedPdus>,
    pub(super) sid: Option<u8>,
    pub(super) notify_scan_requests: bool,
}

impl Default for AdvertiseOptions {
    /// Connectable, without data, every 100 to 150 ms, until stopped, from the adapter's address, in legacy PDUs.
    fn default() -> Self {
        Self {
            mode: AdvertiseMode::default(),
            data: AdvertisingDataBuf::default(),
            scan_response: AdvertisingDataBuf::default(),
            interval: (Duration::from_millis(100), Duration::from_millis(150)),
            timeout: None,
            max_events: None,
            own_address: None,
            random_address: None,
            tx_power: None,
            channels: AdvertiseChannels::ALL,
            filter: AdvertiseFilter::All,
            extended: None,
            sid: None,
            notify_scan_requests: false,
        }
    }
}

impl AdvertiseOptions {
    /// The default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// What peers may do with it.
    pub fn mode(mut self, mode: AdvertiseMode) -> Self {
        self.mode = mode;
        self
    }

    /// What everyone hears: 31 octets in legacy PDUs, as many as the controller holds in extended ones.
    pub fn data(mut self, data: AdvertisingDataBuf) -> Self {
        self.data = data;
        self
    }

    /// What those hear who ask; as long as the data may be.
    pub fn scan_response(mut self, scan_response: AdvertisingDataBuf) -> Self {
        self.scan_response = scan_response;
        self
    }

    /// Time from one advertising event to the next, at least and at most: from 20 ms, to 10.24 s with the legacy
    /// commands and to 10,485.759375 s with the extended ones, in steps of 0.625 ms (rounded down).
    pub fn interval(mut self, min: Duration, max: Duration) -> Self {
        self.interval = (min, max);
        self
    }

    /// Stop after this time, counted from when the controller began. By default it goes on.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Stop after so many advertising events, 1 to 255; needs the extended commands.
    pub fn max_events(mut self, max_events: u8) -> Self {
        self.max_events = Some(max_events);
        self
    }

    /// Which sort of address to advertise; by default the adapter's. A private one changes while it advertises, for which
    /// the set pauses.
    pub fn own_address(mut self, own_address: OwnAddress) -> Self {
        self.own_address = Some(own_address);
        self
    }

    /// A random address of this set alone, in place of one of those that the adapter has; needs the extended commands.
    pub fn random_address(mut self, random_address: BdAddr) -> Self {
        self.random_address = Some(random_address);
        self
    }

    /// The power to send with, -127 to 20 dBm. A wish: the controller chooses the nearest below that it has, and the
    /// legacy commands cannot express it. [`Outcome::Started`](super::Outcome::Started) says what was chosen.
    pub fn tx_power(mut self, dbm: i8) -> Self {
        self.tx_power = Some(dbm);
        self
    }

    /// The channels to advertise on.
    pub fn channels(mut self, channels: AdvertiseChannels) -> Self {
        self.channels = channels;
        self
    }

    /// Whom the controller answers.
    pub fn filter(mut self, filter: AdvertiseFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Advertise in extended PDUs.
    pub fn extended(mut self, extended: ExtendedPdus) -> Self {
        self.extended = Some(extended);
        self
    }

    /// The set's number on the air, 0 to 15; by default one that no other set has.
    pub fn sid(mut self, sid: u8) -> Self {
        self.sid = Some(sid);
        self
    }

    /// Tell who asks for the scan response; needs the extended commands.
    pub fn notify_scan_requests(mut self, notify: bool) -> Self {
        self.notify_scan_requests = notify;
        self
    }

    /// The random address that it shows; `None` for the public one.
    pub(super) fn shown(&self, own: &OwnOnAir) -> Option<BdAddr> {
        match (self.own_address, self.random_address) {
            (Some(OwnAddress::Public), _) => None,
            (_, Some(address)) => Some(address),
            (wish, None) => own.random(wish),
        }
    }

    /// Whether anyone may ask for a scan response: a connectable set in extended PDUs has none.
    pub(super) fn is_scannable(&self) -> bool {
        match self.mode {
            AdvertiseMode::Scannable => true,
            AdvertiseMode::Connectable => self.extended.is_none(),
            _ => false,
        }
    }

    /// Whether its advertisements have room for data of their own.
    pub(super) fn carries_data(&self) -> bool {
        match self.extended {
            // ADV_DIRECT_IND is two addresses ([Vol 6] Part B, 2.3.1.2).
            None => self.mode.peer().is_none(),
            // What a scannable one says stands in the scan response ([Vol 4] Part E, 7.8.53).
            Some(_) => self.mode != AdvertiseMode::Scannable,
        }
    }
}
