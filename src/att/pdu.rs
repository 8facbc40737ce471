//! ATT PDUs ([Vol 3] Part F, 3.4), each declared once.

use crate::att::AttError;
use crate::codec::show::{Show, View};
use crate::codec::{Field, HexInt, ParseError, Rest, Sort, Tail, Walk};
use crate::{Uuid, assigned};
use bytes::{BufMut, Bytes, BytesMut};
use std::fmt;

crate::layout! {
    /// A range of attributes that Find By Type Value found.
    pub struct HandlesInformation { found_attribute_handle: HexInt<u16>, group_end_handle: HexInt<u16> }
}

/// A value behind two octets of length; one that lies about it keeps what is there
/// (a server may truncate the last, [Vol 3] Part F, 3.4.4.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthValue<'a> {
    /// The length announced.
    pub length: u16,
    /// The octets that are there, at most `length`.
    pub value: Rest<'a>,
}

impl<'a> Field<'a> for LengthValue<'a> {
    fn parse(input: &'a [u8]) -> crate::codec::Parsed<'a, Self> {
        let (rest, length) = u16::parse(input)?;
        let (value, rest) = rest.split_at(rest.len().min(usize::from(length)));
        Ok((rest, Self { length, value: Rest(value) }))
    }
    fn walk(name: &'static str, input: &'a [u8], to: &mut dyn Walk<'a>) -> Option<&'a [u8]> {
        let (rest, this) = Self::parse(input).ok()?;
        to.field(name, Sort::Number, input.get(..2)?);
        to.field(name, Sort::Octets, this.value.0);
        Some(rest)
    }
    fn emit(&self, out: &mut BytesMut) {
        self.length.emit(out);
        self.value.emit(out);
    }
    fn show(&self, to: &mut dyn Show) {
        self.value.show(to);
    }
}

crate::layout! {
    /// One value of Multiple Handle Value Notification.
    pub struct HandleLengthValue<'a> { attribute_handle: HexInt<u16>, value: LengthValue<'a> }
}

/// Octets that are the type of attributes.
#[derive(Debug)]
pub enum AttributeType {}

impl View<Rest<'_>> for AttributeType {
    fn show(value: Rest<'_>, to: &mut dyn Show) {
        match Uuid::from_wire(value.0) {
            Some(uuid) => to.uuid(uuid, assigned::attribute_name(uuid)),
            None => to.octets(value.0),
        }
    }
}

impl View<HexInt<u16>> for AttributeType {
    fn show(value: HexInt<u16>, to: &mut dyn Show) {
        let uuid = Uuid::from_u16(value.0);
        to.uuid(uuid, assigned::attribute_name(uuid));
    }
}

crate::open_enum! {
    /// What happens to prepared writes ([Vol 3] Part F, 3.4.6.3).
    pub struct ExecuteFlags(u8) { Cancel = 0 "cancel", Write = 1 "write" }
}

crate::coded_table! {
    /// Any PDU, by its opcode. Attribute types are two or sixteen octets, as `Uuid::from_wire` reads them.
    pub enum AttPdu, whole;
    /// [Vol 3] Part F, 3.4.1.1.
    0x01 "ATT_ERROR_RSP" ErrorRsp { req_opcode: AttOpcode, attribute_handle: HexInt<u16>, error_code: AttError };
    /// [Vol 3] Part F, 3.4.2.1.
    0x02 "ATT_EXCHANGE_MTU_REQ" ExchangeMtuReq { client_rx_mtu: u16 };
    /// [Vol 3] Part F, 3.4.2.2.
    0x03 "ATT_EXCHANGE_MTU_RSP" ExchangeMtuRsp { server_rx_mtu: u16 };
    /// [Vol 3] Part F, 3.4.3.1.
    0x04 "ATT_FIND_INFORMATION_REQ" FindInformationReq { starting_handle: HexInt<u16>, ending_handle: HexInt<u16> };
    /// [Vol 3] Part F, 3.4.3.2. Format 1: handles with 2-octet UUIDs; 2: with 16-octet ones.
    0x05 "ATT_FIND_INFORMATION_RSP" FindInformationRsp<'a> { format: u8, information_data: Rest<'a> };
    /// [Vol 3] Part F, 3.4.3.3.
    0x06 "ATT_FIND_BY_TYPE_VALUE_REQ" FindByTypeValueReq<'a> {
        starting_handle: HexInt<u16>, ending_handle: HexInt<u16>,
        attribute_type: HexInt<u16> as AttributeType, attribute_value: Rest<'a>
    };
    /// [Vol 3] Part F, 3.4.3.4.
    0x07 "ATT_FIND_BY_TYPE_VALUE_RSP" FindByTypeValueRsp<'a> { handles: Tail<'a, HandlesInformation> };
    /// [Vol 3] Part F, 3.4.4.1.
    0x08 "ATT_READ_BY_TYPE_REQ" ReadByTypeReq<'a> {
        starting_handle: HexInt<u16>, ending_handle: HexInt<u16>, attribute_type: Rest<'a> as AttributeType
    };
    /// [Vol 3] Part F, 3.4.4.2. Entries of `length` octets: handle and value.
    0x09 "ATT_READ_BY_TYPE_RSP" ReadByTypeRsp<'a> { length: u8, attribute_data: Rest<'a> };
    /// [Vol 3] Part F, 3.4.4.3.
    0x0A "ATT_READ_REQ" ReadReq { attribute_handle: HexInt<u16> };
    /// [Vol 3] Part F, 3.4.4.4.
    0x0B "ATT_READ_RSP" ReadRsp<'a> { attribute_value: Rest<'a> };
    /// [Vol 3] Part F, 3.4.4.5.
    0x0C "ATT_READ_BLOB_REQ" ReadBlobReq { attribute_handle: HexInt<u16>, value_offset: u16 };
    /// [Vol 3] Part F, 3.4.4.6.
    0x0D "ATT_READ_BLOB_RSP" ReadBlobRsp<'a> { part_attribute_value: Rest<'a> };
    /// [Vol 3] Part F, 3.4.4.7.
    0x0E "ATT_READ_MULTIPLE_REQ" ReadMultipleReq<'a> { handles: Tail<'a, HexInt<u16>> };
    /// [Vol 3] Part F, 3.4.4.8.
    0x0F "ATT_READ_MULTIPLE_RSP" ReadMultipleRsp<'a> { set_of_values: Rest<'a> };
    /// [Vol 3] Part F, 3.4.4.9.
    0x10 "ATT_READ_BY_GROUP_TYPE_REQ" ReadByGroupTypeReq<'a> {
        starting_handle: HexInt<u16>, ending_handle: HexInt<u16>,
        attribute_group_type: Rest<'a> as AttributeType
    };
    /// [Vol 3] Part F, 3.4.4.10. Entries of `length` octets: handle, end of the group, value.
    0x11 "ATT_READ_BY_GROUP_TYPE_RSP" ReadByGroupTypeRsp<'a> { length: u8, attribute_data: Rest<'a> };
    /// [Vol 3] Part F, 3.4.5.1.
    0x12 "ATT_WRITE_REQ" WriteReq<'a> { attribute_handle: HexInt<u16>, attribute_value: Rest<'a> };
    /// [Vol 3] Part F, 3.4.5.2.
    0x13 "ATT_WRITE_RSP" WriteRsp {};
    /// [Vol 3] Part F, 3.4.6.1.
    0x16 "ATT_PREPARE_WRITE_REQ" PrepareWriteReq<'a> {
        attribute_handle: HexInt<u16>, value_offset: u16, part_attribute_value: Rest<'a>
    };
    /// [Vol 3] Part F, 3.4.6.2.
    0x17 "ATT_PREPARE_WRITE_RSP" PrepareWriteRsp<'a> {
        attribute_handle: HexInt<u16>, value_offset: u16, part_attribute_value: Rest<'a>
    };
    /// [Vol 3] Part F, 3.4.6.3. Flags 0 cancels, 1 writes.
    0x18 "ATT_EXECUTE_WRITE_REQ" ExecuteWriteReq { flags: u8 as ExecuteFlags };
    /// [Vol 3] Part F, 3.4.6.4.
    0x19 "ATT_EXECUTE_WRITE_RSP" ExecuteWriteRsp {};
    /// [Vol 3] Part F, 3.4.7.1.
    0x1B "ATT_HANDLE_VALUE_NTF" HandleValueNtf<'a> { attribute_handle: HexInt<u16>, attribute_value: Rest<'a> };
    /// [Vol 3] Part F, 3.4.7.2.
    0x1D "ATT_HANDLE_VALUE_IND" HandleValueInd<'a> { attribute_handle: HexInt<u16>, attribute_value: Rest<'a> };
    /// [Vol 3] Part F, 3.4.7.3.
    0x1E "ATT_HANDLE_VALUE_CFM" HandleValueCfm {};
    /// [Vol 3] Part F, 3.4.4.11.
    0x20 "ATT_READ_MULTIPLE_VARIABLE_REQ" ReadMultipleVariableReq<'a> { handles: Tail<'a, HexInt<u16>> };
    /// [Vol 3] Part F, 3.4.4.12.
    0x21 "ATT_READ_MULTIPLE_VARIABLE_RSP" ReadMultipleVariableRsp<'a> { values: Tail<'a, LengthValue<'a>> };
    /// [Vol 3] Part F, 3.4.7.4.
    0x23 "ATT_MULTIPLE_HANDLE_VALUE_NTF" MultipleHandleValueNtf<'a> { values: Tail<'a, HandleLengthValue<'a>> };
    /// [Vol 3] Part F, 3.4.5.3.
    0x52 "ATT_WRITE_CMD" WriteCmd<'a> { attribute_handle: HexInt<u16>, attribute_value: Rest<'a> };
    /// [Vol 3] Part F, 3.4.5.4. The last 12 octets are the authentication signature.
    0xD2 "ATT_SIGNED_WRITE_CMD" SignedWriteCmd<'a> { attribute_handle: HexInt<u16>, value_and_signature: Rest<'a> };
}

/// What a PDU is for, which decides who answers it ([Vol 3] Part F, 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PduKind {
    /// From the client, answered by a response.
    Request,
    /// From the server, the answer to a request.
    Response,
    /// From the client, not answered.
    Command,
    /// From the server, not answered.
    Notification,
    /// From the server, answered by a confirmation.
    Indication,
    /// From the client, the answer to an indication.
    Confirmation,
}

/// First octet of an ATT PDU.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttOpcode(pub u8);

impl AttOpcode {
    /// The PDU's name in the specification.
    pub const fn name(self) -> Option<&'static str> {
        AttPdu::name_of(self.0)
    }

    /// What it is for; an opcode of no PDU with the command flag is a command, without it a request
    /// ([Vol 3] Part F, 3.3: a server ignores the one and refuses the other).
    pub const fn kind(self) -> PduKind {
        match self.0 {
            0x01 | 0x03 | 0x05 | 0x07 | 0x09 | 0x0B | 0x0D | 0x0F | 0x11 | 0x13 | 0x17 | 0x19 | 0x21 => {
                PduKind::Response
            }
            0x1B | 0x23 => PduKind::Notification,
            0x1D => PduKind::Indication,
            0x1E => PduKind::Confirmation,
            opcode if opcode & 0x40 != 0 => PduKind::Command,
            _ => PduKind::Request,
        }
    }

    /// The opcode that answers this request: the next number, for every request of the specification.
    pub const fn response(self) -> Option<Self> {
        match self.0 {
            0x02 | 0x04 | 0x06 | 0x08 | 0x0A | 0x0C | 0x0E | 0x10 | 0x12 | 0x16 | 0x18 | 0x20 => {
                Some(Self(self.0 + 1))
            }
            _ => None,
        }
    }
}

impl fmt::Display for AttOpcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "ATT 0x{:02X}", self.0),
        }
    }
}

impl fmt::Debug for AttOpcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

crate::number_field!(AttOpcode(u8), |it, to| match it.name() {
    None if to.in_words(&it) => {}
    name => to.named(it.0.into(), 1, name),
});

impl<'a> AttPdu<'a> {
    /// Reads a whole PDU, opcode first.
    ///
    /// # Errors
    /// When there is no opcode or the parameters do not follow the layout; an unknown opcode is data.
    #[inline]
    pub fn from_octets(pdu: &'a [u8]) -> Result<Self, ParseError> {
        let (&opcode, parameters) = pdu.split_first().ok_or(ParseError { what: "ATT PDU", offset: 0 })?;
        Self::parse(opcode, parameters)
    }

    /// Its first octet.
    pub fn opcode(&self) -> AttOpcode {
        AttOpcode(self.code())
    }

    /// The whole PDU, opcode first.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(self.code());
        self.emit_parameters(&mut out);
        out.freeze()
    }
}

impl AttPdu<'_> {
    /// The one attribute that it is about: of requests, commands and values that name one.
    pub fn attribute_handle(&self) -> Option<u16> {
        let handle = match self {
            Self::ReadReq(p) => p.attribute_handle,
            Self::ReadBlobReq(p) => p.attribute_handle,
            Self::WriteReq(p) => p.attribute_handle,
            Self::PrepareWriteReq(p) => p.attribute_handle,
            Self::PrepareWriteRsp(p) => p.attribute_handle,
            Self::HandleValueNtf(p) => p.attribute_handle,
            Self::HandleValueInd(p) => p.attribute_handle,
            Self::WriteCmd(p) => p.attribute_handle,
            Self::SignedWriteCmd(p) => p.attribute_handle,
            _ => return None,
        };
        Some(handle.0)
    }
}

impl<'a> FindInformationRsp<'a> {
    /// Handles and attribute types, the latter of 2 or 16 octets by the format; none for an unknown format.
    /// Ends before an entry that is not whole.
    pub fn entries(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let length = match self.format {
            1 => 4,
            2 => 18,
            _ => usize::MAX,
        };
        self.information_data.0.chunks_exact(length).filter_map(handle_and_rest)
    }
}

impl<'a> ReadByTypeRsp<'a> {
    /// Handles and values; none when `length` leaves no room for a handle. Ends before an entry that is not whole.
    pub fn entries(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        entries_of(self.length, 2, self.attribute_data.0).filter_map(handle_and_rest)
    }
}

impl<'a> ReadByGroupTypeRsp<'a> {
    /// Handles, ends of their groups, and values; none when `length` leaves no room for the handles.
    pub fn entries(&self) -> impl Iterator<Item = (u16, u16, &'a [u8])> + use<'a> {
        entries_of(self.length, 4, self.attribute_data.0).filter_map(|entry| {
            let (handle, rest) = handle_and_rest(entry)?;
            let (end, value) = handle_and_rest(rest)?;
            Some((handle, end, value))
        })
    }
}

fn entries_of(length: u8, least: u8, data: &[u8]) -> std::slice::ChunksExact<'_, u8> {
    data.chunks_exact(if length < least { usize::MAX } else { usize::from(length) })
}

fn handle_and_rest(entry: &[u8]) -> Option<(u16, &[u8])> {
    entry.split_first_chunk().map(|(handle, rest)| (u16::from_le_bytes(*handle), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_request_of_the_table_has_the_response_behind_it() {
        for &code in AttPdu::CODES {
            let opcode = AttOpcode(code);
            let answered = opcode.response().is_some();
            assert_eq!(answered, opcode.kind() == PduKind::Request, "{opcode}");
            if let Some(response) = opcode.response() {
                assert_eq!(response.kind(), PduKind::Response, "{opcode}");
                assert_eq!(
                    opcode.name().and_then(|n| n.strip_suffix("REQ")),
                    response.name().and_then(|n| n.strip_suffix("RSP"))
                );
            }
        }
        assert_eq!(AttPdu::CODES.len(), 31);
    }

    #[test]
    fn a_pdu_longer_than_its_layout_is_refused() {
        assert!(AttPdu::from_octets(&[0x13]).is_ok());
        assert_eq!(AttPdu::from_octets(&[0x13, 0]), Err(ParseError { what: "ATT_WRITE_RSP", offset: 0 }));
        assert!(AttPdu::from_octets(&[]).is_err());
    }

    #[test]
    fn a4_entry_lengths_that_cannot_be_give_no_entries() {
        for length in [0, 1] {
            let rsp = ReadByTypeRsp { length, attribute_data: Rest(&[1, 0, 2, 0]) };
            assert_eq!(rsp.entries().count(), 0);
        }
        for length in [0, 1, 3] {
            let rsp = ReadByGroupTypeRsp { length, attribute_data: Rest(&[1, 0, 2, 0]) };
            assert_eq!(rsp.entries().count(), 0);
        }
        let odd = ReadByTypeRsp { length: 3, attribute_data: Rest(&[1, 0, 9, 2, 0]) };
        assert_eq!(odd.entries().collect::<Vec<_>>(), [(1, &[9][..])]);
    }

    #[test]
    fn a5_find_information_of_an_unknown_format_gives_no_entries() {
        for format in [0, 3] {
            let rsp = FindInformationRsp { format, information_data: Rest(&[1, 0, 2, 0x28]) };
            assert_eq!(rsp.entries().count(), 0);
        }
    }

    #[test]
    fn a9_values_with_a_length_past_the_end_end_the_list_safely() {
        let pdu = AttPdu::from_octets(&[0x23, 1, 0, 1, 0, 7, 2, 0, 9, 0, 8]).expect("any octets");
        let AttPdu::MultipleHandleValueNtf(ntf) = pdu else { panic!("{pdu}") };
        let seen: Vec<_> =
            ntf.values.iter().map(|v| (v.attribute_handle.0, v.value.length, v.value.value.0)).collect();
        assert_eq!(seen, [(1, 1, &[7][..]), (2, 9, &[8][..])]);
    }

    proptest! {
        #[test]
        fn what_parses_is_emitted_as_it_was(octets in prop::collection::vec(any::<u8>(), 1..64)) {
            if let Ok(pdu) = AttPdu::from_octets(&octets) {
                let emitted = pdu.to_bytes();
                // A last entry that is not whole is the only thing a list may drop.
                prop_assert_eq!(&emitted[..], &octets[..emitted.len()]);
                let _ = pdu.to_string();
            }
        }
    }
}
