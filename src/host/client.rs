//! The client of a link: GATT procedures that take turns on its ATT bearers, and what the peer's server sends.

use super::bearers::{BearerId, Refused};
use super::link::{Link, Out};
use super::phase::Phase;
use super::{Event, OpError, OpId, Output};
use crate::Instant;
use crate::att::bearer::{Received, TRANSACTION_TIMEOUT};
use crate::att::{AttOpcode, AttPdu};
use crate::gatt::GattError;
use crate::gatt::procedure::{Outcome, Response, Running, Step};
use bytes::Bytes;

impl Link {
    /// Queues a procedure and starts it when it is its turn.
    pub(super) fn submit(&mut self, now: Instant, op: OpId, procedure: Running, out: &mut Out<'_>) {
        if self.bearers.fixed.att.has_ended() {
            return out.done(op, Err(OpError::AttTimeout { after: TRANSACTION_TIMEOUT }));
        }
        self.waiting.push_back((op, procedure));
        self.start_next(now, out);
    }

    /// Takes an ATT PDU; `true` when it ended the settling of the link.
    pub(super) fn on_att(&mut self, now: Instant, at: BearerId, octets: &Bytes, out: &mut Out<'_>) -> bool {
        let pdu = AttPdu::from_octets(octets).ok();
        let Some(bearer) = self.bearers.get_mut(at) else { return false };
        match bearer.att.on_pdu(octets, pdu.as_ref()) {
            Received::Response(op) => return self.on_response(now, at, op, octets, out),
            Received::Broken(op, request) => {
                bearer.running = None;
                let settled = self.finish(op, Err(GattError::malformed(request).into()), out);
                self.start_next(now, out);
                return settled;
            }
            // Nobody knows the link yet, or wants it any more, or it is not known whose it is.
            Received::Notification if !self.is_ready() || !self.guard.is_sufficient() => {}
            Received::Notification => match pdu {
                Some(AttPdu::HandleValueNtf(ntf)) => {
                    out.value(self.id, ntf.attribute_handle.0, octets.slice_ref(ntf.attribute_value.0), None);
                }
                Some(AttPdu::MultipleHandleValueNtf(ntf)) => {
                    for value in ntf.values.iter() {
                        // A value cut short by a lying length is no value ([Vol 3] Part F, 3.4.7.4).
                        if usize::from(value.value.length) == value.value.value.0.len() {
                            let octets = octets.slice_ref(value.value.value.0);
                            out.value(self.id, value.attribute_handle.0, octets, None);
                        }
                    }
                }
                _ => {}
            },
            Received::Indication => {
                if let Some(AttPdu::HandleValueInd(ind)) = pdu {
                    self.on_indication(
                        now,
                        at,
                        ind.attribute_handle.0,
                        octets.slice_ref(ind.attribute_value.0),
                        out,
                    );
                }
            }
            Received::Confirm(confirmation) => self.answer_on(now, at, &confirmation, out),
            Received::ForServer => self.serve(now, at, octets, out),
            Received::Ignored(why) => {
                tracing::debug!(connection = self.id.0, opcode = ?octets.first(), why, "ATT PDU ignored");
            }
        }
        false
    }

    fn on_response(
        &mut self,
        now: Instant,
        at: BearerId,
        op: OpId,
        octets: &Bytes,
        out: &mut Out<'_>,
    ) -> bool {
        let Some(bearer) = self.bearers.get_mut(at) else { return false };
        if bearer.asked_again != Some(op)
            && !bearer.running.as_ref().is_some_and(Running::takes_refusal)
            && let Some(goal) = self.guard.goal_of(octets)
        {
            // The procedure learns nothing of it, unless it was in vain.
            bearer.refused = Some(Refused { op, answer: octets.clone() });
            self.guard.want(goal);
            return false;
        }
        let Some(mut running) = bearer.running.take() else { return false };
        let request = AttOpcode(octets.first().map_or(0, |code| code.saturating_sub(1)));
        let step = match Response::new(octets) {
            Ok(response) => running.on_response(response),
            Err(_) => Err(GattError::malformed(request)),
        };
        let settled = match step {
            Ok(Step::Send(pdu)) => {
                bearer.running = Some(running);
                self.request(now, at, op, &pdu, out);
                return false;
            }
            Ok(Step::Done(outcome)) => {
                if let Outcome::Mtu(mtu) = outcome {
                    bearer.server.set_mtu(mtu);
                    self.set_mtu(mtu, out);
                }
                self.finish(op, Ok(Output::Gatt(outcome)), out)
            }
            Err(error) => self.finish(op, Err(error.into()), out),
        };
        self.start_next(now, out);
        settled
    }

    /// A procedure is over. The one that settles the link is nobody's: a peer that refuses the exchange of the MTU
    /// keeps the default.
    fn finish(&mut self, op: OpId, result: Result<Output, OpError>, out: &mut Out<'_>) -> bool {
        if self.phase.attempt() == Some(op) {
            return matches!(self.phase, Phase::Settling(_));
        }
        out.done(op, result);
        false
    }

    /// The link has more security: what was refused for want of it is asked again.
    pub(super) fn ask_again(&mut self, now: Instant, out: &mut Out<'_>) {
        for at in self.bearers.all().map(|(at, _)| at).collect::<Vec<_>>() {
            let Some(bearer) = self.bearers.get_mut(at) else { continue };
            let Some(Refused { op, .. }) = bearer.refused.take() else { continue };
            bearer.asked_again = Some(op);
            let request = bearer.request.clone();
            self.request(now, at, op, &request, out);
        }
    }

    /// The link will not have more security. With an error, that is what became of the procedures; without, they
    /// are told what the peer had answered.
    pub(super) fn hand_on_refusals(&mut self, now: Instant, error: Option<&OpError>, out: &mut Out<'_>) {
        for at in self.bearers.all().map(|(at, _)| at).collect::<Vec<_>>() {
            let Some(bearer) = self.bearers.get_mut(at) else { continue };
            let Some(Refused { op, answer }) = bearer.refused.take() else { continue };
            match error {
                Some(error) => {
                    bearer.running = None;
                    out.done(op, Err(error.clone()));
                }
                None => {
                    bearer.asked_again = Some(op);
                    self.on_response(now, at, op, &answer, out);
                }
            }
        }
    }

    /// Starts what waits, in order, as far as bearers are idle and the link has what it takes. What settles the link is
    /// not held back: who the peer is stands fixed by then.
    pub(super) fn start_next(&mut self, now: Instant, out: &mut Out<'_>) {
        if self.is_ready() && !self.waiting.is_empty() && !self.guard.lets_out() {
            return;
        }
        while let Some((op, mut procedure)) = self.waiting.pop_front() {
            let idle = self.bearers.idle_for(&procedure);
            let bearer = idle.and_then(|at| Some((at, self.bearers.get_mut(at)?)));
            let Some((at, bearer)) = bearer else {
                return self.waiting.push_front((op, procedure));
            };
            let name = procedure.name();
            tracing::debug!(connection = self.id.0, op = op.0, procedure = name, ?at, "starts");
            let pdu = procedure.start(bearer.att.mtu());
            bearer.running = Some(procedure);
            self.request(now, at, op, &pdu, out);
        }
    }

    fn request(&mut self, now: Instant, at: BearerId, op: OpId, pdu: &Bytes, out: &mut Out<'_>) {
        if let Some(bearer) = self.bearers.get_mut(at) {
            bearer.request = pdu.clone();
            bearer.att.on_request(now, op, pdu);
            self.send_on(now, at, pdu, out);
        }
    }

    /// The outcome of an exchange, for both sides of the link: of its fixed bearer.
    pub(super) fn set_mtu(&mut self, mtu: u16, out: &mut Out<'_>) {
        let att = &mut self.bearers.fixed.att;
        let before = att.mtu();
        att.set_mtu(mtu);
        let mtu = att.mtu();
        if self.is_ready() && before != mtu {
            out.events.push_back(Event::Mtu { connection: self.id, mtu });
        }
    }
}
