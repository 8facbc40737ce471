//! What dynamic channels of a link are for, as the signalling in the capture says.

use super::links::Side;
use crate::capture::Direction;
use crate::l2cap::signaling::{ConnectionResult, Signal, SignalingCommand as Command};
use std::collections::BTreeMap;

/// The channels of a link. Each endpoint has an identifier of its own for a channel, and a frame carries that of its
/// receiver: so a channel is known by the way that a frame goes and the identifier in it.
#[derive(Debug, Default)]
pub(super) struct Channels {
    psms: BTreeMap<(Side, u16), u16>,
    /// Way, identifier and SPSM of the last request that its answer names by the identifier alone.
    opening: Option<(Side, u8, u16)>,
}

/// Most channels of a link that are remembered.
const MOST: usize = 128;

impl Channels {
    /// What a frame that goes this way on this channel is for.
    pub(super) fn psm(&self, way: Side, cid: u16) -> Option<u16> {
        self.psms.get(&(way, cid)).copied()
    }

    /// Takes what was signalled.
    pub(super) fn on_signal(&mut self, way: Side, signal: &Signal<'_>) {
        let back = way.map(Direction::reversed);
        let Ok(command) = signal.command() else { return };
        match command {
            Command::ConnectionReq(request) => self.open(back, request.source_cid.0, request.psm.0),
            Command::ConnectionRsp(answer) => match answer.result {
                ConnectionResult::ConnectionSuccessful | ConnectionResult::ConnectionPending => {
                    if let Some(psm) = self.psm(way, answer.source_cid.0) {
                        self.open(back, answer.destination_cid.0, psm);
                    }
                }
                _ => self.close(way, answer.source_cid.0),
            },
            Command::LeCreditBasedConnectionReq(request) => {
                self.opening = Some((way, signal.identifier, request.spsm.0));
                self.open(back, request.source_cid.0, request.spsm.0);
            }
            Command::CreditBasedConnectionReq(request) => {
                self.opening = Some((way, signal.identifier, request.spsm.0));
                for cid in request.source_cids.iter() {
                    self.open(back, cid.0, request.spsm.0);
                }
            }
            // The channels that were refused are zero in both.
            Command::LeCreditBasedConnectionRsp(answer) => {
                if let Some(spsm) = self.opened(back, signal.identifier) {
                    self.open(back, answer.destination_cid.0, spsm);
                }
            }
            Command::CreditBasedConnectionRsp(answer) => {
                if let Some(spsm) = self.opened(back, signal.identifier) {
                    for cid in answer.destination_cids.iter() {
                        self.open(back, cid.0, spsm);
                    }
                }
            }
            Command::DisconnectionRsp(answer) => {
                self.close(back, answer.destination_cid.0);
                self.close(way, answer.source_cid.0);
            }
            _ => {}
        }
    }

    /// The SPSM of the request that an answer with this identifier answers.
    fn opened(&self, way: Side, identifier: u8) -> Option<u16> {
        let (asked, of, spsm) = self.opening?;
        (asked == way && of == identifier).then_some(spsm)
    }

    fn open(&mut self, way: Side, cid: u16, psm: u16) {
        // Those below are fixed.
        if cid >= 0x0040 && (self.psms.len() < MOST || self.psms.contains_key(&(way, cid))) {
            self.psms.insert((way, cid), psm);
        }
    }

    fn close(&mut self, way: Side, cid: u16) {
        self.psms.remove(&(way, cid));
    }
}
