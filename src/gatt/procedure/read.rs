//! Read Characteristic Value and Read Long Characteristic Values ([Vol 3] Part G, 4.8.1 and 4.8.3); a descriptor is
//! read the same way.

use super::{Procedure, Response, Step};
use crate::att::pdu::{AttPdu, ReadBlobReq, ReadReq};
use crate::att::{AttError, DEFAULT_MTU, MAX_VALUE_LENGTH};
use crate::codec::HexInt;
use crate::gatt::GattError;
use bytes::{Bytes, BytesMut};

/// Reads a whole value, asking on while each part fills its PDU, up to the 512 octets of the longest value.
/// A value that fits one PDU is not copied.
#[derive(Debug)]
pub struct Read {
    handle: u16,
    /// Octets of a part that has more behind it.
    full_part: usize,
    value: BytesMut,
}

impl Read {
    /// Of the attribute at `handle`.
    pub fn new(handle: u16) -> Self {
        Self { handle, full_part: 0, value: BytesMut::new() }
    }

    fn on_part(&mut self, response: Response<'_>, part: &[u8]) -> Step<Bytes> {
        let full = part.len() >= self.full_part;
        if self.value.is_empty() && !full {
            return Step::Done(response.keep(part));
        }
        let room = MAX_VALUE_LENGTH.saturating_sub(self.value.len());
        self.value.extend(part.iter().take(room));
        match u16::try_from(self.value.len()) {
            Ok(offset) if full && self.value.len() < MAX_VALUE_LENGTH => {
                Step::Send(read_blob(self.handle, offset))
            }
            _ => self.done(),
        }
    }

    fn done(&mut self) -> Step<Bytes> {
        Step::Done(std::mem::take(&mut self.value).freeze())
    }
}

impl Procedure for Read {
    type Output = Bytes;
    const NAME: &'static str = "read";

    fn start(&mut self, att_mtu: u16) -> Bytes {
        self.full_part = usize::from(att_mtu.max(DEFAULT_MTU) - 1);
        AttPdu::from(ReadReq { attribute_handle: HexInt(self.handle) }).to_bytes()
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Bytes>, GattError> {
        match response.pdu {
            AttPdu::ReadRsp(rsp) => Ok(self.on_part(response, rsp.attribute_value.0)),
            AttPdu::ReadBlobRsp(rsp) => Ok(self.on_part(response, rsp.part_attribute_value.0)),
            // The value ended exactly at the end of a part, or became shorter.
            _ if !self.value.is_empty()
                && matches!(
                    response.error_code(),
                    Some(AttError::AttributeNotLong | AttError::InvalidOffset)
                ) =>
            {
                Ok(self.done())
            }
            _ => Err(response.refused()),
        }
    }
}

/// Reads the part of a value from an offset, as much as one PDU carries.
#[derive(Debug)]
pub struct ReadBlob {
    handle: u16,
    offset: u16,
}

impl ReadBlob {
    /// Of the attribute at `handle`, from `offset` octets on.
    pub fn new(handle: u16, offset: u16) -> Self {
        Self { handle, offset }
    }
}

impl Procedure for ReadBlob {
    type Output = Bytes;
    const NAME: &'static str = "read blob";

    fn start(&mut self, _att_mtu: u16) -> Bytes {
        read_blob(self.handle, self.offset)
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<Bytes>, GattError> {
        match response.pdu {
            AttPdu::ReadBlobRsp(rsp) => Ok(Step::Done(response.keep(rsp.part_attribute_value.0))),
            _ => Err(response.refused()),
        }
    }
}

fn read_blob(handle: u16, value_offset: u16) -> Bytes {
    AttPdu::from(ReadBlobReq { attribute_handle: HexInt(handle), value_offset }).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::script::{error, run};
    use super::*;
    use crate::att::AttOpcode;

    /// A response of `octets` times the same octet.
    fn part(opcode: u8, octet: u8, octets: usize) -> Vec<u8> {
        let mut pdu = vec![octet; octets + 1];
        pdu[0] = opcode;
        pdu
    }

    #[test]
    fn a_short_value_takes_one_request_and_no_copy() {
        let answer = Bytes::from_static(&[0x0B, 1, 2]);
        let mut read = Read::new(3);
        assert_eq!(read.start(23), &[0x0A, 3, 0][..]);
        let Ok(Step::Done(value)) = read.on_response(Response::new(&answer).expect("whole")) else {
            panic!("a short value is whole");
        };
        assert_eq!(value.as_ptr(), answer[1..].as_ptr());
        assert_eq!(run(Read::new(3), 23, &[(&[0x0A, 3, 0], &[0x0B])]), Ok(Bytes::new()));
    }

    #[test]
    fn a_long_value_is_read_on_until_a_part_is_short() {
        let value = run(
            Read::new(3),
            23,
            &[
                (&[0x0A, 3, 0], &part(0x0B, 7, 22)),
                (&[0x0C, 3, 0, 22, 0], &part(0x0D, 8, 22)),
                (&[0x0C, 3, 0, 44, 0], &part(0x0D, 9, 3)),
            ],
        );
        assert_eq!(value, Ok([vec![7; 22], vec![8; 22], vec![9; 3]].concat().into()));
    }

    #[test]
    fn a_value_that_ends_with_a_part_is_whole_however_the_server_says_so() {
        let blob: &[u8] = &[0x0C, 3, 0, 22, 0];
        for end in [vec![0x0D], error(0x0C, 3, 0x0B), error(0x0C, 3, 0x07)] {
            let value = run(Read::new(3), 23, &[(&[0x0A, 3, 0], &part(0x0B, 7, 22)), (blob, &end)]);
            assert_eq!(value, Ok(vec![7; 22].into()), "{end:02x?}");
        }
    }

    #[test]
    fn an_error_of_the_first_request_or_another_one_later_is_the_result() {
        let refused = |request, code| {
            Err(GattError::Att { request: AttOpcode(request), handle: 3, code: AttError(code) })
        };
        let first: &[u8] = &[0x0A, 3, 0];
        for code in [0x00, 0x05, 0x07, 0x0B, 0x80] {
            assert_eq!(run(Read::new(3), 23, &[(first, &error(0x0A, 3, code))]), refused(0x0A, code));
        }
        let later = run(
            Read::new(3),
            23,
            &[(first, &part(0x0B, 7, 22)), (&[0x0C, 3, 0, 22, 0], &error(0x0C, 3, 0x05))],
        );
        assert_eq!(later, refused(0x0C, 0x05));
    }

    #[test]
    fn a7_a_read_blob_that_never_ends_short_stops_at_512() {
        for att_mtu in [23, 24, 185, 513, 517] {
            let mut read = Read::new(3);
            read.start(att_mtu);
            let mut answer: Bytes = part(0x0B, 7, usize::from(att_mtu) - 1).into();
            let mut requests = 1;
            let value = loop {
                match read.on_response(Response::new(&answer).expect("whole")).expect("no error") {
                    Step::Done(value) => break value,
                    Step::Send(_) => requests += 1,
                }
                assert!(requests < 100, "it reads on and on");
                answer = part(0x0D, 7, usize::from(att_mtu) - 1).into();
            };
            assert_eq!(value, vec![7; 512], "MTU {att_mtu}");
            assert_eq!(requests, 512_usize.div_ceil(usize::from(att_mtu) - 1), "MTU {att_mtu}");
        }
    }

    #[test]
    fn a_blob_at_an_offset_is_one_part() {
        let exchange: (&[u8], &[u8]) = (&[0x0C, 3, 0, 0x34, 0x12], &[0x0D, 5]);
        assert_eq!(run(ReadBlob::new(3, 0x1234), 23, &[exchange]), Ok(Bytes::from_static(&[5])));
    }
}
