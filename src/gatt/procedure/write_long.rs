//! Write Long Characteristic Values and Reliable Writes ([Vol 3] Part G, 4.9.4 and 4.9.5): parts are queued at the
//! server with Prepare Write, each echo is compared, and Execute Write writes all of them or none.

use super::{Procedure, Response, Step};
use crate::att::pdu::{AttPdu, ExecuteWriteReq, PrepareWriteReq};
use crate::att::{DEFAULT_MTU, MAX_VALUE_LENGTH};
use crate::codec::{HexInt, Rest};
use crate::gatt::GattError;
use bytes::Bytes;

/// Writes values of any length, of one attribute or of several at once.
///
/// An echo that differs in handle, offset or value cancels the queue: nothing is written and the procedure fails.
#[derive(Debug)]
pub struct WriteLong {
    values: Vec<(u16, Bytes)>,
    /// Octets that one Prepare Write carries.
    largest_part: usize,
    /// The value being queued, and how much of it the server has.
    index: usize,
    offset: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Preparing,
    Writing,
    /// The queue is thrown away; then the procedure fails with this.
    Cancelling(GattError),
}

impl WriteLong {
    /// One value.
    ///
    /// # Errors
    /// [`GattError::ValueTooLong`] over 512 octets.
    pub fn new(handle: u16, value: impl Into<Bytes>) -> Result<Self, GattError> {
        Self::reliable([(handle, value.into())])
    }

    /// Several values by handle, all or none of them written, in this order.
    ///
    /// # Errors
    /// [`GattError::ValueTooLong`] over 512 octets, [`GattError::HandleCount`] without values.
    pub fn reliable(values: impl Into<Vec<(u16, Bytes)>>) -> Result<Self, GattError> {
        let values = values.into();
        if values.is_empty() {
            return Err(GattError::HandleCount {
                operation: Self::NAME,
                given: 0,
                least: 1,
                most: usize::MAX,
            });
        }
        for (handle, value) in &values {
            check_length(*handle, value)?;
        }
        Ok(Self { values, largest_part: 0, index: 0, offset: 0, state: State::Preparing })
    }

    /// The part to be queued next.
    fn part(&self) -> Option<PrepareWriteReq<'_>> {
        let (handle, value) = self.values.get(self.index)?;
        let end = self.offset.saturating_add(self.largest_part).min(value.len());
        Some(PrepareWriteReq {
            attribute_handle: HexInt(*handle),
            value_offset: u16::try_from(self.offset).ok()?,
            part_attribute_value: Rest(value.get(self.offset..end)?),
        })
    }

    /// The next part, or the execution behind the last one.
    fn next_request(&mut self) -> Bytes {
        match self.part() {
            Some(part) => AttPdu::from(part).to_bytes(),
            None => {
                self.state = State::Writing;
                execute(1)
            }
        }
    }

    /// Counts the part as queued.
    fn advance(&mut self) {
        let length = self.values.get(self.index).map_or(0, |(_, value)| value.len());
        self.offset = self.offset.saturating_add(self.largest_part);
        if self.offset >= length {
            self.index += 1;
            self.offset = 0;
        }
    }

    fn cancel(&mut self, error: GattError) -> Result<Step<()>, GattError> {
        self.state = State::Cancelling(error);
        Ok(Step::Send(execute(0)))
    }

    fn on_prepared(&mut self, response: Response<'_>) -> Result<Step<()>, GattError> {
        match response.pdu {
            AttPdu::PrepareWriteRsp(echo) => {
                let same = self.part().is_some_and(|part| {
                    echo.attribute_handle == part.attribute_handle
                        && echo.value_offset == part.value_offset
                        && echo.part_attribute_value == part.part_attribute_value
                });
                if !same {
                    return self
                        .cancel(response.invalid("the echo of a prepared part differs from what was sent"));
                }
                self.advance();
                Ok(Step::Send(self.next_request()))
            }
            // Refused at once, the server holds nothing of ours; later, it keeps the parts before.
            _ if self.index == 0 && self.offset == 0 => Err(response.refused()),
            _ => self.cancel(response.refused()),
        }
    }
}

impl Procedure for WriteLong {
    type Output = ();
    const NAME: &'static str = "write long";

    fn start(&mut self, att_mtu: u16) -> Bytes {
        self.largest_part = usize::from(att_mtu.max(DEFAULT_MTU) - 5);
        self.next_request()
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<()>, GattError> {
        match &self.state {
            State::Preparing => self.on_prepared(response),
            State::Writing => match response.pdu {
                AttPdu::ExecuteWriteRsp(_) => Ok(Step::Done(())),
                _ => Err(response.refused()),
            },
            State::Cancelling(error) => Err(error.clone()),
        }
    }
}

/// Refuses what no attribute can hold.
pub(super) fn check_length(handle: u16, value: &Bytes) -> Result<(), GattError> {
    if value.len() > MAX_VALUE_LENGTH {
        return Err(GattError::ValueTooLong { handle, length: value.len(), limit: MAX_VALUE_LENGTH });
    }
    Ok(())
}

fn execute(flags: u8) -> Bytes {
    AttPdu::from(ExecuteWriteReq { flags }).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::script::{error, run};
    use super::*;
    use crate::att::{AttError, AttOpcode};

    /// A Prepare Write request, and the echo that belongs to it.
    fn prepare(handle: u8, offset: u8, part: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let request = [&[0x16, handle, 0, offset, 0], part].concat();
        let mut echo = request.clone();
        echo[0] = 0x17;
        (request, echo)
    }

    #[test]
    fn parts_fill_the_pdu_and_are_executed_once_all_are_queued() {
        let value: Vec<u8> = (0..20).collect();
        let (first, first_echo) = prepare(3, 0, &value[..18]);
        let (second, second_echo) = prepare(3, 18, &value[18..]);
        let write = WriteLong::new(3, value).expect("short enough");
        let exchanges: [(&[u8], &[u8]); 3] =
            [(&first, &first_echo), (&second, &second_echo), (&[0x18, 1], &[0x19])];
        assert_eq!(run(write, 23, &exchanges), Ok(()));
    }

    #[test]
    fn a_value_that_ends_with_a_part_and_an_empty_value_take_one_part() {
        for value in [vec![7; 18], vec![]] {
            let (request, echo) = prepare(3, 0, &value);
            let exchanges: [(&[u8], &[u8]); 2] = [(&request, &echo), (&[0x18, 1], &[0x19])];
            assert_eq!(run(WriteLong::new(3, value).expect("short"), 23, &exchanges), Ok(()));
        }
    }

    #[test]
    fn several_values_are_queued_in_order_and_written_together() {
        let (first, first_echo) = prepare(3, 0, b"a");
        let (second, second_echo) = prepare(9, 0, b"bc");
        let values = [(3, Bytes::from_static(b"a")), (9, Bytes::from_static(b"bc"))];
        let exchanges: [(&[u8], &[u8]); 3] =
            [(&first, &first_echo), (&second, &second_echo), (&[0x18, 1], &[0x19])];
        assert_eq!(run(WriteLong::reliable(values).expect("short"), 23, &exchanges), Ok(()));
    }

    #[test]
    fn a8_an_echo_that_differs_cancels_the_queue_and_fails() {
        let value = vec![7; 18];
        let (request, echo) = prepare(3, 0, &value);
        let differs = GattError::InvalidResponse {
            request: AttOpcode(0x16),
            cause: "the echo of a prepared part differs from what was sent",
        };
        let change = |at: usize| {
            let mut other = echo.clone();
            other[at] ^= 1;
            other
        };
        let longer = [&echo[..], &[0]].concat();
        // Another handle, offset, first and last octet; a short, an empty and a long echo.
        for answer in
            [change(1), change(3), change(5), change(22), echo[..22].to_vec(), echo[..5].to_vec(), longer]
        {
            for end in [vec![0x19], error(0x18, 0, 0x0E)] {
                let exchanges: [(&[u8], &[u8]); 2] = [(&request, &answer), (&[0x18, 0], &end)];
                let result = run(WriteLong::new(3, value.clone()).expect("short"), 23, &exchanges);
                assert_eq!(result, Err(differs.clone()), "{answer:02x?}");
            }
        }
    }

    #[test]
    fn a8_a_full_queue_is_cancelled_when_it_holds_parts_of_ours() {
        let value = vec![7; 20];
        let (first, first_echo) = prepare(3, 0, &value[..18]);
        let (second, _) = prepare(3, 18, &value[18..]);
        let full = error(0x16, 3, 0x09);
        let refused =
            Err(GattError::Att { request: AttOpcode(0x16), handle: 3, code: AttError::PrepareQueueFull });
        let write = || WriteLong::new(3, value.clone()).expect("short");
        assert_eq!(run(write(), 23, &[(&first, &full)]), refused);
        let exchanges: [(&[u8], &[u8]); 3] = [(&first, &first_echo), (&second, &full), (&[0x18, 0], &[0x19])];
        assert_eq!(run(write(), 23, &exchanges), refused);
    }

    #[test]
    fn a_refused_execution_is_the_result() {
        let (request, echo) = prepare(3, 0, b"a");
        let exchanges: [(&[u8], &[u8]); 2] = [(&request, &echo), (&[0x18, 1], &error(0x18, 3, 0x0D))];
        let result = run(WriteLong::new(3, &b"a"[..]).expect("short"), 23, &exchanges);
        assert!(matches!(result, Err(GattError::Att { code: AttError::InvalidAttributeValueLength, .. })));
    }

    #[test]
    fn what_no_attribute_can_hold_is_refused_before_anything_is_sent() {
        assert!(WriteLong::new(3, vec![0; 512]).is_ok());
        let refused = WriteLong::new(3, vec![0; 513]).map(|_| ());
        assert_eq!(refused, Err(GattError::ValueTooLong { handle: 3, length: 513, limit: 512 }));
        assert!(WriteLong::reliable([]).is_err());
    }
}
