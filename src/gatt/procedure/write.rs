//! Write Characteristic Value ([Vol 3] Part G, 4.9.3); a descriptor is written the same way.

use super::write_long::check_length;
use super::{Procedure, Response, Step, WriteLong};
use crate::att::pdu::{AttPdu, WriteReq};
use crate::codec::{HexInt, Rest};
use crate::gatt::GattError;
use bytes::Bytes;

/// Writes a value with the server's answer: in one request where it fits the ATT_MTU, else as [`WriteLong`] does.
#[derive(Debug)]
pub struct Write {
    handle: u16,
    value: Bytes,
    long: Option<WriteLong>,
}

impl Write {
    /// To the attribute at `handle`.
    ///
    /// # Errors
    /// [`GattError::ValueTooLong`] over 512 octets.
    pub fn new(handle: u16, value: impl Into<Bytes>) -> Result<Self, GattError> {
        let value = value.into();
        check_length(handle, &value)?;
        Ok(Self { handle, value, long: None })
    }

    /// Whether one request does not carry the value.
    pub(super) fn is_long(&self, att_mtu: u16) -> bool {
        self.value.len() > usize::from(att_mtu.saturating_sub(3))
    }
}

impl Procedure for Write {
    type Output = ();
    const NAME: &'static str = "write";

    fn start(&mut self, att_mtu: u16) -> Bytes {
        if self.is_long(att_mtu) {
            // The length was checked by `new`, so the long form exists.
            if let Ok(long) = WriteLong::new(self.handle, self.value.clone()) {
                return self.long.insert(long).start(att_mtu);
            }
        }
        let request = WriteReq { attribute_handle: HexInt(self.handle), attribute_value: Rest(&self.value) };
        AttPdu::from(request).to_bytes()
    }

    fn on_response(&mut self, response: Response<'_>) -> Result<Step<()>, GattError> {
        match (&mut self.long, response.pdu) {
            (Some(long), _) => long.on_response(response),
            (None, AttPdu::WriteRsp(_)) => Ok(Step::Done(())),
            (None, _) => Err(response.refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{error, run};
    use super::*;
    use crate::att::{AttError, AttOpcode};

    #[test]
    fn a_value_that_fits_takes_one_request() {
        let write = Write::new(3, &b"hi"[..]).expect("short");
        assert_eq!(run(write, 23, &[(&[0x12, 3, 0, b'h', b'i'], &[0x13])]), Ok(()));
        let empty = Write::new(3, Bytes::new()).expect("short");
        assert_eq!(run(empty, 23, &[(&[0x12, 3, 0], &[0x13])]), Ok(()));
    }

    #[test]
    fn length_and_mtu_choose_the_long_form() {
        for (att_mtu, length, opcode) in
            [(23, 20, 0x12), (23, 21, 0x16), (185, 182, 0x12), (185, 183, 0x16), (517, 512, 0x12)]
        {
            let mut write = Write::new(3, vec![1; length]).expect("short enough");
            let request = write.start(att_mtu);
            assert_eq!(request.first(), Some(&opcode), "{length} octets at {att_mtu}");
            assert!(request.len() <= usize::from(att_mtu));
        }
    }

    #[test]
    fn a_long_value_goes_through_the_queue() {
        let value: Vec<u8> = (0..21).collect();
        let first = [&[0x16, 3, 0, 0, 0], &value[..18]].concat();
        let second = [&[0x16, 3, 0, 18, 0], &value[18..]].concat();
        let echo = |request: &[u8]| [&[0x17], &request[1..]].concat();
        let exchanges: [(&[u8], &[u8]); 3] =
            [(&first, &echo(&first)), (&second, &echo(&second)), (&[0x18, 1], &[0x19])];
        assert_eq!(run(Write::new(3, value.clone()).expect("short"), 23, &exchanges), Ok(()));
    }

    #[test]
    fn a_refusal_names_the_request_and_the_code() {
        let write = Write::new(3, &b"h"[..]).expect("short");
        let refused = run(write, 23, &[(&[0x12, 3, 0, b'h'], &error(0x12, 3, 0x80))]);
        let expected = GattError::Att { request: AttOpcode(0x12), handle: 3, code: AttError(0x80) };
        assert_eq!(refused, Err(expected));
        assert!(Write::new(3, vec![0; 513]).is_err());
    }
}
