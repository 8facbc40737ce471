//! A whole peripheral as one declaration, written in TOML: what it advertises, and the services that it has.
//!
//! It owns no protocol: a declaration gives the [`Table`] to serve and the [`AdvertiseOptions`] to advertise with, and
//! what does not fit is said when it is read, with line and key.
//!
//! ```toml
//! name = "Thermometer"
//! appearance = 0x0300
//!
//! [advertising]
//! interval = 0.2
//! services = ["health_thermometer"]
//!
//! [[service]]
//! uuid = "battery_service"
//!
//! [[service.characteristic]]
//! uuid = "battery_level"
//! value = [90]
//! read = true
//! notify = true
//! ```

mod file;
mod values;

use crate::gap::advertise::{AdvertiseMode, AdvertiseOptions, ExtendedPdus};
use crate::gap::advertising_data::{
    AdvertisingDataBuf, AdvertisingDataBuilder, AdvertisingDataTooLong, Flags, MAX_LENGTH,
};
use crate::gatt::server::{BuildError, Service, ServiceId, Table, TableBuilder};
use crate::{BdAddr, Uuid};
use std::time::Duration;

/// A peripheral: its name, its services, and how it advertises.
///
/// ```
/// use baretooth::peripheral::Peripheral;
///
/// let text = r#"
///     name = "Button"
///     [[service]]
///     uuid = "180f"
///     [[service.characteristic]]
///     uuid = "2a19"
///     value = [90]
///     read = true
/// "#;
/// let button: Peripheral = text.parse()?;
/// assert!(button.table()?.services().find("2a19".parse()?).is_ok());
///
/// let mistaken: Result<Peripheral, _> = "name = \"Button\"\n[[service]]\nuuid = \"180\"".parse();
/// assert!(mistaken.unwrap_err().to_string().starts_with("line 3, uuid: "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Peripheral {
    /// Its Device Name.
    pub name: String,
    /// Its Appearance, an assigned number.
    pub appearance: u16,
    /// How and what it advertises.
    pub advertising: Advertising,
    services: Vec<Declared>,
}

/// A service and those before it that it includes, by their places.
#[derive(Clone, Debug)]
struct Declared {
    service: Service,
    includes: Vec<usize>,
}

/// How and what a [`Peripheral`] advertises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advertising {
    /// What peers may do with it.
    pub mode: AdvertiseMode,
    /// Time from one advertising event to the next, at least and at most.
    pub interval: Option<(Duration, Duration)>,
    /// Stop after this time.
    pub timeout: Option<Duration>,
    /// Advertise in extended PDUs.
    pub extended: Option<ExtendedPdus>,
    /// The power to send with, in dBm; a file that says it has the data say it too.
    pub tx_power: Option<i8>,
    /// A random address of its own; needs the extended commands.
    pub address: Option<BdAddr>,
    /// What everyone hears.
    pub data: Advertised,
    /// What those hear who ask.
    pub scan_response: Advertised,
}

/// What advertising data or a scan response says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advertised {
    /// Discoverability and BR/EDR support.
    pub flags: Option<Flags>,
    /// Whether the name is here. Said of neither, it is where it fits.
    pub name: Option<bool>,
    /// Whether the appearance is here.
    pub appearance: bool,
    /// The power sent with, in dBm.
    pub tx_power: Option<i8>,
    /// Services that it has.
    pub services: Vec<Uuid>,
    /// Services that it looks for.
    pub solicited_services: Vec<Uuid>,
    /// Data by company identifier.
    pub manufacturer_data: Vec<(u16, Vec<u8>)>,
    /// Data by service.
    pub service_data: Vec<(Uuid, Vec<u8>)>,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{cause}", line.map(|line| format!("line {line}")).unwrap_or_default(), place(*line, key))]
pub struct PeripheralError {
    line: Option<usize>,
    key: String,
    cause: String,
}

fn place(line: Option<usize>, key: &str) -> String {
    match (line, key) {
        (None, "") => String::new(),
        (Some(_), "") => ": ".to_owned(),
        (None, key) => format!("{key}: "),
        (Some(_), key) => format!(", {key}: "),
    }
}

impl PeripheralError {
    /// The line, counted from 1, where it is of one.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// The key of that line.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong, and what would be right.
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

impl Peripheral {
    /// One without services of its own, which is connectable, discoverable, and says its name.
    pub fn new(name: impl Into<String>) -> Self {
        let flags = Some(Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED);
        let data = Advertised { flags, ..Advertised::default() };
        let advertising = Advertising { data, ..Advertising::default() };
        Self { name: name.into(), appearance: 0, advertising, services: Vec::new() }
    }

    /// The table to serve: the GAP and GATT services, and those that were declared.
    ///
    /// # Errors
    /// What does not fit, and by how much.
    pub fn table(&self) -> Result<Table, BuildError> {
        let mut builder = TableBuilder::with_appearance(&self.name, self.appearance);
        let mut ids: Vec<ServiceId> = Vec::new();
        for Declared { service, includes } in &self.services {
            let included = includes.iter().filter_map(|&place| ids.get(place));
            let service = included.fold(service.clone(), |service, &id| service.include(id));
            ids.push(builder.add(service));
        }
        builder.build()
    }

    /// How to advertise.
    ///
    /// # Errors
    /// When the data, or the scan response, is longer than its PDUs hold.
    pub fn advertise_options(&self) -> Result<AdvertiseOptions, AdvertisingDataTooLong> {
        let advertising = &self.advertising;
        let (data, scan_response) = self.payloads()?;
        let mut options =
            AdvertiseOptions::new().mode(advertising.mode).data(data).scan_response(scan_response);
        if let Some((min, max)) = advertising.interval {
            options = options.interval(min, max);
        }
        if let Some(timeout) = advertising.timeout {
            options = options.timeout(timeout);
        }
        if let Some(extended) = advertising.extended {
            options = options.extended(extended);
        }
        if let Some(dbm) = advertising.tx_power {
            options = options.tx_power(dbm);
        }
        if let Some(address) = advertising.address {
            options = options.random_address(address);
        }
        Ok(options)
    }

    /// Data and scan response. A name that nothing is said of goes into the one that everybody hears, else into the
    /// other, else it is shortened.
    fn payloads(&self) -> Result<(AdvertisingDataBuf, AdvertisingDataBuf), AdvertisingDataTooLong> {
        let Advertising { mode, extended, data, scan_response, .. } = &self.advertising;
        let build = |part: &Advertised, name: Option<&str>| self.payload(part, name);
        // What a scannable set in extended PDUs says stands in its scan response, a connectable one there has none.
        let (has_data, has_response) = match (mode, extended) {
            (mode, None) => (
                mode.peer().is_none(),
                !matches!(mode, AdvertiseMode::NonConnectable) && mode.peer().is_none(),
            ),
            (AdvertiseMode::Scannable, Some(_)) => (false, true),
            (_, Some(_)) => (true, false),
        };
        let said = data.name.is_some() || scan_response.name.is_some();
        let whole = Some(self.name.as_str());
        if said {
            let named = |part: &Advertised| build(part, whole.filter(|_| part.name == Some(true)));
            return Ok((named(data)?, named(scan_response)?));
        }
        let (plain_data, plain_response) = (build(data, None)?, build(scan_response, None)?);
        if has_data && let Ok(named) = build(data, whole) {
            return Ok((named, plain_response));
        }
        if has_response && let Ok(named) = build(scan_response, whole) {
            return Ok((plain_data, named));
        }
        let room = self.limit().saturating_sub(plain_data.as_bytes().len() + 2);
        let shortened = (0..=room).rev().find_map(|length| self.name.get(..length)).unwrap_or_default();
        if !has_data || shortened.is_empty() {
            return Ok((plain_data, plain_response));
        }
        let shortened = self.part(data).shortened_name(shortened).build()?;
        Ok((shortened, plain_response))
    }

    fn payload(
        &self,
        part: &Advertised,
        name: Option<&str>,
    ) -> Result<AdvertisingDataBuf, AdvertisingDataTooLong> {
        let builder = self.part(part);
        match name.filter(|name| !name.is_empty()) {
            Some(name) => builder.name(name).build(),
            None => builder.build(),
        }
    }

    fn limit(&self) -> usize {
        let options = AdvertiseOptions::new().mode(self.advertising.mode);
        let extended = self.advertising.extended;
        extended.map_or(options.clone(), |extended| options.extended(extended)).data_limit(MAX_LENGTH)
    }

    /// All but the name.
    fn part(&self, part: &Advertised) -> AdvertisingDataBuilder {
        let mut builder = AdvertisingDataBuilder::with_limit(self.limit());
        if let Some(flags) = part.flags {
            builder = builder.flags(flags);
        }
        builder = builder.services(part.services.iter().copied());
        builder = builder.solicited_services(part.solicited_services.iter().copied());
        if part.appearance {
            builder = builder.appearance(self.appearance);
        }
        if let Some(dbm) = part.tx_power {
            builder = builder.tx_power(dbm);
        }
        for (service, data) in &part.service_data {
            builder = builder.service_data(*service, data);
        }
        for (company, data) in &part.manufacturer_data {
            builder = builder.manufacturer_data(*company, data);
        }
        builder
    }
}

#[cfg(test)]
mod tests;
