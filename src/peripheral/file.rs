//! The file: its keys, and what they become.

use super::values::{AnyUuid, Extended, Interval, Mode, Octets, RandomAddress, Seconds, Several, Who};
use super::{Advertised, Advertising, Declared, Peripheral, PeripheralError};
use crate::Uuid;
use crate::gap::advertise::AdvertiseSupport;
use crate::gap::advertising_data::Flags;
use crate::gatt::server::{self, Access, BuildError, PresentationFormat};
use serde::Deserialize;
use std::ops::Range;
use std::str::FromStr;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    appearance: u16,
    advertising: Option<Spanned<AdvertisingTable>>,
    #[serde(default)]
    service: Vec<Service>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvertisingTable {
    mode: Option<Mode>,
    interval: Option<Interval>,
    timeout: Option<Seconds>,
    extended: Option<Extended>,
    tx_power: Option<i8>,
    address: Option<RandomAddress>,
    flags: Option<u8>,
    name: Option<bool>,
    #[serde(default)]
    appearance: bool,
    #[serde(default)]
    services: Vec<AnyUuid>,
    #[serde(default)]
    solicited_services: Vec<AnyUuid>,
    #[serde(default)]
    manufacturer_data: Several<ManufacturerData>,
    #[serde(default)]
    service_data: Several<ServiceData>,
    #[serde(default)]
    scan_response: ScanResponse,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScanResponse {
    name: Option<bool>,
    #[serde(default)]
    appearance: bool,
    tx_power: Option<i8>,
    #[serde(default)]
    services: Vec<AnyUuid>,
    #[serde(default)]
    solicited_services: Vec<AnyUuid>,
    #[serde(default)]
    manufacturer_data: Several<ManufacturerData>,
    #[serde(default)]
    service_data: Several<ServiceData>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManufacturerData {
    company: u16,
    #[serde(default)]
    data: Octets,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceData {
    uuid: AnyUuid,
    #[serde(default)]
    data: Octets,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    uuid: Spanned<AnyUuid>,
    #[serde(default)]
    secondary: bool,
    handle: Option<u16>,
    #[serde(default)]
    includes: Vec<Spanned<AnyUuid>>,
    #[serde(default)]
    characteristic: Vec<Characteristic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Characteristic {
    uuid: Spanned<AnyUuid>,
    handle: Option<u16>,
    #[serde(default)]
    value: Octets,
    max_length: Option<usize>,
    read: Option<Who>,
    write: Option<Who>,
    write_without_response: Option<Who>,
    #[serde(default)]
    notify: bool,
    #[serde(default)]
    indicate: bool,
    subscription: Option<Who>,
    #[serde(default)]
    broadcast: bool,
    #[serde(default)]
    reliable_write: bool,
    description: Option<String>,
    write_description: Option<Who>,
    #[serde(default)]
    format: Several<Format>,
    #[serde(default)]
    descriptor: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Descriptor {
    uuid: Spanned<AnyUuid>,
    handle: Option<u16>,
    #[serde(default)]
    value: Octets,
    max_length: Option<usize>,
    read: Option<Who>,
    write: Option<Who>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    format: u8,
    #[serde(default)]
    exponent: i8,
    #[serde(default = "no_unit")]
    unit: u16,
    #[serde(default = "bluetooth_sig")]
    name_space: u8,
    #[serde(default)]
    description: u16,
}

/// «unitless»
fn no_unit() -> u16 {
    0x2700
}

fn bluetooth_sig() -> u8 {
    1
}

impl FromStr for Peripheral {
    type Err = PeripheralError;

    /// Reads a file.
    fn from_str(text: &str) -> Result<Self, PeripheralError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let cause = error.message().lines().collect::<Vec<_>>().join("; ");
            at(text, error.span(), cause)
        })?;
        let advertising_at = file.advertising.as_ref().map(Spanned::span);
        let uuids = uuids(&file);
        let mut peripheral = Self::new(file.name);
        peripheral.appearance = file.appearance;
        if let Some(advertising) = file.advertising {
            peripheral.advertising = advertising.into_inner().declared();
        }
        let places: Vec<_> = file.service.iter().map(|service| service.uuid.as_ref().0).collect();
        for (place, service) in file.service.into_iter().enumerate() {
            let before = places.get(..place).unwrap_or_default();
            peripheral.services.push(service.declared(text, before)?);
        }
        peripheral.table().map_err(|error| {
            let of = uuid_of(&error).and_then(|uuid| uuids.iter().find(|(other, _)| *other == uuid));
            at(text, of.map(|(_, span)| span.clone()), error)
        })?;
        let options = peripheral.advertise_options();
        let options = options.map_err(|error| at(text, advertising_at.clone(), error))?;
        // What a controller cannot do is said by that controller.
        options.check(&AdvertiseSupport::EXTENDED).map_err(|error| at(text, advertising_at, error))?;
        Ok(peripheral)
    }
}

impl AdvertisingTable {
    fn declared(self) -> Advertising {
        // Flags of a peripheral that does not say any, unless it says none.
        let flags = self.flags.map_or(Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED, Flags);
        let response = self.scan_response;
        Advertising {
            mode: self.mode.map(|mode| mode.0).unwrap_or_default(),
            interval: self.interval.map(|interval| interval.0),
            timeout: self.timeout.map(|timeout| timeout.0),
            extended: self.extended.and_then(|extended| extended.0),
            tx_power: self.tx_power,
            address: self.address.map(|address| address.0),
            data: Advertised {
                flags: Some(flags).filter(|flags| flags.0 != 0),
                name: self.name,
                appearance: self.appearance,
                tx_power: self.tx_power,
                services: self.services.into_iter().map(|uuid| uuid.0).collect(),
                solicited_services: self.solicited_services.into_iter().map(|uuid| uuid.0).collect(),
                manufacturer_data: self.manufacturer_data.by_company(),
                service_data: self.service_data.by_service(),
            },
            scan_response: Advertised {
                flags: None,
                name: response.name,
                appearance: response.appearance,
                tx_power: response.tx_power,
                services: response.services.into_iter().map(|uuid| uuid.0).collect(),
                solicited_services: response.solicited_services.into_iter().map(|uuid| uuid.0).collect(),
                manufacturer_data: response.manufacturer_data.by_company(),
                service_data: response.service_data.by_service(),
            },
        }
    }
}

impl Several<ManufacturerData> {
    fn by_company(self) -> Vec<(u16, Vec<u8>)> {
        self.0.into_iter().map(|entry| (entry.company, entry.data.0)).collect()
    }
}

impl Several<ServiceData> {
    fn by_service(self) -> Vec<(Uuid, Vec<u8>)> {
        self.0.into_iter().map(|entry| (entry.uuid.0, entry.data.0)).collect()
    }
}

impl Service {
    /// `before` are the services above it in the file.
    fn declared(self, text: &str, before: &[Uuid]) -> Result<Declared, PeripheralError> {
        let uuid = self.uuid.as_ref().0;
        let mut service =
            if self.secondary { server::Service::secondary(uuid) } else { server::Service::primary(uuid) };
        if let Some(handle) = self.handle {
            service = service.at(handle);
        }
        let mut includes = Vec::new();
        for included in self.includes {
            let place = before.iter().position(|uuid| *uuid == included.as_ref().0);
            let cause = "no service above has this UUID; a service includes what stands before it";
            includes.push(place.ok_or_else(|| at(text, Some(included.span()), cause))?);
        }
        let characteristics = self.characteristic.into_iter().map(Characteristic::declared);
        let service = characteristics.fold(service, server::Service::characteristic);
        Ok(Declared { service, includes })
    }
}

impl Characteristic {
    fn declared(self) -> server::Characteristic {
        use server::Characteristic as C;
        let who = |who: Option<Who>| who.and_then(|who| who.0);
        let mut c = C::new(self.uuid.as_ref().0).value(self.value.0);
        c = with(c, self.handle, C::at);
        c = with(c, self.max_length, C::max_length);
        c = with(c, who(self.read), C::read);
        c = with(c, who(self.write), C::write);
        c = with(c, who(self.write_without_response), C::write_without_response);
        c = if self.notify { c.notify() } else { c };
        c = if self.indicate { c.indicate() } else { c };
        c = with(c, who(self.subscription), C::subscription);
        c = if self.broadcast { c.broadcast() } else { c };
        c = if self.reliable_write { c.reliable_write() } else { c };
        c = match (self.description, who(self.write_description)) {
            (Some(text), Some(access)) => c.writable_user_description(&text, access),
            (Some(text), None) => c.user_description(&text),
            (None, Some(access)) => c.writable_user_description("", access),
            (None, None) => c,
        };
        c = self.format.0.into_iter().map(Format::declared).fold(c, C::presentation_format);
        self.descriptor.into_iter().map(Descriptor::declared).fold(c, C::descriptor)
    }
}

impl Descriptor {
    fn declared(self) -> server::Descriptor {
        use server::Descriptor as D;
        let who = |who: Option<Who>| who.and_then(|who| who.0);
        let mut d = D::new(self.uuid.as_ref().0).value(self.value.0);
        d = with(d, self.handle, D::at);
        d = with(d, self.max_length, D::max_length);
        // A descriptor without a word is there to be read.
        let silent = self.read.is_none() && self.write.is_none();
        d = with(d, who(self.read).or(silent.then_some(Access::OPEN)), D::read);
        with(d, who(self.write), D::write)
    }
}

impl Format {
    fn declared(self) -> PresentationFormat {
        let Self { format, exponent, unit, name_space, description } = self;
        PresentationFormat { format, exponent, unit, name_space, description }
    }
}

fn with<T, V>(built: T, value: Option<V>, set: impl FnOnce(T, V) -> T) -> T {
    match value {
        Some(value) => set(built, value),
        None => built,
    }
}

/// Every UUID that is declared, and where.
fn uuids(file: &File) -> Vec<(Uuid, Range<usize>)> {
    let mut uuids = Vec::new();
    let mut put = |uuid: &Spanned<AnyUuid>| uuids.push((uuid.as_ref().0, uuid.span()));
    for service in &file.service {
        put(&service.uuid);
        for characteristic in &service.characteristic {
            put(&characteristic.uuid);
            characteristic.descriptor.iter().for_each(|descriptor| put(&descriptor.uuid));
        }
    }
    uuids
}

/// What an error is about.
fn uuid_of(error: &BuildError) -> Option<Uuid> {
    match error {
        BuildError::NoHandlesLeft { service, .. } | BuildError::IncludeUnknown { service } => Some(*service),
        BuildError::HandleTaken { uuid, .. } | BuildError::ValueTooLong { uuid, .. } => Some(*uuid),
        BuildError::DescriptorTwice { characteristic, .. }
        | BuildError::DescriptorAutomatic { characteristic, .. } => Some(*characteristic),
    }
}

/// An error at these octets of a file: its line, and the key that stands there.
fn at(text: &str, span: Option<Range<usize>>, cause: impl ToString) -> PeripheralError {
    let cause = cause.to_string();
    // What the whole file lacks is of no line.
    let span = span.filter(|span| span.start > 0 || !cause.starts_with("missing"));
    let before = span.and_then(|span| text.get(..span.start));
    let line = before.map(|before| before.matches('\n').count() + 1);
    let content = line.and_then(|line| text.lines().nth(line - 1)).unwrap_or_default();
    let content = content.split('#').next().unwrap_or_default();
    let key = content.split('=').next().unwrap_or_default().trim().to_owned();
    PeripheralError { line, key, cause }
}
