//! The whole table of a peer: the discovery procedures one after the other, and the reads that complete them.

use super::{
    CharacteristicDeclaration, DiscoverCharacteristics, DiscoverDescriptors, DiscoverIncluded,
    DiscoverServices, Procedure, Read, Response, ServiceDeclaration, Step,
};
use crate::Uuid;
use crate::gatt::{
    Characteristic, Descriptor, EXTENDED_PROPERTIES, ExtendedProperties, GattError, Include, Service,
    Services, USER_DESCRIPTION,
};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Discovers all services, or those of some UUIDs, with all that stands in them.
///
/// The Extended Properties descriptors are read; one that the server refuses to give is absent
/// from the result and no error.
#[derive(Debug)]
pub struct Discover {
    user_descriptions: bool,
    att_mtu: u16,
    /// The procedure in progress, and those behind it.
    task: Task,
    waiting: VecDeque<Task>,
    found: Found,
}

/// A procedure, with the handle that its result belongs to.
#[derive(Debug)]
enum Task {
    Services(DiscoverServices),
    Included(u16, DiscoverIncluded),
    Characteristics(u16, DiscoverCharacteristics),
    Descriptors(u16, DiscoverDescriptors),
    ExtendedProperties(u16, Read),
    UserDescription(u16, Read),
}

/// What is known so far, by the handle of the service or characteristic declaration.
#[derive(Debug, Default)]
struct Found {
    services: Vec<ServiceDeclaration>,
    includes: BTreeMap<u16, Vec<Include>>,
    characteristics: BTreeMap<u16, Vec<CharacteristicDeclaration>>,
    descriptors: BTreeMap<u16, Vec<Descriptor>>,
    extended_properties: BTreeMap<u16, ExtendedProperties>,
    user_descriptions: BTreeMap<u16, Arc<str>>,
}

impl Discover {
    /// All primary services, and the secondary ones that they may include.
    pub fn all() -> Self {
        let secondary = Task::Services(DiscoverServices::secondary());
        Self::new(Task::Services(DiscoverServices::primary()), [secondary].into())
    }

    /// The primary services of these UUIDs alone; all services when there are none.
    pub fn only(uuids: impl IntoIterator<Item = Uuid>) -> Self {
        let mut wanted: Vec<_> = uuids.into_iter().collect();
        wanted.sort();
        wanted.dedup();
        let mut tasks: VecDeque<_> =
            wanted.into_iter().map(|uuid| Task::Services(DiscoverServices::primary_of(uuid))).collect();
        match tasks.pop_front() {
            Some(first) => Self::new(first, tasks),
            None => Self::all(),
        }
    }

    /// Reads the Characteristic User Descriptions too, one request more for each.
    #[must_use]
    pub fn with_user_descriptions(mut self) -> Self {
        self.user_descriptions = true;
        self
    }

    fn new(task: Task, waiting: VecDeque<Task>) -> Self {
        Self { user_descriptions: false, att_mtu: 0, task, waiting, found: Found::default() }
    }

    fn on_services(&mut self, services: Vec<ServiceDeclaration>) -> Result<(), GattError> {
        self.found.services.extend(services);
        let more = |task: &Task| matches!(task, Task::Services(_));
        if self.waiting.iter().any(more) {
            return Ok(());
        }
        // The last list of services is here: now what stands in them.
        self.found.check_services()?;
        for service in &self.found.services {
            // A service of its declaration alone has no contents.
            if service.handle == service.end_handle {
                continue;
            }
            let (start, end) = (service.handle, service.end_handle);
            self.waiting.push_back(Task::Included(start, DiscoverIncluded::within(start, end)));
            self.waiting.push_back(Task::Characteristics(start, DiscoverCharacteristics::within(start, end)));
        }
        Ok(())
    }

    fn on_characteristics(&mut self, service: u16, found: Vec<CharacteristicDeclaration>) {
        for characteristic in &found {
            if let Some(descriptors) = DiscoverDescriptors::of(characteristic) {
                self.waiting.push_back(Task::Descriptors(characteristic.handle, descriptors));
            }
        }
        self.found.characteristics.insert(service, found);
    }

    fn on_descriptors(&mut self, characteristic: u16, found: Vec<Descriptor>) {
        for descriptor in &found {
            let read = Read::new(descriptor.handle);
            if descriptor.uuid == EXTENDED_PROPERTIES {
                self.waiting.push_back(Task::ExtendedProperties(characteristic, read));
            } else if descriptor.uuid == USER_DESCRIPTION && self.user_descriptions {
                self.waiting.push_back(Task::UserDescription(characteristic, read));
            }
        }
        self.found.descriptors.insert(characteristic, found);
    }

    /// Hands the response to the task in progress and keeps what it learned; gives its next request.
    fn fold(&mut self, response: Response<'_>) -> Result<Option<Bytes>, GattError> {
        /// The output of a step, or its request to the caller.
        macro_rules! done {
            ($step:expr) => {
                match $step {
                    Step::Send(pdu) => return Ok(Some(pdu)),
                    Step::Done(output) => output,
                }
            };
        }
        match &mut self.task {
            Task::Services(procedure) => {
                let services = done!(procedure.on_response(response)?);
                self.on_services(services)?;
            }
            Task::Included(service, procedure) => {
                let includes = done!(procedure.on_response(response)?);
                self.found.includes.insert(*service, includes);
            }
            Task::Characteristics(service, procedure) => {
                let (service, found) = (*service, done!(procedure.on_response(response)?));
                self.on_characteristics(service, found);
            }
            Task::Descriptors(characteristic, procedure) => {
                let (characteristic, found) = (*characteristic, done!(procedure.on_response(response)?));
                self.on_descriptors(characteristic, found);
            }
            Task::ExtendedProperties(characteristic, read) => {
                if let Some(value) = done!(readable(read.on_response(response))?)
                    && let Some(bits) = value.first_chunk()
                {
                    let bits = ExtendedProperties(u16::from_le_bytes(*bits));
                    self.found.extended_properties.insert(*characteristic, bits);
                }
            }
            Task::UserDescription(characteristic, read) => {
                if let Some(value) = done!(readable(read.on_response(response))?) {
                    let text = String::from_utf8_lossy(&value).into();
                    self.found.user_descriptions.insert(*characteristic, text);
                }
            }
        }
        Ok(None)
    }
}

impl Procedure for Discover {
    type Output = Services;
    const NAME: &'static str = "discover";

    fn start(&mut self, att_mtu: u16) -> Bytes {
        self.att_mtu = att_mtu;
        self.task.start(att_mtu)
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Services>, GattError> {
        if let Some(request) = self.fold(response)? {
            return Ok(Step::Send(request));
        }
        match self.waiting.pop_front() {
            Some(task) => {
                self.task = task;
                Ok(Step::Send(self.task.start(self.att_mtu)))
            }
            None => Ok(Step::Done(std::mem::take(&mut self.found).build())),
        }
    }
}

impl Task {
    fn start(&mut self, att_mtu: u16) -> Bytes {
        match self {
            Self::Services(procedure) => procedure.start(att_mtu),
            Self::Included(_, procedure) => procedure.start(att_mtu),
            Self::Characteristics(_, procedure) => procedure.start(att_mtu),
            Self::Descriptors(_, procedure) => procedure.start(att_mtu),
            Self::ExtendedProperties(_, read) | Self::UserDescription(_, read) => read.start(att_mtu),
        }
    }
}

/// A descriptor that the server refuses to read is one that we do without.
fn readable(step: Result<Step<Bytes>, GattError>) -> Result<Step<Option<Bytes>>, GattError> {
    match step {
        Err(GattError::Att { .. }) => Ok(Step::Done(None)),
        other => other.map(|step| step.map(Some)),
    }
}

impl Found {
    /// Orders the services, primary ones first, and refuses those that share attributes.
    fn check_services(&mut self) -> Result<(), GattError> {
        self.services.sort_by_key(|service| service.handle);
        for pair in self.services.windows(2) {
            if let [first, second] = pair
                && second.handle <= first.end_handle
            {
                return Err(GattError::DatabaseInvalid {
                    cause: "two services overlap",
                    handle: second.handle,
                });
            }
        }
        self.services.sort_by_key(|service| !service.primary);
        Ok(())
    }

    fn build(mut self) -> Services {
        let services = std::mem::take(&mut self.services);
        Services::new(services.into_iter().map(|service| self.service(service)).collect())
    }

    fn service(&mut self, declared: ServiceDeclaration) -> Service {
        let ServiceDeclaration { uuid, handle, end_handle, primary } = declared;
        let characteristics = self.characteristics.remove(&handle).unwrap_or_default();
        let characteristics =
            characteristics.into_iter().map(|found| self.characteristic(&declared, found)).collect();
        let includes = self.includes.remove(&handle).unwrap_or_default().into();
        Service { uuid, handle, end_handle, primary, includes, characteristics }
    }

    fn characteristic(
        &mut self,
        service: &ServiceDeclaration,
        found: CharacteristicDeclaration,
    ) -> Characteristic {
        let CharacteristicDeclaration { uuid, handle, value_handle, end_handle, properties } = found;
        Characteristic {
            uuid,
            handle,
            value_handle,
            end_handle,
            properties,
            extended_properties: self.extended_properties.remove(&handle),
            user_description: self.user_descriptions.remove(&handle),
            descriptors: self.descriptors.remove(&handle).unwrap_or_default().into(),
            service_handle: service.handle,
            service_uuid: service.uuid,
        }
    }
}
