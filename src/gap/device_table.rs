//! The devices heard so far, each with what its advertisements and its scan responses say together.
//!
//! Owns copies of the octets, so a device remembered for hours holds no packet buffer. Anyone may send from any number of
//! addresses, so the table is bounded: the device heard least recently goes first.

use super::advertising_data::AdvertisingData;
use super::lru::Lru;
use super::report::Report;
use crate::hci::{AddressType, Phy};
use crate::{Address, AddressKind, Instant};

/// One device, by the reports of its address, or of its identity where that is known: whoever changes its private address
/// is still the same device.
///
/// It takes 31 octets for each of advertisement and scan response as a rule, 1650 at most, and their sum once more.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Device {
    /// Its address as last received; `None` for an anonymous advertisement, which stands for itself alone.
    pub address: Option<Address>,
    /// The address by which it is known, however often the one that it shows changes: where its keys are known.
    pub identity: Option<Address>,
    /// The address's type as last received.
    pub address_type: AddressType,
    /// Strength of the last report whose strength is known, in dBm.
    pub rssi: Option<i8>,
    /// The power it sends with, in dBm, as the header of a PDU or the data said last.
    pub tx_power: Option<i8>,
    /// Whether its last advertisement accepted connections.
    pub connectable: bool,
    /// Whether its last PDU was a legacy one.
    pub legacy: bool,
    /// PHY of the primary channel of its last PDU.
    pub primary_phy: Phy,
    /// PHY of the secondary channel of its last PDU.
    pub secondary_phy: Option<Phy>,
    /// Advertising set of its last PDU.
    pub sid: Option<u8>,
    /// When it was first heard, as far as the table remembers.
    pub first_seen: Instant,
    /// When it was last heard.
    pub last_seen: Instant,
    /// Reports since `first_seen`.
    pub reports: u64,
    advertising: Option<Vec<u8>>,
    scan_response: Option<Vec<u8>>,
    /// The AD structures of both; empty while there are not both.
    merged: Vec<u8>,
}

impl Device {
    /// With nothing but the address.
    fn new(now: Instant, report: &Report) -> Self {
        Self {
            address: report.address,
            identity: report.identity,
            address_type: report.address_type,
            rssi: None,
            tx_power: None,
            connectable: false,
            legacy: report.legacy,
            primary_phy: report.primary_phy,
            secondary_phy: None,
            sid: None,
            first_seen: now,
            last_seen: now,
            reports: 0,
            advertising: None,
            scan_response: None,
            merged: Vec::new(),
        }
    }

    /// Everything it says: the structures of its advertisement, then those of its scan response.
    pub fn data(&self) -> AdvertisingData<'_> {
        let only = self.advertising.as_ref().or(self.scan_response.as_ref());
        match (&self.merged[..], only) {
            ([], Some(only)) => AdvertisingData::new(only),
            (merged, _) => AdvertisingData::new(merged),
        }
    }

    /// The data of its last advertisement, as received.
    pub fn advertising(&self) -> Option<AdvertisingData<'_>> {
        self.advertising.as_deref().map(AdvertisingData::new)
    }

    /// The data of its last scan response, as received.
    pub fn scan_response(&self) -> Option<AdvertisingData<'_>> {
        self.scan_response.as_deref().map(AdvertisingData::new)
    }

    fn update(&mut self, now: Instant, report: &Report) {
        self.address = report.address;
        self.address_type = report.address_type;
        self.rssi = report.rssi.or(self.rssi);
        self.legacy = report.legacy;
        self.primary_phy = report.primary_phy;
        self.secondary_phy = report.secondary_phy;
        self.sid = report.sid;
        self.last_seen = now;
        self.reports += 1;
        if !report.scan_response {
            self.connectable = report.connectable;
        }
        if self.keep_data(report) {
            self.merge();
            self.tx_power = self.data().tx_power().or(self.tx_power);
        }
        self.tx_power = report.tx_power.or(self.tx_power);
    }

    /// Whether the data are others than before. What is less than is known already tells nothing: a directed
    /// advertisement without data, or a report that lost its end.
    fn keep_data(&mut self, report: &Report) -> bool {
        let place = if report.scan_response { &mut self.scan_response } else { &mut self.advertising };
        let new = report.data.as_bytes();
        match place {
            Some(known) if known == new => false,
            Some(known) if (report.directed || report.truncated) && new.len() < known.len() => false,
            Some(known) => {
                known.clear();
                known.extend_from_slice(new);
                true
            }
            None => {
                *place = Some(new.to_vec());
                true
            }
        }
    }

    /// Structure by structure, so that what is malformed in one does not hide the other.
    fn merge(&mut self) {
        let (Some(advertising), Some(scan_response)) = (&self.advertising, &self.scan_response) else {
            return;
        };
        self.merged.clear();
        self.merged.reserve_exact(advertising.len() + scan_response.len());
        for structure in
            [advertising, scan_response].into_iter().flat_map(|o| AdvertisingData::new(o).structures())
        {
            // It came with such a length octet.
            let Ok(length) = u8::try_from(structure.data.len() + 1) else { continue };
            self.merged.extend_from_slice(&[length, structure.ad_type.0]);
            self.merged.extend_from_slice(structure.data);
        }
    }
}

/// The devices heard, at most as many as its capacity: a new one makes the one heard least recently go.
///
/// Anonymous advertisements are not in it. A report costs O(log n), and no allocation unless it says something new.
#[derive(Clone, Debug)]
pub struct DeviceTable {
    devices: Lru<u64, Device>,
    /// The last anonymous advertisement.
    anonymous: Option<Device>,
}

impl Default for DeviceTable {
    fn default() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }
}

impl DeviceTable {
    /// How many devices the table holds when nothing else is said.
    pub const DEFAULT_CAPACITY: usize = 4096;

    /// An empty table for this many devices, at least one. Memory is taken as they come.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { devices: Lru::new(capacity), anonymous: None }
    }

    /// Takes a report in, and gives the device it is of.
    #[inline]
    pub fn update(&mut self, now: Instant, report: &Report) -> &Device {
        let device = match report.identity.or(report.address) {
            Some(address) => self.devices.entry(key(address), || Device::new(now, report)).value,
            None => self.anonymous.insert(Device::new(now, report)),
        };
        device.update(now, report);
        device
    }

    /// The device of this address, or of this identity where that is known.
    pub fn get(&self, address: Address) -> Option<&Device> {
        self.devices.get(key(address))
    }

    /// The devices in the order of their addresses, public before random.
    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
    }

    /// How many devices it holds.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether no device was heard.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets every device.
    pub fn clear(&mut self) {
        self.devices.clear();
        self.anonymous = None;
    }
}

/// The address as a number, which compares faster: 48 bits, and the kind above them.
pub(super) fn key(address: Address) -> u64 {
    let [a, b, c, d, e, f] = address.bd_addr.0;
    let kind = match address.kind {
        AddressKind::Public => 0,
        AddressKind::Random => 1,
    };
    u64::from_le_bytes([a, b, c, d, e, f, kind, 0])
}

#[cfg(test)]
mod tests;
