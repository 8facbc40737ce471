//! The protocol of one link: who may say what when, the timer, and the end of a pairing.

mod phases;

use super::error::Refusal;
use super::features::Features;
use super::method::Side;
use super::outbox::{Outbox, Question};
use super::pdu::{
    AuthReq, PairingFailed, PairingFailedReason, PairingKeypressNotification, SecurityRequest, SmpPdu,
};
use super::{
    Answer, By, Encrypted, KeypressType, LocalIdentity, Output, PairedInfo, PairingError, PairingOptions,
    PromptId,
};
use crate::codec::HexInt;
use crate::crypto::Key;
use crate::hci::{ErrorCode, Role};
use crate::{Address, Instant};
use phases::{Plan, State};
use rand_chacha::rand_core::Rng;
use std::fmt;
use std::time::Duration;

/// How long a pairing may go on without a PDU of ours ([Vol 3] Part H, 3.4).
const TIMER: Duration = Duration::from_secs(30);
/// Security Requests that come sooner after another are not told: a peer may send any number.
const BETWEEN_SECURITY_REQUESTS: Duration = Duration::from_secs(1);

/// The Security Manager of one link, from its beginning to its end. Both roles, both generations; one pairing at a time.
///
/// After each call, [`poll_output`](Self::poll_output) is to be called until it gives nothing, and
/// [`deadline`](Self::deadline) asked again.
///
/// ```
/// use baretooth::hci::Role;
/// use baretooth::smp::{Key, LocalIdentity, Output, PairingOptions, SecurityManager};
/// use baretooth::Instant;
/// # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
/// # let mut rng = ChaCha20Rng::seed_from_u64(1);
/// let local = "C0:00:00:00:00:01/random".parse()?;
/// let peer = "C0:00:00:00:00:02/random".parse()?;
/// let none = || Key::new([0; 16]);
/// let identity = LocalIdentity { irk: none(), address: local, csrk: none() };
///
/// let mut central = SecurityManager::new(Role::Central, local, peer);
/// central.pair(Instant::START, &PairingOptions::new(), identity, &mut rng).expect("the first pairing");
/// let Some(Output::Send(pdu)) = central.poll_output() else { panic!("it begins") };
/// assert_eq!(pdu[..], [0x01, 0x03, 0x00, 0x09, 16, 0x03, 0x03]);
/// # Ok::<(), baretooth::ParseAddressError>(())
/// ```
pub struct SecurityManager {
    role: Role,
    local: Address,
    peer: Address,
    state: State,
    out: Outbox,
    /// When the pairing has run out of time.
    timer: Option<Instant>,
    dead: bool,
    /// We are the central, and the peer's Security Request is not answered.
    requested: bool,
    /// When the last one was told.
    last_requested: Option<Instant>,
}

impl SecurityManager {
    /// The addresses are those on the air of this link.
    pub fn new(role: Role, local: Address, peer: Address) -> Self {
        Self {
            role,
            local,
            peer,
            state: State::Idle,
            out: Outbox::default(),
            timer: None,
            dead: false,
            requested: false,
            last_requested: None,
        }
    }

    /// The addresses turn out to be others. A pairing in progress goes on with those it began with.
    pub fn set_addresses(&mut self, local: Address, peer: Address) {
        (self.local, self.peer) = (local, peer);
    }

    /// Begins to pair: as the central by a Pairing Request, as the peripheral by a Security Request, or by accepting what
    /// the peer has asked for.
    ///
    /// # Errors
    /// When a pairing is in progress, the link has no pairing any more, or the options contradict each other.
    pub fn pair(
        &mut self,
        now: Instant,
        options: &PairingOptions,
        identity: LocalIdentity,
        rng: &mut impl Rng,
    ) -> Result<(), PairingError> {
        self.begin(now, Plan { options: options.clone(), identity, begun_by_peer: false }, rng)
    }

    /// Answers [`Output::Asked`], or [`Output::SecurityRequested`] by a pairing: the user is asked for consent where no
    /// method asks them anything.
    ///
    /// # Errors
    /// When nobody asks (any more), or the options contradict each other.
    pub fn accept(
        &mut self,
        now: Instant,
        options: &PairingOptions,
        identity: LocalIdentity,
        rng: &mut impl Rng,
    ) -> Result<(), PairingError> {
        if !self.requested && !matches!(self.state, State::Asked(_)) {
            return Err(unable("the peer does not ask to pair"));
        }
        self.begin(now, Plan { options: options.clone(), identity, begun_by_peer: true }, rng)
    }

    /// Answers the same two by a Pairing Failed. Nothing else is told: there was no pairing.
    pub fn refuse(&mut self, _now: Instant, reason: PairingFailedReason) {
        let asked = matches!(self.state, State::Asked(_));
        if asked {
            self.rest();
        }
        if std::mem::take(&mut self.requested) || asked {
            self.out.send(PairingFailed { reason });
        }
    }

    /// Leaves [`Output::SecurityRequested`] without an answer: the peer may ask again.
    pub fn ignore(&mut self) {
        self.requested = false;
    }

    /// A PDU of the peer's, whatever it is.
    pub fn on_pdu(&mut self, now: Instant, pdu: &[u8], rng: &mut impl Rng) {
        if self.dead {
            return;
        }
        let idle = !self.is_pairing();
        let result = match SmpPdu::from_octets(pdu) {
            Ok(SmpPdu::PairingRequest(_)) => self.on_pairing_request(now, pdu, rng),
            Ok(SmpPdu::SecurityRequest(pdu)) => self.on_security_request(now, AuthReq(pdu.auth_req.0)),
            Ok(SmpPdu::PairingFailed(pdu)) => {
                self.on_failed(pdu.reason);
                Ok(())
            }
            Ok(SmpPdu::PairingKeypressNotification(pdu)) => {
                self.on_keypress(KeypressType(pdu.notification_type));
                Ok(())
            }
            Ok(SmpPdu::Unknown { .. }) => Err(not_supported()),
            Ok(parsed) => self.advance(now, &parsed, pdu, rng),
            Err(_) => {
                Err(Refusal::new(PairingFailedReason::InvalidParameters, "the peer sent a malformed PDU"))
            }
        };
        match result {
            // No pairing is in progress that could fail; the peer is told all the same.
            Err(refusal) if idle || matches!(self.state, State::Wanted(_)) => {
                self.out.send(PairingFailed { reason: refusal.reason });
            }
            result => self.settle(now, result),
        }
    }

    /// What the user says; `false` when nobody asks that any more, or not that.
    pub fn answer(&mut self, now: Instant, id: PromptId, answer: Answer, rng: &mut impl Rng) -> bool {
        let Some(question) = self.out.question(id) else { return false };
        match (question, answer) {
            (_, Answer::No) => self.cancel(now),
            (Question::Passkey, Answer::Passkey(passkey)) => {
                self.out.close_prompt();
                if let State::GeneratingKeys(exchange, generation) = &mut self.state {
                    generation.on_passkey(exchange, &passkey, &mut self.out);
                }
            }
            (Question::Passkey, Answer::Keypress(what)) => self.send_keypress(what),
            (Question::Number, Answer::Yes) => {
                self.out.close_prompt();
                self.on_number_confirmed();
            }
            (Question::Consent, Answer::Yes) => {
                self.out.close_prompt();
                if let State::Consent(exchange) = self.take_state() {
                    self.generate_keys(exchange, rng);
                }
            }
            _ => return false,
        }
        self.settle(now, Ok(()));
        true
    }

    /// The link is encrypted, or encrypted anew.
    pub fn on_encrypted(&mut self, now: Instant, with: Encrypted, rng: &mut impl Rng) {
        self.requested = false;
        let result = match (with, self.take_state()) {
            (Encrypted::WithPairing, State::Encrypting { exchange, key, given: true, early }) => {
                self.distribute_keys(now, exchange, &key, early, rng)
            }
            // What we asked the central for is done.
            (Encrypted::WithBond, State::Wanted(_)) => {
                self.rest();
                Ok(())
            }
            (_, state) => {
                self.state = state;
                Ok(())
            }
        };
        self.settle(now, result);
    }

    /// The link could not be encrypted with the key of the pairing.
    pub fn on_encryption_failed(&mut self, _now: Instant, status: ErrorCode) {
        if matches!(self.state, State::Encrypting { .. }) {
            self.rest();
            let (reason, by) = (PairingFailedReason::UnspecifiedReason, By::Link(status));
            self.out.say(Output::Failed(PairingError { reason, by, cause: "" }));
        }
    }

    /// We are the peripheral: the key of the pairing in progress, if the central asks for it. It names it by zeros.
    pub fn long_term_key(&mut self, ediv: u16, rand: [u8; 8]) -> Option<Key> {
        match &mut self.state {
            State::Encrypting { key, given, .. } if (ediv, rand) == (0, [0; 8]) => {
                *given = true;
                Some(key.clone())
            }
            _ => None,
        }
    }

    /// Our user does not want to pair any more.
    pub fn cancel(&mut self, now: Instant) {
        if self.is_pairing() {
            let refusal = self.out.cancellation();
            self.settle(now, Err(refusal));
        }
    }

    /// When [`on_timeout`](Self::on_timeout) is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.early().into_iter().chain(self.timer).min()
    }

    /// The time has come, or not yet.
    pub fn on_timeout(&mut self, now: Instant) {
        if self.early().is_some_and(|deadline| deadline <= now) {
            self.settle(now, Err(Refusal::out_of_order()));
        }
        if self.timer.is_some_and(|timer| timer <= now) {
            self.rest();
            self.dead = true;
            self.requested = false;
            let (reason, by) = (PairingFailedReason::UnspecifiedReason, By::Timeout);
            self.out.say(Output::Failed(PairingError { reason, by, cause: "" }));
        }
    }

    /// What the key is worth that the pairing in progress has come to; `None` before it has one, and when it is over.
    pub fn key_worth(&self) -> Option<PairedInfo> {
        match &self.state {
            State::Encrypting { exchange, .. } | State::Distributing(exchange, _) => Some(exchange.worth()),
            _ => None,
        }
    }

    /// Whether a pairing is in progress, or asked for by a Pairing Request of the peer's or a Security Request of ours.
    pub fn is_pairing(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// A pairing ran out of time: there is none on this link any more, and nothing more is sent.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.next()
    }

    /// When keys that came before the link was encrypted are refused.
    fn early(&self) -> Option<Instant> {
        match &self.state {
            State::Encrypting { early, .. } => early.deadline(),
            _ => None,
        }
    }

    fn side(&self) -> Side {
        if self.role == Role::Central { Side::Initiator } else { Side::Responder }
    }

    fn begin(&mut self, now: Instant, plan: Plan, rng: &mut impl Rng) -> Result<(), PairingError> {
        if self.dead {
            return Err(unable("a pairing on this link ran out of time, and there is none on it any more"));
        }
        plan.options.check().map_err(unable)?;
        let result = match (self.take_state(), self.side()) {
            (State::Idle, Side::Initiator) => {
                let request = Features::request(&plan.options);
                self.out.send_octets(request.pdu());
                self.state = State::Requested(Box::new(plan), request);
                self.requested = false;
                Ok(())
            }
            (State::Idle, Side::Responder) => {
                self.out.send(SecurityRequest { auth_req: HexInt(plan.options.auth_req().0) });
                self.state = State::Wanted(Box::new(plan));
                Ok(())
            }
            (State::Asked(request), _) => self.respond(plan, request, rng),
            (state, _) => {
                self.state = state;
                return Err(unable("another pairing is in progress on this link"));
            }
        };
        self.settle(now, result);
        Ok(())
    }

    fn on_pairing_request(&mut self, now: Instant, pdu: &[u8], rng: &mut impl Rng) -> Result<(), Refusal> {
        if self.side() == Side::Initiator {
            return Err(not_supported());
        }
        let request = Features::of_peer(pdu)?;
        match self.take_state() {
            State::Idle => {
                self.state = State::Asked(request);
                self.timer = Some(now + TIMER);
                self.out.say(Output::Asked(request.as_request()));
                Ok(())
            }
            State::Wanted(plan) => self.respond(*plan, request, rng),
            _ => Err(Refusal::out_of_order()),
        }
    }

    fn on_security_request(&mut self, now: Instant, auth: AuthReq) -> Result<(), Refusal> {
        if self.side() == Side::Responder {
            return Err(not_supported());
        }
        let soon = self.last_requested.is_some_and(|last| now.since(last) < BETWEEN_SECURITY_REQUESTS);
        if !self.is_pairing() && !self.requested && !soon {
            self.requested = true;
            self.last_requested = Some(now);
            self.out.say(Output::SecurityRequested {
                bonding: auth.contains(AuthReq::BONDING),
                mitm: auth.contains(AuthReq::MITM),
                secure_connections: auth.contains(AuthReq::SECURE_CONNECTIONS),
                keypress: auth.contains(AuthReq::KEYPRESS),
            });
        }
        Ok(())
    }

    fn on_failed(&mut self, reason: PairingFailedReason) {
        if self.is_pairing() {
            self.rest();
            self.out.say(Output::Failed(PairingError::peers(reason)));
        }
    }

    fn on_keypress(&mut self, what: KeypressType) {
        if let State::GeneratingKeys(exchange, _) = &self.state
            && exchange.terms.keypress
        {
            self.out.tell_keypress(what);
        }
    }

    fn send_keypress(&mut self, what: KeypressType) {
        if let State::GeneratingKeys(exchange, _) = &self.state
            && exchange.terms.keypress
            && what.name().is_some()
        {
            self.out.send(PairingKeypressNotification { notification_type: what.0 });
        }
    }

    /// Ends the pairing if it is refused; else sees to the timer, which counts from the last PDU that we sent.
    fn settle(&mut self, now: Instant, result: Result<(), Refusal>) {
        if let Err(refusal) = result {
            // Of a pairing that only we spoke of, the peer is not told.
            if !matches!(self.state, State::Wanted(_)) {
                self.out.send(PairingFailed { reason: refusal.reason });
            }
            self.rest();
            self.out.say(Output::Failed(PairingError::ours(refusal)));
        }
        if self.out.take_sent() && self.is_pairing() {
            self.timer = Some(now + TIMER);
        }
    }

    /// Nothing is in progress.
    fn rest(&mut self) {
        self.state = State::Idle;
        self.timer = None;
        self.out.close_prompt();
    }

    fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Idle)
    }
}

/// The role and where the pairing is; nothing of what is computed.
impl fmt::Debug for SecurityManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Idle => "idle",
            State::Asked(_) => "asked",
            State::Wanted(_) => "wanted",
            State::Requested(..) => "requested",
            State::Consent(_) => "consent",
            State::GeneratingKeys(..) => "generating keys",
            State::Encrypting { .. } => "encrypting",
            State::Distributing(..) => "distributing keys",
        };
        f.debug_struct("SecurityManager")
            .field("role", &self.role)
            .field("peer", &self.peer)
            .field("state", &state)
            .field("timer", &self.timer)
            .field("dead", &self.dead)
            .finish_non_exhaustive()
    }
}

/// What cannot be begun.
fn unable(cause: &'static str) -> PairingError {
    PairingError::ours(Refusal::new(PairingFailedReason::UnspecifiedReason, cause))
}

fn not_supported() -> Refusal {
    Refusal::new(PairingFailedReason::CommandNotSupported, "the peer sent a PDU that means nothing here")
}
