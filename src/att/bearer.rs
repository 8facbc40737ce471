//! An ATT bearer of a link ([Vol 3] Part F, 3.2.11 and 3.3): one request at a time with a time limit, and the
//! sorting of everything that arrives into what is for our client and what is for our server.
//!
//! A response belongs to whoever sent the request, recorded here: a user who stopped waiting changes nothing.

use super::pdu::{HandleValueCfm, PduKind};
use super::{AttOpcode, AttPdu, DEFAULT_MTU};
use crate::Instant;
use bytes::Bytes;
use std::time::Duration;

/// How long a transaction may take ([Vol 3] Part F, 3.3.3).
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);

/// One side of the bearer; `K` names whoever waits for a response.
#[derive(Debug)]
pub(crate) struct Bearer<K> {
    mtu: u16,
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
    /// An indication that is no value: it is confirmed all the same, by this.
    Confirm(Bytes),
    /// A request, a command or a confirmation of the peer's client.
    ForServer,
    /// Nothing to do; why.
    Ignored(&'static str),
}

impl<K> Bearer<K> {
    /// The bearer of a new link.
    pub(crate) fn new() -> Self {
        Self { mtu: DEFAULT_MTU, outstanding: None, ended: false }
    }

    /// A bearer on which nothing may be sent any more.
    pub(crate) fn ended() -> Self {
        Self { ended: true, ..Self::new() }
    }

    /// ATT_MTU: the longest PDU either side may send.
    pub(crate) fn mtu(&self) -> u16 {
        self.mtu
    }

    /// The outcome of an exchange, whoever began it, or what follows from the channel.
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
            PduKind::Request | PduKind::Command | PduKind::Confirmation => Received::ForServer,
            PduKind::Notification if octets.len() > usize::from(self.mtu) => {
                Received::Ignored("longer than ATT_MTU")
            }
            PduKind::Notification if pdu.is_some() => Received::Notification,
            // A malformed or overlong indication is confirmed all the same: the server waits for it.
            PduKind::Indication if pdu.is_none() || octets.len() > usize::from(self.mtu) => {
                Received::Confirm(AttPdu::from(HandleValueCfm {}).to_bytes())
            }
            PduKind::Indication => Received::Indication,
            PduKind::Notification => Received::Ignored("malformed"),
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
}

impl AttOpcode {
    const ERROR_RSP: Self = Self(0x01);
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: [u8; 3] = [0x0A, 0x21, 0];

    fn waiting() -> Bearer<&'static str> {
        let mut bearer = Bearer::new();
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
    fn a11_what_the_peer_s_client_sends_goes_to_the_server_and_ours_stays_outstanding() {
        let mut bearer = waiting();
        for pdu in
            [&[0x10, 1, 0, 0xFF, 0xFF, 0, 0x28][..], &[0x0A], &[0x3F], &[0x52, 3, 0, 1], &[0x7F], &[0x1E]]
        {
            assert_eq!(on(&mut bearer, pdu), Received::ForServer, "{pdu:02x?}");
        }
        assert_eq!(on(&mut bearer, &[0x0B]), Received::Response("reader"));
    }

    #[test]
    fn a10_an_indication_is_told_apart_and_a_malformed_one_still_confirmed() {
        let mut bearer = waiting();
        assert_eq!(on(&mut bearer, &[0x1D, 0, 0]), Received::Indication, "handle 0, empty value");
        assert_eq!(on(&mut bearer, &[0x1D, 9]), Received::Confirm(Bytes::from_static(&[0x1E])));
    }
}
