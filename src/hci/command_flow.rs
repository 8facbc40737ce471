//! Which command may be sent now ([Vol 4] Part E, 4.4): one at a time, as many as the controller grants, each
//! with a time limit. Owns the queue; knows nothing of what the commands mean.

use crate::Instant;
use crate::hci::Opcode;
use crate::transports::HciPacket;
use std::collections::VecDeque;
use std::time::Duration;

/// Commands waiting and the one in flight, each with its owner `T`: whoever wants to know the answer.
#[derive(Debug)]
pub(crate) struct CommandFlow<T> {
    waiting: VecDeque<Command<T>>,
    in_flight: Option<InFlight<T>>,
    /// Num_HCI_Command_Packets of the last answer.
    credits: u8,
    /// Since when commands wait without a credit.
    stalled: Option<Instant>,
    limit: Duration,
}

#[derive(Debug)]
struct Command<T> {
    owner: T,
    opcode: Opcode,
    packet: HciPacket,
}

#[derive(Debug)]
struct InFlight<T> {
    owner: T,
    opcode: Opcode,
    deadline: Instant,
}

impl<T> CommandFlow<T> {
    /// `limit` is how long a command may stay unanswered, or wait for a credit.
    pub(crate) fn new(limit: Duration) -> Self {
        // A controller accepts one command before it has said anything ([Vol 4] Part E, 4.4).
        Self { waiting: VecDeque::new(), in_flight: None, credits: 1, stalled: None, limit }
    }

    /// Queues a command packet.
    pub(crate) fn push(&mut self, owner: T, packet: HciPacket) {
        let opcode = match packet.as_slice() {
            [_, a, b, ..] => Opcode(u16::from_le_bytes([*a, *b])),
            _ => Opcode::NONE,
        };
        self.waiting.push_back(Command { owner, opcode, packet });
    }

    /// The commands that have not gone out yet, with their owners.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&T, &HciPacket)> {
        self.waiting.iter().map(|command| (&command.owner, &command.packet))
    }

    /// Takes commands back that have not gone out yet.
    pub(crate) fn withdraw(&mut self, which: impl Fn(&T, &HciPacket) -> bool) {
        self.waiting.retain(|command| !which(&command.owner, &command.packet));
    }

    /// Takes commands back from their owners: those that have not gone out yet are forgotten, the answer to one that has
    /// goes to `heir`.
    pub(crate) fn disown(&mut self, which: impl Fn(&T) -> bool, heir: T) -> Vec<T> {
        let in_flight = self.in_flight.as_mut().filter(|command| which(&command.owner));
        let in_flight = in_flight.map(|command| std::mem::replace(&mut command.owner, heir));
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (taken, left): (VecDeque<_>, _) = waiting.partition(|command| which(&command.owner));
        self.waiting = left;
        in_flight.into_iter().chain(taken.into_iter().map(|command| command.owner)).collect()
    }

    /// The next command, when it may go out now.
    pub(crate) fn pump(&mut self, now: Instant) -> Option<HciPacket> {
        if self.in_flight.is_some() || self.waiting.is_empty() {
            self.stalled = None;
            return None;
        }
        if self.credits == 0 {
            self.stalled.get_or_insert(now);
            return None;
        }
        self.stalled = None;
        let Command { owner, opcode, packet } = self.waiting.pop_front()?;
        self.credits -= 1;
        self.in_flight = Some(InFlight { owner, opcode, deadline: now + self.limit });
        Some(packet)
    }

    /// Command Complete or Command Status: the owner of the command it answers. An answer to anything else only
    /// carries credits.
    pub(crate) fn on_answer(&mut self, opcode: Opcode, credits: u8) -> Option<T> {
        self.credits = credits;
        if self.in_flight.as_ref()?.opcode != opcode {
            return None;
        }
        self.in_flight.take().map(|command| command.owner)
    }

    /// Whether nothing waits for an answer or for its turn.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }

    /// When [`on_timeout`](Self::on_timeout) has something to say.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.in_flight {
            Some(command) => Some(command.deadline),
            None => self.stalled.map(|since| since + self.limit),
        }
    }

    /// The command whose time is up. The next one may go out: an answer that was lost would have granted it.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> Option<(T, Opcode)> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        self.stalled = None;
        match self.in_flight.take() {
            Some(command) => {
                self.credits = self.credits.max(1);
                Some((command.owner, command.opcode))
            }
            // No credit for all this time: the command was never sent.
            None => self.waiting.pop_front().map(|command| (command.owner, command.opcode)),
        }
    }

    /// Everything that waits or is in flight, for the end of the session or a reset.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = (T, Opcode)> {
        self.credits = 1;
        self.stalled = None;
        let in_flight = self.in_flight.take().map(|c| (c.owner, c.opcode));
        in_flight
            .into_iter()
            .chain(std::mem::take(&mut self.waiting).into_iter().map(|c| (c.owner, c.opcode)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);
    const RESET: u16 = 0x0C03;
    const SCAN: u16 = 0x200C;

    fn flow(commands: &[(char, u16)]) -> CommandFlow<char> {
        let mut flow = CommandFlow::new(LIMIT);
        for &(owner, opcode) in commands {
            flow.push(owner, HciPacket::command(opcode, &[]).expect("short"));
        }
        flow
    }

    #[test]
    fn one_command_is_in_flight_at_a_time() {
        let mut flow = flow(&[('a', RESET), ('b', SCAN)]);
        assert!(flow.pump(Instant::START).is_some());
        assert!(flow.pump(Instant::START).is_none());
        assert_eq!(flow.on_answer(Opcode(RESET), 3), Some('a'));
        assert!(flow.pump(Instant::START).is_some());
    }

    #[test]
    fn h10_an_unsolicited_answer_resolves_nobody() {
        let mut flow = flow(&[('a', RESET)]);
        assert_eq!(flow.on_answer(Opcode(RESET), 1), None, "before it was sent");
        flow.pump(Instant::START);
        assert_eq!(flow.on_answer(Opcode(SCAN), 1), None);
        assert_eq!(flow.on_answer(Opcode::NONE, 1), None);
        assert_eq!(flow.on_answer(Opcode(RESET), 1), Some('a'));
        assert_eq!(flow.on_answer(Opcode(RESET), 1), None, "a second time");
    }

    #[test]
    fn h14_a_late_answer_is_ignored_and_the_next_command_still_matched() {
        let mut flow = flow(&[('a', RESET), ('b', SCAN)]);
        flow.pump(Instant::START);
        let late = Instant::START + LIMIT;
        assert_eq!(flow.on_timeout(late), Some(('a', Opcode(RESET))));
        assert!(flow.pump(late).is_some(), "the lost answer does not block the next command");
        assert_eq!(flow.on_answer(Opcode(RESET), 1), None);
        assert_eq!(flow.on_answer(Opcode(SCAN), 1), Some('b'));
    }

    #[test]
    fn what_is_disowned_is_not_sent_and_its_answer_is_the_heirs() {
        let mut flow = flow(&[('a', RESET), ('b', SCAN), ('a', SCAN)]);
        flow.pump(Instant::START);
        assert_eq!(flow.disown(|owner| *owner == 'a', 'h'), ['a', 'a']);
        assert_eq!(flow.on_answer(Opcode(RESET), 1), Some('h'));
        flow.pump(Instant::START);
        assert_eq!(flow.on_answer(Opcode(SCAN), 1), Some('b'));
        assert!(flow.is_idle());
    }

    #[test]
    fn h6_no_credit_for_ever_ends_in_time_outs() {
        let mut flow = flow(&[('a', RESET), ('b', SCAN), ('c', SCAN)]);
        flow.pump(Instant::START);
        assert_eq!(flow.on_answer(Opcode(RESET), 0), Some('a'));
        assert!(flow.pump(Instant::START).is_none());
        assert_eq!(flow.deadline(), Some(Instant::START + LIMIT));
        assert_eq!(flow.on_timeout(Instant::START + LIMIT), Some(('b', Opcode(SCAN))));
        assert!(flow.pump(Instant::START + LIMIT).is_none());
        assert_eq!(flow.on_timeout(Instant::START + LIMIT * 2), Some(('c', Opcode(SCAN))));
    }
}
