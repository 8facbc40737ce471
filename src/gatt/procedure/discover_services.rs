//! Discover All Primary Services and Discover Primary Service by Service UUID ([Vol 3] Part G, 4.4.1 and 4.4.2), and
//! the same for secondary services.

use super::walk::{Walk, check_entries, uuid};
use super::{Procedure, Response, Step};
use crate::Uuid;
use crate::att::AttError;
use crate::att::pdu::{AttPdu, FindByTypeValueReq, HandlesInformation, ReadByGroupTypeReq};
use crate::codec::{HexInt, Rest};
use crate::gatt::{GattError, PRIMARY_SERVICE, SECONDARY_SERVICE};
use bytes::Bytes;

/// A service as its declaration shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceDeclaration {
    /// What it is.
    pub uuid: Uuid,
    /// Where it begins.
    pub handle: u16,
    /// Its last attribute.
    pub end_handle: u16,
    /// Whether it stands for itself.
    pub primary: bool,
}

/// Finds services; their contents are for the other procedures.
#[derive(Debug)]
pub struct DiscoverServices {
    kind: Kind,
    walk: Walk,
    found: Vec<ServiceDeclaration>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Primary,
    PrimaryOf(Uuid),
    Secondary,
}

impl DiscoverServices {
    /// Most services taken from one peer; one with more is broken or hostile.
    pub const MOST: usize = 1024;

    /// All primary services.
    pub fn primary() -> Self {
        Self::new(Kind::Primary)
    }

    /// The primary services of one UUID.
    pub fn primary_of(uuid: Uuid) -> Self {
        Self::new(Kind::PrimaryOf(uuid))
    }

    /// All secondary services; none where the server does not tell them.
    pub fn secondary() -> Self {
        Self::new(Kind::Secondary)
    }

    fn new(kind: Kind) -> Self {
        Self { kind, walk: Walk::new(1, 0xFFFF), found: Vec::new() }
    }

    /// The next request, or the result when nothing is left to ask for.
    fn proceed(&mut self) -> Step<Vec<ServiceDeclaration>> {
        match self.walk.left() {
            Some((start, end)) => Step::Send(self.request(start, end)),
            None => self.done(),
        }
    }

    fn done(&mut self) -> Step<Vec<ServiceDeclaration>> {
        Step::Done(std::mem::take(&mut self.found))
    }

    fn request(&self, start: u16, end: u16) -> Bytes {
        let (starting_handle, ending_handle) = (HexInt(start), HexInt(end));
        let group = match self.kind {
            Kind::PrimaryOf(uuid) => {
                let attribute_type = HexInt(PRIMARY_SERVICE_TYPE);
                let value = uuid.to_wire();
                let attribute_value = Rest(&value);
                return AttPdu::from(FindByTypeValueReq {
                    starting_handle,
                    ending_handle,
                    attribute_type,
                    attribute_value,
                })
                .to_bytes();
            }
            Kind::Primary => PRIMARY_SERVICE.to_wire(),
            Kind::Secondary => SECONDARY_SERVICE.to_wire(),
        };
        let attribute_group_type = Rest(&group);
        AttPdu::from(ReadByGroupTypeReq { starting_handle, ending_handle, attribute_group_type }).to_bytes()
    }

    fn add(&mut self, uuid: Uuid, handle: u16, end_handle: u16) -> Result<(), GattError> {
        self.walk.take(handle, end_handle)?;
        if self.found.len() == Self::MOST {
            return Err(GattError::DatabaseInvalid { cause: "it has more than 1024 services", handle });
        }
        let primary = !matches!(self.kind, Kind::Secondary);
        self.found.push(ServiceDeclaration { uuid, handle, end_handle, primary });
        Ok(())
    }
}

impl Procedure for DiscoverServices {
    type Output = Vec<ServiceDeclaration>;
    const NAME: &'static str = "discover services";

    fn start(&mut self, _att_mtu: u16) -> Bytes {
        self.request(1, 0xFFFF)
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Self::Output>, GattError> {
        match (self.kind, response.pdu) {
            (Kind::Primary | Kind::Secondary, AttPdu::ReadByGroupTypeRsp(rsp)) => {
                check_entries(&response, rsp.length.into(), rsp.attribute_data.0)?;
                if !matches!(rsp.length, 6 | 20) {
                    return Err(response.invalid("a service UUID has neither 2 nor 16 octets"));
                }
                for (handle, end_handle, value) in rsp.entries() {
                    let uuid = uuid(value).ok_or_else(|| response.invalid("a service has no UUID"))?;
                    self.add(uuid, handle, end_handle)?;
                }
                Ok(self.proceed())
            }
            (Kind::PrimaryOf(uuid), AttPdu::FindByTypeValueRsp(rsp)) => {
                if rsp.handles.iter().next().is_none() {
                    return Err(response.invalid("it has no entries"));
                }
                for HandlesInformation { found_attribute_handle, group_end_handle } in rsp.handles.iter() {
                    self.add(uuid, found_attribute_handle.0, group_end_handle.0)?;
                }
                Ok(self.proceed())
            }
            (kind, _) => match (response.error_code(), kind) {
                (Some(AttError::AttributeNotFound), _) => Ok(self.done()),
                (Some(AttError::UnsupportedGroupType), Kind::Secondary) => Ok(self.done()),
                _ => Err(response.refused()),
            },
        }
    }
}

/// Find By Type Value takes types of 16 bits alone.
const PRIMARY_SERVICE_TYPE: u16 = 0x2800;

#[cfg(test)]
mod tests {
    use super::super::script::{error, run};
    use super::*;
    use crate::uuid16;

    const ALL: &[u8] = &[0x10, 1, 0, 0xFF, 0xFF, 0x00, 0x28];

    fn first_answer(answer: &[u8]) -> Result<Vec<ServiceDeclaration>, GattError> {
        run(DiscoverServices::primary(), 23, &[(ALL, answer)])
    }

    fn invalid(result: Result<Vec<ServiceDeclaration>, GattError>) -> bool {
        matches!(result, Err(GattError::DatabaseInvalid { .. }))
    }

    #[test]
    fn a3_groups_without_progress_end_the_discovery() {
        for (what, answer) in [
            ("start > end", &[0x11, 6, 5, 0, 4, 0, 0, 0x18][..]),
            ("handle 0", &[0x11, 6, 0, 0, 0, 0, 0, 0x18]),
            ("overlapping", &[0x11, 6, 1, 0, 5, 0, 0, 0x18, 5, 0, 9, 0, 1, 0x18]),
            ("descending", &[0x11, 6, 6, 0, 9, 0, 0, 0x18, 1, 0, 5, 0, 1, 0x18]),
            ("repeated", &[0x11, 6, 1, 0, 5, 0, 0, 0x18, 1, 0, 5, 0, 0, 0x18]),
            ("behind 0xFFFF", &[0x11, 6, 1, 0, 0xFF, 0xFF, 0, 0x18, 1, 0, 2, 0, 0, 0x18]),
        ] {
            assert!(invalid(first_answer(answer)), "{what}");
        }
        // The second answer falls back behind the first.
        let again = [0x11, 6, 1, 0, 5, 0, 0, 0x18];
        let next: &[u8] = &[0x10, 6, 0, 0xFF, 0xFF, 0x00, 0x28];
        assert!(invalid(run(DiscoverServices::primary(), 23, &[(ALL, &again), (next, &again)])));
    }

    #[test]
    fn a3_an_end_of_0xffff_ends_the_discovery_without_another_request() {
        let found = first_answer(&[0x11, 6, 1, 0, 0xFF, 0xFF, 0, 0x18]).expect("one service");
        assert_eq!(found.iter().map(|s| (s.handle, s.end_handle)).collect::<Vec<_>>(), [(1, 0xFFFF)]);
    }

    #[test]
    fn a3_65535_services_end_in_an_error_with_bounded_memory() {
        let mut discover = DiscoverServices::primary();
        discover.start(23);
        let mut answers = 0;
        let error = (1..=0xFFFF_u16).find_map(|handle| {
            let [low, high] = handle.to_le_bytes();
            let answer = Bytes::copy_from_slice(&[0x11, 6, low, high, low, high, 0, 0x18]);
            answers += 1;
            discover.on_response(Response::new(&answer).expect("whole")).err()
        });
        assert!(matches!(error, Some(GattError::DatabaseInvalid { handle: 1025, .. })), "{error:?}");
        assert_eq!(answers, DiscoverServices::MOST + 1);
    }

    #[test]
    fn a4_entries_of_a_length_that_cannot_be_are_refused() {
        for length in [0, 1, 3, 4, 5, 7, 8, 19, 21] {
            let answer = [&[0x11, length][..], &vec![1; usize::from(length).max(1)]].concat();
            let result = first_answer(&answer);
            assert!(matches!(result, Err(GattError::InvalidResponse { .. })), "{length}: {result:?}");
        }
        for odd in [&[0x11, 6][..], &[0x11, 6, 1, 0, 2, 0, 0], &[0x11, 6, 1, 0, 2, 0, 0, 0x18, 3, 0]] {
            assert!(matches!(first_answer(odd), Err(GattError::InvalidResponse { .. })), "{odd:?}");
        }
    }

    #[test]
    fn a4_uuids_of_2_and_16_octets_may_alternate() {
        let long = [&[0x11, 20, 6, 0, 0xFF, 0xFF][..], &[7; 16]].concat();
        let found = run(
            DiscoverServices::primary(),
            23,
            &[(ALL, &[0x11, 6, 1, 0, 5, 0, 0, 0x18]), (&[0x10, 6, 0, 0xFF, 0xFF, 0x00, 0x28], &long)],
        )
        .expect("two services");
        let uuids: Vec<_> = found.iter().map(|s| s.uuid).collect();
        assert_eq!(uuids, [uuid16(0x1800), Uuid::from_u128(u128::from_le_bytes([7; 16]))]);
    }

    #[test]
    fn a5_find_by_type_value_with_an_end_before_its_start_is_refused() {
        let request: &[u8] = &[0x06, 1, 0, 0xFF, 0xFF, 0x00, 0x28, 0x0F, 0x18];
        let find =
            |answer: &[u8]| run(DiscoverServices::primary_of(uuid16(0x180F)), 23, &[(request, answer)]);
        assert!(invalid(find(&[0x07, 5, 0, 4, 0])));
        assert!(matches!(find(&[0x07]), Err(GattError::InvalidResponse { .. })));
        assert!(matches!(find(&[0x07, 5, 0, 9]), Err(GattError::InvalidResponse { .. })));
        assert_eq!(find(&error(0x06, 1, 0x0A)), Ok(Vec::new()));
    }

    #[test]
    fn a2_errors_of_any_code_end_the_discovery() {
        assert_eq!(first_answer(&error(0x10, 1, 0x0A)), Ok(Vec::new()));
        for code in [0x00, 0x01, 0x05, 0x10, 0xFF] {
            let result = first_answer(&error(0x10, 0x1234, code));
            assert!(matches!(result, Err(GattError::Att { handle: 0x1234, .. })), "{code}: {result:?}");
        }
    }

    #[test]
    fn a_server_without_groups_of_secondary_services_has_none() {
        let request: &[u8] = &[0x10, 1, 0, 0xFF, 0xFF, 0x01, 0x28];
        for code in [0x0A, 0x10] {
            let found = run(DiscoverServices::secondary(), 23, &[(request, &error(0x10, 1, code))]);
            assert_eq!(found, Ok(Vec::new()));
        }
        let found =
            run(DiscoverServices::secondary(), 23, &[(request, &[0x11, 6, 1, 0, 0xFF, 0xFF, 0, 0x18])]);
        assert!(!found.expect("one")[0].primary);
    }
}
