//! Find Included Services ([Vol 3] Part G, 4.5.1).

use super::walk::{Walk, check_entries, uuid};
use super::{Procedure, Response, Step};
use crate::Uuid;
use crate::att::pdu::{AttPdu, ReadByTypeReq, ReadReq};
use crate::att::{AttError, AttOpcode};
use crate::codec::{HexInt, Rest};
use crate::gatt::{GattError, INCLUDE, Include};
use bytes::Bytes;
use std::collections::VecDeque;

/// Finds the services that a service refers to. A declaration has room for a UUID of 16 bits alone; a longer one is
/// read from the included service's own declaration.
#[derive(Debug)]
pub struct DiscoverIncluded {
    walk: Walk,
    found: Vec<Include>,
    /// Found without their UUIDs.
    unnamed: VecDeque<Declared>,
}

#[derive(Clone, Copy, Debug)]
struct Declared {
    handle: u16,
    service_handle: u16,
    end_handle: u16,
}

impl DiscoverIncluded {
    /// In the service from its declaration to its last attribute.
    pub fn within(handle: u16, end_handle: u16) -> Self {
        Self { walk: Walk::new(handle, end_handle), found: Vec::new(), unnamed: VecDeque::new() }
    }

    fn request(&self) -> Option<Bytes> {
        let (start, end) = self.walk.left()?;
        Some(read_by_type(start, end, INCLUDE))
    }

    fn add(&mut self, declared: Declared, uuid: Uuid) {
        let Declared { handle, service_handle, end_handle } = declared;
        self.found.push(Include { handle, uuid, service_handle, end_handle });
    }

    fn on_declarations(&mut self, response: Response<'_>) -> Result<(), GattError> {
        let AttPdu::ReadByTypeRsp(rsp) = response.pdu else { return Err(response.refused()) };
        check_entries(&response, rsp.length.into(), rsp.attribute_data.0)?;
        for (handle, value) in rsp.entries() {
            let declared = |service: [u8; 2], end: [u8; 2]| Declared {
                handle,
                service_handle: u16::from_le_bytes(service),
                end_handle: u16::from_le_bytes(end),
            };
            self.walk.take(handle, handle)?;
            let (declared, uuid) = match *value {
                [a, b, c, d] => (declared([a, b], [c, d]), None),
                [a, b, c, d, e, f] => {
                    (declared([a, b], [c, d]), Some(Uuid::from_u16(u16::from_le_bytes([e, f]))))
                }
                _ => return Err(response.invalid("an include declaration has neither 4 nor 6 octets")),
            };
            if declared.service_handle == 0 || declared.service_handle > declared.end_handle {
                return Err(GattError::DatabaseInvalid { cause: "an included service has no range", handle });
            }
            match uuid {
                Some(uuid) => self.add(declared, uuid),
                None => self.unnamed.push_back(declared),
            }
        }
        Ok(())
    }

    /// The next declaration to be read for its UUID, or the result.
    fn proceed(&mut self) -> Step<Vec<Include>> {
        match self.unnamed.front() {
            Some(declared) => {
                let attribute_handle = HexInt(declared.service_handle);
                Step::Send(AttPdu::from(ReadReq { attribute_handle }).to_bytes())
            }
            None => {
                self.found.sort_by_key(|include| include.handle);
                Step::Done(std::mem::take(&mut self.found))
            }
        }
    }
}

impl Procedure for DiscoverIncluded {
    type Output = Vec<Include>;
    const NAME: &'static str = "discover included services";

    fn start(&mut self, _att_mtu: u16) -> Bytes {
        self.request().unwrap_or_default()
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Self::Output>, GattError> {
        if let AttPdu::ReadRsp(rsp) = response.pdu
            && let Some(declared) = self.unnamed.pop_front()
        {
            let uuid = uuid(rsp.attribute_value.0)
                .ok_or_else(|| response.invalid("the included service's declaration is no UUID"))?;
            self.add(declared, uuid);
            return Ok(self.proceed());
        }
        if response.request() == READ_BY_TYPE && response.error_code() == Some(AttError::AttributeNotFound) {
            return Ok(self.proceed());
        }
        self.on_declarations(response)?;
        Ok(self.request().map_or_else(|| self.proceed(), Step::Send))
    }
}

const READ_BY_TYPE: AttOpcode = AttOpcode(0x08);

/// The request for attributes of a type in a range.
pub(super) fn read_by_type(start: u16, end: u16, attribute_type: Uuid) -> Bytes {
    let attribute_type = attribute_type.to_wire();
    AttPdu::from(ReadByTypeReq {
        starting_handle: HexInt(start),
        ending_handle: HexInt(end),
        attribute_type: Rest(&attribute_type),
    })
    .to_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::script::{error, run};
    use super::*;
    use crate::uuid16;

    const FIRST: &[u8] = &[0x08, 1, 0, 9, 0, 0x02, 0x28];

    #[test]
    fn short_uuids_stand_in_the_declaration_and_long_ones_are_read() {
        let long = [&[0x0B][..], &[7; 16]].concat();
        let found = run(
            DiscoverIncluded::within(1, 9),
            23,
            &[
                (FIRST, &[0x09, 6, 2, 0, 0x20, 0, 0x29, 0]),
                (&[0x08, 3, 0, 9, 0, 0x02, 0x28], &[0x09, 8, 3, 0, 0x30, 0, 0x39, 0, 0x0F, 0x18]),
                (&[0x08, 4, 0, 9, 0, 0x02, 0x28], &error(0x08, 4, 0x0A)),
                (&[0x0A, 0x20, 0], &long),
            ],
        );
        let include =
            |handle, uuid, service_handle, end_handle| Include { handle, uuid, service_handle, end_handle };
        let long = Uuid::from_u128(u128::from_le_bytes([7; 16]));
        assert_eq!(found, Ok(vec![include(2, long, 0x20, 0x29), include(3, uuid16(0x180F), 0x30, 0x39)]));
    }

    #[test]
    fn no_includes_are_an_empty_list_and_other_errors_are_errors() {
        assert_eq!(run(DiscoverIncluded::within(1, 9), 23, &[(FIRST, &error(0x08, 1, 0x0A))]), Ok(vec![]));
        assert!(run(DiscoverIncluded::within(1, 9), 23, &[(FIRST, &error(0x08, 1, 0x05))]).is_err());
        // Attribute Not Found of the read that asks for the UUID is no end of a list.
        let declared: &[u8] = &[0x09, 6, 9, 0, 0x20, 0, 0x29, 0];
        let exchanges: [(&[u8], &[u8]); 2] =
            [(FIRST, declared), (&[0x0A, 0x20, 0], &error(0x0A, 0x20, 0x0A))];
        assert!(run(DiscoverIncluded::within(1, 9), 23, &exchanges).is_err());
    }

    #[test]
    fn a4_declarations_that_cannot_be_are_refused() {
        for (what, answer) in [
            ("length 0", &[0x09, 0, 2, 0][..]),
            ("length 1", &[0x09, 1, 2, 0]),
            ("length 3", &[0x09, 3, 2, 0, 0]),
            ("length 7", &[0x09, 7, 2, 0, 0x20, 0, 0x29, 0, 1]),
            ("no entries", &[0x09, 8]),
            ("outside", &[0x09, 8, 10, 0, 0x30, 0, 0x39, 0, 0x0F, 0x18]),
            ("start > end", &[0x09, 8, 2, 0, 0x39, 0, 0x30, 0, 0x0F, 0x18]),
            ("service 0", &[0x09, 8, 2, 0, 0, 0, 0x30, 0, 0x0F, 0x18]),
        ] {
            let result = run(DiscoverIncluded::within(1, 9), 23, &[(FIRST, answer)]);
            assert!(result.is_err(), "{what}: {result:?}");
        }
        for value in [0, 4, 17] {
            let answer = vec![0x0B; value + 1];
            let exchanges: [(&[u8], &[u8]); 2] =
                [(FIRST, &[0x09, 6, 9, 0, 0x20, 0, 0x29, 0]), (&[0x0A, 0x20, 0], &answer)];
            assert!(run(DiscoverIncluded::within(1, 9), 23, &exchanges).is_err(), "{value} octets of UUID");
        }
    }
}
