//! The fixed ATT bearer of a link ([Vol 3] Part F, 3.2.11 and 3.3): one request at a time with a time limit,
//! answers to the peer's own requests, and the sorting of everything that arrives.
//!
//! A response belongs to whoever sent the request, recorded here: a user who stopped waiting changes nothing.

use super::pdu::{ErrorRsp, ExchangeMtuReq, ExchangeMtuRsp, HandleValueCfm, PduKind};
use super::{AttError, AttOpcode, AttPdu, DEFAULT_MTU};
use crate::Instant;
use bytes::Bytes;
use std::time::Duration;

/// How long a transaction may take ([Vol 3] Part F, 3.3.3).
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);

/// One side of the bearer; `K` names whoever waits for a response.
#[derive(Debug)]
pub(crate) struct Bearer<K> {
    mtu: u16,
    /// What we answer when the peer exchanges the MTU.
    receive_mtu: u16,
    outstanding: Option<Outstanding<K>>,
    /// A transaction timed out: no further request may be sent ([Vol 3] Part F, 3.3.3).
    ended: bool,
}

#[derive(Debug)]
struct Outstanding<K> {
    owner: K,
    request: AttOpcode,
    deadline: Instant,
}

/// What a PDU from the peer is to us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received<K> {
    /// The answer to our request; an ATT_ERROR_RSP is one too.
    Response(K),
    /// Something answered our request that is no answer to it: the request has failed.
    Broken(K, AttOpcode),
    /// Values that need no confirmation.
    Notification,
    /// A value that needs one confirmation.
    Indication,
    /// The peer's own request: send this.
    Answer(Bytes),
    /// Nothing to do; why.
    Ignored(&'static str),
}

impl<K> Bearer<K> {
    /// `receive_mtu` is the longest PDU we take.
    pub(crate) fn new(receive_mtu: u16) -> Self {
        Self { mtu: DEFAULT_MTU, receive_mtu: receive_mtu.max(DEFAULT_MTU), outstanding: None, ended: false }
    }

    /// ATT_MTU: the longest PDU either side may send.
    pub(crate) fn mtu(&self) -> u16 {
        self.mtu
    }

    /// The outcome of our exchange.
    pub(crate) fn set_mtu(&mut self, mtu: u16) {
        self.mtu = mtu.max(DEFAULT_MTU);
    }

    /// Whether a request may be sent now.
    pub(crate) fn is_idle(&self) -> bool {
        self.outstanding.is_none() && !self.ended
    }

    /// Whether a transaction timed out.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Records a request that is being sent.
    pub(crate) fn on_request(&mut self, now: Instant, owner: K, pdu: &[u8]) {
        let request = AttOpcode(pdu.first().copied().unwrap_or(0));
        self.outstanding = Some(Outstanding { owner, request, deadline: now + TRANSACTION_TIMEOUT });
    }

    /// When the outstanding transaction is over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.outstanding.as_ref().map(|outstanding| outstanding.deadline)
    }

    /// The owner of the transaction whose time is up; the bearer has ended with it.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> Option<(K, AttOpcode)> {
        if self.deadline()? > now {
            return None;
        }
        self.ended = true;
        self.outstanding.take().map(|outstanding| (outstanding.owner, outstanding.request))
    }

    /// The owner of the outstanding request, for the end of the link.
    pub(crate) fn close(&mut self) -> Option<K> {
        self.ended = true;
        self.outstanding.take().map(|outstanding| outstanding.owner)
    }

    /// Sorts a PDU. `pdu` is what parsed, or `None` when the octets follow no layout.
    pub(crate) fn on_pdu(&mut self, octets: &[u8], pdu: Option<&AttPdu<'_>>) -> Received<K> {
        let Some(&code) = octets.first() else { return Received::Ignored("an empty PDU") };
        let opcode = AttOpcode(code);
        match opcode.kind() {
            PduKind::Response => self.on_response(opcode, octets, pdu),
            PduKind::Request => match pdu {
                Some(pdu) => Received::Answer(self.answer(opcode, pdu)),
                None => Received::Answer(error(opcode, 0, AttError::InvalidPdu)),
            },
            PduKind::Notification if octets.len() > usize::from(self.mtu) => {
                Received::Ignored("longer than ATT_MTU")
            }
            PduKind::Notification if pdu.is_some() => Received::Notification,
            // A malformed or overlong indication is confirmed all the same: the server waits for it.
            PduKind::Indication if pdu.is_none() || octets.len() > usize::from(self.mtu) => {
                Received::Answer(AttPdu::from(HandleValueCfm {}).to_bytes())
            }
            PduKind::Indication => Received::Indication,
            PduKind::Notification => Received::Ignored("malformed"),
            PduKind::Command => Received::Ignored("a command, and there is no server here"),
            PduKind::Confirmation => Received::Ignored("a confirmation of nothing"),
        }
    }

    fn on_response(&mut self, opcode: AttOpcode, octets: &[u8], pdu: Option<&AttPdu<'_>>) -> Received<K> {
        let Some(outstanding) = &self.outstanding else { return Received::Ignored("a response to nothing") };
        let request = outstanding.request;
        let answers = match (opcode, pdu) {
            (AttOpcode::ERROR_RSP, Some(AttPdu::ErrorRsp(error))) => error.req_opcode == request,
            // Malformed, but the only thing an outstanding request can get.
            (AttOpcode::ERROR_RSP, _) => true,
            _ => request.response() == Some(opcode),
        };
        if !answers {
            return Received::Ignored("a response to another request");
        }
        match self.outstanding.take() {
            Some(outstanding) if pdu.is_none() || octets.len() > usize::from(self.mtu) => {
                Received::Broken(outstanding.owner, request)
            }
            Some(outstanding) => Received::Response(outstanding.owner),
            None => Received::Ignored("a response to nothing"),
        }
    }

    /// We hold no attributes: every request has a true answer all the same.
    fn answer(&mut self, opcode: AttOpcode, pdu: &AttPdu<'_>) -> Bytes {
        match pdu {
            AttPdu::ExchangeMtuReq(ExchangeMtuReq { client_rx_mtu }) => {
                self.set_mtu((*client_rx_mtu).min(self.receive_mtu));
                AttPdu::from(ExchangeMtuRsp { server_rx_mtu: self.receive_mtu }).to_bytes()
            }
            AttPdu::FindInformationReq(r) => not_found(opcode, r.starting_handle.0, r.ending_handle.0),
            AttPdu::FindByTypeValueReq(r) => not_found(opcode, r.starting_handle.0, r.ending_handle.0),
            AttPdu::ReadByTypeReq(r) => not_found(opcode, r.starting_handle.0, r.ending_handle.0),
            AttPdu::ReadByGroupTypeReq(r) => not_found(opcode, r.starting_handle.0, r.ending_handle.0),
            AttPdu::ReadReq(r) => error(opcode, r.attribute_handle.0, AttError::InvalidHandle),
            AttPdu::ReadBlobReq(r) => error(opcode, r.attribute_handle.0, AttError::InvalidHandle),
            AttPdu::WriteReq(r) => error(opcode, r.attribute_handle.0, AttError::InvalidHandle),
            AttPdu::PrepareWriteReq(r) => error(opcode, r.attribute_handle.0, AttError::InvalidHandle),
            _ => error(opcode, 0, AttError::RequestNotSupported),
        }
    }
}

impl AttOpcode {
    const ERROR_RSP: Self = Self(0x01);
}

/// A range in which nothing is, or that is no range ([Vol 3] Part F, 3.4.3.1).
fn not_found(opcode: AttOpcode, start: u16, end: u16) -> Bytes {
    let code = if start == 0 || start > end { AttError::InvalidHandle } else { AttError::AttributeNotFound };
    error(opcode, start, code)
}

fn error(req_opcode: AttOpcode, handle: u16, error_code: AttError) -> Bytes {
    AttPdu::from(ErrorRsp { req_opcode, attribute_handle: handle.into(), error_code }).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: [u8; 3] = [0x0A, 0x21, 0];

    fn waiting() -> Bearer<&'static str> {
        let mut bearer = Bearer::new(517);
        bearer.on_request(Instant::START, "reader", &READ);
        bearer
    }

    fn on(bearer: &mut Bearer<&'static str>, octets: &[u8]) -> Received<&'static str> {
        bearer.on_pdu(octets, AttPdu::from_octets(octets).ok().as_ref())
    }

    #[test]
    fn a1_only_the_answer_to_the_request_resolves_it() {
        let mut bearer = waiting();
        for other in [&[0x13][..], &[0x09, 3, 1, 0, 7], &[0x01, 0x12, 0x21, 0, 5]] {
            assert!(matches!(on(&mut bearer, other), Received::Ignored(_)), "{other:02x?}");
        }
        assert_eq!(on(&mut bearer, &[0x0B, 64]), Received::Response("reader"));
        assert!(matches!(on(&mut bearer, &[0x0B, 64]), Received::Ignored(_)), "unsolicited");
    }

    #[test]
    fn a1_a_response_after_the_time_out_is_dropped_and_the_bearer_closed() {
        let mut bearer = waiting();
        assert_eq!(bearer.on_timeout(Instant::START + TRANSACTION_TIMEOUT - Duration::from_millis(1)), None);
        assert_eq!(
            bearer.on_timeout(Instant::START + TRANSACTION_TIMEOUT),
            Some(("reader", AttOpcode(0x0A)))
        );
        assert!(matches!(on(&mut bearer, &[0x0B, 64]), Received::Ignored(_)));
        assert!(!bearer.is_idle() && bearer.has_ended());
    }

    #[test]
    fn a2_error_responses_of_the_wrong_shape_fail_the_request_and_wrong_ones_do_not() {
        let mut bearer = waiting();
        assert!(
            matches!(on(&mut bearer, &[0x01, 0x0C, 0x21, 0, 5]), Received::Ignored(_)),
            "another request"
        );
        assert_eq!(on(&mut bearer, &[0x01, 0x0A]), Received::Broken("reader", AttOpcode(0x0A)), "short");
        let mut bearer = waiting();
        assert_eq!(
            on(&mut bearer, &[0x01, 0x0A, 0x99, 0, 0]),
            Received::Response("reader"),
            "code 0, other handle"
        );
    }

    #[test]
    fn a6_a_pdu_longer_than_the_mtu_is_not_used() {
        let mut bearer = waiting();
        let long = [&[0x0B][..], &[0; 23]].concat();
        assert_eq!(on(&mut bearer, &long), Received::Broken("reader", AttOpcode(0x0A)));
        let long = [&[0x1B, 1, 0][..], &[0; 21]].concat();
        assert!(matches!(on(&mut bearer, &long), Received::Ignored(_)));
        bearer.set_mtu(24);
        assert_eq!(on(&mut bearer, &long), Received::Notification);
    }

    #[test]
    fn a6_the_peer_may_exchange_the_mtu_and_never_below_23() {
        let mut bearer = waiting();
        assert_eq!(
            on(&mut bearer, &[0x02, 100, 0]),
            Received::Answer(Bytes::from_static(&[0x03, 0x05, 0x02]))
        );
        assert_eq!(bearer.mtu(), 100);
        on(&mut bearer, &[0x02, 5, 0]);
        assert_eq!(bearer.mtu(), 23);
    }

    #[test]
    fn a11_a_request_of_the_peer_while_ours_is_outstanding_is_answered() {
        let mut bearer = waiting();
        let answer = on(&mut bearer, &[0x10, 1, 0, 0xFF, 0xFF, 0, 0x28]);
        assert_eq!(answer, Received::Answer(Bytes::from_static(&[0x01, 0x10, 1, 0, 0x0A])));
        assert_eq!(on(&mut bearer, &[0x0B]), Received::Response("reader"));
    }

    #[test]
    fn requests_of_the_peer_have_true_answers() {
        let mut bearer = waiting();
        let mut code = |octets: &[u8]| match on(&mut bearer, octets) {
            Received::Answer(answer) => (answer[0], answer[1], answer[4]),
            other => panic!("{other:?}"),
        };
        assert_eq!(code(&[0x0A, 7, 0]), (0x01, 0x0A, 0x01), "no such handle");
        assert_eq!(code(&[0x04, 0, 0, 9, 0]), (0x01, 0x04, 0x01), "handle 0 starts no range");
        assert_eq!(code(&[0x0A, 7]), (0x01, 0x0A, 0x04), "malformed");
        assert_eq!(code(&[0x3F, 7]), (0x01, 0x3F, 0x06), "unknown request");
        assert_eq!(code(&[0x18, 1]), (0x01, 0x18, 0x06));
        assert!(matches!(on(&mut bearer, &[0x7F, 7]), Received::Ignored(_)), "unknown command");
    }

    #[test]
    fn a10_an_indication_is_told_apart_and_a_malformed_one_still_confirmed() {
        let mut bearer = waiting();
        assert_eq!(on(&mut bearer, &[0x1D, 0, 0]), Received::Indication, "handle 0, empty value");
        assert_eq!(on(&mut bearer, &[0x1D, 9]), Received::Answer(Bytes::from_static(&[0x1E])));
    }
}
