//! Read Using Characteristic UUID ([Vol 3] Part G, 4.8.2).

use super::discover_included::read_by_type;
use super::walk::{Walk, check_entries};
use super::{Procedure, Response, Step};
use crate::Uuid;
use crate::att::AttError;
use crate::att::pdu::AttPdu;
use crate::gatt::GattError;
use bytes::Bytes;

/// An attribute and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributeValue {
    /// Where it is.
    pub handle: u16,
    /// Its value, or the beginning of one longer than this request carries: ATT_MTU - 4 octets, at most 253.
    pub value: Bytes,
}

/// Reads every attribute of a type without discovering anything first. None of them is an empty list.
#[derive(Debug)]
pub struct ReadByUuid {
    uuid: Uuid,
    walk: Walk,
    found: Vec<AttributeValue>,
}

impl ReadByUuid {
    /// In the whole table.
    pub fn new(uuid: Uuid) -> Self {
        Self::within(uuid, 1, 0xFFFF)
    }

    /// Between two handles, both included.
    pub fn within(uuid: Uuid, start: u16, end: u16) -> Self {
        Self { uuid, walk: Walk::new(start, end), found: Vec::new() }
    }

    fn request(&self) -> Option<Bytes> {
        let (start, end) = self.walk.left()?;
        Some(read_by_type(start, end, self.uuid))
    }

    fn done(&mut self) -> Step<Vec<AttributeValue>> {
        Step::Done(std::mem::take(&mut self.found))
    }
}

impl Procedure for ReadByUuid {
    type Output = Vec<AttributeValue>;
    const NAME: &'static str = "read by UUID";

    fn start(&mut self, _att_mtu: u16) -> Bytes {
        self.request().unwrap_or_default()
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Self::Output>, GattError> {
        match response.pdu {
            AttPdu::ReadByTypeRsp(rsp) => {
                check_entries(&response, rsp.length.into(), rsp.attribute_data.0)?;
                for (handle, value) in rsp.entries() {
                    self.walk.take(handle, handle)?;
                    self.found.push(AttributeValue { handle, value: response.keep(value) });
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
    use crate::uuid16;

    const FIRST: &[u8] = &[0x08, 1, 0, 9, 0, 0x19, 0x2A];

    fn read() -> ReadByUuid {
        ReadByUuid::within(uuid16(0x2A19), 1, 9)
    }

    #[test]
    fn every_match_is_read_until_the_end() {
        let value = |handle, value: &'static [u8]| AttributeValue { handle, value: value.into() };
        let values = run(
            read(),
            23,
            &[
                (FIRST, &[0x09, 3, 2, 0, 50, 4, 0, 60]),
                (&[0x08, 5, 0, 9, 0, 0x19, 0x2A], &[0x09, 2, 6, 0]),
                (&[0x08, 7, 0, 9, 0, 0x19, 0x2A], &error(0x08, 7, 0x0A)),
            ],
        );
        assert_eq!(values, Ok(vec![value(2, &[50]), value(4, &[60]), value(6, &[])]));
        assert_eq!(run(read(), 23, &[(FIRST, &error(0x08, 1, 0x0A))]), Ok(vec![]));
    }

    #[test]
    fn a_long_uuid_is_asked_for_in_16_octets() {
        let uuid = Uuid::from_u128(u128::from_le_bytes([7; 16]));
        let request = [&[0x08, 1, 0, 0xFF, 0xFF][..], &[7; 16]].concat();
        assert_eq!(run(ReadByUuid::new(uuid), 23, &[(&request, &error(0x08, 1, 0x0A))]), Ok(vec![]));
    }

    #[test]
    fn a3_a4_values_without_progress_or_length_end_the_read() {
        for answer in [
            &[0x09, 3, 2, 0, 50, 2, 0, 60][..],
            &[0x09, 3, 10, 0, 50],
            &[0x09, 0, 2, 0],
            &[0x09, 1, 2, 0],
            &[0x09, 3, 2, 0, 50, 4],
            &[0x09, 3],
        ] {
            assert!(run(read(), 23, &[(FIRST, answer)]).is_err(), "{answer:?}");
        }
    }
}
