use super::*;

/// Answers each command by `controller`; what comes of it, and the commands that were sent.
fn run(controller: impl Fn(Opcode) -> Option<Vec<u8>>) -> (Result<ControllerInfo, InitError>, Vec<Opcode>) {
    let mut init = Initialization::new(BdAddr([1, 2, 3, 4, 5, 0xC6]), false);
    let mut packet = init.start();
    let mut sent = Vec::new();
    loop {
        let [_, a, b, ..] = packet.as_slice() else { panic!("{packet:?}") };
        let opcode = Opcode(u16::from_le_bytes([*a, *b]));
        sent.push(opcode);
        match init.on_answer(controller(opcode).as_deref()) {
            Ok(Next::Send(next)) => packet = next,
            Ok(Next::Done(info)) => return (Ok(info), sent),
            Err(error) => return (Err(error), sent),
        }
    }
}

fn good(opcode: Opcode) -> Option<Vec<u8>> {
    Some(match opcode {
        ReadLocalVersionInformation::OPCODE => vec![0, 9, 0, 0, 9, 0x59, 0, 1, 0],
        ReadLocalSupportedCommands::OPCODE => [&[0][..], &[0xFF; 64]].concat(),
        ReadLocalSupportedFeatures::OPCODE => vec![0, 0, 0, 0, 0, 0x60, 0, 0, 0],
        LeReadLocalSupportedFeaturesPage0::OPCODE => vec![0, 0x21, 0x11, 0, 0, 0, 0, 0, 0],
        ReadBdAddr::OPCODE => vec![0, 1, 2, 3, 4, 5, 6],
        LeReadBufferSize::OPCODE => vec![0, 251, 0, 8],
        ReadBufferSize::OPCODE => vec![0, 0x36, 1, 0, 10, 0, 0, 0],
        _ => vec![0],
    })
}

/// What is known of a good controller.
pub(in crate::hci) fn good_info() -> ControllerInfo {
    run(good).0.expect("usable")
}

#[test]
fn a_good_controller_is_known_afterwards() {
    let (info, sent) = run(good);
    let info = info.expect("usable");
    assert_eq!((info.acl_length, info.acl_count, info.shared_buffers), (251, 8, false));
    assert_eq!(info.company_identifier, 0x59);
    assert!(info.extended);
    assert_eq!(
        info.features.names().collect::<Vec<_>>(),
        ["LE Encryption", "LE Data Packet Length Extension", "LE 2M PHY", "LE Extended Advertising"]
    );
    assert_eq!(sent[0], Reset::OPCODE);
    assert!(sent.contains(&LeWriteSuggestedDefaultDataLength::OPCODE));
    assert!(!sent.contains(&WriteLeHostSupport::OPCODE), "LE only");
}

#[test]
fn h6_a_controller_that_refuses_all_it_may_refuse_is_still_usable() {
    let (info, _) = run(|opcode| match opcode {
        Reset::OPCODE => Some(vec![0]),
        LeReadBufferSize::OPCODE => Some(vec![0, 27, 0, 1]),
        _ => Some(vec![1]),
    });
    let info = info.expect("usable");
    assert!(!info.extended);
    assert_eq!(info.public_address, None);
}

#[test]
fn h6_a_controller_that_answers_nothing_it_may_leave_out_is_still_usable() {
    let (info, _) = run(|opcode| match opcode {
        Reset::OPCODE | LeReadBufferSize::OPCODE => good(opcode),
        _ => None,
    });
    assert_eq!(info.expect("usable").acl_count, 8);
}

#[test]
fn h6_zero_le_buffers_mean_the_shared_pool_and_zero_there_an_error() {
    let zero_le =
        |opcode| if opcode == LeReadBufferSize::OPCODE { Some(vec![0, 0, 0, 0]) } else { good(opcode) };
    let (info, _) = run(zero_le);
    let info = info.expect("usable");
    assert_eq!((info.acl_length, info.acl_count, info.shared_buffers), (310, 10, true));
    let (info, _) =
        run(|opcode| if opcode == ReadBufferSize::OPCODE { Some(vec![0; 8]) } else { zero_le(opcode) });
    assert_eq!(info, Err(InitError::NoBuffers));
}

#[test]
fn h6_a_silent_controller_is_reset_twice_and_then_named() {
    let (info, sent) = run(|_| None);
    assert_eq!(info, Err(InitError::Silent(Reset::OPCODE)));
    assert_eq!(sent, [Reset::OPCODE, Reset::OPCODE]);
    assert!(InitError::Silent(Reset::OPCODE).to_string().contains("does not answer Reset"));
}

#[test]
fn h10_answers_of_the_wrong_length_lose_what_stands_on_them_only() {
    let short = |opcode| {
        good(opcode).map(|octets| if opcode == Reset::OPCODE { octets } else { octets[..1].to_vec() })
    };
    assert_eq!(run(short).0, Err(InitError::Short(LeReadBufferSize::OPCODE)));
    let version_short =
        |opcode| if opcode == ReadLocalVersionInformation::OPCODE { Some(vec![0, 9]) } else { good(opcode) };
    assert_eq!(run(version_short).0.expect("usable").hci_version, 0);
    assert_eq!(
        run(|opcode| if opcode == Reset::OPCODE { Some(vec![]) } else { good(opcode) }).0,
        Err(InitError::Silent(Reset::OPCODE))
    );
}

#[test]
fn the_le_event_mask_asks_only_for_what_the_controller_has() {
    assert_eq!(le_event_mask(LeFeatures(0)), 0x1F);
    assert_eq!(le_event_mask(LeFeatures(1 << 12)), 0x1F | 1 << 9 | 1 << 12 | 1 << 16 | 1 << 17 | 1 << 18);
}

#[test]
fn a_lying_controller_in_legacy_mode_is_not_extended() {
    let mut init = Initialization::new(BdAddr::ANY, true);
    init.plan.clear();
    init.info.features = LeFeatures(1 << 12);
    *init.info.supported_commands = [0xFF; 64];
    let Next::Done(info) = init.done() else { panic!() };
    assert!(!info.extended);
}
