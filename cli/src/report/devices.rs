//! Who advertised: how often, how strongly, and what it calls itself.

use super::series::{Cell, Series};
use baretooth::gap::advertising_data::AdvertisingData;
use baretooth::hci::{AddressType, Event, LeEvent};
use baretooth::{Address, BdAddr, assigned};
use std::collections::BTreeMap;

/// Advertisers by address, as many as are kept apart.
#[derive(Debug, Default)]
pub struct Devices {
    devices: BTreeMap<Address, Device>,
    /// Reports of advertisers that found no room.
    pub beyond: u64,
    /// Reports without an address.
    pub anonymous: u64,
    /// All reports.
    pub reports: u64,
}

/// Most advertisers that are kept apart.
pub const MOST: usize = 512;
/// Octets of a name that are kept: as many as one may have.
const LONGEST_NAME: usize = 248;
/// Reports whose data are looked at for a name and services; most devices say the same again and again.
const LOOKED_AT: u64 = 64;
/// Most services that are kept.
const MOST_SERVICES: usize = 4;

/// One advertiser.
#[derive(Debug)]
pub struct Device {
    /// As it came last; a complete name is better than a shortened one.
    pub name: Option<String>,
    complete: bool,
    /// The first company that it sent data of.
    pub company: Option<u16>,
    /// The names of services that it advertised, or their numbers.
    pub services: Vec<String>,
    pub reports: u64,
    pub connectable: bool,
    /// The first and the last report, in nanoseconds.
    pub first: u64,
    pub last: u64,
    /// How often each strength from -128 to 127 came.
    levels: Box<[u32; 256]>,
    /// Strength over time.
    pub strength: Series<Strength>,
}

/// Strength of the reports in a span of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strength {
    pub count: u32,
    sum: i64,
}

impl Cell for Strength {
    fn merge(&mut self, next: &Self) {
        self.count = self.count.saturating_add(next.count);
        self.sum = self.sum.saturating_add(next.sum);
    }
}

impl Strength {
    /// The average in dBm.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / f64::from(self.count))
    }
}

/// What a report says, whichever event it came in.
struct Sighting<'a> {
    address: BdAddr,
    kind: AddressType,
    rssi: i8,
    connectable: bool,
    /// Nothing when it is a later part of something longer.
    data: &'a [u8],
}

impl Devices {
    /// Takes the reports of an event; how many those are.
    pub fn take(&mut self, event: &Event<'_>, continued: u64, at: u64) -> u32 {
        let Event::LeMeta(meta) = event else { return 0 };
        let mut count = 0;
        let mut hear = |address, kind, rssi, connectable, data: &[u8]| {
            self.sighting(&Sighting { address, kind, rssi, connectable, data }, at);
            count += 1;
        };
        match &meta.subevent {
            LeEvent::LeAdvertisingReport(e) => {
                for r in e.reports.iter() {
                    hear(r.address, r.address_type, r.rssi, r.event_type < 2, r.data.get());
                }
            }
            LeEvent::LeExtendedAdvertisingReport(e) => {
                for (n, r) in e.reports.iter().enumerate() {
                    let data = if n < 64 && continued >> n & 1 == 1 { &[] } else { r.data.get() };
                    hear(r.address, r.address_type, r.rssi, r.event_type.0 & 1 == 1, data);
                }
            }
            LeEvent::LeDirectedAdvertisingReport(e) => {
                for r in e.reports.iter() {
                    hear(r.address, r.address_type, r.rssi, true, &[]);
                }
            }
            _ => {}
        }
        count
    }

    fn sighting(&mut self, sighting: &Sighting<'_>, at: u64) {
        self.reports += 1;
        let Some(address) = sighting.kind.with(sighting.address) else {
            self.anonymous += 1;
            return;
        };
        if self.devices.len() >= MOST && !self.devices.contains_key(&address) {
            self.beyond += 1;
            return;
        }
        self.devices.entry(address).or_insert_with(|| Device::new(at)).take(sighting, at);
    }

    pub fn len(&self) -> usize {
        self.devices.len()
    }

    pub fn name(&self, address: Address) -> Option<&str> {
        self.devices.get(&address)?.name.as_deref()
    }

    /// All of them, those that were heard most often first.
    pub fn by_reports(&self) -> Vec<(Address, &Device)> {
        let mut devices: Vec<_> = self.devices.iter().map(|(address, device)| (*address, device)).collect();
        devices.sort_by_key(|(_, device)| std::cmp::Reverse(device.reports));
        devices
    }
}

impl Device {
    fn new(at: u64) -> Self {
        Self {
            name: None,
            complete: false,
            company: None,
            services: Vec::new(),
            reports: 0,
            connectable: false,
            first: at,
            last: at,
            levels: Box::new([0; 256]),
            strength: Series::new(64),
        }
    }

    fn take(&mut self, sighting: &Sighting<'_>, at: u64) {
        self.reports += 1;
        self.last = self.last.max(at);
        self.connectable |= sighting.connectable;
        // 127 says that it is not known.
        if sighting.rssi != 127 {
            let level = &mut self.levels[usize::from(sighting.rssi.cast_unsigned() ^ 0x80)];
            *level = level.saturating_add(1);
            let cell = self.strength.at(at);
            cell.merge(&Strength { count: 1, sum: i64::from(sighting.rssi) });
        }
        if !self.complete || self.reports < LOOKED_AT {
            self.look_at(AdvertisingData::new(sighting.data));
        }
    }

    fn look_at(&mut self, data: AdvertisingData<'_>) {
        if let Some(name) = data.local_name()
            && (name.complete || !self.complete)
            && !name.text.0.is_empty()
        {
            let octets = &name.text.0[..name.text.0.len().min(LONGEST_NAME)];
            self.name = Some(String::from_utf8_lossy(octets).into_owned());
            self.complete = name.complete;
        }
        if self.company.is_none() {
            self.company = data.manufacturer_data().next().map(|data| data.company);
        }
        if self.services.len() < MOST_SERVICES {
            for uuid in data.services() {
                let name =
                    assigned::service_name(uuid).map_or_else(|| uuid.short().to_string(), str::to_owned);
                if self.services.len() < MOST_SERVICES && !self.services.contains(&name) {
                    self.services.push(name);
                }
            }
        }
    }

    /// The weakest, the median and the strongest in dBm.
    pub fn levels(&self) -> Option<[i16; 3]> {
        let total: u64 = self.levels.iter().map(|n| u64::from(*n)).sum();
        let level = |rank: u64| {
            let mut sum = 0;
            let found = self.levels.iter().position(|n| {
                sum += u64::from(*n);
                sum > rank
            })?;
            i16::try_from(found).ok().map(|level| level - 128)
        };
        Some([level(0)?, level(total / 2)?, level(total.checked_sub(1)?)?])
    }
}

/// What sort of address it is ([Vol 6] Part B, 1.3).
pub fn sort_of(address: Address) -> &'static str {
    match address {
        a if a.kind == baretooth::AddressKind::Public => "public",
        a if a.is_random_static() => "random static",
        a if a.is_resolvable() => "resolvable private",
        _ => "non-resolvable private",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(device: &mut Device, rssi: i8, data: &[u8]) {
        let sighting =
            Sighting { address: BdAddr::ANY, kind: AddressType::Public, rssi, connectable: false, data };
        device.take(&sighting, 0);
    }

    #[test]
    fn levels_are_exact_and_an_unknown_one_counts_for_nothing() {
        let mut device = Device::new(0);
        [-90, -40, 127, -50].iter().for_each(|rssi| heard(&mut device, *rssi, &[]));
        assert_eq!(device.levels(), Some([-90, -50, -40]));
        assert_eq!(device.reports, 4);
        assert_eq!(Device::new(0).levels(), None);
    }

    #[test]
    fn a_complete_name_stays_and_a_shortened_one_does_until_it_comes() {
        let mut device = Device::new(0);
        for (data, name) in
            [(&b"\x03\x08HR"[..], "HR"), (b"\x09\x09HR strap", "HR strap"), (b"\x02\x08H", "HR strap")]
        {
            heard(&mut device, -1, data);
            assert_eq!(device.name.as_deref(), Some(name));
        }
    }

    #[test]
    fn advertisers_are_bounded_and_those_without_room_are_counted() {
        let mut devices = Devices::default();
        for n in 0..u16::try_from(MOST).expect("small") + 5 {
            let [a, b] = n.to_le_bytes();
            let (address, kind) = (BdAddr([a, b, 0, 0, 0, 0]), AddressType::Public);
            devices.sighting(&Sighting { address, kind, rssi: -1, connectable: false, data: &[] }, 0);
        }
        assert_eq!((devices.len(), devices.beyond), (MOST, 5));
    }
}
