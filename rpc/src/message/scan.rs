//! Scanning: what is asked for, and what is heard.

use super::{OwnAddressType, PhyName, Seconds, UuidText, hex};
use baretooth::{Report as Heard, Uuid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How to scan, and for what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanStartParams {
    /// Whether to ask for scan responses; it is by default.
    pub active: Option<bool>,
    /// Whether to report what says nothing new; it is not by default.
    pub duplicates: Option<bool>,
    /// Only legacy PDUs; all by default.
    pub legacy: Option<bool>,
    /// Where to listen; LE 1M by default.
    pub phys: Option<Vec<PhyName>>,
    /// Time from one scan window to the next, 2.5 ms to 10.24 s; 60 ms by default, or the window if that is longer.
    pub interval: Option<Seconds>,
    /// How long to listen in each interval; all of it by default.
    pub window: Option<Seconds>,
    /// Which address of ours asks; `random` by default.
    pub own_address_type: Option<OwnAddressType>,
    /// Only devices that advertise one of these services.
    pub services: Option<Vec<UuidText>>,
}

/// A scan that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScanStarted {
    /// It, by a number that no other ever has.
    pub scan: u32,
}

/// Which scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanStopParams {
    /// The scan.
    pub scan: u32,
}

/// One advertising or scan response PDU, of a scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScanReport {
    /// The scan.
    pub scan: u32,
    /// What was heard.
    #[serde(flatten)]
    pub report: Report,
    /// Reports dropped since the one before, because they were not read.
    pub missed: u64,
}

/// One advertising or scan response PDU; the line of `scan --json` too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Who sent it; null for an anonymous advertisement.
    pub address: Option<String>,
    /// `public`, `random` or `anonymous`.
    pub address_type: String,
    /// Who is behind a private address, with its type, where the keys are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Strength in dBm, where it could be measured.
    pub rssi: Option<i8>,
    /// The power that it was sent with in dBm, of the PDU or else of its data.
    pub tx_power: Option<i8>,
    /// The sender accepts connections.
    pub connectable: bool,
    /// The sender answers scan requests.
    pub scannable: bool,
    /// It is meant for one receiver.
    pub directed: bool,
    /// It answers a scan request.
    pub scan_response: bool,
    /// It is a legacy PDU.
    pub legacy: bool,
    /// PHY of the primary advertising channel.
    pub primary_phy: String,
    /// PHY of the secondary advertising channel, where one was used.
    pub secondary_phy: Option<String>,
    /// The advertising set; legacy PDUs have none.
    pub sid: Option<u8>,
    /// The end of the data is lost.
    pub truncated: bool,
    /// The name in the data.
    pub name: Option<String>,
    /// Whether that is all of the name.
    pub name_complete: Option<bool>,
    /// The flags in the data.
    pub flags: Option<u8>,
    /// The appearance in the data.
    pub appearance: Option<u16>,
    /// The services in the data.
    pub services: Vec<String>,
    /// Data of services, by their UUIDs.
    pub service_data: BTreeMap<String, String>,
    /// Data of manufacturers, by their numbers in four hexadecimal digits.
    pub manufacturer_data: BTreeMap<String, String>,
    /// The advertising data, raw and complete.
    pub data: String,
}

notifications! {
    ScanReport => "scan.report";
}

impl From<&Heard> for Report {
    fn from(report: &Heard) -> Self {
        let data = report.data.view();
        let name = data.local_name();
        // Of two entries of one key the first stands; `data` has both.
        let mut service_data = BTreeMap::new();
        for of in data.service_data() {
            service_data.entry(of.service.to_string()).or_insert_with(|| hex(of.data));
        }
        let mut manufacturer_data = BTreeMap::new();
        for of in data.manufacturer_data() {
            manufacturer_data.entry(format!("{:04x}", of.company)).or_insert_with(|| hex(of.data));
        }
        Self {
            address: report.address.map(|address| address.bd_addr.to_string()),
            address_type: report
                .address
                .map_or_else(|| "anonymous".to_owned(), |address| address.kind.to_string()),
            identity: report.identity.map(|identity| identity.to_string()),
            rssi: report.rssi,
            tx_power: report.tx_power.or(data.tx_power()),
            connectable: report.connectable,
            scannable: report.scannable,
            directed: report.directed,
            scan_response: report.scan_response,
            legacy: report.legacy,
            primary_phy: report.primary_phy.to_string(),
            secondary_phy: report.secondary_phy.map(|phy| phy.to_string()),
            sid: report.sid,
            truncated: report.truncated,
            name: name.map(|name| name.to_str().into_owned()),
            name_complete: name.map(|name| name.complete),
            flags: data.flags().map(|flags| flags.0),
            appearance: data.appearance(),
            services: data.services().iter().map(Uuid::to_string).collect(),
            service_data,
            manufacturer_data,
            data: hex(data.as_bytes()),
        }
    }
}
