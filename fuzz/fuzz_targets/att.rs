//! ATT: any octets as a PDU, and any server for any GATT procedure. What a procedure sends is a request that fits the
//! ATT_MTU, and a server that answers for ever does not keep it for ever.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::att::pdu::ErrorRsp;
use baretooth::att::pdu::PduKind;
use baretooth::att::{AttError, AttOpcode, AttPdu};
use baretooth::gatt::procedure::{Response, Step};
use baretooth_fuzz::assert_line;
use baretooth_fuzz::procedure::AnyProcedure;
use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Pdu(&'a [u8]),
    Procedure { procedure: AnyProcedure, att_mtu: u16, answers: Vec<Answer> },
}

#[derive(Arbitrary, Debug)]
enum Answer {
    /// The response that belongs to the request, with this in it.
    Response(Vec<u8>),
    Error {
        handle: u16,
        code: u8,
    },
    Octets(Vec<u8>),
}

fuzz_target!(|input: Input| match input {
    Input::Pdu(octets) => pdu(octets),
    Input::Procedure { procedure, att_mtu, answers } => run(procedure, att_mtu, &answers),
});

fn pdu(octets: &[u8]) {
    let Ok(first) = AttPdu::from_octets(octets) else { return };
    assert_line(&first.to_string());
    let emitted = first.to_bytes();
    assert_eq!(emitted, octets, "a PDU is defined to the octet");
    assert_eq!(AttPdu::from_octets(&emitted), Ok(first));
}

fn run(procedure: AnyProcedure, att_mtu: u16, answers: &[Answer]) {
    let att_mtu = att_mtu.clamp(23, 517);
    let Ok(mut procedure) = procedure.make() else { return };
    let mut request = procedure.start(att_mtu);
    // The answers over and over: a value or a table has an end whatever the server says.
    for answer in answers.iter().cycle().take(answers.len() * 4) {
        assert!(request.len() <= usize::from(att_mtu), "{request:02x?}");
        let opcode = AttOpcode(request[0]);
        assert_eq!(opcode.kind(), PduKind::Request);
        assert!(AttPdu::from_octets(&request).is_ok(), "{request:02x?}");
        let answer = answer.octets(opcode);
        let Ok(response) = Response::new(&answer) else { return };
        match procedure.on_response(response) {
            Ok(Step::Send(next)) => request = next,
            Ok(Step::Done(_)) => return,
            Err(error) => return assert_line(&error.to_string()),
        }
    }
}

impl Answer {
    fn octets(&self, request: AttOpcode) -> Bytes {
        match self {
            Self::Response(parameters) => {
                let mut octets = BytesMut::new();
                octets.extend(request.response().map(|opcode| opcode.0));
                octets.extend_from_slice(parameters);
                octets.freeze()
            }
            Self::Error { handle, code } => AttPdu::from(ErrorRsp {
                req_opcode: request,
                attribute_handle: (*handle).into(),
                error_code: AttError(*code),
            })
            .to_bytes(),
            Self::Octets(octets) => Bytes::copy_from_slice(octets),
        }
    }
}
