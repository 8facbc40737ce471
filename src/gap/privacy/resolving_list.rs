//! The controller's resolving list ([Vol 4] Part E, 7.8.38 to 7.8.45 and 7.8.77): the keys by which it resolves peers'
//! addresses itself, kept equal to ours as far as it has room.
//!
//! Our own private addresses the host makes, so that the list is for those of peers alone, and how long the controller
//! would show one of ours (7.8.45) does not matter. Only what is in the list is left to the controller. All else is resolved by the host, so that a list which is too
//! short, or commands that fail, cost nothing but time.

use crate::Address;
use crate::codec::{Secret, front};
use crate::crypto::Key;
use crate::hci::command::{
    LeAddDeviceToResolvingList, LeReadResolvingListSize, LeReadResolvingListSizeReturn,
    LeRemoveDeviceFromResolvingList, LeSetAddressResolutionEnable, LeSetPrivacyMode,
};
use crate::hci::{ErrorCode, HciCommand, Opcode};
use crate::transports::HciPacket;

/// What the controller can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListSupport {
    /// It has a resolving list.
    pub(crate) list: bool,
    /// It can be told that a peer may show its identity address too.
    pub(crate) privacy_mode: bool,
}

/// A peer and the keys that we exchanged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    /// Its identity.
    pub(crate) identity: Address,
    /// Its identity resolving key.
    pub(crate) irk: Key,
    /// Ours, as it was given to it.
    pub(crate) local_irk: Key,
}

/// The list, and what it is to be.
#[derive(Debug, Default)]
pub(crate) struct ResolvingList {
    wanted: Vec<Known>,
    listed: Vec<Listed>,
    /// Peers that the controller does not take.
    refused: Vec<Address>,
    /// How many it holds, when the controller was asked.
    size: Option<usize>,
    enabled: bool,
    outstanding: Option<(Opcode, Step)>,
    /// There was nothing to do when it was last looked at, and nothing has happened since.
    settled: bool,
    /// The controller does not do as it says: it is left alone.
    given_up: bool,
}

#[derive(Debug)]
struct Listed {
    known: Known,
    mode: Mode,
}

/// Whether a peer may show its identity address although it has a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The controller was not told yet.
    Unset,
    /// It may.
    Device,
    /// It may not: so a controller of Bluetooth 4.2 has it, unless it is told otherwise when connecting.
    Network,
}

#[derive(Clone, Debug)]
enum Step {
    Size,
    Remove(Address),
    Add(Known),
    Mode(Address),
    Enable(bool),
}

impl ResolvingList {
    /// What the list is to be, the most important first.
    pub(crate) fn set(&mut self, wanted: Vec<Known>) {
        self.wanted = wanted.into_iter().filter(|known| !known.irk.is_zero()).collect();
        self.refused.clear();
        self.settled = false;
    }

    /// Whether the controller resolves this peer, and if so whether commands have to call its address an identity: only
    /// where there is no privacy mode ([Vol 4] Part E, 7.8.12).
    pub(crate) fn resolves(&self, identity: Address) -> Option<bool> {
        let listed = self.listed.iter().find(|listed| listed.known.identity == identity)?;
        self.enabled.then_some(listed.mode != Mode::Device)
    }

    /// Whether there is something to do, for a controller that neither advertises nor scans nor initiates. Where it resolves
    /// already the specification forbids it otherwise ([Vol 4] Part E, 7.8.38 and 7.8.44); elsewhere it is the last step
    /// alone, and nothing is gained by beginning something that has to stop for it.
    pub(crate) fn needs_quiet(&self, support: ListSupport) -> bool {
        self.outstanding.is_some() || self.next(support).is_some()
    }

    /// The next command; one is outstanding at a time.
    pub(crate) fn poll_command(&mut self, support: ListSupport) -> Option<HciPacket> {
        let next = self.next(support);
        self.settled = next.is_none();
        let step = next?;
        let (opcode, packet) = step.command()?;
        self.outstanding = Some((opcode, step));
        Some(packet)
    }

    /// The controller's answer, `None` when it gave none in time. Answers to other commands are nothing to it.
    pub(crate) fn on_command_result(&mut self, opcode: Opcode, answer: Option<&[u8]>) {
        let Some((_, step)) = self.outstanding.take_if(|(outstanding, _)| *outstanding == opcode) else {
            return;
        };
        self.settled = false;
        let status = answer.and_then(|octets| octets.first()).map(|&status| ErrorCode(status));
        match (step, status) {
            (Step::Size, Some(ErrorCode::Success)) => {
                let size =
                    front::<LeReadResolvingListSizeReturn>("resolving list", answer.unwrap_or_default());
                self.size = Some(size.map_or(0, |size| usize::from(size.resolving_list_size)));
            }
            (Step::Add(known), Some(ErrorCode::Success)) => {
                self.listed.push(Listed { known, mode: Mode::Unset });
            }
            (Step::Add(_), Some(ErrorCode::MemoryCapacityExceeded)) => self.size = Some(self.listed.len()),
            (Step::Add(known), Some(status)) if status != ErrorCode::UnknownHciCommand => {
                tracing::warn!(peer = %known.identity, %status, "not for the controller's resolving list");
                self.refused.push(known.identity);
            }
            // Also when it says that it had no such peer: asking again would not help.
            (Step::Remove(identity), Some(_)) => {
                self.listed.retain(|listed| listed.known.identity != identity);
            }
            (Step::Mode(identity), Some(status)) => {
                let mode = if status.is_success() { Mode::Device } else { Mode::Network };
                self.set_mode(identity, mode);
            }
            (Step::Enable(enable), Some(ErrorCode::Success)) => self.enabled = enable,
            (step, status) => {
                tracing::warn!(?status, ?step, "the controller's resolving list does not work");
                self.given_up = true;
            }
        }
    }

    /// The controller was reset: it has forgotten everything.
    pub(crate) fn on_reset(&mut self) {
        *self = Self { wanted: std::mem::take(&mut self.wanted), ..Self::default() };
    }

    fn next(&self, support: ListSupport) -> Option<Step> {
        // This is asked after each packet.
        if self.settled || !support.list || self.given_up || self.outstanding.is_some() {
            return None;
        }
        if self.wanted.is_empty() && self.listed.is_empty() && !self.enabled {
            return None;
        }
        let Some(size) = self.size else { return Some(Step::Size) };
        let wanted = self.wanted.get(..size).unwrap_or(&self.wanted);
        let unwanted = self.listed.iter().find(|listed| !wanted.contains(&listed.known));
        if let Some(listed) = unwanted {
            return Some(Step::Remove(listed.known.identity));
        }
        let unset = |listed: &&Listed| listed.mode == Mode::Unset;
        if let Some(listed) = self.listed.iter().find(unset).filter(|_| support.privacy_mode) {
            return Some(Step::Mode(listed.known.identity));
        }
        let is_listed = |known: &Known| self.listed.iter().any(|listed| listed.known == *known);
        let is_refused = |known: &Known| self.refused.contains(&known.identity);
        if let Some(known) = wanted.iter().find(|known| !is_listed(known) && !is_refused(known)) {
            return Some(Step::Add(known.clone()));
        }
        let needed = !self.listed.is_empty();
        (self.enabled != needed).then_some(Step::Enable(needed))
    }

    fn set_mode(&mut self, identity: Address, mode: Mode) {
        let listed = self.listed.iter_mut().filter(|listed| listed.known.identity == identity);
        listed.for_each(|listed| listed.mode = mode);
    }
}

impl Step {
    fn command(&self) -> Option<(Opcode, HciPacket)> {
        fn with_opcode<'a, C: HciCommand<'a>>(command: C) -> Option<(Opcode, HciPacket)> {
            command.to_packet().ok().map(|packet| (C::OPCODE, packet))
        }
        match self {
            Self::Size => with_opcode(LeReadResolvingListSize {}),
            Self::Remove(identity) => with_opcode(LeRemoveDeviceFromResolvingList {
                peer_identity_address_type: identity.kind.into(),
                peer_identity_address: identity.bd_addr,
            }),
            Self::Add(Known { identity, irk, local_irk }) => with_opcode(LeAddDeviceToResolvingList {
                peer_identity_address_type: identity.kind.into(),
                peer_identity_address: identity.bd_addr,
                peer_irk: Secret(irk.octets()),
                local_irk: Secret(local_irk.octets()),
            }),
            Self::Mode(identity) => with_opcode(LeSetPrivacyMode {
                peer_identity_address_type: identity.kind.into(),
                peer_identity_address: identity.bd_addr,
                privacy_mode: DEVICE_PRIVACY,
            }),
            Self::Enable(enable) => {
                with_opcode(LeSetAddressResolutionEnable { address_resolution_enable: u8::from(*enable) })
            }
        }
    }
}

/// A peer may show its identity address although it has a key ([Vol 4] Part E, 7.8.77): one that has not turned its
/// privacy on is still the same peer.
const DEVICE_PRIVACY: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BdAddr;
    use crate::hci::Command;

    const MODERN: ListSupport = ListSupport { list: true, privacy_mode: true };
    const OLD: ListSupport = ListSupport { list: true, privacy_mode: false };

    fn identity(n: u8) -> Address {
        Address::public(BdAddr([n, 0, 0, 0, 0, 0]))
    }

    fn known(n: u8) -> Known {
        Known { identity: identity(n), irk: Key::new([n; 16]), local_irk: Key::new([0xEE; 16]) }
    }

    fn wanting(peers: &[u8]) -> ResolvingList {
        let mut list = ResolvingList::default();
        list.set(peers.iter().map(|n| known(*n)).collect());
        list
    }

    fn command(list: &mut ResolvingList, support: ListSupport) -> Option<String> {
        let packet = list.poll_command(support)?;
        let [_, a, b, _, parameters @ ..] = packet.as_slice() else { panic!("a header") };
        let command = Command::parse(Opcode(u16::from_le_bytes([*a, *b])), parameters).expect("well formed");
        let line = command.to_string();
        let words: Vec<_> = line.trim_start_matches("LE ").split(' ').collect();
        let addressed = line.split_once("peer_identity_address=").map(|(_, rest)| &rest[15..17]);
        Some([&words[..2].join(" "), addressed.unwrap_or("")].join(" ").trim().to_owned())
    }

    fn answer(list: &mut ResolvingList, octets: &[u8]) {
        let (opcode, _) = list.outstanding.clone().expect("a command is outstanding");
        list.on_command_result(opcode, Some(octets));
    }

    /// All commands until nothing is left to do, answered by a controller whose list has two places.
    fn settle(list: &mut ResolvingList, support: ListSupport) -> Vec<String> {
        let mut commands = Vec::new();
        while let Some(line) = command(list, support) {
            assert!(commands.len() < 50, "no end: {commands:?}");
            answer(list, &[0, 2]);
            commands.push(line);
        }
        commands
    }

    #[test]
    fn the_list_is_made_equal_to_the_keys_and_then_used() {
        let mut list = wanting(&[1, 2]);
        assert_eq!(
            settle(&mut list, MODERN),
            [
                "Read Resolving",
                "Add Device 01",
                "Set Privacy 01",
                "Add Device 02",
                "Set Privacy 02",
                "Set Address"
            ]
        );
        assert_eq!((list.resolves(identity(1)), list.resolves(identity(3))), (Some(false), None));
        list.set(vec![known(2)]);
        assert_eq!(settle(&mut list, MODERN), ["Remove Device 01"]);
        list.set(Vec::new());
        assert_eq!(settle(&mut list, MODERN), ["Remove Device 02", "Set Address"]);
        assert_eq!(settle(&mut list, MODERN), [""; 0]);
    }

    #[test]
    fn without_keys_or_a_list_the_controller_is_told_nothing() {
        assert_eq!(settle(&mut wanting(&[]), MODERN), [""; 0]);
        let none = ListSupport { list: false, privacy_mode: false };
        assert_eq!(settle(&mut wanting(&[1]), none), [""; 0]);
    }

    #[test]
    fn a_controller_without_privacy_mode_has_to_be_told_that_the_address_is_an_identity() {
        let mut list = wanting(&[1]);
        assert_eq!(settle(&mut list, OLD), ["Read Resolving", "Add Device 01", "Set Address"]);
        assert_eq!(list.resolves(identity(1)), Some(true));
    }

    #[test]
    fn what_the_list_has_no_room_for_is_not_the_controllers() {
        let mut list = wanting(&[1, 2, 3]);
        settle(&mut list, MODERN);
        assert_eq!([1, 2, 3].map(|n| list.resolves(identity(n)).is_some()), [true, true, false]);
        // It was asked, and has less room than it said.
        let mut list = wanting(&[1, 2]);
        for answered in [[0, 9], [0, 0], [0, 0], [7, 0], [0, 0]] {
            command(&mut list, MODERN).expect("a command");
            answer(&mut list, &answered);
        }
        assert_eq!([1, 2].map(|n| list.resolves(identity(n)).is_some()), [true, false]);
    }

    #[test]
    fn a_peer_with_another_key_is_another_entry() {
        let mut list = wanting(&[1]);
        settle(&mut list, MODERN);
        list.set(vec![Known { irk: Key::new([0xAB; 16]), ..known(1) }]);
        assert_eq!(settle(&mut list, MODERN), ["Remove Device 01", "Add Device 01", "Set Privacy 01"]);
    }

    #[test]
    fn quiet_is_asked_for_until_the_last_answer() {
        let mut list = wanting(&[1]);
        assert!(list.needs_quiet(MODERN));
        while command(&mut list, MODERN).is_some() {
            assert!(list.needs_quiet(MODERN), "until it is answered");
            answer(&mut list, &[0, 9]);
        }
        assert!(!list.needs_quiet(MODERN));
    }

    #[test]
    fn a_list_that_does_not_work_is_left_alone() {
        for (before, failure) in [(0, Some(0x01)), (1, Some(0x0C)), (3, Some(0x0C)), (1, None)] {
            let mut list = wanting(&[1]);
            for _ in 0..before {
                command(&mut list, MODERN).expect("a command");
                answer(&mut list, &[0, 9]);
            }
            command(&mut list, MODERN).expect("a command");
            let (opcode, _) = list.outstanding.clone().expect("outstanding");
            list.on_command_result(opcode, failure.as_ref().map(std::slice::from_ref));
            assert_eq!((command(&mut list, MODERN), list.resolves(identity(1))), (None, None));
            assert!(!list.needs_quiet(MODERN));
            list.on_reset();
            assert!(command(&mut list, MODERN).is_some(), "after a reset it is tried again");
        }
    }

    #[test]
    fn a_peer_that_the_controller_does_not_take_is_no_harm_to_the_others() {
        let mut list = wanting(&[1, 2]);
        for answered in [[0, 9], [0x12, 0], [0, 0], [0, 0], [0, 0]] {
            command(&mut list, MODERN).expect("a command");
            answer(&mut list, &answered);
        }
        assert_eq!([1, 2].map(|n| list.resolves(identity(n)).is_some()), [false, true]);
        assert!(!list.needs_quiet(MODERN));
    }

    #[test]
    fn a_reset_loses_everything_and_it_is_restored() {
        let mut list = wanting(&[1]);
        let commands = settle(&mut list, MODERN);
        list.on_reset();
        assert_eq!(list.resolves(identity(1)), None);
        assert_eq!(settle(&mut list, MODERN), commands);
    }

    #[test]
    fn s6_a_key_of_zeros_is_not_listed() {
        assert_eq!(settle(&mut wanting(&[0]), MODERN), [""; 0]);
    }
}
