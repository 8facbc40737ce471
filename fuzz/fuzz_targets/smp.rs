//! Two Security Managers that pair, and whoever is between them, who may change, drop, repeat and invent PDUs in every
//! state of every method; and users and controllers that do anything. No panic; what is sent is a PDU of the sender's
//! role; each pairing ends once; a pairing has a timer, and a link without one says nothing; and nobody encrypts with a
//! key that the other side does not have.

#![no_main]

use arbitrary::Arbitrary;
use baretooth::hci::{ErrorCode, Role};
use baretooth::smp::{
    Answer, Encrypted, IoCapability, Key, KeyDistribution, KeypressType, LocalIdentity, LocalOob, OobData,
    Output, PairingFailedReason, PairingOptions, Passkey, PeerOob, Prompt, PromptId, SecureConnections,
    SecurityManager, SmpPdu,
};
use baretooth::{Address, BdAddr, Instant};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::VecDeque;
use std::time::Duration;

/// What one input may make a side say: a response, a public key, a confirm value and a prompt, or all its keys.
const OUTPUTS_PER_INPUT: usize = 12;

#[derive(Arbitrary, Debug)]
struct Input {
    seed: u8,
    central: Choice,
    peripheral: Choice,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
struct Choice {
    io: u8,
    mitm: bool,
    bonding: bool,
    generation: u8,
    sizes: (u8, u8),
    keys: (u8, u8),
    keypress: bool,
    debug_keys: bool,
    cross_transport: bool,
    oob: u8,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Pair {
        central: bool,
    },
    Accept {
        central: bool,
    },
    Refuse {
        central: bool,
        reason: u8,
    },
    Cancel {
        central: bool,
    },
    /// So many PDUs, as they are; users and controllers do what is right.
    Honestly(u8),
    /// The next PDU of a side, or what was made of it.
    Deliver {
        of_central: bool,
        change: Change,
    },
    /// A PDU that nobody sent.
    Pdu {
        to_central: bool,
        code: u8,
        fill: u8,
    },
    Octets {
        to_central: bool,
        octets: Vec<u8>,
    },
    Answer {
        central: bool,
        older: u8,
        answer: u8,
        number: u32,
    },
    Encrypted {
        central: bool,
        with_bond: bool,
    },
    EncryptionFailed {
        central: bool,
    },
    LongTermKey {
        ediv: u8,
    },
    /// In units of 10 ms.
    Wait(u16),
}

#[derive(Arbitrary, Debug)]
enum Change {
    None,
    Drop,
    Twice,
    Flip {
        at: u8,
        bit: u8,
    },
    Cut(u8),
    /// It comes back to whoever sent it.
    Reflect,
}

fuzz_target!(|input: Input| {
    let mut rng = ChaCha20Rng::seed_from_u64(input.seed.into());
    let oob = [LocalOob::generate(&mut rng), LocalOob::generate(&mut rng)];
    let mut link = Link {
        now: Instant::START,
        central: Side::new(Role::Central, options(&input.central, &oob[0], &oob[1])),
        peripheral: Side::new(Role::Peripheral, options(&input.peripheral, &oob[1], &oob[0])),
        rng,
    };
    for step in input.steps {
        link.step(step);
    }
});

struct Side {
    role: Role,
    manager: SecurityManager,
    options: PairingOptions,
    sent: VecDeque<Bytes>,
    prompts: Vec<(PromptId, Prompt)>,
    asked: bool,
    /// What the central's controller is to encrypt with.
    encrypt: Option<Key>,
    /// It was told to in this pairing.
    was_told: bool,
}

impl Side {
    fn new(role: Role, options: PairingOptions) -> Self {
        let central = Address::random(BdAddr([1, 0, 0, 0, 0, 0xC0]));
        let peripheral = Address::public(BdAddr([2, 0, 0, 0, 0, 0]));
        let (local, peer) = if role == Role::Central { (central, peripheral) } else { (peripheral, central) };
        Self {
            role,
            manager: SecurityManager::new(role, local, peer),
            options,
            sent: VecDeque::new(),
            prompts: Vec::new(),
            asked: false,
            encrypt: None,
            was_told: false,
        }
    }

    fn identity(&self) -> LocalIdentity {
        let address = Address::random(BdAddr([self.role.0, 0, 0, 0, 0, 0xC5]));
        LocalIdentity { irk: Key::new([self.role.0 + 1; 16]), address, csrk: Key::new([0x55; 16]) }
    }

    /// Does something to the manager and takes what comes of it.
    fn with(&mut self, act: impl FnOnce(&mut SecurityManager)) {
        let (was_dead, was_pairing) = (self.manager.is_dead(), self.manager.is_pairing());
        act(&mut self.manager);
        let (mut outputs, mut ends) = (0, 0);
        while let Some(output) = self.manager.poll_output() {
            outputs += 1;
            match output {
                Output::Send(pdu) => {
                    assert!(!was_dead, "nothing is sent on a link without pairing");
                    self.check(&pdu);
                    self.sent.push_back(pdu);
                }
                Output::Asked(_) => {
                    assert!(self.role == Role::Peripheral);
                    self.asked = true;
                }
                Output::SecurityRequested { .. } => {
                    assert!(self.role == Role::Central && !was_pairing);
                    self.asked = true;
                }
                Output::Prompt { id, prompt } => self.prompts.push((id, prompt)),
                Output::Encrypt { key } => {
                    assert!(self.role == Role::Central && !key.is_zero());
                    self.encrypt = Some(key);
                    self.was_told = true;
                }
                Output::Paired(paired) => {
                    ends += 1;
                    assert!((7..=16).contains(&paired.key_size));
                    assert!(
                        !paired.bonded || paired.keys.peer_ltk.is_some() || paired.keys.local_ltk.is_some()
                    );
                    assert!(self.was_told || self.role == Role::Peripheral, "never encrypted");
                }
                Output::Failed(_) => ends += 1,
            }
        }
        assert!(outputs <= OUTPUTS_PER_INPUT && ends <= 1);
        if ends > 0 {
            assert!(!self.manager.is_pairing());
            (self.encrypt, self.was_told) = (None, false);
        }
        // Two of them are open or will be; what is older was answered or has ended.
        let old = self.prompts.len().saturating_sub(4);
        self.prompts.drain(..old);
        self.sent.truncate(64);
        assert_eq!(self.manager.deadline().is_some(), self.manager.is_pairing());
        assert!(!(self.manager.is_dead() && self.manager.is_pairing()));
        assert!(!format!("{:?}", self.manager).is_empty());
    }

    fn check(&self, pdu: &[u8]) {
        let central = self.role == Role::Central;
        match SmpPdu::from_octets(pdu) {
            Ok(SmpPdu::PairingRequest(_)) => assert!(central),
            Ok(SmpPdu::PairingResponse(_) | SmpPdu::SecurityRequest(_)) => assert!(!central),
            Ok(SmpPdu::Unknown { .. }) | Err(_) => panic!("{pdu:02x?}"),
            Ok(_) => {}
        }
    }
}

struct Link {
    now: Instant,
    central: Side,
    peripheral: Side,
    rng: ChaCha20Rng,
}

impl Link {
    fn step(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Pair { central } => {
                let (side, rng) = self.side(central);
                let (options, identity) = (side.options.clone(), side.identity());
                side.with(|manager| {
                    let may = !manager.is_dead();
                    let begun = manager.pair(now, &options, identity, rng);
                    assert!(may || begun.is_err());
                });
            }
            Step::Accept { central } => self.accept(central),
            Step::Refuse { central, reason } => {
                let (side, _) = self.side(central);
                side.asked = false;
                side.with(|manager| manager.refuse(now, PairingFailedReason(reason)));
            }
            Step::Cancel { central } => self.side(central).0.with(|manager| {
                manager.cancel(now);
                assert!(!manager.is_pairing());
            }),
            Step::Honestly(pdus) => (0..pdus).for_each(|_| self.honestly()),
            Step::Deliver { of_central, change } => self.deliver(of_central, &change),
            Step::Pdu { to_central, code, fill } => {
                const LENGTHS: [usize; 16] = [0, 6, 6, 16, 16, 1, 16, 10, 16, 7, 16, 1, 64, 16, 1, 3];
                let length = LENGTHS[usize::from(code % 16)];
                let mut pdu = vec![fill; length + 1];
                pdu[0] = code % 16;
                if length == 6 {
                    (pdu[1], pdu[2], pdu[4]) = (fill % 5, fill >> 7, 16);
                }
                self.hear(to_central, &pdu);
            }
            Step::Octets { to_central, octets } => self.hear(to_central, &octets),
            Step::Answer { central, older, answer, number } => {
                let (side, rng) = self.side(central);
                let at = side.prompts.len().checked_sub(1 + usize::from(older));
                let id = at.map_or(PromptId(number), |at| side.prompts[at].0);
                let answer = match answer % 4 {
                    0 => Answer::Passkey(Passkey::new(number % 1_000_000).expect("six digits")),
                    1 => Answer::Yes,
                    2 => Answer::No,
                    _ => Answer::Keypress(KeypressType(number.to_le_bytes()[0])),
                };
                side.with(|manager| _ = manager.answer(now, id, answer, rng));
            }
            Step::Encrypted { central, with_bond } => {
                let with = if with_bond { Encrypted::WithBond } else { Encrypted::WithPairing };
                let (side, rng) = self.side(central);
                side.with(|manager| manager.on_encrypted(now, with, rng));
            }
            Step::EncryptionFailed { central } => {
                self.side(central).0.with(|manager| manager.on_encryption_failed(now, ErrorCode(0x06)));
            }
            Step::LongTermKey { ediv } => self.peripheral.with(|manager| {
                let key = manager.long_term_key(ediv.into(), [0; 8]);
                assert!(key.is_none() || ediv == 0);
            }),
            Step::Wait(units) => {
                self.now = now + Duration::from_millis(10) * units.into();
                let now = self.now;
                for side in [&mut self.central, &mut self.peripheral] {
                    side.with(|manager| {
                        manager.on_timeout(now);
                        assert!(manager.deadline().is_none_or(|deadline| deadline > now));
                    });
                }
            }
        }
    }

    fn side(&mut self, central: bool) -> (&mut Side, &mut ChaCha20Rng) {
        (if central { &mut self.central } else { &mut self.peripheral }, &mut self.rng)
    }

    fn hear(&mut self, central: bool, pdu: &[u8]) {
        let now = self.now;
        let (side, rng) = self.side(central);
        side.with(|manager| manager.on_pdu(now, pdu, rng));
    }

    fn accept(&mut self, central: bool) {
        let now = self.now;
        let (side, rng) = self.side(central);
        side.asked = false;
        let (options, identity) = (side.options.clone(), side.identity());
        side.with(|manager| _ = manager.accept(now, &options, identity, rng));
    }

    fn deliver(&mut self, of_central: bool, change: &Change) {
        let (side, _) = self.side(of_central);
        let Some(pdu) = side.sent.pop_front() else { return };
        match *change {
            Change::None => self.hear(!of_central, &pdu),
            Change::Drop => {}
            Change::Twice => {
                self.hear(!of_central, &pdu);
                self.hear(!of_central, &pdu);
            }
            Change::Flip { at, bit } => {
                let mut pdu = pdu.to_vec();
                let at = usize::from(at) % pdu.len();
                pdu[at] ^= 1 << (bit % 8);
                self.hear(!of_central, &pdu);
            }
            Change::Cut(length) => self.hear(!of_central, &pdu[..pdu.len().min(length.into())]),
            Change::Reflect => self.hear(of_central, &pdu),
        }
    }

    /// The next thing that happens when all is well.
    fn honestly(&mut self) {
        for central in [true, false] {
            let (side, _) = self.side(central);
            if !side.sent.is_empty() {
                return self.deliver(central, &Change::None);
            }
            if side.asked {
                return self.accept(central);
            }
        }
        if let Some(key) = self.central.encrypt.clone() {
            return self.encrypt(&key);
        }
        let shown = [&self.central, &self.peripheral].into_iter().flat_map(|side| side.prompts.last());
        let shown = shown.filter_map(|(_, prompt)| match prompt {
            Prompt::DisplayPasskey(passkey) => Some(passkey.clone()),
            _ => None,
        });
        let passkey = shown.last().unwrap_or(Passkey::new(123_456).expect("six digits"));
        let now = self.now;
        for central in [true, false] {
            let (side, rng) = self.side(central);
            let Some((id, prompt)) = side.prompts.last().cloned() else { continue };
            let answer = match prompt {
                Prompt::EnterPasskey => Answer::Passkey(passkey.clone()),
                Prompt::ConfirmNumber(_) | Prompt::Consent => Answer::Yes,
                _ => continue,
            };
            side.with(|manager| _ = manager.answer(now, id, answer, rng));
        }
    }

    /// The controllers, that tell a wrong key.
    fn encrypt(&mut self, key: &Key) {
        let now = self.now;
        let mut theirs = None;
        self.peripheral.with(|manager| theirs = manager.long_term_key(0, [0; 8]));
        for central in [false, true] {
            let theirs = theirs.as_ref();
            let (side, rng) = self.side(central);
            side.with(|manager| match theirs {
                Some(theirs) => {
                    assert!(key == theirs, "each has proved to the other that it has the key");
                    manager.on_encrypted(now, Encrypted::WithPairing, rng);
                }
                None => manager.on_encryption_failed(now, ErrorCode(0x06)),
            });
        }
        self.central.encrypt = None;
    }
}

fn options(choice: &Choice, local: &LocalOob, peer: &LocalOob) -> PairingOptions {
    let peer = PeerOob::new(peer.confirm(), peer.random());
    let data = |local, peer| Some(OobData::SecureConnections { local, peer });
    let oob = match choice.oob % 8 {
        0 => data(Some(local.clone()), Some(peer)),
        1 => data(Some(local.clone()), None),
        2 => data(None, Some(peer)),
        3 => Some(OobData::Legacy(Key::new([7; 16]))),
        _ => None,
    };
    let generation = match choice.generation % 3 {
        0 => SecureConnections::Off,
        1 => SecureConnections::Allowed,
        _ => SecureConnections::Only,
    };
    let options = PairingOptions::new()
        .io(IoCapability(choice.io % 6))
        .mitm(choice.mitm)
        .bonding(choice.bonding)
        .secure_connections(generation)
        .min_key_size(choice.sizes.0 % 20)
        .max_key_size(choice.sizes.1 % 20)
        .initiator_keys(KeyDistribution(choice.keys.0))
        .responder_keys(KeyDistribution(choice.keys.1))
        .keypress(choice.keypress)
        .debug_keys(choice.debug_keys)
        .cross_transport(choice.cross_transport);
    match oob {
        Some(oob) => options.oob(oob),
        None => options,
    }
}
