//! Discover All Characteristics of a Service ([Vol 3] Part G, 4.6.1).

use super::discover_included::read_by_type;
use super::walk::{Walk, check_entries, uuid};
use super::{Procedure, Response, Step};
use crate::Uuid;
use crate::att::AttError;
use crate::att::pdu::AttPdu;
use crate::gatt::{CHARACTERISTIC, GattError, Properties};
use bytes::Bytes;

/// A characteristic as its declaration shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CharacteristicDeclaration {
    /// What it is.
    pub uuid: Uuid,
    /// Its declaration.
    pub handle: u16,
    /// Its value.
    pub value_handle: u16,
    /// Its last attribute: the one before the next declaration or the end of the service.
    pub end_handle: u16,
    /// What may be done with it.
    pub properties: Properties,
}

/// Finds the characteristics of a service; their descriptors are for another procedure.
#[derive(Debug)]
pub struct DiscoverCharacteristics {
    walk: Walk,
    end_handle: u16,
    found: Vec<CharacteristicDeclaration>,
}

impl DiscoverCharacteristics {
    /// In the service from its declaration to its last attribute.
    pub fn within(handle: u16, end_handle: u16) -> Self {
        Self { walk: Walk::new(handle, end_handle), end_handle, found: Vec::new() }
    }

    fn add(&mut self, response: &Response<'_>, handle: u16, value: &[u8]) -> Result<(), GattError> {
        let invalid = |cause| GattError::DatabaseInvalid { cause, handle };
        let (properties, value_handle, uuid) = declaration(value)
            .ok_or_else(|| response.invalid("a characteristic declaration has neither 5 nor 19 octets"))?;
        self.walk.take(handle, handle)?;
        if value_handle <= handle || value_handle > self.end_handle {
            return Err(invalid("a characteristic's value is outside of it"));
        }
        if let Some(last) = self.found.last_mut() {
            if last.value_handle >= handle {
                return Err(invalid("a characteristic begins before the value of the one before"));
            }
            last.end_handle = handle.saturating_sub(1);
        }
        let end_handle = self.end_handle;
        self.found.push(CharacteristicDeclaration { uuid, handle, value_handle, end_handle, properties });
        Ok(())
    }

    fn proceed(&mut self) -> Step<Vec<CharacteristicDeclaration>> {
        match self.walk.left() {
            Some((start, end)) => Step::Send(read_by_type(start, end, CHARACTERISTIC)),
            None => self.done(),
        }
    }

    fn done(&mut self) -> Step<Vec<CharacteristicDeclaration>> {
        Step::Done(std::mem::take(&mut self.found))
    }
}

impl Procedure for DiscoverCharacteristics {
    type Output = Vec<CharacteristicDeclaration>;
    const NAME: &'static str = "discover characteristics";

    fn start(&mut self, _att_mtu: u16) -> Bytes {
        self.walk.left().map(|(start, end)| read_by_type(start, end, CHARACTERISTIC)).unwrap_or_default()
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Self::Output>, GattError> {
        match response.pdu {
            AttPdu::ReadByTypeRsp(rsp) => {
                check_entries(&response, rsp.length.into(), rsp.attribute_data.0)?;
                for (handle, value) in rsp.entries() {
                    self.add(&response, handle, value)?;
                }
                Ok(self.proceed())
            }
            _ if response.error_code() == Some(AttError::AttributeNotFound) => Ok(self.done()),
            _ => Err(response.refused()),
        }
    }
}

/// Properties, value handle and UUID ([Vol 3] Part G, 3.3.1).
fn declaration(value: &[u8]) -> Option<(Properties, u16, Uuid)> {
    let (&properties, rest) = value.split_first()?;
    let (value_handle, rest) = rest.split_first_chunk()?;
    Some((Properties(properties), u16::from_le_bytes(*value_handle), uuid(rest)?))
}

#[cfg(test)]
mod tests {
    use super::super::script::{error, run};
    use super::*;

    const FIRST: &[u8] = &[0x08, 1, 0, 9, 0, 0x03, 0x28];

    fn first_answer(answer: &[u8]) -> Result<Vec<CharacteristicDeclaration>, GattError> {
        run(DiscoverCharacteristics::within(1, 9), 23, &[(FIRST, answer)])
    }

    #[test]
    fn a_characteristic_ends_before_the_next_one_or_with_the_service() {
        let long = [&[0x09, 21, 6, 0, 0x12, 7, 0][..], &[7; 16]].concat();
        let found = run(
            DiscoverCharacteristics::within(1, 9),
            23,
            &[
                (FIRST, &[0x09, 7, 2, 0, 0x02, 3, 0, 0x00, 0x2A, 4, 0, 0x08, 5, 0, 0x00, 0x2A]),
                (&[0x08, 5, 0, 9, 0, 0x03, 0x28], &long),
                (&[0x08, 7, 0, 9, 0, 0x03, 0x28], &error(0x08, 7, 0x0A)),
            ],
        )
        .expect("three characteristics");
        let handles: Vec<_> = found.iter().map(|c| (c.handle, c.value_handle, c.end_handle)).collect();
        // The first two share a UUID and stay two.
        assert_eq!(handles, [(2, 3, 3), (4, 5, 5), (6, 7, 9)]);
        assert_eq!(found[2].uuid, Uuid::from_u128(u128::from_le_bytes([7; 16])));
        assert_eq!(found[2].properties, Properties::READ | Properties::NOTIFY);
    }

    #[test]
    fn a3_declarations_without_progress_end_the_discovery() {
        let one: &[u8] = &[0x09, 7, 2, 0, 2, 3, 0, 0, 0x2A];
        let next: &[u8] = &[0x08, 3, 0, 9, 0, 0x03, 0x28];
        let again = run(DiscoverCharacteristics::within(1, 9), 23, &[(FIRST, one), (next, one)]);
        assert!(matches!(again, Err(GattError::DatabaseInvalid { handle: 2, .. })));
        for (what, answer) in [
            ("repeated", &[0x09, 7, 2, 0, 2, 3, 0, 0, 0x2A, 2, 0, 2, 3, 0, 0, 0x2A][..]),
            ("descending", &[0x09, 7, 5, 0, 2, 6, 0, 0, 0x2A, 2, 0, 2, 3, 0, 0, 0x2A]),
            ("outside", &[0x09, 7, 10, 0, 2, 11, 0, 0, 0x2A]),
            ("handle 0", &[0x09, 7, 0, 0, 2, 1, 0, 0, 0x2A]),
        ] {
            assert!(matches!(first_answer(answer), Err(GattError::DatabaseInvalid { .. })), "{what}");
        }
    }

    #[test]
    fn a4_a_value_outside_its_characteristic_is_refused() {
        for (what, answer) in [
            ("value behind the service", &[0x09, 7, 2, 0, 2, 10, 0, 0, 0x2A][..]),
            ("value 0", &[0x09, 7, 2, 0, 2, 0, 0, 0, 0x2A]),
            ("value is the declaration", &[0x09, 7, 2, 0, 2, 2, 0, 0, 0x2A]),
            ("value in the next one", &[0x09, 7, 2, 0, 2, 5, 0, 0, 0x2A, 4, 0, 2, 5, 0, 0, 0x2A]),
        ] {
            assert!(matches!(first_answer(answer), Err(GattError::DatabaseInvalid { .. })), "{what}");
        }
    }

    #[test]
    fn a4_entries_of_a_length_that_cannot_be_are_refused() {
        for length in [0, 1, 2, 3, 5, 6, 8, 9, 20, 22] {
            let answer =
                [&[0x09, length, 2, 0][..], &vec![3; usize::from(length).saturating_sub(2)]].concat();
            let result = first_answer(&answer);
            assert!(matches!(result, Err(GattError::InvalidResponse { .. })), "{length}: {result:?}");
        }
        assert!(matches!(
            first_answer(&[0x09, 7, 2, 0, 2, 3, 0, 0, 0x2A, 4]),
            Err(GattError::InvalidResponse { .. })
        ));
    }
}
