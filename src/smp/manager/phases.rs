//! Where a pairing is, and how it goes from one phase to the next.

use super::SecurityManager;
use crate::Instant;
use crate::crypto::Key;
use crate::smp::distribution::{self, Distribution};
use crate::smp::early::EarlyKeys;
use crate::smp::error::Refusal;
use crate::smp::exchange::{Exchange, KeyGeneration};
use crate::smp::features::{Features, Terms};
use crate::smp::method::Side;
use crate::smp::pdu::SmpPdu;
use crate::smp::{LocalIdentity, Method, Output, PairingOptions};
use rand_chacha::rand_core::Rng;

pub(super) enum State {
    Idle,
    /// Peripheral: the central wants to pair, nobody has said whether we do.
    Asked(Features),
    /// Peripheral: our Security Request is sent.
    Wanted(Box<Plan>),
    /// Central: our Pairing Request is sent.
    Requested(Box<Plan>, Features),
    /// The user is asked whether to pair at all.
    Consent(Box<Exchange>),
    GeneratingKeys(Box<Exchange>, KeyGeneration),
    /// Both have the key, and the link is to be encrypted with it.
    Encrypting {
        exchange: Box<Exchange>,
        key: Key,
        /// The controller has it.
        given: bool,
        early: EarlyKeys,
    },
    Distributing(Box<Exchange>, Distribution),
}

/// How to pair once the peer has answered.
pub(super) struct Plan {
    pub options: PairingOptions,
    pub identity: LocalIdentity,
    /// The peer asked for it.
    pub begun_by_peer: bool,
}

impl SecurityManager {
    /// A PDU that belongs to the pairing in progress, or to none.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        pdu: &SmpPdu<'_>,
        octets: &[u8],
        rng: &mut impl Rng,
    ) -> Result<(), Refusal> {
        match (self.take_state(), pdu) {
            // Of a pairing that has ended here already.
            (state @ (State::Idle | State::Wanted(_)), _) => {
                self.state = state;
                Ok(())
            }
            (State::Requested(plan, request), SmpPdu::PairingResponse(_)) => {
                let response = Features::of_peer(octets)?;
                self.agree(*plan, request, response, rng)
            }
            (State::GeneratingKeys(exchange, mut generation), pdu) => {
                match generation.on_pdu(&exchange, pdu, &mut self.out, rng)? {
                    Some(key) => self.encrypt(exchange, key),
                    None => self.state = State::GeneratingKeys(exchange, generation),
                }
                Ok(())
            }
            (State::Encrypting { exchange, key, given: true, mut early }, pdu)
                if distribution::is_key(pdu) =>
            {
                early.hold(now, octets)?;
                self.state = State::Encrypting { exchange, key, given: true, early };
                Ok(())
            }
            (State::Distributing(exchange, mut distribution), pdu) => {
                distribution.on_pdu(&exchange, pdu, &mut self.out, rng)?;
                self.distribute(exchange, distribution);
                Ok(())
            }
            // Keys over a link that is not encrypted with this pairing's key among them.
            _ => Err(Refusal::out_of_order()),
        }
    }

    pub(super) fn respond(
        &mut self,
        plan: Plan,
        request: Features,
        rng: &mut impl Rng,
    ) -> Result<(), Refusal> {
        let response = Features::response(&plan.options, &request);
        self.agree(plan, request, response, rng)
    }

    fn agree(
        &mut self,
        plan: Plan,
        request: Features,
        response: Features,
        rng: &mut impl Rng,
    ) -> Result<(), Refusal> {
        let Plan { options, identity, begun_by_peer } = plan;
        let side = self.side();
        let (initiator, responder) = match side {
            Side::Initiator => (self.local, self.peer),
            Side::Responder => (self.peer, self.local),
        };
        let terms = Terms::agree(&options, side, &request, &response)?;
        let exchange =
            Box::new(Exchange { side, initiator, responder, request, response, terms, options, identity });
        // Where no method asks the user anything, a peer that begins would pair unseen.
        let asks = begun_by_peer || exchange.options.consent;
        if asks && exchange.terms.association.method == Method::JustWorks {
            self.out.ask_consent();
            self.state = State::Consent(exchange);
        } else {
            self.generate_keys(exchange, rng);
        }
        Ok(())
    }

    pub(super) fn generate_keys(&mut self, exchange: Box<Exchange>, rng: &mut impl Rng) {
        if exchange.side == Side::Responder {
            self.out.send_octets(exchange.response.pdu());
        }
        let generation = KeyGeneration::begin(&exchange, &mut self.out, rng);
        self.state = State::GeneratingKeys(exchange, generation);
    }

    pub(super) fn on_number_confirmed(&mut self) {
        match self.take_state() {
            State::GeneratingKeys(exchange, mut generation) => {
                match generation.on_number_confirmed(&mut self.out) {
                    Some(key) => self.encrypt(exchange, key),
                    None => self.state = State::GeneratingKeys(exchange, generation),
                }
            }
            state => self.state = state,
        }
    }

    /// Both have the key: the central encrypts with it.
    fn encrypt(&mut self, exchange: Box<Exchange>, key: Key) {
        self.out.close_prompt();
        let given = exchange.side == Side::Initiator;
        if given {
            self.out.say(Output::Encrypt { key: key.clone() });
        }
        self.state = State::Encrypting { exchange, key, given, early: EarlyKeys::default() };
    }

    /// The link is encrypted; keys of the peer's may have come before we heard of it.
    pub(super) fn distribute_keys(
        &mut self,
        now: Instant,
        exchange: Box<Exchange>,
        key: &Key,
        early: EarlyKeys,
        rng: &mut impl Rng,
    ) -> Result<(), Refusal> {
        let early = early.release(now)?;
        let distribution = Distribution::begin(&exchange, key, &mut self.out, rng);
        self.distribute(exchange, distribution);
        for octets in early {
            if let Ok(pdu) = SmpPdu::from_octets(&octets) {
                self.advance(now, &pdu, &octets, rng)?;
            }
        }
        Ok(())
    }

    fn distribute(&mut self, exchange: Box<Exchange>, mut distribution: Distribution) {
        match distribution.finish(&exchange) {
            Some(paired) => {
                self.rest();
                self.out.say(Output::Paired(Box::new(paired)));
            }
            None => self.state = State::Distributing(exchange, distribution),
        }
    }
}
