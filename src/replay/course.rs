//! How far a script has been exchanged: the one rule of replaying, for tests and for the transport.
//!
//! A received packet is due when every packet that the capture's host had sent before it was sent again and compared.
//! What the host sends is compared with the next packet that the capture's host sent, octet by octet. It may come before
//! received packets that the capture has in front of it: a capture shows when a packet was handed over, not what caused
//! it. The order of what is sent is never free, commands and data alike.

use super::ReplayError;
use super::diff::Difference;
use super::script::{Script, ScriptPacket};
use crate::capture::Direction;
use crate::transports::HciPacket;

#[derive(Clone, Debug)]
pub(super) struct Course {
    script: Script,
    /// The first packet that the host has not sent yet.
    sent: usize,
    /// The first packet that it has not been given yet.
    received: usize,
    /// Packets that have passed.
    exchanged: usize,
}

impl Course {
    pub(super) fn new(script: Script) -> Self {
        let mut course = Self { script, sent: 0, received: 0, exchanged: 0 };
        course.sent = course.next(0, Direction::Sent);
        course.received = course.next(0, Direction::Received);
        course
    }

    pub(super) fn script(&self) -> &Script {
        &self.script
    }

    pub(super) fn exchanged(&self) -> usize {
        self.exchanged
    }

    /// The next packet for the host, unless the host has to send another before.
    pub(super) fn due(&self) -> Option<&ScriptPacket> {
        if self.received < self.sent { self.script.packets().get(self.received) } else { None }
    }

    /// The same, with its place in the script.
    pub(super) fn due_with_place(&self) -> Option<(usize, &ScriptPacket)> {
        self.due().map(|packet| (self.received, packet))
    }

    /// Takes what is due.
    pub(super) fn take_due(&mut self) -> Option<HciPacket> {
        let packet = self.due()?.packet.clone();
        self.received = self.next(self.received + 1, Direction::Received);
        self.exchanged += 1;
        Some(packet)
    }

    /// The packet that the host is to send next.
    pub(super) fn wanted(&self) -> Option<&ScriptPacket> {
        self.script.packets().get(self.sent)
    }

    /// Why a host that sends nothing more has not done everything; `None` when it has.
    pub(super) fn not_sent(&self, guessed: bool) -> Option<ReplayError> {
        let wanted = self.wanted()?;
        Some(ReplayError::NotSent { number: wanted.number, expected: wanted.packet.clone(), guessed })
    }

    /// Where in the script that is.
    pub(super) fn position(&self) -> usize {
        self.sent
    }

    /// The host sends this.
    ///
    /// # Errors
    /// When the capture's host sent something else, or nothing more.
    pub(super) fn compare(&mut self, packet: &HciPacket) -> Result<(), ReplayError> {
        let Some(wanted) = self.wanted() else {
            return Err(ReplayError::AfterEnd { sent: packet.clone() });
        };
        if wanted.packet != *packet {
            let difference = Difference::new(wanted.number, wanted.packet.clone(), packet.clone());
            return Err(ReplayError::Differs(Box::new(difference)));
        }
        self.sent = self.next(self.sent + 1, Direction::Sent);
        self.exchanged += 1;
        Ok(())
    }

    fn next(&self, from: usize, direction: Direction) -> usize {
        let packets = self.script.packets();
        let rest = packets.iter().skip(from);
        from + rest.take_while(|packet| packet.direction != direction).count()
    }
}
