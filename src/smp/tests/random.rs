//! Anything at any time, by the thousand: nothing panics, nothing grows, nobody pairs who has proved nothing.

use super::super::{By, IoCapability, KeypressType, PairingFailedReason, SecureConnections};
use super::*;
use rand_chacha::rand_core::Rng;
use std::time::Duration;

/// A number below an end.
fn below(rng: &mut ChaCha20Rng, end: u32) -> u32 {
    rng.next_u32() % end
}

fn flip(rng: &mut ChaCha20Rng) -> bool {
    below(rng, 2) == 0
}

fn options(rng: &mut ChaCha20Rng) -> PairingOptions {
    let io = IoCapability(below(rng, 5).try_into().expect("small"));
    let generations = [SecureConnections::Off, SecureConnections::Allowed, SecureConnections::Only];
    let generation = generations[usize::try_from(below(rng, 3)).expect("small")];
    PairingOptions::new().io(io).secure_connections(generation).mitm(flip(rng)).keypress(flip(rng))
}

/// A PDU of any code and mostly of its length, or octets.
fn pdu(rng: &mut ChaCha20Rng) -> Vec<u8> {
    const LENGTHS: [usize; 16] = [0, 6, 6, 16, 16, 1, 16, 10, 16, 7, 16, 1, 64, 16, 1, 3];
    let code = usize::try_from(below(rng, 16)).expect("small");
    let length = if below(rng, 10) == 0 { below(rng, 70).try_into().expect("small") } else { LENGTHS[code] };
    let mut pdu = vec![0; length + 1];
    if flip(rng) {
        rng.fill_bytes(&mut pdu);
    }
    pdu[0] = code.try_into().expect("small");
    if matches!(code, 1 | 2) && length == 6 {
        // Mostly one that may be accepted.
        pdu[1] %= 5;
        pdu[2] %= 2;
        pdu[4] = 16;
    }
    pdu
}

fn answer(rng: &mut ChaCha20Rng) -> Answer {
    match below(rng, 4) {
        0 => Answer::Passkey(Passkey::generate(rng)),
        1 => Answer::Yes,
        2 => Answer::No,
        _ => Answer::Keypress(KeypressType(rng.next_u32().to_le_bytes()[0])),
    }
}

/// What came of one input.
fn drain(manager: &mut SecurityManager, prompts: &mut Vec<PromptId>, dead: bool) {
    let mut outputs = 0;
    while let Some(output) = manager.poll_output() {
        outputs += 1;
        assert!(outputs < 12, "one input says so much");
        match output {
            Output::Send(pdu) => assert!(!dead && (2..=65).contains(&pdu.len())),
            Output::Prompt { id, .. } => prompts.push(id),
            Output::Encrypt { .. } | Output::Paired(_) => panic!("nobody has proved anything: {output:?}"),
            Output::Failed(error) => assert!(!manager.is_pairing() && !matches!(error.by, By::Link(_))),
            _ => {}
        }
    }
    if prompts.len() > 8 {
        prompts.remove(0);
    }
    assert_eq!(manager.deadline().is_some(), manager.is_pairing(), "a pairing has a timer");
}

#[test]
fn whatever_a_peer_that_knows_nothing_sends_it_does_not_pair() {
    for seed in 0..60 {
        let mut rng = rng(seed);
        let role = if seed % 2 == 0 { Role::Central } else { Role::Peripheral };
        let mut manager = SecurityManager::new(
            role,
            address("C0:00:00:00:00:01/random"),
            address("00:00:00:00:00:02/public"),
        );
        let (mut now, mut prompts) = (Instant::START, vec![]);
        for _ in 0..400 {
            let dead = manager.is_dead();
            let pairing = manager.is_pairing();
            now = now + Duration::from_millis(below(&mut rng, 900).into());
            match below(&mut rng, 24) {
                0 | 1 if !pairing => {
                    let begun = manager.pair(now, &options(&mut rng), identity(1), &mut rng.clone());
                    assert_eq!(begun.is_err(), dead);
                }
                2 => _ = manager.accept(now, &options(&mut rng), identity(1), &mut rng.clone()),
                3 => manager.refuse(now, PairingFailedReason::PairingNotSupported),
                4 => manager.on_encrypted(now, Encrypted::WithPairing, &mut rng),
                5 => manager.on_encrypted(now, Encrypted::WithBond, &mut rng),
                6 => assert!(manager.long_term_key(0, [0; 8]).is_none()),
                7 if below(&mut rng, 4) == 0 => manager.cancel(now),
                8 => manager.on_encryption_failed(now, crate::hci::ErrorCode(0x05)),
                9 | 10 => {
                    let id = prompts.last().copied().unwrap_or(PromptId(0));
                    let answer = answer(&mut rng);
                    manager.answer(now, id, answer, &mut rng);
                }
                _ => {
                    let pdu = pdu(&mut rng);
                    manager.on_pdu(now, &pdu, &mut rng);
                }
            }
            drain(&mut manager, &mut prompts, dead);
            manager.on_timeout(now);
            drain(&mut manager, &mut prompts, dead);
            assert!(manager.deadline().is_none_or(|deadline| deadline > now));
        }
    }
}

#[test]
fn whoever_is_in_the_middle_of_two_that_pair_makes_them_fail_or_agree() {
    let (mut agreed, mut failed) = (0, 0);
    for seed in 0..300 {
        let mut lies = rng(seed);
        let mut pair = Pair::new(options(&mut lies), options(&mut lies));
        let mut last = Bytes::new();
        // Until the link is encrypted; then there is nobody in the middle any more.
        pair.between = Box::new(move |_, honest| {
            let key = (0x06..=0x0A).contains(&honest[0]);
            let delivered = match below(&mut lies, 60) {
                _ if key => vec![honest.clone()],
                0 => vec![],
                1 => vec![honest.clone(), honest.clone()],
                2 => vec![last.clone(), honest.clone()],
                3 => vec![pdu(&mut lies).into(), honest.clone()],
                4 | 5 => {
                    let mut changed = honest.to_vec();
                    let at = usize::try_from(lies.next_u32()).expect("it fits") % changed.len();
                    changed[at] ^= 1 << below(&mut lies, 8);
                    vec![changed.into()]
                }
                _ => vec![honest.clone()],
            };
            last = honest;
            delivered
        });
        pair.central.pair(pair.now);
        pair.settle();
        // Who waits for what was taken away runs out of time.
        for side in [&mut pair.central, &mut pair.peripheral] {
            if let Some(end) = side.manager.deadline() {
                side.manager.on_timeout(end);
                side.drain();
            }
        }
        match (&pair.central.paired, &pair.peripheral.paired) {
            (Some(central), Some(peripheral)) => {
                agreed += 1;
                assert_eq!(central.keys.peer_ltk, peripheral.keys.local_ltk, "seed {seed}");
                assert_eq!(central.level(), peripheral.level(), "seed {seed}");
            }
            // The first may have been lied to that it was all in vain.
            _ => failed += 1,
        }
    }
    assert!(agreed > 50 && failed > 50, "{agreed} agreed, {failed} failed");
}
