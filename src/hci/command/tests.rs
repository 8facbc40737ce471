use super::*;
use crate::hci::OwnAddressType;
use proptest::prelude::*;

#[test]
fn parameters_are_laid_out_in_the_order_of_the_table() {
    let command = LeSetScanParameters {
        le_scan_type: 1,
        le_scan_interval: 0x10,
        le_scan_window: 0x11,
        own_address_type: OwnAddressType::Random,
        scanning_filter_policy: 0,
    };
    let packet = command.to_packet().expect("short");
    assert_eq!(packet.as_slice(), [1, 0x0B, 0x20, 7, 1, 0x10, 0, 0x11, 0, 1, 0]);
    assert_eq!(Command::parse(Opcode(0x200B), packet.payload()), Ok(Command::LeSetScanParameters(command)));
    assert_eq!(
        Command::LeSetScanParameters(command).to_string(),
        "LE Set Scan Parameters le_scan_type=1 le_scan_interval=10 ms le_scan_window=10.625 ms \
         own_address_type=random scanning_filter_policy=0"
    );
}

#[test]
fn too_short_and_too_long_parameters_are_refused_with_the_place() {
    let short = Command::parse(Opcode(0x200B), &[1, 0x10, 0, 0x11, 0, 1]);
    assert_eq!(short, Err(ParseError { what: "LE Set Scan Parameters", offset: 6 }));
    let long = Command::parse(Opcode(0x200C), &[1, 0, 9]);
    assert_eq!(long, Err(ParseError { what: "LE Set Scan Enable", offset: 2 }));
}

#[test]
fn an_unknown_opcode_is_data() {
    let command = Command::parse(Opcode(0xFC01), &[1, 2]).expect("data");
    assert_eq!(command, Command::Unknown { opcode: Opcode(0xFC01), parameters: &[1, 2] });
    assert_eq!(command.to_string(), "vendor command 0xFC01 0102");
}

#[test]
fn keys_are_not_printed() {
    let key = [0xA5; 16];
    let command = LeEnableEncryption {
        connection_handle: ConnectionHandle(1),
        random_number: [0; 8],
        encrypted_diversifier: 0,
        long_term_key: crate::codec::Secret(&key),
    };
    let text = format!("{} {:?}", Command::LeEnableEncryption(command), command);
    assert!(!text.to_lowercase().contains("a5a5"), "{text}");
}

#[test]
fn a_failed_answer_may_be_only_its_status() {
    struct Shown<'a>(&'a [u8]);
    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            show::display(f, |to| Opcode(0x2002).show_return(self.0, to))
        }
    }
    assert_eq!(Shown(&[1]).to_string().trim_end(), "status=Unknown HCI Command");
    assert_eq!(
        Shown(&[0, 27, 0, 64]).to_string(),
        "status=Success le_acl_data_packet_length=27 total_num_le_acl_data_packets=64"
    );
}

#[test]
fn no_two_commands_share_a_supported_bit() {
    let mut seen = std::collections::BTreeMap::new();
    for opcode in Command::OPCODES {
        if let Some(bit) = opcode.supported_bit() {
            assert!(bit.0 < 64 && bit.1 < 8);
            assert_eq!(seen.insert(bit, opcode), None, "{opcode} and another share {bit:?}");
        }
    }
    assert!(Command::OPCODES.is_sorted());
    assert_eq!(Command::OPCODES.len(), 173);
}

proptest! {
    #[test]
    fn every_row_emits_what_it_parsed(row in 0..Command::OPCODES.len(), octets in prop::collection::vec(any::<u8>(), 0..=255)) {
        let opcode = Command::OPCODES[row];
        // The longest prefix that the layout accepts: without it only commands of no fixed length were tried.
        for end in 0..=octets.len() {
            if let Ok(command) = Command::parse(opcode, &octets[..end]) {
                let mut out = BytesMut::new();
                command.emit(&mut out);
                prop_assert_eq!(&out[..], &octets[..end], "{}", opcode);
                prop_assert_eq!(command.opcode(), opcode);
                prop_assert!(command.to_string().starts_with(opcode.name().unwrap_or("")));
            }
        }
    }
}
