//! Notifications and indications on and off ([Vol 3] Part G, 4.10 and 4.11): a write to the Client Characteristic
//! Configuration descriptor (CCCD), which is looked for first where its handle is not known.

use super::{DiscoverDescriptors, Procedure, Response, Step};
use crate::att::pdu::{AttPdu, WriteReq};
use crate::codec::{HexInt, Rest};
use crate::gatt::{CLIENT_CHARACTERISTIC_CONFIGURATION, Characteristic, GattError, Properties};
use bytes::Bytes;

/// How the server sends values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Without confirmation.
    Notify,
    /// One at a time, each confirmed.
    Indicate,
}

impl Delivery {
    /// The bits of the descriptor ([Vol 3] Part G, 3.3.3.3).
    const fn bits(self) -> u16 {
        match self {
            Self::Notify => 0x0001,
            Self::Indicate => 0x0002,
        }
    }

    /// What the characteristic offers, notifications first.
    pub fn offered(properties: Properties) -> Option<Self> {
        if properties.contains(Properties::NOTIFY) {
            Some(Self::Notify)
        } else if properties.contains(Properties::INDICATE) {
            Some(Self::Indicate)
        } else {
            None
        }
    }
}

/// A subscription that the server has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscribed {
    /// The descriptor written, for [`Unsubscribe::at`].
    pub cccd: u16,
    /// How values will come.
    pub delivery: Delivery,
}

/// Switches notifications or indications on.
#[derive(Debug)]
pub struct Subscribe {
    delivery: Delivery,
    configuration: Configuration,
    /// Nobody waits for it who would pair for it.
    pub(super) without_raising: bool,
}

impl Subscribe {
    /// To a discovered characteristic, in the way it offers.
    ///
    /// # Errors
    /// [`GattError::NotSubscribable`] when its properties offer neither, [`GattError::NoCccd`] when it has no CCCD.
    pub fn new(characteristic: &Characteristic) -> Result<Self, GattError> {
        let value_handle = characteristic.value_handle;
        let delivery = Delivery::offered(characteristic.properties)
            .ok_or(GattError::NotSubscribable { value_handle })?;
        Self::forced(characteristic, delivery)
    }

    /// To a discovered characteristic, whatever its properties offer.
    ///
    /// # Errors
    /// [`GattError::NoCccd`] when it has no CCCD.
    pub fn forced(characteristic: &Characteristic, delivery: Delivery) -> Result<Self, GattError> {
        Ok(Self::at(cccd_of(characteristic)?, delivery))
    }

    /// By the handle of the CCCD.
    pub fn at(cccd: u16, delivery: Delivery) -> Self {
        Self { delivery, configuration: Configuration::at(cccd, delivery.bits()), without_raising: false }
    }

    /// By the value's handle and the characteristic's last one; the CCCD is looked for between them.
    ///
    /// # Errors
    /// [`GattError::NoCccd`] when there is no room for one. The procedure ends in the same error when none is found.
    pub fn searching(value_handle: u16, end_handle: u16, delivery: Delivery) -> Result<Self, GattError> {
        let configuration = Configuration::searching(value_handle, end_handle, delivery.bits())?;
        Ok(Self { delivery, configuration, without_raising: false })
    }

    /// Takes a refusal for want of security as the last word: the host does nothing about the security of the link.
    #[must_use]
    pub fn without_raising(mut self) -> Self {
        self.without_raising = true;
        self
    }
}

impl Procedure for Subscribe {
    type Output = Subscribed;
    const NAME: &'static str = "subscribe";

    fn start(&mut self, att_mtu: u16) -> Bytes {
        self.configuration.start(att_mtu)
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Subscribed>, GattError> {
        let delivery = self.delivery;
        self.configuration.on_response(response).map(|step| step.map(|cccd| Subscribed { cccd, delivery }))
    }
}

/// Switches notifications and indications off.
#[derive(Debug)]
pub struct Unsubscribe {
    configuration: Configuration,
}

impl Unsubscribe {
    /// From a discovered characteristic.
    ///
    /// # Errors
    /// [`GattError::NoCccd`] when it has no CCCD.
    pub fn new(characteristic: &Characteristic) -> Result<Self, GattError> {
        cccd_of(characteristic).map(Self::at)
    }

    /// By the handle of the CCCD.
    pub fn at(cccd: u16) -> Self {
        Self { configuration: Configuration::at(cccd, 0x0000) }
    }
}

impl Procedure for Unsubscribe {
    type Output = ();
    const NAME: &'static str = "unsubscribe";

    fn start(&mut self, att_mtu: u16) -> Bytes {
        self.configuration.start(att_mtu)
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<()>, GattError> {
        self.configuration.on_response(response).map(|step| step.map(|_cccd| ()))
    }
}

fn cccd_of(characteristic: &Characteristic) -> Result<u16, GattError> {
    characteristic.cccd().ok_or(GattError::NoCccd { value_handle: characteristic.value_handle })
}

/// The write to a CCCD.
#[derive(Debug)]
struct Configuration {
    bits: u16,
    state: State,
}

#[derive(Debug)]
enum State {
    Searching { value_handle: u16, search: DiscoverDescriptors },
    Writing { cccd: u16 },
}

impl Configuration {
    fn at(cccd: u16, bits: u16) -> Self {
        Self { bits, state: State::Writing { cccd } }
    }

    fn searching(value_handle: u16, end_handle: u16, bits: u16) -> Result<Self, GattError> {
        let search = DiscoverDescriptors::behind(value_handle, end_handle)
            .ok_or(GattError::NoCccd { value_handle })?;
        Ok(Self { bits, state: State::Searching { value_handle, search } })
    }

    fn start(&mut self, att_mtu: u16) -> Bytes {
        match &mut self.state {
            State::Searching { search, .. } => search.start(att_mtu),
            State::Writing { cccd } => write(*cccd, self.bits),
        }
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<u16>, GattError> {
        match &mut self.state {
            State::Searching { value_handle, search } => {
                let descriptors = match search.on_response(response)? {
                    Step::Send(next) => return Ok(Step::Send(next)),
                    Step::Done(descriptors) => descriptors,
                };
                let cccd = descriptors
                    .iter()
                    .find(|descriptor| descriptor.uuid == CLIENT_CHARACTERISTIC_CONFIGURATION)
                    .ok_or(GattError::NoCccd { value_handle: *value_handle })?
                    .handle;
                self.state = State::Writing { cccd };
                Ok(Step::Send(write(cccd, self.bits)))
            }
            State::Writing { cccd } => match response.pdu {
                AttPdu::WriteRsp(_) => Ok(Step::Done(*cccd)),
                _ => Err(response.refused()),
            },
        }
    }
}

fn write(cccd: u16, bits: u16) -> Bytes {
    AttPdu::from(WriteReq { attribute_handle: HexInt(cccd), attribute_value: Rest(&bits.to_le_bytes()) })
        .to_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::script::{error, run};
    use super::*;
    use crate::gatt::Descriptor;
    use crate::uuid16;

    fn characteristic(properties: Properties, descriptors: &[Descriptor]) -> Characteristic {
        Characteristic {
            uuid: uuid16(0x2A37),
            handle: 2,
            value_handle: 3,
            end_handle: 5,
            properties,
            extended_properties: None,
            user_description: None,
            descriptors: descriptors.into(),
            service_handle: 1,
            service_uuid: uuid16(0x180D),
        }
    }

    const CCCD: Descriptor = Descriptor { uuid: CLIENT_CHARACTERISTIC_CONFIGURATION, handle: 4 };
    const SENDS: [Properties; 2] = [Properties::NOTIFY, Properties::INDICATE];

    #[test]
    fn the_properties_choose_the_delivery_and_it_can_be_forced() {
        let subscribed = |delivery| Ok(Subscribed { cccd: 4, delivery });
        let [notify, indicate] = SENDS.map(|properties| characteristic(properties, &[CCCD]));
        let both = characteristic(Properties::NOTIFY | Properties::INDICATE, &[CCCD]);
        let on: (&[u8], &[u8]) = (&[0x12, 4, 0, 1, 0], &[0x13]);
        let indications: (&[u8], &[u8]) = (&[0x12, 4, 0, 2, 0], &[0x13]);
        for c in [&notify, &both] {
            let subscribe = Subscribe::new(c).expect("a CCCD");
            assert_eq!(run(subscribe, 23, &[on]), subscribed(Delivery::Notify));
        }
        let subscribe = Subscribe::new(&indicate).expect("a CCCD");
        assert_eq!(run(subscribe, 23, &[indications]), subscribed(Delivery::Indicate));
        let forced = Subscribe::forced(&notify, Delivery::Indicate).expect("a CCCD");
        assert_eq!(run(forced, 23, &[indications]), subscribed(Delivery::Indicate));
    }

    #[test]
    fn unsubscribing_clears_the_descriptor() {
        let off = Unsubscribe::new(&characteristic(Properties::NOTIFY, &[CCCD])).expect("a CCCD");
        assert_eq!(run(off, 23, &[(&[0x12, 4, 0, 0, 0], &[0x13])]), Ok(()));
    }

    #[test]
    fn a_cccd_that_is_not_known_is_looked_for_in_the_characteristic() {
        let search = || Subscribe::searching(3, 6, Delivery::Notify).expect("room");
        let found = run(
            search(),
            23,
            &[
                (&[0x04, 4, 0, 6, 0], &[0x05, 1, 4, 0, 0x01, 0x29, 5, 0, 0x02, 0x29]),
                (&[0x04, 6, 0, 6, 0], &error(0x04, 6, 0x0A)),
                (&[0x12, 5, 0, 1, 0], &[0x13]),
            ],
        );
        assert_eq!(found, Ok(Subscribed { cccd: 5, delivery: Delivery::Notify }));
        // The description alone, and nothing at all.
        let no_cccd = Err(GattError::NoCccd { value_handle: 3 });
        let other: &[u8] = &[0x05, 1, 6, 0, 0x01, 0x29];
        assert_eq!(run(search(), 23, &[(&[0x04, 4, 0, 6, 0], other)]), no_cccd);
        assert_eq!(run(search(), 23, &[(&[0x04, 4, 0, 6, 0], &error(0x04, 4, 0x0A))]), no_cccd);
        assert!(Subscribe::searching(3, 3, Delivery::Notify).is_err());
    }

    #[test]
    fn a15_properties_that_lie_are_an_error() {
        let lying = characteristic(Properties::NOTIFY, &[]);
        let error = Subscribe::new(&lying).map(|_| ());
        assert_eq!(error, Err(GattError::NoCccd { value_handle: 3 }));
        assert!(Unsubscribe::new(&lying).is_err());
        let silent = characteristic(Properties::READ, &[CCCD]);
        let error = Subscribe::new(&silent).map(|_| ());
        assert_eq!(error, Err(GattError::NotSubscribable { value_handle: 3 }));
        assert!(Subscribe::forced(&silent, Delivery::Notify).is_ok());
    }

    #[test]
    fn a_refused_write_of_the_descriptor_is_the_result() {
        let subscribe = Subscribe::at(4, Delivery::Notify);
        let refused = run(subscribe, 23, &[(&[0x12, 4, 0, 1, 0], &error(0x12, 4, 0x05))]);
        assert!(matches!(refused, Err(GattError::Att { handle: 4, .. })));
    }
}
