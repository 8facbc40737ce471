//! The attribute table of a peer as discovery found it: services, included services, characteristics, descriptors.
//!
//! Everything is plain data behind `Arc`s: a [`Characteristic`] is cloned for the price of a few counters and holds no
//! lifetime. The handle is the identity of an attribute; a UUID may stand any number of times, and looking one up
//! that does is an error that lists the handles.

mod properties;

pub use properties::{ExtendedProperties, Properties};

use crate::Uuid;
use crate::gatt::CLIENT_CHARACTERISTIC_CONFIGURATION;
use std::fmt;
use std::sync::Arc;

/// The services of a peer, in the order of discovery: primary ones by handle, then secondary ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services(Arc<[Service]>);

/// A service and what stands in it ([Vol 3] Part G, 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Service {
    /// What it is.
    pub uuid: Uuid,
    /// Its declaration.
    pub handle: u16,
    /// Its last attribute.
    pub end_handle: u16,
    /// Whether it stands for itself; a secondary one is there to be included.
    pub primary: bool,
    /// Services that it refers to.
    pub includes: Arc<[Include]>,
    /// Its characteristics, by handle.
    pub characteristics: Arc<[Characteristic]>,
}

/// A reference to another service ([Vol 3] Part G, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Include {
    /// The include declaration.
    pub handle: u16,
    /// What the included service is.
    pub uuid: Uuid,
    /// The included service's declaration.
    pub service_handle: u16,
    /// The included service's last attribute.
    pub end_handle: u16,
}

/// A characteristic ([Vol 3] Part G, 3.3). Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Characteristic {
    /// What it is.
    pub uuid: Uuid,
    /// Its declaration.
    pub handle: u16,
    /// Its value, which is read, written and notified.
    pub value_handle: u16,
    /// Its last attribute.
    pub end_handle: u16,
    /// What may be done with it, as it declares.
    pub properties: Properties,
    /// More of the same, where it has the descriptor and it could be read.
    pub extended_properties: Option<ExtendedProperties>,
    /// Its name for people, where it has one and it was asked for and could be read.
    pub user_description: Option<Arc<str>>,
    /// Its descriptors, by handle.
    pub descriptors: Arc<[Descriptor]>,
    /// The declaration of the service that it stands in.
    pub service_handle: u16,
    /// What that service is.
    pub service_uuid: Uuid,
}

/// An attribute that says more about a characteristic ([Vol 3] Part G, 3.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Descriptor {
    /// What it is.
    pub uuid: Uuid,
    /// Where it is.
    pub handle: u16,
}

impl Services {
    pub(crate) fn new(services: Vec<Service>) -> Self {
        Self(services.into())
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Service> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the peer has none, or none of those asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All characteristics of all services, by handle within each service.
    pub fn characteristics(&self) -> impl Iterator<Item = &Characteristic> {
        self.iter().flat_map(|service| service.characteristics.iter())
    }

    /// The one service of this UUID.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn service(&self, uuid: Uuid) -> Result<Service, LookupError> {
        let found =
            self.iter().filter(|service| service.uuid == uuid).map(|service| (service.handle, service));
        only(found, Kind::Service, uuid, None, || self.iter().map(|service| service.uuid).collect())
    }

    /// The service in whose range the attribute stands.
    pub fn service_at(&self, handle: u16) -> Option<&Service> {
        self.iter().find(|service| (service.handle..=service.end_handle).contains(&handle))
    }

    /// The one characteristic of this UUID in services of that UUID.
    ///
    /// # Errors
    /// When there is no such service or no such characteristic in it, or more than one.
    pub fn characteristic(&self, service: Uuid, uuid: Uuid) -> Result<Characteristic, LookupError> {
        if !self.iter().any(|s| s.uuid == service) {
            self.service(service)?;
        }
        let inside = || self.characteristics().filter(move |c| c.service_uuid == service);
        let found = inside().filter(|c| c.uuid == uuid).map(|c| (c.value_handle, c));
        only(found, Kind::Characteristic, uuid, Some(service), || inside().map(|c| c.uuid).collect())
    }

    /// The one characteristic of this UUID, whatever service it stands in.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(&self, uuid: Uuid) -> Result<Characteristic, LookupError> {
        let found = self.characteristics().filter(|c| c.uuid == uuid).map(|c| (c.value_handle, c));
        only(found, Kind::Characteristic, uuid, None, || self.characteristics().map(|c| c.uuid).collect())
    }

    /// The characteristic that owns the attribute: its declaration, its value or one of its descriptors.
    pub fn characteristic_at(&self, handle: u16) -> Option<&Characteristic> {
        self.characteristics().find(|c| (c.handle..=c.end_handle).contains(&handle))
    }
}

impl<'a> IntoIterator for &'a Services {
    type Item = &'a Service;
    type IntoIter = std::slice::Iter<'a, Service>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Service {
    /// The one characteristic of this UUID in this service.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn characteristic(&self, uuid: Uuid) -> Result<Characteristic, LookupError> {
        let found = self.characteristics.iter().filter(|c| c.uuid == uuid).map(|c| (c.value_handle, c));
        only(found, Kind::Characteristic, uuid, Some(self.uuid), || {
            self.characteristics.iter().map(|c| c.uuid).collect()
        })
    }
}

impl Characteristic {
    /// The one descriptor of this UUID.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn descriptor(&self, uuid: Uuid) -> Result<Descriptor, LookupError> {
        let found = self.descriptors.iter().filter(|d| d.uuid == uuid).map(|d| (d.handle, d));
        only(found, Kind::Descriptor, uuid, Some(self.uuid), || {
            self.descriptors.iter().map(|d| d.uuid).collect()
        })
    }

    /// The descriptor that switches notifications and indications.
    pub fn cccd(&self) -> Option<u16> {
        self.descriptors.iter().find(|d| d.uuid == CLIENT_CHARACTERISTIC_CONFIGURATION).map(|d| d.handle)
    }
}

/// What was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Service,
    Characteristic,
    Descriptor,
}

/// A UUID that names no attribute of the peer, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupError {
    kind: Kind,
    uuid: Uuid,
    within: Option<Uuid>,
    found: Found,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Other(Vec<Uuid>),
    Several(Vec<u16>),
}

impl LookupError {
    /// The UUID looked up.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// What there was instead, each once; empty when the UUID stands several times.
    pub fn available(&self) -> &[Uuid] {
        match &self.found {
            Found::Other(uuids) => uuids,
            Found::Several(_) => &[],
        }
    }

    /// Where the UUID stands, when that is more than once: declarations of services, values of characteristics,
    /// descriptors.
    pub fn handles(&self) -> &[u16] {
        match &self.found {
            Found::Other(_) => &[],
            Found::Several(handles) => handles,
        }
    }
}

impl std::error::Error for LookupError {}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, place) = match self.kind {
            Kind::Service => ("service", "service"),
            Kind::Characteristic => ("characteristic", "service"),
            Kind::Descriptor => ("descriptor", "characteristic"),
        };
        write!(f, "{kind} {}", self.uuid.short())?;
        if let Some(within) = self.within {
            write!(f, " of {place} {}", within.short())?;
        }
        match &self.found {
            Found::Other(uuids) if uuids.is_empty() => f.write_str(" not found: the peer has none at all"),
            Found::Other(uuids) => {
                f.write_str(" not found; there is ")?;
                list(f, uuids, |f, uuid| write!(f, "{}", uuid.short()))
            }
            Found::Several(handles) => {
                f.write_str(" is ambiguous; it stands at ")?;
                list(f, handles, |f, handle| write!(f, "0x{handle:04X}"))?;
                f.write_str(": name it by its handle")
            }
        }
    }
}

/// Most entries that a message lists.
const LISTED: usize = 32;

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    entries: &[T],
    print: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (n, entry) in entries.iter().take(LISTED).enumerate() {
        f.write_str(if n == 0 { "" } else { ", " })?;
        print(f, entry)?;
    }
    match entries.len().checked_sub(LISTED) {
        None | Some(0) => Ok(()),
        Some(more) => write!(f, " and {more} more"),
    }
}

/// The one entry found, or the error that says what there is.
fn only<'a, T: Clone + 'a>(
    found: impl Iterator<Item = (u16, &'a T)>,
    kind: Kind,
    uuid: Uuid,
    within: Option<Uuid>,
    available: impl FnOnce() -> Vec<Uuid>,
) -> Result<T, LookupError> {
    let found: Vec<_> = found.collect();
    let found = match found.as_slice() {
        [(_, entry)] => return Ok((*entry).clone()),
        [] => {
            let mut uuids = available();
            uuids.sort();
            uuids.dedup();
            Found::Other(uuids)
        }
        several => Found::Several(several.iter().map(|(handle, _)| *handle).collect()),
    };
    Err(LookupError { kind, uuid, within, found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uuid16;

    fn characteristic(service: u16, handle: u16, uuid: u16) -> Characteristic {
        let descriptor = |uuid, handle| Descriptor { uuid: uuid16(uuid), handle };
        Characteristic {
            uuid: uuid16(uuid),
            handle,
            value_handle: handle + 1,
            end_handle: handle + 3,
            properties: Properties::READ | Properties::NOTIFY,
            extended_properties: None,
            user_description: None,
            descriptors: [descriptor(0x2902, handle + 2), descriptor(0x2901, handle + 3)].into(),
            service_handle: service,
            service_uuid: uuid16(0x180F),
        }
    }

    fn service(uuid: u16, handle: u16, characteristics: &[Characteristic]) -> Service {
        Service {
            uuid: uuid16(uuid),
            handle,
            end_handle: handle + 15,
            primary: true,
            includes: [].into(),
            characteristics: characteristics.into(),
        }
    }

    /// Two battery services with a level each, the second with a state besides; one empty service.
    fn services() -> Services {
        Services::new(vec![
            service(0x180F, 0x10, &[characteristic(0x10, 0x11, 0x2A19)]),
            service(0x180F, 0x20, &[characteristic(0x20, 0x21, 0x2A19), characteristic(0x20, 0x25, 0x2A1B)]),
            service(0x1801, 0x30, &[]),
        ])
    }

    #[test]
    fn what_stands_once_is_found_by_uuid() {
        let services = services();
        assert_eq!(services.find(uuid16(0x2A1B)).map(|c| c.value_handle), Ok(0x26));
        assert_eq!(services.characteristic(uuid16(0x180F), uuid16(0x2A1B)).map(|c| c.handle), Ok(0x25));
        assert_eq!(services.service(uuid16(0x1801)).map(|s| s.handle), Ok(0x30));
        let first = services.iter().next().expect("the first battery service");
        let level = first.characteristic(uuid16(0x2A19)).expect("once in this service");
        assert_eq!((level.service_handle, level.value_handle, level.cccd()), (0x10, 0x12, Some(0x13)));
        assert_eq!(level.descriptor(uuid16(0x2901)).map(|d| d.handle), Ok(0x14));
    }

    #[test]
    fn what_stands_twice_is_refused_with_its_handles() {
        let services = services();
        for error in [
            services.find(uuid16(0x2A19)).expect_err("twice"),
            services.characteristic(uuid16(0x180F), uuid16(0x2A19)).expect_err("twice"),
        ] {
            assert_eq!(error.handles(), [0x12, 0x22]);
            assert_eq!(error.available(), []);
        }
        assert_eq!(
            services.find(uuid16(0x2A19)).expect_err("twice").to_string(),
            "characteristic 0x2A19 is ambiguous; it stands at 0x0012, 0x0022: name it by its handle"
        );
        assert_eq!(services.service(uuid16(0x180F)).expect_err("twice").handles(), [0x10, 0x20]);
    }

    #[test]
    fn what_is_missing_is_refused_with_what_there_is() {
        let services = services();
        let error = services.characteristic(uuid16(0x180D), uuid16(0x2A37)).expect_err("no such service");
        assert_eq!(error.to_string(), "service 0x180D not found; there is 0x1801, 0x180F");
        let error = services.characteristic(uuid16(0x180F), uuid16(0x2A37)).expect_err("no such one");
        assert_eq!(error.available(), [uuid16(0x2A19), uuid16(0x2A1B)]);
        assert_eq!(
            error.to_string(),
            "characteristic 0x2A37 of service 0x180F not found; there is 0x2A19, 0x2A1B"
        );
        let error =
            services.find(uuid16(0x2A1B)).expect("once").descriptor(uuid16(0x2904)).expect_err("none");
        assert_eq!(
            error.to_string(),
            "descriptor 0x2904 of characteristic 0x2A1B not found; there is 0x2901, 0x2902"
        );
        let nothing = Services::default().find(uuid16(1)).expect_err("nothing");
        assert_eq!(nothing.to_string(), "characteristic 0x0001 not found: the peer has none at all");
    }

    #[test]
    fn a_long_list_is_cut_in_the_message_alone() {
        let many: Vec<_> = (0..40).map(|n| service(0x1000 + n, 0x10 * (n + 1), &[])).collect();
        let error = Services::new(many).service(uuid16(1)).expect_err("none");
        assert_eq!(error.available().len(), 40);
        assert!(error.to_string().ends_with("0x101F and 8 more"), "{error}");
    }

    #[test]
    fn a_handle_leads_to_its_owner() {
        let services = services();
        for handle in 0x21..=0x24 {
            assert_eq!(services.characteristic_at(handle).map(|c| c.handle), Some(0x21));
        }
        assert_eq!(services.characteristic_at(0x20), None);
        assert_eq!(services.service_at(0x2F).map(|s| s.handle), Some(0x20));
        assert_eq!(services.service_at(0x40), None);
    }
}
