//! What a peripheral does as a client of the host, and the channel that a host may open to it.
//!
//! Told so by a write to [`CLIENT`](super::attributes::CLIENT), it reads one value of the host's table as often as
//! asked, one request at a time, then subscribes to it and counts the notifications. SDUs of its channel are counted
//! too. Both carry a 32-bit sequence number in front, so that what is missing shows.

use super::{CID_ATT, CID_SIGNALING, Controller};
use crate::h4::{octet, word};

/// The CID at the peripheral's end of its channel.
const CID_CHANNEL: u16 = 0x40;
const SPSM: u16 = 0x80;
/// An SDU, a K-frame that fills a long LE packet, and all the credits that there are.
const MTU: u16 = 2048;
const MPS: u16 = 247;
const CREDITS: u16 = u16::MAX;
/// Credits go back when so many are used.
const GIVE_BACK: u16 = 0x8000;

/// What the client of one link has to do, and what it has seen.
#[derive(Default)]
pub(super) struct Client {
    /// The host's value.
    handle: u16,
    /// Requests to send before the subscription.
    reads: u32,
    subscribing: bool,
    seen: u64,
    lost: u64,
    /// The host's CID, and K-frames since credits went back.
    channel: Option<u16>,
    used: u16,
    /// Octets that the SDU in progress still lacks.
    rest: usize,
}

impl Client {
    /// Takes what was written to the attribute: a 16-bit handle and a 32-bit number of reads.
    pub(super) fn instruct(&mut self, value: &[u8]) {
        if let [low, high, a, b, c, d, ..] = *value {
            self.handle = u16::from_le_bytes([low, high]);
            self.reads = u32::from_le_bytes([a, b, c, d]);
            (self.subscribing, self.seen, self.lost) = (true, 0, 0);
        }
    }

    /// How many values have come, and how many were missing between them; 64 bits each.
    pub(super) fn seen(&self) -> Vec<u8> {
        [self.seen.to_le_bytes(), self.lost.to_le_bytes()].concat()
    }

    fn count(&mut self, value: &[u8]) {
        let sequence = value.first_chunk().map_or(0, |n| u64::from(u32::from_le_bytes(*n)));
        self.lost += sequence.saturating_sub(self.seen + self.lost);
        self.seen += 1;
    }

    fn on_frame(&mut self, payload: &[u8]) {
        let part = if self.rest == 0 {
            let sdu = payload.get(2..).unwrap_or_default();
            self.count(sdu);
            self.rest = usize::from(word(payload, 0));
            sdu
        } else {
            payload
        };
        self.rest = self.rest.saturating_sub(part.len());
    }
}

impl Controller {
    /// Sends the client's next request, if there is one.
    pub(super) fn ask(&mut self, index: usize) {
        let client = &mut self.links[index].client;
        let [low, high] = client.handle.to_le_bytes();
        if client.reads > 0 {
            client.reads -= 1;
            self.send(index, CID_ATT, |out| out.extend([0x0A, low, high]));
        } else if std::mem::take(&mut client.subscribing) {
            let [low, high] = client.handle.wrapping_add(1).to_le_bytes();
            self.send(index, CID_ATT, |out| out.extend([0x12, low, high, 1, 0]));
        }
    }

    /// Takes a PDU for the client; `false` when it is none.
    pub(super) fn client(&mut self, index: usize, pdu: &[u8]) -> bool {
        match octet(pdu, 0) {
            0x1B => self.links[index].client.count(pdu.get(3..).unwrap_or_default()),
            0x01 | 0x0B | 0x13 => self.ask(index),
            _ => return false,
        }
        true
    }

    /// Takes a frame that is neither ATT's nor SMP's.
    pub(super) fn channel(&mut self, index: usize, channel: u16, payload: &[u8]) {
        let client = &mut self.links[index].client;
        match (channel, octet(payload, 0)) {
            // LE Credit Based Connection Request.
            (CID_SIGNALING, 0x14) => {
                let known = word(payload, 4) == SPSM;
                client.channel = known.then(|| word(payload, 6));
                (client.used, client.rest, client.seen, client.lost) = (0, 0, 0, 0);
                let result = if known { 0 } else { 2 };
                let identifier = octet(payload, 1);
                self.send(index, CID_SIGNALING, |out| {
                    out.extend([0x15, identifier, 10, 0]);
                    out.extend([CID_CHANNEL, MTU, MPS, CREDITS, result].map(u16::to_le_bytes).concat());
                });
            }
            // Disconnection Request; its response has the same CIDs.
            (CID_SIGNALING, 0x06) => {
                client.channel = None;
                let rest = payload.get(1..8).unwrap_or_default().to_vec();
                self.send(index, CID_SIGNALING, |out| {
                    out.push(0x07);
                    out.extend(rest);
                });
            }
            (CID_CHANNEL, _) if client.channel.is_some() => {
                client.on_frame(payload);
                client.used += 1;
                if client.used == GIVE_BACK {
                    client.used = 0;
                    // LE Flow Control Credit.
                    self.send(index, CID_SIGNALING, |out| {
                        out.extend([0x16, 1, 4, 0]);
                        out.extend([CID_CHANNEL, GIVE_BACK].map(u16::to_le_bytes).concat());
                    });
                }
            }
            _ => {}
        }
    }
}
