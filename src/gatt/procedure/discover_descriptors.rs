//! Discover All Characteristic Descriptors ([Vol 3] Part G, 4.7.1).

use super::walk::{Walk, check_entries, uuid};
use super::{CharacteristicDeclaration, Procedure, Response, Step};
use crate::att::AttError;
use crate::att::pdu::{AttPdu, FindInformationReq};
use crate::codec::HexInt;
use crate::gatt::{Descriptor, GattError};
use bytes::Bytes;

/// Finds the attributes behind a characteristic's value.
#[derive(Debug)]
pub struct DiscoverDescriptors {
    walk: Walk,
    found: Vec<Descriptor>,
}

impl DiscoverDescriptors {
    /// Between two handles, both included.
    pub fn within(start: u16, end: u16) -> Self {
        Self { walk: Walk::new(start, end), found: Vec::new() }
    }

    /// Of a characteristic; `None` when it has no room for descriptors.
    pub fn of(characteristic: &CharacteristicDeclaration) -> Option<Self> {
        Self::behind(characteristic.value_handle, characteristic.end_handle)
    }

    pub(super) fn behind(value_handle: u16, end_handle: u16) -> Option<Self> {
        let start = value_handle.checked_add(1).filter(|start| *start <= end_handle)?;
        Some(Self::within(start, end_handle))
    }

    fn request(&self) -> Option<Bytes> {
        let (start, end) = self.walk.left()?;
        let request = FindInformationReq { starting_handle: HexInt(start), ending_handle: HexInt(end) };
        Some(AttPdu::from(request).to_bytes())
    }

    fn done(&mut self) -> Step<Vec<Descriptor>> {
        Step::Done(std::mem::take(&mut self.found))
    }
}

impl Procedure for DiscoverDescriptors {
    type Output = Vec<Descriptor>;
    const NAME: &'static str = "discover descriptors";

    fn start(&mut self, _att_mtu: u16) -> Bytes {
        self.request().unwrap_or_default()
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Self::Output>, GattError> {
        match response.pdu {
            AttPdu::FindInformationRsp(rsp) => {
                let length = match rsp.format {
                    1 => 4,
                    2 => 18,
                    _ => return Err(response.invalid("its format is neither 1 nor 2")),
                };
                check_entries(&response, length, rsp.information_data.0)?;
                for (handle, octets) in rsp.entries() {
                    let uuid = uuid(octets).ok_or_else(|| response.invalid("a descriptor has no UUID"))?;
                    self.walk.take(handle, handle)?;
                    self.found.push(Descriptor { uuid, handle });
                }
                Ok(self.request().map_or_else(|| self.done(), Step::Send))
            }
            _ if response.error_code() == Some(AttError::AttributeNotFound) => Ok(self.done()),
            _ => Err(response.refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{error, run};
    use super::*;
    use crate::{Uuid, uuid16};

    const FIRST: &[u8] = &[0x04, 4, 0, 9, 0];

    fn first_answer(answer: &[u8]) -> Result<Vec<Descriptor>, GattError> {
        run(DiscoverDescriptors::within(4, 9), 23, &[(FIRST, answer)])
    }

    #[test]
    fn both_formats_are_read_up_to_the_end_of_the_range() {
        let long = [&[0x05, 2, 9, 0][..], &[7; 16]].concat();
        let found = run(
            DiscoverDescriptors::within(4, 9),
            23,
            &[(FIRST, &[0x05, 1, 4, 0, 0x02, 0x29, 5, 0, 0x01, 0x29]), (&[0x04, 6, 0, 9, 0], &long)],
        );
        let long = Uuid::from_u128(u128::from_le_bytes([7; 16]));
        let descriptor = |uuid, handle| Descriptor { uuid, handle };
        assert_eq!(
            found,
            Ok(vec![descriptor(uuid16(0x2902), 4), descriptor(uuid16(0x2901), 5), descriptor(long, 9)])
        );
    }

    #[test]
    fn a_characteristic_that_ends_with_its_value_has_no_room() {
        assert!(DiscoverDescriptors::behind(3, 3).is_none());
        assert!(DiscoverDescriptors::behind(0xFFFF, 0xFFFF).is_none());
        assert!(DiscoverDescriptors::behind(3, 4).is_some());
    }

    #[test]
    fn a3_handles_without_progress_end_the_discovery() {
        for (what, answer) in [
            ("repeated", &[0x05, 1, 4, 0, 0x02, 0x29, 4, 0, 0x02, 0x29][..]),
            ("descending", &[0x05, 1, 5, 0, 0x02, 0x29, 4, 0, 0x02, 0x29]),
            ("before the range", &[0x05, 1, 3, 0, 0x02, 0x29]),
            ("behind the range", &[0x05, 1, 10, 0, 0x02, 0x29]),
        ] {
            assert!(matches!(first_answer(answer), Err(GattError::DatabaseInvalid { .. })), "{what}");
        }
    }

    #[test]
    fn a5_find_information_of_another_format_or_of_a_part_of_an_entry_is_refused() {
        for answer in [
            &[0x05, 0, 4, 0, 0x02, 0x29][..],
            &[0x05, 3, 4, 0, 0x02, 0x29],
            &[0x05, 1],
            &[0x05, 1, 4, 0, 0x02],
            &[0x05, 1, 4, 0, 0x02, 0x29, 5],
            &[0x05, 2, 4, 0, 0x02, 0x29],
        ] {
            let result = first_answer(answer);
            assert!(matches!(result, Err(GattError::InvalidResponse { .. })), "{answer:?}: {result:?}");
        }
        assert_eq!(first_answer(&error(0x04, 4, 0x0A)), Ok(vec![]));
    }
}
