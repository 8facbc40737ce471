//! Read Multiple Characteristic Values and Read Multiple Variable Length Characteristic Values
//! ([Vol 3] Part G, 4.8.4 and 4.8.5).

use super::{Procedure, Response, Step};
use crate::att::pdu::{AttPdu, ReadMultipleReq, ReadMultipleVariableReq};
use crate::codec::{HexInt, Tail};
use crate::gatt::GattError;
use bytes::Bytes;

/// Most handles in one request: what the least ATT_MTU has room for.
const MOST_HANDLES: usize = 11;

/// Reads several values in one request, one behind the other without their lengths; the server cuts the set
/// to ATT_MTU - 1 octets. For values whose lengths are known.
#[derive(Debug)]
pub struct ReadMultiple {
    handles: Vec<HexInt<u16>>,
}

impl ReadMultiple {
    /// Of 2 to 11 attributes.
    ///
    /// # Errors
    /// [`GattError::HandleCount`] for fewer or more.
    pub fn new(handles: &[u16]) -> Result<Self, GattError> {
        checked(handles, Self::NAME).map(|handles| Self { handles })
    }
}

impl Procedure for ReadMultiple {
    type Output = Bytes;
    const NAME: &'static str = "read multiple";

    fn start(&mut self, _att_mtu: u16) -> Bytes {
        AttPdu::from(ReadMultipleReq { handles: Tail::new(&self.handles) }).to_bytes()
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Bytes>, GattError> {
        match response.pdu {
            AttPdu::ReadMultipleRsp(rsp) => Ok(Step::Done(response.keep(rsp.set_of_values.0))),
            _ => Err(response.refused()),
        }
    }
}

/// One value of several.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VariableValue {
    /// Where it is.
    pub handle: u16,
    /// Its length in octets at the server.
    pub length: u16,
    /// Its octets, fewer than `length` when the response had no room for more.
    pub value: Bytes,
}

impl VariableValue {
    /// Whether all of it is there.
    pub fn is_complete(&self) -> bool {
        self.value.len() == usize::from(self.length)
    }
}

/// Reads several values in one request, each with its length. Values for which the response had no room are absent
/// or incomplete.
#[derive(Debug)]
pub struct ReadMultipleVariable {
    handles: Vec<HexInt<u16>>,
}

impl ReadMultipleVariable {
    /// Of 2 to 11 attributes.
    ///
    /// # Errors
    /// [`GattError::HandleCount`] for fewer or more.
    pub fn new(handles: &[u16]) -> Result<Self, GattError> {
        checked(handles, Self::NAME).map(|handles| Self { handles })
    }
}

impl Procedure for ReadMultipleVariable {
    type Output = Vec<VariableValue>;
    const NAME: &'static str = "read multiple variable";

    fn start(&mut self, _att_mtu: u16) -> Bytes {
        AttPdu::from(ReadMultipleVariableReq { handles: Tail::new(&self.handles) }).to_bytes()
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Self::Output>, GattError> {
        let AttPdu::ReadMultipleVariableRsp(rsp) = response.pdu else { return Err(response.refused()) };
        if rsp.values.iter().count() > self.handles.len() {
            return Err(response.invalid("it has more values than were asked for"));
        }
        let values = self.handles.iter().zip(rsp.values.iter()).map(|(handle, value)| VariableValue {
            handle: handle.0,
            length: value.length,
            value: response.keep(value.value.0),
        });
        Ok(Step::Done(values.collect()))
    }
}

fn checked(handles: &[u16], operation: &'static str) -> Result<Vec<HexInt<u16>>, GattError> {
    if !(2..=MOST_HANDLES).contains(&handles.len()) {
        return Err(GattError::HandleCount { operation, given: handles.len(), least: 2, most: MOST_HANDLES });
    }
    Ok(handles.iter().copied().map(HexInt).collect())
}

#[cfg(test)]
mod tests {
    use super::super::script::{error, run};
    use super::*;

    fn variable(answer: &[u8]) -> Result<Vec<(u16, u16, Vec<u8>)>, GattError> {
        let read = ReadMultipleVariable::new(&[3, 5]).expect("two");
        let values = run(read, 23, &[(&[0x20, 3, 0, 5, 0], answer)])?;
        Ok(values.into_iter().map(|v| (v.handle, v.length, v.value.to_vec())).collect())
    }

    #[test]
    fn a_set_of_values_is_given_as_it_stands() {
        let read = || ReadMultiple::new(&[3, 5]).expect("two");
        let request: &[u8] = &[0x0E, 3, 0, 5, 0];
        assert_eq!(run(read(), 23, &[(request, &[0x0F, 1, 2])]), Ok(Bytes::from_static(&[1, 2])));
        let refused = run(read(), 23, &[(request, &error(0x0E, 5, 0x02))]);
        assert!(matches!(refused, Err(GattError::Att { handle: 5, .. })));
    }

    #[test]
    fn values_of_variable_length_are_told_apart() {
        assert_eq!(variable(&[0x21, 1, 0, 7, 0, 0]), Ok(vec![(3, 1, vec![7]), (5, 0, vec![])]));
    }

    #[test]
    fn a9_lengths_past_the_end_and_missing_values_keep_what_is_there() {
        assert_eq!(variable(&[0x21, 1, 0, 7, 9, 0, 8]), Ok(vec![(3, 1, vec![7]), (5, 9, vec![8])]));
        assert_eq!(variable(&[0x21, 0xFF, 0xFF]), Ok(vec![(3, 0xFFFF, vec![])]));
        assert_eq!(variable(&[0x21, 1, 0, 7, 9]), Ok(vec![(3, 1, vec![7])]));
        assert_eq!(variable(&[0x21]), Ok(vec![]));
        assert!(variable(&[0x21, 0, 0, 0, 0, 0, 0]).is_err(), "three values for two handles");
    }

    #[test]
    fn a_request_takes_2_to_11_handles() {
        for count in [0, 1, 12] {
            assert!(ReadMultiple::new(&vec![1; count]).is_err());
            assert!(ReadMultipleVariable::new(&vec![1; count]).is_err());
        }
        let mut read = ReadMultiple::new(&[1; 11]).expect("eleven");
        assert_eq!(read.start(23).len(), 23);
    }
}
