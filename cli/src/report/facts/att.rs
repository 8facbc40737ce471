//! Requests and their answers, values, and pairing: what frames say.

use super::super::links::{Key, Row};
use super::super::pairing::Pairing;
use super::super::problems::Sort;
use super::super::spans::Span;
use super::super::values::{Moment, Server};
use super::{Facts, MOST_OPEN, Open, TRANSACTION_TIMEOUT};
use baretooth::att::pdu::{ErrorRsp, PduKind};
use baretooth::att::{AttError, AttPdu};
use baretooth::capture::Direction;
use baretooth::capture::dissect::{Acl, Asked, Attributes, Frame, What};
use baretooth::smp::SmpPdu;

impl Facts {
    pub(super) fn att(&mut self, key: Key, acl: &Acl<'_>, frame: &Frame, pdu: &AttPdu<'_>, now: Moment) {
        let opcode = pdu.opcode();
        let kind = opcode.kind();
        let mut offset = 0;
        if let PduKind::Request | PduKind::Indication = kind {
            self.asks(key, acl, pdu, now);
        }
        if let PduKind::Response | PduKind::Confirmation = kind {
            let of_indication = kind == PduKind::Confirmation;
            let open = self.asked.remove(&(key, acl.direction.map(Direction::reversed), of_indication));
            if let (Some(asked), Some(open)) = (frame.answers, open) {
                offset = open.offset;
                self.answered(key, acl.attributes, pdu, asked, open, now);
            }
        }
        if let Some(link) = self.links.known(key) {
            match pdu {
                AttPdu::ExchangeMtuReq(p) => link.offers_mtu(opcode, p.client_rx_mtu),
                AttPdu::ExchangeMtuRsp(p) => link.offers_mtu(opcode, p.server_rx_mtu),
                AttPdu::HandleValueNtf(_) | AttPdu::HandleValueInd(_) | AttPdu::MultipleHandleValueNtf(_) => {
                    link.notified += 1;
                    let cell = link.notifications.at(now.at);
                    *cell = cell.saturating_add(1);
                }
                AttPdu::WriteCmd(_) | AttPdu::SignedWriteCmd(_) => {
                    link.push(Row::Writes, Span::at(now.at, now.number, false));
                }
                _ => {}
            }
        }
        let server = Server::of(acl, key.0, kind);
        self.values.take(server, pdu, frame.answers, offset, now);
    }

    /// Remembers what waits for an answer.
    fn asks(&mut self, key: Key, acl: &Acl<'_>, pdu: &AttPdu<'_>, now: Moment) {
        let kind = pdu.opcode().kind();
        self.requests += u64::from(kind == PduKind::Request);
        let offset = if let AttPdu::ReadBlobReq(p) = pdu { p.value_offset } else { 0 };
        let open = Open { number: now.number, at: now.at, what: about(pdu), offset };
        if self.asked.len() < MOST_OPEN
            && let Some(before) = self.asked.insert((key, acl.direction, kind == PduKind::Indication), open)
        {
            self.left_open(before, now, "the next one was sent");
        }
    }

    fn answered(
        &mut self,
        key: Key,
        attributes: Option<&Attributes>,
        pdu: &AttPdu<'_>,
        asked: Asked,
        open: Open,
        now: Moment,
    ) {
        let failed = match pdu {
            AttPdu::ErrorRsp(e) => !is_end_of_search(e),
            _ => false,
        };
        let nanos = now.at.saturating_sub(open.at);
        self.att_answers.add(nanos);
        self.slowest.add(nanos, asked.number, now.number, || request(asked.what, attributes));
        // An indication stands among the notifications.
        if pdu.opcode().kind() == PduKind::Response
            && let Some(link) = self.links.known(key)
        {
            link.answered(asked, open.at, now.at, failed);
        }
        if let (true, AttPdu::ErrorRsp(e)) = (failed, pdu) {
            self.att_errors += 1;
            let what = format!(
                "{}: {} (0x{:02X})",
                request(asked.what, attributes),
                e.error_code.label(),
                e.error_code.0
            );
            self.problems.add(Sort::Att, what, e.error_code.hint(), now.number, now.at);
        }
    }

    /// Nothing answers this any more, because of `why`.
    pub(super) fn left_open(&mut self, open: Open, now: Moment, why: &str) {
        let late = now.at.saturating_sub(open.at) >= TRANSACTION_TIMEOUT;
        let what = match open.what {
            What::Command(opcode) => super::command_name(opcode),
            other => request(other, None),
        };
        if late {
            self.unanswered += 1;
            let hint = "after 30 s the other side is taken for dead, and the link is of no more use";
            self.problems.add(
                Sort::Unanswered,
                format!("{what}: not answered within 30 s"),
                Some(hint),
                open.number,
                open.at,
            );
        } else {
            self.open_at_end += 1;
            self.problems.add(
                Sort::Note,
                format!("{what}: not answered when {why}"),
                None,
                open.number,
                open.at,
            );
        }
    }

    pub(super) fn smp(&mut self, key: Key, way: Option<Direction>, pdu: &SmpPdu<'_>, now: Moment) {
        let Some(link) = self.links.known(key) else { return };
        let failed = matches!(pdu, SmpPdu::PairingFailed(_));
        link.push(Row::Security, Span::at(now.at, now.number, failed));
        // A peripheral may ask for security without a pairing coming of it.
        if !matches!(pdu, SmpPdu::SecurityRequest(_))
            && let Some(pairing) = link.pairing(Pairing::begins(pdu), now.at, now.number)
        {
            pairing.take(pdu, way);
        }
        if let SmpPdu::PairingFailed(p) = pdu {
            let what = format!("pairing failed: {} (0x{:02X})", p.reason, p.reason.0);
            self.problems.add(Sort::Pairing, what, None, now.number, now.at);
        }
    }
}

/// What a request is about, for when nothing answers it.
fn about(pdu: &AttPdu<'_>) -> What {
    let handle = match pdu {
        AttPdu::ReadReq(p) => p.attribute_handle,
        AttPdu::ReadBlobReq(p) => p.attribute_handle,
        AttPdu::WriteReq(p) => p.attribute_handle,
        AttPdu::PrepareWriteReq(p) => p.attribute_handle,
        AttPdu::HandleValueInd(p) => p.attribute_handle,
        _ => return What::Att(pdu.opcode()),
    };
    What::Attribute(pdu.opcode(), handle.0)
}

/// A search ends with this error: it says that there is nothing more ([Vol 3] Part G, 4.4).
fn is_end_of_search(error: &ErrorRsp) -> bool {
    error.error_code == AttError::AttributeNotFound && matches!(error.req_opcode.0, 0x04 | 0x06 | 0x08 | 0x10)
}

/// A request, and what it is about.
fn request(what: What, attributes: Option<&Attributes>) -> String {
    match what {
        What::Command(opcode) => opcode.to_string(),
        What::Attribute(opcode, handle) => {
            let name = attributes.and_then(|attributes| attributes.name(handle));
            let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
            format!("{opcode} of 0x{handle:04X}{name}")
        }
        What::Type(opcode, uuid) => {
            let name = baretooth::assigned::attribute_name(uuid);
            let name = name.map_or_else(|| uuid.short().to_string(), str::to_owned);
            format!("{opcode} of {name}")
        }
        What::Att(opcode) => opcode.to_string(),
        _ => "request".to_owned(),
    }
}
