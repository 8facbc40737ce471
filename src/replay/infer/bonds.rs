//! Bonds: those of before the session, those that were forgotten, and peers that are looked for by theirs.
//!
//! The key of an older bond is in the command that hands it to the controller.

use super::options::Connect;
use super::pairing::Features;
use super::{Guide, command, disconnected, event};
use crate::Address;
use crate::crypto::ResolvingKey;
use crate::hci::command::{LeSetExtendedScanEnable, LeSetScanEnable};
use crate::hci::{AddressType, Command, ConnectionHandle, Event, LeEvent, Role};
use crate::host::SecurityRequest;
use crate::replay::is_sent;
use crate::smp::{Bond, BondedClient, Key, Keys, LongTermKey, PairedInfo, SignCounters};
use bytes::Bytes;

impl Guide {
    /// A link that comes up: it is encrypted with the bond by itself, so there is one if it is, and none if it is not.
    pub(super) fn foresee_bond(&mut self, place: usize) -> Option<()> {
        let Event::LeMeta(meta) = event(self.replay.course.script().packets().get(place)?)? else {
            return None;
        };
        let complete = meta.subevent.connection_complete().filter(|c| c.status.is_success())?;
        let (link, role) = (complete.connection_handle, complete.role);
        let peer = AddressType::with(complete.peer_address_type, complete.peer_address)?;
        let known = self.known_by(peer);
        let said = |(at, pdu): (usize, &Bytes)| Features::of(pdu).map(|_| at);
        let pairs = self.pairings.transcript.of_host(link, place).find_map(said);
        let used = self.key_used_behind(link, place, pairs.unwrap_or(usize::MAX));
        let talks = pairs.is_some() || self.transcript.first_of_host(link, place).is_some();
        match (known, used) {
            (None, Some(keys)) => {
                self.submit(SecurityRequest::Import(Box::new(bond(peer, keys))).into());
            }
            (Some(peer), None) if talks && role == Role::Central => {
                self.submit(SecurityRequest::Unpair { peer }.into());
            }
            _ => {}
        }
        Some(())
    }

    /// The key that encrypts a link between two places, and what names it.
    fn key_used_behind(&self, link: ConnectionHandle, place: usize, end: usize) -> Option<Keys> {
        let packets = self.replay.course.script().packets().iter().take(end).skip(place + 1);
        let mut named = None;
        for packet in packets.take_while(|packet| disconnected(packet) != Some(link)) {
            if let Some(Event::LeMeta(meta)) = event(packet)
                && let LeEvent::LeLongTermKeyRequest(request) = meta.subevent
                && request.connection_handle == link
            {
                named = Some((request.encrypted_diversifier, request.random_number));
            }
            match super::command(&packet.packet) {
                Some(Command::LeEnableEncryption(c)) if c.connection_handle == link => {
                    let key = Key::new(*c.long_term_key.0);
                    let key = LongTermKey { key, ediv: c.encrypted_diversifier, rand: c.random_number };
                    return Some(Keys { peer_ltk: Some(key), ..Keys::default() });
                }
                Some(Command::LeLongTermKeyRequestReply(c)) if c.connection_handle == link => {
                    let ((ediv, rand), key) = (named?, Key::new(*c.long_term_key.0));
                    return Some(Keys {
                        local_ltk: Some(LongTermKey { key, ediv, rand }),
                        ..Keys::default()
                    });
                }
                _ => {}
            }
        }
        None
    }

    /// The request to connect to a bonded peer that may hide behind private addresses: the host listens for it first.
    /// `None` for a scan that somebody asked for.
    pub(super) fn guess_search(&mut self, place: usize) -> Option<()> {
        let packets = self.replay.course.script().packets().iter().enumerate().skip(place);
        let commands = packets.filter(|(_, packet)| is_sent(packet));
        for (at, command) in commands.filter_map(|(at, packet)| Some((at, command(&packet.packet)?))) {
            let (peer, connect) = match command {
                Command::LeSetScanParameters(of) if of.le_scan_type == 0 => continue,
                Command::LeSetExtendedScanParameters(of)
                    if of.scanning_phys.iter().all(|phy| phy.scan_type == 0) =>
                {
                    continue;
                }
                Command::LeSetScanEnable(LeSetScanEnable { le_scan_enable: 1, filter_duplicates: 0 })
                | Command::LeSetExtendedScanEnable(LeSetExtendedScanEnable {
                    enable: 1,
                    filter_duplicates: 0,
                    ..
                }) => continue,
                Command::LeCreateConnection(of) => {
                    (of.peer_address_type.with(of.peer_address), Connect::from(&of))
                }
                Command::LeExtendedCreateConnection(of) => {
                    (of.peer_address_type.with(of.peer_address), Connect::of_extended(&of)?)
                }
                _ => return None,
            };
            let (on_air, known) = (peer?, self.known_by(peer?)?);
            self.connect(at, on_air, known, connect);
            return Some(());
        }
        None
    }

    /// Whose address that is.
    fn known_by(&self, on_air: Address) -> Option<Address> {
        let is_of = |bond: &&Bond| {
            let resolves = |irk| ResolvingKey::new(irk).resolves(on_air.bd_addr);
            bond.peer == on_air
                || bond.on_air == Some(on_air)
                || on_air.is_resolvable() && bond.keys.irk.as_ref().is_some_and(resolves)
        };
        self.replay.host().bonds().find(is_of).map(|bond| bond.peer)
    }
}

/// A bond of which nothing is known but its key: taken for the best, so that nothing is wanted beyond.
fn bond(peer: Address, keys: Keys) -> Bond {
    let secure_connections =
        [&keys.peer_ltk, &keys.local_ltk].into_iter().flatten().all(|k| (k.ediv, k.rand) == (0, [0; 8]));
    Bond {
        peer,
        on_air: None,
        paired: PairedInfo { method: None, secure_connections, authenticated: true, key_size: 16 },
        keys,
        local_irk: None,
        sign_counters: SignCounters::default(),
        client: BondedClient::default(),
    }
}
