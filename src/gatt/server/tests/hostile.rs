//! Clients that send anything at all.

use super::*;
use crate::att::AttOpcode;
use crate::att::pdu::PduKind;
use proptest::prelude::*;

/// A PDU that has a chance to mean something: a known opcode, and handles that are there.
fn pdus() -> impl Strategy<Value = Vec<u8>> {
    let opcodes = prop::sample::select(vec![
        0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x0E, 0x10, 0x12, 0x16, 0x18, 0x20, 0x1E, 0x52, 0xD2,
    ]);
    let there =
        prop::sample::select(vec![1, 2, LEVEL, LEVEL_CCCD, 0x10, STORED, ASKED, PRIVATE, SHORT_ASKED]);
    let words = prop_oneof![6 => there, 1 => 0..0x30_u16, 1 => 0x2800..0x2804_u16, 1 => Just(0xFFFF)];
    let rest = prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 0..30)];
    let known = (opcodes, prop::collection::vec(words, 0..6), rest).prop_map(|(opcode, words, rest)| {
        let words: Vec<u8> = words.into_iter().flat_map(u16::to_le_bytes).collect();
        [&[opcode][..], &words, &rest].concat()
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..40), known]
}

/// The user's answer: a value or a code.
fn answers() -> impl Strategy<Value = Result<Vec<u8>, u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..700).prop_map(Ok), any::<u8>().prop_map(Err)]
}

proptest! {
    #[test]
    fn every_request_gets_one_response_of_its_own_and_nothing_else_gets_any(
        steps in prop::collection::vec((pdus(), answers(), any::<[bool; 3]>()), 1..60),
    ) {
        let mut link = Link::new();
        for (pdu, answer, [encrypted, bonded, authorized]) in steps {
            link.client.security = Security { encrypted, bonded, authorized, authenticated: bonded, key_size: 16 };
            let before = link.server.mtu();
            let mut outputs = link.send(&pdu);
            for asked in 0.. {
                if !matches!(outputs[..], [Output::Ask(_)]) {
                    break;
                }
                prop_assert!(asked < 20, "each value once");
                prop_assert!(link.server.asking().is_some());
                outputs = link.answer(answer.as_ref().map(|value| &value[..]).map_err(|&code| AttError(code)));
            }
            prop_assert!(link.server.asking().is_none());
            let sent: Vec<_> = outputs
                .iter()
                .filter_map(|output| if let Output::Send(pdu) = output { Some(pdu) } else { None })
                .collect();
            let opcode = pdu.first().map(|&code| AttOpcode(code));
            match opcode.filter(|opcode| opcode.kind() == PduKind::Request) {
                Some(request) => {
                    prop_assert_eq!(sent.len(), 1, "{:02x?}: {:?}", pdu, outputs);
                    let response = AttOpcode(sent[0][0]);
                    prop_assert!(sent[0].len() <= usize::from(before), "{:02x?}", pdu);
                    match request.response() {
                        Some(own) if response == own => {}
                        _ => prop_assert_eq!((&sent[0][..2], sent[0].len()), (&[0x01, request.0][..], 5)),
                    }
                }
                None => prop_assert!(sent.is_empty(), "{:02x?}: {:?}", pdu, outputs),
            }
            for handle in 1..0x30 {
                if let Some(value) = link.table.value(handle) {
                    prop_assert!(value.len() <= 512);
                }
            }
        }
    }

    #[test]
    fn answers_to_questions_that_nobody_asked_change_nothing(id: u64, answer in answers()) {
        let mut link = Link::new();
        let answer = answer.map(Bytes::from).map_err(AttError);
        let outputs = link.server.on_answer(&mut link.table, &mut link.client, id, answer);
        prop_assert!(matches!(outputs[..], [Output::Ignored(_)]));
        prop_assert_eq!(link.response([0x0A, 3, 0]), vec![0x0B, 90]);
    }
}
