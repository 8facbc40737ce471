//! Two Security Managers on one link in virtual time, and users at both.

mod distribution;
mod hostile;
mod matrix;
mod methods;
mod order;
mod random;
mod secrets;
mod timer;

use super::{
    Answer, Encrypted, Key, LocalIdentity, Output, Paired, PairingError, PairingOptions, Passkey,
    PeerRequest, Prompt, PromptId, SecurityManager,
};
use crate::hci::Role;
use crate::{Address, Instant};
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::VecDeque;

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn identity(n: u8) -> LocalIdentity {
    LocalIdentity {
        irk: Key::new([n; 16]),
        address: Address::random(crate::BdAddr([n, 1, 2, 3, 4, 0xC5])),
        csrk: Key::new([n + 1; 16]),
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// One device with its user.
struct Side {
    manager: SecurityManager,
    options: PairingOptions,
    identity: LocalIdentity,
    rng: ChaCha20Rng,
    /// PDUs for the other side.
    sent: VecDeque<Bytes>,
    prompts: Vec<(PromptId, Prompt)>,
    asked: Option<PeerRequest>,
    security_requests: usize,
    /// What the central encrypts with.
    encrypt: Option<Key>,
    paired: Option<Paired>,
    failed: Option<PairingError>,
    /// Everything it said, as logs would have it.
    printed: String,
}

impl Side {
    fn new(role: Role, seed: u64) -> Self {
        let (a, b) = (address("C0:00:00:00:00:0A/random"), address("00:00:00:00:00:0B/public"));
        let (local, peer) = if role == Role::Central { (a, b) } else { (b, a) };
        Self {
            manager: SecurityManager::new(role, local, peer),
            options: PairingOptions::new(),
            identity: identity(if role == Role::Central { 0xA0 } else { 0xB0 }),
            rng: rng(seed),
            sent: VecDeque::new(),
            prompts: Vec::new(),
            asked: None,
            security_requests: 0,
            encrypt: None,
            paired: None,
            failed: None,
            printed: String::new(),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.manager.poll_output() {
            self.printed += &format!("{output:?}{output:#?}");
            match output {
                Output::Send(pdu) => self.sent.push_back(pdu),
                Output::Asked(request) => self.asked = Some(request),
                Output::SecurityRequested { .. } => self.security_requests += 1,
                Output::Prompt { id, prompt } => self.prompts.push((id, prompt)),
                Output::Encrypt { key } => self.encrypt = Some(key),
                Output::Paired(paired) => {
                    assert!(
                        self.paired.is_none() && self.failed.is_none(),
                        "one end: {:?} {:?}",
                        self.failed,
                        self.manager
                    );
                    self.paired = Some(*paired);
                }
                Output::Failed(error) => {
                    assert!(
                        self.paired.is_none() && self.failed.is_none(),
                        "one end: {:?} {:?}",
                        self.failed,
                        self.manager
                    );
                    self.failed = Some(error);
                    self.asked = None;
                }
            }
        }
    }

    fn pair(&mut self, now: Instant) {
        let (options, identity) = (self.options.clone(), self.identity.clone());
        self.manager.pair(now, &options, identity, &mut self.rng).expect("a pairing begins");
        self.drain();
    }

    fn accept(&mut self, now: Instant) {
        let (options, identity) = (self.options.clone(), self.identity.clone());
        self.manager.accept(now, &options, identity, &mut self.rng).expect("somebody asks");
        self.drain();
    }

    fn hear(&mut self, now: Instant, pdu: &[u8]) {
        self.manager.on_pdu(now, pdu, &mut self.rng);
        self.drain();
    }

    fn answer(&mut self, now: Instant, id: PromptId, answer: Answer) -> bool {
        let taken = self.manager.answer(now, id, answer, &mut self.rng);
        self.drain();
        taken
    }

    fn encrypted(&mut self, now: Instant, with: Encrypted) {
        self.manager.on_encrypted(now, with, &mut self.rng);
        self.drain();
    }
}

/// Both, and the link between them.
struct Pair {
    now: Instant,
    central: Side,
    peripheral: Side,
    /// Every PDU in its order, and whether the central sent it.
    air: Vec<(bool, Bytes)>,
    /// What the link was encrypted with.
    key: Option<Key>,
    /// What the user at both types when both type.
    passkey: Passkey,
    /// Somebody in between: what is delivered for a PDU, and whether the central sent it.
    between: Box<dyn FnMut(bool, Bytes) -> Vec<Bytes>>,
}

impl Pair {
    fn new(central: PairingOptions, peripheral: PairingOptions) -> Self {
        let mut pair = Self {
            now: Instant::START,
            central: Side::new(Role::Central, 1),
            peripheral: Side::new(Role::Peripheral, 2),
            air: Vec::new(),
            key: None,
            passkey: Passkey::new(12_345).expect("six digits"),
            between: Box::new(|_, pdu| vec![pdu]),
        };
        (pair.central.options, pair.peripheral.options) = (central, peripheral);
        pair
    }

    /// A pairing that the central begins and both users want.
    fn run(central: PairingOptions, peripheral: PairingOptions) -> Self {
        let mut pair = Self::new(central, peripheral);
        pair.begin();
        pair
    }

    /// The central begins, and both go on as far as they can.
    fn begin(&mut self) {
        self.central.pair(self.now);
        self.settle();
    }

    /// Carries PDUs, answers and encryption until nothing more happens.
    fn settle(&mut self) {
        for _ in 0..1000 {
            if !self.step() {
                return;
            }
        }
        panic!("they never come to an end");
    }

    /// The next thing that happens.
    fn step(&mut self) -> bool {
        self.carry() || self.ask() || self.encrypt()
    }

    /// The next PDU, or what somebody says to what the peer wants.
    fn carry(&mut self) -> bool {
        if let Some(pdu) = self.central.sent.pop_front() {
            self.air.push((true, pdu.clone()));
            for pdu in (self.between)(true, pdu) {
                self.peripheral.hear(self.now, &pdu);
            }
        } else if self.peripheral.asked.take().is_some() {
            self.peripheral.accept(self.now);
        } else if let Some(pdu) = self.peripheral.sent.pop_front() {
            self.air.push((false, pdu.clone()));
            for pdu in (self.between)(false, pdu) {
                self.central.hear(self.now, &pdu);
            }
        } else if std::mem::take(&mut self.central.security_requests) > 0 {
            self.central.accept(self.now);
        } else {
            return false;
        }
        true
    }

    /// What the users do with what they see.
    fn ask(&mut self) -> bool {
        let shown = |side: &Side| {
            side.prompts.iter().find_map(|(_, prompt)| match prompt {
                Prompt::DisplayPasskey(passkey) => Some(passkey.clone()),
                _ => None,
            })
        };
        let number = |side: &Side| {
            side.prompts.iter().find_map(|(_, prompt)| match prompt {
                Prompt::ConfirmNumber(number) => Some(*number),
                _ => None,
            })
        };
        let passkey = shown(&self.central).or(shown(&self.peripheral)).unwrap_or(self.passkey.clone());
        let same = number(&self.central) == number(&self.peripheral);
        let mut any = false;
        for side in [&mut self.central, &mut self.peripheral] {
            let Some(at) = side.prompts.iter().position(|(_, prompt)| match prompt {
                Prompt::EnterPasskey | Prompt::Consent => true,
                Prompt::ConfirmNumber(_) => same,
                _ => false,
            }) else {
                continue;
            };
            let (id, prompt) = side.prompts[at].clone();
            let answer = match prompt {
                Prompt::EnterPasskey => Answer::Passkey(passkey.clone()),
                _ => Answer::Yes,
            };
            any |= side.answer(self.now, id, answer);
            if !matches!(prompt, Prompt::ConfirmNumber(_)) {
                side.prompts.remove(at);
            }
        }
        any
    }

    /// The controllers, when the central's is told to.
    fn encrypt(&mut self) -> bool {
        let Some(key) = self.central.encrypt.take() else { return false };
        let Some(ours) = self.peripheral.manager.long_term_key(0, [0; 8]) else {
            self.central.manager.on_encryption_failed(self.now, crate::hci::ErrorCode(0x06));
            self.central.drain();
            return true;
        };
        assert_eq!(key, ours, "both have the same");
        assert!(!key.is_zero());
        self.key = Some(key);
        self.peripheral.encrypted(self.now, Encrypted::WithPairing);
        self.central.encrypted(self.now, Encrypted::WithPairing);
        true
    }

    /// What both have, which has to fit.
    fn paired(&self) -> (&Paired, &Paired) {
        let of = |side: &'_ Side| assert!(side.failed.is_none(), "{:?}", side.failed);
        of(&self.central);
        of(&self.peripheral);
        let (Some(central), Some(peripheral)) = (&self.central.paired, &self.peripheral.paired) else {
            panic!("{:?} {:?}", self.central.manager, self.peripheral.manager);
        };
        let summary = |p: &Paired| (p.method, p.secure_connections, p.authenticated, p.key_size, p.bonded);
        assert_eq!(summary(central), summary(peripheral));
        let (c, p) = (&central.keys, &peripheral.keys);
        assert_eq!((&c.peer_ltk, &c.local_ltk), (&p.local_ltk, &p.peer_ltk), "long-term keys");
        assert_eq!((&c.csrk, &c.local_csrk), (&p.local_csrk, &p.csrk), "signature keys");
        assert_eq!(c.link_key, p.link_key);
        for (keys, peer) in [(c, &self.peripheral), (p, &self.central)] {
            assert!(keys.irk.as_ref().is_none_or(|irk| *irk == peer.identity.irk));
            assert!(keys.identity.is_none_or(|identity| identity == peer.identity.address));
        }
        for side in [&self.central, &self.peripheral] {
            assert!(!side.manager.is_pairing() && side.manager.deadline().is_none());
        }
        (central, peripheral)
    }

    /// Who sent what: whether it was the central, and the code.
    fn codes(&self) -> Vec<(bool, u8)> {
        self.air.iter().map(|(central, pdu)| (*central, pdu[0])).collect()
    }
}
