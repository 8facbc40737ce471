//! S4: every PDU at every point of every method, in both roles. Whatever comes out of its order ends the pairing.

use super::super::{
    By, IoCapability as Io, KeyDistribution, LocalOob, OobData, PairingFailedReason as Reason, PeerOob,
    SecureConnections,
};
use super::*;

/// One PDU of each code, of the right length, none of which fits.
fn pdus() -> Vec<Bytes> {
    let lengths = [6, 6, 16, 16, 1, 16, 10, 16, 7, 16, 1, 64, 16, 1];
    let mut pdus: Vec<_> =
        (1..).zip(lengths).map(|(code, length)| [&[code][..], &vec![1; length]].concat()).collect();
    pdus[0][4] = 16;
    pdus[1][4] = 16;
    pdus.into_iter().map(Bytes::from).collect()
}

fn options(generation: SecureConnections, io: Io) -> PairingOptions {
    let keys = KeyDistribution(7);
    let options = PairingOptions::new().io(io).secure_connections(generation);
    options.mitm(io != Io::NoInputNoOutput).initiator_keys(keys).responder_keys(keys)
}

fn legacy(io: Io) -> PairingOptions {
    options(SecureConnections::Off, io)
}

fn modern(io: Io) -> PairingOptions {
    options(SecureConnections::Only, io)
}

/// Rounds of a passkey are alike: the second to the nineteenth are left out.
fn points(whole: &Pair) -> Vec<usize> {
    let mut seen = 0;
    let mut points = Vec::new();
    for (at, (_, pdu)) in whole.air.iter().enumerate() {
        seen += usize::from(pdu[0] == 0x03);
        if seen <= 3 || seen >= 39 || !matches!(pdu[0], 0x03 | 0x04) {
            points.push(at);
        }
    }
    points
}

/// What came of a PDU that one side was sent out of its order.
struct Attack {
    pair: Pair,
    to_central: bool,
    /// Of the victim, before.
    was_pairing: bool,
    was_distributing: bool,
    /// How the victim ended at once.
    end: Option<PairingError>,
}

impl Attack {
    /// Delivers `lie` when so many PDUs were on the air: at once, or when the next is about to be delivered.
    fn run(
        options: (PairingOptions, PairingOptions),
        at: usize,
        late: bool,
        to_central: bool,
        lie: &[u8],
    ) -> Self {
        let mut pair = Pair::new(options.0, options.1);
        pair.central.pair(pair.now);
        while pair.air.len() < at || late && pair.central.sent.is_empty() && pair.peripheral.sent.is_empty() {
            assert!(pair.step(), "the point is reached");
        }
        let now = pair.now;
        let victim = if to_central { &mut pair.central } else { &mut pair.peripheral };
        let was_pairing = victim.manager.is_pairing();
        let state = format!("{:?}", victim.manager);
        // A central takes keys that overtake the event of encryption, which follows at once here.
        let was_distributing = state.contains("distributing") || to_central && state.contains("encrypting");
        // Of a central that is done it would be the wish for another pairing.
        if was_pairing || lie[0] != 0x0B || !to_central {
            victim.hear(now, lie);
        }
        let end = victim.failed;
        pair.settle();
        Self { pair, to_central, was_pairing, was_distributing, end }
    }

    fn victim(&self) -> &Side {
        if self.to_central { &self.pair.central } else { &self.pair.peripheral }
    }

    /// Nothing came of it.
    fn is_ignored(&self) -> bool {
        self.pair.paired();
        true
    }

    /// The victim said that it does not know it.
    fn is_unsupported(&self) -> bool {
        let failed = (self.to_central, Bytes::from_static(&[0x05, 0x07]));
        self.pair.air.contains(&failed)
    }

    /// The victim ended the pairing as soon as it saw it.
    fn is_refused_at_once(&self) -> bool {
        let reasons = [Reason::UnspecifiedReason, Reason::CommandNotSupported];
        self.end.is_some_and(|end| end.by == By::Us && reasons.contains(&end.reason))
            && self.victim().paired.is_none()
    }

    /// The victim has ended the pairing, or the peer has when it saw what the victim made of it.
    fn is_refused(&self) -> bool {
        let errors = [&self.pair.central, &self.pair.peripheral].map(|side| side.failed.map(|e| e.by));
        self.victim().paired.is_none() && self.victim().failed.is_some() && errors.contains(&Some(By::Us))
    }
}

/// Every PDU at every point, to both sides: it ends the pairing or changes nothing.
fn attack(central: PairingOptions, peripheral: PairingOptions) {
    let whole = Pair::run(central.clone(), peripheral.clone());
    whole.paired();
    for (at, to_central, late, pdu) in points(&whole).into_iter().flat_map(|at| {
        let sides = [(false, false), (false, true), (true, false), (true, true)];
        sides.into_iter().flat_map(move |(a, b)| pdus().into_iter().map(move |pdu| (at, a, b, pdu)))
    }) {
        let options = (central.clone(), peripheral.clone());
        let attack = Attack::run(options, at, late, to_central, &pdu);
        let code = pdu[0];
        // What the victim has still to receive.
        let to_come = || whole.air[at..].iter().filter(|(by_central, _)| *by_central != to_central);
        let came = || whole.air[..at].iter().any(|(by, pdu)| *by != to_central && pdu[0] == code);
        let is_next = to_come().next().is_some_and(|(_, pdu)| pdu[0] == code);
        let distributed = attack.was_distributing && (0x06..=0x0A).contains(&code);
        let right = match code {
            // A keypress says nothing, and a central pairs already.
            0x0E => attack.is_ignored(),
            0x0B if to_central => attack.is_ignored(),
            // An idle peripheral takes it for a request, and the real one comes during a pairing.
            0x01 if !attack.was_pairing && at == 0 => attack.is_refused(),
            // What the other role alone may send is answered at any time.
            0x01 | 0x0B if !attack.was_pairing => attack.is_unsupported(),
            _ if !attack.was_pairing => attack.is_ignored(),
            0x05 => attack.victim().failed.map(|error| error.by) == Some(By::Peer),
            // It is the next key; the right one is the second then, or comes too late.
            _ if distributed && is_next => attack.victim().paired.is_some() || attack.is_refused(),
            _ if distributed && !came() && !to_come().any(|(_, pdu)| pdu[0] == code) => attack.is_ignored(),
            // It is of the right kind and wrong, or is held until the link is encrypted.
            _ if is_next || distributed => attack.is_refused(),
            _ => attack.is_refused_at_once(),
        };
        let victim = if to_central { "central" } else { "peripheral" };
        assert!(right, "{pdu:02x?} to the {victim} before PDU {at}, late: {late}");
    }
}

#[test]
fn s4_legacy_just_works_in_every_wrong_order() {
    attack(legacy(Io::NoInputNoOutput), legacy(Io::NoInputNoOutput));
}

#[test]
fn s4_legacy_passkey_in_every_wrong_order() {
    attack(legacy(Io::KeyboardOnly), legacy(Io::DisplayOnly));
    attack(legacy(Io::DisplayOnly), legacy(Io::KeyboardOnly));
}

#[test]
fn s4_just_works_in_every_wrong_order() {
    attack(modern(Io::NoInputNoOutput), modern(Io::NoInputNoOutput));
}

#[test]
fn s4_numeric_comparison_in_every_wrong_order() {
    attack(modern(Io::DisplayYesNo), modern(Io::DisplayYesNo));
}

#[test]
fn s4_passkey_in_every_wrong_order() {
    attack(modern(Io::DisplayOnly), modern(Io::KeyboardOnly));
}

#[test]
fn s4_passkey_typed_at_the_central_in_every_wrong_order() {
    attack(modern(Io::KeyboardOnly), modern(Io::DisplayOnly));
}

#[test]
fn s4_out_of_band_in_every_wrong_order() {
    let oob = LocalOob::generate(&mut rng(5));
    let peer = Some(PeerOob::new(oob.confirm(), oob.random()));
    let given = |local, peer| modern(Io::NoInputNoOutput).oob(OobData::SecureConnections { local, peer });
    attack(given(None, peer), given(Some(oob), None));
}
